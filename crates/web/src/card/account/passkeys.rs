//! The user's own passkeys: seen, and one more made.

use std::collections::BTreeMap;

use axum::{
    Form, Router,
    extract::{Path, Query, State},
    http::HeaderMap,
    response::Response,
    routing::get,
};
use denizen_model::{authenticators::Authenticator, validation::FieldErrors};
use denizen_ops::{
    Cx, Error, RealmState,
    account::Fresh,
    authenticators::passkeys::{are_available, begin_own, finish_own, list_own},
    crypto::Secret,
};
use serde::{Deserialize, Serialize};

use super::{Navigation, authenticators, enter_fresh, enter_fresh_form, href, status_of};
use crate::{
    Web,
    card::{Card, PasskeyForm, error_page, field_messages, page, see_other},
    cx::Anonymous,
    render::TimeView,
};

pub(super) const PATH: &str = "/passkeys";

pub(super) fn router() -> Router<Web> {
    Router::new().route("/realms/{realm}/account/passkeys", get(show).post(add))
}

#[derive(Serialize)]
struct PasskeysPage {
    card: Card,
    navigation: Navigation,
    done: bool,
    own: Vec<Row>,
    passkey: Option<PasskeyForm>,
    cancel_href: String,
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

async fn show(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let (realm, fresh) = match enter_fresh(&web, &cx, &slug, &headers, PATH).await {
        Ok(entered) => entered,
        Err(answer) => return answer,
    };
    let shown = passkeys_page(&web, &cx, &realm, &fresh, asked.done, &FieldErrors::new()).await;
    shown.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
}

async fn passkeys_page(
    web: &Web,
    cx: &Cx,
    realm: &RealmState,
    fresh: &Fresh,
    done: bool,
    errors: &FieldErrors,
) -> Result<Response, Error> {
    let row = |one: Authenticator| Row {
        held: !one.is_usable(cx.now),
        registered_at: TimeView::new(one.registered_at, cx.now),
        last_used_at: TimeView::opt(one.last_used_at, cx.now),
        label: one.label,
    };
    let own = list_own(&web.app, fresh.signed_in()).await?;
    let passkey = if are_available(&web.app) {
        let adding = begin_own(&web.app, cx, realm, fresh).await?;
        let (options, state) = (adding.options, adding.state);
        Some(PasskeyForm {
            action: href(realm, PATH),
            kind: "make",
            options,
            state,
            state_name: "state",
            autofill: false,
        })
    } else {
        None
    };
    let context = PasskeysPage {
        card: Card::new(web.templates.text("account.passkeys.title"), realm),
        navigation: Navigation::new(web, realm, fresh.signed_in(), authenticators::PATH),
        done,
        own: own.into_iter().map(row).collect(),
        passkey,
        cancel_href: href(realm, authenticators::PATH),
        errors: field_messages(web, errors),
    };
    Ok(page(web, status_of(errors), "card/account/passkeys.html", &context))
}

async fn add(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Form(form): Form<AnswerForm>,
) -> Response {
    let (realm, fresh) = match enter_fresh_form(&web, &cx, &slug, &headers, PATH).await {
        Ok(entered) => entered,
        Err(answer) => return answer,
    };
    let answer = match finish_own(&web.app, &cx, &realm, &fresh, &form.state, form.answer.expose()).await {
        Ok(Ok(())) => Ok(see_other(&format!("{}?done=true", href(&realm, PATH)))),
        Ok(Err(text)) => passkeys_page(&web, &cx, &realm, &fresh, false, &FieldErrors::one("form", text)).await,
        Err(error) => Err(error),
    };
    answer.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
}
