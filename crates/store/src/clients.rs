//! Clients.

use denizen_model::{
    ClientRowId, RealmId, Timestamp,
    clients::{Client, ClientType, GrantType},
    pages::{Cursor, CursorKey},
    text::fold,
};

use crate::{
    error::{Error, Result},
    sql::statements,
    tx::{ReadTx, WriteTx},
    value::{Row, params, to_json},
};

macro_rules! columns {
    () => {
        "id, realm_id, client_id, name, kind, secret_hash, redirect_uris, post_logout_redirect_uris, \
         backchannel_logout_uri, backchannel_logout_session_required, grant_types, scopes, enabled, created_at, updated_at, version"
    };
}

statements! {
    INSERT = "INSERT INTO clients (id, realm_id, client_id, name, name_key, kind, secret_hash, redirect_uris, post_logout_redirect_uris, grant_types, scopes, enabled, created_at, updated_at, version, backchannel_logout_uri, backchannel_logout_session_required) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";
    UPDATE = "UPDATE clients SET name = ?4, name_key = ?5, kind = ?6, secret_hash = ?7, redirect_uris = ?8, post_logout_redirect_uris = ?9, grant_types = ?10, scopes = ?11, enabled = ?12, updated_at = ?13, backchannel_logout_uri = ?14, backchannel_logout_session_required = ?15, version = version + 1 WHERE realm_id = ?1 AND id = ?2 AND version = ?3";
    DELETE = "DELETE FROM clients WHERE realm_id = ?1 AND id = ?2";
    FIND = concat!("SELECT ", columns!(), " FROM clients WHERE realm_id = ?1 AND id = ?2");
    FIND_BY_CLIENT_ID = concat!("SELECT ", columns!(), " FROM clients WHERE realm_id = ?1 AND client_id = ?2");
    LIST = concat!("SELECT ", columns!(), ", name_key FROM clients WHERE realm_id = ?1 AND (name_key, id) > (?2, ?3) ORDER BY name_key, id LIMIT ?4");
    COUNT = "SELECT count(*) AS clients FROM clients WHERE realm_id = ?1";
}

fn read_client(row: &Row<'_>) -> Result<Client> {
    let id = row.parse("id")?;
    let realm_id = row.parse("realm_id")?;
    let client_id = row.text("client_id")?;
    let name = row.text("name")?;
    let kind = row.named("kind", ClientType::from_name)?;
    let secret_hash = row.opt_text("secret_hash")?;
    let redirect_uris = row.json("redirect_uris")?;
    let post_logout_redirect_uris = row.json("post_logout_redirect_uris")?;
    let grant_types: Vec<GrantType> = row.json("grant_types")?;
    Ok(Client {
        id,
        realm_id,
        client_id,
        name,
        kind,
        secret_hash,
        redirect_uris,
        post_logout_redirect_uris,
        backchannel_logout_uri: row.opt_text("backchannel_logout_uri")?,
        backchannel_logout_session_required: row.bool("backchannel_logout_session_required")?,
        grant_types,
        scopes: row.json("scopes")?,
        enabled: row.bool("enabled")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        version: row.i64("version")?,
    })
}

/// Stores a new client.
///
/// # Errors
/// Constraint `clients_client_id` when the `client_id` is taken.
pub fn insert(tx: &mut WriteTx<'_>, client: &Client) -> Result<()> {
    tx.execute(
        &INSERT,
        params![
            client.id,
            client.realm_id,
            &client.client_id,
            &client.name,
            fold(&client.name),
            client.kind.as_str(),
            &client.secret_hash,
            to_json(&client.redirect_uris)?,
            to_json(&client.post_logout_redirect_uris)?,
            to_json(&client.grant_types)?,
            to_json(&client.scopes)?,
            client.enabled,
            client.created_at,
            client.updated_at,
            client.version,
            &client.backchannel_logout_uri,
            client.backchannel_logout_session_required,
        ],
    )
    .map(drop)
}

/// Stores a changed client, if nobody changed it since it was read. Answers whether it was stored.
///
/// # Errors
/// When the database fails.
pub fn update(tx: &mut WriteTx<'_>, client: &Client, now: Timestamp) -> Result<bool> {
    let changed = tx.execute(
        &UPDATE,
        params![
            client.realm_id,
            client.id,
            client.version,
            &client.name,
            fold(&client.name),
            client.kind.as_str(),
            &client.secret_hash,
            to_json(&client.redirect_uris)?,
            to_json(&client.post_logout_redirect_uris)?,
            to_json(&client.grant_types)?,
            to_json(&client.scopes)?,
            client.enabled,
            now,
            &client.backchannel_logout_uri,
            client.backchannel_logout_session_required,
        ],
    )?;
    Ok(changed == 1)
}

/// Removes a client. Answers whether there was one.
///
/// # Errors
/// When the database fails.
pub fn delete(tx: &mut WriteTx<'_>, realm: RealmId, id: ClientRowId) -> Result<bool> {
    Ok(tx.execute(&DELETE, params![realm, id])? == 1)
}

/// The client of this record id.
///
/// # Errors
/// When the database fails.
pub fn find(tx: &mut ReadTx<'_>, realm: RealmId, id: ClientRowId) -> Result<Option<Client>> {
    tx.find(&FIND, params![realm, id], read_client)
}

/// The client that calls itself so.
///
/// # Errors
/// When the database fails.
pub fn find_by_client_id(tx: &mut ReadTx<'_>, realm: RealmId, client_id: &str) -> Result<Option<Client>> {
    tx.find(&FIND_BY_CLIENT_ID, params![realm, client_id], read_client)
}

/// Clients by name, with the cursor of each.
///
/// # Errors
/// When the database fails, or for a cursor of another list.
pub fn list(tx: &mut ReadTx<'_>, realm: RealmId, after: Option<&Cursor>, limit: u32) -> Result<Vec<(Client, Cursor)>> {
    let (key, id) = match after {
        None => ("", ""),
        Some(Cursor { key: CursorKey::Text(text), id }) => (text.as_str(), id.as_str()),
        Some(_) => return Err(Error::Internal("a cursor of another list".to_owned())),
    };
    tx.list(&LIST, params![realm, key, id, limit], |row| {
        let client = read_client(row)?;
        let cursor = Cursor { key: CursorKey::Text(row.text("name_key")?), id: client.id.to_string() };
        Ok((client, cursor))
    })
}

/// How many clients a realm has.
///
/// # Errors
/// When the database fails.
pub fn count(tx: &mut ReadTx<'_>, realm: RealmId) -> Result<u64> {
    Ok(tx.find(&COUNT, params![realm], |row| row.count("clients"))?.unwrap_or(0))
}
