//! Organizations: list, create, read, change, delete; who belongs to them.

use axum::{Json, http::StatusCode};
use denizen_model::{
    OrganizationId, Timestamp, UserId,
    organizations::Organization,
    permissions::markers::{OrganizationsRead, OrganizationsWrite},
};
use denizen_ops::organizations::{self, OrganizationInput};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    answer::{Answer, DONE, List, Record},
    ask::{Ask, Id, Part},
    body::{Body, present},
    groups::{AddMembers, AddedMembers},
    query::{ByName, Paging},
    users::UserView,
};
use crate::Web;

pub(super) fn endpoints() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, change, delete))
        .routes(routes!(members, add_members))
        .routes(routes!(remove_member))
}

/// A company or another body whose people use the realm's applications; their tokens name it.
#[derive(Serialize, ToSchema)]
#[schema(as = Organization)]
pub(super) struct OrganizationView {
    /// Stable id.
    id: OrganizationId,
    /// Its name, also in tokens; unique in the realm without regard to case.
    name: String,
    /// What it is.
    description: String,
    /// Its domains, in lower case.
    domains: Vec<String>,
    /// How many users belong to it.
    member_count: u64,
    /// When it was made.
    created_at: Timestamp,
    /// When it was last changed; members come and go without it.
    updated_at: Timestamp,
}

impl From<Organization> for OrganizationView {
    fn from(organization: Organization) -> Self {
        let Organization { id, name, description, domains, member_count, created_at, updated_at, .. } = organization;
        Self { id, name, description, domains, member_count, created_at, updated_at }
    }
}

/// An organization to be created.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateOrganization {
    /// Its name.
    name: String,
    /// What it is.
    #[serde(default)]
    description: String,
    /// Its domains, in lower case, each once; 100 at the most.
    #[serde(default)]
    domains: Vec<String>,
}

/// What to change about an organization.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeOrganization {
    /// Its name.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    name: Option<String>,
    /// What it is.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    description: Option<String>,
    /// All its domains, in lower case, each once; 100 at the most.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    domains: Option<Vec<String>>,
}

impl From<CreateOrganization> for OrganizationInput {
    fn from(new: CreateOrganization) -> Self {
        Self { name: Some(new.name), description: Some(new.description), domains: Some(new.domains) }
    }
}

impl From<ChangeOrganization> for OrganizationInput {
    fn from(patch: ChangeOrganization) -> Self {
        Self { name: patch.name, description: patch.description, domains: patch.domains }
    }
}

/// List organizations
///
/// By name.
#[utoipa::path(get, path = "/realms/{realm}/organizations", operation_id = "list_organizations", tag = "Organizations", params(ByName),
    responses((status = 200, description = "One page of organizations.", body = List<OrganizationView>)),
    extensions(("x-permission" = json!("organizations:read"))))]
async fn list(ask: Ask<OrganizationsRead, ByName>) -> Answer<Json<List<OrganizationView>>> {
    let page = organizations::list(&ask.app, &ask.cx, ask.may, ask.query.into()).await?;
    Ok(List::page(page, OrganizationView::from))
}

/// Create an organization
#[utoipa::path(post, path = "/realms/{realm}/organizations", operation_id = "create_organization", tag = "Organizations", request_body = CreateOrganization,
    responses((status = 201, description = "The created organization.", body = OrganizationView)),
    extensions(("x-permission" = json!("organizations:write"))))]
async fn create(ask: Ask<OrganizationsWrite>, Body(new): Body<CreateOrganization>) -> Answer<Record<OrganizationView>> {
    let organization = organizations::create(&ask.app, &ask.cx, ask.may, new.into()).await?;
    let location = format!("/api/v1/realms/{}/organizations/{}", ask.realm.realm.slug, organization.id);
    Ok(Record::created(organization.version, location, organization.into()))
}

/// Read an organization
#[utoipa::path(get, path = "/realms/{realm}/organizations/{id}", operation_id = "read_organization", tag = "Organizations",
    responses((status = 200, description = "The organization.", body = OrganizationView)),
    extensions(("x-permission" = json!("organizations:read"))))]
