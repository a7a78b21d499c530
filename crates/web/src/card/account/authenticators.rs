//! The user's own authenticators: seen, set up, named, removed.

mod app;
mod one;
mod recovery_codes;

use axum::{Router, extract::Query, response::Response, routing::get};
use denizen_model::authenticators::{Authenticator, AuthenticatorStatus, AuthenticatorType};
use denizen_ops::{
    Error,
    account::authenticators::{self, Kept, apps_are_used, can_be_named, recovery_codes_are_used},
    authenticators::{Listed, passkeys::are_available},
    sessions::SignedIn,
};
use serde::{Deserialize, Serialize};

use super::{
    Navigation, device_words, passkeys, password,
    visit::{Answer, Door, Visit},
};
use crate::{
    Web,
    card::Card,
    render::{Templates, TimeView},
};

pub(super) const PATH: &str = "/authenticators";
const APP: &str = "/authenticators/app";
const RECOVERY_CODES: &str = "/authenticators/recovery-codes";

pub(super) fn router() -> Router<Web> {
    Router::new()
        .route("/realms/{realm}/account/authenticators", get(list))
        .route("/realms/{realm}/account/authenticators/app", get(app::begin).post(app::confirm))
        .route(
            "/realms/{realm}/account/authenticators/recovery-codes",
            get(recovery_codes::ask).post(recovery_codes::make),
        )
        .route("/realms/{realm}/account/authenticators/{id}/name", get(one::ask_name).post(one::rename))
        .route("/realms/{realm}/account/authenticators/{id}/remove", get(one::ask_remove).post(one::remove))
}

#[derive(Serialize)]
struct AuthenticatorsPage {
    card: Card,
    navigation: Navigation,
    done: Option<String>,
    rows: Vec<Row>,
    /// What can be added.
    password_href: Option<String>,
    passkey_href: Option<String>,
    app_href: Option<String>,
    recovery_codes_href: Option<String>,
}

#[derive(Serialize)]
struct Row {
    icon: &'static str,
    title: String,
    /// The user's own name for it, or the address it goes to.
    label: String,
    status: String,
    status_kind: &'static str,
    until: Option<TimeView>,
    /// Of recovery codes: how many are left.
    left: Option<String>,
    registered_at: TimeView,
    last_used_at: Option<TimeView>,
    application: Option<String>,
    device: Option<String>,
    place: Option<String>,
    change_href: Option<String>,
    /// What that is called: a password is changed, an app replaced.
    change_label: String,
    name_href: Option<String>,
    remove_href: Option<String>,
}

fn icon(kind: AuthenticatorType) -> &'static str {
    match kind {
        AuthenticatorType::Password | AuthenticatorType::Passkey => "key",
        AuthenticatorType::Totp | AuthenticatorType::SmsCode => "phone",
        AuthenticatorType::EmailCode => "mail",
        AuthenticatorType::MagicLink => "link",
        AuthenticatorType::RecoveryCodes => "lock",
    }
}

/// What a kind is called in the reader's language.
fn title(templates: &Templates, kind: AuthenticatorType) -> String {
    templates.text(&format!("authenticator.{kind}"))
}

/// What one authenticator is called: the user's own name for it, else what it is.
fn name_of(templates: &Templates, one: &Authenticator) -> String {
    if one.label.is_empty() { title(templates, one.kind) } else { one.label.clone() }
}

fn status(one: AuthenticatorStatus) -> (&'static str, &'static str) {
    match one {
        AuthenticatorStatus::Registered => ("authenticator.status.registered", "neutral"),
        AuthenticatorStatus::Active => ("authenticator.status.active", "success"),
        AuthenticatorStatus::Locked => ("authenticator.status.locked", "danger"),
        AuthenticatorStatus::Deactivated => ("authenticator.status.deactivated", "warning"),
    }
}

