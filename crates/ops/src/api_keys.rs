//! API keys: made, listed, shown, regenerated, deleted; and the administrator behind one.

use std::time::Duration;

use denizen_model::{
    ApiKeyId, Timestamp, UserId,
    authenticators::ApiKey,
    events::{EventType, NewEvent},
    permissions::{
        AdminRole, Permission, PermissionSet,
        markers::{CredentialsReveal, CredentialsSet, UsersRead},
    },
    realms::ApiKeyStorage,
    users::{NewMachine, User, UserKind},
    validation::FieldErrors,
};
use denizen_store::{self as store, Events, ReadTx, api_keys::StoredKey};
use serde_json::json;

use crate::{
    Administrator, App, Cx, Error, May, Result, admins,
    crypto::{Prefix, Secret, Token, hash_token},
    cx::Detail,
    users::{Created, get_in},
};

/// How exactly the last use of a key is kept.
const USED_EVERY: Duration = Duration::from_secs(60);

/// A key that was made but not yet stored.
pub(crate) struct Made {
    pub(crate) key: ApiKey,
    pub(crate) stored: StoredKey,
    /// The key's text, for its holder.
    pub(crate) secret: Secret,
}

/// What is asked of a new key.
#[derive(Debug, Clone, Default)]
pub struct NewKey {
    /// What it is for.
    pub name: String,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
    /// What it may be used for; empty is everything that its machine holds.
    pub scopes: Vec<Permission>,
}

/// A new key for a user, kept as the realm's settings say.
pub(crate) fn make(app: &App, now: Timestamp, user: UserId, storage: ApiKeyStorage, new: NewKey) -> Made {
    let id = ApiKeyId::new(now, app.id_bytes());
    let (hint, stored, secret) = make_secret(app, id, storage);
    let NewKey { name, expires_at, mut scopes } = new;
    scopes.sort_unstable();
    scopes.dedup();
    let sealed = stored.sealed.is_some();
    let key = ApiKey { id, user_id: user, name, hint, created_at: now, last_used_at: None, expires_at, scopes, sealed };
    Made { key, stored, secret }
}

/// A secret: its first characters, what is kept of it, its text.
fn make_secret(app: &App, id: ApiKeyId, storage: ApiKeyStorage) -> (String, StoredKey, Secret) {
    let token = Token::generate(app.rng(), Prefix::ApiKey);
    let hint: String = token.expose().chars().take(9).collect();
    let sealed = match storage {
        ApiKeyStorage::Hashed => None,
        ApiKeyStorage::Encrypted => Some(app.sealer().seal(&purpose(id), token.expose())),
    };
    let stored = StoredKey { hash: token.hash(), sealed };
    (hint, stored, token.into_secret())
}

/// Seals a key for itself alone: no other row can hold it.
fn purpose(id: ApiKeyId) -> String {
    format!("api_keys.sealed:{id}")
}

