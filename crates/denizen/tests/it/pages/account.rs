//! The account pages, also with something wrong and something done.

use serde_json::json;

use super::cards::Walk;
use crate::{
    support::{PASSWORD, Person},
    two_steps,
};

const OWN: &str = "owner-of-it@example.com";

pub(super) async fn pages(walk: &Walk) {
    let user = walk.person(OWN).await;
    for definition in [
        json!({ "key": "nickname", "label": "Nickname", "type": "string", "self_service": "edit" }),
        json!({ "key": "plan", "label": "Plan", "type": "string", "self_service": "view", "default": "Basic" }),
    ] {
        walk.api.post("/realms/main/attribute-definitions", &definition).await.expect(201);
    }
    let at = |path: &str| walk.url(&format!("/account{path}"));
    // Another browser of theirs.
    Person::new().sign_in(&at(""), OWN, PASSWORD).await.page();
    walk.signs_in(OWN).await;
    walk.is_in().await;
    for (path, template) in [
        ("", "profile"),
        ("/password", "password"),
        ("/authenticators", "authenticators"),
        ("/passkeys", "passkeys"),
        ("/sessions", "sessions"),
        ("/applications", "applications"),
        ("/activity", "activity"),
        ("/email", "field"),
        ("/phone", "field"),
        ("/username", "field"),
        ("/delete", "delete"),
    ] {
        walk.browser.open(&at(path)).await;
        let name = if path.is_empty() { "-profile".to_owned() } else { path.replace('/', "-") };
        walk.at(&format!("account/{template}"), &format!("account{name}")).await;
    }
    walk.hears_nothing("account pages").await;
    profile(walk, &user).await;
    contact(walk).await;
    app(walk).await;
    if walk.scripts {
        walk.browser.open(&at("/passkeys")).await;
        walk.click("form.passkey button").await;
        walk.done("account/passkeys", "account-passkeys-done").await;
    }
    walk.browser.open(&at("/authenticators")).await;
    walk.at("account/authenticators", "account-authenticators-all").await;
    // Narrow windows have a menu instead of the list at the side.
    walk.browser.evaluate("document.querySelector('.account-menu').open = true").await;
    walk.at("account/authenticators", "account-menu").await;
    walk.browser.open(&at("/sessions")).await;
    walk.click("form.actions button").await;
    walk.done("account/sessions", "account-sessions-done").await;
    deletion(walk).await;
    walk.hears_nothing("the account's changes").await;
}

async fn profile(walk: &Walk, user: &str) {
    walk.browser.open(&walk.url("/account")).await;
    walk.send(&[("given_name", "Olga")]).await;
    walk.done("account/profile", "account-profile-done").await;
    walk.api.patch(user, &json!({ "given_name": "Theirs" })).await.expect(200);
    walk.send(&[("given_name", "Mine"), ("zoneinfo", "Nowhere/Land")]).await;
    walk.wrong("account/profile", "account-profile-wrong").await;

    walk.browser.open(&walk.url("/account/password")).await;
    let wrong = [("current_password", "not the right one"), ("password", "short"), ("password_again", "short")];
    walk.send(&wrong).await;
    walk.wrong("account/password", "account-password-wrong").await;
}

async fn contact(walk: &Walk) {
    walk.browser.open(&walk.url("/account/email")).await;
    walk.send(&[("value", "nobody")]).await;
    walk.wrong("account/field", "account-email-wrong").await;
    walk.send(&[("value", "another@example.com")]).await;
    walk.done("account/profile", "account-email-pending").await;
    walk.browser.open(&walk.mail("another@example.com", 1).await.link()).await;
    walk.at("links/verify_email", "change-email").await;
    walk.go_on().await;
    walk.at("links/verified", "change-email-done").await;
}

async fn app(walk: &Walk) {
    walk.browser.open(&walk.url("/account/authenticators/app")).await;
    walk.at("account/app", "account-app").await;
    walk.send(&[("code", "12")]).await;
    walk.wrong("account/app", "account-app-wrong").await;
    let secret = walk.browser.find("code.secret").await.text().await.unwrap();
    let Some(code) = two_steps::code(&secret, 0) else { return };
    walk.send(&[("code", &code)]).await;
    walk.at("account/codes", "account-codes").await;
    walk.go_on().await;
    walk.at("account/authenticators", "account-authenticators-app").await;
    walk.click(".rows a[href$='/name']").await;
    walk.at("account/field", "account-name").await;
    walk.browser.open(&walk.url("/account/authenticators/recovery-codes")).await;
    walk.at("account/confirm", "account-codes-again").await;
    walk.browser.open(&walk.url("/account/authenticators")).await;
    walk.click(".rows a[href$='/remove']").await;
    walk.at("account/confirm", "account-remove").await;
}

/// The end of an account.
async fn deletion(walk: &Walk) {
    walk.person("leaving@example.com").await;
    walk.signs_in("leaving@example.com").await;
    walk.is_in().await;
    walk.browser.open(&walk.url("/account/delete")).await;
    walk.passes("account/delete").await;
    walk.send(&[("current_password", "not the right one")]).await;
    walk.wrong("account/delete", "account-delete-wrong").await;
    walk.click("input[name=sure]").await;
    walk.send(&[("current_password", PASSWORD)]).await;
    walk.at("account/deleted", "account-deleted").await;
}
