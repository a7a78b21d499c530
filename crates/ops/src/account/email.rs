//! One's own address: a new one takes effect when its holder has opened the link that is mailed to it, and the old one
//! is told.

use std::time::Duration;

use denizen_model::{
    Timestamp, UserId,
    events::{EventType, NewEvent},
    messages::Template,
    users::{User, VerificationState},
    validation::FieldErrors,
};
use denizen_store::{self as store, Events, WriteTx};
use serde::{Deserialize, Serialize};

use super::{
    Fresh, event,
    notices::{Notice, tell},
    own, present, within,
};
use crate::{
    App, Cx, Error, RealmState, Result,
    action_tokens::{self, Fresh as Link, Purpose},
    crypto::hash_token,
    cx::Detail,
    messages::{self, Draft},
    sessions::SignedIn,
    users::{differences, drop_links, request_verification_in, store_in},
};

/// How many mails of this kind one user may cause in an [`HOUR`], so that nobody fills mailboxes by way of their account.
const MAILS: usize = 5;
const HOUR: Duration = Duration::from_secs(3600);

/// What the link in a mail changes.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct NewAddress {
    email: String,
}

/// An address that waits for its holder to confirm it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The address.
    pub email: String,
    /// When its link stops working.
    pub expires_at: Timestamp,
}

/// The address that the user wants to have and has not confirmed yet.
///
/// # Errors
/// When the database fails.
pub async fn find_pending(app: &App, cx: &Cx, signed_in: &SignedIn) -> Result<Option<Pending>> {
    let (user, now) = (signed_in.user.id, cx.now);
    let found =
        app.db().peek(move |tx| action_tokens::find_of_user::<NewAddress>(tx, user, Purpose::ChangeEmail, now)).await?;
    Ok(found.map(|(data, expires_at)| Pending { email: data.email, expires_at }))
}

/// Whether the user has caused so many mails lately that no more go out.
fn is_enough(tx: &mut WriteTx<'_>, user: &User, now: Timestamp) -> Result<bool> {
    let latest = store::messages::list_of(tx, user.realm_id, user.id, None, 50)?;
    let since = now.minus(HOUR);
    let sent = latest.iter().filter(|message| message.template == Template::VerifyEmail && message.created_at > since);
    Ok(sent.count() >= MAILS)
}

fn enough() -> Error {
    Error::field("email", "account.email.enough")
}

/// Mails a link to the address that the user wants to have. Until it is opened the present one stays. A link to another
/// address that was sent before stops working.
///
/// # Errors
/// When the text is no address, it is the user's own and confirmed, or too many mails were asked for.
pub async fn ask_to_change(app: &App, cx: &Cx, realm: &RealmState, fresh: &Fresh, email: &str) -> Result<()> {
    let email = email.trim().to_owned();
    let mut errors = FieldErrors::new();
    errors.email("email", &email);
    errors.into_result()?;
    let signed_in = fresh.0.clone();
    let (app2, own, realm) = (app.clone(), own(cx, &signed_in.user), realm.realm.clone());
    app.write(cx, move |mut tx| {
        let user = present(&mut tx, &own, &signed_in)?;
        if user.email.as_deref() == Some(email.as_str()) && user.email_state == VerificationState::Verified {
            return Err(Error::field("email", "account.email.same"));
        }
        if is_enough(&mut tx, &user, own.now)? {
            return Err(enough());
        }
        drop_changes(&mut tx, user.id)?;
        let link = Link::new(&app2, own.now, Purpose::ChangeEmail.valid_for());
        let data = NewAddress { email: email.clone() };
        action_tokens::store_in(&mut tx, &own, realm.id, Some(user.id), Purpose::ChangeEmail, &link, &data)?;
        let draft = Draft {
            user_id: Some(user.id),
            invitation_id: None,
            to: &email,
            locale: user.locale.as_deref(),
            zone: user.zoneinfo.as_deref(),
            template: Template::VerifyEmail,
            path: &format!("change-email?token={}", link.expose()),
            more: &[],
            expires_at: Some(link.expires_at),
        };
        messages::enqueue(&mut tx, &app2, &messages::prepare(&app2, &own, &realm, &draft)?)?;
        let event = event(&app2, &own, EventType::UserEmailVerificationRequested, &user, &signed_in);
        Ok(tx.commit(Events::from(event.detail("email", email.as_str())), ())?)
    })
    .await
}

