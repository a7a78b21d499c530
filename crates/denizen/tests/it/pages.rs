//! Every page there is, in a real browser: none complains, none is wider than its window, and none keeps anybody out
//! who cannot see well or use a mouse, as far as axe-core can tell.

use std::{
    path::PathBuf,
    process::{Child, Stdio},
    sync::Mutex,
};

use serde_json::{Value, json};

use crate::{
    console::sign_in_to_console,
    support::{
        Api, App, Browser, Database, MailServer, NewApp, PASSWORD, Server, denizen, eventually, free_port, npm_install,
    },
    two_steps,
};

/// Looks at pages, and notes what is wrong with them.
pub(crate) struct Looker {
    /// The source of axe-core, where there is npm.
    axe: Option<String>,
    /// Where pictures go, when somebody wants them.
    album: Option<PathBuf>,
    wrong: Mutex<Vec<String>>,
}

impl Looker {
    pub(crate) fn new() -> Self {
        let axe = npm_install("axe", &[])
            .map(|folder| std::fs::read_to_string(folder.path().join("node_modules/axe-core/axe.min.js")).unwrap());
        Self { axe, album: std::env::var_os("SCREENSHOTS").map(PathBuf::from), wrong: Mutex::default() }
    }

    fn note(&self, name: &str, what: impl std::fmt::Display) {
        self.wrong.lock().unwrap().push(format!("{name}: {what}"));
    }

    /// Looks at the page as a person would: it has a heading and a title, fits its window, can be used by everybody, and
    /// goes into the album.
    pub(crate) async fn keep(&self, browser: &Browser, name: &str) {
        browser.find("h1").await;
        if browser.driver().title().await.unwrap().is_empty() {
            self.note(name, "has no title");
        }
        for width in [1440, 390] {
            let (overflow, widest) = browser.overflow_at(width).await;
            if overflow > 0 {
                self.note(name, format!("is {overflow} px wider than {width} px: {widest}"));
            }
        }
        if let Some(axe) = &self.axe {
            for barrier in browser.barriers(axe).await {
                self.note(name, barrier);
            }
        }
        if let Some(album) = &self.album {
            browser.photograph(album, name).await;
        }
    }

    /// Opens an address and looks.
    pub(crate) async fn visit(&self, browser: &Browser, url: &str, name: &str) {
        browser.open(url).await;
        self.keep(browser, name).await;
        self.hears_nothing(browser, name).await;
    }

    async fn hears_nothing(&self, browser: &Browser, name: &str) {
        for complaint in browser.complaints().await {
            self.note(name, complaint);
        }
    }

    pub(crate) fn is_content(&self) {
        let wrong = self.wrong.lock().unwrap();
        assert!(wrong.is_empty(), "{} things are wrong:\n{}", wrong.len(), wrong.join("\n"));
    }
}

async fn click(browser: &Browser, css: &str) {
    browser.find(css).await.click().await.unwrap();
}

