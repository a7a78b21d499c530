//! Message templates: reading, wording, reverting, previewing and testing, and what is refused.

use denizen_model::{locales::Language, messages::Template, permissions::AdminRole};
use serde_json::{Value, json};

use super::{Answer, Fixture};

const PLACE: &str = "/realms/main/message-templates";

fn own(subject: &str) -> Value {
    json!({"subject": subject, "text": "Open {{ link }}", "html": "<p><a href=\"{{ link }}\">Open</a> {{ brand }}</p>"})
}

async fn put(fixture: &Fixture, key: &str, place: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    fixture.call(key, "PUT", place, headers, Some(body)).await
}

async fn verification(fixture: &Fixture, key: &str, email: &str, locale: &str) -> (String, String) {
    let made = fixture.post(key, "/realms/main/users", json!({"email": email, "locale": locale})).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let user = made.header("location").strip_prefix("/api/v1").unwrap().to_owned();
    let ask = json!({"email_state": "verification_requested"});
    assert_eq!(fixture.call(key, "PATCH", &user, &[], Some(&ask)).await.status, 200);
    fixture.mails(email).await.swap_remove(0)
}

#[tokio::test]
async fn a_message_is_worded_used_and_brought_back() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    let all = fixture.get(&key, PLACE).await.body;
    let items = all["items"].as_array().unwrap();
    assert_eq!(items.len(), Template::ALL.len() * Language::ALL.len());
    assert!(items.iter().all(|item| item["state"] == "default"));
    let place = format!("{PLACE}/verify-email/en");
    let usual = fixture.get(&key, &place).await;
    assert_eq!((usual.status.as_u16(), usual.header("etag")), (200, "\"0\""));
    assert_eq!((&usual.body["state"], &usual.body["needs"]), (&json!("default"), &json!("link")));
    assert!(usual.body["html"].as_str().unwrap().contains("href=\"{{ link }}\""), "{}", usual.body);
    assert!(usual.body["variables"].as_array().unwrap().iter().any(|variable| variable["name"] == "expires"));
    // The usual text can be saved as it is shown.
    let text = json!({"subject": usual.body["subject"], "text": usual.body["text"], "html": usual.body["html"]});
    let set = put(&fixture, &key, &place, &[("if-match", "\"0\"")], &text).await;
    assert_eq!((set.status.as_u16(), set.header("etag")), (200, "\"1\""), "{}", set.body);
    assert_eq!(put(&fixture, &key, &place, &[("if-match", "\"0\"")], &own("x")).await.status, 412);
    let set = put(&fixture, &key, &place, &[("if-match", "\"1\"")], &own("Hello from {{ brand }}")).await;
    assert_eq!((set.header("etag"), &set.body["state"]), ("\"2\"", &json!("overridden")));
    assert_eq!(
        put(&fixture, &key, &place, &[], &own("Hello from {{ brand }}")).await.header("etag"),
        "\"2\"",
        "nothing new"
    );
    let (subject, text) = verification(&fixture, &key, "ana@example.com", "en-GB").await;
    assert_eq!(subject, "Hello from Main");
    assert!(text.starts_with("Open http://localhost:7000/realms/main/verify-email?token="), "{text}");
    // Readers of another language have theirs.
    let (subject, _) = verification(&fixture, &key, "bo@example.com", "fr").await;
    assert_ne!(subject, "Hello from Main");
    let listed = fixture.get(&key, PLACE).await.body;
    let changed = listed["items"].as_array().unwrap().iter().filter(|item| item["state"] == "overridden");
    assert_eq!(
        changed.map(|item| format!("{} {}", item["template"], item["language"])).collect::<Vec<_>>(),
        ["\"verify-email\" \"en\""]
    );
    assert_eq!(fixture.call(&key, "DELETE", &place, &[("if-match", "\"1\"")], None).await.status, 412);
    assert_eq!(fixture.call(&key, "DELETE", &place, &[("if-match", "\"2\"")], None).await.status, 204);
    assert_eq!(fixture.call(&key, "DELETE", &place, &[], None).await.status, 404);
    let (subject, _) = verification(&fixture, &key, "cy@example.com", "en").await;
    assert_ne!(subject, "Hello from Main");
    for (kind, count) in [("updated", 2), ("reverted", 1)] {
        let events = fixture.get(&key, &format!("/realms/main/events?type=message-template.{kind}")).await.body;
        let events = events["items"].as_array().unwrap().clone();
        assert_eq!(events.len(), count, "{kind}");
        assert_eq!(events[0]["subject"]["id"], "verify-email/en");
    }
}

