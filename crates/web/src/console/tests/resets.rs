//! Resets: what agents ask for, where the links lead, and what becomes of them.

use std::time::Duration;

use denizen_model::{
    UserId,
    events::EventQuery,
    permissions::AdminRole,
    realms::{RealmSettings, SecondFactor},
    reset_requests::ResetKind,
};
use denizen_ops::{
    events, realms,
    reset_requests::{self, Delivery, NewResetRequests},
};
use http::StatusCode;

use super::{
    support::{Browser, OWNER, PASSWORD, Page, Server},
    two_steps::{code, password, second, set_up},
};

const ANA: &str = "ana@example.com";
const NEW: &str = "another long horse battery";

/// Asks for a reset by hand-over; answers the path of the link.
pub(super) async fn link(server: &Server, user: UserId, kind: ResetKind, terminate_sessions: bool) -> String {
    let cx = server.system();
    let main = server.app.main_realm().await.unwrap().realm.id;
    let new = NewResetRequests { kinds: vec![kind], terminate_sessions, delivery: Delivery::Link };
    let issued = reset_requests::create(&server.app, &cx, cx.may(main).unwrap(), user, new).await.unwrap();
    let link = issued[0].link.clone().unwrap();
    link.expose().strip_prefix(server.app.public_url()).unwrap().to_owned()
}

/// What a person does with a link: looks at its page, and goes on.
pub(super) async fn follow(browser: &mut Browser<'_>, link: &str) -> Page {
    let page = browser.get(link).await;
    page.is(StatusCode::OK);
    let token = page.hidden("token");
    browser.post(link.split('?').next().unwrap(), &[("token", &token)]).await
}

pub(super) async fn choose_password(browser: &mut Browser<'_>, page: &Page, new: &str) -> Page {
    let flow = page.hidden("flow");
    let fields = [("flow", flow.as_str()), ("password", new), ("password_again", new)];
    browser.post("/realms/main/sign-in/update-password", &fields).await
}

pub(super) async fn settings(server: &Server, change: impl FnOnce(&mut RealmSettings)) {
    let cx = server.system();
    let realm = server.app.main_realm().await.unwrap();
    let mut settings = realm.realm.settings.clone();
    change(&mut settings);
    realms::update_settings(&server.app, &cx, cx.may(realm.realm.id).unwrap(), None, settings, None).await.unwrap();
}

/// The types of the latest events about a user, the newest first, and all of them as text.
async fn log(server: &Server, user: UserId) -> (Vec<&'static str>, String) {
    let cx = server.system();
    let main = server.app.main_realm().await.unwrap().realm.id;
    let query = EventQuery { subject: Some(user.to_string()), limit: 50, ..EventQuery::default() };
    let found = events::list(&server.app, &cx, cx.may(main).unwrap(), query).await.unwrap();
    let text = format!("{:?}", found.items);
    (found.items.iter().map(|event| event.kind.as_str()).collect(), text)
}

async fn waiting(server: &Server, user: UserId) -> usize {
    let cx = server.system();
    let main = server.app.main_realm().await.unwrap().realm.id;
    reset_requests::list(&server.app, &cx, cx.may(main).unwrap(), user).await.unwrap().len()
}

