//! Likely duplicates, from their making to their dismissal.

use denizen_model::permissions::AdminRole;
use serde_json::{Value, json};

use super::Fixture;

const PATH: &str = "/realms/main/users/duplicates";

async fn person(fixture: &Fixture, key: &str, realm: &str, body: Value) -> String {
    let made = fixture.post(key, &format!("/realms/{realm}/users"), body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.body["id"].as_str().unwrap().to_owned()
}

/// Each group's reason and members.
async fn groups(fixture: &Fixture, key: &str, query: &str) -> Vec<(String, Vec<String>)> {
    let page = fixture.get(key, &format!("{PATH}{query}")).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let id = |user: &Value| user["id"].as_str().unwrap().to_owned();
    let group = |group: &Value| {
        let mut ids: Vec<String> = group["users"].as_array().unwrap().iter().map(id).collect();
        ids.sort();
        (group["reason"].as_str().unwrap().to_owned(), ids)
    };
    page.body["items"].as_array().unwrap().iter().map(group).collect()
}

fn sorted(ids: &[&String]) -> Vec<String> {
    let mut ids: Vec<String> = ids.iter().map(|id| (*id).clone()).collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn records_of_one_person_are_listed_for_each_reason() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    fixture.post(&key, "/realms", json!({"slug": "other", "display_name": "Other"})).await;
    let born = |email: &str, name: &str, date: &str| json!({"email": email, "given_name": name, "attributes": {"birthdate": date}});
    let first =
        person(&fixture, &key, "main", json!({"email": "jane.doe@example.com", "phone": "+493012345678"})).await;
    let second = person(&fixture, &key, "main", json!({"email": "JaneDoe+x@example.com"})).await;
    let third = person(&fixture, &key, "main", json!({"email": "j@example.com", "phone": "+493012345678"})).await;
    let fourth = person(&fixture, &key, "main", born("a@example.com", "José", "1990-01-02")).await;
    let fifth = person(&fixture, &key, "main", born("b@example.com", "JOSE", "1990-01-02")).await;
    person(&fixture, &key, "main", born("c@example.com", "Jose", "1990-01-03")).await;
    person(&fixture, &key, "other", json!({"email": "jane.doe@example.com", "phone": "+493012345678"})).await;
    let refs = |email: &str| json!({"email": email, "family_name": "Ito", "reference": "R-9"});
    let sixth = person(&fixture, &key, "main", refs("d@example.com")).await;
    let seventh = person(&fixture, &key, "main", refs("e@example.com")).await;
    let all = groups(&fixture, &key, "").await;
    assert_eq!(
        all,
        [
            ("name_and_birthday".to_owned(), sorted(&[&fourth, &fifth])),
            ("email".to_owned(), sorted(&[&first, &second])),
            ("phone".to_owned(), sorted(&[&first, &third])),
            ("name_and_reference".to_owned(), sorted(&[&sixth, &seventh])),
        ]
    );
    assert_eq!(groups(&fixture, &key, "?reason=phone").await, [("phone".to_owned(), sorted(&[&first, &third]))]);
    // Page after page.
    let (mut seen, mut next) = (0, String::new());
    loop {
        let page = fixture.get(&key, &format!("{PATH}?limit=1{next}")).await;
        seen += page.body["items"].as_array().unwrap().len();
        match page.body["next_cursor"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, 4);
    // Whoever is no duplicate any more is not listed.
    fixture.call(&key, "PATCH", &format!("/realms/main/users/{third}"), &[], Some(&json!({"phone": null}))).await;
    fixture.call(&key, "DELETE", &format!("/realms/main/users/{seventh}"), &[], None).await;
    assert_eq!(groups(&fixture, &key, "").await.len(), 2);
}

#[tokio::test]
async fn different_people_are_dismissed_pair_by_pair() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    let mut ids = Vec::new();
    for n in 0..3 {
        let body = json!({"email": format!("p{n}@example.com"), "phone": "+493012345678"});
        ids.push(person(&fixture, &key, "main", body).await);
    }
    let place = format!("{PATH}/dismissals");
    let two = json!({"user_ids": [ids[0], ids[1]]});
    assert_eq!(fixture.post(&key, &place, two.clone()).await.status, 204);
    // Each of the two may still be the third.
    assert_eq!(groups(&fixture, &key, "").await[0].1.len(), 3);
    assert_eq!(fixture.post(&key, &place, json!({"user_ids": [ids[2], ids[1]]})).await.status, 204);
    assert_eq!(groups(&fixture, &key, "").await, [("phone".to_owned(), sorted(&[&ids[0], &ids[2]]))]);
    assert_eq!(fixture.post(&key, &place, json!({"user_ids": [ids[2], ids[0]]})).await.status, 204);
    assert_eq!(groups(&fixture, &key, "").await, []);
    // A further one brings the group back, for those it may be.
    let body = json!({"email": "p4@example.com", "phone": "+493012345678"});
    let last = person(&fixture, &key, "main", body).await;
    assert_eq!(groups(&fixture, &key, "").await[0].1.len(), 4);
    let events = fixture.get(&key, &format!("/realms/main/users/{}/events", ids[0])).await;
    let event = &events.body["items"][0];
    assert_eq!(event["type"], "user.duplicates.dismissed");
    assert_eq!(event["details"]["different_from"], json!([ids[2]]));

    for wrong in [json!([last]), json!([last, last]), json!((0..11).map(|_| &last).collect::<Vec<_>>())] {
        let answer = fixture.post(&key, &place, json!({"user_ids": wrong})).await;
        assert_eq!((answer.status.as_u16(), answer.wrong()), (422, vec!["user_ids"]));
    }
    fixture.post(&key, "/realms", json!({"slug": "other", "display_name": "Other"})).await;
    let stranger = person(&fixture, &key, "other", json!({"email": "x@example.com"})).await;
    assert_eq!(fixture.post(&key, &place, json!({"user_ids": [last, stranger]})).await.status, 404);
    let auditor = fixture.key(AdminRole::Auditor).await;
    assert_eq!(fixture.post(&auditor, &place, two).await.status, 403);
    assert_eq!(fixture.get(&auditor, PATH).await.status, 200);
    assert_eq!(fixture.get(&key, &format!("{PATH}?reason=luck")).await.wrong(), ["reason"]);
    assert_eq!(fixture.get(&key, &format!("{PATH}?colour=red")).await.wrong(), ["colour"]);
    assert_eq!(fixture.get("", PATH).await.status, 401);
}