/// The pages of a card: signing in and out, the account, registering, invitations, the links of mails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_card_page_is_for_everybody() {
    let mails = MailServer::start().await;
    let mut server = Server::prepare(Database::sqlite()).sending_by(&mails.url());
    server.launch().await;
    let api = server.api();
    let app = App::register(&api, &server.issuer("main"), NewApp::default()).await;
    let user = api.create_person("sample@example.com").await;
    let reset = api.create_person("reset@example.com").await;
    let temporary = api
        .post(&format!("/realms/main/users/{reset}/temporary-password"), &json!({}))
        .await
        .succeed()
        .str("temporary_password");
    let Some(browser) = Browser::start().await else { return };
    let look = Looker::new();

    let attempt = app.begin();
    look.visit(&browser, &attempt.url, "sign-in-identifier").await;
    browser.fill("identifier", "sample@example.com").await;
    click(&browser, "button[type=submit]").await;
    browser.find("input[name=password]").await;
    look.keep(&browser, "sign-in-password").await;
    browser.fill("password", "not the right one").await;
    click(&browser, "button[type=submit]").await;
    browser.sees("do not match").await;
    look.keep(&browser, "sign-in-wrong").await;
    // Pages that refuse answer with an error status, which the browser notes.
    browser.complaints().await;

    browser.open(&app.begin().url).await;
    click(&browser, ".card-links a").await;
    browser.find("input[name=email]").await;
    look.keep(&browser, "register").await;
    browser.fill("email", "newcomer@example.com").await;
    click(&browser, "form.form button[type=submit]").await;
    browser.sees("newcomer@example.com").await;
    look.keep(&browser, "register-sent").await;
    let link = mails.wait_for("newcomer@example.com", 1).await.link();
    look.visit(&browser, &link, "register-complete").await;

    let invited = json!({ "email": "guest@example.com", "given_name": "Gast" });
    api.post("/realms/main/invitations", &invited).await.expect(201);
    let link = mails.wait_for("guest@example.com", 1).await.link();
    look.visit(&browser, &link, "invitation").await;
    browser.fill("password", "short").await;
    click(&browser, "form.form button[type=submit]").await;
    browser.find(".error-text").await;
    look.keep(&browser, "invitation-wrong").await;
    browser.complaints().await;
    let gone = format!("{}x", link);
    browser.open(&gone).await;
    look.keep(&browser, "invitation-gone").await;
    browser.complaints().await;

    api.patch(&format!("/realms/main/users/{user}"), &json!({ "email_state": "verification_requested" }))
        .await
        .expect(200);
    let link = mails.wait_for("sample@example.com", 1).await.link();
    look.visit(&browser, &link, "verify-email").await;
    click(&browser, "form.form button[type=submit]").await;
    browser.sees("Your address is confirmed").await;
    look.keep(&browser, "verify-email-done").await;

    look.visit(&browser, &server.url("/realms/main/account"), "account-signed-out").await;
    browser.sign_in("sample@example.com", PASSWORD).await;
    browser.comes_to("/realms/main/account").await;
    look.keep(&browser, "account").await;
    account_pages(&look, &browser, &server, &api).await;
    look.visit(&browser, &server.url("/realms/main/end-session"), "sign-out").await;
    browser.click("Sign out").await;
    browser.sees("signed out").await;
    look.keep(&browser, "signed-out").await;
    browser.open(&server.url("/realms/main/account")).await;
    browser.sign_in("reset@example.com", &temporary).await;
    browser.find("input[autocomplete=new-password]").await;
    look.keep(&browser, "update-password").await;
    let asked = api.create_person("twosteps@example.com").await;
    api.put(&format!("/realms/main/users/{asked}/required-actions/configure_otp"), &json!({})).await.succeed();
    browser.open(&server.url("/realms/main/sign-out")).await;
    browser.driver().delete_all_cookies().await.unwrap();
    browser.open(&server.url("/realms/main/account")).await;
    browser.sign_in("twosteps@example.com", PASSWORD).await;
    let secret = browser.find("code.secret").await.text().await.unwrap();
    look.keep(&browser, "configure-otp").await;
    if let Some(code) = two_steps::code(&secret, 0) {
        browser.fill("code", &code).await;
        click(&browser, "button[type=submit]").await;
        browser.find(".codes").await;
        look.keep(&browser, "recovery-codes").await;
        click(&browser, "button[type=submit]").await;
        browser.comes_to("/realms/main/account").await;
        browser.driver().delete_all_cookies().await.unwrap();
        browser.open(&server.url("/realms/main/account")).await;
        browser.sign_in("twosteps@example.com", PASSWORD).await;
        browser.find("input[name=code]").await;
        look.keep(&browser, "second-factor").await;
        click(&browser, ".card-links a").await;
        browser.find("input[name=code]").await;
        look.keep(&browser, "second-factor-recovery").await;
        browser.driver().delete_all_cookies().await.unwrap();
    }
    for kind in ["password", "otp"] {
        // What the pages before noted, which answer forms.
        browser.complaints().await;
        let person = api.create_person(&format!("reset-{kind}@example.com")).await;
        let body = json!({ "which": [kind], "deliver": "link" });
        let made = api.post(&format!("/realms/main/users/{person}/reset-requests"), &body).await.expect(201).json();
        let link = made["items"][0]["link"].as_str().unwrap().to_owned();
        look.visit(&browser, &link, &format!("reset-{kind}")).await;
        look.visit(&browser, &format!("{link}&ui_locales=ar"), &format!("ar-reset-{kind}")).await;
        look.visit(&browser, &format!("{link}&ui_locales=en"), &format!("en-reset-{kind}")).await;
        click(&browser, "form.form button[type=submit]").await;
        browser.find("input[name=password]").await;
        look.keep(&browser, &format!("reset-{kind}-next")).await;
    }
    for (url, name) in [
        (attempt.with("client_id", Some("unknown")), "error-unknown-client"),
        (attempt.with("redirect_uri", Some("https://elsewhere.example/")), "error-redirect"),
        (server.url("/realms/nowhere/account"), "error-no-realm"),
    ] {
        browser.open(&url).await;
        look.keep(&browser, name).await;
    }
    let complaints = browser.complaints().await;
    for complaint in complaints.into_iter().filter(|text| !text.contains("Failed to load resource")) {
        look.note("cards", complaint);
    }
    browser.quit().await;
    look.is_content();
}