#[tokio::test]
async fn what_could_do_harm_is_refused_where_it_stands() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    let place = format!("{PLACE}/reset-password/en");
    let with = |field: &str, value: &str| {
        let mut body = own("Hello");
        body[field] = json!(value);
        body
    };
    for (body, field, said) in [
        (with("subject", "Hi\r\nBcc: eve@example.com"), "subject", "one line"),
        (with("subject", ""), "subject", "empty"),
        (with("subject", "{{ token }}"), "subject", "There is no token"),
        (with("text", "{{ link }}\n{{ self._env }}"), "text", "Line 2"),
        (with("text", "{{ link }}{% include '/etc/passwd' %}"), "text", "include"),
        (with("text", "{{ link }}{% for a in range(99999999) %}x{% endfor %}"), "text", "Line 1"),
        (with("text", "{{ link }}{{ 'x' * 999999999 }}"), "text", "Line 1"),
        (with("text", "{{ link"), "text", "Line 1"),
        (with("text", "nothing"), "text", "{{ link }}"),
        (with("text", &"x".repeat(17_000)), "text", "16384"),
        (with("html", &"x".repeat(66_000)), "html", "65536"),
        (with("html", "{{ link }}{{ brand|safe }}"), "html", "safe"),
        (with("html", "<img src=\"https://evil.example/?{{ link }}\">"), "html", "nowhere else"),
    ] {
        for (method, place) in [("PUT", place.clone()), ("POST", format!("{place}/preview"))] {
            let refused = fixture.call(&key, method, &place, &[], Some(&body)).await;
            assert_eq!((refused.status.as_u16(), refused.wrong()), (422, vec![field]), "{body} {}", refused.body);
            assert!(refused.body["errors"].to_string().contains(said), "{said}: {}", refused.body);
        }
    }
    let sms = put(&fixture, &key, &format!("{PLACE}/sms-code/en"), &[], &own("Hello")).await;
    assert_eq!((sms.status.as_u16(), sms.wrong()), (422, vec!["html", "subject", "text"]), "{}", sms.body);
    for missing in ["nonsense/en", "sms-code/xx", "sms-code/EN", "sms-code/de-AT"] {
        assert_eq!(fixture.get(&key, &format!("{PLACE}/{missing}")).await.status, 404, "{missing}");
    }
    // Names of people and realms are escaped, whoever words the mail.
    assert_eq!(put(&fixture, &key, &place, &[], &own("Hello {{ brand }}")).await.status, 200);
    let name = json!({"display_name": "<script>alert(1)</script>"});
    assert_eq!(fixture.call(&key, "PATCH", "/realms/main", &[], Some(&name)).await.status, 200);
    let shown = fixture.post(&key, &format!("{place}/preview"), json!({})).await;
    let html = shown.body["html"].as_str().unwrap();
    assert!(!html.contains("<script>") && html.contains("&lt;script&gt;"), "{html}");
}

#[tokio::test]
async fn a_preview_keeps_nothing_and_a_test_goes_to_whoever_asks() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    let place = format!("{PLACE}/email-code/de");
    let typed = json!({"subject": "{{ code }}", "text": "{{ code }}", "html": "<b>{{ code }}</b>"});
    let shown = fixture.post(&key, &format!("{place}/preview"), typed).await;
    assert_eq!((shown.status.as_u16(), &shown.body["html"]), (200, &json!("<b>493816</b>")), "{}", shown.body);
    assert_eq!(fixture.get(&key, &place).await.body["state"], "default");
    let shown = fixture.call(&key, "POST", &format!("{place}/preview"), &[], None).await;
    assert!(shown.body["text"].as_str().unwrap().contains("493816"), "{}", shown.body);
    let sms = fixture.call(&key, "POST", &format!("{PLACE}/sms-code/en/preview"), &[], None).await;
    assert!(sms.body["html"].is_null() && sms.body["text"].as_str().unwrap().contains("493816"), "{}", sms.body);
    // A machine has no address of its own.
    let refused = fixture.call(&key, "POST", &format!("{place}/test"), &[], None).await;
    assert_eq!((refused.status.as_u16(), refused.problem()), (409, "no-own-address"), "{}", refused.body);
}

#[tokio::test]
async fn the_texts_of_a_realm_are_its_own_and_settings_are_for_those_who_may() {
    let fixture = Fixture::new().await;
    let owner = fixture.key(AdminRole::Owner).await;
    assert_eq!(fixture.post(&owner, "/realms", json!({"slug": "other", "display_name": "Other"})).await.status, 201);
    let place = "/realms/other/message-templates/verify-email/en";
    assert_eq!(put(&fixture, &owner, place, &[], &own("Other's")).await.status, 200);
    assert_eq!(fixture.get(&owner, &format!("{PLACE}/verify-email/en")).await.body["state"], "default");
    let (subject, _) = verification(&fixture, &owner, "ana@example.com", "en").await;
    assert_ne!(subject, "Other's");
    let auditor = fixture.key(AdminRole::Auditor).await;
    let support = fixture.key(AdminRole::Support).await;
    let here = format!("{PLACE}/verify-email/en");
    assert_eq!(fixture.get(&auditor, &here).await.status, 200);
    assert_eq!(put(&fixture, &auditor, &here, &[], &own("x")).await.status, 403);
    assert_eq!(fixture.call(&auditor, "DELETE", &here, &[], None).await.status, 403);
    assert_eq!(fixture.call(&auditor, "POST", &format!("{here}/test"), &[], None).await.status, 403);
    assert_eq!(fixture.get(&support, &here).await.status, 403);
    // An administrator of another realm does not learn of this one.
    let machine = fixture.post(&owner, "/realms/other/users", json!({"kind": "machine", "name": "bot"})).await.body;
    let grant = format!("/realms/other/users/{}/admin", machine["id"].as_str().unwrap());
    assert_eq!(put(&fixture, &owner, &grant, &[], &json!({"role": "owner"})).await.status, 204);
    let stranger = machine["api_key"]["key"].as_str().unwrap();
    for (method, path) in [("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/preview"), ("POST", "/test")] {
        let body = (method == "PUT").then(|| own("x"));
        let answer = fixture.call(stranger, method, &format!("{here}{path}"), &[], body.as_ref()).await;
        assert_eq!(answer.status, 404, "{method} {path}");
    }
}
