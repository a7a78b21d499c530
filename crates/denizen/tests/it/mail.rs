//! Mails as they arrive: through the real binary and a real conversation with a mail server.

use serde_json::json;

use crate::support::{
    Database, MailRelay, MailServer, PASSWORD, Person, RELAY_PASSWORD, RELAY_USER, Server, Way, eventually, free_port,
    smtp_url,
};

const USERS: &str = "/realms/main/users";

on_both_engines! {
    async fn a_verification_and_an_invitation_arrive_and_lead_on(database) {
        let mails = MailServer::start().await;
        let mut server = Server::prepare(database).sending_by(&mails.url());
        server.launch().await;
        let api = server.api();
        let id = api.create_person("ana@example.com").await;
        let ask = json!({ "email_state": "verification_requested" });
        api.patch(&format!("{USERS}/{id}"), &ask).await.expect(200);
        let mail = mails.wait_for("ana@example.com", 1).await;
        let head = mail.head();
        assert!(head.contains("From: ") && head.contains("no-reply@example.com"), "{head}");
        assert_eq!(head.lines().filter(|line| line.starts_with("To: ")).count(), 1, "{head}");
        assert!(mail.html().contains("Confirm email address"));
        let reader = Person::new();
        let page = reader.open(&mail.link()).await.page();
        assert_eq!(api.get(&format!("{USERS}/{id}")).await.str("email_state"), "verification_requested");
        let done = reader.submit(&page, &[]).await.page();
        assert!(done.text().contains("Your address is confirmed"), "{}", done.text());
        assert_eq!(api.get(&format!("{USERS}/{id}")).await.str("email_state"), "verified");
        assert!(api.has_event(&id, "user.email.verified").await);
        eventually("the message is noted as sent", || async {
            api.get(&format!("{USERS}/{id}/notifications")).await.json()["items"][0]["state"] == "sent"
        })
        .await;

        // Names cannot add markup.
        let body = json!({ "email": "bo@example.com", "given_name": "<b>Bo</b>" });
        api.post("/realms/main/invitations", &body).await.expect(201);
        let mail = mails.wait_for("bo@example.com", 1).await;
        assert!(!mail.html().contains("<b>Bo"), "{}", mail.html());
        // Two accept at once; one of them becomes the user.
        let (first, second) = (Person::new(), Person::new());
        let page = first.open(&mail.link()).await.page();
        let typed = [("given_name", "Bo"), ("password", PASSWORD)];
        let (a, b) = tokio::join!(first.submit(&page, &typed), second.submit(&page, &typed));
        let mut statuses = [a.page().status, b.page().status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 410]);
        let found = api.get(&format!("{USERS}?q=bo")).await.json();
        assert_eq!(found["items"].as_array().unwrap().iter().filter(|user| user["email"] == "bo@example.com").count(), 1);
        assert_eq!(found["items"][0]["email_state"], "verified");

        // An address the server refuses is given up at once.
        let id = api.create_person("refused@example.com").await;
        api.patch(&format!("{USERS}/{id}"), &ask).await.expect(200);
        eventually("the message is given up", || async {
            let shown = api.get(&format!("{USERS}/{id}/notifications")).await.json()["items"][0].clone();
            shown["state"] == "failed" && shown["last_error"].as_str().is_some_and(|text| text.contains("550"))
        })
        .await;
        assert!(api.has_event(&id, "notification.failed").await);
        assert!(!server.log().contains("token=") && !server.log().contains("ana@example.com"), "{}", server.log());
        server.verify_audit();
    }

    async fn what_waits_goes_out_after_the_mail_server_and_denizen_were_gone(database) {
        let port = free_port();
        let mut server = Server::prepare(database).sending_by(&smtp_url(port));
        server.launch().await;
        let api = server.api();
        let id = api.create_person("ana@example.com").await;
        api.patch(&format!("{USERS}/{id}"), &json!({ "email_state": "verification_requested" })).await.expect(200);
        let place = format!("{USERS}/{id}/notifications");
        eventually("an attempt has failed", || async {
            let shown = api.get(&place).await.json()["items"][0].clone();
            shown["state"] == "queued" && shown["last_error"].is_string()
        })
        .await;
        server.kill();
        let mails = MailServer::start_at(port).await;
        server.launch().await;
        let mail = mails.wait_for("ana@example.com", 1).await;
        let page = Person::new().open(&mail.link()).await.page();
        assert!(page.text().contains("ana@example.com"), "{}", page.text());
        eventually("the message is noted as sent", || async {
            api.get(&place).await.json()["items"][0]["state"] == "sent"
        })
        .await;
        server.verify_audit();
    }
}

