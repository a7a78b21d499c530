//! Registering oneself (PRODUCT §5): an address is asked for, a mail goes there, its link leads on.
//!
//! Whether an account exists is told to nobody but the holder of the address: whatever is typed, one mail goes out,
//! and the page says the same.

use std::time::Duration;

use denizen_model::{
    events::NewEvent, locales::Language, messages::Template, users::NewHuman, validation::FieldErrors,
};
use denizen_store::{self as store, Events};
use serde::{Deserialize, Serialize};

use super::enrol::Ready;
pub use super::enrol::{Enrolled, Typed};
use crate::{
    App, Cx, Error, RealmState, Result,
    action_tokens::{self, Fresh, Opened, Purpose},
    crypto::{Prefix, Secret, Token, hash_token},
    messages::{self, Draft},
    oauth::authorize::Request,
};

/// How many mails of this kind go to one address in an [`HOUR`], so that nobody can fill somebody's mailbox.
const MAILS: u64 = 3;
const HOUR: Duration = Duration::from_secs(3600);

/// A registration whose mail is under way.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Pending {
    email: String,
    /// What the client asked for that the person came from.
    request: Option<Request>,
    /// The hash of a cookie of the browser in which it began: only there does the client know what to do with a code.
    browser: String,
}

fn check_on(realm: &RealmState) -> Result<()> {
    if realm.realm.settings.self_registration { Ok(()) } else { Err(Error::not_found("page")) }
}

/// Sends a mail to the address: with a link that leads on, or, where there is an account, one that says so. Answers a
/// cookie for the browser.
///
/// # Errors
/// When the realm does not let people register, or the text is no address.
pub async fn ask(app: &App, cx: &Cx, realm: &RealmState, email: &str, request: Option<Request>) -> Result<Secret> {
    check_on(realm)?;
    let email = email.trim().to_owned();
    let mut errors = FieldErrors::new();
    errors.email("email", &email);
    errors.into_result()?;
    let cookie = Token::generate(app.rng(), Prefix::Bare);
    let pending = Pending { email, request, browser: cookie.hash() };
    let (app2, cx2, realm) = (app.clone(), cx.clone(), realm.realm.clone());
    app.write(cx, move |mut tx| {
        let to = pending.email.as_str();
        let since = cx2.now.minus(HOUR);
        let mut sent = 0;
        for template in [Template::Register, Template::AccountExists] {
            sent += store::messages::count_to(&mut tx, realm.id, to, template, since)?;
        }
        if sent >= MAILS {
            return Ok(tx.unaudited("enough mails went to this address", ())?);
        }
        let user = store::invitations::find_user_at(&mut tx, realm.id, to)?;
        let account = user.map(|id| store::users::find(&mut tx, realm.id, id)).transpose()?.flatten();
        let locale = account.as_ref().and_then(|user| user.locale.as_deref());
        let fresh = Fresh::new(&app2, cx2.now, Purpose::Register.valid_for());
        let going_on = format!("register/complete?token={}", fresh.expose());
        let draft = Draft {
            user_id: user,
            invitation_id: None,
            to,
            locale: locale.or(cx2.language.map(Language::as_str)),
            zone: account.as_ref().and_then(|user| user.zoneinfo.as_deref()),
            template: if user.is_some() { Template::AccountExists } else { Template::Register },
            path: if user.is_some() { "account" } else { &going_on },
            more: &[],
            expires_at: user.is_none().then_some(fresh.expires_at),
        };
        if user.is_none() {
            action_tokens::store_in(&mut tx, &cx2, realm.id, None, Purpose::Register, &fresh, &pending)?;
        }
        messages::enqueue(&mut tx, &app2, &messages::prepare(&app2, &cx2, &realm, &draft)?)?;
        Ok(tx.unaudited("a mail to somebody who is nobody yet; sending it and making the account have events", ())?)
    })
    .await?;
    Ok(cookie.into_secret())
}

async fn find(app: &App, cx: &Cx, realm: &RealmState, token: &str) -> Result<Pending> {
    check_on(realm)?;
    let found = action_tokens::find::<Pending>(app, realm.realm.id, Purpose::Register, token, cx.now).await?;
    found.map(|opened| opened.data).ok_or_else(action_tokens::gone)
}

/// The address that a registration's link was sent to. Looking does not use it up.
///
/// # Errors
/// When the link does not work.
pub async fn find_address(app: &App, cx: &Cx, realm: &RealmState, token: &str) -> Result<String> {
    Ok(find(app, cx, realm, token).await?.email)
}

/// Makes the account. Answers who came of it, and what the client had asked for where this is the browser in which
/// it began.
///
/// # Errors
/// When the link does not work, a field is not acceptable, or there is an account by now.
pub async fn complete(
    app: &App,
    cx: &Cx,
    realm: &RealmState,
    token: &str,
    cookie: Option<&str>,
    typed: Typed,
) -> Result<(Enrolled, Option<Request>)> {
    let pending = find(app, cx, realm, token).await?;
    let new = NewHuman {
        email: Some(pending.email),
        given_name: Some(typed.given_name),
        family_name: Some(typed.family_name),
        locale: cx.language.map(|language| language.to_string()),
        ..NewHuman::default()
    };
    let ready = Ready::check(app, cx, &realm.realm, new, typed.password).await?;
    let enrolled = ready.enrolled();
    let (app2, cx2, id, hash) = (app.clone(), cx.clone(), realm.realm.id, hash_token(token));
    let client = pending.request.as_ref().map(|request| request.client_id.clone());
    app.write(cx, move |mut tx| {
        let used: Option<Opened<Pending>> = action_tokens::use_up(&mut tx, id, Purpose::Register, &hash, cx2.now)?;
        if used.is_none() {
            return Err(action_tokens::gone());
        }
        let (created, more) = ready.store_in(&mut tx, &app2, &ready.own(&cx2), "registration")?;
        let through = |event| NewEvent { client_id: client.clone(), ..event };
        Ok(tx.commit(Events::new(through(created), more.into_iter().map(through).collect::<Vec<_>>()), ())?)
    })
    .await?;
    let same = cookie.is_some_and(|cookie| hash_token(cookie) == pending.browser);
    Ok((enrolled, pending.request.filter(|_| same)))
}
