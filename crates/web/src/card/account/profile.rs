//! The user's own record: what they change at once, how they are reached, and the end of the account.

use std::collections::BTreeMap;

use axum::{Router, extract::Query, http::StatusCode, response::Response, routing::get};
use denizen_model::{
    locales::{Language, zones},
    users::User,
    validation::FieldErrors,
};
use denizen_ops::{
    Error, ErrorKind, RealmState,
    account::{
        email,
        profile::{self, Own},
    },
    sessions::SignedIn,
};
use serde::{Deserialize, Serialize};

use super::{
    Navigation,
    visit::{Answer, Door, Visit, mendable},
};
use crate::{
    Web,
    card::{Card, field_messages, page, sign_in::status_of},
    console::{Errors, Fields, Posted},
    declared::{self, Form},
    language::{self, Kept},
    render::TimeView,
};

pub(super) fn router() -> Router<Web> {
    Router::new().route("/realms/{realm}/account", get(show).post(save))
}

#[derive(Serialize)]
struct ProfilePage {
    card: Card,
    navigation: Navigation,
    done: Option<String>,
    /// Somebody else has changed the record since the form was made.
    changed: bool,
    action: String,
    version: String,
    values: Values,
    languages: Vec<LanguageOption>,
    zones: Vec<String>,
    /// What stands in the record by now, of fields that somebody else has changed.
    theirs: BTreeMap<String, String>,
    errors: BTreeMap<String, String>,
    email: ContactView,
    pending: Option<PendingView>,
    phone: ContactView,
    username: ContactView,
    delete_href: Option<String>,
}

#[derive(Serialize)]
struct Values {
    given_name: String,
    family_name: String,
    zoneinfo: String,
    declared: Vec<declared::Field>,
}

#[derive(Serialize)]
struct LanguageOption {
    tag: String,
    name: String,
    current: bool,
}

/// How the user is reached, and what they can do about it.
#[derive(Serialize)]
struct ContactView {
    value: Option<String>,
    verified: bool,
    change_href: Option<String>,
    /// Where it is asked for that the mail that confirms it is sent again.
    confirm_action: Option<String>,
}

/// An address that is not the user's yet.
#[derive(Serialize)]
struct PendingView {
    email: String,
    expires_at: TimeView,
    cancel_action: String,
}

/// What has just been done, for the notice above the form.
#[derive(Deserialize)]
struct Asked {
    done: Option<String>,
}

const FIELDS: [&str; 4] = ["given_name", "family_name", "locale", "zoneinfo"];

/// What a field of the record holds, as the form has it.
fn held(user: &User, field: &str) -> String {
    let value = match field {
        "given_name" => &user.given_name,
        "family_name" => &user.family_name,
        "locale" => &user.locale,
        _ => &user.zoneinfo,
    };
    value.clone().unwrap_or_default()
}

/// The languages that the realm offers; besides, the one that the user has.
fn languages(web: &Web, realm: &RealmState, current: &str) -> Vec<LanguageOption> {
    let option = |tag: &str, name: String| LanguageOption { tag: tag.to_owned(), name, current: tag == current };
    let offered = &realm.realm.settings.locales;
    let mut all = vec![option("", web.templates.text("account.profile.language_of_browser"))];
    all.extend(offered.iter().map(|language| option(language.as_str(), language.own_name().to_owned())));
    if !all.iter().any(|one| one.current) {
        let name = Language::from_name(current).map_or_else(|| current.to_owned(), |one| one.own_name().to_owned());
        all.push(option(current, name));
    }
    all
}

/// The form as it was sent, with what is wrong with it.
struct Sent<'a> {
    typed: &'a Fields,
    errors: &'a FieldErrors,
    /// What is wrong with attributes.
    attributes: Errors,
    /// Whether somebody else has changed the record in the meantime.
    changed: bool,
}

