//! Adding an email or a phone number to a user who has none: what codes and links are sent to.

use denizen_model::{
    permissions::markers::UsersWrite,
    users::{User, UserPatch, VerificationState},
};
use denizen_ops::{
    Error,
    users::{self, Contact},
};
use serde::Serialize;

use super::{
    Whose,
    show::{at, user_href},
};
use crate::console::{
    Answer,
    forms::{Errors, Fields, Posted, mendable_in},
    frame::ConsoleCx,
};

#[derive(Serialize)]
struct AddPage {
    errors: Errors,
    title: String,
    lead: &'static str,
    action: String,
    cancel_href: String,
    field: AddField,
    states: Vec<StateChoice>,
    state: String,
}

#[derive(Serialize)]
struct AddField {
    name: &'static str,
    label: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    help: &'static str,
    value: String,
}

#[derive(Serialize)]
struct StateChoice {
    value: &'static str,
    label: &'static str,
    help: &'static str,
}

fn choice(state: VerificationState, label: &'static str, help: &'static str) -> StateChoice {
    StateChoice { value: state.as_str(), label, help }
}

/// The ways in which what is added can count as verified, the usual one first.
fn states(contact: Contact) -> Vec<StateChoice> {
    let verified = choice(VerificationState::Verified, "Mark as verified", "You know that it is theirs.");
    let not = choice(VerificationState::Unverified, "Leave it unverified", "It proves nothing until it is confirmed.");
    match contact {
        Contact::Email => {
            let requested = VerificationState::VerificationRequested;
            vec![choice(requested, "Send a verification mail", "They confirm it by a link."), verified, not]
        }
        Contact::Phone => vec![not, verified],
    }
}

fn present(contact: Contact, user: &User) -> bool {
    match contact {
        Contact::Email => user.email.is_some(),
        Contact::Phone => user.phone.is_some(),
    }
}

fn taken(contact: Contact) -> Error {
    let message = match contact {
        Contact::Email => "They have an email already. Change it in the details.",
        Contact::Phone => "They have a phone number already. Change it in the details.",
    };
    Error::conflict("present", message)
}

fn ask(page: &ConsoleCx, user: &User, contact: Contact, typed: &Fields, errors: Errors) -> Answer {
    let (field, noun, path) = match contact {
        Contact::Email => (("email", "Email", "email", "Where messages, codes and links go."), "an email", "add-email"),
        Contact::Phone => {
            let help = "With the country code, for example +49 30 1234567.";
            (("phone", "Phone", "tel", help), "a phone number", "add-phone")
        }
    };
    let (name, label, kind, help) = field;
    let (states, fine) = (states(contact), errors.is_empty());
    let usual = states.first().map_or("", |state| state.value);
    let href = user_href(page, user.id);
    let content = AddPage {
        title: format!("Add {noun} for {}", user.display_name()),
        lead: "Where the realm lets people sign in with it, it joins their authenticators.",
        action: format!("{href}/{path}"),
        cancel_href: format!("{href}/authenticators"),
        field: AddField { name, label, kind, help, value: typed.text(name).to_owned() },
        state: typed.given("state").unwrap_or_else(|| usual.to_owned()),
        states,
        errors,
    };
    let (template, place) = ("console/users/add_contact.html", at(page, user, Some("Add authenticator")));
    if fine { page.page(template, place, &content) } else { page.refused(template, place, &content) }
}

async fn show(page: &ConsoleCx, id: denizen_model::UserId, contact: Contact) -> Answer {
    page.may::<UsersWrite>()?;
    let user = users::get(page.app(), page.cx(), page.may()?, id).await?;
    if present(contact, &user) {
        return page.outcome::<()>(Err(taken(contact)), &format!("{}/authenticators", user_href(page, id)), "");
    }
    ask(page, &user, contact, &Fields::default(), Errors::new())
}

async fn add(page: &ConsoleCx, id: denizen_model::UserId, contact: Contact, typed: &Fields) -> Answer {
    let may = page.may()?;
    let user = users::get(page.app(), page.cx(), page.may()?, id).await?;
    let (name, done) = match contact {
        Contact::Email => ("email", "The email is added."),
        Contact::Phone => ("phone", "The phone number is added."),
    };
    let state = VerificationState::from_name(typed.text("state"));
    let given = typed.given(name);
    let result = match (given, state) {
        (None, _) => Err(Error::field(name, "Enter one.")),
        (_, None) => Err(Error::field("form", "Choose whether it is verified.")),
        _ if present(contact, &user) => Err(taken(contact)),
        (given, state) => {
            let patch = match contact {
                Contact::Email => UserPatch { email: Some(given), email_state: state, ..UserPatch::default() },
                Contact::Phone => UserPatch { phone: Some(given), phone_state: state, ..UserPatch::default() },
            };
            // The version that was looked at: nobody's newer address is overwritten.
            users::update(page.app(), page.cx(), may, id, patch, Some(user.version)).await
        }
    };
    match result {
        Ok(_) => page.done(&format!("{}/authenticators", user_href(page, id)), done),
        Err(error) => ask(page, &user, contact, typed, mendable_in(error, &[name])?),
    }
}

pub(super) async fn show_email(page: ConsoleCx, Whose(id): Whose) -> Answer {
    show(&page, id, Contact::Email).await
}

pub(super) async fn add_email(page: ConsoleCx, Whose(id): Whose, Posted(typed): Posted) -> Answer {
    add(&page, id, Contact::Email, &typed).await
}

pub(super) async fn show_phone(page: ConsoleCx, Whose(id): Whose) -> Answer {
    show(&page, id, Contact::Phone).await
}

pub(super) async fn add_phone(page: ConsoleCx, Whose(id): Whose, Posted(typed): Posted) -> Answer {
    add(&page, id, Contact::Phone, &typed).await
}
