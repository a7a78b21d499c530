//! A real relying party on this machine, which checks logout tokens by the published keys as a library of its own.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU16, Ordering},
    },
};

use aws_lc_rs::digest;
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::State,
    http::{HeaderMap, Request, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use denizen_model::{
    SessionId, Timestamp, UserId,
    clients::{Client as Registered, ClientType},
    sessions::{LogoutNotice, NoticeState},
    users::{NewHuman, NewPassword},
};
use denizen_ops::{
    Config, Cx, Location,
    clients::{self, ClientInput},
    crypto::{MasterKey, Rng, password},
    messages::Mail,
    passwords::Source,
    places::Places,
    sessions, users,
};
use denizen_web::{Options, Web};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tower::ServiceExt;

use super::*;

const PASSWORD: &str = "correct horse battery";
const CALLBACK: &str = "http://127.0.0.1:9/callback";

/// A Denizen with a clock that the test moves.
struct Server {
    app: App,
    router: Router,
    clock: Arc<AtomicI64>,
    _folder: tempfile::TempDir,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{} {}", self.status, self.body))
    }

    fn location(&self) -> &str {
        self.headers[header::LOCATION].to_str().unwrap()
    }

    fn flow(&self) -> String {
        let rest = self.body.split("name=\"flow\" value=\"").nth(1).unwrap_or_else(|| panic!("no flow: {}", self.body));
        rest.split('"').next().unwrap().to_owned()
    }
}

/// What a sign-in got.
struct Tokens {
    cookie: String,
    sid: SessionId,
    refresh: String,
}

