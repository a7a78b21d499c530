//! Headless Chromium, driven by its own driver.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use thirtyfour::{
    By, ChromiumLikeCapabilities, DesiredCapabilities, LoggingPrefsLogLevel, WebDriver, WebElement,
    prelude::ElementQueryable,
};

use super::{free_port, may_skip};

/// What Chromium is started with: nothing that looks for hosts elsewhere.
const FLAGS: &[&str] = &[
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-features=PasswordManagerOnboarding,PasswordLeakDetection,HttpsUpgrades,HttpsFirstBalancedModeAutoEnable",
    "--window-size=1440,900",
];

/// Runs axe-core, and answers what it finds that keeps people out, a line each. Targets of 24 px (WCAG 2.2, 2.5.8) are
/// not among what it looks for by itself. What an open menu lies over is not there to be pressed. What a mail's frame
/// holds is not ours.
const AXE_RUN: &str = "
    const options = { resultTypes: ['violations'], iframes: false, rules: { 'target-size': { enabled: true } }, ...arguments[0] };
    if (options.runOnly) delete options.rules;
    const covered = document.querySelector('details.menu[open]') !== null;
    const serious = (rule) => ['serious', 'critical'].includes(rule.impact) && !(covered && rule.id === 'target-size');
    const line = (rule, node) => `${rule.id} at ${node.target.join(' ')}: ${node.html.slice(0, 200)} (${node.any.concat(node.all, node.none).map((check) => check.message).join('; ')})`;
    return axe.run(document, options).then((result) => result.violations.filter(serious).flatMap((rule) => rule.nodes.slice(0, 4).map((node) => line(rule, node))));
";

