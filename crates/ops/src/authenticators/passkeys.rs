//! Passkeys of users: kept, used, and added by the users themselves (PRODUCT §7, §16).

use std::time::Duration;

use denizen_model::{
    AuthenticatorId, SessionId, Timestamp,
    authenticators::{Authenticator, AuthenticatorType, RequiredAction},
    devices::device_label,
    events::{EventType, NewEvent},
    reset_requests::ResetKind,
    users::User,
};
use denizen_store::{self as store, Events, ReadTx, WriteTx, authenticators::Stored};
use serde::{Deserialize, Serialize};

use crate::{
    Actor, App, Cx, Error, RealmState, Result,
    account::{
        Fresh,
        notices::{Notice, tell},
        present,
    },
    crypto::webauthn::{Answer, AskedFor, Asker, Key, Made, Making, Proved, Refusal},
    cx::Detail,
    flows::reset::close_in,
    sessions::SignedIn,
};

/// How many one user can have. Nobody has so many devices; a script might.
const MOST: usize = 30;
/// How long a user may take to add one.
const ADD_WITHIN: Duration = Duration::from_secs(900);
/// What a question that was answered is noted under.
const ANSWERED: &str = "passkey-question";
/// How long it is noted: longer than any question can be answered.
const NOTED_FOR: Duration = Duration::from_secs(2 * 3600);

/// What asks, or the reason why nothing does.
pub(crate) fn asker(app: &App) -> Result<&Asker> {
    app.passkeys().ok_or_else(|| {
        Error::conflict("passkeys-unavailable", "Passkeys need a public address with a host name, not an IP address.")
    })
}

/// Whether passkeys can be used at the public address.
#[must_use]
pub fn are_available(app: &App) -> bool {
    app.passkeys().is_some()
}

/// The keys of a user that nothing holds back.
pub(crate) fn usable_in(tx: &mut ReadTx<'_>, user: &User, now: Timestamp) -> Result<Vec<Key>> {
    let all = store::authenticators::list_stored(tx, user.id, AuthenticatorType::Passkey)?;
    all.iter().filter(|one| one.authenticator.is_usable(now)).map(|one| Key::read(&one.secret)).collect()
}

/// Asks a user's browser to make a passkey.
pub(crate) async fn ask_to_make(app: &App, realm: &RealmState, user: &User) -> Result<Making> {
    let id = user.id;
    let all = app
        .db()
        .peek(move |tx| Ok::<_, Error>(store::authenticators::list_stored(tx, id, AuthenticatorType::Passkey)?));
    let keys: Vec<Key> = all.await?.iter().map(|one| Key::read(&one.secret)).collect::<Result<_>>()?;
    asker(app)?.make(&realm.realm.display_name, user.id, &user.username, user.display_name(), &keys)
}

/// A passkey that was made and is to be stored.
#[derive(Clone)]
pub(crate) struct New {
    pub(crate) authenticator: Authenticator,
    credential: String,
    secret: String,
    /// The mark of the question that it answers.
    mark: String,
    device: String,
}

/// Why a passkey that was made is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotKept {
    /// What the browser sent is not right.
    Refused(Refusal),
    /// It is registered already, with this user or another, or its question was answered before.
    Known,
    /// The user has as many as one can have.
    TooMany,
}

impl NotKept {
    /// The locale's id of the sentence.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Refused(_) => "passkey.not_made",
            Self::Known => "passkey.known",
            Self::TooMany => "passkey.too_many",
        }
    }

    const fn reason(self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.as_str(),
            Self::Known => "the passkey is registered already, or its question was answered before",
            Self::TooMany => "the user has as many passkeys as one can have",
        }
    }
}

/// Judges what a browser made.
pub(crate) fn prepare(
    app: &App,
    cx: &Cx,
    user: &User,
    making: &Making,
    answer: &str,
) -> Result<std::result::Result<New, NotKept>> {
    let Made { key, provider } = match asker(app)?.take(making, answer) {
        Ok(made) => made,
        Err(refusal) => return Ok(Err(NotKept::Refused(refusal))),
    };
    let device = device_label(cx.user_agent.as_deref().unwrap_or(""));
    let label = provider.unwrap_or(&device);
    let id = AuthenticatorId::new(cx.now, app.id_bytes());
    Ok(Ok(New {
        authenticator: Authenticator::new(id, user.id, AuthenticatorType::Passkey, label, cx.now),
        credential: key.credential(),
        secret: key.to_text()?,
        mark: making.mark(),
        device,
    }))
}

