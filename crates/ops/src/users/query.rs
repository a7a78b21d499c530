//! Lists of users as they are asked for: the filters of an address, of the API and of the search box, put into
//! what the store understands. A wrong filter says what is wrong and what is allowed.

mod apply;

use denizen_model::{
    RealmId, Timestamp,
    pages::{Cursor, DEFAULT_LIMIT, Direction, MAX_LIMIT},
    permissions::markers::UsersRead,
    text::{self, fold},
    users::{
        ATTRIBUTE_FILTER, FilterValues, MAX_SEARCH, UserFilters, UserQuery, UserSort, as_typed, as_words, filter_spec,
        take_apart,
    },
    validation::FieldErrors,
};
use denizen_store::{
    self as store, ReadTx,
    users::{
        UserPage,
        index::IndexContext,
        names::{self, Named},
    },
};

use self::apply::apply;
use crate::{App, Cx, Error, May, Result};

/// So many allowed values are named when a value is wrong, or offered while one is typed.
const OFFERED: u32 = 10;

/// A list of users as it is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// Search text; filters may be typed in it.
    pub q: String,
    /// Filters: names with values.
    pub filters: Vec<(String, String)>,
    /// The order; by best match with a search, and newest first without one, when not given.
    pub sort: Option<(UserSort, Direction)>,
    /// Where the page starts.
    pub cursor: Option<Cursor>,
    /// Whether the page is the one before that place; without a place, the last one.
    pub backward: bool,
    /// The page size.
    pub limit: Option<u32>,
}

impl Asked {
    /// Reads the parameters of a list, `q`, `sort`, `cursor`, `limit` and filters, each at most once but for
    /// `role`, `group` and `organization`.
    ///
    /// # Errors
    /// What is wrong with each of them.
    pub fn read<'p>(pairs: impl IntoIterator<Item = (&'p str, &'p str)>) -> std::result::Result<Self, FieldErrors> {
        let mut asked = Self::default();
        let mut errors = FieldErrors::new();
        let mut seen: Vec<&str> = Vec::new();
        for (name, value) in pairs {
            let several = matches!(name, "role" | "group" | "organization") || name.starts_with(ATTRIBUTE_FILTER);
            if seen.contains(&name) && !several {
                errors.add(name, "Is given twice.");
            }
            seen.push(name);
            match name {
                "q" => asked.q = value.to_owned(),
                "sort" => match parse_sort(value) {
                    Ok(sort) => asked.sort = Some(sort),
                    Err(message) => errors.add("sort", message),
                },
                "cursor" => match Cursor::decode(value) {
                    Ok(cursor) => asked.cursor = Some(cursor),
                    Err(_) => errors.add("cursor", "Must be the next_cursor of the page before, unchanged."),
                },
                "limit" => match value.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit)) {
                    Some(limit) => asked.limit = Some(limit),
                    None => errors.add("limit", format!("Must be a number from 1 to {MAX_LIMIT}.")),
                },
                _ if filter_spec(name).is_some() => asked.filters.push((name.to_owned(), value.to_owned())),
                _ => errors.add(name, "There is no such parameter."),
            }
        }
        if errors.is_empty() { Ok(asked) } else { Err(errors) }
    }

    /// The parameters that [`Asked::read`] reads, without the place and the page size: what makes up a view.
    #[must_use]
    pub fn view(&self) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        if !self.q.is_empty() {
            pairs.push(("q".to_owned(), self.q.clone()));
        }
        pairs.extend(self.filters.iter().cloned());
        if let Some((sort, direction)) = self.sort {
            let minus = if direction == Direction::Descending { "-" } else { "" };
            pairs.push(("sort".to_owned(), format!("{minus}{sort}")));
        }
        pairs
    }

    /// Moves the filters that were typed in the search text to the others.
    #[must_use]
    pub fn untyped(mut self) -> Self {
        let typed = take_apart(&self.q);
        if !typed.filters.is_empty() {
            self.q = as_words(&typed.search);
            self.filters.extend(typed.filters);
        }
        self
    }
}

/// Reads an order: a column, with `-` before it for largest first.
///
/// # Errors
/// A sentence that names the columns.
pub fn parse_sort(text: &str) -> std::result::Result<(UserSort, Direction), String> {
    let (name, direction) = match text.strip_prefix('-') {
        Some(name) => (name, Direction::Descending),
        None => (text, Direction::Ascending),
    };
    let sort =
        UserSort::from_name(name).filter(|sort| *sort != UserSort::BestMatch || direction == Direction::Ascending);
    sort.map(|sort| (sort, direction)).ok_or_else(|| {
        let names: Vec<&str> = UserSort::ALL.iter().map(|sort| sort.as_str()).collect();
        format!("Must be one of {}, with or without - before it.", names.join(", "))
    })
}

