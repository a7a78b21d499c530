//! API keys: made, listed, deleted; and the administrator behind one.

use std::time::Duration;

use denizen_model::{
    ApiKeyId, Timestamp, UserId,
    authenticators::ApiKey,
    events::EventType,
    permissions::{
        AdminRole,
        markers::{CredentialsSet, UsersRead},
    },
    users::{NewMachine, UserKind},
    validation::FieldErrors,
};
use denizen_store::{self as store, Events};

use crate::{
    Administrator, App, Cx, Error, May, Result, admins,
    crypto::{Prefix, Secret, Token, hash_token},
    cx::Detail,
    users::{Created, get_in},
};

/// How exactly the last use of a key is kept.
const USED_EVERY: Duration = Duration::from_secs(60);

/// A new key: its record, its text for its holder, its hash for the database.
pub(crate) fn make(
    app: &App,
    now: Timestamp,
    user: UserId,
    name: &str,
    expires_at: Option<Timestamp>,
) -> (ApiKey, Secret, String) {
    let token = Token::generate(app.rng(), Prefix::ApiKey);
    let hint: String = token.expose().chars().take(9).collect();
    let key = ApiKey {
        id: ApiKeyId::new(now, app.id_bytes()),
        user_id: user,
        name: name.to_owned(),
        hint,
        created_at: now,
        last_used_at: None,
        expires_at,
    };
    let hash = token.hash();
    (key, token.into_secret(), hash)
}

/// The keys of a machine.
///
/// # Errors
/// When there is no such user.
pub async fn list(app: &App, _cx: &Cx, may: May<UsersRead>, user: UserId) -> Result<Vec<ApiKey>> {
    let realm = may.realm();
    app.db()
        .read(move |tx| {
            get_in(tx, realm, user)?;
            Ok(store::api_keys::list(tx, realm, user)?)
        })
        .await
}

/// Makes a key for a machine; its text is shown this once.
///
/// # Errors
/// When the user is a person, or a field is not acceptable.
pub async fn create(
    app: &App,
    cx: &Cx,
    may: May<CredentialsSet>,
    user: UserId,
    name: &str,
    expires_at: Option<Timestamp>,
) -> Result<(ApiKey, Secret)> {
    let mut errors = FieldErrors::new();
    errors.required_line("name", name, 100);
    if expires_at.is_some_and(|at| at <= cx.now) {
        errors.add("expires_at", "Must be in the future.");
    }
    errors.into_result()?;
    let (key, secret, hash) = make(app, cx.now, user, name.trim(), expires_at);
    let (app2, cx2, realm, record) = (app.clone(), cx.clone(), may.realm(), key.clone());
    app.write(cx, move |mut tx| {
        let user = get_in(&mut tx, realm, user)?;
        admins::check_power_over(&mut tx, &cx2, &user)?;
        if user.kind != UserKind::Machine {
            return Err(Error::conflict("human", "API keys are for machines. Create a machine for this purpose."));
        }
        store::api_keys::insert(&mut tx, realm, &record, &hash)?;
        let event = cx2
            .user_event(&app2, EventType::ApiKeyCreated, &user)
            .detail("name", record.name.as_str())
            .detail("hint", record.hint.as_str());
        Ok(tx.commit(Events::from(event), ())?)
    })
    .await?;
    Ok((key, secret))
}

/// Deletes a key; it stops working at once.
///
/// # Errors
/// When the user has no such key.
pub async fn delete(app: &App, cx: &Cx, may: May<CredentialsSet>, user: UserId, id: ApiKeyId) -> Result<()> {
    let (app2, cx2, realm) = (app.clone(), cx.clone(), may.realm());
    app.write(cx, move |mut tx| {
        let user = get_in(&mut tx, realm, user)?;
        admins::check_power_over(&mut tx, &cx2, &user)?;
        let keys = store::api_keys::list(&mut tx, realm, user.id)?;
        let key = keys.into_iter().find(|key| key.id == id).ok_or_else(|| Error::not_found("API key"))?;
        store::api_keys::delete(&mut tx, realm, user.id, id)?;
        let event =
            cx2.user_event(&app2, EventType::ApiKeyDeleted, &user).detail("name", key.name).detail("hint", key.hint);
        Ok(tx.commit(Events::from(event), ())?)
    })
    .await
}

/// The administrator behind an API key; nobody when the key is unknown or expired or its machine disabled.
///
/// # Errors
/// When the database fails.
pub async fn find_administrator(app: &App, key: &str, now: Timestamp) -> Result<Option<Administrator>> {
    if Token::parse(key, Prefix::ApiKey).is_none() {
        return Ok(None);
    }
    let hash = hash_token(key);
    let found = app
        .db()
        .peek(move |tx| {
            let Some(key) = store::api_keys::find_by_hash(tx, &hash)? else { return Ok::<_, Error>(None) };
            if key.is_expired(now) {
                return Ok(None);
            }
            let Some(user) = store::users::find_anywhere(tx, key.user_id)?.filter(|user| user.enabled) else {
                return Ok(None);
            };
            let live = store::realms::find(tx, user.realm_id)?.is_some_and(|realm| realm.enabled);
            if live { Ok(Some((admins::administrator_in(tx, &user, None, None)?, key))) } else { Ok(None) }
        })
        .await?;
    let Some((admin, key)) = found else { return Ok(None) };
    if key.last_used_at.is_none_or(|at| now.since(at) >= USED_EVERY) {
        app.db()
            .write(move |mut tx| {
                store::api_keys::note_used(&mut tx, key.id, now)?;
                Ok::<_, Error>(tx.unaudited("the last use of a key is no event", ())?)
            })
            .await?;
    }
    Ok(Some(admin))
}

/// Makes a machine with an admin role and a key: `denizen key create` on the machine that holds the database.
///
/// # Errors
/// When a field is not acceptable.
pub async fn create_for_scripts(app: &App, cx: &Cx, realm: &str, name: &str, role: AdminRole) -> Result<Secret> {
    let state = app.realm(realm).await?;
    let id = state.realm.id;
    let machine = NewMachine { name: name.to_owned(), ..NewMachine::default() };
    let Created { user, api_key, .. } = crate::users::create_machine(app, cx, cx.may(id)?, machine).await?;
    let everywhere = state.realm.slug == denizen_model::realms::MAIN_REALM && role == AdminRole::Owner;
    admins::grant(app, cx, cx.may(id)?, user.id, role, everywhere).await?;
    api_key.map(|(_, secret)| secret).ok_or_else(|| Error::internal("a machine without a key"))
}
