//! Passkeys, with a device in software: honest use, and everything somebody might try.

mod device;

use std::time::Duration;

use denizen_model::{
    authenticators::AuthenticatorType,
    events::{EventQuery, EventType, Outcome},
    realms::{RealmSettings, SecondFactor},
};
use denizen_ops::{diagnosis::Fix, events, realms};
use http::StatusCode;
use serde_json::Value;

use self::device::{Device, PRESENT};
use super::{
    reasons::{failed, guest, open_server, succeeded},
    support::{Browser, OWNER, PASSWORD, Page, Server},
};

const ANA: &str = "ana@example.com";
const WRONG: &str = "This passkey did not work here.";

/// The form that the script answers.
struct Form {
    action: String,
    /// The name and value of what goes back beside the answer.
    state: (String, String),
    options: Value,
}

fn form(page: &Page) -> Form {
    let html =
        page.body.split("<form class=\"form passkey\"").nth(1).unwrap_or_else(|| panic!("none in {}", page.body));
    let html = html.split("</form>").next().unwrap();
    let after = |mark: &str| html.split(mark).nth(1).unwrap().split('"').next().unwrap().to_owned();
    let options = after("data-options=\"").replace("&quot;", "\"").replace("&#x27;", "'").replace("&amp;", "&");
    let state = after("type=\"hidden\" name=\"");
    let value = after(&format!("name=\"{state}\" value=\""));
    Form { action: after("action=\""), state: (state, value), options: serde_json::from_str(&options).unwrap() }
}

async fn send(browser: &mut Browser<'_>, form: &Form, answer: &str) -> Page {
    let (name, value) = &form.state;
    browser.post(&form.action, &[(name, value), ("answer", answer)]).await
}

async fn first_page(browser: &mut Browser<'_>) -> Page {
    browser.open("/realms/main/account").await
}

/// From the account page to the answer to a password.
async fn password(browser: &mut Browser<'_>, email: &str) -> Page {
    let flow = first_page(browser).await.hidden("flow");
    let page = browser.post("/realms/main/sign-in", &[("flow", &flow), ("identifier", email)]).await;
    let flow = page.hidden("flow");
    browser.post("/realms/main/sign-in/password", &[("flow", &flow), ("password", PASSWORD)]).await
}

/// Makes a passkey on the account page.
async fn add(server: &Server, email: &str, device: &mut Device) {
    let mut browser = server.browser();
    password(&mut browser, email).await.is(StatusCode::SEE_OTHER);
    let page = browser.get("/realms/main/account/passkeys").await;
    let form = form(&page);
    let made = device.make(&form.options);
    let done = send(&mut browser, &form, &made).await;
    browser.follow(done).await.is(StatusCode::OK).sees("The passkey was added.");
}

async fn settings(server: &Server, edit: impl FnOnce(&mut RealmSettings)) {
    let (cx, main) = (server.system(), server.app.main_realm().await.unwrap());
    let mut settings = main.realm.settings.clone();
    edit(&mut settings);
    realms::update_settings(&server.app, &cx, cx.may(main.realm.id).unwrap(), None, settings, None).await.unwrap();
}

/// Why the last sign-in failed.
async fn last_reason(server: &Server) -> String {
    reason(server, EventType::UserSignInFailed).await
}

async fn reason(server: &Server, kind: EventType) -> String {
    let (cx, main) = (server.system(), server.app.main_realm().await.unwrap().realm.id);
    let query = EventQuery { kind: Some(kind), outcome: Some(Outcome::Failure), limit: 1, ..EventQuery::default() };
    let found = events::list(&server.app, &cx, cx.may(main).unwrap(), query).await.unwrap().items;
    let event = found.first().unwrap();
    assert_eq!(event.details["method"], "passkey");
    event.details["reason"].as_str().unwrap().to_owned()
}

