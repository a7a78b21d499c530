//! Users by the hundred, for long work that visits them all.

use denizen_model::{RealmId, Timestamp, UserId};

use crate::{error::Result, sql::statements, tx::ReadTx, value::params};

statements! {
    LIST_PLACES = "SELECT created_at, id FROM users WHERE realm_id = ?1 AND (created_at, id) > (?2, ?3) ORDER BY created_at, id LIMIT ?4";
}

/// When users were made and who they are, oldest first, from the one after this place.
///
/// # Errors
/// When the database fails.
pub fn list_places(
    tx: &mut ReadTx<'_>,
    realm: RealmId,
    after: Option<(Timestamp, UserId)>,
    limit: u32,
) -> Result<Vec<(Timestamp, UserId)>> {
    let (at, id) = match after {
        Some((at, id)) => (at, id.to_string()),
        None => (Timestamp::from_micros(i64::MIN), String::new()),
    };
    tx.list(&LIST_PLACES, params![realm, at, id, limit], |row| Ok((row.time("created_at")?, row.parse("id")?)))
}
