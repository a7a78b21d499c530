//! How every account page is opened and answered. A handler takes a [`Door`], enters by it and answers its [`Visit`]:
//!
//! ```ignore
//! async fn change(door: Door, Form(form): Form<Typed>) -> Answer {
//!     let visit = door.enter_fresh_form(PATH).await?;
//!     visit.answer(async {
//!         match operation(&visit.web.app, &visit.cx, &visit.realm, &visit.who, &form.value).await {
//!             Ok(()) => Ok(visit.lead_to("/there?done=changed")),
//!             Err(error) => form_page(&visit, Some(form.value), &mendable(error)?),
//!         }
//!     }).await
//! }
//! ```

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, Path, rejection::PathRejection},
    http::{HeaderMap, StatusCode, request::Parts},
    response::Response,
};
use denizen_model::validation::FieldErrors;
use denizen_ops::{Cx, Error, ErrorKind, RealmState, account::Fresh, flows::sign_in::Flow, sessions::SignedIn};
use serde::{Deserialize, Serialize};

use super::{Navigation, href};
use crate::{
    Web,
    card::{
        Card, error_page, fault_page, page, see_other,
        sign_in::{identifier_page, status_of},
        signed_in,
    },
    cx,
};

/// What a handler of an account page answers: its page, or the one that somebody gets instead.
pub(super) type Answer = Result<Response, Response>;

/// A request for an account page, of nobody knows whom.
pub(super) struct Door {
    web: Web,
    cx: Cx,
    slug: String,
    headers: HeaderMap,
}

#[derive(Deserialize)]
struct OfRealm {
    realm: String,
}

impl FromRequestParts<Web> for Door {
    type Rejection = PathRejection;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, PathRejection> {
        let Path(OfRealm { realm: slug }) = Path::from_request_parts(parts, web).await?;
        let cx = cx::anonymous(web, &parts.headers, &parts.extensions);
        Ok(Self { web: web.clone(), cx, slug, headers: parts.headers.clone() })
    }
}

impl Door {
    /// For whoever is signed in to the realm; anybody else signs in, which leads to the page at `path`.
    pub(super) async fn enter(self, path: &str) -> Result<Visit<SignedIn>, Response> {
        let Self { web, cx, slug, headers } = self;
        let realm = web.app.realm(&slug).await.map_err(|error| error_page(&web, &error, cx.request_id, None))?;
        if !realm.realm.enabled {
            return Err(fault_page(&web, StatusCode::FORBIDDEN, "realm_disabled", Some(&realm)));
        }
        match signed_in(&web, &cx, &realm, &headers).await {
            Ok(Some(who)) => Ok(Visit { web, cx, realm, who }),
            Ok(None) => {
                let flow = Flow::new(cx.now, None, None);
                Err(sign_in_page(&web, &cx, &realm, flow, path).await)
            }
            Err(error) => Err(error_page(&web, &error, cx.request_id, Some(&realm))),
        }
    }

    /// As [`Door::enter`], for what changes a way to sign in: whoever signed in too long ago gets the sign-in page, as
    /// themselves.
    pub(super) async fn enter_fresh(self, path: &str) -> Result<Visit<Fresh>, Response> {
        let Visit { web, cx, realm, who } = self.enter(path).await?;
        let username = who.user.username.clone();
        if let Some(who) = Fresh::of(&cx, who) {
            return Ok(Visit { web, cx, realm, who });
        }
        // The first page, where they may also take a passkey.
        let flow = Flow::new(cx.now, None, Some(username)).once_more();
        Err(sign_in_page(&web, &cx, &realm, flow, path).await)
    }

    /// As [`Door::enter_fresh`], for a form: nobody's typing survives a sign-in, so it leads to the page of the form,
    /// which asks for one.
    pub(super) async fn enter_fresh_form(self, path: &str) -> Result<Visit<Fresh>, Response> {
        let Visit { web, cx, realm, who } = self.enter(path).await?;
        match Fresh::of(&cx, who) {
            Some(who) => Ok(Visit { web, cx, realm, who }),
            None => Err(see_other(&href(&realm, path))),
        }
    }
}

async fn sign_in_page(web: &Web, cx: &Cx, realm: &RealmState, flow: Flow, path: &str) -> Response {
    let flow = flow.leading_to(href(realm, path));
    let shown = identifier_page(web, realm, &flow, &FieldErrors::new()).await;
    shown.unwrap_or_else(|error| error_page(web, &error, cx.request_id, Some(realm)))
}

/// Somebody at a page of their own account.
pub(super) struct Visit<Who> {
    pub(super) web: Web,
    pub(super) cx: Cx,
    pub(super) realm: Arc<RealmState>,
    pub(super) who: Who,
}

/// Who visits: anybody signed in, or somebody who signed in a short while ago.
pub(super) trait Whose {
    fn signed_in(&self) -> &SignedIn;
}

impl Whose for SignedIn {
    fn signed_in(&self) -> &SignedIn {
        self
    }
}

impl Whose for Fresh {
    fn signed_in(&self) -> &SignedIn {
        self.signed_in()
    }
}

impl<Who: Whose> Visit<Who> {
    pub(super) fn signed_in(&self) -> &SignedIn {
        self.who.signed_in()
    }

    /// The text of an id in the reader's language.
    pub(super) fn text(&self, id: &str) -> String {
        self.web.templates.text(id)
    }

    /// The address of an account page of theirs.
    pub(super) fn href(&self, path: &str) -> String {
        href(&self.realm, path)
    }

    pub(super) fn card(&self, title: String) -> Card {
        Card::new(title, &self.realm)
    }

    pub(super) fn navigation(&self, current: &str) -> Navigation {
        Navigation::new(&self.web, &self.realm, self.signed_in(), current)
    }

    /// A page of theirs.
    pub(super) fn page(&self, template: &str, context: &impl Serialize) -> Response {
        page(&self.web, StatusCode::OK, template, context)
    }

    /// The page of a form with `errors` in its fields, or none.
    pub(super) fn form_page(&self, errors: &FieldErrors, template: &str, context: &impl Serialize) -> Response {
        page(&self.web, status_of(errors), template, context)
    }

    /// Leads on to an account page of theirs.
    pub(super) fn lead_to(&self, path: &str) -> Response {
        see_other(&self.href(path))
    }

    /// What was made of the request; for a failure its page.
    pub(super) async fn answer(&self, made: impl Future<Output = Result<Response, Error>>) -> Answer {
        made.await.map_err(|error| error_page(&self.web, &error, self.cx.request_id, Some(&self.realm)))
    }
}

/// The messages of a failure that the person at the form can mend; any other failure goes on.
pub(super) fn mendable(error: Error) -> Result<FieldErrors, Error> {
    match *error.kind {
        ErrorKind::Invalid(errors) => Ok(errors),
        _ => Err(error),
    }
}
