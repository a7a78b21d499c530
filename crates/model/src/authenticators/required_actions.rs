//! Required actions (PRODUCT §16): what a user must do before they reach their destination.

use crate::users::text_enum;

text_enum! {
    /// What must be done, in the order in which it is asked for.
    RequiredAction {
        /// Replace the password.
        UpdatePassword = "update_password",
        /// Set up an authenticator app.
        ConfigureOtp = "configure_otp",
        /// Make a passkey; those there are stay valid.
        RegisterPasskey = "register_passkey",
    }
}

impl RequiredAction {
    /// What it asks for, in a sentence's words.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::UpdatePassword => "Update password",
            Self::ConfigureOtp => "Set up an authenticator app",
            Self::RegisterPasskey => "Make a passkey",
        }
    }
}
