//! Sealed secrets, signing keys, and single-use tokens.

use denizen_model::{RealmId, Timestamp};

use crate::{
    error::Result,
    sql::statements,
    tx::{ReadTx, WriteTx},
    value::{Row, params},
};

statements! {
    FIND_SECRET = "SELECT sealed FROM secrets WHERE name = ?1";
    INSERT_SECRET = "INSERT INTO secrets (name, sealed, created_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    INSERT_SIGNING_KEY = "INSERT INTO signing_keys (id, realm_id, algorithm, generation, private_sealed, created_at, active_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    LIST_SIGNING_KEYS = "SELECT id, algorithm, generation, private_sealed, created_at, active_at, retired_at FROM signing_keys WHERE realm_id = ?1 ORDER BY active_at DESC";
    RETIRE = "UPDATE signing_keys SET retired_at = ?3 WHERE realm_id = ?1 AND id = ?2 AND retired_at IS NULL";
    DELETE_RETIRED = "DELETE FROM signing_keys WHERE realm_id = ?1 AND retired_at < ?2";
    INSERT_TOKEN = "INSERT INTO one_time_tokens (secret_hash, realm_id, purpose, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)";
    DROP_TOKENS = "DELETE FROM one_time_tokens WHERE realm_id = ?1 AND purpose = ?2";
    FIND_TOKEN = "SELECT realm_id FROM one_time_tokens WHERE secret_hash = ?1 AND purpose = ?2 AND used_at IS NULL AND expires_at > ?3";
    USE_TOKEN = "UPDATE one_time_tokens SET used_at = ?3 WHERE secret_hash = ?1 AND purpose = ?2 AND used_at IS NULL AND expires_at > ?3";
}

/// A signing key as it is stored.
#[derive(Debug, Clone)]
pub struct StoredSigningKey {
    /// Its id: the JWK thumbprint (RFC 7638), `kid` in tokens.
    pub id: String,
    /// JWS algorithm, such as `ES256`.
    pub algorithm: String,
    /// 1 for the first of its algorithm in the realm, then counting.
    pub generation: i64,
    /// The private key, sealed under the master key.
    pub private_sealed: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it signs; it is published before that.
    pub active_at: Timestamp,
    /// When a later one took over.
    pub retired_at: Option<Timestamp>,
}

/// The sealed secret of this name.
///
/// # Errors
/// When the database fails.
pub fn find_secret(tx: &mut ReadTx<'_>, name: &str) -> Result<Option<String>> {
    tx.find(&FIND_SECRET, params![name], |row| row.text("sealed"))
}

/// Stores a secret unless another node was first. Read it again afterwards.
///
/// # Errors
/// When the database fails.
pub fn insert_secret(tx: &mut WriteTx<'_>, name: &str, sealed: &str, now: Timestamp) -> Result<()> {
    tx.execute(&INSERT_SECRET, params![name, sealed, now]).map(drop)
}

/// Stores a new signing key.
///
/// # Errors
/// Constraint `signing_keys_generation` when another node was first.
pub fn insert_signing_key(tx: &mut WriteTx<'_>, realm: RealmId, key: &StoredSigningKey) -> Result<()> {
    tx.execute(
        &INSERT_SIGNING_KEY,
        params![&key.id, realm, &key.algorithm, key.generation, &key.private_sealed, key.created_at, key.active_at],
    )
    .map(drop)
}

/// A realm's signing keys, the latest first.
///
/// # Errors
/// When the database fails.
pub fn list_signing_keys(tx: &mut ReadTx<'_>, realm: RealmId) -> Result<Vec<StoredSigningKey>> {
    tx.list(&LIST_SIGNING_KEYS, params![realm], |row: &Row<'_>| {
        Ok(StoredSigningKey {
            id: row.text("id")?,
            algorithm: row.text("algorithm")?,
            generation: row.i64("generation")?,
            private_sealed: row.text("private_sealed")?,
            created_at: row.time("created_at")?,
            active_at: row.time("active_at")?,
            retired_at: row.opt_time("retired_at")?,
        })
    })
}

/// Notes that a later key has taken over.
///
/// # Errors
/// When the database fails.
pub fn retire_signing_key(tx: &mut WriteTx<'_>, realm: RealmId, id: &str, now: Timestamp) -> Result<()> {
    tx.execute(&RETIRE, params![realm, id, now]).map(drop)
}

/// Removes keys that retired before then, whose last tokens have expired.
///
/// # Errors
/// When the database fails.
pub fn delete_retired(tx: &mut WriteTx<'_>, realm: RealmId, before: Timestamp) -> Result<u64> {
    tx.execute(&DELETE_RETIRED, params![realm, before])
}

/// Stores the only valid single-use token of a purpose, by its hash; earlier ones stop working.
///
/// # Errors
/// When the database fails.
pub fn put_one_time_token(
    tx: &mut WriteTx<'_>,
    realm: RealmId,
    purpose: &str,
    secret_hash: &str,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<()> {
    tx.execute(&DROP_TOKENS, params![realm, purpose])?;
    tx.execute(&INSERT_TOKEN, params![secret_hash, realm, purpose, now, expires_at]).map(drop)
}

/// The realm a valid single-use token belongs to.
///
/// # Errors
/// When the database fails.
pub fn find_one_time_token(
    tx: &mut ReadTx<'_>,
    purpose: &str,
    secret_hash: &str,
    now: Timestamp,
) -> Result<Option<RealmId>> {
    tx.find(&FIND_TOKEN, params![secret_hash, purpose, now], |row| row.parse("realm_id"))
}

/// Uses a single-use token up. Answers whether it was valid.
///
/// # Errors
/// When the database fails.
pub fn use_one_time_token(tx: &mut WriteTx<'_>, purpose: &str, secret_hash: &str, now: Timestamp) -> Result<bool> {
    Ok(tx.execute(&USE_TOKEN, params![secret_hash, purpose, now])? == 1)
}
