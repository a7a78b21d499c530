//! The user's own address, number and sign-in name, each on a page with one field; and the link that makes a new address
//! theirs.

use axum::{
    Form, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::Response,
    routing::{get, post},
};
use denizen_model::validation::FieldErrors;
use denizen_ops::{
    Cx, Error, ErrorKind, RealmState,
    account::{Fresh, email, profile},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::{Navigation, enter, enter_fresh, enter_fresh_form, href, mendable, status_of};
use crate::{
    Web,
    card::{
        Card, error_page, fault_page, field_messages,
        links::{LinkQuery, open},
        page, see_other,
    },
    cx::Anonymous,
};

pub(super) fn router() -> Router<Web> {
    Router::new()
        .route("/realms/{realm}/account/email", get(show_email).post(change_email))
        .route("/realms/{realm}/account/email/cancel", post(cancel_email))
        .route("/realms/{realm}/account/email/confirm", post(confirm_email))
        .route("/realms/{realm}/account/phone", get(show_phone).post(change_phone))
        .route("/realms/{realm}/account/username", get(show_username).post(change_username))
}

/// The page that the link to a new address leads to. Nobody needs to be signed in there: the mail may be read on another
/// device.
pub(crate) fn link_router() -> Router<Web> {
    Router::new().route("/realms/{realm}/change-email", get(ask_new_address).post(take_new_address))
}

/// What one of the pages changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contact {
    Email,
    Phone,
    Username,
}

impl Contact {
    const fn path(self) -> &'static str {
        match self {
            Self::Email => "/email",
            Self::Phone => "/phone",
            Self::Username => "/username",
        }
    }

    /// The name of its field, and of its texts.
    const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Username => "username",
        }
    }

    /// What browsers know about the field: its type and what they may fill in.
    const fn kind(self) -> (&'static str, &'static str) {
        match self {
            Self::Email => ("email", "email"),
            Self::Phone => ("tel", "tel"),
            Self::Username => ("text", "username"),
        }
    }
}

