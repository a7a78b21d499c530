//! The first owner: by a one-time link, or from the environment (PRODUCT §2).

use std::time::Duration;

use denizen_model::{
    events::EventType,
    permissions::AdminRole,
    users::{AdminGrant, NewHuman, NewPassword, User},
    validation::FieldErrors,
};
use denizen_store::{self as store, Events};

use crate::{
    App, Cx, Error, Result, admins,
    crypto::{Prefix, Secret, Token, hash_token},
    cx::Detail,
    passwords,
    users::{human, prepare_password},
};

const PURPOSE: &str = "setup";
const LINK_FOR: Duration = Duration::from_secs(24 * 3600);

/// Whether the main realm has an owner.
///
/// # Errors
/// When the database fails.
pub async fn has_owner(app: &App) -> Result<bool> {
    let main = app.main_realm().await?.realm.id;
    app.db().read(move |tx| Ok(store::admins::has_owner(tx, main)?)).await
}

/// Makes the one set-up link that works, for a day; links made before stop working.
///
/// # Errors
/// When the database fails.
pub async fn make_link(app: &App) -> Result<Secret> {
    let main = app.main_realm().await?.realm.id;
    let token = Token::generate(app.rng(), Prefix::Bare);
    let (hash, now) = (token.hash(), app.now());
    app.db()
        .write(move |mut tx| {
            store::keys::put_one_time_token(&mut tx, main, PURPOSE, &hash, now, now.plus(LINK_FOR))?;
            Ok::<_, Error>(tx.unaudited("the set-up link; using it has its events", ())?)
        })
        .await?;
    Ok(Secret::new(format!("{}/setup/{}", app.public_url(), token.expose())))
}

/// Whether a set-up link still works.
///
/// # Errors
/// When the database fails.
pub async fn is_valid(app: &App, token: &str, cx: &Cx) -> Result<bool> {
    let (hash, now) = (hash_token(token), cx.now);
    Ok(app
        .db()
        .read(move |tx| Ok::<_, Error>(store::keys::find_one_time_token(tx, PURPOSE, &hash, now)?))
        .await?
        .is_some())
}

/// Makes the first owner of the main realm, with a set-up link's token, or without one from the environment.
///
/// # Errors
/// When a field is not acceptable, the link is used up, or there is an owner already.
pub async fn create_owner(app: &App, cx: &Cx, token: Option<&str>, new: NewHuman, password: String) -> Result<User> {
    let state = app.main_realm().await?;
    let realm = state.realm.clone();
    let mut errors = FieldErrors::new();
    let mut user = human(app, cx, &state, NewHuman { email_verified: true, ..new }, &mut errors);
    let checked = passwords::check_first(app, &realm.settings, &user, &password, &mut errors).await?;
    errors.into_result()?;
    user.admin_role = Some(AdminRole::Owner);
    let prepared = prepare_password(app, cx.now, NewPassword::Set(password)).await?;
    let (stored, _) = prepared.ok_or_else(|| Error::internal("no password to store"))?;
    let hash = token.map(hash_token);
    let (app2, cx2) = (app.clone(), cx.clone());
    app.write(cx, move |mut tx| {
        store::realms::lock(&mut tx, realm.id)?;
        if store::admins::has_owner(&mut tx, realm.id)? {
            return Err(Error::conflict("owner-exists", "The owner was made already. Sign in instead."));
        }
        if let Some(hash) = &hash
            && !store::keys::use_one_time_token(&mut tx, PURPOSE, hash, cx2.now)?
        {
            return Err(Error::not_found("set-up link"));
        }
        store::users::insert(&mut tx, &user)?;
        store::authenticators::put_password(&mut tx, realm.id, user.id, &stored, cx2.now)?;
        store::admins::put(&mut tx, realm.id, user.id, AdminGrant { role: AdminRole::Owner, realm_id: None }, cx2.now)?;
        admins::note_highest(&mut tx, &user, cx2.now)?;
        let created = cx2
            .user_event(&app2, EventType::UserCreated, &user)
            .detail("username", user.username.as_str())
            .detail("kind", "human");
        let granted =
            cx2.user_event(&app2, EventType::AdminGranted, &user).detail("role", "owner").detail("everywhere", true);
        let password = checked.told(cx2.user_event(&app2, EventType::UserPasswordChanged, &user));
        Ok(tx.commit(Events::new(created, [password, granted]), user.clone())?)
    })
    .await
}
