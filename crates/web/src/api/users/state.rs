//! Enabling and disabling.

use denizen_model::{UserId, permissions::markers::UsersWrite};
use denizen_ops::users;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    super::{
        answer::{Answer, Record},
        ask::{Ask, Id},
        body::{MaybeBody, Nothing},
    },
    view::UserView,
};
use crate::Web;

pub(super) fn endpoints() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(enable)).routes(routes!(disable))
}

/// Why a user is disabled.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DisableUser {
    /// The reason, for other administrators.
    reason: Option<String>,
}

/// Enable a user
#[utoipa::path(post, path = "/realms/{realm}/users/{id}/enable", operation_id = "enable_user", tag = "Users",
    responses((status = 200, description = "The enabled user.", body = UserView)),
    extensions(("x-permission" = json!("users:write"))))]
async fn enable(
    ask: Ask<UsersWrite>,
    Id(id): Id<UserId>,
    MaybeBody(Nothing {}): MaybeBody<Nothing>,
) -> Answer<Record<UserView>> {
    let user = users::enable(&ask.app, &ask.cx, ask.may, id).await?;
    Ok(Record::new(user.version, user.into()))
}

/// Disable a user
///
/// They cannot sign in nor refresh, and all their sessions end at once. Everything is kept.
#[utoipa::path(post, path = "/realms/{realm}/users/{id}/disable", operation_id = "disable_user", tag = "Users",
    request_body = Option<DisableUser>,
    responses((status = 200, description = "The disabled user.", body = UserView)),
    extensions(("x-permission" = json!("users:write"))))]
async fn disable(
    ask: Ask<UsersWrite>,
    Id(id): Id<UserId>,
    MaybeBody(body): MaybeBody<DisableUser>,
) -> Answer<Record<UserView>> {
    let user = users::disable(&ask.app, &ask.cx, ask.may, id, body.reason).await?;
    Ok(Record::new(user.version, user.into()))
}
