//! Likely duplicates.

use axum::{Json, http::StatusCode};
use denizen_model::{
    UserId,
    duplicates::DuplicateReason,
    pages::Cursor,
    permissions::markers::{UsersRead, UsersWrite},
};
use denizen_ops::users::duplicates::{self, Duplicates};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    super::{
        answer::{Answer, DONE, List},
        ask::Ask,
        body::Body,
        query::{cursor, default_limit, limit},
    },
    view::UserView,
};
use crate::Web;

pub(super) fn endpoints() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(dismiss))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListDuplicates {
    /// Only those taken for duplicates for this reason.
    #[param(inline)]
    reason: Option<DuplicateReason>,
    /// Where the page starts: `next_cursor` of the page before.
    #[serde(default, deserialize_with = "cursor")]
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// How many groups at the most; 50 when absent.
    #[serde(default = "default_limit", deserialize_with = "limit")]
    #[param(minimum = 1, maximum = 500, required = false)]
    limit: u32,
}

/// Records that may be of one person.
#[derive(Serialize, ToSchema)]
#[schema(as = Duplicates)]
struct DuplicatesView {
    /// Why they are taken for duplicates.
    reason: DuplicateReason,
    /// The records, oldest first, at most 10.
    users: Vec<UserView>,
    /// Whether there are more of them.
    more: bool,
}

impl From<Duplicates> for DuplicatesView {
    fn from(found: Duplicates) -> Self {
        let Duplicates { reason, users, more } = found;
        Self { reason, users: users.into_iter().map(UserView::from).collect(), more }
    }
}

/// Who are different people.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DismissDuplicates {
    /// The users, 2 to 10.
    user_ids: Vec<UserId>,
}

/// List likely duplicates
///
/// Groups of people with the same phone number, with emails that are equal but for case, dots and what follows a
/// plus sign, or with the same name and birthday or reference. Some items of a page may be left out because they
/// were dismissed; go on while there is a `next_cursor`.
#[utoipa::path(get, path = "/realms/{realm}/users/duplicates", operation_id = "list_duplicates", tag = "Users",
    params(ListDuplicates),
    responses((status = 200, description = "One page of groups.", body = List<DuplicatesView>)),
    extensions(("x-permission" = json!("users:read"))))]
async fn list(ask: Ask<UsersRead, ListDuplicates>) -> Answer<Json<List<DuplicatesView>>> {
    let ListDuplicates { reason, cursor, limit } = ask.query;
    let page = duplicates::list(&ask.app, &ask.cx, ask.may, reason, cursor, limit).await?;
    Ok(List::page(page, DuplicatesView::from))
}

/// Dismiss likely duplicates
///
/// Notes that these users are all different people: they are not listed as each other's duplicates any more.
#[utoipa::path(post, path = "/realms/{realm}/users/duplicates/dismissals", operation_id = "dismiss_duplicates",
    tag = "Users", request_body = DismissDuplicates,
    responses((status = 204, description = "It is noted.")),
    extensions(("x-permission" = json!("users:write"))))]
async fn dismiss(ask: Ask<UsersWrite>, Body(body): Body<DismissDuplicates>) -> Answer<StatusCode> {
    duplicates::dismiss(&ask.app, &ask.cx, ask.may, body.user_ids).await?;
    Ok(DONE)
}
