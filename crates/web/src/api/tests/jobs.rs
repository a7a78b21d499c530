//! Jobs, bulk actions and exports. No worker runs here: a test makes the steps itself.

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use denizen_model::{UserId, permissions::AdminRole, users::NewMachine};
use denizen_ops::{
    App, Cx, admins, groups,
    jobs::{self, Stepped},
    users,
};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{Answer, Fixture};

const MAIN: &str = "/realms/main";

/// Runs whatever waits to its end, as the worker does.
async fn run_all(app: &App) {
    while let Some(mut run) = jobs::take(app).await.unwrap() {
        loop {
            match run.step().await {
                Ok(Stepped::More) => {}
                Ok(_) => break,
                Err(error) => {
                    run.fail(&error).await.unwrap();
                    break;
                }
            }
        }
    }
}

async fn machines(fixture: &Fixture, count: usize) -> Vec<UserId> {
    let realm = fixture.app.main_realm().await.unwrap().realm.id;
    let cx = Cx::system(&fixture.app, "test");
    let mut ids = Vec::new();
    for number in 0..count {
        let machine = NewMachine {
            name: format!("bot {number}"),
            username: Some(format!("=bot-{number}")),
            ..NewMachine::default()
        };
        ids.push(users::create_machine(&fixture.app, &cx, cx.may(realm).unwrap(), machine).await.unwrap().user.id);
    }
    ids
}

async fn bulk(fixture: &Fixture, key: &str, body: Value) -> Answer {
    fixture.post(key, &format!("{MAIN}/users/bulk"), body).await
}

/// Starts a bulk action, lets it run, and answers the job as it ended.
async fn bulk_run(fixture: &Fixture, key: &str, body: Value) -> Value {
    let started = bulk(fixture, key, body).await;
    assert_eq!(started.status, StatusCode::ACCEPTED, "{}", started.body);
    let place = started.header("location").strip_prefix("/api/v1").unwrap().to_owned();
    assert_eq!(started.body["state"], "queued");
    run_all(&fixture.app).await;
    fixture.get(key, &place).await.body
}

async fn items(fixture: &Fixture, key: &str, job: &Value) -> Vec<Value> {
    let place = format!("{MAIN}/jobs/{}/items?limit=500", job["id"].as_str().unwrap());
    fixture.get(key, &place).await.body["items"].as_array().unwrap().clone()
}

