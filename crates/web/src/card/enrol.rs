//! Making one's own account: accepting an invitation, and registering oneself.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Form, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderValue, StatusCode},
    response::Response,
    routing::{get, post},
};
use denizen_model::validation::FieldErrors;
use denizen_ops::{
    Cx, Error, ErrorKind, RealmState,
    crypto::Secret,
    flows::{
        register::{self, Enrolled, Typed},
        sign_in::{Flow, sign_in_enrolled},
    },
    invitations,
    oauth::authorize::Request,
};
use serde::{Deserialize, Serialize};

use super::{
    Card, cookie, error_page, fault_page_with, field_messages,
    links::{LinkQuery, open},
    page, password_needs, see_other,
    sign_in::{FlowQuery, proceed},
    with_cookie,
};
use crate::{Web, cx::Anonymous};

pub(crate) fn router() -> Router<Web> {
    Router::new()
        .route("/realms/{realm}/invitation", get(show_invitation).post(accept))
        .route("/realms/{realm}/register", get(show_register).post(ask_register))
        .route("/realms/{realm}/register/complete", get(show_complete).post(complete))
        .route("/realms/{realm}/register/sign-in", post(to_sign_in))
}

#[derive(Serialize)]
struct EnrolPage {
    card: Card,
    heading: String,
    why: String,
    action: String,
    token: String,
    email: String,
    min_length: String,
    password_needs: String,
    values: Values,
    errors: BTreeMap<String, String>,
}

#[derive(Serialize, Default, Clone)]
struct Values {
    given_name: String,
    family_name: String,
}

#[derive(Deserialize)]
struct EnrolForm {
    token: String,
    #[serde(default)]
    given_name: String,
    #[serde(default)]
    family_name: String,
    #[serde(default)]
    password: Secret,
}

impl EnrolForm {
    fn typed(&self) -> Typed {
        Typed {
            given_name: self.given_name.clone(),
            family_name: self.family_name.clone(),
            password: self.password.expose().to_owned(),
        }
    }

    fn values(&self) -> Values {
        Values { given_name: self.given_name.clone(), family_name: self.family_name.clone() }
    }
}

/// What the page for a name and a password is about.
struct About {
    heading: String,
    why: String,
    path: &'static str,
    email: String,
    values: Values,
}

fn enrol_page(web: &Web, realm: &RealmState, token: &str, about: About, errors: &FieldErrors) -> Response {
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let mut errors = field_messages(web, errors);
    // The page has no field for these; what is wrong with them stands above the form.
    for hidden in ["email", "username", "name", "locale"] {
        if let Some(message) = errors.remove(hidden) {
            errors.entry("form".to_owned()).or_insert(message);
        }
    }
    let context = EnrolPage {
        card: Card::new(about.heading.clone(), realm),
        heading: about.heading,
        why: about.why,
        action: format!("/realms/{}/{}", realm.realm.slug, about.path),
        token: token.to_owned(),
        email: about.email,
        min_length: realm.realm.settings.password_min_length.to_string(),
        password_needs: password_needs(web, realm),
        values: about.values,
        errors,
    };
    page(web, status, "card/enrol/details.html", &context)
}

/// The error page of a link; one that leads to an account there is leads there.
fn failed(web: &Web, cx: &Cx, realm: &RealmState, error: &Error) -> Response {
    if matches!(*error.kind, ErrorKind::Conflict("account-exists")) {
        let account = format!("/realms/{}/account", realm.realm.slug);
        let label = web.templates.text("sign_in.password.submit");
        return fault_page_with(web, StatusCode::CONFLICT, "account_exists", Some(realm), (&account, &label));
    }
    error_page(web, error, cx.request_id, Some(realm))
}

/// A bound on what is hashed; no password that can be set is longer.
const LONGEST_TYPED: usize = 1024;

fn too_long(form: &EnrolForm) -> bool {
    form.password.expose().len() > LONGEST_TYPED
}

async fn about_invitation(web: &Web, cx: &Cx, realm: &RealmState, token: &str) -> Result<About, Error> {
    let invitation = invitations::find_open(&web.app, cx, realm, token).await?;
    let brand = &realm.realm.display_name;
    let why = match &invitation.invited_by {
        Some(name) => web.templates.text_with("enrol.invited_by", &[("name", name), ("realm", brand)]),
        None => web.templates.text_with("enrol.invited", &[("realm", brand)]),
    };
    Ok(About {
        heading: web.templates.text("enrol.title"),
        why,
        path: "invitation",
        email: invitation.email,
        values: Values {
            given_name: invitation.given_name.unwrap_or_default(),
            family_name: invitation.family_name.unwrap_or_default(),
        },
    })
}

