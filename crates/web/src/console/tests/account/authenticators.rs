use std::time::Duration;

use denizen_model::{AuthenticatorId, UserId, authenticators::AuthenticatorType, realms::SecondFactor};
use denizen_ops::authenticators::{self, state::Change};
use http::StatusCode;

use super::{ANA, LONG, at, at_home, kinds, own_events, settle, try_to_sign_in};
use crate::console::tests::{
    support::{Browser, PASSWORD, Page, Server},
    two_steps::{between, code},
};

const APP: &str = "/authenticators/app";
const CODES: &str = "/authenticators/recovery-codes";

async fn id_of(server: &Server, user: UserId, kind: AuthenticatorType) -> AuthenticatorId {
    let cx = server.system();
    let main = server.app.main_realm().await.unwrap().realm.id;
    let listed = authenticators::list(&server.app, &cx, cx.may(main).unwrap(), user).await.unwrap();
    listed.authenticators.iter().find(|one| one.kind == kind).unwrap().id
}

async fn change(server: &Server, user: UserId, id: AuthenticatorId, change: Change) {
    let cx = server.system();
    let main = server.app.main_realm().await.unwrap().realm.id;
    authenticators::state::change(&server.app, &cx, cx.may(main).unwrap(), user, id, change).await.unwrap();
}

fn codes(page: &Page) -> Vec<String> {
    let list = between(page, "<ul class=\"codes\">", "</ul>");
    list.split("<code>").skip(1).map(|part| part.split('<').next().unwrap().to_owned()).collect()
}

fn secret(page: &Page) -> String {
    between(page, "<code class=\"secret\" aria-labelledby=\"secret-label\">", "<").to_owned()
}

/// Sets up an app; answers its secret and what its first code led to.
async fn set_up(server: &Server, browser: &mut Browser<'_>) -> (String, Page) {
    let page = browser.get(&at(APP)).await;
    page.is(StatusCode::OK).sees("<svg");
    let (secret, state) = (secret(&page), page.hidden("state"));
    let code = code(server, &secret);
    let page = browser.submit(&at(APP), &[("state", &state), ("code", &code)]).await;
    (secret, page)
}

