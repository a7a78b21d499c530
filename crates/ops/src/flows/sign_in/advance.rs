//! What comes next, and the session at the end.

use std::{sync::Arc, time::Duration};

use denizen_model::{
    SessionId,
    authenticators::RequiredAction,
    devices::device_label,
    events::EventType,
    realms::{RealmSettings, SecondFactor},
    sessions::{Session, idle_deadline},
    users::User,
};
use denizen_store::{self as store, Events, ReadTx};

use super::{Flow, SignedIn, Step, details, failures::complete, flow_expired, passkey};
use crate::{
    Actor, App, Cx, Error, RealmState, Result,
    account::profile::missing_of,
    authenticators,
    crypto::{Prefix, Token},
    cx::Detail,
    flows::rules::{Next, Standing, barriers},
    oauth::{
        authorize::{client_of, success},
        code,
    },
};

/// How the user of a flow stands, and whether no second factor is asked for: their browser is remembered, or the link
/// of a reset stands in for it.
pub(super) async fn standing(app: &App, cx: &Cx, realm: &RealmState, flow: &Flow) -> Result<(Standing, bool)> {
    let (id, settings, now) = (realm.realm.id, realm.realm.settings.clone(), cx.now);
    let proof = flow.proof.as_ref().ok_or_else(flow_expired)?;
    let (user, device, resetting) = (proof.user, flow.device.clone(), flow.resetting.clone());
    if resetting.as_ref().is_some_and(|resetting| resetting.user != user) {
        return Err(flow_expired());
    }
    let proof = proof.clone();
    let found = app
        .db()
        .peek(move |tx| {
            let Some(user) = store::users::find(tx, id, user)? else { return Ok::<_, Error>(None) };
            let remembered = match &device {
                Some(device) => store::remembered_devices::is_remembered(tx, id, user.id, device, now)?,
                None => false,
            };
            if let Some(request) = resetting.as_ref().and_then(|resetting| resetting.request)
                && store::reset_requests::find(tx, id, user.id, request)?.is_none()
            {
                return Ok(None);
            }
            let standing = standing_in(tx, &settings, user)?;
            let Some(resetting) = &resetting else { return Ok(Some((standing, remembered))) };
            let standing = resetting.applied(standing);
            let second = resetting.is_second_proof(&proof, &standing, &settings, now);
            Ok(Some((standing, remembered || second)))
        })
        .await?;
    let found = found.filter(|(standing, _)| barriers(&standing.user).next().is_none());
    found.ok_or_else(flow_expired)
}

/// How a user stands.
pub(crate) fn standing_in(tx: &mut ReadTx<'_>, settings: &RealmSettings, user: User) -> Result<Standing> {
    let rows = store::authenticators::list(tx, user.realm_id, user.id)?;
    let by_role = settings.second_factor == SecondFactor::ByRoleOrGroup;
    let actions: Vec<RequiredAction> =
        store::required_actions::list(tx, user.realm_id, user.id)?.into_iter().map(|(action, _)| action).collect();
    let missing = if actions.contains(&RequiredAction::CompleteProfile) {
        missing_of(&store::attribute_definitions::list(tx, user.realm_id)?, &user)
    } else {
        Vec::new()
    };
    Ok(Standing {
        missing,
        authenticators: authenticators::with_addresses(rows, &user, settings),
        actions,
        roles: if by_role { store::roles::list_ids_of(tx, user.realm_id, user.id)? } else { Vec::new() },
        groups: if by_role { store::groups::list_ids_of(tx, user.realm_id, user.id)? } else { Vec::new() },
        user,
    })
}

/// Asks for what comes next; when nothing does, signs in.
pub(crate) async fn advance(app: &App, cx: &Cx, realm: &Arc<RealmState>, flow: Flow) -> Result<Step> {
    match ask(app, cx, realm, flow).await? {
        Ok(step) => Ok(step),
        Err(done) => {
            let (flow, standing) = *done;
            begin_session(app, cx, realm, flow, standing).await
        }
    }
}

/// What comes next, or whose sign-in it is that has nothing left to ask.
pub(super) async fn ask(
    app: &App,
    cx: &Cx,
    realm: &RealmState,
    mut flow: Flow,
) -> Result<std::result::Result<Step, Box<(Flow, Standing)>>> {
    let (standing, remembered) = standing(app, cx, realm, &flow).await?;
    let proof = flow.proof.clone().ok_or_else(flow_expired)?;
    let satisfied = proof.satisfied || remembered;
    match standing.next(&realm.realm.settings, &proof.used, satisfied, cx.now) {
        Next::SecondFactor(kinds) => {
            flow = passkey::asking_for_second(app, cx, flow, &standing, &kinds).await?;
            Ok(Ok(Step::SecondFactor(Box::new(flow), kinds)))
        }
        Next::Action(action) => {
            if action == RequiredAction::ConfigureOtp {
                flow.identifier = Some(standing.user.username.clone());
                flow = flow.with_totp(app);
            }
            if action == RequiredAction::RegisterPasskey {
                flow = passkey::asking_to_make(app, realm, flow, &standing.user).await?;
            }
            flow = details::asking(flow, &standing, action);
            Ok(Ok(Step::Action(Box::new(flow), action)))
        }
        Next::Done => Ok(Err(Box::new((flow, standing)))),
    }
}

