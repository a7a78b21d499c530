//! Tests of the store itself on both engines. PostgreSQL is the server at `TEST_DATABASE_URL`; with `CI` set it
//! must be there.

mod many;
mod members;
mod passwords;
mod statements;

use std::sync::Arc;

use denizen_model::{RealmId, Timestamp, UserId, events::*, realms::*, users::*};

use super::*;

pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

pub(crate) fn random() -> FillRandom {
    Arc::new(|out: &mut [u8]| aws_lc_rs::rand::fill(out).unwrap())
}

pub(crate) fn bytes() -> [u8; 10] {
    let mut out = [0; 10];
    aws_lc_rs::rand::fill(&mut out).unwrap();
    out
}

/// A fresh database of each engine that is there.
pub(crate) fn databases() -> Vec<(Db, tempfile::TempDir)> {
    let mut found = Vec::new();
    let folder = tempfile::tempdir().unwrap();
    let sqlite = Db::open(&Location::Sqlite(folder.path().join("denizen.db")), NOW, random()).unwrap();
    found.push((sqlite, folder));
    match std::env::var("TEST_DATABASE_URL") {
        Ok(url) => {
            let db = Db::open(&Location::Postgres(fresh_schema(&url)), NOW, random()).unwrap();
            found.push((db, tempfile::tempdir().unwrap()));
        }
        Err(_) => assert!(std::env::var("CI").is_err(), "TEST_DATABASE_URL must be set in CI"),
    }
    for (db, _) in &found {
        db.set_audit_key(&[7; 32]);
    }
    found
}

fn fresh_schema(url: &str) -> String {
    let schema = format!("t{}", denizen_model::uuid_v7(NOW, bytes()).simple());
    let script = format!("CREATE SCHEMA {schema}");
    // The client must neither connect nor be dropped on an async thread.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = postgres::Client::connect(url, postgres::NoTls).unwrap();
            // Another test may be creating it at this moment.
            client.batch_execute("CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA public").ok();
            client.batch_execute(&script).unwrap();
        });
    });
    let joint = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joint}options=-csearch_path%3D{schema},public")
}

fn realm() -> Realm {
    let id = RealmId::new(NOW, bytes());
    Realm {
        id,
        slug: format!("r{}", id.uuid().simple()),
        display_name: "Test".into(),
        enabled: true,
        settings: RealmSettings::default(),
        created_at: NOW,
        updated_at: NOW,
        version: 1,
    }
}

pub(crate) fn user(realm: RealmId, username: &str, name: &str) -> User {
    User {
        id: UserId::new(NOW, bytes()),
        realm_id: realm,
        kind: UserKind::Human,
        username: username.into(),
        email: Some(username.into()),
        email_state: VerificationState::Unverified,
        phone: None,
        phone_state: VerificationState::Unverified,
        given_name: None,
        family_name: None,
        name: name.into(),
        locale: None,
        zoneinfo: None,
        reference: None,
        attributes: Default::default(),
        enabled: true,
        disabled_at: None,
        disabled_reason: None,
        requires_password_reset: false,
        admin_role: None,
        created_at: NOW,
        updated_at: NOW,
        last_sign_in_at: None,
        failed_password_attempts: 0,
        failed_otp_attempts: 0,
        version: 1,
    }
}

pub(crate) fn event(realm: RealmId, subject: &User) -> NewEvent {
    NewEvent {
        id: denizen_model::EventId::new(NOW, bytes()),
        realm_id: realm,
        at: NOW,
        kind: EventType::UserCreated,
        outcome: Outcome::Success,
        actor: ActorRef { kind: ActorKind::System, id: None, name: "test".into() },
        subject: SubjectRef { kind: SubjectKind::User, id: subject.id.to_string(), name: subject.name.clone() },
        client_id: None,
        session_id: None,
        ip: Some("192.0.2.1".into()),
        place: None,
        user_agent: None,
        details: Default::default(),
    }
}

pub(crate) async fn stored_realm(db: &Db) -> Realm {
    let realm = realm();
    let stored = realm.clone();
    db.write(move |mut tx| {
        realms::insert(&mut tx, &stored)?;
        tx.unaudited("a test's realm", ())
    })
    .await
    .unwrap();
    realm
}

