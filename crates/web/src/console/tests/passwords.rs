//! The password policy where people meet it: the console's forms, the forced reset, invitation and registration.

use http::StatusCode;

use super::support::{Browser, OWNER, PASSWORD, Page, Server};

const COMMON: &str = "on the list that attackers try first";

/// The settings' form as it stands, with some fields replaced; an empty value leaves a field out.
async fn settle(agent: &mut Browser<'_>, changed: &[(&str, &str)]) -> Page {
    let plain = [
        ("display_name", "Main"),
        ("email_as_username", "true"),
        ("self_registration", "true"),
        ("password_min_length", "8"),
        ("password_block_breached", "true"),
        ("password_history", "5"),
        ("session_idle_minutes", "10080"),
        ("session_absolute_hours", "720"),
        ("access_token_minutes", "5"),
        ("refresh_token_days", "7"),
        ("audit_retention_days", "365"),
    ];
    let kept = plain.iter().filter(|(name, _)| !changed.iter().any(|(other, _)| other == name));
    let fields: Vec<(&str, &str)> = kept.chain(changed).copied().filter(|(_, value)| !value.is_empty()).collect();
    agent.submit("/admin/main/settings", &fields).await
}

const STRICT: [(&str, &str); 5] = [
    ("password_min_length", "10"),
    ("password_require_upper", "true"),
    ("password_require_lower", "true"),
    ("password_require_digit", "true"),
    ("password_require_symbol", "true"),
];

#[tokio::test]
async fn the_policy_is_set_and_every_missed_rule_stands_in_the_form() {
    let server = Server::start().await;
    let mut agent = server.signed_in(OWNER).await;
    let page = agent.get("/admin/main/settings").await;
    page.sees("Different from the last").sees("A symbol").sees("built-in list of 10,010 common passwords alone");
    page.sees("name=\"password_block_breached\" value=\"true\" checked").sees("value=\"5\"");
    let refused = settle(&mut agent, &[("password_history", "25")]).await;
    refused.is(StatusCode::UNPROCESSABLE_ENTITY).sees("Must be between 0 and 24.").sees("value=\"25\"");
    let saved = settle(&mut agent, &STRICT).await;
    saved.sees("The settings are saved.").sees("name=\"password_require_symbol\" value=\"true\" checked");
    agent
        .get("/admin/main/users/new")
        .await
        .sees("At least 10 characters, an upper-case letter, a lower-case letter, a");
    let new = [("kind", "human"), ("email", "zoe@example.com"), ("password_mode", "set"), ("password", "12345678")];
    let refused = agent.post("/admin/main/users", &new).await;
    refused.is(StatusCode::UNPROCESSABLE_ENTITY);
    refused.sees(
        "Must have at least 10 characters.<br>Must have an upper-case letter.<br>Must have a lower-case letter.<br>\
         Must have a symbol, such as ! or #.<br>Must not be one of the passwords that attackers try first.</span>",
    );
    let new = [new[0], new[1], new[2], ("password", "Zoe's first 1")];
    agent.submit("/admin/main/users", &new).await.is(StatusCode::OK).sees("is created");
    let saved = settle(&mut agent, &[("password_block_breached", ""), ("password_history", "0")]).await;
    saved.sees("are saved").lacks("name=\"password_block_breached\" value=\"true\" checked").sees("value=\"0\"");
}

#[tokio::test]
async fn an_agent_is_told_every_rule_that_the_new_password_misses() {
    let server = Server::start().await;
    let person = server.person("ana@example.com", "Ana", None).await;
    let mut agent = server.signed_in(OWNER).await;
    let path = format!("/admin/main/users/{person}/password");
    let set = async |agent: &mut Browser<'_>, password: &str| agent.submit(&path, &[("password", password)]).await;
    set(&mut agent, PASSWORD).await.is(StatusCode::UNPROCESSABLE_ENTITY).sees("Must not be the present password.");
    set(&mut agent, "ana@example.com").await.sees("Must not be your own name or address.");
    set(&mut agent, "another long password").await.sees("The password is set.");
    set(&mut agent, PASSWORD).await.sees("Must not be one of the last 5 passwords.").lacks("<br>");
    agent.get(&format!("/admin/main/users/{person}/activity")).await.is(StatusCode::OK);
}

#[tokio::test]
async fn a_password_that_must_be_replaced_is_replaced_by_one_that_keeps_the_policy() {
    let server = Server::start().await;
    let person = server.person("ana@example.com", "Ana", None).await;
    let mut agent = server.signed_in(OWNER).await;
    settle(&mut agent, &STRICT).await.sees("are saved");
    // Her password misses the rules by now, and goes on working until it must be replaced.
    server.signed_in("ana@example.com").await;
    agent.submit(&format!("/admin/main/users/{person}/require-password-reset"), &[]).await.is(StatusCode::OK);
    let mut guest = server.browser();
    let page = guest.open("/realms/main/account").await;
    let address = "/realms/main/sign-in";
    let page = guest.post(address, &[("flow", &page.hidden("flow")), ("identifier", "ana@example.com")]).await;
    let fields = [("flow", page.hidden("flow")), ("password", PASSWORD.to_owned())];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut page = guest.post(&format!("{address}/password"), &fields).await;
    page.sees("At least 10 characters").sees("It needs an upper-case letter, a lower-case letter, a digit, a symbol.");
    for (password, says) in [
        (
            PASSWORD,
            "Use an upper-case letter.<br>Use a digit.<br>Use a symbol, such as ! or #.<br>This is the password you had",
        ),
        ("12345678", "Use at least 10 characters.<br>"),
        ("12345678", COMMON),
        ("", "Use at least 10 characters."),
    ] {
        let flow = page.hidden("flow");
        let fields = [("flow", flow.as_str()), ("password", password), ("password_again", password)];
        page = guest.post(&format!("{address}/update-password"), &fields).await;
        page.is(StatusCode::UNPROCESSABLE_ENTITY).sees(says);
    }
    let flow = page.hidden("flow");
    let new = "Correct horse 9!";
    let fields = [("flow", flow.as_str()), ("password", new), ("password_again", new)];
    guest.submit(&format!("{address}/update-password"), &fields).await.is(StatusCode::OK).sees("Ana");
    let activity = agent.get(&format!("/admin/main/users/{person}/activity")).await;
    activity.is(StatusCode::OK).lacks(new);
}

#[tokio::test]
async fn invited_and_registering_people_are_held_to_the_policy() {
    let server = Server::start().await;
    let mut agent = server.signed_in(OWNER).await;
    let invited = [("email", "ana@example.com"), ("expires_in_days", "7")];
    agent.submit("/admin/main/invitations", &invited).await.sees("is invited");
    let mut guest = server.browser();
    guest.post("/realms/main/register", &[("email", "new@example.com")]).await.is(StatusCode::OK);
    for (address, path) in
        [("ana@example.com", "/realms/main/invitation"), ("new@example.com", "/realms/main/register/complete")]
    {
        let link = server.link(address).await;
        let token = link.split("token=").nth(1).unwrap();
        for (password, says) in [("iloveyou1", COMMON), (address, "your own name or address"), ("short", "at least 8")]
        {
            let refused = guest.post(path, &[("token", token), ("password", password)]).await;
            refused.is(StatusCode::UNPROCESSABLE_ENTITY).sees(says).lacks("value=\"iloveyou1\"");
        }
        let done = guest.post(path, &[("token", token), ("password", "a long enough password")]).await;
        done.is(StatusCode::SEE_OTHER);
    }
}
