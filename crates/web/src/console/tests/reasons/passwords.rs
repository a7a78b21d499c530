//! Passwords that do not let in.

use std::time::Duration;

use denizen_model::{
    authenticators::AuthenticatorType,
    clients::CONSOLE_CLIENT,
    events::{EventQuery, EventType},
    users::NewMachine,
};
use denizen_ops::{
    authenticators::{self, state},
    diagnosis::{Fix, Severity},
    events, users,
};
use http::StatusCode;

use super::{ALL_WAYS, ANA, failed, finding, findings, guest, is_whole, last, named, open_server, succeeded, typed};
use crate::console::tests::{resets::settings, support::PASSWORD};

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
