//! The command palette's source: pages, actions, realms and users for what was typed.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use denizen_model::{
    groups::Group,
    organizations::Organization,
    permissions::Permission,
    text::fold,
    users::{UserKind, as_words},
};
use denizen_ops::{groups, members::NameQuery, organizations, users};
use serde::Serialize;

use super::{
    PageError,
    forms::Asked,
    frame::{ConsoleCx, Section},
};

const USERS: u32 = 6;
/// How many organizations, and how many groups.
const NAMED: u32 = 3;

#[derive(Serialize)]
struct Found {
    items: Vec<Item>,
}

#[derive(Serialize)]
struct Item {
    group: &'static str,
    label: String,
    detail: Option<String>,
    href: String,
    icon: &'static str,
}

pub(super) async fn find(page: ConsoleCx, Asked(asked): Asked) -> Result<Response, PageError> {
    let typed = asked.text("q").trim();
    let mut items = Vec::new();
    if !typed.is_empty() && page.holds().contains(Permission::UsersRead) {
        let asked = users::Asked { q: as_words(typed), limit: Some(USERS), ..users::Asked::default() };
        let found = users::list(page.app(), page.cx(), page.may()?, asked).await?;
        items.extend(found.users.page.items.into_iter().map(|user| Item {
            group: "Users",
            label: user.display_name().to_owned(),
            href: page.href(&format!("users/{}", user.id)),
            icon: if user.kind == UserKind::Machine { "machine" } else { "user" },
            detail: Some(user.email.unwrap_or(user.username)),
        }));
    }
    if !typed.is_empty() {
        items.extend(named(&page, typed).await?);
    }
    let words = fold(typed);
    let matching = |item: &Item| words.split(' ').all(|word| fold(&item.label).contains(word));
    items.extend(pages(&page).into_iter().chain(actions(&page)).chain(realms(&page)).filter(matching));
    Ok(Json(Found { items }).into_response())
}

/// Organizations and groups whose name begins with what was typed.
async fn named(page: &ConsoleCx, typed: &str) -> Result<Vec<Item>, PageError> {
    let query = || NameQuery { q: Some(typed.chars().take(100).collect()), after: None, limit: NAMED };
    let mut items = Vec::new();
    if page.holds().contains(Permission::OrganizationsRead) {
        let found = organizations::list(page.app(), page.cx(), page.may()?, query()).await?.items;
        let place = |found: &Organization| page.href(&format!("organizations/{}", found.id));
        items.extend(found.iter().map(|found| item("Organizations", &found.name, place(found), "organizations")));
    }
    if page.holds().contains(Permission::GroupsRead) {
        let found = groups::list(page.app(), page.cx(), page.may()?, query()).await?.items;
        let place = |found: &Group| page.href(&format!("groups/{}", found.id));
        items.extend(found.iter().map(|found| item("Groups", &found.name, place(found), "groups")));
    }
    Ok(items)
}

fn item(group: &'static str, label: &str, href: String, icon: &'static str) -> Item {
    Item { group, label: label.to_owned(), detail: None, href, icon }
}

fn pages(page: &ConsoleCx) -> Vec<Item> {
    let seen = Section::seen_by(page.holds());
    let attributes = page.holds().contains(Permission::SettingsRead);
    let attributes = attributes.then(|| item("Go to", "Attributes", page.href("attributes"), "settings"));
    seen.map(|(_, path, label)| item("Go to", label, page.href(path), path)).chain(attributes).collect()
}

fn actions(page: &ConsoleCx) -> Vec<Item> {
    let can = page.can();
    let all = [
        (can.users_write, "Create user", "users/new", "user-plus"),
        (can.users_write, "Create machine", "users/new-machine", "machine"),
        (can.organizations_write, "Create organization", "organizations/new", "organizations"),
        (can.groups_write, "Create group", "groups/new", "groups"),
        (can.roles_write, "Create role", "roles/new", "roles"),
        (can.clients_write, "Create client", "clients/new", "clients"),
        (can.settings_write, "Define attribute", "attributes/new", "plus"),
        (can.realms_manage, "Manage realms", "realms", "realms"),
        (can.realms_manage, "Create realm", "realms/new", "plus"),
    ];
    let may = all.into_iter().filter(|(may, ..)| *may);
    may.map(|(_, label, path, icon)| item("Actions", label, page.href(path), icon)).collect()
}

fn realms(page: &ConsoleCx) -> Vec<Item> {
    let others = page.realms().iter().filter(|realm| realm.id != page.realm_id());
    others.map(|realm| item("Realms", &realm.display_name, format!("/admin/{}/users", realm.slug), "realms")).collect()
}
