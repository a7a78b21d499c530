//! What is required before the destination.

use std::sync::Arc;

use denizen_model::{
    ResetRequestId,
    authenticators::{AuthenticatorType, RequiredAction},
    events::{EventType, NewEvent},
    passwords::SAME,
    reset_requests::ResetKind,
    users::{NewPassword, User},
    validation::FieldErrors,
};
use denizen_store::{self as store, Events, WriteTx, authenticators::StoredPassword};

use super::{
    Flow, Step,
    advance::{advance, standing},
    failures::complete,
    flow_expired, password_used,
};
use crate::{
    Actor, App, Cx, Error, RealmState, Result,
    authenticators::{recovery_codes, totp},
    crypto::{Secret, totp::TotpSecret},
    cx::Detail,
    flows::rules::{Next, Standing},
    passwords, sessions,
    users::prepare_password,
};

/// How the user stands, if this is what is asked of them now.
pub(super) async fn asked(
    app: &App,
    cx: &Cx,
    realm: &RealmState,
    flow: &Flow,
    action: RequiredAction,
) -> Result<Option<Standing>> {
    let proof = flow.proof.as_ref().ok_or_else(flow_expired)?;
    let (standing, remembered) = standing(app, cx, realm, flow).await?;
    let satisfied = proof.satisfied || remembered;
    let next = standing.next(&realm.realm.settings, &proof.used, satisfied, cx.now);
    Ok((next == Next::Action(action)).then_some(standing))
}

/// The user in their own affairs.
pub(super) fn own(cx: &Cx, user: &User) -> Cx {
    cx.acting_as(Actor::User(user.id, user.display_name().to_owned()))
}

pub(super) fn client_of(flow: &Flow) -> Option<String> {
    flow.request.as_ref().map(|request| request.client_id.clone())
}

/// Sets the new password that was required, and goes on.
///
/// # Errors
/// When the flow does not ask for one, or its password was replaced in the meantime.
pub async fn update_password_step(
    app: &App,
    cx: &Cx,
    realm: &Arc<RealmState>,
    mut flow: Flow,
    new: String,
    again: &str,
) -> Result<Step> {
    let Some(Standing { user, .. }) = asked(app, cx, realm, &flow, RequiredAction::UpdatePassword).await? else {
        return advance(app, cx, realm, flow).await;
    };
    let id = user.id;
    let stored = app.db().peek(move |tx| Ok::<_, Error>(store::authenticators::find_password(tx, id)?)).await?;
    let mut errors = FieldErrors::new();
    let checked = passwords::check(app, &realm.realm.settings, &user, &new, &mut errors).await?;
    if new != again {
        errors.add("password_again", "sign_in.update_password.mismatch");
    }
    // Whatever of its history a realm looks at, a temporary password, or one that must be replaced, does not stay.
    if errors.is_empty()
        && let Some(stored) = &stored
        && app.hasher().verify(Secret::new(new.clone()), stored.phc.clone()).await?.ok
    {
        errors.add("password", &SAME);
    }
    if !errors.is_empty() {
        return Ok(Step::Wrong(errors));
    }
    let prepared = prepare_password(app, cx.now, NewPassword::Set(new)).await?;
    let (replacement, _) = prepared.ok_or_else(|| Error::internal("no password to store"))?;
    let (app2, own, flow2, put) = (app.clone(), own(cx, &user), flow.clone(), replacement.clone());
    // Whoever helps themselves to a new password may do so because somebody else has the old one. Of what an agent asks
    // for, the agent has decided.
    let ends_sessions = flow.is_self_help();
    app.write(cx, move |mut tx| {
        let user = store::users::find(&mut tx, user.realm_id, user.id)?.ok_or_else(flow_expired)?;
        let before = store::authenticators::find_password(&mut tx, user.id)?;
        if before.as_ref().map(|before| before.id) != stored.as_ref().map(|stored| stored.id) {
            return Err(flow_expired());
        }
        let completed = flow2.complete_in(&mut tx, &user, ResetKind::Password)?;
        replace_password(&mut tx, &own, &user, &put)?;
        let event = checked.told(own.user_event(&app2, EventType::UserPasswordResetCompleted, &user));
        let client = client_of(&flow2);
        let event = complete(told(event, completed), client.as_deref(), None);
        let ended = if ends_sessions { sessions::revoke_all_in(&mut tx, &app2, &own, &user)? } else { None };
        let more: Vec<_> = ended.into_iter().map(|(_, event)| complete(event, client.as_deref(), None)).collect();
        Ok(tx.commit(Events::new(event, more), ())?)
    })
    .await?;
    flow = flow.reset_done(ResetKind::Password);
    if let Some(proof) = &mut flow.proof {
        // Whoever came with the old password goes on with the new one.
        for used in proof.used.iter_mut().filter(|used| used.kind == AuthenticatorType::Password) {
            *used = password_used(replacement.id);
        }
    }
    advance(app, cx, realm, flow).await
}

