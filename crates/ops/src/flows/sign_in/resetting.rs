//! A sign-in that began with the link of a reset: it gets to its destination by way of the reset alone.

use denizen_model::{
    ResetRequestId, Timestamp, UserId,
    authenticators::{Authenticator, AuthenticatorType},
    realms::RealmSettings,
    reset_requests::ResetKind,
    users::User,
};
use denizen_store::{self as store, WriteTx};
use serde::{Deserialize, Serialize};

use super::{
    flow::{Flow, PROOF_FOR, Proof},
    flow_expired,
};
use crate::{
    Result,
    flows::{
        reset,
        rules::{Standing, Used},
    },
};

/// What the link is for, until that is done.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Resetting {
    pub(super) user: UserId,
    pub(super) kind: ResetKind,
    /// The agent's request: once it is cancelled the sign-in leads nowhere.
    pub(super) request: Option<ResetRequestId>,
}

impl Resetting {
    /// How the user stands as far as this sign-in goes: the reset is required, and what was lost is not asked for.
    pub(super) fn applied(&self, mut standing: Standing) -> Standing {
        if !standing.actions.contains(&self.kind.action()) {
            standing.actions.push(self.kind.action());
        }
        let lost: &[AuthenticatorType] = match self.kind {
            ResetKind::Password => &[],
            ResetKind::Otp => &[AuthenticatorType::Totp, AuthenticatorType::RecoveryCodes],
            ResetKind::Passkey => &[AuthenticatorType::Passkey],
        };
        standing.authenticators.retain(|one| !lost.contains(&one.kind));
        standing
    }

    /// Whether the link is the second proof: after a password, where the second step is what was lost; of a passkey only
    /// where nothing else is left that could be asked for.
    pub(super) fn is_second_proof(
        &self,
        proof: &Proof,
        standing: &Standing,
        settings: &RealmSettings,
        now: Timestamp,
    ) -> bool {
        let by_password = proof.used.iter().any(|used| used.kind == AuthenticatorType::Password);
        by_password
            && match self.kind {
                ResetKind::Password => false,
                ResetKind::Otp => true,
                ResetKind::Passkey => standing.second_factors(settings, &proof.used, now).is_empty(),
            }
    }
}

impl Flow {
    /// The same sign-in as a link of a reset begins it. The link is the first proof, or proves nothing by itself.
    pub(in crate::flows) fn resetting(
        mut self,
        now: Timestamp,
        user: &User,
        kind: ResetKind,
        request: Option<ResetRequestId>,
        is_proof: bool,
    ) -> Self {
        if is_proof {
            let link = AuthenticatorType::MagicLink;
            let used = Used { id: Authenticator::of_address(user.id, link, "", now).id, kind: link };
            self = self.proved(now, user.id, used);
            if let Some(proof) = &mut self.proof {
                proof.by_reset_link = true;
            }
        }
        self.expires_at = now.plus(PROOF_FOR);
        self.resetting = Some(Resetting { user: user.id, kind, request });
        self
    }

    /// Whether it began with a link to a new password that somebody asked for themselves.
    pub(super) fn is_self_help(&self) -> bool {
        let resetting = self.resetting.as_ref();
        resetting.is_some_and(|resetting| resetting.kind == ResetKind::Password && resetting.request.is_none())
    }

    /// Notes in the transaction of a step that a reset is done, whatever it was that asked for it. Answers how events
    /// tell by what way: `link` or `sign-in`, and the agent's request that waited.
    ///
    /// # Errors
    /// When the link's reset was cancelled since.
    pub(super) fn complete_in(
        &self,
        tx: &mut WriteTx<'_>,
        user: &User,
        kind: ResetKind,
    ) -> Result<(&'static str, Option<ResetRequestId>)> {
        let by_link = self.resetting.as_ref().filter(|resetting| resetting.kind == kind);
        if let Some(request) = by_link.and_then(|resetting| resetting.request)
            && !store::reset_requests::stands(tx, user.realm_id, user.id, request)?
        {
            return Err(flow_expired());
        }
        let waited = reset::close_in(tx, user.id, kind)?;
        Ok((if by_link.is_some() { "link" } else { "sign-in" }, waited))
    }

    /// The same sign-in once the reset is done that it began for.
    pub(super) fn reset_done(mut self, kind: ResetKind) -> Self {
        self.resetting = self.resetting.filter(|resetting| resetting.kind != kind);
        self
    }
}
