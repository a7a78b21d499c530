//! Deleting one's own account, where the realm leaves that to people.

use axum::{
    Form, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::Response,
    routing::get,
};
use denizen_model::validation::FieldErrors;
use denizen_ops::{
    Error, ErrorKind, RealmState,
    account::{
        Fresh,
        deletion::{check_allowed, delete},
        password,
    },
    crypto::Secret,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::{Navigation, enter_fresh, enter_fresh_form, href, mendable, status_of};
use crate::{
    Web,
    card::{Card, cookie, error_page, field_messages, page, with_cookie},
    cx::Anonymous,
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

async fn delete_page(web: &Web, realm: &RealmState, fresh: &Fresh, errors: &FieldErrors) -> Result<Response, Error> {
    check_allowed(realm)?;
    let signed_in = fresh.signed_in();
    let context = DeletePage {
        card: Card::new(web.templates.text("account.delete.title"), realm),
        navigation: Navigation::new(web, realm, signed_in, ""),
        action: href(realm, PATH),
        cancel_href: href(realm, ""),
        username: signed_in.user.username.clone(),
        has_password: password::find(&web.app, signed_in).await?.is_some(),
        errors: field_messages(web, errors),
    };
    Ok(page(web, status_of(errors), "card/account/delete.html", &context))
}

async fn show(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
) -> Response {
    let (realm, fresh) = match enter_fresh(&web, &cx, &slug, &headers, PATH).await {
        Ok(entered) => entered,
        Err(answer) => return answer,
    };
    let shown = delete_page(&web, &realm, &fresh, &FieldErrors::new()).await;
    shown.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
}

async fn remove(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Form(form): Form<DeleteForm>,
) -> Response {
    let (realm, fresh) = match enter_fresh_form(&web, &cx, &slug, &headers, PATH).await {
        Ok(entered) => entered,
        Err(answer) => return answer,
    };
    let done = if form.sure.as_deref() == Some("true") {
        delete(&web.app, &cx, &realm, &fresh, form.current_password).await
    } else {
        Err(Error::field("sure", "account.delete.not_sure"))
    };
    let answer = match done {
        Ok(()) => {
            let context = DeletedPage { card: Card::new(web.templates.text("account.deleted.title"), &realm) };
            let gone = page(&web, StatusCode::OK, "card/account/deleted.html", &context);
            Ok(with_cookie(gone, cookie::clear(&web, &realm)))
        }
        Err(error) if matches!(*error.kind, ErrorKind::Conflict("last-owner")) => {
            delete_page(&web, &realm, &fresh, &FieldErrors::one("form", "account.delete.last_owner")).await
        }
        Err(error) => match mendable(error) {
            Ok(errors) => delete_page(&web, &realm, &fresh, &errors).await,
            Err(error) => Err(error),
        },
    };
    answer.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
}
