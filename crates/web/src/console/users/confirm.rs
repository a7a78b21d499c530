//! The dialogs: pages of their own that the script shows in place.

use denizen_model::{realms::ApiKeyStorage, users::User};
use denizen_ops::crypto::Secret;
use serde::Serialize;

use super::show::{at, user_href};
use crate::console::{
    Answer,
    back::Back,
    forms::Errors,
    frame::{At, ConsoleCx},
};

/// A question with its consequences.
#[derive(Serialize)]
pub(in crate::console) struct Confirm {
    pub title: String,
    pub lead: String,
    pub facts: Vec<String>,
    pub action: String,
    pub submit: &'static str,
    pub danger: bool,
    pub cancel_href: String,
    pub fields: Vec<Field>,
}

/// A field of a dialog.
#[derive(Serialize)]
pub(in crate::console) struct Field {
    name: &'static str,
    label: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    value: String,
    hint: String,
    checked: bool,
    optional: bool,
}

impl Field {
    pub(in crate::console) fn text(
        name: &'static str,
        label: &'static str,
        value: &str,
        hint: &str,
        optional: bool,
    ) -> Self {
        Self { name, label, kind: "text", value: value.to_owned(), hint: hint.to_owned(), checked: false, optional }
    }

    /// A new password; never filled in again.
    pub(super) fn password(hint: String) -> Self {
        Self {
            name: "password",
            label: "New password",
            kind: "password",
            value: String::new(),
            hint,
            checked: false,
            optional: false,
        }
    }

    /// What the dialog knows already.
    pub(super) fn hidden(name: &'static str, value: &str) -> Self {
        Self {
            name,
            label: "",
            kind: "hidden",
            value: value.to_owned(),
            hint: String::new(),
            checked: false,
            optional: false,
        }
    }

    pub(super) fn tick(name: &'static str, label: &'static str, hint: String, checked: bool) -> Self {
        Self { name, label, kind: "checkbox", value: "true".to_owned(), hint, checked, optional: false }
    }
}

#[derive(Serialize)]
struct ConfirmPage {
    errors: Errors,
    confirm: Confirm,
}

impl Confirm {
    /// Shows the question, with what was wrong with the first answer if anything was.
    pub(in crate::console) fn ask(self, page: &ConsoleCx, at: At, errors: Errors) -> Answer {
        let fine = errors.is_empty();
        let content = ConfirmPage { errors, confirm: self };
        let template = "console/users/confirm.html";
        if fine { page.page(template, at, &content) } else { page.refused(template, at, &content) }
    }
}

/// A dialog about a user: its title names what is done, its action is the address it was asked at.
pub(super) struct About<'p> {
    pub(super) page: &'p ConsoleCx,
    pub(super) user: &'p User,
}

impl About<'_> {
    pub(super) fn ask(&self, title: &str, confirm: Confirm, errors: Errors) -> Answer {
        confirm.ask(self.page, at(self.page, self.user, Some(title)), errors)
    }

    pub(super) fn href(&self, path: &str) -> String {
        format!("{}{path}", user_href(self.page, self.user.id))
    }
}

#[derive(Serialize)]
struct SecretPage {
    heading: String,
    lead: String,
    secret: ShownSecret,
    done: Done,
}

/// A secret that is shown once.
#[derive(Serialize)]
pub(in crate::console) struct ShownSecret {
    pub label: &'static str,
    pub value: String,
    pub warning: &'static str,
}

#[derive(Serialize)]
struct Done {
    label: &'static str,
    href: String,
}

/// The page that shows an API key.
pub(super) fn key_page(page: &ConsoleCx, user: &User, heading: String, lead: &str, key: &Secret) -> Answer {
    let warning = match page.settings().api_key_storage {
        ApiKeyStorage::Hashed => {
            "It is shown this once. Only its hash is kept, so it cannot be shown again; a lost key is replaced by a new one."
        }
        ApiKeyStorage::Encrypted => {
            "Whoever has it acts as this machine. An administrator with the permission to show keys can see it again."
        }
    };
    let secret = ShownSecret { label: "API key", value: key.expose().to_owned(), warning };
    let href = format!("{}/authenticators", user_href(page, user.id));
    secret_page(page, user, heading, lead.to_owned(), secret, href)
}

/// The page that shows a temporary password, once.
pub(super) fn temporary_page(page: &ConsoleCx, user: &User, heading: String, password: &Secret, back: &Back) -> Answer {
    let warning =
        "It is shown this once. Hand it over by a way you trust; it stops working when they have chosen their own.";
    let secret = ShownSecret { label: "Temporary password", value: password.expose().to_owned(), warning };
    let lead = format!("{} signs in with it once and then chooses a new one.", user.display_name());
    secret_page(page, user, heading, lead, secret, back.or(&user_href(page, user.id)))
}

/// The page that shows recovery codes, once.
pub(super) fn codes_page(page: &ConsoleCx, user: &User, codes: &[Secret]) -> Answer {
    let warning = "They are shown this once; only their hashes are kept. Hand them over by a way you trust.";
    let value = codes.iter().map(Secret::expose).collect::<Vec<_>>().join("\n");
    let secret = ShownSecret { label: "Recovery codes", value, warning };
    let lead = format!("Each stands in once for the second factor of {}.", user.display_name());
    let href = format!("{}/authenticators", user_href(page, user.id));
    secret_page(page, user, "Ten new recovery codes".to_owned(), lead, secret, href)
}

fn secret_page(
    page: &ConsoleCx,
    user: &User,
    heading: String,
    lead: String,
    secret: ShownSecret,
    href: String,
) -> Answer {
    let title = secret.label;
    let content = SecretPage { heading, lead, secret, done: Done { label: "I have stored it", href } };
    page.page("console/users/created_secret.html", at(page, user, Some(title)), &content)
}
