//! A user as the API shows them.

use denizen_model::{
    Timestamp, UserId,
    permissions::AdminRole,
    users::{User, UserKind, VerificationState},
};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A user: a person or a machine.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub(in crate::api) struct UserView {
    /// Stable id.
    id: UserId,
    /// Person or machine.
    kind: UserKind,
    /// Sign-in name, unique in the realm without regard to case.
    username: String,
    /// Address for messages.
    email: Option<String>,
    /// Whether the address is confirmed.
    email_state: VerificationState,
    /// E.164 phone number.
    phone: Option<String>,
    /// Whether the number is confirmed.
    phone_state: VerificationState,
    /// Given name, of people.
    given_name: Option<String>,
    /// Family name, of people.
    family_name: Option<String>,
    /// Of people the combination of the two; of machines their own.
    name: String,
    /// BCP 47 language tag for messages and pages.
    locale: Option<String>,
    /// IANA time zone.
    zoneinfo: Option<String>,
    /// The application's own id for the user.
    reference: Option<String>,
    /// Custom attributes.
    attributes: Map<String, Value>,
    /// A disabled user cannot sign in nor refresh.
    enabled: bool,
    /// When the user was disabled.
    disabled_at: Option<Timestamp>,
    /// Why the user was disabled.
    disabled_reason: Option<String>,
    /// The next authentication leads to a new password first.
    requires_password_reset: bool,
    /// The highest admin role the user holds in any realm.
    #[schema(value_type = Option<AdminRole>)]
    admin_role: Option<AdminRole>,
    /// Wrong passwords since the last right one.
    failed_password_attempts: u32,
    /// Wrong codes since the last right one.
    failed_otp_attempts: u32,
    /// When the user last signed in.
    last_sign_in_at: Option<Timestamp>,
    /// When the record was made.
    created_at: Timestamp,
    /// When the record was last changed.
    updated_at: Timestamp,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            kind: user.kind,
            username: user.username,
            email: user.email,
            email_state: user.email_state,
            phone: user.phone,
            phone_state: user.phone_state,
            given_name: user.given_name,
            family_name: user.family_name,
            name: user.name,
            locale: user.locale,
            zoneinfo: user.zoneinfo,
            reference: user.reference,
            attributes: user.attributes,
            enabled: user.enabled,
            disabled_at: user.disabled_at,
            disabled_reason: user.disabled_reason,
            requires_password_reset: user.requires_password_reset,
            admin_role: user.admin_role,
            failed_password_attempts: user.failed_password_attempts,
            failed_otp_attempts: user.failed_otp_attempts,
            last_sign_in_at: user.last_sign_in_at,
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}