async fn row(
    visit: &Visit<SignedIn>,
    listed: &Listed,
    (one, kept): (&Authenticator, Option<Kept>),
) -> Result<Row, Error> {
    let Visit { web, cx, realm, .. } = visit;
    let application = match &one.last_client_id {
        Some(id) => realm.client(&web.app, id).await?.map(|client| client.name.clone()),
        None => None,
    };
    let (text, status_kind) = status(one.status(true, &listed.lockouts, cx.now));
    let own = |action: &str| visit.href(&format!("{PATH}/{}/{action}", one.id));
    // What an administrator holds is not the user's to change.
    let (kind, free) = (one.kind, one.is_usable(cx.now));
    let left = listed.recovery_codes_left.filter(|_| kind == AuthenticatorType::RecoveryCodes);
    let change = match kind {
        AuthenticatorType::Password => Some(password::PATH),
        AuthenticatorType::Totp => Some(APP).filter(|_| apps_are_used(&realm.realm.settings)),
        AuthenticatorType::RecoveryCodes => {
            Some(RECOVERY_CODES).filter(|_| recovery_codes_are_used(&realm.realm.settings, &listed.authenticators))
        }
        _ => None,
    };
    Ok(Row {
        icon: icon(kind),
        title: title(&web.templates, kind),
        label: one.label.clone(),
        status: visit.text(text),
        status_kind,
        until: TimeView::opt(
            one.locked_until(&listed.lockouts, cx.now).or(one.deactivated_until.filter(|_| one.is_deactivated(cx.now))),
            cx.now,
        ),
        left: left.map(|left| web.templates.text_with("authenticator.left", &[("count", &left.to_string())])),
        registered_at: TimeView::new(one.registered_at, cx.now),
        last_used_at: TimeView::opt(one.last_used_at, cx.now),
        application,
        device: one.last_device.as_deref().map(|device| device_words(&web.templates, device)),
        place: one.last_place.clone(),
        change_href: change.filter(|_| free).map(|path| visit.href(path)),
        change_label: visit.text(if kind == AuthenticatorType::Password {
            "account.change"
        } else {
            "authenticator.replace"
        }),
        name_href: (can_be_named(kind) && free).then(|| own("name")),
        remove_href: kept.is_none().then(|| own("remove")),
    })
}

/// What has just been done, for the notice above the list.
#[derive(Deserialize)]
struct Asked {
    done: Option<String>,
}

async fn list(door: Door, Query(asked): Query<Asked>) -> Answer {
    let visit = door.enter(PATH).await?;
    visit.answer(show(&visit, asked.done.as_deref())).await
}

async fn show(visit: &Visit<SignedIn>, done: Option<&str>) -> Result<Response, Error> {
    let Visit { web, cx, realm, who } = visit;
    let (listed, kept) = authenticators::list(&web.app, cx, realm, who).await?;
    let mut rows = Vec::with_capacity(listed.authenticators.len());
    for one in listed.authenticators.iter().zip(kept) {
        rows.push(row(visit, &listed, one).await?);
    }
    let has = |kind: AuthenticatorType| listed.authenticators.iter().any(|one| one.kind == kind);
    let settings = &realm.realm.settings;
    let passwords = settings.sign_in_methods.contains(&AuthenticatorType::Password);
    let passkeys = are_available(&web.app);
    let codes = recovery_codes_are_used(settings, &listed.authenticators);
    let done = match done {
        Some("app") => Some("account.app.done"),
        Some("named") => Some("account.name.done"),
        Some("removed") => Some("account.remove.done"),
        _ => None,
    };
    let context = AuthenticatorsPage {
        card: visit.card(visit.text("account.authenticators.title")),
        navigation: visit.navigation(PATH),
        done: done.map(|id| visit.text(id)),
        password_href: (passwords && !has(AuthenticatorType::Password)).then(|| visit.href(password::PATH)),
        passkey_href: passkeys.then(|| visit.href(passkeys::PATH)),
        app_href: (apps_are_used(settings) && !has(AuthenticatorType::Totp)).then(|| visit.href(APP)),
        recovery_codes_href: (codes && !has(AuthenticatorType::RecoveryCodes)).then(|| visit.href(RECOVERY_CODES)),
        rows,
    };
    Ok(visit.page("card/account/authenticators.html", &context))
}
