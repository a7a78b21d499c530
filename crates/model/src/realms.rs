//! Realms and their settings (PRODUCT §2).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{RealmId, Timestamp, passwords::MAX_PASSWORD_HISTORY, users::text_enum, validation::FieldErrors};

/// The realm that first start makes; its owners look after all the others.
pub const MAIN_REALM: &str = "main";

/// An isolated population of users.
#[derive(Debug, Clone, PartialEq)]
pub struct Realm {
    /// Stable id.
    pub id: RealmId,
    /// Its name in URLs.
    pub slug: String,
    /// What people call it.
    pub display_name: String,
    /// In a disabled realm nobody signs in and no token is issued.
    pub enabled: bool,
    /// Its settings.
    pub settings: RealmSettings,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Grows with each change; the API's `ETag`.
    pub version: i64,
}

text_enum! {
    /// How the API keys of machines are kept.
    ApiKeyStorage {
        /// As hashes only: a key is shown once, when it is made.
        Hashed = "hashed",
        /// Sealed besides: an administrator with the permission may show it again.
        Encrypted = "encrypted",
    }
}

/// Settings of a realm. Unknown keys are an error, absent ones take the default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RealmSettings {
    /// The username is the email given at creation and stays.
    pub email_as_username: bool,
    /// People may make an account of their own at the sign-in page.
    pub self_registration: bool,
    /// Usernames may be changed later.
    pub username_changeable: bool,
    /// Users may have attributes that no definition declares.
    pub undeclared_attributes_allowed: bool,
    /// How API keys are kept. Going back to `hashed` forgets those that were kept so that they can be shown.
    pub api_key_storage: ApiKeyStorage,
    /// Shortest password, in characters.
    pub password_min_length: u32,
    /// A session unused for this long ends, in seconds.
    pub session_idle_seconds: u64,
    /// A session ends after this long in any case, in seconds.
    pub session_absolute_seconds: u64,
    /// Lifetime of access tokens and id tokens, in seconds.
    pub access_token_seconds: u64,
    /// A refresh token unused for this long expires, in seconds; never later than its session.
    pub refresh_token_seconds: u64,
    /// Events older than this are removed, in days.
    pub audit_retention_days: u32,
    /// A password has an upper-case letter. This and the following rules hold from the next setting of a password on.
    pub password_require_upper: bool,
    /// A password has a lower-case letter.
    pub password_require_lower: bool,
    /// A password has a digit.
    pub password_require_digit: bool,
    /// A password has a symbol: neither letter nor digit nor white space.
    pub password_require_symbol: bool,
    /// A password is none that is known from a breach, nor one of those that attackers try first.
    pub password_block_breached: bool,
    /// A password is none of a user's last so many, the present one among them; 0 to 24.
    pub password_history: u32,
}

impl Default for RealmSettings {
    fn default() -> Self {
        Self {
            email_as_username: true,
            self_registration: true,
            username_changeable: false,
            undeclared_attributes_allowed: true,
            api_key_storage: ApiKeyStorage::Hashed,
            password_min_length: 8,
            session_idle_seconds: 7 * 24 * 3600,
            session_absolute_seconds: 30 * 24 * 3600,
            access_token_seconds: 300,
            refresh_token_seconds: 7 * 24 * 3600,
            audit_retention_days: 365,
            password_require_upper: false,
            password_require_lower: false,
            password_require_digit: false,
            password_require_symbol: false,
            password_block_breached: true,
            password_history: 5,
        }
    }
}

impl RealmSettings {
    /// Checks that every value is within its bounds.
    pub fn check(&self, errors: &mut FieldErrors) {
        let mut within = |field: &str, value: u64, low: u64, high: u64| {
            if !(low..=high).contains(&value) {
                errors.add(field, format!("Must be between {low} and {high}."));
            }
        };
        const YEAR: u64 = 366 * 24 * 3600;
        within("password_min_length", u64::from(self.password_min_length), 8, 128);
        within("session_idle_seconds", self.session_idle_seconds, 60, YEAR);
        within("session_absolute_seconds", self.session_absolute_seconds, 60, YEAR);
        within("access_token_seconds", self.access_token_seconds, 30, 24 * 3600);
        within("refresh_token_seconds", self.refresh_token_seconds, 60, YEAR);
        within("audit_retention_days", u64::from(self.audit_retention_days), 1, 3660);
        within("password_history", u64::from(self.password_history), 0, u64::from(MAX_PASSWORD_HISTORY));
        if self.session_idle_seconds > self.session_absolute_seconds {
            errors.add("session_idle_seconds", "Must not be longer than the absolute lifetime.");
        }
    }
}
