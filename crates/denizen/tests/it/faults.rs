//! Bad input and things that break: a clear answer, nothing half done, recovery without help.

use std::{os::unix::fs::PermissionsExt, path::Path, process::Command};

use reqwest::Method;
use serde_json::json;

use crate::support::{
    Answer, App, Database, NewApp, PASSWORD, Person, Server, Wire, Writers, free_port, is_root, may_skip,
};

/// Nobody listens where the database should be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_down_at_start_is_named() {
    let address = format!("127.0.0.1:{}", free_port());
    let mut server =
        Server::prepare(Database::sqlite()).at_database_url(&format!("postgres://denizen:hidden@{address}/denizen"));
    server.spawn();
    let status = server.wait_for_exit().await;
    assert_eq!(status.code(), Some(1), "{}", server.log());
    let said = server.log();
    assert!(said.contains("PostgreSQL") || said.contains("database"), "{said}");
    assert!(!said.contains("hidden"), "the password must not be printed: {said}");
    assert!(!said.contains("panicked"), "{said}");
}

/// The connection to PostgreSQL breaks: 503, and business as before once it is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_goes_away_is_waited_for() {
    let Some(database) = Database::postgres() else { return };
    let wire = Wire::to(&database.address().unwrap()).await;
    let url = database.url().unwrap().replace(&database.address().unwrap(), &format!("127.0.0.1:{}", wire.port));
    let mut server = Server::prepare(database).at_database_url(&url);
    server.launch().await;
    let api = server.api();
    let app = App::register(&api, &server.issuer("main"), NewApp::default()).await;
    api.create_person("before@example.com").await;
    let tokens = app.sign_in(&Person::new(), "before@example.com", PASSWORD).await;

    for _ in 0..2 {
        wire.cut();
        assert_eq!(Answer::read(reqwest::get(server.own("/health/live")).await.unwrap()).await.status, 200);
        assert_eq!(Answer::read(reqwest::get(server.own("/health/ready")).await.unwrap()).await.status, 503);
        let answer = api.get("/realms/main/users").await;
        assert_eq!(answer.status, 503, "{}", answer.text);
        assert!(answer.headers["content-type"].to_str().unwrap().starts_with("application/problem+json"));
        let answer = api.post("/realms/main/users", &json!({ "kind": "human", "email": "lost@example.com" })).await;
        assert_eq!(answer.status, 503, "{}", answer.text);
        app.userinfo(&tokens.str("access_token")).await.expect(503);
        wire.mend();
        server.recovers().await;
        app.userinfo(&tokens.str("access_token")).await.expect(200);
    }
    app.sign_in(&Person::new(), "before@example.com", PASSWORD).await;
    api.create_person("after@example.com").await;
    let found = api.get("/realms/main/users?q=lost").await.expect(200).json();
    assert_eq!(found["items"].as_array().unwrap().len(), 0, "what was refused did not happen");
    server.verify_audit();
}

/// A second server on an embedded data folder refuses; the command line does not mind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_server_on_one_data_folder_refuses() {
    let mut server = Server::start(Database::sqlite()).await;
    let mut second = Server::prepare(server.database.clone());
    second.spawn();
    let status = second.wait_for_exit().await;
    assert_eq!(status.code(), Some(1), "{}", second.log());
    assert!(second.log().contains("another"), "{}", second.log());
    let api = server.api();
    api.create_person("still@example.com").await;
    server.verify_audit();
    // Free again as soon as the first one is gone, however it went.
    server.kill();
    second.launch().await;
}

/// Asked to stop, it ends in good order and says so by its exit code.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_asked_to_stop_ends_well() {
    let mut server = Server::start(Database::sqlite()).await;
    assert_eq!(server.stop().await.code(), Some(0), "{}", server.log());
}

/// Wrong usage is told apart from a failure.
#[test]
fn wrong_usage_has_its_own_exit_code() {
    for words in [&["serve", "--no-such-flag"][..], &["no-such-command"], &["key", "create"]] {
        let output = crate::support::denizen(words).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// A file system of its own, in memory; gone at the end.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(at: &'a Path, options: &str) -> Option<Self> {
        let mounted = is_root()
            && Command::new("mount")
                .args(["-t", "tmpfs", "-o", options, "tmpfs"])
                .arg(at)
                .output()
                .is_ok_and(|done| done.status.success());
        if mounted {
            return Some(Self(at));
        }
        may_skip("the right to mount a disk of a few megabytes");
        None
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(self.0).status().ok();
    }
}

