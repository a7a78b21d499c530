//! Groups and organizations: the records, and who is in them.

use denizen_model::permissions::AdminRole;
use serde_json::{Value, json};

use super::Fixture;

/// The two kinds, with the path of what a user has of it and the field by which it is named there.
const KINDS: [(&str, &str, &str); 2] =
    [("groups", "groups", "group_id"), ("organizations", "memberships", "organization_id")];

async fn machine(fixture: &Fixture, key: &str, realm: &str, name: &str) -> String {
    let made = fixture.post(key, &format!("/realms/{realm}/users"), json!({"kind": "machine", "name": name})).await;
    made.body["id"].as_str().unwrap().to_owned()
}

async fn make(fixture: &Fixture, key: &str, kind: &str, name: &str) -> String {
    let made = fixture.post(key, &format!("/realms/main/{kind}"), json!({"name": name})).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.header("location").strip_prefix("/api/v1").unwrap().to_owned()
}

/// What happened to a user, in the order of the alphabet, for all of it is at one time: the type and what was added or
/// removed.
async fn history(fixture: &Fixture, key: &str, user: &str) -> Vec<String> {
    let events = fixture.get(key, &format!("/realms/main/users/{user}/events?limit=100")).await.body;
    let words = |event: &Value| {
        let (kind, details) = (event["type"].as_str().unwrap(), &event["details"]);
        let what = ["added", "removed"].into_iter().find_map(|key| Some(format!("{key} {}", details[key].as_str()?)));
        what.map(|what| format!("{kind} {what}"))
    };
    let mut all: Vec<String> = events["items"].as_array().unwrap().iter().filter_map(words).collect();
    all.sort();
    all
}

#[tokio::test]
async fn they_are_made_read_changed_and_deleted() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    for (kind, ..) in KINDS {
        let place = make(&fixture, &key, kind, "Béta").await;
        let read = fixture.get(&key, &place).await;
        assert_eq!((&read.body["name"], &read.body["member_count"]), (&json!("Béta"), &json!(0)));
        let twin = fixture.post(&key, &format!("/realms/main/{kind}"), json!({"name": "BETA"})).await;
        assert_eq!((twin.status.as_u16(), twin.wrong()), (422, vec!["name"]));
        let patch = json!({"name": "Gamma", "description": "Next"});
        let changed = fixture.call(&key, "PATCH", &place, &[("if-match", "\"1\"")], Some(&patch)).await;
        assert_eq!((changed.status.as_u16(), changed.header("etag")), (200, "\"2\""), "{}", changed.body);
        let stale = fixture.call(&key, "PATCH", &place, &[("if-match", "\"1\"")], Some(&patch)).await;
        assert_eq!((stale.status.as_u16(), stale.problem()), (412, "precondition-failed"));
        let same = fixture.call(&key, "PATCH", &place, &[], Some(&json!({}))).await;
        assert_eq!(same.header("etag"), "\"2\"", "nothing was changed");
        let stale = fixture.call(&key, "DELETE", &place, &[("if-match", "\"1\"")], None).await;
        assert_eq!(stale.status, 412);
        assert_eq!(fixture.call(&key, "DELETE", &place, &[("if-match", "\"2\"")], None).await.status, 204);
        assert_eq!(fixture.get(&key, &place).await.status, 404);
        let one = kind.trim_end_matches('s');
        for what in ["created", "updated", "deleted"] {
            let events = fixture.get(&key, &format!("/realms/main/events?type={one}.{what}")).await.body;
            assert_eq!(events["items"].as_array().unwrap().len(), 1, "{one}.{what}");
            assert_eq!(events["items"][0]["subject"]["kind"], one);
        }
        let events = fixture.get(&key, &format!("/realms/main/events?type={one}.updated")).await.body;
        assert_eq!(events["items"][0]["details"]["before"]["name"], "Béta");
    }
}

#[tokio::test]
async fn an_organization_has_domains() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    let all = "/realms/main/organizations";
    let body = json!({"name": "Acme", "domains": ["acme.example", "acme.test"]});
    let made = fixture.post(&key, all, body).await;
    assert_eq!(made.body["domains"], json!(["acme.example", "acme.test"]), "{}", made.body);
    let place = made.header("location").strip_prefix("/api/v1").unwrap().to_owned();
    for bad in
        [json!(["acme"]), json!(["ACME.example"]), json!(["a.example", "a.example"]), json!("a.example"), json!([1])]
    {
        let refused = fixture.call(&key, "PATCH", &place, &[], Some(&json!({"domains": bad}))).await;
        assert_eq!(refused.status, 422, "{bad}");
        assert!(refused.wrong()[0].starts_with("domains"), "{}", refused.body);
    }
    let changed = fixture.call(&key, "PATCH", &place, &[], Some(&json!({"domains": []}))).await;
    assert_eq!((&changed.body["domains"], &changed.body["name"]), (&json!([]), &json!("Acme")));
}

