//! What is required of people's own records at their next sign-in: addresses to confirm, a profile to complete.

use std::time::Duration;

use denizen_model::{
    UserId,
    attribute_definitions::AttributeSpec,
    events::{EventQuery, EventType},
    users::{UserPatch, VerificationState},
};
use denizen_ops::{attribute_definitions, events, users};
use http::StatusCode;
use serde_json::json;

use super::{
    support::{Browser, OWNER, PASSWORD, Page, Server},
    two_steps::password,
};

const ANA: &str = "ana@example.com";
const PHONE: &str = "+4930123456";

async fn require(server: &Server, id: UserId, action: &str) -> Page {
    let mut agent = server.signed_in(OWNER).await;
    agent.submit(&format!("/admin/main/users/{id}/require-action"), &[("action", action)]).await
}

async fn waiting(server: &Server, id: UserId) -> Page {
    server.signed_in(OWNER).await.get(&format!("/admin/main/users/{id}/authenticators")).await
}

async fn patch(server: &Server, id: UserId, patch: UserPatch) {
    let cx = server.system();
    let main = server.app.main_realm().await.unwrap().realm.id;
    users::update(&server.app, &cx, cx.may(main).unwrap(), id, patch, None).await.unwrap();
}

async fn count(server: &Server, id: UserId, kind: EventType) -> usize {
    let cx = server.system();
    let main = server.app.main_realm().await.unwrap().realm.id;
    let asked = EventQuery { subject: Some(id.to_string()), kind: Some(kind), limit: 50, ..EventQuery::default() };
    events::list(&server.app, &cx, cx.may(main).unwrap(), asked).await.unwrap().items.len()
}

/// The newest code that went to an address.
async fn code(server: &Server, address: &str) -> String {
    let texts = server.mails(address).await;
    let text = texts.first().unwrap_or_else(|| panic!("nothing to {address}"));
    let words = text.split(|c: char| !c.is_ascii_digit());
    words.filter(|word| word.len() == 6).map(str::to_owned).next().unwrap_or_else(|| panic!("no code in {text}"))
}

/// A code that is not this one.
fn other_than(code: &str) -> String {
    code.chars().map(|c| if c == '9' { '0' } else { '9' }).collect()
}

async fn send(browser: &mut Browser<'_>, page: &Page, action: &str) -> Page {
    let flow = page.hidden("flow");
    browser.post(&format!("/realms/main/sign-in/verify/{action}/send"), &[("flow", &flow)]).await
}

async fn confirm(browser: &mut Browser<'_>, page: &Page, action: &str, code: &str) -> Page {
    let flow = page.hidden("flow");
    browser.post(&format!("/realms/main/sign-in/verify/{action}"), &[("flow", &flow), ("code", code)]).await
}

#[tokio::test]
async fn an_email_is_confirmed_by_the_code_that_is_sent_there() {
    let server = Server::start().await;
    let ana = server.person(ANA, "Ana", None).await;
    require(&server, ana, "verify_email").await.sees("It is asked for at the next sign-in.").sees("Verify the email");
    let mut agent = server.signed_in(OWNER).await;
    agent.get(&format!("/admin/main/users/{ana}/diagnosis")).await.sees("verify the email");
    let mut browser = server.browser();
    let page = password(&mut browser, ANA, PASSWORD).await;
    page.is(StatusCode::OK).sees("Verify your email").sees("a•••@example.com").lacks("name=\"code\"");
    page.lacks("denizen_session");
    assert!(server.mails(ANA).await.is_empty(), "nothing goes before it is asked for");
    // Without a code that was asked for there is none that is right, and there is no way past the page.
    confirm(&mut browser, &page, "verify_email", "123456")
        .await
        .is(StatusCode::UNPROCESSABLE_ENTITY)
        .sees("Ask for a code");
    let flow = page.hidden("flow");
    browser.post("/realms/main/sign-in/continue", &[("flow", &flow)]).await.sees("Verify your email");
    assert!(!browser.cookies.contains_key("denizen_session"));

    let sent = send(&mut browser, &page, "verify_email").await;
    sent.is(StatusCode::OK).sees("name=\"code\"").sees("Send another code");
    let right = code(&server, ANA).await;
    sent.lacks(&right);
    confirm(&mut browser, &sent, "verify_email", "").await.is(StatusCode::UNPROCESSABLE_ENTITY).sees("Enter the code.");
    let wrong = confirm(&mut browser, &sent, "verify_email", &other_than(&right)).await;
    wrong.is(StatusCode::UNPROCESSABLE_ENTITY).sees("That code is not right");
    assert_eq!(count(&server, ana, EventType::UserSignInFailed).await, 1);
    // In another browser's page it is worth nothing.
    let mut other = server.browser();
    let page = password(&mut other, ANA, PASSWORD).await;
    confirm(&mut other, &page, "verify_email", &right).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    let theirs = send(&mut other, &page, "verify_email").await;
    if code(&server, ANA).await != right {
        confirm(&mut other, &theirs, "verify_email", &right).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    }
    // However it is typed.
    let typed = format!("{} {}", &right[..3], &right[3..]);
    confirm(&mut browser, &wrong, "verify_email", &typed).await.is(StatusCode::SEE_OTHER);
    assert_eq!(count(&server, ana, EventType::UserEmailVerified).await, 1);
    waiting(&server, ana).await.sees("Nothing is required.");
    require(&server, ana, "verify_email").await.sees("There is nothing left to do.");
    let events = agent.get(&format!("/admin/main/users/{ana}/activity")).await;
    events.sees("Verified the email").lacks(&right);

    // Used once: not after it is required anew.
    let back = UserPatch { email_state: Some(VerificationState::Unverified), ..UserPatch::default() };
    patch(&server, ana, back).await;
    require(&server, ana, "verify_email").await;
    confirm(&mut browser, &wrong, "verify_email", &right).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(count(&server, ana, EventType::UserEmailVerified).await, 1);
}

