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
    pages::{CursorKey, Direction},
    text::fold,
    users::{UserQuery, UserSort, word_beginning},
};

use super::{
    Found, Search,
    sql::{self, Bounds, Keys, Order, Row, Test},
};
use crate::{error::Result, sql::statements, tx::ReadTx, users::index, value::params};

statements! {
    BY_USERNAME = "SELECT num FROM users WHERE realm_id = (SELECT id FROM realms WHERE num = ?1) AND username_key = ?2";
}

/// With fewer matches than this, what is near is shown too.
const SCARCE: usize = 50;
/// So many of what is near are looked at.
const NEAR_AT_MOST: i64 = 500;

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
    /// The place of a user in the order; `near` for those found only by what is near.
    fn key(&self, keys: &Keys, near: bool) -> CursorKey {
        let newest = format!("{:020}{:020}", i64::MAX - keys.created_at, i64::MAX - keys.num);
        let exact = self.username == Some(keys.num)
            || [&keys.email_key, &keys.phone_key, &keys.reference_key].into_iter().any(|key| *key == self.text);
        CursorKey::Text(if near {
            format!("5{newest}")
        } else if exact {
            format!("1{newest}")
        } else if keys.name_key.starts_with(&self.text) {
            format!("2{}", keys.name_key)
        } else if keys.email_key.starts_with(&self.text) {
            format!("3{}", keys.email_key)
        } else {
            format!("4{newest}")
        })
    }

    fn row(&self, keys: &Keys, near: bool) -> Row {
        Row { num: keys.num, key: self.key(keys, near) }
    }
}

