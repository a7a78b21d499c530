use std::time::Duration;

use denizen_model::users::VerificationState;
use denizen_ops::users;
use http::StatusCode;

use super::{ACCOUNT, ANA, at, at_home, kinds, own_events, settle, try_to_sign_in};
use crate::console::tests::support::{PASSWORD, Server};

const NEW: &str = "ana@new.example";

#[tokio::test]
async fn a_new_address_takes_effect_when_its_link_is_opened() {
    let server = Server::start().await;
    let id = server.person(ANA, "Ana", None).await;
    server.realm("other").await;
    let mut ana = at_home(&server, ANA).await;
    ana.post(&at("/email"), &[("value", "no address")]).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    let asked = ana.submit(&at("/email"), &[("value", " ana@new.example ")]).await;
    asked.is(StatusCode::OK).sees("Look into your mail").sees(NEW).sees("Keep the present one");
    assert!(server.mails(ANA).await.is_empty());
    let first = server.link(NEW).await;
    assert!(first.starts_with("/realms/main/change-email?token="), "{first}");
    try_to_sign_in(&server, NEW, PASSWORD).await.is(StatusCode::UNPROCESSABLE_ENTITY);

    // A second mail takes the first one's place; opening a link changes nothing, and it works in its realm alone.
    server.pass(Duration::from_secs(1));
    ana.submit(&at("/email"), &[("value", NEW)]).await;
    let second = server.link(NEW).await;
    let mut reader = server.browser();
    reader.get(&first).await.is(StatusCode::GONE);
    let page = reader.get(&second).await;
    page.is(StatusCode::OK).sees(NEW);
    ana.get(ACCOUNT).await.sees("Waits for you");
    let token = page.hidden("token");
    reader.get(&second.replace("/main/", "/other/")).await.is(StatusCode::GONE);
    reader.post("/realms/other/change-email", &[("token", &token)]).await.is(StatusCode::GONE);
    reader.get(&second.replace("change-email", "verify-email")).await.is(StatusCode::GONE);
    let done = reader.post("/realms/main/change-email", &[("token", &token)]).await;
    done.is(StatusCode::OK).sees("Your address is confirmed");
    reader.post("/realms/main/change-email", &[("token", &token)]).await.is(StatusCode::GONE);

    let cx = server.system();
    let main = server.app.main_realm().await.unwrap().realm.id;
    let user = users::get(&server.app, &cx, cx.may(main).unwrap(), id).await.unwrap();
    assert_eq!((user.email.as_deref(), user.email_state), (Some(NEW), VerificationState::Verified));
    assert_eq!(user.username, ANA, "the name to sign in with stays");
    try_to_sign_in(&server, NEW, PASSWORD).await.is(StatusCode::SEE_OTHER);
    // The old address is told, and not the whole of the new one.
    let told = server.mails(ANA).await;
    assert!(told.len() == 1 && told[0].contains("a•••@new.example") && !told[0].contains(NEW), "{told:?}");
    ana.get(ACCOUNT).await.sees(NEW).lacks("Waits for you");
    ana.post(&at("/email"), &[("value", NEW)]).await.sees("This is your address already");
    let events = own_events(&server, id).await;
    assert!(kinds(&events).contains(&"user.email.verified") && kinds(&events).contains(&"user.updated"));
}

