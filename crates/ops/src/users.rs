//! Users: create, list, read, change, enable and disable, delete.

mod create;
mod update;
mod verification;

use denizen_model::{
    RealmId, UserId,
    events::EventType,
    pages::{CursorKey, MAX_LIMIT, Page},
    permissions::markers::{UsersDelete, UsersRead},
    text,
    users::{MAX_SEARCH, User, UserQuery, UserSort},
    validation::FieldErrors,
};
use denizen_store::{self as store, Events, ReadTx};

pub use create::{Created, create_human, create_machine};
pub(crate) use create::{human, prepare_password};
pub use update::{disable, enable, update, verify_email};
pub use verification::{confirm_email, find_email_to_verify, request_email_verification};

use crate::{App, Cx, Error, May, Result, admins, cx::Detail};

/// The user of this id in this realm, inside a transaction.
pub(crate) fn get_in(tx: &mut ReadTx<'_>, realm: RealmId, id: UserId) -> Result<User> {
    store::users::find(tx, realm, id)?.ok_or_else(|| Error::not_found("user"))
}

/// A page of users.
///
/// # Errors
/// When the query is not acceptable.
pub async fn list(app: &App, _cx: &Cx, may: May<UsersRead>, query: UserQuery) -> Result<Page<User>> {
    check_query(&query)?;
    let realm = may.realm();
    app.db().read(move |tx| Ok(store::users::list(tx, realm, &query)?)).await
}

fn check_query(query: &UserQuery) -> Result<()> {
    let mut errors = FieldErrors::new();
    let search = query.search.as_deref().unwrap_or("");
    if search.chars().count() > MAX_SEARCH {
        errors.add("q", format!("Must be at most {MAX_SEARCH} characters long."));
    }
    if text::has_control(search) {
        errors.add("q", "Must not contain control characters.");
    }
    if !(1..=MAX_LIMIT).contains(&query.limit) {
        errors.add("limit", format!("Must be between 1 and {MAX_LIMIT}."));
    }
    let textual = matches!(query.sort, UserSort::Name | UserSort::Email);
    if query.after.as_ref().is_some_and(|cursor| matches!(cursor.key, CursorKey::Text(_)) != textual) {
        errors.add("cursor", "This cursor belongs to a list in another order.");
    }
    Ok(errors.into_result()?)
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