async fn events(fixture: &Fixture, key: &str, kind: &str) -> Vec<Value> {
    fixture.get(key, &format!("{MAIN}/events?type={kind}&limit=500")).await.body["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_bulk_action_changes_each_user_once_and_says_what_became_of_each() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    let ids = machines(&fixture, 4).await;
    let disable = format!("{MAIN}/users/{}/disable", ids[1]);
    assert_eq!(fixture.call(&key, "POST", &disable, &[], None).await.status, StatusCode::OK);
    let nobody = "0197a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    let asked = json!({"action": "disable", "reason": "left", "ids": [ids[0], ids[1], nobody, ids[2], ids[0]]});
    let job = bulk_run(&fixture, &key, asked).await;
    let counts = ["total", "done", "skipped", "failed"].map(|name| job[name].as_u64().unwrap());
    assert_eq!((job["state"].as_str(), counts), (Some("done"), [4, 2, 1, 1]), "{job}");
    assert_eq!((&job["title"], &job["bulk"]["action"]), (&"Disable users".into(), &"disable".into()));
    let outcomes: Vec<(String, String)> = items(&fixture, &key, &job)
        .await
        .iter()
        .map(|item| (item["outcome"].as_str().unwrap().to_owned(), item["message"].as_str().unwrap().to_owned()))
        .collect();
    let said = |outcome: &str, message: &str| (outcome.to_owned(), message.to_owned());
    assert_eq!(
        outcomes,
        [
            said("done", ""),
            said("skipped", "This user is disabled already."),
            said("failed", "There is no such user."),
            said("done", "")
        ]
    );
    let user = fixture.get(&key, &format!("{MAIN}/users/{}", ids[0])).await.body;
    assert_eq!((&user["enabled"], &user["disabled_reason"]), (&false.into(), &"left".into()));
    let of_job: Vec<Value> = events(&fixture, &key, "user.deactivated").await;
    let of_job: Vec<&Value> = of_job.iter().filter(|event| event["details"]["job_id"] == job["id"]).collect();
    assert_eq!(of_job.len(), 2, "one event for each user who was changed");
    assert!(of_job.iter().all(|event| event["actor"]["name"] == "owner"), "{of_job:?}");
    let created = &events(&fixture, &key, "job.created").await[0];
    assert_eq!((&created["details"]["action"], &created["details"]["users"]), (&"disable".into(), &4.into()));
    let finished = &events(&fixture, &key, "job.finished").await[0];
    assert_eq!((&finished["details"]["done"], &finished["subject"]["id"]), (&2.into(), &job["id"]));
}

#[tokio::test]
async fn all_that_match_a_filter_are_changed_but_never_whoever_asked() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    // More than one page is written down, and more than one batch is acted on.
    let ids = machines(&fixture, 620).await;
    let asked = json!({"action": "disable", "filter": {"kind": "machine", "status": "active"}, "expected_count": 621});
    let job = bulk_run(&fixture, &key, asked).await;
    let counts = ["total", "done", "failed"].map(|name| job[name].as_u64().unwrap());
    assert_eq!((job["state"].as_str(), counts), (Some("done"), [621, 620, 1]), "{job}");
    assert_eq!(job["bulk"]["filter"], "kind=machine&status=active");
    assert_eq!(job["bulk"]["expected_count"], 621);
    let failed =
        fixture.get(&key, &format!("{MAIN}/jobs/{}/items?outcome=failed", job["id"].as_str().unwrap())).await.body;
    assert_eq!((&failed["items"][0]["message"], &failed["total"]["count"]), (&"This is you.".into(), &1.into()));
    let active = fixture.get(&key, &format!("{MAIN}/users?status=active")).await.body;
    assert_eq!(active["total"]["count"], 1);
    // Done again, there is nothing to do and nobody has another event.
    let again =
        bulk_run(&fixture, &key, json!({"action": "disable", "filter": {"kind": "machine", "status": "disabled"}}))
            .await;
    assert_eq!((&again["skipped"], &again["done"]), (&620.into(), &0.into()), "{again}");
    let place = format!("{MAIN}/events?type=user.deactivated&subject={}", ids[7]);
    assert_eq!(fixture.get(&key, &place).await.body["items"].as_array().unwrap().len(), 1);
    let none = bulk_run(&fixture, &key, json!({"action": "enable", "filter": {"q": "zzzzqqq"}})).await;
    assert_eq!((&none["state"], &none["total"]), (&"done".into(), &0.into()), "{none}");
}

#[tokio::test]
async fn every_action_does_what_it_says() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    let ids = machines(&fixture, 2).await;
    let person = fixture.post(&key, &format!("{MAIN}/users"), json!({"email": "ana@example.com"})).await.body;
    let realm = fixture.app.main_realm().await.unwrap().realm.id;
    let cx = Cx::system(&fixture.app, "test");
    let group = groups::create(&fixture.app, &cx, cx.may(realm).unwrap(), "beta", "").await.unwrap().id;
    let run = |body: Value| bulk_run(&fixture, &key, body);
    let counts = |job: &Value| ["done", "skipped", "failed"].map(|name| job[name].as_u64().unwrap());
    let joined = run(json!({"action": "add_to_group", "group_id": group, "ids": ids})).await;
    assert_eq!(counts(&joined), [2, 0, 0], "{joined}");
    let joined = run(json!({"action": "add_to_group", "group_id": group, "ids": [ids[0], person["id"]]})).await;
    assert_eq!(counts(&joined), [1, 1, 0], "{joined}");
    assert_eq!(groups::get(&fixture.app, &cx, cx.may(realm).unwrap(), group).await.unwrap().member_count, 3);
    let left = run(json!({"action": "remove_from_group", "group_id": group, "ids": [ids[0]]})).await;
    assert_eq!(counts(&left), [1, 0, 0], "{left}");
    let changed = events(&fixture, &key, "user.group.changed").await;
    assert_eq!(changed.len(), 4);
    assert!(changed.iter().all(|event| event["details"]["job_id"].is_string()), "{changed:?}");
    let reset = run(json!({"action": "require_password_reset", "ids": [person["id"], ids[0]]})).await;
    assert_eq!(counts(&reset), [1, 0, 1], "a machine has no password: {reset}");
    let reset = run(json!({"action": "require_password_reset", "ids": [person["id"]]})).await;
    assert_eq!(counts(&reset), [0, 1, 0], "{reset}");
    let ended = run(json!({"action": "end_sessions", "ids": [person["id"]]})).await;
    assert_eq!(counts(&ended), [0, 1, 0], "nobody was signed in: {ended}");
    let off = run(json!({"action": "disable", "ids": [ids[1]]})).await;
    let on = run(json!({"action": "enable", "ids": ids})).await;
    assert_eq!((counts(&off), counts(&on)), ([1, 0, 0], [1, 1, 0]), "{off} {on}");
    let gone = run(json!({"action": "delete", "ids": ids})).await;
    assert_eq!(counts(&gone), [2, 0, 0], "{gone}");
    let gone = run(json!({"action": "delete", "ids": ids})).await;
    assert_eq!(counts(&gone), [0, 0, 2], "{gone}");
    assert_eq!(events(&fixture, &key, "user.deleted").await.len(), 2);
}

