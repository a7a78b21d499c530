//! The password policy over the API: every way of setting a password goes through it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use axum::{Router, body::Body, extract::Path, http::Request, http::StatusCode, http::header, routing::get};
use denizen_model::permissions::AdminRole;
use denizen_ops::{passwords::Source, setup};
use serde_json::{Value, json};

use super::{Answer, Fixture};

const USERS: &str = "/realms/main/users";
const SETTINGS: &str = "/realms/main/settings";
const COMMON: &str = "Must not be one of the passwords that attackers try first.";
const BREACHED: &str = "Must not be a password that is known from a breach.";

/// What is wrong with the password.
fn messages(answer: &Answer) -> Vec<&str> {
    assert_eq!((answer.status, answer.problem()), (StatusCode::UNPROCESSABLE_ENTITY, "invalid-input"));
    let errors = answer.body["errors"].as_array().unwrap();
    assert!(errors.iter().all(|error| error["field"] == "password"), "{}", answer.body);
    errors.iter().map(|error| error["message"].as_str().unwrap()).collect()
}

struct Case {
    fixture: Fixture,
    key: String,
    person: String,
}

impl Case {
    async fn new(source: Source) -> Self {
        let fixture = Fixture::looking_up(source).await;
        let key = fixture.key(AdminRole::Owner).await;
        let made = fixture.post(&key, USERS, json!({"email": "ana@example.com"})).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let person = format!("{USERS}/{}/password", made.body["id"].as_str().unwrap());
        Self { fixture, key, person }
    }

    async fn settle(&self, patch: Value) -> Answer {
        self.fixture.call(&self.key, "PATCH", SETTINGS, &[], Some(&patch)).await
    }

    async fn put(&self, password: &str) -> Answer {
        self.fixture.call(&self.key, "PUT", &self.person, &[], Some(&json!({ "password": password }))).await
    }

    async fn accepts(&self, password: &str) {
        let answer = self.put(password).await;
        assert_eq!(answer.status, 204, "{password}: {}", answer.body);
    }

    async fn create(&self, password: &str) -> Answer {
        self.fixture.post(&self.key, USERS, json!({"email": "bob@example.com", "password": password})).await
    }

    /// How passwords were held against breached ones, by the events of their changes.
    async fn breach_checks(&self) -> Vec<Value> {
        let list = self.fixture.get(&self.key, "/realms/main/events?type=user.password.changed").await;
        let items = list.body["items"].as_array().unwrap().iter();
        let mut checks: Vec<Value> = items.map(|item| item["details"]["breach_check"].clone()).collect();
        checks.sort_by_key(Value::to_string);
        checks
    }
}

#[tokio::test]
async fn every_rule_that_is_missed_is_told_at_once() {
    let case = Case::new(Source::None).await;
    let strict = json!({
        "password_min_length": 12,
        "password_require_upper": true,
        "password_require_lower": true,
        "password_require_digit": true,
        "password_require_symbol": true,
    });
    let settled = case.settle(strict).await;
    assert_eq!((settled.status.as_u16(), &settled.body["password_history"]), (200, &json!(5)), "{}", settled.body);
    let all = [
        "Must have at least 12 characters.",
        "Must have an upper-case letter.",
        "Must have a lower-case letter.",
        "Must have a symbol, such as ! or #.",
        COMMON,
    ];
    assert_eq!(messages(&case.create("123456789").await), all);
    assert_eq!(messages(&case.put("123456789").await), all);
    assert_eq!(messages(&case.put("Password 123456").await), ["Must have a symbol, such as ! or #."]);
    case.accepts("Password! 123456").await;
    // A temporary one is random; it is to be replaced by one that keeps the rules.
    let temporary = case.person.replace("/password", "/temporary-password");
    assert_eq!(case.fixture.post(&case.key, &temporary, json!({})).await.status, 200);
}

#[tokio::test]
async fn common_passwords_are_refused_in_any_case_unless_the_realm_allows_them() {
    let case = Case::new(Source::None).await;
    for common in ["password", "PassWord", "iloveyou1", "12345678"] {
        assert_eq!(messages(&case.put(common).await), [COMMON], "{common}");
        assert_eq!(messages(&case.create(common).await), [COMMON], "{common}");
    }
    case.accepts("a long enough password").await;
    assert_eq!(case.breach_checks().await, ["no_source"]);
    assert_eq!(case.settle(json!({"password_block_breached": false})).await.status, 200);
    case.accepts("iloveyou1").await;
    assert_eq!(case.breach_checks().await, [json!("no_source"), Value::Null]);
}

