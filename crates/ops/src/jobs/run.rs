//! Running a job: what all kinds have in common.
//!
//! A kind's `step` reads what it needs and then calls [`Run::commit`] once: one transaction that does a part of
//! the work and records in the same transaction how far the job has come. So a step is made altogether or not at
//! all, whatever dies in between; and since that transaction begins by extending the lease and counting the step,
//! it is made once, by the node that holds the job.

use std::{sync::Mutex, time::Duration};

use denizen_model::{
    JobId, Timestamp,
    events::{EventType, NewEvent},
    jobs::{Job, JobPayload, JobState},
};
use denizen_store::{self as store, Audited, Engine, Events, WriteTx, jobs::Counts};
use serde::Serialize;
use serde_json::Value;

use super::{bulk_users, import_users, reindex_users, subject};
use crate::{Actor, App, Cx, Error, ErrorKind, Result, admins, crypto::B64, cx::Detail};

/// For how long a job is a node's own after each of its steps. A step takes a fraction of it.
const LEASE: Duration = Duration::from_secs(15);

/// A job under this node's lease.
pub struct Run {
    app: App,
    job: Job,
    lease: String,
    /// What the next step of an import begins with, looked at while this one is written.
    pub(super) ahead: Mutex<Option<import_users::Ahead>>,
}

/// What came of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stepped {
    /// There is more to do.
    More,
    /// The job is over.
    Ended,
    /// Another node has the job now.
    Lost,
}

/// How far a step has brought its job.
pub(crate) struct Advance {
    progress: Value,
    total: Option<u64>,
    counts: Counts,
    finished: bool,
    events: Vec<NewEvent>,
}

impl Advance {
    /// To this place, in the words of the job's kind.
    pub(crate) fn to(progress: &impl Serialize) -> Result<Self> {
        let progress = serde_json::to_value(progress).map_err(|error| Error::internal(error.to_string()))?;
        Ok(Self { progress, total: None, counts: Counts::default(), finished: false, events: Vec::new() })
    }

    /// How many items the job has, now that it is known.
    pub(crate) fn total(mut self, total: u64) -> Self {
        self.total = Some(total);
        self
    }

    /// What became of the step's items.
    pub(crate) fn counts(mut self, counts: Counts) -> Self {
        self.counts = counts;
        self
    }

    /// The events of the step's changes.
    pub(crate) fn events(mut self, events: Vec<NewEvent>) -> Self {
        self.events = events;
        self
    }

    /// Whether the job is done with it.
    pub(crate) fn finished(mut self, finished: bool) -> Self {
        self.finished = finished;
        self
    }
}

/// Takes a job that nobody works on.
///
/// # Errors
/// When the database fails.
pub async fn take(app: &App) -> Result<Option<Run>> {
    use base64::Engine as _;
    let now = app.now();
    if !app.db().peek(move |tx| Ok::<_, Error>(store::jobs::is_due(tx, now)?)).await? {
        return Ok(None);
    }
    let lease = B64.encode(app.rng().bytes::<16>());
    let text = lease.clone();
    let taken = app
        .db()
        .write(move |mut tx| {
            let job = store::jobs::take(&mut tx, &text, now, now.plus(LEASE))?;
            Ok::<_, Error>(tx.unaudited("which node works on a job is no event", job)?)
        })
        .await?;
    Ok(taken.map(|job| Run { app: app.clone(), job, lease, ahead: Mutex::default() }))
}

/// Waits until a job was created on this node.
pub async fn wait(app: &App) {
    app.job_bell().notified().await;
}

/// Gives back what the process before this one was working on, where no other process can be: on SQLite. Elsewhere
/// leases run out.
///
/// # Errors
/// When the database fails.
pub async fn release_abandoned(app: &App) -> Result<()> {
    if app.db().engine() != Engine::Sqlite {
        return Ok(());
    }
    app.db()
        .write(move |mut tx| {
            store::jobs::release_all(&mut tx)?;
            Ok(tx.unaudited("which node works on a job is no event", ())?)
        })
        .await
}

impl Run {
    /// The application.
    pub(crate) fn app(&self) -> &App {
        &self.app
    }

    /// The job as it stood after the last step.
    #[must_use]
    pub fn job(&self) -> &Job {
        &self.job
    }

    /// Makes the next step.
    ///
    /// # Errors
    /// When it could not be made. Whether to try again says [`may_pass`](Self::may_pass).
    pub async fn step(&mut self) -> Result<Stepped> {
        let after = match &self.job.payload {
            JobPayload::BulkUsers(bulk) => bulk_users::step(self, bulk).await?,
            JobPayload::ImportUsers(import) => import_users::step(self, import).await?,
            JobPayload::ReindexUsers => reindex_users::step(self).await?,
        };
        let Some(job) = after else { return Ok(Stepped::Lost) };
        self.job = job;
        Ok(if self.job.state.is_final() { Stepped::Ended } else { Stepped::More })
    }

    /// Whether a failure is one that passes: the database was gone, or somebody else changed a record meanwhile.
    #[must_use]
    pub fn may_pass(error: &Error) -> bool {
        matches!(*error.kind, ErrorKind::Unavailable | ErrorKind::NotWritable | ErrorKind::Changed)
    }

