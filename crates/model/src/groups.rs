//! Groups of users (PRODUCT §8).

use crate::{GroupId, RealmId, Timestamp, text::fold, validation::FieldErrors};

/// Users who belong together; their tokens name the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Stable id.
    pub id: GroupId,
    /// The realm it belongs to.
    pub realm_id: RealmId,
    /// Its name, also in tokens; unique in the realm without regard to case.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// How many users are in it.
    pub member_count: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed; members come and go without it.
    pub updated_at: Timestamp,
    /// Grows with each change; the API's `ETag`.
    pub version: i64,
}

/// Checks what a person typed.
pub fn check_group(name: &str, description: &str, errors: &mut FieldErrors) {
    check_name(name, errors);
    errors.line("description", description, 500);
}

/// Checks a name by which lists are sorted and looked through.
pub(crate) fn check_name(name: &str, errors: &mut FieldErrors) {
    errors.required_line("name", name, 100);
    // Nothing but marks folds to nothing, by which it could not be found again.
    if fold(name).is_empty() {
        errors.add("name", "Must not be empty.");
    }
    if name != name.trim() {
        errors.add("name", "Must not begin or end with a blank.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(name: &str, description: &str) -> Vec<String> {
        let mut errors = FieldErrors::new();
        check_group(name, description, &mut errors);
        errors.iter().map(|(field, _)| field.to_owned()).collect()
    }

    #[test]
    fn a_name_is_one_line_that_can_be_found() {
        assert!(wrong("Beta testers", "Try what is new.").is_empty());
        assert!(wrong("王", "").is_empty());
        for name in ["", " ", "\u{301}", "two\nlines", " beta", "beta ", "a\u{202e}b", &"x".repeat(101)] {
            assert_eq!(wrong(name, ""), ["name"], "{name:?}");
        }
        assert_eq!(wrong("beta", &"x".repeat(501)), ["description"]);
        assert_eq!(wrong("beta", "two\nlines"), ["description"]);
    }
}
