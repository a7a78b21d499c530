//! The product, driven over HTTP: the real server on a fresh database, with populations of growing size.

mod files;
mod flows;
mod guessing;
mod measure;
mod server;

use std::{path::PathBuf, thread, time::Duration};

use clap::Args;
use postgres::{Client, NoTls};

use crate::{
    failure::{Failure, Result},
    limits, machine, population,
    report::{Figure, Output, Report},
    storage,
};

use self::{
    measure::Bench,
    server::{Place, Server},
};

#[derive(Args)]
pub(crate) struct Options {
    /// The server's binary, built with `cargo build --release`.
    #[arg(long, default_value = "target/release/denizen")]
    denizen: PathBuf,
    /// A PostgreSQL server to measure on as well: `postgres://…`. The tool makes a database of its own there, and
    /// removes it.
    #[arg(long)]
    database: Option<String>,
    /// Leave out the embedded database.
    #[arg(long)]
    without_sqlite: bool,
    /// How many users the realm has, one population after the other.
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 100_000, 1_000_000])]
    users: Vec<u64>,
    /// How long each figure is measured, in seconds.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Where databases are made; their disk is what is measured. The default is the system's temporary folder.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// How often each list is asked for.
    #[arg(long, default_value_t = 200)]
    requests: u32,
    /// How many passwords are guessed while others sign in.
    #[arg(long, default_value_t = 10_000)]
    guesses: usize,
    /// Only lists whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Measure imports, exports and lists alone.
    #[arg(long)]
    only_lists: bool,
    /// Leave the databases behind.
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    output: Output,
}

/// How often a cold start is measured; the middle one counts.
const STARTS: usize = 5;
/// How long a server is left alone before its idle memory is read.
const IDLE: Duration = Duration::from_secs(2);

pub(crate) fn run(options: &Options) -> Result<()> {
    let mut report = Report::begin()?;
    let folder = options.folder.clone().unwrap_or_else(std::env::temp_dir);
    limits::measure(&mut report, options.seconds.min(3), &folder, options.database.as_deref())?;
    report.about("Denizen", server::version(&options.denizen)?);
    report.about("Time for each figure", format!("{} s", options.seconds));
    #[expect(clippy::cast_precision_loss, reason = "a file's size in bytes is far below 2^53")]
    let size = std::fs::metadata(&options.denizen)?.len() as f64 / 1048576.0;
    report.add(Figure::new("server", "binary size", size, "MiB"));
    if !options.without_sqlite {
        measure_on(&mut report, options, &folder, "SQLite", None)?;
        report.write(&options.output)?;
    }
    if let Some(url) = &options.database {
        let mut database = OwnDatabase::make(url, "users")?;
        database.keep = options.keep;
        report.about("PostgreSQL", database.version.clone());
        measure_on(&mut report, options, &folder, "PostgreSQL", Some(&database.url))?;
    }
    report.write(&options.output)
}

fn measure_on(
    report: &mut Report,
    options: &Options,
    folder: &std::path::Path,
    engine: &'static str,
    url: Option<&str>,
) -> Result<()> {
    let data = tempfile::Builder::new().prefix("denizen-load-").tempdir_in(folder)?;
    let place = Place { denizen: &options.denizen, data: data.path(), url };
    let mut bench = {
        let server = Server::start(&place)?;
        Bench::prepare(&server, &place, engine, options.seconds)?
    };
    let mut there = 0;
    for users in &options.users {
        let server = Server::start(&place)?;
        files::import(report, &bench, &server, there..*users)?;
        drop(server);
        there = *users;
        if let Some(url) = place.url {
            // What autovacuum does within a minute, done before measuring.
            Client::connect(url, NoTls)?.batch_execute("VACUUM ANALYZE")?;
        }
        if !options.only_lists {
            raw_inserts(report, &place, engine, *users)?;
            starts(report, &place, engine, *users)?;
        }
        let server = Server::start(&place)?;
        thread::sleep(IDLE);
        let idle = machine::memory(server.pid())?;
        report.add(Figure::new(engine, "resident memory, idle", idle.resident, "MiB").users(*users));
        files::export(report, &bench, &server, *users)?;
        bench.measure_lists(report, &server, *users, options.requests, &options.only)?;
        if !options.only_lists {
            bench.measure(report, &server, *users)?;
            guessing::measure(report, &bench, &server, *users, options.guesses)?;
        }
        let after = machine::memory(server.pid())?;
        let figure = Figure::new(engine, "resident memory, after all this", after.resident, "MiB").users(*users);
        report.add(figure.note(format!("{:.0} MiB without mapped files", after.own)));
    }
    if options.keep {
        println!("kept: {}", data.keep().display());
    }
    Ok(())
}