async fn show_invitation(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    Query(LinkQuery { token }): Query<LinkQuery>,
) -> Response {
    let realm = match open(&web, &cx, &slug).await {
        Ok(realm) => realm,
        Err(page) => return page,
    };
    match about_invitation(&web, &cx, &realm, &token).await {
        Ok(about) => enrol_page(&web, &realm, &token, about, &FieldErrors::new()),
        Err(error) => failed(&web, &cx, &realm, &error),
    }
}

async fn accept(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Form(form): Form<EnrolForm>,
) -> Response {
    let realm = match open(&web, &cx, &slug).await {
        Ok(realm) => realm,
        Err(page) => return page,
    };
    let done = if too_long(&form) {
        Err(Error::field("password", "sign_in.update_password.much_too_long"))
    } else {
        invitations::accept(&web.app, &cx, &realm, &form.token, form.typed()).await
    };
    match done {
        Ok(enrolled) => signed_in(&web, &cx, &realm, &headers, enrolled, None).await,
        Err(error) => match &*error.kind {
            ErrorKind::Invalid(errors) => match about_invitation(&web, &cx, &realm, &form.token).await {
                Ok(about) => enrol_page(&web, &realm, &form.token, About { values: form.values(), ..about }, errors),
                Err(error) => failed(&web, &cx, &realm, &error),
            },
            _ => failed(&web, &cx, &realm, &error),
        },
    }
}

/// Signs in who has just made their account. Should that fail, the account is there and they sign in themselves.
async fn signed_in(
    web: &Web,
    cx: &Cx,
    realm: &Arc<RealmState>,
    headers: &HeaderMap,
    enrolled: Enrolled,
    request: Option<Request>,
) -> Response {
    let flow = Flow::new(cx.now, request, Some(enrolled.user.username.clone()));
    let flow = flow.in_browser_with(cookie::read(web, headers).as_deref(), None);
    let step = sign_in_enrolled(&web.app, cx, realm, flow, enrolled).await;
    match step.and_then(|step| proceed(web, realm, step)) {
        Ok(response) => response,
        Err(error) => {
            tracing::warn!(request.id = %cx.request_id, error = %error, context = error.context.as_deref(), "A new user could not be signed in");
            see_other(&format!("/realms/{}/account", realm.realm.slug))
        }
    }
}