/// Answers the first page with a device; nobody says who they are.
async fn sign_in(server: &Server, device: &mut Device) -> Page {
    let mut browser = server.browser();
    let form = form(&first_page(&mut browser).await);
    let answer = device.answer(&form.options);
    send(&mut browser, &form, &answer).await
}

async fn is_refused(server: &Server, page: &Page, reason: &str) {
    page.is(StatusCode::UNPROCESSABLE_ENTITY).sees(WRONG).lacks("data-autofill");
    assert_eq!(last_reason(server).await, reason);
    // So that the next one is the newest.
    server.pass(Duration::from_secs(1));
}

#[tokio::test]
async fn a_passkey_that_was_required_is_made_and_signs_in_without_a_name() {
    let server = Server::start().await;
    let ana = server.person(ANA, "Ana", None).await;
    let mut agent = server.signed_in(OWNER).await;
    let profile = format!("/admin/main/users/{ana}");
    agent.submit(&format!("{profile}/require-passkey"), &[]).await.sees("Make a passkey").sees("A passkey is made");
    agent.get(&format!("{profile}/diagnosis")).await.sees("make a passkey");
    let mut browser = server.browser();
    let page = password(&mut browser, ANA).await;
    page.is(StatusCode::OK).sees("Make a passkey").sees("passkey.js").lacks("denizen_session");
    let asked = form(&page);
    // What is not right is refused, and the next page asks anew.
    let refused = send(&mut browser, &asked, "{}").await;
    refused.is(StatusCode::UNPROCESSABLE_ENTITY).sees("The passkey was not made");
    assert_eq!(reason(&server, EventType::UserAuthenticatorRegistered).await, "the browser's answer cannot be read");
    let asked = form(&refused);
    let mut device = Device::of_provider(0xbada_5566_a7aa_401f_bd96_4561_9a55_120d);
    let made = device.make(&asked.options);
    send(&mut browser, &asked, &made).await.is(StatusCode::SEE_OTHER);
    agent
        .get(&format!("{profile}/authenticators"))
        .await
        .sees("Nothing is required.")
        .sees("Passkey")
        .sees("1Password")
        .lacks("Recovery codes");

    server.pass(Duration::from_secs(60));
    sign_in(&server, &mut device).await.is(StatusCode::SEE_OTHER);
    let mut agent = server.signed_in(OWNER).await;
    agent.get(&format!("{profile}/sessions")).await.sees("a passkey");
    let shown = agent.get(&format!("{profile}/activity")).await;
    shown.sees("Registered an authenticator").lacks("credential_id").lacks("clientDataJSON");
    // The page of before does not bring it twice.
    let again = send(&mut browser, &asked, &made).await;
    assert!(!again.status.is_redirection() || again.location().ends_with("/account"), "{again:?}");
    assert_eq!(agent.get(&format!("{profile}/authenticators")).await.body.matches("<small>1Password<").count(), 1);
}

#[tokio::test]
async fn an_answer_counts_once_and_only_for_its_own_question() {
    let server = Server::start().await;
    server.person(ANA, "Ana", None).await;
    let mut device = Device::new();
    add(&server, ANA, &mut device).await;
    let mut browser = server.browser();
    let mine = form(&first_page(&mut browser).await);
    let other = form(&first_page(&mut browser).await);
    let answer = device.answer(&mine.options);
    // Under another page's question, then under its own, then again from somewhere else.
    let page = send(&mut browser, &other, &answer).await;
    is_refused(&server, &page, "the answer is to another question").await;
    send(&mut browser, &mine, &answer).await.is(StatusCode::SEE_OTHER);
    let page = send(&mut server.browser(), &mine, &answer).await;
    is_refused(&server, &page, "the passkey's answer was used before").await;
    // A page that asks for nothing of the kind, one of another realm, and one that is too old.
    let plain = first_page(&mut server.browser()).await.hidden("flow");
    let bare = Form { state: ("flow".to_owned(), plain), ..form(&first_page(&mut server.browser()).await) };
    send(&mut server.browser(), &bare, &answer).await.is(StatusCode::BAD_REQUEST).sees("no longer valid");
    server.realm("other").await;
    let elsewhere =
        Form { action: mine.action.replace("/main/", "/other/"), ..form(&first_page(&mut server.browser()).await) };
    send(&mut server.browser(), &elsewhere, &answer).await.is(StatusCode::BAD_REQUEST);
    let old = form(&first_page(&mut server.browser()).await);
    server.pass(Duration::from_secs(3600));
    let answer = device.answer(&old.options);
    send(&mut server.browser(), &old, &answer).await.is(StatusCode::BAD_REQUEST).sees("no longer valid");
}

