//! Likely duplicates: what records share, which of it more than one record has, and pairs said to be different
//! people.
//!
//! Each user has a few short keys. A key that a second user gets is noted as a group at that moment, so that a list
//! of duplicates among a million users reads a handful of rows. On PostgreSQL two transactions that run at the same
//! moment do not see each other's keys; [`note_recent`] finds what they missed.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use denizen_model::{
    RealmId, Timestamp, UserId,
    duplicates::{DuplicateReason, MAX_GROUP, traits},
    users::User,
    uuid_v7,
};
use serde::Serialize;

use crate::{
    conn::Engine,
    error::Result,
    sql::{Rows, statements},
    tx::{ReadTx, WriteTx},
    users::{columns, read_user},
    value::{Row, params, to_json},
};

/// Up to this many groups are counted.
const COUNTED: u64 = 1000;

macro_rules! insert {
    ($pairs:literal) => {
        concat!("INSERT INTO duplicate_keys (realm_id, user_id, duplicate_key) SELECT ?1, v.value ->> 'u', v.value ->> 'k' FROM ", $pairs, " WHERE true ON CONFLICT DO NOTHING")
    };
}
// On SQLite the join is written so that it begins with the pairs: left to itself it would go through all keys of the
// realm and hold each against them.
macro_rules! note {
    ($pairs:literal, $join:literal) => {
        concat!("INSERT INTO duplicate_groups (realm_id, duplicate_key) SELECT DISTINCT k.realm_id, k.duplicate_key FROM ", $pairs, $join, " duplicate_keys k ON k.realm_id = ?1 AND k.duplicate_key = v.value ->> 'k' AND k.user_id <> v.value ->> 'u' WHERE true ON CONFLICT DO NOTHING")
    };
}
macro_rules! remove {
    ($keys:literal) => {
        concat!("DELETE FROM duplicate_keys WHERE user_id = ?1 AND duplicate_key IN (SELECT v.value FROM ", $keys, ")")
    };
}
macro_rules! dissolve {
    ($keys:literal) => {
        concat!("DELETE FROM duplicate_groups WHERE realm_id = ?1 AND duplicate_key IN (SELECT v.value FROM ", $keys, ") AND (SELECT k.user_id FROM duplicate_keys k WHERE k.realm_id = ?1 AND k.duplicate_key = duplicate_groups.duplicate_key AND k.user_id <> ?2 ORDER BY k.user_id LIMIT 1 OFFSET 1) IS NULL")
    };
}
// The same here: it begins with the groups that are shown.
macro_rules! members {
    ($keys:literal, $join:literal) => {
        concat!(
            "SELECT p.duplicate_key, ",
            columns!(),
            " FROM (SELECT g.duplicate_key, k.user_id FROM (SELECT v.value AS duplicate_key, (SELECT l.user_id FROM duplicate_keys l WHERE l.realm_id = ?1 AND l.duplicate_key = v.value ORDER BY l.user_id LIMIT 1 OFFSET ?3) AS last_id FROM ",
            $keys,
            ") g",
            $join,
            " duplicate_keys k ON k.realm_id = ?1 AND k.duplicate_key = g.duplicate_key AND k.user_id <= coalesce(g.last_id, 'z')) p JOIN users ON users.id = p.user_id ORDER BY p.duplicate_key, p.user_id"
        )
    };
}
macro_rules! dismissed {
    ($keys:literal) => {
        concat!("SELECT first_id, second_id FROM duplicate_dismissals WHERE realm_id = ?1 AND first_id IN (SELECT v.value FROM ", $keys, ")")
    };
}

