//! One authenticator: given a name, or removed.

use axum::{Form, extract::Path, http::StatusCode, response::Response};
use denizen_model::{AuthenticatorId, validation::FieldErrors};
use denizen_ops::{
    Error, ErrorKind,
    account::{
        Fresh,
        authenticators::{self as own, Kept, can_be_named},
    },
    sessions::SignedIn,
};

use super::{PATH, name_of};
use crate::card::account::{
    questions::{Button, Field, Typed, button_page, field_page},
    visit::{Answer, Door, Visit, mendable},
};

fn parse(id: &str) -> Result<AuthenticatorId, Error> {
    id.parse().map_err(|_| Error::not_found("authenticator"))
}

async fn name_page(
    visit: &Visit<SignedIn>,
    id: AuthenticatorId,
    typed: Option<String>,
    errors: &FieldErrors,
) -> Result<Response, Error> {
    let (one, _) = own::find(&visit.web.app, &visit.cx, &visit.realm, &visit.who, id).await?;
    if !can_be_named(one.kind) {
        return Err(Error::not_found("page"));
    }
    let field = Field {
        of: PATH,
        path: &format!("{PATH}/{id}/name"),
        texts: "name",
        name: "label",
        kind: ("text", "off"),
        has_hint: false,
        value: typed.unwrap_or(one.label),
    };
    Ok(field_page(visit, field, errors))
}

pub(super) async fn ask_name(door: Door, Path((_, id)): Path<(String, String)>) -> Answer {
    let visit = door.enter(PATH).await?;
    visit.answer(async { name_page(&visit, parse(&id)?, None, &FieldErrors::new()).await }).await
}

pub(super) async fn rename(
    door: Door,
    Path((_, id)): Path<(String, String)>,
    Form(Typed { value }): Form<Typed>,
) -> Answer {
    let visit = door.enter(PATH).await?;
    visit
        .answer(async {
            let id = parse(&id)?;
            match own::rename(&visit.web.app, &visit.cx, &visit.who, id, &value).await {
                Ok(()) => Ok(visit.lead_to("/authenticators?done=named")),
                Err(error) => name_page(&visit, id, Some(value), &mendable(error)?).await,
            }
        })
        .await
}

/// Why something stays, as the page says it.
fn kept_words(kept: Kept) -> &'static str {
    match kept {
        Kept::Held => "account.remove.held",
        Kept::WithAddress => "account.remove.with_address",
        Kept::LastWay => "account.remove.last_way",
        Kept::SecondStep => "account.remove.second_step",
    }
}

/// Where the page is that asks whether to remove one.
fn removal(id: &str) -> String {
    format!("{PATH}/{}/remove", crate::path_segment(id))
}

async fn remove_page(visit: &Visit<Fresh>, id: AuthenticatorId) -> Result<Response, Error> {
    let (one, kept) = own::find(&visit.web.app, &visit.cx, &visit.realm, visit.signed_in(), id).await?;
    let name = name_of(&visit.web.templates, &one);
    let button = Button {
        of: PATH,
        path: &removal(&id.to_string()),
        heading: visit.web.templates.text_with("account.remove.title", &[("name", &name)]),
        why: visit.text(kept.map_or("account.remove.why", kept_words)),
        submit: kept.is_none().then(|| visit.text("account.remove.submit")),
        danger: true,
    };
    Ok(button_page(visit, button))
}

pub(super) async fn ask_remove(door: Door, Path((_, id)): Path<(String, String)>) -> Answer {
    let visit = door.enter_fresh(&removal(&id)).await?;
    visit.answer(async { remove_page(&visit, parse(&id)?).await }).await
}

pub(super) async fn remove(door: Door, Path((_, id)): Path<(String, String)>) -> Answer {
    let visit = door.enter_fresh_form(&removal(&id)).await?;
    visit
        .answer(async {
            let id = parse(&id)?;
            match own::remove(&visit.web.app, &visit.cx, &visit.realm, &visit.who, id).await {
                Ok(()) => Ok(visit.lead_to("/authenticators?done=removed")),
                // What keeps it stands on the page.
                Err(error) if matches!(*error.kind, ErrorKind::Conflict(_)) => {
                    let mut page = remove_page(&visit, id).await?;
                    *page.status_mut() = StatusCode::CONFLICT;
                    Ok(page)
                }
                Err(error) => Err(error),
            }
        })
        .await
}
