//! Tests of messages on their whole way: from the change they tell of through the queue to a gateway that really
//! listens.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use axum::{Router, extract::State, http::HeaderMap, routing::post};
use denizen_model::users::{NewHuman, NewPassword, User};
use denizen_store::{Events, Location};
use tokio::sync::Semaphore;

use super::{
    drafts::{self, Reader},
    *,
};
use crate::{
    Config,
    crypto::{MasterKey, Rng, Secret, password},
    events, message_templates, users,
};

static SEED: AtomicU64 = AtomicU64::new(70_000);
const PHONE: &str = "+4930123456";

/// An application whose clock the test sets.
struct Place {
    app: App,
    clock: Arc<AtomicI64>,
    realm: Arc<crate::RealmState>,
    user: User,
    _folder: tempfile::TempDir,
}

impl Place {
    async fn new(sms: Sms) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let rng = Rng::seeded(SEED.fetch_add(1, Ordering::Relaxed));
        let clock = Arc::new(AtomicI64::new(1_800_000_000));
        let told = clock.clone();
        let config = Config {
            location: Location::Sqlite(folder.path().join("denizen.db")),
            master_key: MasterKey::generate(&rng),
            public_url: "http://localhost:7000".to_owned(),
            clock: Arc::new(move || Timestamp::from_secs(told.load(Ordering::Relaxed))),
            rng,
            hashing: password::Config { threads: 1, queue: 16, params: password::Params::new(8, 1, 1).unwrap() },
            mail: Mail::Demo,
            sms,
            places: crate::places::Places::default(),
            breaches: crate::passwords::Source::None,
        };
        let app = App::open(config).await.unwrap();
        let realm = app.main_realm().await.unwrap();
        let cx = Cx::system(&app, "test");
        let new = NewHuman {
            email: Some("ana@example.com".to_owned()),
            phone: Some(PHONE.to_owned()),
            ..NewHuman::default()
        };
        let made = users::create_human(&app, &cx, cx.may(realm.realm.id).unwrap(), new, NewPassword::None).await;
        let user = made.unwrap().user;
        Self { app, clock, realm, user, _folder: folder }
    }

    fn cx(&self) -> Cx {
        Cx::system(&self.app, "test")
    }

    fn pass(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::Relaxed);
    }

    fn in_minutes(&self, minutes: u64) -> Timestamp {
        self.app.now().plus(Duration::from_secs(60 * minutes))
    }

    fn phone(&self) -> Reader<'_> {
        Reader::of(&self.user, PHONE)
    }

    fn code(&self, code: &str) -> Result<Prepared> {
        let cx = self.cx();
        drafts::sms_code((&self.app, &cx, &self.realm.realm), self.phone(), code, self.in_minutes(10))
    }

    async fn send(&self, prepared: Prepared) {
        let (app, cx, user) = (self.app.clone(), self.cx(), self.user.clone());
        self.app
            .write(&cx.clone(), move |mut tx| {
                enqueue(&mut tx, &app, &prepared)?;
                let event = cx.user_event(&app, denizen_model::events::EventType::UserUpdated, &user);
                Ok(tx.commit(Events::from(event), ())?)
            })
            .await
            .unwrap();
    }

    /// What agents see of the user's messages, the newest first.
    async fn shown(&self) -> Vec<Message> {
        let cx = self.cx();
        list_of(&self.app, &cx, cx.may(self.realm.realm.id).unwrap(), self.user.id, None, 50).await.unwrap().items
    }

    async fn newest(&self) -> Message {
        self.shown().await.swap_remove(0)
    }

    async fn sealed(&self, id: MessageId) -> Option<String> {
        let found = self.app.db().peek(move |tx| Ok::<_, Error>(store::messages::find(tx, id)?)).await;
        found.unwrap().unwrap().1
    }

    /// The details of the user's events of a type, as text.
    async fn events(&self, kind: &str) -> Vec<String> {
        let (cx, query) = (self.cx(), denizen_model::events::EventQuery { limit: 200, ..Default::default() });
        let page = events::list(&self.app, &cx, cx.may(self.realm.realm.id).unwrap(), query).await.unwrap();
        let of_type = page.items.iter().filter(|event| event.kind.as_str() == kind);
        of_type.map(|event| serde_json::Value::from(event.details.clone()).to_string()).collect()
    }
}

