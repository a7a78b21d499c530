//! The Details tab: the record, saved as a whole; a save over somebody else's change is refused with both shown.

use denizen_model::{
    attribute_definitions::AttributeAccess,
    events::EventQuery,
    pages::MAX_LIMIT,
    users::{User, UserKind, UserPatch, VerificationState},
};
use denizen_ops::{ErrorKind, events, users};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    Whose, attributes,
    show::{Profile, Tab, at, contact_label, user_href},
};
use crate::{
    console::{
        Answer,
        forms::{Errors, Fields, Posted, mendable},
        frame::ConsoleCx,
        words::Label,
    },
    declared::{self, Form},
    render::TimeView,
};

#[derive(Serialize)]
struct DetailsTab {
    conflict: Option<Conflict>,
    version: String,
    was: Vec<Was>,
    values: Values,
    errors: Errors,
    username_editable: bool,
    editable: bool,
    email: Option<ContactView>,
    phone: Option<ContactView>,
}

#[derive(Serialize)]
struct Conflict {
    by: String,
    at: TimeView,
    differences: Vec<Difference>,
}

#[derive(Serialize)]
struct Difference {
    name: String,
    label: String,
    theirs: String,
    yours: String,
    /// Which of the two is kept unless the reader chooses otherwise.
    keep: &'static str,
}

/// What a field held when the form was made, so that a conflict can tell what was typed from what was left alone.
#[derive(Serialize)]
struct Was {
    name: String,
    value: String,
}

/// Whether an address or a number is verified, and what can be done about it.
#[derive(Serialize)]
struct ContactView {
    label: Label,
    verify: bool,
    unverify: bool,
    send: bool,
}

#[derive(Serialize)]
struct Values {
    name: String,
    given_name: String,
    family_name: String,
    username: String,
    email: String,
    phone: String,
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
            phone: text(&user.phone),
            locale: text(&user.locale),
            zoneinfo: text(&user.zoneinfo),
            reference: text(&user.reference),
            declared: declared::fields(Form::Details, definitions, &user.attributes, None),
            attributes: attributes::write(&others),
            others: page.settings().undeclared_attributes_allowed || !others.is_empty(),
        }
    }

    /// What was typed, over what the form does not have; of a conflict that was decided, what was chosen.
    fn typed(page: &ConsoleCx, user: &User, typed: &Fields) -> Self {
        let username_editable = username_editable(page, user);
        let mut values = Self::of(page, user);
        values.declared = declared::fields(Form::Details, &page.realm().attributes, &user.attributes, Some(typed));
        let human = user.kind == UserKind::Human;
        for (name, value, shown) in [
            ("name", &mut values.name, !human),
            ("given_name", &mut values.given_name, human),
            ("family_name", &mut values.family_name, human),
            ("username", &mut values.username, username_editable),
            ("email", &mut values.email, human),
            ("phone", &mut values.phone, human),
            ("locale", &mut values.locale, human),
            ("zoneinfo", &mut values.zoneinfo, human),
            ("reference", &mut values.reference, true),
            ("attributes", &mut values.attributes, values.others),
        ] {
            if shown && !keeps_theirs(typed, name) {
                *value = typed.text(name).replace("\r\n", "\n");
            }
        }
        values
    }

    /// The fields of the form: name, label, text.
    fn fields(&self, user: &User, username_editable: bool) -> Vec<(String, String, &str)> {
        let human = user.kind == UserKind::Human;
        let all = [
            ("name", "Name", &self.name, !human),
            ("given_name", "Given name", &self.given_name, human),
            ("family_name", "Family name", &self.family_name, human),
            ("username", "Username", &self.username, username_editable),
            ("email", "Email", &self.email, human),
            ("phone", "Phone", &self.phone, human),
            ("locale", "Language", &self.locale, human),
            ("zoneinfo", "Time zone", &self.zoneinfo, human),
            ("reference", "Reference", &self.reference, true),
            ("attributes", "Other attributes", &self.attributes, self.others),
        ];
        let shown = all.into_iter().filter(|(.., shown)| *shown);
        let own = shown.map(|(name, label, text, _)| (name.to_owned(), label.to_owned(), text.as_str()));
        let declared = self.declared.iter().filter(|field| field.is_editable());
        own.chain(declared.map(|field| (field.name().to_owned(), field.label.clone(), field.text.as_str()))).collect()
    }
}

/// Whether the other version of a field was chosen in a conflict.
fn keeps_theirs(typed: &Fields, name: &str) -> bool {
    typed.text(&format!("keep.{name}")) == "theirs"
}

/// The fields in which two versions differ. What was not touched since the form was made is taken from theirs
/// unless the reader says otherwise.
fn differences(page: &ConsoleCx, user: &User, yours: &Values, typed: &Fields) -> Vec<Difference> {
    let (theirs, editable) = (Values::of(page, user), username_editable(page, user));
    let pairs = yours.fields(user, editable).into_iter().zip(theirs.fields(user, editable));
    let differ = pairs.filter(|((_, _, yours), (_, _, theirs))| yours.trim() != theirs.trim());
    differ
        .map(|((name, label, yours), (_, _, theirs))| {
            let was = typed.text(&format!("was.{name}")).replace("\r\n", "\n");
            let untouched = was.trim() == yours.trim();
            Difference {
                name,
                label,
                theirs: theirs.to_owned(),
                yours: yours.to_owned(),
                keep: if untouched { "theirs" } else { "yours" },
            }
        })
        .collect()
}

