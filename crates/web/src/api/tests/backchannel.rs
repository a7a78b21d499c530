//! Where clients are told of the end of sessions.

use axum::http::StatusCode;
use denizen_model::permissions::AdminRole;
use serde_json::{Value, json};

use super::Fixture;

#[tokio::test]
async fn a_client_says_where_it_is_told_of_the_end_of_sessions() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    let new = |uri: &str| {
        json!({"name": "App", "type": "public", "redirect_uris": ["https://app.example.com/cb"],
            "backchannel_logout_uri": uri, "backchannel_logout_session_required": true})
    };
    for bad in
        ["http://app.example.com/x", "https://169.254.169.254/", "https://[fe80::1]/", "com.example.app:/x", "nonsense"]
    {
        let refused = fixture.call(&key, "POST", "/realms/main/clients", &[], Some(&new(bad))).await;
        assert_eq!(refused.wrong(), ["backchannel_logout_uri"], "{bad}: {}", refused.body);
    }
    let uri = "https://app.example.com/backchannel-logout";
    let made = fixture.call(&key, "POST", "/realms/main/clients", &[], Some(&new(uri))).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    assert_eq!(made.body["backchannel_logout_uri"], uri);
    assert_eq!(made.body["backchannel_logout_session_required"], true);
    let path = format!("/realms/main/clients/{}", made.body["id"].as_str().unwrap());
    // What is absent stays; nothing is cleared by oversight.
    let renamed = fixture.call(&key, "PATCH", &path, &[], Some(&json!({"name": "Application"}))).await;
    assert_eq!(renamed.body["backchannel_logout_uri"], uri);
    let refused = fixture.call(&key, "PATCH", &path, &[], Some(&json!({"backchannel_logout_uri": null}))).await;
    assert_eq!(refused.wrong(), ["backchannel_logout_session_required"], "{}", refused.body);
    let both = json!({"backchannel_logout_uri": null, "backchannel_logout_session_required": false});
    let cleared = fixture.call(&key, "PATCH", &path, &[], Some(&both)).await;
    assert_eq!((cleared.status, &cleared.body["backchannel_logout_uri"]), (StatusCode::OK, &Value::Null));
    assert_eq!(fixture.get(&key, &path).await.body["backchannel_logout_session_required"], false);
    let auditor = fixture.key(AdminRole::Auditor).await;
    let forbidden = fixture.call(&auditor, "PATCH", &path, &[], Some(&both)).await;
    assert_eq!(forbidden.status, StatusCode::FORBIDDEN);
}
