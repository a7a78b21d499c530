//! Users: the record of a person or a machine (PRODUCT §3), and how lists of them are asked for (§4).

mod columns;
mod index;
mod query;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

pub use columns::{COLUMNS_PARAMETER, UserColumn};
pub use index::{Facet, is_one_typo_away, marks, typo_variants, word_beginning};
pub use query::{
    ATTRIBUTE_FILTER, FILTERS, FilterSpec, FilterValues, MAX_SEARCH, NOT_A_SPAN, NOT_A_TIME, Span, Typed, UserFilters,
    UserQuery, UserSort, as_typed, as_words, filter_spec, filter_value_title, parse_span, parse_time, take_apart,
    terms,
};

use crate::{
    RealmId, Timestamp, UserId,
    authenticators::AuthenticatorType,
    permissions::AdminRole,
    validation::{FieldErrors, USERNAME_BLANK, ZONE, check_phone},
};

/// The most that a user's attributes may take as JSON, in bytes.
pub const MAX_ATTRIBUTES: usize = 64 * 1024;

macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant),+ }

        impl $name {
            /// Every value.
            pub const ALL: &[$name] = &[$($name::$variant),+];

            /// The name in the API and in the database.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text),+ }
            }

            /// The value of that name.
            #[must_use]
            pub fn from_name(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use text_enum;

text_enum! {
    /// What a user is.
    UserKind {
        /// A person.
        Human = "human",
        /// An API or bot account.
        Machine = "machine",
    }
}

text_enum! {
    /// How far an email address or a phone number has been confirmed.
    VerificationState {
        /// Nobody has confirmed it.
        Unverified = "unverified",
        /// A verification message has been asked for.
        VerificationRequested = "verification_requested",
        /// Confirmed by its holder, or by an administrator.
        Verified = "verified",
    }
}

/// A user's record.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    /// Stable id.
    pub id: UserId,
    /// The realm the user belongs to.
    pub realm_id: RealmId,
    /// Person or machine.
    pub kind: UserKind,
    /// Sign-in name, unique in the realm without regard to case.
    pub username: String,
    /// Address for messages.
    pub email: Option<String>,
    /// Whether the address is confirmed.
    pub email_state: VerificationState,
    /// E.164 phone number.
    pub phone: Option<String>,
    /// Whether the number is confirmed.
    pub phone_state: VerificationState,
    /// Given name; humans only.
    pub given_name: Option<String>,
    /// Family name; humans only.
    pub family_name: Option<String>,
    /// For humans the combination of the two; for machines its own.
    pub name: String,
    /// BCP 47 language tag for messages and pages.
    pub locale: Option<String>,
    /// IANA time zone.
    pub zoneinfo: Option<String>,
    /// The application's own id for the user.
    pub reference: Option<String>,
    /// Custom attributes.
    pub attributes: Map<String, Value>,
    /// A disabled user cannot sign in nor refresh.
    pub enabled: bool,
    /// When the user was disabled.
    pub disabled_at: Option<Timestamp>,
    /// Why the user was disabled.
    pub disabled_reason: Option<String>,
    /// The next authentication leads to a new password first.
    pub requires_password_reset: bool,
    /// The highest admin role the user holds in any realm, if any.
    pub admin_role: Option<AdminRole>,
    /// When the record was made.
    pub created_at: Timestamp,
    /// When the record was last changed.
    pub updated_at: Timestamp,
    /// When the user last signed in.
    pub last_sign_in_at: Option<Timestamp>,
    /// Wrong passwords since the last right one.
    pub failed_password_attempts: u32,
    /// Wrong codes since the last right one.
    pub failed_otp_attempts: u32,
    /// Grows with each change of the record; the API's `ETag`.
    pub version: i64,
}

impl User {
    /// The authenticators that come with a person's addresses, where the realm has a use for them; and the addresses.
    pub fn of_addresses(&self) -> impl Iterator<Item = (AuthenticatorType, &str)> {
        let addresses = [
            (AuthenticatorType::EmailCode, &self.email),
            (AuthenticatorType::MagicLink, &self.email),
            (AuthenticatorType::SmsCode, &self.phone),
        ];
        let person = self.kind == UserKind::Human;
        addresses.into_iter().filter_map(move |(kind, address)| Some((kind, address.as_deref().filter(|_| person)?)))
    }

    /// What to call the user in a sentence: the name, else the username.
    #[must_use]
    pub fn display_name(&self) -> &str {
        if self.name.is_empty() { &self.username } else { &self.name }
    }
}

/// A human's name: given and family name with a blank between.
#[must_use]
pub fn combined_name(given: Option<&str>, family: Option<&str>) -> String {
    [given, family].into_iter().flatten().map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// How the password of a new human comes about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum NewPassword {
    /// No password yet.
    #[default]
    None,
    /// This one.
    Set(String),
    /// A temporary one, made by Denizen and shown once.
    Temporary,
}

/// A human to be created.
#[derive(Debug, Clone, Default)]
pub struct NewHuman {
    /// Email; also the username where the realm says so.
    pub email: Option<String>,
    /// Username, where it is not the email.
    pub username: Option<String>,
    /// Given name.
    pub given_name: Option<String>,
    /// Family name.
    pub family_name: Option<String>,
    /// Phone, E.164.
    pub phone: Option<String>,
    /// Language.
    pub locale: Option<String>,
    /// Time zone.
    pub zoneinfo: Option<String>,
    /// The application's own id.
    pub reference: Option<String>,
    /// Custom attributes.
    pub attributes: Map<String, Value>,
    /// Whether the email counts as confirmed from the start.
    pub email_verified: bool,
}

