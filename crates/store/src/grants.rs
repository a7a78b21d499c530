//! What clients hold on behalf of users: authorization codes, families of refresh tokens, revoked tokens.

use denizen_model::{GrantId, RealmId, SessionId, Timestamp};

use crate::{
    error::Result,
    sql::statements,
    tx::{ReadTx, WriteTx},
    value::{Row, params},
};

statements! {
    INSERT_CODE = "INSERT INTO codes (secret_hash, realm_id, client_id, session_id, grant_id, redirect_uri, scope, nonce, code_challenge, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    FIND_CODE = "SELECT client_id, session_id, grant_id, redirect_uri, scope, nonce, code_challenge, created_at, expires_at, used_at FROM codes WHERE secret_hash = ?1 AND realm_id = ?2";
    USE_CODE = "UPDATE codes SET used_at = ?2 WHERE secret_hash = ?1 AND used_at IS NULL";
    INSERT_GRANT = "INSERT INTO grants (id, realm_id, session_id, client_id, scope, nonce, generation, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?8)";
    FIND_GRANT = "SELECT id, realm_id, session_id, client_id, scope, nonce, generation, created_at, expires_at, revoked_at FROM grants WHERE id = ?1 AND realm_id = ?2";
    ROTATE = "UPDATE grants SET generation = generation + 1, expires_at = ?4 WHERE id = ?1 AND realm_id = ?2 AND generation = ?3 AND revoked_at IS NULL";
    REVOKE_GRANT = "UPDATE grants SET revoked_at = ?3 WHERE id = ?1 AND realm_id = ?2 AND revoked_at IS NULL";
    REVOKE_TOKEN = "INSERT INTO revoked_tokens (jti, expires_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    IS_REVOKED = "SELECT 1 AS one FROM revoked_tokens WHERE jti = ?1";
}

/// An authorization code, without its secret.
#[derive(Debug, Clone)]
pub struct Code {
    /// Whom it was issued to.
    pub client_id: String,
    /// The session it came from.
    pub session_id: SessionId,
    /// The family that its exchange begins.
    pub grant_id: GrantId,
    /// The redirect URI of the request, which the exchange must repeat.
    pub redirect_uri: String,
    /// What was granted.
    pub scope: String,
    /// The request's nonce, for the id token.
    pub nonce: Option<String>,
    /// The PKCE challenge (RFC 7636, S256).
    pub code_challenge: String,
    /// When it was issued.
    pub created_at: Timestamp,
    /// When it stops working.
    pub expires_at: Timestamp,
    /// When it was exchanged.
    pub used_at: Option<Timestamp>,
}

/// A family of refresh tokens.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Stable id.
    pub id: GrantId,
    /// The realm.
    pub realm_id: RealmId,
    /// The session it lives and dies with.
    pub session_id: SessionId,
    /// Whom it was issued to.
    pub client_id: String,
    /// What was granted.
    pub scope: String,
    /// The nonce of the first request.
    pub nonce: Option<String>,
    /// The generation of the one refresh token that is good.
    pub generation: u64,
    /// When it began.
    pub created_at: Timestamp,
    /// When it expires if not used.
    pub expires_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// Stores a new code by the hash of its secret.
///
/// # Errors
/// When the database fails.
pub fn insert_code(tx: &mut WriteTx<'_>, realm: RealmId, code: &Code, secret_hash: &str) -> Result<()> {
    tx.execute(
        &INSERT_CODE,
        params![
            secret_hash,
            realm,
            &code.client_id,
            code.session_id,
            code.grant_id,
            &code.redirect_uri,
            &code.scope,
            &code.nonce,
            &code.code_challenge,
            code.created_at,
            code.expires_at,
        ],
    )
    .map(drop)
}

/// The code whose secret has this hash, used ones too.
///
/// # Errors
/// When the database fails.
pub fn find_code(tx: &mut ReadTx<'_>, realm: RealmId, secret_hash: &str) -> Result<Option<Code>> {
    tx.find(&FIND_CODE, params![secret_hash, realm], |row| {
        Ok(Code {
            client_id: row.text("client_id")?,
            session_id: row.parse("session_id")?,
            grant_id: row.parse("grant_id")?,
            redirect_uri: row.text("redirect_uri")?,
            scope: row.text("scope")?,
            nonce: row.opt_text("nonce")?,
            code_challenge: row.text("code_challenge")?,
            created_at: row.time("created_at")?,
            expires_at: row.time("expires_at")?,
            used_at: row.opt_time("used_at")?,
        })
    })
}

/// Marks a code as used. Answers whether this was its first use.
///
/// # Errors
/// When the database fails.
pub fn use_code(tx: &mut WriteTx<'_>, secret_hash: &str, now: Timestamp) -> Result<bool> {
    Ok(tx.execute(&USE_CODE, params![secret_hash, now])? == 1)
}

/// Begins a family of refresh tokens.
///
/// # Errors
/// When the database fails.
pub fn insert(tx: &mut WriteTx<'_>, grant: &Grant) -> Result<()> {
    tx.execute(
        &INSERT_GRANT,
        params![
            grant.id,
            grant.realm_id,
            grant.session_id,
            &grant.client_id,
            &grant.scope,
            &grant.nonce,
            grant.created_at,
            grant.expires_at,
        ],
    )
    .map(drop)
}

/// The family of this id.
///
/// # Errors
/// When the database fails.
pub fn find(tx: &mut ReadTx<'_>, realm: RealmId, id: GrantId) -> Result<Option<Grant>> {
    tx.find(&FIND_GRANT, params![id, realm], |row: &Row<'_>| {
        Ok(Grant {
            id: row.parse("id")?,
            realm_id: row.parse("realm_id")?,
            session_id: row.parse("session_id")?,
            client_id: row.text("client_id")?,
            scope: row.text("scope")?,
            nonce: row.opt_text("nonce")?,
            generation: row.count("generation")?,
            created_at: row.time("created_at")?,
            expires_at: row.time("expires_at")?,
            revoked_at: row.opt_time("revoked_at")?,
        })
    })
}

/// Moves a family to its next generation, if `generation` is still the present one. Answers whether it was.
///
/// # Errors
/// When the database fails.
pub fn rotate(
    tx: &mut WriteTx<'_>,
    realm: RealmId,
    id: GrantId,
    generation: u64,
    expires_at: Timestamp,
) -> Result<bool> {
    let generation = i64::try_from(generation).unwrap_or(i64::MAX);
    Ok(tx.execute(&ROTATE, params![id, realm, generation, expires_at])? == 1)
}

/// Revokes a family. Answers whether it was not revoked yet.
///
/// # Errors
/// When the database fails.
pub fn revoke(tx: &mut WriteTx<'_>, realm: RealmId, id: GrantId, now: Timestamp) -> Result<bool> {
    Ok(tx.execute(&REVOKE_GRANT, params![id, realm, now])? == 1)
}

/// Revokes an access token before its time.
///
/// # Errors
/// When the database fails.
pub fn revoke_token(tx: &mut WriteTx<'_>, jti: &str, expires_at: Timestamp) -> Result<()> {
    tx.execute(&REVOKE_TOKEN, params![jti, expires_at]).map(drop)
}

/// Whether an access token was revoked.
///
/// # Errors
/// When the database fails.
pub fn is_token_revoked(tx: &mut ReadTx<'_>, jti: &str) -> Result<bool> {
    Ok(tx.find(&IS_REVOKED, params![jti], |_| Ok(()))?.is_some())
}