/// The pages of the account of whoever has just signed in, also with something wrong and something done.
async fn account_pages(look: &Looker, browser: &Browser, server: &Server, api: &Api) {
    let settings = json!({ "self_deletion": true, "username_changeable": true });
    api.patch("/realms/main/settings", &settings).await.expect(200);
    for definition in [
        json!({ "key": "nickname", "label": "Nickname", "type": "string", "self_service": "edit" }),
        json!({ "key": "plan", "label": "Plan", "type": "string", "self_service": "view", "default": "Basic" }),
    ] {
        api.post("/realms/main/attribute-definitions", &definition).await.expect(201);
    }
    let at = |path: &str| server.url(&format!("/realms/main/account{path}"));
    for (path, name) in [
        ("", "account-profile"),
        ("/password", "account-password"),
        ("/authenticators", "account-authenticators"),
        ("/sessions", "account-sessions"),
        ("/applications", "account-applications"),
        ("/activity", "account-activity"),
        ("/email", "account-email"),
        ("/phone", "account-phone"),
        ("/username", "account-username"),
        ("/delete", "account-delete"),
    ] {
        look.visit(browser, &at(path), name).await;
    }
    browser.open(&at("/password")).await;
    browser.fill("current_password", "not the right one").await;
    browser.fill("password", "short").await;
    browser.fill("password_again", "short").await;
    browser.click("Change password").await;
    browser.sees("not your present password").await;
    look.keep(browser, "account-password-wrong").await;
    browser.open(&at("/email")).await;
    browser.fill("value", "another@example.com").await;
    browser.click("Send link").await;
    browser.sees("Look into your mail").await;
    look.keep(browser, "account-email-pending").await;
    browser.complaints().await;
    browser.open(&at("/authenticators/app")).await;
    let secret = browser.find("code.secret").await.text().await.unwrap();
    look.keep(browser, "account-app").await;
    if let Some(code) = two_steps::code(&secret, 0) {
        browser.fill("code", &code).await;
        browser.click("Turn on").await;
        browser.find(".codes").await;
        look.keep(browser, "account-codes").await;
        browser.click("I have kept them").await;
        browser.sees("10 codes left").await;
        look.keep(browser, "account-authenticators-app").await;
        browser.click("Rename: Authenticator app").await;
        browser.find("input[name=value]").await;
        look.keep(browser, "account-name").await;
        browser.open(&at("/authenticators")).await;
        browser.click("Remove: Authenticator app").await;
        browser.find(".btn-danger").await;
        look.keep(browser, "account-remove").await;
        browser.click("Remove").await;
        browser.sees("It is removed").await;
    }
    look.hears_nothing(browser, "account pages").await;
}

