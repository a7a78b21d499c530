//! The OpenID provider's endpoints, under each realm's issuer.

mod authorize;
mod client;
pub(crate) mod token;

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use denizen_ops::{Error, ErrorKind, oauth::OAuthError, oauth::discovery::metadata};
use serde_json::json;

use crate::{Web, cx::Anonymous};

/// Endpoints that browsers are sent to.
pub(crate) fn browser_router() -> Router<Web> {
    Router::new().route("/realms/{realm}/authorize", get(authorize::by_link).post(authorize::by_form))
}

/// Endpoints that clients call, from anywhere; none of them looks at a cookie.
pub(crate) fn client_router() -> Router<Web> {
    Router::new()
        .route("/realms/{realm}/token", post(token::token).options(preflight))
        .route("/realms/{realm}/introspect", post(token::introspect))
        .route("/realms/{realm}/revoke", post(token::revoke).options(preflight))
        .route("/realms/{realm}/userinfo", get(token::userinfo).post(token::userinfo).options(preflight))
        .route("/realms/{realm}/jwks", get(jwks).options(preflight))
        .route("/realms/{realm}/.well-known/openid-configuration", get(discovery).options(preflight))
        .route("/.well-known/oauth-authorization-server/realms/{realm}", get(discovery).options(preflight))
}

/// Any page may call these endpoints: they take no cookie, and what they take instead a page must have.
const ANYWHERE: (header::HeaderName, HeaderValue) =
    (header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
const NO_STORE: (header::HeaderName, HeaderValue) = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));

async fn preflight() -> Response {
    let headers = [
        ANYWHERE,
        (header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST")),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("authorization, content-type")),
        (header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("3600")),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// How long clients may keep keys and metadata; a new key is published a day before it signs.
const KEPT: (header::HeaderName, HeaderValue) =
    (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));

async fn jwks(State(web): State<Web>, Anonymous(cx): Anonymous, Path(slug): Path<String>) -> Response {
    match web.app.realm(&slug).await {
        Ok(realm) => ([ANYWHERE, KEPT], Json(realm.jwks())).into_response(),
        Err(error) => failed(&error, cx.request_id),
    }
}

async fn discovery(State(web): State<Web>, Anonymous(cx): Anonymous, Path(slug): Path<String>) -> Response {
    match web.app.realm(&slug).await {
        Ok(realm) => ([ANYWHERE, KEPT], Json(metadata(&realm))).into_response(),
        Err(error) => failed(&error, cx.request_id),
    }
}

/// A failure of Denizen's own, in OAuth's form.
fn failed(error: &Error, request: denizen_model::RequestId) -> Response {
    let (status, code) = match *error.kind {
        ErrorKind::NotFound(_) => (StatusCode::NOT_FOUND, "invalid_request"),
        ErrorKind::Unavailable | ErrorKind::NotWritable => (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable"),
        ErrorKind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
        _ => (StatusCode::BAD_REQUEST, "invalid_request"),
    };
    if status.is_server_error() {
        tracing::error!(request.id = %request, error = %error, context = error.context.as_deref(), "A token request failed");
    }
    refuse(status, code, &error.message)
}

fn refuse(status: StatusCode, code: &str, description: &str) -> Response {
    (status, [ANYWHERE, NO_STORE], Json(json!({"error": code, "error_description": description}))).into_response()
}

/// A refusal as RFC 6749, section 5.2, has it.
fn oauth_error(error: OAuthError, request: denizen_model::RequestId) -> Response {
    match error {
        OAuthError::Refused(code, description) => refuse(StatusCode::BAD_REQUEST, code, &description),
        OAuthError::InvalidClient => {
            let mut response = refuse(
                StatusCode::UNAUTHORIZED,
                "invalid_client",
                "The client is unknown or its credentials are wrong.",
            );
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"denizen\""));
            response
        }
        OAuthError::Failed(error) => failed(&error, request),
    }
}
