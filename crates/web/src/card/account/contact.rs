//! The user's own address, number and sign-in name, each on a page with one field; and the link that makes a new address
//! theirs.

use axum::{
    Form, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    response::Response,
    routing::{get, post},
};
use denizen_model::validation::FieldErrors;
use denizen_ops::{
    Error, ErrorKind,
    account::{Fresh, email, profile},
};
use serde::Serialize;

use super::{
    href,
    questions::{Field, Typed, field_page},
    visit::{Answer, Door, Visit, mendable},
};
use crate::{
    Web,
    card::{
        Card, error_page, fault_page,
        links::{LinkQuery, open},
        page,
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

fn contact_page(
    visit: &Visit<Fresh>,
    contact: Contact,
    typed: Option<String>,
    errors: &FieldErrors,
) -> Result<Response, Error> {
    if contact == Contact::Username && !visit.realm.realm.settings.username_changeable {
        return Err(Error::not_found("page"));
    }
    let user = &visit.signed_in().user;
    let present = match contact {
        // What is typed here is another address than the present one.
        Contact::Email => None,
        Contact::Phone => user.phone.clone(),
        Contact::Username => Some(user.username.clone()),
    };
    let field = Field {
        of: "",
        path: contact.path(),
        texts: contact.name(),
        name: contact.name(),
        kind: contact.kind(),
        has_hint: true,
        value: typed.or(present).unwrap_or_default(),
    };
    Ok(field_page(visit, field, errors))
}

async fn show(door: Door, contact: Contact) -> Answer {
    let visit = door.enter_fresh(contact.path()).await?;
    visit.answer(async { contact_page(&visit, contact, None, &FieldErrors::new()) }).await
}

async fn change(door: Door, contact: Contact, Typed { value }: Typed) -> Answer {
    let visit = door.enter_fresh_form(contact.path()).await?;
    let (app, cx, realm, who) = (&visit.web.app, &visit.cx, &visit.realm, &visit.who);
    visit
        .answer(async {
            let done = match contact {
                Contact::Email => email::ask_to_change(app, cx, realm, who, &value).await,
                Contact::Phone => profile::change_phone(app, cx, realm, who, value.clone()).await.map(drop),
                Contact::Username => profile::change_username(app, cx, realm, who, value.clone()).await.map(drop),
            };
            match done {
                Ok(()) => Ok(visit.lead_to(&format!("?done={}", contact.name()))),
                Err(error) => contact_page(&visit, contact, Some(value), &mendable(error)?),
            }
        })
        .await
}

async fn show_email(door: Door) -> Answer {
    show(door, Contact::Email).await
}

async fn show_phone(door: Door) -> Answer {
    show(door, Contact::Phone).await
}

async fn show_username(door: Door) -> Answer {
    show(door, Contact::Username).await
}

async fn change_email(door: Door, Form(typed): Form<Typed>) -> Answer {
    change(door, Contact::Email, typed).await
}

async fn change_phone(door: Door, Form(typed): Form<Typed>) -> Answer {
    change(door, Contact::Phone, typed).await
}

async fn change_username(door: Door, Form(typed): Form<Typed>) -> Answer {
    change(door, Contact::Username, typed).await
}

/// Taking a change back takes no fresh sign-in: it is what somebody does who did not ask for it.
async fn cancel_email(door: Door) -> Answer {
    let visit = door.enter("").await?;
    visit
        .answer(async {
            email::cancel_change(&visit.web.app, &visit.cx, &visit.who).await?;
            Ok(visit.lead_to("?done=cancelled"))
        })
        .await
}

async fn confirm_email(door: Door) -> Answer {
    let visit = door.enter("").await?;
    visit
        .answer(async {
            match email::ask_to_confirm(&visit.web.app, &visit.cx, &visit.realm, &visit.who).await {
                Ok(()) => Ok(visit.lead_to("?done=email")),
                Err(error) if matches!(*error.kind, ErrorKind::Invalid(_)) => Ok(visit.lead_to("?done=enough")),
                // It was confirmed in the meantime.
                Err(error) if matches!(*error.kind, ErrorKind::Conflict("nothing-to-confirm")) => Ok(visit.lead_to("")),
                Err(error) => Err(error),
            }
        })
        .await
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
