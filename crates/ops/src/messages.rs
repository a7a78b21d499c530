//! Messages to users (PRODUCT §12): made in the transaction of what they tell of, sent by the worker.
//!
//! A message is a row before it is a mail: [`enqueue`] stores it, whole and sealed, beside the change that causes
//! it, so neither comes without the other. The worker takes what is due for a while that is its own ([`send_due`]),
//! hands it to the mail server and notes the outcome. A node that dies in between loses nothing: when its while is
//! over another one tries again. So a mail is sent at least once, and carries the same `Message-ID` each time.

mod queue;
mod smtp;
mod templates;

use std::{fmt, time::Duration};

use denizen_model::{
    InvitationId, MessageId, Timestamp, UserId,
    locales::told,
    messages::{Channel, Message, MessageState, Template},
    pages::{Cursor, CursorKey, Page, Total},
    permissions::markers::{SettingsRead, UsersRead},
    realms::Realm,
};
use denizen_store::{self as store, WriteTx};
use tokio::sync::Notify;

pub use queue::{give_up_expired, send_due};
pub use smtp::{Security, SmtpConfig};
pub use templates::Whole;

use self::{smtp::Smtp, templates::Templates};
use crate::{App, Cx, Error, May, Result, users::get_in};

/// Where mails go.
#[derive(Debug, Clone, Default)]
pub enum Mail {
    /// Nowhere: they wait until a mail server is configured.
    #[default]
    None,
    /// To a mail server.
    Smtp(SmtpConfig),
    /// Into the demo's mailbox page, which shows them whole.
    Demo,
}

/// What makes and sends messages.
pub(crate) struct Mailer {
    way: Way,
    templates: Templates,
    wake: Notify,
}

enum Way {
    None,
    Smtp(Box<Smtp>),
    Demo,
}

impl Mailer {
    pub(crate) fn new(mail: Mail) -> Result<Self> {
        let way = match mail {
            Mail::None => Way::None,
            Mail::Demo => Way::Demo,
            Mail::Smtp(config) => Way::Smtp(Box::new(Smtp::new(config).map_err(|text| {
                let mut error = Error::internal(text.clone());
                error.message = text;
                error
            })?)),
        };
        Ok(Self { way, templates: Templates::load()?, wake: Notify::new() })
    }
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mailer")
    }
}

/// A message to be made.
pub(crate) struct Draft<'a> {
    /// The user it goes to, if there is one.
    pub(crate) user_id: Option<UserId>,
    /// The invitation it carries.
    pub(crate) invitation_id: Option<InvitationId>,
    /// The address.
    pub(crate) to: &'a str,
    /// The reader's language, where it is known; else mails are in the realm's.
    pub(crate) locale: Option<&'a str>,
    /// The reader's time zone.
    pub(crate) zone: Option<&'a str>,
    /// What it is made from.
    pub(crate) template: Template,
    /// The path that the button leads to, under the realm's own; its query may hold a secret.
    pub(crate) path: &'a str,
    /// What else the template names.
    pub(crate) more: &'a [(&'static str, &'a str)],
    /// When the link stops working.
    pub(crate) expires_at: Option<Timestamp>,
}

/// A message that is ready for the queue.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    message: Message,
    sealed: String,
}

fn purpose(id: MessageId) -> String {
    format!("messages.sealed {id}")
}

/// Makes a message.
///
/// # Errors
/// When Denizen does not know the address it is reached at, or a template does not fit: a defect.
pub(crate) fn prepare(app: &App, cx: &Cx, realm: &Realm, draft: &Draft<'_>) -> Result<Prepared> {
    if app.public_url().is_empty() {
        return Err(Error::conflict("no-public-url", "Links in mails need the address of the server. Do this there."));
    }
    let link = format!("{}/realms/{}/{}", app.public_url(), realm.slug, draft.path);
    let language = realm.settings.language_for(draft.locale);
    let expires = draft.expires_at.map(|at| told(at, draft.zone, language)).unwrap_or_default();
    let mut more = draft.more.to_vec();
    more.push(("email", draft.to));
    more.push(("expires", &expires));
    let values = templates::Values { brand: &realm.display_name, link: &link, more: &more };
    let (whole, content) = app.mailer().templates.render(draft.template, language, &values)?;
    let id = MessageId::new(cx.now, app.id_bytes());
    let plain = serde_json::to_vec(&whole).map_err(|error| Error::internal(error.to_string()))?;
    let message = Message {
        id,
        realm_id: realm.id,
        user_id: draft.user_id,
        invitation_id: draft.invitation_id,
        channel: Channel::Email,
        template: draft.template,
        recipient: draft.to.to_owned(),
        subject: whole.subject,
        content,
        state: MessageState::Queued,
        attempts: 0,
        due_at: Some(cx.now),
        last_error: None,
        created_at: cx.now,
        sent_at: None,
        expires_at: draft.expires_at,
    };
    Ok(Prepared { message, sealed: app.sealer().seal(&purpose(id), plain) })
}

/// Puts a message into the queue, in the transaction of the change it tells of.
///
/// # Errors
/// When the database fails.
pub(crate) fn enqueue(tx: &mut WriteTx<'_>, app: &App, prepared: &Prepared) -> Result<()> {
    store::messages::insert(tx, &prepared.message, &prepared.sealed)?;
    app.mailer().wake.notify_one();
    Ok(())
}

/// What an agent reads of a message that a newer one made useless.
pub(crate) const SUPERSEDED: &str = "Not sent: its link no longer worked.";

