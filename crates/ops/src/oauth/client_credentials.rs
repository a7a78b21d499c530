//! The client credentials grant (RFC 6749, section 4.4): the hot path of machines. It reads nothing from the
//! database while the realm and the client are cached, and changes nothing, so it has no event.

use denizen_model::clients::{Client, GrantType};

use super::{OAuthError, TokenResponse, access_tokens, granted_scope};
use crate::{App, Cx, RealmState};

/// An access token for a client that has authenticated.
///
/// # Errors
/// When the client may not use this grant.
pub fn grant(
    app: &App,
    cx: &Cx,
    realm: &RealmState,
    client: &Client,
    scope: Option<&str>,
) -> Result<TokenResponse, OAuthError> {
    if !client.allows(GrantType::ClientCredentials) {
        return Err(OAuthError::Refused(
            "unauthorized_client",
            "This client may not use client_credentials.".to_owned(),
        ));
    }
    let scope = match scope {
        Some(asked) => granted_scope(asked, &client.scopes),
        None => String::new(),
    };
    // There is no user, so there is nothing that openid could mean.
    let scope: String = scope.split(' ').filter(|name| *name != "openid").collect::<Vec<_>>().join(" ");
    let (access_token, expires_in) = access_tokens::mint_for_client(app, realm, cx.now, client, &scope)?;
    Ok(TokenResponse { access_token, token_type: "Bearer", expires_in, scope, refresh_token: None, id_token: None })
}
