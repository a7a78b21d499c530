//! The Roles tab: realm roles, and whether the user is an administrator.

use axum::extract::FromRequestParts;
use denizen_model::{
    RoleId,
    permissions::{AdminRole, Permission, PermissionSet, markers::AdminsManage},
    users::{AdminGrant, User},
};
use denizen_ops::{Error, ErrorKind, admins, roles};
use http::request::Parts;
use serde::Serialize;

use super::{
    Whose,
    confirm::{About, Confirm},
    path_id,
    show::{Profile, Tab, at, user_href},
};
use crate::console::{
    Answer, PageError,
    forms::{Errors, Posted, mendable_in},
    frame::ConsoleCx,
    words::{role_description, role_label},
};

#[derive(Serialize)]
struct RolesTab {
    roles: Vec<RoleView>,
    assignable: Vec<Choice>,
    errors: Errors,
    admin_grants: Vec<GrantView>,
    admin_roles: Vec<AdminRoleView>,
    admin_scopes: Vec<Scope>,
}

#[derive(Serialize)]
struct RoleView {
    id: String,
    href: String,
    name: String,
    description: Option<String>,
}

#[derive(Serialize)]
struct Choice {
    id: String,
    name: String,
}

#[derive(Serialize)]
struct GrantView {
    role: &'static str,
    scope: String,
    description: &'static str,
    revoke_href: Option<String>,
    locked_reason: Option<&'static str>,
}

#[derive(Serialize)]
struct AdminRoleView {
    value: &'static str,
    label: &'static str,
    description: &'static str,
}

#[derive(Serialize)]
struct Scope {
    value: &'static str,
    label: &'static str,
}

/// What the actor holds in every realm.
fn held_everywhere(page: &ConsoleCx) -> PermissionSet {
    page.cx().administrator().map_or(PermissionSet::NONE, |admin| admin.permissions_everywhere())
}

fn grant_view(page: &ConsoleCx, user: &User, grant: AdminGrant) -> GrantView {
    let scope = match grant.realm_id {
        None => "Every realm".to_owned(),
        Some(id) => page
            .realms()
            .iter()
            .find(|realm| realm.id == id)
            .map_or("Another realm".to_owned(), |realm| realm.display_name.clone()),
    };
    let held = if grant.realm_id.is_none() { held_everywhere(page) } else { page.holds() };
    let may = page.can().admins_manage && held.covers(grant.role.permissions());
    GrantView {
        role: role_label(grant.role),
        scope,
        description: role_description(grant.role),
        revoke_href: may.then(|| format!("{}/administrator/revoke", user_href(page, user.id))),
        locked_reason: (page.can().admins_manage && !may).then_some("Holds more than you do"),
    }
}

async fn tab(page: &ConsoleCx, profile: &Profile, errors: Errors) -> Result<RolesTab, Error> {
    let (app, cx, user) = (page.app(), page.cx(), &profile.user);
    let assignable = if page.can().roles_assign && page.holds().contains(Permission::RolesRead) {
        let all = roles::list(app, cx, page.may()?, None, denizen_model::pages::MAX_LIMIT).await?.items;
        let free = all.into_iter().filter(|role| profile.roles.iter().all(|held| held.id != role.id));
        free.map(|role| Choice { id: role.id.to_string(), name: role.name }).collect()
    } else {
        Vec::new()
    };
    let held = page.holds();
    // The least powerful first, so that nobody is made owner by not looking.
    let grantable =
        AdminRole::ALL.iter().rev().filter(|role| page.can().admins_manage && held.covers(role.permissions()));
    let grants = admins::list(app, cx, page.may()?, user.id).await?;
    let mut admin_scopes = vec![Scope { value: "realm", label: "This realm" }];
    if page.main_realm() == Some(page.realm_id()) && held_everywhere(page).contains(Permission::AdminsManage) {
        admin_scopes.push(Scope { value: "all", label: "Every realm" });
    }
    let role_view = |role: &denizen_model::roles::Role| RoleView {
        id: role.id.to_string(),
        href: page.href(&format!("roles/{}", role.id)),
        name: role.name.clone(),
        description: Some(role.description.clone()).filter(|text| !text.is_empty()),
    };
    let admin_role = |role: &AdminRole| AdminRoleView {
        value: role.as_str(),
        label: role_label(*role),
        description: role_description(*role),
    };
    Ok(RolesTab {
        roles: profile.roles.iter().map(role_view).collect(),
        assignable,
        errors,
        admin_grants: grants.into_iter().map(|grant| grant_view(page, user, grant)).collect(),
        admin_roles: grantable.map(admin_role).collect(),
        admin_scopes,
    })
}

