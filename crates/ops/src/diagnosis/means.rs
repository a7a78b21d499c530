//! What this server can do for a sign-in, and what it cannot and somebody would need.

use denizen_model::{
    authenticators::{AuthenticatorType, RequiredAction},
    users::UserKind,
};

use super::{
    Finding, Fix, Severity, Situation,
    checks::{finding, named, ways_in},
};

/// What this server can do for a sign-in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Means {
    pub(super) mail: bool,
    pub(super) sms: bool,
    pub(super) passkeys: bool,
}

impl Means {
    /// Whether it can do what a kind of authenticator needs.
    const fn serve(self, kind: AuthenticatorType) -> bool {
        match kind {
            AuthenticatorType::EmailCode | AuthenticatorType::MagicLink => self.mail,
            AuthenticatorType::SmsCode => self.sms,
            AuthenticatorType::Passkey => self.passkeys,
            AuthenticatorType::Password | AuthenticatorType::Totp | AuthenticatorType::RecoveryCodes => true,
        }
    }

    /// What a kind lacks that it cannot serve.
    const fn lack(kind: AuthenticatorType) -> &'static str {
        match kind {
            AuthenticatorType::SmsCode => "no SMS gateway is configured",
            AuthenticatorType::Passkey => "passkeys need a public address with a host name",
            _ => "no mail server is configured",
        }
    }
}

/// They have ways to begin a sign-in, but this server can do what it takes for none of them.
pub(super) fn no_way_served(s: &Situation) -> Option<Finding> {
    if s.user.kind == UserKind::Machine {
        return None;
    }
    let kinds: Vec<AuthenticatorType> = ways_in(s).filter(|one| one.is_usable(s.now)).map(|one| one.kind).collect();
    let first = kinds.iter().copied().find(|kind| !s.means.serve(*kind))?;
    if kinds.iter().any(|kind| s.means.serve(*kind)) {
        return None;
    }
    let sentence =
        format!("All they could sign in with does not work here ({}): {}.", named(kinds), Means::lack(first));
    Some(finding("no-way-served", Severity::Blocking, sentence).fix(fix_of_means(first)))
}

/// Where somebody looks who wants a kind to work.
const fn fix_of_means(kind: AuthenticatorType) -> Fix {
    match kind {
        AuthenticatorType::EmailCode | AuthenticatorType::SmsCode | AuthenticatorType::MagicLink => Fix::ReadMessages,
        _ => Fix::ChangeSettings,
    }
}

/// A second factor is asked for, and this server can do what it takes for none of theirs.
pub(super) fn second_factor_not_served(s: &Situation) -> Option<Finding> {
    let (settings, now) = (&s.realm.settings, s.now);
    if s.user.kind == UserKind::Machine || !s.standing.needs_second_factor(settings, now) {
        return None;
    }
    let factors = s.standing.second_factors(settings, &[], now);
    let first = factors.iter().copied().find(|kind| !s.means.serve(*kind))?;
    if factors.iter().any(|kind| s.means.serve(*kind)) {
        return None;
    }
    let sentence = format!(
        "A second factor is asked for, and theirs does not work here ({}): {}. Recovery codes let them in meanwhile.",
        named(factors),
        Means::lack(first)
    );
    Some(finding("second-factor-not-served", Severity::Blocking, sentence).fix(Fix::IssueRecoveryCodes))
}

/// A passkey must be made before the destination, and none can be made at this server's address.
pub(super) fn passkey_not_made_here(s: &Situation) -> Option<Finding> {
    if s.means.passkeys || s.user.kind == UserKind::Machine {
        return None;
    }
    let (settings, now) = (&s.realm.settings, s.now);
    let required = s.standing.actions.contains(&RequiredAction::RegisterPasskey);
    let set_up = s.standing.needs_second_factor(settings, now)
        && s.standing.second_factors(settings, &[], now).is_empty()
        && settings.second_factors.contains(&AuthenticatorType::Passkey)
        && !settings.second_factors.contains(&AuthenticatorType::Totp);
    (required || set_up).then(|| {
        let sentence = format!(
            "They must make a passkey before they get where they want to go, and cannot: {}.",
            Means::lack(AuthenticatorType::Passkey)
        );
        let fix = if required { Fix::ReadRequiredActions } else { Fix::ChangeSettings };
        finding("passkey-not-made-here", Severity::Blocking, sentence).fix(fix)
    })
}

/// An address must be confirmed by a code that the server cannot send.
pub(super) fn codes_not_sent(s: &Situation) -> Option<Finding> {
    let ways = [
        (RequiredAction::VerifyEmail, s.means.mail, "email", "mail server"),
        (RequiredAction::VerifyPhone, s.means.sms, "phone number", "SMS gateway"),
    ];
    let asked = |action| s.standing.actions.contains(&action) && !s.standing.is_done(action);
    let (_, _, what, by) = ways.into_iter().find(|(action, sends, ..)| !sends && asked(*action))?;
    let sentence = format!(
        "They must verify their {what} before they get where they want to go, but no {by} is configured, so that no code \
         can be sent: verify it for them, or cancel the action."
    );
    Some(finding("required-code-not-sent", Severity::Blocking, sentence).fix(Fix::ReadRequiredActions))
}

fn has(s: &Situation, kinds: &[AuthenticatorType]) -> bool {
    s.standing.authenticators.iter().any(|one| kinds.contains(&one.kind))
}

/// Codes, links and resets by mail wait where no mail server is configured.
pub(super) fn mail_not_configured(s: &Situation) -> Option<Finding> {
    let needed = has(s, &[AuthenticatorType::EmailCode, AuthenticatorType::MagicLink])
        || s.resets.iter().any(|reset| reset.mail.is_some() && reset.followed_at.is_none());
    (needed && !s.means.mail && s.user.kind == UserKind::Human).then(|| {
        let sentence = "No mail server is configured: codes and links by mail do not reach them.";
        finding("no-mail-server", Severity::Information, sentence).fix(Fix::ReadMessages)
    })
}

pub(super) fn sms_not_configured(s: &Situation) -> Option<Finding> {
    (has(s, &[AuthenticatorType::SmsCode]) && !s.means.sms).then(|| {
        let sentence = "No SMS gateway is configured: codes by text message do not reach them.";
        finding("no-sms-gateway", Severity::Information, sentence).fix(Fix::ReadMessages)
    })
}
