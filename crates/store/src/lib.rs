//! Storage: `Db`, transactions, every SQL statement, migrations; two engines behind one door.
//!
//! A room's file holds its statements and the functions that run them. Names tell what comes back: `find_…` an
//! `Option`, `get_…` an error when there is nothing, `list_…` many.

pub mod action_tokens;
pub mod admins;
pub mod api_keys;
pub mod attribute_definitions;
pub mod audit;
pub mod authenticators;
pub mod claims;
pub mod clients;
mod conn;
pub mod console_sessions;
mod db;
pub mod diagnosis;
pub mod duplicates;
mod epoch;
mod error;
pub mod events;
pub mod grants;
pub mod groups;
pub mod housekeeping;
pub mod idempotency;
pub mod invitations;
pub mod jobs;
pub mod keys;
pub mod lockouts;
pub mod logout_notices;
pub mod members;
pub mod message_templates;
pub mod messages;
mod migrations;
pub mod one_time_codes;
pub mod organizations;
pub mod password_history;
pub mod realms;
pub mod remembered_devices;
pub mod required_actions;
pub mod reset_requests;
pub mod roles;
pub mod saved_views;
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
