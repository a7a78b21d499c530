//! The password policy (PRODUCT §15): one check for every way in which a password is set.
//!
//! All rules that a password misses are told at once. What takes a look-up (breached passwords, passwords the user had
//! before) is looked up here, before any transaction begins; the result of [`check`] goes into the event of the change.

mod breach;
mod common;
mod file;
mod range;

use denizen_model::{
    events::NewEvent,
    passwords::{BREACHED, COMMON, MAX_PASSWORD, SAME, USED, check_rules},
    permissions::markers::SettingsRead,
    realms::RealmSettings,
    users::User,
    validation::{FieldErrors, Message},
};
use denizen_store as store;

pub(crate) use breach::Breaches;
pub use breach::Source;

use self::breach::Found;
use crate::{
    App, Cx, Error, May, Result,
    crypto::{Secret, password::HashError},
    cx::Detail,
};

/// The field that a password is typed into, in every form and body.
const FIELD: &str = "password";

/// How a password that was accepted was held against breached ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "the event of the change says so"]
pub(crate) enum BreachCheck {
    /// The realm does not ask for it.
    Off,
    /// It is not among them.
    Passed,
    /// The source could not be reached, so that it was held against the common passwords alone.
    Unavailable,
    /// No source is configured: likewise.
    NoSource,
}

impl BreachCheck {
    /// The event of the change, saying so.
    pub(crate) fn told(self, event: NewEvent) -> NewEvent {
        let how = match self {
            Self::Off => return event,
            Self::Passed => "passed",
            Self::Unavailable => "unavailable",
            Self::NoSource => "no_source",
        };
        event.detail("breach_check", how)
    }
}

/// Checks the first password of somebody who is about to be made.
///
/// # Errors
/// Never for what is wrong with the password: that goes to `errors`.
pub(crate) async fn check_first(
    app: &App,
    settings: &RealmSettings,
    user: &User,
    password: &str,
    errors: &mut FieldErrors,
) -> Result<BreachCheck> {
    note_rules(settings, user, password, errors);
    if !is_looked_up(password) {
        return Ok(BreachCheck::Off);
    }
    let (checked, wrong) = look_up(app, settings, password).await;
    wrong.into_iter().for_each(|message| errors.also(FIELD, message));
    Ok(checked)
}

/// Checks a password that a user is about to get.
///
/// # Errors
/// When the database or the hashing pool fails; what is wrong with the password goes to `errors`.
pub(crate) async fn check(
    app: &App,
    settings: &RealmSettings,
    user: &User,
    password: &str,
    errors: &mut FieldErrors,
) -> Result<BreachCheck> {
    note_rules(settings, user, password, errors);
    if !is_looked_up(password) {
        return Ok(BreachCheck::Off);
    }
    let (breach, used) = tokio::join!(look_up(app, settings, password), used_before(app, settings, user, password));
    let (checked, wrong) = breach;
    wrong.into_iter().chain(used?).for_each(|message| errors.also(FIELD, message));
    Ok(checked)
}

/// What cannot be a password is neither hashed nor looked up, however often it is sent.
fn is_looked_up(password: &str) -> bool {
    !password.is_empty() && password.chars().count() <= MAX_PASSWORD
}

fn note_rules(settings: &RealmSettings, user: &User, password: &str, errors: &mut FieldErrors) {
    let own: Vec<&str> = [Some(user.username.as_str()), user.email.as_deref()].into_iter().flatten().collect();
    check_rules(FIELD, password, settings, &own, errors);
}

async fn look_up(app: &App, settings: &RealmSettings, password: &str) -> (BreachCheck, Option<Message>) {
    if !settings.password_block_breached {
        return (BreachCheck::Off, None);
    }
    if common::contains(password) {
        return (BreachCheck::Passed, Some((&COMMON).into()));
    }
    match app.breaches().find(app.now(), password).await {
        Found::Nowhere => (BreachCheck::Passed, None),
        Found::Unavailable => (BreachCheck::Unavailable, None),
        Found::NoSource => (BreachCheck::NoSource, None),
        Found::Breached => (BreachCheck::Passed, Some((&BREACHED).into())),
    }
}

/// Whether it is one of the user's last passwords, as far back as the realm looks. They are tried one after the other, so
/// that one change of a password never takes more than one thread of the hashing pool.
async fn used_before(app: &App, settings: &RealmSettings, user: &User, password: &str) -> Result<Option<Message>> {
    let (id, count) = (user.id, settings.password_history);
    if count == 0 {
        return Ok(None);
    }
    let (present, before) = app
        .db()
        .peek(move |tx| {
            let present = store::authenticators::find_password(tx, id)?;
            // A temporary one is not the user's own, so it does not count; it is refused all the same.
            let own = u32::from(present.as_ref().is_some_and(|present| !present.temporary));
            Ok::<_, Error>((present, store::password_history::list(tx, id, count.saturating_sub(own))?))
        })
        .await?;
    if let Some(present) = present
        && is_password_of(app, password, present.phc).await?
    {
        return Ok(Some((&SAME).into()));
    }
    for phc in before {
        if is_password_of(app, password, phc).await? {
            return Ok(Some(Message::of(&USED, &[("count", &count)])));
        }
    }
    Ok(None)
}

async fn is_password_of(app: &App, password: &str, phc: String) -> Result<bool> {
    match app.hasher().verify(Secret::from(password), phc).await {
        Ok(verdict) => Ok(verdict.ok),
        // A hash that nobody can sign in with keeps nobody from a new password.
        Err(HashError::Malformed | HashError::Params) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// How many common passwords are built in.
#[must_use]
pub fn common_passwords() -> usize {
    common::count()
}

/// Where breached passwords are looked up, as the operator configured it.
#[must_use]
pub fn source<'a>(app: &'a App, _cx: &Cx, _may: May<SettingsRead>) -> &'a Source {
    app.breaches().source()
}

/// Whether the source of breached passwords answers; says where it is.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub async fn check_source(app: &App) -> std::result::Result<String, String> {
    app.breaches().check().await
}

#[cfg(test)]
mod tests;
