//! Messages to users (PRODUCT §12): made in the transaction of what they tell of, sent by the worker.
//!
//! A message is a row before it is a mail or a text message: [`enqueue`] stores it, whole and sealed, beside the change that causes
//! it, so neither comes without the other. The worker takes what is due for a while that is its own ([`send_due`]),
//! hands it to the mail server or the SMS gateway and notes the outcome. A node that dies in between loses nothing: when its while is
//! over another one tries again. So a mail is sent at least once, and carries the same `Message-ID` each time.

#[cfg_attr(not(test), expect(dead_code, reason = "the flows that send them are being built"))]
pub(crate) mod drafts;
mod gateway;
mod own;
mod queue;
mod samples;
mod smtp;
mod templates;

use std::{fmt, time::Duration};

use denizen_model::{
    InvitationId, MessageId, RealmId, Timestamp, UserId,
    locales::{Language, told},
    messages::{Channel, Message, MessageState, Template, TemplateText},
    pages::{Cursor, CursorKey, Page, Total},
    permissions::markers::{SettingsRead, UsersRead},
    realms::Realm,
    validation::check_phone,
};
use denizen_store::{self as store, WriteTx};
use tokio::sync::Notify;

pub use gateway::{Sms, SmsConfig};
pub use queue::{give_up_expired, send_due, send_due_by};
pub use smtp::{Security, SmtpConfig};
pub use templates::Whole;

pub(crate) use own::{FILTERS, OwnTexts};
pub(crate) use samples::{check_text, prepare_test, sample, usual_text};

use self::{
    gateway::Gateway,
    smtp::Smtp,
    templates::{Rendered, Templates, Values},
};
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
    mail: Way,
    sms: Way,
    templates: Templates,
    mail_bell: Notify,
    sms_bell: Notify,
}

enum Way {
    None,
    Smtp(Box<Smtp>),
    Gateway(Box<Gateway>),
    Demo,
}

impl Mailer {
    pub(crate) fn new(mail: Mail, sms: Sms) -> Result<Self> {
        let wrong = |text: String| {
            let mut error = Error::internal(text.clone());
            error.message = text;
            error
        };
        let mail = match mail {
            Mail::None => Way::None,
            Mail::Demo => Way::Demo,
            Mail::Smtp(config) => Way::Smtp(Box::new(Smtp::new(config).map_err(wrong)?)),
        };
        let sms = match sms {
            Sms::None => Way::None,
            Sms::Demo => Way::Demo,
            Sms::Gateway(config) => Way::Gateway(Box::new(Gateway::new(*config).map_err(wrong)?)),
        };
        let (mail_bell, sms_bell) = (Notify::new(), Notify::new());
        Ok(Self { mail, sms, templates: Templates::load()?, mail_bell, sms_bell })
    }

    fn way(&self, channel: Channel) -> &Way {
        match channel {
            Channel::Email => &self.mail,
            Channel::Sms => &self.sms,
        }
    }

