//! Applications that this project did not write sign their users in: npm's `openid-client`, and Apache with
//! Debian's `mod_auth_openidc`.

use std::{
    fs::File,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::support::{
    App, Browser, Database, NewApp, PASSWORD, Person, Server, eventually, find_program, free_port, is_root, may_skip,
    npm_install,
};

/// An application in its own process; dropping it ends it.
pub(crate) struct RelyingParty {
    process: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl RelyingParty {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    async fn is_up(&mut self, path: &str) {
        let url = self.url(path);
        let (process, folder) = (&mut self.process, self.folder.path());
        for _ in 0..1200 {
            if let Some(status) = process.try_wait().unwrap() {
                panic!("the application ended with {status}: {}", said(folder));
            }
            if reqwest::get(&url).await.is_ok() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("the application does not answer: {}", said(folder));
    }

    /// `tests/rp/openid-client`, registered in realm `main`.
    pub(crate) async fn openid_client(server: &mut Server) -> Option<Self> {
        let folder = npm_install("rp/openid-client", &["rp.mjs"])?;
        let node = find_program("node")?;
        let port = free_port();
        let origin = format!("http://127.0.0.1:{port}");
        let new = NewApp {
            redirect_uri: &format!("{origin}/callback"),
            post_logout_redirect_uri: &format!("{origin}/"),
            ..NewApp::default()
        };
        let app = App::register(&server.api(), &server.issuer("main"), new).await;
        let log = File::create(folder.path().join("log")).unwrap();
        let process = Command::new(node)
            .arg("rp.mjs")
            .current_dir(folder.path())
            .envs([("ISSUER", server.issuer("main")), ("PORT", port.to_string())])
            .envs([("CLIENT_ID", app.client_id), ("CLIENT_SECRET", app.secret.unwrap())])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut party = Self { process, folder, port };
        party.is_up("/").await;
        Some(party)
    }

    /// Apache in front of a page that names who is signed in.
    async fn apache(server: &mut Server) -> Option<Self> {
        let modules = Path::new("/usr/lib/apache2/modules");
        let Some(apache) = find_program("apache2").filter(|_| modules.join("mod_auth_openidc.so").is_file()) else {
            may_skip("Apache with mod_auth_openidc");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let pages = folder.path().join("pages/app");
        std::fs::create_dir_all(&pages).unwrap();
        std::fs::write(
            pages.join("index.shtml"),
            "<!doctype html><title>App</title><link rel=\"icon\" href=\"data:,\"><p id=\"user\">Hello <!--#echo var=\"REMOTE_USER\" --></p>",
        )
        .unwrap();
        std::fs::write(
            folder.path().join("pages/index.shtml"),
            "<!doctype html><title>Out</title><link rel=\"icon\" href=\"data:,\"><p id=\"nobody\">Goodbye</p>",
        )
        .unwrap();

        let port = free_port();
        let origin = format!("http://127.0.0.1:{port}");
        let new = NewApp {
            redirect_uri: &format!("{origin}/app/redirect"),
            post_logout_redirect_uri: &format!("{origin}/index.shtml"),
            ..NewApp::default()
        };
        let app = App::register(&server.api(), &server.issuer("main"), new).await;
        let settings = apache_settings(modules, folder.path(), &origin, &server.issuer("main"), &app);
        let file = folder.path().join("apache.conf");
        std::fs::write(&file, settings).unwrap();
        let log = File::create(folder.path().join("log")).unwrap();
        let process = Command::new(apache)
            .args(["-D", "FOREGROUND", "-f"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut party = Self { process, folder, port };
        party.is_up("/index.shtml").await;
        Some(party)
    }
}

fn said(folder: &Path) -> String {
    ["log", "error.log"].iter().map(|name| std::fs::read_to_string(folder.join(name)).unwrap_or_default()).collect()
}

fn apache_settings(modules: &Path, folder: &Path, origin: &str, issuer: &str, app: &App) -> String {
    let load = ["mpm_event", "authn_core", "authz_core", "authz_user", "dir", "mime", "include", "auth_openidc"]
        .map(|name| (name, modules.join(format!("mod_{name}.so"))))
        .into_iter()
        // What is compiled in has no file.
        .filter(|(_, path): &(&str, PathBuf)| path.is_file())
        .map(|(name, path)| format!("LoadModule {name}_module {}\n", path.display()))
        .collect::<String>();
    let who = if is_root() { "User www-data\nGroup www-data\n" } else { "" };
    let (folder, listen) = (folder.display(), origin.trim_start_matches("http://"));
    let (client, secret) = (&app.client_id, app.secret.as_deref().unwrap());
    format!(
        "{load}{who}ServerName 127.0.0.1
ServerRoot {folder}
DefaultRuntimeDir {folder}
PidFile {folder}/pid
ErrorLog {folder}/error.log
LogLevel warn auth_openidc:info
Listen {listen}
DocumentRoot {folder}/pages
DirectoryIndex index.shtml
TypesConfig /dev/null
AddType text/html .shtml
AddOutputFilter INCLUDES .shtml
OIDCProviderMetadataURL {issuer}/.well-known/openid-configuration
OIDCClientID {client}
OIDCClientSecret {secret}
OIDCRedirectURI {origin}/app/redirect
OIDCCryptoPassphrase a-passphrase-of-this-test-alone
OIDCPKCEMethod S256
OIDCScope \"openid profile email\"
OIDCRemoteUserClaim email
OIDCInfoHook access_token refresh_token userinfo session
<Directory {folder}/pages>
  Options +Includes
  Require all granted
</Directory>
<Location /app>
  AuthType openid-connect
  Require valid-user
</Location>
"
    )
}

impl Drop for RelyingParty {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the application said:\n{}", said(self.folder.path()));
        }
        if self.process.try_wait().is_ok_and(|status| status.is_some()) {
            return;
        }
        // Apache's own children go with it only when it is asked.
        Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status().ok();
        for _ in 0..100 {
            if self.process.try_wait().is_ok_and(|status| status.is_some()) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

on_both_engines! {
    /// Sign-in, userinfo, refresh, introspection, revocation, logout, with every check that the library makes.
    async fn openid_client_signs_a_person_in_and_out(database) {
        let mut server = Server::start(database).await;
        let Some(party) = RelyingParty::openid_client(&mut server).await else { return };
        let user = server.api().create_person("npm@example.com").await;
        let person = Person::new();
        let page = person.travel(&party.url("/login")).await;
        let page = person.submit(&page, &[("identifier", "npm@example.com")]).await.page();
        let came_back = person.submit(&page, &[("password", PASSWORD)]).await.left();
        let page = person.travel(came_back.as_str()).await;
        assert!(page.html.contains("npm@example.com"), "{}", page.html);

        for _ in 0..3 {
            let page = person.travel(&party.url("/refresh")).await;
            let answer: Value = serde_json::from_str(&page.html).unwrap();
            assert_eq!(answer["claims"]["sub"], user, "{answer}");
            assert_eq!(answer["introspection"]["active"], true, "{answer}");
        }
        let page = person.travel(&party.url("/logout")).await;
        assert!(page.html.contains("Nobody"), "{}", page.html);
        let page = person.travel(&party.url("/login")).await;
        assert!(page.asks_for("identifier"), "signed out at Denizen too: {}", page.text());

        // Once more, and the tokens are given back.
        let page = person.submit(&page, &[("identifier", "npm@example.com")]).await.page();
        let came_back = person.submit(&page, &[("password", PASSWORD)]).await.left();
        person.travel(came_back.as_str()).await;
        let page = person.travel(&party.url("/give-back")).await;
        assert_eq!(page.html, "{\"active\":false}");
        assert_eq!(person.travel(&party.url("/refresh")).await.status, 500, "nothing is left to refresh with");
    }
}

/// The whole way in a real browser, in front of a real web server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn apache_signs_a_person_in_and_out() {
    let mut server = Server::start(Database::sqlite()).await;
    let Some(party) = RelyingParty::apache(&mut server).await else { return };
    let Some(browser) = Browser::start().await else { return };
    server.api().create_person("apache@example.com").await;

    browser.open(&party.url("/app/")).await;
    browser.sign_in("apache@example.com", PASSWORD).await;
    browser.sees("Hello apache@example.com").await;

    let info = |browser: &Browser| {
        let driver = browser.driver().clone();
        let url = party.url("/app/redirect?info=json");
        async move {
            driver.goto(&url).await.unwrap();
            let text = driver.find(thirtyfour::By::Tag("body")).await.unwrap().text().await.unwrap();
            serde_json::from_str::<Value>(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
        }
    };
    let first = info(&browser).await;
    assert_eq!(first["userinfo"]["email"], "apache@example.com", "{first}");
    let token = first["access_token"].as_str().unwrap();
    let back = party.url("/app/");
    browser.open(&party.url(&format!("/app/redirect?refresh={back}&access_token={token}"))).await;
    browser.sees("Hello apache@example.com").await;
    let second = info(&browser).await;
    assert_ne!(first["access_token"], second["access_token"], "Apache has refreshed its tokens");
    assert_ne!(first["refresh_token"], second["refresh_token"]);

    let out = party.url("/index.shtml");
    browser.open(&party.url(&format!("/app/redirect?logout={out}"))).await;
    browser.sees("Goodbye").await;
    browser.open(&party.url("/app/")).await;
    browser.find("input[name=identifier]").await;
    // Apache has no icon for its JSON.
    let complaints: Vec<String> =
        browser.complaints().await.into_iter().filter(|text| !text.contains("/favicon.ico")).collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
    browser.quit().await;
    eventually("the server is still well", || server.is_ready()).await;
}
