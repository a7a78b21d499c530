//! The statements of lists of users. Their texts are put together from constant fragments; whatever a person typed
//! stands in parameters only.

use denizen_model::{
    pages::{CursorKey, Direction},
    users::{UserQuery, UserSort, word_beginning},
};

use crate::{
    conn::Engine,
    error::Result,
    sql::like_containing,
    tx::ReadTx,
    value::{self, Value},
};

/// A user's place in an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) num: i64,
    pub(super) key: CursorKey,
}

/// All keys that a user can be ordered by.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    pub(super) num: i64,
    pub(super) created_at: i64,
    pub(super) last_sign_in_at: i64,
    pub(super) admin_rank: i64,
    pub(super) name_key: String,
    pub(super) email_key: String,
    pub(super) phone_key: String,
    pub(super) reference_key: String,
}

impl Keys {
    pub(super) fn row(self, sort: UserSort) -> Row {
        let key = match sort {
            UserSort::CreatedAt | UserSort::BestMatch => CursorKey::Number(self.created_at),
            UserSort::LastSignInAt => CursorKey::Number(self.last_sign_in_at),
            UserSort::Role => CursorKey::Number(self.admin_rank),
            UserSort::Name => CursorKey::Text(self.name_key),
            UserSort::Email => CursorKey::Text(self.email_key),
            UserSort::Phone => CursorKey::Text(self.phone_key),
            UserSort::Reference => CursorKey::Text(self.reference_key),
        };
        Row { num: self.num, key }
    }
}

/// By what and which way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order {
    pub(super) sort: UserSort,
    pub(super) direction: Direction,
}

impl Order {
    fn column(&self) -> &'static str {
        match self.sort {
            UserSort::CreatedAt | UserSort::BestMatch => "created_at",
            UserSort::LastSignInAt => "last_sign_in_at",
            UserSort::Role => "admin_rank",
            UserSort::Name => "name_key",
            UserSort::Email => "email_key",
            UserSort::Phone => "phone_key",
            UserSort::Reference => "reference_key",
        }
    }

    /// How SQLite is told which index to walk; it may know too little of a young table to choose.
    fn walked(&self, engine: Engine) -> &'static str {
        if engine == Engine::Postgres {
            return "";
        }
        match self.sort {
            UserSort::CreatedAt | UserSort::BestMatch => "INDEXED BY user_index_by_creation",
            UserSort::LastSignInAt => "INDEXED BY user_index_by_sign_in",
            UserSort::Role => "INDEXED BY user_index_by_admin",
            UserSort::Name => "INDEXED BY user_index_by_name",
            UserSort::Email => "INDEXED BY user_index_by_email",
            UserSort::Phone => "INDEXED BY user_index_by_phone",
            UserSort::Reference => "INDEXED BY user_index_by_reference",
        }
    }

    /// Whether a test bounds what the list is ordered by.
    pub(super) fn is_bound(&self, test: &Test) -> bool {
        matches!(test, Test::Within { column, .. } if *column == self.column())
    }

    fn words(&self) -> (&'static str, &'static str) {
        match self.direction {
            Direction::Ascending => ("ASC", ">"),
            Direction::Descending => ("DESC", "<"),
        }
    }
}

/// The part of an order that is looked at.
#[derive(Debug, Clone, Default)]
pub(super) struct Bounds {
    /// What comes after this.
    pub(super) place: Option<Row>,
    /// What begins with this.
    pub(super) prefix: Option<String>,
    /// What comes no later than this key.
    pub(super) cut: Option<CursorKey>,
}

impl Bounds {
    pub(super) fn after(query: &UserQuery) -> Self {
        let place = query.after.as_ref();
        let place = place.map(|place| Row { num: place.id.parse().unwrap_or(0), key: place.key.clone() });
        Self { place, ..Self::default() }
    }
}

