//! Importing users through the API, with the job run to its end in between.

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use denizen_model::UserId;
use denizen_model::permissions::AdminRole;
use denizen_ops::{
    Cx, groups,
    jobs::{self, Stepped},
    organizations, roles,
};
use serde_json::{Value, json};

use super::{Answer, Fixture};

const USERS: &str = "/realms/main/users";

impl Fixture {
    /// Sends a file.
    async fn upload(&self, key: &str, query: &str, file: impl Into<Body>) -> Answer {
        let request = Request::post(format!("/api/v1{USERS}/import{query}"))
            .header(header::AUTHORIZATION, format!("Bearer {key}"))
            .header(header::CONTENT_TYPE, "text/csv");
        self.send(request.body(file.into()).unwrap()).await
    }

    /// Runs what waits to be run.
    async fn run_jobs(&self) {
        while let Some(mut run) = jobs::take(&self.app).await.unwrap() {
            while run.step().await.unwrap() == Stepped::More {}
        }
    }

    /// Imports a file; answers the finished job.
    async fn import(&self, key: &str, query: &str, file: impl Into<Body>) -> Value {
        let answer = self.upload(key, query, file).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
        self.run_jobs().await;
        let place = answer.header("location").strip_prefix("/api/v1").unwrap().to_owned();
        let job = self.get(key, &place).await.body;
        assert_eq!(job["state"], "done", "{job}");
        job
    }

    async fn items(&self, key: &str, job: &Value) -> Vec<(i64, String, String)> {
        let list = self.get(key, &format!("/realms/main/jobs/{}/items?limit=500", job["id"].as_str().unwrap())).await;
        let items = list.body["items"].as_array().unwrap();
        let text = |item: &Value, key: &str| item[key].as_str().unwrap().to_owned();
        items
            .iter()
            .map(|item| (item["position"].as_i64().unwrap(), text(item, "outcome"), text(item, "message")))
            .collect()
    }

    async fn user(&self, key: &str, q: &str) -> Value {
        let list = self.get(key, &format!("{USERS}?q={q}")).await;
        assert_eq!(list.body["items"].as_array().unwrap().len(), 1, "{q}: {}", list.body);
        list.body["items"][0].clone()
    }

    async fn count(&self, key: &str) -> u64 {
        self.get(key, USERS).await.body["total"]["count"].as_u64().unwrap()
    }

    async fn events(&self, key: &str, kind: &str) -> Vec<Value> {
        let list = self.get(key, &format!("/realms/main/events?type={kind}&limit=500")).await;
        list.body["items"].as_array().unwrap().clone()
    }
}

fn counts(job: &Value) -> [u64; 5] {
    ["created", "updated", "unchanged", "exists", "rejected"].map(|name| job["import"][name].as_u64().unwrap())
}

