//! One function for each kind of message that flows send: what it needs is its parameters, so that none can be
//! forgotten.

use denizen_model::{
    Timestamp, UserId, authenticators::AuthenticatorType, locales::told, messages::Template, realms::Realm, users::User,
};

use super::{Draft, Prepared, prepare};
use crate::{App, Cx, Result};

/// Who reads a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    /// The user, if there is one.
    pub(crate) user_id: Option<UserId>,
    /// The address, or the number as E.164.
    pub(crate) to: &'a str,
    /// Their language.
    pub(crate) locale: Option<&'a str>,
    /// Their time zone.
    pub(crate) zone: Option<&'a str>,
}

impl<'a> Reader<'a> {
    /// A user at one of their addresses or numbers.
    pub(crate) fn of(user: &'a User, to: &'a str) -> Self {
        Self { user_id: Some(user.id), to, locale: user.locale.as_deref(), zone: user.zoneinfo.as_deref() }
    }

    /// A time as the message tells it.
    fn told(&self, (_, _, realm): Place<'_>, at: Timestamp) -> String {
        told(at, self.zone, realm.settings.language_for(self.locale))
    }
}

/// Where a message is made: the application, the request, the realm.
pub(crate) type Place<'a> = (&'a App, &'a Cx, &'a Realm);

/// What a message says beside its words.
#[derive(Default)]
struct Content<'a> {
    path: &'a str,
    more: &'a [(&'static str, &'a str)],
    expires_at: Option<Timestamp>,
}

fn make(
    (app, cx, realm): Place<'_>,
    reader: Reader<'_>,
    template: Template,
    content: &Content<'_>,
) -> Result<Prepared> {
    let draft = Draft {
        user_id: reader.user_id,
        invitation_id: None,
        to: reader.to,
        locale: reader.locale,
        zone: reader.zone,
        template,
        path: content.path,
        more: content.more,
        expires_at: content.expires_at,
    };
    prepare(app, cx, realm, &draft)
}

