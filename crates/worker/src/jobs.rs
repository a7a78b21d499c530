//! The loop that takes jobs and runs them, a few at a time.

use std::{sync::Arc, time::Duration};

use denizen_ops::{
    App, Error, Result,
    jobs::{self, Run, Stepped},
};
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};

/// How many jobs a node runs at the same time, so that a long one does not keep a short one waiting.
const AT_ONCE: usize = 4;
/// How often a node looks for jobs that it was not told of: those of other nodes, and of nodes that died.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long a failed step waits before it is tried again, at first and at the most.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Runs jobs until it is dropped.
pub(crate) async fn run(app: App) {
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    let mut pause = Pause::default();
    while let Err(error) = jobs::release_abandoned(&app).await {
        warn(&error);
        pause.wait().await;
    }
    loop {
        while running.try_join_next().is_some() {}
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
        match jobs::take(&app).await {
            Ok(Some(job)) => {
                pause = Pause::default();
                running.spawn(async move {
                    guard(job).await;
                    drop(slot);
                });
            }
            // Told, or not told for a while: either way it is time to look again.
            Ok(None) => drop(timeout(LOOK_EVERY, jobs::wait(&app)).await),
            Err(error) => {
                warn(&error);
                pause.wait().await;
            }
        }
    }
}

fn warn(error: &Error) {
    tracing::warn!(task = "jobs", error = %error, context = error.context.as_deref(), "A step failed and will be tried again");
}

/// Waits longer each time.
#[derive(Default)]
struct Pause {
    failures: u32,
}

impl Pause {
    async fn wait(&mut self) {
        sleep(FIRST_PAUSE.saturating_mul(1 << self.failures.min(10)).min(LONGEST_PAUSE)).await;
        self.failures += 1;
    }
}

/// Runs a job to its end. If its code panics, it ends as failed.
async fn guard(job: Run) {
    let job = Arc::new(tokio::sync::Mutex::new(job));
    let mut task = JoinSet::new();
    let inner = job.clone();
    task.spawn(async move { drive(&mut *inner.lock().await).await });
    let Some(Err(failure)) = task.join_next().await else { return };
    if failure.is_panic() {
        let job = job.lock().await;
        give_up(&job, &Error::internal("the code of a job panicked")).await;
    }
}

async fn drive(job: &mut Run) {
    let id = job.job().id;
    let mut pause = Pause::default();
    loop {
        match step(job).await {
            Ok(Stepped::More) => pause = Pause::default(),
            Ok(Stepped::Ended) => {
                tracing::info!(job.id = %id, job.state = job.job().state.as_str(), "A job ended");
                return;
            }
            Ok(Stepped::Lost) => return,
            Err(error) if Run::may_pass(&error) => {
                warn(&error);
                pause.wait().await;
                // What was committed before the failure is in the database.
                match job.reload().await {
                    Ok(true) | Err(_) => {}
                    Ok(false) => return,
                }
            }
            Err(error) => return give_up(job, &error).await,
        }
    }
}

async fn step(job: &mut Run) -> Result<Stepped> {
    match job.step().await? {
        // The answer to an earlier commit may have been lost.
        Stepped::Lost if job.reload().await? => Ok(Stepped::More),
        other => Ok(other),
    }
}

/// Ends a job as failed, as soon as the database takes it.
async fn give_up(job: &Run, error: &Error) {
    tracing::error!(job.id = %job.job().id, error = %error, context = error.context.as_deref(), "A job was given up");
    let mut pause = Pause::default();
    while let Err(failure) = job.fail(error).await {
        if !Run::may_pass(&failure) {
            return warn(&failure);
        }
        pause.wait().await;
    }
}
