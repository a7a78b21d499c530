//! Clients: create, list, read, change, delete, and their secrets.

use denizen_model::{
    ClientRowId, RealmId,
    clients::{Client, ClientType, GrantType},
    events::{EventType, SubjectKind, SubjectRef},
    pages::{Cursor, CursorKey, Page, Total},
    permissions::markers::{ClientsRead, ClientsWrite},
    validation::FieldErrors,
};
use denizen_store::{self as store, Events, ReadTx};
use serde_json::json;

use crate::{
    App, Cx, Error, May, Result,
    crypto::{Prefix, Secret, Token},
    cx::Detail,
};

/// The subject of an event about a client.
pub(crate) fn subject(client: &Client) -> SubjectRef {
    SubjectRef { kind: SubjectKind::Client, id: client.id.to_string(), name: client.client_id.clone() }
}

fn get_in(tx: &mut ReadTx<'_>, realm: RealmId, id: ClientRowId) -> Result<Client> {
    store::clients::find(tx, realm, id)?.ok_or_else(|| Error::not_found("client"))
}

/// A page of clients, by name.
///
/// # Errors
/// When the cursor is of another list.
pub async fn list(
    app: &App,
    _cx: &Cx,
    may: May<ClientsRead>,
    after: Option<Cursor>,
    limit: u32,
) -> Result<Page<Client>> {
    if after.as_ref().is_some_and(|cursor| !matches!(cursor.key, CursorKey::Text(_))) {
        return Err(Error::field("cursor", "This cursor belongs to another list."));
    }
    let realm = may.realm();
    app.db()
        .read(move |tx| {
            let mut rows = store::clients::list(tx, realm, after.as_ref(), limit + 1)?;
            let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
            let more = rows.len() > wanted;
            rows.truncate(wanted);
            let next = rows.last().filter(|_| more).map(|(_, cursor)| cursor.clone());
            let items = rows.into_iter().map(|(client, _)| client).collect();
            Ok(Page { items, next, total: Total::exact(store::clients::count(tx, realm)?) })
        })
        .await
}

/// One client.
///
/// # Errors
/// When there is none of this id.
pub async fn get(app: &App, _cx: &Cx, may: May<ClientsRead>, id: ClientRowId) -> Result<Client> {
    let realm = may.realm();
    app.db().read(move |tx| get_in(tx, realm, id)).await
}

/// A client to be created or what is to be changed about one: `None` takes the default or leaves the field.
#[derive(Debug, Clone, Default)]
pub struct ClientInput {
    /// What it calls itself; made from its id when not given; cannot be changed.
    pub client_id: Option<String>,
    /// What people call it.
    pub name: Option<String>,
    /// Whether it keeps a secret; cannot be changed.
    pub kind: Option<ClientType>,
    /// Where a sign-in may lead back to.
    pub redirect_uris: Option<Vec<String>>,
    /// Where a sign-out may lead to.
    pub post_logout_redirect_uris: Option<Vec<String>>,
    /// Where it is told of the end of its users' sessions; nothing within when it is not.
    pub backchannel_logout_uri: Option<Option<String>>,
    /// Whether it needs the session's id to be told.
    pub backchannel_logout_session_required: Option<bool>,
    /// How it may get tokens.
    pub grant_types: Option<Vec<GrantType>>,
    /// What it may ask for.
    pub scopes: Option<Vec<String>>,
    /// Whether it works at all.
    pub enabled: Option<bool>,
}

impl ClientInput {
    fn apply(self, client: &mut Client) {
        client.name = self.name.map_or_else(|| std::mem::take(&mut client.name), |name| name.trim().to_owned());
        if let Some(uris) = self.redirect_uris {
            client.redirect_uris = uris;
        }
        if let Some(uris) = self.post_logout_redirect_uris {
            client.post_logout_redirect_uris = uris;
        }
        if let Some(uri) = self.backchannel_logout_uri {
            client.backchannel_logout_uri = uri.map(|uri| uri.trim().to_owned()).filter(|uri| !uri.is_empty());
        }
        client.backchannel_logout_session_required =
            self.backchannel_logout_session_required.unwrap_or(client.backchannel_logout_session_required);
        if let Some(grants) = self.grant_types {
            client.grant_types = grants;
        }
        if let Some(scopes) = self.scopes {
            client.scopes = scopes;
        }
        client.enabled = self.enabled.unwrap_or(client.enabled);
    }
}

fn new_secret(app: &App) -> (Secret, String) {
    let token = Token::generate(app.rng(), Prefix::ClientSecret);
    let hash = token.hash();
    (token.into_secret(), hash)
}