/// A condition on a user.
#[derive(Debug, Clone)]
pub(super) enum Test {
    /// This is found in some column.
    Contains(String),
    /// This is found in some column, or one of those among what is near.
    Near { text: Option<String>, near: Vec<String> },
    /// Has a mark, or has it not.
    Facet { mark: String, present: bool },
    /// A number is at least this, and below that.
    Within { column: &'static str, from: i64, until: i64 },
    /// The application's own id is this.
    Reference(String),
    /// A text does not begin with this.
    NotBeginning { column: &'static str, text: String },
    /// A text is not this.
    IsNot { column: &'static str, text: String },
    /// It is not this user.
    NotUser(i64),
}

impl Test {
    /// That a word of a search is found.
    pub(super) fn contains(term: &str) -> Self {
        Self::Contains(Self::needle(term))
    }

    /// How a word is looked for: within words, or, where it is too short for trigrams, where words begin.
    pub(super) fn needle(term: &str) -> String {
        if term.chars().count() < 3 { word_beginning(term) } else { term.to_owned() }
    }

    /// The columns that tell whether a row passes.
    fn columns(&self) -> Vec<&'static str> {
        match self {
            Self::Contains(_) => vec!["search_text"],
            Self::Near { .. } => vec!["search_text", "near_text"],
            Self::Facet { .. } => vec!["facets"],
            Self::Within { column, .. } | Self::NotBeginning { column, .. } | Self::IsNot { column, .. } => {
                vec![column]
            }
            Self::Reference(_) => vec!["reference_key"],
            Self::NotUser(_) => vec!["num"],
        }
    }

    /// Whether it looks at the keys of names, addresses and times only.
    fn is_about_keys(&self) -> bool {
        match self {
            Self::Within { .. } | Self::NotUser(_) => true,
            Self::NotBeginning { column, .. } | Self::IsNot { column, .. } => {
                matches!(*column, "name_key" | "email_key")
            }
            _ => false,
        }
    }

    /// Whether the index of this order tells who passes.
    pub(super) fn is_in_index_of(&self, engine: Engine, sort: UserSort) -> bool {
        let own = |column: &str| matches!(column, "num" | "created_at" | "last_sign_in_at" | "facets");
        let newest = matches!(sort, UserSort::CreatedAt | UserSort::BestMatch);
        match (engine, sort) {
            (Engine::Sqlite, UserSort::LastSignInAt) => self.columns().into_iter().all(own),
            (Engine::Sqlite, _) => newest && self.columns().into_iter().all(own),
            (Engine::Postgres, _) => newest && self.columns().into_iter().all(|it| own(it) || it == "search_text"),
        }
    }

    /// Whether it is about what is near and not about the word itself.
    pub(super) fn is_near_alone(&self) -> bool {
        matches!(self, Self::Near { text: None, .. })
    }

    /// Whether SQLite's full text finds those that pass.
    pub(super) fn is_text(&self) -> bool {
        matches!(self, Self::Contains(_) | Self::Near { .. } | Self::Facet { present: true, .. })
    }

    /// Whether an index can find those that pass.
    pub(super) fn is_indexed(&self) -> bool {
        !matches!(
            self,
            Self::Facet { present: false, .. } | Self::NotBeginning { .. } | Self::IsNot { .. } | Self::NotUser(_)
        )
    }
}

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

/// Rows from ten places of the index: of each, its place in the order, and whether it passes each test. Only rows
/// of the realm.
pub(super) fn sample(
    tx: &mut ReadTx<'_>,
    realm_num: i64,
    order: &Order,
    tests: &[Test],
) -> Result<Vec<(Row, Vec<bool>)>> {
    let statement = sample_statement(tx.engine(), realm_num, order, tests);
    let names: Vec<String> = (0..tests.len()).map(|at| format!("t{at}")).collect();
    tx.list_text(&statement.text, &statement.values, |row| {
        let passed = names.iter().map(|name| Ok(row.i64(name)? != 0)).collect::<Result<Vec<bool>>>()?;
        Ok((read_row(order.sort, row)?, passed))
    })
}

const PLACES: i64 = 10;
const ROWS_OF_A_PLACE: i64 = 100;

fn sample_statement<'q>(engine: Engine, realm_num: i64, order: &Order, tests: &'q [Test]) -> Statement<'q> {
    let mut statement = Statement::new(engine);
    let tested: Vec<String> = (tests.iter().enumerate())
        .map(|(at, test)| {
            format!("CASE WHEN {} THEN 1 ELSE 0 END", statement.row_test("s", test)) + &format!(" AS t{at}")
        })
        .map(|column| if engine == Engine::Postgres { cast_bigint(&column) } else { column })
        .collect();
    statement.push(&format!("SELECT {}, s.num, s.{} AS sort_key FROM ", tested.join(", "), order.column()));
    match engine {
        Engine::Sqlite => statement.push(&places_one_by_one()),
        Engine::Postgres => statement.push(&places_joined(order, tests)),
    }
    let realm = statement.value(realm_num);
    statement.push(&format!(" WHERE s.realm_num = {realm}"));
    statement
}

