//! Search by best match (PRODUCT §4), in tiers:
//!
//! 1. the very identifier: address, number, reference, username;
//! 2. the name begins with what was typed, by name;
//! 3. the address begins with it, by address;
//! 4. all words are found somewhere, the newest user first;
//! 5. where those are scarce, the words are found in what people make of names (`jsmith`), or with one typo in
//!    each, the newest first.
//!
//! A user stands in the first tier that they fit in. The whole order is in one text key, tier first, so that
//! pages are paged by key as in any other list.

use std::collections::BTreeSet;

use denizen_model::{
    pages::{CursorKey, Direction, Total},
    text::fold,
    users::{UserQuery, UserSort, word_beginning},
};

use super::{
    Found,
    order::{Bounds, Order, Row},
    search::Search,
    sql::{self, Part, Ranked, Walk},
    test::Test,
};
use crate::{error::Result, sql::statements, tx::ReadTx, users::index, value::params};

statements! {
    BY_USERNAME = "SELECT num FROM users WHERE realm_id = (SELECT id FROM realms WHERE num = ?1) AND username_key = ?2";
}

/// With fewer matches than this, what is near is shown too.
const SCARCE: usize = 50;
/// Whether matches are so few that what is near is worth a look.
pub(super) fn is_scarce(matches: usize) -> bool {
    matches < SCARCE
}

/// What was typed, as it is compared with whole fields.
struct Wanted {
    text: String,
    username: Option<i64>,
}

impl Wanted {
    /// The place of a user in the order.
    fn row(&self, ranked: Ranked) -> Row {
        let Ranked { num, created_at, tier } = ranked;
        let key = match tier.as_str() {
            _ if self.username == Some(num) => newest('1', created_at, num),
            "1" => newest('1', created_at, num),
            "4" => newest('4', created_at, num),
            // The key that the tier is ordered by stands behind it already.
            _ => tier,
        };
        Row { num, key: CursorKey::Text(key) }
    }
}

/// The place in the whole order of a user of a tier, whose place in the tier this is.
fn in_tier(tier: char, row: Row) -> Row {
    let key = match row.key {
        CursorKey::Text(key) => format!("{tier}{key}"),
        CursorKey::Number(created_at) => newest(tier, created_at, row.num),
    };
    Row { num: row.num, key: CursorKey::Text(key) }
}

/// A page of a search by best match.
pub(super) fn find(tx: &mut ReadTx<'_>, mut search: Search, query: &UserQuery, terms: &[String]) -> Result<Found> {
    let text = fold(query.search.as_deref().unwrap_or(""));
    let username = tx.find(&BY_USERNAME, params![search.realm_num, &text], |row| row.i64("num"))?;
    let wanted = Wanted { text, username };
    let (bounds, way) = (Bounds::after(query), Way { backward: query.backward });
    let asking = search.asking(tx.engine());
    if search.is_worth_asking(tx.engine(), &asking, search.limits.few_best) {
        let most = search.limits.few_at_most;
        let found = sql::ranked(tx, search.realm_num, &wanted.text, &search.tests, &asking, most + 1)?;
        if let Some(found) = search.if_few(found) {
            let rows: Vec<Row> = found.into_iter().map(|ranked| wanted.row(ranked)).collect();
            return few(tx, &search, way, &bounds, terms, rows);
        }
    }
    many(tx, &search, way, &bounds, &wanted)
}

/// From the best on, or back to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    pub(super) backward: bool,
}

impl Way {
    fn ascending(self) -> Direction {
        if self.backward { Direction::Descending } else { Direction::Ascending }
    }

    /// By the whole key, or by a text in it.
    fn by(self, sort: UserSort) -> Order {
        Order { sort, direction: self.ascending() }
    }

    /// The newest first; the other way, the oldest.
    pub(super) fn newest(self) -> Order {
        let direction = if self.backward { Direction::Ascending } else { Direction::Descending };
        Order { sort: UserSort::CreatedAt, direction }
    }
}

/// A page of few matches, with what is near behind them where they are scarce.
fn few(
    tx: &mut ReadTx<'_>,
    search: &Search,
    way: Way,
    bounds: &Bounds,
    terms: &[String],
    rows: Vec<Row>,
) -> Result<Found> {
    let count = rows.len();
    let known: BTreeSet<i64> = rows.iter().map(|row| row.num).collect();
    let mut rows = way.by(UserSort::BestMatch).page(rows, bounds, search.wanted);
    if !is_scarce(count) || terms.is_empty() {
        return Ok(Found { rows, total: Total::exact(count as u64) });
    }
    let place = Bounds { place: bounds.place.as_ref().and_then(newest_place), ..Bounds::default() };
    let mut near = search.near(tx, &place, terms, count == 0)?;
    // Those with the words themselves are found again, and stand before.
    near.wanted += i64::try_from(count).unwrap_or(0);
    let again = if near.tests.iter().any(Test::is_near_alone) { 0 } else { count as u64 };
    let found = match near.few(tx)? {
        Some(rows) => {
            let total = Total::exact(rows.len() as u64);
            Found { rows: way.newest().page(rows, &place, near.wanted), total }
        }
        None => near.many(tx, &place)?,
    };
    let others = found.rows.into_iter().filter(|row| !known.contains(&row.num));
    let others = others.map(|row| in_tier('5', row));
    if !way.backward {
        rows.extend(others);
    } else if bounds.place.is_none() || place.place.is_some() {
        // Back from the end, what is near comes first.
        rows = others.chain(rows).collect();
    }
    rows.truncate(usize::try_from(search.wanted).unwrap_or(usize::MAX));
    let total = Total { count: found.total.count + count as u64 - again.min(found.total.count), ..found.total };
    Ok(Found { rows, total })
}

