//! What indexes find: all of it, the first of it, how much of it.

use denizen_model::users::UserSort;

use super::{Asking, I_KEYS, Statement, read_keys, read_row};
use crate::{
    conn::Engine,
    error::Result,
    tx::ReadTx,
    users::list::{
        order::{Bounds, Keys, Order, Row},
        test::Test,
    },
};

/// Up to so many users who pass the tests, in no order, by the index.
pub(in super::super) fn found(
    tx: &mut ReadTx<'_>,
    realm_num: i64,
    order: &Order,
    tests: &[Test],
    asking: &Asking,
    wanted: i64,
) -> Result<Vec<Row>> {
    let columns = format!("i.num, i.{} AS sort_key", order.column());
    let statement = found_statement(tx.engine(), &columns, realm_num, tests, asking, wanted);
    tx.list_text(&statement.text, &statement.values, |row| read_row(order.sort, row))
}

/// As [`found`], with all keys.
pub(in super::super) fn found_keys(
    tx: &mut ReadTx<'_>,
    realm_num: i64,
    tests: &[Test],
    asking: &Asking,
    wanted: i64,
) -> Result<Vec<Keys>> {
    let statement = found_statement(tx.engine(), I_KEYS, realm_num, tests, asking, wanted);
    tx.list_text(&statement.text, &statement.values, read_keys)
}

pub(super) fn found_statement<'q>(
    engine: Engine,
    columns: &str,
    realm_num: i64,
    tests: &'q [Test],
    asking: &Asking,
    wanted: i64,
) -> Statement<'q> {
    let mut statement = Statement::new(engine);
    statement.push(&format!("SELECT {columns}"));
    statement.push_index(realm_num, tests, asking);
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

/// The first of those who pass the tests, sorted by the database.
pub(in super::super) fn sorted(
    tx: &mut ReadTx<'_>,
    realm_num: i64,
    order: &Order,
    bounds: &Bounds,
    tests: &[Test],
    asking: &Asking,
    wanted: i64,
) -> Result<Vec<Row>> {
    let columns = format!("i.num, i.{} AS sort_key", order.column());
    let statement = sorted_statement(tx.engine(), &columns, realm_num, order, bounds, tests, asking, wanted);
    tx.list_text(&statement.text, &statement.values, |row| read_row(order.sort, row))
}

/// As [`sorted`], with all keys.
pub(in super::super) fn sorted_keys(
    tx: &mut ReadTx<'_>,
    realm_num: i64,
    order: &Order,
    bounds: &Bounds,
    tests: &[Test],
    asking: &Asking,
    wanted: i64,
) -> Result<Vec<Keys>> {
    let statement = sorted_statement(tx.engine(), I_KEYS, realm_num, order, bounds, tests, asking, wanted);
    tx.list_text(&statement.text, &statement.values, read_keys)
}

#[expect(clippy::too_many_arguments, reason = "the parts of one statement")]
pub(super) fn sorted_statement<'q>(
    engine: Engine,
    columns: &str,
    realm_num: i64,
    order: &Order,
    bounds: &'q Bounds,
    tests: &'q [Test],
    asking: &Asking,
    wanted: i64,
) -> Statement<'q> {
    let mut statement = Statement::new(engine);
    statement.push(&format!("SELECT {columns}"));
    statement.push_index(realm_num, tests, asking);
    statement.bounds("i", order, bounds);
    let (direction, _) = order.words();
    let column = order.column();
    // `+ 0` and `|| ''` keep a planner from walking the order.
    let key = if order.sort.is_textual() && order.sort != UserSort::BestMatch {
        format!("(i.{column} || '')")
    } else {
        format!("(i.{column} + 0)")
    };
    let limit = statement.value(wanted);
    statement.push(&format!(" ORDER BY {key} {direction}, i.num {direction} LIMIT {limit}"));
    statement
}

/// Users with just this as an address, a number or a reference, or of this number, who pass the tests.
pub(in super::super) fn identified(
    tx: &mut ReadTx<'_>,
    realm_num: i64,
    text: &str,
    num: Option<i64>,
    tests: &[Test],
) -> Result<Vec<Keys>> {
    let statement = identified_statement(tx.engine(), realm_num, text, num, tests);
    tx.list_text(&statement.text, &statement.values, read_keys)
}

pub(super) fn identified_statement<'q>(
    engine: Engine,
    realm_num: i64,
    text: &'q str,
    num: Option<i64>,
    tests: &'q [Test],
) -> Statement<'q> {
    let mut statement = Statement::new(engine);
    statement.push(&format!("SELECT {} FROM (", I_KEYS.replace("i.", "s.")));
    let realm = statement.value(realm_num);
    for column in ["email_key", "phone_key", "reference_key"] {
        let value = statement.value(text);
        statement.push(&format!(
            "SELECT * FROM (SELECT * FROM user_index WHERE realm_num = {realm} AND {column} = {value} LIMIT 500) AS by_{column} UNION "
        ));
    }
    let num = statement.value(num.unwrap_or(0));
    statement.push(&format!("SELECT * FROM user_index WHERE num = {num} AND realm_num = {realm}) AS s"));
    for (at, test) in tests.iter().enumerate() {
        let condition = statement.row_test("s", test);
        statement.push(if at == 0 { " WHERE " } else { " AND " });
        statement.push(&condition);
    }
    statement
}
