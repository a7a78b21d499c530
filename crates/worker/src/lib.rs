//! What runs beside requests: jobs, removal of what has expired, retention, rotation of signing keys. Mail and
//! webhooks will have their rooms here.
//!
//! Every task may run on several nodes at once: each step is a transaction that finds the work still to be done
//! or does nothing.

mod jobs;

use std::time::Duration;

use denizen_ops::{App, Error, housekeeping, signing_keys};
use tokio::{task::JoinSet, time::MissedTickBehavior};

/// Starts all tasks; they end when the set is dropped.
#[must_use]
pub fn start(app: &App) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let (cleaned, rotated) = (app.clone(), app.clone());
    tasks.spawn(every(Duration::from_secs(60), "housekeeping", move || {
        let app = cleaned.clone();
        async move { housekeeping::remove_expired(&app).await.map(drop) }
    }));
    tasks.spawn(every(Duration::from_secs(3600), "signing-keys", move || {
        let app = rotated.clone();
        async move { signing_keys::rotate(&app).await }
    }));
    tasks.spawn(jobs::run(app.clone()));
    tasks
}

async fn every<F, R>(period: Duration, name: &'static str, task: F)
where
    F: Fn() -> R,
    R: Future<Output = Result<(), Error>>,
{
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick is immediate; a start has better things to do.
    ticks.tick().await;
    loop {
        ticks.tick().await;
        if let Err(error) = task().await {
            tracing::warn!(task = name, error = %error, context = error.context.as_deref(), "A background task failed and will be tried again");
        }
    }
}