/// The rows of the sample: each place is a query of its own.
fn places_one_by_one() -> String {
    let place = |place: i64| {
        format!(
            "SELECT * FROM (SELECT * FROM user_index WHERE num >= (SELECT min(num) FROM user_index) + \
             ((SELECT max(num) FROM user_index) - (SELECT min(num) FROM user_index)) / {PLACES} * {place} \
             ORDER BY num LIMIT {ROWS_OF_A_PLACE})"
        )
    };
    let places: Vec<String> = (0..PLACES).map(place).collect();
    format!("({}) AS s", places.join(" UNION ALL "))
}

/// The same in the words that PostgreSQL plans in a tenth of the time.
fn places_joined(order: &Order, tests: &[Test]) -> String {
    let mut columns = vec!["num", "realm_num"];
    for column in tests.iter().flat_map(Test::columns).chain([order.column()]) {
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    format!(
        "(SELECT min(num) AS low, max(num) AS high FROM user_index) AS ends \
         CROSS JOIN generate_series(0, {}) AS place CROSS JOIN LATERAL (SELECT {} FROM user_index \
         WHERE num >= ends.low + (ends.high - ends.low) / {PLACES} * place ORDER BY num LIMIT {ROWS_OF_A_PLACE}) AS s",
        PLACES - 1,
        columns.join(", ")
    )
}

/// `CASE … END AS t0` as a number that both engines read alike.
fn cast_bigint(column: &str) -> String {
    match column.rsplit_once(" AS ") {
        Some((case, name)) => format!("CAST({case} AS BIGINT) AS {name}"),
        None => column.to_owned(),
    }
}

/// Walks along an order over so many rows, and takes up to so many that pass the tests.
pub(super) fn walk(
    tx: &mut ReadTx<'_>,
    realm_num: i64,
    order: &Order,
    bounds: &Bounds,
    rows: i64,
    tests: &[Test],
    wanted: i64,
) -> Result<Vec<Row>> {
    let column = order.column();
    let columns = format!("s.num, s.{column} AS sort_key");
    let statement =
        walk_statement(tx.engine(), (&columns, &["num", column]), realm_num, order, bounds, rows, tests, wanted);
    tx.list_text(&statement.text, &statement.values, |row| read_row(order.sort, row))
}

/// As [`walk`], with all keys.
pub(super) fn walk_keys(
    tx: &mut ReadTx<'_>,
    realm_num: i64,
    order: &Order,
    bounds: &Bounds,
    rows: i64,
    tests: &[Test],
    wanted: i64,
) -> Result<Vec<Keys>> {
    let columns = I_KEYS.replace("i.", "s.");
    let statement = walk_statement(tx.engine(), (&columns, &KEYS), realm_num, order, bounds, rows, tests, wanted);
    tx.list_text(&statement.text, &statement.values, read_keys)
}

#[expect(clippy::too_many_arguments, reason = "the parts of one statement")]
fn walk_statement<'q>(
    engine: Engine,
    (columns, read): (&str, &[&'static str]),
    realm_num: i64,
    order: &Order,
    bounds: &'q Bounds,
    rows: i64,
    tests: &'q [Test],
    wanted: i64,
) -> Statement<'q> {
    let column = order.column();
    let (direction, _) = order.words();
    let mut statement = Statement::new(engine);
    let is_in_index = |test: &&Test| engine == Engine::Postgres && test.is_in_index_of(engine, order.sort);
    let (in_index, of_rows): (Vec<&Test>, Vec<&Test>) =
        tests.iter().filter(|test| !order.is_bound(test)).partition(is_in_index);
    // Where the index has what is tested and more than that is asked, rows are read of those who pass.
    let asks_more = !of_rows.is_empty() || read.iter().any(|it| *it != "num" && *it != column);
    let joined = asks_more && !in_index.is_empty();
    let mut walked: Vec<&str> = if joined { vec!["num"] } else { read.to_vec() };
    // No column more than is looked at: then an index that has these is enough.
    let of_walk = if joined { Vec::new() } else { of_rows.clone() };
    for needed in of_walk.iter().flat_map(|test| test.columns()).chain([column]) {
        if !walked.contains(&needed) {
            walked.push(needed);
        }
    }
    for needed in in_index.iter().flat_map(|test| test.columns()).map(in_index_as) {
        if !walked.contains(&needed) {
            walked.push(needed);
        }
    }
    let of = if joined { "c" } else { "s" };
    statement.push(&match joined {
        true => format!("SELECT {columns} FROM (SELECT c.num, c.{column} FROM ("),
        false => format!("SELECT {columns} FROM ("),
    });
    statement.push(&format!(
        "SELECT {} FROM user_index i {} WHERE i.realm_num = ",
        walked.join(", "),
        order.walked(engine)
    ));
    let realm = statement.value(realm_num);
    statement.push(&realm);
    statement.bounds("i", order, bounds);
    // A bound on what the list is ordered by is where the walk begins or ends.
    for test in tests.iter().filter(|test| order.is_bound(test)) {
        let condition = statement.index_test(test);
        statement.push(&format!(" AND {condition}"));
    }
    let stretch = statement.value(rows);
    statement.push(&format!(" ORDER BY i.{column} {direction}, i.num {direction} LIMIT {stretch}) AS {of}"));
    let mut conditions: Vec<String> = in_index.iter().map(|test| statement.entry_test(of, test)).collect();
    if joined {
        statement.push_where(&conditions);
        statement.push(") AS n JOIN user_index s ON s.num = n.num");
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

/// What a column is called in PostgreSQL's index by creation, where long texts are left out.
fn in_index_as(column: &'static str) -> &'static str {
    match column {
        "facets" => "walked_facets",
        "search_text" => "walked_text",
        other => other,
    }
}

/// Whether a walk over so many rows comes to the end of the order.
pub(super) fn ends_within(
    tx: &mut ReadTx<'_>,
    realm_num: i64,
    order: &Order,
    bounds: &Bounds,
    rows: i64,
) -> Result<bool> {
    let statement = beyond_statement(tx.engine(), realm_num, order, bounds, rows);
    Ok(tx.list_text(&statement.text, &statement.values, |row| row.i64("num"))?.is_empty())
}

fn beyond_statement<'q>(engine: Engine, realm_num: i64, order: &Order, bounds: &'q Bounds, rows: i64) -> Statement<'q> {
    let (column, (direction, _)) = (order.column(), order.words());
    let mut statement = Statement::new(engine);
    let realm = statement.value(realm_num);
    statement.push(&format!("SELECT i.num FROM user_index i {} WHERE i.realm_num = {realm}", order.walked(engine)));
    statement.bounds("i", order, bounds);
    let rows = statement.value(rows);
    statement.push(&format!(" ORDER BY i.{column} {direction}, i.num {direction} LIMIT 1 OFFSET {rows}"));
    statement
}

/// Up to so many users who pass the tests, in no order, by the index.
pub(super) fn found(
    tx: &mut ReadTx<'_>,
    realm_num: i64,
    order: &Order,
    tests: &[Test],
    asked: &[bool],
    wanted: i64,
) -> Result<Vec<Row>> {
    let columns = format!("i.num, i.{} AS sort_key", order.column());
    let statement = found_statement(tx.engine(), &columns, realm_num, tests, asked, wanted);
    tx.list_text(&statement.text, &statement.values, |row| read_row(order.sort, row))
}

/// As [`found`], with all keys.
pub(super) fn found_keys(
    tx: &mut ReadTx<'_>,
    realm_num: i64,
    tests: &[Test],
    asked: &[bool],
    wanted: i64,
) -> Result<Vec<Keys>> {
    let statement = found_statement(tx.engine(), I_KEYS, realm_num, tests, asked, wanted);
    tx.list_text(&statement.text, &statement.values, read_keys)
}

fn found_statement<'q>(
    engine: Engine,
    columns: &str,
    realm_num: i64,
    tests: &'q [Test],
    asked: &[bool],
    wanted: i64,
) -> Statement<'q> {
    let mut statement = Statement::new(engine);
    statement.push(&format!("SELECT {columns}"));
    statement.push_index(realm_num, tests, asked);
    let limit = statement.value(wanted);
    statement.push(&format!(" LIMIT {limit}"));
    statement
}

