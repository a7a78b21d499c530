//! Resets by a link: made for a user, shown without being used, followed once (PRODUCT §7).
//!
//! A link stands in for one proof, and for as long as its reset is not done it leads nowhere but there: whoever gets
//! hold of one gets no session out of it without changing what the user and their agents then see was changed.
//!
//! * **Password**: the link is the first proof. A second factor is asked for as at any other sign-in, so that a mailbox
//!   alone does not open an account that has two steps.
//! * **Two-step sign-in**: the link stands in for the second proof, which is what was lost. So the password comes first,
//!   where the user has one that they need not replace anyway, else the link is the only proof there is. The app that
//!   is to be replaced is not asked for in this sign-in, but it goes, with its recovery codes, at the moment its
//!   successor is set up and not when the link is opened: a link that is opened by the wrong person, or half-way
//!   followed, leaves the second step where it was.
//! * **Passkey**: likewise the password comes first. The passkeys there are stay, but are not asked for; another second
//!   factor is, where the user has one, and the link stands in where they have none.

use std::time::Duration;

use denizen_model::{
    RealmId, ResetRequestId, Timestamp, UserId,
    authenticators::AuthenticatorType,
    events::{EventType, NewEvent},
    realms::RealmSettings,
    reset_requests::ResetKind,
    users::User,
};
use denizen_store::{self as store, Events, ReadTx, WriteTx};
use serde::{Deserialize, Serialize};

use super::{
    rules::{barriers, must_update_password},
    sign_in::{Flow, reason::Reason},
};
use crate::{
    Actor, App, Cx, Error, RealmState, Result,
    action_tokens::{self, Dead, Fresh, Opened, Purpose},
    authenticators::with_addresses,
    crypto::hash_token,
    cx::Detail,
    messages,
    oauth::authorize::Request,
};

/// What a link carries beside whose it is and what it is for.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct ResetLink {
    /// The address it was mailed to, which must still be the user's; nothing where it was handed over.
    pub(crate) email: Option<String>,
    /// The agent's request it belongs to; nothing where the user asked themselves.
    pub(crate) reset_request: Option<ResetRequestId>,
    /// What the client asked for that the person came from.
    pub(crate) request: Option<Request>,
    /// The hash of a cookie of the browser in which that began: only there does the client know what to do with a code.
    pub(crate) browser: Option<String>,
}

/// A link that was made.
pub(crate) struct Made {
    /// The path under the realm's own, with the secret in its query.
    pub(crate) path: String,
    /// When it stops working.
    pub(crate) expires_at: Timestamp,
}

/// The path of the page behind a kind's links, under the realm's own.
#[must_use]
pub const fn page_of(kind: ResetKind) -> &'static str {
    match kind {
        ResetKind::Password => "reset-password",
        ResetKind::Otp => "reset-otp",
        ResetKind::Passkey => "reset-passkey",
    }
}

/// Makes a link. Earlier ones go on working; [`close_in`] ends them.
pub(crate) fn make_in(
    tx: &mut WriteTx<'_>,
    app: &App,
    cx: &Cx,
    user: &User,
    kind: ResetKind,
    link: &ResetLink,
    valid_for: Duration,
) -> Result<Made> {
    let fresh = Fresh::new(app, cx.now, valid_for);
    action_tokens::store_in(tx, cx, user.realm_id, Some(user.id), Purpose::Reset(kind), &fresh, link)?;
    Ok(Made { path: format!("{}?token={}", page_of(kind), fresh.expose()), expires_at: fresh.expires_at })
}

/// Ends what is under way of a kind: the agent's request is gone, links stop working, mails that wait are taken back.
/// Whoever makes a password, an app or a passkey anew, or no longer asks for it, calls this in the same transaction.
/// Answers the request that waited.
pub(crate) fn close_in(tx: &mut WriteTx<'_>, user: UserId, kind: ResetKind) -> Result<Option<ResetRequestId>> {
    let waited = store::reset_requests::delete(tx, user, kind)?;
    store::action_tokens::drop_of_user(tx, user, Purpose::Reset(kind).as_str())?;
    store::messages::supersede_of_user(tx, user, kind.template(), messages::SUPERSEDED)?;
    Ok(waited)
}

/// Whose link it is, if it may be followed.
fn holder(tx: &mut ReadTx<'_>, realm: RealmId, opened: &Opened<ResetLink>) -> Result<Option<User>> {
    let Some(id) = opened.user_id else { return Ok(None) };
    let user = store::users::find(tx, realm, id)?;
    let mailed = opened.data.email.as_deref();
    Ok(user.filter(|user| {
        barriers(user).next().is_none() && mailed.is_none_or(|mailed| user.email.as_deref() == Some(mailed))
    }))
}

/// The name that the page behind a link shows, by which its reader knows whose account it is, and their language.
/// Looking does not use the link up.
///
/// # Errors
/// When the link does not work, whatever the reason.
pub async fn look(
    app: &App,
    cx: &Cx,
    realm: &RealmState,
    kind: ResetKind,
    token: &str,
) -> Result<(String, Option<String>)> {
    let found = action_tokens::find::<ResetLink>(app, realm.realm.id, Purpose::Reset(kind), token, cx.now).await?;
    let id = realm.realm.id;
    let user = match found {
        Some(opened) => app.db().peek(move |tx| holder(tx, id, &opened)).await?,
        None => None,
    };
    match user {
        Some(user) => Ok((user.username, user.locale)),
        None => Err(refuse(app, cx, realm, kind, token).await?),
    }
}

