//! Every way of finding answers what a plain look at every user would.

use std::collections::HashSet;

use denizen_model::{
    Timestamp, UserId,
    authenticators::AuthenticatorType,
    pages::{CursorKey, Direction},
    text::fold,
    users::{Facet, Span, User, UserFilters, UserKind, UserQuery, UserSort, word_beginning},
};

use super::{order::number, *};
use crate::{
    Db,
    tests::{NOW, bytes, create, databases, event, stored_realm, user},
};

/// Few users show what a million would.
const LOW: Limits = Limits {
    small: 10,
    few: 12,
    few_best: 12,
    few_at_most: 20,
    walked_at_most: 60,
    walked_at_most_postgres: 60,
    walked_narrow: 120,
    walked_narrow_postgres: 120,
    sorted_at_most: 80,
    found_rather_than_walked: 30,
};

const NAMES: &[(&str, &str)] = &[
    ("John", "Smith"),
    ("Johanna", "Schmidt"),
    ("José", "García"),
    ("Maria", "Johnson"),
    ("Ana", "Smithson"),
    ("Иван", "Петров"),
    ("太郎", "山田"),
    ("Zoe", "Adams"),
];

fn person(realm: RealmId, n: usize) -> User {
    let (given, family) = NAMES[n * 7 % NAMES.len()];
    let mut user =
        user(realm, &format!("{}{n}@example.com", fold(given).replace(' ', "")), &format!("{given} {family}"));
    user.id = UserId::new(NOW, bytes());
    user.created_at = Timestamp::from_micros(NOW.as_micros() + i64::try_from(n % 50).unwrap());
    user.last_sign_in_at =
        (!n.is_multiple_of(3)).then(|| Timestamp::from_micros(1 + i64::try_from(n * 31 % 17).unwrap()));
    user.enabled = !n.is_multiple_of(9);
    user.reference = n.is_multiple_of(4).then(|| format!("R-{}", n / 8));
    user.phone = n.is_multiple_of(5).then(|| format!("+4930{:06}", n / 2));
    if n % 13 == 4 {
        // Too long for the entry of an index.
        user.username = format!("{n}{}", "x".repeat(1500));
    }
    if n.is_multiple_of(11) {
        (user.kind, user.email) = (UserKind::Machine, None);
    }
    user
}

async fn fill(db: &Db, realm: RealmId, count: usize) -> Vec<User> {
    let people: Vec<User> = (0..count).map(|n| person(realm, n)).collect();
    let stored = people.clone();
    db.write(move |mut tx| {
        for user in &stored {
            crate::users::insert(&mut tx, user)?;
        }
        tx.commit(event(stored[0].realm_id, &stored[0]), ())
    })
    .await
    .unwrap();
    people
}

fn matches(user: &User, query: &UserQuery) -> bool {
    let text = user.search_text(&[]);
    let found = query.terms().iter().all(|term| {
        if term.chars().count() < 3 { text.contains(&word_beginning(term)) } else { text.contains(term.as_str()) }
    });
    let facets = query.filters.facets.iter().all(|(facet, present)| user.own_facets(&[]).contains(facet) == *present);
    let at = user.last_sign_in_at.map_or(0, Timestamp::as_micros);
    let within = |span: Span, at: i64| {
        span.after.is_none_or(|after| at >= after.as_micros())
            && span.before.is_none_or(|before| at < before.as_micros())
    };
    let signed_in = within(query.filters.last_sign_in, at) && (query.filters.last_sign_in.is_open() || at > 0);
    let never = query.filters.never_signed_in.is_none_or(|never| never == (at == 0));
    let reference = query
        .filters
        .reference
        .as_ref()
        .is_none_or(|wanted| user.reference.as_deref().map(fold).as_deref() == Some(wanted.as_str()));
    found && facets && signed_in && never && reference && within(query.filters.created, user.created_at.as_micros())
}

fn key(user: &User, sort: UserSort) -> CursorKey {
    let text = |text: &Option<String>| CursorKey::Text(fold(text.as_deref().unwrap_or("")));
    match sort {
        UserSort::Name => CursorKey::Text(fold(&user.name)),
        UserSort::Email => text(&user.email),
        UserSort::Phone => text(&user.phone),
        UserSort::Reference => text(&user.reference),
        UserSort::LastSignInAt => CursorKey::Number(user.last_sign_in_at.map_or(0, Timestamp::as_micros)),
        UserSort::Role => CursorKey::Number(0),
        UserSort::CreatedAt | UserSort::BestMatch => CursorKey::Number(user.created_at.as_micros()),
    }
}

