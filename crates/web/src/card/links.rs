//! What links in mails lead to. Opening one changes nothing, for programs that look for bad links open them too; a
//! button does.

use axum::{
    Form, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    response::Response,
    routing::get,
};
use denizen_ops::{Cx, Error, RealmState, users};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use super::{Card, error_page, fault_page, page};
use crate::{Web, cx::Anonymous};

pub(crate) fn router() -> Router<Web> {
    Router::new().route("/realms/{realm}/verify-email", get(ask_verify).post(verify))
}

/// The secret in a link.
#[derive(Deserialize)]
pub(super) struct LinkQuery {
    #[serde(default)]
    pub(super) token: String,
}

/// The realm of a link, which must be enabled; or the error page.
pub(super) async fn open(web: &Web, cx: &Cx, slug: &str) -> Result<Arc<RealmState>, Response> {
    let realm = web.app.realm(slug).await.map_err(|error| error_page(web, &error, cx.request_id, None))?;
    if realm.realm.enabled {
        Ok(realm)
    } else {
        Err(fault_page(web, StatusCode::FORBIDDEN, "realm_disabled", Some(&realm)))
    }
}

#[derive(Serialize)]
struct VerifyPage {
    card: Card,
    action: String,
    token: String,
    email: String,
}

#[derive(Serialize)]
struct VerifiedPage {
    card: Card,
    email: String,
    account_href: String,
}

async fn ask_verify(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    Query(LinkQuery { token }): Query<LinkQuery>,
) -> Response {
    let realm = match open(&web, &cx, &slug).await {
        Ok(realm) => realm,
        Err(page) => return page,
    };
    match users::find_email_to_verify(&web.app, &cx, &realm, &token).await {
        Ok(email) => {
            let context = VerifyPage {
                card: Card::new(web.templates.text("verify_email.title"), &realm),
                action: format!("/realms/{slug}/verify-email"),
                token,
                email,
            };
            page(&web, StatusCode::OK, "card/links/verify_email.html", &context)
        }
        Err(error) => error_page(&web, &error, cx.request_id, Some(&realm)),
    }
}

async fn verify(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    Form(LinkQuery { token }): Form<LinkQuery>,
) -> Response {
    let realm = match open(&web, &cx, &slug).await {
        Ok(realm) => realm,
        Err(page) => return page,
    };
    let done = confirm(&web, &cx, &realm, &token).await;
    done.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
}

async fn confirm(web: &Web, cx: &Cx, realm: &RealmState, token: &str) -> Result<Response, Error> {
    let user = users::confirm_email(&web.app, cx, realm, token).await?;
    let context = VerifiedPage {
        card: Card::new(web.templates.text("verify_email.done"), realm),
        email: user.email.unwrap_or_default(),
        account_href: format!("/realms/{}/account", realm.realm.slug),
    };
    Ok(page(web, StatusCode::OK, "card/links/verified.html", &context))
}
