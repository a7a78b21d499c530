//! Lists and searches of users, straight on storage: what a page costs before HTTP and JSON.

use std::time::Instant;

use clap::Args;
use denizen_model::{
    RealmId, Timestamp,
    pages::{Cursor, CursorKey, Direction},
    users::UserSort,
};
use denizen_ops::users::{Asked, understand};
use denizen_store::{Db, users};

use crate::{failure::Result, histogram::Histogram, http, machine, people, storage};

#[derive(Args)]
pub(crate) struct Options {
    /// A `postgres://…` address, or the path of an embedded database file.
    #[arg(long)]
    database: String,
    /// The realm.
    #[arg(long, default_value = "load")]
    realm: String,
    /// How often each list is asked for.
    #[arg(long, default_value_t = 100)]
    times: u32,
    /// Only lists whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Only lists of which one in a hundred took longer than this, in milliseconds.
    #[arg(long, default_value_t = 0.0)]
    over: f64,
    /// A further search text to measure, in every order; filters may stand in it.
    #[arg(long)]
    search: Vec<String>,
}

/// What is typed, and how it is called in reports.
struct Search {
    name: &'static str,
    text: &'static str,
}

const fn search(name: &'static str, text: &'static str) -> Search {
    Search { name, text }
}

/// Searches that lists are measured with, each in its default order and in every other.
const SEARCHES: &[Search] = &[
    search("search rare", people::RARE.1),
    search("search common", people::COMMON.1),
    search("search very common", "example"),
    search("search two words", people::TWO_WORDS),
    search("search given name", "иван"),
    search("search two letters", people::RARE_SHORT.0),
    search("search nothing found", "xqzzyv"),
    search("search initial and name", people::INITIAL),
    search("search rare, mistyped", people::MISTYPED),
    search("search common, mistyped", "gonzalex"),
];

/// Filters that lists are measured with.
const FILTERS: &[Search] = &[
    search("kind", "kind:machine"),
    search("status", "status:disabled"),
    search("locked", "locked:true"),
    search("admin", "admin:true"),
    search("user", "admin:false"),
    search("email verified", "email_verified:true"),
    search("email not verified", "email_verified:false"),
    search("phone verified", "phone_verified:true"),
    search("has password", "has_password:true"),
    search("no password", "has_password:false"),
    search("authenticator", "authenticator:password"),
    search("required action", "required_action:update_password"),
    search("created in a week", "created:7d"),
    search("created between", "created:2025-01-01..2025-02-01"),
    search("last sign-in 7 days", "last_sign_in:7d"),
    search("last sign-in 30 days", "last_sign_in:30d"),
    search("last sign-in long ago", "last_sign_in:>180d"),
    search("never signed in", "last_sign_in:never"),
    search("reference", "reference:crm-00004711"),
    search("common group", "group:\"Team 1\""),
    search("group of some", "group:\"Team 20\""),
    search("rare group", "group:\"Team 40\""),
    search("large organization", "organization:\"Customer 1\""),
    search("small organization", "organization:\"Customer 60\""),
    search("common role", "role:role-1"),
    search("rare role", "role:role-12"),
    search("attribute", "attr.department:Finance"),
];

/// Pairs of filters.
const PAIRS: &[Search] = &[
    search("disabled, never signed in", "status:disabled last_sign_in:never"),
    search("disabled machine", "status:disabled kind:machine"),
    search("machine, signed in this week", "kind:machine last_sign_in:7d"),
    search("disabled, created between", "status:disabled created:2025-01-01..2025-02-01"),
    search("unverified, signed in long ago", "email_verified:false last_sign_in:>180d"),
    search("administrator who never signed in", "admin:true last_sign_in:never"),
    search("common group, disabled", "group:\"Team 1\" status:disabled"),
    search("rare group, enabled", "group:\"Team 40\" status:active"),
    search("two common groups", "group:\"Team 1\" group:\"Team 2\""),
    search("common group, signed in this week", "group:\"Team 1\" last_sign_in:7d"),
    search("organization, common role", "organization:\"Customer 1\" role:role-1"),
    search("organization, attribute", "organization:\"Customer 30\" attr.department:Legal"),
    search("attribute, unverified", "attr.department:Sales email_verified:false"),
    search("attribute, created in a week", "attr.department:Sales created:7d"),
    search("role, no password", "role:role-6 has_password:false"),
];