#[tokio::test]
async fn a_code_dies_with_its_time_its_address_and_too_many_failures() {
    let server = Server::start().await;
    let ana = server.person(ANA, "Ana", None).await;
    require(&server, ana, "verify_email").await;
    let mut browser = server.browser();
    let page = password(&mut browser, ANA, PASSWORD).await;
    let sent = send(&mut browser, &page, "verify_email").await;
    let late = code(&server, ANA).await;
    server.pass(Duration::from_secs(601));
    confirm(&mut browser, &sent, "verify_email", &late).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    // What was read at one address does not confirm another.
    let sent = send(&mut browser, &sent, "verify_email").await;
    let old = code(&server, ANA).await;
    let new = UserPatch { email: Some(Some("new@example.com".to_owned())), ..UserPatch::default() };
    patch(&server, ana, new).await;
    confirm(&mut browser, &sent, "verify_email", &old).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(count(&server, ana, EventType::UserEmailVerified).await, 0);
    // Too many wrong ones hold the right one, too.
    let sent = send(&mut browser, &sent, "verify_email").await;
    sent.sees("n•••@example.com");
    let right = code(&server, "new@example.com").await;
    let wrong = other_than(&right);
    let mut last = confirm(&mut browser, &sent, "verify_email", &wrong).await;
    for _ in 0..20 {
        if last.status == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
        last = confirm(&mut browser, &sent, "verify_email", &wrong).await;
    }
    last.is(StatusCode::TOO_MANY_REQUESTS);
    confirm(&mut browser, &sent, "verify_email", &right).await.is(StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(count(&server, ana, EventType::UserEmailVerified).await, 0);
}

#[tokio::test]
async fn at_most_six_codes_an_hour_go_to_one_address() {
    let server = Server::start().await;
    let ana = server.person(ANA, "Ana", None).await;
    require(&server, ana, "verify_email").await;
    let mut browser = server.browser();
    let page = password(&mut browser, ANA, PASSWORD).await;
    for _ in 0..6 {
        send(&mut browser, &page, "verify_email").await.is(StatusCode::OK);
    }
    let refused = send(&mut browser, &page, "verify_email").await;
    refused.is(StatusCode::UNPROCESSABLE_ENTITY).sees("Too many codes were sent there.");
    assert_eq!(server.mails(ANA).await.len(), 6);
}

#[tokio::test]
async fn what_is_verified_in_another_way_or_is_not_there_is_not_asked_for() {
    let server = Server::start().await;
    let ana = server.person(ANA, "Ana", None).await;
    require(&server, ana, "verify_email").await;
    let verified = UserPatch { email_state: Some(VerificationState::Verified), ..UserPatch::default() };
    patch(&server, ana, verified).await;
    waiting(&server, ana).await.sees("Nothing is required.");
    // No number: it waits until there is one.
    require(&server, ana, "verify_phone").await.sees("Verify the phone number");
    let mut agent = server.signed_in(OWNER).await;
    agent.get(&format!("/admin/main/users/{ana}/diagnosis")).await.lacks("verify the phone number");
    password(&mut server.browser(), ANA, PASSWORD).await.is(StatusCode::SEE_OTHER);
    patch(&server, ana, UserPatch { phone: Some(Some(PHONE.to_owned())), ..UserPatch::default() }).await;
    let mut browser = server.browser();
    let page = password(&mut browser, ANA, PASSWORD).await;
    page.is(StatusCode::OK).sees("Verify your phone number").sees("•••56").lacks(PHONE);
    let sent = send(&mut browser, &page, "verify_phone").await;
    let right = code(&server, PHONE).await;
    // A code for one address confirms no other.
    confirm(&mut browser, &sent, "verify_email", &right).await.sees("Verify your phone number");
    confirm(&mut browser, &sent, "verify_phone", &right).await.is(StatusCode::SEE_OTHER);
    assert_eq!(count(&server, ana, EventType::UserPhoneVerified).await, 1);
    waiting(&server, ana).await.sees("Nothing is required.");
}

async fn define(server: &Server, key: &str, spec: serde_json::Value) {
    let cx = server.system();
    let main = server.app.main_realm().await.unwrap().realm.id;
    let spec: AttributeSpec = serde_json::from_value(spec).unwrap();
    attribute_definitions::create(&server.app, &cx, cx.may(main).unwrap(), key, spec).await.unwrap();
}

async fn complete(browser: &mut Browser<'_>, page: &Page, fields: &[(&str, &str)]) -> Page {
    let (flow, version) = (page.hidden("flow"), page.hidden("version"));
    let mut all = vec![("flow", flow.as_str()), ("version", version.as_str())];
    all.extend(fields);
    browser.post("/realms/main/sign-in/complete-profile", &all).await
}

#[tokio::test]
async fn what_is_missing_in_a_profile_is_asked_for_and_nothing_else() {
    let server = Server::start().await;
    let ana = server.person(ANA, "Ana", None).await;
    for (key, access) in [("team", "edit"), ("cost_centre", "view")] {
        define(&server, key, json!({"label": key, "type": "string", "required": true, "self_service": access})).await;
    }
    define(&server, "nick", json!({"label": "nick", "type": "string", "self_service": "edit"})).await;
    require(&server, ana, "complete_profile").await.sees("Complete the profile");
    let mut browser = server.browser();
    let page = password(&mut browser, ANA, PASSWORD).await;
    page.is(StatusCode::OK).sees("Complete your profile").sees("value=\"Ana\"").sees("name=\"attributes.team\"");
    page.lacks("attributes.cost_centre").lacks("attributes.nick");
    let refused =
        complete(&mut browser, &page, &[("given_name", "Ana"), ("family_name", " "), ("attributes.team", "")]).await;
    refused.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.body.matches("Fill this in.").count(), 2, "{}", refused.body);
    let flow = page.hidden("flow");
    browser.post("/realms/main/sign-in/continue", &[("flow", &flow)]).await.sees("Complete your profile");
    // Somebody else changed the record meanwhile: nothing is lost.
    patch(&server, ana, UserPatch { reference: Some(Some("r1".to_owned())), ..UserPatch::default() }).await;
    let all =
        [("given_name", "Ana"), ("family_name", "Lima"), ("attributes.team", "Blue"), ("attributes.cost_centre", "9")];
    let refused = complete(&mut browser, &page, &all).await;
    refused
        .is(StatusCode::UNPROCESSABLE_ENTITY)
        .sees("was changed elsewhere")
        .sees("value=\"Lima\"")
        .sees("value=\"Blue\"");
    complete(&mut browser, &refused, &all).await.is(StatusCode::SEE_OTHER);
    let cx = server.system();
    let main = server.app.main_realm().await.unwrap().realm.id;
    let user = users::get(&server.app, &cx, cx.may(main).unwrap(), ana).await.unwrap();
    assert_eq!((user.name.as_str(), user.attributes.len()), ("Ana Lima", 1));
    assert_eq!(user.attributes["team"], "Blue");
    waiting(&server, ana).await.sees("Nothing is required.");
    require(&server, ana, "complete_profile").await.sees("There is nothing left to do.");
}

