//! What a diagnosis looks at beside the rooms that keep it: mail that did not arrive, invitations that wait.

use denizen_model::{RealmId, Timestamp, UserId, text::fold};

use crate::{
    error::Result,
    sql::statements,
    tx::ReadTx,
    value::{Row, params},
};

statements! {
    LAST_MESSAGE = "SELECT recipient, last_error, created_at, sent_at FROM messages WHERE user_id = ?1 ORDER BY id DESC LIMIT 1";
    INVITED = "SELECT sent_at FROM invitations WHERE realm_id = ?1 AND email_key = ?2 AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > ?3 ORDER BY id DESC LIMIT 1";
}

/// The last message to a user, as far as its delivery matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastMessage {
    /// Where it was to go.
    pub recipient: String,
    /// What went wrong at the last attempt.
    pub last_error: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was handed over.
    pub sent_at: Option<Timestamp>,
}

/// The last message to a user.
///
/// # Errors
/// When the database fails.
pub fn find_last_message(tx: &mut ReadTx<'_>, user: UserId) -> Result<Option<LastMessage>> {
    tx.find(&LAST_MESSAGE, params![user], |row: &Row<'_>| {
        Ok(LastMessage {
            recipient: row.text("recipient")?,
            last_error: row.opt_text("last_error")?,
            created_at: row.time("created_at")?,
            sent_at: row.opt_time("sent_at")?,
        })
    })
}

/// When an invitation that still waits was last sent to an address.
///
/// # Errors
/// When the database fails.
pub fn find_invitation(tx: &mut ReadTx<'_>, realm: RealmId, email: &str, now: Timestamp) -> Result<Option<Timestamp>> {
    tx.find(&INVITED, params![realm, fold(email), now], |row| row.time("sent_at"))
}