/// A gateway on this machine: answers with the statuses it was given, then with 200.
struct Sink {
    port: u16,
    state: Arc<SinkState>,
}

struct SinkState {
    taken: Mutex<Vec<(HeaderMap, String)>>,
    answers: Mutex<VecDeque<u16>>,
    /// One permit for each answer that may be given.
    gate: Semaphore,
}

impl Sink {
    async fn start(answers: &[u16]) -> Self {
        let gate = Semaphore::new(Semaphore::MAX_PERMITS);
        let state = Arc::new(SinkState {
            taken: Mutex::default(),
            answers: Mutex::new(answers.iter().copied().collect()),
            gate,
        });
        let router = Router::new().route("/send", post(take)).with_state(state.clone());
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { port, state }
    }

    fn sms(&self, body: Option<&str>) -> Sms {
        let url = format!("http://user:s3cret@127.0.0.1:{}/send", self.port);
        let headers = Secret::new("X-Account: 7".to_owned());
        Sms::Gateway(Box::new(SmsConfig::parse(&url, Some(&headers), body, Some(1)).unwrap()))
    }

    fn taken(&self) -> Vec<(HeaderMap, String)> {
        self.state.taken.lock().unwrap().clone()
    }
}

async fn take(State(state): State<Arc<SinkState>>, headers: HeaderMap, body: String) -> axum::http::StatusCode {
    state.taken.lock().unwrap().push((headers, body));
    state.gate.acquire().await.unwrap().forget();
    let status = state.answers.lock().unwrap().pop_front().unwrap_or(200);
    axum::http::StatusCode::from_u16(status).unwrap()
}

fn key(headers: &HeaderMap) -> &str {
    headers["idempotency-key"].to_str().unwrap()
}

#[tokio::test]
async fn a_code_goes_to_the_gateway_and_is_kept_nowhere() {
    let sink = Sink::start(&[]).await;
    let place = Place::new(sink.sms(None)).await;
    assert!(place.app.sms_configured());
    place.send(place.code("493816").unwrap()).await;
    let waiting = place.newest().await;
    assert_eq!(
        (waiting.channel, waiting.recipient.as_str(), waiting.state),
        (Channel::Sms, PHONE, MessageState::Queued)
    );
    assert!(waiting.content.contains("•••") && !format!("{waiting:?}").contains("493816"));
    assert_eq!(send_due(&place.app).await.unwrap(), 1);
    let (headers, body) = sink.taken().remove(0);
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&body["to"], &body["id"]), (&PHONE.into(), &waiting.id.to_string().into()));
    assert!(body["text"].as_str().unwrap().contains("493816"), "{body}");
    assert_eq!((key(&headers), headers["x-account"].to_str().unwrap()), (waiting.id.to_string().as_str(), "7"));
    assert_eq!(headers["authorization"], "Basic dXNlcjpzM2NyZXQ=");
    let sent = place.newest().await;
    assert_eq!((sent.state, sent.attempts), (MessageState::Sent, 1));
    assert!(place.sealed(sent.id).await.is_none(), "nothing of the code is left");
    let events = place.events("notification.sent").await;
    assert!(events.len() == 1 && events[0].contains("\"sms\"") && !events[0].contains("493816"), "{events:?}");
}

