//! A user's authenticators as agents look after them: the password panel (PRODUCT §7).

use denizen_model::{
    UserId,
    authenticators::{Authenticator, AuthenticatorType, Lockout},
    events::{EventType, NewEvent},
    permissions::markers::{CredentialsReset, CredentialsSet, UsersRead},
    realms::RealmSettings,
    reset_requests::ResetKind,
    users::{NewPassword, User, UserKind},
    validation::FieldErrors,
};
use denizen_store::{self as store, Events, ReadTx, WriteTx, authenticators::StoredPassword, lockouts::Subject};

use crate::{
    App, Cx, Error, May, Result, admins,
    crypto::{Rng, Secret},
    cx::Detail,
    flows::reset::close_in,
    passwords::{self, BreachCheck},
    users::{get_in, prepare_password},
};

pub mod passkeys;
pub(crate) mod recovery_codes;
pub mod state;
pub(crate) mod totp;

/// A user's authenticators with how they are counted against.
#[derive(Debug, Clone)]
pub struct Listed {
    /// All of them, those too that come with an address and were never used.
    pub authenticators: Vec<Authenticator>,
    /// Failures and locks.
    pub lockouts: Vec<Lockout>,
    /// How many recovery codes are left, where there is a set.
    pub recovery_codes_left: Option<usize>,
}

/// All authenticators of a user.
///
/// # Errors
/// When there is no such user.
pub async fn list(app: &App, _cx: &Cx, may: May<UsersRead>, user: UserId) -> Result<Listed> {
    let realm = app.realm_of(may.realm()).await?;
    app.db()
        .read(move |tx| {
            let user = get_in(tx, realm.realm.id, user)?;
            list_in(tx, &realm.realm.settings, &user)
        })
        .await
}

/// [`list`] inside a transaction.
pub(crate) fn list_in(tx: &mut ReadTx<'_>, settings: &RealmSettings, user: &User) -> Result<Listed> {
    let rows = store::authenticators::list(tx, user.realm_id, user.id)?;
    let codes = store::authenticators::list_stored(tx, user.id, AuthenticatorType::RecoveryCodes)?;
    Ok(Listed {
        authenticators: with_addresses(rows, user, settings),
        lockouts: store::lockouts::list(tx, user.realm_id, &Subject::User(user.id))?,
        recovery_codes_left: codes.first().map(recovery_codes::left).transpose()?,
    })
}

/// Rows with those that come with an address: of an address that the user has, where the realm has a use for it.
pub(crate) fn with_addresses(rows: Vec<Authenticator>, user: &User, settings: &RealmSettings) -> Vec<Authenticator> {
    let (of_address, mut all): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.kind.comes_with_address());
    for (kind, address) in user.of_addresses().filter(|(kind, _)| settings.uses(*kind)) {
        let fresh = Authenticator::of_address(user.id, kind, address, user.created_at);
        let kept = of_address.iter().find(|row| row.id == fresh.id).cloned();
        all.push(kept.map_or(fresh, |row| Authenticator { label: address.to_owned(), ..row }));
    }
    all.sort_by_key(|one| AuthenticatorType::ALL.iter().position(|kind| *kind == one.kind));
    all
}

/// A secret that people read and type: 16 letters and digits in groups, without those that look alike; 79 bits.
pub(crate) fn readable_secret(rng: &Rng) -> Secret {
    // 31 characters; a byte above the largest multiple of 31 is drawn again, so that each is equally likely.
    const ALPHABET: &[u8; 31] = b"abcdefghjkmnpqrstuvwxyz23456789";
    let mut out = String::with_capacity(19);
    while out.len() < 19 {
        if matches!(out.len(), 4 | 9 | 14) {
            out.push('-');
        }
        let [byte] = rng.bytes::<1>();
        if byte < 248
            && let Some(letter) = ALPHABET.get(usize::from(byte % 31))
        {
            out.push(char::from(*letter));
        }
    }
    Secret::new(out)
}

/// Sets a user's password. With `require_change` the user replaces it at the next sign-in. `end_sessions` ends
/// all sessions the user has.
///
/// # Errors
/// When the password is against the policy, or the user is a machine.
pub async fn set_password(
    app: &App,
    cx: &Cx,
    may: May<CredentialsSet>,
    user: UserId,
    password: String,
    require_change: bool,
    end_sessions: bool,
) -> Result<()> {
    let realm = crate::realms::get_in_scope(app, may.realm()).await?;
    let (id, asking) = (realm.id, cx.clone());
    // Whoever may not set it must not learn either whether it is the present one.
    let look = move |tx: &mut ReadTx<'_>| {
        let target = get_in(tx, id, user)?;
        admins::check_power_over(tx, &asking, &target)?;
        Ok::<_, Error>(target)
    };
    let target = app.db().peek(look).await?;
    check_human(&target)?;
    let mut errors = FieldErrors::new();
    let checked = passwords::check(app, &realm.settings, &target, &password, &mut errors).await?;
    errors.into_result()?;
    put(app, cx, &target, NewPassword::Set(password), require_change, end_sessions, checked).await.map(drop)
}

/// Makes a temporary password, shown this once; the user replaces it at the next sign-in.
///
/// # Errors
/// When the user is a machine.
pub async fn issue_temporary_password(app: &App, cx: &Cx, may: May<CredentialsSet>, user: UserId) -> Result<Secret> {
    let realm = may.realm();
    let target = app.db().peek(move |tx| get_in(tx, realm, user)).await?;
    let shown = put(app, cx, &target, NewPassword::Temporary, true, true, BreachCheck::Off).await?;
    shown.ok_or_else(|| Error::internal("a temporary password was not made"))
}

