//! Groups: list, create, change, delete; their members.

use axum::{
    Router,
    extract::FromRequestParts,
    routing::{get, post},
};
use denizen_model::{
    GroupId,
    groups::Group,
    pages::Cursor,
    permissions::{Permission, markers::GroupsWrite},
};
use denizen_ops::{groups, members::NameQuery};
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
        .route("/admin/{realm}/groups", get(list).post(create))
        .route("/admin/{realm}/groups/new", get(new))
        .route("/admin/{realm}/groups/{group}", get(show).post(save))
        .route("/admin/{realm}/groups/{group}/members", post(add))
        .route("/admin/{realm}/groups/{group}/members/{user}/remove", post(remove))
        .route("/admin/{realm}/groups/{group}/delete", get(confirm_delete).post(delete))
}

const PAGE: u32 = 100;

#[derive(Serialize)]
struct ListPage {
    q: String,
    groups: Vec<Row>,
    page: Pager,
}

#[derive(Serialize)]
struct Row {
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
    group: GroupView,
    values: Values,
    errors: Errors,
    members: Option<MembersView>,
}

#[derive(Serialize)]
struct GroupView {
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
}

impl Values {
    fn of(group: &Group) -> Self {
        Self { name: group.name.clone(), description: group.description.clone() }
    }

    fn typed(typed: &Fields) -> Self {
        Self { name: typed.text("name").to_owned(), description: typed.text("description").to_owned() }
    }
}

/// The `{group}` of the path.
struct Which(GroupId);

impl<S: Send + Sync> FromRequestParts<S> for Which {
    type Rejection = PageError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, PageError> {
        Ok(Self(path_id(parts, state, "group").await?))
    }
}

fn href(page: &ConsoleCx, id: GroupId) -> String {
    page.href(&format!("groups/{id}"))
}

fn at(page: &ConsoleCx, title: &str) -> At {
    At::under(Section::Groups, &[("Groups", page.href("groups"))], title)
}

async fn list(page: ConsoleCx, Asked(asked): Asked, headers: HeaderMap) -> Answer {
    let q = asked.text("q").trim().to_owned();
    let after = Cursor::decode(asked.text("cursor")).ok();
    let wanted = NameQuery { q: Some(q.clone()), after, limit: PAGE };
    let found = groups::list(page.app(), page.cx(), page.may()?, wanted).await?;
    let row = |group: &Group| Row {
        href: href(&page, group.id),
        name: group.name.clone(),
        description: Some(group.description.clone()).filter(|text| !text.is_empty()),
        members: number(group.member_count),
        created_at: page.time(group.created_at),
    };
    let next = found
        .next
        .map(|cursor| format!("{}{}", page.href("groups"), query(&[("q", &q), ("cursor", &cursor.encode())])));
    let content = ListPage {
        q,
        groups: found.items.iter().map(row).collect(),
        page: Pager { summary: total(found.total, "group", "groups"), prev_href: None, next_href: next },
    };
    let (template, at) = ("console/groups/list.html", At::top(Section::Groups, "Groups"));
    if headers.contains_key("x-partial") {
        return page.part(template, at, &content);
    }
    page.page(template, at, &content)
}

async fn new(page: ConsoleCx) -> Answer {
    page.may::<GroupsWrite>()?;
    form(&page, &Fields::default(), Errors::new())
}

fn form(page: &ConsoleCx, typed: &Fields, errors: Errors) -> Answer {
    let content = FormPage { values: Values::typed(typed), errors };
    let (template, at) = ("console/groups/new.html", at(page, "Create group"));
    if content.errors.is_empty() { page.page(template, at, &content) } else { page.refused(template, at, &content) }
}

async fn create(page: ConsoleCx, Posted(typed): Posted) -> Answer {
    let (name, description) = (typed.text("name").trim(), one_line(typed.text("description")));
    match groups::create(page.app(), page.cx(), page.may()?, name, &description).await {
        Ok(group) => {
            page.done(&href(&page, group.id), format!("The group {} is created. Add its members.", group.name))
        }
        Err(error) => form(&page, &typed, mendable_in(error, &["name", "description"])?),
    }
}

