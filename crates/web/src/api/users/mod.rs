//! Users: list, create, read, change, delete; what belongs to one is in the rooms beside.

mod admin;
mod api_keys;
mod authenticators;
mod bulk;
mod create;
mod credentials;
mod diagnosis;
mod duplicates;
mod events;
pub(crate) mod export;
mod groups;
mod import;
mod memberships;
mod notifications;
mod reset_requests;
mod roles;
mod sessions;
mod state;
mod view;
mod views;

use axum::{Json, http::StatusCode};
use denizen_model::{
    UserId,
    authenticators::{AuthenticatorType, RequiredAction},
    permissions::markers::{UsersDelete, UsersRead, UsersWrite},
    users::{UserKind, UserPatch, VerificationState},
};
use denizen_ops::users::{self, Asked};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) use self::view::UserView;
use super::{
    answer::{Answer, DONE, List, Record},
    ask::{Ask, Id},
    body::{Body, nullable, present},
};
use crate::{Web, problem::Problem};

pub(super) fn endpoints() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(list, create::create))
        .routes(routes!(read, change, delete))
        .merge(views::endpoints())
        .merge(bulk::endpoints())
        .merge(export::endpoints())
        .merge(import::endpoints())
        .merge(state::endpoints())
        .merge(authenticators::endpoints())
        .merge(credentials::endpoints())
        .merge(reset_requests::endpoints())
        .merge(api_keys::endpoints())
        .merge(sessions::endpoints())
        .merge(roles::endpoints())
        .merge(groups::endpoints())
        .merge(memberships::endpoints())
        .merge(admin::endpoints())
        .merge(events::endpoints())
        .merge(diagnosis::endpoints())
        .merge(duplicates::endpoints())
        .merge(notifications::endpoints())
}

/// The parameters of a list of users. Only for the description: [`Listing`] reads them.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "described here, read by name")]
struct ListUsers {
    /// Search text, up to 200 characters: every word must be found in the name, username, email, phone, reference or
    /// a searchable attribute; where that finds few, also in what is near to a name or an address (`jsmith`, one
    /// typo). Filters may be typed in it, such as `status:disabled`.
    #[param(max_length = 200)]
    q: Option<String>,
    /// Only people, or only machines.
    #[param(inline)]
    kind: Option<UserKind>,
    /// Only enabled ones (`active`), or only `disabled` ones.
    #[param(pattern = "^(active|disabled)$")]
    status: Option<String>,
    /// Only those with an authenticator that is locked, or only the others.
    locked: Option<bool>,
    /// Only administrators, or only the others.
    admin: Option<bool>,
    /// Only those with this role, by name or id. May be given several times; all must be held.
    role: Option<String>,
    /// Only those in this group, by name or id. May be given several times.
    group: Option<String>,
    /// Only members of this organization, by name or id. May be given several times.
    organization: Option<String>,
    /// Only those with a verified email, or only the others.
    email_verified: Option<bool>,
    /// Only those with a verified phone number, or only the others.
    phone_verified: Option<bool>,
    /// Only those with a password, or only the others.
    has_password: Option<bool>,
    /// Only those with such an authenticator.
    #[param(inline)]
    authenticator: Option<AuthenticatorType>,
    /// Only those linked to this provider.
    provider: Option<String>,
    /// Only those who must do this at their next sign-in.
    #[param(inline)]
    required_action: Option<RequiredAction>,
    /// When they were made: `7d`, `>30d`, `2026-01-01..2026-02-01`.
    created: Option<String>,
    /// Made at this time (RFC 3339 or a day) or later.
    created_after: Option<String>,
    /// Made before this time.
    created_before: Option<String>,
    /// When they last signed in: `7d`, `30d`, `>30d`, `never`, `2026-01-01..2026-02-01`.
    last_sign_in: Option<String>,
    /// Last signed in at this time or later.
    last_sign_in_after: Option<String>,
    /// Last signed in before this time.
    last_sign_in_before: Option<String>,
    /// The application's own id, without regard to case.
    reference: Option<String>,
    /// `attr.KEY`: only those whose searchable attribute KEY has this value, or has it among its values.
    #[param(rename = "attr.KEY")]
    attribute: Option<String>,
    /// `created_at`, `last_sign_in_at`, `name`, `email`, `phone`, `reference` or `role`; with `-` before it largest
    /// first; or `best_match`. When absent, `best_match` with a search, and `-created_at` without one.
    #[param(pattern = "^(best_match|-?(created_at|last_sign_in_at|name|email|phone|reference|role))$")]
    sort: Option<String>,
    /// Where the page starts: `next_cursor` of the page before.
    cursor: Option<String>,
    /// How many users at the most; 50 when absent.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// The parameters of a list of users, as they came.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Listing(Vec<(String, String)>);

impl Listing {
    /// What they ask for.
    pub(super) fn asked(&self) -> Result<Asked, Problem> {
        let pairs = self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        Asked::read(pairs).map_err(|errors| Problem::invalid(&errors))
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
/// Searches and filters. The best match first in a search, else the newest, unless `sort` says otherwise.
#[utoipa::path(get, path = "/realms/{realm}/users", operation_id = "list_users", tag = "Users", params(ListUsers),
    responses((status = 200, description = "One page of users.", body = List<UserView>)),
    extensions(("x-permission" = json!("users:read"))))]
async fn list(ask: Ask<UsersRead, Listing>) -> Answer<Json<List<UserView>>> {
    let asked = ask.query.asked()?;
    let listed = users::list(&ask.app, &ask.cx, ask.may, asked).await?;
    Ok(List::page(listed.users.page, UserView::from))
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
    users::delete(&ask.app, &ask.cx, ask.may, id, ask.if_match).await?;
    Ok(DONE)
}
