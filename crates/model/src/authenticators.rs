//! Authenticators and API keys (PRODUCT §5, §7).

pub mod lockout;
pub mod required_actions;

use crate::{ApiKeyId, AuthenticatorId, Timestamp, UserId, permissions::Permission, users::text_enum};

pub use lockout::{Lockout, LockoutKind, LockoutRule};
pub use required_actions::RequiredAction;

text_enum! {
    /// One way for a user to prove who they are.
    AuthenticatorType {
        /// A password.
        Password = "password",
        /// A passkey (WebAuthn).
        Passkey = "passkey",
        /// A time-based one-time password of an app (RFC 6238).
        Totp = "totp",
        /// A code that is mailed.
        EmailCode = "email_code",
        /// A code that is sent to a phone.
        SmsCode = "sms_code",
        /// A link that is mailed.
        MagicLink = "magic_link",
        /// Codes that were written down for a bad day.
        RecoveryCodes = "recovery_codes",
    }
}

impl AuthenticatorType {
    /// Whether it is there with an address of the user's, without being registered.
    #[must_use]
    pub const fn comes_with_address(self) -> bool {
        matches!(self, Self::EmailCode | Self::SmsCode | Self::MagicLink)
    }

    /// The lockout rule it is under.
    #[must_use]
    pub const fn lockout(self) -> Option<LockoutKind> {
        match self {
            Self::Password => Some(LockoutKind::Password),
            Self::Totp | Self::EmailCode | Self::SmsCode | Self::RecoveryCodes => Some(LockoutKind::Otp),
            Self::Passkey | Self::MagicLink => None,
        }
    }

    /// What it is in tokens: RFC 8176, with `link` for a mailed link and `rcv` for a recovery code, which that
    /// has no names for.
    #[must_use]
    pub const fn amr(self) -> &'static str {
        match self {
            Self::Password => "pwd",
            Self::Passkey => "hwk",
            Self::Totp | Self::EmailCode => "otp",
            Self::SmsCode => "sms",
            Self::MagicLink => "link",
            Self::RecoveryCodes => "rcv",
        }
    }

    /// Its name in sentences.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Password => "Password",
            Self::Passkey => "Passkey",
            Self::Totp => "Authenticator app",
            Self::EmailCode => "Email code",
            Self::SmsCode => "Text message code",
            Self::MagicLink => "Sign-in link",
            Self::RecoveryCodes => "Recovery codes",
        }
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
    /// What tells it from others of its kind: a passkey's name, an address.
    pub label: String,
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
    /// The place of that address, where a GeoIP database is configured.
    pub last_place: Option<String>,
    /// When an administrator locked it.
    pub locked_at: Option<Timestamp>,
    /// When an administrator switched it off.
    pub deactivated_at: Option<Timestamp>,
    /// Until when it is switched off; absent while it is so for good.
    pub deactivated_until: Option<Timestamp>,
}

/// The id of what comes with an address: the user's own with another last byte, so that it is there, and the same,
/// before anything is stored.
fn id_of_address(user: UserId, kind: AuthenticatorType) -> AuthenticatorId {
    let mark = match kind {
        AuthenticatorType::EmailCode => 0xe1,
        AuthenticatorType::MagicLink => 0xe2,
        _ => 0xe3,
    };
    let mut bytes = *user.uuid().as_bytes();
    if let Some(last) = bytes.last_mut() {
        *last ^= mark;
    }
    uuid::Uuid::from_bytes(bytes).into()
}

impl Authenticator {
    /// One that is new.
    #[must_use]
    pub fn new(id: AuthenticatorId, user: UserId, kind: AuthenticatorType, label: &str, now: Timestamp) -> Self {
        Self {
            id,
            user_id: user,
            kind,
            label: label.to_owned(),
            temporary: false,
            registered_at: now,
            last_used_at: None,
            last_client_id: None,
            last_device: None,
            last_ip: None,
            last_place: None,
            locked_at: None,
            deactivated_at: None,
            deactivated_until: None,
        }
    }

    /// One that comes with an address of the user's and was never used.
    #[must_use]
    pub fn of_address(user: UserId, kind: AuthenticatorType, label: &str, since: Timestamp) -> Self {
        Self::new(id_of_address(user, kind), user, kind, label, since)
    }

    /// Whether it is switched off at this time.
    #[must_use]
    pub fn is_deactivated(&self, now: Timestamp) -> bool {
        self.deactivated_at.is_some() && self.deactivated_until.is_none_or(|until| now < until)
    }

    /// Whether an administrator lets it be used at this time.
    #[must_use]
    pub fn is_usable(&self, now: Timestamp) -> bool {
        self.locked_at.is_none() && !self.is_deactivated(now)
    }

    /// Until when a lockout rule holds it.
    #[must_use]
    pub fn locked_until(&self, lockouts: &[Lockout], now: Timestamp) -> Option<Timestamp> {
        let kind = self.kind.lockout()?;
        lockouts.iter().find(|lockout| lockout.kind == kind)?.locked_until(now)
    }

    /// The status an agent sees; `user_enabled` is the user's own switch.
    #[must_use]
    pub fn status(&self, user_enabled: bool, lockouts: &[Lockout], now: Timestamp) -> AuthenticatorStatus {
        if !user_enabled || self.is_deactivated(now) {
            AuthenticatorStatus::Deactivated
        } else if self.locked_at.is_some() || self.locked_until(lockouts, now).is_some() {
            AuthenticatorStatus::Locked
        } else if self.last_used_at.is_some() {
            AuthenticatorStatus::Active
        } else {
            AuthenticatorStatus::Registered
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

impl ApiKey {
    /// Whether it works no more.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}
