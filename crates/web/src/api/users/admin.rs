//! Which admin roles a user holds.

use axum::{Json, http::StatusCode};
use denizen_model::{
    UserId,
    permissions::{
        AdminRole,
        markers::{AdminsManage, UsersRead},
    },
    users::AdminGrant,
};
use denizen_ops::admins;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::{
    answer::{Answer, DONE, List},
    ask::{Ask, Id},
    body::Body,
};
use crate::Web;

pub(super) fn endpoints() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list, grant, revoke))
}

/// An admin role to be granted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct GrantAdminRole {
    /// The role.
    role: AdminRole,
    /// Whether it holds in every realm; for users of the realm `main` only.
    #[serde(default)]
    everywhere: bool,
}

/// List a user's admin roles
#[utoipa::path(get, path = "/realms/{realm}/users/{id}/admin", operation_id = "list_admin_roles", tag = "Administrators",
    responses((status = 200, description = "What the user holds, and where.", body = List<AdminGrant>)),
    extensions(("x-permission" = json!("users:read"))))]
async fn list(ask: Ask<UsersRead>, Id(id): Id<UserId>) -> Answer<Json<List<AdminGrant>>> {
    let grants = admins::list(&ask.app, &ask.cx, ask.may, id).await?;
    Ok(List::all(grants, |grant| grant))
}

/// Grant an admin role
///
/// In the user's realm or in every one; it replaces the role held there. Nobody grants more than they hold.
#[utoipa::path(put, path = "/realms/{realm}/users/{id}/admin", operation_id = "grant_admin_role", tag = "Administrators",
    request_body = GrantAdminRole,
    responses((status = 204, description = "The user holds it.")),
    extensions(("x-permission" = json!("admins:manage"))))]
async fn grant(ask: Ask<AdminsManage>, Id(id): Id<UserId>, Body(body): Body<GrantAdminRole>) -> Answer<StatusCode> {
    admins::grant(&ask.app, &ask.cx, ask.may, id, body.role, body.everywhere).await?;
    Ok(DONE)
}

/// Take all admin roles from a user
#[utoipa::path(delete, path = "/realms/{realm}/users/{id}/admin", operation_id = "revoke_admin_roles",
    tag = "Administrators",
    responses((status = 204, description = "The user is no administrator.")),
    extensions(("x-permission" = json!("admins:manage"))))]
async fn revoke(ask: Ask<AdminsManage>, Id(id): Id<UserId>) -> Answer<StatusCode> {
    admins::revoke(&ask.app, &ask.cx, ask.may, id).await?;
    Ok(DONE)
}
