//! Changing a user's record.

use denizen_model::{
    UserId,
    events::{EventType, NewEvent},
    permissions::markers::UsersWrite,
    realms::Realm,
    users::{User, UserKind, UserPatch, VerificationState, check_user, combined_name},
    validation::FieldErrors,
};
use denizen_store::{self as store, Audited, Events, WriteTx};
use serde_json::{Map, Value, json};

use super::{create::given, get_in, verification};
use crate::{App, Cx, Error, May, Result, admins, cx::Detail};

/// Changes a record. With `if_version`, only if it still has that version.
///
/// # Errors
/// When a field is not acceptable, or the record was changed in the meantime.
pub async fn update(
    app: &App,
    cx: &Cx,
    may: May<UsersWrite>,
    id: UserId,
    patch: UserPatch,
    if_version: Option<i64>,
) -> Result<User> {
    let state = app.realm_of(may.realm()).await?;
    let asks = patch.email_state == Some(VerificationState::VerificationRequested);
    let realm = asks.then(|| state.realm.clone());
    change(app, cx, &may, id, if_version, realm, move |user, errors| {
        let (settings, before) = (&state.realm.settings, user.attributes.clone());
        apply(user, patch.clone(), settings.username_changeable, errors);
        state.attributes.check(settings.undeclared_attributes_allowed, Some(&before), &user.attributes, errors);
        vec![EventType::UserUpdated]
    })
    .await
}

/// Changes a record in memory; what is not acceptable is noted.
pub(crate) fn apply(user: &mut User, patch: UserPatch, username_changeable: bool, errors: &mut FieldErrors) {
    if let Some(username) = patch.username
        && username != user.username
    {
        if user.kind == UserKind::Human && !username_changeable {
            errors.add("username", "In this realm the username stays as it was given.");
        }
        user.username = username;
    }
    if let Some(email) = patch.email.map(given) {
        if email != user.email {
            user.email_state = VerificationState::Unverified;
        }
        user.email = email;
    }
    if let Some(phone) = patch.phone.map(given) {
        if phone != user.phone {
            user.phone_state = VerificationState::Unverified;
        }
        user.phone = phone;
    }
    state("email_state", patch.email_state, user.email.is_some(), &mut user.email_state, errors);
    state("phone_state", patch.phone_state, user.phone.is_some(), &mut user.phone_state, errors);
    match user.kind {
        UserKind::Human => {
            user.given_name = patch.given_name.map_or(user.given_name.take(), given);
            user.family_name = patch.family_name.map_or(user.family_name.take(), given);
            let name = combined_name(user.given_name.as_deref(), user.family_name.as_deref());
            if patch.name.is_some_and(|wanted| wanted != name && wanted != user.name) {
                errors.add("name", "A person's name is made of given and family name; change these.");
            }
            user.name = name;
        }
        UserKind::Machine => {
            if patch.given_name.flatten().is_some() || patch.family_name.flatten().is_some() {
                errors.add("given_name", "A machine has one name only.");
            }
            user.name = patch.name.map_or_else(|| user.name.clone(), |name| name.trim().to_owned());
        }
    }
    user.locale = patch.locale.map_or(user.locale.take(), given);
    user.zoneinfo = patch.zoneinfo.map_or(user.zoneinfo.take(), given);
    user.reference = patch.reference.map_or(user.reference.take(), given);
    for (key, value) in patch.attributes.unwrap_or_default() {
        if value.is_null() {
            user.attributes.remove(&key);
        } else {
            user.attributes.insert(key, value);
        }
    }
}

fn state(
    field: &str,
    wanted: Option<VerificationState>,
    present: bool,
    state: &mut VerificationState,
    errors: &mut FieldErrors,
) {
    match wanted {
        Some(VerificationState::VerificationRequested) if field == "phone_state" => {
            errors.add(field, "Denizen sends no text messages yet; choose verified or unverified.");
        }
        Some(VerificationState::Verified | VerificationState::VerificationRequested) if !present => {
            errors.add(field, "There is nothing here to be verified.");
        }
        Some(wanted) => *state = wanted,
        None => {}
    }
}

