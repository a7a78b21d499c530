//! Importing users in the console: the file, its columns, the try-out, the import.

use denizen_model::permissions::AdminRole;
use denizen_ops::jobs::{self, Stepped};
use http::{Method, StatusCode};

use super::support::{Browser, OWNER, Page, Server};

const START: &str = "/admin/main/users/import";

async fn run_jobs(server: &Server) {
    while let Some(mut run) = jobs::take(&server.app).await.unwrap() {
        while run.step().await.unwrap() == Stepped::More {}
    }
}

/// Sends a file as the form does.
async fn upload(browser: &mut Browser<'_>, name: &str, file: &str) -> Page {
    let body = format!(
        "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: text/csv\r\n\r\n{file}\r\n--edge--\r\n"
    );
    let lines = [("content-type", "multipart/form-data; boundary=edge"), ("sec-fetch-site", "same-origin")];
    browser.send(Method::POST, START, &lines, body).await
}

#[tokio::test]
async fn a_file_is_tried_out_and_then_imported_without_being_sent_again() {
    let server = Server::start().await;
    let mut browser = server.signed_in(OWNER).await;
    browser.get("/admin/main/users").await.sees("/admin/main/users/import");
    browser.get(START).await.is(StatusCode::OK).sees("multipart/form-data").sees("type=\"file\"");
    let file = "E-Mail,Vorname,Kundennummer,x\nana@example.com,Ana,<b>7</b>,1\nno address,Bo,8,2\n";
    let sent = upload(&mut browser, "people.csv", file).await;
    sent.is(StatusCode::SEE_OTHER);
    let place = sent.location().to_owned();
    let page = browser.get(&place).await;
    page.is(StatusCode::OK).sees("2 rows · CSV").sees("Kundennummer").sees("&lt;b&gt;7").lacks("<b>7");
    page.sees("<option value=\"email\" selected>Email</option>").sees("Attribute Kundennummer");
    page.sees("name=\"dry_run\" value=\"true\" checked");
    let chosen = [
        ("column-0", "email"),
        ("column-1", "given_name"),
        ("column-2", "attributes.Kundennummer"),
        ("column-3", ""),
        ("mode", "create"),
    ];
    // What is wrong is said on the same page, with what was chosen.
    let mut twice = chosen.to_vec();
    twice[3] = ("column-3", "email");
    let wrong = browser.post(&place, &twice).await;
    wrong.is(StatusCode::UNPROCESSABLE_ENTITY).sees("Two columns are both email.").sees("Attribute Kundennummer");
    let tried = browser.post(&place, &[&chosen[..], &[("dry_run", "true")]].concat()).await;
    tried.is(StatusCode::SEE_OTHER);
    run_jobs(&server).await;
    let report = browser.get(tried.location()).await;
    report.sees("Try out an import of users").sees("Would be created").sees("Nothing was changed.");
    report.sees("E-Mail: Must be an email address").sees("no address");
    browser.get("/admin/main/users?q=ana").await.lacks("ana@example.com");
    browser.get(&place).await.is(StatusCode::CONFLICT);

    let next = report.body.split("href=\"/admin/main/users/import/").nth(1).unwrap().split('"').next().unwrap();
    let next = format!("{START}/{next}");
    let again = browser.get(&next).await;
    again.is(StatusCode::OK).sees("<option value=\"attributes.Kundennummer\" selected>");
    let done = browser.post(&next, &chosen).await;
    done.is(StatusCode::SEE_OTHER);
    run_jobs(&server).await;
    browser.get(done.location()).await.sees("Created").lacks("Nothing was changed.");
    browser.get("/admin/main/users?q=ana").await.sees("ana@example.com");
}

#[tokio::test]
async fn what_cannot_be_imported_is_said_at_the_form() {
    let server = Server::start().await;
    let mut browser = server.signed_in(OWNER).await;
    upload(&mut browser, "", "").await.is(StatusCode::UNPROCESSABLE_ENTITY).sees("Choose a file.");
    upload(&mut browser, "a.csv", "").await.is(StatusCode::UNPROCESSABLE_ENTITY).sees("The file is empty.");
    let open = upload(&mut browser, "a.csv", "email\n\"a@example.com\n").await;
    open.is(StatusCode::UNPROCESSABLE_ENTITY).sees("Line 2: a quote");
    browser.post(START, &[("file", "x")]).await.is(StatusCode::UNPROCESSABLE_ENTITY).sees("Choose a file.");
    let lines = upload(&mut browser, "a.jsonl", "{\"email\": \"a@example.com\", \"plan\": \"gold\"}\n").await;
    browser.get(lines.location()).await.sees("JSON Lines").sees("Attribute plan");
    let nobody = "0197a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    browser.get(&format!("{START}/{nobody}")).await.is(StatusCode::NOT_FOUND);
    // Another administrator's upload is theirs alone.
    server.person("support@example.com", "Sue", Some(AdminRole::Support)).await;
    let mut support = server.signed_in("support@example.com").await;
    support.get(lines.location()).await.is(StatusCode::NOT_FOUND);
    server.person("auditor@example.com", "Aud", Some(AdminRole::Auditor)).await;
    let mut auditor = server.signed_in("auditor@example.com").await;
    auditor.get(START).await.is(StatusCode::FORBIDDEN);
    upload(&mut auditor, "a.csv", "email\na@example.com\n").await.is(StatusCode::FORBIDDEN);
    auditor.get("/admin/main/users").await.lacks("/users/import");
}

#[tokio::test]
async fn a_file_of_more_than_a_request_holds_is_taken() {
    let server = Server::start().await;
    let mut browser = server.signed_in(OWNER).await;
    let mut file = "email,attributes.note\n".to_owned();
    let note = "x".repeat(1000);
    for n in 0..2000 {
        file.push_str(&format!("p{n}@example.com,{note}\n"));
    }
    let sent = upload(&mut browser, "people.csv", &file).await;
    browser.get(sent.location()).await.is(StatusCode::OK).sees("2,000 rows");
    let mut cross = server.signed_in(OWNER).await;
    let lines = [("content-type", "multipart/form-data; boundary=edge"), ("sec-fetch-site", "cross-site")];
    let refused = cross.send(Method::POST, START, &lines, String::new()).await;
    refused.is(StatusCode::FORBIDDEN);
}
