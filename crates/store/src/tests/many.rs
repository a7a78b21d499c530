//! Users by the hundred, on both engines.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn many_users_are_stored_as_one_by_one() {
    for (db, _folder) in databases() {
        let realm = stored_realm(&db).await;
        let mut people: Vec<User> =
            (0..40).map(|n| user(realm.id, &format!("p{n}@example.com"), "Ana\tLíma \\N \n\\.")).collect();
        people[3].kind = UserKind::Machine;
        people[4].enabled = false;
        people[5].attributes = serde_json::json!({"quote": "\"\\\t", "n": 1}).as_object().unwrap().clone();
        let password = |n: usize| authenticators::StoredPassword {
            id: denizen_model::AuthenticatorId::new(NOW, bytes()),
            phc: format!("$x${n}"),
            temporary: false,
        };
        let (stored, realm_id) = (people.clone(), realm.id);
        let passwords: Vec<_> = people.iter().take(10).enumerate().map(|(n, user)| (user.id, password(n))).collect();
        db.write(move |mut tx| {
            users::insert_many(&mut tx, realm_id, &stored)?;
            authenticators::insert_many(&mut tx, realm_id, &passwords, NOW)?;
            let password = [Facet::Authenticator(denizen_model::authenticators::AuthenticatorType::Password)];
            let indexed: Vec<(&User, &[Facet])> = stored
                .iter()
                .enumerate()
                .map(|(n, user)| (user, if n < 10 { password.as_slice() } else { &[] }))
                .collect();
            users::index_many(&mut tx, realm_id, &indexed)?;
            let mut events = stored.iter().map(|user| event(realm_id, user));
            let first = events.next().unwrap();
            tx.commit(Events::new(first, events), ())
        })
        .await
        .unwrap();
        let keys: Vec<String> = people.iter().map(|user| user.username.clone()).collect();
        let ids: Vec<UserId> = people.iter().map(|user| user.id).collect();
        let (mut read, having, disabled, all) = db
            .read(move |tx| {
                let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
                Ok::<_, Error>((
                    users::list_by_usernames(tx, realm_id, &keys)?,
                    users::list_having_password(tx, &ids)?,
                    users::count_all(tx, realm_id, Some(UserKind::Human), Some(false))?,
                    users::count_all(tx, realm_id, None, None)?,
                ))
            })
            .await
            .unwrap();
        read.sort_by_key(|user| user.id);
        people.sort_by_key(|user| user.id);
        assert_eq!(read, people);
        assert_eq!((having.len(), disabled.count, all.count), (10, 1, 40));
        // The index is as if each had been indexed alone.
        let dump = |db: &Db| {
            let db = db.clone();
            async move { db.read(users::dump_index).await.unwrap() }
        };
        let together = dump(&db).await;
        assert_eq!(together.len(), 40);
        let ids: Vec<UserId> = people.iter().map(|user| user.id).collect();
        db.write(move |mut tx| {
            for id in &ids {
                users::reindex(&mut tx, realm_id, *id)?;
            }
            tx.unaudited("derived data", ())
        })
        .await
        .unwrap();
        assert_eq!(dump(&db).await, together);
        // One more event of each way, and the chains are whole.
        create(&db, &user(realm.id, "late@example.com", "Late")).await.unwrap();
        let twice = people.clone();
        let refused = db
            .write(move |mut tx| {
                users::insert_many(&mut tx, realm_id, &twice)?;
                tx.unaudited("never reached", ())
            })
            .await
            .unwrap_err();
        assert!(matches!(refused, Error::Constraint(_)), "{refused}");
        let found = events::verify(&db, realm.id).await.unwrap();
        assert_eq!(found, events::Verification { checked: 41, faults: vec![] });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_are_found_by_name_and_given_to_many() {
    for (db, _folder) in databases() {
        let realm = stored_realm(&db).await;
        let ana = user(realm.id, "ana@example.com", "Ana");
        create(&db, &ana).await.unwrap();
        let role = denizen_model::roles::Role {
            id: denizen_model::RoleId::new(NOW, bytes()),
            realm_id: realm.id,
            name: "Büyer".into(),
            description: String::new(),
            user_count: 0,
            created_at: NOW,
            updated_at: NOW,
            version: 1,
        };
        let (realm_id, id) = (realm.id, ana.id);
        let ties = db
            .write(move |mut tx| {
                roles::insert(&mut tx, &role)?;
                let named = users::list_named(&mut tx, realm_id, users::Tie::Role, &["BUYER", "none"])?;
                assert_eq!(named, [("buyer".to_owned(), role.id.to_string(), "Büyer".to_owned())]);
                let first = users::assign_role(&mut tx, realm_id, role.id, &[id], NOW)?;
                let again = users::assign_role(&mut tx, realm_id, role.id, &[id], NOW)?;
                users::refresh_statistics(&mut tx)?;
                tx.unaudited("a test's role", (first, again))
            })
            .await
            .unwrap();
        assert_eq!(ties, (vec![id], vec![]));
        for tie in [users::Tie::Group, users::Tie::Organization] {
            let found = db.read(move |tx| users::list_named(tx, realm_id, tie, &["x"])).await.unwrap();
            assert!(found.is_empty());
        }
    }
}
