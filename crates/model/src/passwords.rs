//! The password policy (PRODUCT §15), as far as it needs no look-up.

use crate::{realms::RealmSettings, validation::FieldErrors};

/// The longest password, in characters. A bound keeps a request from buying a long hash.
pub const MAX_PASSWORD: usize = 128;

/// Checks a new password against the realm's rules; `own` are the user's own identifiers, which it may not be.
pub fn check_password(field: &str, password: &str, settings: &RealmSettings, own: &[&str], errors: &mut FieldErrors) {
    let length = password.chars().count();
    let min = usize::try_from(settings.password_min_length).unwrap_or(8);
    if length < min {
        errors.add(field, format!("Must have at least {min} characters."));
    } else if length > MAX_PASSWORD {
        errors.add(field, format!("Must have at most {MAX_PASSWORD} characters."));
    } else if password.contains('\0') {
        errors.add(field, "Must not contain NUL.");
    } else if own.iter().any(|own| own.eq_ignore_ascii_case(password)) {
        errors.add(field, "Must not be your own name or address.");
    }
}
