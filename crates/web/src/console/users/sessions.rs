//! The Sessions tab.

use axum::extract::FromRequestParts;
use denizen_model::{
    SessionId,
    clients::CONSOLE_CLIENT,
    devices::is_mobile,
    permissions::markers::SessionsRevoke,
    sessions::{NoticeState, Session, SessionClient},
};
use denizen_ops::{Error, sessions};
use http::request::Parts;
use serde::Serialize;

use super::{
    Whose,
    actions::sessions_fact,
    confirm::{About, Confirm},
    path_id,
    show::{Profile, Tab, at, user_href},
};
use crate::{
    console::{
        Answer, PageError,
        forms::{Errors, mendable_in},
        frame::ConsoleCx,
        words::{count, duration},
    },
    render::TimeView,
};

#[derive(Serialize)]
struct SessionsTab {
    active: Vec<Active>,
    recent: Vec<Recent>,
    can_revoke: bool,
}

#[derive(Serialize)]
struct Active {
    id: String,
    icon: &'static str,
    device: String,
    own: bool,
    clients: Vec<String>,
    ip: String,
    place: Option<String>,
    method: String,
    last_seen_at: TimeView,
    started_at: TimeView,
    idle_expires_at: TimeView,
    expires_at: TimeView,
}

#[derive(Serialize)]
struct Recent {
    id: String,
    device: String,
    ip: String,
    place: Option<String>,
    started_at: TimeView,
    ended_at: TimeView,
    ended_how: String,
    clients: Vec<Told>,
}

/// A client of an ended session, and whether it knows.
#[derive(Serialize)]
struct Told {
    name: String,
    /// In a word or two; nothing for clients that are not told.
    state: Option<&'static str>,
    kind: &'static str,
    /// What went wrong, and when it is tried again.
    problem: Option<String>,
    next_at: Option<TimeView>,
}

fn ip(session: &Session) -> String {
    session.ip.clone().unwrap_or_else(|| "Unknown address".to_owned())
}

/// How the user proved themselves, from the values of RFC 8176.
fn method(amr: &str) -> String {
    let mut words: Vec<&str> = amr
        .split_whitespace()
        .filter_map(|value| match value {
            "pwd" => Some("a password"),
            "otp" => Some("a code"),
            "sms" => Some("a code by SMS"),
            "email" => Some("a code by email"),
            "hwk" | "swk" | "pop" => Some("a passkey"),
            "fed" => Some("a provider"),
            // They say how well, not with what.
            "mfa" | "user" | "pin" => None,
            other => Some(other),
        })
        .collect();
    words.dedup();
    if words.is_empty() { "an unknown method".to_owned() } else { words.join(" and ") }
}

/// A client's name, or what it calls itself where it is gone.
pub(super) async fn client_name(page: &ConsoleCx, client_id: &str) -> Result<String, Error> {
    if client_id == CONSOLE_CLIENT {
        return Ok("Denizen console".to_owned());
    }
    let client = page.realm().client(page.app(), client_id).await?;
    Ok(client.map_or_else(|| client_id.to_owned(), |client| client.name.clone()))
}

/// What to call a client of a session.
fn name_of(client: &SessionClient) -> String {
    if client.client_id == CONSOLE_CLIENT {
        return "Denizen console".to_owned();
    }
    client.name.clone().unwrap_or_else(|| client.client_id.clone())
}

fn active(page: &ConsoleCx, session: &Session) -> Active {
    Active {
        id: session.id.to_string(),
        icon: if is_mobile(&session.device) { "phone" } else { "monitor" },
        device: session.device.clone(),
        own: session.id == page.session().id,
        clients: session.clients.iter().map(name_of).collect(),
        ip: ip(session),
        place: session.place.clone(),
        method: method(&session.amr),
        last_seen_at: page.time(session.last_seen_at),
        started_at: page.time(session.created_at),
        idle_expires_at: page.time(session.ends_at()),
        expires_at: page.time(session.expires_at),
    }
}

