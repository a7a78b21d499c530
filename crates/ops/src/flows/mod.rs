//! Flows: what takes several pages, as state machines whose state travels sealed through the browser.

pub(crate) mod enrol;
pub mod forgot;
pub mod register;
pub mod reset;
pub mod rules;
pub mod sign_in;
