//! Realms and their settings (PRODUCT §2).

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    GroupId, RealmId, RoleId, Timestamp,
    authenticators::{AuthenticatorType, LockoutRule},
    locales::Language,
    passwords::MAX_PASSWORD_HISTORY,
    users::text_enum,
    validation::FieldErrors,
};

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
    /// What people may sign in with.
    pub sign_in_methods: Vec<AuthenticatorType>,
    /// What counts as a second factor. Recovery codes do beside any of them.
    pub second_factors: Vec<AuthenticatorType>,
    /// Who needs a second factor.
    pub second_factor: SecondFactor,
    /// Holders of these realm roles need one where it is required by role or group.
    pub second_factor_roles: Vec<RoleId>,
    /// Members of these groups need one where it is required by role or group.
    pub second_factor_groups: Vec<GroupId>,
    /// How long a browser may be remembered in which no second factor is asked for again, in seconds; 0 for never.
    pub remembered_device_seconds: u64,
    /// When wrong passwords lock the password.
    pub password_lockout: LockoutRule,
    /// When wrong codes lock codes of all kinds.
    pub otp_lockout: LockoutRule,

    /// The language of pages and mails for people of whom none is known.
    pub locale: Language,
    /// The languages that pages and mails can be in, in the order of the pages' menu; the default one among them.
    #[schema(min_items = 1)]
    pub locales: Vec<Language>,
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

    /// People may delete their own accounts.
    pub self_deletion: bool,
}

text_enum! {
    /// Who needs a second factor to sign in.
    SecondFactor {
        /// Nobody, even where one is set up.
        Never = "never",
        /// Whoever has set one up.
        WhenSetUp = "when_set_up",
        /// Holders of some roles and members of some groups, and whoever has set one up.
        ByRoleOrGroup = "by_role_or_group",
        /// Everybody. Who has none sets one up at their next sign-in.
        Always = "always",
    }
}

/// What can stand in [`RealmSettings::sign_in_methods`].
pub const SIGN_IN_METHODS: &[AuthenticatorType] = &[
    AuthenticatorType::Password,
    AuthenticatorType::Passkey,
    AuthenticatorType::EmailCode,
    AuthenticatorType::SmsCode,
    AuthenticatorType::MagicLink,
];
/// What can stand in [`RealmSettings::second_factors`].
pub const SECOND_FACTORS: &[AuthenticatorType] =
    &[AuthenticatorType::Totp, AuthenticatorType::Passkey, AuthenticatorType::EmailCode, AuthenticatorType::SmsCode];

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
            sign_in_methods: vec![AuthenticatorType::Password, AuthenticatorType::Passkey],
            second_factors: vec![AuthenticatorType::Totp, AuthenticatorType::Passkey],
            second_factor: SecondFactor::WhenSetUp,
            second_factor_roles: Vec::new(),
            second_factor_groups: Vec::new(),
            remembered_device_seconds: 30 * 24 * 3600,
            password_lockout: LockoutRule::default(),
            otp_lockout: LockoutRule::default(),
            locale: Language::English,
            locales: Language::ALL.to_vec(),
            password_require_upper: false,
            password_require_lower: false,
            password_require_digit: false,
            password_require_symbol: false,
            password_block_breached: true,
            password_history: 5,
            self_deletion: false,
        }
    }
}

impl RealmSettings {
    /// Whether people sign in with such an authenticator, first or second.
    #[must_use]
    pub fn uses(&self, kind: AuthenticatorType) -> bool {
        self.sign_in_methods.contains(&kind) || self.second_factors.contains(&kind)
    }

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
        within("remembered_device_seconds", self.remembered_device_seconds, 0, YEAR);
        self.password_lockout.check("password_lockout", errors);
        self.otp_lockout.check("otp_lockout", errors);
        among("sign_in_methods", &self.sign_in_methods, SIGN_IN_METHODS, errors);
        if self.sign_in_methods.is_empty() {
            errors.add("sign_in_methods", "Name at least one.");
        }
        among("second_factors", &self.second_factors, SECOND_FACTORS, errors);
        if self.second_factors.is_empty() && self.second_factor != SecondFactor::Never {
            errors.add("second_factors", "Name at least one, or let second_factor be never.");
        }
        let some = self.second_factor_roles.len() + self.second_factor_groups.len();
        if self.second_factor == SecondFactor::ByRoleOrGroup && some == 0 {
            errors.add("second_factor_roles", "Name a role or a group.");
        }
        if some > 200 {
            errors.add("second_factor_roles", "At most 200 roles and groups.");
        }
        if self.session_idle_seconds > self.session_absolute_seconds {
            errors.add("session_idle_seconds", "Must not be longer than the absolute lifetime.");
        }
        let mut seen = HashSet::new();
        if !self.locales.iter().all(|language| seen.insert(language)) {
            errors.add("locales", "Must name each language once.");
        } else if self.locales.is_empty() {
            errors.add("locales", "Must name at least one language.");
        } else if !self.locales.contains(&self.locale) {
            errors.add("locale", "Must be one of the offered languages.");
        }
    }

    /// The language for somebody of whom this tag is known: theirs where it is offered, else the default one.
    #[must_use]
    pub fn language_for(&self, tag: Option<&str>) -> Language {
        tag.and_then(|tag| Language::lookup(tag, &self.locales)).unwrap_or(self.locale)
    }
}

/// Whether each value may stand in a field, and stands there once.
fn among(field: &str, values: &[AuthenticatorType], allowed: &[AuthenticatorType], errors: &mut FieldErrors) {
    for (place, value) in values.iter().enumerate() {
        if !allowed.contains(value) {
            let names: Vec<&str> = allowed.iter().map(|kind| kind.as_str()).collect();
            errors.add(field, format!("{value} cannot stand here; one of {}.", names.join(", ")));
        } else if values.iter().take(place).any(|before| before == value) {
            errors.add(field, format!("{value} is named twice."));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(settings: &RealmSettings) -> Vec<String> {
        let mut errors = FieldErrors::new();
        settings.check(&mut errors);
        errors.iter().map(|(field, _)| field.to_owned()).collect()
    }

    #[test]
    fn the_default_language_is_among_the_offered_ones() {
        use Language::{Arabic, English, German};
        let of = |locale, locales: &[Language]| RealmSettings {
            locale,
            locales: locales.to_vec(),
            ..RealmSettings::default()
        };
        assert_eq!(wrong(&RealmSettings::default()), [""; 0]);
        assert_eq!(wrong(&of(German, &[English, German])), [""; 0]);
        assert_eq!(wrong(&of(German, &[English, Arabic])), ["locale"]);
        assert_eq!(wrong(&of(German, &[])), ["locales"]);
        assert_eq!(wrong(&of(German, &[German, English, German])), ["locales"]);
    }

    #[test]
    fn somebody_reads_their_own_language_where_it_is_offered() {
        let settings = RealmSettings {
            locale: Language::German,
            locales: vec![Language::German, Language::Japanese],
            ..RealmSettings::default()
        };
        assert_eq!(settings.language_for(Some("ja-JP")), Language::Japanese);
        assert_eq!(settings.language_for(Some("ar")), Language::German);
        assert_eq!(settings.language_for(None), Language::German);
    }

    #[test]
    fn settings_from_before_there_were_languages_offer_all() {
        let settings: RealmSettings = serde_json::from_str(r#"{"password_min_length":10}"#).unwrap();
        assert_eq!((settings.locale, settings.locales.len()), (Language::English, Language::ALL.len()));
    }
}