/// The card pages in each language; Arabic ones are mirrored.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_language_is_for_everybody() {
    let mut server = Server::start(Database::sqlite()).await;
    let api = server.api();
    let app = App::register(&api, &server.issuer("main"), NewApp::default()).await;
    api.create_person("sample@example.com").await;
    let Some(browser) = Browser::start().await else { return };
    let look = Looker::new();
    for (language, title) in [
        ("de", "Anmelden"),
        ("es", "Iniciar sesión"),
        ("fr", "Se connecter"),
        ("ja", "サインイン"),
        ("ar", "تسجيل الدخول"),
    ] {
        let name = |page: &str| format!("{language}-{page}");
        let attempt = app.begin();
        look.visit(&browser, &format!("{}&ui_locales={language}", attempt.url), &name("sign-in-identifier")).await;
        browser.sees(title).await;
        click(&browser, ".languages > summary").await;
        look.keep(&browser, &name("language-menu")).await;
        browser.open(&attempt.url).await;
        browser.fill("identifier", "sample@example.com").await;
        click(&browser, "form.form button[type=submit]").await;
        browser.find("input[name=password]").await;
        browser.fill("password", "not the right one").await;
        click(&browser, "form.form button[type=submit]").await;
        browser.find(".error-text").await;
        look.keep(&browser, &name("sign-in-wrong")).await;
        browser.complaints().await;
        look.visit(&browser, &server.url("/realms/main/register"), &name("register")).await;
        browser.open(&attempt.with("client_id", Some("unknown"))).await;
        look.keep(&browser, &name("error-unknown-client")).await;
        browser.complaints().await;
        browser.open(&server.url("/realms/main/account")).await;
        browser.fill("identifier", "sample@example.com").await;
        click(&browser, "form.form button[type=submit]").await;
        browser.find("input[name=password]").await;
        // By the menu, in the middle of a sign-in.
        click(&browser, ".languages > summary").await;
        click(&browser, &format!(".languages button[lang={language}]")).await;
        browser.comes_to("/realms/main/language").await;
        browser.fill("password", PASSWORD).await;
        click(&browser, "form.form button[type=submit]").await;
        browser.comes_to("/realms/main/account").await;
        look.keep(&browser, &name("account")).await;
        for page in ["password", "authenticators", "activity", "authenticators/app"] {
            let url = server.url(&format!("/realms/main/account/{page}"));
            look.visit(&browser, &url, &name(&format!("account-{}", page.replace('/', "-")))).await;
        }
        look.visit(&browser, &server.url("/realms/main/end-session"), &name("sign-out")).await;
        click(&browser, "button[value=sign_out]").await;
        browser.comes_to("/signed-out").await;
    }
    browser.quit().await;
    look.is_content();
}

/// What the console's pages show.
struct Shown {
    user: String,
    machine: String,
    role: String,
    attribute: String,
    group: String,
    organization: String,
    view: String,
}