#[tokio::test]
async fn what_is_signed_elsewhere_unverified_or_by_a_copy_is_refused() {
    let server = Server::start().await;
    let (ana, bo) = (server.person(ANA, "Ana", None).await, server.person("bo@example.com", "Bo", None).await);
    let mut device = Device::new();
    device.counter = 5;
    add(&server, ANA, &mut device).await;
    sign_in(&server, &mut device).await.is(StatusCode::SEE_OTHER);

    "https://evil.example".clone_into(&mut device.origin);
    is_refused(&server, &sign_in(&server, &mut device).await, "the answer was given to another site").await;
    for near in ["http://localhost:7001", "https://localhost:7000", "http://a.localhost:7000"] {
        near.clone_into(&mut device.origin);
        is_refused(&server, &sign_in(&server, &mut device).await, "the answer was given to another site").await;
    }
    "http://localhost:7000".clone_into(&mut device.origin);
    "evil.example".clone_into(&mut device.host);
    is_refused(&server, &sign_in(&server, &mut device).await, "the answer was given to another site").await;
    "localhost".clone_into(&mut device.host);
    device.flags = PRESENT;
    is_refused(&server, &sign_in(&server, &mut device).await, "the device did not verify its user").await;
    device.flags |= device::VERIFIED;
    // What was signed to make a passkey proves nothing.
    let asked = form(&first_page(&mut server.browser()).await);
    let made = device.sign("webauthn.create", &asked.options);
    is_refused(&server, &send(&mut server.browser(), &asked, &made).await, "the passkey's signature is wrong").await;
    // Another key under the same id.
    let asked = form(&first_page(&mut server.browser()).await);
    let mut forged = Device::new();
    (forged.id, forged.user, forged.counter) = (device.id.clone(), device.user.clone(), 100);
    let answer = forged.answer(&asked.options);
    is_refused(&server, &send(&mut server.browser(), &asked, &answer).await, "the passkey's signature is wrong").await;
    // A passkey says whose it is, and it is not Bo's.
    let own = std::mem::replace(&mut device.user, bo.uuid().as_bytes().to_vec());
    is_refused(&server, &sign_in(&server, &mut device).await, "the passkey is another user's").await;
    device.user = own;
    // Nobody's.
    let mut stranger = Device::new();
    stranger.user = ana.uuid().as_bytes().to_vec();
    is_refused(&server, &sign_in(&server, &mut stranger).await, "a passkey that nobody in this realm has").await;
    for nonsense in ["", "{}", "null", "[1]", "\u{1f511}", &"x".repeat(40_000)] {
        let asked = form(&first_page(&mut server.browser()).await);
        let page = send(&mut server.browser(), &asked, nonsense).await;
        is_refused(&server, &page, "the browser's answer cannot be read").await;
    }
    // None of that has spoiled it. Then a copy appears, which has not counted on.
    sign_in(&server, &mut device).await.is(StatusCode::SEE_OTHER);
    device.counter -= 3;
    is_refused(
        &server,
        &sign_in(&server, &mut device).await,
        "the passkey's counter went back: it may have been copied",
    )
    .await;
    let mut agent = server.signed_in(OWNER).await;
    agent.get(&format!("/admin/main/users/{ana}/diagnosis")).await.sees("counter went back");
}

