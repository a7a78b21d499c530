//! The checks. Where a sign-in goes by a rule, the check asks the same rule.

use denizen_model::{
    Timestamp,
    authenticators::{Authenticator, AuthenticatorType, LockoutKind},
    devices::device_label,
    events::Event,
    messages::MessageState,
    reset_requests::ResetRequest,
    users::{UserKind, VerificationState},
};
use serde_json::Value;

use super::{FAILURES, Finding, Fix, Severity, Situation, means};
use crate::flows::{
    rules::{Barrier, barriers, must_update_password},
    sign_in::reason::Reason,
};

type Check = fn(&Situation) -> Option<Finding>;

/// Every check, in the order in which findings of one weight are told. A new one joins here.
pub(super) const ALL: &[Check] = &[
    realm_disabled,
    user_disabled,
    machine,
    no_api_key,
    no_way_in,
    means::no_way_served,
    locked,
    authenticators_held,
    second_factor_missing,
    means::second_factor_not_served,
    means::passkey_not_made_here,
    identifier_leads_elsewhere,
    temporary_password,
    password_reset_required,
    second_factor_asked,
    actions_waiting,
    means::codes_not_sent,
    resets_waiting,
    means::mail_not_configured,
    means::sms_not_configured,
    password_not_taken,
    address_held_back,
    enough_sent,
    wrong_passwords,
    wrong_codes,
    last_failures,
    not_set_up,
    log_not_read,
    mail_not_delivered,
    invitation_waiting,
    email_not_verified,
    signed_in,
];

pub(super) fn finding(code: &'static str, severity: Severity, sentence: impl Into<String>) -> Finding {
    Finding { code, severity, sentence: sentence.into(), at: None, fix: None }
}

impl Finding {
    pub(super) fn at(self, at: denizen_model::Timestamp) -> Self {
        Self { at: Some(at), ..self }
    }

    pub(super) fn fix(self, fix: Fix) -> Self {
        Self { fix: Some(fix), ..self }
    }
}

fn bars(s: &Situation, barrier: Barrier) -> bool {
    barriers(&s.user).any(|found| found == barrier)
}

/// What the realm lets this user begin a sign-in with.
pub(super) fn ways_in(s: &Situation) -> impl Iterator<Item = &Authenticator> {
    let allowed = |kind: &AuthenticatorType| s.realm.settings.sign_in_methods.contains(kind);
    s.standing.authenticators.iter().filter(move |one| allowed(&one.kind))
}

/// Names of kinds in a sentence.
pub(super) fn named(kinds: impl IntoIterator<Item = AuthenticatorType>) -> String {
    kinds.into_iter().map(|kind| kind.title().to_lowercase()).collect::<Vec<_>>().join(", ")
}

/// `1 time`, `3 times`.
fn times(count: usize) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

fn realm_disabled(s: &Situation) -> Option<Finding> {
    (!s.realm.enabled).then(|| {
        let sentence = format!("The realm {} is disabled: nobody can sign in to it.", s.realm.display_name);
        finding("realm-disabled", Severity::Blocking, sentence).fix(Fix::EnableRealm)
    })
}

fn user_disabled(s: &Situation) -> Option<Finding> {
    if !bars(s, Barrier::Disabled) {
        return None;
    }
    let by = s.log.as_ref().and_then(|log| log.disabled.as_ref()).map(|event| event.actor.name.as_str());
    let by = by.filter(|name| !name.is_empty()).map(|name| format!(" by {name}")).unwrap_or_default();
    let why = match &s.user.disabled_reason {
        Some(reason) => format!(": {}", reason.trim_end_matches('.')),
        None => ", without a reason".to_owned(),
    };
    let found = finding("user-disabled", Severity::Blocking, format!("The account was disabled{by}{why}."))
        .fix(Fix::EnableUser);
    Some(Finding { at: s.user.disabled_at, ..found })
}

