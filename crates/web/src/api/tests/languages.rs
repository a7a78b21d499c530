//! The settings about languages.

use axum::http::StatusCode;
use denizen_model::permissions::AdminRole;
use serde_json::{Value, json};

use super::{Answer, Fixture};

const PATH: &str = "/realms/main/settings";

async fn patch(fixture: &Fixture, key: &str, body: &Value) -> Answer {
    fixture.call(key, "PATCH", PATH, &[], Some(body)).await
}

#[tokio::test]
async fn a_realm_offers_languages_and_has_a_default_one() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    let read = fixture.get(&key, PATH).await;
    assert_eq!(
        (&read.body["locale"], &read.body["locales"]),
        (&json!("en"), &json!(["en", "de", "es", "fr", "ja", "ar"]))
    );
    let changed = patch(&fixture, &key, &json!({ "locale": "ja", "locales": ["ja", "en"] })).await;
    assert_eq!((changed.status, &changed.body["locales"]), (StatusCode::OK, &json!(["ja", "en"])), "{}", changed.body);
    for (body, field) in [
        (json!({ "locale": "de" }), "locale"),
        (json!({ "locale": "xx" }), "locale"),
        (json!({ "locales": [] }), "locales"),
        (json!({ "locales": ["ja", "ja"] }), "locales"),
    ] {
        let refused = patch(&fixture, &key, &body).await;
        assert_eq!((refused.status, refused.wrong()), (StatusCode::UNPROCESSABLE_ENTITY, vec![field]), "{body}");
    }
    let unknown = patch(&fixture, &key, &json!({ "locales": ["ja", "tlh"] })).await;
    assert_eq!(unknown.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(unknown.wrong()[0].starts_with("locales"), "{}", unknown.body);
    let support = fixture.key(AdminRole::Support).await;
    let forbidden = fixture.call(&support, "PATCH", PATH, &[], Some(&json!({ "locale": "en" }))).await;
    assert_eq!(forbidden.status, StatusCode::FORBIDDEN);
}
