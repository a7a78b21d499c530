//! The pages of a card, each in the state that people meet it in, with what is wrong with it said and with what was
//! done: once looked at with everything there is, once in the language whose words are longest and without any script,
//! once in a language that runs from right to left.

use std::process::Child;

use serde_json::{Value, json};

use super::{Looker, account, click, sign_in};
use crate::support::{Api, App, Browser, Database, Mail, MailServer, NewApp, PASSWORD, Server, eventually, free_port};

/// Runs before a page's own script: the browser offers passkeys by the button alone.
const NO_AUTOFILL: &str =
    "if (window.PublicKeyCredential) PublicKeyCredential.isConditionalMediationAvailable = async () => false;";
/// The button that goes on.
pub(super) const GO_ON: &str = ".card .btn-primary, .card form .btn-danger";

/// Somebody who walks through all pages.
pub(super) struct Walk {
    pub(super) look: Looker,
    pub(super) browser: Browser,
    pub(super) server: Server,
    pub(super) api: Api,
    pub(super) mails: MailServer,
    /// Whether pages run their scripts.
    pub(super) scripts: bool,
}

impl Walk {
    async fn begin(look: Looker, scripts: bool) -> Option<Self> {
        let browser = Browser::start().await?;
        let mails = MailServer::start().await;
        // Nobody reads what is sent to phones here.
        let gateway = format!("http://127.0.0.1:{}/", free_port());
        let server = Server::prepare(Database::sqlite()).sending_by(&mails.url()).texting_by(&gateway);
        // Passkeys belong to a name.
        let url = format!("http://localhost:{}", server.port());
        let mut server = server.at_public_url(&url);
        server.launch().await;
        let api = server.api();
        browser.prefer_language(look.language.unwrap()).await;
        if scripts {
            browser.give_authenticator().await;
            browser.before_pages(NO_AUTOFILL).await;
        } else {
            browser.run_scripts(false).await;
        }
        Some(Self { look, browser, server, api, mails, scripts })
    }

    /// The page made of this template under `card` has come; looks at it.
    pub(super) async fn at(&self, template: &str, name: &str) {
        self.look.at(&self.browser, template, name).await;
    }

    /// The page has come, and is no news.
    pub(super) async fn passes(&self, template: &str) {
        self.browser.shows(&format!("card/{template}.html")).await;
    }

    /// Looks at the page made of this template once it has something in it that it has not always.
    pub(super) async fn with(&self, template: &str, css: &str, name: &str) {
        self.browser.shows_with(&format!("card/{template}.html"), css).await;
        self.look.keep(&self.browser, name).await;
    }

    /// Something is wrong on the page that was there before already.
    pub(super) async fn wrong(&self, template: &str, name: &str) {
        self.with(template, ".card .error-text:not(:empty), .card .notice[role=alert]", name).await;
    }

    /// The page says that something was done.
    pub(super) async fn done(&self, template: &str, name: &str) {
        self.with(template, ".card [role=status]", name).await;
    }

    pub(super) async fn click(&self, css: &str) {
        click(&self.browser, css).await;
    }

    pub(super) async fn go_on(&self) {
        self.click(GO_ON).await;
    }

    /// Types into fields and goes on. Fields that must not be empty are not held back by the browser.
    pub(super) async fn send(&self, fields: &[(&str, &str)]) {
        for (name, text) in fields {
            self.browser.fill(name, text).await;
        }
        self.go_on().await;
    }

    /// Goes on with forms that the browser itself would not send.
    pub(super) async fn send_anyway(&self, fields: &[(&str, &str)]) {
        self.browser.evaluate("for (const form of document.forms) form.noValidate = true").await;
        self.send(fields).await;
    }

    pub(super) fn url(&self, path: &str) -> String {
        self.server.url(&format!("/realms/main{path}"))
    }

    /// Somebody else sits down: the account page asks who they are.
    pub(super) async fn stranger(&self) {
        self.browser.driver().delete_all_cookies().await.unwrap();
        self.browser.open(&self.url("/account")).await;
        self.passes("sign_in/identifier").await;
    }

    /// A stranger says who they are.
    pub(super) async fn named(&self, email: &str) {
        self.stranger().await;
        self.send(&[("identifier", email)]).await;
    }

