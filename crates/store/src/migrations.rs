//! Migrations: append-only files, applied in order at start, once, also when several nodes start together.
//!
//! One file serves both engines. A line that begins with `--sqlite:` or `--postgres:` belongs to that engine
//! alone. On PostgreSQL every `TEXT` column compares bytes, as SQLite does.

use aws_lc_rs::digest;
use denizen_model::Timestamp;

use crate::{
    conn::{Conn, Engine},
    error::{Error, Result},
    sql::Sql,
    value::params,
};

const FILES: &[(&str, &str)] = &[
    ("0001_foundation", include_str!("../migrations/0001_foundation.sql")),
    ("0002_console", include_str!("../migrations/0002_console.sql")),
    ("0003_user_index", include_str!("../migrations/0003_user_index.sql")),
    ("0004_authenticators", include_str!("../migrations/0004_authenticators.sql")),
    ("0005_passwords", include_str!("../migrations/0005_passwords.sql")),
    ("0006_sessions", include_str!("../migrations/0006_sessions.sql")),
    ("0007_messages", include_str!("../migrations/0007_messages.sql")),
    ("0008_list_indexes", include_str!("../migrations/0008_list_indexes.sql")),
    ("0009_covering_index", include_str!("../migrations/0009_covering_index.sql")),
    ("0010_covering_names", include_str!("../migrations/0010_covering_names.sql")),
    ("0011_marks_of_addresses", include_str!("../migrations/0011_marks_of_addresses.sql")),
];

const TABLE: &str = "CREATE TABLE IF NOT EXISTS migrations (
    name TEXT PRIMARY KEY, checksum TEXT NOT NULL, applied_at BIGINT NOT NULL)";
const APPLIED: Sql = plain("SELECT name, checksum FROM migrations ORDER BY name");
const RECORD: Sql = plain("INSERT INTO migrations (name, checksum, applied_at) VALUES (?1, ?2, ?3)");

const fn plain(text: &'static str) -> Sql {
    Sql { sqlite: text, postgres: text }
}

/// Brings the schema up to date.
pub(crate) fn run(conn: &mut Conn, now: Timestamp) -> Result<()> {
    match conn.engine() {
        // The write lock, respectively the advisory lock, makes other nodes wait until this one is done.
        Engine::Sqlite => conn.script("BEGIN IMMEDIATE")?,
        Engine::Postgres => conn.script("BEGIN; SELECT pg_advisory_xact_lock(7236837110)")?,
    }
    let outcome = apply(conn, now);
    conn.script(if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
    outcome
}

fn apply(conn: &mut Conn, now: Timestamp) -> Result<()> {
    conn.script(TABLE)?;
    let mut applied = Vec::new();
    conn.query(&APPLIED, &[], &mut |row| {
        applied.push((row.text("name")?, row.text("checksum")?));
        Ok(())
    })?;
    if let Some((unknown, _)) = applied.iter().find(|(name, _)| !FILES.iter().any(|(file, _)| file == name)) {
        return Err(Error::Internal(format!(
            "the database was used by a newer Denizen (it has migration {unknown}); start that version or a newer one"
        )));
    }
    for (name, text) in FILES {
        let checksum = checksum(text);
        match applied.iter().find(|(done, _)| done == name) {
            Some((_, stored)) if *stored == checksum => {}
            Some(_) => {
                return Err(Error::Internal(format!("migration {name} is not the one this database was made with")));
            }
            None => {
                conn.script(&for_engine(text, conn.engine()))?;
                conn.execute(&RECORD, params![*name, checksum, now])?;
            }
        }
    }
    Ok(())
}

fn for_engine(text: &str, engine: Engine) -> String {
    let (own, other) = match engine {
        Engine::Sqlite => ("--sqlite:", "--postgres:"),
        Engine::Postgres => ("--postgres:", "--sqlite:"),
    };
    let lines = text.lines().filter(|line| !line.trim_start().starts_with(other)).map(|line| line.replace(own, ""));
    let script: String = lines.flat_map(|line| [line, "\n".to_owned()]).collect();
    match engine {
        Engine::Sqlite => script,
        Engine::Postgres => script.replace(" TEXT", " TEXT COLLATE \"C\""),
    }
}

fn checksum(text: &str) -> String {
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a migration does on an engine.
#[cfg(test)]
pub(crate) fn script_of(name: &str, engine: Engine) -> String {
    let (_, text) = FILES.iter().find(|(file, _)| *file == name).expect("a migration of this name");
    for_engine(text, engine)
}