async fn read(ask: Ask<OrganizationsRead>, Id(id): Id<OrganizationId>) -> Answer<Record<OrganizationView>> {
    let organization = organizations::get(&ask.app, &ask.cx, ask.may, id).await?;
    Ok(Record::new(organization.version, organization.into()))
}

/// Change an organization
///
/// A merge patch: what is absent stays as it is.
#[utoipa::path(patch, path = "/realms/{realm}/organizations/{id}", operation_id = "change_organization", tag = "Organizations",
    request_body = ChangeOrganization,
    responses((status = 200, description = "The changed organization.", body = OrganizationView)),
    extensions(("x-permission" = json!("organizations:write"))))]
async fn change(
    ask: Ask<OrganizationsWrite>,
    Id(id): Id<OrganizationId>,
    Body(patch): Body<ChangeOrganization>,
) -> Answer<Record<OrganizationView>> {
    let organization = organizations::update(&ask.app, &ask.cx, ask.may, id, patch.into(), ask.if_match).await?;
    Ok(Record::new(organization.version, organization.into()))
}

/// Delete an organization
///
/// Its members lose it, each with an event of their own. An organization of more than 1,000 members is refused with 409
/// (`too-many-members`): remove its members first.
#[utoipa::path(delete, path = "/realms/{realm}/organizations/{id}", operation_id = "delete_organization", tag = "Organizations",
    responses((status = 204, description = "It is gone.")),
    extensions(("x-permission" = json!("organizations:write"))))]
async fn delete(ask: Ask<OrganizationsWrite>, Id(id): Id<OrganizationId>) -> Answer<StatusCode> {
    organizations::delete(&ask.app, &ask.cx, ask.may, id, ask.if_match).await?;
    Ok(DONE)
}

/// List the members of an organization
///
/// In order of their ids. Needs `users:read` besides.
#[utoipa::path(get, path = "/realms/{realm}/organizations/{id}/members", operation_id = "list_organization_members", tag = "Organizations",
    params(Paging),
    responses((status = 200, description = "One page of users.", body = List<UserView>)),
    extensions(("x-permission" = json!("organizations:read"))))]
async fn members(ask: Ask<OrganizationsRead, Paging>, Id(id): Id<OrganizationId>) -> Answer<Json<List<UserView>>> {
    let see = ask.prove()?;
    let page =
        organizations::list_members(&ask.app, &ask.cx, ask.may, see, id, ask.query.cursor, ask.query.limit).await?;
    Ok(List::page(page, UserView::from))
}

/// Add members to an organization
///
/// All of them or, when one does not exist, none. It is in their next tokens. Being a member already is no error.
#[utoipa::path(post, path = "/realms/{realm}/organizations/{id}/members", operation_id = "add_organization_members", tag = "Organizations",
    request_body = AddMembers,
    responses((status = 200, description = "They are members.", body = AddedMembers)),
    extensions(("x-permission" = json!("organizations:write"))))]
async fn add_members(
    ask: Ask<OrganizationsWrite>,
    Id(id): Id<OrganizationId>,
    Body(new): Body<AddMembers>,
) -> Answer<Json<AddedMembers>> {
    let added = organizations::add_members(&ask.app, &ask.cx, ask.may, id, new.user_ids).await?;
    Ok(Json(AddedMembers { added }))
}

/// Remove a member from an organization
///
/// Their next token is without it. Not being a member is no error.
#[utoipa::path(delete, path = "/realms/{realm}/organizations/{id}/members/{part}", operation_id = "remove_organization_member",
    tag = "Organizations", params(("part" = UserId, Path, description = "The user's id.")),
    responses((status = 204, description = "The user is no member.")),
    extensions(("x-permission" = json!("organizations:write"))))]
async fn remove_member(
    ask: Ask<OrganizationsWrite>,
    Id(id): Id<OrganizationId>,
    Part(user): Part<UserId>,
) -> Answer<StatusCode> {
    organizations::remove(&ask.app, &ask.cx, ask.may, user, id).await?;
    Ok(DONE)
}
