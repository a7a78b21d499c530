//! Field errors: what is wrong with an input, field by field, in words a person understands.

use std::collections::BTreeMap;

use crate::text;

/// What is wrong, in English; and, where pages say it in other languages too, the id of their text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    text: String,
    id: Option<&'static str>,
    values: Vec<(&'static str, String)>,
}

impl Message {
    /// A message that pages say in the reader's language: by the id of a text, with what is filled in there.
    #[must_use]
    pub fn with_id(id: &'static str, values: Vec<(&'static str, String)>, text: impl Into<String>) -> Self {
        Self { text: text.into(), id: Some(id), values }
    }

    /// In English.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The id of the pages' text, with what is filled in there.
    #[must_use]
    pub fn id(&self) -> Option<(&'static str, Vec<(&str, &str)>)> {
        let values = self.values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.id.map(|id| (id, values))
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self { text, id: None, values: Vec::new() }
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl From<&String> for Message {
    fn from(text: &String) -> Self {
        Self::from(text.clone())
    }
}

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
            self.add(field, "Must not contain line breaks or control characters.");
        } else if text::has_deceptive(value) {
            self.add(field, "Must not contain invisible or direction-changing characters.");
        } else if value.chars().count() > max {
            self.add(field, format!("Must be at most {max} characters long."));
        }
    }

    /// Like [`line`](Self::line), and not empty.
    pub fn required_line(&mut self, field: &str, value: &str, max: usize) {
        if value.trim().is_empty() {
            self.add(field, "Must not be empty.");
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

/// Checks that a text can be an email address: the practical subset of RFC 5321 (no quoted local part, no
/// address literal), at most 254 octets, international letters allowed (RFC 6531).
///
/// # Errors
/// A sentence that says what is wrong.
pub fn check_email(value: &str) -> Result<(), &'static str> {
    const WRONG: &str = "Must be an email address, such as ana@example.com.";
    if value.len() > 254 {
        return Err("Must be at most 254 characters long.");
    }
    let (local, domain) = value.rsplit_once('@').ok_or(WRONG)?;
    let local_ok = !local.is_empty()
        && local.len() <= 64
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && local.chars().all(|c| c.is_alphanumeric() || (c.is_ascii_graphic() && !"\"(),:;<>@[\\]".contains(c)));
    if local_ok && is_domain(domain) { Ok(()) } else { Err(WRONG) }
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
pub fn check_phone(value: &str) -> Result<(), &'static str> {
    const WRONG: &str = "Must be a phone number with its country code, such as +4930123456.";
    let digits = value.strip_prefix('+').ok_or(WRONG)?;
    let ok = (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    if ok { Ok(()) } else { Err(WRONG) }
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
        errors.also("password", Message::with_id("no_digit", vec![("n", "1".to_owned())], "No digit."));
        errors.also("password", "Short.");
        errors.add("password", "never told");
        assert_eq!(errors.get("password"), Some("Short."));
        assert_eq!(errors.iter().collect::<Vec<_>>(), [("password", "Short."), ("password", "No digit.")]);
        let said = errors.lines(|message| message.id().map_or(message.text().to_owned(), |(id, _)| id.to_owned()));
        assert_eq!(said.get("password").map(String::as_str), Some("Short.\nno_digit"));
    }
}
