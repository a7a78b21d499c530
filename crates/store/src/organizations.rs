//! Organizations and who belongs to them.

use std::marker::PhantomData;

use denizen_model::{
    OrganizationId, RealmId, Timestamp, UserId,
    organizations::{Membership, Organization},
    text::fold,
};

use crate::{
    error::Result,
    members::{Members, beginning_with},
    sql::statements,
    tx::{ReadTx, WriteTx},
    users,
    value::{Row, params, to_json},
};

macro_rules! columns {
    () => {
        "n.id, n.realm_id, n.name, n.description, n.domains, \
         CAST(coalesce((SELECT sum(c.total) FROM organization_counts c WHERE c.organization_id = n.id), 0) AS BIGINT) AS member_count, \
         n.created_at, n.updated_at, n.version"
    };
}

statements! {
    INSERT = "INSERT INTO organizations (id, realm_id, name, name_key, description, domains, created_at, updated_at, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    UPDATE = "UPDATE organizations SET name = ?4, name_key = ?5, description = ?6, domains = ?7, updated_at = ?8, version = version + 1 WHERE realm_id = ?1 AND id = ?2 AND version = ?3";
    DELETE = "DELETE FROM organizations WHERE realm_id = ?1 AND id = ?2";
    FIND = concat!("SELECT ", columns!(), " FROM organizations n WHERE n.realm_id = ?1 AND n.id = ?2");
    FIND_BY_NAME = concat!("SELECT ", columns!(), " FROM organizations n WHERE n.realm_id = ?1 AND n.name_key = ?2");
    LIST = concat!("SELECT ", columns!(), " FROM organizations n WHERE n.realm_id = ?1 AND n.name_key > ?2 AND n.name_key >= ?3 AND n.name_key < ?4 ORDER BY n.name_key LIMIT ?5");
    COUNT = "SELECT count(*) AS found FROM (SELECT 1 FROM organizations WHERE realm_id = ?1 AND name_key >= ?2 AND name_key < ?3 LIMIT ?4) AS counted";
    LIST_OF = concat!("SELECT ", columns!(), ", o.joined_at FROM memberships o JOIN organizations n ON n.id = o.organization_id WHERE o.realm_id = ?1 AND o.user_id = ?2 ORDER BY n.name_key");
    LOCK = "SELECT id FROM organizations WHERE id = ?1", postgres: "SELECT id FROM organizations WHERE id = ?1 FOR UPDATE";
    ADD = "INSERT INTO memberships (realm_id, user_id, organization_id, joined_at) SELECT ?1, given.value ->> 1, given.value ->> 0, ?2 FROM json_each(?3) AS given WHERE true ON CONFLICT DO NOTHING RETURNING organization_id AS id, user_id",
        postgres: "INSERT INTO memberships (realm_id, user_id, organization_id, joined_at) SELECT ?1, given.value ->> 1, given.value ->> 0, CAST(?2 AS BIGINT) FROM json_array_elements(CAST(CAST(?3 AS TEXT) AS JSON)) AS given(value) ON CONFLICT DO NOTHING RETURNING organization_id AS id, user_id";
    REMOVE = "DELETE FROM memberships WHERE realm_id = ?1 AND organization_id = ?2 AND user_id IN (SELECT value FROM json_each(?3)) RETURNING user_id",
        postgres: "DELETE FROM memberships WHERE realm_id = ?1 AND organization_id = ?2 AND user_id IN (SELECT value FROM json_array_elements_text(CAST(CAST(?3 AS TEXT) AS JSON)) AS given(value)) RETURNING user_id";
    LEAVE_ALL = "DELETE FROM memberships WHERE user_id = ?1 RETURNING organization_id AS id";
    COUNT_MEMBERS = "INSERT INTO organization_counts (organization_id, shard, total) SELECT given.value ->> 0, given.value ->> 1, given.value ->> 2 FROM json_each(?1) AS given WHERE true ON CONFLICT (organization_id, shard) DO UPDATE SET total = organization_counts.total + excluded.total",
        postgres: "INSERT INTO organization_counts (organization_id, shard, total) SELECT given.value ->> 0, CAST(given.value ->> 1 AS BIGINT), CAST(given.value ->> 2 AS BIGINT) FROM json_array_elements(CAST(CAST(?1 AS TEXT) AS JSON)) AS given(value) ON CONFLICT (organization_id, shard) DO UPDATE SET total = organization_counts.total + excluded.total";
    LIST_MEMBERS = concat!("SELECT ", users::columns!(), " FROM users WHERE id IN (SELECT user_id FROM memberships WHERE organization_id = ?1 AND user_id > ?2 ORDER BY user_id LIMIT ?3) ORDER BY id");
    LIST_MEMBER_IDS = "SELECT user_id FROM memberships WHERE organization_id = ?1 ORDER BY user_id LIMIT ?2";
}

