//! Groups and organizations, page by page.

use denizen_model::permissions::AdminRole;
use http::StatusCode;

use super::support::{OWNER, Server};

/// The address of the first record of a kind that a page leads to.
fn first(body: &str, kind: &str) -> String {
    let mark = format!("/admin/main/{kind}/");
    let ids = body.split(&mark).skip(1).filter_map(|rest| rest.split(['"', '/', '?', '#']).next());
    format!("{mark}{}", ids.into_iter().find(|id| id.len() == 36).unwrap())
}

#[tokio::test]
async fn a_group_is_made_changed_filled_and_deleted() {
    let server = Server::start().await;
    let ana = server.person("ana@example.com", "Ana", None).await;
    let mut browser = server.signed_in(OWNER).await;
    browser.get("/admin/main/groups").await.sees("No groups yet").sees("Organizations").sees("Create group");
    browser
        .post("/admin/main/groups", &[("name", " "), ("description", "Tries")])
        .await
        .is(StatusCode::UNPROCESSABLE_ENTITY)
        .sees("name-error")
        .sees("Tries");
    let made = browser.submit("/admin/main/groups", &[("name", " Béta "), ("description", "Tries\nthings")]).await;
    made.sees("The group Béta is created.").sees("Tries things").sees("Nobody here yet");
    let path = first(&made.body, "groups");
    browser.post("/admin/main/groups", &[("name", "BETA")]).await.sees("This name is taken already.");
    browser.get("/admin/main/groups?q=be").await.sees("Béta").sees("1 group").lacks("No group matches");
    browser.get("/admin/main/groups?q=eta").await.sees("No group matches");
    browser.get("/admin/main/palette?q=b%C3%A9").await.sees("Béta").sees(&path);

    let version = browser.get(&path).await.hidden("version");
    let change = [("name", "Gamma"), ("description", ""), ("version", version.as_str())];
    browser.submit(&path, &change).await.sees("The group Gamma is saved.");
    let late = [("name", "Delta"), ("description", ""), ("version", version.as_str())];
    let conflict = browser.post(&path, &late).await;
    conflict.is(StatusCode::UNPROCESSABLE_ENTITY).sees("Somebody else").sees("Delta");
    assert_eq!(conflict.hidden("version"), version, "trying again does not overwrite unseen");

    let members = format!("{path}/members");
    for (typed, message) in [("", "Type the username"), ("nobody@example.com", "No user has this username")] {
        let refused = browser.post(&members, &[("user", typed)]).await;
        refused.is(StatusCode::UNPROCESSABLE_ENTITY).sees(message).sees("user-error").sees(typed).sees("Gamma");
    }
    browser.submit(&members, &[("user", " ANA@example.com ")]).await.sees("Ana is a member.").sees("1 member");
    browser.submit(&members, &[("user", &ana.to_string())]).await.sees("1 member");
    let shown = browser.get(&path).await;
    shown.sees(&format!("/admin/main/users?group={}", path.rsplit('/').next().unwrap())).sees("Remove Ana");
    browser.get(&format!("/admin/main/users/{ana}/activity")).await.sees("Added to the group Gamma");
    browser.get(&format!("{path}/delete")).await.sees("Delete the group Gamma?").sees("1 member loses it.");
    browser.submit(&format!("{members}/{ana}/remove"), &[]).await.sees("The member is removed.").sees("No members");
    browser.submit(&members, &[("user", "ana@example.com")]).await.sees("1 member");
    browser.submit(&format!("{path}/delete"), &[]).await.sees("The group is deleted.");
    browser.get(&path).await.is(StatusCode::NOT_FOUND).sees("This group does not exist");
    let log = format!("/admin/main/users/{ana}/activity?type=groups");
    browser.get(&log).await.sees("Removed from the group Gamma").lacks("Signed in");
}

