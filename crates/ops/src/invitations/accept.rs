//! Accepting an invitation.

use denizen_model::{
    events::{EventType, NewEvent},
    invitations::Invitation,
    users::{NewHuman, User},
};
use denizen_store::{self as store, Events, WriteTx};

use super::subject;
use crate::{
    App, Cx, RealmState, Result,
    action_tokens::gone,
    crypto::{Prefix, Token, hash_token},
    cx::Detail,
    flows::{
        enrol::Ready,
        register::{Enrolled, Typed},
    },
    groups, organizations,
};

/// The invitation that a link carries. Looking does not use it up.
///
/// # Errors
/// When the link does not work.
pub async fn find_open(app: &App, cx: &Cx, realm: &RealmState, token: &str) -> Result<Invitation> {
    if Token::parse(token, Prefix::Bare).is_none() {
        return Err(gone());
    }
    let (id, hash, now) = (realm.realm.id, hash_token(token), cx.now);
    let found =
        app.db().peek(move |tx| Ok::<_, crate::Error>(store::invitations::find_by_secret(tx, id, &hash)?)).await?;
    let open = |invitation: &Invitation| invitation.state(now) == denizen_model::invitations::InvitationState::Pending;
    found.filter(open).ok_or_else(gone)
}

/// Accepts an invitation: makes the user, with a verified email and with what the invitation carries, all at once.
/// Of two who accept at the same time one makes the user, the other is told that the link no longer works.
///
/// # Errors
/// When the link does not work, a field is not acceptable, or there is an account with the address by now.
pub async fn accept(app: &App, cx: &Cx, realm: &RealmState, token: &str, typed: Typed) -> Result<Enrolled> {
    let invitation = find_open(app, cx, realm, token).await?;
    let new = NewHuman {
        email: Some(invitation.email),
        given_name: Some(typed.given_name),
        family_name: Some(typed.family_name),
        locale: invitation.locale.or_else(|| cx.language.map(|language| language.to_string())),
        ..NewHuman::default()
    };
    let ready = Ready::check(app, cx, &realm.realm, new, typed.password).await?;
    let enrolled = ready.enrolled();
    let (app2, cx2, id, hash) = (app.clone(), cx.clone(), realm.realm.id, hash_token(token));
    app.write(cx, move |mut tx| {
        let invitation = store::invitations::accept(&mut tx, id, &hash, cx2.now)?.ok_or_else(gone)?;
        let (own, user) = (ready.own(&cx2), &ready.user);
        let (created, mut more) = ready.store_in(&mut tx, &app2, &own, "invitation")?;
        store::invitations::note_user(&mut tx, invitation.id, user.id)?;
        store::messages::give_to_user(&mut tx, invitation.id, user.id)?;
        more.push(
            own.event(&app2, id, EventType::UserInvitationAccepted, subject(&invitation))
                .detail("user_id", user.id.to_string()),
        );
        more.extend(give(&mut tx, &app2, &own, &invitation, user)?);
        store::users::reindex(&mut tx, id, user.id)?;
        let created = created.detail("invitation_id", invitation.id.to_string());
        Ok(tx.commit(Events::new(created, more), ())?)
    })
    .await?;
    Ok(enrolled)
}

/// Gives what the invitation carries; what was deleted since is left out.
fn give(tx: &mut WriteTx<'_>, app: &App, own: &Cx, invitation: &Invitation, user: &User) -> Result<Vec<NewEvent>> {
    let (realm, mut events) = (invitation.realm_id, Vec::new());
    for id in &invitation.role_ids {
        let Some(role) = store::roles::find(tx, realm, *id)? else { continue };
        if store::roles::assign(tx, realm, user.id, role.id, own.now)? {
            events.push(own.user_event(app, EventType::UserRoleChanged, user).detail("assigned", role.name));
        }
    }
    let users = std::slice::from_ref(user);
    for id in &invitation.group_ids {
        let Some(group) = store::groups::find(tx, realm, *id)? else { continue };
        events.extend(groups::circle(&group).add(tx, app, own, users)?);
    }
    for id in &invitation.organization_ids {
        let Some(organization) = store::organizations::find(tx, realm, *id)? else { continue };
        events.extend(organizations::circle(&organization).add(tx, app, own, users)?);
    }
    Ok(events)
}
