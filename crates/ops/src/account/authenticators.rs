//! One's own authenticators: seeing them, setting up an app, recovery codes, naming and removing.
//!
//! What an administrator has locked or switched off is not the user's to replace, name or remove: they would undo it.

use std::{sync::Arc, time::Duration};

use base64::Engine as _;
use denizen_model::{
    AuthenticatorId, Timestamp, UserId,
    authenticators::{Authenticator, AuthenticatorType},
    events::{EventType, NewEvent},
    realms::{RealmSettings, SecondFactor},
    users::{User, VerificationState},
    validation::FieldErrors,
};
use denizen_store::{self as store, Events, WriteTx};
use serde::{Deserialize, Serialize};

use super::{
    Fresh, event,
    notices::{Notice, tell},
    own, present, within,
};
use crate::{
    App, Cx, Error, RealmState, Result,
    authenticators::{Listed, list_in, recovery_codes, state::remove_in, totp},
    crypto::{B64, Secret, totp::TotpSecret},
    cx::Detail,
    flows::{
        rules::Standing,
        sign_in::{actions::TotpSetUp, advance::standing_in},
    },
    sessions::SignedIn,
};

/// How long the page that sets up an app can be used.
const SET_UP_FOR: Duration = Duration::from_secs(3600);
/// The longest name of an authenticator, in characters.
const MAX_LABEL: usize = 60;

/// All of the user's own authenticators, and what keeps them from removing each, in the same order.
///
/// # Errors
/// When the database fails.
pub async fn list(
    app: &App,
    cx: &Cx,
    realm: &Arc<RealmState>,
    signed_in: &SignedIn,
) -> Result<(Listed, Vec<Option<Kept>>)> {
    let (now, realm, user) = (cx.now, realm.clone(), signed_in.user.clone());
    app.db()
        .peek(move |tx| {
            let settings = &realm.realm.settings;
            let listed = list_in(tx, settings, &user)?;
            let standing = standing_in(tx, settings, user.clone())?;
            let kept = listed.authenticators.iter().map(|one| kept_by(settings, &standing, one, now)).collect();
            Ok((listed, kept))
        })
        .await
}

/// Whether the realm has a use for an authenticator app.
#[must_use]
pub fn apps_are_used(settings: &RealmSettings) -> bool {
    settings.second_factor != SecondFactor::Never && settings.second_factors.contains(&AuthenticatorType::Totp)
}

/// Whether recovery codes would be of use: with a second factor that they stand in for.
#[must_use]
pub fn recovery_codes_are_used(settings: &RealmSettings, held: &[Authenticator]) -> bool {
    settings.second_factor != SecondFactor::Never && held.iter().any(|one| settings.second_factors.contains(&one.kind))
}

/// Whether people give it a name.
#[must_use]
pub const fn can_be_named(kind: AuthenticatorType) -> bool {
    matches!(kind, AuthenticatorType::Totp | AuthenticatorType::Passkey)
}

/// Refuses to touch what an administrator has locked or switched off.
fn check_not_held(held: &[Authenticator], kind: AuthenticatorType, now: Timestamp) -> Result<()> {
    if held.iter().any(|one| one.kind == kind && !one.is_usable(now)) {
        return Err(Error::conflict("held", "An administrator has locked or switched this off."));
    }
    Ok(())
}

/// An app that is being set up, as it travels through the page.
#[derive(Serialize, Deserialize)]
struct SettingUp {
    user: UserId,
    /// Base64.
    secret: String,
    expires_at: Timestamp,
}

fn purpose(realm: &RealmState) -> String {
    format!("account totp {}", realm.realm.id)
}

fn too_old() -> Error {
    Error::conflict("flow-expired", "This page is too old. Open it again.")
}

fn open(app: &App, cx: &Cx, realm: &RealmState, fresh: &Fresh, sealed: &str) -> Result<TotpSecret> {
    let plain = app.sealer().open(&purpose(realm), sealed).map_err(|_| too_old())?;
    let state: SettingUp = serde_json::from_slice(&plain).map_err(|_| too_old())?;
    if state.user != fresh.0.user.id || state.expires_at <= cx.now {
        return Err(too_old());
    }
    let bytes = B64.decode(&state.secret).map_err(|_| too_old())?;
    TotpSecret::from_bytes(&bytes).ok_or_else(too_old)
}

fn check_apps(realm: &RealmState) -> Result<()> {
    if apps_are_used(&realm.realm.settings) { Ok(()) } else { Err(Error::not_found("page")) }
}

/// Begins to set up an app: what its page shows, and what the page sends back with the first code.
///
/// # Errors
/// When the realm has no use for one.
pub fn begin_app(app: &App, cx: &Cx, realm: &RealmState, fresh: &Fresh) -> Result<(TotpSetUp, String)> {
    check_apps(realm)?;
    let (user, secret) = (&fresh.0.user, TotpSecret::generate(app.rng()));
    let expires_at = cx.now.plus(SET_UP_FOR);
    let state = SettingUp { user: user.id, secret: B64.encode(secret.as_bytes()), expires_at };
    let plain = serde_json::to_vec(&state).map_err(|error| Error::internal(error.to_string()))?;
    let sealed = app.sealer().seal(&purpose(realm), plain);
    Ok((TotpSetUp::of(realm, &user.username, &secret), sealed))
}