async fn show_tab(page: &ConsoleCx, id: denizen_model::UserId, errors: Errors) -> Answer {
    let profile = Profile::load(page, id).await?;
    let fine = errors.is_empty();
    let content = profile.page(page, Tab::Roles, tab(page, &profile, errors).await?);
    let (template, at) = ("console/users/roles.html", at(page, &profile.user, Some("Roles")));
    if fine { page.page(template, at, &content) } else { page.refused(template, at, &content) }
}

pub(super) async fn show(page: ConsoleCx, Whose(id): Whose) -> Answer {
    show_tab(&page, id, Errors::new()).await
}

pub(super) async fn assign(page: ConsoleCx, Whose(id): Whose, Posted(typed): Posted) -> Answer {
    let proof = page.may()?;
    let assigned = match typed.text("role_id").parse::<RoleId>() {
        Ok(role) => roles::assign(page.app(), page.cx(), proof, id, role).await,
        Err(_) => Err(Error::field("form", "Choose a role.")),
    };
    match assigned {
        Ok(()) => {
            page.done(&format!("{}/roles", user_href(&page, id)), "The role is assigned. It is in their next token.")
        }
        // The role was deleted while the page was open.
        Err(error) if matches!(*error.kind, ErrorKind::NotFound("role")) => {
            show_tab(&page, id, Errors::from([("form".to_owned(), "This role does not exist any more.".to_owned())]))
                .await
        }
        Err(error) => show_tab(&page, id, mendable_in(error, &[])?).await,
    }
}

/// The `{role}` of the path.
pub(super) struct Which(RoleId);

impl<S: Send + Sync> FromRequestParts<S> for Which {
    type Rejection = PageError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, PageError> {
        Ok(Self(path_id(parts, state, "role").await?))
    }
}

pub(super) async fn remove(page: ConsoleCx, Whose(id): Whose, Which(role): Which) -> Answer {
    let result = roles::remove(page.app(), page.cx(), page.may()?, id, role).await;
    page.outcome(
        result,
        &format!("{}/roles", user_href(&page, id)),
        "The role is removed. Their next token is without it.",
    )
}

pub(super) async fn grant(page: ConsoleCx, Whose(id): Whose, Posted(typed): Posted) -> Answer {
    let back = format!("{}/roles", user_href(&page, id));
    let proof = page.may().map_err(|error| PageError::from(error).back_to(&back))?;
    let everywhere = typed.text("scope") == "all";
    let granted = match typed.text("admin_role").parse::<AdminRole>() {
        Ok(role) => admins::grant(page.app(), page.cx(), proof, id, role, everywhere).await.map(|()| role),
        Err(error) => Err(Error::field("admin_role", error.to_string())),
    };
    match granted {
        Ok(role) => page.done(&back, format!("They are administrator now: {}.", role_label(role))),
        Err(error) => show_tab(&page, id, mendable_in(error, &["admin_role"])?).await,
    }
}

pub(super) async fn confirm_revoke(page: ConsoleCx, Whose(id): Whose) -> Answer {
    page.may::<AdminsManage>()?;
    ask_revoke(&page, &Profile::load(&page, id).await?, Errors::new())
}

fn ask_revoke(page: &ConsoleCx, profile: &Profile, errors: Errors) -> Answer {
    let about = About { page, user: &profile.user };
    let confirm = Confirm {
        title: format!("Make {} an ordinary user?", profile.user.display_name()),
        lead: "All their administrator roles are taken away. The account stays.".to_owned(),
        facts: vec!["They lose this console and the admin API at once.".to_owned()],
        action: about.href("/administrator/revoke"),
        submit: "Revoke",
        danger: true,
        cancel_href: about.href("/roles"),
        fields: Vec::new(),
    };
    about.ask("Revoke administrator", confirm, errors)
}

pub(super) async fn revoke(page: ConsoleCx, Whose(id): Whose) -> Answer {
    match admins::revoke(page.app(), page.cx(), page.may()?, id).await {
        Ok(()) => page.done(&format!("{}/roles", user_href(&page, id)), "They are no administrator any more."),
        Err(error) => ask_revoke(&page, &Profile::load(&page, id).await?, mendable_in(error, &[])?),
    }
}
