//! Resets that were asked for and are not done: at most one of a kind for each user.

use denizen_model::{
    MessageId, RealmId, ResetRequestId, Timestamp, UserId,
    messages::MessageState,
    reset_requests::{ResetKind, ResetMail, ResetRequest},
};

use crate::{
    error::Result,
    sql::statements,
    tx::{ReadTx, WriteTx},
    value::{Row, params},
};

macro_rules! select {
    () => {
        "SELECT r.id, r.user_id, r.kind, r.requested_by, r.requested_at, r.expires_at, r.followed_at, \
         m.state AS mail_state, m.last_error AS mail_error FROM reset_requests r \
         LEFT JOIN messages m ON m.id = r.message_id "
    };
}

statements! {
    PUT = "INSERT INTO reset_requests (id, realm_id, user_id, kind, requested_by, requested_at, expires_at, message_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (user_id, kind) DO UPDATE SET id = excluded.id, requested_by = excluded.requested_by, requested_at = excluded.requested_at, expires_at = excluded.expires_at, message_id = excluded.message_id, followed_at = NULL";
    LIST = concat!(select!(), "WHERE r.realm_id = ?1 AND r.user_id = ?2 ORDER BY r.requested_at, r.id");
    FIND = concat!(select!(), "WHERE r.realm_id = ?1 AND r.user_id = ?2 AND r.id = ?3");
    STANDS = "SELECT id FROM reset_requests WHERE realm_id = ?1 AND user_id = ?2 AND id = ?3",
        postgres: "SELECT id FROM reset_requests WHERE realm_id = ?1 AND user_id = ?2 AND id = ?3 FOR SHARE";
    FOLLOWED = "UPDATE reset_requests SET followed_at = ?4 WHERE realm_id = ?1 AND user_id = ?2 AND id = ?3";
    DELETE = "DELETE FROM reset_requests WHERE user_id = ?1 AND kind = ?2 RETURNING id";
}

fn read_request(row: &Row<'_>) -> Result<ResetRequest> {
    // The record of a mail may be older than what a realm keeps.
    let mail = match row.opt_text("mail_state")? {
        None => None,
        Some(_) => Some(ResetMail {
            state: row.named("mail_state", MessageState::from_name)?,
            last_error: row.opt_text("mail_error")?,
        }),
    };
    Ok(ResetRequest {
        id: row.parse("id")?,
        user_id: row.parse("user_id")?,
        kind: row.named("kind", ResetKind::from_name)?,
        requested_by: row.text("requested_by")?,
        requested_at: row.time("requested_at")?,
        expires_at: row.time("expires_at")?,
        mail,
        followed_at: row.opt_time("followed_at")?,
    })
}

/// Stores a request in the place of an earlier one of its kind; `message` is the mail that carries its link.
///
/// # Errors
/// When the database fails.
pub fn put(tx: &mut WriteTx<'_>, realm: RealmId, request: &ResetRequest, message: Option<MessageId>) -> Result<()> {
    let ResetRequest { id, user_id, kind, requested_by, requested_at, expires_at, .. } = request;
    let values = params![*id, realm, *user_id, kind.as_str(), requested_by, *requested_at, *expires_at, message];
    tx.execute(&PUT, values).map(drop)
}

/// What waits for a user, the oldest first.
///
/// # Errors
/// When the database fails.
pub fn list(tx: &mut ReadTx<'_>, realm: RealmId, user: UserId) -> Result<Vec<ResetRequest>> {
    tx.list(&LIST, params![realm, user], read_request)
}

/// The request of this id.
///
/// # Errors
/// When the database fails.
pub fn find(tx: &mut ReadTx<'_>, realm: RealmId, user: UserId, id: ResetRequestId) -> Result<Option<ResetRequest>> {
    tx.find(&FIND, params![realm, user, id], read_request)
}

/// Whether a request still waits. Inside a transaction that goes by it, nobody cancels it meanwhile.
///
/// # Errors
/// When the database fails.
pub fn stands(tx: &mut WriteTx<'_>, realm: RealmId, user: UserId, id: ResetRequestId) -> Result<bool> {
    Ok(tx.find(&STANDS, params![realm, user, id], |row| row.text("id"))?.is_some())
}

/// Notes that its link was followed. Answers whether the request still waits.
///
/// # Errors
/// When the database fails.
pub fn note_followed(
    tx: &mut WriteTx<'_>,
    realm: RealmId,
    user: UserId,
    id: ResetRequestId,
    now: Timestamp,
) -> Result<bool> {
    Ok(tx.execute(&FOLLOWED, params![realm, user, id, now])? == 1)
}

/// Removes what waits of a kind: it was done, cancelled or overtaken. Answers its id if something did.
///
/// # Errors
/// When the database fails.
pub fn delete(tx: &mut WriteTx<'_>, user: UserId, kind: ResetKind) -> Result<Option<ResetRequestId>> {
    tx.find(&DELETE, params![user, kind.as_str()], |row| row.parse("id"))
}
