//! The sign-in pages: identifier, password, a second factor, what is required. They need no script, passkeys apart.

mod actions;
mod codes;
mod forgot;
mod passkey;
mod second_factor;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Form, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::Response,
    routing::{get, post},
};
use denizen_model::{authenticators::AuthenticatorType, validation::FieldErrors};
use denizen_ops::{
    Cx, Error, ErrorKind, RealmState,
    crypto::Secret,
    flows::sign_in::{Flow, Step, check_password_step, look},
};
use serde::{Deserialize, Serialize};

use super::{Card, PasskeyForm, cookie, error_page, fault_page, field_messages, page, see_other, with_cookie};
use crate::{Web, cx::Anonymous};

pub(crate) fn router() -> Router<Web> {
    Router::new()
        .route("/realms/{realm}/sign-in", get(restart).post(identify))
        .route("/realms/{realm}/sign-in/password", post(password))
        .merge(passkey::router())
        .merge(codes::router())
        .merge(forgot::router())
        .merge(second_factor::router())
        .merge(actions::router())
}

/// The cookie by which the browser is known in which something was sent from, when its link is opened.
pub(super) const BROWSER: &str = "denizen_asked";
/// How long it is kept, somewhat longer than any such link works.
const BROWSER_FOR: Duration = Duration::from_secs(2 * 3600);

#[derive(Serialize)]
struct IdentifierPage {
    card: Card,
    action: String,
    flow: String,
    client_name: Option<String>,
    register_href: Option<String>,
    email_as_username: bool,
    /// Somebody who is signed in proves it once more.
    again: bool,
    passkey: Option<PasskeyForm>,
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
    forgot_href: Option<String>,
    send_action: String,
    ways: Vec<codes::Way>,
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
    let flow = &flow.clone().without_questions();
    let sealed = flow.seal(&web.app, realm)?;
    let open = realm.realm.settings.self_registration;
    let context = IdentifierPage {
        card: Card::new(web.templates.text("sign_in.identifier.title"), realm),
        action: format!("/realms/{}/sign-in", realm.realm.slug),
        register_href: open.then(|| format!("/realms/{}/register?flow={sealed}", realm.realm.slug)),
        flow: sealed,
        client_name: client.map(|client| client.name.clone()),
        email_as_username: false,
        again: flow.is_again(),
        passkey: passkey::first_form(web, realm, flow, errors)?,
        values: IdentifierValues { identifier: flow.identifier.clone().unwrap_or_default() },
        errors: field_messages(web, errors),
    };
    Ok(page(web, status_of(errors), "card/sign_in/identifier.html", &context))
}

pub(super) fn status_of(errors: &FieldErrors) -> StatusCode {
    let held = |text: &str| matches!(text, "sign_in.too_many" | "sign_in.locked");
    if errors.iter().any(|(_, text)| held(text)) {
        StatusCode::TOO_MANY_REQUESTS
    } else if errors.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    }
}

fn password_page(web: &Web, realm: &RealmState, flow: &Flow, errors: &FieldErrors) -> Result<Response, Error> {
    let sealed = flow.seal(&web.app, realm)?;
    let context = PasswordPage {
        card: Card::new(web.templates.text("sign_in.password.title"), realm),
        action: format!("/realms/{}/sign-in/password", realm.realm.slug),
        restart_href: format!("/realms/{}/sign-in?flow={sealed}", realm.realm.slug),
        forgot_href: forgot::href(web, realm, &sealed),
        send_action: format!("/realms/{}/sign-in/send", realm.realm.slug),
        ways: codes::ways(web, realm, None),
        flow: sealed,
        identifier: flow.identifier.clone().unwrap_or_default(),
        errors: field_messages(web, errors),
    };
    Ok(page(web, status_of(errors), "card/sign_in/password.html", &context))
}

