//! Signing in: identifier, password, and a new password where one is required; then the destination.
//!
//! The state travels sealed in the pages themselves, so that any node can take the next step and nobody fills a
//! table by asking for sign-in pages. Nothing is stored before the password was right.
//!
//! ```text
//! identifier ──► password ──► (new password, if required) ──► session, destination
//! ```

use std::{sync::Arc, time::Duration};

use denizen_model::{
    AuthenticatorId, SessionId, Timestamp, UserId,
    devices::device_label,
    events::{EventType, NewEvent, SubjectKind, SubjectRef},
    passwords::check_password,
    sessions::{Session, idle_deadline},
    users::{NewPassword, User},
    validation::FieldErrors,
};
use denizen_store::{self as store, Events, WriteTx, authenticators::StoredPassword};
use serde::{Deserialize, Serialize};

use super::enrol::Enrolled;
use super::rules::{Barrier, barriers, must_update_password};
use crate::{
    Actor, App, Cx, Error, RealmState, Result,
    authenticators::upgrade_hash,
    crypto::{Prefix, Secret, Token, hash_token},
    cx::{Detail, user_subject},
    oauth::{
        authorize::{Request, client_of, success},
        code,
    },
    users::prepare_password,
};

/// How long a person may take from the first page to the last.
const FLOW_FOR: Duration = Duration::from_secs(3600);
/// How long after the password was right a new one may be set.
const UPDATE_FOR: Duration = Duration::from_secs(900);

/// Where a sign-in stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Flow {
    /// What the client asked for; `None` leads to the account pages.
    pub request: Option<Request>,
    /// Whom the person says they are.
    pub identifier: Option<String>,
    /// The hash of the session cookie that the browser has already. It does not travel: each step sets it.
    #[serde(skip)]
    previous: Option<String>,
    /// Who has given the right password and must now replace it.
    update: Option<Update>,
    expires_at: Timestamp,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Update {
    user: UserId,
    /// The password that was verified. Once it is replaced, this state leads nowhere.
    authenticator: AuthenticatorId,
}

impl Flow {
    /// A sign-in that begins.
    #[must_use]
    pub fn new(now: Timestamp, request: Option<Request>, identifier: Option<String>) -> Self {
        Self {
            request,
            identifier: identifier.filter(|text| text.len() <= 254),
            previous: None,
            update: None,
            expires_at: now.plus(FLOW_FOR),
        }
    }

    /// The same sign-in once the person has said who they are.
    #[must_use]
    pub fn identified(self, identifier: String) -> Self {
        Self { identifier: Some(identifier), ..self }
    }

    /// The same sign-in in a browser that has this session cookie: the session goes on if it is the same person's,
    /// and ends if it is another's.
    #[must_use]
    pub fn in_browser_with(self, cookie: Option<&str>) -> Self {
        Self { previous: cookie.map(hash_token), ..self }
    }

    /// Whether a new password must be set now.
    #[must_use]
    pub fn must_update_password(&self) -> bool {
        self.update.is_some()
    }

    fn purpose(realm: &RealmState) -> String {
        format!("sign-in {}", realm.realm.id)
    }

    /// The text that stands in pages.
    ///
    /// # Errors
    /// Never in practice: every state can be written.
    pub fn seal(&self, app: &App, realm: &RealmState) -> Result<String> {
        let plain = serde_json::to_vec(self).map_err(|error| Error::internal(error.to_string()))?;
        Ok(app.sealer().seal(&Self::purpose(realm), plain))
    }

    /// Reads what [`seal`](Self::seal) wrote; `None` when it was altered, is another realm's, or is too old.
    #[must_use]
    pub fn open(app: &App, realm: &RealmState, now: Timestamp, text: &str) -> Option<Self> {
        let plain = app.sealer().open(&Self::purpose(realm), text).ok()?;
        let flow: Self = serde_json::from_slice(&plain).ok()?;
        (now < flow.expires_at).then_some(flow)
    }
}

