//! Lists of users: search, filters, sorting, keyset paging.
//!
//! Which way to search is right depends on how many rows match. A common term is found quickly by walking the
//! sort order and testing each row; a rare one only by the trigram index. Counting first, up to a bound, tells
//! them apart. Where matches are many but do not come in the first stretch of the sort order (a given name, in a
//! list by name), the walk gives up after that stretch and the matches are sorted. So no way does work in
//! proportion to the whole table.

use denizen_model::{
    RealmId,
    pages::{Cursor, CursorKey, Direction, Page, Total},
    users::{User, UserQuery, UserSort, word_beginning},
};

use super::{columns, count_all, read_user};
use crate::{
    conn::Engine,
    error::Result,
    sql::like_containing,
    tx::ReadTx,
    value::{Row, Value},
};

/// Up to this many matches are counted exactly, and sorted rather than looked for along the sort order.
const COUNTED: i64 = 1000;
/// Along the sort order, matches are looked for among so many rows.
const WALKED: i64 = 5000;

/// A page of users and the total.
///
/// # Errors
/// When the database fails.
pub fn list(tx: &mut ReadTx<'_>, realm: RealmId, query: &UserQuery) -> Result<Page<User>> {
    let terms = query.terms();
    let total = if terms.is_empty() {
        count_all(tx, realm, query.kind, query.enabled)?
    } else {
        let matches = count_matches(tx, realm, query, &terms)?;
        Total { count: u64::try_from(matches.min(COUNTED)).unwrap_or(0), exact: matches <= COUNTED }
    };
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let narrowed = !terms.is_empty() || query.kind.is_some() || query.enabled.is_some();
    let few = total.exact && total.count <= COUNTED.unsigned_abs();
    let mut rows = if !narrowed {
        run(tx, realm, query, &terms, &Way::Walk(None))?
    } else if few {
        run(tx, realm, query, &terms, &Way::Sort)?
    } else {
        let end = find_end(tx, realm, query)?;
        let ends = end.is_some();
        let walked = run(tx, realm, query, &terms, &Way::Walk(end))?;
        if walked.len() > limit || !ends { walked } else { run(tx, realm, query, &terms, &Way::Sort)? }
    };
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|(user, key)| Cursor { key: key.clone(), id: user.id.to_string() });
    Ok(Page { items: rows.into_iter().map(|(user, _)| user).collect(), next, total })
}

/// How matches are found.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Way {
    /// Along the sort order, testing each row; to its end, or up to and with this row.
    Walk(Option<Cursor>),
    /// By an index of what is looked for, and then sorted.
    Sort,
}

fn run(
    tx: &mut ReadTx<'_>,
    realm: RealmId,
    query: &UserQuery,
    terms: &[String],
    way: &Way,
) -> Result<Vec<(User, CursorKey)>> {
    let statement = build(tx.engine(), realm, query, terms, way);
    tx.list_text(&statement.text, &statement.values, |row| Ok((read_user(row)?, read_key(row, query.sort)?)))
}

/// The row at which a walk from the query's place gives up; `None` when there are not so many.
fn find_end(tx: &mut ReadTx<'_>, realm: RealmId, query: &UserQuery) -> Result<Option<Cursor>> {
    let statement = build_end(realm, query);
    let mut found = tx.list_text(&statement.text, &statement.values, |row| {
        Ok(Cursor { id: row.text("id")?, key: read_key(row, query.sort)? })
    })?;
    Ok(found.pop())
}

struct Statement<'q> {
    text: String,
    values: Vec<Value<'q>>,
}

impl<'q> Statement<'q> {
    fn value(&mut self, value: impl Into<Value<'q>>) -> String {
        self.values.push(value.into());
        format!("?{}", self.values.len())
    }
}

/// The column a list is sorted by.
fn sort_column(sort: UserSort) -> &'static str {
    match sort {
        UserSort::CreatedAt => "created_at",
        UserSort::LastSignInAt => "last_sign_in_at",
        UserSort::Name => "name_key",
        UserSort::Email => "email_key",
        UserSort::Role => "admin_rank",
    }
}

fn read_key(row: &Row<'_>, sort: UserSort) -> Result<CursorKey> {
    Ok(match sort {
        UserSort::Name | UserSort::Email => CursorKey::Text(row.text("sort_key")?),
        _ => CursorKey::Number(row.i64("sort_key")?),
    })
}

/// How a term is looked for: within words, or, where it is too short for trigrams, where words begin.
fn needle(term: &str) -> String {
    if term.chars().count() < 3 { word_beginning(term) } else { term.to_owned() }
}

/// The tables, and the conditions that the query's filters and terms put on a row.
fn conditions<'q>(
    engine: Engine,
    statement: &mut Statement<'q>,
    realm: RealmId,
    query: &UserQuery,
    terms: &[String],
    way: &Way,
) {
    let needles: Vec<String> = terms.iter().map(|term| needle(term)).collect();
    statement.text.push_str(" FROM ");
    if *way == Way::Sort && engine == Engine::Sqlite && !needles.is_empty() {
        // A cross join is SQLite's way to say which comes first; it would test a million rows against what the
        // index found.
        let phrases: Vec<String> =
            needles.iter().map(|needle| format!("\"{}\"", needle.replace('"', "\"\""))).collect();
        let found = statement.value(phrases.join(" "));
        let join = format!(
            "user_search CROSS JOIN users ON users.num = user_search.rowid WHERE user_search MATCH {found} AND "
        );
        statement.text.push_str(&join);
    } else {
        statement.text.push_str("users WHERE ");
    }
    let realm = statement.value(realm);
    statement.text.push_str(&format!("realm_id = {realm}"));
    // Constants, not parameters, so that the planner can see that a partial index applies.
    match query.enabled {
        Some(true) => statement.text.push_str(" AND enabled"),
        Some(false) => statement.text.push_str(" AND NOT enabled"),
        None => {}
    }
    if let Some(kind) = query.kind {
        statement.text.push_str(&format!(" AND kind = '{}'", kind.as_str()));
    }
    for needle in needles {
        let pattern = statement.value(like_containing(&needle));
        statement.text.push_str(&format!(" AND users.search_text LIKE {pattern} ESCAPE '!'"));
    }
}

