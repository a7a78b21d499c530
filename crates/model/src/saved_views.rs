//! Saved views of the list of users (PRODUCT §4): a name for a search, filters, an order and columns.

use crate::{RealmId, SavedViewId, Timestamp, UserId, validation::FieldErrors};

/// So many views an administrator may keep in a realm.
pub const MAX_VIEWS: u64 = 50;
/// So many views may be shared in a realm.
pub const MAX_SHARED_VIEWS: u64 = 100;
/// The longest name, in characters.
pub const MAX_VIEW_NAME: usize = 60;
/// The longest query string, in bytes.
pub const MAX_VIEW_QUERY: usize = 4000;

/// A named view of the list of users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedView {
    /// Stable id.
    pub id: SavedViewId,
    /// The realm whose users it lists.
    pub realm_id: RealmId,
    /// The administrator who saved it.
    pub owner_id: UserId,
    /// What that administrator is called.
    pub owner_name: String,
    /// Its name, unique among its owner's without regard to case.
    pub name: String,
    /// The list's query string, without a place.
    pub query: String,
    /// Whether every administrator of the realm sees it.
    pub shared: bool,
    /// When it was saved.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Grows with each change; the API's `ETag`.
    pub version: i64,
}

/// Checks what a person typed. What the query asks for is checked by whoever understands it.
pub fn check_view(name: &str, query: &str, errors: &mut FieldErrors) {
    errors.required_line("name", name, MAX_VIEW_NAME);
    if query.len() > MAX_VIEW_QUERY {
        errors.add("query", format!("Must be at most {MAX_VIEW_QUERY} bytes long."));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_has_a_name_of_one_line() {
        for (name, query, wrong) in [
            ("Late payers", "status=active", None),
            ("", "", Some("name")),
            ("a\nb", "", Some("name")),
            (&*"x".repeat(61), "", Some("name")),
            ("Long", &*"q".repeat(4001), Some("query")),
        ] {
            let mut errors = FieldErrors::new();
            check_view(name, query, &mut errors);
            assert_eq!(errors.iter().next().map(|(field, _)| field), wrong, "{name} {query}");
        }
    }
}
