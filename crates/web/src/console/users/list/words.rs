//! What the list shows, in plain words: `12 users, disabled, not signed in for 30 days, matching “smith”, best match
//! first`.

use denizen_model::{
    pages::{Direction, Total},
    users::UserSort,
};
use denizen_ops::users::{Applied, Understood};

use crate::console::words::{count, number};

pub(super) fn total(total: Total) -> String {
    if total.exact { count(total.count, "user", "users") } else { format!("About {} users", number(total.count)) }
}

/// An order in words.
pub(super) fn order(sort: UserSort, direction: Direction) -> &'static str {
    let up = direction == Direction::Ascending;
    let one = |rising, falling| if up { rising } else { falling };
    match sort {
        UserSort::BestMatch => "best match first",
        UserSort::CreatedAt => one("oldest first", "newest first"),
        UserSort::LastSignInAt => one("longest away first", "last signed in first"),
        UserSort::Name => one("by name", "by name, Z to A"),
        UserSort::Email => one("by email", "by email, Z to A"),
        UserSort::Phone => one("by phone number", "by phone number, highest first"),
        UserSort::Reference => one("by reference", "by reference, Z to A"),
        UserSort::Role => one("administrators last", "administrators first"),
    }
}

/// A filter as part of a sentence about the users it leaves.
fn clause(filter: &Applied) -> String {
    let Applied { name, value, label, words } = filter;
    let yes = value == "true";
    let one = |when: &str, not: &str| if yes { when } else { not }.to_owned();
    match name.as_str() {
        "kind" => if value == "machine" { "machines" } else { "people" }.to_owned(),
        "status" => words.clone(),
        "locked" => one("locked", "not locked"),
        "admin" => one("administrators", "not administrators"),
        "role" => format!("with the role {words}"),
        "group" => format!("in the group {words}"),
        "organization" => format!("members of {words}"),
        "email_verified" => one("email verified", "email not verified"),
        "phone_verified" => one("phone verified", "phone not verified"),
        "has_password" => one("with a password", "without a password"),
        "authenticator" if value == "recovery_codes" => format!("with {words}"),
        "authenticator" => format!("with {} {words}", if words.starts_with(['a', 'e']) { "an" } else { "a" }),
        "provider" => format!("linked to {words}"),
        "required_action" => format!("who must {words}"),
        "last_sign_in" if value == "never" => "never signed in".to_owned(),
        "last_sign_in" => match words.strip_prefix("more than ").and_then(|rest| rest.strip_suffix(" ago")) {
            Some(time) => format!("not signed in for {time}"),
            None => format!("signed in {}", words.replacen("in the last", "within the last", 1)),
        },
        "created" => format!("created {words}"),
        "created_after" | "created_before" | "last_sign_in_after" | "last_sign_in_before" => {
            format!("{} {words}", label.to_lowercase())
        }
        _ => format!("{label} {words}"),
    }
}

/// The whole sentence.
pub(super) fn summary(found: Total, understood: &Understood) -> String {
    let mut parts = vec![total(found)];
    parts.extend(understood.applied.iter().map(clause));
    if let Some(search) = &understood.query.search {
        parts.push(format!("matching “{search}”"));
    }
    if found.count > 1 {
        parts.push(order(understood.query.sort, understood.query.direction).to_owned());
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_read_as_a_sentence() {
        let filter = |name: &str, value: &str, label: &str, words: &str| {
            let [name, value, label, words] = [name, value, label, words].map(str::to_owned);
            clause(&Applied { name, value, label, words })
        };
        assert_eq!(
            filter("last_sign_in", ">30d", "Last sign-in", "more than 30 days ago"),
            "not signed in for 30 days"
        );
        assert_eq!(
            filter("last_sign_in", "7d", "Last sign-in", "in the last 7 days"),
            "signed in within the last 7 days"
        );
        assert_eq!(filter("has_password", "false", "Has a password", "no"), "without a password");
        assert_eq!(filter("authenticator", "totp", "Authenticator", "authenticator app"), "with an authenticator app");
        assert_eq!(filter("authenticator", "email_code", "Authenticator", "email code"), "with an email code");
        assert_eq!(
            filter("authenticator", "sms_code", "Authenticator", "text message code"),
            "with a text message code"
        );
        assert_eq!(filter("authenticator", "recovery_codes", "Authenticator", "recovery codes"), "with recovery codes");
        assert_eq!(
            filter("required_action", "configure_otp", "Required action", "set up an authenticator app"),
            "who must set up an authenticator app"
        );
        assert_eq!(filter("attr.team", "blue", "team", "blue"), "team blue");
        assert_eq!(total(Total { count: 45_000, exact: false }), "About 45,000 users");
    }
}
