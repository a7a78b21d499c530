//! Realms: create, list, read, rename, disable, delete, and their settings (PRODUCT §2).

use std::{collections::HashMap, sync::Arc};

use denizen_model::{
    ClientRowId, RealmId,
    attribute_definitions::AttributeDefinitions,
    clients::{CONSOLE_CLIENT, Client, ClientType, GrantType},
    events::EventType,
    permissions::markers::{RealmsManage, SettingsRead, SettingsWrite},
    realms::{ApiKeyStorage, MAIN_REALM, Realm, RealmSettings},
    validation::{FieldErrors, check_slug},
};
use denizen_store::{self as store, Events, WriteTx};
use serde_json::json;
use tokio::sync::RwLock;

use crate::{
    Actor, App, Cx, Error, May, Result,
    cx::{Detail, realm_subject},
    messages::OwnTexts,
    signing_keys::{self, KeyRing, PreparedKey},
};

/// A realm with what its requests need at hand: keys ready to sign, clients already read.
#[derive(Debug)]
pub struct RealmState {
    /// The realm.
    pub realm: Realm,
    /// Its issuer identifier (OpenID Connect Discovery): `{public_url}/realms/{slug}`.
    pub issuer: String,
    /// What custom attributes its users have.
    pub attributes: AttributeDefinitions,
    /// How it words messages itself.
    pub(crate) texts: Arc<OwnTexts>,
    /// Its keys.
    pub(crate) keys: KeyRing,
    pub(crate) epoch: Option<u64>,
    clients: RwLock<HashMap<String, Arc<Client>>>,
}

/// A cache never grows past this; beyond it the least lucky are read again.
const MAX_CACHED_CLIENTS: usize = 10_000;

impl RealmState {
    pub(crate) async fn load(app: &App, slug: &str, epoch: Option<u64>) -> Result<Self> {
        let name = slug.to_owned();
        let (realm, stored, attributes, texts) = app
            .db()
            .read(move |tx| {
                let realm = store::realms::find_by_slug(tx, &name)?.ok_or_else(|| Error::not_found("realm"))?;
                let keys = store::keys::list_signing_keys(tx, realm.id)?;
                let attributes = store::attribute_definitions::list(tx, realm.id)?;
                let texts = store::message_templates::list(tx, realm.id)?;
                Ok::<_, Error>((realm, keys, attributes, texts))
            })
            .await?;
        let keys = KeyRing::open(app, stored)?;
        let issuer = format!("{}/realms/{}", app.public_url(), realm.slug);
        let attributes = AttributeDefinitions::new(attributes);
        let texts = Arc::new(OwnTexts::new(texts));
        Ok(Self { realm, issuer, attributes, texts, keys, epoch, clients: RwLock::default() })
    }

    /// The enabled client that calls itself so, if there is one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn client(&self, app: &App, client_id: &str) -> Result<Option<Arc<Client>>> {
        let cached = self.epoch.is_some();
        if cached && let Some(client) = self.clients.read().await.get(client_id) {
            return Ok(Some(client.clone()));
        }
        let (realm, name) = (self.realm.id, client_id.to_owned());
        let found =
            app.db().peek(move |tx| Ok::<_, Error>(store::clients::find_by_client_id(tx, realm, &name)?)).await?;
        let Some(client) = found.filter(|client| client.enabled).map(Arc::new) else { return Ok(None) };
        if cached {
            let mut clients = self.clients.write().await;
            if clients.len() >= MAX_CACHED_CLIENTS {
                clients.clear();
            }
            clients.insert(client_id.to_owned(), client.clone());
        }
        Ok(Some(client))
    }

    /// The realm's public keys as a JWK set (RFC 7517, section 5).
    #[must_use]
    pub fn jwks(&self) -> serde_json::Value {
        self.keys.jwks()
    }
}

/// The realm that a proof of permission is for.
pub(crate) async fn get_in_scope(app: &App, id: RealmId) -> Result<Realm> {
    app.db().peek(move |tx| store::realms::find(tx, id)?.ok_or_else(|| Error::not_found("realm"))).await
}