fn check_human(user: &User) -> Result<()> {
    match user.kind {
        UserKind::Machine => Err(Error::conflict("machine", "A machine has API keys, no password.")),
        UserKind::Human => Ok(()),
    }
}

async fn put(
    app: &App,
    cx: &Cx,
    target: &User,
    password: NewPassword,
    require_change: bool,
    end_sessions: bool,
    checked: BreachCheck,
) -> Result<Option<Secret>> {
    check_human(target)?;
    let kind = match &password {
        NewPassword::Temporary => EventType::UserPasswordTemporaryIssued,
        NewPassword::Set(_) | NewPassword::None => EventType::UserPasswordChanged,
    };
    let prepared = prepare_password(app, cx.now, password).await?;
    let (stored, shown) = prepared.ok_or_else(|| Error::internal("no password to store"))?;
    let (app2, cx2, realm, id) = (app.clone(), cx.clone(), target.realm_id, target.id);
    app.write(cx, move |mut tx| {
        let user = get_in(&mut tx, realm, id)?;
        admins::check_power_over(&mut tx, &cx2, &user)?;
        store::authenticators::put_password(&mut tx, realm, id, &stored, cx2.now)?;
        close_in(&mut tx, id, ResetKind::Password)?;
        set_requires_reset(&mut tx, &cx2, &user, require_change)?;
        let ended = if end_sessions { store::sessions::revoke_all(&mut tx, realm, id, cx2.now)?.len() } else { 0 };
        let event = cx2
            .user_event(&app2, kind, &user)
            .detail("requires_change", require_change)
            .detail("sessions_ended", ended);
        Ok(tx.commit(Events::from(checked.told(event)), ())?)
    })
    .await?;
    Ok(shown)
}

/// A reset that is no longer required takes what is under way of it along.
pub(crate) fn set_requires_reset(tx: &mut WriteTx<'_>, cx: &Cx, before: &User, required: bool) -> Result<()> {
    if !required {
        close_in(tx, before.id, ResetKind::Password)?;
    }
    if before.requires_password_reset == required {
        return Ok(());
    }
    let user = User { requires_password_reset: required, updated_at: cx.now, ..before.clone() };
    if store::users::update(tx, before, &user)? { Ok(()) } else { Err(Error::changed()) }
}

/// Removes a user's password: only other ways to sign in are left.
///
/// # Errors
/// When there is none.
pub async fn clear_password(app: &App, cx: &Cx, may: May<CredentialsSet>, user: UserId) -> Result<()> {
    change(app, cx, may.realm(), user, |tx, cx, user| {
        if !store::authenticators::clear_password(tx, user.realm_id, user.id, cx.now)? {
            return Err(Error::conflict("no-password", "This user has no password."));
        }
        set_requires_reset(tx, cx, user, false)?;
        Ok(EventType::UserPasswordCleared)
    })
    .await
}

/// Requires, or no longer requires, a new password at the next sign-in.
///
/// # Errors
/// When it is so already.
pub async fn require_password_reset(
    app: &App,
    cx: &Cx,
    may: May<CredentialsReset>,
    user: UserId,
    required: bool,
) -> Result<()> {
    change(app, cx, may.realm(), user, move |tx, cx, user| require_reset(tx, cx, user, required)).await
}

/// [`require_password_reset`] inside a transaction; answers the event that is to be recorded.
pub(crate) fn require_reset_in(
    tx: &mut WriteTx<'_>,
    app: &App,
    cx: &Cx,
    user: &User,
    required: bool,
) -> Result<NewEvent> {
    admins::check_power_over(tx, cx, user)?;
    let kind = require_reset(tx, cx, user, required)?;
    Ok(cx.user_event(app, kind, user))
}

fn require_reset(tx: &mut WriteTx<'_>, cx: &Cx, user: &User, required: bool) -> Result<EventType> {
    check_human(user)?;
    if user.requires_password_reset == required {
        return Err(Error::conflict(
            "unchanged",
            if required { "A reset is required already." } else { "No reset is required." },
        ));
    }
    set_requires_reset(tx, cx, user, required)?;
    Ok(if required { EventType::UserPasswordResetRequested } else { EventType::UserPasswordResetCancelled })
}

async fn change<F>(app: &App, cx: &Cx, realm: denizen_model::RealmId, user: UserId, edit: F) -> Result<()>
where
    F: Fn(&mut WriteTx<'_>, &Cx, &User) -> Result<EventType> + Send + 'static,
{
    let (app2, cx2) = (app.clone(), cx.clone());
    app.write(cx, move |mut tx| {
        let user = get_in(&mut tx, realm, user)?;
        admins::check_power_over(&mut tx, &cx2, &user)?;
        let kind = edit(&mut tx, &cx2, &user)?;
        let event: NewEvent = cx2.user_event(&app2, kind, &user);
        Ok(tx.commit(Events::from(event), ())?)
    })
    .await
}

/// Replaces the hash of a password that was just verified by one with present parameters.
pub(crate) async fn upgrade_hash(app: &App, before: StoredPassword, password: Secret) -> Result<()> {
    let phc = app.hasher().hash(password, app.hasher().params()).await?;
    app.db()
        .write(move |mut tx| {
            store::authenticators::upgrade_password(&mut tx, &before, &phc)?;
            Ok(tx.unaudited("the same password under stronger parameters", ())?)
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporary_passwords_are_four_groups_of_four() {
        let text = readable_secret(&Rng::seeded(1));
        let groups: Vec<&str> = text.expose().split('-').collect();
        assert_eq!(groups.len(), 4);
        assert!(groups.iter().all(|group| group.len() == 4), "{groups:?}");
    }
}
