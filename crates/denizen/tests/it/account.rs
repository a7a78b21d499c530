//! The account pages in a real browser: what people change of how they sign in.

use serde_json::json;

use crate::{
    support::{Browser, PASSWORD, Server},
    two_steps,
};

const NEW: &str = "seven green bicycles";

on_both_engines! {
    /// Somebody changes their name and password, sets up an app, and signs in with both; their other browser is out.
    async fn people_look_after_their_own_account(database) {
        let mut server = Server::start(database).await;
        let api = server.api();
        let user = api.create_person("ana@example.com").await;
        let (Some(browser), Some(other)) = (Browser::start().await, Browser::start().await) else { return };
        let account = server.url("/realms/main/account");
        for one in [&browser, &other] {
            one.open(&account).await;
            one.sign_in("ana@example.com", PASSWORD).await;
            one.comes_to("/realms/main/account").await;
        }

        browser.fill("given_name", "Anna").await;
        browser.click("Save changes").await;
        browser.sees("Your profile is saved").await;

        browser.click("Password").await;
        browser.comes_to("/account/password").await;
        browser.fill("current_password", PASSWORD).await;
        browser.fill("password", NEW).await;
        browser.fill("password_again", NEW).await;
        browser.click("Change password").await;
        browser.sees("your other sessions have ended").await;
        other.open(&account).await;
        other.find("input[name=identifier]").await;

        browser.click("Ways to sign in").await;
        browser.comes_to("/account/authenticators").await;
        browser.click("Set up: Authenticator app").await;
        let secret = browser.find("code.secret").await.text().await.unwrap();
        if let Some(code) = two_steps::code(&secret, 0) {
            browser.fill("code", &code).await;
            browser.click("Turn on").await;
            browser.sees("Keep these recovery codes").await;
            let recovery = browser.find(".codes code").await.text().await.unwrap();
            browser.click("I have kept them").await;
            browser.sees("10 codes left").await;
            browser.is_content().await;

            other.sign_in("ana@example.com", NEW).await;
            other.click("Use a recovery code instead").await;
            other.fill("code", &recovery).await;
            other.click("Continue").await;
            other.sees("Anna").await;
            other.open(&server.url("/realms/main/account/authenticators")).await;
            other.sees("9 codes left").await;

            let list = api.get(&format!("/realms/main/users/{user}/authenticators")).await.expect(200).json();
            let kinds: Vec<&str> =
                list["items"].as_array().unwrap().iter().map(|one| one["type"].as_str().unwrap()).collect();
            assert_eq!(kinds, ["password", "totp", "recovery_codes"]);
        }

        // The end, where the realm lets people decide that.
        api.patch("/realms/main/settings", &json!({ "self_deletion": true })).await.expect(200);
        browser.open(&account).await;
        browser.click("Delete account…").await;
        browser.fill("current_password", NEW).await;
        browser.find("input[name=sure]").await.click().await.unwrap();
        browser.click("Delete account").await;
        browser.sees("Your account is deleted").await;
        api.get(&format!("/realms/main/users/{user}")).await.expect(404);
        browser.is_content().await;
        browser.quit().await;
        other.quit().await;
        server.verify_audit();
    }
}