/// A page of many matches: tier after tier, each by a walk of its own.
fn many(tx: &mut ReadTx<'_>, search: &Search, way: Way, bounds: &Bounds, wanted: &Wanted) -> Result<Found> {
    let total = search.total(tx)?;
    let mut rows: Vec<Row> = Vec::new();
    let place = bounds.place.as_ref();
    let mut tiers = ['1', '2', '3', '4'];
    if way.backward {
        tiers.reverse();
    }
    let tier = place.and_then(|place| match &place.key {
        CursorKey::Text(key) => key.chars().next(),
        CursorKey::Number(_) => None,
    });
    // What is near is shown where matches are few; a place there is behind all tiers.
    let behind = if way.backward { 0 } else { tiers.len() };
    let first = tier.map_or(0, |tier| tiers.iter().position(|at| *at == tier).unwrap_or(behind));
    for at in tiers.into_iter().skip(first) {
        let open = search.wanted - i64::try_from(rows.len()).unwrap_or(0);
        if open <= 0 {
            break;
        }
        let from = place.filter(|_| Some(at) == tier);
        // Those asked of the index come first, as many as there are answers to whether they are.
        let tests: Vec<Test> = search.tests.iter().cloned().chain(not_before(at, wanted)).collect();
        let found = match at {
            '1' => sql::identified(tx, search.realm_num, search.order, (&wanted.text, wanted.username), &tests)?,
            '2' => beginning(tx, search, &tests, wanted, way.by(UserSort::Name), from, open)?,
            '3' => beginning(tx, search, &tests, wanted, way.by(UserSort::Email), from, open)?,
            _ => rest(tx, search, &tests, way.newest(), from, open)?,
        };
        let found = found.into_iter().map(|row| in_tier(at, row)).collect();
        let bounds = Bounds { place: from.cloned(), ..Bounds::default() };
        rows.extend(way.by(UserSort::BestMatch).page(found, &bounds, open));
    }
    Ok(Found { rows, total })
}

/// That a user is of no earlier tier than the one of this number.
fn not_before(tier: char, wanted: &Wanted) -> Vec<Test> {
    let text = || wanted.text.clone();
    let mut tests = Vec::new();
    if tier > '1' {
        tests.extend(["email_key", "phone_key", "reference_key"].map(|column| Test::IsNot { column, text: text() }));
        tests.extend(wanted.username.map(Test::NotUser));
    }
    if tier > '2' {
        tests.push(Test::NotBeginning { column: "name_key", text: text() });
    }
    if tier > '3' {
        tests.push(Test::NotBeginning { column: "email_key", text: text() });
    }
    tests
}

/// Whoever's name or address begins with what was typed, by that.
fn beginning(
    tx: &mut ReadTx<'_>,
    search: &Search,
    tests: &[Test],
    wanted: &Wanted,
    order: Order,
    from: Option<&Row>,
    limit: i64,
) -> Result<Vec<Row>> {
    let place = from.map(|row| match &row.key {
        CursorKey::Text(key) => Row { num: row.num, key: CursorKey::Text(key.get(1..).unwrap_or("").to_owned()) },
        CursorKey::Number(_) => row.clone(),
    });
    let bounds = Bounds { place, prefix: Some(wanted.text.clone()), cut: None };
    let part = Part { realm_num: search.realm_num, order, bounds: &bounds, tests, wanted: limit };
    sql::walk(tx, part, &Walk { rows: i64::MAX, among: None })
}

/// All others, the newest first; or the oldest, from the other end.
fn rest(
    tx: &mut ReadTx<'_>,
    search: &Search,
    tests: &[Test],
    order: Order,
    from: Option<&Row>,
    limit: i64,
) -> Result<Vec<Row>> {
    let place = from.map(|row| match &row.key {
        CursorKey::Text(key) => newest_row(key),
        CursorKey::Number(_) => row.clone(),
    });
    let bounds = Bounds { place, ..Bounds::default() };
    let part = Part { realm_num: search.realm_num, order, bounds: &bounds, tests, wanted: limit };
    for walk in search.walks(tx.engine()) {
        let found = sql::walk(tx, part, &walk)?;
        let enough = i64::try_from(found.len()).unwrap_or(i64::MAX) >= limit;
        if enough || walk.ends(tx, part)? {
            return Ok(found);
        }
    }
    let asking = search.asking_to_sort(tx.engine(), search.left());
    sql::sorted(tx, part, &asking)
}

/// That a user has each of the words, or what is near to it; or only the latter.
pub(super) fn near_tests(tx: &mut ReadTx<'_>, terms: &[String], alone: bool) -> Result<Vec<Test>> {
    let mut tests = Vec::new();
    for term in terms {
        let begins = if term.chars().count() < 3 { word_beginning(term) } else { format!(" {term}") };
        let mut near = vec![begins];
        near.extend(index::meant(tx, term)?.into_iter().map(|word| format!(" {word} ")));
        tests.push(Test::Near { text: (!alone).then(|| Test::needle(term)), near });
    }
    Ok(tests)
}

/// The newest first in a tier, as a text.
fn newest(tier: char, created_at: i64, num: i64) -> String {
    format!("{tier}{:020}{:020}", i64::MAX - created_at, i64::MAX - num)
}

/// The place that such a text names, of the last tier.
fn newest_place(row: &Row) -> Option<Row> {
    match &row.key {
        CursorKey::Text(key) if key.starts_with('5') => Some(newest_row(key)),
        _ => None,
    }
}

fn newest_row(key: &str) -> Row {
    let part = |range: std::ops::Range<usize>| key.get(range).and_then(|part| part.parse::<i64>().ok()).unwrap_or(0);
    Row { num: i64::MAX - part(21..41), key: CursorKey::Number(i64::MAX - part(1..21)) }
}
