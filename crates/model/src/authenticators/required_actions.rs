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
        /// Confirm the email by a code. Asked for once there is one; done as soon as it is verified in whatever way.
        VerifyEmail = "verify_email",
        /// Confirm the phone number by a code. As with the email.
        VerifyPhone = "verify_phone",
        /// Give the names and the required attributes that people may edit themselves, as far as they are missing.
        CompleteProfile = "complete_profile",
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
            Self::VerifyEmail => "Verify the email",
            Self::VerifyPhone => "Verify the phone number",
            Self::CompleteProfile => "Complete the profile",
        }
    }
}
