//! How the console puts things into words: counts, names, labels.

use denizen_model::{
    pages::Total,
    permissions::AdminRole,
    users::{User, UserKind, VerificationState},
};
use serde::Serialize;

use crate::path_segment;

/// A small mark beside a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Label {
    pub text: &'static str,
    /// neutral, success, warning, danger, info or accent.
    pub kind: &'static str,
}

impl Label {
    pub(super) const fn new(text: &'static str, kind: &'static str) -> Self {
        Self { text, kind }
    }
}

/// What stands beside a user's name in lists; `full` also says that the account is enabled.
pub(super) fn user_labels(user: &User, full: bool) -> Vec<Label> {
    let verified = |state| state == VerificationState::Verified;
    let mut labels = Vec::new();
    if !user.enabled {
        labels.push(Label::new("Disabled", "neutral"));
    } else if full {
        labels.push(Label::new("Enabled", "success"));
    }
    match (verified(user.email_state), verified(user.phone_state)) {
        (true, true) => labels.push(Label::new("Email and phone verified", "success")),
        (true, false) => labels.push(Label::new("Email verified", "success")),
        (false, true) => labels.push(Label::new("Phone verified", "success")),
        (false, false) => {}
    }
    if user.admin_role.is_some() {
        labels.push(Label::new("Admin", "accent"));
    }
    if user.kind == UserKind::Machine {
        labels.push(Label::new("Machine", "info"));
    }
    labels
}

/// A number with its thousands marked.
pub(super) fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `No users`, `1 user`, `12,482 users`.
pub(super) fn count(count: u64, one: &str, many: &str) -> String {
    match count {
        0 => format!("No {many}"),
        1 => format!("1 {one}"),
        more => format!("{} {many}", number(more)),
    }
}

/// A total as [`count`] says it; of one that is only a lower bound, that there are more.
pub(super) fn total(total: Total, one: &str, many: &str) -> String {
    if total.exact { count(total.count, one, many) } else { format!("More than {} {many}", number(total.count)) }
}

/// An admin role's name for people.
pub(super) fn role_label(role: AdminRole) -> &'static str {
    match role {
        AdminRole::Owner => "Owner",
        AdminRole::Admin => "Admin",
        AdminRole::Support => "Support",
        AdminRole::Auditor => "Auditor",
    }
}

/// What an admin role allows, in a few words.
pub(super) fn role_description(role: AdminRole) -> &'static str {
    match role {
        AdminRole::Owner => "Everything, realms included",
        AdminRole::Admin => "Everything in the realm",
        AdminRole::Support => "Users, resets and sessions",
        AdminRole::Auditor => "Sees everything, changes nothing",
    }
}

/// A duration in its largest whole unit.
pub(super) fn duration(seconds: u64) -> String {
    const UNITS: [(u64, &str, &str); 3] =
        [(86_400, "day", "days"), (3_600, "hour", "hours"), (60, "minute", "minutes")];
    let fitting = UNITS.into_iter().find(|(size, ..)| seconds >= *size && seconds.is_multiple_of(*size));
    fitting.map_or_else(|| count(seconds, "second", "seconds"), |(size, one, many)| count(seconds / size, one, many))
}

/// A query string with its `?`, or nothing. Pairs without a value are left out.
pub(super) fn query(pairs: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (key, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        out.push(if out.is_empty() { '?' } else { '&' });
        out.push_str(key);
        out.push('=');
        out.push_str(&path_segment(value));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_read_as_people_write_them() {
        assert_eq!(count(0, "user", "users"), "No users");
        assert_eq!(count(1, "user", "users"), "1 user");
        assert_eq!(count(1_234_567, "user", "users"), "1,234,567 users");
        assert_eq!(number(100), "100");
        assert_eq!(duration(7 * 86_400), "7 days");
        assert_eq!(duration(90), "90 seconds");
    }

    #[test]
    fn query_strings_are_encoded() {
        assert_eq!(query(&[("q", "a&b é"), ("kind", ""), ("sort", "-name")]), "?q=a%26b%20%C3%A9&sort=-name");
        assert_eq!(query(&[("q", "")]), "");
    }
}
