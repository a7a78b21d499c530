//! Every statement is understood by its engine, and those of lists go by indexes.

use super::*;
use crate::{
    conn::{Conn, postgres::PgConn},
    sql::Sql,
    value::params,
};

fn statements() -> Vec<(&'static str, Sql)> {
    [
        action_tokens::STATEMENTS,
        admins::STATEMENTS,
        api_keys::STATEMENTS,
        attribute_definitions::STATEMENTS,
        authenticators::STATEMENTS,
        claims::STATEMENTS,
        clients::STATEMENTS,
        diagnosis::STATEMENTS,
        duplicates::STATEMENTS,
        console_sessions::STATEMENTS,
        events::STATEMENTS,
        grants::STATEMENTS,
        groups::STATEMENTS,
        housekeeping::STATEMENTS,
        idempotency::STATEMENTS,
        jobs::STATEMENTS,
        invitations::STATEMENTS,
        keys::STATEMENTS,
        lockouts::STATEMENTS,
        logout_notices::STATEMENTS,
        message_templates::STATEMENTS,
        one_time_codes::STATEMENTS,
        remembered_devices::STATEMENTS,
        required_actions::STATEMENTS,
        reset_requests::STATEMENTS,
        messages::STATEMENTS,
        crate::members::STATEMENTS,
        organizations::STATEMENTS,
        password_history::STATEMENTS,
        realms::STATEMENTS,
        roles::STATEMENTS,
        saved_views::STATEMENTS,
        sessions::STATEMENTS,
        users::STATEMENTS,
        users::BATCH_STATEMENTS,
        users::IMPORT_STATEMENTS,
        users::INSERT_MANY_STATEMENTS,
        users::index::STATEMENTS,
        users::names::STATEMENTS,
        users::list_statements().as_slice(),
    ]
    .concat()
}

#[test]
fn every_statement_is_understood_by_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("denizen.db");
    Db::open(&Location::Sqlite(path.clone()), NOW, random()).unwrap();
    let mut conn = Conn::Sqlite(crate::conn::sqlite::open(&path, true).unwrap());
    for (name, sql) in statements() {
        conn.check(sql.sqlite).unwrap_or_else(|error| panic!("{name}: {error}\n{}", sql.sqlite));
    }
    for text in users::all_texts(Engine::Sqlite) {
        conn.check(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    }
}

#[test]
fn every_statement_is_understood_by_postgres() {
    let Ok(url) = std::env::var("TEST_DATABASE_URL") else { return };
    let url = fresh_schema(&url);
    Db::open(&Location::Postgres(url.clone()), NOW, random()).unwrap();
    let config = crate::conn::postgres::parse(&url).unwrap();
    let mut conn = Conn::Postgres(Box::new(PgConn::new(config)));
    for (name, sql) in statements() {
        conn.check(sql.postgres).unwrap_or_else(|error| panic!("{name}: {error}\n{}", sql.postgres));
    }
    for text in users::all_texts(Engine::Postgres) {
        conn.check(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    }
}

/// No list of users reads a whole table: every statement of theirs goes by an index, on both engines.
#[test]
fn no_list_of_users_scans_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("denizen.db");
    Db::open(&Location::Sqlite(path.clone()), NOW, random()).unwrap();
    let conn = crate::conn::sqlite::open(&path, true).unwrap();
    let mut placed = 0;
    for text in users::all_texts(Engine::Sqlite) {
        let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {text}")).unwrap();
        let mut rows = statement.raw_query();
        let mut among_equals = false;
        while let Some(row) = rows.next().unwrap() {
            let step: String = row.get("detail").unwrap();
            among_equals |= step.contains("=? AND num>?") || step.contains("=? AND num<?");
            // A subquery's rows are counted already; FTS5 is an index.
            let whole =
                step.starts_with("SCAN user_index") || step.starts_with("SCAN i") || step.starts_with("SCAN users");
            assert!(!whole || step.contains("USING"), "{step}\n{text}");
            assert!(!step.starts_with("SCAN user_search") || step.contains("INDEX 0:M"), "{step}\n{text}");
        }
        // Behind a place, none is passed who stands before it with the same key.
        if text.contains("INDEXED BY user_index_by") {
            let is_placed = text.contains("UNION ALL");
            assert!(!text.contains(", i.num) ") && is_placed == among_equals, "{text}");
            placed += u32::from(is_placed);
        }
    }
    assert!(placed > 50, "{placed}");
    let Ok(url) = std::env::var("TEST_DATABASE_URL") else { return };
    let url = fresh_schema(&url);
    Db::open(&Location::Postgres(url.clone()), NOW, random()).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = postgres::Client::connect(&url, postgres::NoTls).unwrap();
            // Small tables are scanned because they are small.
            client.batch_execute("SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan").unwrap();
            for text in users::all_texts(Engine::Postgres) {
                let text = crate::sql::postgres_text(&text);
                let values = (1..=99).take_while(|n| text.contains(&format!("${n}"))).count();
                let nulls = vec!["NULL"; values].join(", ");
                let arguments = if values == 0 { String::new() } else { format!("({nulls})") };
                let script = format!("DEALLOCATE ALL; PREPARE planned AS {text}");
                client.batch_execute(&script).unwrap_or_else(|error| panic!("{error}\n{text}"));
                let plan = client.simple_query(&format!("EXPLAIN EXECUTE planned{arguments}")).unwrap();
                for message in plan {
                    if let postgres::SimpleQueryMessage::Row(row) = message {
                        let step = row.get(0).unwrap();
                        assert!(!step.contains("Seq Scan"), "{step}\n{text}");
                    }
                }
            }
        });
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_shapes_are_asked_for_few_statements_are_kept() {
    for (db, _folder) in databases() {
        let kept = db
            .read(|tx| {
                for shape in 0..2500_i64 {
                    let text = format!("SELECT CAST(?1 AS BIGINT) + {shape} AS answer");
                    assert_eq!(tx.list_shape(&text, params![1_i64], |row| row.i64("answer"))?, [shape + 1]);
                }
                if tx.engine() == Engine::Sqlite {
                    return Ok(0);
                }
                let kept =
                    tx.list_text("SELECT count(*) AS kept FROM pg_prepared_statements", &[], |row| row.i64("kept"))?;
                Ok::<_, Error>(kept.first().copied().unwrap_or(0))
            })
            .await
            .unwrap();
        assert!(kept <= 1000, "{kept}");
    }
}
