//! Authenticators: a row of its kind for each. What comes with an address has a row once there is something to keep.

use denizen_model::{
    AuthenticatorId, RealmId, Timestamp, UserId,
    authenticators::{Authenticator, AuthenticatorType},
    sessions::Session,
};

use crate::{
    error::Result,
    password_history,
    sql::{Rows, statements},
    tx::{ReadTx, WriteTx},
    users::reindex,
    value::{Row, params},
};

macro_rules! columns {
    () => {
        "id, user_id, kind, label, temporary, registered_at, last_used_at, last_client_id, last_device, last_ip, \
         last_place, locked_at, deactivated_at, deactivated_until"
    };
}

statements! {
    LIST = concat!("SELECT ", columns!(), " FROM authenticators WHERE realm_id = ?1 AND user_id = ?2 ORDER BY id");
    FIND_PASSWORD = "SELECT id, secret, temporary FROM authenticators WHERE user_id = ?1 AND kind = 'password'";
    PUT_PASSWORD = "INSERT INTO authenticators (id, realm_id, user_id, kind, secret, temporary, registered_at) VALUES (?1, ?2, ?3, 'password', ?4, ?5, ?6) ON CONFLICT (user_id) WHERE kind = 'password' DO UPDATE SET id = excluded.id, secret = excluded.secret, temporary = excluded.temporary, registered_at = excluded.registered_at, last_used_at = NULL, last_client_id = NULL, last_device = NULL, last_ip = NULL, last_place = NULL, locked_at = NULL, deactivated_at = NULL, deactivated_until = NULL";
    UPGRADE = "UPDATE authenticators SET secret = ?3 WHERE id = ?1 AND secret = ?2";
    CLEAR_PASSWORD = "DELETE FROM authenticators WHERE realm_id = ?1 AND user_id = ?2 AND kind = 'password'";
    USED = "UPDATE authenticators SET last_used_at = ?2, last_client_id = ?3, last_device = ?4, last_ip = ?5, last_place = ?6 WHERE id = ?1";
    PUT = "INSERT INTO authenticators (id, realm_id, user_id, kind, label, credential_id, secret, temporary, registered_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (id) DO NOTHING";
    SECRETS = concat!("SELECT ", columns!(), ", secret, counter FROM authenticators WHERE user_id = ?1 AND kind = ?2 ORDER BY id");
    FIND_CREDENTIAL = concat!("SELECT ", columns!(), ", secret, counter FROM authenticators WHERE realm_id = ?1 AND credential_id = ?2");
    SET_SECRET = "UPDATE authenticators SET secret = ?3 WHERE id = ?1 AND secret = ?2";
    TAKE_STEP = "UPDATE authenticators SET counter = ?2 WHERE id = ?1 AND counter < ?2";
    SET_LABEL = "UPDATE authenticators SET label = ?3 WHERE user_id = ?1 AND id = ?2";
    SET_STATE = "UPDATE authenticators SET locked_at = ?3, deactivated_at = ?4, deactivated_until = ?5 WHERE user_id = ?1 AND id = ?2";
    DELETE = "DELETE FROM authenticators WHERE realm_id = ?1 AND user_id = ?2 AND id = ?3";
    DELETE_KIND = "DELETE FROM authenticators WHERE realm_id = ?1 AND user_id = ?2 AND kind = ?3 RETURNING id";
}

/// The columns of a new password.
pub(crate) const PASSWORDS: Rows =
    Rows { table: "authenticators", columns: "id, realm_id, user_id, kind, secret, temporary, registered_at" };

/// A user's password, as sign-in needs it.
#[derive(Clone)]
pub struct StoredPassword {
    /// The authenticator; a new one with each password that is set.
    pub id: AuthenticatorId,
    /// PHC string.
    pub phc: String,
    /// Issued by an administrator.
    pub temporary: bool,
}

/// All authenticators of a user.
///
/// # Errors
/// When the database fails.
pub fn list(tx: &mut ReadTx<'_>, realm: RealmId, user: UserId) -> Result<Vec<Authenticator>> {
    tx.list(&LIST, params![realm, user], read_authenticator)
}