/// A machine to be created.
#[derive(Debug, Clone, Default)]
pub struct NewMachine {
    /// Its name.
    pub name: String,
    /// Username; generated when blank.
    pub username: Option<String>,
    /// Contact address.
    pub email: Option<String>,
    /// The application's own id.
    pub reference: Option<String>,
    /// Custom attributes.
    pub attributes: Map<String, Value>,
}

/// A change of a user's record: `None` leaves a field, `Some(None)` clears it (RFC 7396 merge patch).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UserPatch {
    /// Username, where the realm has unfrozen it.
    pub username: Option<String>,
    /// Email.
    pub email: Option<Option<String>>,
    /// Its state.
    pub email_state: Option<VerificationState>,
    /// Phone.
    pub phone: Option<Option<String>>,
    /// Its state.
    pub phone_state: Option<VerificationState>,
    /// Given name (humans).
    pub given_name: Option<Option<String>>,
    /// Family name (humans).
    pub family_name: Option<Option<String>>,
    /// Name (machines).
    pub name: Option<String>,
    /// Language.
    pub locale: Option<Option<String>>,
    /// Time zone.
    pub zoneinfo: Option<Option<String>>,
    /// The application's own id.
    pub reference: Option<Option<String>>,
    /// Attributes to set; a JSON null removes the key.
    pub attributes: Option<Map<String, Value>>,
}

/// Checks the fields of a record that a person typed; the same rules for new records and changed ones.
pub fn check_user(user: &User, errors: &mut FieldErrors) {
    errors.required_line("username", &user.username, 254);
    if user.username.contains(char::is_whitespace) {
        errors.add("username", &USERNAME_BLANK);
    }
    if let Some(email) = &user.email {
        errors.email("email", email);
    }
    if let Some(Err(message)) = user.phone.as_deref().map(check_phone) {
        errors.add("phone", message);
    }
    errors.line("given_name", user.given_name.as_deref().unwrap_or(""), 100);
    errors.line("family_name", user.family_name.as_deref().unwrap_or(""), 100);
    match user.kind {
        UserKind::Machine => errors.required_line("name", &user.name, 200),
        UserKind::Human => errors.line("name", &user.name, 201),
    }
    errors.line("reference", user.reference.as_deref().unwrap_or(""), 255);
    if let Some(locale) = &user.locale {
        check_locale("locale", locale, errors);
    }
    if let Some(zone) = &user.zoneinfo
        && jiff::tz::TimeZone::get(zone).is_err()
    {
        errors.add("zoneinfo", &ZONE);
    }
    if let Some(reason) = &user.disabled_reason {
        errors.line("reason", reason, 500);
    }
    check_attributes(&user.attributes, errors);
}

/// Checks a language tag (RFC 5646, its shape alone).
pub fn check_locale(field: &str, locale: &str, errors: &mut FieldErrors) {
    let part = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    if locale.len() > 35 || !locale.split('-').all(part) {
        errors.add(field, "Must be a language tag, such as en or pt-BR.");
    }
}

fn check_attributes(attributes: &Map<String, Value>, errors: &mut FieldErrors) {
    let scalar = |value: &Value| matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_));
    for (key, value) in attributes {
        let field = format!("attributes.{key}");
        if key.is_empty() || key.chars().count() > 100 || crate::text::has_control(key) {
            errors.add(&field, "An attribute's key must have 1 to 100 characters and no control characters.");
        }
        let ok = scalar(value) || value.as_array().is_some_and(|items| items.iter().all(scalar));
        if !ok {
            errors.add(&field, "Must be a text, a number, true or false, or a list of these.");
        }
        if has_nul(value) {
            errors.add(&field, "Must not contain NUL.");
        }
    }
    if serde_json::to_string(attributes).map_or(0, |json| json.len()) > MAX_ATTRIBUTES {
        errors.add("attributes", "All attributes together must not take more than 64 KiB.");
    }
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        _ => false,
    }
}

/// Attributes as typed by a person: `1` is an integer, `elephant` a text, `"1"` a text (PRODUCT §3).
#[must_use]
pub fn detect_attribute(typed: &str) -> Value {
    match serde_json::from_str::<Value>(typed.trim()) {
        Ok(value @ (Value::Number(_) | Value::Bool(_) | Value::String(_) | Value::Array(_))) => value,
        _ => Value::String(typed.to_owned()),
    }
}

/// What an administrator holds: a role in one realm, or in every realm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AdminGrant {
    /// The role.
    pub role: AdminRole,
    /// Where it holds; `null` is every realm.
    pub realm_id: Option<RealmId>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn typed_attributes_are_detected() {
        assert_eq!(detect_attribute("1"), json!(1));
        assert_eq!(detect_attribute("elephant"), json!("elephant"));
        assert_eq!(detect_attribute("\"1\""), json!("1"));
        assert_eq!(detect_attribute("true"), json!(true));
        assert_eq!(detect_attribute("[1,\"a\"]"), json!([1, "a"]));
        assert_eq!(detect_attribute("{\"a\":1}"), json!("{\"a\":1}"));
    }

    #[test]
    fn a_name_is_put_together_from_what_there_is() {
        assert_eq!(combined_name(Some("Ana"), Some("Lima")), "Ana Lima");
        assert_eq!(combined_name(None, Some("Lima")), "Lima");
        assert_eq!(combined_name(Some(" "), None), "");
    }
}
