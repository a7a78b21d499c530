//! Codes and links that were sent.

use std::time::Duration;

use denizen_model::{authenticators::RequiredAction, clients::CONSOLE_CLIENT, events::EventType, users::UserPatch};
use denizen_ops::{
    diagnosis::{Fix, Severity},
    required_actions,
};
use http::StatusCode;

use super::{
    ANA, coded, failed, finding, findings, guest, has_email, is_whole, last, named, newest, open_server, patch, sent,
    succeeded, typed,
};
use crate::console::tests::{resets::follow, support::PASSWORD};

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
async fn too_many_codes_that_verify_an_address_are_told() {
    let server = open_server().await;
    let ana = server.person(ANA, "Ana", None).await;
    let (app, cx, main) = (&server.app, server.system(), main!(server));
    let may = cx.may(main).unwrap();
    required_actions::set(app, &cx, may, ana, RequiredAction::VerifyEmail, true).await.unwrap();
    let mut browser = guest(&server);
    let start = named(&mut browser, ANA).await;
    let page = typed(&mut browser, &start, PASSWORD).await;
    let flow = page.hidden("flow");
    let path = "/realms/main/sign-in/verify/verify_email/send";
    for _ in 0..6 {
        let found = findings(&server, ana).await;
        assert!(found.iter().all(|one| one.code != "enough-sent"), "{found:#?}");
        browser.post(path, &[("flow", &flow)]).await.is(StatusCode::OK);
    }
    // The last that goes there is told before anybody asks in vain.
    let full = findings(&server, ana).await;
    let told = finding(&full, "enough-sent");
    assert_eq!((told.severity, told.fix), (Severity::Information, Some(Fix::ReadMessages)));
    assert!(told.sentence.contains("(email code)"), "{}", told.sentence);
    browser.post(path, &[("flow", &flow)]).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    failed(&server, ana, "email_code", "too much was sent to this address already", Fix::ReadMessages).await;
    assert_eq!(server.mails(ANA).await.len(), 6);
    // An hour later they may ask again.
    server.pass(Duration::from_secs(3601));
    let found = findings(&server, ana).await;
    assert!(found.iter().all(|one| one.code != "enough-sent"), "{found:#?}");
    let mut browser = guest(&server);
    let start = named(&mut browser, ANA).await;
    let flow = typed(&mut browser, &start, PASSWORD).await.hidden("flow");
    browser.post(path, &[("flow", &flow)]).await.is(StatusCode::OK);
}
