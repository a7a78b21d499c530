//! How a list of users is asked for (PRODUCT §4): search, filters, order, place.
//!
//! A filter is a name with a value, `status=disabled`. It reads the same in the API's parameters, in the console's
//! address, and typed into the search box as `status:disabled`.

use std::time::Duration;

use super::{Facet, text_enum};
use crate::{
    Timestamp,
    authenticators::{AuthenticatorType, RequiredAction},
    pages::{Cursor, DEFAULT_LIMIT, Direction},
    text::fold,
};

/// The longest search text, in characters.
pub const MAX_SEARCH: usize = 200;

text_enum! {
    /// By what a list of users is sorted.
    UserSort {
        /// How well they match what is searched for; only with a search, and then the default.
        BestMatch = "best_match",
        /// When they were made.
        CreatedAt = "created_at",
        /// When they last signed in; never comes last in descending order.
        LastSignInAt = "last_sign_in_at",
        /// By name, folded.
        Name = "name",
        /// By email, folded; those without an email first.
        Email = "email",
        /// By phone number; those without one first.
        Phone = "phone",
        /// By reference, folded; those without one first.
        Reference = "reference",
        /// Administrators by power.
        Role = "role",
    }
}

impl UserSort {
    /// Whether its keys are texts; otherwise they are numbers.
    #[must_use]
    pub const fn is_textual(self) -> bool {
        matches!(self, Self::Name | Self::Email | Self::Phone | Self::Reference | Self::BestMatch)
    }

    /// Which way people want it first.
    #[must_use]
    pub const fn natural(self) -> Direction {
        match self {
            Self::CreatedAt | Self::LastSignInAt | Self::Role => Direction::Descending,
            _ => Direction::Ascending,
        }
    }
}

/// A span of time: from `after` on, and before `before`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// Not earlier than this.
    pub after: Option<Timestamp>,
    /// Earlier than this.
    pub before: Option<Timestamp>,
}

impl Span {
    /// Both at once.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            after: self.after.max(other.after),
            before: match (self.before, other.before) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            },
        }
    }

    /// Whether every time is in it.
    #[must_use]
    pub fn is_open(self) -> bool {
        self.after.is_none() && self.before.is_none()
    }
}

/// Which users a list is narrowed to. All conditions hold together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UserFilters {
    /// What they must have, or must not have.
    pub facets: Vec<(Facet, bool)>,
    /// When they were made.
    pub created: Span,
    /// When they last signed in; whoever never did is in no span.
    pub last_sign_in: Span,
    /// Only whoever never signed in (`true`), or ever did.
    pub never_signed_in: Option<bool>,
    /// The application's own id, folded, whole.
    pub reference: Option<String>,
    /// What nobody in the realm has is asked for.
    pub nobody: bool,
}

impl UserFilters {
    /// Whether nothing is filtered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What a list of users is asked for.
#[derive(Debug, Clone)]
pub struct UserQuery {
    /// Search text, without the filters that were typed with it.
    pub search: Option<String>,
    /// The filters.
    pub filters: UserFilters,
    /// The sort column.
    pub sort: UserSort,
    /// Which way.
    pub direction: Direction,
    /// Where the page starts.
    pub after: Option<Cursor>,
    /// Whether the page is the one before that place, not the one after it; without a place, the last page.
    pub backward: bool,
    /// How many at the most.
    pub limit: u32,
}

impl Default for UserQuery {
    fn default() -> Self {
        Self {
            search: None,
            filters: UserFilters::default(),
            sort: UserSort::CreatedAt,
            direction: Direction::Descending,
            after: None,
            backward: false,
            limit: DEFAULT_LIMIT,
        }
    }
}

impl UserQuery {
    /// The search words, folded; a row matches when it contains all of them, those of one or two characters at
    /// the beginning of a word.
    #[must_use]
    pub fn terms(&self) -> Vec<String> {
        terms(self.search.as_deref().unwrap_or(""))
    }
}

/// The words of a search text, folded, each once.
#[must_use]
pub fn terms(search: &str) -> Vec<String> {
    let folded = fold(search);
    let mut terms: Vec<String> = Vec::new();
    for term in folded.split(' ').filter(|term| !term.is_empty()) {
        if !terms.iter().any(|known| known == term) {
            terms.push(term.to_owned());
        }
    }
    terms
}

/// What may stand as a filter's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterValues {
    /// One of these.
    OneOf(&'static [&'static str]),
    /// `true` or `false`.
    YesNo,
    /// A role of the realm, by name or id.
    Role,
    /// A group of the realm, by name or id.
    Group,
    /// An organization of the realm, by name or id.
    Organization,
    /// A time (RFC 3339 or a day).
    Time,
    /// A span of time: `7d`, `>30d`, `2026-01-01..2026-02-01`, `>2026-01-01`.
    Span,
    /// A span of time or `never`.
    SpanOrNever,
    /// Any text.
    Text,
}

