//! Users by the hundred, for long work: one round trip for many.

use denizen_model::{RealmId, Timestamp, UserId, users::User};

use super::{columns, read_user};
use crate::{
    error::Result,
    sql::statements,
    tx::ReadTx,
    value::{params, to_json},
};

statements! {
    LIST_BY_IDS = concat!("SELECT ", columns!(), " FROM users WHERE id IN (SELECT value FROM json_each(?2)) AND realm_id = ?1"),
        postgres: concat!("SELECT ", columns!(), " FROM users WHERE id = ANY (ARRAY(SELECT json_array_elements_text(CAST(CAST(?2 AS TEXT) AS json)))) AND realm_id = ?1");
    LIST_PLACES = "SELECT created_at, id FROM users WHERE realm_id = ?1 AND (created_at, id) > (?2, ?3) ORDER BY created_at, id LIMIT ?4";
}

/// Those users of a realm that there are of these ids, in no order.
///
/// # Errors
/// When the database fails.
pub fn list_by_ids(tx: &mut ReadTx<'_>, realm: RealmId, ids: &[UserId]) -> Result<Vec<User>> {
    tx.list(&LIST_BY_IDS, params![realm, to_json(&ids)?], read_user)
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
