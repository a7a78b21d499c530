//! A forgotten password (PRODUCT §7, §15): a link goes to the address of whoever is named, and leads to the page of
//! [`reset`](super::reset). The person who asks is told the same whatever name they type.

use std::{sync::Arc, time::Duration};

use denizen_model::{
    authenticators::AuthenticatorType, events::EventType, messages::Template, reset_requests::ResetKind, users::User,
};
use denizen_store::{self as store, Events};

use super::{
    reset::{self, ResetLink},
    rules::barriers,
    sign_in::{Flow, Unsent, note_unsent},
};
use crate::{
    App, Cx, Error, RealmState, Result,
    crypto::{Prefix, Secret, Token},
    cx::Detail,
    messages::{
        self,
        drafts::{self, Reader},
    },
};

/// How long a link works that somebody asked for themselves.
const VALID_FOR: Duration = Duration::from_secs(3600);
/// So many such mails go to one address in an [`HOUR`].
const AT_MOST: u64 = 3;
const HOUR: Duration = Duration::from_secs(3600);

/// Whether the sign-in pages offer it.
#[must_use]
pub fn is_offered(app: &App, realm: &RealmState) -> bool {
    app.sends_mail() && realm.realm.settings.sign_in_methods.contains(&AuthenticatorType::Password)
}

/// Sends the link. Answers a cookie for the browser, in which the link leads back to the client that the person came
/// from; nothing where too much was asked for from there.
///
/// # Errors
/// When the realm offers no such thing.
pub async fn ask(app: &App, cx: &Cx, realm: &Arc<RealmState>, flow: &Flow) -> Result<Option<Secret>> {
    if !is_offered(app, realm) {
        return Err(Error::not_found("page"));
    }
    if app.limits().holds(cx.ip, cx.now) || app.sent_from().holds(cx.ip, cx.now) {
        return Ok(None);
    }
    app.sent_from().note_failure(cx.ip, cx.now);
    let cookie = Token::generate(app.rng(), Prefix::Bare);
    let (id, typed) = (realm.realm.id, flow.identifier.clone().unwrap_or_default());
    let user = app.db().peek(move |tx| Ok::<_, Error>(store::users::find_by_identifier(tx, id, &typed)?)).await?;
    let sent = match &user {
        None => Err(Unsent::Nobody),
        Some(user) => deliver(app, cx, realm, flow, user, cookie.hash()).await?,
    };
    if let Err(why) = sent {
        note_unsent(app, cx, realm, flow, user.as_ref(), why).await?;
    }
    Ok(Some(cookie.into_secret()))
}

async fn deliver(
    app: &App,
    cx: &Cx,
    realm: &RealmState,
    flow: &Flow,
    user: &User,
    browser: String,
) -> Result<std::result::Result<(), Unsent>> {
    if let Some(barrier) = barriers(user).next() {
        return Ok(Err(Unsent::Barred(barrier)));
    }
    let Some(email) = user.email.clone() else { return Ok(Err(Unsent::NoAddress)) };
    let request = flow.request.clone();
    let (app2, cx2, place, user) = (app.clone(), cx.clone(), realm.realm.clone(), user.clone());
    app.write(cx, move |mut tx| {
        let since = cx2.now.minus(HOUR);
        if store::messages::count_to(&mut tx, place.id, &email, Template::ResetPassword, since)? >= AT_MOST {
            return Ok(tx.unaudited("the failure has its event", Err(Unsent::TooMany))?);
        }
        let link = ResetLink {
            email: Some(email.clone()),
            reset_request: None,
            request: request.clone(),
            browser: Some(browser.clone()),
        };
        let made = reset::make_in(&mut tx, &app2, &cx2, &user, ResetKind::Password, &link, VALID_FOR)?;
        let (of, reader) = ((&app2, &cx2, &place), Reader::of(&user, &email));
        let prepared = drafts::reset_password(of, reader, &made.path, made.expires_at)?;
        messages::enqueue(&mut tx, &app2, &prepared)?;
        // Anybody can ask for anybody: nobody is signed in whose act it would be.
        let mut event = cx2.user_event(&app2, EventType::UserForgotPassword, &user).detail("method", "mail");
        event.client_id = request.as_ref().map(|request| request.client_id.clone());
        Ok(tx.commit(Events::from(event), Ok(()))?)
    })
    .await
}
