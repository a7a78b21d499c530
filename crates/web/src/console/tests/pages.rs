//! What administrators do, page by page. Templates are strict: a page that shows is a context that fits.

use http::StatusCode;

use super::support::{OWNER, Server};

fn user_path(body: &str) -> String {
    let rest = body.split("href=\"/admin/main/users/0").nth(1).unwrap();
    format!("/admin/main/users/0{}", rest.split(['"', '/']).next().unwrap())
}

#[tokio::test]
async fn every_page_shows() {
    let server = Server::start().await;
    let person = server.person("ana@example.com", "Ana", None).await;
    let mut browser = server.signed_in(OWNER).await;
    browser.submit("/admin/main/roles", &[("name", "billing"), ("description", "Pays")]).await.sees("billing");
    let paths = [
        "users",
        "users?q=ana&status=active&kind=human&sort=name",
        "users?q=nobody",
        "users?sort=-role",
        "users/new",
        "users/new-machine",
        "users/export?q=ana",
        "users/bulk?action=end_sessions&all=true",
        "users/bulk?action=remove_from_group&all=true&query=kind%3Dhuman",
        "jobs",
        "organizations",
        "organizations?q=a",
        "organizations/new",
        "groups",
        "groups?q=a",
        "groups/new",
        "roles",
        "roles/new",
        "clients",
        "clients/new",
        "audit",
        "audit?type=user.created&actor=ana",
        "settings",
        "attributes",
        "attributes/new",
        "realms",
        "realms/new",
        "realms/main",
    ];
    for path in paths {
        browser.get(&format!("/admin/main/{path}")).await.is(StatusCode::OK).sees("Olga Owner");
    }
    let tabs = [
        "",
        "/authenticators",
        "/roles",
        "/groups",
        "/organizations",
        "/sessions",
        "/activity",
        "/activity?type=failures",
        "/activity?type=groups",
        "/disable",
        "/delete",
        "/password",
        "/password/clear",
        "/temporary-password",
        "/sessions/revoke-all",
        "/administrator/revoke",
        "/keys/new",
    ];
    for tab in tabs {
        browser.get(&format!("/admin/main/users/{person}{tab}")).await.is(StatusCode::OK).sees("Ana");
    }
    let own = user_path(&browser.get("/admin/main/users?q=owner").await.body);
    for tab in ["", "/authenticators", "/roles", "/sessions", "/activity"] {
        browser.get(&format!("{own}{tab}")).await.is(StatusCode::OK).sees("Owner");
    }
    for missing in [
        "users/nonsense",
        "users/01939b1e-7c40-7d3a-9f00-000000000000",
        "nothing/here",
        "roles/x",
        "groups/x",
        "organizations/x",
        "audit/x",
    ] {
        browser.get(&format!("/admin/main/{missing}")).await.is(StatusCode::NOT_FOUND).sees("does not exist");
    }
    let log = browser.get("/admin/main/audit?outcome=success&from=2020-01-01T00:00&to=2100-01-01T00:00").await;
    let entries: Vec<&str> = log.body.split("/admin/main/audit/").filter_map(|part| part.split('"').next()).collect();
    let entries: Vec<&str> = entries.into_iter().filter(|id| id.len() == 36).collect();
    assert!(entries.len() >= 4, "{entries:?}");
    for entry in entries {
        let page = browser.get(&format!("/admin/main/audit/{entry}")).await;
        page.is(StatusCode::OK).sees("id=\"payload\"").sees(" of 16");
    }
    browser.get("/admin/main/audit?from=nonsense").await.is(StatusCode::OK).sees("from-error");
    let answer = browser.get("/admin/main/palette?q=an").await;
    answer.is(StatusCode::OK).sees("\"Ana\"").sees("Manage realms");
}

