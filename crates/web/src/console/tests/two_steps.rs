//! Two-step sign-in, lockout, and what agents do about them.

use std::time::Duration;

use denizen_model::{permissions::AdminRole, realms::SecondFactor};
use http::StatusCode;
use totp_rs::{Builder, Secret};

use super::support::{Browser, OWNER, PASSWORD, Page, Server};

const ANA: &str = "ana@example.com";

/// The code that an app shows at the server's time.
pub(super) fn code(server: &Server, secret: &str) -> String {
    let secret = Secret::try_from_base32(secret.replace(' ', "")).unwrap();
    let now = u64::try_from(server.app.now().as_secs()).unwrap();
    Builder::new().with_secret(secret).build_noncompliant().generate(now).to_string()
}

/// What stands between two marks of a page.
pub(super) fn between<'p>(page: &'p Page, before: &str, after: &str) -> &'p str {
    let rest = page.body.split(before).nth(1).unwrap_or_else(|| panic!("no {before} in {}", page.body));
    rest.split(after).next().unwrap()
}

/// From the account page to the answer to a password.
pub(super) async fn password(browser: &mut Browser<'_>, email: &str, password: &str) -> Page {
    let page = browser.open("/realms/main/account").await;
    let flow = page.hidden("flow");
    let page = browser.post("/realms/main/sign-in", &[("flow", &flow), ("identifier", email)]).await;
    let flow = page.hidden("flow");
    browser.post("/realms/main/sign-in/password", &[("flow", &flow), ("password", password)]).await
}

pub(super) async fn second(browser: &mut Browser<'_>, page: &Page, method: &str, code: &str) -> Page {
    let flow = page.hidden("flow");
    let fields = [("flow", flow.as_str()), ("method", method), ("code", code)];
    browser.post("/realms/main/sign-in/second-factor", &fields).await
}

/// Sets an app up at a sign-in that requires it. Answers the secret and the recovery codes.
pub(super) async fn set_up(server: &Server, browser: &mut Browser<'_>, page: Page) -> (String, Vec<String>) {
    page.is(StatusCode::OK).sees("<svg");
    let secret = between(&page, "<code class=\"secret\" aria-labelledby=\"secret-label\">", "<").to_owned();
    let flow = page.hidden("flow");
    let wrong = [("flow", flow.as_str()), ("code", "000000")];
    let refused = browser.post("/realms/main/sign-in/configure-otp", &wrong).await;
    refused.is(StatusCode::UNPROCESSABLE_ENTITY).sees(&secret);
    let right = [("flow", flow.as_str()), ("code", &code(server, &secret))];
    let page = browser.post("/realms/main/sign-in/configure-otp", &right).await;
    page.is(StatusCode::OK).sees("Keep these recovery codes");
    let list = between(&page, "<ul class=\"codes\">", "</ul>");
    let codes: Vec<String> =
        list.split("<code>").skip(1).map(|part| part.split('<').next().unwrap().to_owned()).collect();
    assert_eq!(codes.len(), 10);
    let flow = page.hidden("flow");
    browser.post("/realms/main/sign-in/continue", &[("flow", &flow)]).await.is(StatusCode::SEE_OTHER);
    (secret, codes)
}