impl Shown {
    /// A realm in which every room has something to show.
    async fn make(api: &Api) -> Self {
        let made = |path: &str, body: Value| {
            let path = format!("/realms/main/{path}");
            async move { api.post(&path, &body).await.expect(201).str("id") }
        };
        let user = api.create_person("sample@example.com").await;
        let admin = api.create_person("helper@example.com").await;
        api.put(&format!("/realms/main/users/{admin}/admin"), &json!({ "role": "support" })).await.succeed();
        let twin = json!({ "email": "twin@example.com", "given_name": "Test", "family_name": "Person", "phone": "+493012345678" });
        made("users", twin).await;
        let both = json!({ "phone": "+493012345678", "phone_state": "verified", "email_state": "verified" });
        api.patch(&format!("/realms/main/users/{user}"), &both).await.expect(200);
        let long = json!({ "email": "wolfeschlegelsteinhausenbergerdorff@a-very-long-domain-name.example.com", "given_name": "Wolfeschlegelsteinhausenbergerdorff", "family_name": "von und zu Hohenlohe-Langenburg" });
        let long = made("users", long).await;
        api.post(&format!("/realms/main/users/{long}/disable"), &json!({ "reason": "left" })).await.succeed();
        let machine = made("users", json!({ "kind": "machine", "name": "Nightly export" })).await;
        made(&format!("users/{machine}/api-keys"), json!({ "name": "cron" })).await;
        let role = made("roles", json!({ "name": "editor", "description": "Edits." })).await;
        api.put(&format!("/realms/main/users/{user}/roles/{role}"), &json!({})).await.succeed();
        let group = made("groups", json!({ "name": "Staff", "description": "Everybody who works here." })).await;
        api.post(&format!("/realms/main/users/{user}/groups"), &json!({ "group_id": group })).await.succeed();
        let organization = made("organizations", json!({ "name": "Acme", "description": "Makes anvils." })).await;
        let joined = json!({ "organization_id": organization });
        api.post(&format!("/realms/main/users/{user}/memberships"), &joined).await.succeed();
        made("invitations", json!({ "email": "ana@example.com", "given_name": "Ana" })).await;
        let bo = made("invitations", json!({ "email": "bo@example.com" })).await;
        api.post(&format!("/realms/main/invitations/{bo}/revoke"), &json!({})).await.succeed();
        let view = made("users/views", json!({ "name": "Working", "query": "status=active", "shared": true })).await;
        let attribute = define_attributes(api).await;
        // Without a mail server it waits, which is what one sees.
        let ask = json!({ "email_state": "verification_requested" });
        api.patch(&format!("/realms/main/users/{admin}"), &ask).await.expect(200);
        Self { user, machine, role, attribute, group, organization, view }
    }
}

/// One attribute of each type; answers the id of the last.
async fn define_attributes(api: &Api) -> String {
    let choices = json!({ "choices": [{ "value": "red" }, { "value": "blue", "label": "Blue" }] });
    let mut last = String::new();
    for definition in [
        json!({ "key": "cost_center", "label": "Cost center", "type": "integer", "validation": { "minimum": 1, "maximum": 9 } }),
        json!({ "key": "score", "label": "Score", "type": "number", "console": "view" }),
        json!({ "key": "beta", "label": "Beta tester", "type": "boolean" }),
        json!({ "key": "born", "label": "Date of birth", "type": "date", "claim": "birthdate" }),
        json!({ "key": "aliases", "label": "Aliases", "type": "string", "list": true, "searchable": true }),
        json!({ "key": "badges", "label": "Badges", "type": "choice", "list": true, "validation": choices }),
        json!({ "key": "colour", "label": "Colour", "type": "choice", "default": "red", "required": true, "validation": choices }),
    ] {
        last = api.post("/realms/main/attribute-definitions", &definition).await.expect(201).str("id");
    }
    last
}

