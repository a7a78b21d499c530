//! Many scripts that write at once, and remember what was acknowledged.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;

use super::{Api, eventually, unique};

/// What the server said was done.
#[derive(Default)]
struct Acknowledged {
    created: Vec<String>,
    disabled: Vec<String>,
}

/// Writers at work; what they were told survives all of them.
#[derive(Clone, Default)]
pub(crate) struct Writers {
    told: Arc<Mutex<Acknowledged>>,
}

/// Writers that are running.
pub(crate) struct Running {
    stop: Arc<AtomicBool>,
    tasks: JoinSet<()>,
}

impl Writers {
    /// Starts some: each creates users and disables every other one, until told to stop. A request that fails was
    /// not acknowledged, and is not counted.
    pub(crate) fn start(&self, api: &Api, how_many: usize) -> Running {
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for _ in 0..how_many {
            let (told, stop, api) = (self.told.clone(), stop.clone(), api.clone());
            tasks.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    if write(&api, &told).await.is_none() {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                }
            });
        }
        Running { stop, tasks }
    }

    /// How many creations were acknowledged so far.
    pub(crate) fn count(&self) -> usize {
        self.told.lock().unwrap().created.len()
    }

    /// Waits until this many more were acknowledged.
    pub(crate) async fn wait_for(&self, more: usize) {
        let goal = self.count() + more;
        eventually("writes are acknowledged", || async { self.count() >= goal }).await;
    }

    /// Asserts that nothing acknowledged is missing: no user, no state, no event.
    pub(crate) async fn all_there(&self, api: &Api) {
        let (created, disabled) = {
            let told = self.told.lock().unwrap();
            (told.created.clone(), told.disabled.clone())
        };
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let users = api.all("/realms/main/users").await;
        let present: HashSet<String> = users.iter().map(|user| text(&user["id"])).collect();
        let off: HashSet<String> =
            users.iter().filter(|user| user["enabled"] == false).map(|user| text(&user["id"])).collect();
        let events = |kind: &str| {
            let path = format!("/realms/main/events?type={kind}");
            async move {
                api.all(&path).await.iter().map(|event| text(&event["subject"]["id"])).collect::<HashSet<String>>()
            }
        };
        let created_events = events("user.created").await;
        let disabled_events = events("user.deactivated").await;
        let missing =
            |wanted: &[String], there: &HashSet<String>| wanted.iter().filter(|id| !there.contains(*id)).count();
        assert_eq!(missing(&created, &present), 0, "acknowledged users are missing, of {}", created.len());
        assert_eq!(missing(&disabled, &off), 0, "acknowledged changes are missing, of {}", disabled.len());
        assert_eq!(missing(&created, &created_events), 0, "events of acknowledged users are missing");
        assert_eq!(missing(&disabled, &disabled_events), 0, "events of acknowledged changes are missing");
        // And nothing is half there: who has an event exists, and the other way round.
        assert!(present.iter().all(|id| created_events.contains(id)), "a user without the event of their creation");
        assert!(created_events.iter().all(|id| present.contains(id)), "an event of a user who is not there");
    }
}

async fn write(api: &Api, told: &Mutex<Acknowledged>) -> Option<()> {
    let body = json!({ "kind": "human", "email": format!("{}@example.com", unique("w")), "given_name": "Writer" });
    let made = api.try_call(Method::POST, "/realms/main/users", Some(&body)).await.ok()?;
    if made.status != 201 {
        assert!(made.status >= 500, "{} {}", made.status, made.text);
        return None;
    }
    let id = made.str("id");
    let even = {
        let mut told = told.lock().unwrap();
        told.created.push(id.clone());
        told.created.len().is_multiple_of(2)
    };
    if even {
        let path = format!("/realms/main/users/{id}/disable");
        let done = api.try_call(Method::POST, &path, Some(&json!({}))).await.ok()?;
        if (200..300).contains(&done.status) {
            told.lock().unwrap().disabled.push(id);
        }
    }
    Some(())
}

impl Running {
    /// Lets the requests under way end, and starts no more.
    pub(crate) async fn stop(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
    }
}
