//! Reset requests through the API.

use axum::{body::Body, http::Request};
use denizen_model::permissions::AdminRole;
use serde_json::{Value, json};

use super::Fixture;

const USERS: &str = "/realms/main/users";

/// A user with this email; answers the path of their reset requests.
async fn person(fixture: &Fixture, key: &str, body: Value) -> String {
    let made = fixture.post(key, USERS, body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    format!("{USERS}/{}", made.body["id"].as_str().unwrap())
}

fn verified(email: &str) -> Value {
    json!({"email": email, "email_verified": true})
}

fn kinds(body: &Value) -> Vec<&str> {
    body["items"].as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap()).collect()
}

async fn page(fixture: &Fixture, link: &str) -> u16 {
    let path = link.strip_prefix("http://localhost:7000").unwrap();
    fixture.send(Request::get(path).body(Body::empty()).unwrap()).await.status.as_u16()
}

#[tokio::test]
async fn one_mail_goes_out_for_each_reset_and_each_can_be_cancelled() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Support).await;
    let ana = person(&fixture, &key, verified("ana@example.com")).await;
    let place = format!("{ana}/reset-requests");
    let made = fixture.post(&key, &place, json!({"which": ["otp", "password", "otp"]})).await;
    assert_eq!((made.status.as_u16(), kinds(&made.body)), (201, vec!["password", "otp"]), "{}", made.body);
    let first = &made.body["items"][0];
    assert_eq!((&first["requested_by"], &first["mail_state"]), (&json!("support"), &json!("queued")), "{first}");
    assert!(first.get("link").is_none() && first["followed_at"].is_null(), "{first}");
    let mails = fixture.mails("ana@example.com").await;
    assert_eq!(mails.len(), 2, "{mails:?}");
    let links: Vec<String> =
        mails.iter().map(|(_, text)| text.lines().find(|line| line.starts_with("http")).unwrap().to_owned()).collect();
    for path in ["/realms/main/reset-password?token=", "/realms/main/reset-otp?token="] {
        assert_eq!(links.iter().filter(|link| link.contains(path)).count(), 1, "{links:?}");
    }
    let listed = fixture.get(&key, &place).await.body;
    assert_eq!((kinds(&listed).len(), &listed["items"][0]["mail_state"]), (2, &json!("sent")), "{listed}");
    let actions = fixture.get(&key, &format!("{ana}/required-actions")).await.body;
    assert_eq!(kinds(&actions), ["update_password", "configure_otp"]);
    assert_eq!(actions["items"][1]["reset_request"]["type"], "otp");

    // Asked again: one takes the other's place, and the earlier link is dead.
    let password = links.iter().find(|link| link.contains("reset-password")).unwrap();
    assert_eq!(page(&fixture, password).await, 200);
    fixture.post(&key, &place, json!({"which": ["password"]})).await;
    assert_eq!(page(&fixture, password).await, 410);
    let listed = fixture.get(&key, &place).await.body;
    assert_eq!(kinds(&listed).len(), 2);

    for item in listed["items"].as_array().unwrap() {
        let one = format!("{place}/{}", item["id"].as_str().unwrap());
        assert_eq!(fixture.call(&key, "DELETE", &one, &[], None).await.status, 204);
        assert_eq!(fixture.call(&key, "DELETE", &one, &[], None).await.status, 404);
    }
    assert!(kinds(&fixture.get(&key, &format!("{ana}/required-actions")).await.body).is_empty());
    let otp = links.iter().find(|link| link.contains("reset-otp")).unwrap();
    assert_eq!(page(&fixture, otp).await, 410);
}

#[tokio::test]
async fn a_link_is_handed_over_once_and_stands_nowhere_else() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    let ana = person(&fixture, &key, json!({"email": "ana@example.com"})).await;
    let place = format!("{ana}/reset-requests");
    let made = fixture.post(&key, &place, json!({"which": ["password"], "deliver": "link"})).await;
    let link = made.body["items"][0]["link"].as_str().unwrap().to_owned();
    assert!(made.body["items"][0]["mail_state"].is_null());
    assert_eq!(page(&fixture, &link).await, 200);
    let token = link.split("token=").nth(1).unwrap();
    let listed = fixture.get(&key, &place).await.body.to_string();
    let id = ana.rsplit('/').next().unwrap();
    let events = fixture.get(&key, &format!("/realms/main/events?subject={id}")).await.body.to_string();
    assert!(!listed.contains(token) && !events.contains(token));
    assert!(events.contains("\"deliver\":\"link\""), "{events}");
    assert!(fixture.mails("ana@example.com").await.is_empty());
    // What is cancelled as an action takes the link along.
    let action = format!("{ana}/required-actions/update_password");
    assert_eq!(fixture.call(&key, "DELETE", &action, &[], None).await.status, 204);
    assert_eq!(page(&fixture, &link).await, 410);
    // So does a password that an agent sets.
    let made = fixture.post(&key, &place, json!({"which": ["password"], "deliver": "link"})).await;
    let link = made.body["items"][0]["link"].as_str().unwrap().to_owned();
    let set = json!({"password": "a long horse battery"});
    assert_eq!(fixture.call(&key, "PUT", &format!("{ana}/password"), &[], Some(&set)).await.status, 204);
    assert_eq!(page(&fixture, &link).await, 410);
    assert!(kinds(&fixture.get(&key, &place).await.body).is_empty());
}

