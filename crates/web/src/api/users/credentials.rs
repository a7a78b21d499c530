//! A user's password and required actions.

use std::str::FromStr;

use axum::{Json, http::StatusCode};
use denizen_model::{
    Timestamp, UserId,
    authenticators::RequiredAction,
    permissions::markers::{CredentialsReset, CredentialsSet, UsersRead},
};
use denizen_ops::{Error, ErrorKind, authenticators, crypto::Secret, required_actions};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    super::{
        answer::{Answer, DONE, List},
        ask::{Ask, Id, Part},
        body::{Body, MaybeBody, Nothing},
    },
    reset_requests::ResetView,
};
use crate::Web;

pub(super) fn endpoints() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(set_password, clear_password))
        .routes(routes!(issue_temporary_password))
        .routes(routes!(list_required_actions))
        .routes(routes!(require_action, cancel_action))
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

/// Something a user must do at the next sign-in before reaching their destination.
#[derive(Serialize, ToSchema)]
#[schema(as = WaitingAction)]
struct ActionView {
    /// What it is.
    #[serde(rename = "type")]
    kind: RequiredAction,
    /// When it was asked for; of a new password without a reset request that is in the events alone.
    requested_at: Option<Timestamp>,
    /// The reset request that it came with.
    reset_request: Option<ResetView>,
}

/// List required actions
#[utoipa::path(get, path = "/realms/{realm}/users/{id}/required-actions", operation_id = "list_required_actions",
    tag = "Credentials",
    responses((status = 200, description = "What waits for the user.", body = List<ActionView>)),
    extensions(("x-permission" = json!("users:read"))))]
async fn list_required_actions(ask: Ask<UsersRead>, Id(id): Id<UserId>) -> Answer<Json<List<ActionView>>> {
    let waiting = required_actions::list(&ask.app, &ask.cx, ask.may, id).await?;
    Ok(List::all(waiting, |waiting| ActionView {
        kind: waiting.action,
        requested_at: waiting.requested_at,
        reset_request: waiting.request.map(ResetView::from),
    }))
}

/// Require an action
///
/// `update_password`: the user replaces the password at the next sign-in. `configure_otp`: the user sets up an
/// authenticator app, in the place of the one there is. `register_passkey`: the user makes a passkey; those there are
/// stay valid. Sessions go on.
#[utoipa::path(put, path = "/realms/{realm}/users/{id}/required-actions/{part}", operation_id = "require_action",
    tag = "Credentials",
    params(("part" = inline(RequiredAction), Path, description = "The action.")),
    responses((status = 204, description = "It is required.")),
    extensions(("x-permission" = json!("credentials:reset"))))]
async fn require_action(
    ask: Ask<CredentialsReset>,
    Id(id): Id<UserId>,
    Part(Action(action)): Part<Action>,
) -> Answer<StatusCode> {
    match required_actions::set(&ask.app, &ask.cx, ask.may, id, action, true).await {
        Err(error) if !matches!(*error.kind, ErrorKind::Conflict("unchanged")) => Err(error.into()),
        _ => Ok(DONE),
    }
}

/// Cancel a required action
#[utoipa::path(delete, path = "/realms/{realm}/users/{id}/required-actions/{part}", operation_id = "cancel_required_action",
    tag = "Credentials",
    params(("part" = inline(RequiredAction), Path, description = "The action.")),
    responses((status = 204, description = "It is no longer required.")),
    extensions(("x-permission" = json!("credentials:reset"))))]
async fn cancel_action(
    ask: Ask<CredentialsReset>,
    Id(id): Id<UserId>,
    Part(Action(action)): Part<Action>,
) -> Answer<StatusCode> {
    required_actions::set(&ask.app, &ask.cx, ask.may, id, action, false).await.map_err(|error| match *error.kind {
        ErrorKind::Conflict("unchanged") => Error::not_found("required action"),
        _ => error,
    })?;
    Ok(DONE)
}

/// An action in a path.
struct Action(RequiredAction);

impl FromStr for Action {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        RequiredAction::from_name(text).map(Self).ok_or(())
    }
}
