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
    agent.submit(&format!("{path}/email/send-verification"), &[]).await.sees("is on its way");
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
    let send = format!("{path}/email/send-verification");
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
        agent.submit(&format!("{path}/email/send-verification"), &[]).await.sees("is on its way");
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
    agent.submit(&format!("/admin/main/users/{person}/email/send-verification"), &[]).await;
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
    auditor.post(&format!("{path}/email/send-verification"), &[]).await.is(StatusCode::FORBIDDEN);
    assert!(server.mails("ana@example.com").await.is_empty());
}

fn token(link: &str) -> &str {
    link.split("token=").nth(1).unwrap()
}

#[tokio::test]
async fn whoever_is_invited_makes_their_account_once_with_what_the_invitation_carries() {
    let server = Server::start().await;
    let mut agent = server.signed_in(OWNER).await;
    agent.submit("/admin/main/roles", &[("name", "billing"), ("description", "")]).await.sees("billing");
    let new = agent.get("/admin/main/invitations/new").await;
    new.is(StatusCode::OK).sees("billing");
    let role = new.body.split("name=\"role_ids\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let typed = [
        ("email", "ana@example.com"),
        ("given_name", "Ana"),
        ("family_name", "Lima"),
        ("role_ids", role.as_str()),
        ("expires_in_days", "3"),
    ];
    agent
        .submit("/admin/main/invitations", &typed)
        .await
        .sees("ana@example.com is invited")
        .sees("Pending")
        .sees("1 role");
    agent
        .post("/admin/main/invitations", &typed)
        .await
        .is(StatusCode::UNPROCESSABLE_ENTITY)
        .sees("Send that one again");

    let link = server.link("ana@example.com").await;
    let mut guest = server.browser();
    for _ in 0..2 {
        guest
            .get(&link)
            .await
            .is(StatusCode::OK)
            .sees("Olga Owner has invited you")
            .sees("value=\"Ana\"")
            .sees("ana@example.com");
    }
    let form = |password: &'static str| {
        [
            ("token", token(&link).to_owned()),
            ("given_name", "Anna".into()),
            ("family_name", "Lima".into()),
            ("password", password.into()),
        ]
    };
    let short = form("short");
    let short: Vec<(&str, &str)> = short.iter().map(|(key, value)| (*key, value.as_str())).collect();
    guest
        .post("/realms/main/invitation", &short)
        .await
        .is(StatusCode::UNPROCESSABLE_ENTITY)
        .sees("At least 8")
        .sees("value=\"Anna\"")
        .lacks("value=\"short\"");
    let right = form("a long enough password");
    let right: Vec<(&str, &str)> = right.iter().map(|(key, value)| (*key, value.as_str())).collect();
    guest.submit("/realms/main/invitation", &right).await.is(StatusCode::OK).sees("Anna Lima").sees("Verified");
    guest.post("/realms/main/invitation", &right).await.is(StatusCode::GONE).sees("no longer works");
    guest.get(&link).await.is(StatusCode::GONE);

    let list = agent.get("/admin/main/invitations?state=accepted").await;
    list.sees("Accepted").lacks("Withdraw");
    let person = list.body.split("who-name\" href=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    agent.get(&person).await.sees("Anna Lima").sees("Email verified");
    agent.get(&format!("{person}/roles")).await.sees("billing");
    agent.get(&format!("{person}/notifications")).await.sees("Invitation").lacks(token(&link));
    agent.get(&format!("{person}/activity")).await.sees("Assigned the role billing");
    agent.get("/admin/main/invitations?state=pending").await.sees("No invitation is in this state");
    let again = [("email", "ana@example.com"), ("expires_in_days", "7")];
    agent
        .post("/admin/main/invitations", &again)
        .await
        .is(StatusCode::UNPROCESSABLE_ENTITY)
        .sees("There is a user with this address");
}

