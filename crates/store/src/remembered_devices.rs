//! Browsers in which the second factor is not asked for again.

use denizen_model::{RealmId, Timestamp, UserId};

use crate::{
    error::Result,
    sql::statements,
    tx::{ReadTx, WriteTx},
    value::params,
};

statements! {
    INSERT = "INSERT INTO remembered_devices (secret_hash, realm_id, user_id, device, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    FIND = "SELECT device FROM remembered_devices WHERE secret_hash = ?1 AND realm_id = ?2 AND user_id = ?3 AND expires_at > ?4";
    FORGET_ALL = "DELETE FROM remembered_devices WHERE realm_id = ?1 AND user_id = ?2";
    REMOVE_EXPIRED = "DELETE FROM remembered_devices WHERE secret_hash IN (SELECT secret_hash FROM remembered_devices WHERE expires_at < ?1 LIMIT 1000)";
}

/// Remembers a browser by the hash of its cookie.
///
/// # Errors
/// When the database fails.
pub fn insert(
    tx: &mut WriteTx<'_>,
    realm: RealmId,
    user: UserId,
    secret_hash: &str,
    device: &str,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<()> {
    tx.execute(&INSERT, params![secret_hash, realm, user, device, now, expires_at]).map(drop)
}

/// Whether a browser is remembered for a user.
///
/// # Errors
/// When the database fails.
pub fn is_remembered(
    tx: &mut ReadTx<'_>,
    realm: RealmId,
    user: UserId,
    secret_hash: &str,
    now: Timestamp,
) -> Result<bool> {
    Ok(tx.find(&FIND, params![secret_hash, realm, user, now], |row| row.text("device"))?.is_some())
}

/// Forgets all browsers of a user: after a password was replaced, a factor was reset, a user was disabled.
///
/// # Errors
/// When the database fails.
pub fn forget_all(tx: &mut WriteTx<'_>, realm: RealmId, user: UserId) -> Result<u64> {
    tx.execute(&FORGET_ALL, params![realm, user])
}

pub(crate) fn remove_expired(tx: &mut WriteTx<'_>, now: Timestamp) -> Result<u64> {
    tx.execute(&REMOVE_EXPIRED, params![now])
}
