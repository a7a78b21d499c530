//! Invitations.

use denizen_model::{
    InvitationId, RealmId, Timestamp, UserId,
    invitations::{Invitation, InvitationState},
    text::fold,
};

use crate::{
    error::Result,
    sql::{Sql, statements},
    tx::{ReadTx, WriteTx},
    value::{Row, params, to_json},
};

macro_rules! columns {
    () => {
        "id, realm_id, email, given_name, family_name, locale, role_ids, group_ids, organization_ids, invited_by, \
         created_at, sent_at, sent_count, expires_at, accepted_at, accepted_user_id, revoked_at, version"
    };
}

macro_rules! page {
    ($condition:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM invitations WHERE realm_id = ?1 AND id < ?2",
            $condition,
            " ORDER BY id DESC LIMIT ?3"
        )
    };
}

statements! {
    INSERT = "INSERT INTO invitations (id, realm_id, email, email_key, given_name, family_name, locale, role_ids, group_ids, organization_ids, secret_hash, invited_by, created_at, sent_at, sent_count, expires_at, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";
    FIND = concat!("SELECT ", columns!(), " FROM invitations WHERE realm_id = ?1 AND id = ?2");
    FIND_BY_SECRET = concat!("SELECT ", columns!(), " FROM invitations WHERE secret_hash = ?1 AND realm_id = ?2");
    LIST = page!("");
    LIST_PENDING = page!(" AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > ?4");
    LIST_EXPIRED = page!(" AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at <= ?4");
    LIST_ACCEPTED = page!(" AND accepted_at IS NOT NULL");
    LIST_REVOKED = page!(" AND revoked_at IS NOT NULL");
    RESENT = "UPDATE invitations SET secret_hash = ?4, sent_at = ?5, expires_at = ?6, sent_count = sent_count + 1, version = version + 1 WHERE realm_id = ?1 AND id = ?2 AND version = ?3 AND accepted_at IS NULL AND revoked_at IS NULL";
    REVOKE = "UPDATE invitations SET revoked_at = ?3, version = version + 1 WHERE realm_id = ?1 AND id = ?2 AND accepted_at IS NULL AND revoked_at IS NULL";
    ACCEPT = concat!("UPDATE invitations SET accepted_at = ?3, version = version + 1 WHERE secret_hash = ?1 AND realm_id = ?2 AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > ?3 RETURNING ", columns!());
    ACCEPTED_BY = "UPDATE invitations SET accepted_user_id = ?2 WHERE id = ?1";
    OPEN_TO = "SELECT id FROM invitations WHERE realm_id = ?1 AND email_key = ?2 AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > ?3 LIMIT 1";
    USER_AT = "SELECT id FROM (SELECT id FROM users WHERE realm_id = ?1 AND username_key = ?2 UNION ALL SELECT id FROM users WHERE num IN (SELECT num FROM user_index WHERE realm_num = (SELECT num FROM realms WHERE id = ?1) AND email_key = ?2 LIMIT 1)) u LIMIT 1";
}

/// After every id.
const END: &str = "g";

fn read_invitation(row: &Row<'_>) -> Result<Invitation> {
    Ok(Invitation {
        id: row.parse("id")?,
        realm_id: row.parse("realm_id")?,
        email: row.text("email")?,
        given_name: row.opt_text("given_name")?,
        family_name: row.opt_text("family_name")?,
        locale: row.opt_text("locale")?,
        role_ids: row.json("role_ids")?,
        group_ids: row.json("group_ids")?,
        organization_ids: row.json("organization_ids")?,
        invited_by: row.opt_text("invited_by")?,
        created_at: row.time("created_at")?,
        sent_at: row.time("sent_at")?,
        sent_count: u32::try_from(row.i64("sent_count")?).unwrap_or(u32::MAX),
        expires_at: row.time("expires_at")?,
        accepted_at: row.opt_time("accepted_at")?,
        accepted_user_id: row.opt_parse("accepted_user_id")?,
        revoked_at: row.opt_time("revoked_at")?,
        version: row.i64("version")?,
    })
}

