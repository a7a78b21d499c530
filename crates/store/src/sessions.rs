//! Sessions.

use std::time::Duration;

use denizen_model::{RealmId, SessionId, Timestamp, UserId, sessions::Session};

use crate::{
    error::Result,
    sql::statements,
    tx::{ReadTx, WriteTx},
    value::{Row, params},
};

macro_rules! columns {
    () => {
        "s.id, s.realm_id, s.user_id, s.created_at, s.authenticated_at, s.last_seen_at, s.idle_expires_at, \
         s.expires_at, s.revoked_at, s.ip, s.device, s.amr"
    };
}
pub(crate) use columns;

statements! {
    INSERT = "INSERT INTO sessions (id, realm_id, user_id, secret_hash, created_at, authenticated_at, last_seen_at, idle_expires_at, expires_at, remove_at, ip, device, amr) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
    FIND = concat!("SELECT ", columns!(), " FROM sessions s WHERE s.id = ?1");
    FIND_BY_SECRET = concat!("SELECT ", columns!(), " FROM sessions s WHERE s.secret_hash = ?1 AND s.realm_id = ?2");
    LIST = concat!("SELECT ", columns!(), ", c.client_id FROM (SELECT * FROM sessions WHERE realm_id = ?1 AND user_id = ?2 ORDER BY id DESC LIMIT ?3) s LEFT JOIN session_clients c ON c.session_id = s.id ORDER BY s.id DESC, c.first_used_at");
    SEEN = "UPDATE sessions SET last_seen_at = ?2, idle_expires_at = ?3 WHERE id = ?1 AND revoked_at IS NULL";
    REAUTHENTICATED = "UPDATE sessions SET authenticated_at = ?2, last_seen_at = ?2, secret_hash = ?3, idle_expires_at = ?4, amr = ?5 WHERE id = ?1 AND revoked_at IS NULL";
    REVOKE = "UPDATE sessions SET revoked_at = ?4, remove_at = ?5 WHERE realm_id = ?1 AND user_id = ?2 AND id = ?3 AND revoked_at IS NULL AND idle_expires_at > ?4 AND expires_at > ?4";
    REVOKE_ALL = "UPDATE sessions SET revoked_at = ?3, remove_at = ?4 WHERE realm_id = ?1 AND user_id = ?2 AND revoked_at IS NULL AND idle_expires_at > ?3 AND expires_at > ?3 RETURNING id";
    LIST_CLIENTS = "SELECT c.name, s.first_used_at FROM session_clients s JOIN clients c ON c.realm_id = ?1 AND c.client_id = s.client_id WHERE s.session_id = ?2 ORDER BY s.first_used_at DESC";
    ADD_CLIENT = "INSERT INTO session_clients (session_id, client_id, first_used_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
}

/// How long an ended session stays visible to agents.
pub const KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

pub(crate) fn read_session(row: &Row<'_>) -> Result<Session> {
    Ok(Session {
        id: row.parse("id")?,
        realm_id: row.parse("realm_id")?,
        user_id: row.parse("user_id")?,
        created_at: row.time("created_at")?,
        authenticated_at: row.time("authenticated_at")?,
        last_seen_at: row.time("last_seen_at")?,
        idle_expires_at: row.time("idle_expires_at")?,
        expires_at: row.time("expires_at")?,
        revoked_at: row.opt_time("revoked_at")?,
        ip: row.opt_text("ip")?,
        device: row.text("device")?,
        amr: row.text("amr")?,
        clients: Vec::new(),
    })
}

/// Stores a new session by the hash of its cookie.
///
/// # Errors
/// When the database fails.
pub fn insert(tx: &mut WriteTx<'_>, session: &Session, secret_hash: &str) -> Result<()> {
    tx.execute(
        &INSERT,
        params![
            session.id,
            session.realm_id,
            session.user_id,
            secret_hash,
            session.created_at,
            session.authenticated_at,
            session.last_seen_at,
            session.idle_expires_at,
            session.expires_at,
            session.expires_at.plus(KEPT_FOR),
            &session.ip,
            &session.device,
            &session.amr,
        ],
    )
    .map(drop)
}

