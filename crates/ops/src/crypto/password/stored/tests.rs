//! Hashes made by other implementations: argon2-cffi, bcrypt and passlib (PyPI), Django, glibc's crypt, Python's
//! hashlib, and the example of Firebase's own README.

use super::*;

const PASSWORD: &str = "correct horse é";

/// Each is of [`PASSWORD`].
const KNOWN: &[&str] = &[
    "$argon2i$v=19$m=256,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$E22Y60LIZw7ZBVNt4cvDNJpkf7/hIpLNuO+svO/fwQU",
    "$argon2d$v=19$m=256,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$G5DJV7eT77kaClep4mZ7gcdKEQOB4xbx",
    "$argon2id$v=19$m=256,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$U0eOBEEICDbiJprnHm1zBFs1X7/mC5R+UcAXrRyDdm4",
    "$argon2id$v=16$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$xG6YEjJz3FHGfn8lSj4eaF/yxTIbuYxLA2jMLEaq93s",
    "$2b$04$IFgoCvjmtIf9Pwq0STVjZ.zmpj6oJwoIvK98nmZgysL/05kKIPV42",
    "$2a$05$QnDw3XcEJfyD2Gn7UdbYzezbHNhiPfTBZ/9NWxUuj3IJGHVOkprZ.",
    "$2y$04$abcdefghijklmnopqrstuub.ZjCeFtaHcVNO3csJiht1Oa5O89F5e",
    "$scrypt$ln=4,r=8,p=1$c2l4dGVlbiBieXRlIHNhbA$7U2IyAN8KDDJzfWSacMklVopXNZbAvNyCwGuZRpc1rs",
    "$scrypt$ln=5,r=4,p=2$c2l4dGVlbiBieXRlIHNhbA$av1vgZHujCcvkGXsuVO/c6yB20FDKihL2RnEIuNsS8eke5dQ23hQ02XIy2bkqrRNm3ZgckYZkOA37UxX/52nYg",
    "$scrypt$ln=4,r=8,p=1$nLNWCqE0JiSkVEoJwdh7zw$pnkZSEUApShZ0SdLzpW8IBGPwOT4YBRJwx9CHE2YmwM",
    "$firebase-scrypt$v=1$m=4,r=8,sk=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA,ss=Bw$42xEC+ixf3L2lw$JOeGOSp/0qaQ68aNNCxtOPoWv861Ips3qX81v8t0jpBxi7DkOoX2vimK/AergBlOfLnRXdUVvBJPZk9Q9F+vKA",
    "$pbkdf2-sha1$i=1000,l=20$c2l4dGVlbiBieXRlIHNhbA$IFljYx3UccaC5wXGb8v0AXgMGf8",
    "$pbkdf2-sha256$i=1000,l=32$c2l4dGVlbiBieXRlIHNhbA$TDQnM6APipyZe1TvQDhM/JdoKrzxAmvnpOf+9ky/gFo",
    "$pbkdf2-sha512$i=1000,l=64$c2l4dGVlbiBieXRlIHNhbA$e3fgrOo93g1dCiVosZNacyyEBfYdaJIauLIhQLRGUNfMlwqv8cUJLZQd961wo0FfjOaCq4mLz/j6LZ5F2xosXg",
    "$pbkdf2$i=1000,l=20$c2l4dGVlbiBieXRlIHNhbA$IFljYx3UccaC5wXGb8v0AXgMGf8",
    "$pbkdf2$1000$3rvX2rsXIiTEuHcOQSiF0A$KpJlAIP7JMGtWxwMHBpXQ9BwEWc",
    "$pbkdf2-sha256$1000$8l7rvfd.790bIwRgzPnfOw$3ru.9qq7K2AS7o8kW1P8T.75BiGcH6EAoB3WlF0RLdg",
    "$pbkdf2-sha512$1000$xjhnzFmrFULo/b83BgBAqA$RucJRE5s9CWCIP4E/MRlrfTgT4Ws8pVo0bjhi1YtcB4/gclFZSOPERcNAemApNrOXy/RD.7W9.WPga5lw9sBTw",
    "pbkdf2_sha256$1000$RMngjYp3kbjy$6EdBXQndGNAmxO6cAby2LK3ZfI7MTXFkVr5YAxukBBk=",
    "pbkdf2_sha1$1000$eoqILjGN5FYV$QVBFPN8yImaLFIiGhwZGo87qoOc=",
    "pbkdf2_sha256$1000$saltySaltyS$djAM5ProjY9AgYQipbPZ9dLFd+aey0k7UFwRtpmmJow=",
    "$5$rounds=1000$bhyQOo47NZ/JIyOZ$olTI/nALOGzUybfInqpvbOgVudg4jEJhRJcn7/fe359",
    "$6$rounds=1000$U7TvnVGmkQXnxloJ$bxygQnUUNSrgBcVMKVQD2f7kxwccKb3nODQZQAS8SonadLQSqsvsZaedSYZ3IJWnoU14OHQvSyw2h2xx4epgt/",
    "$5$saltstring$aXLr59fnwrVg6Wz/o5uKtjZU0xGSbMc6YxPqiHv2NE.",
    "$6$saltstring$Vy1qkR4howG25g0MrA26uBcI9k9c5cxzfoR6VfYPEDH6Qz8CJGsLsSf6i7jmz6/3LKpWlmhxHaJqvorDx2KhI.",
    "$6$rounds=1400$ab$p6ptwOPi5kWCZBwb9/oa16vhcc5nb9uPwcJsPAus3eDi3tPdgCV.tRds/1PyJD6Ddhpe4OA1MXC/CVxR2AQuv0",
    "{SSHA}gnhWK4ZYsvJcgo9EvlDpBKqpAAN3Tikl",
    "{SSHA256}q7aAWFA2mfyiNSvvL3Tthn9CGOFDrMSjo/RcBlNCkgptLWUshVAqxQ==",
    "{SSHA512}lEtnV1Hm3iYTNbIxBDP/qAYrdRQlHiFysAFkx5O4Dm0f21pMJliOi3RbKVdb5owmPksmTiqqnkb3IMOaoIQLXAuhdE7pvVfK",
    "$salted-sha1$c2l4dGVlbiBieXRlIHNhbA$NgKkPdTDkaqHKKWX2z3/M0fQyL8",
    "$salted-sha256$c2l4dGVlbiBieXRlIHNhbA$mbS0NymaiUKS0CBctvkXZGF9eqYhUblD3G8rcXlWCIg",
    "$salted-sha512$c2l4dGVlbiBieXRlIHNhbA$dufhcRIZL8F86gZLYoC07y2IZThcbAXy8mias5JXk8VxO6P2OzdJ+rpyex38hhDSa1iP07rGI0ILyXkGJ9G5UQ",
];

