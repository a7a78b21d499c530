//! Authorization codes: issued, exchanged once (RFC 6749, section 4.1.3; PKCE, RFC 7636).

use std::{sync::Arc, time::Duration};

use aws_lc_rs::digest;
use base64::Engine as _;
use denizen_model::{
    GrantId, SessionId, Timestamp,
    clients::{CONSOLE_CLIENT, Client, GrantType},
    events::EventType,
};
use denizen_store::{
    self as store, Events, WriteTx,
    grants::{Code, Grant},
};

use super::{
    OAuthError, TokenResponse,
    access_tokens::{self, Live, live_in},
    authorize::{Request, success},
    has_scope,
};
use crate::{
    App, Cx, Error, RealmState, Result,
    crypto::{B64, Prefix, RefreshToken, Token, constant_time_eq, hash_token},
    cx::Detail,
    sessions::SignedIn,
};

/// How long a code can be exchanged.
const CODE_FOR: Duration = Duration::from_secs(60);

/// A new code, ready to be stored: its text and its record.
pub(crate) fn prepare(app: &App, now: Timestamp, request: &Request, session: SessionId) -> (Token, Code) {
    let code = Code {
        client_id: request.client_id.clone(),
        session_id: session,
        grant_id: GrantId::new(now, app.id_bytes()),
        redirect_uri: request.redirect_uri.clone(),
        scope: request.scope.clone(),
        nonce: request.nonce.clone(),
        code_challenge: request.code_challenge.clone(),
        created_at: now,
        expires_at: now.plus(CODE_FOR),
        used_at: None,
    };
    (Token::generate(app.rng(), Prefix::Bare), code)
}

pub(crate) fn store_in(tx: &mut WriteTx<'_>, realm: &RealmState, code: &Code, hash: &str) -> Result<()> {
    store::grants::insert_code(tx, realm.realm.id, code, hash)?;
    store::sessions::add_client(tx, code.session_id, &code.client_id, code.created_at)?;
    Ok(())
}

/// Issues a code in a session that exists; answers the redirect that carries it.
pub(crate) async fn issue(
    app: &App,
    cx: &Cx,
    realm: &RealmState,
    request: &Request,
    signed_in: &SignedIn,
) -> Result<String> {
    let (token, code) = prepare(app, cx.now, request, signed_in.session.id);
    let (hash, id) = (token.hash(), realm.realm.id);

    app.db()
        .write(move |mut tx| {
            store::grants::insert_code(&mut tx, id, &code, &hash)?;
            store::sessions::add_client(&mut tx, code.session_id, &code.client_id, code.created_at)?;
            Ok::<_, Error>(tx.unaudited("a client joins a session whose beginning has its event", ())?)
        })
        .await?;
    Ok(success(request, &realm.issuer, token.expose()))
}

fn challenge_of(verifier: &str) -> String {
    B64.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}

enum Redeemed {
    Good(Box<(Code, Live)>),
    Replayed,
}

/// What a client shows to have a code exchanged.
struct Shown<'a> {
    client_id: &'a str,
    code: &'a str,
    redirect_uri: &'a str,
    verifier: &'a str,
}