#[tokio::test]
async fn a_file_is_imported_once_however_often_it_is_sent() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    let (app, cx) = (&fixture.app, Cx::system(&fixture.app, "test"));
    let realm = app.main_realm().await.unwrap().realm.id;
    roles::create(app, &cx, cx.may(realm).unwrap(), "roles-a", "").await.unwrap();
    groups::create(app, &cx, cx.may(realm).unwrap(), "groups-a", "").await.unwrap();
    let organization =
        organizations::OrganizationInput { name: Some("organizations-a".to_owned()), ..Default::default() };
    organizations::create(app, &cx, cx.may(realm).unwrap(), organization).await.unwrap();
    let file = "E-Mail,First name,Cust No,verified,roles,groups,company,created_at\n\
                ana@example.com,Ana,7,yes,ROLES-A,groups-a,organizations-a,2020-01-02\n\
                bo@example.com,\"Bo, \"\"B\"\"\",=1+1,no,,,,\n";
    let query = "?mapping=%7B%22Cust%20No%22%3A%22attributes.number%22%7D";
    let before = fixture.count(&key).await;
    let job = fixture.import(&key, query, file).await;
    assert_eq!((counts(&job), job["done"].as_u64(), job["total"].as_u64()), ([2, 0, 0, 0, 0], Some(2), Some(2)));
    let ana = fixture.user(&key, "ana@").await;
    assert_eq!((&ana["name"], &ana["attributes"]["number"]), (&json!("Ana"), &json!(7)));
    assert_eq!((&ana["email_state"], &ana["created_at"]), (&json!("verified"), &json!("2020-01-02T00:00:00Z")));
    let bo = fixture.user(&key, "bo@").await;
    assert_eq!((&bo["name"], &bo["attributes"]["number"]), (&json!("Bo, \"B\""), &json!("=1+1")));
    let id: UserId = ana["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(roles::list_of(app, &cx, cx.may(realm).unwrap(), id).await.unwrap().len(), 1);
    let groups = groups::list_of(app, &cx, cx.may(realm).unwrap(), id).await.unwrap();
    assert_eq!((groups[0].name.as_str(), groups[0].member_count), ("groups-a", 1));
    let organizations = organizations::list_of(app, &cx, cx.may(realm).unwrap(), id).await.unwrap();
    assert_eq!((organizations[0].organization.name.as_str(), organizations.len()), ("organizations-a", 1));
    let created = fixture.events(&key, "user.created").await;
    let of_ana: Vec<&Value> = created.iter().filter(|event| event["subject"]["id"] == ana["id"]).collect();
    assert_eq!(of_ana.len(), 1);
    assert_eq!(of_ana[0]["details"]["job_id"], job["id"]);
    assert_eq!(of_ana[0]["details"]["line"], 2);
    assert_eq!(of_ana[0]["details"]["roles"], json!(["roles-a"]));
    assert_eq!(of_ana[0]["actor"]["name"], "owner");

    let again = fixture.import(&key, query, file).await;
    assert_eq!(counts(&again), [0, 0, 0, 2, 0]);
    let items = fixture.items(&key, &again).await;
    assert_eq!(items[0], (2, "skipped".to_owned(), "There is a user of this name already.".to_owned()));
    let upsert = format!("{query}&mode=upsert");
    let updates = fixture.events(&key, "user.updated").await.len();
    let same = fixture.import(&key, &upsert, file).await;
    assert_eq!(counts(&same), [0, 0, 2, 0, 0], "{:?}", fixture.items(&key, &same).await);
    assert_eq!(fixture.events(&key, "user.updated").await.len(), updates, "no change, no event");
    assert_eq!(fixture.count(&key).await, before + 2);

    let changed = file.replace("Ana,7", "Anna,8").replace("\nbo@", "\nnew@example.com,,,,,,,\nBO@");
    let changed = fixture.import(&key, &upsert, changed).await;
    assert_eq!(counts(&changed), [1, 1, 1, 0, 0], "{:?}", fixture.items(&key, &changed).await);
    let ana = fixture.user(&key, "ana@").await;
    assert_eq!((&ana["name"], &ana["attributes"]["number"]), (&json!("Anna"), &json!(8)));
    let updated = fixture.events(&key, "user.updated").await;
    assert_eq!(updated[0]["details"]["changes"]["given_name"], json!({"before": "Ana", "after": "Anna"}));
    assert_eq!(updated[0]["details"]["line"], 2);
}

#[tokio::test]
async fn a_dry_run_reports_the_same_and_changes_nothing() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    fixture.import(&key, "", "email,given_name\nold@example.com,Old\n").await;
    let file = "email,given_name,enabled\nnew@example.com,New,\nold@example.com,Elder,no\nbad,Bad,\n";
    let (before, events) = (fixture.count(&key).await, fixture.events(&key, "user.created").await.len());
    let dry = fixture.import(&key, "?mode=upsert&dry_run=true", file).await;
    assert_eq!((counts(&dry), &dry["title"]), ([1, 1, 0, 0, 1], &json!("Try out an import of users")));
    assert_eq!((fixture.count(&key).await, fixture.events(&key, "user.created").await.len()), (before, events));
    assert_eq!(fixture.user(&key, "old@").await["given_name"], "Old");
    let wet = fixture.import(&key, "?mode=upsert", file).await;
    assert_eq!(counts(&wet), counts(&dry));
    assert_eq!(fixture.items(&key, &wet).await, fixture.items(&key, &dry).await);
    let old = fixture.user(&key, "old@").await;
    assert_eq!((&old["given_name"], &old["enabled"]), (&json!("Elder"), &json!(false)));
    assert_eq!(fixture.events(&key, "user.deactivated").await.len(), 1);
}

