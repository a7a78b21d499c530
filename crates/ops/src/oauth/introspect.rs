//! Introspection (RFC 7662): what a token says, and whether it still counts. A client that has authenticated may
//! ask about tokens of its realm.

use denizen_model::GrantId;
use denizen_store as store;
use serde_json::{Value, json};

use super::access_tokens::{Bearer, find_live};
use crate::{App, Cx, Error, RealmState, Result, crypto::RefreshToken};

/// The answer for a token; `{"active": false}` for anything that does not count.
///
/// # Errors
/// When the database fails.
pub async fn introspect(app: &App, cx: &Cx, realm: &RealmState, token: &str) -> Result<Value> {
    if token.starts_with("dzr_") {
        return introspect_refresh(app, cx, realm, token).await;
    }
    let Some((claims, bearer)) = find_live(app, realm, cx.now, token).await? else {
        return Ok(json!({"active": false}));
    };
    let mut answer = serde_json::to_value(&*claims).map_err(|error| Error::internal(error.to_string()))?;
    if let Some(fields) = answer.as_object_mut() {
        fields.insert("active".to_owned(), json!(true));
        fields.insert("token_type".to_owned(), json!("Bearer"));
        if let Bearer::User(signed_in) = bearer {
            fields.insert("username".to_owned(), json!(signed_in.user.username));
        }
    }
    Ok(answer)
}

async fn introspect_refresh(app: &App, cx: &Cx, realm: &RealmState, token: &str) -> Result<Value> {
    let Ok(token) = RefreshToken::decode(token, app.refresh_key()) else { return Ok(json!({"active": false})) };
    let (id, now, issuer) = (realm.realm.id, cx.now, realm.issuer.clone());
    app.db()
        .peek(move |tx| {
            let grant = store::grants::find(tx, id, GrantId::from(token.family))?;
            let live = grant.filter(|grant| {
                grant.revoked_at.is_none() && grant.generation == token.generation && now < grant.expires_at
            });
            let Some(grant) = live else { return Ok(json!({"active": false})) };
            let session = store::sessions::find(tx, grant.session_id)?.filter(|session| session.is_live(now));
            Ok(match session {
                Some(session) => json!({
                    "active": true,
                    "iss": issuer,
                    "sub": session.user_id,
                    "client_id": grant.client_id,
                    "scope": grant.scope,
                    "sid": session.id,
                    "iat": grant.created_at.as_secs(),
                    "exp": grant.expires_at.as_secs(),
                }),
                None => json!({"active": false}),
            })
        })
        .await
}
