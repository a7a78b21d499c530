//! The userinfo endpoint (OpenID Connect Core, section 5.3).

use denizen_model::users::VerificationState;
use serde_json::{Map, Value, json};

use super::{
    access_tokens::{Bearer, find_live},
    has_scope,
};
use crate::{App, Cx, RealmState, Result};

/// The claims of the user behind a token, as its scope allows; `None` for a token that does not count or has no
/// `openid`.
///
/// # Errors
/// When the database fails.
pub async fn userinfo(app: &App, cx: &Cx, realm: &RealmState, token: &str) -> Result<Option<Map<String, Value>>> {
    let Some((claims, Bearer::User(signed_in))) = find_live(app, realm, cx.now, token).await? else { return Ok(None) };
    if !has_scope(&claims.scope, "openid") {
        return Ok(None);
    }
    let user = &signed_in.user;
    let mut info = realm.attributes.claims(&user.attributes);
    info.insert("sub".to_owned(), json!(user.id));
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            info.insert(name.to_owned(), value);
        }
    };
    if has_scope(&claims.scope, "profile") {
        put("name", json!(user.display_name()));
        put("given_name", json!(user.given_name));
        put("family_name", json!(user.family_name));
        put("preferred_username", json!(user.username));
        put("locale", json!(user.locale));
        put("zoneinfo", json!(user.zoneinfo));
        put("updated_at", json!(user.updated_at.as_secs()));
    }
    if has_scope(&claims.scope, "email") && user.email.is_some() {
        put("email", json!(user.email));
        put("email_verified", json!(user.email_state == VerificationState::Verified));
    }
    if has_scope(&claims.scope, "phone") && user.phone.is_some() {
        put("phone_number", json!(user.phone));
        put("phone_number_verified", json!(user.phone_state == VerificationState::Verified));
    }
    Ok(Some(info))
}
