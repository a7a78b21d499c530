//! A user's authenticators, one by one.

use axum::{Json, http::StatusCode};
use denizen_model::{
    AuthenticatorId, Timestamp, UserId,
    authenticators::{Authenticator, AuthenticatorStatus, AuthenticatorType, Lockout},
    permissions::markers::{CredentialsReset, UsersRead},
};
use denizen_ops::{
    authenticators::{
        self,
        state::{self, Change},
    },
    lockouts, users,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::{
    answer::{Answer, DONE, List},
    ask::{Ask, Id, Part},
    body::{MaybeBody, Nothing},
};
use crate::Web;

pub(super) fn endpoints() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(list_authenticators))
        .routes(routes!(delete_authenticator))
        .routes(routes!(lock_authenticator))
        .routes(routes!(unlock_authenticator))
        .routes(routes!(deactivate_authenticator))
        .routes(routes!(reactivate_authenticator))
        .routes(routes!(issue_recovery_codes))
        .routes(routes!(unlock_user))
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
    /// What tells it from others of its kind.
    label: String,
    /// How far it can be used.
    status: AuthenticatorStatus,
    /// Until when a lockout rule holds it.
    locked_until: Option<Timestamp>,
    /// When an administrator locked it.
    locked_at: Option<Timestamp>,
    /// When an administrator switched it off.
    deactivated_at: Option<Timestamp>,
    /// Until when it is switched off; absent while it is so for good.
    deactivated_until: Option<Timestamp>,
    /// Issued by an administrator, to be replaced at the next sign-in.
    temporary: bool,
    /// Of recovery codes: how many are left.
    codes_left: Option<usize>,
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
    /// The place of that address, where a GeoIP database is configured.
    last_place: Option<String>,
}

impl AuthenticatorView {
    fn new(one: Authenticator, enabled: bool, lockouts: &[Lockout], left: Option<usize>, now: Timestamp) -> Self {
        let (status, locked_until) = (one.status(enabled, lockouts, now), one.locked_until(lockouts, now));
        Self {
            id: one.id,
            codes_left: left.filter(|_| one.kind == AuthenticatorType::RecoveryCodes),
            kind: one.kind,
            label: one.label,
            status,
            locked_until,
            locked_at: one.locked_at,
            deactivated_at: one.deactivated_at,
            deactivated_until: one.deactivated_until,
            temporary: one.temporary,
            registered_at: one.registered_at,
            last_used_at: one.last_used_at,
            last_client_id: one.last_client_id,
            last_device: one.last_device,
            last_ip: one.last_ip,
            last_place: one.last_place,
        }
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
    let (lockouts, left, now) = (found.lockouts, found.recovery_codes_left, ask.cx.now);
    Ok(List::all(found.authenticators, |one| AuthenticatorView::new(one, user.enabled, &lockouts, left, now)))
}

/// Delete an authenticator
#[utoipa::path(delete, path = "/realms/{realm}/users/{id}/authenticators/{part}", operation_id = "delete_authenticator",
    tag = "Credentials",
    params(("part" = AuthenticatorId, Path, description = "The authenticator.")),
    responses((status = 204, description = "It is gone.")),
    extensions(("x-permission" = json!("credentials:reset"))))]
async fn delete_authenticator(
    ask: Ask<CredentialsReset>,
    Id(id): Id<UserId>,
    Part(part): Part<AuthenticatorId>,
) -> Answer<StatusCode> {
    state::change(&ask.app, &ask.cx, ask.may, id, part, Change::Remove).await?;
    Ok(DONE)
}

/// Lock an authenticator
///
/// It works no more until it is unlocked.
#[utoipa::path(post, path = "/realms/{realm}/users/{id}/authenticators/{part}/lock", operation_id = "lock_authenticator",
    tag = "Credentials",
    params(("part" = AuthenticatorId, Path, description = "The authenticator.")),
    responses((status = 204, description = "It is locked.")),
    extensions(("x-permission" = json!("credentials:reset"))))]
async fn lock_authenticator(
    ask: Ask<CredentialsReset>,
    Id(id): Id<UserId>,
    Part(part): Part<AuthenticatorId>,
    MaybeBody(Nothing {}): MaybeBody<Nothing>,
) -> Answer<StatusCode> {
    state::change(&ask.app, &ask.cx, ask.may, id, part, Change::Lock).await?;
    Ok(DONE)
}

