//! Every filter of the list of users finds those it names, and nobody else.

use denizen_model::{authenticators::AuthenticatorType, permissions::AdminRole, users::FILTERS};
use serde_json::{Value, json};

use super::{Answer, Fixture};

const USERS: &str = "/realms/main/users";

/// Ana has nearly everything; Bob is disabled and has a password to change; Cleo has a telephone and codes on paper.
struct Place {
    fixture: Fixture,
    key: String,
    /// Names with the paths of the records.
    users: Vec<(&'static str, String)>,
}

impl Place {
    async fn new() -> Self {
        let fixture = Fixture::new().await;
        let key = fixture.key(AdminRole::Owner).await;
        let mut place = Self { fixture, key, users: Vec::new() };
        let plan = json!({"key": "plan", "label": "Plan", "type": "string", "searchable": true});
        place.post("/realms/main/attribute-definitions", plan).await;
        let people = [
            ("Ana", json!({"reference": "R-1", "attributes": {"plan": "gold"}, "phone": "+493012345601"})),
            ("Bob", json!({"attributes": {"plan": "silver"}, "reference": "R-11"})),
            ("Cleo", json!({"phone": "+493012345602"})),
        ];
        for (name, mut body) in people {
            body["kind"] = json!("human");
            body["email"] = json!(format!("{}@example.com", name.to_lowercase()));
            body["given_name"] = json!(name);
            place.add(name, body).await;
        }
        place.add("robot", json!({"kind": "machine", "name": "robot"})).await;
        let (ana, bob, cleo) = (place.of("Ana"), place.of("Bob"), place.of("Cleo"));
        let password = json!({"password": "correct horse battery"});
        assert_eq!(place.call("PUT", &format!("{ana}/password"), Some(password)).await.status, 204);
        let listed = place.get(&format!("{ana}/authenticators")).await;
        let lock = format!("{ana}/authenticators/{}/lock", listed["items"][0]["id"].as_str().unwrap());
        assert!(place.call("POST", &lock, None).await.status.is_success());
        place.patch(&ana, json!({"email_state": "verified"})).await;
        place.patch(&cleo, json!({"phone_state": "verified"})).await;
        let reset = format!("{bob}/required-actions/update_password");
        assert_eq!(place.call("PUT", &reset, None).await.status, 204);
        assert!(place.call("POST", &format!("{bob}/disable"), Some(json!({}))).await.status.is_success());
        assert!(place.call("POST", &format!("{cleo}/recovery-codes"), None).await.status.is_success());
        let id = |path: &str| path.rsplit('/').next().unwrap().to_owned();
        for (kind, name) in [("groups", "beta"), ("organizations", "Acme")] {
            let made = place.post(&format!("/realms/main/{kind}"), json!({"name": name})).await;
            let members = format!("/realms/main/{kind}/{}/members", made["id"].as_str().unwrap());
            place.call("POST", &members, Some(json!({"user_ids": [id(&ana)]}))).await;
        }
        let role = place.post("/realms/main/roles", json!({"name": "writer"})).await;
        let role = format!("{ana}/roles/{}", role["id"].as_str().unwrap());
        assert!(place.call("PUT", &role, None).await.status.is_success());
        place
    }

    async fn add(&mut self, name: &'static str, body: Value) {
        let made = self.post(USERS, body).await;
        self.users.push((name, format!("{USERS}/{}", made["id"].as_str().unwrap())));
    }

    fn of(&self, name: &str) -> String {
        self.users.iter().find(|(known, _)| *known == name).unwrap().1.clone()
    }

    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.fixture.call(&self.key, method, path, &[], body.as_ref()).await
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let made = self.call("POST", path, Some(body)).await;
        assert_eq!(made.status, 201, "{path}: {}", made.body);
        made.body
    }

    async fn patch(&self, path: &str, body: Value) {
        let patched = self.call("PATCH", path, Some(body)).await;
        assert_eq!(patched.status, 200, "{path}: {}", patched.body);
    }

    async fn get(&self, path: &str) -> Value {
        let got = self.fixture.get(&self.key, path).await;
        assert_eq!(got.status, 200, "{path}: {}", got.body);
        got.body
    }

