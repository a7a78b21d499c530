//! The audit log: list, read.

use axum::Json;
use denizen_model::{
    EventId, SessionId, Timestamp,
    devices::device_label,
    events::{ActorRef, Event, EventQuery, EventType, Outcome, SubjectRef},
    pages::{Cursor, CursorKey},
    permissions::markers::AuditRead,
};
use denizen_ops::events;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    answer::{Answer, List},
    ask::{Ask, Id},
    query::{cursor, default_limit, limit},
};
use crate::{Web, problem::Problem};

pub(super) fn endpoints() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(read))
}

/// One immutable audit record.
#[derive(Serialize, ToSchema)]
#[schema(as = Event)]
pub(crate) struct EventView {
    /// Its id.
    id: EventId,
    /// When it happened.
    at: Timestamp,
    /// What happened.
    #[serde(rename = "type")]
    kind: EventType,
    /// How it ended.
    outcome: Outcome,
    /// Who did it.
    actor: ActorRef,
    /// To whom.
    subject: SubjectRef,
    /// Through which client.
    client_id: Option<String>,
    /// In which session.
    session_id: Option<SessionId>,
    /// From which address.
    ip: Option<String>,
    /// The place of that address, where a GeoIP database was configured.
    place: Option<String>,
    /// With which user agent.
    user_agent: Option<String>,
    /// The device and browser that the user agent tells of, such as `Firefox on macOS`.
    device: Option<String>,
    /// What else was kept: before and after, reasons.
    details: Map<String, Value>,
    /// The chain of hashes it stands in, 0 to 15.
    chain: u8,
    /// Its place in the chain, from 1.
    sequence: i64,
    /// The chain's hash after it: HMAC-SHA-256, base64url.
    hash: String,
}

impl From<Event> for EventView {
    fn from(event: Event) -> Self {
        let Event { id, at, kind, outcome, actor, subject, client_id, session_id, ip, user_agent, .. } = event;
        let Event { place, details, chain, sequence, hash, .. } = event;
        Self {
            id,
            at,
            kind,
            outcome,
            actor,
            subject,
            client_id,
            session_id,
            ip,
            place,
            device: user_agent.as_deref().map(device_label),
            user_agent,
            details,
            chain,
            sequence,
            hash,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListEvents {
    /// Only this type.
    #[serde(rename = "type")]
    #[param(inline)]
    kind: Option<EventType>,
    /// Only what this actor did, by id.
    actor: Option<String>,
    /// Only what was done to this subject, by id.
    subject: Option<String>,
    /// Only through this client, by `client_id`.
    client: Option<String>,
    /// Only with this outcome.
    #[param(inline)]
    outcome: Option<Outcome>,
    /// Only from this address.
    ip: Option<String>,
    /// Not before this time.
    from: Option<Timestamp>,
    /// Before this time.
    until: Option<Timestamp>,
    /// Where the page starts: `next_cursor` of the page before.
    #[serde(default, deserialize_with = "cursor")]
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// How many events at the most; 50 when absent.
    #[serde(default = "default_limit", deserialize_with = "limit")]
    #[param(minimum = 1, maximum = 500, required = false)]
    limit: u32,
}

/// What a list of one user's events can be narrowed by.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListActivity {
    /// Only this type.
    #[serde(rename = "type")]
    #[param(inline)]
    kind: Option<EventType>,
    /// Only through this client, by `client_id`.
    client: Option<String>,
    /// Only with this outcome.
    #[param(inline)]
    outcome: Option<Outcome>,
    /// Only from this address.
    ip: Option<String>,
    /// Not before this time.
    from: Option<Timestamp>,
    /// Before this time.
    until: Option<Timestamp>,
    /// Where the page starts: `next_cursor` of the page before.
    #[serde(default, deserialize_with = "cursor")]
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// How many events at the most; 50 when absent.
    #[serde(default = "default_limit", deserialize_with = "limit")]
    #[param(minimum = 1, maximum = 500, required = false)]
    limit: u32,
}

impl ListActivity {
    pub(super) fn query(self) -> Result<EventQuery, Problem> {
        let Self { kind, client, outcome, ip, from, until, cursor, limit } = self;
        ListEvents { kind, actor: None, subject: None, client, outcome, ip, from, until, cursor, limit }.query()
    }
}

impl ListEvents {
    fn query(self) -> Result<EventQuery, Problem> {
        // Events are sorted by time, so another key is of another list.
        if self.cursor.as_ref().is_some_and(|cursor| matches!(cursor.key, CursorKey::Text(_))) {
            return Err(Problem::field("cursor", "This cursor belongs to another list."));
        }
        let Self { kind, actor, subject, client, outcome, ip, from, until, cursor, limit } = self;
        Ok(EventQuery { kind, actor, subject, client, outcome, ip, from, until, after: cursor, limit })
    }
}

/// List events
///
/// Newest first. The total is exact only on a last page: counting a log costs as much as reading it.
#[utoipa::path(get, path = "/realms/{realm}/events", operation_id = "list_events", tag = "Events", params(ListEvents),
    responses((status = 200, description = "One page of events.", body = List<EventView>)),
    extensions(("x-permission" = json!("audit:read"))))]
async fn list(ask: Ask<AuditRead, ListEvents>) -> Answer<Json<List<EventView>>> {
    let page = events::list(&ask.app, &ask.cx, ask.may, ask.query.query()?).await?;
    Ok(List::page(page, EventView::from))
}

/// Read an event
#[utoipa::path(get, path = "/realms/{realm}/events/{id}", operation_id = "read_event", tag = "Events",
    responses((status = 200, description = "The event.", body = EventView)),
    extensions(("x-permission" = json!("audit:read"))))]
async fn read(ask: Ask<AuditRead>, Id(id): Id<EventId>) -> Answer<Json<EventView>> {
    let event = events::get(&ask.app, &ask.cx, ask.may, id).await?;
    Ok(Json(event.into()))
}