#[tokio::test]
async fn a_rejected_row_is_reported_with_its_line_and_reason() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    let file = "Mail,phone,kind,password_hash,roles,name,username\n\
                good@example.com,,,,,,\n\
                no address,123,,,,,\n\
                \"x@example.com\",,,$2b$31$7KNxzmZX0VsXcTDcTmAXre8gUQcb/QgdwsrvjCcPhoK2.XraZ1T.m,,,\n\
                y@example.com,,,,\"nobody;none\",,\n\
                ,,,,,,\n\
                ,+4930123456,,,,,\n\
                z@example.com,,robot\n\
                ,,machine,,,Bot,bot\n\
                ,,machine,$5$x,,Bot,bot2\n\
                good@example.com,,,,,,\n";
    let job = fixture.import(&key, "", file).await;
    let items = fixture.items(&key, &job).await;
    let texts: Vec<String> = items.iter().map(|(line, _, message)| format!("{line} {message}")).collect();
    for (text, expected) in texts.iter().zip([
        "3 Mail: Must be an email address",
        "4 password_hash: This password hash costs too much to be checked: bcrypt's cost",
        "5 roles: There is no role \"nobody\".",
        "7 username: There is neither a username nor an email.",
        "8 There are 3 values, but 7 columns.",
        "10 password_hash: ",
        "11 There is a user of this name already.",
    ]) {
        assert!(text.starts_with(expected), "{text}\nexpected {expected}");
    }
    assert_eq!((texts.len(), counts(&job)), (7, [2, 0, 0, 1, 6]));
    assert_eq!(fixture.user(&key, "bot").await["kind"], "machine");
    let place = format!("/realms/main/jobs/{}/report?outcome=failed", job["id"].as_str().unwrap());
    let report = fixture.get(&key, &place).await.body.as_str().unwrap().to_owned();
    assert_eq!(report.lines().count(), 7, "{report}");
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_refused_and_leaves_nothing() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    for (query, file, wrong) in [
        ("", "email,Shoe size\na@example.com,9\n".as_bytes(), "columns"),
        ("", b"email,password\na@example.com,secret\n", "columns"),
        ("", b"name\nx\n", "columns"),
        ("", b"", "file"),
        ("", b"email\na@example.com\nJos\xe9@example.com\n", "file"),
        ("", b"email\n\"a@example.com\n", "file"),
        ("?format=jsonl", b"{\"emial\": 1}\n", "columns"),
        ("?format=jsonl", b"email\nx\n", "file"),
        ("?mapping=%7B%22x%22%3A%22email%22%7D", b"email\na@example.com\n", "mapping"),
        ("?mapping=%7B%22x%22%3A%22emial%22%7D", b"email\na@example.com\n", "mapping"),
        ("?mode=replace", b"email\na@example.com\n", "mode"),
        ("?dryrun=true", b"email\na@example.com\n", "dryrun"),
    ] {
        let answer = fixture.upload(&key, query, file.to_vec()).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}: {}", answer.body);
        assert_eq!(answer.wrong(), [wrong], "{}", answer.body);
    }
    let jobs = fixture.get(&key, "/realms/main/jobs").await;
    assert_eq!(jobs.body["items"], json!([]), "nothing is left of what was refused");
}

#[tokio::test]
async fn an_import_takes_the_permissions_of_what_is_in_it() {
    let fixture = Fixture::new().await;
    let owner = fixture.key(AdminRole::Owner).await;
    let auditor = fixture.key(AdminRole::Auditor).await;
    let support = fixture.key(AdminRole::Support).await;
    assert_eq!(fixture.upload(&auditor, "", "email\na@example.com\n").await.status, StatusCode::FORBIDDEN);
    assert_eq!(fixture.upload("dzk_wrong", "", "email\na@example.com\n").await.status, StatusCode::UNAUTHORIZED);
    let elsewhere = Request::post("/api/v1/realms/nowhere/users/import")
        .header(header::AUTHORIZATION, format!("Bearer {owner}"))
        .body(Body::from("email\na@example.com\n"));
    assert_eq!(fixture.send(elsewhere.unwrap()).await.status, StatusCode::NOT_FOUND);
    for column in ["password_hash", "roles", "organizations"] {
        let answer = fixture.upload(&support, "", format!("email,{column}\na@example.com,\n")).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{column}: {}", answer.body);
    }
    assert_eq!(counts(&fixture.import(&support, "", "email\na@example.com\n").await), [1, 0, 0, 0, 0]);
    // Of JSON Lines only the beginning is looked at before the start.
    let mut lines = "{\"email\": \"b@example.com\"}\n".repeat(1001);
    lines.push_str("{\"email\": \"c@example.com\", \"password_hash\": \"{SSHA}t7S9O3I5nixpjxKGruUte8e2vqmas3au\"}\n");
    let job = fixture.import(&support, "?format=jsonl", lines).await;
    assert_eq!(counts(&job), [1, 0, 0, 1000, 1]);
    let items = fixture.items(&support, &job).await;
    assert!(items.iter().all(|(_, _, message)| !message.is_empty()));
    let place = format!("/realms/main/jobs/{}/items?outcome=failed", job["id"].as_str().unwrap());
    assert_eq!(
        fixture.get(&support, &place).await.body["items"][0]["message"],
        "password_hash: This needs the permission credentials:set."
    );
    // Nobody changes somebody with more power.
    let mail = json!({"email": "boss@example.com"});
    let boss = fixture.post(&owner, USERS, mail).await.body["id"].as_str().unwrap().to_owned();
    let grant =
        fixture.call(&owner, "PUT", &format!("{USERS}/{boss}/admin"), &[], Some(&json!({"role": "admin"}))).await;
    assert!(grant.status.is_success(), "{}", grant.body);
    let job = fixture.import(&support, "?mode=upsert", "email,given_name\nboss@example.com,Bossy\n").await;
    assert_eq!(counts(&job), [0, 0, 0, 0, 1]);
}

