//! Resets that an agent asks a user for (PRODUCT §7).

use crate::{
    ResetRequestId, Timestamp, UserId,
    authenticators::{AuthenticatorType, RequiredAction},
    messages::{MessageState, Template},
    users::text_enum,
};

text_enum! {
    /// What is to be made anew.
    ResetKind {
        /// The password is replaced.
        Password = "password",
        /// The authenticator app is set up again.
        Otp = "otp",
        /// A passkey is made; those there are stay valid.
        Passkey = "passkey",
    }
}

impl ResetKind {
    /// What waits for the user until it is done.
    #[must_use]
    pub const fn action(self) -> RequiredAction {
        match self {
            Self::Password => RequiredAction::UpdatePassword,
            Self::Otp => RequiredAction::ConfigureOtp,
            Self::Passkey => RequiredAction::RegisterPasskey,
        }
    }

    /// The reset that an action belongs to, of those that make something anew.
    #[must_use]
    pub const fn of_action(action: RequiredAction) -> Option<Self> {
        match action {
            RequiredAction::UpdatePassword => Some(Self::Password),
            RequiredAction::ConfigureOtp => Some(Self::Otp),
            RequiredAction::RegisterPasskey => Some(Self::Passkey),
            RequiredAction::VerifyEmail | RequiredAction::VerifyPhone | RequiredAction::CompleteProfile => None,
        }
    }

    /// The reset that mends an authenticator of this type.
    #[must_use]
    pub const fn of_authenticator(kind: AuthenticatorType) -> Option<Self> {
        match kind {
            AuthenticatorType::Password => Some(Self::Password),
            AuthenticatorType::Totp | AuthenticatorType::RecoveryCodes => Some(Self::Otp),
            AuthenticatorType::Passkey => Some(Self::Passkey),
            AuthenticatorType::EmailCode | AuthenticatorType::SmsCode | AuthenticatorType::MagicLink => None,
        }
    }

    /// The mail that asks for it.
    #[must_use]
    pub const fn template(self) -> Template {
        match self {
            Self::Password => Template::ResetPassword,
            Self::Otp => Template::ResetOtp,
            Self::Passkey => Template::ResetPasskey,
        }
    }

    /// What agents call it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Password => "Password",
            Self::Otp => "Two-step sign-in",
            Self::Passkey => "Passkey",
        }
    }
}

/// A reset that was asked for and is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResetRequest {
    /// Stable id.
    pub id: ResetRequestId,
    /// Whose it is.
    pub user_id: UserId,
    /// What is to be made anew.
    pub kind: ResetKind,
    /// Who asked, by name.
    pub requested_by: String,
    /// When.
    pub requested_at: Timestamp,
    /// When its link stops working. What it asks for goes on waiting.
    pub expires_at: Timestamp,
    /// What became of the mail that carries the link; nothing where an agent handed the link over.
    pub mail: Option<ResetMail>,
    /// When the link was followed.
    pub followed_at: Option<Timestamp>,
}

/// What became of the mail of a reset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResetMail {
    /// How far it has come.
    pub state: MessageState,
    /// What went wrong at the last attempt.
    pub last_error: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_and_the_action_it_waits_with_belong_together() {
        for kind in ResetKind::ALL {
            assert_eq!(ResetKind::of_action(kind.action()), Some(*kind));
        }
        assert_eq!(ResetKind::of_authenticator(AuthenticatorType::Totp), Some(ResetKind::Otp));
        assert_eq!(ResetKind::of_authenticator(AuthenticatorType::MagicLink), None);
    }
}