statements! {
    INSERT = insert!("json_each(?2) v"), postgres: insert!("json_array_elements(CAST(CAST(?2 AS TEXT) AS json)) AS v (value)");
    NOTE = note!("json_each(?2) v", " CROSS JOIN"), postgres: note!("json_array_elements(CAST(CAST(?2 AS TEXT) AS json)) AS v (value)", " JOIN");
    REMOVE = remove!("json_each(?2) v"), postgres: remove!("json_array_elements_text(CAST(CAST(?2 AS TEXT) AS json)) AS v (value)");
    DISSOLVE = dissolve!("json_each(?3) v"), postgres: dissolve!("json_array_elements_text(CAST(CAST(?3 AS TEXT) AS json)) AS v (value)");
    NOTE_RECENT = "INSERT INTO duplicate_groups (realm_id, duplicate_key) SELECT DISTINCT k.realm_id, k.duplicate_key FROM duplicate_keys k WHERE k.user_id >= ?1 AND EXISTS (SELECT 1 FROM duplicate_keys o WHERE o.realm_id = k.realm_id AND o.duplicate_key = k.duplicate_key AND o.user_id <> k.user_id) ON CONFLICT DO NOTHING";
    GROUPS = "SELECT duplicate_key FROM duplicate_groups WHERE realm_id = ?1 AND duplicate_key > ?2 AND duplicate_key < ?3 ORDER BY duplicate_key LIMIT ?4";
    COUNT = "SELECT count(*) AS found FROM (SELECT 1 FROM duplicate_groups WHERE realm_id = ?1 AND duplicate_key > ?2 AND duplicate_key < ?3 LIMIT ?4) g";
    MEMBERS = members!("json_each(?2) v", " CROSS JOIN"), postgres: members!("json_array_elements_text(CAST(CAST(?2 AS TEXT) AS json)) AS v (value)", " JOIN");
    DISMISSED = dismissed!("json_each(?2) v"), postgres: dismissed!("json_array_elements_text(CAST(CAST(?2 AS TEXT) AS json)) AS v (value)");
    DISMISS = "INSERT INTO duplicate_dismissals (realm_id, first_id, second_id, dismissed_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
    GROUPS_OF = "SELECT g.duplicate_key FROM duplicate_keys k JOIN duplicate_groups g ON g.realm_id = ?1 AND g.duplicate_key = k.duplicate_key WHERE k.user_id = ?2 ORDER BY g.duplicate_key";
    DELETE_GROUP = "DELETE FROM duplicate_groups WHERE realm_id = ?1 AND duplicate_key = ?2";
}

/// The keys of a record: the reason's letter and 120 bits of SHA-256.
fn keys(user: &User) -> Vec<String> {
    let key = |(reason, text): (DuplicateReason, String)| {
        let hash = digest::digest(&digest::SHA256, text.as_bytes());
        let bytes = hash.as_ref().get(..15).unwrap_or_default();
        format!("{}{}", reason.letter(), URL_SAFE_NO_PAD.encode(bytes))
    };
    traits(user).into_iter().map(key).collect()
}

/// Why a key makes duplicates.
fn reason(key: &str) -> Option<DuplicateReason> {
    DuplicateReason::ALL.iter().copied().find(|reason| key.starts_with(reason.letter()))
}

/// The columns of a key of a user.
pub(crate) const KEYS: Rows = Rows { table: "duplicate_keys", columns: "realm_id, user_id, duplicate_key" };

#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
struct Pair<'a> {
    k: String,
    u: &'a str,
}

/// Notes what new users share with others; two round trips for however many of them. To be called after they are
/// stored, by whatever stores them otherwise than by [`crate::users::insert`].
///
/// # Errors
/// When the database fails.
pub fn insert(tx: &mut WriteTx<'_>, realm: RealmId, users: &[&User]) -> Result<()> {
    let ids: Vec<String> = users.iter().map(|user| user.id.to_string()).collect();
    let pairs: BTreeSet<Pair<'_>> = users
        .iter()
        .zip(&ids)
        .flat_map(|(user, id)| keys(user).into_iter().map(move |key| Pair { k: key, u: id }))
        .collect();
    if users.len() == 1 {
        return insert_pairs(tx, realm, pairs.into_iter().collect());
    }
    if pairs.is_empty() {
        return Ok(());
    }
    tx.insert_rows(&KEYS, pairs.iter().map(|pair| Ok(params![realm, pair.u, &pair.k].to_vec())))?;
    tx.execute(&NOTE, params![realm, to_json(&pairs)?]).map(drop)
}

fn insert_pairs(tx: &mut WriteTx<'_>, realm: RealmId, pairs: Vec<Pair<'_>>) -> Result<()> {
    if pairs.is_empty() {
        return Ok(());
    }
    let pairs = to_json(&pairs)?;
    tx.execute(&INSERT, params![realm, &pairs])?;
    tx.execute(&NOTE, params![realm, &pairs]).map(drop)
}

/// Keeps up with a changed record. Most changes do not touch what is shared and cost nothing.
///
/// # Errors
/// When the database fails.
pub fn update(tx: &mut WriteTx<'_>, before: &User, user: &User) -> Result<()> {
    let (old, new) = (keys(before), keys(user));
    if old == new {
        return Ok(());
    }
    let gone: Vec<&String> = old.iter().filter(|key| !new.contains(key)).collect();
    if !gone.is_empty() {
        let gone = to_json(&gone)?;
        tx.execute(&DISSOLVE, params![user.realm_id, user.id, &gone])?;
        tx.execute(&REMOVE, params![user.id, &gone])?;
    }
    let id = user.id.to_string();
    let come = new.into_iter().filter(|key| !old.contains(key)).map(|k| Pair { k, u: &id });
    insert_pairs(tx, user.realm_id, come.collect())
}