/// The disk fills up under load: what was acknowledged stays, the rest is refused clearly, and space helps at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_loses_nothing_acknowledged() {
    let database = Database::sqlite();
    let folder = database.folder().to_owned();
    let Some(_disk) = SmallDisk::mount(&folder, "size=24m") else { return };
    let ballast = folder.join("ballast");
    std::fs::write(&ballast, vec![0; 8 << 20]).unwrap();
    let mut server = Server::start(database).await;
    let api = server.api();
    let writers = Writers::default();
    let running = writers.start(&api, 8);
    let refused = loop {
        let body = json!({ "kind": "human", "email": format!("{}@example.com", crate::support::unique("f")), "reference": "x".repeat(100) });
        let answer = api.post("/realms/main/users", &body).await;
        if answer.status != 201 {
            break answer;
        }
    };
    running.stop().await;
    assert!(matches!(refused.status, 503 | 507), "{} {}", refused.status, refused.text);
    assert!(
        refused.headers["content-type"].to_str().unwrap().starts_with("application/problem+json"),
        "{}",
        refused.text
    );
    writers.all_there(&api).await;

    std::fs::remove_file(&ballast).unwrap();
    crate::support::eventually("there is room again", || async {
        let body = json!({ "kind": "human", "email": format!("{}@example.com", crate::support::unique("r")) });
        api.post("/realms/main/users", &body).await.status == 201
    })
    .await;
    writers.all_there(&api).await;
    server.verify_audit();
    server.kill();
}

/// A data folder that cannot be written to: told at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_data_folder_is_named() {
    let database = Database::sqlite();
    let folder = database.folder().join("read-only");
    std::fs::create_dir(&folder).unwrap();
    // Root may write anywhere that is not mounted read-only.
    let disk = if is_root() { SmallDisk::mount(&folder, "size=1m,ro") } else { None };
    if is_root() && disk.is_none() {
        return;
    }
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o500)).ok();
    let output = crate::support::denizen(&["serve", "--data"])
        .arg(&folder)
        .args(["--listen", &format!("127.0.0.1:{}", free_port())])
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&*folder.to_string_lossy()), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}

