//! Realm roles (PRODUCT §8).

use crate::{RealmId, RoleId, Timestamp, validation::FieldErrors};

/// A named grant that goes into tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Stable id.
    pub id: RoleId,
    /// The realm it belongs to.
    pub realm_id: RealmId,
    /// Its name in tokens, unique in the realm without regard to case.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// How many users have it.
    pub user_count: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Grows with each change; the API's `ETag`.
    pub version: i64,
}

/// Checks what a person typed.
pub fn check_role(name: &str, description: &str, errors: &mut FieldErrors) {
    errors.required_line("name", name, 100);
    if name.contains(char::is_whitespace) {
        errors.add("name", "Must not contain blanks.");
    }
    errors.line("description", description, 500);
}