#[tokio::test]
async fn a_change_is_taken_back_or_overtaken_and_no_mailbox_is_filled() {
    let server = Server::start().await;
    let id = server.person(ANA, "Ana", None).await;
    let mut ana = at_home(&server, ANA).await;
    ana.submit(&at("/email"), &[("value", NEW)]).await;
    let link = server.link(NEW).await;
    server.pass(Duration::from_secs(1));
    ana.submit(&at("/email/cancel"), &[]).await.sees("Your address stays as it is").lacks("Waits for you");
    ana.get(&link).await.is(StatusCode::GONE);
    assert_eq!(kinds(&own_events(&server, id).await)[0], "user.email.verification-cancelled");

    // An administrator who changes the address settles it.
    ana.submit(&at("/email"), &[("value", NEW)]).await;
    server.pass(Duration::from_secs(1));
    let link = server.link(NEW).await;
    let cx = server.system();
    let main = server.app.main_realm().await.unwrap().realm.id;
    let patch = denizen_model::users::UserPatch {
        email: Some(Some("a@third.example".to_owned())),
        ..denizen_model::users::UserPatch::default()
    };
    users::update(&server.app, &cx, cx.may(main).unwrap(), id, patch, None).await.unwrap();
    ana.get(&link).await.is(StatusCode::GONE);

    for mailbox in ["b@new.example", "c@new.example", "d@new.example"] {
        ana.submit(&at("/email"), &[("value", mailbox)]).await.sees("Look into your mail");
    }
    let refused = ana.post(&at("/email"), &[("value", "e@new.example")]).await;
    refused.is(StatusCode::UNPROCESSABLE_ENTITY).sees("Several mails went out already.");
    ana.submit(&at("/email/confirm"), &[]).await.sees("Several mails went out already.");
    assert!(server.mails("e@new.example").await.is_empty() && server.mails("a@third.example").await.is_empty());
    server.pass(Duration::from_secs(3601));
    ana.submit(&at("/email/confirm"), &[]).await.sees("Look into your mail");
    let link = server.link("a@third.example").await;
    let token = ana.get(&link).await.hidden("token");
    ana.post("/realms/main/verify-email", &[("token", &token)]).await.sees("Your address is confirmed");
    ana.get(ACCOUNT).await.lacks("Send confirmation mail");
    ana.submit(&at("/email/confirm"), &[]).await.is(StatusCode::OK);
}

#[tokio::test]
async fn nobody_takes_an_address_that_is_somebody_elses() {
    let server = Server::start().await;
    server.person(ANA, "Ana", None).await;
    server.person("bo@example.com", "Bo", None).await;
    let mut ana = at_home(&server, ANA).await;
    // The page does not tell whether there is an account; only whoever reads the mail learns it.
    ana.submit(&at("/email"), &[("value", "BO@example.com")]).await.sees("Look into your mail");
    let link = server.link("BO@example.com").await;
    let mut bo = server.browser();
    let token = bo.get(&link).await.hidden("token");
    let refused = bo.post("/realms/main/change-email", &[("token", &token)]).await;
    refused.is(StatusCode::CONFLICT).sees("This address belongs to another account");
    ana.get(ACCOUNT).await.sees(ANA);
    try_to_sign_in(&server, "bo@example.com", PASSWORD).await.is(StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn the_number_and_where_the_realm_lets_them_the_username_are_changed() {
    let server = Server::start().await;
    server.person(ANA, "Ana", None).await;
    server.person("bo@example.com", "Bo", None).await;
    let mut ana = at_home(&server, ANA).await;
    ana.post(&at("/phone"), &[("value", "12")]).await.is(StatusCode::UNPROCESSABLE_ENTITY).sees("country code");
    let saved = ana.submit(&at("/phone"), &[("value", "+49 30 123456")]).await;
    saved.sees("Your phone number is saved").sees("+4930123456").sees("Not verified");
    ana.submit(&at("/phone"), &[("value", "")]).await.sees("Your phone number is saved").lacks("+4930123456");

    ana.get(ACCOUNT).await.lacks("/account/username\"");
    ana.get(&at("/username")).await.is(StatusCode::NOT_FOUND);
    ana.post(&at("/username"), &[("value", "anna")]).await.is(StatusCode::NOT_FOUND);
    settle(&server, |settings| settings.username_changeable = true).await;
    let taken = ana.post(&at("/username"), &[("value", "BO@example.com")]).await;
    taken.is(StatusCode::UNPROCESSABLE_ENTITY).sees("Somebody has this username already.");
    ana.post(&at("/username"), &[("value", "an na")]).await.sees("Leave out blanks.");
    ana.submit(&at("/username"), &[("value", "anna")]).await.sees("Your username is saved").sees("anna");
    try_to_sign_in(&server, "anna", PASSWORD).await.is(StatusCode::SEE_OTHER);
}