#[tokio::test]
async fn a_person_is_created_changed_disabled_and_deleted() {
    let server = Server::start().await;
    let mut browser = server.signed_in(OWNER).await;
    let wrong = [("kind", "human"), ("email", "zoe@"), ("given_name", "Zoë"), ("password_mode", "none")];
    browser
        .post("/admin/main/users", &wrong)
        .await
        .is(StatusCode::UNPROCESSABLE_ENTITY)
        .sees("Zoë")
        .sees("email-error");
    let right = [("kind", "human"), ("email", "zoe@example.com"), ("given_name", "Zoë"), ("password_mode", "none")];
    let page = browser.submit("/admin/main/users", &right).await;
    page.is(StatusCode::OK).sees("Zoë is created.");
    let path = user_path(&browser.get("/admin/main/users?q=zoe").await.body);
    browser.get(&path).await.lacks("Zoë is created.");

    // Two agents change the same record.
    let version = browser.get(&path).await.hidden("version");
    let typed = |family: &'static str, version: String| {
        [
            ("given_name", "Zoë".to_owned()),
            ("family_name", family.to_owned()),
            ("email", "zoe@example.com".to_owned()),
            ("attributes", "plan = pro\r\nseats = 3".to_owned()),
            ("version", version),
        ]
    };
    let first = typed("First", version.clone());
    let first: Vec<(&str, &str)> = first.iter().map(|(key, value)| (*key, value.as_str())).collect();
    browser.submit(&path, &first).await.is(StatusCode::OK).sees("Zoë First is saved.").sees("seats = 3");
    let second = typed("Second", version);
    let second: Vec<(&str, &str)> = second.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let conflict = browser.post(&path, &second).await;
    conflict.is(StatusCode::UNPROCESSABLE_ENTITY).sees("Olga Owner saved a change").sees("First").sees("Second");
    // Saving again, from what was shown, replaces theirs.
    let again = typed("Second", conflict.hidden("version"));
    let again: Vec<(&str, &str)> = again.iter().map(|(key, value)| (*key, value.as_str())).collect();
    browser.submit(&path, &again).await.sees("Zoë Second is saved.");

    browser.submit(&format!("{path}/disable"), &[("reason", "left")]).await.sees("is disabled").sees("left");
    browser.submit(&format!("{path}/disable"), &[]).await.is(StatusCode::UNPROCESSABLE_ENTITY).sees("disabled already");
    browser.submit(&format!("{path}/enable"), &[]).await.sees("They can sign in again");
    let shown = browser.post(&format!("{path}/temporary-password"), &[]).await;
    shown.is(StatusCode::OK).sees("Temporary password").sees("It is shown this once");
    assert_eq!(shown.headers["cache-control"], "no-store");
    browser.get(&format!("{path}/authenticators")).await.sees("Temporary").sees("Cancel the reset");
    browser.submit(&format!("{path}/cancel-password-reset"), &[]).await.sees("is cancelled");
    browser.submit(&format!("{path}/password/clear"), &[]).await.sees("is cleared");
    let short = [("password", "short"), ("require_reset", "true")];
    browser
        .post(&format!("{path}/password"), &short)
        .await
        .is(StatusCode::UNPROCESSABLE_ENTITY)
        .sees("At least 8")
        .lacks("value=\"short\"");
    browser
        .submit(&format!("{path}/password"), &[("password", "long enough for this")])
        .await
        .sees("The password is set.");

    let refused = browser.post(&format!("{path}/delete"), &[("confirmation", "zoe")]).await;
    refused.is(StatusCode::UNPROCESSABLE_ENTITY).sees("Nothing was deleted");
    browser.get(&path).await.is(StatusCode::OK);
    browser
        .submit(&format!("{path}/delete"), &[("confirmation", "zoe@example.com")])
        .await
        .sees("Zoë Second is deleted.");
    browser.get(&path).await.is(StatusCode::NOT_FOUND);
    browser.get("/admin/main/audit?type=user.deleted").await.sees("user.deleted").sees("Olga Owner");
}

#[tokio::test]
async fn a_machine_gets_keys_that_are_shown_once() {
    let server = Server::start().await;
    let mut browser = server.signed_in(OWNER).await;
    let shown = browser.post("/admin/main/users", &[("kind", "machine"), ("name", "Nightly export")]).await;
    shown.is(StatusCode::OK).sees("dzk_").sees("Nightly export is ready");
    let path = user_path(&browser.get("/admin/main/users?q=nightly&kind=machine").await.body);
    browser.get(&path).await.is(StatusCode::OK).sees("Machine").lacks("Temporary password…");
    let keys = format!("{path}/keys/new");
    browser.post(&keys, &[("name", "")]).await.is(StatusCode::UNPROCESSABLE_ENTITY).sees("Must not be empty.");
    browser.post(&keys, &[("name", "Old"), ("expires_at", "2020-01-01")]).await.sees("Must be in the future.");
    browser.post(&keys, &[("name", "Second"), ("expires_at", "2040-01-01")]).await.is(StatusCode::OK).sees("dzk_");
    let list = browser.get(&format!("{path}/authenticators")).await;
    list.is(StatusCode::OK).sees("Second").sees("Expires");
    let key = list
        .body
        .split("/keys/")
        .filter_map(|part| part.split('/').next())
        .find(|part| part.len() == 36)
        .unwrap()
        .to_owned();
    browser.get(&format!("{path}/keys/{key}/regenerate")).await.is(StatusCode::OK);
    browser.post(&format!("{path}/keys/{key}/regenerate"), &[]).await.sees("dzk_").sees("The old key no longer works.");
    browser.get(&format!("{path}/keys/{key}/delete")).await.is(StatusCode::OK).sees("It was never used.");
    browser.submit(&format!("{path}/keys/{key}/delete"), &[]).await.sees("The key is deleted.");
    browser.get(&format!("{path}/keys/{key}/delete")).await.is(StatusCode::NOT_FOUND);
    browser.get(&format!("{path}/activity")).await.sees("Regenerated an API key").sees("Deleted an API key");
}

