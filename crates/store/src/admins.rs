//! Admin grants: who administers what.

use denizen_model::{RealmId, Timestamp, UserId, permissions::AdminRole, users::AdminGrant};

use crate::{
    error::Result,
    sql::statements,
    tx::{ReadTx, WriteTx},
    value::{Row, params},
};

statements! {
    LIST = "SELECT role, scope FROM admin_grants WHERE user_id = ?1 ORDER BY scope";
    PUT = "INSERT INTO admin_grants (realm_id, user_id, role, scope, granted_at) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (user_id, scope) DO UPDATE SET role = excluded.role, granted_at = excluded.granted_at";
    DELETE = "DELETE FROM admin_grants WHERE realm_id = ?1 AND user_id = ?2 AND scope = ?3";
    OTHER_OWNERS = "SELECT count(*) AS owners FROM admin_grants g JOIN users u ON u.id = g.user_id WHERE g.realm_id = ?1 AND g.role = 'owner' AND g.user_id <> ?2 AND u.enabled AND u.kind = 'human'";
    ANY_OWNER = "SELECT count(*) AS owners FROM admin_grants WHERE realm_id = ?1 AND role = 'owner'";
}

fn scope_text(scope: Option<RealmId>) -> String {
    scope.map(|realm| realm.to_string()).unwrap_or_default()
}

fn read_grant(row: &Row<'_>) -> Result<AdminGrant> {
    let role = row.parse::<AdminRole>("role")?;
    let scope = row.text("scope")?;
    let realm_id = if scope.is_empty() { None } else { Some(row.parse("scope")?) };
    Ok(AdminGrant { role, realm_id })
}

/// What a user holds.
///
/// # Errors
/// When the database fails.
pub fn list(tx: &mut ReadTx<'_>, user: UserId) -> Result<Vec<AdminGrant>> {
    tx.list(&LIST, params![user], read_grant)
}

/// Grants a role, or replaces the one held in the same scope. `realm` is the user's own.
///
/// # Errors
/// When the database fails.
pub fn put(tx: &mut WriteTx<'_>, realm: RealmId, user: UserId, grant: AdminGrant, now: Timestamp) -> Result<()> {
    tx.execute(&PUT, params![realm, user, grant.role.as_str(), scope_text(grant.realm_id), now]).map(drop)
}

/// Takes a grant away. Answers whether there was one.
///
/// # Errors
/// When the database fails.
pub fn delete(tx: &mut WriteTx<'_>, realm: RealmId, user: UserId, scope: Option<RealmId>) -> Result<bool> {
    Ok(tx.execute(&DELETE, params![realm, user, scope_text(scope)])? == 1)
}

/// How many enabled people of a realm other than this one hold the owner role.
///
/// # Errors
/// When the database fails.
pub fn count_other_owners(tx: &mut ReadTx<'_>, realm: RealmId, user: UserId) -> Result<u64> {
    Ok(tx.find(&OTHER_OWNERS, params![realm, user], |row| row.count("owners"))?.unwrap_or(0))
}

/// Whether the realm has had its first owner made.
///
/// # Errors
/// When the database fails.
pub fn has_owner(tx: &mut ReadTx<'_>, realm: RealmId) -> Result<bool> {
    Ok(tx.find(&ANY_OWNER, params![realm], |row| row.count("owners"))?.unwrap_or(0) > 0)
}
