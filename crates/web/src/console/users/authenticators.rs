//! The Authenticators tab: the password of people, the keys of machines ([`super::api_keys`]), all their ways to sign in.

use denizen_model::{
    authenticators::{ApiKey, Authenticator, AuthenticatorStatus, AuthenticatorType, RequiredAction},
    users::{User, UserKind, VerificationState},
};
use denizen_ops::{Error, authenticators::passkeys, required_actions::Waiting};
use serde::Serialize;

use super::{
    Whose,
    api_keys::{KeysPanel, is_expired, panel},
    authenticator::{RowAction, actions_on},
    resets::RequestView,
    show::{Profile, Tab, at},
};
use crate::{
    console::{
        Answer,
        frame::ConsoleCx,
        words::{Label, number},
    },
    render::TimeView,
};

#[derive(Serialize)]
struct AuthenticatorsTab {
    password: Option<PasswordPanel>,
    api_keys: Option<KeysPanel>,
    authenticators: Vec<Row>,
    /// Until when too many failures hold passwords, or codes.
    locked_until: Option<TimeView>,
    can_unlock: bool,
    /// An email, a phone number can be added.
    add_email: bool,
    add_phone: bool,
    /// What waits for the next sign-in; absent for machines.
    required: Option<Required>,
}

/// What waits for the next sign-in.
#[derive(Serialize)]
struct Required {
    items: Vec<WaitingRow>,
    can_change: bool,
    /// Whether setting up an authenticator app can be asked for.
    can_require_otp: bool,
    /// Whether making a passkey can be asked for.
    can_require_passkey: bool,
    /// What else can be asked for.
    others: Vec<Requirable>,
}

/// Something that can be asked for at the next sign-in.
#[derive(Serialize)]
struct Requirable {
    action: &'static str,
    label: &'static str,
}

#[derive(Serialize)]
struct WaitingRow {
    action: &'static str,
    title: &'static str,
    since: Option<TimeView>,
    /// The reset that it came with.
    request: Option<RequestView>,
}

#[derive(Serialize)]
struct PasswordPanel {
    has: bool,
    temporary: bool,
    set_at: Option<TimeView>,
    last_verified_at: Option<TimeView>,
    requires_reset: bool,
    failed_attempts: Option<String>,
    actions: PasswordActions,
}

#[derive(Serialize)]
struct PasswordActions {
    send_reset: bool,
    set: bool,
    temporary: bool,
    clear: bool,
    require_reset: bool,
    cancel_reset: bool,
}

#[derive(Serialize)]
struct Row {
    id: String,
    icon: &'static str,
    label: &'static str,
    detail: String,
    status: Label,
    registered_at: TimeView,
    last_used_at: Option<TimeView>,
    device: Option<String>,
    /// Where that took them, and from where.
    application: Option<String>,
    place: Option<String>,
    /// Until when it is locked or switched off.
    until: Option<TimeView>,
    actions: Vec<RowAction>,
}

fn status(status: AuthenticatorStatus) -> Label {
    match status {
        AuthenticatorStatus::Registered => Label::new("Registered", "neutral"),
        AuthenticatorStatus::Active => Label::new("Active", "success"),
        AuthenticatorStatus::Locked => Label::new("Locked", "danger"),
        AuthenticatorStatus::Deactivated => Label::new("Deactivated", "neutral"),
    }
}

fn password_panel(page: &ConsoleCx, profile: &Profile) -> PasswordPanel {
    let (user, can) = (&profile.user, page.can());
    let password = profile.password();
    let failed = user.failed_password_attempts;
    PasswordPanel {
        has: password.is_some(),
        temporary: password.is_some_and(|password| password.temporary),
        set_at: page.time_opt(password.map(|password| password.registered_at)),
        last_verified_at: page.time_opt(password.and_then(|password| password.last_used_at)),
        requires_reset: user.requires_password_reset,
        failed_attempts: (failed > 0).then(|| number(u64::from(failed))),
        actions: PasswordActions {
            send_reset: can.credentials_reset && user.enabled,
            set: can.credentials_set,
            temporary: can.credentials_set,
            clear: can.credentials_set && password.is_some(),
            require_reset: can.credentials_reset && !user.requires_password_reset,
            cancel_reset: can.credentials_reset && user.requires_password_reset,
        },
    }
}

fn icon(kind: AuthenticatorType) -> &'static str {
    match kind {
        AuthenticatorType::Password | AuthenticatorType::Passkey => "key",
        AuthenticatorType::Totp | AuthenticatorType::SmsCode => "phone",
        AuthenticatorType::EmailCode => "mail",
        AuthenticatorType::MagicLink => "link",
        AuthenticatorType::RecoveryCodes => "lock",
    }
}

