//! Users: create, list, read, change, enable and disable, delete.

mod asked;
mod create;
pub mod duplicates;
mod export;
pub mod import;
mod query;
mod update;
mod verification;

use denizen_model::{
    RealmId, UserId,
    events::{EventType, NewEvent},
    pages::Total,
    permissions::markers::{UsersDelete, UsersRead},
    users::{User, UserKind},
};
use denizen_store::{self as store, Events, ReadTx, WriteTx};

pub(crate) use asked::asked_in;
pub use create::{Created, create_human, create_machine};
pub(crate) use create::{create_bare_machine, human, machine, prepare_password};
pub use denizen_store::users::UserPage;
pub use export::{Export, ExportEnd, export};
pub use query::{
    Applied, Asked, Listed, Understood, Wrong, complete, list, list_what_is_understood, parse_sort,
    searchable_attributes, understand,
};
pub use update::{Contact, disable, enable, set_verification, update};
pub(crate) use update::{apply, differences, store_in};
pub(crate) use update::{disable_in, enable_in};
pub use verification::{confirm_email, find_email_to_verify, request_email_verification};
pub(crate) use verification::{drop_links, request as request_verification_in};

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
/// When there is none of this id, when they are the last owner, somebody the actor has no power over, or not in the
/// version that was asked for.
pub async fn delete(app: &App, cx: &Cx, may: May<UsersDelete>, id: UserId, if_version: Option<i64>) -> Result<()> {
    let realm = may.realm();
    let (app2, cx2) = (app.clone(), cx.clone());
    app.write(cx, move |mut tx| {
        store::realms::lock(&mut tx, realm)?;
        let user = get_in(&mut tx, realm, id)?;
        if if_version.is_some_and(|version| version != user.version) {
            return Err(Error::changed());
        }
        let deleted = delete_in(&mut tx, &app2, &cx2, &user)?;
        Ok(tx.commit(Events::from(deleted), ())?)
    })
    .await
}

/// [`delete`] inside a transaction that holds the realm's lock; answers the event that is to be recorded.
pub(crate) fn delete_in(tx: &mut WriteTx<'_>, app: &App, cx: &Cx, user: &User) -> Result<NewEvent> {
    admins::check_power_over(tx, cx, user)?;
    admins::check_not_last_owner(tx, user)?;
    let sessions = store::sessions::revoke_all(tx, user.realm_id, user.id, cx.now)?;
    store::users::delete(tx, user)?;
    Ok(cx
        .user_event(app, EventType::UserDeleted, user)
        .detail("username", user.username.as_str())
        .detail("sessions_ended", sessions.len()))
}
