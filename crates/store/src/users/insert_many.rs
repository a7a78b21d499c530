//! New users by the hundred, for imports.

use std::collections::BTreeMap;

use denizen_model::{RealmId, UserId, events::chain_of, users::User};

use super::{insert_columns, insert_values};
use crate::{
    error::Result,
    sql::{Rows, statements},
    tx::WriteTx,
    value::{params, to_json},
};

/// The columns of a new user.
pub(crate) const USERS: Rows = Rows { table: "users", columns: insert_columns!() };

statements! {
    COUNT_MANY = "INSERT INTO user_counts (realm_id, shard, kind, enabled, total) SELECT ?1, json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'), json_extract(value, '$[3]') FROM json_each(?2) WHERE true ON CONFLICT (realm_id, shard, kind, enabled) DO UPDATE SET total = user_counts.total + excluded.total",
        postgres: "INSERT INTO user_counts (realm_id, shard, kind, enabled, total) SELECT CAST(?1 AS TEXT), CAST(value->>0 AS BIGINT), value->>1, CAST(value->>2 AS BOOLEAN), CAST(value->>3 AS BIGINT) FROM json_array_elements(CAST(CAST(?2 AS TEXT) AS json)) ON CONFLICT (realm_id, shard, kind, enabled) DO UPDATE SET total = user_counts.total + excluded.total";
}

/// Stores new users of one realm and counts them.
///
/// # Errors
/// Constraint `users_username_key` when a username is taken.
pub fn insert_many(tx: &mut WriteTx<'_>, realm: RealmId, users: &[User]) -> Result<()> {
    tx.insert_rows(&USERS, users.iter().map(|user| Ok(insert_values(user)?.to_vec())))?;
    // In one order, so that two transactions never wait for each other.
    let mut counts: BTreeMap<(u8, &str, bool), i64> = BTreeMap::new();
    for user in users {
        *counts.entry((chain_of(&user.id.to_string()), user.kind.as_str(), user.enabled)).or_default() += 1;
    }
    let rows: Vec<(u8, &str, bool, i64)> =
        counts.into_iter().map(|((shard, kind, enabled), total)| (shard, kind, enabled, total)).collect();
    tx.execute(&COUNT_MANY, params![realm, to_json(&rows)?]).map(drop)
}

/// Brings up to date what lists go by, for users who were just [inserted](insert_many), once their authenticators,
/// roles, groups and organizations are there. As [`reindex`](super::reindex) does it for one.
///
/// # Errors
/// When the database fails.
pub fn index_many(tx: &mut WriteTx<'_>, realm: RealmId, users: &[UserId]) -> Result<()> {
    for user in users {
        super::reindex(tx, realm, *user)?;
    }
    Ok(())
}
