//! Registrations, and resets of people and of agents.

use std::time::Duration;

use denizen_model::{
    UserId,
    clients::CONSOLE_CLIENT,
    events::{EventQuery, EventType, Outcome},
    reset_requests::ResetKind,
};
use denizen_ops::{events, reset_requests};
use http::StatusCode;

use super::{ANA, NEW, finding, findings, guest, is_whole, last, named, open_server, succeeded};
use crate::console::tests::{
    resets::{choose_password, follow, link},
    support::PASSWORD,
};

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
    let path = link(&server, ana, ResetKind::Otp, false).await;
    let asked = last(&server, ana, EventType::UserAuthenticatorResetRequested).await;
    assert_eq!((&asked.details["type"], &asked.details["deliver"]), (&"otp".into(), &"link".into()));
    follow(&mut browser, &path).await.is(StatusCode::OK);
    is_whole(&last(&server, ana, EventType::UserResetLinkFollowed).await, None);
    for (pass, reason) in [(1, "the link was used before"), (25 * 3600, "the link has expired")] {
        server.pass(Duration::from_secs(1));
        let path = if pass == 1 { path.clone() } else { link(&server, ana, ResetKind::Otp, false).await };
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