/// A filter, as it can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilterSpec {
    /// Its name in parameters and in the search box.
    pub name: &'static str,
    /// What it is called on pages.
    pub label: &'static str,
    /// What may be asked.
    pub values: FilterValues,
}

const fn spec(name: &'static str, label: &'static str, values: FilterValues) -> FilterSpec {
    FilterSpec { name, label, values }
}

/// Every filter but those by attribute, which are `attr.` with the attribute's key.
pub const FILTERS: &[FilterSpec] = &[
    spec("kind", "Kind", FilterValues::OneOf(&["human", "machine"])),
    spec("status", "Status", FilterValues::OneOf(&["active", "disabled"])),
    spec("locked", "Locked", FilterValues::YesNo),
    spec("admin", "Administrator", FilterValues::YesNo),
    spec("role", "Role", FilterValues::Role),
    spec("group", "Group", FilterValues::Group),
    spec("organization", "Organization", FilterValues::Organization),
    spec("email_verified", "Email verified", FilterValues::YesNo),
    spec("phone_verified", "Phone verified", FilterValues::YesNo),
    spec("has_password", "Has a password", FilterValues::YesNo),
    spec(
        "authenticator",
        "Authenticator",
        FilterValues::OneOf(&["password", "passkey", "totp", "email_code", "sms_code", "magic_link", "recovery_codes"]),
    ),
    spec("provider", "Linked provider", FilterValues::OneOf(&[])),
    spec(
        "required_action",
        "Required action",
        FilterValues::OneOf(&[
            "update_password",
            "configure_otp",
            "register_passkey",
            "verify_email",
            "verify_phone",
            "complete_profile",
        ]),
    ),
    spec("created", "Created", FilterValues::Span),
    spec("created_after", "Created after", FilterValues::Time),
    spec("created_before", "Created before", FilterValues::Time),
    spec("last_sign_in", "Last sign-in", FilterValues::SpanOrNever),
    spec("last_sign_in_after", "Last sign-in after", FilterValues::Time),
    spec("last_sign_in_before", "Last sign-in before", FilterValues::Time),
    spec("reference", "Reference", FilterValues::Text),
];

/// What one of the values of [`FilterValues::OneOf`] is called on pages.
#[must_use]
pub fn filter_value_title(value: &'static str) -> &'static str {
    match value {
        "human" => "People",
        "machine" => "Machines",
        "active" => "Active",
        "disabled" => "Disabled",
        _ => {
            let action = RequiredAction::from_name(value).map(RequiredAction::title);
            action.or_else(|| AuthenticatorType::from_name(value).map(AuthenticatorType::title)).unwrap_or(value)
        }
    }
}

/// Begins the name of a filter by attribute.
pub const ATTRIBUTE_FILTER: &str = "attr.";

/// The filter of this name.
#[must_use]
pub fn filter_spec(name: &str) -> Option<FilterSpec> {
    match name.strip_prefix(ATTRIBUTE_FILTER) {
        Some(key) if !key.is_empty() => Some(spec("attr", "Attribute", FilterValues::Text)),
        Some(_) => None,
        None => FILTERS.iter().copied().find(|filter| filter.name == name),
    }
}

/// What was typed into the search box, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Typed {
    /// The words to search for.
    pub search: String,
    /// The filters: names with values.
    pub filters: Vec<(String, String)>,
}

