//! SQLite with nothing around it, set as the product sets it.

use std::path::Path;

use rusqlite::{Connection, params};

use super::repeat;
use crate::{
    failure::Result,
    people::Dice,
    report::{Figure, LIMITS, Report},
};

/// Durable inserts, each with its own commit.
pub(crate) const SINGLE: &str = "SQLite inserts, a commit each";
/// Durable inserts, 256 to a commit.
pub(crate) const GROUPED: &str = "SQLite inserts, 256 to a commit";
/// Rows read by primary key.
pub(crate) const POINT_READ: &str = "SQLite point reads, one thread";

const ROWS: u64 = 100_000;

pub(super) fn measure(report: &mut Report, seconds: u64, folder: &Path) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("denizen-load-").tempdir_in(folder)?;
    let path = folder.path().join("limits.db");
    let mut conn = Connection::open(&path)?;
    conn.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000;
         PRAGMA cache_size = -16000; PRAGMA mmap_size = 1099511627776;
         CREATE TABLE rows (id TEXT PRIMARY KEY, name TEXT NOT NULL, at BIGINT NOT NULL, data TEXT NOT NULL)",
    )?;
    let mut next = 0;
    for (name, group) in [(SINGLE, 1), (GROUPED, 256)] {
        let rate = repeat(seconds, || {
            insert(&mut conn, next, group)?;
            next += group;
            Ok(group)
        })?;
        report.add(Figure::new(LIMITS, name, rate, "/s"));
    }
    conn.execute_batch("DELETE FROM rows")?;
    for at in 0..ROWS / 1000 {
        insert(&mut conn, at * 1000, 1000)?;
    }
    let mut dice = Dice::new(7);
    let mut find = conn.prepare("SELECT name, at, data FROM rows WHERE id = ?1")?;
    let rate = repeat(seconds, || {
        for _ in 0..100 {
            let row = find.query_row(params![id(dice.below(ROWS))], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, String>(2)?))
            })?;
            std::hint::black_box(row);
        }
        Ok(100)
    })?;
    report.add(Figure::new(LIMITS, POINT_READ, rate, "/s"));
    Ok(())
}

fn insert(conn: &mut Connection, first: u64, rows: u64) -> Result<()> {
    let tx = conn.transaction()?;
    for number in first..first + rows {
        let mut statement = tx.prepare_cached("INSERT INTO rows (id, name, at, data) VALUES (?1, ?2, ?3, ?4)")?;
        statement.execute(params![id(number), "Ana Lima", 1_800_000_000_000_000_i64, DATA])?;
    }
    Ok(tx.commit()?)
}

/// As long as the ids of the product.
pub(super) fn id(number: u64) -> String {
    format!("0197a1b2-c3d4-7e5f-8a9b-{number:012x}")
}

/// As long as the details of an event.
pub(super) const DATA: &str = r#"{"actor":"Ana Lima","subject":"ana.lima@example.com","user_agent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36","details":{"username":"ana.lima@example.com","kind":"human"}}"#;
