//! The hashes of passwords that users had before, as far back as their realm looks.

use denizen_model::{RealmId, Timestamp, UserId};

use crate::{
    error::Result,
    realms,
    sql::statements,
    tx::{ReadTx, WriteTx},
    users,
    value::params,
};

statements! {
    // A temporary one was never the user's own choice.
    KEEP = "INSERT INTO password_history (realm_id, user_id, position, secret, replaced_at) SELECT realm_id, user_id, (SELECT coalesce(max(position), 0) + 1 FROM password_history WHERE user_id = ?1), secret, CAST(?2 AS BIGINT) FROM authenticators WHERE user_id = ?1 AND kind = 'password' AND NOT temporary";
    TRIM = "DELETE FROM password_history WHERE user_id = ?1 AND position <= (SELECT max(position) FROM password_history WHERE user_id = ?1) - ?2";
    LIST = "SELECT secret FROM password_history WHERE user_id = ?1 ORDER BY position DESC LIMIT ?2";
}

/// Keeps the user's password, which is about to be replaced or removed, for as long as the realm's settings say.
pub(crate) fn keep(tx: &mut WriteTx<'_>, realm: RealmId, user: UserId, now: Timestamp) -> Result<()> {
    // Of two who replace it at once, the second keeps what the first has set.
    users::lock(tx, user)?;
    if tx.execute(&KEEP, params![user, now])? == 0 {
        return Ok(());
    }
    let kept = realms::find(tx, realm)?.map_or(0, |realm| realm.settings.password_history);
    tx.execute(&TRIM, params![user, i64::from(kept)]).map(drop)
}

/// The hashes of the passwords that a user had before the present one, the last first.
///
/// # Errors
/// When the database fails.
pub fn list(tx: &mut ReadTx<'_>, user: UserId, limit: u32) -> Result<Vec<String>> {
    tx.list(&LIST, params![user, i64::from(limit)], |row| row.text("secret"))
}
