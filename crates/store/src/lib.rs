//! Storage: `Db`, transactions, every SQL statement, migrations; two engines behind one door.
//!
//! A room's file holds its statements and the functions that run them. Names tell what comes back: `find_…` an
//! `Option`, `get_…` an error when there is nothing, `list_…` many.

pub mod admins;
pub mod api_keys;
pub mod audit;
pub mod authenticators;
pub mod clients;
mod conn;
pub mod console_sessions;
mod db;
mod epoch;
mod error;
pub mod events;
pub mod grants;
pub mod housekeeping;
pub mod idempotency;
pub mod keys;
mod migrations;
pub mod realms;
pub mod roles;
pub mod sessions;
mod sql;
mod tx;
pub mod users;
mod value;

pub use conn::Engine;
pub use db::{Db, FillRandom, Location};
pub use error::{Error, Result};
pub use tx::{Audited, Events, ReadTx, WriteTx};

#[cfg(test)]
mod tests;
