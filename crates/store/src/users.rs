//! Users: records, look-ups, counts. Lists are in [`list`], what they go by in [`index`].

mod batch;
mod import;
pub mod index;
mod insert_many;
mod list;
pub mod names;

use denizen_model::{
    RealmId, Timestamp, UserId,
    authenticators::LockoutKind,
    pages::Total,
    permissions::AdminRole,
    text::fold,
    users::{User, UserKind, VerificationState},
};

#[cfg(test)]
pub(crate) use batch::STATEMENTS as BATCH_STATEMENTS;
pub use batch::{Place, list_places};
#[cfg(test)]
pub(crate) use import::STATEMENTS as IMPORT_STATEMENTS;
pub use import::{Tie, assign_role, list_by_usernames, list_having_password, list_named, refresh_statistics};
pub use index::{IndexContext, reindex, reindex_in};
#[cfg(test)]
pub(crate) use insert_many::{STATEMENTS as INSERT_MANY_STATEMENTS, dump_index};
pub use insert_many::{index_many, insert_many};
pub use list::{UserPage, list, list_both_ways};
#[cfg(test)]
pub(crate) use list::{all_texts, statements as list_statements};

use crate::{
    duplicates,
    error::Result,
    required_actions,
    sql::statements,
    tx::{ReadTx, WriteTx},
    value::{Row, Value, params, to_json},
};

macro_rules! columns {
    () => {
        "id, realm_id, kind, username, email, email_state, phone, phone_state, given_name, family_name, name, \
         locale, zoneinfo, reference, attributes, enabled, disabled_at, disabled_reason, requires_password_reset, \
         admin_rank, created_at, updated_at, last_sign_in_at, failed_password_attempts, failed_otp_attempts, version"
    };
}
pub(crate) use columns;

/// The columns of a new row; [`insert_values`] has the values in this order.
macro_rules! insert_columns {
    () => {
        "id, realm_id, kind, username, username_key, email, email_state, phone, phone_state, given_name, \
         family_name, name, locale, zoneinfo, reference, attributes, enabled, disabled_at, disabled_reason, \
         requires_password_reset, admin_rank, created_at, updated_at, last_sign_in_at, failed_password_attempts, \
         failed_otp_attempts, version"
    };
}
use insert_columns;

statements! {
    INSERT = concat!("INSERT INTO users (", insert_columns!(), ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27)");
    UPDATE = "UPDATE users SET username = ?4, username_key = ?5, email = ?6, email_state = ?7, phone = ?8, phone_state = ?9, given_name = ?10, family_name = ?11, name = ?12, locale = ?13, zoneinfo = ?14, reference = ?15, attributes = ?16, enabled = ?17, disabled_at = ?18, disabled_reason = ?19, requires_password_reset = ?20, updated_at = ?21, version = version + 1 WHERE realm_id = ?1 AND id = ?2 AND version = ?3";
    FIND = concat!("SELECT ", columns!(), " FROM users WHERE realm_id = ?1 AND id = ?2");
    FIND_ANYWHERE = concat!("SELECT ", columns!(), " FROM users WHERE id = ?1");
    FIND_BY_USERNAME = concat!("SELECT ", columns!(), " FROM users WHERE realm_id = ?1 AND username_key = ?2");
    ADDRESS_OF_ANOTHER = "SELECT id FROM (SELECT id FROM users WHERE realm_id = ?1 AND username_key = ?2 UNION ALL SELECT id FROM users WHERE num IN (SELECT num FROM user_index WHERE realm_num = (SELECT num FROM realms WHERE id = ?1) AND email_key = ?2 LIMIT 2)) u WHERE id <> ?3 LIMIT 1";
    LIST_BY_EMAIL = concat!("SELECT ", columns!(), " FROM users WHERE num IN (SELECT num FROM user_index WHERE realm_num = (SELECT num FROM realms WHERE id = ?1) AND email_key = ?2 LIMIT 2)");
    LOCK = "SELECT id FROM users WHERE id = ?1", postgres: "SELECT id FROM users WHERE id = ?1 FOR UPDATE";
    DELETE = "DELETE FROM users WHERE realm_id = ?1 AND id = ?2";
    COUNT = "INSERT INTO user_counts (realm_id, shard, kind, enabled, total) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (realm_id, shard, kind, enabled) DO UPDATE SET total = user_counts.total + excluded.total";
    COUNTS = "SELECT kind, enabled, CAST(sum(total) AS BIGINT) AS total FROM user_counts WHERE realm_id = ?1 GROUP BY kind, enabled";
    SIGNED_IN = "UPDATE users SET last_sign_in_at = ?3, failed_password_attempts = 0, failed_otp_attempts = 0 WHERE realm_id = ?1 AND id = ?2";
    FAILED_PASSWORD = "UPDATE users SET failed_password_attempts = failed_password_attempts + 1 WHERE realm_id = ?1 AND id = ?2";
    FAILED_OTP = "UPDATE users SET failed_otp_attempts = failed_otp_attempts + 1 WHERE realm_id = ?1 AND id = ?2";
    FORGET_PASSWORD_FAILURES = "UPDATE users SET failed_password_attempts = 0 WHERE realm_id = ?1 AND id = ?2";
    FORGET_OTP_FAILURES = "UPDATE users SET failed_otp_attempts = 0 WHERE realm_id = ?1 AND id = ?2";
    FORGET_FAILURES = "UPDATE users SET failed_password_attempts = 0, failed_otp_attempts = 0 WHERE realm_id = ?1 AND id = ?2";
    SET_ADMIN_RANK = "UPDATE users SET admin_rank = ?3, updated_at = ?4, version = version + 1 WHERE realm_id = ?1 AND id = ?2";
}

