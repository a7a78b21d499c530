//! The refresh grant with rotation and reuse detection (RFC 9700, section 4.14).
//!
//! A family of refresh tokens is one row with a generation number. A token carries family and generation under a
//! MAC: a forged one is refused before the database is asked, and an earlier generation with a good MAC can only
//! be a token that was used already.

use std::{sync::Arc, time::Duration};

use denizen_model::{
    GrantId, Timestamp,
    clients::{Client, GrantType},
    events::EventType,
    sessions::Session,
};
use denizen_store::{self as store, Events};

use super::{
    OAuthError, TokenResponse,
    access_tokens::{Live, live_in, touch},
    code::respond,
};
use crate::{App, Cx, RealmState, crypto::RefreshToken, cx::Detail};

/// When a family expires that is used now: never later than its session.
pub(crate) fn expiry(realm: &RealmState, session: &Session, now: Timestamp) -> Timestamp {
    now.plus(Duration::from_secs(realm.realm.settings.refresh_token_seconds)).min(session.expires_at)
}

/// RFC 6749, section 6: a narrower scope may be asked for, never a wider one.
fn narrowed(granted: &str, asked: Option<&str>) -> Result<String, OAuthError> {
    let Some(asked) = asked else { return Ok(granted.to_owned()) };
    let within = asked.split(' ').all(|name| name.is_empty() || super::has_scope(granted, name));
    if within {
        Ok(asked.to_owned())
    } else {
        Err(OAuthError::Refused("invalid_scope", "The scope goes beyond what was granted.".to_owned()))
    }
}

enum Rotated {
    Good(Box<(Live, String)>),
    Reused,
}

/// Exchanges a refresh token for new tokens; the token itself is used up.
///
/// # Errors
/// `invalid_grant` for a token that is not good; a token used before revokes its whole family.
pub async fn exchange(
    app: &App,
    cx: &Cx,
    realm: &Arc<RealmState>,
    client: &Client,
    token: &str,
    scope: Option<&str>,
) -> Result<TokenResponse, OAuthError> {
    if !client.allows(GrantType::RefreshToken) {
        return Err(OAuthError::Refused("unauthorized_client", "This client may not use refresh_token.".to_owned()));
    }
    let wrong = || OAuthError::invalid_grant("The refresh token is unknown, expired or revoked.");
    let token = RefreshToken::decode(token, app.refresh_key()).map_err(|_| wrong())?;
    let family = GrantId::from(token.family);
    let (app2, cx2, realm2, client_id) = (app.clone(), cx.clone(), realm.clone(), client.client_id.clone());
    let asked = scope.map(str::to_owned);
    let rotated = app
        .db()
        .write(move |mut tx| {
            let id = realm2.realm.id;
            let grant = store::grants::find(&mut tx, id, family)?
                .filter(|grant| grant.client_id == client_id)
                .ok_or_else(wrong)?;
            if grant.revoked_at.is_some() || cx2.now >= grant.expires_at {
                return Err(wrong());
            }
            let scope = narrowed(&grant.scope, asked.as_deref())?;
            let live = live_in(&mut tx, &realm2, grant.session_id, cx2.now)?;
            let expires_at = expiry(&realm2, &live.session, cx2.now);
            if store::grants::rotate(&mut tx, id, family, token.generation, expires_at)? {
                return Ok(
                    tx.unaudited("a rotation changes nothing but the token", Rotated::Good(Box::new((live, scope))))?
                );
            }
            if token.generation > grant.generation {
                // A token from after a backup that was restored: unknown here, not reused.
                return Err(wrong());
            }
            store::grants::revoke(&mut tx, id, family, cx2.now)?;
            let mut event =
                cx2.user_event(&app2, EventType::UserTokenReused, &live.user).failed("a refresh token was used twice");
            event.client_id = Some(client_id.clone());
            event.session_id = Some(grant.session_id);
            Ok(tx.commit(Events::from(event.detail("family_revoked", true)), Rotated::Reused)?)
        })
        .await?;
    let (live, scope) = match rotated {
        Rotated::Good(good) => *good,
        Rotated::Reused => {
            return Err(OAuthError::invalid_grant(
                "The refresh token was used before. Its whole family has been revoked.",
            ));
        }
    };
    touch(app, realm, &live.session, cx.now).await?;
    let next = RefreshToken { family: token.family, generation: token.generation + 1 };
    respond(app, cx, realm, client, &live, &scope, None, Some(next))
}
