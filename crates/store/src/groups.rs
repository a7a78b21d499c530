//! Groups and who is in them.

use std::marker::PhantomData;

use denizen_model::{GroupId, RealmId, Timestamp, UserId, groups::Group, text::fold};

use crate::{
    error::Result,
    members::{Members, beginning_with},
    sql::statements,
    tx::{ReadTx, WriteTx},
    users,
    value::{Row, params},
};

macro_rules! columns {
    () => {
        "g.id, g.realm_id, g.name, g.description, \
         CAST(coalesce((SELECT sum(c.total) FROM group_counts c WHERE c.group_id = g.id), 0) AS BIGINT) AS member_count, \
         g.created_at, g.updated_at, g.version"
    };
}

statements! {
    INSERT = "INSERT INTO groups (id, realm_id, name, name_key, description, created_at, updated_at, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    UPDATE = "UPDATE groups SET name = ?4, name_key = ?5, description = ?6, updated_at = ?7, version = version + 1 WHERE realm_id = ?1 AND id = ?2 AND version = ?3";
    DELETE = "DELETE FROM groups WHERE realm_id = ?1 AND id = ?2";
    FIND = concat!("SELECT ", columns!(), " FROM groups g WHERE g.realm_id = ?1 AND g.id = ?2");
    FIND_BY_NAME = concat!("SELECT ", columns!(), " FROM groups g WHERE g.realm_id = ?1 AND g.name_key = ?2");
    LIST = concat!("SELECT ", columns!(), " FROM groups g WHERE g.realm_id = ?1 AND g.name_key > ?2 AND g.name_key >= ?3 AND g.name_key < ?4 ORDER BY g.name_key LIMIT ?5");
    COUNT = "SELECT count(*) AS found FROM (SELECT 1 FROM groups WHERE realm_id = ?1 AND name_key >= ?2 AND name_key < ?3 LIMIT ?4) AS counted";
    LIST_IDS_OF = "SELECT group_id FROM user_groups WHERE realm_id = ?1 AND user_id = ?2";
    LIST_OF = concat!("SELECT ", columns!(), " FROM user_groups o JOIN groups g ON g.id = o.group_id WHERE o.realm_id = ?1 AND o.user_id = ?2 ORDER BY g.name_key");
    LOCK = "SELECT id FROM groups WHERE id = ?1", postgres: "SELECT id FROM groups WHERE id = ?1 FOR UPDATE";
    ADD = "INSERT INTO user_groups (realm_id, user_id, group_id, added_at) SELECT ?1, given.value ->> 1, given.value ->> 0, ?2 FROM json_each(?3) AS given WHERE true ON CONFLICT DO NOTHING RETURNING group_id AS id, user_id",
        postgres: "INSERT INTO user_groups (realm_id, user_id, group_id, added_at) SELECT ?1, given.value ->> 1, given.value ->> 0, CAST(?2 AS BIGINT) FROM json_array_elements(CAST(CAST(?3 AS TEXT) AS JSON)) AS given(value) ON CONFLICT DO NOTHING RETURNING group_id AS id, user_id";
    REMOVE = "DELETE FROM user_groups WHERE realm_id = ?1 AND group_id = ?2 AND user_id IN (SELECT value FROM json_each(?3)) RETURNING user_id",
        postgres: "DELETE FROM user_groups WHERE realm_id = ?1 AND group_id = ?2 AND user_id IN (SELECT value FROM json_array_elements_text(CAST(CAST(?3 AS TEXT) AS JSON)) AS given(value)) RETURNING user_id";
    LEAVE_ALL = "DELETE FROM user_groups WHERE user_id = ?1 RETURNING group_id AS id";
    COUNT_MEMBERS = "INSERT INTO group_counts (group_id, shard, total) SELECT given.value ->> 0, given.value ->> 1, given.value ->> 2 FROM json_each(?1) AS given WHERE true ON CONFLICT (group_id, shard) DO UPDATE SET total = group_counts.total + excluded.total",
        postgres: "INSERT INTO group_counts (group_id, shard, total) SELECT given.value ->> 0, CAST(given.value ->> 1 AS BIGINT), CAST(given.value ->> 2 AS BIGINT) FROM json_array_elements(CAST(CAST(?1 AS TEXT) AS JSON)) AS given(value) ON CONFLICT (group_id, shard) DO UPDATE SET total = group_counts.total + excluded.total";
    LIST_MEMBERS = concat!("SELECT ", users::columns!(), " FROM users WHERE id IN (SELECT user_id FROM user_groups WHERE group_id = ?1 AND user_id > ?2 ORDER BY user_id LIMIT ?3) ORDER BY id");
    LIST_MEMBER_IDS = "SELECT user_id FROM user_groups WHERE group_id = ?1 ORDER BY user_id LIMIT ?2";
}