/// The limit of imports: the rows of this population, inserted into an empty database of the same engine.
fn raw_inserts(report: &mut Report, place: &Place<'_>, engine: &'static str, users: u64) -> Result<()> {
    let rate = match place.url {
        None => {
            let twin = place.data.join("twin.db");
            drop(storage::open(&twin.display().to_string())?);
            let rate = limits::rows::sqlite(&place.data.join("denizen.db"), &twin, population::REALM)?;
            for file in ["twin.db", "twin.db-wal", "twin.db-shm"] {
                // What was never written is not there.
                let _ = std::fs::remove_file(place.data.join(file));
            }
            rate
        }
        Some(url) => {
            let twin = OwnDatabase::make(url, "twin")?;
            drop(storage::open(&twin.url)?);
            limits::rows::postgres(url, &twin.url, population::REALM)?
        }
    };
    let figure = Figure::new(engine, "raw inserts of the same rows", rate, "users/s").users(users);
    report.add(figure.note("1,000 users to a commit; same tables, same indexes, nothing else"));
    report.compare(engine, users, files::IMPORT, "raw inserts of the same rows");
    Ok(())
}

fn starts(report: &mut Report, place: &Place<'_>, engine: &'static str, users: u64) -> Result<()> {
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        starts.push(Server::start(place)?.took);
    }
    starts.sort_unstable();
    let middle = starts.get(STARTS / 2).copied().unwrap_or_default();
    let cold = Figure::new(engine, "cold start, spawn to /health/live", middle.as_secs_f64() * 1000.0, "ms");
    report.add(cold.users(users));
    Ok(())
}

/// A database of the tool's own on a PostgreSQL server, removed when dropped.
struct OwnDatabase {
    server: String,
    name: String,
    url: String,
    /// With the one setting that matters.
    version: String,
    keep: bool,
}

impl OwnDatabase {
    fn make(server: &str, what: &str) -> Result<Self> {
        let name = format!("denizen_load_{}_{what}", std::process::id());
        let mut client = Client::connect(server, NoTls)?;
        client.batch_execute(&format!("CREATE DATABASE {name}"))?;
        let version: String = client.query_one("SHOW server_version", &[])?.get(0);
        let buffers: String = client.query_one("SHOW shared_buffers", &[])?.get(0);
        let version = format!("{version}, shared_buffers = {buffers}");
        let (base, query) = server.split_once('?').map_or((server, None), |(base, query)| (base, Some(query)));
        let at = base.find("://").map_or(0, |at| at + 3);
        let host_end = base.get(at..).and_then(|rest| rest.find('/')).map_or(base.len(), |slash| at + slash);
        let host = base.get(..host_end).ok_or_else(|| Failure::new("the address of PostgreSQL has no host"))?;
        let url = match query {
            Some(query) => format!("{host}/{name}?{query}"),
            None => format!("{host}/{name}"),
        };
        Ok(Self { server: server.to_owned(), name, url, version, keep: false })
    }
}

impl Drop for OwnDatabase {
    fn drop(&mut self) {
        if self.keep {
            println!("kept: {}", self.url);
            return;
        }
        let removed = Client::connect(&self.server, NoTls).and_then(|mut client| {
            client.batch_execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name))
        });
        if let Err(error) = removed {
            eprintln!("denizen-load: the database {} was left behind: {error}", self.name);
        }
    }
}
