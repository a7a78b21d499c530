use denizen_model::attribute_definitions::AttributeSpec;
use denizen_ops::{attribute_definitions, users};
use http::StatusCode;
use serde_json::json;

use super::{ACCOUNT, ANA, at_home, kinds, own_events};
use crate::console::tests::support::Server;

async fn define(server: &Server, key: &str, spec: serde_json::Value) {
    let cx = server.system();
    let main = server.app.main_realm().await.unwrap().realm.id;
    let spec: AttributeSpec = serde_json::from_value(spec).unwrap();
    attribute_definitions::create(&server.app, &cx, cx.may(main).unwrap(), key, spec).await.unwrap();
}

#[tokio::test]
async fn people_change_their_names_language_and_zone() {
    let server = Server::start().await;
    let id = server.person(ANA, "Ana", None).await;
    let mut ana = at_home(&server, ANA).await;
    let page = ana.get(ACCOUNT).await;
    page.is(StatusCode::OK).sees("value=\"Ana\"").sees("<option value=\"Europe/Berlin\">").sees("Deutsch");
    let version = page.hidden("version");
    let typed = |zone| {
        [
            ("version", version.as_str()),
            ("given_name", "Anna"),
            ("family_name", "Lima"),
            ("locale", "de"),
            ("zoneinfo", zone),
        ]
    };
    let refused = ana.post(ACCOUNT, &typed("Europe/Atlantis")).await;
    refused.is(StatusCode::UNPROCESSABLE_ENTITY).sees("Choose a time zone from the list").sees("value=\"Anna\"");
    server.pass(std::time::Duration::from_secs(1));
    let saved = ana.submit(ACCOUNT, &typed("Europe/Berlin")).await;
    // From now on the pages are in their language.
    saved.is(StatusCode::OK).sees("Ihr Profil ist gespeichert.").sees("Anna Lima").sees("lang=\"de\"");
    let events = own_events(&server, id).await;
    assert_eq!(kinds(&events)[0], "user.updated");
    assert_eq!(events[0].1["changes"]["given_name"], json!({"before": "Ana", "after": "Anna"}));
}

#[tokio::test]
async fn a_save_over_a_newer_change_is_refused_and_shows_both() {
    let server = Server::start().await;
    let id = server.person(ANA, "Ana", None).await;
    let mut ana = at_home(&server, ANA).await;
    let version = ana.get(ACCOUNT).await.hidden("version");
    let cx = server.system();
    let main = server.app.main_realm().await.unwrap().realm.id;
    let patch = users_patch("Anastasia");
    users::update(&server.app, &cx, cx.may(main).unwrap(), id, patch, None).await.unwrap();
    let typed = [("version", version.as_str()), ("given_name", "Anna"), ("family_name", "")];
    let refused = ana.post(ACCOUNT, &typed).await;
    refused.is(StatusCode::UNPROCESSABLE_ENTITY).sees("was changed elsewhere").sees("value=\"Anna\"");
    refused.sees("Stored now: Anastasia");
    let version = refused.hidden("version");
    let typed = [("version", version.as_str()), ("given_name", "Anna"), ("family_name", "")];
    ana.submit(ACCOUNT, &typed).await.sees("Your profile is saved.").sees("value=\"Anna\"");
    // No page of ours makes a form without a version.
    let refused = ana.post(ACCOUNT, &[("given_name", "Eve")]).await;
    refused.is(StatusCode::UNPROCESSABLE_ENTITY);
}

fn users_patch(given_name: &str) -> denizen_model::users::UserPatch {
    denizen_model::users::UserPatch {
        given_name: Some(Some(given_name.to_owned())),
        ..denizen_model::users::UserPatch::default()
    }
}

#[tokio::test]
async fn of_attributes_they_see_and_change_what_the_definitions_let_them() {
    let server = Server::start().await;
    let id = server.person(ANA, "Ana", None).await;
    define(&server, "nick", json!({"label": "Nickname", "type": "string", "self_service": "edit"})).await;
    let seats = json!({"label": "Seats", "type": "integer", "self_service": "edit", "validation": {"maximum": 9}});
    define(&server, "seats", seats).await;
    define(&server, "plan", json!({"label": "Plan", "type": "string", "self_service": "view"})).await;
    define(&server, "score", json!({"label": "Score", "type": "integer"})).await;
    let cx = server.system();
    let main = server.app.main_realm().await.unwrap().realm.id;
    let attributes = json!({"plan": "gold", "score": 3, "free": "text"}).as_object().cloned();
    let patch = denizen_model::users::UserPatch { attributes, ..denizen_model::users::UserPatch::default() };
    users::update(&server.app, &cx, cx.may(main).unwrap(), id, patch, None).await.unwrap();
    let mut ana = at_home(&server, ANA).await;
    let page = ana.get(ACCOUNT).await;
    page.sees("Nickname")
        .sees("At most 9.")
        .sees("Plan")
        .sees("gold")
        .lacks("attributes.score")
        .lacks("name=\"attributes.plan\"");
    let version = page.hidden("version");
    let typed = [("version", version.as_str()), ("given_name", "Ana"), ("attributes.seats", "many")];
    let refused = ana.post(ACCOUNT, &typed).await;
    refused.is(StatusCode::UNPROCESSABLE_ENTITY).sees("Must be a whole number.").sees("value=\"many\"");
    let typed = [("version", version.as_str()), ("given_name", "Ana"), ("attributes.seats", "12")];
    ana.post(ACCOUNT, &typed).await.is(StatusCode::UNPROCESSABLE_ENTITY).sees("value=\"12\"");
    // What is not theirs to change is not read, whatever is sent; nor are fields that the page does not have.
    let typed = [
        ("version", version.as_str()),
        ("given_name", "Ana"),
        ("attributes.nick", "Annie"),
        ("attributes.seats", "4"),
        ("attributes.plan", "platinum"),
        ("attributes.score", "100"),
        ("attributes.free", "other"),
        ("attributes.made_up", "x"),
        ("email", "eve@example.com"),
        ("email_state", "verified"),
        ("username", "eve"),
        ("reference", "1"),
    ];
    ana.submit(ACCOUNT, &typed).await.is(StatusCode::OK).sees("Your profile is saved.").sees("Annie");
    let user = users::get(&server.app, &cx, cx.may(main).unwrap(), id).await.unwrap();
    let expected = json!({"nick": "Annie", "seats": 4, "plan": "gold", "score": 3, "free": "text"});
    assert_eq!(serde_json::Value::Object(user.attributes), expected);
    assert_eq!((user.username.as_str(), user.email.as_deref(), user.reference), (ANA, Some(ANA), None));
}
