//! The languages of card pages and mails.

use denizen_model::{
    UserId,
    locales::Language,
    realms::RealmSettings,
    users::{NewHuman, NewPassword},
};
use denizen_ops::{realms, users};
use http::{Method, StatusCode, header};

use super::support::{Browser, OWNER, PASSWORD, Page, Server};

/// A page as a browser whose user reads these languages gets it.
async fn asks(browser: &mut Browser<'_>, path: &str, accept: &str) -> Page {
    browser.send(Method::GET, path, &[("accept-language", accept)], String::new()).await
}

async fn offer(server: &Server, locale: Language, locales: &[Language]) {
    let (app, cx) = (&server.app, server.system());
    let main = app.main_realm().await.unwrap().realm.id;
    let settings = RealmSettings { locale, locales: locales.to_vec(), ..RealmSettings::default() };
    realms::update_settings(app, &cx, cx.may(main).unwrap(), None, settings, None).await.unwrap();
}

async fn person(server: &Server, email: &str, locale: &str) -> UserId {
    let (app, cx) = (&server.app, server.system());
    let main = app.main_realm().await.unwrap().realm.id;
    let new = NewHuman { email: Some(email.to_owned()), locale: Some(locale.to_owned()), ..NewHuman::default() };
    let password = NewPassword::Set(PASSWORD.to_owned());
    users::create_human(app, &cx, cx.may(main).unwrap(), new, password).await.unwrap().user.id
}

impl Page {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn is_in(&self, language: Language) -> &Self {
        let dir = language.direction().as_str();
        self.sees(&format!("<html lang=\"{language}\" dir=\"{dir}\""));
        assert_eq!(self.header("content-language"), language.as_str());
        assert!(
            self.headers.get_all(header::VARY).iter().any(|line| line.to_str().unwrap().contains("Accept-Language"))
        );
        self
    }
}

#[tokio::test]
async fn a_page_is_in_the_language_that_the_browser_asks_for() {
    let server = Server::start().await;
    let mut guest = server.browser();
    for (accept, language, title) in [
        ("de-AT,de;q=0.9,en;q=0.8", Language::German, "<h1>Anmelden</h1>"),
        ("pt-BR,es;q=0.2", Language::Spanish, "<h1>Iniciar sesión</h1>"),
        ("fr", Language::French, "<h1>Se connecter</h1>"),
        ("ja-JP", Language::Japanese, "<h1>サインイン</h1>"),
        ("ar-EG,en;q=0.5", Language::Arabic, "<h1>تسجيل الدخول</h1>"),
        ("pt-BR, *;q=0.1", Language::English, "<h1>Sign in</h1>"),
        ("", Language::English, "<h1>Sign in</h1>"),
    ] {
        asks(&mut guest, "/realms/main/account", accept).await.is(StatusCode::OK).is_in(language).sees(title);
    }
    let asked = "/realms/main/account?ui_locales=xx+fr-CA%20de";
    asks(&mut server.browser(), asked, "de").await.is_in(Language::French);
    let missing = asks(&mut guest, "/nowhere/at/all", "es").await;
    missing.is(StatusCode::NOT_FOUND).is_in(Language::Spanish).sees("Página no encontrada").lacks("/language");
    let realm = asks(&mut guest, "/realms/nowhere/account", "es").await;
    realm.is(StatusCode::NOT_FOUND).is_in(Language::Spanish).lacks("name=\"to\"");
    asks(&mut guest, "/realms/main/verify-email?token=x", "ja").await.is(StatusCode::GONE).is_in(Language::Japanese);
    // The console and the demo's mailbox are in English.
    asks(&mut guest, "/demo/mailbox", "de").await.is_in(Language::English);
    let mut owner = server.signed_in(OWNER).await;
    asks(&mut owner, "/admin/main/users", "de").await.is(StatusCode::OK).sees("<html lang=\"en\"").sees("Last sign-in");
}