#[tokio::test]
async fn a_link_leads_to_a_new_password_once_and_looking_at_it_uses_nothing_up() {
    let server = Server::start().await;
    let ana = server.person(ANA, "Ana", None).await;
    let mut before = server.browser();
    password(&mut before, ANA, PASSWORD).await.is(StatusCode::SEE_OTHER);
    let link = link(&server, ana, ResetKind::Password, true).await;
    before.get("/realms/main/account").await.is(StatusCode::OK).sees("Sign in");

    let mut browser = server.browser();
    for _ in 0..3 {
        browser.get(&link).await.is(StatusCode::OK).sees("Choose a new password").sees(ANA);
    }
    let page = follow(&mut browser, &link).await;
    page.is(StatusCode::OK).sees("password_again");
    // Nobody is signed in by the link alone, nor by going round the page that it leads to.
    assert!(!browser.cookies.contains_key("denizen_session"));
    let flow = page.hidden("flow");
    browser.post("/realms/main/sign-in/continue", &[("flow", &flow)]).await.sees("password_again");
    choose_password(&mut browser, &page, PASSWORD).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    let done = choose_password(&mut browser, &page, NEW).await;
    done.is(StatusCode::SEE_OTHER);
    assert_eq!(done.location(), "/realms/main/account");
    browser.get("/realms/main/account").await.is(StatusCode::OK).sees("Ana");

    // It is used up, and says no more than any other that does not work.
    let mut other = server.browser();
    let gone = other.get(&link).await;
    gone.is(StatusCode::GONE).sees("This link no longer works");
    let token = link.split("token=").nth(1).unwrap().to_owned();
    let again = other.post("/realms/main/reset-password", &[("token", &token)]).await;
    again.is(StatusCode::GONE).sees("This link no longer works");
    password(&mut server.browser(), ANA, PASSWORD).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    password(&mut server.browser(), ANA, NEW).await.is(StatusCode::SEE_OTHER);
    assert_eq!(waiting(&server, ana).await, 0);
    let (kinds, text) = log(&server, ana).await;
    for kind in ["user.password.reset-requested", "user.reset-link.followed", "user.password.reset-completed"] {
        assert!(kinds.contains(&kind), "{kind} in {kinds:?}");
    }
    assert!(kinds.contains(&"user.session.revoked"), "{kinds:?}");
    assert!(text.contains("String(\"link\")") && !text.contains(&token), "{text}");
}

#[tokio::test]
async fn a_link_works_for_a_day_in_its_own_realm_for_its_own_purpose() {
    let server = Server::start().await;
    server.realm("other").await;
    let ana = server.person(ANA, "Ana", None).await;
    let first = link(&server, ana, ResetKind::Password, false).await;
    let mut browser = server.browser();
    for wrong in [
        first.replace("/main/", "/other/"),
        first.replace("reset-password", "reset-otp"),
        "/realms/main/reset-password?token=x".to_owned(),
        "/realms/main/reset-password".to_owned(),
    ] {
        browser.get(&wrong).await.is(StatusCode::GONE).sees("This link no longer works");
        let (path, token) = (wrong.split('?').next().unwrap(), wrong.split("token=").nth(1).unwrap_or(""));
        browser.post(path, &[("token", token)]).await.is(StatusCode::GONE).sees("This link no longer works");
    }
    // A newer one takes its place.
    let second = link(&server, ana, ResetKind::Password, false).await;
    browser.get(&first).await.is(StatusCode::GONE);
    browser.get(&second).await.is(StatusCode::OK);
    server.pass(Duration::from_secs(24 * 3600 + 1));
    browser.get(&second).await.is(StatusCode::GONE);
    // What it asked for waits all the same.
    assert_eq!(waiting(&server, ana).await, 1);
    password(&mut browser, ANA, PASSWORD).await.is(StatusCode::OK).sees("password_again");
    // Nor does it work for somebody who is disabled.
    let third = link(&server, ana, ResetKind::Password, false).await;
    let cx = server.system();
    let main = server.app.main_realm().await.unwrap().realm.id;
    denizen_ops::users::disable(&server.app, &cx, cx.may(main).unwrap(), ana, None).await.unwrap();
    browser.get(&third).await.is(StatusCode::GONE);
    let token = third.split("token=").nth(1).unwrap();
    browser.post("/realms/main/reset-password", &[("token", token)]).await.is(StatusCode::GONE);
    // The attempt used nothing up.
    denizen_ops::users::enable(&server.app, &cx, cx.may(main).unwrap(), ana).await.unwrap();
    browser.get(&third).await.is(StatusCode::OK);
    // Another site's page cannot follow it.
    let lines = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "cross-site")];
    let page = browser.send(http::Method::POST, "/realms/main/reset-password", &lines, format!("token={token}")).await;
    page.is(StatusCode::FORBIDDEN);
    browser.get(&third).await.is(StatusCode::OK);
}

