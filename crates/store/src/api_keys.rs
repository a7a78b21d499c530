//! API keys of machines.

use denizen_model::{ApiKeyId, RealmId, Timestamp, UserId, authenticators::ApiKey};

use crate::{
    error::Result,
    sql::statements,
    tx::{ReadTx, WriteTx},
    value::{Row, params, to_json},
};

macro_rules! columns {
    () => {
        "id, user_id, name, hint, created_at, last_used_at, expires_at, scopes, sealed IS NOT NULL AS is_sealed"
    };
}

statements! {
    INSERT = "INSERT INTO api_keys (id, realm_id, user_id, name, hint, secret_hash, sealed, scopes, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    REPLACE = "UPDATE api_keys SET hint = ?4, secret_hash = ?5, sealed = ?6, last_used_at = NULL WHERE realm_id = ?1 AND user_id = ?2 AND id = ?3";
    FIND = concat!("SELECT ", columns!(), " FROM api_keys WHERE realm_id = ?1 AND user_id = ?2 AND id = ?3");
    FIND_SEALED = "SELECT sealed FROM api_keys WHERE realm_id = ?1 AND user_id = ?2 AND id = ?3";
    FIND_BY_HASH = concat!("SELECT ", columns!(), " FROM api_keys WHERE secret_hash = ?1");
    LIST = concat!("SELECT ", columns!(), " FROM api_keys WHERE realm_id = ?1 AND user_id = ?2 ORDER BY id");
    USED = "UPDATE api_keys SET last_used_at = ?2 WHERE id = ?1 AND (last_used_at IS NULL OR last_used_at <= ?3)";
    FORGET_SEALED = "UPDATE api_keys SET sealed = NULL WHERE realm_id = ?1 AND sealed IS NOT NULL";
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
        scopes: row.json("scopes")?,
        sealed: row.bool("is_sealed")?,
    })
}

/// What is kept of a key's secret.
#[derive(Debug, Clone)]
pub struct StoredKey {
    /// Its hash.
    pub hash: String,
    /// The secret itself, sealed, where the realm keeps it.
    pub sealed: Option<String>,
}

/// Stores a new key by the hash of its secret.
///
/// # Errors
/// When the database fails.
pub fn insert(tx: &mut WriteTx<'_>, realm: RealmId, key: &ApiKey, stored: &StoredKey) -> Result<()> {
    let scopes = to_json(&key.scopes)?;
    tx.execute(
        &INSERT,
        params![
            key.id,
            realm,
            key.user_id,
            &key.name,
            &key.hint,
            &stored.hash,
            &stored.sealed,
            scopes,
            key.created_at,
            key.expires_at
        ],
    )
    .map(drop)
}

/// Gives a key another secret; the one before is unknown from then on. Answers whether there was such a key.
///
/// # Errors
/// When the database fails.
pub fn replace(tx: &mut WriteTx<'_>, realm: RealmId, key: &ApiKey, stored: &StoredKey) -> Result<bool> {
    let changed = tx.execute(&REPLACE, params![realm, key.user_id, key.id, &key.hint, &stored.hash, &stored.sealed])?;
    Ok(changed == 1)
}

/// The key of this id of this user.
///
/// # Errors
/// When the database fails.
pub fn find(tx: &mut ReadTx<'_>, realm: RealmId, user: UserId, id: ApiKeyId) -> Result<Option<ApiKey>> {
    tx.find(&FIND, params![realm, user, id], read_key)
}

/// The sealed secret of a key, if it was kept.
///
/// # Errors
/// When the database fails.
pub fn find_sealed(tx: &mut ReadTx<'_>, realm: RealmId, user: UserId, id: ApiKeyId) -> Result<Option<String>> {
    Ok(tx.find(&FIND_SEALED, params![realm, user, id], |row| row.opt_text("sealed"))?.flatten())
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

/// Notes that a key was used, unless that was noted later than `unless_after`: of many uses at once one writes.
///
/// # Errors
/// When the database fails.
pub fn note_used(tx: &mut WriteTx<'_>, id: ApiKeyId, now: Timestamp, unless_after: Timestamp) -> Result<()> {
    tx.execute(&USED, params![id, now, unless_after]).map(drop)
}

/// Forgets the sealed secrets of a realm's keys, which go on working. Answers how many there were.
///
/// # Errors
/// When the database fails.
pub fn forget_sealed(tx: &mut WriteTx<'_>, realm: RealmId) -> Result<u64> {
    tx.execute(&FORGET_SEALED, params![realm])
}

/// Removes a key. Answers whether there was one.
///
/// # Errors
/// When the database fails.
pub fn delete(tx: &mut WriteTx<'_>, realm: RealmId, user: UserId, id: ApiKeyId) -> Result<bool> {
    Ok(tx.execute(&DELETE, params![realm, user, id])? == 1)
}