    /// A stranger signs in with the password.
    pub(super) async fn signs_in(&self, email: &str) {
        self.named(email).await;
        self.passes("sign_in/password").await;
        self.send(&[("password", PASSWORD)]).await;
    }

    pub(super) async fn is_in(&self) {
        self.passes("account/profile").await;
    }

    /// A person with a verified address; answers the path of the record.
    pub(super) async fn person(&self, email: &str) -> String {
        let path = format!("/realms/main/users/{}", self.api.create_person(email).await);
        self.api.patch(&path, &json!({ "email_state": "verified" })).await.expect(200);
        path
    }

    /// A person who must do this before anything else.
    pub(super) async fn asked(&self, email: &str, action: &str) -> String {
        let path = self.person(email).await;
        self.api.put(&format!("{path}/required-actions/{action}"), &json!({})).await.succeed();
        path
    }

    pub(super) async fn set(&self, settings: Value) {
        self.api.patch("/realms/main/settings", &settings).await.expect(200);
    }

    /// The newest mail to somebody who has had so many.
    pub(super) async fn mail(&self, email: &str, count: usize) -> Mail {
        self.mails.wait_for(email, count).await
    }

    /// The six digits in it.
    pub(super) async fn code(&self, email: &str, count: usize) -> String {
        let text = self.mail(email, count).await.text();
        let mut words = text.split(|c: char| !c.is_ascii_digit());
        words.find(|word| word.len() == 6).unwrap_or_else(|| panic!("{text}")).to_owned()
    }

    /// Nothing was complained of but that pages which refuse answer with an error status.
    pub(super) async fn hears_nothing(&self, name: &str) {
        let complaints = self.browser.complaints().await;
        for complaint in complaints.into_iter().filter(|text| !text.contains("Failed to load resource")) {
            self.look.note(name, complaint);
        }
    }

    async fn end(self, but: &[&str]) {
        self.look.has_seen_all(&["card/"], but);
        self.browser.quit().await;
        self.look.is_content();
    }
}

