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
    /// Every one.
    pub const ALL: &[Self] = &[Self::Machine, Self::Disabled];

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
    /// The attributes that they must give themselves; read only where a complete profile is required.
    pub missing: Vec<String>,
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

    /// Whether what an action asks for is there already, or, of an address, cannot be asked for: what is not there
    /// cannot be confirmed.
    #[must_use]
    pub fn is_done(&self, action: RequiredAction) -> bool {
        let user = &self.user;
        match action {
            RequiredAction::VerifyEmail => user.email.is_none() || user.email_state == VerificationState::Verified,
            RequiredAction::VerifyPhone => user.phone.is_none() || user.phone_state == VerificationState::Verified,
            RequiredAction::CompleteProfile => {
                user.given_name.is_some() && user.family_name.is_some() && self.missing.is_empty()
            }
            RequiredAction::UpdatePassword | RequiredAction::ConfigureOtp | RequiredAction::RegisterPasskey => false,
        }
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
            action => self.actions.contains(&action) && !self.is_done(action),
        };
        match RequiredAction::ALL.iter().find(|action| waits(**action)) {
            Some(action) => Next::Action(*action),
            None => Next::Done,
        }
    }
}

#[cfg(test)]
mod tests {
    use denizen_model::{RealmId, UserId};

    use super::*;

    fn standing(actions: &[RequiredAction]) -> Standing {
        let now = Timestamp::from_secs(1_800_000_000);
        let user = User {
            id: UserId::new(now, [1; 10]),
            realm_id: RealmId::new(now, [2; 10]),
            kind: UserKind::Human,
            username: "ana@example.com".to_owned(),
            email: Some("ana@example.com".to_owned()),
            email_state: VerificationState::Unverified,
            phone: Some("+4930123456".to_owned()),
            phone_state: VerificationState::Unverified,
            given_name: Some("Ana".to_owned()),
            family_name: None,
            name: "Ana".to_owned(),
            locale: None,
            zoneinfo: None,
            reference: None,
            attributes: serde_json::Map::new(),
            enabled: true,
            disabled_at: None,
            disabled_reason: None,
            requires_password_reset: false,
            admin_role: None,
            created_at: now,
            updated_at: now,
            last_sign_in_at: None,
            failed_password_attempts: 0,
            failed_otp_attempts: 0,
            version: 1,
        };
        Standing {
            user,
            authenticators: Vec::new(),
            actions: actions.to_vec(),
            missing: Vec::new(),
            roles: Vec::new(),
            groups: Vec::new(),
        }
    }

    /// What is asked for, one after the other, as each is done.
    fn order(mut standing: Standing) -> Vec<RequiredAction> {
        let settings = RealmSettings::default();
        let mut asked = Vec::new();
        while let Next::Action(action) = standing.next(&settings, &[], true, Timestamp::from_secs(1_800_000_000)) {
            asked.push(action);
            standing.actions.retain(|one| *one != action);
        }
        asked
    }

    #[test]
    fn actions_are_asked_for_in_one_order_whatever_the_order_they_were_required_in() {
        let mut all = RequiredAction::ALL.to_vec();
        all.reverse();
        assert_eq!(order(standing(&all)), RequiredAction::ALL);
        assert_eq!(order(standing(&[])), []);
    }

    #[test]
    fn what_is_done_or_cannot_be_done_is_not_asked_for() {
        use RequiredAction::{CompleteProfile, VerifyEmail, VerifyPhone};
        let all = [VerifyEmail, VerifyPhone, CompleteProfile];
        let mut one = standing(&all);
        one.user.email_state = VerificationState::Verified;
        assert_eq!(order(one.clone()), [VerifyPhone, CompleteProfile]);
        one.user.phone = None;
        assert_eq!(order(one.clone()), [CompleteProfile]);
        one.user.family_name = Some("Lima".to_owned());
        assert_eq!(order(one.clone()), []);
        one.missing = vec!["team".to_owned()];
        assert_eq!(order(one), [CompleteProfile]);
        // An email that somebody was asked to confirm by a link is not confirmed.
        let mut asked = standing(&[VerifyEmail]);
        asked.user.email_state = VerificationState::VerificationRequested;
        assert_eq!(order(asked), [VerifyEmail]);
    }
}
