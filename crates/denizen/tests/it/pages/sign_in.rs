//! The pages of a sign-in.

use serde_json::json;

use super::cards::Walk;
use crate::{
    support::{App, PASSWORD},
    two_steps,
};

const NEW: &str = "another long horse battery";

/// The password, and what is sent instead of it.
pub(super) async fn ways_in(walk: &Walk, app: &App) {
    walk.person("sample@example.com").await;
    walk.browser.open(&app.begin().url).await;
    walk.at("sign_in/identifier", "sign-in-identifier").await;
    walk.click(".languages > summary").await;
    walk.at("sign_in/identifier", "sign-in-languages").await;
    walk.browser.evaluate("document.documentElement.className = 'before'").await;
    walk.click(".languages button[aria-current]").await;
    walk.browser.shows_with("card/sign_in/identifier.html", "html:not(.before)").await;
    walk.send_anyway(&[]).await;
    walk.wrong("sign_in/identifier", "sign-in-identifier-wrong").await;
    walk.send(&[("identifier", "sample@example.com")]).await;
    walk.at("sign_in/password", "sign-in-password").await;
    walk.send(&[("password", "not the right one")]).await;
    walk.wrong("sign_in/password", "sign-in-wrong").await;

    // A code.
    walk.named("sample@example.com").await;
    walk.click("form.ways button[value=email_code]").await;
    walk.at("sign_in/sent", "sign-in-code").await;
    walk.send(&[("code", "12")]).await;
    walk.wrong("sign_in/sent", "sign-in-code-wrong").await;
    walk.send(&[("code", &walk.code("sample@example.com", 1).await)]).await;
    walk.is_in().await;

    // A link.
    walk.person("link@example.com").await;
    walk.named("link@example.com").await;
    walk.click("form.ways button[value=magic_link]").await;
    walk.at("sign_in/sent", "sign-in-link-sent").await;
    let link = walk.mail("link@example.com", 1).await.link();
    walk.browser.open(&link).await;
    walk.at("links/reset", "sign-in-link").await;
    walk.go_on().await;
    walk.is_in().await;
    walk.browser.open(&link).await;
    walk.at("error", "sign-in-link-used").await;

    // A new password for a forgotten one.
    walk.person("forgetful@example.com").await;
    walk.named("forgetful@example.com").await;
    walk.click(".card-links a[href*=forgot-password]").await;
    walk.at("sign_in/forgot", "forgot").await;
    walk.send_anyway(&[("identifier", "")]).await;
    walk.wrong("sign_in/forgot", "forgot-wrong").await;
    walk.send(&[("identifier", "forgetful@example.com")]).await;
    walk.at("sign_in/forgot_sent", "forgot-sent").await;
    walk.browser.open(&walk.mail("forgetful@example.com", 1).await.link()).await;
    walk.at("links/reset", "forgot-link").await;
    walk.go_on().await;
    walk.at("sign_in/update_password", "forgot-new").await;
    walk.send(&[("password", "short"), ("password_again", "other")]).await;
    walk.wrong("sign_in/update_password", "forgot-new-wrong").await;
    walk.send(&[("password", NEW), ("password_again", NEW)]).await;
    walk.is_in().await;
    walk.hears_nothing("ways in").await;
}

pub(super) async fn ways_without_a_password(walk: &Walk) {
    walk.set(json!({ "sign_in_methods": ["email_code", "sms_code", "magic_link"] })).await;
    walk.named("sample@example.com").await;
    walk.at("sign_in/ways", "ways").await;
    walk.click("form.ways button[value=email_code]").await;
    walk.at("sign_in/sent", "ways-code").await;
    walk.click("form.ways button[value=sms_code]").await;
    walk.with("sign_in/sent", "input[name=method][value=sms_code]", "ways-sms").await;
    walk.set(json!({ "sign_in_methods": ["passkey"] })).await;
    walk.named("sample@example.com").await;
    walk.at("sign_in/ways", "ways-none").await;
    walk.hears_nothing("ways without a password").await;
}

