//! The account page: who is signed in, where, and the way out. More of it comes with the account pages proper.

mod passkeys;

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{Redirect, Response},
    routing::{get, post},
};
use denizen_model::users::VerificationState;
use denizen_model::validation::FieldErrors;
use denizen_ops::{
    Cx, Error, RealmState,
    flows::sign_in::Flow,
    sessions::{SignedIn, applications, sign_out},
};
use serde::Serialize;

use super::{Card, cookie, error_page, fault_page, page, see_other, sign_in::identifier_page, signed_in, with_cookie};
use crate::{
    Web,
    cx::Anonymous,
    render::{TimeView, hue, initials},
};

pub(crate) fn router() -> Router<Web> {
    Router::new()
        .route("/realms/{realm}", get(root))
        .route("/realms/{realm}/account", get(overview))
        .route("/realms/{realm}/account/sign-out", post(leave))
        .merge(passkeys::router())
}

#[derive(Serialize)]
struct OverviewPage {
    card: Card,
    user: UserView,
    applications: Vec<ApplicationView>,
    console_href: Option<String>,
    sign_out_action: String,
}

#[derive(Serialize)]
struct UserView {
    name: String,
    initials: String,
    hue: u8,
    email: Option<String>,
    email_verified: bool,
    username: String,
    signed_in_at: TimeView,
}

#[derive(Serialize)]
struct ApplicationView {
    name: String,
    last_used_at: TimeView,
}

async fn root(Path(slug): Path<String>) -> Redirect {
    Redirect::to(&format!("/realms/{}/account", crate::path_segment(&slug)))
}

async fn overview(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
) -> Response {
    let realm = match web.app.realm(&slug).await {
        Ok(realm) => realm,
        Err(error) => return error_page(&web, &error, cx.request_id, None),
    };
    if !realm.realm.enabled {
        return fault_page(&web, StatusCode::FORBIDDEN, "realm_disabled", Some(&realm));
    }
    let answer = match signed_in(&web, &cx, &realm, &headers).await {
        Ok(Some(signed_in)) => show(&web, &cx, &realm, signed_in).await,
        Ok(None) => identifier_page(&web, &realm, &Flow::new(cx.now, None, None), &FieldErrors::new()).await,
        Err(error) => Err(error),
    };
    answer.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
}

async fn show(web: &Web, cx: &Cx, realm: &RealmState, signed_in: SignedIn) -> Result<Response, Error> {
    let used = applications(&web.app, realm, &signed_in).await?;
    let applications =
        used.into_iter().map(|(name, at)| ApplicationView { name, last_used_at: TimeView::new(at, cx.now) }).collect();
    let SignedIn { session, user } = signed_in;
    let slug = &realm.realm.slug;
    let context = OverviewPage {
        card: Card::new(web.templates.text("account.title"), realm),
        console_href: user.admin_role.map(|_| format!("/admin/{slug}/users")),
        sign_out_action: format!("/realms/{slug}/account/sign-out"),
        applications,
        user: UserView {
            initials: initials(user.display_name()),
            hue: hue(&user.id.to_string()),
            name: user.display_name().to_owned(),
            email_verified: user.email_state == VerificationState::Verified,
            email: user.email,
            username: user.username,
            signed_in_at: TimeView::new(session.authenticated_at, cx.now),
        },
    };
    Ok(page(web, StatusCode::OK, "card/account/overview.html", &context))
}

async fn leave(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
) -> Response {
    let realm = match web.app.realm(&slug).await {
        Ok(realm) => realm,
        Err(error) => return error_page(&web, &error, cx.request_id, None),
    };
    let done = match signed_in(&web, &cx, &realm, &headers).await {
        Ok(Some(signed_in)) => sign_out(&web.app, &cx, &signed_in).await,
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    match done {
        Ok(()) => with_cookie(see_other(&format!("/realms/{slug}/signed-out")), cookie::clear(&web, &realm)),
        Err(error) => error_page(&web, &error, cx.request_id, Some(&realm)),
    }
}
