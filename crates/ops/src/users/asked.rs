//! The list of users as an address asks for it: the one place that reads its query string for what is done to all
//! that a list shows, bulk actions and exports.

use denizen_model::{
    RealmId, Timestamp,
    pages::Direction,
    users::{UserKind, UserQuery, UserSort},
    validation::FieldErrors,
};
use denizen_store::ReadTx;

use super::check_query;
use crate::Result;

/// The query of a list's query string, without a place and a page size.
///
/// # Errors
/// Naming each parameter that is not one of the list's, or whose value is not acceptable.
pub(crate) fn asked_in(_tx: &mut ReadTx<'_>, _realm: RealmId, text: &str, _now: Timestamp) -> Result<UserQuery> {
    let mut query = UserQuery::default();
    let mut errors = FieldErrors::new();
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        match &*name {
            "q" => query.search = Some(value.into_owned()).filter(|text| !text.is_empty()),
            "kind" => match UserKind::from_name(&value) {
                Some(kind) => query.kind = Some(kind),
                None => errors.add("kind", "Must be human or machine."),
            },
            "status" => match &*value {
                "active" => query.enabled = Some(true),
                "disabled" => query.enabled = Some(false),
                _ => errors.add("status", "Must be active or disabled."),
            },
            "sort" => match sort(&value) {
                Some((sort, direction)) => (query.sort, query.direction) = (sort, direction),
                None => errors.add(
                    "sort",
                    "Must be created_at, last_sign_in_at, name, email or role, with or without - before it.",
                ),
            },
            other => errors.add(other, "There is no such parameter."),
        }
    }
    errors.into_result()?;
    check_query(&query)?;
    Ok(query)
}

fn sort(text: &str) -> Option<(UserSort, Direction)> {
    let (name, direction) = match text.strip_prefix('-') {
        Some(name) => (name, Direction::Descending),
        None => (text, Direction::Ascending),
    };
    UserSort::from_name(name).map(|sort| (sort, direction))
}
