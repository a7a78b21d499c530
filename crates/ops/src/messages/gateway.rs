//! The SMS gateway: any HTTP service that takes a text and a number in a POST request.

use std::{fmt, time::Duration};

use denizen_model::MessageId;
use reqwest::{
    StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue},
    redirect::Policy,
};
use serde_json::Value;
use url::Url;

use super::smtp::SendError;
use crate::crypto::Secret;

/// Where text messages go.
#[derive(Debug, Clone, Default)]
pub enum Sms {
    /// Nowhere: nothing that needs them is offered.
    #[default]
    None,
    /// To a gateway.
    Gateway(Box<SmsConfig>),
    /// Into the demo's mailbox page, which shows them whole.
    Demo,
}

/// How the gateway is spoken to.
#[derive(Clone)]
pub struct SmsConfig {
    url: Url,
    headers: HeaderMap,
    body: Body,
    timeout: Duration,
}

/// What the gateway is sent, with `{to}`, `{text}` and `{id}` to be filled in.
#[derive(Clone)]
enum Body {
    Json(Value),
    Form(Vec<(String, String)>),
}

impl fmt::Debug for SmsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place())
    }
}

/// The message's id, the same at every attempt, so that a gateway can tell that it has it already.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// What is sent when nothing else is configured.
const USUAL_BODY: &str = r#"{"to": "{to}", "text": "{text}", "id": "{id}"}"#;
/// The longest time a gateway may take; less than a message is leased for.
const MAX_TIMEOUT: u64 = 60;
const USUAL_TIMEOUT: u64 = 20;

impl SmsConfig {
    /// Reads what was configured: the gateway's address, which may hold a user and a password; headers, one a line as
    /// `Name: value`; the body, JSON where it begins with a brace or bracket, else a form; how many seconds an answer
    /// may take.
    ///
    /// # Errors
    /// A sentence that says what is wrong; it never repeats a value that may be secret.
    pub fn parse(
        address: &str,
        headers: Option<&Secret>,
        body: Option<&str>,
        timeout: Option<u64>,
    ) -> Result<Self, String> {
        const WRONG: &str = "the SMS gateway must be an address such as https://sms.example.com/messages";
        let url = Url::parse(address.trim()).map_err(|_| WRONG.to_owned())?;
        if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none_or(str::is_empty) {
            return Err(WRONG.to_owned());
        }
        let timeout = timeout.unwrap_or(USUAL_TIMEOUT);
        if !(1..=MAX_TIMEOUT).contains(&timeout) {
            return Err(format!("the SMS gateway's timeout must be from 1 to {MAX_TIMEOUT} seconds"));
        }
        Ok(Self {
            url,
            headers: headers.map_or_else(|| Ok(HeaderMap::new()), |text| read_headers(text.expose()))?,
            body: Body::parse(body.unwrap_or(USUAL_BODY))?,
            timeout: Duration::from_secs(timeout),
        })
    }

    /// Where the gateway is, for people; without secrets, which may also stand in its path.
    #[must_use]
    pub fn place(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        let port = self.url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let open = if self.url.scheme() == "https" { "" } else { " (not encrypted)" };
        format!("{host}{port}{open}")
    }
}

fn read_headers(text: &str) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    for (number, line) in lines.enumerate() {
        let wrong = || format!("header {} of the SMS gateway must be like Name: value", number + 1);
        let (name, value) = line.split_once(':').ok_or_else(wrong)?;
        let name: HeaderName = name.trim().parse().map_err(|_| wrong())?;
        let mut value = HeaderValue::from_str(value.trim()).map_err(|_| wrong())?;
        if [CONTENT_TYPE, CONTENT_LENGTH, HOST, IDEMPOTENCY_KEY].contains(&name) {
            return Err(format!("the header {name} of the SMS gateway is set by Denizen"));
        }
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Ok(headers)
}

