//! How nodes hear that cached configuration has changed: by `LISTEN`/`NOTIFY` on PostgreSQL; on SQLite there is
//! one node, which knows.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use ::postgres::{Config, fallible_iterator::FallibleIterator};

use crate::{
    conn::{Conn, postgres},
    error::Result,
};

const CHANNEL: &str = "denizen_config";

/// A number that grows with each change, and whether changes are heard of.
#[derive(Default)]
pub(crate) struct Epoch {
    number: AtomicU64,
    heard: AtomicBool,
}

impl Epoch {
    pub(crate) fn get(&self) -> Option<u64> {
        self.heard.load(Ordering::Acquire).then(|| self.number.load(Ordering::Acquire))
    }

    pub(crate) fn advance(&self) {
        self.number.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn set_heard(&self, heard: bool) {
        self.heard.store(heard, Ordering::Release);
        self.advance();
    }
}

pub(crate) fn announce(conn: &mut Conn) -> Result<()> {
    match conn {
        Conn::Sqlite(_) => Ok(()),
        Conn::Postgres(_) => conn.script(&format!("NOTIFY {CHANNEL}")),
    }
}

/// Listens until nobody holds the database any more; connects again after a loss.
pub(crate) fn listen<H: AsRef<Epoch>>(config: &Config, holder: &dyn Fn() -> Option<Arc<H>>) {
    while holder().is_some() {
        let _ = listen_once(config, holder);
        if let Some(held) = holder() {
            (*held).as_ref().set_heard(false);
        }
        thread::sleep(Duration::from_millis(500));
    }
}

fn listen_once<H: AsRef<Epoch>>(config: &Config, holder: &dyn Fn() -> Option<Arc<H>>) -> Result<()> {
    let mut client = postgres::connect(config)?;
    client.batch_execute(&format!("LISTEN {CHANNEL}")).map_err(postgres::error)?;
    if let Some(held) = holder() {
        (*held).as_ref().set_heard(true);
    }
    loop {
        let heard = client.notifications().timeout_iter(Duration::from_secs(2)).next().map_err(postgres::error)?;
        let Some(held) = holder() else { return Ok(()) };
        if heard.is_some() {
            (*held).as_ref().advance();
        } else {
            client.is_valid(Duration::from_secs(3)).map_err(postgres::error)?;
        }
    }
}
