//! What is required of the user's own record before the destination: an address to confirm, a profile to complete.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Form, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::Response,
    routing::post,
};
use denizen_model::{authenticators::RequiredAction, locales::Language, validation::FieldErrors};
use denizen_ops::{
    Cx, Error, ErrorKind, RealmState,
    account::profile::Own,
    crypto::Secret,
    flows::sign_in::{
        Flow, Step,
        details::{complete_profile_step, confirm_address_step, send_confirmation_step},
        look,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::Map;

use super::{open_in_browser, proceed, status_of};
use crate::{
    Web,
    card::{Card, error_page, field_messages, page},
    console::{Errors, Fields, Posted},
    cx::Anonymous,
    declared::{self, Form as Declared},
    language,
};

pub(super) fn router() -> Router<Web> {
    Router::new()
        .route("/realms/{realm}/sign-in/verify/{action}", post(confirm))
        .route("/realms/{realm}/sign-in/verify/{action}/send", post(send))
        .route("/realms/{realm}/sign-in/complete-profile", post(complete))
}

#[derive(Serialize)]
struct VerifyPage {
    card: Card,
    phone: bool,
    action: String,
    send_action: String,
    flow: String,
    identifier: String,
    restart_href: String,
    /// Where the code goes, in part.
    masked: String,
    can_send: bool,
    sent: bool,
    errors: BTreeMap<String, String>,
}

/// The page that asks to confirm an address.
pub(super) fn verify_page(
    web: &Web,
    realm: &RealmState,
    flow: &Flow,
    action: RequiredAction,
    errors: &FieldErrors,
) -> Result<Response, Error> {
    let (slug, sealed) = (&realm.realm.slug, flow.seal(&web.app, realm)?);
    let confirming = flow.confirming(&web.app)?;
    let phone = action == RequiredAction::VerifyPhone;
    let place = format!("/realms/{slug}/sign-in/verify/{action}");
    let context = VerifyPage {
        card: Card::new(web.templates.text(&format!("sign_in.{action}.title")), realm),
        phone,
        send_action: format!("{place}/send"),
        action: place,
        restart_href: format!("/realms/{slug}/sign-in?flow={sealed}"),
        flow: sealed,
        identifier: flow.identifier.clone().unwrap_or_default(),
        masked: confirming.masked.to_owned(),
        can_send: confirming.can_send,
        sent: confirming.sent,
        errors: field_messages(web, errors),
    };
    Ok(page(web, status_of(errors), "card/sign_in/verify.html", &context))
}

#[derive(Deserialize)]
struct VerifyForm {
    flow: String,
    #[serde(default)]
    code: Secret,
}

/// What a form is about; any other action has no page here.
fn verified_by(name: &str) -> Result<RequiredAction, Error> {
    let action = RequiredAction::from_name(name);
    let action = action.filter(|one| matches!(one, RequiredAction::VerifyEmail | RequiredAction::VerifyPhone));
    action.ok_or_else(|| Error::not_found("page"))
}

async fn send(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path((slug, name)): Path<(String, String)>,
    headers: HeaderMap,
    Form(form): Form<VerifyForm>,
) -> Response {
    let (realm, flow) = match open_in_browser(&web, &cx, &slug, &form.flow, &headers).await {
        Ok(opened) => opened,
        Err(page) => return page,
    };
    let answer = async {
        let action = verified_by(&name)?;
        match send_confirmation_step(&web.app, &cx, &realm, flow.clone(), action).await? {
            Step::Wrong(errors) => verify_page(&web, &realm, &flow, action, &errors),
            step => proceed(&web, &realm, step),
        }
    };
    answer.await.unwrap_or_else(|error: Error| error_page(&web, &error, cx.request_id, Some(&realm)))
}

async fn confirm(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path((slug, name)): Path<(String, String)>,
    headers: HeaderMap,
    Form(form): Form<VerifyForm>,
) -> Response {
    let (realm, flow) = match open_in_browser(&web, &cx, &slug, &form.flow, &headers).await {
        Ok(opened) => opened,
        Err(page) => return page,
    };
    let answer = async {
        let action = verified_by(&name)?;
        if form.code.expose().trim().is_empty() {
            return verify_page(&web, &realm, &flow, action, &FieldErrors::one("code", "sign_in.code.missing"));
        }
        match confirm_address_step(&web.app, &cx, &realm, flow.clone(), action, form.code).await? {
            Step::Wrong(errors) => verify_page(&web, &realm, &flow, action, &errors),
            step => proceed(&web, &realm, step),
        }
    };
    answer.await.unwrap_or_else(|error: Error| error_page(&web, &error, cx.request_id, Some(&realm)))
}

#[derive(Serialize)]
struct ProfilePage {
    card: Card,
    action: String,
    flow: String,
    identifier: String,
    restart_href: String,
    version: String,
    /// Somebody else has changed the record since the form was made.
    changed: bool,
    given_name: String,
    family_name: String,
    declared: Vec<declared::Field>,
    errors: BTreeMap<String, String>,
}

/// A form as it was sent, with what is wrong with it.
#[derive(Default)]
struct Sent<'a> {
    typed: Option<&'a Fields>,
    errors: FieldErrors,
    /// What is wrong with attributes, as their types tell it.
    attributes: Errors,
    changed: bool,
}

/// The page that asks for what is missing in the profile.
pub(super) fn profile_page(
    web: &Web,
    realm: &RealmState,
    flow: &Flow,
    errors: &FieldErrors,
) -> Result<Response, Error> {
    show_profile(web, realm, flow, Sent { errors: errors.clone(), ..Sent::default() })
}

fn show_profile(web: &Web, realm: &RealmState, flow: &Flow, sent: Sent<'_>) -> Result<Response, Error> {
    let (slug, sealed, gaps) = (&realm.realm.slug, flow.seal(&web.app, realm)?, flow.gaps()?);
    let value = |field: &str, held: &Option<String>| {
        sent.typed.map_or_else(|| held.clone().unwrap_or_default(), |typed| typed.text(field).to_owned())
    };
    // Sentences about attributes are the definition's own, in English; elsewhere the hint beside the field must do.
    let mut messages: BTreeMap<String, String> = sent.attributes.into_iter().collect();
    messages.extend(field_messages(web, &sent.errors));
    if language::current() != Language::English {
        let missing = web.templates.text("sign_in.complete_profile.missing");
        let wrong = web.templates.text("account.profile.attribute_wrong");
        let others = messages.iter_mut().filter(|(field, text)| field.starts_with("attributes.") && **text != missing);
        others.for_each(|(_, text)| text.clone_from(&wrong));
    }
    let fine = messages.is_empty() && !sent.changed;
    let status = if fine { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let context = ProfilePage {
        card: Card::new(web.templates.text("sign_in.complete_profile.title"), realm),
        action: format!("/realms/{slug}/sign-in/complete-profile"),
        restart_href: format!("/realms/{slug}/sign-in?flow={sealed}"),
        flow: sealed,
        identifier: flow.identifier.clone().unwrap_or_default(),
        version: gaps.version.to_string(),
        changed: sent.changed,
        given_name: value("given_name", &gaps.given_name),
        family_name: value("family_name", &gaps.family_name),
        declared: declared::fields(Declared::Own, &gaps.definitions(&realm.attributes), &Map::new(), sent.typed),
        errors: messages,
    };
    Ok(page(web, status, "card/sign_in/complete_profile.html", &context))
}

async fn complete(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Posted(typed): Posted,
) -> Response {
    let (realm, flow) = match open_in_browser(&web, &cx, &slug, typed.text("flow"), &headers).await {
        Ok(opened) => opened,
        Err(page) => return page,
    };
    let answer = take_profile(&web, &cx, &realm, flow, &typed).await;
    answer.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
}

async fn take_profile(
    web: &Web,
    cx: &Cx,
    realm: &Arc<RealmState>,
    flow: Flow,
    typed: &Fields,
) -> Result<Response, Error> {
    let definitions = flow.gaps()?.definitions(&realm.attributes);
    let mut wrong = Errors::new();
    let attributes = declared::read(Declared::Own, &definitions, &Map::new(), typed, &mut wrong);
    if !wrong.is_empty() {
        let sent = Sent { typed: Some(typed), attributes: wrong, ..Sent::default() };
        return show_profile(web, realm, &flow, sent);
    }
    let text = |field: &str| Some(typed.text(field).trim().to_owned());
    let wanted = Own { given_name: text("given_name"), family_name: text("family_name"), attributes, ..Own::default() };
    // A form without a version was made by no page of ours: it changes nothing.
    let version = typed.version().unwrap_or(-1);
    match complete_profile_step(&web.app, cx, realm, flow.clone(), wanted, version).await {
        Ok(Step::Wrong(errors)) => {
            show_profile(web, realm, &flow, Sent { typed: Some(typed), errors, ..Sent::default() })
        }
        Ok(step) => proceed(web, realm, step),
        Err(error) if matches!(*error.kind, ErrorKind::Changed) => match look(&web.app, cx, realm, flow).await? {
            Some(Step::Action(flow, RequiredAction::CompleteProfile)) => {
                show_profile(web, realm, &flow, Sent { typed: Some(typed), changed: true, ..Sent::default() })
            }
            Some(step) => proceed(web, realm, step),
            None => Err(error),
        },
        Err(error) => Err(error),
    }
}
