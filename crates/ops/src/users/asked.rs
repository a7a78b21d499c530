//! All that a list of users shows, as its query string says it: for bulk actions and exports.

use denizen_model::{RealmId, Timestamp, users::UserQuery, validation::FieldErrors};
use denizen_store::ReadTx;

use super::{Asked, understand};
use crate::Result;

/// The query of a list's query string, without a place and a page size.
///
/// # Errors
/// Naming each parameter that is not one of the list's, or whose value is not acceptable.
pub(crate) fn asked_in(tx: &mut ReadTx<'_>, realm: RealmId, text: &str, now: Timestamp) -> Result<UserQuery> {
    let pairs: Vec<_> = form_urlencoded::parse(text.as_bytes()).collect();
    let asked = Asked::read(pairs.iter().map(|(name, value)| (&**name, &**value)))?;
    let mut errors = FieldErrors::new();
    for (name, given) in [("cursor", asked.cursor.is_some()), ("limit", asked.limit.is_some())] {
        if given {
            errors.add(name, "Goes with a page of the list; here it is all of it.");
        }
    }
    errors.into_result()?;
    Ok(understand(tx, realm, now, &asked)?.query)
}