fn new_realm(app: &App, cx: &Cx, slug: &str, display_name: &str) -> Realm {
    Realm {
        id: RealmId::new(cx.now, app.id_bytes()),
        slug: slug.to_owned(),
        display_name: display_name.to_owned(),
        enabled: true,
        settings: RealmSettings::default(),
        created_at: cx.now,
        updated_at: cx.now,
        version: 1,
    }
}

/// The client by which the console signs administrators in. It is a public client: its code is exchanged on the
/// server, bound to the browser by PKCE.
fn console_client(app: &App, cx: &Cx, realm: RealmId) -> Client {
    Client {
        id: ClientRowId::new(cx.now, app.id_bytes()),
        realm_id: realm,
        client_id: CONSOLE_CLIENT.to_owned(),
        name: "Denizen console".to_owned(),
        kind: ClientType::Public,
        secret_hash: None,
        redirect_uris: vec![format!("{}/admin/callback", app.public_url())],
        post_logout_redirect_uris: vec![format!("{}/admin", app.public_url())],
        backchannel_logout_uri: None,
        backchannel_logout_session_required: false,
        grant_types: vec![GrantType::AuthorizationCode],
        scopes: vec!["openid".to_owned()],
        enabled: true,
        created_at: cx.now,
        updated_at: cx.now,
        version: 1,
    }
}

fn insert(tx: &mut WriteTx<'_>, cx: &Cx, realm: &Realm, client: &Client, key: &PreparedKey) -> Result<()> {
    store::realms::insert(tx, realm)?;
    store::clients::insert(tx, client)?;
    store::keys::insert_signing_key(tx, realm.id, &key.stored(1, cx.now, cx.now))?;
    Ok(())
}

/// Makes the main realm on a first start, and keeps the console's redirect URI in step with the public address.
pub(crate) async fn ensure_main(app: &App) -> Result<()> {
    let cx = Cx::system(app, "first start");
    let existing = app.db().read(|tx| Ok::<_, Error>(store::realms::find_by_slug(tx, MAIN_REALM)?)).await?;
    if existing.is_none() {
        let realm = new_realm(app, &cx, MAIN_REALM, "Main");
        let client = console_client(app, &cx, realm.id);
        let key = signing_keys::generate(app).await?;
        let (app2, cx2) = (app.clone(), cx.clone());
        let made = app
            .write_config(&cx, move |mut tx| {
                insert(&mut tx, &cx2, &realm, &client, &key)?;
                let event = cx2.event(&app2, realm.id, EventType::RealmCreated, realm_subject(&realm));
                Ok(tx.commit(Events::from(event), ())?)
            })
            .await;
        // Another node may have made it at the same moment.
        if let Err(error) = made {
            app.db().read(move |tx| store::realms::find_by_slug(tx, MAIN_REALM)?.ok_or_else(|| error.clone())).await?;
        }
    }
    renew_console_clients(app, &cx).await
}

async fn renew_console_clients(app: &App, cx: &Cx) -> Result<()> {
    // The command line has no public address and must not change anyone's.
    if app.public_url().is_empty() {
        return Ok(());
    }
    let realms = app.db().read(|tx| Ok::<_, Error>(store::realms::list(tx)?)).await?;
    for realm in realms {
        let id = realm.id;
        let stored =
            app.db().read(move |tx| Ok::<_, Error>(store::clients::find_by_client_id(tx, id, CONSOLE_CLIENT)?)).await?;
        let wanted = console_client(app, cx, id);
        let Some(mut client) = stored.filter(|client| client.redirect_uris != wanted.redirect_uris) else { continue };
        client.redirect_uris = wanted.redirect_uris;
        client.post_logout_redirect_uris = wanted.post_logout_redirect_uris;
        let (app2, cx2) = (app.clone(), cx.clone());
        app.write_config(cx, move |mut tx| {
            // Another node with the same address may have been first; then there is nothing left to do.
            let stored = store::clients::update(&mut tx, &client, cx2.now)?;
            let subject = crate::clients::subject(&client);
            let event = cx2
                .event(&app2, id, EventType::ClientUpdated, subject)
                .detail("redirect_uris", client.redirect_uris.clone());
            if stored { Ok(tx.commit(Events::from(event), ())?) } else { Ok(tx.unaudited("nothing was changed", ())?) }
        })
        .await?;
    }
    Ok(())
}

