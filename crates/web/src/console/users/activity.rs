//! The Activity tab: what was done to a user and what they did, a sentence each, grouped by day.

use denizen_model::{
    Timestamp, UserId,
    devices::device_label,
    events::{ActorKind, Event, EventQuery, EventType, Outcome},
    pages::Cursor,
};
use denizen_ops::{Error, events};
use serde::Serialize;
use serde_json::Value;

use super::{
    Whose,
    list::{Filter, FilterOption, filter},
    sessions::client_name,
    show::{Profile, Tab, at, user_href},
};
use crate::{
    console::{Answer, forms::Asked, frame::ConsoleCx, words::query},
    render::TimeView,
};

const SHOWN: u32 = 50;

#[derive(Serialize)]
struct ActivityTab {
    filter: Filter,
    days: Vec<Day>,
    more_href: Option<String>,
    audit_href: String,
}

#[derive(Serialize)]
struct Day {
    label: String,
    events: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    id: String,
    href: String,
    sentence: String,
    icon: &'static str,
    outcome: &'static str,
    actor: Option<String>,
    ip: Option<String>,
    place: Option<String>,
    device: Option<String>,
    at: TimeView,
    clock: String,
}

/// The kinds of event one can ask for: the address's name, the chip's, and what is looked for.
const KINDS: [(&str, &str, Option<EventType>, Option<Outcome>); 8] = [
    ("sign-ins", "Sign-ins", Some(EventType::UserSignInSucceeded), None),
    ("failures", "Failures", None, Some(Outcome::Failure)),
    ("changes", "Changes of details", Some(EventType::UserUpdated), None),
    ("roles", "Changes of roles", Some(EventType::UserRoleChanged), None),
    ("groups", "Changes of groups", Some(EventType::UserGroupChanged), None),
    ("organizations", "Changes of organizations", Some(EventType::UserMembershipChanged), None),
    ("passwords", "New passwords", Some(EventType::UserPasswordChanged), None),
    ("sessions", "Ended sessions", Some(EventType::UserSessionRevoked), None),
];

/// The icon of an event.
fn event_icon(event: &Event) -> &'static str {
    if event.outcome == Outcome::Failure {
        return "warning";
    }
    let name = event.kind.as_str();
    match event.kind {
        EventType::UserCreated => "user-plus",
        EventType::UserDeleted
        | EventType::GroupDeleted
        | EventType::OrganizationDeleted
        | EventType::RoleDeleted
        | EventType::ClientDeleted
        | EventType::RealmDeleted => "trash",
        EventType::UserDeactivated => "ban",
        EventType::UserReactivated => "check",
        EventType::UserSignInSucceeded => "sign-in",
        EventType::UserSessionRevoked => "sign-out",
        EventType::UserSessionCreated => "session",
        EventType::UserTokenReused => "warning",
        _ if name.contains("password") || name.contains("key") || name.contains("authenticator") => "key",
        _ if name.contains("group") => "groups",
        _ if name.contains("membership") || name.starts_with("organization") => "organizations",
        _ if name.contains("role") || name.starts_with("admin") => "roles",
        _ if name.starts_with("client") => "clients",
        _ if name.starts_with("realm") => "realms",
        _ if name.contains("email") => "mail",
        _ if name.contains("phone") => "phone",
        _ if name.starts_with("settings") => "settings",
        _ => "edit",
    }
}

/// An event as a sentence. About `user` themselves their name is left out.
pub(in crate::console) async fn event_sentence(
    page: &ConsoleCx,
    event: &Event,
    user: Option<UserId>,
) -> Result<String, Error> {
    let detail = |key: &str| event.details.get(key).and_then(Value::as_str);
    let client = match &event.client_id {
        Some(id) => Some(client_name(page, id).await?),
        None => None,
    };
    let to = client.map(|client| format!(" to {client}")).unwrap_or_default();
    let sentence = match event.kind {
        EventType::UserSignInSucceeded => format!("Signed in{to}"),
        EventType::UserSignInFailed => {
            let reason = detail("reason").map(|reason| format!(": {}", reason.replace('-', " "))).unwrap_or_default();
            format!("Failed to sign in{to}{reason}")
        }
        EventType::UserRoleChanged => match (detail("assigned"), detail("removed")) {
            (Some(role), _) => format!("Assigned the role {role}"),
            (None, Some(role)) => format!("Removed the role {role}"),
            (None, None) => event.kind.sentence().to_owned(),
        },
        EventType::UserGroupChanged => match (detail("added"), detail("removed")) {
            (Some(group), _) => format!("Added to the group {group}"),
            (None, Some(group)) => format!("Removed from the group {group}"),
            (None, None) => event.kind.sentence().to_owned(),
        },
        EventType::UserMembershipChanged => match (detail("added"), detail("removed")) {
            (Some(organization), _) => format!("Added to the organization {organization}"),
            (None, Some(organization)) => format!("Removed from the organization {organization}"),
            (None, None) => event.kind.sentence().to_owned(),
        },
        EventType::AdminGranted => detail("role")
            .map_or_else(|| event.kind.sentence().to_owned(), |role| format!("Made administrator: {role}")),
        EventType::UserSessionRevoked if detail("reason") == Some("signed out") => "Signed out".to_owned(),
        kind => kind.sentence().to_owned(),
    };
    let about_other = user.is_none_or(|user| event.subject.id != user.to_string());
    let named =
        about_other && !event.subject.name.is_empty() && event.actor.id.as_deref() != Some(event.subject.id.as_str());
    Ok(if named { format!("{sentence}: {}", event.subject.name) } else { sentence })
}

