//! Every way to sign in, every reset and every required action, in a real browser with passkeys in software, mails out of
//! a real SMTP conversation, texts out of a real gateway, and codes of another maker's app.

use serde_json::{Value, json};

use crate::{
    codes::digits,
    passkeys::{NO_AUTOFILL, amr, before_pages, is_in, leave, machine, new_device},
    support::{Api, App, Browser, Database, Gateway, MailServer, NewApp, PASSWORD, Person, Server},
    two_steps,
};

const ANA: &str = "ana@example.com";
const PHONE: &str = "+4930123456";
const NEW: &str = "another long horse battery";

/// A server that sends, and whose address has a name.
async fn server(database: Database, mails: &MailServer, texts: &Gateway) -> Server {
    let server = Server::prepare(database).sending_by(&mails.url()).texting_by(&texts.url("/messages"));
    let url = format!("http://localhost:{}", server.port());
    let mut server = server.at_public_url(&url);
    server.launch().await;
    server
}

/// To the page after the name.
async fn named(browser: &Browser, account: &str, name: &str) {
    leave(browser).await;
    browser.open(account).await;
    browser.fill("identifier", name).await;
    press(browser).await;
}

/// What the page's first button does.
async fn press(browser: &Browser) {
    browser.find("button[type=submit]").await.click().await.unwrap();
}

async fn type_code(browser: &Browser, code: &str) {
    browser.fill("code", code).await;
    browser.click("Continue").await;
}

/// The events of a type about a user, the newest first.
async fn events(api: &Api, user: &str, kind: &str) -> Vec<Value> {
    let path = format!("/realms/main/users/{user}/events?type={kind}");
    api.get(&path).await.expect(200).json()["items"].as_array().unwrap().clone()
}

/// The last sign-in was by this, in this browser.
async fn was_by(api: &Api, user: &str, method: &str) {
    let event = events(api, user, "user.sign-in.succeeded").await.remove(0);
    assert_eq!(event["details"]["method"], method, "{event}");
    assert_eq!((&event["device"], &event["ip"]), (&json!("Chrome on Linux"), &json!("127.0.0.1")), "{event}");
}

/// Sets an app up on the page that is open, and keeps its recovery codes; answers its secret and one of the codes, or
/// nothing where there is no app.
async fn set_app_up(browser: &Browser) -> Option<(String, String)> {
    browser.sees("Set up two-step sign-in").await;
    let secret = browser.find("code.secret").await.text().await.unwrap();
    type_code(browser, &two_steps::code(&secret, 0)?).await;
    browser.sees("Keep these recovery codes").await;
    let recovery = browser.find(".codes code").await.text().await.unwrap();
    browser.click("I have kept them").await;
    Some((secret, recovery))
}

