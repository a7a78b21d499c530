//! Clients: list, create, read, change, delete, a new secret.

use axum::{Json, http::StatusCode};
use denizen_model::{
    ClientRowId, Timestamp,
    clients::{Client, ClientType, GrantType},
    permissions::markers::{ClientsRead, ClientsWrite},
};
use denizen_ops::{
    clients::{self, ClientInput},
    crypto::Secret,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    answer::{Answer, DONE, List, Record},
    ask::{Ask, Id},
    body::{Body, MaybeBody, Nothing, nullable, present},
    query::Paging,
};
use crate::Web;

pub(super) fn endpoints() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, change, delete))
        .routes(routes!(regenerate_secret))
}

/// A client: an application that signs its users in.
#[derive(Serialize, ToSchema)]
#[schema(as = Client)]
struct ClientView {
    /// The record's id.
    id: ClientRowId,
    /// What it calls itself in OAuth, unique in the realm.
    client_id: String,
    /// What people call it.
    name: String,
    /// Whether it keeps a secret.
    #[serde(rename = "type")]
    kind: ClientType,
    /// Where a sign-in may lead back to; compared exactly.
    redirect_uris: Vec<String>,
    /// Where a sign-out may lead to.
    post_logout_redirect_uris: Vec<String>,
    /// Where it is told of the end of its users' sessions (OpenID Connect Back-Channel Logout 1.0).
    backchannel_logout_uri: Option<String>,
    /// Whether it needs the session's id (`sid`) to be told; it always is.
    backchannel_logout_session_required: bool,
    /// How it may get tokens.
    grant_types: Vec<GrantType>,
    /// The scopes it may ask for.
    scopes: Vec<String>,
    /// A disabled client gets no tokens and signs nobody in.
    enabled: bool,
    /// Denizen's own, which cannot be changed.
    built_in: bool,
    /// When it was made.
    created_at: Timestamp,
    /// When it was last changed.
    updated_at: Timestamp,
}

impl From<Client> for ClientView {
    fn from(client: Client) -> Self {
        let built_in = client.is_builtin();
        let Client { id, client_id, name, kind, redirect_uris, post_logout_redirect_uris, .. } = client;
        let Client { backchannel_logout_uri, backchannel_logout_session_required, .. } = client;
        let Client { grant_types, scopes, enabled, created_at, updated_at, .. } = client;
        Self {
            id,
            client_id,
            name,
            kind,
            redirect_uris,
            post_logout_redirect_uris,
            backchannel_logout_uri,
            backchannel_logout_session_required,
            grant_types,
            scopes,
            enabled,
            built_in,
            created_at,
            updated_at,
        }
    }
}

/// A client with its secret, which is shown this once.
#[derive(Serialize, ToSchema)]
struct ClientWithSecret {
    #[serde(flatten)]
    client: ClientView,
    /// The secret; `null` for public clients.
    client_secret: Option<String>,
}

impl ClientWithSecret {
    fn new(client: Client, secret: Option<&Secret>) -> Self {
        Self { client: client.into(), client_secret: secret.map(|secret| secret.expose().to_owned()) }
    }
}

/// A client to be created.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateClient {
    /// What people call it.
    name: String,
    /// What it calls itself in OAuth; made up when absent.
    client_id: Option<String>,
    /// Whether it keeps a secret; `confidential` when absent.
    #[serde(rename = "type")]
    kind: Option<ClientType>,
    /// Where a sign-in may lead back to.
    redirect_uris: Option<Vec<String>>,
    /// Where a sign-out may lead to.
    post_logout_redirect_uris: Option<Vec<String>>,
    /// Where it is told of the end of its users' sessions: `https`, or `http` to this machine itself.
    backchannel_logout_uri: Option<String>,
    /// Whether it needs the session's id (`sid`) to be told; it does not when absent.
    backchannel_logout_session_required: Option<bool>,
    /// How it may get tokens; `authorization_code` and `refresh_token` when absent.
    grant_types: Option<Vec<GrantType>>,
    /// The scopes it may ask for; `openid`, `profile` and `email` when absent.
    scopes: Option<Vec<String>>,
    /// Whether it works at all; it does when absent.
    enabled: Option<bool>,
}

/// What to change about a client. Its `client_id` and `type` cannot be changed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeClient {
    /// What people call it.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    name: Option<String>,
    /// Where a sign-in may lead back to.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    redirect_uris: Option<Vec<String>>,
    /// Where a sign-out may lead to.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    post_logout_redirect_uris: Option<Vec<String>>,
    /// Where it is told of the end of its users' sessions; `null` when it is not.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    backchannel_logout_uri: Option<Option<String>>,
    /// Whether it needs the session's id (`sid`) to be told.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    backchannel_logout_session_required: Option<bool>,
    /// How it may get tokens.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    grant_types: Option<Vec<GrantType>>,
    /// The scopes it may ask for.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    scopes: Option<Vec<String>>,
    /// Whether it works at all.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    enabled: Option<bool>,
}

