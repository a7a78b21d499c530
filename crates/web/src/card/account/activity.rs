//! What happened to the user's own account, a sentence each. Who of the administrators did something, and from where,
//! is not for the user to see.

use axum::{Router, extract::Query, response::Response, routing::get};
use denizen_model::{
    UserId,
    devices::device_label,
    events::{ActorKind, Event, EventType, Outcome},
    pages::{Cursor, CursorKey},
};
use denizen_ops::{Cx, Error, events::list_own, sessions::SignedIn};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Navigation, device_words,
    visit::{Answer, Door, Visit},
};
use crate::{
    Web,
    card::Card,
    render::{Templates, TimeView},
};

pub(super) const PATH: &str = "/activity";

/// How many events a page shows.
const SHOWN: u32 = 25;

pub(super) fn router() -> Router<Web> {
    Router::new().route("/realms/{realm}/account/activity", get(list))
}

#[derive(Serialize)]
struct ActivityPage {
    card: Card,
    navigation: Navigation,
    events: Vec<Row>,
    earlier_href: Option<String>,
    latest_href: Option<String>,
}

#[derive(Serialize)]
struct Row {
    icon: &'static str,
    sentence: String,
    at: TimeView,
    device: Option<String>,
    place: Option<String>,
    ip: Option<String>,
    by_others: bool,
}

#[derive(Deserialize)]
struct Asked {
    cursor: Option<String>,
}

async fn list(door: Door, Query(asked): Query<Asked>) -> Answer {
    let visit = door.enter(PATH).await?;
    // A cursor that somebody has made up leads to the first page.
    let cursor = asked.cursor.and_then(|text| Cursor::decode(&text).ok());
    let after = cursor.filter(|cursor| matches!(cursor.key, CursorKey::Number(_)));
    visit.answer(show(&visit, after)).await
}

async fn show(visit: &Visit<SignedIn>, after: Option<Cursor>) -> Result<Response, Error> {
    let own = visit.href(PATH);
    let latest_href = after.is_some().then(|| own.clone());
    let found = list_own(&visit.web.app, &visit.cx, &visit.who, after, SHOWN).await?;
    let mut events = Vec::with_capacity(found.items.len());
    for event in found.items {
        let client = match &event.client_id {
            Some(id) => visit.realm.client(&visit.web.app, id).await?.map(|client| client.name.clone()),
            None => None,
        };
        events.push(row(&visit.web.templates, &visit.cx, event, visit.who.user.id, client.as_deref()));
    }
    let context = ActivityPage {
        card: visit.card(visit.text("account.activity.title")),
        navigation: visit.navigation(PATH),
        events,
        earlier_href: found.next.map(|cursor| format!("{own}?cursor={}", cursor.encode())),
        latest_href,
    };
    Ok(visit.page("card/account/activity.html", &context))
}

fn row(templates: &Templates, cx: &Cx, event: Event, user: UserId, client: Option<&str>) -> Row {
    let by_others = match event.actor.kind {
        ActorKind::User => event.actor.id.as_deref() != Some(user.to_string().as_str()),
        ActorKind::Anonymous | ActorKind::System | ActorKind::Client => false,
    };
    let agent = event.user_agent.as_deref().filter(|_| !by_others);
    Row {
        icon: icon(&event),
        sentence: sentence(templates, &event, client),
        at: TimeView::new(event.at, cx.now),
        device: agent.map(|agent| device_words(templates, &device_label(agent))),
        place: event.place.filter(|_| !by_others),
        ip: event.ip.filter(|_| !by_others),
        by_others,
    }
}

fn icon(event: &Event) -> &'static str {
    let name = event.kind.as_str();
    match event.kind {
        _ if event.outcome == Outcome::Failure => "warning",
        EventType::UserSignInSucceeded => "sign-in",
        EventType::UserSessionRevoked => "sign-out",
        EventType::UserSessionCreated => "session",
        _ if name.contains("password") || name.contains("key") || name.contains("authenticator") => "key",
        _ if name.contains("email") || name.starts_with("notification") => "mail",
        _ => "activity",
    }
}

/// The text of an event's type, with the client's name where there is one for that.
fn sentence(templates: &Templates, event: &Event, client: Option<&str>) -> String {
    let id = format!("activity.{}", event.kind.as_str());
    let signed_out = event.details.get("reason").and_then(Value::as_str) == Some("signed out");
    let known = |id: &str| Some(templates.text(id)).filter(|text| text != id);
    match (event.kind, client) {
        (EventType::UserSignInSucceeded | EventType::UserSignInFailed, Some(client)) => {
            templates.text_with(&format!("{id}.to"), &[("client", client)])
        }
        (EventType::UserSessionRevoked, _) if signed_out => templates.text(&format!("{id}.signed_out")),
        _ => known(&id).unwrap_or_else(|| templates.text("activity.other")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_about_a_user_has_a_sentence_for_the_user() {
        let templates = Templates::load().unwrap();
        // All that is not of another subject: a type that is new is about users until it is named here.
        let elsewhere = [
            "attribute-definition.",
            "client.",
            "group.",
            "job.",
            "message-template.",
            "organization.",
            "realm.",
            "role.",
            "saved-view.",
            "settings.",
            "signing-key.",
        ];
        let of_others = |kind: EventType| elsewhere.iter().any(|prefix| kind.as_str().starts_with(prefix));
        for kind in EventType::ALL.iter().filter(|kind| !of_others(**kind)) {
            let id = format!("activity.{}", kind.as_str());
            assert_ne!(templates.text(&id), id, "locales/en.toml has no text for {id}");
        }
    }
}
