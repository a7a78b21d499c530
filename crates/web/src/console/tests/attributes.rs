//! Attributes: defined on their page, filled in on the profile, read in tokens. And keys that can be shown again.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use denizen_model::{
    clients::{ClientType, GrantType},
    permissions::AdminRole,
};
use denizen_ops::clients::{self, ClientInput};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::support::{Browser, OWNER, PASSWORD, Server};

/// Defines an attribute; `more` are the fields that differ from the usual.
async fn define(browser: &mut Browser<'_>, key: &str, label: &str, kind: &str, more: &[(&str, &str)]) {
    let mut fields = vec![("key", key), ("label", label), ("type", kind)];
    fields.extend_from_slice(more);
    let page = browser.submit("/admin/main/attributes", &fields).await;
    page.is(StatusCode::OK).sees(&format!("The attribute {label} is defined."));
}

/// The address of the definition with this name.
async fn place(browser: &mut Browser<'_>, label: &str) -> String {
    let list = browser.get("/admin/main/attributes").await.body;
    let end = list.find(&format!(" data-open>{label}<")).unwrap();
    list[..end].rsplit("href=\"").next().unwrap().trim_end_matches('"').to_owned()
}

#[tokio::test]
async fn an_attribute_is_defined_moved_changed_and_deleted() {
    let server = Server::start().await;
    server.person("ada@example.com", "Ada", Some(AdminRole::Auditor)).await;
    server.person("sue@example.com", "Sue", Some(AdminRole::Support)).await;
    let mut browser = server.signed_in(OWNER).await;
    browser.get("/admin/main/attributes").await.is(StatusCode::OK).sees("No attributes yet");
    browser.get("/admin/main/settings").await.sees("/admin/main/attributes");
    let wrong = [("key", "a b"), ("label", ""), ("type", "choice"), ("choices", ""), ("claim", "roles")];
    let page = browser.post("/admin/main/attributes", &wrong).await;
    page.is(StatusCode::UNPROCESSABLE_ENTITY).sees("key-error").sees("label-error").sees("choices-error");
    page.sees("claim-error").sees("value=\"a b\"");
    let wrong = [("key", "n"), ("label", "N"), ("type", "integer"), ("minimum", "x"), ("default", "y")];
    let page = browser.post("/admin/main/attributes", &wrong).await;
    page.is(StatusCode::UNPROCESSABLE_ENTITY).sees("minimum-error").sees("default-error");
    define(&mut browser, "plan", "Plan", "choice", &[("choices", "free\r\npro = Professional"), ("default", "free")])
        .await;
    // What belongs to another type is left out, wherever it comes from.
    define(&mut browser, "seats", "Seats", "integer", &[("minimum", "1"), ("pattern", "[a-z"), ("required", "true")])
        .await;
    let (plan, seats) = (place(&mut browser, "Plan").await, place(&mut browser, "Seats").await);
    let order = |body: &str| body.find(">Plan<").unwrap() < body.find(">Seats<").unwrap();
    assert!(order(&browser.get("/admin/main/attributes").await.body));
    let moved = browser.submit(&format!("{seats}/move"), &[("direction", "up")]).await;
    assert!(!order(&moved.sees("Seats is moved.").body));
    assert!(!order(&browser.submit(&format!("{seats}/move"), &[("direction", "up")]).await.body), "stays on top");
    assert!(order(&browser.submit(&format!("{seats}/move"), &[("direction", "down")]).await.body));
    let page = browser.get(&plan).await;
    page.is(StatusCode::OK).sees("pro = Professional").lacks("name=\"key\"");
    let version = page.hidden("version");
    let fields =
        [("label", "The plan"), ("type", "choice"), ("choices", "free"), ("default", "pro"), ("version", &version)];
    browser.post(&plan, &fields).await.is(StatusCode::UNPROCESSABLE_ENTITY).sees("Must be one of free.");
    let fields =
        [("label", "The plan"), ("type", "choice"), ("choices", "free"), ("default", ""), ("version", &version)];
    browser.submit(&plan, &fields).await.sees("The attribute The plan is saved.");
    browser.post(&plan, &fields).await.is(StatusCode::UNPROCESSABLE_ENTITY).sees("Somebody else");
    browser.get(&format!("{plan}/delete")).await.sees("Values stay on users under the key plan.");
    browser.submit(&format!("{plan}/delete"), &[]).await.sees("Values stay on users.").lacks("The plan");
    browser.get(&plan).await.is(StatusCode::NOT_FOUND);
    browser.get("/admin/main/palette?q=attr").await.sees("Attributes").sees("Define attribute");
    // Looking is not changing.
    let mut auditor = server.signed_in("ada@example.com").await;
    auditor.get("/admin/main/attributes").await.is(StatusCode::OK).sees("Seats").lacks("Move Seats up");
    auditor.get(&seats).await.is(StatusCode::OK).sees("not change it").lacks("Save changes");
    auditor.get("/admin/main/attributes/new").await.is(StatusCode::FORBIDDEN);
    auditor.post(&format!("{seats}/delete"), &[]).await.is(StatusCode::FORBIDDEN);
    auditor.post(&format!("{seats}/move"), &[("direction", "up")]).await.is(StatusCode::FORBIDDEN);
    let mut support = server.signed_in("sue@example.com").await;
    support.get("/admin/main/attributes").await.is(StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_details_tab_shows_each_declared_attribute_by_its_type() {
    let server = Server::start().await;
    let person = server.person("ana@example.com", "Ana", None).await;
    let mut browser = server.signed_in(OWNER).await;
    let path = format!("/admin/main/users/{person}");
    let own = [("given_name", "Ana"), ("email", "ana@example.com")];
    // From before the definitions.
    let mut fields = own.to_vec();
    fields.push(("attributes", "seats = many\r\nsecret = s3cret\r\nnote = x"));
    browser.submit(&path, &fields).await.is(StatusCode::OK).sees("seats = many");
    define(&mut browser, "beta", "Beta", "boolean", &[]).await;
    define(&mut browser, "born", "Born", "date", &[]).await;
    define(&mut browser, "colour", "Colour", "choice", &[("choices", "red\r\nblue = Blue")]).await;
    define(&mut browser, "names", "Names", "string", &[("list", "true")]).await;
    define(&mut browser, "score", "Score", "number", &[("maximum", "9.5")]).await;
    define(&mut browser, "seats", "Seats", "integer", &[]).await;
    define(&mut browser, "secret", "Secret", "string", &[("console", "hidden")]).await;
    define(&mut browser, "tier", "Tier", "string", &[("console", "view")]).await;
    // Who looks after people sees the fields, without a permission for settings.
    server.person("sue@example.com", "Sue", Some(AdminRole::Support)).await;
    let mut support = server.signed_in("sue@example.com").await;
    let page = support.get(&path).await;
    page.sees("type=\"checkbox\" name=\"attributes.beta\"").sees("name=\"attributes.born\" type=\"date\"");
    page.sees("<select class=\"select\" id=\"attributes.colour\"").sees("<option value=\"blue\">Blue</option>");
    page.sees("id=\"attributes.names\" name=\"attributes.names\"").sees("One a line.");
    page.sees("name=\"attributes.score\" type=\"number\"").sees("At most 9.5.");
    page.sees("name=\"attributes.seats\" type=\"text\" value=\"&quot;many&quot;\"").sees("from before the definition");
    page.lacks("s3cret").lacks("attributes.secret").lacks("name=\"attributes.tier\"").sees("id=\"attributes.tier\"");
    page.sees("note = x").lacks("seats = many");
    let fill = |more: &[(&'static str, &'static str)]| {
        let mut fields = own.to_vec();
        fields.extend([("attributes", "note = x"), ("attributes.seats", "\"many\"")]);
        fields.extend_from_slice(more);
        fields
    };
    // Saved as it was shown, what does not fit stays.
    support.submit(&path, &fill(&[])).await.is(StatusCode::OK).sees("Ana is saved.").sees("&quot;many&quot;");
    for (field, value, message) in [
        ("attributes.score", "ten", "Must be a number."),
        ("attributes.score", "10", "Must be at most 9.5."),
        ("attributes.born", "2001-02-30", "Must be a day"),
        ("attributes.colour", "green", "Must be one of red, blue."),
    ] {
        let page = support.post(&path, &fill(&[(field, value)])).await;
        page.is(StatusCode::UNPROCESSABLE_ENTITY).sees(message).sees(&format!("{field}-error"));
    }
    let typed = fill(&[
        ("attributes.beta", "true"),
        ("attributes.born", "2001-02-03"),
        ("attributes.colour", "blue"),
        ("attributes.names", "Ann\r\nAnna"),
        ("attributes.score", "9.5"),
        ("attributes.secret", "stolen"),
        ("attributes.tier", "gold"),
    ]);
    let page = support.submit(&path, &typed).await;
    page.is(StatusCode::OK).sees("name=\"attributes.beta\" value=\"true\" checked").sees("value=\"2001-02-03\"");
    page.sees("<option value=\"blue\" selected>Blue</option>").sees("Ann\nAnna").sees("value=\"9.5\"").lacks("gold");
    // Neither by its own field nor by the lines of the others is anything changed that may not be.
    for line in ["secret = stolen", "tier = gold", "beta = false"] {
        let mut fields = own.to_vec();
        fields.push(("attributes", line));
        let page = support.post(&path, &fields).await;
        page.is(StatusCode::UNPROCESSABLE_ENTITY).sees("is an attribute that this realm defines");
    }
    let cx = server.system();
    let realm = server.app.main_realm().await.unwrap().realm.id;
    let user = denizen_ops::users::get(&server.app, &cx, cx.may(realm).unwrap(), person).await.unwrap();
    let expected = json!({"beta": true, "born": "2001-02-03", "colour": "blue", "names": ["Ann", "Anna"], "note": "x", "score": 9.5, "seats": "many", "secret": "s3cret"});
    assert_eq!(Value::Object(user.attributes), expected);
    // A realm that allows no others and a person who has none: no place for them.
    browser.submit(&path, &own).await.is(StatusCode::OK);
    let settings = browser.get("/admin/main/settings").await;
    settings.sees("name=\"undeclared_attributes_allowed\" value=\"true\" checked");
    let version = settings.hidden("version");
    let closed = [
        ("display_name", "Main"),
        ("email_as_username", "true"),
        ("password_min_length", "8"),
        ("session_idle_minutes", "60"),
        ("session_absolute_hours", "720"),
        ("access_token_minutes", "5"),
        ("refresh_token_days", "7"),
        ("audit_retention_days", "365"),
        ("version", version.as_str()),
    ];
    browser.submit("/admin/main/settings", &closed).await.sees("The settings are saved.");
    browser.get(&path).await.is(StatusCode::OK).lacks("Other attributes").sees("Colour");
}

#[tokio::test]
async fn a_change_of_an_attribute_that_somebody_else_changed_is_shown_beside_theirs() {
    let server = Server::start().await;
    let person = server.person("ana@example.com", "Ana", None).await;
    let mut browser = server.signed_in(OWNER).await;
    define(&mut browser, "plan", "Plan", "string", &[]).await;
    let path = format!("/admin/main/users/{person}");
    let version = browser.get(&path).await.hidden("version");
    let typed = |plan: &'static str, version: &str| {
        let own = [("given_name", "Ana"), ("email", "ana@example.com"), ("attributes.plan", plan)];
        let mut all: Vec<(&str, String)> = own.map(|(key, value)| (key, value.to_owned())).to_vec();
        all.push(("version", version.to_owned()));
        all
    };
    for (plan, status) in [("first", StatusCode::OK), ("second", StatusCode::UNPROCESSABLE_ENTITY)] {
        let fields = typed(plan, &version);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(key, value)| (*key, value.as_str())).collect();
        browser.submit(&path, &fields).await.is(status);
    }
    let fields = typed("second", &version);
    let fields: Vec<(&str, &str)> = fields.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let page = browser.post(&path, &fields).await;
    page.sees("<th scope=\"row\">Plan</th><td>first</td><td>second</td>");
}