fn contact(
    user: &User,
    editable: bool,
    value: Option<&String>,
    state: VerificationState,
    mail: bool,
) -> Option<ContactView> {
    value?;
    let verified = state == VerificationState::Verified;
    Some(ContactView {
        label: contact_label(state),
        verify: editable && !verified,
        unverify: editable && verified,
        send: editable && mail && !verified && user.kind == UserKind::Human,
    })
}

fn username_editable(page: &ConsoleCx, user: &User) -> bool {
    user.kind == UserKind::Machine || page.settings().username_changeable
}

fn show_tab(page: &ConsoleCx, profile: &Profile, values: Values, errors: Errors, conflict: Option<Conflict>) -> Answer {
    let fine = errors.is_empty() && conflict.is_none();
    let (user, editable) = (&profile.user, page.can().users_write);
    let username_editable = username_editable(page, user);
    let own = Values::of(page, user);
    let was = own.fields(user, username_editable).into_iter();
    let tab = DetailsTab {
        conflict,
        version: user.version.to_string(),
        was: was.map(|(name, _, value)| Was { name, value: value.to_owned() }).collect(),
        values,
        errors,
        username_editable,
        editable,
        email: contact(user, editable, user.email.as_ref(), user.email_state, true),
        phone: contact(user, editable, user.phone.as_ref(), user.phone_state, false),
    };
    let content = profile.page(page, Tab::Details, tab);
    let (template, at) = ("console/users/details.html", at(page, &profile.user, None));
    if fine { page.page(template, at, &content) } else { page.refused(template, at, &content) }
}

pub(super) async fn show(page: ConsoleCx, Whose(id): Whose) -> Answer {
    let profile = Profile::load(&page, id).await?;
    show_tab(&page, &profile, Values::of(&page, &profile.user), Errors::new(), None)
}

/// What was typed of the attributes: the fields of the declared ones and the lines of the others; but for what stays
/// as somebody else has made it.
fn read_attributes(page: &ConsoleCx, user: &User, typed: &Fields) -> Result<Map<String, Value>, Errors> {
    let definitions = &page.realm().attributes;
    let mut errors = Errors::new();
    let mut changed = declared::read(Form::Details, definitions, &user.attributes, typed, &mut errors);
    changed.retain(|key, _| !keeps_theirs(typed, &format!("attributes.{key}")));
    errors.retain(|field, _| !keeps_theirs(typed, field));
    if !keeps_theirs(typed, "attributes") {
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
    (patch.email, patch.phone) = (Some(typed.given("email")), Some(typed.given("phone")));
    (patch.given_name, patch.family_name) = (Some(typed.given("given_name")), Some(typed.given("family_name")));
    (patch.locale, patch.zoneinfo) = (Some(typed.given("locale")), Some(typed.given("zoneinfo")));
    Ok(patch)
}

/// Leaves out what stays as somebody else has made it.
fn without_theirs(mut patch: UserPatch, typed: &Fields) -> UserPatch {
    let theirs = |name| keeps_theirs(typed, name);
    patch.name = patch.name.filter(|_| !theirs("name"));
    patch.username = patch.username.filter(|_| !theirs("username"));
    patch.given_name = patch.given_name.filter(|_| !theirs("given_name"));
    patch.family_name = patch.family_name.filter(|_| !theirs("family_name"));
    patch.email = patch.email.filter(|_| !theirs("email"));
    patch.phone = patch.phone.filter(|_| !theirs("phone"));
    patch.locale = patch.locale.filter(|_| !theirs("locale"));
    patch.zoneinfo = patch.zoneinfo.filter(|_| !theirs("zoneinfo"));
    patch.reference = patch.reference.filter(|_| !theirs("reference"));
    patch
}

pub(super) async fn save(page: ConsoleCx, Whose(id): Whose, Posted(typed): Posted) -> Answer {
    let proof = page.may()?;
    let before = users::get(page.app(), page.cx(), page.may()?, id).await?;
    let saved = match patch(&page, &before, &typed) {
        Ok(patch) => {
            let patch = without_theirs(patch, &typed);
            users::update(page.app(), page.cx(), proof, id, patch, typed.version()).await
        }
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
            differences: differences(&page, &profile.user, &yours, &typed),
        };
        return show_tab(&page, &profile, yours, Errors::new(), Some(conflict));
    }
    let errors = at_fields(&page, mendable(error)?, yours.others);
    show_tab(&page, &profile.at_version(&typed), yours, errors, None)
}

/// Who made the last change, as far as the reader may know: the actor of the event of that very moment.
async fn last_editor(page: &ConsoleCx, user: &User) -> String {
    let query = EventQuery {
        subject: Some(user.id.to_string()),
        from: Some(user.updated_at),
        limit: MAX_LIMIT,
        ..EventQuery::default()
    };
    let found = match page.may() {
        Ok(proof) => events::list(page.app(), page.cx(), proof, query).await.ok(),
        Err(_) => None,
    };
    let change = found.and_then(|found| found.items.into_iter().find(|event| event.at == user.updated_at));
    let name = change.map(|event| event.actor.name).filter(|name| !name.is_empty());
    name.unwrap_or_else(|| "Somebody".to_owned())
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
