//! Failures as pages inside the frame, in words a person understands.

use axum::response::{IntoResponse, Response};
use denizen_ops::{Error, ErrorKind, RealmState};
use http::StatusCode;
use serde::Serialize;

use super::{
    PageError,
    frame::{Asked, At, ConsoleCx, Section},
    sign_in,
};
use crate::{Web, card};

#[derive(Serialize)]
struct ErrorPage {
    status: String,
    heading: String,
    sentence: String,
    actions: Vec<Action>,
    request_id: Option<String>,
}

#[derive(Serialize)]
struct Action {
    label: &'static str,
    href: String,
}

/// The page of a failure; or on to a sign-in, when that is what it takes.
pub(super) fn page(console: &ConsoleCx, failure: PageError, asked: &Asked) -> Response {
    let PageError { error, return_to } = failure;
    if matches!(*error.kind, ErrorKind::ReauthenticationRequired | ErrorKind::Unauthenticated) {
        let back = return_to.unwrap_or_else(|| asked.path.clone());
        return sign_in::start(console.web(), console.cx(), console.realm(), &back, sign_in::How::Afresh);
    }
    let (status, heading, sentence) = words(&error);
    let request_id = console.cx().request_id;
    if status.is_server_error() {
        tracing::error!(request.id = %request_id, error = %error, context = error.context.as_deref(), "A console page failed");
    }
    let actions = match status {
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::INTERNAL_SERVER_ERROR => {
            vec![Action { label: "Try again", href: asked.path.clone() }]
        }
        _ => Section::seen_by(console.holds())
            .take(1)
            .map(|(_, path, _)| Action { label: "Go to the start page", href: console.href(path) })
            .collect(),
    };
    let content = ErrorPage {
        status: status.as_str().to_owned(),
        heading: heading.clone(),
        sentence,
        actions,
        request_id: status.is_server_error().then(|| request_id.to_string()),
    };
    let at = At::top(Section::Nowhere, &heading);
    console.page_with(status, "console/error.html", at, &content).unwrap_or_else(|failure| {
        tracing::error!(request.id = %request_id, context = failure.error.context.as_deref(), "The error page failed");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    })
}

fn words(error: &Error) -> (StatusCode, String, String) {
    let (status, heading) = match &*error.kind {
        ErrorKind::NotFound(what) => {
            let sentence = "It may have been deleted, or the address has a typing error.".to_owned();
            return (StatusCode::NOT_FOUND, format!("This {what} does not exist"), sentence);
        }
        ErrorKind::Invalid(fields) => {
            let first = fields.iter().next().map(|(field, message)| format!("{field}: {message}"));
            let sentence = first.unwrap_or_else(|| error.message.clone());
            return (StatusCode::UNPROCESSABLE_ENTITY, "This could not be read".to_owned(), sentence);
        }
        ErrorKind::Forbidden(Some(permission)) => {
            let sentence =
                format!("It takes the permission {permission}, which your administrator role does not include.");
            return (StatusCode::FORBIDDEN, "You may not do this".to_owned(), sentence);
        }
        ErrorKind::Forbidden(None) => (StatusCode::FORBIDDEN, "You may not do this"),
        ErrorKind::Conflict(_) => (StatusCode::CONFLICT, "This cannot be done now"),
        ErrorKind::Changed => (StatusCode::CONFLICT, "Somebody else was faster"),
        ErrorKind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "Not available at the moment"),
        ErrorKind::NotWritable => (StatusCode::SERVICE_UNAVAILABLE, "Nothing can be saved at the moment"),
        ErrorKind::Internal | ErrorKind::Unauthenticated | ErrorKind::ReauthenticationRequired => {
            (StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong on our side")
        }
    };
    (status, heading.to_owned(), error.message.clone())
}

/// For somebody who is signed in but administers nothing in this realm.
pub(super) fn no_access(web: &Web, realm: &RealmState) -> Response {
    let again = format!("/admin/{}/sign-in", realm.realm.slug);
    card::fault_page_with(
        web,
        StatusCode::FORBIDDEN,
        "forbidden",
        Some(realm),
        (&again, "Sign in with another account"),
    )
}
