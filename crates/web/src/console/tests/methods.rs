//! The ways to sign in and the second steps, as the settings offer them.

use denizen_model::{
    authenticators::AuthenticatorType,
    realms::{SECOND_FACTORS, SIGN_IN_METHODS},
};
use http::StatusCode;

use super::support::{Browser, OWNER, Page, Server};

/// Saves the settings' form as it stands, with these boxes.
async fn save(agent: &mut Browser<'_>, boxes: &[(&str, &str)]) -> Page {
    let plain = [
        ("display_name", "Main"),
        ("email_as_username", "true"),
        ("password_min_length", "8"),
        ("session_idle_minutes", "10080"),
        ("session_absolute_hours", "720"),
        ("access_token_minutes", "5"),
        ("refresh_token_days", "7"),
        ("audit_retention_days", "365"),
    ];
    let fields: Vec<(&str, &str)> = plain.iter().chain(boxes).copied().collect();
    agent.submit("/admin/main/settings", &fields).await
}

async fn held(server: &Server) -> (Vec<AuthenticatorType>, Vec<AuthenticatorType>) {
    let realm = server.app.main_realm().await.unwrap();
    (realm.realm.settings.sign_in_methods.clone(), realm.realm.settings.second_factors.clone())
}

fn ticked(field: &str, kind: AuthenticatorType) -> String {
    format!("name=\"{field}\" value=\"{kind}\" checked")
}

#[tokio::test]
async fn every_way_has_a_box_and_the_ticked_ones_keep_their_order() {
    use AuthenticatorType::{Passkey, Password, Totp};
    let server = Server::start().await;
    let mut agent = server.signed_in(OWNER).await;
    let page = agent.get("/admin/main/settings").await;
    for kind in SIGN_IN_METHODS {
        page.sees(&format!("name=\"sign_in_methods\" value=\"{kind}\""));
    }
    for kind in SECOND_FACTORS {
        page.sees(&format!("name=\"second_factors\" value=\"{kind}\""));
    }
    page.sees(&ticked("sign_in_methods", Password)).sees(&ticked("second_factors", Totp));
    let only = [
        ("sign_in_methods", "none"),
        ("sign_in_methods", "passkey"),
        ("second_factors", "none"),
        ("second_factors", "totp"),
    ];
    let page = save(&mut agent, &only).await;
    page.sees("The settings are saved.").sees(&ticked("sign_in_methods", Passkey));
    page.lacks(&ticked("sign_in_methods", Password)).lacks(&ticked("second_factors", Passkey));
    assert_eq!(held(&server).await, (vec![Passkey], vec![Totp]));
    // What comes back comes last, and counts once.
    let both = [("sign_in_methods", "none"), ("sign_in_methods", "password"), ("sign_in_methods", "passkey"), only[1]];
    save(&mut agent, &both).await.sees("The settings are saved.");
    assert_eq!(held(&server).await, (vec![Passkey, Password], vec![Totp]));
    // A form without the boxes leaves them.
    save(&mut agent, &[]).await.sees("The settings are saved.");
    assert_eq!(held(&server).await, (vec![Passkey, Password], vec![Totp]));
}

#[tokio::test]
async fn at_least_one_way_is_ticked_and_none_that_cannot_stand_there() {
    let server = Server::start().await;
    let mut agent = server.signed_in(OWNER).await;
    let before = held(&server).await;
    let none = save(&mut agent, &[("sign_in_methods", "none")]).await;
    none.is(StatusCode::UNPROCESSABLE_ENTITY)
        .sees("Name at least one.")
        .sees("aria-describedby=\"sign_in_methods-error\"");
    none.lacks(&ticked("sign_in_methods", AuthenticatorType::Password));
    let none = save(&mut agent, &[("second_factors", "none")]).await;
    none.is(StatusCode::UNPROCESSABLE_ENTITY).sees("or let second_factor be never");
    let wrong = save(&mut agent, &[("second_factors", "none"), ("second_factors", "password")]).await;
    wrong.is(StatusCode::UNPROCESSABLE_ENTITY).sees("password cannot stand here");
    assert_eq!(held(&server).await, before);
    save(&mut agent, &[("second_factors", "none"), ("second_factor", "never")]).await.sees("The settings are saved.");
}

#[tokio::test]
async fn what_is_not_configured_is_said_beside_its_box() {
    let server = Server::start().await;
    server.signed_in(OWNER).await.get("/admin/main/settings").await.sees("Both steps at once").lacks("Not offered yet");
    let server = Server::start_at("http://127.0.0.1:7000").await;
    let page = server.signed_in(OWNER).await.get("/admin/main/settings").await;
    page.sees("Not offered yet: the public address has no host name.").lacks("no SMS gateway is configured.");
}