/// The realms the actor administers, by name.
///
/// # Errors
/// When nobody is signed in.
pub async fn list(app: &App, cx: &Cx) -> Result<Vec<Realm>> {
    let everything = matches!(cx.actor, Actor::System(_));
    if !everything {
        cx.administrator()?;
    }
    let realms = app.db().read(|tx| Ok::<_, Error>(store::realms::list(tx)?)).await?;
    let none = denizen_model::permissions::PermissionSet::NONE;
    Ok(realms.into_iter().filter(|realm| everything || cx.holds(realm.id) != none).collect())
}

/// The realm whose people can sign in, where there is only one: an address that names none leads there.
///
/// # Errors
/// When the database fails.
pub async fn find_only(app: &App) -> Result<Option<Realm>> {
    let realms = app.db().peek(|tx| Ok::<_, Error>(store::realms::list(tx)?)).await?;
    let mut enabled = realms.into_iter().filter(|realm| realm.enabled);
    Ok(enabled.next().filter(|_| enabled.next().is_none()))
}

/// The realm of a proof.
///
/// # Errors
/// When it was deleted.
pub async fn get(app: &App, _cx: &Cx, may: May<SettingsRead>) -> Result<Realm> {
    get_in_scope(app, may.realm()).await
}

/// Creates a realm. The proof must be for the main realm.
///
/// # Errors
/// When the name is not acceptable or taken.
pub async fn create(app: &App, cx: &Cx, may: May<RealmsManage>, slug: &str, display_name: &str) -> Result<Realm> {
    check_main(app, may.realm()).await?;
    let mut errors = FieldErrors::new();
    if let Err(message) = check_slug(slug) {
        errors.add("slug", message);
    }
    errors.required_line("display_name", display_name, 100);
    errors.into_result()?;
    let realm = new_realm(app, cx, slug, display_name.trim());
    let client = console_client(app, cx, realm.id);
    let key = signing_keys::generate(app).await?;
    let (app2, cx2, stored) = (app.clone(), cx.clone(), realm.clone());
    app.write_config(cx, move |mut tx| {
        insert(&mut tx, &cx2, &stored, &client, &key)?;
        let event = |realm| cx2.event(&app2, realm, EventType::RealmCreated, realm_subject(&stored));
        // Both the new realm's log and the main realm's say so.
        Ok(tx.commit(Events::new(event(stored.id), [event(may.realm())]), ())?)
    })
    .await?;
    Ok(realm)
}

async fn check_main(app: &App, realm: RealmId) -> Result<()> {
    if app.main_realm().await?.realm.id == realm {
        Ok(())
    } else {
        Err(Error::refused("Only owners of the realm main manage realms."))
    }
}

/// What is changed about a realm: `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct RealmPatch {
    /// The name in URLs.
    pub slug: Option<String>,
    /// The name for people.
    pub display_name: Option<String>,
    /// Whether people can sign in.
    pub enabled: Option<bool>,
}

/// Renames, enables or disables a realm. The proof must be for the main realm.
///
/// # Errors
/// When a name is not acceptable or taken, or the realm is `main` and would be renamed or disabled.
pub async fn update(
    app: &App,
    cx: &Cx,
    may: May<RealmsManage>,
    id: RealmId,
    patch: RealmPatch,
    if_version: Option<i64>,
) -> Result<Realm> {
    check_main(app, may.realm()).await?;
    let (app2, cx2) = (app.clone(), cx.clone());
    app.write_config(cx, move |mut tx| {
        let before = store::realms::find(&mut tx, id)?.ok_or_else(|| Error::not_found("realm"))?;
        if if_version.is_some_and(|version| version != before.version) {
            return Err(Error::changed());
        }
        let mut realm = before.clone();
        let mut errors = FieldErrors::new();
        realm.slug = patch.slug.clone().unwrap_or(realm.slug);
        realm.display_name = patch.display_name.as_deref().map_or(realm.display_name, |name| name.trim().to_owned());
        realm.enabled = patch.enabled.unwrap_or(realm.enabled);
        if let Err(message) = check_slug(&realm.slug) {
            errors.add("slug", message);
        }
        errors.required_line("display_name", &realm.display_name, 100);
        if before.slug == MAIN_REALM && (realm.slug != MAIN_REALM || !realm.enabled) {
            errors.add("slug", "The realm main keeps its name and stays enabled.");
        }
        errors.into_result()?;
        if realm == before {
            return Ok(tx.unaudited("nothing was changed", realm)?);
        }
        if !store::realms::update(&mut tx, &realm, cx2.now)? {
            return Err(Error::changed());
        }
        let names =
            |realm: &Realm| json!({"slug": realm.slug, "display_name": realm.display_name, "enabled": realm.enabled});
        let event = |log| {
            cx2.event(&app2, log, EventType::RealmUpdated, realm_subject(&realm))
                .detail("before", names(&before))
                .detail("after", names(&realm))
        };
        let (own, main) = (event(id), (id != may.realm()).then(|| event(may.realm())));
        let changed = Realm { updated_at: cx2.now, version: before.version + 1, ..realm.clone() };
        Ok(tx.commit(Events::new(own, main), changed)?)
    })
    .await
}

