//! Creating people and machines (PRODUCT §5).

use denizen_model::{
    AuthenticatorId, Timestamp, UserId,
    authenticators::ApiKey,
    events::EventType,
    permissions::markers::UsersWrite,
    realms::Realm,
    users::{NewHuman, NewMachine, NewPassword, User, UserKind, VerificationState, check_user, combined_name},
    validation::FieldErrors,
};
use denizen_store::{self as store, Events, authenticators::StoredPassword};

use crate::{
    App, Cx, May, RealmState, Result,
    api_keys::{self, Made, NewKey},
    authenticators::readable_secret,
    crypto::Secret,
    cx::Detail,
    passwords::{self, BreachCheck},
};

/// A user that was created, with what is shown once.
#[derive(Debug)]
pub struct Created {
    /// The user.
    pub user: User,
    /// The temporary password, when one was asked for.
    pub temporary_password: Option<Secret>,
    /// The API key of a machine.
    pub api_key: Option<(ApiKey, Secret)>,
}

fn blank(app: &App, cx: &Cx, realm: &Realm, kind: UserKind) -> User {
    User {
        id: UserId::new(cx.now, app.id_bytes()),
        realm_id: realm.id,
        kind,
        username: String::new(),
        email: None,
        email_state: VerificationState::Unverified,
        phone: None,
        phone_state: VerificationState::Unverified,
        given_name: None,
        family_name: None,
        name: String::new(),
        locale: None,
        zoneinfo: None,
        reference: None,
        attributes: serde_json::Map::new(),
        enabled: true,
        disabled_at: None,
        disabled_reason: None,
        requires_password_reset: false,
        admin_role: None,
        created_at: cx.now,
        updated_at: cx.now,
        last_sign_in_at: None,
        failed_password_attempts: 0,
        failed_otp_attempts: 0,
        version: 1,
    }
}

