//! The authorization endpoint, where clients send their users.

use axum::{
    Form,
    extract::{
        Path, Query, State,
        rejection::{FormRejection, QueryRejection},
    },
    http::{HeaderMap, StatusCode},
    response::Response,
};
use denizen_model::validation::FieldErrors;
use denizen_ops::{
    Cx, Error, RealmState,
    oauth::authorize::{Outcome, Parameters, authorize},
};

use crate::{
    Web,
    card::{error_page, fault_page, see_other, sign_in::identifier_page, signed_in},
    cx::Anonymous,
    language::{self, Kept},
};

pub(super) async fn by_link(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
    query: Result<Query<Parameters>, QueryRejection>,
) -> Response {
    run(&web, &cx, &slug, &headers, query.ok().map(|Query(parameters)| parameters)).await
}

pub(super) async fn by_form(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
    form: Result<Form<Parameters>, FormRejection>,
) -> Response {
    run(&web, &cx, &slug, &headers, form.ok().map(|Form(parameters)| parameters)).await
}

async fn run(web: &Web, cx: &Cx, slug: &str, headers: &HeaderMap, parameters: Option<Parameters>) -> Response {
    let realm = match web.app.realm(slug).await {
        Ok(realm) => realm,
        Err(error) => return error_page(web, &error, cx.request_id, None),
    };
    // Repeated or unreadable parameters: nothing in such a request can be trusted.
    let Some(parameters) = parameters else {
        return fault_page(web, StatusCode::BAD_REQUEST, "request_invalid", Some(&realm));
    };
    // Of a link it is known; a form's fields are read here.
    language::choose(parameters.ui_locales.as_deref().unwrap_or(""), Kept::Session);
    answer(web, cx, &realm, headers, parameters)
        .await
        .unwrap_or_else(|error| error_page(web, &error, cx.request_id, Some(&realm)))
}

async fn answer(
    web: &Web,
    cx: &Cx,
    realm: &RealmState,
    headers: &HeaderMap,
    parameters: Parameters,
) -> Result<Response, Error> {
    let signed_in = signed_in(web, cx, realm, headers).await?;
    match authorize(&web.app, cx, realm, parameters, signed_in).await? {
        Outcome::Redirect(target) => Ok(see_other(&target)),
        Outcome::Page(fault) => Ok(fault_page(web, StatusCode::BAD_REQUEST, fault, Some(realm))),
        Outcome::SignIn(flow) => identifier_page(web, realm, &flow, &FieldErrors::new()).await,
    }
}
