//! The console in a real browser: the paths an administrator takes.

use std::path::PathBuf;

use serde_json::{Value, json};
use thirtyfour::{By, Key};

use crate::{
    relying_parties::RelyingParty,
    support::{Api, App, Browser, Database, NewApp, OWNER_EMAIL, OWNER_PASSWORD, PASSWORD, Server},
};

/// Where pictures of every page go, when somebody wants them.
fn album() -> Option<PathBuf> {
    std::env::var_os("SCREENSHOTS").map(PathBuf::from)
}

async fn sign_in_to_console(browser: &Browser, server: &Server) {
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

/// Every page opens without a complaint of the browser: no script error, nothing refused by the content policy,
/// no missing file, nothing wider than the window. With `SCREENSHOTS` set, each is saved there, at 1440 and 390
/// px, light and dark.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_opens_without_a_complaint() {
    let mut server = Server::start(Database::sqlite()).await;
    let api = server.api();
    let app = App::register(&api, &server.issuer("main"), NewApp::default()).await;
    let user = api.create_person("sample@example.com").await;
    let machine =
        api.post("/realms/main/users", &json!({ "kind": "machine", "name": "Nightly export" })).await.expect(201);
    let machine = machine.str("id");
    let role = api
        .post("/realms/main/roles", &json!({ "name": "editor", "description": "Edits." }))
        .await
        .expect(201)
        .str("id");
    api.put(&format!("/realms/main/users/{user}/roles/{role}"), &json!({})).await.succeed();
    let attributes = define_attributes(&api).await;
    let Some(browser) = Browser::start().await else { return };
    let Some(theirs) = Browser::start().await else { return };

    let attempt = app.begin();
    visit(&theirs, &attempt.url, "sign-in-identifier").await;
    theirs.fill("identifier", "sample@example.com").await;
    theirs.find("button[type=submit]").await.click().await.unwrap();
    theirs.find("input[name=password]").await;
    keep(&theirs, "sign-in-password").await;
    visit(&theirs, &server.url("/realms/main/account"), "account-signed-out").await;
    theirs.sign_in("sample@example.com", PASSWORD).await;
    theirs.comes_to("/realms/main/account").await;
    keep(&theirs, "account").await;
    visit(&theirs, &server.url("/realms/main/end-session"), "sign-out").await;
    theirs.click("Sign out").await;
    theirs.sees("signed out").await;
    keep(&theirs, "signed-out").await;
    for (url, name) in [
        (attempt.with("client_id", Some("unknown")), "error-unknown-client"),
        (attempt.with("redirect_uri", Some("https://elsewhere.example/")), "error-redirect"),
        (server.url("/realms/nowhere/account"), "error-no-realm"),
    ] {
        theirs.open(&url).await;
        keep(&theirs, name).await;
    }
    // Error pages answer with an error status, which the browser notes.
    let complaints: Vec<String> =
        theirs.complaints().await.into_iter().filter(|text| !text.contains("Failed to load resource")).collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
    theirs.quit().await;

    sign_in_to_console(&browser, &server).await;
    let events = api.get("/realms/main/events?limit=1").await.expect(200).json();
    let event = events["items"][0]["id"].as_str().unwrap().to_owned();
    let client = &app.row;
    for (path, name) in [
        ("users".to_owned(), "users"),
        ("users?q=nobody-is-called-this".to_owned(), "users-no-match"),
        ("users?q=sample&status=active&kind=human".to_owned(), "users-filtered"),
        ("users/new".to_owned(), "users-new"),
        ("users/new-machine".to_owned(), "users-new-machine"),
        (format!("users/{user}"), "user-details"),
        (format!("users/{user}/authenticators"), "user-authenticators"),
        (format!("users/{user}/roles"), "user-roles"),
        (format!("users/{user}/sessions"), "user-sessions"),
        (format!("users/{user}/activity"), "user-activity"),
        (format!("users/{user}/disable"), "user-disable"),
        (format!("users/{user}/delete"), "user-delete"),
        (format!("users/{user}/temporary-password"), "user-temporary-password"),
        (format!("users/{user}/password"), "user-password"),
        (format!("users/{machine}"), "machine-details"),
        (format!("users/{machine}/authenticators"), "machine-authenticators"),
        ("roles".to_owned(), "roles"),
        ("roles/new".to_owned(), "roles-new"),
        (format!("roles/{role}"), "role"),
        ("clients".to_owned(), "clients"),
        ("clients/new".to_owned(), "clients-new"),
        (format!("clients/{client}"), "client"),
        ("audit".to_owned(), "audit"),
        (format!("audit/{event}"), "audit-entry"),
        ("settings".to_owned(), "settings"),
        ("attributes".to_owned(), "attributes"),
        ("attributes/new".to_owned(), "attributes-new"),
        (format!("attributes/{attributes}"), "attribute"),
        (format!("attributes/{attributes}/delete"), "attribute-delete"),
        (format!("users/{machine}/keys/new"), "machine-keys-new"),
        ("realms".to_owned(), "realms"),
        ("realms/new".to_owned(), "realms-new"),
    ] {
        visit(&browser, &server.url(&format!("/admin/main/{path}")), name).await;
    }
    visit(&browser, &server.url("/api/docs"), "api-docs").await;
    browser.is_content().await;
    browser.open(&server.url("/admin/main/users/01900000-0000-7000-8000-000000000000")).await;
    keep(&browser, "console-not-found").await;
    browser.complaints().await;
    for path in ["/admin", "/admin/users", "/admin/settings", "/admin/audit"] {
        browser.open(&server.url(path)).await;
        browser.comes_to("/admin/main/").await;
    }
    browser.is_content().await;
    browser.quit().await;
}

/// One attribute of each type; answers the id of the last.
async fn define_attributes(api: &Api) -> String {
    let choices = json!({ "choices": [{ "value": "red" }, { "value": "blue", "label": "Blue" }] });
    let mut last = String::new();
    for definition in [
        json!({ "key": "cost_center", "label": "Cost center", "type": "integer", "validation": { "minimum": 1, "maximum": 9 } }),
        json!({ "key": "score", "label": "Score", "type": "number", "console": "view" }),
        json!({ "key": "beta", "label": "Beta tester", "type": "boolean" }),
        json!({ "key": "born", "label": "Date of birth", "type": "date", "claim": "birthdate" }),
        json!({ "key": "aliases", "label": "Aliases", "type": "string", "list": true, "searchable": true }),
        json!({ "key": "badges", "label": "Badges", "type": "choice", "list": true, "validation": choices }),
        json!({ "key": "colour", "label": "Colour", "type": "choice", "default": "red", "required": true, "validation": choices }),
    ] {
        last = api.post("/realms/main/attribute-definitions", &definition).await.expect(201).str("id");
    }
    last
}

async fn visit(browser: &Browser, url: &str, name: &str) {
    browser.open(url).await;
    keep(browser, name).await;
    let complaints = browser.complaints().await;
    assert!(complaints.is_empty(), "{name}: {complaints:#?}");
}

/// Looks at the page as a person would: it has a heading and a title, fits its window, and goes into the album.
async fn keep(browser: &Browser, name: &str) {
    browser.find("h1").await;
    let title = browser.driver().title().await.unwrap();
    assert!(!title.is_empty(), "{name} has no title");
    for width in [1440, 390] {
        let overflow = browser.overflow_at(width).await;
        assert!(overflow <= 0, "{name} is {overflow} px wider than {width} px");
    }
    if let Some(folder) = album() {
        browser.photograph(&folder, name).await;
    }
}