#[tokio::test]
async fn what_the_gateway_cannot_do_now_is_tried_again() {
    let sink = Sink::start(&[500, 429, 200]).await;
    let place = Place::new(sink.sms(Some("To={to}&Body={text}"))).await;
    place.send(place.code("493816").unwrap()).await;
    for (attempt, state) in [(1, MessageState::Queued), (2, MessageState::Queued), (3, MessageState::Sent)] {
        assert_eq!(send_due(&place.app).await.unwrap(), 1);
        let shown = place.newest().await;
        assert_eq!((shown.attempts, shown.state), (attempt, state));
        assert_eq!(shown.last_error.is_some(), state == MessageState::Queued, "{shown:?}");
        assert_eq!(send_due(&place.app).await.unwrap(), 0, "not before its time");
        place.pass(120);
    }
    let taken = sink.taken();
    assert_eq!(taken.len(), 3);
    assert!(taken.iter().all(|(headers, _)| key(headers) == key(&taken[0].0)));
    assert!(taken[0].1.starts_with("To=%2B4930123456&Body=493816"), "{}", taken[0].1);
    assert!(place.events("notification.failed").await.is_empty());
}

#[tokio::test]
async fn a_refusal_is_given_up_at_once_and_an_old_code_too() {
    let sink = Sink::start(&[400]).await;
    let place = Place::new(sink.sms(None)).await;
    place.send(place.code("493816").unwrap()).await;
    send_due(&place.app).await.unwrap();
    let shown = place.newest().await;
    assert_eq!(
        (shown.state, shown.last_error.as_deref()),
        (MessageState::Failed, Some("The SMS gateway answered 400 Bad Request."))
    );
    assert!(place.sealed(shown.id).await.is_none());
    // A code that has run out is not sent any more.
    place.send(place.code("777777").unwrap()).await;
    place.pass(601);
    send_due(&place.app).await.unwrap();
    assert_eq!((sink.taken().len(), place.newest().await.state), (1, MessageState::Failed));
    let failed = place.events("notification.failed").await;
    assert!(
        failed.len() == 2 && !failed.concat().contains("493816") && !failed.concat().contains("777777"),
        "{failed:?}"
    );
}

#[tokio::test]
async fn a_gateway_that_says_nothing_is_not_waited_for() {
    let sink = Sink::start(&[]).await;
    let place = Place::new(sink.sms(None)).await;
    sink.state.gate.forget_permits(Semaphore::MAX_PERMITS);
    place.send(place.code("493816").unwrap()).await;
    send_due(&place.app).await.unwrap();
    let shown = place.newest().await;
    assert_eq!(shown.last_error.as_deref(), Some("The SMS gateway did not answer within 1 seconds."));
    assert_eq!(shown.state, MessageState::Queued);
    // Nor is one that is not there.
    let gone = Sms::Gateway(Box::new(SmsConfig::parse("http://127.0.0.1:1/s3cret", None, None, Some(1)).unwrap()));
    let place = Place::new(gone).await;
    place.send(place.code("493816").unwrap()).await;
    send_due(&place.app).await.unwrap();
    assert_eq!(place.newest().await.last_error.as_deref(), Some("The SMS gateway could not be reached."));
}

#[tokio::test]
async fn what_a_node_was_sending_when_it_died_is_sent_by_another_under_the_same_id() {
    let sink = Sink::start(&[]).await;
    let place = Place::new(sink.sms(None)).await;
    sink.state.gate.forget_permits(Semaphore::MAX_PERMITS);
    place.send(place.code("493816").unwrap()).await;
    let app = place.app.clone();
    let dying = tokio::spawn(async move { send_due_by(&app, Channel::Sms).await });
    while sink.taken().is_empty() {
        tokio::task::yield_now().await;
    }
    dying.abort();
    assert!(dying.await.is_err());
    sink.state.gate.add_permits(100);
    assert_eq!(place.newest().await.state, MessageState::Queued);
    assert_eq!(send_due(&place.app).await.unwrap(), 0, "it is still the other's");
    place.pass(180);
    assert_eq!(send_due(&place.app).await.unwrap(), 1);
    let taken = sink.taken();
    assert_eq!((taken.len(), key(&taken[0].0)), (2, key(&taken[1].0)));
    assert_eq!(place.newest().await.state, MessageState::Sent);
    assert_eq!(place.events("notification.sent").await.len(), 1);
}