/// How an admin role is stored in the column that sorts administrators to the top; 0 is none.
#[must_use]
pub fn admin_rank(role: Option<AdminRole>) -> i64 {
    match role {
        None => 0,
        Some(AdminRole::Auditor) => 1,
        Some(AdminRole::Support) => 2,
        Some(AdminRole::Admin) => 3,
        Some(AdminRole::Owner) => 4,
    }
}

pub(crate) fn read_user(row: &Row<'_>) -> Result<User> {
    let id = row.parse("id")?;
    let realm_id = row.parse("realm_id")?;
    let kind = row.named("kind", UserKind::from_name)?;
    let username = row.text("username")?;
    let email = row.opt_text("email")?;
    let email_state = row.named("email_state", VerificationState::from_name)?;
    let phone = row.opt_text("phone")?;
    let phone_state = row.named("phone_state", VerificationState::from_name)?;
    let given_name = row.opt_text("given_name")?;
    let family_name = row.opt_text("family_name")?;
    let name = row.text("name")?;
    let locale = row.opt_text("locale")?;
    let zoneinfo = row.opt_text("zoneinfo")?;
    let reference = row.opt_text("reference")?;
    let attributes = row.json("attributes")?;
    let enabled = row.bool("enabled")?;
    let disabled_at = row.opt_time("disabled_at")?;
    let disabled_reason = row.opt_text("disabled_reason")?;
    let requires_password_reset = row.bool("requires_password_reset")?;
    let rank = row.i64("admin_rank")?;
    let created_at = row.time("created_at")?;
    let updated_at = row.time("updated_at")?;
    let last_sign_in = row.time("last_sign_in_at")?;
    Ok(User {
        id,
        realm_id,
        kind,
        username,
        email,
        email_state,
        phone,
        phone_state,
        given_name,
        family_name,
        name,
        locale,
        zoneinfo,
        reference,
        attributes,
        enabled,
        disabled_at,
        disabled_reason,
        requires_password_reset,
        admin_role: AdminRole::ALL.iter().copied().find(|role| admin_rank(Some(*role)) == rank),
        created_at,
        updated_at,
        // Zero is never: a column without NULL pages in one order on both engines.
        last_sign_in_at: (last_sign_in.as_micros() > 0).then_some(last_sign_in),
        failed_password_attempts: u32::try_from(row.i64("failed_password_attempts")?).unwrap_or(u32::MAX),
        failed_otp_attempts: u32::try_from(row.i64("failed_otp_attempts")?).unwrap_or(u32::MAX),
        version: row.i64("version")?,
    })
}

/// Stores a new user and counts them.
///
/// # Errors
/// Constraint `users_username_key` when the username is taken.
pub fn insert(tx: &mut WriteTx<'_>, user: &User) -> Result<()> {
    tx.execute(&INSERT, &insert_values(user)?)?;
    duplicates::insert(tx, user.realm_id, &[user])?;
    let context = IndexContext::load(tx, user.realm_id)?;
    index::put(tx, &context, user, &[])?;
    count(tx, user, 1)
}

