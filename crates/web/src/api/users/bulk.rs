//! Bulk actions.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use denizen_model::{
    GroupId, UserId,
    jobs::{BulkAction, BulkUsers, UserSet},
    permissions::markers::UsersRead,
    validation::FieldErrors,
};
use denizen_ops::jobs;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::{
    answer::Answer,
    ask::Ask,
    body::{Body, present},
    jobs::JobView,
};
use crate::{Web, problem::Problem};

pub(super) fn endpoints() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(bulk))
}

/// One thing to be done to many users: to those named by `ids`, or to all that the list shows for `filter`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BulkRequest {
    /// What to do. It takes the permission that doing it to one user takes.
    action: BulkAction,
    /// The group, for adding to one and removing from one.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    group_id: Option<GroupId>,
    /// Why, for disabling.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    reason: Option<String>,
    /// Up to 500 users.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    ids: Option<Vec<UserId>>,
    /// Parameters of the list of users, such as `{"status": "active", "q": "lima"}`; `{}` is everybody.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    filter: Option<Map<String, Value>>,
    /// With `filter`: how many users the list showed to whoever decided on this. It is kept with the job.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    expected_count: Option<u64>,
}

impl BulkRequest {
    fn read(self) -> Result<BulkUsers, FieldErrors> {
        let Self { action, group_id, reason, ids, filter, expected_count } = self;
        let users = match (ids, filter) {
            (Some(ids), None) if expected_count.is_none() => UserSet::Ids(ids),
            (Some(_), None) => return Err(FieldErrors::one("expected_count", "Goes with a filter only.")),
            (None, Some(filter)) => UserSet::Filter { query: query_string(&filter)?, expected_count },
            (None, None) => return Err(FieldErrors::one("ids", "Say which users: by ids, or by filter.")),
            (Some(_), Some(_)) => {
                return Err(FieldErrors::one("filter", "Say which users by ids or by filter, not both."));
            }
        };
        Ok(BulkUsers { action, users, group_id, reason })
    }
}

/// The list's query string for a filter given as JSON.
fn query_string(filter: &Map<String, Value>) -> Result<String, FieldErrors> {
    let mut out = form_urlencoded::Serializer::new(String::new());
    let mut errors = FieldErrors::new();
    for (name, value) in filter {
        let values = match value {
            Value::Array(values) => values.as_slice(),
            value => std::slice::from_ref(value),
        };
        for value in values {
            match value {
                Value::String(text) => drop(out.append_pair(name, text)),
                Value::Bool(_) | Value::Number(_) => drop(out.append_pair(name, &value.to_string())),
                _ => errors.add(&format!("filter.{name}"), "Must be a text, a number, true or false."),
            }
        }
    }
    errors.into_result()?;
    Ok(out.finish())
}

/// Do one thing to many users
///
/// Answers at once with the job that does it. The set of users is fixed when the job starts; each user is then changed once, by the
/// rules of the single operation and with an event of their own, also over a restart. What became of each is in the job's items.
/// Besides `users:read` it takes the permission of the action.
#[utoipa::path(post, path = "/realms/{realm}/users/bulk", operation_id = "bulk_users", tag = "Users", request_body = BulkRequest,
    responses((status = 202, description = "The job.", body = JobView)),
    extensions(("x-permission" = json!("users:read"))))]
async fn bulk(ask: Ask<UsersRead>, Body(body): Body<BulkRequest>) -> Answer<Response> {
    let asked = body.read().map_err(|errors| Problem::invalid(&errors))?;
    let job = jobs::bulk(&ask.app, &ask.cx, ask.may, asked).await?;
    let place = format!("/api/v1/realms/{}/jobs/{}", ask.realm.realm.slug, job.id);
    let mut response = (StatusCode::ACCEPTED, Json(JobView::from(job))).into_response();
    if let Ok(place) = HeaderValue::try_from(place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}