fn machine(s: &Situation) -> Option<Finding> {
    bars(s, Barrier::Machine).then(|| {
        let sentence = "This is a machine. It does not sign in on pages; it calls the API with its keys.";
        finding("machine", Severity::Information, sentence)
    })
}

fn no_api_key(s: &Situation) -> Option<Finding> {
    if s.user.kind != UserKind::Machine || s.keys.iter().any(|key| !key.is_expired(s.now)) {
        return None;
    }
    let last = s.keys.iter().filter_map(|key| key.expires_at).max();
    let found = match last {
        Some(at) => finding("api-keys-expired", Severity::Blocking, "All its API keys have expired.").at(at),
        None => finding("no-api-key", Severity::Blocking, "It has no API key."),
    };
    Some(found.fix(Fix::CreateApiKey))
}

fn no_way_in(s: &Situation) -> Option<Finding> {
    if s.user.kind == UserKind::Machine || ways_in(s).next().is_some() {
        return None;
    }
    let password_allowed = s.realm.settings.sign_in_methods.contains(&AuthenticatorType::Password);
    let (sentence, fix) = if s.password().is_some() {
        (
            "They have a password, but the realm does not let people sign in with one, and they have nothing else.",
            Fix::ChangeSettings,
        )
    } else if password_allowed {
        ("No password is set, and there is no other way to prove who they are.", Fix::SetPassword)
    } else {
        ("They have nothing that the realm lets people sign in with.", Fix::ChangeSettings)
    };
    Some(finding("no-usable-authenticator", Severity::Blocking, sentence).fix(fix))
}

fn locked(s: &Situation) -> Option<Finding> {
    let held: Vec<(&str, Timestamp)> = s
        .lockouts
        .iter()
        .filter_map(|lockout| {
            let name = match lockout.kind {
                LockoutKind::Password => "passwords",
                LockoutKind::Otp => "codes",
            };
            Some((name, lockout.locked_until(s.now)?))
        })
        .collect();
    let until = held.iter().map(|(_, until)| *until).max()?;
    let names: Vec<&str> = held.iter().map(|(name, _)| *name).collect();
    let sentence = format!("Too many wrong {}: none is looked at until the lock ends.", names.join(" and "));
    Some(finding("locked", Severity::Blocking, sentence).at(until).fix(Fix::Unlock))
}

fn authenticators_held(s: &Situation) -> Option<Finding> {
    let held: Vec<&Authenticator> = s.standing.authenticators.iter().filter(|one| !one.is_usable(s.now)).collect();
    let first = held.first()?;
    // It blocks where nothing else begins a sign-in.
    let blocks = s.user.kind == UserKind::Human && !ways_in(s).any(|one| one.is_usable(s.now));
    let told = |one: &&Authenticator| {
        let name = one.kind.title().to_lowercase();
        if one.locked_at.is_some() { format!("{name} (locked)") } else { format!("{name} (switched off)") }
    };
    let names: Vec<String> = held.iter().map(told).collect();
    let sentence = format!("An administrator holds these back: {}.", names.join(", "));
    let severity = if blocks { Severity::Blocking } else { Severity::Information };
    let found = finding("authenticators-held", severity, sentence).fix(Fix::RestoreAuthenticator);
    Some(Finding { at: first.locked_at.or(first.deactivated_at), ..found })
}

/// A second factor is set up, but none of what counts as one can be used.
fn second_factor_missing(s: &Situation) -> Option<Finding> {
    let (settings, now) = (&s.realm.settings, s.now);
    let has = s.standing.authenticators.iter().any(|one| settings.second_factors.contains(&one.kind));
    let needs = s.user.kind == UserKind::Human && s.standing.needs_second_factor(settings, now);
    (needs && has && s.standing.second_factors(settings, &[], now).is_empty()).then(|| {
        let sentence =
            "A second factor is required and none of theirs can be used; another is set up at the next sign-in.";
        finding("second-factor-held", Severity::Step, sentence).fix(Fix::RestoreAuthenticator)
    })
}