/// Who belongs to an organization.
pub const MEMBERS: Members<OrganizationId> = Members {
    lock: LOCK,
    add: ADD,
    remove: REMOVE,
    leave_all: LEAVE_ALL,
    count: COUNT_MEMBERS,
    list: LIST_MEMBERS,
    list_ids: LIST_MEMBER_IDS,
    of: PhantomData,
};

fn read_organization(row: &Row<'_>) -> Result<Organization> {
    Ok(Organization {
        id: row.parse("id")?,
        realm_id: row.parse("realm_id")?,
        name: row.text("name")?,
        description: row.text("description")?,
        domains: row.json("domains")?,
        member_count: row.count("member_count")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        version: row.i64("version")?,
    })
}

/// Stores a new organization.
///
/// # Errors
/// Constraint `organizations_name_key` when the name is taken.
pub fn insert(tx: &mut WriteTx<'_>, organization: &Organization) -> Result<()> {
    tx.execute(
        &INSERT,
        params![
            organization.id,
            organization.realm_id,
            &organization.name,
            fold(&organization.name),
            &organization.description,
            to_json(&organization.domains)?,
            organization.created_at,
            organization.updated_at,
            organization.version
        ],
    )
    .map(drop)
}

/// Stores a changed organization, if nobody changed it since it was read. Answers whether it was stored.
///
/// # Errors
/// Constraint `organizations_name_key` when the name is taken.
pub fn update(tx: &mut WriteTx<'_>, organization: &Organization, now: Timestamp) -> Result<bool> {
    let changed = tx.execute(
        &UPDATE,
        params![
            organization.realm_id,
            organization.id,
            organization.version,
            &organization.name,
            fold(&organization.name),
            &organization.description,
            to_json(&organization.domains)?,
            now
        ],
    )?;
    Ok(changed == 1)
}

/// Removes an organization altogether, everyone's membership with it. Answers whether there was one.
///
/// # Errors
/// When the database fails.
pub fn delete(tx: &mut WriteTx<'_>, realm: RealmId, id: OrganizationId) -> Result<bool> {
    Ok(tx.execute(&DELETE, params![realm, id])? == 1)
}

/// The organization of this id in this realm.
///
/// # Errors
/// When the database fails.
pub fn find(tx: &mut ReadTx<'_>, realm: RealmId, id: OrganizationId) -> Result<Option<Organization>> {
    tx.find(&FIND, params![realm, id], read_organization)
}

/// The organization of this name in this realm, without regard to case.
///
/// # Errors
/// When the database fails.
pub fn find_by_name(tx: &mut ReadTx<'_>, realm: RealmId, name: &str) -> Result<Option<Organization>> {
    tx.find(&FIND_BY_NAME, params![realm, fold(name)], read_organization)
}

/// Organizations of a realm whose folded name begins with `prefix` and comes after `after`, by name.
///
/// # Errors
/// When the database fails.
pub fn list(tx: &mut ReadTx<'_>, realm: RealmId, prefix: &str, after: &str, limit: u32) -> Result<Vec<Organization>> {
    let (from, to) = beginning_with(prefix);
    tx.list(&LIST, params![realm, after, from, to, limit], read_organization)
}

/// How many organizations of a realm have a folded name that begins with `prefix`, counted up to `bound`.
///
/// # Errors
/// When the database fails.
pub fn count(tx: &mut ReadTx<'_>, realm: RealmId, prefix: &str, bound: u32) -> Result<u64> {
    let (from, to) = beginning_with(prefix);
    Ok(tx.find(&COUNT, params![realm, from, to, bound], |row| row.count("found"))?.unwrap_or(0))
}

/// A user's memberships, by the organization's name.
///
/// # Errors
/// When the database fails.
pub fn list_of(tx: &mut ReadTx<'_>, realm: RealmId, user: UserId) -> Result<Vec<Membership>> {
    tx.list(&LIST_OF, params![realm, user], |row| {
        Ok(Membership { organization: read_organization(row)?, joined_at: row.time("joined_at")? })
    })
}
