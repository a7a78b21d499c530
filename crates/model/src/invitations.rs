//! Invitations: somebody is asked to make an account (PRODUCT §5).

use crate::{
    GroupId, InvitationId, OrganizationId, RealmId, RoleId, Timestamp, UserId,
    users::{check_locale, text_enum},
    validation::FieldErrors,
};

/// How many days an invitation works when nothing else is said.
pub const DEFAULT_DAYS: u32 = 7;
/// The most days it may work.
pub const MAX_DAYS: u32 = 90;
/// How many roles, groups or organizations one may carry of each.
pub const MAX_GRANTS: usize = 50;
/// How many may be sent in one request.
pub const MAX_BULK: usize = 500;

text_enum! {
    /// Where an invitation stands.
    InvitationState {
        /// It can be accepted.
        Pending = "pending",
        /// Somebody has made their account with it.
        Accepted = "accepted",
        /// Its time is over; it can be sent again.
        Expired = "expired",
        /// It was withdrawn.
        Revoked = "revoked",
    }
}

/// An invitation, without the secret in its link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Stable id.
    pub id: InvitationId,
    /// The realm it leads to.
    pub realm_id: RealmId,
    /// Whom it was sent to.
    pub email: String,
    /// Their given name.
    pub given_name: Option<String>,
    /// Their family name.
    pub family_name: Option<String>,
    /// Their language.
    pub locale: Option<String>,
    /// The realm roles they will have.
    pub role_ids: Vec<RoleId>,
    /// The groups they will be in.
    pub group_ids: Vec<GroupId>,
    /// The organizations they will be members of.
    pub organization_ids: Vec<OrganizationId>,
    /// Who invites, by name.
    pub invited_by: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last sent.
    pub sent_at: Timestamp,
    /// How often it was sent.
    pub sent_count: u32,
    /// When its link stops working.
    pub expires_at: Timestamp,
    /// When it was accepted.
    pub accepted_at: Option<Timestamp>,
    /// The user that came of it.
    pub accepted_user_id: Option<UserId>,
    /// When it was withdrawn.
    pub revoked_at: Option<Timestamp>,
    /// Grows with each change; the API's `ETag`.
    pub version: i64,
}

impl Invitation {
    /// Where it stands.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> InvitationState {
        if self.accepted_at.is_some() {
            InvitationState::Accepted
        } else if self.revoked_at.is_some() {
            InvitationState::Revoked
        } else if self.expires_at <= now {
            InvitationState::Expired
        } else {
            InvitationState::Pending
        }
    }
}

/// An invitation to be sent.
#[derive(Debug, Clone, Default)]
pub struct NewInvitation {
    /// Whom to invite.
    pub email: String,
    /// Their given name.
    pub given_name: Option<String>,
    /// Their family name.
    pub family_name: Option<String>,
    /// Their language.
    pub locale: Option<String>,
    /// The realm roles they will have.
    pub role_ids: Vec<RoleId>,
    /// The groups they will be in.
    pub group_ids: Vec<GroupId>,
    /// The organizations they will be members of.
    pub organization_ids: Vec<OrganizationId>,
    /// How many days its link works; [`DEFAULT_DAYS`] when absent.
    pub expires_in_days: Option<u32>,
}

/// Checks how long an invitation is to work.
pub fn check_days(days: u32, errors: &mut FieldErrors) {
    if !(1..=MAX_DAYS).contains(&days) {
        errors.add("expires_in_days", format!("Must be between 1 and {MAX_DAYS}."));
    }
}

/// Checks what a person typed.
pub fn check_invitation(new: &NewInvitation, errors: &mut FieldErrors) {
    if new.email.trim().is_empty() {
        errors.add("email", "Must not be empty.");
    } else {
        errors.email("email", new.email.trim());
    }
    errors.line("given_name", new.given_name.as_deref().unwrap_or(""), 100);
    errors.line("family_name", new.family_name.as_deref().unwrap_or(""), 100);
    if let Some(locale) = new.locale.as_deref().map(str::trim).filter(|locale| !locale.is_empty()) {
        check_locale("locale", locale, errors);
    }
    check_days(new.expires_in_days.unwrap_or(DEFAULT_DAYS), errors);
    let counts = [
        ("role_ids", new.role_ids.len()),
        ("group_ids", new.group_ids.len()),
        ("organization_ids", new.organization_ids.len()),
    ];
    for (field, count) in counts {
        if count > MAX_GRANTS {
            errors.add(field, format!("Must be at most {MAX_GRANTS}."));
        }
    }
}
