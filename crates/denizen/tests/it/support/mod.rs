//! What the tests stand on: databases, servers, people, applications and browsers.

use std::{future::Future, time::Duration};

mod api;
mod app;
mod browser;
mod database;
mod gateway;
mod mail_relay;
mod npm;
mod person;
mod postgres_server;
mod proxy;
mod server;
mod smtp;
mod writers;

pub(crate) use api::{Answer, Api};
pub(crate) use app::{App, NewApp};
pub(crate) use browser::{Browser, find_program};
pub(crate) use database::Database;
pub(crate) use gateway::Gateway;
pub(crate) use mail_relay::{MailRelay, RELAY_PASSWORD, RELAY_USER, Way};
pub(crate) use npm::npm_install;
pub(crate) use person::{Page, Person, Step};
pub(crate) use postgres_server::{PostgresServer, is_root};
pub(crate) use proxy::{RoundRobin, Wire};
pub(crate) use server::{OWNER_EMAIL, OWNER_PASSWORD, Server, denizen, free_port};
pub(crate) use smtp::{Mail, MailServer, smtp_url};
pub(crate) use writers::Writers;

/// A password that every realm's policy takes.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// Declares one test on each engine: `async fn name(database) { … }`.
macro_rules! on_both_engines {
    ($($(#[$meta:meta])* async fn $name:ident($database:ident) $body:block)+) => {$(
        $(#[$meta])*
        mod $name {
            use super::*;

            async fn scenario($database: $crate::support::Database) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                Box::pin(scenario($crate::support::Database::sqlite())).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                if let Some(database) = $crate::support::Database::postgres() {
                    Box::pin(scenario(database)).await;
                }
            }
        }
    )+};
}

/// Whether a test may be skipped because `what` is not on this machine: never in CI.
pub(crate) fn may_skip(what: &str) {
    assert!(std::env::var_os("CI").is_none(), "{what} must be there in CI: run scripts/test");
    eprintln!("skipped: {what} is not there; scripts/test installs it");
}

/// Waits until something holds. Gives up only so that a broken build does not hang for ever.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    for _ in 0..6000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("never came true: {what}");
}

/// A text that no other test uses.
pub(crate) fn unique(prefix: &str) -> String {
    let mut bytes = [0; 6];
    aws_lc_rs::rand::fill(&mut bytes).unwrap();
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{prefix}{digits}")
}