/// Stores a passkey beside those there are; answers the event. What was asked of the user is done with that, but for a
/// reset, which the caller closes.
pub(crate) fn insert_in(
    tx: &mut WriteTx<'_>,
    app: &App,
    cx: &Cx,
    user: &User,
    new: &New,
) -> Result<std::result::Result<NewEvent, NotKept>> {
    let present = store::authenticators::list(tx, user.realm_id, user.id)?;
    let labels: Vec<&str> =
        present.iter().filter(|one| one.kind == AuthenticatorType::Passkey).map(|one| one.label.as_str()).collect();
    if labels.len() >= MOST {
        return Ok(Err(NotKept::TooMany));
    }
    let known = store::authenticators::find_by_credential(tx, user.realm_id, &new.credential)?.is_some();
    if known || !note_answered(tx, cx, user, &new.mark)? {
        return Ok(Err(NotKept::Known));
    }
    let label = free_label(&labels, &new.authenticator.label);
    let authenticator = Authenticator { label: label.clone(), ..new.authenticator.clone() };
    store::authenticators::put(tx, user.realm_id, &authenticator, Some(&new.credential), &new.secret)?;
    store::required_actions::remove(tx, user.realm_id, user.id, RequiredAction::RegisterPasskey)?;
    let event = cx
        .user_event(app, EventType::UserAuthenticatorRegistered, user)
        .detail("method", AuthenticatorType::Passkey.as_str())
        .detail("authenticator_id", authenticator.id.to_string())
        .detail("label", label)
        .detail("device", new.device.as_str());
    Ok(Ok(event))
}

/// A label that none of the others has: `iCloud Keychain`, `iCloud Keychain 2`.
fn free_label(taken: &[&str], wanted: &str) -> String {
    let numbered = (2..).map(|number| format!("{wanted} {number}"));
    let mut all = std::iter::once(wanted.to_owned()).chain(numbered);
    all.find(|label| !taken.contains(&label.as_str())).unwrap_or_else(|| wanted.to_owned())
}

/// Notes that a question was answered; `false` when it was before.
fn note_answered(tx: &mut WriteTx<'_>, cx: &Cx, user: &User, mark: &str) -> Result<bool> {
    let note = store::action_tokens::NewActionToken {
        secret_hash: mark,
        realm_id: user.realm_id,
        user_id: Some(user.id),
        purpose: ANSWERED,
        data: "{}",
        expires_at: cx.now.plus(NOTED_FOR),
    };
    Ok(store::action_tokens::note_used(tx, &note, cx.now)?)
}

/// What became of an answer that was right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It counts.
    Right {
        /// The device verified its user.
        user_verified: bool,
    },
    /// It counted before, or another one of the same passkey at the same moment.
    UsedBefore,
}