#[tokio::test]
async fn passkeys_of_other_realms_disabled_people_and_switched_off_ones_are_refused_alike() {
    let server = Server::start().await;
    let ana = server.person(ANA, "Ana", None).await;
    server.realm("other").await;
    let mut device = Device::new();
    add(&server, ANA, &mut device).await;
    // The same host, so browsers offer it: another realm does not know it.
    let mut browser = server.browser();
    let asked = form(&browser.open("/realms/other/account").await);
    let answer = device.answer(&asked.options);
    send(&mut browser, &asked, &answer).await.is(StatusCode::UNPROCESSABLE_ENTITY).sees(WRONG);

    let mut agent = server.signed_in(OWNER).await;
    let profile = format!("/admin/main/users/{ana}");
    let tab = agent.get(&format!("{profile}/authenticators")).await;
    let one = passkey_id(&tab, &profile);
    for (off, on) in [("lock", "unlock"), ("deactivate", "reactivate")] {
        agent.submit(&format!("{profile}/authenticators/{one}/{off}"), &[]).await.is(StatusCode::OK);
        let page = sign_in(&server, &mut device).await;
        is_refused(&server, &page, "the authenticator is locked or switched off").await;
        agent.submit(&format!("{profile}/authenticators/{one}/{on}"), &[]).await.is(StatusCode::OK);
        sign_in(&server, &mut device).await.is(StatusCode::SEE_OTHER);
    }
    settings(&server, |settings| settings.sign_in_methods = vec![AuthenticatorType::Password]).await;
    first_page(&mut server.browser()).await.lacks("passkey").sees("autocomplete=\"username\"");
    settings(&server, |settings| settings.sign_in_methods.push(AuthenticatorType::Passkey)).await;
    // Only a passkey, and that switched off: nobody gets in, and the diagnosis says why.
    agent.submit(&format!("{profile}/password/clear"), &[]).await.is(StatusCode::OK);
    agent.get(&format!("{profile}/diagnosis")).await.sees("Nothing stands in the way");
    agent.submit(&format!("{profile}/authenticators/{one}/deactivate"), &[]).await.is(StatusCode::OK);
    agent.get(&format!("{profile}/diagnosis")).await.sees("They cannot sign in").sees("passkey (switched off)");
    agent.submit(&format!("{profile}/authenticators/{one}/reactivate"), &[]).await.is(StatusCode::OK);
    agent.submit(&format!("{profile}/disable"), &[]).await.is(StatusCode::OK);
    is_refused(&server, &sign_in(&server, &mut device).await, "the user is disabled").await;
    agent.submit(&format!("{profile}/enable"), &[]).await.is(StatusCode::OK);
    sign_in(&server, &mut device).await.is(StatusCode::SEE_OTHER);
    agent.submit(&format!("{profile}/authenticators/{one}/delete"), &[]).await.sees("It is deleted");
    let page = sign_in(&server, &mut device).await;
    is_refused(&server, &page, "a passkey that nobody in this realm has").await;
}

