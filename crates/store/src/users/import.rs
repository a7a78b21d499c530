//! What an import asks of many users at once.

use denizen_model::{RealmId, Timestamp, UserId, text::fold, users::User};

use super::{columns, read_user};
use crate::{
    conn::Engine,
    error::Result,
    sql::{Rows, Sql, statements},
    tx::{ReadTx, WriteTx},
    value::{params, to_json},
};

statements! {
    LIST_BY_USERNAMES = concat!("SELECT ", columns!(), " FROM users WHERE realm_id = ?1 AND username_key IN (SELECT value FROM json_each(?2))"),
        postgres: concat!("SELECT ", columns!(), " FROM users WHERE realm_id = ?1 AND username_key = ANY (ARRAY(SELECT json_array_elements_text(CAST(CAST(?2 AS TEXT) AS json))))");
    HAVING_PASSWORD = "SELECT user_id FROM authenticators WHERE kind = 'password' AND user_id IN (SELECT value FROM json_each(?1))",
        postgres: "SELECT user_id FROM authenticators WHERE kind = 'password' AND user_id = ANY (ARRAY(SELECT json_array_elements_text(CAST(CAST(?1 AS TEXT) AS json))))";
    NAMED_ROLES = "SELECT id, name, name_key FROM roles WHERE realm_id = ?1 AND name_key IN (SELECT value FROM json_each(?2))",
        postgres: "SELECT id, name, name_key FROM roles WHERE realm_id = ?1 AND name_key = ANY (ARRAY(SELECT json_array_elements_text(CAST(CAST(?2 AS TEXT) AS json))))";
    NAMED_GROUPS = "SELECT id, name, name_key FROM groups WHERE realm_id = ?1 AND name_key IN (SELECT value FROM json_each(?2))",
        postgres: "SELECT id, name, name_key FROM groups WHERE realm_id = ?1 AND name_key = ANY (ARRAY(SELECT json_array_elements_text(CAST(CAST(?2 AS TEXT) AS json))))";
    NAMED_ORGANIZATIONS = "SELECT id, name, name_key FROM organizations WHERE realm_id = ?1 AND name_key IN (SELECT value FROM json_each(?2))",
        postgres: "SELECT id, name, name_key FROM organizations WHERE realm_id = ?1 AND name_key = ANY (ARRAY(SELECT json_array_elements_text(CAST(CAST(?2 AS TEXT) AS json))))";
    ROLES_OF = "SELECT user_id, role_id AS id FROM user_roles WHERE user_id IN (SELECT value FROM json_each(?1))",
        postgres: "SELECT user_id, role_id AS id FROM user_roles WHERE user_id = ANY (ARRAY(SELECT json_array_elements_text(CAST(CAST(?1 AS TEXT) AS json))))";
    GROUPS_OF = "SELECT user_id, group_id AS id FROM user_groups WHERE user_id IN (SELECT value FROM json_each(?1))",
        postgres: "SELECT user_id, group_id AS id FROM user_groups WHERE user_id = ANY (ARRAY(SELECT json_array_elements_text(CAST(CAST(?1 AS TEXT) AS json))))";
    ORGANIZATIONS_OF = "SELECT user_id, organization_id AS id FROM memberships WHERE user_id IN (SELECT value FROM json_each(?1))",
        postgres: "SELECT user_id, organization_id AS id FROM memberships WHERE user_id = ANY (ARRAY(SELECT json_array_elements_text(CAST(CAST(?1 AS TEXT) AS json))))";
}

/// The columns of new ties.
pub(crate) const TIES: [Rows; 3] = [
    Rows { table: "user_roles", columns: "realm_id, user_id, role_id, assigned_at" },
    Rows { table: "user_groups", columns: "realm_id, user_id, group_id, added_at" },
    Rows { table: "memberships", columns: "realm_id, user_id, organization_id, joined_at" },
];

/// What a user can be tied to by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tie {
    /// A realm role.
    Role,
    /// A group.
    Group,
    /// An organization.
    Organization,
}

impl Tie {
    fn named(self) -> &'static Sql {
        match self {
            Self::Role => &NAMED_ROLES,
            Self::Group => &NAMED_GROUPS,
            Self::Organization => &NAMED_ORGANIZATIONS,
        }
    }

    fn of(self) -> &'static Sql {
        match self {
            Self::Role => &ROLES_OF,
            Self::Group => &GROUPS_OF,
            Self::Organization => &ORGANIZATIONS_OF,
        }
    }

    fn rows(self) -> &'static Rows {
        let [roles, groups, organizations] = &TIES;
        match self {
            Self::Role => roles,
            Self::Group => groups,
            Self::Organization => organizations,
        }
    }
}

/// The users of these folded usernames, in no order.
///
/// # Errors
/// When the database fails.
pub fn list_by_usernames(tx: &mut ReadTx<'_>, realm: RealmId, keys: &[&str]) -> Result<Vec<User>> {
    tx.list(&LIST_BY_USERNAMES, params![realm, to_json(&keys)?], read_user)
}

/// Those of these users who have a password.
///
/// # Errors
/// When the database fails.
pub fn list_having_password(tx: &mut ReadTx<'_>, users: &[UserId]) -> Result<Vec<UserId>> {
    tx.list(&HAVING_PASSWORD, params![to_json(&users)?], |row| row.parse("user_id"))
}

/// The roles, groups or organizations of these names: folded name, id, name.
///
/// # Errors
/// When the database fails.
pub fn list_named(
    tx: &mut ReadTx<'_>,
    realm: RealmId,
    tie: Tie,
    names: &[&str],
) -> Result<Vec<(String, String, String)>> {
    let keys: Vec<String> = names.iter().map(|name| fold(name)).collect();
    tx.list(tie.named(), params![realm, to_json(&keys)?], |row| {
        Ok((row.text("name_key")?, row.text("id")?, row.text("name")?))
    })
}

/// To what these users are tied: user and id.
///
/// # Errors
/// When the database fails.
pub fn list_ties(tx: &mut ReadTx<'_>, tie: Tie, users: &[UserId]) -> Result<Vec<(UserId, String)>> {
    tx.list(tie.of(), params![to_json(&users)?], |row| Ok((row.parse("user_id")?, row.text("id")?)))
}

/// Ties users to roles, groups or organizations that they were not tied to.
///
/// # Errors
/// When the database fails, or a tie exists.
pub fn insert_ties(
    tx: &mut WriteTx<'_>,
    realm: RealmId,
    tie: Tie,
    ties: &[(UserId, String)],
    now: Timestamp,
) -> Result<()> {
    tx.insert_rows(tie.rows(), ties.iter().map(|(user, id)| Ok(params![realm, *user, id, now].to_vec())))
}

/// Tells the database how its tables have grown, so that it goes on choosing the right indexes.
///
/// # Errors
/// When the database fails.
pub fn refresh_statistics(tx: &mut WriteTx<'_>) -> Result<()> {
    tx.script(match tx.engine() {
        // A sample is enough and takes no time in proportion to the table.
        Engine::Sqlite => "PRAGMA analysis_limit = 1000; ANALYZE users; ANALYZE authenticators; ANALYZE events;",
        Engine::Postgres => "ANALYZE users; ANALYZE authenticators; ANALYZE events; ANALYZE user_roles; ANALYZE user_groups; ANALYZE memberships;",
    })
}
