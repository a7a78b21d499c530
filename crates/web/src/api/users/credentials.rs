//! A user's authenticators, password, and required actions.

use std::str::FromStr;

use axum::{Json, http::StatusCode};
use denizen_model::{
    AuthenticatorId, Timestamp, UserId,
    authenticators::{Authenticator, AuthenticatorStatus, AuthenticatorType},
    permissions::markers::{CredentialsReset, CredentialsSet, UsersRead},
};
use denizen_ops::{Error, ErrorKind, authenticators, crypto::Secret, users};
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
        .routes(routes!(list_authenticators))
        .routes(routes!(set_password, clear_password))
        .routes(routes!(issue_temporary_password))
        .routes(routes!(list_required_actions))
        .routes(routes!(require_action, cancel_action))
}

/// One way for a user to prove who they are.
#[derive(Serialize, ToSchema)]
#[schema(as = Authenticator)]
struct AuthenticatorView {
    /// Stable id.
    id: AuthenticatorId,
    /// What it is.
    #[serde(rename = "type")]
    kind: AuthenticatorType,
    /// How far it can be used.
    status: AuthenticatorStatus,
    /// Issued by an administrator, to be replaced at the next sign-in.
    temporary: bool,
    /// When it was registered or last replaced.
    registered_at: Timestamp,
    /// When it was last used with success.
    last_used_at: Option<Timestamp>,
    /// The client of that use, by `client_id`.
    last_client_id: Option<String>,
    /// The device and browser of that use.
    last_device: Option<String>,
    /// The address of that use.
    last_ip: Option<String>,
}

impl AuthenticatorView {
    fn new(authenticator: Authenticator, user_enabled: bool) -> Self {
        let status = authenticator.status(user_enabled);
        let Authenticator { id, kind, temporary, registered_at, last_used_at, .. } = authenticator;
        let Authenticator { last_client_id, last_device, last_ip, .. } = authenticator;
        Self { id, kind, status, temporary, registered_at, last_used_at, last_client_id, last_device, last_ip }
    }
}

/// List a user's authenticators
#[utoipa::path(get, path = "/realms/{realm}/users/{id}/authenticators", operation_id = "list_authenticators",
    tag = "Credentials",
    responses((status = 200, description = "All authenticators.", body = List<AuthenticatorView>)),
    extensions(("x-permission" = json!("users:read"))))]
async fn list_authenticators(ask: Ask<UsersRead>, Id(id): Id<UserId>) -> Answer<Json<List<AuthenticatorView>>> {
    let user = users::get(&ask.app, &ask.cx, ask.prove()?, id).await?;
    let found = authenticators::list(&ask.app, &ask.cx, ask.may, id).await?;
    Ok(List::all(found, |authenticator| AuthenticatorView::new(authenticator, user.enabled)))
}

/// A password to be set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SetPassword {
    /// The password, which the realm's policy must allow.
    #[schema(value_type = String)]
    password: Secret,
    /// Whether the user must replace it at the next sign-in.
    #[serde(default)]
    require_change: bool,
    /// Whether all sessions of the user end; they do when absent.
    #[serde(default = "yes")]
    end_sessions: bool,
}

fn yes() -> bool {
    true
}

/// Set a password
#[utoipa::path(put, path = "/realms/{realm}/users/{id}/password", operation_id = "set_password", tag = "Credentials",
    request_body = SetPassword,
    responses((status = 204, description = "It is set.")),
    extensions(("x-permission" = json!("credentials:set"))))]
async fn set_password(
    ask: Ask<CredentialsSet>,
    Id(id): Id<UserId>,
    Body(body): Body<SetPassword>,
) -> Answer<StatusCode> {
    let SetPassword { password, require_change, end_sessions } = body;
    let password = password.expose().to_owned();
    authenticators::set_password(&ask.app, &ask.cx, ask.may, id, password, require_change, end_sessions).await?;
    Ok(DONE)
}

/// Clear the password
///
/// Only other ways to sign in are left.
#[utoipa::path(delete, path = "/realms/{realm}/users/{id}/password", operation_id = "clear_password", tag = "Credentials",
    responses((status = 204, description = "It is gone.")),
    extensions(("x-permission" = json!("credentials:set"))))]