/// Without a mail server mails wait, and the doctor says so; with one it says whether that answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_looks_at_the_mail_server() {
    let mut server = Server::start(Database::sqlite()).await;
    let api = server.api();
    let id = api.create_person("ana@example.com").await;
    api.patch(&format!("{USERS}/{id}"), &json!({ "email_state": "verification_requested" })).await.expect(200);
    let said = |words: &[&str]| {
        let done = server.run(words);
        (done.status.code(), String::from_utf8_lossy(&done.stdout).into_owned())
    };
    let (code, text) = said(&["doctor"]);
    assert!(code == Some(0) && text.contains("no mail server; 1 message waits"), "{text}");
    let mails = MailServer::start().await;
    let from = ["--mail-from", "no-reply@example.com"];
    let (code, text) = said(&["doctor", "--smtp-url", &mails.url(), from[0], from[1]]);
    assert!(code == Some(0) && text.contains("answers"), "{text}");
    let (code, text) = said(&["doctor", "--smtp-url", &smtp_url(free_port()), from[0], from[1]]);
    assert!(code == Some(1) && text.contains("does not take mails"), "{text}");
}

/// What an address says of a person's name or password.
fn in_url(text: &str) -> String {
    text.replace('%', "%25").replace('@', "%40").replace('&', "%26").replace(' ', "%20")
}

/// A mail server of another maker takes mails over TLS from the first byte, and after `STARTTLS`, from whoever says who
/// they are. Nothing is said to one whose certificate does not hold, or who has no TLS where it is required.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mails_go_over_tls_and_with_a_login() {
    for (way, scheme, method) in
        [(Way::Tls, "smtps", "PLAIN"), (Way::StartTls, "smtp", "LOGIN"), (Way::StartTls, "smtp", "PLAIN")]
    {
        let Some(relay) = MailRelay::start(way, method).await else { return };
        let url = |password: &str, host: &str| {
            format!("{scheme}://{}:{}@{host}:{}", in_url(RELAY_USER), in_url(password), relay.port())
        };
        let right = url(RELAY_PASSWORD, "localhost");
        let mut server = Server::prepare(Database::sqlite()).sending_by(&right).trusting(&relay.authority());
        server.launch().await;
        let api = server.api();
        let id = api.create_person("ana@example.com").await;
        api.patch(&format!("{USERS}/{id}"), &json!({ "email_state": "verification_requested" })).await.expect(200);
        eventually("the mail has come", || async { !relay.taken().is_empty() }).await;
        let taken = relay.taken();
        assert_eq!((&taken[0]["to"], &taken[0]["secure"]), (&json!(["ana@example.com"]), &json!(true)), "{taken:?}");
        assert_eq!(taken[0]["user"], format!("{method} {RELAY_USER}"));
        assert!(taken[0]["text"].as_str().unwrap().contains("Subject: "), "{taken:?}");
        assert!(!server.log().contains("s3cret"), "{}", server.log());

        let doctor = |url: &str, trusting: bool| {
            let mut command = server.command(&["doctor", "--smtp-url", url, "--mail-from", "no-reply@example.com"]);
            if trusting {
                command.env("SSL_CERT_FILE", relay.authority());
            }
            let done = command.output().unwrap();
            let text = [done.stdout, done.stderr].concat();
            let text = String::from_utf8(text).unwrap();
            assert!(!text.contains("s3cret") && !text.contains("wr0ng"), "{text}");
            (done.status.code(), text)
        };
        let (code, text) = doctor(&right, true);
        assert!(code == Some(0) && text.contains("answers"), "{text}");
        let (code, text) = doctor(&url("wr0ng", "localhost"), true);
        assert!(code == Some(1) && text.contains("535"), "{text}");
        for (host, trusting) in [("localhost", false), ("127.0.0.1", true)] {
            let (code, text) = doctor(&url(RELAY_PASSWORD, host), trusting);
            assert!(code == Some(1) && text.to_lowercase().contains("certificate"), "{host}: {text}");
        }
        assert_eq!(relay.taken().len(), 1);
    }
    let Some(relay) = MailRelay::start(Way::Plain, "PLAIN").await else { return };
    let url = format!("smtp://localhost:{}", relay.port());
    let mut server = Server::prepare(Database::sqlite()).sending_by(&url).trusting(&relay.authority());
    server.launch().await;
    let api = server.api();
    let id = api.create_person("ana@example.com").await;
    api.patch(&format!("{USERS}/{id}"), &json!({ "email_state": "verification_requested" })).await.expect(200);
    eventually("an attempt has failed", || async {
        let shown = api.get(&format!("{USERS}/{id}/notifications")).await.json()["items"][0].clone();
        shown["state"] == "queued" && shown["last_error"].as_str().is_some_and(|text| text.contains("STARTTLS"))
    })
    .await;
    assert_eq!(relay.taken(), Vec::<serde_json::Value>::new());
}