/// Creates a client; answers it with its secret, which is shown this once, if it is confidential.
///
/// # Errors
/// When a field is not acceptable or the `client_id` is taken.
pub async fn create(
    app: &App,
    cx: &Cx,
    may: May<ClientsWrite>,
    input: ClientInput,
) -> Result<(Client, Option<Secret>)> {
    let id = ClientRowId::new(cx.now, app.id_bytes());
    let kind = input.kind.unwrap_or(ClientType::Confidential);
    let mut client = Client {
        id,
        realm_id: may.realm(),
        client_id: input
            .client_id
            .clone()
            .map(|id| id.trim().to_owned())
            .filter(|id| !id.is_empty())
            .unwrap_or_else(|| id.to_string()),
        name: String::new(),
        kind,
        secret_hash: None,
        redirect_uris: Vec::new(),
        post_logout_redirect_uris: Vec::new(),
        backchannel_logout_uri: None,
        backchannel_logout_session_required: false,
        grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        scopes: ["openid", "profile", "email"].map(str::to_owned).to_vec(),
        enabled: true,
        created_at: cx.now,
        updated_at: cx.now,
        version: 1,
    };
    input.apply(&mut client);
    let mut errors = FieldErrors::new();
    client.check(&mut errors);
    errors.into_result()?;
    let secret = (kind == ClientType::Confidential).then(|| new_secret(app));
    client.secret_hash = secret.as_ref().map(|(_, hash)| hash.clone());
    let (app2, cx2, record) = (app.clone(), cx.clone(), client.clone());
    app.write_config(cx, move |mut tx| {
        store::clients::insert(&mut tx, &record)?;
        let event = cx2
            .event(&app2, record.realm_id, EventType::ClientCreated, subject(&record))
            .detail("client", facts(&record));
        Ok(tx.commit(Events::from(event), ())?)
    })
    .await?;
    Ok((client, secret.map(|(text, _)| text)))
}

fn facts(client: &Client) -> serde_json::Value {
    json!({
        "name": client.name,
        "type": client.kind,
        "redirect_uris": client.redirect_uris,
        "post_logout_redirect_uris": client.post_logout_redirect_uris,
        "backchannel_logout_uri": client.backchannel_logout_uri,
        "backchannel_logout_session_required": client.backchannel_logout_session_required,
        "grant_types": client.grant_types,
        "scopes": client.scopes,
        "enabled": client.enabled,
    })
}

fn get_own(tx: &mut ReadTx<'_>, realm: RealmId, id: ClientRowId, if_version: Option<i64>) -> Result<Client> {
    let client = get_in(tx, realm, id)?;
    if client.is_builtin() {
        return Err(Error::conflict("built-in-client", "Denizen's own console client cannot be changed."));
    }
    if if_version.is_some_and(|version| version != client.version) {
        return Err(Error::changed());
    }
    Ok(client)
}

/// Changes a client.
///
/// # Errors
/// When a field is not acceptable, or the client was changed in the meantime.
pub async fn update(
    app: &App,
    cx: &Cx,
    may: May<ClientsWrite>,
    id: ClientRowId,
    input: ClientInput,
    if_version: Option<i64>,
) -> Result<Client> {
    let (app2, cx2, realm) = (app.clone(), cx.clone(), may.realm());
    app.write_config(cx, move |mut tx| {
        let before = get_own(&mut tx, realm, id, if_version)?;
        let mut errors = FieldErrors::new();
        if input.client_id.as_ref().is_some_and(|wanted| *wanted != before.client_id) {
            errors.add("client_id", "Cannot be changed.");
        }
        if input.kind.is_some_and(|wanted| wanted != before.kind) {
            errors.add("type", "Cannot be changed.");
        }
        let mut client = before.clone();
        input.clone().apply(&mut client);
        client.check(&mut errors);
        errors.into_result()?;
        if client == before {
            return Ok(tx.unaudited("nothing was changed", client)?);
        }
        if !store::clients::update(&mut tx, &client, cx2.now)? {
            return Err(Error::changed());
        }
        (client.version, client.updated_at) = (before.version + 1, cx2.now);
        let event = cx2
            .event(&app2, realm, EventType::ClientUpdated, subject(&client))
            .detail("before", facts(&before))
            .detail("after", facts(&client));
        Ok(tx.commit(Events::from(event), client)?)
    })
    .await
}

/// Makes a new secret; the old one stops working at once.
///
/// # Errors
/// When the client is public.
pub async fn regenerate_secret(
    app: &App,
    cx: &Cx,
    may: May<ClientsWrite>,
    id: ClientRowId,
) -> Result<(Client, Secret)> {
    let (secret, hash) = new_secret(app);
    let (app2, cx2, realm) = (app.clone(), cx.clone(), may.realm());
    let client = app
        .write_config(cx, move |mut tx| {
            let mut client = get_own(&mut tx, realm, id, None)?;
            if client.kind == ClientType::Public {
                return Err(Error::conflict("public-client", "A public client has no secret."));
            }
            client.secret_hash = Some(hash.clone());
            if !store::clients::update(&mut tx, &client, cx2.now)? {
                return Err(Error::changed());
            }
            (client.version, client.updated_at) = (client.version + 1, cx2.now);
            let event = cx2.event(&app2, realm, EventType::ClientSecretChanged, subject(&client));
            Ok(tx.commit(Events::from(event), client)?)
        })
        .await?;
    Ok((client, secret))
}

/// Deletes a client; its tokens stop being refreshed.
///
/// # Errors
/// When there is none of this id, or it is not in the version that was asked for.
pub async fn delete(
    app: &App,
    cx: &Cx,
    may: May<ClientsWrite>,
    id: ClientRowId,
    if_version: Option<i64>,
) -> Result<()> {
    let (app2, cx2, realm) = (app.clone(), cx.clone(), may.realm());
    app.write_config(cx, move |mut tx| {
        let client = get_own(&mut tx, realm, id, if_version)?;
        store::clients::delete(&mut tx, realm, id)?;
        let event = cx2.event(&app2, realm, EventType::ClientDeleted, subject(&client));
        Ok(tx.commit(Events::from(event), ())?)
    })
    .await
}
