//! What the OpenAPI document promises of every operation.

use std::path::Path;

use axum::http::StatusCode;
use denizen_model::permissions::{AdminRole, Permission};
use serde_json::{Map, Value, json};

use super::Fixture;
use crate::api::document::{document, operations, text};

/// An id that no record has.
const NOBODY: &str = "0197a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";

/// The path of an operation with a realm and with ids of nothing.
fn filled(path: &str, realm: &str) -> String {
    let part = if path.contains("required-actions") { "update_password" } else { NOBODY };
    path.replace("{realm}", realm)
        .replace("{id}", NOBODY)
        .replace("{part}", part)
        .replace("{template}", "sms-code")
        .replace("{language}", "en")
}

/// A body that an operation accepts.
fn body(operation: &Map<String, Value>) -> Option<Value> {
    operation.get("requestBody")?;
    Some(match operation["operationId"].as_str()? {
        "create_realm" => json!({"slug": "x-", "display_name": "X"}),
        "create_user" => json!({"email": "no address"}),
        "create_attribute_definition" => json!({"key": "a b", "label": "X", "type": "string"}),
        "order_attribute_definitions" => json!({"ids": [NOBODY]}),
        "create_role" => json!({"name": "with blank"}),
        "create_group" | "create_organization" => json!({"name": "", "description": ""}),
        "add_group_members" | "add_organization_members" => json!({"user_ids": [NOBODY]}),
        "add_user_group" => json!({"group_id": NOBODY}),
        "add_user_membership" => json!({"organization_id": NOBODY}),
        "create_invitation" => json!({"email": "no address"}),
        "create_invitations" => json!({"invitations": []}),
        "create_client" => json!({"name": ""}),
        "set_password" => json!({"password": "correct horse battery"}),
        "create_user_view" => json!({"name": ""}),
        "create_api_key" => json!({"name": "key"}),
        "replace_message_template" => json!({"text": "no code"}),
        "grant_admin_role" => json!({"role": "auditor"}),
        _ => json!({}),
    })
}

#[test]
fn every_operation_is_described() {
    let mut ids = Vec::new();
    for (method, path, operation) in operations(document()) {
        let name = format!("{method} {path}");
        for key in ["summary", "operationId"] {
            assert!(operation[key].as_str().is_some_and(|text| !text.is_empty()), "{name}: {key}");
        }
        assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{name}: tags");
        let described = operation["parameters"].as_array().unwrap();
        for parameter in described {
            assert!(parameter["description"].as_str().is_some_and(|text| !text.is_empty()), "{name}: {parameter}");
        }
        let in_path = path.matches('{').count();
        assert_eq!(
            described.iter().filter(|parameter| parameter["in"] == "path").count(),
            in_path,
            "{name}: path parameters"
        );
        ids.push(operation["operationId"].as_str().unwrap());
    }
    assert!(ids.len() > 45, "{}", ids.len());
    ids.sort_unstable();
    let all = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), all, "operation ids are unique");
}

#[test]
fn references_lead_somewhere() {
    fn check(value: &Value, document: &Value) {
        match value {
            Value::Object(fields) => {
                if let Some(target) = fields.get("$ref").and_then(Value::as_str) {
                    assert!(document.pointer(target.trim_start_matches('#')).is_some(), "{target}");
                }
                fields.values().for_each(|value| check(value, document));
            }
            Value::Array(items) => items.iter().for_each(|item| check(item, document)),
            _ => {}
        }
    }
    assert!(document()["openapi"].as_str().unwrap().starts_with("3.1"));
    check(document(), document());
}

#[test]
fn the_committed_document_is_the_one_that_is_served() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, text()).unwrap();
    }
    // Compared as values: the order of keys depends on which crates of the workspace are built together.
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap_or_default();
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        value(&committed) == value(text()),
        "docs/openapi.json is stale: UPDATE=1 cargo test -p denizen-web committed_document"
    );
}

#[tokio::test]
async fn no_operation_answers_without_credentials() {
    let fixture = Fixture::new().await;
    for (method, path, operation) in operations(document()) {
        for key in ["", "dzk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "nonsense", "a.b.c"] {
            let answer =
                fixture.call(key, &method.to_uppercase(), &filled(path, "main"), &[], body(operation).as_ref()).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path} with {key:?}");
        }
    }
}

#[tokio::test]
async fn each_admin_role_may_what_its_permissions_say_and_nothing_else() {
    let fixture = Fixture::new().await;
    for role in AdminRole::ALL {
        let key = fixture.key(*role).await;
        for (method, path, operation) in operations(document()) {
            let needed = operation.get("x-permission").map(|name| {
                let found = Permission::ALL.iter().find(|permission| permission.as_str() == name);
                *found.unwrap_or_else(|| panic!("{method} {path}: {name}"))
            });
            let answer =
                fixture.call(&key, &method.to_uppercase(), &filled(path, "main"), &[], body(operation).as_ref()).await;
            let allowed = needed.is_none_or(|permission| role.permissions().contains(permission));
            assert_eq!(answer.status != StatusCode::FORBIDDEN, allowed, "{role}: {method} {path}: {}", answer.body);
            assert!(answer.status.as_u16() < 500, "{role}: {method} {path}: {}", answer.body);
        }
    }
}

