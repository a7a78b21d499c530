//! A Denizen on a throw-away database, and a browser without a screen.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::ConnectInfo,
};
use denizen_model::{
    Timestamp, UserId,
    permissions::AdminRole,
    users::{NewHuman, NewPassword},
};
use denizen_ops::{
    App, Config, Cx, Location, admins,
    crypto::{MasterKey, Rng, password},
    messages::{self, Mail, Sms},
    passwords,
    places::Places,
    realms, setup, users,
};
use http::{Method, Request, StatusCode, header};
use tempfile::TempDir;
use tower::ServiceExt;

use crate::{Options, Web, router};

pub(super) const PASSWORD: &str = "correct horse battery";
pub(super) const OWNER: &str = "owner@example.com";

/// A server in this process.
pub(super) struct Server {
    pub(super) app: App,
    router: Router,
    clock: Arc<AtomicI64>,
    _folder: TempDir,
}

impl Server {
    pub(super) async fn start() -> Self {
        Self::start_at("http://localhost:7000").await
    }

    pub(super) async fn start_at(public_url: &str) -> Self {
        Self::start_with(public_url, Mail::Demo, Sms::Demo).await
    }

    pub(super) async fn start_with(public_url: &str, mail: Mail, sms: Sms) -> Self {
        let folder = TempDir::new().unwrap();
        let clock = Arc::new(AtomicI64::new(1_795_000_000));
        let hand = Arc::clone(&clock);
        let rng = Rng::system();
        let params = password::Params::new(8, 1, 1).unwrap();
        let app = App::open(Config {
            location: Location::Sqlite(folder.path().join("denizen.db")),
            master_key: MasterKey::generate(&rng),
            public_url: public_url.to_owned(),
            clock: Arc::new(move || Timestamp::from_secs(hand.load(Ordering::Relaxed))),
            rng,
            hashing: password::Config { threads: 1, queue: 64, params },
            mail,
            places: Places::demo(),
            sms,
            breaches: passwords::Source::None,
        })
        .await
        .unwrap();
        let cx = Cx::system(&app, "test");
        let owner = NewHuman {
            email: Some(OWNER.to_owned()),
            given_name: Some("Olga".to_owned()),
            family_name: Some("Owner".to_owned()),
            ..NewHuman::default()
        };
        setup::create_owner(&app, &cx, None, owner, PASSWORD.to_owned()).await.unwrap();
        let web = Web::new(app.clone(), Options::default()).unwrap();
        Self { router: router(web), app, clock, _folder: folder }
    }

    pub(super) fn pass(&self, time: Duration) {
        self.clock.fetch_add(i64::try_from(time.as_secs()).unwrap(), Ordering::Relaxed);
    }

    pub(super) fn system(&self) -> Cx {
        Cx::system(&self.app, "test")
    }

    /// A person of the main realm.
    pub(super) async fn person(&self, email: &str, given_name: &str, role: Option<AdminRole>) -> UserId {
        let cx = self.system();
        let main = self.app.main_realm().await.unwrap().realm.id;
        let new =
            NewHuman { email: Some(email.to_owned()), given_name: Some(given_name.to_owned()), ..NewHuman::default() };
        let password = NewPassword::Set(PASSWORD.to_owned());
        let made = users::create_human(&self.app, &cx, cx.may(main).unwrap(), new, password).await.unwrap();
        if let Some(role) = role {
            admins::grant(&self.app, &cx, cx.may(main).unwrap(), made.user.id, role, false).await.unwrap();
        }
        made.user.id
    }

    pub(super) async fn realm(&self, slug: &str) {
        let cx = self.system();
        let main = self.app.main_realm().await.unwrap().realm.id;
        realms::create(&self.app, &cx, cx.may(main).unwrap(), slug, slug).await.unwrap();
    }

    /// Lets the queue be worked off, and answers the texts of the mails to an address, the newest first.
    pub(super) async fn mails(&self, address: &str) -> Vec<String> {
        messages::send_due(&self.app).await.unwrap();
        let mut found = Vec::new();
        for message in messages::mailbox(&self.app).await.unwrap() {
            if message.recipient == address {
                found.push(messages::mailbox_mail(&self.app, message.id).await.unwrap().1.text);
            }
        }
        found
    }

    /// Where the newest mail to an address leads.
    pub(super) async fn link(&self, address: &str) -> String {
        let mails = self.mails(address).await;
        let text = mails.first().unwrap_or_else(|| panic!("no mail to {address}"));
        let line = text.lines().find(|line| line.starts_with("http")).unwrap_or_else(|| panic!("no link in {text}"));
        line.strip_prefix(self.app.public_url()).unwrap().to_owned()
    }

