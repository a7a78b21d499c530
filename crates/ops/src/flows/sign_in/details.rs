//! What is required of the user's own record before the destination: an address or a number that a code confirms, and
//! a profile in which nothing is missing (PRODUCT §16).
//!
//! Codes are those of [`super::codes`]: typed into the browser that asked for them, and worth nothing elsewhere.

use std::sync::Arc;

use denizen_model::{
    attribute_definitions::AttributeDefinitions,
    authenticators::{AuthenticatorType, RequiredAction},
    events::EventType,
    users::User,
    validation::FieldErrors,
};
use denizen_store::{self as store, Events, one_time_codes::NewCode};
use serde::{Deserialize, Serialize};

use super::{
    Flow, Step,
    actions::{asked, client_of, own},
    advance::advance,
    codes::{AT_MOST, HOUR, Sent, VALID_FOR, address, can_send, confirm_in, six_digits, template, why_wrong},
    failures::{Attempt, Reason, complete},
    flow_expired,
};
use crate::{
    App, Cx, Error, RealmState, Result,
    account::profile::{Own, change_in, check_own},
    crypto::Secret,
    cx::Detail,
    flows::rules::Standing,
    messages::{
        self,
        drafts::{self, Reader, masked},
    },
};

/// What the page knows that asks for something of the record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Details {
    /// It asks that an address is confirmed.
    Address {
        kind: AuthenticatorType,
        masked: String,
        /// The code that was sent, if one was.
        sent: Option<Sent>,
    },
    /// It asks for what is missing in the profile.
    Profile(Gaps),
}

/// What the page shows that asks for what is missing in a profile.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Gaps {
    /// The version of the record that the page is about.
    pub version: i64,
    /// The given name, if there is one.
    pub given_name: Option<String>,
    /// The family name, if there is one.
    pub family_name: Option<String>,
    missing: Vec<String>,
}

impl Gaps {
    /// The definitions of the attributes that are missing.
    #[must_use]
    pub fn definitions(&self, all: &AttributeDefinitions) -> AttributeDefinitions {
        AttributeDefinitions::new(
            all.iter().filter(|definition| self.missing.contains(&definition.key)).cloned().collect(),
        )
    }
}

/// What the page shows that asks to confirm an address.
#[derive(Debug, Clone, Copy)]
pub struct Confirming<'a> {
    /// Where the code goes, in part.
    pub masked: &'a str,
    /// Whether it can be sent at all.
    pub can_send: bool,
    /// Whether one was sent.
    pub sent: bool,
}

impl Flow {
    /// What is shown of the address that is to be confirmed.
    ///
    /// # Errors
    /// When the flow asks for none.
    pub fn confirming(&self, app: &App) -> Result<Confirming<'_>> {
        match &self.details {
            Some(Details::Address { kind, masked, sent }) => {
                Ok(Confirming { masked, can_send: can_send(app, *kind), sent: sent.is_some() })
            }
            _ => Err(flow_expired()),
        }
    }

    /// What is missing in the profile.
    ///
    /// # Errors
    /// When the flow does not ask for it.
    pub fn gaps(&self) -> Result<&Gaps> {
        match &self.details {
            Some(Details::Profile(gaps)) => Ok(gaps),
            _ => Err(flow_expired()),
        }
    }
}

/// How an address is written to, for the action that confirms it.
const fn kind_of(action: RequiredAction) -> Option<AuthenticatorType> {
    match action {
        RequiredAction::VerifyEmail => Some(AuthenticatorType::EmailCode),
        RequiredAction::VerifyPhone => Some(AuthenticatorType::SmsCode),
        _ => None,
    }
}

/// An address as a page shows it that comes before the destination.
fn shown(user: &User, kind: AuthenticatorType) -> String {
    let address = address(user, kind).unwrap_or_default();
    if kind != AuthenticatorType::SmsCode {
        return masked(address);
    }
    let last = address.char_indices().rev().nth(1).and_then(|(at, _)| address.get(at..));
    format!("•••{}", last.unwrap_or_default())
}

