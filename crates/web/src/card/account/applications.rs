//! The applications that the user has signed in to.

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::Response,
    routing::get,
};
use denizen_ops::{
    Cx, Error, RealmState,
    sessions::{SignedIn, list_applications},
};
use serde::Serialize;

use super::{Navigation, enter};
use crate::{
    Web,
    card::{Card, error_page, page},
    cx::Anonymous,
    render::TimeView,
};

pub(super) fn router() -> Router<Web> {
    Router::new().route("/realms/{realm}/account/applications", get(list))
}

#[derive(Serialize)]
struct ApplicationsPage {
    card: Card,
    navigation: Navigation,
    applications: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    active: bool,
    last_used_at: TimeView,
}

async fn list(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
) -> Response {
    let (realm, signed_in) = match enter(&web, &cx, &slug, &headers, "/applications").await {
        Ok(entered) => entered,
        Err(answer) => return answer,
    };
    let shown = show(&web, &cx, &realm, &signed_in).await;
    shown.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
}

async fn show(web: &Web, cx: &Cx, realm: &RealmState, signed_in: &SignedIn) -> Result<Response, Error> {
    let used = list_applications(&web.app, cx, signed_in).await?;
    let context = ApplicationsPage {
        card: Card::new(web.templates.text("account.applications.title"), realm),
        navigation: Navigation::new(web, realm, signed_in, "/applications"),
        applications: used
            .into_iter()
            .map(|one| Row {
                name: one.name,
                active: one.live_sessions > 0,
                last_used_at: TimeView::new(one.last_used_at, cx.now),
            })
            .collect(),
    };
    Ok(page(web, StatusCode::OK, "card/account/applications.html", &context))
}
