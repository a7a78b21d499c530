//! Imports and exports of whole populations.

use std::{
    ops::Range,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    measure::{Bench, converse},
    server::Server,
};
use crate::{
    failure::{Failure, Result},
    http, machine,
    population::{self, REALM},
    report::{Figure, Report},
    transfer,
};

/// What the figure of an import is called.
pub(crate) const IMPORT: &str = "import, upload and job";
/// How often a job is asked how far it is.
const POLL: Duration = Duration::from_millis(100);

/// Has the server import the people of these numbers, and waits until they are all there.
pub(super) fn import(report: &mut Report, bench: &Bench, server: &Server, numbers: Range<u64>) -> Result<()> {
    let (rows, users) = (numbers.end - numbers.start, numbers.end);
    let file = tempfile::NamedTempFile::new()?;
    let bytes = population::write_file(file.path(), numbers, machine::now())?;
    let started = Instant::now();
    let path = format!("/api/v1/realms/{REALM}/users/import?format=jsonl");
    let (uploaded, peak) = machine::peak_memory(server.pid(), || -> Result<Duration> {
        let answer = transfer::upload(server.address, &path, &bench.authorization, file.path())?;
        let uploaded = started.elapsed();
        wait(bench, server, &answer, rows)?;
        Ok(uploaded)
    });
    let (uploaded, took) = (uploaded?, started.elapsed());
    let figure = Figure::new(bench.engine, IMPORT, rate(rows, took), "users/s").users(users);
    report.add(figure.note(format!(
        "{rows} rows, {} MiB, in {:.1} s, of which {:.1} s upload",
        bytes / (1 << 20),
        took.as_secs_f64(),
        uploaded.as_secs_f64()
    )));
    let figure = Figure::new(bench.engine, "memory of its own during the import, at the most", peak.own, "MiB");
    report.add(figure.users(users).note("without mapped files"));
    Ok(())
}

/// Waits for the end of an import.
fn wait(bench: &Bench, server: &Server, answer: &str, rows: u64) -> Result<()> {
    let job: Value = serde_json::from_str(answer)?;
    let id = job.get("id").and_then(Value::as_str).ok_or_else(|| Failure::new("the import has no job"))?;
    let path = format!("/api/v1/realms/{REALM}/jobs/{id}");
    let request = http::get(&path, &[("authorization", &bench.authorization)]);
    loop {
        let answers = converse(server.address, std::slice::from_ref(&request))?;
        let job = answers.first().ok_or_else(|| Failure::new("no answer"))?;
        let state = job.get("state").and_then(Value::as_str).unwrap_or("");
        if !matches!(state, "queued" | "running") {
            let done = job.get("done").and_then(Value::as_u64);
            let complete = state == "done" && done == Some(rows);
            return if complete { Ok(()) } else { Err(Failure::new(format!("the import did not do it all: {job}"))) };
        }
        thread::sleep(POLL);
    }
}

/// Exports everybody in both formats, and once more when the database's file is sure to be in memory.
pub(super) fn export(report: &mut Report, bench: &Bench, server: &Server, users: u64) -> Result<()> {
    for (format, state) in [("csv", ""), ("jsonl", ""), ("csv", ", the file in memory")] {
        let path = format!("/api/v1/realms/{REALM}/users/export?format={format}");
        let before = machine::memory(server.pid())?;
        let started = Instant::now();
        let (came, peak) =
            machine::peak_memory(server.pid(), || transfer::download(server.address, &path, &bench.authorization));
        let (came, took) = (came?, started.elapsed());
        let after = machine::memory(server.pid())?;
        let header = u64::from(format == "csv");
        if came.lines < users + header {
            return Err(Failure::new(format!("an export of {} lines, not {users}", came.lines)));
        }
        let figure =
            Figure::new(bench.engine, format!("export, {format}{state}"), rate(came.lines - header, took), "users/s");
        report.add(figure.users(users).note(format!(
            "{} MiB in {:.1} s; the server's own memory {:.0}, at the most {:.0}, then {:.0} MiB; with mapped files {:.0}, {:.0}, {:.0}",
            came.bytes / (1 << 20),
            took.as_secs_f64(),
            before.own,
            peak.own,
            after.own,
            before.resident,
            peak.resident,
            after.resident
        )));
    }
    Ok(())
}

fn rate(rows: u64, took: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "rows are far below 2^53")]
    let rows = rows as f64;
    if took.is_zero() { 0.0 } else { rows / took.as_secs_f64() }
}
