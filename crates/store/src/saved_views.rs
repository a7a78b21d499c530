//! Saved views of the list of users.

use denizen_model::{RealmId, SavedViewId, Timestamp, UserId, saved_views::SavedView, text::fold};

use crate::{
    error::Result,
    sql::statements,
    tx::{ReadTx, WriteTx},
    value::{Row, params},
};

macro_rules! columns {
    () => {
        "v.id, v.realm_id, v.owner_id, u.name AS owner_name, u.username AS owner_username, v.name, v.query, v.shared, \
         v.created_at, v.updated_at, v.version"
    };
}

statements! {
    INSERT = "INSERT INTO saved_views (id, realm_id, owner_id, name, name_key, query, shared, created_at, updated_at, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    UPDATE = "UPDATE saved_views SET name = ?4, name_key = ?5, query = ?6, shared = ?7, updated_at = ?8, version = version + 1 WHERE realm_id = ?1 AND id = ?2 AND version = ?3";
    DELETE = "DELETE FROM saved_views WHERE realm_id = ?1 AND id = ?2";
    FIND = concat!("SELECT ", columns!(), " FROM saved_views v JOIN users u ON u.id = v.owner_id WHERE v.realm_id = ?1 AND v.id = ?2 AND (v.owner_id = ?3 OR v.shared)");
    OWN = concat!("SELECT ", columns!(), " FROM saved_views v JOIN users u ON u.id = v.owner_id WHERE v.realm_id = ?1 AND v.owner_id = ?2 ORDER BY v.name_key");
    SHARED = concat!("SELECT ", columns!(), " FROM saved_views v JOIN users u ON u.id = v.owner_id WHERE v.realm_id = ?1 AND v.shared AND v.owner_id <> ?2 ORDER BY v.name_key, v.id");
    COUNT_OWN = "SELECT count(*) AS views FROM saved_views WHERE realm_id = ?1 AND owner_id = ?2";
    COUNT_SHARED = "SELECT count(*) AS views FROM saved_views WHERE realm_id = ?1 AND shared";
}

fn read_view(row: &Row<'_>) -> Result<SavedView> {
    let (id, realm_id, owner_id) = (row.parse("id")?, row.parse("realm_id")?, row.parse("owner_id")?);
    let (name, username) = (row.text("owner_name")?, row.text("owner_username")?);
    Ok(SavedView {
        id,
        realm_id,
        owner_id,
        owner_name: if name.is_empty() { username } else { name },
        name: row.text("name")?,
        query: row.text("query")?,
        shared: row.bool("shared")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        version: row.i64("version")?,
    })
}

/// Stores a new view.
///
/// # Errors
/// Constraint `saved_views_name_key` when its owner has one of that name.
pub fn insert(tx: &mut WriteTx<'_>, view: &SavedView) -> Result<()> {
    tx.execute(
        &INSERT,
        params![
            view.id,
            view.realm_id,
            view.owner_id,
            &view.name,
            fold(&view.name),
            &view.query,
            view.shared,
            view.created_at,
            view.updated_at,
            view.version
        ],
    )
    .map(drop)
}

/// Stores a changed view, if nobody changed it since it was read. Answers whether it was stored.
///
/// # Errors
/// Constraint `saved_views_name_key` when its owner has one of that name.
pub fn update(tx: &mut WriteTx<'_>, view: &SavedView, now: Timestamp) -> Result<bool> {
    let changed = tx.execute(
        &UPDATE,
        params![view.realm_id, view.id, view.version, &view.name, fold(&view.name), &view.query, view.shared, now],
    )?;
    Ok(changed == 1)
}

/// Removes a view. Answers whether there was one.
///
/// # Errors
/// When the database fails.
pub fn delete(tx: &mut WriteTx<'_>, realm: RealmId, id: SavedViewId) -> Result<bool> {
    Ok(tx.execute(&DELETE, params![realm, id])? == 1)
}

/// The view of this id, if it is `who`'s own or shared.
///
/// # Errors
/// When the database fails.
pub fn find(tx: &mut ReadTx<'_>, realm: RealmId, id: SavedViewId, who: UserId) -> Result<Option<SavedView>> {
    tx.find(&FIND, params![realm, id, who], read_view)
}

/// The views that `who` sees: their own, then those that others share, each by name.
///
/// # Errors
/// When the database fails.
pub fn list(tx: &mut ReadTx<'_>, realm: RealmId, who: UserId) -> Result<Vec<SavedView>> {
    let mut views = tx.list(&OWN, params![realm, who], read_view)?;
    views.extend(tx.list(&SHARED, params![realm, who], read_view)?);
    Ok(views)
}

/// How many views `who` has in a realm.
///
/// # Errors
/// When the database fails.
pub fn count_own(tx: &mut ReadTx<'_>, realm: RealmId, who: UserId) -> Result<u64> {
    Ok(tx.find(&COUNT_OWN, params![realm, who], |row| row.count("views"))?.unwrap_or(0))
}

/// How many views are shared in a realm.
///
/// # Errors
/// When the database fails.
pub fn count_shared(tx: &mut ReadTx<'_>, realm: RealmId) -> Result<u64> {
    Ok(tx.find(&COUNT_SHARED, params![realm], |row| row.count("views"))?.unwrap_or(0))
}