/// Disables a user: they cannot sign in nor refresh, and all their sessions end at once.
///
/// # Errors
/// When there is no such user, or they are the last owner.
pub async fn disable(app: &App, cx: &Cx, may: May<UsersWrite>, id: UserId, reason: Option<String>) -> Result<User> {
    let (realm, app2, cx2) = (may.realm(), app.clone(), cx.clone());
    app.write(cx, move |mut tx| {
        store::realms::lock(&mut tx, realm)?;
        let before = get_in(&mut tx, realm, id)?;
        let (user, event) = disable_in(&mut tx, &app2, &cx2, before, reason.clone())?;
        Ok(tx.commit(Events::from(event), user)?)
    })
    .await
}

/// [`disable`] inside a transaction that holds the realm's lock; answers the event that is to be recorded.
pub(crate) fn disable_in(
    tx: &mut WriteTx<'_>,
    app: &App,
    cx: &Cx,
    before: User,
    reason: Option<String>,
) -> Result<(User, NewEvent)> {
    admins::check_power_over(tx, cx, &before)?;
    if !before.enabled {
        return Err(Error::conflict("already-disabled", "This user is disabled already."));
    }
    admins::check_not_last_owner(tx, &before)?;
    let mut user = before.clone();
    user.enabled = false;
    user.disabled_at = Some(cx.now);
    user.disabled_reason = given(reason);
    let mut errors = FieldErrors::new();
    check_user(&user, &mut errors);
    errors.into_result()?;
    let ended = store::sessions::revoke_all(tx, user.realm_id, user.id, cx.now)?;
    let mut event = cx.user_event(app, EventType::UserDeactivated, &user).detail("sessions_ended", ended.len());
    if let Some(reason) = &user.disabled_reason {
        event = event.detail("reason", reason.as_str());
    }
    Ok((store_in(tx, cx, &before, user)?, event))
}

/// Enables a user again.
///
/// # Errors
/// When there is no such user, or they are enabled.
pub async fn enable(app: &App, cx: &Cx, may: May<UsersWrite>, id: UserId) -> Result<User> {
    let (realm, app2, cx2) = (may.realm(), app.clone(), cx.clone());
    app.write(cx, move |mut tx| {
        let before = get_in(&mut tx, realm, id)?;
        let (user, event) = enable_in(&mut tx, &app2, &cx2, before)?;
        Ok(tx.commit(Events::from(event), user)?)
    })
    .await
}

/// [`enable`] inside a transaction; answers the event that is to be recorded.
pub(crate) fn enable_in(tx: &mut WriteTx<'_>, app: &App, cx: &Cx, before: User) -> Result<(User, NewEvent)> {
    admins::check_power_over(tx, cx, &before)?;
    if before.enabled {
        return Err(Error::conflict("already-enabled", "This user is enabled already."));
    }
    let mut user = before.clone();
    (user.enabled, user.disabled_at, user.disabled_reason) = (true, None, None);
    let event = cx.user_event(app, EventType::UserReactivated, &user);
    Ok((store_in(tx, cx, &before, user)?, event))
}

/// How a user is reached, and what can be verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contact {
    /// The email address.
    Email,
    /// The phone number.
    Phone,
}

/// Marks the email or the phone number as verified or unverified by an administrator's word, or asks its holder to
/// verify it.
///
/// # Errors
/// When there is nothing to be verified, or the record was changed in the meantime.
pub async fn set_verification(
    app: &App,
    cx: &Cx,
    may: May<UsersWrite>,
    id: UserId,
    contact: Contact,
    wanted: VerificationState,
    if_version: Option<i64>,
) -> Result<User> {
    if wanted != VerificationState::Verified {
        let patch = match contact {
            Contact::Email => UserPatch { email_state: Some(wanted), ..UserPatch::default() },
            Contact::Phone => UserPatch { phone_state: Some(wanted), ..UserPatch::default() },
        };
        return update(app, cx, may, id, patch, if_version).await;
    }
    change(app, cx, &may, id, if_version, None, move |user, errors| match contact {
        Contact::Email => {
            state("email_state", Some(wanted), user.email.is_some(), &mut user.email_state, errors);
            vec![EventType::UserEmailVerified]
        }
        Contact::Phone => {
            state("phone_state", Some(wanted), user.phone.is_some(), &mut user.phone_state, errors);
            vec![EventType::UserPhoneVerified]
        }
    })
    .await
}

