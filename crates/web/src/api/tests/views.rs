//! Saved views of the list of users: whose they are, who sees them, who changes them.

use axum::http::StatusCode;
use denizen_model::permissions::AdminRole;
use serde_json::{Value, json};

use super::Fixture;

const VIEWS: &str = "/realms/main/users/views";

async fn save(fixture: &Fixture, key: &str, body: Value) -> Value {
    let made = fixture.post(key, VIEWS, body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let place = made.header("location").strip_prefix("/api/v1").unwrap().to_owned();
    assert_eq!(fixture.get(key, &place).await.body, made.body);
    made.body
}

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|view| view["name"].as_str().unwrap()).collect()
}

fn place(view: &Value) -> String {
    format!("{VIEWS}/{}", view["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_view_is_its_owners_until_it_is_shared() {
    let fixture = Fixture::new().await;
    let (owner, support, other) = (
        fixture.key(AdminRole::Owner).await,
        fixture.key(AdminRole::Support).await,
        fixture.key(AdminRole::Support).await,
    );
    let query = "q=status%3Adisabled+ana&sort=-name&columns=email,created_at";
    let mine = save(&fixture, &support, json!({"name": " Zeta ", "query": query})).await;
    assert_eq!(mine["name"], "Zeta");
    assert_eq!(mine["query"], "q=ana&status=disabled&sort=-name&columns=email%2Ccreated_at");
    let shared = save(&fixture, &support, json!({"name": "Alpha", "query": "", "shared": true})).await;
    save(&fixture, &other, json!({"name": "zeta"})).await;
    assert_eq!(names(&fixture.get(&support, VIEWS).await.body), ["Alpha", "Zeta"]);
    assert_eq!(names(&fixture.get(&other, VIEWS).await.body), ["zeta", "Alpha"]);

    // Nobody else's private view exists, whatever they may do.
    for key in [&owner, &other] {
        for method in ["GET", "PATCH", "DELETE"] {
            let body = (method == "PATCH").then(|| json!({"name": "x"}));
            let answer = fixture.call(key, method, &place(&mine), &[], body.as_ref()).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method}");
        }
    }
    // A shared one is read by all, and changed by its owner or whoever may change settings.
    let rename = json!({"name": "Beta"});
    assert_eq!(fixture.get(&other, &place(&shared)).await.status, StatusCode::OK);
    for (method, body) in [("PATCH", Some(&rename)), ("DELETE", None)] {
        let refused = fixture.call(&other, method, &place(&shared), &[], body).await;
        assert_eq!((refused.status, refused.problem()), (StatusCode::FORBIDDEN, "forbidden"), "{method}");
    }
    let changed = fixture.call(&owner, "PATCH", &place(&shared), &[("if-match", "\"1\"")], Some(&rename)).await;
    assert_eq!((changed.status, changed.header("etag")), (StatusCode::OK, "\"2\""), "{}", changed.body);
    let stale = fixture.call(&support, "DELETE", &place(&shared), &[("if-match", "\"1\"")], None).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    let gone = fixture.call(&support, "DELETE", &place(&shared), &[("if-match", "\"2\"")], None).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    for kind in ["saved-view.created", "saved-view.updated", "saved-view.deleted"] {
        let found = fixture.get(&owner, &format!("/realms/main/events?type={kind}")).await.body;
        assert!(!found["items"].as_array().unwrap().is_empty(), "{kind}");
        // What was searched for may be somebody's name.
        assert!(!found.to_string().contains("ana"), "{found}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_view_is_said() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Admin).await;
    let first = save(&fixture, &key, json!({"name": "Taken"})).await;
    for (body, field) in [
        (json!({"name": ""}), "name"),
        (json!({"name": "x".repeat(61)}), "name"),
        (json!({"name": "TAKEN"}), "name"),
        (json!({"name": "a", "query": "statsu=x"}), "query"),
        (json!({"name": "a", "query": "status=asleep"}), "query"),
        (json!({"name": "a", "query": "group=nowhere"}), "query"),
        (json!({"name": "a", "query": "cursor=6e31"}), "query"),
        (json!({"name": "a", "query": "columns=emial"}), "query"),
        (json!({"name": "a", "query": "sort=best_match"}), "query"),
        (json!({"name": "a", "query": "%00"}), "query"),
        (json!({"name": "a", "query": "q=".to_owned() + &"x".repeat(4000)}), "query"),
        (json!({"name": "a", "colour": "red"}), "colour"),
    ] {
        let refused = fixture.post(&key, VIEWS, body.clone()).await;
        assert_eq!((refused.status.as_u16(), refused.wrong()), (422, vec![field]), "{body}: {}", refused.body);
    }
    let second = save(&fixture, &key, json!({"name": "Other"})).await;
    let taken = fixture.call(&key, "PATCH", &place(&second), &[], Some(&json!({"name": "taken"}))).await;
    assert_eq!((taken.status.as_u16(), taken.wrong()), (422, vec!["name"]));
    let same = fixture.call(&key, "PATCH", &place(&first), &[], Some(&json!({"name": "Taken"}))).await;
    assert_eq!(same.header("etag"), "\"1\"", "nothing was changed");
    let values = fixture.get(&key, VIEWS).await.body;
    assert_eq!(values["total"], json!({"count": 2, "exact": true}));
}

#[tokio::test]
async fn views_have_an_end() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Admin).await;
    for number in 0..50 {
        save(&fixture, &key, json!({"name": format!("View {number}"), "shared": true})).await;
    }
    let refused = fixture.post(&key, VIEWS, json!({"name": "One more"})).await;
    assert_eq!((refused.status.as_u16(), refused.wrong()), (422, vec!["name"]));
    let second = fixture.key(AdminRole::Admin).await;
    for number in 0..50 {
        save(&fixture, &second, json!({"name": format!("View {number}"), "shared": number < 49})).await;
    }
    let third = fixture.key(AdminRole::Admin).await;
    save(&fixture, &third, json!({"name": "The last", "shared": true})).await;
    let refused = fixture.post(&third, VIEWS, json!({"name": "One more", "shared": true})).await;
    assert_eq!((refused.status.as_u16(), refused.wrong()), (422, vec!["shared"]));
    save(&fixture, &third, json!({"name": "One more"})).await;
}
