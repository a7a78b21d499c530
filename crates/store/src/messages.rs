//! Messages: a queue until they are sent, a record afterwards.

use denizen_model::{
    InvitationId, MessageId, RealmId, Timestamp, UserId,
    messages::{Channel, Message, MessageState, Template},
    text::fold,
    uuid_v7,
};

use crate::{
    error::Result,
    sql::statements,
    tx::{ReadTx, WriteTx},
    value::{Row, params},
};

macro_rules! columns {
    () => {
        "id, realm_id, user_id, invitation_id, channel, template, recipient, subject, content, state, attempts, \
         due_at, last_error, template_error, created_at, sent_at, expires_at"
    };
}

statements! {
    INSERT = "INSERT INTO messages (id, realm_id, user_id, invitation_id, channel, template, recipient, recipient_key, subject, content, sealed, state, attempts, due_at, created_at, expires_at, template_error) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 'queued', 0, ?12, ?13, ?14, ?15)";
    CLAIM = concat!("UPDATE messages SET due_at = ?2, attempts = attempts + 1 WHERE id IN (SELECT id FROM messages WHERE channel = ?4 AND due_at <= ?1 ORDER BY due_at LIMIT ?3) RETURNING ", columns!(), ", sealed"),
        postgres: concat!("UPDATE messages SET due_at = ?2, attempts = attempts + 1 WHERE id IN (SELECT id FROM messages WHERE channel = ?4 AND due_at <= ?1 ORDER BY due_at LIMIT ?3 FOR UPDATE SKIP LOCKED) RETURNING ", columns!(), ", sealed");
    SENT = "UPDATE messages SET state = 'sent', sent_at = ?2, due_at = NULL, last_error = NULL, sealed = CASE WHEN ?3 THEN sealed ELSE NULL END WHERE id = ?1 AND state = 'queued'";
    RETRY = "UPDATE messages SET due_at = ?3, last_error = ?4 WHERE id = ?1 AND attempts = ?2 AND state = 'queued'";
    FAIL = "UPDATE messages SET state = 'failed', due_at = NULL, sealed = NULL, last_error = ?3 WHERE id = ?1 AND attempts = ?2 AND state = 'queued'";
    SUPERSEDE_OF_USER = "UPDATE messages SET state = 'failed', due_at = NULL, sealed = NULL, last_error = ?3 WHERE user_id = ?1 AND template = ?2 AND state = 'queued'";
    SUPERSEDE_OF_INVITATION = "UPDATE messages SET state = 'failed', due_at = NULL, sealed = NULL, last_error = ?2 WHERE invitation_id = ?1 AND state = 'queued'";
    GIVE_TO_USER = "UPDATE messages SET user_id = ?2 WHERE invitation_id = ?1";
    LIST_EXPIRED = concat!("SELECT ", columns!(), " FROM messages WHERE due_at IS NOT NULL AND due_at <= ?1 AND expires_at <= ?1 ORDER BY due_at LIMIT ?2");
    LIST_OF = concat!("SELECT ", columns!(), " FROM messages WHERE user_id = ?1 AND realm_id = ?2 AND id < ?3 ORDER BY id DESC LIMIT ?4");
    RECENT = concat!("SELECT ", columns!(), ", sealed FROM messages ORDER BY id DESC LIMIT ?1");
    FIND = concat!("SELECT ", columns!(), ", sealed FROM messages WHERE id = ?1");
    WAITING = "SELECT count(*) AS waiting FROM (SELECT 1 AS one FROM messages WHERE due_at IS NOT NULL AND channel = ?2 AND (CAST(?1 AS TEXT) IS NULL OR realm_id = ?1) LIMIT 1000) w";
    ANY_DUE = "SELECT 1 AS one FROM messages WHERE channel = ?2 AND due_at <= ?1 LIMIT 1";
    SENT_TO = "SELECT count(*) AS messages FROM messages WHERE realm_id = ?1 AND recipient_key = ?2 AND created_at > ?3 AND template = ?4";
    REMOVE_OLD = "DELETE FROM messages WHERE id IN (SELECT id FROM messages WHERE realm_id = ?1 AND id < ?2 AND due_at IS NULL ORDER BY id LIMIT 500)";
}

/// After every id.
const END: &str = "g";

fn read_message(row: &Row<'_>) -> Result<Message> {
    Ok(Message {
        id: row.parse("id")?,
        realm_id: row.parse("realm_id")?,
        user_id: row.opt_parse("user_id")?,
        invitation_id: row.opt_parse("invitation_id")?,
        channel: row.named("channel", Channel::from_name)?,
        template: row.named("template", Template::from_name)?,
        recipient: row.text("recipient")?,
        subject: row.text("subject")?,
        content: row.text("content")?,
        state: row.named("state", MessageState::from_name)?,
        attempts: u32::try_from(row.i64("attempts")?).unwrap_or(u32::MAX),
        due_at: row.opt_time("due_at")?,
        last_error: row.opt_text("last_error")?,
        template_error: row.opt_text("template_error")?,
        created_at: row.time("created_at")?,
        sent_at: row.opt_time("sent_at")?,
        expires_at: row.opt_time("expires_at")?,
    })
}

fn read_whole(row: &Row<'_>) -> Result<(Message, Option<String>)> {
    Ok((read_message(row)?, row.opt_text("sealed")?))
}

/// Puts a message into the queue, with the whole of it sealed.
///
/// # Errors
/// When the database fails.
pub fn insert(tx: &mut WriteTx<'_>, message: &Message, sealed: &str) -> Result<()> {
    tx.execute(
        &INSERT,
        params![
            message.id,
            message.realm_id,
            message.user_id,
            message.invitation_id,
            message.channel.as_str(),
            message.template.as_str(),
            &message.recipient,
            fold(&message.recipient),
            &message.subject,
            &message.content,
            sealed,
            message.due_at,
            message.created_at,
            message.expires_at,
            message.template_error.as_deref(),
        ],
    )
    .map(drop)
}

