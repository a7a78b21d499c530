//! Sessions (PRODUCT §9).

use std::time::Duration;

use crate::{RealmId, SessionId, Timestamp, UserId, realms::RealmSettings, users::text_enum};

/// One signed-in browser or device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Stable id; `sid` in tokens.
    pub id: SessionId,
    /// The realm.
    pub realm_id: RealmId,
    /// Who is signed in.
    pub user_id: UserId,
    /// When it started.
    pub created_at: Timestamp,
    /// When the user last proved who they are.
    pub authenticated_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_seen_at: Timestamp,
    /// It ends when unused until then.
    pub idle_expires_at: Timestamp,
    /// It ends then in any case.
    pub expires_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// The address it started from.
    pub ip: Option<String>,
    /// The place of that address, such as `Berlin, Germany`, where a GeoIP database is configured.
    pub place: Option<String>,
    /// Device and browser, such as `Firefox on macOS`.
    pub device: String,
    /// How the user authenticated (RFC 8176 values, blank-separated).
    pub amr: String,
    /// The clients that use it, in the order they joined.
    pub clients: Vec<SessionClient>,
}

/// A client in a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionClient {
    /// What it calls itself.
    pub client_id: String,
    /// What people call it; nothing when it was deleted.
    pub name: Option<String>,
    /// When it joined.
    pub first_used_at: Timestamp,
    /// When the session last signed the user in to it.
    pub last_used_at: Timestamp,
    /// How it is told that the session has ended, if it wants to be told and there was something to tell.
    pub notice: Option<LogoutNotice>,
}

/// An application that a user has signed in to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedApplication {
    /// What it calls itself.
    pub client_id: String,
    /// What people call it.
    pub name: String,
    /// When the user last signed in to it.
    pub last_used_at: Timestamp,
    /// In how many of the user's live sessions it is.
    pub live_sessions: u64,
}

text_enum! {
    /// How far a client has been told of the end of a session.
    NoticeState {
        /// It will be told.
        Waiting = "waiting",
        /// It has been told.
        Delivered = "delivered",
        /// It could not be told and will not be tried again.
        Failed = "failed",
    }
}

/// The telling of a client that a session has ended (OpenID Connect Back-Channel Logout 1.0).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogoutNotice {
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next; nothing when it is over.
    pub due_at: Option<Timestamp>,
    /// When the client confirmed it.
    pub delivered_at: Option<Timestamp>,
    /// What went wrong at the last attempt.
    pub last_error: Option<String>,
}

impl LogoutNotice {
    /// How far it is.
    #[must_use]
    pub fn state(&self) -> NoticeState {
        match (self.delivered_at, self.due_at) {
            (Some(_), _) => NoticeState::Delivered,
            (None, Some(_)) => NoticeState::Waiting,
            (None, None) => NoticeState::Failed,
        }
    }
}

impl Session {
    /// Whether it can be used at this time.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && now < self.idle_expires_at && now < self.expires_at
    }

    /// When it ends if it is not used again.
    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        self.idle_expires_at.min(self.expires_at)
    }
}

/// Until when a session last seen at `seen` stays alive.
#[must_use]
pub fn idle_deadline(seen: Timestamp, settings: &RealmSettings) -> Timestamp {
    seen.plus(Duration::from_secs(settings.session_idle_seconds))
}
