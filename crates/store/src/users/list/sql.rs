//! The statements of lists of users. Their texts are put together from constant fragments; whatever a person typed
//! stands in parameters only.

mod found;
mod sample;
mod walk;

use denizen_model::{
    pages::{CursorKey, Direction},
    users::{Facet, UserSort},
};

pub(super) use self::{
    found::{Ranked, count, found, identified, ranked, sorted},
    sample::{Sampled, sample},
    walk::{Walk, walk},
};
use super::{
    order::{Bounds, Order, Row, index_of},
    test::{Test, parts},
};
use crate::{
    conn::Engine,
    error::Result,
    sql::like_containing,
    value::{self, Value},
};

/// What SQLite's index of keys has.
const KEYS: [&str; 6] = ["num", "created_at", "last_sign_in_at", "admin_rank", "name_key", "email_key"];

struct Statement<'q> {
    engine: Engine,
    text: String,
    values: Vec<Value<'q>>,
}

impl<'q> Statement<'q> {
    fn new(engine: Engine) -> Self {
        Self { engine, text: String::new(), values: Vec::new() }
    }

    fn value(&mut self, value: impl Into<Value<'q>>) -> String {
        self.values.push(value.into());
        // PostgreSQL is to plan with the values in view, and must be told what they are.
        match (self.engine, self.values.last()) {
            (Engine::Postgres, Some(Value::I64(_))) => format!("CAST(?{} AS BIGINT)", self.values.len()),
            (Engine::Postgres, Some(_)) => format!("CAST(?{} AS TEXT)", self.values.len()),
            _ => format!("?{}", self.values.len()),
        }
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// That a column holds a text, as a test of a row: no index is asked.
    fn holds(&mut self, column: &str, text: &'q str) -> String {
        let value = self.value(text);
        match self.engine {
            Engine::Sqlite => format!("instr({column}, {value}) > 0"),
            Engine::Postgres => format!("strpos({column}, {value}) > 0"),
        }
    }

    /// A test of a row: no index is asked.
    fn row_test(&mut self, of: &str, test: &'q Test) -> String {
        match test {
            Test::Contains(text) => self.holds(&format!("{of}.search_text"), text),
            Test::Near { text, near } => {
                let mut any = Vec::new();
                any.extend(text.iter().map(|text| self.holds(&format!("{of}.search_text"), text)));
                any.extend(near.iter().map(|near| self.holds(&format!("{of}.near_text"), near)));
                format!("({})", any.join(" OR "))
            }
            Test::Facet { mark, present: true } => self.holds(&format!("{of}.facets"), mark),
            Test::Facet { mark, present: false } => format!("NOT ({})", self.holds(&format!("{of}.facets"), mark)),
            Test::Within { column, from, until } => {
                let (from, until) = (self.value(*from), self.value(*until));
                format!("(({of}.{column} + 0) >= {from} AND ({of}.{column} + 0) < {until})")
            }
            Test::Reference(text) => format!("({of}.reference_key || '') = {}", self.value(text)),
            Test::NotBeginning { column, text } => {
                let from = self.value(text);
                let until = self.value(beyond(text));
                format!("NOT ({of}.{column} >= {from} AND {of}.{column} < {until})")
            }
            Test::IsNot { column, text } => format!("{of}.{column} <> {}", self.value(text)),
            Test::NotUser(num) => format!("{of}.num <> {}", self.value(*num)),
        }
    }

    /// That all parts of what an index of trigrams would be asked for are there, as a test of a row.
    fn parts_test(&mut self, of: &str, test: &'q Test, most: usize) -> String {
        let mut held = |column: &str, text: &'q str| {
            let column = format!("{of}.{column}");
            let parts: Vec<String> = parts(text, most).into_iter().map(|part| self.holds(&column, part)).collect();
            format!("({})", parts.join(" AND "))
        };
        match test {
            Test::Contains(text) => held("search_text", text),
            Test::Near { text, near } => {
                let mut any: Vec<String> = text.iter().map(|text| held("search_text", text)).collect();
                any.extend(near.iter().map(|near| held("near_text", near)));
                format!("({})", any.join(" OR "))
            }
            _ => "1 = 1".to_owned(),
        }
    }

    /// A test of an entry of an index. In PostgreSQL's that have texts, the row is read where one was too long for it.
    fn entry_test(&mut self, of: &str, test: &'q Test) -> String {
        if self.engine == Engine::Sqlite {
            return self.row_test(of, test);
        }
        let mut text = match test.hints() {
            None => self.row_test(of, test),
            Some(hints) => {
                let column = format!("{of}.search_text");
                let any: Vec<String> = hints.into_iter().map(|hint| self.holds(&column, hint)).collect();
                format!("({})", any.join(" OR "))
            }
        };
        for column in ["facets", "search_text"] {
            let entry = format!(
                "COALESCE({of}.{}, (SELECT f.{column} FROM user_index f WHERE f.num = {of}.num))",
                in_index_as(column)
            );
            text = text.replace(&format!("{of}.{column}"), &entry);
        }
        text
    }