    /// Rings when a message is put into the queue.
    fn bell(&self, channel: Channel) -> &Notify {
        match channel {
            Channel::Email => &self.mail_bell,
            Channel::Sms => &self.sms_bell,
        }
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
    /// The address, or the number as E.164.
    pub(crate) to: &'a str,
    /// The reader's language, where it is known; else mails are in the realm's.
    pub(crate) locale: Option<&'a str>,
    /// The reader's time zone.
    pub(crate) zone: Option<&'a str>,
    /// What it is made from.
    pub(crate) template: Template,
    /// The path that the button leads to, under the realm's own; its query may hold a secret.
    pub(crate) path: &'a str,
    /// What else the template names. A `code` is secret, as the link is.
    pub(crate) more: &'a [(&'static str, &'a str)],
    /// When the link or the code stops working.
    pub(crate) expires_at: Option<Timestamp>,
}

/// A message that is ready for the queue.
#[derive(Clone)]
pub(crate) struct Prepared {
    /// All but its words.
    message: Message,
    /// What its words are made of.
    letter: Letter,
    /// Its words, where the realm's own texts were at hand.
    worded: Option<Worded>,
}

/// What the words of a message are made of.
#[derive(Clone)]
struct Letter {
    language: Language,
    brand: String,
    link: String,
    more: Vec<(&'static str, String)>,
}

impl Prepared {
    pub(crate) fn id(&self) -> MessageId {
        self.message.id
    }
}

#[derive(Clone)]
struct Worded {
    rendered: Rendered,
    template_error: Option<String>,
}

impl Letter {
    /// Words a message, by the realm's own text if it has one. One that fails, as it may where Denizen was renewed
    /// since it was saved, keeps no message from its reader: the usual text takes its place, and the event says so.
    fn word(&self, app: &App, template: Template, own: Option<&TemplateText>) -> Result<Worded> {
        let more: Vec<(&str, &str)> = self.more.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let values = Values { brand: &self.brand, link: &self.link, more: &more };
        let templates = &app.mailer().templates;
        let mut template_error = None;
        if let Some(own) = own {
            match templates.own().render(template, own, &values) {
                Ok(rendered) => return Ok(Worded { rendered, template_error }),
                Err(flaw) => {
                    tracing::warn!(%template, language = %self.language, %flaw, "A realm's own text cannot be used");
                    template_error = Some(flaw.to_string());
                }
            }
        }
        Ok(Worded { rendered: templates.render(template, self.language, &values)?, template_error })
    }
}

fn purpose(id: MessageId) -> String {
    format!("messages.sealed {id}")
}

/// An address under a realm's own.
pub(crate) fn link_to(app: &App, realm: &Realm, path: &str) -> Result<String> {
    if app.public_url().is_empty() {
        return Err(Error::conflict("no-public-url", "Links in mails need the address of the server. Do this there."));
    }
    Ok(format!("{}/realms/{}/{path}", app.public_url(), realm.slug))
}

/// Makes a message.
///
/// # Errors
/// When Denizen does not know the address it is reached at; when it is a text message and there is no SMS gateway, or
/// the number is none; or a template does not fit: a defect.
pub(crate) fn prepare(app: &App, cx: &Cx, realm: &Realm, draft: &Draft<'_>) -> Result<Prepared> {
    prepare_in(app, cx, realm, realm.settings.language_for(draft.locale), draft)
}

/// Makes a message in this language, whatever the realm offers and the reader reads.
fn prepare_in(app: &App, cx: &Cx, realm: &Realm, language: Language, draft: &Draft<'_>) -> Result<Prepared> {
    let channel = draft.template.channel();
    let link = match channel {
        Channel::Email => link_to(app, realm, draft.path)?,
        Channel::Sms => {
            check_sms(app)?;
            check_phone(draft.to).map_err(|message| Error::field("phone", message))?;
            String::new()
        }
    };
    let expires = draft.expires_at.map(|at| told(at, draft.zone, language)).unwrap_or_default();
    let mut more: Vec<_> = draft.more.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    if channel == Channel::Email {
        more.push(("email", draft.to.to_owned()));
    }
    more.push(("expires", expires));
    let letter = Letter { language, brand: realm.display_name.clone(), link, more };
    let message = Message {
        id: MessageId::new(cx.now, app.id_bytes()),
        realm_id: realm.id,
        user_id: draft.user_id,
        invitation_id: draft.invitation_id,
        channel,
        template: draft.template,
        recipient: draft.to.to_owned(),
        subject: String::new(),
        content: String::new(),
        state: MessageState::Queued,
        attempts: 0,
        due_at: Some(cx.now),
        last_error: None,
        template_error: None,
        created_at: cx.now,
        sent_at: None,
        expires_at: draft.expires_at,
    };
    let worded = match app.own_texts(realm.id) {
        Some(texts) => Some(letter.word(app, draft.template, texts.get(draft.template, letter.language))?),
        None => None,
    };
    Ok(Prepared { message, letter, worded })
}

/// Puts a message into the queue, in the transaction of the change it tells of.
///
/// # Errors
/// When the database fails, or a template does not fit: a defect.
pub(crate) fn enqueue(tx: &mut WriteTx<'_>, app: &App, prepared: &Prepared) -> Result<()> {
    let Prepared { message, letter, worded } = prepared;
    let found;
    let Worded { rendered, template_error } = match worded {
        Some(worded) => worded,
        None => {
            let own = store::message_templates::find(tx, message.realm_id, message.template, letter.language)?;
            found = letter.word(app, message.template, own.as_ref().map(|own| &own.text))?;
            &found
        }
    };
    let plain = serde_json::to_vec(&rendered.whole).map_err(|error| Error::internal(error.to_string()))?;
    let sealed = app.sealer().seal(&purpose(message.id), plain);
    let whole = Message {
        subject: rendered.subject.clone(),
        content: rendered.content.clone(),
        template_error: template_error.clone(),
        ..message.clone()
    };
    store::messages::insert(tx, &whole, &sealed)?;
    app.mailer().bell(message.channel).notify_one();
    Ok(())
}

fn check_sms(app: &App) -> Result<()> {
    if app.sms_configured() {
        return Ok(());
    }
    Err(Error::conflict("no-sms-gateway", "This server sends no text messages: no SMS gateway is configured."))
}

/// What an agent reads of a message that a newer one made useless.
pub(crate) const SUPERSEDED: &str = "Not sent: its link no longer worked.";

/// Waits until this node has put a message of this channel into the queue, at most for `longest`.
pub async fn wait(app: &App, channel: Channel, longest: Duration) {
    if tokio::time::timeout(longest, app.mailer().bell(channel).notified()).await.is_ok() {
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

/// How mail and text messages go, for those who run the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailStatus {
    /// The mail server and the address mails come from; `None` when none is configured.
    pub server: Option<(String, String)>,
    /// Whether mails go into the demo's mailbox.
    pub demo: bool,
    /// How many mails wait; counted up to a thousand.
    pub waiting: u64,
    /// Where the SMS gateway is; `None` when none is configured.
    pub sms_gateway: Option<String>,
    /// How many text messages wait; counted up to a thousand.
    pub sms_waiting: u64,
}

async fn status_in(app: &App, realm: Option<RealmId>) -> Result<MailStatus> {
    let count = move |tx: &mut store::ReadTx<'_>, channel| store::messages::count_waiting(tx, channel, realm);
    let counted =
        move |tx: &mut store::ReadTx<'_>| Ok::<_, Error>((count(tx, Channel::Email)?, count(tx, Channel::Sms)?));
    let (waiting, sms_waiting) = app.db().read(counted).await?;
    let server = match &app.mailer().mail {
        Way::Smtp(smtp) => Some((smtp.config().place(), smtp.config().from())),
        _ => None,
    };
    let sms_gateway = match &app.mailer().sms {
        Way::Gateway(gateway) => Some(gateway.place()),
        _ => None,
    };
    Ok(MailStatus { server, demo: app.sends_to_mailbox(), waiting, sms_gateway, sms_waiting })
}

/// How mail goes, with what waits in a realm.
///
/// # Errors
/// When the database fails.
pub async fn status(app: &App, _cx: &Cx, may: May<SettingsRead>) -> Result<MailStatus> {
    status_in(app, Some(may.realm())).await
}

/// How messages go, with what waits in all realms.
///
/// # Errors
/// When the database fails.
pub async fn overview(app: &App) -> Result<MailStatus> {
    status_in(app, None).await
}

/// How mail goes, with what waits in all realms; and whether the mail server answers, where there is one.
///
/// # Errors
/// When the database fails.
pub async fn check(app: &App) -> Result<(MailStatus, std::result::Result<(), String>)> {
    let status = status_in(app, None).await?;
    let answers = match &app.mailer().mail {
        Way::Smtp(smtp) => smtp.check().await,
        _ => Ok(()),
    };
    Ok((status, answers))
}

impl App {
    /// Whether mails go into the demo's mailbox.
    #[must_use]
    pub fn sends_to_mailbox(&self) -> bool {
        matches!(self.mailer().mail, Way::Demo)
    }

    /// Whether mails can leave this server.
    #[must_use]
    pub fn sends_mail(&self) -> bool {
        !matches!(self.mailer().mail, Way::None)
    }

    /// Whether text messages can leave this server. Without, nothing that needs them is offered.
    #[must_use]
    pub fn sms_configured(&self) -> bool {
        !matches!(self.mailer().sms, Way::None)
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
mod sending;
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
            template_error: None,
            created_at: now,
            sent_at: None,
            expires_at: None,
        }
    }
}
