//! Revocation (RFC 7009): a client gives a token back. A refresh token takes its family with it.

use denizen_model::{GrantId, Timestamp, clients::Client, events::EventType};
use denizen_store::{self as store, Events};

use super::access_tokens::verify;
use crate::{App, Cx, RealmState, Result, crypto::RefreshToken, cx::Detail};

/// Revokes a token of this client. A token that is not good any more, or another client's, is no error.
///
/// # Errors
/// When the database fails.
pub async fn revoke(app: &App, cx: &Cx, realm: &RealmState, client: &Client, token: &str) -> Result<()> {
    let event = cx.acting_as(crate::Actor::Client(client.client_id.clone())).event(
        app,
        realm.realm.id,
        EventType::ClientTokenRevoked,
        crate::clients::subject(client),
    );
    let (id, now, client_id) = (realm.realm.id, cx.now, client.client_id.clone());
    if let Ok(token) = RefreshToken::decode(token, app.refresh_key()) {
        let family = GrantId::from(token.family);
        let event = event.detail("token", "refresh_token").detail("family", family.to_string());
        return app
            .db()
            .write(move |mut tx| {
                let own = store::grants::find(&mut tx, id, family)?.is_some_and(|grant| grant.client_id == client_id);
                if own && store::grants::revoke(&mut tx, id, family, now)? {
                    return Ok(tx.commit(Events::from(event.clone()), ())?);
                }
                Ok(tx.unaudited("nothing was changed", ())?)
            })
            .await;
    }
    let Some(claims) = verify(app, realm, now, token).filter(|claims| claims.client_id == client_id) else {
        return Ok(());
    };
    let event = event.detail("token", "access_token").detail("jti", claims.jti.as_str());
    app.db()
        .write(move |mut tx| {
            store::grants::revoke_token(&mut tx, &claims.jti, Timestamp::from_secs(claims.exp))?;
            Ok(tx.commit(Events::from(event.clone()), ())?)
        })
        .await
}
