//! The API as its callers see it: the real router over a real application.

mod attributes;
mod backchannel;
mod contract;
mod diagnosis;
mod duplicates;
mod filters;
mod groups;
mod import;
mod inputs;
mod invitations;
mod jobs;
mod languages;
mod message_templates;
mod messages;
mod passwords;
mod required_actions;
mod resets;
mod views;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode, header},
};
use denizen_model::{Timestamp, permissions::AdminRole, users::NewMachine};
use denizen_ops::{
    App, Config, Cx, Location, admins,
    crypto::{
        MasterKey, Rng,
        password::{self, Params},
    },
    messages::{Mail, Sms},
    passwords::Source,
    places::Places,
    users,
};
use serde_json::Value;
use tower::ServiceExt;

use crate::{Options, Web, router};

static SEED: AtomicU64 = AtomicU64::new(1);

/// A Denizen on a folder of its own.
pub(crate) struct Fixture {
    pub(crate) app: App,
    pub(crate) router: Router,
    _folder: tempfile::TempDir,
}

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// The stable name of the problem.
    pub(crate) fn problem(&self) -> &str {
        self.body["type"].as_str().unwrap_or("").trim_start_matches("/problems/")
    }

    /// The fields that are wrong.
    pub(crate) fn wrong(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().into_iter().flatten();
        errors.filter_map(|error| error["field"].as_str()).collect()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        Self::looking_up(Source::None).await
    }

    /// One that looks breached passwords up somewhere.
    pub(crate) async fn looking_up(breaches: Source) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let rng = Rng::seeded(SEED.fetch_add(1, Ordering::Relaxed));
        let config = Config {
            location: Location::Sqlite(folder.path().join("denizen.db")),
            master_key: MasterKey::generate(&rng),
            public_url: "http://localhost:7000".to_owned(),
            clock: Arc::new(|| Timestamp::from_secs(1_800_000_000)),
            rng,
            hashing: password::Config { threads: 1, queue: 16, params: Params::new(8, 1, 1).unwrap() },
            mail: Mail::Demo,
            places: Places::default(),
            sms: Sms::Demo,
            breaches,
        };
        let app = App::open(config).await.unwrap();
        let router = router(Web::new(app.clone(), Options::default()).unwrap());
        Self { app, router, _folder: folder }
    }

    /// The key of a new administrator of the main realm.
    pub(crate) async fn key(&self, role: AdminRole) -> String {
        let realm = self.app.main_realm().await.unwrap().realm.id;
        let cx = Cx::system(&self.app, "test");
        let machine = NewMachine { name: format!("{role}"), ..NewMachine::default() };
        let made = users::create_machine(&self.app, &cx, cx.may(realm).unwrap(), machine).await.unwrap();
        admins::grant(&self.app, &cx, cx.may(realm).unwrap(), made.user.id, role, role == AdminRole::Owner)
            .await
            .unwrap();
        made.api_key.unwrap().1.expose().to_owned()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Asks under `/api/v1` with a key and more headers.
    pub(crate) async fn call(
        &self,
        key: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("/api/v1{path}"));
        if !key.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        self.send(request.body(body).unwrap()).await
    }

    /// Lets the queue be worked off, and answers the mails to an address: subject and text, the newest first.
    pub(crate) async fn mails(&self, address: &str) -> Vec<(String, String)> {
        denizen_ops::messages::send_due(&self.app).await.unwrap();
        let mut found = Vec::new();
        for message in denizen_ops::messages::mailbox(&self.app).await.unwrap() {
            if message.recipient == address {
                let (_, whole) = denizen_ops::messages::mailbox_mail(&self.app, message.id).await.unwrap();
                found.push((whole.subject, whole.text));
            }
        }
        found
    }

    pub(crate) async fn get(&self, key: &str, path: &str) -> Answer {
        self.call(key, "GET", path, &[], None).await
    }

    pub(crate) async fn post(&self, key: &str, path: &str, body: Value) -> Answer {
        self.call(key, "POST", path, &[], Some(&body)).await
    }
}

