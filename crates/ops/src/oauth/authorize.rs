//! The authorization endpoint (RFC 6749, section 4.1; OpenID Connect Core, section 3.1.2).

use std::sync::Arc;

use denizen_model::clients::{Client, GrantType};
use serde::{Deserialize, Serialize};

use super::{code, granted_scope};
use crate::{App, Cx, Error, RealmState, Result, flows::sign_in::Flow, sessions::SignedIn};

/// The parameters of an authorization request, as they came.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Parameters {
    /// Which client.
    pub client_id: Option<String>,
    /// Where the answer goes.
    pub redirect_uri: Option<String>,
    /// Must be `code`.
    pub response_type: Option<String>,
    /// Must be `query` when given.
    pub response_mode: Option<String>,
    /// What is asked for.
    pub scope: Option<String>,
    /// The client's own state.
    pub state: Option<String>,
    /// For the id token.
    pub nonce: Option<String>,
    /// PKCE.
    pub code_challenge: Option<String>,
    /// PKCE; must be `S256`.
    pub code_challenge_method: Option<String>,
    /// `none`, `login`, `consent`, `select_account`.
    pub prompt: Option<String>,
    /// How old the authentication may be, in seconds.
    pub max_age: Option<String>,
    /// Whom the client expects.
    pub login_hint: Option<String>,
    /// The languages that the user is to be asked in, apart by blanks, the most wanted first.
    pub ui_locales: Option<String>,
}

/// A request that was found good. It travels sealed through the sign-in pages.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Request {
    /// The client.
    pub client_id: String,
    /// Where the answer goes; one of the client's own.
    pub redirect_uri: String,
    /// What is granted.
    pub scope: String,
    /// The client's own state.
    pub state: Option<String>,
    /// For the id token.
    pub nonce: Option<String>,
    /// PKCE, S256.
    pub code_challenge: String,
}

