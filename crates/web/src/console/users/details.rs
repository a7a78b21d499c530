//! The Details tab: the record, saved as a whole; a save over somebody else's change is refused with both shown.

use denizen_model::{
    attribute_definitions::AttributeAccess,
    events::EventQuery,
    users::{User, UserKind, UserPatch, VerificationState},
};
use denizen_ops::{ErrorKind, events, users};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    Whose, attributes,
    declared::{self, Form},
    show::{Profile, Tab, at, user_href},
};
use crate::{
    console::{
        Answer,
        forms::{Errors, Fields, Posted, mendable},
        frame::ConsoleCx,
    },
    render::TimeView,
};

#[derive(Serialize)]
struct DetailsTab {
    conflict: Option<Conflict>,
    version: String,
    values: Values,
    errors: Errors,
    username_editable: bool,
    editable: bool,
}

#[derive(Serialize)]
struct Conflict {
    by: String,
    at: TimeView,
    differences: Vec<Difference>,
}

#[derive(Serialize)]
struct Difference {
    label: String,
    theirs: String,
    yours: String,
}

#[derive(Serialize)]
struct Values {
    name: String,
    given_name: String,
    family_name: String,
    username: String,
    email: String,
    email_verified: bool,
    phone: String,
    phone_verified: bool,
    locale: String,
    zoneinfo: String,
    reference: String,
    /// The declared attributes, each a field.
    declared: Vec<declared::Field>,
    /// The others, as lines.
    attributes: String,
    /// Whether the form has a place for the others.
    others: bool,
}

/// The fields the form has for every user, humans only, machines only.
const SHOWN: [&str; 10] = [
    "name",
    "given_name",
    "family_name",
    "username",
    "email",
    "phone",
    "locale",
    "zoneinfo",
    "reference",
    "attributes",
];

impl Values {
    fn of(page: &ConsoleCx, user: &User) -> Self {
        let definitions = &page.realm().attributes;
        let others = declared::undeclared(definitions, &user.attributes);
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        Self {
            name: user.name.clone(),
            given_name: text(&user.given_name),
            family_name: text(&user.family_name),
            username: user.username.clone(),
            email: text(&user.email),
            email_verified: user.email_state == VerificationState::Verified,
            phone: text(&user.phone),
            phone_verified: user.phone_state == VerificationState::Verified,
            locale: text(&user.locale),
            zoneinfo: text(&user.zoneinfo),
            reference: text(&user.reference),
            declared: declared::fields(Form::Details, definitions, &user.attributes, None),
            attributes: attributes::write(&others),
            others: page.settings().undeclared_attributes_allowed || !others.is_empty(),
        }
    }

    /// What was typed, over what the form does not have.
    fn typed(page: &ConsoleCx, user: &User, typed: &Fields) -> Self {
        let text = |name| typed.text(name).to_owned();
        let mut values = Self::of(page, user);
        if user.kind == UserKind::Machine {
            values.name = text("name");
        } else {
            (values.given_name, values.family_name) = (text("given_name"), text("family_name"));
            (values.email, values.phone) = (text("email"), text("phone"));
            (values.email_verified, values.phone_verified) =
                (typed.ticked("email_verified"), typed.ticked("phone_verified"));
            (values.locale, values.zoneinfo) = (text("locale"), text("zoneinfo"));
        }
        if username_editable(page, user) {
            values.username = text("username");
        }
        values.declared = declared::fields(Form::Details, &page.realm().attributes, &user.attributes, Some(typed));
        (values.reference, values.attributes) = (text("reference"), text("attributes").replace("\r\n", "\n"));
        values
    }

