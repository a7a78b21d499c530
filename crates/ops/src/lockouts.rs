//! Lockout (PRODUCT §7): how somebody stands, and an agent's unlocking.

use denizen_model::{
    RealmId, UserId,
    authenticators::{Lockout, LockoutKind},
    events::EventType,
    permissions::markers::{CredentialsReset, UsersRead},
    text::fold,
    users::User,
};
use denizen_store::{self as store, Events, WriteTx, lockouts::Subject};

use crate::{App, Cx, May, Result, admins, crypto::hash_token, cx::Detail, users::get_in};

/// Of whom failures are counted: the user, or the name where it is nobody's, so that the two cannot be told apart.
pub(crate) fn subject(user: Option<&User>, identifier: &str) -> Subject {
    match user {
        Some(user) => Subject::User(user.id),
        None => Subject::Name(hash_token(&fold(identifier.trim()))),
    }
}

/// How a user stands: failures that are still counted, and locks.
///
/// # Errors
/// When there is no such user.
pub async fn list(app: &App, _cx: &Cx, may: May<UsersRead>, user: UserId) -> Result<Vec<Lockout>> {
    let realm = may.realm();
    app.db()
        .read(move |tx| {
            get_in(tx, realm, user)?;
            Ok(store::lockouts::list(tx, realm, &Subject::User(user))?)
        })
        .await
}

/// Forgets all failures and ends all locks of a user. Answers whether a lock held.
///
/// # Errors
/// When there is no such user.
pub async fn unlock(app: &App, cx: &Cx, may: May<CredentialsReset>, user: UserId) -> Result<bool> {
    let (app2, cx2, realm) = (app.clone(), cx.clone(), may.realm());
    app.write(cx, move |mut tx| {
        let user = get_in(&mut tx, realm, user)?;
        admins::check_power_over(&mut tx, &cx2, &user)?;
        let unlocked = clear_in(&mut tx, realm, user.id)?;
        let counted = user.failed_password_attempts > 0 || user.failed_otp_attempts > 0;
        if unlocked.is_empty() && !counted {
            return Ok(tx.unaudited("nothing was counted and nothing was locked", false)?);
        }
        store::users::forget_failures(&mut tx, realm, user.id)?;
        let names: Vec<&str> = unlocked.iter().map(|kind| kind.as_str()).collect();
        let event = cx2
            .user_event(&app2, EventType::UserAuthenticatorUnlocked, &user)
            .detail("methods", names)
            .detail("failed_password_attempts", user.failed_password_attempts)
            .detail("failed_otp_attempts", user.failed_otp_attempts);
        Ok(tx.commit(Events::from(event), !unlocked.is_empty())?)
    })
    .await
}

/// Forgets what is counted; answers which locks held.
pub(crate) fn clear_in(tx: &mut WriteTx<'_>, realm: RealmId, user: UserId) -> Result<Vec<LockoutKind>> {
    let mut held = Vec::new();
    for kind in LockoutKind::ALL {
        if store::lockouts::clear(tx, realm, user, *kind)? {
            held.push(*kind);
        }
    }
    Ok(held)
}
