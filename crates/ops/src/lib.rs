//! What can be done: one function for each thing an actor can do.
//!
//! An operation takes the application, who asks ([`Cx`]), a proof of permission ([`May`]) and its input. It
//! decides, stores, and records its event in one transaction. Console, admin API and command line are faces of
//! these same functions.

pub mod account;
pub mod action_tokens;
pub mod admins;
pub mod api_keys;
mod app;
pub mod attribute_definitions;
pub mod authenticators;
pub mod clients;
pub mod crypto;
mod cx;
pub mod diagnosis;
mod error;
pub mod events;
pub mod flows;
pub mod groups;
pub mod housekeeping;
pub mod idempotency;
pub mod invitations;
pub mod jobs;
mod limits;
pub mod locale;
pub mod lockouts;
pub mod members;
pub mod message_templates;
pub mod messages;
pub mod oauth;
pub mod organizations;
pub mod passwords;
pub mod places;
pub mod realms;
pub mod required_actions;
pub mod reset_requests;
pub mod roles;
pub mod saved_views;
pub mod sessions;
pub mod setup;
pub mod signing_keys;
pub mod users;

pub use app::{App, Clock, Config};
pub use cx::{Actor, Administrator, Cx, IdempotencyKey, May};
pub use denizen_store::{Location, events::Verification};
pub use error::{Error, ErrorKind, Result};
pub use realms::RealmState;