/// Judges an answer by the passkey it is of, and uses it up.
///
/// # Errors
/// When the database fails. Why the answer is not right is in the result.
pub(crate) async fn take(
    app: &App,
    cx: &Cx,
    asked: &AskedFor,
    answer: &Answer,
    user: &User,
    stored: &Stored,
) -> Result<std::result::Result<Taken, Refusal>> {
    let Proved { after, user_verified } = match asker(app)?.judge(asked, answer, &Key::read(&stored.secret)?) {
        Ok(proved) => proved,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let after = after.map(|key| key.to_text()).transpose()?;
    let (id, before, mark) = (stored.authenticator.id, stored.secret.clone(), asked.mark());
    let (cx, user) = (cx.clone(), user.clone());
    let first = app
        .db()
        .write(move |mut tx| {
            let mut first = note_answered(&mut tx, &cx, &user, &mark)?;
            if first && let Some(after) = &after {
                // Where the counter has moved on meanwhile, two answers came at once; one of them counts.
                first = store::authenticators::set_secret(&mut tx, id, &before, after)?;
            }
            Ok::<_, Error>(tx.unaudited("the sign-in that it is for has its event", first)?)
        })
        .await?;
    Ok(Ok(if first { Taken::Right { user_verified } } else { Taken::UsedBefore }))
}

/// A passkey that a signed-in user is about to add.
#[derive(Serialize, Deserialize)]
struct Adding {
    making: Making,
    /// It belongs to this session alone.
    session: SessionId,
    expires_at: Timestamp,
}

/// What the page needs on which a user adds a passkey.
pub struct AddPage {
    /// What the browser is given, as JSON.
    pub options: String,
    /// What the page sends back with the answer.
    pub state: String,
}

fn purpose(realm: &RealmState) -> String {
    format!("add-passkey {}", realm.realm.id)
}

/// The user's own passkeys.
///
/// # Errors
/// When the database fails.
pub async fn list_own(app: &App, signed_in: &SignedIn) -> Result<Vec<Authenticator>> {
    let (realm, user) = (signed_in.user.realm_id, signed_in.user.id);
    let all = app.db().peek(move |tx| Ok::<_, Error>(store::authenticators::list(tx, realm, user)?)).await?;
    Ok(all.into_iter().filter(|one| one.kind == AuthenticatorType::Passkey).collect())
}

/// Begins to add a passkey to the user's own.
///
/// # Errors
/// When the public address is none that passkeys can belong to.
pub async fn begin_own(app: &App, cx: &Cx, realm: &RealmState, fresh: &Fresh) -> Result<AddPage> {
    let signed_in = fresh.signed_in();
    let making = ask_to_make(app, realm, &signed_in.user).await?;
    let options = making.options();
    let adding = Adding { making, session: signed_in.session.id, expires_at: cx.now.plus(ADD_WITHIN) };
    let plain = serde_json::to_vec(&adding).map_err(|error| Error::internal(error.to_string()))?;
    Ok(AddPage { options, state: app.sealer().seal(&purpose(realm), plain) })
}

/// Adds the passkey that the browser has made; or answers the locale's id of what was wrong with it.
///
/// # Errors
/// When the page was too old or another session's, or their session has ended.
pub async fn finish_own(
    app: &App,
    cx: &Cx,
    realm: &RealmState,
    fresh: &Fresh,
    state: &str,
    answer: &str,
) -> Result<std::result::Result<(), &'static str>> {
    let signed_in = fresh.signed_in();
    let too_old = || Error::conflict("flow-expired", "This page is too old. Open it again.");
    let plain = app.sealer().open(&purpose(realm), state).map_err(|_| too_old())?;
    let adding: Adding = serde_json::from_slice(&plain).map_err(|_| too_old())?;
    if adding.session != signed_in.session.id || adding.expires_at <= cx.now {
        return Err(too_old());
    }
    let user = signed_in.user.clone();
    let own = cx.acting_as(Actor::User(user.id, user.display_name().to_owned()));
    let new = match prepare(app, cx, &user, &adding.making, answer)? {
        Ok(new) => new,
        Err(why) => return refused(app, &own, &user, adding.session, why).await,
    };
    let (app2, cx2, who, realm) = (app.clone(), own.clone(), signed_in.clone(), realm.realm.clone());
    let kept = app
        .write(cx, move |mut tx| {
            let user = present(&mut tx, &cx2, &who)?;
            match insert_in(&mut tx, &app2, &cx2, &user, &new)? {
                Ok(mut event) => {
                    close_in(&mut tx, user.id, ResetKind::Passkey)?;
                    event.session_id = Some(adding.session);
                    tell(&mut tx, (&app2, &cx2, &realm), &user, Notice::Added(AuthenticatorType::Passkey))?;
                    Ok(tx.commit(Events::from(event), Ok(()))?)
                }
                Err(why) => Ok(tx.unaudited("the refusal has its event", Err(why))?),
            }
        })
        .await?;
    match kept {
        Ok(()) => Ok(Ok(())),
        Err(why) => refused(app, &own, &user, adding.session, why).await,
    }
}

async fn refused(
    app: &App,
    own: &Cx,
    user: &User,
    session: SessionId,
    why: NotKept,
) -> Result<std::result::Result<(), &'static str>> {
    let event = NewEvent { session_id: Some(session), ..not_kept(app, own, user, why) };
    app.write(own, move |tx| Ok(tx.commit(Events::from(event.clone()), ())?)).await?;
    Ok(Err(why.text()))
}

/// The event of a registration that failed.
pub(crate) fn not_kept(app: &App, cx: &Cx, user: &User, why: NotKept) -> NewEvent {
    cx.user_event(app, EventType::UserAuthenticatorRegistered, user)
        .failed(why.reason())
        .detail("method", AuthenticatorType::Passkey.as_str())
        .detail("device", device_label(cx.user_agent.as_deref().unwrap_or("")))
}

#[cfg(test)]
mod tests {
    use super::free_label;

    #[test]
    fn labels_tell_passkeys_of_one_provider_apart() {
        assert_eq!(free_label(&[], "1Password"), "1Password");
        assert_eq!(free_label(&["1Password", "1Password 2"], "1Password"), "1Password 3");
    }
}