    fn differences(&self, theirs: &Self) -> Vec<Difference> {
        let yes = |verified: bool| if verified { "Verified" } else { "Not verified" }.to_owned();
        let pairs = [
            ("Name", theirs.name.clone(), self.name.clone()),
            ("Given name", theirs.given_name.clone(), self.given_name.clone()),
            ("Family name", theirs.family_name.clone(), self.family_name.clone()),
            ("Username", theirs.username.clone(), self.username.clone()),
            ("Email", theirs.email.clone(), self.email.clone()),
            ("Email state", yes(theirs.email_verified), yes(self.email_verified)),
            ("Phone", theirs.phone.clone(), self.phone.clone()),
            ("Phone state", yes(theirs.phone_verified), yes(self.phone_verified)),
            ("Language", theirs.locale.clone(), self.locale.clone()),
            ("Time zone", theirs.zoneinfo.clone(), self.zoneinfo.clone()),
            ("Reference", theirs.reference.clone(), self.reference.clone()),
            ("Other attributes", theirs.attributes.clone(), self.attributes.clone()),
        ];
        let own = pairs.into_iter().map(|(label, theirs, yours)| (label.to_owned(), theirs, yours));
        let fields = theirs.declared.iter().zip(&self.declared);
        let fields = fields.map(|(theirs, yours)| (theirs.label.clone(), theirs.text.clone(), yours.text.clone()));
        let changed = own.chain(fields).filter(|(_, theirs, yours)| theirs.trim() != yours.trim());
        changed.map(|(label, theirs, yours)| Difference { label, theirs, yours }).collect()
    }
}

fn username_editable(page: &ConsoleCx, user: &User) -> bool {
    user.kind == UserKind::Machine || page.settings().username_changeable
}

fn show_tab(page: &ConsoleCx, profile: &Profile, values: Values, errors: Errors, conflict: Option<Conflict>) -> Answer {
    let fine = errors.is_empty() && conflict.is_none();
    let tab = DetailsTab {
        conflict,
        version: profile.user.version.to_string(),
        values,
        errors,
        username_editable: username_editable(page, &profile.user),
        editable: page.can().users_write,
    };
    let content = profile.page(page, Tab::Details, tab);
    let (template, at) = ("console/users/details.html", at(page, &profile.user, None));
    if fine { page.page(template, at, &content) } else { page.refused(template, at, &content) }
}

pub(super) async fn show(page: ConsoleCx, Whose(id): Whose) -> Answer {
    let profile = Profile::load(&page, id).await?;
    show_tab(&page, &profile, Values::of(&page, &profile.user), Errors::new(), None)
}

/// A state changes only where the box says other than it did. A new address is not verified by a box that was
/// ticked for the old one.
fn state(before: VerificationState, same: bool, ticked: bool) -> Option<VerificationState> {
    match (same, before == VerificationState::Verified, ticked) {
        (true, false, true) => Some(VerificationState::Verified),
        (true, true, false) => Some(VerificationState::Unverified),
        _ => None,
    }
}

/// What was typed of the attributes: the fields of the declared ones and the lines of the others.
fn read_attributes(page: &ConsoleCx, user: &User, typed: &Fields) -> Result<Map<String, Value>, Errors> {
    let definitions = &page.realm().attributes;
    let mut errors = Errors::new();
    let mut changed = declared::read(Form::Details, definitions, &user.attributes, typed, &mut errors);
    let lines = attributes::read(typed.text("attributes")).and_then(|lines| {
        // What one may not see or change in its field cannot be changed here either.
        match lines.keys().find(|key| definitions.get(key).is_some()) {
            Some(key) => Err(format!("{key} is an attribute that this realm defines. It has its own field.")),
            None => Ok(lines),
        }
    });
    match lines {
        Ok(lines) => changed.extend(attributes::patch(&declared::undeclared(definitions, &user.attributes), lines)),
        Err(message) => drop(errors.insert("attributes".to_owned(), message)),
    }
    if errors.is_empty() { Ok(changed) } else { Err(errors) }
}

fn patch(page: &ConsoleCx, user: &User, typed: &Fields) -> Result<UserPatch, Errors> {
    let username_editable = username_editable(page, user);
    let mut patch = UserPatch {
        reference: Some(typed.given("reference")),
        attributes: Some(read_attributes(page, user, typed)?),
        username: username_editable.then(|| typed.text("username").trim().to_owned()),
        ..UserPatch::default()
    };
    if user.kind == UserKind::Machine {
        patch.name = Some(typed.text("name").to_owned());
        return Ok(patch);
    }
    let (email, phone) = (typed.given("email"), typed.given("phone"));
    patch.email_state = state(user.email_state, email == user.email, typed.ticked("email_verified"));
    patch.phone_state = state(user.phone_state, phone == user.phone, typed.ticked("phone_verified"));
    (patch.email, patch.phone) = (Some(email), Some(phone));
    (patch.given_name, patch.family_name) = (Some(typed.given("given_name")), Some(typed.given("family_name")));
    (patch.locale, patch.zoneinfo) = (Some(typed.given("locale")), Some(typed.given("zoneinfo")));
    Ok(patch)
}

