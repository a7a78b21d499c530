//! What things are: ids, records, policies, permissions, event types.
//!
//! Nothing here does I/O, reads a clock or draws randomness; every rule can be tested as a plain function.

pub mod attribute_definitions;
pub mod authenticators;
pub mod clients;
pub mod devices;
pub mod duplicates;
pub mod events;
pub mod groups;
pub mod ids;
pub mod imports;
pub mod invitations;
pub mod jobs;
pub mod locales;
pub mod messages;
pub mod organizations;
pub mod pages;
pub mod passwords;
pub mod permissions;
pub mod realms;
pub mod reset_requests;
pub mod roles;
pub mod saved_views;
pub mod sessions;
pub mod text;
pub mod time;
pub mod users;
pub mod validation;

pub use ids::*;
pub use time::Timestamp;
