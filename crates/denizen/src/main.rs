//! The `denizen` binary: command line, configuration, start and stop, wiring.

mod audit;
mod cli;
mod config;
mod demo;
mod doctor;
mod keys;
mod open;
mod serve;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{AuditCommand, Cli, Command, KeyCommand};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("cannot start: {error}")),
    };
    let done = runtime.block_on(async {
        match cli.command {
            Command::Serve(options) => serve::run(&options).await,
            Command::Demo(options) => demo::run(&options).await,
            Command::Key(KeyCommand::Create(options)) => keys::create(&options).await,
            Command::Audit(AuditCommand::Verify(options)) => audit::verify(&options).await,
            Command::Doctor(options) => doctor::run(&options).await,
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => failed(&message),
    }
}

fn failed(message: &str) -> ExitCode {
    eprintln!("denizen: {message}");
    ExitCode::FAILURE
}