/// Takes messages that are due and go by a channel, with what is sealed in them. Until `leased_until` no other node takes them.
///
/// # Errors
/// When the database fails.
pub fn claim(
    tx: &mut WriteTx<'_>,
    channel: Channel,
    now: Timestamp,
    leased_until: Timestamp,
    limit: u32,
) -> Result<Vec<(Message, Option<String>)>> {
    tx.list(&CLAIM, params![now, leased_until, limit, channel.as_str()], read_whole)
}

/// Notes that the mail server or the SMS gateway has taken a message; `keep` keeps the whole of it. Answers whether it was still waiting.
///
/// # Errors
/// When the database fails.
pub fn mark_sent(tx: &mut WriteTx<'_>, id: MessageId, now: Timestamp, keep: bool) -> Result<bool> {
    Ok(tx.execute(&SENT, params![id, now, keep])? == 1)
}

/// Puts a message off after an attempt that failed. Nothing happens when another node has begun a later attempt.
///
/// # Errors
/// When the database fails.
pub fn mark_for_retry(tx: &mut WriteTx<'_>, message: &Message, due_at: Timestamp, error: &str) -> Result<()> {
    tx.execute(&RETRY, params![message.id, message.attempts, due_at, error]).map(drop)
}

/// Gives a message up. Answers whether it was still waiting and this was its latest attempt.
///
/// # Errors
/// When the database fails.
pub fn mark_failed(tx: &mut WriteTx<'_>, message: &Message, error: &str) -> Result<bool> {
    Ok(tx.execute(&FAIL, params![message.id, message.attempts, error])? == 1)
}

/// Takes back what waits for a user and was made from this template.
///
/// # Errors
/// When the database fails.
pub fn supersede_of_user(tx: &mut WriteTx<'_>, user: UserId, template: Template, reason: &str) -> Result<()> {
    tx.execute(&SUPERSEDE_OF_USER, params![user, template.as_str(), reason]).map(drop)
}

/// Takes back what waits and carries this invitation.
///
/// # Errors
/// When the database fails.
pub fn supersede_of_invitation(tx: &mut WriteTx<'_>, invitation: InvitationId, reason: &str) -> Result<()> {
    tx.execute(&SUPERSEDE_OF_INVITATION, params![invitation, reason]).map(drop)
}

/// Puts an invitation's messages among those of the user who came of it.
///
/// # Errors
/// When the database fails.
pub fn give_to_user(tx: &mut WriteTx<'_>, invitation: InvitationId, user: UserId) -> Result<()> {
    tx.execute(&GIVE_TO_USER, params![invitation, user]).map(drop)
}

/// Messages that are due and whose link no longer works.
///
/// # Errors
/// When the database fails.
pub fn list_expired(tx: &mut ReadTx<'_>, now: Timestamp, limit: u32) -> Result<Vec<Message>> {
    tx.list(&LIST_EXPIRED, params![now, limit], read_message)
}

/// A user's messages made before the one of this id, newest first.
///
/// # Errors
/// When the database fails.
pub fn list_of(
    tx: &mut ReadTx<'_>,
    realm: RealmId,
    user: UserId,
    before: Option<MessageId>,
    limit: u32,
) -> Result<Vec<Message>> {
    let before = before.map_or_else(|| END.to_owned(), |id| id.to_string());
    tx.list(&LIST_OF, params![user, realm, before, limit], read_message)
}

/// The latest messages of all realms, for the demo's mailbox.
///
/// # Errors
/// When the database fails.
pub fn list_recent(tx: &mut ReadTx<'_>, limit: u32) -> Result<Vec<Message>> {
    tx.list(&RECENT, params![limit], read_message)
}

/// A message with what is sealed in it.
///
/// # Errors
/// When the database fails.
pub fn find(tx: &mut ReadTx<'_>, id: MessageId) -> Result<Option<(Message, Option<String>)>> {
    tx.find(&FIND, params![id], read_whole)
}

/// How many messages of a channel wait, in one realm or in all; counted up to a thousand.
///
/// # Errors
/// When the database fails.
pub fn count_waiting(tx: &mut ReadTx<'_>, channel: Channel, realm: Option<RealmId>) -> Result<u64> {
    Ok(tx.find(&WAITING, params![realm, channel.as_str()], |row| row.count("waiting"))?.unwrap_or(0))
}

/// Whether a message is due that goes by a channel.
///
/// # Errors
/// When the database fails.
pub fn is_any_due(tx: &mut ReadTx<'_>, channel: Channel, now: Timestamp) -> Result<bool> {
    Ok(tx.find(&ANY_DUE, params![now, channel.as_str()], |_| Ok(()))?.is_some())
}

/// How many messages made from a template have gone to an address since.
///
/// # Errors
/// When the database fails.
pub fn count_to(
    tx: &mut ReadTx<'_>,
    realm: RealmId,
    recipient: &str,
    template: Template,
    since: Timestamp,
) -> Result<u64> {
    let found =
        tx.find(&SENT_TO, params![realm, fold(recipient), since, template.as_str()], |row| row.count("messages"));
    Ok(found?.unwrap_or(0))
}

/// Removes a portion of the messages made before a time that no longer wait. Answers how many went.
///
/// # Errors
/// When the database fails.
pub fn remove_old(tx: &mut WriteTx<'_>, realm: RealmId, before: Timestamp) -> Result<u64> {
    // Ids begin with the time they were made at.
    tx.execute(&REMOVE_OLD, params![realm, uuid_v7(before, [0; 10]).to_string()])
}
