//! Pages on a single card: signing in and out, the account, set-up, errors.

pub(crate) mod account;
pub(crate) mod enrol;
pub(crate) mod language;
pub(crate) mod links;
pub(crate) mod mailbox;
pub(crate) mod reset;
pub(crate) mod setup;
pub(crate) mod sign_in;
pub(crate) mod sign_out;

use axum::{
    Router,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use denizen_model::{RequestId, passwords::CharacterClass, validation::FieldErrors};
use denizen_ops::{
    Cx, Error, ErrorKind, RealmState,
    crypto::Secret,
    sessions::{SignedIn, find_by_cookie},
};
use serde::Serialize;
use std::{collections::BTreeMap, time::Duration};

use crate::{
    Web,
    language::{Menu, current, menu, prefer},
};

/// The routes of all card pages that are in the reader's language; the mailbox of a demo is in English.
pub(crate) fn router() -> Router<Web> {
    Router::new()
        .merge(account::router())
        .merge(account::link_router())
        .merge(enrol::router())
        .merge(language::router())
        .merge(links::router())
        .merge(reset::router())
        .merge(setup::router())
        .merge(sign_in::router())
        .merge(sign_out::router())
}

/// What the card's frame shows.
#[derive(Serialize)]
pub(crate) struct Card {
    pub(crate) title: String,
    pub(crate) realm: CardRealm,
    pub(crate) version: &'static str,
    /// The languages to choose from.
    pub(crate) languages: Option<Menu>,
}

/// Whose card it is.
#[derive(Serialize)]
pub(crate) struct CardRealm {
    pub(crate) slug: String,
    pub(crate) name: String,
    pub(crate) accent: &'static str,
}

impl Card {
    pub(crate) fn new(title: String, realm: &RealmState) -> Self {
        Self::of(title, &realm.realm.slug, &realm.realm.display_name)
    }

    fn of(title: String, slug: &str, name: &str) -> Self {
        let realm = CardRealm { slug: slug.to_owned(), name: name.to_owned(), accent: "cobalt" };
        Self { title, realm, version: env!("CARGO_PKG_VERSION"), languages: menu() }
    }
}

/// A form that the script answers with a passkey.
#[derive(Serialize)]
pub(crate) struct PasskeyForm {
    pub(crate) action: String,
    /// `use` or `make`.
    pub(crate) kind: &'static str,
    /// What the browser is given, as JSON.
    pub(crate) options: String,
    /// What goes back beside the answer, and under which name.
    pub(crate) state: String,
    pub(crate) state_name: &'static str,
    /// Whether the browser offers passkeys in the field where names are typed.
    pub(crate) autofill: bool,
}

/// Field errors for a template, in the reader's language, one a line; a message that is a text's id is replaced by
/// the text.
pub(crate) fn field_messages(web: &Web, errors: &FieldErrors) -> BTreeMap<String, String> {
    errors.lines(|message| web.templates.message(message))
}

/// What the realm asks of a password beside its length: `It needs an upper-case letter, a digit.`; empty when nothing.
pub(crate) fn password_needs(web: &Web, realm: &RealmState) -> String {
    let classes = CharacterClass::required(&realm.realm.settings);
    let needs: Vec<String> = classes.map(|class| web.templates.text(class.name_id())).collect();
    if needs.is_empty() {
        return String::new();
    }
    web.templates.text_with("sign_in.update_password.needs", &[("list", &needs.join(", "))])
}

/// A card page. It is never kept by a cache, and may lead on to a client's address: Chrome applies
/// `form-action` to redirects after a form, so these pages leave it out.
pub(crate) fn page(web: &Web, status: StatusCode, template: &str, context: &impl Serialize) -> Response {
    match web.templates.render(template, context) {
        Ok(html) => (
            status,
            [
                (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
                (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
                (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CARD_POLICY)),
                (header::CONTENT_LANGUAGE, HeaderValue::from_static(current().as_str())),
                (header::VARY, HeaderValue::from_static("Accept-Language, Cookie")),
            ],
            html,
        )
            .into_response(),
        Err(error) => {
            tracing::error!(template, error = %error, "A page could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

const CARD_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; font-src 'self'; base-uri 'none'; frame-ancestors 'none'";

#[derive(Serialize)]
struct ErrorPage {
    card: Card,
    heading: String,
    sentence: String,
    next: String,
    action_href: Option<String>,
    action_label: Option<String>,
    request_id: Option<String>,
}

/// An error page by the name of its texts.
pub(crate) fn fault_page(web: &Web, status: StatusCode, name: &str, realm: Option<&RealmState>) -> Response {
    render_error(web, status, name, realm, None, None)
}

/// An error page with a button: where it leads and what it says.
pub(crate) fn fault_page_with(
    web: &Web,
    status: StatusCode,
    name: &str,
    realm: Option<&RealmState>,
    action: (&str, &str),
) -> Response {
    render_error(web, status, name, realm, Some(action), None)
}

fn render_error(
    web: &Web,
    status: StatusCode,
    name: &str,
    realm: Option<&RealmState>,
    action: Option<(&str, &str)>,
    request: Option<RequestId>,
) -> Response {
    let text = |part: &str| web.templates.text(&format!("error.{name}.{part}"));
    let (slug, title) = realm.map_or(("", "Denizen"), |realm| (&realm.realm.slug, &realm.realm.display_name));
    let context = ErrorPage {
        card: Card::of(text("title"), slug, title),
        heading: text("title"),
        sentence: text("sentence"),
        next: text("next"),
        action_href: action.map(|(href, _)| href.to_owned()),
        action_label: action.map(|(_, label)| label.to_owned()),
        request_id: request.map(|id| id.to_string()),
    };
    page(web, status, "card/error.html", &context)
}

/// An operation's failure as a page that a person understands.
pub(crate) fn error_page(web: &Web, error: &Error, request: RequestId, realm: Option<&RealmState>) -> Response {
    let (status, name) = match *error.kind {
        ErrorKind::NotFound("realm") => (StatusCode::NOT_FOUND, "no_realm"),
        ErrorKind::NotFound(_) => (StatusCode::NOT_FOUND, "not_found"),
        ErrorKind::Forbidden(_) | ErrorKind::Unauthenticated | ErrorKind::ReauthenticationRequired => {
            (StatusCode::FORBIDDEN, "forbidden")
        }
        ErrorKind::Conflict("flow-expired") => (StatusCode::BAD_REQUEST, "expired"),
        ErrorKind::Conflict("link-gone") => (StatusCode::GONE, "link_gone"),
        ErrorKind::Conflict("account-exists") => (StatusCode::CONFLICT, "account_exists"),
        ErrorKind::Conflict(_) | ErrorKind::Changed => (StatusCode::CONFLICT, "conflict"),
        ErrorKind::Invalid(_) => (StatusCode::BAD_REQUEST, "request_invalid"),
        ErrorKind::Unavailable | ErrorKind::NotWritable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        ErrorKind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
    };
    if status.is_server_error() {
        tracing::error!(request.id = %request, error = %error, context = error.context.as_deref(), "A page failed");
    }
    render_error(web, status, name, realm, None, status.is_server_error().then_some(request))
}

/// A redirect after a form, or to wherever a flow leads. The target is Denizen's own or one of a client's
/// registered addresses.
pub(crate) fn see_other(target: &str) -> Response {
    match HeaderValue::try_from(target) {
        Ok(location) => {
            let headers = [(header::LOCATION, location), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
            (StatusCode::SEE_OTHER, headers).into_response()
        }
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

/// Who is signed in to the realm in the browser that sent these headers. From here on pages are in their language,
/// unless another one was chosen.
pub(crate) async fn signed_in(
    web: &Web,
    cx: &Cx,
    realm: &RealmState,
    headers: &HeaderMap,
) -> Result<Option<SignedIn>, Error> {
    let Some(cookie) = cookie::read(web, headers) else { return Ok(None) };
    let found = find_by_cookie(&web.app, realm, &cookie, cx.now).await?;
    prefer(found.as_ref().and_then(|signed_in| signed_in.user.locale.as_deref()));
    Ok(found)
}

/// Session cookies of a realm. They are sent to the realm's own paths only, so realms do not see each other's.
pub(crate) mod cookie {
    use super::{Duration, HeaderMap, HeaderValue, RealmState, Secret, Web, header};

    fn device_name(web: &Web) -> &'static str {
        if web.is_https() { "__Secure-denizen_device" } else { "denizen_device" }
    }

    /// The cookie by which a browser is remembered.
    pub(crate) fn read_device(web: &Web, headers: &HeaderMap) -> Option<String> {
        find(headers, device_name(web))
    }

    /// The header by which a browser is remembered.
    pub(crate) fn set_device(web: &Web, realm: &RealmState, value: &Secret, max_age: Duration) -> Option<HeaderValue> {
        line(web, realm, device_name(web), value.expose(), max_age)
    }

    fn name(web: &Web) -> &'static str {
        if web.is_https() { "__Secure-denizen_session" } else { "denizen_session" }
    }

    /// The session cookie of a request.
    pub(crate) fn read(web: &Web, headers: &HeaderMap) -> Option<String> {
        find(headers, name(web))
    }

    /// The value of a cookie by its name.
    pub(crate) fn find(headers: &HeaderMap, name: &str) -> Option<String> {
        let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
        let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
    }

    /// The header that gives a browser a cookie for the realm's pages.
    pub(crate) fn line(
        web: &Web,
        realm: &RealmState,
        name: &str,
        value: &str,
        max_age: Duration,
    ) -> Option<HeaderValue> {
        let secure = if web.is_https() { "; Secure" } else { "" };
        let text = format!(
            "{name}={value}; Path=/realms/{}; Max-Age={}; HttpOnly; SameSite=Lax{secure}",
            realm.realm.slug,
            max_age.as_secs()
        );
        HeaderValue::try_from(text).ok()
    }

    /// The header that gives a browser its session.
    pub(crate) fn set(web: &Web, realm: &RealmState, value: &Secret, max_age: Duration) -> Option<HeaderValue> {
        line(web, realm, name(web), value.expose(), max_age)
    }

    /// The header that takes it away.
    pub(crate) fn clear(web: &Web, realm: &RealmState) -> Option<HeaderValue> {
        line(web, realm, name(web), "", Duration::ZERO)
    }
}

/// Adds a cookie to an answer.
pub(crate) fn with_cookie(mut response: Response, cookie: Option<HeaderValue>) -> Response {
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
