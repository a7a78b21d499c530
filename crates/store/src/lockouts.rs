//! Failures that are counted and locks that hold, for users and for names that are nobody's.

use denizen_model::{
    RealmId, Timestamp, UserId,
    authenticators::{Lockout, LockoutKind, LockoutRule},
};

use crate::{
    error::Result,
    sql::statements,
    tx::{ReadTx, WriteTx},
    users::reindex,
    value::{Row, params},
};

statements! {
    LIST = "SELECT kind, failures, window_started_at, locked_until, locks FROM lockouts WHERE realm_id = ?1 AND subject = ?2 ORDER BY kind";
    LOCK = "SELECT kind, failures, window_started_at, locked_until, locks FROM lockouts WHERE realm_id = ?1 AND subject = ?2 AND kind = ?3",
        postgres: "SELECT kind, failures, window_started_at, locked_until, locks FROM lockouts WHERE realm_id = ?1 AND subject = ?2 AND kind = ?3 FOR UPDATE";
    BEGIN = "INSERT INTO lockouts (realm_id, subject, kind, failures, window_started_at, locked_until, locks, is_over, remove_at) VALUES (?1, ?2, ?3, 0, ?4, NULL, 0, true, ?4) ON CONFLICT DO NOTHING";
    PUT = "UPDATE lockouts SET failures = ?4, window_started_at = ?5, locked_until = ?6, locks = ?7, is_over = ?8, remove_at = ?9 WHERE realm_id = ?1 AND subject = ?2 AND kind = ?3";
    CLEAR = "DELETE FROM lockouts WHERE realm_id = ?1 AND subject = ?2 AND kind = ?3 RETURNING is_over";
    ENDED = "SELECT realm_id, subject FROM lockouts WHERE NOT is_over AND locked_until <= ?1 ORDER BY locked_until LIMIT 200";
    OVER = "UPDATE lockouts SET is_over = true WHERE realm_id = ?1 AND subject = ?2 AND NOT is_over AND locked_until <= ?3";
    REMOVE_EXPIRED = "DELETE FROM lockouts WHERE remove_at IN (SELECT remove_at FROM lockouts WHERE remove_at < ?1 AND is_over ORDER BY remove_at LIMIT 1000) AND is_over";
}

/// Of whom failures are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A user.
    User(UserId),
    /// The hash of a name that is nobody's.
    Name(String),
}

impl Subject {
    fn text(&self) -> String {
        match self {
            Self::User(id) => id.to_string(),
            Self::Name(hash) => format!("name {hash}"),
        }
    }
}

fn read_lockout(row: &Row<'_>) -> Result<Lockout> {
    let count = |name| row.i64(name).map(|count| u32::try_from(count).unwrap_or(u32::MAX));
    Ok(Lockout {
        kind: row.named("kind", LockoutKind::from_name)?,
        failures: count("failures")?,
        window_started_at: row.time("window_started_at")?,
        locked_until: row.opt_time("locked_until")?,
        locks: count("locks")?,
    })
}

/// How somebody stands, where anything failed of late.
///
/// # Errors
/// When the database fails.
pub fn list(tx: &mut ReadTx<'_>, realm: RealmId, subject: &Subject) -> Result<Vec<Lockout>> {
    tx.list(&LIST, params![realm, subject.text()], read_lockout)
}

/// Counts a failure. Answers how it stands now, and whether this failure locked it.
///
/// # Errors
/// When the database fails.
pub fn note_failure(
    tx: &mut WriteTx<'_>,
    realm: RealmId,
    subject: &Subject,
    kind: LockoutKind,
    rule: &LockoutRule,
    now: Timestamp,
) -> Result<(Lockout, bool)> {
    let text = subject.text();
    tx.execute(&BEGIN, params![realm, &text, kind.as_str(), now])?;
    let before = tx.find(&LOCK, params![realm, &text, kind.as_str()], read_lockout)?;
    let before = before.unwrap_or_else(|| Lockout::new(kind, now));
    if before.locked_until(now).is_some() {
        // It was locked by another attempt at this moment; nothing was looked at.
        return Ok((before, false));
    }
    let after = before.after_failure(rule, now);
    let is_locked = after.locked_until(now).is_some();
    tx.execute(
        &PUT,
        params![
            realm,
            &text,
            kind.as_str(),
            after.failures,
            after.window_started_at,
            after.locked_until,
            after.locks,
            !is_locked,
            after.forgotten_at(rule),
        ],
    )?;
    if is_locked && let Subject::User(id) = subject {
        reindex(tx, realm, *id)?;
    }
    Ok((after, is_locked))
}

/// Forgets failures and locks. Answers whether a lock held.
///
/// # Errors
/// When the database fails.
pub fn clear(tx: &mut WriteTx<'_>, realm: RealmId, user: UserId, kind: LockoutKind) -> Result<bool> {
    let text = Subject::User(user).text();
    let was_over = tx.find(&CLEAR, params![realm, &text, kind.as_str()], |row| row.bool("is_over"))?;
    let held = was_over == Some(false);
    if held {
        reindex(tx, realm, user)?;
    }
    Ok(held)
}

/// Takes locks whose time is over out of the index of users, a portion of them. Answers how many.
///
/// # Errors
/// When the database fails.
pub fn note_ended(tx: &mut WriteTx<'_>, now: Timestamp) -> Result<u64> {
    let ended = tx.list(&ENDED, params![now], |row| Ok((row.parse::<RealmId>("realm_id")?, row.text("subject")?)))?;
    let mut count = 0;
    for (realm, subject) in ended {
        count += tx.execute(&OVER, params![realm, &subject, now])?;
        if let Ok(user) = subject.parse() {
            reindex(tx, realm, user)?;
        }
    }
    Ok(count)
}

/// Removes a portion of what matters no more.
pub(crate) fn remove_expired(tx: &mut WriteTx<'_>, now: Timestamp) -> Result<u64> {
    tx.execute(&REMOVE_EXPIRED, params![now])
}