    /// Reads the job anew, after a failure that leaves open what was committed. Answers whether it is still this
    /// node's.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reload(&mut self) -> Result<bool> {
        let (id, lease) = (self.job.id, self.lease.clone());
        let held = app_read_held(&self.app, id, lease).await?;
        let Some(job) = held else { return Ok(false) };
        self.job = job;
        Ok(true)
    }

    /// Ends the job for an error that does not pass.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn fail(&self, error: &Error) -> Result<()> {
        let reason = match *error.kind {
            ErrorKind::Internal => "Something went wrong here; the server's log says more.".to_owned(),
            _ => error.message.clone(),
        };
        let (app, id, lease, now) = (self.app.clone(), self.job.id, self.lease.clone(), self.app.now());
        self.app
            .db()
            .write(move |mut tx| {
                let held = store::jobs::find_held(&mut tx, id, &lease)?;
                let step = held.map_or(-1, |job| job.step);
                match store::jobs::hold(&mut tx, id, &lease, step, now)? {
                    Some(job) => Ok(end(tx, &app, job, JobState::Failed, Some(&reason), Vec::new())?),
                    None => Ok::<_, Error>(tx.unaudited("another node has the job", None)?),
                }
            })
            .await
            .map(drop)
    }

    /// Gives the job back, for any node to take at once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn release(&self) -> Result<()> {
        let (id, lease) = (self.job.id, self.lease.clone());
        self.app
            .db()
            .write(move |mut tx| {
                store::jobs::release(&mut tx, id, &lease)?;
                Ok(tx.unaudited("which node works on a job is no event", ())?)
            })
            .await
    }

    /// The transaction of a step. `work` gets the context of whoever started the job, with what they may do at this
    /// moment. It is not called when the job was cancelled, or its creator may not do it any more; then the job
    /// ends. Answers the job after the step; `None` when another node has it.
    pub(crate) async fn commit<F>(&self, mut work: F) -> Result<Option<Job>>
    where
        F: FnMut(&mut WriteTx<'_>, &Cx, &Job) -> Result<Advance> + Send + 'static,
    {
        let (app, id, lease, step) = (self.app.clone(), self.job.id, self.lease.clone(), self.job.step);
        let now = app.now();
        self.app
            .db()
            .write(move |mut tx| {
                let Some(mut job) = store::jobs::hold(&mut tx, id, &lease, step, now.plus(LEASE))? else {
                    return Ok(tx.unaudited("another node has the job", None)?);
                };
                if job.cancel_requested {
                    return end(tx, &app, job, JobState::Cancelled, None, Vec::new());
                }
                let cx = match creator(&mut tx, &app, &job, now)? {
                    Ok(cx) => cx,
                    Err(reason) => return end(tx, &app, job, JobState::Failed, Some(&reason), Vec::new()),
                };
                let advance = work(&mut tx, &cx, &job)?;
                let Advance { progress, total, counts, finished, events } = advance;
                job.progress = progress;
                job.total = total.or(job.total);
                job.done += u64::from(counts.done);
                job.skipped += u64::from(counts.skipped);
                job.failed += u64::from(counts.failed);
                store::jobs::advance(&mut tx, id, &job.progress, job.total, counts)?;
                if finished {
                    return end(tx, &app, job, JobState::Done, None, events);
                }
                let mut events = events.into_iter();
                match events.next() {
                    Some(first) => Ok(tx.commit(Events::new(first, events), Some(job))?),
                    None => Ok(tx.unaudited("a job's beginning and end have their events", Some(job))?),
                }
            })
            .await
    }
}

async fn app_read_held(app: &App, id: JobId, lease: String) -> Result<Option<Job>> {
    app.db().read(move |tx| Ok(store::jobs::find_held(tx, id, &lease)?)).await
}

/// The context of whoever started a job, or why they may not go on with it.
fn creator(tx: &mut WriteTx<'_>, app: &App, job: &Job, now: Timestamp) -> Result<std::result::Result<Cx, String>> {
    let mut cx = Cx::system(app, "jobs");
    cx.now = now;
    let Some(id) = job.created_by else { return Ok(Ok(cx)) };
    let Some(user) = store::users::find_anywhere(tx, id)?.filter(|user| user.enabled) else {
        return Ok(Err("Whoever started this is no longer there, or disabled.".to_owned()));
    };
    let admin = admins::administrator_in(tx, &user, None, None)?;
    let needed = job.payload.permission();
    if !admin.permissions(job.realm_id).contains(needed) {
        return Ok(Err(format!("Whoever started this no longer has the permission {needed}.")));
    }
    Ok(Ok(cx.acting_as(Actor::Administrator(Box::new(admin)))))
}

/// Ends a job in a transaction of its own step.
fn end(
    mut tx: WriteTx<'_>,
    app: &App,
    mut job: Job,
    state: JobState,
    error: Option<&str>,
    events: Vec<NewEvent>,
) -> Result<Audited<Option<Job>>> {
    let cx = Cx::system(app, "jobs");
    store::jobs::finish(&mut tx, job.id, state, error, cx.now)?;
    (job.state, job.error, job.finished_at) = (state, error.map(str::to_owned), Some(cx.now));
    let mut event = cx
        .event(app, job.realm_id, EventType::JobFinished, subject(&job))
        .detail("state", state.as_str())
        .detail("total", job.total)
        .detail("done", job.done)
        .detail("skipped", job.skipped)
        .detail("failed", job.failed);
    if let Some(error) = error {
        event = event.failed(error);
    }
    Ok(tx.commit(Events::new(event, events), Some(job))?)
}
