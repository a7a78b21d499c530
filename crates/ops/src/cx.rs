//! Who asks, when, from where; and the proof that they may.

use std::{marker::PhantomData, net::IpAddr, time::Duration};

use denizen_model::{
    EventId, RealmId, RequestId, SessionId, Timestamp, UserId,
    events::{ActorKind, ActorRef, EventType, NewEvent, Outcome, SubjectKind, SubjectRef},
    locales::Language,
    permissions::{Permission, PermissionMarker, PermissionSet},
    realms::Realm,
    users::{AdminGrant, User},
};
use serde_json::{Map, Value};

use crate::{App, Error, Result};

/// How long a proof of identity counts as fresh.
pub(crate) const FRESH_FOR: Duration = Duration::from_secs(600);

/// A signed-in administrator: a browser, an API key or an access token.
#[derive(Debug, Clone)]
pub struct Administrator {
    /// The user.
    pub id: UserId,
    /// The realm the user belongs to.
    pub realm_id: RealmId,
    /// What to call them.
    pub name: String,
    /// What they hold.
    pub grants: Vec<AdminGrant>,
    /// What the API key they came with may be used for; `None` for everything they hold.
    pub scopes: Option<PermissionSet>,
    /// The browser session, where there is one.
    pub session_id: Option<SessionId>,
    /// When they last proved who they are; `None` for API keys, which are a proof each time.
    pub authenticated_at: Option<Timestamp>,
}

impl Administrator {
    /// What they may do in a realm.
    #[must_use]
    pub fn permissions(&self, realm: RealmId) -> PermissionSet {
        self.granted(|grant| grant.realm_id.is_none_or(|scope| scope == realm))
    }

    /// What they may do in every realm.
    #[must_use]
    pub fn permissions_everywhere(&self) -> PermissionSet {
        self.granted(|grant| grant.realm_id.is_none())
    }

    /// What these grants give together, as far as the credentials reach.
    fn granted(&self, counts: impl Fn(&AdminGrant) -> bool) -> PermissionSet {
        let grants = self.grants.iter().filter(|grant| counts(grant));
        let all = grants.fold(PermissionSet::NONE, |all, grant| all.union(grant.role.permissions()));
        self.scopes.map_or(all, |scopes| all.intersection(scopes))
    }
}

/// Who acts.
#[derive(Debug, Clone)]
pub enum Actor {
    /// Somebody not signed in.
    Anonymous,
    /// Denizen itself, or its command line on the machine that holds the database.
    System(&'static str),
    /// An administrator.
    Administrator(Box<Administrator>),
    /// A user in their own affairs.
    User(UserId, String),
    /// A client on its own behalf.
    Client(String),
}

/// The context of a request.
#[derive(Debug, Clone)]
pub struct Cx {
    /// Who acts.
    pub actor: Actor,
    /// When.
    pub now: Timestamp,
    /// The request, for logs and error pages.
    pub request_id: RequestId,
    /// From which address.
    pub ip: Option<IpAddr>,
    /// With which user agent; at most 500 characters.
    pub user_agent: Option<String>,
    /// A key under which the change is made at most once.
    pub idempotency: Option<IdempotencyKey>,
    /// The language of the page it comes from; `None` where that is none of those that have several.
    pub language: Option<Language>,
}

/// A client's `Idempotency-Key` with the hash of the request it came with.
#[derive(Debug, Clone)]
pub struct IdempotencyKey {
    /// Who sent it.
    pub actor: String,
    /// The key.
    pub key: String,
    /// Hash of method, path and body.
    pub request_hash: String,
}

impl Cx {
    /// The context of Denizen's own doing.
    #[must_use]
    pub fn system(app: &App, name: &'static str) -> Self {
        let now = app.now();
        Self {
            actor: Actor::System(name),
            now,
            request_id: RequestId::new(now, app.id_bytes()),
            ip: None,
            user_agent: None,
            idempotency: None,
            language: None,
        }
    }

    /// The same context with another actor.
    #[must_use]
    pub fn acting_as(&self, actor: Actor) -> Self {
        Self { actor, ..self.clone() }
    }

    /// The administrator who acts.
    ///
    /// # Errors
    /// When nobody is signed in.
    pub fn administrator(&self) -> Result<&Administrator> {
        match &self.actor {
            Actor::Administrator(admin) => Ok(admin),
            _ => Err(Error::unauthenticated()),
        }
    }