/// Unlock an authenticator
///
/// It works again; failures that a lockout rule counts are forgotten.
#[utoipa::path(post, path = "/realms/{realm}/users/{id}/authenticators/{part}/unlock", operation_id = "unlock_authenticator",
    tag = "Credentials",
    params(("part" = AuthenticatorId, Path, description = "The authenticator.")),
    responses((status = 204, description = "It is unlocked.")),
    extensions(("x-permission" = json!("credentials:reset"))))]
async fn unlock_authenticator(
    ask: Ask<CredentialsReset>,
    Id(id): Id<UserId>,
    Part(part): Part<AuthenticatorId>,
    MaybeBody(Nothing {}): MaybeBody<Nothing>,
) -> Answer<StatusCode> {
    state::change(&ask.app, &ask.cx, ask.may, id, part, Change::Unlock).await?;
    Ok(DONE)
}

/// Switch an authenticator on again
///
/// It works again.
#[utoipa::path(post, path = "/realms/{realm}/users/{id}/authenticators/{part}/reactivate", operation_id = "reactivate_authenticator",
    tag = "Credentials",
    params(("part" = AuthenticatorId, Path, description = "The authenticator.")),
    responses((status = 204, description = "It is on.")),
    extensions(("x-permission" = json!("credentials:reset"))))]
async fn reactivate_authenticator(
    ask: Ask<CredentialsReset>,
    Id(id): Id<UserId>,
    Part(part): Part<AuthenticatorId>,
    MaybeBody(Nothing {}): MaybeBody<Nothing>,
) -> Answer<StatusCode> {
    state::change(&ask.app, &ask.cx, ask.may, id, part, Change::Reactivate).await?;
    Ok(DONE)
}

/// How long it is switched off.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Deactivate {
    /// Until when; for good when absent.
    until: Option<Timestamp>,
}

/// Switch an authenticator off
#[utoipa::path(post, path = "/realms/{realm}/users/{id}/authenticators/{part}/deactivate",
    operation_id = "deactivate_authenticator", tag = "Credentials",
    params(("part" = AuthenticatorId, Path, description = "The authenticator.")),
    request_body = Option<Deactivate>,
    responses((status = 204, description = "It is off.")),
    extensions(("x-permission" = json!("credentials:reset"))))]
async fn deactivate_authenticator(
    ask: Ask<CredentialsReset>,
    Id(id): Id<UserId>,
    Part(part): Part<AuthenticatorId>,
    MaybeBody(Deactivate { until }): MaybeBody<Deactivate>,
) -> Answer<StatusCode> {
    state::change(&ask.app, &ask.cx, ask.may, id, part, Change::Deactivate(until)).await?;
    Ok(DONE)
}

/// New recovery codes.
#[derive(Serialize, ToSchema)]
struct RecoveryCodes {
    /// The codes, shown this once. Each works once.
    recovery_codes: Vec<String>,
}

/// Issue recovery codes
///
/// They take the place of those there were, and are shown this once, to be handed over.
#[utoipa::path(post, path = "/realms/{realm}/users/{id}/recovery-codes", operation_id = "issue_recovery_codes",
    tag = "Credentials",
    responses((status = 200, description = "The codes.", body = RecoveryCodes)),
    extensions(("x-permission" = json!("credentials:reset"))))]
async fn issue_recovery_codes(
    ask: Ask<CredentialsReset>,
    Id(id): Id<UserId>,
    MaybeBody(Nothing {}): MaybeBody<Nothing>,
) -> Answer<Json<RecoveryCodes>> {
    let codes = state::issue_recovery_codes(&ask.app, &ask.cx, ask.may, id).await?;
    Ok(Json(RecoveryCodes { recovery_codes: codes.iter().map(|code| code.expose().to_owned()).collect() }))
}

/// Unlock a user
///
/// Ends the locks of lockout rules and forgets failed attempts, of passwords and of codes.
#[utoipa::path(post, path = "/realms/{realm}/users/{id}/unlock", operation_id = "unlock_user", tag = "Credentials",
    responses((status = 204, description = "Nothing is counted or locked any more.")),
    extensions(("x-permission" = json!("credentials:reset"))))]
async fn unlock_user(
    ask: Ask<CredentialsReset>,
    Id(id): Id<UserId>,
    MaybeBody(Nothing {}): MaybeBody<Nothing>,
) -> Answer<StatusCode> {
    lockouts::unlock(&ask.app, &ask.cx, ask.may, id).await?;
    Ok(DONE)
}
