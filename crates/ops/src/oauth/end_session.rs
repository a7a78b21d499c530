//! RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0).

use serde::Deserialize;

use super::{access_tokens::IdClaims, authorize::with_query};
use crate::{
    App, Cx, RealmState, Result,
    crypto::jose::typ,
    sessions::{SignedIn, sign_out},
};

/// The parameters of a logout request, as they came.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Parameters {
    /// An id token of the session that is to end; it may have expired.
    pub id_token_hint: Option<String>,
    /// Which client asks.
    pub client_id: Option<String>,
    /// Where to go afterwards.
    pub post_logout_redirect_uri: Option<String>,
    /// The client's own state.
    pub state: Option<String>,
    /// Set by Denizen's own page, where the user has confirmed.
    pub confirmed: Option<String>,
}

/// What a logout request leads to.
#[derive(Debug)]
pub enum Outcome {
    /// The user is asked first: the request does not prove that it knows the session.
    Confirm,
    /// The session has ended; go there, or show the signed-out page.
    SignedOut(Option<String>),
    /// The request is not acceptable: an error page. The text names it in the locale.
    Page(&'static str),
}

/// Ends the browser's session, if the request proves that it comes from it, or the user has confirmed.
///
/// # Errors
/// When the database fails.
pub async fn end_session(
    app: &App,
    cx: &Cx,
    realm: &RealmState,
    parameters: &Parameters,
    signed_in: Option<SignedIn>,
) -> Result<Outcome> {
    let hint: Option<IdClaims> = match &parameters.id_token_hint {
        None => None,
        // An expired token is a good hint; one that this realm did not sign is none.
        Some(token) => match realm.keys.verifier().verify::<IdClaims>(typ::JWT, token) {
            Ok(claims) if claims.iss == realm.issuer => Some(claims),
            _ => return Ok(Outcome::Page("request_invalid")),
        },
    };
    let client_id = parameters.client_id.clone().or_else(|| hint.as_ref().map(|hint| hint.aud.clone()));
    if hint.as_ref().is_some_and(|hint| client_id.as_deref() != Some(&hint.aud)) {
        return Ok(Outcome::Page("request_invalid"));
    }
    let target = match &parameters.post_logout_redirect_uri {
        None => None,
        Some(uri) => {
            let client = match &client_id {
                Some(id) => realm.client(app, id).await?,
                None => None,
            };
            if !client.is_some_and(|client| client.post_logout_redirect_uris.contains(uri)) {
                return Ok(Outcome::Page("request_invalid"));
            }
            let state: Vec<(&str, &str)> =
                parameters.state.as_deref().map(|state| ("state", state)).into_iter().collect();
            Some(with_query(uri, &state))
        }
    };
    let Some(signed_in) = signed_in else { return Ok(Outcome::SignedOut(target)) };
    let known = hint.is_some_and(|hint| hint.sid == signed_in.session.id);
    if !known && parameters.confirmed.is_none() {
        return Ok(Outcome::Confirm);
    }
    sign_out(app, cx, &signed_in).await?;
    Ok(Outcome::SignedOut(target))
}