    /// The proof that the actor may use a permission in a realm. Which permission follows from where the proof
    /// is passed: an operation's signature names it.
    ///
    /// # Errors
    /// Unauthenticated; not found, for a realm the actor has no business in; forbidden; or that a fresh
    /// authentication is needed.
    pub fn may<P: PermissionMarker>(&self, realm: RealmId) -> Result<May<P>> {
        self.check(realm, P::PERMISSION)?;
        Ok(May { realm, marker: PhantomData })
    }

    /// Refuses an actor who may not use a permission in a realm; for what takes another permission depending on
    /// its input. See [`may`](Self::may).
    pub(crate) fn check(&self, realm: RealmId, permission: Permission) -> Result<()> {
        let admin = match &self.actor {
            Actor::System(_) => return Ok(()),
            Actor::Administrator(admin) => admin,
            _ => return Err(Error::unauthenticated()),
        };
        let held = admin.permissions(realm);
        if held == PermissionSet::NONE {
            return Err(Error::not_found("realm"));
        }
        if !held.contains(permission) {
            return Err(Error::forbidden(permission));
        }
        let stale = admin.authenticated_at.is_some_and(|at| self.now.since(at) > FRESH_FOR);
        if permission.is_sensitive() && stale {
            return Err(Error::reauthentication_required());
        }
        Ok(())
    }

    /// Whether the actor holds a permission in a realm; for showing or hiding what leads to it.
    #[must_use]
    pub fn holds(&self, realm: RealmId) -> PermissionSet {
        match &self.actor {
            Actor::Administrator(admin) => admin.permissions(realm),
            _ => PermissionSet::NONE,
        }
    }

    pub(crate) fn actor_ref(&self) -> ActorRef {
        match &self.actor {
            Actor::Anonymous => ActorRef { kind: ActorKind::Anonymous, id: None, name: String::new() },
            Actor::System(name) => ActorRef { kind: ActorKind::System, id: None, name: (*name).to_owned() },
            Actor::Administrator(admin) => {
                ActorRef { kind: ActorKind::User, id: Some(admin.id.to_string()), name: admin.name.clone() }
            }
            Actor::User(id, name) => ActorRef { kind: ActorKind::User, id: Some(id.to_string()), name: name.clone() },
            Actor::Client(id) => ActorRef { kind: ActorKind::Client, id: Some(id.clone()), name: id.clone() },
        }
    }

    /// An event of this request, to be completed and recorded.
    pub(crate) fn event(&self, app: &App, realm: RealmId, kind: EventType, subject: SubjectRef) -> NewEvent {
        let session_id = match &self.actor {
            Actor::Administrator(admin) => admin.session_id,
            _ => None,
        };
        NewEvent {
            id: EventId::new(self.now, app.id_bytes()),
            realm_id: realm,
            at: self.now,
            kind,
            outcome: Outcome::Success,
            actor: self.actor_ref(),
            subject,
            client_id: None,
            session_id,
            ip: self.ip.map(|ip| ip.to_string()),
            place: app.place_of(self.ip),
            user_agent: self.user_agent.clone(),
            details: Map::new(),
        }
    }

    /// An event about a user.
    pub(crate) fn user_event(&self, app: &App, kind: EventType, user: &User) -> NewEvent {
        self.event(app, user.realm_id, kind, user_subject(user))
    }
}

/// The subject of an event about a user.
pub(crate) fn user_subject(user: &User) -> SubjectRef {
    SubjectRef { kind: SubjectKind::User, id: user.id.to_string(), name: user.display_name().to_owned() }
}

/// The subject of an event about a realm.
pub(crate) fn realm_subject(realm: &Realm) -> SubjectRef {
    SubjectRef { kind: SubjectKind::Realm, id: realm.id.to_string(), name: realm.slug.clone() }
}

/// Completes an event.
pub(crate) trait Detail: Sized {
    /// With something worth keeping.
    fn detail(self, key: &str, value: impl Into<Value>) -> Self;
    /// As a failure with its reason.
    fn failed(self, reason: &str) -> Self;
}

impl Detail for NewEvent {
    fn detail(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.details.insert(key.to_owned(), value.into());
        self
    }

    fn failed(mut self, reason: &str) -> Self {
        self.outcome = Outcome::Failure;
        self.detail("reason", reason)
    }
}

/// The proof that an actor may use permission `P` in a realm. Only [`Cx::may`] makes one.
#[derive(Debug)]
pub struct May<P> {
    realm: RealmId,
    marker: PhantomData<fn() -> P>,
}

impl<P> May<P> {
    /// The realm it holds in.
    #[must_use]
    pub fn realm(&self) -> RealmId {
        self.realm
    }
}
