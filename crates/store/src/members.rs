//! Members: what groups and organizations have in common. Each of the two has its statements; what runs them is here.

use std::{collections::BTreeMap, fmt::Display, marker::PhantomData};

use denizen_model::{GroupId, OrganizationId, RealmId, Timestamp, UserId, events::chain_of, users::User};

use crate::{
    error::Result,
    groups, organizations,
    sql::{Sql, statements},
    tx::{ReadTx, WriteTx},
    users::{self, columns, read_user},
    value::{params, to_json},
};

statements! {
    LIST_USERS = concat!("SELECT ", columns!(), " FROM users WHERE realm_id = ?1 AND id IN (SELECT value FROM json_each(?2)) ORDER BY id"),
        postgres: concat!("SELECT ", columns!(), " FROM users WHERE realm_id = ?1 AND id IN (SELECT value FROM json_array_elements_text(CAST(CAST(?2 AS TEXT) AS JSON)) AS given(value)) ORDER BY id");
}

/// The membership of one kind of thing, which ids of type `I` name.
#[derive(Debug)]
pub struct Members<I> {
    pub(crate) lock: Sql,
    pub(crate) add: Sql,
    pub(crate) remove: Sql,
    pub(crate) leave_all: Sql,
    pub(crate) count: Sql,
    pub(crate) list: Sql,
    pub(crate) list_ids: Sql,
    pub(crate) of: PhantomData<fn(I)>,
}

impl<I: Copy + Display> Members<I> {
    /// Keeps others from adding members until the transaction ends.
    ///
    /// # Errors
    /// When the database fails.
    pub fn lock(&self, tx: &mut WriteTx<'_>, id: I) -> Result<()> {
        tx.list(&self.lock, params![id.to_string()], |_| Ok(())).map(drop)
    }

    /// Adds users; answers those who were not members yet.
    ///
    /// # Errors
    /// Constraint `foreign_key` when a user or the thing itself is gone.
    pub fn add(
        &self,
        tx: &mut WriteTx<'_>,
        realm: RealmId,
        id: I,
        users: &[UserId],
        now: Timestamp,
    ) -> Result<Vec<UserId>> {
        self.add_many(tx, realm, users.iter().map(|user| (id, *user)).collect(), now)
    }

    /// Adds users, each to a thing of their own; answers those who were not in it yet.
    ///
    /// # Errors
    /// Constraint `foreign_key` when a user or a thing is gone.
    pub fn add_many(
        &self,
        tx: &mut WriteTx<'_>,
        realm: RealmId,
        pairs: Vec<(I, UserId)>,
        now: Timestamp,
    ) -> Result<Vec<UserId>> {
        let mut pairs: Vec<(String, UserId)> = pairs.into_iter().map(|(id, user)| (id.to_string(), user)).collect();
        // In one order, so that two who add the same people do not wait for each other in a circle.
        pairs.sort_unstable();
        let added = tx.list(&self.add, params![realm, now, to_json(&pairs)?], |row| {
            Ok((row.text("id")?, row.parse::<UserId>("user_id")?))
        })?;
        self.note(tx, &added, 1)?;
        Ok(added.into_iter().map(|(_, user)| user).collect())
    }

    /// Removes users; answers those who were members.
    ///
    /// # Errors
    /// When the database fails.
    pub fn remove(&self, tx: &mut WriteTx<'_>, realm: RealmId, id: I, users: &[UserId]) -> Result<Vec<UserId>> {
        let values = params![realm, id.to_string(), to_json(&users)?];
        let removed = tx.list(&self.remove, values, |row| row.parse("user_id"))?;
        let gone: Vec<(String, UserId)> = removed.iter().map(|user| (id.to_string(), *user)).collect();
        self.note(tx, &gone, -1)?;
        Ok(removed)
    }

    /// Counts members who came or went, with one statement for all of them.
    fn note(&self, tx: &mut WriteTx<'_>, pairs: &[(String, UserId)], by: i64) -> Result<()> {
        if pairs.is_empty() {
            return Ok(());
        }
        let mut shards: BTreeMap<(&str, u8), i64> = BTreeMap::new();
        for (id, user) in pairs {
            *shards.entry((id, chain_of(&user.to_string()))).or_default() += by;
        }
        let rows: Vec<(&str, u8, i64)> = shards.into_iter().map(|((id, shard), by)| (id, shard, by)).collect();
        tx.execute(&self.count, params![to_json(&rows)?]).map(drop)
    }

    /// Members after one of them, in order of their ids.
    ///
    /// # Errors
    /// When the database fails.
    pub fn list(&self, tx: &mut ReadTx<'_>, id: I, after: Option<UserId>, limit: u32) -> Result<Vec<User>> {
        let after = after.map(|id| id.to_string()).unwrap_or_default();
        tx.list(&self.list, params![id.to_string(), after, limit], read_user)
    }

    /// The ids of so many members.
    ///
    /// # Errors
    /// When the database fails.
    pub fn list_ids(&self, tx: &mut ReadTx<'_>, id: I, limit: u32) -> Result<Vec<UserId>> {
        tx.list(&self.list_ids, params![id.to_string(), limit], |row| row.parse("user_id"))
    }

    fn leave_all(&self, tx: &mut WriteTx<'_>, user: UserId) -> Result<()> {
        let left = tx.list(&self.leave_all, params![user], |row| Ok((row.text("id")?, user)))?;
        self.note(tx, &left, -1)
    }
}

/// Takes a user, who is about to be deleted, out of everything, so that the counts stay right.
///
/// # Errors
/// When the database fails.
pub(crate) fn leave_everything(tx: &mut WriteTx<'_>, user: UserId) -> Result<()> {
    // Nobody may add them to anything between this and their deletion.
    users::lock(tx, user)?;
    let (groups, organizations): (&Members<GroupId>, &Members<OrganizationId>) =
        (&groups::MEMBERS, &organizations::MEMBERS);
    groups.leave_all(tx, user)?;
    organizations.leave_all(tx, user)
}

/// The users of these ids that there are in a realm.
///
/// # Errors
/// When the database fails.
pub fn list_users(tx: &mut ReadTx<'_>, realm: RealmId, ids: &[UserId]) -> Result<Vec<User>> {
    tx.list(&LIST_USERS, params![realm, to_json(&ids)?], read_user)
}

/// The names that begin with a folded text: from it, up to but without what the second part says.
pub(crate) fn beginning_with(folded: &str) -> (&str, String) {
    // The last character there is sorts after whatever can follow.
    (folded, format!("{folded}\u{10ffff}"))
}
