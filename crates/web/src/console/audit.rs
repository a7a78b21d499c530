//! The audit log: filters, the list, one entry with its whole payload.

use axum::{Router, extract::FromRequestParts, routing::get};
use denizen_model::{
    EventId, Timestamp, UserId,
    devices::device_label,
    events::{ActorKind, CHAINS, Event, EventQuery, EventType, Outcome, SubjectKind},
    pages::Cursor,
    permissions::Permission,
    users::as_words,
};
use denizen_ops::{events, users};
use http::request::Parts;
use serde::Serialize;
use serde_json::Value;

use super::{
    Answer, PageError,
    forms::{Asked, Errors, Fields},
    frame::{At, ConsoleCx, Section},
    users::{Pager, event_sentence, path_id},
    words::{count, number, query},
};
use crate::{Web, api::EventView as ApiEvent, render::TimeView};

pub(super) fn router() -> Router<Web> {
    Router::new().route("/admin/{realm}/audit", get(list)).route("/admin/{realm}/audit/{event}", get(show))
}

const PAGE: u32 = 100;
const FILTERS: [&str; 8] = ["type", "outcome", "actor", "subject", "client", "ip", "from", "to"];

#[derive(Serialize)]
struct ListPage {
    retention: String,
    types: Vec<TypeOption>,
    outcomes: [OutcomeOption; 3],
    values: Values,
    errors: Errors,
    filtered: bool,
    events: Vec<Row>,
    page: Pager,
}

#[derive(Serialize)]
struct TypeOption {
    value: &'static str,
}

#[derive(Serialize)]
struct OutcomeOption {
    value: &'static str,
    label: &'static str,
}

const OUTCOMES: [OutcomeOption; 3] = [
    OutcomeOption { value: "", label: "Any" },
    OutcomeOption { value: "success", label: "Succeeded" },
    OutcomeOption { value: "failure", label: "Failed" },
];

#[derive(Serialize)]
struct Values {
    #[serde(rename = "type")]
    kind: String,
    outcome: String,
    actor: String,
    subject: String,
    client: String,
    ip: String,
    from: String,
    to: String,
}

#[derive(Serialize)]
struct Row {
    href: String,
    at: TimeView,
    #[serde(rename = "type")]
    kind: &'static str,
    outcome: &'static str,
    actor: Option<String>,
    subject: Option<String>,
    subject_href: Option<String>,
    ip: Option<String>,
}

#[derive(Serialize)]
struct ShowPage {
    event: EventView,
}

#[derive(Serialize)]
struct EventView {
    href: String,
    sentence: String,
    #[serde(rename = "type")]
    kind: &'static str,
    outcome: &'static str,
    at: TimeView,
    properties: Vec<Property>,
    changes: Vec<Change>,
    payload: String,
    chain: Chain,
}

#[derive(Serialize)]
struct Property {
    label: &'static str,
    text: String,
    href: Option<String>,
    mono: bool,
}

#[derive(Serialize)]
struct Change {
    field: String,
    before: String,
    after: String,
}

#[derive(Serialize)]
struct Chain {
    number: String,
    position: String,
    hash: String,
    previous: Option<String>,
}

fn actor(event: &Event) -> Option<String> {
    let name = Some(event.actor.name.clone()).filter(|name| !name.is_empty());
    match event.actor.kind {
        ActorKind::Anonymous => None,
        ActorKind::System => Some(name.map_or("Denizen".to_owned(), |name| format!("Denizen ({name})"))),
        ActorKind::User | ActorKind::Client => name.or_else(|| event.actor.id.clone()),
    }
}

/// Where the record behind a reference is; it may be gone by now.
fn subject_href(page: &ConsoleCx, event: &Event) -> Option<String> {
    let folder = match event.subject.kind {
        SubjectKind::User => "users",
        SubjectKind::Client => "clients",
        SubjectKind::Role => "roles",
        SubjectKind::Group => "groups",
        SubjectKind::Organization => "organizations",
        SubjectKind::Invitation => return Some(page.href("invitations")),
        SubjectKind::AttributeDefinition => return Some(page.href("attributes")),
        SubjectKind::MessageTemplate => "messages",
        SubjectKind::Job => "jobs",
        SubjectKind::Realm | SubjectKind::SavedView => return None,
    };
    (event.kind != EventType::UserDeleted).then(|| page.href(&format!("{folder}/{}", event.subject.id)))
}

