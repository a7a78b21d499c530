//! How administrators come in: through Denizen's own OpenID provider, as any client's users do (authorization
//! code with PKCE), and out again.
//!
//! The exchange happens inside this process, so no id token is made and there is no `nonce` to check: `state`
//! ties the answer to this browser, the PKCE verifier ties the code to it.

use std::time::Duration;

use axum::{
    extract::{Query, State},
    response::Response,
};
use denizen_model::{Timestamp, clients::CONSOLE_CLIENT, realms::MAIN_REALM, validation::check_slug};
use denizen_ops::{
    App, Cx, Error, ErrorKind, RealmState,
    crypto::{Prefix, Token, constant_time_eq, hash_token},
    realms,
    sessions::{self, SignedIn},
};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

use super::{Answer, cookies, frame::ConsoleCx, words::query};
use crate::{
    Web,
    card::{self, see_other, with_cookie},
    cx::Anonymous,
};

const PURPOSE: &str = "console.sign-in";
/// How long a sign-in may take.
const LASTS: Duration = Duration::from_secs(1800);
/// How much of the state names the cookie, so that sign-ins in several tabs do not disturb each other.
const STATE_IN_NAME: usize = 8;

/// What a browser keeps, sealed, while its user signs in.
#[derive(Serialize, Deserialize)]
struct Pending {
    realm: String,
    state: String,
    verifier: String,
    return_to: String,
    expires_at: Timestamp,
}

/// What is asked of the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// To be signed in.
    Plain,
    /// To prove anew who they are.
    Afresh,
    /// To choose an account.
    AnotherAccount,
}

/// The address only if it leads to a page of the console; anything else would let a link send an administrator
/// elsewhere after signing in.
fn local(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("/admin")?;
    let plain = path.len() <= 2000 && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let within = rest.is_empty() || rest.starts_with('/') && !rest.starts_with("//") || rest.starts_with('?');
    // A way up the path could lead out again.
    let up = rest.split(['?', '#']).next().unwrap_or("").split('/').any(|part| matches!(part, "." | ".."));
    let encoded = rest.to_ascii_lowercase().contains("%2e");
    (plain && within && !up && !encoded).then_some(path)
}

fn cookie_name(state: &str) -> String {
    format!("{}{}", cookies::PENDING, state.get(..STATE_IN_NAME).unwrap_or(state))
}

/// On to the realm's sign-in, and back to `return_to` afterwards.
pub(super) fn start(web: &Web, cx: &Cx, realm: &RealmState, return_to: &str, how: How) -> Response {
    let app = &web.app;
    let fresh = || Token::generate(app.rng(), Prefix::Bare).expose().to_owned();
    let slug = realm.realm.slug.clone();
    let pending = Pending {
        state: fresh(),
        verifier: fresh(),
        return_to: local(return_to).map_or_else(|| format!("/admin/{slug}"), str::to_owned),
        expires_at: cx.now.plus(LASTS),
        realm: slug,
    };
    let redirect_uri = format!("{}/admin/callback", app.public_url());
    let address = query(&[
        ("client_id", CONSOLE_CLIENT),
        ("redirect_uri", &redirect_uri),
        ("response_type", "code"),
        ("scope", "openid"),
        ("state", &pending.state),
        // S256 (RFC 7636, section 4.2): SHA-256 in base64url, which is how tokens are hashed.
        ("code_challenge", &hash_token(&pending.verifier)),
        ("code_challenge_method", "S256"),
        ("max_age", if how == How::Afresh { "0" } else { "" }),
        ("prompt", if how == How::AnotherAccount { "login" } else { "" }),
    ]);
    let mut response = see_other(&format!("/realms/{}/authorize{address}", pending.realm));
    match serde_json::to_vec(&pending) {
        Ok(plain) => {
            let sealed = app.sealer().seal(PURPOSE, plain);
            response = with_cookie(response, cookies::set(app, &cookie_name(&pending.state), &sealed, Some(LASTS)));
            response
        }
        Err(error) => card::error_page(web, &Error::internal(error.to_string()), cx.request_id, Some(realm)),
    }
}

/// What the realm's sign-in answers with (RFC 6749, section 4.1.2).
#[derive(Deserialize)]
pub(super) struct Callback {
    #[serde(default)]
    code: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    error: Option<String>,
}

fn find_pending(app: &App, headers: &HeaderMap, state: &str, now: Timestamp) -> Option<Pending> {
    let sealed = cookies::find(app, headers, &cookie_name(state))?;
    let pending: Pending = serde_json::from_slice(&app.sealer().open(PURPOSE, sealed).ok()?).ok()?;
    let ours = constant_time_eq(pending.state.as_bytes(), state.as_bytes()) && now < pending.expires_at;
    ours.then_some(pending)
}

