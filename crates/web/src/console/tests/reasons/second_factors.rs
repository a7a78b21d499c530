//! Second factors.

use std::time::Duration;

use denizen_model::{
    authenticators::RequiredAction,
    clients::CONSOLE_CLIENT,
    events::{EventQuery, EventType, Outcome},
};
use denizen_ops::{diagnosis::Fix, events, required_actions};
use http::StatusCode;

use super::{ANA, failed, guest, is_whole, last, named, open_server, succeeded, typed};
use crate::console::tests::{
    support::PASSWORD,
    two_steps::{code as app_code, second, set_up},
};

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