/// How many pass a test that goes by an index alone, up to so many.
pub(super) fn count(tx: &mut ReadTx<'_>, realm_num: i64, test: &Test, up_to: i64) -> Result<i64> {
    let statement = count_statement(tx.engine(), realm_num, test, up_to);
    let counted = tx.list_text(&statement.text, &statement.values, |row| row.i64("passing"))?;
    Ok(counted.first().copied().unwrap_or(0))
}

fn count_statement(engine: Engine, realm_num: i64, test: &Test, up_to: i64) -> Statement<'_> {
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
pub(super) fn sorted(
    tx: &mut ReadTx<'_>,
    realm_num: i64,
    order: &Order,
    bounds: &Bounds,
    tests: &[Test],
    asked: &[bool],
    wanted: i64,
) -> Result<Vec<Row>> {
    let columns = format!("i.num, i.{} AS sort_key", order.column());
    let statement = sorted_statement(tx.engine(), &columns, realm_num, order, bounds, tests, asked, wanted);
    tx.list_text(&statement.text, &statement.values, |row| read_row(order.sort, row))
}

/// As [`sorted`], with all keys.
pub(super) fn sorted_keys(
    tx: &mut ReadTx<'_>,
    realm_num: i64,
    order: &Order,
    bounds: &Bounds,
    tests: &[Test],
    asked: &[bool],
    wanted: i64,
) -> Result<Vec<Keys>> {
    let statement = sorted_statement(tx.engine(), I_KEYS, realm_num, order, bounds, tests, asked, wanted);
    tx.list_text(&statement.text, &statement.values, read_keys)
}