fn count_matches(tx: &mut ReadTx<'_>, realm: RealmId, query: &UserQuery, terms: &[String]) -> Result<i64> {
    let statement = build_count(tx.engine(), realm, query, terms);
    let counts = tx.list_text(&statement.text, &statement.values, |row| row.i64("matches"))?;
    Ok(counts.first().copied().unwrap_or(0))
}

fn build_count<'q>(engine: Engine, realm: RealmId, query: &UserQuery, terms: &[String]) -> Statement<'q> {
    let mut statement = Statement { text: "SELECT count(*) AS matches FROM (SELECT 1".to_owned(), values: Vec::new() };
    conditions(engine, &mut statement, realm, query, terms, &Way::Sort);
    let bound = statement.value(COUNTED + 1);
    statement.text.push_str(&format!(" LIMIT {bound}) AS counted"));
    statement
}

/// The row so many rows on from the query's place, whatever its filters and terms.
fn build_end(realm: RealmId, query: &UserQuery) -> Statement<'_> {
    let column = sort_column(query.sort);
    let mut statement =
        Statement { text: format!("SELECT id, {column} AS sort_key FROM users WHERE "), values: Vec::new() };
    let realm = statement.value(realm);
    statement.text.push_str(&format!("realm_id = {realm}"));
    let (order, beyond, _) = comparisons(query.direction);
    if let Some(after) = &query.after {
        compare(&mut statement, column, beyond, after);
    }
    let offset = statement.value(WALKED);
    statement.text.push_str(&format!(" ORDER BY {column} {order}, id {order} LIMIT 1 OFFSET {offset}"));
    statement
}

/// The order, and how a row compares to one before it and to one that it may be.
fn comparisons(direction: Direction) -> (&'static str, &'static str, &'static str) {
    match direction {
        Direction::Ascending => ("ASC", ">", "<="),
        Direction::Descending => ("DESC", "<", ">="),
    }
}

fn compare<'q>(statement: &mut Statement<'q>, column: &str, how: &str, place: &'q Cursor) {
    let key = match &place.key {
        CursorKey::Number(number) => statement.value(*number),
        CursorKey::Text(text) => statement.value(text.as_str()),
    };
    let id = statement.value(place.id.as_str());
    statement.text.push_str(&format!(" AND ({column}, id) {how} ({key}, {id})"));
}

fn build<'q>(engine: Engine, realm: RealmId, query: &'q UserQuery, terms: &[String], way: &'q Way) -> Statement<'q> {
    let column = sort_column(query.sort);
    let mut statement = Statement { text: format!("SELECT {}, {column} AS sort_key", columns!()), values: Vec::new() };
    conditions(engine, &mut statement, realm, query, terms, way);
    let (order, beyond, within) = comparisons(query.direction);
    if let Some(after) = &query.after {
        compare(&mut statement, column, beyond, after);
    }
    if let Way::Walk(Some(end)) = way {
        compare(&mut statement, column, within, end);
    }
    let limit = statement.value(i64::from(query.limit) + 1);
    // `+ 0` and `|| ''` keep a planner from walking the sort order when few rows match.
    let sort = match (way, query.sort) {
        (Way::Walk(_), _) => column.to_owned(),
        (Way::Sort, UserSort::Name | UserSort::Email) => format!("({column} || '')"),
        (Way::Sort, _) => format!("({column} + 0)"),
    };
    statement.text.push_str(&format!(" ORDER BY {sort} {order}, id {order} LIMIT {limit}"));
    statement
}

/// Every text these builders can make, for the test that prepares them all.
#[cfg(test)]
pub(crate) fn all_texts(engine: Engine) -> Vec<String> {
    use denizen_model::{Timestamp, users::UserKind};
    let realm = RealmId::new(Timestamp::from_micros(0), [0; 10]);
    let mut texts = Vec::new();
    for sort in UserSort::ALL {
        for direction in [Direction::Ascending, Direction::Descending] {
            for enabled in [None, Some(true), Some(false)] {
                for kind in [None, Some(UserKind::Machine)] {
                    for paged in [false, true] {
                        let key = match sort {
                            UserSort::Name | UserSort::Email => CursorKey::Text("a".to_owned()),
                            _ => CursorKey::Number(1),
                        };
                        let after = paged.then(|| Cursor { key: key.clone(), id: String::new() });
                        let query = UserQuery { sort: *sort, direction, enabled, kind, after, ..UserQuery::default() };
                        let term = [String::from("abc")];
                        let end = Cursor { key: key.clone(), id: String::new() };
                        for way in [Way::Walk(None), Way::Walk(Some(end)), Way::Sort] {
                            texts.push(build(engine, realm, &query, &[], &way).text);
                            texts.push(build(engine, realm, &query, &term, &way).text);
                        }
                        texts.push(build_count(engine, realm, &query, &term).text);
                        texts.push(build_end(realm, &query).text);
                    }
                }
            }
        }
    }
    texts
}