#[derive(Serialize)]
struct RegisterPage {
    card: Card,
    action: String,
    sign_in_action: String,
    flow: String,
    values: RegisterValues,
    errors: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct RegisterValues {
    email: String,
}

#[derive(Serialize)]
struct SentPage {
    card: Card,
    email: String,
}

#[derive(Deserialize)]
struct RegisterForm {
    #[serde(default)]
    flow: String,
    #[serde(default)]
    email: String,
}

/// The realm, where people may register.
async fn open_register(web: &Web, cx: &Cx, slug: &str) -> Result<Arc<RealmState>, Response> {
    let realm = open(web, cx, slug).await?;
    if realm.realm.settings.self_registration {
        Ok(realm)
    } else {
        Err(error_page(web, &Error::not_found("page"), cx.request_id, Some(&realm)))
    }
}

/// The sign-in that a registration began from. One that was altered or is too old is none.
fn flow_of(web: &Web, cx: &Cx, realm: &RealmState, flow: &str) -> Flow {
    Flow::open(&web.app, realm, cx.now, flow).unwrap_or_else(|| Flow::new(cx.now, None, None))
}

fn register_page(
    web: &Web,
    realm: &RealmState,
    flow: &Flow,
    email: &str,
    errors: &FieldErrors,
) -> Result<Response, Error> {
    let base = format!("/realms/{}/register", realm.realm.slug);
    let context = RegisterPage {
        card: Card::new(web.templates.text("register.title"), realm),
        sign_in_action: format!("{base}/sign-in"),
        action: base,
        flow: flow.seal(&web.app, realm)?,
        values: RegisterValues { email: email.to_owned() },
        errors: field_messages(web, errors),
    };
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok(page(web, status, "card/enrol/register.html", &context))
}

async fn show_register(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    Query(query): Query<FlowQuery>,
) -> Response {
    let realm = match open_register(&web, &cx, &slug).await {
        Ok(realm) => realm,
        Err(page) => return page,
    };
    let flow = flow_of(&web, &cx, &realm, &query.flow);
    register_page(&web, &realm, &flow, "", &FieldErrors::new())
        .unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
}

/// Back to the sign-in that the registration began from.
async fn to_sign_in(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    Form(form): Form<FlowQuery>,
) -> Response {
    let realm = match open(&web, &cx, &slug).await {
        Ok(realm) => realm,
        Err(page) => return page,
    };
    let flow = flow_of(&web, &cx, &realm, &form.flow);
    super::sign_in::identifier_page(&web, &realm, &flow, &FieldErrors::new())
        .await
        .unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
}

async fn ask_register(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    Form(form): Form<RegisterForm>,
) -> Response {
    let realm = match open_register(&web, &cx, &slug).await {
        Ok(realm) => realm,
        Err(page) => return page,
    };
    let flow = flow_of(&web, &cx, &realm, &form.flow);
    let email = form.email.trim();
    match register::ask(&web.app, &cx, &realm, email, flow.request.clone()).await {
        Ok(secret) => {
            let context =
                SentPage { card: Card::new(web.templates.text("register.sent"), &realm), email: email.to_owned() };
            let response = page(&web, StatusCode::OK, "card/enrol/sent.html", &context);
            with_cookie(response, browser_cookie(&web, &realm, secret.expose(), 24 * 3600))
        }
        Err(error) => match &*error.kind {
            ErrorKind::Invalid(errors) => register_page(&web, &realm, &flow, email, errors)
                .unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm))),
            _ => error_page(&web, &error, cx.request_id, Some(&realm)),
        },
    }
}

/// Tells the browser in which a registration began from any other that opens the mail.
const BROWSER: &str = "denizen_register";

fn browser_cookie(web: &Web, realm: &RealmState, value: &str, seconds: u32) -> Option<HeaderValue> {
    let secure = if web.is_https() { "; Secure" } else { "" };
    let slug = &realm.realm.slug;
    let text =
        format!("{BROWSER}={value}; Path=/realms/{slug}/register; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::try_from(text).ok()
}

fn about_registration(web: &Web, email: String) -> About {
    About {
        heading: web.templates.text("enrol.title"),
        why: web.templates.text("enrol.registered"),
        path: "register/complete",
        email,
        values: Values::default(),
    }
}

async fn show_complete(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    Query(LinkQuery { token }): Query<LinkQuery>,
) -> Response {
    let realm = match open_register(&web, &cx, &slug).await {
        Ok(realm) => realm,
        Err(page) => return page,
    };
    match register::find_address(&web.app, &cx, &realm, &token).await {
        Ok(email) => enrol_page(&web, &realm, &token, about_registration(&web, email), &FieldErrors::new()),
        Err(error) => failed(&web, &cx, &realm, &error),
    }
}

async fn complete(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Form(form): Form<EnrolForm>,
) -> Response {
    let realm = match open_register(&web, &cx, &slug).await {
        Ok(realm) => realm,
        Err(page) => return page,
    };
    let browser = cookie::find(&headers, BROWSER);
    let done = if too_long(&form) {
        Err(Error::field("password", "sign_in.update_password.much_too_long"))
    } else {
        register::complete(&web.app, &cx, &realm, &form.token, browser.as_deref(), form.typed()).await
    };
    match done {
        Ok((enrolled, request)) => {
            let response = signed_in(&web, &cx, &realm, &headers, enrolled, request).await;
            with_cookie(response, browser_cookie(&web, &realm, "", 0))
        }
        Err(error) => match &*error.kind {
            ErrorKind::Invalid(errors) => match register::find_address(&web.app, &cx, &realm, &form.token).await {
                Ok(email) => {
                    let about = About { values: form.values(), ..about_registration(&web, email) };
                    enrol_page(&web, &realm, &form.token, about, errors)
                }
                Err(error) => failed(&web, &cx, &realm, &error),
            },
            _ => failed(&web, &cx, &realm, &error),
        },
    }
}
