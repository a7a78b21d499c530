//! Jobs: who works on which, how far they are, what became of each of their items.
//!
//! A node takes a job under a lease: a random text that it must show with each step. A step counts up a number, so
//! that it is committed at most once whatever becomes of the connection, and a node whose job was taken by another
//! in the meantime commits nothing more.

use std::time::Duration;

use denizen_model::{
    JobId, RealmId, Timestamp,
    jobs::{ItemOutcome, Job, JobItem, JobPayload, JobState},
};
use serde_json::Value as Json;

use crate::{
    error::Result,
    sql::{Rows, statements},
    tx::{ReadTx, WriteTx},
    value::{Row, params, to_json},
};

macro_rules! columns {
    () => {
        "id, realm_id, state, payload, progress, step, total, done, skipped, failed, error, created_by, \
         created_by_name, cancel_requested, created_at, started_at, finished_at"
    };
}

statements! {
    INSERT = "INSERT INTO jobs (id, realm_id, kind, state, payload, progress, step, done, skipped, failed, created_by, created_by_name, cancel_requested, lease, leased_until, created_at) VALUES (?1, ?2, ?3, ?4, ?5, 'null', 0, 0, 0, 0, ?6, ?7, ?8, '', ?9, ?10)";
    SET_PAYLOAD = "UPDATE jobs SET payload = ?2, total = ?3 WHERE id = ?1 AND lease = '' AND state = 'queued'";
    DISCARD = "DELETE FROM jobs WHERE realm_id = ?1 AND id = ?2 AND leased_until = ?3 AND finished_at IS NULL";
    IS_WAITING = "SELECT 1 AS waiting FROM jobs WHERE realm_id = ?1 AND id = ?2 AND leased_until = ?3 AND finished_at IS NULL";
    START = "UPDATE jobs SET leased_until = 0 WHERE id = ?1 AND lease = '' AND state = 'queued'";
    DUE = "SELECT 1 AS due FROM jobs WHERE finished_at IS NULL AND leased_until <= ?1 LIMIT 1";
    FIND = concat!("SELECT ", columns!(), " FROM jobs WHERE realm_id = ?1 AND id = ?2");
    LIST = concat!("SELECT ", columns!(), " FROM jobs WHERE realm_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3");
    FIND_HELD = concat!("SELECT ", columns!(), " FROM jobs WHERE id = ?1 AND lease = ?2 AND finished_at IS NULL");
    TAKE = concat!("UPDATE jobs SET lease = ?2, leased_until = ?3, state = 'running', started_at = coalesce(started_at, ?1) WHERE id = (SELECT id FROM jobs WHERE finished_at IS NULL AND leased_until <= ?1 ORDER BY leased_until, id LIMIT 1) RETURNING ", columns!()),
        postgres: concat!("UPDATE jobs SET lease = ?2, leased_until = ?3, state = 'running', started_at = coalesce(started_at, ?1) WHERE id = (SELECT id FROM jobs WHERE finished_at IS NULL AND leased_until <= ?1 ORDER BY leased_until, id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING ", columns!());
    HOLD = concat!("UPDATE jobs SET leased_until = ?4, step = step + 1 WHERE id = ?1 AND lease = ?2 AND step = ?3 AND finished_at IS NULL RETURNING ", columns!());
    RELEASE = "UPDATE jobs SET leased_until = 0 WHERE id = ?1 AND lease = ?2 AND finished_at IS NULL";
    RELEASE_ALL = "UPDATE jobs SET leased_until = 0 WHERE finished_at IS NULL AND lease <> ''";
    ADVANCE = "UPDATE jobs SET progress = ?2, total = ?3, done = done + ?4, skipped = skipped + ?5, failed = failed + ?6 WHERE id = ?1";
    FINISH = "UPDATE jobs SET state = ?2, error = ?3, finished_at = ?4, leased_until = 0 WHERE id = ?1 AND finished_at IS NULL";
    REQUEST_CANCEL = "UPDATE jobs SET cancel_requested = ?3 WHERE realm_id = ?1 AND id = ?2 AND finished_at IS NULL";
    FINISH_QUEUED = "UPDATE jobs SET state = 'cancelled', finished_at = ?3 WHERE realm_id = ?1 AND id = ?2 AND state = 'queued'";
    ADD_ITEMS = "INSERT INTO job_items (job_id, position, subject, name, outcome, message) SELECT ?1, ?2 + key, json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'), json_extract(value, '$[3]') FROM json_each(?3) WHERE true",
        postgres: "INSERT INTO job_items (job_id, position, subject, name, outcome, message) SELECT CAST(?1 AS TEXT), CAST(?2 AS BIGINT) + place - 1, value->>0, value->>1, value->>2, value->>3 FROM json_array_elements(CAST(CAST(?3 AS TEXT) AS json)) WITH ORDINALITY AS given (value, place)";
    PUT_ITEM = "INSERT INTO job_items (job_id, position, subject, name, outcome, message) VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (job_id, position) DO UPDATE SET subject = excluded.subject, name = excluded.name, outcome = excluded.outcome, message = excluded.message";
    SETTLE = "UPDATE job_items SET outcome = ?2, message = ?3 WHERE job_id = ?1 AND position IN (SELECT value FROM json_each(?4))",
        postgres: "UPDATE job_items SET outcome = ?2, message = ?3 WHERE job_id = ?1 AND position = ANY (ARRAY(SELECT CAST(json_array_elements_text(CAST(CAST(?4 AS TEXT) AS json)) AS BIGINT)))";
    LIST_ITEMS = "SELECT position, subject, name, outcome, message FROM job_items WHERE job_id = ?1 AND position > ?2 ORDER BY position LIMIT ?3";
    LIST_ITEMS_OF = "SELECT position, subject, name, outcome, message FROM job_items WHERE job_id = ?1 AND outcome = ?4 AND position > ?2 ORDER BY position LIMIT ?3";
    ADD_INPUT = "INSERT INTO job_inputs (job_id, part, content) VALUES (?1, ?2, ?3)";
    FIND_INPUT = "SELECT content FROM job_inputs WHERE job_id = ?1 AND part = ?2";
    MOVE_INPUTS = "UPDATE job_inputs SET job_id = ?2 WHERE job_id = ?1";
    REMOVE_INPUTS = "DELETE FROM job_inputs WHERE job_id = ?1";
    REMOVE_ITEMS = "DELETE FROM job_items WHERE job_id = ?1 AND position IN (SELECT position FROM job_items WHERE job_id = ?1 ORDER BY position LIMIT 5000)";
    LIST_OLD = "SELECT id FROM jobs WHERE finished_at < ?1 ORDER BY finished_at LIMIT 20";
    REMOVE_ABANDONED = "DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE finished_at IS NULL AND leased_until = ?2 AND created_at < ?1 ORDER BY id LIMIT 5)";
    DELETE = "DELETE FROM jobs WHERE id = ?1";
}

