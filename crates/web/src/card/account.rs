//! The account pages: who is signed in, where, and the way out. Each further page is a file of its own here, and a line
//! of [`PAGES`].

mod activity;
mod applications;
mod sessions;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{Redirect, Response},
    routing::{get, post},
};
use denizen_model::users::VerificationState;
use denizen_model::validation::FieldErrors;
use denizen_ops::{
    Cx, Error, RealmState,
    flows::sign_in::Flow,
    sessions::{SignedIn, applications, sign_out},
};
use serde::Serialize;

use super::{Card, cookie, error_page, fault_page, page, see_other, sign_in::identifier_page, signed_in, with_cookie};
use crate::{
    Web,
    cx::Anonymous,
    render::{Templates, TimeView, hue, initials},
};

pub(crate) fn router() -> Router<Web> {
    Router::new()
        .route("/realms/{realm}", get(root))
        .route("/realms/{realm}/account", get(overview))
        .route("/realms/{realm}/account/sign-out", post(leave))
        .merge(activity::router())
        .merge(applications::router())
        .merge(sessions::router())
}

/// The account pages in the order of their navigation: where each is under `/realms/{realm}/account`, and the id of
/// its name.
const PAGES: [(&str, &str); 4] = [
    ("", "account.nav.overview"),
    ("/sessions", "account.nav.sessions"),
    ("/applications", "account.nav.applications"),
    ("/activity", "account.nav.activity"),
];

/// What the frame of the account pages shows.
#[derive(Serialize)]
pub(super) struct Navigation {
    items: Vec<NavigationItem>,
}

#[derive(Serialize)]
struct NavigationItem {
    href: String,
    label: String,
    current: bool,
}

impl Navigation {
    /// The navigation on the page at `current`, one of [`PAGES`].
    pub(super) fn new(web: &Web, realm: &RealmState, current: &str) -> Self {
        let item = |(path, name): (&str, &str)| NavigationItem {
            href: href(realm, path),
            label: web.templates.text(name),
            current: path == current,
        };
        Self { items: PAGES.into_iter().map(item).collect() }
    }
}

/// The address of an account page.
pub(super) fn href(realm: &RealmState, path: &str) -> String {
    format!("/realms/{}/account{path}", realm.realm.slug)
}

/// A device's label ([`denizen_model::devices::device_label`]) in the reader's language.
fn device_words(templates: &Templates, label: &str) -> String {
    match (label, label.split_once(" on ")) {
        ("Unknown device", _) => templates.text("device.unknown"),
        ("An app on an Apple device", _) => templates.text("device.apple_app"),
        ("Android app", _) => templates.text("device.android_app"),
        (_, Some((program, system))) => templates.text_with("device.on", &[("program", program), ("system", system)]),
        (_, None) => label.to_owned(),
    }
}

/// The realm of an account page and who is signed in to it; for anybody else the page that they get instead.
pub(super) async fn enter(
    web: &Web,
    cx: &Cx,
    slug: &str,
    headers: &HeaderMap,
) -> Result<(Arc<RealmState>, SignedIn), Response> {
    let realm = web.app.realm(slug).await.map_err(|error| error_page(web, &error, cx.request_id, None))?;
    if !realm.realm.enabled {
        return Err(fault_page(web, StatusCode::FORBIDDEN, "realm_disabled", Some(&realm)));
    }
    let answer = match signed_in(web, cx, &realm, headers).await {
        Ok(Some(signed_in)) => return Ok((realm, signed_in)),
        Ok(None) => identifier_page(web, &realm, &Flow::new(cx.now, None, None), &FieldErrors::new()).await,
        Err(error) => Err(error),
    };
    Err(answer.unwrap_or_else(|error| error_page(web, &error, cx.request_id, Some(&realm))))
}

#[derive(Serialize)]
struct OverviewPage {
    card: Card,
    navigation: Navigation,
    user: UserView,
    applications: Vec<ApplicationView>,
    console_href: Option<String>,
    sign_out_action: String,
}

#[derive(Serialize)]
struct UserView {
    name: String,
    initials: String,
    hue: u8,
    email: Option<String>,
    email_verified: bool,
    username: String,
    signed_in_at: TimeView,
}

#[derive(Serialize)]
struct ApplicationView {
    name: String,
    last_used_at: TimeView,
}

async fn root(Path(slug): Path<String>) -> Redirect {
    Redirect::to(&format!("/realms/{}/account", crate::path_segment(&slug)))
}

async fn overview(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
) -> Response {
    let (realm, signed_in) = match enter(&web, &cx, &slug, &headers).await {
        Ok(entered) => entered,
        Err(answer) => return answer,
    };
    let shown = show(&web, &cx, &realm, signed_in).await;
    shown.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
}

async fn show(web: &Web, cx: &Cx, realm: &RealmState, signed_in: SignedIn) -> Result<Response, Error> {
    let used = applications(&web.app, realm, &signed_in).await?;
    let applications =
        used.into_iter().map(|(name, at)| ApplicationView { name, last_used_at: TimeView::new(at, cx.now) }).collect();
    let SignedIn { session, user } = signed_in;
    let slug = &realm.realm.slug;
    let context = OverviewPage {
        card: Card::new(web.templates.text("account.title"), realm),
        navigation: Navigation::new(web, realm, ""),
        console_href: user.admin_role.map(|_| format!("/admin/{slug}/users")),
        sign_out_action: format!("/realms/{slug}/account/sign-out"),
        applications,
        user: UserView {
            initials: initials(user.display_name()),
            hue: hue(&user.id.to_string()),
            name: user.display_name().to_owned(),
            email_verified: user.email_state == VerificationState::Verified,
            email: user.email,
            username: user.username,
            signed_in_at: TimeView::new(session.authenticated_at, cx.now),
        },
    };
    Ok(page(web, StatusCode::OK, "card/account/overview.html", &context))
}

async fn leave(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
) -> Response {
    let realm = match web.app.realm(&slug).await {
        Ok(realm) => realm,
        Err(error) => return error_page(&web, &error, cx.request_id, None),
    };
    let done = match signed_in(&web, &cx, &realm, &headers).await {
        Ok(Some(signed_in)) => sign_out(&web.app, &cx, &signed_in).await,
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    match done {
        Ok(()) => with_cookie(see_other(&format!("/realms/{slug}/signed-out")), cookie::clear(&web, &realm)),
        Err(error) => error_page(&web, &error, cx.request_id, Some(&realm)),
    }
}

#[cfg(test)]
mod tests {
    use denizen_model::devices::device_label;

    use super::*;

    #[test]
    fn devices_are_named_as_the_model_names_them() {
        let templates = Templates::load().unwrap();
        for agent in [
            "",
            "Billing/7 CFNetwork/1568 Darwin/24.0.0",
            "okhttp/4.12.0",
            "curl/8.7.1",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
        ] {
            let label = device_label(agent);
            assert_eq!(device_words(&templates, &label), label);
        }
    }
}
