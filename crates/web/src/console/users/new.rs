//! Creating people and machines.

use denizen_model::{
    passwords,
    users::{NewHuman, NewMachine, NewPassword, UserKind},
};
use denizen_ops::users::{create_human, create_machine};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    confirm::{key_page, temporary_page},
    show::user_href,
};
use crate::{
    console::{
        Answer, PageError,
        back::Back,
        forms::{Errors, Fields, Posted, mendable_in},
        frame::{At, ConsoleCx, Section},
    },
    declared::{self, Form},
};

#[derive(Serialize)]
struct HumanPage {
    values: HumanValues,
    errors: Errors,
    email_as_username: bool,
    password_hint: String,
    declared: Vec<declared::Field>,
}

#[derive(Serialize)]
struct HumanValues {
    email: String,
    username: String,
    given_name: String,
    family_name: String,
    password_mode: String,
}

#[derive(Serialize)]
struct MachinePage {
    values: MachineValues,
    errors: Errors,
    declared: Vec<declared::Field>,
}

#[derive(Serialize)]
struct MachineValues {
    name: String,
    username: String,
}

/// `At least 8 characters.`
pub(super) fn password_hint(page: &ConsoleCx) -> String {
    passwords::described(page.settings())
}

/// The fields of the attributes that a new user needs.
fn required(page: &ConsoleCx, typed: &Fields) -> Vec<declared::Field> {
    // A form that was not sent shows the defaults.
    let sent = (!typed.text("kind").is_empty()).then_some(typed);
    declared::fields(Form::New, &page.realm().attributes, &Map::new(), sent)
}

fn read_required(page: &ConsoleCx, typed: &Fields, errors: &mut Errors) -> Map<String, Value> {
    let read = declared::read(Form::New, &page.realm().attributes, &Map::new(), typed, errors);
    // What was emptied has its default again.
    read.into_iter().filter(|(_, value)| !value.is_null()).collect()
}

/// The messages of a failure at the fields of the form.
fn at_fields(page: &ConsoleCx, error: denizen_ops::Error, own: &[&str]) -> Result<Errors, PageError> {
    let fields = declared::fields(Form::New, &page.realm().attributes, &Map::new(), None);
    let shown: Vec<&str> = own.iter().copied().chain(fields.iter().map(declared::Field::name)).collect();
    mendable_in(error, &shown)
}

fn at(page: &ConsoleCx, title: &str) -> At {
    At::under(Section::Users, &[("Users", page.href("users"))], title)
}

pub(super) async fn human(page: ConsoleCx) -> Answer {
    page.may::<denizen_model::permissions::markers::UsersWrite>()?;
    human_page(&page, &Fields::default(), Errors::new())
}

fn human_page(page: &ConsoleCx, typed: &Fields, errors: Errors) -> Answer {
    let text = |name| typed.text(name).to_owned();
    let mode = typed.text("password_mode");
    let content = HumanPage {
        values: HumanValues {
            email: text("email"),
            username: text("username"),
            given_name: text("given_name"),
            family_name: text("family_name"),
            password_mode: if mode.is_empty() { "temporary" } else { mode }.to_owned(),
        },
        email_as_username: page.settings().email_as_username,
        password_hint: password_hint(page),
        declared: required(page, typed),
        errors,
    };
    let (template, at) = ("console/users/new.html", at(page, "Create user"));
    if content.errors.is_empty() { page.page(template, at, &content) } else { page.refused(template, at, &content) }
}

pub(super) async fn machine(page: ConsoleCx) -> Answer {
    page.may::<denizen_model::permissions::markers::UsersWrite>()?;
    machine_page(&page, &Fields::default(), Errors::new())
}

fn machine_page(page: &ConsoleCx, typed: &Fields, errors: Errors) -> Answer {
    let values = MachineValues { name: typed.text("name").to_owned(), username: typed.text("username").to_owned() };
    let content = MachinePage { values, errors, declared: required(page, typed) };
    let (template, at) = ("console/users/new_machine.html", at(page, "Create machine"));
    if content.errors.is_empty() { page.page(template, at, &content) } else { page.refused(template, at, &content) }
}

pub(super) async fn create(page: ConsoleCx, Posted(typed): Posted) -> Answer {
    match UserKind::from_name(typed.text("kind")) {
        Some(UserKind::Machine) => make_machine(&page, &typed).await,
        _ => make_human(&page, &typed).await,
    }
}

async fn make_human(page: &ConsoleCx, typed: &Fields) -> Answer {
    let password = match typed.text("password_mode") {
        "set" => NewPassword::Set(typed.text("password").to_owned()),
        "none" => NewPassword::None,
        "temporary" => NewPassword::Temporary,
        _ => return human_page(page, typed, Errors::from([("password_mode".to_owned(), "Choose one.".to_owned())])),
    };
    let mut errors = Errors::new();
    let attributes = read_required(page, typed, &mut errors);
    if !errors.is_empty() {
        return human_page(page, typed, errors);
    }
    let new = NewHuman {
        attributes,
        email: typed.given("email"),
        username: typed.given("username"),
        given_name: typed.given("given_name"),
        family_name: typed.given("family_name"),
        ..NewHuman::default()
    };
    let created = match create_human(page.app(), page.cx(), page.may()?, new, password).await {
        Ok(created) => created,
        Err(error) => {
            let shown = ["email", "username", "given_name", "family_name", "password"];
            let mut errors = at_fields(page, error, &shown)?;
            // Where the email is the username, its form has no other field to say so at.
            if page.settings().email_as_username
                && let Some(message) = errors.remove("username")
            {
                errors.entry("email".to_owned()).or_insert(message);
            }
            return human_page(page, typed, errors);
        }
    };
    let user = &created.user;
    match &created.temporary_password {
        Some(password) => {
            temporary_page(page, user, format!("{} is created", user.display_name()), password, &Back::default())
        }
        None => page.done(&user_href(page, user.id), format!("{} is created.", user.display_name())),
    }
}

async fn make_machine(page: &ConsoleCx, typed: &Fields) -> Answer {
    let mut errors = Errors::new();
    let attributes = read_required(page, typed, &mut errors);
    if !errors.is_empty() {
        return machine_page(page, typed, errors);
    }
    let new = NewMachine {
        name: typed.text("name").to_owned(),
        username: typed.given("username"),
        attributes,
        ..NewMachine::default()
    };
    let created = match create_machine(page.app(), page.cx(), page.may()?, new).await {
        Ok(created) => created,
        Err(error) => return machine_page(page, typed, at_fields(page, error, &["name", "username"])?),
    };
    let user = &created.user;
    match &created.api_key {
        Some((_, key)) => {
            let heading = format!("{} is ready", user.display_name());
            key_page(page, user, heading, "Hand this key to the script that will use it.", key)
        }
        None => page.done(&user_href(page, user.id), format!("{} is created.", user.display_name())),
    }
}
