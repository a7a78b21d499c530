//! The password policy (PRODUCT §15), as far as it needs no look-up.

use crate::{
    realms::RealmSettings,
    validation::{FieldErrors, Message, Sentence},
};

/// The longest password, in characters. A bound keeps a request from buying a long hash.
pub const MAX_PASSWORD: usize = 128;

const TOO_SHORT: Sentence = Sentence { id: "password.too_short", text: "Must have at least {min} characters." };
const TOO_LONG: Sentence = Sentence { id: "password.too_long", text: "Must have at most {max} characters." };
const NUL: Sentence = Sentence { id: "password.nul", text: "Must not contain NUL." };
const OWN: Sentence = Sentence { id: "password.own", text: "Must not be your own name or address." };

/// The sentences that this module says.
pub const SENTENCES: &[&Sentence] = &[&TOO_SHORT, &TOO_LONG, &NUL, &OWN];

/// Checks a new password against the realm's rules; `own` are the user's own identifiers, which it may not be.
pub fn check_password(field: &str, password: &str, settings: &RealmSettings, own: &[&str], errors: &mut FieldErrors) {
    let length = password.chars().count();
    let min = usize::try_from(settings.password_min_length).unwrap_or(8);
    if length < min {
        errors.add(field, Message::of(&TOO_SHORT, &[("min", &min)]));
    } else if length > MAX_PASSWORD {
        errors.add(field, Message::of(&TOO_LONG, &[("max", &MAX_PASSWORD)]));
    } else if password.contains('\0') {
        errors.add(field, &NUL);
    } else if own.iter().any(|own| own.eq_ignore_ascii_case(password)) {
        errors.add(field, &OWN);
    }
}
