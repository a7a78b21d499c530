//! Groups: create, list, change, delete; who is in them (PRODUCT §8).

use denizen_model::{
    GroupId, RealmId, UserId,
    events::{EventType, NewEvent, SubjectKind, SubjectRef},
    groups::{Group, check_group},
    pages::{Cursor, Page},
    permissions::markers::{GroupsRead, GroupsWrite, UsersRead},
    users::User,
    validation::FieldErrors,
};
use denizen_store::{self as store, Events, ReadTx, WriteTx};
use serde_json::json;

use crate::{
    App, Cx, Error, May, Result,
    cx::Detail,
    members::{ByName, Circle, NameQuery, after_member, check_named, commit, named_users},
    users::get_in,
};

fn subject(group: &Group) -> SubjectRef {
    SubjectRef { kind: SubjectKind::Group, id: group.id.to_string(), name: group.name.clone() }
}

fn get_group(tx: &mut ReadTx<'_>, realm: RealmId, id: GroupId) -> Result<Group> {
    store::groups::find(tx, realm, id)?.ok_or_else(|| Error::not_found("group"))
}

fn circle(group: &Group) -> Circle<'_, GroupId> {
    Circle {
        members: &store::groups::MEMBERS,
        kind: EventType::UserGroupChanged,
        id_key: "group_id",
        realm: group.realm_id,
        id: group.id,
        name: &group.name,
    }
}

/// A page of groups, by name.
///
/// # Errors
/// When the query is not acceptable.
pub async fn list(app: &App, _cx: &Cx, may: May<GroupsRead>, query: NameQuery) -> Result<Page<Group>> {
    let (realm, asked) = (may.realm(), ByName::check(query)?);
    app.db()
        .read(move |tx| {
            asked.page(
                tx,
                |tx, prefix, after, limit| store::groups::list(tx, realm, prefix, after, limit),
                |tx, prefix, bound| store::groups::count(tx, realm, prefix, bound),
                |group| (&group.name, group.id.to_string()),
            )
        })
        .await
}

/// One group.
///
/// # Errors
/// When there is none of this id.
pub async fn get(app: &App, _cx: &Cx, may: May<GroupsRead>, id: GroupId) -> Result<Group> {
    let realm = may.realm();
    app.db().read(move |tx| get_group(tx, realm, id)).await
}

/// The group of this name, without regard to case.
///
/// # Errors
/// When the database fails.
pub async fn find_by_name(app: &App, _cx: &Cx, may: May<GroupsRead>, name: &str) -> Result<Option<Group>> {
    let (realm, name) = (may.realm(), name.to_owned());
    app.db().read(move |tx| Ok(store::groups::find_by_name(tx, realm, &name)?)).await
}

/// Creates a group.
///
/// # Errors
/// When the name is not acceptable or taken.
pub async fn create(app: &App, cx: &Cx, may: May<GroupsWrite>, name: &str, description: &str) -> Result<Group> {
    let mut errors = FieldErrors::new();
    check_group(name, description, &mut errors);
    errors.into_result()?;
    let group = Group {
        id: GroupId::new(cx.now, app.id_bytes()),
        realm_id: may.realm(),
        name: name.to_owned(),
        description: description.to_owned(),
        member_count: 0,
        created_at: cx.now,
        updated_at: cx.now,
        version: 1,
    };
    let (app2, cx2) = (app.clone(), cx.clone());
    app.write(cx, move |mut tx| {
        store::groups::insert(&mut tx, &group)?;
        let event = cx2
            .event(&app2, group.realm_id, EventType::GroupCreated, subject(&group))
            .detail("description", group.description.as_str());
        Ok(tx.commit(Events::from(event), group.clone())?)
    })
    .await
}

/// Renames or describes a group: `None` leaves a field. Tokens have the new name from their next refresh on.
///
/// # Errors
/// When the name is not acceptable or taken, or the group was changed in the meantime.
pub async fn update(
    app: &App,
    cx: &Cx,
    may: May<GroupsWrite>,
    id: GroupId,
    name: Option<String>,
    description: Option<String>,
    if_version: Option<i64>,
) -> Result<Group> {
    let (app2, cx2, realm) = (app.clone(), cx.clone(), may.realm());
    app.write(cx, move |mut tx| {
        let before = get_group(&mut tx, realm, id)?;
        if if_version.is_some_and(|version| version != before.version) {
            return Err(Error::changed());
        }
        let mut group = before.clone();
        group.name = name.clone().unwrap_or(group.name);
        group.description = description.clone().unwrap_or(group.description);
        let mut errors = FieldErrors::new();
        check_group(&group.name, &group.description, &mut errors);
        errors.into_result()?;
        if group == before {
            return Ok(tx.unaudited("nothing was changed", group)?);
        }
        if !store::groups::update(&mut tx, &group, cx2.now)? {
            return Err(Error::changed());
        }
        (group.version, group.updated_at) = (before.version + 1, cx2.now);
        let facts = |group: &Group| json!({"name": group.name, "description": group.description});
        let event = cx2
            .event(&app2, realm, EventType::GroupUpdated, subject(&group))
            .detail("before", facts(&before))
            .detail("after", facts(&group));
        Ok(tx.commit(Events::from(event), group)?)
    })
    .await
}