/// Takes back that the address is to be changed: the link that was mailed stops working.
///
/// # Errors
/// When nothing waits.
pub async fn cancel_change(app: &App, cx: &Cx, signed_in: &SignedIn) -> Result<()> {
    let (app2, own, signed_in) = (app.clone(), own(cx, &signed_in.user), signed_in.clone());
    app.write(cx, move |mut tx| {
        let user = present(&mut tx, &own, &signed_in)?;
        let waiting = action_tokens::find_of_user::<NewAddress>(&mut tx, user.id, Purpose::ChangeEmail, own.now)?;
        let Some((waiting, _)) = waiting else { return Ok(tx.unaudited("nothing waited", ())?) };
        drop_changes(&mut tx, user.id)?;
        let event = event(&app2, &own, EventType::UserEmailVerificationCancelled, &user, &signed_in);
        Ok(tx.commit(Events::from(event.detail("email", waiting.email)), ())?)
    })
    .await
}

/// Makes links to new addresses stop working, and takes back mails with them that still wait.
pub(crate) fn drop_changes(tx: &mut WriteTx<'_>, user: UserId) -> Result<()> {
    store::action_tokens::drop_of_user(tx, user, Purpose::ChangeEmail.as_str())?;
    Ok(store::messages::supersede_of_user(tx, user, Template::VerifyEmail, messages::SUPERSEDED)?)
}

/// Sends the mail again that confirms the user's present address.
///
/// # Errors
/// When there is none, it is confirmed, or too many mails were asked for.
pub async fn ask_to_confirm(app: &App, cx: &Cx, realm: &RealmState, signed_in: &SignedIn) -> Result<()> {
    let (app2, own, signed_in) = (app.clone(), own(cx, &signed_in.user), signed_in.clone());
    let realm = realm.realm.clone();
    app.write(cx, move |mut tx| {
        let before = present(&mut tx, &own, &signed_in)?;
        if !super::profile::email_is_unconfirmed(&before) {
            return Err(Error::conflict("nothing-to-confirm", "There is nothing to be confirmed."));
        }
        if is_enough(&mut tx, &before, own.now)? {
            return Err(enough());
        }
        let user = User { email_state: VerificationState::VerificationRequested, ..before.clone() };
        let asked = within(request_verification_in(&mut tx, &app2, &own, &realm, &user)?, &signed_in);
        if user != before {
            store_in(&mut tx, &own, &before, user)?;
        }
        Ok(tx.commit(Events::from(asked), ())?)
    })
    .await
}

/// The address that a link makes somebody's. Looking does not use it up.
///
/// # Errors
/// When the link does not work.
pub async fn find_new_address(app: &App, cx: &Cx, realm: &RealmState, token: &str) -> Result<String> {
    let found = action_tokens::find::<NewAddress>(app, realm.realm.id, Purpose::ChangeEmail, token, cx.now).await?;
    found.map(|opened| opened.data.email).ok_or_else(action_tokens::gone)
}

/// Uses a link: the address it was sent to is its user's from now on, and confirmed.
///
/// # Errors
/// When the link does not work, or the address is another user's by now.
pub async fn confirm_change(app: &App, cx: &Cx, realm: &RealmState, token: &str) -> Result<User> {
    let (app2, cx2, id, hash) = (app.clone(), cx.clone(), realm.realm.id, hash_token(token));
    let realm2 = realm.realm.clone();
    app.write(cx, move |mut tx| {
        let opened = action_tokens::use_up::<NewAddress>(&mut tx, id, Purpose::ChangeEmail, &hash, cx2.now)?;
        let Some((user_id, data)) = opened.and_then(|opened| Some((opened.user_id?, opened.data))) else {
            return Err(action_tokens::gone());
        };
        let before = store::users::find(&mut tx, id, user_id)?.filter(|user| user.enabled);
        let before = before.ok_or_else(action_tokens::gone)?;
        // Whoever opened the link reads the mail of that address, so they may know that there is an account with it.
        if store::users::is_address_of_another(&mut tx, id, &data.email, user_id)? {
            return Err(Error::conflict("address-taken", "Another account has this address."));
        }
        drop_links(&mut tx, user_id)?;
        let user = User { email: Some(data.email), email_state: VerificationState::Verified, ..before.clone() };
        let own = own(&cx2, &user);
        let changes = differences(&before, &user);
        let made = |kind| -> NewEvent { own.user_event(&app2, kind, &user) };
        let updated = made(EventType::UserUpdated).detail("changes", changes).detail("method", "link");
        let verified = made(EventType::UserEmailVerified)
            .detail("email", user.email.as_deref().unwrap_or_default())
            .detail("method", "link");
        if let Some(old) = before.email.as_deref().filter(|old| Some(*old) != user.email.as_deref()) {
            tell(&mut tx, (&app2, &own, &realm2), &user, Notice::EmailChangedFrom(old))?;
        }
        let user = store_in(&mut tx, &own, &before, user)?;
        Ok(tx.commit(Events::new(updated, vec![verified]), user)?)
    })
    .await
}