#[tokio::test]
async fn what_is_wrong_with_a_bulk_action_is_named() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    let id = machines(&fixture, 1).await[0];
    let nobody = "0197a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    for (body, wrong) in [
        (json!({"action": "disable"}), vec!["ids"]),
        (json!({"action": "disable", "ids": []}), vec!["ids"]),
        (json!({"action": "disable", "ids": vec![id; 501]}), vec!["ids"]),
        (json!({"action": "disable", "ids": [id], "filter": {}}), vec!["filter"]),
        (json!({"action": "disable", "ids": [id], "expected_count": 1}), vec!["expected_count"]),
        (json!({"action": "explode", "ids": [id]}), vec!["action"]),
        (json!({"action": "enable", "ids": [id], "reason": "x"}), vec!["reason"]),
        (json!({"action": "disable", "ids": [id], "reason": "a\nb"}), vec!["reason"]),
        (json!({"action": "add_to_group", "ids": [id]}), vec!["group_id"]),
        (json!({"action": "add_to_group", "ids": [id], "group_id": nobody}), vec!["group_id"]),
        (json!({"action": "disable", "ids": [id], "group_id": nobody}), vec!["group_id"]),
        (json!({"action": "disable", "filter": {"colour": "red"}}), vec!["filter.colour"]),
        (json!({"action": "disable", "filter": {"kind": "cat", "group": "x"}}), vec!["filter.group", "filter.kind"]),
        (json!({"action": "disable", "filter": {"limit": 3}}), vec!["filter.limit"]),
        (json!({"action": "disable", "filter": {"q": {}}}), vec!["filter.q"]),
    ] {
        let answer = bulk(&fixture, &key, body.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.wrong()), (422, wrong), "{body}: {}", answer.body);
    }
    assert_eq!(fixture.get(&key, &format!("{MAIN}/jobs")).await.body["items"], json!([]), "nothing was started");
}

#[tokio::test]
async fn a_bulk_action_takes_the_permission_of_the_single_one() {
    let fixture = Fixture::new().await;
    let (support, auditor) = (fixture.key(AdminRole::Support).await, fixture.key(AdminRole::Auditor).await);
    let owner = fixture.key(AdminRole::Owner).await;
    let ids = machines(&fixture, 1).await;
    for (key, action, status) in [
        (&auditor, "disable", 403),
        (&auditor, "end_sessions", 403),
        (&support, "delete", 403),
        (&support, "disable", 202),
    ] {
        assert_eq!(
            bulk(&fixture, key, json!({"action": action, "ids": ids})).await.status.as_u16(),
            status,
            "{action}"
        );
    }
    run_all(&fixture.app).await;
    let job = &fixture.get(&auditor, &format!("{MAIN}/jobs")).await.body["items"][0];
    assert_eq!((&job["done"], &job["state"]), (&1.into(), &"done".into()), "who sees users sees jobs: {job}");
    // Nobody gets at an owner by way of a job.
    let all = bulk_run(&fixture, &support, json!({"action": "disable", "filter": {}})).await;
    let refused: Vec<Value> = items(&fixture, &owner, &all).await;
    let powerful = |item: &&Value| item["message"].as_str().unwrap().contains("more permissions");
    let refused: Vec<&Value> = refused.iter().filter(powerful).collect();
    assert_eq!(refused.len(), 2, "the owner and the auditor, who holds what support does not: {refused:?}");
    assert_eq!(refused[0]["outcome"], "failed");
    assert_eq!(fixture.get(&owner, &format!("{MAIN}/jobs")).await.status, StatusCode::OK, "who is still there");
}