/// A time as `<input type="datetime-local">` sends it, in UTC.
fn read_time(asked: &Fields, name: &str, errors: &mut Errors) -> Option<Timestamp> {
    let typed = asked.given(name)?;
    // The browser leaves seconds out when they are zero.
    let spellings = [format!("{typed}:00Z"), format!("{typed}Z"), typed.clone()];
    let read = spellings.iter().find_map(|text| text.parse().ok());
    if read.is_none() {
        errors.insert(name.to_owned(), "Must be a time, such as 2026-11-21T09:30, in UTC.".to_owned());
    }
    read
}

/// A person is named by id, or by anything that finds exactly them.
async fn read_who(
    page: &ConsoleCx,
    asked: &Fields,
    name: &str,
    errors: &mut Errors,
) -> Result<Option<String>, PageError> {
    let Some(typed) = asked.given(name) else { return Ok(None) };
    if typed.parse::<UserId>().is_ok() || !page.holds().contains(Permission::UsersRead) {
        return Ok(Some(typed));
    }
    let search = users::Asked { q: as_words(&typed), limit: Some(2), ..users::Asked::default() };
    let mut found = users::list(page.app(), page.cx(), page.may()?, search).await?.users.page.items.into_iter();
    match (found.next(), found.next()) {
        (Some(user), None) => Ok(Some(user.id.to_string())),
        // Not a user: it can still be what a client calls itself.
        (None, _) => Ok(Some(typed)),
        (Some(_), Some(_)) => {
            errors.insert(name.to_owned(), "Several users match. Type more of the email, or the id.".to_owned());
            Ok(None)
        }
    }
}

async fn list(page: ConsoleCx, Asked(asked): Asked) -> Answer {
    let proof = page.may()?;
    let mut errors = Errors::new();
    let wanted = EventQuery {
        kind: EventType::from_name(asked.text("type")),
        outcome: Outcome::from_name(asked.text("outcome")),
        actor: read_who(&page, &asked, "actor", &mut errors).await?,
        subject: read_who(&page, &asked, "subject", &mut errors).await?,
        client: asked.given("client"),
        ip: asked.given("ip"),
        from: read_time(&asked, "from", &mut errors),
        until: read_time(&asked, "to", &mut errors),
        after: Cursor::decode(asked.text("cursor")).ok(),
        limit: PAGE,
    };
    let later = wanted.after.is_some();
    let found = events::list(page.app(), page.cx(), proof, wanted).await?;
    let shown = found.total.count;
    let summary = match (later, found.total.exact) {
        (false, true) => count(shown, "event", "events"),
        _ => format!("{} on this page", count(shown, "event", "events")),
    };
    let next = found.next.as_ref().map(|cursor| {
        let cursor = cursor.encode();
        let pairs: Vec<(&str, &str)> =
            FILTERS.iter().map(|name| (*name, asked.text(name))).chain([("cursor", cursor.as_str())]).collect();
        format!("{}{}", page.href("audit"), query(&pairs))
    });
    let mut types: Vec<&'static str> = EventType::ALL.iter().map(|kind| kind.as_str()).collect();
    types.sort_unstable();
    let text = |name| asked.text(name).to_owned();
    let content = ListPage {
        retention: count(u64::from(page.settings().audit_retention_days), "day", "days"),
        types: types.into_iter().map(|value| TypeOption { value }).collect(),
        outcomes: OUTCOMES,
        values: Values {
            kind: text("type"),
            outcome: text("outcome"),
            actor: text("actor"),
            subject: text("subject"),
            client: text("client"),
            ip: text("ip"),
            from: text("from"),
            to: text("to"),
        },
        errors,
        filtered: FILTERS.iter().any(|name| !asked.text(name).trim().is_empty()),
        events: found.items.iter().map(|event| row(&page, event)).collect(),
        page: Pager { summary, prev_href: None, next_href: next },
    };
    page.page("console/audit/list.html", At::top(Section::Audit, "Audit"), &content)
}

