//! Jobs: long work in small steps that survives a restart (PRODUCT §4, §5).
//!
//! Each kind has a file here that knows how to make one step; [`run`] has what all have in common. The loop that
//! takes jobs and runs them is in the worker.

mod bulk_users;
pub(crate) mod import_users;
mod reindex_users;
mod run;

use denizen_model::{
    JobId, RealmId,
    events::{EventType, NewEvent, SubjectKind, SubjectRef},
    jobs::{ItemOutcome, Job, JobItem, JobPayload, JobState},
    pages::{Cursor, CursorKey, MAX_LIMIT, Page, Total},
    permissions::markers::UsersRead,
};
use denizen_store::{self as store, Events, ReadTx, WriteTx};

pub use bulk_users::{bulk, preview};
pub use import_users::{import_counts, kept_upload};
pub use reindex_users::start_reindex;
pub use run::{Run, Stepped, release_abandoned, take, wait};

use crate::{Actor, App, Cx, Error, May, Result, cx::Detail};

pub(crate) fn subject(job: &Job) -> SubjectRef {
    SubjectRef { kind: SubjectKind::Job, id: job.id.to_string(), name: job.payload.title().to_owned() }
}

pub(crate) fn get_in(tx: &mut ReadTx<'_>, realm: RealmId, id: JobId) -> Result<Job> {
    store::jobs::find(tx, realm, id)?.ok_or_else(|| Error::not_found("job"))
}

/// A page of jobs, newest first. Who sees users sees what is being done to them.
///
/// # Errors
/// When the cursor is of another list.
pub async fn list(app: &App, _cx: &Cx, may: May<UsersRead>, after: Option<Cursor>, limit: u32) -> Result<Page<Job>> {
    check_limit(limit)?;
    let realm = may.realm();
    let before = after.map(|cursor| cursor.id);
    let mut jobs =
        app.db().read(move |tx| Ok::<_, Error>(store::jobs::list(tx, realm, before.as_deref(), limit + 1)?)).await?;
    Ok(page(&mut jobs, limit, |job| Cursor {
        key: CursorKey::Number(job.created_at.as_micros()),
        id: job.id.to_string(),
    }))
}

fn check_limit(limit: u32) -> Result<()> {
    if (1..=MAX_LIMIT).contains(&limit) {
        return Ok(());
    }
    Err(Error::field("limit", format!("Must be between 1 and {MAX_LIMIT}.")))
}

/// One page of what was read with one more than asked for.
fn page<T>(items: &mut Vec<T>, limit: u32, place: impl Fn(&T) -> Cursor) -> Page<T> {
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = items.len() > wanted;
    items.truncate(wanted);
    let next = items.last().filter(|_| more).map(place);
    let total = Total { count: u64::try_from(items.len()).unwrap_or(0), exact: !more };
    Page { items: std::mem::take(items), next, total }
}

/// One job.
///
/// # Errors
/// When there is none of this id.
pub async fn get(app: &App, _cx: &Cx, may: May<UsersRead>, id: JobId) -> Result<Job> {
    let realm = may.realm();
    app.db().peek(move |tx| get_in(tx, realm, id)).await
}

/// A page of what became of a job's items, in order; with `outcome`, only those with that one.
///
/// # Errors
/// When there is no such job.
pub async fn list_items(
    app: &App,
    _cx: &Cx,
    may: &May<UsersRead>,
    id: JobId,
    outcome: Option<ItemOutcome>,
    after: Option<Cursor>,
    limit: u32,
) -> Result<Page<JobItem>> {
    check_limit(limit)?;
    let after = match after {
        None => i64::MIN,
        Some(Cursor { key: CursorKey::Number(position), .. }) => position,
        Some(_) => return Err(Error::field("cursor", "This cursor belongs to another list.")),
    };
    let realm = may.realm();
    let (mut items, counted) = app
        .db()
        .read(move |tx| {
            let job = get_in(tx, realm, id)?;
            let items = store::jobs::list_items(tx, id, outcome, after, limit + 1)?;
            Ok::<_, Error>((items, job.state.is_final().then(|| counted(&job, outcome)).flatten()))
        })
        .await?;
    let mut page = page(&mut items, limit, |item| Cursor { key: CursorKey::Number(item.position), id: String::new() });
    if let Some(count) = counted {
        page.total = Total::exact(count);
    }
    Ok(page)
}

