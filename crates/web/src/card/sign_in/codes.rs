//! Ways to sign in by something that is sent: codes and links. Nothing is sent by opening a page; a button does.

use std::collections::BTreeMap;

use axum::{
    Form, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::Response,
    routing::{get, post},
};
use denizen_model::{authenticators::AuthenticatorType, validation::FieldErrors};
use denizen_ops::{
    Error, RealmState,
    crypto::Secret,
    flows::sign_in::{
        Flow, Step,
        codes::{check_code_step, follow_link_step, look_at_link, send_step, sent_ways},
    },
};
use serde::{Deserialize, Serialize};

use super::{BROWSER, BROWSER_FOR, open_in_browser, password_page, proceed, second_factor, status_of, ways_page};
use crate::{
    Web,
    card::{
        Card, cookie, error_page, field_messages,
        links::{LinkQuery, open},
        page,
        reset::ResetPage,
        with_cookie,
    },
    cx::Anonymous,
    language::prefer,
};

pub(super) fn router() -> Router<Web> {
    Router::new()
        .route("/realms/{realm}/sign-in/send", post(send))
        .route("/realms/{realm}/sign-in/code", post(check))
        .route("/realms/{realm}/sign-in/link", get(show_link).post(follow_link))
}

/// A button that has something sent.
#[derive(Serialize)]
pub(super) struct Way {
    method: &'static str,
    label: String,
}

/// The ways of a realm, but for one.
pub(super) fn ways(web: &Web, realm: &RealmState, but: Option<AuthenticatorType>) -> Vec<Way> {
    let way = |kind: AuthenticatorType| Way {
        method: kind.as_str(),
        label: web.templates.text(&format!("sign_in.way.{kind}")),
    };
    sent_ways(&web.app, realm).into_iter().filter(|kind| Some(*kind) != but).map(way).collect()
}

/// The page that sends a code as the second factor.
#[derive(Serialize)]
struct SendPage {
    card: Card,
    why: String,
    action: String,
    flow: String,
    method: &'static str,
    identifier: String,
    restart_href: String,
    others: Vec<second_factor::Other>,
    errors: BTreeMap<String, String>,
}

/// The page that waits for what was sent.
#[derive(Serialize)]
struct SentPage {
    card: Card,
    why: String,
    method: &'static str,
    action: String,
    send_action: String,
    flow: String,
    identifier: String,
    restart_href: String,
    can_remember: bool,
    ways: Vec<Way>,
    password: bool,
    second_href: Option<String>,
    errors: BTreeMap<String, String>,
}

/// The button that sends a code as the second factor.
pub(super) fn send_page(
    web: &Web,
    realm: &RealmState,
    flow: &Flow,
    (kinds, kind): (&[AuthenticatorType], AuthenticatorType),
    errors: &FieldErrors,
) -> Result<Response, Error> {
    let slug = &realm.realm.slug;
    let sealed = flow.clone().without_questions().seal(&web.app, realm)?;
    let context = SendPage {
        card: Card::new(web.templates.text(&format!("sign_in.second_factor.{kind}.title")), realm),
        why: web.templates.text(&format!("sign_in.second_factor.{kind}.why")),
        action: format!("/realms/{slug}/sign-in/send"),
        restart_href: format!("/realms/{slug}/sign-in?flow={sealed}"),
        method: kind.as_str(),
        identifier: flow.identifier.clone().unwrap_or_default(),
        others: second_factor::others(web, realm, flow, kinds, kind)?,
        errors: field_messages(web, errors),
        flow: sealed,
    };
    Ok(page(web, status_of(errors), "card/sign_in/send_code.html", &context))
}

/// The page that waits for a code, or for a link to be opened.
pub(super) fn sent_page(
    web: &Web,
    realm: &RealmState,
    flow: &Flow,
    kind: AuthenticatorType,
    errors: &FieldErrors,
) -> Result<Response, Error> {
    let slug = &realm.realm.slug;
    let sealed = flow.seal(&web.app, realm)?;
    let second = flow.is_proved();
    let settings = &realm.realm.settings;
    let context = SentPage {
        card: Card::new(web.templates.text(&format!("sign_in.sent.{kind}.title")), realm),
        why: web.templates.text(&format!("sign_in.sent.{kind}.why")),
        method: kind.as_str(),
        action: format!("/realms/{slug}/sign-in/code"),
        send_action: format!("/realms/{slug}/sign-in/send"),
        restart_href: format!("/realms/{slug}/sign-in?flow={sealed}"),
        identifier: flow.identifier.clone().unwrap_or_default(),
        can_remember: second && settings.remembered_device_seconds > 0,
        ways: if second { Vec::new() } else { ways(web, realm, Some(kind)) },
        password: !second && settings.sign_in_methods.contains(&AuthenticatorType::Password),
        second_href: second.then(|| format!("/realms/{slug}/sign-in/second-factor?flow={sealed}")),
        errors: field_messages(web, errors),
        flow: sealed,
    };
    Ok(page(web, status_of(errors), "card/sign_in/sent.html", &context))
}

