use std::time::Duration;

use denizen_model::permissions::AdminRole;
use denizen_ops::{authenticators, users};
use http::StatusCode;

use super::{ANA, at, at_home, is_signed_in, kinds, own_events, settle, try_to_sign_in};
use crate::console::tests::support::{OWNER, PASSWORD, Server};

const SURE: [(&str, &str); 2] = [("current_password", PASSWORD), ("sure", "true")];

#[tokio::test]
async fn a_realm_decides_whether_people_delete_their_accounts() {
    let server = Server::start().await;
    let id = server.person(ANA, "Ana", None).await;
    let mut ana = at_home(&server, ANA).await;
    ana.get(&at("")).await.lacks("Delete your account");
    ana.get(&at("/delete")).await.is(StatusCode::NOT_FOUND);
    ana.post(&at("/delete"), &SURE).await.is(StatusCode::NOT_FOUND);
    let mut agent = server.signed_in(OWNER).await;
    agent.get("/admin/main/settings").await.sees("People may delete their own accounts");
    settle(&server, |settings| settings.self_deletion = true).await;
    agent.get("/admin/main/settings").await.sees("name=\"self_deletion\" value=\"true\" checked");

    ana.get(&at("")).await.sees("Delete your account");
    ana.get(&at("/delete")).await.is(StatusCode::OK).sees("Nobody can bring them back");
    ana.post(&at("/delete"), &[SURE[0]]).await.is(StatusCode::UNPROCESSABLE_ENTITY).sees("Tick this");
    ana.post(&at("/delete"), &[SURE[1]]).await.is(StatusCode::UNPROCESSABLE_ENTITY).sees("Enter your password.");
    let wrong = [("current_password", "not this one"), SURE[1]];
    ana.post(&at("/delete"), &wrong).await.is(StatusCode::UNPROCESSABLE_ENTITY).sees("not your present password");
    let mut phone = at_home(&server, ANA).await;
    server.pass(Duration::from_secs(1));
    let gone = ana.post(&at("/delete"), &SURE).await;
    gone.is(StatusCode::OK).sees("Your account is deleted");
    assert!(!ana.cookies.keys().any(|name| name.contains("session")));
    assert!(!is_signed_in(&mut phone).await);
    try_to_sign_in(&server, ANA, PASSWORD).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    let cx = server.system();
    let main = server.app.main_realm().await.unwrap().realm.id;
    users::get(&server.app, &cx, cx.may(main).unwrap(), id).await.unwrap_err();
    let events = own_events(&server, id).await;
    assert_eq!(kinds(&events)[0], "user.deleted", "by the user");
    assert_eq!((&events[0].1["username"], &events[0].1["sessions_ended"]), (&ANA.into(), &2.into()));
}

#[tokio::test]
async fn the_last_owner_stays_and_who_has_no_password_is_asked_for_none() {
    let server = Server::start().await;
    settle(&server, |settings| settings.self_deletion = true).await;
    let mut owner = at_home(&server, OWNER).await;
    let refused = owner.post(&at("/delete"), &SURE).await;
    refused.is(StatusCode::UNPROCESSABLE_ENTITY).sees("You are the last owner here.");
    assert!(is_signed_in(&mut owner).await);

    // An administrator is somebody as well.
    let id = server.person(ANA, "Ana", Some(AdminRole::Admin)).await;
    let mut ana = at_home(&server, ANA).await;
    let cx = server.system();
    let main = server.app.main_realm().await.unwrap().realm.id;
    authenticators::clear_password(&server.app, &cx, cx.may(main).unwrap(), id).await.unwrap();
    ana.get(&at("/delete")).await.lacks("name=\"current_password\"");
    ana.post(&at("/delete"), &[SURE[1]]).await.is(StatusCode::OK).sees("Your account is deleted");
}
