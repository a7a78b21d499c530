//! The user's own sessions: where they are signed in, and ending what they do not know.

use axum::{
    Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::Response,
    routing::{get, post},
};
use denizen_model::{SessionId, devices::is_mobile, sessions::Session};
use denizen_ops::{
    Cx, Error, RealmState,
    sessions::{self, SignedIn},
};
use serde::{Deserialize, Serialize};

use super::{Navigation, device_words, enter, href};
use crate::{
    Web,
    card::{Card, cookie, error_page, page, see_other, with_cookie},
    cx::Anonymous,
    render::TimeView,
};

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

async fn list(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let (realm, signed_in) = match enter(&web, &cx, &slug, &headers, "/sessions").await {
        Ok(entered) => entered,
        Err(answer) => return answer,
    };
    let shown = show(&web, &cx, &realm, &signed_in, asked.done.as_deref()).await;
    shown.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
}

async fn show(
    web: &Web,
    cx: &Cx,
    realm: &RealmState,
    signed_in: &SignedIn,
    done: Option<&str>,
) -> Result<Response, Error> {
    let row = |session: Session| Row {
        icon: if is_mobile(&session.device) { "phone" } else { "monitor" },
        own: session.id == signed_in.session.id,
        end_action: href(realm, &format!("/sessions/{}/end", session.id)),
        applications: session.clients.into_iter().filter_map(|client| client.name).collect(),
        device: device_words(&web.templates, &session.device),
        ip: session.ip,
        place: session.place,
        last_seen_at: TimeView::new(session.last_seen_at, cx.now),
        started_at: TimeView::new(session.created_at, cx.now),
    };
    let found = sessions::list_own(&web.app, cx, signed_in).await?;
    let done = match done {
        Some("one") => Some("account.sessions.done_one"),
        Some("others") => Some("account.sessions.done_others"),
        _ => None,
    };
    let context = SessionsPage {
        card: Card::new(web.templates.text("account.sessions.title"), realm),
        navigation: Navigation::new(web, realm, signed_in, "/sessions"),
        done: done.map(|id| web.templates.text(id)),
        sessions: found.into_iter().map(row).collect(),
        end_others_action: href(realm, "/sessions/end-others"),
    };
    Ok(page(web, StatusCode::OK, "card/account/sessions.html", &context))
}

async fn end(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path((slug, session)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let (realm, signed_in) = match enter(&web, &cx, &slug, &headers, "/sessions").await {
        Ok(entered) => entered,
        Err(answer) => return answer,
    };
    let ended = match session.parse::<SessionId>() {
        Ok(id) => sessions::end_own(&web.app, &cx, &signed_in, id).await.map(|()| id),
        Err(_) => Err(Error::not_found("session")),
    };
    match ended {
        // Their own: that is signing out.
        Ok(id) if id == signed_in.session.id => {
            let target = format!("/realms/{}/signed-out", realm.realm.slug);
            with_cookie(see_other(&target), cookie::clear(&web, &realm))
        }
        Ok(_) => see_other(&href(&realm, "/sessions?done=one")),
        Err(error) => error_page(&web, &error, cx.request_id, Some(&realm)),
    }
}

async fn end_others(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
) -> Response {
    let (realm, signed_in) = match enter(&web, &cx, &slug, &headers, "/sessions").await {
        Ok(entered) => entered,
        Err(answer) => return answer,
    };
    match sessions::end_others(&web.app, &cx, &signed_in).await {
        Ok(_) => see_other(&href(&realm, "/sessions?done=others")),
        Err(error) => error_page(&web, &error, cx.request_id, Some(&realm)),
    }
}
