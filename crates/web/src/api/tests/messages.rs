//! Messages: what is asked for by the API goes out, and what the API shows of it.

use denizen_model::permissions::AdminRole;
use serde_json::json;

use super::Fixture;

#[tokio::test]
async fn a_verification_mail_goes_out_when_it_is_asked_for() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Support).await;
    let made = fixture.post(&key, "/realms/main/users", json!({"email": "ana@example.com"})).await;
    let place = made.header("location").strip_prefix("/api/v1").unwrap().to_owned();
    assert!(fixture.mails("ana@example.com").await.is_empty(), "creation sends nothing");
    let ask = json!({"email_state": "verification_requested"});
    for round in 1..=2 {
        let asked = fixture.call(&key, "PATCH", &place, &[], Some(&ask)).await;
        assert_eq!((asked.status.as_u16(), &asked.body["email_state"]), (200, &json!("verification_requested")));
        assert_eq!(fixture.mails("ana@example.com").await.len(), round);
    }
    let list = fixture.get(&key, &format!("{place}/notifications?limit=1")).await.body;
    let shown = &list["items"][0];
    assert_eq!(
        (&shown["state"], &shown["template"], &shown["attempts"]),
        (&json!("sent"), &json!("verify-email"), &json!(1))
    );
    assert_eq!((&shown["recipient"], &shown["channel"]), (&json!("ana@example.com"), &json!("email")));
    let content = shown["content"].as_str().unwrap();
    assert!(content.contains("•••") && !content.contains("token="), "{content}");
    let next = list["next_cursor"].as_str().unwrap();
    let rest = fixture.get(&key, &format!("{place}/notifications?limit=1&cursor={next}")).await.body;
    assert_eq!(rest["items"].as_array().unwrap().len(), 1);
    assert_ne!(rest["items"][0]["id"], shown["id"]);
    assert!(rest["next_cursor"].is_null());
    let other = fixture.get(&key, "/realms/main/roles?limit=1").await;
    assert_eq!(other.status, 200);
    let owner = fixture.key(AdminRole::Owner).await;
    let events = fixture.get(&owner, &format!("{place}/events?limit=50")).await.body.to_string();
    for kind in ["user.email.verification-requested", "notification.sent"] {
        assert_eq!(events.matches(&format!("\"{kind}\"")).count(), 2, "{kind} in {events}");
    }
    assert!(!events.contains("token="), "{events}");
}

#[tokio::test]
async fn what_cannot_be_verified_says_so() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    let body = json!({"email": "ana@example.com", "phone": "+4930123456"});
    let made = fixture.post(&key, "/realms/main/users", body).await;
    let place = made.header("location").strip_prefix("/api/v1").unwrap().to_owned();
    let phone = fixture.call(&key, "PATCH", &place, &[], Some(&json!({"phone_state": "verification_requested"}))).await;
    assert_eq!((phone.status.as_u16(), phone.wrong()), (422, vec!["phone_state"]), "{}", phone.body);
    let nothing = json!({"email": null, "email_state": "verification_requested"});
    let refused = fixture.call(&key, "PATCH", &place, &[], Some(&nothing)).await;
    assert_eq!((refused.status.as_u16(), refused.wrong()), (422, vec!["email_state"]), "{}", refused.body);
    assert!(fixture.mails("ana@example.com").await.is_empty());
}
