//! What agents require of people's own records.

use denizen_model::permissions::AdminRole;
use serde_json::{Value, json};

use super::Fixture;

fn kinds(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|one| one["type"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_is_required_is_listed_in_its_order_and_goes_when_it_is_done() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    let made = fixture.post(&key, "/realms/main/users", json!({"kind": "human", "email": "ana@example.com"})).await;
    let ana = format!("/realms/main/users/{}", made.body["id"].as_str().unwrap());
    let one = |action: &str| format!("{ana}/required-actions/{action}");
    for action in ["complete_profile", "verify_phone", "verify_email", "verify_email"] {
        let put = fixture.call(&key, "PUT", &one(action), &[], None).await;
        assert_eq!(put.status, 204, "{action}: {}", put.body);
    }
    let listed = fixture.get(&key, &format!("{ana}/required-actions")).await.body;
    assert_eq!(kinds(&listed), ["verify_email", "verify_phone", "complete_profile"]);
    // The list of users finds them by it.
    let found = fixture.get(&key, "/realms/main/users?required_action=verify_email").await.body;
    assert_eq!(found["items"].as_array().map(Vec::len), Some(1), "{found}");
    // An agent verifies the email: nothing waits for it any more.
    let verified = json!({"email_state": "verified"});
    let patched = fixture.call(&key, "PATCH", &ana, &[], Some(&verified)).await;
    assert_eq!(patched.status, 200, "{}", patched.body);
    let listed = fixture.get(&key, &format!("{ana}/required-actions")).await.body;
    assert_eq!(kinds(&listed), ["verify_phone", "complete_profile"]);
    let found = fixture.get(&key, "/realms/main/users?required_action=verify_email").await.body;
    assert_eq!(found["items"].as_array().map(Vec::len), Some(0), "{found}");
    let again = fixture.call(&key, "PUT", &one("verify_email"), &[], None).await;
    assert_eq!((again.status.as_u16(), again.problem()), (409, "done-already"), "{}", again.body);
    // Cancelled, once; and by nobody who may only read, nor in another realm.
    let auditor = fixture.key(AdminRole::Auditor).await;
    assert_eq!(fixture.call(&auditor, "DELETE", &one("verify_phone"), &[], None).await.status, 403);
    assert_eq!(fixture.call(&auditor, "PUT", &one("verify_email"), &[], None).await.status, 403);
    for status in [204, 404] {
        assert_eq!(fixture.call(&key, "DELETE", &one("verify_phone"), &[], None).await.status, status);
    }
    fixture.post(&key, "/realms", json!({"slug": "other", "display_name": "Other"})).await;
    let elsewhere = one("complete_profile").replace("/main/", "/other/");
    assert_eq!(fixture.call(&key, "DELETE", &elsewhere, &[], None).await.status, 404);
    assert_eq!(fixture.call(&key, "PUT", &elsewhere, &[], None).await.status, 404);
    assert_eq!(kinds(&fixture.get(&key, &format!("{ana}/required-actions")).await.body), ["complete_profile"]);
}