/// List clients
///
/// By name.
#[utoipa::path(get, path = "/realms/{realm}/clients", operation_id = "list_clients", tag = "Clients", params(Paging),
    responses((status = 200, description = "One page of clients.", body = List<ClientView>)),
    extensions(("x-permission" = json!("clients:read"))))]
async fn list(ask: Ask<ClientsRead, Paging>) -> Answer<Json<List<ClientView>>> {
    let page = clients::list(&ask.app, &ask.cx, ask.may, ask.query.cursor, ask.query.limit).await?;
    Ok(List::page(page, ClientView::from))
}

/// Create a client
///
/// The answer holds the secret of a confidential client, which is shown this once.
#[utoipa::path(post, path = "/realms/{realm}/clients", operation_id = "create_client", tag = "Clients",
    request_body = CreateClient,
    responses((status = 201, description = "The created client with its secret.", body = ClientWithSecret)),
    extensions(("x-permission" = json!("clients:write"))))]
async fn create(ask: Ask<ClientsWrite>, Body(new): Body<CreateClient>) -> Answer<Record<ClientWithSecret>> {
    let input = ClientInput {
        client_id: new.client_id,
        name: Some(new.name),
        kind: new.kind,
        redirect_uris: new.redirect_uris,
        post_logout_redirect_uris: new.post_logout_redirect_uris,
        backchannel_logout_uri: Some(new.backchannel_logout_uri),
        backchannel_logout_session_required: new.backchannel_logout_session_required,
        grant_types: new.grant_types,
        scopes: new.scopes,
        enabled: new.enabled,
    };
    let (client, secret) = clients::create(&ask.app, &ask.cx, ask.may, input).await?;
    let location = format!("/api/v1/realms/{}/clients/{}", ask.realm.realm.slug, client.id);
    Ok(Record::created(client.version, location, ClientWithSecret::new(client, secret.as_ref())))
}

/// Read a client
#[utoipa::path(get, path = "/realms/{realm}/clients/{id}", operation_id = "read_client", tag = "Clients",
    responses((status = 200, description = "The client.", body = ClientView)),
    extensions(("x-permission" = json!("clients:read"))))]
async fn read(ask: Ask<ClientsRead>, Id(id): Id<ClientRowId>) -> Answer<Record<ClientView>> {
    let client = clients::get(&ask.app, &ask.cx, ask.may, id).await?;
    Ok(Record::new(client.version, client.into()))
}

/// Change a client
///
/// A merge patch: what is absent stays as it is, a list is replaced as a whole.
#[utoipa::path(patch, path = "/realms/{realm}/clients/{id}", operation_id = "change_client", tag = "Clients",
    request_body = ChangeClient,
    responses((status = 200, description = "The changed client.", body = ClientView)),
    extensions(("x-permission" = json!("clients:write"))))]
async fn change(
    ask: Ask<ClientsWrite>,
    Id(id): Id<ClientRowId>,
    Body(patch): Body<ChangeClient>,
) -> Answer<Record<ClientView>> {
    let input = ClientInput {
        client_id: None,
        name: patch.name,
        kind: None,
        redirect_uris: patch.redirect_uris,
        post_logout_redirect_uris: patch.post_logout_redirect_uris,
        backchannel_logout_uri: patch.backchannel_logout_uri,
        backchannel_logout_session_required: patch.backchannel_logout_session_required,
        grant_types: patch.grant_types,
        scopes: patch.scopes,
        enabled: patch.enabled,
    };
    let client = clients::update(&ask.app, &ask.cx, ask.may, id, input, ask.if_match).await?;
    Ok(Record::new(client.version, client.into()))
}

/// Delete a client
///
/// Its tokens stop being refreshed.
#[utoipa::path(delete, path = "/realms/{realm}/clients/{id}", operation_id = "delete_client", tag = "Clients",
    responses((status = 204, description = "It is gone.")),
    extensions(("x-permission" = json!("clients:write"))))]
async fn delete(ask: Ask<ClientsWrite>, Id(id): Id<ClientRowId>) -> Answer<StatusCode> {
    clients::delete(&ask.app, &ask.cx, ask.may, id, ask.if_match).await?;
    Ok(DONE)
}

/// Make a new secret
///
/// It is shown this once; the old one stops working at once.
#[utoipa::path(post, path = "/realms/{realm}/clients/{id}/secret", operation_id = "regenerate_client_secret",
    tag = "Clients",
    responses((status = 200, description = "The client with its new secret.", body = ClientWithSecret)),
    extensions(("x-permission" = json!("clients:write"))))]
async fn regenerate_secret(
    ask: Ask<ClientsWrite>,
    Id(id): Id<ClientRowId>,
    MaybeBody(Nothing {}): MaybeBody<Nothing>,
) -> Answer<Record<ClientWithSecret>> {
    let (client, secret) = clients::regenerate_secret(&ask.app, &ask.cx, ask.may, id).await?;
    Ok(Record::new(client.version, ClientWithSecret::new(client, Some(&secret))))
}
