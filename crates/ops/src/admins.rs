//! Administrators: who holds which admin role where (PRODUCT §8). Nobody grants more than they hold, nobody
//! touches somebody with more power, and the last owner stays.

use denizen_model::{
    RealmId, SessionId, Timestamp, UserId,
    events::EventType,
    permissions::{
        AdminRole, PermissionSet,
        markers::{AdminsManage, UsersRead},
    },
    users::{AdminGrant, User},
};
use denizen_store::{self as store, Events, ReadTx};

use crate::{Actor, Administrator, App, Cx, Error, May, Result, cx::Detail, users::get_in};

/// What a user holds.
///
/// # Errors
/// When there is no such user in the realm.
pub async fn list(app: &App, _cx: &Cx, may: May<UsersRead>, user: UserId) -> Result<Vec<AdminGrant>> {
    let realm = may.realm();
    app.db()
        .peek(move |tx| {
            get_in(tx, realm, user)?;
            Ok(store::admins::list(tx, user)?)
        })
        .await
}

/// Grants an admin role in the user's own realm, or with `everywhere` in every realm (users of `main` only);
/// replaces the one held there.
///
/// # Errors
/// When the actor holds less than the role, the user is no person of `main` for `everywhere`, or it would take
/// the last owner's role away.
pub async fn grant(
    app: &App,
    cx: &Cx,
    may: May<AdminsManage>,
    user: UserId,
    role: AdminRole,
    everywhere: bool,
) -> Result<()> {
    let realm = may.realm();
    let main = app.main_realm().await?.realm.id;
    if everywhere && realm != main {
        return Err(Error::field("everywhere", "Only users of the realm main can administer every realm."));
    }
    let scope = (!everywhere).then_some(realm);
    check_holds(cx, scope, realm, role.permissions())?;
    let (app2, cx2) = (app.clone(), cx.clone());
    app.write(cx, move |mut tx| {
        store::realms::lock(&mut tx, realm)?;
        let target = get_in(&mut tx, realm, user)?;
        check_power_over(&mut tx, &cx2, &target)?;
        if role != AdminRole::Owner {
            check_not_last_owner(&mut tx, &target)?;
        }
        store::admins::put(&mut tx, realm, user, AdminGrant { role, realm_id: scope }, cx2.now)?;
        note_highest(&mut tx, &target, cx2.now)?;
        let event = cx2
            .user_event(&app2, EventType::AdminGranted, &target)
            .detail("role", role.as_str())
            .detail("everywhere", everywhere);
        Ok(tx.commit(Events::from(event), ())?)
    })
    .await
}

/// Takes all admin roles from a user.
///
/// # Errors
/// When they hold none, are the last owner, or hold more than the actor.
pub async fn revoke(app: &App, cx: &Cx, may: May<AdminsManage>, user: UserId) -> Result<()> {
    let realm = may.realm();
    let (app2, cx2) = (app.clone(), cx.clone());
    app.write(cx, move |mut tx| {
        store::realms::lock(&mut tx, realm)?;
        let target = get_in(&mut tx, realm, user)?;
        check_power_over(&mut tx, &cx2, &target)?;
        check_not_last_owner(&mut tx, &target)?;
        let held = store::admins::list(&mut tx, user)?;
        if held.is_empty() {
            return Err(Error::conflict("not-an-administrator", "This user is no administrator."));
        }
        for grant in &held {
            store::admins::delete(&mut tx, realm, user, grant.realm_id)?;
        }
        note_highest(&mut tx, &target, cx2.now)?;
        let roles: Vec<&str> = held.iter().map(|grant| grant.role.as_str()).collect();
        let event = cx2.user_event(&app2, EventType::AdminRevoked, &target).detail("roles", roles);
        Ok(tx.commit(Events::from(event), ())?)
    })
    .await
}

pub(crate) fn note_highest(tx: &mut store::WriteTx<'_>, user: &User, now: Timestamp) -> Result<()> {
    // The roles are declared from the most to the least powerful.
    let highest = store::admins::list(tx, user.id)?.into_iter().map(|grant| grant.role).min();
    Ok(store::users::set_admin_role(tx, user.realm_id, user.id, highest, now)?)
}

fn check_holds(cx: &Cx, scope: Option<RealmId>, realm: RealmId, wanted: PermissionSet) -> Result<()> {
    let Actor::Administrator(admin) = &cx.actor else { return Ok(()) };
    let held = match scope {
        Some(_) => admin.permissions(realm),
        // What holds everywhere can be granted only by what holds everywhere.
        None => admin.permissions_everywhere(),
    };
    if held.covers(wanted) { Ok(()) } else { Err(Error::refused("You cannot grant more than you hold.")) }
}

/// Refuses to let an actor touch an administrator who holds more than they do; else a support agent could take
/// over an owner's account.
pub(crate) fn check_power_over(tx: &mut ReadTx<'_>, cx: &Cx, user: &User) -> Result<()> {
    if user.admin_role.is_none() {
        return Ok(());
    }
    for grant in store::admins::list(tx, user.id)? {
        check_holds(cx, grant.realm_id, user.realm_id, grant.role.permissions())
            .map_err(|_| Error::refused("This is an administrator with more permissions than you hold."))?;
    }
    Ok(())
}

/// Refuses to lose the last enabled owner of a realm. The caller holds the realm's lock.
pub(crate) fn check_not_last_owner(tx: &mut ReadTx<'_>, user: &User) -> Result<()> {
    if user.admin_role == Some(AdminRole::Owner)
        && user.enabled
        && store::admins::count_other_owners(tx, user.realm_id, user.id)? == 0
    {
        return Err(Error::conflict(
            "last-owner",
            "This is the last owner of the realm. Make somebody else owner first.",
        ));
    }
    Ok(())
}

/// The actor behind a user's live credentials.
pub(crate) fn administrator_in(
    tx: &mut ReadTx<'_>,
    user: &User,
    session_id: Option<SessionId>,
    authenticated_at: Option<Timestamp>,
) -> Result<Administrator> {
    Ok(Administrator {
        id: user.id,
        realm_id: user.realm_id,
        name: user.display_name().to_owned(),
        grants: store::admins::list(tx, user.id)?,
        scopes: None,
        session_id,
        authenticated_at,
    })
}
