//! Messages to a user.

use axum::Json;
use denizen_model::{
    MessageId, Timestamp, UserId,
    messages::{Channel, Message, MessageState, Template},
    permissions::markers::UsersRead,
};
use denizen_ops::messages;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::{
    answer::{Answer, List},
    ask::{Ask, Id},
    query::Paging,
};
use crate::Web;

pub(super) fn endpoints() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list))
}

/// One message to a user.
#[derive(Serialize, ToSchema)]
#[schema(as = Notification)]
struct NotificationView {
    /// Stable id.
    id: MessageId,
    /// By which way it goes.
    channel: Channel,
    /// What it is made from.
    template: Template,
    /// The address or number it goes to.
    recipient: String,
    /// Its subject; of a text message what kind it is.
    subject: String,
    /// Its text with codes and links blanked out.
    content: String,
    /// How far it has come.
    state: MessageState,
    /// How often sending it was begun.
    attempts: u32,
    /// What went wrong at the last attempt.
    last_error: Option<String>,
    /// Why the realm's own text could not be used, where it could not: the message has the usual one.
    template_error: Option<String>,
    /// When it was made.
    created_at: Timestamp,
    /// When the mail server or the SMS gateway took it.
    sent_at: Option<Timestamp>,
    /// When it is tried next, while it waits.
    next_attempt_at: Option<Timestamp>,
    /// When what it carries stops working.
    expires_at: Option<Timestamp>,
}

impl From<Message> for NotificationView {
    fn from(message: Message) -> Self {
        Self {
            id: message.id,
            channel: message.channel,
            template: message.template,
            recipient: message.recipient,
            subject: message.subject,
            content: message.content,
            state: message.state,
            attempts: message.attempts,
            last_error: message.last_error,
            template_error: message.template_error,
            created_at: message.created_at,
            sent_at: message.sent_at,
            next_attempt_at: message.due_at,
            expires_at: message.expires_at,
        }
    }
}

/// List a user's notifications
///
/// Every message to them, newest first, with how far it has come.
#[utoipa::path(get, path = "/realms/{realm}/users/{id}/notifications", operation_id = "list_user_notifications",
    tag = "Users", params(Paging),
    responses((status = 200, description = "One page of messages.", body = List<NotificationView>)),
    extensions(("x-permission" = json!("users:read"))))]
async fn list(ask: Ask<UsersRead, Paging>, Id(id): Id<UserId>) -> Answer<Json<List<NotificationView>>> {
    let page = messages::list_of(&ask.app, &ask.cx, ask.may, id, ask.query.cursor, ask.query.limit).await?;
    Ok(List::page(page, NotificationView::from))
}
