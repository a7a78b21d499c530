//! A sample of a realm: rows from some places, with what they pass.

use super::{Statement, selected};
use crate::{
    conn::Engine,
    error::Result,
    tx::ReadTx,
    users::list::{
        order::{Order, Row},
        test::Test,
    },
};

/// A row of a sample.
#[derive(Debug)]
pub(in super::super) struct Sampled {
    /// Its place in the order.
    pub(in super::super) row: Row,
    /// Whether it passes each test.
    pub(in super::super) passed: Vec<bool>,
    /// Whether it has all parts of the words that are looked for.
    pub(in super::super) in_parts: bool,
    /// Of each test, whether it has the middle part of the word; false of others than words.
    pub(in super::super) has_middle: Vec<bool>,
}

/// Rows from some places of the index; only those of the realm. The words are taken for so many parts of each.
pub(in super::super) fn sample(
    tx: &mut ReadTx<'_>,
    realm_num: i64,
    order: Order,
    tests: &[Test],
    parts: usize,
) -> Result<Vec<Sampled>> {
    let statement = sample_statement(tx.engine(), realm_num, order, tests, parts);
    let names: Vec<String> = (0..tests.len()).map(|at| format!("t{at}")).collect();
    let middles: Vec<Option<String>> =
        tests.iter().enumerate().map(|(at, test)| test.middle().map(|_| format!("m{at}"))).collect();
    tx.list_shape(&statement.text, &statement.values, |row| {
        let passed = names.iter().map(|name| Ok(row.i64(name)? != 0)).collect::<Result<Vec<bool>>>()?;
        let has_middle = |name: &Option<String>| Ok(name.as_ref().map_or(Ok(0), |name| row.i64(name))? != 0);
        Ok(Sampled {
            row: Row::read(order, row)?,
            passed,
            in_parts: row.i64("in_parts")? != 0,
            has_middle: middles.iter().map(has_middle).collect::<Result<Vec<bool>>>()?,
        })
    })
}

const PLACES: i64 = 20;
const ROWS_OF_A_PLACE: i64 = 50;
/// From one place to the next, in millionths of the whole, past the end on from the beginning: the golden ratio, which
/// comes near no fraction. Whatever recurs among users recurs at round distances.
const STEP: i64 = 618_034;

pub(super) fn sample_statement<'q>(
    engine: Engine,
    realm_num: i64,
    order: Order,
    tests: &'q [Test],
    parts: usize,
) -> Statement<'q> {
    let mut statement = Statement::new(engine);
    let told = |passes: &str, name: &str| match engine {
        Engine::Sqlite => format!("CASE WHEN {passes} THEN 1 ELSE 0 END AS {name}"),
        Engine::Postgres => format!("CAST(CASE WHEN {passes} THEN 1 ELSE 0 END AS BIGINT) AS {name}"),
    };
    let mut tested: Vec<String> =
        (tests.iter().enumerate()).map(|(at, test)| told(&statement.row_test("s", test), &format!("t{at}"))).collect();
    for (at, middle) in tests.iter().enumerate().filter_map(|(at, test)| Some((at, test.middle()?))) {
        tested.push(told(&statement.holds("s.search_text", middle), &format!("m{at}")));
    }
    let words = tests.iter().filter(|test| test.has_parts(engine));
    let held: Vec<String> =
        words.map(|test| statement.parts_test("s", test, parts)).chain(["1 = 1".to_owned()]).collect();
    tested.push(told(&held.join(" AND "), "in_parts"));
    statement.push(&format!("SELECT {}, {} FROM ", tested.join(", "), selected("s", order)));
    match engine {
        Engine::Sqlite => statement.push(&places_one_by_one()),
        Engine::Postgres => statement.push(&places_joined(order, tests)),
    }
    let realm = statement.value(realm_num);
    statement.push(&format!(" WHERE s.realm_num = {realm}"));
    statement
}

/// The rows of the sample: each place is a query of its own.
fn places_one_by_one() -> String {
    let place = |place: i64| {
        format!(
            "SELECT * FROM (SELECT * FROM user_index WHERE num >= (SELECT min(num) FROM user_index) + \
             ((SELECT max(num) FROM user_index) - (SELECT min(num) FROM user_index)) * {} / 1000000 \
             ORDER BY num LIMIT {ROWS_OF_A_PLACE})",
            place * STEP % 1_000_000
        )
    };
    let places: Vec<String> = (0..PLACES).map(place).collect();
    format!("({}) AS s", places.join(" UNION ALL "))
}

/// The same in the words that PostgreSQL plans in a tenth of the time.
fn places_joined(order: Order, tests: &[Test]) -> String {
    let mut columns = vec!["num", "realm_num"];
    for column in tests.iter().flat_map(Test::columns).chain([order.column()]) {
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    format!(
        "(SELECT min(num) AS low, max(num) AS high FROM user_index) AS ends \
         CROSS JOIN generate_series(0, {}) AS place CROSS JOIN LATERAL (SELECT {} FROM user_index \
         WHERE num >= ends.low + (ends.high - ends.low) * (place * {STEP} % 1000000) / 1000000 ORDER BY num LIMIT {ROWS_OF_A_PLACE}) AS s",
        PLACES - 1,
        columns.join(", ")
    )
}