impl Body {
    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let body = if text.starts_with(['{', '[']) {
            let value = serde_json::from_str(text)
                .map_err(|error| format!("the body for the SMS gateway is not valid JSON: {error}"))?;
            Self::Json(value)
        } else {
            Self::Form(url::form_urlencoded::parse(text.as_bytes()).into_owned().collect())
        };
        let (_, shown) = body.filled(&|name| format!("\u{1}{name}\u{1}"));
        let has =
            |name: &str| shown.contains(&format!("\\u0001{name}\\u0001")) || shown.contains(&format!("%01{name}%01"));
        for name in ["to", "text"] {
            if !has(name) {
                return Err(format!("the body for the SMS gateway must have {{{name}}} in one of its values"));
            }
        }
        Ok(body)
    }

    /// The body and its type. Values are put in before it is written, so that whatever stands in them is escaped as
    /// the type asks for.
    fn filled(&self, value: &dyn Fn(&str) -> String) -> (&'static str, String) {
        match self {
            Self::Json(template) => ("application/json", fill_json(template, value).to_string()),
            Self::Form(pairs) => {
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                for (name, template) in pairs {
                    form.append_pair(name, &fill(template, value));
                }
                ("application/x-www-form-urlencoded", form.finish())
            }
        }
    }
}

fn fill_json(template: &Value, value: &dyn Fn(&str) -> String) -> Value {
    match template {
        Value::String(text) => Value::String(fill(text, value)),
        Value::Array(items) => Value::Array(items.iter().map(|item| fill_json(item, value)).collect()),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, field)| (name.clone(), fill_json(field, value))).collect())
        }
        other => other.clone(),
    }
}

