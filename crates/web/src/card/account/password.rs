//! The user's own password.

use axum::{Form, Router, extract::Query, response::Response, routing::get};
use denizen_model::validation::FieldErrors;
use denizen_ops::{
    Error, ErrorKind,
    account::{
        Fresh,
        password::{self, Typed},
    },
    crypto::Secret,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::{
    Navigation,
    visit::{Answer, Door, Visit, mendable},
};
use crate::{
    Web,
    card::{Card, field_messages, password_needs},
    render::TimeView,
};

pub(super) const PATH: &str = "/password";

pub(super) fn router() -> Router<Web> {
    Router::new().route("/realms/{realm}/account/password", get(show).post(change))
}

#[derive(Serialize)]
struct PasswordPage {
    card: Card,
    navigation: Navigation,
    action: String,
    /// For password managers.
    identifier: String,
    /// When the present one was set; `None` where there is none.
    set_at: Option<TimeView>,
    /// An administrator has locked or switched it off.
    held: bool,
    min_length: String,
    password_needs: String,
    end_others: bool,
    done: Option<String>,
    errors: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Asked {
    done: Option<String>,
}

#[derive(Deserialize)]
struct PasswordForm {
    #[serde(default)]
    current_password: Secret,
    #[serde(default)]
    password: Secret,
    #[serde(default)]
    password_again: Secret,
    #[serde(default)]
    end_others: Option<String>,
}

async fn password_page(
    visit: &Visit<Fresh>,
    errors: &FieldErrors,
    (end_others, done): (bool, Option<&str>),
) -> Result<Response, Error> {
    let (signed_in, now) = (visit.signed_in(), visit.cx.now);
    let present = password::find(&visit.web.app, signed_in).await?;
    let done = match done {
        Some("changed") => Some("account.password.done"),
        Some("ended") => Some("account.password.done_ended"),
        _ => None,
    };
    let context = PasswordPage {
        card: visit.card(visit.text("account.password.title")),
        navigation: visit.navigation(PATH),
        action: visit.href(PATH),
        identifier: signed_in.user.username.clone(),
        held: present.as_ref().is_some_and(|present| !present.is_usable(now)),
        set_at: TimeView::opt(present.map(|present| present.registered_at), now),
        min_length: visit.realm.realm.settings.password_min_length.to_string(),
        password_needs: password_needs(&visit.web, &visit.realm),
        end_others,
        done: done.map(|id| visit.text(id)),
        errors: field_messages(&visit.web, errors),
    };
    Ok(visit.form_page(errors, "card/account/password.html", &context))
}

async fn show(door: Door, Query(asked): Query<Asked>) -> Answer {
    let visit = door.enter_fresh(PATH).await?;
    visit
        .answer(async {
            password::check_allowed(&visit.realm)?;
            password_page(&visit, &FieldErrors::new(), (true, asked.done.as_deref())).await
        })
        .await
}

async fn change(door: Door, Form(form): Form<PasswordForm>) -> Answer {
    let visit = door.enter_fresh_form(PATH).await?;
    let end_others = form.end_others.as_deref() == Some("true");
    let typed = Typed { current: form.current_password, new: form.password, again: form.password_again, end_others };
    visit
        .answer(async {
            let wrong = match password::change(&visit.web.app, &visit.cx, &visit.realm, &visit.who, typed).await {
                Ok(0) => return Ok(visit.lead_to("/password?done=changed")),
                Ok(_) => return Ok(visit.lead_to("/password?done=ended")),
                Err(error) if matches!(*error.kind, ErrorKind::Unavailable) && error.context.is_none() => {
                    FieldErrors::one("form", "account.password.busy")
                }
                Err(error) => mendable(error)?,
            };
            password_page(&visit, &wrong, (end_others, None)).await
        })
        .await
}
