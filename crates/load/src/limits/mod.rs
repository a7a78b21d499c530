//! What the machine can do at the most: HTTP without a product behind it, signatures, hashes, and raw storage.

mod crypto;
mod postgres;
pub(crate) mod rows;
mod sqlite;
mod web;

use std::{path::Path, time::Instant};

use crate::{failure::Result, report::Report};

pub(crate) use crypto::hashes_on_all_cores;
pub(crate) use postgres::{PG_INSERT, PG_READ};
pub(crate) use sqlite::{GROUPED, POINT_READ};
pub(crate) use web::{HELLO, HELLO_ONE, TOKEN};

/// Measures them all, each for this many seconds.
pub(crate) fn measure(report: &mut Report, seconds: u64, folder: &Path, database: Option<&str>) -> Result<()> {
    web::measure(report, seconds)?;
    crypto::measure(report, seconds)?;
    sqlite::measure(report, seconds, folder)?;
    if let Some(url) = database {
        postgres::measure(report, seconds, url)?;
    }
    Ok(())
}

/// Calls `f` for this many seconds; how often a second it was called.
fn repeat(seconds: u64, mut f: impl FnMut() -> Result<u64>) -> Result<f64> {
    let started = Instant::now();
    let mut done = 0;
    loop {
        done += f()?;
        let elapsed = started.elapsed();
        if elapsed.as_secs() >= seconds {
            #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
            return Ok(done as f64 / elapsed.as_secs_f64());
        }
    }
}
