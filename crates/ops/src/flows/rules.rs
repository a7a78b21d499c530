//! The rules a sign-in goes by, apart from its pages, so that a diagnosis applies the very same.

use denizen_model::{
    AuthenticatorId, GroupId, RoleId, Timestamp,
    authenticators::{Authenticator, AuthenticatorType, RequiredAction},
    realms::{RealmSettings, SecondFactor},
    users::{User, UserKind, VerificationState},
};

/// What keeps a user from signing in, whatever they prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Barrier {
    /// Machines sign in with API keys, not on pages.
    Machine,
    /// The user is disabled.
    Disabled,
}

impl Barrier {
    /// The reason as a failed sign-in's event tells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Machine => "the user is a machine",
            Self::Disabled => "the user is disabled",
        }
    }
}

/// Everything that keeps a user from signing in, the most telling first.
pub fn barriers(user: &User) -> impl Iterator<Item = Barrier> + use<> {
    let all = [(user.kind == UserKind::Machine, Barrier::Machine), (!user.enabled, Barrier::Disabled)];
    all.into_iter().filter(|(stands, _)| *stands).map(|(_, barrier)| barrier)
}

/// Whether a new password must be set at the next sign-in, before the destination.
#[must_use]
pub fn must_update_password(user: &User, temporary: bool) -> bool {
    user.requires_password_reset || temporary
}

/// An authenticator that a user proved to have in this sign-in.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Used {
    /// Which.
    pub id: AuthenticatorId,
    /// Of which kind.
    pub kind: AuthenticatorType,
}

/// How a user stands when a sign-in asks what is next.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The user.
    pub user: User,
    /// All their authenticators, those that come with an address too.
    pub authenticators: Vec<Authenticator>,
    /// What waits for them. A new password waits by the record itself too.
    pub actions: Vec<RequiredAction>,
    /// Their realm roles.
    pub roles: Vec<RoleId>,
    /// Their groups.
    pub groups: Vec<GroupId>,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// A second factor, one of these.
    SecondFactor(Vec<AuthenticatorType>),
    /// Something that is required.
    Action(RequiredAction),
    /// The destination.
    Done,
}

impl Standing {
    /// Whether a temporary password stands.
    #[must_use]
    pub fn has_temporary_password(&self) -> bool {
        self.authenticators.iter().any(|one| one.kind == AuthenticatorType::Password && one.temporary)
    }

    fn usable(&self, kind: AuthenticatorType, now: Timestamp) -> bool {
        self.authenticators.iter().any(|one| one.kind == kind && one.is_usable(now))
    }

    /// The second factors this user can prove now, having proved `used`.
    #[must_use]
    pub fn second_factors(&self, settings: &RealmSettings, used: &[Used], now: Timestamp) -> Vec<AuthenticatorType> {
        let proved = |kinds: &[AuthenticatorType]| used.iter().any(|used| kinds.contains(&used.kind));
        let mut found: Vec<AuthenticatorType> = settings
            .second_factors
            .iter()
            .copied()
            .filter(|kind| self.usable(*kind, now))
            .filter(|kind| match kind {
                // The same mailbox or phone twice is no second factor, nor is an address that nobody confirmed.
                AuthenticatorType::EmailCode => {
                    self.user.email_state == VerificationState::Verified
                        && !proved(&[AuthenticatorType::EmailCode, AuthenticatorType::MagicLink])
                }
                AuthenticatorType::SmsCode => {
                    self.user.phone_state == VerificationState::Verified && !proved(&[AuthenticatorType::SmsCode])
                }
                kind => !proved(&[*kind]),
            })
            .collect();
        if !found.is_empty() && self.usable(AuthenticatorType::RecoveryCodes, now) {
            found.push(AuthenticatorType::RecoveryCodes);
        }
        found
    }

    /// Whether the realm wants a second factor of this user.
    #[must_use]
    pub fn needs_second_factor(&self, settings: &RealmSettings, now: Timestamp) -> bool {
        // A passkey that somebody made for convenience at home does not lock them out elsewhere; an app is made for
        // nothing but this.
        let set_up =
            settings.second_factors.contains(&AuthenticatorType::Totp) && self.usable(AuthenticatorType::Totp, now);
        match settings.second_factor {
            SecondFactor::Never => false,
            SecondFactor::WhenSetUp => set_up,
            SecondFactor::ByRoleOrGroup => {
                set_up
                    || self.roles.iter().any(|role| settings.second_factor_roles.contains(role))
                    || self.groups.iter().any(|group| settings.second_factor_groups.contains(group))
            }
            SecondFactor::Always => true,
        }
    }

    /// What comes next for somebody who proved `used`; `satisfied` says that a second factor is not asked for: it was
    /// given, or the first was a passkey whose device verified its user and so is two in one, or the browser is
    /// remembered.
    #[must_use]
    pub fn next(&self, settings: &RealmSettings, used: &[Used], satisfied: bool, now: Timestamp) -> Next {
        let mut set_up = None;
        if !satisfied && self.needs_second_factor(settings, now) {
            let factors = self.second_factors(settings, used, now);
            if !factors.is_empty() {
                return Next::SecondFactor(factors);
            }
            // An app works in every browser; a passkey is made where nothing else counts.
            let app = settings.second_factors.contains(&AuthenticatorType::Totp);
            let passkey = !app && settings.second_factors.contains(&AuthenticatorType::Passkey);
            set_up = Some(if passkey { RequiredAction::RegisterPasskey } else { RequiredAction::ConfigureOtp });
        }
        let waits = |action: RequiredAction| match action {
            RequiredAction::UpdatePassword => {
                self.actions.contains(&action) || must_update_password(&self.user, self.has_temporary_password())
            }
            RequiredAction::ConfigureOtp | RequiredAction::RegisterPasskey => {
                self.actions.contains(&action) || set_up == Some(action)
            }
        };
        match RequiredAction::ALL.iter().find(|action| waits(**action)) {
            Some(action) => Next::Action(*action),
            None => Next::Done,
        }
    }
}
