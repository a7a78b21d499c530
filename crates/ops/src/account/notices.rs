//! Mails that tell people of a change of how they sign in, written with the change: to those who made it a receipt, to
//! everybody else an alarm.

use denizen_model::{authenticators::AuthenticatorType, realms::Realm, users::User};
use denizen_store::WriteTx;

use crate::{
    App, Cx, Result,
    messages::{
        self,
        drafts::{self, Reader},
    },
};

/// What has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notice<'a> {
    /// There is a new password.
    PasswordChanged,
    /// There is another way to sign in.
    Added(AuthenticatorType),
    /// A way to sign in is gone.
    Removed(AuthenticatorType),
    /// There is a new address in the place of this one, which is told.
    EmailChangedFrom(&'a str),
}

/// Tells the user, where they have an address. Where the server does not know its own address no mail can lead
/// anywhere; the change is made all the same.
pub(crate) fn tell(tx: &mut WriteTx<'_>, place: (&App, &Cx, &Realm), user: &User, notice: Notice<'_>) -> Result<()> {
    let to = match notice {
        Notice::EmailChangedFrom(old) => Some(old),
        _ => user.email.as_deref(),
    };
    let Some(to) = to.filter(|_| !place.0.public_url().is_empty()) else { return Ok(()) };
    let reader = Reader::of(user, to);
    let prepared = match notice {
        Notice::PasswordChanged => drafts::password_changed(place, reader)?,
        Notice::Added(kind) => {
            drafts::authenticator_added(place, reader, &drafts::authenticator_name(place, reader, kind)?)?
        }
        Notice::Removed(kind) => {
            drafts::authenticator_removed(place, reader, &drafts::authenticator_name(place, reader, kind)?)?
        }
        Notice::EmailChangedFrom(_) => drafts::email_changed(place, reader, user.email.as_deref().unwrap_or_default())?,
    };
    messages::enqueue(tx, place.0, &prepared)
}
