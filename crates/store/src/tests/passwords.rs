//! The history of passwords, on both engines.

use denizen_model::{AuthenticatorId, Timestamp, realms::Realm};

use super::*;
use crate::authenticators::StoredPassword;

async fn put(db: &Db, user: &User, phc: &str, temporary: bool) {
    let password = StoredPassword { id: AuthenticatorId::new(NOW, bytes()), phc: phc.into(), temporary };
    let (realm, id) = (user.realm_id, user.id);
    db.write(move |mut tx| {
        authenticators::put_password(&mut tx, realm, id, &password, NOW)?;
        tx.unaudited("a test's password", ())
    })
    .await
    .unwrap();
}

async fn clear(db: &Db, user: &User) -> bool {
    let (realm, id) = (user.realm_id, user.id);
    db.write(move |mut tx| {
        let cleared = authenticators::clear_password(&mut tx, realm, id, NOW)?;
        tx.unaudited("a test's password", cleared)
    })
    .await
    .unwrap()
}

async fn history(db: &Db, user: &User, limit: u32) -> Vec<String> {
    let id = user.id;
    db.read(move |tx| password_history::list(tx, id, limit)).await.unwrap()
}

async fn remember(db: &Db, realm: &Realm, passwords: u32) {
    let id = realm.id;
    db.write(move |mut tx| {
        let mut realm = realms::find(&mut tx, id)?.unwrap();
        realm.settings.password_history = passwords;
        assert!(realms::update(&mut tx, &realm, Timestamp::from_secs(1))?);
        tx.unaudited("a test's settings", ())
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_that_were_replaced_are_kept_as_far_back_as_the_realm_looks() {
    for (db, _folder) in databases() {
        let realm = stored_realm(&db).await;
        let (ana, bob) = (user(realm.id, "ana@example.com", "Ana"), user(realm.id, "bob@example.com", "Bob"));
        create(&db, &ana).await.unwrap();
        create(&db, &bob).await.unwrap();
        put(&db, &bob, "bob's first", false).await;
        put(&db, &bob, "bob's second", false).await;
        for n in 1..=8 {
            put(&db, &ana, &format!("ana {n}"), false).await;
        }
        assert_eq!(history(&db, &ana, 24).await, ["ana 7", "ana 6", "ana 5", "ana 4", "ana 3"]);
        assert_eq!(history(&db, &ana, 2).await, ["ana 7", "ana 6"]);
        assert_eq!(history(&db, &bob, 24).await, ["bob's first"], "each user has their own");
        // A temporary password is none of them; one that was cleared is.
        put(&db, &ana, "temporary", true).await;
        put(&db, &ana, "ana 9", false).await;
        assert!(clear(&db, &ana).await && !clear(&db, &ana).await);
        assert_eq!(history(&db, &ana, 2).await, ["ana 9", "ana 8"]);
        // Fewer are kept from the next one on, and none where none is asked for.
        remember(&db, &realm, 2).await;
        put(&db, &ana, "ana 10", false).await;
        put(&db, &ana, "ana 11", false).await;
        assert_eq!(history(&db, &ana, 24).await, ["ana 10", "ana 9"]);
        remember(&db, &realm, 0).await;
        put(&db, &ana, "ana 12", false).await;
        assert_eq!(history(&db, &ana, 24).await, [""; 0]);
        // Going with the user.
        let gone = bob.clone();
        db.write(move |mut tx| {
            users::delete(&mut tx, &gone)?;
            tx.unaudited("a test's deletion", ())
        })
        .await
        .unwrap();
        assert_eq!(history(&db, &bob, 24).await, [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_passwords_that_are_set_at_once_each_is_kept() {
    for (db, _folder) in databases() {
        let realm = stored_realm(&db).await;
        remember(&db, &realm, 24).await;
        let ana = user(realm.id, "ana@example.com", "Ana");
        create(&db, &ana).await.unwrap();
        let names: Vec<String> = (0..12).map(|n| format!("ana {n:02}")).collect();
        let at_once: Vec<_> = (names.iter().cloned())
            .map(|name| {
                let (db, ana) = (db.clone(), ana.clone());
                tokio::spawn(async move { put(&db, &ana, &name, false).await })
            })
            .collect();
        for one in at_once {
            one.await.unwrap();
        }
        let id = ana.id;
        let present = db.read(move |tx| authenticators::find_password(tx, id)).await.unwrap().unwrap().phc;
        let mut all = history(&db, &ana, 24).await;
        all.push(present);
        all.sort_unstable();
        assert_eq!(all, names);
    }
}
