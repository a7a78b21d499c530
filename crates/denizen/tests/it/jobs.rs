//! Jobs in the real server: they go on after `kill -9` as if nothing had been, and end when they are told to.

use std::collections::HashMap;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    imports,
    support::{Api, Server, eventually, unique},
};

/// Creates so many people; answers their ids.
pub(crate) async fn create_people(api: &Api, how_many: usize) -> Vec<String> {
    let mut tasks = JoinSet::new();
    let mark = unique("bulk");
    for part in 0..8 {
        let (api, mark) = (api.clone(), mark.clone());
        tasks.spawn(async move {
            let mut ids = Vec::new();
            for number in (part..how_many).step_by(8) {
                let body = json!({ "email": format!("{mark}-{number}@example.com"), "reference": "bulk" });
                ids.push(api.post("/realms/main/users", &body).await.expect(201).str("id"));
            }
            ids
        });
    }
    tasks.join_all().await.concat()
}

/// How many people a bulk action is tried on; more by the environment's `BULK_USERS`.
fn how_many() -> usize {
    std::env::var("BULK_USERS").ok().and_then(|many| many.parse().ok()).unwrap_or(2000)
}

/// Imports so many people; answers their ids.
async fn import_people(api: &Api, how_many: usize) -> Vec<String> {
    let mark = unique("bulk");
    let mut file = "email,reference\n".to_owned();
    for number in 0..how_many {
        file.push_str(&format!("{mark}-{number}@example.com,bulk\n"));
    }
    let job = imports::import(api, "", file).await;
    imports::ended(api, &job).await;
    let people = api.all("/realms/main/users?reference=bulk").await;
    assert_eq!(people.len(), how_many);
    people.iter().map(|person| person["id"].as_str().unwrap().to_owned()).collect()
}

/// Starts the job that disables everybody who was created for it; answers its address.
pub(crate) async fn disable_all(api: &Api, people: &[String]) -> String {
    let body = json!({ "action": "disable", "reason": "left", "filter": { "reference": "bulk" }, "expected_count": people.len() });
    let job = api.post("/realms/main/users/bulk", &body).await.expect(202).str("id");
    format!("/realms/main/jobs/{job}")
}

/// The job, if a server answers.
async fn find(api: &Api, job: &str) -> Option<Value> {
    let answer = api.try_call(reqwest::Method::GET, job, None).await.ok()?;
    (answer.status == 200).then(|| answer.json())
}

/// Waits until so many users were changed, or all of them.
pub(crate) async fn wait_for(api: &Api, job: &str, done: u64) {
    eventually("the job makes progress", || async {
        let found = find(api, job).await;
        found.is_some_and(|job| job["done"].as_u64().unwrap() >= done || job["state"] == "done")
    })
    .await;
}

/// Waits until the job is over.
pub(crate) async fn wait_for_end(api: &Api, job: &str) {
    eventually("the job ends", || async {
        find(api, job).await.is_some_and(|job| !["queued", "running"].contains(&job["state"].as_str().unwrap()))
    })
    .await;
}

/// Asserts that each was disabled, with one event, and that the job says so.
pub(crate) async fn each_disabled_once(api: &Api, job: &str, people: &[String]) {
    let ended = api.get(job).await.expect(200).json();
    let counts = ["total", "done", "skipped", "failed"].map(|name| ended[name].as_u64().unwrap());
    let all = people.len() as u64;
    assert_eq!((ended["state"].as_str(), counts), (Some("done"), [all, all, 0, 0]), "{ended}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut events: HashMap<String, usize> = HashMap::new();
    for event in api.all("/realms/main/events?type=user.deactivated").await {
        assert_eq!(event["details"]["job_id"], ended["id"], "{event}");
        *events.entry(text(&event["subject"]["id"])).or_default() += 1;
    }
    assert_eq!(events.len(), people.len());
    assert!(events.values().all(|count| *count == 1), "somebody has several events");
    let users = api.all("/realms/main/users?reference=bulk").await;
    assert_eq!(users.len(), people.len());
    assert!(users.iter().all(|user| user["enabled"] == false && user["version"].is_null()), "somebody is enabled");
    let items = api.all(&format!("{job}/items")).await;
    assert_eq!(items.len(), people.len());
    assert!(items.iter().all(|item| item["outcome"] == "done" && events.contains_key(&text(&item["subject"]))));
    let mut finished = api.all("/realms/main/events?type=job.finished").await;
    finished.retain(|event| event["subject"]["id"] == ended["id"]);
    assert_eq!(finished.len(), 1, "{finished:?}");
}

on_both_engines! {
    /// The server is killed again and again while it disables people.
    async fn a_bulk_action_survives_kill_9_and_changes_each_user_once(database) {
        let mut server = Server::start(database).await;
        let api = server.api();
        let many = how_many();
        let people = import_people(&api, many).await;
        let job = disable_all(&api, &people).await;
        for killed_at in [1, many / 3, many / 2, 2 * many / 3] {
            wait_for(&api, &job, killed_at as u64).await;
            server.kill();
            server.launch().await;
        }
        wait_for_end(&api, &job).await;
        each_disabled_once(&api, &job, &people).await;
        server.verify_audit();
    }
}

on_both_engines! {
    /// What was done stays done, and nothing more is.
    async fn a_cancelled_bulk_action_stops(database) {
        let mut server = Server::start(database).await;
        let api = server.api();
        let people = create_people(&api, 1500).await;
        let job = disable_all(&api, &people).await;
        wait_for(&api, &job, 1).await;
        api.post(&format!("{job}/cancel"), &json!({})).await.succeed();
        wait_for_end(&api, &job).await;
        let ended = api.get(&job).await.json();
        let done = ended["done"].as_u64().unwrap();
        assert!(ended["state"] == "cancelled" && done < 1500, "{ended}");
        let off = api.get("/realms/main/users?reference=bulk&status=disabled&limit=1").await.json();
        assert_eq!(off["total"]["count"], done, "{off}");
        let pending = api.get(&format!("{job}/items?outcome=pending&limit=1")).await.json();
        assert_eq!(pending["total"]["count"], 1500 - done, "{pending}");
    }
}
