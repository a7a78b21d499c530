//! The admin API, `/api/v1` (PRODUCT §17): one endpoint for each operation, described by OpenAPI where it is served.

mod answer;
mod ask;
mod attribute_definitions;
mod body;
mod clients;
pub(crate) mod document;
mod events;
mod gate;
mod groups;
mod invitations;
pub(crate) mod jobs;
mod message_templates;
mod organizations;
mod query;
mod realms;
mod roles;
mod settings;
mod stats;
#[cfg(test)]
mod tests;
pub(crate) mod users;

use axum::{
    Router,
    http::{HeaderValue, header},
    middleware,
    response::IntoResponse,
    routing::get,
};
use utoipa_axum::router::OpenApiRouter;

pub(crate) use events::EventView;

use crate::{Web, problem::Problem};

/// Every endpoint of the API, with its description.
fn endpoints() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .merge(realms::endpoints())
        .merge(settings::endpoints())
        .merge(attribute_definitions::endpoints())
        .merge(message_templates::endpoints())
        .merge(users::endpoints())
        .merge(roles::endpoints())
        .merge(groups::endpoints())
        .merge(organizations::endpoints())
        .merge(clients::endpoints())
        .merge(events::endpoints())
        .merge(jobs::endpoints())
        .merge(invitations::endpoints())
        .merge(stats::endpoints())
}

/// What is under `/api`.
pub(crate) fn router(web: &Web) -> Router<Web> {
    let (routes, _) = endpoints().split_for_parts();
    let routes = routes
        .route_layer(middleware::from_fn_with_state(web.clone(), gate::gate))
        .route("/openapi.json", get(openapi));
    Router::new()
        .nest("/v1", routes)
        .fallback(|| async { Problem::no_such_address() })
        .method_not_allowed_fallback(|| async { Problem::wrong_method() })
}

async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], document::text())
}