/// Searches with a filter.
const FILTERED: &[Search] = &[
    search("common name, disabled", "status:disabled gonzalez"),
    search("common name, machine", "kind:machine gonzalez"),
    search("common name, never signed in", "last_sign_in:never gonzalez"),
    search("rare name, enabled", "status:active quillfeather"),
    search("common name, common group", "group:\"Team 1\" gonzalez"),
    search("common name, rare group", "group:\"Team 40\" gonzalez"),
    search("common name, organization", "organization:\"Customer 1\" gonzalez"),
    search("common name, attribute", "attr.department:Finance gonzalez"),
    search("very common, unverified", "email_verified:false example"),
];

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    First,
    /// The last page, which is the first one of the opposite order.
    Last,
    /// Somewhere in the middle of the keys of the order.
    Deep(Cursor),
}

/// A list that is measured.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    /// What is like it: a line of the table.
    pub(crate) class: &'static str,
    pub(crate) name: String,
    /// What is typed.
    pub(crate) text: String,
    pub(crate) sort: Option<(UserSort, Direction)>,
    pub(crate) place: Place,
    /// The 99th percentile that it shall not exceed, in milliseconds.
    pub(crate) goal: f64,
}

/// How many rows a page has.
const PAGE: u32 = 50;
/// Of first pages in the default order.
const GOAL: f64 = 20.0;
/// Of all others.
const SORTED_GOAL: f64 = 60.0;

impl Query {
    fn asked(&self) -> Asked {
        let asked = Asked { q: self.text.clone(), sort: self.sort, limit: Some(PAGE), ..Asked::default() };
        match &self.place {
            Place::First => asked,
            Place::Last => Asked { backward: true, ..asked },
            Place::Deep(cursor) => Asked { cursor: Some(cursor.clone()), ..asked },
        }
    }

    /// The query string of the API. The last page is asked for by the place that the first one of the opposite order
    /// ends at, which is given.
    pub(crate) fn parameters(&self, cursor: Option<&str>) -> String {
        let mut out = format!("limit={PAGE}&q={}", http::escape(&self.text));
        if let Some((sort, direction)) = self.sort {
            let minus = if direction == Direction::Descending { "-" } else { "" };
            out.push_str(&format!("&sort={minus}{sort}"));
        }
        let own = match &self.place {
            Place::Deep(cursor) => Some(cursor.encode()),
            _ => None,
        };
        if let Some(cursor) = cursor.map(str::to_owned).or(own) {
            out.push_str(&format!("&cursor={cursor}"));
        }
        out
    }

    /// The first page of the opposite order.
    pub(crate) fn opposite(&self) -> Self {
        let turned = |direction| match direction {
            Direction::Ascending => Direction::Descending,
            Direction::Descending => Direction::Ascending,
        };
        Self { sort: self.sort.map(|(sort, direction)| (sort, turned(direction))), place: Place::First, ..self.clone() }
    }
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let db = storage::open(&options.database)?;
        let realm = storage::realm(&db, &options.realm).await?;
        println!("{:<60} {:>8} {:>9} {:>9} {:>9}", "list", "matches", "p50 ms", "p99 ms", "max ms");
        for query in queries(&options.search, machine::now()) {
            if query.name.contains(&options.only) {
                measure(&db, realm, &query, options).await?;
            }
        }
        Ok(())
    })
}