/// A notice, whose button leads to the reader's account.
fn notice(place: Place<'_>, reader: Reader<'_>, template: Template, more: &[(&'static str, &str)]) -> Result<Prepared> {
    let time = reader.told(place, place.1.now);
    let mut all = vec![("time", time.as_str())];
    all.extend_from_slice(more);
    make(place, reader, template, &Content { path: "account", more: &all, expires_at: None })
}

fn link(place: Place<'_>, reader: Reader<'_>, template: Template, path: &str, until: Timestamp) -> Result<Prepared> {
    make(place, reader, template, &Content { path, more: &[], expires_at: Some(until) })
}

/// A code by mail, which works until then.
pub(crate) fn email_code(place: Place<'_>, reader: Reader<'_>, code: &str, until: Timestamp) -> Result<Prepared> {
    let content = Content { path: "", more: &[("code", code)], expires_at: Some(until) };
    make(place, reader, Template::EmailCode, &content)
}

/// A code to a phone, which works until then. Without an SMS gateway a conflict, `no-sms-gateway`: ask
/// [`App::sms_configured`] before it is offered.
pub(crate) fn sms_code(place: Place<'_>, reader: Reader<'_>, code: &str, until: Timestamp) -> Result<Prepared> {
    let content = Content { path: "", more: &[("code", code)], expires_at: Some(until) };
    make(place, reader, Template::SmsCode, &content)
}

/// A sentence to a phone; as [`sms_code`].
pub(crate) fn sms_notice(place: Place<'_>, reader: Reader<'_>, sentence: &str) -> Result<Prepared> {
    let content = Content { more: &[("notice", sentence)], ..Content::default() };
    make(place, reader, Template::SmsNotice, &content)
}

/// A link that signs its reader in. `path` is under the realm's own, with the secret in its query.
pub(crate) fn magic_link(place: Place<'_>, reader: Reader<'_>, path: &str, until: Timestamp) -> Result<Prepared> {
    link(place, reader, Template::MagicLink, path, until)
}

/// A link to choose a new password; `path` as in [`magic_link`].
pub(crate) fn reset_password(place: Place<'_>, reader: Reader<'_>, path: &str, until: Timestamp) -> Result<Prepared> {
    link(place, reader, Template::ResetPassword, path, until)
}

/// A link to set up the second factor again; `path` as in [`magic_link`].
pub(crate) fn reset_otp(place: Place<'_>, reader: Reader<'_>, path: &str, until: Timestamp) -> Result<Prepared> {
    link(place, reader, Template::ResetOtp, path, until)
}

/// A link to make a new passkey; `path` as in [`magic_link`].
pub(crate) fn reset_passkey(place: Place<'_>, reader: Reader<'_>, path: &str, until: Timestamp) -> Result<Prepared> {
    link(place, reader, Template::ResetPasskey, path, until)
}

/// That the password was changed just now.
pub(crate) fn password_changed(place: Place<'_>, reader: Reader<'_>) -> Result<Prepared> {
    notice(place, reader, Template::PasswordChanged, &[])
}

/// What a message calls an authenticator of this kind, in the language of its reader.
pub(crate) fn authenticator_name(
    (app, _, realm): Place<'_>,
    reader: Reader<'_>,
    kind: AuthenticatorType,
) -> Result<String> {
    let name = match kind {
        AuthenticatorType::Password
        | AuthenticatorType::Passkey
        | AuthenticatorType::Totp
        | AuthenticatorType::RecoveryCodes => kind.as_str(),
        // What comes with an address is neither added nor removed by itself.
        AuthenticatorType::EmailCode | AuthenticatorType::SmsCode | AuthenticatorType::MagicLink => "other",
    };
    let language = realm.settings.language_for(reader.locale);
    app.mailer().templates.text(language, &format!("mail.authenticator.{name}"))
}

/// That a way to sign in was added just now; `label` is what people call it.
pub(crate) fn authenticator_added(place: Place<'_>, reader: Reader<'_>, label: &str) -> Result<Prepared> {
    notice(place, reader, Template::AuthenticatorAdded, &[("authenticator", label)])
}

/// That a way to sign in was removed just now; `label` is what people call it.
pub(crate) fn authenticator_removed(place: Place<'_>, reader: Reader<'_>, label: &str) -> Result<Prepared> {
    notice(place, reader, Template::AuthenticatorRemoved, &[("authenticator", label)])
}

/// That somebody signed in just now on a device that was not seen before.
pub(crate) fn new_device(place: Place<'_>, reader: Reader<'_>, device: &str, whence: Option<&str>) -> Result<Prepared> {
    notice(place, reader, Template::NewDevice, &[("device", device), ("place", whence.unwrap_or(""))])
}

/// That too many attempts have locked sign-in: until then, or until an administrator unlocks it.
pub(crate) fn account_locked(place: Place<'_>, reader: Reader<'_>, until: Option<Timestamp>) -> Result<Prepared> {
    let until = until.map(|at| reader.told(place, at)).unwrap_or_default();
    notice(place, reader, Template::AccountLocked, &[("until", &until)])
}

/// To the old address, which the reader has: that there is a new one since just now.
pub(crate) fn email_changed(place: Place<'_>, reader: Reader<'_>, new_email: &str) -> Result<Prepared> {
    notice(place, reader, Template::EmailChanged, &[("new_email", &masked(new_email))])
}

/// An address as somebody recognizes it who knows it: `a•••@example.org`.
pub(crate) fn masked(email: &str) -> String {
    let (local, domain) = email.rsplit_once('@').unwrap_or((email, ""));
    let first: String = local.chars().take(1).collect();
    if domain.is_empty() { format!("{first}•••") } else { format!("{first}•••@{domain}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_recognized_by_those_who_know_it() {
        assert_eq!(masked("ana@example.org"), "a•••@example.org");
        assert_eq!(masked("ß@münchen.example"), "ß•••@münchen.example");
        assert_eq!(masked(""), "•••");
    }
}
