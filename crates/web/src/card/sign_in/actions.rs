//! What is required before the destination: a new password, an authenticator app; a passkey is in [`super::passkey`].

use std::collections::BTreeMap;

use axum::{
    Form, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::Response,
    routing::post,
};
use denizen_model::{authenticators::RequiredAction, validation::FieldErrors};
use denizen_ops::{
    Error, RealmState,
    crypto::Secret,
    flows::sign_in::{
        Flow, Step,
        actions::{configure_otp_step, totp_set_up, update_password_step},
        go_on,
    },
};
use serde::{Deserialize, Serialize};

use super::{open_in_browser, passkey, proceed, status_of};
use crate::{
    Web,
    card::{Card, error_page, field_messages, page, password_needs},
    cx::Anonymous,
};

pub(super) fn router() -> Router<Web> {
    Router::new()
        .route("/realms/{realm}/sign-in/update-password", post(update_password))
        .route("/realms/{realm}/sign-in/configure-otp", post(configure_otp))
        .route("/realms/{realm}/sign-in/continue", post(go_on_from))
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

#[derive(Serialize)]
struct ConfigureOtpPage {
    card: Card,
    action: String,
    flow: String,
    /// SVG of our own making, with nothing in it that anybody typed.
    picture: Option<String>,
    secret: String,
    errors: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct RecoveryCodesPage {
    card: Card,
    action: String,
    /// Not called `flow`, as it is elsewhere: codes that are shown once cannot be shown again in another language.
    state: String,
    codes: Vec<String>,
}

/// The page that asks for an action.
pub(super) fn page_of(
    web: &Web,
    realm: &RealmState,
    flow: &Flow,
    action: RequiredAction,
    errors: &FieldErrors,
) -> Result<Response, Error> {
    match action {
        RequiredAction::UpdatePassword => update_password_page(web, realm, flow, errors),
        RequiredAction::ConfigureOtp => configure_otp_page(web, realm, flow, errors),
        RequiredAction::RegisterPasskey => passkey::make_page(web, realm, flow, errors),
    }
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

fn configure_otp_page(web: &Web, realm: &RealmState, flow: &Flow, errors: &FieldErrors) -> Result<Response, Error> {
    let set_up = totp_set_up(realm, flow)?;
    let context = ConfigureOtpPage {
        card: Card::new(web.templates.text("sign_in.configure_otp.title"), realm),
        action: format!("/realms/{}/sign-in/configure-otp", realm.realm.slug),
        flow: flow.seal(&web.app, realm)?,
        picture: set_up.picture.map(|picture| picture.expose().to_owned()),
        secret: set_up.text.expose().to_owned(),
        errors: field_messages(web, errors),
    };
    Ok(page(web, status_of(errors), "card/sign_in/configure_otp.html", &context))
}

/// The page that shows new recovery codes, once.
pub(super) fn recovery_codes_page(
    web: &Web,
    realm: &RealmState,
    flow: &Flow,
    codes: &[Secret],
) -> Result<Response, Error> {
    let context = RecoveryCodesPage {
        card: Card::new(web.templates.text("sign_in.recovery_codes.title"), realm),
        action: format!("/realms/{}/sign-in/continue", realm.realm.slug),
        state: flow.seal(&web.app, realm)?,
        codes: codes.iter().map(|code| code.expose().to_owned()).collect(),
    };
    Ok(page(web, StatusCode::OK, "card/sign_in/recovery_codes.html", &context))
}

#[derive(Deserialize)]
struct UpdatePasswordForm {
    flow: String,
    #[serde(default)]
    password: Secret,
    #[serde(default)]
    password_again: Secret,
}

#[derive(Deserialize)]
struct CodeForm {
    flow: String,
    #[serde(default)]
    code: Secret,
}

#[derive(Deserialize)]
struct ContinueForm {
    flow: String,
}

async fn update_password(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Form(form): Form<UpdatePasswordForm>,
) -> Response {
    let (realm, flow) = match open_in_browser(&web, &cx, &slug, &form.flow, &headers).await {
        Ok(opened) => opened,
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

async fn configure_otp(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Form(form): Form<CodeForm>,
) -> Response {
    let (realm, flow) = match open_in_browser(&web, &cx, &slug, &form.flow, &headers).await {
        Ok(opened) => opened,
        Err(page) => return page,
    };
    let answer = match configure_otp_step(&web.app, &cx, &realm, flow.clone(), &form.code).await {
        Ok(Step::Wrong(errors)) => configure_otp_page(&web, &realm, &flow, &errors),
        Ok(step) => proceed(&web, &realm, step),
        Err(error) => Err(error),
    };
    answer.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
}

/// From a page that asked for nothing but to be read.
async fn go_on_from(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Form(form): Form<ContinueForm>,
) -> Response {
    let (realm, flow) = match open_in_browser(&web, &cx, &slug, &form.flow, &headers).await {
        Ok(opened) => opened,
        Err(page) => return page,
    };
    let answer = match go_on(&web.app, &cx, &realm, flow).await {
        Ok(step) => proceed(&web, &realm, step),
        Err(error) => Err(error),
    };
    answer.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
}