#[tokio::test]
async fn a_user_is_made_read_changed_and_deleted() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    let users = "/realms/main/users";
    let made = fixture.post(&key, users, serde_json::json!({"email": "ana@example.com", "given_name": "Ana", "family_name": "Lima", "temporary_password": true})).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    assert_eq!(made.body["name"], "Ana Lima");
    assert_eq!(made.body["temporary_password"].as_str().unwrap().len(), 19);
    assert_eq!(made.header("etag"), "\"1\"");
    let place = made.header("location").strip_prefix("/api/v1").unwrap().to_owned();
    let patch = serde_json::json!({"reference": "A-1", "given_name": null, "attributes": {"plan": "gold"}});
    let changed = fixture.call(&key, "PATCH", &place, &[], Some(&patch)).await;
    assert_eq!(
        (changed.status, &changed.body["name"], &changed.body["reference"]),
        (StatusCode::OK, &"Lima".into(), &"A-1".into())
    );
    let listed = fixture.get(&key, &format!("{users}?q=lima&kind=human&status=active&sort=name&limit=1")).await;
    assert_eq!(listed.body["items"][0]["attributes"]["plan"], "gold", "{}", listed.body);
    assert_eq!((&listed.body["next_cursor"], &listed.body["total"]["count"]), (&Value::Null, &1.into()));
    let disabled = fixture.call(&key, "POST", &format!("{place}/disable"), &[], None).await;
    assert_eq!((disabled.status, &disabled.body["enabled"]), (StatusCode::OK, &false.into()));
    assert_eq!(fixture.call(&key, "DELETE", &place, &[], None).await.status, StatusCode::NO_CONTENT);
    let gone = fixture.get(&key, &place).await;
    assert_eq!((gone.status, gone.problem()), (StatusCode::NOT_FOUND, "not-found"));
    let events = fixture.get(&key, "/realms/main/events?type=user.deleted").await;
    assert_eq!(events.body["items"][0]["actor"]["name"], "owner");
}

#[tokio::test]
async fn pages_lead_through_a_list_without_loss() {
    let fixture = Fixture::new().await;
    let key = fixture.key(AdminRole::Owner).await;
    for number in 0..5 {
        let body = serde_json::json!({"name": format!("role-{number}")});
        assert_eq!(fixture.post(&key, "/realms/main/roles", body).await.status, StatusCode::CREATED);
    }
    let (mut names, mut next) = (Vec::new(), String::new());
    loop {
        let page = fixture.get(&key, &format!("/realms/main/roles?limit=2{next}")).await;
        names.extend(page.body["items"].as_array().unwrap().iter().map(|role| role["name"].to_string()));
        match page.body["next_cursor"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(names, (0..5).map(|number| format!("\"role-{number}\"")).collect::<Vec<_>>());
}

#[tokio::test]
async fn answers_carry_what_protects_them() {
    let fixture = Fixture::new().await;
    let answer = fixture.get("", "/realms").await;
    assert_eq!((answer.status, answer.problem()), (StatusCode::UNAUTHORIZED, "unauthenticated"));
    assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"denizen\"");
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.header("x-request-id"), answer.body["request_id"].as_str().unwrap());
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"));
    let live = fixture.send(Request::get("/health/ready").body(Body::empty()).unwrap()).await;
    assert_eq!(live.status, StatusCode::OK);
    // Pages of other sites change nothing, and what is not a page of the browser is not asked for its origin.
    let cross =
        Request::post("/realms/main/sign-in").header("sec-fetch-site", "cross-site").body(Body::empty()).unwrap();
    assert_eq!(fixture.send(cross).await.status, StatusCode::FORBIDDEN);
    let token = Request::post("/realms/main/token").header("sec-fetch-site", "cross-site").body(Body::empty()).unwrap();
    assert_ne!(fixture.send(token).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_documentation_can_be_read() {
    let fixture = Fixture::new().await;
    let page = fixture.send(Request::get("/api/docs").body(Body::empty()).unwrap()).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    let html = page.body.as_str().unwrap().replace("&#x2f;", "/");
    for text in ["Create a user", "/api/v1/realms/{realm}/users", "users:write", "List&lt;User&gt;", "If-Match"] {
        assert!(html.contains(text), "{text}");
    }
}