/// Blank text counts as none.
pub(super) fn given(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// The record of a human, checked against the realm's rules.
pub(crate) fn human(app: &App, cx: &Cx, state: &RealmState, new: NewHuman, errors: &mut FieldErrors) -> User {
    let realm = &state.realm;
    let mut user = blank(app, cx, realm, UserKind::Human);
    user.email = given(new.email);
    let username = given(new.username);
    if realm.settings.email_as_username {
        user.username = user.email.clone().unwrap_or_default();
        if user.email.is_none() {
            errors.add("email", "Must not be empty: in this realm people sign in by email.");
        }
        if username.is_some_and(|name| Some(&name) != user.email.as_ref()) {
            errors.add("username", "In this realm the username is the email.");
        }
    } else {
        user.username = username.or_else(|| user.email.clone()).unwrap_or_default();
    }
    user.given_name = given(new.given_name);
    user.family_name = given(new.family_name);
    user.name = combined_name(user.given_name.as_deref(), user.family_name.as_deref());
    user.phone = given(new.phone);
    user.locale = given(new.locale);
    user.zoneinfo = given(new.zoneinfo);
    user.reference = given(new.reference);
    user.attributes = state.attributes.with_defaults(new.attributes);
    if new.email_verified && user.email.is_some() {
        user.email_state = VerificationState::Verified;
    }
    check_user(&user, errors);
    check_attributes(state, &user, errors);
    user
}

/// Holds a new user's attributes against the realm's definitions.
fn check_attributes(state: &RealmState, user: &User, errors: &mut FieldErrors) {
    let undeclared_allowed = state.realm.settings.undeclared_attributes_allowed;
    state.attributes.check(undeclared_allowed, None, &user.attributes, errors);
}

/// A user's password that is ready to be stored, and the text of a temporary one.
pub(crate) async fn prepare_password(
    app: &App,
    now: Timestamp,
    password: NewPassword,
) -> Result<Option<(StoredPassword, Option<Secret>)>> {
    let (text, temporary) = match password {
        NewPassword::None => return Ok(None),
        NewPassword::Set(text) => (Secret::new(text), false),
        NewPassword::Temporary => (readable_secret(app.rng()), true),
    };
    let phc = app.hasher().hash(text.clone(), app.hasher().params()).await?;
    let stored = StoredPassword { id: AuthenticatorId::new(now, app.id_bytes()), phc, temporary };
    Ok(Some((stored, temporary.then_some(text))))
}

/// Creates a person. No mail goes out.
///
/// # Errors
/// When a field is not acceptable or the username is taken.
pub async fn create_human(
    app: &App,
    cx: &Cx,
    may: May<UsersWrite>,
    new: NewHuman,
    password: NewPassword,
) -> Result<Created> {
    let state = app.realm_of(may.realm()).await?;
    let mut errors = FieldErrors::new();
    let mut user = human(app, cx, &state, new, &mut errors);
    let checked = match &password {
        NewPassword::Set(text) => passwords::check_first(app, &state.realm.settings, &user, text, &mut errors).await?,
        NewPassword::None | NewPassword::Temporary => BreachCheck::Off,
    };
    errors.into_result()?;
    let prepared = prepare_password(app, cx.now, password).await?;
    user.requires_password_reset = prepared.as_ref().is_some_and(|(stored, _)| stored.temporary);
    let (stored, temporary_password) = prepared.map_or((None, None), |(stored, text)| (Some(stored), text));
    let (app2, cx2, record) = (app.clone(), cx.clone(), user.clone());
    app.write(cx, move |mut tx| {
        store::users::insert(&mut tx, &record)?;
        let created = cx2
            .user_event(&app2, EventType::UserCreated, &record)
            .detail("username", record.username.as_str())
            .detail("kind", "human");
        let mut more = Vec::new();
        if let Some(password) = &stored {
            store::authenticators::put_password(&mut tx, record.realm_id, record.id, password, cx2.now)?;
            let kind = if password.temporary {
                EventType::UserPasswordTemporaryIssued
            } else {
                EventType::UserPasswordChanged
            };
            more.push(checked.told(cx2.user_event(&app2, kind, &record)));
        }
        Ok(tx.commit(Events::new(created, more), ())?)
    })
    .await?;
    Ok(Created { user, temporary_password, api_key: None })
}

/// Creates a machine with its first API key.
///
/// # Errors
/// When a field is not acceptable or the username is taken.
pub async fn create_machine(app: &App, cx: &Cx, may: May<UsersWrite>, new: NewMachine) -> Result<Created> {
    let state = app.realm_of(may.realm()).await?;
    let mut errors = FieldErrors::new();
    let user = machine(app, cx, &state, new, &mut errors);
    check_attributes(&state, &user, &mut errors);
    errors.into_result()?;
    store_machine(app, cx, &state, user).await
}

/// Creates a machine that need not have the attributes which the realm requires.
pub(crate) async fn create_bare_machine(app: &App, cx: &Cx, may: May<UsersWrite>, new: NewMachine) -> Result<Created> {
    let state = app.realm_of(may.realm()).await?;
    let mut errors = FieldErrors::new();
    let user = machine(app, cx, &state, new, &mut errors);
    errors.into_result()?;
    store_machine(app, cx, &state, user).await
}

/// The record of a machine, checked but for what the realm's definitions say.
pub(crate) fn machine(app: &App, cx: &Cx, state: &RealmState, new: NewMachine, errors: &mut FieldErrors) -> User {
    let mut user = blank(app, cx, &state.realm, UserKind::Machine);
    new.name.trim().clone_into(&mut user.name);
    user.username = given(new.username).unwrap_or_else(|| generated_username(app));
    user.email = given(new.email);
    user.reference = given(new.reference);
    user.attributes = state.attributes.with_defaults(new.attributes);
    check_user(&user, errors);
    user
}

async fn store_machine(app: &App, cx: &Cx, state: &RealmState, user: User) -> Result<Created> {
    let first = NewKey { name: "First key".to_owned(), ..NewKey::default() };
    let Made { key, stored: kept, secret } =
        api_keys::make(app, cx.now, user.id, state.realm.settings.api_key_storage, first);
    let (app2, cx2, record, stored) = (app.clone(), cx.clone(), user.clone(), key.clone());
    app.write(cx, move |mut tx| {
        store::users::insert(&mut tx, &record)?;
        store::api_keys::insert(&mut tx, record.realm_id, &stored, &kept)?;
        let created = cx2
            .user_event(&app2, EventType::UserCreated, &record)
            .detail("username", record.username.as_str())
            .detail("kind", "machine");
        let keyed = cx2
            .user_event(&app2, EventType::ApiKeyCreated, &record)
            .detail("name", stored.name.as_str())
            .detail("hint", stored.hint.as_str());
        Ok(tx.commit(Events::new(created, [keyed]), ())?)
    })
    .await?;
    Ok(Created { user, temporary_password: None, api_key: Some((key, secret)) })
}

fn generated_username(app: &App) -> String {
    let tail: String = app.rng().bytes::<5>().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("machine-{tail}")
}
