//! «Why can't they sign in?» beside the sign-in itself: what keeps somebody out is what the diagnosis names.

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use denizen_model::permissions::AdminRole;
use serde_json::{Value, json};

use super::Fixture;

const PASSWORD: &str = "correct horse battery";

struct Case {
    fixture: Fixture,
    key: String,
    id: String,
}

/// How a sign-in ended.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    In,
    NewPassword,
    Refused,
    NoPage,
}

impl Case {
    async fn new(body: Value) -> Self {
        let fixture = Fixture::new().await;
        let key = fixture.key(AdminRole::Owner).await;
        fixture.post(&key, "/realms", json!({"slug": "shop", "display_name": "Shop"})).await;
        let made = fixture.post(&key, "/realms/shop/users", body).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let id = made.body["id"].as_str().unwrap().to_owned();
        Self { fixture, key, id }
    }

    async fn post_to(&self, path: &str, body: Value) {
        let answer = self.fixture.post(&self.key, &format!("/realms/shop/users/{}{path}", self.id), body).await;
        assert!(answer.status.is_success(), "{}", answer.body);
    }

    async fn form(&self, path: &str, fields: &[(&str, &str)]) -> (StatusCode, String) {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .body(Body::from(body))
            .unwrap();
        let answer = self.fixture.send(request).await;
        (answer.status, answer.body.as_str().unwrap_or("").to_owned())
    }

    /// Goes through the real sign-in pages.
    async fn sign_in(&self, identifier: &str, password: &str) -> Outcome {
        let flow = |page: &str| {
            let rest = page.split("name=\"flow\" value=\"").nth(1)?;
            Some(rest.split('"').next()?.replace("&#x2f;", "/"))
        };
        let start = self.fixture.send(Request::get("/realms/shop/account").body(Body::empty()).unwrap()).await;
        let Some(state) = flow(start.body.as_str().unwrap_or("")) else {
            assert_eq!(start.status, StatusCode::FORBIDDEN, "{}", start.body);
            return Outcome::NoPage;
        };
        let (_, page) = self.form("/realms/shop/sign-in", &[("flow", &state), ("identifier", identifier)]).await;
        let state = flow(&page).unwrap();
        let (status, page) =
            self.form("/realms/shop/sign-in/password", &[("flow", &state), ("password", password)]).await;
        match status {
            StatusCode::SEE_OTHER => Outcome::In,
            _ if page.contains("password_again") => Outcome::NewPassword,
            _ => Outcome::Refused,
        }
    }

    async fn diagnosis(&self) -> Value {
        let answer = self.fixture.get(&self.key, &format!("/realms/shop/users/{}/diagnosis", self.id)).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    }

    /// The finding of this name.
    #[track_caller]
    fn finding(diagnosis: &Value, code: &str) -> Value {
        let found = diagnosis["findings"].as_array().unwrap().iter().find(|finding| finding["code"] == code);
        found.unwrap_or_else(|| panic!("no {code} in {diagnosis}")).clone()
    }
}

fn jane() -> Value {
    json!({"email": "jane@example.com", "given_name": "Jane", "password": PASSWORD, "email_verified": true})
}

#[tokio::test]
async fn nothing_stands_in_the_way_of_somebody_who_gets_in() {
    let case = Case::new(jane()).await;
    let before = case.diagnosis().await;
    assert_eq!((&before["can_sign_in"], &before["findings"]), (&json!(true), &json!([])), "{before}");
    assert_eq!(before["summary"], "Nothing stands in the way of a sign-in.");
    assert_eq!(case.sign_in("jane@example.com", PASSWORD).await, Outcome::In);
    let after = case.diagnosis().await;
    assert_eq!(after["can_sign_in"], true);
    Case::finding(&after, "signed-in");
}

#[tokio::test]
async fn a_disabled_user_is_refused_and_told_by_whom_and_why() {
    let case = Case::new(jane()).await;
    case.post_to("/disable", json!({"reason": "Left the company."})).await;
    assert_eq!(case.sign_in("jane@example.com", PASSWORD).await, Outcome::Refused);
    let told = case.diagnosis().await;
    assert_eq!(told["can_sign_in"], false);
    let finding = Case::finding(&told, "user-disabled");
    assert_eq!(finding["sentence"], "The account was disabled by owner: Left the company.");
    assert_eq!(finding["fix"], json!({"action": "enable_user", "permission": "users:write"}));
    assert!(finding["at"].is_string() && finding["severity"] == "blocking");
    assert!(Case::finding(&told, "last-failures")["sentence"].as_str().unwrap().contains("the user is disabled"));
    case.post_to("/enable", json!({})).await;
    assert_eq!(case.sign_in("jane@example.com", PASSWORD).await, Outcome::In);
}

#[tokio::test]
async fn a_disabled_realm_keeps_everybody_out() {
    let case = Case::new(jane()).await;
    let path = "/realms/shop";
    let changed = case.fixture.call(&case.key, "PATCH", path, &[], Some(&json!({"enabled": false}))).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    assert_eq!(case.sign_in("jane@example.com", PASSWORD).await, Outcome::NoPage);
    let told = case.diagnosis().await;
    assert_eq!(Case::finding(&told, "realm-disabled")["fix"]["action"], "enable_realm");
}

