//! What the log tells of each sign-in, failure, registration, lock and reset: by what method, through which client, with
//! which device, from where and why; and what «Why can't they sign in?» makes of it.

macro_rules! main {
    ($server:expr) => {
        $server.app.main_realm().await.unwrap().realm.id
    };
}

mod codes;
mod end_to_end;
mod locks;
mod means;
mod passwords;
mod second_factors;

use std::time::Duration;

use denizen_model::{
    UserId,
    authenticators::AuthenticatorType,
    clients::CONSOLE_CLIENT,
    devices::device_label,
    events::{Event, EventQuery, EventType, Outcome},
    users::UserPatch,
};
use denizen_ops::{
    diagnosis::{self, Finding, Fix},
    events, users,
};
use http::StatusCode;

use super::{
    resets::settings,
    support::{Browser, Page, Server},
};

const ANA: &str = "ana@example.com";
const NEW: &str = "another long horse battery";
const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const ADDRESS: [u8; 4] = [203, 0, 113, 66];
const IP: &str = "203.0.113.66";
const ALL_WAYS: [AuthenticatorType; 5] = [
    AuthenticatorType::Password,
    AuthenticatorType::Passkey,
    AuthenticatorType::EmailCode,
    AuthenticatorType::SmsCode,
    AuthenticatorType::MagicLink,
];

pub(super) fn guest(server: &Server) -> Browser<'_> {
    let mut browser = server.browser();
    (browser.agent, browser.address) = (AGENT, ADDRESS);
    browser
}

/// On the way to the console, which is a client like others, to the page after the name.
async fn named(browser: &mut Browser<'_>, name: &str) -> Page {
    let flow = browser.open("/admin/main/users").await.hidden("flow");
    browser.post("/realms/main/sign-in", &[("flow", &flow), ("identifier", name)]).await
}

async fn typed(browser: &mut Browser<'_>, page: &Page, password: &str) -> Page {
    let flow = page.hidden("flow");
    browser.post("/realms/main/sign-in/password", &[("flow", &flow), ("password", password)]).await
}

async fn sent(browser: &mut Browser<'_>, page: &Page, method: &str) -> Page {
    let flow = page.hidden("flow");
    browser.post("/realms/main/sign-in/send", &[("flow", &flow), ("method", method)]).await
}

async fn coded(browser: &mut Browser<'_>, page: &Page, method: &str, code: &str) -> Page {
    let fields = [("flow", &page.hidden("flow")[..]), ("method", method), ("code", code)];
    browser.post("/realms/main/sign-in/code", &fields).await
}

/// The newest code that went to an address.
async fn newest(server: &Server, address: &str) -> String {
    let texts = server.mails(address).await;
    let words = texts.first().unwrap_or_else(|| panic!("nothing to {address}")).split(|c: char| !c.is_ascii_digit());
    words.filter(|word| word.len() == 6).map(str::to_owned).next().unwrap()
}

async fn patch(server: &Server, id: UserId, patch: UserPatch) {
    let cx = server.system();
    users::update(&server.app, &cx, cx.may(main!(server)).unwrap(), id, patch, None).await.unwrap();
}

async fn has_email(server: &Server, id: UserId, email: &str) {
    patch(server, id, UserPatch { email: Some(Some(email.to_owned())), ..UserPatch::default() }).await;
}

/// The latest event of a type about somebody.
async fn last(server: &Server, user: UserId, kind: EventType) -> Event {
    let cx = server.system();
    let asked = EventQuery { subject: Some(user.to_string()), kind: Some(kind), limit: 1, ..EventQuery::default() };
    let found = events::list(&server.app, &cx, cx.may(main!(server)).unwrap(), asked).await.unwrap().items;
    found.into_iter().next().unwrap_or_else(|| panic!("no {kind}"))
}

/// It says with which device and from where; and through the console, where it began there.
#[track_caller]
fn is_whole(event: &Event, client: Option<&str>) {
    assert_eq!(event.client_id.as_deref(), client, "{event:?}");
    assert_eq!(event.user_agent.as_deref().map(device_label).as_deref(), Some("Firefox on Linux"), "{event:?}");
    assert_eq!(event.ip.as_deref(), Some(IP), "{event:?}");
    assert!(event.place.is_some(), "{event:?}");
}

async fn findings(server: &Server, user: UserId) -> Vec<Finding> {
    let cx = server.system();
    let (may, log) = (cx.may(main!(server)).unwrap(), cx.may(main!(server)).ok());
    diagnosis::diagnose(&server.app, &cx, may, log, user).await.unwrap().findings
}

#[track_caller]
fn finding<'f>(findings: &'f [Finding], code: &str) -> &'f Finding {
    findings.iter().find(|one| one.code == code).unwrap_or_else(|| panic!("no {code} in {findings:#?}"))
}

/// The last attempt failed for this reason, as the log and the diagnosis tell it.
pub(super) async fn failed(server: &Server, user: UserId, method: &str, reason: &str, fix: Fix) {
    let event = last(server, user, EventType::UserSignInFailed).await;
    assert_eq!((&event.details["method"], &event.details["reason"]), (&method.into(), &reason.into()));
    assert_eq!(event.outcome, Outcome::Failure);
    is_whole(&event, Some(CONSOLE_CLIENT));
    let found = findings(server, user).await;
    let told = finding(&found, "last-failures");
    let begins = format!("The last attempt failed: {reason}, Firefox on Linux, from {IP}. ");
    assert!(told.sentence.starts_with(&begins) && told.sentence.len() > begins.len() + 5, "{}", told.sentence);
    assert_eq!(told.fix, Some(fix), "{}", told.sentence);
    server.pass(Duration::from_secs(1));
}

/// The last sign-in succeeded by this.
pub(super) async fn succeeded(server: &Server, user: UserId, page: &Page, method: &str) {
    page.is(StatusCode::SEE_OTHER);
    assert!(page.location().contains("/admin/callback?"), "{}", page.location());
    let event = last(server, user, EventType::UserSignInSucceeded).await;
    assert_eq!((event.outcome, &event.details["method"]), (Outcome::Success, &method.into()));
    is_whole(&event, Some(CONSOLE_CLIENT));
    is_whole(&last(server, user, EventType::UserSessionCreated).await, Some(CONSOLE_CLIENT));
    server.pass(Duration::from_secs(1));
}

/// A server on which every way is open and nothing locks.
pub(super) async fn open_server() -> Server {
    let server = Server::start().await;
    settings(&server, |settings| {
        settings.sign_in_methods = ALL_WAYS.to_vec();
        (settings.password_lockout.attempts, settings.otp_lockout.attempts) = (0, 0);
    })
    .await;
    server
}
