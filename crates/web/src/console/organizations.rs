//! Organizations: list, create, change, delete; their members.

use axum::{
    Router,
    extract::FromRequestParts,
    routing::{get, post},
};
use denizen_model::{
    OrganizationId,
    organizations::Organization,
    pages::Cursor,
    permissions::{Permission, markers::OrganizationsWrite},
};
use denizen_ops::{
    members::NameQuery,
    organizations::{self, OrganizationInput},
};
use http::{HeaderMap, request::Parts};
use serde::Serialize;

use super::{
    Answer, PageError,
    forms::{Asked, Errors, Fields, Posted, mendable_in, one_line},
    frame::{At, ConsoleCx, Section},
    members::{Member, MembersView, SHOWN, consequence, gone, typed_user},
    users::{Confirm, Pager, path_id},
    words::{count, duration, number, query, total},
};
use crate::{Web, render::TimeView};

pub(super) fn router() -> Router<Web> {
    Router::new()
        .route("/admin/{realm}/organizations", get(list).post(create))
        .route("/admin/{realm}/organizations/new", get(new))
        .route("/admin/{realm}/organizations/{organization}", get(show).post(save))
        .route("/admin/{realm}/organizations/{organization}/members", post(add))
        .route("/admin/{realm}/organizations/{organization}/members/{user}/remove", post(remove))
        .route("/admin/{realm}/organizations/{organization}/delete", get(confirm_delete).post(delete))
}

const PAGE: u32 = 100;

#[derive(Serialize)]
struct ListPage {
    q: String,
    organizations: Vec<Row>,
    page: Pager,
}

#[derive(Serialize)]
struct Row {
    href: String,
    name: String,
    domains: Option<String>,
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
    organization: OrganizationView,
    values: Values,
    errors: Errors,
    members: Option<MembersView>,
}

#[derive(Serialize)]
struct OrganizationView {
    href: String,
    name: String,
    users_href: String,
    members_text: String,
    created_at: TimeView,
    delete_consequence: String,
}

#[derive(Serialize)]
struct Values {
    name: String,
    description: String,
    domains: String,
}

impl Values {
    fn of(organization: &Organization) -> Self {
        Self {
            name: organization.name.clone(),
            description: organization.description.clone(),
            domains: organization.domains.join("\n"),
        }
    }

    fn typed(typed: &Fields) -> Self {
        let text = |name| typed.text(name).replace("\r\n", "\n");
        Self { name: text("name"), description: text("description"), domains: text("domains") }
    }
}

/// `acme.example and 2 more`.
pub(super) fn domains_line(domains: &[String]) -> Option<String> {
    match domains {
        [] => None,
        [one] => Some(one.clone()),
        [first, others @ ..] => Some(format!("{first} and {} more", others.len())),
    }
}

/// What was typed. Domains are in lower case, however they were typed.
fn input(typed: &Fields) -> OrganizationInput {
    OrganizationInput {
        name: Some(typed.text("name").trim().to_owned()),
        description: Some(one_line(typed.text("description"))),
        domains: Some(typed.lines("domains").iter().map(|domain| domain.to_lowercase()).collect()),
    }
}

/// The `{organization}` of the path.
struct Which(OrganizationId);

impl<S: Send + Sync> FromRequestParts<S> for Which {
    type Rejection = PageError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, PageError> {
        Ok(Self(path_id(parts, state, "organization").await?))
    }
}

fn href(page: &ConsoleCx, id: OrganizationId) -> String {
    page.href(&format!("organizations/{id}"))
}

fn at(page: &ConsoleCx, title: &str) -> At {
    At::under(Section::Organizations, &[("Organizations", page.href("organizations"))], title)
}

async fn list(page: ConsoleCx, Asked(asked): Asked, headers: HeaderMap) -> Answer {
    let q = asked.text("q").trim().to_owned();
    let after = Cursor::decode(asked.text("cursor")).ok();
    let wanted = NameQuery { q: Some(q.clone()), after, limit: PAGE };
    let found = organizations::list(page.app(), page.cx(), page.may()?, wanted).await?;
    let row = |organization: &Organization| Row {
        href: href(&page, organization.id),
        name: organization.name.clone(),
        domains: domains_line(&organization.domains),
        description: Some(organization.description.clone()).filter(|text| !text.is_empty()),
        members: number(organization.member_count),
        created_at: page.time(organization.created_at),
    };
    let next = found
        .next
        .map(|cursor| format!("{}{}", page.href("organizations"), query(&[("q", &q), ("cursor", &cursor.encode())])));
    let content = ListPage {
        q,
        organizations: found.items.iter().map(row).collect(),
        page: Pager { summary: total(found.total, "organization", "organizations"), prev_href: None, next_href: next },
    };
    let (template, at) = ("console/organizations/list.html", At::top(Section::Organizations, "Organizations"));
    if headers.contains_key("x-partial") {
        return page.part(template, at, &content);
    }
    page.page(template, at, &content)
}

async fn new(page: ConsoleCx) -> Answer {
    page.may::<OrganizationsWrite>()?;
    form(&page, &Fields::default(), Errors::new())
}

fn form(page: &ConsoleCx, typed: &Fields, errors: Errors) -> Answer {
    let content = FormPage { values: Values::typed(typed), errors };
    let (template, at) = ("console/organizations/new.html", at(page, "Create organization"));
    if content.errors.is_empty() { page.page(template, at, &content) } else { page.refused(template, at, &content) }
}

