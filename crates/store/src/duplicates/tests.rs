//! What two records share, as it is noted with every change of them.

use denizen_model::{
    RealmId,
    users::{User, UserKind},
};

use crate::{
    Db, Location, duplicates,
    tests::{NOW, create, databases, random, stored_realm, user},
    users,
};

/// The groups of a realm: why, and who.
async fn groups(db: &Db, realm: RealmId) -> Vec<(&'static str, Vec<String>)> {
    let found = db.read(move |tx| duplicates::list(tx, realm, None, None, 100)).await.unwrap();
    let count = db.read(move |tx| duplicates::count(tx, realm, None)).await.unwrap();
    assert_eq!(count, (found.len() as u64, true));
    let names = |group: duplicates::Group| {
        let mut names: Vec<String> = group.users.into_iter().map(|user| user.username).collect();
        names.sort();
        names
    };
    found.into_iter().map(|group| (group.reason.as_str(), names(group))).collect()
}

async fn change(db: &Db, before: &User, edit: impl Fn(&mut User)) -> User {
    let mut after = before.clone();
    edit(&mut after);
    let (old, new) = (before.clone(), after.clone());
    let stored = db.write(move |mut tx| {
        let stored = users::update(&mut tx, &old, &new)?;
        tx.unaudited("a test's change", stored)
    });
    assert!(stored.await.unwrap());
    after.version += 1;
    after
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_records_share_is_noted_and_forgotten_with_them() {
    for (db, _folder) in databases() {
        let (realm, other) = (stored_realm(&db).await, stored_realm(&db).await);
        let ana = user(realm.id, "ana.lima@example.com", "Ana Lima");
        let twin = user(realm.id, "AnaLima+news@example.com", "A. Lima");
        let stranger = user(realm.id, "bo@example.com", "Bo");
        let elsewhere = user(other.id, "analima@example.com", "Ana Lima");
        let mut bot = user(realm.id, "a.nalima@example.com", "Bot");
        bot.kind = UserKind::Machine;
        for user in [&ana, &stranger, &elsewhere, &bot] {
            create(&db, user).await.unwrap();
        }
        assert_eq!(groups(&db, realm.id).await, []);
        create(&db, &twin).await.unwrap();
        let pair = ("email", vec![twin.username.clone(), ana.username.clone()]);
        assert_eq!(groups(&db, realm.id).await, std::slice::from_ref(&pair));
        assert_eq!(groups(&db, other.id).await, []);

        let twin = change(&db, &twin, |user| user.phone = Some("+4930123".into())).await;
        let stranger = change(&db, &stranger, |user| user.phone = Some("+4930123".into())).await;
        let both = ("phone", vec![twin.username.clone(), stranger.username.clone()]);
        assert_eq!(groups(&db, realm.id).await, [pair.clone(), both]);
        let realm_id = realm.id;
        let phones = Some(denizen_model::duplicates::DuplicateReason::Phone);
        let found = db.read(move |tx| duplicates::list(tx, realm_id, phones, None, 100)).await.unwrap();
        assert_eq!(found.len(), 1);

        change(&db, &stranger, |user| user.phone = None).await;
        assert_eq!(groups(&db, realm.id).await, std::slice::from_ref(&pair));
        let third = user(realm.id, "an.alima@example.com", "Third");
        create(&db, &third).await.unwrap();
        for (gone, left) in [(ana, 1), (third, 0)] {
            db.write(move |mut tx| {
                users::delete(&mut tx, &gone)?;
                tx.unaudited("a test's deletion", ())
            })
            .await
            .unwrap();
            assert_eq!(groups(&db, realm.id).await.len(), left);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_group_is_read_no_further_than_it_is_shown() {
    for (db, _folder) in databases() {
        let realm = stored_realm(&db).await;
        let people: Vec<User> = (0..40)
            .map(|n| User { phone: Some("+4930".into()), ..user(realm.id, &format!("p{n}@example.com"), "P") })
            .collect();
        db.write(move |mut tx| {
            for user in &people {
                users::insert(&mut tx, user)?;
            }
            tx.unaudited("a test's users", ())
        })
        .await
        .unwrap();
        let found = groups(&db, realm.id).await;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].1.len(), denizen_model::duplicates::MAX_GROUP + 1);
    }
}

#[test]
fn duplicates_are_found_by_index_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("denizen.db");
    Db::open(&Location::Sqlite(path.clone()), NOW, random()).unwrap();
    let plain = rusqlite::Connection::open(&path).unwrap();
    for (name, sql) in duplicates::STATEMENTS {
        let mut statement = plain.prepare(&format!("EXPLAIN QUERY PLAN {}", sql.sqlite)).unwrap();
        let count = statement.parameter_count();
        let parameters = rusqlite::params_from_iter(std::iter::repeat_n("[]", count));
        let plan: Vec<String> =
            statement.query_map(parameters, |row| row.get(3)).unwrap().collect::<std::result::Result<_, _>>().unwrap();
        for step in &plan {
            let scans = ["users", "k", "o", "l", "duplicate_keys", "duplicate_groups", "duplicate_dismissals"];
            let whole = step.strip_prefix("SCAN ").is_some_and(|table| scans.contains(&table));
            // What is recent is looked for on PostgreSQL only, where ids are a range of the primary key.
            assert!(!whole || *name == "NOTE_RECENT", "{name}: {plan:#?}");
            // All keys of a realm are as many as its users.
            let realm = step.contains("duplicate_keys_by_key (realm_id=?)");
            assert!(!realm, "{name}: {plan:#?}");
        }
    }
}