/// The id of the one passkey on the tab.
fn passkey_id(tab: &Page, profile: &str) -> String {
    let row = tab.body.split("<span class=\"who-name\">Passkey</span>").nth(1).unwrap();
    row.split(&format!("{profile}/authenticators/")).nth(1).unwrap().split('/').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_passkey_is_the_second_factor_and_there_is_another_way() {
    let server = Server::start().await;
    let ana = server.person(ANA, "Ana", None).await;
    server.person("bo@example.com", "Bo", None).await;
    let (mut device, mut bos) = (Device::new(), Device::new());
    add(&server, ANA, &mut device).await;
    add(&server, "bo@example.com", &mut bos).await;
    let mut agent = server.signed_in(OWNER).await;
    // Made for convenience, it is not asked for besides; where everybody needs two, it is.
    password(&mut server.browser(), ANA).await.is(StatusCode::SEE_OTHER);
    settings(&server, |settings| settings.second_factor = SecondFactor::Always).await;
    let mut browser = server.browser();
    let page = password(&mut browser, ANA).await;
    page.is(StatusCode::OK).sees("Use your passkey").lacks("denizen_session").lacks("instead");
    let asked = form(&page);
    let allowed = asked.options["allowCredentials"].as_array().unwrap();
    assert_eq!(allowed.len(), 1, "her own alone: {allowed:?}");
    // Bo's is no use, whatever it says.
    bos.user.clone_from(&device.user);
    let answer = bos.answer(&asked.options);
    let page = send(&mut browser, &asked, &answer).await;
    is_refused(&server, &page, "the passkey is another user's").await;
    let asked = form(&page);
    device.flags = PRESENT;
    let answer = device.answer(&asked.options);
    let page = send(&mut browser, &asked, &answer).await;
    is_refused(&server, &page, "the device did not verify its user").await;
    device.flags |= device::VERIFIED;
    let asked = form(&page);
    let answer = device.answer(&asked.options);
    let (name, value) = &asked.state;
    let fields = [(name.as_str(), value.as_str()), ("answer", &answer), ("remember", "true")];
    browser.post(&asked.action, &fields).await.is(StatusCode::SEE_OTHER);
    assert!(browser.cookies.contains_key("denizen_device"));
    browser.cookies.remove("denizen_session");
    password(&mut browser, ANA).await.is(StatusCode::SEE_OTHER);
    // As the first proof it is both in one.
    sign_in(&server, &mut device).await.is(StatusCode::SEE_OTHER);
    // Recovery codes are another way, and back.
    agent.post(&format!("/admin/main/users/{ana}/recovery-codes"), &[]).await.sees("Ten new recovery codes");
    let mut browser = server.browser();
    let page = password(&mut browser, ANA).await;
    let link = page.body.split("href=\"/realms/main/sign-in/second-factor?").nth(1).unwrap().split('"').next().unwrap();
    let codes = browser.get(&format!("/realms/main/sign-in/second-factor?{}", link.replace("&amp;", "&"))).await;
    codes.is(StatusCode::OK).sees("method=passkey");
}

#[tokio::test]
async fn the_account_page_wants_a_recent_sign_in_and_its_own_session() {
    let server = Server::start().await;
    server.person(ANA, "Ana", None).await;
    server.person("bo@example.com", "Bo", None).await;
    let address = "/realms/main/account/passkeys";
    // Nobody is signed in: the sign-in leads here.
    let mut browser = server.browser();
    let flow = browser.get(address).await.sees("Sign in").hidden("flow");
    let page = browser.post("/realms/main/sign-in", &[("flow", &flow), ("identifier", ANA)]).await;
    let flow = page.hidden("flow");
    let page = browser.post("/realms/main/sign-in/password", &[("flow", &flow), ("password", PASSWORD)]).await;
    assert_eq!(page.location(), address);
    let page = browser.get(address).await;
    page.sees("You have none yet.");
    let mine = form(&page);
    // Another's session cannot finish it.
    let mut bo = server.browser();
    password(&mut bo, "bo@example.com").await.is(StatusCode::SEE_OTHER);
    let mut device = Device::new();
    let made = device.make(&mine.options);
    send(&mut bo, &mine, &made).await.is(StatusCode::BAD_REQUEST);
    // Nor a page elsewhere.
    let body = format!("state={}&answer=x", mine.state.1);
    let lines = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "cross-site")];
    browser.send(http::Method::POST, address, &lines, body).await.is(StatusCode::FORBIDDEN);
    send(&mut browser, &mine, &made).await.is(StatusCode::SEE_OTHER);
    // The same again, and the same device under a new question.
    send(&mut browser, &mine, &made).await.is(StatusCode::UNPROCESSABLE_ENTITY).sees("holds a passkey");
    let next = form(&browser.get(address).await);
    assert_eq!(next.options["excludeCredentials"].as_array().map(Vec::len), Some(1));
    let made = device.make(&next.options);
    send(&mut browser, &next, &made).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    // The same credential for somebody else.
    let theirs = form(&bo.get(address).await);
    let own = device.user.clone();
    let made = device.make(&theirs.options);
    device.user = own;
    send(&mut bo, &theirs, &made).await.is(StatusCode::UNPROCESSABLE_ENTITY).sees("holds a passkey");
    // One that does not verify its user is none.
    let mut weak = Device::new();
    weak.flags = PRESENT;
    server.pass(Duration::from_secs(1));
    let made = weak.make(&theirs.options);
    send(&mut bo, &theirs, &made).await.is(StatusCode::UNPROCESSABLE_ENTITY).sees("The passkey was not made");
    assert_eq!(reason(&server, EventType::UserAuthenticatorRegistered).await, "the device did not verify its user");
    // A quarter of an hour later they say once more who they are.
    server.pass(Duration::from_secs(901));
    let page = browser.get(address).await;
    page.sees("Prove once more that it is you.").sees(ANA);
    assert_eq!(send(&mut browser, &next, &made).await.location(), address);
    // With the passkey, for one.
    let asked = form(&page);
    let answer = device.answer(&asked.options);
    let page = send(&mut browser, &asked, &answer).await;
    assert_eq!(page.location(), address);
    browser.get(address).await.sees("Unknown device");
}