fn second_factor_asked(s: &Situation) -> Option<Finding> {
    let (settings, now) = (&s.realm.settings, s.now);
    if s.user.kind == UserKind::Machine || !s.standing.needs_second_factor(settings, now) {
        return None;
    }
    let factors = s.standing.second_factors(settings, &[], now);
    let names: Vec<String> = factors.iter().map(|kind| kind.title().to_lowercase()).collect();
    let sentence = if names.is_empty() {
        "A second factor is required and none is set up: it is set up at the next sign-in.".to_owned()
    } else {
        format!("A second factor is asked for: {}.", names.join(", "))
    };
    Some(finding("second-factor", Severity::Step, sentence).fix(Fix::IssueRecoveryCodes))
}

fn actions_waiting(s: &Situation) -> Option<Finding> {
    let asked = s.standing.actions.iter().filter(|action| !s.standing.is_done(**action));
    let names: Vec<String> = asked.map(|action| action.title().to_lowercase()).collect();
    (!names.is_empty()).then(|| {
        let sentence = format!("Before they get where they want to go, they are asked to: {}.", names.join(", "));
        finding("required-actions", Severity::Step, sentence).fix(Fix::ReadRequiredActions)
    })
}

/// A reset that was asked for and is not done, most of all one whose link cannot be followed any more.
fn resets_waiting(s: &Situation) -> Option<Finding> {
    let told = |reset: &ResetRequest| {
        let failed = reset.mail.as_ref().filter(|mail| mail.state == MessageState::Failed);
        let why = match (reset.followed_at, failed) {
            (Some(_), _) => "its link was followed, but it was not done".to_owned(),
            (None, _) if reset.expires_at <= s.now => "its link has expired".to_owned(),
            (None, Some(mail)) => {
                let error = mail.last_error.as_deref().unwrap_or("no reason was kept");
                format!("its mail did not arrive: {}", error.trim_end_matches('.'))
            }
            (None, None) if reset.mail.is_none() => "its link was handed over and was not followed yet".to_owned(),
            (None, None) => "its link was not followed yet".to_owned(),
        };
        format!("{} ({why})", reset.kind.title().to_lowercase())
    };
    let first = s.resets.first()?;
    let names: Vec<String> = s.resets.iter().map(told).collect();
    let sentence = format!("A reset waits: {}.", names.join("; "));
    Some(finding("resets-waiting", Severity::Information, sentence).at(first.requested_at).fix(Fix::SendReset))
}

/// They have other ways, but a password that they type is not taken.
fn password_not_taken(s: &Situation) -> Option<Finding> {
    let others = ways_in(s).filter(|one| one.kind != AuthenticatorType::Password && one.is_usable(s.now));
    let others = named(others.map(|one| one.kind));
    if others.is_empty() || s.user.kind == UserKind::Machine {
        return None;
    }
    let allowed = s.realm.settings.sign_in_methods.contains(&AuthenticatorType::Password);
    let (code, why, fix) = match (s.password(), allowed) {
        (Some(_), true) | (None, false) => return None,
        (Some(_), false) => {
            ("password-not-allowed", "The realm lets nobody sign in with a password", Fix::ChangeSettings)
        }
        (None, true) => ("no-password", "They have no password", Fix::SetPassword),
    };
    Some(finding(code, Severity::Information, format!("{why}. What they can use: {others}.")).fix(fix))
}

/// Nothing from the address that they came from was looked at.
fn address_held_back(s: &Situation) -> Option<Finding> {
    let (ip, at, still) = s.held_back?;
    // Where somebody is, is for those who may read it in the log too.
    let from = if s.log.is_some() { format!("the address {ip}") } else { "the address that they came from".to_owned() };
    let end = if still { "Nothing from there is looked at" } else { "Nothing from there was looked at" };
    let sentence = format!(
        "An attempt was not looked at: too much had failed from {from}. {end} for some minutes; from another network they can \
         sign in."
    );
    Some(finding("address-held-back", Severity::Information, sentence).at(at).fix(Fix::ReadActivity))
}