#[tokio::test]
async fn whoever_was_demoted_meanwhile_does_no_more() {
    let fixture = Fixture::new().await;
    let (key, support) = (fixture.key(AdminRole::Owner).await, fixture.key(AdminRole::Support).await);
    let ids = machines(&fixture, 3).await;
    let job = bulk(&fixture, &support, json!({"action": "disable", "ids": ids})).await.body;
    let realm = fixture.app.main_realm().await.unwrap().realm.id;
    let cx = Cx::system(&fixture.app, "test");
    let creator = job["created_by"].as_str().unwrap().parse().unwrap();
    let may = cx.may(realm).unwrap();
    admins::grant(&fixture.app, &cx, may, creator, AdminRole::Auditor, false).await.unwrap();
    run_all(&fixture.app).await;
    let place = format!("{MAIN}/jobs/{}", job["id"].as_str().unwrap());
    let ended = fixture.get(&key, &place).await.body;
    assert_eq!((&ended["state"], &ended["done"]), (&"failed".into(), &0.into()));
    assert_eq!(ended["error"], "Whoever started this no longer has the permission users:write.");
    assert!(events(&fixture, &key, "user.deactivated").await.is_empty());
    let finished = &events(&fixture, &key, "job.finished").await[0];
    assert_eq!((&finished["outcome"], &finished["details"]["state"]), (&"failure".into(), &"failed".into()));
}

#[tokio::test]
async fn a_cancelled_job_ends_at_its_next_step_and_keeps_what_it_did() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    machines(&fixture, 450).await;
    let asked = json!({"action": "disable", "filter": {"status": "active"}});
    let waiting = bulk(&fixture, &key, asked.clone()).await.body;
    let cancel = |job: &Value| format!("{MAIN}/jobs/{}/cancel", job["id"].as_str().unwrap());
    let cancelled = fixture.call(&key, "POST", &cancel(&waiting), &[], None).await;
    assert_eq!((cancelled.status, &cancelled.body["state"]), (StatusCode::OK, &"cancelled".into()), "not begun: ended");
    let job = bulk(&fixture, &key, asked).await.body;
    let mut run = jobs::take(&fixture.app).await.unwrap().unwrap();
    for _ in 0..2 {
        assert_eq!(run.step().await.unwrap(), Stepped::More);
    }
    let auditor = fixture.key(AdminRole::Auditor).await;
    assert_eq!(fixture.call(&auditor, "POST", &cancel(&job), &[], None).await.status, StatusCode::FORBIDDEN);
    let asked = fixture.call(&key, "POST", &cancel(&job), &[], None).await.body;
    assert_eq!((&asked["state"], &asked["cancel_requested"]), (&"running".into(), &true.into()));
    assert_eq!(run.step().await.unwrap(), Stepped::Ended);
    let ended = fixture.get(&key, &format!("{MAIN}/jobs/{}", job["id"].as_str().unwrap())).await.body;
    assert_eq!((&ended["state"], &ended["done"]), (&"cancelled".into(), &200.into()), "{ended}");
    let again = fixture.call(&key, "POST", &cancel(&job), &[], None).await;
    assert_eq!((again.status, again.problem()), (StatusCode::CONFLICT, "job-over"));
    assert_eq!(events(&fixture, &key, "job.cancelled").await.len(), 2);
    // Both were made in the same millisecond, in which chance decides the order.
    let page = fixture.get(&key, &format!("{MAIN}/jobs?limit=1")).await.body;
    let next = page["next_cursor"].as_str().unwrap();
    let last = fixture.get(&key, &format!("{MAIN}/jobs?limit=1&cursor={next}")).await.body;
    let mut listed = [&page, &last].map(|page| page["items"][0]["id"].as_str().unwrap());
    let mut made = [&waiting, &job].map(|job| job["id"].as_str().unwrap());
    listed.sort_unstable();
    made.sort_unstable();
    assert_eq!((listed, &last["next_cursor"]), (made, &Value::Null));
}