/// Every list that is measured. `more` are further texts to search for.
pub(crate) fn queries(more: &[String], now: Timestamp) -> Vec<Query> {
    let mut all = Vec::new();
    let whole = [search("list", "")];
    let texts = SEARCHES.iter().map(|search| (search.name, search.text, true));
    let more = more.iter().map(|text| (text.as_str(), text.as_str(), true));
    for (name, text, search) in whole.iter().map(|search| (search.name, search.text, false)).chain(texts).chain(more) {
        let class = |class: [&'static str; 2]| if search { class[1] } else { class[0] };
        let first = class(["all users, newest first", "searches, best match first"]);
        all.push(query(first, name.to_owned(), text, None, Place::First));
        let last = class(["all users, last page", "searches, last page by creation"]);
        all.push(query(last, format!("{name}, last page"), text, Some(NEWEST), Place::Last));
        for sort in UserSort::ALL.iter().filter(|sort| **sort != UserSort::BestMatch) {
            for (direction, word) in [(Direction::Ascending, "up"), (Direction::Descending, "down")] {
                let (sorted, name) = (Some((*sort, direction)), format!("{name}, {sort} {word}"));
                let class = class(["all users, by each column both ways", "searches, by each column both ways"]);
                all.push(query(class, name.clone(), text, sorted, Place::First));
                if let Some(place) = middle(*sort, now).filter(|_| direction == sort.natural()) {
                    let class = if search { "searches, in the middle" } else { "all users, in the middle" };
                    all.push(query(class, format!("{name}, in the middle"), text, sorted, place));
                }
            }
        }
    }
    let by_name = Some((UserSort::Name, Direction::Ascending));
    for (searches, first, last, deep, sorted) in [
        (
            FILTERS,
            "one filter, newest first",
            "one filter, last page",
            "one filter, in the middle",
            "one filter, by name",
        ),
        (
            PAIRS,
            "two filters, newest first",
            "two filters, last page",
            "two filters, in the middle",
            "two filters, by name",
        ),
        (
            FILTERED,
            "search and filter, best match first",
            "search and filter, last page by creation",
            "search and filter, in the middle",
            "search and filter, by name",
        ),
    ] {
        for Search { name, text } in searches {
            all.push(query(first, format!("filter {name}"), text, None, Place::First));
            all.push(query(last, format!("filter {name}, last page"), text, Some(NEWEST), Place::Last));
            if let Some(place) = middle(UserSort::CreatedAt, now) {
                all.push(query(deep, format!("filter {name}, in the middle"), text, Some(NEWEST), place));
            }
            all.push(query(sorted, format!("filter {name}, by name"), text, by_name, Place::First));
        }
    }
    all
}

const NEWEST: (UserSort, Direction) = (UserSort::CreatedAt, Direction::Descending);

fn query(class: &'static str, name: String, text: &str, sort: Option<(UserSort, Direction)>, place: Place) -> Query {
    let goal = if sort.is_none() && place == Place::First { GOAL } else { SORTED_GOAL };
    Query { class, name, text: text.to_owned(), sort, place, goal }
}

/// A place in the middle of an order; of columns that have one.
fn middle(sort: UserSort, now: Timestamp) -> Option<Place> {
    const DAY: i64 = 24 * 3600 * 1_000_000;
    let ago = |days: i64| CursorKey::Number(now.as_micros() - days * DAY);
    let key = match sort {
        UserSort::CreatedAt => ago(540),
        UserSort::LastSignInAt => ago(100),
        UserSort::Name => CursorKey::Text("mar".to_owned()),
        UserSort::Email => CursorKey::Text("maria.m".to_owned()),
        _ => return None,
    };
    Some(Place::Deep(Cursor { key, id: "0".to_owned() }))
}

async fn measure(db: &Db, realm: RealmId, query: &Query, options: &Options) -> Result<()> {
    let mut histogram = Histogram::new();
    let mut total = None;
    let (begun, now) = (Instant::now(), machine::now());
    for round in 0..options.times + 3 {
        let asked = query.asked();
        let started = Instant::now();
        let page = db
            .read::<_, denizen_ops::Error, _>(move |tx| {
                let understood = understand(tx, realm, now, &asked)?;
                Ok(users::list(tx, realm, &understood.query)?)
            })
            .await?;
        // The first few prepare statements and fill caches.
        if round >= 3 {
            histogram.record(started.elapsed());
        }
        total = Some(page.total);
        if begun.elapsed().as_secs() > 20 {
            break;
        }
    }
    let total =
        total.map_or_else(String::new, |total| format!("{}{}", total.count, if total.exact { "" } else { "~" }));
    let [p50, p99, max] = [0.5, 0.99, 1.0].map(|share| histogram.quantile_ms(share));
    if p99 >= options.over {
        println!("{:<60} {total:>8} {p50:>9.2} {p99:>9.2} {max:>9.2}", query.name);
    }
    Ok(())
}
