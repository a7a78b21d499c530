//! The mail server: how it is reached, and handing a message to it (RFC 5321).

use std::{fmt, str::FromStr, time::Duration};

use denizen_model::{Timestamp, messages::Message};
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Tokio1Executor,
    message::{Mailbox, MultiPart, header},
    transport::smtp::{
        PoolConfig,
        authentication::Credentials,
        client::{Tls, TlsParameters},
        extension::ClientId,
    },
};

use tokio::runtime::Handle;

use super::templates::{Whole, one_line};
use crate::crypto::Secret;

/// How long one step of a conversation with the mail server may take.
const STEP: Duration = Duration::from_secs(20);
/// How long the whole conversation may take; less than a message is leased for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How the conversation is kept from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte: `smtps://`.
    Tls,
    /// TLS after `STARTTLS`, or nothing is said: `smtp://`.
    StartTls,
    /// Plain text, for a relay on the same machine: `smtp://…?tls=none`.
    Plain,
}

/// How the mail server is reached.
#[derive(Clone)]
pub struct SmtpConfig {
    host: String,
    port: u16,
    security: Security,
    credentials: Option<(String, Secret)>,
    from: Mailbox,
}

impl fmt::Debug for SmtpConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place())
    }
}

impl SmtpConfig {
    /// Reads an address such as `smtps://user:password@mail.example.com:465`. User and password given apart take
    /// the place of those in the address.
    ///
    /// # Errors
    /// A sentence that says what is wrong; it never repeats the password.
    pub fn parse(
        address: &str,
        user: Option<&str>,
        password: Option<Secret>,
        from: Option<&str>,
    ) -> Result<Self, String> {
        const WRONG: &str = "the mail server must be an address such as smtps://user:password@mail.example.com:465 \
             or smtp://mail.example.com:587";
        let url = url::Url::parse(address).map_err(|_| WRONG.to_owned())?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(WRONG)?.to_owned();
        if !matches!(url.path(), "" | "/") {
            return Err(WRONG.to_owned());
        }
        let implicit = match url.scheme() {
            "smtps" => true,
            "smtp" => false,
            _ => return Err(WRONG.to_owned()),
        };
        let mut security = if implicit { Security::Tls } else { Security::StartTls };
        for (name, value) in url.query_pairs() {
            security = match (name.as_ref(), value.as_ref(), implicit) {
                ("tls", "required", _) => security,
                ("tls", "none", false) => Security::Plain,
                ("tls", ..) => {
                    return Err("tls in the mail server's address must be required, or none with smtp://".to_owned());
                }
                _ => return Err("the mail server's address may only have the parameter tls".to_owned()),
            };
        }
        let decoded = |text: &str| -> Option<String> {
            // The one decoder of `%41` at hand is the one for forms, in which two more characters mean something.
            let form = format!("x={}", text.replace('+', "%2B").replace('&', "%26"));
            let (_, value) = url::form_urlencoded::parse(form.as_bytes()).next()?;
            Some(value.into_owned())
        };
        let user = user.map(str::to_owned).or_else(|| decoded(url.username()).filter(|user| !user.is_empty()));
        let password = password.or_else(|| url.password().and_then(decoded).map(Secret::new));
        let credentials = match (user, password) {
            (Some(user), Some(password)) => Some((user, password)),
            (None, None) => None,
            _ => return Err("the mail server's user and password must be given together".to_owned()),
        };
        let from = from.ok_or("the address mails come from is missing: give --mail-from or DENIZEN_MAIL_FROM")?;
        let from = Mailbox::from_str(from).map_err(|_| {
            "the address mails come from must be like no-reply@example.com or Denizen <no-reply@example.com>".to_owned()
        })?;
        let port = url.port().unwrap_or(if implicit { 465 } else { 587 });
        Ok(Self { host, port, security, credentials, from })
    }

    /// Where the mail server is, for people; without secrets.
    #[must_use]
    pub fn place(&self) -> String {
        let how = match self.security {
            Security::Tls => "TLS",
            Security::StartTls => "STARTTLS",
            Security::Plain => "not encrypted",
        };
        format!("{}:{} ({how})", self.host, self.port)
    }

    /// The address mails come from.
    #[must_use]
    pub fn from(&self) -> String {
        self.from.to_string()
    }
}

