//! Realms: list, create, read, change, delete.

use axum::{Json, http::StatusCode};
use denizen_model::{
    RealmId, Timestamp,
    permissions::markers::{RealmsManage, SettingsRead},
    realms::Realm,
};
use denizen_ops::realms::{self, RealmPatch};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    answer::{Answer, DONE, List, Record},
    ask::{Ask, AskAny, AskMain, Slug},
    body::{Body, present},
};
use crate::Web;

pub(super) fn endpoints() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(read, change, delete))
}

/// A realm: an isolated population of users.
#[derive(Serialize, ToSchema)]
#[schema(as = Realm)]
pub(super) struct RealmView {
    /// Stable id.
    id: RealmId,
    /// Its name in URLs.
    slug: String,
    /// What people call it.
    display_name: String,
    /// In a disabled realm nobody signs in and no token is issued.
    enabled: bool,
    /// When it was made.
    created_at: Timestamp,
    /// When it was last changed.
    updated_at: Timestamp,
}

impl From<Realm> for RealmView {
    fn from(realm: Realm) -> Self {
        let Realm { id, slug, display_name, enabled, created_at, updated_at, .. } = realm;
        Self { id, slug, display_name, enabled, created_at, updated_at }
    }
}

/// A realm to be created.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateRealm {
    /// Its name in URLs: lower-case letters, digits and inner hyphens.
    slug: String,
    /// What people call it.
    display_name: String,
}

/// What to change about a realm.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeRealm {
    /// Its name in URLs.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    slug: Option<String>,
    /// What people call it.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    display_name: Option<String>,
    /// Whether people can sign in.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    enabled: Option<bool>,
}

/// List realms
///
/// Those that you administer, by name.
#[utoipa::path(get, path = "/realms", operation_id = "list_realms", tag = "Realms",
    responses((status = 200, description = "The realms.", body = List<RealmView>)))]
async fn list(ask: AskAny) -> Answer<Json<List<RealmView>>> {
    let realms = realms::list(&ask.app, &ask.cx).await?;
    Ok(List::all(realms, RealmView::from))
}

/// Create a realm
///
/// The permission is needed in the realm `main`.
#[utoipa::path(post, path = "/realms", operation_id = "create_realm", tag = "Realms", request_body = CreateRealm,
    responses((status = 201, description = "The created realm.", body = RealmView)),
    extensions(("x-permission" = json!("realms:manage"))))]
async fn create(ask: AskMain<RealmsManage>, Body(new): Body<CreateRealm>) -> Answer<Record<RealmView>> {
    let realm = realms::create(&ask.app, &ask.cx, ask.may, &new.slug, &new.display_name).await?;
    let location = format!("/api/v1/realms/{}", realm.slug);
    Ok(Record::created(realm.version, location, realm.into()))
}

/// Read a realm
#[utoipa::path(get, path = "/realms/{realm}", operation_id = "read_realm", tag = "Realms",
    responses((status = 200, description = "The realm.", body = RealmView)),
    extensions(("x-permission" = json!("settings:read"))))]
async fn read(ask: Ask<SettingsRead>) -> Answer<Record<RealmView>> {
    let realm = realms::get(&ask.app, &ask.cx, ask.may).await?;
    Ok(Record::new(realm.version, realm.into()))
}

/// Rename, disable or enable a realm
///
/// The permission is needed in the realm `main`, which itself keeps its name and stays enabled.
#[utoipa::path(patch, path = "/realms/{realm}", operation_id = "change_realm", tag = "Realms", request_body = ChangeRealm,
    responses((status = 200, description = "The changed realm.", body = RealmView)),
    extensions(("x-permission" = json!("realms:manage"))))]
async fn change(
    ask: AskMain<RealmsManage>,
    Slug(slug): Slug,
    Body(wanted): Body<ChangeRealm>,
) -> Answer<Record<RealmView>> {
    let id = ask.app.realm(&slug).await?.realm.id;
    let patch = RealmPatch { slug: wanted.slug, display_name: wanted.display_name, enabled: wanted.enabled };
    let realm = realms::update(&ask.app, &ask.cx, ask.may, id, patch, ask.if_match).await?;
    Ok(Record::new(realm.version, realm.into()))
}

/// Delete a realm
///
/// With everyone in it, for good. The permission is needed in the realm `main`, which cannot be deleted.
#[utoipa::path(delete, path = "/realms/{realm}", operation_id = "delete_realm", tag = "Realms",
    responses((status = 204, description = "It is gone.")),
    extensions(("x-permission" = json!("realms:manage"))))]
async fn delete(ask: AskMain<RealmsManage>, Slug(slug): Slug) -> Answer<StatusCode> {
    let id = ask.app.realm(&slug).await?.realm.id;
    realms::delete(&ask.app, &ask.cx, ask.may, id, ask.if_match).await?;
    Ok(DONE)
}