async fn authenticator_row(page: &ConsoleCx, profile: &Profile, one: &Authenticator) -> Result<Row, Error> {
    let (user, now) = (&profile.user, page.now());
    let detail = match (one.kind, profile.recovery_codes_left) {
        (AuthenticatorType::Password, _) => user.username.clone(),
        (AuthenticatorType::RecoveryCodes, Some(left)) => format!("{left} left"),
        _ => one.label.clone(),
    };
    let until = one.locked_until(&profile.lockouts, now).or(one.deactivated_until.filter(|_| one.is_deactivated(now)));
    // Of clients that were deleted since, the id is left.
    let application = match &one.last_client_id {
        Some(id) => {
            let client = page.realm().client(page.app(), id).await?;
            Some(client.map_or_else(|| id.clone(), |client| client.name.clone()))
        }
        None => None,
    };
    Ok(Row {
        id: one.id.to_string(),
        icon: icon(one.kind),
        label: if one.temporary { "Temporary password" } else { one.kind.title() },
        detail,
        status: status(one.status(user.enabled, &profile.lockouts, now)),
        until: page.time_opt(until),
        registered_at: page.time(one.registered_at),
        last_used_at: page.time_opt(one.last_used_at),
        device: one.last_device.clone(),
        application,
        place: one.last_place.clone(),
        actions: if page.can().credentials_reset { actions_on(page, profile, one) } else { Vec::new() },
    })
}

fn key_row(page: &ConsoleCx, profile: &Profile, key: &ApiKey) -> Row {
    let state = match (profile.user.enabled && !is_expired(page, key), key.last_used_at) {
        (false, _) => AuthenticatorStatus::Deactivated,
        (true, None) => AuthenticatorStatus::Registered,
        (true, Some(_)) => AuthenticatorStatus::Active,
    };
    Row {
        id: key.id.to_string(),
        icon: "key",
        label: "API key",
        detail: format!("{} · {}…", key.name, key.hint),
        status: status(state),
        registered_at: page.time(key.created_at),
        last_used_at: page.time_opt(key.last_used_at),
        device: None,
        application: None,
        place: None,
        until: None,
        actions: Vec::new(),
    }
}

/// What can be asked of a user's record, as far as it is not there and can be sent for. Whether a profile is complete
/// is said when it is asked for.
fn requirable(page: &ConsoleCx, user: &User) -> Vec<(RequiredAction, &'static str)> {
    let verified = VerificationState::Verified;
    let email = page.app().sends_mail() && user.email.is_some() && user.email_state != verified;
    let phone = page.app().sms_configured() && user.phone.is_some() && user.phone_state != verified;
    let all = [
        (email, RequiredAction::VerifyEmail, "Require email verification"),
        (phone, RequiredAction::VerifyPhone, "Require phone verification"),
        (true, RequiredAction::CompleteProfile, "Require a complete profile"),
    ];
    all.into_iter().filter(|(possible, ..)| *possible).map(|(_, action, label)| (action, label)).collect()
}

fn required(page: &ConsoleCx, profile: &Profile) -> Required {
    let row = |waiting: &Waiting| WaitingRow {
        action: waiting.action.as_str(),
        title: waiting.action.title(),
        since: page.time_opt(waiting.requested_at),
        request: waiting.request.as_ref().map(|request| RequestView::new(page, profile.user.id, request)),
    };
    let named = |(action, label): (RequiredAction, &'static str)| Requirable { action: action.as_str(), label };
    let can_change = page.can().credentials_reset;
    let free = |action| can_change && !profile.waiting.iter().any(|waiting| waiting.action == action);
    Required {
        items: profile.waiting.iter().map(row).collect(),
        can_change,
        can_require_otp: free(RequiredAction::ConfigureOtp),
        can_require_passkey: free(RequiredAction::RegisterPasskey) && passkeys::are_available(page.app()),
        others: requirable(page, &profile.user).into_iter().filter(|(action, _)| free(*action)).map(named).collect(),
    }
}

pub(super) async fn show(page: ConsoleCx, Whose(id): Whose) -> Answer {
    let profile = Profile::load(&page, id).await?;
    let machine = profile.user.kind == UserKind::Machine;
    let mut rows = Vec::with_capacity(profile.authenticators.len());
    for one in &profile.authenticators {
        rows.push(authenticator_row(&page, &profile, one).await?);
    }
    let keys = profile.keys.iter().map(|key| key_row(&page, &profile, key));
    let tab = AuthenticatorsTab {
        password: (!machine).then(|| password_panel(&page, &profile)),
        api_keys: machine.then(|| panel(&page, &profile)),
        authenticators: rows.into_iter().chain(keys).collect(),
        locked_until: page.time_opt(profile.locked_until(&page)),
        can_unlock: page.can().credentials_reset,
        add_email: !machine && page.can().users_write && profile.user.email.is_none(),
        add_phone: !machine && page.can().users_write && profile.user.phone.is_none(),
        required: (!machine).then(|| required(&page, &profile)),
    };
    let at = at(&page, &profile.user, Some("Authenticators"));
    page.page("console/users/authenticators.html", at, &profile.page(&page, Tab::Authenticators, tab))
}
