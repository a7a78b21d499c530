//! The API keys of machines: their panel, and the pages to create, renew, show and delete one.

use axum::extract::FromRequestParts;
use denizen_model::{
    ApiKeyId, Timestamp,
    authenticators::ApiKey,
    permissions::{
        Permission,
        markers::{CredentialsReveal, CredentialsSet},
    },
    realms::ApiKeyStorage,
};
use denizen_ops::{
    Error,
    api_keys::{self, NewKey},
};
use http::request::Parts;
use serde::Serialize;

use super::{
    Whose,
    confirm::{About, Confirm, key_page},
    path_id,
    show::{Profile, at},
};
use crate::{
    console::{
        Answer, PageError,
        forms::{Errors, Fields, Posted, mendable_in},
        frame::ConsoleCx,
        words::Label,
    },
    render::TimeView,
};

#[derive(Serialize)]
pub(super) struct KeysPanel {
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

pub(super) fn panel(page: &ConsoleCx, profile: &Profile) -> KeysPanel {
    KeysPanel {
        can_write: page.can().credentials_set,
        hashed: hashed(page),
        items: profile.keys.iter().map(|key| key_view(page, profile, key)).collect(),
    }
}

pub(super) fn is_expired(page: &ConsoleCx, key: &ApiKey) -> bool {
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

pub(super) async fn new(page: ConsoleCx, Whose(id): Whose) -> Answer {
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

pub(super) async fn create(page: ConsoleCx, Whose(id): Whose, Posted(typed): Posted) -> Answer {
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

pub(super) async fn confirm_regenerate(page: ConsoleCx, Whose(id): Whose, Which(key): Which) -> Answer {
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

pub(super) async fn regenerate(page: ConsoleCx, Whose(id): Whose, Which(key): Which) -> Answer {
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

pub(super) async fn reveal(page: ConsoleCx, Whose(id): Whose, Which(key): Which) -> Answer {
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

pub(super) async fn delete(page: ConsoleCx, Whose(id): Whose, Which(key): Which) -> Answer {
    match api_keys::delete(page.app(), page.cx(), page.may()?, id, key).await {
        Ok(()) => page.done(&format!("{}/authenticators", super::show::user_href(&page, id)), "The key is deleted."),
        Err(error) => ask_delete(&page, &Profile::load(&page, id).await?, key, mendable_in(error, &[])?),
    }
}
