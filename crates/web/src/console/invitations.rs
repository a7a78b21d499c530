//! Invitations: who was asked to make an account, and asking more people.

use axum::{
    Router,
    extract::FromRequestParts,
    routing::{get, post},
};
use denizen_model::{
    InvitationId,
    invitations::{DEFAULT_DAYS, Invitation, InvitationState, NewInvitation},
    pages::Cursor,
    permissions::{Permission, markers::UsersWrite},
    validation::FieldErrors,
};
use denizen_ops::{
    Error, groups,
    invitations::{self, InvitationQuery, read_csv},
    members::NameQuery,
    organizations, roles,
};
use http::request::Parts;
use serde::Serialize;
use std::str::FromStr;

use super::{
    Answer, PageError,
    forms::{Asked, Errors, Fields, Posted, Uploaded, mendable},
    frame::{At, ConsoleCx, Section},
    users::{Confirm, Pager, path_id},
    words::{Label, count, query},
};
use crate::{Web, render::TimeView};

pub(super) fn router() -> Router<Web> {
    Router::new()
        .route("/admin/{realm}/invitations", get(list).post(create))
        .route("/admin/{realm}/invitations/new", get(new))
        .route("/admin/{realm}/invitations/bulk", post(create_many))
        .route("/admin/{realm}/invitations/{invitation}/resend", post(resend))
        .route("/admin/{realm}/invitations/{invitation}/revoke", get(confirm_revoke).post(revoke))
}

const PAGE: u32 = 100;
/// How many roles, groups or organizations the form offers of each.
const OFFERED: u32 = 100;

#[derive(Serialize)]
struct ListPage {
    filter: Filter,
    invitations: Vec<Row>,
    page: Pager,
    no_server: bool,
}

#[derive(Serialize)]
struct Filter {
    label: &'static str,
    value: Option<&'static str>,
    clear_href: String,
    options: Vec<FilterOption>,
}

#[derive(Serialize)]
struct FilterOption {
    label: &'static str,
    href: String,
    current: bool,
}

#[derive(Serialize)]
struct Row {
    href: String,
    email: String,
    name: Option<String>,
    state: Label,
    invited_by: String,
    sent_at: TimeView,
    sent_count: Option<String>,
    expires_at: Option<TimeView>,
    user_href: Option<String>,
    carries: Option<String>,
    open: bool,
}

#[derive(Serialize)]
struct NewPage {
    values: Values,
    errors: Errors,
    offers: Vec<Offer>,
    no_server: bool,
}

/// Roles, groups or organizations to choose from.
#[derive(Serialize)]
struct Offer {
    field: &'static str,
    label: &'static str,
    choices: Vec<Choice>,
    more: bool,
}

#[derive(Serialize)]
struct Choice {
    id: String,
    name: String,
    chosen: bool,
}

#[derive(Serialize)]
struct Values {
    email: String,
    given_name: String,
    family_name: String,
    locale: String,
    expires_in_days: String,
    csv: String,
}

impl Values {
    fn typed(typed: &Fields) -> Self {
        let text = |name| typed.text(name).to_owned();
        let days = text("expires_in_days");
        Self {
            email: text("email"),
            given_name: text("given_name"),
            family_name: text("family_name"),
            locale: text("locale"),
            expires_in_days: if days.is_empty() { DEFAULT_DAYS.to_string() } else { days },
            csv: text("csv"),
        }
    }
}

#[derive(Serialize)]
struct DonePage {
    heading: String,
    refused: Vec<Refused>,
    no_server: bool,
}

#[derive(Serialize)]
struct Refused {
    line: String,
    email: String,
    reasons: Vec<String>,
}

/// The `{invitation}` of the path.
struct Which(InvitationId);

impl<S: Send + Sync> FromRequestParts<S> for Which {
    type Rejection = PageError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, PageError> {
        Ok(Self(path_id(parts, state, "invitation").await?))
    }
}

