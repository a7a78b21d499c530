//! Imports: users from a file.

use axum::{
    Json,
    body::Body,
    extract::{FromRequest, Request},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use denizen_model::{
    imports::{ImportFormat, ImportMode, Mapping},
    permissions::markers::UsersWrite,
};
use denizen_ops::users::import::{self, Options};
use serde::{Deserialize, Deserializer, de::Error as _};
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::{answer::Answer, ask::Ask, jobs::JobView};
use crate::{Web, problem::Problem, upload};

pub(super) fn endpoints() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(import_users))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Import {
    /// How the file is written; `csv` when absent.
    #[param(inline)]
    format: Option<ImportFormat>,
    /// What happens to users that exist already; `create`, which leaves them alone, when absent.
    #[param(inline)]
    mode: Option<ImportMode>,
    /// Whether nothing is kept but the report; `false` when absent.
    dry_run: Option<bool>,
    /// What the columns are, as JSON, where their names do not say so: `{"E-Mail": "email", "Cust No":
    /// "attributes.customer_number", "Shoe size": null}`; `null` leaves a column out.
    #[serde(default, deserialize_with = "mapping")]
    #[param(value_type = Option<String>)]
    mapping: Option<Mapping>,
}

fn mapping<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Mapping>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Mapping::parse(&text).map(Some).map_err(D::Error::custom)
}

/// The body as it comes in, of any size.
struct File(Body);

impl FromRequest<Web> for File {
    type Rejection = Problem;

    async fn from_request(request: Request, _web: &Web) -> Result<Self, Problem> {
        Ok(Self(request.into_body()))
    }
}

/// Import users
///
/// The body is the file, as CSV with a header or as one JSON object a line, of any size. It is stored, then a job goes through it;
/// the answer is the job. Columns are `username`, `email`, `email_verified`, `phone`, `phone_verified`, `given_name`, `family_name`,
/// `name` and `kind` (machines), `locale`, `zoneinfo`, `reference`, `enabled`, `created_at`, `last_sign_in_at`, `password_hash`,
/// `roles`, `groups`, `organizations` (names separated by semicolons) and `attributes.KEY`; common other names are understood. Users
/// are known by their username, so importing a file again is safe: who is there is left alone, or with `mode=upsert` changed where
/// the file says something else. A blank cell says nothing. `Idempotency-Key` is not looked at. Password hashes take
/// `credentials:set`, roles `roles:assign`, groups `groups:write`, organizations `organizations:write` besides.
#[utoipa::path(post, path = "/realms/{realm}/users/import", operation_id = "import_users", tag = "Users", params(Import),
    request_body(content = String, content_type = "text/csv", description = "The file, in UTF-8."),
    responses((status = 202, description = "The job.", body = JobView)),
    extensions(("x-permission" = json!("users:write"))))]
async fn import_users(ask: Ask<UsersWrite, Import>, File(body): File) -> Answer<Response> {
    let Import { format, mode, dry_run, mapping } = &ask.query;
    let (app, cx, may) = (&ask.app, &ask.cx, &ask.may);
    let id = upload::receive(app, cx, may, format.unwrap_or(ImportFormat::Csv), body.into_data_stream()).await?;
    let options = Options {
        mapping: mapping.clone().unwrap_or_default(),
        mode: mode.unwrap_or(ImportMode::Create),
        dry_run: dry_run.unwrap_or(false),
    };
    let job = match import::start(app, cx, may, id, options).await {
        Ok(job) => job,
        Err(error) => {
            import::Upload::give_up(app, may.realm(), id).await?;
            return Err(error.into());
        }
    };
    let place = format!("/api/v1/realms/{}/jobs/{}", ask.realm.realm.slug, job.id);
    let mut response = (StatusCode::ACCEPTED, Json(JobView::from(job))).into_response();
    if let Ok(place) = HeaderValue::try_from(place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}
