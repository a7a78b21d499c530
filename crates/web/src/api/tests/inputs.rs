//! Conditional and repeated requests, and input that nobody should send.

use axum::{
    body::Body,
    http::{Request, header},
};
use denizen_model::permissions::AdminRole;
use serde_json::json;

use super::{Answer, Fixture};

#[tokio::test]
async fn a_change_of_an_older_version_is_refused() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    let role = fixture.post(&key, "/realms/main/roles", json!({"name": "reader"})).await;
    let place = role.header("location").strip_prefix("/api/v1").unwrap().to_owned();
    let change = |tag: &'static str, text: &'static str| {
        let (fixture, key, place) = (&fixture, &key, &place);
        async move { fixture.call(key, "PATCH", place, &[("if-match", tag)], Some(&json!({"description": text}))).await }
    };
    let first = change("\"1\"", "first").await;
    assert_eq!((first.status.as_u16(), first.header("etag")), (200, "\"2\""));
    for stale in ["\"1\"", "W/\"2\"", "\"nonsense\""] {
        let refused = change(stale, "second").await;
        assert_eq!((refused.status.as_u16(), refused.problem()), (412, "precondition-failed"), "{stale}");
    }
    let refused = fixture.call(&key, "DELETE", &place, &[("if-match", "\"1\"")], None).await;
    assert_eq!(refused.status, 412);
    assert_eq!(fixture.get(&key, &place).await.body["description"], "first");
    assert_eq!(change("*", "any").await.status, 200);
    let settings = "/realms/main/settings";
    let tag = fixture.get(&key, settings).await.header("etag").to_owned();
    let patch = |value: u32| json!({"password_min_length": value});
    let changed = fixture.call(&key, "PATCH", settings, &[("if-match", &tag)], Some(&patch(12))).await;
    assert_eq!((changed.status.as_u16(), &changed.body["password_min_length"]), (200, &json!(12)));
    assert_eq!(changed.body["email_as_username"], json!(true));
    assert_eq!(fixture.call(&key, "PATCH", settings, &[("if-match", &tag)], Some(&patch(13))).await.status, 412);
}

#[tokio::test]
async fn a_repeated_post_is_answered_as_the_first_time_and_done_once() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    let again = [("idempotency-key", "7c1f")];
    let users = "/realms/main/users";
    let machine = json!({"kind": "machine", "name": "bot"});
    let first = fixture.call(&key, "POST", users, &again, Some(&machine)).await;
    assert_eq!(first.status, 201, "{}", first.body);
    let second = fixture.call(&key, "POST", users, &again, Some(&machine)).await;
    assert_eq!((second.status.as_u16(), &second.body), (201, &first.body));
    assert_eq!(second.header("idempotency-replayed"), "true");
    assert_eq!(second.header("location"), first.header("location"));
    assert_eq!(second.header("content-type"), first.header("content-type"));
    let other = fixture.call(&key, "POST", users, &again, Some(&json!({"kind": "machine", "name": "other"}))).await;
    assert_eq!((other.status.as_u16(), other.problem()), (409, "idempotency-key-reused"));
    let found = fixture.get(&key, &format!("{users}?q=bot")).await;
    assert_eq!(found.body["total"]["count"], 1);
    // Names belong to whoever uses them.
    let somebody = fixture.key(AdminRole::Admin).await;
    let theirs = fixture.call(&somebody, "POST", users, &again, Some(&machine)).await;
    assert_eq!(theirs.status, 201);
    assert_ne!(theirs.body["id"], first.body["id"]);
    // What was refused left nothing behind, so it may be tried again.
    let wrong = [("idempotency-key", "7c20")];
    let answer = fixture.call(&key, "POST", users, &wrong, Some(&json!({"email": "nonsense"}))).await;
    assert_eq!(answer.status, 422);
    let answer = fixture.call(&key, "POST", users, &wrong, Some(&json!({"email": "ana@example.com"}))).await;
    assert_eq!(answer.status, 201);
    let empty = fixture.call(&key, "POST", users, &[("idempotency-key", " ")], Some(&machine)).await;
    assert_eq!((empty.status.as_u16(), empty.wrong()), (422, vec!["Idempotency-Key"]));
}

#[tokio::test]
async fn requests_at_the_same_time_under_one_name_are_done_once() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    let body = json!({"kind": "machine", "name": "twin"});
    let name = [("idempotency-key", "same")];
    let send = || fixture.call(&key, "POST", "/realms/main/users", &name, Some(&body));
    let (a, b, c) = tokio::join!(send(), send(), send());
    for answer in [&a, &b, &c] {
        assert!(matches!(answer.status.as_u16(), 201 | 409), "{}", answer.body);
    }
    assert!([&a, &b, &c].iter().any(|answer| answer.status == 201));
    let found = fixture.get(&key, "/realms/main/users?q=twin").await;
    assert_eq!(found.body["total"]["count"], 1);
}

