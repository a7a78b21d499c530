//! Where a sign-in stands, as it travels through the browser.

use std::time::Duration;

use denizen_model::{Timestamp, UserId, authenticators::AuthenticatorType};
use serde::{Deserialize, Serialize};

use super::{codes::Sent, resetting::Resetting};

use crate::{
    App, Error, RealmState, Result,
    crypto::{
        hash_token,
        totp::TotpSecret,
        webauthn::{AskedFor, Making},
    },
    flows::rules::Used,
    oauth::authorize::Request,
};

/// How long a person may take from the first page to the last.
const FLOW_FOR: Duration = Duration::from_secs(3600);
/// How long a proof holds until the destination is reached.
pub(super) const PROOF_FOR: Duration = Duration::from_secs(900);

/// Where a sign-in stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Flow {
    /// What the client asked for; `None` leads to the account pages.
    pub request: Option<Request>,
    /// Whom the person says they are.
    pub identifier: Option<String>,
    /// The hash of the session cookie that the browser has already. It does not travel: each step sets it.
    #[serde(skip)]
    pub(super) previous: Option<String>,
    /// The hash of the cookie by which the browser may be remembered. It does not travel either.
    #[serde(skip)]
    pub(super) device: Option<String>,
    /// The page of ours that it leads to where no client asked, by its path; `None` is the account's first.
    #[serde(default)]
    pub(super) back: Option<String>,
    /// Somebody who is signed in proves it once more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) again: bool,
    /// What was proved so far.
    #[serde(default)]
    pub(super) proof: Option<Proof>,
    /// The secret of an authenticator app that is being set up, base64.
    #[serde(default)]
    pub(super) setting_up: Option<String>,
    /// What was sent to an address, and is waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sent: Option<Sent>,
    /// What the link is for that it began with, until that is done.
    #[serde(default)]
    pub(super) resetting: Option<Resetting>,
    /// The passkey that a page asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) passkey_asked: Option<Box<AskedFor>>,
    /// The passkey that a page asks to make.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) passkey_making: Option<Box<Making>>,
    pub(super) expires_at: Timestamp,
}

/// What somebody proved so far.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Proof {
    pub(super) user: UserId,
    pub(super) used: Vec<Used>,
    /// A second factor was given, or is not asked for.
    pub(super) satisfied: bool,
    /// The browser is to be remembered.
    pub(super) remember: bool,
    /// The magic link among what was used is the link of a reset, which is no authenticator of the user's.
    #[serde(default)]
    pub(super) by_reset_link: bool,
}

impl Proof {
    fn of(user: UserId) -> Self {
        Self { user, used: Vec::new(), satisfied: false, remember: false, by_reset_link: false }
    }

    /// The authenticators that were used.
    pub(super) fn authenticators(&self) -> impl Iterator<Item = &Used> {
        self.used.iter().filter(|used| !(self.by_reset_link && used.kind == AuthenticatorType::MagicLink))
    }
}

impl Flow {
    /// A sign-in that begins.
    #[must_use]
    pub fn new(now: Timestamp, request: Option<Request>, identifier: Option<String>) -> Self {
        Self {
            request,
            identifier: identifier.filter(|text| text.len() <= 254),
            previous: None,
            device: None,
            back: None,
            again: false,
            sent: None,
            proof: None,
            setting_up: None,
            resetting: None,
            passkey_asked: None,
            passkey_making: None,
            expires_at: now.plus(FLOW_FOR),
        }
    }

    /// The same sign-in, which leads to a page of ours.
    #[must_use]
    pub fn leading_to(self, path: String) -> Self {
        Self { back: Some(path), ..self }
    }

    /// The same sign-in once the person has said who they are.
    #[must_use]
    pub fn identified(self, identifier: String) -> Self {
        Self { identifier: Some(identifier), proof: None, setting_up: None, sent: None, resetting: None, ..self }
            .without_questions()
    }

