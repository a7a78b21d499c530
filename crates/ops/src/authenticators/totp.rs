//! Authenticator apps of users.

use denizen_model::{
    AuthenticatorId,
    authenticators::{Authenticator, AuthenticatorType, RequiredAction},
    events::{EventType, NewEvent},
    reset_requests::ResetKind,
    users::User,
};
use denizen_store::{self as store, WriteTx, authenticators::Stored};

use super::recovery_codes;
use crate::{
    App, Cx, Error, Result,
    crypto::{Secret, totp::TotpSecret},
    cx::Detail,
    flows::reset::close_in,
    flows::sign_in::{Taken, reason::Reason},
};

fn purpose(id: AuthenticatorId) -> String {
    format!("totp {id}")
}

/// An app that is to be stored.
pub(crate) fn prepare(app: &App, cx: &Cx, user: &User) -> Authenticator {
    Authenticator::new(AuthenticatorId::new(cx.now, app.id_bytes()), user.id, AuthenticatorType::Totp, "", cx.now)
}

/// Stores an app in the place of those there were; `step` is that of the code that proved it. Answers the events.
fn replace_in(
    tx: &mut WriteTx<'_>,
    app: &App,
    cx: &Cx,
    user: &User,
    new: &Authenticator,
    secret: &TotpSecret,
    step: i64,
) -> Result<Vec<NewEvent>> {
    let gone = store::authenticators::delete_kind(tx, user.realm_id, user.id, AuthenticatorType::Totp)?;
    let sealed = app.sealer().seal(&purpose(new.id), secret.as_bytes());
    store::authenticators::put(tx, user.realm_id, new, None, &sealed)?;
    // The code that proved it is used up with that.
    store::authenticators::take_step(tx, new.id, step)?;
    let event = cx
        .user_event(app, EventType::UserAuthenticatorRegistered, user)
        .detail("method", AuthenticatorType::Totp.as_str())
        .detail("authenticator_id", new.id.to_string())
        .detail("replaced", !gone.is_empty());
    Ok(vec![event])
}

/// Stores an app that was just set up, and what goes with it: recovery codes where there are some to be shown, nothing
/// that still asks for an app, no remembered browsers. Answers the events.
pub(crate) fn set_up_in(
    tx: &mut WriteTx<'_>,
    app: &App,
    cx: &Cx,
    user: &User,
    new: &Authenticator,
    (secret, step): (&TotpSecret, i64),
    codes: Option<&[Secret]>,
) -> Result<Vec<NewEvent>> {
    let mut events = replace_in(tx, app, cx, user, new, secret, step)?;
    if let Some(codes) = codes {
        events.extend(recovery_codes::replace_in(tx, app, cx, user, codes)?);
    }
    close_in(tx, user.id, ResetKind::Otp)?;
    store::required_actions::remove(tx, user.realm_id, user.id, RequiredAction::ConfigureOtp)?;
    store::remembered_devices::forget_all(tx, user.realm_id, user.id)?;
    Ok(events)
}

/// The event of a first code that was wrong: most often of a clock that is.
pub(crate) fn not_set_up(app: &App, cx: &Cx, user: &User) -> NewEvent {
    cx.user_event(app, EventType::UserAuthenticatorRegistered, user)
        .failed(Reason::WrongCode.as_str())
        .detail("method", AuthenticatorType::Totp.as_str())
}

/// Looks at a code, and uses it up if it is right.
pub(crate) async fn take(app: &App, cx: &Cx, stored: &[Stored], code: Secret) -> Result<Taken> {
    for one in stored {
        let id = one.authenticator.id;
        let opened = app.sealer().open(&purpose(id), &one.secret);
        let bytes = opened.map_err(|error| Error::internal(format!("a TOTP secret cannot be opened: {error}")))?;
        let secret = TotpSecret::from_bytes(&bytes).ok_or_else(|| Error::internal("a TOTP secret is damaged"))?;
        let Some(step) = secret.check(code.expose(), cx.now) else { continue };
        let first = app
            .db()
            .write(move |mut tx| {
                let first = store::authenticators::take_step(&mut tx, id, step)?;
                Ok::<_, Error>(tx.unaudited("the sign-in that it is for has its event", first)?)
            })
            .await?;
        return Ok(if first { Taken::Right(id) } else { Taken::UsedBefore });
    }
    Ok(Taken::Wrong)
}
