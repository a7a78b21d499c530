//! Signing in: who, a first proof, a second where one is needed, what is required, then the destination.
//!
//! The state travels sealed in the pages themselves, so that any node can take the next step and nobody fills a
//! table by asking for sign-in pages.
//!
//! ```text
//! identifier ──► a way to sign in ──► (second factor) ──► (required actions, in order) ──► session, destination
//! ```
//!
//! * [`flow`]: the state;
//! * [`codes`]: what is sent to an address;
//! * [`password`], [`passkey`], [`second_factor`]: what is proved;
//! * [`actions`]: what is required before the destination;
//! * [`details`]: what is required of the user's record;
//! * [`advance`]: what comes next, and the session at the end;
//! * [`failures`]: what becomes of a failed attempt; [`reason`]: why it failed, and what helps;
//! * [`confirm`]: the password once more, of somebody who is signed in.
//! * [`resetting`]: a sign-in that began with the link of a reset.

pub mod actions;
pub(crate) mod advance;
pub mod codes;
mod confirm;
pub mod details;
mod failures;
mod flow;
pub mod passkey;
mod password;
pub(crate) mod reason;
mod resetting;
mod second_factor;

use std::{sync::Arc, time::Duration};

use denizen_model::{
    AuthenticatorId,
    authenticators::{AuthenticatorType, RequiredAction},
    validation::FieldErrors,
};

use super::{enrol::Enrolled, rules::Used};
use crate::{App, Cx, Error, RealmState, Result, crypto::Secret};

pub(crate) use confirm::confirm_password;
pub(crate) use failures::{Unsent, note_unsent};
pub use flow::Flow;
pub use password::check_password_step;
pub(crate) use second_factor::Taken;
pub use second_factor::check_second_factor_step;

/// What a step leads to.
#[derive(Debug)]
pub enum Step {
    /// Signed in.
    SignedIn(SignedIn),
    /// A second factor is needed, one of these.
    SecondFactor(Box<Flow>, Vec<AuthenticatorType>),
    /// This must be done first.
    Action(Box<Flow>, RequiredAction),
    /// It was sent, or so the page says; with the cookie by which the browser is known where a link was.
    Sent(Box<Flow>, AuthenticatorType, Option<Secret>),
    /// It was done; these codes are shown once before it goes on.
    RecoveryCodes(Box<Flow>, Vec<Secret>),
    /// Something is wrong: the fields with the locale's ids of the sentences, or the sentences themselves.
    Wrong(FieldErrors),
}

/// What a browser is given at the end.
#[derive(Debug)]
pub struct SignedIn {
    /// The session cookie's text.
    pub cookie: Secret,
    /// How long the browser keeps it.
    pub max_age: Duration,
    /// The cookie by which the browser is remembered, and how long it is.
    pub device: Option<(Secret, Duration)>,
    /// Where to go; `None` is the account pages.
    pub redirect: Option<String>,
}

/// Goes on with a sign-in whose page asked for nothing more.
///
/// # Errors
/// When the flow is too old, or what it goes by was changed.
pub async fn go_on(app: &App, cx: &Cx, realm: &Arc<RealmState>, flow: Flow) -> Result<Step> {
    advance::advance(app, cx, realm, flow).await
}

/// What a sign-in asks for now, without a step being taken; nothing where its next page is the destination.
///
/// # Errors
/// When the flow is too old, or what it goes by was changed.
pub async fn look(app: &App, cx: &Cx, realm: &RealmState, flow: Flow) -> Result<Option<Step>> {
    Ok(advance::ask(app, cx, realm, flow).await?.map_err(drop).ok())
}

/// Signs in somebody who has just made their account and their password with it.
///
/// # Errors
/// When the account was changed in the meantime, or the client of the flow is gone.
pub async fn sign_in_enrolled(
    app: &App,
    cx: &Cx,
    realm: &Arc<RealmState>,
    flow: Flow,
    enrolled: Enrolled,
) -> Result<Step> {
    let used = password_used(enrolled.authenticator);
    advance::advance(app, cx, realm, flow.proved(cx.now, enrolled.user.id, used)).await
}

fn password_used(id: AuthenticatorId) -> Used {
    Used { id, kind: AuthenticatorType::Password }
}

pub(super) fn flow_expired() -> Error {
    Error::conflict("flow-expired", "This page is too old. Sign in again.")
}
