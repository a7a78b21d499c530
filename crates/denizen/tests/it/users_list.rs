//! The list of users in a real browser: searching, filtering, turning pages, selecting, saving views, mostly without
//! taking the hands off the keyboard.

use serde_json::json;
use thirtyfour::Key;

use crate::{
    console::sign_in_to_console,
    support::{Browser, Database, Server, eventually},
};

const PEOPLE: usize = 120;

/// Waits until script in the page answers this.
async fn comes(browser: &Browser, script: &str, wanted: impl Into<serde_json::Value>) {
    let wanted = wanted.into();
    let script = format!("return {script}");
    eventually(&format!("{script} is {wanted}"), || async { browser.evaluate(&script).await == wanted }).await;
}

async fn says(browser: &Browser, words: &str) {
    comes(browser, "document.querySelector('[data-summary]').textContent", words).await;
}

async fn comes_to_query(browser: &Browser, query: &str) {
    comes(browser, "decodeURIComponent(location.search)", query).await;
}

async fn key(browser: &Browser, key: Key) {
    browser.press(&key.value().to_string()).await;
}

async fn click(browser: &Browser, css: &str) {
    browser.find(css).await.click().await.unwrap();
}

async fn focus(browser: &Browser, css: &str) {
    browser.evaluate(&format!("document.querySelector(\"{css}\").focus()")).await;
}

