//! What runs beside requests: jobs, removal of what has expired, retention, rotation of signing keys, mail and text
//! messages, telling clients that sessions have ended. Webhooks will have their room here.
//!
//! Every task may run on several nodes at once: each step is a transaction that finds the work still to be done
//! or does nothing.

mod jobs;
mod logout;

use std::time::Duration;

use denizen_model::messages::Channel;
use denizen_ops::{App, Error, housekeeping, messages, signing_keys};
use tokio::{task::JoinSet, time::MissedTickBehavior};

/// Starts all tasks; they end when the set is dropped.
#[must_use]
pub fn start(app: &App) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let (cleaned, merged, rotated) = (app.clone(), app.clone(), app.clone());
    tasks.spawn(every(Duration::from_secs(60), "housekeeping", move || {
        let app = cleaned.clone();
        async move { housekeeping::remove_expired(&app).await.map(drop) }
    }));
    tasks.spawn(every(Duration::from_secs(5), "search-index", move || {
        let app = merged.clone();
        async move { housekeeping::merge_texts(&app).await }
    }));
    tasks.spawn(every(Duration::from_secs(3600), "signing-keys", move || {
        let app = rotated.clone();
        async move { signing_keys::rotate(&app).await }
    }));
    tasks.spawn(jobs::run(app.clone()));
    for channel in Channel::ALL {
        tasks.spawn(send_messages(app.clone(), *channel));
    }
    tasks.spawn(logout::run(app.clone()));
    tasks
}

/// How often the queue is looked at when nothing on this node says that there is something in it.
const LOOK_EVERY: Duration = Duration::from_secs(2);

async fn send_messages(app: App, channel: Channel) {
    loop {
        if let Err(error) = messages::send_due_by(&app, channel).await {
            warn("messages", &error);
        }
        messages::wait(&app, channel, LOOK_EVERY).await;
    }
}

fn warn(task: &'static str, error: &Error) {
    tracing::warn!(task, error = %error, context = error.context.as_deref(), "A background task failed and will be tried again");
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
            warn(name, &error);
        }
    }
}
