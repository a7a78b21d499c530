//! The user's own passkeys: seen, and one more made.

use std::collections::BTreeMap;

use axum::{Form, Router, extract::Query, response::Response, routing::get};
use denizen_model::{authenticators::Authenticator, validation::FieldErrors};
use denizen_ops::{
    Error,
    account::Fresh,
    authenticators::passkeys::{are_available, begin_own, finish_own, list_own},
    crypto::Secret,
};
use serde::{Deserialize, Serialize};

use super::{
    Navigation, authenticators,
    visit::{Answer, Door, Visit},
};
use crate::{
    Web,
    card::{Card, PasskeyForm, field_messages},
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

async fn show(door: Door, Query(asked): Query<Asked>) -> Answer {
    let visit = door.enter_fresh(PATH).await?;
    visit.answer(passkeys_page(&visit, asked.done, &FieldErrors::new())).await
}

async fn passkeys_page(visit: &Visit<Fresh>, done: bool, errors: &FieldErrors) -> Result<Response, Error> {
    let now = visit.cx.now;
    let row = |one: Authenticator| Row {
        held: !one.is_usable(now),
        registered_at: TimeView::new(one.registered_at, now),
        last_used_at: TimeView::opt(one.last_used_at, now),
        label: one.label,
    };
    let own = list_own(&visit.web.app, visit.signed_in()).await?;
    let passkey = if are_available(&visit.web.app) {
        let adding = begin_own(&visit.web.app, &visit.cx, &visit.realm, &visit.who).await?;
        let (options, state) = (adding.options, adding.state);
        Some(PasskeyForm {
            action: visit.href(PATH),
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
        card: visit.card(visit.text("account.passkeys.title")),
        navigation: visit.navigation(authenticators::PATH),
        done,
        own: own.into_iter().map(row).collect(),
        passkey,
        cancel_href: visit.href(authenticators::PATH),
        errors: field_messages(&visit.web, errors),
    };
    Ok(visit.form_page(errors, "card/account/passkeys.html", &context))
}

async fn add(door: Door, Form(form): Form<AnswerForm>) -> Answer {
    let visit = door.enter_fresh_form(PATH).await?;
    visit
        .answer(async {
            let (app, answer) = (&visit.web.app, form.answer.expose());
            match finish_own(app, &visit.cx, &visit.realm, &visit.who, &form.state, answer).await? {
                Ok(()) => Ok(visit.lead_to("/passkeys?done=true")),
                Err(text) => passkeys_page(&visit, false, &FieldErrors::one("form", text)).await,
            }
        })
        .await
}
