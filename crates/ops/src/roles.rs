//! Realm roles: create, list, change, delete; assign and remove (PRODUCT §8).

use denizen_model::{
    RealmId, RoleId, UserId,
    events::{EventType, SubjectKind, SubjectRef},
    pages::{Cursor, CursorKey, Page, Total},
    permissions::markers::{RolesAssign, RolesRead, RolesWrite, UsersRead},
    roles::{Role, check_role},
    text::fold,
    validation::FieldErrors,
};
use denizen_store::{self as store, Events, ReadTx};
use serde_json::json;

use crate::{App, Cx, Error, May, Result, cx::Detail, users::get_in};

fn subject(role: &Role) -> SubjectRef {
    SubjectRef { kind: SubjectKind::Role, id: role.id.to_string(), name: role.name.clone() }
}

fn get_role(tx: &mut ReadTx<'_>, realm: RealmId, id: RoleId) -> Result<Role> {
    store::roles::find(tx, realm, id)?.ok_or_else(|| Error::not_found("role"))
}

/// A page of roles, by name.
///
/// # Errors
/// When the cursor is of another list.
pub async fn list(app: &App, _cx: &Cx, may: May<RolesRead>, after: Option<Cursor>, limit: u32) -> Result<Page<Role>> {
    let after = match after {
        None => String::new(),
        Some(Cursor { key: CursorKey::Text(name), .. }) => name,
        Some(_) => return Err(Error::field("cursor", "This cursor belongs to another list.")),
    };
    let realm = may.realm();
    app.db()
        .read(move |tx| {
            let mut items = store::roles::list(tx, realm, &after, limit + 1)?;
            let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
            let more = items.len() > wanted;
            items.truncate(wanted);
            let next = items
                .last()
                .filter(|_| more)
                .map(|role| Cursor { key: CursorKey::Text(fold(&role.name)), id: role.id.to_string() });
            Ok(Page { items, next, total: Total::exact(store::roles::count(tx, realm)?) })
        })
        .await
}

/// One role.
///
/// # Errors
/// When there is none of this id.
pub async fn get(app: &App, _cx: &Cx, may: May<RolesRead>, id: RoleId) -> Result<Role> {
    let realm = may.realm();
    app.db().read(move |tx| get_role(tx, realm, id)).await
}

/// Creates a role.
///
/// # Errors
/// When the name is not acceptable or taken.
pub async fn create(app: &App, cx: &Cx, may: May<RolesWrite>, name: &str, description: &str) -> Result<Role> {
    let mut errors = FieldErrors::new();
    check_role(name, description, &mut errors);
    errors.into_result()?;
    let role = Role {
        id: RoleId::new(cx.now, app.id_bytes()),
        realm_id: may.realm(),
        name: name.to_owned(),
        description: description.to_owned(),
        user_count: 0,
        created_at: cx.now,
        updated_at: cx.now,
        version: 1,
    };
    let (app2, cx2) = (app.clone(), cx.clone());
    app.write(cx, move |mut tx| {
        store::roles::insert(&mut tx, &role)?;
        let event = cx2
            .event(&app2, role.realm_id, EventType::RoleCreated, subject(&role))
            .detail("description", role.description.as_str());
        Ok(tx.commit(Events::from(event), role.clone())?)
    })
    .await
}

/// Renames or describes a role: `None` leaves a field.
///
/// # Errors
/// When the name is not acceptable or taken, or the role was changed in the meantime.
pub async fn update(
    app: &App,
    cx: &Cx,
    may: May<RolesWrite>,
    id: RoleId,
    name: Option<String>,
    description: Option<String>,
    if_version: Option<i64>,
) -> Result<Role> {
    let (app2, cx2, realm) = (app.clone(), cx.clone(), may.realm());
    app.write(cx, move |mut tx| {
        let before = get_role(&mut tx, realm, id)?;
        if if_version.is_some_and(|version| version != before.version) {
            return Err(Error::changed());
        }
        let mut role = before.clone();
        role.name = name.clone().unwrap_or(role.name);
        role.description = description.clone().unwrap_or(role.description);
        let mut errors = FieldErrors::new();
        check_role(&role.name, &role.description, &mut errors);
        errors.into_result()?;
        if role == before {
            return Ok(tx.unaudited("nothing was changed", role)?);
        }
        if !store::roles::update(&mut tx, &role, cx2.now)? {
            return Err(Error::changed());
        }
        (role.version, role.updated_at) = (before.version + 1, cx2.now);
        let facts = |role: &Role| json!({"name": role.name, "description": role.description});
        let event = cx2
            .event(&app2, realm, EventType::RoleUpdated, subject(&role))
            .detail("before", facts(&before))
            .detail("after", facts(&role));
        Ok(tx.commit(Events::from(event), role)?)
    })
    .await
}

/// Deletes a role and takes it from everyone.
///
/// # Errors
/// When there is none of this id, or it is not in the version that was asked for.
pub async fn delete(app: &App, cx: &Cx, may: May<RolesWrite>, id: RoleId, if_version: Option<i64>) -> Result<()> {
    let (app2, cx2, realm) = (app.clone(), cx.clone(), may.realm());
    app.write(cx, move |mut tx| {
        let role = get_role(&mut tx, realm, id)?;
        if if_version.is_some_and(|version| version != role.version) {
            return Err(Error::changed());
        }
        store::roles::delete(&mut tx, realm, id)?;
        let event =
            cx2.event(&app2, realm, EventType::RoleDeleted, subject(&role)).detail("user_count", role.user_count);
        Ok(tx.commit(Events::from(event), ())?)
    })
    .await
}

/// A user's roles, by name.
///
/// # Errors
/// When there is no such user.
pub async fn list_of(app: &App, _cx: &Cx, may: May<UsersRead>, user: UserId) -> Result<Vec<Role>> {
    let realm = may.realm();
    app.db()
        .read(move |tx| {
            get_in(tx, realm, user)?;
            Ok(store::roles::list_of(tx, realm, user)?)
        })
        .await
}

/// Gives a user a role; it is in their next token. Having it already is no error.
///
/// # Errors
/// When there is no such user or role.
pub async fn assign(app: &App, cx: &Cx, may: May<RolesAssign>, user: UserId, role: RoleId) -> Result<()> {
    change(app, cx, may, user, role, true).await
}

/// Takes a role from a user. Not having it is no error.
///
/// # Errors
/// When there is no such user or role.
pub async fn remove(app: &App, cx: &Cx, may: May<RolesAssign>, user: UserId, role: RoleId) -> Result<()> {
    change(app, cx, may, user, role, false).await
}

async fn change(app: &App, cx: &Cx, may: May<RolesAssign>, user: UserId, role: RoleId, give: bool) -> Result<()> {
    let (app2, cx2, realm) = (app.clone(), cx.clone(), may.realm());
    app.write(cx, move |mut tx| {
        let user = get_in(&mut tx, realm, user)?;
        let role = get_role(&mut tx, realm, role)?;
        let changed = if give {
            store::roles::assign(&mut tx, realm, user.id, role.id, cx2.now)?
        } else {
            store::roles::remove(&mut tx, realm, user.id, role.id)?
        };
        if !changed {
            return Ok(tx.unaudited("nothing was changed", ())?);
        }
        let event = cx2
            .user_event(&app2, EventType::UserRoleChanged, &user)
            .detail(if give { "assigned" } else { "removed" }, role.name.as_str());
        Ok(tx.commit(Events::from(event), ())?)
    })
    .await
}
