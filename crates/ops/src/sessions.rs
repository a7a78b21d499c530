//! Sessions: list, revoke one, revoke all (PRODUCT §9); and who is behind a cookie.

use std::time::Duration;

use denizen_model::{
    SessionId, Timestamp, UserId,
    events::{EventType, NewEvent},
    permissions::markers::{SessionsRevoke, UsersRead},
    sessions::{Session, UsedApplication, idle_deadline},
    users::User,
};
use denizen_store::{self as store, Events, WriteTx};

use crate::{
    Administrator, App, Cx, Error, May, RealmState, Result, admins, crypto::hash_token, cx::Detail, users::get_in,
};

/// How exactly the last use of a session is kept; finer would cost a write at every request.
const SEEN_EVERY: Duration = Duration::from_secs(60);
/// How many sessions the profile shows.
const SHOWN: u32 = 200;
/// How many applications an account page shows.
const APPLICATIONS: u32 = 200;

/// A user's active and recent sessions, newest first.
///
/// # Errors
/// When there is no such user.
pub async fn list(app: &App, _cx: &Cx, may: May<UsersRead>, user: UserId) -> Result<Vec<Session>> {
    let realm = may.realm();
    app.db()
        .read(move |tx| {
            get_in(tx, realm, user)?;
            Ok(store::sessions::list(tx, realm, user, SHOWN)?)
        })
        .await
}

/// Ends one session: dead at the next request, its refresh tokens with it.
///
/// # Errors
/// When the user has no live session of this id.
pub async fn revoke(app: &App, cx: &Cx, may: May<SessionsRevoke>, user: UserId, id: SessionId) -> Result<()> {
    let (app2, cx2, realm) = (app.clone(), cx.clone(), may.realm());
    app.write(cx, move |mut tx| {
        let user = get_in(&mut tx, realm, user)?;
        if !store::sessions::revoke(&mut tx, realm, user.id, id, cx2.now)? {
            return Err(Error::not_found("live session"));
        }
        let event = cx2.user_event(&app2, EventType::UserSessionRevoked, &user).detail("session_id", id.to_string());
        Ok(tx.commit(Events::from(event), ())?)
    })
    .await
}

/// Ends all sessions of a user; answers how many there were.
///
/// # Errors
/// When there is no such user.
pub async fn revoke_all(app: &App, cx: &Cx, may: May<SessionsRevoke>, user: UserId) -> Result<usize> {
    let (app2, cx2, realm) = (app.clone(), cx.clone(), may.realm());
    app.write(cx, move |mut tx| {
        let user = get_in(&mut tx, realm, user)?;
        match revoke_all_in(&mut tx, &app2, &cx2, &user)? {
            Some((ended, event)) => Ok(tx.commit(Events::from(event), ended)?),
            None => Ok(tx.unaudited("nothing was changed", 0)?),
        }
    })
    .await
}

/// [`revoke_all`] inside a transaction; answers how many there were, with the event that is to be recorded, or
/// nothing when there were none.
pub(crate) fn revoke_all_in(
    tx: &mut WriteTx<'_>,
    app: &App,
    cx: &Cx,
    user: &User,
) -> Result<Option<(usize, NewEvent)>> {
    let ended = store::sessions::revoke_all(tx, user.realm_id, user.id, cx.now)?;
    if ended.is_empty() {
        return Ok(None);
    }
    let ids: Vec<String> = ended.iter().map(ToString::to_string).collect();
    let event = cx.user_event(app, EventType::UserSessionRevoked, user).detail("session_ids", ids);
    Ok(Some((ended.len(), event)))
}

/// A live session and its enabled user.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The session.
    pub session: Session,
    /// The user.
    pub user: User,
}

