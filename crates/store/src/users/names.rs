//! Roles, groups and organizations as filters name them.

use denizen_model::{RealmId, text::fold};

use crate::{
    error::Result,
    sql::{Sql, statements},
    tx::ReadTx,
    value::params,
};

statements! {
    ROLE = "SELECT id, name FROM roles WHERE realm_id = ?1 AND (name_key = ?2 OR id = ?3)";
    GROUP = "SELECT id, name FROM groups WHERE realm_id = ?1 AND (name_key = ?2 OR id = ?3)";
    ORGANIZATION = "SELECT id, name FROM organizations WHERE realm_id = ?1 AND (name_key = ?2 OR id = ?3)";
    ROLES = "SELECT name FROM roles WHERE realm_id = ?1 AND name_key >= ?2 AND name_key < ?3 ORDER BY name_key LIMIT ?4";
    GROUPS = "SELECT name FROM groups WHERE realm_id = ?1 AND name_key >= ?2 AND name_key < ?3 ORDER BY name_key LIMIT ?4";
    ORGANIZATIONS = "SELECT name FROM organizations WHERE realm_id = ?1 AND name_key >= ?2 AND name_key < ?3 ORDER BY name_key LIMIT ?4";
}

/// What is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// A role.
    Role,
    /// A group.
    Group,
    /// An organization.
    Organization,
}

impl Named {
    fn find(self) -> &'static Sql {
        match self {
            Self::Role => &ROLE,
            Self::Group => &GROUP,
            Self::Organization => &ORGANIZATION,
        }
    }

    fn list(self) -> &'static Sql {
        match self {
            Self::Role => &ROLES,
            Self::Group => &GROUPS,
            Self::Organization => &ORGANIZATIONS,
        }
    }
}

/// The id and the name of the one of this name, without regard to case, or of this id.
///
/// # Errors
/// When the database fails.
pub fn find(tx: &mut ReadTx<'_>, realm: RealmId, what: Named, text: &str) -> Result<Option<(String, String)>> {
    tx.find(what.find(), params![realm, fold(text), text.trim()], |row| Ok((row.text("id")?, row.text("name")?)))
}

/// Names that begin so, in their order.
///
/// # Errors
/// When the database fails.
pub fn list(tx: &mut ReadTx<'_>, realm: RealmId, what: Named, beginning: &str, limit: u32) -> Result<Vec<String>> {
    let from = fold(beginning);
    let until = format!("{from}\u{10ffff}");
    tx.list(what.list(), params![realm, from, until, limit], |row| row.text("name"))
}
