//! The Groups tab: in which groups a user is, putting them into one, taking them out.

use axum::extract::FromRequestParts;
use denizen_model::{
    GroupId, UserId,
    permissions::{Permission, markers::GroupsWrite},
};
use denizen_ops::{Error, groups, members::NameQuery};
use http::request::Parts;
use serde::Serialize;

use super::{
    Whose, path_id,
    show::{Profile, Tab, at, user_href},
};
use crate::console::{
    Answer, PageError,
    forms::{Errors, Fields, Posted, mendable_in},
    frame::ConsoleCx,
    members::gone,
    words::count,
};

/// How many names the field suggests; any other can be typed.
const SUGGESTED: u32 = 200;

#[derive(Serialize)]
struct GroupsTab {
    groups: Vec<GroupView>,
    may_add: bool,
    suggested: Vec<String>,
    typed: String,
    errors: Errors,
}

#[derive(Serialize)]
struct GroupView {
    id: String,
    href: String,
    name: String,
    description: Option<String>,
    members: String,
}

async fn tab(page: &ConsoleCx, profile: &Profile, typed: &Fields, errors: Errors) -> Result<GroupsTab, Error> {
    let may_add = page.can().groups_write && page.holds().contains(Permission::GroupsRead);
    let suggested = if may_add {
        let query = NameQuery { limit: SUGGESTED, ..NameQuery::default() };
        let all = groups::list(page.app(), page.cx(), page.may()?, query).await?.items;
        let free = all.into_iter().filter(|group| profile.groups.iter().all(|held| held.id != group.id));
        free.map(|group| group.name).collect()
    } else {
        Vec::new()
    };
    let view = |group: &denizen_model::groups::Group| GroupView {
        id: group.id.to_string(),
        href: page.href(&format!("groups/{}", group.id)),
        name: group.name.clone(),
        description: Some(group.description.clone()).filter(|text| !text.is_empty()),
        members: count(group.member_count, "member", "members"),
    };
    let groups = profile.groups.iter().map(view).collect();
    Ok(GroupsTab { groups, may_add, suggested, typed: typed.text("group").to_owned(), errors })
}

async fn show_tab(page: &ConsoleCx, id: UserId, typed: &Fields, errors: Errors) -> Answer {
    let profile = Profile::load(page, id).await?;
    let fine = errors.is_empty();
    let content = profile.page(page, Tab::Groups, tab(page, &profile, typed, errors).await?);
    let (template, at) = ("console/users/groups.html", at(page, &profile.user, Some("Groups")));
    if fine { page.page(template, at, &content) } else { page.refused(template, at, &content) }
}

pub(super) async fn show(page: ConsoleCx, Whose(id): Whose) -> Answer {
    show_tab(&page, id, &Fields::default(), Errors::new()).await
}

async fn join(page: &ConsoleCx, id: UserId, typed: &Fields) -> Result<String, Error> {
    let proof = page.may::<GroupsWrite>()?;
    let Some(name) = typed.given("group") else { return Err(Error::field("group", "Choose a group.")) };
    let group = groups::find_by_name(page.app(), page.cx(), page.may()?, &name).await?;
    let group = group.ok_or_else(|| Error::field("group", "There is no group of this name."))?;
    groups::add(page.app(), page.cx(), proof, id, group.id).await.map_err(|error| gone(error, "group", "group"))?;
    Ok(group.name)
}

pub(super) async fn add(page: ConsoleCx, Whose(id): Whose, Posted(typed): Posted) -> Answer {
    match join(&page, id, &typed).await {
        Ok(name) => page.done(
            &format!("{}/groups", user_href(&page, id)),
            format!("They are in {name} now. It is in their next token."),
        ),
        Err(error) => show_tab(&page, id, &typed, mendable_in(error, &["group"])?).await,
    }
}

/// The `{group}` of the path.
pub(super) struct Which(GroupId);

impl<S: Send + Sync> FromRequestParts<S> for Which {
    type Rejection = PageError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, PageError> {
        Ok(Self(path_id(parts, state, "group").await?))
    }
}

pub(super) async fn remove(page: ConsoleCx, Whose(id): Whose, Which(group): Which) -> Answer {
    let result = groups::remove(page.app(), page.cx(), page.may()?, id, group).await;
    page.outcome(
        result,
        &format!("{}/groups", user_href(&page, id)),
        "They are out of the group. Their next token is without it.",
    )
}
