//! `denizen jobs`, and waiting for a job with a progress bar.

use std::{path::Path, time::Duration};

use serde_json::Value;

use super::output::{self, Column};
use crate::{
    cli::remote::{JobOptions, JobsCommand},
    client::Client,
    failed::Failed,
    login,
};

/// How often a job is asked how far it is.
const INTERVAL: Duration = Duration::from_millis(500);

/// Runs one of the commands.
pub(crate) async fn run(command: JobsCommand) -> Result<(), Failed> {
    match command {
        JobsCommand::List(options) => {
            let client = login::client(&options.at.remote)?;
            let path = ["realms", &options.at.realm, "jobs"];
            let page = client.list(&path, &[], usize::try_from(options.limit).ok()).await?;
            let columns = [
                Column::text("JOB", "id"),
                Column::text("KIND", "kind"),
                Column::text("STATE", "state"),
                Column::text("DONE", "done"),
                Column::text("SKIPPED", "skipped"),
                Column::text("FAILED", "failed"),
                Column::text("OF", "total"),
                Column::time("CREATED", "created_at"),
            ];
            output::list(&page, &columns, options.at.remote.json)
        }
        JobsCommand::Show(options) => {
            let JobOptions { at, job } = &options.job;
            let client = login::client(&at.remote)?;
            if options.wait {
                let job = wait(&client, &at.realm, job).await?;
                show(&job, at.remote.json)?;
                return outcome(&job);
            }
            show(&client.get(&["realms", &at.realm, "jobs", job], &[]).await?, at.remote.json)
        }
        JobsCommand::Cancel(JobOptions { at, job }) => {
            let client = login::client(&at.remote)?;
            let job = client.post(&["realms", &at.realm, "jobs", &job, "cancel"], None).await?;
            show(&job, at.remote.json)
        }
        JobsCommand::Report(options) => {
            let JobOptions { at, job } = &options.job;
            report(&login::client(&at.remote)?, &at.realm, job, options.output.as_deref()).await
        }
    }
}

/// Writes what became of each item of a job.
pub(crate) async fn report(client: &Client, realm: &str, job: &str, output: Option<&Path>) -> Result<(), Failed> {
    let mut answer = client.download(&["realms", realm, "jobs", job, "report"], &[]).await?;
    output::save(client, &mut answer, output).await
}

/// Prints a job.
pub(crate) fn show(job: &Value, as_json: bool) -> Result<(), Failed> {
    if as_json {
        return output::json(job);
    }
    let fields = job.as_object().into_iter().flatten();
    let shown = fields.filter(|(_, value)| !value.is_null() && !value.is_object() && !value.is_array());
    output::rows(shown.map(|(key, value)| {
        let value = if key.ends_with("_at") { output::time(value) } else { output::text(value) };
        vec![key.clone(), value]
    }))
}

fn state(job: &Value) -> &str {
    job.get("state").and_then(Value::as_str).unwrap_or_default()
}

/// Whether a job has ended: it then says when.
fn ended(job: &Value) -> bool {
    job.get("finished_at").is_some_and(|at| !at.is_null())
}

/// Waits until a job has ended. A server that is away for a moment is asked again.
pub(crate) async fn wait(client: &Client, realm: &str, id: &str) -> Result<Value, Failed> {
    let bar = output::bar(None, "{msg} [{bar:30}] {human_pos}/{human_len} {per_sec} {eta}");
    let mut misses = 0;
    loop {
        match client.get(&["realms", realm, "jobs", id], &[]).await {
            Ok(job) => {
                misses = 0;
                let number = |name: &str| job.get(name).and_then(Value::as_u64);
                if let Some(total) = number("total") {
                    bar.set_length(total);
                }
                bar.set_position(["done", "skipped", "failed"].into_iter().filter_map(number).sum());
                bar.set_message(output::printable(state(&job)));
                if ended(&job) {
                    bar.finish_and_clear();
                    return Ok(job);
                }
            }
            Err(refusal) if refusal.status().is_none_or(|status| status >= 500) && misses < 120 => misses += 1,
            Err(refusal) => {
                bar.abandon();
                return Err(refusal.into());
            }
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// The exit code's side of a job that has ended.
pub(crate) fn outcome(job: &Value) -> Result<(), Failed> {
    let number = |name: &str| job.get(name).and_then(Value::as_u64).unwrap_or(0);
    match (state(job), number("failed")) {
        ("failed", _) => {
            let why = job.get("error").and_then(Value::as_str).unwrap_or("it does not say why");
            Err(Failed::Operation(format!("the job failed: {}", output::printable(why))))
        }
        ("cancelled", _) => Err(Failed::Operation(format!("the job was cancelled after {}", number("done")))),
        (_, 0) => Ok(()),
        (_, failed) => Err(Failed::Operation(format!("{failed} were not done; the job's results say why"))),
    }
}
