//! What the log tells of each sign-in, failure, registration, lock and reset: by what method, through which client, with
//! which device, from where and why; and what «Why can't they sign in?» makes of it.

use std::time::Duration;

use denizen_model::{
    UserId,
    authenticators::{AuthenticatorType, RequiredAction},
    clients::CONSOLE_CLIENT,
    devices::device_label,
    events::{Event, EventQuery, EventType, Outcome},
    users::{NewHuman, NewMachine, NewPassword, UserPatch},
};
use denizen_ops::{
    authenticators::{self, state},
    diagnosis::{self, Finding, Fix, Severity},
    events, lockouts, required_actions, reset_requests, users,
};
use http::StatusCode;

use super::{
    resets::{choose_password, follow, link, settings},
    support::{Browser, PASSWORD, Page, Server},
    two_steps::{code as app_code, second, set_up},
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

macro_rules! main {
    ($server:expr) => {
        $server.app.main_realm().await.unwrap().realm.id
    };
}

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

#[tokio::test]
async fn a_password_that_does_not_let_in_is_told_with_its_reason_and_what_helps() {
    let server = open_server().await;
    let ana = server.person(ANA, "Ana", None).await;
    let (app, cx, main) = (&server.app, server.system(), main!(server));
    let mut browser = guest(&server);
    let page = named(&mut browser, ANA).await;
    typed(&mut browser, &page, "a wrong one").await.is(StatusCode::UNPROCESSABLE_ENTITY);
    failed(&server, ana, "password", "wrong password", Fix::SendReset).await;
    let right = typed(&mut browser, &page, PASSWORD).await;
    succeeded(&server, ana, &right, "password").await;

    // Held by an administrator.
    let listed = authenticators::list(app, &cx, cx.may(main).unwrap(), ana).await.unwrap().authenticators;
    let password = listed.iter().find(|one| one.kind == AuthenticatorType::Password).unwrap().id;
    state::change(app, &cx, cx.may(main).unwrap(), ana, password, state::Change::Lock).await.unwrap();
    let event = last(&server, ana, EventType::UserAuthenticatorLocked).await;
    assert_eq!(
        (&event.details["method"], &event.details["reason"]),
        (&"password".into(), &"by an administrator".into())
    );
    let page = named(&mut guest(&server), ANA).await;
    typed(&mut guest(&server), &page, PASSWORD).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    failed(&server, ana, "password", "the authenticator is locked or switched off", Fix::RestoreAuthenticator).await;
    assert_eq!(finding(&findings(&server, ana).await, "authenticators-held").fix, Some(Fix::RestoreAuthenticator));
    state::change(app, &cx, cx.may(main).unwrap(), ana, password, state::Change::Unlock).await.unwrap();

    // The realm has changed its mind in between.
    let page = named(&mut guest(&server), ANA).await;
    settings(&server, |settings| settings.sign_in_methods = vec![AuthenticatorType::EmailCode]).await;
    typed(&mut guest(&server), &page, PASSWORD).await;
    failed(&server, ana, "password", "the realm does not let people sign in this way", Fix::ChangeSettings).await;
    let found = findings(&server, ana).await;
    assert_eq!(finding(&found, "password-not-allowed").fix, Some(Fix::ChangeSettings));
    settings(&server, |settings| settings.sign_in_methods = ALL_WAYS.to_vec()).await;

    authenticators::clear_password(app, &cx, cx.may(main).unwrap(), ana).await.unwrap();
    let page = named(&mut guest(&server), ANA).await;
    typed(&mut guest(&server), &page, PASSWORD).await;
    failed(&server, ana, "password", "the user has no password", Fix::SetPassword).await;
    let found = findings(&server, ana).await;
    assert_eq!(finding(&found, "no-password").severity, Severity::Information, "there are other ways");

    users::disable(app, &cx, cx.may(main).unwrap(), ana, None).await.unwrap();
    typed(&mut guest(&server), &page, PASSWORD).await;
    failed(&server, ana, "password", "the user is disabled", Fix::EnableUser).await;
    let machine =
        NewMachine { name: "Nightly".to_owned(), username: Some("nightly".to_owned()), ..NewMachine::default() };
    let machine = users::create_machine(app, &cx, cx.may(main).unwrap(), machine).await.unwrap().user.id;
    let page = named(&mut guest(&server), "nightly").await;
    typed(&mut guest(&server), &page, PASSWORD).await;
    failed(&server, machine, "password", "the user is a machine", Fix::CreateApiKey).await;

    // A name that is nobody's is in the realm's log, and a password that was typed there is not.
    for (name, kept) in [("nobody@example.com", Some("nobody@example.com")), (PASSWORD, None)] {
        let page = named(&mut guest(&server), name).await;
        typed(&mut guest(&server), &page, PASSWORD).await;
        let asked = EventQuery { subject: Some(main.to_string()), limit: 1, ..EventQuery::default() };
        let asked = EventQuery { kind: Some(EventType::UserSignInFailed), ..asked };
        let event = events::list(app, &cx, cx.may(main).unwrap(), asked).await.unwrap().items.remove(0);
        assert_eq!(event.details["reason"], "unknown identifier");
        assert_eq!(event.details.get("identifier").and_then(|typed| typed.as_str()), kept);
        is_whole(&event, Some(CONSOLE_CLIENT));
        server.pass(Duration::from_secs(1));
    }
}

#[tokio::test]
async fn codes_and_links_that_do_not_let_in_are_told_with_their_reasons() {
    let server = open_server().await;
    let ana = server.person(ANA, "Ana", None).await;
    let mut browser = guest(&server);
    let start = named(&mut browser, ANA).await;

    let page = sent(&mut browser, &start, "email_code").await;
    let right = newest(&server, ANA).await;
    let wrong: String = right.chars().map(|c| if c == '9' { '0' } else { '9' }).collect();
    coded(&mut browser, &page, "email_code", &wrong).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    failed(&server, ana, "email_code", "wrong code", Fix::IssueRecoveryCodes).await;
    let done = coded(&mut browser, &page, "email_code", &right).await;
    is_whole(&last(&server, ana, EventType::UserEmailVerified).await, Some(CONSOLE_CLIENT));
    succeeded(&server, ana, &done, "email_code").await;
    coded(&mut browser, &page, "email_code", &right).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    failed(&server, ana, "email_code", "the code was used before", Fix::ReadActivity).await;

    let page = sent(&mut browser, &start, "email_code").await;
    let late = newest(&server, ANA).await;
    server.pass(Duration::from_secs(601));
    coded(&mut browser, &page, "email_code", &late).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    failed(&server, ana, "email_code", "the code has expired", Fix::ReadActivity).await;

    let page = sent(&mut browser, &start, "email_code").await;
    let old = newest(&server, ANA).await;
    has_email(&server, ana, "new@example.com").await;
    coded(&mut browser, &page, "email_code", &old).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    failed(&server, ana, "email_code", "the address that it was sent to was changed since", Fix::ReadActivity).await;

    // Links: followed, followed once more, too late, and at an address that is no longer theirs.
    sent(&mut browser, &start, "magic_link").await.is(StatusCode::OK);
    let path = server.link("new@example.com").await;
    let done = follow(&mut browser, &path).await;
    succeeded(&server, ana, &done, "magic_link").await;
    browser.get(&path).await.is(StatusCode::GONE);
    failed(&server, ana, "magic_link", "the link was used before", Fix::ReadActivity).await;
    sent(&mut browser, &start, "magic_link").await;
    let path = server.link("new@example.com").await;
    server.pass(Duration::from_secs(601));
    let token = path.split("token=").nth(1).unwrap();
    browser.post("/realms/main/sign-in/link", &[("token", token)]).await.is(StatusCode::GONE);
    failed(&server, ana, "magic_link", "the link has expired", Fix::ReadActivity).await;
    let mut browser = guest(&server);
    let start = named(&mut browser, ANA).await;
    sent(&mut browser, &start, "magic_link").await;
    let path = server.link("new@example.com").await;
    has_email(&server, ana, ANA).await;
    browser.get(&path).await.is(StatusCode::GONE);
    failed(&server, ana, "magic_link", "the address that it was sent to was changed since", Fix::ReadActivity).await;
    // Of a link that never was one nothing is known.
    let before = last(&server, ana, EventType::UserSignInFailed).await.id;
    browser
        .get("/realms/main/sign-in/link?token=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
        .await
        .is(StatusCode::GONE);
    assert_eq!(last(&server, ana, EventType::UserSignInFailed).await.id, before);

    // By text message: nowhere to send it to, then in.
    sent(&mut browser, &start, "sms_code").await.is(StatusCode::OK);
    failed(&server, ana, "sms_code", "the user has no address for it", Fix::ChangeEmail).await;
    let phone = "+4930123456";
    patch(&server, ana, UserPatch { phone: Some(Some(phone.to_owned())), ..UserPatch::default() }).await;
    let page = sent(&mut browser, &start, "sms_code").await;
    let right = newest(&server, phone).await;
    let done = coded(&mut browser, &page, "sms_code", &right).await;
    is_whole(&last(&server, ana, EventType::UserPhoneVerified).await, Some(CONSOLE_CLIENT));
    succeeded(&server, ana, &done, "sms_code").await;
    for _ in 0..6 {
        sent(&mut browser, &start, "sms_code").await;
    }
    failed(&server, ana, "sms_code", "too much was sent to this address already", Fix::ReadMessages).await;
    assert_eq!(finding(&findings(&server, ana).await, "enough-sent").severity, Severity::Information);
}

#[tokio::test]
async fn second_factors_are_told_with_their_method_and_reason() {
    let server = open_server().await;
    let ana = server.person(ANA, "Ana", None).await;
    let (app, cx, main) = (&server.app, server.system(), main!(server));
    let may = cx.may(main).unwrap();
    required_actions::set(app, &cx, may, ana, RequiredAction::ConfigureOtp, true).await.unwrap();
    let mut browser = guest(&server);
    let page = named(&mut browser, ANA).await;
    let page = typed(&mut browser, &page, PASSWORD).await;
    // It types a wrong code first.
    let (secret, codes) = set_up(&server, &mut browser, page).await;
    let cx = server.system();
    let asked = EventQuery { subject: Some(ana.to_string()), limit: 10, ..EventQuery::default() };
    let asked = EventQuery { kind: Some(EventType::UserAuthenticatorRegistered), ..asked };
    let made = events::list(app, &cx, cx.may(main).unwrap(), asked).await.unwrap().items;
    let (wrong, right): (Vec<_>, Vec<_>) = made.into_iter().partition(|event| event.outcome == Outcome::Failure);
    assert_eq!((wrong.len(), right.len()), (1, 2), "an app and recovery codes");
    for event in wrong.iter().chain(&right) {
        is_whole(event, Some(CONSOLE_CLIENT));
        assert_eq!(event.details["required"], true);
    }
    assert_eq!((&wrong[0].details["method"], &wrong[0].details["reason"]), (&"totp".into(), &"wrong code".into()));
    let event = last(&server, ana, EventType::UserSignInSucceeded).await;
    assert_eq!(event.details["method"], "password+totp");

    server.pass(Duration::from_secs(60));
    let mut browser = guest(&server);
    let page = named(&mut browser, ANA).await;
    let page = typed(&mut browser, &page, PASSWORD).await;
    second(&mut browser, &page, "totp", "000000").await.is(StatusCode::UNPROCESSABLE_ENTITY);
    failed(&server, ana, "totp", "wrong code", Fix::IssueRecoveryCodes).await;
    let code = app_code(&server, &secret);
    let done = second(&mut browser, &page, "totp", &code).await;
    succeeded(&server, ana, &done, "password+totp").await;
    second(&mut browser, &page, "totp", &code).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    failed(&server, ana, "totp", "the code was used before", Fix::ReadActivity).await;
    second(&mut browser, &page, "recovery_codes", "abcd-efgh-jkmn-pqrs").await.is(StatusCode::UNPROCESSABLE_ENTITY);
    failed(&server, ana, "recovery_codes", "wrong code", Fix::IssueRecoveryCodes).await;
    let done = second(&mut browser, &page, "recovery_codes", &codes[0]).await;
    let used = last(&server, ana, EventType::UserAuthenticatorUsed).await;
    assert_eq!((&used.details["method"], &used.details["codes_left"]), (&"recovery_codes".into(), &9.into()));
    is_whole(&used, Some(CONSOLE_CLIENT));
    succeeded(&server, ana, &done, "password+recovery_codes").await;
    second(&mut browser, &page, "recovery_codes", &codes[0]).await.is(StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn locks_are_told_with_what_locked_and_what_ends_them() {
    let server = open_server().await;
    let ana = server.person(ANA, "Ana", None).await;
    settings(&server, |settings| {
        (settings.password_lockout.attempts, settings.otp_lockout.attempts) = (3, 2);
    })
    .await;
    let mut browser = guest(&server);
    let start = named(&mut browser, ANA).await;
    for _ in 0..3 {
        typed(&mut browser, &start, "a wrong one").await;
    }
    server.pass(Duration::from_secs(1));
    let locked = last(&server, ana, EventType::UserAuthenticatorLocked).await;
    assert_eq!(
        (&locked.details["method"], &locked.details["reason"]),
        (&"password".into(), &"too many failures".into())
    );
    assert!(locked.details["until"].is_string());
    is_whole(&locked, Some(CONSOLE_CLIENT));
    typed(&mut browser, &start, PASSWORD).await.is(StatusCode::TOO_MANY_REQUESTS);
    failed(&server, ana, "password", "locked after too many failures", Fix::Unlock).await;
    let page = sent(&mut browser, &start, "email_code").await;
    let right = newest(&server, ANA).await;
    for _ in 0..2 {
        coded(&mut browser, &page, "email_code", "wrong").await;
    }
    server.pass(Duration::from_secs(1));
    let locked = last(&server, ana, EventType::UserAuthenticatorLocked).await;
    assert_eq!(locked.details["method"], "otp");
    is_whole(&locked, Some(CONSOLE_CLIENT));
    coded(&mut browser, &page, "email_code", &right).await.is(StatusCode::TOO_MANY_REQUESTS);
    failed(&server, ana, "email_code", "locked after too many failures", Fix::Unlock).await;
    let found = findings(&server, ana).await;
    let told = finding(&found, "locked");
    assert_eq!((told.severity, told.fix), (Severity::Blocking, Some(Fix::Unlock)));
    assert!(told.sentence.contains("codes and passwords"), "{}", told.sentence);

    // One way alone, with what is counted of it; then all.
    let (cx, main) = (server.system(), main!(server));
    let listed = authenticators::list(&server.app, &cx, cx.may(main).unwrap(), ana).await.unwrap().authenticators;
    let password = listed.iter().find(|one| one.kind == AuthenticatorType::Password).unwrap().id;
    let change = state::Change::Unlock;
    state::change(&server.app, &cx, cx.may(main).unwrap(), ana, password, change).await.unwrap();
    assert_eq!(last(&server, ana, EventType::UserAuthenticatorUnlocked).await.details["method"], "password");
    let user = users::get(&server.app, &cx, cx.may(main).unwrap(), ana).await.unwrap();
    assert_eq!((user.failed_password_attempts, user.failed_otp_attempts), (0, 2));
    assert!(finding(&findings(&server, ana).await, "locked").sentence.contains("wrong codes:"));
    server.pass(Duration::from_secs(1));
    let cx = server.system();
    let held = lockouts::unlock(&server.app, &cx, cx.may(main!(server)).unwrap(), ana).await.unwrap();
    assert!(held);
    let unlocked = last(&server, ana, EventType::UserAuthenticatorUnlocked).await;
    assert_eq!(unlocked.details["methods"], serde_json::json!(["otp"]));
    let done = typed(&mut browser, &start, PASSWORD).await;
    succeeded(&server, ana, &done, "password").await;

    // An address from which too much fails is held for everybody, and whose attempt that hits sees it explained.
    let mut browser = guest(&server);
    let mut status = StatusCode::OK;
    for number in 0..100 {
        let page = named(&mut browser, &format!("nobody{number}@example.com")).await;
        status = typed(&mut browser, &page, "a wrong one").await.status;
        if status == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
    }
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    let page = named(&mut browser, ANA).await;
    typed(&mut browser, &page, PASSWORD).await.is(StatusCode::TOO_MANY_REQUESTS);
    let found = findings(&server, ana).await;
    let told = finding(&found, "address-held-back");
    assert!(told.sentence.contains(IP) && told.fix.is_some(), "{}", told.sentence);
    let (cx, main) = (server.system(), main!(server));
    let asked = EventQuery { subject: Some(main.to_string()), limit: 200, ..EventQuery::default() };
    let found = events::list(&server.app, &cx, cx.may(main).unwrap(), asked).await.unwrap().items;
    assert!(found.iter().any(|event| event.details["reason"] == "too many failures from this address"), "{found:#?}");
    let mut elsewhere = guest(&server);
    elsewhere.address = [198, 51, 100, 7];
    let page = named(&mut elsewhere, ANA).await;
    typed(&mut elsewhere, &page, PASSWORD).await.is(StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn registrations_and_resets_are_told_from_end_to_end() {
    let server = open_server().await;
    let mut browser = guest(&server);
    let page = browser.open("/admin/main/users").await;
    let flow = page.body.split("/register?flow=").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let page = browser.get(&format!("/realms/main/register?flow={flow}")).await;
    let fields = [("flow", &page.hidden("flow")[..]), ("email", ANA)];
    browser.post("/realms/main/register", &fields).await.is(StatusCode::OK);
    let path = server.link(ANA).await;
    let token = path.split("token=").nth(1).unwrap().to_owned();
    let fields = [("token", &token[..]), ("given_name", "Ana"), ("password", PASSWORD)];
    let done = browser.post("/realms/main/register/complete", &fields).await;
    let (app, cx, main) = (&server.app, server.system(), main!(server));
    let asked = EventQuery { kind: Some(EventType::UserCreated), limit: 9, ..EventQuery::default() };
    let created = events::list(app, &cx, cx.may(main).unwrap(), asked).await.unwrap().items;
    let created = created.into_iter().find(|event| event.details["username"] == ANA).unwrap();
    assert_eq!(created.details["how"], "registration");
    is_whole(&created, Some(CONSOLE_CLIENT));
    let ana: UserId = created.subject.id.parse().unwrap();
    for (kind, method) in [(EventType::UserPasswordChanged, "registration"), (EventType::UserEmailVerified, "link")] {
        let event = last(&server, ana, kind).await;
        assert_eq!(event.details["method"], method);
        is_whole(&event, Some(CONSOLE_CLIENT));
    }
    succeeded(&server, ana, &done, "password").await;

    // A forgotten password.
    let mut browser = guest(&server);
    let page = named(&mut browser, ANA).await;
    let flow = page.body.split("/forgot-password?flow=").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let page = browser.get(&format!("/realms/main/forgot-password?flow={flow}")).await;
    let fields = [("flow", &page.hidden("flow")[..]), ("identifier", ANA)];
    browser.post("/realms/main/forgot-password", &fields).await.is(StatusCode::OK);
    let event = last(&server, ana, EventType::UserForgotPassword).await;
    assert_eq!(event.details["method"], "mail");
    is_whole(&event, Some(CONSOLE_CLIENT));
    let path = server.link(ANA).await;
    let page = follow(&mut browser, &path).await;
    let event = last(&server, ana, EventType::UserResetLinkFollowed).await;
    assert_eq!((&event.details["type"], &event.details["asked_by"]), (&"password".into(), &"user".into()));
    is_whole(&event, Some(CONSOLE_CLIENT));
    let done = choose_password(&mut browser, &page, NEW).await;
    let event = last(&server, ana, EventType::UserPasswordResetCompleted).await;
    assert_eq!(event.details["method"], "link");
    is_whole(&event, Some(CONSOLE_CLIENT));
    succeeded(&server, ana, &done, "magic_link").await;
    // Every link of the kind is gone with that, and nothing is known of it any more.
    browser.get(&path).await.is(StatusCode::GONE);

    // What an agent asks for: followed, opened again, too late, and cancelled.
    let path = link(&server, ana, denizen_model::reset_requests::ResetKind::Otp, false).await;
    let asked = last(&server, ana, EventType::UserAuthenticatorResetRequested).await;
    assert_eq!((&asked.details["type"], &asked.details["deliver"]), (&"otp".into(), &"link".into()));
    follow(&mut browser, &path).await.is(StatusCode::OK);
    is_whole(&last(&server, ana, EventType::UserResetLinkFollowed).await, None);
    for (pass, reason) in [(1, "the link was used before"), (25 * 3600, "the link has expired")] {
        server.pass(Duration::from_secs(1));
        let path = if pass == 1 {
            path.clone()
        } else {
            link(&server, ana, denizen_model::reset_requests::ResetKind::Otp, false).await
        };
        server.pass(Duration::from_secs(pass));
        browser.get(&path).await.is(StatusCode::GONE);
        let event = last(&server, ana, EventType::UserResetLinkFollowed).await;
        assert_eq!((event.outcome, &event.details["reason"]), (Outcome::Failure, &reason.into()));
        assert_eq!((&event.details["type"], &event.details["asked_by"]), (&"otp".into(), &"administrator".into()));
        is_whole(&event, None);
    }
    let cx = server.system();
    let waiting = reset_requests::list(app, &cx, cx.may(main).unwrap(), ana).await.unwrap();
    assert!(finding(&findings(&server, ana).await, "resets-waiting").sentence.contains("has expired"));
    reset_requests::cancel(app, &cx, cx.may(main).unwrap(), ana, waiting[0].id).await.unwrap();
    let event = last(&server, ana, EventType::UserAuthenticatorResetCancelled).await;
    assert_eq!(event.details["type"], "otp");
}

/// What the server cannot do keeps people out as surely as a lock.
#[tokio::test]
async fn what_the_server_cannot_do_is_told_with_what_mends_it() {
    // At an address there are no passkeys.
    let server = Server::start_at("http://127.0.0.1:7000").await;
    let (app, cx, main) = (&server.app, server.system(), main!(server));
    let ana = server.person(ANA, "Ana", None).await;
    settings(&server, |settings| {
        settings.second_factor = denizen_model::realms::SecondFactor::Always;
        settings.second_factors = vec![AuthenticatorType::Passkey];
    })
    .await;
    let found = findings(&server, ana).await;
    let told = finding(&found, "passkey-not-made-here");
    assert_eq!((told.severity, told.fix), (Severity::Blocking, Some(Fix::ChangeSettings)));
    let mut browser = guest(&server);
    let page = named(&mut browser, ANA).await;
    let page = typed(&mut browser, &page, PASSWORD).await;
    page.is(StatusCode::OK).sees("Passkeys cannot be used at this address");
    assert!(!browser.cookies.contains_key("denizen_session"));

    // Somebody who has none of the ways that the realm allows.
    settings(&server, |settings| {
        settings.second_factor = denizen_model::realms::SecondFactor::Never;
        settings.sign_in_methods = vec![AuthenticatorType::SmsCode];
    })
    .await;
    let found = findings(&server, ana).await;
    let told = finding(&found, "no-usable-authenticator");
    assert_eq!((told.severity, told.fix), (Severity::Blocking, Some(Fix::ChangeSettings)));
    // A password that must be set by somebody who has none.
    settings(&server, |settings| settings.sign_in_methods = ALL_WAYS.to_vec()).await;
    let new = NewHuman { email: Some("bea@example.com".to_owned()), ..NewHuman::default() };
    let bea = users::create_human(app, &cx, cx.may(main).unwrap(), new, NewPassword::None).await.unwrap().user.id;
    let may = cx.may(main).unwrap();
    required_actions::set(app, &cx, may, bea, RequiredAction::UpdatePassword, true).await.unwrap();
    let found = findings(&server, bea).await;
    assert_eq!(finding(&found, "password-reset-required").severity, Severity::Step);
    finding(&found, "no-password");
}