    /// Who is found, by name.
    async fn found(&self, filter: &str) -> Vec<String> {
        let page = self.get(&format!("{USERS}?sort=name&{filter}")).await;
        let items = page["items"].as_array().unwrap();
        assert_eq!(page["total"], json!({"count": items.len(), "exact": true}), "{filter}: {page}");
        items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn every_filter_finds_those_it_names_and_nobody_else() {
    let place = Place::new().await;
    let everybody = ["Ana", "Bob", "Cleo", "owner", "robot"];
    let but = |name: &str| everybody.into_iter().filter(|one| *one != name).collect::<Vec<_>>();
    let cases: Vec<(&str, &str, Vec<&str>)> = vec![
        ("kind", "human", vec!["Ana", "Bob", "Cleo"]),
        ("kind", "machine", vec!["owner", "robot"]),
        ("status", "active", but("Bob")),
        ("status", "disabled", vec!["Bob"]),
        ("locked", "true", vec!["Ana"]),
        ("locked", "false", but("Ana")),
        ("admin", "true", vec!["owner"]),
        ("admin", "false", but("owner")),
        ("role", "writer", vec!["Ana"]),
        ("group", "BETA", vec!["Ana"]),
        ("organization", "acme", vec!["Ana"]),
        ("email_verified", "true", vec!["Ana"]),
        ("email_verified", "false", but("Ana")),
        ("phone_verified", "true", vec!["Cleo"]),
        ("phone_verified", "false", but("Cleo")),
        ("has_password", "true", vec!["Ana"]),
        ("has_password", "false", but("Ana")),
        ("authenticator", "password", vec!["Ana"]),
        ("authenticator", "recovery_codes", vec!["Cleo"]),
        ("required_action", "update_password", vec!["Bob"]),
        ("required_action", "verify_email", vec![]),
        ("created", "7d", everybody.to_vec()),
        ("created", "%3E7d", vec![]),
        ("created_after", "2027-01-01", everybody.to_vec()),
        ("created_before", "2027-01-01", vec![]),
        ("last_sign_in", "never", everybody.to_vec()),
        ("last_sign_in", "30d", vec![]),
        ("last_sign_in_after", "2020-01-01", vec![]),
        ("last_sign_in_before", "2030-01-01", vec![]),
        ("reference", "r-1", vec!["Ana"]),
        ("attr.plan", "GOLD", vec!["Ana"]),
    ];
    for (name, value, expected) in &cases {
        assert_eq!(place.found(&format!("{name}={value}")).await, *expected, "{name}={value}");
        // Typed, it is the same.
        assert_eq!(place.found(&format!("q={name}:{value}")).await, *expected, "{name}:{value}");
    }
    // No provider is there yet to be linked.
    let (refused, provider) = (place.call("GET", &format!("{USERS}?provider=google"), None).await, "provider");
    assert_eq!((refused.status.as_u16(), refused.wrong()), (422, vec![provider]));
    for spec in FILTERS.iter().filter(|spec| spec.name != provider) {
        assert!(cases.iter().any(|(name, ..)| *name == spec.name), "{} is not tested", spec.name);
    }
    let both = place.found("status=disabled&required_action=update_password&q=bob").await;
    assert_eq!(both, ["Bob"]);
    assert!(place.found("status=active&required_action=update_password").await.is_empty());
}

#[tokio::test]
async fn whoever_is_found_by_an_authenticator_has_it_on_the_profile() {
    let place = Place::new().await;
    let some = json!({"sign_in_methods": ["password", "email_code"], "second_factors": ["totp", "sms_code"]});
    let links = json!({"sign_in_methods": ["password", "magic_link"], "second_factors": ["totp"]});
    let all = ["Ana", "Bob", "Cleo"].as_slice();
    let expected = |codes, links, texts| [("email_code", codes), ("magic_link", links), ("sms_code", texts)];
    let nobody: &[&str] = &[];
    for (settings, expected) in [
        (json!({}), expected(nobody, nobody, nobody)),
        (some.clone(), expected(all, nobody, &["Ana", "Cleo"])),
        (links, expected(nobody, all, nobody)),
        (some, expected(all, nobody, &["Ana", "Cleo"])),
    ] {
        place.patch("/realms/main/settings", settings.clone()).await;
        for (kind, expected) in expected {
            assert_eq!(place.found(&format!("authenticator={kind}")).await, expected, "{kind} with {settings}");
        }
        for kind in AuthenticatorType::ALL {
            let mut shown = Vec::new();
            for (name, path) in &place.users {
                let listed = place.get(&format!("{path}/authenticators")).await;
                if listed["items"].as_array().unwrap().iter().any(|one| one["type"] == kind.as_str()) {
                    shown.push(*name);
                }
            }
            assert_eq!(place.found(&format!("authenticator={kind}")).await, shown, "{kind} with {settings}");
        }
    }
    // Another realm's settings are nothing to this one; and an export of nobody is not one of everybody.
    place.post("/realms", json!({"slug": "other", "display_name": "Other"})).await;
    place.patch("/realms/other/settings", json!({"sign_in_methods": ["password", "magic_link"]})).await;
    assert!(place.found("authenticator=magic_link").await.is_empty());
    for (kind, lines) in [("magic_link", 1), ("email_code", 4)] {
        let export = place.get(&format!("{USERS}/export?format=csv&authenticator={kind}")).await;
        assert_eq!(export.as_str().unwrap().lines().count(), lines, "{kind}: {export}");
    }
    // What was switched off is still there; what came with an address goes with it.
    let (ana, cleo) = (place.of("Ana"), place.of("Cleo"));
    let listed = place.get(&format!("{ana}/authenticators")).await;
    let text = listed["items"].as_array().unwrap().iter().find(|one| one["type"] == "sms_code").unwrap();
    let off = format!("{ana}/authenticators/{}/deactivate", text["id"].as_str().unwrap());
    let done = place.call("POST", &off, Some(json!({}))).await;
    assert!(done.status.is_success(), "{}", done.body);
    assert_eq!(place.found("authenticator=sms_code").await, ["Ana", "Cleo"]);
    place.patch(&ana, json!({"phone": null})).await;
    assert_eq!(place.found("authenticator=sms_code").await, ["Cleo"]);
    place.patch(&cleo, json!({"phone": null})).await;
    assert!(place.found("authenticator=sms_code").await.is_empty());
    assert_eq!(place.found("authenticator=email_code&status=disabled&q=example").await, ["Bob"]);
    let wrong = place.call("GET", &format!("{USERS}?authenticator=sms"), None).await;
    assert_eq!((wrong.status.as_u16(), wrong.wrong()), (422, vec!["authenticator"]));
    assert!(wrong.body.to_string().contains("email_code, sms_code, magic_link or recovery_codes"), "{}", wrong.body);
}
