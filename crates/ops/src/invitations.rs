//! Invitations (PRODUCT §5): somebody is asked to make an account, with what they will have in it.

mod accept;
mod csv;

use std::{collections::HashSet, time::Duration};

use denizen_model::{
    InvitationId, RealmId,
    events::{EventType, SubjectKind, SubjectRef},
    invitations::{DEFAULT_DAYS, Invitation, InvitationState, MAX_BULK, NewInvitation, check_days, check_invitation},
    messages::Template,
    pages::{Cursor, CursorKey, Page, Total},
    permissions::markers::{GroupsWrite, OrganizationsWrite, RolesAssign, UsersRead, UsersWrite},
    realms::Realm,
    text::fold,
    validation::FieldErrors,
};
use denizen_store::{self as store, Events, ReadTx};

pub use accept::{accept, find_open};
pub use csv::read_csv;

use crate::{
    Actor, App, Cx, Error, May, Result,
    action_tokens::Fresh,
    cx::Detail,
    messages::{self, Draft, Prepared},
};

pub(crate) fn subject(invitation: &Invitation) -> SubjectRef {
    SubjectRef { kind: SubjectKind::Invitation, id: invitation.id.to_string(), name: invitation.email.clone() }
}

fn get_invitation(tx: &mut ReadTx<'_>, realm: RealmId, id: InvitationId) -> Result<Invitation> {
    store::invitations::find(tx, realm, id)?.ok_or_else(|| Error::not_found("invitation"))
}

/// What a list of invitations is asked for.
#[derive(Debug, Clone, Default)]
pub struct InvitationQuery {
    /// Only those in this state.
    pub state: Option<InvitationState>,
    /// Where the page starts.
    pub after: Option<Cursor>,
    /// How many at the most.
    pub limit: u32,
}

/// A page of invitations, newest first.
///
/// # Errors
/// When the cursor is of another list.
pub async fn list(app: &App, cx: &Cx, may: May<UsersRead>, query: InvitationQuery) -> Result<Page<Invitation>> {
    let wrong = || Error::field("cursor", "This cursor belongs to another list.");
    let before: Option<InvitationId> = match query.after {
        None => None,
        Some(Cursor { key: CursorKey::Number(_), id }) => Some(id.parse().map_err(|_| wrong())?),
        Some(_) => return Err(wrong()),
    };
    let (realm, now, limit, state) = (may.realm(), cx.now, query.limit, query.state);
    let mut items = app
        .db()
        .read(move |tx| Ok::<_, Error>(store::invitations::list(tx, realm, state, before, limit + 1, now)?))
        .await?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = items.len() > wanted;
    items.truncate(wanted);
    let next = items.last().filter(|_| more).map(|invitation| Cursor {
        key: CursorKey::Number(invitation.created_at.as_micros()),
        id: invitation.id.to_string(),
    });
    // What is known is how many are shown.
    let total = Total { count: u64::try_from(items.len()).unwrap_or(0), exact: !more && before.is_none() };
    Ok(Page { items, next, total })
}

/// One invitation.
///
/// # Errors
/// When there is none of this id.
pub async fn get(app: &App, _cx: &Cx, may: May<UsersRead>, id: InvitationId) -> Result<Invitation> {
    let realm = may.realm();
    app.db().read(move |tx| get_invitation(tx, realm, id)).await
}

/// Invites somebody.
///
/// # Errors
/// When a field is not acceptable, somebody has the address already, or the actor may not give what it carries.
pub async fn create(app: &App, cx: &Cx, may: May<UsersWrite>, new: NewInvitation) -> Result<Invitation> {
    let made = create_many(app, cx, may, vec![new]).await?.pop();
    made.ok_or_else(|| Error::internal("an invitation without an outcome"))?.map_err(Error::invalid)
}

/// An invitation with its mail, ready to be stored.
#[derive(Clone)]
struct Ready {
    invitation: Invitation,
    secret_hash: String,
    mail: Prepared,
}