/// The session of this id, ended ones too.
///
/// # Errors
/// When the database fails.
pub fn find(tx: &mut ReadTx<'_>, id: SessionId) -> Result<Option<Session>> {
    tx.find(&FIND, params![id], read_session)
}

/// The session whose cookie has this hash.
///
/// # Errors
/// When the database fails.
pub fn find_by_secret(tx: &mut ReadTx<'_>, realm: RealmId, secret_hash: &str) -> Result<Option<Session>> {
    tx.find(&FIND_BY_SECRET, params![secret_hash, realm], read_session)
}

/// A user's latest sessions with their clients, newest first.
///
/// # Errors
/// When the database fails.
pub fn list(tx: &mut ReadTx<'_>, realm: RealmId, user: UserId, limit: u32) -> Result<Vec<Session>> {
    let rows =
        tx.list(&LIST, params![realm, user, limit], |row| Ok((read_session(row)?, row.opt_text("client_id")?)))?;
    let mut sessions: Vec<Session> = Vec::new();
    for (session, client) in rows {
        match sessions.last_mut() {
            Some(last) if last.id == session.id => last.clients.extend(client),
            _ => sessions.push(Session { clients: client.into_iter().collect(), ..session }),
        }
    }
    Ok(sessions)
}

/// Notes that a session was used.
///
/// # Errors
/// When the database fails.
pub fn note_seen(tx: &mut WriteTx<'_>, id: SessionId, now: Timestamp, idle_expires_at: Timestamp) -> Result<()> {
    tx.execute(&SEEN, params![id, now, idle_expires_at]).map(drop)
}

/// Notes that its user proved themselves again, and gives it a new cookie. Answers whether it still lives.
///
/// # Errors
/// When the database fails.
pub fn reauthenticate(
    tx: &mut WriteTx<'_>,
    id: SessionId,
    secret_hash: &str,
    amr: &str,
    now: Timestamp,
    idle_expires_at: Timestamp,
) -> Result<bool> {
    Ok(tx.execute(&REAUTHENTICATED, params![id, now, secret_hash, idle_expires_at, amr])? == 1)
}

/// Ends a live session. Answers whether there was one.
///
/// # Errors
/// When the database fails.
pub fn revoke(tx: &mut WriteTx<'_>, realm: RealmId, user: UserId, id: SessionId, now: Timestamp) -> Result<bool> {
    Ok(tx.execute(&REVOKE, params![realm, user, id, now, now.plus(KEPT_FOR)])? == 1)
}

/// Ends all live sessions of a user; answers which.
///
/// # Errors
/// When the database fails.
pub fn revoke_all(tx: &mut WriteTx<'_>, realm: RealmId, user: UserId, now: Timestamp) -> Result<Vec<SessionId>> {
    tx.list(&REVOKE_ALL, params![realm, user, now, now.plus(KEPT_FOR)], |row| row.parse("id"))
}

/// Notes that a client uses a session.
///
/// # Errors
/// When the database fails.
pub fn add_client(tx: &mut WriteTx<'_>, id: SessionId, client_id: &str, now: Timestamp) -> Result<()> {
    tx.execute(&ADD_CLIENT, params![id, client_id, now]).map(drop)
}

/// The names of the clients that use a session, the latest first, with the time each joined it.
///
/// # Errors
/// When the database fails.
pub fn list_clients(tx: &mut ReadTx<'_>, realm: RealmId, id: SessionId) -> Result<Vec<(String, Timestamp)>> {
    tx.list(&LIST_CLIENTS, params![realm, id], |row| Ok((row.text("name")?, row.time("first_used_at")?)))
}