/// Who is behind a realm's session cookie; nobody when the session has ended or the user is disabled.
///
/// # Errors
/// When the database fails.
pub async fn find_by_cookie(app: &App, realm: &RealmState, cookie: &str, now: Timestamp) -> Result<Option<SignedIn>> {
    let (id, hash) = (realm.realm.id, hash_token(cookie));
    let found = app
        .db()
        .peek(move |tx| {
            let Some(session) = store::sessions::find_by_secret(tx, id, &hash)?.filter(|session| session.is_live(now))
            else {
                return Ok::<_, Error>(None);
            };
            let user = store::users::find(tx, id, session.user_id)?.filter(|user| user.enabled);
            Ok(user.map(|user| SignedIn { session, user }))
        })
        .await?;
    if let Some(signed_in) = &found {
        note_seen(app, realm, &signed_in.session, now).await?;
    }
    Ok(found)
}

/// Notes the use of a session, at most once a minute.
pub(crate) async fn note_seen(app: &App, realm: &RealmState, session: &Session, now: Timestamp) -> Result<()> {
    if now.since(session.last_seen_at) < SEEN_EVERY {
        return Ok(());
    }
    let (id, idle) = (session.id, idle_deadline(now, &realm.realm.settings));
    app.db()
        .write(move |mut tx| {
            store::sessions::note_seen(&mut tx, id, now, idle)?;
            Ok(tx.unaudited("the last use of a session is no event", ())?)
        })
        .await
}

/// Ends the session behind a sign-out.
///
/// # Errors
/// When the database fails.
pub async fn sign_out(app: &App, cx: &Cx, signed_in: &SignedIn) -> Result<()> {
    let (app2, user, id) = (app.clone(), signed_in.user.clone(), signed_in.session.id);
    let cx2 = cx.acting_as(crate::Actor::User(user.id, user.display_name().to_owned()));
    app.write(cx, move |mut tx| {
        if !store::sessions::revoke(&mut tx, user.realm_id, user.id, id, cx2.now)? {
            return Ok(tx.unaudited("the session had ended already", ())?);
        }
        let event = cx2
            .user_event(&app2, EventType::UserSessionRevoked, &user)
            .detail("session_id", id.to_string())
            .detail("reason", "signed out");
        Ok(tx.commit(Events::from(event), ())?)
    })
    .await
}

/// The user's own live sessions, the one they ask from first, then by their last use.
///
/// # Errors
/// When the database fails.
pub async fn list_own(app: &App, cx: &Cx, signed_in: &SignedIn) -> Result<Vec<Session>> {
    let (realm, user, own, now) = (signed_in.user.realm_id, signed_in.user.id, signed_in.session.id, cx.now);
    let mut sessions = app.db().read(move |tx| Ok::<_, Error>(store::sessions::list(tx, realm, user, SHOWN)?)).await?;
    sessions.retain(|session| session.is_live(now));
    sessions.sort_by_key(|session| (session.id != own, std::cmp::Reverse(session.last_seen_at)));
    Ok(sessions)
}

/// Ends one of the user's own sessions: dead at the next request, its refresh tokens with it.
///
/// # Errors
/// When the user has no live session of this id.
pub async fn end_own(app: &App, cx: &Cx, signed_in: &SignedIn, id: SessionId) -> Result<()> {
    let (app2, user, from) = (app.clone(), signed_in.user.clone(), signed_in.session.id);
    let cx2 = cx.acting_as(crate::Actor::User(user.id, user.display_name().to_owned()));
    app.write(cx, move |mut tx| {
        if !store::sessions::revoke(&mut tx, user.realm_id, user.id, id, cx2.now)? {
            return Err(Error::not_found("live session"));
        }
        let mut event = cx2
            .user_event(&app2, EventType::UserSessionRevoked, &user)
            .detail("session_id", id.to_string())
            .detail("reason", "ended by the user");
        event.session_id = Some(from);
        Ok(tx.commit(Events::from(event), ())?)
    })
    .await
}