/// As much as goes to one address in an hour went there.
fn enough_sent(s: &Situation) -> Option<Finding> {
    if s.sent_enough.is_empty() {
        return None;
    }
    let sentence = format!(
        "As much went to their address as goes there in an hour ({}): no more is sent until that is over.",
        named(s.sent_enough.iter().copied())
    );
    Some(finding("enough-sent", Severity::Information, sentence).fix(Reason::TooManySent.advice().fix))
}

fn identifier_leads_elsewhere(s: &Situation) -> Option<Finding> {
    if s.user.kind == UserKind::Machine {
        return None;
    }
    let astray: Vec<&str> = s.identifiers.iter().filter(|(_, leads)| !leads).map(|(typed, _)| typed.as_str()).collect();
    let own = s.identifiers.iter().find(|(_, leads)| *leads).map(|(typed, _)| typed.as_str());
    match (astray.first(), own) {
        (None, _) => None,
        (Some(typed), Some(own)) => {
            let sentence = format!(
                "Signing in as {typed} does not lead to this account: another one has that email or username. {own} does."
            );
            Some(finding("ambiguous-identifier", Severity::Information, sentence).fix(Fix::ChangeEmail))
        }
        (Some(typed), None) => {
            let sentence =
                format!("Signing in as {typed} does not lead to this account: another one has that email or username.");
            Some(finding("ambiguous-identifier", Severity::Blocking, sentence).fix(Fix::ChangeEmail))
        }
    }
}

fn temporary_password(s: &Situation) -> Option<Finding> {
    let password = s.password().filter(|password| password.temporary)?;
    let sentence = "The password is a temporary one. It works once, and a new one is asked for at that sign-in.";
    let found = finding("temporary-password", Severity::Step, sentence);
    Some(found.at(password.registered_at).fix(Fix::TemporaryPassword))
}

fn password_reset_required(s: &Situation) -> Option<Finding> {
    let temporary = s.password().is_some_and(|password| password.temporary);
    (!temporary && s.user.kind == UserKind::Human && must_update_password(&s.user, temporary)).then(|| {
        let sentence = match s.password() {
            Some(_) => "A new password is required: it is asked for at the next sign-in, after the present one.",
            None => "A password must be set: it is asked for at the next sign-in.",
        };
        finding("password-reset-required", Severity::Step, sentence).fix(Fix::SendReset)
    })
}

fn wrong_passwords(s: &Situation) -> Option<Finding> {
    let failed = s.user.failed_password_attempts;
    (failed > 0 && s.password().is_some()).then(|| {
        let failed = times(usize::try_from(failed).unwrap_or(usize::MAX));
        let sentence = format!("A wrong password was typed {failed} since the last right one.");
        finding("wrong-passwords", Severity::Information, sentence).fix(Fix::SendReset)
    })
}

fn wrong_codes(s: &Situation) -> Option<Finding> {
    let failed = s.user.failed_otp_attempts;
    (failed > 0).then(|| {
        let failed = times(usize::try_from(failed).unwrap_or(usize::MAX));
        let sentence = format!("A wrong code was typed {failed} since the last sign-in.");
        finding("wrong-codes", Severity::Information, sentence).fix(Fix::IssueRecoveryCodes)
    })
}

fn reason(event: &Event) -> &str {
    event.details.get("reason").and_then(Value::as_str).unwrap_or("no reason was kept")
}

