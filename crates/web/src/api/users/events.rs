//! What was done to a user and what they did.

use axum::Json;
use denizen_model::{UserId, permissions::markers::AuditRead};
use denizen_ops::events;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::{
    answer::{Answer, List},
    ask::{Ask, Id},
    events::{EventView, ListActivity},
};
use crate::Web;

pub(super) fn endpoints() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list))
}

/// List a user's events
///
/// What was done to them and what they did, newest first.
#[utoipa::path(get, path = "/realms/{realm}/users/{id}/events", operation_id = "list_user_events", tag = "Events",
    params(ListActivity),
    responses((status = 200, description = "One page of events.", body = List<EventView>)),
    extensions(("x-permission" = json!("audit:read"))))]
async fn list(ask: Ask<AuditRead, ListActivity>, Id(id): Id<UserId>) -> Answer<Json<List<EventView>>> {
    let page = events::list_activity(&ask.app, &ask.cx, ask.may, id, ask.query.query()?).await?;
    Ok(List::page(page, EventView::from))
}
