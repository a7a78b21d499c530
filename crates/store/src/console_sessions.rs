//! Browsers in the console.

use denizen_model::{SessionId, Timestamp, sessions::Session};

use crate::{
    error::Result,
    sessions::{columns, read_session},
    sql::statements,
    tx::{ReadTx, WriteTx},
    value::params,
};

statements! {
    INSERT = "INSERT INTO console_sessions (secret_hash, session_id, created_at) VALUES (?1, ?2, ?3)";
    FIND = concat!("SELECT ", columns!(), " FROM console_sessions c JOIN sessions s ON s.id = c.session_id WHERE c.secret_hash = ?1");
    DELETE = "DELETE FROM console_sessions WHERE secret_hash = ?1";
}

/// Stores a browser's cookie by its hash.
///
/// # Errors
/// When the database fails.
pub fn insert(tx: &mut WriteTx<'_>, secret_hash: &str, session: SessionId, now: Timestamp) -> Result<()> {
    tx.execute(&INSERT, params![secret_hash, session, now]).map(drop)
}

/// The session behind a browser's cookie, ended ones too.
///
/// # Errors
/// When the database fails.
pub fn find(tx: &mut ReadTx<'_>, secret_hash: &str) -> Result<Option<Session>> {
    tx.find(&FIND, params![secret_hash], read_session)
}

/// Forgets a browser.
///
/// # Errors
/// When the database fails.
pub fn delete(tx: &mut WriteTx<'_>, secret_hash: &str) -> Result<()> {
    tx.execute(&DELETE, params![secret_hash]).map(drop)
}
