//! What each kind of message can say: its variables, and a realm's own text for it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Channel, Template};
use crate::{RealmId, Timestamp, locales::Language, text::has_control, validation::FieldErrors};

/// The longest subject, in characters.
pub const MAX_SUBJECT: usize = 200;
/// The longest text, in bytes.
pub const MAX_TEXT: usize = 16 * 1024;
/// The longest HTML, in bytes.
pub const MAX_HTML: usize = 64 * 1024;

/// Something that a template can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What stands there.
    pub meaning: &'static str,
    /// What stands there in a preview.
    pub sample: &'static str,
    /// It may be empty; ask with `if`.
    pub optional: bool,
}

const fn variable(name: &'static str, meaning: &'static str, sample: &'static str) -> Variable {
    Variable { name, meaning, sample, optional: false }
}

const BRAND: Variable = variable("brand", "The name of the realm.", "Acme");
const EMAIL: Variable = variable("email", "The address the mail goes to.", "ana@example.com");
const LINK: Variable = variable("link", "Where the button leads. It works once.", "");
const PAGE: Variable = variable("link", "Where the button leads: the reader's account.", "");
const CODE: Variable = variable("code", "The code to be typed.", "493816");
const EXPIRES: Variable =
    variable("expires", "When the link or the code stops working.", "November 21, 2026, 10:30 (UTC)");
const TIME: Variable = variable("time", "When it happened.", "November 21, 2026, 10:15 (UTC)");
const METHOD: Variable = variable("authenticator", "Which way to sign in.", "Passkey on a phone");
const DEVICE: Variable = variable("device", "The device and its browser.", "Firefox on Linux");

const fn optional(name: &'static str, meaning: &'static str, sample: &'static str) -> Variable {
    Variable { name, meaning, sample, optional: true }
}

const PLACE: Variable = optional("place", "Where the device seems to be, where that is known.", "Lisbon, Portugal");
const INVITER: Variable = optional("inviter", "Who has sent the invitation, where somebody has.", "Bea Castro");
const UNTIL: Variable = optional(
    "until",
    "When sign-in is open again; empty where an administrator must unlock it.",
    "November 21, 2026, 10:45 (UTC)",
);
const NEW_EMAIL: Variable = variable("new_email", "The new address, mostly blanked out.", "a•••@example.org");
const NOTICE: Variable = variable("notice", "What there is to say, in one sentence.", "Your password was changed.");

impl Template {
    /// What agents call it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::VerifyEmail => "Email verification",
            Self::Invitation => "Invitation",
            Self::Register => "Registration",
            Self::AccountExists => "Account exists already",
            Self::EmailCode => "Email code",
            Self::MagicLink => "Sign-in link",
            Self::ResetPassword => "Password reset",
            Self::ResetOtp => "Second factor reset",
            Self::ResetPasskey => "Passkey reset",
            Self::PasswordChanged => "Password changed",
            Self::AuthenticatorAdded => "Sign-in method added",
            Self::AuthenticatorRemoved => "Sign-in method removed",
            Self::NewDevice => "New device",
            Self::AccountLocked => "Account locked",
            Self::EmailChanged => "Email changed",
            Self::SmsCode => "SMS code",
            Self::SmsNotice => "SMS notice",
        }
    }

    /// When it is sent, in a sentence.
    #[must_use]
    pub const fn occasion(self) -> &'static str {
        match self {
            Self::VerifyEmail => "An address is to be confirmed.",
            Self::Invitation => "Somebody is invited.",
            Self::Register => "Somebody asks for an account of their own.",
            Self::AccountExists => "Somebody with an account asks for another one.",
            Self::EmailCode => "A sign-in, or a confirmation, by a code.",
            Self::MagicLink => "A sign-in by a link.",
            Self::ResetPassword => "A new password is to be chosen.",
            Self::ResetOtp => "The second factor is to be set up again.",
            Self::ResetPasskey => "A new passkey is to be made.",
            Self::PasswordChanged => "The password was changed.",
            Self::AuthenticatorAdded => "A way to sign in was added.",
            Self::AuthenticatorRemoved => "A way to sign in was removed.",
            Self::NewDevice => "A sign-in on a device that was not seen before.",
            Self::AccountLocked => "Too many attempts have locked sign-in.",
            Self::EmailChanged => "The address was changed; this goes to the old one.",
            Self::SmsCode => "A sign-in, or a confirmation, by a code.",
            Self::SmsNotice => "Something happened to the account.",
        }
    }

    /// By which way it goes.
    #[must_use]
    pub const fn channel(self) -> Channel {
        match self {
            Self::SmsCode | Self::SmsNotice => Channel::Sms,
            _ => Channel::Email,
        }
    }

    /// What its texts can name.
    #[must_use]
    pub const fn variables(self) -> &'static [Variable] {
        match self {
            Self::VerifyEmail | Self::Register => &[BRAND, EMAIL, LINK, EXPIRES],
            Self::Invitation => &[BRAND, EMAIL, LINK, EXPIRES, INVITER],
            Self::AccountExists => &[BRAND, EMAIL, PAGE],
            Self::EmailCode => &[BRAND, EMAIL, CODE, EXPIRES],
            Self::MagicLink | Self::ResetPassword | Self::ResetOtp | Self::ResetPasskey => {
                &[BRAND, EMAIL, LINK, EXPIRES]
            }
            Self::PasswordChanged => &[BRAND, EMAIL, PAGE, TIME],
            Self::AuthenticatorAdded | Self::AuthenticatorRemoved => &[BRAND, EMAIL, PAGE, TIME, METHOD],
            Self::NewDevice => &[BRAND, EMAIL, PAGE, TIME, DEVICE, PLACE],
            Self::AccountLocked => &[BRAND, EMAIL, PAGE, UNTIL],
            Self::EmailChanged => &[BRAND, EMAIL, PAGE, TIME, NEW_EMAIL],
            Self::SmsCode => &[BRAND, CODE, EXPIRES],
            Self::SmsNotice => &[BRAND, NOTICE],
        }
    }

    /// The variable that the message is about, which its bodies must have.
    #[must_use]
    pub const fn needs(self) -> Option<&'static str> {
        match self {
            Self::VerifyEmail
            | Self::Invitation
            | Self::Register
            | Self::MagicLink
            | Self::ResetPassword
            | Self::ResetOtp
            | Self::ResetPasskey => Some("link"),
            Self::EmailCode | Self::SmsCode => Some("code"),
            Self::SmsNotice => Some("notice"),
            Self::AccountExists
            | Self::PasswordChanged
            | Self::AuthenticatorAdded
            | Self::AuthenticatorRemoved
            | Self::NewDevice
            | Self::AccountLocked
            | Self::EmailChanged => None,
        }
    }
}

