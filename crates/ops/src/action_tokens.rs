//! Single-use secrets in links that were mailed: whoever opens one has read the mail.

use std::time::Duration;

use denizen_model::{RealmId, Timestamp, UserId, reset_requests::ResetKind};
use denizen_store::{self as store, ReadTx, WriteTx, action_tokens::NewActionToken};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    App, Cx, Error, Result,
    crypto::{Prefix, Token, hash_token},
};

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Confirming an address.
    VerifyEmail,
    /// Going on with a registration.
    Register,
    /// Making an address somebody's.
    ChangeEmail,
    /// Signing in.
    SignIn,
    /// Making something anew; whoever makes the link says for how long it works.
    Reset(ResetKind),
}

impl Purpose {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify-email",
            Self::Register => "register",
            Self::ChangeEmail => "change-email",
            Self::SignIn => "sign-in",
            Self::Reset(ResetKind::Password) => "reset-password",
            Self::Reset(ResetKind::Otp) => "reset-otp",
            Self::Reset(ResetKind::Passkey) => "reset-passkey",
        }
    }

    /// How long its links work.
    pub(crate) const fn valid_for(self) -> Duration {
        match self {
            Self::VerifyEmail | Self::Register | Self::ChangeEmail | Self::Reset(_) | Self::SignIn => {
                Duration::from_secs(24 * 3600)
            }
        }
    }
}

/// A link's secret that is ready to be stored.
pub(crate) struct Fresh {
    token: Token,
    /// When it stops working.
    pub(crate) expires_at: Timestamp,
}

impl Fresh {
    /// Makes one.
    pub(crate) fn new(app: &App, now: Timestamp, valid_for: Duration) -> Self {
        Self { token: Token::generate(app.rng(), Prefix::Bare), expires_at: now.plus(valid_for) }
    }

    /// The secret itself, for the link.
    pub(crate) fn expose(&self) -> &str {
        self.token.expose()
    }

    /// Its stored form.
    pub(crate) fn hash(&self) -> String {
        self.token.hash()
    }
}

/// A link that works.
#[derive(Debug, Clone)]
pub(crate) struct Opened<T> {
    /// Whose it is, where there is a user already.
    pub(crate) user_id: Option<UserId>,
    /// What it is for besides.
    pub(crate) data: T,
}

/// Stores a link's secret.
pub(crate) fn store_in(
    tx: &mut WriteTx<'_>,
    cx: &Cx,
    realm: RealmId,
    user: Option<UserId>,
    purpose: Purpose,
    fresh: &Fresh,
    data: &impl Serialize,
) -> Result<()> {
    let data = serde_json::to_string(data).map_err(|error| Error::internal(error.to_string()))?;
    let token = NewActionToken {
        secret_hash: &fresh.hash(),
        realm_id: realm,
        user_id: user,
        purpose: purpose.as_str(),
        data: &data,
        expires_at: fresh.expires_at,
    };
    Ok(store::action_tokens::insert(tx, &token, cx.now)?)
}

fn read<T: DeserializeOwned>(found: Option<store::action_tokens::ActionToken>) -> Result<Option<Opened<T>>> {
    found
        .map(|found| {
            let data = serde_json::from_str(&found.data).map_err(|error| Error::internal(error.to_string()))?;
            Ok(Opened { user_id: found.user_id, data })
        })
        .transpose()
}

/// Looks a link up without using it: programs that look for bad links open them too.
pub(crate) async fn find<T: DeserializeOwned + Send + 'static>(
    app: &App,
    realm: RealmId,
    purpose: Purpose,
    secret: &str,
    now: Timestamp,
) -> Result<Option<Opened<T>>> {
    if Token::parse(secret, Prefix::Bare).is_none() {
        return Ok(None);
    }
    let secret = secret.to_owned();
    app.db().peek(move |tx| find_in(tx, realm, purpose, &secret, now)).await
}

/// [`find`] inside a transaction.
pub(crate) fn find_in<T: DeserializeOwned>(
    tx: &mut ReadTx<'_>,
    realm: RealmId,
    purpose: Purpose,
    secret: &str,
    now: Timestamp,
) -> Result<Option<Opened<T>>> {
    read(store::action_tokens::find(tx, realm, purpose.as_str(), &hash_token(secret), now)?)
}

/// Why a link works no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dead {
    /// It was followed before.
    Used,
    /// It is too old.
    Expired,
}

/// A link that was one and works no more, as long as that is known: whose it was, and why.
pub(crate) fn find_dead<T: DeserializeOwned>(
    tx: &mut ReadTx<'_>,
    realm: RealmId,
    purpose: Purpose,
    secret: &str,
    now: Timestamp,
) -> Result<Option<(Opened<T>, Dead)>> {
    let found = store::action_tokens::find_dead(tx, realm, purpose.as_str(), &hash_token(secret), now)?;
    let Some((token, used)) = found else { return Ok(None) };
    let why = if used { Dead::Used } else { Dead::Expired };
    Ok(read(Some(token))?.map(|opened| (opened, why)))
}

/// What a user's latest link of this purpose is for, if it works still, and until when.
pub(crate) fn find_of_user<T: DeserializeOwned>(
    tx: &mut ReadTx<'_>,
    user: UserId,
    purpose: Purpose,
    now: Timestamp,
) -> Result<Option<(T, Timestamp)>> {
    let found = store::action_tokens::find_of_user(tx, user, purpose.as_str(), now)?;
    let until = found.as_ref().map(|found| found.expires_at);
    Ok(read::<T>(found)?.map(|opened| opened.data).zip(until))
}

/// Uses a link up.
pub(crate) fn use_up<T: DeserializeOwned>(
    tx: &mut WriteTx<'_>,
    realm: RealmId,
    purpose: Purpose,
    hash: &str,
    now: Timestamp,
) -> Result<Option<Opened<T>>> {
    read(store::action_tokens::use_up(tx, realm, purpose.as_str(), hash, now)?)
}

/// Whether it is looked into why a link does not work that was opened, and counted: not where too much failed from there
/// already, nor where it was opened from there before. Most of those that somebody has used are forgotten with what they
/// were for, so what never was a link is told from them only where it does not look like one.
pub(crate) fn is_opened_anew(app: &App, cx: &Cx, secret: &str) -> bool {
    let limits = app.limits();
    if limits.holds(cx.ip, cx.now) {
        return false;
    }
    Token::parse(secret, Prefix::Bare).is_none_or(|token| limits.note_dead_link(cx.ip, token.hash(), cx.now))
}

/// The failure of every link that does not work, whatever the reason.
pub(crate) fn gone() -> Error {
    Error::conflict(
        "link-gone",
        "This link no longer works. It was used before, replaced by a newer one, or is too old.",
    )
}
