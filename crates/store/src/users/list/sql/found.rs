//! What indexes find: all of it, the first of it, how much of it.

use super::{Asking, Part, Statement, beyond, read_columns, selected};
use crate::{
    conn::Engine,
    error::Result,
    tx::ReadTx,
    users::list::{
        order::{Order, Row},
        test::Test,
    },
};

/// Up to so many users who pass the tests, by the index: in no order, with their keys of this one.
pub(in super::super) fn found(
    tx: &mut ReadTx<'_>,
    realm_num: i64,
    order: Order,
    tests: &[Test],
    asking: &Asking,
    wanted: i64,
) -> Result<Vec<Row>> {
    let statement = found_statement(tx.engine(), realm_num, order, tests, asking, wanted);
    tx.list_text(&statement.text, &statement.values, |row| Row::read(order, row))
}

pub(super) fn found_statement<'q>(
    engine: Engine,
    realm_num: i64,
    order: Order,
    tests: &'q [Test],
    asking: &Asking,
    wanted: i64,
) -> Statement<'q> {
    let mut statement = Statement::new(engine);
    statement.push(&format!("SELECT {}", selected("i", order)));
    statement.push_index(realm_num, tests, asking, &read_columns(order));
    let limit = statement.value(wanted);
    statement.push(&format!(" LIMIT {limit}"));
    statement
}

/// A user who was found, with the place in a search by best match.
#[derive(Debug)]
pub(in super::super) struct Ranked {
    pub(in super::super) num: i64,
    pub(in super::super) created_at: i64,
    /// The tier, and behind it the key that the tier is ordered by, unless that is the time of creation.
    pub(in super::super) tier: String,
}

/// As [`found`], for a search by best match for this text. Hardly any text is read.
pub(in super::super) fn ranked(
    tx: &mut ReadTx<'_>,
    realm_num: i64,
    text: &str,
    tests: &[Test],
    asking: &Asking,
    wanted: i64,
) -> Result<Vec<Ranked>> {
    let statement = ranked_statement(tx.engine(), realm_num, text, tests, asking, wanted);
    tx.list_text(&statement.text, &statement.values, |row| {
        Ok(Ranked { num: row.i64("num")?, created_at: row.i64("created_at")?, tier: row.text("tier")? })
    })
}

pub(super) fn ranked_statement<'q>(
    engine: Engine,
    realm_num: i64,
    text: &'q str,
    tests: &'q [Test],
    asking: &Asking,
    wanted: i64,
) -> Statement<'q> {
    let mut statement = Statement::new(engine);
    let (from, until) = (statement.value(text), statement.value(beyond(text)));
    let begins = |key: &str| format!("{key} >= {from} AND {key} < {until}");
    statement.push(&format!(
        "SELECT i.num, i.created_at, CASE WHEN {from} IN (i.email_key, i.phone_key, i.reference_key) THEN '1' \
         WHEN {} THEN '2' || i.name_key WHEN {} THEN '3' || i.email_key ELSE '4' END AS tier",
        begins("i.name_key"),
        begins("i.email_key")
    ));
    let read = ["num", "created_at", "name_key", "email_key", "phone_key", "reference_key"];
    statement.push_index(realm_num, tests, asking, &read);
    let limit = statement.value(wanted);
    statement.push(&format!(" LIMIT {limit}"));
    statement
}

/// How many pass a test that goes by an index alone, up to so many.
pub(in super::super) fn count(tx: &mut ReadTx<'_>, realm_num: i64, test: &Test, up_to: i64) -> Result<i64> {
    let statement = count_statement(tx.engine(), realm_num, test, up_to);
    let counted = tx.list_text(&statement.text, &statement.values, |row| row.i64("passing"))?;
    Ok(counted.first().copied().unwrap_or(0))
}

pub(super) fn count_statement(engine: Engine, realm_num: i64, test: &Test, up_to: i64) -> Statement<'_> {
    let mut statement = Statement::new(engine);
    let realm = statement.value(realm_num);
    statement.push(&format!(
        "SELECT count(*) AS passing FROM (SELECT i.num FROM user_index i WHERE i.realm_num = {realm} AND "
    ));
    let condition = statement.index_test(test);
    let limit = statement.value(up_to);
    statement.push(&format!("{condition} LIMIT {limit}) AS counted"));
    statement
}

/// The first of a part, sorted by the database.
pub(in super::super) fn sorted(tx: &mut ReadTx<'_>, part: Part<'_>, asking: &Asking) -> Result<Vec<Row>> {
    let statement = sorted_statement(tx.engine(), part, asking);
    tx.list_text(&statement.text, &statement.values, |row| Row::read(part.order, row))
}

pub(super) fn sorted_statement<'q>(engine: Engine, part: Part<'q>, asking: &Asking) -> Statement<'q> {
    let Part { realm_num, order, tests, wanted, .. } = part;
    let mut statement = Statement::new(engine);
    statement.push(&format!("SELECT {}", selected("i", order)));
    statement.push_index(realm_num, tests, asking, &read_columns(order));
    let (column, (direction, _)) = (format!("i.{}", order.column()), order.words());
    // `+ 0` and `|| ''` keep a planner from walking the order.
    let key = if order.is_textual() { format!("({column} || '')") } else { format!("({column} + 0)") };
    statement.bounds("i", if asking.bounded { &column } else { &key }, part);
    let limit = statement.value(wanted);
    statement.push(&format!(" ORDER BY {key} {direction}, i.num {direction} LIMIT {limit}"));
    statement
}

/// Users with just this as an address, a number or a reference, or of this number, who pass the tests.
pub(in super::super) fn identified(
    tx: &mut ReadTx<'_>,
    realm_num: i64,
    order: Order,
    (text, num): (&str, Option<i64>),
    tests: &[Test],
) -> Result<Vec<Row>> {
    let statement = identified_statement(tx.engine(), realm_num, order, (text, num), tests);
    tx.list_shape(&statement.text, &statement.values, |row| Row::read(order, row))
}

pub(super) fn identified_statement<'q>(
    engine: Engine,
    realm_num: i64,
    order: Order,
    (text, num): (&'q str, Option<i64>),
    tests: &'q [Test],
) -> Statement<'q> {
    let mut statement = Statement::new(engine);
    statement.push(&format!("SELECT {} FROM (", selected("s", order)));
    let realm = statement.value(realm_num);
    for column in ["email_key", "phone_key", "reference_key"] {
        let value = statement.value(text);
        statement.push(&format!(
            "SELECT * FROM (SELECT * FROM user_index WHERE realm_num = {realm} AND {column} = {value} LIMIT 500) AS by_{column} UNION "
        ));
    }
    let num = statement.value(num.unwrap_or(0));
    statement.push(&format!("SELECT * FROM user_index WHERE num = {num} AND realm_num = {realm}) AS s"));
    let conditions: Vec<String> = tests.iter().map(|test| statement.row_test("s", test)).collect();
    statement.push_where(&conditions);
    statement
}