/// What the page shows again after a wrong code.
///
/// # Errors
/// When the page is too old, or another user's.
pub fn app_again(app: &App, cx: &Cx, realm: &RealmState, fresh: &Fresh, sealed: &str) -> Result<TotpSetUp> {
    let secret = open(app, cx, realm, fresh, sealed)?;
    Ok(TotpSetUp::of(realm, &fresh.0.user.username, &secret))
}

/// Takes the first code of an app and keeps it in the place of an earlier one. Answers recovery codes, to be shown this
/// once, where there were none.
///
/// # Errors
/// When the code is wrong, or an administrator holds the app that there is.
pub async fn confirm_app(
    app: &App,
    cx: &Cx,
    realm: &RealmState,
    fresh: &Fresh,
    sealed: &str,
    code: &Secret,
) -> Result<Option<Vec<Secret>>> {
    check_apps(realm)?;
    let secret = open(app, cx, realm, fresh, sealed)?;
    let Some(step) = secret.check(code.expose(), cx.now) else {
        let own = own(cx, &fresh.0.user);
        let event = within(totp::not_set_up(app, &own, &fresh.0.user), &fresh.0);
        app.write(&own, move |tx| Ok(tx.commit(Events::from(event.clone()), ())?)).await?;
        return Err(Error::field("code", "sign_in.code.wrong"));
    };
    let signed_in = fresh.0.clone();
    let (app2, own, new) = (app.clone(), own(cx, &signed_in.user), totp::prepare(app, cx, &signed_in.user));
    let (codes, realm2) = (recovery_codes::generate(app), realm.realm.clone());
    app.write(cx, move |mut tx| {
        let user = present(&mut tx, &own, &signed_in)?;
        let held = store::authenticators::list(&mut tx, user.realm_id, user.id)?;
        check_not_held(&held, AuthenticatorType::Totp, own.now)?;
        let had_codes = held.iter().any(|one| one.kind == AuthenticatorType::RecoveryCodes);
        let codes = (!had_codes).then(|| codes.clone());
        let events = totp::set_up_in(&mut tx, &app2, &own, &user, &new, (&secret, step), codes.as_deref())?;
        tell(&mut tx, (&app2, &own, &realm2), &user, Notice::Added(AuthenticatorType::Totp))?;
        commit(tx, events, &signed_in, codes)
    })
    .await
}

/// Makes recovery codes in the place of those there were: shown this once.
///
/// # Errors
/// When nothing asks for them, or an administrator holds those that there are.
pub async fn replace_recovery_codes(app: &App, cx: &Cx, realm: &Arc<RealmState>, fresh: &Fresh) -> Result<Vec<Secret>> {
    let signed_in = fresh.0.clone();
    let (app2, own, realm) = (app.clone(), own(cx, &signed_in.user), realm.clone());
    let codes = recovery_codes::generate(app);
    let kept = codes.clone();
    app.write(cx, move |mut tx| {
        let user = present(&mut tx, &own, &signed_in)?;
        let settings = &realm.realm.settings;
        let held = list_in(&mut tx, settings, &user)?.authenticators;
        if !recovery_codes_are_used(settings, &held) {
            return Err(Error::not_found("page"));
        }
        check_not_held(&held, AuthenticatorType::RecoveryCodes, own.now)?;
        let events = recovery_codes::replace_in(&mut tx, &app2, &own, &user, &kept)?;
        tell(&mut tx, (&app2, &own, &realm.realm), &user, Notice::Added(AuthenticatorType::RecoveryCodes))?;
        commit(tx, events, &signed_in, ())
    })
    .await?;
    Ok(codes)
}

/// Names one of the user's own authenticators; an empty text takes its name away.
///
/// # Errors
/// When there is none of this id that people name, or the text is not acceptable.
pub async fn rename(app: &App, cx: &Cx, signed_in: &SignedIn, id: AuthenticatorId, label: &str) -> Result<()> {
    let label = label.trim().to_owned();
    let mut errors = FieldErrors::new();
    errors.line("label", &label, MAX_LABEL);
    errors.into_result()?;
    let (app2, own, signed_in) = (app.clone(), own(cx, &signed_in.user), signed_in.clone());
    app.write(cx, move |mut tx| {
        let user = present(&mut tx, &own, &signed_in)?;
        let held = store::authenticators::list(&mut tx, user.realm_id, user.id)?;
        let one = held.into_iter().find(|one| one.id == id && can_be_named(one.kind));
        let one = one.ok_or_else(|| Error::not_found("authenticator"))?;
        if one.label == label {
            return Ok(tx.unaudited("nothing was changed", ())?);
        }
        store::authenticators::set_label(&mut tx, user.id, id, &label)?;
        let renamed = event(&app2, &own, EventType::UserAuthenticatorRenamed, &user, &signed_in)
            .detail("authenticator_id", id.to_string())
            .detail("method", one.kind.as_str())
            .detail("before", one.label)
            .detail("after", label.as_str());
        Ok(tx.commit(Events::from(renamed), ())?)
    })
    .await
}

