//! The index is what the records say, also in a database that an older Denizen made.

use denizen_model::{
    RealmId,
    users::{UserFilters, UserKind, UserQuery},
};

use super::*;
use crate::{
    migrations::script_of,
    sql::Sql,
    tests::{create, databases, stored_realm, user},
    users::list,
};

const FORGET: Sql = plain("DELETE FROM user_index");
const STORED: Sql = plain("SELECT facets FROM user_index ORDER BY num");
const UNMARK: Sql = plain("UPDATE user_index SET facets = replace(facets, ' ' || CAST(?1 AS TEXT), '')");
const MARK: Sql = plain("UPDATE user_index SET facets = facets || ' ' || CAST(?1 AS TEXT) WHERE email_key <> ''");

const fn plain(text: &'static str) -> Sql {
    Sql { sqlite: text, postgres: text }
}

/// People with an address, a number, both and neither, and a machine with both.
async fn fill(db: &Db, realm: RealmId) {
    for n in 0..5 {
        let mut somebody = user(realm, &format!("somebody{n}@example.com"), &format!("Somebody {n}"));
        somebody.email = somebody.email.filter(|_| n % 2 == 0);
        somebody.phone = (n >= 2).then(|| format!("+49301234560{n}"));
        somebody.kind = if n == 4 { UserKind::Machine } else { UserKind::Human };
        create(db, &somebody).await.unwrap();
    }
}

async fn run(db: &Db, sql: &'static Sql, values: Vec<String>) {
    db.write(move |mut tx| {
        let values: Vec<_> = values.iter().map(|value| value.as_str().into()).collect();
        tx.execute(sql, &values)?;
        tx.unaudited("as an older database is", ())
    })
    .await
    .unwrap();
}

/// The marks of each user, in the order of the alphabet.
async fn marks_of_all(db: &Db) -> Vec<Vec<String>> {
    let stored = db.read(|tx| tx.list(&STORED, &[], |row| row.text("facets"))).await.unwrap();
    let apart = |facets: &String| {
        let mut marks: Vec<String> = facets.split(' ').map(str::to_owned).collect();
        marks.sort_unstable();
        marks
    };
    stored.iter().map(apart).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn users_of_an_older_database_are_put_into_the_index() {
    for (db, _folder) in databases() {
        let realm = stored_realm(&db).await.id;
        fill(&db, realm).await;
        let before = marks_of_all(&db).await;
        run(&db, &FORGET, vec![]).await;
        assert_eq!(complete(&db).await.unwrap(), 5);
        assert_eq!(marks_of_all(&db).await, before);
        let query = UserQuery { search: Some("somebody".into()), ..UserQuery::default() };
        let found = db.read(move |tx| list::list(tx, realm, &query)).await.unwrap();
        assert!(!found.items.is_empty());
        assert_eq!(complete(&db).await.unwrap(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn users_of_an_older_database_get_the_marks_of_their_addresses() {
    let mark = |kind| Facet::Authenticator(kind).mark();
    let of_addresses = AuthenticatorType::ALL.iter().copied().filter(|kind| kind.comes_with_address());
    let of_addresses: Vec<String> = of_addresses.map(mark).collect();
    for (db, _folder) in databases() {
        let realm = stored_realm(&db).await.id;
        fill(&db, realm).await;
        let right = marks_of_all(&db).await;
        // Nobody had such a mark but those who had used what comes with an address, of each kind.
        for mark in &of_addresses {
            run(&db, &UNMARK, vec![mark.clone()]).await;
        }
        let without = marks_of_all(&db).await;
        assert_eq!(right.iter().zip(&without).map(|(a, b)| a.len() - b.len()).collect::<Vec<_>>(), [1, 0, 2, 1, 0]);
        for before in [false, true] {
            for mark in of_addresses.iter().filter(|_| before) {
                run(&db, &MARK, vec![mark.clone()]).await;
            }
            db.write(|mut tx| {
                let script = script_of("0011_marks_of_addresses", tx.engine());
                tx.script(&script)?;
                tx.unaudited("as a new Denizen does with an older database", ())
            })
            .await
            .unwrap();
            let people = marks_of_all(&db).await;
            assert_eq!(people[..4], right[..4]);
        }
        // Full text knows, and hears of what changes later.
        let by_mark = || UserFilters {
            facets: vec![(Facet::authenticator(AuthenticatorType::MagicLink), true)],
            ..UserFilters::default()
        };
        for expected in [2, 0] {
            let query = UserQuery { filters: by_mark(), limit: 10, ..UserQuery::default() };
            let found = db.read(move |tx| list::list(tx, realm, &query)).await.unwrap();
            let found = found.items.iter().filter(|user| user.kind == UserKind::Human).count();
            assert_eq!(found, expected);
            run(&db, &UNMARK, vec![Facet::authenticator(AuthenticatorType::EmailCode).mark()]).await;
        }
    }
}
