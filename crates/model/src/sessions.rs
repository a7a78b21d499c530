//! Sessions (PRODUCT §9).

use std::time::Duration;

use crate::{RealmId, SessionId, Timestamp, UserId, realms::RealmSettings};

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
    /// Device and browser, such as `Firefox on macOS`.
    pub device: String,
    /// How the user authenticated (RFC 8176 values, blank-separated).
    pub amr: String,
    /// The clients that use it, by `client_id`.
    pub clients: Vec<String>,
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
