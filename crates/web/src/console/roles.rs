//! Realm roles: list, create, change, delete.

use axum::{Router, extract::FromRequestParts, routing::get};
use denizen_model::{RoleId, pages::Cursor, permissions::markers::RolesWrite, roles::Role};
use denizen_ops::roles;
use http::request::Parts;
use serde::Serialize;

use super::{
    Answer, PageError,
    forms::{Asked, Errors, Fields, Posted, mendable_in, one_line},
    frame::{At, ConsoleCx, Section},
    users::{Confirm, Pager, path_id},
    words::{count, duration, number, query},
};
use crate::{Web, render::TimeView};

pub(super) fn router() -> Router<Web> {
    Router::new()
        .route("/admin/{realm}/roles", get(list).post(create))
        .route("/admin/{realm}/roles/new", get(new))
        .route("/admin/{realm}/roles/{role}", get(show).post(save))
        .route("/admin/{realm}/roles/{role}/delete", get(confirm_delete).post(delete))
}

const PAGE: u32 = 100;

#[derive(Serialize)]
struct ListPage {
    roles: Vec<Row>,
    page: Pager,
}

#[derive(Serialize)]
struct Row {
    id: String,
    href: String,
    name: String,
    description: Option<String>,
    members: String,
    created_at: TimeView,
}

#[derive(Serialize)]
struct FormPage {
    values: Values,
    errors: Errors,
}

#[derive(Serialize)]
struct ShowPage {
    version: String,
    role: RoleView,
    values: Values,
    errors: Errors,
}

#[derive(Serialize)]
struct RoleView {
    id: String,
    href: String,
    name: String,
    members_text: String,
    created_at: TimeView,
    delete_consequence: String,
}

#[derive(Serialize)]
struct Values {
    name: String,
    description: String,
}

impl Values {
    fn typed(typed: &Fields) -> Self {
        Self { name: typed.text("name").to_owned(), description: typed.text("description").to_owned() }
    }
}

/// The `{role}` of the path.
struct Which(RoleId);

impl<S: Send + Sync> FromRequestParts<S> for Which {
    type Rejection = PageError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, PageError> {
        Ok(Self(path_id(parts, state, "role").await?))
    }
}

fn href(page: &ConsoleCx, id: RoleId) -> String {
    page.href(&format!("roles/{id}"))
}

fn at(page: &ConsoleCx, title: &str) -> At {
    At::under(Section::Roles, &[("Roles", page.href("roles"))], title)
}

async fn list(page: ConsoleCx, Asked(asked): Asked) -> Answer {
    let after = Cursor::decode(asked.text("cursor")).ok();
    let found = roles::list(page.app(), page.cx(), page.may()?, after, PAGE).await?;
    let row = |role: &Role| Row {
        id: role.id.to_string(),
        href: href(&page, role.id),
        name: role.name.clone(),
        description: Some(role.description.clone()).filter(|text| !text.is_empty()),
        members: number(role.user_count),
        created_at: page.time(role.created_at),
    };
    let next = found.next.map(|cursor| format!("{}{}", page.href("roles"), query(&[("cursor", &cursor.encode())])));
    let content = ListPage {
        roles: found.items.iter().map(row).collect(),
        page: Pager { summary: count(found.total.count, "role", "roles"), prev_href: None, next_href: next },
    };
    page.page("console/roles/list.html", At::top(Section::Roles, "Roles"), &content)
}

async fn new(page: ConsoleCx) -> Answer {
    page.may::<RolesWrite>()?;
    form(&page, &Fields::default(), Errors::new())
}

fn form(page: &ConsoleCx, typed: &Fields, errors: Errors) -> Answer {
    let content = FormPage { values: Values::typed(typed), errors };
    let (template, at) = ("console/roles/new.html", at(page, "Create role"));
    if content.errors.is_empty() { page.page(template, at, &content) } else { page.refused(template, at, &content) }
}

async fn create(page: ConsoleCx, Posted(typed): Posted) -> Answer {
    let (name, description) = (typed.text("name").trim(), one_line(typed.text("description")));
    match roles::create(page.app(), page.cx(), page.may()?, name, &description).await {
        Ok(role) => page.done(&page.href("roles"), format!("The role {} is created.", role.name)),
        Err(error) => form(&page, &typed, mendable_in(error, &["name", "description"])?),
    }
}

fn show_page(page: &ConsoleCx, role: &Role, version: i64, values: Values, errors: Errors) -> Answer {
    let members = count(role.user_count, "member", "members");
    let lose = match role.user_count {
        0 => "Nobody has it.".to_owned(),
        1 => "1 user loses it.".to_owned(),
        more => format!("{} users lose it.", number(more)),
    };
    let lifetime = duration(page.settings().access_token_seconds);
    let fine = errors.is_empty();
    let content = ShowPage {
        version: version.to_string(),
        role: RoleView {
            id: role.id.to_string(),
            href: href(page, role.id),
            name: role.name.clone(),
            members_text: members,
            created_at: page.time(role.created_at),
            delete_consequence: format!("{lose} Tokens already issued keep it until they run out, within {lifetime}."),
        },
        values,
        errors,
    };
    let (template, at) = ("console/roles/show.html", at(page, &role.name));
    if fine { page.page(template, at, &content) } else { page.refused(template, at, &content) }
}

async fn show(page: ConsoleCx, Which(id): Which) -> Answer {
    let role = roles::get(page.app(), page.cx(), page.may()?, id).await?;
    let values = Values { name: role.name.clone(), description: role.description.clone() };
    show_page(&page, &role, role.version, values, Errors::new())
}

async fn save(page: ConsoleCx, Which(id): Which, Posted(typed): Posted) -> Answer {
    let (name, description) = (typed.text("name").trim().to_owned(), one_line(typed.text("description")));
    let (app, cx) = (page.app(), page.cx());
    match roles::update(app, cx, page.may()?, id, Some(name), Some(description), typed.version()).await {
        Ok(role) => page.done(&href(&page, id), format!("The role {} is saved.", role.name)),
        Err(error) => {
            let errors = mendable_in(error, &["name", "description"])?;
            let role = roles::get(app, cx, page.may()?, id).await?;
            // The version typed over stays, or a conflict would go unnoticed at the next try.
            show_page(&page, &role, typed.version().unwrap_or(role.version), Values::typed(&typed), errors)
        }
    }
}

async fn confirm_delete(page: ConsoleCx, Which(id): Which) -> Answer {
    page.may::<RolesWrite>()?;
    ask_delete(&page, id, Errors::new()).await
}

async fn ask_delete(page: &ConsoleCx, id: RoleId, errors: Errors) -> Answer {
    let role = roles::get(page.app(), page.cx(), page.may()?, id).await?;
    let confirm = Confirm {
        title: format!("Delete the role {}?", role.name),
        lead: "It is taken from everyone who has it. This is final.".to_owned(),
        facts: vec![format!("{} at the moment.", count(role.user_count, "member", "members"))],
        action: format!("{}/delete", href(page, id)),
        submit: "Delete role",
        danger: true,
        cancel_href: href(page, id),
        fields: Vec::new(),
    };
    let above = [("Roles", page.href("roles")), (role.name.as_str(), href(page, id))];
    confirm.ask(page, At::under(Section::Roles, &above, "Delete"), errors)
}

async fn delete(page: ConsoleCx, Which(id): Which) -> Answer {
    match roles::delete(page.app(), page.cx(), page.may()?, id, None).await {
        Ok(()) => page.done(&page.href("roles"), "The role is deleted."),
        Err(error) => ask_delete(&page, id, mendable_in(error, &[])?).await,
    }
}
