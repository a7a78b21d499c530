//! The list of users: its state in the address, filters that were typed, saved views; all without script.

use denizen_model::permissions::AdminRole;
use denizen_ops::roles;
use http::{Method, StatusCode, header};

use super::support::{Browser, OWNER, Page, Server};

const USERS: &str = "/admin/main/users";

async fn ask(browser: &mut Browser<'_>, query: &str) -> Page {
    browser.get(&format!("{USERS}?{query}")).await
}

/// The part that script asks for.
async fn part(browser: &mut Browser<'_>, query: &str) -> Page {
    browser.send(Method::GET, &format!("{USERS}?{query}"), &[("x-partial", "rows")], String::new()).await
}

async fn people(server: &Server, count: usize) {
    for number in 0..count {
        server.person(&format!("person{number:02}@example.com"), &format!("Person{number:02}"), None).await;
    }
}

fn saved_view(page: &Page) -> String {
    let after = page.location().split("view=").nth(1).unwrap_or_else(|| panic!("{} {}", page.location(), page.body));
    after.split('&').next().unwrap().to_owned()
}

fn shown(page: &Page) -> Vec<&str> {
    let names = page.body.split("data-open>").skip(1);
    names.map(|rest| rest.split('<').next().unwrap()).collect()
}

#[tokio::test]
async fn typed_filters_become_part_of_the_address() {
    let server = Server::start().await;
    let person = server.person("ana@example.com", "Ana", None).await;
    let mut browser = server.signed_in(OWNER).await;
    browser.submit(&format!("{USERS}/{person}/disable"), &[]).await;

    let page = ask(&mut browser, "q=status%3Adisabled%20ana%20last_sign_in%3Anever").await;
    page.is(StatusCode::SEE_OTHER);
    assert_eq!(page.location(), "/admin/main/users?q=ana&status=disabled&last_sign_in=never");
    let page = browser.follow(page).await;
    page.is(StatusCode::OK)
        .sees("Status: <b>disabled</b>")
        .sees("Remove the filter Last sign-in: never")
        .sees("1 user, disabled, never signed in, matching “ana”")
        .sees("name=\"status\" value=\"disabled\" aria-pressed=\"true\"");
    assert_eq!(shown(&page), ["Ana"]);
    // What a form sends is put short: nothing empty, the last of what counts once, best match by itself.
    let page = ask(&mut browser, "q=ana&status=active&status=disabled&created_after=&sort=best_match&role=").await;
    assert_eq!(page.location(), "/admin/main/users?q=ana&status=disabled");
    // Script gets the same without going there, and is told the address.
    let answer = part(&mut browser, "q=status%3Adisabled%20ana").await;
    answer.is(StatusCode::OK).sees("data-href=\"/admin/main/users?q=ana&amp;status=disabled\"").sees("data-q=\"ana\"");
    answer.lacks("<html").lacks("filter-panel");
    // Words in quotes are words.
    ask(&mut browser, "q=%22status%3Adisabled%22").await.is(StatusCode::OK).sees("No user matches");
}

#[tokio::test]
async fn a_wrong_filter_is_explained_beside_a_list_that_goes_on() {
    let server = Server::start().await;
    server.person("ana@example.com", "Ana", None).await;
    let mut browser = server.signed_in(OWNER).await;
    for (query, what, message) in [
        ("status=asleep", "status:asleep", "Must be active or disabled."),
        ("q=status%3Aasleep", "status:asleep", "Must be active or disabled."),
        ("statsu=x", "statsu:x", "There is no filter statsu. There are kind, status,"),
        ("group=nowhere", "group:nowhere", "There is no group in this realm yet."),
        ("last_sign_in=soon", "last_sign_in:soon", "Must be a number of days"),
        ("sort=age", "sort:age", "Must be one of best_match, created_at"),
        ("columns=emial", "columns:emial", "There is no column emial."),
        ("attr.team=blue", "attr.team:blue", "No attribute of this realm is searchable yet."),
    ] {
        for page in [ask(&mut browser, query).await, part(&mut browser, query).await] {
            page.is(StatusCode::OK).sees(&format!("<code>{what}</code> is left out.")).sees(message);
            assert_eq!(shown(&page).len(), 2, "{query}");
        }
    }
    // What was mistyped stays in the box, to be mended; the rest is in force.
    let page = ask(&mut browser, "q=ana%20status%3Aasleep%20kind%3Ahuman").await;
    page.is(StatusCode::OK).sees("value=\"status:asleep ana\"").sees("Kind: <b>people</b>");
    assert_eq!(shown(&page), ["Ana"]);
    // All that match, the export and a saved view are those that are in force.
    page.sees("name=\"query\" value=\"q=ana&amp;kind=human\"").sees("users/export?q=ana&amp;kind=human&amp;columns=");
    page.sees("users/views/new?q=ana&amp;kind=human");
}