/// Takes a code in one transaction. A second use revokes what the first one got (RFC 6749, section 4.1.2).
async fn redeem(
    app: &App,
    cx: &Cx,
    realm: &Arc<RealmState>,
    shown: &Shown<'_>,
    begin: bool,
) -> std::result::Result<(Code, Live), OAuthError> {
    let (hash, challenge) = (hash_token(shown.code), challenge_of(shown.verifier));
    let (client_id, redirect_uri) = (shown.client_id.to_owned(), shown.redirect_uri.to_owned());
    let (app2, cx2, realm2) = (app.clone(), cx.clone(), realm.clone());
    let redeemed = app
        .db()
        .write(move |mut tx| {
            let wrong =
                || OAuthError::invalid_grant("The code is unknown, expired, or was issued for another request.");
            let id = realm2.realm.id;
            let code = store::grants::find_code(&mut tx, id, &hash)?.ok_or_else(wrong)?;
            // Whom it was issued to comes first: another client must not be able to burn a code.
            let mine = code.client_id == client_id
                && code.redirect_uri == redirect_uri
                && constant_time_eq(code.code_challenge.as_bytes(), challenge.as_bytes());
            if !mine {
                return Err(wrong());
            }
            if code.used_at.is_some() || !store::grants::use_code(&mut tx, &hash, cx2.now)? {
                let revoked = store::grants::revoke(&mut tx, id, code.grant_id, cx2.now)?;
                let user = store::sessions::find(&mut tx, code.session_id)?.map(|session| session.user_id);
                let user = user.map(|user| store::users::find(&mut tx, id, user)).transpose()?.flatten();
                let Some(user) = user else { return Err(wrong()) };
                let mut event = cx2
                    .user_event(&app2, EventType::UserTokenReused, &user)
                    .failed("an authorization code was used twice");
                event.client_id = Some(client_id.clone());
                event.session_id = Some(code.session_id);
                return Ok(tx.commit(Events::from(event.detail("family_revoked", revoked)), Redeemed::Replayed)?);
            }
            if cx2.now >= code.expires_at {
                return Err(wrong());
            }
            let live = live_in(&mut tx, &realm2, code.session_id, cx2.now)?;
            if begin {
                let grant = Grant {
                    id: code.grant_id,
                    realm_id: id,
                    session_id: code.session_id,
                    client_id: code.client_id.clone(),
                    scope: code.scope.clone(),
                    nonce: code.nonce.clone(),
                    generation: 0,
                    created_at: cx2.now,
                    expires_at: super::refresh::expiry(&realm2, &live.session, cx2.now),
                    revoked_at: None,
                };
                store::grants::insert(&mut tx, &grant)?;
            }
            Ok(tx.unaudited(
                "tokens of a session whose beginning has its event",
                Redeemed::Good(Box::new((code, live))),
            )?)
        })
        .await?;
    match redeemed {
        Redeemed::Good(good) => Ok(*good),
        Redeemed::Replayed => {
            Err(OAuthError::invalid_grant("The code was used before. What it was exchanged for has been revoked."))
        }
    }
}

/// Exchanges a code for tokens.
///
/// # Errors
/// `invalid_grant` for a code that is not good.
pub async fn exchange(
    app: &App,
    cx: &Cx,
    realm: &Arc<RealmState>,
    client: &Client,
    code: &str,
    redirect_uri: &str,
    verifier: &str,
) -> std::result::Result<TokenResponse, OAuthError> {
    if !client.allows(GrantType::AuthorizationCode) {
        return Err(OAuthError::Refused(
            "unauthorized_client",
            "This client may not use authorization_code.".to_owned(),
        ));
    }
    if !(43..=128).contains(&verifier.len()) {
        return Err(OAuthError::invalid_grant("code_verifier must have 43 to 128 characters."));
    }
    let refreshing = client.allows(GrantType::RefreshToken);
    let (code, live) =
        redeem(app, cx, realm, &Shown { client_id: &client.client_id, code, redirect_uri, verifier }, refreshing)
            .await?;
    let refresh = refreshing.then(|| RefreshToken { family: code.grant_id.uuid(), generation: 0 });
    respond(app, cx, realm, client, &live, &code.scope, code.nonce, refresh)
}

/// The token endpoint's answer for a user's session.
#[expect(clippy::too_many_arguments, reason = "each is a different thing that the answer is made of")]
pub(crate) fn respond(
    app: &App,
    cx: &Cx,
    realm: &RealmState,
    client: &Client,
    live: &Live,
    scope: &str,
    nonce: Option<String>,
    refresh: Option<RefreshToken>,
) -> std::result::Result<TokenResponse, OAuthError> {
    let (access_token, expires_in) = access_tokens::mint_for_user(app, realm, cx.now, client, live, scope)?;
    let id_token = has_scope(scope, "openid")
        .then(|| access_tokens::mint_id_token(realm, cx.now, client, live, nonce))
        .transpose()?;
    let refresh_token = refresh.map(|token| token.encode(app.refresh_key()).expose().to_owned());
    Ok(TokenResponse {
        access_token,
        token_type: "Bearer",
        expires_in,
        scope: scope.to_owned(),
        refresh_token,
        id_token,
    })
}

/// Takes the console's code; answers the session it belongs to.
pub(crate) async fn redeem_for_console(
    app: &App,
    cx: &Cx,
    realm: &RealmState,
    code: &str,
    verifier: &str,
) -> Result<SessionId> {
    let realm = app.realm(&realm.realm.slug).await?;
    let redirect = format!("{}/admin/callback", app.public_url());
    let shown = Shown { client_id: CONSOLE_CLIENT, code, redirect_uri: &redirect, verifier };
    let redeemed = redeem(app, cx, &realm, &shown, false).await;
    match redeemed {
        Ok((code, _)) => Ok(code.session_id),
        Err(OAuthError::Failed(error)) => Err(error),
        Err(_) => Err(Error::unauthenticated()),
    }
}