#[tokio::test]
async fn a_password_that_is_there_is_never_replaced() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    let hash = "{SSHA}t7S9O3I5nixpjxKGruUte8e2vqmas3au";
    let file = format!("email,password_hash\nhas@example.com,{hash}\nhasnot@example.com,{hash}\n");
    fixture.post(&key, USERS, json!({"email": "has@example.com", "password": "correct horse battery"})).await;
    fixture.post(&key, USERS, json!({"email": "hasnot@example.com"})).await;
    assert_eq!(counts(&fixture.import(&key, "?mode=upsert", file.clone()).await), [0, 1, 1, 0, 0]);
    assert_eq!(counts(&fixture.import(&key, "?mode=upsert", file).await), [0, 0, 2, 0, 0]);
}

#[tokio::test]
async fn ten_thousand_rows_are_imported_with_an_event_each() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    let mut file = "email,given_name,family_name,phone,reference,attributes.plan\n".to_owned();
    for n in 0..10_000 {
        file.push_str(
            &format!("p{n}@example.com,Given{n},\"Family\n{n}\",+49301{n:06},R-{n},gold\n")
                .replace("Family\n", "Family "),
        );
    }
    let before = fixture.count(&key).await;
    let job = fixture.import(&key, "", file).await;
    assert_eq!(counts(&job), [10_000, 0, 0, 0, 0]);
    assert_eq!(fixture.count(&key).await, before + 10_000);
    let found = denizen_ops::events::verify(&fixture.app).await.unwrap();
    assert!(found.iter().all(|(_, found)| found.faults.is_empty() && found.checked > 10_000), "{found:?}");
    assert_eq!(fixture.user(&key, "p9999@").await["name"], "Given9999 Family 9999");
}

#[tokio::test]
async fn an_attribute_that_becomes_searchable_is_searched_and_filtered_by_for_all() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    let plain = json!({"key": "cost_center", "label": "Cost center", "type": "string"});
    let definition = fixture.post(&key, "/realms/main/attribute-definitions", plain).await;
    assert_eq!(definition.status, StatusCode::CREATED, "{}", definition.body);
    // A text in a spreadsheet that reads as a number stays a text, because the definition says so.
    let file = "email,attributes.cost_center\nana@example.com,4711\nbo@example.com,0815\n";
    assert_eq!(counts(&fixture.import(&key, "", file).await), [2, 0, 0, 0, 0]);
    assert_eq!(fixture.user(&key, "ana@example.com").await["attributes"]["cost_center"], "4711");
    let filter = format!("{USERS}?attr.cost_center=4711");
    assert_eq!(fixture.get(&key, &filter).await.wrong(), ["attr.cost_center"]);

    let place = format!("/realms/main/attribute-definitions/{}", definition.body["id"].as_str().unwrap());
    let changed = fixture.call(&key, "PATCH", &place, &[], Some(&json!({"searchable": true}))).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
    assert_eq!(fixture.get(&key, &filter).await.body["items"], json!([]), "not indexed yet");
    fixture.run_jobs().await;
    let found = fixture.get(&key, &filter).await.body;
    assert_eq!((found["items"].as_array().unwrap().len(), &found["items"][0]["email"]), (1, &json!("ana@example.com")));
    assert_eq!(fixture.user(&key, "0815").await["email"], "bo@example.com");
    assert_eq!(fixture.user(&key, "attr.cost_center:4711").await["email"], "ana@example.com");
}