#[tokio::test]
async fn pages_lead_first_back_on_and_last() {
    let server = Server::start().await;
    people(&server, 119).await;
    let mut browser = server.signed_in(OWNER).await;
    let link = |page: &Page, key: &str| {
        let before =
            page.body.split(&format!("data-key=\"page-{key}\"")).next().filter(|before| before.len() < page.body.len());
        before.map(|before| before.rsplit("href=\"").next().unwrap().split('"').next().unwrap().replace("&amp;", "&"))
    };
    for query in ["sort=email", "q=person&sort=email", "q=person"] {
        let all = if query == "sort=email" { 120 } else { 119 };
        let first = ask(&mut browser, query).await;
        first.is(StatusCode::OK).sees(&format!("<span>{all} users</span>"));
        assert!(link(&first, "previous").is_none() && link(&first, "first").is_none(), "{query}");
        let second = browser.get(&link(&first, "next").unwrap()).await;
        let third = browser.get(&link(&second, "next").unwrap()).await;
        assert!(link(&third, "next").is_none() && link(&third, "last").is_none(), "{query}");
        let mut names = [shown(&first), shown(&second), shown(&third)].concat();
        assert_eq!(names.len(), all, "{query}");
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all, "{query}: nobody twice");
        // The last page ends as the list does; from there the way leads back.
        let last = browser.get(&link(&first, "last").unwrap()).await;
        assert!(link(&last, "next").is_none(), "{query}");
        assert_eq!(shown(&last).last(), shown(&third).last(), "{query}");
        let back = browser.get(&link(&last, "previous").unwrap()).await;
        assert!(link(&back, "previous").is_some() && link(&back, "next").is_some(), "{query}");
        let again = browser.get(&link(&second, "previous").unwrap()).await;
        assert_eq!(shown(&again), shown(&first), "{query}");
        assert_eq!(shown(&browser.get(&link(&third, "first").unwrap()).await), shown(&first), "{query}");
    }
    ask(&mut browser, "sort=email")
        .await
        .sees("Select all 120 that match")
        .sees("name=\"expected_count\" value=\"120\"");
    ask(&mut browser, "q=person01").await.lacks("that match</span>");
}

#[tokio::test]
async fn columns_and_density_are_remembered() {
    let server = Server::start().await;
    let mut browser = server.signed_in(OWNER).await;
    browser.get(USERS).await.sees("data-column=\"last_sign_in_at\"").lacks("data-column=\"phone\"");
    // What the menu sends when a box is ticked; then the address says it shortly.
    let page = ask(&mut browser, "remember=true&columns=name&columns=phone&columns=admin_role&sort=-created_at").await;
    assert_eq!(page.location(), "/admin/main/users?columns=phone%2Cadmin_role");
    browser.get(USERS).await.sees("data-column=\"phone\"").sees(">Owner</td>").lacks("data-column=\"last_sign_in_at\"");
    // Somebody else's address shows their columns and changes nothing here.
    ask(&mut browser, "columns=reference").await.sees("data-column=\"reference\"").lacks("data-column=\"phone\"");
    browser.get(USERS).await.sees("data-column=\"phone\"");
    ask(&mut browser, "remember=true&columns=name").await;
    let page = browser.get(USERS).await;
    page.sees("data-column=\"name\"").lacks("data-column=\"phone\"");
    // Every order goes both ways.
    let page = ask(&mut browser, "columns=email,phone,reference,admin_role,last_sign_in_at,created_at").await;
    for sort in ["name", "email", "phone", "reference", "-role", "-last_sign_in_at", "created_at"] {
        page.sees(&format!("href=\"/admin/main/users?sort={sort}&amp;columns="));
        let turned = sort.strip_prefix('-').map_or_else(|| format!("-{sort}"), str::to_owned);
        let sorted = ask(&mut browser, &format!("sort={sort}")).await;
        sorted.is(StatusCode::OK).sees(&format!("<option value=\"{turned}\""));
    }
    let page = ask(&mut browser, "density=compact&q=").await;
    assert_eq!(page.location(), USERS);
    browser.get(USERS).await.sees("data-density=\"compact\"");
    let answer = part(&mut browser, "density=comfortable").await;
    assert!(answer.headers.get(header::SET_COOKIE).is_some());
    browser.get(USERS).await.sees("data-density=\"comfortable\"");
}