/// A filter in force, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Its name.
    pub name: String,
    /// Its value, as it was given.
    pub value: String,
    /// What it is called.
    pub label: String,
    /// Its value in words.
    pub words: String,
}

/// A filter or another part of a query that is not in force, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Its name.
    pub name: String,
    /// Its value, as it was given.
    pub value: String,
    /// Whether it was typed into the search box.
    pub typed: bool,
    /// What is wrong with it.
    pub message: String,
}

/// A query that is understood.
#[derive(Debug, Clone)]
pub struct Understood {
    /// What to ask the store.
    pub query: UserQuery,
    /// The filters in force.
    pub applied: Vec<Applied>,
    /// The search text without them.
    pub search: String,
    /// What is not in force.
    pub wrong: Vec<Wrong>,
}

impl Understood {
    /// What is in force, as it would be asked for.
    #[must_use]
    pub fn asked(&self, sort: Option<(UserSort, Direction)>) -> Asked {
        let filters = self.applied.iter().map(|one| (one.name.clone(), one.value.clone())).collect();
        Asked { q: as_words(&self.search), filters, sort, ..Asked::default() }
    }

    /// The search text with the filters typed in it that are not in force: what is left in the box to be mended.
    #[must_use]
    pub fn left_typed(&self) -> String {
        let wrong = self.wrong.iter().filter(|one| one.typed).map(|one| as_typed(&one.name, &one.value));
        let words = Some(as_words(&self.search)).filter(|words| !words.is_empty());
        wrong.chain(words).collect::<Vec<_>>().join(" ")
    }
}

/// A page of users, the way back, and the filters in force.
#[derive(Debug)]
pub struct Listed {
    /// The page.
    pub users: UserPage,
    /// What was understood.
    pub understood: Understood,
}

/// A page of users.
///
/// # Errors
/// When the query is not acceptable.
pub async fn list(app: &App, cx: &Cx, may: May<UsersRead>, asked: Asked) -> Result<Listed> {
    let (realm, now) = (may.realm(), cx.now);
    app.db()
        .read(move |tx| {
            let understood = understand(tx, realm, now, &asked)?;
            let users = store::users::list_both_ways(tx, realm, &understood.query)?;
            Ok(Listed { users, understood })
        })
        .await
}

/// A page of users, as far as the query is understood; what is not is left out and named. An order or a place that
/// does not fit is left out without a word: the search it belonged to has changed.
///
/// # Errors
/// When the database fails.
pub async fn list_what_is_understood(app: &App, cx: &Cx, may: May<UsersRead>, asked: Asked) -> Result<Listed> {
    let (realm, now) = (may.realm(), cx.now);
    app.db()
        .read(move |tx| {
            let mut asked = asked.clone();
            let mut understood = take(tx, realm, now, &asked)?;
            if understood.wrong.iter().any(|one| one.name == "sort" || one.name == "cursor") {
                if understood.wrong.iter().any(|one| one.name == "sort") {
                    asked.sort = None;
                }
                (asked.cursor, asked.backward) = (None, false);
                understood = take(tx, realm, now, &asked)?;
            }
            let users = store::users::list_both_ways(tx, realm, &understood.query)?;
            Ok(Listed { users, understood })
        })
        .await
}

/// Puts what is asked into what the store understands.
///
/// # Errors
/// What is wrong with the search text, with each filter, with the order or the place.
pub fn understand(tx: &mut ReadTx<'_>, realm: RealmId, now: Timestamp, asked: &Asked) -> Result<Understood> {
    let understood = take(tx, realm, now, asked)?;
    let mut errors = FieldErrors::new();
    for wrong in &understood.wrong {
        errors.add(&wrong.name, wrong.message.as_str());
    }
    errors.into_result()?;
    Ok(understood)
}