/// The same sign-in with what the page of an action needs. A code that was sent there already is still waited for.
pub(super) fn asking(flow: Flow, standing: &Standing, action: RequiredAction) -> Flow {
    let user = &standing.user;
    let details = match (kind_of(action), action) {
        (Some(kind), _) => {
            let masked = shown(user, kind);
            let sent = match flow.details {
                Some(Details::Address { kind: before, sent, .. }) if before == kind => sent,
                _ => None,
            };
            Some(Details::Address { kind, masked, sent })
        }
        (None, RequiredAction::CompleteProfile) => Some(Details::Profile(Gaps {
            version: user.version,
            given_name: user.given_name.clone(),
            family_name: user.family_name.clone(),
            missing: standing.missing.clone(),
        })),
        _ => None,
    };
    Flow { details, ..flow }
}

/// Sends a code to the address that is to be confirmed, and asks for it.
///
/// # Errors
/// When this action confirms no address.
pub async fn send_confirmation_step(
    app: &App,
    cx: &Cx,
    realm: &Arc<RealmState>,
    flow: Flow,
    action: RequiredAction,
) -> Result<Step> {
    let kind = kind_of(action).ok_or_else(flow_expired)?;
    let Some(Standing { user, .. }) = asked(app, cx, realm, &flow, action).await? else {
        return advance(app, cx, realm, flow).await;
    };
    if !can_send(app, kind) {
        return Ok(Step::Wrong(FieldErrors::one("form", "sign_in.verify.unavailable")));
    }
    let attempt = Attempt { app, cx, realm, flow: &flow, user: Some(&user), kind };
    if let Some(refusal) = attempt.refusal().await? {
        return Ok(refusal);
    }
    if app.sent_from().holds(cx.ip, cx.now) {
        return Ok(Step::Wrong(FieldErrors::one("form", "sign_in.too_many")));
    }
    app.sent_from().note_failure(cx.ip, cx.now);
    let (sent, code) = (Sent::new(app, cx, kind), six_digits(app.rng()));
    let (hash, masked, id) = (sent.hash(code.expose()), shown(&user, kind), sent.id());
    let (app2, cx2, place, user) = (app.clone(), cx.clone(), realm.realm.clone(), user.clone());
    let done = app
        .write(cx, move |mut tx| {
            let to = address(&user, kind).unwrap_or_default();
            if store::messages::count_to(&mut tx, place.id, to, template(kind), cx2.now.minus(HOUR))? >= AT_MOST {
                return Ok(tx.unaudited("the failure has its event", false)?);
            }
            let expires_at = cx2.now.plus(VALID_FOR);
            let new = NewCode { id, user_id: user.id, kind, destination: to, code_hash: &hash, expires_at };
            store::one_time_codes::insert(&mut tx, place.id, &new, cx2.now)?;
            let (of, reader) = ((&app2, &cx2, &place), Reader::of(&user, to));
            let prepared = if kind == AuthenticatorType::SmsCode {
                drafts::sms_code(of, reader, code.expose(), expires_at)?
            } else {
                drafts::email_code(of, reader, code.expose(), expires_at)?
            };
            messages::enqueue(&mut tx, &app2, &prepared)?;
            Ok(tx.unaudited("the message has its events", true)?)
        })
        .await?;
    if !done {
        attempt.note(Reason::TooManySent).await?;
        return Ok(Step::Wrong(FieldErrors::one("form", "sign_in.verify.enough")));
    }
    let details = Some(Details::Address { kind, masked, sent: Some(sent) });
    Ok(Step::Action(Box::new(Flow { details, ..flow }), action))
}

