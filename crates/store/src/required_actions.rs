//! What users must do before they reach their destination. A new password is a flag in the record itself.

use denizen_model::{
    RealmId, Timestamp, UserId,
    authenticators::RequiredAction,
    users::{User, VerificationState},
};

use crate::{
    error::Result,
    sql::statements,
    tx::{ReadTx, WriteTx},
    users::reindex,
    value::params,
};

statements! {
    LIST = "SELECT action, requested_at FROM required_actions WHERE realm_id = ?1 AND user_id = ?2 ORDER BY action";
    ADD = "INSERT INTO required_actions (realm_id, user_id, action, requested_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
    REMOVE = "DELETE FROM required_actions WHERE realm_id = ?1 AND user_id = ?2 AND action = ?3";
}

/// What waits for a user, in the order in which it is asked for, with the time since when.
///
/// # Errors
/// When the database fails.
pub fn list(tx: &mut ReadTx<'_>, realm: RealmId, user: UserId) -> Result<Vec<(RequiredAction, Timestamp)>> {
    let mut waiting = tx.list(&LIST, params![realm, user], |row| {
        Ok((row.named("action", RequiredAction::from_name)?, row.time("requested_at")?))
    })?;
    waiting.sort_by_key(|(action, _)| RequiredAction::ALL.iter().position(|one| one == action));
    Ok(waiting)
}

/// Asks for something. Answers whether it was not asked for already.
///
/// # Errors
/// When the database fails.
pub fn add(tx: &mut WriteTx<'_>, realm: RealmId, user: UserId, action: RequiredAction, now: Timestamp) -> Result<bool> {
    let added = tx.execute(&ADD, params![realm, user, action.as_str(), now])? == 1;
    if added {
        reindex(tx, realm, user)?;
    }
    Ok(added)
}

/// Asks no more that an address is confirmed that has just been, in whatever way. The caller indexes the user.
pub(crate) fn note_verified(tx: &mut WriteTx<'_>, before: &User, user: &User) -> Result<()> {
    let verified = VerificationState::Verified;
    let states = [
        (RequiredAction::VerifyEmail, before.email_state, user.email_state),
        (RequiredAction::VerifyPhone, before.phone_state, user.phone_state),
    ];
    for (action, _, _) in states.into_iter().filter(|(_, before, after)| before != after && *after == verified) {
        tx.execute(&REMOVE, params![user.realm_id, user.id, action.as_str()])?;
    }
    Ok(())
}

/// Asks for it no more. Answers whether it was asked for.
///
/// # Errors
/// When the database fails.
pub fn remove(tx: &mut WriteTx<'_>, realm: RealmId, user: UserId, action: RequiredAction) -> Result<bool> {
    let removed = tx.execute(&REMOVE, params![realm, user, action.as_str()])? == 1;
    if removed {
        reindex(tx, realm, user)?;
    }
    Ok(removed)
}
