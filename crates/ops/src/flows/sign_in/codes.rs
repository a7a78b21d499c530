//! Codes and links that go to a user's address: ways to sign in, and codes as the second factor too (PRODUCT §7, §16).
//!
//! A code is typed into the browser that asked for it: half of what is looked up is a secret in the sealed flow of that
//! page, so that a code alone, overheard or guessed, is worth nothing elsewhere. A link works in any browser, but only
//! the one that asked for it is led on to the client.
//!
//! Whatever name is typed, the page says that something was sent, after one transaction either way: for a name that
//! is nobody's it records the failure.

use std::{sync::Arc, time::Duration};

use denizen_model::{
    AuthenticatorId, RealmId, Timestamp, UserId,
    authenticators::{Authenticator, AuthenticatorType},
    events::{EventType, NewEvent},
    messages::Template,
    realms::RealmSettings,
    users::{User, VerificationState},
    validation::FieldErrors,
};
use denizen_store::{self as store, Events, ReadTx, WriteTx, one_time_codes::NewCode};
use serde::{Deserialize, Serialize};

use super::{
    Flow, Step,
    actions::client_of,
    advance::{advance, standing},
    failures::{Attempt, Reason, complete},
    flow_expired,
};
use crate::{
    Actor, App, Cx, Error, RealmState, Result,
    action_tokens::{self, Dead, Fresh, Opened, Purpose},
    authenticators::with_addresses,
    crypto::{Prefix, Rng, Secret, Token, hash_token},
    cx::Detail,
    flows::rules::{Next, Used, barriers},
    messages::{
        self,
        drafts::{self, Reader},
    },
    oauth::authorize::Request,
};

/// How long a code works, and a link.
pub(super) const VALID_FOR: Duration = Duration::from_secs(600);
/// So many go to one address in an [`HOUR`], by each way, so that nobody can fill somebody's mailbox.
pub(crate) const AT_MOST: u64 = 6;
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// What was sent, as the page knows it that waits for it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Sent {
    id: AuthenticatorId,
    kind: AuthenticatorType,
    /// The browser's half of what is looked up.
    secret: String,
}

impl Sent {
    /// What is about to be sent.
    pub(super) fn new(app: &App, cx: &Cx, kind: AuthenticatorType) -> Self {
        let secret = Token::generate(app.rng(), Prefix::Bare);
        Self { id: AuthenticatorId::new(cx.now, app.id_bytes()), kind, secret: secret.expose().to_owned() }
    }

    pub(super) fn id(&self) -> AuthenticatorId {
        self.id
    }

    pub(super) fn kind(&self) -> AuthenticatorType {
        self.kind
    }

    pub(super) fn hash(&self, code: &str) -> String {
        // People copy codes with blanks, and some keyboards write full-width digits.
        let digits = code.chars().filter(|c| !c.is_whitespace() && *c != '-');
        let digits = digits.map(|c| match c {
            '\u{ff10}'..='\u{ff19}' => char::from_u32(u32::from(c) - 0xff10 + 0x30).unwrap_or(c),
            '\u{660}'..='\u{669}' => char::from_u32(u32::from(c) - 0x660 + 0x30).unwrap_or(c),
            c => c,
        });
        hash_token(&format!("{}.{}", self.secret, digits.collect::<String>()))
    }
}

/// What a link carries beside whose it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct SignInLink {
    email: String,
    request: Option<Request>,
    /// The hash of a cookie of the browser in which it was asked for.
    browser: String,
}

/// Six digits, each number as likely as any other.
pub(super) fn six_digits(rng: &Rng) -> Secret {
    // 4 294 000 000 is the largest multiple of a million below 2^32; what is above is drawn again.
    loop {
        let number = u32::from_be_bytes(rng.bytes::<4>());
        if number < 4_294_000_000 {
            return Secret::new(format!("{:06}", number % 1_000_000));
        }
    }
}

/// Whether the server can send what this way needs.
#[must_use]
pub fn can_send(app: &App, kind: AuthenticatorType) -> bool {
    match kind {
        AuthenticatorType::EmailCode | AuthenticatorType::MagicLink => app.sends_mail(),
        AuthenticatorType::SmsCode => app.sms_configured(),
        _ => false,
    }
}

/// The ways to sign in by something that is sent, that a realm offers: the same for every name that is typed.
#[must_use]
pub fn sent_ways(app: &App, realm: &RealmState) -> Vec<AuthenticatorType> {
    let methods = realm.realm.settings.sign_in_methods.iter().copied();
    methods.filter(|kind| kind.comes_with_address() && can_send(app, *kind)).collect()
}

