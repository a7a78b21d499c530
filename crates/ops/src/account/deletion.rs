//! The end of one's own account, where the realm leaves that to people.

use denizen_model::authenticators::AuthenticatorType;
use denizen_store::{self as store, Events};

use super::{Fresh, own, present, within};
use crate::{App, Cx, Error, RealmState, Result, crypto::Secret, flows::sign_in::confirm_password, users::delete_in};

/// Refuses where the realm does not let people delete their accounts.
///
/// # Errors
/// Not found, as of a page that is not there.
pub fn check_allowed(realm: &RealmState) -> Result<()> {
    if realm.realm.settings.self_deletion { Ok(()) } else { Err(Error::not_found("page")) }
}

/// Deletes the user's own account for good, with all that hangs on it: by the same operation as an administrator's.
/// Who has a password must know it; it counts and locks as at a sign-in.
///
/// # Errors
/// When the realm does not let people do so, the password is wrong or locked, or the user is the last owner.
pub async fn delete(app: &App, cx: &Cx, realm: &RealmState, fresh: &Fresh, password: Secret) -> Result<()> {
    check_allowed(realm)?;
    let signed_in = fresh.0.clone();
    let own = own(cx, &signed_in.user);
    let held = super::password::find(app, &signed_in).await?;
    if held.is_some() {
        confirm_password(app, &own, realm, &signed_in.user, password).await?.into_result()?;
    }
    let (app2, realm) = (app.clone(), realm.realm.id);
    app.write(cx, move |mut tx| {
        store::realms::lock(&mut tx, realm)?;
        let user = present(&mut tx, &own, &signed_in)?;
        let now = store::authenticators::list(&mut tx, realm, user.id)?;
        let now = now.into_iter().find(|one| one.kind == AuthenticatorType::Password);
        // A password that was set in the meantime was not asked for.
        if now.map(|one| one.id) != held.as_ref().map(|one| one.id) {
            return Err(Error::changed());
        }
        let deleted = delete_in(&mut tx, &app2, &own, &user)?;
        Ok(tx.commit(Events::from(within(deleted, &signed_in)), ())?)
    })
    .await
}
