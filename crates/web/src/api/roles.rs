//! Realm roles: list, create, read, change, delete.

use axum::{Json, http::StatusCode};
use denizen_model::{
    RoleId, Timestamp,
    permissions::markers::{RolesRead, RolesWrite},
    roles::Role,
};
use denizen_ops::roles;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    answer::{Answer, DONE, List, Record},
    ask::{Ask, Id},
    body::{Body, present},
    query::Paging,
};
use crate::Web;

pub(super) fn endpoints() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(read, change, delete))
}

/// A realm role: a named grant that goes into tokens.
#[derive(Serialize, ToSchema)]
#[schema(as = Role)]
pub(super) struct RoleView {
    /// Stable id.
    id: RoleId,
    /// Its name in tokens, unique in the realm without regard to case.
    name: String,
    /// What it is for.
    description: String,
    /// How many users have it.
    user_count: u64,
    /// When it was made.
    created_at: Timestamp,
    /// When it was last changed.
    updated_at: Timestamp,
}

impl From<Role> for RoleView {
    fn from(role: Role) -> Self {
        let Role { id, name, description, user_count, created_at, updated_at, .. } = role;
        Self { id, name, description, user_count, created_at, updated_at }
    }
}

/// A role to be created.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateRole {
    /// Its name in tokens, without blanks.
    name: String,
    /// What it is for.
    #[serde(default)]
    description: String,
}

/// What to change about a role.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeRole {
    /// Its name in tokens.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    name: Option<String>,
    /// What it is for.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    description: Option<String>,
}

/// List roles
///
/// By name.
#[utoipa::path(get, path = "/realms/{realm}/roles", operation_id = "list_roles", tag = "Roles", params(Paging),
    responses((status = 200, description = "One page of roles.", body = List<RoleView>)),
    extensions(("x-permission" = json!("roles:read"))))]
async fn list(ask: Ask<RolesRead, Paging>) -> Answer<Json<List<RoleView>>> {
    let page = roles::list(&ask.app, &ask.cx, ask.may, ask.query.cursor, ask.query.limit).await?;
    Ok(List::page(page, RoleView::from))
}

/// Create a role
#[utoipa::path(post, path = "/realms/{realm}/roles", operation_id = "create_role", tag = "Roles", request_body = CreateRole,
    responses((status = 201, description = "The created role.", body = RoleView)),
    extensions(("x-permission" = json!("roles:write"))))]
async fn create(ask: Ask<RolesWrite>, Body(new): Body<CreateRole>) -> Answer<Record<RoleView>> {
    let role = roles::create(&ask.app, &ask.cx, ask.may, &new.name, &new.description).await?;
    let location = format!("/api/v1/realms/{}/roles/{}", ask.realm.realm.slug, role.id);
    Ok(Record::created(role.version, location, role.into()))
}

/// Read a role
#[utoipa::path(get, path = "/realms/{realm}/roles/{id}", operation_id = "read_role", tag = "Roles",
    responses((status = 200, description = "The role.", body = RoleView)),
    extensions(("x-permission" = json!("roles:read"))))]
async fn read(ask: Ask<RolesRead>, Id(id): Id<RoleId>) -> Answer<Record<RoleView>> {
    let role = roles::get(&ask.app, &ask.cx, ask.may, id).await?;
    Ok(Record::new(role.version, role.into()))
}

/// Change a role
///
/// A merge patch: what is absent stays as it is.
#[utoipa::path(patch, path = "/realms/{realm}/roles/{id}", operation_id = "change_role", tag = "Roles",
    request_body = ChangeRole,
    responses((status = 200, description = "The changed role.", body = RoleView)),
    extensions(("x-permission" = json!("roles:write"))))]
async fn change(ask: Ask<RolesWrite>, Id(id): Id<RoleId>, Body(patch): Body<ChangeRole>) -> Answer<Record<RoleView>> {
    let role = roles::update(&ask.app, &ask.cx, ask.may, id, patch.name, patch.description, ask.if_match).await?;
    Ok(Record::new(role.version, role.into()))
}

/// Delete a role
///
/// It is taken from everyone who has it.
#[utoipa::path(delete, path = "/realms/{realm}/roles/{id}", operation_id = "delete_role", tag = "Roles",
    responses((status = 204, description = "It is gone.")),
    extensions(("x-permission" = json!("roles:write"))))]
async fn delete(ask: Ask<RolesWrite>, Id(id): Id<RoleId>) -> Answer<StatusCode> {
    roles::delete(&ask.app, &ask.cx, ask.may, id, ask.if_match).await?;
    Ok(DONE)
}