pub(crate) fn template(kind: AuthenticatorType) -> Template {
    match kind {
        AuthenticatorType::MagicLink => Template::MagicLink,
        AuthenticatorType::SmsCode => Template::SmsCode,
        _ => Template::EmailCode,
    }
}

/// Where this way sends to.
pub(crate) fn address(user: &User, kind: AuthenticatorType) -> Option<&str> {
    match kind {
        AuthenticatorType::SmsCode => user.phone.as_deref(),
        _ => user.email.as_deref(),
    }
}

/// The user's own authenticator of a kind, if it may be used now.
fn usable_in(
    tx: &mut ReadTx<'_>,
    settings: &RealmSettings,
    user: &User,
    kind: AuthenticatorType,
    now: Timestamp,
) -> Result<Option<Authenticator>> {
    let rows = store::authenticators::list(tx, user.realm_id, user.id)?;
    let all = with_addresses(rows, user, settings);
    Ok(all.into_iter().find(|one| one.kind == kind && one.is_usable(now)))
}

/// Whose address it would go to: whom the flow names, or who has proved a first factor already.
async fn asker(
    app: &App,
    cx: &Cx,
    realm: &Arc<RealmState>,
    flow: &Flow,
    kind: AuthenticatorType,
) -> Result<std::result::Result<Option<User>, Step>> {
    if flow.is_proved() {
        let (standing, remembered) = standing(app, cx, realm, flow).await?;
        let proof = flow.proof.as_ref().ok_or_else(flow_expired)?;
        let satisfied = proof.satisfied || remembered;
        return match standing.next(&realm.realm.settings, &proof.used, satisfied, cx.now) {
            Next::SecondFactor(kinds) if kinds.contains(&kind) => Ok(Ok(Some(standing.user))),
            Next::SecondFactor(_) => Err(flow_expired()),
            _ => advance(app, cx, realm, flow.clone()).await.map(Err),
        };
    }
    if !sent_ways(app, realm).contains(&kind) {
        return Err(flow_expired());
    }
    let (id, typed) = (realm.realm.id, flow.identifier.clone().unwrap_or_default());
    let found = app.db().peek(move |tx| Ok::<_, Error>(store::users::find_by_identifier(tx, id, &typed)?)).await?;
    Ok(Ok(found))
}

/// Sends a code or a link. The answer is the same whether or not anything was sent.
///
/// # Errors
/// When this way is not offered here.
pub async fn send_step(
    app: &App,
    cx: &Cx,
    realm: &Arc<RealmState>,
    flow: Flow,
    kind: AuthenticatorType,
) -> Result<Step> {
    if !kind.comes_with_address() || !can_send(app, kind) {
        return Err(flow_expired());
    }
    let user = match asker(app, cx, realm, &flow, kind).await? {
        Ok(user) => user,
        Err(step) => return Ok(step),
    };
    let attempt = Attempt { app, cx, realm, flow: &flow, user: user.as_ref(), kind };
    if let Some(refusal) = attempt.refusal().await? {
        return Ok(refusal);
    }
    if app.sent_from().holds(cx.ip, cx.now) {
        return Ok(Step::Wrong(FieldErrors::one("code", "sign_in.too_many")));
    }
    app.sent_from().note_failure(cx.ip, cx.now);
    let sent = Sent::new(app, cx, kind);
    let cookie = (kind == AuthenticatorType::MagicLink).then(|| Token::generate(app.rng(), Prefix::Bare));
    let browser = cookie.as_ref().map(Token::hash);
    if let Err(reason) = deliver(app, cx, realm, user.as_ref(), &sent, flow.request.clone(), browser).await? {
        attempt.note(reason).await?;
    }
    let flow = Flow { sent: Some(sent), ..flow.without_questions() };
    Ok(Step::Sent(Box::new(flow), kind, cookie.map(Token::into_secret)))
}