fn cmp(a: &CursorKey, b: &CursorKey) -> std::cmp::Ordering {
    match (a, b) {
        (CursorKey::Text(a), CursorKey::Text(b)) => a.cmp(b),
        (a, b) => number(a).cmp(&number(b)),
    }
}

async fn walk_through(db: &Db, realm: RealmId, query: &UserQuery, backward: bool) -> Vec<User> {
    let mut query = UserQuery { limit: 7, ..query.clone() };
    let mut seen: Vec<User> = Vec::new();
    query.backward = backward;
    loop {
        let asked = query.clone();
        let found = db.read(move |tx| list_within(tx, realm, &asked, LOW)).await.unwrap();
        let place = if backward {
            seen.splice(0..0, found.page.items);
            found.previous
        } else {
            seen.extend(found.page.items);
            found.page.next
        };
        assert!(seen.iter().map(|user| user.id).collect::<HashSet<_>>().len() == seen.len(), "twice: {query:?}");
        query.after = place;
        if query.after.is_none() {
            return seen;
        }
    }
}

fn queries() -> Vec<UserQuery> {
    let searches = [
        None,
        Some("john"),
        Some("smith"),
        Some("example"),
        Some("jo"),
        Some("zoe adams"),
        Some("山"),
        Some("+4930"),
        Some("xyzzy"),
    ];
    let at = |n: i64| Some(Timestamp::from_micros(n));
    let filters = [
        UserFilters::default(),
        UserFilters { facets: vec![(Facet::Enabled(false), true)], ..UserFilters::default() },
        UserFilters {
            facets: vec![(Facet::Kind(UserKind::Machine), true), (Facet::Enabled(true), true)],
            ..UserFilters::default()
        },
        UserFilters {
            facets: vec![(Facet::Admin, false), (Facet::HasPassword(false), true)],
            ..UserFilters::default()
        },
        UserFilters {
            facets: vec![(Facet::authenticator(AuthenticatorType::SmsCode), true)],
            ..UserFilters::default()
        },
        UserFilters { never_signed_in: Some(true), ..UserFilters::default() },
        UserFilters { last_sign_in: Span { after: at(3), before: at(9) }, ..UserFilters::default() },
        UserFilters { last_sign_in: Span { after: None, before: at(4) }, ..UserFilters::default() },
        UserFilters {
            created: Span { after: at(NOW.as_micros() + 10), before: at(NOW.as_micros() + 20) },
            ..UserFilters::default()
        },
        UserFilters { reference: Some("r-3".into()), ..UserFilters::default() },
    ];
    let mut queries = Vec::new();
    for (n, search) in searches.into_iter().enumerate() {
        // Each search with a few filters, and each filter with a few searches.
        for filters in
            filters.iter().enumerate().filter(|(m, _)| *m == 0 || (n + m) % 3 == 0).map(|(_, filters)| filters)
        {
            queries.push(UserQuery {
                search: search.map(str::to_owned),
                filters: filters.clone(),
                ..UserQuery::default()
            });
        }
    }
    queries
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_finds_what_a_plain_look_finds_in_the_order_asked_for() {
    for (db, _folder) in databases() {
        let (realm, other) = (stored_realm(&db).await, stored_realm(&db).await);
        let people = fill(&db, realm.id, 150).await;
        fill(&db, other.id, 40).await;
        for query in queries() {
            let mut expected: Vec<&User> = people.iter().filter(|user| matches(user, &query)).collect();
            for sort in UserSort::ALL.iter().copied().filter(|sort| *sort != UserSort::BestMatch) {
                for direction in [Direction::Ascending, Direction::Descending] {
                    let query = UserQuery { sort, direction, ..query.clone() };
                    for backward in [false, true] {
                        let found = walk_through(&db, realm.id, &query, backward).await;
                        // Where few match, what is near is shown too.
                        let found: Vec<&User> = found.iter().filter(|user| matches(user, &query)).collect();
                        let order = |a: &&User, b: &&User| match direction {
                            Direction::Ascending => cmp(&key(a, sort), &key(b, sort)),
                            Direction::Descending => cmp(&key(b, sort), &key(a, sort)),
                        };
                        assert!(found.is_sorted_by(|a, b| order(a, b).is_le()), "{query:?}");
                        let ids = |users: &[&User]| {
                            let mut ids: Vec<UserId> = users.iter().map(|user| user.id).collect();
                            ids.sort_unstable();
                            ids
                        };
                        expected.sort_by(order);
                        assert_eq!(ids(&found), ids(&expected), "{query:?} backward: {backward}");
                    }
                }
            }
        }
    }
}

/// Filters for a time and for a mark, from places before, within and behind the time's range.
#[tokio::test(flavor = "multi_thread")]
async fn ranges_are_found_from_wherever_a_page_begins() {
    let at = |n: i64| Some(Timestamp::from_micros(n));
    let (from, until) = (NOW.as_micros() + 10, NOW.as_micros() + 20);
    let created = UserFilters { created: Span { after: at(from), before: at(until) }, ..UserFilters::default() };
    let signed_in = UserFilters { last_sign_in: Span { after: at(3), before: at(9) }, ..UserFilters::default() };
    let marks = [vec![], vec![(Facet::Enabled(false), true)], vec![(Facet::Kind(UserKind::Human), true)]];
    for (db, _folder) in databases() {
        let realm = stored_realm(&db).await;
        let people = fill(&db, realm.id, 150).await;
        for (sort, filters, places) in [
            (UserSort::CreatedAt, &created, [from - 5, from, from + 4, until, until + 5]),
            (UserSort::LastSignInAt, &signed_in, [0, 3, 5, 9, 12]),
            (UserSort::CreatedAt, &signed_in, [from - 5, from, from + 4, until, until + 5]),
        ] {
            for facets in &marks {
                let filters = UserFilters { facets: facets.clone(), ..filters.clone() };
                for (place, direction) in
                    places.iter().flat_map(|place| [(*place, Direction::Ascending), (*place, Direction::Descending)])
                {
                    let after = Some(Cursor { key: CursorKey::Number(place), id: "0".to_owned() });
                    let query = UserQuery { filters: filters.clone(), sort, direction, after, ..UserQuery::default() };
                    let is_beyond = |user: &User| match direction {
                        Direction::Ascending => number(&key(user, sort)) >= place,
                        Direction::Descending => number(&key(user, sort)) < place,
                    };
                    let found = walk_through(&db, realm.id, &query, false).await;
                    let mut ids: Vec<UserId> = found.iter().map(|user| user.id).collect();
                    let beyond = people.iter().filter(|user| matches(user, &query) && is_beyond(user));
                    let mut expected: Vec<UserId> = beyond.map(|user| user.id).collect();
                    ids.sort_unstable();
                    expected.sort_unstable();
                    assert_eq!(ids, expected, "{query:?}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_best_match_comes_first_and_pages_hold_both_ways() {
    for (db, _folder) in databases() {
        let realm = stored_realm(&db).await;
        let people = fill(&db, realm.id, 150).await;
        for query in queries().into_iter().filter(|query| query.search.is_some()) {
            let query = UserQuery { sort: UserSort::BestMatch, direction: Direction::Ascending, ..query };
            let found = walk_through(&db, realm.id, &query, false).await;
            let back = walk_through(&db, realm.id, &query, true).await;
            assert_eq!(back, found, "{query:?}");
            let mut ids: Vec<UserId> = found.iter().filter(|user| matches(user, &query)).map(|user| user.id).collect();
            let text = fold(query.search.as_deref().unwrap());
            let tier = |user: &User| {
                let email = fold(user.email.as_deref().unwrap_or(""));
                if !matches(user, &query) {
                    5
                } else if email == text || user.reference.as_deref().map(fold).as_deref() == Some(text.as_str()) {
                    1
                } else if fold(&user.name).starts_with(&text) {
                    2
                } else if email.starts_with(&text) {
                    3
                } else {
                    4
                }
            };
            assert!(found.is_sorted_by_key(tier), "{query:?}");
            let mut expected: Vec<UserId> =
                people.iter().filter(|user| matches(user, &query)).map(|user| user.id).collect();
            ids.sort_unstable();
            expected.sort_unstable();
            assert_eq!(ids, expected, "{query:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_found_as_people_remember_them() {
    for (db, _folder) in databases() {
        let realm = stored_realm(&db).await;
        let mut people = [
            user(realm.id, "a1@example.com", "John Smith"),
            user(realm.id, "smith.j@acme.com", "Somebody Else"),
            user(realm.id, "c1@example.com", "José Álvarez"),
            user(realm.id, "d1@example.com", "Иван Петров"),
            user(realm.id, "e1@example.com", "山田 太郎"),
            user(realm.id, "f1@example.com", "Siobhán O'Brien"),
        ];
        for person in &mut people {
            person.id = UserId::new(NOW, bytes());
        }
        let stored = people.clone();
        db.write(move |mut tx| {
            for user in &stored {
                crate::users::insert(&mut tx, user)?;
            }
            tx.commit(event(stored[0].realm_id, &stored[0]), ())
        })
        .await
        .unwrap();
        for (search, expected) in [
            ("jsmith", vec![0, 1]),
            ("jsmi", vec![0, 1]),
            ("johnsmith", vec![0]),
            ("smith john", vec![0]),
            ("smiht", vec![0, 1]),
            ("smth john", vec![0]),
            ("alvares", vec![2]),
            ("jose alvarez", vec![2]),
            ("петроф", vec![3]),
            ("太郎 山田", vec![4]),
            ("obrien", vec![5]),
            ("siobhan", vec![5]),
            ("xiobhan", vec![5]),
            ("jonh", vec![]),
        ] {
            for sort in UserSort::ALL {
                let (query, id) =
                    (UserQuery { search: Some(search.into()), sort: *sort, ..UserQuery::default() }, realm.id);
                let found = db.read(move |tx| list(tx, id, &query)).await.unwrap();
                let mut at: Vec<usize> = (found.items.iter())
                    .map(|user| people.iter().position(|person| person.id == user.id).unwrap())
                    .collect();
                at.sort_unstable();
                assert_eq!(at, expected, "{search} by {sort}");
                assert_eq!(found.total, Total::exact(expected.len() as u64));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_near_is_found_in_every_order() {
    for (db, _folder) in databases() {
        let (realm, other) = (stored_realm(&db).await, stored_realm(&db).await);
        let people = fill(&db, realm.id, 150).await;
        fill(&db, other.id, 40).await;
        for (search, near) in
            [("smiht", " smith "), ("johnsmith", " johnsmith"), ("jadams", " adams "), ("zadam", " zadam")]
        {
            let has = |user: &User| user.near_text().contains(near);
            for (sort, enabled) in UserSort::ALL.iter().flat_map(|sort| [(*sort, None), (*sort, Some(false))]) {
                let facets: Vec<_> = enabled.map(|enabled| (Facet::Enabled(enabled), true)).into_iter().collect();
                let filters = UserFilters { facets, ..UserFilters::default() };
                let direction = Direction::Ascending;
                let query = UserQuery { search: Some(search.into()), sort, direction, filters, ..UserQuery::default() };
                let wanted = |user: &&User| has(user) && enabled.is_none_or(|enabled| user.enabled == enabled);
                let mut expected: Vec<UserId> = people.iter().filter(wanted).map(|user| user.id).collect();
                expected.sort_unstable();
                let found = walk_through(&db, realm.id, &query, false).await;
                assert_eq!(walk_through(&db, realm.id, &query, true).await, found, "{query:?}");
                if sort != UserSort::BestMatch {
                    assert!(found.is_sorted_by(|a, b| cmp(&key(a, sort), &key(b, sort)).is_le()), "{query:?}");
                }
                let mut found: Vec<UserId> = found.iter().map(|user| user.id).collect();
                found.sort_unstable();
                assert_eq!(found, expected, "{query:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mistyped_words_of_somebody_who_is_gone_are_forgotten() {
    for (db, _folder) in databases() {
        let realm = stored_realm(&db).await;
        let twins = ["a@example.com", "b@example.com"].map(|name| user(realm.id, name, "Quirin Unterholzner"));
        for twin in twins.clone() {
            db.write(move |mut tx| {
                crate::users::insert(&mut tx, &twin)?;
                tx.commit(event(twin.realm_id, &twin), ())
            })
            .await
            .unwrap();
        }
        for (twin, left) in twins.into_iter().zip([1, 0]) {
            db.write(move |mut tx| {
                crate::users::delete(&mut tx, &twin)?;
                tx.commit(event(twin.realm_id, &twin), ())
            })
            .await
            .unwrap();
            let words = db.read(|tx| index::meant(tx, "unterholzer")).await.unwrap();
            assert_eq!(words.len(), left);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_only_the_parts_of_a_word_is_not_found() {
    for (db, _folder) in databases() {
        let realm = stored_realm(&db).await.id;
        for (n, name) in ["Ana Gonzalez", "Gon Nza Lez", "Gonza Nzalez"].into_iter().enumerate() {
            let person = user(realm, &format!("p{n}@example.com"), name);
            create(&db, &person).await.unwrap();
        }
        for sort in [UserSort::Name, UserSort::BestMatch] {
            let query = UserQuery { search: Some("gonzalez".into()), sort, limit: 10, ..UserQuery::default() };
            let found = db.read(move |tx| list(tx, realm, &query)).await.unwrap();
            let names: Vec<&str> = found.items.iter().map(|user| user.name.as_str()).collect();
            assert_eq!(names.first(), Some(&"Ana Gonzalez"), "{names:?}");
            assert!(!names.contains(&"Gon Nza Lez"), "{names:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_only_the_middle_of_a_common_word_is_not_found() {
    for (db, _folder) in databases() {
        let realm = stored_realm(&db).await.id;
        let people: Vec<User> = (0..200)
            .map(|n| {
                let name = match n {
                    n if n % 48 == 1 => "Bo Anzano",
                    n if n % 6 == 0 => "Ana Gonzalez",
                    _ => "Cy Braun",
                };
                let mut person = user(realm, &format!("p{n}@example.com"), name);
                person.enabled = n % 12 != 0 && n % 48 != 1;
                person
            })
            .collect();
        let stored = people.clone();
        db.write(move |mut tx| {
            for user in &stored {
                crate::users::insert(&mut tx, user)?;
            }
            tx.commit(event(stored[0].realm_id, &stored[0]), ())
        })
        .await
        .unwrap();
        let filters = UserFilters { facets: vec![(Facet::Enabled(false), true)], ..UserFilters::default() };
        let is_sought = |user: &&User| !user.enabled && user.name == "Ana Gonzalez";
        let sought = people.iter().filter(is_sought).count();
        assert!(people.iter().filter(|user| !user.enabled).count() > sought);
        for sort in [UserSort::Name, UserSort::Phone, UserSort::CreatedAt, UserSort::BestMatch] {
            let query = UserQuery {
                search: Some("gonzalez".into()),
                filters: filters.clone(),
                sort,
                limit: 50,
                ..UserQuery::default()
            };
            // So many that the index is asked.
            let limits = Limits { few: 200, few_best: 200, few_at_most: 200, ..LOW };
            let found = db.read(move |tx| list_within(tx, realm, &query, limits)).await.unwrap().page;
            assert_eq!(found.items.len(), sought, "{sort}");
            assert!(found.items.iter().all(|user| user.name == "Ana Gonzalez"), "{sort}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_that_unfold_to_many_find_room_in_every_index() {
    for (db, _folder) in databases() {
        let realm = stored_realm(&db).await.id;
        // One letter, folded: 33 bytes.
        let mut person = user(realm, "long@example.com", &"\u{fdfa}".repeat(200));
        person.reference = Some("\u{fdfa}".repeat(255));
        create(&db, &person).await.unwrap();
        let filters = UserFilters { reference: person.reference.as_deref().map(fold), ..UserFilters::default() };
        for (search, filters) in [(Some("\u{fdfa}".repeat(3)), UserFilters::default()), (None, filters)] {
            for sort in [UserSort::Name, UserSort::Reference, UserSort::CreatedAt] {
                let query = UserQuery {
                    search: search.clone(),
                    filters: filters.clone(),
                    sort,
                    limit: 10,
                    ..UserQuery::default()
                };
                let found = db.read(move |tx| list(tx, realm, &query)).await.unwrap();
                assert_eq!(found.items.len(), 1, "{sort}");
            }
        }
    }
}
