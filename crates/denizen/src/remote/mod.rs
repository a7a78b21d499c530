//! Commands that are clients of the admin API.

pub(crate) mod clients;
pub(crate) mod jobs;
pub(crate) mod output;
pub(crate) mod realms;
pub(crate) mod users;