#[tokio::test]
async fn an_invitation_dies_with_time_its_resending_and_its_withdrawal() {
    let server = Server::start().await;
    server.realm("acme").await;
    let mut agent = server.signed_in(OWNER).await;
    let mut guest = server.browser();
    agent
        .submit("/admin/main/invitations", &[("email", "ana@example.com"), ("expires_in_days", "1")])
        .await
        .sees("is invited");
    let first = server.link("ana@example.com").await;
    guest.get(&first.replace("/main/", "/acme/")).await.is(StatusCode::GONE);
    let path = {
        let list = agent.get("/admin/main/invitations").await;
        format!(
            "/admin/main/invitations/{}",
            list.body.split("/invitations/0").nth(1).unwrap().split('/').next().map(|id| format!("0{id}")).unwrap()
        )
    };
    server.pass(DAY);
    let mut agent = server.signed_in(OWNER).await;
    guest.get(&first).await.is(StatusCode::GONE);
    agent.get("/admin/main/invitations?state=expired").await.sees("ana@example.com").sees("Expired");
    agent.submit(&format!("{path}/resend"), &[]).await.sees("is sent again").sees("Pending");
    let second = server.link("ana@example.com").await;
    assert_ne!(first, second);
    guest.get(&first).await.is(StatusCode::GONE);
    guest.get(&second).await.is(StatusCode::OK);
    agent.get(&format!("{path}/revoke")).await.sees("Withdraw the invitation of ana@example.com?");
    agent.submit(&format!("{path}/revoke"), &[]).await.sees("is withdrawn").sees("Revoked");
    let typed = [("token", token(&second)), ("password", "a long enough password")];
    guest.post("/realms/main/invitation", &typed).await.is(StatusCode::GONE);
    agent.get("/admin/main/users?q=ana").await.lacks("ana@example.com</small>");
}

#[tokio::test]
async fn of_two_who_accept_at_once_one_becomes_a_user() {
    let server = Server::start().await;
    let mut agent = server.signed_in(OWNER).await;
    agent
        .submit("/admin/main/invitations", &[("email", "ana@example.com"), ("expires_in_days", "1")])
        .await
        .sees("is invited");
    let link = server.link("ana@example.com").await;
    let typed = [("token", token(&link)), ("password", "a long enough password")];
    let (mut a, mut b, mut c) = (server.browser(), server.browser(), server.browser());
    let path = "/realms/main/invitation";
    let (a, b, c) = tokio::join!(a.post(path, &typed), b.post(path, &typed), c.post(path, &typed));
    let mut statuses = [a.status.as_u16(), b.status.as_u16(), c.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 410, 410]);
}

