//! What becomes of a failed attempt: counted, perhaps locked, and recorded; the person is told one thing whatever the
//! reason.

use denizen_model::{
    SessionId, Timestamp,
    authenticators::{AuthenticatorType, LockoutKind, LockoutRule},
    events::{EventType, NewEvent, SubjectKind, SubjectRef},
    realms::RealmSettings,
    users::{User, VerificationState},
    validation::FieldErrors,
};
use denizen_store::{self as store, Events, WriteTx};

pub(super) use super::reason::Reason;
use super::{Flow, Step};
use crate::{
    App, Cx, RealmState, Result,
    cx::{Detail, user_subject},
    flows::rules::Barrier,
    lockouts::subject,
    messages::{
        self,
        drafts::{self, Reader},
    },
};

/// Why a rule has locked passwords or codes, for the event.
const TOO_MANY: &str = "too many failures";

/// The rule a kind of failure is under.
fn rule(settings: &RealmSettings, kind: LockoutKind) -> &LockoutRule {
    match kind {
        LockoutKind::Password => &settings.password_lockout,
        LockoutKind::Otp => &settings.otp_lockout,
    }
}

/// The field of the page that the answer stands beside.
fn field(kind: AuthenticatorType) -> &'static str {
    match kind {
        AuthenticatorType::Password => "password",
        AuthenticatorType::Passkey => "form",
        _ => "code",
    }
}

/// Why no link to a new password was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsent {
    Nobody,
    Barred(Barrier),
    NoAddress,
    TooMany,
}

/// Records why somebody who forgot their password was sent nothing.
pub(crate) async fn note_unsent(
    app: &App,
    cx: &Cx,
    realm: &RealmState,
    flow: &Flow,
    user: Option<&User>,
    why: Unsent,
) -> Result<()> {
    let reason = match why {
        Unsent::Nobody => Reason::UnknownUser,
        Unsent::Barred(barrier) => Reason::Barred(barrier),
        Unsent::NoAddress => Reason::NoAddress,
        Unsent::TooMany => Reason::TooManySent,
    };
    Attempt { app, cx, realm, flow, user, kind: AuthenticatorType::Password }.note(reason).await
}

/// An attempt that is about to be made.
pub(super) struct Attempt<'a> {
    pub(super) app: &'a App,
    pub(super) cx: &'a Cx,
    pub(super) realm: &'a RealmState,
    pub(super) flow: &'a Flow,
    pub(super) user: Option<&'a User>,
    pub(super) kind: AuthenticatorType,
}