#[tokio::test]
async fn an_organization_has_domains_and_members() {
    let server = Server::start().await;
    let ana = server.person("ana@example.com", "Ana", None).await;
    let mut browser = server.signed_in(OWNER).await;
    let wrong = [("name", "Acme"), ("domains", "acme.example\r\nnot a domain")];
    let refused = browser.post("/admin/main/organizations", &wrong).await;
    refused.is(StatusCode::UNPROCESSABLE_ENTITY).sees("domains-error").sees("not a domain");
    let right = [("name", "Acme"), ("domains", " ACME.example \r\n\r\nacme.test"), ("description", "Tools")];
    let made = browser.submit("/admin/main/organizations", &right).await;
    made.sees("The organization Acme is created.").sees("acme.example\nacme.test");
    let path = first(&made.body, "organizations");
    browser.get("/admin/main/organizations").await.sees("acme.example and 1 more").sees("1 organization");
    let version = browser.get(&path).await.hidden("version");
    let change = [("name", "Acme Tools"), ("domains", ""), ("description", ""), ("version", &version)];
    browser.submit(&path, &change).await.sees("The organization Acme Tools is saved.");
    browser.submit(&format!("{path}/members"), &[("user", "ana@example.com")]).await.sees("Ana is a member.");
    browser.get(&format!("/admin/main/users/{ana}")).await.sees("Acme Tools");
    browser.get(&format!("/admin/main/users/{ana}/delete")).await.sees("1 membership");
    browser.get(&format!("{path}/delete")).await.sees("1 member loses it.");
    browser.submit(&format!("{path}/members/{ana}/remove"), &[]).await.sees("The member is removed.");
    browser.submit(&format!("{path}/delete"), &[]).await.sees("The organization is deleted.");
    browser.get(&path).await.is(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_profile_adds_and_removes_groups_and_organizations() {
    let server = Server::start().await;
    let ana = server.person("ana@example.com", "Ana", None).await;
    let mut browser = server.signed_in(OWNER).await;
    for (kind, field, added) in [
        ("groups", "group", "They are in Beta now."),
        ("organizations", "organization", "They are a member of Beta now."),
    ] {
        let made = browser.submit(&format!("/admin/main/{kind}"), &[("name", "Beta")]).await;
        let record = first(&made.body, kind);
        let id = record.rsplit('/').next().unwrap();
        let tab = format!("/admin/main/users/{ana}/{kind}");
        browser.get(&tab).await.sees("<option value=\"Beta\">").lacks(&record);
        for (typed, message) in [("", "Choose a"), ("Gamma", "of this name")] {
            let refused = browser.post(&tab, &[(field, typed)]).await;
            refused.is(StatusCode::UNPROCESSABLE_ENTITY).sees(message).sees(&format!("{field}-error")).sees(typed);
        }
        browser.submit(&tab, &[(field, " bETA ")]).await.sees(added).sees(&record).lacks("<option value=\"Beta\">");
        browser.get(&record).await.sees("Remove Ana");
        browser.submit(&format!("{tab}/{id}/remove"), &[]).await.sees("Their next token is without it.");
        browser.post(&format!("{tab}/nonsense/remove"), &[]).await.is(StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn members_are_shown_page_by_page() {
    let server = Server::start().await;
    let mut browser = server.signed_in(OWNER).await;
    let made = browser.submit("/admin/main/groups", &[("name", "Many")]).await;
    let path = first(&made.body, "groups");
    let mut ids = Vec::new();
    for number in 0..60 {
        ids.push(server.person(&format!("q{number:02}@example.com"), &format!("Q{number:02}"), None).await);
    }
    let cx = server.system();
    let realm = server.app.main_realm().await.unwrap().realm.id;
    let group = path.rsplit('/').next().unwrap().parse().unwrap();
    denizen_ops::groups::add_members(&server.app, &cx, cx.may(realm).unwrap(), group, ids).await.unwrap();
    let shown = browser.get(&path).await;
    shown.sees("60 members");
    let remove = |body: &str| body.matches("aria-label=\"Remove Q").count();
    assert_eq!(remove(&shown.body), 50);
    let next = shown.body.split("rel=\"next\" href=\"").nth(1).unwrap().split(['"', '#']).next().unwrap().to_owned();
    let rest = browser.get(&next).await;
    assert_eq!(remove(&rest.body), 10);
    rest.lacks("rel=\"next\"");
}

#[tokio::test]
async fn who_may_only_look_sees_no_buttons_and_is_refused() {
    let server = Server::start().await;
    server.person("support@example.com", "Sue", Some(AdminRole::Support)).await;
    let auditor = server.person("auditor@example.com", "Aud", Some(AdminRole::Auditor)).await;
    let mut owner = server.signed_in(OWNER).await;
    let group = first(&owner.submit("/admin/main/groups", &[("name", "Beta")]).await.body, "groups");
    let acme = first(&owner.submit("/admin/main/organizations", &[("name", "Acme")]).await.body, "organizations");

    let mut support = server.signed_in("support@example.com").await;
    support.get(&group).await.sees("Add member").sees("Delete group");
    support.get(&acme).await.is(StatusCode::OK).lacks("Add member").lacks("Delete organization");
    let fields = [("user", "support@example.com")];
    support.submit(&format!("{group}/members"), &fields).await.sees("Sue is a member.");
    support.post(&format!("{acme}/members"), &fields).await.is(StatusCode::FORBIDDEN);
    support.get("/admin/main/organizations/new").await.is(StatusCode::FORBIDDEN);

    let mut browser = server.signed_in("auditor@example.com").await;
    browser.get("/admin/main/groups").await.sees("Beta").lacks("Create group");
    browser.get(&group).await.sees("Sue").lacks("Add member").lacks("Remove Sue").lacks("Delete group");
    browser.get(&format!("/admin/main/users/{auditor}/groups")).await.is(StatusCode::OK).lacks("Add to group");
    browser.post(&format!("{group}/members"), &fields).await.is(StatusCode::FORBIDDEN);
    browser.post(&format!("{group}/delete"), &[]).await.is(StatusCode::FORBIDDEN);
    browser.post("/admin/main/groups", &[("name", "Gamma")]).await.is(StatusCode::FORBIDDEN);
    // Nothing of one realm is reached through another.
    server.realm("other").await;
    let elsewhere = group.replace("/admin/main/", "/admin/other/");
    owner.get(&elsewhere).await.is(StatusCode::NOT_FOUND);
    owner.post(&format!("{elsewhere}/delete"), &[]).await.is(StatusCode::NOT_FOUND);
}