/// The console's rooms before there is anything in them, then with something in each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_console_page_is_for_everybody() {
    let mut server = Server::start(Database::sqlite()).await;
    let api = server.api();
    let Some(browser) = Browser::start().await else { return };
    let look = Looker::new();
    sign_in_to_console(&browser, &server).await;
    for room in ["users/duplicates", "groups", "organizations", "invitations", "roles", "clients", "attributes", "jobs"]
    {
        let name = format!("empty-{}", room.replace('/', "-"));
        look.visit(&browser, &server.url(&format!("/admin/main/{room}")), &name).await;
    }

    let shown = Shown::make(&api).await;
    let client = App::register(&api, &server.issuer("main"), NewApp::default()).await.row;
    let Shown { user, machine, role, attribute, group, organization, view } = &shown;
    let events = api.get("/realms/main/events?limit=1").await.expect(200).json();
    let event = events["items"][0]["id"].as_str().unwrap().to_owned();
    let helper = api.get("/realms/main/users?q=helper").await.json()["items"][0]["id"].as_str().unwrap().to_owned();
    let waiting = api.create_person("waiting@example.com").await;
    api.patch(&format!("/realms/main/users/{waiting}"), &json!({ "email_state": "verified" })).await.expect(200);
    for (which, deliver) in [("password", "mail"), ("otp", "link")] {
        let body = json!({ "which": [which], "deliver": deliver });
        api.post(&format!("/realms/main/users/{waiting}/reset-requests"), &body).await.expect(201);
    }
    for (path, name) in [
        ("users".to_owned(), "users"),
        (format!("users/{user}/send-reset?which=password"), "user-send-reset"),
        (format!("users/{helper}/send-reset?which=otp"), "user-send-reset-no-mail"),
        (format!("users/{waiting}/authenticators"), "user-authenticators-waiting"),
        (format!("users/{waiting}/diagnosis"), "user-diagnosis-waiting"),
        (format!("users/{waiting}/add-phone"), "user-add-phone"),
        ("users?q=nobody-is-called-this".to_owned(), "users-no-match"),
        ("users?q=person&status=active&kind=human".to_owned(), "users-filtered"),
        ("users?q=status%3Aasleep".to_owned(), "users-wrong-filter"),
        ("users?columns=email,phone,username,reference,kind,labels,admin_role,last_sign_in_at,created_at,failed_attempts".to_owned(), "users-columns"),
        (format!("users?view={view}&status=active"), "users-view"),
        ("users/views/new?status=disabled".to_owned(), "users-save-view"),
        (format!("users/views/{view}"), "users-view-edit"),
        (format!("users/views/{view}/delete"), "users-view-delete"),
        (format!("users/bulk?action=disable&ids={user}"), "users-bulk-disable"),
        ("users/bulk?action=delete&all=true&query=status%3Dactive".to_owned(), "users-bulk-delete"),
        (format!("users/bulk?action=add_to_group&ids={user}"), "users-bulk-group"),
        ("users/export?status=active".to_owned(), "users-export"),
        ("users/duplicates".to_owned(), "users-duplicates"),
        ("users/import".to_owned(), "users-import"),
        ("users/new".to_owned(), "users-new"),
        ("users/new-machine".to_owned(), "users-new-machine"),
        (format!("users/{user}"), "user-details"),
        (format!("users/{user}/authenticators"), "user-authenticators"),
        (format!("users/{user}/roles"), "user-roles"),
        (format!("users/{user}/groups"), "user-groups"),
        (format!("users/{user}/organizations"), "user-organizations"),
        (format!("users/{user}/sessions"), "user-sessions"),
        (format!("users/{user}/activity"), "user-activity"),
        (format!("users/{user}/notifications"), "user-notifications-empty"),
        (format!("users/{helper}/notifications"), "user-notifications"),
        (format!("users/{helper}"), "admin-details"),
        (format!("users/{user}/diagnosis"), "user-diagnosis"),
        (format!("users/{user}/administrator"), "user-administrator"),
        (format!("users/{helper}/administrator/revoke"), "user-administrator-revoke"),
        (format!("users/{user}/sessions/revoke-all"), "user-sessions-revoke"),
        (format!("users/{user}/disable"), "user-disable"),
        (format!("users/{user}/delete"), "user-delete"),
        (format!("users/{user}/temporary-password"), "user-temporary-password"),
        (format!("users/{user}/password"), "user-password"),
        (format!("users/{user}/password/clear"), "user-password-clear"),
        (format!("users/{machine}"), "machine-details"),
        (format!("users/{machine}/authenticators"), "machine-authenticators"),
        (format!("users/{machine}/diagnosis"), "machine-diagnosis"),
        (format!("users/{machine}/keys/new"), "machine-keys-new"),
        ("groups".to_owned(), "groups"),
        ("groups/new".to_owned(), "groups-new"),
        (format!("groups/{group}"), "group"),
        (format!("groups/{group}/delete"), "group-delete"),
        ("organizations".to_owned(), "organizations"),
        ("organizations/new".to_owned(), "organizations-new"),
        (format!("organizations/{organization}"), "organization"),
        (format!("organizations/{organization}/delete"), "organization-delete"),
        ("invitations".to_owned(), "invitations"),
        ("invitations?state=accepted".to_owned(), "invitations-no-match"),
        ("invitations/new".to_owned(), "invitations-new"),
        ("roles".to_owned(), "roles"),
        ("roles/new".to_owned(), "roles-new"),
        (format!("roles/{role}"), "role"),
        (format!("roles/{role}/delete"), "role-delete"),
        ("clients".to_owned(), "clients"),
        ("clients/new".to_owned(), "clients-new"),
        (format!("clients/{client}"), "client"),
        (format!("clients/{client}/secret"), "client-secret"),
        ("audit".to_owned(), "audit"),
        (format!("audit/{event}"), "audit-entry"),
        ("settings".to_owned(), "settings"),
        ("attributes".to_owned(), "attributes"),
        ("attributes/new".to_owned(), "attributes-new"),
        (format!("attributes/{attribute}"), "attribute"),
        (format!("attributes/{attribute}/delete"), "attribute-delete"),
        ("realms".to_owned(), "realms"),
        ("realms/new".to_owned(), "realms-new"),
        ("realms/main".to_owned(), "realm"),
    ] {
        look.visit(&browser, &server.url(&format!("/admin/main/{path}")), name).await;
    }
    look.visit(&browser, &server.url("/api/docs"), "api-docs").await;

    states_of_the_list(&look, &browser, &server).await;
    steps_of_an_import(&look, &browser, &server).await;
    refusals(&look, &browser, &server, &api, &shown).await;

    for path in ["/admin", "/admin/users", "/admin/settings", "/admin/audit"] {
        browser.open(&server.url(path)).await;
        browser.comes_to("/admin/main/").await;
    }
    look.hears_nothing(&browser, "addresses without a realm").await;
    browser.quit().await;
    look.is_content();
}