async fn create(page: ConsoleCx, Posted(typed): Posted) -> Answer {
    match organizations::create(page.app(), page.cx(), page.may()?, input(&typed)).await {
        Ok(organization) => page.done(
            &href(&page, organization.id),
            format!("The organization {} is created. Add its members.", organization.name),
        ),
        Err(error) => form(&page, &typed, mendable_in(error, &["name", "description", "domains"])?),
    }
}

/// The page of an organization; `typed` is what a form that was not taken held.
async fn show_page(
    page: &ConsoleCx,
    id: OrganizationId,
    after: Option<Cursor>,
    typed: Option<&Fields>,
    errors: Errors,
) -> Answer {
    let organization = organizations::get(page.app(), page.cx(), page.may()?, id).await?;
    let href = href(page, id);
    let nothing = Fields::default();
    let members = if page.holds().contains(Permission::UsersRead) {
        let found =
            organizations::list_members(page.app(), page.cx(), page.may()?, page.may()?, id, after, SHOWN).await?;
        Some(MembersView::new(page, &href, page.can().organizations_write, found, typed.unwrap_or(&nothing)))
    } else {
        None
    };
    // The form that adds a member has none of the organization's own fields.
    let typed = typed.filter(|typed| !typed.text("version").is_empty());
    let lifetime = duration(page.settings().access_token_seconds);
    let fine = errors.is_empty();
    let content = ShowPage {
        // The version typed over stays, or a conflict would go unnoticed at the next try.
        version: typed.and_then(Fields::version).unwrap_or(organization.version).to_string(),
        values: typed.map_or_else(|| Values::of(&organization), Values::typed),
        organization: OrganizationView {
            users_href: format!("{}{}", page.href("users"), query(&[("organization", &id.to_string())])),
            name: organization.name.clone(),
            members_text: count(organization.member_count, "member", "members"),
            created_at: page.time(organization.created_at),
            delete_consequence: format!(
                "{} Tokens already issued keep it until they run out, within {lifetime}.",
                consequence(organization.member_count)
            ),
            href,
        },
        errors,
        members,
    };
    let (template, at) = ("console/organizations/show.html", at(page, &organization.name));
    if fine { page.page(template, at, &content) } else { page.refused(template, at, &content) }
}

async fn show(page: ConsoleCx, Which(id): Which, Asked(asked): Asked) -> Answer {
    show_page(&page, id, Cursor::decode(asked.text("cursor")).ok(), None, Errors::new()).await
}

async fn save(page: ConsoleCx, Which(id): Which, Posted(typed): Posted) -> Answer {
    let (app, cx) = (page.app(), page.cx());
    match organizations::update(app, cx, page.may()?, id, input(&typed), typed.version()).await {
        Ok(organization) => page.done(&href(&page, id), format!("The organization {} is saved.", organization.name)),
        Err(error) => {
            let errors = mendable_in(error, &["name", "description", "domains"])?;
            show_page(&page, id, None, Some(&typed), errors).await
        }
    }
}

async fn add(page: ConsoleCx, Which(id): Which, Posted(typed): Posted) -> Answer {
    let proof = page.may::<OrganizationsWrite>()?;
    let added = match typed_user(&page, &typed).await {
        Ok(user) => organizations::add(page.app(), page.cx(), proof, user.id, id).await.map(|()| user),
        Err(error) => Err(error),
    };
    match added {
        Ok(user) => {
            page.done(&href(&page, id), format!("{} is a member. It is in their next token.", user.display_name()))
        }
        Err(error) => {
            let errors = mendable_in(gone(error, "user", "user"), &["user"])?;
            show_page(&page, id, None, Some(&typed), errors).await
        }
    }
}

async fn remove(page: ConsoleCx, Which(id): Which, Member(user): Member) -> Answer {
    let result = organizations::remove(page.app(), page.cx(), page.may()?, user, id).await;
    page.outcome(result, &href(&page, id), "The member is removed. Their next token is without the organization.")
}

async fn confirm_delete(page: ConsoleCx, Which(id): Which) -> Answer {
    page.may::<OrganizationsWrite>()?;
    ask_delete(&page, id, Errors::new()).await
}

async fn ask_delete(page: &ConsoleCx, id: OrganizationId, errors: Errors) -> Answer {
    let organization = organizations::get(page.app(), page.cx(), page.may()?, id).await?;
    let confirm = Confirm {
        title: format!("Delete the organization {}?", organization.name),
        lead: "Its members stay as users, without the organization. This is final.".to_owned(),
        facts: vec![consequence(organization.member_count)],
        action: format!("{}/delete", href(page, id)),
        submit: "Delete organization",
        danger: true,
        cancel_href: href(page, id),
        fields: Vec::new(),
    };
    let above = [("Organizations", page.href("organizations")), (organization.name.as_str(), href(page, id))];
    confirm.ask(page, At::under(Section::Organizations, &above, "Delete"), errors)
}

async fn delete(page: ConsoleCx, Which(id): Which) -> Answer {
    match organizations::delete(page.app(), page.cx(), page.may()?, id, None).await {
        Ok(()) => page.done(&page.href("organizations"), "The organization is deleted."),
        Err(error) => ask_delete(&page, id, mendable_in(error, &[])?).await,
    }
}
