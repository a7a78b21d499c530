//! The statements of lists of users. Their texts are put together from constant fragments; whatever a person typed
//! stands in parameters only.

mod found;
mod sample;
mod walk;

use denizen_model::{
    pages::{CursorKey, Direction},
    users::UserSort,
};

pub(super) use self::{
    found::{count, found, found_keys, identified, sorted, sorted_keys},
    sample::sample,
    walk::{ends_within, walk, walk_keys},
};
use super::{
    order::{Bounds, Keys, Order, Row},
    test::Test,
};
use crate::{
    conn::Engine,
    error::Result,
    sql::like_containing,
    value::{self, Value},
};

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

    /// A test of an entry of PostgreSQL's index by creation; the row is read where a text was too long for it.
    fn entry_test(&mut self, of: &str, test: &'q Test) -> String {
        let mut text = self.row_test(of, test);
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

    /// The tables and conditions by which the index finds those who pass all tests. `asked` says of each test
    /// whether the index is asked; a row is tested for the others.
    fn push_index(&mut self, realm_num: i64, tests: &'q [Test], asked: &[bool]) {
        let is_asked = |at: usize| asked.get(at).copied().unwrap_or(true);
        let mut phrases = Vec::new();
        let mut conditions = Vec::new();
        for (at, test) in tests.iter().enumerate() {
            if self.engine == Engine::Sqlite
                && is_asked(at)
                && let Some(part) = match_part(test)
            {
                phrases.push(part);
                continue;
            }
            conditions.push(test);
        }
        let by_text = !phrases.is_empty();
        if by_text {
            // A cross join is SQLite's way to say which comes first; it would test a million rows against what the
            // index found.
            let found = self.value(phrases.join(" AND "));
            // Where keys are enough, they are read from an index of nothing else.
            let keys =
                if conditions.iter().all(|test| test.is_about_keys()) { "INDEXED BY user_index_keys" } else { "" };
            self.push(&format!(
                " FROM user_search CROSS JOIN user_index i {keys} ON i.num = user_search.rowid WHERE user_search MATCH {found} AND "
            ));
        } else {
            self.push(" FROM user_index i WHERE ");
        }
        let realm = self.value(realm_num);
        self.push(&format!("i.realm_num = {realm}"));
        for test in conditions {
            let at = tests.iter().position(|other| std::ptr::eq(other, test)).unwrap_or(0);
            let condition = match (is_asked(at), by_text, test) {
                (true, true, Test::Within { column, from, until }) => {
                    let (from, until) = (self.value(*from), self.value(*until));
                    format!(
                        "(user_search.rowid + 0) IN (SELECT r.num FROM user_index r WHERE r.realm_num = {realm} \
                         AND r.{column} >= {from} AND r.{column} < {until})"
                    )
                }
                (true, false, test) => self.index_test(test),
                (_, _, test) => self.row_test("i", test),
            };
            self.push(&format!(" AND {condition}"));
        }
    }

    fn bounds(&mut self, of: &str, order: &Order, bounds: &'q Bounds) {
        let column = order.column();
        if let Some(place) = &bounds.place {
            let (_, beyond) = order.words();
            let key = match &place.key {
                CursorKey::Number(number) => self.value(*number),
                CursorKey::Text(text) => self.value(text.as_str()),
            };
            let num = self.value(place.num);
            self.push(&format!(" AND ({of}.{column}, {of}.num) {beyond} ({key}, {num})"));
        }
        if let Some(cut) = &bounds.cut {
            let until = match order.direction {
                Direction::Ascending => "<=",
                Direction::Descending => ">=",
            };
            let key = match cut {
                CursorKey::Number(number) => self.value(*number),
                CursorKey::Text(text) => self.value(text.as_str()),
            };
            self.push(&format!(" AND {of}.{column} {until} {key}"));
        }
        if let Some(prefix) = &bounds.prefix {
            let from = self.value(prefix.as_str());
            let until = self.value(beyond(prefix));
            self.push(&format!(" AND {of}.{column} >= {from} AND {of}.{column} < {until}"));
        }
    }
}

/// A text behind all those that begin with another.
fn beyond(prefix: &str) -> String {
    format!("{prefix}\u{10ffff}")
}

