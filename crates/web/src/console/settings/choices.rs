//! What can be chosen on the settings page, and what was ticked.

use denizen_model::{authenticators::AuthenticatorType, locales::Language};
use denizen_ops::{
    App,
    authenticators::passkeys,
    passwords::{self, Source},
};
use serde::Serialize;

use crate::console::{forms::Fields, words::count};

/// Something that people can sign in with, or prove second.
#[derive(Serialize)]
pub(super) struct MethodChoice {
    name: &'static str,
    title: &'static str,
    /// What it does, or what it lacks here.
    help: String,
    ticked: bool,
}

/// A language that pages can be in.
#[derive(Serialize)]
pub(super) struct LanguageChoice {
    tag: &'static str,
    name: &'static str,
    own_name: &'static str,
    /// Whether it is the default one.
    default: bool,
    offered: bool,
}

/// The offered languages in their order, then the others.
pub(super) fn languages(default: Option<Language>, offered: &[Language]) -> Vec<LanguageChoice> {
    let others = Language::ALL.iter().filter(|language| !offered.contains(language));
    let choice = |language: &Language| LanguageChoice {
        tag: language.as_str(),
        name: language.english_name(),
        own_name: language.own_name(),
        default: default == Some(*language),
        offered: offered.contains(language),
    };
    offered.iter().chain(others).map(choice).collect()
}

/// The ticked languages: those that were offered keep their order, new ones come after them.
/// Of a form without the boxes, those before stay.
pub(super) fn ticked_languages(typed: &Fields, before: &[Language]) -> Vec<Language> {
    let sent = typed.all("locales");
    if sent.is_empty() {
        return before.to_vec();
    }
    let ticked: Vec<Language> = sent.into_iter().filter_map(Language::from_name).collect();
    let kept = before.iter().copied().filter(|language| ticked.contains(language));
    let new = Language::ALL.iter().copied().filter(|language| ticked.contains(language) && !before.contains(language));
    kept.chain(new).collect()
}

/// The ticked ways of a set of boxes: those that were ticked keep their order, new ones come after them. Of a form
/// without the boxes, those before stay.
pub(super) fn ticked_methods(typed: &Fields, field: &str, before: &[AuthenticatorType]) -> Vec<AuthenticatorType> {
    let sent = typed.all(field);
    if sent.is_empty() {
        return before.to_vec();
    }
    let mut ticked: Vec<AuthenticatorType> = Vec::new();
    for kind in sent.into_iter().filter_map(AuthenticatorType::from_name) {
        if !ticked.contains(&kind) {
            ticked.push(kind);
        }
    }
    let kept = before.iter().copied().filter(|kind| ticked.contains(kind));
    let new = ticked.iter().copied().filter(|kind| !before.contains(kind));
    kept.chain(new).collect()
}

/// What a way to prove who one is does, as the first step or as the second.
const fn about(kind: AuthenticatorType, first: bool) -> &'static str {
    match (kind, first) {
        (AuthenticatorType::Passkey, true) => "Both steps at once, where the device verifies its user.",
        (AuthenticatorType::MagicLink, _) => "Sent by mail; whoever opens it is signed in.",
        (AuthenticatorType::EmailCode, true) => "Sent by mail, to be typed into the page that asked for it.",
        (AuthenticatorType::EmailCode, false) => "Sent by mail to a verified address.",
        (AuthenticatorType::SmsCode, true) => "Sent to their phone, to be typed into the page that asked for it.",
        (AuthenticatorType::SmsCode, false) => "Sent by SMS to a verified number.",
        (AuthenticatorType::Totp, _) => "Six digits that change every half minute.",
        _ => "",
    }
}

/// What a way needs that is not configured where Denizen is started, so that it is not offered to anybody.
fn lacks(app: &App, kind: AuthenticatorType) -> Option<&'static str> {
    match kind {
        AuthenticatorType::EmailCode | AuthenticatorType::MagicLink if !app.sends_mail() => {
            Some("Not offered yet: no mail server is configured.")
        }
        AuthenticatorType::SmsCode if !app.sms_configured() => Some("Not offered yet: no SMS gateway is configured."),
        AuthenticatorType::Passkey if !passkeys::are_available(app) => {
            Some("Not offered yet: the public address has no host name.")
        }
        _ => None,
    }
}

/// The boxes of what can stand in a setting, in the order of the list.
pub(super) fn methods(
    app: &App,
    all: &[AuthenticatorType],
    ticked: &[AuthenticatorType],
    first: bool,
) -> Vec<MethodChoice> {
    let choice = |kind: &AuthenticatorType| {
        let told = [about(*kind, first), lacks(app, *kind).unwrap_or_default()];
        MethodChoice {
            name: kind.as_str(),
            title: kind.title(),
            help: told.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" "),
            ticked: ticked.contains(kind),
        }
    };
    all.iter().map(choice).collect()
}

/// What breached passwords are looked up in, and what holds when that does not answer.
pub(super) fn breaches(source: &Source) -> String {
    let common =
        count(u64::try_from(passwords::common_passwords()).unwrap_or(0), "common password", "common passwords");
    match source {
        Source::Range(_) => format!(
            "Looked up at {source}, which learns five digits of a hash and never the password. When it does not answer, a \
             built-in list of {common} holds."
        ),
        Source::File(_) => format!("Looked up in the file {source} and in a built-in list of {common}."),
        Source::None => format!(
            "Looked up in a built-in list of {common} alone: no other source is configured where Denizen is started."
        ),
    }
}