/// By what way a reset was done, in its event.
pub(super) fn told(event: NewEvent, (method, request): (&'static str, Option<ResetRequestId>)) -> NewEvent {
    let event = event.detail("method", method);
    match request {
        Some(id) => event.detail("reset_request_id", id.to_string()),
        None => event,
    }
}

/// Puts a password in the place of the one there was, and with it nothing that asks for a new one, no remembered browsers.
pub(crate) fn replace_password(tx: &mut WriteTx<'_>, cx: &Cx, before: &User, password: &StoredPassword) -> Result<()> {
    store::authenticators::put_password(tx, before.realm_id, before.id, password, cx.now)?;
    store::remembered_devices::forget_all(tx, before.realm_id, before.id)?;
    let user = User { requires_password_reset: false, updated_at: cx.now, ..before.clone() };
    if store::users::update(tx, before, &user)? { Ok(()) } else { Err(Error::changed()) }
}

/// What the page shows that sets up an authenticator app.
#[derive(Debug)]
pub struct TotpSetUp {
    /// The picture to be scanned, as SVG, where the names fit into one.
    pub picture: Option<Secret>,
    /// The secret to be typed.
    pub text: Secret,
}

impl TotpSetUp {
    /// How a secret is shown for somebody's account in a realm.
    pub(crate) fn of(realm: &RealmState, account: &str, secret: &TotpSecret) -> Self {
        Self { picture: secret.picture(&realm.realm.display_name, account), text: secret.to_text() }
    }
}

/// The secret that a flow sets up, as its page shows it.
///
/// # Errors
/// When the flow sets up none.
pub fn totp_set_up(realm: &RealmState, flow: &Flow) -> Result<TotpSetUp> {
    let secret = flow.totp().ok_or_else(flow_expired)?;
    let account = flow.identifier.as_deref().unwrap_or("account");
    Ok(TotpSetUp::of(realm, account, &secret))
}

/// Takes the first code of an app that is set up, keeps it in the place of an earlier one, and goes on; by way of new
/// recovery codes where there are none, or where an agent had the second step reset: those there were may be lost with
/// the app.
///
/// # Errors
/// When the flow does not ask for it.
pub async fn configure_otp_step(
    app: &App,
    cx: &Cx,
    realm: &Arc<RealmState>,
    mut flow: Flow,
    code: &Secret,
) -> Result<Step> {
    let Some(standing) = asked(app, cx, realm, &flow, RequiredAction::ConfigureOtp).await? else {
        return advance(app, cx, realm, flow).await;
    };
    let secret: TotpSecret = flow.totp().ok_or_else(flow_expired)?;
    let Some(step) = secret.check(code.expose(), cx.now) else {
        let own = own(cx, &standing.user);
        let event = totp::not_set_up(app, &own, &standing.user).detail("required", true);
        let event = complete(event, client_of(&flow).as_deref(), None);
        app.write(&own, move |tx| Ok(tx.commit(Events::from(event.clone()), ())?)).await?;
        return Ok(Step::Wrong(FieldErrors::one("code", "sign_in.code.wrong")));
    };
    let user = standing.user.clone();
    let had_codes = standing.authenticators.iter().any(|one| one.kind == AuthenticatorType::RecoveryCodes);
    let codes = recovery_codes::generate(app);
    let new = totp::prepare(app, cx, &user);
    let (app2, own, flow2, kept) = (app.clone(), own(cx, &user), flow.clone(), codes.clone());
    let id = new.id;
    let with_codes = app
        .write(cx, move |mut tx| {
            let user = store::users::find(&mut tx, user.realm_id, user.id)?.ok_or_else(flow_expired)?;
            let completed = flow2.complete_in(&mut tx, &user, ResetKind::Otp)?;
            let is_reset = completed.0 == "link" || completed.1.is_some();
            let with_codes = !had_codes || is_reset;
            let codes = with_codes.then_some(kept.as_slice());
            let mut events = totp::set_up_in(&mut tx, &app2, &own, &user, &new, (&secret, step), codes)?;
            if is_reset {
                let event = own.user_event(&app2, EventType::UserAuthenticatorResetCompleted, &user);
                events.push(told(event.detail("type", ResetKind::Otp.as_str()), completed));
            }
            let client = client_of(&flow2);
            let mut events: Vec<_> = events
                .into_iter()
                .map(|event| complete(event, client.as_deref(), None).detail("required", true))
                .collect();
            let first = events.remove(0);
            Ok(tx.commit(Events::new(first, events), with_codes)?)
        })
        .await?;
    flow.setting_up = None;
    let mut flow = flow.reset_done(ResetKind::Otp);
    flow = flow.proved(cx.now, standing.user.id, crate::flows::rules::Used { id, kind: AuthenticatorType::Totp });
    if let Some(proof) = &mut flow.proof {
        proof.satisfied = true;
    }
    if with_codes {
        return Ok(Step::RecoveryCodes(Box::new(flow), codes));
    }
    advance(app, cx, realm, flow).await
}
