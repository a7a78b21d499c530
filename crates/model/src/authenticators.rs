//! Authenticators and API keys (PRODUCT §5, §7).

use crate::{ApiKeyId, AuthenticatorId, Timestamp, UserId, permissions::Permission, users::text_enum};

text_enum! {
    /// One way for a user to prove who they are.
    AuthenticatorType {
        /// A password.
        Password = "password",
    }
}

text_enum! {
    /// How far an authenticator can be used.
    AuthenticatorStatus {
        /// Ready, never used.
        Registered = "registered",
        /// Used at least once.
        Active = "active",
        /// A lockout rule applies.
        Locked = "locked",
        /// The user is suspended, or an administrator switched it off.
        Deactivated = "deactivated",
    }
}

/// One authenticator of a user, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticator {
    /// Stable id.
    pub id: AuthenticatorId,
    /// Whose it is.
    pub user_id: UserId,
    /// What it is.
    pub kind: AuthenticatorType,
    /// Issued by an administrator, to be replaced at the next sign-in.
    pub temporary: bool,
    /// When it was registered or last replaced.
    pub registered_at: Timestamp,
    /// When it was last used with success.
    pub last_used_at: Option<Timestamp>,
    /// The client of that use.
    pub last_client_id: Option<String>,
    /// The device and browser of that use, such as `Firefox on macOS`.
    pub last_device: Option<String>,
    /// The address of that use.
    pub last_ip: Option<String>,
}

impl Authenticator {
    /// The status an agent sees; `user_enabled` is the user's own switch.
    #[must_use]
    pub fn status(&self, user_enabled: bool) -> AuthenticatorStatus {
        match (user_enabled, self.last_used_at) {
            (false, _) => AuthenticatorStatus::Deactivated,
            (true, None) => AuthenticatorStatus::Registered,
            (true, Some(_)) => AuthenticatorStatus::Active,
        }
    }
}

/// The key by which a machine calls the admin API, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Stable id.
    pub id: ApiKeyId,
    /// The machine it belongs to.
    pub user_id: UserId,
    /// What it is for.
    pub name: String,
    /// Its first characters, to recognize it by.
    pub hint: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
    /// What it may be used for, of what its machine holds; empty is all of that.
    pub scopes: Vec<Permission>,
    /// It was kept so that it can be shown again.
    pub sealed: bool,
}
