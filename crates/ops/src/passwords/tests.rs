//! Look-ups at a range source and in a file.

use std::{
    io::Write as _,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::Path,
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
    routing::get,
};
use denizen_model::Timestamp;
use url::Url;

use super::{
    breach::{Breaches, Found, Source},
    range::Sha1,
};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

/// What a source answers.
#[derive(Clone)]
enum Answer {
    /// As Have I Been Pwned does, knowing `known` alone.
    Right,
    Status(u16),
    Text(String),
    Never,
}

/// A range source on this machine.
struct RangeSource {
    address: String,
    asked: Arc<AtomicUsize>,
    answer: Arc<Mutex<Answer>>,
}

impl RangeSource {
    async fn start(known: &'static str) -> Self {
        let (asked, answer) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Answer::Right)));
        let (counted, given) = (asked.clone(), answer.clone());
        let handler = move |Path(prefix): Path<String>, headers: HeaderMap| async move {
            counted.fetch_add(1, Ordering::SeqCst);
            assert!(prefix.len() == 5 && prefix.bytes().all(|byte| byte.is_ascii_hexdigit()), "{prefix}");
            assert_eq!(headers["add-padding"], "true");
            assert!(headers["user-agent"].to_str().unwrap().starts_with("Denizen/"));
            let answer = given.lock().unwrap().clone();
            match answer {
                Answer::Right => {
                    let hash = Sha1::of(known);
                    let (own, rest) = hash.parts();
                    let mut lines = vec![format!("{}:0", "A".repeat(35)), format!("{}:3", "0".repeat(35))];
                    if prefix == own {
                        lines.push(format!("{rest}:17"));
                    }
                    lines.join("\r\n").into_response()
                }
                Answer::Status(code) => StatusCode::from_u16(code).unwrap().into_response(),
                Answer::Text(text) => text.into_response(),
                Answer::Never => std::future::pending().await,
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/range/", listener.local_addr().unwrap());
        let router = Router::new().route("/range/{prefix}", get(handler));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, asked, answer }
    }

    fn answers(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn breaches(&self) -> Breaches {
        Breaches::new(Source::parse(&self.address).unwrap())
    }
}

fn after(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

#[tokio::test]
async fn a_password_is_known_or_not_and_answers_are_kept_for_a_while() {
    let source = RangeSource::start("correct horse").await;
    let breaches = source.breaches();
    assert_eq!(breaches.find(NOW, "correct horse").await, Found::Breached);
    assert_eq!(breaches.find(NOW, "battery staple").await, Found::Nowhere);
    assert_eq!(source.asked(), 2);
    assert_eq!(breaches.find(after(299), "correct horse").await, Found::Breached);
    assert_eq!(source.asked(), 2, "the answer was kept");
    assert_eq!(breaches.find(after(301), "correct horse").await, Found::Breached);
    assert_eq!(source.asked(), 3, "and let go");
    for n in 0..100 {
        assert_eq!(breaches.find(after(302), &format!("other {n}")).await, Found::Nowhere);
    }
    assert_eq!(breaches.find(after(302), "correct horse").await, Found::Breached);
    assert_eq!(source.asked(), 104, "not more than some are kept");
    assert!(breaches.check().await.unwrap().ends_with("/range/ answers"));
}

#[tokio::test]
async fn a_source_that_fails_is_left_alone_for_a_while() {
    let source = RangeSource::start("correct horse").await;
    let wrong = [
        Answer::Status(503),
        Answer::Status(404),
        Answer::Status(302),
        Answer::Text("<html>Sign in to the hotel's network</html>".to_owned()),
        Answer::Text(format!("{}:1\n", "0".repeat(35)).repeat(100_000)),
    ];
    for answer in wrong {
        let breaches = source.breaches();
        source.answers(answer);
        let before = source.asked();
        assert_eq!(breaches.find(NOW, "correct horse").await, Found::Unavailable);
        assert_eq!(breaches.find(after(14), "correct horse").await, Found::Unavailable);
        assert_eq!(source.asked(), before + 1, "it is left alone");
        assert!(breaches.check().await.is_err());
        source.answers(Answer::Right);
        assert_eq!(breaches.find(after(16), "correct horse").await, Found::Breached);
        assert_eq!(breaches.find(after(17), "battery staple").await, Found::Nowhere);
    }
}

#[tokio::test]
async fn nobody_waits_long_for_a_source_that_is_slow_or_away() {
    let source = RangeSource::start("correct horse").await;
    source.answers(Answer::Never);
    assert_eq!(source.breaches().find(NOW, "correct horse").await, Found::Unavailable);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let breaches = Breaches::new(Source::parse(&format!("http://127.0.0.1:{port}/range")).unwrap());
    assert_eq!(breaches.find(NOW, "correct horse").await, Found::Unavailable);
    let said = breaches.check().await.unwrap_err();
    assert!(said.starts_with(&format!("http://127.0.0.1:{port}/range: ")) && !said.contains("00000"), "{said}");
}

#[tokio::test]
async fn a_downloaded_file_serves_without_a_network() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pwned.txt");
    let breaches = Breaches::new(Source::parse(path.to_str().unwrap()).unwrap());
    assert_eq!(breaches.find(NOW, "password 7").await, Found::Unavailable, "there is none yet");
    assert!(breaches.check().await.is_err());
    let mut lines: Vec<String> =
        (0..5000).map(|n| format!("{}:{n}", Sha1::of(&format!("password {n}")).as_str())).collect();
    lines.sort();
    std::fs::File::create(&path).unwrap().write_all(lines.join("\r\n").as_bytes()).unwrap();
    assert_eq!(breaches.find(after(16), "password 4711").await, Found::Breached);
    assert_eq!(breaches.find(after(16), "password x").await, Found::Nowhere);
    assert!(breaches.check().await.unwrap().contains("pwned.txt"));
    assert_eq!(Breaches::new(Source::None).find(NOW, "password 7").await, Found::NoSource);
}

#[test]
fn a_source_is_an_address_or_a_file_or_off() {
    let parse = |text: &str| Source::parse(text);
    assert_eq!(parse("off"), Ok(Source::None));
    assert_eq!(parse("/srv/pwned.txt"), Ok(Source::File("/srv/pwned.txt".into())));
    assert_eq!(parse("file:///srv/pwned%20list.txt"), Ok(Source::File("/srv/pwned list.txt".into())));
    assert_eq!(parse(Source::HAVE_I_BEEN_PWNED).unwrap().to_string(), Source::HAVE_I_BEEN_PWNED);
    let mirror = parse("https://us:hidden@mirror.example:8443/pwned/").unwrap();
    assert_eq!(mirror.to_string(), "https://mirror.example:8443/pwned/");
    assert_eq!(parse("http://x.example").unwrap(), Source::Range(Url::parse("http://x.example").unwrap()));
    for wrong in ["", " ", "htps://u:hidden@x", "https://", "https://u:hidden@x/?q=1", "file://host/x", "https://x/#f"]
    {
        assert!(!parse(wrong).unwrap_err().contains("hidden"), "{wrong}");
    }
}
