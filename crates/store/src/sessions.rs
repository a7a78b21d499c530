//! Sessions.

use std::time::Duration;

use denizen_model::{
    RealmId, SessionId, Timestamp, UserId,
    sessions::{LogoutNotice, Session, SessionClient, UsedApplication},
};

use crate::{
    conn::Engine,
    error::Result,
    logout_notices,
    sql::statements,
    tx::{ReadTx, WriteTx},
    value::{Row, params, to_json},
};

macro_rules! columns {
    () => {
        "s.id, s.realm_id, s.user_id, s.created_at, s.authenticated_at, s.last_seen_at, s.idle_expires_at, \
         s.expires_at, s.revoked_at, s.ip, s.place, s.device, s.amr"
    };
}
pub(crate) use columns;

/// Ends live sessions and answers which. On PostgreSQL the clients to be told are noted in the same round trip; SQLite
/// takes a second statement, which costs it nothing.
macro_rules! revoke {
    ($which:literal) => {
        concat!("UPDATE sessions SET revoked_at = ?3, remove_at = ?4 WHERE realm_id = ?1 AND user_id = ?2 AND revoked_at IS NULL AND idle_expires_at > ?3 AND expires_at > ?3 AND ", $which, " RETURNING id")
    };
    ($which:literal, postgres) => {
        concat!("WITH ended AS (", revoke!($which), ", realm_id, user_id, revoked_at), noted AS (INSERT INTO logout_notices (session_id, client_row_id, realm_id, user_id, created_at, attempts, due_at) SELECT e.id, c.id, e.realm_id, e.user_id, e.revoked_at, 0, e.revoked_at FROM ended e JOIN session_clients u ON u.session_id = e.id JOIN clients c ON c.realm_id = e.realm_id AND c.client_id = u.client_id WHERE c.backchannel_logout_uri IS NOT NULL ON CONFLICT DO NOTHING) SELECT id FROM ended")
    };
}