#[derive(Deserialize)]
struct SendForm {
    flow: String,
    method: AuthenticatorType,
}

#[derive(Deserialize)]
struct CodeForm {
    flow: String,
    method: AuthenticatorType,
    #[serde(default)]
    code: Secret,
    #[serde(default)]
    remember: bool,
}

async fn send(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Form(SendForm { flow, method }): Form<SendForm>,
) -> Response {
    let (realm, flow) = match open_in_browser(&web, &cx, &slug, &flow, &headers).await {
        Ok(opened) => opened,
        Err(page) => return page,
    };
    let answer = match send_step(&web.app, &cx, &realm, flow.clone(), method).await {
        Ok(Step::Wrong(errors)) => refused(&web, &realm, &flow, method, &errors),
        Ok(step) => proceed(&web, &realm, step),
        Err(error) => Err(error),
    };
    answer.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
}

/// The page that the button stood on, with what is wrong.
fn refused(
    web: &Web,
    realm: &RealmState,
    flow: &Flow,
    kind: AuthenticatorType,
    errors: &FieldErrors,
) -> Result<Response, Error> {
    let mut said = FieldErrors::new();
    for (_, text) in errors.iter() {
        said.add("form", text.to_owned());
    }
    if flow.is_proved() {
        return send_page(web, realm, flow, (&[kind], kind), &said);
    }
    if realm.realm.settings.sign_in_methods.contains(&AuthenticatorType::Password) {
        password_page(web, realm, flow, &said)
    } else {
        ways_page(web, realm, flow, &said)
    }
}

async fn check(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Form(CodeForm { flow, method, code, remember }): Form<CodeForm>,
) -> Response {
    let (realm, flow) = match open_in_browser(&web, &cx, &slug, &flow, &headers).await {
        Ok(opened) => opened,
        Err(page) => return page,
    };
    let again = |errors: &FieldErrors| sent_page(&web, &realm, &flow, method, errors);
    let answer = if code.expose().trim().is_empty() || code.expose().len() > 100 {
        again(&FieldErrors::one("code", "sign_in.code.missing"))
    } else {
        match check_code_step(&web.app, &cx, &realm, flow.clone(), code, remember).await {
            Ok(Step::Wrong(errors)) => again(&errors),
            Ok(step) => proceed(&web, &realm, step),
            Err(error) => Err(error),
        }
    };
    answer.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
}

async fn show_link(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    Query(LinkQuery { token }): Query<LinkQuery>,
) -> Response {
    let realm = match open(&web, &cx, &slug).await {
        Ok(realm) => realm,
        Err(page) => return page,
    };
    match look_at_link(&web.app, &cx, &realm, &token).await {
        Ok((identifier, locale)) => {
            prefer(locale.as_deref());
            let text = |part: &str| web.templates.text(&format!("sign_in.link.{part}"));
            let context = ResetPage {
                card: Card::new(text("title"), &realm),
                why: text("why"),
                submit: text("submit"),
                action: format!("/realms/{slug}/sign-in/link"),
                token,
                identifier,
            };
            page(&web, StatusCode::OK, "card/links/reset.html", &context)
        }
        Err(error) => error_page(&web, &error, cx.request_id, Some(&realm)),
    }
}

async fn follow_link(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Form(LinkQuery { token }): Form<LinkQuery>,
) -> Response {
    let realm = match open(&web, &cx, &slug).await {
        Ok(realm) => realm,
        Err(page) => return page,
    };
    let (session, device) = (cookie::read(&web, &headers), cookie::read_device(&web, &headers));
    let flow = Flow::new(cx.now, None, None).in_browser_with(session.as_deref(), device.as_deref());
    let browser = cookie::find(&headers, BROWSER);
    let step = follow_link_step(&web.app, &cx, &realm, &token, browser.as_deref(), flow).await;
    let answer = step.and_then(|step| proceed(&web, &realm, step));
    answer.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
}

/// The answer to something that was sent.
pub(super) fn answer(
    web: &Web,
    realm: &RealmState,
    (flow, kind): (&Flow, AuthenticatorType),
    browser: Option<&Secret>,
) -> Result<Response, Error> {
    let page = sent_page(web, realm, flow, kind, &FieldErrors::new())?;
    let line = browser.and_then(|secret| cookie::line(web, realm, BROWSER, secret.expose(), BROWSER_FOR));
    Ok(with_cookie(page, line))
}