#[tokio::test]
async fn a_mailed_link_dies_with_the_address() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    let ana = person(&fixture, &key, verified("ana@example.com")).await;
    fixture.post(&key, &format!("{ana}/reset-requests"), json!({"which": ["password"]})).await;
    let mails = fixture.mails("ana@example.com").await;
    let link = mails[0].1.lines().find(|line| line.starts_with("http")).unwrap();
    assert_eq!(page(&fixture, link).await, 200);
    let patch = json!({"email": "ana@example.org"});
    assert_eq!(fixture.call(&key, "PATCH", &ana, &[], Some(&patch)).await.status, 200);
    assert_eq!(page(&fixture, link).await, 410);
}

#[tokio::test]
async fn no_mail_goes_where_nobody_is_known_to_read_it() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    for (name, patch, why) in [
        ("ana", json!({}), "Their email ana@example.com is not verified."),
        ("bob", json!({"email": null, "phone": "+4930123456"}), "a phone number but no email"),
        ("cleo", json!({"email": null}), "They have no email."),
    ] {
        let user = person(&fixture, &key, json!({"email": format!("{name}@example.com")})).await;
        assert_eq!(fixture.call(&key, "PATCH", &user, &[], Some(&patch)).await.status, 200);
        let place = format!("{user}/reset-requests");
        let refused = fixture.post(&key, &place, json!({"which": ["password", "otp"]})).await;
        assert_eq!((refused.status.as_u16(), refused.problem()), (409, "no-verified-email"), "{}", refused.body);
        assert!(refused.body.to_string().contains(why), "{}", refused.body);
        assert!(kinds(&fixture.get(&key, &format!("{user}/required-actions")).await.body).is_empty());
        let handed = fixture.post(&key, &place, json!({"which": ["password"], "deliver": "link"})).await;
        assert_eq!(handed.status, 201);
    }
}

#[tokio::test]
async fn resets_are_asked_by_who_may_of_people_of_their_realm() {
    let fixture = Fixture::new().await;
    let (owner, support) = (fixture.key(AdminRole::Owner).await, fixture.key(AdminRole::Support).await);
    let auditor = fixture.key(AdminRole::Auditor).await;
    fixture.post(&owner, "/realms", json!({"slug": "other", "display_name": "Other"})).await;
    let ana = person(&fixture, &owner, verified("ana@example.com")).await;
    let place = format!("{ana}/reset-requests");
    let body = json!({"which": ["password"]});
    assert_eq!(fixture.post("", &place, body.clone()).await.status, 401);
    assert_eq!(fixture.post(&auditor, &place, body.clone()).await.status, 403);
    assert_eq!(fixture.get(&auditor, &place).await.status, 200);
    let elsewhere = place.replace("/main/", "/other/");
    assert_eq!(fixture.post(&owner, &elsewhere, body.clone()).await.status, 404);
    assert_eq!(fixture.get(&owner, &elsewhere).await.status, 404);
    let made = fixture.post(&support, &place, body.clone()).await;
    let id = made.body["items"][0]["id"].as_str().unwrap().to_owned();
    for (key, path, status) in [
        (&auditor, format!("{place}/{id}"), 403),
        (&owner, format!("{elsewhere}/{id}"), 404),
        (&owner, format!("{place}/0197a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"), 404),
    ] {
        assert_eq!(fixture.call(key, "DELETE", &path, &[], None).await.status, status, "{path}");
    }
    for (body, field) in [
        (json!({"which": []}), "which"),
        (json!({"which": ["pin"]}), "which[0]"),
        (json!({}), "which"),
        (json!({"which": ["otp"], "deliver": "pigeon"}), "deliver"),
        (json!({"which": ["otp"], "sessions": true}), "sessions"),
    ] {
        let refused = fixture.post(&owner, &place, body.clone()).await;
        assert_eq!((refused.status.as_u16(), refused.wrong()), (422, vec![field]), "{body}: {}", refused.body);
    }
    // A machine has nothing to reset; nobody resets somebody with more power; who is disabled is enabled first.
    let machine = fixture.post(&owner, USERS, json!({"kind": "machine", "name": "bot"})).await.body;
    let id = machine["id"].as_str().or(machine["user"]["id"].as_str()).unwrap().to_owned();
    let refused = fixture.post(&owner, &format!("{USERS}/{id}/reset-requests"), body.clone()).await;
    assert_eq!((refused.status.as_u16(), refused.problem()), (409, "machine"));
    let boss = person(&fixture, &owner, verified("boss@example.com")).await;
    let grant = json!({"role": "admin"});
    let granted = fixture.call(&owner, "PUT", &format!("{boss}/admin"), &[], Some(&grant)).await;
    assert!(granted.status.is_success(), "{} {}", granted.status, granted.body);
    assert_eq!(fixture.post(&support, &format!("{boss}/reset-requests"), body.clone()).await.status, 403);
    fixture.call(&owner, "POST", &format!("{ana}/disable"), &[], None).await;
    let refused = fixture.post(&owner, &place, body).await;
    assert_eq!((refused.status.as_u16(), refused.problem()), (409, "disabled"));
}

#[tokio::test]
async fn sessions_end_with_the_request_unless_they_are_kept() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    let ana = person(&fixture, &key, verified("ana@example.com")).await;
    let kept = json!({"which": ["password"], "terminate_sessions": false});
    assert_eq!(fixture.post(&key, &format!("{ana}/reset-requests"), kept).await.status, 201);
    let id = ana.rsplit('/').next().unwrap();
    let events = fixture.get(&key, &format!("/realms/main/events?subject={id}")).await.body.to_string();
    assert!(events.contains("\"sessions_ended\":0"), "{events}");
    // The diagnosis tells what waits, with what mends it.
    let found = fixture.get(&key, &format!("{ana}/diagnosis")).await.body;
    let finding = found["findings"].as_array().unwrap().iter().find(|one| one["code"] == "resets-waiting");
    assert_eq!(finding.unwrap()["fix"]["action"], "send_reset", "{found}");
}
