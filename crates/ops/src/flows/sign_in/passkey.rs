//! Passkeys: as the first proof, which needs no identifier; as the second factor; and as what must be made.

use std::sync::Arc;

use denizen_model::{
    authenticators::{AuthenticatorType, RequiredAction},
    events::EventType,
    reset_requests::ResetKind,
    users::User,
    validation::FieldErrors,
};
use denizen_store::{self as store, Events, authenticators::Stored};

use super::{
    Flow, Step,
    actions::{asked, client_of, own, told},
    advance::{advance, standing},
    failures::{Attempt, Reason, complete},
    flow_expired,
};
use crate::{
    App, Cx, Error, RealmState, Result,
    authenticators::{
        passkeys::{self, NotKept, Taken},
        recovery_codes,
    },
    crypto::webauthn::Answer,
    cx::Detail,
    flows::rules::{Next, Standing, Used, barriers},
};

const KIND: AuthenticatorType = AuthenticatorType::Passkey;

/// The same sign-in with a question for a passkey, where people may sign in with one. What the browser is given is the
/// second; it is answered under the flow that carries the question.
///
/// # Errors
/// Never in practice.
pub fn asking(app: &App, realm: &RealmState, flow: Flow) -> Result<Option<(Flow, String)>> {
    let Some(asker) = app.passkeys() else { return Ok(None) };
    if !realm.realm.settings.sign_in_methods.contains(&KIND) {
        return Ok(None);
    }
    let asked = asker.ask(&[])?;
    let options = asked.options();
    Ok(Some((Flow { passkey_asked: Some(Box::new(asked)), proof: None, ..flow }, options)))
}

/// The same sign-in with a question for one of the user's passkeys, if that is among the second factors.
pub(super) async fn asking_for_second(
    app: &App,
    cx: &Cx,
    flow: Flow,
    standing: &Standing,
    kinds: &[AuthenticatorType],
) -> Result<Flow> {
    let Some(asker) = app.passkeys().filter(|_| kinds.contains(&KIND)) else { return Ok(flow.without_questions()) };
    let (user, now) = (standing.user.clone(), cx.now);
    let keys = app.db().peek(move |tx| passkeys::usable_in(tx, &user, now)).await?;
    let asked = asker.ask(&keys)?;
    Ok(Flow { passkey_asked: Some(Box::new(asked)), ..flow })
}

/// The same sign-in with the request to make a passkey.
pub(super) async fn asking_to_make(app: &App, realm: &RealmState, flow: Flow, user: &User) -> Result<Flow> {
    if app.passkeys().is_none() {
        return Ok(flow.without_questions());
    }
    let making = passkeys::ask_to_make(app, realm, user).await?;
    Ok(Flow { passkey_making: Some(Box::new(making)), identifier: Some(user.username.clone()), ..flow })
}

/// What the browser is given by the page at which a sign-in stands, as JSON; nothing where it asks for no passkey, or
/// none can be used at this address.
#[must_use]
pub fn options(flow: &Flow) -> Option<String> {
    let asked = flow.passkey_asked.as_ref().map(|asked| asked.options());
    asked.or_else(|| flow.passkey_making.as_ref().map(|making| making.options()))
}

/// What is known of the passkey that an answer names.
type Found = Option<(User, Stored)>;

async fn find(app: &App, realm: &RealmState, answer: Option<&Answer>) -> Result<Found> {
    let Some(credential) = answer.map(Answer::credential) else { return Ok(None) };
    let id = realm.realm.id;
    app.db()
        .peek(move |tx| {
            let Some(stored) = store::authenticators::find_by_credential(tx, id, &credential)? else {
                return Ok::<_, Error>(None);
            };
            let user = store::users::find(tx, id, stored.authenticator.user_id)?;
            Ok(user.map(|user| (user, stored)))
        })
        .await
}

