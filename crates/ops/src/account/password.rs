//! One's own password.

use denizen_model::{
    authenticators::{Authenticator, AuthenticatorType},
    events::EventType,
    passwords::SAME,
    reset_requests::ResetKind,
    users::NewPassword,
    validation::FieldErrors,
};
use denizen_store::{self as store, Events};

use super::{
    Fresh, event,
    notices::{Notice, tell},
    own, present,
};
use crate::{
    App, Cx, Error, RealmState, Result,
    crypto::Secret,
    cx::Detail,
    flows::{
        reset::close_in,
        sign_in::{actions::replace_password, confirm_password},
    },
    passwords,
    sessions::SignedIn,
    users::prepare_password,
};

/// What is typed.
#[derive(Debug, Clone)]
pub struct Typed {
    /// The present password; not looked at where there is none.
    pub current: Secret,
    /// The new one.
    pub new: Secret,
    /// The new one once more.
    pub again: Secret,
    /// All other sessions end.
    pub end_others: bool,
}

/// The user's own password, if there is one.
///
/// # Errors
/// When the database fails.
pub async fn find(app: &App, signed_in: &SignedIn) -> Result<Option<Authenticator>> {
    let (realm, user) = (signed_in.user.realm_id, signed_in.user.id);
    let all = app.db().peek(move |tx| Ok::<_, Error>(store::authenticators::list(tx, realm, user)?)).await?;
    Ok(all.into_iter().find(|one| one.kind == AuthenticatorType::Password))
}

/// Refuses where the realm does not let people sign in with passwords.
///
/// # Errors
/// Not found, as of a page that is not there.
pub fn check_allowed(realm: &RealmState) -> Result<()> {
    let allowed = realm.realm.settings.sign_in_methods.contains(&AuthenticatorType::Password);
    if allowed { Ok(()) } else { Err(Error::not_found("page")) }
}

/// Sets or replaces the user's own password; answers how many other sessions have ended. Wrong present passwords count
/// as at a sign-in, and lock as there.
///
/// # Errors
/// When the present password is wrong or locked, or the new one is not acceptable: each at its field.
pub async fn change(app: &App, cx: &Cx, realm: &RealmState, fresh: &Fresh, typed: Typed) -> Result<usize> {
    check_allowed(realm)?;
    let signed_in = fresh.0.clone();
    let (own, id) = (own(cx, &signed_in.user), signed_in.user.id);
    let stored = app.db().peek(move |tx| Ok::<_, Error>(store::authenticators::find_password(tx, id)?)).await?;
    let mut errors = FieldErrors::new();
    if stored.is_some() {
        // Whoever does not know it learns nothing about what has been the password before either.
        confirm_password(app, &own, realm, &signed_in.user, typed.current.clone()).await?.into_result()?;
    }
    let new = typed.new.expose();
    let checked = passwords::check(app, &realm.realm.settings, &signed_in.user, new, &mut errors).await?;
    if stored.is_some() && new == typed.current.expose() {
        errors.also("password", &SAME);
    }
    if new != typed.again.expose() {
        errors.add("password_again", "sign_in.update_password.mismatch");
    }
    errors.into_result()?;
    let prepared = prepare_password(app, cx.now, NewPassword::Set(new.to_owned())).await?;
    let (replacement, _) = prepared.ok_or_else(|| Error::internal("no password to store"))?;
    let (app2, realm2) = (app.clone(), realm.realm.clone());
    app.write(cx, move |mut tx| {
        let user = present(&mut tx, &own, &signed_in)?;
        let before = store::authenticators::find_password(&mut tx, user.id)?;
        if before.map(|before| before.id) != stored.as_ref().map(|stored| stored.id) {
            return Err(Error::changed());
        }
        replace_password(&mut tx, &own, &user, &replacement)?;
        tell(&mut tx, (&app2, &own, &realm2), &user, Notice::PasswordChanged)?;
        close_in(&mut tx, user.id, ResetKind::Password)?;
        let (realm, kept) = (user.realm_id, Some(signed_in.session.id));
        let ended = if typed.end_others {
            store::sessions::revoke_all_but(&mut tx, realm, user.id, kept, own.now)?.len()
        } else {
            0
        };
        let event =
            event(&app2, &own, EventType::UserPasswordChanged, &user, &signed_in).detail("sessions_ended", ended);
        Ok(tx.commit(Events::from(checked.told(event)), ended)?)
    })
    .await
}
