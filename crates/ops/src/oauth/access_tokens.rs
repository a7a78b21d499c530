//! Access tokens: JWTs after RFC 9068; minting, and checking that one still counts.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use denizen_model::{OrganizationId, SessionId, Timestamp, UserId, clients::Client, sessions::Session, users::User};
use denizen_store::{self as store, claims::UserClaims};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::OAuthError;
use crate::{
    Administrator, App, Error, RealmState, Result, admins,
    crypto::{constant_time_eq, jose::typ},
    oauth::has_scope,
    sessions::{SignedIn, note_seen},
};

/// The scope by which a user lets a client call the admin API on their behalf.
pub const ADMIN_SCOPE: &str = "denizen.admin";

/// What an access token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The issuer.
    pub iss: String,
    /// The user, or the client itself.
    pub sub: String,
    /// Whom it is for: the issuer's own endpoints and whoever trusts it.
    pub aud: String,
    /// When it expires, in seconds.
    pub exp: i64,
    /// When it was made.
    pub iat: i64,
    /// Its id.
    pub jti: String,
    /// The client it was issued to.
    pub client_id: String,
    /// What was granted.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// The session it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<SessionId>,
    /// When the user authenticated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// The user's realm roles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
    /// The user's groups, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<String>>,
    /// The organizations the user belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organizations: Option<Vec<OrganizationClaim>>,
    /// The attributes that become claims; never one of the above.
    #[serde(flatten)]
    pub attributes: Map<String, Value>,
}

/// An organization as a token names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrganizationClaim {
    /// Its id.
    pub id: OrganizationId,
    /// Its name.
    pub name: String,
    /// The roles the user has there.
    pub roles: Vec<String>,
    /// The permissions of the user's membership.
    pub permissions: Vec<String>,
}

fn jti(app: &App) -> String {
    use base64::Engine as _;
    crate::crypto::B64.encode(app.rng().bytes::<16>())
}

fn sign(realm: &RealmState, now: Timestamp, typ: &str, claims: &impl Serialize) -> Result<String> {
    realm.keys.signing(now)?.sign(typ, claims).map_err(|error| Error::internal(error.to_string()))
}

/// An access token for a user in a session.
pub(crate) fn mint_for_user(
    app: &App,
    realm: &RealmState,
    now: Timestamp,
    client: &Client,
    live: &Live,
    scope: &str,
) -> Result<(String, u64)> {
    let session = &live.session;
    let organization = |(id, name)| OrganizationClaim { id, name, roles: Vec::new(), permissions: Vec::new() };
    let claims = Claims {
        sub: session.user_id.to_string(),
        sid: Some(session.id),
        auth_time: Some(session.authenticated_at.as_secs()),
        roles: Some(live.claims.roles.clone()),
        groups: Some(live.claims.groups.clone()),
        organizations: Some(live.claims.organizations.iter().cloned().map(organization).collect()),
        attributes: realm.attributes.claims(&live.user.attributes),
        ..for_client(app, realm, now, client, scope)
    };
    Ok((sign(realm, now, typ::ACCESS_TOKEN, &claims)?, realm.realm.settings.access_token_seconds))
}

fn for_client(app: &App, realm: &RealmState, now: Timestamp, client: &Client, scope: &str) -> Claims {
    let lifetime = i64::try_from(realm.realm.settings.access_token_seconds).unwrap_or(300);
    Claims {
        iss: realm.issuer.clone(),
        sub: client.client_id.clone(),
        aud: realm.issuer.clone(),
        exp: now.as_secs() + lifetime,
        iat: now.as_secs(),
        jti: jti(app),
        client_id: client.client_id.clone(),
        scope: scope.to_owned(),
        sid: None,
        auth_time: None,
        roles: None,
        groups: None,
        organizations: None,
        attributes: Map::new(),
    }
}

/// An access token for a client on its own behalf.
pub(crate) fn mint_for_client(
    app: &App,
    realm: &RealmState,
    now: Timestamp,
    client: &Client,
    scope: &str,
) -> Result<(String, u64)> {
    let claims = for_client(app, realm, now, client, scope);
    Ok((sign(realm, now, typ::ACCESS_TOKEN, &claims)?, realm.realm.settings.access_token_seconds))
}

#[derive(Serialize, Deserialize)]
pub(crate) struct IdClaims {
    pub(crate) iss: String,
    pub(crate) sub: String,
    pub(crate) aud: String,
    pub(crate) exp: i64,
    iat: i64,
    auth_time: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nonce: Option<String>,
    pub(crate) sid: SessionId,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    amr: Vec<String>,
    #[serde(flatten)]
    attributes: Map<String, Value>,
}

/// An id token (OpenID Connect Core, section 2).
pub(crate) fn mint_id_token(
    realm: &RealmState,
    now: Timestamp,
    client: &Client,
    live: &Live,
    nonce: Option<String>,
) -> Result<String> {
    let session = &live.session;
    let lifetime = i64::try_from(realm.realm.settings.access_token_seconds).unwrap_or(300);
    let claims = IdClaims {
        iss: realm.issuer.clone(),
        sub: session.user_id.to_string(),
        aud: client.client_id.clone(),
        exp: now.as_secs() + lifetime,
        iat: now.as_secs(),
        auth_time: session.authenticated_at.as_secs(),
        nonce,
        sid: session.id,
        amr: session.amr.split(' ').filter(|method| !method.is_empty()).map(str::to_owned).collect(),
        attributes: realm.attributes.claims(&live.user.attributes),
    };
    sign(realm, now, typ::JWT, &claims)
}