on_both_engines! {
    async fn every_way_leads_in_once_and_too_many_failures_lock_until_an_agent_unlocks(database) {
        let (mails, texts) = (MailServer::start().await, Gateway::start().await);
        let mut server = server(database, &mails, &texts).await;
        let api = server.api();
        let Some(browser) = machine().await else { return };
        before_pages(&browser, NO_AUTOFILL).await;
        let user = api.create_person(ANA).await;
        let path = format!("/realms/main/users/{user}");
        let account = server.url("/realms/main/account");
        let ways = ["password", "passkey", "email_code", "sms_code", "magic_link"];
        api.patch("/realms/main/settings", &json!({ "sign_in_methods": ways })).await.expect(200);
        api.patch(&path, &json!({ "phone": PHONE })).await.expect(200);

        // A code by mail: wrong, right, and the same once more.
        named(&browser, &account, ANA).await;
        browser.click("Email me a code").await;
        browser.sees("Look into your mail").await;
        let right = digits(&mails.wait_for(ANA, 1).await.raw);
        let wrong = if right == "000000" { "000001" } else { "000000" };
        type_code(&browser, wrong).await;
        browser.sees("That code is not right").await;
        type_code(&browser, &right).await;
        is_in(&browser).await;
        was_by(&api, &user, "email_code").await;
        assert_eq!(amr(&api, &user).await, json!(["otp"]));

        // A code by text message.
        named(&browser, &account, ANA).await;
        browser.click("Text me a code").await;
        browser.sees("Look at your phone").await;
        let right = digits(&texts.wait_for(PHONE, 1).await);
        type_code(&browser, &right).await;
        is_in(&browser).await;
        was_by(&api, &user, "sms_code").await;
        assert_eq!(amr(&api, &user).await, json!(["sms"]));
        let record = api.get(&path).await.expect(200).json();
        assert_eq!((&record["email_state"], &record["phone_state"]), (&json!("verified"), &json!("verified")));
        // In another browser, whose own it is not.
        named(&browser, &account, ANA).await;
        browser.click("Text me a code").await;
        browser.sees("Look at your phone").await;
        if digits(&texts.wait_for(PHONE, 2).await) != right {
            type_code(&browser, &right).await;
            browser.sees("That code is not right").await;
        }

        // A link by mail.
        named(&browser, &account, ANA).await;
        browser.click("Email me a sign-in link").await;
        browser.sees("link is on its way").await;
        let link = mails.wait_for(ANA, 2).await.link();
        browser.open(&link).await;
        browser.click("Sign in").await;
        is_in(&browser).await;
        was_by(&api, &user, "magic_link").await;
        leave(&browser).await;
        browser.open(&link).await;
        browser.sees("no longer works").await;
        let failed = events(&api, &user, "user.sign-in.failed").await.remove(0);
        assert_eq!(failed["details"]["reason"], "the link was used before", "{failed}");

        // An app, whose code counts once, and the recovery codes beside it.
        api.put(&format!("{path}/required-actions/configure_otp"), &json!({})).await.succeed();
        named(&browser, &account, ANA).await;
        browser.fill("password", PASSWORD).await;
        press(&browser).await;
        let Some((secret, recovery)) = set_app_up(&browser).await else { return };
        is_in(&browser).await;
        was_by(&api, &user, "password+totp").await;
        named(&browser, &account, ANA).await;
        browser.fill("password", PASSWORD).await;
        press(&browser).await;
        browser.sees("Enter the two-step code").await;
        let next = two_steps::code(&secret, 30).unwrap();
        type_code(&browser, &next).await;
        is_in(&browser).await;
        assert_eq!(amr(&api, &user).await, json!(["pwd", "otp", "mfa"]));
        named(&browser, &account, ANA).await;
        browser.fill("password", PASSWORD).await;
        press(&browser).await;
        type_code(&browser, &next).await;
        browser.sees("was used before").await;
        let failed = events(&api, &user, "user.sign-in.failed").await.remove(0);
        assert_eq!(failed["details"]["reason"], "the code was used before", "{failed}");
        browser.click("Use a recovery code instead").await;
        type_code(&browser, &recovery).await;
        is_in(&browser).await;
        was_by(&api, &user, "password+recovery_codes").await;

        // Ten wrong passwords lock; the right one is not looked at until an agent unlocks.
        named(&browser, &account, ANA).await;
        for attempt in 0..10 {
            browser.fill("password", &format!("a wrong one {attempt}")).await;
            press(&browser).await;
            browser.sees(if attempt < 9 { "do not match" } else { "Too many wrong attempts" }).await;
        }
        browser.fill("password", PASSWORD).await;
        press(&browser).await;
        browser.sees("Too many wrong attempts").await;
        let locked = events(&api, &user, "user.authenticator.locked").await.remove(0);
        assert_eq!((&locked["details"]["method"], &locked["device"]), (&json!("password"), &json!("Chrome on Linux")));
        let told = api.get(&format!("{path}/diagnosis")).await.expect(200).json();
        let found = told["findings"].as_array().unwrap().iter().find(|one| one["code"] == "locked").unwrap();
        assert_eq!((&found["severity"], &found["fix"]["action"]), (&json!("blocking"), &json!("unlock")));
        api.post(&format!("{path}/unlock"), &json!({})).await.succeed();
        assert_eq!(events(&api, &user, "user.authenticator.unlocked").await.len(), 1);
        browser.fill("password", PASSWORD).await;
        press(&browser).await;
        browser.sees("Enter the two-step code").await;
        for secret in [&right, &next, &recovery] {
            assert!(!server.log().contains(secret), "a code is in the log");
        }
        browser.quit().await;
        server.verify_audit();
    }

    /// Whatever the order they were required in, and without a session before the last is done.
    async fn everything_that_can_be_required_is_asked_for_in_order_before_the_application_is_reached(database) {
        let (mails, texts) = (MailServer::start().await, Gateway::start().await);
        let mut server = server(database, &mails, &texts).await;
        let api = server.api();
        let Some(browser) = machine().await else { return };
        before_pages(&browser, NO_AUTOFILL).await;
        let callback = texts.url("/callback");
        let new = NewApp { redirect_uri: &callback, ..NewApp::default() };
        let app = App::register(&api, &server.issuer("main"), new).await;
        let user = api.create_person(ANA).await;
        let path = format!("/realms/main/users/{user}");
        api.patch(&path, &json!({ "phone": PHONE, "family_name": null })).await.expect(200);
        let order = [
            "update_password",
            "configure_otp",
            "register_passkey",
            "verify_email",
            "verify_phone",
            "complete_profile",
        ];
        for action in order.iter().rev() {
            api.put(&format!("{path}/required-actions/{action}"), &json!({})).await.succeed();
        }
        let waiting = async || -> Vec<String> {
            let list = api.get(&format!("{path}/required-actions")).await.expect(200).json();
            list["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["type"].as_str().unwrap_or_else(|| panic!("{one}")).to_owned())
                .collect()
        };
        let sessions = async || api.get(&format!("{path}/sessions")).await.expect(200).json()["items"].clone();
        assert_eq!(waiting().await, order);

        let attempt = app.begin();
        browser.open(&attempt.url).await;
        browser.sign_in(ANA, PASSWORD).await;
        browser.sees("Choose a new password").await;
        // The one that there is does not do.
        browser.fill("password", PASSWORD).await;
        browser.fill("password_again", PASSWORD).await;
        browser.click("Save and continue").await;
        browser.find("#password-error").await;
        browser.fill("password", NEW).await;
        browser.fill("password_again", NEW).await;
        browser.click("Save and continue").await;
        browser.sees("Set up two-step sign-in").await;
        assert_eq!(waiting().await, order[1..]);
        if set_app_up(&browser).await.is_none() {
            return;
        }
        browser.sees("With a passkey you sign in").await;
        assert_eq!(waiting().await, order[2..]);
        browser.click("Make a passkey").await;
        browser.sees("Verify your email").await;
        assert_eq!(waiting().await, order[3..]);
        browser.click("Send code").await;
        browser.find("input[name=code]").await;
        let right = digits(&mails.wait_for(ANA, 1).await.raw);
        type_code(&browser, &right).await;
        browser.sees("Verify your phone number").await;
        assert_eq!(waiting().await, order[4..]);
        browser.click("Send code").await;
        browser.find("input[name=code]").await;
        type_code(&browser, &digits(&texts.wait_for(PHONE, 1).await)).await;
        browser.sees("Complete your profile").await;
        assert_eq!(waiting().await, order[5..]);
        browser.click("Continue").await;
        browser.sees("Fill this in.").await;
        assert_eq!(sessions().await, json!([]), "nobody is signed in before the last is done");
        browser.fill("family_name", "Lima").await;
        browser.click("Continue").await;
        browser.sees("You are there").await;
        assert!(waiting().await.is_empty());

        let came_back = browser.url().await.parse().unwrap();
        let tokens = app.exchange(&app.code(&attempt, &came_back), &attempt.verifier).await.expect(200);
        let claims = app.claims(&tokens.str("id_token")).await;
        assert_eq!(claims["sub"], user, "{claims}");
        let info = app.userinfo(&tokens.str("access_token")).await.expect(200).json();
        assert_eq!((&info["family_name"], &info["email_verified"]), (&json!("Lima"), &json!(true)), "{info}");
        assert_eq!(claims["amr"], json!(["pwd", "otp", "hwk", "user", "mfa"]), "{claims}");
        // Each with the application through which it was asked, and what it was done with.
        for (kind, count) in [
            ("user.password.reset-completed", 1),
            ("user.authenticator.registered", 3),
            ("user.email.verified", 1),
            ("user.phone.verified", 1),
            ("user.sign-in.succeeded", 1),
            ("user.session.created", 1),
        ] {
            let found = events(&api, &user, kind).await;
            assert_eq!(found.len(), count, "{kind}: {found:#?}");
            for event in found {
                assert_eq!((&event["client_id"], &event["device"]), (&json!(app.client_id), &json!("Chrome on Linux")));
            }
        }
        let updated = events(&api, &user, "user.updated").await;
        let asked = |event: &Value| event["details"]["required"] == true && event["client_id"] == app.client_id;
        assert!(updated.iter().any(asked));
        browser.quit().await;
        server.verify_audit();
    }

    /// What each reset asks to be made anew, made in the browser; with the sessions and applications there were ended
    /// at their next request, or going on.
    async fn each_reset_is_done_by_its_mailed_link_with_sessions_ended_or_kept(database) {
        let (mails, texts) = (MailServer::start().await, Gateway::start().await);
        let mut server = server(database, &mails, &texts).await;
        let api = server.api();
        let Some(browser) = Browser::start().await else { return };
        browser.devtools("WebAuthn.enable", json!({})).await;
        before_pages(&browser, NO_AUTOFILL).await;
        let account = server.url("/realms/main/account");
        let app = App::register(&api, &server.issuer("main"), NewApp::default()).await;
        for (kind, ends) in ["password", "otp", "passkey"].into_iter().flat_map(|kind| [(kind, true), (kind, false)]) {
            let email = format!("{kind}-{ends}@example.com");
            let user = api.create_person(&email).await;
            let path = format!("/realms/main/users/{user}");
            api.patch(&path, &json!({ "email_state": "verified" })).await.expect(200);
            let before = Person::new();
            let tokens = app.sign_in(&before, &email, PASSWORD).await;
            let is_signed_in = async || before.open(&account).await.page().html.contains("account-main");
            assert!(is_signed_in().await);
            // Somebody who has a passkey gets another, and keeps this one.
            let first = new_device(&browser).await;
            let mut held = Value::Null;
            if kind == "passkey" {
                api.put(&format!("{path}/required-actions/register_passkey"), &json!({})).await.succeed();
                leave(&browser).await;
                browser.open(&account).await;
                browser.sign_in(&email, PASSWORD).await;
                browser.click("Make a passkey").await;
                is_in(&browser).await;
                let all = browser.devtools("WebAuthn.getCredentials", json!({ "authenticatorId": first })).await;
                held = all["credentials"][0].clone();
            }
            browser.devtools("WebAuthn.removeVirtualAuthenticator", json!({ "authenticatorId": first })).await;
            let device = new_device(&browser).await;

            let body = json!({ "which": [kind], "terminate_sessions": ends });
            api.post(&format!("{path}/reset-requests"), &body).await.expect(201);
            assert_eq!(is_signed_in().await, !ends, "{email}");
            let refreshed = app.refresh(&tokens.str("refresh_token")).await;
            assert_eq!(refreshed.status, if ends { 400 } else { 200 }, "{email}: {}", refreshed.text);

            let link = mails.wait_for(&email, 1).await.link();
            leave(&browser).await;
            browser.open(&link).await;
            browser.sees(&email).await;
            browser.click("Continue").await;
            let mut secret = None;
            if kind == "password" {
                browser.sees("The same again").await;
                browser.fill("password", NEW).await;
                browser.fill("password_again", NEW).await;
                browser.click("Save and continue").await;
            } else {
                browser.sees("Enter your password").await;
                browser.fill("password", PASSWORD).await;
                press(&browser).await;
            }
            if kind == "otp" {
                let Some((made, _)) = set_app_up(&browser).await else { return };
                secret = Some(made);
            }
            if kind == "passkey" {
                browser.click("Make a passkey").await;
            }
            is_in(&browser).await;
            let goes_on = is_signed_in().await;
            assert_eq!(goes_on, !ends, "{email}: what was kept goes on, what has ended does not come back");

            // What was made is what they sign in with from now on.
            leave(&browser).await;
            browser.open(&account).await;
            match kind {
                "password" => browser.sign_in(&email, NEW).await,
                "otp" => {
                    browser.sign_in(&email, PASSWORD).await;
                    browser.sees("Enter the two-step code").await;
                    type_code(&browser, &two_steps::code(&secret.unwrap(), 30).unwrap()).await;
                }
                _ => browser.click("Sign in with a passkey").await,
            }
            is_in(&browser).await;
            browser.devtools("WebAuthn.removeVirtualAuthenticator", json!({ "authenticatorId": device })).await;
            if kind == "passkey" {
                let old = new_device(&browser).await;
                let params = json!({ "authenticatorId": old, "credential": held });
                browser.devtools("WebAuthn.addCredential", params).await;
                leave(&browser).await;
                browser.open(&account).await;
                browser.click("Sign in with a passkey").await;
                is_in(&browser).await;
                was_by(&api, &user, "passkey").await;
                browser.devtools("WebAuthn.removeVirtualAuthenticator", json!({ "authenticatorId": old })).await;
            }
            let part = if kind == "password" { "password" } else { "authenticator" };
            let asked = events(&api, &user, &format!("user.{part}.reset-requested")).await.remove(0);
            assert_eq!(
                (&asked["details"]["type"], &asked["details"]["deliver"]),
                (&json!(kind), &json!("mail")),
                "{asked}"
            );
            let done = events(&api, &user, &format!("user.{part}.reset-completed")).await.remove(0);
            assert_eq!(
                (&done["details"]["method"], &done["device"]),
                (&json!("link"), &json!("Chrome on Linux")),
                "{done}"
            );
            leave(&browser).await;
            browser.open(&link).await;
            browser.sees("no longer works").await;
            assert_eq!(api.get(&format!("{path}/reset-requests")).await.json()["items"], json!([]));
        }
        browser.quit().await;
        server.verify_audit();
    }
}
