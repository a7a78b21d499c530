//! A machine's API keys.

use axum::{
    Json,
    http::{StatusCode, header},
};
use denizen_model::{
    ApiKeyId, Timestamp, UserId,
    authenticators::ApiKey,
    permissions::markers::{CredentialsSet, UsersRead},
};
use denizen_ops::{api_keys, crypto::Secret};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::{
    answer::{Answer, DONE, List},
    ask::{Ask, Id, Part},
    body::Body,
};
use crate::Web;

pub(super) fn endpoints() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(delete))
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
}

impl From<ApiKey> for ApiKeyView {
    fn from(key: ApiKey) -> Self {
        let ApiKey { id, name, hint, created_at, last_used_at, expires_at, .. } = key;
        Self { id, name, hint, created_at, last_used_at, expires_at }
    }
}

/// A key that was just made.
#[derive(Serialize, ToSchema)]
pub(super) struct NewApiKey {
    #[serde(flatten)]
    record: ApiKeyView,
    /// The key itself, shown this once.
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
/// Its text is shown this once.
#[utoipa::path(post, path = "/realms/{realm}/users/{id}/api-keys", operation_id = "create_api_key", tag = "Credentials",
    request_body = CreateApiKey,
    responses((status = 201, description = "The key.", body = NewApiKey)),
    extensions(("x-permission" = json!("credentials:set"))))]
async fn create(
    ask: Ask<CredentialsSet>,
    Id(id): Id<UserId>,
    Body(new): Body<CreateApiKey>,
) -> Answer<(StatusCode, [(header::HeaderName, String); 1], Json<NewApiKey>)> {
    let (key, secret) = api_keys::create(&ask.app, &ask.cx, ask.may, id, &new.name, new.expires_at).await?;
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
