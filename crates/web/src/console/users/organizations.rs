//! The Organizations tab: of which organizations a user is a member, adding one, removing one.

use axum::extract::FromRequestParts;
use denizen_model::{
    OrganizationId, UserId,
    organizations::Membership,
    permissions::{Permission, markers::OrganizationsWrite},
};
use denizen_ops::{Error, members::NameQuery, organizations};
use http::request::Parts;
use serde::Serialize;

use super::{
    Whose, path_id,
    show::{Profile, Tab, at, user_href},
};
use crate::{
    console::{
        Answer, PageError,
        forms::{Errors, Fields, Posted, mendable_in},
        frame::ConsoleCx,
        members::gone,
        organizations::domains_line,
    },
    render::TimeView,
};

/// How many names the field suggests; any other can be typed.
const SUGGESTED: u32 = 200;

#[derive(Serialize)]
struct OrganizationsTab {
    memberships: Vec<MembershipView>,
    may_add: bool,
    suggested: Vec<String>,
    typed: String,
    errors: Errors,
}

#[derive(Serialize)]
struct MembershipView {
    id: String,
    href: String,
    name: String,
    domains: Option<String>,
    description: Option<String>,
    joined_at: TimeView,
}

async fn tab(page: &ConsoleCx, profile: &Profile, typed: &Fields, errors: Errors) -> Result<OrganizationsTab, Error> {
    let may_add = page.can().organizations_write && page.holds().contains(Permission::OrganizationsRead);
    let suggested = if may_add {
        let query = NameQuery { limit: SUGGESTED, ..NameQuery::default() };
        let all = organizations::list(page.app(), page.cx(), page.may()?, query).await?.items;
        let free = all
            .into_iter()
            .filter(|organization| profile.memberships.iter().all(|held| held.organization.id != organization.id));
        free.map(|organization| organization.name).collect()
    } else {
        Vec::new()
    };
    let view = |membership: &Membership| {
        let Membership { organization, joined_at } = membership;
        MembershipView {
            id: organization.id.to_string(),
            href: page.href(&format!("organizations/{}", organization.id)),
            name: organization.name.clone(),
            domains: domains_line(&organization.domains),
            description: Some(organization.description.clone()).filter(|text| !text.is_empty()),
            joined_at: page.time(*joined_at),
        }
    };
    let memberships = profile.memberships.iter().map(view).collect();
    Ok(OrganizationsTab { memberships, may_add, suggested, typed: typed.text("organization").to_owned(), errors })
}

async fn show_tab(page: &ConsoleCx, id: UserId, typed: &Fields, errors: Errors) -> Answer {
    let profile = Profile::load(page, id).await?;
    let fine = errors.is_empty();
    let content = profile.page(page, Tab::Organizations, tab(page, &profile, typed, errors).await?);
    let (template, at) = ("console/users/organizations.html", at(page, &profile.user, Some("Organizations")));
    if fine { page.page(template, at, &content) } else { page.refused(template, at, &content) }
}

pub(super) async fn show(page: ConsoleCx, Whose(id): Whose) -> Answer {
    show_tab(&page, id, &Fields::default(), Errors::new()).await
}

async fn join(page: &ConsoleCx, id: UserId, typed: &Fields) -> Result<String, Error> {
    let proof = page.may::<OrganizationsWrite>()?;
    let Some(name) = typed.given("organization") else {
        return Err(Error::field("organization", "Choose an organization."));
    };
    let organization = organizations::find_by_name(page.app(), page.cx(), page.may()?, &name).await?;
    let organization =
        organization.ok_or_else(|| Error::field("organization", "There is no organization of this name."))?;
    organizations::add(page.app(), page.cx(), proof, id, organization.id)
        .await
        .map_err(|error| gone(error, "organization", "organization"))?;
    Ok(organization.name)
}

pub(super) async fn add(page: ConsoleCx, Whose(id): Whose, Posted(typed): Posted) -> Answer {
    match join(&page, id, &typed).await {
        Ok(name) => page.done(
            &format!("{}/organizations", user_href(&page, id)),
            format!("They are a member of {name} now. It is in their next token."),
        ),
        Err(error) => show_tab(&page, id, &typed, mendable_in(error, &["organization"])?).await,
    }
}

/// The `{organization}` of the path.
pub(super) struct Which(OrganizationId);

impl<S: Send + Sync> FromRequestParts<S> for Which {
    type Rejection = PageError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, PageError> {
        Ok(Self(path_id(parts, state, "organization").await?))
    }
}

pub(super) async fn remove(page: ConsoleCx, Whose(id): Whose, Which(organization): Which) -> Answer {
    let result = organizations::remove(page.app(), page.cx(), page.may()?, id, organization).await;
    page.outcome(
        result,
        &format!("{}/organizations", user_href(&page, id)),
        "The membership is ended. Their next token is without it.",
    )
}
