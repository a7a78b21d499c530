//! Invitations through the API.

use denizen_model::permissions::AdminRole;
use serde_json::{Value, json};

use super::Fixture;

const LIST: &str = "/realms/main/invitations";

fn states(body: &Value) -> Vec<String> {
    let one = |item: &Value| format!("{} {}", item["email"].as_str().unwrap(), item["state"].as_str().unwrap());
    body["items"].as_array().unwrap().iter().map(one).collect()
}

#[tokio::test]
async fn an_invitation_is_sent_sent_again_and_withdrawn() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Support).await;
    let body = json!({"email": "ana@example.com", "given_name": "Ana", "locale": "pt-BR"});
    let made = fixture.post(&key, LIST, body).await;
    assert_eq!(
        (made.status.as_u16(), &made.body["state"], &made.body["sent_count"]),
        (201, &json!("pending"), &json!(1))
    );
    assert_eq!(made.body["invited_by"], "support");
    let place = made.header("location").strip_prefix("/api/v1").unwrap().to_owned();
    let first = fixture.mails("ana@example.com").await;
    assert!(first[0].0.contains("invited") && first[0].1.contains("support has invited you"), "{first:?}");

    let again = fixture.post(&key, LIST, json!({"email": "ANA@example.com"})).await;
    assert_eq!((again.status.as_u16(), again.wrong()), (422, vec!["email"]), "{}", again.body);
    let resent = fixture.post(&key, &format!("{place}/resend"), json!({"expires_in_days": 30})).await;
    assert_eq!((resent.status.as_u16(), &resent.body["sent_count"]), (200, &json!(2)), "{}", resent.body);
    assert!(resent.body["expires_at"].as_str() > made.body["expires_at"].as_str());
    let mails = fixture.mails("ana@example.com").await;
    assert_eq!(mails.len(), 2);
    assert_ne!(mails[0].1, mails[1].1, "another link");
    let wrong = fixture.post(&key, &format!("{place}/resend"), json!({"expires_in_days": 91})).await;
    assert_eq!((wrong.status.as_u16(), wrong.wrong()), (422, vec!["expires_in_days"]));

    assert_eq!(states(&fixture.get(&key, &format!("{LIST}?state=pending")).await.body), ["ana@example.com pending"]);
    let revoked = fixture.call(&key, "POST", &format!("{place}/revoke"), &[], None).await;
    assert_eq!((revoked.status.as_u16(), &revoked.body["state"]), (200, &json!("revoked")));
    for (path, problem) in [("resend", "invitation-revoked"), ("revoke", "invitation-revoked")] {
        let refused = fixture.call(&key, "POST", &format!("{place}/{path}"), &[], None).await;
        assert_eq!((refused.status.as_u16(), refused.problem()), (409, problem));
    }
    assert!(states(&fixture.get(&key, &format!("{LIST}?state=pending")).await.body).is_empty());
    assert_eq!(states(&fixture.get(&key, &format!("{LIST}?state=revoked")).await.body), ["ana@example.com revoked"]);
    let wrong = fixture.get(&key, &format!("{LIST}?state=lost")).await;
    assert_eq!((wrong.status.as_u16(), wrong.wrong()), (422, vec!["state"]));
    // A new one can be made then.
    assert_eq!(fixture.post(&key, LIST, json!({"email": "ana@example.com"})).await.status, 201);

    let owner = fixture.key(AdminRole::Owner).await;
    let id = made.body["id"].as_str().unwrap();
    let events = fixture.get(&owner, &format!("/realms/main/events?subject={id}")).await.body;
    let kinds: Vec<&str> =
        events["items"].as_array().unwrap().iter().filter_map(|event| event["type"].as_str()).collect();
    for kind in ["user.invited", "user.invitation.resent", "user.invitation.revoked", "notification.sent"] {
        assert!(kinds.contains(&kind), "{kind} in {kinds:?}");
    }
    assert!(!events.to_string().contains("token="));
}

