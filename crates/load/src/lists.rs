//! Lists and searches of users, straight on storage: what a page costs before HTTP and JSON.

use std::time::Instant;

use clap::Args;
use denizen_model::{RealmId, pages::Direction, users::UserSort};
use denizen_ops::users::{Asked, understand};
use denizen_store::{Db, users};

use crate::{failure::Result, histogram::Histogram, machine, people, seed};

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

/// A list that is measured: what is typed, and how it is called in reports.
pub(crate) struct Search {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
}

const fn search(name: &'static str, text: &'static str) -> Search {
    Search { name, text }
}

/// Searches that lists are measured with, each in its default order and in every other.
pub(crate) const SEARCHES: &[Search] = &[
    search("list", ""),
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

/// Filters that lists are measured with: each alone, pairs, and with searches; in the default order and by name.
pub(crate) const FILTERS: &[Search] = &[
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
    search("disabled, never signed in", "status:disabled last_sign_in:never"),
    search("disabled machine", "status:disabled kind:machine"),
    search("machine, signed in this week", "kind:machine last_sign_in:7d"),
    search("disabled, created between", "status:disabled created:2025-01-01..2025-02-01"),
    search("unverified, signed in long ago", "email_verified:false last_sign_in:>180d"),
    search("administrator who never signed in", "admin:true last_sign_in:never"),
    search("common name, disabled", "status:disabled gonzalez"),
    search("common name, machine", "kind:machine gonzalez"),
    search("common name, never signed in", "last_sign_in:never gonzalez"),
    search("rare name, enabled", "status:active quillfeather"),
];

pub(crate) fn run(options: &Options) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let db = seed::open(&options.database)?;
        let realm = seed::realm(&db, &options.realm).await?;
        println!("{:<52} {:>8} {:>9} {:>9} {:>9}", "list", "matches", "p50 ms", "p99 ms", "max ms");
        for (name, asked) in queries(&options.search) {
            if name.contains(&options.only) {
                measure(&db, realm, &name, &asked, options).await?;
            }
        }
        Ok(())
    })
}

/// Every list that is measured, with its name.
pub(crate) fn queries(more: &[String]) -> Vec<(String, Asked)> {
    let mut queries = Vec::new();
    let asked = |text: &str, sort| Asked { q: text.to_owned(), sort, limit: Some(50), ..Asked::default() };
    let more = more.iter().map(|text| (text.as_str(), text.as_str()));
    for (name, text) in SEARCHES.iter().map(|search| (search.name, search.text)).chain(more) {
        queries.push((name.to_owned(), asked(text, None)));
        queries.push((format!("{name}, last page"), Asked { backward: true, ..asked(text, Some(NEWEST)) }));
        for sort in UserSort::ALL.iter().filter(|sort| **sort != UserSort::BestMatch) {
            for (direction, word) in [(Direction::Ascending, "up"), (Direction::Descending, "down")] {
                queries.push((format!("{name}, {sort} {word}"), asked(text, Some((*sort, direction)))));
            }
        }
    }
    for Search { name, text } in FILTERS {
        queries.push((format!("filter {name}"), asked(text, None)));
        queries.push((format!("filter {name}, last page"), Asked { backward: true, ..asked(text, Some(NEWEST)) }));
        queries.push((format!("filter {name}, name up"), asked(text, Some((UserSort::Name, Direction::Ascending)))));
    }
    queries
}

const NEWEST: (UserSort, Direction) = (UserSort::CreatedAt, Direction::Descending);

async fn measure(db: &Db, realm: RealmId, name: &str, asked: &Asked, options: &Options) -> Result<()> {
    let mut histogram = Histogram::new();
    let mut total = None;
    let (begun, now) = (Instant::now(), machine::now());
    for round in 0..options.times + 3 {
        let asked = asked.clone();
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
        println!("{name:<52} {total:>8} {p50:>9.2} {p99:>9.2} {max:>9.2}");
    }
    Ok(())
}
