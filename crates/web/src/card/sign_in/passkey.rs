//! Passkeys in a sign-in: instead of name and password, as the second factor, and as what must be made. The browser's
//! part is done by `passkey.js`, which fills in the answer; the pages say what is missing where it cannot run.

use std::collections::BTreeMap;

use axum::{
    Form, Router,
    extract::{Path, State},
    http::HeaderMap,
    response::Response,
    routing::post,
};
use denizen_model::{authenticators::AuthenticatorType, validation::FieldErrors};
use denizen_ops::{
    Error, RealmState,
    crypto::Secret,
    flows::sign_in::{
        Flow, Step, look,
        passkey::{asking, check_passkey_step, options, register_passkey_step},
    },
};
use serde::{Deserialize, Serialize};

use super::{
    identifier_page, open_in_browser, proceed,
    second_factor::{Other, others},
    status_of,
};
use crate::{
    Web,
    card::{Card, PasskeyForm, error_page, field_messages, page},
    cx::Anonymous,
};

pub(super) fn router() -> Router<Web> {
    Router::new()
        .route("/realms/{realm}/sign-in/passkey", post(check))
        .route("/realms/{realm}/sign-in/register-passkey", post(register))
}

/// The form of the first page, where people may sign in with a passkey. After a failure the browser does not offer one by
/// itself again.
pub(super) fn first_form(
    web: &Web,
    realm: &RealmState,
    flow: &Flow,
    errors: &FieldErrors,
) -> Result<Option<PasskeyForm>, Error> {
    let Some((flow, options)) = asking(&web.app, realm, flow.clone())? else { return Ok(None) };
    Ok(Some(PasskeyForm {
        action: format!("/realms/{}/sign-in/passkey", realm.realm.slug),
        kind: "use",
        options,
        state: flow.seal(&web.app, realm)?,
        state_name: "flow",
        autofill: errors.is_empty(),
    }))
}

/// The form of a page that stands for one question of a flow.
fn form_of(
    web: &Web,
    realm: &RealmState,
    flow: &Flow,
    path: &str,
    kind: &'static str,
) -> Result<Option<PasskeyForm>, Error> {
    let Some(options) = options(flow) else { return Ok(None) };
    Ok(Some(PasskeyForm {
        action: format!("/realms/{}/sign-in/{path}", realm.realm.slug),
        kind,
        options,
        state: flow.seal(&web.app, realm)?,
        state_name: "flow",
        autofill: false,
    }))
}

/// `flow` is for the language menu.
#[derive(Serialize)]
struct SecondPage {
    card: Card,
    flow: String,
    identifier: String,
    restart_href: String,
    others: Vec<Other>,
    can_remember: bool,
    passkey: Option<PasskeyForm>,
    errors: BTreeMap<String, String>,
}

/// The page that asks for a passkey as the second factor.
pub(super) fn second_page(
    web: &Web,
    realm: &RealmState,
    flow: &Flow,
    kinds: &[AuthenticatorType],
    errors: &FieldErrors,
) -> Result<Response, Error> {
    let plain = flow.clone().without_questions().seal(&web.app, realm)?;
    let context = SecondPage {
        card: Card::new(web.templates.text("sign_in.second_factor.passkey.title"), realm),
        identifier: flow.identifier.clone().unwrap_or_default(),
        restart_href: format!("/realms/{}/sign-in?flow={plain}", realm.realm.slug),
        flow: plain,
        others: others(web, realm, flow, kinds, AuthenticatorType::Passkey)?,
        can_remember: realm.realm.settings.remembered_device_seconds > 0,
        passkey: form_of(web, realm, flow, "passkey", "use")?,
        errors: field_messages(web, errors),
    };
    Ok(page(web, status_of(errors), "card/sign_in/second_factor_passkey.html", &context))
}

#[derive(Serialize)]
struct MakePage {
    card: Card,
    flow: String,
    identifier: String,
    restart_href: String,
    passkey: Option<PasskeyForm>,
    errors: BTreeMap<String, String>,
}

/// The page that asks to make a passkey.
pub(super) fn make_page(web: &Web, realm: &RealmState, flow: &Flow, errors: &FieldErrors) -> Result<Response, Error> {
    let plain = flow.clone().without_questions().seal(&web.app, realm)?;
    let context = MakePage {
        card: Card::new(web.templates.text("passkey.make.title"), realm),
        identifier: flow.identifier.clone().unwrap_or_default(),
        restart_href: format!("/realms/{}/sign-in?flow={plain}", realm.realm.slug),
        flow: plain,
        passkey: form_of(web, realm, flow, "register-passkey", "make")?,
        errors: field_messages(web, errors),
    };
    Ok(page(web, status_of(errors), "card/sign_in/register_passkey.html", &context))
}

#[derive(Deserialize)]
struct AnswerForm {
    flow: String,
    #[serde(default)]
    answer: Secret,
    #[serde(default)]
    remember: bool,
}

async fn check(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Form(form): Form<AnswerForm>,
) -> Response {
    let (realm, flow) = match open_in_browser(&web, &cx, &slug, &form.flow, &headers).await {
        Ok(opened) => opened,
        Err(page) => return page,
    };
    let checked = check_passkey_step(&web.app, &cx, &realm, flow.clone(), form.answer.expose(), form.remember).await;
    let answer = match checked {
        Ok(Step::Wrong(errors)) if !flow.is_proved() => identifier_page(&web, &realm, &flow, &errors).await,
        // With a new question: each is answered once.
        Ok(Step::Wrong(errors)) => match look(&web.app, &cx, &realm, flow).await {
            Ok(Some(Step::SecondFactor(flow, kinds))) => second_page(&web, &realm, &flow, &kinds, &errors),
            Ok(Some(step)) => proceed(&web, &realm, step),
            Ok(None) => Err(Error::conflict("flow-expired", "This page is too old. Sign in again.")),
            Err(error) => Err(error),
        },
        Ok(step) => proceed(&web, &realm, step),
        Err(error) => Err(error),
    };
    answer.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
}

async fn register(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Form(form): Form<AnswerForm>,
) -> Response {
    let (realm, flow) = match open_in_browser(&web, &cx, &slug, &form.flow, &headers).await {
        Ok(opened) => opened,
        Err(page) => return page,
    };
    let answer = match register_passkey_step(&web.app, &cx, &realm, flow.clone(), form.answer.expose()).await {
        Ok(Step::Wrong(errors)) => match look(&web.app, &cx, &realm, flow).await {
            Ok(Some(Step::Action(flow, denizen_model::authenticators::RequiredAction::RegisterPasskey))) => {
                make_page(&web, &realm, &flow, &errors)
            }
            Ok(Some(step)) => proceed(&web, &realm, step),
            Ok(None) => Err(Error::conflict("flow-expired", "This page is too old. Sign in again.")),
            Err(error) => Err(error),
        },
        Ok(step) => proceed(&web, &realm, step),
        Err(error) => Err(error),
    };
    answer.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
}
