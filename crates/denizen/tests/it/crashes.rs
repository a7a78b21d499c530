//! `kill -9` in the middle of writes: what was acknowledged is there afterwards, with its event, and the audit
//! chains hold.

use crate::support::{Database, PostgresServer, Server, Writers};

/// How often the server is killed.
const KILLS: usize = 20;
/// How often PostgreSQL itself is.
const DATABASE_CRASHES: usize = 3;

on_both_engines! {
    /// The server is killed and started again, over and over.
    async fn nothing_acknowledged_is_lost_when_the_server_is_killed(database) {
        let mut server = Server::start(database).await;
        let api = server.api();
        let writers = Writers::default();
        for round in 0..KILLS {
            let running = writers.start(&api, 8);
            writers.wait_for(20 + round * 3).await;
            server.kill();
            running.stop().await;
            server.launch().await;
        }
        assert!(writers.count() > KILLS * 20);
        writers.all_there(&api).await;
        server.verify_audit();
    }
}

/// The server stays up, answers 503, and goes on by itself when its database is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_postgres_crashes() {
    let Some(postgres) = PostgresServer::start() else { return };
    let mut server = Server::start(Database::postgres_at(&postgres.url())).await;
    let api = server.api();
    let writers = Writers::default();
    let running = writers.start(&api, 8);
    for _ in 0..DATABASE_CRASHES {
        writers.wait_for(50).await;
        postgres.crash();
        let answer = api.get("/realms/main/users").await;
        assert_eq!(answer.status, 503, "{}", answer.text);
        postgres.launch();
        server.recovers().await;
    }
    writers.wait_for(50).await;
    running.stop().await;
    assert!(server.exited().is_none(), "one process all the while");
    writers.all_there(&api).await;
    server.verify_audit();
}
