//! New users by the hundred, for imports.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use denizen_model::{
    RealmId, Timestamp, UserId,
    events::chain_of,
    users::{Facet, User},
};

use super::{
    admin_rank,
    index::{self, Entry, IndexContext},
    insert_columns, insert_values,
};
use crate::{
    duplicates,
    error::{Error, Result},
    sql::{Rows, statements},
    tx::WriteTx,
    value::{params, to_json},
};

/// The columns of a user's row in the index.
pub(crate) const INDEX: Rows = Rows {
    table: "user_index",
    columns: "num, realm_num, created_at, last_sign_in_at, admin_rank, name_key, email_key, phone_key, reference_key, \
              search_text, near_text, facets",
};

/// The columns of a new user.
pub(crate) const USERS: Rows = Rows { table: "users", columns: insert_columns!() };

statements! {
    NUMS = "SELECT id, num FROM users WHERE id IN (SELECT value FROM json_each(?1))",
        postgres: "SELECT id, num FROM users WHERE id = ANY (ARRAY(SELECT json_array_elements_text(CAST(CAST(?1 AS TEXT) AS json))))";
    COUNT_MANY = "INSERT INTO user_counts (realm_id, shard, kind, enabled, total) SELECT ?1, json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'), json_extract(value, '$[3]') FROM json_each(?2) WHERE true ON CONFLICT (realm_id, shard, kind, enabled) DO UPDATE SET total = user_counts.total + excluded.total",
        postgres: "INSERT INTO user_counts (realm_id, shard, kind, enabled, total) SELECT CAST(?1 AS TEXT), CAST(value->>0 AS BIGINT), value->>1, CAST(value->>2 AS BOOLEAN), CAST(value->>3 AS BIGINT) FROM json_array_elements(CAST(CAST(?2 AS TEXT) AS json)) ON CONFLICT (realm_id, shard, kind, enabled) DO UPDATE SET total = user_counts.total + excluded.total";
}

/// Stores new users of one realm and counts them. [`index_many`] follows once what hangs on them is stored.
///
/// # Errors
/// Constraint `users_username_key` when a username is taken.
pub fn insert_many(tx: &mut WriteTx<'_>, realm: RealmId, users: &[User]) -> Result<()> {
    tx.insert_rows(&USERS, users.iter().map(|user| Ok(insert_values(user)?.to_vec())))?;
    duplicates::insert(tx, realm, &users.iter().collect::<Vec<_>>())?;
    // In one order, so that two transactions never wait for each other.
    let mut counts: BTreeMap<(u8, &str, bool), i64> = BTreeMap::new();
    for user in users {
        *counts.entry((chain_of(&user.id.to_string()), user.kind.as_str(), user.enabled)).or_default() += 1;
    }
    let rows: Vec<(u8, &str, bool, i64)> =
        counts.into_iter().map(|((shard, kind, enabled), total)| (shard, kind, enabled, total)).collect();
    tx.execute(&COUNT_MANY, params![realm, to_json(&rows)?]).map(drop)
}

/// Puts users who were just [inserted](insert_many) into the index that lists go by, each with what they hold besides
/// the record.
///
/// # Errors
/// When the database fails.
pub fn index_many(tx: &mut WriteTx<'_>, realm: RealmId, users: &[(&User, &[Facet])]) -> Result<()> {
    let context = IndexContext::load(tx, realm)?;
    let ids: Vec<UserId> = users.iter().map(|(user, _)| user.id).collect();
    let nums = tx.list(&NUMS, params![to_json(&ids)?], |row| Ok((row.parse::<UserId>("id")?, row.i64("num")?)))?;
    let nums: HashMap<UserId, i64> = nums.into_iter().collect();
    let rows = users.iter().map(|(user, held)| {
        let num = nums.get(&user.id).ok_or_else(|| Error::Internal("a user who was stored is gone".to_owned()))?;
        let entry = Entry::new(&context, user, held);
        let signed_in = user.last_sign_in_at.map_or(0, Timestamp::as_micros);
        Ok(params![
            *num,
            entry.realm_num,
            user.created_at,
            signed_in,
            admin_rank(user.admin_role),
            entry.name_key,
            entry.email_key,
            entry.phone_key,
            entry.reference_key,
            entry.search_text,
            entry.near_text,
            entry.facets,
        ]
        .to_vec())
    });
    tx.insert_rows(&INDEX, rows)?;
    // Each word once, and in one order, so that two transactions never wait for each other.
    let words: BTreeSet<String> = users.iter().flat_map(|(user, _)| user.fuzzy_words()).collect();
    index::add_many_words(tx, words)
}

/// The index as it is stored.
#[cfg(test)]
pub(crate) fn dump_index(tx: &mut crate::tx::ReadTx<'_>) -> Result<Vec<String>> {
    let text = format!("SELECT {} FROM user_index ORDER BY num", INDEX.columns);
    tx.list_text(&text, &[], |row| {
        let numbers = ["num", "realm_num", "created_at", "last_sign_in_at", "admin_rank"];
        let texts = ["name_key", "email_key", "phone_key", "reference_key", "search_text", "near_text", "facets"];
        let mut line = String::new();
        for name in numbers {
            line.push_str(&format!("{} ", row.i64(name)?));
        }
        for name in texts {
            line.push_str(&format!("{:?} ", row.text(name)?));
        }
        Ok(line)
    })
}