/// The page of a group; `typed` is what a form that was not taken held.
async fn show_page(
    page: &ConsoleCx,
    id: GroupId,
    after: Option<Cursor>,
    typed: Option<&Fields>,
    errors: Errors,
) -> Answer {
    let group = groups::get(page.app(), page.cx(), page.may()?, id).await?;
    let href = href(page, id);
    let nothing = Fields::default();
    let members = if page.holds().contains(Permission::UsersRead) {
        let found = groups::list_members(page.app(), page.cx(), page.may()?, page.may()?, id, after, SHOWN).await?;
        Some(MembersView::new(page, &href, page.can().groups_write, found, typed.unwrap_or(&nothing)))
    } else {
        None
    };
    // The form that adds a member has none of the group's own fields.
    let typed = typed.filter(|typed| !typed.text("version").is_empty());
    let lifetime = duration(page.settings().access_token_seconds);
    let fine = errors.is_empty();
    let content = ShowPage {
        // The version typed over stays, or a conflict would go unnoticed at the next try.
        version: typed.and_then(Fields::version).unwrap_or(group.version).to_string(),
        values: typed.map_or_else(|| Values::of(&group), Values::typed),
        group: GroupView {
            users_href: format!("{}{}", page.href("users"), query(&[("group", &id.to_string())])),
            name: group.name.clone(),
            members_text: count(group.member_count, "member", "members"),
            created_at: page.time(group.created_at),
            delete_consequence: format!(
                "{} Tokens already issued keep it until they run out, within {lifetime}.",
                consequence(group.member_count)
            ),
            href,
        },
        errors,
        members,
    };
    let (template, at) = ("console/groups/show.html", at(page, &group.name));
    if fine { page.page(template, at, &content) } else { page.refused(template, at, &content) }
}

async fn show(page: ConsoleCx, Which(id): Which, Asked(asked): Asked) -> Answer {
    show_page(&page, id, Cursor::decode(asked.text("cursor")).ok(), None, Errors::new()).await
}

async fn save(page: ConsoleCx, Which(id): Which, Posted(typed): Posted) -> Answer {
    let (name, description) = (typed.text("name").trim().to_owned(), one_line(typed.text("description")));
    let (app, cx) = (page.app(), page.cx());
    match groups::update(app, cx, page.may()?, id, Some(name), Some(description), typed.version()).await {
        Ok(group) => page.done(&href(&page, id), format!("The group {} is saved.", group.name)),
        Err(error) => {
            let errors = mendable_in(error, &["name", "description"])?;
            show_page(&page, id, None, Some(&typed), errors).await
        }
    }
}

async fn add(page: ConsoleCx, Which(id): Which, Posted(typed): Posted) -> Answer {
    let proof = page.may::<GroupsWrite>()?;
    let added = match typed_user(&page, &typed).await {
        Ok(user) => groups::add(page.app(), page.cx(), proof, user.id, id).await.map(|()| user),
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
    let result = groups::remove(page.app(), page.cx(), page.may()?, user, id).await;
    page.outcome(result, &href(&page, id), "The member is removed. Their next token is without the group.")
}

async fn confirm_delete(page: ConsoleCx, Which(id): Which) -> Answer {
    page.may::<GroupsWrite>()?;
    ask_delete(&page, id, Errors::new()).await
}

async fn ask_delete(page: &ConsoleCx, id: GroupId, errors: Errors) -> Answer {
    let group = groups::get(page.app(), page.cx(), page.may()?, id).await?;
    let confirm = Confirm {
        title: format!("Delete the group {}?", group.name),
        lead: "Its members stay as users, without the group. This is final.".to_owned(),
        facts: vec![consequence(group.member_count)],
        action: format!("{}/delete", href(page, id)),
        submit: "Delete group",
        danger: true,
        cancel_href: href(page, id),
        fields: Vec::new(),
    };
    let above = [("Groups", page.href("groups")), (group.name.as_str(), href(page, id))];
    confirm.ask(page, At::under(Section::Groups, &above, "Delete"), errors)
}

async fn delete(page: ConsoleCx, Which(id): Which) -> Answer {
    match groups::delete(page.app(), page.cx(), page.may()?, id, None).await {
        Ok(()) => page.done(&page.href("groups"), "The group is deleted."),
        Err(error) => ask_delete(&page, id, mendable_in(error, &[])?).await,
    }
}