#[tokio::test]
async fn lists_are_narrowed_by_the_beginning_of_the_name_and_paged() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    for (kind, ..) in KINDS {
        for name in ["Émile", "emma", "Zoo", "emm 50%"] {
            make(&fixture, &key, kind, name).await;
        }
        let (mut names, mut next) = (Vec::new(), String::new());
        loop {
            let page = fixture.get(&key, &format!("/realms/main/{kind}?q=EM&limit=2{next}")).await.body;
            assert_eq!(page["total"], json!({"count": 3, "exact": true}));
            names.extend(page["items"].as_array().unwrap().iter().map(|item| item["name"].clone()));
            match page["next_cursor"].as_str() {
                Some(cursor) => next = format!("&cursor={cursor}"),
                None => break,
            }
        }
        assert_eq!(names, ["Émile", "emm 50%", "emma"]);
        let nothing = fixture.get(&key, &format!("/realms/main/{kind}?q=mm")).await.body;
        assert_eq!(nothing["total"]["count"], 0);
        let long = "x".repeat(101);
        for query in ["q=%0a", "limit=0", "cursor=zz", "cursor=6e3100", &format!("q={long}")] {
            let refused = fixture.get(&key, &format!("/realms/main/{kind}?{query}")).await;
            let field = query.split('=').next().unwrap();
            assert_eq!((refused.status.as_u16(), refused.wrong()), (422, vec![field]), "{query}");
        }
    }
}

#[tokio::test]
async fn members_are_added_once_listed_and_removed_with_their_events() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    for (kind, of_user, field) in KINDS {
        let place = make(&fixture, &key, kind, "Beta").await;
        let id = place.rsplit('/').next().unwrap().to_owned();
        let mut users = Vec::new();
        for number in 0..5 {
            users.push(machine(&fixture, &key, "main", &format!("bot {number}")).await);
        }
        let members = format!("{place}/members");
        let added = fixture.post(&key, &members, json!({"user_ids": &users[..3]})).await;
        assert_eq!((added.status.as_u16(), &added.body), (200, &json!({"added": 3})));
        let added = fixture.post(&key, &members, json!({"user_ids": [users[2], users[3], users[3]]})).await;
        assert_eq!(added.body, json!({"added": 1}), "once a member, always one");
        let read = fixture.get(&key, &place).await;
        assert_eq!((&read.body["member_count"], read.header("etag")), (&json!(4), "\"1\""));

        let (mut seen, mut next) = (Vec::new(), String::new());
        loop {
            let page = fixture.get(&key, &format!("{members}?limit=3{next}")).await.body;
            assert_eq!(page["total"]["count"], 4);
            seen.extend(page["items"].as_array().unwrap().iter().map(|user| user["id"].as_str().unwrap().to_owned()));
            match page["next_cursor"].as_str() {
                Some(cursor) => next = format!("&cursor={cursor}"),
                None => break,
            }
        }
        seen.sort();
        let mut expected = users[..4].to_vec();
        expected.sort();
        assert_eq!(seen, expected);

        let mine = format!("/realms/main/users/{}/{of_user}", users[4]);
        for _ in 0..2 {
            assert_eq!(fixture.post(&key, &mine, json!({field: id})).await.status, 204);
        }
        let listed = fixture.get(&key, &mine).await.body;
        let one = if kind == "groups" { &listed["items"][0] } else { &listed["items"][0]["organization"] };
        assert_eq!(
            (&one["name"], &one["member_count"], &listed["total"]["count"]),
            (&json!("Beta"), &json!(5), &json!(1))
        );
        for _ in 0..2 {
            assert_eq!(fixture.call(&key, "DELETE", &format!("{mine}/{id}"), &[], None).await.status, 204);
        }
        let away = format!("{members}/{}", users[0]);
        assert_eq!(fixture.call(&key, "DELETE", &away, &[], None).await.status, 204);
        assert_eq!(fixture.get(&key, &place).await.body["member_count"], 3);

        let type_name = if kind == "groups" { "user.group.changed" } else { "user.membership.changed" };
        let (came, went) = (format!("{type_name} added Beta"), format!("{type_name} removed Beta"));
        assert_eq!(history(&fixture, &key, &users[4]).await, [came.clone(), went.clone()]);
        assert_eq!(history(&fixture, &key, &users[2]).await, std::slice::from_ref(&came));

        // Whoever is in it loses it with its deletion, and their history says so.
        assert_eq!(fixture.call(&key, "DELETE", &place, &[], None).await.status, 204);
        assert_eq!(history(&fixture, &key, &users[2]).await, [came, went]);
        let gone = fixture.get(&key, &format!("/realms/main/users/{}/{of_user}", users[2])).await;
        assert_eq!(gone.body["items"], json!([]));
    }
}

