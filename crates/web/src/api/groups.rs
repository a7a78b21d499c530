//! Groups: list, create, read, change, delete; who is in them.

use axum::{Json, http::StatusCode};
use denizen_model::{
    GroupId, Timestamp, UserId,
    groups::Group,
    permissions::markers::{GroupsRead, GroupsWrite},
};
use denizen_ops::groups;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    answer::{Answer, DONE, List, Record},
    ask::{Ask, Id, Part},
    body::{Body, present},
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

/// A group of users; their tokens name it.
#[derive(Serialize, ToSchema)]
#[schema(as = Group)]
pub(super) struct GroupView {
    /// Stable id.
    id: GroupId,
    /// Its name, also in tokens; unique in the realm without regard to case.
    name: String,
    /// What it is for.
    description: String,
    /// How many users are in it.
    member_count: u64,
    /// When it was made.
    created_at: Timestamp,
    /// When it was last changed; members come and go without it.
    updated_at: Timestamp,
}

impl From<Group> for GroupView {
    fn from(group: Group) -> Self {
        let Group { id, name, description, member_count, created_at, updated_at, .. } = group;
        Self { id, name, description, member_count, created_at, updated_at }
    }
}

/// A group to be created.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateGroup {
    /// Its name.
    name: String,
    /// What it is for.
    #[serde(default)]
    description: String,
}

/// What to change about a group.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeGroup {
    /// Its name.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    name: Option<String>,
    /// What it is for.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    description: Option<String>,
}

/// Users to be made members.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AddMembers {
    /// Their ids, 1 to 500.
    #[schema(min_items = 1, max_items = 500)]
    pub(super) user_ids: Vec<UserId>,
}

/// What became of a request to add members.
#[derive(Serialize, ToSchema)]
pub(super) struct AddedMembers {
    /// How many were no members before.
    pub(super) added: usize,
}

/// List groups
///
/// By name.
#[utoipa::path(get, path = "/realms/{realm}/groups", operation_id = "list_groups", tag = "Groups", params(ByName),
    responses((status = 200, description = "One page of groups.", body = List<GroupView>)),
    extensions(("x-permission" = json!("groups:read"))))]
async fn list(ask: Ask<GroupsRead, ByName>) -> Answer<Json<List<GroupView>>> {
    let page = groups::list(&ask.app, &ask.cx, ask.may, ask.query.into()).await?;
    Ok(List::page(page, GroupView::from))
}

/// Create a group
#[utoipa::path(post, path = "/realms/{realm}/groups", operation_id = "create_group", tag = "Groups", request_body = CreateGroup,
    responses((status = 201, description = "The created group.", body = GroupView)),
    extensions(("x-permission" = json!("groups:write"))))]
async fn create(ask: Ask<GroupsWrite>, Body(new): Body<CreateGroup>) -> Answer<Record<GroupView>> {
    let group = groups::create(&ask.app, &ask.cx, ask.may, &new.name, &new.description).await?;
    let location = format!("/api/v1/realms/{}/groups/{}", ask.realm.realm.slug, group.id);
    Ok(Record::created(group.version, location, group.into()))
}

/// Read a group
#[utoipa::path(get, path = "/realms/{realm}/groups/{id}", operation_id = "read_group", tag = "Groups",
    responses((status = 200, description = "The group.", body = GroupView)),
    extensions(("x-permission" = json!("groups:read"))))]
async fn read(ask: Ask<GroupsRead>, Id(id): Id<GroupId>) -> Answer<Record<GroupView>> {
    let group = groups::get(&ask.app, &ask.cx, ask.may, id).await?;
    Ok(Record::new(group.version, group.into()))
}

/// Change a group
///
/// A merge patch: what is absent stays as it is.
#[utoipa::path(patch, path = "/realms/{realm}/groups/{id}", operation_id = "change_group", tag = "Groups",
    request_body = ChangeGroup,
    responses((status = 200, description = "The changed group.", body = GroupView)),
    extensions(("x-permission" = json!("groups:write"))))]
async fn change(
    ask: Ask<GroupsWrite>,
    Id(id): Id<GroupId>,
    Body(patch): Body<ChangeGroup>,
) -> Answer<Record<GroupView>> {
    let group = groups::update(&ask.app, &ask.cx, ask.may, id, patch.name, patch.description, ask.if_match).await?;
    Ok(Record::new(group.version, group.into()))
}

/// Delete a group
///
/// Its members lose it, each with an event of their own. A group of more than 1,000 members is refused with 409
/// (`too-many-members`): remove its members first.
#[utoipa::path(delete, path = "/realms/{realm}/groups/{id}", operation_id = "delete_group", tag = "Groups",
    responses((status = 204, description = "It is gone.")),
    extensions(("x-permission" = json!("groups:write"))))]
async fn delete(ask: Ask<GroupsWrite>, Id(id): Id<GroupId>) -> Answer<StatusCode> {
    groups::delete(&ask.app, &ask.cx, ask.may, id, ask.if_match).await?;
    Ok(DONE)
}

/// List the members of a group
///
/// In order of their ids. Needs `users:read` besides.
#[utoipa::path(get, path = "/realms/{realm}/groups/{id}/members", operation_id = "list_group_members", tag = "Groups",
    params(Paging),
    responses((status = 200, description = "One page of users.", body = List<UserView>)),
    extensions(("x-permission" = json!("groups:read"))))]
async fn members(ask: Ask<GroupsRead, Paging>, Id(id): Id<GroupId>) -> Answer<Json<List<UserView>>> {
    let see = ask.prove()?;
    let page = groups::list_members(&ask.app, &ask.cx, ask.may, see, id, ask.query.cursor, ask.query.limit).await?;
    Ok(List::page(page, UserView::from))
}

/// Add members to a group
///
/// All of them or, when one does not exist, none. It is in their next tokens. Being a member already is no error.
#[utoipa::path(post, path = "/realms/{realm}/groups/{id}/members", operation_id = "add_group_members", tag = "Groups",
    request_body = AddMembers,
    responses((status = 200, description = "They are members.", body = AddedMembers)),
    extensions(("x-permission" = json!("groups:write"))))]
async fn add_members(
    ask: Ask<GroupsWrite>,
    Id(id): Id<GroupId>,
    Body(new): Body<AddMembers>,
) -> Answer<Json<AddedMembers>> {
    let added = groups::add_members(&ask.app, &ask.cx, ask.may, id, new.user_ids).await?;
    Ok(Json(AddedMembers { added }))
}

/// Remove a member from a group
///
/// Their next token is without it. Not being a member is no error.
#[utoipa::path(delete, path = "/realms/{realm}/groups/{id}/members/{part}", operation_id = "remove_group_member",
    tag = "Groups", params(("part" = UserId, Path, description = "The user's id.")),
    responses((status = 204, description = "The user is no member.")),
    extensions(("x-permission" = json!("groups:write"))))]
async fn remove_member(ask: Ask<GroupsWrite>, Id(id): Id<GroupId>, Part(user): Part<UserId>) -> Answer<StatusCode> {
    groups::remove(&ask.app, &ask.cx, ask.may, user, id).await?;
    Ok(DONE)
}