/// Checks the code that was sent; whoever has read it has the address. Goes on.
///
/// # Errors
/// When this action confirms no address.
pub async fn confirm_address_step(
    app: &App,
    cx: &Cx,
    realm: &Arc<RealmState>,
    flow: Flow,
    action: RequiredAction,
    code: Secret,
) -> Result<Step> {
    let kind = kind_of(action).ok_or_else(flow_expired)?;
    let Some(Standing { user, .. }) = asked(app, cx, realm, &flow, action).await? else {
        return advance(app, cx, realm, flow).await;
    };
    let attempt = Attempt { app, cx, realm, flow: &flow, user: Some(&user), kind };
    if let Some(refusal) = attempt.refusal().await? {
        return Ok(refusal);
    }
    let sent = match &flow.details {
        Some(Details::Address { kind: of, sent: Some(sent), .. }) if *of == kind => sent.clone(),
        _ => return Ok(Step::Wrong(FieldErrors::one("form", "sign_in.verify.send_first"))),
    };
    let (app2, own, who, hash) = (app.clone(), own(cx, &user), user.clone(), sent.hash(code.expose()));
    let client = client_of(&flow);
    let taken = app
        .write(cx, move |mut tx| {
            let user = store::users::find(&mut tx, who.realm_id, who.id)?.ok_or_else(flow_expired)?;
            if let Some(reason) = why_wrong(&mut tx, user.realm_id, Some(user.id), &sent, &hash, own.now)? {
                return Ok(tx.unaudited("the failure has its event", Err(reason))?);
            }
            let to = store::one_time_codes::use_up(&mut tx, user.realm_id, user.id, sent.id(), &hash, own.now)?;
            // An address that was changed since is not the one that somebody has read the code at.
            if to.is_none() || to.as_deref() != address(&user, kind) {
                return Ok(tx.unaudited("the failure has its event", Err(Reason::AddressChanged))?);
            }
            let event = confirm_in(&mut tx, &app2, &own, &user, kind, "code")?.ok_or_else(Error::changed)?;
            let event = event.detail("required", true);
            Ok(tx.commit(Events::from(complete(event, client.as_deref(), None)), Ok(()))?)
        })
        .await?;
    if let Err(reason) = taken {
        return attempt.failed(reason).await;
    }
    advance(app, cx, realm, Flow { details: None, ..flow }).await
}

/// Takes what was missing in the profile, and goes on.
///
/// # Errors
/// When the record was changed since the page was made.
pub async fn complete_profile_step(
    app: &App,
    cx: &Cx,
    realm: &Arc<RealmState>,
    flow: Flow,
    wanted: Own,
    if_version: i64,
) -> Result<Step> {
    let asked = asked(app, cx, realm, &flow, RequiredAction::CompleteProfile).await?;
    let Some(Standing { user, missing, .. }) = asked else { return advance(app, cx, realm, flow).await };
    let mut errors = FieldErrors::new();
    check_own(realm, &wanted, &mut errors);
    let has_text = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.trim().is_empty());
    for (field, text) in [("given_name", &wanted.given_name), ("family_name", &wanted.family_name)] {
        if !has_text(text) {
            errors.add(field, "sign_in.complete_profile.missing");
        }
    }
    for key in missing {
        if wanted.attributes.get(&key).is_none_or(serde_json::Value::is_null) {
            errors.add(&format!("attributes.{key}"), "sign_in.complete_profile.missing");
        }
    }
    if !errors.is_empty() {
        return Ok(Step::Wrong(errors));
    }
    let (app2, own, realm2, client) = (app.clone(), own(cx, &user), realm.clone(), client_of(&flow));
    let patch = wanted.into_patch();
    let saved = app
        .write(cx, move |mut tx| {
            let before = store::users::find(&mut tx, user.realm_id, user.id)?.ok_or_else(flow_expired)?;
            let changed = change_in(&mut tx, &own, &realm2, before, patch.clone(), Some(if_version))?;
            store::required_actions::remove(&mut tx, user.realm_id, user.id, RequiredAction::CompleteProfile)?;
            let event = own.user_event(&app2, EventType::UserUpdated, &changed.0);
            let event = event.detail("changes", changed.1.unwrap_or_default()).detail("required", true);
            Ok(tx.commit(Events::from(complete(event, client.as_deref(), None)), ())?)
        })
        .await;
    match saved {
        Ok(()) => advance(app, cx, realm, Flow { details: None, ..flow }).await,
        Err(error) => match *error.kind {
            crate::ErrorKind::Invalid(errors) => Ok(Step::Wrong(errors)),
            _ => Err(error),
        },
    }
}