    /// The same sign-in in a browser that has these cookies. The session behind the first goes on if it is the same
    /// person's, and ends if it is another's; the second may spare them the second factor.
    #[must_use]
    pub fn in_browser_with(self, session: Option<&str>, device: Option<&str>) -> Self {
        Self { previous: session.map(hash_token), device: device.map(hash_token), ..self }
    }

    /// The same sign-in without what a page asks of a passkey: for links, and for pages that ask something else.
    #[must_use]
    pub fn without_questions(self) -> Self {
        Self { passkey_asked: None, passkey_making: None, ..self }
    }

    /// A sign-in of somebody who is signed in, for what takes a recent proof.
    #[must_use]
    pub fn once_more(self) -> Self {
        Self { again: true, ..self }
    }

    /// Whether it is of somebody who is signed in.
    #[must_use]
    pub fn is_again(&self) -> bool {
        self.again
    }

    /// What was sent and is waited for.
    #[must_use]
    pub fn awaited(&self) -> Option<AuthenticatorType> {
        self.sent.as_ref().map(Sent::kind)
    }

    /// Whether somebody has proved something already.
    #[must_use]
    pub fn is_proved(&self) -> bool {
        self.proof.is_some()
    }

    /// The same sign-in once something more was proved.
    pub(in crate::flows) fn proved(mut self, now: Timestamp, user: UserId, used: Used) -> Self {
        let proof = self.proof.get_or_insert_with(|| Proof::of(user));
        proof.used.push(used);
        self.expires_at = now.plus(PROOF_FOR);
        self
    }

    /// What was proved with, joined: what events call the method.
    pub(super) fn method(&self) -> String {
        let used = self.proof.iter().flat_map(|proof| &proof.used);
        used.map(|used| used.kind.as_str()).collect::<Vec<_>>().join("+")
    }

    /// What was proved with, as tokens tell it (RFC 8176).
    pub(super) fn amr(&self) -> String {
        let mut values: Vec<&str> = Vec::new();
        let used = self.proof.iter().flat_map(|proof| &proof.used);
        for kind in used.map(|used| used.kind) {
            let more: &[&str] = if kind == AuthenticatorType::Passkey { &["hwk", "user"] } else { &[kind.amr()] };
            values.extend(more.iter().filter(|value| !values.contains(*value)).copied().collect::<Vec<_>>());
        }
        let several = self.proof.as_ref().is_some_and(|proof| proof.used.len() > 1 || proof.satisfied);
        if several {
            values.push("mfa");
        }
        values.join(" ")
    }

    /// The secret that is being set up.
    pub(super) fn totp(&self) -> Option<TotpSecret> {
        use base64::Engine as _;
        let bytes = crate::crypto::B64.decode(self.setting_up.as_ref()?).ok()?;
        TotpSecret::from_bytes(&bytes)
    }

    /// The same sign-in with a secret to be set up, which stays the same from page to page.
    pub(super) fn with_totp(mut self, app: &App) -> Self {
        use base64::Engine as _;
        if self.totp().is_none() {
            let secret = TotpSecret::generate(app.rng());
            self.setting_up = Some(crate::crypto::B64.encode(secret.as_bytes()));
        }
        self
    }

    fn purpose(realm: &RealmState) -> String {
        format!("sign-in {}", realm.realm.id)
    }

    /// The text that stands in pages.
    ///
    /// # Errors
    /// Never in practice: every state can be written.
    pub fn seal(&self, app: &App, realm: &RealmState) -> Result<String> {
        let plain = serde_json::to_vec(self).map_err(|error| Error::internal(error.to_string()))?;
        Ok(app.sealer().seal(&Self::purpose(realm), plain))
    }

    /// Reads what [`seal`](Self::seal) wrote; `None` when it was altered, is another realm's, or is too old.
    #[must_use]
    pub fn open(app: &App, realm: &RealmState, now: Timestamp, text: &str) -> Option<Self> {
        let plain = app.sealer().open(&Self::purpose(realm), text).ok()?;
        let flow: Self = serde_json::from_slice(&plain).ok()?;
        (now < flow.expires_at).then_some(flow)
    }
}