#[tokio::test]
async fn without_a_gateway_nothing_is_put_into_the_queue() {
    let place = Place::new(Sms::None).await;
    assert!(!place.app.sms_configured());
    let refused = place.code("493816").err().unwrap();
    assert!(matches!(*refused.kind, crate::ErrorKind::Conflict("no-sms-gateway")), "{refused:?}");
    assert!(refused.message.contains("no SMS gateway is configured"));
    // A number that is none is refused as well, where there is one.
    let place = Place::new(Sms::Demo).await;
    let cx = place.cx();
    let reader = Reader { to: "030 1234", ..place.phone() };
    let refused = drafts::sms_notice((&place.app, &cx, &place.realm.realm), reader, "Hello.").err().unwrap();
    assert!(matches!(*refused.kind, crate::ErrorKind::Invalid(_)));
}

#[tokio::test]
async fn every_kind_of_message_is_made_in_every_language_and_shown_without_its_secrets() {
    let place = Place::new(Sms::Demo).await;
    for language in Language::ALL {
        let user = User { locale: Some(language.to_string()), ..place.user.clone() };
        let (cx, until) = (place.cx(), place.in_minutes(10));
        let (here, mail) = ((&place.app, &cx, &place.realm.realm), Reader::of(&user, "ana@example.com"));
        let phone = Reader::of(&user, PHONE);
        let path = "sign-in/link?token=se-cret";
        let all = [
            drafts::email_code(here, mail, "493816", until),
            drafts::magic_link(here, mail, path, until),
            drafts::reset_password(here, mail, path, until),
            drafts::reset_otp(here, mail, path, until),
            drafts::reset_passkey(here, mail, path, until),
            drafts::password_changed(here, mail),
            drafts::authenticator_added(here, mail, "Passkey <b>"),
            drafts::authenticator_removed(here, mail, "Authenticator app"),
            drafts::new_device(here, mail, "Firefox on Linux", Some("Lisbon")),
            drafts::new_device(here, mail, "Firefox on Linux", None),
            drafts::account_locked(here, mail, Some(until)),
            drafts::account_locked(here, mail, None),
            drafts::email_changed(here, mail, "new-one@example.org"),
            drafts::sms_code(here, phone, "493816", until),
            drafts::sms_notice(here, phone, "Your password was changed."),
        ];
        let count = all.len();
        for prepared in all {
            place.send(prepared.unwrap()).await;
        }
        send_due(&place.app).await.unwrap();
        let shown = place.shown().await;
        for message in shown.iter().take(count) {
            let said = format!("{} {}", message.subject, message.content);
            assert!(!said.contains("493816") && !said.contains("se-cret") && !said.contains("new-one"), "{said}");
            let (_, whole) = mailbox_mail(&place.app, message.id).await.unwrap();
            match message.template.needs() {
                Some("code") => assert!(whole.text.contains("493816")),
                Some("link") => assert!(whole.text.contains(path)),
                _ => assert!(message.template == Template::SmsNotice || whole.text.contains("/realms/main/account")),
            }
            assert!(!whole.html.contains("<b>"), "{}", whole.html);
        }
    }
}

