//! Answers to POST requests that carry an `Idempotency-Key`.

use denizen_model::Timestamp;

use crate::{
    error::Result,
    sql::statements,
    tx::{ReadTx, WriteTx},
    value::params,
};

statements! {
    FIND = "SELECT request_hash, response_sealed FROM idempotency_keys WHERE actor = ?1 AND idempotency_key = ?2";
    CLAIM = "INSERT INTO idempotency_keys (actor, idempotency_key, request_hash, expires_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
    ANSWERED = "UPDATE idempotency_keys SET response_sealed = ?3 WHERE actor = ?1 AND idempotency_key = ?2";
}

/// A key that was used before.
#[derive(Debug, Clone)]
pub struct Used {
    /// What was asked then.
    pub request_hash: String,
    /// What was answered, sealed; none when the answer was never noted.
    pub response_sealed: Option<String>,
}

/// What is known of a key.
///
/// # Errors
/// When the database fails.
pub fn find(tx: &mut ReadTx<'_>, actor: &str, key: &str) -> Result<Option<Used>> {
    tx.find(&FIND, params![actor, key], |row| {
        Ok(Used { request_hash: row.text("request_hash")?, response_sealed: row.opt_text("response_sealed")? })
    })
}

/// Takes a key in the transaction of the change it guards. Answers whether it was free.
///
/// # Errors
/// When the database fails.
pub fn claim(tx: &mut WriteTx<'_>, actor: &str, key: &str, request_hash: &str, expires_at: Timestamp) -> Result<bool> {
    Ok(tx.execute(&CLAIM, params![actor, key, request_hash, expires_at])? == 1)
}

/// Notes the answer that was given.
///
/// # Errors
/// When the database fails.
pub fn note_answer(tx: &mut WriteTx<'_>, actor: &str, key: &str, response_sealed: &str) -> Result<()> {
    tx.execute(&ANSWERED, params![actor, key, response_sealed]).map(drop)
}