/// Who did it, where it was somebody else.
fn actor(event: &Event, user: UserId) -> Option<String> {
    let own = event.actor.id.as_deref() == Some(user.to_string().as_str());
    match event.actor.kind {
        ActorKind::Anonymous => None,
        ActorKind::System => Some("Denizen".to_owned()),
        _ if own || event.actor.name.is_empty() => None,
        _ => Some(event.actor.name.clone()),
    }
}

async fn line(page: &ConsoleCx, event: &Event, user: UserId) -> Result<Line, Error> {
    Ok(Line {
        id: event.id.to_string(),
        href: page.href(&format!("audit/{}", event.id)),
        sentence: event_sentence(page, event, Some(user)).await?,
        icon: event_icon(event),
        outcome: event.outcome.as_str(),
        actor: actor(event, user),
        ip: event.ip.clone(),
        place: event.place.clone(),
        device: event.user_agent.as_deref().map(device_label),
        at: page.time(event.at),
        clock: event.at.to_jiff().strftime("%H:%M").to_string(),
    })
}

/// The day of a time, in UTC; the page's script regroups by the reader's own days.
fn day_label(at: Timestamp, now: Timestamp) -> String {
    const DAY: i64 = 86_400;
    match now.as_secs().div_euclid(DAY) - at.as_secs().div_euclid(DAY) {
        0 => "Today".to_owned(),
        1 => "Yesterday".to_owned(),
        _ => at.to_jiff().strftime("%A, %B %-d, %Y").to_string(),
    }
}

pub(super) async fn show(page: ConsoleCx, Whose(id): Whose, Asked(asked): Asked) -> Answer {
    let profile = Profile::load(&page, id).await?;
    let href = format!("{}/activity", user_href(&page, id));
    let chosen = KINDS.into_iter().find(|(name, ..)| *name == asked.text("type"));
    let name = chosen.map_or("", |(name, ..)| name);
    let wanted = EventQuery {
        kind: chosen.and_then(|(.., kind, _)| kind),
        outcome: chosen.and_then(|(.., outcome)| outcome),
        after: Cursor::decode(asked.text("cursor")).ok(),
        limit: SHOWN,
        ..EventQuery::default()
    };
    let found = events::list_activity(page.app(), page.cx(), page.may()?, id, wanted).await?;
    let mut days: Vec<Day> = Vec::new();
    for event in &found.items {
        let (label, line) = (day_label(event.at, page.now()), line(&page, event, id).await?);
        match days.last_mut().filter(|day| day.label == label) {
            Some(day) => day.events.push(line),
            None => days.push(Day { label, events: vec![line] }),
        }
    }
    let option = |(kind, label, ..): (&'static str, &'static str, _, _)| FilterOption {
        label,
        href: format!("{href}{}", query(&[("type", kind)])),
        current: kind == name,
    };
    let more = found.next.map(|cursor| format!("{href}{}", query(&[("type", name), ("cursor", &cursor.encode())])));
    let tab = ActivityTab {
        filter: filter("type", "Kind of event", KINDS.into_iter().map(option).collect(), || href.clone()),
        days,
        more_href: more,
        audit_href: format!("{}{}", page.href("audit"), query(&[("subject", &id.to_string())])),
    };
    let at = at(&page, &profile.user, Some("Activity"));
    page.page("console/users/activity.html", at, &profile.page(&page, Tab::Activity, tab))
}
