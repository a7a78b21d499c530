//! Likely duplicates: the list for review, and what is said to be none (PRODUCT §10).

use std::collections::HashSet;

use denizen_model::{
    UserId,
    duplicates::{DuplicateReason, MAX_GROUP},
    events::EventType,
    pages::{Cursor, CursorKey, MAX_LIMIT, Page, Total},
    permissions::markers::{UsersRead, UsersWrite},
    users::User,
};
use denizen_store::{self as store, Events, ReadTx, duplicates::Group};

use super::get_in;
use crate::{App, Cx, Error, May, Result, cx::Detail};

/// Records that may be of one person.
#[derive(Debug, Clone, PartialEq)]
pub struct Duplicates {
    /// Why they are taken for duplicates.
    pub reason: DuplicateReason,
    /// The records, oldest first; at most [`MAX_GROUP`].
    pub users: Vec<User>,
    /// Whether there are more of them.
    pub more: bool,
}

/// Those of a group of whom nobody has said that they are different people from all others in it.
fn undecided(tx: &mut ReadTx<'_>, group: &mut Group) -> Result<()> {
    let Some(realm) = group.users.first().map(|user| user.realm_id) else { return Ok(()) };
    let ids: Vec<UserId> = group.users.iter().map(|user| user.id).collect();
    let dismissed: HashSet<(UserId, UserId)> =
        store::duplicates::list_dismissed(tx, realm, &ids)?.into_iter().collect();
    let open = |one: UserId, other: UserId| one != other && !dismissed.contains(&(one.min(other), one.max(other)));
    group.users.retain(|user| ids.iter().any(|other| open(user.id, *other)));
    Ok(())
}

/// A page of likely duplicates. A page may hold less than was asked for and still not be the last.
///
/// # Errors
/// When the query is not acceptable.
pub async fn list(
    app: &App,
    _cx: &Cx,
    may: May<UsersRead>,
    reason: Option<DuplicateReason>,
    after: Option<Cursor>,
    limit: u32,
) -> Result<Page<Duplicates>> {
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Error::field("limit", format!("Must be between 1 and {MAX_LIMIT}.")));
    }
    let after = match after.map(|cursor| cursor.key) {
        Some(CursorKey::Text(key)) => Some(key),
        Some(CursorKey::Number(_)) => {
            return Err(Error::field("cursor", "This cursor belongs to a list in another order."));
        }
        None => None,
    };
    let realm = may.realm();
    app.db()
        .read(move |tx| {
            let mut groups = store::duplicates::list(tx, realm, reason, after.as_deref(), limit + 1)?;
            let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
            let more = groups.len() > wanted;
            groups.truncate(wanted);
            let last = groups.last().filter(|_| more).map(|group| group.key.clone());
            let mut items = Vec::with_capacity(groups.len());
            for mut group in groups {
                let more = group.users.len() > MAX_GROUP;
                undecided(tx, &mut group)?;
                group.users.truncate(MAX_GROUP);
                if group.users.len() > 1 {
                    items.push(Duplicates { reason: group.reason, users: group.users, more });
                }
            }
            let (count, exact) = store::duplicates::count(tx, realm, reason)?;
            let next = last.map(|key| Cursor { key: CursorKey::Text(key), id: String::new() });
            Ok(Page { items, next, total: Total { count, exact } })
        })
        .await
}

/// Notes that these users are all different people; they are not shown as each other's duplicates any more.
///
/// # Errors
/// When there are too few or too many, or one is not in the realm.
pub async fn dismiss(app: &App, cx: &Cx, may: May<UsersWrite>, users: Vec<UserId>) -> Result<()> {
    let mut ids = users;
    ids.sort_unstable();
    ids.dedup();
    if !(2..=MAX_GROUP).contains(&ids.len()) {
        return Err(Error::field("user_ids", format!("Must name 2 to {MAX_GROUP} different users.")));
    }
    let (realm, app2, cx2) = (may.realm(), app.clone(), cx.clone());
    app.write(cx, move |mut tx| {
        let mut events = Vec::with_capacity(ids.len());
        for id in &ids {
            let user = get_in(&mut tx, realm, *id)?;
            let others: Vec<String> = ids.iter().filter(|other| *other != id).map(UserId::to_string).collect();
            events.push(
                cx2.user_event(&app2, EventType::UserDuplicatesDismissed, &user).detail("different_from", others),
            );
        }
        for (at, one) in ids.iter().enumerate() {
            for other in ids.iter().skip(at + 1) {
                store::duplicates::dismiss(&mut tx, realm, *one, *other, cx2.now)?;
            }
        }
        for id in &ids {
            for mut group in store::duplicates::list_of(&mut tx, realm, *id)? {
                // A group that is not read to its end is never decided.
                let whole = group.users.len() <= MAX_GROUP;
                undecided(&mut tx, &mut group)?;
                if whole && group.users.len() < 2 {
                    store::duplicates::delete_group(&mut tx, realm, &group.key)?;
                }
            }
        }
        let mut events = events.into_iter();
        let first = events.next().ok_or_else(|| Error::internal("nobody to dismiss"))?;
        Ok(tx.commit(Events::new(first, events), ())?)
    })
    .await
}