#[tokio::test]
async fn messages_are_in_the_readers_language_where_the_realm_offers_it_and_tests_in_any() {
    let place = Place::new(Sms::Demo).await;
    let mut realm = place.realm.realm.clone();
    realm.settings.locale = Language::German;
    realm.settings.locales = vec![Language::German, Language::French];
    let cx = place.cx();
    for (locale, expected, time) in [
        (Some("fr-CA"), Language::French, "15 janvier 2027 à 08:00 (UTC)"),
        (Some("ar"), Language::German, "15. Januar 2027, 08:00 (UTC)"),
        (None, Language::German, "15. Januar 2027, 08:00 (UTC)"),
    ] {
        let reader = Reader { locale, zone: None, ..place.phone() };
        let code = drafts::sms_code((&place.app, &cx, &realm), reader, "493816", place.in_minutes(10)).unwrap();
        assert_eq!(code.letter.language, expected);
        let reader = Reader { to: "ana@example.com", ..reader };
        let notice = drafts::password_changed((&place.app, &cx, &realm), reader).unwrap();
        assert!(notice.letter.more.contains(&("time", time.to_owned())), "{:?}", notice.letter.more);
    }
    let test = prepare_test(&place.app, &cx, &realm, Template::SmsCode, Language::Arabic, None, PHONE).unwrap();
    assert_eq!(test.letter.language, Language::Arabic);
}

async fn word(place: &Place, text: TemplateText) {
    let cx = place.cx();
    let may = cx.may(place.realm.realm.id).unwrap();
    message_templates::set(&place.app, &cx, may, Template::EmailCode, Language::English, text, None).await.unwrap();
}

fn own(subject: &str, text: &str) -> TemplateText {
    TemplateText { subject: subject.to_owned(), text: text.to_owned(), html: format!("<p>{text}</p>") }
}

#[tokio::test]
async fn a_realms_own_text_is_used_as_soon_as_it_is_saved_whether_or_not_the_realm_is_at_hand() {
    let place = Place::new(Sms::Demo).await;
    for round in 0..2 {
        word(&place, own("{{ code }}!", &format!("Own {round}: {{{{ code }}}}"))).await;
        if round == 1 {
            // Now the cache holds it; before, the queue read it itself.
            place.app.main_realm().await.unwrap();
        }
        let cx = place.cx();
        let reader = Reader::of(&place.user, "ana@example.com");
        let until = place.in_minutes(5);
        let prepared = drafts::email_code((&place.app, &cx, &place.realm.realm), reader, "493816", until).unwrap();
        assert_eq!(prepared.worded.is_some(), round == 1);
        place.send(prepared).await;
        let shown = place.newest().await;
        assert_eq!((shown.subject.as_str(), shown.content.as_str()), ("•••!", format!("Own {round}: •••").as_str()));
        send_due(&place.app).await.unwrap();
        let (_, whole) = mailbox_mail(&place.app, shown.id).await.unwrap();
        assert_eq!(
            (whole.subject.as_str(), whole.html.as_str()),
            ("493816!", format!("<p>Own {round}: 493816</p>").as_str())
        );
    }
}

#[tokio::test]
async fn a_text_that_can_be_used_no_longer_keeps_no_message_from_its_reader() {
    let place = Place::new(Sms::Demo).await;
    // As it may stand in the database of an older version that knew more variables.
    let now = place.app.now();
    let old = denizen_model::messages::MessageTemplate {
        realm_id: place.realm.realm.id,
        template: Template::EmailCode,
        language: Language::English,
        text: own("Hi", "{{ code }}\n{{ forgotten }}"),
        created_at: now,
        updated_at: now,
        version: 1,
    };
    let stored = place.app.db().write(move |mut tx| {
        store::message_templates::insert(&mut tx, &old)?;
        Ok::<_, Error>(tx.unaudited("a test's text", ())?)
    });
    stored.await.unwrap();
    place.app.db().config_changed();
    let cx = place.cx();
    let reader = Reader::of(&place.user, "ana@example.com");
    let prepared = drafts::email_code((&place.app, &cx, &place.realm.realm), reader, "493816", place.in_minutes(5));
    place.send(prepared.unwrap()).await;
    send_due(&place.app).await.unwrap();
    let shown = place.newest().await;
    assert_eq!(shown.subject, "Your code for Main");
    assert!(shown.template_error.as_deref().is_some_and(|flaw| flaw.starts_with("text: Line 2")), "{shown:?}");
    let events = place.events("notification.sent").await;
    assert!(events[0].contains("template_error"), "{events:?}");
}
