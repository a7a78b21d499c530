//! What users must do before they reach their destination (PRODUCT §7, §16), as agents ask for it and cancel it.

use denizen_model::{
    Timestamp, UserId,
    authenticators::RequiredAction,
    events::EventType,
    permissions::markers::{CredentialsReset, UsersRead},
    reset_requests::{ResetKind, ResetRequest},
    users::UserKind,
};
use denizen_store::{self as store, Events};

use crate::{
    App, Cx, Error, May, Result, admins,
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

/// Requires something, or no longer requires it.
///
/// # Errors
/// Code `unchanged` when it is so already; or when the user is a machine.
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
    if required && action == RequiredAction::RegisterPasskey {
        passkeys::asker(app)?;
    }
    let (app2, cx2, realm) = (app.clone(), cx.clone(), may.realm());
    app.write(cx, move |mut tx| {
        let user = get_in(&mut tx, realm, user)?;
        admins::check_power_over(&mut tx, &cx2, &user)?;
        if user.kind == UserKind::Machine {
            return Err(Error::conflict("machine", "A machine does not sign in on pages."));
        }
        let changed = if required {
            store::required_actions::add(&mut tx, realm, user.id, action, cx2.now)?
        } else {
            close_in(&mut tx, user.id, ResetKind::of_action(action))?;
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