/// One transaction: the session, the client's code, the remembered browser, the events.
async fn begin_session(app: &App, cx: &Cx, realm: &Arc<RealmState>, flow: Flow, standing: Standing) -> Result<Step> {
    // It was required, and is done by what was changed elsewhere.
    let completed = standing.actions.contains(&RequiredAction::CompleteProfile);
    let user = standing.user;
    let settings = &realm.realm.settings;
    let proof = flow.proof.clone().ok_or_else(flow_expired)?;
    let cookie = Token::generate(app.rng(), Prefix::Session);
    let earlier = earlier_session(app, cx, realm, flow.previous.clone()).await?;
    let continued = earlier.as_ref().filter(|earlier| earlier.user_id == user.id).map(|earlier| earlier.id);
    let session = Session {
        id: continued.unwrap_or_else(|| SessionId::new(cx.now, app.id_bytes())),
        realm_id: realm.realm.id,
        user_id: user.id,
        created_at: cx.now,
        authenticated_at: cx.now,
        last_seen_at: cx.now,
        idle_expires_at: idle_deadline(cx.now, settings),
        expires_at: cx.now.plus(Duration::from_secs(settings.session_absolute_seconds)),
        revoked_at: None,
        ip: cx.ip.map(|ip| ip.to_string()),
        place: app.place_of(cx.ip),
        device: device_label(cx.user_agent.as_deref().unwrap_or("")),
        amr: flow.amr(),
        clients: Vec::new(),
    };
    let code = match &flow.request {
        Some(request) => {
            client_of(app, realm, request).await?;
            Some(code::prepare(app, cx.now, request, session.id))
        }
        None => None,
    };
    let codes = flow.request.as_ref().zip(code.as_ref());
    let redirect = codes.map(|(request, (token, _))| success(request, &realm.issuer, token.expose()));
    let redirect = redirect.or_else(|| flow.back.clone());
    let remember = Duration::from_secs(settings.remembered_device_seconds);
    let device = (proof.remember && !remember.is_zero()).then(|| Token::generate(app.rng(), Prefix::Bare));
    let device_hash = device.as_ref().map(Token::hash);
    let client_id = flow.request.as_ref().map(|request| request.client_id.clone());
    let method = flow.method();
    let own = cx.acting_as(Actor::User(user.id, user.display_name().to_owned()));
    let (app2, realm2, hash, max_age) = (app.clone(), realm.clone(), cookie.hash(), session.expires_at.since(cx.now));
    app.write(cx, move |mut tx| {
        // What was checked before this transaction must still be so: the user, and all that was proved.
        let present = store::users::find(&mut tx, user.realm_id, user.id)?;
        let present = present.filter(|user| barriers(user).next().is_none()).ok_or_else(flow_expired)?;
        let held = store::authenticators::list(&mut tx, present.realm_id, present.id)?;
        let held = authenticators::with_addresses(held, &present, &realm2.realm.settings);
        let usable = |id| held.iter().find(|one| one.id == id && one.is_usable(own.now));
        let proved: Option<Vec<_>> = proof.authenticators().map(|used| usable(used.id)).collect();
        let proved = proved.ok_or_else(flow_expired)?;
        let event = |kind| complete(own.user_event(&app2, kind, &present), client_id.as_deref(), Some(session.id));
        let mut more = Vec::new();
        if continued.is_some() {
            // The same person again in the same browser: the session goes on under a new cookie.
            let (id, amr) = (session.id, session.amr.as_str());
            if !store::sessions::reauthenticate(&mut tx, id, &hash, amr, own.now, session.idle_expires_at)? {
                return Err(flow_expired());
            }
        } else {
            if let Some(earlier) = &earlier
                && store::sessions::revoke(&mut tx, earlier.realm_id, earlier.user_id, earlier.id, own.now)?
                && let Some(other) = store::users::find(&mut tx, earlier.realm_id, earlier.user_id)?
            {
                let ended = own.user_event(&app2, EventType::UserSessionRevoked, &other);
                more.push(
                    ended.detail("session_id", earlier.id.to_string()).detail("reason", "another user signed in"),
                );
            }
            store::sessions::insert(&mut tx, &session, &hash)?;
            more.push(event(EventType::UserSessionCreated).detail("device", session.device.as_str()));
        }
        if let Some((token, code)) = &code {
            code::store_in(&mut tx, &realm2, code, &token.hash())?;
        }
        if let Some(hash) = &device_hash {
            let until = own.now.plus(remember);
            store::remembered_devices::insert(
                &mut tx,
                present.realm_id,
                present.id,
                hash,
                &session.device,
                own.now,
                until,
            )?;
        }
        if completed {
            store::required_actions::remove(&mut tx, present.realm_id, present.id, RequiredAction::CompleteProfile)?;
        }
        store::users::note_sign_in(&mut tx, present.realm_id, present.id, own.now)?;
        crate::lockouts::clear_in(&mut tx, present.realm_id, present.id)?;
        for authenticator in proved {
            if authenticator.kind.comes_with_address() {
                store::authenticators::put(&mut tx, present.realm_id, authenticator, None, "")?;
            }
            store::authenticators::note_used(&mut tx, authenticator.id, own.now, client_id.as_deref(), &session)?;
        }
        let succeeded = event(EventType::UserSignInSucceeded).detail("method", method.as_str());
        Ok(tx.commit(Events::new(succeeded.detail("device", session.device.as_str()), more), ())?)
    })
    .await?;
    let device = device.map(|device| (device.into_secret(), remember));
    Ok(Step::SignedIn(SignedIn { cookie: cookie.into_secret(), max_age, device, redirect }))
}

/// The live session behind the cookie that the browser had.
async fn earlier_session(app: &App, cx: &Cx, realm: &RealmState, hash: Option<String>) -> Result<Option<Session>> {
    let (Some(hash), id, now) = (hash, realm.realm.id, cx.now) else { return Ok(None) };
    let found = app.db().peek(move |tx| Ok::<_, Error>(store::sessions::find_by_secret(tx, id, &hash)?)).await?;
    Ok(found.filter(|session| session.is_live(now)))
}