#[tokio::test]
async fn what_was_chosen_last_stands() {
    let server = Server::start().await;
    let mut guest = server.browser();
    let account = "/realms/main/account";
    let page = asks(&mut guest, account, "de").await;
    // Each language by its own name, which screen readers hear as such.
    for language in Language::ALL {
        let (tag, dir) = (language.as_str(), language.direction().as_str());
        page.sees(&format!("name=\"to\" value=\"{tag}\" lang=\"{tag}\" dir=\"{dir}\"")).sees(language.own_name());
    }
    assert_eq!(page.hidden("back"), account);
    let chosen = guest.post("/realms/main/language", &[("to", "ja"), ("at", account), ("back", account)]).await;
    chosen.is(StatusCode::SEE_OTHER);
    assert_eq!(chosen.location(), account);
    let cookie = chosen.header("set-cookie");
    assert_eq!(
        cookie, "denizen_language=ja; Path=/realms/main; Max-Age=31536000; HttpOnly; SameSite=Lax",
        "a year, for this realm"
    );
    asks(&mut guest, account, "de").await.is_in(Language::Japanese);
    // An application that asks for the same does not shorten it; one that asks for another one has it for the session.
    assert_eq!(asks(&mut guest, "/realms/main/account?ui_locales=ja", "de").await.header("set-cookie"), "");
    let asked = asks(&mut guest, "/realms/main/account?ui_locales=ar&x=1", "de").await;
    asked.is_in(Language::Arabic);
    assert_eq!(asked.header("set-cookie"), "denizen_language=ar; Path=/realms/main; HttpOnly; SameSite=Lax");
    assert_eq!(asked.hidden("back"), "/realms/main/account?x=1");
    asks(&mut guest, account, "de").await.is_in(Language::Arabic);
    // What is not offered changes nothing, and no way back leads elsewhere.
    guest.post("/realms/main/language", &[("to", "xx"), ("back", account)]).await.is(StatusCode::SEE_OTHER);
    asks(&mut guest, account, "de").await.is_in(Language::Arabic);
    for back in ["https://evil.example/", "//evil.example", "/admin", "/realms/main/../../admin"] {
        let page = guest.post("/realms/main/language", &[("to", "fr"), ("back", back)]).await;
        assert_eq!(page.location(), account, "{back}");
    }
    let other = "https://id.example.com";
    let lines =
        [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "cross-site"), ("origin", other)];
    let forged = guest.send(Method::POST, "/realms/main/language", &lines, "to=de".to_owned()).await;
    forged.is(StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_language_changes_in_the_middle_of_a_sign_in() {
    let server = Server::start().await;
    let mut guest = server.browser();
    let page = asks(&mut guest, "/realms/main/account", "en").await;
    let flow = page.hidden("flow");
    let page = guest.post("/realms/main/sign-in", &[("flow", &flow), ("identifier", OWNER)]).await;
    let (flow, at) = (page.hidden("flow"), page.hidden("at"));
    assert_eq!(at, "/realms/main/sign-in");
    page.lacks("name=\"back\"");
    let page = guest.post("/realms/main/language", &[("to", "es"), ("at", &at), ("flow", &flow)]).await;
    page.is(StatusCode::OK).is_in(Language::Spanish).sees("Escriba su contraseña").sees(OWNER);
    let flow = page.hidden("flow");
    let page = guest.post("/realms/main/sign-in/password", &[("flow", &flow), ("password", "wrong")]).await;
    page.is(StatusCode::UNPROCESSABLE_ENTITY).sees("no coinciden");
    let flow = page.hidden("flow");
    guest.submit("/realms/main/sign-in/password", &[("flow", &flow), ("password", PASSWORD)]).await.sees("Su cuenta");
}

#[tokio::test]
async fn pages_after_a_form_come_again_in_another_language() {
    let server = Server::start().await;
    let mut guest = server.browser();
    let page = guest.post("/realms/main/register", &[("email", "nonsense")]).await;
    let (flow, at) = (page.hidden("flow"), page.hidden("at"));
    let page = guest.submit("/realms/main/language", &[("to", "fr"), ("at", &at), ("flow", &flow)]).await;
    page.is(StatusCode::OK).is_in(Language::French).sees("Créer un compte");
    guest.post("/realms/main/register", &[("email", "nonsense")]).await.sees("Saisissez une adresse e-mail");
    guest.post("/realms/main/register", &[("email", "new@example.com")]).await.is(StatusCode::OK);
    let link = server.link("new@example.com").await;
    let token = link.split("token=").nth(1).unwrap();
    let page = guest.post("/realms/main/register/complete", &[("token", token), ("password", "short")]).await;
    page.is(StatusCode::UNPROCESSABLE_ENTITY).sees("Utilisez au moins 8 caractères.");
    let again = [("to", "ar"), ("at", "/realms/main/register/complete"), ("token", token)];
    let page = guest.submit("/realms/main/language", &again).await;
    page.is(StatusCode::OK).is_in(Language::Arabic).sees("8 أحرف على الأقل").sees("new@example.com");
    // A state that is none leads to the account.
    let lost = guest.post("/realms/main/language", &[("to", "de"), ("at", "/x"), ("flow", "x")]).await;
    assert_eq!(lost.location(), "/realms/main/account");
}

#[tokio::test]
async fn somebody_who_is_signed_in_reads_their_own_language() {
    let server = Server::start().await;
    person(&server, "hana@example.com", "ja-JP").await;
    let mut guest = server.browser();
    let page = asks(&mut guest, "/realms/main/account", "de").await;
    page.is_in(Language::German);
    guest.prove(page, "main", "hana@example.com").await;
    let page = asks(&mut guest, "/realms/main/account/sessions", "de").await;
    page.is_in(Language::Japanese).sees("たった今").sees("UTC\"");
    asks(&mut guest, "/realms/main/end-session", "de").await.is_in(Language::Japanese);
    guest.post("/realms/main/language", &[("to", "ar"), ("back", "/realms/main/account")]).await;
    asks(&mut guest, "/realms/main/account/sessions", "de").await.is_in(Language::Arabic).sees("الآن");
}

#[tokio::test]
async fn a_realm_decides_which_languages_there_are() {
    let server = Server::start().await;
    offer(&server, Language::German, &[Language::German, Language::Arabic]).await;
    let mut guest = server.browser();
    let account = "/realms/main/account";
    asks(&mut guest, account, "fr, en;q=0.9").await.is_in(Language::German).lacks("value=\"fr\"");
    asks(&mut guest, account, "fr, ar;q=0.1").await.is_in(Language::Arabic);
    asks(&mut guest, "/realms/main/account?ui_locales=fr", "").await.is_in(Language::German);
    let metadata = guest.get("/realms/main/.well-known/openid-configuration").await;
    metadata.sees("\"ui_locales_supported\":[\"de\",\"ar\"]");
    offer(&server, Language::Arabic, &[Language::Arabic]).await;
    asks(&mut guest, account, "de").await.is_in(Language::Arabic).lacks("/realms/main/language");
}

#[tokio::test]
async fn an_application_asks_for_a_language_by_link_or_form() {
    let server = Server::start().await;
    let mut guest = server.browser();
    let link = guest.get("/admin/main/users").await.location().to_owned();
    let page = asks(&mut guest, &format!("{link}&ui_locales=pt%20de"), "fr").await;
    page.is(StatusCode::OK).is_in(Language::German).sees("fortzufahren");
    let (path, query) = link.split_once('?').unwrap();
    let lines = [("content-type", "application/x-www-form-urlencoded"), ("accept-language", "fr")];
    let mut other = server.browser();
    let page = other.send(Method::POST, path, &lines, format!("{query}&ui_locales=ar")).await;
    page.is(StatusCode::OK).is_in(Language::Arabic);
    assert_eq!(other.cookies.get("denizen_language").map(String::as_str), Some("ar"));
}

#[tokio::test]
async fn mails_are_in_the_language_of_their_reader() {
    let server = Server::start().await;
    let (app, cx) = (&server.app, server.system());
    let main = app.main_realm().await.unwrap().realm.id;
    for (email, locale, said) in [
        ("de@example.com", "de-CH", "Bestätigen Sie"),
        ("fr@example.com", "fr", "Confirmez-la"),
        ("zh@example.com", "zh-Hans", "Confirm it"),
    ] {
        let found = person(&server, email, locale).await;
        users::request_email_verification(app, &cx, cx.may(main).unwrap(), found).await.unwrap();
        let mails = server.mails(email).await;
        assert!(mails[0].contains(said), "{}", mails[0]);
    }
    // Who registers reads what the page was in, and so does the account that comes of it.
    let mut guest = server.browser();
    let lines = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("sec-fetch-site", "same-origin"),
        ("accept-language", "es"),
    ];
    guest.send(Method::POST, "/realms/main/register", &lines, "email=new%40example.com".to_owned()).await;
    assert!(server.mails("new@example.com").await[0].contains("probablemente usted"));
    let link = server.link("new@example.com").await;
    let token = link.split("token=").nth(1).unwrap();
    let body = format!("token={token}&password=a+long+enough+password");
    let done = guest.send(Method::POST, "/realms/main/register/complete", &lines, body).await;
    done.is(StatusCode::SEE_OTHER);
    asks(&mut guest, "/realms/main/account", "en").await.is_in(Language::Spanish);
    // Somebody who has an account reads their own, whatever page they used.
    guest.send(Method::POST, "/realms/main/register", &lines, "email=de%40example.com".to_owned()).await;
    assert!(server.mails("de@example.com").await.iter().any(|mail| mail.contains("Es gibt schon eines")));
}