on_both_engines! {
    /// Whatever is sent, the answer is a clear 4xx, and nothing is half saved.
    async fn bad_input_is_refused_at_the_field(database) {
        let mut server = Server::start(database).await;
        let api = server.api();
        let app = App::register(&api, &server.issuer("main"), NewApp::default()).await;
        let before = api.all("/realms/main/users").await.len();

        for (body, field) in [
            (json!({ "kind": "human" }), "email"),
            (json!({ "kind": "human", "email": "not an address" }), "email"),
            (json!({ "kind": "human", "email": "nul\u{0}@example.com" }), "email"),
            (json!({ "kind": "human", "email": "a@example.com", "given_name": "NUL \u{0} inside" }), "given_name"),
            (json!({ "kind": "human", "email": "a@example.com", "given_name": "x".repeat(10_000) }), "given_name"),
            (json!({ "kind": "human", "email": "a@example.com", "phone": "123" }), "phone"),
            (json!({ "kind": "human", "email": "a@example.com", "no_such_field": true }), "no_such_field"),
        ] {
            let answer = api.post("/realms/main/users", &body).await;
            assert!(matches!(answer.status, 400 | 422), "{body}: {} {}", answer.status, answer.text);
            assert!(answer.headers["content-type"].to_str().unwrap().starts_with("application/problem+json"));
            assert!(answer.text.contains(field), "the answer names {field}: {}", answer.text);
        }
        for body in [&b"{"[..], b"[]", b"{\"kind\":\"human\",\"email\":\"\xff\xfe@example.com\"}", b"null", b""] {
            let request = api.request(Method::POST, "/realms/main/users").header("content-type", "application/json").body(body.to_vec());
            let answer = Answer::read(request.send().await.unwrap()).await;
            assert!(matches!(answer.status, 400 | 415 | 422), "{body:?}: {} {}", answer.status, answer.text);
        }
        let huge = json!({ "kind": "human", "email": "huge@example.com", "reference": "x".repeat(2 << 20) });
        api.post("/realms/main/users", &huge).await.expect(413);
        for path in ["/realms/main/users?no_such=1", "/realms/main/users?limit=0", "/realms/main/users?limit=many", "/realms/main/users?cursor=nonsense", "/realms/main/users?sort=shoe_size", "/realms/main/users?q=%FF%FE"] {
            let answer = api.get(path).await;
            assert!(matches!(answer.status, 400 | 422), "{path}: {} {}", answer.status, answer.text);
        }
        for path in ["/realms/nowhere/users", "/realms/main/users/not-an-id", "/realms/main/users/01900000-0000-7000-8000-000000000000", "/no/such/path", "/realms/%00/users", "/realms/main/users/%FF"] {
            let answer = api.get(path).await;
            assert!(matches!(answer.status, 400 | 404), "{path}: {} {}", answer.status, answer.text);
        }
        assert_eq!(api.all("/realms/main/users").await.len(), before, "nothing was saved");

        // Two people cannot have one sign-in name, however it is written.
        api.create_person("Taken@example.com").await;
        let taken = api.post("/realms/main/users", &json!({ "kind": "human", "email": "tAKEN@example.com" })).await;
        assert!(matches!(taken.status, 409 | 422), "{} {}", taken.status, taken.text);

        // The pages for people.
        let person = Person::new();
        let page = person.open(&app.begin().url).await.page();
        let (flow, action) = (page.fields()[0].1.clone(), page.action());
        for identifier in ["", "   ", "nul\0inside", &"x".repeat(5000)] {
            let again = person.submit(&page, &[("identifier", identifier)]).await.page();
            assert!((400..500).contains(&again.status), "{identifier:?}: {}", again.status);
        }
        let password = person.submit(&page, &[("identifier", "somebody@example.com")]).await.page();
        for typed in [String::new(), "nul\0inside".into(), "x".repeat(100_000)] {
            let again = person.submit(&password, &[("password", &typed)]).await.page();
            assert!((400..500).contains(&again.status), "{}", again.status);
        }
        let http = reqwest::Client::new();
        for (body, status) in [(format!("flow={flow}&identifier=%FF%FE").into_bytes(), 400..500), (b"\xff\xfe\x00".to_vec(), 400..500), (vec![b'x'; 2 << 20], 413..414)] {
            let request = http.post(action.clone()).header("content-type", "application/x-www-form-urlencoded").body(body);
            let answer = Answer::read(request.send().await.unwrap()).await;
            assert!(status.contains(&answer.status), "{} {}", answer.status, answer.text);
        }
        let tampered = person.submit(&page, &[("flow", &flow.replace(|c: char| c.is_ascii_digit(), "0")), ("identifier", "a@example.com")]).await.page();
        assert_eq!(tampered.status, 400);
        assert!(tampered.text().contains("no longer valid"), "{}", tampered.text());
        assert!(server.is_ready().await);
        server.verify_audit();
    }

    /// Every key of a realm's administrators does what its role says, and no more.
    async fn a_key_does_what_its_role_says(database) {
        let mut server = Server::start(database).await;
        let api = server.api();
        let user = api.create_person("subject@example.com").await;
        let made = server.run(&["key", "create", "--realm", "main", "--name", "auditor", "--role", "auditor"]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let auditor = api.with_key(String::from_utf8(made.stdout).unwrap().trim());
        auditor.get("/realms/main/events").await.expect(200);
        for (method, path) in [
            (Method::DELETE, format!("/realms/main/users/{user}")),
            (Method::POST, format!("/realms/main/users/{user}/disable")),
            (Method::POST, "/realms/main/clients".to_owned()),
            (Method::POST, "/realms".to_owned()),
        ] {
            let body = json!({ "name": "x", "slug": "x", "display_name": "x" });
            let body = (method == Method::POST && !path.ends_with("disable")).then_some(&body);
            let empty = json!({});
            let answer = auditor.try_call(method.clone(), &path, body.or((method == Method::POST).then_some(&empty))).await.unwrap();
            assert_eq!(answer.status, 403, "{method} {path}: {}", answer.text);
        }
        api.with_key("dzk_nonsense").get("/realms/main/users").await.expect(401);
        let nobody = reqwest::get(server.url("/api/v1/realms/main/users")).await.unwrap();
        assert_eq!(nobody.status(), 401);
        let unknown = server.run(&["key", "create", "--realm", "nowhere", "--name", "x", "--role", "owner"]);
        assert_eq!(unknown.status.code(), Some(1));
    }
}
