//! Groups, organizations and who is in them, on both engines.

use denizen_model::{GroupId, OrganizationId, groups::Group, organizations::Organization};

use super::*;

fn group(realm: RealmId, name: &str) -> Group {
    Group {
        id: GroupId::new(NOW, bytes()),
        realm_id: realm,
        name: name.into(),
        description: "Some".into(),
        member_count: 0,
        created_at: NOW,
        updated_at: NOW,
        version: 1,
    }
}

fn organization(realm: RealmId, name: &str) -> Organization {
    Organization {
        id: OrganizationId::new(NOW, bytes()),
        realm_id: realm,
        name: name.into(),
        description: String::new(),
        domains: vec!["acme.example".into(), "münchen.example".into()],
        member_count: 0,
        created_at: NOW,
        updated_at: NOW,
        version: 1,
    }
}

async fn store<T: Send + 'static>(
    db: &Db,
    mut f: impl FnMut(&mut WriteTx<'_>) -> Result<T> + Send + 'static,
) -> Result<T> {
    db.write(move |mut tx| {
        let value = f(&mut tx)?;
        tx.unaudited("a test's change", value)
    })
    .await
}

async fn stored_group(db: &Db, realm: RealmId, name: &str) -> Group {
    let group = group(realm, name);
    let stored = group.clone();
    store(db, move |tx| groups::insert(tx, &stored)).await.unwrap();
    group
}

