use http::{Method, StatusCode};

use super::{ACCOUNT, ANA, LONG, at, at_home, is_signed_in, kinds, own_events, settle, try_to_sign_in};
use crate::console::tests::support::{PASSWORD, Server};

const NEW: &str = "seven green bicycles";

/// Every form that changes a way to sign in, with what would do it.
const FORMS: [(&str, &[(&str, &str)]); 8] = [
    ("/password", &[("current_password", PASSWORD), ("password", NEW), ("password_again", NEW)]),
    ("/email", &[("value", "new@example.com")]),
    ("/phone", &[("value", "+4930123456")]),
    ("/username", &[("value", "anna")]),
    ("/authenticators/app", &[("state", "x"), ("code", "000000")]),
    ("/authenticators/recovery-codes", &[]),
    ("/passkeys", &[("state", "x"), ("answer", "{}")]),
    ("/delete", &[("current_password", PASSWORD), ("sure", "true")]),
];

async fn open_house(server: &Server) {
    settle(server, |settings| {
        settings.self_deletion = true;
        settings.username_changeable = true;
    })
    .await;
}

#[tokio::test]
async fn whoever_signed_in_long_ago_signs_in_again_and_comes_back() {
    let server = Server::start().await;
    let id = server.person(ANA, "Ana", None).await;
    open_house(&server).await;
    let mut ana = at_home(&server, ANA).await;
    let old_cookie = ana.cookies.clone();
    server.pass(LONG);
    for (path, fields) in FORMS {
        let page = ana.get(&at(path)).await;
        page.is(StatusCode::OK).sees("Prove once more that it is you.").sees(ANA).lacks("class=\"account\"");
        let answer = ana.post(&at(path), fields).await;
        answer.is(StatusCode::SEE_OTHER);
        assert_eq!(answer.location(), at(path));
    }
    let events = own_events(&server, id).await;
    // Events of one moment have no order.
    let mut seen = kinds(&events);
    seen.sort_unstable();
    assert_eq!(seen, ["user.session.created", "user.sign-in.succeeded"], "nothing else happened");
    assert!(server.mails("new@example.com").await.is_empty());
    // Looking, and what changes no way to sign in, goes on as before.
    for path in ["", "/authenticators", "/sessions", "/activity"] {
        ana.get(&at(path)).await.is(StatusCode::OK).sees("class=\"account\"");
    }

    let page = ana.get(&at("/password")).await;
    let flow = page.hidden("flow");
    let page = ana.post("/realms/main/sign-in", &[("flow", &flow), ("identifier", ANA)]).await;
    let flow = page.hidden("flow");
    let refused = ana.post("/realms/main/sign-in/password", &[("flow", &flow), ("password", "wrong")]).await;
    refused.is(StatusCode::UNPROCESSABLE_ENTITY);
    let flow = refused.hidden("flow");
    let back = ana.post("/realms/main/sign-in/password", &[("flow", &flow), ("password", PASSWORD)]).await;
    assert_eq!(back.location(), at("/password"));
    ana.get(&at("/password")).await.is(StatusCode::OK).sees("Present password");
    // The cookie from before is nobody's any more.
    let mut thief = server.browser();
    thief.cookies = old_cookie;
    assert!(!is_signed_in(&mut thief).await);
    server.pass(LONG);
    ana.get(&at("/password")).await.lacks("Present password");
}

#[tokio::test]
async fn a_sign_in_as_somebody_else_is_no_proof_for_the_first() {
    let server = Server::start().await;
    let id = server.person(ANA, "Ana", None).await;
    server.person("bo@example.com", "Bo", None).await;
    let mut ana = at_home(&server, ANA).await;
    server.pass(LONG);
    let page = ana.get(&at("/password")).await;
    let flow = page.hidden("flow");
    let page = ana.post("/realms/main/sign-in", &[("flow", &flow), ("identifier", "bo@example.com")]).await;
    let flow = page.hidden("flow");
    let page = ana.post("/realms/main/sign-in/password", &[("flow", &flow), ("password", PASSWORD)]).await;
    assert_eq!(page.location(), at("/password"));
    ana.get(&at("/password")).await.is(StatusCode::OK).sees("bo@example.com").lacks(ANA);
    let new = [("current_password", PASSWORD), ("password", NEW), ("password_again", NEW)];
    ana.submit(&at("/password"), &new).await.sees("Your new password is set");
    assert!(!kinds(&own_events(&server, id).await).contains(&"user.password.changed"));
    try_to_sign_in(&server, ANA, PASSWORD).await.is(StatusCode::SEE_OTHER);
    try_to_sign_in(&server, "bo@example.com", NEW).await.is(StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn neither_strangers_nor_other_sites_nor_other_realms_reach_a_form() {
    let server = Server::start().await;
    let id = server.person(ANA, "Ana", None).await;
    server.realm("other").await;
    open_house(&server).await;
    let mut ana = at_home(&server, ANA).await;
    let before = own_events(&server, id).await.len();
    for (path, fields) in FORMS {
        // Nobody is signed in: the sign-in page, and after it the page of the form.
        let mut stranger = server.browser();
        stranger.post(&at(path), fields).await.is(StatusCode::OK).sees("name=\"identifier\"");
        // Another site's form, with the cookies that a browser would send along.
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")] {
            let lines = [("content-type", "application/x-www-form-urlencoded"), (name, value)];
            ana.send(Method::POST, &at(path), &lines, body.clone()).await.is(StatusCode::FORBIDDEN);
        }
        // A session of one realm is none of another.
        let elsewhere = at(path).replace("/main/", "/other/");
        ana.post(&elsewhere, fields).await.is(StatusCode::OK).sees("name=\"identifier\"");
        ana.get(&elsewhere).await.is(StatusCode::OK).sees("name=\"identifier\"");
    }
    let profile = [("given_name", "Eve"), ("version", "1")];
    server.browser().post(ACCOUNT, &profile).await.sees("name=\"identifier\"");
    assert_eq!(own_events(&server, id).await.len(), before);
    assert!(is_signed_in(&mut ana).await);
}

#[tokio::test]
async fn a_sign_in_from_an_account_page_leads_to_it() {
    let server = Server::start().await;
    server.person(ANA, "Ana", None).await;
    let mut ana = server.browser();
    let page = ana.get(&at("/activity")).await;
    let page = ana.prove(page, "main", ANA).await;
    page.is(StatusCode::OK).sees("What happened to your account");
}
