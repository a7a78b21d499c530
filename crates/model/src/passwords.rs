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
const UPPER: Sentence = Sentence { id: "password.needs_upper", text: "Must have an upper-case letter." };
const LOWER: Sentence = Sentence { id: "password.needs_lower", text: "Must have a lower-case letter." };
const DIGIT: Sentence = Sentence { id: "password.needs_digit", text: "Must have a digit." };
const SYMBOL: Sentence = Sentence { id: "password.needs_symbol", text: "Must have a symbol, such as ! or #." };
/// It is among those that attackers try first.
pub const COMMON: Sentence =
    Sentence { id: "password.common", text: "Must not be one of the passwords that attackers try first." };
/// It is known from a breach.
pub const BREACHED: Sentence =
    Sentence { id: "password.breached", text: "Must not be a password that is known from a breach." };
/// It is the present one.
pub const SAME: Sentence = Sentence { id: "password.same", text: "Must not be the present password." };
/// It is one of the user's last ones.
pub const USED: Sentence = Sentence { id: "password.used", text: "Must not be one of the last {count} passwords." };

/// The sentences about passwords.
pub const SENTENCES: &[&Sentence] =
    &[&TOO_SHORT, &TOO_LONG, &NUL, &OWN, &UPPER, &LOWER, &DIGIT, &SYMBOL, &COMMON, &BREACHED, &SAME, &USED];

/// The most passwords of a user that a realm may remember, the present one among them.
pub const MAX_PASSWORD_HISTORY: u32 = 24;

/// A kind of character that a realm can require.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CharacterClass {
    /// An upper-case letter of any script that has them.
    Upper,
    /// A lower-case letter of any script that has them.
    Lower,
    /// A digit of any script.
    Digit,
    /// Neither letter nor digit nor white space.
    Symbol,
}

impl CharacterClass {
    /// The classes that a realm requires.
    pub fn required(settings: &RealmSettings) -> impl Iterator<Item = Self> {
        let all = [
            (settings.password_require_upper, Self::Upper),
            (settings.password_require_lower, Self::Lower),
            (settings.password_require_digit, Self::Digit),
            (settings.password_require_symbol, Self::Symbol),
        ];
        all.into_iter().filter(|(required, _)| *required).map(|(_, class)| class)
    }

    fn is_in(self, password: &str) -> bool {
        password.chars().any(|c| match self {
            Self::Upper => c.is_uppercase(),
            Self::Lower => c.is_lowercase(),
            Self::Digit => c.is_numeric(),
            Self::Symbol => !c.is_alphanumeric() && !c.is_whitespace() && !c.is_control(),
        })
    }

    /// Its name in sentences.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Upper => "an upper-case letter",
            Self::Lower => "a lower-case letter",
            Self::Digit => "a digit",
            Self::Symbol => "a symbol, such as ! or #",
        }
    }

    /// The id of its name in the pages' texts.
    #[must_use]
    pub fn name_id(self) -> &'static str {
        match self {
            Self::Upper => "sign_in.update_password.upper",
            Self::Lower => "sign_in.update_password.lower",
            Self::Digit => "sign_in.update_password.digit",
            Self::Symbol => "sign_in.update_password.symbol",
        }
    }

    const fn missing(self) -> &'static Sentence {
        match self {
            Self::Upper => &UPPER,
            Self::Lower => &LOWER,
            Self::Digit => &DIGIT,
            Self::Symbol => &SYMBOL,
        }
    }
}

/// Notes every rule of the realm that a new password misses, as far as that takes no look-up; `own` are the user's own
/// identifiers, which it may not be.
pub fn check_rules(field: &str, password: &str, settings: &RealmSettings, own: &[&str], errors: &mut FieldErrors) {
    let length = password.chars().count();
    let min = usize::try_from(settings.password_min_length).unwrap_or(8);
    if length < min {
        errors.also(field, Message::of(&TOO_SHORT, &[("min", &min)]));
    } else if length > MAX_PASSWORD {
        errors.also(field, Message::of(&TOO_LONG, &[("max", &MAX_PASSWORD)]));
    }
    for class in CharacterClass::required(settings).filter(|class| !class.is_in(password)) {
        errors.also(field, class.missing());
    }
    if password.contains('\0') {
        errors.also(field, &NUL);
    }
    if own.iter().any(|own| own.to_lowercase() == password.to_lowercase()) {
        errors.also(field, &OWN);
    }
}

/// What a realm asks of a password, for whoever is about to choose one: `At least 8 characters, a digit.`
#[must_use]
pub fn described(settings: &RealmSettings) -> String {
    let length = format!("At least {} characters", settings.password_min_length);
    let classes = CharacterClass::required(settings).map(|class| class.words().to_owned());
    let parts: Vec<String> = [length].into_iter().chain(classes).collect();
    format!("{}.", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missed(password: &str, settings: &RealmSettings) -> Vec<String> {
        let mut errors = FieldErrors::new();
        check_rules("password", password, settings, &["ana@example.com"], &mut errors);
        errors.iter().map(|(_, message)| message.to_owned()).collect()
    }

    fn strict() -> RealmSettings {
        RealmSettings {
            password_min_length: 10,
            password_require_upper: true,
            password_require_lower: true,
            password_require_digit: true,
            password_require_symbol: true,
            ..RealmSettings::default()
        }
    }

    #[test]
    fn every_rule_that_is_missed_is_named_at_once() {
        let all = [
            "Must have at least 10 characters.",
            "Must have an upper-case letter.",
            "Must have a lower-case letter.",
            "Must have a digit.",
            "Must have a symbol, such as ! or #.",
        ];
        assert_eq!(missed(" ", &strict()), all);
        assert_eq!(missed("abc DEF 123", &strict()), all[4..]);
        assert_eq!(
            missed("Ana@Example.COM", &strict()),
            ["Must have a digit.", "Must not be your own name or address."]
        );
        assert_eq!(missed("Abc-def-12", &strict()), [""; 0]);
    }

    #[test]
    fn letters_and_digits_of_every_script_count() {
        assert_eq!(missed("ÄΩжñ٣٣٣—ŷŷ", &strict()), [""; 0]);
        assert_eq!(missed("パスワードは長いです", &RealmSettings::default()), [""; 0]);
    }

    #[test]
    fn length_alone_is_asked_for_by_default() {
        assert_eq!(missed("abcdefgh", &RealmSettings::default()), [""; 0]);
        assert_eq!(missed("abcdefg", &RealmSettings::default()), ["Must have at least 8 characters."]);
        let long = "x".repeat(MAX_PASSWORD);
        assert_eq!(missed(&long, &RealmSettings::default()), [""; 0]);
        assert_eq!(missed(&format!("{long}x"), &RealmSettings::default()), ["Must have at most 128 characters."]);
        assert_eq!(missed("abcdefg\0", &RealmSettings::default()), ["Must not contain NUL."]);
        assert_eq!(described(&RealmSettings::default()), "At least 8 characters.");
        let digit = RealmSettings { password_require_digit: true, ..RealmSettings::default() };
        assert_eq!(described(&digit), "At least 8 characters, a digit.");
    }
}
