//! The card pages in every language.

use super::{Looker, click};
use crate::support::{App, Browser, Database, NewApp, PASSWORD, Server};

/// The card pages in each language; Arabic ones are mirrored.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_language_is_for_everybody() {
    let mut server = Server::start(Database::sqlite()).await;
    let api = server.api();
    let app = App::register(&api, &server.issuer("main"), NewApp::default()).await;
    api.create_person("sample@example.com").await;
    let Some(browser) = Browser::start().await else { return };
    let look = Looker::new();
    for (language, title) in [
        ("de", "Anmelden"),
        ("es", "Iniciar sesión"),
        ("fr", "Se connecter"),
        ("ja", "サインイン"),
        ("ar", "تسجيل الدخول"),
    ] {
        let name = |page: &str| format!("{language}-{page}");
        let attempt = app.begin();
        look.visit(&browser, &format!("{}&ui_locales={language}", attempt.url), &name("sign-in-identifier")).await;
        browser.sees(title).await;
        click(&browser, ".languages > summary").await;
        look.keep(&browser, &name("language-menu")).await;
        browser.open(&attempt.url).await;
        browser.fill("identifier", "sample@example.com").await;
        click(&browser, "form.form button[type=submit]").await;
        browser.find("input[name=password]").await;
        browser.fill("password", "not the right one").await;
        click(&browser, "form.form button[type=submit]").await;
        browser.find(".error-text").await;
        look.keep(&browser, &name("sign-in-wrong")).await;
        browser.complaints().await;
        look.visit(&browser, &server.url("/realms/main/register"), &name("register")).await;
        browser.open(&attempt.with("client_id", Some("unknown"))).await;
        look.keep(&browser, &name("error-unknown-client")).await;
        browser.complaints().await;
        browser.open(&server.url("/realms/main/account")).await;
        browser.fill("identifier", "sample@example.com").await;
        click(&browser, "form.form button[type=submit]").await;
        browser.find("input[name=password]").await;
        // By the menu, in the middle of a sign-in.
        click(&browser, ".languages > summary").await;
        click(&browser, &format!(".languages button[lang={language}]")).await;
        browser.comes_to("/realms/main/language").await;
        browser.fill("password", PASSWORD).await;
        click(&browser, "form.form button[type=submit]").await;
        browser.comes_to("/realms/main/account").await;
        look.keep(&browser, &name("account")).await;
        for page in ["password", "authenticators", "activity", "authenticators/app"] {
            let url = server.url(&format!("/realms/main/account/{page}"));
            look.visit(&browser, &url, &name(&format!("account-{}", page.replace('/', "-")))).await;
        }
        look.visit(&browser, &server.url("/realms/main/end-session"), &name("sign-out")).await;
        click(&browser, "button[value=sign_out]").await;
        browser.comes_to("/signed-out").await;
    }
    browser.quit().await;
    look.is_content();
}