#[tokio::test]
async fn a_new_user_is_asked_for_what_is_required() {
    let server = Server::start().await;
    let mut browser = server.signed_in(OWNER).await;
    define(&mut browser, "seats", "Seats", "integer", &[("required", "true")]).await;
    define(
        &mut browser,
        "plan",
        "Plan",
        "choice",
        &[("choices", "free\r\npro"), ("default", "free"), ("required", "true")],
    )
    .await;
    define(&mut browser, "note", "Note", "string", &[]).await;
    for page in ["new", "new-machine"] {
        let page = browser.get(&format!("/admin/main/users/{page}")).await;
        page.is(StatusCode::OK)
            .sees("attributes.seats")
            .sees("<option value=\"free\" selected>")
            .lacks("attributes.note");
    }
    let person = [("kind", "human"), ("email", "zoe@example.com"), ("password_mode", "none")];
    let page = browser.post("/admin/main/users", &person).await;
    page.is(StatusCode::UNPROCESSABLE_ENTITY).sees("attributes.seats-error").sees("Is required.");
    let mut fields = person.to_vec();
    fields.extend([("attributes.seats", "x"), ("attributes.plan", "pro")]);
    let page = browser.post("/admin/main/users", &fields).await;
    page.is(StatusCode::UNPROCESSABLE_ENTITY).sees("Must be a whole number.").sees("<option value=\"pro\" selected>");
    let mut fields = person.to_vec();
    fields.extend([("attributes.seats", "3"), ("attributes.plan", "pro")]);
    browser.submit("/admin/main/users", &fields).await.sees("zoe@example.com is created.").sees("value=\"3\"");
    let machine = [("kind", "machine"), ("name", "bot")];
    browser.post("/admin/main/users", &machine).await.is(StatusCode::UNPROCESSABLE_ENTITY).sees("Is required.");
    let machine = [("kind", "machine"), ("name", "bot"), ("attributes.seats", "1"), ("attributes.plan", "")];
    browser.post("/admin/main/users", &machine).await.is(StatusCode::OK).sees("bot is ready");
    // A key for scripts asks for nothing.
    let cx = server.system();
    denizen_ops::api_keys::create_for_scripts(&server.app, &cx, "main", "cli", AdminRole::Auditor).await.unwrap();
}