/// Stores a new invitation by the hash of its link's secret.
///
/// # Errors
/// When the database fails.
pub fn insert(tx: &mut WriteTx<'_>, invitation: &Invitation, secret_hash: &str) -> Result<()> {
    tx.execute(
        &INSERT,
        params![
            invitation.id,
            invitation.realm_id,
            &invitation.email,
            fold(&invitation.email),
            &invitation.given_name,
            &invitation.family_name,
            &invitation.locale,
            to_json(&invitation.role_ids)?,
            to_json(&invitation.group_ids)?,
            to_json(&invitation.organization_ids)?,
            secret_hash,
            &invitation.invited_by,
            invitation.created_at,
            invitation.sent_at,
            invitation.sent_count,
            invitation.expires_at,
            invitation.version,
        ],
    )
    .map(drop)
}

/// The invitation of this id in this realm.
///
/// # Errors
/// When the database fails.
pub fn find(tx: &mut ReadTx<'_>, realm: RealmId, id: InvitationId) -> Result<Option<Invitation>> {
    tx.find(&FIND, params![realm, id], read_invitation)
}

/// The invitation whose link has a secret of this hash, whatever its state.
///
/// # Errors
/// When the database fails.
pub fn find_by_secret(tx: &mut ReadTx<'_>, realm: RealmId, secret_hash: &str) -> Result<Option<Invitation>> {
    tx.find(&FIND_BY_SECRET, params![secret_hash, realm], read_invitation)
}

/// Invitations made before the one of this id, newest first; only those in a state, if one is given.
///
/// # Errors
/// When the database fails.
pub fn list(
    tx: &mut ReadTx<'_>,
    realm: RealmId,
    state: Option<InvitationState>,
    before: Option<InvitationId>,
    limit: u32,
    now: Timestamp,
) -> Result<Vec<Invitation>> {
    let before = before.map_or_else(|| END.to_owned(), |id| id.to_string());
    let timed = |tx: &mut ReadTx<'_>, sql: &Sql| tx.list(sql, params![realm, &before, limit, now], read_invitation);
    let plain = |tx: &mut ReadTx<'_>, sql: &Sql| tx.list(sql, params![realm, &before, limit], read_invitation);
    match state {
        None => plain(tx, &LIST),
        Some(InvitationState::Pending) => timed(tx, &LIST_PENDING),
        Some(InvitationState::Expired) => timed(tx, &LIST_EXPIRED),
        Some(InvitationState::Accepted) => plain(tx, &LIST_ACCEPTED),
        Some(InvitationState::Revoked) => plain(tx, &LIST_REVOKED),
    }
}

/// Notes that an open invitation of this version was sent again, with another secret. Answers whether it was noted.
///
/// # Errors
/// When the database fails.
pub fn mark_resent(
    tx: &mut WriteTx<'_>,
    invitation: &Invitation,
    secret_hash: &str,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<bool> {
    let Invitation { realm_id, id, version, .. } = *invitation;
    Ok(tx.execute(&RESENT, params![realm_id, id, version, secret_hash, now, expires_at])? == 1)
}

/// Withdraws an open invitation. Answers whether it was one.
///
/// # Errors
/// When the database fails.
pub fn revoke(tx: &mut WriteTx<'_>, realm: RealmId, id: InvitationId, now: Timestamp) -> Result<bool> {
    Ok(tx.execute(&REVOKE, params![realm, id, now])? == 1)
}

/// Takes the invitation whose link has a secret of this hash, if it can still be accepted.
///
/// # Errors
/// When the database fails.
pub fn accept(tx: &mut WriteTx<'_>, realm: RealmId, secret_hash: &str, now: Timestamp) -> Result<Option<Invitation>> {
    tx.find(&ACCEPT, params![secret_hash, realm, now], read_invitation)
}

/// Notes which user came of an invitation.
///
/// # Errors
/// When the database fails.
pub fn note_user(tx: &mut WriteTx<'_>, id: InvitationId, user: UserId) -> Result<()> {
    tx.execute(&ACCEPTED_BY, params![id, user]).map(drop)
}

/// Whether somebody at this address has an invitation that can be accepted.
///
/// # Errors
/// When the database fails.
pub fn is_open_to(tx: &mut ReadTx<'_>, realm: RealmId, email: &str, now: Timestamp) -> Result<bool> {
    Ok(tx.find(&OPEN_TO, params![realm, fold(email), now], |_| Ok(()))?.is_some())
}

/// A user with this address as username or email, if there is one.
///
/// # Errors
/// When the database fails.
pub fn find_user_at(tx: &mut ReadTx<'_>, realm: RealmId, email: &str) -> Result<Option<UserId>> {
    tx.find(&USER_AT, params![realm, fold(email)], |row| row.parse("id"))
}