fn at(page: &ConsoleCx, title: Option<&str>) -> At {
    let users = ("Users", page.href("users"));
    match title {
        None => At::under(Section::Users, &[users], "Invitations"),
        Some(title) => At::under(Section::Users, &[users, ("Invitations", page.href("invitations"))], title),
    }
}

const fn state_label(state: InvitationState) -> (&'static str, &'static str) {
    match state {
        InvitationState::Pending => ("Pending", "info"),
        InvitationState::Accepted => ("Accepted", "success"),
        InvitationState::Expired => ("Expired", "warning"),
        InvitationState::Revoked => ("Revoked", "neutral"),
    }
}

/// `2 roles, 1 group`; nothing when there are none.
fn carries(invitation: &Invitation) -> Option<String> {
    let parts = [
        (invitation.role_ids.len(), "role", "roles"),
        (invitation.group_ids.len(), "group", "groups"),
        (invitation.organization_ids.len(), "organization", "organizations"),
    ];
    let parts = parts.into_iter().filter(|(number, ..)| *number > 0);
    let parts: Vec<String> =
        parts.map(|(number, one, many)| count(u64::try_from(number).unwrap_or(0), one, many)).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn row(page: &ConsoleCx, invitation: &Invitation) -> Row {
    let state = invitation.state(page.now());
    let (text, kind) = state_label(state);
    let names = [&invitation.given_name, &invitation.family_name].into_iter().flatten();
    let name = names.map(String::as_str).collect::<Vec<_>>().join(" ");
    let open = matches!(state, InvitationState::Pending | InvitationState::Expired);
    Row {
        href: page.href(&format!("invitations/{}", invitation.id)),
        email: invitation.email.clone(),
        name: Some(name).filter(|name| !name.is_empty()),
        state: Label::new(text, kind),
        invited_by: invitation.invited_by.clone().unwrap_or_else(|| "Denizen".to_owned()),
        sent_at: page.time(invitation.sent_at),
        sent_count: (invitation.sent_count > 1).then(|| format!("{} times", invitation.sent_count)),
        expires_at: open.then(|| page.time(invitation.expires_at)),
        user_href: invitation.accepted_user_id.map(|id| page.href(&format!("users/{id}"))),
        carries: carries(invitation),
        open,
    }
}

async fn list(page: ConsoleCx, Asked(asked): Asked) -> Answer {
    let state = InvitationState::from_name(asked.text("state"));
    let after = Cursor::decode(asked.text("cursor")).ok();
    let wanted = InvitationQuery { state, after, limit: PAGE };
    let found = invitations::list(page.app(), page.cx(), page.may()?, wanted).await?;
    let here = page.href("invitations");
    let name = state.map_or("", InvitationState::as_str);
    let option = |other: &InvitationState| FilterOption {
        label: state_label(*other).0,
        href: format!("{here}{}", query(&[("state", other.as_str())])),
        current: state == Some(*other),
    };
    let shown = count(found.total.count, "invitation", "invitations");
    let content = ListPage {
        filter: Filter {
            label: "State",
            value: state.map(|state| state_label(state).0),
            clear_href: here.clone(),
            options: InvitationState::ALL.iter().map(option).collect(),
        },
        page: Pager {
            summary: if found.total.exact { shown } else { format!("{shown} on this page") },
            prev_href: None,
            next_href: found
                .next
                .map(|cursor| format!("{here}{}", query(&[("state", name), ("cursor", &cursor.encode())]))),
        },
        invitations: found.items.iter().map(|invitation| row(&page, invitation)).collect(),
        no_server: !page.app().sends_mail(),
    };
    page.page("console/invitations/list.html", at(&page, None), &content)
}

/// What may be given with an invitation: what the actor could give otherwise.
async fn offers(page: &ConsoleCx, typed: &Fields) -> Result<Vec<Offer>, Error> {
    let (app, cx, held) = (page.app(), page.cx(), page.holds());
    let names = || NameQuery { q: None, after: None, limit: OFFERED };
    let offer = |field: &'static str, label, found: Vec<(String, String)>, more| {
        let chosen = typed.all(field);
        let choice = |(id, name): (String, String)| Choice { chosen: chosen.contains(&id.as_str()), id, name };
        Offer { field, label, choices: found.into_iter().map(choice).collect(), more }
    };
    let mut offers = Vec::new();
    if held.contains(Permission::RolesAssign) && held.contains(Permission::RolesRead) {
        let found = roles::list(app, cx, page.may()?, None, OFFERED).await?;
        let pairs = found.items.into_iter().map(|role| (role.id.to_string(), role.name)).collect();
        offers.push(offer("role_ids", "Roles", pairs, found.next.is_some()));
    }
    if held.contains(Permission::GroupsWrite) && held.contains(Permission::GroupsRead) {
        let found = groups::list(app, cx, page.may()?, names()).await?;
        let pairs = found.items.into_iter().map(|group| (group.id.to_string(), group.name)).collect();
        offers.push(offer("group_ids", "Groups", pairs, found.next.is_some()));
    }
    if held.contains(Permission::OrganizationsWrite) && held.contains(Permission::OrganizationsRead) {
        let found = organizations::list(app, cx, page.may()?, names()).await?;
        let pairs = found.items.into_iter().map(|one| (one.id.to_string(), one.name)).collect();
        offers.push(offer("organization_ids", "Organizations", pairs, found.next.is_some()));
    }
    offers.retain(|offer| !offer.choices.is_empty());
    Ok(offers)
}