async fn clear_password(ask: Ask<CredentialsSet>, Id(id): Id<UserId>) -> Answer<StatusCode> {
    authenticators::clear_password(&ask.app, &ask.cx, ask.may, id).await?;
    Ok(DONE)
}

/// A password made by Denizen.
#[derive(Serialize, ToSchema)]
struct TemporaryPassword {
    /// The password, shown this once. The user replaces it at the next sign-in.
    temporary_password: String,
}

/// Issue a temporary password
///
/// It is shown this once, and the user replaces it at the next sign-in. All their sessions end.
#[utoipa::path(post, path = "/realms/{realm}/users/{id}/temporary-password", operation_id = "issue_temporary_password",
    tag = "Credentials",
    responses((status = 200, description = "The password.", body = TemporaryPassword)),
    extensions(("x-permission" = json!("credentials:set"))))]
async fn issue_temporary_password(
    ask: Ask<CredentialsSet>,
    Id(id): Id<UserId>,
    MaybeBody(Nothing {}): MaybeBody<Nothing>,
) -> Answer<Json<TemporaryPassword>> {
    let secret = authenticators::issue_temporary_password(&ask.app, &ask.cx, ask.may, id).await?;
    Ok(Json(TemporaryPassword { temporary_password: secret.expose().to_owned() }))
}

/// What a user must do at the next sign-in.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum RequiredActionType {
    /// Replace the password.
    UpdatePassword,
}

impl FromStr for RequiredActionType {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        if text == "update_password" { Ok(Self::UpdatePassword) } else { Err(()) }
    }
}

/// Something a user must do at the next sign-in before reaching their destination.
#[derive(Serialize, ToSchema)]
struct RequiredAction {
    /// What it is.
    #[serde(rename = "type")]
    kind: RequiredActionType,
}

/// List required actions
#[utoipa::path(get, path = "/realms/{realm}/users/{id}/required-actions", operation_id = "list_required_actions",
    tag = "Credentials",
    responses((status = 200, description = "What waits for the user.", body = List<RequiredAction>)),
    extensions(("x-permission" = json!("users:read"))))]
async fn list_required_actions(ask: Ask<UsersRead>, Id(id): Id<UserId>) -> Answer<Json<List<RequiredAction>>> {
    let user = users::get(&ask.app, &ask.cx, ask.may, id).await?;
    let waiting = user.requires_password_reset.then_some(RequiredActionType::UpdatePassword);
    Ok(List::all(waiting.into_iter().collect(), |kind| RequiredAction { kind }))
}

/// Require an action
///
/// `update_password`: the user replaces the password at the next sign-in. Sessions go on.
#[utoipa::path(put, path = "/realms/{realm}/users/{id}/required-actions/{part}", operation_id = "require_action",
    tag = "Credentials",
    params(("part" = inline(RequiredActionType), Path, description = "The action.")),
    responses((status = 204, description = "It is required.")),
    extensions(("x-permission" = json!("credentials:reset"))))]
async fn require_action(
    ask: Ask<CredentialsReset>,
    Id(id): Id<UserId>,
    Part(RequiredActionType::UpdatePassword): Part<RequiredActionType>,
) -> Answer<StatusCode> {
    match authenticators::require_password_reset(&ask.app, &ask.cx, ask.may, id, true).await {
        Err(error) if !matches!(*error.kind, ErrorKind::Conflict("unchanged")) => Err(error.into()),
        _ => Ok(DONE),
    }
}

/// Cancel a required action
#[utoipa::path(delete, path = "/realms/{realm}/users/{id}/required-actions/{part}", operation_id = "cancel_required_action",
    tag = "Credentials",
    params(("part" = inline(RequiredActionType), Path, description = "The action.")),
    responses((status = 204, description = "It is no longer required.")),
    extensions(("x-permission" = json!("credentials:reset"))))]
async fn cancel_action(
    ask: Ask<CredentialsReset>,
    Id(id): Id<UserId>,
    Part(RequiredActionType::UpdatePassword): Part<RequiredActionType>,
) -> Answer<StatusCode> {
    let done = authenticators::require_password_reset(&ask.app, &ask.cx, ask.may, id, false).await;
    done.map_err(|error| match *error.kind {
        ErrorKind::Conflict("unchanged") => Error::not_found("required action"),
        _ => error,
    })?;
    Ok(DONE)
}