async fn profile_page(visit: &Visit<SignedIn>, sent: Option<Sent<'_>>, done: Option<&str>) -> Result<Response, Error> {
    let Visit { web, cx, realm, who } = visit;
    let (user, settings) = (&who.user, &realm.realm.settings);
    let typed = sent.as_ref().map(|sent| sent.typed);
    let value = |field: &str| typed.map_or_else(|| held(user, field), |typed| typed.text(field).to_owned());
    let none = FieldErrors::new();
    let errors = sent.as_ref().map_or(&none, |sent| sent.errors);
    let changed = sent.as_ref().is_some_and(|sent| sent.changed);
    let differs = |field: &str| changed && typed.is_some_and(|typed| typed.text(field).trim() != held(user, field));
    let theirs = FIELDS.iter().filter(|field| differs(field)).map(|field| ((*field).to_owned(), held(user, field)));
    let mut status = status_of(errors);
    let mut messages = field_messages(web, errors);
    if let Some(sent) = &sent {
        if changed || !sent.attributes.is_empty() {
            status = StatusCode::UNPROCESSABLE_ENTITY;
        }
        messages.extend(sent.attributes.clone());
    }
    // Sentences about attributes are the definition's own, in English; elsewhere the hint beside the field must do.
    if language::current() != Language::English {
        let wrong = visit.text("account.profile.attribute_wrong");
        for (_, message) in messages.iter_mut().filter(|(field, _)| field.starts_with("attributes.")) {
            message.clone_from(&wrong);
        }
    }
    let done = match done {
        Some("saved") => Some("account.profile.done"),
        Some("email") => Some("account.email.done"),
        Some("phone") => Some("account.phone.done"),
        Some("username") => Some("account.username.done"),
        Some("cancelled") => Some("account.email.cancelled"),
        Some("enough") => Some("account.email.enough"),
        _ => None,
    };
    let unconfirmed = profile::email_is_unconfirmed(user);
    let pending = email::find_pending(&web.app, cx, who).await?;
    let verified = denizen_model::users::VerificationState::Verified;
    let context = ProfilePage {
        card: visit.card(visit.text("account.title")),
        navigation: visit.navigation(""),
        done: done.map(|id| visit.text(id)),
        changed,
        action: visit.href(""),
        version: user.version.to_string(),
        languages: languages(web, realm, &value("locale")),
        zones: zones(),
        theirs: theirs.collect(),
        values: Values {
            given_name: value("given_name"),
            family_name: value("family_name"),
            zoneinfo: value("zoneinfo"),
            declared: declared::fields(Form::Own, &realm.attributes, &user.attributes, typed),
        },
        errors: messages,
        email: ContactView {
            verified: user.email_state == verified,
            change_href: Some(visit.href("/email")),
            confirm_action: unconfirmed.then(|| visit.href("/email/confirm")),
            value: user.email.clone(),
        },
        pending: pending.map(|pending| PendingView {
            email: pending.email,
            expires_at: TimeView::new(pending.expires_at, cx.now),
            cancel_action: visit.href("/email/cancel"),
        }),
        phone: ContactView {
            verified: user.phone_state == verified,
            change_href: Some(visit.href("/phone")),
            confirm_action: None,
            value: user.phone.clone(),
        },
        username: ContactView {
            verified: false,
            change_href: settings.username_changeable.then(|| visit.href("/username")),
            confirm_action: None,
            value: Some(user.username.clone()),
        },
        delete_href: settings.self_deletion.then(|| visit.href("/delete")),
    };
    Ok(page(web, status, "card/account/profile.html", &context))
}

async fn show(door: Door, Query(asked): Query<Asked>) -> Answer {
    let visit = door.enter("").await?;
    visit.answer(profile_page(&visit, None, asked.done.as_deref())).await
}

async fn save(door: Door, Posted(typed): Posted) -> Answer {
    let visit = door.enter("").await?;
    visit.answer(saved(&visit, &typed)).await
}

/// Saves the form, or shows it again.
async fn saved(visit: &Visit<SignedIn>, typed: &Fields) -> Result<Response, Error> {
    let Visit { web, cx, realm, who } = visit;
    let mut attributes = Errors::new();
    let changes = declared::read(Form::Own, &realm.attributes, &who.user.attributes, typed, &mut attributes);
    let none = FieldErrors::new();
    if !attributes.is_empty() {
        let sent = Sent { typed, errors: &none, attributes, changed: false };
        return profile_page(visit, Some(sent), None).await;
    }
    let sent = |field: &str| typed.has(field).then(|| typed.text(field).to_owned());
    let wanted = Own {
        given_name: sent("given_name"),
        family_name: sent("family_name"),
        locale: sent("locale"),
        zoneinfo: sent("zoneinfo"),
        attributes: changes,
    };
    // A form without a version was made by no page of ours: it changes nothing.
    let version = typed.version().unwrap_or(-1);
    let error = match profile::update(&web.app, cx, realm, who, wanted, version).await {
        Ok(user) => {
            if user.locale != who.user.locale
                && let Some(tag) = &user.locale
            {
                language::choose(tag, Kept::Year);
            }
            return Ok(visit.lead_to("?done=saved"));
        }
        Err(error) => error,
    };
    let changed = matches!(*error.kind, ErrorKind::Changed);
    let errors = if changed { none } else { mendable(error)? };
    profile_page(visit, Some(Sent { typed, errors: &errors, attributes, changed }), None).await
}
