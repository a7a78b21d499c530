//! Passkeys in a real browser, with Chromium's own authenticator in software.

use serde_json::{Value, json};

use crate::{
    pages::Looker,
    support::{Api, Browser, Database, PASSWORD, Server},
};

const ANA: &str = "ana@example.com";
/// Runs before a page's own script: the browser has no autofill of passkeys.
pub(crate) const NO_AUTOFILL: &str =
    "if (window.PublicKeyCredential) PublicKeyCredential.isConditionalMediationAvailable = async () => false;";
/// It has no passkeys at all.
const NO_PASSKEYS: &str = "Object.defineProperty(window, 'PublicKeyCredential', { value: undefined });";

/// A server whose public address has a name: passkeys belong to one.
async fn server() -> Server {
    let server = Server::prepare(Database::sqlite());
    let url = format!("http://localhost:{}", server.port());
    let mut server = server.at_public_url(&url);
    server.launch().await;
    server
}

/// A browser on a machine whose user is there and is verified at every question.
pub(crate) async fn machine() -> Option<Browser> {
    let browser = Browser::start().await?;
    browser.devtools("WebAuthn.enable", json!({})).await;
    new_device(&browser).await;
    Some(browser)
}

/// A device that holds no passkey yet; answers what it is called.
pub(crate) async fn new_device(browser: &Browser) -> Value {
    let options = json!({
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": true, "hasUserVerification": true,
        "isUserVerified": true, "automaticPresenceSimulation": true,
    });
    browser.devtools("WebAuthn.addVirtualAuthenticator", json!({ "options": options })).await["authenticatorId"].clone()
}

/// Runs a script before those of every page from now on; answers how it is taken back.
pub(crate) async fn before_pages(browser: &Browser, script: &str) -> Value {
    let added = browser.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": script })).await;
    json!({ "identifier": added["identifier"] })
}

async fn forget(browser: &Browser, script: Value) {
    browser.devtools("Page.removeScriptToEvaluateOnNewDocument", script).await;
}

pub(crate) async fn leave(browser: &Browser) {
    browser.driver().delete_all_cookies().await.unwrap();
}

/// Waits for the account page proper, not the sign-in that stands at its address.
pub(crate) async fn is_in(browser: &Browser) {
    browser.find(".account-main").await;
}

pub(crate) async fn amr(api: &Api, user: &str) -> Value {
    let sessions = api.get(&format!("/realms/main/users/{user}/sessions")).await.expect(200).json();
    sessions["items"][0]["amr"].clone()
}

/// Made because it was required, used by the button, by autofill, and as the second factor.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_passkey_is_made_and_signs_in_by_button_by_autofill_and_as_the_second_factor() {
    let mut server = server().await;
    let api = server.api();
    let Some(browser) = machine().await else { return };
    let user = api.create_person(ANA).await;
    let path = format!("/realms/main/users/{user}");
    let account = server.url("/realms/main/account");
    api.put(&format!("{path}/required-actions/register_passkey"), &json!({})).await.succeed();
    browser.open(&account).await;
    browser.sign_in(ANA, PASSWORD).await;
    browser.click("Make a passkey").await;
    is_in(&browser).await;
    let list = api.get(&format!("{path}/authenticators")).await.expect(200).json();
    let made = list["items"].as_array().unwrap().iter().find(|one| one["type"] == "passkey").unwrap().clone();
    assert_eq!((&made["label"], &made["status"]), (&json!("Chrome on Linux"), &json!("active")), "{made}");
    let waiting = api.get(&format!("{path}/required-actions")).await.expect(200).json();
    assert_eq!(waiting["items"], json!([]));
    let found = api.get("/realms/main/users?authenticator=passkey").await.expect(200).json();
    assert_eq!((found["items"].as_array().unwrap().len(), &found["items"][0]["id"]), (1, &json!(user)), "{found}");

    // By the button; nobody says who they are.
    let script = before_pages(&browser, NO_AUTOFILL).await;
    leave(&browser).await;
    browser.open(&account).await;
    browser.click("Sign in with a passkey").await;
    is_in(&browser).await;
    assert_eq!(amr(&api, &user).await, json!(["hwk", "user", "mfa"]));
    let events = api.get(&format!("{path}/events?type=user.sign-in.succeeded")).await.expect(200).json();
    assert_eq!(events["items"][0]["details"]["method"], "passkey", "{events}");

    // As the second factor, after a password.
    api.patch("/realms/main/settings", &json!({ "second_factor": "always" })).await.expect(200);
    leave(&browser).await;
    browser.open(&account).await;
    browser.sign_in(ANA, PASSWORD).await;
    browser.sees("One more step").await;
    browser.click("Use a passkey").await;
    is_in(&browser).await;
    assert_eq!(amr(&api, &user).await, json!(["pwd", "hwk", "user", "mfa"]));
    forget(&browser, script).await;

    // By autofill: nothing is pressed, nothing is typed.
    leave(&browser).await;
    let before = api.get(&format!("{path}/sessions")).await.expect(200).json()["items"].as_array().unwrap().len();
    browser.open(&account).await;
    is_in(&browser).await;
    let after = api.get(&format!("{path}/sessions")).await.expect(200).json()["items"].as_array().unwrap().len();
    assert_eq!(after, before + 1);

    // Switched off, it is refused, and the browser does not try again by itself.
    let one = made["id"].as_str().unwrap();
    api.post(&format!("{path}/authenticators/{one}/deactivate"), &json!({})).await.succeed();
    leave(&browser).await;
    browser.open(&account).await;
    browser.sees("This passkey did not work here.").await;
    let events = api.get(&format!("{path}/events?type=user.sign-in.failed")).await.expect(200).json();
    assert_eq!(events["items"].as_array().unwrap().len(), 1, "{events}");
    assert_eq!(events["items"][0]["details"]["reason"], "the authenticator is locked or switched off");
    browser.quit().await;
    server.verify_audit();
}

