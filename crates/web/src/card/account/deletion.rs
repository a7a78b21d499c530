//! Deleting one's own account, where the realm leaves that to people.

use axum::{Form, Router, response::Response, routing::get};
use denizen_model::validation::FieldErrors;
use denizen_ops::{
    Error, ErrorKind,
    account::{
        Fresh,
        deletion::{check_allowed, delete},
        password,
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
    card::{Card, cookie, field_messages, with_cookie},
};

const PATH: &str = "/delete";

pub(super) fn router() -> Router<Web> {
    Router::new().route("/realms/{realm}/account/delete", get(show).post(remove))
}

#[derive(Serialize)]
struct DeletePage {
    card: Card,
    navigation: Navigation,
    action: String,
    cancel_href: String,
    /// Whose account it is.
    username: String,
    has_password: bool,
    errors: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct DeletedPage {
    card: Card,
}

#[derive(Deserialize)]
struct DeleteForm {
    #[serde(default)]
    current_password: Secret,
    #[serde(default)]
    sure: Option<String>,
}

async fn delete_page(visit: &Visit<Fresh>, errors: &FieldErrors) -> Result<Response, Error> {
    check_allowed(&visit.realm)?;
    let context = DeletePage {
        card: visit.card(visit.text("account.delete.title")),
        navigation: visit.navigation(""),
        action: visit.href(PATH),
        cancel_href: visit.href(""),
        username: visit.signed_in().user.username.clone(),
        has_password: password::find(&visit.web.app, visit.signed_in()).await?.is_some(),
        errors: field_messages(&visit.web, errors),
    };
    Ok(visit.form_page(errors, "card/account/delete.html", &context))
}

async fn show(door: Door) -> Answer {
    let visit = door.enter_fresh(PATH).await?;
    visit.answer(delete_page(&visit, &FieldErrors::new())).await
}

async fn remove(door: Door, Form(form): Form<DeleteForm>) -> Answer {
    let visit = door.enter_fresh_form(PATH).await?;
    visit
        .answer(async {
            let done = if form.sure.as_deref() == Some("true") {
                delete(&visit.web.app, &visit.cx, &visit.realm, &visit.who, form.current_password).await
            } else {
                Err(Error::field("sure", "account.delete.not_sure"))
            };
            match done {
                Ok(()) => {
                    let context = DeletedPage { card: visit.card(visit.text("account.deleted.title")) };
                    let gone = visit.page("card/account/deleted.html", &context);
                    Ok(with_cookie(gone, cookie::clear(&visit.web, &visit.realm)))
                }
                Err(error) if matches!(*error.kind, ErrorKind::Conflict("last-owner")) => {
                    delete_page(&visit, &FieldErrors::one("form", "account.delete.last_owner")).await
                }
                Err(error) => delete_page(&visit, &mendable(error)?).await,
            }
        })
        .await
}
