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

/// What reaches furthest to the side. What scrolls within something of its own makes no page wider; what is absolute
/// there may stand outside it.
const WIDEST: &str = "
    const above = one => getComputedStyle(one).position === 'absolute' ? one.offsetParent : one.parentElement;
    const held = one => {
        for (let up = above(one); up && up !== document.body; up = above(up))
            if (getComputedStyle(up).overflowX !== 'visible') return true;
        return false;
    };
    const far = [...document.querySelectorAll('body *')].filter(one => one.checkVisibility() && !held(one))
        .map(one => { const at = one.getBoundingClientRect(); return [Math.max(at.right - document.documentElement.clientWidth, -at.left), one]; })
        .sort((a, b) => b[0] - a[0])[0];
    return far ? `${far[1].outerHTML.slice(0, 120)} reaches ${Math.round(far[0])} px outside` : '';
";

/// Text that is cut off without an ellipsis, by itself or by something around it that does not scroll, text that lies over
/// other text in its row, and tables that scroll sideways on a phone.
const CUT_OFF: &str = "
    const shown = one => one.checkVisibility({ visibilityProperty: true, opacityProperty: true });
    // What is there for screen readers alone takes no room, and what opens over the page none in it.
    const room = (one, clipped) => {
        const boxes = [], walker = document.createTreeWalker(one, NodeFilter.SHOW_TEXT);
        for (let text = walker.nextNode(); text; text = walker.nextNode()) {
            if (!text.data.trim() || text.parentElement.closest('.sr-only, .menu-panel') || !shown(text.parentElement)) continue;
            const range = document.createRange();
            range.selectNodeContents(text);
            let { left, right } = range.getBoundingClientRect();
            for (let up = text.parentElement; clipped && up !== one.parentElement; up = up.parentElement) {
                if (getComputedStyle(up).overflowX === 'visible') continue;
                const box = up.getBoundingClientRect();
                [left, right] = [Math.max(left, box.left), Math.min(right, box.right)];
            }
            boxes.push({ left, right });
        }
        return { left: Math.min(...boxes.map(box => box.left)), right: Math.max(...boxes.map(box => box.right)) };
    };
    const found = [];
    for (const one of document.querySelectorAll('h1, h2, label, legend, th, .btn, .label, .tabs a, .hint, .error-text')) {
        const text = room(one);
        if (!shown(one) || !Number.isFinite(text.right)) continue;
        for (let up = one; up && up !== document.documentElement; up = up.parentElement) {
            const style = getComputedStyle(up);
            if (style.clipPath !== 'none' || style.textOverflow === 'ellipsis') break;
            if (['auto', 'scroll'].includes(style.overflowX)) break;
            if (style.overflowX === 'visible' && up !== one) continue;
            const box = up.getBoundingClientRect();
            const out = Math.max(text.right - box.right, box.left - text.left);
            if (out > 1) { found.push(`${one.outerHTML.slice(0, 120)} by ${Math.round(out)} px`); break; }
        }
    }
    for (const row of document.querySelectorAll('tr, .row')) {
        const cells = [...row.children].filter(one => one.checkVisibility() && getComputedStyle(one).position !== 'sticky')
            .map(one => [one, room(one, true), one.getBoundingClientRect()]).filter(([, text]) => Number.isFinite(text.right));
        for (const [one, text, box] of cells) {
            const over = cells.find(([other, its, there]) => other !== one && box.top < there.bottom - 1 && there.top < box.bottom - 1
                && text.left < its.left && its.left < text.right - 1);
            if (over) found.push(`${one.outerHTML.slice(0, 120)} lies over what stands beside it`);
        }
    }
    // On a phone nobody sees at once what is beside each other in a table that scrolls sideways.
    for (const table of document.documentElement.clientWidth < 600 ? document.querySelectorAll('main table') : []) {
        for (let up = table.parentElement; up && table.checkVisibility(); up = up.parentElement) {
            if (!['auto', 'scroll'].includes(getComputedStyle(up).overflowX)) continue;
            const out = up.scrollWidth - up.clientWidth;
            if (out > 1) found.push(`${up.outerHTML.slice(0, 120)} scrolls sideways by ${out} px`);
            break;
        }
    }
    return found.slice(0, 5);
";

/// Whether the page says its language, has a title and one heading, and ties each error to what it is about.
const UNTOLD: &str = "
    const [language] = arguments, root = document.documentElement, found = [];
    if (!root.lang || (language && root.lang !== language)) found.push(`speaks ${root.lang}, not ${language}`);
    const direction = root.lang === 'ar' ? 'rtl' : 'ltr';
    if (getComputedStyle(root).direction !== direction) found.push(`does not run ${direction}`);
    if (!document.title.trim()) found.push('has no title');
    const shown = one => one.checkVisibility() && one.textContent.trim();
    const headings = [...document.querySelectorAll('h1')].filter(one => shown(one) && !one.closest('dialog'));
    if (headings.length !== 1 && !document.querySelector('dialog[open]')) found.push(`has ${headings.length} headings of the first rank`);
    const described = one => (one.getAttribute('aria-describedby') ?? '').split(/\\s+/).filter(Boolean);
    for (const one of document.querySelectorAll('[aria-describedby], [aria-labelledby], [aria-controls]'))
        for (const name of ['aria-describedby', 'aria-labelledby', 'aria-controls'])
            for (const id of (one.getAttribute(name) ?? '').split(/\\s+/).filter(Boolean))
                if (!document.getElementById(id)) found.push(`${name} leads nowhere: ${one.outerHTML.slice(0, 120)}`);
    for (const one of document.querySelectorAll('[aria-invalid=true]')) {
        const says = id => document.getElementById(id)?.matches('.error-text');
        if (!described(one).some(says)) found.push(`does not say what is wrong with ${one.outerHTML.slice(0, 120)}`);
    }
    for (const text of document.querySelectorAll('form .error-text')) {
        if (!shown(text) || text.closest('[role=alert], [role=status]')) continue;
        const tied = [...document.querySelectorAll('[aria-invalid=true]')].some(one => described(one).includes(text.id));
        if (!tied) found.push(`has an error about nothing: ${text.outerHTML.slice(0, 120)}`);
    }
    return found;