/// One change of a record. With `verify_in`, its realm, a mail that verifies the email is sent besides.
async fn change<F>(
    app: &App,
    cx: &Cx,
    may: &May<UsersWrite>,
    id: UserId,
    if_version: Option<i64>,
    verify_in: Option<Realm>,
    edit: F,
) -> Result<User>
where
    F: Fn(&mut User, &mut FieldErrors) -> Vec<EventType> + Send + 'static,
{
    let (realm, app2, cx2) = (may.realm(), app.clone(), cx.clone());
    app.write(cx, move |mut tx| {
        let before = get_in(&mut tx, realm, id)?;
        admins::check_power_over(&mut tx, &cx2, &before)?;
        if if_version.is_some_and(|version| version != before.version) {
            return Err(Error::changed());
        }
        let mut user = before.clone();
        let mut errors = FieldErrors::new();
        let kinds = edit(&mut user, &mut errors);
        check_user(&user, &mut errors);
        errors.into_result()?;
        if user.email != before.email {
            // What they wanted their address to be is settled by what it is now.
            crate::account::email::drop_changes(&mut tx, user.id)?;
        }
        let asked = match &verify_in {
            Some(realm) => Some(verification::request(&mut tx, &app2, &cx2, realm, &user)?),
            None => None,
        };
        if user == before {
            return Ok(match asked {
                Some(event) => tx.commit(Events::from(event), user)?,
                None => tx.unaudited("nothing was changed", user)?,
            });
        }
        if asked.is_none() && (user.email != before.email || user.email_state != before.email_state) {
            verification::drop_links(&mut tx, user.id)?;
        }
        let changes = differences(&before, &user);
        let events =
            kinds.into_iter().map(|kind| cx2.user_event(&app2, kind, &user).detail("changes", changes.clone()));
        let events = events.chain(asked).collect();
        store_changed(tx, &cx2, &before, user, events)
    })
    .await
}

/// Stores a changed record; answers it as it is stored.
pub(crate) fn store_in(tx: &mut WriteTx<'_>, cx: &Cx, before: &User, mut user: User) -> Result<User> {
    user.updated_at = cx.now;
    if !store::users::update(tx, before, &user)? {
        return Err(Error::changed());
    }
    user.version = before.version + 1;
    Ok(user)
}

fn store_changed(
    mut tx: WriteTx<'_>,
    cx: &Cx,
    before: &User,
    user: User,
    events: Vec<NewEvent>,
) -> Result<Audited<User>> {
    let user = store_in(&mut tx, cx, before, user)?;
    let mut events = events.into_iter();
    let first = events.next().ok_or_else(|| Error::internal("a change without an event"))?;
    Ok(tx.commit(Events::new(first, events), user)?)
}

/// What changed, as `{"field": {"before": …, "after": …}}`.
pub(crate) fn differences(before: &User, after: &User) -> Map<String, Value> {
    let facts = |user: &User| {
        [
            ("username", json!(user.username)),
            ("email", json!(user.email)),
            ("email_state", json!(user.email_state)),
            ("phone", json!(user.phone)),
            ("phone_state", json!(user.phone_state)),
            ("given_name", json!(user.given_name)),
            ("family_name", json!(user.family_name)),
            ("name", json!(user.name)),
            ("locale", json!(user.locale)),
            ("zoneinfo", json!(user.zoneinfo)),
            ("reference", json!(user.reference)),
            ("attributes", json!(user.attributes)),
        ]
    };
    let pairs = facts(before).into_iter().zip(facts(after));
    pairs
        .filter(|((_, old), (_, new))| old != new)
        .map(|((key, old), (_, new))| (key.to_owned(), json!({"before": old, "after": new})))
        .collect()
}