fn form(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

impl Server {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(AtomicI64::new(1_795_000_000));
        let hand = clock.clone();
        let rng = Rng::system();
        let app = App::open(Config {
            location: Location::Sqlite(folder.path().join("denizen.db")),
            master_key: MasterKey::generate(&rng),
            public_url: "http://localhost:7000".to_owned(),
            clock: Arc::new(move || Timestamp::from_secs(hand.load(Ordering::Relaxed))),
            rng,
            hashing: password::Config { threads: 1, queue: 16, params: password::Params::new(8, 1, 1).unwrap() },
            mail: Mail::None,
            sms: denizen_ops::messages::Sms::None,
            places: Places::default(),
            breaches: Source::None,
        })
        .await
        .unwrap();
        let router = denizen_web::router(Web::new(app.clone(), Options::default()).unwrap());
        Self { app, router, clock, _folder: folder }
    }

    fn pass(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::Relaxed);
    }

    fn cx(&self) -> Cx {
        Cx::system(&self.app, "test")
    }

    async fn person(&self, email: &str) -> UserId {
        let (cx, realm) = (self.cx(), self.app.main_realm().await.unwrap().realm.id);
        let new = NewHuman { email: Some(email.to_owned()), ..NewHuman::default() };
        let password = NewPassword::Set(PASSWORD.to_owned());
        users::create_human(&self.app, &cx, cx.may(realm).unwrap(), new, password).await.unwrap().user.id
    }

    async fn client(&self, name: &str, told_at: Option<String>) -> Registered {
        let (cx, realm) = (self.cx(), self.app.main_realm().await.unwrap().realm.id);
        let input = ClientInput {
            client_id: Some(name.to_owned()),
            name: Some(name.to_owned()),
            kind: Some(ClientType::Public),
            redirect_uris: Some(vec![CALLBACK.to_owned()]),
            backchannel_logout_uri: Some(told_at),
            ..ClientInput::default()
        };
        clients::create(&self.app, &cx, cx.may(realm).unwrap(), input).await.unwrap().0
    }

    async fn send(&self, method: &str, path: &str, cookie: &str, body: String) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::COOKIE, cookie)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(body))
            .unwrap();
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        Answer { status: parts.status, headers: parts.headers, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    /// A whole sign-in to a client; with a cookie, in a browser that has a session.
    async fn sign_in(&self, client: &Registered, email: &str, cookie: &str) -> Tokens {
        let verifier = "a-verifier-of-forty-three-characters-or-more";
        let challenge = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()));
        let query = form(&[
            ("response_type", "code"),
            ("client_id", &client.client_id),
            ("redirect_uri", CALLBACK),
            ("scope", "openid"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        let mut answer = self.send("GET", &format!("/realms/main/authorize?{query}"), cookie, String::new()).await;
        let mut cookie = cookie.to_owned();
        while !(answer.status.is_redirection() && answer.location().starts_with(CALLBACK)) {
            if answer.status.is_redirection() {
                let path = answer.location().trim_start_matches("http://localhost:7000").to_owned();
                answer = self.send("GET", &path, &cookie, String::new()).await;
                continue;
            }
            let flow = answer.flow();
            answer = if answer.body.contains("name=\"password\"") {
                let typed = form(&[("flow", &flow), ("password", PASSWORD)]);
                self.send("POST", "/realms/main/sign-in/password", &cookie, typed).await
            } else {
                let typed = form(&[("flow", &flow), ("identifier", email)]);
                self.send("POST", "/realms/main/sign-in", &cookie, typed).await
            };
            if let Some(set) = answer.headers.get(header::SET_COOKIE) {
                cookie = set.to_str().unwrap().split(';').next().unwrap().to_owned();
            }
        }
        let (_, query) = answer.location().split_once('?').unwrap();
        let code = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "code").unwrap().1.into_owned();
        let body = form(&[
            ("grant_type", "authorization_code"),
            ("client_id", &client.client_id),
            ("code", &code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", verifier),
        ]);
        let got = self.send("POST", "/realms/main/token", "", body).await.json();
        let payload = got["id_token"].as_str().unwrap().split('.').nth(1).unwrap();
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
        Tokens {
            cookie,
            sid: claims["sid"].as_str().unwrap().parse().unwrap(),
            refresh: got["refresh_token"].as_str().unwrap().to_owned(),
        }
    }

    async fn refresh(&self, client: &Registered, token: &str) -> StatusCode {
        let body = form(&[("grant_type", "refresh_token"), ("client_id", &client.client_id), ("refresh_token", token)]);
        self.send("POST", "/realms/main/token", "", body).await.status
    }

    async fn revoke(&self, user: UserId, session: SessionId) {
        let (cx, realm) = (self.cx(), self.app.main_realm().await.unwrap().realm.id);
        sessions::revoke(&self.app, &cx, cx.may(realm).unwrap(), user, session).await.unwrap();
    }

    /// What an agent sees of the telling of a client.
    async fn notice(&self, user: UserId, session: SessionId, client: &Registered) -> Option<LogoutNotice> {
        let (cx, realm) = (self.cx(), self.app.main_realm().await.unwrap().realm.id);
        let all = sessions::list(&self.app, &cx, cx.may(realm).unwrap(), user).await.unwrap();
        let session = all.into_iter().find(|one| one.id == session).unwrap();
        session.clients.into_iter().find(|one| one.client_id == client.client_id).unwrap().notice
    }

    /// Lets the worker do what is due.
    async fn drain(&self) {
        let mut teller = Teller::new(self.app.clone()).unwrap();
        loop {
            while teller.take().await.unwrap() {}
            if teller.running.is_empty() {
                return;
            }
            teller.wait(Duration::from_secs(1)).await;
        }
    }

    /// The claims of a logout token, checked as section 2.6 asks for.
    async fn verify(&self, token: &str, client: &Registered) -> Map<String, Value> {
        let discovery =
            self.send("GET", "/realms/main/.well-known/openid-configuration", "", String::new()).await.json();
        assert_eq!(discovery["backchannel_logout_supported"], true);
        assert_eq!(discovery["backchannel_logout_session_supported"], true);
        let keys_at = discovery["jwks_uri"].as_str().unwrap().trim_start_matches("http://localhost:7000").to_owned();
        let keys = self.send("GET", &keys_at, "", String::new()).await;
        let keys: JwkSet = serde_json::from_str(&keys.body).unwrap();
        let head = decode_header(token).unwrap();
        assert_eq!(head.typ.as_deref(), Some("logout+jwt"));
        let key = keys.find(head.kid.as_deref().unwrap()).unwrap();
        let mut rules = Validation::new(Algorithm::ES256);
        rules.set_audience(&[&client.client_id]);
        rules.set_issuer(&[discovery["issuer"].as_str().unwrap()]);
        // The clock is the test's.
        rules.validate_exp = false;
        let claims = decode::<Map<String, Value>>(token, &DecodingKey::from_jwk(key).unwrap(), &rules).unwrap().claims;
        let now = self.clock.load(Ordering::Relaxed);
        let (iat, exp) = (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
        assert!(iat <= now && now < exp && exp - iat <= 120, "{claims:?}");
        assert_eq!(claims["events"], json!({"http://schemas.openid.net/event/backchannel-logout": {}}));
        assert!(!claims.contains_key("nonce") && claims["jti"].as_str().unwrap().len() >= 16, "{claims:?}");
        claims
    }
}

/// A client's own server.
#[derive(Clone)]
struct Party {
    address: SocketAddr,
    tokens: Arc<Mutex<Vec<String>>>,
    status: Arc<AtomicU16>,
}

async fn receive(State(party): State<Party>, headers: HeaderMap, body: String) -> Response {
    assert_eq!(headers[header::CONTENT_TYPE], "application/x-www-form-urlencoded");
    let fields: HashMap<String, String> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    party.tokens.lock().unwrap().push(fields["logout_token"].clone());
    let status = StatusCode::from_u16(party.status.load(Ordering::Relaxed)).unwrap();
    if status.is_redirection() {
        return (status, [(header::LOCATION, "/elsewhere")]).into_response();
    }
    status.into_response()
}

impl Party {
    async fn start(at: SocketAddr) -> Self {
        let listener = TcpListener::bind(at).await.unwrap();
        let party = Self {
            address: listener.local_addr().unwrap(),
            tokens: Arc::default(),
            status: Arc::new(AtomicU16::new(200)),
        };
        let router =
            Router::new().route("/logout", post(receive)).route("/elsewhere", post(receive)).with_state(party.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        party
    }

    async fn anywhere() -> Self {
        Self::start(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    fn uri(&self) -> Option<String> {
        Some(format!("http://{}/logout", self.address))
    }

    fn got(&self) -> Vec<String> {
        std::mem::take(&mut *self.tokens.lock().unwrap())
    }
}

#[tokio::test]
async fn every_client_of_an_ended_session_is_told_by_a_token_it_can_verify() {
    let server = Server::start().await;
    let (one, two) = (Party::anywhere().await, Party::anywhere().await);
    two.status.store(204, Ordering::Relaxed);
    let (first, second) = (server.client("first", one.uri()).await, server.client("second", two.uri()).await);
    let deaf = server.client("deaf", None).await;
    let ana = server.person("ana@example.com").await;
    let tokens = server.sign_in(&first, "ana@example.com", "").await;
    let same = server.sign_in(&second, "ana@example.com", &tokens.cookie).await;
    server.sign_in(&deaf, "ana@example.com", &tokens.cookie).await;
    assert_eq!(same.sid, tokens.sid, "one browser, one session");
    // Another session of the same user, which goes on.
    let other = server.sign_in(&first, "ana@example.com", "").await;

    server.drain().await;
    assert!(one.got().is_empty() && two.got().is_empty(), "nothing has ended");
    server.revoke(ana, tokens.sid).await;
    assert_eq!(server.refresh(&first, &tokens.refresh).await, StatusCode::BAD_REQUEST, "dead at once");
    assert_eq!(server.notice(ana, tokens.sid, &first).await.unwrap().state(), NoticeState::Waiting);
    server.drain().await;

    for (party, client) in [(&one, &first), (&two, &second)] {
        let got = party.got();
        assert_eq!(got.len(), 1);
        let claims = server.verify(&got[0], client).await;
        assert_eq!(claims["sid"], tokens.sid.to_string());
        assert_eq!(claims["sub"], ana.to_string());
        let notice = server.notice(ana, tokens.sid, client).await.unwrap();
        assert_eq!((notice.state(), notice.attempts, notice.last_error), (NoticeState::Delivered, 1, None));
    }
    assert_eq!(server.notice(ana, tokens.sid, &deaf).await, None);
    server.drain().await;
    assert!(one.got().is_empty(), "told once");
    assert_eq!(server.refresh(&first, &other.refresh).await, StatusCode::OK, "the other session goes on");
}

#[tokio::test]
async fn whatever_ends_a_session_tells_its_clients() {
    let server = Server::start().await;
    let party = Party::anywhere().await;
    let client = server.client("app", party.uri()).await;
    let realm = server.app.main_realm().await.unwrap().realm.id;
    let ana = server.person("ana@example.com").await;
    server.person("bo@example.com").await;
    let told = async |what: &str, sid: SessionId| {
        server.drain().await;
        let got = party.got();
        assert_eq!(got.len(), 1, "{what}");
        assert_eq!(server.verify(&got[0], &client).await["sid"], sid.to_string(), "{what}");
    };

    let out = server.sign_in(&client, "ana@example.com", "").await;
    let left = server.send("POST", "/realms/main/account/sign-out", &out.cookie, String::new()).await;
    assert_eq!(left.status, StatusCode::SEE_OTHER);
    told("signing out", out.sid).await;

    let earlier = server.sign_in(&client, "ana@example.com", "").await;
    let page = server.send("GET", "/realms/main/account", "", String::new()).await;
    let typed = form(&[("flow", &page.flow()), ("identifier", "bo@example.com")]);
    let page = server.send("POST", "/realms/main/sign-in", &earlier.cookie, typed).await;
    let typed = form(&[("flow", &page.flow()), ("password", PASSWORD)]);
    server.send("POST", "/realms/main/sign-in/password", &earlier.cookie, typed).await;
    told("another user in the same browser", earlier.sid).await;

    let (from, ended) =
        (server.sign_in(&client, "ana@example.com", "").await, server.sign_in(&client, "ana@example.com", "").await);
    let path = format!("/realms/main/account/sessions/{}/end", ended.sid);
    assert_eq!(server.send("POST", &path, &from.cookie, String::new()).await.status, StatusCode::SEE_OTHER);
    told("the user, from another session", ended.sid).await;

    let cx = server.cx();
    sessions::revoke_all(&server.app, &cx, cx.may(realm).unwrap(), ana).await.unwrap();
    told("ending all sessions", from.sid).await;

    let disabled = server.sign_in(&client, "ana@example.com", "").await;
    users::disable(&server.app, &cx, cx.may(realm).unwrap(), ana, None).await.unwrap();
    told("disabling", disabled.sid).await;
    users::enable(&server.app, &cx, cx.may(realm).unwrap(), ana).await.unwrap();

    // The session's row goes with the user; what is to be told does not.
    let deleted = server.sign_in(&client, "ana@example.com", "").await;
    users::delete(&server.app, &cx, cx.may(realm).unwrap(), ana, None).await.unwrap();
    told("deleting", deleted.sid).await;
}

#[tokio::test]
async fn a_client_that_was_down_is_told_when_it_is_back() {
    let server = Server::start().await;
    // An address where nobody listens yet.
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let client = server.client("app", Some(format!("http://{free}/logout"))).await;
    let ana = server.person("ana@example.com").await;
    let tokens = server.sign_in(&client, "ana@example.com", "").await;
    server.revoke(ana, tokens.sid).await;
    server.drain().await;
    let notice = server.notice(ana, tokens.sid, &client).await.unwrap();
    assert_eq!((notice.state(), notice.attempts), (NoticeState::Waiting, 1));
    let error = notice.last_error.unwrap();
    assert!(!error.is_empty() && !error.contains("127.0.0.1"), "{error}");
    server.drain().await;
    assert_eq!(server.notice(ana, tokens.sid, &client).await.unwrap().attempts, 1, "not before its time");

    let party = Party::start(free).await;
    party.status.store(503, Ordering::Relaxed);
    server.pass(10);
    server.drain().await;
    let notice = server.notice(ana, tokens.sid, &client).await.unwrap();
    assert_eq!(notice.last_error.as_deref(), Some("The client answered 503."));
    let before = party.got();
    assert_eq!(before.len(), 1);

    party.status.store(200, Ordering::Relaxed);
    server.pass(40);
    server.drain().await;
    let got = party.got();
    let (old, new) = (server_jti(&before[0]), server_jti(&got[0]));
    assert_ne!(old, new, "each attempt has a token of its own");
    server.verify(&got[0], &client).await;
    let notice = server.notice(ana, tokens.sid, &client).await.unwrap();
    assert_eq!((notice.state(), notice.attempts, notice.last_error), (NoticeState::Delivered, 3, None));
}

fn server_jti(token: &str) -> String {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice::<Value>(&payload).unwrap()["jti"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn redirects_are_not_followed_and_in_the_end_a_client_is_given_up() {
    let server = Server::start().await;
    let party = Party::anywhere().await;
    party.status.store(302, Ordering::Relaxed);
    let client = server.client("app", party.uri()).await;
    let ana = server.person("ana@example.com").await;
    let tokens = server.sign_in(&client, "ana@example.com", "").await;
    server.revoke(ana, tokens.sid).await;
    for attempt in 1..=backchannel::MAX_ATTEMPTS {
        server.drain().await;
        assert_eq!(party.got().len(), 1, "attempt {attempt}");
        server.pass(2 * 3600);
    }
    let notice = server.notice(ana, tokens.sid, &client).await.unwrap();
    assert_eq!((notice.state(), notice.attempts), (NoticeState::Failed, backchannel::MAX_ATTEMPTS));
    assert_eq!(notice.last_error.as_deref(), Some("The client answered 302."));
    server.drain().await;
    assert!(party.got().is_empty());
}

#[tokio::test]
async fn a_client_that_hangs_does_not_keep_others_waiting() {
    let server = Server::start().await;
    // It takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hanging = server.client("hanging", Some(format!("http://{}/logout", silent.local_addr().unwrap()))).await;
    let party = Party::anywhere().await;
    let prompt = server.client("prompt", party.uri()).await;
    let ana = server.person("ana@example.com").await;
    for _ in 0..12 {
        server.sign_in(&hanging, "ana@example.com", "").await;
    }
    server.sign_in(&prompt, "ana@example.com", "").await;
    let (cx, realm) = (server.cx(), server.app.main_realm().await.unwrap().realm.id);
    sessions::revoke_all(&server.app, &cx, cx.may(realm).unwrap(), ana).await.unwrap();
    let mut teller = Teller::new(server.app.clone()).unwrap();
    while teller.take().await.unwrap() {}
    while party.tokens.lock().unwrap().is_empty() {
        teller.wait(Duration::from_millis(20)).await;
        teller.take().await.unwrap();
    }
    let calls = teller.clients.values().filter(|client| **client == hanging.id).count();
    assert!((1..EACH + 4).contains(&calls), "{calls} calls of one client at a time");
}

#[tokio::test]
async fn a_name_that_leads_to_a_link_local_address_is_not_called() {
    let found = Guarded.resolve("localhost".parse().unwrap()).await.unwrap();
    assert!(found.into_iter().all(|address| address.ip().is_loopback()));
    let caller = caller().unwrap();
    let server = Server::start().await;
    let party = Party::anywhere().await;
    let client = server.client("app", party.uri()).await;
    let ana = server.person("ana@example.com").await;
    let tokens = server.sign_in(&client, "ana@example.com", "").await;
    server.revoke(ana, tokens.sid).await;
    let mut due = backchannel::take_due(&server.app, 1, &[]).await.unwrap();
    let mut delivery = due.pop().unwrap();
    for uri in ["http://169.254.169.254/latest", "https://[fe80::1]/", "http://example.com/"] {
        uri.clone_into(&mut delivery.uri);
        let said = call(&caller, &delivery).await.unwrap_err();
        assert!(said.starts_with("The address must"), "{uri}: {said}");
    }
}