/// The claims of a JWT, unverified.
fn claims(token: &Value) -> Value {
    let payload = token.as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[tokio::test]
async fn an_attribute_with_a_claim_is_in_the_tokens() {
    const CALLBACK: &str = "http://127.0.0.1:9/callback";
    let server = Server::start().await;
    let person = server.person("ana@example.com", "Ana", None).await;
    let mut browser = server.signed_in(OWNER).await;
    define(&mut browser, "seats", "Seats", "integer", &[("claim", "https://example.com/seats")]).await;
    define(&mut browser, "tags", "Tags", "string", &[("list", "true"), ("claim", "tags")]).await;
    define(&mut browser, "note", "Note", "string", &[]).await;
    let fields = [
        ("given_name", "Ana"),
        ("email", "ana@example.com"),
        ("attributes.seats", "3"),
        ("attributes.tags", "a\r\nb"),
        ("attributes.note", "private"),
    ];
    browser.submit(&format!("/admin/main/users/{person}"), &fields).await.is(StatusCode::OK);
    let cx = server.system();
    let realm = server.app.main_realm().await.unwrap().realm.id;
    let input = ClientInput {
        name: Some("App".to_owned()),
        kind: Some(ClientType::Public),
        redirect_uris: Some(vec![CALLBACK.to_owned()]),
        grant_types: Some(vec![GrantType::AuthorizationCode]),
        scopes: Some(vec!["openid".to_owned()]),
        ..ClientInput::default()
    };
    let (client, _) = clients::create(&server.app, &cx, cx.may(realm).unwrap(), input).await.unwrap();
    // The pair of RFC 7636, appendix B.
    let (verifier, challenge) =
        ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    let asked = super::super::words::query(&[
        ("client_id", &client.client_id),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("scope", "openid"),
        ("state", "s"),
        ("code_challenge", challenge),
        ("code_challenge_method", "S256"),
    ]);
    let mut person = server.browser();
    let page = person.open(&format!("/realms/main/authorize{asked}")).await;
    let flow = page.hidden("flow");
    let page = person.post("/realms/main/sign-in", &[("flow", &flow), ("identifier", "ana@example.com")]).await;
    let flow = page.hidden("flow");
    let page = person.post("/realms/main/sign-in/password", &[("flow", &flow), ("password", PASSWORD)]).await;
    let code = page.location().split("code=").nth(1).unwrap_or_else(|| panic!("{}", page.location()));
    let code = code.split('&').next().unwrap();
    let exchange = [
        ("grant_type", "authorization_code"),
        ("client_id", &client.client_id),
        ("redirect_uri", CALLBACK),
        ("code", code),
        ("code_verifier", verifier),
    ];
    let answer = person.post("/realms/main/token", &exchange).await;
    let tokens: Value = serde_json::from_str(&answer.is(StatusCode::OK).body).unwrap();
    let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
    let info = person.send(Method::GET, "/realms/main/userinfo", &[("authorization", &bearer)], String::new()).await;
    let info: Value = serde_json::from_str(&info.is(StatusCode::OK).body).unwrap();
    for said in [claims(&tokens["access_token"]), claims(&tokens["id_token"]), info] {
        assert_eq!((&said["https://example.com/seats"], &said["tags"]), (&json!(3), &json!(["a", "b"])), "{said}");
        assert!(
            said["sub"].is_string() && said.get("note").is_none() && !said.to_string().contains("private"),
            "{said}"
        );
    }
    let metadata = person.get("/realms/main/.well-known/openid-configuration").await;
    metadata.sees("\"tags\"").sees("https://example.com/seats");
}

#[tokio::test]
async fn a_key_that_is_kept_is_shown_to_whoever_proved_who_they_are() {
    let server = Server::start().await;
    let mut browser = server.signed_in(OWNER).await;
    browser.post("/admin/main/users", &[("kind", "machine"), ("name", "Old bot")]).await.is(StatusCode::OK);
    let version = browser.get("/admin/main/settings").await.hidden("version");
    let encrypted = [
        ("display_name", "Main"),
        ("email_as_username", "true"),
        ("undeclared_attributes_allowed", "true"),
        ("api_key_storage", "encrypted"),
        ("password_min_length", "8"),
        ("session_idle_minutes", "6000"),
        ("session_absolute_hours", "720"),
        ("access_token_minutes", "5"),
        ("refresh_token_days", "7"),
        ("audit_retention_days", "365"),
        ("version", version.as_str()),
    ];
    browser.submit("/admin/main/settings", &encrypted).await.sees("value=\"encrypted\" checked");
    let made = browser.post("/admin/main/users", &[("kind", "machine"), ("name", "New bot")]).await;
    made.is(StatusCode::OK).sees("can see it again");
    let find = |body: &str, mark: &str| {
        body.split(mark).filter_map(|part| part.get(..36)).find(|id| id.matches('-').count() == 4).unwrap().to_owned()
    };
    let new = find(&browser.get("/admin/main/users?q=new&kind=machine").await.body, "/admin/main/users/");
    let old = find(&browser.get("/admin/main/users?q=old&kind=machine").await.body, "/admin/main/users/");
    let tab = browser.get(&format!("/admin/main/users/{new}/authenticators")).await;
    tab.sees("Show…").sees("Keys are kept encrypted");
    let place = format!("/admin/main/users/{new}/keys/{}", find(&tab.body, "/keys/"));
    browser.get(&format!("{place}/reveal")).await.is(StatusCode::OK).sees("Show the key First key?");
    let shown = browser.post(&format!("{place}/reveal"), &[]).await;
    let key = made.body.split("dzk_").nth(1).unwrap().get(..43).unwrap();
    shown.is(StatusCode::OK).sees(&format!("dzk_{key}"));
    assert_eq!(shown.headers["cache-control"], "no-store");
    browser.get(&format!("/admin/main/users/{new}/activity")).await.sees("Showed an API key").lacks(key);
    // A key from before has no button, and asking for it says why not.
    let tab = browser.get(&format!("/admin/main/users/{old}/authenticators")).await;
    tab.lacks("Show…");
    let before = format!("/admin/main/users/{old}/keys/{}", find(&tab.body, "/keys/"));
    let refused = browser.post(&format!("{before}/reveal"), &[]).await;
    refused.is(StatusCode::UNPROCESSABLE_ENTITY).sees("Only the hash of this key is kept");
    // A limited key says what it is for.
    let keys = format!("/admin/main/users/{new}/keys/new");
    browser.get(&keys).await.is(StatusCode::OK).sees("users:read").sees("Only for");
    let limited = [("name", "Reader"), ("scopes", "users:read"), ("scopes", "audit:read")];
    browser.post(&keys, &limited).await.is(StatusCode::OK).sees("dzk_");
    browser.get(&format!("/admin/main/users/{new}/authenticators")).await.sees("Only for users:read, audit:read");
    let wrong = [("name", "Reader"), ("scopes", "users:eat")];
    let page = browser.post(&keys, &wrong).await;
    page.is(StatusCode::UNPROCESSABLE_ENTITY).sees("Must be the name of a permission");
    // After ten minutes it takes a fresh sign-in.
    server.pass(Duration::from_secs(601));
    for page in [browser.get(&format!("{place}/reveal")).await, browser.post(&format!("{place}/reveal"), &[]).await] {
        page.is(StatusCode::SEE_OTHER).lacks(key);
        assert!(page.location().starts_with("/realms/main/authorize"), "{}", page.location());
    }
    server.person("sue@example.com", "Sue", Some(AdminRole::Support)).await;
    let mut support = server.signed_in("sue@example.com").await;
    support.get(&format!("/admin/main/users/{new}/authenticators")).await.is(StatusCode::OK).lacks("Show…");
    support.post(&format!("{place}/reveal"), &[]).await.is(StatusCode::FORBIDDEN);
}
