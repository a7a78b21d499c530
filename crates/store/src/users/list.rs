//! Lists of users: search, filters, order, keyset paging.
//!
//! Which way is right depends on how many users match. A sample of the whole realm tells, about a thousand rows
//! from twenty places:
//!
//! * Few match: the index finds them all ([`sql::found`]), they are counted exactly and put in order here. Where a filter
//!   leaves little of the order (created within a week, by creation), a walk over that finds them all sooner. On SQLite
//!   the index of a time that is bounded is gone through instead, where it tells all else that is asked.
//! * Many match: they are met soon on a walk along the order asked for ([`sql::walk`]); the total is an estimate. Where
//!   the index of the order does not tell who matches, rows are read of all whom it does not rule out; so on SQLite a
//!   long walk only looks at those whom full text has found before. On PostgreSQL the indexes by creation, name and
//!   address have the searched text; of what is near to a word they only hint at who may have it, and few rows are read.
//! * Many match, but not where the walk begins (a given name, in a list by name): the database sorts what the index
//!   finds ([`sql::sorted`]), by narrow rows, up to a key before which the sample has enough of them.
//!
//! An index of trigrams compares the lists of all trigrams of a word, and their places; asked for a few of them alone
//! it is many times quicker. So it is asked for parts, and rows are tested for the whole word, unless the sample shows
//! that many have the parts and not the word. Of a word that many have it is asked for the middle part alone, if the
//! sample shows that hardly anybody else has that.
//!
//! So no way does work in proportion to the whole table. A search by best match has an order of its own, made of
//! such walks: see [`best`].

mod best;
mod order;
mod sample;
mod search;
mod sql;
mod test;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use denizen_model::{
    RealmId, UserId,
    pages::{Cursor, Page, Total},
    users::{Facet, User, UserFilters, UserKind, UserQuery, UserSort},
};

use self::{
    order::{Bounds, Order, Row},
    sample::Sample,
    search::Search,
    sql::{Part, Walk},
    test::{Test, filter_tests},
};
use super::{count_all, index, read_user};
use crate::{error::Result, sql::statements, tx::ReadTx, value::params};

statements! {
    BY_NUMBERS = concat!("SELECT num, ", super::columns!(), " FROM users WHERE num IN (SELECT value FROM json_each(?1))"),
        postgres: concat!("SELECT num, ", super::columns!(), " FROM users WHERE num IN (SELECT CAST(json_array_elements_text(CAST(CAST(?1 AS TEXT) AS JSON)) AS BIGINT))");
    NUM_BY_ID = "SELECT num FROM users WHERE realm_id = ?1 AND id = ?2";
}

/// Where one way ends and another begins. Tests set them low, so that few users show every way.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// In a realm of up to so many users no sample is taken.
    small: u64,
    /// Up to this many matches are read whole, counted exactly and sorted here.
    few: u64,
    /// As `few`, in an order whose keys are wider.
    few_best: u64,
    /// A little over `few`, for a sample is only a sample.
    few_at_most: i64,
    /// Along the order, matches are looked for among so many rows at the most.
    walked_at_most: i64,
    /// The same on PostgreSQL, whose rows are dearer.
    walked_at_most_postgres: i64,
    /// The same, where the index of the order tells whether a row matches.
    walked_narrow: i64,
    /// The same on PostgreSQL.
    walked_narrow_postgres: i64,
    /// Up to so many matches are rather sorted than looked for on a long walk.
    sorted_at_most: u64,
    /// Up to so many rows are rather found and sorted than an order walked whose index tells whether a row matches.
    found_rather_than_walked: u64,
}

const LIMITS: Limits = Limits {
    small: 3000,
    few: 6000,
    few_best: 3000,
    few_at_most: 8000,
    walked_at_most: 20_000,
    walked_at_most_postgres: 10_000,
    walked_narrow: 120_000,
    walked_narrow_postgres: 64_000,
    sorted_at_most: 60_000,
    found_rather_than_walked: 20_000,
};

/// What more than one in so many users has is tested on the row, not looked up.
const COMMON: f64 = 0.2;

/// A page of users with the places before and after it.
#[derive(Debug)]
pub struct UserPage {
    /// The page.
    pub page: Page<User>,
    /// The place before which the page before ends; `None` on the first.
    pub previous: Option<Cursor>,
}

/// A page of users and the total.
///
/// # Errors
/// When the database fails.
pub fn list(tx: &mut ReadTx<'_>, realm: RealmId, query: &UserQuery) -> Result<Page<User>> {
    list_both_ways(tx, realm, query).map(|found| found.page)
}

/// A page of users, the total, and the way back.
///
/// # Errors
/// When the database fails.
pub fn list_both_ways(tx: &mut ReadTx<'_>, realm: RealmId, query: &UserQuery) -> Result<UserPage> {
    list_within(tx, realm, query, LIMITS)
}