#[tokio::test]
async fn completion_names_filters_and_their_values() {
    let server = Server::start().await;
    let (cx, main) = (server.system(), server.app.main_realm().await.unwrap().realm.id);
    for name in ["billing", "Beta-testers"] {
        roles::create(&server.app, &cx, cx.may(main).unwrap(), name, "").await.unwrap();
    }
    let mut browser = server.signed_in(OWNER).await;
    let mut offered = async |query: &str| browser.get(&format!("{USERS}/complete?{query}")).await;
    offered("name=&q=st").await.is(StatusCode::OK).sees("\"text\":\"status:\"").lacks("\"kind:\"");
    offered("name=role&q=BE").await.sees("\"text\":\"role:Beta-testers\"").lacks("billing");
    offered("name=status&q=").await.sees("\"active\"").sees("\"disabled\"");
    offered("name=last_sign_in&q=%3E").await.sees("More than 30 days ago");
    offered("name=nonsense&q=").await.is(StatusCode::UNPROCESSABLE_ENTITY);
    let mut stranger = server.browser();
    stranger
        .send(Method::GET, &format!("{USERS}/complete?name=role&q="), &[("x-partial", "x")], String::new())
        .await
        .is(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_view_is_saved_opened_changed_shared_and_deleted() {
    let server = Server::start().await;
    server.person("ana@example.com", "Ana", None).await;
    let mut browser = server.signed_in(OWNER).await;
    browser.get(USERS).await.sees("aria-current=\"page\">All users</a>").lacks("Save view…");
    let dialog = browser.get(&format!("{USERS}/views/new?q=kind%3Ahuman%20ana&sort=-name")).await;
    dialog.is(StatusCode::OK).sees("action=\"/admin/main/users/views?q=ana&amp;kind=human&amp;sort=-name\"");
    let create = format!("{USERS}/views?q=ana&kind=human&sort=-name");
    browser.post(&create, &[("name", "")]).await.is(StatusCode::UNPROCESSABLE_ENTITY).sees("Must not be empty.");
    let saved = browser.post(&create, &[("name", "My <people>")]).await;
    saved.is(StatusCode::SEE_OTHER);
    let id = saved_view(&saved);
    let page = browser.follow(saved).await;
    page.sees("The view My &lt;people&gt; is saved.").sees("Rename or share…").lacks("Update view").lacks("Save view…");
    browser.post(&create, &[("name", "MY <PEOPLE>")]).await.is(StatusCode::UNPROCESSABLE_ENTITY).sees("taken already");

    // The same state is recognized, another is a change of it.
    ask(&mut browser, "kind=human&sort=-name&q=ana").await.sees("Rename or share…");
    let changed = ask(&mut browser, &format!("q=ana&view={id}")).await;
    changed.sees("Update view").sees("Save as…").sees("Back to the view as saved");
    let updated = browser.post(&format!("{USERS}/views/{id}/query?q=ana&columns=email"), &[]).await;
    assert_eq!(updated.location(), format!("/admin/main/users?q=ana&columns=email&view={id}"));
    browser.follow(updated).await.sees("is updated.").lacks("Update view");

    // Sharing it lets others see it.
    server.person("sue@example.com", "Sue", Some(AdminRole::Support)).await;
    let mut support = server.signed_in("sue@example.com").await;
    let place = format!("{USERS}/views/{id}");
    support.get(USERS).await.lacks("My &lt;people&gt;");
    for path in ["", "/delete"] {
        support.get(&format!("{place}{path}")).await.is(StatusCode::NOT_FOUND);
        support.post(&format!("{place}{path}"), &[("name", "x")]).await.is(StatusCode::NOT_FOUND);
    }
    support.post(&format!("{place}/query?q=x"), &[]).await.is(StatusCode::NOT_FOUND);
    let version = browser.get(&place).await.hidden("version");
    let share = [("name", "Everyone"), ("shared", "true"), ("version", &*version)];
    browser.submit(&place, &share).await.sees("The view Everyone is saved.").sees("shared by you");
    browser.post(&place, &share).await.is(StatusCode::UNPROCESSABLE_ENTITY).sees("Somebody else");
    support.get(USERS).await.sees("shared by Olga Owner");
    let open = ask(&mut support, &format!("q=ana&view={id}")).await;
    open.is(StatusCode::OK).sees("Save as…").lacks("Update view").lacks("Rename or share…");
    support.post(&place, &[("name", "Mine")]).await.is(StatusCode::UNPROCESSABLE_ENTITY).sees("Only whoever saved");
    support.submit(&format!("{place}/query?q=x"), &[]).await.sees("Only whoever saved this view");
    support.post(&format!("{place}/delete"), &[]).await.is(StatusCode::UNPROCESSABLE_ENTITY);

    // Another realm knows nothing of it.
    server.realm("acme").await;
    browser.get(&format!("/admin/acme/users/views/{id}")).await.is(StatusCode::NOT_FOUND);
    browser.get("/admin/acme/users").await.is(StatusCode::OK).lacks("Everyone</a>");
    browser.post(&format!("/admin/acme/users/views/{id}/delete"), &[]).await.is(StatusCode::NOT_FOUND);

    browser.get(&format!("{place}/delete")).await.sees("It is gone for every administrator");
    browser.submit(&format!("{place}/delete"), &[]).await.sees("The view is deleted.").lacks("Everyone");
    // An address that names a view that is gone still shows its list.
    ask(&mut browser, &format!("q=ana&view={id}")).await.is(StatusCode::OK).sees("Save view…");
}

#[tokio::test]
async fn the_list_offers_what_may_be_done_and_comes_back() {
    let server = Server::start().await;
    let person = server.person("ana@example.com", "Ana", None).await;
    server.person("sue@example.com", "Sue", Some(AdminRole::Support)).await;
    server.person("ada@example.com", "Ada", Some(AdminRole::Auditor)).await;
    let mut owner = server.signed_in(OWNER).await;
    let page = owner.get(&format!("{USERS}?q=ana&kind=human")).await;
    for action in
        ["enable", "disable", "add_to_group", "remove_from_group", "require_password_reset", "end_sessions", "delete"]
    {
        page.sees(&format!("name=\"action\" value=\"{action}\""));
    }
    page.sees("href=\"/admin/main/invitations/new\"")
        .sees("users/import")
        .sees("users/export?q=ana&amp;kind=human&amp;columns=");
    page.sees("/delete?return=%2Fadmin%2Fmain%2Fusers%3Fq%3Dana%26kind%3Dhuman");
    let verify = format!("{USERS}/{person}/email/verify");
    let back = owner.post(&format!("{verify}?return=%2Fadmin%2Fmain%2Fusers%3Fq%3Dana"), &[]).await;
    assert_eq!(back.location(), "/admin/main/users?q=ana");
    owner.follow(back).await.sees("marked as verified").sees("Email verified");
    let mut support = server.signed_in("sue@example.com").await;
    support.get(USERS).await.sees("value=\"disable\"").lacks("value=\"delete\"").lacks("users/export");
    let mut auditor = server.signed_in("ada@example.com").await;
    auditor
        .get(USERS)
        .await
        .lacks("name=\"action\"")
        .lacks("name=\"ids\"")
        .lacks("invitations/new")
        .lacks("Mark email");
    auditor.post(&verify, &[]).await.is(StatusCode::FORBIDDEN);
    auditor.get(&format!("{USERS}/views/new?q=ana")).await.is(StatusCode::OK);
}