#[tokio::test]
async fn roles_and_administrators_are_made_and_unmade() {
    let server = Server::start().await;
    let person = server.person("ana@example.com", "Ana", None).await;
    let mut browser = server.signed_in(OWNER).await;
    browser
        .post("/admin/main/roles", &[("name", "two words")])
        .await
        .is(StatusCode::UNPROCESSABLE_ENTITY)
        .sees("Must not contain blanks.");
    let list = browser.submit("/admin/main/roles", &[("name", "billing"), ("description", "Pays\nbills")]).await;
    let role = list
        .body
        .split("/admin/main/roles/")
        .filter_map(|part| part.split('"').next())
        .find(|id| id.len() == 36)
        .unwrap()
        .to_owned();
    let path = format!("/admin/main/roles/{role}");
    let version = browser.get(&path).await.hidden("version");
    browser.submit(&path, &[("name", "billing-admin"), ("version", &version)]).await.sees("is saved");
    browser
        .post(&path, &[("name", "other"), ("version", &version)])
        .await
        .is(StatusCode::UNPROCESSABLE_ENTITY)
        .sees("Somebody else");

    let roles = format!("/admin/main/users/{person}/roles");
    browser.submit(&roles, &[("role_id", &role)]).await.sees("billing-admin").sees("No description");
    browser.get(&format!("/admin/main/users/{person}/activity")).await.sees("Assigned the role billing-admin");
    browser.submit(&format!("{roles}/{role}/remove"), &[]).await.sees("The role is removed.");
    browser
        .submit(&roles, &[("role_id", "nonsense")])
        .await
        .is(StatusCode::UNPROCESSABLE_ENTITY)
        .sees("Choose a role.");

    let administrator = format!("/admin/main/users/{person}/administrator");
    browser
        .submit(&administrator, &[("admin_role", "support"), ("scope", "realm")])
        .await
        .sees("They are administrator now: Support.");
    browser
        .submit(&administrator, &[("admin_role", "god"), ("scope", "realm")])
        .await
        .sees("Must be owner, admin, support or auditor.");
    browser.submit(&format!("{administrator}/revoke"), &[]).await.sees("Not an administrator.");
    browser.get(&format!("{path}/delete")).await.sees("No members");
    browser.submit(&format!("{path}/delete"), &[]).await.sees("The role is deleted.");
}

#[tokio::test]
async fn clients_show_their_secret_once() {
    let server = Server::start().await;
    let mut browser = server.signed_in(OWNER).await;
    browser.get("/admin/main/clients").await.sees("denizen-console").sees("Built in");
    let wrong = [
        ("name", "Billing"),
        ("type", "confidential"),
        ("redirect_uris", "http://billing.example/*"),
        ("grant_types", "authorization_code"),
    ];
    browser.post("/admin/main/clients", &wrong).await.is(StatusCode::UNPROCESSABLE_ENTITY).sees("redirect_uris-error");
    let right = [
        ("name", "Billing"),
        ("client_id", "billing"),
        ("type", "confidential"),
        ("redirect_uris", "https://billing.example/a\r\nhttps://billing.example/b\r\n"),
        ("grant_types", "authorization_code"),
        ("grant_types", "refresh_token"),
        ("scopes", "openid email"),
    ];
    let shown = browser.post("/admin/main/clients", &right).await;
    shown.is(StatusCode::OK).sees("dzc_").sees("https://billing.example/b");
    let list = browser.get("/admin/main/clients").await;
    list.sees("billing.example and 1 more").lacks("dzc_");
    let path = shown.body.split("action=\"/admin/main/clients/").nth(1).unwrap().split('"').next().unwrap();
    let path = format!("/admin/main/clients/{path}");
    browser.get(&path).await.is(StatusCode::OK).lacks("dzc_");
    let version = shown.hidden("version");
    let change = [
        ("name", "Invoices"),
        ("redirect_uris", "https://billing.example/a"),
        ("grant_types", "authorization_code"),
        ("scopes", "openid"),
        ("version", &version),
    ];
    browser.submit(&path, &change).await.sees("Invoices is saved.").sees("Disabled");
    browser.get(&format!("{path}/secret")).await.is(StatusCode::OK);
    browser.post(&format!("{path}/secret"), &[]).await.sees("dzc_");
    browser.get(&format!("{path}/delete")).await.is(StatusCode::OK);
    browser.submit(&format!("{path}/delete"), &[]).await.sees("The client is deleted.");

    let own =
        list.body.split("/admin/main/clients/").filter_map(|part| part.split('"').next()).filter(|id| id.len() == 36);
    let own = own.last().unwrap();
    browser.get(&format!("/admin/main/clients/{own}")).await.is(StatusCode::OK);
}