/// The columns of an item.
pub(crate) const ITEMS: Rows =
    Rows { table: "job_items", columns: "job_id, position, subject, name, outcome, message" };

/// As a lease's end: nobody may take it, since what it needs is still being uploaded.
const NOT_YET: i64 = i64::MAX;

/// How long an upload that was not brought to its end is kept.
const UPLOAD_TIME: Duration = Duration::from_secs(24 * 3600);

/// How long a finished job can be looked at.
pub const KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

fn read_job(row: &Row<'_>) -> Result<Job> {
    let id = row.parse("id")?;
    let realm_id = row.parse("realm_id")?;
    let state = row.named("state", JobState::from_name)?;
    let payload = row.json("payload")?;
    let progress = row.json("progress")?;
    let step = row.i64("step")?;
    let total = row.opt_count("total")?;
    let done = row.count("done")?;
    let skipped = row.count("skipped")?;
    let failed = row.count("failed")?;
    let error = row.opt_text("error")?;
    let created_by = row.opt_parse("created_by")?;
    let created_by_name = row.text("created_by_name")?;
    let cancel_requested = row.bool("cancel_requested")?;
    let created_at = row.time("created_at")?;
    let started_at = row.opt_time("started_at")?;
    let finished_at = row.opt_time("finished_at")?;
    Ok(Job {
        id,
        realm_id,
        payload,
        state,
        progress,
        step,
        total,
        done,
        skipped,
        failed,
        error,
        created_by,
        created_by_name,
        cancel_requested,
        created_at,
        started_at,
        finished_at,
    })
}

fn read_item(row: &Row<'_>) -> Result<JobItem> {
    Ok(JobItem {
        position: row.i64("position")?,
        subject: row.text("subject")?,
        name: row.text("name")?,
        outcome: row.named("outcome", ItemOutcome::from_name)?,
        message: row.text("message")?,
    })
}

/// Stores a new job, to be taken by any node: at once, or with `waits` when it is [started](start).
///
/// # Errors
/// When the database fails.
pub fn insert(tx: &mut WriteTx<'_>, job: &Job, waits: bool) -> Result<()> {
    let payload = to_json(&job.payload)?;
    let values = params![
        job.id,
        job.realm_id,
        job.payload.kind().as_str(),
        JobState::Queued.as_str(),
        payload,
        job.created_by,
        &job.created_by_name,
        false,
        if waits { NOT_YET } else { 0 },
        job.created_at,
    ];
    tx.execute(&INSERT, values).map(drop)
}

