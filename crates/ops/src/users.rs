//! Users: create, list, read, change, enable and disable, delete.

mod create;
mod query;
mod update;

use denizen_model::{
    RealmId, UserId,
    events::EventType,
    pages::Total,
    permissions::markers::{UsersDelete, UsersRead},
    users::{User, UserKind},
};
use denizen_store::{self as store, Events, ReadTx};

pub use create::{Created, create_human, create_machine};
pub(crate) use create::{human, prepare_password};
pub use denizen_store::users::UserPage;
pub use query::{
    Applied, Asked, Listed, Understood, Wrong, complete, list, list_what_is_understood, parse_sort,
    searchable_attributes, understand,
};
pub use update::{disable, enable, update, verify_email};

use crate::{App, Cx, Error, May, Result, admins, cx::Detail};

/// The user of this id in this realm, inside a transaction.
pub(crate) fn get_in(tx: &mut ReadTx<'_>, realm: RealmId, id: UserId) -> Result<User> {
    store::users::find(tx, realm, id)?.ok_or_else(|| Error::not_found("user"))
}

/// How many users there are of a kind and state; `None` counts all.
///
/// # Errors
/// When the database fails.
pub async fn count(
    app: &App,
    _cx: &Cx,
    may: May<UsersRead>,
    kind: Option<UserKind>,
    enabled: Option<bool>,
) -> Result<Total> {
    let realm = may.realm();
    app.db().read(move |tx| Ok(store::users::count_all(tx, realm, kind, enabled)?)).await
}

/// One user.
///
/// # Errors
/// When there is none of this id in the realm.
pub async fn get(app: &App, _cx: &Cx, may: May<UsersRead>, id: UserId) -> Result<User> {
    let realm = may.realm();
    app.db().peek(move |tx| get_in(tx, realm, id)).await
}

/// Deletes a user for good, with all that hangs on them. Events stay.
///
/// # Errors
/// When there is none of this id, when they are the last owner, or somebody the actor has no power over.
pub async fn delete(app: &App, cx: &Cx, may: May<UsersDelete>, id: UserId) -> Result<()> {
    let realm = may.realm();
    let (app2, cx2) = (app.clone(), cx.clone());
    app.write(cx, move |mut tx| {
        store::realms::lock(&mut tx, realm)?;
        let user = get_in(&mut tx, realm, id)?;
        admins::check_power_over(&mut tx, &cx2, &user)?;
        admins::check_not_last_owner(&mut tx, &user)?;
        let sessions = store::sessions::revoke_all(&mut tx, realm, id, cx2.now)?;
        store::users::delete(&mut tx, &user)?;
        let deleted = cx2
            .user_event(&app2, EventType::UserDeleted, &user)
            .detail("username", user.username.as_str())
            .detail("sessions_ended", sessions.len());
        Ok(tx.commit(Events::from(deleted), ())?)
    })
    .await
}