pub(super) async fn save(page: ConsoleCx, Whose(id): Whose, Posted(typed): Posted) -> Answer {
    let proof = page.may()?;
    let before = users::get(page.app(), page.cx(), page.may()?, id).await?;
    let saved = match patch(&page, &before, &typed) {
        Ok(patch) => users::update(page.app(), page.cx(), proof, id, patch, typed.version()).await,
        Err(errors) => {
            let profile = Profile::load(&page, id).await?;
            // The version typed over stays, or a conflict would go unnoticed at the next try.
            let yours = Values::typed(&page, &before, &typed);
            return show_tab(&page, &profile.at_version(&typed), yours, errors, None);
        }
    };
    let error = match saved {
        Ok(user) => return page.done(&user_href(&page, id), format!("{} is saved.", user.display_name())),
        Err(error) => error,
    };
    let profile = Profile::load(&page, id).await?;
    let yours = Values::typed(&page, &profile.user, &typed);
    if matches!(*error.kind, ErrorKind::Changed) {
        let conflict = Conflict {
            by: last_editor(&page, &profile.user).await,
            at: page.time(profile.user.updated_at),
            differences: yours.differences(&Values::of(&page, &profile.user)),
        };
        return show_tab(&page, &profile, yours, Errors::new(), Some(conflict));
    }
    let errors = at_fields(&page, mendable(error)?, yours.others);
    show_tab(&page, &profile.at_version(&typed), yours, errors, None)
}

/// Who made the last change, as far as the reader may know.
async fn last_editor(page: &ConsoleCx, user: &User) -> String {
    let query = EventQuery { subject: Some(user.id.to_string()), limit: 1, ..EventQuery::default() };
    let found = match page.may() {
        Ok(proof) => events::list(page.app(), page.cx(), proof, query).await.ok(),
        Err(_) => None,
    };
    let name = found.and_then(|found| found.items.into_iter().next()).map(|event| event.actor.name);
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| "Somebody".to_owned())
}

/// Messages about what the form shows under another name, or not at all.
fn at_fields(page: &ConsoleCx, errors: Errors, others: bool) -> Errors {
    let mut out = Errors::new();
    for (field, message) in errors {
        if let Some(key) = field.strip_prefix("attributes.") {
            match page.realm().attributes.get(key) {
                Some(definition) if definition.spec.console == AttributeAccess::Edit => {
                    out.insert(field, message);
                }
                declared => {
                    let place = if declared.is_none() && others { "attributes" } else { "form" };
                    out.entry(place.to_owned()).or_insert_with(|| format!("{key}: {message}"));
                }
            }
        } else if let Some(shown) = field.strip_suffix("_state") {
            out.insert(shown.to_owned(), message);
        } else if SHOWN.contains(&field.as_str()) || field == "form" {
            out.insert(field, message);
        } else {
            out.insert("form".to_owned(), format!("{field}: {message}"));
        }
    }
    out
}

impl Profile {
    /// The same profile for a form that keeps the version it was made from.
    fn at_version(mut self, typed: &Fields) -> Self {
        self.user.version = typed.version().unwrap_or(self.user.version);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_for_an_old_address_does_not_verify_a_new_one() {
        use VerificationState::{Unverified, VerificationRequested, Verified};
        assert_eq!(state(Verified, false, true), None);
        assert_eq!(state(Verified, true, true), None);
        assert_eq!(state(Verified, true, false), Some(Unverified));
        assert_eq!(state(Unverified, true, true), Some(Verified));
        assert_eq!(state(VerificationRequested, true, false), None);
    }
}