    pub(super) fn browser(&self) -> Browser<'_> {
        Browser { server: self, cookies: BTreeMap::new(), address: [192, 0, 2, 7], agent: "" }
    }

    /// A browser whose user is in the console.
    pub(super) async fn signed_in(&self, email: &str) -> Browser<'_> {
        let mut browser = self.browser();
        let page = browser.sign_in(email).await;
        assert!(page.status.is_success() || page.status == StatusCode::FORBIDDEN, "{}: {}", page.status, page.body);
        browser
    }
}

/// What a browser got.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) status: StatusCode,
    pub(super) headers: http::HeaderMap,
    pub(super) body: String,
}

impl Page {
    pub(super) fn location(&self) -> &str {
        self.headers.get(header::LOCATION).map_or("", |value| value.to_str().unwrap())
    }

    /// The value of a hidden field.
    pub(super) fn hidden(&self, name: &str) -> String {
        let mark = format!("name=\"{name}\" value=\"");
        let rest = self.body.split(&mark).nth(1).unwrap_or_else(|| panic!("no {name} in {}", self.body));
        rest.split('"').next().unwrap().to_owned()
    }

    pub(super) fn sees(&self, text: &str) -> &Self {
        assert!(self.body.contains(text), "{text:?} is not in {} {}", self.status, self.body);
        self
    }

    pub(super) fn lacks(&self, text: &str) -> &Self {
        assert!(!self.body.contains(text), "{text:?} is in {}", self.body);
        self
    }

    pub(super) fn is(&self, status: StatusCode) -> &Self {
        assert_eq!(self.status, status, "{} {}", self.location(), self.body);
        self
    }
}

/// Keeps cookies, follows redirects when told to.
pub(super) struct Browser<'s> {
    pub(super) server: &'s Server,
    pub(super) cookies: BTreeMap<String, String>,
    /// Where its requests come from.
    pub(super) address: [u8; 4],
    /// What it calls itself.
    pub(super) agent: &'static str,
}

impl Browser<'_> {
    pub(super) async fn send(&mut self, method: Method, path: &str, lines: &[(&str, &str)], body: String) -> Page {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = Request::builder().method(method).uri(path).header(header::COOKIE, cookies.join("; "));
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        if !self.agent.is_empty() {
            request = request.header(header::USER_AGENT, self.agent);
        }
        request = request.extension(ConnectInfo(SocketAddr::from((self.address, 4711))));
        let response = self.server.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        for line in parts.headers.get_all(header::SET_COOKIE) {
            let line = line.to_str().unwrap();
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            if line.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let body = to_bytes(body, 10_000_000).await.unwrap();
        Page { status: parts.status, headers: parts.headers, body: decode(&body) }
    }

    pub(super) async fn get(&mut self, path: &str) -> Page {
        self.send(Method::GET, path, &[], String::new()).await
    }

    /// Posts a form as a page of Denizen does.
    pub(super) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let encoded = super::super::words::query(fields);
        let body = encoded.trim_start_matches('?').to_owned();
        let lines = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
        self.send(Method::POST, path, &lines, body).await
    }

    /// Follows redirects to the page they end in.
    pub(super) async fn follow(&mut self, mut page: Page) -> Page {
        for _ in 0..10 {
            if !page.status.is_redirection() {
                return page;
            }
            let public = self.server.app.public_url();
            let path = page.location().strip_prefix(public).unwrap_or(page.location()).to_owned();
            page = self.get(&path).await;
        }
        panic!("redirects without end: {}", page.location());
    }

    pub(super) async fn open(&mut self, path: &str) -> Page {
        let page = self.get(path).await;
        self.follow(page).await
    }

    /// Does what a posted form leads to.
    pub(super) async fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let page = self.post(path, fields).await;
        self.follow(page).await
    }

    /// From the console's sign-in to its first page.
    pub(super) async fn sign_in(&mut self, email: &str) -> Page {
        self.sign_in_for("/admin/main/users", "main", email).await
    }

    pub(super) async fn sign_in_for(&mut self, path: &str, realm: &str, email: &str) -> Page {
        let page = self.open(path).await;
        self.prove(page, realm, email).await
    }

    /// Answers the sign-in pages.
    pub(super) async fn prove(&mut self, page: Page, realm: &str, email: &str) -> Page {
        let flow = page.hidden("flow");
        let address = format!("/realms/{realm}/sign-in");
        let page = self.post(&address, &[("flow", &flow), ("identifier", email)]).await;
        let flow = page.hidden("flow");
        let page = self.post(&format!("{address}/password"), &[("flow", &flow), ("password", PASSWORD)]).await;
        page.is(StatusCode::SEE_OTHER);
        self.follow(page).await
    }
}

/// The text of an answer; slashes, which templates escape, as they are read.
fn decode(body: &[u8]) -> String {
    String::from_utf8(body.to_vec()).unwrap().replace("&#x2f;", "/")
}