#[tokio::test]
async fn of_two_who_follow_a_link_at_once_one_goes_on() {
    let server = Server::start().await;
    let ana = server.person(ANA, "Ana", None).await;
    let link = link(&server, ana, ResetKind::Password, false).await;
    let token = link.split("token=").nth(1).unwrap();
    let fields = [("token", token)];
    let (mut one, mut two, mut three) = (server.browser(), server.browser(), server.browser());
    let path = "/realms/main/reset-password";
    let all = tokio::join!(one.post(path, &fields), two.post(path, &fields), three.post(path, &fields));
    let mut found = [all.0.status.as_u16(), all.1.status.as_u16(), all.2.status.as_u16()];
    found.sort_unstable();
    assert_eq!(found, [200, 410, 410]);
}

#[tokio::test]
async fn sessions_that_are_kept_go_on_and_the_next_sign_in_asks() {
    let server = Server::start().await;
    let ana = server.person(ANA, "Ana", None).await;
    let mut browser = server.browser();
    password(&mut browser, ANA, PASSWORD).await.is(StatusCode::SEE_OTHER);
    let link = link(&server, ana, ResetKind::Password, false).await;
    browser.get("/realms/main/account").await.is(StatusCode::OK);
    // The old password leads to the change, which ends the link.
    let mut other = server.browser();
    let page = password(&mut other, ANA, PASSWORD).await;
    choose_password(&mut other, &page, NEW).await.is(StatusCode::SEE_OTHER);
    other.get(&link).await.is(StatusCode::GONE);
    assert_eq!(waiting(&server, ana).await, 0);
    let (_, text) = log(&server, ana).await;
    assert!(text.contains("String(\"sign-in\")") && text.contains("reset_request_id"), "{text}");
}

