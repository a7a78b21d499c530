//! Imports: the passwords of other systems go on working, and a server that is killed makes each user once.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::Value;

use crate::support::{Api, Database, Person, Server, eventually};

/// The password of every hash below.
const PASSWORD: &str = "correct horse é";

/// Made by argon2-cffi, bcrypt and passlib (PyPI), Django, glibc's crypt, and Python's hashlib.
const HASHES: &[(&str, &str)] = &[
    ("argon2i", "$argon2i$v=19$m=256,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$E22Y60LIZw7ZBVNt4cvDNJpkf7/hIpLNuO+svO/fwQU"),
    ("argon2d", "$argon2d$v=19$m=256,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$G5DJV7eT77kaClep4mZ7gcdKEQOB4xbx"),
    ("argon2id", "$argon2id$v=19$m=256,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$U0eOBEEICDbiJprnHm1zBFs1X7/mC5R+UcAXrRyDdm4"),
    ("bcrypt2a", "$2a$05$QnDw3XcEJfyD2Gn7UdbYzezbHNhiPfTBZ/9NWxUuj3IJGHVOkprZ."),
    ("bcrypt2b", "$2b$04$IFgoCvjmtIf9Pwq0STVjZ.zmpj6oJwoIvK98nmZgysL/05kKIPV42"),
    ("bcrypt2y", "$2y$04$abcdefghijklmnopqrstuub.ZjCeFtaHcVNO3csJiht1Oa5O89F5e"),
    ("scrypt", "$scrypt$ln=4,r=8,p=1$c2l4dGVlbiBieXRlIHNhbA$7U2IyAN8KDDJzfWSacMklVopXNZbAvNyCwGuZRpc1rs"),
    (
        "firebase",
        "$firebase-scrypt$v=1$m=4,r=8,sk=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA,ss=Bw$42xEC+ixf3L2lw$JOeGOSp/0qaQ68aNNCxtOPoWv861Ips3qX81v8t0jpBxi7DkOoX2vimK/AergBlOfLnRXdUVvBJPZk9Q9F+vKA",
    ),
    ("phc-pbkdf2-sha1", "$pbkdf2-sha1$i=1000,l=20$c2l4dGVlbiBieXRlIHNhbA$IFljYx3UccaC5wXGb8v0AXgMGf8"),
    (
        "phc-pbkdf2-sha256",
        "$pbkdf2-sha256$i=1000,l=32$c2l4dGVlbiBieXRlIHNhbA$TDQnM6APipyZe1TvQDhM/JdoKrzxAmvnpOf+9ky/gFo",
    ),
    (
        "phc-pbkdf2-sha512",
        "$pbkdf2-sha512$i=1000,l=64$c2l4dGVlbiBieXRlIHNhbA$e3fgrOo93g1dCiVosZNacyyEBfYdaJIauLIhQLRGUNfMlwqv8cUJLZQd961wo0FfjOaCq4mLz/j6LZ5F2xosXg",
    ),
    ("pl-pbkdf2-sha1", "$pbkdf2$1000$3rvX2rsXIiTEuHcOQSiF0A$KpJlAIP7JMGtWxwMHBpXQ9BwEWc"),
    ("pl-pbkdf2-sha256", "$pbkdf2-sha256$1000$8l7rvfd.790bIwRgzPnfOw$3ru.9qq7K2AS7o8kW1P8T.75BiGcH6EAoB3WlF0RLdg"),
    (
        "pl-pbkdf2-sha512",
        "$pbkdf2-sha512$1000$xjhnzFmrFULo/b83BgBAqA$RucJRE5s9CWCIP4E/MRlrfTgT4Ws8pVo0bjhi1YtcB4/gclFZSOPERcNAemApNrOXy/RD.7W9.WPga5lw9sBTw",
    ),
    ("dj-real", "pbkdf2_sha256$1000$saltySaltyS$djAM5ProjY9AgYQipbPZ9dLFd+aey0k7UFwRtpmmJow="),
    ("dj-sha1", "pbkdf2_sha1$1000$eoqILjGN5FYV$QVBFPN8yImaLFIiGhwZGo87qoOc="),
    ("sha256c", "$5$rounds=1000$bhyQOo47NZ/JIyOZ$olTI/nALOGzUybfInqpvbOgVudg4jEJhRJcn7/fe359"),
    (
        "sha512c-noround",
        "$6$saltstring$Vy1qkR4howG25g0MrA26uBcI9k9c5cxzfoR6VfYPEDH6Qz8CJGsLsSf6i7jmz6/3LKpWlmhxHaJqvorDx2KhI.",
    ),
    ("ssha", "{SSHA}gnhWK4ZYsvJcgo9EvlDpBKqpAAN3Tikl"),
    ("ssha256", "{SSHA256}q7aAWFA2mfyiNSvvL3Tthn9CGOFDrMSjo/RcBlNCkgptLWUshVAqxQ=="),
    (
        "ssha512",
        "{SSHA512}lEtnV1Hm3iYTNbIxBDP/qAYrdRQlHiFysAFkx5O4Dm0f21pMJliOi3RbKVdb5owmPksmTiqqnkb3IMOaoIQLXAuhdE7pvVfK",
    ),
    ("salted-sha1", "$salted-sha1$c2l4dGVlbiBieXRlIHNhbA$NgKkPdTDkaqHKKWX2z3/M0fQyL8"),
    ("salted-sha256", "$salted-sha256$c2l4dGVlbiBieXRlIHNhbA$mbS0NymaiUKS0CBctvkXZGF9eqYhUblD3G8rcXlWCIg"),
    (
        "salted-sha512",
        "$salted-sha512$c2l4dGVlbiBieXRlIHNhbA$dufhcRIZL8F86gZLYoC07y2IZThcbAXy8mias5JXk8VxO6P2OzdJ+rpyex38hhDSa1iP07rGI0ILyXkGJ9G5UQ",
    ),
];