fn row(page: &ConsoleCx, event: &Event) -> Row {
    Row {
        href: page.href(&format!("audit/{}", event.id)),
        at: page.time(event.at),
        kind: event.kind.as_str(),
        outcome: event.outcome.as_str(),
        actor: actor(event),
        subject: Some(event.subject.name.clone()).filter(|name| !name.is_empty()),
        subject_href: subject_href(page, event),
        ip: event.ip.clone(),
    }
}

/// The `{event}` of the path.
struct Which(EventId);

impl<S: Send + Sync> FromRequestParts<S> for Which {
    type Rejection = PageError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, PageError> {
        Ok(Self(path_id(parts, state, "event").await?))
    }
}

async fn show(page: ConsoleCx, Which(id): Which) -> Answer {
    let event = events::get(page.app(), page.cx(), page.may()?, id).await?;
    let sentence = event_sentence(&page, &event, None).await?;
    let content = ShowPage {
        event: EventView {
            href: page.href(&format!("audit/{id}")),
            kind: event.kind.as_str(),
            outcome: event.outcome.as_str(),
            at: page.time(event.at),
            properties: properties(&page, &event),
            changes: changes(&event),
            // The same record as in the API.
            payload: serde_json::to_string_pretty(&ApiEvent::from(event.clone())).unwrap_or_default(),
            chain: Chain {
                number: format!("{} of {CHAINS}", u16::from(event.chain) + 1),
                position: number(u64::try_from(event.sequence).unwrap_or(0)),
                hash: event.hash.clone(),
                previous: None,
            },
            sentence: sentence.clone(),
        },
    };
    let at = At::under(Section::Audit, &[("Audit", page.href("audit"))], sentence);
    page.page("console/audit/show.html", at, &content)
}

fn properties(page: &ConsoleCx, event: &Event) -> Vec<Property> {
    let plain = |label, text: String| Property { label, text, href: None, mono: false };
    let mono = |label, text: String| Property { label, text, href: None, mono: true };
    let own_user = |id: &String| (event.actor.kind == ActorKind::User).then(|| page.href(&format!("users/{id}")));
    let actor = actor(event).map(|text| Property {
        label: "Actor",
        text,
        href: event.actor.id.as_ref().and_then(own_user),
        mono: false,
    });
    let name = if event.subject.name.is_empty() { &event.subject.id } else { &event.subject.name };
    let subject = Property { label: "Subject", text: name.clone(), href: subject_href(page, event), mono: false };
    actor
        .into_iter()
        .chain([subject])
        .chain(event.client_id.iter().map(|id| mono("Client", id.clone())))
        .chain(event.ip.iter().map(|ip| mono("IP", ip.clone())))
        .chain(event.place.iter().map(|place| plain("Place", place.clone())))
        .chain(event.user_agent.iter().map(|agent| plain("Device", device_label(agent))))
        .chain(event.session_id.iter().map(|id| mono("Session", id.to_string())))
        .collect()
}

/// What changed: `changes` names each field's before and after; other events hold both records whole.
fn changes(event: &Event) -> Vec<Change> {
    let details = &event.details;
    if let Some(Value::Object(fields)) = details.get("changes") {
        let part = |change: &Value, name: &str| words(change.get(name).unwrap_or(&Value::Null));
        let change = |(field, change): (&String, &Value)| Change {
            field: field.clone(),
            before: part(change, "before"),
            after: part(change, "after"),
        };
        return fields.iter().map(change).collect();
    }
    let (Some(Value::Object(before)), Some(Value::Object(after))) = (details.get("before"), details.get("after"))
    else {
        return Vec::new();
    };
    let mut changes = Vec::new();
    compare("", before, after, &mut changes);
    changes
}

fn compare(
    prefix: &str,
    before: &serde_json::Map<String, Value>,
    after: &serde_json::Map<String, Value>,
    out: &mut Vec<Change>,
) {
    for (key, new) in after {
        let old = before.get(key).unwrap_or(&Value::Null);
        let field = format!("{prefix}{key}");
        match (old, new) {
            (Value::Object(old), Value::Object(new)) => compare(&format!("{field}."), old, new, out),
            _ if old != new => out.push(Change { field, before: words(old), after: words(new) }),
            _ => {}
        }
    }
}

fn words(value: &Value) -> String {
    match value {
        Value::Null => "(empty)".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