#[tokio::test]
async fn a_password_link_does_not_spare_the_second_factor() {
    let server = Server::start().await;
    let ana = server.person(ANA, "Ana", None).await;
    settings(&server, |settings| settings.second_factor = SecondFactor::Always).await;
    let mut browser = server.browser();
    let page = password(&mut browser, ANA, PASSWORD).await;
    let (secret, _) = set_up(&server, &mut browser, page).await;
    server.pass(Duration::from_secs(30));
    let link = link(&server, ana, ResetKind::Password, true).await;
    let mut browser = server.browser();
    let page = follow(&mut browser, &link).await;
    page.is(StatusCode::OK).sees("Enter the two-step code").lacks("password_again");
    let flow = page.hidden("flow");
    browser.post("/realms/main/sign-in/continue", &[("flow", &flow)]).await.sees("Enter the two-step code");
    choose_password(&mut browser, &page, NEW).await.sees("Enter the two-step code");
    let page = second(&mut browser, &page, "totp", &code(&server, &secret)).await;
    page.is(StatusCode::OK).sees("password_again");
    choose_password(&mut browser, &page, NEW).await.is(StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn the_second_step_is_set_up_again_after_the_password_and_the_old_app_stops_then() {
    let server = Server::start().await;
    let ana = server.person(ANA, "Ana", None).await;
    settings(&server, |settings| settings.second_factor = SecondFactor::Always).await;
    let mut browser = server.browser();
    let page = password(&mut browser, ANA, PASSWORD).await;
    let (old, old_codes) = set_up(&server, &mut browser, page).await;
    server.pass(Duration::from_secs(30));
    let first = link(&server, ana, ResetKind::Otp, true).await;

    // Whoever has only the link gets nowhere, and leaves the second step where it was.
    let mut thief = server.browser();
    let page = follow(&mut thief, &first).await;
    page.is(StatusCode::OK).sees("name=\"password\"").sees(ANA).lacks("<svg class=\"qr");
    let flow = page.hidden("flow");
    thief.post("/realms/main/sign-in/continue", &[("flow", &flow)]).await.is(StatusCode::BAD_REQUEST);
    let wrong = [("flow", flow.as_str()), ("password", "wrong horse battery")];
    thief.post("/realms/main/sign-in/password", &wrong).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    let mut other = server.browser();
    password(&mut other, ANA, PASSWORD).await.sees("Enter the two-step code");

    let again = link(&server, ana, ResetKind::Otp, true).await;
    let mut browser = server.browser();
    let page = follow(&mut browser, &again).await;
    let flow = page.hidden("flow");
    let right = [("flow", flow.as_str()), ("password", PASSWORD)];
    let page = browser.post("/realms/main/sign-in/password", &right).await;
    let (new, new_codes) = set_up(&server, &mut browser, page).await;
    assert!(new != old && new_codes != old_codes);
    assert_eq!(waiting(&server, ana).await, 0);
    server.pass(Duration::from_secs(30));
    for (method, wrong) in [("totp", code(&server, &old)), ("recovery_codes", old_codes[0].clone())] {
        let page = password(&mut other, ANA, PASSWORD).await;
        second(&mut other, &page, method, &wrong).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    }
    let page = password(&mut other, ANA, PASSWORD).await;
    second(&mut other, &page, "totp", &code(&server, &new)).await.is(StatusCode::SEE_OTHER);
    let (kinds, text) = log(&server, ana).await;
    for kind in ["user.authenticator.reset-requested", "user.authenticator.reset-completed", "user.reset-link.followed"]
    {
        assert!(kinds.contains(&kind), "{kind} in {kinds:?}");
    }
    assert!(!text.contains(new_codes[0].as_str()), "codes are in no event");
}

#[tokio::test]
async fn who_lost_both_comes_in_by_the_second_steps_link_and_makes_both_anew() {
    let server = Server::start().await;
    let ana = server.person(ANA, "Ana", None).await;
    settings(&server, |settings| settings.second_factor = SecondFactor::Always).await;
    let mut browser = server.browser();
    let page = password(&mut browser, ANA, PASSWORD).await;
    set_up(&server, &mut browser, page).await;
    server.pass(Duration::from_secs(30));
    link(&server, ana, ResetKind::Password, true).await;
    let link = link(&server, ana, ResetKind::Otp, true).await;
    let mut browser = server.browser();
    let page = follow(&mut browser, &link).await;
    page.is(StatusCode::OK).sees("password_again");
    let page = choose_password(&mut browser, &page, NEW).await;
    set_up(&server, &mut browser, page).await;
    browser.get("/realms/main/account").await.is(StatusCode::OK);
    assert_eq!(waiting(&server, ana).await, 0);
}

#[tokio::test]
async fn what_is_cancelled_leads_nowhere_even_half_way() {
    let server = Server::start().await;
    let ana = server.person(ANA, "Ana", None).await;
    let link = link(&server, ana, ResetKind::Password, false).await;
    let mut browser = server.browser();
    let page = follow(&mut browser, &link).await;
    page.is(StatusCode::OK).sees("password_again");
    let cx = server.system();
    let main = server.app.main_realm().await.unwrap().realm.id;
    let id = reset_requests::list(&server.app, &cx, cx.may(main).unwrap(), ana).await.unwrap()[0].id;
    reset_requests::cancel(&server.app, &cx, cx.may(main).unwrap(), ana, id).await.unwrap();
    choose_password(&mut browser, &page, NEW).await.is(StatusCode::BAD_REQUEST).sees("no longer valid");
    let flow = page.hidden("flow");
    browser.post("/realms/main/sign-in/continue", &[("flow", &flow)]).await.is(StatusCode::BAD_REQUEST);
    password(&mut browser, ANA, PASSWORD).await.is(StatusCode::SEE_OTHER);
    reset_requests::cancel(&server.app, &cx, cx.may(main).unwrap(), ana, id).await.unwrap_err();
    let (kinds, _) = log(&server, ana).await;
    assert!(kinds.contains(&"user.password.reset-cancelled"), "{kinds:?}");
}

#[tokio::test]
async fn an_agent_sends_resets_sees_them_wait_and_cancels_one() {
    let server = Server::start().await;
    let ana = server.person(ANA, "Ana", None).await;
    let mut agent = server.signed_in(OWNER).await;
    let user = format!("/admin/main/users/{ana}");
    let tab = format!("{user}/authenticators");
    agent.get(&tab).await.sees("Send reset…").sees(&format!("{user}/send-reset?which=password")).sees("Add phone…");
    // Nobody is known to read that address.
    let dialog = agent.get(&format!("{user}/send-reset?which=password")).await;
    dialog.sees("Their email ana@example.com is not verified.").sees("Terminate all active sessions");
    assert_eq!(dialog.body.matches("name=\"deliver\"").count(), 1, "only the link is offered");
    assert_eq!(dialog.body.matches(" checked").count(), 3, "{}", dialog.body);
    let by_mail = [("which", "password"), ("deliver", "mail"), ("terminate_sessions", "true")];
    let refused = agent.post(&format!("{user}/send-reset"), &by_mail).await;
    refused.is(StatusCode::UNPROCESSABLE_ENTITY).sees("not verified. Hand a link over instead.");
    agent.post(&format!("{user}/email/verify"), &[]).await.is(StatusCode::SEE_OTHER);
    agent.post(&format!("{user}/send-reset"), &[("deliver", "mail")]).await.sees("Choose at least one.");

    let both = [("which", "password"), ("which", "otp"), ("deliver", "mail"), ("terminate_sessions", "true")];
    let tab = agent.submit(&format!("{user}/send-reset"), &both).await;
    tab.sees("The mails are on their way").sees("Mail waits").sees("Asked for").sees("by Olga Owner");
    assert_eq!(server.mails(ANA).await.len(), 2);
    let tab = agent.get(&format!("{user}/authenticators")).await;
    tab.sees("Mail sent").sees("Update password").sees("Set up an authenticator app");
    let cancel = tab.body.split("/reset-requests/").nth(1).unwrap().split('/').next().unwrap().to_owned();
    let path = format!("{user}/reset-requests/{cancel}/cancel");
    agent.submit(&path, &[]).await.sees("It is cancelled").lacks("Update password</p>");
    agent.submit(&path, &[]).await.is(StatusCode::NOT_FOUND);
    agent.get(&format!("{user}/diagnosis")).await.sees("A reset waits").sees("Send reset…");
    agent.get(&format!("{user}/activity")).await.sees("Required a password reset");

    let link = [("which", "otp"), ("deliver", "link")];
    let page = agent.post(&format!("{user}/send-reset"), &link).await;
    page.is(StatusCode::OK).sees("A reset link for Ana").sees("/realms/main/reset-otp?token=").sees("shown this once");
    let tab = agent.get(&format!("{user}/authenticators")).await;
    tab.sees("Link handed over").lacks("reset-otp?token=");
}

#[tokio::test]
async fn resets_in_the_console_are_for_those_who_may() {
    let server = Server::start().await;
    let ana = server.person(ANA, "Ana", None).await;
    server.person("ada@example.com", "Ada", Some(AdminRole::Auditor)).await;
    let mut auditor = server.signed_in("ada@example.com").await;
    let user = format!("/admin/main/users/{ana}");
    auditor.get(&format!("{user}/authenticators")).await.lacks("Send reset").lacks("Add phone");
    for path in ["send-reset", "add-phone"] {
        auditor.get(&format!("{user}/{path}")).await.is(StatusCode::FORBIDDEN);
        let fields = [("which", "password"), ("deliver", "link"), ("phone", "+4930123456"), ("state", "verified")];
        auditor.post(&format!("{user}/{path}"), &fields).await.is(StatusCode::FORBIDDEN);
    }
    link(&server, ana, ResetKind::Password, false).await;
    let cx = server.system();
    let main = server.app.main_realm().await.unwrap().realm.id;
    let id = reset_requests::list(&server.app, &cx, cx.may(main).unwrap(), ana).await.unwrap()[0].id;
    auditor.post(&format!("{user}/reset-requests/{id}/cancel"), &[]).await.is(StatusCode::FORBIDDEN);
    assert_eq!(waiting(&server, ana).await, 1);
}

#[tokio::test]
async fn an_agent_adds_an_email_and_a_phone_number_to_who_has_none() {
    let server = Server::start().await;
    let cx = server.system();
    let main = server.app.main_realm().await.unwrap().realm.id;
    let bob = server.person("bob@example.org", "Bob", None).await;
    let patch = denizen_model::users::UserPatch { email: Some(None), ..Default::default() };
    denizen_ops::users::update(&server.app, &cx, cx.may(main).unwrap(), bob, patch, None).await.unwrap();
    let mut agent = server.signed_in(OWNER).await;
    let user = format!("/admin/main/users/{bob}");
    agent.get(&format!("{user}/authenticators")).await.sees("Add email…").sees("Add phone…");
    agent.get(&format!("{user}/add-email")).await.sees("Send a verification mail").sees("Add an email for Bob");
    for (path, field, wrong) in [("add-email", "email", "nonsense"), ("add-phone", "phone", "12")] {
        let fields = [(field, wrong), ("state", "verified")];
        agent.post(&format!("{user}/{path}"), &fields).await.is(StatusCode::UNPROCESSABLE_ENTITY).sees(wrong);
        let empty = agent.post(&format!("{user}/{path}"), &[("state", "verified")]).await;
        empty.is(StatusCode::UNPROCESSABLE_ENTITY).sees("Enter one.");
        let stateless = [(field, "x"), ("state", "sure")];
        agent.post(&format!("{user}/{path}"), &stateless).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    }
    let email = [("email", "bob@example.com"), ("state", "verification_requested")];
    agent.submit(&format!("{user}/add-email"), &email).await.sees("The email is added.").lacks("Add email…");
    assert_eq!(server.mails("bob@example.com").await.len(), 1);
    let phone = [("phone", "+4930123456"), ("state", "verified")];
    agent.submit(&format!("{user}/add-phone"), &phone).await.sees("The phone number is added.").lacks("Add phone…");
    agent.post(&format!("{user}/add-phone"), &phone).await.sees("They have a phone number already.");
}

#[tokio::test]
async fn a_lock_is_told_by_mail_once_and_to_a_verified_address_alone() {
    let server = Server::start().await;
    let ana = server.person(ANA, "Ana", None).await;
    let lock = async || {
        for _ in 0..15 {
            password(&mut server.browser(), ANA, "not the right one").await;
        }
    };
    lock().await;
    assert!(server.mails(ANA).await.is_empty());
    let mut agent = server.signed_in(OWNER).await;
    agent.post(&format!("/admin/main/users/{ana}/email/verify"), &[]).await.is(StatusCode::SEE_OTHER);
    agent.post(&format!("/admin/main/users/{ana}/unlock"), &[]).await.is(StatusCode::SEE_OTHER);
    server.pass(Duration::from_secs(3600));
    lock().await;
    let mails = server.mails(ANA).await;
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert!(mails[0].contains("locked"), "{}", mails[0]);
    password(&mut server.browser(), "nobody@example.com", "not the right one").await;
}

#[tokio::test]
async fn a_passkeys_link_asks_for_the_password_first_and_then_for_a_passkey() {
    let server = Server::start().await;
    let ana = server.person(ANA, "Ana", None).await;
    let first = link(&server, ana, ResetKind::Passkey, true).await;
    let mut browser = server.browser();
    let page = follow(&mut browser, &first).await;
    page.is(StatusCode::OK).sees("name=\"password\"").sees(ANA);
    let flow = page.hidden("flow");
    let right = [("flow", flow.as_str()), ("password", PASSWORD)];
    let page = browser.post("/realms/main/sign-in/password", &right).await;
    page.is(StatusCode::OK).sees("passkey");
    assert!(!browser.cookies.contains_key("denizen_session"), "not before it is made");
    let flow = page.hidden("flow");
    browser.post("/realms/main/sign-in/continue", &[("flow", &flow)]).await.sees("passkey");
    assert!(!browser.cookies.contains_key("denizen_session"), "nor by going round it");
    assert_eq!(waiting(&server, ana).await, 1);
}