/// A browser with a profile of its own.
pub(crate) struct Browser {
    driver: Option<WebDriver>,
    process: Child,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts one; `None` when it may be skipped because the machine has none.
    pub(crate) async fn start() -> Option<Self> {
        let Some((chromium, chromedriver)) = find_program("chromium").zip(find_program("chromedriver")) else {
            may_skip("Chromium with chromedriver");
            return None;
        };
        let port = free_port();
        let profile = tempfile::tempdir().unwrap();
        let process = Command::new(chromedriver)
            .args([format!("--port={port}")])
            .env("TMPDIR", profile.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut browser = Self { driver: None, process, _profile: profile };
        let mut wanted = DesiredCapabilities::chrome();
        wanted.set_binary(&chromium).unwrap();
        for flag in FLAGS {
            wanted.add_arg(flag).unwrap();
        }
        wanted.set_browser_log_level(LoggingPrefsLogLevel::All).unwrap();
        let address = format!("http://127.0.0.1:{port}");
        super::eventually("chromedriver answers", || async {
            matches!(reqwest::get(format!("{address}/status")).await, Ok(answer) if answer.status() == 200)
        })
        .await;
        let driver = WebDriver::new(&address, wanted).await.unwrap();
        driver.set_page_load_timeout(Duration::from_secs(120)).await.unwrap();
        browser.driver = Some(driver);
        Some(browser)
    }

    pub(crate) fn driver(&self) -> &WebDriver {
        self.driver.as_ref().unwrap()
    }

    pub(crate) async fn open(&self, url: &str) {
        self.driver().goto(url).await.unwrap();
    }

    pub(crate) async fn url(&self) -> String {
        self.driver().current_url().await.unwrap().into()
    }

    /// The element, waiting for it to come.
    pub(crate) async fn find(&self, css: &str) -> WebElement {
        match self
            .driver()
            .query(By::Css(css))
            .wait(Duration::from_secs(60), Duration::from_millis(50))
            .and_displayed()
            .first()
            .await
        {
            Ok(element) => element,
            Err(error) => panic!("no {css} at {}: {error}\n{}", self.url().await, self.text().await),
        }
    }

    /// The link or button with this text, waiting for it to come.
    pub(crate) async fn find_named(&self, name: &str) -> WebElement {
        let path = format!("//*[self::a or self::button or self::summary][normalize-space(.)='{name}']");
        match self
            .driver()
            .query(By::XPath(path))
            .wait(Duration::from_secs(60), Duration::from_millis(50))
            .and_displayed()
            .first()
            .await
        {
            Ok(element) => element,
            Err(error) => panic!("no {name:?} at {}: {error}\n{}", self.url().await, self.text().await),
        }
    }

    pub(crate) async fn click(&self, name: &str) {
        self.find_named(name).await.click().await.unwrap();
    }

    /// Types into the field with this name.
    pub(crate) async fn fill(&self, name: &str, text: &str) {
        let field = self.find(&format!("input[name='{name}']")).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Everything that can be read on the page.
    pub(crate) async fn text(&self) -> String {
        match self.driver().find(By::Tag("body")).await {
            Ok(body) => body.text().await.unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    /// Waits until the page says this.
    pub(crate) async fn sees(&self, text: &str) {
        for _ in 0..600 {
            if self.text().await.contains(text) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{} never says {text:?}:\n{}", self.url().await, self.text().await);
    }

    /// Waits until the address holds this.
    pub(crate) async fn comes_to(&self, part: &str) {
        for _ in 0..600 {
            // The page's scripts are modules, which have run when it is complete.
            if self.url().await.contains(part) && self.evaluate("return document.readyState").await == "complete" {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("never came to {part}, is at {}:\n{}", self.url().await, self.text().await);
    }

    /// Runs script in the page.
    pub(crate) async fn evaluate(&self, script: &str) -> Value {
        self.driver().execute(script, Vec::new()).await.unwrap().json().clone()
    }

    /// Keys pressed wherever the focus is.
    pub(crate) async fn press(&self, keys: &str) {
        self.driver().action_chain().send_keys(keys).perform().await.unwrap();
    }

    /// Presses a key while Control is held.
    pub(crate) async fn press_with_control(&self, key: char) {
        self.driver()
            .action_chain()
            .key_down(thirtyfour::Key::Control)
            .send_keys(key.to_string())
            .key_up(thirtyfour::Key::Control)
            .perform()
            .await
            .unwrap();
    }

    /// Signs in at Denizen's pages, which must be open.
    pub(crate) async fn sign_in(&self, identifier: &str, password: &str) {
        self.fill("identifier", identifier).await;
        self.find("button[type=submit]").await.click().await.unwrap();
        self.fill("password", password).await;
        self.find("button[type=submit]").await.click().await.unwrap();
    }

    /// What the console complained of since the last call: script errors, refused content, failed requests.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let entries = self.driver().browser_log().await.unwrap();
        entries.into_iter().map(|entry| format!("{entry:?}")).filter(|entry| !entry.contains("[DOM]")).collect()
    }

    /// Asserts that nothing was complained of.
    pub(crate) async fn is_content(&self) {
        let complaints = self.complaints().await;
        assert!(complaints.is_empty(), "{}: {complaints:#?}", self.url().await);
    }

    pub(crate) async fn devtools(&self, method: &str, params: Value) -> Value {
        self.driver().cdp().send_raw(method, params).await.unwrap()
    }

    /// By how much the page is wider than a window of this width, and what reaches furthest.
    pub(crate) async fn overflow_at(&self, width: u32) -> (i64, String) {
        let metrics = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        // Not less the window's own width: a phone zooms out over what is too wide.
        let overflow = self.evaluate(&format!("return document.documentElement.scrollWidth - {width}")).await;
        // What scrolls within something of its own makes no page wider.
        // What scrolls within something of its own makes no page wider; what is absolute there may stand outside it.
        let script = "const above = one => getComputedStyle(one).position === 'absolute' ? one.offsetParent : one.parentElement; \
             const held = one => { for (let up = above(one); up && up !== document.body; up = above(up)) \
             if (getComputedStyle(up).overflowX !== 'visible') return true; return false; }; \
             const far = [...document.querySelectorAll('body *')].filter(one => one.checkVisibility() && !held(one)) \
             .map(one => [one.getBoundingClientRect().right, one]).sort((a, b) => b[0] - a[0])[0]; \
             return far ? far[1].outerHTML.slice(0, 120) + ' ends at ' + far[0] : '';";
        let widest = self.evaluate(script).await;
        self.devtools("Emulation.clearDeviceMetricsOverride", json!({})).await;
        (overflow.as_i64().unwrap(), widest.as_str().unwrap_or_default().to_owned())
    }

    /// Makes it a window of this width, in this color scheme, in which nothing moves.
    async fn pretend(&self, width: u32, scheme: &str) {
        let (height, mobile) = if width < 600 { (844, true) } else { (900, false) };
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    async fn pretend_no_more(&self) {
        self.devtools("Emulation.clearDeviceMetricsOverride", json!({})).await;
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": [] })).await;
    }

    /// What is seriously wrong with the page for somebody who cannot see it well or use a mouse, at 1440 and 390 px,
    /// light and dark. `axe` is the source of axe-core.
    pub(crate) async fn barriers(&self, axe: &str) -> Vec<String> {
        if self.evaluate("return typeof window.axe").await == "undefined" {
            self.driver().execute(axe, Vec::new()).await.unwrap();
        }
        let mut found = Vec::new();
        for width in [1440, 390] {
            // Colors are all that differs between the schemes.
            for (scheme, rules) in [("light", json!({})), ("dark", json!({ "runOnly": ["color-contrast"] }))] {
                self.pretend(width, scheme).await;
                let answer = self.driver().execute(AXE_RUN, vec![rules]).await.unwrap().json().clone();
                let texts = answer.as_array().unwrap_or_else(|| panic!("axe-core says {answer}"));
                found.extend(texts.iter().map(|text| format!("{width} px, {scheme}: {}", text.as_str().unwrap())));
            }
        }
        self.pretend_no_more().await;
        found
    }

    /// Saves the page as it stands, at 1440 and 390 px, light and dark.
    pub(crate) async fn photograph(&self, folder: &Path, name: &str) {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        std::fs::create_dir_all(folder).unwrap();
        for width in [1440, 390] {
            for scheme in ["light", "dark"] {
                self.pretend(width, scheme).await;
                tokio::time::sleep(Duration::from_millis(100)).await;
                let shot = self.devtools("Page.captureScreenshot", json!({ "format": "png" })).await;
                let png = STANDARD.decode(shot["data"].as_str().unwrap()).unwrap();
                std::fs::write(folder.join(format!("{name}-{width}-{scheme}.png")), png).unwrap();
            }
        }
        self.pretend_no_more().await;
    }

    /// Ends it in good order.
    pub(crate) async fn quit(mut self) {
        if let Some(driver) = self.driver.take() {
            driver.quit().await.unwrap();
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(driver) = self.driver.take() {
            // A test that failed: the driver is asked to close Chromium, which it alone knows.
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                    runtime.block_on(driver.quit()).ok();
                });
            });
        }
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Where a program is.
pub(crate) fn find_program(name: &str) -> Option<String> {
    let folders = std::env::var("PATH").unwrap_or_default();
    let mut places = folders
        .split(':')
        .chain(["/usr/bin", "/usr/sbin", "/usr/local/bin"])
        .map(|folder| Path::new(folder).join(name));
    places.find(|path| path.is_file()).map(|path| path.to_string_lossy().into_owned())
}