#[tokio::test]
async fn where_only_passkeys_count_one_is_made_with_recovery_codes_beside_it() {
    let server = Server::start().await;
    server.person(ANA, "Ana", None).await;
    settings(&server, |settings| {
        settings.second_factor = SecondFactor::Always;
        settings.second_factors = vec![AuthenticatorType::Passkey];
    })
    .await;
    let mut browser = server.browser();
    let page = password(&mut browser, ANA).await;
    page.sees("Make a passkey");
    let asked = form(&page);
    let mut device = Device::new();
    let made = device.make(&asked.options);
    let page = send(&mut browser, &asked, &made).await;
    page.is(StatusCode::OK).sees("Keep these recovery codes");
    let flow = page.hidden("flow");
    browser.post("/realms/main/sign-in/continue", &[("flow", &flow)]).await.is(StatusCode::SEE_OTHER);
    sign_in(&server, &mut device).await.is(StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn an_address_without_a_name_has_no_passkeys() {
    let server = Server::start_at("http://127.0.0.1:7000").await;
    let ana = server.person(ANA, "Ana", None).await;
    first_page(&mut server.browser()).await.lacks("passkey");
    let mut agent = server.signed_in(OWNER).await;
    let profile = format!("/admin/main/users/{ana}");
    agent.get(&format!("{profile}/authenticators")).await.lacks("Require a passkey");
    agent.submit(&format!("{profile}/require-passkey"), &[]).await.sees("host name");
    let mut browser = server.browser();
    password(&mut browser, ANA).await.is(StatusCode::SEE_OTHER);
    browser.get("/realms/main/account/passkeys").await.is(StatusCode::OK).sees("cannot be used at this address");
}

#[tokio::test]
async fn a_passkey_is_told_with_application_and_device_whether_it_lets_in_or_not() {
    let server = open_server().await;
    let ana = server.person(ANA, "Ana", None).await;
    let mut device = Device::new();
    add(&server, ANA, &mut device).await;
    server.pass(Duration::from_secs(1));
    let mut browser = guest(&server);
    let form_of = form(&browser.open("/admin/main/users").await);
    let answer = device.answer(&form_of.options);
    let done = send(&mut browser, &form_of, &answer).await;
    succeeded(&server, ana, &done, "passkey").await;
    send(&mut browser, &form_of, &answer).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    failed(&server, ana, "passkey", "the passkey's answer was used before", Fix::ReadActivity).await;
    device.flags = PRESENT;
    let mut browser = guest(&server);
    let form_of = form(&browser.open("/admin/main/users").await);
    let answer = device.answer(&form_of.options);
    send(&mut browser, &form_of, &answer).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    failed(&server, ana, "passkey", "the device did not verify its user", Fix::SendReset).await;
}