/// Tokens whose signature was verified not long ago. Only the signature is remembered: whether a token still
/// counts is asked of the database each time.
#[derive(Default)]
pub(crate) struct VerifiedTokens {
    generations: Mutex<(Known, Known)>,
}

type Known = HashMap<Vec<u8>, Arc<Claims>>;

impl VerifiedTokens {
    /// How many tokens one generation holds; two are kept, about 1 KB a token.
    const GENERATION: usize = 10_000;

    fn find(&self, key: &[u8]) -> Option<Arc<Claims>> {
        let generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        generations.0.get(key).or_else(|| generations.1.get(key)).cloned()
    }

    fn put(&self, key: Vec<u8>, claims: Arc<Claims>) {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if generations.0.len() >= Self::GENERATION {
            generations.1 = std::mem::take(&mut generations.0);
        }
        generations.0.insert(key, claims);
    }
}

/// The claims of a token that this realm signed and that has not expired. Whether it was revoked is another
/// question: [`find_live`].
pub(crate) fn verify(app: &App, realm: &RealmState, now: Timestamp, token: &str) -> Option<Arc<Claims>> {
    // The whole token is the key, so that no two tokens can be taken for each other.
    let key = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes()).as_ref().to_vec();
    let claims = match app.verified().find(&key) {
        Some(claims) => claims,
        None => {
            let claims: Claims = realm.keys.verifier().verify(typ::ACCESS_TOKEN, token).ok()?;
            let claims = Arc::new(claims);
            app.verified().put(key, claims.clone());
            claims
        }
    };
    let ours = constant_time_eq(claims.iss.as_bytes(), realm.issuer.as_bytes()) && claims.aud == realm.issuer;
    (ours && now.as_secs() < claims.exp).then_some(claims)
}

/// Who stands behind a token that still counts.
pub(crate) enum Bearer {
    /// A user in a live session.
    User(Box<SignedIn>),
    /// An enabled client on its own behalf.
    Client,
}

/// Verifies a token and asks whether it still counts: not revoked, its session alive, its user and client
/// enabled.
pub(crate) async fn find_live(
    app: &App,
    realm: &RealmState,
    now: Timestamp,
    token: &str,
) -> Result<Option<(Arc<Claims>, Bearer)>> {
    let Some(claims) = verify(app, realm, now, token) else { return Ok(None) };
    if !realm.realm.enabled || realm.client(app, &claims.client_id).await?.is_none() {
        return Ok(None);
    }
    let (jti, sid, id) = (claims.jti.clone(), claims.sid, realm.realm.id);
    let bearer = app
        .db()
        .peek(move |tx| {
            if store::grants::is_token_revoked(tx, &jti)? {
                return Ok::<_, Error>(None);
            }
            let Some(sid) = sid else { return Ok(Some(Bearer::Client)) };
            let Some(session) =
                store::sessions::find(tx, sid)?.filter(|session| session.realm_id == id && session.is_live(now))
            else {
                return Ok(None);
            };
            let user = store::users::find(tx, id, session.user_id)?.filter(|user| user.enabled);
            Ok(user.map(|user| Bearer::User(Box::new(SignedIn { session, user }))))
        })
        .await?;
    Ok(bearer.map(|bearer| (claims, bearer)))
}

/// The administrator behind an access token with the scope [`ADMIN_SCOPE`].
///
/// # Errors
/// When the database fails.
pub async fn find_administrator(
    app: &App,
    realm: &RealmState,
    token: &str,
    now: Timestamp,
) -> Result<Option<Administrator>> {
    let Some((claims, Bearer::User(signed_in))) = find_live(app, realm, now, token).await? else { return Ok(None) };
    if !has_scope(&claims.scope, ADMIN_SCOPE) {
        return Ok(None);
    }
    let SignedIn { session, user } = *signed_in;
    let found = app
        .db()
        .peek(move |tx| admins::administrator_in(tx, &user, Some(session.id), Some(session.authenticated_at)))
        .await?;
    Ok(Some(found))
}

/// The issuer named in a token, before anything is verified: for finding the realm to verify it in.
#[must_use]
pub fn unverified_realm(app: &App, token: &str) -> Option<String> {
    use base64::Engine as _;
    let payload = crate::crypto::B64.decode(token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&payload).ok()?;
    let issuer = claims.get("iss")?.as_str()?;
    issuer.strip_prefix(app.public_url())?.strip_prefix("/realms/").map(str::to_owned)
}

/// A user's live session in which a client works, with what tokens say of the user.
pub(crate) struct Live {
    pub(crate) session: Session,
    pub(crate) user: User,
    pub(crate) claims: UserClaims,
}

/// The live session of an exchange, read in its transaction.
pub(crate) fn live_in(
    tx: &mut store::ReadTx<'_>,
    realm: &RealmState,
    session: SessionId,
    now: Timestamp,
) -> std::result::Result<Live, OAuthError> {
    let ended = || OAuthError::invalid_grant("The session this token belongs to has ended.");
    let id = realm.realm.id;
    let session =
        store::sessions::find(tx, session)?.filter(|s| s.realm_id == id && s.is_live(now)).ok_or_else(ended)?;
    let user_id: UserId = session.user_id;
    let user = store::users::find(tx, id, user_id)?.filter(|user| user.enabled).ok_or_else(ended)?;
    let claims = store::claims::of(tx, user_id)?;
    Ok(Live { session, user, claims })
}

/// Notes that a session was used, after an exchange.
pub(crate) async fn touch(app: &App, realm: &RealmState, session: &Session, now: Timestamp) -> Result<()> {
    note_seen(app, realm, session, now).await
}
