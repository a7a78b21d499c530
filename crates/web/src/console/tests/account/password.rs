use denizen_model::authenticators::LockoutRule;
use denizen_ops::authenticators;
use http::StatusCode;

use super::{ANA, at, at_home, is_signed_in, kinds, own_events, settle, try_to_sign_in};
use crate::console::tests::support::{PASSWORD, Server};

const NEW: &str = "seven green bicycles";

fn typed<'f>(current: &'f str, new: &'f str, again: &'f str) -> [(&'f str, &'f str); 3] {
    [("current_password", current), ("password", new), ("password_again", again)]
}

#[tokio::test]
async fn a_password_is_changed_by_whoever_knows_it_and_the_other_sessions_end() {
    let server = Server::start().await;
    let id = server.person(ANA, "Ana", None).await;
    let (mut desk, mut phone) = (at_home(&server, ANA).await, at_home(&server, ANA).await);
    let page = desk.get(&at("/password")).await;
    page.is(StatusCode::OK).sees("Present password").sees("name=\"end_others\" value=\"true\" checked");

    let refused = desk.post(&at("/password"), &typed("", NEW, NEW)).await;
    refused.is(StatusCode::UNPROCESSABLE_ENTITY).sees("Enter your password.");
    let refused = desk.post(&at("/password"), &typed("not this one", "short", "other")).await;
    refused.is(StatusCode::UNPROCESSABLE_ENTITY).sees("That is not your present password.");
    // Nothing about the new one is told to somebody who does not know the present one.
    refused.lacks("at least 8 characters.<").lacks("do not match");
    let refused = desk.post(&at("/password"), &typed(PASSWORD, NEW, "something else")).await;
    refused.sees("The two do not match.").lacks(NEW);
    desk.post(&at("/password"), &typed(PASSWORD, PASSWORD, PASSWORD)).await.sees("This is the password you had.");
    settle(&server, |settings| {
        settings.password_require_digit = true;
        settings.password_require_upper = true;
        settings.password_min_length = 12;
    })
    .await;
    let refused = desk.post(&at("/password"), &typed(PASSWORD, "tea pot", "tea pot")).await;
    refused.is(StatusCode::UNPROCESSABLE_ENTITY);
    refused.sees("Use at least 12 characters.<br>Use an upper-case letter.<br>Use a digit.");
    settle(&server, |settings| {
        settings.password_require_digit = false;
        settings.password_require_upper = false;
        settings.password_history = 0;
    })
    .await;
    // Even where no history is kept.
    desk.post(&at("/password"), &typed(PASSWORD, PASSWORD, PASSWORD)).await.sees("This is the password you had.");
    assert!(is_signed_in(&mut phone).await);

    let [current, new, again] = typed(PASSWORD, NEW, NEW);
    let done = desk.submit(&at("/password"), &[current, new, again, ("end_others", "true")]).await;
    done.is(StatusCode::OK).sees("Your new password is set, and your other sessions have ended.");
    assert!(is_signed_in(&mut desk).await && !is_signed_in(&mut phone).await);
    try_to_sign_in(&server, ANA, PASSWORD).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    try_to_sign_in(&server, ANA, NEW).await.is(StatusCode::SEE_OTHER);
    let events = own_events(&server, id).await;
    let told = server.mails(ANA).await;
    assert!(told.len() == 1 && told[0].contains("password"), "{told:?}");
    let (_, details) = events.iter().find(|(kind, _)| kind == "user.password.changed").unwrap();
    assert_eq!(details["sessions_ended"], 1);

    // Whoever does not want it keeps them.
    let mut tablet = server.browser();
    let page = tablet.open(&at("")).await;
    let flow = page.hidden("flow");
    let page = tablet.post("/realms/main/sign-in", &[("flow", &flow), ("identifier", ANA)]).await;
    let flow = page.hidden("flow");
    tablet.post("/realms/main/sign-in/password", &[("flow", &flow), ("password", NEW)]).await;
    desk.submit(&at("/password"), &typed(NEW, PASSWORD, PASSWORD)).await.sees("Your new password is set.");
    assert!(is_signed_in(&mut tablet).await);
}

#[tokio::test]
async fn guesses_at_the_present_password_lock_it_as_at_a_sign_in() {
    let server = Server::start().await;
    let id = server.person(ANA, "Ana", None).await;
    settle(&server, |settings| settings.password_lockout = LockoutRule { attempts: 3, ..LockoutRule::default() }).await;
    let mut ana = at_home(&server, ANA).await;
    for guess in ["one guess", "two guesses"] {
        let refused = ana.post(&at("/password"), &typed(guess, NEW, NEW)).await;
        refused.is(StatusCode::UNPROCESSABLE_ENTITY);
    }
    let refused = ana.post(&at("/password"), &typed("three guesses", NEW, NEW)).await;
    refused.is(StatusCode::TOO_MANY_REQUESTS).sees("Too many wrong attempts.");
    let refused = ana.post(&at("/password"), &typed(PASSWORD, NEW, NEW)).await;
    refused.is(StatusCode::TOO_MANY_REQUESTS);
    try_to_sign_in(&server, ANA, PASSWORD).await.is(StatusCode::TOO_MANY_REQUESTS);
    try_to_sign_in(&server, ANA, NEW).await.is(StatusCode::TOO_MANY_REQUESTS);
    let events = own_events(&server, id).await;
    assert!(kinds(&events).contains(&"user.authenticator.locked"), "{events:?}");
    assert!(!kinds(&events).contains(&"user.password.changed"));
}

#[tokio::test]
async fn who_has_no_password_sets_one_and_one_that_is_switched_off_stays() {
    let server = Server::start().await;
    let id = server.person(ANA, "Ana", None).await;
    let mut ana = at_home(&server, ANA).await;
    let cx = server.system();
    let main = server.app.main_realm().await.unwrap().realm.id;
    let own = authenticators::list(&server.app, &cx, cx.may(main).unwrap(), id).await.unwrap().authenticators[0].id;
    let off = authenticators::state::Change::Deactivate(None);
    authenticators::state::change(&server.app, &cx, cx.may(main).unwrap(), id, own, off).await.unwrap();
    ana.get(&at("/password")).await.sees("have locked or switched this off").lacks("name=\"password\"");
    let refused = ana.post(&at("/password"), &typed(PASSWORD, NEW, NEW)).await;
    refused.is(StatusCode::UNPROCESSABLE_ENTITY);
    try_to_sign_in(&server, ANA, NEW).await.is(StatusCode::UNPROCESSABLE_ENTITY);

    authenticators::clear_password(&server.app, &cx, cx.may(main).unwrap(), id).await.unwrap();
    let page = ana.get(&at("/password")).await;
    page.is(StatusCode::OK).sees("You have none yet").lacks("name=\"current_password\"");
    ana.submit(&at("/password"), &typed("", NEW, NEW)).await.sees("Your new password is set.");
    try_to_sign_in(&server, ANA, NEW).await.is(StatusCode::SEE_OTHER);
}
