//! The console's pages.

use serde_json::{Value, json};

use super::{Looker, click};
use crate::{
    console::sign_in_to_console,
    support::{Api, App, Browser, Database, NewApp, Server, eventually},
};

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
    let look = Looker::new().speaking("en");
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
        (format!("users/{user}/recovery-codes"), "user-recovery-codes"),
        ("messages".to_owned(), "messages"),
        ("messages/reset-password/en".to_owned(), "message"),
        ("messages/sms-code/ar".to_owned(), "message-sms"),
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

    results_of_forms(&look, &browser, &server, &shown).await;
    states_of_the_list(&look, &browser, &server).await;
    steps_of_an_import(&look, &browser, &server).await;
    refusals(&look, &browser, &server, &api, &shown).await;

    for path in ["/admin", "/admin/users", "/admin/settings", "/admin/audit"] {
        browser.open(&server.url(path)).await;
        browser.comes_to("/admin/main/").await;
    }
    look.hears_nothing(&browser, "addresses without a realm").await;
    browser.quit().await;
    // A preview stands in a frame of the page of its message.
    look.has_seen_all(&["console/", "docs/"], &["console/messages/preview.html"]);
    look.is_content();
}

/// What is shown once, after a form.
async fn results_of_forms(look: &Looker, browser: &Browser, server: &Server, shown: &Shown) {
    let at = |path: &str| server.url(&format!("/admin/main/{path}"));
    for (path, choice, name) in [
        (format!("users/{}/temporary-password", shown.user), None, "user-temporary-password-made"),
        (
            format!("users/{}/send-reset?which=password", shown.user),
            Some("[name=deliver][value=link]"),
            "user-reset-link",
        ),
        (format!("users/{}/recovery-codes", shown.user), None, "user-recovery-codes-made"),
    ] {
        browser.open(&at(&path)).await;
        if let Some(choice) = choice {
            click(browser, choice).await;
        }
        click(browser, "form.confirm button[type=submit]").await;
        browser.find(".secret code, .codes code").await;
        look.keep(browser, name).await;
    }
    browser.open(&at(&format!("users/{}/keys/new", shown.machine))).await;
    browser.fill("name", "nightly").await;
    click(browser, "form.confirm button[type=submit]").await;
    browser.find(".secret code").await;
    look.keep(browser, "machine-key-made").await;
    browser.open(&at("invitations/new")).await;
    let list = "email,given_name\nsomeone@example.com,Some\nnobody,None\n";
    browser.find("textarea[name=csv]").await.send_keys(list).await.unwrap();
    browser.click("Send invitations").await;
    browser.shows("console/invitations/done.html").await;
    look.keep(browser, "invitations-done").await;
    look.hears_nothing(browser, "results of forms").await;

    browser.open(&at("messages/email-code/de")).await;
    browser.find("textarea[name=text]").await.clear().await.unwrap();
    browser.click("Save changes").await;
    browser.find(".error-text").await;
    look.keep(browser, "message-wrong").await;
    browser.open(&at(&format!("users/{}/send-reset?which=otp", shown.user))).await;
    click(browser, "[name=which]:checked").await;
    click(browser, "form.confirm button[type=submit]").await;
    browser.find(".error-text").await;
    look.keep(browser, "user-send-reset-wrong").await;
    browser.complaints().await;
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
