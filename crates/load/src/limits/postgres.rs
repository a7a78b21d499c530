//! A PostgreSQL server with nothing around it.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use postgres::{Client, NoTls};

use super::{
    repeat,
    sqlite::{DATA, id},
};
use crate::{
    failure::{Failure, Result},
    people::Dice,
    report::{Figure, LIMITS, Report},
};

/// Durable inserts, each a transaction, on the number of connections that does most.
pub(crate) const PG_INSERT: &str = "PostgreSQL inserts, a commit each";
/// Rows read by primary key, on the number of connections that does most.
pub(crate) const PG_READ: &str = "PostgreSQL point reads";

const ROWS: u64 = 100_000;

pub(super) fn measure(report: &mut Report, seconds: u64, url: &str) -> Result<()> {
    let mut client = Client::connect(url, NoTls)?;
    client.batch_execute(
        "DROP TABLE IF EXISTS denizen_load_rows;
         CREATE TABLE denizen_load_rows (id TEXT COLLATE \"C\" PRIMARY KEY, name TEXT NOT NULL, at BIGINT NOT NULL, data TEXT NOT NULL)",
    )?;
    let measured = measure_table(report, seconds, url, &mut client);
    client.batch_execute("DROP TABLE denizen_load_rows")?;
    measured
}

fn measure_table(report: &mut Report, seconds: u64, url: &str, client: &mut Client) -> Result<()> {
    let next = AtomicU64::new(0);
    best(report, PG_INSERT, &[8, 16, 32], |_| {
        let mut client = Client::connect(url, NoTls)?;
        let insert = client.prepare("INSERT INTO denizen_load_rows (id, name, at, data) VALUES ($1, $2, $3, $4)")?;
        repeat(seconds, || {
            let id = id(next.fetch_add(1, Ordering::Relaxed));
            Ok(client.execute(&insert, &[&id, &"Ana Lima", &1_800_000_000_000_000_i64, &DATA])?)
        })
    })?;
    client.batch_execute("TRUNCATE denizen_load_rows")?;
    client.execute(
        "INSERT INTO denizen_load_rows SELECT '0197a1b2-c3d4-7e5f-8a9b-' || lpad(to_hex(n), 12, '0'), 'Ana Lima', n, $1 FROM generate_series(0, $2::BIGINT - 1) n",
        &[&DATA, &i64::try_from(ROWS)?],
    )?;
    client.batch_execute("VACUUM ANALYZE denizen_load_rows")?;
    best(report, PG_READ, &[1, 4, 8], |number| {
        let mut client = Client::connect(url, NoTls)?;
        let mut dice = Dice::new(number);
        let find = client.prepare("SELECT name, at, data FROM denizen_load_rows WHERE id = $1")?;
        repeat(seconds, || {
            let row = client.query_one(&find, &[&id(dice.below(ROWS))])?;
            std::hint::black_box((row.get::<_, String>(0), row.get::<_, i64>(1), row.get::<_, String>(2)));
            Ok(1)
        })
    })
}

/// Runs `body` on so many connections at once, each number in turn, and reports the best of them.
fn best(
    report: &mut Report,
    name: &'static str,
    connections: &[u64],
    body: impl Fn(u64) -> Result<f64> + Sync,
) -> Result<()> {
    let mut best = (0.0, 0);
    for count in connections {
        let rate = thread::scope(|scope| {
            let running: Vec<_> = (0..*count)
                .map(|number| {
                    scope.spawn({
                        let body = &body;
                        move || body(number)
                    })
                })
                .collect();
            let mut total = 0.0;
            for thread in running {
                total += thread.join().map_err(|_| Failure::new("a connection's thread panicked"))??;
            }
            Ok::<f64, Failure>(total)
        })?;
        if rate > best.0 {
            best = (rate, *count);
        }
    }
    report.add(Figure::new(LIMITS, name, best.0, "/s").note(format!("on {} connections", best.1)));
    Ok(())
}