fn last_failures(s: &Situation) -> Option<Finding> {
    let failures = &s.log.as_ref()?.failures;
    let last = failures.first()?;
    let device = last.user_agent.as_deref().map(|agent| format!(", {}", device_label(agent))).unwrap_or_default();
    let from = last.ip.as_deref().map(|ip| format!(", from {ip}")).unwrap_or_default();
    let mut sentence = format!("The last attempt failed: {}{device}{from}.", reason(last));
    let advice = Reason::told_as(reason(last)).map(Reason::advice);
    if let Some(advice) = advice {
        sentence.push(' ');
        sentence.push_str(advice.sentence);
    }
    let mut others: Vec<(&str, usize)> = Vec::new();
    for event in failures.iter().skip(1) {
        match others.iter_mut().find(|(why, _)| *why == reason(event)) {
            Some((_, count)) => *count += 1,
            None => others.push((reason(event), 1)),
        }
    }
    if !others.is_empty() {
        let told: Vec<String> = others.iter().map(|(why, count)| format!("{why} ({})", times(*count))).collect();
        let full = failures.len() >= usize::try_from(FAILURES).unwrap_or(usize::MAX);
        sentence.push_str(&format!(" Before{}: {}.", if full { ", among others" } else { "" }, told.join(", ")));
    }
    let fix = advice.map_or(Fix::ReadActivity, |advice| advice.fix);
    Some(finding("last-failures", Severity::Information, sentence).at(last.at).fix(fix))
}

/// An app or a passkey that they tried to set up was not taken.
fn not_set_up(s: &Situation) -> Option<Finding> {
    let event = s.log.as_ref()?.not_set_up.as_ref()?;
    let method = event.details.get("method").and_then(Value::as_str).and_then(AuthenticatorType::from_name);
    let what = method.map_or_else(|| "an authenticator".to_owned(), |kind| named([kind]));
    let mut sentence = format!("Setting up did not succeed ({what}): {}.", reason(event));
    let advice = Reason::told_as(reason(event)).map(Reason::advice);
    if let Some(advice) = advice {
        sentence.push(' ');
        sentence.push_str(advice.sentence);
    }
    let fix = advice.map_or(Fix::ReadActivity, |advice| advice.fix);
    Some(finding("not-set-up", Severity::Information, sentence).at(event.at).fix(fix))
}

fn log_not_read(s: &Situation) -> Option<Finding> {
    s.log.is_none().then(|| {
        let sentence = "Past attempts were not looked at: you may not read the audit log.";
        finding("log-not-read", Severity::Information, sentence)
    })
}

fn mail_not_delivered(s: &Situation) -> Option<Finding> {
    let message = s.last_message.as_ref().filter(|message| message.sent_at.is_none())?;
    let why = message.last_error.as_ref()?;
    let sentence = format!("The last message to {} did not arrive: {}.", message.recipient, why.trim_end_matches('.'));
    Some(finding("mail-not-delivered", Severity::Information, sentence).at(message.created_at).fix(Fix::ChangeEmail))
}

fn invitation_waiting(s: &Situation) -> Option<Finding> {
    let at = s.invited_at?;
    let sentence = "An invitation to their email waits to be accepted.";
    Some(finding("invitation-waiting", Severity::Information, sentence).at(at))
}

fn email_not_verified(s: &Situation) -> Option<Finding> {
    let waiting = s.user.email.is_some() && s.user.email_state != VerificationState::Verified;
    (waiting && s.user.kind == UserKind::Human).then(|| {
        let sentence = match s.user.email_state {
            VerificationState::VerificationRequested => {
                "Their email is not verified yet; a verification was asked for."
            }
            _ => "Their email is not verified.",
        };
        let sentence = format!("{sentence} This does not keep them out.");
        finding("email-not-verified", Severity::Information, sentence).fix(Fix::VerifyEmail)
    })
}

fn signed_in(s: &Situation) -> Option<Finding> {
    let live = s.sessions.iter().filter(|session| session.is_live(s.now));
    let devices: Vec<&str> = live.map(|session| session.device.as_str()).take(3).collect();
    (!devices.is_empty()).then(|| {
        let sentence = format!("They are signed in at this moment: {}.", devices.join(", "));
        let found = finding("signed-in", Severity::Information, sentence);
        Finding { at: s.user.last_sign_in_at, ..found }
    })
}