fn list_within(tx: &mut ReadTx<'_>, realm: RealmId, query: &UserQuery, limits: Limits) -> Result<UserPage> {
    let found = find_rows(tx, realm, query, limits)?;
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let more = found.rows.len() > limit;
    let mut rows = found.rows;
    rows.truncate(limit);
    if query.backward {
        rows.reverse();
    }
    let place = |row: &Row| Cursor { key: row.key.clone(), id: row.num.to_string() };
    let (first, last) = (rows.first().map(place), rows.last().map(place));
    // Whoever comes from a place knows that there is something on its other side.
    let placed = query.after.is_some();
    let (before, after) = if query.backward { (more, placed) } else { (placed, more) };
    Ok(UserPage {
        page: Page { items: read_users(tx, &rows)?, next: last.filter(|_| after), total: found.total },
        previous: first.filter(|_| before),
    })
}

/// Rows of the index, one more than asked for where there are more, and the total.
struct Found {
    rows: Vec<Row>,
    total: Total,
}

fn find_rows(tx: &mut ReadTx<'_>, realm: RealmId, query: &UserQuery, limits: Limits) -> Result<Found> {
    if query.filters.nobody {
        return Ok(Found { rows: Vec::new(), total: Total::exact(0) });
    }
    let terms = query.terms();
    let mut tests: Vec<Test> = terms.iter().map(|term| Test::contains(term)).collect();
    tests.extend(filter_tests(&query.filters));
    let realm_num = index::realm_num(tx, realm)?;
    let wanted = i64::from(query.limit) + 1;
    let order = Order::of(query);
    if tests.is_empty() {
        let all = Walk { rows: wanted, among: None };
        let part = Part { realm_num, order, bounds: &Bounds::after(query), tests: &[], wanted };
        let rows = sql::walk(tx, part, &all)?;
        return Ok(Found { rows, total: count_all(tx, realm, None, None)? });
    }
    if let [term] = terms.as_slice()
        && let Ok(id) = term.parse::<UserId>()
    {
        tests.remove(0);
        let num = tx.find(&NUM_BY_ID, params![realm, id], |row| row.i64("num"))?;
        let rows = sql::identified(tx, realm_num, order, (term, num), &tests)?;
        let total = Total::exact(rows.len() as u64);
        return Ok(Found { rows: order.page(rows, &Bounds::after(query), wanted), total });
    }
    let population = count_all(tx, realm, None, None)?.count;
    let (order, bounds) = match query.sort {
        UserSort::BestMatch => (best::Way { backward: query.backward }.newest(), Bounds::default()),
        _ => (order, Bounds::after(query)),
    };
    let sample = Sample::take(tx, realm_num, order, &bounds, &tests, population, limits.small)?;
    let search = Search { realm_num, order, tests, sample, wanted, limits };
    let mut found = if query.sort == UserSort::BestMatch {
        best::find(tx, search, query, &terms)?
    } else {
        search.find(tx, &bounds, &terms)?
    };
    if let Some(counted) = counted(tx, realm, query, &terms)? {
        found.total = counted;
    }
    Ok(found)
}

/// The exact total, where it is kept.
fn counted(tx: &mut ReadTx<'_>, realm: RealmId, query: &UserQuery, terms: &[String]) -> Result<Option<Total>> {
    let filters = &query.filters;
    let (mut kind, mut enabled): (Option<UserKind>, Option<bool>) = (None, None);
    for facet in &filters.facets {
        match facet {
            (Facet::Kind(wanted), true) if kind.is_none() => kind = Some(*wanted),
            (Facet::Enabled(wanted), true) if enabled.is_none() => enabled = Some(*wanted),
            _ => return Ok(None),
        }
    }
    let only = UserFilters { facets: filters.facets.clone(), ..UserFilters::default() };
    if !terms.is_empty() || *filters != only { Ok(None) } else { count_all(tx, realm, kind, enabled).map(Some) }
}

/// The records of rows, in their order. A user who was deleted in the meantime is left out.
fn read_users(tx: &mut ReadTx<'_>, rows: &[Row]) -> Result<Vec<User>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let numbers: Vec<String> = rows.iter().map(|row| row.num.to_string()).collect();
    let numbers = format!("[{}]", numbers.join(","));
    let found = tx.list(&BY_NUMBERS, params![numbers], |row| Ok((row.i64("num")?, read_user(row)?)))?;
    let mut by_number: HashMap<i64, User> = found.into_iter().collect();
    Ok(rows.iter().filter_map(|row| by_number.remove(&row.num)).collect())
}

#[cfg(test)]
pub(crate) use sql::all_texts;

#[cfg(test)]
pub(crate) fn statements() -> Vec<(&'static str, crate::sql::Sql)> {
    [STATEMENTS, best::STATEMENTS].concat()
}