statements! {
    INSERT = "INSERT INTO sessions (id, realm_id, user_id, secret_hash, created_at, authenticated_at, last_seen_at, idle_expires_at, expires_at, remove_at, ip, place, device, amr) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
    FIND = concat!("SELECT ", columns!(), " FROM sessions s WHERE s.id = ?1");
    FIND_BY_SECRET = concat!("SELECT ", columns!(), " FROM sessions s WHERE s.secret_hash = ?1 AND s.realm_id = ?2");
    LIST = concat!("SELECT ", columns!(), ", u.client_id, u.first_used_at, COALESCE(u.last_used_at, u.first_used_at) AS last_used_at, c.name AS client_name, n.attempts, n.due_at, n.delivered_at, n.last_error FROM (SELECT * FROM sessions WHERE realm_id = ?1 AND user_id = ?2 ORDER BY id DESC LIMIT ?3) s LEFT JOIN session_clients u ON u.session_id = s.id LEFT JOIN clients c ON c.realm_id = s.realm_id AND c.client_id = u.client_id LEFT JOIN logout_notices n ON n.session_id = s.id AND n.client_row_id = c.id ORDER BY s.id DESC, u.first_used_at, u.client_id");
    SEEN = "UPDATE sessions SET last_seen_at = ?2, idle_expires_at = ?3 WHERE id = ?1 AND revoked_at IS NULL";
    REAUTHENTICATED = "UPDATE sessions SET authenticated_at = ?2, last_seen_at = ?2, secret_hash = ?3, idle_expires_at = ?4, amr = ?5 WHERE id = ?1 AND revoked_at IS NULL";
    REVOKE = revoke!("id = ?5"), postgres: revoke!("id = ?5", postgres);
    REVOKE_ALL = revoke!("(CAST(?5 AS TEXT) IS NULL OR id <> ?5)"), postgres: revoke!("(CAST(?5 AS TEXT) IS NULL OR id <> ?5)", postgres);
    APPLICATIONS = "SELECT c.client_id, c.name, max(COALESCE(u.last_used_at, u.first_used_at)) AS last_used_at, sum(CASE WHEN s.revoked_at IS NULL AND s.idle_expires_at > ?3 AND s.expires_at > ?3 THEN 1 ELSE 0 END) AS live FROM sessions s JOIN session_clients u ON u.session_id = s.id JOIN clients c ON c.realm_id = s.realm_id AND c.client_id = u.client_id WHERE s.realm_id = ?1 AND s.user_id = ?2 GROUP BY c.client_id, c.name ORDER BY 3 DESC, 1 LIMIT ?4";
    LIST_CLIENTS = "SELECT c.name, COALESCE(s.last_used_at, s.first_used_at) AS last_used_at FROM session_clients s JOIN clients c ON c.realm_id = ?1 AND c.client_id = s.client_id WHERE s.session_id = ?2 ORDER BY 2 DESC";
    ADD_CLIENT = "INSERT INTO session_clients (session_id, client_id, first_used_at, last_used_at) VALUES (?1, ?2, ?3, ?3) ON CONFLICT (session_id, client_id) DO UPDATE SET last_used_at = excluded.last_used_at";
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
        place: row.opt_text("place")?,
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
            &session.place,
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

fn read_client(row: &Row<'_>) -> Result<Option<SessionClient>> {
    let Some(client_id) = row.opt_text("client_id")? else { return Ok(None) };
    let notice = match row.opt_count("attempts")? {
        Some(attempts) => Some(LogoutNotice {
            attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
            due_at: row.opt_time("due_at")?,
            delivered_at: row.opt_time("delivered_at")?,
            last_error: row.opt_text("last_error")?,
        }),
        None => None,
    };
    Ok(Some(SessionClient {
        client_id,
        name: row.opt_text("client_name")?,
        first_used_at: row.time("first_used_at")?,
        last_used_at: row.time("last_used_at")?,
        notice,
    }))
}

/// A user's latest sessions with their clients, newest first.
///
/// # Errors
/// When the database fails.
pub fn list(tx: &mut ReadTx<'_>, realm: RealmId, user: UserId, limit: u32) -> Result<Vec<Session>> {
    let rows = tx.list(&LIST, params![realm, user, limit], |row| Ok((read_session(row)?, read_client(row)?)))?;
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

/// Ends a live session and notes the clients that are to be told. Answers whether there was one.
///
/// # Errors
/// When the database fails.
pub fn revoke(tx: &mut WriteTx<'_>, realm: RealmId, user: UserId, id: SessionId, now: Timestamp) -> Result<bool> {
    let ended = tx.list(&REVOKE, params![realm, user, now, now.plus(KEPT_FOR), id], |row| row.parse("id"))?;
    note_ended(tx, &ended)?;
    Ok(!ended.is_empty())
}

/// Ends all live sessions of a user and notes the clients that are to be told; answers which sessions.
///
/// # Errors
/// When the database fails.
pub fn revoke_all(tx: &mut WriteTx<'_>, realm: RealmId, user: UserId, now: Timestamp) -> Result<Vec<SessionId>> {
    revoke_all_but(tx, realm, user, None, now)
}

/// As [`revoke_all`], with one that goes on.
///
/// # Errors
/// When the database fails.
pub fn revoke_all_but(
    tx: &mut WriteTx<'_>,
    realm: RealmId,
    user: UserId,
    kept: Option<SessionId>,
    now: Timestamp,
) -> Result<Vec<SessionId>> {
    let ended = tx.list(&REVOKE_ALL, params![realm, user, now, now.plus(KEPT_FOR), kept], |row| row.parse("id"))?;
    note_ended(tx, &ended)?;
    Ok(ended)
}

/// Notes which clients are to be told of the end of these sessions, where ending them has not done so already.
fn note_ended(tx: &mut WriteTx<'_>, ended: &[SessionId]) -> Result<()> {
    if ended.is_empty() || tx.engine() == Engine::Postgres {
        return Ok(());
    }
    logout_notices::insert_for(tx, &to_json(&ended)?)
}

/// Notes that a session has signed its user in to a client.
///
/// # Errors
/// When the database fails.
pub fn add_client(tx: &mut WriteTx<'_>, id: SessionId, client_id: &str, now: Timestamp) -> Result<()> {
    tx.execute(&ADD_CLIENT, params![id, client_id, now]).map(drop)
}

/// The names of the clients that use a session, the latest first, with the time each was last used.
///
/// # Errors
/// When the database fails.
pub fn list_clients(tx: &mut ReadTx<'_>, realm: RealmId, id: SessionId) -> Result<Vec<(String, Timestamp)>> {
    tx.list(&LIST_CLIENTS, params![realm, id], |row| Ok((row.text("name")?, row.time("last_used_at")?)))
}

/// The clients that a user has signed in to, as far back as sessions are kept, the latest first.
///
/// # Errors
/// When the database fails.
pub fn list_applications(
    tx: &mut ReadTx<'_>,
    realm: RealmId,
    user: UserId,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<UsedApplication>> {
    tx.list(&APPLICATIONS, params![realm, user, now, limit], |row| {
        Ok(UsedApplication {
            client_id: row.text("client_id")?,
            name: row.text("name")?,
            last_used_at: row.time("last_used_at")?,
            live_sessions: row.count("live")?,
        })
    })
}