/// A range source that knows one password: its address, whether it works, and how often it was asked.
async fn range_source() -> (Source, Arc<AtomicBool>, Arc<AtomicUsize>) {
    let (works, asked) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
    let (working, counted) = (works.clone(), asked.clone());
    let answer = move |Path(prefix): Path<String>| async move {
        counted.fetch_add(1, Ordering::SeqCst);
        let (own, rest) = LEAKED.split_at(5);
        let line = if prefix == own { format!("{rest}:3\r\n") } else { String::new() };
        match working.load(Ordering::SeqCst) {
            true => (StatusCode::OK, format!("{line}{}:0", "F".repeat(35))),
            false => (StatusCode::SERVICE_UNAVAILABLE, String::new()),
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/range", listener.local_addr().unwrap());
    let router = Router::new().route("/range/{prefix}", get(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (Source::parse(&address).unwrap(), works, asked)
}

/// The SHA-1 of `a password that leaked`.
const LEAKED: &str = "BC5E5095332DD43F79360BBE80D6094711B94888";

#[tokio::test]
async fn a_breached_password_is_refused_and_the_event_says_how_it_was_looked_up() {
    let (source, _, asked) = range_source().await;
    let case = Case::new(source).await;
    assert_eq!(messages(&case.put("a password that leaked").await), [BREACHED]);
    assert_eq!(messages(&case.create("a password that leaked").await), [BREACHED]);
    case.accepts("a password that did not").await;
    assert_eq!(case.breach_checks().await, ["passed"]);
    let before = asked.load(Ordering::SeqCst);
    // Neither what is on the built-in list nor what can be no password is asked for.
    assert_eq!(messages(&case.put("password1").await), [COMMON]);
    assert_eq!(messages(&case.put(&"x".repeat(129)).await), ["Must have at most 128 characters."]);
    case.settle(json!({"password_block_breached": false})).await;
    case.accepts("a password that leaked").await;
    assert_eq!(asked.load(Ordering::SeqCst), before);
}

#[tokio::test]
async fn while_the_source_is_away_the_built_in_list_holds_and_the_event_says_so() {
    let (source, works, _) = range_source().await;
    works.store(false, Ordering::SeqCst);
    let case = Case::new(source).await;
    assert_eq!(messages(&case.put("iloveyou1").await), [COMMON]);
    case.accepts("a password that leaked").await;
    assert_eq!(case.breach_checks().await, ["unavailable"]);
    let list = case.fixture.get(&case.key, "/realms/main/events").await.body.to_string();
    assert!(!list.contains("leaked") && !list.contains(LEAKED.split_at(5).0), "{list}");
}

#[tokio::test]
async fn a_password_is_none_of_the_last_ones() {
    let case = Case::new(Source::None).await;
    let password = |n: usize| format!("password number {n}");
    for n in 1..=6 {
        case.accepts(&password(n)).await;
    }
    assert_eq!(messages(&case.put(&password(6)).await), ["Must not be the present password."]);
    for n in 2..=5 {
        assert_eq!(messages(&case.put(&password(n)).await), ["Must not be one of the last 5 passwords."], "{n}");
    }
    // Neither a temporary password nor clearing it lets the last ones be forgotten.
    let temporary = case.person.replace("/password", "/temporary-password");
    for _ in 0..6 {
        assert_eq!(case.fixture.post(&case.key, &temporary, json!({})).await.status, 200);
    }
    assert_eq!(messages(&case.put(&password(2)).await), ["Must not be one of the last 5 passwords."]);
    assert_eq!(case.fixture.call(&case.key, "DELETE", &case.person, &[], None).await.status, 204);
    assert_eq!(messages(&case.put(&password(6)).await), ["Must not be one of the last 5 passwords."]);
    case.accepts(&password(1)).await;
    case.settle(json!({"password_history": 1})).await;
    assert_eq!(messages(&case.put(&password(1)).await), ["Must not be the present password."]);
    case.accepts(&password(6)).await;
    case.settle(json!({"password_history": 0})).await;
    case.accepts(&password(6)).await;
    // Everybody has their own past.
    assert_eq!(case.create(&password(6)).await.status, 201);
}

#[tokio::test]
async fn whoever_may_not_set_a_password_does_not_learn_whether_it_is_the_present_one() {
    let case = Case::new(Source::None).await;
    case.accepts("a long enough password").await;
    let id = case.person.split('/').nth(4).unwrap();
    let grant = json!({"role": "owner"});
    let place = format!("{USERS}/{id}/admin");
    let granted = case.fixture.call(&case.key, "PUT", &place, &[], Some(&grant)).await;
    assert!(granted.status.is_success(), "{} {}", granted.status, granted.body);
    let admin = case.fixture.key(AdminRole::Admin).await;
    for guess in ["a long enough password", "another long password", "iloveyou1"] {
        let body = json!({ "password": guess });
        let refused = case.fixture.call(&admin, "PUT", &case.person, &[], Some(&body)).await;
        assert_eq!((refused.status.as_u16(), refused.problem()), (403, "forbidden"), "{guess}: {}", refused.body);
    }
}

#[tokio::test]
async fn the_owners_first_password_keeps_the_policy_too() {
    let fixture = Fixture::new().await;
    let link = setup::make_link(&fixture.app).await.unwrap();
    let token = link.expose().rsplit('/').next().unwrap().to_owned();
    let send = async |password: &str| {
        let fields = [("token", token.as_str()), ("email", "olga@example.com"), ("password", password)];
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::post("/setup")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .body(Body::from(body));
        fixture.send(request.unwrap()).await
    };
    let refused = send("iloveyou1").await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.body.as_str().unwrap().contains("attackers try first"), "{}", refused.body);
    let refused = send("olga@example.com").await;
    assert!(refused.body.as_str().unwrap().contains("your own name or address"), "{}", refused.body);
    assert_eq!(send("a long enough password").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn settings_out_of_bounds_are_named() {
    let case = Case::new(Source::None).await;
    for (patch, field) in [
        (json!({"password_history": 25}), "password_history"),
        (json!({"password_history": -1}), "password_history"),
        (json!({"password_min_length": 7}), "password_min_length"),
        (json!({"password_require_upper": "yes"}), "password_require_upper"),
        (json!({"password_require_umlaut": true}), "password_require_umlaut"),
    ] {
        let refused = case.settle(patch).await;
        assert_eq!((refused.status.as_u16(), refused.wrong()), (422, vec![field]), "{}", refused.body);
    }
    assert_eq!(case.settle(json!({"password_history": 24})).await.body["password_history"], 24);
}
