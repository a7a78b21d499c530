//! The console at `/admin/{realm}`: where administrators look after users, roles, clients, the audit log,
//! settings and realms.
//!
//! Every page behind `/admin/{realm}` passes [`frame::enter`], which finds the administrator and leaves a
//! [`frame::ConsoleCx`] for the handler. A handler that fails answers with a [`PageError`], which `enter` turns
//! into a page inside the frame.

mod attributes;
mod audit;
mod back;
mod clients;
mod cookies;
mod errors;
mod flash;
mod forms;
mod frame;
mod groups;
mod invitations;
mod jobs;
mod members;
mod messages;
mod organizations;
mod palette;
mod realms;
mod roles;
mod settings;
mod sign_in;
#[cfg(test)]
mod tests;
mod users;
mod words;

pub(crate) use forms::{Errors, Fields, Posted};

use axum::{
    Router,
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use denizen_ops::Error;
use http::StatusCode;

use crate::{Web, render::RenderError};

/// A handler's failure, on its way to becoming a page.
#[derive(Debug, Clone)]
pub(crate) struct PageError {
    error: Error,
    /// Where to go on after a sign-in, when that is what it takes; by default the page itself.
    return_to: Option<String>,
}

impl PageError {
    /// The same failure of a request that has no page of its own.
    fn back_to(mut self, path: &str) -> Self {
        self.return_to = Some(path.to_owned());
        self
    }
}

impl From<Error> for PageError {
    fn from(error: Error) -> Self {
        Self { error, return_to: None }
    }
}

impl From<RenderError> for PageError {
    fn from(error: RenderError) -> Self {
        Error::from(error).into()
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// What a handler answers.
type Answer = Result<Response, PageError>;

/// The console's routes.
pub(crate) fn router(web: &Web) -> Router<Web> {
    let inside = Router::new()
        .route("/admin/{realm}", get(frame::home))
        .route("/admin/{realm}/sign-out", post(sign_in::sign_out))
        .route("/admin/{realm}/palette", get(palette::find))
        .merge(users::router())
        .merge(organizations::router())
        .merge(groups::router())
        .merge(invitations::router())
        .merge(roles::router())
        .merge(jobs::router())
        .merge(clients::router())
        .merge(audit::router())
        .merge(settings::router())
        .merge(attributes::router())
        .merge(messages::router())
        .merge(realms::router())
        .route("/admin/{realm}/{*rest}", get(frame::nothing_here))
        .layer(from_fn_with_state(web.clone(), frame::enter));
    Router::new()
        .route("/", get(sign_in::front))
        .route("/admin", get(sign_in::home))
        .route("/admin/", get(sign_in::home))
        .route("/admin/users", get(sign_in::last_users))
        .route("/admin/settings", get(sign_in::last_settings))
        .route("/admin/audit", get(sign_in::last_audit))
        .route("/admin/callback", get(sign_in::callback))
        .route("/admin/{realm}/sign-in", get(sign_in::again))
        .merge(inside)
}