fn get_key(tx: &mut ReadTx<'_>, user: &User, id: ApiKeyId) -> Result<ApiKey> {
    store::api_keys::find(tx, user.realm_id, user.id, id)?.ok_or_else(|| Error::not_found("API key"))
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

/// Makes a key for a machine; its text is the answer.
///
/// # Errors
/// When the user is a person, or a field is not acceptable.
pub async fn create(
    app: &App,
    cx: &Cx,
    may: May<CredentialsSet>,
    user: UserId,
    new: NewKey,
) -> Result<(ApiKey, Secret)> {
    let mut errors = FieldErrors::new();
    errors.required_line("name", &new.name, 100);
    if new.expires_at.is_some_and(|at| at <= cx.now) {
        errors.add("expires_at", "Must be in the future.");
    }
    errors.into_result()?;
    let storage = app.realm_of(may.realm()).await?.realm.settings.api_key_storage;
    let new = NewKey { name: new.name.trim().to_owned(), ..new };
    let Made { key, stored, secret } = make(app, cx.now, user, storage, new);
    let (app2, cx2, realm, record) = (app.clone(), cx.clone(), may.realm(), key.clone());
    app.write(cx, move |mut tx| {
        let user = get_in(&mut tx, realm, user)?;
        admins::check_power_over(&mut tx, &cx2, &user)?;
        if user.kind != UserKind::Machine {
            return Err(Error::conflict("human", "API keys are for machines. Create a machine for this purpose."));
        }
        store::api_keys::insert(&mut tx, realm, &record, &stored)?;
        let event = key_event(&app2, &cx2, EventType::ApiKeyCreated, &user, &record);
        Ok(tx.commit(Events::from(event.detail("scopes", json!(record.scopes))), ())?)
    })
    .await?;
    Ok((key, secret))
}

fn key_event(app: &App, cx: &Cx, kind: EventType, user: &User, key: &ApiKey) -> NewEvent {
    cx.user_event(app, kind, user)
        .detail("api_key_id", key.id.to_string())
        .detail("name", key.name.as_str())
        .detail("hint", key.hint.as_str())
}

/// Gives a key a new secret in place of the old one, which stops working in the same moment. Name, scopes and
/// expiry stay.
///
/// # Errors
/// When the user has no such key, or it has expired.
pub async fn regenerate(
    app: &App,
    cx: &Cx,
    may: May<CredentialsSet>,
    user: UserId,
    id: ApiKeyId,
) -> Result<(ApiKey, Secret)> {
    let storage = app.realm_of(may.realm()).await?.realm.settings.api_key_storage;
    let (hint, stored, secret) = make_secret(app, id, storage);
    let (app2, cx2, realm) = (app.clone(), cx.clone(), may.realm());
    let key = app
        .write(cx, move |mut tx| {
            let user = get_in(&mut tx, realm, user)?;
            admins::check_power_over(&mut tx, &cx2, &user)?;
            let old = get_key(&mut tx, &user, id)?;
            if old.expires_at.is_some_and(|at| at <= cx2.now) {
                return Err(Error::conflict(
                    "expired",
                    "This key has expired, and so would a new one. Create another.",
                ));
            }
            let sealed = stored.sealed.is_some();
            let key = ApiKey { hint: hint.clone(), last_used_at: None, sealed, ..old.clone() };
            if !store::api_keys::replace(&mut tx, realm, &key, &stored)? {
                return Err(Error::not_found("API key"));
            }
            let event = key_event(&app2, &cx2, EventType::ApiKeyRegenerated, &user, &key).detail("old_hint", old.hint);
            Ok(tx.commit(Events::from(event), key)?)
        })
        .await?;
    Ok((key, secret))
}

/// Shows a key that was made before, where the realm keeps keys for that.
///
/// # Errors
/// When the user has no such key, it was not kept, or the user holds more than the actor.
pub async fn reveal(app: &App, cx: &Cx, may: May<CredentialsReveal>, user: UserId, id: ApiKeyId) -> Result<Secret> {
    let (app2, cx2, realm) = (app.clone(), cx.clone(), may.realm());
    app.write(cx, move |mut tx| {
        let user = get_in(&mut tx, realm, user)?;
        admins::check_power_over(&mut tx, &cx2, &user)?;
        let key = get_key(&mut tx, &user, id)?;
        let sealed = store::api_keys::find_sealed(&mut tx, realm, user.id, id)?;
        // The settings are read here and not from a cache: hashed means never shown, from that moment on.
        let settings = store::realms::get(&mut tx, realm)?.settings;
        let Some(sealed) = sealed.filter(|_| settings.api_key_storage == ApiKeyStorage::Encrypted) else {
            return Err(Error::conflict(
                "not-kept",
                "Only the hash of this key is kept, so it cannot be shown. Regenerate it to have a new one.",
            ));
        };
        let opened = app2.sealer().open(&purpose(id), &sealed);
        let text = opened.ok().and_then(|bytes| std::str::from_utf8(&bytes).ok().map(Secret::from));
        let secret = text.ok_or_else(|| Error::internal(format!("the sealed API key {id} cannot be opened")))?;
        let event = key_event(&app2, &cx2, EventType::ApiKeyRevealed, &user, &key);
        Ok(tx.commit(Events::from(event), secret)?)
    })
    .await
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
        let key = get_key(&mut tx, &user, id)?;
        store::api_keys::delete(&mut tx, realm, user.id, id)?;
        let event = key_event(&app2, &cx2, EventType::ApiKeyDeleted, &user, &key);
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
            if key.expires_at.is_some_and(|at| at <= now) {
                return Ok(None);
            }
            let Some(user) = store::users::find_anywhere(tx, key.user_id)?.filter(|user| user.enabled) else {
                return Ok(None);
            };
            let live = store::realms::find(tx, user.realm_id)?.is_some_and(|realm| realm.enabled);
            if !live {
                return Ok(None);
            }
            let mut admin = admins::administrator_in(tx, &user, None, None)?;
            if !key.scopes.is_empty() {
                admin.scopes = Some(PermissionSet::of(&key.scopes));
            }
            Ok(Some((admin, key)))
        })
        .await?;
    let Some((admin, key)) = found else { return Ok(None) };
    if key.last_used_at.is_none_or(|at| now.since(at) >= USED_EVERY) {
        app.db()
            .write(move |mut tx| {
                store::api_keys::note_used(&mut tx, key.id, now, now.minus(USED_EVERY))?;
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
    // What definitions require of a machine cannot be said on the command line.
    let Created { user, api_key, .. } = crate::users::create_bare_machine(app, cx, cx.may(id)?, machine).await?;
    let everywhere = state.realm.slug == denizen_model::realms::MAIN_REALM && role == AdminRole::Owner;
    admins::grant(app, cx, cx.may(id)?, user.id, role, everywhere).await?;
    api_key.map(|(_, secret)| secret).ok_or_else(|| Error::internal("a machine without a key"))
}