/// Takes apart what was typed into the search box: `status:disabled group:"beta testers" jsmith`. A word is a
/// filter when a name, all letters, stands before its first colon; what is in quotes is one word and never a
/// filter's name.
#[must_use]
pub fn take_apart(text: &str) -> Typed {
    let mut typed = Typed::default();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, after_name) = match filter_name(rest) {
            Some((name, after)) => (Some(name), after),
            None => (None, rest),
        };
        let (value, after) = word(after_name);
        match name {
            Some(name) => typed.filters.push((name.to_ascii_lowercase(), value)),
            None if value.is_empty() => {}
            None => {
                if !typed.search.is_empty() {
                    typed.search.push(' ');
                }
                typed.search.push_str(&value);
            }
        }
        rest = after.trim_start();
    }
    typed
}

/// `name:` at the beginning, and what follows it. The name of an attribute may hold anything but blanks.
fn filter_name(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| c == ':' || c == '"' || c.is_whitespace())?;
    let (name, rest) = text.split_at_checked(end)?;
    let rest = rest.strip_prefix(':')?;
    let plain = name.chars().all(|c| c.is_ascii_alphabetic() || c == '_');
    (!name.is_empty() && (plain || name.to_ascii_lowercase().starts_with(ATTRIBUTE_FILTER))).then_some((name, rest))
}

/// The word at the beginning, without its quotes, and what follows it.
fn word(text: &str) -> (String, &str) {
    if let Some(quoted) = text.strip_prefix('"') {
        return match quoted.split_once('"') {
            Some((word, rest)) => (word.to_owned(), rest),
            None => (quoted.to_owned(), ""),
        };
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    (word.to_owned(), rest)
}

/// A text to be searched for as it is, although it may read as a filter.
#[must_use]
pub fn as_words(text: &str) -> String {
    let words = text.split(char::is_whitespace).filter(|word| !word.is_empty());
    let quoted = words
        .map(|word| if word.contains([':', '"']) { format!("\"{}\"", word.replace('"', "")) } else { word.to_owned() });
    quoted.collect::<Vec<_>>().join(" ")
}

/// A filter as it would be typed.
#[must_use]
pub fn as_typed(name: &str, value: &str) -> String {
    if value.contains(char::is_whitespace) { format!("{name}:\"{value}\"") } else { format!("{name}:{value}") }
}

/// What to say about a time that is none.
pub const NOT_A_TIME: &str = "Must be a day such as 2026-01-31 or a time such as 2026-01-31T09:30:00Z.";
/// What to say about a span of time that is none.
pub const NOT_A_SPAN: &str = "Must be a number of days, weeks, months or years such as 7d, >30d (longer ago), 6w, 12m or 1y, a day with > or < \
     before it, or two days with .. between.";

/// Reads a time, or the beginning of a day (UTC).
///
/// # Errors
/// A sentence that says what is wrong.
pub fn parse_time(text: &str) -> Result<Timestamp, &'static str> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let day: jiff::civil::Date = text.parse().map_err(|_| NOT_A_TIME)?;
    let start = day.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| NOT_A_TIME)?;
    Ok(Timestamp::from_micros(start.timestamp().as_microsecond()))
}