/// Who is in a group.
pub const MEMBERS: Members<GroupId> = Members {
    lock: LOCK,
    add: ADD,
    remove: REMOVE,
    leave_all: LEAVE_ALL,
    count: COUNT_MEMBERS,
    list: LIST_MEMBERS,
    list_ids: LIST_MEMBER_IDS,
    of: PhantomData,
};

fn read_group(row: &Row<'_>) -> Result<Group> {
    Ok(Group {
        id: row.parse("id")?,
        realm_id: row.parse("realm_id")?,
        name: row.text("name")?,
        description: row.text("description")?,
        member_count: row.count("member_count")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        version: row.i64("version")?,
    })
}

/// Stores a new group.
///
/// # Errors
/// Constraint `groups_name_key` when the name is taken.
pub fn insert(tx: &mut WriteTx<'_>, group: &Group) -> Result<()> {
    tx.execute(
        &INSERT,
        params![
            group.id,
            group.realm_id,
            &group.name,
            fold(&group.name),
            &group.description,
            group.created_at,
            group.updated_at,
            group.version
        ],
    )
    .map(drop)
}

/// Stores a changed group, if nobody changed it since it was read. Answers whether it was stored.
///
/// # Errors
/// Constraint `groups_name_key` when the name is taken.
pub fn update(tx: &mut WriteTx<'_>, group: &Group, now: Timestamp) -> Result<bool> {
    let changed = tx.execute(
        &UPDATE,
        params![group.realm_id, group.id, group.version, &group.name, fold(&group.name), &group.description, now],
    )?;
    Ok(changed == 1)
}

/// Removes a group altogether, everyone's membership with it. Answers whether there was one.
///
/// # Errors
/// When the database fails.
pub fn delete(tx: &mut WriteTx<'_>, realm: RealmId, id: GroupId) -> Result<bool> {
    Ok(tx.execute(&DELETE, params![realm, id])? == 1)
}

/// The group of this id in this realm.
///
/// # Errors
/// When the database fails.
pub fn find(tx: &mut ReadTx<'_>, realm: RealmId, id: GroupId) -> Result<Option<Group>> {
    tx.find(&FIND, params![realm, id], read_group)
}

/// The group of this name in this realm, without regard to case.
///
/// # Errors
/// When the database fails.
pub fn find_by_name(tx: &mut ReadTx<'_>, realm: RealmId, name: &str) -> Result<Option<Group>> {
    tx.find(&FIND_BY_NAME, params![realm, fold(name)], read_group)
}

/// Groups of a realm whose folded name begins with `prefix` and comes after `after`, by name.
///
/// # Errors
/// When the database fails.
pub fn list(tx: &mut ReadTx<'_>, realm: RealmId, prefix: &str, after: &str, limit: u32) -> Result<Vec<Group>> {
    let (from, to) = beginning_with(prefix);
    tx.list(&LIST, params![realm, after, from, to, limit], read_group)
}

/// How many groups of a realm have a folded name that begins with `prefix`, counted up to `bound`.
///
/// # Errors
/// When the database fails.
pub fn count(tx: &mut ReadTx<'_>, realm: RealmId, prefix: &str, bound: u32) -> Result<u64> {
    let (from, to) = beginning_with(prefix);
    Ok(tx.find(&COUNT, params![realm, from, to, bound], |row| row.count("found"))?.unwrap_or(0))
}

/// A user's groups, by name.
///
/// # Errors
/// When the database fails.
pub fn list_of(tx: &mut ReadTx<'_>, realm: RealmId, user: UserId) -> Result<Vec<Group>> {
    tx.list(&LIST_OF, params![realm, user], read_group)
}

/// The ids of those a user is in.
///
/// # Errors
/// When the database fails.
pub fn list_ids_of(tx: &mut ReadTx<'_>, realm: RealmId, user: UserId) -> Result<Vec<GroupId>> {
    tx.list(&LIST_IDS_OF, params![realm, user], |row| row.parse("group_id"))
}
