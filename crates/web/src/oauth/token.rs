//! Token, introspection, revocation and userinfo endpoints.

use axum::{
    Form, Json,
    extract::{Path, State, rejection::FormRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use denizen_model::clients::ClientType;
use denizen_ops::{
    Cx,
    crypto::Secret,
    oauth::{self, OAuthError, TokenResponse, client_auth::authenticate},
};
use serde::Deserialize;

use super::{ANYWHERE, NO_STORE, client::credentials, failed, oauth_error};
use crate::{Web, cx::Anonymous};

/// The fields of all grants. Others are ignored, as RFC 6749, section 3.2 asks; a repeated one is an error.
#[derive(Deserialize, Default)]
pub(super) struct TokenForm {
    grant_type: Option<String>,
    client_id: Option<String>,
    client_secret: Option<Secret>,
    code: Option<String>,
    redirect_uri: Option<String>,
    code_verifier: Option<String>,
    refresh_token: Option<String>,
    scope: Option<String>,
}

type Body<T> = Result<Form<T>, FormRejection>;

fn form<T>(body: Body<T>) -> Result<T, OAuthError> {
    let rejected = |rejection: FormRejection| OAuthError::Refused("invalid_request", rejection.body_text());
    body.map(|Form(form)| form).map_err(rejected)
}

pub(super) async fn token(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
    body: Body<TokenForm>,
) -> Response {
    match grant(&web, &cx, &slug, &headers, body).await {
        Ok(answer) => ([ANYWHERE, NO_STORE], Json(answer)).into_response(),
        Err(error) => oauth_error(error, cx.request_id),
    }
}

async fn grant(
    web: &Web,
    cx: &Cx,
    slug: &str,
    headers: &HeaderMap,
    body: Body<TokenForm>,
) -> Result<TokenResponse, OAuthError> {
    let form = form(body)?;
    let (app, realm) = (&web.app, web.app.realm(slug).await?);
    let client = authenticate(app, &realm, &credentials(headers, form.client_id, form.client_secret)?).await?;
    let needed = |field: Option<String>, name: &str| {
        field.ok_or_else(|| OAuthError::Refused("invalid_request", format!("{name} is missing.")))
    };
    match form.grant_type.as_deref() {
        Some("client_credentials") => oauth::client_credentials::grant(app, cx, &realm, &client, form.scope.as_deref()),
        Some("authorization_code") => {
            let (code, redirect_uri) = (needed(form.code, "code")?, needed(form.redirect_uri, "redirect_uri")?);
            let verifier = needed(form.code_verifier, "code_verifier")?;
            oauth::code::exchange(app, cx, &realm, &client, &code, &redirect_uri, &verifier).await
        }
        Some("refresh_token") => {
            let token = needed(form.refresh_token, "refresh_token")?;
            oauth::refresh::exchange(app, cx, &realm, &client, &token, form.scope.as_deref()).await
        }
        Some(_) => Err(OAuthError::Refused("unsupported_grant_type", "This grant type is not supported.".to_owned())),
        None => Err(OAuthError::Refused("invalid_request", "grant_type is missing.".to_owned())),
    }
}

#[derive(Deserialize)]
pub(super) struct AboutToken {
    token: Option<String>,
    client_id: Option<String>,
    client_secret: Option<Secret>,
}

pub(super) async fn introspect(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
    body: Body<AboutToken>,
) -> Response {
    let answer = async {
        let form = form(body)?;
        let realm = web.app.realm(&slug).await?;
        let client =
            authenticate(&web.app, &realm, &credentials(&headers, form.client_id, form.client_secret)?).await?;
        // A public client proves nothing, so it could ask about tokens it has only guessed.
        if client.kind == ClientType::Public {
            return Err(OAuthError::InvalidClient);
        }
        let token = form.token.ok_or_else(|| OAuthError::Refused("invalid_request", "token is missing.".to_owned()))?;
        Ok(oauth::introspect::introspect(&web.app, &cx, &realm, &token).await?)
    };
    match answer.await {
        Ok(answer) => ([NO_STORE], Json(answer)).into_response(),
        Err(error) => oauth_error(error, cx.request_id),
    }
}

pub(super) async fn revoke(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
    body: Body<AboutToken>,
) -> Response {
    let answer = async {
        let form = form(body)?;
        let realm = web.app.realm(&slug).await?;
        let client =
            authenticate(&web.app, &realm, &credentials(&headers, form.client_id, form.client_secret)?).await?;
        let token = form.token.ok_or_else(|| OAuthError::Refused("invalid_request", "token is missing.".to_owned()))?;
        Ok::<_, OAuthError>(oauth::revoke::revoke(&web.app, &cx, &realm, &client, &token).await?)
    };
    match answer.await {
        Ok(()) => (StatusCode::OK, [ANYWHERE, NO_STORE]).into_response(),
        Err(error) => oauth_error(error, cx.request_id),
    }
}

/// The bearer token of a request (RFC 6750, section 2.1).
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

pub(super) async fn userinfo(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
) -> Response {
    let answer = async {
        let realm = web.app.realm(&slug).await?;
        match bearer(&headers) {
            Some(token) => oauth::userinfo::userinfo(&web.app, &cx, &realm, token).await,
            None => Ok(None),
        }
    };
    match answer.await {
        Ok(Some(claims)) => ([ANYWHERE, NO_STORE], Json(claims)).into_response(),
        Ok(None) => {
            let challenge = HeaderValue::from_static("Bearer realm=\"denizen\", error=\"invalid_token\"");
            (StatusCode::UNAUTHORIZED, [ANYWHERE, NO_STORE, (header::WWW_AUTHENTICATE, challenge)]).into_response()
        }
        Err(error) => failed(&error, cx.request_id),
    }
}
