//! Reading the audit log, and proving it whole (PRODUCT §11).

use std::time::Duration;

use denizen_model::{
    EventId, UserId,
    events::{Event, EventQuery},
    pages::{Cursor, CursorKey, MAX_LIMIT, Page, Total},
    permissions::markers::AuditRead,
};
use denizen_store::{self as store, events::Verification};

use crate::{App, Cx, Error, May, Result, sessions::SignedIn, users::get_in};

fn page(mut events: Vec<Event>, limit: u32) -> Page<Event> {
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = events.len() > wanted;
    events.truncate(wanted);
    let next = events
        .last()
        .filter(|_| more)
        .map(|event| Cursor { key: CursorKey::Number(event.at.as_micros()), id: event.id.to_string() });
    // Counting a log costs as much as reading it; what is known is how many are shown.
    let total = Total { count: u64::try_from(events.len()).unwrap_or(0), exact: !more };
    Page { items: events, next, total }
}

fn check(query: &EventQuery) -> Result<EventQuery> {
    if !(1..=MAX_LIMIT).contains(&query.limit) {
        return Err(Error::field("limit", format!("Must be between 1 and {MAX_LIMIT}.")));
    }
    Ok(EventQuery { limit: query.limit + 1, ..query.clone() })
}

/// Events of a realm, newest first.
///
/// # Errors
/// When the query is not acceptable.
pub async fn list(app: &App, _cx: &Cx, may: May<AuditRead>, query: EventQuery) -> Result<Page<Event>> {
    let (realm, asked) = (may.realm(), check(&query)?);
    let events = app.db().read(move |tx| Ok::<_, Error>(store::events::list(tx, realm, &asked)?)).await?;
    Ok(page(events, query.limit))
}

/// What was done to a user and what they did, newest first.
///
/// # Errors
/// When there is no such user.
pub async fn list_activity(
    app: &App,
    _cx: &Cx,
    may: May<AuditRead>,
    user: UserId,
    query: EventQuery,
) -> Result<Page<Event>> {
    let (realm, asked) = (may.realm(), check(&query)?);
    let events = app
        .db()
        .read(move |tx| {
            get_in(tx, realm, user)?;
            Ok::<_, Error>(store::events::list_activity(tx, realm, user, &asked)?)
        })
        .await?;
    Ok(page(events, query.limit))
}

/// How far back a user sees what happened to their account.
const OWN_FOR: Duration = Duration::from_secs(90 * 24 * 3600);

/// What happened to the user's own account in the last 90 days, newest first.
///
/// # Errors
/// When the database fails.
pub async fn list_own(
    app: &App,
    cx: &Cx,
    signed_in: &SignedIn,
    after: Option<Cursor>,
    limit: u32,
) -> Result<Page<Event>> {
    let query = EventQuery {
        subject: Some(signed_in.user.id.to_string()),
        from: Some(cx.now.minus(OWN_FOR)),
        after,
        limit,
        ..EventQuery::default()
    };
    let (realm, asked) = (signed_in.user.realm_id, check(&query)?);
    let events = app.db().read(move |tx| Ok::<_, Error>(store::events::list(tx, realm, &asked)?)).await?;
    Ok(page(events, limit))
}

/// One event.
///
/// # Errors
/// When there is none of this id in the realm.
pub async fn get(app: &App, _cx: &Cx, may: May<AuditRead>, id: EventId) -> Result<Event> {
    let realm = may.realm();
    app.db().read(move |tx| store::events::find(tx, realm, id)?.ok_or_else(|| Error::not_found("event"))).await
}

/// Recomputes every chain of every realm; answers what was found, by realm name.
///
/// # Errors
/// When the database fails.
pub async fn verify(app: &App) -> Result<Vec<(String, Verification)>> {
    let realms = app.db().read(|tx| Ok::<_, Error>(store::realms::list(tx)?)).await?;
    let mut found = Vec::new();
    for realm in realms {
        found.push((realm.slug, store::events::verify(app.db(), realm.id).await?));
    }
    Ok(found)
}
