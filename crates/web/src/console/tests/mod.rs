//! The console over the real router: signed in to through the real provider, with an owned clock.

mod attributes;
mod groups;
mod import;
mod jobs;
mod languages;
mod list;
mod mail;
mod pages;
mod passkeys;
mod passwords;
mod profile;
mod safety;
mod support;
mod two_steps;
