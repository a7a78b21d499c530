//! Removal of what has expired, in small steps that never block anyone for long.

use std::time::Duration;

use denizen_model::Timestamp;

use crate::{
    conn::Engine,
    db::Db,
    error::Result,
    jobs,
    sql::statements,
    tx::{ReadTx, WriteTx},
    value::params,
};

statements! {
    CODES = "DELETE FROM codes WHERE secret_hash IN (SELECT secret_hash FROM codes WHERE expires_at < ?1 LIMIT 1000)";
    GRANTS = "DELETE FROM grants WHERE id IN (SELECT id FROM grants WHERE expires_at < ?1 LIMIT 1000)";
    TOKENS = "DELETE FROM revoked_tokens WHERE jti IN (SELECT jti FROM revoked_tokens WHERE expires_at < ?1 LIMIT 1000)";
    SESSIONS = "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE remove_at < ?1 LIMIT 500)";
    IDEMPOTENCY = "DELETE FROM idempotency_keys WHERE expires_at < ?1";
    MERGE_TEXTS = "SELECT 0 AS pages", postgres: "SELECT gin_clean_pending_list('user_index_search') AS pages";
    PING = "SELECT 1 AS one";
}

/// How long codes and links that have expired are kept, so that whoever comes with one is told by the log what was wrong.
const TOLD_FOR: Duration = Duration::from_secs(24 * 3600);

/// Removes a portion of everything that expired before `now`. Answers how many rows went; zero when done.
///
/// # Errors
/// When the database fails.
pub fn remove_expired(tx: &mut WriteTx<'_>, now: Timestamp) -> Result<u64> {
    let mut removed = 0;
    for statement in [&CODES, &GRANTS, &TOKENS, &SESSIONS, &IDEMPOTENCY] {
        removed += tx.execute(statement, params![now])?;
    }
    removed += crate::logout_notices::remove_old(tx, now)?;
    // For a while it can still be told of a code or a link why it works no more.
    removed += crate::action_tokens::remove_expired(tx, now.minus(TOLD_FOR))?;
    removed += crate::lockouts::remove_expired(tx, now)?;
    removed += crate::one_time_codes::remove_expired(tx, now.minus(TOLD_FOR))?;
    removed += crate::remembered_devices::remove_expired(tx, now)?;
    Ok(removed + jobs::remove_expired(tx, now)?)
}

/// Sorts what was written lately into the index of texts. PostgreSQL gathers it in a list, up to 4 MiB long, that each
/// search reads to its end; SQLite does so by itself. Answers how many pages the list had.
///
/// # Errors
/// When the database fails.
pub async fn merge_texts(db: &Db) -> Result<i64> {
    if db.engine() == Engine::Sqlite {
        return Ok(0);
    }
    db.write(|mut tx| {
        let pages = tx.find(&MERGE_TEXTS, &[], |row| row.i64("pages"))?.unwrap_or(0);
        tx.unaudited("the order of an index", pages)
    })
    .await
}

/// Whether the database answers.
///
/// # Errors
/// When it does not.
pub fn ping(tx: &mut ReadTx<'_>) -> Result<()> {
    tx.find(&PING, &[], |_| Ok(())).map(drop)
}
