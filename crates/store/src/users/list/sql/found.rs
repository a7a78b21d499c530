//! What indexes find: all of it, the first of it, how much of it.

use super::{Asking, Part, Read, Statement, selected};
use crate::{
    conn::Engine,
    error::Result,
    tx::ReadTx,
    users::list::{
        order::{Keys, Order},
        test::Test,
    },
};

/// Up to so many users who pass the tests, by the index: in no order, read as a list of this order needs them.
pub(in super::super) fn found<T: Read>(
    tx: &mut ReadTx<'_>,
    realm_num: i64,
    order: Order,
    tests: &[Test],
    asking: &Asking,
    wanted: i64,
) -> Result<Vec<T>> {
    let statement = found_statement::<T>(tx.engine(), realm_num, order, tests, asking, wanted);
    tx.list_text(&statement.text, &statement.values, |row| T::read(order, row))
}

pub(super) fn found_statement<'q, T: Read>(
    engine: Engine,
    realm_num: i64,
    order: Order,
    tests: &'q [Test],
    asking: &Asking,
    wanted: i64,
) -> Statement<'q> {
    let mut statement = Statement::new(engine);
    statement.push(&format!("SELECT {}", selected::<T>("i", order)));
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

/// The first of a part, sorted by the database.
pub(in super::super) fn sorted<T: Read>(tx: &mut ReadTx<'_>, part: Part<'_>, asking: &Asking) -> Result<Vec<T>> {
    let statement = sorted_statement::<T>(tx.engine(), part, asking);
    tx.list_text(&statement.text, &statement.values, |row| T::read(part.order, row))
}

pub(super) fn sorted_statement<'q, T: Read>(engine: Engine, part: Part<'q>, asking: &Asking) -> Statement<'q> {
    let Part { realm_num, order, tests, wanted, .. } = part;
    let mut statement = Statement::new(engine);
    statement.push(&format!("SELECT {}", selected::<T>("i", order)));
    statement.push_index(realm_num, tests, asking);
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
) -> Result<Vec<Keys>> {
    let statement = identified_statement(tx.engine(), realm_num, order, (text, num), tests);
    tx.list_text(&statement.text, &statement.values, |row| Keys::read(order, row))
}

pub(super) fn identified_statement<'q>(
    engine: Engine,
    realm_num: i64,
    order: Order,
    (text, num): (&'q str, Option<i64>),
    tests: &'q [Test],
) -> Statement<'q> {
    let mut statement = Statement::new(engine);
    statement.push(&format!("SELECT {} FROM (", selected::<Keys>("s", order)));
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