/// What is to be done with an authorization request.
#[derive(Debug)]
pub enum Outcome {
    /// It cannot be trusted: an error page, no redirect. The text names it in the locale.
    Page(&'static str),
    /// The browser goes to this address: the client's, with a code or an error.
    Redirect(String),
    /// The user signs in first.
    SignIn(Box<Flow>),
}

fn error_to(request_uri: &str, state: Option<&str>, issuer: &str, error: &str, description: &str) -> Outcome {
    let mut query = vec![("error", error), ("error_description", description)];
    query.extend(state.map(|state| ("state", state)));
    query.push(("iss", issuer));
    Outcome::Redirect(with_query(request_uri, &query))
}

/// An address with parameters added to its query.
pub(crate) fn with_query(uri: &str, pairs: &[(&str, &str)]) -> String {
    let mut out = uri.to_owned();
    let mut joint = if uri.contains('?') { '&' } else { '?' };
    for (key, value) in pairs {
        out.push(joint);
        joint = '&';
        out.push_str(key);
        out.push('=');
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                out.push(char::from(byte));
            } else {
                out.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    out
}

/// Decides what an authorization request leads to; `signed_in` is who is behind the browser's session cookie.
///
/// # Errors
/// When the database fails.
pub async fn authorize(
    app: &App,
    cx: &Cx,
    realm: &RealmState,
    parameters: Parameters,
    signed_in: Option<SignedIn>,
) -> Result<Outcome> {
    if !realm.realm.enabled {
        return Ok(Outcome::Page("realm_disabled"));
    }
    let Some(client) = realm.client(app, parameters.client_id.as_deref().unwrap_or("")).await? else {
        return Ok(Outcome::Page("unknown_client"));
    };
    // RFC 9700, section 4.1.3: exact comparison. With a wrong address nothing may be sent there.
    let Some(redirect_uri) = parameters.redirect_uri.clone().filter(|uri| client.redirect_uris.contains(uri)) else {
        return Ok(Outcome::Page("redirect"));
    };
    let state = parameters.state.clone();
    let refuse = |error: &str, description: &str| {
        Ok(error_to(&redirect_uri, state.as_deref(), &realm.issuer, error, description))
    };
    if let Some((error, description)) = fault(&client, &parameters) {
        return refuse(error, description);
    }
    let request = Request {
        client_id: client.client_id.clone(),
        redirect_uri: redirect_uri.clone(),
        scope: granted_scope(parameters.scope.as_deref().unwrap_or(""), &client.scopes),
        state: parameters.state.clone(),
        nonce: parameters.nonce.clone(),
        code_challenge: parameters.code_challenge.clone().unwrap_or_default(),
    };
    let prompts: Vec<&str> = parameters.prompt.as_deref().unwrap_or("").split(' ').collect();
    let usable = signed_in.filter(|signed_in| is_fresh_enough(cx, &parameters, signed_in));
    let again = prompts.iter().any(|prompt| matches!(*prompt, "login" | "select_account"));
    match usable {
        Some(signed_in) if !again && !signed_in.user.requires_password_reset => {
            code::issue(app, cx, realm, &request, &signed_in).await.map(Outcome::Redirect)
        }
        _ if prompts.contains(&"none") => refuse("login_required", "The user is not signed in."),
        _ => Ok(Outcome::SignIn(Box::new(Flow::new(cx.now, Some(request), parameters.login_hint)))),
    }
}

fn is_fresh_enough(cx: &Cx, parameters: &Parameters, signed_in: &SignedIn) -> bool {
    match parameters.max_age.as_deref().map(str::parse::<u64>) {
        // `max_age=0` asks for a new authentication whatever the clock says.
        Some(Ok(seconds)) => seconds > 0 && cx.now.since(signed_in.session.authenticated_at).as_secs() <= seconds,
        _ => true,
    }
}

/// What is wrong with a request whose client and redirect URI are good.
fn fault(client: &Arc<Client>, parameters: &Parameters) -> Option<(&'static str, &'static str)> {
    let given = |value: &Option<String>| value.clone().unwrap_or_default();
    let too_long = [&parameters.state, &parameters.nonce, &parameters.scope, &parameters.login_hint]
        .into_iter()
        .flatten()
        .any(|text| text.len() > 4096);
    if !client.allows(GrantType::AuthorizationCode) {
        Some(("unauthorized_client", "This client may not sign users in."))
    } else if given(&parameters.response_type) != "code" {
        Some(("unsupported_response_type", "response_type must be code."))
    } else if parameters.response_mode.as_deref().is_some_and(|mode| mode != "query") {
        Some(("invalid_request", "response_mode must be query."))
    } else if given(&parameters.code_challenge_method) != "S256" {
        Some(("invalid_request", "PKCE is required: code_challenge_method must be S256."))
    } else if given(&parameters.code_challenge).len() != 43
        || !given(&parameters.code_challenge).bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    {
        Some(("invalid_request", "code_challenge must be the base64url SHA-256 of the verifier."))
    } else if parameters.max_age.as_deref().is_some_and(|age| age.parse::<u64>().is_err()) {
        Some(("invalid_request", "max_age must be a number of seconds."))
    } else if too_long
        || [&parameters.state, &parameters.nonce, &parameters.login_hint]
            .into_iter()
            .flatten()
            .any(|text| text.contains('\0'))
    {
        Some(("invalid_request", "A parameter is too long or holds NUL."))
    } else {
        None
    }
}

/// The redirect that carries a code back (RFC 9207 adds the issuer).
pub(crate) fn success(request: &Request, issuer: &str, code: &str) -> String {
    let mut query = vec![("code", code)];
    query.extend(request.state.as_deref().map(|state| ("state", state)));
    query.push(("iss", issuer));
    with_query(&request.redirect_uri, &query)
}

/// The client of a request that was found good before, if it still is.
pub(crate) async fn client_of(app: &App, realm: &RealmState, request: &Request) -> Result<Arc<Client>> {
    let client = realm.client(app, &request.client_id).await?;
    client.filter(|client| client.redirect_uris.contains(&request.redirect_uri)).ok_or_else(|| {
        Error::conflict(
            "client-changed",
            "The application was changed or disabled in the meantime. Start again from there.",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::with_query;

    #[test]
    fn parameters_cannot_break_out_of_the_query() {
        assert_eq!(
            with_query("https://a.example/cb?x=1", &[("state", "a b&c=d#\r\n")]),
            "https://a.example/cb?x=1&state=a%20b%26c%3Dd%23%0D%0A"
        );
    }
}