async fn populated() -> Server {
    let mut server = Server::start(Database::sqlite()).await;
    let api = server.api();
    for number in 0..PEOPLE {
        let name = format!("Person{number:03}");
        let body = json!({ "kind": "human", "email": format!("{name}@example.com"), "given_name": name, "family_name": if number < 60 { "Early" } else { "Late" } });
        let made = api.post("/realms/main/users", &body).await.expect(201);
        if number % 10 == 0 {
            api.post(&format!("/realms/main/users/{}/disable", made.str("id")), &json!({})).await.succeed();
        }
    }
    for name in ["billing", "beta"] {
        api.post("/realms/main/roles", &json!({ "name": name })).await.expect(201);
    }
    server
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_list_answers_while_it_is_searched_filtered_and_turned() {
    let server = populated().await;
    let Some(browser) = Browser::start().await else { return };
    sign_in_to_console(&browser, &server).await;
    browser.evaluate("window.same = true").await;

    // As you type; the focus and the caret stay.
    browser.press("/").await;
    browser.press("late").await;
    says(&browser, "60 users, matching “late”, best match first").await;
    comes(&browser, "document.activeElement.name", "q").await;
    // A filter waits for its end, and is a chip then.
    browser.press(" status:disab").await;
    comes(&browser, "document.querySelectorAll('.chip-on').length", 0).await;
    browser.press("led ").await;
    comes_to_query(&browser, "?q=late&status=disabled").await;
    comes(&browser, "document.querySelector('[name=q]').value", "late ").await;
    says(&browser, "6 users, disabled, matching “late”, best match first").await;
    // A wrong one stays where it can be mended, and the list goes on.
    browser.press("kind:robot").await;
    key(&browser, Key::Escape).await;
    browser.press("/").await;
    key(&browser, Key::End).await;
    key(&browser, Key::Enter).await;
    browser.sees("Must be human or machine.").await;
    comes(&browser, "document.querySelector('[name=q]').value", "kind:robot late").await;
    comes(&browser, "document.querySelectorAll('[data-row]').length", 6).await;
    // Back goes where one was.
    browser.evaluate("history.back()").await;
    comes_to_query(&browser, "?q=late&status=disabled").await;
    comes(&browser, "document.querySelectorAll('.wrong .error-text').length", 0).await;
    click(&browser, "[aria-label='Remove the filter Status: disabled']").await;
    comes_to_query(&browser, "?q=late").await;

    // Completion by keyboard: a name, then a value.
    browser.click("All users").await;
    says(&browser, "122 users, newest first").await;
    browser.press("/").await;
    browser.press("ro").await;
    comes(&browser, "document.querySelector('[name=q]').getAttribute('aria-expanded')", "true").await;
    key(&browser, Key::Down).await;
    comes(
        &browser,
        "document.getElementById(document.activeElement.getAttribute('aria-activedescendant')).textContent.slice(0, 5)",
        "role:",
    )
    .await;
    key(&browser, Key::Enter).await;
    comes(&browser, "document.querySelector('[name=q]').value", "role:").await;
    browser.press("be").await;
    comes(&browser, "document.querySelectorAll('.complete:not([hidden]) [role=option]').length", 1).await;
    key(&browser, Key::Tab).await;
    comes_to_query(&browser, "?role=beta").await;
    comes(&browser, "document.activeElement.name", "q").await;

    // The filters by hand, and off again.
    click(&browser, "[aria-label='Remove the filter Role: beta']").await;
    comes_to_query(&browser, "").await;
    browser.evaluate("document.activeElement.blur()").await;
    browser.press("f").await;
    click(&browser, ".filter-panel [name=status][value=disabled]").await;
    comes_to_query(&browser, "?status=disabled").await;
    comes(&browser, "document.querySelector('.filter-menu').open", true).await;
    click(&browser, ".filter-panel [name=status][value=disabled]").await;
    comes_to_query(&browser, "").await;
    key(&browser, Key::Escape).await;
    comes(&browser, "document.querySelector('.filter-menu').open", false).await;

    // Sorted both ways, and through the pages.
    browser.press("/").await;
    browser.press("person").await;
    says(&browser, "120 users, matching “person”, best match first").await;
    let first = "document.querySelector('.who-name').textContent";
    click(&browser, "[data-key=sort-name]").await;
    says(&browser, "120 users, matching “person”, by name").await;
    comes(&browser, first, "Person000 Early").await;
    comes(&browser, "document.activeElement.dataset.key", "sort-name").await;
    click(&browser, "[data-key=page-next]").await;
    comes(&browser, first, "Person050 Early").await;
    click(&browser, "[data-key=page-last]").await;
    comes(&browser, "document.querySelector('[data-key=page-next]')", serde_json::Value::Null).await;
    comes(&browser, "[...document.querySelectorAll('.who-name')].at(-1).textContent", "Person119 Late").await;
    comes(&browser, first, "Person070 Late").await;
    click(&browser, "[data-key=page-previous]").await;
    comes(&browser, first, "Person020 Early").await;
    click(&browser, "[data-key=page-first]").await;
    comes(&browser, first, "Person000 Early").await;
    click(&browser, "[data-key=sort-name]").await;
    comes(&browser, "document.querySelector('[aria-sort]').getAttribute('aria-sort')", "descending").await;

    // Columns and density come with the next visit.
    click(&browser, ".display-menu > summary").await;
    click(&browser, ".display-columns [value=username]").await;
    comes(&browser, "document.querySelectorAll('th[data-column=username]').length", 1).await;
    click(&browser, ".display-panel [value=compact]").await;
    comes(&browser, "document.querySelector('[data-list]').dataset.density", "compact").await;
    assert_eq!(browser.evaluate("return window.same").await, true, "the page was not loaded again");
    browser.is_content().await;
    browser.open(&server.url("/admin/main/users")).await;
    comes(&browser, "document.querySelectorAll('th[data-column=username]').length", 1).await;
    comes(&browser, "document.querySelector('[data-list]').dataset.density", "compact").await;
    browser.quit().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_selected_and_views_are_saved() {
    let server = populated().await;
    let Some(browser) = Browser::start().await else { return };
    sign_in_to_console(&browser, &server).await;
    let selected = "document.querySelector('[data-selected-count]').textContent";

    // By keyboard: a row, then all up to another.
    for pressed in ["j", "j", "x", "j", "j", "X"] {
        browser.press(pressed).await;
    }
    comes(&browser, selected, "3 selected").await;
    browser.press(".").await;
    comes(&browser, "document.querySelectorAll('.row-menu[open]').length", 1).await;
    key(&browser, Key::Escape).await;
    comes(&browser, "document.querySelectorAll('.row-menu[open]').length", 0).await;
    comes(&browser, selected, "3 selected").await;
    key(&browser, Key::Escape).await;
    comes(&browser, "document.querySelectorAll('[name=ids]:checked').length", 0).await;

    // The page, then all that match: what is posted names the list, not the rows.
    browser.open(&server.url("/admin/main/users?status=active")).await;
    browser.evaluate("document.addEventListener('submit', (event) => { if (event.target.matches('[data-selectable]')) { event.preventDefault(); event.stopImmediatePropagation(); const data = new FormData(event.target, event.submitter); window.posted = ['action', 'all', 'query', 'expected_count', 'ids'].map((name) => data.getAll(name).join()).join('|'); } }, true)").await;
    click(&browser, "th [data-select-all]").await;
    comes(&browser, selected, "50 selected").await;
    click(&browser, ".all-matching").await;
    comes(&browser, selected, "110 selected").await;
    click(&browser, ".selection [value=end_sessions]").await;
    comes(&browser, "window.posted", "end_sessions|true|status=active|110|").await;

    // A view is saved, left, opened, and changed.
    browser.click("Save view…").await;
    browser.fill("name", "Working").await;
    click(&browser, "dialog[open] button[type=submit]").await;
    browser.sees("The view Working is saved.").await;
    browser.click("Administrators").await;
    comes_to_query(&browser, "?admin=true&sort=-role").await;
    browser.click("Working").await;
    comes(&browser, "document.querySelector('.tabs [aria-current]').textContent", "Working").await;
    says(&browser, "110 users, active, newest first").await;
    focus(&browser, "[name=q]").await;
    browser.press("early").await;
    says(&browser, "54 users, active, matching “early”, best match first").await;
    browser.click("Update view").await;
    browser.sees("The view Working is updated.").await;
    browser.open(&server.url("/admin/main/users")).await;
    browser.click("Working").await;
    says(&browser, "54 users, active, matching “early”, best match first").await;
    browser.is_content().await;
    browser.quit().await;
}