fn told(page: &ConsoleCx, client: &SessionClient) -> Told {
    let notice = client.notice.as_ref();
    let (state, kind) = match notice.map(|notice| (notice.state(), notice.attempts)) {
        None => (None, "neutral"),
        Some((NoticeState::Delivered, _)) => (Some("told"), "success"),
        Some((NoticeState::Waiting, 0)) => (Some("is being told"), "neutral"),
        Some((NoticeState::Waiting, _)) => (Some("not told yet"), "warning"),
        Some((NoticeState::Failed, _)) => (Some("could not be told"), "danger"),
    };
    Told {
        name: name_of(client),
        state,
        kind,
        problem: notice.and_then(|notice| notice.last_error.clone()),
        next_at: notice.filter(|notice| notice.last_error.is_some()).and_then(|n| n.due_at).map(|at| page.time(at)),
    }
}

fn recent(page: &ConsoleCx, session: &Session) -> Recent {
    let (ended_at, ended_how) = match session.revoked_at {
        Some(at) => (at, "Ended".to_owned()),
        None if session.idle_expires_at < session.expires_at => {
            (session.idle_expires_at, format!("Unused for {}", duration(page.settings().session_idle_seconds)))
        }
        None => (session.expires_at, "Reached its longest duration".to_owned()),
    };
    Recent {
        id: session.id.to_string(),
        device: session.device.clone(),
        ip: ip(session),
        place: session.place.clone(),
        started_at: page.time(session.created_at),
        ended_at: page.time(ended_at),
        ended_how,
        clients: session.clients.iter().map(|client| told(page, client)).collect(),
    }
}

pub(super) async fn show(page: ConsoleCx, Whose(id): Whose) -> Answer {
    let profile = Profile::load(&page, id).await?;
    let (live, ended): (Vec<&Session>, Vec<&Session>) =
        profile.sessions.iter().partition(|session| session.is_live(page.now()));
    let tab = SessionsTab {
        active: live.into_iter().map(|session| active(&page, session)).collect(),
        recent: ended.into_iter().take(20).map(|session| recent(&page, session)).collect(),
        can_revoke: page.can().sessions_revoke,
    };
    let at = at(&page, &profile.user, Some("Sessions"));
    page.page("console/users/sessions.html", at, &profile.page(&page, Tab::Sessions, tab))
}

/// The `{session}` of the path.
pub(super) struct Which(SessionId);

impl<S: Send + Sync> FromRequestParts<S> for Which {
    type Rejection = PageError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, PageError> {
        Ok(Self(path_id(parts, state, "session").await?))
    }
}

pub(super) async fn revoke(page: ConsoleCx, Whose(id): Whose, Which(session): Which) -> Answer {
    let result = sessions::revoke(page.app(), page.cx(), page.may()?, id, session).await;
    page.outcome(result, &format!("{}/sessions", user_href(&page, id)), "The session is ended.")
}

pub(super) async fn confirm(page: ConsoleCx, Whose(id): Whose) -> Answer {
    page.may::<SessionsRevoke>()?;
    ask(&page, &Profile::load(&page, id).await?, Errors::new())
}

fn ask(page: &ConsoleCx, profile: &Profile, errors: Errors) -> Answer {
    let about = About { page, user: &profile.user };
    let fact = sessions_fact(page, profile);
    let lead = if fact.is_some() {
        "They are signed out everywhere, and may sign in again."
    } else {
        "They are not signed in anywhere at present. A session that begins before you confirm ends too."
    };
    let confirm = Confirm {
        title: format!("End all sessions of {}?", profile.user.display_name()),
        lead: lead.to_owned(),
        facts: fact.into_iter().collect(),
        action: about.href("/sessions/revoke-all"),
        submit: "End all sessions",
        danger: true,
        cancel_href: about.href("/sessions"),
        fields: Vec::new(),
    };
    about.ask("End all sessions", confirm, errors)
}

pub(super) async fn revoke_all(page: ConsoleCx, Whose(id): Whose) -> Answer {
    match sessions::revoke_all(page.app(), page.cx(), page.may()?, id).await {
        Ok(ended) => {
            let ended = count(u64::try_from(ended).unwrap_or(0), "session", "sessions");
            page.done(&format!("{}/sessions", user_href(&page, id)), format!("{ended} ended."))
        }
        Err(error) => ask(&page, &Profile::load(&page, id).await?, mendable_in(error, &[])?),
    }
}
