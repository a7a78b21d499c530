//! The user's own authenticators: seen, set up, named, removed.

use std::sync::Arc;

use axum::{
    Form, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::Response,
    routing::get,
};
use denizen_model::{
    AuthenticatorId,
    authenticators::{Authenticator, AuthenticatorStatus, AuthenticatorType},
    validation::FieldErrors,
};
use denizen_ops::{
    Cx, Error, ErrorKind, RealmState,
    account::{
        Fresh,
        authenticators::{self, Kept, apps_are_used, can_be_named, recovery_codes_are_used},
    },
    authenticators::{Listed, passkeys::are_available},
    crypto::Secret,
    flows::sign_in::actions::TotpSetUp,
    sessions::SignedIn,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::{
    Navigation, contact::FieldPage, device_words, enter, enter_fresh, enter_fresh_form, href, mendable, passkeys,
    password, status_of,
};
use crate::{
    Web,
    card::{Card, error_page, field_messages, page, see_other},
    cx::Anonymous,
    render::{Templates, TimeView},
};

pub(super) const PATH: &str = "/authenticators";
const APP: &str = "/authenticators/app";
const RECOVERY_CODES: &str = "/authenticators/recovery-codes";

pub(super) fn router() -> Router<Web> {
    Router::new()
        .route("/realms/{realm}/account/authenticators", get(list))
        .route("/realms/{realm}/account/authenticators/app", get(begin_app).post(confirm_app))
        .route("/realms/{realm}/account/authenticators/recovery-codes", get(ask_codes).post(make_codes))
        .route("/realms/{realm}/account/authenticators/{id}/name", get(ask_name).post(rename))
        .route("/realms/{realm}/account/authenticators/{id}/remove", get(ask_remove).post(remove))
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
    web: &Web,
    cx: &Cx,
    realm: &RealmState,
    listed: &Listed,
    (one, kept): (&Authenticator, Option<Kept>),
) -> Result<Row, Error> {
    let application = match &one.last_client_id {
        Some(id) => realm.client(&web.app, id).await?.map(|client| client.name.clone()),
        None => None,
    };
    let (text, status_kind) = status(one.status(true, &listed.lockouts, cx.now));
    let own = |action: &str| href(realm, &format!("{PATH}/{}/{action}", one.id));
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
        status: web.templates.text(text),
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
        change_href: change.filter(|_| free).map(|path| href(realm, path)),
        change_label: web.templates.text(if kind == AuthenticatorType::Password {
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

async fn list(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let (realm, signed_in) = match enter(&web, &cx, &slug, &headers, PATH).await {
        Ok(entered) => entered,
        Err(answer) => return answer,
    };
    let shown = show(&web, &cx, &realm, &signed_in, asked.done.as_deref()).await;
    shown.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
}

async fn show(
    web: &Web,
    cx: &Cx,
    realm: &Arc<RealmState>,
    signed_in: &SignedIn,
    done: Option<&str>,
) -> Result<Response, Error> {
    let (listed, kept) = authenticators::list(&web.app, cx, realm, signed_in).await?;
    let mut rows = Vec::with_capacity(listed.authenticators.len());
    for one in listed.authenticators.iter().zip(kept) {
        rows.push(row(web, cx, realm, &listed, one).await?);
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
        card: Card::new(web.templates.text("account.authenticators.title"), realm),
        navigation: Navigation::new(web, realm, signed_in, PATH),
        done: done.map(|id| web.templates.text(id)),
        password_href: (passwords && !has(AuthenticatorType::Password)).then(|| href(realm, password::PATH)),
        passkey_href: passkeys.then(|| href(realm, passkeys::PATH)),
        app_href: (apps_are_used(settings) && !has(AuthenticatorType::Totp)).then(|| href(realm, APP)),
        recovery_codes_href: (codes && !has(AuthenticatorType::RecoveryCodes)).then(|| href(realm, RECOVERY_CODES)),
        rows,
    };
    Ok(page(web, StatusCode::OK, "card/account/authenticators.html", &context))
}

#[derive(Serialize)]
struct AppPage {
    card: Card,
    navigation: Navigation,
    action: String,
    cancel_href: String,
    state: String,
    /// SVG of our own making, with nothing in it that anybody typed.
    picture: Option<String>,
    secret: String,
    /// There is an app already, in whose place this one comes.
    replaces: bool,
    errors: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct AppForm {
    #[serde(default)]
    state: String,
    #[serde(default)]
    code: Secret,
}

async fn app_page(
    web: &Web,
    cx: &Cx,
    realm: &Arc<RealmState>,
    fresh: &Fresh,
    (set_up, state): (TotpSetUp, String),
    errors: &FieldErrors,
) -> Result<Response, Error> {
    let (listed, _) = authenticators::list(&web.app, cx, realm, fresh.signed_in()).await?;
    let context = AppPage {
        card: Card::new(web.templates.text("sign_in.configure_otp.title"), realm),
        navigation: Navigation::new(web, realm, fresh.signed_in(), PATH),
        action: href(realm, APP),
        cancel_href: href(realm, PATH),
        state,
        picture: set_up.picture.map(|picture| picture.expose().to_owned()),
        secret: set_up.text.expose().to_owned(),
        replaces: listed.authenticators.iter().any(|one| one.kind == AuthenticatorType::Totp),
        errors: field_messages(web, errors),
    };
    Ok(page(web, status_of(errors), "card/account/app.html", &context))
}

async fn begin_app(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
) -> Response {
    let (realm, fresh) = match enter_fresh(&web, &cx, &slug, &headers, APP).await {
        Ok(entered) => entered,
        Err(answer) => return answer,
    };
    let shown = match authenticators::begin_app(&web.app, &cx, &realm, &fresh) {
        Ok(begun) => app_page(&web, &cx, &realm, &fresh, begun, &FieldErrors::new()).await,
        Err(error) => Err(error),
    };
    shown.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
}

#[derive(Serialize)]
struct CodesPage {
    card: Card,
    navigation: Navigation,
    done: Option<String>,
    codes: Vec<String>,
    done_href: String,
}

/// The page that shows new recovery codes, once.
fn codes_page(web: &Web, realm: &RealmState, fresh: &Fresh, codes: &[Secret], done: Option<&str>) -> Response {
    let context = CodesPage {
        card: Card::new(web.templates.text("sign_in.recovery_codes.title"), realm),
        navigation: Navigation::new(web, realm, fresh.signed_in(), PATH),
        done: done.map(|id| web.templates.text(id)),
        codes: codes.iter().map(|code| code.expose().to_owned()).collect(),
        done_href: href(realm, PATH),
    };
    page(web, StatusCode::OK, "card/account/codes.html", &context)
}

async fn confirm_app(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Form(form): Form<AppForm>,
) -> Response {
    let (realm, fresh) = match enter_fresh_form(&web, &cx, &slug, &headers, APP).await {
        Ok(entered) => entered,
        Err(answer) => return answer,
    };
    let answer = match authenticators::confirm_app(&web.app, &cx, &realm, &fresh, &form.state, &form.code).await {
        Ok(Some(codes)) => Ok(codes_page(&web, &realm, &fresh, &codes, Some("account.app.done"))),
        Ok(None) => Ok(see_other(&href(&realm, "/authenticators?done=app"))),
        Err(error) => match mendable(error) {
            Ok(errors) => match authenticators::app_again(&web.app, &cx, &realm, &fresh, &form.state) {
                Ok(set_up) => app_page(&web, &cx, &realm, &fresh, (set_up, form.state), &errors).await,
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        },
    };
    answer.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
}

/// A question with one button.
#[derive(Serialize)]
struct ConfirmPage {
    card: Card,
    navigation: Navigation,
    action: String,
    cancel_href: String,
    heading: String,
    why: String,
    submit: Option<String>,
    danger: bool,
}

async fn ask_codes(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
) -> Response {
    let (realm, fresh) = match enter_fresh(&web, &cx, &slug, &headers, RECOVERY_CODES).await {
        Ok(entered) => entered,
        Err(answer) => return answer,
    };
    let listed = match authenticators::list(&web.app, &cx, &realm, fresh.signed_in()).await {
        Ok((listed, _)) => listed,
        Err(error) => return error_page(&web, &error, cx.request_id, Some(&realm)),
    };
    if !recovery_codes_are_used(&realm.realm.settings, &listed.authenticators) {
        return error_page(&web, &Error::not_found("page"), cx.request_id, Some(&realm));
    }
    let text = |id: &str| web.templates.text(id);
    let first = listed.recovery_codes_left.is_none();
    let context = ConfirmPage {
        card: Card::new(text("account.codes.title"), &realm),
        navigation: Navigation::new(&web, &realm, fresh.signed_in(), PATH),
        action: href(&realm, RECOVERY_CODES),
        cancel_href: href(&realm, PATH),
        heading: text("account.codes.title"),
        why: if first { text("account.codes.why_first") } else { text("account.codes.why") },
        submit: Some(text("account.codes.submit")),
        danger: false,
    };
    page(&web, StatusCode::OK, "card/account/confirm.html", &context)
}

async fn make_codes(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
) -> Response {
    let (realm, fresh) = match enter_fresh_form(&web, &cx, &slug, &headers, RECOVERY_CODES).await {
        Ok(entered) => entered,
        Err(answer) => return answer,
    };
    match authenticators::replace_recovery_codes(&web.app, &cx, &realm, &fresh).await {
        Ok(codes) => codes_page(&web, &realm, &fresh, &codes, None),
        Err(error) => error_page(&web, &error, cx.request_id, Some(&realm)),
    }
}

fn parse(id: &str) -> Result<AuthenticatorId, Error> {
    id.parse().map_err(|_| Error::not_found("authenticator"))
}

#[derive(Deserialize)]
struct NameForm {
    #[serde(default)]
    value: String,
}

async fn name_page(
    web: &Web,
    cx: &Cx,
    realm: &Arc<RealmState>,
    signed_in: &SignedIn,
    id: &str,
    (typed, errors): (Option<String>, &FieldErrors),
) -> Result<Response, Error> {
    let (one, _) = authenticators::find(&web.app, cx, realm, signed_in, parse(id)?).await?;
    if !can_be_named(one.kind) {
        return Err(Error::not_found("page"));
    }
    let text = |id: &str| web.templates.text(id);
    let context = FieldPage {
        card: Card::new(text("account.name.title"), realm),
        navigation: Navigation::new(web, realm, signed_in, PATH),
        action: href(realm, &format!("{PATH}/{}/name", one.id)),
        cancel_href: href(realm, PATH),
        why: text("account.name.why"),
        name: "label",
        label: text("account.name.label"),
        hint: String::new(),
        kind: "text",
        autocomplete: "off",
        value: typed.unwrap_or(one.label),
        submit: text("account.name.submit"),
        errors: field_messages(web, errors),
    };
    Ok(page(web, status_of(errors), "card/account/field.html", &context))
}

async fn ask_name(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path((slug, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let (realm, signed_in) = match enter(&web, &cx, &slug, &headers, PATH).await {
        Ok(entered) => entered,
        Err(answer) => return answer,
    };
    let shown = name_page(&web, &cx, &realm, &signed_in, &id, (None, &FieldErrors::new())).await;
    shown.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
}

async fn rename(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path((slug, id)): Path<(String, String)>,
    headers: HeaderMap,
    Form(form): Form<NameForm>,
) -> Response {
    let (realm, signed_in) = match enter(&web, &cx, &slug, &headers, PATH).await {
        Ok(entered) => entered,
        Err(answer) => return answer,
    };
    let done = match parse(&id) {
        Ok(id) => authenticators::rename(&web.app, &cx, &signed_in, id, &form.value).await,
        Err(error) => Err(error),
    };
    let answer = match done {
        Ok(()) => Ok(see_other(&href(&realm, "/authenticators?done=named"))),
        Err(error) => match mendable(error) {
            Ok(errors) => name_page(&web, &cx, &realm, &signed_in, &id, (Some(form.value), &errors)).await,
            Err(error) => Err(error),
        },
    };
    answer.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
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

async fn remove_page(web: &Web, cx: &Cx, realm: &Arc<RealmState>, fresh: &Fresh, id: &str) -> Result<Response, Error> {
    let (one, kept) = authenticators::find(&web.app, cx, realm, fresh.signed_in(), parse(id)?).await?;
    let name = name_of(&web.templates, &one);
    let heading = web.templates.text_with("account.remove.title", &[("name", &name)]);
    let context = ConfirmPage {
        card: Card::new(heading.clone(), realm),
        navigation: Navigation::new(web, realm, fresh.signed_in(), PATH),
        action: href(realm, &format!("{PATH}/{}/remove", one.id)),
        cancel_href: href(realm, PATH),
        heading,
        why: web.templates.text(kept.map_or("account.remove.why", kept_words)),
        submit: kept.is_none().then(|| web.templates.text("account.remove.submit")),
        danger: true,
    };
    Ok(page(web, StatusCode::OK, "card/account/confirm.html", &context))
}

async fn ask_remove(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path((slug, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let path = format!("{PATH}/{}/remove", crate::path_segment(&id));
    let (realm, fresh) = match enter_fresh(&web, &cx, &slug, &headers, &path).await {
        Ok(entered) => entered,
        Err(answer) => return answer,
    };
    let shown = remove_page(&web, &cx, &realm, &fresh, &id).await;
    shown.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
}

async fn remove(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path((slug, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let path = format!("{PATH}/{}/remove", crate::path_segment(&id));
    let (realm, fresh) = match enter_fresh_form(&web, &cx, &slug, &headers, &path).await {
        Ok(entered) => entered,
        Err(answer) => return answer,
    };
    let done = match parse(&id) {
        Ok(id) => authenticators::remove(&web.app, &cx, &realm, &fresh, id).await,
        Err(error) => Err(error),
    };
    let answer = match done {
        Ok(()) => Ok(see_other(&href(&realm, "/authenticators?done=removed"))),
        // What keeps it stands on the page.
        Err(error) if matches!(*error.kind, ErrorKind::Conflict(_)) => {
            remove_page(&web, &cx, &realm, &fresh, &id).await.map(|mut page| {
                *page.status_mut() = StatusCode::CONFLICT;
                page
            })
        }
        Err(error) => Err(error),
    };
    answer.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
}
