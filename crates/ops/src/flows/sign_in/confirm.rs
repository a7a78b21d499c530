//! The password once more, of somebody who is signed in: under the same lockout as a sign-in, so that a browser left open
//! is no place to guess at it.

use denizen_model::{authenticators::AuthenticatorType, users::User, validation::FieldErrors};
use denizen_store as store;

use super::{
    Flow, Step,
    failures::{Attempt, Reason},
};
use crate::{App, Cx, Error, RealmState, Result, crypto::Secret};

/// The field that it is typed into.
const FIELD: &str = "current_password";
/// No password that can be set is longer, in bytes.
const LONGEST: usize = 1024;

/// Whether this is the user's password; what is wrong with it otherwise stands at the field `current_password`.
///
/// # Errors
/// When there is none any more, or the hashing pool or the database is overloaded or fails.
pub(crate) async fn confirm_password(
    app: &App,
    cx: &Cx,
    realm: &RealmState,
    user: &User,
    typed: Secret,
) -> Result<FieldErrors> {
    match typed.expose() {
        "" => return Ok(FieldErrors::one(FIELD, "sign_in.password.missing")),
        long if long.len() > LONGEST => return Ok(FieldErrors::one(FIELD, "account.password.wrong")),
        _ => {}
    }
    let (id, user_id, now) = (realm.realm.id, user.id, cx.now);
    let (stored, usable) = app
        .db()
        .peek(move |tx| {
            let stored = store::authenticators::find_password(tx, user_id)?;
            let all = store::authenticators::list(tx, id, user_id)?;
            let usable = all.iter().any(|one| one.kind == AuthenticatorType::Password && one.is_usable(now));
            Ok::<_, Error>((stored, usable))
        })
        .await?;
    let flow = Flow::new(cx.now, None, Some(user.username.clone()));
    let attempt = Attempt { app, cx, realm, flow: &flow, user: Some(user), kind: AuthenticatorType::Password };
    if let Some(refusal) = attempt.refusal().await? {
        return at_field(refusal);
    }
    let stored = stored.ok_or_else(Error::changed)?;
    let verdict = app.hasher_for(cx).verify(typed, stored.phc).await?;
    match (verdict.ok, usable) {
        (true, true) => Ok(FieldErrors::new()),
        (true, false) => at_field(attempt.failed(Reason::NotUsable).await?),
        (false, _) => at_field(attempt.failed(Reason::WrongPassword).await?),
    }
}

/// What a sign-in says of a failed attempt, in words for somebody who is signed in.
fn at_field(step: Step) -> Result<FieldErrors> {
    let Step::Wrong(said) = step else { return Err(Error::internal("a failed attempt was not told as such")) };
    let mut errors = FieldErrors::new();
    for (_, text) in said.iter() {
        errors.add(FIELD, if text == "sign_in.password.wrong" { "account.password.wrong" } else { text });
    }
    Ok(errors)
}
