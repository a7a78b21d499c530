//! The provider's metadata (OpenID Connect Discovery 1.0; RFC 8414).

use serde_json::{Value, json};

use crate::RealmState;

/// What stands at `/.well-known/openid-configuration`.
#[must_use]
pub fn metadata(realm: &RealmState) -> Value {
    let issuer = &realm.issuer;
    let mut metadata = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "userinfo_endpoint": format!("{issuer}/userinfo"),
        "jwks_uri": format!("{issuer}/jwks"),
        "introspection_endpoint": format!("{issuer}/introspect"),
        "revocation_endpoint": format!("{issuer}/revoke"),
        "end_session_endpoint": format!("{issuer}/end-session"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "code_challenge_methods_supported": ["S256"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "scopes_supported": ["openid", "profile", "email", "phone"],
        "claims_supported": [
            "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "sid", "amr", "name", "given_name", "family_name",
            "preferred_username", "locale", "zoneinfo", "updated_at", "email", "email_verified", "phone_number",
            "phone_number_verified",
        ],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "ui_locales_supported": realm.realm.settings.locales,
        "prompt_values_supported": ["none", "login", "select_account"],
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
        "authorization_response_iss_parameter_supported": true,
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
    });
    if let Some(Value::Array(claims)) = metadata.get_mut("claims_supported") {
        claims.extend(realm.attributes.iter().filter_map(|one| one.spec.claim.clone()).map(Value::String));
    }
    metadata
}