fn take(tx: &mut ReadTx<'_>, realm: RealmId, now: Timestamp, asked: &Asked) -> Result<Understood> {
    let mut wrong = Vec::new();
    let mut not = |name: &str, value: &str, typed: bool, message: String| {
        wrong.push(Wrong { name: name.to_owned(), value: value.to_owned(), typed, message });
    };
    let mut text = asked.q.as_str();
    if text.chars().count() > MAX_SEARCH {
        not("q", "", false, format!("Must be at most {MAX_SEARCH} characters long."));
        text = "";
    }
    if text::has_control(text) {
        not("q", "", false, "Must not contain control characters.".to_owned());
        text = "";
    }
    let typed = take_apart(text);
    let mut filters = UserFilters::default();
    let mut applied = Vec::new();
    let given = asked.filters.iter().map(|filter| (filter, false));
    for ((name, value), is_typed) in given.chain(typed.filters.iter().map(|filter| (filter, true))) {
        match apply(tx, realm, now, &mut filters, name, value)? {
            Ok(one) if applied.contains(&one) => {}
            Ok(one) => applied.push(one),
            Err(message) => not(name, value, is_typed, message),
        }
    }
    let searched = !fold(&typed.search).is_empty();
    let (sort, direction) = asked.sort.unwrap_or(match searched {
        true => (UserSort::BestMatch, Direction::Ascending),
        false => (UserSort::CreatedAt, Direction::Descending),
    });
    if sort == UserSort::BestMatch && !searched {
        not("sort", sort.as_str(), false, "Only a search has a best match.".to_owned());
    }
    let fits = |cursor: &Cursor| {
        let textual = matches!(cursor.key, denizen_model::pages::CursorKey::Text(_));
        textual == sort.is_textual() && cursor.id.parse::<i64>().is_ok()
    };
    if asked.cursor.as_ref().is_some_and(|cursor| !fits(cursor)) {
        not("cursor", "", false, "This cursor belongs to a list in another order.".to_owned());
    }
    let query = UserQuery {
        search: searched.then(|| typed.search.clone()),
        filters,
        sort,
        direction,
        after: asked.cursor.clone(),
        backward: asked.backward,
        limit: asked.limit.unwrap_or(DEFAULT_LIMIT),
    };
    Ok(Understood { query, applied, search: typed.search, wrong })
}

/// The keys of the attributes that can be filtered by.
///
/// # Errors
/// When the database fails.
pub async fn searchable_attributes(app: &App, _cx: &Cx, may: May<UsersRead>) -> Result<Vec<String>> {
    let realm = may.realm();
    app.db().peek(move |tx| Ok(IndexContext::load(tx, realm)?.searchable().to_vec())).await
}

/// Values that a filter may have and that begin so, for completion.
///
/// # Errors
/// When there is no such filter.
pub async fn complete(
    app: &App,
    _cx: &Cx,
    may: May<UsersRead>,
    name: String,
    beginning: String,
) -> Result<Vec<String>> {
    let realm = may.realm();
    let spec = filter_spec(&name).ok_or_else(|| Error::field("name", "There is no such filter."))?;
    let what = match spec.values {
        FilterValues::Role => Named::Role,
        FilterValues::Group => Named::Group,
        FilterValues::Organization => Named::Organization,
        FilterValues::OneOf(allowed) => return Ok(beginning_with(allowed, &beginning)),
        FilterValues::YesNo => return Ok(beginning_with(&["true", "false"], &beginning)),
        FilterValues::SpanOrNever => return Ok(beginning_with(&["7d", "30d", ">30d", ">90d", "never"], &beginning)),
        FilterValues::Span => return Ok(beginning_with(&["7d", "30d", ">30d", ">1y"], &beginning)),
        FilterValues::Time | FilterValues::Text => return Ok(Vec::new()),
    };
    app.db().read(move |tx| Ok(names::list(tx, realm, what, &beginning, OFFERED)?)).await
}

fn beginning_with(allowed: &[&str], beginning: &str) -> Vec<String> {
    allowed.iter().filter(|value| value.starts_with(beginning)).map(|value| (*value).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_and_wrong_ones_are_named() {
        let asked =
            Asked::read([("q", "ana"), ("status", "disabled"), ("group", "a"), ("group", "b"), ("sort", "-name")]);
        let asked = asked.unwrap();
        assert_eq!(asked.filters.len(), 3);
        assert_eq!(asked.sort, Some((UserSort::Name, Direction::Descending)));
        assert_eq!(Asked::read(asked.view().iter().map(|(a, b)| (a.as_str(), b.as_str()))), Ok(asked));
        let wrong =
            Asked::read([("statsu", "x"), ("limit", "0"), ("sort", "age"), ("q", "a"), ("q", "b"), ("attr.", "x")]);
        let wrong = wrong.unwrap_err();
        let fields: Vec<&str> = wrong.iter().map(|(field, _)| field).collect();
        assert_eq!(fields, ["attr.", "limit", "q", "sort", "statsu"]);
    }

    #[test]
    fn typed_filters_move_and_quoted_words_stay_words() {
        let asked = Asked { q: r#""http:x" status:disabled ana"#.to_owned(), ..Asked::default() }.untyped();
        assert_eq!(asked.q, r#""http:x" ana"#);
        assert_eq!(asked.filters, [("status".to_owned(), "disabled".to_owned())]);
        assert_eq!(asked.clone().untyped(), asked);
    }
}
