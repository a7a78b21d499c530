//! Measures Denizen, and beside each figure the physical limit of the machine it was measured on.
//!
//! `denizen-load run` starts the real server, drives it over HTTP and prints each figure as a share of its
//! limit; `limits` measures the limits alone; `lists` measures lists and searches in storage without a server between.

mod failure;
mod histogram;
mod http;
mod limits;
mod lists;
mod machine;
mod people;
mod population;
mod report;
mod run;
mod storage;
mod transfer;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use failure::Result;

#[derive(Parser)]
#[command(name = "denizen-load", about = "Measures Denizen beside the limits of the machine.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measures what the machine can do at the most.
    Limits(Limits),
    /// Starts a server and measures it, with the limits in the same run.
    Run(run::Options),
    /// Measures lists and searches straight on the database.
    Lists(lists::Options),
}

#[derive(Args)]
struct Limits {
    /// A PostgreSQL server to measure as well: `postgres://…`.
    #[arg(long)]
    database: Option<String>,
    /// How long each figure is measured, in seconds.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Where the SQLite files go; their disk is what is measured. The default is the system's temporary folder.
    #[arg(long)]
    folder: Option<PathBuf>,
    #[command(flatten)]
    output: report::Output,
}

fn main() -> std::process::ExitCode {
    match dispatch(Cli::parse().command) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("denizen-load: {failure}");
            std::process::ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command) -> Result<()> {
    match command {
        Command::Limits(asked) => {
            let mut report = report::Report::begin()?;
            let folder = asked.folder.unwrap_or_else(std::env::temp_dir);
            limits::measure(&mut report, asked.seconds, &folder, asked.database.as_deref())?;
            report.write(&asked.output)
        }
        Command::Run(options) => run::run(&options),
        Command::Lists(options) => lists::run(&options),
    }
}