/// Ends all of the user's own sessions but the one they ask from; answers how many there were.
///
/// # Errors
/// When the database fails.
pub async fn end_others(app: &App, cx: &Cx, signed_in: &SignedIn) -> Result<usize> {
    let (app2, user, own) = (app.clone(), signed_in.user.clone(), signed_in.session.id);
    let cx2 = cx.acting_as(crate::Actor::User(user.id, user.display_name().to_owned()));
    app.write(cx, move |mut tx| {
        let ended = store::sessions::revoke_all_but(&mut tx, user.realm_id, user.id, Some(own), cx2.now)?;
        if ended.is_empty() {
            return Ok(tx.unaudited("nothing was changed", 0)?);
        }
        let ids: Vec<String> = ended.iter().map(ToString::to_string).collect();
        let mut event = cx2
            .user_event(&app2, EventType::UserSessionRevoked, &user)
            .detail("session_ids", ids)
            .detail("reason", "ended by the user");
        event.session_id = Some(own);
        Ok(tx.commit(Events::from(event), ended.len())?)
    })
    .await
}

/// The applications that the user has signed in to, as far back as sessions are kept, the latest first.
///
/// # Errors
/// When the database fails.
pub async fn list_applications(app: &App, cx: &Cx, signed_in: &SignedIn) -> Result<Vec<UsedApplication>> {
    let (realm, user, now) = (signed_in.user.realm_id, signed_in.user.id, cx.now);
    app.db().read(move |tx| Ok(store::sessions::list_applications(tx, realm, user, now, APPLICATIONS)?)).await
}

/// The administrator behind a console cookie, with their session.
///
/// # Errors
/// When the database fails.
pub async fn find_console(app: &App, cookie: &str, now: Timestamp) -> Result<Option<(Administrator, Session, User)>> {
    let hash = hash_token(cookie);
    let found = app
        .db()
        .peek(move |tx| {
            let Some(session) = store::console_sessions::find(tx, &hash)?.filter(|session| session.is_live(now)) else {
                return Ok::<_, Error>(None);
            };
            let Some(realm) = store::realms::find(tx, session.realm_id)?.filter(|realm| realm.enabled) else {
                return Ok(None);
            };
            let Some(user) = store::users::find(tx, session.realm_id, session.user_id)?.filter(|user| user.enabled)
            else {
                return Ok(None);
            };
            let admin = admins::administrator_in(tx, &user, Some(session.id), Some(session.authenticated_at))?;
            Ok(Some((admin, session, user, realm.slug)))
        })
        .await?;
    let Some((admin, session, user, slug)) = found else { return Ok(None) };
    note_seen(app, &*app.realm(&slug).await?, &session, now).await?;
    Ok(Some((admin, session, user)))
}

/// Opens the console in a browser: exchanges its authorization code for a console cookie.
///
/// # Errors
/// When the code is not good.
pub async fn open_console(
    app: &App,
    cx: &Cx,
    realm: &RealmState,
    code: &str,
    verifier: &str,
) -> Result<crate::crypto::Secret> {
    let session = crate::oauth::code::redeem_for_console(app, cx, realm, code, verifier).await?;
    let token = crate::crypto::Token::generate(app.rng(), crate::crypto::Prefix::Session);
    let (hash, now) = (token.hash(), cx.now);
    app.db()
        .write(move |mut tx| {
            store::console_sessions::insert(&mut tx, &hash, session, now)?;
            Ok::<_, Error>(tx.unaudited("the console is a client of a session whose beginning has its event", ())?)
        })
        .await?;
    Ok(token.into_secret())
}

/// The clients that use a session, by name, with the time each was last used.
///
/// # Errors
/// When the database fails.
pub async fn applications(app: &App, realm: &RealmState, signed_in: &SignedIn) -> Result<Vec<(String, Timestamp)>> {
    let (realm, session) = (realm.realm.id, signed_in.session.id);
    app.db().read(move |tx| Ok(store::sessions::list_clients(tx, realm, session)?)).await
}
