//! What nobody may do.

use std::time::Duration;

use denizen_model::permissions::AdminRole;
use http::{Method, StatusCode, header};

use super::support::{OWNER, Server};

#[tokio::test]
async fn the_bare_address_leads_on_and_nowhere_else() {
    let server = Server::start().await;
    server.person("ana@example.com", "Ana", None).await;
    for path in ["/", "/?next=https://evil.example", "/?return_to=//evil.example"] {
        let page = server.browser().get(path).await;
        page.is(StatusCode::SEE_OTHER);
        assert_eq!(page.location(), "/realms/main/account", "{path}");
    }
    server.browser().open("/").await.is(StatusCode::OK).sees("name=\"identifier\"");
    // A cookie that somebody has made up is nobody's; whoever has no role has nothing to do in the console.
    let mut forger = server.browser();
    forger.cookies.insert("denizen_console".to_owned(), "made-up".to_owned());
    assert_eq!(forger.get("/").await.location(), "/realms/main/account");
    let mut ana = server.signed_in("ana@example.com").await;
    assert_eq!(ana.get("/").await.location(), "/realms/main/account");
    let mut owner = server.signed_in(OWNER).await;
    assert_eq!(owner.get("/").await.location(), "/admin");
    owner.open("/").await.is(StatusCode::OK).sees("Olga Owner");

    // Of several realms none is the one.
    server.realm("acme").await;
    let mut stranger = server.browser();
    assert_eq!(stranger.get("/").await.location(), "/admin");
    stranger.open("/").await.is(StatusCode::OK).sees("name=\"identifier\"");
    owner.submit("/admin/main/realms/acme/disable", &[]).await.is(StatusCode::OK);
    assert_eq!(server.browser().get("/").await.location(), "/realms/main/account");
    server.browser().post("/", &[]).await.is(StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_stranger_is_sent_to_sign_in_and_comes_back_to_the_page() {
    let server = Server::start().await;
    let mut browser = server.browser();
    let page = browser.get("/admin/main/audit?type=user.created").await;
    page.is(StatusCode::SEE_OTHER);
    let address = page.location();
    assert!(address.starts_with("/realms/main/authorize?client_id=denizen-console&"), "{address}");
    for part in [
        "redirect_uri=http%3A%2F%2Flocalhost%3A7000%2Fadmin%2Fcallback",
        "code_challenge_method=S256",
        "state=",
        "scope=openid",
    ] {
        assert!(address.contains(part), "{part} in {address}");
    }
    let cookie = page.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && !cookie.contains("Secure"), "{cookie}");
    let page = browser.follow(page).await;
    let page = browser.prove(page, "main", OWNER).await;
    page.is(StatusCode::OK).sees("user.created");
    assert!(browser.cookies.keys().all(|name| !name.contains("login")), "{:?}", browser.cookies);
    // A script cannot sign in.
    let mut other = server.browser();
    other
        .send(Method::GET, "/admin/main/users", &[("x-partial", "rows")], String::new())
        .await
        .is(StatusCode::UNAUTHORIZED);
    other.get("/admin/main/palette?q=a").await.is(StatusCode::UNAUTHORIZED);
    other.post("/admin/main/users", &[("kind", "human")]).await.is(StatusCode::SEE_OTHER);
    other.get("/admin/nowhere/users").await.is(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn behind_tls_cookies_are_bound_to_the_host() {
    let server = Server::start_at("https://id.example.com").await;
    let mut browser = server.signed_in(OWNER).await;
    assert!(browser.cookies.contains_key("__Host-denizen_console"), "{:?}", browser.cookies);
    let page = browser.post("/admin/main/sign-out", &[]).await;
    assert_eq!(page.location(), "/realms/main/signed-out");
    let cookie = page.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(
        cookie.starts_with("__Host-denizen_console=;") && cookie.contains("; Secure") && cookie.contains("Path=/;"),
        "{cookie}"
    );
}

#[tokio::test]
async fn a_callback_that_this_browser_did_not_ask_for_is_refused() {
    let server = Server::start().await;
    let mut browser = server.browser();
    browser.get("/admin/callback?code=x&state=y").await.is(StatusCode::BAD_REQUEST).sees("no longer valid");
    browser.get("/admin/callback").await.is(StatusCode::BAD_REQUEST);
    // Somebody else's code and state, without their cookie.
    let mut victim = server.browser();
    let mut attacker = server.browser();
    let page = attacker.open("/admin/main/users").await;
    let flow = page.hidden("flow");
    let page = attacker.post("/realms/main/sign-in", &[("flow", &flow), ("identifier", OWNER)]).await;
    let flow = page.hidden("flow");
    let fields = [("flow", flow.as_str()), ("password", super::support::PASSWORD)];
    let page = attacker.post("/realms/main/sign-in/password", &fields).await;
    let callback = page.location().strip_prefix("http://localhost:7000").unwrap().to_owned();
    assert!(callback.starts_with("/admin/callback?"), "{callback}");
    victim.get(&callback).await.is(StatusCode::BAD_REQUEST);
    assert!(victim.cookies.is_empty(), "{:?}", victim.cookies);
    // It works once where it belongs.
    attacker.get(&callback).await.is(StatusCode::SEE_OTHER);
    attacker.get(&callback).await.is(StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_session_ends_everywhere_with_the_sign_out() {
    let server = Server::start().await;
    let mut browser = server.signed_in(OWNER).await;
    let cookie = browser.cookies["denizen_console"].clone();
    browser.post("/admin/main/sign-out", &[]).await.is(StatusCode::SEE_OTHER);
    assert!(!browser.cookies.contains_key("denizen_console"));
    browser.cookies.insert("denizen_console".to_owned(), cookie);
    let page = browser.get("/admin/main/users").await;
    assert!(page.location().starts_with("/realms/main/authorize"), "{}", page.location());
}

#[tokio::test]
async fn support_sees_and_does_no_more_than_it_may() {
    let server = Server::start().await;
    let person = server.person("ana@example.com", "Ana", None).await;
    server.person("sue@example.com", "Sue", Some(AdminRole::Support)).await;
    let mut support = server.signed_in("sue@example.com").await;
    let page = support.get(&format!("/admin/main/users/{person}")).await;
    page.sees("Disable…")
        .lacks("Delete…")
        .lacks("Set password…")
        .lacks("/admin/main/clients")
        .lacks("/admin/main/settings");
    for path in [
        "clients",
        "settings",
        "realms",
        "roles/new",
        &format!("users/{person}/delete"),
        &format!("users/{person}/password"),
    ] {
        support.get(&format!("/admin/main/{path}")).await.is(StatusCode::FORBIDDEN).sees("You may not do this");
    }
    let deletion = [("confirmation", "ana@example.com")];
    support.post(&format!("/admin/main/users/{person}/delete"), &deletion).await.is(StatusCode::FORBIDDEN);
    support.post(&format!("/admin/main/users/{person}/temporary-password"), &[]).await.is(StatusCode::FORBIDDEN);
    let power = [("admin_role", "owner"), ("scope", "all")];
    support.post(&format!("/admin/main/users/{person}/administrator"), &power).await.is(StatusCode::FORBIDDEN);
    support.post("/admin/main/roles", &[("name", "x")]).await.is(StatusCode::FORBIDDEN);
    support.post("/admin/main/realms", &[("name", "x"), ("slug", "x")]).await.is(StatusCode::FORBIDDEN);
    support.get(&format!("/admin/main/users/{person}")).await.is(StatusCode::OK);
    // Nor may they touch somebody with more power.
    let list = support.get("/admin/main/users?q=owner").await;
    let owner = list
        .body
        .split("/admin/main/users/")
        .filter_map(|part| part.split('"').next())
        .find(|id| id.len() == 36)
        .unwrap();
    support
        .post(&format!("/admin/main/users/{owner}/disable"), &[])
        .await
        .is(StatusCode::UNPROCESSABLE_ENTITY)
        .sees("more permissions than you hold");

    server.person("ada@example.com", "Ada", Some(AdminRole::Auditor)).await;
    let mut auditor = server.signed_in("ada@example.com").await;
    auditor.get("/admin/main/settings").await.is(StatusCode::OK).sees("not change them").lacks("Save changes");
    auditor.get("/admin/main/users").await.is(StatusCode::OK).lacks("Create user").lacks("Disable…");
    auditor.post(&format!("/admin/main/users/{person}/disable"), &[]).await.is(StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn whoever_administers_nothing_stays_outside() {
    let server = Server::start().await;
    server.realm("acme").await;
    server.person("ana@example.com", "Ana", None).await;
    let mut browser = server.browser();
    let page = browser.sign_in("ana@example.com").await;
    page.is(StatusCode::FORBIDDEN).sees("Sign in with another account").lacks("Olga");
    let page = browser.get("/admin/main/sign-in").await;
    assert!(page.location().contains("prompt=login"), "{}", page.location());
    // An administrator of one realm has no business in another.
    server.person("sue@example.com", "Sue", Some(AdminRole::Admin)).await;
    let mut admin = server.signed_in("sue@example.com").await;
    admin.get("/admin/acme/users").await.is(StatusCode::FORBIDDEN);
    admin.get("/admin/main/users").await.is(StatusCode::OK).lacks("/admin/acme/users");
    admin.get("/admin/main/realms").await.is(StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn what_another_site_posts_is_refused() {
    let server = Server::start().await;
    let person = server.person("ana@example.com", "Ana", None).await;
    let mut browser = server.signed_in(OWNER).await;
    let path = format!("/admin/main/users/{person}/disable");
    let form = ("content-type", "application/x-www-form-urlencoded");
    for origin in
        [("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site"), ("origin", "https://evil.example")]
    {
        let lines = [form, origin];
        browser.send(Method::POST, &path, &lines, String::new()).await.is(StatusCode::FORBIDDEN);
    }
    browser.get(&format!("/admin/main/users/{person}")).await.sees("Disable…");
}

#[tokio::test]
async fn markup_that_was_stored_is_shown_not_run() {
    let server = Server::start().await;
    let mut browser = server.signed_in(OWNER).await;
    let attack = "<script>alert(1)</script>";
    let fields = [("kind", "human"), ("email", "x@example.com"), ("given_name", attack), ("password_mode", "none")];
    browser.submit("/admin/main/users", &fields).await.is(StatusCode::OK).sees("&lt;script&gt;").lacks(attack);
    let attribute = ("k\"><img>", "'\"></textarea><svg onload=alert(1)>");
    for path in ["users", "audit", &format!("users?q={}", "%22%3E%3Cimg%20src=x%3E")] {
        browser.get(&format!("/admin/main/{path}")).await.is(StatusCode::OK).lacks(attack).lacks("\"><img src=x");
    }
    let list = browser.get("/admin/main/users?q=script").await;
    let id = list
        .body
        .split("/admin/main/users/")
        .filter_map(|part| part.split('"').next())
        .find(|id| id.len() == 36)
        .unwrap()
        .to_owned();
    let version = browser.get(&format!("/admin/main/users/{id}")).await.hidden("version");
    let value = format!("{} = {}", attribute.0, attribute.1);
    let change =
        [("given_name", attack), ("email", "x@example.com"), ("attributes", value.as_str()), ("version", &version)];
    browser
        .submit(&format!("/admin/main/users/{id}"), &change)
        .await
        .is(StatusCode::OK)
        .lacks(attribute.0)
        .lacks(attribute.1);
    for tab in ["/activity", "/delete", "/disable", "/sessions", "/roles", "/authenticators"] {
        browser.get(&format!("/admin/main/users/{id}{tab}")).await.is(StatusCode::OK).lacks(attack);
    }
}

#[tokio::test]
async fn a_message_for_the_next_page_cannot_be_made_up() {
    let server = Server::start().await;
    let mut browser = server.signed_in(OWNER).await;
    browser
        .cookies
        .insert("denizen_flash".to_owned(), "{\"kind\":\"success\",\"text\":\"Call this number\"}".to_owned());
    browser.get("/admin/main/users").await.is(StatusCode::OK).lacks("Call this number");
}

#[tokio::test]
async fn a_stale_session_proves_itself_anew_before_something_sensitive() {
    let server = Server::start().await;
    let person = server.person("ana@example.com", "Ana", None).await;
    let mut browser = server.signed_in(OWNER).await;
    server.pass(Duration::from_secs(601));
    browser.get("/admin/main/users").await.is(StatusCode::OK);
    let path = format!("/admin/main/users/{person}/delete");
    let page = browser.get(&path).await;
    page.is(StatusCode::SEE_OTHER);
    assert!(page.location().contains("max_age=0"), "{}", page.location());
    let refused = browser.post(&path, &[("confirmation", "ana@example.com")]).await;
    assert!(refused.location().contains("max_age=0"), "{}", refused.location());
    let page = browser.follow(refused).await;
    let page = browser.prove(page, "main", OWNER).await;
    page.is(StatusCode::OK).sees("Delete Ana?");
    browser.submit(&path, &[("confirmation", "ana@example.com")]).await.sees("is deleted");
}

#[tokio::test]
async fn what_cannot_be_stored_is_refused_before_it_gets_there() {
    let server = Server::start().await;
    let mut browser = server.signed_in(OWNER).await;
    let fields = [("kind", "human"), ("email", "x@example.com"), ("given_name", "a\0b"), ("password_mode", "none")];
    browser.post("/admin/main/users", &fields).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    browser.get("/admin/main/users?q=a%00b").await.is(StatusCode::UNPROCESSABLE_ENTITY);
    browser.get("/admin/main/audit?actor=a%00b").await.is(StatusCode::UNPROCESSABLE_ENTITY);
    browser.get("/admin/main/users?cursor=zz&before=6e31&sort=name").await.is(StatusCode::OK);
    browser
        .get(&format!("/admin/main/users?q={}", "x".repeat(201)))
        .await
        .is(StatusCode::OK)
        .sees("at most 200 characters");
    let huge = "x".repeat(1_100_000);
    browser.post("/admin/main/users", &[("given_name", &huge)]).await.is(StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn short_addresses_lead_to_the_realm_last_used() {
    let server = Server::start().await;
    server.realm("acme").await;
    let mut browser = server.signed_in(OWNER).await;
    assert_eq!(browser.get("/admin").await.location(), "/admin/main");
    browser.get("/admin/acme/users").await.is(StatusCode::OK);
    assert_eq!(browser.get("/admin/settings").await.location(), "/admin/acme/settings");
    browser.cookies.insert("denizen_realm".to_owned(), "../../evil".to_owned());
    assert_eq!(browser.get("/admin/users").await.location(), "/admin/main/users");
    assert_eq!(browser.get("/admin/main").await.location(), "/admin/main/users");
}