/// What opens over a page.
async fn states_of_the_list(look: &Looker, browser: &Browser, server: &Server) {
    let list = server.url("/admin/main/users");
    for (opener, name) in [
        (".filter-menu > summary", "users-filters-open"),
        (".display-menu > summary", "users-display-open"),
        (".split summary", "users-add-open"),
        (".row-menu > summary", "users-row-menu"),
        (".realm-switch", "realm-menu"),
        (".nav-me summary", "me-menu"),
        ("tbody [name=ids]", "users-selection"),
        ("[data-palette-open]", "palette"),
        ("[data-help-open]", "help"),
    ] {
        browser.open(&list).await;
        click(browser, opener).await;
        look.keep(browser, name).await;
        look.hears_nothing(browser, name).await;
    }
    browser.open(&format!("{list}?kind=human")).await;
    browser.click("Save view…").await;
    browser.find("dialog[open] input[name=name]").await;
    look.keep(browser, "dialog-save-view").await;
    browser.open(&server.url("/admin/main/users?q=sample")).await;
    browser.click("Test Person").await;
    browser.click("Disable…").await;
    browser.find("dialog[open] button[type=submit]").await;
    look.keep(browser, "dialog-disable").await;
    look.hears_nothing(browser, "dialogs").await;
}

/// From the file to its report.
async fn steps_of_an_import(look: &Looker, browser: &Browser, server: &Server) {
    let file = tempfile::NamedTempFile::with_suffix(".csv").unwrap();
    std::fs::write(file.path(), "E-Mail,Vorname,Kundennummer,x\nanna@example.com,Anna,7,1\nno address,Bo,8,2\n")
        .unwrap();
    browser.open(&server.url("/admin/main/users/import")).await;
    browser.find("input[type=file]").await.send_keys(file.path().to_str().unwrap()).await.unwrap();
    browser.click("Upload").await;
    browser.sees("Kundennummer").await;
    look.keep(browser, "users-import-columns").await;
    browser.click("Start").await;
    browser.comes_to("/jobs/").await;
    eventually("the report is there", || async { browser.text().await.contains("no address") }).await;
    look.keep(browser, "job").await;
    look.visit(browser, &server.url("/admin/main/jobs"), "jobs").await;
}