#[expect(clippy::too_many_arguments, reason = "the parts of one statement")]
fn sorted_statement<'q>(
    engine: Engine,
    columns: &str,
    realm_num: i64,
    order: &Order,
    bounds: &'q Bounds,
    tests: &'q [Test],
    asked: &[bool],
    wanted: i64,
) -> Statement<'q> {
    let mut statement = Statement::new(engine);
    statement.push(&format!("SELECT {columns}"));
    statement.push_index(realm_num, tests, asked);
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
pub(super) fn identified(
    tx: &mut ReadTx<'_>,
    realm_num: i64,
    text: &str,
    num: Option<i64>,
    tests: &[Test],
) -> Result<Vec<Keys>> {
    let statement = identified_statement(tx.engine(), realm_num, text, num, tests);
    tx.list_text(&statement.text, &statement.values, read_keys)
}

fn identified_statement<'q>(
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
                    walk_statement(
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
                texts.push(walk_statement(engine, ("s.num", &["num"]), 1, &order, &bounds, 9, &[], 9).text);
                texts.push(beyond_statement(engine, 1, &order, &bounds, 9).text);
                for asked in [true, false] {
                    let asked = vec![asked; tests.len()];
                    texts.push(sorted_statement(engine, I_KEYS, 1, &order, &bounds, &tests, &asked, 9).text);
                }
            }
        }
    }
    let newest = Order { sort: UserSort::CreatedAt, direction: Direction::Descending };
    texts.push(sample_statement(engine, 1, &newest, &tests).text);
    texts.push(count_statement(engine, 1, &tests[4], 9).text);
    texts.push(identified_statement(engine, 1, "a", Some(1), &tests).text);
    for test in &tests {
        texts.push(found_statement(engine, I_KEYS, 1, std::slice::from_ref(test), &[true], 9).text);
        texts.push(found_statement(engine, I_KEYS, 1, std::slice::from_ref(test), &[false], 9).text);
    }
    texts
}
