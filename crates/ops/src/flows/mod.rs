//! Flows: what takes several pages, as state machines whose state travels sealed through the browser.

pub mod rules;
pub mod sign_in;