#[tokio::test]
async fn who_is_asked_to_sets_up_an_app_and_is_asked_for_its_code_from_then_on() {
    let server = Server::start().await;
    let ana = server.person(ANA, "Ana", None).await;
    let mut agent = server.signed_in(OWNER).await;
    let tab = format!("/admin/main/users/{ana}/authenticators");
    agent.submit(&format!("/admin/main/users/{ana}/require-otp"), &[]).await.sees("Set up an authenticator app");
    let mut browser = server.browser();
    let page = password(&mut browser, ANA, PASSWORD).await;
    let (secret, codes) = set_up(&server, &mut browser, page).await;
    agent.get(&tab).await.sees("Authenticator app").sees("10 left").sees("Nothing is required.");

    // Another browser: the code that set it up is used up, a wrong one is refused, the next one is right.
    let mut other = server.browser();
    let page = password(&mut other, ANA, PASSWORD).await;
    page.is(StatusCode::OK).sees("Enter the two-step code").lacks("denizen_session");
    let used = code(&server, &secret);
    second(&mut other, &page, "totp", &used).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    second(&mut other, &page, "totp", "000000").await.is(StatusCode::UNPROCESSABLE_ENTITY);
    server.pass(Duration::from_secs(30));
    let next = code(&server, &secret);
    second(&mut other, &page, "totp", &next).await.is(StatusCode::SEE_OTHER);
    // The same code again, in a third browser.
    let mut third = server.browser();
    let page = password(&mut third, ANA, PASSWORD).await;
    second(&mut third, &page, "totp", &next).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    // A recovery code, however it is typed, works once.
    let typed = codes[0].to_uppercase().replace('-', " ");
    second(&mut third, &page, "recovery_codes", &typed).await.is(StatusCode::SEE_OTHER);
    let mut fourth = server.browser();
    let page = password(&mut fourth, ANA, PASSWORD).await;
    second(&mut fourth, &page, "recovery_codes", &codes[0]).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    // A kind that is not offered, and one that the page of another realm's flow asks for.
    second(&mut fourth, &page, "email_code", "123456").await.is(StatusCode::BAD_REQUEST);
    agent.get(&tab).await.sees("9 left");
    agent
        .get(&format!("/admin/main/users/{ana}/activity"))
        .await
        .sees("Registered an authenticator")
        .lacks(&codes[1])
        .lacks(&secret);
}

#[tokio::test]
async fn a_browser_that_is_remembered_is_not_asked_again_and_a_new_app_forgets_it() {
    let server = Server::start().await;
    let ana = server.person(ANA, "Ana", None).await;
    let mut agent = server.signed_in(OWNER).await;
    agent.submit(&format!("/admin/main/users/{ana}/require-otp"), &[]).await.sees("Set up");
    let mut browser = server.browser();
    let page = password(&mut browser, ANA, PASSWORD).await;
    let (secret, _) = set_up(&server, &mut browser, page).await;
    server.pass(Duration::from_secs(30));
    browser.cookies.clear();
    let page = password(&mut browser, ANA, PASSWORD).await;
    let flow = page.hidden("flow");
    let code = code(&server, &secret);
    let fields = [("flow", flow.as_str()), ("method", "totp"), ("code", &code), ("remember", "true")];
    browser.post("/realms/main/sign-in/second-factor", &fields).await.is(StatusCode::SEE_OTHER);
    assert!(browser.cookies.contains_key("denizen_device"), "{:?}", browser.cookies);
    browser.cookies.remove("denizen_session");
    password(&mut browser, ANA, PASSWORD).await.is(StatusCode::SEE_OTHER);
    // It is remembered for her alone.
    server.person("bo@example.com", "Bo", None).await;
    agent.submit(&format!("/admin/main/users/{ana}/require-otp"), &[]).await.sees("Set up");
    browser.cookies.remove("denizen_session");
    let page = password(&mut browser, ANA, PASSWORD).await;
    server.pass(Duration::from_secs(60));
    let secret = between(&page, "<code class=\"secret\" aria-labelledby=\"secret-label\">", "<").to_owned();
    let flow = page.hidden("flow");
    let typed = [("flow", flow.as_str()), ("code", &self::code(&server, &secret))];
    browser.post("/realms/main/sign-in/configure-otp", &typed).await.is(StatusCode::SEE_OTHER);
    browser.cookies.remove("denizen_session");
    password(&mut browser, ANA, PASSWORD).await.is(StatusCode::OK).sees("Enter the two-step code");
}