fn check(password: &str, stored: &str) -> bool {
    StoredHash::parse(stored).unwrap().verify_legacy(&password.into()).unwrap()
}

#[tokio::test]
async fn hashes_of_other_systems_verify_and_are_due_for_an_upgrade() {
    let config = crate::crypto::password::Config { threads: 1, queue: 8, params: Params::new(64, 1, 1).unwrap() };
    let hasher = crate::crypto::Hasher::start(&config, crate::crypto::Rng::seeded(1)).unwrap();
    for stored in KNOWN {
        let verdict = hasher.verify(PASSWORD.into(), (*stored).to_owned()).await.unwrap();
        assert!(verdict.ok, "{stored}");
        assert_eq!(verdict.needs_upgrade, !stored.starts_with("$argon2id$v=19"), "{stored}");
        for wrong in ["correct horse e", "", "correct horse é ", "correct horse é\0"] {
            assert!(!hasher.verify(wrong.into(), (*stored).to_owned()).await.unwrap().ok, "{wrong:?} {stored}");
        }
        let long = "x".repeat(MAX_LEGACY_PASSWORD + 1);
        assert!(!hasher.verify(long.into(), (*stored).to_owned()).await.unwrap().ok, "{stored}");
    }
}

#[test]
fn firebases_own_example_verifies() {
    let stored = "$firebase-scrypt$v=1$m=14,r=8,sk=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA,ss=Bw$42xEC+ixf3L2lw$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ";
    assert!(check("user1password", stored));
    assert!(!check("user2password", stored));
    let for_urls = stored.replace("i/LVgQNDNC/", "i_LVgQNDNC_");
    assert!(check("user1password", &for_urls));
}

#[test]
fn bcrypt_sees_72_bytes() {
    let stored = "$2b$04$gwuvKPppdYIcP7N62mWN5.H1CLo0S3u5wO.07pyNxOauRzk8S4h6.";
    let long = "0123456789".repeat(8);
    assert!(check(&long, stored));
    assert!(check(&long[..72], stored));
    assert!(check(&format!("{}zz", &long[..72]), stored));
    assert!(!check(&long[..71], stored));
}

