//! The console over the real router: signed in to through the real provider, with an owned clock.

mod account;
mod attributes;
mod dead_links;
mod details;
mod groups;
mod import;
mod jobs;
mod languages;
mod list;
mod mail;
mod messages;
mod methods;
mod pages;
mod passkeys;
mod passwords;
mod profile;
mod reasons;
mod resets;
mod safety;
mod sessions;
mod support;
mod two_steps;
