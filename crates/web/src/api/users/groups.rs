//! A user's groups.

use axum::{Json, http::StatusCode};
use denizen_model::{
    GroupId, UserId,
    permissions::markers::{GroupsWrite, UsersRead},
};
use denizen_ops::groups;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::{
    answer::{Answer, DONE, List},
    ask::{Ask, Id, Part},
    body::Body,
    groups::GroupView,
};
use crate::{Web, problem::Problem};

pub(super) fn endpoints() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list, add)).routes(routes!(remove))
}

/// A group to put a user into.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct JoinGroup {
    /// The group's id.
    group_id: GroupId,
}

/// List a user's groups
///
/// By name.
#[utoipa::path(get, path = "/realms/{realm}/users/{id}/groups", operation_id = "list_user_groups", tag = "Groups",
    responses((status = 200, description = "All groups of the user.", body = List<GroupView>)),
    extensions(("x-permission" = json!("users:read"))))]
async fn list(ask: Ask<UsersRead>, Id(id): Id<UserId>) -> Answer<Json<List<GroupView>>> {
    let found = groups::list_of(&ask.app, &ask.cx, ask.may, id).await?;
    Ok(List::all(found, GroupView::from))
}

/// Put a user into a group
///
/// It is in their next token. Being in it already is no error.
#[utoipa::path(post, path = "/realms/{realm}/users/{id}/groups", operation_id = "add_user_group", tag = "Groups",
    request_body = JoinGroup,
    responses((status = 204, description = "The user is in it.")),
    extensions(("x-permission" = json!("groups:write"))))]
async fn add(ask: Ask<GroupsWrite>, Id(id): Id<UserId>, Body(new): Body<JoinGroup>) -> Answer<StatusCode> {
    let added = groups::add(&ask.app, &ask.cx, ask.may, id, new.group_id).await;
    added.map_err(|error| Problem::of_body(error, "group", "group_id"))?;
    Ok(DONE)
}

/// Take a user out of a group
///
/// Their next token is without it. Not being in it is no error.
#[utoipa::path(delete, path = "/realms/{realm}/users/{id}/groups/{part}", operation_id = "remove_user_group",
    tag = "Groups", params(("part" = GroupId, Path, description = "The group's id.")),
    responses((status = 204, description = "The user is not in it.")),
    extensions(("x-permission" = json!("groups:write"))))]
async fn remove(ask: Ask<GroupsWrite>, Id(id): Id<UserId>, Part(group): Part<GroupId>) -> Answer<StatusCode> {
    groups::remove(&ask.app, &ask.cx, ask.may, id, group).await?;
    Ok(DONE)
}
