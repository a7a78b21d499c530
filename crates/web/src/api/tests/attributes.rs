//! Attribute definitions, what they demand of users, and API keys that may do less than their machine.

use axum::http::StatusCode;
use denizen_model::permissions::AdminRole;
use serde_json::{Value, json};

use super::{Answer, Fixture};

const PLACE: &str = "/realms/main/attribute-definitions";
const USERS: &str = "/realms/main/users";

async fn define(fixture: &Fixture, key: &str, definition: Value) -> String {
    let made = fixture.post(key, PLACE, definition).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    made.header("location").strip_prefix("/api/v1").unwrap().to_owned()
}

async fn patch(fixture: &Fixture, key: &str, place: &str, body: Value) -> Answer {
    fixture.call(key, "PATCH", place, &[], Some(&body)).await
}

#[tokio::test]
async fn a_definition_is_made_read_changed_ordered_and_deleted() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    let plan = json!({"key": "plan", "label": "Plan", "type": "string", "claim": "plan", "validation": {"max_length": 9, "pattern": "[a-z]+"}});
    let made = fixture.post(&key, PLACE, plan).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    assert_eq!((&made.body["console"], &made.body["self_service"]), (&json!("edit"), &json!("hidden")));
    assert_eq!((&made.body["position"], made.header("etag")), (&json!(0), "\"1\""));
    let place = made.header("location").strip_prefix("/api/v1").unwrap().to_owned();
    let seats = define(&fixture, &key, json!({"key": "seats", "label": "Seats", "type": "integer"})).await;
    // A merge patch, rules included.
    let changed =
        patch(&fixture, &key, &place, json!({"label": "The plan", "claim": null, "validation": {"pattern": null}}))
            .await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
    assert_eq!((&changed.body["label"], &changed.body["claim"]), (&json!("The plan"), &Value::Null));
    assert_eq!(
        (&changed.body["validation"]["max_length"], &changed.body["validation"]["pattern"]),
        (&json!(9), &Value::Null)
    );
    let stale = fixture.call(&key, "PATCH", &place, &[("if-match", "\"1\"")], Some(&json!({"label": "x"}))).await;
    assert_eq!(stale.status, 412);
    let listed = fixture.get(&key, PLACE).await;
    let keys = |answer: &Answer| -> Vec<String> {
        answer.body["items"].as_array().unwrap().iter().map(|item| item["key"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(keys(&listed), ["plan", "seats"]);
    let id = |place: &str| place.rsplit('/').next().unwrap().to_owned();
    let order = json!({"ids": [id(&seats), id(&place)]});
    let ordered = fixture.call(&key, "PUT", &format!("{PLACE}/order"), &[], Some(&order)).await;
    assert_eq!((ordered.status, keys(&ordered)), (StatusCode::OK, vec!["seats".to_owned(), "plan".to_owned()]));
    for wrong in [json!([id(&seats)]), json!([id(&seats), id(&seats)]), json!([id(&seats), id(&place), id(&place)])] {
        let refused = fixture.call(&key, "PUT", &format!("{PLACE}/order"), &[], Some(&json!({"ids": wrong}))).await;
        assert_eq!((refused.status.as_u16(), refused.wrong()), (422, vec!["ids"]));
    }
    assert_eq!(fixture.call(&key, "DELETE", &place, &[("if-match", "\"1\"")], None).await.status, 412);
    assert_eq!(fixture.call(&key, "DELETE", &place, &[], None).await.status, 204);
    assert_eq!(fixture.get(&key, &place).await.status, 404);
    for kind in ["created", "updated", "deleted"] {
        let events = fixture.get(&key, &format!("/realms/main/events?type=attribute-definition.{kind}")).await;
        let mut events = events.body["items"].as_array().unwrap().iter();
        assert!(events.any(|event| event["subject"]["name"] == "plan"), "{kind}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_definition_is_named() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    define(&fixture, &key, json!({"key": "plan", "label": "Plan", "type": "string", "claim": "plan"})).await;
    for (body, field) in [
        (json!({"label": "X", "type": "string"}), "key"),
        (json!({"key": "a b", "label": "X", "type": "string"}), "key"),
        (json!({"key": "plan", "label": "X", "type": "string"}), "key"),
        (json!({"key": "x", "type": "string"}), "label"),
        (json!({"key": "x", "label": "X"}), "type"),
        (json!({"key": "x", "label": "X", "type": "text"}), "type"),
        (json!({"key": "x", "label": "X", "type": "string", "claim": "sub"}), "claim"),
        (json!({"key": "x", "label": "X", "type": "string", "claim": "plan"}), "claim"),
        (json!({"key": "x", "label": "X", "type": "string", "validation": {"pattern": "("}}), "validation.pattern"),
        (json!({"key": "x", "label": "X", "type": "string", "validation": {"size": 1}}), "validation.size"),
        (json!({"key": "x", "label": "X", "type": "integer", "default": "1"}), "default"),
        (json!({"key": "x", "label": "X", "type": "choice"}), "validation.choices"),
        (json!({"key": "x", "label": "X", "type": "string", "console": "write"}), "console"),
    ] {
        let refused = fixture.post(&key, PLACE, body.clone()).await;
        assert_eq!((refused.status.as_u16(), refused.wrong()), (422, vec![field]), "{body}: {}", refused.body);
    }
    // The same key and claim are free in another realm.
    assert_eq!(fixture.post(&key, "/realms", json!({"slug": "other", "display_name": "Other"})).await.status, 201);
    let other = json!({"key": "plan", "label": "Plan", "type": "string", "claim": "plan"});
    let made = fixture.post(&key, "/realms/other/attribute-definitions", other).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let id = made.body["id"].as_str().unwrap();
    for method in ["GET", "DELETE"] {
        assert_eq!(fixture.call(&key, method, &format!("{PLACE}/{id}"), &[], None).await.status, 404);
    }
    assert_eq!(patch(&fixture, &key, &format!("{PLACE}/{id}"), json!({"label": "x"})).await.status, 404);
}

#[tokio::test]
async fn users_are_held_against_the_definitions() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    let old = fixture
        .post(&key, USERS, json!({"email": "old@example.com", "attributes": {"seats": "many", "note": "x"}}))
        .await;
    let old = old.header("location").strip_prefix("/api/v1").unwrap().to_owned();
    define(
        &fixture,
        &key,
        json!({"key": "seats", "label": "Seats", "type": "integer", "required": true, "validation": {"minimum": 1}}),
    )
    .await;
    define(&fixture, &key, json!({"key": "plan", "label": "Plan", "type": "string", "default": "free"})).await;
    for (attributes, field) in [
        (json!({}), "attributes.seats"),
        (json!({"seats": "abc"}), "attributes.seats"),
        (json!({"seats": 0}), "attributes.seats"),
        (json!({"seats": 1, "plan": 5}), "attributes.plan"),
        (json!({"seats": null}), "attributes.seats"),
    ] {
        for kind in ["human", "machine"] {
            let mut body = json!({"kind": kind, "attributes": attributes.clone()});
            body[if kind == "human" { "email" } else { "name" }] = json!("new@example.com");
            let refused = fixture.post(&key, USERS, body).await;
            assert_eq!((refused.status.as_u16(), refused.wrong()), (422, vec![field]), "{attributes} {}", refused.body);
        }
    }
    let made =
        fixture.post(&key, USERS, json!({"email": "new@example.com", "attributes": {"seats": 2, "free": "y"}})).await;
    assert_eq!(
        (made.status.as_u16(), &made.body["attributes"]),
        (201, &json!({"seats": 2, "plan": "free", "free": "y"}))
    );
    let new = made.header("location").strip_prefix("/api/v1").unwrap().to_owned();
    // What is required is not removed; what is not can be, and no default comes back.
    let refused = patch(&fixture, &key, &new, json!({"attributes": {"seats": null}})).await;
    assert_eq!((refused.status.as_u16(), refused.wrong()), (422, vec!["attributes.seats"]));
    let changed = patch(&fixture, &key, &new, json!({"attributes": {"plan": null}})).await;
    assert_eq!(changed.body["attributes"], json!({"seats": 2, "free": "y"}));
    // From before the definition: it stays until it is changed, and then it must fit.
    let kept = patch(&fixture, &key, &old, json!({"reference": "A-1", "attributes": {"note": "z"}})).await;
    assert_eq!((kept.status.as_u16(), &kept.body["attributes"]["seats"]), (200, &json!("many")));
    let refused = patch(&fixture, &key, &old, json!({"attributes": {"seats": "few"}})).await;
    assert_eq!(refused.wrong(), ["attributes.seats"]);
    assert_eq!(patch(&fixture, &key, &old, json!({"attributes": {"seats": 3}})).await.status, 200);
    // A realm that allows no others.
    let closed = json!({"undeclared_attributes_allowed": false});
    assert_eq!(patch(&fixture, &key, "/realms/main/settings", closed).await.status, 200);
    let refused =
        fixture.post(&key, USERS, json!({"email": "x@example.com", "attributes": {"seats": 1, "other": 1}})).await;
    assert_eq!(refused.wrong(), ["attributes.other"]);
    let refused = patch(&fixture, &key, &old, json!({"attributes": {"note": "changed"}})).await;
    assert_eq!(refused.wrong(), ["attributes.note"]);
    assert_eq!(patch(&fixture, &key, &old, json!({"attributes": {"note": null}})).await.status, 200);
}

/// A machine of the main realm and the place of its keys.
async fn machine(fixture: &Fixture, owner: &str, role: Option<&str>) -> (String, String) {
    let made = fixture.post(owner, USERS, json!({"kind": "machine", "name": "bot"})).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let place = made.header("location").strip_prefix("/api/v1").unwrap().to_owned();
    if let Some(role) = role {
        let granted = fixture.call(owner, "PUT", &format!("{place}/admin"), &[], Some(&json!({"role": role}))).await;
        assert_eq!(granted.status, 204, "{}", granted.body);
    }
    (format!("{place}/api-keys"), made.body["api_key"]["key"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_key_may_do_what_its_scopes_say_and_never_more_than_its_machine() {
    let fixture = Fixture::new().await;
    let owner = fixture.key(AdminRole::Owner).await;
    let (keys, whole) = machine(&fixture, &owner, Some("admin")).await;
    let made = fixture.post(&owner, &keys, json!({"name": "reader", "scopes": ["users:read", "users:read"]})).await;
    assert_eq!((made.status.as_u16(), &made.body["scopes"]), (201, &json!(["users:read"])), "{}", made.body);
    let reader = made.body["key"].as_str().unwrap();
    assert_eq!(fixture.get(reader, USERS).await.status, 200);
    let new = json!({"email": "ana@example.com"});
    let refused = fixture.post(reader, USERS, new.clone()).await;
    assert_eq!((refused.status.as_u16(), refused.problem()), (403, "forbidden"));
    for path in ["roles", "settings", "events"] {
        assert_eq!(fixture.get(reader, &format!("/realms/main/{path}")).await.status, 403, "{path}");
    }
    assert_eq!(fixture.post(&whole, USERS, new).await.status, 201);
    // A scope that the machine does not hold gives nothing.
    let beyond = fixture.post(&owner, &keys, json!({"name": "beyond", "scopes": ["realms:manage"]})).await;
    let beyond = beyond.body["key"].as_str().unwrap();
    assert_eq!(fixture.post(beyond, "/realms", json!({"slug": "x", "display_name": "X"})).await.status, 403);
    assert_eq!(fixture.get(beyond, USERS).await.status, 404, "no business in the realm at all");
    // Nor does a narrow key widen itself, by a new key or by an administrator.
    let made = fixture
        .post(&owner, &keys, json!({"name": "maker", "scopes": ["credentials:set", "admins:manage", "users:write"]}))
        .await;
    let maker = made.body["key"].as_str().unwrap();
    let refused = fixture.post(maker, &keys, json!({"name": "all"})).await;
    assert_eq!(refused.status, 403, "{}", refused.body);
    let (other, _) = machine(&fixture, &owner, None).await;
    let admin = other.replace("/api-keys", "/admin");
    let refused = fixture.call(maker, "PUT", &admin, &[], Some(&json!({"role": "auditor"}))).await;
    assert_eq!(refused.status, 403, "{}", refused.body);
    let wrong = fixture.post(&owner, &keys, json!({"name": "x", "scopes": ["users:read", "users:eat"]})).await;
    assert_eq!((wrong.status.as_u16(), wrong.wrong()), (422, vec!["scopes[1]"]), "{}", wrong.body);
    let listed = fixture.get(&owner, &keys).await;
    let named = |name: &str| listed.body["items"].as_array().unwrap().iter().find(|key| key["name"] == name).unwrap();
    assert!(named("reader")["last_used_at"].is_string());
    assert_eq!((&named("First key")["scopes"], &named("beyond")["scopes"]), (&json!([]), &json!(["realms:manage"])));
}

#[tokio::test]
async fn a_regenerated_key_works_and_the_old_one_is_dead_at_once() {
    let fixture = Fixture::new().await;
    let owner = fixture.key(AdminRole::Owner).await;
    let (keys, _) = machine(&fixture, &owner, Some("auditor")).await;
    let new = json!({"name": "nightly", "scopes": ["users:read"], "expires_at": "2030-01-01T00:00:00Z"});
    let made = fixture.post(&owner, &keys, new).await.body;
    let (id, old) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap().to_owned());
    assert_eq!(fixture.get(&old, USERS).await.status, 200);
    let again = fixture.call(&owner, "POST", &format!("{keys}/{id}/regenerate"), &[], None).await;
    assert_eq!(again.status, 200, "{}", again.body);
    for field in ["id", "name", "scopes", "expires_at", "created_at"] {
        assert_eq!(again.body[field], made[field], "{field}");
    }
    assert_eq!(again.body["last_used_at"], Value::Null);
    assert_eq!(fixture.get(&old, USERS).await.status, 401);
    assert_eq!(fixture.get(again.body["key"].as_str().unwrap(), USERS).await.status, 200);
    let events = fixture.get(&owner, "/realms/main/events?type=user.api-key.regenerated").await.body;
    assert_eq!(events["total"]["count"], 1);
    assert!(!events.to_string().contains(again.body["key"].as_str().unwrap()), "no secret in events");
    // Somebody with less power than the machine does not get at it.
    let (owners, _) = machine(&fixture, &owner, Some("owner")).await;
    let id = fixture.get(&owner, &owners).await.body["items"][0]["id"].as_str().unwrap().to_owned();
    let admin = fixture.key(AdminRole::Admin).await;
    for verb in ["regenerate", "reveal"] {
        assert_eq!(
            fixture.call(&admin, "POST", &format!("{owners}/{id}/{verb}"), &[], None).await.status,
            403,
            "{verb}"
        );
    }
}

#[tokio::test]
async fn many_regenerations_at_once_leave_one_key_that_works() {
    let fixture = Fixture::new().await;
    let owner = fixture.key(AdminRole::Owner).await;
    let (keys, old) = machine(&fixture, &owner, Some("auditor")).await;
    let id = fixture.get(&owner, &keys).await.body["items"][0]["id"].as_str().unwrap().to_owned();
    let place = format!("{keys}/{id}/regenerate");
    let calls = (0..8).map(|_| fixture.call(&owner, "POST", &place, &[], None));
    let mut answers = Vec::new();
    let mut running: Vec<_> = calls.map(Box::pin).collect();
    std::future::poll_fn(|cx| {
        running.retain_mut(|call| match call.as_mut().poll(cx) {
            std::task::Poll::Ready(answer) => {
                answers.push(answer);
                false
            }
            std::task::Poll::Pending => true,
        });
        if running.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    let mut alive = 0;
    for answer in &answers {
        assert_eq!(answer.status, 200, "{}", answer.body);
        alive += usize::from(fixture.get(answer.body["key"].as_str().unwrap(), USERS).await.status == 200);
    }
    assert_eq!((answers.len(), alive), (8, 1));
    assert_eq!(fixture.get(&old, USERS).await.status, 401);
    let events = fixture.get(&owner, "/realms/main/events?type=user.api-key.regenerated").await;
    assert_eq!(events.body["total"]["count"], 8);
}

#[tokio::test]
async fn keys_are_shown_again_only_where_the_realm_keeps_them() {
    let fixture = Fixture::new().await;
    let owner = fixture.key(AdminRole::Owner).await;
    let settings = "/realms/main/settings";
    let (keys, _) = machine(&fixture, &owner, None).await;
    let first = fixture.get(&owner, &keys).await.body["items"][0].clone();
    assert_eq!(first["sealed"], json!(false));
    let reveal = |id: &Value| format!("{keys}/{}/reveal", id.as_str().unwrap());
    let refused = fixture.call(&owner, "POST", &reveal(&first["id"]), &[], None).await;
    assert_eq!((refused.status.as_u16(), refused.problem()), (409, "not-kept"), "{}", refused.body);
    assert_eq!(patch(&fixture, &owner, settings, json!({"api_key_storage": "encrypted"})).await.status, 200);
    let refused = fixture.call(&owner, "POST", &reveal(&first["id"]), &[], None).await;
    assert_eq!(refused.status, 409, "made under hashed");
    let made = fixture.post(&owner, &keys, json!({"name": "kept"})).await.body;
    assert_eq!(made["sealed"], json!(true));
    let shown = fixture.call(&owner, "POST", &reveal(&made["id"]), &[], None).await;
    assert_eq!((shown.status.as_u16(), &shown.body), (200, &json!({"key": made["key"]})));
    let events = fixture.get(&owner, "/realms/main/events?type=user.api-key.revealed").await.body;
    assert_eq!((&events["total"]["count"], events["items"][0]["details"]["name"].as_str()), (&json!(1), Some("kept")));
    assert!(!events.to_string().contains(made["key"].as_str().unwrap()), "no secret in events");
    // A regenerated key is kept as the settings say now.
    let again =
        fixture.call(&owner, "POST", &format!("{keys}/{}/regenerate", first["id"].as_str().unwrap()), &[], None).await;
    assert_eq!(again.body["sealed"], json!(true));
    let shown = fixture.call(&owner, "POST", &reveal(&first["id"]), &[], None).await;
    assert_eq!(shown.body["key"], again.body["key"]);
    // Who lacks the permission, also by the scopes of a key, does not see it.
    let support = fixture.key(AdminRole::Support).await;
    let refused = fixture.call(&support, "POST", &reveal(&made["id"]), &[], None).await;
    assert_eq!(refused.status, 403);
    let (admins, _) = machine(&fixture, &owner, Some("admin")).await;
    let narrow = fixture.post(&owner, &admins, json!({"name": "n", "scopes": ["credentials:set"]})).await.body;
    assert_eq!(
        fixture.call(narrow["key"].as_str().unwrap(), "POST", &reveal(&made["id"]), &[], None).await.status,
        403
    );
    // Back to hashes: what was kept is gone for good, and keys go on working.
    assert_eq!(patch(&fixture, &owner, settings, json!({"api_key_storage": "hashed"})).await.status, 200);
    assert_eq!(patch(&fixture, &owner, settings, json!({"api_key_storage": "encrypted"})).await.status, 200);
    assert_eq!(fixture.call(&owner, "POST", &reveal(&made["id"]), &[], None).await.status, 409);
    let changes = fixture.get(&owner, "/realms/main/events?type=settings.updated").await.body;
    let forgotten =
        changes["items"].as_array().unwrap().iter().filter_map(|item| item["details"].get("api_keys_forgotten"));
    assert_eq!(forgotten.collect::<Vec<_>>(), [&json!(5)]);
    assert_eq!(fixture.get(narrow["key"].as_str().unwrap(), &keys).await.status, 403, "alive, but narrow");
}

#[tokio::test]
async fn every_delete_holds_to_the_version_it_is_asked_for() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    let user = fixture.post(&key, USERS, json!({"email": "ana@example.com"})).await;
    let client =
        fixture.post(&key, "/realms/main/clients", json!({"name": "app", "grant_types": ["client_credentials"]})).await;
    let realm = fixture.post(&key, "/realms", json!({"slug": "other", "display_name": "Other"})).await;
    for (made, change) in
        [(user, json!({"reference": "x"})), (client, json!({"name": "app 2"})), (realm, json!({"display_name": "O"}))]
    {
        let place = made.header("location").strip_prefix("/api/v1").unwrap().to_owned();
        let tag = made.header("etag").to_owned();
        assert_eq!(patch(&fixture, &key, &place, change).await.status, 200, "{place}");
        let stale = fixture.call(&key, "DELETE", &place, &[("if-match", &tag)], None).await;
        assert_eq!((stale.status.as_u16(), stale.problem()), (412, "precondition-failed"), "{place}");
        let fresh = fixture.get(&key, &place).await.header("etag").to_owned();
        assert_eq!(fixture.call(&key, "DELETE", &place, &[("if-match", &fresh)], None).await.status, 204, "{place}");
    }
}
