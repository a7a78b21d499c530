//! Codes, links and forgotten passwords as users meet them: what they need is read out of real mails.

use serde_json::json;

use crate::support::{Api, Gateway, Mail, MailServer, PASSWORD, Page, Person, Server};

const NEW: &str = "another long horse battery";

/// The six digits in a mail.
fn code(mail: &Mail) -> String {
    digits(&mail.raw)
}

/// The six digits in a text.
pub(crate) fn digits(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_digit());
    words.rev().find(|word| word.len() == 6).unwrap_or_else(|| panic!("no code in {text}")).to_owned()
}

fn is_account(page: &Page) -> bool {
    page.url.path().ends_with("/account") && !page.asks_for("identifier")
}

/// The page after the identifier.
async fn named(person: &Person, server: &Server, identifier: &str) -> Page {
    let page = person.open(&server.url("/realms/main/account")).await.page();
    person.submit(&page, &[("identifier", identifier)]).await.page()
}

async fn sent(person: &Person, page: &Page, method: &str) -> Page {
    person.submit(&page.at_form("/sign-in/send"), &[("method", method)]).await.page()
}

async fn reasons(api: &Api, user: &str) -> Vec<String> {
    let path = format!("{user}/events?type=user.sign-in.failed");
    let events = api.get(&path).await.expect(200).json();
    let items = events["items"].as_array().unwrap().clone();
    items.iter().map(|item| item["details"]["reason"].as_str().unwrap_or_default().to_owned()).collect()
}

async fn method_of_last_sign_in(api: &Api, user: &str) -> String {
    let events = api.get(&format!("{user}/events?type=user.sign-in.succeeded")).await.expect(200).json();
    events["items"][0]["details"]["method"].as_str().unwrap().to_owned()
}

async fn offer(api: &Api, settings: serde_json::Value) {
    api.patch("/realms/main/settings", &settings).await.expect(200);
}

