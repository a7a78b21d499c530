//! What tokens say of a user: one statement, since every exchange asks.

use denizen_model::{OrganizationId, UserId};

use crate::{error::Result, sql::statements, tx::ReadTx, value::params};

statements! {
    OF = "SELECT CAST(1 AS BIGINT) AS kind, r.id AS id, r.name AS name, r.name_key AS name_key FROM user_roles o JOIN roles r ON r.id = o.role_id WHERE o.user_id = ?1 \
        UNION ALL SELECT 2, g.id, g.name, g.name_key FROM user_groups o JOIN groups g ON g.id = o.group_id WHERE o.user_id = ?1 \
        UNION ALL SELECT 3, n.id, n.name, n.name_key FROM memberships o JOIN organizations n ON n.id = o.organization_id WHERE o.user_id = ?1 \
        ORDER BY kind, name_key";
}

/// What a user has that goes into tokens, each by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserClaims {
    /// The names of realm roles.
    pub roles: Vec<String>,
    /// The names of groups.
    pub groups: Vec<String>,
    /// Organizations with their names.
    pub organizations: Vec<(OrganizationId, String)>,
}

/// What tokens say of this user.
///
/// # Errors
/// When the database fails.
pub fn of(tx: &mut ReadTx<'_>, user: UserId) -> Result<UserClaims> {
    let mut claims = UserClaims::default();
    let rows = tx.list(&OF, params![user], |row| {
        let kind = row.i64("kind")?;
        let id = if kind == 3 { Some(row.parse("id")?) } else { None };
        Ok((kind, id, row.text("name")?))
    })?;
    for (kind, id, name) in rows {
        match (kind, id) {
            (1, _) => claims.roles.push(name),
            (_, Some(id)) => claims.organizations.push((id, name)),
            (_, None) => claims.groups.push(name),
        }
    }
    Ok(claims)
}