/// How many items of a finished job have an outcome, where the job's own counts say so.
fn counted(job: &Job, outcome: Option<ItemOutcome>) -> Option<u64> {
    // Only a bulk action has an item for each user; an import has one for each line it rejects.
    if !matches!(job.payload, JobPayload::BulkUsers(_)) {
        return None;
    }
    match outcome {
        Some(ItemOutcome::Done) => Some(job.done),
        Some(ItemOutcome::Skipped) => Some(job.skipped),
        Some(ItemOutcome::Failed) => Some(job.failed),
        Some(ItemOutcome::Pending) => job.total.map(|total| total.saturating_sub(job.handled())),
        None => job.total,
    }
}

/// Cancels a job: it ends at its next step, and what was done stays done. One that is over already is left alone.
///
/// # Errors
/// When there is no such job, or the actor could not have started it.
pub async fn cancel(app: &App, cx: &Cx, may: May<UsersRead>, id: JobId) -> Result<Job> {
    let (app2, cx2, realm) = (app.clone(), cx.clone(), may.realm());
    let job = app
        .write(cx, move |mut tx| {
            let job = get_in(&mut tx, realm, id)?;
            // Stopping destroys nothing, so it takes no fresh proof of who asks.
            if matches!(&cx2.actor, Actor::Administrator(admin) if !admin.permissions(realm).covers(job.permissions()))
            {
                return Err(Error::forbidden(job.payload.permission()));
            }
            if job.state.is_final() {
                return Err(Error::conflict("job-over", "This job is over already."));
            }
            if job.cancel_requested {
                return Ok(tx.unaudited("nothing was changed", job)?);
            }
            if !store::jobs::cancel(&mut tx, realm, id, cx2.now)? {
                return Err(Error::conflict("job-over", "This job is over already."));
            }
            let event = cx2
                .event(&app2, realm, EventType::JobCancelled, subject(&job))
                .detail("handled", job.handled())
                .detail("total", job.total);
            let job = get_in(&mut tx, realm, id)?;
            Ok(tx.commit(Events::from(event), job)?)
        })
        .await?;
    app.job_bell().notify_one();
    Ok(job)
}

/// A job of this request that is to be stored by [`insert`].
pub(crate) fn prepare(app: &App, cx: &Cx, realm: RealmId, payload: JobPayload) -> Result<Job> {
    cx.check(realm, payload.permission())?;
    let created_by = match &cx.actor {
        Actor::System(_) => None,
        Actor::Administrator(admin) => Some(admin.id),
        _ => return Err(Error::unauthenticated()),
    };
    Ok(Job {
        id: JobId::new(cx.now, app.id_bytes()),
        realm_id: realm,
        payload,
        state: JobState::Queued,
        progress: serde_json::Value::Null,
        step: 0,
        total: None,
        done: 0,
        skipped: 0,
        failed: 0,
        error: None,
        created_by,
        created_by_name: cx.actor_ref().name,
        cancel_requested: false,
        created_at: cx.now,
        started_at: None,
        finished_at: None,
    })
}

/// Stores a prepared job; its event is to be completed and recorded. With `waits`, it is not taken before
/// [`store::jobs::start`] was called: for input that comes in pieces.
pub(crate) fn insert(tx: &mut WriteTx<'_>, app: &App, cx: &Cx, job: &Job, waits: bool) -> Result<NewEvent> {
    store::jobs::insert(tx, job, waits)?;
    Ok(cx
        .event(app, job.realm_id, EventType::JobCreated, subject(job))
        .detail("kind", job.payload.kind().as_str())
        .detail("title", job.payload.title()))
}

/// Creates a job that any node may take at once. `describe` completes its event.
pub(crate) async fn create<D>(app: &App, cx: &Cx, realm: RealmId, payload: JobPayload, describe: D) -> Result<Job>
where
    D: Fn(NewEvent) -> NewEvent + Send + 'static,
{
    let job = prepare(app, cx, realm, payload)?;
    let (app2, cx2) = (app.clone(), cx.clone());
    let job = app
        .write(cx, move |mut tx| {
            let event = describe(insert(&mut tx, &app2, &cx2, &job, false)?);
            Ok(tx.commit(Events::from(event), job.clone())?)
        })
        .await?;
    app.job_bell().notify_one();
    Ok(job)
}

/// How far a job has come, in the words of its kind.
pub(crate) fn progress_of<T: serde::de::DeserializeOwned + Default>(job: &Job) -> Result<T> {
    job.progress().map_err(|error| Error::internal(format!("the progress of a job cannot be read: {error}")))
}
