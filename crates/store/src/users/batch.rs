//! Users by the hundred, for long work that visits them all.

use denizen_model::{RealmId, UserId};

use crate::{error::Result, sql::statements, tx::ReadTx, value::params};

statements! {
    LIST_PLACES = "SELECT i.created_at, i.num, u.id FROM user_index i JOIN users u ON u.num = i.num WHERE i.realm_num = (SELECT num FROM realms WHERE id = ?1) AND (i.created_at, i.num) > (?2, ?3) ORDER BY i.created_at, i.num LIMIT ?4";
}

/// A place in the order in which users were made: the time in microseconds, and the number that makes it unique.
pub type Place = (i64, i64);

/// The users of a realm with their places, oldest first, from the one after `after`.
///
/// # Errors
/// When the database fails.
pub fn list_places(
    tx: &mut ReadTx<'_>,
    realm: RealmId,
    after: Option<Place>,
    limit: u32,
) -> Result<Vec<(Place, UserId)>> {
    let (at, num) = after.unwrap_or((i64::MIN, i64::MIN));
    tx.list(&LIST_PLACES, params![realm, at, num, limit], |row| {
        Ok(((row.i64("created_at")?, row.i64("num")?), row.parse("id")?))
    })
}