on_both_engines! {
    async fn a_code_from_the_mail_signs_in_once_in_the_browser_that_asked(database) {
        let mails = MailServer::start().await;
        let mut server = Server::prepare(database).sending_by(&mails.url());
        server.launch().await;
        let api = server.api();
        offer(&api, json!({ "sign_in_methods": ["password", "email_code"] })).await;
        let user = format!("/realms/main/users/{}", api.create_person("ana@example.com").await);

        let ana = Person::new();
        let page = sent(&ana, &named(&ana, &server, "ana@example.com").await, "email_code").await;
        assert!(page.text().contains("Look into your mail"), "{}", page.text());
        let right = code(&mails.wait_for("ana@example.com", 1).await);

        // The same code in a browser that asked for one of its own.
        let other = Person::new();
        let elsewhere = sent(&other, &named(&other, &server, "ana@example.com").await, "email_code").await;
        let own = code(&mails.wait_for("ana@example.com", 2).await);
        if own != right {
            let refused = other.submit(&elsewhere, &[("code", &right)]).await.page();
            assert_eq!(refused.status, 422, "{}", refused.text());
        }
        let wrong = if right == "000000" { "000001" } else { "000000" };
        assert_eq!(ana.submit(&page, &[("code", wrong)]).await.page().status, 422);
        let spaced = format!(" {} {} ", &right[..3], &right[3..]);
        assert!(is_account(&ana.submit(&page, &[("code", &spaced)]).await.page()));
        assert_eq!(method_of_last_sign_in(&api, &user).await, "email_code");
        let record = api.get(&user).await.expect(200).json();
        assert_eq!(record["email_state"], "verified", "who reads the mail has the address");
        let again = ana.submit(&page, &[("code", &right)]).await.page();
        assert_eq!(again.status, 422, "{}", again.text());
        let told = reasons(&api, &user).await;
        assert_eq!(told[0], "the code was used before");
        assert!(told[1..].iter().all(|reason| reason == "wrong code"), "{told:?}");

        // Of the seventh in an hour nobody hears, nor of any for a name that is nobody's; the page is the same.
        for _ in 0..5 {
            sent(&other, &elsewhere, "email_code").await;
        }
        assert_eq!(reasons(&api, &user).await[0], "too much was sent to this address already");
        let said = sent(&other, &elsewhere, "email_code").await;
        let nobody = sent(&other, &named(&other, &server, "nobody@example.com").await, "email_code").await;
        assert_eq!(nobody.status, said.status);
        assert_eq!(nobody.text().replace("nobody@", "ana@"), said.text());
        assert_eq!(other.submit(&nobody, &[("code", "123456")]).await.page().status, 422);
        assert!(mails.to("nobody@example.com").is_empty());

        // Guessing is counted, and ends in a lock that an agent sees and lifts.
        let page = sent(&other, &named(&other, &server, "ana@example.com").await, "email_code").await;
        let mut status = 422;
        for guess in 0..40 {
            status = other.submit(&page, &[("code", &format!("{guess:06}"))]).await.page().status;
            if status == 429 {
                break;
            }
        }
        assert_eq!(status, 429);
        let list = api.get(&format!("{user}/authenticators")).await.expect(200).json();
        let of_mail = list["items"].as_array().unwrap().iter().find(|one| one["type"] == "email_code").unwrap();
        assert_eq!(of_mail["status"], "locked", "{list}");
        assert!(!server.log().contains(&right), "a code is in the log");
        server.verify_audit();
    }

    async fn a_code_from_the_gateway_signs_in_once_at_the_number_that_it_went_to(database) {
        let texts = Gateway::start().await;
        let mut server = Server::prepare(database).texting_by(&texts.url("/messages"));
        server.launch().await;
        let api = server.api();
        offer(&api, json!({ "sign_in_methods": ["password", "sms_code", "email_code"] })).await;
        let user = format!("/realms/main/users/{}", api.create_person("ana@example.com").await);
        api.patch(&user, &json!({ "phone": "+4930123456" })).await.expect(200);
        let ana = Person::new();
        let page = named(&ana, &server, "ana@example.com").await;
        assert!(!page.html.contains("value=\"email_code\""), "nothing is offered that cannot be sent");
        let page = sent(&ana, &page, "sms_code").await;
        let right = digits(&texts.wait_for("+4930123456", 1).await);
        assert!(is_account(&ana.submit(&page, &[("code", &right)]).await.page()));
        assert_eq!(method_of_last_sign_in(&api, &user).await, "sms_code");
        assert_eq!(api.get(&user).await.expect(200).json()["phone_state"], "verified");
        assert_eq!(ana.submit(&page, &[("code", &right)]).await.page().status, 422);
        assert_eq!(reasons(&api, &user).await[0], "the code was used before");

        // The number is another one by the time the code is typed.
        let page = sent(&ana, &page, "sms_code").await;
        let right = digits(&texts.wait_for("+4930123456", 2).await);
        api.patch(&user, &json!({ "phone": "+4930999999" })).await.expect(200);
        assert_eq!(ana.submit(&page, &[("code", &right)]).await.page().status, 422);
        assert_eq!(reasons(&api, &user).await[0], "the address that it was sent to was changed since");
        assert_eq!(api.get(&user).await.expect(200).json()["phone_state"], "unverified");
        assert!(!server.log().contains(&right) && !server.log().contains("+4930"), "{}", server.log());
        server.verify_audit();
    }

    async fn a_link_from_the_mail_signs_in_once_in_any_browser(database) {
        let mails = MailServer::start().await;
        let mut server = Server::prepare(database).sending_by(&mails.url());
        server.launch().await;
        let api = server.api();
        offer(&api, json!({ "sign_in_methods": ["magic_link"] })).await;
        let user = format!("/realms/main/users/{}", api.create_person("ana@example.com").await);
        let ana = Person::new();
        let page = named(&ana, &server, "ana@example.com").await;
        assert!(!page.asks_for("password"), "a realm without passwords asks for none: {}", page.text());
        let page = sent(&ana, &page, "magic_link").await;
        assert!(page.text().contains("link is on its way"), "{}", page.text());
        let link = mails.wait_for("ana@example.com", 1).await.link();
        for _ in 0..2 {
            let looked = Person::new().open(&link).await.page();
            assert!(looked.text().contains("ana@example.com"), "{}", looked.text());
        }
        let phone = Person::new();
        let shown = phone.open(&link).await.page();
        assert!(is_account(&phone.submit(&shown, &[]).await.page()));
        assert_eq!(method_of_last_sign_in(&api, &user).await, "magic_link");
        assert_eq!(Person::new().open(&link).await.page().status, 410);
        assert_eq!(ana.submit(&shown, &[]).await.page().status, 410);

        // Of one that is disabled in the meantime nothing comes.
        sent(&ana, &named(&ana, &server, "ana@example.com").await, "magic_link").await;
        let link = mails.wait_for("ana@example.com", 2).await.link();
        api.post(&format!("{user}/disable"), &json!({})).await.succeed();
        let shown = ana.open(&link).await.page();
        assert_eq!(ana.submit(&shown, &[]).await.page().status, 410);
        assert_eq!(reasons(&api, &user).await[0], "the user is disabled");
        server.verify_audit();
    }

    async fn a_forgotten_password_is_replaced_by_a_link_and_a_second_factor_stays(database) {
        let mails = MailServer::start().await;
        let mut server = Server::prepare(database).sending_by(&mails.url());
        server.launch().await;
        let api = server.api();
        let factors = json!({ "second_factor": "always", "second_factors": ["email_code"] });
        offer(&api, factors).await;
        let user = format!("/realms/main/users/{}", api.create_person("ana@example.com").await);
        api.patch(&user, &json!({ "email_state": "verified" })).await.expect(200);

        // The second factor of somebody who knows the password.
        let ana = Person::new();
        let page = named(&ana, &server, "ana@example.com").await;
        let page = ana.submit(&page, &[("password", PASSWORD)]).await.page();
        assert!(page.text().contains("Confirm by email"), "{}", page.text());
        let page = sent(&ana, &page, "email_code").await;
        let right = code(&mails.wait_for("ana@example.com", 1).await);
        assert!(is_account(&ana.submit(&page, &[("code", &right)]).await.page()));
        assert_eq!(method_of_last_sign_in(&api, &user).await, "password+email_code");

        let reader = Person::new();
        let page = named(&reader, &server, "ana@example.com").await;
        let asked = reader.open(&page.href("/forgot-password")).await.page();
        let said = reader.submit(&asked, &[("identifier", "ana@example.com")]).await.page();
        let stranger = Person::new();
        let asked = stranger.open(&named(&stranger, &server, "x@example.com").await.href("/forgot-password")).await.page();
        let same = stranger.submit(&asked, &[("identifier", "nobody@example.com")]).await.page();
        assert_eq!(same.text().replace("nobody@", "ana@"), said.text());
        let link = mails.wait_for("ana@example.com", 2).await.link();
        assert!(mails.to("nobody@example.com").is_empty());
        let page = reader.open(&link).await.page();
        let page = reader.submit(&page, &[]).await.page();
        // The mailbox that the link came to is no second proof beside itself: there is no other, so one is set up
        // after the new password.
        assert!(page.asks_for("password_again"), "{}", page.text());
        let page = reader.submit(&page, &[("password", NEW), ("password_again", NEW)]).await.page();
        assert!(!is_account(&page), "a second step is asked for: {}", page.text());
        let theirs = ana.open(&server.url("/realms/main/account")).await.page();
        assert!(!is_account(&theirs), "whoever was signed in with the old one is no longer: {}", theirs.text());
        let events = api.get(&format!("{user}/events?type=user.password.forgotten")).await.expect(200).json();
        assert_eq!(events["items"].as_array().unwrap().len(), 1);
        let page = named(&Person::new(), &server, "ana@example.com").await;
        let old = reader.submit(&page, &[("password", PASSWORD)]).await.page();
        assert_eq!(old.status, 422, "{}", old.text());
        assert!(!server.log().contains("token="), "{}", server.log());
        server.verify_audit();
    }
}