/// Fills in `{to}`, `{text}` and `{id}`, each once: what is filled in is not looked at again.
fn fill(template: &str, value: &dyn Fn(&str) -> String) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let found = ["to", "text", "id"].into_iter().find_map(|name| {
            let after = from.strip_prefix('{')?.strip_prefix(name)?.strip_prefix('}')?;
            Some((name, after))
        });
        match found {
            Some((name, after)) => {
                out.push_str(&value(name));
                rest = after;
            }
            None => {
                out.push('{');
                rest = from.strip_prefix('{').unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    out
}

/// The gateway, with connections that are kept open for a while.
pub(crate) struct Gateway {
    config: SmsConfig,
    client: reqwest::Client,
}

impl Gateway {
    /// Connects at the first message.
    ///
    /// # Errors
    /// When no authority is known that certificates could be checked by.
    pub(crate) fn new(config: SmsConfig) -> Result<Self, String> {
        let client = reqwest::Client::builder()
            .timeout(config.timeout)
            .connect_timeout(config.timeout)
            .pool_idle_timeout(Duration::from_secs(30))
            // Codes go to whom they were configured to go to.
            .redirect(Policy::none())
            .user_agent(concat!("Denizen/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| format!("the SMS gateway cannot be spoken to: {error}"))?;
        Ok(Self { config, client })
    }

    pub(crate) fn place(&self) -> String {
        self.config.place()
    }

    /// Hands a text over.
    pub(crate) async fn send(&self, id: MessageId, to: &str, text: &str) -> Result<(), SendError> {
        let id = id.to_string();
        let (kind, body) = self.config.body.filled(&|name| match name {
            "to" => to.to_owned(),
            "text" => text.to_owned(),
            _ => id.clone(),
        });
        let request = self
            .client
            .post(self.config.url.clone())
            .headers(self.config.headers.clone())
            .header(IDEMPOTENCY_KEY, &id)
            .header(CONTENT_TYPE, kind)
            .body(body);
        match request.send().await {
            // What it answers besides may repeat the text, and is looked at by nobody.
            Ok(answer) => judge(answer.status()),
            Err(error) => {
                Err(SendError { permanent: false, code: None, text: unreachable(&error, self.config.timeout) })
            }
        }
    }
}

fn judge(status: StatusCode) -> Result<(), SendError> {
    if status.is_success() {
        return Ok(());
    }
    let again = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&status);
    Err(SendError {
        permanent: status.is_client_error() && !again,
        code: Some(status.as_u16()),
        text: format!("The SMS gateway answered {status}."),
    })
}

/// Why there was no answer. The error's own words may hold the address with its secrets.
fn unreachable(error: &reqwest::Error, timeout: Duration) -> String {
    if error.is_timeout() {
        format!("The SMS gateway did not answer within {} seconds.", timeout.as_secs())
    } else if error.is_connect() {
        "The SMS gateway could not be reached.".to_owned()
    } else {
        "The connection to the SMS gateway broke.".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(body: &str) -> (&'static str, String) {
        let body = Body::parse(body).unwrap();
        body.filled(&|name| match name {
            "to" => "+4930123456".to_owned(),
            "text" => "say \"{to}\" & {id}\n=%+".to_owned(),
            _ => "one".to_owned(),
        })
    }

    #[test]
    fn values_are_escaped_as_the_body_asks_for_and_filled_in_once() {
        let (kind, body) =
            filled(r#"{"m": [{"to": "{to}", "text": "A {text}"}], "n": 1, "{to}": "{x}", "key": "{id}"}"#);
        assert_eq!(kind, "application/json");
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["m"][0]["to"], "+4930123456");
        assert_eq!(body["m"][0]["text"], "A say \"{to}\" & {id}\n=%+");
        assert_eq!(
            (&body["n"], &body["{to}"], &body["key"]),
            (&Value::from(1), &Value::from("{x}"), &Value::from("one"))
        );
        let (kind, body) = filled("To={to}&Body={text}&From=%2B1555&Ref={id}");
        assert_eq!(kind, "application/x-www-form-urlencoded");
        assert_eq!(body, "To=%2B4930123456&Body=say+%22%7Bto%7D%22+%26+%7Bid%7D%0A%3D%25%2B&From=%2B1555&Ref=one");
    }

    #[test]
    fn what_is_wrong_is_told_without_secrets() {
        let parse = |url: &str, headers: &str, body: Option<&str>| {
            SmsConfig::parse(url, Some(&Secret::new(headers.to_owned())), body, None)
        };
        let good = "https://user:hidden@sms.example.com/hidden?key=hidden";
        let config = parse(good, "Authorization: Bearer hidden\n\nX-Account: 7", None).unwrap();
        assert_eq!((config.place().as_str(), config.headers.len()), ("sms.example.com", 2));
        assert!(!format!("{config:?} {:?}", config.headers).contains("hidden"));
        assert_eq!(parse("http://127.0.0.1:99/x", "", None).unwrap().place(), "127.0.0.1:99 (not encrypted)");
        for (url, headers, body) in [
            ("sms.example.com", "", None),
            ("ftp://sms.example.com", "", None),
            (good, "hidden", None),
            (good, "X: a\u{7}hidden", None),
            (good, "Content-Type: hidden/x", None),
            (good, "Idempotency-Key: hidden", None),
            (good, "", Some("{\"to\": \"{to}\"}")),
            (good, "", Some("{\"{to}\": \"{text}\"}")),
            (good, "", Some("{to}={text}")),
            (good, "", Some("{\"to\": {to}}")),
        ] {
            let said = parse(url, headers, body).unwrap_err();
            assert!(!said.contains("hidden"), "{said}");
        }
        assert!(SmsConfig::parse(good, None, None, Some(0)).is_err());
        assert!(SmsConfig::parse(good, None, None, Some(61)).is_err());
    }

    #[test]
    fn a_refusal_is_final_and_anything_else_is_tried_again() {
        let judged = |code: u16| judge(StatusCode::from_u16(code).unwrap()).map_err(|error| error.permanent);
        for (code, outcome) in [
            (200, Ok(())),
            (202, Ok(())),
            (302, Err(false)),
            (400, Err(true)),
            (401, Err(true)),
            (408, Err(false)),
            (429, Err(false)),
            (500, Err(false)),
            (503, Err(false)),
        ] {
            assert_eq!(judged(code), outcome, "{code}");
        }
    }
}
