//! The console in a real browser: the paths an administrator takes.

use serde_json::{Value, json};
use thirtyfour::{By, Key};

use crate::{
    relying_parties::RelyingParty,
    support::{Browser, Database, OWNER_EMAIL, OWNER_PASSWORD, PASSWORD, Server},
};

pub(crate) async fn sign_in_to_console(browser: &Browser, server: &Server) {
    browser.open(&server.url("/admin/main/users")).await;
    browser.sign_in(OWNER_EMAIL, OWNER_PASSWORD).await;
    browser.comes_to("/admin/main/users").await;
    browser.find("h1").await;
}

/// The id of the user whose profile is open.
async fn open_user(browser: &Browser) -> String {
    let url = browser.url().await;
    let rest = url.split("/users/").nth(1).unwrap();
    rest.split(['/', '?', '#']).next().unwrap().to_owned()
}

on_both_engines! {
    /// Sign in, list, create, that person signs in to an application; disable, refused; enable, in again.
    async fn an_administrator_looks_after_a_person(database) {
        let mut server = Server::start(database).await;
        let Some(party) = RelyingParty::openid_client(&mut server).await else { return };
        let (Some(browser), Some(theirs)) = (Browser::start().await, Browser::start().await) else { return };
        sign_in_to_console(&browser, &server).await;
        browser.sees(OWNER_EMAIL).await;

        browser.find("[aria-label='Other ways to add users']").await.click().await.unwrap();
        browser.click("Create user").await;
        browser.fill("email", "zoë@example.com").await;
        browser.fill("given_name", "Zoë").await;
        browser.fill("family_name", "Nakamura").await;
        browser.find("input[name=password_mode][value=set]").await.click().await.unwrap();
        browser.fill("password", PASSWORD).await;
        browser.find("main form.form button[type=submit]").await.click().await.unwrap();
        browser.sees("Zoë Nakamura").await;
        browser.open(&server.url("/admin/main/users?q=nakamura")).await;
        browser.click("Zoë Nakamura").await;
        browser.comes_to("/users/").await;
        let user = open_user(&browser).await;

        theirs.open(&party.url("/login")).await;
        theirs.sign_in("zoë@example.com", PASSWORD).await;
        theirs.sees("zoë@example.com").await;
        assert_eq!(theirs.find("#user").await.text().await.unwrap(), "zoë@example.com");

        browser.click("Disable…").await;
        browser.find("dialog[open] form.confirm button[type=submit], main form.confirm button[type=submit]").await.click().await.unwrap();
        browser.find_named("Enable").await;
        theirs.open(&party.url("/login")).await;
        theirs.sign_in("zoë@example.com", PASSWORD).await;
        theirs.sees("do not match").await;

        browser.click("Enable").await;
        browser.find_named("Disable…").await;
        theirs.open(&party.url("/login")).await;
        theirs.sign_in("zoë@example.com", PASSWORD).await;
        theirs.find("#user").await;

        browser.is_content().await;
        // The refusal was a 422 page, which the browser notes as a failed load; nothing else.
        let complaints: Vec<String> = theirs.complaints().await.into_iter().filter(|text| !text.contains("422")).collect();
        assert!(complaints.is_empty(), "{complaints:#?}");
        let api = server.api();
        for kind in ["user.created", "user.sign-in.succeeded", "user.deactivated", "user.sign-in.failed", "user.reactivated"] {
            assert!(api.has_event(&user, kind).await, "{kind}");
        }
        browser.quit().await;
        theirs.quit().await;
        server.verify_audit();
    }
}

/// Hands stay on the keyboard.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_list_is_driven_by_the_keyboard() {
    let mut server = Server::start(Database::sqlite()).await;
    let api = server.api();
    for name in ["Ada", "Bela", "Chen"] {
        let body = json!({ "kind": "human", "email": format!("{name}@example.com"), "given_name": name, "family_name": "Keys" });
        api.post("/realms/main/users", &body).await.expect(201);
    }
    let Some(browser) = Browser::start().await else { return };
    sign_in_to_console(&browser, &server).await;

    // `/` goes to the search box; typing narrows the list without a new page.
    browser.evaluate("window.same = true").await;
    browser.press("/").await;
    let focused = browser.evaluate("return document.activeElement.name").await;
    assert_eq!(focused, "q");
    browser.press("bela").await;
    browser.comes_to("q=bela").await;
    browser.sees("Bela Keys").await;
    crate::support::eventually("the others are gone", || async { !browser.text().await.contains("Ada Keys") }).await;
    assert_eq!(browser.evaluate("return window.same").await, Value::Bool(true), "the page was not loaded again");

    // Escape leaves the box; `j` goes to the row and Enter opens it.
    browser.press(&Key::Escape.value().to_string()).await;
    browser.press("j").await;
    browser.find("[data-row][data-current]").await;
    browser.press(&Key::Enter.value().to_string()).await;
    browser.comes_to("/admin/main/users/").await;
    browser.sees("Bela Keys").await;

    // Ctrl K finds anybody from anywhere.
    browser.press_with_control('k').await;
    browser.find("dialog#palette[open]").await;
    browser.press("chen").await;
    crate::support::eventually("the palette has found Chen", || async {
        let found = browser.driver().find_all(By::Css("#palette .palette-item")).await.unwrap_or_default();
        let mut texts = Vec::new();
        for item in found {
            texts.push(item.text().await.unwrap_or_default());
        }
        texts.iter().any(|text| text.contains("Chen Keys")) && !texts.iter().any(|text| text.contains("Ada Keys"))
    })
    .await;
    browser.press(&Key::Enter.value().to_string()).await;
    browser.sees("Chen Keys").await;
    browser.press("?").await;
    browser.find("dialog#help[open]").await;
    browser.is_content().await;
    browser.quit().await;
}
