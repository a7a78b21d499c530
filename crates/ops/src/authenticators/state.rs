//! What agents do with single authenticators: name, lock, switch off for a time or for good, remove; and recovery
//! codes that they hand over (PRODUCT §7).

use denizen_model::{
    AuthenticatorId, Timestamp, UserId,
    authenticators::{Authenticator, AuthenticatorType, LockoutKind},
    events::{EventType, NewEvent},
    permissions::markers::CredentialsReset,
    users::{User, UserKind},
};
use denizen_store::{self as store, Events, WriteTx};

use super::{list_in, recovery_codes};
use crate::{App, Cx, Error, May, Result, admins, crypto::Secret, cx::Detail, users::get_in};

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It works no more until it is unlocked.
    Lock,
    /// It works again, and failures are forgotten.
    Unlock,
    /// It works no more until a time, or until it is switched on again.
    Deactivate(Option<Timestamp>),
    /// It works again.
    Reactivate,
    /// It is gone.
    Remove,
}

/// Changes one authenticator of a user. Nothing is recorded where it is so already.
///
/// # Errors
/// When there is none of this id, its kind has no such state, or the time is over.
pub async fn change(
    app: &App,
    cx: &Cx,
    may: May<CredentialsReset>,
    user: UserId,
    id: AuthenticatorId,
    change: Change,
) -> Result<()> {
    if let Change::Deactivate(Some(until)) = change
        && until <= cx.now
    {
        return Err(Error::field("until", "Must be in the future."));
    }
    let realm = app.realm_of(may.realm()).await?;
    let (app2, cx2) = (app.clone(), cx.clone());
    app.write(cx, move |mut tx| {
        let user = get_in(&mut tx, realm.realm.id, user)?;
        admins::check_power_over(&mut tx, &cx2, &user)?;
        let listed = list_in(&mut tx, &realm.realm.settings, &user)?;
        let one = listed.authenticators.into_iter().find(|one| one.id == id);
        let one = one.ok_or_else(|| Error::not_found("authenticator"))?;
        let events = match change {
            Change::Remove => remove_in(&mut tx, &app2, &cx2, &user, &one)?,
            Change::Lock => {
                let after = Authenticator { locked_at: one.locked_at.or(Some(cx2.now)), ..one.clone() };
                let events = set_in(&mut tx, &app2, &cx2, &user, &one, &after, EventType::UserAuthenticatorLocked)?;
                events.into_iter().map(|event| event.detail("reason", "by an administrator")).collect()
            }
            Change::Unlock => {
                let after = Authenticator { locked_at: None, ..one.clone() };
                let mut events =
                    set_in(&mut tx, &app2, &cx2, &user, &one, &after, EventType::UserAuthenticatorUnlocked)?;
                let failures = match one.kind.lockout() {
                    None => 0,
                    Some(LockoutKind::Password) => user.failed_password_attempts,
                    Some(LockoutKind::Otp) => user.failed_otp_attempts,
                };
                let mut ended = false;
                if let Some(kind) = one.kind.lockout() {
                    ended = store::lockouts::clear(&mut tx, user.realm_id, user.id, kind)? || failures > 0;
                    store::users::forget_failures_of(&mut tx, user.realm_id, user.id, kind)?;
                }
                if ended && events.is_empty() {
                    events.push(event(&app2, &cx2, EventType::UserAuthenticatorUnlocked, &user, &one));
                }
                events
            }
            Change::Deactivate(until) => {
                let after = Authenticator { deactivated_at: Some(cx2.now), deactivated_until: until, ..one.clone() };
                let kind = EventType::UserAuthenticatorDeactivated;
                let events = set_in(&mut tx, &app2, &cx2, &user, &one, &after, kind)?;
                let told = until.map_or_else(|| "for good".to_owned(), |until| until.to_string());
                events.into_iter().map(|event| event.detail("until", told.as_str())).collect()
            }
            Change::Reactivate => {
                let after = Authenticator { deactivated_at: None, deactivated_until: None, ..one.clone() };
                set_in(&mut tx, &app2, &cx2, &user, &one, &after, EventType::UserAuthenticatorReactivated)?
            }
        };
        let mut events = events.into_iter();
        match events.next() {
            Some(first) => Ok(tx.commit(Events::new(first, events.collect::<Vec<_>>()), ())?),
            None => Ok(tx.unaudited("it was so already", ())?),
        }
    })
    .await
}

fn event(app: &App, cx: &Cx, kind: EventType, user: &User, one: &Authenticator) -> NewEvent {
    cx.user_event(app, kind, user).detail("authenticator_id", one.id.to_string()).detail("method", one.kind.as_str())
}

fn set_in(
    tx: &mut WriteTx<'_>,
    app: &App,
    cx: &Cx,
    user: &User,
    before: &Authenticator,
    after: &Authenticator,
    kind: EventType,
) -> Result<Vec<NewEvent>> {
    if before == after {
        return Ok(Vec::new());
    }
    if before.kind.comes_with_address() {
        // It has a row from now on.
        store::authenticators::put(tx, user.realm_id, before, None, "")?;
    }
    store::authenticators::set_state(tx, user.realm_id, after)?;
    Ok(vec![event(app, cx, kind, user, before)])
}

/// Removes one; answers the events.
pub(crate) fn remove_in(
    tx: &mut WriteTx<'_>,
    app: &App,
    cx: &Cx,
    user: &User,
    one: &Authenticator,
) -> Result<Vec<NewEvent>> {
    if one.kind.comes_with_address() {
        let message = "It is there as long as the user has the address. Switch it off, or remove the address.";
        return Err(Error::conflict("comes-with-address", message));
    }
    store::authenticators::delete(tx, user.realm_id, user.id, one.id)?;
    store::remembered_devices::forget_all(tx, user.realm_id, user.id)?;
    let kind = if one.kind == AuthenticatorType::Password {
        EventType::UserPasswordCleared
    } else {
        EventType::UserAuthenticatorRemoved
    };
    Ok(vec![event(app, cx, kind, user, one)])
}

/// Makes a set of recovery codes in the place of the one there was, to be handed over: shown this once.
///
/// # Errors
/// When the user is a machine.
pub async fn issue_recovery_codes(app: &App, cx: &Cx, may: May<CredentialsReset>, user: UserId) -> Result<Vec<Secret>> {
    let codes = recovery_codes::generate(app);
    let (app2, cx2, realm, kept) = (app.clone(), cx.clone(), may.realm(), codes.clone());
    app.write(cx, move |mut tx| {
        let user = get_in(&mut tx, realm, user)?;
        admins::check_power_over(&mut tx, &cx2, &user)?;
        if user.kind == UserKind::Machine {
            return Err(Error::conflict("machine", "A machine has API keys, no recovery codes."));
        }
        let mut events = recovery_codes::replace_in(&mut tx, &app2, &cx2, &user, &kept)?;
        let first = events.remove(0);
        Ok(tx.commit(Events::new(first, events), ())?)
    })
    .await?;
    Ok(codes)
}