async fn form(page: &ConsoleCx, typed: &Fields, mut errors: Errors) -> Answer {
    let fine = errors.is_empty();
    for field in ["role_ids", "group_ids", "organization_ids", "invitations"] {
        if let Some(message) = errors.remove(field) {
            errors.entry("form".to_owned()).or_insert(message);
        }
    }
    let content = NewPage {
        values: Values::typed(typed),
        offers: offers(page, typed).await?,
        errors,
        no_server: !page.app().sends_mail(),
    };
    let (template, at) = ("console/invitations/new.html", at(page, Some("Invite")));
    if fine { page.page(template, at, &content) } else { page.refused(template, at, &content) }
}

async fn new(page: ConsoleCx) -> Answer {
    page.may::<UsersWrite>()?;
    form(&page, &Fields::default(), Errors::new()).await
}

fn ids<I: FromStr>(typed: &Fields, field: &str, errors: &mut Errors) -> Vec<I> {
    let parsed: Result<Vec<I>, I::Err> = typed.all(field).into_iter().map(str::parse).collect();
    parsed.unwrap_or_else(|_| {
        errors.insert("form".to_owned(), "Choose from what is offered.".to_owned());
        Vec::new()
    })
}

/// What the form says for everyone who is invited with it.
fn common(typed: &Fields) -> Result<NewInvitation, Errors> {
    let mut errors = Errors::new();
    let days = typed.number("expires_in_days", &mut errors);
    let new = NewInvitation {
        role_ids: ids(typed, "role_ids", &mut errors),
        group_ids: ids(typed, "group_ids", &mut errors),
        organization_ids: ids(typed, "organization_ids", &mut errors),
        expires_in_days: Some(u32::try_from(days).unwrap_or(u32::MAX)),
        ..NewInvitation::default()
    };
    if errors.is_empty() { Ok(new) } else { Err(errors) }
}

async fn create(page: ConsoleCx, Posted(typed): Posted) -> Answer {
    let proof = page.may()?;
    let new = match common(&typed) {
        Ok(new) => new,
        Err(errors) => return form(&page, &typed, errors).await,
    };
    let new = NewInvitation {
        email: typed.text("email").trim().to_owned(),
        given_name: typed.given("given_name"),
        family_name: typed.given("family_name"),
        locale: typed.given("locale"),
        ..new
    };
    match invitations::create(page.app(), page.cx(), proof, new).await {
        Ok(made) => {
            let text = if page.app().sends_mail() {
                format!("{} is invited. The mail is on its way.", made.email)
            } else {
                format!("{} is invited. The mail waits: no mail server is configured.", made.email)
            };
            page.done(&page.href("invitations"), text)
        }
        Err(error) => form(&page, &typed, mendable(error)?).await,
    }
}

