//! Saved views of the list of users.

use axum::{Json, http::StatusCode};
use denizen_model::{SavedViewId, Timestamp, UserId, permissions::markers::UsersRead, saved_views::SavedView};
use denizen_ops::saved_views::{self, ViewPatch};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::{
    answer::{Answer, DONE, List, Record},
    ask::{Ask, Id},
    body::{Body, present},
};
use crate::Web;

pub(super) fn endpoints() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(read, change, delete))
}

/// A saved view of the list of users.
#[derive(Serialize, ToSchema)]
#[schema(as = SavedView)]
struct ViewView {
    /// Stable id.
    id: SavedViewId,
    /// Its name, unique among its owner's without regard to case.
    name: String,
    /// The parameters of the list of users, `q`, `sort` and filters, and `columns` for the console, as a query
    /// string.
    query: String,
    /// Whether every administrator of the realm sees it.
    shared: bool,
    /// Who saved it.
    owner: ViewOwner,
    /// When it was saved.
    created_at: Timestamp,
    /// When it was last changed.
    updated_at: Timestamp,
}

/// Who saved a view.
#[derive(Serialize, ToSchema)]
struct ViewOwner {
    /// The administrator's id.
    id: UserId,
    /// What they are called.
    name: String,
}

impl From<SavedView> for ViewView {
    fn from(view: SavedView) -> Self {
        let SavedView { id, owner_id, owner_name, name, query, shared, created_at, updated_at, .. } = view;
        Self { id, name, query, shared, owner: ViewOwner { id: owner_id, name: owner_name }, created_at, updated_at }
    }
}

/// A view to be saved.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateView {
    /// Its name, up to 60 characters.
    name: String,
    /// The parameters of the list of users as a query string, such as `status=disabled&sort=name`.
    #[serde(default)]
    query: String,
    /// Whether every administrator of the realm is to see it.
    #[serde(default)]
    shared: bool,
}

/// What to change about a view.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeView {
    /// Its name.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    name: Option<String>,
    /// The parameters of the list of users as a query string.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    query: Option<String>,
    /// Whether every administrator of the realm sees it.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    shared: Option<bool>,
}

/// List saved views
///
/// The caller's own, then those that other administrators share in the realm, each by name.
#[utoipa::path(get, path = "/realms/{realm}/users/views", operation_id = "list_user_views", tag = "Users",
    responses((status = 200, description = "All views that the caller sees.", body = List<ViewView>)),
    extensions(("x-permission" = json!("users:read"))))]
async fn list(ask: Ask<UsersRead>) -> Answer<Json<List<ViewView>>> {
    let found = saved_views::list(&ask.app, &ask.cx, ask.may).await?;
    Ok(List::all(found, ViewView::from))
}

/// Save a view
///
/// Up to 50 an administrator, and 100 shared in a realm.
#[utoipa::path(post, path = "/realms/{realm}/users/views", operation_id = "create_user_view", tag = "Users",
    request_body = CreateView,
    responses((status = 201, description = "The saved view.", body = ViewView)),
    extensions(("x-permission" = json!("users:read"))))]
async fn create(ask: Ask<UsersRead>, Body(new): Body<CreateView>) -> Answer<Record<ViewView>> {
    let view = saved_views::create(&ask.app, &ask.cx, ask.may, &new.name, &new.query, new.shared).await?;
    let location = format!("/api/v1/realms/{}/users/views/{}", ask.realm.realm.slug, view.id);
    Ok(Record::created(view.version, location, view.into()))
}

/// Read a saved view
#[utoipa::path(get, path = "/realms/{realm}/users/views/{id}", operation_id = "read_user_view", tag = "Users",
    responses((status = 200, description = "The view.", body = ViewView)),
    extensions(("x-permission" = json!("users:read"))))]
async fn read(ask: Ask<UsersRead>, Id(id): Id<SavedViewId>) -> Answer<Record<ViewView>> {
    let view = saved_views::get(&ask.app, &ask.cx, ask.may, id).await?;
    Ok(Record::new(view.version, view.into()))
}

/// Change a saved view
///
/// A merge patch: what is absent stays as it is. A shared view is changed by its owner, or with `settings:write`.
#[utoipa::path(patch, path = "/realms/{realm}/users/views/{id}", operation_id = "change_user_view", tag = "Users",
    request_body = ChangeView,
    responses((status = 200, description = "The changed view.", body = ViewView)),
    extensions(("x-permission" = json!("users:read"))))]
async fn change(
    ask: Ask<UsersRead>,
    Id(id): Id<SavedViewId>,
    Body(patch): Body<ChangeView>,
) -> Answer<Record<ViewView>> {
    let patch = ViewPatch { name: patch.name, query: patch.query, shared: patch.shared };
    let view = saved_views::update(&ask.app, &ask.cx, ask.may, id, patch, ask.if_match).await?;
    Ok(Record::new(view.version, view.into()))
}

/// Delete a saved view
///
/// A shared view is deleted by its owner, or with `settings:write`.
#[utoipa::path(delete, path = "/realms/{realm}/users/views/{id}", operation_id = "delete_user_view", tag = "Users",
    responses((status = 204, description = "It is gone.")),
    extensions(("x-permission" = json!("users:read"))))]
async fn delete(ask: Ask<UsersRead>, Id(id): Id<SavedViewId>) -> Answer<StatusCode> {
    saved_views::delete(&ask.app, &ask.cx, ask.may, id, ask.if_match).await?;
    Ok(DONE)
}
