//! A machine's API keys.

use axum::{
    Json,
    http::{StatusCode, header},
};
use denizen_model::{
    ApiKeyId, Timestamp, UserId,
    authenticators::ApiKey,
    permissions::{
        Permission,
        markers::{CredentialsReveal, CredentialsSet, UsersRead},
    },
};
use denizen_ops::{
    api_keys::{self, NewKey},
    crypto::Secret,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::{
    answer::{Answer, DONE, List},
    ask::{Ask, Id, Part},
    body::{Body, MaybeBody, Nothing},
};
use crate::Web;

pub(super) fn endpoints() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(delete))
        .routes(routes!(regenerate))
        .routes(routes!(reveal))
}

/// A machine's key to the API, without its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiKey)]
struct ApiKeyView {
    /// Stable id.
    id: ApiKeyId,
    /// What it is for.
    name: String,
    /// Its first characters, to recognize it by.
    hint: String,
    /// When it was made.
    created_at: Timestamp,
    /// When it was last used, to the minute.
    last_used_at: Option<Timestamp>,
    /// When it stops working.
    expires_at: Option<Timestamp>,
    /// What it may be used for, of what its machine may do; empty is all of that.
    #[schema(value_type = Vec<String>)]
    scopes: Vec<Permission>,
    /// It was kept so that it can be shown again.
    sealed: bool,
}

impl From<ApiKey> for ApiKeyView {
    fn from(key: ApiKey) -> Self {
        let ApiKey { id, name, hint, created_at, last_used_at, expires_at, scopes, sealed, .. } = key;
        Self { id, name, hint, created_at, last_used_at, expires_at, scopes, sealed }
    }
}

/// A key that was just made.
#[derive(Serialize, ToSchema)]
pub(super) struct NewApiKey {
    #[serde(flatten)]
    record: ApiKeyView,
    /// The key itself. Where the realm keeps hashes only, it is shown this once.
    key: String,
}

/// The text of a key.
#[derive(Serialize, ToSchema)]
struct ApiKeyText {
    /// The key itself.
    key: String,
}

impl NewApiKey {
    pub(super) fn new(key: ApiKey, secret: &Secret) -> Self {
        Self { record: key.into(), key: secret.expose().to_owned() }
    }
}

/// A key to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateApiKey {
    /// What it is for.
    name: String,
    /// When it stops working; never when absent.
    expires_at: Option<Timestamp>,
    /// Permissions that it may be used for, of those its machine holds; all of them when empty.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    scopes: Vec<Permission>,
}

/// List a machine's API keys
#[utoipa::path(get, path = "/realms/{realm}/users/{id}/api-keys", operation_id = "list_api_keys", tag = "Credentials",
    responses((status = 200, description = "All keys.", body = List<ApiKeyView>)),
    extensions(("x-permission" = json!("users:read"))))]
async fn list(ask: Ask<UsersRead>, Id(id): Id<UserId>) -> Answer<Json<List<ApiKeyView>>> {
    let keys = api_keys::list(&ask.app, &ask.cx, ask.may, id).await?;
    Ok(List::all(keys, ApiKeyView::from))
}

/// Make an API key
///
/// The answer holds its text. Where the realm keeps hashes only, it is shown this once.
#[utoipa::path(post, path = "/realms/{realm}/users/{id}/api-keys", operation_id = "create_api_key", tag = "Credentials",
    request_body = CreateApiKey,
    responses((status = 201, description = "The key.", body = NewApiKey)),
    extensions(("x-permission" = json!("credentials:set"))))]
async fn create(
    ask: Ask<CredentialsSet>,
    Id(id): Id<UserId>,
    Body(new): Body<CreateApiKey>,
) -> Answer<(StatusCode, [(header::HeaderName, String); 1], Json<NewApiKey>)> {
    let new = NewKey { name: new.name, expires_at: new.expires_at, scopes: new.scopes };
    let (key, secret) = api_keys::create(&ask.app, &ask.cx, ask.may, id, new).await?;
    let location = format!("/api/v1/realms/{}/users/{id}/api-keys/{}", ask.realm.realm.slug, key.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(NewApiKey::new(key, &secret))))
}

/// Delete an API key
///
/// It stops working at once.
#[utoipa::path(delete, path = "/realms/{realm}/users/{id}/api-keys/{part}", operation_id = "delete_api_key",
    tag = "Credentials",
    params(("part" = ApiKeyId, Path, description = "The key's id.")),
    responses((status = 204, description = "It is gone.")),
    extensions(("x-permission" = json!("credentials:set"))))]
async fn delete(ask: Ask<CredentialsSet>, Id(id): Id<UserId>, Part(key): Part<ApiKeyId>) -> Answer<StatusCode> {
    api_keys::delete(&ask.app, &ask.cx, ask.may, id, key).await?;
    Ok(DONE)
}

/// Regenerate an API key
///
/// It gets a new secret, and the old one stops working in the same moment. Name, scopes and expiry stay.
#[utoipa::path(post, path = "/realms/{realm}/users/{id}/api-keys/{part}/regenerate",
    operation_id = "regenerate_api_key", tag = "Credentials",
    params(("part" = ApiKeyId, Path, description = "The key's id.")),
    responses((status = 200, description = "The key with its new text.", body = NewApiKey)),
    extensions(("x-permission" = json!("credentials:set"))))]
async fn regenerate(
    ask: Ask<CredentialsSet>,
    Id(id): Id<UserId>,
    Part(key): Part<ApiKeyId>,
    MaybeBody(Nothing {}): MaybeBody<Nothing>,
) -> Answer<Json<NewApiKey>> {
    let (key, secret) = api_keys::regenerate(&ask.app, &ask.cx, ask.may, id, key).await?;
    Ok(Json(NewApiKey::new(key, &secret)))
}

/// Show an API key
///
/// Only where the realm keeps keys `encrypted`, and only those made since it does.
#[utoipa::path(post, path = "/realms/{realm}/users/{id}/api-keys/{part}/reveal", operation_id = "reveal_api_key",
    tag = "Credentials",
    params(("part" = ApiKeyId, Path, description = "The key's id.")),
    responses((status = 200, description = "The key's text.", body = ApiKeyText)),
    extensions(("x-permission" = json!("credentials:reveal"))))]
async fn reveal(
    ask: Ask<CredentialsReveal>,
    Id(id): Id<UserId>,
    Part(key): Part<ApiKeyId>,
    MaybeBody(Nothing {}): MaybeBody<Nothing>,
) -> Answer<Json<ApiKeyText>> {
    let secret = api_keys::reveal(&ask.app, &ask.cx, ask.may, id, key).await?;
    Ok(Json(ApiKeyText { key: secret.expose().to_owned() }))
}