/// Says what a job that waits is to do, and how many items it has, now that both are known.
///
/// # Errors
/// When the database fails.
pub fn set_payload(tx: &mut WriteTx<'_>, id: JobId, payload: &JobPayload, total: Option<u64>) -> Result<()> {
    let total = total.map(|total| i64::try_from(total).unwrap_or(i64::MAX));
    tx.execute(&SET_PAYLOAD, params![id, to_json(payload)?, total]).map(drop)
}

/// Whether a job waits for what it needs.
///
/// # Errors
/// When the database fails.
pub fn is_waiting(tx: &mut ReadTx<'_>, realm: RealmId, id: JobId) -> Result<bool> {
    Ok(tx.find(&IS_WAITING, params![realm, id, NOT_YET], |_| Ok(()))?.is_some())
}

/// Removes a job that waits for what it needs and will not get it. Answers whether there was one.
///
/// # Errors
/// When the database fails.
pub fn discard(tx: &mut WriteTx<'_>, realm: RealmId, id: JobId) -> Result<bool> {
    Ok(tx.execute(&DISCARD, params![realm, id, NOT_YET])? == 1)
}

/// Lets nodes take a job that waited for what it needs. Answers whether it still waited.
///
/// # Errors
/// When the database fails.
pub fn start(tx: &mut WriteTx<'_>, id: JobId) -> Result<bool> {
    Ok(tx.execute(&START, params![id])? == 1)
}

/// Whether there is a job that nobody works on.
///
/// # Errors
/// When the database fails.
pub fn is_due(tx: &mut ReadTx<'_>, now: Timestamp) -> Result<bool> {
    Ok(tx.find(&DUE, params![now], |_| Ok(()))?.is_some())
}

/// The job of this id in this realm.
///
/// # Errors
/// When the database fails.
pub fn find(tx: &mut ReadTx<'_>, realm: RealmId, id: JobId) -> Result<Option<Job>> {
    tx.find(&FIND, params![realm, id], read_job)
}

/// Jobs of a realm, newest first, from the one before `before`.
///
/// # Errors
/// When the database fails.
pub fn list(tx: &mut ReadTx<'_>, realm: RealmId, before: Option<&str>, limit: u32) -> Result<Vec<Job>> {
    // No id comes after this.
    let before = before.unwrap_or("g");
    tx.list(&LIST, params![realm, before, limit], read_job)
}

/// Takes a job that nobody works on, for this lease.
///
/// # Errors
/// When the database fails.
pub fn take(tx: &mut WriteTx<'_>, lease: &str, now: Timestamp, until: Timestamp) -> Result<Option<Job>> {
    tx.find(&TAKE, params![now, lease, until], read_job)
}

/// A job as long as this lease holds it.
///
/// # Errors
/// When the database fails.
pub fn find_held(tx: &mut ReadTx<'_>, id: JobId, lease: &str) -> Result<Option<Job>> {
    tx.find(&FIND_HELD, params![id, lease], read_job)
}

/// Begins a step in its transaction: extends the lease, counts the step, and keeps others off the job until the
/// transaction ends. Nothing when the lease no longer holds the job, or the step was made already.
///
/// # Errors
/// When the database fails.
pub fn hold(tx: &mut WriteTx<'_>, id: JobId, lease: &str, step: i64, until: Timestamp) -> Result<Option<Job>> {
    tx.find(&HOLD, params![id, lease, step, until], read_job)
}

/// Gives a job back, for any node to take at once.
///
/// # Errors
/// When the database fails.
pub fn release(tx: &mut WriteTx<'_>, id: JobId, lease: &str) -> Result<()> {
    tx.execute(&RELEASE, params![id, lease]).map(drop)
}

/// Gives back all jobs: for a start on a database that no other process works with.
///
/// # Errors
/// When the database fails.
pub fn release_all(tx: &mut WriteTx<'_>) -> Result<()> {
    tx.execute(&RELEASE_ALL, &[]).map(drop)
}

/// How many items a step has brought to which end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Done.
    pub done: u32,
    /// Nothing was to be done.
    pub skipped: u32,
    /// Refused.
    pub failed: u32,
}

/// Notes how far a job has come.
///
/// # Errors
/// When the database fails.
pub fn advance(tx: &mut WriteTx<'_>, id: JobId, progress: &Json, total: Option<u64>, counts: Counts) -> Result<()> {
    let total = total.map(|total| i64::try_from(total).unwrap_or(i64::MAX));
    let values = params![id, to_json(progress)?, total, counts.done, counts.skipped, counts.failed];
    tx.execute(&ADVANCE, values).map(drop)
}

/// Ends a job, and drops what was uploaded for it.
///
/// # Errors
/// When the database fails.
pub fn finish(tx: &mut WriteTx<'_>, id: JobId, state: JobState, error: Option<&str>, now: Timestamp) -> Result<bool> {
    let ended = tx.execute(&FINISH, params![id, state.as_str(), error, now])? == 1;
    if ended {
        tx.execute(&REMOVE_INPUTS, params![id])?;
    }
    Ok(ended)
}