/// Forms that come back, and pages that are not there.
async fn refusals(look: &Looker, browser: &Browser, server: &Server, api: &Api, shown: &Shown) {
    for (path, name) in [
        ("users/new", "users-new-wrong"),
        ("invitations/new", "invitations-new-wrong"),
        ("attributes/new", "attributes-new-wrong"),
    ] {
        browser.open(&server.url(&format!("/admin/main/{path}"))).await;
        browser
            .evaluate(
                "const form = document.querySelector('main form.form'); form.noValidate = true; form.requestSubmit()",
            )
            .await;
        browser.find("main [aria-invalid=true], main [role=alert]").await;
        look.keep(browser, name).await;
    }
    browser.open(&server.url(&format!("/admin/main/users/{}", shown.user))).await;
    let theirs = json!({ "given_name": "Theirs", "reference": "R-1" });
    api.patch(&format!("/realms/main/users/{}", shown.user), &theirs).await.expect(200);
    browser.fill("given_name", "Mine").await;
    browser.fill("reference", "R-2").await;
    browser.click("Save changes").await;
    browser.sees("Choose what to keep").await;
    look.keep(browser, "user-conflict").await;
    browser.open(&server.url("/admin/main/users/01900000-0000-7000-8000-000000000000")).await;
    look.keep(browser, "console-not-found").await;
    browser.complaints().await;
}

/// `denizen demo`; dropping it ends it.
struct Demo {
    process: Child,
    _folder: tempfile::TempDir,
    url: String,
}

impl Demo {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = format!("127.0.0.1:{}", free_port());
        let mut command = denizen(&["demo", "--users", "40", "--listen", &address]);
        command.env("TMPDIR", folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
        let demo = Self { process: command.spawn().unwrap(), _folder: folder, url: format!("http://{address}") };
        let ready = format!("{}/health/ready", demo.url);
        eventually("the demo answers", || async {
            matches!(reqwest::get(&ready).await, Ok(answer) if answer.status() == 200)
        })
        .await;
        demo
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// The demo's own pages, and those that have a history only there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_of_the_demo_is_for_everybody() {
    let Some(browser) = Browser::start().await else { return };
    let look = Looker::new();
    let demo = Demo::start().await;
    let url = |path: &str| format!("{}{path}", demo.url);
    look.visit(&browser, &url("/demo/mailbox"), "demo-mailbox").await;
    click(&browser, "main a[href^='/demo/mailbox/']").await;
    browser.comes_to("/demo/mailbox/").await;
    look.keep(&browser, "demo-mail").await;
    browser.open(&url("/admin")).await;
    browser.sign_in("owner@demo.example", "demo-password").await;
    browser.comes_to("/admin/").await;
    let rooms = browser.url().await;
    let rooms = rooms.rsplit_once('/').unwrap().0.to_owned();
    for room in
        ["users", "users/duplicates", "groups", "organizations", "invitations", "roles", "clients", "audit", "settings"]
    {
        look.visit(&browser, &format!("{rooms}/{room}"), &format!("demo-{}", room.replace('/', "-"))).await;
    }
    browser.open(&format!("{rooms}/users?sort=-last_sign_in_at&kind=human")).await;
    click(&browser, ".who-name").await;
    browser.comes_to("/users/").await;
    let profile = browser.url().await.split('?').next().unwrap().to_owned();
    for tab in
        ["", "/authenticators", "/roles", "/groups", "/organizations", "/sessions", "/activity", "/notifications"]
    {
        look.visit(&browser, &format!("{profile}{tab}"), &format!("demo-user{}", tab.replace('/', "-"))).await;
    }
    browser.quit().await;
    look.is_content();
}
