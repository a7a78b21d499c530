//! Authenticators: today the password; each further kind is a row of its own kind here.

use denizen_model::{
    AuthenticatorId, RealmId, Timestamp, UserId,
    authenticators::{Authenticator, AuthenticatorType},
};

use crate::{
    error::Result,
    password_history,
    sql::{Rows, statements},
    tx::{ReadTx, WriteTx},
    users::reindex,
    value::{Row, params},
};

statements! {
    LIST = "SELECT id, user_id, kind, temporary, registered_at, last_used_at, last_client_id, last_device, last_ip FROM authenticators WHERE realm_id = ?1 AND user_id = ?2 ORDER BY id";
    FIND_PASSWORD = "SELECT id, secret, temporary FROM authenticators WHERE user_id = ?1 AND kind = 'password'";
    PUT_PASSWORD = "INSERT INTO authenticators (id, realm_id, user_id, kind, secret, temporary, registered_at) VALUES (?1, ?2, ?3, 'password', ?4, ?5, ?6) ON CONFLICT (user_id) WHERE kind = 'password' DO UPDATE SET id = excluded.id, secret = excluded.secret, temporary = excluded.temporary, registered_at = excluded.registered_at, last_used_at = NULL, last_client_id = NULL, last_device = NULL, last_ip = NULL";
    UPGRADE = "UPDATE authenticators SET secret = ?3 WHERE id = ?1 AND secret = ?2";
    CLEAR_PASSWORD = "DELETE FROM authenticators WHERE realm_id = ?1 AND user_id = ?2 AND kind = 'password'";
    USED = "UPDATE authenticators SET last_used_at = ?2, last_client_id = ?3, last_device = ?4, last_ip = ?5 WHERE id = ?1";
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
    tx.list(&LIST, params![realm, user], |row: &Row<'_>| {
        Ok(Authenticator {
            id: row.parse("id")?,
            user_id: row.parse("user_id")?,
            kind: row.named("kind", AuthenticatorType::from_name)?,
            temporary: row.bool("temporary")?,
            registered_at: row.time("registered_at")?,
            last_used_at: row.opt_time("last_used_at")?,
            last_client_id: row.opt_text("last_client_id")?,
            last_device: row.opt_text("last_device")?,
            last_ip: row.opt_text("last_ip")?,
        })
    })
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

/// Notes a successful use.
///
/// # Errors
/// When the database fails.
pub fn note_used(
    tx: &mut WriteTx<'_>,
    id: AuthenticatorId,
    now: Timestamp,
    client: Option<&str>,
    device: &str,
    ip: Option<&str>,
) -> Result<()> {
    tx.execute(&USED, params![id, now, client, device, ip]).map(drop)
}
