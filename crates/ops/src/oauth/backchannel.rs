//! Telling clients that a session has ended (OpenID Connect Back-Channel Logout 1.0).
//!
//! Who is to be told is noted in the transaction that ends the session, so neither comes without the other. The worker
//! takes what is due for a while that is its own ([`take_due`]), calls the client outside of any transaction and notes
//! the outcome. A node that dies in between loses nothing: a client is told at least once, each time with a token of
//! its own.

use std::{collections::BTreeMap, time::Duration};

use base64::Engine as _;
use denizen_model::{ClientRowId, SessionId, Timestamp};
use denizen_store::{self as store, logout_notices::DueNotice};
use serde::Serialize;

use crate::{
    App, Error, ErrorKind, RealmState, Result,
    crypto::{B64, Secret, jose::typ},
};

/// How long a client may take to answer.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// How long a notice belongs to whoever took it; longer than telling can take.
const LEASE: Duration = Duration::from_secs(60);
/// How long a logout token is good (section 2.4 recommends at most two minutes).
const TOKEN_FOR: i64 = 120;
/// After this many attempts a notice is given up: some two hours and a half after the first.
pub const MAX_ATTEMPTS: u32 = 8;
/// The one event that a logout token holds (section 2.4).
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// A client that is to be told now.
pub struct Delivery {
    notice: DueNotice,
    /// Where it wants to be told.
    pub uri: String,
    /// The logout token.
    pub token: Secret,
}

impl Delivery {
    /// The client, by its record.
    #[must_use]
    pub fn client(&self) -> ClientRowId {
        self.notice.client
    }
}

/// What a logout token says. It never holds a nonce, so that it cannot pass for an id token.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
    jti: String,
    sub: String,
    sid: SessionId,
    events: BTreeMap<&'static str, BTreeMap<String, String>>,
}

fn mint(app: &App, realm: &RealmState, now: Timestamp, notice: &DueNotice) -> Result<Secret> {
    let claims = Claims {
        iss: &realm.issuer,
        aud: &notice.client_id,
        iat: now.as_secs(),
        exp: now.as_secs() + TOKEN_FOR,
        jti: B64.encode(app.rng().bytes::<16>()),
        sub: notice.user_id.to_string(),
        sid: notice.session_id,
        events: BTreeMap::from([(EVENT, BTreeMap::new())]),
    };
    let key = realm.keys.signing(now)?;
    let token = key.sign(typ::LOGOUT_TOKEN, &claims).map_err(|error| Error::internal(error.to_string()))?;
    Ok(Secret::new(token))
}

/// How long to wait after an attempt: five seconds, then four times as long each time, an hour at the most; a fifth
/// more or less by `chance`.
fn pause(attempts: u32, chance: u8) -> Duration {
    let plain = 5_000_u64.saturating_mul(4_u64.saturating_pow(attempts.saturating_sub(1).min(10))).min(3_600_000);
    let spread = plain / 5;
    Duration::from_millis(plain - spread + 2 * spread * u64::from(chance) / 255)
}

/// Takes clients that are to be told, but none of `busy`; their notices are the caller's for a minute.
///
/// # Errors
/// When the database fails.
pub async fn take_due(app: &App, limit: u32, busy: &[ClientRowId]) -> Result<Vec<Delivery>> {
    let now = app.now();
    // A look costs no write; most of the time nothing is due.
    if !app.db().peek(move |tx| Ok::<_, Error>(store::logout_notices::is_any_due(tx, now)?)).await? {
        return Ok(Vec::new());
    }
    let busy = busy.to_vec();
    let taken = app
        .db()
        .write(move |mut tx| {
            let taken = store::logout_notices::claim(&mut tx, now, now.plus(LEASE), limit, &busy)?;
            let (wanted, unwanted): (Vec<_>, Vec<_>) = taken.into_iter().partition(|notice| notice.uri.is_some());
            for notice in unwanted {
                store::logout_notices::forget(&mut tx, &notice)?;
            }
            Ok::<_, Error>(tx.unaudited("what follows from the end of a session, which has its event", wanted)?)
        })
        .await?;
    let mut deliveries = Vec::with_capacity(taken.len());
    for notice in taken {
        let realm = match app.realm_of(notice.realm_id).await {
            Ok(realm) => realm,
            // It is being deleted, and what waits in it goes with it.
            Err(error) if matches!(*error.kind, ErrorKind::NotFound(_)) => continue,
            Err(error) => return Err(error),
        };
        let token = mint(app, &realm, now, &notice)?;
        deliveries.push(Delivery { uri: notice.uri.clone().unwrap_or_default(), notice, token });
    }
    Ok(deliveries)
}

/// Notes that a client has confirmed that it was told.
///
/// # Errors
/// When the database fails; then the client is told again.
pub async fn note_delivered(app: &App, delivery: &Delivery) -> Result<()> {
    let (notice, now) = (delivery.notice.clone(), app.now());
    app.db()
        .write(move |mut tx| {
            store::logout_notices::mark_delivered(&mut tx, &notice, now)?;
            Ok(tx.unaudited("what follows from the end of a session, which has its event", ())?)
        })
        .await
}

/// Notes that a client could not be told, and why; it is tried again later, but not for ever.
///
/// # Errors
/// When the database fails; then the client is tried again when the attempt's time is over.
pub async fn note_failed(app: &App, delivery: &Delivery, reason: &str) -> Result<()> {
    let notice = delivery.notice.clone();
    let [chance] = app.rng().bytes::<1>();
    let last = notice.attempts >= MAX_ATTEMPTS;
    let due_at = (!last).then(|| app.now().plus(pause(notice.attempts, chance)));
    let reason: String = reason.chars().filter(|c| !c.is_control()).take(300).collect();
    tracing::warn!(client.id = %notice.client, session.id = %notice.session_id, attempt = notice.attempts, last, reason, "A client could not be told that a session has ended");
    app.db()
        .write(move |mut tx| {
            store::logout_notices::mark_failed(&mut tx, &notice, due_at, &reason)?;
            Ok(tx.unaudited("what follows from the end of a session, which has its event", ())?)
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_an_hour_and_add_up_to_a_few_hours() {
        assert_eq!(pause(1, 0), Duration::from_secs(4));
        assert_eq!(pause(1, 255), Duration::from_secs(6));
        assert!(pause(60, 255) <= Duration::from_secs(4320));
        let whole: Duration = (1..MAX_ATTEMPTS).map(|attempt| pause(attempt, 127)).sum();
        assert!((2..4).contains(&(whole.as_secs() / 3600)), "{whole:?}");
        assert!(LEASE > PATIENCE);
    }
}
