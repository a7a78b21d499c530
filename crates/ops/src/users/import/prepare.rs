//! What can be told of a row without the database: whether its values are acceptable, and whom it would make.

use denizen_model::{
    events::NewEvent,
    imports::{ImportField, ImportUser, rows_of},
    jobs::ImportUsers,
    text::fold,
    users::{NewHuman, NewMachine, User, UserKind, UserPatch, VerificationState},
    validation::FieldErrors,
};

use super::{delimiter, needed};
use crate::{
    App, Cx, RealmState,
    crypto::password::StoredHash,
    users::{check_attributes, human, machine},
};

/// A row that was looked at.
pub(crate) struct Prepared {
    /// Its line in the file.
    pub(crate) line: u64,
    /// What the row calls its user.
    pub(crate) subject: String,
    /// What it says, or what is wrong with it, by the fields' names.
    pub(crate) wanted: Result<Wanted, FieldErrors>,
}

/// What a row says.
pub(crate) struct Wanted {
    /// The folded username: whom it is about.
    pub(crate) key: String,
    /// The values.
    pub(crate) says: ImportUser,
    /// Whom it makes if there is no such user, unless that is not acceptable.
    pub(crate) new: Result<Box<User>, FieldErrors>,
}

/// Looks at the rows of a piece.
pub(crate) fn prepare(
    app: &App,
    cx: &Cx,
    state: &RealmState,
    import: &ImportUsers,
    piece: &str,
    first_line: u64,
) -> Vec<Prepared> {
    let rows = rows_of(import.format, piece, delimiter(import), first_line, &import.columns);
    rows.into_iter()
        .map(|(line, row)| {
            let subject = row.as_ref().map(|row| row.subject()).unwrap_or_default();
            let wanted = row.and_then(|row| row.read(&state.attributes)).and_then(|says| wanted(app, cx, state, says));
            Prepared { line, subject, wanted }
        })
        .collect()
}

fn wanted(app: &App, cx: &Cx, state: &RealmState, says: ImportUser) -> Result<Wanted, FieldErrors> {
    let mut errors = FieldErrors::new();
    let name = says.username.clone().or_else(|| says.email.clone().flatten());
    let key = name.map(|name| fold(&name)).unwrap_or_default();
    if key.is_empty() {
        // Machines could do without, but then a second import would make them again.
        errors.add("username", "There is neither a username nor an email.");
    }
    if let Some(hash) = &says.password_hash
        && let Err(fault) = StoredHash::parse(hash)
    {
        errors.add("password_hash", fault.to_string());
    }
    let in_the_past = |at: denizen_model::Timestamp| at.as_micros() > 0 && at <= cx.now;
    for (field, at) in [("created_at", says.created_at), ("last_sign_in_at", says.last_sign_in_at)] {
        if at.is_some_and(|at| !in_the_past(at)) {
            errors.add(field, "Must be between 1970 and now.");
        }
    }
    errors.into_result()?;
    let new = new_user(app, cx, state, &says).map(Box::new);
    Ok(Wanted { key, says, new })
}

