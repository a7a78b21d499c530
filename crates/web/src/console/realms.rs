//! Realms: list, create, rename, disable, delete. Owners of the main realm only.

use axum::{
    Router,
    extract::Path,
    routing::{get, post},
};
use denizen_model::{
    permissions::{PermissionMarker, markers::RealmsManage},
    realms::{MAIN_REALM, Realm},
};
use denizen_ops::{
    Error, May, clients,
    realms::{self, RealmPatch},
    users,
};
use serde::Serialize;

use super::{
    Answer, PageError,
    forms::{Errors, Fields, Posted, mendable_in},
    frame::{At, ConsoleCx, Section},
    users::Confirm,
    words::{count, number},
};
use crate::{Web, render::TimeView};

pub(super) fn router() -> Router<Web> {
    Router::new()
        .route("/admin/{realm}/realms", get(list).post(create))
        .route("/admin/{realm}/realms/new", get(new))
        .route("/admin/{realm}/realms/{slug}", get(show).post(rename))
        .route("/admin/{realm}/realms/{slug}/disable", get(confirm_disable).post(disable))
        .route("/admin/{realm}/realms/{slug}/enable", post(enable))
        .route("/admin/{realm}/realms/{slug}/delete", post(delete))
}

#[derive(Serialize)]
struct ListPage {
    realms: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    href: String,
    name: String,
    slug: String,
    enabled: bool,
    users: String,
    created_at: TimeView,
}

#[derive(Serialize)]
struct NewPage {
    values: NewValues,
    errors: Errors,
}

#[derive(Serialize)]
struct NewValues {
    name: String,
    slug: String,
}

#[derive(Serialize)]
struct ShowPage {
    target: Target,
    values: ShowValues,
    errors: Errors,
}

#[derive(Serialize)]
struct Target {
    href: String,
    name: String,
    slug: String,
    enabled: bool,
    users_text: String,
    created_at: TimeView,
    protected_reason: Option<&'static str>,
    delete_consequence: String,
}

#[derive(Serialize)]
struct ShowValues {
    name: String,
    confirmation: String,
}

/// The proof to manage realms, which is held in the main one.
fn may(page: &ConsoleCx) -> Result<May<RealmsManage>, Error> {
    let main = page.main_realm().ok_or_else(|| Error::forbidden(RealmsManage::PERMISSION))?;
    page.cx().may(main)
}

fn find<'p>(page: &'p ConsoleCx, slug: &str) -> Result<&'p Realm, Error> {
    page.realms().iter().find(|realm| realm.slug == slug).ok_or_else(|| Error::not_found("realm"))
}

fn href(page: &ConsoleCx, slug: &str) -> String {
    page.href(&format!("realms/{slug}"))
}

/// A failure of something that is done from a realm's page, which is where to come back to after a sign-in.
fn on_page(page: &ConsoleCx, slug: &str) -> impl Fn(Error) -> PageError {
    let back = href(page, slug);
    move |error| PageError::from(error).back_to(&back)
}

async fn user_count(page: &ConsoleCx, realm: &Realm) -> Result<u64, Error> {
    Ok(users::count(page.app(), page.cx(), page.cx().may(realm.id)?, None, None).await?.count)
}

async fn list(page: ConsoleCx) -> Answer {
    may(&page)?;
    let mut rows = Vec::with_capacity(page.realms().len());
    for realm in page.realms() {
        rows.push(Row {
            href: href(&page, &realm.slug),
            name: realm.display_name.clone(),
            slug: realm.slug.clone(),
            enabled: realm.enabled,
            users: number(user_count(&page, realm).await?),
            created_at: page.time(realm.created_at),
        });
    }
    page.page("console/realms/list.html", At::top(Section::Realms, "Realms"), &ListPage { realms: rows })
}

async fn new(page: ConsoleCx) -> Answer {
    may(&page)?;
    new_page(&page, &Fields::default(), Errors::new())
}

fn new_page(page: &ConsoleCx, typed: &Fields, errors: Errors) -> Answer {
    let values = NewValues { name: typed.text("name").to_owned(), slug: typed.text("slug").to_owned() };
    let content = NewPage { values, errors };
    let at = At::under(Section::Realms, &[("Realms", page.href("realms"))], "Create realm");
    let template = "console/realms/new.html";
    if content.errors.is_empty() { page.page(template, at, &content) } else { page.refused(template, at, &content) }
}

/// Messages about what the forms call the name.
fn at_fields(error: Error) -> Result<Errors, PageError> {
    let mut errors = mendable_in(error, &["display_name", "slug"])?;
    if let Some(message) = errors.remove("display_name") {
        errors.insert("name".to_owned(), message);
    }
    Ok(errors)
}

async fn create(page: ConsoleCx, Posted(typed): Posted) -> Answer {
    let back = page.href("realms/new");
    let proof = may(&page).map_err(|error| PageError::from(error).back_to(&back))?;
    match realms::create(page.app(), page.cx(), proof, typed.text("slug").trim(), typed.text("name")).await {
        Ok(realm) => page.done(&page.href("realms"), format!("The realm {} is created.", realm.display_name)),
        Err(error) => new_page(&page, &typed, at_fields(error)?),
    }
}