#[tokio::test]
async fn a_step_is_made_once_and_by_the_node_that_has_the_job() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    let ids = machines(&fixture, 3).await;
    bulk(&fixture, &key, json!({"action": "disable", "ids": ids})).await;
    let mut slow = jobs::take(&fixture.app).await.unwrap().unwrap();
    assert!(jobs::take(&fixture.app).await.unwrap().is_none(), "it is taken");
    assert_eq!(slow.step().await.unwrap(), Stepped::More);
    // The process dies, so to speak, and the next one takes over.
    jobs::release_abandoned(&fixture.app).await.unwrap();
    let mut quick = jobs::take(&fixture.app).await.unwrap().unwrap();
    assert_eq!(slow.step().await.unwrap(), Stepped::Lost, "the first has lost its lease");
    assert!(!slow.reload().await.unwrap());
    slow.fail(&denizen_ops::Error::changed()).await.unwrap();
    assert_eq!(quick.step().await.unwrap(), Stepped::Ended);
    assert_eq!(quick.job().done, 3);
    assert_eq!(events(&fixture, &key, "user.deactivated").await.len(), 3);
    assert_eq!(quick.step().await.unwrap(), Stepped::Lost, "what is over is over");
}

#[tokio::test]
async fn a_repeated_request_starts_no_second_job() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    let ids = machines(&fixture, 1).await;
    let place = format!("{MAIN}/users/bulk");
    let body = json!({"action": "disable", "ids": ids});
    let once = [("idempotency-key", "one")];
    let first = fixture.call(&key, "POST", &place, &once, Some(&body)).await;
    let second = fixture.call(&key, "POST", &place, &once, Some(&body)).await;
    assert_eq!((first.status, second.status), (StatusCode::ACCEPTED, StatusCode::ACCEPTED));
    assert_eq!((&first.body["id"], second.header("location")), (&second.body["id"], first.header("location")));
    assert_eq!(fixture.get(&key, &format!("{MAIN}/jobs")).await.body["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_job_of_another_realm_does_not_exist() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    assert_eq!(fixture.post(&key, "/realms", json!({"slug": "other", "display_name": "Other"})).await.status, 201);
    let ids = machines(&fixture, 1).await;
    // The other realm's jobs do not reach users of this one.
    let job = fixture.post(&key, "/realms/other/users/bulk", json!({"action": "disable", "ids": ids})).await.body;
    run_all(&fixture.app).await;
    let id = job["id"].as_str().unwrap();
    let ended = fixture.get(&key, &format!("/realms/other/jobs/{id}")).await.body;
    assert_eq!((&ended["failed"], &ended["done"]), (&1.into(), &0.into()));
    assert_eq!(fixture.get(&key, &format!("{MAIN}/users/{}", ids[0])).await.body["enabled"], true);
    for place in ["", "/items", "/report"] {
        assert_eq!(fixture.get(&key, &format!("/realms/other/jobs/{id}{place}")).await.status, 200, "{place}");
        assert_eq!(fixture.get(&key, &format!("{MAIN}/jobs/{id}{place}")).await.status, 404, "{place}");
    }
    assert_eq!(fixture.call(&key, "POST", &format!("{MAIN}/jobs/{id}/cancel"), &[], None).await.status, 404);
    assert_eq!(fixture.get(&key, &format!("{MAIN}/jobs")).await.body["items"], json!([]));
}

#[tokio::test]
async fn a_report_runs_no_formula() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    let ids = machines(&fixture, 2).await;
    let job = bulk_run(&fixture, &key, json!({"action": "disable", "ids": ids})).await;
    let report = fixture.get(&key, &format!("{MAIN}/jobs/{}/report?outcome=done", job["id"].as_str().unwrap())).await;
    assert_eq!(report.header("content-type"), "text/csv; charset=utf-8; header=present");
    assert!(report.header("content-disposition").starts_with("attachment; filename=\"job-"));
    let text = report.body.as_str().unwrap();
    let expected =
        format!("position,subject,name,outcome,message\n1,{},'=bot-0,done,\n2,{},'=bot-1,done,\n", ids[0], ids[1]);
    assert_eq!(text, expected);
}

