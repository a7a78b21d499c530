//! Organizations: create, list, change, delete; who belongs to them (PRODUCT §8).

use denizen_model::{
    OrganizationId, RealmId, UserId,
    events::{EventType, SubjectKind, SubjectRef},
    organizations::{Membership, Organization, check_organization},
    pages::{Cursor, Page},
    permissions::markers::{OrganizationsRead, OrganizationsWrite, UsersRead},
    users::User,
    validation::FieldErrors,
};
use denizen_store::{self as store, Events, ReadTx};
use serde_json::json;

use crate::{
    App, Cx, Error, May, Result,
    cx::Detail,
    members::{ByName, Circle, NameQuery, after_member, check_named, commit, named_users},
    users::get_in,
};

fn subject(organization: &Organization) -> SubjectRef {
    SubjectRef { kind: SubjectKind::Organization, id: organization.id.to_string(), name: organization.name.clone() }
}

fn get_organization(tx: &mut ReadTx<'_>, realm: RealmId, id: OrganizationId) -> Result<Organization> {
    store::organizations::find(tx, realm, id)?.ok_or_else(|| Error::not_found("organization"))
}

fn circle(organization: &Organization) -> Circle<'_, OrganizationId> {
    Circle {
        members: &store::organizations::MEMBERS,
        kind: EventType::UserMembershipChanged,
        id_key: "organization_id",
        realm: organization.realm_id,
        id: organization.id,
        name: &organization.name,
    }
}

/// A page of organizations, by name.
///
/// # Errors
/// When the query is not acceptable.
pub async fn list(app: &App, _cx: &Cx, may: May<OrganizationsRead>, query: NameQuery) -> Result<Page<Organization>> {
    let (realm, asked) = (may.realm(), ByName::check(query)?);
    app.db()
        .read(move |tx| {
            asked.page(
                tx,
                |tx, prefix, after, limit| store::organizations::list(tx, realm, prefix, after, limit),
                |tx, prefix, bound| store::organizations::count(tx, realm, prefix, bound),
                |organization| (&organization.name, organization.id.to_string()),
            )
        })
        .await
}

/// One organization.
///
/// # Errors
/// When there is none of this id.
pub async fn get(app: &App, _cx: &Cx, may: May<OrganizationsRead>, id: OrganizationId) -> Result<Organization> {
    let realm = may.realm();
    app.db().read(move |tx| get_organization(tx, realm, id)).await
}

/// The organization of this name, without regard to case.
///
/// # Errors
/// When the database fails.
pub async fn find_by_name(
    app: &App,
    _cx: &Cx,
    may: May<OrganizationsRead>,
    name: &str,
) -> Result<Option<Organization>> {
    let (realm, name) = (may.realm(), name.to_owned());
    app.db().read(move |tx| Ok(store::organizations::find_by_name(tx, realm, &name)?)).await
}

/// The fields of an organization; what is absent is left as it is, or empty in a new one.
#[derive(Debug, Clone, Default)]
pub struct OrganizationInput {
    /// Its name.
    pub name: Option<String>,
    /// What it is.
    pub description: Option<String>,
    /// Its domains.
    pub domains: Option<Vec<String>>,
}

impl OrganizationInput {
    /// The organization with these fields, checked.
    fn over(self, mut organization: Organization) -> Result<Organization> {
        organization.name = self.name.unwrap_or(organization.name);
        organization.description = self.description.unwrap_or(organization.description);
        organization.domains = self.domains.unwrap_or(organization.domains);
        let mut errors = FieldErrors::new();
        check_organization(&organization.name, &organization.description, &organization.domains, &mut errors);
        errors.into_result()?;
        Ok(organization)
    }
}

/// What events keep of an organization.
fn facts(organization: &Organization) -> serde_json::Value {
    let Organization { name, description, domains, .. } = organization;
    json!({"name": name, "description": description, "domains": domains})
}

/// Creates an organization.
///
/// # Errors
/// When a field is not acceptable, or the name taken.
pub async fn create(
    app: &App,
    cx: &Cx,
    may: May<OrganizationsWrite>,
    input: OrganizationInput,
) -> Result<Organization> {
    let organization = input.over(Organization {
        id: OrganizationId::new(cx.now, app.id_bytes()),
        realm_id: may.realm(),
        name: String::new(),
        description: String::new(),
        domains: Vec::new(),
        member_count: 0,
        created_at: cx.now,
        updated_at: cx.now,
        version: 1,
    })?;
    let (app2, cx2) = (app.clone(), cx.clone());
    app.write(cx, move |mut tx| {
        store::organizations::insert(&mut tx, &organization)?;
        let event = cx2
            .event(&app2, organization.realm_id, EventType::OrganizationCreated, subject(&organization))
            .detail("description", organization.description.as_str())
            .detail("domains", organization.domains.clone());
        Ok(tx.commit(Events::from(event), organization.clone())?)
    })
    .await
}

