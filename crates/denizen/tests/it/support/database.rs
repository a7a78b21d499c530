//! A database for one test: an embedded one in a folder of its own, or a schema of its own in PostgreSQL.

use std::path::Path;

use super::{may_skip, unique};

/// A data folder, and a PostgreSQL database when the test is about that engine. Dropping it removes both.
pub(crate) struct Database {
    folder: tempfile::TempDir,
    schema: Option<Schema>,
}

struct Schema {
    server: String,
    name: String,
    url: String,
}

impl Database {
    /// The embedded database.
    pub(crate) fn sqlite() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), schema: None }
    }

    /// A fresh schema in the server at `TEST_DATABASE_URL`.
    pub(crate) fn postgres() -> Option<Self> {
        let Ok(server) = std::env::var("TEST_DATABASE_URL") else {
            may_skip("PostgreSQL (TEST_DATABASE_URL)");
            return None;
        };
        Some(Self::postgres_at(&server))
    }

    /// A fresh schema in this server.
    pub(crate) fn postgres_at(server: &str) -> Self {
        let (name, url) = fresh_database_url(server);
        Self { folder: tempfile::tempdir().unwrap(), schema: Some(Schema { server: server.to_owned(), name, url }) }
    }

    /// The data folder, which holds the master key on both engines.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where PostgreSQL is, when this is about it.
    pub(crate) fn url(&self) -> Option<&str> {
        self.schema.as_ref().map(|schema| schema.url.as_str())
    }

    /// Host and port of PostgreSQL.
    pub(crate) fn address(&self) -> Option<String> {
        let rest = self.url()?.split_once('@')?.1;
        Some(rest.split('/').next()?.to_owned())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some(schema) = &self.schema {
            // A server that a test brought down has nothing to clean.
            run_sql(&schema.server, &format!("DROP SCHEMA IF EXISTS {} CASCADE", schema.name)).ok();
        }
    }
}

/// Makes a schema; answers its name and the address that leads to it.
pub(crate) fn fresh_database_url(server: &str) -> (String, String) {
    let name = unique("it_");
    // Another test may be creating the extension at this moment.
    run_sql(server, "CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA public").ok();
    run_sql(server, &format!("CREATE SCHEMA {name}")).unwrap();
    let joint = if server.contains('?') { '&' } else { '?' };
    let url = format!("{server}{joint}options=-csearch_path%3D{name},public");
    (name, url)
}

fn run_sql(server: &str, script: &str) -> Result<(), postgres::Error> {
    // The synchronous client must neither connect nor be dropped on an async thread.
    std::thread::scope(|scope| {
        let running = scope.spawn(|| postgres::Client::connect(server, postgres::NoTls)?.batch_execute(script));
        running.join().unwrap()
    })
}