#[tokio::test]
async fn nobody_gives_by_an_invitation_what_they_may_not_give_otherwise() {
    let fixture = Fixture::new().await;
    let owner = fixture.key(AdminRole::Owner).await;
    let support = fixture.key(AdminRole::Support).await;
    let role = fixture.post(&owner, "/realms/main/roles", json!({"name": "billing"})).await.body["id"].clone();
    let group = fixture.post(&owner, "/realms/main/groups", json!({"name": "beta"})).await.body["id"].clone();
    let organization =
        fixture.post(&owner, "/realms/main/organizations", json!({"name": "Acme"})).await.body["id"].clone();
    let with = |field: &str, id: &Value| json!({"email": "ana@example.com", field: [id]});
    let held = AdminRole::Support.permissions();
    for (field, id, permission) in [
        ("role_ids", &role, denizen_model::permissions::Permission::RolesAssign),
        ("group_ids", &group, denizen_model::permissions::Permission::GroupsWrite),
        ("organization_ids", &organization, denizen_model::permissions::Permission::OrganizationsWrite),
    ] {
        let asked = fixture.post(&support, &format!("{LIST}/bulk"), json!({"invitations": [with(field, id)]})).await;
        assert_eq!(asked.status == 403, !held.contains(permission), "{field}: {}", asked.body);
        if asked.status == 200 {
            let id = asked.body["items"][0]["invitation"]["id"].as_str().unwrap();
            fixture.call(&owner, "POST", &format!("{LIST}/{id}/revoke"), &[], None).await;
        }
        let nobody = with(field, &json!("0197a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"));
        let refused = fixture.post(&owner, LIST, nobody).await;
        assert_eq!((refused.status.as_u16(), refused.wrong()), (422, vec![field]), "{}", refused.body);
    }
    let auditor = fixture.key(AdminRole::Auditor).await;
    assert_eq!(fixture.post(&auditor, LIST, json!({"email": "x@example.com"})).await.status, 403);
    assert_eq!(fixture.get(&auditor, LIST).await.status, 200);
}

#[tokio::test]
async fn of_many_each_is_told_its_outcome_and_the_good_ones_go_out() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    fixture.post(&key, "/realms/main/users", json!({"email": "old@example.com"})).await;
    let list = json!({"invitations": [
        {"email": "a@example.com"},
        {"email": "nonsense"},
        {"email": "A@example.com"},
        {"email": "old@example.com"},
        {"email": "b@example.com", "expires_in_days": 0},
        {"email": "c@example.com", "given_name": "Two\nlines"},
        {"email": "d@example.com\r\nBcc: eve@example.com"},
        {"email": "e@example.com", "expires_in_days": 1},
    ]});
    let answer = fixture.post(&key, &format!("{LIST}/bulk"), list).await;
    assert_eq!((answer.status.as_u16(), &answer.body["invited"], &answer.body["refused"]), (200, &json!(2), &json!(6)));
    let wrong: Vec<&str> = answer.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["errors"][0]["field"].as_str().unwrap_or("-"))
        .collect();
    assert_eq!(wrong, ["-", "email", "email", "email", "expires_in_days", "given_name", "email", "-"]);
    assert_eq!(fixture.mails("a@example.com").await.len(), 1);
    assert!(fixture.mails("old@example.com").await.is_empty());
    let (mut seen, mut next) = (Vec::new(), String::new());
    loop {
        let page = fixture.get(&key, &format!("{LIST}?limit=1{next}")).await.body;
        seen.extend(states(&page));
        match page["next_cursor"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => break,
        }
    }
    seen.sort();
    assert_eq!(seen, ["a@example.com pending", "e@example.com pending"]);
    let none = fixture.post(&key, &format!("{LIST}/bulk"), json!({"invitations": []})).await;
    assert_eq!((none.status.as_u16(), none.wrong()), (422, vec!["invitations"]));
    let many: Vec<Value> = (0..501).map(|n| json!({"email": format!("p{n}@example.com")})).collect();
    let many = fixture.post(&key, &format!("{LIST}/bulk"), json!({"invitations": many})).await;
    assert_eq!((many.status.as_u16(), many.wrong()), (422, vec!["invitations"]));
}