/// Checks the answer to the question for a passkey: the first proof, or the second where one is asked for.
///
/// # Errors
/// When the page asked for none, or asks for something else by now.
pub async fn check_passkey_step(
    app: &App,
    cx: &Cx,
    realm: &Arc<RealmState>,
    flow: Flow,
    answer: &str,
    remember: bool,
) -> Result<Step> {
    let question = flow.passkey_asked.clone().ok_or_else(flow_expired)?;
    let answer = Answer::read(answer);
    // As the second factor it is that user's own passkey, and their failure.
    let second = match &flow.proof {
        None => None,
        Some(proof) => {
            let (standing, remembered) = standing(app, cx, realm, &flow).await?;
            let satisfied = proof.satisfied || remembered;
            match standing.next(&realm.realm.settings, &proof.used, satisfied, cx.now) {
                Next::SecondFactor(kinds) if kinds.contains(&KIND) => Some(standing.user),
                Next::SecondFactor(_) => return Err(flow_expired()),
                _ => return advance(app, cx, realm, flow.without_questions()).await,
            }
        }
    };
    let found = find(app, realm, answer.as_ref()).await?;
    let user = second.as_ref().or(found.as_ref().map(|(user, _)| user)).cloned();
    // What was typed before is not what this is about.
    let nameless = Flow { identifier: user.as_ref().map(|user| user.username.clone()), ..flow.clone() };
    let attempt = Attempt { app, cx, realm, flow: &nameless, user: user.as_ref(), kind: KIND };
    if let Some(refusal) = attempt.refusal().await? {
        return Ok(refusal);
    }
    let Some(answer) = answer else {
        return attempt.failed(Reason::Passkey(crate::crypto::webauthn::Refusal::Unreadable)).await;
    };
    let Some((owner, stored)) = found else { return attempt.failed(Reason::UnknownPasskey).await };
    let theirs = second.as_ref().is_none_or(|user| user.id == owner.id);
    // The device of a first proof says whose it is; that of a second may.
    let named = if second.is_none() || answer.names_user() { answer.user() == Some(owner.id) } else { true };
    if !theirs || !named {
        return attempt.failed(Reason::AnothersPasskey).await;
    }
    let settings = &realm.realm.settings;
    let allowed = second.is_some() || settings.sign_in_methods.contains(&KIND);
    let taken = passkeys::take(app, cx, &question, &answer, &owner, &stored).await?;
    let reason = match (taken, barriers(&owner).next()) {
        (Err(refusal), _) => Reason::Passkey(refusal),
        (Ok(Taken::UsedBefore), _) => Reason::UsedPasskey,
        (Ok(_), Some(barrier)) => Reason::Barred(barrier),
        (Ok(_), None) if !stored.authenticator.is_usable(cx.now) => Reason::NotUsable,
        (Ok(_), None) if !allowed => Reason::NotAllowed,
        (Ok(Taken::Right { user_verified }), None) => {
            let begun = if second.is_some() { flow } else { Flow { proof: None, ..flow } };
            let begun = Flow { identifier: Some(owner.username.clone()), ..begun.without_questions() };
            let mut flow = begun.proved(cx.now, owner.id, Used { id: stored.authenticator.id, kind: KIND });
            if let Some(proof) = &mut flow.proof {
                // Two factors in one where the device verified its user, else one more.
                proof.satisfied = proof.satisfied || second.is_some() || user_verified;
                proof.remember = proof.remember || (second.is_some() && remember);
            }
            return advance(app, cx, realm, flow).await;
        }
    };
    attempt.failed(reason).await
}

/// Takes the passkey that was required, and goes on; those there were stay. By way of recovery codes where it is the
/// second factor and there are none.
///
/// # Errors
/// When the flow does not ask for one.
pub async fn register_passkey_step(
    app: &App,
    cx: &Cx,
    realm: &Arc<RealmState>,
    flow: Flow,
    answer: &str,
) -> Result<Step> {
    let Some(standing) = asked(app, cx, realm, &flow, RequiredAction::RegisterPasskey).await? else {
        return advance(app, cx, realm, flow.without_questions()).await;
    };
    let making = flow.passkey_making.clone().ok_or_else(flow_expired)?;
    let user = standing.user.clone();
    let own = own(cx, &user);
    let client = client_of(&flow);
    let new = match passkeys::prepare(app, cx, &user, &making, answer)? {
        Ok(new) => new,
        Err(why) => return not_kept(app, &own, &user, &flow, why).await,
    };
    let had_codes = standing.authenticators.iter().any(|one| one.kind == AuthenticatorType::RecoveryCodes);
    let wanted = !had_codes && standing.needs_second_factor(&realm.realm.settings, cx.now);
    let codes = wanted.then(|| recovery_codes::generate(app));
    let (app2, own2, who, kept, id) = (app.clone(), own.clone(), user.clone(), codes.clone(), new.authenticator.id);
    let flow2 = flow.clone();
    let done = app
        .write(cx, move |mut tx| {
            let user = store::users::find(&mut tx, who.realm_id, who.id)?.ok_or_else(flow_expired)?;
            let first = match passkeys::insert_in(&mut tx, &app2, &own2, &user, &new)? {
                Ok(event) => complete(event, client.as_deref(), None).detail("required", true),
                Err(why) => return Ok(tx.unaudited("the refusal has its event", Err(why))?),
            };
            let completed = flow2.complete_in(&mut tx, &user, ResetKind::Passkey)?;
            let mut more = Vec::new();
            if completed.0 == "link" || completed.1.is_some() {
                let event = own2.user_event(&app2, EventType::UserAuthenticatorResetCompleted, &user);
                let event = told(event.detail("type", ResetKind::Passkey.as_str()), completed);
                more.push(complete(event, client.as_deref(), None));
            }
            if let Some(codes) = &kept {
                let events = recovery_codes::replace_in(&mut tx, &app2, &own2, &user, codes)?;
                more.extend(events.into_iter().map(|event| complete(event, client.as_deref(), None)));
            }
            Ok(tx.commit(Events::new(first, more), Ok(()))?)
        })
        .await?;
    if let Err(why) = done {
        return not_kept(app, &own, &user, &flow, why).await;
    }
    let mut flow = flow.without_questions().reset_done(ResetKind::Passkey);
    flow = flow.proved(cx.now, user.id, Used { id, kind: KIND });
    if let Some(proof) = &mut flow.proof {
        // It was in their hands just now, and verified them.
        proof.satisfied = true;
    }
    match codes {
        Some(codes) => Ok(Step::RecoveryCodes(Box::new(flow), codes)),
        None => advance(app, cx, realm, flow).await,
    }
}

async fn not_kept(app: &App, own: &Cx, user: &User, flow: &Flow, why: NotKept) -> Result<Step> {
    let event = complete(passkeys::not_kept(app, own, user, why), client_of(flow).as_deref(), None);
    app.write(own, move |tx| Ok(tx.commit(Events::from(event.clone()), ())?)).await?;
    Ok(Step::Wrong(FieldErrors::one("form", why.text())))
}
