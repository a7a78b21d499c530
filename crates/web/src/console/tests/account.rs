//! What people do with their own accounts, in the account pages.

mod authenticators;
mod contact;
mod deletion;
mod password;
mod profile;
mod step_up;

use std::time::Duration;

use denizen_model::{UserId, events::EventQuery, realms::RealmSettings};
use denizen_ops::{events, realms};
use http::StatusCode;

use super::support::{Browser, PASSWORD, Page, Server};

const ACCOUNT: &str = "/realms/main/account";
const ANA: &str = "ana@example.com";

/// An account page.
fn at(path: &str) -> String {
    format!("{ACCOUNT}{path}")
}

/// Somebody who has just signed in.
async fn at_home<'s>(server: &'s Server, email: &str) -> Browser<'s> {
    let mut browser = server.browser();
    browser.sign_in_for(ACCOUNT, "main", email).await.is(StatusCode::OK).sees("Sign out");
    browser
}

async fn is_signed_in(browser: &mut Browser<'_>) -> bool {
    let page = browser.get(ACCOUNT).await;
    page.is(StatusCode::OK);
    !page.body.contains("name=\"identifier\"")
}

/// Answers the sign-in pages of a new browser; answers what the password led to.
async fn try_to_sign_in(server: &Server, identifier: &str, password: &str) -> Page {
    let mut browser = server.browser();
    browser.address = [198, 51, 100, 99];
    let page = browser.open(ACCOUNT).await;
    let flow = page.hidden("flow");
    let page = browser.post("/realms/main/sign-in", &[("flow", &flow), ("identifier", identifier)]).await;
    let flow = page.hidden("flow");
    browser.post("/realms/main/sign-in/password", &[("flow", &flow), ("password", password)]).await
}

/// Changes the main realm's settings.
async fn settle(server: &Server, change: impl FnOnce(&mut RealmSettings)) {
    let cx = server.system();
    let main = server.app.main_realm().await.unwrap();
    let mut settings = main.realm.settings.clone();
    change(&mut settings);
    realms::update_settings(&server.app, &cx, cx.may(main.realm.id).unwrap(), None, settings, None).await.unwrap();
}

/// The types of the latest events about a user that they caused themselves, newest first, with their details.
async fn own_events(server: &Server, user: UserId) -> Vec<(String, serde_json::Map<String, serde_json::Value>)> {
    let cx = server.system();
    let main = server.app.main_realm().await.unwrap().realm.id;
    let id = Some(user.to_string());
    let asked = EventQuery { subject: id.clone(), actor: id, limit: 50, ..EventQuery::default() };
    let found = events::list(&server.app, &cx, cx.may(main).unwrap(), asked).await.unwrap();
    found.items.into_iter().map(|event| (event.kind.to_string(), event.details)).collect()
}

fn kinds(events: &[(String, serde_json::Map<String, serde_json::Value>)]) -> Vec<&str> {
    events.iter().map(|(kind, _)| kind.as_str()).collect()
}

/// So long that nobody counts as having just signed in.
const LONG: Duration = Duration::from_secs(15 * 60 + 1);

#[tokio::test]
async fn every_page_is_in_the_navigation_and_says_where_one_is() {
    let server = Server::start().await;
    server.person(ANA, "Ana", None).await;
    let mut ana = at_home(&server, ANA).await;
    for path in ["", "/password", "/authenticators", "/sessions", "/applications", "/activity"] {
        let page = ana.get(&at(path)).await;
        page.is(StatusCode::OK).sees("Sign out").sees(ANA);
        let here = format!("href=\"{}\" aria-current=\"page\"", at(path));
        assert_eq!(page.body.matches(&here).count(), 2, "{path}: {}", page.body);
        assert_eq!(page.body.matches("aria-current=\"page\"").count(), 2, "{path}");
        assert_eq!(page.body.matches("<h1").count(), 1, "{path}");
    }
    assert_eq!(try_to_sign_in(&server, ANA, PASSWORD).await.location(), ACCOUNT);
}
