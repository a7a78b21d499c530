//! Orders of users, places in them, and the parts that are looked at.

use std::cmp::Ordering;

use denizen_model::{
    authenticators::AuthenticatorType,
    pages::{CursorKey, Direction},
    users::{Facet, UserQuery, UserSort},
};

use super::test::Test;
use crate::conn::Engine;

/// A user's place in an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) num: i64,
    pub(super) key: CursorKey,
}

/// By what and which way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order {
    pub(super) sort: UserSort,
    pub(super) direction: Direction,
}

impl Order {
    pub(super) fn of(query: &UserQuery) -> Self {
        let direction = match (query.direction, query.backward) {
            (direction, false) => direction,
            (Direction::Ascending, true) => Direction::Descending,
            (Direction::Descending, true) => Direction::Ascending,
        };
        Self { sort: query.sort, direction }
    }

    /// Those of the rows that a page asks for, in order.
    pub(super) fn page(&self, mut rows: Vec<Row>, bounds: &Bounds, wanted: i64) -> Vec<Row> {
        rows.retain(|row| bounds.place.as_ref().is_none_or(|place| self.is_beyond(row, place)));
        // Of thousands, only those of the page are put in order.
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        if wanted < rows.len() {
            rows.select_nth_unstable_by(wanted, |a, b| self.compare(a, b));
            rows.truncate(wanted);
        }
        rows.sort_unstable_by(|a, b| self.compare(a, b));
        rows
    }

    pub(super) fn compare(&self, a: &Row, b: &Row) -> Ordering {
        let keys = match (&a.key, &b.key) {
            (CursorKey::Text(a), CursorKey::Text(b)) => a.cmp(b),
            (a, b) => number(a).cmp(&number(b)),
        };
        let order = keys.then(a.num.cmp(&b.num));
        if self.direction == Direction::Descending { order.reverse() } else { order }
    }

    pub(super) fn is_beyond(&self, row: &Row, place: &Row) -> bool {
        self.compare(row, place) == Ordering::Greater
    }

    /// Whether its keys are texts.
    pub(super) fn is_textual(&self) -> bool {
        self.sort.is_textual() && self.sort != UserSort::BestMatch
    }

    pub(super) fn column(&self) -> &'static str {
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

    /// Whether a test bounds what the list is ordered by.
    pub(super) fn is_bound(&self, test: &Test) -> bool {
        matches!(test, Test::Within { column, .. } if *column == self.column())
    }

    pub(super) fn words(&self) -> (&'static str, &'static str) {
        match self.direction {
            Direction::Ascending => ("ASC", ">"),
            Direction::Descending => ("DESC", "<"),
        }
    }
}

/// How SQLite is told which index to walk; it may know too little of a young table to choose.
pub(super) fn index_of(engine: Engine, sort: UserSort) -> &'static str {
    if engine == Engine::Postgres {
        return "";
    }
    match sort {
        UserSort::CreatedAt | UserSort::BestMatch => "INDEXED BY user_index_by_creation",
        UserSort::LastSignInAt => "INDEXED BY user_index_by_sign_in",
        UserSort::Role => "INDEXED BY user_index_by_admin",
        UserSort::Name => "INDEXED BY user_index_by_name",
        UserSort::Email => "INDEXED BY user_index_by_email",
        UserSort::Phone => "INDEXED BY user_index_by_phone",
        UserSort::Reference => "INDEXED BY user_index_by_reference",
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
        Self { place: place.or_else(|| behind_those_without_number(query)), ..Self::default() }
    }
}

/// Where a list by number begins that has only those who have one: the others stand before them, and would be walked
/// over.
fn behind_those_without_number(query: &UserQuery) -> Option<Row> {
    let has_number = |(facet, present): &(Facet, bool)| {
        *present && matches!(facet, Facet::PhoneVerified(true) | Facet::Authenticator(AuthenticatorType::SmsCode))
    };
    let Order { sort, direction } = Order::of(query);
    let begins = sort == UserSort::Phone && direction == Direction::Ascending;
    (begins && query.filters.facets.iter().any(has_number))
        .then(|| Row { num: i64::MAX, key: CursorKey::Text(String::new()) })
}

/// A number as a sort key.
pub(super) fn number(key: &CursorKey) -> i64 {
    match key {
        CursorKey::Number(number) => *number,
        CursorKey::Text(_) => 0,
    }
}
