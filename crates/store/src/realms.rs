//! Realms.

use denizen_model::{RealmId, Timestamp, realms::Realm};

use crate::{
    error::{Error, Result},
    sql::statements,
    tx::{ReadTx, WriteTx},
    value::{Row, params, to_json},
};

macro_rules! columns {
    () => {
        "id, slug, display_name, enabled, settings, created_at, updated_at, version"
    };
}

statements! {
    INSERT = "INSERT INTO realms (id, slug, display_name, enabled, settings, created_at, updated_at, version, num) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, (SELECT coalesce(max(num), 0) + 1 FROM realms))",
        postgres: "INSERT INTO realms (id, slug, display_name, enabled, settings, created_at, updated_at, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    INSERT_LOCK = "INSERT INTO realm_locks (realm_id, turn) VALUES (?1, 0)";
    LOCK = "UPDATE realm_locks SET turn = turn + 1 WHERE realm_id = ?1";
    FIND_BY_SLUG = concat!("SELECT ", columns!(), " FROM realms WHERE slug = ?1 AND deleted_at IS NULL");
    FIND = concat!("SELECT ", columns!(), " FROM realms WHERE id = ?1 AND deleted_at IS NULL");
    LIST = concat!("SELECT ", columns!(), " FROM realms WHERE deleted_at IS NULL ORDER BY slug");
    UPDATE = "UPDATE realms SET slug = ?3, display_name = ?4, enabled = ?5, settings = ?6, updated_at = ?7, version = version + 1 WHERE id = ?1 AND version = ?2";
    MARK_DELETED = "UPDATE realms SET slug = id, enabled = ?2, deleted_at = ?3 WHERE id = ?1";
    LIST_DELETED = "SELECT id FROM realms WHERE deleted_at IS NOT NULL";
    PURGE_USERS = "DELETE FROM users WHERE id IN (SELECT id FROM users WHERE realm_id = ?1 LIMIT 500)";
    PURGE_EVENTS = "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE realm_id = ?1 LIMIT 2000)";
    DELETE = "DELETE FROM realms WHERE id = ?1";
}

fn read_realm(row: &Row<'_>) -> Result<Realm> {
    Ok(Realm {
        id: row.parse("id")?,
        slug: row.text("slug")?,
        display_name: row.text("display_name")?,
        enabled: row.bool("enabled")?,
        settings: row.json("settings")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        version: row.i64("version")?,
    })
}

/// Stores a new realm.
///
/// # Errors
/// Constraint `realms_slug` when the name is taken.
pub fn insert(tx: &mut WriteTx<'_>, realm: &Realm) -> Result<()> {
    let settings = to_json(&realm.settings)?;
    tx.execute(
        &INSERT,
        params![
            realm.id,
            &realm.slug,
            &realm.display_name,
            realm.enabled,
            settings,
            realm.created_at,
            realm.updated_at,
            realm.version
        ],
    )?;
    tx.execute(&INSERT_LOCK, params![realm.id])?;
    Ok(())
}

/// Makes other transactions that call this for the same realm wait until this one ends.
///
/// # Errors
/// When the database fails.
pub fn lock(tx: &mut WriteTx<'_>, realm: RealmId) -> Result<()> {
    tx.execute(&LOCK, params![realm]).map(drop)
}

/// The realm of this name.
///
/// # Errors
/// When the database fails.
pub fn find_by_slug(tx: &mut ReadTx<'_>, slug: &str) -> Result<Option<Realm>> {
    tx.find(&FIND_BY_SLUG, params![slug], read_realm)
}

/// The realm of this id.
///
/// # Errors
/// When the database fails.
pub fn find(tx: &mut ReadTx<'_>, id: RealmId) -> Result<Option<Realm>> {
    tx.find(&FIND, params![id], read_realm)
}

/// All realms, by name.
///
/// # Errors
/// When the database fails.
pub fn list(tx: &mut ReadTx<'_>) -> Result<Vec<Realm>> {
    tx.list(&LIST, &[], read_realm)
}

/// Stores a changed realm, if nobody changed it since it was read. Answers whether it was stored.
///
/// # Errors
/// Constraint `realms_slug` when the name is taken.
pub fn update(tx: &mut WriteTx<'_>, realm: &Realm, now: Timestamp) -> Result<bool> {
    let settings = to_json(&realm.settings)?;
    let changed = tx.execute(
        &UPDATE,
        params![realm.id, realm.version, &realm.slug, &realm.display_name, realm.enabled, settings, now],
    )?;
    Ok(changed == 1)
}

/// Takes a realm out of sight at once; [`purge`] removes what it held.
///
/// # Errors
/// When the database fails.
pub fn mark_deleted(tx: &mut WriteTx<'_>, id: RealmId, now: Timestamp) -> Result<()> {
    tx.execute(&MARK_DELETED, params![id, false, now]).map(drop)
}

/// Realms marked as deleted that still hold something.
///
/// # Errors
/// When the database fails.
pub fn list_deleted(tx: &mut ReadTx<'_>) -> Result<Vec<RealmId>> {
    tx.list(&LIST_DELETED, &[], |row| row.parse("id"))
}

/// Removes a portion of a deleted realm. Answers whether it is gone altogether.
///
/// # Errors
/// When the database fails.
pub fn purge(tx: &mut WriteTx<'_>, id: RealmId) -> Result<bool> {
    if tx.execute(&PURGE_USERS, params![id])? > 0 || tx.execute(&PURGE_EVENTS, params![id])? > 0 {
        return Ok(false);
    }
    tx.execute(&DELETE, params![id])?;
    Ok(true)
}

/// [`find`], where nothing is an error of the database's own making.
///
/// # Errors
/// [`Error::Corrupt`] when there is no such realm.
pub fn get(tx: &mut ReadTx<'_>, id: RealmId) -> Result<Realm> {
    find(tx, id)?.ok_or_else(|| Error::Corrupt(format!("realm {id} does not exist")))
}