#[tokio::test]
async fn an_app_is_set_up_asked_for_replaced_and_removed() {
    let server = Server::start().await;
    let user = server.person(ANA, "Ana", None).await;
    let mut ana = at_home(&server, ANA).await;
    let list = ana.get(&at("/authenticators")).await;
    list.is(StatusCode::OK).sees("Password").sees("Active").sees("Melbourne, Australia").sees(APP).lacks(CODES);
    ana.get(&at(CODES)).await.is(StatusCode::NOT_FOUND);
    ana.post(&at(CODES), &[]).await.is(StatusCode::NOT_FOUND);

    server.pass(Duration::from_secs(1));
    let page = ana.get(&at(APP)).await;
    let (first, state) = (secret(&page), page.hidden("state"));
    let refused = ana.post(&at(APP), &[("state", &state), ("code", "000000")]).await;
    refused.is(StatusCode::UNPROCESSABLE_ENTITY).sees("That code is not right").sees(&first);
    let right = code(&server, &first);
    let page = ana.post(&at(APP), &[("state", &state), ("code", &right)]).await;
    page.is(StatusCode::OK).sees("Your authenticator app is set up").sees("Keep these recovery codes");
    assert_eq!(codes(&page).len(), 10);
    try_to_sign_in(&server, ANA, PASSWORD).await.is(StatusCode::OK).sees("Enter the two-step code");
    let list = ana.get(&at("/authenticators")).await;
    list.sees("Authenticator app").sees("Never used").sees("10 codes left");
    let made = own_events(&server, user).await;
    assert_eq!(kinds(&made)[..2], ["user.authenticator.registered"; 2]);

    // Codes that are there already are not shown again with a new app.
    let (_, page) = set_up(&server, &mut ana).await;
    page.is(StatusCode::OK).sees("Your authenticator app is set up").lacks("class=\"codes\"");

    server.pass(Duration::from_secs(1));
    let app = id_of(&server, user, AuthenticatorType::Totp).await;
    let name = at(&format!("/authenticators/{app}/name"));
    ana.get(&name).await.is(StatusCode::OK).sees("Name it");
    let long = "x".repeat(61);
    ana.post(&name, &[("value", &long)]).await.is(StatusCode::UNPROCESSABLE_ENTITY).sees("Use at most 60 characters.");
    ana.submit(&name, &[("value", " My <phone> ")]).await.sees("The name is saved").sees("My &lt;phone&gt;");
    assert_eq!(kinds(&own_events(&server, user).await)[0], "user.authenticator.renamed");
    let password = id_of(&server, user, AuthenticatorType::Password).await;
    ana.get(&at(&format!("/authenticators/{password}/name"))).await.is(StatusCode::NOT_FOUND);

    let remove = at(&format!("/authenticators/{app}/remove"));
    server.pass(Duration::from_secs(1));
    ana.get(&remove).await.is(StatusCode::OK).sees("Remove My &lt;phone&gt;?");
    ana.submit(&remove, &[]).await.is(StatusCode::OK).sees("It is removed").lacks("Recovery codes");
    let events = own_events(&server, user).await;
    assert_eq!(kinds(&events)[..2], ["user.authenticator.removed"; 2], "the codes with it");
    let told = server.mails(ANA).await;
    assert!(told[0].contains("An authenticator app was removed"), "{told:?}");
    assert!(told[1].contains("An authenticator app was added") && told.len() == 3, "{told:?}");
    try_to_sign_in(&server, ANA, PASSWORD).await.is(StatusCode::SEE_OTHER);
    ana.post(&remove, &[]).await.is(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn new_recovery_codes_are_shown_once_and_the_old_ones_are_gone() {
    let server = Server::start().await;
    server.person(ANA, "Ana", None).await;
    let mut ana = at_home(&server, ANA).await;
    let old = codes(&set_up(&server, &mut ana).await.1);
    ana.get(&at(CODES)).await.is(StatusCode::OK).sees("Those you have now stop working");
    let page = ana.post(&at(CODES), &[]).await;
    let new = codes(&page);
    assert!(new.len() == 10 && !new.contains(&old[0]));
    ana.get(&at(CODES)).await.lacks(&new[0]);
    for (recovery, status) in [(&old[0], StatusCode::UNPROCESSABLE_ENTITY), (&new[0], StatusCode::SEE_OTHER)] {
        let page = try_to_sign_in(&server, ANA, PASSWORD).await;
        let flow = page.hidden("flow");
        let fields = [("flow", flow.as_str()), ("method", "recovery_codes"), ("code", recovery)];
        server.browser().post("/realms/main/sign-in/second-factor", &fields).await.is(status);
    }
    ana.get(&at("/authenticators")).await.sees("9 codes left");
}

#[tokio::test]
async fn nobody_locks_themselves_out_or_undoes_what_an_administrator_did() {
    let server = Server::start().await;
    let user = server.person(ANA, "Ana", None).await;
    let mut ana = at_home(&server, ANA).await;
    let password = id_of(&server, user, AuthenticatorType::Password).await;
    let remove = at(&format!("/authenticators/{password}/remove"));
    ana.get(&at("/authenticators")).await.sees(">Change<").lacks(&remove);
    ana.get(&remove)
        .await
        .is(StatusCode::OK)
        .sees("You could no longer sign in without it")
        .lacks("type=\"submit\">Remove");
    ana.post(&remove, &[]).await.is(StatusCode::CONFLICT).sees("You could no longer sign in without it");

    set_up(&server, &mut ana).await;
    settle(&server, |settings| settings.second_factor = SecondFactor::Always).await;
    let app = id_of(&server, user, AuthenticatorType::Totp).await;
    let remove_app = at(&format!("/authenticators/{app}/remove"));
    ana.post(&remove_app, &[]).await.is(StatusCode::CONFLICT).sees("this is the only one you have");
    settle(&server, |settings| settings.second_factor = SecondFactor::WhenSetUp).await;

    for held in [Change::Lock, Change::Deactivate(None)] {
        change(&server, user, app, held).await;
        let list = ana.get(&at("/authenticators")).await;
        list.lacks(&remove_app).lacks(&format!("href=\"{}\"", at(APP)));
        ana.post(&remove_app, &[]).await.is(StatusCode::CONFLICT).sees("have locked or switched this off");
        set_up(&server, &mut ana).await.1.is(StatusCode::CONFLICT);
        assert_eq!(id_of(&server, user, AuthenticatorType::Totp).await, app, "it was not replaced");
        change(&server, user, app, Change::Unlock).await;
        change(&server, user, app, Change::Reactivate).await;
    }
    let recovery = id_of(&server, user, AuthenticatorType::RecoveryCodes).await;
    change(&server, user, recovery, Change::Deactivate(None)).await;
    ana.post(&at(CODES), &[]).await.is(StatusCode::CONFLICT);

    settle(&server, |settings| settings.second_factor = SecondFactor::Never).await;
    ana.get(&at(APP)).await.is(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn nobody_reaches_the_authenticators_of_another() {
    let server = Server::start().await;
    let user = server.person(ANA, "Ana", None).await;
    server.person("bo@example.com", "Bo", None).await;
    let mut ana = at_home(&server, ANA).await;
    set_up(&server, &mut ana).await;
    let app = id_of(&server, user, AuthenticatorType::Totp).await;
    let mut bo = at_home(&server, "bo@example.com").await;
    for action in ["name", "remove"] {
        let path = at(&format!("/authenticators/{app}/{action}"));
        bo.get(&path).await.is(StatusCode::NOT_FOUND);
        bo.post(&path, &[("value", "stolen")]).await.is(StatusCode::NOT_FOUND);
    }
    bo.get(&at("/authenticators/nonsense/remove")).await.is(StatusCode::NOT_FOUND);
    assert_eq!(id_of(&server, user, AuthenticatorType::Totp).await, app);

    // The state of a set-up page is good for whom it was made, and not for long.
    let page = ana.get(&at(APP)).await;
    let (secret, state) = (secret(&page), page.hidden("state"));
    let right = code(&server, &secret);
    let refused = bo.post(&at(APP), &[("state", &state), ("code", &right)]).await;
    refused.is(StatusCode::BAD_REQUEST);
    server.pass(LONG * 4);
    let mut again = server.browser();
    again.address = [198, 51, 100, 1];
    let page = ana.get(&at(APP)).await;
    page.sees("Prove once more that it is you.");
    let right = code(&server, &secret);
    let late = ana.post(&at(APP), &[("state", &state), ("code", &right)]).await;
    late.is(StatusCode::SEE_OTHER);
}
