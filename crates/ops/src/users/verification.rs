//! Verifying an email by a link that is mailed to it (PRODUCT §3).

use denizen_model::{
    UserId,
    events::{EventType, NewEvent},
    messages::Template,
    permissions::markers::UsersWrite,
    realms::Realm,
    users::{User, UserPatch, VerificationState},
};
use denizen_store::{self as store, Events, WriteTx};
use serde::{Deserialize, Serialize};

use super::update::update;
use crate::{
    Actor, App, Cx, Error, May, RealmState, Result,
    action_tokens::{self, Fresh, Purpose},
    crypto::hash_token,
    cx::Detail,
    messages::{self, Draft},
};

/// What a link is for: it verifies the address it was sent to and no other.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Address {
    email: String,
}

/// Sends a mail with a link that verifies the user's email. Links sent before stop working.
///
/// # Errors
/// When there is no such user, they have no email, or they are somebody the actor has no power over.
pub async fn request_email_verification(app: &App, cx: &Cx, may: May<UsersWrite>, id: UserId) -> Result<User> {
    let patch = UserPatch { email_state: Some(VerificationState::VerificationRequested), ..UserPatch::default() };
    update(app, cx, may, id, patch, None).await
}

/// Makes the link and the mail in the transaction of the change that asks for them; answers the event.
pub(crate) fn request(tx: &mut WriteTx<'_>, app: &App, cx: &Cx, realm: &Realm, user: &User) -> Result<NewEvent> {
    let email = user.email.as_deref().ok_or_else(|| Error::internal("no email to verify"))?;
    drop_links(tx, user.id)?;
    let fresh = Fresh::new(app, cx.now, Purpose::VerifyEmail.valid_for());
    let address = Address { email: email.to_owned() };
    action_tokens::store_in(tx, cx, realm.id, Some(user.id), Purpose::VerifyEmail, &fresh, &address)?;
    let draft = Draft {
        user_id: Some(user.id),
        invitation_id: None,
        to: email,
        locale: user.locale.as_deref(),
        zone: user.zoneinfo.as_deref(),
        template: Template::VerifyEmail,
        path: &format!("verify-email?token={}", fresh.expose()),
        more: &[],
        expires_at: Some(fresh.expires_at),
    };
    messages::enqueue(tx, app, &messages::prepare(app, cx, realm, &draft)?)?;
    Ok(cx.user_event(app, EventType::UserEmailVerificationRequested, user).detail("email", email))
}

/// Makes links sent before stop working, and takes back mails with them that still wait.
pub(crate) fn drop_links(tx: &mut WriteTx<'_>, user: UserId) -> Result<()> {
    store::action_tokens::drop_of_user(tx, user, Purpose::VerifyEmail.as_str())?;
    Ok(store::messages::supersede_of_user(tx, user, Template::VerifyEmail, messages::SUPERSEDED)?)
}

/// The address that a link verifies. Looking does not use it up.
///
/// # Errors
/// When the link does not work.
pub async fn find_email_to_verify(app: &App, cx: &Cx, realm: &RealmState, token: &str) -> Result<String> {
    let found = action_tokens::find::<Address>(app, realm.realm.id, Purpose::VerifyEmail, token, cx.now).await?;
    found.map(|opened| opened.data.email).ok_or_else(action_tokens::gone)
}

/// Uses a link: the address it was sent to is verified, if it is still the user's.
///
/// # Errors
/// When the link does not work.
pub async fn confirm_email(app: &App, cx: &Cx, realm: &RealmState, token: &str) -> Result<User> {
    let (app2, cx2, id, hash) = (app.clone(), cx.clone(), realm.realm.id, hash_token(token));
    app.write(cx, move |mut tx| {
        let opened = action_tokens::use_up::<Address>(&mut tx, id, Purpose::VerifyEmail, &hash, cx2.now)?;
        let Some((user_id, data)) = opened.and_then(|opened| Some((opened.user_id?, opened.data))) else {
            return Err(action_tokens::gone());
        };
        let before = store::users::find(&mut tx, id, user_id)?.ok_or_else(action_tokens::gone)?;
        if before.email.as_deref() != Some(data.email.as_str()) {
            return Err(action_tokens::gone());
        }
        let mut user = User { email_state: VerificationState::Verified, updated_at: cx2.now, ..before.clone() };
        if !store::users::update(&mut tx, &before, &user)? {
            return Err(Error::changed());
        }
        user.version = before.version + 1;
        // Whoever opened the link has read the user's mail.
        let own = cx2.acting_as(Actor::User(user.id, user.display_name().to_owned()));
        let event = own
            .user_event(&app2, EventType::UserEmailVerified, &user)
            .detail("email", data.email)
            .detail("method", "link");
        Ok(tx.commit(Events::from(event), user)?)
    })
    .await
}
