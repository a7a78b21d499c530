//! Users: list, create, read, change, delete; what belongs to one is in the rooms beside.

mod admin;
mod api_keys;
mod create;
mod credentials;
mod events;
mod notifications;
mod roles;
mod sessions;
mod state;
mod view;

use axum::{Json, http::StatusCode};
use denizen_model::{
    UserId,
    pages::{Cursor, Direction},
    permissions::markers::{UsersDelete, UsersRead, UsersWrite},
    users::{UserKind, UserPatch, UserQuery, UserSort, VerificationState},
};
use denizen_ops::users;
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use self::view::UserView;
use super::{
    answer::{Answer, DONE, List, Record},
    ask::{Ask, Id, check_version},
    body::{Body, nullable, present},
    query::{cursor, default_limit, limit},
};
use crate::Web;

pub(super) fn endpoints() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(list, create::create))
        .routes(routes!(read, change, delete))
        .merge(state::endpoints())
        .merge(credentials::endpoints())
        .merge(api_keys::endpoints())
        .merge(sessions::endpoints())
        .merge(roles::endpoints())
        .merge(admin::endpoints())
        .merge(events::endpoints())
        .merge(notifications::endpoints())
}

/// Whether a user can sign in.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Status {
    /// Enabled.
    Active,
    /// Disabled.
    Disabled,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListUsers {
    /// Search text, up to 200 characters: every word must be in the name, username, email, phone or reference.
    q: Option<String>,
    /// Only people, or only machines.
    #[param(inline)]
    kind: Option<UserKind>,
    /// Only enabled ones, or only disabled ones.
    #[param(inline)]
    status: Option<Status>,
    /// `created_at`, `last_sign_in_at`, `name`, `email` or `role`; with `-` before it largest first. `-created_at` when absent.
    #[serde(default, deserialize_with = "sort")]
    #[param(value_type = Option<String>, pattern = "^-?(created_at|last_sign_in_at|name|email|role)$")]
    sort: Option<(UserSort, Direction)>,
    /// Where the page starts: `next_cursor` of the page before.
    #[serde(default, deserialize_with = "cursor")]
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// How many users at the most; 50 when absent.
    #[serde(default = "default_limit", deserialize_with = "limit")]
    #[param(minimum = 1, maximum = 500, required = false)]
    limit: u32,
}

fn sort<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<(UserSort, Direction)>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let (name, direction) = match text.strip_prefix('-') {
        Some(name) => (name, Direction::Descending),
        None => (text.as_str(), Direction::Ascending),
    };
    match UserSort::from_name(name) {
        Some(sort) => Ok(Some((sort, direction))),
        None => Err(D::Error::custom(
            "Must be created_at, last_sign_in_at, name, email or role, with or without - before it.",
        )),
    }
}

impl From<ListUsers> for UserQuery {
    fn from(asked: ListUsers) -> Self {
        let (sort, direction) = asked.sort.unwrap_or((UserSort::CreatedAt, Direction::Descending));
        Self {
            search: asked.q,
            kind: asked.kind,
            enabled: asked.status.map(|status| matches!(status, Status::Active)),
            sort,
            direction,
            after: asked.cursor,
            limit: asked.limit,
        }
    }
}

/// What to change about a user: what is absent stays, `null` clears.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeUser {
    /// Sign-in name; of people only where the realm lets it change.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    username: Option<String>,
    /// Address for messages. A new one is unverified.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    email: Option<Option<String>>,
    /// Whether the address is confirmed. `verification_requested` sends a mail with a link that confirms it; links sent
    /// before stop working.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    email_state: Option<VerificationState>,
    /// E.164 phone number. A new one is unverified.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    phone: Option<Option<String>>,
    /// Whether the number is confirmed.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    phone_state: Option<VerificationState>,
    /// Given name, of people.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    given_name: Option<Option<String>>,
    /// Family name, of people.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    family_name: Option<Option<String>>,
    /// Name, of machines.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    name: Option<String>,
    /// BCP 47 language tag.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    locale: Option<Option<String>>,
    /// IANA time zone.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    zoneinfo: Option<Option<String>>,
    /// The application's own id for the user.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    reference: Option<Option<String>>,
    /// Custom attributes to set; `null` removes one.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    attributes: Option<Map<String, Value>>,
}

impl From<ChangeUser> for UserPatch {
    fn from(patch: ChangeUser) -> Self {
        Self {
            username: patch.username,
            email: patch.email,
            email_state: patch.email_state,
            phone: patch.phone,
            phone_state: patch.phone_state,
            given_name: patch.given_name,
            family_name: patch.family_name,
            name: patch.name,
            locale: patch.locale,
            zoneinfo: patch.zoneinfo,
            reference: patch.reference,
            attributes: patch.attributes,
        }
    }
}

/// List users
///
/// Searches and filters. Newest first unless `sort` says otherwise.
#[utoipa::path(get, path = "/realms/{realm}/users", operation_id = "list_users", tag = "Users", params(ListUsers),
    responses((status = 200, description = "One page of users.", body = List<UserView>)),
    extensions(("x-permission" = json!("users:read"))))]
async fn list(ask: Ask<UsersRead, ListUsers>) -> Answer<Json<List<UserView>>> {
    let page = users::list(&ask.app, &ask.cx, ask.may, ask.query.into()).await?;
    Ok(List::page(page, UserView::from))
}

/// Read a user
#[utoipa::path(get, path = "/realms/{realm}/users/{id}", operation_id = "read_user", tag = "Users",
    responses((status = 200, description = "The user.", body = UserView)),
    extensions(("x-permission" = json!("users:read"))))]
async fn read(ask: Ask<UsersRead>, Id(id): Id<UserId>) -> Answer<Record<UserView>> {
    let user = users::get(&ask.app, &ask.cx, ask.may, id).await?;
    Ok(Record::new(user.version, user.into()))
}

/// Change a user
///
/// A merge patch (RFC 7396): what is absent stays as it is, `null` clears.
#[utoipa::path(patch, path = "/realms/{realm}/users/{id}", operation_id = "change_user", tag = "Users",
    request_body = ChangeUser,
    responses((status = 200, description = "The changed user.", body = UserView)),
    extensions(("x-permission" = json!("users:write"))))]
async fn change(ask: Ask<UsersWrite>, Id(id): Id<UserId>, Body(patch): Body<ChangeUser>) -> Answer<Record<UserView>> {
    let user = users::update(&ask.app, &ask.cx, ask.may, id, patch.into(), ask.if_match).await?;
    Ok(Record::new(user.version, user.into()))
}

/// Delete a user
///
/// For good, with all that hangs on them. Events stay.
#[utoipa::path(delete, path = "/realms/{realm}/users/{id}", operation_id = "delete_user", tag = "Users",
    responses((status = 204, description = "They are gone.")),
    extensions(("x-permission" = json!("users:delete"))))]
async fn delete(ask: Ask<UsersDelete>, Id(id): Id<UserId>) -> Answer<StatusCode> {
    if ask.if_match.is_some() {
        let user = users::get(&ask.app, &ask.cx, ask.prove()?, id).await?;
        check_version(ask.if_match, user.version)?;
    }
    users::delete(&ask.app, &ask.cx, ask.may, id).await?;
    Ok(DONE)
}
