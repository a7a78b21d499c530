//! Membership: what groups and organizations have in common, inside their operations.

use std::fmt::Display;

use denizen_model::{
    RealmId, UserId,
    events::{EventType, NewEvent},
    pages::{Cursor, CursorKey, Page, Total},
    permissions::markers::UsersRead,
    text::{fold, has_control},
    users::User,
};
use denizen_store::{self as store, Audited, Events, ReadTx, WriteTx, members::Members};

use crate::{App, Cx, Error, May, Result, cx::Detail};

/// The most users that one request adds or removes.
pub const MAX_AT_ONCE: usize = 500;
/// The most members with which a group or an organization can be deleted. Whoever is in it loses it in the same
/// transaction, each with an event; of more, members are removed first.
pub const MAX_DELETED_WITH: u32 = 1000;
/// Up to this many names are counted exactly.
const COUNTED: u32 = 1000;
/// The longest beginning of a name that is looked for, in characters.
const MAX_PREFIX: usize = 100;

/// A group or an organization, as far as its members go.
pub(crate) struct Circle<'c, I: 'static> {
    pub(crate) members: &'static Members<I>,
    pub(crate) kind: EventType,
    /// What its id is called in the details of an event.
    pub(crate) id_key: &'static str,
    pub(crate) realm: RealmId,
    pub(crate) id: I,
    pub(crate) name: &'c str,
}

impl<I: Copy + Display> Circle<'_, I> {
    fn event(&self, app: &App, cx: &Cx, user: &User, what: &str) -> NewEvent {
        cx.user_event(app, self.kind, user).detail(what, self.name).detail(self.id_key, self.id.to_string())
    }

    /// Makes members of users; answers an event for each who was none yet.
    pub(crate) fn add(&self, tx: &mut WriteTx<'_>, app: &App, cx: &Cx, users: &[User]) -> Result<Vec<NewEvent>> {
        let added = self.members.add(tx, self.realm, self.id, &ids(users), cx.now)?;
        self.changed(tx, app, cx, users, &added, "added")
    }

    /// Takes users out; answers an event for each who was a member.
    pub(crate) fn remove(&self, tx: &mut WriteTx<'_>, app: &App, cx: &Cx, users: &[User]) -> Result<Vec<NewEvent>> {
        let removed = self.members.remove(tx, self.realm, self.id, &ids(users))?;
        self.changed(tx, app, cx, users, &removed, "removed")
    }

    fn changed(
        &self,
        tx: &mut WriteTx<'_>,
        app: &App,
        cx: &Cx,
        users: &[User],
        changed: &[UserId],
        what: &str,
    ) -> Result<Vec<NewEvent>> {
        let mut events = Vec::with_capacity(changed.len());
        if changed.is_empty() {
            return Ok(events);
        }
        let index = store::users::IndexContext::load(tx, self.realm)?;
        for user in users.iter().filter(|user| changed.contains(&user.id)) {
            store::users::reindex_in(tx, &index, self.realm, user.id)?;
            events.push(self.event(app, cx, user, what));
        }
        Ok(events)
    }

    /// Takes everyone out before the deletion; answers an event for each.
    pub(crate) fn empty(&self, tx: &mut WriteTx<'_>, app: &App, cx: &Cx) -> Result<Vec<NewEvent>> {
        self.members.lock(tx, self.id)?;
        let ids = self.members.list_ids(tx, self.id, MAX_DELETED_WITH + 1)?;
        if ids.len() > usize::try_from(MAX_DELETED_WITH).unwrap_or(usize::MAX) {
            return Err(Error::conflict(
                "too-many-members",
                format!(
                    "It has more than {MAX_DELETED_WITH} members. Remove its members first; then it can be deleted."
                ),
            ));
        }
        let users = store::members::list_users(tx, self.realm, &ids)?;
        self.remove(tx, app, cx, &users)
    }

    /// A page of members, in order of their ids.
    pub(crate) fn page(
        &self,
        tx: &mut ReadTx<'_>,
        count: u64,
        after: Option<UserId>,
        limit: u32,
    ) -> Result<Page<User>> {
        let mut items = self.members.list(tx, self.id, after, limit + 1)?;
        let next = cut(&mut items, limit, |user| {
            let id = user.id.to_string();
            Cursor { key: CursorKey::Text(id.clone()), id }
        });
        Ok(Page { items, next, total: Total::exact(count) })
    }
}

fn ids(users: &[User]) -> Vec<UserId> {
    users.iter().map(|user| user.id).collect()
}

