//! The second factor: a code of an app, or a recovery code.

use std::sync::Arc;

use denizen_model::authenticators::AuthenticatorType;
use denizen_store as store;

use super::{
    Flow, Step,
    actions::client_of,
    advance::{advance, standing},
    failures::{Attempt, Reason},
    flow_expired,
};
use crate::{
    App, Cx, Error, RealmState, Result,
    authenticators::{recovery_codes, totp},
    crypto::Secret,
    flows::rules::{Next, Used},
};

/// Checks a code. `remember` keeps the browser from being asked again for a while.
///
/// # Errors
/// When no second factor is asked for, or not one of this kind.
pub async fn check_second_factor_step(
    app: &App,
    cx: &Cx,
    realm: &Arc<RealmState>,
    mut flow: Flow,
    kind: AuthenticatorType,
    code: Secret,
    remember: bool,
) -> Result<Step> {
    let proof = flow.proof.clone().ok_or_else(flow_expired)?;
    let (standing, _) = standing(app, cx, realm, &flow).await?;
    let settings = &realm.realm.settings;
    match standing.next(settings, &proof.used, proof.satisfied, cx.now) {
        Next::SecondFactor(kinds) if kinds.contains(&kind) => {}
        // It was given in another tab, or is not asked for any more.
        Next::SecondFactor(_) => return Err(flow_expired()),
        _ => return advance(app, cx, realm, flow).await,
    }
    let attempt = Attempt { app, cx, realm, flow: &flow, user: Some(&standing.user), kind };
    if let Some(refusal) = attempt.refusal().await? {
        return Ok(refusal);
    }
    let (user, now) = (standing.user.id, cx.now);
    let stored = app.db().peek(move |tx| Ok::<_, Error>(store::authenticators::list_stored(tx, user, kind)?)).await?;
    let stored: Vec<_> = stored.into_iter().filter(|one| one.authenticator.is_usable(now)).collect();
    let taken = match kind {
        AuthenticatorType::Totp => totp::take(app, cx, &stored, code).await?,
        AuthenticatorType::RecoveryCodes => {
            let client = client_of(&flow);
            recovery_codes::take(app, cx, &standing.user, &stored, code, client.as_deref()).await?
        }
        _ => return Err(flow_expired()),
    };
    let used = match taken {
        Taken::Right(id) => Used { id, kind },
        Taken::Wrong => return attempt.failed(Reason::WrongCode).await,
        Taken::UsedBefore => return attempt.failed(Reason::UsedCode).await,
    };
    flow = flow.proved(cx.now, user, used);
    if let Some(proof) = &mut flow.proof {
        proof.satisfied = true;
        proof.remember = remember;
    }
    advance(app, cx, realm, flow).await
}

/// What became of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is right, of this authenticator, and is used up.
    Right(denizen_model::AuthenticatorId),
    /// It is wrong.
    Wrong,
    /// It was right once.
    UsedBefore,
}