async fn show_page(page: &ConsoleCx, realm: &Realm, values: ShowValues, errors: Errors) -> Answer {
    let users = user_count(page, realm).await?;
    let clients = clients::list(page.app(), page.cx(), page.cx().may(realm.id)?, None, 1).await?.total.count;
    let main = realm.slug == MAIN_REALM;
    let fine = errors.is_empty();
    let content = ShowPage {
        target: Target {
            href: href(page, &realm.slug),
            name: realm.display_name.clone(),
            slug: realm.slug.clone(),
            enabled: realm.enabled,
            users_text: count(users, "user", "users"),
            created_at: page.time(realm.created_at),
            protected_reason: main.then_some("The main realm stays."),
            delete_consequence: format!(
                "{}, {} and all their sessions are removed. This is final.",
                count(users, "user", "users"),
                count(clients, "client", "clients").to_lowercase()
            ),
        },
        values,
        errors,
    };
    let at = At::under(Section::Realms, &[("Realms", page.href("realms"))], realm.display_name.as_str());
    let template = "console/realms/show.html";
    if fine { page.page(template, at, &content) } else { page.refused(template, at, &content) }
}

/// The `{slug}` of the path.
type Slug = Path<(String, String)>;

async fn show(page: ConsoleCx, Path((_, slug)): Slug) -> Answer {
    may(&page)?;
    let realm = find(&page, &slug)?;
    let values = ShowValues { name: realm.display_name.clone(), confirmation: String::new() };
    show_page(&page, realm, values, Errors::new()).await
}

async fn rename(page: ConsoleCx, Path((_, slug)): Slug, Posted(typed): Posted) -> Answer {
    let proof = may(&page)?;
    let realm = find(&page, &slug)?;
    let patch = RealmPatch { display_name: Some(typed.text("name").to_owned()), ..RealmPatch::default() };
    match realms::update(page.app(), page.cx(), proof, realm.id, patch, None).await {
        Ok(realm) => page.done(&href(&page, &slug), format!("The realm is called {} now.", realm.display_name)),
        Err(error) => {
            let values = ShowValues { name: typed.text("name").to_owned(), confirmation: String::new() };
            show_page(&page, realm, values, at_fields(error)?).await
        }
    }
}

async fn confirm_disable(page: ConsoleCx, Path((_, slug)): Slug) -> Answer {
    may(&page)?;
    let realm = find(&page, &slug)?;
    ask_disable(&page, realm, Errors::new()).await
}

async fn ask_disable(page: &ConsoleCx, realm: &Realm, errors: Errors) -> Answer {
    let users = count(user_count(page, realm).await?, "user", "users");
    let confirm = Confirm {
        title: format!("Disable the realm {}?", realm.display_name),
        lead: "Nobody can sign in to it and every token request is refused, until it is enabled again.".to_owned(),
        facts: vec![format!("{users} cannot sign in."), "Everything is kept.".to_owned()],
        action: format!("{}/disable", href(page, &realm.slug)),
        submit: "Disable realm",
        danger: true,
        cancel_href: href(page, &realm.slug),
        fields: Vec::new(),
    };
    let above = [("Realms", page.href("realms")), (realm.display_name.as_str(), href(page, &realm.slug))];
    confirm.ask(page, At::under(Section::Realms, &above, "Disable"), errors)
}

async fn disable(page: ConsoleCx, Path((_, slug)): Slug) -> Answer {
    let proof = may(&page)?;
    let realm = find(&page, &slug)?;
    let patch = RealmPatch { enabled: Some(false), ..RealmPatch::default() };
    match realms::update(page.app(), page.cx(), proof, realm.id, patch, None).await {
        Ok(realm) => page.done(&href(&page, &slug), format!("The realm {} is disabled.", realm.display_name)),
        Err(error) => ask_disable(&page, realm, mendable_in(error, &[])?).await,
    }
}

async fn enable(page: ConsoleCx, Path((_, slug)): Slug) -> Answer {
    let proof = may(&page).map_err(on_page(&page, &slug))?;
    let realm = find(&page, &slug)?;
    let patch = RealmPatch { enabled: Some(true), ..RealmPatch::default() };
    let result = realms::update(page.app(), page.cx(), proof, realm.id, patch, None).await;
    page.outcome(result, &href(&page, &slug), format!("The realm {} is enabled.", realm.display_name))
}

async fn delete(page: ConsoleCx, Path((_, slug)): Slug, Posted(typed): Posted) -> Answer {
    let proof = may(&page).map_err(on_page(&page, &slug))?;
    let realm = find(&page, &slug)?;
    let confirmation = typed.text("confirmation").trim();
    let refused = if confirmation == realm.slug {
        match realms::delete(page.app(), page.cx(), proof, realm.id, None).await {
            Ok(()) => {
                // The realm whose console this is may be the one that is gone.
                let next = format!("/admin/{MAIN_REALM}/realms");
                return page.done(&next, format!("The realm {} is deleted.", realm.display_name));
            }
            Err(error) => mendable_in(error, &[])?,
        }
    } else {
        Errors::from([("confirmation".to_owned(), format!("This is not {}. Nothing was deleted.", realm.slug))])
    };
    let values = ShowValues { name: realm.display_name.clone(), confirmation: confirmation.to_owned() };
    show_page(&page, realm, values, refused).await
}
