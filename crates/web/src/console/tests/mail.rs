//! Mails, and what their links lead to.

use std::time::Duration;

use denizen_model::permissions::AdminRole;
use http::StatusCode;

use super::support::{OWNER, Server};

const DAY: Duration = Duration::from_secs(24 * 3600);

#[tokio::test]
async fn an_address_is_verified_by_the_link_that_was_mailed_to_it() {
    let server = Server::start().await;
    let person = server.person("ana@example.com", "Ana", None).await;
    let mut agent = server.signed_in(OWNER).await;
    let path = format!("/admin/main/users/{person}");
    agent.get(&path).await.sees("Send verification mail");
    agent.submit(&format!("{path}/send-verification"), &[]).await.sees("is on its way");
    let link = server.link("ana@example.com").await;
    let token = link.split("token=").nth(1).unwrap().to_owned();
    let mut reader = server.browser();
    // A program that looks for bad links changes nothing, however often.
    for _ in 0..3 {
        reader.get(&link).await.is(StatusCode::OK).sees("ana@example.com").sees("Confirm email address");
    }
    agent.get(&path).await.lacks("Email verified");
    reader
        .post("/realms/main/verify-email", &[("token", &token)])
        .await
        .is(StatusCode::OK)
        .sees("Your address is confirmed");
    agent.get(&path).await.sees("Email verified").lacks("Send verification mail");
    agent.get(&format!("{path}/activity")).await.sees("Verified the email");
    for _ in 0..2 {
        reader
            .post("/realms/main/verify-email", &[("token", &token)])
            .await
            .is(StatusCode::GONE)
            .sees("no longer works");
    }
    reader.get(&link).await.is(StatusCode::GONE);
    let tab = agent.get(&format!("{path}/notifications")).await;
    tab.is(StatusCode::OK).sees("Email verification").sees("•••").lacks(&token);
}

#[tokio::test]
async fn a_link_dies_with_time_a_newer_one_and_another_address() {
    let server = Server::start().await;
    server.realm("acme").await;
    let person = server.person("ana@example.com", "Ana", None).await;
    let mut agent = server.signed_in(OWNER).await;
    let path = format!("/admin/main/users/{person}");
    let send = format!("{path}/send-verification");
    let mut reader = server.browser();
    agent.submit(&send, &[]).await.sees("is on its way");
    let first = server.link("ana@example.com").await;
    reader.get(&first.replace("/main/", "/acme/")).await.is(StatusCode::GONE);
    reader.get("/realms/main/verify-email").await.is(StatusCode::GONE);
    reader.get("/realms/main/verify-email?token=%00").await.is(StatusCode::GONE);
    server.pass(Duration::from_secs(1));
    agent.submit(&send, &[]).await.sees("is on its way");
    let second = server.link("ana@example.com").await;
    reader.get(&first).await.is(StatusCode::GONE);
    reader.get(&second).await.is(StatusCode::OK);
    server.pass(DAY);
    reader.get(&second).await.is(StatusCode::GONE);

    let mut agent = server.signed_in(OWNER).await;
    agent.submit(&send, &[]).await.sees("is on its way");
    let third = server.link("ana@example.com").await;
    reader.get(&third).await.is(StatusCode::OK);
    let version = agent.get(&path).await.hidden("version");
    agent
        .submit(&path, &[("given_name", "Ana"), ("email", "new@example.com"), ("version", &version)])
        .await
        .sees("is saved");
    let token = third.split("token=").nth(1).unwrap();
    reader.post("/realms/main/verify-email", &[("token", token)]).await.is(StatusCode::GONE);
    agent.get(&path).await.lacks("Email verified");
}

#[tokio::test]
async fn a_mail_that_a_newer_one_replaced_does_not_go_out() {
    let server = Server::start().await;
    let person = server.person("ana@example.com", "Ana", None).await;
    let mut agent = server.signed_in(OWNER).await;
    let path = format!("/admin/main/users/{person}");
    for _ in 0..3 {
        agent.submit(&format!("{path}/send-verification"), &[]).await.sees("is on its way");
    }
    assert_eq!(server.mails("ana@example.com").await.len(), 1);
    agent.get(&format!("{path}/notifications")).await.sees("its link no longer worked");
}

#[tokio::test]
async fn the_demo_shows_its_mails_without_running_what_is_in_them() {
    let server = Server::start().await;
    let person = server.person("ana@example.com", "Ana", None).await;
    let mut agent = server.signed_in(OWNER).await;
    let attack = "<script>alert(1)</script>";
    agent.submit("/admin/main/settings", &settings(attack)).await.sees("are saved");
    agent.submit(&format!("/admin/main/users/{person}/send-verification"), &[]).await;
    server.mails("ana@example.com").await;
    let mut reader = server.browser();
    let list = reader.get("/demo/mailbox").await;
    list.is(StatusCode::OK).sees("ana@example.com").lacks(attack);
    let mail = list.body.split("/demo/mailbox/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    reader.get(&format!("/demo/mailbox/{mail}")).await.is(StatusCode::OK).sees("<iframe").lacks(attack);
    let page = reader.get(&format!("/demo/mailbox/{mail}/html")).await;
    page.is(StatusCode::OK).sees("Confirm email address").lacks(attack);
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.contains("default-src 'none'") && policy.contains("sandbox") && !policy.contains("script-src"),
        "{policy}"
    );
    for missing in ["nonsense", "01939b1e-7c40-7d3a-9f00-000000000000"] {
        reader.get(&format!("/demo/mailbox/{missing}")).await.is(StatusCode::NOT_FOUND);
    }
}

fn settings(name: &str) -> Vec<(&str, &str)> {
    vec![
        ("display_name", name),
        ("email_as_username", "true"),
        ("self_registration", "true"),
        ("password_min_length", "8"),
        ("session_idle_minutes", "10080"),
        ("session_absolute_hours", "720"),
        ("access_token_minutes", "5"),
        ("refresh_token_days", "7"),
        ("audit_retention_days", "365"),
    ]
}

#[tokio::test]
async fn an_auditor_sees_messages_and_sends_none() {
    let server = Server::start().await;
    let person = server.person("ana@example.com", "Ana", None).await;
    server.person("ada@example.com", "Ada", Some(AdminRole::Auditor)).await;
    let mut auditor = server.signed_in("ada@example.com").await;
    let path = format!("/admin/main/users/{person}");
    auditor.get(&path).await.is(StatusCode::OK).lacks("Send verification mail");
    auditor.get(&format!("{path}/notifications")).await.is(StatusCode::OK).sees("No messages yet");
    auditor.post(&format!("{path}/send-verification"), &[]).await.is(StatusCode::FORBIDDEN);
    assert!(server.mails("ana@example.com").await.is_empty());
}