/// Asks for a job to end at its next step; one that nobody has begun ends at once. Answers whether it was not over.
///
/// # Errors
/// When the database fails.
pub fn cancel(tx: &mut WriteTx<'_>, realm: RealmId, id: JobId, now: Timestamp) -> Result<bool> {
    if tx.execute(&REQUEST_CANCEL, params![realm, id, true])? == 0 {
        return Ok(false);
    }
    if tx.execute(&FINISH_QUEUED, params![realm, id, now])? == 1 {
        tx.execute(&REMOVE_INPUTS, params![id])?;
    }
    Ok(true)
}

/// Adds items at consecutive positions from `from` on.
///
/// # Errors
/// When the database fails, or there are items at these positions.
pub fn add_items(tx: &mut WriteTx<'_>, id: JobId, from: i64, items: &[(&str, &str, ItemOutcome, &str)]) -> Result<()> {
    let rows: Vec<[&str; 4]> =
        items.iter().map(|(subject, name, outcome, message)| [*subject, *name, outcome.as_str(), *message]).collect();
    tx.execute(&ADD_ITEMS, params![id, from, to_json(&rows)?]).map(drop)
}

/// Writes one item, or writes it anew.
///
/// # Errors
/// When the database fails.
pub fn put_item(tx: &mut WriteTx<'_>, id: JobId, item: &JobItem) -> Result<()> {
    let values = params![id, item.position, &item.subject, &item.name, item.outcome.as_str(), &item.message];
    tx.execute(&PUT_ITEM, values).map(drop)
}

/// Writes items by the hundred, at positions where there are none yet.
///
/// # Errors
/// When the database fails.
pub fn insert_items(tx: &mut WriteTx<'_>, id: JobId, items: &[JobItem]) -> Result<()> {
    let rows = items.iter().map(|item| {
        Ok(params![id, item.position, &item.subject, &item.name, item.outcome.as_str(), &item.message].to_vec())
    });
    tx.insert_rows(&ITEMS, rows)
}

/// Gives items their outcome.
///
/// # Errors
/// When the database fails.
pub fn settle(tx: &mut WriteTx<'_>, id: JobId, positions: &[i64], outcome: ItemOutcome, message: &str) -> Result<()> {
    tx.execute(&SETTLE, params![id, outcome.as_str(), message, to_json(&positions)?]).map(drop)
}

/// Items after a position, in order; with `outcome`, only those with that one.
///
/// # Errors
/// When the database fails.
pub fn list_items(
    tx: &mut ReadTx<'_>,
    id: JobId,
    outcome: Option<ItemOutcome>,
    after: i64,
    limit: u32,
) -> Result<Vec<JobItem>> {
    match outcome {
        None => tx.list(&LIST_ITEMS, params![id, after, limit], read_item),
        Some(outcome) => tx.list(&LIST_ITEMS_OF, params![id, after, limit, outcome.as_str()], read_item),
    }
}

/// Stores a piece of what was uploaded for a job. Pieces are counted from 0.
///
/// # Errors
/// When the database fails, or there is such a piece.
pub fn add_input(tx: &mut WriteTx<'_>, id: JobId, part: i64, content: &str) -> Result<()> {
    tx.execute(&ADD_INPUT, params![id, part, content]).map(drop)
}

/// Gives what was uploaded for one job to another.
///
/// # Errors
/// When the database fails.
pub fn move_inputs(tx: &mut WriteTx<'_>, from: JobId, to: JobId) -> Result<()> {
    tx.execute(&MOVE_INPUTS, params![from, to]).map(drop)
}

/// A piece of what was uploaded for a job.
///
/// # Errors
/// When the database fails.
pub fn find_input(tx: &mut ReadTx<'_>, id: JobId, part: i64) -> Result<Option<String>> {
    tx.find(&FIND_INPUT, params![id, part], |row| row.text("content"))
}

/// Removes a portion of the jobs that ended [so long ago](KEPT_FOR) and of their items, and of uploads that were
/// abandoned. Answers how many rows went.
///
/// # Errors
/// When the database fails.
pub fn remove_expired(tx: &mut WriteTx<'_>, now: Timestamp) -> Result<u64> {
    let old: Vec<JobId> = tx.list(&LIST_OLD, params![now.minus(KEPT_FOR)], |row| row.parse("id"))?;
    let mut removed = tx.execute(&REMOVE_ABANDONED, params![now.minus(UPLOAD_TIME), NOT_YET])?;
    for id in old {
        let items = tx.execute(&REMOVE_ITEMS, params![id])?;
        removed += items;
        if items > 0 {
            break;
        }
        removed += tx.execute(&DELETE, params![id])?;
    }
    Ok(removed)
}