/// Counts and records, once, why a link that was one does not work; of one that was replaced or taken back, or never was
/// one, nothing is known. Answers what is said, which is the same for all.
async fn refuse(app: &App, cx: &Cx, realm: &RealmState, kind: ResetKind, token: &str) -> Result<Error> {
    if !action_tokens::is_opened_anew(app, cx, token) {
        return Ok(action_tokens::gone());
    }
    app.limits().note_failure(cx.ip, cx.now);
    let (id, now, secret, purpose) = (realm.realm.id, cx.now, token.to_owned(), Purpose::Reset(kind));
    let known = app
        .db()
        .peek(move |tx| {
            let known = match action_tokens::find_dead::<ResetLink>(tx, id, purpose, &secret, now)? {
                Some((opened, Dead::Used)) => Some((opened, Reason::UsedLink.as_str())),
                Some((opened, Dead::Expired)) => Some((opened, Reason::ExpiredLink.as_str())),
                None => action_tokens::find_in::<ResetLink>(tx, id, purpose, &secret, now)?
                    .map(|opened| (opened, Reason::AddressChanged.as_str())),
            };
            let Some((opened, reason)) = known else { return Ok(None) };
            let user = opened.user_id.map(|user| store::users::find(tx, id, user)).transpose()?.flatten();
            Ok::<_, Error>(user.map(|user| (user, opened.data, reason)))
        })
        .await?;
    let Some((user, link, reason)) = known else { return Ok(action_tokens::gone()) };
    let reason = barriers(&user).next().map_or(reason, |barrier| Reason::Barred(barrier).as_str());
    let event = cx.user_event(app, EventType::UserResetLinkFollowed, &user).failed(reason);
    let event = of_link(event.detail("type", kind.as_str()), &link);
    app.write(cx, move |tx| Ok(tx.commit(Events::from(event.clone()), ())?)).await?;
    Ok(action_tokens::gone())
}

/// An event with what a link says of itself.
fn of_link(event: NewEvent, link: &ResetLink) -> NewEvent {
    let event = event.detail("asked_by", if link.reset_request.is_some() { "administrator" } else { "user" });
    let mut event = match link.reset_request {
        Some(id) => event.detail("reset_request_id", id.to_string()),
        None => event,
    };
    event.client_id = link.request.as_ref().map(|request| request.client_id.clone());
    event
}

/// Uses a link up and begins the sign-in that it leads to: its first page is the one that [`look`](super::sign_in::look)
/// names, or the password where nothing is proved yet. `cookie` is that of the browser, where the person asked themselves.
///
/// # Errors
/// When the link does not work, whatever the reason.
pub async fn follow(
    app: &App,
    cx: &Cx,
    realm: &RealmState,
    kind: ResetKind,
    token: &str,
    cookie: Option<&str>,
) -> Result<Flow> {
    // What does not work any more is told by the log; what stops working at this very moment is refused below.
    look(app, cx, realm, kind, token).await?;
    let (app2, cx2, hash) = (app.clone(), cx.clone(), hash_token(token));
    let (id, settings) = (realm.realm.id, realm.realm.settings.clone());
    let (user, link, password_first) = app
        .write(cx, move |mut tx| {
            let opened = action_tokens::use_up::<ResetLink>(&mut tx, id, Purpose::Reset(kind), &hash, cx2.now)?;
            let opened = opened.ok_or_else(action_tokens::gone)?;
            let user = holder(&mut tx, id, &opened)?.ok_or_else(action_tokens::gone)?;
            let link = opened.data;
            if let Some(request) = link.reset_request
                && !store::reset_requests::note_followed(&mut tx, id, user.id, request, cx2.now)?
            {
                return Err(action_tokens::gone());
            }
            let password_first = kind != ResetKind::Password && keeps_password(&mut tx, &settings, &user, cx2.now)?;
            // Whoever has the link was given it: it went to the user's address, or an agent handed it over.
            let own = cx2.acting_as(Actor::User(user.id, user.display_name().to_owned()));
            let event = own.user_event(&app2, EventType::UserResetLinkFollowed, &user);
            let event = of_link(event.detail("type", kind.as_str()), &link);
            Ok(tx.commit(Events::from(event), (user, link, password_first))?)
        })
        .await?;
    let same = cookie.map(hash_token).is_some_and(|cookie| link.browser == Some(cookie));
    let flow = Flow::new(cx.now, link.request.filter(|_| same), Some(user.username.clone()));
    Ok(flow.resetting(cx.now, &user, kind, link.reset_request, !password_first))
}

/// Whether the user has a password that they can sign in with and need not replace.
fn keeps_password(tx: &mut ReadTx<'_>, settings: &RealmSettings, user: &User, now: Timestamp) -> Result<bool> {
    let rows = store::authenticators::list(tx, user.realm_id, user.id)?;
    let all = with_addresses(rows, user, settings);
    let password = all.iter().find(|one| one.kind == AuthenticatorType::Password && one.is_usable(now));
    let allowed = settings.sign_in_methods.contains(&AuthenticatorType::Password);
    Ok(allowed && password.is_some_and(|password| !must_update_password(user, password.temporary)))
}