/// The choice of what is sent, where nobody signs in with a password.
fn ways_page(web: &Web, realm: &RealmState, flow: &Flow, errors: &FieldErrors) -> Result<Response, Error> {
    let sealed = flow.seal(&web.app, realm)?;
    let context = PasswordPage {
        card: Card::new(web.templates.text("sign_in.ways.title"), realm),
        action: String::new(),
        restart_href: format!("/realms/{}/sign-in?flow={sealed}", realm.realm.slug),
        forgot_href: None,
        send_action: format!("/realms/{}/sign-in/send", realm.realm.slug),
        ways: codes::ways(web, realm, None),
        flow: sealed,
        identifier: flow.identifier.clone().unwrap_or_default(),
        errors: field_messages(web, errors),
    };
    Ok(page(web, status_of(errors), "card/sign_in/ways.html", &context))
}

/// The first proof of whoever has said who they are.
fn first_page(web: &Web, realm: &RealmState, flow: &Flow) -> Result<Response, Error> {
    if realm.realm.settings.sign_in_methods.contains(&AuthenticatorType::Password) {
        password_page(web, realm, flow, &FieldErrors::new())
    } else {
        ways_page(web, realm, flow, &FieldErrors::new())
    }
}

/// The page at which a sign-in stands.
pub(super) async fn page_of(web: &Web, cx: &Cx, realm: &RealmState, flow: &Flow) -> Result<Response, Error> {
    let errors = FieldErrors::new();
    if let Some(kind) = flow.awaited() {
        return codes::sent_page(web, realm, flow, kind, &errors);
    }
    if flow.is_proved() {
        return match look(&web.app, cx, realm, flow.clone()).await? {
            Some(step) => proceed(web, realm, step),
            // The next page that it leads to is the destination.
            None => Err(Error::conflict("flow-expired", "This page is too old. Sign in again.")),
        };
    }
    if flow.identifier.is_some() {
        first_page(web, realm, flow)
    } else {
        identifier_page(web, realm, flow, &errors).await
    }
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
        first_page(&web, &realm, &flow.identified(typed.to_owned()))
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
    let (realm, flow) = match open_in_browser(&web, &cx, &slug, &form.flow, &headers).await {
        Ok(opened) => opened,
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

/// The page, or the redirect, that a step leads to.
pub(super) fn proceed(web: &Web, realm: &RealmState, step: Step) -> Result<Response, Error> {
    match step {
        Step::SignedIn(signed_in) => {
            let target = signed_in.redirect.unwrap_or_else(|| format!("/realms/{}/account", realm.realm.slug));
            let session = cookie::set(web, realm, &signed_in.cookie, signed_in.max_age);
            let device = signed_in.device.and_then(|(secret, age)| cookie::set_device(web, realm, &secret, age));
            Ok(with_cookie(with_cookie(see_other(&target), session), device))
        }
        Step::SecondFactor(flow, kinds) => second_factor::page_of(web, realm, &flow, &kinds, None, &FieldErrors::new()),
        Step::Action(flow, action) => actions::page_of(web, realm, &flow, action, &FieldErrors::new()),
        Step::Sent(flow, kind, browser) => codes::answer(web, realm, (&flow, kind), browser.as_ref()),
        Step::RecoveryCodes(flow, codes) => actions::recovery_codes_page(web, realm, &flow, &codes),
        Step::Wrong(_) => Err(Error::internal("a wrong step was not shown as such")),
    }
}

/// The realm and the flow of a page that a browser sent, with its cookies; or the error page.
async fn open_in_browser(
    web: &Web,
    cx: &Cx,
    slug: &str,
    flow: &str,
    headers: &HeaderMap,
) -> Result<(Arc<RealmState>, Flow), Response> {
    let (realm, flow) = open(web, cx, slug, flow).await?;
    let (session, device) = (cookie::read(web, headers), cookie::read_device(web, headers));
    Ok((realm, flow.in_browser_with(session.as_deref(), device.as_deref())))
}
