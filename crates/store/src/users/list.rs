//! Lists of users: search, filters, sorting, keyset paging.
//!
//! Which way to search is right depends on how many rows match. A common term is found quickly by walking the
//! sort order and testing each row; a rare one only by the trigram index. Counting first, up to a bound, tells
//! them apart; so no way does work in proportion to the whole table.

use denizen_model::{
    RealmId,
    pages::{Cursor, CursorKey, Direction, Page, Total},
    users::{User, UserQuery, UserSort},
};

use super::{columns, count_all, read_user};
use crate::{
    conn::Engine,
    error::Result,
    sql::like_containing,
    tx::ReadTx,
    value::{Row, Value},
};

/// Up to this many matches are counted exactly, and sorted when a list wants another order than the index's.
const COUNTED: i64 = 1000;

/// A page of users and the total.
///
/// # Errors
/// When the database fails.
pub fn list(tx: &mut ReadTx<'_>, realm: RealmId, query: &UserQuery) -> Result<Page<User>> {
    let terms = query.terms();
    let (total, way) = if terms.is_empty() {
        (count_all(tx, realm, query.kind, query.enabled)?, Way::Walk)
    } else {
        let matches = count_matches(tx, realm, query, &terms)?;
        let total = Total { count: u64::try_from(matches.min(COUNTED)).unwrap_or(0), exact: matches <= COUNTED };
        (total, if matches <= COUNTED { Way::Index } else { Way::Walk })
    };
    let statement = build(tx.engine(), realm, query, &terms, way);
    let mut rows =
        tx.list_text(&statement.text, &statement.values, |row| Ok((read_user(row)?, read_key(row, query.sort)?)))?;
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|(user, key)| Cursor { key: key.clone(), id: user.id.to_string() });
    Ok(Page { items: rows.into_iter().map(|(user, _)| user).collect(), next, total })
}

/// How matches are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Along the sort order, testing each row.
    Walk,
    /// By the trigram index, then sorted.
    Index,
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

/// The conditions that the query's filters and terms put on a row.
fn conditions<'q>(
    engine: Engine,
    statement: &mut Statement<'q>,
    realm: RealmId,
    query: &UserQuery,
    terms: &[String],
    way: Way,
) {
    let realm = statement.value(realm);
    statement.text.push_str(&format!(" WHERE realm_id = {realm}"));
    // Constants, not parameters, so that the planner can see that a partial index applies.
    match query.enabled {
        Some(true) => statement.text.push_str(" AND enabled"),
        Some(false) => statement.text.push_str(" AND NOT enabled"),
        None => {}
    }
    if let Some(kind) = query.kind {
        statement.text.push_str(&format!(" AND kind = '{}'", kind.as_str()));
    }
    for term in terms {
        let pattern = statement.value(like_containing(term));
        statement.text.push_str(&format!(" AND search_text LIKE {pattern} ESCAPE '!'"));
    }
    if way == Way::Index && engine == Engine::Sqlite {
        // Trigrams need three characters; shorter words are left to the test above.
        let phrases: Vec<String> = terms
            .iter()
            .filter(|term| term.chars().count() >= 3)
            .map(|term| format!("\"{}\"", term.replace('"', "\"\"")))
            .collect();
        if !phrases.is_empty() {
            let found = statement.value(phrases.join(" "));
            statement
                .text
                .push_str(&format!(" AND num IN (SELECT rowid FROM user_search WHERE user_search MATCH {found})"));
        }
    }
}

fn count_matches(tx: &mut ReadTx<'_>, realm: RealmId, query: &UserQuery, terms: &[String]) -> Result<i64> {
    let statement = build_count(tx.engine(), realm, query, terms);
    let counts = tx.list_text(&statement.text, &statement.values, |row| row.i64("matches"))?;
    Ok(counts.first().copied().unwrap_or(0))
}

fn build_count<'q>(engine: Engine, realm: RealmId, query: &UserQuery, terms: &[String]) -> Statement<'q> {
    let mut statement =
        Statement { text: "SELECT count(*) AS matches FROM (SELECT 1 FROM users".to_owned(), values: Vec::new() };
    conditions(engine, &mut statement, realm, query, terms, Way::Index);
    let bound = statement.value(COUNTED + 1);
    statement.text.push_str(&format!(" LIMIT {bound}) AS counted"));
    statement
}

fn build<'q>(engine: Engine, realm: RealmId, query: &'q UserQuery, terms: &[String], way: Way) -> Statement<'q> {
    let column = sort_column(query.sort);
    let mut statement =
        Statement { text: format!("SELECT {}, {column} AS sort_key FROM users", columns!()), values: Vec::new() };
    conditions(engine, &mut statement, realm, query, terms, way);
    let (order, than) = match query.direction {
        Direction::Ascending => ("ASC", ">"),
        Direction::Descending => ("DESC", "<"),
    };
    if let Some(after) = &query.after {
        let key = match &after.key {
            CursorKey::Number(number) => statement.value(*number),
            CursorKey::Text(text) => statement.value(text.as_str()),
        };
        let id = statement.value(after.id.as_str());
        statement.text.push_str(&format!(" AND ({column}, id) {than} ({key}, {id})"));
    }
    let limit = statement.value(i64::from(query.limit) + 1);
    // `+ 0` and `|| ''` keep a planner from walking the sort order when few rows match.
    let (sort, id) = match (way, query.sort) {
        (Way::Walk, _) => (column.to_owned(), "id"),
        (Way::Index, UserSort::Name | UserSort::Email) => (format!("({column} || '')"), "id"),
        (Way::Index, _) => (format!("({column} + 0)"), "id"),
    };
    statement.text.push_str(&format!(" ORDER BY {sort} {order}, {id} {order} LIMIT {limit}"));
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
                        let after = paged.then(|| Cursor { key, id: String::new() });
                        let query = UserQuery { sort: *sort, direction, enabled, kind, after, ..UserQuery::default() };
                        let term = [String::from("abc")];
                        texts.push(build(engine, realm, &query, &[], Way::Walk).text);
                        texts.push(build(engine, realm, &query, &term, Way::Walk).text);
                        texts.push(build(engine, realm, &query, &term, Way::Index).text);
                        texts.push(build_count(engine, realm, &query, &term).text);
                    }
                }
            }
        }
    }
    texts
}
