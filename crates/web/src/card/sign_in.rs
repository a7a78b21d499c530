//! The sign-in pages: identifier, password, a new password where one is required. They need no script.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Form, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::Response,
    routing::{get, post},
};
use denizen_model::validation::FieldErrors;
use denizen_ops::{
    Cx, Error, ErrorKind, RealmState,
    crypto::Secret,
    flows::sign_in::{Flow, Step, check_password_step, update_password_step},
};
use serde::{Deserialize, Serialize};

use super::{Card, cookie, error_page, fault_page, field_messages, page, password_needs, see_other, with_cookie};
use crate::{Web, cx::Anonymous};

pub(crate) fn router() -> Router<Web> {
    Router::new()
        .route("/realms/{realm}/sign-in", get(restart).post(identify))
        .route("/realms/{realm}/sign-in/password", post(password))
        .route("/realms/{realm}/sign-in/update-password", post(update_password))
}

#[derive(Serialize)]
struct IdentifierPage {
    card: Card,
    action: String,
    flow: String,
    client_name: Option<String>,
    register_href: Option<String>,
    email_as_username: bool,
    values: IdentifierValues,
    errors: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct IdentifierValues {
    identifier: String,
}

#[derive(Serialize)]
struct PasswordPage {
    card: Card,
    action: String,
    flow: String,
    identifier: String,
    restart_href: String,
    errors: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct UpdatePasswordPage {
    card: Card,
    action: String,
    flow: String,
    identifier: String,
    min_length: String,
    password_needs: String,
    errors: BTreeMap<String, String>,
}

/// The first page of a sign-in.
pub(crate) async fn identifier_page(
    web: &Web,
    realm: &RealmState,
    flow: &Flow,
    errors: &FieldErrors,
) -> Result<Response, Error> {
    let client = match &flow.request {
        Some(request) => realm.client(&web.app, &request.client_id).await?,
        None => None,
    };
    let sealed = flow.seal(&web.app, realm)?;
    let open = realm.realm.settings.self_registration;
    let context = IdentifierPage {
        card: Card::new(web.templates.text("sign_in.identifier.title"), realm),
        action: format!("/realms/{}/sign-in", realm.realm.slug),
        register_href: open.then(|| format!("/realms/{}/register?flow={sealed}", realm.realm.slug)),
        flow: sealed,
        client_name: client.map(|client| client.name.clone()),
        email_as_username: false,
        values: IdentifierValues { identifier: flow.identifier.clone().unwrap_or_default() },
        errors: field_messages(web, errors),
    };
    Ok(page(web, status_of(errors), "card/sign_in/identifier.html", &context))
}

fn status_of(errors: &FieldErrors) -> StatusCode {
    if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY }
}

fn password_page(web: &Web, realm: &RealmState, flow: &Flow, errors: &FieldErrors) -> Result<Response, Error> {
    let sealed = flow.seal(&web.app, realm)?;
    let context = PasswordPage {
        card: Card::new(web.templates.text("sign_in.password.title"), realm),
        action: format!("/realms/{}/sign-in/password", realm.realm.slug),
        restart_href: format!("/realms/{}/sign-in?flow={sealed}", realm.realm.slug),
        flow: sealed,
        identifier: flow.identifier.clone().unwrap_or_default(),
        errors: field_messages(web, errors),
    };
    Ok(page(web, status_of(errors), "card/sign_in/password.html", &context))
}

fn update_password_page(web: &Web, realm: &RealmState, flow: &Flow, errors: &FieldErrors) -> Result<Response, Error> {
    let context = UpdatePasswordPage {
        card: Card::new(web.templates.text("sign_in.update_password.title"), realm),
        action: format!("/realms/{}/sign-in/update-password", realm.realm.slug),
        flow: flow.seal(&web.app, realm)?,
        identifier: flow.identifier.clone().unwrap_or_default(),
        min_length: realm.realm.settings.password_min_length.to_string(),
        password_needs: password_needs(web, realm),
        errors: field_messages(web, errors),
    };
    Ok(page(web, status_of(errors), "card/sign_in/update_password.html", &context))
}

#[derive(Deserialize)]
pub(crate) struct FlowQuery {
    #[serde(default)]
    pub(super) flow: String,
}

#[derive(Deserialize)]
struct IdentifierForm {
    flow: String,
    #[serde(default)]
    identifier: String,
}

#[derive(Deserialize)]
struct PasswordForm {
    flow: String,
    #[serde(default)]
    password: Secret,
}

#[derive(Deserialize)]
struct UpdatePasswordForm {
    flow: String,
    #[serde(default)]
    password: Secret,
    #[serde(default)]
    password_again: Secret,
}

/// The realm, which must be enabled, and the flow of a page; or the error page.
async fn open(web: &Web, cx: &Cx, slug: &str, flow: &str) -> Result<(Arc<RealmState>, Flow), Response> {
    let realm = web.app.realm(slug).await.map_err(|error| error_page(web, &error, cx.request_id, None))?;
    if !realm.realm.enabled {
        return Err(fault_page(web, StatusCode::FORBIDDEN, "realm_disabled", Some(&realm)));
    }
    match Flow::open(&web.app, &realm, cx.now, flow) {
        Some(flow) => Ok((realm, flow)),
        None => Err(fault_page(web, StatusCode::BAD_REQUEST, "expired", Some(&realm))),
    }
}

/// "Not you?": the first page again.
async fn restart(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    Query(query): Query<FlowQuery>,
) -> Response {
    match open(&web, &cx, &slug, &query.flow).await {
        Ok((realm, flow)) => identifier_page(&web, &realm, &flow, &FieldErrors::new())
            .await
            .unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm))),
        Err(page) => page,
    }
}