/// Makes it and puts it into the queue; or why not.
async fn deliver(
    app: &App,
    cx: &Cx,
    realm: &RealmState,
    user: Option<&User>,
    sent: &Sent,
    request: Option<Request>,
    browser: Option<String>,
) -> Result<std::result::Result<(), Reason>> {
    let Some(user) = user else { return Ok(Err(Reason::UnknownUser)) };
    if let Some(barrier) = barriers(user).next() {
        return Ok(Err(Reason::Barred(barrier)));
    }
    let code = six_digits(app.rng());
    let hash = sent.hash(code.expose());
    let (app2, cx2, place, user, sent) = (app.clone(), cx.clone(), realm.realm.clone(), user.clone(), sent.clone());
    app.write(cx, move |mut tx| {
        let kind = sent.kind;
        let to = address(&user, kind).unwrap_or_default();
        if usable_in(&mut tx, &place.settings, &user, kind, cx2.now)?.is_none() {
            let reason = if to.is_empty() { Reason::NoAddress } else { Reason::NotUsable };
            return Ok(tx.unaudited("the failure has its event", Err(reason))?);
        }
        let since = cx2.now.minus(HOUR);
        if store::messages::count_to(&mut tx, place.id, to, template(kind), since)? >= AT_MOST {
            return Ok(tx.unaudited("the failure has its event", Err(Reason::TooManySent))?);
        }
        let expires_at = cx2.now.plus(VALID_FOR);
        let (of, reader) = ((&app2, &cx2, &place), Reader::of(&user, to));
        let prepared = match kind {
            AuthenticatorType::MagicLink => {
                let fresh = Fresh::new(&app2, cx2.now, VALID_FOR);
                let browser = browser.clone().unwrap_or_default();
                let link = SignInLink { email: to.to_owned(), request: request.clone(), browser };
                action_tokens::store_in(&mut tx, &cx2, place.id, Some(user.id), Purpose::SignIn, &fresh, &link)?;
                drafts::magic_link(of, reader, &format!("sign-in/link?token={}", fresh.expose()), expires_at)?
            }
            kind => {
                let new =
                    NewCode { id: sent.id, user_id: user.id, kind, destination: to, code_hash: &hash, expires_at };
                store::one_time_codes::insert(&mut tx, place.id, &new, cx2.now)?;
                match kind {
                    AuthenticatorType::SmsCode => drafts::sms_code(of, reader, code.expose(), expires_at)?,
                    _ => drafts::email_code(of, reader, code.expose(), expires_at)?,
                }
            }
        };
        messages::enqueue(&mut tx, &app2, &prepared)?;
        Ok(tx.unaudited("the message has its events, and the sign-in that it is for", Ok(()))?)
    })
    .await
}

/// Checks the code that was sent. `remember` keeps the browser from being asked for a second factor for a while.
///
/// # Errors
/// When none was asked for on this page, or the page asks for something else by now.
pub async fn check_code_step(
    app: &App,
    cx: &Cx,
    realm: &Arc<RealmState>,
    flow: Flow,
    code: Secret,
    remember: bool,
) -> Result<Step> {
    let sent = flow.sent.clone().filter(|sent| sent.kind != AuthenticatorType::MagicLink).ok_or_else(flow_expired)?;
    let (kind, second) = (sent.kind, flow.is_proved());
    let user = match asker(app, cx, realm, &flow, kind).await? {
        Ok(user) => user,
        Err(step) => return Ok(step),
    };
    let attempt = Attempt { app, cx, realm, flow: &flow, user: user.as_ref(), kind };
    if let Some(refusal) = attempt.refusal().await? {
        return Ok(refusal);
    }
    let (id, now, hash) = (realm.realm.id, cx.now, sent.hash(code.expose()));
    let (sent2, hash2, whose) = (sent.clone(), hash.clone(), user.as_ref().map(|user| user.id));
    let wrong = app.db().peek(move |tx| why_wrong(tx, id, whose, &sent2, &hash2, now)).await?;
    let Some(user) = &user else { return attempt.failed(Reason::UnknownUser).await };
    if let Some(reason) = wrong {
        return attempt.failed(reason).await;
    }
    if let Some(barrier) = barriers(user).next() {
        return attempt.failed(Reason::Barred(barrier)).await;
    }
    let client = client_of(&flow);
    let taken = take(app, cx, realm, user, (&sent, hash), client).await?;
    let authenticator = match taken {
        Ok(authenticator) => authenticator,
        Err(reason) => return attempt.failed(reason).await,
    };
    let begun = if second { flow } else { Flow { proof: None, ..flow } };
    let mut flow = Flow { sent: None, ..begun }.proved(cx.now, user.id, Used { id: authenticator, kind });
    if second && let Some(proof) = &mut flow.proof {
        proof.satisfied = true;
        proof.remember = remember;
    }
    advance(app, cx, realm, flow).await
}

