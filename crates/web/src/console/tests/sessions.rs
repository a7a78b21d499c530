//! Sessions: as agents see them, as the users themselves see them, and how long they live.

use std::time::Duration;

use denizen_model::{permissions::AdminRole, realms::RealmSettings, users::NewMachine};
use denizen_ops::{Cx, admins, users};
use http::{Method, StatusCode, header};
use serde_json::Value;

use super::support::{Browser, OWNER, Page, Server};

const FIREFOX: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:145.0) Gecko/20100101 Firefox/145.0";
const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1";
const ACCOUNT: &str = "/realms/main/account";
const SESSIONS: &str = "/realms/main/account/sessions";

/// Somebody in the account pages, in a browser of their own.
async fn at_home<'s>(server: &'s Server, email: &str, agent: &'static str) -> Browser<'s> {
    let mut browser = Browser { agent, ..server.browser() };
    browser.sign_in_for(ACCOUNT, "main", email).await.is(StatusCode::OK).sees("Sign out");
    browser
}

/// Where the form posts that ends the n-th session a user may end.
fn end_action(page: &Page, n: usize) -> String {
    let mut actions = page.body.split("action=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    actions
        .clone()
        .filter(|path| path.ends_with("/end"))
        .nth(n)
        .map_or_else(|| panic!("no such form in {:?}", actions.by_ref().collect::<Vec<_>>()), str::to_owned)
}

async fn is_signed_in(browser: &mut Browser<'_>) -> bool {
    let page = browser.get(ACCOUNT).await;
    page.is(StatusCode::OK);
    !page.body.contains("name=\"identifier\"")
}

/// Asks the API with a key of an administrator.
async fn api(server: &Server, key: &str, method: Method, path: &str) -> (StatusCode, Value) {
    let bearer = format!("Bearer {key}");
    let page = server
        .browser()
        .send(method, &format!("/api/v1/realms/{path}"), &[("authorization", &bearer)], String::new())
        .await;
    (page.status, serde_json::from_str(&page.body).unwrap_or(Value::Null))
}

async fn key(server: &Server, role: AdminRole) -> String {
    let realm = server.app.main_realm().await.unwrap().realm.id;
    let cx = Cx::system(&server.app, "test");
    let machine = NewMachine { name: format!("{role}"), ..NewMachine::default() };
    let made = users::create_machine(&server.app, &cx, cx.may(realm).unwrap(), machine).await.unwrap();
    let everywhere = role == AdminRole::Owner;
    admins::grant(&server.app, &cx, cx.may(realm).unwrap(), made.user.id, role, everywhere).await.unwrap();
    made.api_key.unwrap().1.expose().to_owned()
}

#[tokio::test]
async fn people_see_where_they_are_signed_in_and_end_what_they_do_not_know() {
    let server = Server::start().await;
    server.person("ana@example.com", "Ana", None).await;
    server.person("bo@example.com", "Bo", None).await;
    let mut desk = at_home(&server, "ana@example.com", FIREFOX).await;
    server.pass(Duration::from_secs(120));
    let mut phone = at_home(&server, "ana@example.com", IPHONE).await;
    let mut other = at_home(&server, "bo@example.com", FIREFOX).await;

    let page = desk.get(SESSIONS).await;
    page.is(StatusCode::OK).sees("Firefox on macOS").sees("Safari on iPhone").sees("Melbourne, Australia");
    page.sees("192.0.2.7").sees("</span><span>Sessions</span>");
    assert_eq!(page.body.matches("This session").count(), 1);
    assert!(page.body.find("Firefox on macOS") < page.body.find("Safari on iPhone"), "this one stands first");
    let end_phone = end_action(&page, 0);
    let bos = other.get(SESSIONS).await;
    bos.lacks("Safari on iPhone").sees("You are signed in nowhere else");

    // Nobody ends another's session, and no other site ends anyone's.
    other.post(&end_phone, &[]).await.is(StatusCode::NOT_FOUND);
    let cross = [("sec-fetch-site", "cross-site")];
    desk.send(Method::POST, &end_phone, &cross, String::new()).await.is(StatusCode::FORBIDDEN);
    desk.post(&format!("{SESSIONS}/nonsense/end"), &[]).await.is(StatusCode::NOT_FOUND);
    server.realm("elsewhere").await;
    let abroad = end_phone.replace("/realms/main/", "/realms/elsewhere/");
    desk.post(&abroad, &[]).await.sees("name=\"identifier\"");
    desk.post(&end_phone.replace("/main/", "/nowhere/"), &[]).await.is(StatusCode::NOT_FOUND);
    assert!(is_signed_in(&mut phone).await);

    let done = desk.submit(&end_phone, &[]).await;
    done.is(StatusCode::OK).sees("The session has ended").lacks("Safari on iPhone");
    assert!(!is_signed_in(&mut phone).await, "dead at the next request");
    assert!(is_signed_in(&mut desk).await && is_signed_in(&mut other).await);
    desk.post(&end_phone, &[]).await.is(StatusCode::NOT_FOUND);
    phone.get(SESSIONS).await.is(StatusCode::OK).sees("name=\"identifier\"");

    let (mut second, mut third) =
        (at_home(&server, "ana@example.com", IPHONE).await, at_home(&server, "ana@example.com", "curl/8").await);
    let page = desk.submit(&format!("{SESSIONS}/end-others"), &[]).await;
    page.is(StatusCode::OK).sees("All other sessions have ended").sees("You are signed in nowhere else");
    assert!(!is_signed_in(&mut second).await && !is_signed_in(&mut third).await);
    assert!(is_signed_in(&mut desk).await && is_signed_in(&mut other).await);
}

#[tokio::test]
async fn account_pages_are_in_the_language_of_the_reader() {
    let server = Server::start().await;
    server.person("ana@example.com", "Ana", None).await;
    let mut ana = at_home(&server, "ana@example.com", FIREFOX).await;
    let _phone = at_home(&server, "ana@example.com", IPHONE).await;
    for (language, dir, titles) in [
        ("de", "ltr", ["Wo Sie angemeldet sind", "Bisher keine.", "Was mit Ihrem Konto geschehen ist"]),
        ("es", "ltr", ["Dónde tiene la sesión iniciada", "Ninguna hasta ahora.", "Qué ha ocurrido en su cuenta"]),
        ("fr", "ltr", ["Où vous êtes connecté", "Aucune jusqu’ici.", "Ce qui s’est passé sur votre compte"]),
        ("ja", "ltr", ["サインインしている場所", "まだありません。", "アカウントの履歴"]),
        ("ar", "rtl", ["أين سجّلت الدخول", "لا يوجد شيء حتى الآن.", "ما حدث في حسابك"]),
    ] {
        for (path, title) in ["sessions", "applications", "activity"].into_iter().zip(titles) {
            let own = format!("{ACCOUNT}/{path}");
            let page = ana.send(Method::GET, &own, &[("accept-language", language)], String::new()).await;
            page.is(StatusCode::OK).sees(&format!("<html lang=\"{language}\" dir=\"{dir}\"")).sees(title);
            page.sees("name=\"to\" value=\"en\"").lacks(" on macOS").lacks("Signed in");
            assert_eq!(page.hidden("back"), own);
        }
    }
    let page = ana.send(Method::GET, SESSIONS, &[("accept-language", "de")], String::new()).await;
    page.sees("Firefox auf macOS").sees("aria-label=\"Sitzung beenden: Safari auf iPhone\"");
    let page = ana.send(Method::GET, SESSIONS, &[("accept-language", "ar")], String::new()).await;
    page.sees("<bdi class=\"mono\">192.0.2.7</bdi>").lacks("End session");
}

#[tokio::test]
async fn ending_ones_own_session_is_signing_out() {
    let server = Server::start().await;
    server.person("ana@example.com", "Ana", None).await;
    let mut desk = at_home(&server, "ana@example.com", FIREFOX).await;
    let mut phone = at_home(&server, "ana@example.com", IPHONE).await;
    let of_desk = end_action(&phone.get(SESSIONS).await, 0);
    let left = desk.post(&of_desk, &[]).await;
    left.is(StatusCode::SEE_OTHER);
    assert_eq!(left.location(), "/realms/main/signed-out");
    assert!(left.headers.get(header::SET_COOKIE).unwrap().to_str().unwrap().contains("Max-Age=0"));
    assert!(!is_signed_in(&mut desk).await && is_signed_in(&mut phone).await);
}

#[tokio::test]
async fn activity_is_told_in_sentences_and_pages() {
    let server = Server::start().await;
    server.person("ana@example.com", "Ana", None).await;
    let mut stranger = Browser { address: [198, 51, 100, 9], ..server.browser() };
    let page = stranger.open(ACCOUNT).await;
    let typed = [("flow", page.hidden("flow")), ("identifier", "ana@example.com".to_owned())];
    let page = stranger.post("/realms/main/sign-in", &typed.each_ref().map(|(key, text)| (*key, text.as_str()))).await;
    let typed = [("flow", page.hidden("flow")), ("password", "wrong password".to_owned())];
    let password = "/realms/main/sign-in/password";
    stranger.post(password, &typed.each_ref().map(|(key, text)| (*key, text.as_str()))).await;
    let mut ana = at_home(&server, "ana@example.com", FIREFOX).await;
    let anas = ana.get("/realms/main/account/activity").await;
    anas.sees("Somebody tried to sign in and failed").sees("198.51.100.9");

    server.person("bo@example.com", "Bo", None).await;
    let mut bo = at_home(&server, "bo@example.com", FIREFOX).await;

    let activity = "/realms/main/account/activity";
    let bos = bo.get(activity).await;
    bos.is(StatusCode::OK).sees("Signed in").sees("Firefox on macOS").sees("Your account was made");
    bos.lacks("Somebody tried to sign in").lacks("198.51.100.9");
    bos.sees("</span><span>Activity</span>");

    // Pages, newest first; made-up cursors lead to the first.
    for _ in 0..14 {
        bo.submit("/realms/main/account/sign-out", &[]).await;
        bo.sign_in_for(ACCOUNT, "main", "bo@example.com").await;
        server.pass(Duration::from_secs(1));
    }
    let first = bo.get(activity).await;
    first.sees("Signed out").lacks("Your account was made").lacks("Back to the latest");
    assert_eq!(first.body.matches("class=\"row\"").count(), 25);
    let earlier = first.body.split("rel=\"next\" href=\"").nth(1).unwrap().split('"').next().unwrap();
    let second = bo.get(earlier).await;
    second.is(StatusCode::OK).sees("Your account was made").sees("Back to the latest");
    let made_up = bo.get(&format!("{activity}?cursor=6e31")).await;
    made_up.is(StatusCode::OK);
    server.pass(Duration::from_secs(91 * 24 * 3600));
    let mut later = at_home(&server, "bo@example.com", FIREFOX).await;
    later.get(activity).await.is(StatusCode::OK).sees("Signed in").lacks("Your account was made");
}

#[tokio::test]
async fn what_administrators_did_shows_neither_their_name_nor_their_address() {
    let server = Server::start().await;
    let id = server.person("ana@example.com", "Ana", None).await;
    let mut agent = server.browser();
    agent.address = [203, 0, 113, 66];
    agent.sign_in(OWNER).await;
    agent.submit(&format!("/admin/main/users/{id}/disable"), &[]).await.is(StatusCode::OK);
    agent.submit(&format!("/admin/main/users/{id}/enable"), &[]).await.is(StatusCode::OK);
    let mut ana = at_home(&server, "ana@example.com", FIREFOX).await;
    let page = ana.get("/realms/main/account/activity").await;
    page.sees("Your account was disabled").sees("By the people who run this service");
    page.lacks("203.0.113.66").lacks("Olga");
}

#[tokio::test]
async fn applications_are_listed_with_when_they_were_used() {
    let server = Server::start().await;
    let mut browser = server.signed_in(OWNER).await;
    let page = browser.get("/realms/main/account/applications").await;
    page.is(StatusCode::OK).sees("Denizen console").sees("Signed in now").sees("Last signed in");
    browser.submit("/realms/main/account/sign-out", &[]).await;
    let mut again = at_home(&server, OWNER, IPHONE).await;
    let page = again.get("/realms/main/account/applications").await;
    page.sees("Denizen console").lacks("Signed in now");
    server.person("ana@example.com", "Ana", None).await;
    let mut ana = at_home(&server, "ana@example.com", IPHONE).await;
    ana.get("/realms/main/account/applications").await.sees("None so far").lacks("Denizen console");
}

#[tokio::test]
async fn the_idle_end_moves_with_use_and_the_absolute_end_never() {
    let server = Server::start().await;
    server.person("ana@example.com", "Ana", None).await;
    let RealmSettings { session_idle_seconds: idle, session_absolute_seconds: absolute, .. } =
        server.app.main_realm().await.unwrap().realm.settings.clone();
    let mut used = at_home(&server, "ana@example.com", FIREFOX).await;
    let mut unused = at_home(&server, "ana@example.com", IPHONE).await;
    // Shortly before the end it is used, and lives on from then.
    server.pass(Duration::from_secs(idle - 1));
    assert!(is_signed_in(&mut used).await);
    server.pass(Duration::from_secs(1));
    assert!(!is_signed_in(&mut unused).await, "unused for the idle time");
    assert!(is_signed_in(&mut used).await);
    let mut age = idle;
    while age + idle / 2 < absolute {
        server.pass(Duration::from_secs(idle / 2));
        age += idle / 2;
        assert!(is_signed_in(&mut used).await, "used all the time, {age} of {absolute} seconds old");
    }
    server.pass(Duration::from_secs(absolute - age - 1));
    assert!(is_signed_in(&mut used).await);
    server.pass(Duration::from_secs(1));
    assert!(!is_signed_in(&mut used).await, "nothing prolongs it beyond its absolute end");
}

#[tokio::test]
async fn signing_in_again_in_the_same_browser_does_not_move_the_absolute_end() {
    let server = Server::start().await;
    server.person("ana@example.com", "Ana", None).await;
    let absolute = server.app.main_realm().await.unwrap().realm.settings.session_absolute_seconds;
    let idle = server.app.main_realm().await.unwrap().realm.settings.session_idle_seconds;
    let mut browser = at_home(&server, "ana@example.com", FIREFOX).await;
    let mut age = 0;
    while age + idle / 2 < absolute {
        server.pass(Duration::from_secs(idle / 2));
        age += idle / 2;
        assert!(is_signed_in(&mut browser).await);
    }
    // The page of a sign-in that began in a browser without a session, sent by this one.
    let page = server.browser().open(ACCOUNT).await;
    browser.prove(page, "main", "ana@example.com").await;
    assert!(is_signed_in(&mut browser).await);
    server.pass(Duration::from_secs(absolute - age));
    assert!(!is_signed_in(&mut browser).await);
}

#[tokio::test]
async fn agents_see_sessions_with_place_clients_and_both_ends_and_end_them() {
    let server = Server::start().await;
    let id = server.person("ana@example.com", "Ana", Some(AdminRole::Support)).await;
    let mut ana = Browser { agent: FIREFOX, ..server.browser() };
    ana.sign_in("ana@example.com").await;
    let mut agent = server.signed_in(OWNER).await;
    let tab = format!("/admin/main/users/{id}/sessions");
    let page = agent.get(&tab).await;
    page.is(StatusCode::OK).sees("Firefox on macOS").sees("192.0.2.7").sees("Melbourne, Australia");
    page.sees("Denizen console").sees("with a password").sees("if unused").sees("in any case");
    let ways = agent.get(&format!("/admin/main/users/{id}/authenticators")).await;
    ways.sees("Firefox on macOS").sees("Denizen console · Melbourne, Australia");

    let (owner, auditor) = (key(&server, AdminRole::Owner).await, key(&server, AdminRole::Auditor).await);
    let list = format!("main/users/{id}/sessions");
    let (status, body) = api(&server, &auditor, Method::GET, &list).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let session = &body["items"][0];
    assert_eq!(session["place"], "Melbourne, Australia");
    assert_eq!(session["device"], "Firefox on macOS");
    assert_eq!(session["amr"][0], "pwd");
    assert_eq!(session["clients"][0], "denizen-console");
    assert_eq!(session["applications"][0]["name"], "Denizen console");
    assert_eq!(session["applications"][0]["logout_notice"], Value::Null);
    for field in ["created_at", "last_seen_at", "idle_expires_at", "expires_at"] {
        assert!(session[field].is_string(), "{field}");
    }
    let sid = session["id"].as_str().unwrap();

    let (_, ways) = api(&server, &auditor, Method::GET, &format!("main/users/{id}/authenticators")).await;
    assert_eq!(ways["items"][0]["last_place"], "Melbourne, Australia", "{ways}");

    // An event knows the place as well.
    let (_, events) =
        api(&server, &owner, Method::GET, &format!("main/events?subject={id}&type=user.session.created")).await;
    assert_eq!(events["items"][0]["place"], "Melbourne, Australia", "{events}");

    let one = format!("{list}/{sid}");
    assert_eq!(api(&server, &auditor, Method::DELETE, &one).await.0, StatusCode::FORBIDDEN);
    let bo = server.person("bo@example.com", "Bo", None).await;
    let of_bo = format!("main/users/{bo}/sessions/{sid}");
    assert_eq!(api(&server, &owner, Method::DELETE, &of_bo).await.0, StatusCode::NOT_FOUND);
    server.realm("elsewhere").await;
    let abroad = one.replace("main/", "elsewhere/");
    assert_eq!(api(&server, &owner, Method::DELETE, &abroad).await.0, StatusCode::NOT_FOUND);
    assert!(is_signed_in(&mut ana).await);
    assert_eq!(api(&server, &owner, Method::DELETE, &one).await.0, StatusCode::NO_CONTENT);
    assert!(!is_signed_in(&mut ana).await, "dead at the next request");
    assert_eq!(api(&server, &owner, Method::DELETE, &one).await.0, StatusCode::NOT_FOUND);
    agent.get(&tab).await.sees("Not signed in anywhere").sees("Recent sessions").sees("Ended");

    let mut again = at_home(&server, "ana@example.com", IPHONE).await;
    let (status, body) = api(&server, &owner, Method::DELETE, &list).await;
    assert_eq!((status, &body["revoked"]), (StatusCode::OK, &Value::from(1)));
    assert!(!is_signed_in(&mut again).await);
}

#[tokio::test]
async fn the_form_of_a_client_keeps_where_it_is_told_of_sign_outs() {
    let server = Server::start().await;
    let mut agent = server.signed_in(OWNER).await;
    let fields = |uri: &'static str| {
        vec![
            ("name", "App"),
            ("client_id", "app"),
            ("type", "public"),
            ("redirect_uris", "https://app.example.com/callback"),
            ("backchannel_logout_uri", uri),
            ("grant_types", "authorization_code"),
            ("scopes", "openid"),
        ]
    };
    let refused = agent.post("/admin/main/clients", &fields("https://169.254.169.254/")).await;
    refused.is(StatusCode::UNPROCESSABLE_ENTITY).sees("backchannel_logout_uri-error").sees("link-local");
    let made = agent.submit("/admin/main/clients", &fields("https://app.example.com/backchannel")).await;
    made.is(StatusCode::OK).sees("value=\"https://app.example.com/backchannel\"");
}