/// What people must do before they get where they want to go.
pub(super) async fn required_actions(walk: &Walk) {
    walk.asked("update@example.com", "update_password").await;
    walk.signs_in("update@example.com").await;
    walk.at("sign_in/update_password", "update-password").await;
    walk.send(&[("password", NEW), ("password_again", NEW)]).await;
    walk.is_in().await;

    let user = format!("/realms/main/users/{}", walk.api.create_person("confirm@example.com").await);
    walk.api.put(&format!("{user}/required-actions/verify_email"), &json!({})).await.succeed();
    walk.signs_in("confirm@example.com").await;
    walk.at("sign_in/verify", "confirm-email").await;
    walk.click(".card form .btn").await;
    walk.with("sign_in/verify", "input[name=code]", "confirm-email-sent").await;
    walk.send(&[("code", "12")]).await;
    walk.wrong("sign_in/verify", "confirm-email-wrong").await;
    walk.send(&[("code", &walk.code("confirm@example.com", 1).await)]).await;
    walk.is_in().await;

    let user = walk.person("phone@example.com").await;
    walk.api.patch(&user, &json!({ "phone": "+493012345678" })).await.expect(200);
    walk.api.put(&format!("{user}/required-actions/verify_phone"), &json!({})).await.succeed();
    walk.signs_in("phone@example.com").await;
    walk.at("sign_in/verify", "confirm-phone").await;
    walk.click(".card form .btn").await;
    walk.with("sign_in/verify", "input[name=code]", "confirm-phone-sent").await;

    // Names, and what else the realm must know.
    let nameless = json!({ "kind": "human", "email": "nameless@example.com", "password": PASSWORD });
    let id = walk.api.post("/realms/main/users", &nameless).await.expect(201).str("id");
    walk.api.put(&format!("/realms/main/users/{id}/required-actions/complete_profile"), &json!({})).await.succeed();
    let choices = json!({ "choices": [{ "value": "red", "label": "Red" }, { "value": "blue", "label": "Blue" }] });
    let colour = json!({ "key": "colour", "label": "Colour", "type": "choice", "required": true, "self_service": "edit", "validation": choices });
    let colour = walk.api.post("/realms/main/attribute-definitions", &colour).await.expect(201).str("id");
    walk.signs_in("nameless@example.com").await;
    walk.at("sign_in/complete_profile", "complete-profile").await;
    walk.go_on().await;
    walk.wrong("sign_in/complete_profile", "complete-profile-wrong").await;
    walk.click("select[name$=colour] option[value=red]").await;
    walk.send(&[("given_name", "Nele"), ("family_name", "Ohne")]).await;
    walk.is_in().await;
    walk.api.delete(&format!("/realms/main/attribute-definitions/{colour}")).await.succeed();
    walk.hears_nothing("required actions").await;
}

/// Setting them up at a sign-in, and being asked for them at the next.
pub(super) async fn second_factors(walk: &Walk) {
    walk.asked("app@example.com", "configure_otp").await;
    walk.signs_in("app@example.com").await;
    walk.at("sign_in/configure_otp", "configure-otp").await;
    walk.send(&[("code", "12")]).await;
    walk.wrong("sign_in/configure_otp", "configure-otp-wrong").await;
    let secret = walk.browser.find("code.secret").await.text().await.unwrap();
    if let Some(code) = two_steps::code(&secret, 0) {
        walk.send(&[("code", &code)]).await;
        walk.at("sign_in/recovery_codes", "recovery-codes").await;
        let recovery = walk.browser.find(".codes code").await.text().await.unwrap();
        walk.go_on().await;
        walk.is_in().await;
        walk.signs_in("app@example.com").await;
        walk.at("sign_in/second_factor", "second-factor").await;
        walk.send(&[("code", &code)]).await;
        walk.wrong("sign_in/second_factor", "second-factor-wrong").await;
        walk.send(&[("code", &two_steps::code(&secret, 30).unwrap())]).await;
        walk.is_in().await;
        walk.signs_in("app@example.com").await;
        walk.passes("sign_in/second_factor").await;
        walk.click(".card-links a[href*='method=recovery_codes']").await;
        walk.with("sign_in/second_factor", "input[name=code][autocomplete=off]", "second-factor-recovery").await;
        walk.send(&[("code", &recovery)]).await;
        walk.is_in().await;
    }

    walk.set(json!({ "second_factor": "always", "second_factors": ["email_code", "passkey", "totp"] })).await;
    walk.person("mailed@example.com").await;
    walk.signs_in("mailed@example.com").await;
    walk.at("sign_in/send_code", "second-factor-send").await;
    walk.go_on().await;
    walk.at("sign_in/sent", "second-factor-code").await;
    walk.send(&[("code", &walk.code("mailed@example.com", 1).await)]).await;
    walk.is_in().await;
    walk.set(json!({ "second_factor": "when_set_up" })).await;

    walk.asked("keys@example.com", "register_passkey").await;
    walk.signs_in("keys@example.com").await;
    walk.at("sign_in/register_passkey", "passkey-make").await;
    if walk.scripts {
        walk.click("form.passkey button").await;
        walk.is_in().await;
        walk.set(json!({ "second_factor": "always", "second_factors": ["passkey", "email_code"] })).await;
        walk.signs_in("keys@example.com").await;
        walk.at("sign_in/second_factor_passkey", "second-factor-passkey").await;
        walk.click(".card-links a[href*='method=email_code']").await;
        walk.at("sign_in/send_code", "second-factor-other").await;
        walk.set(json!({ "second_factor": "when_set_up", "second_factors": ["totp", "passkey"] })).await;
    }
    walk.hears_nothing("second factors").await;
}