#[tokio::test]
async fn settings_and_realms_are_looked_after() {
    let server = Server::start().await;
    let mut browser = server.signed_in(OWNER).await;
    let page = browser.get("/admin/main/settings").await;
    let fields = |idle: &'static str, version: String| {
        [
            ("display_name", "Northwind".to_owned()),
            ("email_as_username", "true".to_owned()),
            ("password_min_length", "10".to_owned()),
            ("session_idle_minutes", idle.to_owned()),
            ("session_absolute_hours", "720".to_owned()),
            ("access_token_minutes", "5".to_owned()),
            ("refresh_token_days", "7".to_owned()),
            ("audit_retention_days", "365".to_owned()),
            ("version", version),
        ]
    };
    let version = page.hidden("version");
    for (idle, message) in
        [("0", "Must be between 1 and"), ("x", "Must be a whole number."), ("99999", "Must not be longer")]
    {
        let typed = fields(idle, version.clone());
        let typed: Vec<(&str, &str)> = typed.iter().map(|(key, value)| (*key, value.as_str())).collect();
        browser
            .post("/admin/main/settings", &typed)
            .await
            .is(StatusCode::UNPROCESSABLE_ENTITY)
            .sees(message)
            .sees("Northwind");
    }
    let typed = fields("60", version);
    let typed: Vec<(&str, &str)> = typed.iter().map(|(key, value)| (*key, value.as_str())).collect();
    browser.submit("/admin/main/settings", &typed).await.sees("The settings are saved.").sees("value=\"60\"");
    browser.post("/admin/main/settings", &typed).await.is(StatusCode::UNPROCESSABLE_ENTITY).sees("Somebody else");

    browser
        .post("/admin/main/realms", &[("name", "Acme"), ("slug", "A b")])
        .await
        .is(StatusCode::UNPROCESSABLE_ENTITY)
        .sees("slug-error");
    browser
        .submit("/admin/main/realms", &[("name", "Acme"), ("slug", "acme")])
        .await
        .sees("The realm Acme is created.");
    browser.get("/admin/acme/users").await.is(StatusCode::OK).sees("No users yet").sees("Northwind");
    let path = "/admin/main/realms/acme";
    browser.submit(path, &[("name", "Acme Logistics")]).await.sees("The realm is called Acme Logistics now.");
    browser.get(&format!("{path}/disable")).await.is(StatusCode::OK).sees("No users cannot");
    browser.submit(&format!("{path}/disable"), &[]).await.sees("is disabled");
    browser.submit(&format!("{path}/enable"), &[]).await.sees("is enabled");
    browser
        .post(&format!("{path}/delete"), &[("confirmation", "acm")])
        .await
        .is(StatusCode::UNPROCESSABLE_ENTITY)
        .sees("Nothing was deleted");
    browser.submit(&format!("{path}/delete"), &[("confirmation", "acme")]).await.sees("is deleted");
    browser.get("/admin/acme/users").await.is(StatusCode::NOT_FOUND);
    browser
        .submit("/admin/main/realms/main/disable", &[])
        .await
        .is(StatusCode::UNPROCESSABLE_ENTITY)
        .sees("stays enabled");
}

#[tokio::test]
async fn the_list_turns_its_pages_both_ways() {
    let server = Server::start().await;
    for number in 0..120 {
        server.person(&format!("q{number:03}@example.com"), &format!("Q{number:03}"), None).await;
    }
    let mut browser = server.signed_in(OWNER).await;
    let link = |body: &str, rel: &str| {
        let rest = body.split(&format!("rel=\"{rel}\" href=\"")).nth(1)?;
        Some(rest.split('"').next()?.replace("&amp;", "&"))
    };
    let first = browser.get("/admin/main/users?sort=name&kind=human&q=q").await;
    first.sees("120 users").sees("Q000").sees("Q049").lacks("Q050");
    assert_eq!(link(&first.body, "prev"), None);
    let second = browser.get(&link(&first.body, "next").unwrap()).await;
    second.sees("Q050").sees("Q099").lacks("Q049");
    let third = browser.get(&link(&second.body, "next").unwrap()).await;
    third.sees("Q119");
    assert_eq!(link(&third.body, "next"), None);
    let back = browser.get(&link(&third.body, "prev").unwrap()).await;
    back.sees("Q050").sees("Q099").lacks("Q049").lacks("Q100");
    let start = browser.get(&link(&back.body, "prev").unwrap()).await;
    start.sees("Q000").lacks("Q050");
    assert_eq!(link(&start.body, "prev"), None);
    let part =
        browser.send(http::Method::GET, "/admin/main/users?q=q11", &[("x-partial", "rows")], String::new()).await;
    part.sees("Q119").sees("data-rows").lacks("<html");
}