/// What a step leads to.
#[derive(Debug)]
pub enum Step {
    /// Signed in: the cookie, its lifetime, and where to go; `None` is the account pages.
    SignedIn {
        /// The session cookie's text.
        cookie: Secret,
        /// How long the browser keeps it.
        max_age: Duration,
        /// Where to go.
        redirect: Option<String>,
    },
    /// The password was right, but a new one must be set first.
    UpdatePassword(Box<Flow>),
    /// Something is wrong: the fields with the locale's ids of the sentences, or the sentences themselves.
    Wrong(FieldErrors),
}

/// Why a sign-in failed, for the event; the person is told one thing whatever the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    UnknownUser,
    Barred(Barrier),
    WrongPassword,
}

impl Reason {
    fn as_str(self) -> &'static str {
        match self {
            Self::UnknownUser => "unknown identifier",
            Self::Barred(barrier) => barrier.as_str(),
            Self::WrongPassword => "wrong password",
        }
    }
}

/// The one answer to every failed attempt.
fn refused() -> Step {
    Step::Wrong(FieldErrors::one("password", "sign_in.password.wrong"))
}

/// Checks a password. The same time passes and the same answer comes whether or not the account exists.
///
/// # Errors
/// When the hashing pool or the database is overloaded or fails.
pub async fn check_password_step(
    app: &App,
    cx: &Cx,
    realm: &Arc<RealmState>,
    flow: Flow,
    password: Secret,
) -> Result<Step> {
    let identifier = flow.identifier.clone().unwrap_or_default();
    let (id, typed) = (realm.realm.id, identifier.clone());
    let found = app
        .db()
        .peek(move |tx| {
            let Some(user) = store::users::find_by_identifier(tx, id, &typed)? else { return Ok::<_, Error>(None) };
            let password = store::authenticators::find_password(tx, user.id)?;
            Ok(Some((user, password)))
        })
        .await?;
    let (user, stored) = match found {
        None => {
            let _never_ok = app.hasher().verify_dummy(password).await?;
            note_unknown(app, cx, realm, &flow, &identifier).await?;
            return Ok(refused());
        }
        Some((user, None)) => {
            let _never_ok = app.hasher().verify_dummy(password).await?;
            let barrier = barriers(&user, false).next().unwrap_or(Barrier::NoPassword);
            note_failure(app, cx, &flow, &user, Reason::Barred(barrier)).await?;
            return Ok(refused());
        }
        Some((user, Some(stored))) => (user, stored),
    };
    let verdict = app.hasher().verify(password.clone(), stored.phc.clone()).await?;
    let refusal =
        if verdict.ok { barriers(&user, true).next().map(Reason::Barred) } else { Some(Reason::WrongPassword) };
    if let Some(reason) = refusal {
        note_failure(app, cx, &flow, &user, reason).await?;
        return Ok(refused());
    }
    if must_update_password(&user, stored.temporary) {
        let update = Update { user: user.id, authenticator: stored.id };
        let flow = Flow { update: Some(update), expires_at: cx.now.plus(UPDATE_FOR), ..flow };
        return Ok(Step::UpdatePassword(Box::new(flow)));
    }
    if verdict.needs_upgrade {
        upgrade_hash(app, stored.clone(), password).await?;
    }
    begin_session(app, cx, realm, flow, user, stored.id, None).await
}

/// Sets the new password that was required, and signs in.
///
/// # Errors
/// When the flow does not ask for one, or its password was replaced in the meantime.
pub async fn update_password_step(
    app: &App,
    cx: &Cx,
    realm: &Arc<RealmState>,
    flow: Flow,
    new: String,
    again: &str,
) -> Result<Step> {
    let Some(update) = flow.update.clone() else { return Err(flow_expired()) };
    let (id, user_id) = (realm.realm.id, update.user);
    let found = app
        .db()
        .peek(move |tx| {
            let user = store::users::find(tx, id, user_id)?.filter(|user| barriers(user, true).next().is_none());
            Ok::<_, Error>(user.zip(store::authenticators::find_password(tx, user_id)?))
        })
        .await?;
    let (user, stored) = found.filter(|(_, stored)| stored.id == update.authenticator).ok_or_else(flow_expired)?;
    let mut errors = FieldErrors::new();
    let own: Vec<&str> = [Some(user.username.as_str()), user.email.as_deref()].into_iter().flatten().collect();
    check_password("password", &new, &realm.realm.settings, &own, &mut errors);
    if new != again {
        errors.add("password_again", "sign_in.update_password.mismatch");
    }
    if errors.is_empty() && app.hasher().verify(Secret::new(new.clone()), stored.phc.clone()).await?.ok {
        errors.add("password", "sign_in.update_password.same");
    }
    if !errors.is_empty() {
        return Ok(Step::Wrong(errors));
    }
    let prepared = prepare_password(app, cx.now, NewPassword::Set(new)).await?;
    let (replacement, _) = prepared.ok_or_else(|| Error::internal("no password to store"))?;
    begin_session(app, cx, realm, flow, user, stored.id, Some(replacement)).await
}