/// Dissolves the groups that are none without a user who is about to be deleted; the keys go with the user.
///
/// # Errors
/// When the database fails.
pub fn forget(tx: &mut WriteTx<'_>, user: &User) -> Result<()> {
    let keys = keys(user);
    if keys.is_empty() {
        return Ok(());
    }
    tx.execute(&DISSOLVE, params![user.realm_id, user.id, to_json(&keys)?]).map(drop)
}

/// Notes groups among users made since a time whose transactions did not see each other. Only PostgreSQL runs
/// several at once.
///
/// # Errors
/// When the database fails.
pub fn note_recent(tx: &mut WriteTx<'_>, since: Timestamp) -> Result<u64> {
    match tx.engine() {
        Engine::Sqlite => Ok(0),
        Engine::Postgres => tx.execute(&NOTE_RECENT, params![uuid_v7(since, [0; 10]).to_string()]),
    }
}

/// Users that share something.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// What they share, as a key.
    pub key: String,
    /// Why they are taken for duplicates.
    pub reason: DuplicateReason,
    /// The first of them by age, at most [`MAX_GROUP`] and one.
    pub users: Vec<User>,
}

/// The first and the last possible key of a reason, or of all.
fn bounds(reason: Option<DuplicateReason>) -> (String, String) {
    match reason {
        Some(reason) => (reason.letter().to_string(), format!("{}~", reason.letter())),
        None => (String::new(), "~".to_owned()),
    }
}

/// Groups whose key comes after `after`, by key.
///
/// # Errors
/// When the database fails.
pub fn list(
    tx: &mut ReadTx<'_>,
    realm: RealmId,
    reason_only: Option<DuplicateReason>,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<Group>> {
    let (first, end) = bounds(reason_only);
    let after = after.filter(|after| *after > first.as_str()).unwrap_or(&first);
    let keys = tx.list(&GROUPS, params![realm, after, &end, limit], |row| row.text("duplicate_key"))?;
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let most = i64::try_from(MAX_GROUP).unwrap_or(i64::MAX);
    let read = |row: &Row<'_>| Ok((row.text("duplicate_key")?, read_user(row)?));
    let members = tx.list(&MEMBERS, params![realm, to_json(&keys)?, most], read)?;
    let mut groups: Vec<Group> = keys
        .into_iter()
        .filter_map(|key| reason(&key).map(|reason| Group { key, reason, users: Vec::new() }))
        .collect();
    for (key, user) in members {
        if let Some(group) = groups.iter_mut().find(|group| group.key == key) {
            group.users.push(user);
        }
    }
    Ok(groups)
}

/// How many groups there are, and whether that is all.
///
/// # Errors
/// When the database fails.
pub fn count(tx: &mut ReadTx<'_>, realm: RealmId, reason: Option<DuplicateReason>) -> Result<(u64, bool)> {
    let (first, end) = bounds(reason);
    let most = i64::try_from(COUNTED + 1).unwrap_or(i64::MAX);
    let found = tx.find(&COUNT, params![realm, &first, &end, most], |row| row.count("found"))?.unwrap_or(0);
    Ok((found.min(COUNTED), found <= COUNTED))
}

/// The pairs among these users that were said to be different people; the smaller id first.
///
/// # Errors
/// When the database fails.
pub fn list_dismissed(tx: &mut ReadTx<'_>, realm: RealmId, users: &[UserId]) -> Result<Vec<(UserId, UserId)>> {
    if users.is_empty() {
        return Ok(Vec::new());
    }
    tx.list(&DISMISSED, params![realm, to_json(&users)?], |row| Ok((row.parse("first_id")?, row.parse("second_id")?)))
}

/// Notes that two users are different people.
///
/// # Errors
/// When the database fails.
pub fn dismiss(tx: &mut WriteTx<'_>, realm: RealmId, one: UserId, other: UserId, now: Timestamp) -> Result<()> {
    tx.execute(&DISMISS, params![realm, one.min(other), one.max(other), now]).map(drop)
}

/// The groups a user is in.
///
/// # Errors
/// When the database fails.
pub fn list_of(tx: &mut ReadTx<'_>, realm: RealmId, user: UserId) -> Result<Vec<Group>> {
    let keys = tx.list(&GROUPS_OF, params![realm, user], |row| row.text("duplicate_key"))?;
    let mut groups = Vec::new();
    for key in keys {
        let most = i64::try_from(MAX_GROUP).unwrap_or(i64::MAX);
        let users = tx.list(&MEMBERS, params![realm, to_json(&[&key])?, most], read_user)?;
        groups.extend(reason(&key).map(|reason| Group { key, reason, users }));
    }
    Ok(groups)
}

/// Takes a group off the list. It comes back when another user gets its key.
///
/// # Errors
/// When the database fails.
pub fn delete_group(tx: &mut WriteTx<'_>, realm: RealmId, key: &str) -> Result<()> {
    tx.execute(&DELETE_GROUP, params![realm, key]).map(drop)
}
