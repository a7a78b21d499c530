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
    RealmId, Timestamp, UserId,
    pages::{Cursor, CursorKey, Direction, Page, Total},
    users::{Facet, User, UserFilters, UserKind, UserQuery, UserSort},
};

use self::sql::{Bounds, Order, Row, Test};
use super::{count_all, index, read_user};
use crate::{conn::Engine, error::Result, sql::statements, tx::ReadTx, value::params};

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
    /// The same, where the index of the order tells whether a row matches.
    walked_narrow: i64,
    /// The same on PostgreSQL, whose steps are dearer.
    walked_narrow_postgres: i64,
    /// Up to so many matches are rather sorted than looked for on a long walk.
    sorted_at_most: u64,
}

const LIMITS: Limits = Limits {
    small: 3000,
    few: 6000,
    few_best: 3000,
    few_at_most: 8000,
    walked_at_most: 20_000,
    walked_narrow: 120_000,
    walked_narrow_postgres: 40_000,
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
    let (order, bounds) = match query.sort {
        UserSort::BestMatch => (best::Way { backward: query.backward }.newest(), Bounds::default()),
        _ => (order, Bounds::after(query)),
    };
    let sample = Sample::take(tx, realm_num, &order, &bounds, &tests, population, limits.small)?;
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

fn filter_tests(filters: &UserFilters) -> Vec<Test> {
    let mut tests: Vec<Test> =
        filters.facets.iter().map(|(facet, present)| Test::Facet { mark: facet.mark(), present: *present }).collect();
    let micros = |at: Option<Timestamp>, open: i64| at.map_or(open, Timestamp::as_micros);
    if !filters.created.is_open() {
        let (from, until) = (micros(filters.created.after, i64::MIN), micros(filters.created.before, i64::MAX));
        tests.push(Test::Within { column: "created_at", from, until });
    }
    // Zero is never.
    let ever = filters.never_signed_in == Some(false) || !filters.last_sign_in.is_open();
    if ever {
        let (from, until) = (micros(filters.last_sign_in.after, 1), micros(filters.last_sign_in.before, i64::MAX));
        tests.push(Test::Within { column: "last_sign_in_at", from: from.max(1), until });
    }
    if filters.never_signed_in == Some(true) {
        tests.push(Test::Within { column: "last_sign_in_at", from: 0, until: 1 });
    }
    if let Some(reference) = &filters.reference {
        tests.push(Test::Reference(reference.clone()));
    }
    tests
}

/// What a sample of the realm says about the tests.
struct Sample {
    /// The users of the realm.
    population: u64,
    /// Rows of the sample, in the order asked for, from the place asked for on: whether they pass each test.
    rows: Vec<(Row, Vec<bool>)>,
    /// Its size with the rows before that place.
    size: usize,
    /// About so many users pass all tests.
    matches: u64,
}

impl Sample {
    fn take(
        tx: &mut ReadTx<'_>,
        realm_num: i64,
        order: &Order,
        bounds: &Bounds,
        tests: &[Test],
        population: u64,
        small: u64,
    ) -> Result<Self> {
        let mut sample = Self { population, rows: Vec::new(), size: 0, matches: 0 };
        if population <= small {
            return Ok(sample);
        }
        let mut rows = sql::sample(tx, realm_num, order, tests)?;
        // A realm with few of the sampled rows is small beside the others: the index knows.
        if (rows.len() as u64) < small / 30 {
            return Ok(sample);
        }
        sample.size = rows.len();
        let mut all = share(&rows, |passed| passed.iter().all(|passed| *passed));
        if all * (rows.len() as f64) < 3.0 {
            // Too few to tell; then the tests are taken for independent.
            let each = |at: usize| share(&rows, |passed| passed.get(at) == Some(&true));
            all = (0..tests.len()).map(each).product::<f64>().max(all);
        }
        sample.matches = (all * population as f64) as u64;
        rows.retain(|(row, _)| bounds.place.as_ref().is_none_or(|place| order.is_beyond(row, place)));
        rows.sort_unstable_by(|(a, _), (b, _)| order.compare(a, b));
        sample.rows = rows;
        Ok(sample)
    }

    /// The share of users that pass the test at this place of the list of tests.
    fn share_of(&self, at: usize) -> f64 {
        share(&self.rows, |passed| passed.get(at) == Some(&true))
    }

    /// The share of users that pass all of these tests.
    fn share_of_all(&self, wanted: impl Fn(usize) -> bool) -> f64 {
        share(&self.rows, |passed| passed.iter().enumerate().all(|(at, passed)| *passed || !wanted(at)))
    }

    fn estimate(&self) -> Total {
        // Two digits are as much as a sample can tell.
        let magnitude = 10_u64.pow(self.matches.max(1).ilog10().saturating_sub(1));
        Total { count: self.matches.div_ceil(magnitude) * magnitude, exact: false }
    }
}

fn share(rows: &[(Row, Vec<bool>)], passes: impl Fn(&[bool]) -> bool) -> f64 {
    let passing = rows.iter().filter(|(_, passed)| passes(passed)).count();
    passing as f64 / rows.len().max(1) as f64
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
    fn asked(&self, engine: Engine) -> Vec<bool> {
        let shares: Vec<f64> = (0..self.tests.len()).map(|at| self.sample.share_of(at)).collect();
        let indexed = self.tests.iter().zip(&shares).filter(|(test, _)| test.is_indexed());
        let rarest = indexed.map(|(_, share)| *share).fold(f64::INFINITY, f64::min);
        let tests = self.tests.iter().zip(&shares);
        let mut asked: Vec<bool> =
            tests.map(|(test, share)| test.is_indexed() && (*share <= COMMON || *share <= rarest)).collect();
        // SQLite has an index of texts and indexes of keys; asking both is worth it when the latter has few rows.
        if engine == Engine::Sqlite {
            let by_text = |at: usize| asked.get(at) == Some(&true) && self.tests.get(at).is_some_and(Test::is_text);
            if (0..self.tests.len()).any(by_text) {
                let found = self.sample.share_of_all(by_text);
                let keys: Vec<bool> = (self.tests.iter().zip(&shares))
                    .map(|(test, share)| test.is_text() || *share < 2.5 * found)
                    .collect();
                asked.iter_mut().zip(keys).for_each(|(asked, worth)| *asked &= worth);
            }
        }
        asked
    }

    fn is_indexed(&self) -> bool {
        self.tests.iter().any(Test::is_indexed)
    }

    /// About so many rows are read when the index is asked.
    fn rows_of_index(&self, asked: &[bool]) -> u64 {
        let is_asked = |at: usize| asked.get(at) == Some(&true);
        let is_text = |at: usize| is_asked(at) && self.tests.get(at).is_some_and(Test::is_text);
        let share = match (0..self.tests.len()).any(is_text) {
            true => self.sample.share_of_all(is_text),
            false => self.sample.share_of_all(is_asked),
        };
        (share * self.sample.population as f64) as u64
    }

    /// Whether the index of the order tells who passes the tests, so that a walk reads no rows: many times quicker.
    fn is_narrow(&self, engine: Engine) -> bool {
        self.tests.iter().all(|test| test.is_in_index_of(engine, self.order.sort))
    }

    fn walked_narrow(&self, engine: Engine) -> i64 {
        match engine {
            Engine::Sqlite => self.limits.walked_narrow,
            Engine::Postgres => self.limits.walked_narrow_postgres,
        }
    }

    /// How far to walk to meet as many matches as are wanted, with room for bad luck; `None` when that is too far,
    /// or when the sample shows that matches come late.
    fn stretch(&self, engine: Engine) -> Option<i64> {
        let narrow = self.is_narrow(engine);
        let most = if narrow { self.walked_narrow(engine) } else { self.limits.walked_at_most };
        // Close to the end of the list whatever is left is walked over.
        let each = self.sample.population / (self.sample.size.max(1) as u64);
        let left = each.saturating_mul(self.sample.rows.len() as u64);
        if self.sample.rows.len() < self.sample.size && left <= most.unsigned_abs() / 2 {
            return Some(most);
        }
        let is_bound = |at: usize| self.tests.get(at).is_some_and(|test| self.order.is_bound(test));
        let within: Vec<&Vec<bool>> = (self.sample.rows.iter().map(|(_, passed)| passed))
            .filter(|passed| passed.iter().enumerate().all(|(at, passed)| *passed || !is_bound(at)))
            .collect();
        let matching = |passed: &&Vec<bool>| passed.iter().all(|passed| *passed);
        let matches = within.iter().filter(|passed| matching(passed)).count();
        let mut share = matches as f64 / within.len() as f64;
        if matches < 3 {
            // Where the order is bounded, the sample has few rows within; then the tests are taken for independent.
            if within.len() == self.sample.rows.len() {
                return None;
            }
            share = (0..self.tests.len()).filter(|at| !is_bound(*at)).map(|at| self.sample.share_of(at)).product();
        }
        let mut rows = (2.0 * self.wanted as f64 / share) as i64;
        // Were they spread evenly, so many others before the first would be a strange chance.
        let before = within.iter().take_while(|passed| !matching(passed)).count();
        let late = (1.0 - share).powf(before as f64) < 0.001;
        if late && narrow {
            // What the sample passes before its third match is walked over as well.
            let third = within.iter().enumerate().filter(|(_, passed)| matching(passed)).nth(2);
            rows = rows.saturating_add(third.map_or(most, |(at, _)| (at as u64 * each) as i64));
        }
        ((!late || narrow) && rows <= most).then(|| rows.max(most / 100))
    }

    /// A key up to which there are more than enough matches, by the sample.
    fn cut(&self) -> Option<CursorKey> {
        let each = self.sample.population / (self.sample.size.max(1) as u64);
        if each < self.wanted.unsigned_abs() * 2 {
            return None;
        }
        let mut matching = self.sample.rows.iter().filter(|(_, passed)| passed.iter().all(|passed| *passed));
        // Up to the second that the sample has there are, all but surely, as many as are wanted, if it stands for many.
        let enough = if each < self.wanted.unsigned_abs() * 8 { 2 } else { 1 };
        matching.nth(enough).map(|(row, _)| row.key.clone())
    }

    /// A page in the order asked for. Where matches are scarce, what is near is found in their place.
    fn find(mut self, tx: &mut ReadTx<'_>, bounds: &Bounds, terms: &[String]) -> Result<Found> {
        let mut near = None;
        if let Some(rows) = self.few(tx)? {
            if !best::is_scarce(rows.len()) || terms.is_empty() {
                let total = Total::exact(rows.len() as u64);
                return Ok(Found { rows: self.order.page(rows, bounds, self.wanted), total });
            }
            near = Some(self.near(tx, bounds, terms, rows.is_empty())?);
        }
        let mut search = near.unwrap_or(self);
        if let Some(rows) = search.few(tx)? {
            let total = Total::exact(rows.len() as u64);
            return Ok(Found { rows: search.order.page(rows, bounds, search.wanted), total });
        }
        search.many(tx, bounds)
    }

    /// All matches, in no order, where they are few and quickly found.
    fn few(&mut self, tx: &mut ReadTx<'_>) -> Result<Option<Vec<Row>>> {
        let (asked, limits) = (self.asked(tx.engine()), self.limits);
        if !self.is_worth_asking(tx.engine(), &asked, limits.few) {
            return Ok(None);
        }
        let most = limits.few_at_most;
        let rows = sql::found(tx, self.realm_num, &self.order, &self.tests, &asked, most + 1)?;
        Ok(self.if_few(rows))
    }

    /// Whether the index is asked for all matches: it has few, and a walk would not be shorter.
    fn is_worth_asking(&self, engine: Engine, asked: &[bool], few: u64) -> bool {
        let rows = self.rows_of_index(asked);
        // A step of a narrow walk costs a fraction of what a row of the index does.
        let (step, unless) = if self.is_narrow(engine) { (8, self.limits.few / 4) } else { (1, self.limits.few) };
        let walks = self.stretch(engine).is_some_and(|stretch| stretch.unsigned_abs() / step < rows);
        self.is_indexed() && self.sample.matches <= few && (rows <= unless || !walks)
    }

    /// The rows, unless they are more than few after all.
    fn if_few<T>(&mut self, rows: Vec<T>) -> Option<Vec<T>> {
        let most = self.limits.few_at_most;
        if i64::try_from(rows.len()).unwrap_or(i64::MAX) <= most {
            return Some(rows);
        }
        self.sample.matches = self.sample.matches.max(most.unsigned_abs());
        None
    }

    /// The search for what is near to the words, and what has them, under the same filters.
    fn near(&self, tx: &mut ReadTx<'_>, bounds: &Bounds, terms: &[String], nobody: bool) -> Result<Self> {
        // Of one word that nobody has, what is near is looked for alone.
        let alone = nobody && terms.len() == 1 && self.tests.len() == 1;
        let mut tests = best::near_tests(tx, terms, alone)?;
        tests.extend(self.tests.iter().skip(terms.len()).cloned());
        let (order, limits) = (self.order, self.limits);
        let sample = Sample::take(tx, self.realm_num, &order, bounds, &tests, self.sample.population, limits.small)?;
        Ok(Self { realm_num: self.realm_num, order, tests, sample, wanted: self.wanted, limits })
    }

    /// A page of many matches.
    fn many(&self, tx: &mut ReadTx<'_>, bounds: &Bounds) -> Result<Found> {
        let total = self.total(tx)?;
        let narrow = self.is_narrow(tx.engine());
        // A walk ends with the last that is wanted; where its steps are cheap it may go on past bad luck.
        let mut stretches: Vec<i64> = self
            .stretch(tx.engine())
            .map(|rows| if narrow { self.walked_narrow(tx.engine()) } else { rows })
            .into_iter()
            .collect();
        if self.sample.matches > self.limits.sorted_at_most {
            stretches.push(self.limits.walked_at_most);
        }
        // What bounds the order leaves nothing to be looked for.
        if !self.is_indexed() || self.tests.iter().all(|test| self.order.is_bound(test)) {
            stretches = vec![i64::MAX];
        }
        for stretch in stretches {
            let rows = sql::walk(tx, self.realm_num, &self.order, bounds, stretch, &self.tests, self.wanted)?;
            if self.is_enough(&rows)
                || stretch == i64::MAX
                || sql::ends_within(tx, self.realm_num, &self.order, bounds, stretch)?
            {
                return Ok(Found { rows, total });
            }
        }
        let asked = self.asked(tx.engine());
        let cut = Bounds { cut: self.cut(), ..bounds.clone() };
        let rows = sql::sorted(tx, self.realm_num, &self.order, &cut, &self.tests, &asked, self.wanted)?;
        if self.is_enough(&rows) || cut.cut.is_none() {
            return Ok(Found { rows, total });
        }
        let rows = sql::sorted(tx, self.realm_num, &self.order, bounds, &self.tests, &asked, self.wanted)?;
        Ok(Found { rows, total })
    }

    /// The total where matches are many: exact where one index alone counts them quickly.
    fn total(&self, tx: &mut ReadTx<'_>) -> Result<Total> {
        if let [test @ Test::Within { .. }] = self.tests.as_slice() {
            let most = self.limits.few_at_most * 2;
            let counted = sql::count(tx, self.realm_num, test, most + 1)?;
            if counted <= most {
                return Ok(Total::exact(counted.unsigned_abs()));
            }
        }
        Ok(self.sample.estimate())
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