    fn push_where(&mut self, conditions: &[String]) {
        if !conditions.is_empty() {
            self.push(&format!(" WHERE {}", conditions.join(" AND ")));
        }
    }

    /// A condition that PostgreSQL's planner, or SQLite's where full text has no part in it, finds an index for.
    fn index_test(&mut self, test: &'q Test) -> String {
        match (self.engine, test) {
            (Engine::Postgres, Test::Contains(text)) => {
                format!("i.search_text LIKE {} ESCAPE '!'", self.value(like_containing(text)))
            }
            (Engine::Postgres, Test::Near { text, near }) => {
                let mut any = Vec::new();
                if let Some(text) = text {
                    any.push(format!("i.search_text LIKE {} ESCAPE '!'", self.value(like_containing(text))));
                }
                for near in near {
                    any.push(format!("i.near_text LIKE {} ESCAPE '!'", self.value(like_containing(near))));
                }
                format!("({})", any.join(" OR "))
            }
            (Engine::Postgres, Test::Facet { mark, present: true }) => {
                format!("string_to_array(i.facets, ' ') @> ARRAY[{}]", self.value(mark))
            }
            (_, Test::Within { column, from, until }) => {
                let (from, until) = (self.value(*from), self.value(*until));
                format!("i.{column} >= {from} AND i.{column} < {until}")
            }
            (_, Test::Reference(text)) => format!("i.reference_key = {}", self.value(text)),
            (_, test) => self.row_test("i", test),
        }
    }

    /// The tables and conditions by which the index finds those who pass all tests; of whom these columns are read.
    fn push_index(&mut self, realm_num: i64, tests: &'q [Test], asking: &Asking, read: &[&str]) {
        let matched = asking.matched(self.engine, realm_num, tests);
        let by_text = matched.is_some();
        let parts_of =
            |at: usize, test: &Test| asking.parts_of(at).filter(|_| asking.is_asked(at) && test.has_parts(self.engine));
        let is_matched = |at: usize, test: &Test| by_text && asking.is_asked(at) && test.is_text();
        // What was asked for in parts is tested once more.
        let conditions: Vec<(usize, &'q Test, Option<usize>)> = (tests.iter().enumerate())
            .map(|(at, test)| (at, test, parts_of(at, test)))
            .filter(|(at, test, parts)| !is_matched(*at, test) || parts.is_some())
            .collect();
        if let Some(matched) = matched {
            // A cross join is SQLite's way to say which comes first; it would test a million rows against what the
            // index found.
            let found = self.value(matched);
            // Where keys are enough, they are read from an index of nothing else.
            let keys = read.iter().all(|column| KEYS.contains(column))
                && conditions.iter().all(|(_, test, _)| test.is_about_keys());
            let keys = if keys { "INDEXED BY user_index_keys" } else { "" };
            self.push(&format!(
                " FROM user_search CROSS JOIN user_index i {keys} ON i.num = user_search.rowid WHERE user_search MATCH {found} AND "
            ));
        } else {
            let along = asking.along.map_or("", |sort| index_of(self.engine, sort));
            self.push(&format!(" FROM user_index i {along} WHERE "));
        }
        let realm = self.value(realm_num);
        self.push(&format!("i.realm_num = {realm}"));
        for (at, test, in_parts) in conditions {
            if let (Engine::Postgres, Some(most), Test::Contains(text)) = (self.engine, in_parts, test) {
                for part in parts(text, most) {
                    let part = self.value(like_containing(part));
                    self.push(&format!(" AND i.search_text LIKE {part} ESCAPE '!'"));
                }
            }
            let condition = match (asking.is_asked(at), by_text, test) {
                (true, true, Test::Within { column, from, until }) => {
                    let (from, until) = (self.value(*from), self.value(*until));
                    format!(
                        "(user_search.rowid + 0) IN (SELECT r.num FROM user_index r WHERE r.realm_num = {realm} \
                         AND r.{column} >= {from} AND r.{column} < {until})"
                    )
                }
                (true, false, test) if in_parts.is_none() => self.index_test(test),
                (_, _, test) => self.row_test("i", test),
            };
            self.push(&format!(" AND {condition}"));
        }
    }

    /// What bounds a part of a list of this key: a column, or what no index is found for.
    fn bounds(&mut self, of: &str, key: &str, part: Part<'q>) {
        let Part { order, bounds, .. } = part;
        if let Some(place) = bounds.place.as_ref().filter(|place| !part.is_beyond(place)) {
            let (_, beyond) = order.words();
            let value = self.key(&place.key);
            let num = self.value(place.num);
            self.push(&format!(" AND ({key}, {of}.num) {beyond} ({value}, {num})"));
            if self.engine == Engine::Postgres {
                // Of how many rows are beyond a pair its planner has no idea.
                self.push(&format!(" AND {key} {beyond}= {value}"));
            }
        }
        self.other_bounds(key, part);
    }

    /// What bounds a part but for the place that it begins behind.
    fn other_bounds(&mut self, key: &str, part: Part<'q>) {
        let Part { order, bounds, .. } = part;
        if let Some(cut) = &bounds.cut {
            let until = match order.direction {
                Direction::Ascending => "<=",
                Direction::Descending => ">=",
            };
            let value = self.key(cut);
            self.push(&format!(" AND {key} {until} {value}"));
        }
        if let Some(prefix) = &bounds.prefix {
            let from = self.value(prefix.as_str());
            let until = self.value(beyond(prefix));
            self.push(&format!(" AND {key} >= {from} AND {key} < {until}"));
        }
    }

    /// What bounds that which the list is ordered by: where a walk begins or ends.
    fn bound_tests(&mut self, part: Part<'q>) {
        for test in part.tests.iter().filter(|test| part.order.is_bound(test)) {
            let condition = self.index_test(test);
            self.push(&format!(" AND {condition}"));
        }
    }

    fn key(&mut self, key: &'q CursorKey) -> String {
        match key {
            CursorKey::Number(number) => self.value(*number),
            CursorKey::Text(text) => self.value(text.as_str()),
        }
    }
}

/// A text behind all those that begin with another.
fn beyond(prefix: &str) -> String {
    format!("{prefix}\u{10ffff}")
}

/// How an index is asked.
#[derive(Debug, Clone)]
pub(super) struct Asking {
    /// Of each test, whether the index is asked; rows are tested for the others.
    pub(super) tests: Vec<bool>,
    /// Of each test, for how many parts of its word the index of trigrams is asked, rows being tested for the whole;
    /// `None`: it is asked for the whole.
    pub(super) parts: Vec<Option<usize>>,
    /// The realm is small beside the others that SQLite's full text knows.
    pub(super) realm: bool,
    /// SQLite goes through a range of the index of this order, which tells all tests.
    pub(super) along: Option<UserSort>,
    /// Whether PostgreSQL may look for what is within bounds in the index of the order, too, where it sorts.
    pub(super) bounded: bool,
}

impl Asking {
    pub(super) fn is_asked(&self, at: usize) -> bool {
        self.tests.get(at).copied().unwrap_or(true)
    }

