//! Codes that were sent to an address, by their hashes.

use denizen_model::{AuthenticatorId, RealmId, Timestamp, UserId, authenticators::AuthenticatorType};

use crate::{
    error::Result,
    sql::statements,
    tx::{ReadTx, WriteTx},
    value::params,
};

statements! {
    INSERT = "INSERT INTO one_time_codes (id, realm_id, user_id, kind, destination, code_hash, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    COUNT = "SELECT count(*) AS found FROM one_time_codes WHERE user_id = ?1 AND created_at > ?2 AND kind = ?3";
    FIND = "SELECT user_id, destination, used_at, expires_at FROM one_time_codes WHERE id = ?1 AND realm_id = ?2 AND code_hash = ?3";
    USE = "UPDATE one_time_codes SET used_at = ?5 WHERE id = ?1 AND realm_id = ?2 AND user_id = ?3 AND code_hash = ?4 AND used_at IS NULL AND expires_at > ?5 RETURNING destination";
    REMOVE_EXPIRED = "DELETE FROM one_time_codes WHERE id IN (SELECT id FROM one_time_codes WHERE expires_at < ?1 LIMIT 1000)";
}

/// A code to be stored.
#[derive(Debug)]
pub struct NewCode<'a> {
    /// Its id, which the browser holds that asked for it.
    pub id: AuthenticatorId,
    /// Whose it is.
    pub user_id: UserId,
    /// How it is sent.
    pub kind: AuthenticatorType,
    /// Where it is sent to.
    pub destination: &'a str,
    /// The hash of the code and of the browser's secret.
    pub code_hash: &'a str,
    /// When it stops working.
    pub expires_at: Timestamp,
}

/// Stores a code.
///
/// # Errors
/// When the database fails.
pub fn insert(tx: &mut WriteTx<'_>, realm: RealmId, code: &NewCode<'_>, now: Timestamp) -> Result<()> {
    let NewCode { id, user_id, kind, destination, code_hash, expires_at } = code;
    tx.execute(&INSERT, params![*id, realm, *user_id, kind.as_str(), *destination, *code_hash, now, *expires_at])
        .map(drop)
}

/// How many codes of a kind were sent to a user since a time.
///
/// # Errors
/// When the database fails.
pub fn count_since(tx: &mut ReadTx<'_>, user: UserId, kind: AuthenticatorType, since: Timestamp) -> Result<u64> {
    Ok(tx.find(&COUNT, params![user, since, kind.as_str()], |row| row.count("found"))?.unwrap_or(0))
}

/// A code that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentCode {
    /// Whose it is.
    pub user_id: UserId,
    /// Where it was sent to.
    pub destination: String,
    /// It was used.
    pub is_used: bool,
    /// When it stops, or stopped, working.
    pub expires_at: Timestamp,
}

/// The code of this hash, whether or not it works still, as long as it is kept. It is not used by that.
///
/// # Errors
/// When the database fails.
pub fn find(tx: &mut ReadTx<'_>, realm: RealmId, id: AuthenticatorId, code_hash: &str) -> Result<Option<SentCode>> {
    tx.find(&FIND, params![id, realm, code_hash], |row| {
        Ok(SentCode {
            user_id: row.parse("user_id")?,
            destination: row.text("destination")?,
            is_used: row.opt_time("used_at")?.is_some(),
            expires_at: row.time("expires_at")?,
        })
    })
}

/// Uses a code up. Answers where it was sent to, if it is right and works.
///
/// # Errors
/// When the database fails.
pub fn use_up(
    tx: &mut WriteTx<'_>,
    realm: RealmId,
    user: UserId,
    id: AuthenticatorId,
    code_hash: &str,
    now: Timestamp,
) -> Result<Option<String>> {
    tx.find(&USE, params![id, realm, user, code_hash, now], |row| row.text("destination"))
}

pub(crate) fn remove_expired(tx: &mut WriteTx<'_>, now: Timestamp) -> Result<u64> {
    tx.execute(&REMOVE_EXPIRED, params![now])
}