#[tokio::test]
async fn languages_are_chosen_in_the_settings() {
    let server = Server::start().await;
    let mut browser = server.signed_in(OWNER).await;
    let page = browser.get("/admin/main/settings").await;
    page.sees("Default language").sees("日本語");
    let version = page.hidden("version");
    let typed = |version: &str, more: &[(&str, &str)]| -> Vec<(String, String)> {
        let fixed = [
            ("display_name", "Main"),
            ("password_min_length", "8"),
            ("session_idle_minutes", "60"),
            ("session_absolute_hours", "720"),
            ("access_token_minutes", "5"),
            ("refresh_token_days", "7"),
            ("audit_retention_days", "365"),
            ("version", version),
            ("locales", "none"),
        ];
        fixed.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let pairs = |typed: &[(String, String)]| typed.iter().map(|(a, b)| (a.clone(), b.clone())).collect::<Vec<_>>();
    for (more, message) in [
        (vec![("locale", "de"), ("locales", "en"), ("locales", "fr")], "Must be one of the offered languages."),
        (vec![("locale", "de")], "Must name at least one language."),
    ] {
        let all = pairs(&typed(&version, &more));
        let all: Vec<(&str, &str)> = all.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        browser.post("/admin/main/settings", &all).await.is(StatusCode::UNPROCESSABLE_ENTITY).sees(message);
    }
    let all = pairs(&typed(&version, &[("locale", "ar"), ("locales", "ar"), ("locales", "de")]));
    let all: Vec<(&str, &str)> = all.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    browser.submit("/admin/main/settings", &all).await.sees("The settings are saved.").sees("value=\"ar\" selected");
    server.browser().get("/realms/main/account").await.is_in(Language::Arabic);
}