fn read_authenticator(row: &Row<'_>) -> Result<Authenticator> {
    Ok(Authenticator {
        id: row.parse("id")?,
        user_id: row.parse("user_id")?,
        kind: row.named("kind", AuthenticatorType::from_name)?,
        label: row.text("label")?,
        temporary: row.bool("temporary")?,
        registered_at: row.time("registered_at")?,
        last_used_at: row.opt_time("last_used_at")?,
        last_client_id: row.opt_text("last_client_id")?,
        last_device: row.opt_text("last_device")?,
        last_ip: row.opt_text("last_ip")?,
        last_place: row.opt_text("last_place")?,
        locked_at: row.opt_time("locked_at")?,
        deactivated_at: row.opt_time("deactivated_at")?,
        deactivated_until: row.opt_time("deactivated_until")?,
    })
}

/// An authenticator with what it keeps.
#[derive(Debug, Clone)]
pub struct Stored {
    /// What agents see of it.
    pub authenticator: Authenticator,
    /// What it keeps, in the form of its kind.
    pub secret: String,
    /// Of an authenticator app: the time step of the last code that was taken.
    pub counter: i64,
}

fn read_stored(row: &Row<'_>) -> Result<Stored> {
    Ok(Stored { authenticator: read_authenticator(row)?, secret: row.text("secret")?, counter: row.i64("counter")? })
}

/// A user's authenticators of a kind, with what they keep.
///
/// # Errors
/// When the database fails.
pub fn list_stored(tx: &mut ReadTx<'_>, user: UserId, kind: AuthenticatorType) -> Result<Vec<Stored>> {
    tx.list(&SECRETS, params![user, kind.as_str()], read_stored)
}

/// The passkey of this credential id (base64url).
///
/// # Errors
/// When the database fails.
pub fn find_by_credential(tx: &mut ReadTx<'_>, realm: RealmId, credential: &str) -> Result<Option<Stored>> {
    tx.find(&FIND_CREDENTIAL, params![realm, credential], read_stored)
}

/// Stores an authenticator, unless there is one of this id. What else of it is set, [`set_state`] sets.
///
/// # Errors
/// Constraint `authenticators_credential` when a passkey is another user's.
pub fn put(
    tx: &mut WriteTx<'_>,
    realm: RealmId,
    new: &Authenticator,
    credential: Option<&str>,
    secret: &str,
) -> Result<()> {
    let Authenticator { id, user_id, kind, label, temporary, registered_at, .. } = new;
    let values = params![*id, realm, *user_id, kind.as_str(), label, credential, secret, *temporary, *registered_at];
    tx.execute(&PUT, values)?;
    reindex(tx, realm, *user_id)
}

/// Replaces what an authenticator keeps, unless it was replaced in the meantime. Answers whether it was.
///
/// # Errors
/// When the database fails.
pub fn set_secret(tx: &mut WriteTx<'_>, id: AuthenticatorId, before: &str, secret: &str) -> Result<bool> {
    Ok(tx.execute(&SET_SECRET, params![id, before, secret])? == 1)
}

/// Takes the code of a time step, once. Answers whether it, and none after it, was taken before.
///
/// # Errors
/// When the database fails.
pub fn take_step(tx: &mut WriteTx<'_>, id: AuthenticatorId, step: i64) -> Result<bool> {
    Ok(tx.execute(&TAKE_STEP, params![id, step])? == 1)
}

/// Gives it another name. Answers whether there is one.
///
/// # Errors
/// When the database fails.
pub fn set_label(tx: &mut WriteTx<'_>, user: UserId, id: AuthenticatorId, label: &str) -> Result<bool> {
    Ok(tx.execute(&SET_LABEL, params![user, id, label])? == 1)
}