/// Why a code that was typed does not count; nothing where it does. It is not used by that.
pub(super) fn why_wrong(
    tx: &mut ReadTx<'_>,
    realm: RealmId,
    whose: Option<UserId>,
    sent: &Sent,
    hash: &str,
    now: Timestamp,
) -> Result<Option<Reason>> {
    let found = store::one_time_codes::find(tx, realm, sent.id, hash)?;
    Ok(match found.filter(|code| Some(code.user_id) == whose) {
        None => Some(Reason::WrongCode),
        Some(code) if code.is_used => Some(Reason::UsedCode),
        Some(code) if code.expires_at <= now => Some(Reason::ExpiredCode),
        Some(_) => None,
    })
}

/// Uses the code up. Whoever read it has the address it went to.
async fn take(
    app: &App,
    cx: &Cx,
    realm: &RealmState,
    user: &User,
    (sent, hash): (&Sent, String),
    client: Option<String>,
) -> Result<std::result::Result<AuthenticatorId, Reason>> {
    let (app2, cx2, place, who, sent) = (app.clone(), cx.clone(), realm.realm.clone(), user.clone(), sent.clone());
    app.write(cx, move |mut tx| {
        let went_to = store::one_time_codes::use_up(&mut tx, place.id, who.id, sent.id, &hash, cx2.now)?;
        let Some(went_to) = went_to else {
            return Ok(tx.unaudited("the failure has its event", Err(Reason::UsedCode))?);
        };
        let user = store::users::find(&mut tx, place.id, who.id)?.ok_or_else(flow_expired)?;
        if address(&user, sent.kind) != Some(went_to.as_str()) {
            return Ok(tx.unaudited("the failure has its event", Err(Reason::AddressChanged))?);
        }
        let Some(authenticator) = usable_in(&mut tx, &place.settings, &user, sent.kind, cx2.now)? else {
            return Ok(tx.unaudited("the failure has its event", Err(Reason::NotUsable))?);
        };
        let own = cx2.acting_as(Actor::User(user.id, user.display_name().to_owned()));
        let confirmed = confirm_in(&mut tx, &app2, &own, &user, sent.kind, "code")?;
        Ok(match confirmed {
            Some(event) => tx.commit(Events::from(complete(event, client.as_deref(), None)), Ok(authenticator.id))?,
            None => tx.unaudited("the sign-in that it is for has its event", Ok(authenticator.id))?,
        })
    })
    .await
}

/// Takes the address for confirmed that something was sent to and read: its event, unless it was confirmed before.
pub(super) fn confirm_in(
    tx: &mut WriteTx<'_>,
    app: &App,
    own: &Cx,
    user: &User,
    kind: AuthenticatorType,
    method: &'static str,
) -> Result<Option<NewEvent>> {
    let mut confirmed = User { updated_at: own.now, ..user.clone() };
    let event = if kind == AuthenticatorType::SmsCode {
        confirmed.phone_state = VerificationState::Verified;
        EventType::UserPhoneVerified
    } else {
        confirmed.email_state = VerificationState::Verified;
        EventType::UserEmailVerified
    };
    if (user.email_state, user.phone_state) == (confirmed.email_state, confirmed.phone_state) {
        return Ok(None);
    }
    if !store::users::update(tx, user, &confirmed)? {
        return Err(Error::changed());
    }
    Ok(Some(own.user_event(app, event, user).detail("method", method)))
}

/// Whose link it is, if it may be followed.
fn holder(tx: &mut ReadTx<'_>, realm: RealmId, opened: &Opened<SignInLink>) -> Result<Option<User>> {
    let Some(id) = opened.user_id else { return Ok(None) };
    let user = store::users::find(tx, realm, id)?;
    Ok(user.filter(|user| user.email.as_deref() == Some(opened.data.email.as_str())))
}

/// The name that the page behind a link shows, and its reader's language. Looking does not use the link up.
///
/// # Errors
/// When the link does not work, whatever the reason.
pub async fn look_at_link(app: &App, cx: &Cx, realm: &RealmState, token: &str) -> Result<(String, Option<String>)> {
    let found = action_tokens::find::<SignInLink>(app, realm.realm.id, Purpose::SignIn, token, cx.now).await?;
    let id = realm.realm.id;
    let user = match found {
        Some(opened) => app.db().peek(move |tx| holder(tx, id, &opened)).await?,
        None => None,
    };
    match user {
        Some(user) => Ok((user.username, user.locale)),
        None => Err(refuse_link(app, cx, realm, token).await?),
    }
}