/// The values of a new row, in the order of its columns.
fn insert_values(user: &User) -> Result<[Value<'_>; 27]> {
    let attributes = to_json(&user.attributes)?;
    Ok([
        Value::from(user.id),
        Value::from(user.realm_id),
        Value::from(user.kind.as_str()),
        Value::from(&user.username),
        Value::from(fold(&user.username)),
        Value::from(&user.email),
        Value::from(user.email_state.as_str()),
        Value::from(&user.phone),
        Value::from(user.phone_state.as_str()),
        Value::from(&user.given_name),
        Value::from(&user.family_name),
        Value::from(&user.name),
        Value::from(&user.locale),
        Value::from(&user.zoneinfo),
        Value::from(&user.reference),
        Value::from(attributes),
        Value::from(user.enabled),
        Value::from(user.disabled_at),
        Value::from(&user.disabled_reason),
        Value::from(user.requires_password_reset),
        Value::from(admin_rank(user.admin_role)),
        Value::from(user.created_at),
        Value::from(user.updated_at),
        Value::from(user.last_sign_in_at.map_or(0, Timestamp::as_micros)),
        Value::from(user.failed_password_attempts),
        Value::from(user.failed_otp_attempts),
        Value::from(user.version),
    ])
}

fn count(tx: &mut WriteTx<'_>, user: &User, by: i64) -> Result<()> {
    let shard = denizen_model::events::chain_of(&user.id.to_string());
    tx.execute(&COUNT, params![user.realm_id, shard, user.kind.as_str(), user.enabled, by]).map(drop)
}

/// Stores a changed record, if nobody changed it since `before` was read. Answers whether it was stored. What
/// Denizen itself keeps (admin role, attempts, last sign-in) is not touched.
///
/// # Errors
/// Constraint `users_username_key` when the new username is taken.
pub fn update(tx: &mut WriteTx<'_>, before: &User, user: &User) -> Result<bool> {
    let attributes = to_json(&user.attributes)?;
    let values: [Value<'_>; 21] = [
        user.realm_id.into(),
        user.id.into(),
        before.version.into(),
        (&user.username).into(),
        fold(&user.username).into(),
        (&user.email).into(),
        user.email_state.as_str().into(),
        (&user.phone).into(),
        user.phone_state.as_str().into(),
        (&user.given_name).into(),
        (&user.family_name).into(),
        (&user.name).into(),
        (&user.locale).into(),
        (&user.zoneinfo).into(),
        (&user.reference).into(),
        attributes.into(),
        user.enabled.into(),
        user.disabled_at.into(),
        (&user.disabled_reason).into(),
        user.requires_password_reset.into(),
        user.updated_at.into(),
    ];
    if tx.execute(&UPDATE, &values)? == 0 {
        return Ok(false);
    }
    duplicates::update(tx, before, user)?;
    required_actions::note_verified(tx, before, user)?;
    let context = IndexContext::load(tx, user.realm_id)?;
    let held = index::held(tx, user.realm_id, user.id)?;
    index::put(tx, &context, user, &held)?;
    if before.enabled != user.enabled {
        count(tx, before, -1)?;
        count(tx, user, 1)?;
    }
    Ok(true)
}

/// The user of this id in this realm.
///
/// # Errors
/// When the database fails.
pub fn find(tx: &mut ReadTx<'_>, realm: RealmId, id: UserId) -> Result<Option<User>> {
    tx.find(&FIND, params![realm, id], read_user)
}

/// The user of this id, for what already carries proof of the realm: a session, an API key.
///
/// # Errors
/// When the database fails.
pub fn find_anywhere(tx: &mut ReadTx<'_>, id: UserId) -> Result<Option<User>> {
    tx.find(&FIND_ANYWHERE, params![id], read_user)
}

/// Whom a person means who types this at the sign-in page: the user of that username, else the only one with
/// that email.
///
/// # Errors
/// When the database fails.
pub fn find_by_identifier(tx: &mut ReadTx<'_>, realm: RealmId, typed: &str) -> Result<Option<User>> {
    let key = fold(typed);
    if key.is_empty() {
        return Ok(None);
    }
    if let Some(user) = tx.find(&FIND_BY_USERNAME, params![realm, &key], read_user)? {
        return Ok(Some(user));
    }
    let mut users = tx.list(&LIST_BY_EMAIL, params![realm, &key], read_user)?;
    Ok(if users.len() == 1 { users.pop() } else { None })
}

