//! Field errors: what is wrong with an input, field by field, in words a person understands.

use std::{borrow::Cow, collections::BTreeMap};

use crate::text;

/// A sentence about a field that pages can say in their reader's language.
#[derive(Debug, PartialEq, Eq)]
pub struct Sentence {
    /// Its stable id.
    pub id: &'static str,
    /// It in English, with placeholders such as `{max}`.
    pub text: &'static str,
}

/// What is wrong with a field: in English, for the API and the console, and in parts that pages can translate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    text: Cow<'static, str>,
    parts: Vec<Part>,
}

/// A sentence of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its id; `None` for one that there is in English alone.
    pub id: Option<&'static str>,
    /// It in English.
    pub text: Cow<'static, str>,
    /// What stands for its placeholders.
    pub values: Vec<(&'static str, String)>,
}

impl Message {
    /// A sentence with what stands for its placeholders.
    #[must_use]
    pub fn of(sentence: &Sentence, values: &[(&'static str, &dyn ToString)]) -> Self {
        let values: Vec<(&str, String)> = values.iter().map(|(name, value)| (*name, value.to_string())).collect();
        let mut text = Cow::Borrowed(sentence.text);
        for (name, value) in &values {
            text = Cow::Owned(text.replace(&format!("{{{name}}}"), value));
        }
        let part = Part { id: Some(sentence.id), text: text.clone(), values };
        Self { text, parts: vec![part] }
    }

    /// This and what else is wrong with the same field.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.text = Cow::Owned(format!("{} {}", self.text, other.text));
        self.parts.extend(other.parts);
        self
    }

    /// The whole in English.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its sentences.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }
}

impl From<Cow<'static, str>> for Message {
    fn from(text: Cow<'static, str>) -> Self {
        Self { parts: vec![Part { id: None, text: text.clone(), values: Vec::new() }], text }
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::from(Cow::Owned(text))
    }
}

impl From<&String> for Message {
    fn from(text: &String) -> Self {
        Self::from(text.clone())
    }
}

impl From<&'static Sentence> for Message {
    fn from(sentence: &'static Sentence) -> Self {
        Self::of(sentence, &[])
    }
}

const CONTROL: Sentence = Sentence { id: "text.control", text: "Must not contain line breaks or control characters." };
const DECEPTIVE: Sentence =
    Sentence { id: "text.deceptive", text: "Must not contain invisible or direction-changing characters." };
const TOO_LONG: Sentence = Sentence { id: "text.too_long", text: "Must be at most {max} characters long." };
const EMPTY: Sentence = Sentence { id: "text.empty", text: "Must not be empty." };
const EMAIL: Sentence = Sentence { id: "email.wrong", text: "Must be an email address, such as ana@example.com." };
const EMAIL_TOO_LONG: Sentence = Sentence { id: "email.too_long", text: "Must be at most 254 characters long." };
const PHONE: Sentence =
    Sentence { id: "phone.wrong", text: "Must be a phone number with its country code, such as +4930123456." };

/// That a username has a blank in it.
pub const USERNAME_BLANK: Sentence = Sentence { id: "username.blank", text: "Must not contain blanks." };
/// That a username is somebody else's.
pub const USERNAME_TAKEN: Sentence = Sentence { id: "username.taken", text: "This username is taken already." };
/// That there is no such time zone.
pub const ZONE: Sentence = Sentence { id: "zone.wrong", text: "Must be a time zone, such as Europe/Berlin." };

/// The sentences that the checks of fields say.
pub const SENTENCES: &[&Sentence] = &[
    &CONTROL,
    &DECEPTIVE,
    &TOO_LONG,
    &EMPTY,
    &EMAIL,
    &EMAIL_TOO_LONG,
    &PHONE,
    &USERNAME_BLANK,
    &USERNAME_TAKEN,
    &ZONE,
];

/// Errors by field name. Empty means that the input is acceptable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldErrors(BTreeMap<String, Vec<Message>>);

impl FieldErrors {
    /// No errors yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One error.
    #[must_use]
    pub fn one(field: &str, message: impl Into<Message>) -> Self {
        let mut errors = Self::default();
        errors.add(field, message);
        errors
    }

    /// Notes what is wrong with a field; the first message for a field stands.
    pub fn add(&mut self, field: &str, message: impl Into<Message>) {
        self.0.entry(field.to_owned()).or_insert_with(|| vec![message.into()]);
    }

    /// Notes what is wrong with a field besides what was noted: for rules that are all told at once.
    pub fn also(&mut self, field: &str, message: impl Into<Message>) {
        let (messages, message) = (self.0.entry(field.to_owned()).or_default(), message.into());
        if !messages.contains(&message) {
            messages.push(message);
        }
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first message for a field.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&str> {
        self.0.get(field)?.first().map(Message::text)
    }

    /// Field names with what is wrong in each, in order of name; for pages, which tell it in their reader's language.
    pub fn messages(&self) -> impl Iterator<Item = (&str, &Message)> {
        self.0.iter().flat_map(|(field, messages)| messages.iter().map(|message| (field.as_str(), message)))
    }

    /// Field names with their messages, in order of name; a field with several comes several times.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(|(field, messages)| messages.iter().map(|message| (field.as_str(), message.text())))
    }

    /// What to show at each field, as `say` words it: one message a line.
    pub fn lines(&self, say: impl Fn(&Message) -> String) -> BTreeMap<String, String> {
        let all = |messages: &Vec<Message>| messages.iter().map(&say).collect::<Vec<_>>().join("\n");
        self.0.iter().map(|(field, messages)| (field.clone(), all(messages))).collect()
    }

