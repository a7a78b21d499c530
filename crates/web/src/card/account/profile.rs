//! The user's own record: what they change at once, how they are reached, and the end of the account.

use std::collections::BTreeMap;

use axum::{
    Router,
    extract::{Path, Query, State},
    http::HeaderMap,
    response::Response,
    routing::get,
};
use denizen_model::{
    locales::{Language, zones},
    users::User,
    validation::FieldErrors,
};
use denizen_ops::{
    Cx, Error, ErrorKind, RealmState,
    account::{
        email,
        profile::{self, Own},
    },
    sessions::SignedIn,
};
use serde::{Deserialize, Serialize};

use super::{Navigation, enter, href, status_of};
use crate::{
    Web,
    card::{Card, error_page, field_messages, page, see_other},
    console::{Errors, Fields, Posted},
    cx::Anonymous,
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

async fn profile_page(
    web: &Web,
    cx: &Cx,
    realm: &RealmState,
    signed_in: &SignedIn,
    (sent, done): (Option<Sent<'_>>, Option<&str>),
) -> Result<Response, Error> {
    let (user, settings) = (&signed_in.user, &realm.realm.settings);
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
            status = axum::http::StatusCode::UNPROCESSABLE_ENTITY;
        }
        messages.extend(sent.attributes.clone());
    }
    // Sentences about attributes are the definition's own, in English; elsewhere the hint beside the field must do.
    if language::current() != Language::English {
        let wrong = web.templates.text("account.profile.attribute_wrong");
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
    let pending = email::find_pending(&web.app, cx, signed_in).await?;
    let verified = denizen_model::users::VerificationState::Verified;
    let context = ProfilePage {
        card: Card::new(web.templates.text("account.title"), realm),
        navigation: Navigation::new(web, realm, signed_in, ""),
        done: done.map(|id| web.templates.text(id)),
        changed,
        action: href(realm, ""),
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
            change_href: Some(href(realm, "/email")),
            confirm_action: unconfirmed.then(|| href(realm, "/email/confirm")),
            value: user.email.clone(),
        },
        pending: pending.map(|pending| PendingView {
            email: pending.email,
            expires_at: TimeView::new(pending.expires_at, cx.now),
            cancel_action: href(realm, "/email/cancel"),
        }),
        phone: ContactView {
            verified: user.phone_state == verified,
            change_href: Some(href(realm, "/phone")),
            confirm_action: None,
            value: user.phone.clone(),
        },
        username: ContactView {
            verified: false,
            change_href: settings.username_changeable.then(|| href(realm, "/username")),
            confirm_action: None,
            value: Some(user.username.clone()),
        },
        delete_href: settings.self_deletion.then(|| href(realm, "/delete")),
    };
    Ok(page(web, status, "card/account/profile.html", &context))
}

async fn show(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let (realm, signed_in) = match enter(&web, &cx, &slug, &headers, "").await {
        Ok(entered) => entered,
        Err(answer) => return answer,
    };
    let shown = profile_page(&web, &cx, &realm, &signed_in, (None, asked.done.as_deref())).await;
    shown.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
}

async fn save(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Posted(typed): Posted,
) -> Response {
    let (realm, signed_in) = match enter(&web, &cx, &slug, &headers, "").await {
        Ok(entered) => entered,
        Err(answer) => return answer,
    };
    let mut attributes = Errors::new();
    let changes = declared::read(Form::Own, &realm.attributes, &signed_in.user.attributes, &typed, &mut attributes);
    let none = FieldErrors::new();
    if !attributes.is_empty() {
        let sent = Sent { typed: &typed, errors: &none, attributes, changed: false };
        let shown = profile_page(&web, &cx, &realm, &signed_in, (Some(sent), None)).await;
        return shown.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)));
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
    let answer = match profile::update(&web.app, &cx, &realm, &signed_in, wanted, version).await {
        Ok(user) => {
            if user.locale != signed_in.user.locale
                && let Some(tag) = &user.locale
            {
                language::choose(tag, Kept::Year);
            }
            Ok(see_other(&href(&realm, "?done=saved")))
        }
        Err(error) => {
            let sent = match *error.kind {
                ErrorKind::Changed => {
                    Ok(Sent { typed: &typed, errors: &none, attributes: Errors::new(), changed: true })
                }
                ErrorKind::Invalid(ref errors) => {
                    Ok(Sent { typed: &typed, errors, attributes: Errors::new(), changed: false })
                }
                _ => Err(()),
            };
            match sent {
                Ok(sent) => profile_page(&web, &cx, &realm, &signed_in, (Some(sent), None)).await,
                Err(()) => Err(error),
            }
        }
    };
    answer.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
}
