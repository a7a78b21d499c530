//! Bulk actions, jobs and exports in the console.

use std::time::Duration;

use denizen_model::permissions::AdminRole;
use denizen_ops::{
    groups,
    jobs::{self, Stepped},
};
use http::{Method, StatusCode};

use super::support::{OWNER, Server};

/// Runs whatever waits to its end, as the worker does.
async fn run_all(server: &Server) {
    while let Some(mut run) = jobs::take(&server.app).await.unwrap() {
        while run.step().await.unwrap() == Stepped::More {}
    }
}

#[tokio::test]
async fn ticked_users_are_disabled_after_a_question() {
    let server = Server::start().await;
    let (ana, bob) =
        (server.person("ana@example.com", "Ana", None).await, server.person("bob@example.com", "Bob", None).await);
    let (ana, bob) = (ana.to_string(), bob.to_string());
    let mut browser = server.signed_in(OWNER).await;
    let ticked = [("action", "disable"), ("ids", ana.as_str()), ("ids", bob.as_str())];
    let question = browser.post("/admin/main/users/bulk", &ticked).await;
    question.is(StatusCode::OK).sees("Disable 2 users?").sees("Ana (ana@example.com)").sees("Bob (bob@example.com)");
    question.sees(&format!("name=\"ids\" value=\"{bob}\""));
    let sent = [ticked.as_slice(), &[("reason", "left")]].concat();
    let page = browser.post("/admin/main/users/bulk/start", &sent).await;
    let place = page.location().to_owned();
    page.is(StatusCode::SEE_OTHER);
    browser
        .get(&place)
        .await
        .is(StatusCode::OK)
        .sees("Disable users")
        .sees("Waiting")
        .sees("Cancel job")
        .sees("job.js");
    let progress = browser.send(Method::GET, &place, &[("x-partial", "progress")], String::new()).await;
    progress.sees(r#""over":false,"permille":null"#);
    run_all(&server).await;
    let progress = browser.send(Method::GET, &place, &[("x-partial", "progress")], String::new()).await;
    progress.sees(r#"{"over":true,"permille":1000,"text":"2 of 2"}"#);
    let over = browser.get(&place).await;
    over.sees("2 of 2").sees("ana@example.com").sees("left").lacks("Cancel job").lacks("job.js");
    browser.get("/admin/main/jobs").await.sees("Disable users").sees("Olga Owner").sees("2 of 2");
    browser.get(&format!("/admin/main/users/{ana}")).await.sees("Disabled");
    let report = browser.get(&format!("{place}/report?outcome=done")).await;
    report.is(StatusCode::OK).sees("position,subject,name,outcome,message").sees(",ana@example.com,done,");
}

#[tokio::test]
async fn deleting_all_that_match_takes_a_word_and_a_fresh_sign_in() {
    let server = Server::start().await;
    for name in ["ana", "anabel", "bob"] {
        server.person(&format!("{name}@example.com"), name, None).await;
    }
    let mut browser = server.signed_in(OWNER).await;
    let all = [("action", "delete"), ("all", "true"), ("query", "q=ana&sort=name&cursor=00")];
    server.pass(Duration::from_secs(11 * 60));
    let away = browser.post("/admin/main/users/bulk", &all).await;
    away.is(StatusCode::SEE_OTHER);
    let page = browser.follow(away).await;
    let question = browser.prove(page, "main", OWNER).await;
    question.is(StatusCode::OK).sees("Delete 2 users?").sees("Type delete to confirm").sees("“ana”").lacks("Bob");
    let count = question.hidden("expected_count");
    assert_eq!(count, "2");
    let sent = [all.as_slice(), &[("expected_count", count.as_str())]].concat();
    let wrong = browser.post("/admin/main/users/bulk/start", &sent).await;
    wrong.is(StatusCode::UNPROCESSABLE_ENTITY).sees("Type delete to confirm.");
    let sent = [sent.as_slice(), &[("confirmation", "Delete")]].concat();
    let place = browser.post("/admin/main/users/bulk/start", &sent).await.location().to_owned();
    browser.get(&place).await.sees("Shown when confirmed").sees("Cancel job");
    run_all(&server).await;
    browser.get(&place).await.is(StatusCode::OK).sees("2 of 2").sees("ana@example.com");
    browser.get("/admin/main/users?q=ana").await.sees("No user matches");
    browser.get("/admin/main/users?q=bob").await.sees("bob@example.com");
}

#[tokio::test]
async fn a_group_is_chosen_by_its_name() {
    let server = Server::start().await;
    let ana = server.person("ana@example.com", "Ana", None).await.to_string();
    let main = server.app.main_realm().await.unwrap().realm.id;
    let cx = server.system();
    groups::create(&server.app, &cx, cx.may(main).unwrap(), "Beta testers", "").await.unwrap();
    let mut browser = server.signed_in(OWNER).await;
    let ticked = [("action", "add_to_group"), ("ids", ana.as_str())];
    browser
        .post("/admin/main/users/bulk", &ticked)
        .await
        .sees("<option value=\"Beta testers\">")
        .sees("Add 1 user to a group?");
    for (typed, said) in [("", "Say which group."), ("alpha", "There is no group of that name.")] {
        let sent = [ticked.as_slice(), &[("group", typed)]].concat();
        browser.post("/admin/main/users/bulk/start", &sent).await.is(StatusCode::UNPROCESSABLE_ENTITY).sees(said);
    }
    let sent = [ticked.as_slice(), &[("group", "beta TESTERS")]].concat();
    let place = browser.post("/admin/main/users/bulk/start", &sent).await.location().to_owned();
    run_all(&server).await;
    browser.get(&place).await.sees("1 of 1");
}

#[tokio::test]
async fn nobody_is_shown_or_does_more_than_they_may() {
    let server = Server::start().await;
    server.person("support@example.com", "Sam", Some(AdminRole::Support)).await;
    server.person("auditor@example.com", "Aud", Some(AdminRole::Auditor)).await;
    let ana = server.person("ana@example.com", "Ana", None).await.to_string();
    let mut support = server.signed_in("support@example.com").await;
    let mut auditor = server.signed_in("auditor@example.com").await;
    let delete = [("action", "delete"), ("ids", ana.as_str()), ("confirmation", "delete")];
    for path in ["/admin/main/users/bulk", "/admin/main/users/bulk/start"] {
        support.post(path, &delete).await.is(StatusCode::FORBIDDEN);
    }
    support.get("/admin/main/users/export").await.is(StatusCode::FORBIDDEN);
    support.post("/admin/main/users/export", &[("format", "jsonl")]).await.is(StatusCode::FORBIDDEN);
    let disable = [("action", "disable"), ("ids", ana.as_str())];
    auditor.post("/admin/main/users/bulk", &disable).await.is(StatusCode::FORBIDDEN);
    let place = support.post("/admin/main/users/bulk/start", &disable).await.location().to_owned();
    auditor.get(&place).await.is(StatusCode::OK).sees("Disable users").lacks("Cancel job");
    auditor.post(&format!("{place}/cancel"), &[]).await.is(StatusCode::FORBIDDEN);
    support.submit(&format!("{place}/cancel"), &[]).await.is(StatusCode::OK).sees("Cancelled");
    run_all(&server).await;
    support.get(&format!("/admin/main/users/{ana}")).await.lacks("Disabled by");
    // Another realm has its own jobs.
    server.realm("other").await;
    let mut owner = server.signed_in(OWNER).await;
    owner.get(&place.replace("/main/", "/other/")).await.is(StatusCode::NOT_FOUND);
    owner.get("/admin/other/jobs").await.is(StatusCode::OK).sees("No jobs yet");
}

#[tokio::test]
async fn an_empty_or_wrong_selection_leads_back() {
    let server = Server::start().await;
    let mut browser = server.signed_in(OWNER).await;
    let back = browser.submit("/admin/main/users/bulk", &[("action", "disable"), ("query", "q=owner")]).await;
    back.is(StatusCode::OK).sees("No user is selected.").sees("value=\"owner\"");
    let back = browser.submit("/admin/main/users/bulk", &[("action", "explode"), ("all", "true")]).await;
    back.is(StatusCode::OK).sees("There is no such action.");
    let wrong = [("action", "disable"), ("all", "true"), ("query", "kind=cat")];
    let page = browser.post("/admin/main/users/bulk", &wrong).await;
    assert!(page.status.is_client_error(), "{}", page.status);
}

#[tokio::test]
async fn the_list_is_exported_with_the_chosen_columns() {
    let server = Server::start().await;
    server.person("ana@example.com", "=Ana", None).await;
    let mut browser = server.signed_in(OWNER).await;
    let question = browser.get("/admin/main/users/export?q=ana&sort=name&columns=name&cursor=00").await;
    question.is(StatusCode::OK).sees("1 user: “ana”").sees("JSON Lines");
    let query = question.hidden("query").replace("&amp;", "&");
    assert_eq!(query, "q=ana&sort=name");
    let sent = [("query", query.as_str()), ("format", "csv"), ("columns", "email"), ("columns", "name")];
    let file = browser.post("/admin/main/users/export", &sent).await;
    file.is(StatusCode::OK);
    assert_eq!(file.body, "email,name\nana@example.com,'=Ana\n");
    assert!(file.headers["content-disposition"].to_str().unwrap().starts_with("attachment; filename=\"users-main-"));
    let none = [("query", query.as_str()), ("format", "csv")];
    let refused = browser.post("/admin/main/users/export", &none).await;
    refused.is(StatusCode::UNPROCESSABLE_ENTITY).sees("Choose at least one column.");
    let lines = [("query", query.as_str()), ("format", "jsonl")];
    browser.post("/admin/main/users/export", &lines).await.is(StatusCode::OK).sees("\"email\":\"ana@example.com\"");
    server.pass(Duration::from_secs(11 * 60));
    let away = browser.post("/admin/main/users/export", &lines).await;
    away.is(StatusCode::SEE_OTHER);
    assert!(away.location().contains("max_age=0"), "{}", away.location());
}