#[tokio::test]
async fn every_operation_names_the_parameter_it_does_not_know() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    for (method, path, operation) in operations(document()) {
        let place = format!("{}?colour=red", filled(path, "main"));
        let answer = fixture.call(&key, &method.to_uppercase(), &place, &[], body(operation).as_ref()).await;
        assert_eq!((answer.status.as_u16(), answer.wrong()), (422, vec!["colour"]), "{method} {path}: {}", answer.body);
    }
}

#[tokio::test]
async fn every_operation_names_the_field_it_does_not_know() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    for (method, path, operation) in operations(document()) {
        let mut sent = body(operation).unwrap_or_else(|| json!({}));
        sent["colour"] = json!("red");
        // Reading and deleting have no body; whatever comes as one is not looked at.
        if !["post", "put", "patch"].contains(&method) || !operation.contains_key("requestBody") && method != "post" {
            continue;
        }
        // A file is read line by line, by tests of its own.
        if operation.get("requestBody").is_some_and(|body| body["content"].get("application/json").is_none()) {
            continue;
        }
        let answer = fixture.call(&key, &method.to_uppercase(), &filled(path, "main"), &[], Some(&sent)).await;
        assert_eq!((answer.status.as_u16(), answer.wrong()), (422, vec!["colour"]), "{method} {path}: {}", answer.body);
    }
}

#[tokio::test]
async fn nothing_of_another_realm_can_be_reached() {
    let fixture = Fixture::new().await;
    let owner = fixture.key(AdminRole::Owner).await;
    let main = "/realms/main";
    assert_eq!(fixture.post(&owner, "/realms", json!({"slug": "other", "display_name": "Other"})).await.status, 201);
    let machine = fixture.post(&owner, "/realms/other/users", json!({"kind": "machine", "name": "bot"})).await.body;
    let role = fixture.post(&owner, "/realms/other/roles", json!({"name": "reader"})).await.body;
    let group = fixture.post(&owner, "/realms/other/groups", json!({"name": "beta"})).await.body;
    let organization = fixture.post(&owner, "/realms/other/organizations", json!({"name": "Acme"})).await.body;
    let client = fixture
        .post(&owner, "/realms/other/clients", json!({"name": "app", "grant_types": ["client_credentials"]}))
        .await
        .body;
    let attribute = fixture
        .post(&owner, "/realms/other/attribute-definitions", json!({"key": "plan", "label": "Plan", "type": "string"}))
        .await
        .body;
    let invitation = fixture.post(&owner, "/realms/other/invitations", json!({"email": "ana@example.com"})).await.body;
    let event = fixture.get(&owner, "/realms/other/events").await.body["items"][0].clone();
    let places = [
        format!("users/{}", machine["id"].as_str().unwrap()),
        format!("users/{}/sessions", machine["id"].as_str().unwrap()),
        format!("users/{}/api-keys", machine["id"].as_str().unwrap()),
        format!("users/{}/admin", machine["id"].as_str().unwrap()),
        format!("users/{}/events", machine["id"].as_str().unwrap()),
        format!("users/{}/notifications", machine["id"].as_str().unwrap()),
        format!("users/{}/groups", machine["id"].as_str().unwrap()),
        format!("users/{}/memberships", machine["id"].as_str().unwrap()),
        format!("roles/{}", role["id"].as_str().unwrap()),
        format!("invitations/{}", invitation["id"].as_str().unwrap()),
        format!("groups/{}", group["id"].as_str().unwrap()),
        format!("groups/{}/members", group["id"].as_str().unwrap()),
        format!("organizations/{}", organization["id"].as_str().unwrap()),
        format!("organizations/{}/members", organization["id"].as_str().unwrap()),
        format!("clients/{}", client["id"].as_str().unwrap()),
        format!("attribute-definitions/{}", attribute["id"].as_str().unwrap()),
        format!("events/{}", event["id"].as_str().unwrap()),
    ];
    for place in &places {
        assert_eq!(fixture.get(&owner, &format!("/realms/other/{place}")).await.status, 200, "{place}");
        assert_eq!(fixture.get(&owner, &format!("{main}/{place}")).await.status, 404, "{place} through main");
    }
    // An administrator of one realm does not even learn which others there are.
    let grant = format!("/realms/other/{}/admin", places[0]);
    assert_eq!(fixture.call(&owner, "PUT", &grant, &[], Some(&json!({"role": "owner"}))).await.status, 204);
    let key = machine["api_key"]["key"].as_str().unwrap();
    let realms = fixture.get(key, "/realms").await.body;
    assert_eq!(realms["items"].as_array().unwrap().iter().map(|realm| &realm["slug"]).collect::<Vec<_>>(), ["other"]);
    for (method, path, operation) in operations(document()).filter(|(_, path, _)| path.starts_with("/realms/{realm}/"))
    {
        for realm in ["main", "nowhere"] {
            let answer =
                fixture.call(key, &method.to_uppercase(), &filled(path, realm), &[], body(operation).as_ref()).await;
            assert_eq!(answer.status, 404, "{method} {path} in {realm}");
        }
    }
}
