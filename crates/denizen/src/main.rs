//! The `denizen` binary: command line, configuration, start and stop, wiring.

mod audit;
mod cli;
mod client;
mod config;
mod demo;
mod doctor;
mod failed;
mod keys;
mod login;
mod open;
mod remote;
mod serve;

use std::process::ExitCode;

use clap::Parser;

use crate::{
    cli::{AuditCommand, Cli, Command, KeyCommand},
    failed::Failed,
};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report(&Failed::Operation(format!("cannot start: {error}"))),
    };
    let done: Result<(), Failed> = runtime.block_on(async {
        match cli.command {
            Command::Serve(options) => Ok(serve::run(&options).await?),
            Command::Demo(options) => Ok(demo::run(&options).await?),
            Command::Key(KeyCommand::Create(options)) => Ok(keys::create(&options).await?),
            Command::Audit(AuditCommand::Verify(options)) => Ok(audit::verify(&options).await?),
            Command::Doctor(options) => Ok(doctor::run(&options).await?),
            Command::Login(options) => login::login(&options).await,
            Command::Logout => login::logout(),
            Command::Users(command) => remote::users::run(command).await,
            Command::Jobs(command) => remote::jobs::run(command).await,
            Command::Realms(command) => remote::realms::run(command).await,
            Command::Clients(command) => remote::clients::run(command).await,
        }
    });
    // A thread that waits for standard input must not hold up the end.
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => report(&failed),
    }
}

fn report(failed: &Failed) -> ExitCode {
    eprintln!("denizen: {}", failed.message());
    failed.code()
}