/// A test in the words of FTS5's queries, if it has any.
fn match_part(test: &Test) -> Option<String> {
    let phrase = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    match test {
        Test::Contains(text) => Some(format!("search_text : {}", phrase(text))),
        Test::Near { text, near } => {
            let mut any = Vec::new();
            any.extend(text.iter().map(|text| format!("search_text : {}", phrase(text))));
            any.extend(near.iter().map(|near| format!("near_text : {}", phrase(near))));
            Some(format!("({})", any.join(" OR ")))
        }
        Test::Facet { mark, present: true } => Some(format!("facets : {}", phrase(mark))),
        _ => None,
    }
}

const KEYS: [&str; 8] =
    ["num", "created_at", "last_sign_in_at", "admin_rank", "name_key", "email_key", "phone_key", "reference_key"];
const I_KEYS: &str =
    "i.num, i.created_at, i.last_sign_in_at, i.admin_rank, i.name_key, i.email_key, i.phone_key, i.reference_key";

fn read_keys(row: &value::Row<'_>) -> Result<Keys> {
    Ok(Keys {
        num: row.i64("num")?,
        created_at: row.i64("created_at")?,
        last_sign_in_at: row.i64("last_sign_in_at")?,
        admin_rank: row.i64("admin_rank")?,
        name_key: row.text("name_key")?,
        email_key: row.text("email_key")?,
        phone_key: row.text("phone_key")?,
        reference_key: row.text("reference_key")?,
    })
}

fn read_row(sort: UserSort, row: &value::Row<'_>) -> Result<Row> {
    let num = row.i64("num")?;
    let key = match sort.is_textual() && sort != UserSort::BestMatch {
        true => CursorKey::Text(row.text("sort_key")?),
        false => CursorKey::Number(row.i64("sort_key")?),
    };
    Ok(Row { num, key })
}
/// What a column is called in PostgreSQL's index by creation, where long texts are left out.
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
        Test::Facet { mark: "xyz".into(), present: true },
        Test::Facet { mark: "xyz".into(), present: false },
        Test::Within { column: "created_at", from: 1, until: 2 },
        Test::Within { column: "last_sign_in_at", from: 1, until: 2 },
        Test::Reference("r".into()),
        Test::NotBeginning { column: "name_key", text: "a".into() },
        Test::IsNot { column: "phone_key", text: "a".into() },
        Test::NotUser(1),
    ];
    let mut texts = Vec::new();
    for sort in UserSort::ALL.iter().copied().filter(|sort| *sort != UserSort::BestMatch) {
        for direction in [Direction::Ascending, Direction::Descending] {
            let order = Order { sort, direction };
            let key = if sort.is_textual() { CursorKey::Text("a".into()) } else { CursorKey::Number(1) };
            let place = Some(Row { num: 1, key });
            let prefix = sort.is_textual().then(|| "a".to_owned());
            let cut = place.as_ref().map(|place: &Row| place.key.clone());
            for bounds in [Bounds::default(), Bounds { place, prefix, cut }] {
                texts.push(
                    walk::walk_statement(
                        engine,
                        (I_KEYS.replace("i.", "s.").as_str(), &KEYS),
                        1,
                        &order,
                        &bounds,
                        9,
                        &tests,
                        9,
                    )
                    .text,
                );
                texts.push(walk::walk_statement(engine, ("s.num", &["num"]), 1, &order, &bounds, 9, &[], 9).text);
                texts.push(walk::beyond_statement(engine, 1, &order, &bounds, 9).text);
                for asked in [true, false] {
                    let asked = vec![asked; tests.len()];
                    texts.push(found::sorted_statement(engine, I_KEYS, 1, &order, &bounds, &tests, &asked, 9).text);
                }
            }
        }
    }
    let newest = Order { sort: UserSort::CreatedAt, direction: Direction::Descending };
    texts.push(sample::sample_statement(engine, 1, &newest, &tests).text);
    texts.push(found::count_statement(engine, 1, &tests[4], 9).text);
    texts.push(found::identified_statement(engine, 1, "a", Some(1), &tests).text);
    for test in &tests {
        texts.push(found::found_statement(engine, I_KEYS, 1, std::slice::from_ref(test), &[true], 9).text);
        texts.push(found::found_statement(engine, I_KEYS, 1, std::slice::from_ref(test), &[false], 9).text);
    }
    texts
}