/// Deletes a group. Its members lose it, each with an event.
///
/// # Errors
/// When there is none of this id, when it was changed in the meantime, or when it has more members than
/// [`MAX_DELETED_WITH`](crate::members::MAX_DELETED_WITH): then they are to be removed first.
pub async fn delete(app: &App, cx: &Cx, may: May<GroupsWrite>, id: GroupId, if_version: Option<i64>) -> Result<()> {
    let (app2, cx2, realm) = (app.clone(), cx.clone(), may.realm());
    app.write(cx, move |mut tx| {
        let group = get_group(&mut tx, realm, id)?;
        if if_version.is_some_and(|version| version != group.version) {
            return Err(Error::changed());
        }
        let left = circle(&group).empty(&mut tx, &app2, &cx2)?;
        store::groups::delete(&mut tx, realm, id)?;
        let event =
            cx2.event(&app2, realm, EventType::GroupDeleted, subject(&group)).detail("member_count", left.len());
        Ok(tx.commit(Events::new(event, left), ())?)
    })
    .await
}

/// A page of a group's members, in order of their ids.
///
/// # Errors
/// When there is no such group, or the cursor is of another list.
pub async fn list_members(
    app: &App,
    _cx: &Cx,
    may: May<GroupsRead>,
    _see: May<UsersRead>,
    id: GroupId,
    after: Option<Cursor>,
    limit: u32,
) -> Result<Page<User>> {
    let (realm, after) = (may.realm(), after_member(after)?);
    app.db()
        .read(move |tx| {
            let group = get_group(tx, realm, id)?;
            circle(&group).page(tx, group.member_count, after, limit)
        })
        .await
}

/// A user's groups, by name.
///
/// # Errors
/// When there is no such user.
pub async fn list_of(app: &App, _cx: &Cx, may: May<UsersRead>, user: UserId) -> Result<Vec<Group>> {
    let realm = may.realm();
    app.db()
        .read(move |tx| {
            get_in(tx, realm, user)?;
            Ok(store::groups::list_of(tx, realm, user)?)
        })
        .await
}

/// Puts users into a group, all or none of them; it is in their next tokens. Answers how many were not in it yet:
/// being in it already is no error.
///
/// # Errors
/// When there is no such group, one of the users does not exist, or there are too many at once.
pub async fn add_members(app: &App, cx: &Cx, may: May<GroupsWrite>, id: GroupId, users: Vec<UserId>) -> Result<usize> {
    check_named(&users)?;
    let (app2, cx2, realm) = (app.clone(), cx.clone(), may.realm());
    app.write(cx, move |mut tx| {
        let group = get_group(&mut tx, realm, id)?;
        let users = named_users(&mut tx, realm, &users)?;
        let events = circle(&group).add(&mut tx, &app2, &cx2, &users)?;
        commit(tx, events)
    })
    .await
}

/// Puts one user into a group; it is in their next token. Being in it already is no error.
///
/// # Errors
/// When there is no such user or group.
pub async fn add(app: &App, cx: &Cx, may: May<GroupsWrite>, user: UserId, id: GroupId) -> Result<()> {
    change(app, cx, may, user, id, true).await
}

/// Takes a user out of a group. Not being in it is no error.
///
/// # Errors
/// When there is no such user or group.
pub async fn remove(app: &App, cx: &Cx, may: May<GroupsWrite>, user: UserId, id: GroupId) -> Result<()> {
    change(app, cx, may, user, id, false).await
}

/// The name of a group, inside a transaction.
pub(crate) fn name_in(tx: &mut ReadTx<'_>, realm: RealmId, id: GroupId) -> Result<String> {
    get_group(tx, realm, id).map(|group| group.name)
}

/// Puts users into a group or takes them out, inside a transaction; answers an event, to be recorded, for each for
/// whom it was a change.
pub(crate) fn change_in(
    tx: &mut WriteTx<'_>,
    app: &App,
    cx: &Cx,
    group: GroupId,
    users: &[User],
    join: bool,
    realm: RealmId,
) -> Result<Vec<NewEvent>> {
    let group = get_group(tx, realm, group)?;
    if join { circle(&group).add(tx, app, cx, users) } else { circle(&group).remove(tx, app, cx, users) }
}

async fn change(app: &App, cx: &Cx, may: May<GroupsWrite>, user: UserId, id: GroupId, join: bool) -> Result<()> {
    let (app2, cx2, realm) = (app.clone(), cx.clone(), may.realm());
    let changed = app.write(cx, move |mut tx| {
        let user = [get_in(&mut tx, realm, user)?];
        let events = change_in(&mut tx, &app2, &cx2, id, &user, join, realm)?;
        commit(tx, events)
    });
    changed.await.map(drop)
}
