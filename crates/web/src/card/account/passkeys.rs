//! The user's own passkeys: seen, and one more made.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Form, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::Response,
    routing::get,
};
use denizen_model::{authenticators::Authenticator, validation::FieldErrors};
use denizen_ops::{
    Cx, Error, RealmState,
    authenticators::passkeys::{are_available, begin_own, finish_own, is_fresh, list_own},
    crypto::Secret,
    flows::sign_in::Flow,
    sessions::SignedIn,
};
use serde::{Deserialize, Serialize};

use crate::{
    Web,
    card::{
        Card, PasskeyForm, error_page, fault_page, field_messages, page, see_other, sign_in::identifier_page, signed_in,
    },
    cx::Anonymous,
    render::TimeView,
};

pub(super) fn router() -> Router<Web> {
    Router::new().route("/realms/{realm}/account/passkeys", get(show).post(add))
}

#[derive(Serialize)]
struct PasskeysPage {
    card: Card,
    done: bool,
    own: Vec<Row>,
    passkey: Option<PasskeyForm>,
    back_href: String,
    errors: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Row {
    label: String,
    /// An administrator holds it back.
    held: bool,
    registered_at: TimeView,
    last_used_at: Option<TimeView>,
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    done: bool,
}

#[derive(Deserialize)]
struct AnswerForm {
    #[serde(default)]
    state: String,
    #[serde(default)]
    answer: Secret,
}

fn href(realm: &RealmState) -> String {
    format!("/realms/{}/account/passkeys", realm.realm.slug)
}

/// The realm and who is signed in to it, since a short while; for anybody else the sign-in that leads here.
async fn enter(web: &Web, cx: &Cx, slug: &str, headers: &HeaderMap) -> Result<(Arc<RealmState>, SignedIn), Response> {
    let realm = web.app.realm(slug).await.map_err(|error| error_page(web, &error, cx.request_id, None))?;
    if !realm.realm.enabled {
        return Err(fault_page(web, StatusCode::FORBIDDEN, "realm_disabled", Some(&realm)));
    }
    let found = signed_in(web, cx, &realm, headers).await;
    let found = found.map_err(|error| error_page(web, &error, cx.request_id, Some(&realm)))?;
    let flow = match found {
        Some(signed_in) if is_fresh(cx, &signed_in) => return Ok((realm, signed_in)),
        Some(signed_in) => Flow::new(cx.now, None, Some(signed_in.user.username)).once_more(),
        None => Flow::new(cx.now, None, None),
    };
    let flow = flow.leading_to(href(&realm));
    let answer = identifier_page(web, &realm, &flow, &FieldErrors::new()).await;
    Err(answer.unwrap_or_else(|error| error_page(web, &error, cx.request_id, Some(&realm))))
}

async fn show(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let (realm, signed_in) = match enter(&web, &cx, &slug, &headers).await {
        Ok(entered) => entered,
        Err(answer) => return answer,
    };
    let shown = passkeys_page(&web, &cx, &realm, &signed_in, asked.done, &FieldErrors::new()).await;
    shown.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
}

async fn passkeys_page(
    web: &Web,
    cx: &Cx,
    realm: &RealmState,
    signed_in: &SignedIn,
    done: bool,
    errors: &FieldErrors,
) -> Result<Response, Error> {
    let row = |one: Authenticator| Row {
        held: !one.is_usable(cx.now),
        registered_at: TimeView::new(one.registered_at, cx.now),
        last_used_at: TimeView::opt(one.last_used_at, cx.now),
        label: one.label,
    };
    let own = list_own(&web.app, signed_in).await?;
    let passkey = if are_available(&web.app) {
        let adding = begin_own(&web.app, cx, realm, signed_in).await?;
        let (options, state) = (adding.options, adding.state);
        Some(PasskeyForm { action: href(realm), kind: "make", options, state, state_name: "state", autofill: false })
    } else {
        None
    };
    let context = PasskeysPage {
        card: Card::new(web.templates.text("account.passkeys.title"), realm),
        done,
        own: own.into_iter().map(row).collect(),
        passkey,
        back_href: format!("/realms/{}/account", realm.realm.slug),
        errors: field_messages(web, errors),
    };
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok(page(web, status, "card/account/passkeys.html", &context))
}

async fn add(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Form(form): Form<AnswerForm>,
) -> Response {
    let (realm, signed_in) = match enter(&web, &cx, &slug, &headers).await {
        Ok(entered) => entered,
        Err(answer) => return answer,
    };
    let answer = match finish_own(&web.app, &cx, &realm, &signed_in, &form.state, form.answer.expose()).await {
        Ok(Ok(())) => Ok(see_other(&format!("{}?done=true", href(&realm)))),
        Ok(Err(text)) => passkeys_page(&web, &cx, &realm, &signed_in, false, &FieldErrors::one("form", text)).await,
        Err(error) => Err(error),
    };
    answer.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
}
