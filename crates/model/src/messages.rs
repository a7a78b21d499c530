//! Messages to users (PRODUCT §12).

use crate::{InvitationId, MessageId, RealmId, Timestamp, UserId, users::text_enum};

text_enum! {
    /// By which way a message goes.
    Channel {
        /// Email.
        Email = "email",
    }
}

text_enum! {
    /// How far a message has come.
    MessageState {
        /// It waits to be sent, or to be tried again.
        Queued = "queued",
        /// The mail server has taken it.
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
    }
}

impl Template {
    /// What agents call it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::VerifyEmail => "Email verification",
            Self::Invitation => "Invitation",
            Self::Register => "Registration",
            Self::AccountExists => "Account exists already",
        }
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
    /// Its subject.
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
    /// When it was made.
    pub created_at: Timestamp,
    /// When the mail server took it.
    pub sent_at: Option<Timestamp>,
    /// When what it carries stops working.
    pub expires_at: Option<Timestamp>,
}