/// Signs in somebody who has just made their account and their password with it.
///
/// # Errors
/// When the account was changed in the meantime, or the client of the flow is gone.
pub async fn sign_in_enrolled(
    app: &App,
    cx: &Cx,
    realm: &Arc<RealmState>,
    flow: Flow,
    enrolled: Enrolled,
) -> Result<Step> {
    begin_session(app, cx, realm, flow, enrolled.user, enrolled.authenticator, None).await
}

/// One transaction: the new password if there is one, the session, the client's code, the events.
async fn begin_session(
    app: &App,
    cx: &Cx,
    realm: &Arc<RealmState>,
    flow: Flow,
    user: User,
    verified: AuthenticatorId,
    replacement: Option<StoredPassword>,
) -> Result<Step> {
    let settings = &realm.realm.settings;
    let cookie = Token::generate(app.rng(), Prefix::Session);
    let earlier = earlier_session(app, cx, realm, flow.previous.clone()).await?;
    let continued = earlier.as_ref().filter(|earlier| earlier.user_id == user.id).map(|earlier| earlier.id);
    let session = Session {
        id: continued.unwrap_or_else(|| SessionId::new(cx.now, app.id_bytes())),
        realm_id: realm.realm.id,
        user_id: user.id,
        created_at: cx.now,
        authenticated_at: cx.now,
        last_seen_at: cx.now,
        idle_expires_at: idle_deadline(cx.now, settings),
        expires_at: cx.now.plus(Duration::from_secs(settings.session_absolute_seconds)),
        revoked_at: None,
        ip: cx.ip.map(|ip| ip.to_string()),
        place: app.place_of(cx.ip),
        device: device_label(cx.user_agent.as_deref().unwrap_or("")),
        amr: "pwd".to_owned(),
        clients: Vec::new(),
    };
    let code = match &flow.request {
        Some(request) => {
            client_of(app, realm, request).await?;
            Some(code::prepare(app, cx.now, request, session.id))
        }
        None => None,
    };
    let codes = flow.request.as_ref().zip(code.as_ref());
    let redirect = codes.map(|(request, (token, _))| success(request, &realm.issuer, token.expose()));
    let client_id = flow.request.as_ref().map(|request| request.client_id.clone());
    let cx2 = cx.acting_as(Actor::User(user.id, user.display_name().to_owned()));
    let (app2, realm2, hash, max_age) = (app.clone(), realm.clone(), cookie.hash(), session.expires_at.since(cx.now));
    app.write(cx, move |mut tx| {
        // What was checked before this transaction must still be so: the user enabled, the password the same.
        let present = store::users::find(&mut tx, user.realm_id, user.id)?;
        let present = present.filter(|user| barriers(user, true).next().is_none());
        let stored = store::authenticators::find_password(&mut tx, user.id)?.filter(|stored| stored.id == verified);
        let Some((present, _)) = present.zip(stored) else { return Err(flow_expired()) };
        let event = |kind| complete(cx2.user_event(&app2, kind, &present), client_id.as_deref(), Some(session.id));
        let mut more = Vec::new();
        let mut used = verified;
        if let Some(password) = &replacement {
            replace_password(&mut tx, &cx2, &present, password)?;
            used = password.id;
            more.push(event(EventType::UserPasswordResetCompleted));
        }
        if continued.is_some() {
            // The same person again in the same browser: the session goes on under a new cookie.
            if !store::sessions::reauthenticate(&mut tx, session.id, &hash, cx2.now, session.idle_expires_at)? {
                return Err(flow_expired());
            }
        } else {
            if let Some(earlier) = &earlier
                && store::sessions::revoke(&mut tx, earlier.realm_id, earlier.user_id, earlier.id, cx2.now)?
                && let Some(other) = store::users::find(&mut tx, earlier.realm_id, earlier.user_id)?
            {
                let ended = cx2.user_event(&app2, EventType::UserSessionRevoked, &other);
                more.push(
                    ended.detail("session_id", earlier.id.to_string()).detail("reason", "another user signed in"),
                );
            }
            store::sessions::insert(&mut tx, &session, &hash)?;
            more.push(event(EventType::UserSessionCreated).detail("device", session.device.as_str()));
        }
        if let Some((token, code)) = &code {
            code::store_in(&mut tx, &realm2, code, &token.hash())?;
        }
        store::users::note_sign_in(&mut tx, present.realm_id, present.id, cx2.now)?;
        let (client, ip) = (client_id.as_deref(), session.ip.as_deref());
        store::authenticators::note_used(&mut tx, used, cx2.now, client, &session.device, ip)?;
        let succeeded = event(EventType::UserSignInSucceeded).detail("method", "password");
        Ok(tx.commit(Events::new(succeeded.detail("device", session.device.as_str()), more), ())?)
    })
    .await?;
    Ok(Step::SignedIn { cookie: cookie.into_secret(), max_age, redirect })
}