impl Attempt<'_> {
    fn identifier(&self) -> &str {
        self.flow.identifier.as_deref().unwrap_or_default()
    }

    /// The answer if nothing is looked at now: too much failed from there, or this user, or name, is locked. It takes
    /// the same time and is the same for accounts that do not exist.
    pub(super) async fn refusal(&self) -> Result<Option<Step>> {
        if self.app.limits().hold(self.cx.ip, self.cx.now).await {
            // No event for each of what may be thousands; a diagnosis knows the latest all the same.
            if let Some(user) = self.user {
                self.app.limits().note_held_back(user.id, self.cx.ip, self.cx.now);
            }
            return Ok(Some(Step::Wrong(FieldErrors::one(field(self.kind), "sign_in.too_many"))));
        }
        let Some(kind) = self.kind.lockout() else { return Ok(None) };
        let (realm, subject) = (self.realm.realm.id, subject(self.user, self.identifier()));
        let lockouts =
            self.app.db().peek(move |tx| Ok::<_, crate::Error>(store::lockouts::list(tx, realm, &subject)?)).await?;
        let until = lockouts.iter().find(|lockout| lockout.kind == kind).and_then(|it| it.locked_until(self.cx.now));
        if until.is_none() {
            return Ok(None);
        }
        // It is recorded, so that an agent sees that somebody still tries; it does not make the lock longer.
        self.record(Reason::Locked, None).await?;
        Ok(Some(Step::Wrong(FieldErrors::one(field(self.kind), "sign_in.locked"))))
    }

    /// Records that nothing was sent; it is no attempt at a secret, so nothing is counted.
    pub(super) async fn note(&self, reason: Reason) -> Result<()> {
        self.record(reason, None).await.map(drop)
    }

    /// Counts and records a failure; answers what the page says.
    pub(super) async fn failed(&self, reason: Reason) -> Result<Step> {
        let locked = self.record(reason, self.kind.lockout()).await?;
        let text = match (locked, self.kind) {
            (true, _) => "sign_in.locked",
            (false, AuthenticatorType::Password) => "sign_in.password.wrong",
            (false, AuthenticatorType::Passkey) => "passkey.wrong",
            (false, _) => "sign_in.code.wrong",
        };
        Ok(Step::Wrong(FieldErrors::one(field(self.kind), text)))
    }

    /// One transaction: the counters and the events. Answers whether it is locked now.
    async fn record(&self, reason: Reason, counts: Option<LockoutKind>) -> Result<bool> {
        let held = self.app.limits().note_failure(self.cx.ip, self.cx.now);
        let (realm, user) = (self.realm.realm.id, self.user.cloned());
        let events = self.events(reason, held);
        let rule = counts.map(|kind| (kind, *rule(&self.realm.realm.settings, kind)));
        let subject = subject(self.user, self.identifier());
        let (app, cx, place) = (self.app.clone(), self.cx.clone(), self.realm.realm.clone());
        let client = self.flow.request.as_ref().map(|request| request.client_id.clone());
        self.app
            .write(self.cx, move |mut tx| {
                let mut events = events.clone();
                let mut locked = false;
                if let Some((kind, rule)) = &rule {
                    let (lockout, now_locked) =
                        store::lockouts::note_failure(&mut tx, realm, &subject, *kind, rule, cx.now)?;
                    locked = lockout.locked_until(cx.now).is_some();
                    if let Some(user) = &user {
                        store::users::note_failure(&mut tx, realm, user.id, *kind)?;
                        if now_locked {
                            let event = cx.user_event(&app, EventType::UserAuthenticatorLocked, user);
                            let until = lockout.locked_until.map(|at| at.to_string()).unwrap_or_default();
                            let event = event.detail("method", kind.as_str()).detail("until", until);
                            let event = event.detail("reason", TOO_MANY).detail("failures", rule.attempts);
                            events.push(complete(event, client.as_deref(), None));
                            tell_locked(&mut tx, (&app, &cx, &place), user, lockout.locked_until)?;
                        }
                    }
                }
                let first = events.remove(0);
                Ok(tx.commit(Events::new(first, events), locked)?)
            })
            .await
    }

    fn events(&self, reason: Reason, held: bool) -> Vec<NewEvent> {
        let client = self.flow.request.as_ref().map(|request| request.client_id.as_str());
        let mut failed = vec![self.event(reason)];
        if held {
            failed.push(self.event(Reason::TooManyFromAddress));
        }
        failed.into_iter().map(|event| complete(event, client, None)).collect()
    }

    fn event(&self, reason: Reason) -> NewEvent {
        let realm = &self.realm.realm;
        let subject = match self.user {
            Some(user) => user_subject(user),
            None => SubjectRef { kind: SubjectKind::Realm, id: realm.id.to_string(), name: realm.slug.clone() },
        };
        let event = self
            .cx
            .event(self.app, realm.id, EventType::UserSignInFailed, subject)
            .failed(reason.as_str())
            .detail("method", self.kind.as_str());
        // What was typed is kept, since it is what an agent looks for; it may be a password typed into the wrong
        // field, so only what looks like an address is.
        match self.identifier() {
            typed if self.user.is_none() && typed.contains('@') => event.detail("identifier", typed),
            _ => event,
        }
    }
}

/// Tells the user by mail that a lock has begun; only at an address that is known to be theirs.
fn tell_locked(tx: &mut WriteTx<'_>, place: drafts::Place<'_>, user: &User, until: Option<Timestamp>) -> Result<()> {
    let email = user.email.as_deref().filter(|_| user.email_state == VerificationState::Verified && user.enabled);
    // Where the server does not know its own address no mail can lead anywhere; the lock holds all the same.
    let Some(email) = email.filter(|_| !place.0.public_url().is_empty()) else { return Ok(()) };
    let notice = drafts::account_locked(place, Reader::of(user, email), until)?;
    messages::enqueue(tx, place.0, &notice)
}

/// An event with what belongs to the sign-in.
pub(super) fn complete(mut event: NewEvent, client_id: Option<&str>, session: Option<SessionId>) -> NewEvent {
    event.client_id = client_id.map(str::to_owned);
    event.session_id = session;
    event
}
