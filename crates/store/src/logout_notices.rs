//! Telling clients that a session has ended: a queue until they are told, a record afterwards. Rows are made where
//! sessions end, in [`crate::sessions`].

use denizen_model::{ClientRowId, RealmId, SessionId, Timestamp, UserId};

use crate::{
    error::Result,
    sessions::KEPT_FOR,
    sql::statements,
    tx::{ReadTx, WriteTx},
    value::{Row, params, to_json},
};

macro_rules! insert_for {
    ($ids:literal) => {
        concat!("INSERT INTO logout_notices (session_id, client_row_id, realm_id, user_id, created_at, attempts, due_at) SELECT s.id, c.id, s.realm_id, s.user_id, s.revoked_at, 0, s.revoked_at FROM sessions s JOIN session_clients u ON u.session_id = s.id JOIN clients c ON c.realm_id = s.realm_id AND c.client_id = u.client_id WHERE s.id IN (SELECT ", $ids, ") AND c.backchannel_logout_uri IS NOT NULL ON CONFLICT DO NOTHING")
    };
}
macro_rules! claim {
    ($busy:literal, $lock:literal) => {
        concat!("UPDATE logout_notices SET due_at = ?2, attempts = attempts + 1 WHERE (session_id, client_row_id) IN (SELECT session_id, client_row_id FROM logout_notices WHERE due_at <= ?1 AND client_row_id NOT IN (SELECT ", $busy, ") ORDER BY due_at LIMIT ?3", $lock, ") RETURNING session_id, client_row_id, realm_id, user_id, attempts, (SELECT c.client_id FROM clients c WHERE c.id = logout_notices.client_row_id) AS client_id, (SELECT c.backchannel_logout_uri FROM clients c WHERE c.id = logout_notices.client_row_id) AS uri")
    };
}

statements! {
    INSERT_FOR = insert_for!("value FROM json_each(?1)"), postgres: insert_for!("json_array_elements_text(CAST(CAST(?1 AS TEXT) AS json))");
    CLAIM = claim!("value FROM json_each(?4)", ""), postgres: claim!("json_array_elements_text(CAST(CAST(?4 AS TEXT) AS json))", " FOR UPDATE SKIP LOCKED");
    ANY_DUE = "SELECT 1 AS one FROM logout_notices WHERE due_at <= ?1 LIMIT 1";
    DELIVERED = "UPDATE logout_notices SET delivered_at = ?3, due_at = NULL, last_error = NULL WHERE session_id = ?1 AND client_row_id = ?2 AND delivered_at IS NULL";
    RETRY = "UPDATE logout_notices SET due_at = ?4, last_error = ?5 WHERE session_id = ?1 AND client_row_id = ?2 AND attempts = ?3 AND due_at IS NOT NULL";
    FORGET = "DELETE FROM logout_notices WHERE session_id = ?1 AND client_row_id = ?2";
    REMOVE_OLD = "DELETE FROM logout_notices WHERE (session_id, client_row_id) IN (SELECT session_id, client_row_id FROM logout_notices WHERE created_at < ?1 ORDER BY created_at LIMIT 500)";
}

/// A client that is to be told now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueNotice {
    /// The session that has ended.
    pub session_id: SessionId,
    /// The client, by its record.
    pub client: ClientRowId,
    /// What the client calls itself; the token's audience.
    pub client_id: String,
    /// Where it wants to be told; nothing when it no longer wants to be.
    pub uri: Option<String>,
    /// The realm.
    pub realm_id: RealmId,
    /// Whose session it was.
    pub user_id: UserId,
    /// How often it was tried, this time included.
    pub attempts: u32,
}

/// Notes the clients that are to be told of the end of these sessions (a JSON list of ids).
pub(crate) fn insert_for(tx: &mut WriteTx<'_>, sessions: &str) -> Result<()> {
    tx.execute(&INSERT_FOR, params![sessions]).map(drop)
}

fn read_due(row: &Row<'_>) -> Result<DueNotice> {
    Ok(DueNotice {
        session_id: row.parse("session_id")?,
        client: row.parse("client_row_id")?,
        realm_id: row.parse("realm_id")?,
        user_id: row.parse("user_id")?,
        attempts: u32::try_from(row.i64("attempts")?).unwrap_or(u32::MAX),
        client_id: row.text("client_id")?,
        uri: row.opt_text("uri")?,
    })
}

/// Whether somebody is to be told.
///
/// # Errors
/// When the database fails.
pub fn is_any_due(tx: &mut ReadTx<'_>, now: Timestamp) -> Result<bool> {
    Ok(tx.find(&ANY_DUE, params![now], |_| Ok(()))?.is_some())
}

/// Takes notices that are due, but for those of `busy` clients. Until `leased_until` no other node takes them.
///
/// # Errors
/// When the database fails.
pub fn claim(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    leased_until: Timestamp,
    limit: u32,
    busy: &[ClientRowId],
) -> Result<Vec<DueNotice>> {
    tx.list(&CLAIM, params![now, leased_until, limit, to_json(&busy)?], read_due)
}

/// Notes that the client has confirmed it.
///
/// # Errors
/// When the database fails.
pub fn mark_delivered(tx: &mut WriteTx<'_>, notice: &DueNotice, now: Timestamp) -> Result<()> {
    tx.execute(&DELIVERED, params![notice.session_id, notice.client, now]).map(drop)
}

/// Puts a notice off after an attempt that failed, or gives it up when there is no next time. Nothing happens when
/// another node has begun a later attempt.
///
/// # Errors
/// When the database fails.
pub fn mark_failed(tx: &mut WriteTx<'_>, notice: &DueNotice, due_at: Option<Timestamp>, error: &str) -> Result<()> {
    tx.execute(&RETRY, params![notice.session_id, notice.client, notice.attempts, due_at, error]).map(drop)
}

/// Drops a notice to a client that no longer wants any.
///
/// # Errors
/// When the database fails.
pub fn forget(tx: &mut WriteTx<'_>, notice: &DueNotice) -> Result<()> {
    tx.execute(&FORGET, params![notice.session_id, notice.client]).map(drop)
}

/// Removes a portion of what was noted longer ago than ended sessions are kept. Answers how many went.
///
/// # Errors
/// When the database fails.
pub fn remove_old(tx: &mut WriteTx<'_>, now: Timestamp) -> Result<u64> {
    tx.execute(&REMOVE_OLD, params![now.minus(KEPT_FOR)])
}