/// Stores whether it is locked and switched off.
///
/// # Errors
/// When the database fails.
pub fn set_state(tx: &mut WriteTx<'_>, realm: RealmId, new: &Authenticator) -> Result<bool> {
    let Authenticator { id, user_id, locked_at, deactivated_at, deactivated_until, .. } = new;
    let changed = tx.execute(&SET_STATE, params![*user_id, *id, *locked_at, *deactivated_at, *deactivated_until])? == 1;
    reindex(tx, realm, *user_id)?;
    Ok(changed)
}

/// Removes an authenticator. Answers whether there was one.
///
/// # Errors
/// When the database fails.
pub fn delete(tx: &mut WriteTx<'_>, realm: RealmId, user: UserId, id: AuthenticatorId) -> Result<bool> {
    let deleted = tx.execute(&DELETE, params![realm, user, id])? == 1;
    reindex(tx, realm, user)?;
    Ok(deleted)
}

/// Removes all of a kind; answers which.
///
/// # Errors
/// When the database fails.
pub fn delete_kind(
    tx: &mut WriteTx<'_>,
    realm: RealmId,
    user: UserId,
    kind: AuthenticatorType,
) -> Result<Vec<AuthenticatorId>> {
    let deleted = tx.list(&DELETE_KIND, params![realm, user, kind.as_str()], |row| row.parse("id"))?;
    reindex(tx, realm, user)?;
    Ok(deleted)
}

/// The user's password, if one is set.
///
/// # Errors
/// When the database fails.
pub fn find_password(tx: &mut ReadTx<'_>, user: UserId) -> Result<Option<StoredPassword>> {
    tx.find(&FIND_PASSWORD, params![user], |row| {
        Ok(StoredPassword { id: row.parse("id")?, phc: row.text("secret")?, temporary: row.bool("temporary")? })
    })
}

/// Sets or replaces the user's password; the one before is kept in its history.
///
/// # Errors
/// When the database fails.
pub fn put_password(
    tx: &mut WriteTx<'_>,
    realm: RealmId,
    user: UserId,
    password: &StoredPassword,
    now: Timestamp,
) -> Result<()> {
    password_history::keep(tx, realm, user, now)?;
    tx.execute(&PUT_PASSWORD, params![password.id, realm, user, &password.phc, password.temporary, now])?;
    reindex(tx, realm, user)
}

/// Gives passwords to users who have none.
///
/// # Errors
/// Constraint `authenticators_password` when one has.
pub fn insert_many(
    tx: &mut WriteTx<'_>,
    realm: RealmId,
    passwords: &[(UserId, StoredPassword)],
    now: Timestamp,
) -> Result<()> {
    let rows = passwords.iter().map(|(user, password)| {
        Ok(params![password.id, realm, *user, "password", &password.phc, password.temporary, now].to_vec())
    });
    tx.insert_rows(&PASSWORDS, rows)
}

/// Replaces a password's hash by one of the same password with present parameters, unless it was changed since.
///
/// # Errors
/// When the database fails.
pub fn upgrade_password(tx: &mut WriteTx<'_>, before: &StoredPassword, phc: &str) -> Result<()> {
    tx.execute(&UPGRADE, params![before.id, &before.phc, phc]).map(drop)
}

/// Removes the user's password, which is kept in its history. Answers whether there was one.
///
/// # Errors
/// When the database fails.
pub fn clear_password(tx: &mut WriteTx<'_>, realm: RealmId, user: UserId, now: Timestamp) -> Result<bool> {
    password_history::keep(tx, realm, user, now)?;
    let cleared = tx.execute(&CLEAR_PASSWORD, params![realm, user])? == 1;
    reindex(tx, realm, user)?;
    Ok(cleared)
}

/// Notes a successful use, through this client and in this session.
///
/// # Errors
/// When the database fails.
pub fn note_used(
    tx: &mut WriteTx<'_>,
    id: AuthenticatorId,
    now: Timestamp,
    client: Option<&str>,
    session: &Session,
) -> Result<()> {
    tx.execute(&USED, params![id, now, client, &session.device, &session.ip, &session.place]).map(drop)
}