    /// `Err(self)` when something is wrong.
    ///
    /// # Errors
    /// The errors themselves, when there are any.
    pub fn into_result(self) -> Result<(), Self> {
        if self.is_empty() { Ok(()) } else { Err(self) }
    }

    /// Checks a single-line text: no control or deceptive characters, at most `max` characters.
    pub fn line(&mut self, field: &str, value: &str, max: usize) {
        if text::has_control(value) {
            self.add(field, &CONTROL);
        } else if text::has_deceptive(value) {
            self.add(field, &DECEPTIVE);
        } else if value.chars().count() > max {
            self.add(field, Message::of(&TOO_LONG, &[("max", &max)]));
        }
    }

    /// Like [`line`](Self::line), and not empty.
    pub fn required_line(&mut self, field: &str, value: &str, max: usize) {
        if value.trim().is_empty() {
            self.add(field, &EMPTY);
        } else {
            self.line(field, value, max);
        }
    }

    /// Checks an email address.
    pub fn email(&mut self, field: &str, value: &str) {
        if let Err(message) = check_email(value) {
            self.add(field, message);
        }
    }
}

impl FromIterator<(String, String)> for FieldErrors {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(iter: I) -> Self {
        let mut errors = Self::new();
        for (field, text) in iter {
            errors.also(&field, Message::from(text));
        }
        errors
    }
}

/// Checks that a text can be an email address: the practical subset of RFC 5321 (no quoted local part, no
/// address literal), at most 254 octets, international letters allowed (RFC 6531).
///
/// # Errors
/// A sentence that says what is wrong.
pub fn check_email(value: &str) -> Result<(), &'static Sentence> {
    if value.len() > 254 {
        return Err(&EMAIL_TOO_LONG);
    }
    let (local, domain) = value.rsplit_once('@').ok_or(&EMAIL)?;
    let local_ok = !local.is_empty()
        && local.len() <= 64
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && local.chars().all(|c| c.is_alphanumeric() || (c.is_ascii_graphic() && !"\"(),:;<>@[\\]".contains(c)));
    if local_ok && is_domain(domain) { Ok(()) } else { Err(&EMAIL) }
}

/// Whether a text can be a domain name of two labels or more (RFC 1035, section 2.3.4), international letters
/// allowed.
fn is_domain(value: &str) -> bool {
    let label_ok = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    value.contains('.') && value.split('.').all(label_ok)
}

/// Checks that a text can be a domain name, such as stands in an email address after the `@`.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn check_domain(value: &str) -> Result<(), &'static str> {
    if value.len() > 253 || !is_domain(value) {
        return Err("Must be domain names, such as acme.example.");
    }
    Ok(())
}

/// Checks a phone number in E.164 form: `+`, then 7 to 15 digits, the first not zero (ITU-T E.164).
///
/// # Errors
/// A sentence that says what is wrong.
pub fn check_phone(value: &str) -> Result<(), &'static Sentence> {
    let digits = value.strip_prefix('+').ok_or(&PHONE)?;
    let ok = (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    if ok { Ok(()) } else { Err(&PHONE) }
}

/// Checks a name that stands in a URL: 1 to 63 lower-case letters, digits and inner hyphens.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn check_slug(value: &str) -> Result<(), &'static str> {
    let ok = (1..=63).contains(&value.len())
        && value.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !value.starts_with('-')
        && !value.ends_with('-');
    if ok { Ok(()) } else { Err("Must be 1 to 63 lower-case letters, digits or inner hyphens.") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_people_have_pass_and_others_do_not() {
        for good in ["ana@example.com", "o'brien+x@sub.example.co.uk", "user@münchen.example", "josé@example.org"] {
            assert_eq!(check_email(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "ana",
            "ana@",
            "@example.com",
            "a b@example.com",
            "ana@example",
            "a@b..c",
            "a@-b.com",
            "a\0@b.com",
            "a\n@b.com",
            "x@y.z>\r\nBcc: q@r.s",
        ] {
            assert!(check_email(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn phones_are_e164() {
        assert_eq!(check_phone("+4930123456"), Ok(()));
        for bad in ["030123456", "+0123456789", "+12", "+1234567890123456", "+49 30 123"] {
            assert!(check_phone(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn messages_are_english_with_ids_and_values_for_other_languages() {
        let mut errors = FieldErrors::new();
        errors.line("name", "Johannes", 5);
        assert_eq!(errors.get("name"), Some("Must be at most 5 characters long."));
        let (_, message) = errors.messages().next().unwrap();
        let [part] = message.parts() else { panic!("{message:?}") };
        assert_eq!((part.id, part.values.as_slice()), (Some("text.too_long"), &[("max", "5".to_owned())][..]));
        let both = message.clone().and("More.".into());
        assert_eq!(both.text(), "Must be at most 5 characters long. More.");
        assert_eq!(both.parts().len(), 2);
    }

    #[test]
    fn the_first_message_for_a_field_stands() {
        let mut errors = FieldErrors::new();
        errors.add("email", "first");
        errors.add("email", "second");
        assert_eq!(errors.get("email"), Some("first"));
    }

    #[test]
    fn what_is_told_at_once_stands_line_by_line() {
        let mut errors = FieldErrors::new();
        errors.also("password", "Short.");
        errors.also("password", &EMPTY);
        errors.also("password", "Short.");
        errors.add("password", "never told");
        assert_eq!(errors.get("password"), Some("Short."));
        assert_eq!(errors.iter().collect::<Vec<_>>(), [("password", "Short."), ("password", "Must not be empty.")]);
        let said = errors.lines(|message| message.text().to_owned());
        assert_eq!(said.get("password").map(String::as_str), Some("Short.\nMust not be empty."));
    }
}