pub(crate) async fn create(db: &Db, user: &User) -> Result<()> {
    let user = user.clone();
    db.write(move |mut tx| {
        users::insert(&mut tx, &user)?;
        let event = event(user.realm_id, &user);
        tx.commit(event, ())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_survives_storage_and_a_taken_username_is_refused_by_name() {
    for (db, _folder) in databases() {
        let realm = stored_realm(&db).await;
        let ana = user(realm.id, "Ana@Example.com", "Ana Líma");
        create(&db, &ana).await.unwrap();
        let (realm_id, id) = (realm.id, ana.id);
        let read = db.peek(move |tx| users::find(tx, realm_id, id)).await.unwrap();
        assert_eq!(read, Some(ana.clone()));
        let twin = user(realm.id, "ana@example.COM", "Other");
        let refused = create(&db, &twin).await.unwrap_err();
        assert!(refused.is_constraint("users_username_key"), "{refused}");
        let total = db.read(move |tx| users::count_all(tx, realm_id, None, None)).await.unwrap();
        assert_eq!(total.count, 1, "the refused one is not counted");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_visit_every_user_once_in_every_order() {
    for (db, _folder) in databases() {
        let realm = stored_realm(&db).await;
        for n in 0..23 {
            let name = format!("Person {}", n % 5);
            create(&db, &user(realm.id, &format!("p{n}@example.com"), &name)).await.unwrap();
        }
        for sort in UserSort::ALL {
            for direction in [denizen_model::pages::Direction::Ascending, denizen_model::pages::Direction::Descending] {
                for search in [None, Some("person".to_owned()), Some("EXAMPLE p".to_owned())] {
                    let mut query =
                        UserQuery { sort: *sort, direction, search: search.clone(), limit: 7, ..UserQuery::default() };
                    let mut seen = std::collections::HashSet::new();
                    loop {
                        let (asked, realm_id) = (query.clone(), realm.id);
                        let page = db.read(move |tx| users::list(tx, realm_id, &asked)).await.unwrap();
                        assert_eq!(page.total.count, 23);
                        for user in &page.items {
                            assert!(seen.insert(user.id), "seen twice");
                        }
                        query.after = page.next;
                        if query.after.is_none() {
                            break;
                        }
                    }
                    assert_eq!(seen.len(), 23, "{sort} {direction:?} {search:?}");
                }
            }
        }
        let query = UserQuery { search: Some("100%_".into()), ..UserQuery::default() };
        let realm_id = realm.id;
        let page = db.read(move |tx| users::list(tx, realm_id, &query)).await.unwrap();
        assert!(page.items.is_empty(), "wildcards are taken literally");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_writers_leave_one_whole_chain() {
    for (db, _folder) in databases() {
        let realm = stored_realm(&db).await;
        let tasks: Vec<_> = (0..60)
            .map(|n| {
                let (db, realm_id) = (db.clone(), realm.id);
                tokio::spawn(async move { create(&db, &user(realm_id, &format!("u{n}@example.com"), "U")).await })
            })
            .collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        let found = events::verify(&db, realm.id).await.unwrap();
        assert_eq!(found, events::Verification { checked: 60, faults: vec![] });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tampering_with_the_audit_log_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("denizen.db");
    let db = Db::open(&Location::Sqlite(path.clone()), NOW, random()).unwrap();
    db.set_audit_key(&[7; 32]);
    let realm = stored_realm(&db).await;
    for n in 0..40 {
        create(&db, &user(realm.id, &format!("u{n}@example.com"), "U")).await.unwrap();
    }
    let forger = rusqlite::Connection::open(&path).unwrap();
    let faults = async || events::verify(&db, realm.id).await.unwrap().faults.len();
    assert_eq!(faults().await, 0);
    for (forgery, repair) in [
        (
            "UPDATE events SET outcome = 'failure' WHERE rowid = 3",
            "UPDATE events SET outcome = 'success' WHERE rowid = 3",
        ),
        ("UPDATE events SET ip = '203.0.113.9' WHERE rowid = 5", "UPDATE events SET ip = '192.0.2.1' WHERE rowid = 5"),
        (
            "UPDATE events SET data = replace(data, 'test', 'tost') WHERE rowid = 7",
            "UPDATE events SET data = replace(data, 'tost', 'test') WHERE rowid = 7",
        ),
    ] {
        assert_eq!(forger.execute(forgery, []).unwrap(), 1);
        assert!(faults().await > 0, "{forgery}");
        forger.execute(repair, []).unwrap();
        assert_eq!(faults().await, 0, "{repair}");
    }
    forger.execute("DELETE FROM events WHERE rowid = 9", []).unwrap();
    assert!(faults().await > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_fails_or_panics_leaves_nothing_and_harms_nobody() {
    for (db, _folder) in databases() {
        let realm = stored_realm(&db).await;
        let lost = user(realm.id, "lost@example.com", "Lost");
        let given_up = lost.clone();
        let failed = db
            .write(move |mut tx| {
                users::insert(&mut tx, &given_up)?;
                Err::<Audited<()>, Error>(Error::Internal("changed my mind".into()))
            })
            .await;
        assert!(failed.is_err());
        let panicking = lost.clone();
        let panicked = db
            .write(move |mut tx| {
                users::insert(&mut tx, &panicking)?;
                if panicking.enabled {
                    panic!("a defect in a closure");
                }
                tx.unaudited::<()>("never reached", ())
            })
            .await;
        assert!(panicked.is_err(), "{panicked:?}");
        let (realm_id, id) = (realm.id, lost.id);
        assert_eq!(db.read(move |tx| users::find(tx, realm_id, id)).await.unwrap(), None);
        create(&db, &lost).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_term_is_found_where_words_begin_and_a_longer_one_anywhere() {
    for (db, _folder) in databases() {
        let realm = stored_realm(&db).await;
        for (username, name) in
            [("a@example.com", "太郎 龍崎"), ("b@example.com", "王 伟"), ("c@example.com", "Ana O'Brien 50%")]
        {
            create(&db, &user(realm.id, username, name)).await.unwrap();
        }
        let (all, one) = (3, 1);
        for (search, expected) in [
            ("龍", one),
            ("龍崎", one),
            ("崎", 0),
            ("王", one),
            ("伟", one),
            ("an", one),
            ("na", 0),
            ("rien", one),
            ("o'", one),
            ("50%", one),
            ("5_%", 0),
            ("\"", 0),
            ("example", all),
            ("com ana", one),
        ] {
            for sort in UserSort::ALL {
                let query = UserQuery { search: Some(search.into()), sort: *sort, ..UserQuery::default() };
                let realm_id = realm.id;
                let page = db.read(move |tx| users::list(tx, realm_id, &query)).await.unwrap();
                assert_eq!((page.items.len(), page.total.count), (expected, expected as u64), "{search} {sort}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn matches_that_come_late_in_the_order_are_found() {
    for (db, _folder) in databases() {
        let realm = stored_realm(&db).await;
        // More matches than are counted exactly, behind more others than are walked.
        let people: Vec<User> = (0..6500)
            .map(|n| user(realm.id, &format!("p{n}@example.com"), if n < 5200 { "Aaa" } else { "Zoë" }))
            .collect();
        db.write(move |mut tx| {
            for user in &people {
                users::insert(&mut tx, user)?;
            }
            tx.unaudited::<()>("a test's users", ())
        })
        .await
        .unwrap();
        let mut query = UserQuery {
            search: Some("zoe".into()),
            sort: UserSort::Name,
            direction: denizen_model::pages::Direction::Ascending,
            limit: 500,
            ..UserQuery::default()
        };
        let mut seen = std::collections::HashSet::new();
        loop {
            let (asked, realm_id) = (query.clone(), realm.id);
            let page = db.read(move |tx| users::list(tx, realm_id, &asked)).await.unwrap();
            assert!((1200..=1400).contains(&page.total.count), "{:?}", page.total);
            seen.extend(page.items.iter().map(|user| user.id));
            query.after = page.next;
            if query.after.is_none() {
                break;
            }
        }
        assert_eq!(seen.len(), 1300);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_survives_storage_and_its_key_is_its_own() {
    use denizen_model::{AttributeDefinitionId, attribute_definitions::*};
    for (db, _folder) in databases() {
        let realm = stored_realm(&db).await;
        let definition = |key: &str, position| AttributeDefinition {
            id: AttributeDefinitionId::new(NOW, bytes()),
            realm_id: realm.id,
            key: key.into(),
            spec: AttributeSpec {
                default: Some("free".into()),
                searchable: true,
                validation: Validation { pattern: Some("[a-z]+".into()), ..Validation::default() },
                ..AttributeSpec::new("Plan", AttributeType::String)
            },
            position,
            created_at: NOW,
            updated_at: NOW,
            version: 1,
        };
        let (last, first) = (definition("plan", 1), definition("seats", 0));
        let stored = [last.clone(), first.clone()];
        db.write(move |mut tx| {
            for one in &stored {
                attribute_definitions::insert(&mut tx, one)?;
            }
            tx.unaudited::<()>("a test's definitions", ())
        })
        .await
        .unwrap();
        let id = realm.id;
        let listed = db.read(move |tx| attribute_definitions::list(tx, id)).await.unwrap();
        assert_eq!(listed, [first, last.clone()]);
        let twin = AttributeDefinition { id: AttributeDefinitionId::new(NOW, bytes()), ..last.clone() };
        let taken = db
            .write(move |mut tx| {
                attribute_definitions::insert(&mut tx, &twin)?;
                tx.unaudited::<()>("never kept", ())
            })
            .await
            .unwrap_err();
        assert!(taken.is_constraint("attribute_definitions_attribute_key"), "{taken}");
        let changed = AttributeDefinition { position: 7, ..last };
        let outcome = db
            .write(move |mut tx| {
                let first = attribute_definitions::update(&mut tx, &changed, NOW)?;
                let stale = attribute_definitions::update(&mut tx, &changed, NOW)?;
                let found =
                    attribute_definitions::find(&mut tx, id, changed.id)?.map(|one| (one.position, one.version));
                let elsewhere = attribute_definitions::delete(&mut tx, RealmId::new(NOW, bytes()), changed.id)?;
                let gone = attribute_definitions::delete(&mut tx, id, changed.id)?;
                tx.unaudited("a test's changes", (first, stale, found, elsewhere, gone))
            })
            .await
            .unwrap();
        assert_eq!(outcome, (true, false, Some((7, 2)), false, true));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_key_is_found_by_its_new_hash_only() {
    use denizen_model::{ApiKeyId, authenticators::ApiKey, permissions::Permission};
    for (db, _folder) in databases() {
        let realm = stored_realm(&db).await;
        let machine = user(realm.id, "bot", "Bot");
        create(&db, &machine).await.unwrap();
        let key = ApiKey {
            id: ApiKeyId::new(NOW, bytes()),
            user_id: machine.id,
            name: "Nightly".into(),
            hint: "dzk_AAAAA".into(),
            created_at: NOW,
            last_used_at: None,
            expires_at: None,
            scopes: vec![Permission::UsersRead],
            sealed: true,
        };
        let id = realm.id;
        db.write(move |mut tx| {
            let kept = |hash: &str, sealed: Option<&str>| api_keys::StoredKey {
                hash: hash.into(),
                sealed: sealed.map(str::to_owned),
            };
            api_keys::insert(&mut tx, id, &key, &kept("old", Some("sealed")))?;
            assert_eq!(api_keys::find_by_hash(&mut tx, "old")?.as_ref(), Some(&key));
            assert_eq!(api_keys::find_sealed(&mut tx, id, key.user_id, key.id)?.as_deref(), Some("sealed"));
            assert_eq!(api_keys::forget_sealed(&mut tx, id)?, 1);
            assert_eq!(api_keys::find(&mut tx, id, key.user_id, key.id)?.map(|key| key.sealed), Some(false));
            // Of uses within a minute the first is noted.
            let (later, minute) = (Timestamp::from_secs(1_800_000_030), std::time::Duration::from_secs(60));
            for now in [NOW, later] {
                api_keys::note_used(&mut tx, key.id, now, now.minus(minute))?;
            }
            assert_eq!(api_keys::find_by_hash(&mut tx, "old")?.and_then(|key| key.last_used_at), Some(NOW));
            assert!(api_keys::replace(&mut tx, id, &key, &kept("new", Some("again")))?);
            assert_eq!(api_keys::find_by_hash(&mut tx, "old")?, None);
            assert_eq!(api_keys::find_by_hash(&mut tx, "new")?, Some(key.clone()));
            assert!(!api_keys::replace(&mut tx, RealmId::new(NOW, bytes()), &key, &kept("x", None))?);
            tx.unaudited::<()>("a test's key", ())
        })
        .await
        .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_is_sorted_into_the_index_of_texts() {
    for (db, _folder) in databases() {
        let realm = stored_realm(&db).await;
        create(&db, &user(realm.id, "ana@example.com", "Ana")).await.unwrap();
        let pages = housekeeping::merge_texts(&db).await.unwrap();
        assert_eq!(pages > 0, db.engine() == Engine::Postgres);
        assert_eq!(housekeeping::merge_texts(&db).await.unwrap(), 0);
    }
}