#[tokio::test]
async fn where_everybody_needs_a_second_factor_it_is_set_up_at_the_next_sign_in() {
    let server = Server::start().await;
    server.person(ANA, "Ana", None).await;
    let mut agent = server.signed_in(OWNER).await;
    let always = [("display_name", "Main"), ("second_factor", SecondFactor::Always.as_str())];
    agent.submit("/admin/main/settings", &always).await.sees("are saved");
    let mut browser = server.browser();
    let page = password(&mut browser, ANA, PASSWORD).await;
    // Going on without it leads nowhere but to it.
    let flow = page.hidden("flow");
    let on = browser.post("/realms/main/sign-in/continue", &[("flow", &flow)]).await;
    on.is(StatusCode::OK).sees("<svg");
    assert!(!browser.cookies.contains_key("denizen_session"));
    set_up(&server, &mut browser, page).await;
    assert!(browser.cookies.contains_key("denizen_session"));
}

#[tokio::test]
async fn too_many_wrong_passwords_lock_alike_whether_or_not_there_is_an_account() {
    let server = Server::start().await;
    let ana = server.person(ANA, "Ana", None).await;
    let mut agent = server.signed_in(OWNER).await;
    for email in [ANA, "nobody@example.com"] {
        let mut browser = server.browser();
        let mut answers = Vec::new();
        for _ in 0..12 {
            let page = password(&mut browser, email, "wrong horse battery").await;
            let said = between(&page, "id=\"password-error\"", "</p>").to_owned();
            answers.push((page.status, said));
        }
        let statuses: Vec<u16> = answers.iter().map(|(status, _)| status.as_u16()).collect();
        assert_eq!(statuses, [[422; 9].as_slice(), &[429; 3]].concat(), "{email}");
        assert!(answers[11].1.contains("Too many wrong attempts"), "{:?}", answers[11]);
    }
    // The right password is not looked at either.
    let mut browser = server.browser();
    password(&mut browser, ANA, PASSWORD).await.is(StatusCode::TOO_MANY_REQUESTS);
    let profile = format!("/admin/main/users/{ana}");
    agent.get(&format!("{profile}/diagnosis")).await.sees("Too many wrong passwords").sees("Unlock");
    agent.get(&format!("{profile}/authenticators")).await.sees("Locked after too many failed attempts");
    let row = format!("href=\"{profile}\"");
    agent.get("/admin/main/users?locked=true").await.sees(&row);
    agent.get(&format!("{profile}/activity")).await.sees("Locked an authenticator");
    agent.submit(&format!("{profile}/unlock"), &[]).await.sees("They are unlocked");
    agent.get("/admin/main/users?locked=true").await.lacks(&row);
    password(&mut browser, ANA, PASSWORD).await.is(StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_lock_ends_by_itself_and_the_next_holds_longer() {
    let server = Server::start().await;
    let ana = server.person(ANA, "Ana", None).await;
    let mut agent = server.signed_in(OWNER).await;
    let mut browser = server.browser();
    let row = format!("href=\"/admin/main/users/{ana}\"");
    let lock = async |browser: &mut Browser<'_>| {
        for _ in 0..10 {
            password(browser, ANA, "wrong horse battery").await;
        }
        // So that the address is not held for it.
        server.pass(Duration::from_secs(60));
    };
    lock(&mut browser).await;
    agent.open("/admin/main/users?locked=true").await.sees(&row);
    server.pass(Duration::from_secs(900));
    denizen_ops::housekeeping::remove_expired(&server.app).await.unwrap();
    agent.open("/admin/main/users?locked=true").await.lacks(&row);
    lock(&mut browser).await;
    server.pass(Duration::from_secs(900));
    password(&mut browser, ANA, PASSWORD).await.is(StatusCode::TOO_MANY_REQUESTS);
    server.pass(Duration::from_secs(900));
    password(&mut browser, ANA, PASSWORD).await.is(StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn wrong_codes_lock_codes_and_not_passwords() {
    let server = Server::start().await;
    let ana = server.person(ANA, "Ana", None).await;
    let mut agent = server.signed_in(OWNER).await;
    agent.submit(&format!("/admin/main/users/{ana}/require-otp"), &[]).await.sees("Set up");
    let mut browser = server.browser();
    let page = password(&mut browser, ANA, PASSWORD).await;
    let (secret, codes) = set_up(&server, &mut browser, page).await;
    browser.cookies.clear();
    let page = password(&mut browser, ANA, PASSWORD).await;
    for _ in 0..10 {
        second(&mut browser, &page, "totp", "000000").await;
    }
    server.pass(Duration::from_secs(30));
    let right = code(&server, &secret);
    second(&mut browser, &page, "totp", &right).await.is(StatusCode::TOO_MANY_REQUESTS);
    second(&mut browser, &page, "recovery_codes", &codes[3]).await.is(StatusCode::TOO_MANY_REQUESTS);
    let mut other = server.browser();
    password(&mut other, ANA, PASSWORD).await.is(StatusCode::OK).sees("Enter the two-step code");
    let profile = format!("/admin/main/users/{ana}");
    agent.get(&format!("{profile}/diagnosis")).await.sees("Too many wrong codes");
    agent.submit(&format!("{profile}/unlock"), &[]).await.sees("They are unlocked");
    second(&mut browser, &page, "totp", &right).await.is(StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn an_agent_locks_switches_off_and_deletes_single_authenticators() {
    let server = Server::start().await;
    let ana = server.person(ANA, "Ana", None).await;
    let mut agent = server.signed_in(OWNER).await;
    let tab = format!("/admin/main/users/{ana}/authenticators");
    let page = agent.get(&tab).await;
    let one = between(&page, &format!("{tab}/"), "/lock").to_owned();
    let mut browser = server.browser();
    for (off, on) in [("lock", "unlock"), ("deactivate", "reactivate")] {
        agent.submit(&format!("{tab}/{one}/{off}"), &[]).await.is(StatusCode::OK);
        password(&mut browser, ANA, PASSWORD).await.is(StatusCode::UNPROCESSABLE_ENTITY).sees("do not match");
        agent.get(&format!("/admin/main/users/{ana}/diagnosis")).await.sees("An administrator holds these back");
        agent.submit(&format!("{tab}/{one}/{on}"), &[]).await.is(StatusCode::OK);
        browser.cookies.clear();
        password(&mut browser, ANA, PASSWORD).await.is(StatusCode::SEE_OTHER);
        browser.cookies.clear();
    }
    // For two hours.
    agent.get(&format!("{tab}/{one}/deactivate")).await.sees("For how many hours");
    agent
        .post(&format!("{tab}/{one}/deactivate"), &[("hours", "two")])
        .await
        .is(StatusCode::UNPROCESSABLE_ENTITY)
        .sees("whole number");
    agent.submit(&format!("{tab}/{one}/deactivate"), &[("hours", "2")]).await.sees("until");
    password(&mut browser, ANA, PASSWORD).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    server.pass(Duration::from_secs(2 * 3600));
    password(&mut browser, ANA, PASSWORD).await.is(StatusCode::SEE_OTHER);
    // Recovery codes that are handed over.
    let mut agent = server.signed_in(OWNER).await;
    agent.get(&format!("/admin/main/users/{ana}/recovery-codes")).await.sees("Ten codes");
    agent.post(&format!("/admin/main/users/{ana}/recovery-codes"), &[]).await.sees("Ten new recovery codes");
    agent.get(&format!("{tab}/{one}/delete")).await.sees("This is final");
    agent.submit(&format!("{tab}/{one}/delete"), &[]).await.sees("It is deleted");
    agent.post(&format!("{tab}/{one}/delete"), &[]).await.is(StatusCode::NOT_FOUND);
    browser.cookies.clear();
    password(&mut browser, ANA, PASSWORD).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    // Whoever may only look does nothing of it.
    server.person("ada@example.com", "Ada", Some(AdminRole::Auditor)).await;
    let mut auditor = server.signed_in("ada@example.com").await;
    auditor.get(&tab).await.is(StatusCode::OK).lacks("Issue recovery codes").lacks("/lock");
    for path in ["unlock", "recovery-codes", "require-otp", "cancel-action"] {
        auditor.post(&format!("/admin/main/users/{ana}/{path}"), &[]).await.is(StatusCode::FORBIDDEN);
    }
    auditor.post(&format!("{tab}/{one}/lock"), &[]).await.is(StatusCode::FORBIDDEN);
}
