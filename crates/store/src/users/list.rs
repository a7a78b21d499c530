//! Lists of users: search, filters, order, keyset paging.
//!
//! Which way is right depends on how many users match. A sample of the whole realm tells, about a thousand rows
//! from ten places:
//!
//! * Few match: the index finds them all ([`sql::found`]), they are counted exactly and put in order here.
//! * Many match: they are met soon on a walk along the order asked for ([`sql::walk`]); the total is an estimate.
//! * Many match, but not where the walk begins (a given name, in a list by name): the database sorts what the index
//!   finds ([`sql::sorted`]), by narrow rows.
//!
//! So no way does work in proportion to the whole table. A search by best match has an order of its own, made of
//! such walks: see [`best`].

mod best;
mod sql;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use denizen_model::{
    RealmId, UserId,
    pages::{Cursor, CursorKey, Direction, Page, Total},
    users::{Facet, User, UserFilters, UserKind, UserQuery, UserSort},
};

use self::sql::{Bounds, Order, Row, Test};
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
    /// Up to so many matches are rather sorted than looked for on a long walk.
    sorted_at_most: u64,
}

const LIMITS: Limits = Limits {
    small: 3000,
    few: 6000,
    few_best: 3000,
    few_at_most: 8000,
    walked_at_most: 20_000,
    sorted_at_most: 60_000,
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
    let terms = query.terms();
    let mut tests: Vec<Test> = terms.iter().map(|term| Test::contains(term)).collect();
    tests.extend(filter_tests(&query.filters));
    let realm_num = index::realm_num(tx, realm)?;
    let wanted = i64::from(query.limit) + 1;
    let order = Order::of(query);
    if tests.is_empty() {
        let rows = sql::walk(tx, realm_num, &order, &Bounds::after(query), wanted, &[], wanted)?;
        return Ok(Found { rows, total: count_all(tx, realm, None, None)? });
    }
    if let [term] = terms.as_slice()
        && let Ok(id) = term.parse::<UserId>()
    {
        tests.remove(0);
        let num = tx.find(&NUM_BY_ID, params![realm, id], |row| row.i64("num"))?;
        let found = sql::identified(tx, realm_num, term, num, &tests)?;
        let rows: Vec<Row> = found.into_iter().map(|keys| keys.row(query.sort)).collect();
        let total = Total::exact(rows.len() as u64);
        return Ok(Found { rows: order.page(rows, &Bounds::after(query), wanted), total });
    }
    let population = count_all(tx, realm, None, None)?.count;
    let sample = Sample::take(tx, realm_num, &tests, population, limits.small)?;
    let mut search = Search { realm_num, order, tests, sample, wanted, limits };
    let mut found = if query.sort == UserSort::BestMatch {
        best::find(tx, &mut search, query, &terms)?
    } else {
        search.find(tx, query, &terms)?
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

fn filter_tests(filters: &UserFilters) -> Vec<Test> {
    let mut tests: Vec<Test> =
        filters.facets.iter().map(|(facet, present)| Test::Facet { mark: facet.mark(), present: *present }).collect();
    let mut span = |column: &'static str, span: denizen_model::users::Span| {
        tests.extend(span.after.map(|at| Test::AtLeast { column, value: at.as_micros() }));
        tests.extend(span.before.map(|at| Test::Below { column, value: at.as_micros() }));
    };
    span("created_at", filters.created);
    span("last_sign_in_at", filters.last_sign_in);
    let ever = filters.never_signed_in == Some(false) || !filters.last_sign_in.is_open();
    if ever && filters.last_sign_in.after.is_none() {
        tests.push(Test::AtLeast { column: "last_sign_in_at", value: 1 });
    }
    if filters.never_signed_in == Some(true) {
        tests.push(Test::Below { column: "last_sign_in_at", value: 1 });
    }
    if let Some(reference) = &filters.reference {
        tests.push(Test::Reference(reference.clone()));
    }
    tests
}

/// What a sample of the realm says about the tests.
struct Sample {
    /// The share of users that pass each test, and all of them.
    each: Vec<f64>,
    /// The share of users that pass all.
    share: f64,
    /// About so many users pass all.
    matches: u64,
}

impl Sample {
    fn take(tx: &mut ReadTx<'_>, realm_num: i64, tests: &[Test], population: u64, small: u64) -> Result<Self> {
        if population <= small {
            return Ok(Self::unknown(tests));
        }
        let rows = sql::sample(tx, realm_num, tests)?;
        // A realm with few of the sampled rows is small beside the others: the index knows.
        if rows.is_empty() || (rows.len() as u64) < small / 30 {
            return Ok(Self::unknown(tests));
        }
        let share = |passing: usize| passing as f64 / rows.len() as f64;
        let passing = |at: usize| rows.iter().filter(|row| row.get(at) == Some(&true)).count();
        let all = share(rows.iter().filter(|row| row.iter().all(|passed| *passed)).count());
        let matches = (all * population as f64) as u64;
        Ok(Self { each: (0..tests.len()).map(|at| share(passing(at))).collect(), share: all, matches })
    }

    fn unknown(tests: &[Test]) -> Self {
        Self { each: vec![0.0; tests.len()], share: 0.0, matches: 0 }
    }

    fn estimate(&self) -> Total {
        // Two digits are as much as a sample can tell.
        let magnitude = 10_u64.pow(self.matches.max(1).ilog10().saturating_sub(1));
        Total { count: self.matches.div_ceil(magnitude) * magnitude, exact: false }
    }
}

/// A search under way.
struct Search {
    realm_num: i64,
    order: Order,
    tests: Vec<Test>,
    sample: Sample,
    wanted: i64,
    limits: Limits,
}

impl Search {
    /// Which tests the index is asked; the others are made on the rows it finds. At least the rarest is asked.
    fn asked(&self) -> Vec<bool> {
        let rarest = (self.tests.iter().zip(&self.sample.each))
            .filter(|(test, _)| test.is_indexed())
            .map(|(_, share)| *share)
            .fold(f64::INFINITY, f64::min);
        let shares = self.tests.iter().zip(&self.sample.each);
        shares.map(|(test, share)| test.is_indexed() && (*share <= COMMON || *share <= rarest)).collect()
    }

    fn is_indexed(&self) -> bool {
        self.tests.iter().any(Test::is_indexed)
    }

    /// How far to walk to meet as many matches as are wanted, with room for bad luck.
    fn stretch(&self) -> i64 {
        let rows = 2.0 * self.wanted as f64 / self.sample.share.max(1e-6);
        (rows as i64).clamp(self.limits.walked_at_most / 100, self.limits.walked_at_most)
    }

    fn find(&mut self, tx: &mut ReadTx<'_>, query: &UserQuery, terms: &[String]) -> Result<Found> {
        let (bounds, limits) = (Bounds::after(query), self.limits);
        if self.is_indexed() && self.sample.matches <= limits.few {
            let at_most = limits.few_at_most;
            let mut rows = sql::found(tx, self.realm_num, &self.order, &self.tests, &self.asked(), at_most + 1)?;
            if i64::try_from(rows.len()).unwrap_or(i64::MAX) <= at_most {
                if best::is_scarce(rows.len()) {
                    rows.extend(best::near(tx, self, terms, &rows)?);
                }
                let total = Total::exact(rows.len() as u64);
                return Ok(Found { rows: self.order.page(rows, &bounds, self.wanted), total });
            }
            self.sample.matches = self.sample.matches.max(at_most.unsigned_abs());
        }
        let total = self.sample.estimate();
        let walked = if self.is_indexed() { self.stretch() } else { i64::MAX };
        let rows = sql::walk(tx, self.realm_num, &self.order, &bounds, walked, &self.tests, self.wanted)?;
        if self.is_enough(&rows) || !self.is_indexed() {
            return Ok(Found { rows, total });
        }
        if self.sample.matches > limits.sorted_at_most && walked < limits.walked_at_most {
            let walked = limits.walked_at_most;
            let rows = sql::walk(tx, self.realm_num, &self.order, &bounds, walked, &self.tests, self.wanted)?;
            if self.is_enough(&rows) {
                return Ok(Found { rows, total });
            }
        }
        let rows = sql::sorted(tx, self.realm_num, &self.order, &bounds, &self.tests, &self.asked(), self.wanted)?;
        Ok(Found { rows, total })
    }

    fn is_enough(&self, rows: &[Row]) -> bool {
        i64::try_from(rows.len()).unwrap_or(i64::MAX) >= self.wanted
    }
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

/// A number as a sort key.
fn number(key: &CursorKey) -> i64 {
    match key {
        CursorKey::Number(number) => *number,
        CursorKey::Text(_) => 0,
    }
}

impl Order {
    fn of(query: &UserQuery) -> Self {
        let direction = match (query.direction, query.backward) {
            (direction, false) => direction,
            (Direction::Ascending, true) => Direction::Descending,
            (Direction::Descending, true) => Direction::Ascending,
        };
        Self { sort: query.sort, direction }
    }

    /// Those of the rows that a page asks for, in order.
    fn page(&self, mut rows: Vec<Row>, bounds: &Bounds, wanted: i64) -> Vec<Row> {
        rows.retain(|row| bounds.place.as_ref().is_none_or(|place| self.is_beyond(row, place)));
        rows.sort_unstable_by(|a, b| self.compare(a, b));
        rows.truncate(usize::try_from(wanted).unwrap_or(usize::MAX));
        rows
    }

    fn compare(&self, a: &Row, b: &Row) -> std::cmp::Ordering {
        let keys = match (&a.key, &b.key) {
            (CursorKey::Text(a), CursorKey::Text(b)) => a.cmp(b),
            (a, b) => number(a).cmp(&number(b)),
        };
        let order = keys.then(a.num.cmp(&b.num));
        if self.direction == Direction::Descending { order.reverse() } else { order }
    }

    fn is_beyond(&self, row: &Row, place: &Row) -> bool {
        self.compare(row, place) == std::cmp::Ordering::Greater
    }
}

#[cfg(test)]
pub(crate) use sql::all_texts;

#[cfg(test)]
pub(crate) fn statements() -> Vec<(&'static str, crate::sql::Sql)> {
    [STATEMENTS, best::STATEMENTS].concat()
}
