//! Links that no longer work: whoever opens one again and again guesses nothing, whoever makes links up does.

use std::time::Duration;

use denizen_model::{
    UserId,
    authenticators::AuthenticatorType,
    events::{EventQuery, EventType, Outcome},
    reset_requests::ResetKind,
};
use denizen_ops::events;
use http::StatusCode;

use super::{
    resets::{choose_password, follow, link, settings},
    support::{PASSWORD, Server},
    two_steps::password,
};

const ANA: &str = "ana@example.com";
const NEW: &str = "another long horse battery";
/// More than what may fail from one address.
const MANY: usize = 150;

/// How often something failed for somebody.
async fn failures(server: &Server, user: UserId, kind: EventType) -> usize {
    let cx = server.system();
    let main = server.app.main_realm().await.unwrap().realm.id;
    let query = EventQuery { subject: Some(user.to_string()), kind: Some(kind), limit: 200, ..EventQuery::default() };
    let found = events::list(&server.app, &cx, cx.may(main).unwrap(), query).await.unwrap();
    found.items.iter().filter(|event| event.outcome == Outcome::Failure).count()
}

/// A text that looks like the secret of a link and is none.
fn made_up(number: usize) -> String {
    format!("{number:0>43}")
}

#[tokio::test]
async fn a_scanner_that_opens_used_links_again_and_again_keeps_nobody_out() {
    let server = Server::start().await;
    settings(&server, |settings| {
        settings.sign_in_methods = vec![AuthenticatorType::Password, AuthenticatorType::MagicLink];
    })
    .await;
    let ana = server.person(ANA, "Ana", None).await;
    // One of each: used and known, followed to its end and forgotten with that, and one that signed in.
    let known = link(&server, ana, ResetKind::Otp, false).await;
    follow(&mut server.browser(), &known).await.is(StatusCode::OK);
    let forgotten = link(&server, ana, ResetKind::Password, false).await;
    let mut browser = server.browser();
    let page = follow(&mut browser, &forgotten).await;
    choose_password(&mut browser, &page, NEW).await;
    let mut browser = server.browser();
    let flow = browser.open("/realms/main/account").await.hidden("flow");
    let page = browser.post("/realms/main/sign-in", &[("flow", &flow), ("identifier", ANA)]).await;
    let flow = page.hidden("flow");
    browser.post("/realms/main/sign-in/send", &[("flow", &flow), ("method", "magic_link")]).await;
    let magic = server.link(ANA).await;
    follow(&mut browser, &magic).await.is(StatusCode::OK).sees("Set up two-step sign-in");

    let mut scanner = server.browser();
    for path in [&known, &forgotten, &magic] {
        let (page, token) = path.split_once("?token=").unwrap();
        for _ in 0..MANY {
            scanner.get(path).await.is(StatusCode::GONE).sees("This link no longer works");
        }
        scanner.post(page, &[("token", token)]).await.is(StatusCode::GONE);
    }
    // Each is told once, of those that something is known of; and people behind the same address come in.
    assert_eq!(failures(&server, ana, EventType::UserResetLinkFollowed).await, 1);
    assert_eq!(failures(&server, ana, EventType::UserSignInFailed).await, 1);
    password(&mut server.browser(), ANA, PASSWORD).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    let done = password(&mut server.browser(), ANA, NEW).await;
    assert!(done.status != StatusCode::TOO_MANY_REQUESTS && !done.body.contains("name=\"password\""), "{}", done.body);
    // From elsewhere it is another story, as it is a day later.
    let mut elsewhere = server.browser();
    elsewhere.address = [198, 51, 100, 7];
    elsewhere.get(&known).await.is(StatusCode::GONE);
    assert_eq!(failures(&server, ana, EventType::UserResetLinkFollowed).await, 2);
    server.pass(Duration::from_secs(24 * 3600));
    for _ in 0..3 {
        scanner.get(&known).await.is(StatusCode::GONE);
    }
    assert_eq!(failures(&server, ana, EventType::UserResetLinkFollowed).await, 3);
}

#[tokio::test]
async fn an_attacker_who_makes_links_up_is_held() {
    for path in ["/realms/main/reset-password", "/realms/main/reset-otp", "/realms/main/sign-in/link"] {
        for looks_like_one in [true, false] {
            let server = Server::start().await;
            settings(&server, |settings| {
                settings.sign_in_methods = vec![AuthenticatorType::Password, AuthenticatorType::MagicLink];
            })
            .await;
            let ana = server.person(ANA, "Ana", None).await;
            let good = link(&server, ana, ResetKind::Password, false).await;
            let mut attacker = server.browser();
            for number in 0..MANY {
                // What is no link at all counts each time, whether it is the same or another.
                let token = if looks_like_one { made_up(number) } else { "nonsense".to_owned() };
                attacker.get(&format!("{path}?token={token}")).await.is(StatusCode::GONE);
            }
            password(&mut attacker, ANA, PASSWORD).await.is(StatusCode::TOO_MANY_REQUESTS);
            // It is the address that is held and not the user; and whoever has a link may still follow it.
            let mut elsewhere = server.browser();
            elsewhere.address = [198, 51, 100, 7];
            elsewhere.get(&good).await.is(StatusCode::OK);
            attacker.get(&good).await.is(StatusCode::OK);
            server.pass(Duration::from_secs(600));
            attacker.get(&format!("{path}?token={}", made_up(MANY))).await.is(StatusCode::GONE);
            let page = password(&mut attacker, ANA, "a wrong one").await;
            page.is(StatusCode::UNPROCESSABLE_ENTITY);
        }
    }
}
