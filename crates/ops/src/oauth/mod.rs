//! The OpenID provider: one file for each grant and endpoint.
//!
//! Sources: OAuth 2.0 (RFC 6749) as narrowed by OAuth 2.1 and RFC 9700, PKCE (RFC 7636), OpenID Connect Core 1.0,
//! JWT access tokens (RFC 9068), introspection (RFC 7662), revocation (RFC 7009), RP-initiated logout 1.0,
//! back-channel logout 1.0.

pub mod access_tokens;
pub mod authorize;
pub mod backchannel;
pub mod client_auth;
pub mod client_credentials;
pub mod code;
pub mod discovery;
pub mod end_session;
pub mod introspect;
pub mod refresh;
pub mod revoke;
pub mod userinfo;

use serde::Serialize;

use crate::Error;

/// A refusal in OAuth's words (RFC 6749, section 5.2), or a failure of Denizen's own.
#[derive(Debug, Clone)]
pub enum OAuthError {
    /// A stable code and a sentence for the developer of the client.
    Refused(&'static str, String),
    /// The client could not be authenticated.
    InvalidClient,
    /// Something went wrong here.
    Failed(Error),
}

impl OAuthError {
    pub(crate) fn invalid_grant(description: &str) -> Self {
        Self::Refused("invalid_grant", description.to_owned())
    }
}

impl From<Error> for OAuthError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<denizen_store::Error> for OAuthError {
    fn from(error: denizen_store::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// The answer of the token endpoint (RFC 6749, section 5.1).
#[derive(Debug, Serialize)]
pub struct TokenResponse {
    /// The access token, a JWT.
    pub access_token: String,
    /// Always `Bearer`.
    pub token_type: &'static str,
    /// Seconds until it expires.
    pub expires_in: u64,
    /// What was granted.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// A token for the next access token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// The id token, when `openid` was granted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
}

/// The scopes asked for that the client may have, in the order of the request, each once.
pub(crate) fn granted_scope(asked: &str, allowed: &[String]) -> String {
    let mut granted: Vec<&str> = Vec::new();
    for scope in asked.split(' ').filter(|scope| !scope.is_empty()) {
        let known = scope == "openid" || allowed.iter().any(|name| name == scope);
        if known && !granted.contains(&scope) {
            granted.push(scope);
        }
    }
    granted.join(" ")
}

/// Whether a granted scope holds a name.
pub(crate) fn has_scope(granted: &str, name: &str) -> bool {
    granted.split(' ').any(|scope| scope == name)
}
