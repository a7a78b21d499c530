//! Creating users from a file: a piece of the file a step. What becomes of its rows is in
//! [`users::import`](crate::users::import).

use std::{collections::BTreeMap, sync::Arc};

use denizen_model::{
    JobId,
    imports::ImportOutcome,
    jobs::{ImportUsers, Job, JobState},
};
use denizen_store::{self as store, Engine, jobs::Counts};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use super::{Run, progress_of, run::Advance};
use crate::{
    Cx, Error, ErrorKind, RealmState, Result,
    users::import::{
        apply::apply,
        prepare::{Prepared, prepare},
    },
};

/// From so many new users on, the database is told how its tables have grown.
const MANY: u64 = 10_000;

/// How far it has come.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// Pieces that are done.
    pieces: i64,
    /// Lines that are done.
    lines: u64,
    /// How many rows had which outcome, by its name.
    counts: BTreeMap<String, u64>,
    /// After a dry run, the job that waits with the same file, to be started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kept: Option<JobId>,
}

impl Progress {
    fn count(&self, outcome: ImportOutcome) -> u64 {
        self.counts.get(outcome.as_str()).copied().unwrap_or(0)
    }
}

/// What became of a job's rows so far, by outcome.
///
/// # Errors
/// When it is no import.
pub fn import_counts(job: &Job) -> Result<Vec<(ImportOutcome, u64)>> {
    let progress: Progress = progress_of(job)?;
    Ok(ImportOutcome::ALL.iter().map(|outcome| (*outcome, progress.count(*outcome))).collect())
}

/// The upload that a finished dry run has left to be imported, while there is one.
///
/// # Errors
/// When it is no import.
pub fn kept_upload(job: &Job) -> Result<Option<JobId>> {
    let progress: Progress = progress_of(job)?;
    Ok(progress.kept.filter(|_| job.state == JobState::Done))
}

/// A piece that is looked at.
pub(crate) struct Ahead {
    part: i64,
    first: u64,
    looked: JoinHandle<Result<Looked>>,
}

/// A piece that was looked at.
struct Looked {
    realm: Arc<RealmState>,
    rows: Arc<Vec<Prepared>>,
    lines: u64,
}

/// Begins to read and check a piece, whose first line is given. That takes as long as a fraction of its writing, on
/// another core.
fn look_ahead(run: &Run, import: &ImportUsers, part: i64, first: u64) -> Ahead {
    let (app, import, id, realm_id) = (run.app().clone(), import.clone(), run.job().id, run.job().realm_id);
    let looked = tokio::spawn(async move {
        let piece = app.db().read(move |tx| Ok::<_, Error>(store::jobs::find_input(tx, id, part)?)).await?;
        let piece = piece.ok_or_else(|| Error::internal(format!("piece {part} of an upload is missing")))?;
        let realm = app.realm_of(realm_id).await?;
        let lines = u64::try_from(piece.bytes().filter(|byte| *byte == b'\n').count()).unwrap_or(0);
        let of = realm.clone();
        let prepared = tokio::task::spawn_blocking(move || {
            let cx = Cx::system(&app, "import");
            prepare(&app, &cx, &of, &import, &piece, first)
        });
        let rows = Arc::new(prepared.await.map_err(|error| Error::internal(error.to_string()))?);
        Ok(Looked { realm, rows, lines })
    });
    Ahead { part, first, looked }
}

/// One step.
pub(super) async fn step(run: &Run, import: &ImportUsers) -> Result<Option<Job>> {
    let mut progress: Progress = progress_of(run.job())?;
    if progress.pieces >= import.pieces {
        return finish(run, import, progress).await;
    }
    let (part, first) = (progress.pieces, progress.lines + 1);
    let begun = run.ahead.lock().ok().and_then(|mut ahead| ahead.take());
    let begun = begun.filter(|ahead| (ahead.part, ahead.first) == (part, first));
    let ahead = begun.unwrap_or_else(|| look_ahead(run, import, part, first));
    let Looked { realm, rows, lines } = ahead.looked.await.map_err(|error| Error::internal(error.to_string()))??;
    progress.pieces += 1;
    progress.lines += lines;
    if progress.pieces < import.pieces
        && let Ok(mut ahead) = run.ahead.lock()
    {
        *ahead = Some(look_ahead(run, import, progress.pieces, progress.lines + 1));
    }
    let (app, import) = (run.app().clone(), import.clone());
    run.commit(move |tx, cx, job| {
        let applied = if import.dry_run {
            tx.rehearse(|tx| apply(tx, &app, cx, job, &import, &realm, &rows).map_err(again))
        } else {
            apply(tx, &app, cx, job, &import, &realm, &rows).map_err(again)
        };
        let applied = applied?;
        let mut progress = progress.clone();
        for (outcome, count) in &applied.counts {
            *progress.counts.entry((*outcome).to_owned()).or_default() += u64::from(*count);
        }
        store::jobs::insert_items(tx, job.id, &applied.items)?;
        let counts = Counts {
            done: applied.count(ImportOutcome::Created) + applied.count(ImportOutcome::Updated),
            skipped: applied.count(ImportOutcome::Unchanged) + applied.count(ImportOutcome::Exists),
            failed: applied.count(ImportOutcome::Rejected),
        };
        let events = if import.dry_run { Vec::new() } else { applied.events };
        Ok(Advance::to(&progress)?.counts(counts).events(events))
    })
    .await
}

/// Somebody else made or removed something that the rows are about, between the look at it and the change: the step
/// is made again.
fn again(error: Error) -> Error {
    match *error.kind {
        ErrorKind::Invalid(_) | ErrorKind::Conflict("gone") => Error::changed(),
        _ => error,
    }
}

async fn finish(run: &Run, import: &ImportUsers, progress: Progress) -> Result<Option<Job>> {
    let grown = !import.dry_run && progress.count(ImportOutcome::Created) >= MANY;
    let (dry_run, next) = (import.dry_run, JobId::new(run.app().now(), run.app().id_bytes()));
    let app = run.app().clone();
    // SQLite looks at a thousand rows. PostgreSQL takes its time, and would look by itself within a minute.
    let at_once = grown && app.db().engine() == Engine::Sqlite;
    let ended = run
        .commit(move |tx, cx, job| {
            let mut progress = progress.clone();
            if at_once {
                store::users::refresh_statistics(tx)?;
            }
            if dry_run {
                // Whoever liked what they saw need not send the file again. It goes within a day if nobody did.
                let kept = Job { id: next, created_at: cx.now, ..job.clone() };
                store::jobs::insert(tx, &kept, true)?;
                store::jobs::set_payload(tx, next, &kept.payload, Some(job.handled()))?;
                store::jobs::move_inputs(tx, job.id, next)?;
                progress.kept = Some(next);
            }
            Ok(Advance::to(&progress)?.total(job.handled()).finished(true))
        })
        .await?;
    if grown && !at_once && ended.is_some() {
        let refreshed = app.db().write(|mut tx| {
            store::users::refresh_statistics(&mut tx)?;
            Ok::<_, Error>(tx.unaudited("what the planner knows is no event", ())?)
        });
        if let Err(error) = refreshed.await {
            tracing::warn!(error = %error, "The database was not told how it has grown");
        }
    }
    Ok(ended)
}