/// Sends a file; answers the job's address.
pub(crate) async fn import(api: &Api, query: &str, file: String) -> String {
    let request = api.request(Method::POST, &format!("/realms/main/users/import{query}")).body(file);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 202, "{}", answer.text().await.unwrap());
    answer.headers()["location"].to_str().unwrap().trim_start_matches("/api/v1").to_owned()
}

/// Waits for a job's end.
pub(crate) async fn ended(api: &Api, job: &str) -> Value {
    eventually("the job has ended", || async {
        let state = api.get(job).await.expect(200).str("state");
        !matches!(state.as_str(), "queued" | "running")
    })
    .await;
    api.get(job).await.json()
}

/// What is stored as passwords, by username.
fn stored(database: &Database) -> BTreeMap<String, String> {
    const SECRETS: &str = "SELECT u.username, a.secret FROM authenticators a JOIN users u ON u.id = a.user_id";
    match database.url() {
        Some(url) => std::thread::scope(|scope| {
            let read = || {
                let mut client = postgres::Client::connect(url, postgres::NoTls).unwrap();
                client.query(SECRETS, &[]).unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
            };
            scope.spawn(read).join().unwrap()
        }),
        None => {
            let conn = rusqlite::Connection::open(database.folder().join("denizen.db")).unwrap();
            let mut statement = conn.prepare(SECRETS).unwrap();
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
            rows.map(Result::unwrap).collect()
        }
    }
}

on_both_engines! {
    /// One user with a hash of each form signs in by the hosted pages, which makes it argon2id, and signs in again.
    async fn passwords_of_other_systems_go_on_working_and_become_argon2id(database) {
        let mut server = Server::start(database).await;
        let api = server.api();
        let mut file = "email,password_hash\n".to_owned();
        for (name, hash) in HASHES {
            file.push_str(&format!("{name}@example.com,\"{hash}\"\n"));
        }
        let job = ended(&api, &import(&api, "", file).await).await;
        assert_eq!(job["import"]["created"], HASHES.len(), "{job}");
        let before = stored(&server.database);
        for (name, hash) in HASHES {
            assert_eq!(before[&format!("{name}@example.com")], *hash);
        }
        let account = server.url("/realms/main/account");
        for round in ["with the old hash", "with the new one"] {
            for (name, _) in HASHES {
                let email = format!("{name}@example.com");
                let wrong = Person::new().sign_in(&account, &email, "correct horse e").await.page();
                assert!(wrong.asks_for("password"), "{email} {round}: {}", wrong.text());
                let right = Person::new().sign_in(&account, &email, PASSWORD).await.page();
                assert!(!right.asks_for("password"), "{email} {round}: {}", right.text());
                assert!(right.url.path().ends_with("/account"), "{email} {round}: {}", right.url);
            }
            for (email, secret) in stored(&server.database) {
                assert!(secret.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{email} {round}: {secret}");
            }
        }
        server.verify_audit();
    }

    /// The server is killed in the middle of an import, twice.
    async fn a_killed_import_makes_each_user_once(database) {
        const ROWS: usize = 12_000;
        let mut server = Server::start(database).await;
        let api = server.api();
        let mut file = "email,given_name,family_name,reference\n".to_owned();
        for n in 0..ROWS {
            file.push_str(&format!("p{n}@example.com,Given{n},Family{},R-{n}\n", n % 100));
        }
        let job = import(&api, "", file.clone()).await;
        for kill in 1..3 {
            eventually("some rows are done", || async {
                api.get(&job).await.expect(200).json()["done"].as_u64().unwrap() >= kill * 2000
            })
            .await;
            server.kill();
            server.launch().await;
        }
        let done = ended(&api, &job).await;
        assert_eq!((&done["state"], done["import"]["created"].as_u64()), (&"done".into(), Some(ROWS as u64)), "{done}");
        let total = api.get("/realms/main/users?q=example.com&limit=1").await.expect(200).json();
        assert_eq!(total["items"].as_array().unwrap().len(), 1);
        let mut made: BTreeMap<String, usize> = BTreeMap::new();
        for event in api.all("/realms/main/events?type=user.created").await {
            if event["details"]["job_id"].is_string() {
                *made.entry(event["details"]["username"].as_str().unwrap().to_owned()).or_default() += 1;
            }
        }
        assert_eq!(made.len(), ROWS);
        assert!(made.values().all(|times| *times == 1), "one event a user");
        let again = ended(&api, &import(&api, "?mode=upsert", file).await).await;
        assert_eq!(again["import"]["unchanged"].as_u64(), Some(ROWS as u64), "{again}");
        server.verify_audit();
    }
}