/// Why one of the user's own authenticators cannot be removed by them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// An administrator has locked or switched it off.
    Held,
    /// It is there as long as the address is.
    WithAddress,
    /// They could not sign in without it.
    LastWay,
    /// A second step is asked of them, and this is the only one.
    SecondStep,
}

impl Kept {
    /// The code of the conflict.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::WithAddress => "comes-with-address",
            Self::LastWay => "last-way",
            Self::SecondStep => "second-step-required",
        }
    }
}

/// One of the user's own authenticators, and what keeps them from removing it.
///
/// # Errors
/// When there is none of this id.
pub async fn find(
    app: &App,
    cx: &Cx,
    realm: &Arc<RealmState>,
    signed_in: &SignedIn,
    id: AuthenticatorId,
) -> Result<(Authenticator, Option<Kept>)> {
    let (cx, realm, user) = (cx.clone(), realm.clone(), signed_in.user.clone());
    app.db().peek(move |tx| find_in(tx, &cx, &realm.realm.settings, &user, id)).await
}

fn find_in(
    tx: &mut store::ReadTx<'_>,
    cx: &Cx,
    settings: &RealmSettings,
    user: &User,
    id: AuthenticatorId,
) -> Result<(Authenticator, Option<Kept>)> {
    let standing = standing_in(tx, settings, user.clone())?;
    let one = standing.authenticators.iter().find(|one| one.id == id).cloned();
    let one = one.ok_or_else(|| Error::not_found("authenticator"))?;
    let kept = kept_by(settings, &standing, &one, cx.now);
    Ok((one, kept))
}

/// What keeps somebody who stands like this from removing one of their authenticators.
fn kept_by(settings: &RealmSettings, standing: &Standing, one: &Authenticator, now: Timestamp) -> Option<Kept> {
    let mut without = standing.clone();
    without.authenticators.retain(|other| other.id != one.id);
    let is_second_step = standing.needs_second_factor(settings, now)
        && standing.second_factors(settings, &[], now).contains(&one.kind)
        && without.needs_second_factor(settings, now)
        && without.second_factors(settings, &[], now).is_empty();
    if !one.is_usable(now) {
        Some(Kept::Held)
    } else if one.kind.comes_with_address() {
        Some(Kept::WithAddress)
    } else if !without.authenticators.iter().any(|other| leads_in(settings, &standing.user, other, now)) {
        Some(Kept::LastWay)
    } else if is_second_step {
        Some(Kept::SecondStep)
    } else {
        None
    }
}

/// Whether a sign-in can begin with it.
fn leads_in(settings: &RealmSettings, user: &User, one: &Authenticator, now: Timestamp) -> bool {
    let reached = match one.kind {
        AuthenticatorType::EmailCode | AuthenticatorType::MagicLink => user.email_state == VerificationState::Verified,
        AuthenticatorType::SmsCode => user.phone_state == VerificationState::Verified,
        _ => true,
    };
    reached && one.is_usable(now) && settings.sign_in_methods.contains(&one.kind)
}

/// Removes one of the user's own authenticators; recovery codes go with the last that they stood in for.
///
/// # Errors
/// When there is none of this id, or something keeps them from removing it, see [`Kept`].
pub async fn remove(app: &App, cx: &Cx, realm: &Arc<RealmState>, fresh: &Fresh, id: AuthenticatorId) -> Result<()> {
    let signed_in = fresh.0.clone();
    let (app2, own, realm) = (app.clone(), own(cx, &signed_in.user), realm.clone());
    app.write(cx, move |mut tx| {
        let user = present(&mut tx, &own, &signed_in)?;
        let settings = &realm.realm.settings;
        let (one, kept) = find_in(&mut tx, &own, settings, &user, id)?;
        if let Some(kept) = kept {
            return Err(Error::conflict(kept.code(), "This cannot be removed now."));
        }
        let mut events = remove_in(&mut tx, &app2, &own, &user, &one)?;
        tell(&mut tx, (&app2, &own, &realm.realm), &user, Notice::Removed(one.kind))?;
        let left = list_in(&mut tx, settings, &user)?.authenticators;
        let stood_in_for = one.kind == AuthenticatorType::Totp || one.kind == AuthenticatorType::Passkey;
        let codes = left.iter().find(|other| other.kind == AuthenticatorType::RecoveryCodes);
        if let Some(codes) = codes.filter(|_| stood_in_for && !recovery_codes_are_used(settings, &left)) {
            events.extend(remove_in(&mut tx, &app2, &own, &user, codes)?);
        }
        commit(tx, events, &signed_in, ())
    })
    .await
}

fn commit<T>(
    tx: WriteTx<'_>,
    events: Vec<NewEvent>,
    signed_in: &SignedIn,
    value: T,
) -> Result<denizen_store::Audited<T>> {
    let mut events = events.into_iter().map(|event| within(event, signed_in));
    let first = events.next().ok_or_else(|| Error::internal("a change without an event"))?;
    Ok(tx.commit(Events::new(first, events.collect::<Vec<_>>()), value)?)
}