/// A refusal or a failure to get through.
#[derive(Debug)]
pub(crate) struct SendError {
    /// Whether trying again cannot help.
    pub(crate) permanent: bool,
    /// The server's reply code, for the log.
    pub(crate) code: Option<u16>,
    /// What happened, for agents.
    pub(crate) text: String,
}

impl SendError {
    fn closed() -> Self {
        Self { permanent: false, code: None, text: "The server is stopping.".to_owned() }
    }
}

/// A connection to the mail server, kept open for a while.
pub(crate) struct Smtp {
    config: SmtpConfig,
    /// There until this is dropped.
    transport: Option<AsyncSmtpTransport<Tokio1Executor>>,
    runtime: Handle,
}

impl Drop for Smtp {
    fn drop(&mut self) {
        // Its connections say good-bye in a task, and the last one to hold the application may be a thread of the
        // database, where no task can begin by itself.
        let _inside = self.runtime.enter();
        drop(self.transport.take());
    }
}

impl Smtp {
    /// Connects at the first message.
    ///
    /// # Errors
    /// When no authority is known that certificates could be checked by.
    pub(crate) fn new(config: SmtpConfig) -> Result<Self, String> {
        let tls = || {
            TlsParameters::new(config.host.clone())
                .map_err(|error| format!("certificates of the mail server cannot be checked: {error}"))
        };
        let tls = match config.security {
            Security::Tls => Tls::Wrapper(tls()?),
            Security::StartTls => Tls::Required(tls()?),
            Security::Plain => Tls::None,
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(config.host.as_str())
            .port(config.port)
            .tls(tls)
            .timeout(Some(STEP))
            .hello_name(ClientId::Domain(config.from.email.domain().to_owned()))
            .pool_config(PoolConfig::new().max_size(8).idle_timeout(Duration::from_secs(30)));
        if let Some((user, password)) = &config.credentials {
            builder = builder.credentials(Credentials::new(user.clone(), password.expose().to_owned()));
        }
        let runtime = Handle::try_current().map_err(|error| error.to_string())?;
        Ok(Self { transport: Some(builder.build()), config, runtime })
    }

    pub(crate) fn config(&self) -> &SmtpConfig {
        &self.config
    }

    /// Hands a message over.
    pub(crate) async fn send(&self, message: &Message, whole: Whole, now: Timestamp) -> Result<(), SendError> {
        let mail = self.compose(message, whole, now).map_err(|text| SendError { permanent: true, code: None, text })?;
        let Some(transport) = &self.transport else { return Err(SendError::closed()) };
        match tokio::time::timeout(PATIENCE, transport.send(mail)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(failure(&error)),
            Err(_) => Err(SendError {
                permanent: false,
                code: None,
                text: format!("The mail server did not answer within {} seconds.", PATIENCE.as_secs()),
            }),
        }
    }

    /// Whether the server answers, with TLS and sign-in as configured.
    pub(crate) async fn check(&self) -> Result<(), String> {
        let Some(transport) = &self.transport else { return Err(SendError::closed().text) };
        match tokio::time::timeout(PATIENCE, transport.test_connection()).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err("it does not answer".to_owned()),
            Ok(Err(error)) => Err(failure(&error).text),
            Err(_) => Err("it does not answer in time".to_owned()),
        }
    }

    fn compose(&self, message: &Message, whole: Whole, now: Timestamp) -> Result<lettre::Message, String> {
        let to: Address =
            message.recipient.parse().map_err(|_| "Mail cannot be sent to an address like this.".to_owned())?;
        let from = &self.config.from;
        let name = from.name.clone().unwrap_or_else(|| one_line(&whole.brand));
        let date = std::time::UNIX_EPOCH + Duration::from_secs(u64::try_from(now.as_secs()).unwrap_or(0));
        lettre::Message::builder()
            .from(Mailbox::new(Some(name), from.email.clone()))
            .to(Mailbox::new(None, to))
            .subject(one_line(&whole.subject))
            .date(date)
            // The same at every attempt, so that a mail delivered twice can be told to be one.
            .message_id(Some(format!("<{}@{}>", message.id, from.email.domain())))
            .raw_header(header::HeaderValue::new(
                header::HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ))
            .multipart(MultiPart::alternative_plain_html(whole.text, whole.html))
            .map_err(|error| error.to_string())
    }
}

