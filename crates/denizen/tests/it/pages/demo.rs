//! The demo's pages.

use std::process::{Child, Stdio};

use super::{Looker, click};
use crate::support::{Browser, denizen, eventually, free_port};

/// `denizen demo`; dropping it ends it.
struct Demo {
    process: Child,
    _folder: tempfile::TempDir,
    url: String,
}

impl Demo {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = format!("127.0.0.1:{}", free_port());
        let mut command = denizen(&["demo", "--users", "40", "--listen", &address]);
        command.env("TMPDIR", folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
        let demo = Self { process: command.spawn().unwrap(), _folder: folder, url: format!("http://{address}") };
        let ready = format!("{}/health/ready", demo.url);
        eventually("the demo answers", || async {
            matches!(reqwest::get(&ready).await, Ok(answer) if answer.status() == 200)
        })
        .await;
        demo
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// The demo's own pages, and those that have a history only there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_of_the_demo_is_for_everybody() {
    let Some(browser) = Browser::start().await else { return };
    let look = Looker::new().speaking("en");
    let demo = Demo::start().await;
    let url = |path: &str| format!("{}{path}", demo.url);
    look.visit(&browser, &url("/demo/mailbox"), "demo-mailbox").await;
    click(&browser, "main a[href^='/demo/mailbox/']").await;
    browser.comes_to("/demo/mailbox/").await;
    look.keep(&browser, "demo-mail").await;
    browser.open(&url("/admin")).await;
    browser.sign_in("owner@demo.example", "demo-password").await;
    browser.comes_to("/admin/").await;
    let rooms = browser.url().await;
    let rooms = rooms.rsplit_once('/').unwrap().0.to_owned();
    for room in
        ["users", "users/duplicates", "groups", "organizations", "invitations", "roles", "clients", "audit", "settings"]
    {
        look.visit(&browser, &format!("{rooms}/{room}"), &format!("demo-{}", room.replace('/', "-"))).await;
    }
    browser.open(&format!("{rooms}/users?sort=-last_sign_in_at&kind=human")).await;
    // The first is who looks, of whom there is little to see.
    click(&browser, "tr:nth-of-type(2) .who-name").await;
    browser.comes_to("/users/").await;
    let profile = browser.url().await.split('?').next().unwrap().to_owned();
    for tab in
        ["", "/authenticators", "/roles", "/groups", "/organizations", "/sessions", "/activity", "/notifications"]
    {
        look.visit(&browser, &format!("{profile}{tab}"), &format!("demo-user{}", tab.replace('/', "-"))).await;
    }
    browser.quit().await;
    look.has_seen_all(&["card/mailbox/"], &[]);
    look.is_content();
}
