//! The one-time set-up page where the owner account is made (PRODUCT §2).

use std::collections::BTreeMap;

use axum::{
    Form, Router,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
    routing::{get, post},
};
use denizen_model::{users::NewHuman, validation::FieldErrors};
use denizen_ops::{
    Cx, Error, ErrorKind,
    crypto::Secret,
    setup::{create_owner, is_valid},
};
use serde::{Deserialize, Serialize};

use super::{Card, error_page, fault_page, field_messages, page, password_needs, see_other};
use crate::{Web, cx::Anonymous};

pub(crate) fn router() -> Router<Web> {
    Router::new().route("/setup/{token}", get(show)).route("/setup", post(create))
}

#[derive(Serialize)]
struct SetupPage {
    card: Card,
    action: &'static str,
    token: String,
    min_length: String,
    password_needs: String,
    values: Values,
    errors: BTreeMap<String, String>,
}

#[derive(Serialize, Default, Clone)]
struct Values {
    email: String,
    given_name: String,
    family_name: String,
}

#[derive(Deserialize)]
struct SetupForm {
    token: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    given_name: String,
    #[serde(default)]
    family_name: String,
    #[serde(default)]
    password: Secret,
}

async fn setup_page(web: &Web, token: String, values: Values, errors: &FieldErrors) -> Result<Response, Error> {
    let realm = web.app.main_realm().await?;
    let context = SetupPage {
        card: Card::new(web.templates.text("setup.title"), &realm),
        action: "/setup",
        token,
        min_length: realm.realm.settings.password_min_length.to_string(),
        password_needs: password_needs(web, &realm),
        values,
        errors: field_messages(web, errors),
    };
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok(page(web, status, "card/setup.html", &context))
}

async fn show(State(web): State<Web>, Anonymous(cx): Anonymous, Path(token): Path<String>) -> Response {
    let answer = match is_valid(&web.app, &token, &cx).await {
        Ok(true) => setup_page(&web, token, Values::default(), &FieldErrors::new()).await,
        Ok(false) => Ok(fault_page(&web, StatusCode::NOT_FOUND, "expired", None)),
        Err(error) => Err(error),
    };
    answer.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, None))
}

async fn create(State(web): State<Web>, Anonymous(cx): Anonymous, Form(form): Form<SetupForm>) -> Response {
    make(&web, &cx, form).await.unwrap_or_else(|error| match *error.kind {
        ErrorKind::NotFound(_) | ErrorKind::Conflict(_) => fault_page(&web, StatusCode::NOT_FOUND, "expired", None),
        _ => error_page(&web, &error, cx.request_id, None),
    })
}

async fn make(web: &Web, cx: &Cx, form: SetupForm) -> Result<Response, Error> {
    // Checked before anything is hashed, so that a stranger cannot buy work.
    if !is_valid(&web.app, &form.token, cx).await? {
        return Err(Error::not_found("set-up link"));
    }
    let values = Values { email: form.email, given_name: form.given_name, family_name: form.family_name };
    let kept = values.clone();
    let new = NewHuman {
        email: Some(values.email),
        given_name: Some(values.given_name),
        family_name: Some(values.family_name),
        ..NewHuman::default()
    };
    match create_owner(&web.app, cx, Some(&form.token), new, form.password.expose().to_owned()).await {
        Ok(_) => Ok(see_other("/admin")),
        Err(error) => match *error.kind {
            ErrorKind::Invalid(errors) => setup_page(web, form.token, kept, &errors).await,
            _ => Err(error),
        },
    }
}
