//! The account pages: what people see of their own account and change themselves. Each page is a file of its own here,
//! and a line of [`PAGES`].
//!
//! All are opened and answered in one way, see [`visit`]. What changes a way to sign in is behind
//! [`visit::Door::enter_fresh`]: whoever signed in too long ago does so again and comes back to the page.

mod activity;
mod applications;
mod authenticators;
mod contact;
mod deletion;
mod passkeys;
mod password;
mod profile;
mod questions;
mod sessions;
mod visit;

pub(crate) use contact::link_router;

use axum::{
    Router,
    extract::{Path, State},
    http::HeaderMap,
    response::{Redirect, Response},
    routing::{get, post},
};
use denizen_model::authenticators::AuthenticatorType;
use denizen_ops::{
    RealmState,
    sessions::{SignedIn, sign_out},
};
use serde::Serialize;

use super::{cookie, error_page, see_other, signed_in, with_cookie};
use crate::{
    Web,
    cx::Anonymous,
    render::{Templates, hue, initials},
};

pub(crate) fn router() -> Router<Web> {
    Router::new()
        .route("/realms/{realm}", get(root))
        .route("/realms/{realm}/account/sign-out", post(leave))
        .merge(activity::router())
        .merge(applications::router())
        .merge(authenticators::router())
        .merge(contact::router())
        .merge(deletion::router())
        .merge(password::router())
        .merge(profile::router())
        .merge(sessions::router())
        .merge(passkeys::router())
}

/// The account pages in the order of their navigation: where each is under `/realms/{realm}/account`, the id of its
/// name, its icon.
const PAGES: [(&str, &str, &str); 6] = [
    ("", "account.nav.profile", "user"),
    (password::PATH, "account.nav.password", "key"),
    (authenticators::PATH, "account.nav.authenticators", "lock"),
    (sessions::PATH, "account.nav.sessions", "monitor"),
    (applications::PATH, "account.nav.applications", "clients"),
    (activity::PATH, "account.nav.activity", "activity"),
];

/// What the frame of the account pages shows.
#[derive(Serialize)]
pub(super) struct Navigation {
    items: Vec<NavigationItem>,
    /// The name of the page, on screens that have no place for all of them.
    current: String,
    name: String,
    initials: String,
    hue: u8,
    /// What they sign in with.
    username: String,
    console_href: Option<String>,
    sign_out_action: String,
}

#[derive(Serialize)]
struct NavigationItem {
    href: String,
    label: String,
    icon: &'static str,
    current: bool,
}

impl Navigation {
    /// The navigation on the page at `current`, one of [`PAGES`].
    pub(super) fn new(web: &Web, realm: &RealmState, signed_in: &SignedIn, current: &str) -> Self {
        let item = |(path, name, icon): (&str, &str, &'static str)| NavigationItem {
            href: href(realm, path),
            label: web.templates.text(name),
            icon,
            current: path == current,
        };
        let passwords = realm.realm.settings.sign_in_methods.contains(&AuthenticatorType::Password);
        let shown = PAGES.into_iter().filter(|(path, ..)| passwords || *path != password::PATH);
        let user = &signed_in.user;
        Self {
            current: PAGES
                .iter()
                .find(|(path, ..)| *path == current)
                .map_or_else(String::new, |(_, name, _)| web.templates.text(name)),
            items: shown.map(item).collect(),
            name: user.display_name().to_owned(),
            initials: initials(user.display_name()),
            hue: hue(&user.id.to_string()),
            username: user.username.clone(),
            console_href: user.admin_role.map(|_| format!("/admin/{}/users", realm.realm.slug)),
            sign_out_action: href(realm, "/sign-out"),
        }
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

async fn root(Path(slug): Path<String>) -> Redirect {
    Redirect::to(&format!("/realms/{}/account", crate::path_segment(&slug)))
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
