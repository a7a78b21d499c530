//! Single-use secrets in links that were mailed, by their hashes.

use denizen_model::{RealmId, Timestamp, UserId};

use crate::{
    error::Result,
    sql::statements,
    tx::{ReadTx, WriteTx},
    value::{Row, params},
};

statements! {
    INSERT = "INSERT INTO action_tokens (secret_hash, realm_id, user_id, purpose, data, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    FIND = "SELECT user_id, data, expires_at FROM action_tokens WHERE secret_hash = ?1 AND realm_id = ?2 AND purpose = ?3 AND used_at IS NULL AND expires_at > ?4";
    FIND_DEAD = "SELECT user_id, data, expires_at, used_at FROM action_tokens WHERE secret_hash = ?1 AND realm_id = ?2 AND purpose = ?3 AND (used_at IS NOT NULL OR expires_at <= ?4)";
    USE = "UPDATE action_tokens SET used_at = ?4 WHERE secret_hash = ?1 AND realm_id = ?2 AND purpose = ?3 AND used_at IS NULL AND expires_at > ?4 RETURNING user_id, data, expires_at";
    FIND_OF_USER = "SELECT user_id, data, expires_at FROM action_tokens WHERE user_id = ?1 AND purpose = ?2 AND used_at IS NULL AND expires_at > ?3 ORDER BY created_at DESC LIMIT 1";
    NOTE_USED = "INSERT INTO action_tokens (secret_hash, realm_id, user_id, purpose, data, created_at, expires_at, used_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?6) ON CONFLICT DO NOTHING";
    DROP_OF_USER = "DELETE FROM action_tokens WHERE user_id = ?1 AND purpose = ?2";
    REMOVE_EXPIRED = "DELETE FROM action_tokens WHERE secret_hash IN (SELECT secret_hash FROM action_tokens WHERE expires_at < ?1 LIMIT 1000)";
}

/// A token that works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionToken {
    /// Whose it is, where there is a user already.
    pub user_id: Option<UserId>,
    /// What it is for besides, as JSON.
    pub data: String,
    /// When it stops working.
    pub expires_at: Timestamp,
}

/// A token to be stored.
#[derive(Debug)]
pub struct NewActionToken<'a> {
    /// The hash of its text.
    pub secret_hash: &'a str,
    /// Its realm.
    pub realm_id: RealmId,
    /// Whose it is, where there is a user already.
    pub user_id: Option<UserId>,
    /// What it may be used for.
    pub purpose: &'static str,
    /// What it is for besides, as JSON.
    pub data: &'a str,
    /// When it stops working.
    pub expires_at: Timestamp,
}

fn read_token(row: &Row<'_>) -> Result<ActionToken> {
    Ok(ActionToken { user_id: row.opt_parse("user_id")?, data: row.text("data")?, expires_at: row.time("expires_at")? })
}

/// Stores a token.
///
/// # Errors
/// When the database fails.
pub fn insert(tx: &mut WriteTx<'_>, token: &NewActionToken<'_>, now: Timestamp) -> Result<()> {
    let NewActionToken { secret_hash, realm_id, user_id, purpose, data, expires_at } = token;
    tx.execute(&INSERT, params![*secret_hash, *realm_id, *user_id, *purpose, *data, now, *expires_at]).map(drop)
}

/// Notes that something was used that was never stored, so that it is used once. Answers whether it was not before.
///
/// # Errors
/// When the database fails.
pub fn note_used(tx: &mut WriteTx<'_>, token: &NewActionToken<'_>, now: Timestamp) -> Result<bool> {
    let NewActionToken { secret_hash, realm_id, user_id, purpose, data, expires_at } = token;
    let values = params![*secret_hash, *realm_id, *user_id, *purpose, *data, now, *expires_at];
    Ok(tx.execute(&NOTE_USED, values)? == 1)
}

/// The token of this hash, if it works still.
///
/// # Errors
/// When the database fails.
pub fn find(
    tx: &mut ReadTx<'_>,
    realm: RealmId,
    purpose: &str,
    secret_hash: &str,
    now: Timestamp,
) -> Result<Option<ActionToken>> {
    tx.find(&FIND, params![secret_hash, realm, purpose, now], read_token)
}

/// The token of this hash that works no more, as long as it is kept; and whether it was used.
///
/// # Errors
/// When the database fails.
pub fn find_dead(
    tx: &mut ReadTx<'_>,
    realm: RealmId,
    purpose: &str,
    secret_hash: &str,
    now: Timestamp,
) -> Result<Option<(ActionToken, bool)>> {
    tx.find(&FIND_DEAD, params![secret_hash, realm, purpose, now], |row| {
        Ok((read_token(row)?, row.opt_time("used_at")?.is_some()))
    })
}

/// A user's latest token of this purpose, if it works still.
///
/// # Errors
/// When the database fails.
pub fn find_of_user(tx: &mut ReadTx<'_>, user: UserId, purpose: &str, now: Timestamp) -> Result<Option<ActionToken>> {
    tx.find(&FIND_OF_USER, params![user, purpose, now], read_token)
}

/// Uses the token of this hash up, if it works still.
///
/// # Errors
/// When the database fails.
pub fn use_up(
    tx: &mut WriteTx<'_>,
    realm: RealmId,
    purpose: &str,
    secret_hash: &str,
    now: Timestamp,
) -> Result<Option<ActionToken>> {
    tx.find(&USE, params![secret_hash, realm, purpose, now], read_token)
}

/// Makes a user's links of this purpose stop working.
///
/// # Errors
/// When the database fails.
pub fn drop_of_user(tx: &mut WriteTx<'_>, user: UserId, purpose: &str) -> Result<()> {
    tx.execute(&DROP_OF_USER, params![user, purpose]).map(drop)
}

/// Removes a portion of the tokens that have expired. Answers how many went.
///
/// # Errors
/// When the database fails.
pub fn remove_expired(tx: &mut WriteTx<'_>, now: Timestamp) -> Result<u64> {
    tx.execute(&REMOVE_EXPIRED, params![now])
}