impl std::str::FromStr for Template {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::from_name(text).ok_or(())
    }
}

/// What a template says in one language. A text message has neither subject nor HTML.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplateText {
    /// The subject; one line.
    #[serde(default)]
    pub subject: String,
    /// The text part; all there is of a text message.
    pub text: String,
    /// The HTML part.
    #[serde(default)]
    pub html: String,
}

impl TemplateText {
    /// Checks sizes, and that the subject is one line: what follows a line break in it would be a header of its own.
    pub fn check(&self, channel: Channel, errors: &mut FieldErrors) {
        let body = |errors: &mut FieldErrors, field: &str, value: &str, max: usize| {
            if value.trim().is_empty() {
                errors.add(field, "Must not be empty.");
            } else if value.len() > max {
                errors.add(field, format!("Must be at most {max} bytes long."));
            } else if value.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
                errors.add(field, "Must not contain control characters.");
            }
        };
        body(errors, "text", &self.text, MAX_TEXT);
        match channel {
            Channel::Email => {
                if has_control(&self.subject) {
                    errors.add("subject", "Must be one line, without control characters.");
                } else if self.subject.trim().is_empty() {
                    errors.add("subject", "Must not be empty.");
                } else if self.subject.chars().count() > MAX_SUBJECT {
                    errors.add("subject", format!("Must be at most {MAX_SUBJECT} characters long."));
                }
                body(errors, "html", &self.html, MAX_HTML);
            }
            Channel::Sms => {
                if !self.subject.is_empty() {
                    errors.add("subject", "A text message has no subject.");
                }
                if !self.html.is_empty() {
                    errors.add("html", "A text message has no HTML.");
                }
            }
        }
    }
}

/// A realm's own text for a template in a language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageTemplate {
    /// The realm.
    pub realm_id: RealmId,
    /// The template.
    pub template: Template,
    /// The language.
    pub language: Language,
    /// What it says.
    pub text: TemplateText,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Grows with each change; the API's `ETag`.
    pub version: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_names_what_it_needs() {
        for template in Template::ALL {
            let names: Vec<_> = template.variables().iter().map(|variable| variable.name).collect();
            assert!(template.needs().is_none_or(|needed| names.contains(&needed)), "{template}");
            assert!(names.contains(&"brand"), "{template}");
            assert_eq!(names.contains(&"email"), template.channel() == Channel::Email, "{template}");
        }
    }

    fn wrong(text: TemplateText, channel: Channel) -> Vec<String> {
        let mut errors = FieldErrors::new();
        text.check(channel, &mut errors);
        errors.iter().map(|(field, _)| field.to_owned()).collect()
    }

    #[test]
    fn subjects_are_one_line_and_bodies_have_a_bound() {
        let good = TemplateText { subject: "Hello".into(), text: "a\r\n\tb".into(), html: "<p>".into() };
        assert!(wrong(good.clone(), Channel::Email).is_empty());
        for subject in ["a\r\nBcc: eve@example.com", "a\nb", "", "  ", &"x".repeat(201)] {
            assert_eq!(wrong(TemplateText { subject: subject.into(), ..good.clone() }, Channel::Email), ["subject"]);
        }
        let long = TemplateText { text: "x".repeat(MAX_TEXT + 1), html: "x".repeat(MAX_HTML + 1), ..good.clone() };
        assert_eq!(wrong(long, Channel::Email), ["html", "text"]);
        assert_eq!(wrong(TemplateText { text: "a\u{7}".into(), ..good.clone() }, Channel::Email), ["text"]);
        assert_eq!(wrong(good, Channel::Sms), ["html", "subject"]);
    }
}
