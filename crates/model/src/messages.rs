//! Messages to users (PRODUCT §12).

pub mod sms;
mod templates;

use crate::{InvitationId, MessageId, RealmId, Timestamp, UserId, users::text_enum};

pub use templates::{MAX_HTML, MAX_SUBJECT, MAX_TEXT, MessageTemplate, TemplateText, Variable};

text_enum! {
    /// By which way a message goes.
    Channel {
        /// Email.
        Email = "email",
        /// A text message to a phone.
        Sms = "sms",
    }
}

impl Channel {
    /// What agents call it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Email => "Email",
            Self::Sms => "SMS",
        }
    }
}

text_enum! {
    /// How far a message has come.
    MessageState {
        /// It waits to be sent, or to be tried again.
        Queued = "queued",
        /// The mail server or the SMS gateway has taken it.
        Sent = "sent",
        /// It was given up.
        Failed = "failed",
    }
}

text_enum! {
    /// What a message is made from.
    Template {
        /// Asks the holder of an address to confirm it.
        VerifyEmail = "verify-email",
        /// Invites somebody to make an account.
        Invitation = "invitation",
        /// Lets somebody who registers go on.
        Register = "register",
        /// Tells somebody who registers that they have an account.
        AccountExists = "account-exists",
        /// Carries a code that proves who reads the mail.
        EmailCode = "email-code",
        /// Carries a link that signs its reader in.
        MagicLink = "magic-link",
        /// Lets the user choose a new password.
        ResetPassword = "reset-password",
        /// Lets the user set up their second factor again.
        ResetOtp = "reset-otp",
        /// Lets the user make a new passkey.
        ResetPasskey = "reset-passkey",
        /// Tells that the password was changed.
        PasswordChanged = "password-changed",
        /// Tells that a way to sign in was added.
        AuthenticatorAdded = "authenticator-added",
        /// Tells that a way to sign in was removed.
        AuthenticatorRemoved = "authenticator-removed",
        /// Tells of a sign-in on a device that was not seen before.
        NewDevice = "new-device",
        /// Tells that sign-in is locked after too many attempts.
        AccountLocked = "account-locked",
        /// Tells the old address that there is a new one.
        EmailChanged = "email-changed",
        /// Carries a code to a phone.
        SmsCode = "sms-code",
        /// Tells a phone what happened.
        SmsNotice = "sms-notice",
    }
}

/// A message: waiting, or a record of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Stable id.
    pub id: MessageId,
    /// The realm it was sent for.
    pub realm_id: RealmId,
    /// The user it went to, if it went to one.
    pub user_id: Option<UserId>,
    /// The invitation it carries, if it carries one.
    pub invitation_id: Option<InvitationId>,
    /// By which way it goes.
    pub channel: Channel,
    /// What it is made from.
    pub template: Template,
    /// The address or number it goes to.
    pub recipient: String,
    /// Its subject, with codes and links blanked out; of a text message what kind it is.
    pub subject: String,
    /// Its text with codes and links blanked out.
    pub content: String,
    /// How far it has come.
    pub state: MessageState,
    /// How often sending it was begun.
    pub attempts: u32,
    /// When it is tried next, while it waits.
    pub due_at: Option<Timestamp>,
    /// What went wrong at the last attempt.
    pub last_error: Option<String>,
    /// Why the realm's own text could not be used, where it could not: the message has the usual one.
    pub template_error: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When the mail server or the SMS gateway took it.
    pub sent_at: Option<Timestamp>,
    /// When what it carries stops working.
    pub expires_at: Option<Timestamp>,
}
