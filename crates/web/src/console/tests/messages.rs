//! Messages: their list, wording them, previews in a frame, tests, back to the usual.

use denizen_model::permissions::AdminRole;
use denizen_ops::messages;
use http::StatusCode;

use super::support::{OWNER, Server};

const LIST: &str = "/admin/main/messages";
const PLACE: &str = "/admin/main/messages/verify-email/en";
const HTML: &str = "<p>{{ brand }}: <a href=\"{{ link }}\">Go</a></p>";

#[tokio::test]
async fn a_message_is_worded_and_has_its_usual_text_again() {
    let server = Server::start().await;
    let mut browser = server.signed_in(OWNER).await;
    let list = browser.get(LIST).await;
    list.is(StatusCode::OK).sees("Email verification").sees("SMS code").sees("Usual text").lacks("Own text<");
    browser.get("/admin/main/palette?q=mess").await.sees("Messages");
    let page = browser.open("/admin/main/messages/verify-email").await;
    page.is(StatusCode::OK)
        .sees("Usual text")
        .sees("href=&quot;{{ link }}&quot;")
        .sees("{{ expires }}")
        .lacks("/revert");
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("frame-src 'self'") && !policy.contains("unsafe"), "{policy}");
    let version = page.hidden("version");
    let fields = |subject: &'static str, text: &'static str, html: &'static str| {
        [("subject", subject), ("text", text), ("html", html)]
    };
    let mut wrong = fields("a\r\nb", "{{ link }}\r\n{{ nobody }}", "<img src='{{ link }}'>").to_vec();
    wrong.push(("version", &version));
    let page = browser.post(PLACE, &wrong).await;
    page.is(StatusCode::UNPROCESSABLE_ENTITY).sees("subject-error").sees("Line 2: There is no nobody here");
    page.sees("&lt;img src=&#x27;{{ link }}&#x27;&gt;");
    let mut good = fields("Hello from {{ brand }}", "Go to {{ link }}\r\nnow", HTML).to_vec();
    good.push(("version", &version));
    browser.submit(PLACE, &good).await.is(StatusCode::OK).sees("Email verification is saved.").sees("Own text");
    browser
        .post(PLACE, &[("subject", "x"), ("text", "{{ link }}"), ("html", "{{ link }}"), ("version", &version)])
        .await
        .is(StatusCode::UNPROCESSABLE_ENTITY)
        .sees("Somebody else");
    browser.get(LIST).await.sees("href=\"/admin/main/messages/verify-email/en\" lang=\"en\"");
    let person = server.person("ana@example.com", "Ana", None).await;
    browser.submit(&format!("/admin/main/users/{person}/email/send-verification"), &[]).await;
    let mails = server.mails("ana@example.com").await;
    assert!(mails[0].starts_with("Go to http") && mails[0].ends_with("\nnow"), "{mails:?}");
    browser.get(&format!("/admin/main/users/{person}/notifications")).await.sees("Hello from Main").sees("•••");
    browser.get(&format!("{PLACE}/revert")).await.sees("Use the usual text of Email verification?");
    browser.submit(&format!("{PLACE}/revert"), &[]).await.sees("has its usual text again").lacks("Hello from");
    browser.submit(&format!("{PLACE}/revert"), &[]).await.is(StatusCode::NOT_FOUND);
    for missing in
        ["/admin/main/messages/nonsense", "/admin/main/messages/verify-email/xx", "/admin/main/messages/nonsense/en"]
    {
        browser.get(missing).await.is(StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn a_preview_runs_nothing_and_shows_what_is_typed() {
    let server = Server::start().await;
    let mut browser = server.signed_in(OWNER).await;
    let place = format!("{PLACE}/preview");
    let saved = browser.get(&place).await;
    saved.is(StatusCode::OK).sees("Confirm email address").sees("/realms/main/sample?token=");
    let policy = saved.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.ends_with("sandbox") && policy.contains("default-src 'none'") && !policy.contains("script"),
        "{policy}"
    );
    assert_eq!(saved.headers["x-frame-options"], "SAMEORIGIN");
    browser.get(&format!("{place}?part=text")).await.sees("<pre>").sees("Confirm your email address for Main");
    let mut fields = vec![("subject", "Typed"), ("text", "<b>{{ link }}"), ("html", "<i>typed</i> {{ link }}")];
    browser.post(&place, &fields).await.is(StatusCode::OK).sees("<i>typed</i>");
    fields.push(("part", "text"));
    browser.post(&place, &fields).await.sees("Typed").sees("&lt;b&gt;http").lacks("<b>http");
    let wrong = [("subject", "x"), ("text", "{{ link }}{{ <script> }}"), ("html", "{{ link }}")];
    browser.post(&place, &wrong).await.is(StatusCode::OK).sees("It cannot be shown").lacks("<script>");
    browser.get(PLACE).await.sees("Usual text").lacks("Typed");
    browser.get("/admin/main/messages/sms-code/ar/preview").await.sees("<pre>").sees("493816").sees("dir=\"rtl\"");
}

#[tokio::test]
async fn a_test_goes_to_the_administrators_own_address_and_phone() {
    let server = Server::start().await;
    let mut browser = server.signed_in(OWNER).await;
    browser.get(PLACE).await.sees(OWNER);
    browser.submit(&format!("{PLACE}/test"), &[]).await.sees("A test is on its way to");
    let mails = server.mails(OWNER).await;
    assert!(mails[0].contains("/realms/main/sample?token="), "{mails:?}");
    let sms = "/admin/main/messages/sms-code/en";
    browser.get(sms).await.sees("your account has no number");
    browser.submit(&format!("{sms}/test"), &[]).await.sees("you have none");
    let cx = server.system();
    let main = server.app.main_realm().await.unwrap().realm.id;
    let patch = denizen_model::users::UserPatch { phone: Some(Some("+4930123456".into())), ..Default::default() };
    let owner = browser.get("/admin/main/users?q=owner").await;
    let id = owner.body.split("/admin/main/users/0").nth(1).unwrap().split(['"', '/', '?']).next().unwrap().to_owned();
    let id = format!("0{id}").parse().unwrap();
    denizen_ops::users::update(&server.app, &cx, cx.may(main).unwrap(), id, patch, None).await.unwrap();
    browser.submit(&format!("{sms}/test"), &[]).await.sees("A test is on its way to +4930123456");
    messages::send_due(&server.app).await.unwrap();
    let mailbox = browser.get("/demo/mailbox").await;
    mailbox.sees("SMS code").sees(">SMS</span>").sees("+4930123456");
    let before = mailbox.body.split(">SMS code<").next().unwrap();
    let shown = before.rsplit("/demo/mailbox/").next().unwrap().trim_end_matches('"').to_owned();
    browser.get(&format!("/demo/mailbox/{shown}")).await.sees("SMS to +4930123456").sees("493816").lacks("<iframe");
    let tab = browser.get(&format!("/admin/main/users/{id}/notifications")).await;
    tab.sees("SMS to +4930123456").sees("Code expires").sees("•••").lacks("493816");
    browser.get("/admin/main/audit?type=message-template.tested").await.sees("SMS code (en)").sees("2 events");
}

#[tokio::test]
async fn looking_at_messages_is_not_wording_them() {
    let server = Server::start().await;
    server.person("ada@example.com", "Ada", Some(AdminRole::Auditor)).await;
    server.person("sue@example.com", "Sue", Some(AdminRole::Support)).await;
    let mut auditor = server.signed_in("ada@example.com").await;
    auditor.get(PLACE).await.is(StatusCode::OK).sees("not change it").lacks("Save changes").lacks("Send test");
    auditor.post(PLACE, &[("subject", "x"), ("text", "{{ link }}"), ("html", HTML)]).await.is(StatusCode::FORBIDDEN);
    auditor.post(&format!("{PLACE}/test"), &[]).await.is(StatusCode::FORBIDDEN);
    auditor.get(&format!("{PLACE}/revert")).await.is(StatusCode::FORBIDDEN);
    auditor.post(&format!("{PLACE}/revert"), &[]).await.is(StatusCode::FORBIDDEN);
    let mut support = server.signed_in("sue@example.com").await;
    support.get(LIST).await.is(StatusCode::FORBIDDEN);
    support.get("/admin/main/users").await.lacks(LIST);
}