/// Whether somebody else signs in with this address, or has it.
///
/// # Errors
/// When the database fails.
pub fn is_address_of_another(tx: &mut ReadTx<'_>, realm: RealmId, email: &str, user: UserId) -> Result<bool> {
    Ok(tx.find(&ADDRESS_OF_ANOTHER, params![realm, fold(email), user], |_| Ok(()))?.is_some())
}

/// Keeps others from changing a user, or what hangs on one, until this transaction ends.
pub(crate) fn lock(tx: &mut WriteTx<'_>, id: UserId) -> Result<()> {
    tx.list(&LOCK, params![id], |_| Ok(())).map(drop)
}

/// Removes a user with all that hangs on them. Answers whether there was one.
///
/// # Errors
/// When the database fails.
pub fn delete(tx: &mut WriteTx<'_>, user: &User) -> Result<bool> {
    duplicates::forget(tx, user)?;
    crate::members::leave_everything(tx, user.id)?;
    let deleted = tx.execute(&DELETE, params![user.realm_id, user.id])? == 1;
    if deleted {
        index::remove_words(tx, user)?;
        count(tx, user, -1)?;
    }
    Ok(deleted)
}

/// How many users there are of a kind and state; `None` counts all.
///
/// # Errors
/// When the database fails.
pub fn count_all(tx: &mut ReadTx<'_>, realm: RealmId, kind: Option<UserKind>, enabled: Option<bool>) -> Result<Total> {
    let counts = tx.list(&COUNTS, params![realm], |row| {
        Ok((row.named("kind", UserKind::from_name)?, row.bool("enabled")?, row.count("total")?))
    })?;
    let wanted =
        |(k, e, _): &&(UserKind, bool, u64)| kind.is_none_or(|kind| kind == *k) && enabled.is_none_or(|on| on == *e);
    Ok(Total::exact(counts.iter().filter(wanted).map(|(_, _, total)| total).sum()))
}

/// Notes a successful sign-in.
///
/// # Errors
/// When the database fails.
pub fn note_sign_in(tx: &mut WriteTx<'_>, realm: RealmId, id: UserId, now: Timestamp) -> Result<()> {
    tx.execute(&SIGNED_IN, params![realm, id, now])?;
    index::note_sign_in(tx, id, now)
}

/// Notes a wrong password, or a wrong code.
///
/// # Errors
/// When the database fails.
pub fn note_failure(tx: &mut WriteTx<'_>, realm: RealmId, id: UserId, kind: LockoutKind) -> Result<()> {
    let statement = match kind {
        LockoutKind::Password => &FAILED_PASSWORD,
        LockoutKind::Otp => &FAILED_OTP,
    };
    tx.execute(statement, params![realm, id]).map(drop)
}

/// Forgets the failures that were noted.
///
/// # Errors
/// When the database fails.
pub fn forget_failures(tx: &mut WriteTx<'_>, realm: RealmId, id: UserId) -> Result<()> {
    tx.execute(&FORGET_FAILURES, params![realm, id]).map(drop)
}

/// Forgets the failures of one kind that were noted.
///
/// # Errors
/// When the database fails.
pub fn forget_failures_of(tx: &mut WriteTx<'_>, realm: RealmId, id: UserId, kind: LockoutKind) -> Result<()> {
    let statement = match kind {
        LockoutKind::Password => &FORGET_PASSWORD_FAILURES,
        LockoutKind::Otp => &FORGET_OTP_FAILURES,
    };
    tx.execute(statement, params![realm, id]).map(drop)
}

/// Notes the highest admin role a user holds.
///
/// # Errors
/// When the database fails.
pub fn set_admin_role(
    tx: &mut WriteTx<'_>,
    realm: RealmId,
    id: UserId,
    role: Option<AdminRole>,
    now: Timestamp,
) -> Result<()> {
    tx.execute(&SET_ADMIN_RANK, params![realm, id, admin_rank(role), now])?;
    reindex(tx, realm, id)
}
