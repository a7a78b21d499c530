//! The rules a sign-in goes by, apart from its pages, so that a diagnosis applies the very same.

use denizen_model::users::{User, UserKind};

/// What keeps a user from signing in with a password, whatever they type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Barrier {
    /// Machines sign in with API keys, not on pages.
    Machine,
    /// There is no password.
    NoPassword,
    /// The user is disabled.
    Disabled,
}

impl Barrier {
    /// The reason as a failed sign-in's event tells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Machine => "the user is a machine",
            Self::NoPassword => "the user has no password",
            Self::Disabled => "the user is disabled",
        }
    }
}

/// Everything that keeps a user from signing in, the most telling first.
pub fn barriers(user: &User, has_password: bool) -> impl Iterator<Item = Barrier> + use<> {
    let all = [
        (user.kind == UserKind::Machine, Barrier::Machine),
        (!has_password, Barrier::NoPassword),
        (!user.enabled, Barrier::Disabled),
    ];
    all.into_iter().filter(|(stands, _)| *stands).map(|(_, barrier)| barrier)
}

/// Whether a new password must be set at the next sign-in, before the destination.
#[must_use]
pub fn must_update_password(user: &User, temporary: bool) -> bool {
    user.requires_password_reset || temporary
}
