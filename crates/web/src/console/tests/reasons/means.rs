//! What the server cannot do keeps people out as surely as a lock.

use denizen_model::{
    UserId,
    authenticators::{AuthenticatorType, RequiredAction},
    realms::SecondFactor,
    users::{NewHuman, NewPassword, UserPatch, VerificationState},
};
use denizen_ops::{
    authenticators::state,
    diagnosis::{Finding, Fix, Severity},
    messages::{Mail, Sms},
    required_actions, users,
};
use http::StatusCode;

use super::{ALL_WAYS, ANA, finding, findings, guest, named, open_server, patch, typed};
use crate::console::tests::{
    resets::settings,
    support::{PASSWORD, Server},
    two_steps::second,
};

#[tokio::test]
async fn what_the_server_cannot_do_is_told_with_what_mends_it() {
    // At an address there are no passkeys.
    let server = Server::start_at("http://127.0.0.1:7000").await;
    let (app, cx, main) = (&server.app, server.system(), main!(server));
    let ana = server.person(ANA, "Ana", None).await;
    settings(&server, |settings| {
        settings.second_factor = SecondFactor::Always;
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
        settings.second_factor = SecondFactor::Never;
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

async fn without_mail_and_sms() -> Server {
    let server = Server::start_with("http://localhost:7000", Mail::None, Sms::None).await;
    settings(&server, |settings| settings.sign_in_methods = ALL_WAYS.to_vec()).await;
    server
}

/// They have a confirmed address and number.
async fn is_reachable(server: &Server, user: UserId) {
    let verified = Some(VerificationState::Verified);
    let change = UserPatch { phone: Some(Some("+4930123456".to_owned())), ..UserPatch::default() };
    patch(server, user, UserPatch { email_state: verified, phone_state: verified, ..change }).await;
}

#[tokio::test]
async fn ways_in_that_the_server_cannot_serve_are_told_unless_one_is_left() {
    use AuthenticatorType::{EmailCode, MagicLink, Password, SmsCode};
    let server = without_mail_and_sms().await;
    let ana = server.person(ANA, "Ana", None).await;
    is_reachable(&server, ana).await;
    let none = |found: &[Finding]| assert!(found.iter().all(|one| one.code != "no-way-served"), "{found:#?}");
    none(&findings(&server, ana).await);
    for (methods, lack) in [
        (vec![EmailCode, MagicLink], "no mail server is configured"),
        (vec![SmsCode], "no SMS gateway is configured"),
        (vec![EmailCode, SmsCode], "no mail server is configured"),
    ] {
        settings(&server, |settings| settings.sign_in_methods.clone_from(&methods)).await;
        let found = findings(&server, ana).await;
        let told = finding(&found, "no-way-served");
        assert_eq!((told.severity, told.fix), (Severity::Blocking, Some(Fix::ReadMessages)));
        assert!(told.sentence.starts_with("All they could sign in with does not work here"), "{}", told.sentence);
        assert!(told.sentence.contains(lack), "{}", told.sentence);
        // It is as it is told: there is nothing to send and nothing to type.
        let page = named(&mut guest(&server), ANA).await;
        page.lacks("name=\"password\"").lacks("name=\"method\"");
    }
    // One that is served is enough.
    settings(&server, |settings| settings.sign_in_methods = vec![EmailCode, Password]).await;
    none(&findings(&server, ana).await);
    let mut browser = guest(&server);
    let page = named(&mut browser, ANA).await;
    typed(&mut browser, &page, PASSWORD).await.is(StatusCode::SEE_OTHER);
    // Nor is it said where a server can do it.
    let able = open_server().await;
    let bea = able.person(ANA, "Bea", None).await;
    settings(&able, |settings| settings.sign_in_methods = vec![EmailCode]).await;
    none(&findings(&able, bea).await);
}

#[tokio::test]
async fn second_factors_that_the_server_cannot_serve_are_told_and_recovery_codes_help() {
    use AuthenticatorType::{EmailCode, SmsCode};
    let server = without_mail_and_sms().await;
    let ana = server.person(ANA, "Ana", None).await;
    is_reachable(&server, ana).await;
    for (factors, lack) in [
        (vec![EmailCode], "no mail server is configured"),
        (vec![SmsCode], "no SMS gateway is configured"),
        (vec![SmsCode, EmailCode], "no SMS gateway is configured"),
    ] {
        settings(&server, |settings| {
            settings.second_factor = SecondFactor::Always;
            settings.second_factors.clone_from(&factors);
        })
        .await;
        let found = findings(&server, ana).await;
        let told = finding(&found, "second-factor-not-served");
        assert_eq!((told.severity, told.fix), (Severity::Blocking, Some(Fix::IssueRecoveryCodes)));
        assert!(told.sentence.contains(lack), "{}", told.sentence);
        let mut browser = guest(&server);
        let page = named(&mut browser, ANA).await;
        typed(&mut browser, &page, PASSWORD).await;
        assert!(!browser.cookies.contains_key("denizen_session"));
    }
    // What it names as the mend is one.
    let (app, cx, main) = (&server.app, server.system(), main!(server));
    let codes = state::issue_recovery_codes(app, &cx, cx.may(main).unwrap(), ana).await.unwrap();
    let none =
        |found: &[Finding]| assert!(found.iter().all(|one| one.code != "second-factor-not-served"), "{found:#?}");
    none(&findings(&server, ana).await);
    let mut browser = guest(&server);
    let page = named(&mut browser, ANA).await;
    let page = typed(&mut browser, &page, PASSWORD).await;
    second(&mut browser, &page, "recovery_codes", codes[0].expose()).await.is(StatusCode::SEE_OTHER);
    assert!(browser.cookies.contains_key("denizen_session"));
    // Nobody else is told of what is not asked of them.
    let bea = server.person("bea@example.com", "Bea", None).await;
    is_reachable(&server, bea).await;
    finding(&findings(&server, bea).await, "second-factor-not-served");
    settings(&server, |settings| settings.second_factor = SecondFactor::Never).await;
    none(&findings(&server, bea).await);
}