#[tokio::test]
async fn wrong_members_are_refused_and_nothing_is_half_done() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    fixture.post(&key, "/realms", json!({"slug": "other", "display_name": "Other"})).await;
    let (here, there) =
        (machine(&fixture, &key, "main", "here").await, machine(&fixture, &key, "other", "there").await);
    for (kind, of_user, field) in KINDS {
        let place = make(&fixture, &key, kind, "Beta").await;
        let members = format!("{place}/members");
        let many = vec![here.clone(); 501];
        for bad in [json!([here, there]), json!([]), json!(many), json!(["x"]), json!(null)] {
            let refused = fixture.post(&key, &members, json!({"user_ids": bad})).await;
            assert_eq!(refused.status, 422, "{}", refused.body);
            assert!(refused.wrong()[0].starts_with("user_ids"), "{}", refused.body);
        }
        assert_eq!(fixture.get(&key, &place).await.body["member_count"], 0);
        // Neither side can be reached through another realm.
        let theirs = format!("/realms/other/users/{there}/{of_user}");
        let id = place.rsplit('/').next().unwrap();
        let refused = fixture.post(&key, &theirs, json!({field: id})).await;
        assert_eq!((refused.status.as_u16(), refused.wrong()), (422, vec![field]), "{}", refused.body);
        let through = format!("/realms/main/users/{there}/{of_user}");
        assert_eq!(fixture.post(&key, &through, json!({field: id})).await.status, 404);
        for path in [format!("{members}/{there}"), format!("/realms/other/{kind}/{id}/members/{there}")] {
            assert_eq!(fixture.call(&key, "DELETE", &path, &[], None).await.status, 404, "{path}");
        }
        let wrong = fixture.get(&key, &format!("{members}?cursor=7461006200")).await;
        assert_eq!((wrong.status.as_u16(), wrong.wrong()), (422, vec!["cursor"]));
    }
}

#[tokio::test]
async fn what_has_more_than_a_thousand_members_is_emptied_before_it_is_deleted() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    let place = make(&fixture, &key, "groups", "Everyone").await;
    let mut ids = Vec::new();
    for number in 0..1001 {
        ids.push(machine(&fixture, &key, "main", &format!("bot {number}")).await);
    }
    for part in ids.chunks(500) {
        assert_eq!(fixture.post(&key, &format!("{place}/members"), json!({"user_ids": part})).await.status, 200);
    }
    let refused = fixture.call(&key, "DELETE", &place, &[], None).await;
    assert_eq!((refused.status.as_u16(), refused.problem()), (409, "too-many-members"), "{}", refused.body);
    assert_eq!(fixture.get(&key, &place).await.body["member_count"], 1001);
    let one = format!("{place}/members/{}", ids[0]);
    assert_eq!(fixture.call(&key, "DELETE", &one, &[], None).await.status, 204);
    assert_eq!(fixture.call(&key, "DELETE", &place, &[], None).await.status, 204);
    assert_eq!(history(&fixture, &key, &ids[1000]).await.last().unwrap(), "user.group.changed removed Everyone");
}

#[tokio::test]
async fn support_changes_who_is_in_a_group_but_not_in_an_organization() {
    let fixture = Fixture::new().await;
    let owner = fixture.key(AdminRole::Owner).await;
    let (support, auditor) = (fixture.key(AdminRole::Support).await, fixture.key(AdminRole::Auditor).await);
    let user = machine(&fixture, &owner, "main", "bot").await;
    for (kind, may) in [("groups", 200), ("organizations", 403)] {
        let place = make(&fixture, &owner, kind, "Beta").await;
        let body = json!({"user_ids": [user]});
        assert_eq!(fixture.post(&support, &format!("{place}/members"), body.clone()).await.status, may);
        assert_eq!(fixture.post(&auditor, &format!("{place}/members"), body).await.status, 403);
        assert_eq!(fixture.get(&auditor, &format!("{place}/members")).await.status, 200);
    }
}