/// Counts and records, once, why a link that was one does not work; of a text that never was one nothing is known.
/// Answers what is said, which is the same for all.
async fn refuse_link(app: &App, cx: &Cx, realm: &RealmState, token: &str) -> Result<Error> {
    if !action_tokens::is_opened_anew(app, cx, token) {
        return Ok(action_tokens::gone());
    }
    let (id, now, secret) = (realm.realm.id, cx.now, token.to_owned());
    let known = app
        .db()
        .peek(move |tx| {
            if let Some((opened, why)) = action_tokens::find_dead::<SignInLink>(tx, id, Purpose::SignIn, &secret, now)?
            {
                let reason = match why {
                    Dead::Used => Reason::UsedLink,
                    Dead::Expired => Reason::ExpiredLink,
                };
                return Ok::<_, Error>(Some((opened, reason)));
            }
            let alive = action_tokens::find_in::<SignInLink>(tx, id, Purpose::SignIn, &secret, now)?;
            Ok(alive.map(|opened| (opened, Reason::AddressChanged)))
        })
        .await?;
    let known = known.and_then(|(opened, reason)| Some((opened.user_id?, opened.data.request, reason)));
    let Some((whose, request, reason)) = known else {
        app.limits().note_failure(cx.ip, cx.now);
        return Ok(action_tokens::gone());
    };
    let user = app.db().peek(move |tx| Ok::<_, Error>(store::users::find(tx, id, whose)?)).await?;
    let mut flow = Flow::new(cx.now, request, None);
    flow.identifier = user.as_ref().map(|user| user.username.clone());
    let kind = AuthenticatorType::MagicLink;
    Attempt { app, cx, realm, flow: &flow, user: user.as_ref(), kind }.note(reason).await?;
    Ok(action_tokens::gone())
}

/// Uses a link up, and signs in or asks for what is next. `flow` is of the browser's cookies; `cookie` is the one that it
/// was given where the link was asked for.
///
/// # Errors
/// When the link does not work, whatever the reason.
pub async fn follow_link_step(
    app: &App,
    cx: &Cx,
    realm: &Arc<RealmState>,
    token: &str,
    cookie: Option<&str>,
    browser: Flow,
) -> Result<Step> {
    let kind = AuthenticatorType::MagicLink;
    if !realm.realm.settings.sign_in_methods.contains(&kind) || Token::parse(token, Prefix::Bare).is_none() {
        return Err(action_tokens::gone());
    }
    // What does not work any more is told by the log; what stops working at this very moment is refused below.
    look_at_link(app, cx, realm, token).await?;
    let (app2, cx2, place, hash) = (app.clone(), cx.clone(), realm.realm.clone(), hash_token(token));
    let (user, link, usable) = app
        .write(cx, move |mut tx| {
            let opened = action_tokens::use_up::<SignInLink>(&mut tx, place.id, Purpose::SignIn, &hash, cx2.now)?;
            let opened = opened.ok_or_else(action_tokens::gone)?;
            let user = holder(&mut tx, place.id, &opened)?.ok_or_else(action_tokens::gone)?;
            let usable = usable_in(&mut tx, &place.settings, &user, kind, cx2.now)?;
            let usable = usable.filter(|_| barriers(&user).next().is_none()).map(|one| one.id);
            let own = cx2.acting_as(Actor::User(user.id, user.display_name().to_owned()));
            let confirmed = match usable {
                Some(_) => confirm_in(&mut tx, &app2, &own, &user, kind, "link")?,
                None => None,
            };
            let answer = (user, opened.data, usable);
            let client = answer.1.request.as_ref().map(|request| request.client_id.clone());
            Ok(match confirmed {
                Some(event) => tx.commit(Events::from(complete(event, client.as_deref(), None)), answer)?,
                None => tx.unaudited("the sign-in that it is for has its event", answer)?,
            })
        })
        .await?;
    let same = cookie.map(hash_token).is_some_and(|cookie| link.browser == cookie);
    let mut flow = Flow { identifier: Some(user.username.clone()), ..browser };
    flow.request = link.request.filter(|_| same);
    let Some(id) = usable else {
        let attempt = Attempt { app, cx, realm, flow: &flow, user: Some(&user), kind };
        attempt.note(barriers(&user).next().map_or(Reason::NotUsable, Reason::Barred)).await?;
        return Err(action_tokens::gone());
    };
    advance(app, cx, realm, flow.proved(cx.now, user.id, Used { id, kind })).await
}