/// Deletes a realm with everyone in it. It is out of reach at once; its rows go in the background.
///
/// # Errors
/// When the realm is `main`, or not in the version that was asked for.
pub async fn delete(app: &App, cx: &Cx, may: May<RealmsManage>, id: RealmId, if_version: Option<i64>) -> Result<()> {
    check_main(app, may.realm()).await?;
    if id == may.realm() {
        return Err(Error::conflict("main-realm", "The realm main cannot be deleted."));
    }
    let (app2, cx2) = (app.clone(), cx.clone());
    app.write_config(cx, move |mut tx| {
        let realm = store::realms::find(&mut tx, id)?.ok_or_else(|| Error::not_found("realm"))?;
        if if_version.is_some_and(|version| version != realm.version) {
            return Err(Error::changed());
        }
        store::realms::mark_deleted(&mut tx, id, cx2.now)?;
        let event = cx2.event(&app2, may.realm(), EventType::RealmDeleted, realm_subject(&realm));
        Ok(tx.commit(Events::from(event), ())?)
    })
    .await
}

/// Changes a realm's settings and the name people see.
///
/// # Errors
/// When a value is out of bounds, or the settings were changed in the meantime.
pub async fn update_settings(
    app: &App,
    cx: &Cx,
    may: May<SettingsWrite>,
    display_name: Option<String>,
    settings: RealmSettings,
    if_version: Option<i64>,
) -> Result<Realm> {
    let (app2, cx2, id) = (app.clone(), cx.clone(), may.realm());
    app.write_config(cx, move |mut tx| {
        let before = store::realms::find(&mut tx, id)?.ok_or_else(|| Error::not_found("realm"))?;
        if if_version.is_some_and(|version| version != before.version) {
            return Err(Error::changed());
        }
        let mut realm = before.clone();
        realm.settings = settings.clone();
        realm.display_name = display_name.as_deref().map_or(realm.display_name, |name| name.trim().to_owned());
        let mut errors = FieldErrors::new();
        realm.settings.check(&mut errors);
        errors.required_line("display_name", &realm.display_name, 100);
        errors.into_result()?;
        if realm == before {
            return Ok(tx.unaudited("nothing was changed", realm)?);
        }
        if !store::realms::update(&mut tx, &realm, cx2.now)? {
            return Err(Error::changed());
        }
        let storage = |realm: &Realm| realm.settings.api_key_storage;
        let forgotten = match (storage(&before), storage(&realm)) {
            // Hashed means that no key can be shown: what was kept for that goes now.
            (ApiKeyStorage::Encrypted, ApiKeyStorage::Hashed) => store::api_keys::forget_sealed(&mut tx, id)?,
            _ => 0,
        };
        let facts = |realm: &Realm| json!({"display_name": realm.display_name, "settings": realm.settings});
        let mut event = cx2
            .event(&app2, id, EventType::SettingsUpdated, realm_subject(&realm))
            .detail("before", facts(&before))
            .detail("after", facts(&realm));
        if forgotten > 0 {
            event = event.detail("api_keys_forgotten", forgotten);
        }
        let changed = Realm { updated_at: cx2.now, version: before.version + 1, ..realm };
        Ok(tx.commit(Events::from(event), changed)?)
    })
    .await
}