async fn people(db: &Db, realm: RealmId, count: usize) -> Vec<User> {
    let mut made: Vec<User> = (0..count).map(|n| user(realm, &format!("m{n}@example.com"), &format!("M{n}"))).collect();
    for user in &made {
        create(db, user).await.unwrap();
    }
    made.sort_by_key(|user| user.id);
    made
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_and_an_organization_survive_storage_and_their_names_are_unique() {
    for (db, _folder) in databases() {
        let (realm, other) = (stored_realm(&db).await.id, stored_realm(&db).await.id);
        let beta = stored_group(&db, realm, "Béta").await;
        let id = beta.id;
        assert_eq!(db.read(move |tx| groups::find(tx, realm, id)).await.unwrap(), Some(beta.clone()));
        assert_eq!(db.read(move |tx| groups::find(tx, other, id)).await.unwrap(), None);
        let found = db.read(move |tx| groups::find_by_name(tx, realm, " BETA ")).await.unwrap();
        assert_eq!(found.map(|group| group.id), Some(beta.id));
        let twin = group(realm, "beta");
        let refused = store(&db, move |tx| groups::insert(tx, &twin)).await.unwrap_err();
        assert!(refused.is_constraint("groups_name_key"), "{refused}");
        stored_group(&db, other, "beta").await;
        let changed = Group { name: "Gamma".into(), ..beta.clone() };
        let stale = Group { version: 7, ..changed.clone() };
        assert!(store(&db, move |tx| groups::update(tx, &changed, NOW)).await.unwrap());
        assert!(!store(&db, move |tx| groups::update(tx, &stale, NOW)).await.unwrap());

        let acme = organization(realm, "Acme");
        let (id, stored) = (acme.id, acme.clone());
        store(&db, move |tx| organizations::insert(tx, &stored)).await.unwrap();
        assert_eq!(db.read(move |tx| organizations::find(tx, realm, id)).await.unwrap(), Some(acme));
        let twin = organization(realm, "ACME");
        let refused = store(&db, move |tx| organizations::insert(tx, &twin)).await.unwrap_err();
        assert!(refused.is_constraint("organizations_name_key"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_listed_by_name_and_found_by_its_beginning() {
    for (db, _folder) in databases() {
        let realm = stored_realm(&db).await.id;
        for name in ["Émile", "emma", "Zoo", "Emm 50%", "em_", "王"] {
            stored_group(&db, realm, name).await;
        }
        let names = async |prefix: &str, after: &str, limit| -> Vec<String> {
            let (prefix, after) = (prefix.to_owned(), after.to_owned());
            let found = db.read(move |tx| groups::list(tx, realm, &prefix, &after, limit)).await.unwrap();
            found.into_iter().map(|group| group.name).collect()
        };
        assert_eq!(names("", "", 9).await, ["em_", "Émile", "Emm 50%", "emma", "Zoo", "王"]);
        assert_eq!(names("em", "", 2).await, ["em_", "Émile"]);
        assert_eq!(names("em", "emile", 9).await, ["Emm 50%", "emma"]);
        assert_eq!(names("em_", "", 9).await, ["em_"], "wildcards are taken literally");
        assert_eq!(names("王", "", 9).await, ["王"]);
        assert_eq!(names("mm", "", 9).await, [""; 0]);
        let count = async |prefix: &'static str, bound| {
            db.read(move |tx| groups::count(tx, realm, prefix, bound)).await.unwrap()
        };
        assert_eq!((count("", 9).await, count("em", 9).await, count("", 3).await), (6, 4, 3));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_come_and_go_and_are_counted() {
    for (db, _folder) in databases() {
        let realm = stored_realm(&db).await.id;
        let users = people(&db, realm, 40).await;
        let ids: Vec<UserId> = users.iter().map(|user| user.id).collect();
        let beta = stored_group(&db, realm, "beta").await.id;
        let count = async || db.read(move |tx| groups::find(tx, realm, beta)).await.unwrap().unwrap().member_count;
        let some = ids[..30].to_vec();
        let added = store(&db, move |tx| groups::MEMBERS.add(tx, realm, beta, &some, NOW)).await.unwrap();
        assert_eq!((added.len(), count().await), (30, 30));
        let all = ids.clone();
        let mut added = store(&db, move |tx| groups::MEMBERS.add(tx, realm, beta, &all, NOW)).await.unwrap();
        added.sort_unstable();
        assert_eq!(added, ids[30..], "who is in it already is not added again");
        assert_eq!(count().await, 40);

        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = db.read(move |tx| groups::MEMBERS.list(tx, beta, after, 7)).await.unwrap();
            after = page.last().map(|user| user.id);
            if after.is_none() {
                break;
            }
            seen.extend(page);
        }
        assert_eq!(seen, users);

        let some = vec![ids[0], ids[1], UserId::new(NOW, bytes())];
        let removed = store(&db, move |tx| groups::MEMBERS.remove(tx, realm, beta, &some)).await.unwrap();
        assert_eq!((removed.len(), count().await), (2, 38));
        let gone = users[2].clone();
        assert!(store(&db, move |tx| users::delete(tx, &gone)).await.unwrap());
        assert_eq!(count().await, 37, "a deleted user is a member no more");
        let missing = UserId::new(NOW, bytes());
        let refused = store(&db, move |tx| groups::MEMBERS.add(tx, realm, beta, &[missing], NOW)).await.unwrap_err();
        assert!(refused.is_constraint("foreign_key"), "{refused}");
        let left = db.read(move |tx| groups::MEMBERS.list_ids(tx, beta, 5)).await.unwrap();
        assert_eq!(left, ids[3..8]);
        let found = db.read(move |tx| crate::members::list_users(tx, realm, &[ids[5], missing])).await.unwrap();
        assert_eq!(found.iter().map(|user| user.id).collect::<Vec<_>>(), [users[5].id]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_statement_reads_what_tokens_say_of_a_user() {
    for (db, _folder) in databases() {
        let realm = stored_realm(&db).await.id;
        let ana = people(&db, realm, 1).await.remove(0).id;
        let nothing = db.read(move |tx| claims::of(tx, ana)).await.unwrap();
        assert_eq!(nothing, claims::UserClaims::default());
        let (zoo, beta) = (stored_group(&db, realm, "zoo").await.id, stored_group(&db, realm, "Beta").await.id);
        let acme = organization(realm, "Acme");
        let id = acme.id;
        let role = denizen_model::roles::Role {
            id: denizen_model::RoleId::new(NOW, bytes()),
            realm_id: realm,
            name: "editor".into(),
            description: String::new(),
            user_count: 0,
            created_at: NOW,
            updated_at: NOW,
            version: 1,
        };
        store(&db, move |tx| {
            organizations::insert(tx, &acme)?;
            organizations::MEMBERS.add(tx, realm, id, &[ana], NOW)?;
            groups::MEMBERS.add(tx, realm, zoo, &[ana], NOW)?;
            groups::MEMBERS.add(tx, realm, beta, &[ana], NOW)?;
            roles::insert(tx, &role)?;
            roles::assign(tx, realm, ana, role.id, NOW).map(drop)
        })
        .await
        .unwrap();
        let found = db.read(move |tx| claims::of(tx, ana)).await.unwrap();
        let expected = claims::UserClaims {
            roles: vec!["editor".into()],
            groups: vec!["Beta".into(), "zoo".into()],
            organizations: vec![(id, "Acme".into())],
        };
        assert_eq!(found, expected);
        let memberships = db.read(move |tx| organizations::list_of(tx, realm, ana)).await.unwrap();
        assert_eq!(memberships.len(), 1);
        assert_eq!((memberships[0].joined_at, memberships[0].organization.member_count), (NOW, 1));
        assert_eq!(db.read(move |tx| groups::list_of(tx, realm, ana)).await.unwrap().len(), 2);
    }
}

/// People of one group who come and go at the same time are counted right.
#[tokio::test(flavor = "multi_thread")]
async fn members_who_come_at_once_are_all_counted() {
    for (db, _folder) in databases() {
        let realm = stored_realm(&db).await.id;
        let ids: Vec<UserId> = people(&db, realm, 48).await.iter().map(|user| user.id).collect();
        let beta = stored_group(&db, realm, "beta").await.id;
        let tasks: Vec<_> = ids
            .chunks(16)
            .flat_map(|part| [part.to_vec(), part.iter().rev().copied().collect(), ids.clone()])
            .map(|part| {
                let db = db.clone();
                tokio::spawn(async move {
                    store(&db, move |tx| groups::MEMBERS.add(tx, realm, beta, &part, NOW)).await.unwrap().len()
                })
            })
            .collect();
        let mut added = 0;
        for task in tasks {
            added += task.await.unwrap();
        }
        let group = db.read(move |tx| groups::find(tx, realm, beta)).await.unwrap().unwrap();
        assert_eq!((added, group.member_count), (48, 48));
    }
}