/// Reads a span of time: `7d` and `<7d` are the last seven days, `>30d` is longer ago than that;
/// `2026-01-01..2026-02-01` holds its first day and not its last; `>` and `<` before a day are after and before it;
/// a day alone is that day.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn parse_span(text: &str, now: Timestamp) -> Result<Span, &'static str> {
    let text = text.trim();
    if let Some((from, until)) = text.split_once("..") {
        let end =
            |text: &str| if text.is_empty() { Ok(None) } else { parse_time(text).map(Some).map_err(|_| NOT_A_SPAN) };
        let span = Span { after: end(from)?, before: end(until)? };
        return if span.is_open() { Err(NOT_A_SPAN) } else { Ok(span) };
    }
    let (sign, rest) = match text.split_at_checked(1) {
        Some((sign @ (">" | "<"), rest)) => (sign, rest.strip_prefix('=').unwrap_or(rest)),
        _ => ("", text),
    };
    if let Some(ago) = parse_ago(rest) {
        let then = now.minus(ago);
        return Ok(match sign {
            ">" => Span { after: None, before: Some(then) },
            _ => Span { after: Some(then), before: None },
        });
    }
    let time = parse_time(rest).map_err(|_| NOT_A_SPAN)?;
    Ok(match sign {
        ">" => Span { after: Some(time), before: None },
        "<" => Span { after: None, before: Some(time) },
        _ => Span { after: Some(time), before: Some(time.plus(Duration::from_secs(24 * 3600))) },
    })
}

fn parse_ago(text: &str) -> Option<Duration> {
    let unit = text.chars().next_back()?;
    let days = match unit {
        'd' => 1,
        'w' => 7,
        'm' => 30,
        'y' => 365,
        _ => return None,
    };
    let number: u32 = text.strip_suffix(unit)?.parse().ok().filter(|number| *number <= 100_000)?;
    Some(Duration::from_secs(u64::from(number) * days * 24 * 3600))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(typed: &Typed) -> Vec<(&str, &str)> {
        typed.filters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    #[test]
    fn filters_and_words_are_told_apart() {
        let typed = take_apart(r#"status:disabled last_sign_in:>30d group:"Beta testers" jsmith"#);
        assert_eq!(typed.search, "jsmith");
        assert_eq!(pairs(&typed), [("status", "disabled"), ("last_sign_in", ">30d"), ("group", "Beta testers")]);
        let typed = take_apart(r#"  attr.cost-center:"4 711"  "status:disabled" +49:30 http://x "#);
        assert_eq!(pairs(&typed), [("attr.cost-center", "4 711"), ("http", "//x")]);
        assert_eq!(typed.search, "status:disabled +49:30");
        assert_eq!(take_apart("group:").filters, [("group".to_owned(), String::new())]);
    }

    #[test]
    fn spans_are_read_as_people_write_them() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let day = |text: &str| Some(parse_time(text).unwrap());
        let ago = |days: u64| Some(now.minus(Duration::from_secs(days * 24 * 3600)));
        for (text, after, before) in [
            ("7d", ago(7), None),
            ("<7d", ago(7), None),
            (">30d", None, ago(30)),
            ("2w", ago(14), None),
            ("2026-01-01..2026-02-01", day("2026-01-01"), day("2026-02-01")),
            ("2026-01-01..", day("2026-01-01"), None),
            (">2026-01-01", day("2026-01-01"), None),
            ("<=2026-01-01", None, day("2026-01-01")),
            ("2026-01-01", day("2026-01-01"), day("2026-01-02")),
        ] {
            assert_eq!(parse_span(text, now), Ok(Span { after, before }), "{text}");
        }
        for wrong in ["", "..", ">", "d", "-3d", "7x", "yesterday", "2026-13-01", "9999999999d"] {
            assert_eq!(parse_span(wrong, now), Err(NOT_A_SPAN), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_panic(text in "\\PC{0,60}") {
            let _ = take_apart(&text);
            let _ = parse_span(&text, Timestamp::from_secs(1_800_000_000));
        }

        #[test]
        fn words_are_never_filters(text in "[a-z:\" ]{0,20}") {
            prop_assert!(take_apart(&as_words(&text)).filters.is_empty());
        }

        #[test]
        fn a_filter_survives_being_typed(value in "[a-z ]{1,12}") {
            let typed = take_apart(&as_typed("group", &value));
            prop_assert_eq!(pairs(&typed), [("group", value.as_str())]);
        }
    }
}
