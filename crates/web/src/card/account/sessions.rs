//! The user's own sessions: where they are signed in, and ending what they do not know.

use axum::{
    Router,
    extract::{Path, Query},
    response::Response,
    routing::{get, post},
};
use denizen_model::{SessionId, devices::is_mobile, sessions::Session};
use denizen_ops::{
    Error,
    sessions::{self, SignedIn},
};
use serde::{Deserialize, Serialize};

use super::{
    Navigation, device_words,
    visit::{Answer, Door, Visit},
};
use crate::{
    Web,
    card::{Card, cookie, see_other, with_cookie},
    render::TimeView,
};

pub(super) const PATH: &str = "/sessions";

pub(super) fn router() -> Router<Web> {
    Router::new()
        .route("/realms/{realm}/account/sessions", get(list))
        .route("/realms/{realm}/account/sessions/end-others", post(end_others))
        .route("/realms/{realm}/account/sessions/{session}/end", post(end))
}

#[derive(Serialize)]
struct SessionsPage {
    card: Card,
    navigation: Navigation,
    done: Option<String>,
    sessions: Vec<Row>,
    end_others_action: String,
}

#[derive(Serialize)]
struct Row {
    icon: &'static str,
    device: String,
    own: bool,
    ip: Option<String>,
    place: Option<String>,
    last_seen_at: TimeView,
    started_at: TimeView,
    applications: Vec<String>,
    end_action: String,
}

/// What has just been done, for the notice above the list.
#[derive(Deserialize)]
struct Asked {
    done: Option<String>,
}

async fn list(door: Door, Query(asked): Query<Asked>) -> Answer {
    let visit = door.enter(PATH).await?;
    visit.answer(show(&visit, asked.done.as_deref())).await
}

async fn show(visit: &Visit<SignedIn>, done: Option<&str>) -> Result<Response, Error> {
    let now = visit.cx.now;
    let row = |session: Session| Row {
        icon: if is_mobile(&session.device) { "phone" } else { "monitor" },
        own: session.id == visit.who.session.id,
        end_action: visit.href(&format!("{PATH}/{}/end", session.id)),
        applications: session.clients.into_iter().filter_map(|client| client.name).collect(),
        device: device_words(&visit.web.templates, &session.device),
        ip: session.ip,
        place: session.place,
        last_seen_at: TimeView::new(session.last_seen_at, now),
        started_at: TimeView::new(session.created_at, now),
    };
    let found = sessions::list_own(&visit.web.app, &visit.cx, &visit.who).await?;
    let done = match done {
        Some("one") => Some("account.sessions.done_one"),
        Some("others") => Some("account.sessions.done_others"),
        _ => None,
    };
    let context = SessionsPage {
        card: visit.card(visit.text("account.sessions.title")),
        navigation: visit.navigation(PATH),
        done: done.map(|id| visit.text(id)),
        sessions: found.into_iter().map(row).collect(),
        end_others_action: visit.href("/sessions/end-others"),
    };
    Ok(visit.page("card/account/sessions.html", &context))
}

async fn end(door: Door, Path((_, session)): Path<(String, String)>) -> Answer {
    let visit = door.enter(PATH).await?;
    visit
        .answer(async {
            let id: SessionId = session.parse().map_err(|_| Error::not_found("session"))?;
            sessions::end_own(&visit.web.app, &visit.cx, &visit.who, id).await?;
            if id != visit.who.session.id {
                return Ok(visit.lead_to("/sessions?done=one"));
            }
            // Their own: that is signing out.
            let target = format!("/realms/{}/signed-out", visit.realm.realm.slug);
            Ok(with_cookie(see_other(&target), cookie::clear(&visit.web, &visit.realm)))
        })
        .await
}

async fn end_others(door: Door) -> Answer {
    let visit = door.enter(PATH).await?;
    visit
        .answer(async {
            sessions::end_others(&visit.web.app, &visit.cx, &visit.who).await?;
            Ok(visit.lead_to("/sessions?done=others"))
        })
        .await
}
