//! The Notifications tab: every message to the user and how far it has come.

use denizen_model::{
    messages::{Channel, Message, MessageState},
    pages::Cursor,
};
use denizen_ops::messages;
use serde::Serialize;

use super::{
    Whose,
    show::{Profile, Tab, at, user_href},
};
use crate::{
    console::{
        Answer,
        forms::Asked,
        frame::ConsoleCx,
        words::{Label, count, query},
    },
    render::TimeView,
};

const SHOWN: u32 = 50;

#[derive(Serialize)]
struct NotificationsTab {
    messages: Vec<Line>,
    more_href: Option<String>,
    no_server: bool,
}

#[derive(Serialize)]
struct Line {
    subject: String,
    template: &'static str,
    sms: bool,
    channel: &'static str,
    /// What it carries, for its expiry.
    carries: &'static str,
    template_error: Option<String>,
    recipient: String,
    state: Label,
    created_at: TimeView,
    sent_at: Option<TimeView>,
    expires_at: Option<TimeView>,
    expired: bool,
    next_attempt_at: Option<TimeView>,
    attempts: Option<String>,
    error: Option<String>,
    content: String,
}

fn state(message: &Message) -> Label {
    match (message.state, message.attempts) {
        (MessageState::Sent, _) => Label::new("Sent", "success"),
        (MessageState::Failed, _) => Label::new("Not sent", "danger"),
        (MessageState::Queued, 0) => Label::new("Waiting", "neutral"),
        (MessageState::Queued, _) => Label::new("Being tried", "warning"),
    }
}

fn line(page: &ConsoleCx, message: Message) -> Line {
    let tried = message.attempts > 1 || message.last_error.is_some();
    Line {
        state: state(&message),
        template: message.template.label(),
        sms: message.channel == Channel::Sms,
        channel: message.channel.label(),
        carries: if message.template.needs() == Some("code") { "Code" } else { "Link" },
        template_error: message.template_error,
        subject: message.subject,
        recipient: message.recipient,
        created_at: page.time(message.created_at),
        sent_at: page.time_opt(message.sent_at),
        expired: message.expires_at.is_some_and(|at| at <= page.now()),
        expires_at: page.time_opt(message.expires_at),
        next_attempt_at: page.time_opt(message.due_at.filter(|_| message.attempts > 0)),
        attempts: tried.then(|| count(u64::from(message.attempts), "attempt", "attempts")),
        error: message.last_error,
        content: message.content,
    }
}

pub(super) async fn show(page: ConsoleCx, Whose(id): Whose, Asked(asked): Asked) -> Answer {
    let profile = Profile::load(&page, id).await?;
    let after = Cursor::decode(asked.text("cursor")).ok();
    let found = messages::list_of(page.app(), page.cx(), page.may()?, id, after, SHOWN).await?;
    let href = format!("{}/notifications", user_href(&page, id));
    let tab = NotificationsTab {
        more_href: found.next.map(|cursor| format!("{href}{}", query(&[("cursor", &cursor.encode())]))),
        messages: found.items.into_iter().map(|message| line(&page, message)).collect(),
        no_server: !page.app().sends_mail(),
    };
    let at = at(&page, &profile.user, Some("Notifications"));
    page.page("console/users/notifications.html", at, &profile.page(&page, Tab::Notifications, tab))
}
