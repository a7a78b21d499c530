//! Two nodes on one PostgreSQL behind a load balancer that remembers nobody.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use crate::support::{
    App, Database, NewApp, OWNER_EMAIL, OWNER_PASSWORD, PASSWORD, Person, RoundRobin, Server, Writers,
};

struct Cluster {
    one: Server,
    two: Server,
    balancer: RoundRobin,
}

async fn cluster() -> Option<Cluster> {
    let database = Arc::new(Database::postgres()?);
    let (one, two) = (Server::prepare(database.clone()), Server::prepare(database));
    let balancer = RoundRobin::start(vec![one.port(), two.port()]).await;
    let mut one = one.at_public_url(&balancer.url());
    one.launch().await;
    let mut two = two.at_public_url(&balancer.url()).beside(&one);
    two.launch().await;
    Some(Cluster { one, two, balancer })
}

/// Every step may be taken by another node.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sign_in_refresh_console_and_revocation_work_across_nodes() {
    let Some(Cluster { mut one, two, balancer }) = cluster().await else { return };
    let api = one.api();
    let issuer = format!("{}/realms/main", balancer.url());
    let app = App::register(&api, &issuer, NewApp::default()).await;
    let (at_one, at_two) = (app.at(&balancer.url(), &one.own("")), app.at(&balancer.url(), &two.own("")));
    let user = api.create_person("across@example.com").await;

    let person = Person::new();
    let tokens = app.sign_in(&person, "across@example.com", PASSWORD).await;
    let mut refresh = tokens.str("refresh_token");
    for node in [&at_one, &at_two, &at_one, &at_two, &app] {
        refresh = node.refresh(&refresh).await.expect(200).str("refresh_token");
    }
    assert_eq!(at_one.claims(&tokens.str("access_token")).await, at_two.claims(&tokens.str("access_token")).await);

    // The console: each page comes from the next node.
    let administrator = Person::new();
    let list = administrator
        .sign_in(&format!("{}/admin/main/users", balancer.url()), OWNER_EMAIL, OWNER_PASSWORD)
        .await
        .page();
    assert!(list.text().contains("across@example.com"), "{}", list.text());
    for _ in 0..4 {
        let page = administrator.open(&format!("{}/admin/main/users/{user}", balancer.url())).await.page();
        assert!(page.status == 200 && page.text().contains("across@example.com"), "{}", page.text());
    }

    // What one node ends is over at the other at the very next request.
    for (ends, asks) in [(one.own(""), &at_two), (two.own(""), &at_one)] {
        let tokens = app.sign_in(&Person::new(), "across@example.com", PASSWORD).await;
        let access = tokens.str("access_token");
        assert_eq!(asks.introspect(&access).await["active"], true);
        api.at(&ends).delete(&format!("/realms/main/users/{user}/sessions")).await.succeed();
        assert_eq!(asks.introspect(&access).await["active"], false);
        asks.userinfo(&access).await.expect(401);
        asks.refresh(&tokens.str("refresh_token")).await.expect(400);
    }

    // A user and a client that one node disables.
    let tokens = app.sign_in(&person, "across@example.com", PASSWORD).await;
    api.post(&format!("/realms/main/users/{user}/disable"), &json!({})).await.succeed();
    at_two.refresh(&tokens.str("refresh_token")).await.expect(400);
    let machine = App::register(&api, &issuer, NewApp { grants: &["client_credentials"], ..NewApp::default() }).await;
    let machine_at_two = machine.at(&balancer.url(), &two.own(""));
    machine_at_two.post("token_endpoint", &[("grant_type", "client_credentials")]).await.expect(200);
    api.patch(&format!("/realms/main/clients/{}", machine.row), &json!({ "enabled": false })).await.succeed();
    crate::support::eventually("the other node has heard of it", || async {
        machine_at_two.post("token_endpoint", &[("grant_type", "client_credentials")]).await.status == 401
    })
    .await;
}

/// One node is killed while both take writes; the other goes on, and nothing acknowledged is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_killed_loses_nothing() {
    let Some(Cluster { mut one, mut two, balancer }) = cluster().await else { return };
    let api = one.api().at(&balancer.url());
    let writers = Writers::default();
    let running = writers.start(&api, 8);
    for _ in 0..3 {
        writers.wait_for(50).await;
        two.kill();
        writers.wait_for(50).await;
        two.launch().await;
    }
    running.stop().await;
    writers.all_there(&api).await;
    writers.all_there(&api.at(&two.own(""))).await;
    one.verify_audit();
}

/// A node that works on a job is killed; the other takes the job over, and each user is changed once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_goes_on_when_its_node_is_killed() {
    let Some(Cluster { mut one, mut two, balancer }) = cluster().await else { return };
    let api = one.api().at(&balancer.url());
    let people = crate::jobs::create_people(&api, 1200).await;
    let job = crate::jobs::disable_all(&api, &people).await;
    // Which of the two has it is not known: both are killed in turn.
    crate::jobs::wait_for(&api, &job, 200).await;
    two.kill();
    crate::jobs::wait_for(&api, &job, 400).await;
    two.launch().await;
    one.kill();
    let api = api.at(&two.own(""));
    crate::jobs::wait_for_end(&api, &job).await;
    crate::jobs::each_disabled_once(&api, &job, &people).await;
    one.launch().await;
    one.verify_audit();
}

/// Several nodes start on an empty database at the same moment: one makes it, none fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_start_together_agree() {
    let Some(database) = Database::postgres() else { return };
    let database = Arc::new(database);
    let key = STANDARD.encode([7; 32]);
    let mut nodes: Vec<Server> = (0..3).map(|_| Server::prepare(database.clone()).with_master_key(&key)).collect();
    for node in &mut nodes {
        node.spawn();
    }
    for node in &mut nodes {
        node.recovers().await;
        assert!(node.exited().is_none(), "{}", node.log());
    }
    let api = nodes[0].api();
    let owners = api.all("/realms/main/users?kind=human").await;
    assert_eq!(owners.len(), 1, "one owner: {owners:?}");
    nodes[2].verify_audit();
}
