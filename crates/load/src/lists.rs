//! Lists and searches of users, straight on storage: what a page costs before HTTP and JSON.

use std::time::Instant;

use clap::Args;
use denizen_model::{
    RealmId,
    pages::Direction,
    users::{UserQuery, UserSort},
};
use denizen_store::{Db, users};

use crate::{failure::Result, histogram::Histogram, people, seed};

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
    /// A further search text to measure, in every order.
    #[arg(long)]
    search: Vec<String>,
}

/// A list that is measured: what is searched, and how it is called in reports.
pub(crate) struct Search {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
}

/// What lists are measured with.
pub(crate) const SEARCHES: &[Search] = &[
    Search { name: "list", text: "" },
    Search { name: "search rare", text: people::RARE.1 },
    Search { name: "search common", text: people::COMMON.1 },
    Search { name: "search very common", text: "example" },
    Search { name: "search two words", text: people::TWO_WORDS },
    Search { name: "search given name", text: "иван" },
    Search { name: "search two letters", text: people::RARE_SHORT.0 },
    Search { name: "search nothing found", text: "xqzzyv" },
];

pub(crate) fn run(options: &Options) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let db = seed::open(&options.database)?;
        let realm = seed::realm(&db, &options.realm).await?;
        let asked = options.search.iter().map(|text| (text.as_str(), text.as_str()));
        let searches: Vec<(&str, &str)> =
            SEARCHES.iter().map(|search| (search.name, search.text)).chain(asked).collect();
        println!("{:<44} {:>8} {:>9} {:>9} {:>9}", "list", "matches", "p50 ms", "p99 ms", "max ms");
        for (name, text) in searches {
            for sort in UserSort::ALL.iter().filter(|sort| **sort != UserSort::BestMatch || !text.is_empty()) {
                for direction in [Direction::Descending, Direction::Ascending] {
                    let name =
                        format!("{name}, {sort} {}", if direction == Direction::Ascending { "up" } else { "down" });
                    if !name.contains(&options.only) {
                        continue;
                    }
                    let query = UserQuery {
                        search: Some(text.to_owned()),
                        sort: *sort,
                        direction,
                        limit: 20,
                        ..UserQuery::default()
                    };
                    measure(&db, realm, &name, &query, options.times).await?;
                }
            }
        }
        Ok(())
    })
}

async fn measure(db: &Db, realm: RealmId, name: &str, query: &UserQuery, times: u32) -> Result<()> {
    let mut histogram = Histogram::new();
    let mut total = None;
    let begun = Instant::now();
    for round in 0..times + 3 {
        let asked = query.clone();
        let started = Instant::now();
        let page = db.read::<_, denizen_store::Error, _>(move |tx| users::list(tx, realm, &asked)).await?;
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
        total.map_or_else(String::new, |total| format!("{}{}", total.count, if total.exact { "" } else { "+" }));
    let [p50, p99, max] = [0.5, 0.99, 1.0].map(|share| histogram.quantile_ms(share));
    println!("{name:<44} {total:>8} {p50:>9.2} {p99:>9.2} {max:>9.2}");
    Ok(())
}
