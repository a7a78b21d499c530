//! A forgotten password: who it is is asked, a link is sent, and the page says the same whoever was named.

use std::collections::BTreeMap;

use axum::{
    Form, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    response::Response,
    routing::get,
};
use denizen_model::validation::FieldErrors;
use denizen_ops::{
    Error, RealmState,
    flows::{forgot, sign_in::Flow},
};
use serde::{Deserialize, Serialize};

use super::{BROWSER, BROWSER_FOR, FlowQuery, open, status_of, unreadable};
use crate::{
    Web,
    card::{Card, cookie, error_page, field_messages, page, with_cookie},
    cx::Anonymous,
};

pub(super) fn router() -> Router<Web> {
    Router::new().route("/realms/{realm}/forgot-password", get(show).post(send))
}

#[derive(Serialize)]
struct ForgotPage {
    card: Card,
    action: String,
    flow: String,
    restart_href: String,
    identifier: String,
    errors: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct SentPage {
    card: Card,
    identifier: String,
    restart_href: String,
}

#[derive(Deserialize)]
struct ForgotForm {
    flow: String,
    #[serde(default)]
    identifier: String,
}

/// The address of the page, where the realm offers it.
pub(super) fn href(web: &Web, realm: &RealmState, sealed: &str) -> Option<String> {
    let offered = forgot::is_offered(&web.app, realm);
    offered.then(|| format!("/realms/{}/forgot-password?flow={sealed}", realm.realm.slug))
}

fn forgot_page(web: &Web, realm: &RealmState, flow: &Flow, errors: &FieldErrors) -> Result<Response, Error> {
    if !forgot::is_offered(&web.app, realm) {
        return Err(Error::not_found("page"));
    }
    let sealed = flow.seal(&web.app, realm)?;
    let context = ForgotPage {
        card: Card::new(web.templates.text("forgot.title"), realm),
        action: format!("/realms/{}/forgot-password", realm.realm.slug),
        restart_href: format!("/realms/{}/sign-in?flow={sealed}", realm.realm.slug),
        identifier: flow.identifier.clone().unwrap_or_default(),
        errors: field_messages(web, errors),
        flow: sealed,
    };
    Ok(page(web, status_of(errors), "card/sign_in/forgot.html", &context))
}

async fn show(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    Query(query): Query<FlowQuery>,
) -> Response {
    let (realm, flow) = match open(&web, &cx, &slug, &query.flow).await {
        Ok(opened) => opened,
        Err(page) => return page,
    };
    let answer = forgot_page(&web, &realm, &flow, &FieldErrors::new());
    answer.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
}

async fn send(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    Form(form): Form<ForgotForm>,
) -> Response {
    let (realm, flow) = match open(&web, &cx, &slug, &form.flow).await {
        Ok(opened) => opened,
        Err(page) => return page,
    };
    let typed = form.identifier.trim();
    if typed.is_empty() || typed.len() > 320 || typed.contains(unreadable) {
        let errors = FieldErrors::one("identifier", "sign_in.identifier.missing");
        let answer = forgot_page(&web, &realm, &flow, &errors);
        return answer.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)));
    }
    let flow = flow.identified(typed.to_owned());
    let answer = match forgot::ask(&web.app, &cx, &realm, &flow).await {
        Ok(Some(cookie)) => flow.seal(&web.app, &realm).map(|sealed| {
            let context = SentPage {
                card: Card::new(web.templates.text("forgot.sent.title"), &realm),
                identifier: typed.to_owned(),
                restart_href: format!("/realms/{}/sign-in?flow={sealed}", realm.realm.slug),
            };
            let answer = page(&web, StatusCode::OK, "card/sign_in/forgot_sent.html", &context);
            with_cookie(answer, cookie::line(&web, &realm, BROWSER, cookie.expose(), BROWSER_FOR))
        }),
        Ok(None) => forgot_page(&web, &realm, &flow, &FieldErrors::one("form", "sign_in.too_many")),
        Err(error) => Err(error),
    };
    answer.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
}
