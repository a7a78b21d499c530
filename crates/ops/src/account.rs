//! What people do with their own accounts (PRODUCT §16): their record, how they are reached, how they sign in, and the
//! end of it all. Their sessions are in [`crate::sessions`], what happened to them in [`crate::events`].
//!
//! Nobody proves a permission here: what is changed is always the user's own, and the user is the one behind the session.
//! What changes a way to sign in takes a [`Fresh`] proof besides, so that a browser that somebody left open gives away
//! no account.

pub mod authenticators;
pub mod deletion;
pub mod email;
pub(crate) mod notices;
pub mod password;
pub mod profile;

use std::time::Duration;

use denizen_model::{
    events::{EventType, NewEvent},
    users::User,
};
use denizen_store::{self as store, ReadTx};

use crate::{Actor, App, Cx, Error, Result, sessions::SignedIn};

/// For how long after a sign-in its user may change how they sign in.
pub const FRESH_FOR: Duration = Duration::from_secs(15 * 60);

/// The proof that somebody signed in to their own account a short while ago. Only [`Fresh::of`] makes one.
#[derive(Debug, Clone)]
pub struct Fresh(SignedIn);

impl Fresh {
    /// The proof, unless the sign-in was too long ago.
    #[must_use]
    pub fn of(cx: &Cx, signed_in: SignedIn) -> Option<Self> {
        (cx.now.since(signed_in.session.authenticated_at) <= FRESH_FOR).then_some(Self(signed_in))
    }

    /// Who it is.
    #[must_use]
    pub fn signed_in(&self) -> &SignedIn {
        &self.0
    }
}

/// The user in their own affairs.
fn own(cx: &Cx, user: &User) -> Cx {
    cx.acting_as(Actor::User(user.id, user.display_name().to_owned()))
}

/// The user as they are by now, if the session that they came with still lives: it may have been ended since the
/// request began, by somebody who means to keep exactly this request out.
pub(crate) fn present(tx: &mut ReadTx<'_>, cx: &Cx, signed_in: &SignedIn) -> Result<User> {
    let session = store::sessions::find(tx, signed_in.session.id)?;
    if !session.is_some_and(|session| session.is_live(cx.now) && session.user_id == signed_in.user.id) {
        return Err(Error::unauthenticated());
    }
    let user = store::users::find(tx, signed_in.user.realm_id, signed_in.user.id)?;
    user.filter(|user| user.enabled).ok_or_else(Error::unauthenticated)
}

/// An event of the user's own doing, in their session.
fn event(app: &App, cx: &Cx, kind: EventType, user: &User, signed_in: &SignedIn) -> NewEvent {
    within(cx.user_event(app, kind, user), signed_in)
}

/// An event with the session it happened in.
fn within(mut event: NewEvent, signed_in: &SignedIn) -> NewEvent {
    event.session_id = Some(signed_in.session.id);
    event
}
