//! Resets as users meet them: the link out of a real mail, with sessions ended and with sessions kept.

use serde_json::json;

use crate::{
    support::{Api, MailServer, PASSWORD, Page, Person, Server},
    two_steps::{code, secret},
};

const NEW: &str = "another long horse battery";

/// A person whose email is verified; answers the path of their record.
async fn person(api: &Api, email: &str) -> String {
    let path = format!("/realms/main/users/{}", api.create_person(email).await);
    api.patch(&path, &json!({ "email_state": "verified" })).await.expect(200);
    path
}

fn is_account(page: &Page) -> bool {
    page.url.path().ends_with("/account") && !page.asks_for("identifier")
}

on_both_engines! {
    async fn a_mailed_link_leads_to_the_reset_and_sessions_end_or_go_on(database) {
        let mails = MailServer::start().await;
        let mut server = Server::prepare(database).sending_by(&mails.url());
        server.launch().await;
        let api = server.api();
        for (kind, ends) in [("password", true), ("password", false), ("otp", true), ("otp", false)] {
            let email = format!("{kind}-{ends}@example.com");
            let user = person(&api, &email).await;
            let place = format!("{user}/reset-requests");
            let account = server.url("/realms/main/account");
            let before = Person::new();
            assert!(is_account(&before.sign_in(&account, &email, PASSWORD).await.page()));
            let body = json!({ "which": [kind], "terminate_sessions": ends });
            api.post(&place, &body).await.expect(201);
            assert_eq!(is_account(&before.open(&account).await.page()), !ends, "{email}");

            let link = mails.wait_for(&email, 1).await.link();
            let reader = Person::new();
            let page = reader.open(&link).await.page();
            assert!(page.text().contains(&email), "{}", page.text());
            // Something looked at the link before, as mail servers do.
            assert_eq!(Person::new().open(&link).await.page().status, 200);
            let page = reader.submit(&page, &[]).await.page();
            let done = if kind == "password" {
                assert!(page.asks_for("password_again"), "{}", page.text());
                reader.submit(&page, &[("password", NEW), ("password_again", NEW)]).await.page()
            } else {
                assert!(page.asks_for("password") && !page.asks_for("password_again"), "{}", page.text());
                let page = reader.submit(&page, &[("password", PASSWORD)]).await.page();
                let Some(code) = code(&secret(&page), 0) else { return };
                let page = reader.submit(&page, &[("code", &code)]).await.page();
                assert!(page.text().contains("Keep these recovery codes"), "{}", page.text());
                reader.submit(&page, &[]).await.page()
            };
            assert!(is_account(&done), "{} {}", done.url, done.text());
            assert_eq!(is_account(&before.open(&account).await.page()), !ends, "{email}");
            assert_eq!(Person::new().open(&link).await.page().status, 410);
            assert_eq!(api.get(&place).await.json()["items"], json!([]));
            let id = user.rsplit('/').next().unwrap();
            let completed = if kind == "password" { "password" } else { "authenticator" };
            for event in [format!("user.{completed}.reset-requested"), format!("user.{completed}.reset-completed")] {
                assert!(api.has_event(id, &event).await, "{event}");
            }
            assert!(api.has_event(id, "user.reset-link.followed").await);
        }

        // With sessions kept the next sign-in asks, without the link; and what is cancelled is asked no more.
        let user = person(&api, "later@example.com").await;
        let place = format!("{user}/reset-requests");
        let body = json!({ "which": ["password", "otp"], "terminate_sessions": false });
        let made = api.post(&place, &body).await.expect(201).json();
        let otp = made["items"].as_array().unwrap().iter().find(|item| item["type"] == "otp").unwrap();
        api.delete(&format!("{place}/{}", otp["id"].as_str().unwrap())).await.expect(204);
        let later = Person::new();
        let page = later.sign_in(&server.url("/realms/main/account"), "later@example.com", PASSWORD).await.page();
        assert!(page.asks_for("password_again"), "{}", page.text());
        let done = later.submit(&page, &[("password", NEW), ("password_again", NEW)]).await.page();
        assert!(is_account(&done), "{}", done.text());
        assert!(!server.log().contains("token=") && !server.log().contains("later@example.com"), "{}", server.log());
        server.verify_audit();
    }

    async fn of_many_who_follow_a_link_at_once_one_goes_on(database) {
        let mut server = Server::start(database).await;
        let api = server.api();
        let user = person(&api, "race@example.com").await;
        let body = json!({ "which": ["password"], "deliver": "link" });
        let made = api.post(&format!("{user}/reset-requests"), &body).await.expect(201).json();
        let link = made["items"][0]["link"].as_str().unwrap().to_owned();
        let page = Person::new().open(&link).await.page();
        let mut going = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let page = page.clone();
            going.spawn(async move { Person::new().submit(&page, &[]).await.page().status });
        }
        let mut statuses = going.join_all().await;
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 410, 410, 410, 410, 410, 410, 410]);
        server.verify_audit();
    }
}
