//! The password.

use std::sync::Arc;

use denizen_model::authenticators::AuthenticatorType;
use denizen_store as store;

use super::{
    Flow, Step,
    advance::advance,
    failures::{Attempt, Reason},
    password_used,
};
use crate::{App, Cx, Error, RealmState, Result, authenticators::upgrade_hash, crypto::Secret, flows::rules::barriers};

/// Checks a password. The same time passes and the same answer comes whether or not the account exists.
///
/// # Errors
/// When the hashing pool or the database is overloaded or fails.
pub async fn check_password_step(
    app: &App,
    cx: &Cx,
    realm: &Arc<RealmState>,
    flow: Flow,
    password: Secret,
) -> Result<Step> {
    let (id, typed, now) = (realm.realm.id, flow.identifier.clone().unwrap_or_default(), cx.now);
    let found = app
        .db()
        .peek(move |tx| {
            let Some(user) = store::users::find_by_identifier(tx, id, &typed)? else { return Ok::<_, Error>(None) };
            let password = store::authenticators::find_password(tx, user.id)?;
            let all = store::authenticators::list(tx, id, user.id)?;
            let usable = all.iter().any(|one| one.kind == AuthenticatorType::Password && one.is_usable(now));
            Ok(Some((user, password, usable)))
        })
        .await?;
    let user = found.as_ref().map(|(user, _, _)| user.clone());
    let attempt = Attempt { app, cx, realm, flow: &flow, user: user.as_ref(), kind: AuthenticatorType::Password };
    if let Some(refusal) = attempt.refusal().await? {
        return Ok(refusal);
    }
    let Some((user, stored, usable)) = found else {
        let _never_ok = app.hasher_for(cx).verify_dummy(password).await?;
        return attempt.failed(Reason::UnknownUser).await;
    };
    let Some(stored) = stored else {
        let _never_ok = app.hasher_for(cx).verify_dummy(password).await?;
        return attempt.failed(barriers(&user).next().map_or(Reason::NoPassword, Reason::Barred)).await;
    };
    let verdict = app.hasher_for(cx).verify(password.clone(), stored.phc.clone()).await?;
    let allowed = realm.realm.settings.sign_in_methods.contains(&AuthenticatorType::Password);
    let reason = match barriers(&user).next() {
        _ if !verdict.ok => Some(Reason::WrongPassword),
        Some(barrier) => Some(Reason::Barred(barrier)),
        None if !usable => Some(Reason::NotUsable),
        None if !allowed => Some(Reason::NotAllowed),
        None => None,
    };
    if let Some(reason) = reason {
        return attempt.failed(reason).await;
    }
    if verdict.needs_upgrade {
        upgrade_hash(app, stored.clone(), password).await?;
    }
    let used = password_used(stored.id);
    let flow = Flow { proof: None, ..flow }.proved(cx.now, user.id, used);
    advance(app, cx, realm, flow).await
}