/// Replies that mean this recipient or message, as opposed to the server as a whole or how it is configured here.
const ABOUT_THE_MESSAGE: [u16; 7] = [501, 550, 551, 552, 553, 554, 556];

fn failure(error: &lettre::transport::smtp::Error) -> SendError {
    let code = error.status().map(u16::from);
    let permanent = error.is_permanent() && code.is_some_and(|code| ABOUT_THE_MESSAGE.contains(&code));
    let mut text = one_line(&error.to_string());
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let more = one_line(&inner.to_string());
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = inner.source();
    }
    SendError { permanent, code, text: text.chars().take(500).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(address: &str) -> Result<SmtpConfig, String> {
        SmtpConfig::parse(address, None, None, Some("Denizen <no-reply@example.com>"))
    }

    #[test]
    fn addresses_say_how_the_server_is_reached() {
        let tls = parse("smtps://us%40er:p%3Ass+w@mail.example.com").unwrap();
        assert_eq!(tls.place(), "mail.example.com:465 (TLS)");
        let (user, password) = tls.credentials.clone().unwrap();
        assert_eq!((user.as_str(), password.expose()), ("us@er", "p:ss+w"));
        assert!(!format!("{tls:?}").contains("ss+w"));
        assert_eq!(parse("smtp://mail.example.com").unwrap().place(), "mail.example.com:587 (STARTTLS)");
        assert_eq!(parse("smtp://mail.example.com:25?tls=required").unwrap().security, Security::StartTls);
        assert_eq!(parse("smtp://127.0.0.1:2525?tls=none").unwrap().security, Security::Plain);
        assert_eq!(tls.from(), "Denizen <no-reply@example.com>");
        let apart =
            SmtpConfig::parse("smtp://a:b@mail.example.com", Some("x"), Some("y".into()), Some("a@example.com"));
        assert_eq!(apart.unwrap().credentials.map(|(user, _)| user).as_deref(), Some("x"));
    }

    #[test]
    fn wrong_addresses_are_refused_without_telling_the_password() {
        for wrong in [
            "mail.example.com",
            "http://mail.example.com",
            "smtp://",
            "smtp://a:hidden@mail.example.com/path",
            "smtp://a:hidden@mail.example.com?tls=maybe",
            "smtps://a:hidden@mail.example.com?tls=none",
            "smtp://a:hidden@mail.example.com?colour=red",
            "smtp://user@mail.example.com",
        ] {
            let said = parse(wrong).unwrap_err();
            assert!(!said.contains("hidden"), "{wrong}: {said}");
        }
        assert!(SmtpConfig::parse("smtp://mail.example.com", None, None, None).is_err());
        assert!(SmtpConfig::parse("smtp://mail.example.com", None, None, Some("nobody")).is_err());
    }

    #[tokio::test]
    async fn headers_hold_one_line_whatever_the_names() {
        let smtp = Smtp::new(parse("smtp://127.0.0.1:25?tls=none").unwrap()).unwrap();
        let message = super::super::tests::message("ana@example.com");
        let whole = Whole {
            brand: "Acme\r\nBcc: eve@example.com".to_owned(),
            subject: "Hello\r\nBcc: eve@example.com\r\n\r\nBody".to_owned(),
            text: "text".to_owned(),
            html: "<p>html</p>".to_owned(),
        };
        let mail = smtp.compose(&message, whole, Timestamp::from_secs(1_800_000_000)).unwrap();
        let bytes = String::from_utf8(mail.formatted()).unwrap();
        let (head, _) = bytes.split_once("\r\n\r\n").unwrap();
        assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
        assert!(head.contains("Auto-Submitted: auto-generated"), "{head}");
        for recipient in ["a@example.com\r\nRCPT TO:<eve@example.com>", "a@example.com>, <eve@example.com"] {
            let message = super::super::tests::message(recipient);
            let whole =
                Whole { brand: String::new(), subject: String::new(), text: String::new(), html: String::new() };
            assert!(smtp.compose(&message, whole, Timestamp::from_secs(1)).is_err(), "{recipient}");
        }
    }
}