/// A page with one field.
#[derive(Serialize)]
pub(super) struct FieldPage {
    pub(super) card: Card,
    pub(super) navigation: Navigation,
    pub(super) action: String,
    pub(super) cancel_href: String,
    pub(super) why: String,
    pub(super) name: &'static str,
    pub(super) label: String,
    pub(super) hint: String,
    pub(super) kind: &'static str,
    pub(super) autocomplete: &'static str,
    pub(super) value: String,
    pub(super) submit: String,
    pub(super) errors: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct FieldForm {
    #[serde(default)]
    value: String,
}

fn field_page(
    web: &Web,
    realm: &RealmState,
    fresh: &Fresh,
    contact: Contact,
    typed: Option<String>,
    errors: &FieldErrors,
) -> Result<Response, Error> {
    if contact == Contact::Username && !realm.realm.settings.username_changeable {
        return Err(Error::not_found("page"));
    }
    let user = &fresh.signed_in().user;
    let present = match contact {
        // What is typed here is another address than the present one.
        Contact::Email => None,
        Contact::Phone => user.phone.clone(),
        Contact::Username => Some(user.username.clone()),
    };
    let text = |part: &str| web.templates.text(&format!("account.{}.{part}", contact.name()));
    let (kind, autocomplete) = contact.kind();
    let context = FieldPage {
        card: Card::new(text("title"), realm),
        navigation: Navigation::new(web, realm, fresh.signed_in(), ""),
        action: href(realm, contact.path()),
        cancel_href: href(realm, ""),
        why: text("why"),
        name: contact.name(),
        label: text("label"),
        hint: text("hint"),
        kind,
        autocomplete,
        value: typed.or(present).unwrap_or_default(),
        submit: text("submit"),
        errors: field_messages(web, errors),
    };
    Ok(page(web, status_of(errors), "card/account/field.html", &context))
}

async fn show(web: &Web, cx: &Cx, slug: &str, headers: &HeaderMap, contact: Contact) -> Response {
    let (realm, fresh) = match enter_fresh(web, cx, slug, headers, contact.path()).await {
        Ok(entered) => entered,
        Err(answer) => return answer,
    };
    field_page(web, &realm, &fresh, contact, None, &FieldErrors::new())
        .unwrap_or_else(|error| error_page(web, &error, cx.request_id, Some(&realm)))
}

async fn change(web: &Web, cx: &Cx, slug: &str, headers: &HeaderMap, contact: Contact, typed: String) -> Response {
    let (realm, fresh) = match enter_fresh_form(web, cx, slug, headers, contact.path()).await {
        Ok(entered) => entered,
        Err(answer) => return answer,
    };
    let app = &web.app;
    let done = match contact {
        Contact::Email => email::ask_to_change(app, cx, &realm, &fresh, &typed).await,
        Contact::Phone => profile::change_phone(app, cx, &realm, &fresh, typed.clone()).await.map(drop),
        Contact::Username => profile::change_username(app, cx, &realm, &fresh, typed.clone()).await.map(drop),
    };
    let answer = match done {
        Ok(()) => Ok(see_other(&href(&realm, &format!("?done={}", contact.name())))),
        Err(error) => match mendable(error) {
            Ok(errors) => field_page(web, &realm, &fresh, contact, Some(typed), &errors),
            Err(error) => Err(error),
        },
    };
    answer.unwrap_or_else(|error| error_page(web, &error, cx.request_id, Some(&realm)))
}

async fn show_email(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
) -> Response {
    show(&web, &cx, &slug, &headers, Contact::Email).await
}

async fn show_phone(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
) -> Response {
    show(&web, &cx, &slug, &headers, Contact::Phone).await
}

async fn show_username(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
) -> Response {
    show(&web, &cx, &slug, &headers, Contact::Username).await
}

async fn change_email(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Form(form): Form<FieldForm>,
) -> Response {
    change(&web, &cx, &slug, &headers, Contact::Email, form.value).await
}

async fn change_phone(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Form(form): Form<FieldForm>,
) -> Response {
    change(&web, &cx, &slug, &headers, Contact::Phone, form.value).await
}

async fn change_username(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Form(form): Form<FieldForm>,
) -> Response {
    change(&web, &cx, &slug, &headers, Contact::Username, form.value).await
}

/// Taking a change back takes no fresh sign-in: it is what somebody does who did not ask for it.
async fn cancel_email(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
) -> Response {
    let (realm, signed_in) = match enter(&web, &cx, &slug, &headers, "").await {
        Ok(entered) => entered,
        Err(answer) => return answer,
    };
    match email::cancel_change(&web.app, &cx, &signed_in).await {
        Ok(()) => see_other(&href(&realm, "?done=cancelled")),
        Err(error) => error_page(&web, &error, cx.request_id, Some(&realm)),
    }
}

async fn confirm_email(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
) -> Response {
    let (realm, signed_in) = match enter(&web, &cx, &slug, &headers, "").await {
        Ok(entered) => entered,
        Err(answer) => return answer,
    };
    match email::ask_to_confirm(&web.app, &cx, &realm, &signed_in).await {
        Ok(()) => see_other(&href(&realm, "?done=email")),
        Err(error) if matches!(*error.kind, ErrorKind::Invalid(_)) => see_other(&href(&realm, "?done=enough")),
        // It was confirmed in the meantime.
        Err(error) if matches!(*error.kind, ErrorKind::Conflict("nothing-to-confirm")) => see_other(&href(&realm, "")),
        Err(error) => error_page(&web, &error, cx.request_id, Some(&realm)),
    }
}

#[derive(Serialize)]
struct NewAddressPage {
    card: Card,
    action: String,
    token: String,
    email: String,
}

#[derive(Serialize)]
struct TakenAddressPage {
    card: Card,
    email: String,
    account_href: String,
}

async fn ask_new_address(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    Query(LinkQuery { token }): Query<LinkQuery>,
) -> Response {
    let realm = match open(&web, &cx, &slug).await {
        Ok(realm) => realm,
        Err(page) => return page,
    };
    match email::find_new_address(&web.app, &cx, &realm, &token).await {
        Ok(email) => {
            let context = NewAddressPage {
                card: Card::new(web.templates.text("verify_email.title"), &realm),
                action: format!("/realms/{}/change-email", realm.realm.slug),
                token,
                email,
            };
            page(&web, StatusCode::OK, "card/links/verify_email.html", &context)
        }
        Err(error) => error_page(&web, &error, cx.request_id, Some(&realm)),
    }
}

async fn take_new_address(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    Form(LinkQuery { token }): Form<LinkQuery>,
) -> Response {
    let realm = match open(&web, &cx, &slug).await {
        Ok(realm) => realm,
        Err(page) => return page,
    };
    match email::confirm_change(&web.app, &cx, &realm, &token).await {
        Ok(user) => {
            let context = TakenAddressPage {
                card: Card::new(web.templates.text("verify_email.done"), &realm),
                email: user.email.unwrap_or_default(),
                account_href: href(&realm, ""),
            };
            page(&web, StatusCode::OK, "card/links/verified.html", &context)
        }
        Err(error) if matches!(*error.kind, ErrorKind::Conflict("address-taken")) => {
            fault_page(&web, StatusCode::CONFLICT, "address_taken", Some(&realm))
        }
        Err(error) => error_page(&web, &error, cx.request_id, Some(&realm)),
    }
}