#[tokio::test]
async fn without_a_password_there_is_no_way_in() {
    let case = Case::new(json!({"email": "jane@example.com"})).await;
    assert_eq!(case.sign_in("jane@example.com", PASSWORD).await, Outcome::Refused);
    let told = case.diagnosis().await;
    assert_eq!(told["can_sign_in"], false);
    assert_eq!(Case::finding(&told, "no-usable-authenticator")["fix"]["action"], "set_password");
    assert_eq!(Case::finding(&told, "email-not-verified")["severity"], "information");
}

#[tokio::test]
async fn a_machine_is_refused_on_pages_and_needs_a_live_key() {
    let case = Case::new(json!({"kind": "machine", "name": "Nightly", "username": "nightly"})).await;
    assert_eq!(case.sign_in("nightly", PASSWORD).await, Outcome::Refused);
    let told = case.diagnosis().await;
    Case::finding(&told, "machine");
    assert_eq!(
        (&told["can_sign_in"], &told["summary"]),
        (&json!(true), &json!("Nothing stands in the way of its API keys."))
    );
    let keys = format!("/realms/shop/users/{}/api-keys", case.id);
    let listed = case.fixture.get(&case.key, &keys).await;
    let key = listed.body["items"][0]["id"].as_str().unwrap().to_owned();
    case.fixture.call(&case.key, "DELETE", &format!("{keys}/{key}"), &[], None).await;
    let told = case.diagnosis().await;
    assert_eq!(
        (&told["can_sign_in"], &Case::finding(&told, "no-api-key")["severity"]),
        (&json!(false), &json!("blocking"))
    );
}

#[tokio::test]
async fn a_password_to_be_replaced_is_a_step() {
    let case = Case::new(jane()).await;
    let required = format!("/realms/shop/users/{}/required-actions/update_password", case.id);
    let put = case.fixture.call(&case.key, "PUT", &required, &[], None).await;
    assert!(put.status.is_success(), "{} {}", put.status, put.body);
    assert_eq!(case.sign_in("jane@example.com", PASSWORD).await, Outcome::NewPassword);
    let told = case.diagnosis().await;
    assert_eq!(
        (&told["can_sign_in"], &Case::finding(&told, "password-reset-required")["severity"]),
        (&json!(true), &json!("step"))
    );

    let answer =
        case.fixture.post(&case.key, &format!("/realms/shop/users/{}/temporary-password", case.id), json!({})).await;
    let temporary = answer.body["temporary_password"].as_str().unwrap().to_owned();
    assert_eq!(case.sign_in("jane@example.com", &temporary).await, Outcome::NewPassword);
    let told = case.diagnosis().await;
    Case::finding(&told, "temporary-password");
    assert_eq!(told["summary"], "They can sign in; one thing is asked of them first.");
}

#[tokio::test]
async fn an_email_that_two_users_have_leads_to_neither() {
    let person = |name: &str| json!({"username": name, "email": "both@example.com", "password": PASSWORD});
    let case = Case::new(jane()).await;
    let frozen = json!({"email_as_username": false});
    let changed = case.fixture.call(&case.key, "PATCH", "/realms/shop/settings", &[], Some(&frozen)).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let made = case.fixture.post(&case.key, "/realms/shop/users", person("one")).await;
    let case = Case { id: made.body["id"].as_str().unwrap().to_owned(), ..case };
    assert_eq!(case.sign_in("both@example.com", PASSWORD).await, Outcome::In);
    case.fixture.post(&case.key, "/realms/shop/users", person("two")).await;
    assert_eq!(case.sign_in("both@example.com", PASSWORD).await, Outcome::Refused);
    assert_eq!(case.sign_in("one", PASSWORD).await, Outcome::In);
    let told = case.diagnosis().await;
    let sentence = Case::finding(&told, "ambiguous-identifier")["sentence"].as_str().unwrap().to_owned();
    assert!(sentence.contains("both@example.com") && sentence.ends_with("one does."), "{sentence}");
}

#[tokio::test]
async fn failures_are_told_to_those_who_may_read_the_log() {
    let case = Case::new(jane()).await;
    for _ in 0..2 {
        assert_eq!(case.sign_in("jane@example.com", "wrong").await, Outcome::Refused);
    }
    let told = case.diagnosis().await;
    let sentence = Case::finding(&told, "last-failures")["sentence"].as_str().unwrap().to_owned();
    assert!(
        sentence.starts_with("The last attempt failed: wrong password")
            && sentence.ends_with("Before: wrong password (once)."),
        "{sentence}"
    );
    assert!(Case::finding(&told, "wrong-passwords")["sentence"].as_str().unwrap().contains("2 times"));
    assert_eq!(case.sign_in("jane@example.com", PASSWORD).await, Outcome::In);
    let codes: Vec<Value> =
        case.diagnosis().await["findings"].as_array().unwrap().iter().map(|f| f["code"].clone()).collect();
    assert!(!codes.contains(&json!("wrong-passwords")), "{codes:?}");
    // Those of another realm learn nothing, not even that there is such a user.
    let stranger = case.fixture.key(AdminRole::Admin).await;
    let place = format!("/realms/shop/users/{}/diagnosis", case.id);
    assert_eq!(case.fixture.get(&stranger, &place).await.status, 404);
    let elsewhere = format!("/realms/main/users/{}/diagnosis", case.id);
    assert_eq!(case.fixture.get(&case.key, &elsewhere).await.status, 404);
    assert_eq!(case.fixture.get(&case.key, &format!("{place}?x=1")).await.wrong(), ["x"]);
}