/// Changes an organization. Tokens have a new name from their next refresh on.
///
/// # Errors
/// When a field is not acceptable, the name is taken, or the organization was changed in the meantime.
pub async fn update(
    app: &App,
    cx: &Cx,
    may: May<OrganizationsWrite>,
    id: OrganizationId,
    input: OrganizationInput,
    if_version: Option<i64>,
) -> Result<Organization> {
    let (app2, cx2, realm) = (app.clone(), cx.clone(), may.realm());
    app.write(cx, move |mut tx| {
        let before = get_organization(&mut tx, realm, id)?;
        if if_version.is_some_and(|version| version != before.version) {
            return Err(Error::changed());
        }
        let mut organization = input.clone().over(before.clone())?;
        if organization == before {
            return Ok(tx.unaudited("nothing was changed", organization)?);
        }
        if !store::organizations::update(&mut tx, &organization, cx2.now)? {
            return Err(Error::changed());
        }
        (organization.version, organization.updated_at) = (before.version + 1, cx2.now);
        let event = cx2
            .event(&app2, realm, EventType::OrganizationUpdated, subject(&organization))
            .detail("before", facts(&before))
            .detail("after", facts(&organization));
        Ok(tx.commit(Events::from(event), organization)?)
    })
    .await
}

/// Deletes an organization. Its members lose it, each with an event.
///
/// # Errors
/// When there is none of this id, when it was changed in the meantime, or when it has more members than
/// [`MAX_DELETED_WITH`](crate::members::MAX_DELETED_WITH): then they are to be removed first.
pub async fn delete(
    app: &App,
    cx: &Cx,
    may: May<OrganizationsWrite>,
    id: OrganizationId,
    if_version: Option<i64>,
) -> Result<()> {
    let (app2, cx2, realm) = (app.clone(), cx.clone(), may.realm());
    app.write(cx, move |mut tx| {
        let organization = get_organization(&mut tx, realm, id)?;
        if if_version.is_some_and(|version| version != organization.version) {
            return Err(Error::changed());
        }
        let left = circle(&organization).empty(&mut tx, &app2, &cx2)?;
        store::organizations::delete(&mut tx, realm, id)?;
        let event = cx2
            .event(&app2, realm, EventType::OrganizationDeleted, subject(&organization))
            .detail("member_count", left.len());
        Ok(tx.commit(Events::new(event, left), ())?)
    })
    .await
}

/// A page of an organization's members, in order of their ids.
///
/// # Errors
/// When there is no such organization, or the cursor is of another list.
pub async fn list_members(
    app: &App,
    _cx: &Cx,
    may: May<OrganizationsRead>,
    _see: May<UsersRead>,
    id: OrganizationId,
    after: Option<Cursor>,
    limit: u32,
) -> Result<Page<User>> {
    let (realm, after) = (may.realm(), after_member(after)?);
    app.db()
        .read(move |tx| {
            let organization = get_organization(tx, realm, id)?;
            circle(&organization).page(tx, organization.member_count, after, limit)
        })
        .await
}

/// A user's memberships, by the organization's name.
///
/// # Errors
/// When there is no such user.
pub async fn list_of(app: &App, _cx: &Cx, may: May<UsersRead>, user: UserId) -> Result<Vec<Membership>> {
    let realm = may.realm();
    app.db()
        .read(move |tx| {
            get_in(tx, realm, user)?;
            Ok(store::organizations::list_of(tx, realm, user)?)
        })
        .await
}

/// Makes users members of an organization, all or none of them; it is in their next tokens. Answers how many were
/// none yet: being one already is no error.
///
/// # Errors
/// When there is no such organization, one of the users does not exist, or there are too many at once.
pub async fn add_members(
    app: &App,
    cx: &Cx,
    may: May<OrganizationsWrite>,
    id: OrganizationId,
    users: Vec<UserId>,
) -> Result<usize> {
    check_named(&users)?;
    let (app2, cx2, realm) = (app.clone(), cx.clone(), may.realm());
    app.write(cx, move |mut tx| {
        let organization = get_organization(&mut tx, realm, id)?;
        let users = named_users(&mut tx, realm, &users)?;
        let events = circle(&organization).add(&mut tx, &app2, &cx2, &users)?;
        commit(tx, events)
    })
    .await
}

/// Makes one user a member of an organization; it is in their next token. Being one already is no error.
///
/// # Errors
/// When there is no such user or organization.
pub async fn add(app: &App, cx: &Cx, may: May<OrganizationsWrite>, user: UserId, id: OrganizationId) -> Result<()> {
    change(app, cx, may, user, id, true).await
}

/// Ends a membership. Its not being there is no error.
///
/// # Errors
/// When there is no such user or organization.
pub async fn remove(app: &App, cx: &Cx, may: May<OrganizationsWrite>, user: UserId, id: OrganizationId) -> Result<()> {
    change(app, cx, may, user, id, false).await
}

async fn change(
    app: &App,
    cx: &Cx,
    may: May<OrganizationsWrite>,
    user: UserId,
    id: OrganizationId,
    join: bool,
) -> Result<()> {
    let (app2, cx2, realm) = (app.clone(), cx.clone(), may.realm());
    let changed = app.write(cx, move |mut tx| {
        let user = [get_in(&mut tx, realm, user)?];
        let organization = get_organization(&mut tx, realm, id)?;
        let circle = circle(&organization);
        let events =
            if join { circle.add(&mut tx, &app2, &cx2, &user)? } else { circle.remove(&mut tx, &app2, &cx2, &user)? };
        commit(tx, events)
    });
    changed.await.map(drop)
}
