//! Which client asks, and the proof of it (RFC 6749, section 2.3).

use std::sync::Arc;

use denizen_model::clients::{Client, ClientType};

use super::OAuthError;
use crate::{
    App, RealmState,
    crypto::{Secret, constant_time_eq, hash_token},
};

/// What a request says about its client.
#[derive(Debug, Default)]
pub struct Credentials {
    /// Its `client_id`.
    pub client_id: String,
    /// Its secret, from the header or the form.
    pub secret: Option<Secret>,
}

/// The enabled client of these credentials. A confidential one must show its secret, a public one must not have
/// any.
///
/// # Errors
/// [`OAuthError::InvalidClient`], alike for unknown clients and wrong secrets.
pub async fn authenticate(app: &App, realm: &RealmState, credentials: &Credentials) -> Result<Arc<Client>, OAuthError> {
    if !realm.realm.enabled {
        return Err(OAuthError::InvalidClient);
    }
    let client = realm.client(app, &credentials.client_id).await?.ok_or(OAuthError::InvalidClient)?;
    let ok = match (client.kind, &client.secret_hash, &credentials.secret) {
        // The secret has 256 random bits, so a fast hash is enough (unlike a password's).
        (ClientType::Confidential, Some(hash), Some(secret)) => {
            constant_time_eq(hash_token(secret.expose()).as_bytes(), hash.as_bytes())
        }
        (ClientType::Public, None, None) => true,
        _ => false,
    };
    if ok { Ok(client) } else { Err(OAuthError::InvalidClient) }
}
