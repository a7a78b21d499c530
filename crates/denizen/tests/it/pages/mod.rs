//! Every page there is, in a real browser: none complains, none is wider than its window or cuts off what it says, and
//! none keeps anybody out who cannot see well or use a mouse, as far as axe-core and Chromium's own tree of names can
//! tell. Each test knows which templates are its own, and fails where it has not seen one of them.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Mutex,
};

use crate::support::{Browser, npm_install};

mod account;
mod cards;
mod console;
mod demo;
mod languages;
mod sign_in;

/// Looks at pages, and notes what is wrong with them.
pub(crate) struct Looker {
    /// The language that pages are to be in; `None` where that changes.
    language: Option<&'static str>,
    /// The source of axe-core, where there is npm.
    axe: Option<String>,
    /// Where pictures go, when somebody wants them.
    album: Option<PathBuf>,
    seen: Mutex<BTreeSet<String>>,
    wrong: Mutex<Vec<String>>,
}

impl Looker {
    /// One that looks at everything.
    pub(crate) fn new() -> Self {
        let axe = npm_install("axe", &[])
            .map(|folder| std::fs::read_to_string(folder.path().join("node_modules/axe-core/axe.min.js")).unwrap());
        Self { axe, ..Self::quick() }
    }

    /// One that looks at what differs between languages: what fits, and what is named.
    fn quick() -> Self {
        let album = std::env::var_os("SCREENSHOTS").map(PathBuf::from);
        Self { language: None, axe: None, album, seen: Mutex::default(), wrong: Mutex::default() }
    }

    /// Expects every page in this language.
    fn speaking(self, language: &'static str) -> Self {
        Self { language: Some(language), ..self }
    }

    fn note(&self, name: &str, what: impl std::fmt::Display) {
        self.wrong.lock().unwrap().push(format!("{name}: {what}"));
    }

    /// Looks at the page as a person would: it has a heading and a title, fits its window, can be used by everybody, and
    /// goes into the album.
    pub(crate) async fn keep(&self, browser: &Browser, name: &str) {
        browser.find("h1").await;
        let template = browser.template().await;
        self.seen.lock().unwrap().extend(template);
        for what in browser.untold(self.language).await {
            self.note(name, what);
        }
        for width in [1440, 390] {
            for what in browser.faults_at(width).await {
                self.note(name, what);
            }
        }
        if let Some(axe) = &self.axe {
            for barrier in browser.barriers(axe).await {
                self.note(name, barrier);
            }
        }
        if let Some(album) = &self.album {
            let other = self.language.filter(|language| *language != "en");
            let name = other.map_or_else(|| name.to_owned(), |language| format!("{language}-{name}"));
            browser.photograph(album, &name).await;
        }
    }

    /// Waits for the page that is made of a template under `card`, and looks.
    pub(crate) async fn at(&self, browser: &Browser, template: &str, name: &str) {
        browser.shows(&format!("card/{template}.html")).await;
        self.keep(browser, name).await;
    }

    /// Opens an address and looks.
    pub(crate) async fn visit(&self, browser: &Browser, url: &str, name: &str) {
        browser.open(url).await;
        self.keep(browser, name).await;
        self.hears_nothing(browser, name).await;
    }

    async fn hears_nothing(&self, browser: &Browser, name: &str) {
        for complaint in browser.complaints().await {
            self.note(name, complaint);
        }
    }

    /// Notes the pages under these folders of templates at which it has not looked. Only debug builds tell.
    pub(crate) fn has_seen_all(&self, folders: &[&str], but: &[&str]) {
        let seen = self.seen.lock().unwrap();
        for page in pages_there_are().iter().filter(|page| folders.iter().any(|folder| page.starts_with(folder))) {
            if cfg!(debug_assertions) && !seen.contains(page) && !but.contains(&page.as_str()) {
                self.note(page, "was never looked at");
            }
        }
    }

    pub(crate) fn is_content(&self) {
        let wrong = self.wrong.lock().unwrap();
        assert!(wrong.is_empty(), "{} things are wrong:\n{}", wrong.len(), wrong.join("\n"));
    }
}

/// The templates that are whole pages: neither parts nor what other pages are built on.
fn pages_there_are() -> BTreeSet<String> {
    fn collect(root: &Path, folder: &Path, pages: &mut BTreeSet<String>, bases: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(root, &path, pages, bases);
                continue;
            }
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            let base = text.split("{% extends \"").nth(1).and_then(|rest| rest.split('"').next());
            bases.extend(base.map(str::to_owned));
            if base.is_some() || text.contains("<!doctype") {
                pages.insert(name);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../web/templates");
    let (mut pages, mut bases) = (BTreeSet::new(), BTreeSet::new());
    collect(&root, &root, &mut pages, &mut bases);
    pages.retain(|page| !bases.contains(page));
    assert!(pages.len() > 80, "{pages:?}");
    pages
}

/// Everything that may be wrong with a page, once: whoever looks finds it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_looker_finds_what_is_wrong() {
    const PAGE: &str = "data:text/html,<!doctype html><html lang=de dir=rtl><body style='margin:0'><h1>One</h1><h1>Two</h1>
        <button></button> <input> <select></select> <a href=x></a> <details><summary></summary></details>
        <label>Named <input></label> <button aria-label=Named></button>
        <form><input id=a aria-label=a aria-invalid=true aria-describedby=gone><p class=error-text>Wrong.</p></form>
        <div class=btn style='inline-size:40px;overflow:hidden;white-space:nowrap'>Far longer than its box is</div>
        <div class=row style='display:flex;inline-size:150px'><span style='inline-size:50px;white-space:nowrap'>Reaches over</span><span>another</span></div>
        <div style='inline-size:2000px'>wide</div>";
    let Some(browser) = Browser::start().await else { return };
    let look = Looker::quick().speaking("en");
    browser.open(&PAGE.replace('\n', "")).await;
    look.keep(&browser, "page").await;
    browser.quit().await;
    let wrong = std::mem::take(&mut *look.wrong.lock().unwrap());
    for what in [
        "speaks de, not en",
        "does not run ltr",
        "has no title",
        "has 2 headings of the first rank",
        "aria-describedby leads nowhere",
        "does not say what is wrong with <input id=\"a\"",
        "has an error about nothing",
        "px wider than 1440 px: <div style=\"inline-size:2000px\"",
        "px wider than 390 px",
        "cannot be read at 390 px: \"<div class=\\\"btn\\\"",
        "lies over what stands beside it",
        "has no name at 1440 px: \"button\" \"BUTTON\"",
        "has no name at 390 px: \"textbox\" \"INPUT\"",
        "\"combobox\" \"SELECT\"",
        "\"link\" \"A\"",
        "\"SUMMARY\"",
    ] {
        assert!(wrong.iter().any(|line| line.contains(what)), "{what} is not among {wrong:#?}");
    }
    assert_eq!(wrong.iter().filter(|line| line.contains("has no name at 390")).count(), 5, "{wrong:#?}");
    look.has_seen_all(&["card/setup.html"], &[]);
    assert!(!cfg!(debug_assertions) || look.wrong.lock().unwrap()[0].contains("was never looked at"));
}

async fn click(browser: &Browser, css: &str) {
    browser.find(css).await.click().await.unwrap();
}
