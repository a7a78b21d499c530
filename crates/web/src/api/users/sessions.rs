//! A user's sessions.

use axum::{Json, http::StatusCode};
use denizen_model::{
    SessionId, Timestamp, UserId,
    permissions::markers::{SessionsRevoke, UsersRead},
    sessions::{NoticeState, Session, SessionClient},
};
use denizen_ops::sessions;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::{
    answer::{Answer, DONE, List},
    ask::{Ask, Id, Part},
};
use crate::Web;

pub(super) fn endpoints() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list, revoke_all)).routes(routes!(revoke))
}

/// One signed-in browser or device.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
struct SessionView {
    /// Stable id; `sid` in tokens.
    id: SessionId,
    /// Whether it can be used now.
    active: bool,
    /// When it started.
    created_at: Timestamp,
    /// When the user last proved who they are.
    authenticated_at: Timestamp,
    /// How: RFC 8176 values.
    amr: Vec<String>,
    /// When it was last used, to the minute.
    last_seen_at: Timestamp,
    /// When it ends if it is not used again.
    idle_expires_at: Timestamp,
    /// When it ends in any case.
    expires_at: Timestamp,
    /// When it was revoked.
    revoked_at: Option<Timestamp>,
    /// The address it started from.
    ip: Option<String>,
    /// The place of that address, such as `Berlin, Germany`, where a GeoIP database is configured.
    place: Option<String>,
    /// Device and browser.
    device: String,
    /// The clients that use it, by `client_id`.
    clients: Vec<String>,
    /// The same clients with their names, when they were used, and whether they know that the session has ended.
    applications: Vec<ApplicationView>,
}

/// A client in a session.
#[derive(Serialize, ToSchema)]
#[schema(as = SessionApplication)]
struct ApplicationView {
    /// What it calls itself.
    client_id: String,
    /// What people call it; `null` when it was deleted.
    name: Option<String>,
    /// When it joined the session.
    first_used_at: Timestamp,
    /// When the session last signed the user in to it.
    last_used_at: Timestamp,
    /// How it was told that the session has ended; `null` while the session lives, for clients without
    /// `backchannel_logout_uri`, and after sessions that ended by themselves.
    logout_notice: Option<NoticeView>,
}

/// The telling of a client that a session has ended (OpenID Connect Back-Channel Logout 1.0).
#[derive(Serialize, ToSchema)]
#[schema(as = LogoutNotice)]
struct NoticeView {
    /// How far it is.
    state: NoticeState,
    /// How often it was tried.
    attempts: u32,
    /// When it is tried next.
    next_attempt_at: Option<Timestamp>,
    /// When the client confirmed it.
    delivered_at: Option<Timestamp>,
    /// What went wrong at the last attempt.
    last_error: Option<String>,
}

impl From<SessionClient> for ApplicationView {
    fn from(client: SessionClient) -> Self {
        let SessionClient { client_id, name, first_used_at, last_used_at, notice } = client;
        let logout_notice = notice.map(|notice| NoticeView {
            state: notice.state(),
            attempts: notice.attempts,
            next_attempt_at: notice.due_at,
            delivered_at: notice.delivered_at,
            last_error: notice.last_error,
        });
        Self { client_id, name, first_used_at, last_used_at, logout_notice }
    }
}

impl SessionView {
    fn new(session: Session, now: Timestamp) -> Self {
        let active = session.is_live(now);
        let amr = session.amr.split_whitespace().map(str::to_owned).collect();
        let Session { id, created_at, authenticated_at, last_seen_at, idle_expires_at, expires_at, .. } = session;
        let Session { revoked_at, ip, place, device, clients, .. } = session;
        Self {
            id,
            active,
            created_at,
            authenticated_at,
            amr,
            last_seen_at,
            idle_expires_at,
            expires_at,
            revoked_at,
            ip,
            place,
            device,
            clients: clients.iter().map(|client| client.client_id.clone()).collect(),
            applications: clients.into_iter().map(ApplicationView::from).collect(),
        }
    }
}

/// How many sessions were ended.
#[derive(Serialize, ToSchema)]
struct Revoked {
    /// The number of sessions.
    revoked: usize,
}

/// List a user's sessions
///
/// Active and recent ones, newest first.
#[utoipa::path(get, path = "/realms/{realm}/users/{id}/sessions", operation_id = "list_sessions", tag = "Sessions",
    responses((status = 200, description = "The sessions.", body = List<SessionView>)),
    extensions(("x-permission" = json!("users:read"))))]
async fn list(ask: Ask<UsersRead>, Id(id): Id<UserId>) -> Answer<Json<List<SessionView>>> {
    let found = sessions::list(&ask.app, &ask.cx, ask.may, id).await?;
    Ok(List::all(found, |session| SessionView::new(session, ask.cx.now)))
}

/// End all sessions of a user
///
/// They are dead at the next request, and their refresh tokens with them.
#[utoipa::path(delete, path = "/realms/{realm}/users/{id}/sessions", operation_id = "revoke_sessions", tag = "Sessions",
    responses((status = 200, description = "How many there were.", body = Revoked)),
    extensions(("x-permission" = json!("sessions:revoke"))))]
async fn revoke_all(ask: Ask<SessionsRevoke>, Id(id): Id<UserId>) -> Answer<Json<Revoked>> {
    let revoked = sessions::revoke_all(&ask.app, &ask.cx, ask.may, id).await?;
    Ok(Json(Revoked { revoked }))
}

/// End a session
///
/// It is dead at the next request, and its refresh tokens with it.
#[utoipa::path(delete, path = "/realms/{realm}/users/{id}/sessions/{part}", operation_id = "revoke_session",
    tag = "Sessions",
    params(("part" = SessionId, Path, description = "The session's id.")),
    responses((status = 204, description = "It has ended.")),
    extensions(("x-permission" = json!("sessions:revoke"))))]
async fn revoke(ask: Ask<SessionsRevoke>, Id(id): Id<UserId>, Part(session): Part<SessionId>) -> Answer<StatusCode> {
    sessions::revoke(&ask.app, &ask.cx, ask.may, id, session).await?;
    Ok(DONE)
}