    pub(super) fn parts_of(&self, at: usize) -> Option<usize> {
        self.parts.get(at).copied().flatten()
    }

    /// What SQLite's full text is asked for, in the words of FTS5's queries; `None` when none of the tests is about
    /// that, and on another engine.
    fn matched(&self, engine: Engine, realm_num: i64, tests: &[Test]) -> Option<String> {
        let asked = tests.iter().enumerate().filter(|(at, _)| self.is_asked(*at));
        let mut all: Vec<String> = asked.filter_map(|(at, test)| words(test, self.parts_of(at))).collect();
        if engine != Engine::Sqlite || all.is_empty() {
            return None;
        }
        if self.realm {
            all.push(phrase("facets", &Facet::Realm(realm_num).mark()));
        }
        Some(all.join(" AND "))
    }
}

/// What full text is asked for by a test, in so many parts of each text or whole.
fn words(test: &Test, most: Option<usize>) -> Option<String> {
    let held = |column: &str, text: &str| match most {
        Some(most) => {
            let parts: Vec<String> = parts(text, most).into_iter().map(|part| phrase(column, part)).collect();
            format!("({})", parts.join(" AND "))
        }
        None => phrase(column, text),
    };
    match test {
        Test::Contains(text) => Some(held("search_text", text)),
        Test::Near { text, near } => {
            let text = text.iter().map(|text| held("search_text", text));
            let near = near.iter().map(|near| held("near_text", near));
            Some(format!("({})", text.chain(near).collect::<Vec<_>>().join(" OR ")))
        }
        Test::Facet { mark, present: true } => Some(phrase("facets", mark)),
        _ => None,
    }
}

fn phrase(column: &str, text: &str) -> String {
    format!("{column} : \"{}\"", text.replace('"', "\"\""))
}

/// A part of a list: up to so many of a realm's users who pass the tests, in an order, within bounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'q> {
    pub(super) realm_num: i64,
    pub(super) order: Order,
    pub(super) bounds: &'q Bounds,
    pub(super) tests: &'q [Test],
    pub(super) wanted: i64,
}