/// `/admin/callback`: the way back from the sign-in.
pub(super) async fn callback(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Query(answer): Query<Callback>,
    headers: HeaderMap,
) -> Response {
    let app = &web.app;
    let again = web.templates.text("error.try_again");
    let expired = || card::fault_page_with(&web, StatusCode::BAD_REQUEST, "expired", None, ("/admin", &again));
    let Some(pending) = find_pending(app, &headers, &answer.state, cx.now) else { return expired() };
    let mut response = match open(&web, &cx, &pending, &answer).await {
        Ok(response) => response,
        Err(error) if matches!(*error.kind, ErrorKind::Unauthenticated) => expired(),
        Err(error) => card::error_page(&web, &error, cx.request_id, None),
    };
    response = with_cookie(response, cookies::forget(app, &cookie_name(&pending.state)));
    response
}

async fn open(web: &Web, cx: &Cx, pending: &Pending, answer: &Callback) -> Result<Response, Error> {
    let app = &web.app;
    if answer.error.is_some() {
        return Err(Error::unauthenticated());
    }
    let realm = app.realm(&pending.realm).await?;
    let cookie = sessions::open_console(app, cx, &realm, &answer.code, &pending.verifier).await?;
    let mut response = see_other(local(&pending.return_to).unwrap_or("/admin"));
    response = with_cookie(response, cookies::set(app, cookies::SESSION, cookie.expose(), None));
    Ok(response)
}

/// `/admin/{realm}/sign-in`: with another account.
pub(super) async fn again(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    axum::extract::Path(slug): axum::extract::Path<String>,
) -> Response {
    match web.app.realm(&slug).await {
        Ok(realm) => start(&web, &cx, &realm, &format!("/admin/{slug}"), How::AnotherAccount),
        Err(error) => card::error_page(&web, &error, cx.request_id, None),
    }
}

/// Ends the session behind the console, here and in every application that uses it.
pub(super) async fn sign_out(page: ConsoleCx) -> Answer {
    let signed_in = SignedIn { session: page.session().clone(), user: page.user().clone() };
    sessions::sign_out(page.app(), page.cx(), &signed_in).await?;
    let mut response = see_other(&page.signed_out_href());
    response = with_cookie(response, cookies::forget(page.app(), cookies::SESSION));
    Ok(response)
}

/// The realm last used in this browser, else the main one.
fn last_realm<'h>(web: &Web, headers: &'h HeaderMap) -> &'h str {
    let remembered = cookies::find(&web.app, headers, cookies::REALM).filter(|slug| check_slug(slug).is_ok());
    remembered.unwrap_or(MAIN_REALM)
}

/// `/`: on to the console for an administrator who is signed in to it; for anybody else to the account pages, where there
/// is only one realm whose they can be.
pub(super) async fn front(State(web): State<Web>, Anonymous(cx): Anonymous, headers: HeaderMap) -> Response {
    match front_of(&web, &cx, &headers).await {
        Ok(address) => see_other(&address),
        Err(error) => card::error_page(&web, &error, cx.request_id, None),
    }
}

async fn front_of(web: &Web, cx: &Cx, headers: &HeaderMap) -> Result<String, Error> {
    let known = match cookies::find(&web.app, headers, cookies::SESSION) {
        Some(cookie) => sessions::find_console(&web.app, cookie, cx.now).await?,
        None => None,
    };
    let console = "/admin".to_owned();
    if known.is_some_and(|(_, _, user)| user.admin_role.is_some()) {
        return Ok(console);
    }
    let only = realms::find_only(&web.app).await?;
    Ok(only.map_or(console, |realm| format!("/realms/{}/account", realm.slug)))
}

/// `/admin`
pub(super) async fn home(State(web): State<Web>, headers: HeaderMap) -> Response {
    see_other(&format!("/admin/{}", last_realm(&web, &headers)))
}

/// `/admin/users`
pub(super) async fn last_users(State(web): State<Web>, headers: HeaderMap) -> Response {
    see_other(&format!("/admin/{}/users", last_realm(&web, &headers)))
}

/// `/admin/settings`
pub(super) async fn last_settings(State(web): State<Web>, headers: HeaderMap) -> Response {
    see_other(&format!("/admin/{}/settings", last_realm(&web, &headers)))
}

/// `/admin/audit`
pub(super) async fn last_audit(State(web): State<Web>, headers: HeaderMap) -> Response {
    see_other(&format!("/admin/{}/audit", last_realm(&web, &headers)))
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn only_console_pages_can_be_returned_to() {
        for good in ["/admin", "/admin/main/users?q=a%20b", "/admin/main/users/0197/delete", "/admin?x"] {
            assert_eq!(local(good), Some(good), "{good}");
        }
        let bad = [
            "https://evil.example/admin",
            "//evil.example/admin",
            "/admin//evil.example",
            "/adminevil",
            "/admin@evil.example",
            "/admin\\evil",
            "/admin/../realms/main/end-session",
            "/admin/%2e%2e/x",
            "/admin/./x",
            "/admin/main\r\nSet-Cookie: a=b",
            "/realms/main",
            "javascript:alert(1)",
            "",
        ];
        for path in bad {
            assert_eq!(local(path), None, "{path:?}");
        }
    }
}
