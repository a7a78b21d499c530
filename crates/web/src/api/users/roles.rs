//! A user's realm roles.

use axum::{Json, http::StatusCode};
use denizen_model::{
    RoleId, UserId,
    permissions::markers::{RolesAssign, UsersRead},
};
use denizen_ops::roles;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::{
    answer::{Answer, DONE, List},
    ask::{Ask, Id, Part},
    roles::RoleView,
};
use crate::Web;

pub(super) fn endpoints() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(assign, remove))
}

/// List a user's roles
///
/// By name.
#[utoipa::path(get, path = "/realms/{realm}/users/{id}/roles", operation_id = "list_user_roles", tag = "Roles",
    responses((status = 200, description = "All roles of the user.", body = List<RoleView>)),
    extensions(("x-permission" = json!("users:read"))))]
async fn list(ask: Ask<UsersRead>, Id(id): Id<UserId>) -> Answer<Json<List<RoleView>>> {
    let found = roles::list_of(&ask.app, &ask.cx, ask.may, id).await?;
    Ok(List::all(found, RoleView::from))
}

/// Assign a role to a user
///
/// It is in their next token. Having it already is no error.
#[utoipa::path(put, path = "/realms/{realm}/users/{id}/roles/{part}", operation_id = "assign_role", tag = "Roles",
    params(("part" = RoleId, Path, description = "The role's id.")),
    responses((status = 204, description = "The user has it.")),
    extensions(("x-permission" = json!("roles:assign"))))]
async fn assign(ask: Ask<RolesAssign>, Id(id): Id<UserId>, Part(role): Part<RoleId>) -> Answer<StatusCode> {
    roles::assign(&ask.app, &ask.cx, ask.may, id, role).await?;
    Ok(DONE)
}

/// Remove a role from a user
///
/// Not having it is no error.
#[utoipa::path(delete, path = "/realms/{realm}/users/{id}/roles/{part}", operation_id = "remove_role", tag = "Roles",
    params(("part" = RoleId, Path, description = "The role's id.")),
    responses((status = 204, description = "The user does not have it.")),
    extensions(("x-permission" = json!("roles:assign"))))]
async fn remove(ask: Ask<RolesAssign>, Id(id): Id<UserId>, Part(role): Part<RoleId>) -> Answer<StatusCode> {
    roles::remove(&ask.app, &ask.cx, ask.may, id, role).await?;
    Ok(DONE)
}