#[test]
fn a_hash_that_costs_too_much_is_refused_with_the_reason() {
    let hash = "7U2IyAN8KDDJzfWSacMklVopXNZbAvNyCwGuZRpc1rs";
    for stored in [
        format!("$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ${hash}"),
        format!("$argon2id$v=19$m=1048576,t=5,p=1$c29tZXNhbHQ${hash}"),
        "$2b$16$7KNxzmZX0VsXcTDcTmAXre8gUQcb/QgdwsrvjCcPhoK2.XraZ1T.m".to_owned(),
        format!("$scrypt$ln=22,r=1,p=1$c29tZXNhbHQ${hash}"),
        format!("$scrypt$ln=63,r=1,p=1$c29tZXNhbHQ${hash}"),
        format!("$scrypt$ln=1,r=4294967295,p=4294967295$c29tZXNhbHQ${hash}"),
        format!("$scrypt$ln=14,r=8,p=64$c29tZXNhbHQ${hash}"),
        format!("$firebase-scrypt$v=1$m=30,r=8,sk={hash},ss=Bw$c29tZXNhbHQ${hash}"),
        format!("$pbkdf2-sha256$i=10000001$c29tZXNhbHQ${hash}"),
        format!("$pbkdf2-sha1$i=9000000$c29tZXNhbHQ${hash}"),
        format!("pbkdf2_sha256$4294967295$salt${hash}"),
        format!("$5$rounds=2000001$salt${hash}"),
    ] {
        assert!(matches!(StoredHash::parse(&stored), Err(HashFault::TooDear(_))), "{stored}");
    }
}

#[test]
fn what_is_no_hash_or_damaged_is_refused() {
    let hash = "7U2IyAN8KDDJzfWSacMklVopXNZbAvNyCwGuZRpc1rs";
    for stored in ["", "secret", "$1$salt$hash", "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "$2x$10$x", "md5$a$b", "{SSHA"] {
        assert_eq!(StoredHash::parse(stored), Err(HashFault::Unknown), "{stored}");
    }
    for stored in [
        "$argon2id$".to_owned(),
        "$2b$10$short".to_owned(),
        format!("$2b$10${}", "é".repeat(26) + "x"),
        "$2b$03$7KNxzmZX0VsXcTDcTmAXre8gUQcb/QgdwsrvjCcPhoK2.XraZ1T.m".to_owned(),
        format!("$scrypt$ln=4,r=8$c29tZXNhbHQ${hash}"),
        format!("$scrypt$ln=4,r=8,p=1,p=1$c29tZXNhbHQ${hash}"),
        format!("$scrypt$ln=4,r=8,p=1$$${hash}"),
        format!("$scrypt$ln=4,r=8,p=1$c29tZXNhbHQ${hash}$more"),
        "$scrypt$ln=4,r=8,p=1$c29tZXNhbHQ$AAAA".to_owned(),
        format!("$pbkdf2-sha256$i=1000,l=20$c29tZXNhbHQ${hash}"),
        format!("$pbkdf2-sha256$i=0$c29tZXNhbHQ${hash}"),
        format!("$pbkdf2-sha256$i=-5$c29tZXNhbHQ${hash}"),
        format!("pbkdf2_sha256$1000$${hash}"),
        format!("$5$rounds=999$salt${hash}"),
        format!("$6$salt${hash}"),
        "{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=".to_owned(),
        format!("$salted-sha1$c29tZXNhbHQ${hash}"),
        format!("$firebase-scrypt$v=1$m=4,r=8,ss=Bw$c29tZXNhbHQ${hash}"),
        format!("$5${}", "x".repeat(2000)),
    ] {
        assert!(
            matches!(StoredHash::parse(&stored), Err(HashFault::Malformed(_))),
            "{stored}: {:?}",
            StoredHash::parse(&stored)
        );
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,80}") {
        let _ = StoredHash::parse(&text);
        for start in ["$2b$10$", "$5$", "$scrypt$", "{SSHA}", "$pbkdf2-sha256$", "pbkdf2_sha1$", "$argon2i$", "$firebase-scrypt$v=1$"] {
            let _ = StoredHash::parse(&format!("{start}{text}"));
        }
    }
}