/// A page of a search by best match.
pub(super) fn find(tx: &mut ReadTx<'_>, search: &mut Search, query: &UserQuery, terms: &[String]) -> Result<Found> {
    let text = fold(query.search.as_deref().unwrap_or(""));
    let username = tx.find(&BY_USERNAME, params![search.realm_num, &text], |row| row.i64("num"))?;
    let wanted = Wanted { text, username };
    let bounds = Bounds::after(query);
    // The best come first; backward, the walk is from the other end.
    let order = Order {
        sort: UserSort::BestMatch,
        direction: if query.backward { Direction::Descending } else { Direction::Ascending },
    };
    if search.sample.matches <= search.limits.few_best {
        let at_most = search.limits.few_at_most;
        let found = sql::found_keys(tx, search.realm_num, &search.tests, &search.asked(), at_most + 1)?;
        if i64::try_from(found.len()).unwrap_or(i64::MAX) <= at_most {
            let mut rows: Vec<Row> = found.iter().map(|keys| wanted.row(keys, false)).collect();
            if is_scarce(rows.len()) {
                let near = near_keys(tx, search, terms, &rows)?;
                rows.extend(near.iter().map(|keys| wanted.row(keys, true)));
            }
            let total = denizen_model::pages::Total::exact(rows.len() as u64);
            return Ok(Found { rows: order.page(rows, &bounds, search.wanted), total });
        }
        search.sample.matches = search.sample.matches.max(at_most.unsigned_abs());
    }
    let total = search.sample.estimate();
    let by = |sort| Order { sort, direction: order.direction };
    let newest = Order {
        sort: UserSort::CreatedAt,
        direction: if query.backward { Direction::Ascending } else { Direction::Descending },
    };
    let mut rows: Vec<Row> = Vec::new();
    let place = bounds.place.as_ref();
    let mut tiers = ['1', '2', '3', '4'];
    if query.backward {
        tiers.reverse();
    }
    let tier = place.and_then(|place| match &place.key {
        CursorKey::Text(key) => key.chars().next(),
        CursorKey::Number(_) => None,
    });
    // What is near is shown where matches are few; a place there is behind all tiers.
    let behind = if query.backward { 0 } else { tiers.len() };
    let first = tier.map_or(0, |tier| tiers.iter().position(|at| *at == tier).unwrap_or(behind));
    for at in tiers.into_iter().skip(first) {
        let open = search.wanted - i64::try_from(rows.len()).unwrap_or(0);
        if open <= 0 {
            break;
        }
        let from = place.filter(|_| Some(at) == tier);
        // Those asked of the index come first, as many as there are answers to whether they are.
        let tests: Vec<Test> = search.tests.iter().cloned().chain(not_before(at, &wanted)).collect();
        let keys = match at {
            '1' => sql::identified(tx, search.realm_num, &wanted.text, wanted.username, &tests)?,
            '2' => beginning(tx, search, &tests, &wanted, by(UserSort::Name), from, open)?,
            '3' => beginning(tx, search, &tests, &wanted, by(UserSort::Email), from, open)?,
            _ => rest(tx, search, &tests, newest, from, open)?,
        };
        let found = keys.iter().map(|keys| wanted.row(keys, false)).collect();
        let bounds = Bounds { place: from.cloned(), prefix: None };
        rows.extend(order.page(found, &bounds, open));
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
) -> Result<Vec<Keys>> {
    let place = from.map(|row| match &row.key {
        CursorKey::Text(key) => Row { num: row.num, key: CursorKey::Text(key.get(1..).unwrap_or("").to_owned()) },
        CursorKey::Number(_) => row.clone(),
    });
    let bounds = Bounds { place, prefix: Some(wanted.text.clone()) };
    sql::walk_keys(tx, search.realm_num, &order, &bounds, i64::MAX, tests, limit)
}

/// All others, the newest first; or the oldest, from the other end.
fn rest(
    tx: &mut ReadTx<'_>,
    search: &Search,
    tests: &[Test],
    order: Order,
    from: Option<&Row>,
    limit: i64,
) -> Result<Vec<Keys>> {
    let place = from.map(|row| {
        let part = |range: std::ops::Range<usize>| match &row.key {
            CursorKey::Text(key) => key.get(range).and_then(|part| part.parse::<i64>().ok()).unwrap_or(0),
            CursorKey::Number(_) => 0,
        };
        Row { num: i64::MAX - part(21..41), key: CursorKey::Number(i64::MAX - part(1..21)) }
    });
    let bounds = Bounds { place, prefix: None };
    let stretch = search.stretch();
    let found = sql::walk_keys(tx, search.realm_num, &order, &bounds, stretch, tests, limit)?;
    if i64::try_from(found.len()).unwrap_or(i64::MAX) >= limit {
        return Ok(found);
    }
    sql::sorted_keys(tx, search.realm_num, &order, &bounds, tests, &search.asked(), limit)
}

/// Users who have what is near to each of the words, and pass the filters, but for those found already.
fn near_keys(tx: &mut ReadTx<'_>, search: &Search, terms: &[String], found: &[Row]) -> Result<Vec<Keys>> {
    if terms.is_empty() {
        return Ok(Vec::new());
    }
    let mut tests = Vec::new();
    for term in terms {
        let begins = if term.chars().count() < 3 { word_beginning(term) } else { format!(" {term}") };
        let mut near = vec![begins];
        near.extend(index::meant(tx, term)?.into_iter().map(|word| format!(" {word} ")));
        tests.push(Test::Near { text: Test::needle(term), near });
    }
    let mut asked = vec![true; tests.len()];
    asked.extend(search.asked().into_iter().skip(terms.len()));
    tests.extend(search.tests.iter().skip(terms.len()).cloned());
    let known: BTreeSet<i64> = found.iter().map(|row| row.num).collect();
    let mut keys = sql::found_keys(tx, search.realm_num, &tests, &asked, NEAR_AT_MOST)?;
    keys.retain(|keys| !known.contains(&keys.num));
    Ok(keys)
}

/// As [`near_keys`], as rows of another order.
pub(super) fn near(tx: &mut ReadTx<'_>, search: &Search, terms: &[String], found: &[Row]) -> Result<Vec<Row>> {
    let keys = near_keys(tx, search, terms, found)?;
    Ok(keys.into_iter().map(|keys| keys.row(search.order.sort)).collect())
}
