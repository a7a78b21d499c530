//! A user's memberships of organizations.

use axum::{Json, http::StatusCode};
use denizen_model::{
    OrganizationId, Timestamp, UserId,
    organizations::Membership,
    permissions::markers::{OrganizationsWrite, UsersRead},
};
use denizen_ops::organizations;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::{
    answer::{Answer, DONE, List},
    ask::{Ask, Id, Part},
    body::Body,
    organizations::OrganizationView,
};
use crate::{Web, problem::Problem};

pub(super) fn endpoints() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list, add)).routes(routes!(remove))
}

/// That a user belongs to an organization.
#[derive(Serialize, ToSchema)]
#[schema(as = Membership)]
struct MembershipView {
    /// The organization.
    organization: OrganizationView,
    /// Since when.
    joined_at: Timestamp,
}

impl From<Membership> for MembershipView {
    fn from(membership: Membership) -> Self {
        let Membership { organization, joined_at } = membership;
        Self { organization: organization.into(), joined_at }
    }
}

/// An organization to make a user a member of.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct JoinOrganization {
    /// The organization's id.
    organization_id: OrganizationId,
}

/// List a user's memberships
///
/// By the organization's name.
#[utoipa::path(get, path = "/realms/{realm}/users/{id}/memberships", operation_id = "list_user_memberships", tag = "Organizations",
    responses((status = 200, description = "All memberships of the user.", body = List<MembershipView>)),
    extensions(("x-permission" = json!("users:read"))))]
async fn list(ask: Ask<UsersRead>, Id(id): Id<UserId>) -> Answer<Json<List<MembershipView>>> {
    let found = organizations::list_of(&ask.app, &ask.cx, ask.may, id).await?;
    Ok(List::all(found, MembershipView::from))
}

/// Make a user a member of an organization
///
/// It is in their next token. Being one already is no error.
#[utoipa::path(post, path = "/realms/{realm}/users/{id}/memberships", operation_id = "add_user_membership", tag = "Organizations",
    request_body = JoinOrganization,
    responses((status = 204, description = "The user is a member.")),
    extensions(("x-permission" = json!("organizations:write"))))]
async fn add(
    ask: Ask<OrganizationsWrite>,
    Id(id): Id<UserId>,
    Body(new): Body<JoinOrganization>,
) -> Answer<StatusCode> {
    let added = organizations::add(&ask.app, &ask.cx, ask.may, id, new.organization_id).await;
    added.map_err(|error| Problem::of_body(error, "organization", "organization_id"))?;
    Ok(DONE)
}

/// End a user's membership of an organization
///
/// Their next token is without it. Not being a member is no error.
#[utoipa::path(delete, path = "/realms/{realm}/users/{id}/memberships/{part}", operation_id = "remove_user_membership",
    tag = "Organizations", params(("part" = OrganizationId, Path, description = "The organization's id.")),
    responses((status = 204, description = "The user is no member.")),
    extensions(("x-permission" = json!("organizations:write"))))]
async fn remove(
    ask: Ask<OrganizationsWrite>,
    Id(id): Id<UserId>,
    Part(organization): Part<OrganizationId>,
) -> Answer<StatusCode> {
    organizations::remove(&ask.app, &ask.cx, ask.may, id, organization).await?;
    Ok(DONE)
}