/// The live session behind the cookie that the browser had.
async fn earlier_session(app: &App, cx: &Cx, realm: &RealmState, hash: Option<String>) -> Result<Option<Session>> {
    let (Some(hash), id, now) = (hash, realm.realm.id, cx.now) else { return Ok(None) };
    let found = app.db().peek(move |tx| Ok::<_, Error>(store::sessions::find_by_secret(tx, id, &hash)?)).await?;
    Ok(found.filter(|session| session.is_live(now)))
}

fn flow_expired() -> Error {
    Error::conflict("flow-expired", "This page is too old. Sign in again.")
}

fn replace_password(tx: &mut WriteTx<'_>, cx: &Cx, before: &User, password: &StoredPassword) -> Result<()> {
    store::authenticators::put_password(tx, before.realm_id, before.id, password, cx.now)?;
    let user = User { requires_password_reset: false, updated_at: cx.now, ..before.clone() };
    if store::users::update(tx, before, &user)? { Ok(()) } else { Err(Error::changed()) }
}

fn complete(mut event: NewEvent, client_id: Option<&str>, session: Option<SessionId>) -> NewEvent {
    event.client_id = client_id.map(str::to_owned);
    event.session_id = session;
    event
}

async fn note_failure(app: &App, cx: &Cx, flow: &Flow, user: &User, reason: Reason) -> Result<()> {
    let client_id = flow.request.as_ref().map(|request| request.client_id.clone());
    let event = cx
        .event(app, user.realm_id, EventType::UserSignInFailed, user_subject(user))
        .failed(reason.as_str())
        .detail("method", "password");
    let event = complete(event, client_id.as_deref(), None);
    let (realm, id, counts) = (user.realm_id, user.id, matches!(reason, Reason::WrongPassword));
    app.write(cx, move |mut tx| {
        if counts {
            store::users::note_failed_password(&mut tx, realm, id)?;
        }
        Ok(tx.commit(Events::from(event.clone()), ())?)
    })
    .await
}

/// An attempt at an account that does not exist. What was typed is kept, since it is what an agent looks for; it
/// may be a password typed into the wrong field, so only what looks like an identifier is.
async fn note_unknown(app: &App, cx: &Cx, realm: &RealmState, flow: &Flow, identifier: &str) -> Result<()> {
    let client_id = flow.request.as_ref().map(|request| request.client_id.clone());
    let subject =
        SubjectRef { kind: SubjectKind::Realm, id: realm.realm.id.to_string(), name: realm.realm.slug.clone() };
    let mut event =
        cx.event(app, realm.realm.id, EventType::UserSignInFailed, subject).failed(Reason::UnknownUser.as_str());
    if identifier.contains('@') {
        event = event.detail("identifier", identifier);
    }
    let event = complete(event, client_id.as_deref(), None);
    app.write(cx, move |tx| Ok(tx.commit(Events::from(event.clone()), ())?)).await
}