#[tokio::test]
async fn a_list_of_people_is_invited_from_a_spreadsheet() {
    let server = Server::start().await;
    let mut agent = server.signed_in(OWNER).await;
    let upload = |file: &str| {
        let part = |name: &str, more: &str, value: &str| {
            format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n{value}\r\n")
        };
        format!(
            "{}{}{}--x--\r\n",
            part("file", "; filename=\"people.csv\"", file),
            part("csv", "", ""),
            part("expires_in_days", "", "5")
        )
    };
    let lines = [("content-type", "multipart/form-data; boundary=x"), ("sec-fetch-site", "same-origin")];
    let path = "/admin/main/invitations/bulk";
    let done = agent
        .send(
            http::Method::POST,
            path,
            &lines,
            upload("Email;Given name\r\nana@example.com;Ana\r\nnonsense;<b>Bo</b>\r\n"),
        )
        .await;
    done.is(StatusCode::OK).sees("1 person is invited, 1 not").sees("nonsense").sees("Must be an email address");
    assert_eq!(server.mails("ana@example.com").await.len(), 1);
    let all = agent.send(http::Method::POST, path, &lines, upload("email\nbo@example.com\ncy@example.com\n")).await;
    agent.follow(all).await.is(StatusCode::OK).sees("2 people are invited.");
    let wrong = agent.send(http::Method::POST, path, &lines, upload("shoe size\n44\n")).await;
    wrong.is(StatusCode::UNPROCESSABLE_ENTITY).sees("shoe_size");
    let other = [lines[0], ("sec-fetch-site", "cross-site")];
    agent.send(http::Method::POST, path, &other, upload("email\neve@example.com\n")).await.is(StatusCode::FORBIDDEN);
    server.person("sue@example.com", "Sue", Some(AdminRole::Auditor)).await;
    let mut auditor = server.signed_in("sue@example.com").await;
    auditor.get("/admin/main/invitations").await.is(StatusCode::OK).sees("ana@example.com").lacks("Withdraw");
    auditor.get("/admin/main/invitations/new").await.is(StatusCode::FORBIDDEN);
    auditor.send(http::Method::POST, path, &lines, upload("email\neve@example.com\n")).await.is(StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_registration_tells_nobody_but_the_address_whether_there_is_an_account() {
    let server = Server::start().await;
    server.person("ana@example.com", "Ana", None).await;
    let mut guest = server.browser();
    guest.get("/realms/main/account").await.sees("/realms/main/register?flow=");
    let page = guest.get("/realms/main/register").await;
    page.is(StatusCode::OK).sees("Make an account");
    let flow = page.hidden("flow");
    let ask = |email: &'static str| [("flow", flow.clone()), ("email", email.to_owned())];
    let mut bodies = Vec::new();
    for email in ["ana@example.com", "new@example.com"] {
        let typed = ask(email);
        let typed: Vec<(&str, &str)> = typed.iter().map(|(key, value)| (*key, value.as_str())).collect();
        let answer = guest.post("/realms/main/register", &typed).await;
        assert!(guest.cookies.contains_key("denizen_register"), "{email}");
        bodies.push((answer.status, answer.body.replace(email, "…")));
    }
    assert_eq!(bodies[0], bodies[1]);
    assert!(server.mails("ana@example.com").await[0].contains("There is one already"));
    assert!(server.mails("new@example.com").await[0].contains("wants to make an account"));
    guest
        .post("/realms/main/register", &[("email", "nonsense")])
        .await
        .is(StatusCode::UNPROCESSABLE_ENTITY)
        .sees("Enter an email address");

    let link = server.link("new@example.com").await;
    guest.get(&link).await.is(StatusCode::OK).sees("new@example.com");
    let typed = [
        ("token", token(&link)),
        ("given_name", "Nia"),
        ("family_name", "New"),
        ("password", "a long enough password"),
    ];
    guest.submit("/realms/main/register/complete", &typed).await.is(StatusCode::OK).sees("Nia New").sees("Verified");
    guest.post("/realms/main/register/complete", &typed).await.is(StatusCode::GONE);
    // Nobody's mailbox is filled.
    for _ in 0..5 {
        guest.post("/realms/main/register", &[("email", "flood@example.com")]).await.is(StatusCode::OK);
    }
    assert_eq!(server.mails("flood@example.com").await.len(), 3);
}

#[tokio::test]
async fn whoever_registers_on_the_way_to_an_application_arrives_there() {
    let server = Server::start().await;
    let mut guest = server.browser();
    let page = guest.open("/admin/main/users").await;
    let register =
        page.body.split("href=\"/realms/main/register?flow=").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let page = guest.get(&format!("/realms/main/register?flow={register}")).await;
    let flow = page.hidden("flow");
    guest.post("/realms/main/register/sign-in", &[("flow", &flow)]).await.is(StatusCode::OK).sees("to continue to");
    guest.post("/realms/main/register", &[("flow", &flow), ("email", "new@example.com")]).await.is(StatusCode::OK);
    let link = server.link("new@example.com").await;
    let typed = [("token", token(&link)), ("password", "a long enough password")];
    let done = guest.post("/realms/main/register/complete", &typed).await;
    assert!(done.location().contains("/admin/callback?"), "{}", done.location());
    // In another browser the application would not know what to do with it.
    let mut other = server.browser();
    other.post("/realms/main/register", &[("flow", &flow), ("email", "next@example.com")]).await.is(StatusCode::OK);
    let link = server.link("next@example.com").await;
    let typed = [("token", token(&link)), ("password", "a long enough password")];
    let done = server.browser().post("/realms/main/register/complete", &typed).await;
    assert_eq!(done.location(), "/realms/main/account");
}

#[tokio::test]
async fn where_nobody_may_register_there_is_no_page_for_it() {
    let server = Server::start().await;
    let mut guest = server.browser();
    guest.post("/realms/main/register", &[("email", "new@example.com")]).await.is(StatusCode::OK);
    let link = server.link("new@example.com").await;
    let mut agent = server.signed_in(OWNER).await;
    let off: Vec<(&str, &str)> =
        settings("Main").into_iter().filter(|(name, _)| *name != "self_registration").collect();
    agent.submit("/admin/main/settings", &off).await.sees("are saved");
    guest.get("/realms/main/register").await.is(StatusCode::NOT_FOUND);
    guest.post("/realms/main/register", &[("email", "other@example.com")]).await.is(StatusCode::NOT_FOUND);
    guest.get(&link).await.is(StatusCode::NOT_FOUND);
    guest.get("/realms/main/account").await.is(StatusCode::OK).lacks("/register");
    assert!(server.mails("other@example.com").await.is_empty());
}