";

/// Roles of what people use, whether it can be focused at present or not.
const CONTROLS: &[&str] = &[
    "button",
    "checkbox",
    "combobox",
    "link",
    "listbox",
    "menuitem",
    "radio",
    "searchbox",
    "slider",
    "spinbutton",
    "switch",
    "tab",
    "textbox",
    "DisclosureTriangle",
    "DisclosureTriangleGrouped",
];
/// Roles of what can be focused only so that it can be scrolled or jumped to.
const FRAMES: &[&str] = &["RootWebArea", "main", "generic", "none"];

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

    /// The template that the page was made of, once it is there in whole and has something in it that is found by
    /// this; pages of debug builds say so at their end.
    async fn template_with(&self, css: &str) -> Option<String> {
        let script = "const end = document.lastChild; \
             const found = document.querySelector(arguments[0]); \
             const there = document.readyState === 'complete' && (found?.type === 'hidden' || found?.checkVisibility()); \
             return there && end?.nodeType === Node.COMMENT_NODE ? end.data.trim() : null";
        // Between two pages there is nothing to ask.
        let answer = self.driver().execute(script, vec![json!(css)]).await.ok()?;
        answer.json().as_str().map(str::to_owned)
    }

    /// The template that the page was made of.
    pub(crate) async fn template(&self) -> Option<String> {
        self.template_with("body").await
    }

    /// Waits for a page made of this template that has something in it.
    pub(crate) async fn shows_with(&self, template: &str, css: &str) {
        for _ in 0..600 {
            if self.template_with(css).await.as_deref() == Some(template) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let found = self.template().await;
        panic!("never shows {template} with {css}, but {found:?} at {}:\n{}", self.url().await, self.text().await);
    }

    /// Waits for a page made of this template.
    pub(crate) async fn shows(&self, template: &str) {
        self.shows_with(template, "body").await;
    }

    /// Lets pages run their scripts, or not.
    pub(crate) async fn run_scripts(&self, yes: bool) {
        self.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": !yes })).await;
    }

    /// Asks for pages in this language from now on.
    pub(crate) async fn prefer_language(&self, tag: &str) {
        self.devtools("Network.enable", json!({})).await;
        self.devtools("Network.setExtraHTTPHeaders", json!({ "headers": { "Accept-Language": tag } })).await;
    }

    /// Runs a script before those of every page from now on.
    pub(crate) async fn before_pages(&self, script: &str) {
        self.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": script })).await;
    }

    /// Gives the machine an authenticator whose user is there and is verified at every question.
    pub(crate) async fn give_authenticator(&self) {
        self.devtools("WebAuthn.enable", json!({})).await;
        let options = json!({
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": true, "hasUserVerification": true,
            "isUserVerified": true, "automaticPresenceSimulation": true,
        });
        self.devtools("WebAuthn.addVirtualAuthenticator", json!({ "options": options })).await;
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

    /// What is wrong with the page in a window of this width, in whatever color scheme.
    pub(crate) async fn faults_at(&self, width: u32) -> Vec<String> {
        self.pretend(width, "light").await;
        let mut faults = Vec::new();
        // Not less the window's own width: a phone zooms out over what is too wide.
        let overflow = self.evaluate(&format!("return document.documentElement.scrollWidth - {width}")).await;
        if overflow.as_i64().unwrap() > 0 {
            let widest = self.evaluate(WIDEST).await;
            let widest = widest.as_str().unwrap_or_default();
            faults.push(format!("is {overflow} px wider than {width} px: {widest}"));
        }
        let cut = self.evaluate(CUT_OFF).await;
        faults.extend(cut.as_array().unwrap().iter().map(|text| format!("cannot be read at {width} px: {text}")));
        faults.extend(self.nameless().await.into_iter().map(|what| format!("has no name at {width} px: {what}")));
        self.pretend_no_more().await;
        faults
    }

    /// What can be used on the page as it stands and has no name that a screen reader could say.
    async fn nameless(&self) -> Vec<String> {
        let tree = self.devtools("Accessibility.getFullAXTree", json!({})).await;
        let is_control = |node: &&Value| {
            let role = node["role"]["value"].as_str().unwrap_or_default();
            let can_focus = node["properties"].as_array().is_some_and(|properties| {
                properties.iter().any(|one| one["name"] == "focusable" && one["value"]["value"] == true)
            });
            node["ignored"] != true && !FRAMES.contains(&role) && (can_focus || CONTROLS.contains(&role))
        };
        let is_nameless = |node: &&Value| node["name"]["value"].as_str().is_none_or(|name| name.trim().is_empty());
        let mut found = Vec::new();
        for node in tree["nodes"].as_array().unwrap().iter().filter(is_control).filter(is_nameless) {
            let id = json!({ "backendNodeId": node["backendDOMNodeId"] });
            let element = self.devtools("DOM.describeNode", id).await;
            found.push(format!(
                "{} {} {}",
                node["role"]["value"], element["node"]["nodeName"], element["node"]["attributes"]
            ));
        }
        found
    }

    /// Where the page does not say its language (this one, if there is one), what it is, or which field an error is about.
    pub(crate) async fn untold(&self, language: Option<&str>) -> Vec<String> {
        let answer = self.driver().execute(UNTOLD, vec![json!(language)]).await.unwrap().json().clone();
        answer.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
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
