//! The Authenticators tab: the password panel of people, the API keys of machines.

use axum::extract::FromRequestParts;
use denizen_model::{
    ApiKeyId, Timestamp,
    authenticators::{ApiKey, Authenticator, AuthenticatorStatus, AuthenticatorType, RequiredAction},
    permissions::{
        Permission,
        markers::{CredentialsReveal, CredentialsSet},
    },
    realms::ApiKeyStorage,
    users::UserKind,
};
use denizen_ops::{
    Error,
    api_keys::{self, NewKey},
    authenticators::passkeys,
    required_actions::Waiting,
};
use http::request::Parts;
use serde::Serialize;

use super::{
    Whose,
    authenticator::{RowAction, actions_on},
    confirm::{About, Confirm, key_page},
    path_id,
    resets::RequestView,
    show::{Profile, Tab, at},
};
use crate::{
    console::{
        Answer, PageError,
        forms::{Errors, Fields, Posted, mendable_in},
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
struct KeysPanel {
    can_write: bool,
    /// Whether the realm keeps hashes only.
    hashed: bool,
    items: Vec<Key>,
}

#[derive(Serialize)]
struct Key {
    id: String,
    href: String,
    name: String,
    prefix: String,
    labels: Vec<Label>,
    created_at: TimeView,
    last_used_at: Option<TimeView>,
    expires_at: Option<TimeView>,
    /// What it is limited to.
    scopes: Option<String>,
    can_reveal: bool,
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

fn is_expired(page: &ConsoleCx, key: &ApiKey) -> bool {
    key.expires_at.is_some_and(|at| at <= page.now())
}

fn key_view(page: &ConsoleCx, profile: &Profile, key: &ApiKey) -> Key {
    let expired = is_expired(page, key).then(|| Label::new("Expired", "danger"));
    let unused = key.last_used_at.is_none().then(|| Label::new("Never used", "neutral"));
    Key {
        id: key.id.to_string(),
        href: format!("{}/keys/{}", profile.href(page), key.id),
        name: key.name.clone(),
        prefix: key.hint.clone(),
        labels: expired.into_iter().chain(unused).collect(),
        created_at: page.time(key.created_at),
        last_used_at: page.time_opt(key.last_used_at),
        expires_at: page.time_opt(key.expires_at),
        scopes: (!key.scopes.is_empty()).then(|| names(&key.scopes)),
        can_reveal: key.sealed && !hashed(page) && page.can().credentials_reveal,
    }
}

fn names(permissions: &[Permission]) -> String {
    permissions.iter().map(|permission| permission.as_str()).collect::<Vec<_>>().join(", ")
}

fn hashed(page: &ConsoleCx) -> bool {
    page.settings().api_key_storage == ApiKeyStorage::Hashed
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

fn required(page: &ConsoleCx, profile: &Profile) -> Required {
    let row = |waiting: &Waiting| WaitingRow {
        action: waiting.action.as_str(),
        title: waiting.action.title(),
        since: page.time_opt(waiting.requested_at),
        request: waiting.request.as_ref().map(|request| RequestView::new(page, profile.user.id, request)),
    };
    let can_change = page.can().credentials_reset;
    let free = |action| can_change && !profile.waiting.iter().any(|waiting| waiting.action == action);
    Required {
        items: profile.waiting.iter().map(row).collect(),
        can_change,
        can_require_otp: free(RequiredAction::ConfigureOtp),
        can_require_passkey: free(RequiredAction::RegisterPasskey) && passkeys::are_available(page.app()),
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
        api_keys: machine.then(|| KeysPanel {
            can_write: page.can().credentials_set,
            hashed: hashed(&page),
            items: profile.keys.iter().map(|key| key_view(&page, &profile, key)).collect(),
        }),
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

pub(super) async fn new_key(page: ConsoleCx, Whose(id): Whose) -> Answer {
    page.may::<CredentialsSet>()?;
    ask_new(&page, &Profile::load(&page, id).await?, &Fields::default(), Errors::new())
}

#[derive(Serialize)]
struct NewKeyPage {
    name: String,
    action: String,
    cancel_href: String,
    hashed: bool,
    values: NewKeyValues,
    scopes: Vec<Scope>,
    errors: Errors,
}

#[derive(Serialize)]
struct NewKeyValues {
    name: String,
    expires_at: String,
}

#[derive(Serialize)]
struct Scope {
    name: &'static str,
    ticked: bool,
}

fn ask_new(page: &ConsoleCx, profile: &Profile, typed: &Fields, errors: Errors) -> Answer {
    let about = About { page, user: &profile.user };
    let ticked = typed.all("scopes");
    let scope =
        |permission: &Permission| Scope { name: permission.as_str(), ticked: ticked.contains(&permission.as_str()) };
    let content = NewKeyPage {
        name: profile.user.display_name().to_owned(),
        action: about.href("/keys/new"),
        cancel_href: about.href("/authenticators"),
        hashed: hashed(page),
        values: NewKeyValues { name: typed.text("name").to_owned(), expires_at: typed.text("expires_at").to_owned() },
        scopes: Permission::ALL.iter().map(scope).collect(),
        errors,
    };
    let (template, at) = ("console/users/new_key.html", at(page, &profile.user, Some("Create key")));
    if content.errors.is_empty() { page.page(template, at, &content) } else { page.refused(template, at, &content) }
}

/// The beginning of a day, in UTC.
fn read_day(typed: &str) -> Result<Option<Timestamp>, Error> {
    if typed.is_empty() {
        return Ok(None);
    }
    let start = format!("{typed}T00:00:00Z").parse();
    start.map(Some).map_err(|_| Error::field("expires_at", "Must be a day, such as 2027-01-31."))
}

fn read_new(typed: &Fields) -> Result<NewKey, Error> {
    let scopes = typed.all("scopes").into_iter().map(str::parse).collect::<Result<Vec<Permission>, _>>();
    let scopes = scopes.map_err(|error| Error::field("scopes", error.to_string()))?;
    let expires_at = read_day(typed.text("expires_at").trim())?;
    Ok(NewKey { name: typed.text("name").to_owned(), expires_at, scopes })
}

pub(super) async fn create_key(page: ConsoleCx, Whose(id): Whose, Posted(typed): Posted) -> Answer {
    let proof = page.may()?;
    let created = match read_new(&typed) {
        Ok(new) => api_keys::create(page.app(), page.cx(), proof, id, new).await,
        Err(error) => Err(error),
    };
    let profile = Profile::load(&page, id).await?;
    match created {
        Ok((key, secret)) => {
            let heading = format!("The key {} is ready", key.name);
            key_page(&page, &profile.user, heading, "Hand it to the script that will use it.", &secret)
        }
        Err(error) => ask_new(&page, &profile, &typed, mendable_in(error, &["name", "expires_at", "scopes"])?),
    }
}

/// The `{key}` of the path.
pub(super) struct Which(ApiKeyId);

impl<S: Send + Sync> FromRequestParts<S> for Which {
    type Rejection = PageError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, PageError> {
        Ok(Self(path_id(parts, state, "key").await?))
    }
}

fn find_key(profile: &Profile, id: ApiKeyId) -> Result<&ApiKey, Error> {
    profile.keys.iter().find(|key| key.id == id).ok_or_else(|| Error::not_found("API key"))
}

pub(super) async fn confirm_new(page: ConsoleCx, Whose(id): Whose, Which(key): Which) -> Answer {
    page.may::<CredentialsSet>()?;
    ask_regenerate(&page, &Profile::load(&page, id).await?, key, Errors::new())
}

fn ask_regenerate(page: &ConsoleCx, profile: &Profile, id: ApiKeyId, errors: Errors) -> Answer {
    let key = find_key(profile, id)?;
    let about = About { page, user: &profile.user };
    let confirm = Confirm {
        title: format!("Regenerate the key {}?", key.name),
        lead: "A new key takes its place and is shown on the next page.".to_owned(),
        facts: vec!["The present one stops working at once.".to_owned(), "Name, scopes and expiry stay.".to_owned()],
        action: about.href(&format!("/keys/{id}/regenerate")),
        submit: "Regenerate key",
        danger: true,
        cancel_href: about.href("/authenticators"),
        fields: Vec::new(),
    };
    about.ask("Regenerate key", confirm, errors)
}

pub(super) async fn regenerate_key(page: ConsoleCx, Whose(id): Whose, Which(key): Which) -> Answer {
    let renewed = api_keys::regenerate(page.app(), page.cx(), page.may()?, id, key).await;
    let profile = Profile::load(&page, id).await?;
    match renewed {
        Ok((key, secret)) => {
            let lead = "The old key no longer works. Hand this one to the script that uses it.";
            key_page(&page, &profile.user, format!("The key {} is renewed", key.name), lead, &secret)
        }
        Err(error) => ask_regenerate(&page, &profile, key, mendable_in(error, &[])?),
    }
}

pub(super) async fn confirm_reveal(page: ConsoleCx, Whose(id): Whose, Which(key): Which) -> Answer {
    page.may::<CredentialsReveal>()?;
    ask_reveal(&page, &Profile::load(&page, id).await?, key, Errors::new())
}

fn ask_reveal(page: &ConsoleCx, profile: &Profile, id: ApiKeyId, errors: Errors) -> Answer {
    let key = find_key(profile, id)?;
    let about = About { page, user: &profile.user };
    let confirm = Confirm {
        title: format!("Show the key {}?", key.name),
        lead: "It is shown on the next page. The audit log says that you saw it.".to_owned(),
        facts: Vec::new(),
        action: about.href(&format!("/keys/{id}/reveal")),
        submit: "Show key",
        danger: false,
        cancel_href: about.href("/authenticators"),
        fields: Vec::new(),
    };
    about.ask("Show key", confirm, errors)
}

pub(super) async fn reveal_key(page: ConsoleCx, Whose(id): Whose, Which(key): Which) -> Answer {
    let shown = api_keys::reveal(page.app(), page.cx(), page.may()?, id, key).await;
    let profile = Profile::load(&page, id).await?;
    match shown {
        Ok(secret) => {
            let heading = format!("The key {}", find_key(&profile, key)?.name);
            key_page(&page, &profile.user, heading, "It is the one that is in use.", &secret)
        }
        Err(error) => ask_reveal(&page, &profile, key, mendable_in(error, &[])?),
    }
}

pub(super) async fn confirm_delete(page: ConsoleCx, Whose(id): Whose, Which(key): Which) -> Answer {
    page.may::<CredentialsSet>()?;
    ask_delete(&page, &Profile::load(&page, id).await?, key, Errors::new())
}

fn ask_delete(page: &ConsoleCx, profile: &Profile, id: ApiKeyId, errors: Errors) -> Answer {
    let key = find_key(profile, id)?;
    let about = About { page, user: &profile.user };
    let used = TimeView::opt(key.last_used_at, page.now());
    let used =
        used.map_or_else(|| "It was never used.".to_owned(), |used| format!("It was last used {}.", used.relative));
    let confirm = Confirm {
        title: format!("Delete the key {}?", key.name),
        lead: "It stops working at once. This is final.".to_owned(),
        facts: vec![used],
        action: about.href(&format!("/keys/{id}/delete")),
        submit: "Delete key",
        danger: true,
        cancel_href: about.href("/authenticators"),
        fields: Vec::new(),
    };
    about.ask("Delete key", confirm, errors)
}

pub(super) async fn delete_key(page: ConsoleCx, Whose(id): Whose, Which(key): Which) -> Answer {
    match api_keys::delete(page.app(), page.cx(), page.may()?, id, key).await {
        Ok(()) => page.done(&format!("{}/authenticators", super::show::user_href(&page, id)), "The key is deleted."),
        Err(error) => ask_delete(&page, &Profile::load(&page, id).await?, key, mendable_in(error, &[])?),
    }
}
