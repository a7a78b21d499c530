//! The profile: conflicts, verification, the way back to a list, diagnosis, duplicates.

use denizen_model::permissions::AdminRole;
use http::StatusCode;

use super::support::{Browser, OWNER, Page, Server};

/// What the form of the Details tab sends as it stands, with some fields typed over.
fn form(page: &Page, typed: &[(&'static str, &str)]) -> Vec<(String, String)> {
    let mut fields = vec![("version".to_owned(), page.hidden("version"))];
    for name in ["given_name", "family_name", "email", "phone", "locale", "zoneinfo", "reference", "attributes"] {
        let was = page.hidden(&format!("was.{name}"));
        let now = typed.iter().find(|(key, _)| *key == name).map_or(was.clone(), |(_, text)| (*text).to_owned());
        fields.push((format!("was.{name}"), was));
        fields.push((name.to_owned(), now));
    }
    fields
}

async fn save(browser: &mut Browser<'_>, path: &str, fields: &[(String, String)]) -> Page {
    let fields: Vec<(&str, &str)> = fields.iter().map(|(key, text)| (key.as_str(), text.as_str())).collect();
    browser.post(path, &fields).await
}

#[tokio::test]
async fn a_conflict_is_shown_field_by_field_and_decided_field_by_field() {
    let server = Server::start().await;
    let id = server.person("ana@example.com", "Ana", None).await;
    let path = format!("/admin/main/users/{id}");
    let mut browser = server.signed_in(OWNER).await;
    server.pass(std::time::Duration::from_secs(60));
    let seen = browser.get(&path).await;
    // Somebody else changes two fields; the form that is still open changes one of them and a third.
    let theirs = form(&seen, &[("family_name", "Theirs"), ("reference", "theirs-1")]);
    save(&mut browser, &path, &theirs).await.is(StatusCode::SEE_OTHER);
    let mine = form(&seen, &[("family_name", "Mine"), ("locale", "de")]);
    let conflict = save(&mut browser, &path, &mine).await;
    conflict.is(StatusCode::UNPROCESSABLE_ENTITY).sees("Olga Owner saved a change");
    let chosen = |name: &str, which: &str| {
        let mark = format!("name=\"keep.{name}\" value=\"{which}\"");
        let rest = conflict.body.split(&mark).nth(1).unwrap_or_else(|| panic!("no {mark}"));
        rest.split('>').next().unwrap().contains("checked")
    };
    assert!(chosen("family_name", "yours") && !chosen("family_name", "theirs"), "both typed: mine is offered");
    assert!(chosen("reference", "theirs"), "I did not touch it: theirs is offered");
    assert!(chosen("locale", "yours"), "they did not touch it");
    conflict.lacks("keep.given_name").sees("theirs-1");

    // Their family name, my language, and the reference as they set it.
    let mut decided = form(&conflict, &[("family_name", "Mine"), ("locale", "de"), ("reference", "")]);
    for (name, which) in [("family_name", "theirs"), ("reference", "theirs"), ("locale", "yours")] {
        decided.push((format!("keep.{name}"), which.to_owned()));
    }
    // A mistake elsewhere does not undo the choice.
    let mut wrong = decided.clone();
    wrong.iter_mut().find(|(name, _)| name == "zoneinfo").unwrap().1 = "Nowhere".to_owned();
    let again = save(&mut browser, &path, &wrong).await;
    again.is(StatusCode::UNPROCESSABLE_ENTITY).sees("zoneinfo-error").sees("value=\"Theirs\"").lacks("value=\"Mine\"");
    save(&mut browser, &path, &decided).await.is(StatusCode::SEE_OTHER);
    let done = browser.get(&path).await;
    assert_eq!(done.hidden("was.family_name"), "Theirs");
    assert_eq!(done.hidden("was.reference"), "theirs-1");
    assert_eq!(done.hidden("was.locale"), "de");

    // A third change in the meantime is a conflict again.
    save(&mut browser, &path, &form(&done, &[("given_name", "Anna")])).await.is(StatusCode::SEE_OTHER);
    save(&mut browser, &path, &decided).await.is(StatusCode::UNPROCESSABLE_ENTITY).sees("saved a change");
    // And one that touched nothing of the form says so.
    let last = browser.get(&path).await;
    browser.submit(&format!("{path}/disable"), &[]).await.is(StatusCode::OK);
    let untouched = save(&mut browser, &path, &form(&last, &[])).await;
    untouched.is(StatusCode::UNPROCESSABLE_ENTITY).sees("It touched nothing that this form shows");
}

#[tokio::test]
async fn an_email_is_marked_as_verified_unless_it_changed_meanwhile() {
    let server = Server::start().await;
    let id = server.person("ana@example.com", "Ana", None).await;
    let path = format!("/admin/main/users/{id}");
    let mut browser = server.signed_in(OWNER).await;
    let page = browser.get(&path).await;
    page.sees("Not verified").sees("Mark as verified").lacks("Mark as not verified");
    let version = page.hidden("version");
    let verified = browser.submit(&format!("{path}/email/verify"), &[("version", &version)]).await;
    verified.is(StatusCode::OK).sees("marked as verified").sees("Mark as not verified");
    let stale = browser.submit(&format!("{path}/email/unverify"), &[("version", &version)]).await;
    stale.is(StatusCode::OK).sees("Mark as not verified").sees("data-kind=\"danger\" role=\"alert\"");
    browser
        .submit(&format!("{path}/email/unverify"), &[])
        .await
        .sees("marked as not verified")
        .sees("Mark as verified");
    browser.submit(&format!("{path}/phone/verify"), &[]).await.sees("nothing here to be verified");
    let log = browser.get("/admin/main/audit?type=user.email.verified").await;
    log.sees("data-open>user.email.verified</a>");
    let auditor = "auditor@example.com";
    server.person(auditor, "Audrey", Some(AdminRole::Auditor)).await;
    let mut browser = server.signed_in(auditor).await;
    browser.get(&path).await.is(StatusCode::OK).lacks("Mark as verified");
    browser.post(&format!("{path}/email/verify"), &[]).await.is(StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn what_a_row_menu_does_leads_back_to_its_list() {
    let server = Server::start().await;
    let id = server.person("ana@example.com", "Ana", None).await;
    let mut browser = server.signed_in(OWNER).await;
    let list = "/admin/main/users?q=ana&sort=name";
    let with = |action: &str, back: &str| {
        let back: String = form_urlencoded::byte_serialize(back.as_bytes()).collect();
        format!("/admin/main/users/{id}/{action}?return={back}")
    };
    let steps: [(&str, &[(&str, &str)]); 8] = [
        ("email/verify", &[]),
        ("require-password-reset", &[]),
        ("cancel-password-reset", &[]),
        ("administrator", &[("admin_role", "admin"), ("scope", "realm")]),
        ("administrator/revoke", &[]),
        ("disable", &[("reason", "left")]),
        ("enable", &[]),
        ("delete", &[("confirmation", "ana@example.com")]),
    ];
    // The dialogs know the way too, on and back.
    for dialog in ["administrator", "administrator/revoke", "disable", "delete", "temporary-password"] {
        let page = browser.get(&with(dialog, list)).await;
        page.is(StatusCode::OK).sees(&format!("{dialog}?return=%2Fadmin%2Fmain%2Fusers%3Fq%3Dana%26sort%3Dname"));
        page.sees("href=\"/admin/main/users?q=ana&amp;sort=name\">Cancel");
    }
    let shown = browser.post(&with("temporary-password", list), &[]).await;
    shown.is(StatusCode::OK).sees("href=\"/admin/main/users?q=ana&amp;sort=name\"");
    browser.submit(&format!("/admin/main/users/{id}/cancel-password-reset"), &[]).await;
    for (action, fields) in steps {
        for evil in
            ["https://evil.example/", "//evil.example", "/admin/other/users", "/admin/main/../x", "/realms/main"]
        {
            if action == "email/verify" {
                let page = browser.post(&with(action, evil), fields).await;
                assert_eq!(page.location(), format!("/admin/main/users/{id}"), "{evil}");
            }
        }
        let page = browser.post(&with(action, list), fields).await;
        page.is(StatusCode::SEE_OTHER);
        assert_eq!(page.location(), list, "{action}");
    }
    browser.get(&format!("/admin/main/users/{id}")).await.is(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_diagnosis_shows_what_mends_it_to_those_who_may() {
    let server = Server::start().await;
    let id = server.person("ana@example.com", "Ana", None).await;
    let path = format!("/admin/main/users/{id}");
    let mut browser = server.signed_in(OWNER).await;
    browser.get(&path).await.sees("Why can&#x27;t they sign in?");
    browser.get(&format!("{path}/diagnosis")).await.is(StatusCode::OK).sees("Nothing stands in the way of a sign-in.");
    browser.submit(&format!("{path}/disable"), &[("reason", "left")]).await;
    let told = browser.get(&format!("{path}/diagnosis")).await;
    told.sees("They cannot sign in; one thing stands in the way.").sees("disabled by Olga Owner: left.");
    told.sees(&format!("action=\"{path}/enable\""));
    let auditor = "auditor@example.com";
    server.person(auditor, "Audrey", Some(AdminRole::Auditor)).await;
    let mut reader = server.signed_in(auditor).await;
    let told = reader.get(&format!("{path}/diagnosis")).await;
    told.is(StatusCode::OK).sees("disabled by Olga Owner: left.").lacks(&format!("{path}/enable"));
    browser.submit(&format!("{path}/enable"), &[]).await;
    browser.get(&format!("{path}/diagnosis")).await.sees("Nothing stands in the way");
    browser.submit(&format!("{path}/require-password-reset"), &[]).await;
    browser.get(&format!("{path}/diagnosis")).await.sees("one thing is asked of them first").sees("Asked first");
    browser.submit(&format!("{path}/password/clear"), &[]).await;
    browser.get(&format!("{path}/diagnosis")).await.sees("No password is set").sees("Set password…");
}

#[tokio::test]
async fn likely_duplicates_are_looked_at_side_by_side_and_told_apart() {
    let server = Server::start().await;
    let mut browser = server.signed_in(OWNER).await;
    let page = "/admin/main/users/duplicates";
    browser.get(page).await.is(StatusCode::OK).sees("Nobody looks like somebody else").sees("No groups to review");
    let ids = [
        server.person("ana.lima@example.com", "Ana", None).await,
        server.person("analima@example.com", "Anita", None).await,
        server.person("AnaLima+x@example.com", "Annie", None).await,
    ];
    let shown = browser.get(page).await;
    shown.sees("1 group to review").sees("Emails that lead to one mailbox").sees("Anita").sees("Annie");
    // On phones each cell says whose it is.
    shown.sees("<td data-whose=\"Anita\">analima@example.com<").sees("<td data-whose=\"Annie\">AnaLima+x@example.com<");
    browser.get(&format!("{page}?reason=phone")).await.is(StatusCode::OK).lacks("Anita");
    let [one, two, three] = ids.map(|id| id.to_string());
    browser.submit(page, &[("user", &one)]).await.is(StatusCode::OK).sees("Tick at least two people.");
    browser.submit(page, &[("user", &one), ("user", &two)]).await.sees("they are different people").sees("Anita");
    browser.submit(page, &[("user", &one), ("user", &three), ("user", &two)]).await.sees("Nobody looks like");
    let auditor = "auditor@example.com";
    server.person(auditor, "Audrey", Some(AdminRole::Auditor)).await;
    let mut reader = server.signed_in(auditor).await;
    reader.get(page).await.is(StatusCode::OK).lacks("Not duplicates");
    reader.post(page, &[("user", &one), ("user", &two)]).await.is(StatusCode::FORBIDDEN);
}
