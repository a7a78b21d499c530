//! The same rows in the same tables with the same indexes, and nothing else: what an import could do at the most.
//!
//! The rows are read back from the database that was imported into, a thousand users at a time with all that hangs on
//! them, and inserted into an empty database of the same schema, a transaction each: no reading of a file, no checks,
//! no look at who is there already, no events, no counts. On SQLite with prepared statements, on PostgreSQL with
//! `COPY` in its binary form. Only the inserts and their commits are timed.

use std::{
    io::{Read as _, Write as _},
    path::Path,
    time::{Duration, Instant},
};

use postgres::{Client, NoTls};
use rusqlite::{Connection, params, types::Value};

use crate::failure::{Failure, Result};

/// Users in a transaction.
const BATCH: i64 = 1000;
/// What users refer to.
const BASE: &[&str] = &["realms", "groups", "organizations", "roles"];
/// What hangs on users by their id.
const OWN: &[&str] = &["authenticators", "user_roles", "user_groups", "memberships", "duplicate_keys"];

/// How many users a second.
fn rate(users: u64, took: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "rows are far below 2^53")]
    let users = users as f64;
    if took.is_zero() { 0.0 } else { users / took.as_secs_f64() }
}

/// Users a second, from the database in one file into the empty one in another.
pub(crate) fn sqlite(from: &Path, into: &Path, realm: &str) -> Result<f64> {
    let source = Connection::open(from)?;
    let mut target = Connection::open(into)?;
    target.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000;
         PRAGMA foreign_keys = ON; PRAGMA case_sensitive_like = ON; PRAGMA cache_size = -16000;
         PRAGMA mmap_size = 1099511627776;",
    )?;
    let path = from.to_str().ok_or_else(|| Failure::new("a path that is not UTF-8"))?;
    target.execute("ATTACH ?1 AS source", params![path])?;
    for table in BASE {
        target.execute_batch(&format!("INSERT OR IGNORE INTO main.{table} SELECT * FROM source.{table}"))?;
    }
    target.execute_batch("DETACH source")?;
    target.set_prepared_statement_cache_capacity(64);
    let realm: String = source.query_row("SELECT id FROM realms WHERE slug = ?1", params![realm], |row| row.get(0))?;
    let mut batches = source
        .prepare("SELECT max(num), count(*) FROM (SELECT num FROM users WHERE num > ?1 ORDER BY num LIMIT ?2)")?;
    let (mut after, mut users, mut took) = (0_i64, 0, Duration::ZERO);
    loop {
        let batch = batches
            .query_row(params![after, BATCH], |row| Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, i64>(1)?)))?;
        let (Some(last), count) = batch else { break };
        let mut rows = vec![read(&source, "users", "+realm_id = ?3 AND num > ?1 AND num <= ?2", after, last, &realm)?];
        for table in OWN {
            let condition = "user_id IN (SELECT id FROM users WHERE +realm_id = ?3 AND num > ?1 AND num <= ?2)";
            rows.push(read(&source, table, condition, after, last, &realm)?);
        }
        let condition = "num > ?1 AND num <= ?2 AND +realm_num = (SELECT num FROM realms WHERE id = ?3)";
        rows.push(read(&source, "user_index", condition, after, last, &realm)?);
        let started = Instant::now();
        let tx = target.transaction()?;
        for Rows { insert, rows } in &rows {
            let mut statement = tx.prepare_cached(insert)?;
            for row in rows {
                statement.execute(rusqlite::params_from_iter(row))?;
            }
        }
        tx.commit()?;
        took += started.elapsed();
        users += u64::try_from(count)?;
        after = last;
    }
    Ok(rate(users, took))
}

struct Rows {
    insert: String,
    rows: Vec<Vec<Value>>,
}

fn read(source: &Connection, table: &str, condition: &str, after: i64, last: i64, realm: &str) -> Result<Rows> {
    let mut statement = source.prepare_cached(&format!("SELECT * FROM {table} WHERE {condition}"))?;
    let columns = statement.column_count();
    let marks: Vec<String> = (1..=columns).map(|number| format!("?{number}")).collect();
    let found = statement.query_map(params![after, last, realm], |row| {
        (0..columns).map(|column| row.get::<_, Value>(column)).collect::<rusqlite::Result<Vec<_>>>()
    })?;
    let rows = found.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(Rows { insert: format!("INSERT INTO {table} VALUES ({})", marks.join(", ")), rows })
}

/// Users a second, from the database at one address into the empty one at another.
pub(crate) fn postgres(from: &str, into: &str, realm: &str) -> Result<f64> {
    let mut source = Client::connect(from, NoTls)?;
    let mut target = Client::connect(into, NoTls)?;
    for table in BASE {
        let rows = copy_out(&mut source, &format!("SELECT * FROM {table}"))?;
        copy_in(&mut target, table, &rows)?;
    }
    let row = source.query_one("SELECT id, num FROM realms WHERE slug = $1", &[&realm])?;
    let (realm, realm_num): (String, i64) = (row.get(0), row.get(1));
    // What the database makes itself of the others is not inserted.
    let own = "SELECT string_agg(column_name, ', ' ORDER BY ordinal_position) FROM information_schema.columns \
               WHERE table_schema = current_schema() AND table_name = 'user_index' AND is_generated = 'NEVER'";
    let columns: String = source.query_one(own, &[])?.get(0);
    let (mut after, mut users, mut took) = (0_i64, 0, Duration::ZERO);
    loop {
        let row = source.query_one(
            "SELECT max(num), count(*) FROM (SELECT num FROM users WHERE num > $1 ORDER BY num LIMIT $2) batch",
            &[&after, &BATCH],
        )?;
        let (Some(last), count): (Option<i64>, i64) = (row.get(0), row.get(1)) else { break };
        let among = format!("num > {after} AND num <= {last}");
        let mut rows = vec![(
            "users",
            copy_out(&mut source, &format!("SELECT * FROM users WHERE realm_id = '{realm}' AND {among}"))?,
        )];
        for table in OWN {
            let own = format!(
                "SELECT own.* FROM {table} own JOIN users ON users.id = own.user_id WHERE users.realm_id = '{realm}' AND users.{}",
                among.replace("AND num", "AND users.num")
            );
            rows.push((table, copy_out(&mut source, &own)?));
        }
        let index = format!("SELECT {columns} FROM user_index WHERE realm_num = {realm_num} AND {among}");
        rows.push(("user_index", copy_out(&mut source, &index)?));
        let started = Instant::now();
        target.batch_execute("BEGIN")?;
        for (table, rows) in &rows {
            copy_in(&mut target, table, rows)?;
        }
        target.batch_execute("COMMIT")?;
        took += started.elapsed();
        users += u64::try_from(count)?;
        after = last;
    }
    Ok(rate(users, took))
}

fn copy_out(client: &mut Client, select: &str) -> Result<Vec<u8>> {
    let mut rows = Vec::new();
    client.copy_out(&format!("COPY ({select}) TO STDOUT BINARY"))?.read_to_end(&mut rows)?;
    Ok(rows)
}

fn copy_in(client: &mut Client, table: &str, rows: &[u8]) -> Result<()> {
    let mut writer = client.copy_in(&format!("COPY {table} FROM STDIN BINARY"))?;
    writer.write_all(rows)?;
    writer.finish()?;
    Ok(())
}
