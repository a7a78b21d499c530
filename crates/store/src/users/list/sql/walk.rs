//! Walks along an order.

use super::{Asking, Part, Statement, in_index_as, read_columns, selected};
use crate::{
    conn::Engine,
    error::Result,
    tx::ReadTx,
    users::list::{
        order::{Row, index_of},
        test::Test,
    },
};

/// A walk along an order.
#[derive(Debug)]
pub(in super::super) struct Walk {
    /// Over so many rows.
    pub(in super::super) rows: i64,
    /// Looking only at those whom SQLite's full text finds when it is asked like this.
    pub(in super::super) among: Option<Asking>,
}

impl Walk {
    /// Whether it comes to the end of the order.
    ///
    /// # Errors
    /// When the database fails.
    pub(in super::super) fn ends(&self, tx: &mut ReadTx<'_>, part: Part<'_>) -> Result<bool> {
        if self.rows == i64::MAX {
            return Ok(true);
        }
        let statement = beyond_statement(tx.engine(), part, self.rows);
        Ok(tx.list_text(&statement.text, &statement.values, |row| row.i64("num"))?.is_empty())
    }
}

/// Walks along the order of a part, and takes up to so many as are wanted.
pub(in super::super) fn walk(tx: &mut ReadTx<'_>, part: Part<'_>, walk: &Walk) -> Result<Vec<Row>> {
    let statement = walk_statement(tx.engine(), part, walk);
    tx.list_text(&statement.text, &statement.values, |row| Row::read(part.order, row))
}

pub(super) fn walk_statement<'q>(engine: Engine, part: Part<'q>, walk: &Walk) -> Statement<'q> {
    let Part { realm_num, order, tests, wanted, .. } = part;
    let columns = selected("s", order);
    let column = order.column();
    let (direction, _) = order.words();
    let mut statement = Statement::new(engine);
    let unbound: Vec<&Test> = tests.iter().filter(|test| !order.is_bound(test)).collect();
    let is_in_index = |test: &Test| test.is_in_index_of(engine, order.sort);
    let in_index: Vec<&Test> = unbound.iter().copied().filter(|test| is_in_index(test)).collect();
    // Of whom an index tells that they may pass, the row is asked too.
    let of_rows: Vec<&Test> = unbound.into_iter().filter(|test| !is_in_index(test) || test.hints().is_some()).collect();
    // Where the index has what is tested and more than that is asked, rows are read of those who pass.
    let among = walk.among.as_ref().and_then(|asking| asking.matched(engine, realm_num, tests));
    let joined = !of_rows.is_empty() && (!in_index.is_empty() || among.is_some());
    let mut walked: Vec<&str> = if joined { vec!["num"] } else { read_columns(order).to_vec() };
    // No column more than is looked at: then an index that has these is enough.
    let of_walk = if joined { Vec::new() } else { of_rows.clone() };
    for needed in of_walk.iter().flat_map(|test| test.columns()).chain([column]) {
        if !walked.contains(&needed) {
            walked.push(needed);
        }
    }
    let named = |column| if engine == Engine::Postgres { in_index_as(column) } else { column };
    for needed in in_index.iter().flat_map(|test| test.columns_of_index()).map(named) {
        if !walked.contains(&needed) {
            walked.push(needed);
        }
    }
    let of = if joined { "c" } else { "s" };
    statement.push(&match joined {
        true => format!("SELECT {columns} FROM (SELECT c.num, c.{column} FROM ("),
        false => format!("SELECT {columns} FROM ("),
    });
    push_entries(&mut statement, part, &walked.join(", "), walk.rows);
    statement.push(&format!(") AS {of}"));
    let mut conditions: Vec<String> = in_index.iter().map(|test| statement.entry_test(of, test)).collect();
    if let Some(among) = among {
        let among = statement.value(among);
        // `+ 0` keeps SQLite from walking along what full text finds.
        conditions.push(format!("({of}.num + 0) IN (SELECT rowid FROM user_search WHERE user_search MATCH {among})"));
    }
    if joined {
        statement.push_where(&conditions);
        let join = if engine == Engine::Sqlite { "CROSS JOIN" } else { "JOIN" };
        statement.push(&format!(") AS n {join} user_index s ON s.num = n.num"));
        conditions = Vec::new();
    }
    conditions.extend(of_rows.iter().map(|test| statement.row_test("s", test)));
    statement.push_where(&conditions);
    let limit = statement.value(wanted);
    // SQLite hands on the rows of the walk one by one and ends it at the last that is wanted; told the order again,
    // it would walk to the end and sort.
    if engine == Engine::Postgres {
        let of = if joined { "n" } else { "s" };
        statement.push(&format!(" ORDER BY {of}.{column} {direction}, {of}.num {direction}"));
    }
    statement.push(&format!(" LIMIT {limit}"));
    statement
}

pub(super) fn beyond_statement(engine: Engine, part: Part<'_>, rows: i64) -> Statement<'_> {
    let mut statement = Statement::new(engine);
    statement.push("SELECT num FROM (");
    push_entries(&mut statement, part, "num", rows.saturating_add(1));
    let rows = statement.value(rows);
    statement.push(&format!(") AS s LIMIT 1 OFFSET {rows}"));
    statement
}

/// The entries of an order's index that a walk passes: these columns of so many.
fn push_entries<'q>(statement: &mut Statement<'q>, part: Part<'q>, columns: &str, rows: i64) {
    let place = part.bounds.place.as_ref().filter(|place| !part.is_beyond(place));
    let Some(place) = place.filter(|_| statement.engine == Engine::Sqlite) else {
        return push_stretch(statement, part, columns, rows, None);
    };
    // SQLite looks for a pair by its key alone, and would pass all before the place who have the same: those who have
    // it, then those beyond.
    statement.push("SELECT * FROM (");
    push_stretch(statement, part, columns, rows, Some((place, true)));
    statement.push(") UNION ALL SELECT * FROM (");
    push_stretch(statement, part, columns, rows, Some((place, false)));
    let rows = statement.value(rows);
    statement.push(&format!(") LIMIT {rows}"));
}

/// As [`push_entries`], of what an index finds in one stretch. Of a place, those behind it with its key, or with others.
fn push_stretch<'q>(
    statement: &mut Statement<'q>,
    part: Part<'q>,
    columns: &str,
    rows: i64,
    place: Option<(&'q Row, bool)>,
) {
    let order = part.order;
    let (column, (direction, beyond)) = (format!("i.{}", order.column()), order.words());
    let realm = statement.value(part.realm_num);
    let index = index_of(statement.engine, order.sort);
    statement.push(&format!("SELECT {columns} FROM user_index i {index} WHERE i.realm_num = {realm}"));
    match place {
        Some((place, same)) => {
            let key = statement.key(&place.key);
            if same {
                let num = statement.value(place.num);
                statement.push(&format!(" AND {column} = {key} AND i.num {beyond} {num}"));
            } else {
                statement.push(&format!(" AND {column} {beyond} {key}"));
            }
            statement.other_bounds(&column, part);
        }
        None => statement.bounds("i", &column, part),
    }
    statement.bound_tests(part);
    let rows = statement.value(rows);
    statement.push(&format!(" ORDER BY {column} {direction}, i.num {direction} LIMIT {rows}"));
}
