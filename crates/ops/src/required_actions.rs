//! What users must do before they reach their destination (PRODUCT §7, §16), as agents ask for it and cancel it.

use denizen_model::{
    Timestamp, UserId,
    authenticators::RequiredAction,
    events::EventType,
    permissions::markers::{CredentialsReset, UsersRead},
    reset_requests::{ResetKind, ResetRequest},
    users::{User, UserKind, VerificationState},
};
use denizen_store::{self as store, Events, ReadTx};

use crate::{
    App, Cx, Error, May, Result,
    account::profile::missing_of,
    admins,
    authenticators::{passkeys, require_password_reset},
    cx::Detail,
    flows::reset::close_in,
    users::get_in,
};

/// What waits for a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// What it is.
    pub action: RequiredAction,
    /// When it was asked for; of a new password without a request that is in the events alone.
    pub requested_at: Option<Timestamp>,
    /// The request that it came with, whose link leads there.
    pub request: Option<ResetRequest>,
}

/// What waits for a user, in the order in which it is asked for.
///
/// # Errors
/// When there is no such user.
pub async fn list(app: &App, _cx: &Cx, may: May<UsersRead>, user: UserId) -> Result<Vec<Waiting>> {
    let realm = may.realm();
    app.db()
        .read(move |tx| {
            let user = get_in(tx, realm, user)?;
            let requests = store::reset_requests::list(tx, realm, user.id)?;
            let waiting = |action, requested_at: Option<Timestamp>| {
                let request = requests.iter().find(|one| one.kind.action() == action).cloned();
                let requested_at = requested_at.or(request.as_ref().map(|request| request.requested_at));
                Waiting { action, requested_at, request }
            };
            let password = user.requires_password_reset.then(|| waiting(RequiredAction::UpdatePassword, None));
            let others = store::required_actions::list(tx, realm, user.id)?;
            let others = others.into_iter().map(|(action, at)| waiting(action, Some(at)));
            Ok(password.into_iter().chain(others).collect())
        })
        .await
}

/// Whether the server can do what an action needs.
fn check_possible(app: &App, action: RequiredAction) -> Result<()> {
    match action {
        RequiredAction::RegisterPasskey => passkeys::asker(app).map(drop),
        RequiredAction::VerifyEmail if !app.sends_mail() => {
            Err(Error::conflict("no-mail-server", "No mail server is configured, so no code could be sent."))
        }
        RequiredAction::VerifyPhone if !app.sms_configured() => {
            Err(Error::conflict("no-sms-gateway", "No SMS gateway is configured, so no code could be sent."))
        }
        _ => Ok(()),
    }
}

/// Whether what an action asks for is there. An address that is not there yet may still be asked to be confirmed, once
/// there is one.
fn is_done_in(tx: &mut ReadTx<'_>, user: &User, action: RequiredAction) -> Result<bool> {
    let verified = VerificationState::Verified;
    Ok(match action {
        RequiredAction::VerifyEmail => user.email.is_some() && user.email_state == verified,
        RequiredAction::VerifyPhone => user.phone.is_some() && user.phone_state == verified,
        RequiredAction::CompleteProfile => {
            let definitions = store::attribute_definitions::list(tx, user.realm_id)?;
            user.given_name.is_some() && user.family_name.is_some() && missing_of(&definitions, user).is_empty()
        }
        _ => false,
    })
}

/// Requires something, or no longer requires it.
///
/// # Errors
/// Code `unchanged` when it is so already; `done-already` when there is nothing left to do; or when the user is a
/// machine, or the server cannot send what it takes.
pub async fn set(
    app: &App,
    cx: &Cx,
    may: May<CredentialsReset>,
    user: UserId,
    action: RequiredAction,
    required: bool,
) -> Result<()> {
    if action == RequiredAction::UpdatePassword {
        return require_password_reset(app, cx, may, user, required).await;
    }
    if required {
        check_possible(app, action)?;
    }
    let (app2, cx2, realm) = (app.clone(), cx.clone(), may.realm());
    app.write(cx, move |mut tx| {
        let user = get_in(&mut tx, realm, user)?;
        admins::check_power_over(&mut tx, &cx2, &user)?;
        if user.kind == UserKind::Machine {
            return Err(Error::conflict("machine", "A machine does not sign in on pages."));
        }
        if required && is_done_in(&mut tx, &user, action)? {
            return Err(Error::conflict("done-already", "There is nothing left to do."));
        }
        let changed = if required {
            store::required_actions::add(&mut tx, realm, user.id, action, cx2.now)?
        } else {
            if let Some(kind) = ResetKind::of_action(action) {
                close_in(&mut tx, user.id, kind)?;
            }
            store::required_actions::remove(&mut tx, realm, user.id, action)?
        };
        if !changed {
            let message = if required { "It is required already." } else { "It is not required." };
            return Err(Error::conflict("unchanged", message));
        }
        let event = cx2
            .user_event(&app2, EventType::UserRequiredActionChanged, &user)
            .detail("action", action.as_str())
            .detail("required", required);
        Ok(tx.commit(Events::from(event), ())?)
    })
    .await
}
