//! Locks of users, and of addresses.

use std::time::Duration;

use denizen_model::{
    authenticators::AuthenticatorType,
    clients::CONSOLE_CLIENT,
    events::{EventQuery, EventType},
};
use denizen_ops::{
    authenticators::{self, state},
    diagnosis::{Fix, Severity},
    events, lockouts, users,
};
use http::StatusCode;

use super::{
    ANA, IP, coded, failed, finding, findings, guest, is_whole, last, named, newest, open_server, sent, succeeded,
    typed,
};
use crate::console::tests::{resets::settings, support::PASSWORD};

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
