//! API keys of machines.

use denizen_model::{ApiKeyId, RealmId, Timestamp, UserId, authenticators::ApiKey};

use crate::{
    error::Result,
    sql::statements,
    tx::{ReadTx, WriteTx},
    value::{Row, params},
};

statements! {
    INSERT = "INSERT INTO api_keys (id, realm_id, user_id, name, hint, secret_hash, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    FIND_BY_HASH = "SELECT id, user_id, name, hint, created_at, last_used_at, expires_at FROM api_keys WHERE secret_hash = ?1";
    LIST = "SELECT id, user_id, name, hint, created_at, last_used_at, expires_at FROM api_keys WHERE realm_id = ?1 AND user_id = ?2 ORDER BY id";
    USED = "UPDATE api_keys SET last_used_at = ?2 WHERE id = ?1";
    DELETE = "DELETE FROM api_keys WHERE realm_id = ?1 AND user_id = ?2 AND id = ?3";
}

fn read_key(row: &Row<'_>) -> Result<ApiKey> {
    Ok(ApiKey {
        id: row.parse("id")?,
        user_id: row.parse("user_id")?,
        name: row.text("name")?,
        hint: row.text("hint")?,
        created_at: row.time("created_at")?,
        last_used_at: row.opt_time("last_used_at")?,
        expires_at: row.opt_time("expires_at")?,
    })
}

/// Stores a new key by the hash of its secret.
///
/// # Errors
/// When the database fails.
pub fn insert(tx: &mut WriteTx<'_>, realm: RealmId, key: &ApiKey, secret_hash: &str) -> Result<()> {
    tx.execute(
        &INSERT,
        params![key.id, realm, key.user_id, &key.name, &key.hint, secret_hash, key.created_at, key.expires_at],
    )
    .map(drop)
}

/// The key whose secret has this hash.
///
/// # Errors
/// When the database fails.
pub fn find_by_hash(tx: &mut ReadTx<'_>, secret_hash: &str) -> Result<Option<ApiKey>> {
    tx.find(&FIND_BY_HASH, params![secret_hash], read_key)
}

/// The keys of a user.
///
/// # Errors
/// When the database fails.
pub fn list(tx: &mut ReadTx<'_>, realm: RealmId, user: UserId) -> Result<Vec<ApiKey>> {
    tx.list(&LIST, params![realm, user], read_key)
}

/// Notes that a key was used.
///
/// # Errors
/// When the database fails.
pub fn note_used(tx: &mut WriteTx<'_>, id: ApiKeyId, now: Timestamp) -> Result<()> {
    tx.execute(&USED, params![id, now]).map(drop)
}

/// Removes a key. Answers whether there was one.
///
/// # Errors
/// When the database fails.
pub fn delete(tx: &mut WriteTx<'_>, realm: RealmId, user: UserId, id: ApiKeyId) -> Result<bool> {
    Ok(tx.execute(&DELETE, params![realm, user, id])? == 1)
}
