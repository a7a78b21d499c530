//! What an import asks of many users at once.

use denizen_model::{RealmId, RoleId, Timestamp, UserId, text::fold, users::User};

use super::{columns, read_user};
use crate::{
    conn::Engine,
    error::Result,
    sql::{Sql, statements},
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
    ASSIGN_ROLE = "INSERT INTO user_roles (realm_id, user_id, role_id, assigned_at) SELECT ?1, value, ?2, ?3 FROM json_each(?4) WHERE true ON CONFLICT DO NOTHING RETURNING user_id",
        postgres: "INSERT INTO user_roles (realm_id, user_id, role_id, assigned_at) SELECT CAST(?1 AS TEXT), value, CAST(?2 AS TEXT), CAST(?3 AS BIGINT) FROM json_array_elements_text(CAST(CAST(?4 AS TEXT) AS json)) AS given (value) ON CONFLICT DO NOTHING RETURNING user_id";
}

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

/// Gives users a role; answers those who did not have it yet.
///
/// # Errors
/// When the database fails.
pub fn assign_role(
    tx: &mut WriteTx<'_>,
    realm: RealmId,
    role: RoleId,
    users: &[UserId],
    now: Timestamp,
) -> Result<Vec<UserId>> {
    tx.list(&ASSIGN_ROLE, params![realm, role, now, to_json(&users)?], |row| row.parse("user_id"))
}

/// Tells the database how its tables have grown, so that it goes on choosing the right indexes.
///
/// # Errors
/// When the database fails.
pub fn refresh_statistics(tx: &mut WriteTx<'_>) -> Result<()> {
    tx.script(match tx.engine() {
        // A sample is enough and takes no time in proportion to the table.
        Engine::Sqlite => "PRAGMA analysis_limit = 1000; ANALYZE users; ANALYZE user_index; ANALYZE search_words; ANALYZE authenticators; ANALYZE events;",
        Engine::Postgres => "ANALYZE users; ANALYZE user_index; ANALYZE search_words; ANALYZE authenticators; ANALYZE events; ANALYZE user_roles; ANALYZE user_groups; ANALYZE memberships;",
    })
}