/// The user whom a row makes, by the rules of creation.
fn new_user(app: &App, cx: &Cx, state: &RealmState, says: &ImportUser) -> Result<User, FieldErrors> {
    let mut errors = FieldErrors::new();
    let mut attributes = says.attributes.clone();
    attributes.retain(|_, value| !value.is_null());
    let mut user = match says.kind.unwrap_or(UserKind::Human) {
        UserKind::Human => {
            if says.name.is_some() {
                errors.add("name", "A person's name is made of given and family name.");
            }
            let new = NewHuman {
                email: says.email.clone().flatten(),
                username: says.username.clone(),
                given_name: says.given_name.clone().flatten(),
                family_name: says.family_name.clone().flatten(),
                phone: says.phone.clone().flatten(),
                locale: says.locale.clone().flatten(),
                zoneinfo: says.zoneinfo.clone().flatten(),
                reference: says.reference.clone().flatten(),
                attributes,
                email_verified: says.email_verified == Some(true),
            };
            human(app, cx, state, new, &mut errors)
        }
        UserKind::Machine => {
            check_machine(says, &mut errors);
            if says.username.is_none() {
                errors.add("username", "A machine needs a username here, so that a second import knows it.");
            }
            let new = NewMachine {
                name: says.name.clone().unwrap_or_default(),
                username: says.username.clone(),
                email: says.email.clone().flatten(),
                reference: says.reference.clone().flatten(),
                attributes,
            };
            let user = machine(app, cx, state, new, &mut errors);
            check_attributes(state, &user, &mut errors);
            user
        }
    };
    if says.email_verified == Some(true) && user.email.is_none() {
        errors.add("email_verified", "There is nothing here to be verified.");
    }
    if says.phone_verified == Some(true) {
        user.phone_state = VerificationState::Verified;
        if user.phone.is_none() {
            errors.add("phone_verified", "There is nothing here to be verified.");
        }
    }
    if says.enabled == Some(false) {
        (user.enabled, user.disabled_at) = (false, Some(cx.now));
    }
    user.created_at = says.created_at.unwrap_or(user.created_at);
    user.last_sign_in_at = says.last_sign_in_at;
    errors.into_result()?;
    Ok(user)
}

/// What machines do not have.
pub(super) fn check_machine(says: &ImportUser, errors: &mut FieldErrors) {
    let of_people = [
        ("email_verified", says.email_verified == Some(true)),
        ("given_name", matches!(says.given_name, Some(Some(_)))),
        ("family_name", matches!(says.family_name, Some(Some(_)))),
        ("phone", matches!(says.phone, Some(Some(_)))),
        ("locale", matches!(says.locale, Some(Some(_)))),
        ("zoneinfo", matches!(says.zoneinfo, Some(Some(_)))),
        ("password_hash", says.password_hash.is_some()),
    ];
    for (field, _) in of_people.into_iter().filter(|(_, given)| *given) {
        errors.add(field, "Only people have this.");
    }
}

/// What a row changes about a user who exists.
pub(super) fn patch(says: &ImportUser, before: &User) -> UserPatch {
    // The same address in other letters is no other address, and stays verified.
    let same = |email: &Option<String>| match (email, &before.email) {
        (Some(email), Some(before)) => email.eq_ignore_ascii_case(before),
        _ => false,
    };
    let state = |verified: bool| {
        if verified { VerificationState::Verified } else { VerificationState::Unverified }
    };
    UserPatch {
        username: None,
        email: says.email.clone().filter(|email| !same(email)),
        email_state: says.email_verified.map(state),
        phone: says.phone.clone(),
        phone_state: says.phone_verified.map(state),
        given_name: says.given_name.clone(),
        family_name: says.family_name.clone(),
        name: says.name.clone(),
        locale: says.locale.clone(),
        zoneinfo: says.zoneinfo.clone(),
        reference: says.reference.clone(),
        attributes: (!says.attributes.is_empty()).then(|| says.attributes.clone()),
    }
}

/// Refuses what whoever started the import may not set.
pub(super) fn check_allowed(says: &ImportUser, allowed: &dyn Fn(&str) -> bool, errors: &mut FieldErrors) {
    let given = [
        (ImportField::PasswordHash, says.password_hash.is_some()),
        (ImportField::Roles, !says.roles.is_empty()),
        (ImportField::Groups, !says.groups.is_empty()),
        (ImportField::Organizations, !says.organizations.is_empty()),
    ];
    for (field, _) in given.iter().filter(|(_, given)| *given) {
        if let Some(permission) = needed(field)
            && !allowed(permission.as_str())
        {
            errors.add(&field.to_string(), format!("This needs the permission {permission}."));
        }
    }
}

/// Which import an event belongs to.
pub(super) fn of_import(event: NewEvent, job: denizen_model::JobId, line: u64) -> NewEvent {
    use crate::cx::Detail as _;
    event.detail("job_id", job.to_string()).detail("line", line)
}