/// Ends a change of members; answers how many changed.
pub(crate) fn commit(tx: WriteTx<'_>, events: Vec<NewEvent>) -> Result<Audited<usize>> {
    let changed = events.len();
    let mut events = events.into_iter();
    match events.next() {
        Some(first) => Ok(tx.commit(Events::new(first, events), changed)?),
        None => Ok(tx.unaudited("nothing was changed", 0)?),
    }
}

/// The users that a request names, each of whom must be in the realm.
pub(crate) fn named_users(tx: &mut ReadTx<'_>, realm: RealmId, named: &[UserId]) -> Result<Vec<User>> {
    let users = store::members::list_users(tx, realm, named)?;
    match named.iter().find(|id| users.iter().all(|user| user.id != **id)) {
        None => Ok(users),
        Some(missing) => Err(Error::field("user_ids", format!("There is no user {missing}."))),
    }
}

/// Checks how many users a request names.
pub(crate) fn check_named(named: &[UserId]) -> Result<()> {
    if (1..=MAX_AT_ONCE).contains(&named.len()) {
        return Ok(());
    }
    Err(Error::field("user_ids", format!("Must be 1 to {MAX_AT_ONCE} ids of users.")))
}

/// The place in a list of members.
pub(crate) fn after_member(cursor: Option<Cursor>) -> Result<Option<UserId>> {
    let read = |cursor: Cursor| {
        let fits = matches!(&cursor.key, CursorKey::Text(key) if *key == cursor.id);
        cursor.id.parse().ok().filter(|_| fits)
    };
    cursor.map(|cursor| read(cursor).ok_or_else(other_list)).transpose()
}

fn other_list() -> Error {
    Error::field("cursor", "This cursor belongs to another list.")
}

/// What a list by name is asked for.
#[derive(Debug, Clone, Default)]
pub struct NameQuery {
    /// The beginning of the name, as typed.
    pub q: Option<String>,
    /// Where the page starts.
    pub after: Option<Cursor>,
    /// How many at the most.
    pub limit: u32,
}

/// A [`NameQuery`] that was checked.
pub(crate) struct ByName {
    prefix: String,
    after: String,
    limit: u32,
}

impl ByName {
    pub(crate) fn check(query: NameQuery) -> Result<Self> {
        let typed = query.q.unwrap_or_default();
        if typed.chars().count() > MAX_PREFIX {
            return Err(Error::field("q", format!("Must be at most {MAX_PREFIX} characters long.")));
        }
        if has_control(&typed) {
            return Err(Error::field("q", "Must not contain control characters."));
        }
        let after = match query.after {
            None => String::new(),
            Some(Cursor { key: CursorKey::Text(name), .. }) => name,
            Some(_) => return Err(other_list()),
        };
        Ok(Self { prefix: fold(&typed), after, limit: query.limit })
    }

    pub(crate) fn page<T>(
        &self,
        tx: &mut ReadTx<'_>,
        list: impl FnOnce(&mut ReadTx<'_>, &str, &str, u32) -> store::Result<Vec<T>>,
        count: impl FnOnce(&mut ReadTx<'_>, &str, u32) -> store::Result<u64>,
        named: impl Fn(&T) -> (&str, String),
    ) -> Result<Page<T>> {
        let mut items = list(tx, &self.prefix, &self.after, self.limit + 1)?;
        let found = count(tx, &self.prefix, COUNTED + 1)?;
        let next = cut(&mut items, self.limit, |item| {
            let (name, id) = named(item);
            Cursor { key: CursorKey::Text(fold(name)), id }
        });
        let total = Total { count: found.min(u64::from(COUNTED)), exact: found <= u64::from(COUNTED) };
        Ok(Page { items, next, total })
    }
}

/// Cuts what was read one too long to its length; answers the next page's place, if there is one.
fn cut<T>(items: &mut Vec<T>, limit: u32, place: impl Fn(&T) -> Cursor) -> Option<Cursor> {
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = items.len() > wanted;
    items.truncate(wanted);
    items.last().filter(|_| more).map(place)
}

/// The user that somebody means who types a username, an email, or an id.
///
/// # Errors
/// When the database fails.
pub async fn find_user(app: &App, _cx: &Cx, may: May<UsersRead>, typed: &str) -> Result<Option<User>> {
    let (realm, typed) = (may.realm(), typed.to_owned());
    app.db()
        .read(move |tx| {
            if let Ok(id) = typed.parse() {
                return Ok(store::users::find(tx, realm, id)?);
            }
            Ok(store::users::find_by_identifier(tx, realm, &typed)?)
        })
        .await
}