impl Part<'_> {
    /// Whether a test leaves only what is beyond this place: saying both, a database would begin at the place.
    fn is_beyond(&self, place: &Row) -> bool {
        let CursorKey::Number(key) = place.key else { return false };
        self.tests.iter().filter(|test| self.order.is_bound(test)).any(|test| match (test, self.order.direction) {
            (Test::Within { from, .. }, Direction::Ascending) => *from > key,
            (Test::Within { until, .. }, Direction::Descending) => *until <= key,
            _ => false,
        })
    }
}

/// What is read of each user that a statement of a list in this order comes upon.
fn read_columns(order: Order) -> [&'static str; 2] {
    ["num", order.column()]
}

impl Row {
    fn read(order: Order, row: &value::Row<'_>) -> Result<Self> {
        let key = match order.is_textual() {
            true => CursorKey::Text(row.text(order.column())?),
            false => CursorKey::Number(row.i64(order.column())?),
        };
        Ok(Self { num: row.i64("num")?, key })
    }
}

/// These columns of a table.
fn selected(of: &str, order: Order) -> String {
    read_columns(order).map(|column| format!("{of}.{column}")).join(", ")
}

/// What a column is called in those of PostgreSQL's indexes that have texts, where long ones are left out.
fn in_index_as(column: &'static str) -> &'static str {
    match column {
        "facets" => "walked_facets",
        "search_text" => "walked_text",
        other => other,
    }
}

/// Every text these builders can make, near enough, for the test that prepares them all.
#[cfg(test)]
pub(crate) fn all_texts(engine: Engine) -> Vec<String> {
    let tests = [
        Test::contains("abc"),
        Test::Near { text: Some("abc".into()), near: vec![" abc".into(), " abd ".into()] },
        Test::Near { text: None, near: vec![" abcdef".into(), " abcdeg ".into()] },
        Test::Facet { mark: "xyz".into(), present: true },
        Test::Facet { mark: "xyz".into(), present: false },
        Test::Within { column: "created_at", from: 1, until: 2 },
        Test::Within { column: "last_sign_in_at", from: 1, until: 2 },
        Test::Reference("r".into()),
        Test::NotBeginning { column: "name_key", text: "a".into() },
        Test::IsNot { column: "phone_key", text: "a".into() },
        Test::NotUser(1),
    ];
    let asking = |asked| Asking {
        tests: vec![asked; tests.len()],
        parts: vec![asked.then_some(2); tests.len()],
        realm: asked,
        along: None,
        bounded: asked,
    };
    let mut texts = Vec::new();
    for sort in UserSort::ALL.iter().copied().filter(|sort| *sort != UserSort::BestMatch) {
        for direction in [Direction::Ascending, Direction::Descending] {
            let order = Order { sort, direction };
            let key = if sort.is_textual() { CursorKey::Text("a".into()) } else { CursorKey::Number(1) };
            let place = Some(Row { num: 1, key });
            let prefix = sort.is_textual().then(|| "a".to_owned());
            let cut = place.as_ref().map(|place: &Row| place.key.clone());
            for bounds in [Bounds::default(), Bounds { place, prefix, cut }] {
                for among in [None, Some(asking(true)), Some(asking(false))] {
                    let walk = Walk { rows: 9, among };
                    for tests in [tests.as_slice(), &[]] {
                        let part = Part { realm_num: 1, order, bounds: &bounds, tests, wanted: 9 };
                        texts.push(walk::walk_statement(engine, part, &walk).text);
                    }
                }
                let part = Part { realm_num: 1, order, bounds: &bounds, tests: &tests, wanted: 9 };
                texts.push(walk::beyond_statement(engine, part, 9).text);
                for asking in [asking(true), asking(false)] {
                    texts.push(found::sorted_statement(engine, part, &asking).text);
                }
            }
        }
    }
    let newest = Order { sort: UserSort::CreatedAt, direction: Direction::Descending };
    texts.push(sample::sample_statement(engine, 1, newest, &tests, 2).text);
    texts.push(found::count_statement(engine, 1, &tests[5], 9).text);
    for (range, along) in [(5, UserSort::CreatedAt), (6, UserSort::LastSignInAt)] {
        let tests = [tests[range].clone(), tests[3].clone(), tests[4].clone()];
        let asking = Asking {
            tests: vec![true, false, false],
            parts: vec![None; 3],
            realm: false,
            along: Some(along),
            bounded: true,
        };
        texts.push(found::found_statement(engine, 1, newest, &tests, &asking, 9).text);
    }
    texts.push(found::identified_statement(engine, 1, newest, ("a", Some(1)), &tests).text);
    for test in tests.iter().map(std::slice::from_ref) {
        for asking in [asking(true), asking(false)] {
            texts.push(found::found_statement(engine, 1, newest, test, &asking, 9).text);
            texts.push(found::ranked_statement(engine, 1, "a", test, &asking, 9).text);
        }
    }
    texts
}