/// What no identifier holds: control characters, and what stands for bytes that were not UTF-8.
fn unreadable(c: char) -> bool {
    c.is_control() || c == char::REPLACEMENT_CHARACTER
}

async fn identify(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    Form(form): Form<IdentifierForm>,
) -> Response {
    let (realm, flow) = match open(&web, &cx, &slug, &form.flow).await {
        Ok(opened) => opened,
        Err(page) => return page,
    };
    let typed = form.identifier.trim();
    let answer = if typed.is_empty() || typed.len() > 320 || typed.contains(unreadable) {
        identifier_page(&web, &realm, &flow, &FieldErrors::one("identifier", "sign_in.identifier.missing")).await
    } else {
        password_page(&web, &realm, &flow.identified(typed.to_owned()), &FieldErrors::new())
    };
    answer.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
}

async fn password(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Form(form): Form<PasswordForm>,
) -> Response {
    let (realm, flow) = match open(&web, &cx, &slug, &form.flow).await {
        Ok((realm, flow)) => (realm, flow.in_browser_with(cookie::read(&web, &headers).as_deref())),
        Err(page) => return page,
    };
    // A bound on what is hashed; no password that can be set is longer.
    let errors = match form.password.expose() {
        "" => FieldErrors::one("password", "sign_in.password.missing"),
        long if long.len() > 1024 => FieldErrors::one("password", "sign_in.password.wrong"),
        _ => FieldErrors::new(),
    };
    let answer = if errors.is_empty() {
        match check_password_step(&web.app, &cx, &realm, flow.clone(), form.password).await {
            Ok(Step::Wrong(errors)) => password_page(&web, &realm, &flow, &errors),
            Ok(step) => proceed(&web, &realm, step),
            Err(error) if matches!(*error.kind, ErrorKind::Unavailable) && error.context.is_none() => {
                password_page(&web, &realm, &flow, &FieldErrors::one("password", "sign_in.password.busy"))
            }
            Err(error) => Err(error),
        }
    } else {
        password_page(&web, &realm, &flow, &errors)
    };
    answer.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
}

async fn update_password(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Form(form): Form<UpdatePasswordForm>,
) -> Response {
    let (realm, flow) = match open(&web, &cx, &slug, &form.flow).await {
        Ok((realm, flow)) => (realm, flow.in_browser_with(cookie::read(&web, &headers).as_deref())),
        Err(page) => return page,
    };
    let new = form.password.expose().to_owned();
    let answer =
        match update_password_step(&web.app, &cx, &realm, flow.clone(), new, form.password_again.expose()).await {
            Ok(Step::Wrong(errors)) => update_password_page(&web, &realm, &flow, &errors),
            Ok(step) => proceed(&web, &realm, step),
            Err(error) => Err(error),
        };
    answer.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
}

pub(super) fn proceed(web: &Web, realm: &RealmState, step: Step) -> Result<Response, Error> {
    match step {
        Step::SignedIn { cookie: secret, max_age, redirect } => {
            let target = redirect.unwrap_or_else(|| format!("/realms/{}/account", realm.realm.slug));
            Ok(with_cookie(see_other(&target), cookie::set(web, realm, &secret, max_age)))
        }
        Step::UpdatePassword(flow) => update_password_page(web, realm, &flow, &FieldErrors::new()),
        Step::Wrong(_) => Err(Error::internal("a wrong step was not shown as such")),
    }
}
