//! Realm roles and who has them.

use denizen_model::{RealmId, RoleId, Timestamp, UserId, roles::Role, text::fold};

use crate::{
    error::Result,
    sql::statements,
    tx::{ReadTx, WriteTx},
    users::reindex,
    value::{Row, params},
};

macro_rules! columns {
    () => {
        "r.id, r.realm_id, r.name, r.description, \
         (SELECT count(*) FROM user_roles ur WHERE ur.role_id = r.id) AS user_count, r.created_at, r.updated_at, r.version"
    };
}

statements! {
    INSERT = "INSERT INTO roles (id, realm_id, name, name_key, description, created_at, updated_at, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    UPDATE = "UPDATE roles SET name = ?4, name_key = ?5, description = ?6, updated_at = ?7, version = version + 1 WHERE realm_id = ?1 AND id = ?2 AND version = ?3";
    DELETE = "DELETE FROM roles WHERE realm_id = ?1 AND id = ?2";
    FIND = concat!("SELECT ", columns!(), " FROM roles r WHERE r.realm_id = ?1 AND r.id = ?2");
    LIST = concat!("SELECT ", columns!(), " FROM roles r WHERE r.realm_id = ?1 AND r.name_key > ?2 ORDER BY r.name_key LIMIT ?3");
    LIST_IDS_OF = "SELECT role_id FROM user_roles WHERE realm_id = ?1 AND user_id = ?2";
    LIST_OF = concat!("SELECT ", columns!(), " FROM user_roles o JOIN roles r ON r.id = o.role_id WHERE o.realm_id = ?1 AND o.user_id = ?2 ORDER BY r.name_key");
    ASSIGN = "INSERT INTO user_roles (realm_id, user_id, role_id, assigned_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
    REMOVE = "DELETE FROM user_roles WHERE realm_id = ?1 AND user_id = ?2 AND role_id = ?3";
    COUNT = "SELECT count(*) AS roles FROM roles WHERE realm_id = ?1";
}

fn read_role(row: &Row<'_>) -> Result<Role> {
    Ok(Role {
        id: row.parse("id")?,
        realm_id: row.parse("realm_id")?,
        name: row.text("name")?,
        description: row.text("description")?,
        user_count: row.count("user_count")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        version: row.i64("version")?,
    })
}

/// Stores a new role.
///
/// # Errors
/// Constraint `roles_name_key` when the name is taken.
pub fn insert(tx: &mut WriteTx<'_>, role: &Role) -> Result<()> {
    tx.execute(
        &INSERT,
        params![
            role.id,
            role.realm_id,
            &role.name,
            fold(&role.name),
            &role.description,
            role.created_at,
            role.updated_at,
            role.version
        ],
    )
    .map(drop)
}

/// Stores a changed role, if nobody changed it since it was read. Answers whether it was stored.
///
/// # Errors
/// Constraint `roles_name_key` when the name is taken.
pub fn update(tx: &mut WriteTx<'_>, role: &Role, now: Timestamp) -> Result<bool> {
    let changed = tx.execute(
        &UPDATE,
        params![role.realm_id, role.id, role.version, &role.name, fold(&role.name), &role.description, now],
    )?;
    Ok(changed == 1)
}

/// Removes a role from everyone and altogether. Answers whether there was one.
///
/// # Errors
/// When the database fails.
pub fn delete(tx: &mut WriteTx<'_>, realm: RealmId, id: RoleId) -> Result<bool> {
    Ok(tx.execute(&DELETE, params![realm, id])? == 1)
}

/// The role of this id in this realm.
///
/// # Errors
/// When the database fails.
pub fn find(tx: &mut ReadTx<'_>, realm: RealmId, id: RoleId) -> Result<Option<Role>> {
    tx.find(&FIND, params![realm, id], read_role)
}

/// Roles of a realm whose folded name comes after `after`, by name.
///
/// # Errors
/// When the database fails.
pub fn list(tx: &mut ReadTx<'_>, realm: RealmId, after: &str, limit: u32) -> Result<Vec<Role>> {
    tx.list(&LIST, params![realm, after, limit], read_role)
}

/// How many roles a realm has.
///
/// # Errors
/// When the database fails.
pub fn count(tx: &mut ReadTx<'_>, realm: RealmId) -> Result<u64> {
    Ok(tx.find(&COUNT, params![realm], |row| row.count("roles"))?.unwrap_or(0))
}

/// A user's roles, by name.
///
/// # Errors
/// When the database fails.
pub fn list_of(tx: &mut ReadTx<'_>, realm: RealmId, user: UserId) -> Result<Vec<Role>> {
    tx.list(&LIST_OF, params![realm, user], read_role)
}

/// Gives a user a role. Answers whether they did not have it yet.
///
/// # Errors
/// When the database fails.
pub fn assign(tx: &mut WriteTx<'_>, realm: RealmId, user: UserId, role: RoleId, now: Timestamp) -> Result<bool> {
    let assigned = tx.execute(&ASSIGN, params![realm, user, role, now])? == 1;
    reindex(tx, realm, user)?;
    Ok(assigned)
}

/// Takes a role from a user. Answers whether they had it.
///
/// # Errors
/// When the database fails.
pub fn remove(tx: &mut WriteTx<'_>, realm: RealmId, user: UserId, role: RoleId) -> Result<bool> {
    let removed = tx.execute(&REMOVE, params![realm, user, role])? == 1;
    reindex(tx, realm, user)?;
    Ok(removed)
}

/// The ids of those a user holds.
///
/// # Errors
/// When the database fails.
pub fn list_ids_of(tx: &mut ReadTx<'_>, realm: RealmId, user: UserId) -> Result<Vec<RoleId>> {
    tx.list(&LIST_IDS_OF, params![realm, user], |row| row.parse("role_id"))
}