#[tokio::test]
async fn an_export_holds_what_the_list_shows() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    let users = format!("{MAIN}/users");
    for (email, name, plan) in [("zoe@example.com", "=Zoe", json!("gold")), ("ana@example.com", "Ana, \"A\"", json!(7))]
    {
        let made = json!({"email": email, "given_name": name, "attributes": {"plan": plan}, "phone": "+4930123456"});
        assert_eq!(fixture.post(&key, &users, made).await.status, StatusCode::CREATED);
    }
    let place =
        format!("{users}/export?kind=human&sort=email&columns=email,name,phone,attr.plan,enabled,last_sign_in_at");
    let csv = fixture.get(&key, &place).await;
    assert_eq!(
        csv.body.as_str().unwrap(),
        "email,name,phone,attr.plan,enabled,last_sign_in_at\n\
         ana@example.com,\"Ana, \"\"A\"\"\",'+4930123456,7,true,\n\
         zoe@example.com,'=Zoe,'+4930123456,gold,true,\n"
    );
    assert_eq!(csv.header("content-disposition"), "attachment; filename=\"users-main-2027-01-15.csv\"");
    let lines = fixture.get(&key, &format!("{users}/export?format=jsonl&q=zoe")).await;
    let listed = fixture.get(&key, &format!("{users}?q=zoe")).await.body["items"][0].clone();
    assert_eq!(lines.header("content-type"), "application/jsonl; charset=utf-8");
    // One line alone reads as one JSON value.
    assert_eq!(lines.body, listed);
    let chosen =
        fixture.get(&key, &format!("{users}/export?format=jsonl&q=zoe&columns=name,attr.plan,attr.none")).await;
    assert_eq!(chosen.body, json!({"name": "=Zoe", "attr.plan": "gold", "attr.none": null}));
    let all = fixture.get(&key, &format!("{users}/export")).await;
    assert_eq!(all.body.as_str().unwrap().lines().count(), 4, "a header, two people, a machine");
    let noted = events(&fixture, &key, "user.exported").await;
    assert_eq!(noted.len(), 8, "a beginning and an end each");
    let first = noted.iter().find(|event| event["details"]["filter"] == "kind=human&sort=email").unwrap();
    assert_eq!((&first["details"]["format"], &first["details"]["columns"][3]), (&"csv".into(), &"attr.plan".into()));
    let end = noted.iter().find(|event| event["details"]["export"] == first["id"]).unwrap();
    assert_eq!((&end["details"]["rows"], &end["details"]["state"]), (&2.into(), &"finished".into()));
}

#[tokio::test]
async fn what_is_wrong_with_an_export_is_named() {
    let fixture = Fixture::new().await;
    let (key, support) = (fixture.key(AdminRole::Owner).await, fixture.key(AdminRole::Support).await);
    for (query, wrong) in [
        ("format=xml", vec!["format"]),
        ("columns=id,colour", vec!["columns"]),
        ("limit=4", vec!["limit"]),
        ("kind=cat&status=x", vec!["kind", "status"]),
        ("q=%00", vec!["q"]),
    ] {
        let answer = fixture.get(&key, &format!("{MAIN}/users/export?{query}")).await;
        assert_eq!((answer.status.as_u16(), answer.wrong()), (422, wrong), "{query}: {}", answer.body);
    }
    assert_eq!(fixture.get(&support, &format!("{MAIN}/users/export")).await.status, StatusCode::FORBIDDEN);
    assert!(events(&fixture, &key, "user.exported").await.is_empty(), "nothing went out");
}

#[tokio::test]
async fn an_export_stops_when_nobody_reads_it() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    // More pieces than may wait for a reader.
    let realm = fixture.app.main_realm().await.unwrap().realm.id;
    let cx = Cx::system(&fixture.app, "test");
    for number in 0..2_100 {
        let machine = NewMachine { name: format!("bot {number}"), ..NewMachine::default() };
        users::create_machine(&fixture.app, &cx, cx.may(realm).unwrap(), machine).await.unwrap();
    }
    let request = Request::get(format!("/api/v1{MAIN}/users/export"))
        .header(header::AUTHORIZATION, format!("Bearer {key}"))
        .body(Body::empty())
        .unwrap();
    let response = fixture.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    drop(response);
    loop {
        let noted = events(&fixture, &key, "user.exported").await;
        let Some(end) = noted.iter().find(|event| event["details"]["state"] != "started") else {
            tokio::task::yield_now().await;
            continue;
        };
        assert_eq!((&end["details"]["state"], &end["outcome"]), (&"cancelled".into(), &"failure".into()));
        assert!(end["details"]["rows"].as_u64().unwrap() < 2_101, "{end}");
        break;
    }
}