/// The mailbox is part of the demo.
const ELSEWHERE: [&str; 2] = ["card/mailbox/list.html", "card/mailbox/show.html"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_card_page_is_for_everybody() {
    let Some(walk) = Walk::begin(Looker::new().speaking("en"), true).await else { return };
    everything(&walk).await;
    walk.end(&ELSEWHERE).await;
}

/// But for passkeys, which the page says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_card_page_works_in_german_without_javascript() {
    let Some(walk) = Walk::begin(Looker::quick().speaking("de"), false).await else { return };
    everything(&walk).await;
    let [list, show] = ELSEWHERE;
    walk.end(&[list, show, "card/sign_in/second_factor_passkey.html"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_card_page_runs_from_right_to_left() {
    let Some(walk) = Walk::begin(Looker::quick().speaking("ar"), true).await else { return };
    everything(&walk).await;
    walk.end(&ELSEWHERE).await;
}

async fn everything(walk: &Walk) {
    first_start(walk).await;
    let app = App::register(&walk.api, &walk.server.issuer("main"), NewApp::default()).await;
    let methods = json!(["password", "passkey", "email_code", "magic_link"]);
    walk.set(json!({ "sign_in_methods": methods, "self_deletion": true, "username_changeable": true })).await;
    sign_in::ways_in(walk, &app).await;
    sign_in::ways_without_a_password(walk).await;
    walk.set(json!({ "sign_in_methods": methods })).await;
    sign_in::required_actions(walk).await;
    sign_in::second_factors(walk).await;
    new_people(walk).await;
    links(walk).await;
    account::pages(walk).await;
    signing_out(walk).await;
    errors(walk, &app).await;
}

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// The page where the first owner is made, of a server that has none.
async fn first_start(walk: &Walk) {
    let fresh = Server::prepare(Database::sqlite());
    let url = format!("http://127.0.0.1:{}", fresh.port());
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut command = fresh.command(&["serve", "--listen", url.trim_start_matches("http://"), "--public-url", &url]);
    command.stdout(log.reopen().unwrap()).stderr(log.reopen().unwrap());
    let _running = Running(command.spawn().unwrap());
    let link = || {
        let said = std::fs::read_to_string(log.path()).unwrap();
        said.split_whitespace().find(|word| word.contains("/setup/")).map(str::to_owned)
    };
    let ready = format!("{url}/health/ready");
    eventually("the first owner can be made", || async {
        link().is_some() && matches!(reqwest::get(&ready).await, Ok(answer) if answer.status() == 200)
    })
    .await;
    walk.browser.open(&link().unwrap()).await;
    walk.at("setup", "setup").await;
    walk.send_anyway(&[("email", "nobody"), ("password", "short")]).await;
    walk.wrong("setup", "setup-wrong").await;
    walk.send(&[("email", "first@example.com"), ("given_name", "Ada"), ("password", PASSWORD)]).await;
    eventually("the owner is made", || async { !walk.browser.url().await.contains("/setup") }).await;
    walk.browser.open(&link().unwrap()).await;
    walk.at("error", "setup-gone").await;
    walk.hears_nothing("set-up").await;
}

/// Registering, and accepting an invitation.
async fn new_people(walk: &Walk) {
    walk.stranger().await;
    walk.click(".card-links a").await;
    walk.at("enrol/register", "register").await;
    walk.send_anyway(&[("email", "nobody")]).await;
    walk.wrong("enrol/register", "register-wrong").await;
    walk.send(&[("email", "newcomer@example.com")]).await;
    walk.at("enrol/sent", "register-sent").await;
    walk.browser.open(&walk.mail("newcomer@example.com", 1).await.link()).await;
    walk.at("enrol/details", "register-complete").await;
    walk.send(&[("given_name", "Nina"), ("password", PASSWORD)]).await;
    walk.is_in().await;

    let invited = json!({ "email": "guest@example.com", "given_name": "Gast" });
    walk.api.post("/realms/main/invitations", &invited).await.expect(201);
    let link = walk.mail("guest@example.com", 1).await.link();
    walk.browser.driver().delete_all_cookies().await.unwrap();
    walk.browser.open(&link).await;
    walk.at("enrol/details", "invitation").await;
    walk.send(&[("password", "short")]).await;
    walk.wrong("enrol/details", "invitation-wrong").await;
    walk.browser.open(&format!("{link}x")).await;
    walk.at("error", "invitation-gone").await;
    walk.hears_nothing("new people").await;
}

/// What links of mails lead to.
async fn links(walk: &Walk) {
    let user = format!("/realms/main/users/{}", walk.api.create_person("unsure@example.com").await);
    walk.api.patch(&user, &json!({ "email_state": "verification_requested" })).await.expect(200);
    walk.browser.open(&walk.mail("unsure@example.com", 1).await.link()).await;
    walk.at("links/verify_email", "verify-email").await;
    walk.go_on().await;
    walk.at("links/verified", "verify-email-done").await;
    for (kind, next) in
        [("password", "sign_in/update_password"), ("otp", "sign_in/password"), ("passkey", "sign_in/password")]
    {
        let user = walk.person(&format!("reset-{kind}@example.com")).await;
        let body = json!({ "which": [kind], "deliver": "link" });
        let made = walk.api.post(&format!("{user}/reset-requests"), &body).await.expect(201).json();
        walk.browser.driver().delete_all_cookies().await.unwrap();
        walk.browser.open(made["items"][0]["link"].as_str().unwrap()).await;
        walk.at("links/reset", &format!("reset-{kind}")).await;
        walk.go_on().await;
        walk.at(next, &format!("reset-{kind}-next")).await;
    }
    walk.hears_nothing("links").await;
}

async fn signing_out(walk: &Walk) {
    walk.person("leaver@example.com").await;
    walk.signs_in("leaver@example.com").await;
    walk.is_in().await;
    walk.browser.open(&walk.url("/end-session")).await;
    walk.at("sign_in/sign_out", "sign-out").await;
    walk.go_on().await;
    walk.at("sign_in/signed_out", "signed-out").await;
    walk.hears_nothing("signing out").await;
}

async fn errors(walk: &Walk, app: &App) {
    let attempt = app.begin();
    for (url, name) in [
        (attempt.with("client_id", Some("unknown")), "error-unknown-client"),
        (attempt.with("redirect_uri", Some("https://elsewhere.example/")), "error-redirect"),
        (walk.server.url("/realms/nowhere/account"), "error-no-realm"),
    ] {
        walk.browser.open(&url).await;
        walk.at("error", name).await;
    }
    walk.hears_nothing("errors").await;
}