/// Waits until this node has put a message into the queue, at most for `longest`.
pub async fn wait(app: &App, longest: Duration) {
    if tokio::time::timeout(longest, app.mailer().wake.notified()).await.is_ok() {
        // It was told from inside a transaction, which ends a moment later.
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

/// A page of a user's messages, newest first.
///
/// # Errors
/// When there is no such user, or the cursor is of another list.
pub async fn list_of(
    app: &App,
    _cx: &Cx,
    may: May<UsersRead>,
    user: UserId,
    after: Option<Cursor>,
    limit: u32,
) -> Result<Page<Message>> {
    let wrong = || Error::field("cursor", "This cursor belongs to another list.");
    let before = match after {
        None => None,
        Some(Cursor { key: CursorKey::Number(_), id }) => Some(id.parse().map_err(|_| wrong())?),
        Some(_) => return Err(wrong()),
    };
    let realm = may.realm();
    let mut items = app
        .db()
        .read(move |tx| {
            get_in(tx, realm, user)?;
            Ok::<_, Error>(store::messages::list_of(tx, realm, user, before, limit + 1)?)
        })
        .await?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = items.len() > wanted;
    items.truncate(wanted);
    let next = items
        .last()
        .filter(|_| more)
        .map(|message| Cursor { key: CursorKey::Number(message.created_at.as_micros()), id: message.id.to_string() });
    // What is known is how many are shown; counting the rest would cost as much as reading it.
    let total = Total { count: u64::try_from(items.len()).unwrap_or(0), exact: !more && before.is_none() };
    Ok(Page { items, next, total })
}

/// How mail goes, for those who run the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailStatus {
    /// The mail server and the address mails come from; `None` when none is configured.
    pub server: Option<(String, String)>,
    /// Whether mails go into the demo's mailbox.
    pub demo: bool,
    /// How many messages wait; counted up to a thousand.
    pub waiting: u64,
}

async fn status_in(app: &App, realm: Option<denizen_model::RealmId>) -> Result<MailStatus> {
    let waiting = app.db().read(move |tx| Ok::<_, Error>(store::messages::count_waiting(tx, realm)?)).await?;
    let server = match &app.mailer().way {
        Way::Smtp(smtp) => Some((smtp.config().place(), smtp.config().from())),
        Way::None | Way::Demo => None,
    };
    Ok(MailStatus { server, demo: app.sends_to_mailbox(), waiting })
}

/// How mail goes, with what waits in a realm.
///
/// # Errors
/// When the database fails.
pub async fn status(app: &App, _cx: &Cx, may: May<SettingsRead>) -> Result<MailStatus> {
    status_in(app, Some(may.realm())).await
}

/// How mail goes, with what waits in all realms; and whether the mail server answers, where there is one.
///
/// # Errors
/// When the database fails.
pub async fn check(app: &App) -> Result<(MailStatus, std::result::Result<(), String>)> {
    let status = status_in(app, None).await?;
    let answers = match &app.mailer().way {
        Way::Smtp(smtp) => smtp.check().await,
        Way::None | Way::Demo => Ok(()),
    };
    Ok((status, answers))
}

impl App {
    /// Whether mails go into the demo's mailbox.
    #[must_use]
    pub fn sends_to_mailbox(&self) -> bool {
        matches!(self.mailer().way, Way::Demo)
    }

    /// Whether mails can leave this server.
    #[must_use]
    pub fn sends_mail(&self) -> bool {
        !matches!(self.mailer().way, Way::None)
    }
}

/// How many mails the demo's mailbox shows.
const MAILBOX: u32 = 200;

fn check_mailbox(app: &App) -> Result<()> {
    if app.sends_to_mailbox() { Ok(()) } else { Err(Error::not_found("page")) }
}

/// What is in the demo's mailbox, newest first.
///
/// # Errors
/// When this is no demo.
pub async fn mailbox(app: &App) -> Result<Vec<Message>> {
    check_mailbox(app)?;
    let all = app.db().read(move |tx| Ok::<_, Error>(store::messages::list_recent(tx, MAILBOX)?)).await?;
    Ok(all.into_iter().filter(|message| message.state == MessageState::Sent).collect())
}

/// One mail of the demo's mailbox, whole.
///
/// # Errors
/// When this is no demo, or there is no such mail in it.
pub async fn mailbox_mail(app: &App, id: MessageId) -> Result<(Message, Whole)> {
    check_mailbox(app)?;
    let found = app.db().peek(move |tx| Ok::<_, Error>(store::messages::find(tx, id)?)).await?;
    match found {
        Some((message, Some(sealed))) => Ok((message, open(app, id, &sealed)?)),
        _ => Err(Error::not_found("mail")),
    }
}

fn open(app: &App, id: MessageId, sealed: &str) -> Result<Whole> {
    let plain = app.sealer().open(&purpose(id), sealed).map_err(|error| Error::internal(error.to_string()))?;
    serde_json::from_slice(&plain).map_err(|error| Error::internal(error.to_string()))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn message(recipient: &str) -> Message {
        let now = Timestamp::from_secs(1_800_000_000);
        Message {
            id: MessageId::new(now, [1; 10]),
            realm_id: denizen_model::RealmId::new(now, [2; 10]),
            user_id: None,
            invitation_id: None,
            channel: Channel::Email,
            template: Template::VerifyEmail,
            recipient: recipient.to_owned(),
            subject: String::new(),
            content: String::new(),
            state: MessageState::Queued,
            attempts: 1,
            due_at: Some(now),
            last_error: None,
            created_at: now,
            sent_at: None,
            expires_at: None,
        }
    }
}