#[tokio::test]
async fn they_are_asked_for_in_their_order_and_a_complete_profile_in_no_realm_but_its_own() {
    let server = Server::start().await;
    let ana = server.person(ANA, "Ana", None).await;
    server.realm("other").await;
    patch(&server, ana, UserPatch { phone: Some(Some(PHONE.to_owned())), ..UserPatch::default() }).await;
    for action in ["complete_profile", "verify_phone", "verify_email"] {
        require(&server, ana, action).await;
    }
    let mut browser = server.browser();
    let page = password(&mut browser, ANA, PASSWORD).await;
    page.sees("Verify your email");
    // The form of a later one does nothing yet, nor does one of another realm, nor one that is none.
    let flow = page.hidden("flow");
    browser.post("/realms/main/sign-in/verify/verify_phone/send", &[("flow", &flow)]).await.sees("Verify your email");
    assert!(server.mails(PHONE).await.is_empty());
    let elsewhere = browser.post("/realms/other/sign-in/verify/verify_email/send", &[("flow", &flow)]).await;
    elsewhere.is(StatusCode::BAD_REQUEST);
    browser.post("/realms/main/sign-in/verify/configure_otp/send", &[("flow", &flow)]).await.is(StatusCode::NOT_FOUND);
    browser.post("/realms/main/sign-in/verify/verify_email", &[("flow", "x")]).await.is(StatusCode::BAD_REQUEST);
    let sent = send(&mut browser, &page, "verify_email").await;
    let right = code(&server, ANA).await;
    let page = confirm(&mut browser, &sent, "verify_email", &right).await;
    page.sees("Verify your phone number").lacks("name=\"code\"");
    let sent = send(&mut browser, &page, "verify_phone").await;
    let right = code(&server, PHONE).await;
    let page = confirm(&mut browser, &sent, "verify_phone", &right).await;
    page.sees("Complete your profile");
    // It is done elsewhere, and so is not asked for any more.
    patch(&server, ana, UserPatch { family_name: Some(Some("Lima".to_owned())), ..UserPatch::default() }).await;
    let flow = page.hidden("flow");
    browser.post("/realms/main/sign-in/continue", &[("flow", &flow)]).await.is(StatusCode::SEE_OTHER);
    waiting(&server, ana).await.sees("Nothing is required.");
}