fn reasons(errors: &FieldErrors) -> Vec<String> {
    let about = |field: &str| match field {
        "email" => None,
        "given_name" => Some("Given name"),
        "family_name" => Some("Family name"),
        "locale" => Some("Language"),
        _ => None,
    };
    errors
        .iter()
        .map(|(field, text)| about(field).map_or_else(|| text.to_owned(), |name| format!("{name}: {text}")))
        .collect()
}

/// The page has two forms with the same fields; the one for several shows only what is wrong with the list.
fn of_several(mut errors: Errors) -> Errors {
    if let Some(message) = errors.remove("expires_in_days") {
        errors.entry("form".to_owned()).or_insert_with(|| format!("Days that the link works: {message}"));
    }
    errors
}

async fn create_many(page: ConsoleCx, Uploaded(typed): Uploaded) -> Answer {
    let proof = page.may()?;
    let text = Some(typed.text("file")).filter(|text| !text.trim().is_empty()).unwrap_or_else(|| typed.text("csv"));
    let read = common(&typed).and_then(|common| {
        let list = read_csv(text).map_err(|message| Errors::from([("csv".to_owned(), message)]))?;
        let given = |new: NewInvitation| NewInvitation {
            role_ids: common.role_ids.clone(),
            group_ids: common.group_ids.clone(),
            organization_ids: common.organization_ids.clone(),
            expires_in_days: common.expires_in_days,
            ..new
        };
        Ok(list.into_iter().map(given).collect::<Vec<_>>())
    });
    let list = match read {
        Ok(list) => list,
        Err(errors) => return form(&page, &typed, of_several(errors)).await,
    };
    let addresses: Vec<String> = list.iter().map(|new| new.email.clone()).collect();
    let outcomes = match invitations::create_many(page.app(), page.cx(), proof, list).await {
        Ok(outcomes) => outcomes,
        Err(error) => return form(&page, &typed, of_several(mendable(error)?)).await,
    };
    let invited = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let said = count(u64::try_from(invited).unwrap_or(0), "person is invited", "people are invited");
    let refused: Vec<Refused> = (1..)
        .zip(addresses.into_iter().zip(&outcomes))
        .filter_map(|(number, (email, outcome))| {
            let errors = outcome.as_ref().err()?;
            Some(Refused { line: number.to_string(), email, reasons: reasons(errors) })
        })
        .collect();
    if refused.is_empty() {
        return page.done(&page.href("invitations"), format!("{said}."));
    }
    let content =
        DonePage { heading: format!("{said}, {} not", refused.len()), refused, no_server: !page.app().sends_mail() };
    page.page("console/invitations/done.html", at(&page, Some("Invite")), &content)
}

async fn resend(page: ConsoleCx, Which(id): Which) -> Answer {
    let result = invitations::resend(page.app(), page.cx(), page.may()?, id, None).await;
    let text = format!(
        "The invitation is sent again. The link before it no longer works; the new one does for {DEFAULT_DAYS} days."
    );
    page.outcome(result, &page.href("invitations"), text)
}

async fn confirm_revoke(page: ConsoleCx, Which(id): Which) -> Answer {
    page.may::<UsersWrite>()?;
    let invitation = invitations::get(page.app(), page.cx(), page.may()?, id).await?;
    let confirm = Confirm {
        title: format!("Withdraw the invitation of {}?", invitation.email),
        lead: "Its link stops working at once. You can invite them anew.".to_owned(),
        facts: Vec::new(),
        action: page.href(&format!("invitations/{id}/revoke")),
        submit: "Withdraw invitation",
        danger: true,
        cancel_href: page.href("invitations"),
        fields: Vec::new(),
    };
    confirm.ask(&page, at(&page, Some("Withdraw")), Errors::new())
}

async fn revoke(page: ConsoleCx, Which(id): Which) -> Answer {
    let result = invitations::revoke(page.app(), page.cx(), page.may()?, id).await;
    page.outcome(result, &page.href("invitations"), "The invitation is withdrawn.")
}