fn blank_is_none(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn days(days: u32) -> Duration {
    Duration::from_secs(u64::from(days) * 24 * 3600)
}

fn mail(app: &App, cx: &Cx, realm: &Realm, invitation: &Invitation, fresh: &Fresh) -> Result<Prepared> {
    let draft = Draft {
        user_id: None,
        invitation_id: Some(invitation.id),
        to: &invitation.email,
        locale: invitation.locale.as_deref(),
        zone: None,
        template: Template::Invitation,
        path: &format!("invitation?token={}", fresh.expose()),
        more: &[("inviter", invitation.invited_by.as_deref().unwrap_or(""))],
        expires_at: Some(invitation.expires_at),
    };
    messages::prepare(app, cx, realm, &draft)
}

fn inviter(cx: &Cx) -> Option<String> {
    match &cx.actor {
        Actor::Administrator(admin) => Some(admin.name.clone()),
        _ => None,
    }
}

fn ready(app: &App, cx: &Cx, realm: &Realm, new: NewInvitation) -> Result<std::result::Result<Ready, FieldErrors>> {
    let mut errors = FieldErrors::new();
    check_invitation(&new, &mut errors);
    if !errors.is_empty() {
        return Ok(Err(errors));
    }
    let fresh = Fresh::new(app, cx.now, days(new.expires_in_days.unwrap_or(DEFAULT_DAYS)));
    let invitation = Invitation {
        id: InvitationId::new(cx.now, app.id_bytes()),
        realm_id: realm.id,
        email: new.email.trim().to_owned(),
        given_name: blank_is_none(new.given_name),
        family_name: blank_is_none(new.family_name),
        locale: blank_is_none(new.locale),
        role_ids: new.role_ids,
        group_ids: new.group_ids,
        organization_ids: new.organization_ids,
        invited_by: inviter(cx),
        created_at: cx.now,
        sent_at: cx.now,
        sent_count: 1,
        expires_at: fresh.expires_at,
        accepted_at: None,
        accepted_user_id: None,
        revoked_at: None,
        version: 1,
    };
    let mail = mail(app, cx, realm, &invitation, &fresh)?;
    Ok(Ok(Ready { invitation, secret_hash: fresh.hash(), mail }))
}

/// What may be invited with: nobody gives by an invitation what they could not give otherwise.
fn check_grants(cx: &Cx, realm: RealmId, list: &[NewInvitation]) -> Result<()> {
    if list.iter().any(|new| !new.role_ids.is_empty()) {
        cx.may::<RolesAssign>(realm)?;
    }
    if list.iter().any(|new| !new.group_ids.is_empty()) {
        cx.may::<GroupsWrite>(realm)?;
    }
    if list.iter().any(|new| !new.organization_ids.is_empty()) {
        cx.may::<OrganizationsWrite>(realm)?;
    }
    Ok(())
}

/// Which of the ids in a transaction's invitations exist, each looked up once.
#[derive(Default)]
struct Known {
    found: HashSet<String>,
    missing: HashSet<String>,
}

impl Known {
    fn check<I: Copy + ToString>(
        &mut self,
        field: &str,
        what: &str,
        ids: &[I],
        errors: &mut FieldErrors,
        mut exists: impl FnMut(I) -> Result<bool>,
    ) -> Result<()> {
        for id in ids {
            let text = id.to_string();
            if !self.found.contains(&text) && !self.missing.contains(&text) {
                let known = if exists(*id)? { &mut self.found } else { &mut self.missing };
                known.insert(text.clone());
            }
            if self.missing.contains(&text) {
                errors.add(field, format!("There is no {what} {text}."));
            }
        }
        Ok(())
    }
}

fn check_stored(tx: &mut ReadTx<'_>, cx: &Cx, invitation: &Invitation, known: &mut Known) -> Result<FieldErrors> {
    let (realm, mut errors) = (invitation.realm_id, FieldErrors::new());
    if store::invitations::find_user_at(tx, realm, &invitation.email)?.is_some() {
        errors.add("email", "There is a user with this address already.");
    } else if store::invitations::is_open_to(tx, realm, &invitation.email, cx.now)? {
        errors.add("email", "This address has an invitation that can still be accepted. Send that one again instead.");
    }
    known.check("role_ids", "role", &invitation.role_ids, &mut errors, |id| {
        Ok(store::roles::find(tx, realm, id)?.is_some())
    })?;
    known.check("group_ids", "group", &invitation.group_ids, &mut errors, |id| {
        Ok(store::groups::find(tx, realm, id)?.is_some())
    })?;
    known.check("organization_ids", "organization", &invitation.organization_ids, &mut errors, |id| {
        Ok(store::organizations::find(tx, realm, id)?.is_some())
    })?;
    Ok(errors)
}

fn texts<I: ToString>(ids: &[I]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

/// Invites several people at once. Each has an outcome of their own, in the order given: those who can be invited
/// are, whatever is wrong with others.
///
/// # Errors
/// When there are none or too many, or the actor may not give what one of them carries; then nobody is invited.
pub async fn create_many(
    app: &App,
    cx: &Cx,
    may: May<UsersWrite>,
    list: Vec<NewInvitation>,
) -> Result<Vec<std::result::Result<Invitation, FieldErrors>>> {
    if !(1..=MAX_BULK).contains(&list.len()) {
        return Err(Error::field("invitations", format!("Must be 1 to {MAX_BULK}.")));
    }
    check_grants(cx, may.realm(), &list)?;
    let realm = crate::realms::get_in_scope(app, may.realm()).await?;
    let mut addresses = HashSet::new();
    let mut rows = Vec::with_capacity(list.len());
    for new in list {
        let again = !addresses.insert(fold(&new.email));
        rows.push(match ready(app, cx, &realm, new)? {
            Ok(_) if again => Err(FieldErrors::one("email", "This address is in the list already.")),
            outcome => outcome,
        });
    }
    let (app2, cx2) = (app.clone(), cx.clone());
    app.write(cx, move |mut tx| {
        // Two who invite the same person at once do so one after the other.
        store::realms::lock(&mut tx, realm.id)?;
        let (mut known, mut outcomes, mut events) = (Known::default(), Vec::with_capacity(rows.len()), Vec::new());
        for row in &rows {
            let row = match row {
                Ok(row) => row,
                Err(errors) => {
                    outcomes.push(Err(errors.clone()));
                    continue;
                }
            };
            let invitation = &row.invitation;
            let errors = check_stored(&mut tx, &cx2, invitation, &mut known)?;
            if !errors.is_empty() {
                outcomes.push(Err(errors));
                continue;
            }
            store::invitations::insert(&mut tx, invitation, &row.secret_hash)?;
            messages::enqueue(&mut tx, &app2, &row.mail)?;
            events.push(
                cx2.event(&app2, realm.id, EventType::UserInvited, subject(invitation))
                    .detail("email", invitation.email.as_str())
                    .detail("role_ids", texts(&invitation.role_ids))
                    .detail("group_ids", texts(&invitation.group_ids))
                    .detail("organization_ids", texts(&invitation.organization_ids))
                    .detail("expires_at", invitation.expires_at.to_string()),
            );
            outcomes.push(Ok(invitation.clone()));
        }
        let mut events = events.into_iter();
        match events.next() {
            Some(first) => Ok(tx.commit(Events::new(first, events), outcomes)?),
            None => Ok(tx.unaudited("nobody was invited", outcomes)?),
        }
    })
    .await
}

fn closed(invitation: &Invitation) -> Result<()> {
    if invitation.accepted_at.is_some() {
        return Err(Error::conflict("invitation-accepted", "This invitation was accepted already."));
    }
    if invitation.revoked_at.is_some() {
        return Err(Error::conflict("invitation-revoked", "This invitation was withdrawn. Make a new one."));
    }
    Ok(())
}

/// Sends an invitation again, with a new link and new time; the old link stops working.
///
/// # Errors
/// When there is none of this id, it was accepted or withdrawn, or somebody has the address by now.
pub async fn resend(
    app: &App,
    cx: &Cx,
    may: May<UsersWrite>,
    id: InvitationId,
    expires_in_days: Option<u32>,
) -> Result<Invitation> {
    let valid_days = expires_in_days.unwrap_or(DEFAULT_DAYS);
    let mut errors = FieldErrors::new();
    check_days(valid_days, &mut errors);
    errors.into_result()?;
    let realm = crate::realms::get_in_scope(app, may.realm()).await?;
    let (app2, cx2) = (app.clone(), cx.clone());
    app.write(cx, move |mut tx| {
        let before = get_invitation(&mut tx, realm.id, id)?;
        closed(&before)?;
        if store::invitations::find_user_at(&mut tx, realm.id, &before.email)?.is_some() {
            return Err(Error::conflict("account-exists", "There is a user with this address by now."));
        }
        let fresh = Fresh::new(&app2, cx2.now, days(valid_days));
        if !store::invitations::mark_resent(&mut tx, &before, &fresh.hash(), cx2.now, fresh.expires_at)? {
            return Err(Error::changed());
        }
        let invitation = Invitation {
            sent_at: cx2.now,
            sent_count: before.sent_count + 1,
            expires_at: fresh.expires_at,
            version: before.version + 1,
            ..before
        };
        store::messages::supersede_of_invitation(&mut tx, id, messages::SUPERSEDED)?;
        messages::enqueue(&mut tx, &app2, &mail(&app2, &cx2, &realm, &invitation, &fresh)?)?;
        let event = cx2
            .event(&app2, realm.id, EventType::UserInvitationResent, subject(&invitation))
            .detail("email", invitation.email.as_str())
            .detail("expires_at", invitation.expires_at.to_string());
        Ok(tx.commit(Events::from(event), invitation)?)
    })
    .await
}

/// Withdraws an invitation: its link stops working.
///
/// # Errors
/// When there is none of this id, or it was accepted or withdrawn.
pub async fn revoke(app: &App, cx: &Cx, may: May<UsersWrite>, id: InvitationId) -> Result<Invitation> {
    let (app2, cx2, realm) = (app.clone(), cx.clone(), may.realm());
    app.write(cx, move |mut tx| {
        let before = get_invitation(&mut tx, realm, id)?;
        closed(&before)?;
        if !store::invitations::revoke(&mut tx, realm, id, cx2.now)? {
            return Err(Error::changed());
        }
        store::messages::supersede_of_invitation(&mut tx, id, messages::SUPERSEDED)?;
        let event = cx2
            .event(&app2, realm, EventType::UserInvitationRevoked, subject(&before))
            .detail("email", before.email.as_str());
        let invitation = Invitation { revoked_at: Some(cx2.now), version: before.version + 1, ..before };
        Ok(tx.commit(Events::from(event), invitation)?)
    })
    .await
}