/// Each page of it, and what it says where something is missing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_passkey_page_is_for_everybody() {
    let mut server = server().await;
    let api = server.api();
    let Some(browser) = machine().await else { return };
    let look = Looker::new();
    let user = api.create_person(ANA).await;
    let account = server.url("/realms/main/account");
    let own = server.url("/realms/main/account/passkeys");
    let quiet = before_pages(&browser, NO_AUTOFILL).await;
    let asked = format!("/realms/main/users/{user}/required-actions/register_passkey");
    api.put(&asked, &json!({})).await.succeed();

    look.visit(&browser, &account, "passkey-sign-in").await;
    let field = browser.find("input[name=identifier]").await;
    assert_eq!(field.attr("autocomplete").await.unwrap().as_deref(), Some("username webauthn"));
    browser.sign_in(ANA, PASSWORD).await;
    browser.find_named("Make a passkey").await;
    look.keep(&browser, "passkey-make").await;
    browser.click("Make a passkey").await;
    is_in(&browser).await;
    look.visit(&browser, &own, "account-passkeys").await;
    // The machine has one already.
    browser.click("Add a passkey").await;
    browser.sees("This device holds a passkey for this account already.").await;
    look.keep(&browser, "account-passkeys-known").await;
    for (name, title, tag) in
        [("Deutsch", "Ihre Passkeys", "de"), ("العربية", "مفاتيح مرورك", "ar"), ("English", "Your passkeys", "en")]
    {
        browser.find(".languages > summary").await.click().await.unwrap();
        browser.click(name).await;
        browser.sees(title).await;
        look.keep(&browser, &format!("{tag}-account-passkeys")).await;
    }

    api.patch("/realms/main/settings", &json!({ "second_factor": "always" })).await.expect(200);
    api.post(&format!("/realms/main/users/{user}/recovery-codes"), &json!({})).await.succeed();
    leave(&browser).await;
    browser.open(&account).await;
    browser.sign_in(ANA, PASSWORD).await;
    browser.find_named("Use a passkey").await;
    look.keep(&browser, "second-factor-passkey").await;
    // Another way, and back.
    browser.find(".card-links a").await.click().await.unwrap();
    browser.find("input[name=code]").await;
    look.keep(&browser, "second-factor-other-way").await;
    browser.click("Use a passkey instead").await;
    browser.sees("One more step").await;

    // A wrong one, and somebody who presses "cancel".
    leave(&browser).await;
    browser.open(&account).await;
    let tampered = "document.querySelector('form.passkey [name=answer]').value = '{}'; document.querySelector('form.passkey').submit()";
    browser.evaluate(tampered).await;
    browser.sees("This passkey did not work here.").await;
    look.keep(&browser, "passkey-wrong").await;
    browser.evaluate("navigator.credentials.get = () => Promise.reject(new DOMException('', 'NotAllowedError'))").await;
    browser.click("Sign in with a passkey").await;
    browser.sees("No passkey was used").await;
    look.keep(&browser, "passkey-cancelled").await;
    forget(&browser, quiet).await;
    browser.complaints().await;

    // A browser without passkeys, and one without script.
    api.put(&asked, &json!({})).await.succeed();
    api.patch("/realms/main/settings", &json!({ "second_factor": "never" })).await.expect(200);
    let bare = before_pages(&browser, NO_PASSKEYS).await;
    browser.open(&account).await;
    browser.sign_in(ANA, PASSWORD).await;
    browser.sees("This browser cannot make passkeys.").await;
    assert!(!browser.text().await.contains("PIN of your device.\nMake a passkey"), "{}", browser.text().await);
    look.keep(&browser, "passkey-make-missing").await;
    forget(&browser, bare).await;
    browser.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
    browser.open(&account).await;
    browser.sees("Passkeys need JavaScript.").await;
    browser.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": false })).await;
    let complaints = browser.complaints().await;
    assert!(complaints.is_empty(), "{complaints:#?}");
    browser.quit().await;
    look.is_content();
}
