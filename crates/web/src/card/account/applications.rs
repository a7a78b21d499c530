//! The applications that the user has signed in to.

use axum::{Router, response::Response, routing::get};
use denizen_ops::{
    Error,
    sessions::{SignedIn, list_applications},
};
use serde::Serialize;

use super::{
    Navigation,
    visit::{Answer, Door, Visit},
};
use crate::{Web, card::Card, render::TimeView};

pub(super) const PATH: &str = "/applications";

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

async fn list(door: Door) -> Answer {
    let visit = door.enter(PATH).await?;
    visit.answer(show(&visit)).await
}

async fn show(visit: &Visit<SignedIn>) -> Result<Response, Error> {
    let used = list_applications(&visit.web.app, &visit.cx, &visit.who).await?;
    let context = ApplicationsPage {
        card: visit.card(visit.text("account.applications.title")),
        navigation: visit.navigation(PATH),
        applications: used
            .into_iter()
            .map(|one| Row {
                name: one.name,
                active: one.live_sessions > 0,
                last_used_at: TimeView::new(one.last_used_at, visit.cx.now),
            })
            .collect(),
    };
    Ok(visit.page("card/account/applications.html", &context))
}
