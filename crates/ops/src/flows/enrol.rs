//! Making one's own account by a link that was mailed: what invitations and registrations have in common.

use denizen_model::{
    AuthenticatorId,
    events::{EventType, NewEvent},
    realms::Realm,
    users::{NewHuman, NewPassword, User},
    validation::FieldErrors,
};
use denizen_store::{self as store, WriteTx, authenticators::StoredPassword};

use crate::{
    Actor, App, Cx, Error, Result,
    cx::Detail,
    passwords::{self, BreachCheck},
    users::{human, prepare_password},
};

/// What the person at the page types.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    /// Given name.
    pub given_name: String,
    /// Family name.
    pub family_name: String,
    /// The password they choose.
    pub password: String,
}

/// Who came of it: what a sign-in begins with.
#[derive(Debug, Clone)]
pub struct Enrolled {
    /// The user.
    pub user: User,
    /// Their password.
    pub authenticator: AuthenticatorId,
}

/// A user that is ready to be stored.
pub(crate) struct Ready {
    pub(crate) user: User,
    password: StoredPassword,
    checked: BreachCheck,
}

impl Ready {
    /// Checks what was typed, and hashes the password. The link must have been looked at before, so that a stranger
    /// cannot buy work.
    pub(crate) async fn check(app: &App, cx: &Cx, realm: &Realm, new: NewHuman, password: String) -> Result<Self> {
        // What the realm requires besides is not asked here; it can be added later.
        let state = app.realm_of(realm.id).await?;
        let mut errors = FieldErrors::new();
        let user = human(app, cx, &state, NewHuman { email_verified: true, ..new }, &mut errors);
        let checked = passwords::check_first(app, &realm.settings, &user, &password, &mut errors).await?;
        errors.into_result()?;
        let prepared = prepare_password(app, cx.now, NewPassword::Set(password)).await?;
        let (password, _) = prepared.ok_or_else(|| Error::internal("no password to store"))?;
        Ok(Self { user, password, checked })
    }

    /// The context in which the person themselves acts.
    pub(crate) fn own(&self, cx: &Cx) -> Cx {
        cx.acting_as(Actor::User(self.user.id, self.user.display_name().to_owned()))
    }

    pub(crate) fn enrolled(&self) -> Enrolled {
        Enrolled { user: self.user.clone(), authenticator: self.password.id }
    }

    /// Stores the user with their password; answers the event of their creation and the rest.
    pub(crate) fn store_in(
        &self,
        tx: &mut WriteTx<'_>,
        app: &App,
        own: &Cx,
        how: &str,
    ) -> Result<(NewEvent, Vec<NewEvent>)> {
        let user = &self.user;
        let email = user.email.as_deref().unwrap_or(&user.username);
        if store::invitations::find_user_at(tx, user.realm_id, email)?.is_some() {
            return Err(account_exists());
        }
        store::users::insert(tx, user)?;
        store::authenticators::put_password(tx, user.realm_id, user.id, &self.password, own.now)?;
        let created = own
            .user_event(app, EventType::UserCreated, user)
            .detail("username", user.username.as_str())
            .detail("kind", "human")
            .detail("how", how);
        let more = vec![
            self.checked.told(own.user_event(app, EventType::UserPasswordChanged, user)).detail("method", how),
            own.user_event(app, EventType::UserEmailVerified, user).detail("email", email).detail("method", "link"),
        ];
        Ok((created, more))
    }
}

fn account_exists() -> Error {
    Error::conflict("account-exists", "There is an account with this address already. Sign in with it.")
}