async fn raw(fixture: &Fixture, key: &str, kind: &str, body: impl Into<Body>) -> Answer {
    let request = Request::post("/api/v1/realms/main/users")
        .header(header::AUTHORIZATION, format!("Bearer {key}"))
        .header(header::CONTENT_TYPE, kind);
    fixture.send(request.body(body.into()).unwrap()).await
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_refused_with_the_reason() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    let said = |answer: &Answer| (answer.status.as_u16(), answer.problem().to_owned());
    let is = |status: u16, problem: &str| (status, problem.to_owned());
    let json = "application/json";
    assert_eq!(said(&raw(&fixture, &key, json, "{").await), is(400, "malformed-body"));
    assert_eq!(said(&raw(&fixture, &key, json, "").await), is(400, "malformed-body"));
    assert_eq!(said(&raw(&fixture, &key, json, "{} {}").await), is(400, "malformed-body"));
    assert_eq!(said(&raw(&fixture, &key, json, &b"{\"email\":\"\xff\"}"[..]).await), is(400, "malformed-body"));
    assert_eq!(said(&raw(&fixture, &key, json, &b"{\"email\":\"a\0\"}"[..]).await), is(400, "malformed-body"));
    assert_eq!(said(&raw(&fixture, &key, "text/plain", "{}").await), is(415, "wrong-content-type"));
    let large = format!("{{\"email\":\"{}\"}}", "x".repeat(1024 * 1024));
    assert_eq!(said(&raw(&fixture, &key, json, large).await), is(413, "body-too-large"));
    let nested = "[".repeat(100_000);
    assert_eq!(said(&raw(&fixture, &key, json, nested).await), is(400, "malformed-body"));
}

#[tokio::test]
async fn wrong_fields_are_named() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    let cases = [
        (r#"{"email":"a\u0000@example.com"}"#, "email"),
        (r#"{"email":"ana@example.com","attributes":{"a":["x\u0000"]}}"#, "attributes.a"),
        (r#"{"email":5}"#, "email"),
        (r#"{"kind":"robot"}"#, "kind"),
        (r#"{"email":"a@example.com","email":"b@example.com"}"#, "email"),
        (r#"{"email":"ana@example.com","attributes":[]}"#, "attributes"),
        (r#"{"email":"ana@example.com","password":"short"}"#, "password"),
        (r#"{"email":"ana@example.com","name":"Ana"}"#, "name"),
        (r#"{"email":"ana@example.com","password":"long enough","temporary_password":true}"#, "temporary_password"),
        (r#"{"kind":"machine","name":"bot","password":"long enough"}"#, "password"),
        (r#"{"kind":"machine"}"#, "name"),
        (r#"[]"#, "body"),
        (r#"null"#, "body"),
    ];
    for (body, field) in cases {
        let answer = raw(&fixture, &key, "application/json", body).await;
        assert_eq!((answer.status.as_u16(), answer.wrong()), (422, vec![field]), "{body}: {}", answer.body);
    }
    assert_eq!(
        fixture.get(&key, "/realms/main/users?kind=human").await.body["total"]["count"],
        0,
        "nothing half saved"
    );
    let taken = json!({"email": "ana@example.com"});
    assert_eq!(fixture.post(&key, "/realms/main/users", taken.clone()).await.status, 201);
    assert_eq!(fixture.post(&key, "/realms/main/users", taken).await.wrong(), ["username"]);
}

#[tokio::test]
async fn wrong_parameters_are_named() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    let cases = [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=x", "limit"),
        ("kind=robot", "kind"),
        ("status=", "status"),
        ("sort=-password", "sort"),
        ("cursor=nonsense", "cursor"),
        ("q=a&q=b", "q"),
        ("q=%00", "q"),
        ("q=%ff", "q"),
        ("q=%0a", "q"),
    ];
    for (query, field) in cases {
        let answer = fixture.get(&key, &format!("/realms/main/users?{query}")).await;
        assert_eq!((answer.status.as_u16(), answer.wrong()), (422, vec![field]), "{query}: {}", answer.body);
    }
    let long = fixture.get(&key, &format!("/realms/main/users?q={}", "x".repeat(201))).await;
    assert_eq!((long.status.as_u16(), long.wrong()), (422, vec!["q"]));
    for (query, field) in [("from=yesterday", "from"), ("type=user.eaten", "type"), ("outcome=maybe", "outcome")] {
        let answer = fixture.get(&key, &format!("/realms/main/events?{query}")).await;
        assert_eq!((answer.status.as_u16(), answer.wrong()), (422, vec![field]), "{query}");
    }
}

#[tokio::test]
async fn addresses_that_lead_nowhere_say_so() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    for path in [
        "/realms/main/users/nonsense",
        "/realms/main/users/%ff",
        "/realms/ma%00in",
        "/realms/MAIN",
        "/nothing",
        "/realms/main/users/",
    ] {
        let answer = fixture.get(&key, path).await;
        assert_eq!((answer.status.as_u16(), answer.problem()), (404, "not-found"), "{path}: {}", answer.body);
    }
    let answer = fixture.call(&key, "PUT", "/realms/main/users", &[], None).await;
    assert_eq!((answer.status.as_u16(), answer.problem()), (405, "method-not-allowed"), "{}", answer.body);
    assert!(answer.header("allow").contains("POST"), "{:?}", answer.headers);
    let outside = fixture.send(Request::get("/api/v2").body(Body::empty()).unwrap()).await;
    assert_eq!((outside.status.as_u16(), outside.problem()), (404, "not-found"));
}
