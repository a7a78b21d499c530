//! Resets that an agent asks a user for.

use axum::{Json, http::StatusCode};
use denizen_model::{
    ResetRequestId, Timestamp, UserId,
    messages::MessageState,
    permissions::markers::{CredentialsReset, UsersRead},
    reset_requests::{ResetKind, ResetRequest},
};
use denizen_ops::reset_requests::{self, Delivery, NewResetRequests};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::{
    answer::{Answer, DONE, List},
    ask::{Ask, Id, Part},
    body::Body,
};
use crate::Web;

pub(super) fn endpoints() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list_resets, create_resets)).routes(routes!(cancel_reset))
}

/// A reset that was asked for and is not done.
#[derive(Serialize, ToSchema)]
#[schema(as = ResetRequest)]
pub(super) struct ResetView {
    /// Stable id.
    id: ResetRequestId,
    /// What is to be made anew.
    #[serde(rename = "type")]
    kind: ResetKind,
    /// Who asked, by name.
    requested_by: String,
    /// When.
    requested_at: Timestamp,
    /// When its link stops working. What it asks for goes on waiting.
    expires_at: Timestamp,
    /// How far the mail with the link has come; `null` where the link was handed over.
    mail_state: Option<MessageState>,
    /// What went wrong at the last attempt to send it.
    mail_error: Option<String>,
    /// When the link was followed.
    followed_at: Option<Timestamp>,
}

impl From<ResetRequest> for ResetView {
    fn from(request: ResetRequest) -> Self {
        let ResetRequest { id, kind, requested_by, requested_at, expires_at, mail, followed_at, .. } = request;
        let (mail_state, mail_error) = mail.map_or((None, None), |mail| (Some(mail.state), mail.last_error));
        Self { id, kind, requested_by, requested_at, expires_at, mail_state, mail_error, followed_at }
    }
}

/// A reset that was just asked for.
#[derive(Serialize, ToSchema)]
struct NewReset {
    #[serde(flatten)]
    request: ResetView,
    /// The link, shown this once; only where `deliver` is `link`.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
}

/// How the links go out.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Deliver {
    /// A mail for each, to the user's verified email.
    #[default]
    Mail,
    /// The answer has them, this once, to be handed over by other means.
    Link,
}

/// Resets to be asked for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateResets {
    /// What is to be made anew, at least one.
    #[schema(min_items = 1)]
    which: Vec<ResetKind>,
    /// Whether all sessions of the user end now; they do when absent. Without, they go on, and the change is asked
    /// for at the next sign-in.
    #[serde(default = "yes")]
    terminate_sessions: bool,
    /// How the links go out; by mail when absent.
    #[serde(default)]
    deliver: Deliver,
}

fn yes() -> bool {
    true
}

/// List reset requests
#[utoipa::path(get, path = "/realms/{realm}/users/{id}/reset-requests", operation_id = "list_reset_requests",
    tag = "Credentials",
    responses((status = 200, description = "What waits for the user, the oldest first.", body = List<ResetView>)),
    extensions(("x-permission" = json!("users:read"))))]
async fn list_resets(ask: Ask<UsersRead>, Id(id): Id<UserId>) -> Answer<Json<List<ResetView>>> {
    let waiting = reset_requests::list(&ask.app, &ask.cx, ask.may, id).await?;
    Ok(List::all(waiting, ResetView::from))
}

/// Ask for resets
///
/// `password`: it must be replaced. `otp`: two-step sign-in is set up again. `passkey`: a new one is made while those
/// there are stay valid. One link goes out for each; it works once, for a day. Each request takes the place of one of
/// its type that waits, whose link stops working. Mails go to a verified email alone; the problem `no-verified-email`
/// says why none can be sent.
#[utoipa::path(post, path = "/realms/{realm}/users/{id}/reset-requests", operation_id = "create_reset_requests",
    tag = "Credentials", request_body = CreateResets,
    responses((status = 201, description = "What was asked for.", body = List<NewReset>)),
    extensions(("x-permission" = json!("credentials:reset"))))]
async fn create_resets(
    ask: Ask<CredentialsReset>,
    Id(id): Id<UserId>,
    Body(body): Body<CreateResets>,
) -> Answer<(StatusCode, Json<List<NewReset>>)> {
    let new = NewResetRequests {
        kinds: body.which,
        terminate_sessions: body.terminate_sessions,
        delivery: match body.deliver {
            Deliver::Mail => Delivery::Mail,
            Deliver::Link => Delivery::Link,
        },
    };
    let issued = reset_requests::create(&ask.app, &ask.cx, ask.may, id, new).await?;
    let view = |one: reset_requests::Issued| NewReset {
        request: one.request.into(),
        link: one.link.map(|link| link.expose().to_owned()),
    };
    Ok((StatusCode::CREATED, List::all(issued, view)))
}

/// Cancel a reset request
///
/// Its link stops working, and what it asks for is no longer required.
#[utoipa::path(delete, path = "/realms/{realm}/users/{id}/reset-requests/{part}", operation_id = "cancel_reset_request",
    tag = "Credentials",
    params(("part" = ResetRequestId, Path, description = "The request.")),
    responses((status = 204, description = "It is cancelled.")),
    extensions(("x-permission" = json!("credentials:reset"))))]
async fn cancel_reset(
    ask: Ask<CredentialsReset>,
    Id(id): Id<UserId>,
    Part(part): Part<ResetRequestId>,
) -> Answer<StatusCode> {
    reset_requests::cancel(&ask.app, &ask.cx, ask.may, id, part).await?;
    Ok(DONE)
}
