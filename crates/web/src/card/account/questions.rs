//! Account pages that ask one thing: with one field, or with one button.

use std::collections::BTreeMap;

use axum::response::Response;
use denizen_model::validation::FieldErrors;
use serde::{Deserialize, Serialize};

use super::{
    Navigation,
    visit::{Visit, Whose},
};
use crate::card::{Card, field_messages};

/// A page with one field.
pub(super) struct Field<'a> {
    /// The account page that it belongs to, of the navigation: there it leads back.
    pub(super) of: &'a str,
    /// Where it is, under the account pages.
    pub(super) path: &'a str,
    /// Its texts are `account.{texts}.title` and so on.
    pub(super) texts: &'static str,
    pub(super) name: &'static str,
    /// What browsers know about the field: its type and what they may fill in.
    pub(super) kind: (&'static str, &'static str),
    /// Whether there is a text that says how to fill it in.
    pub(super) has_hint: bool,
    pub(super) value: String,
}

/// What such a page sends.
#[derive(Deserialize)]
pub(super) struct Typed {
    #[serde(default)]
    pub(super) value: String,
}

#[derive(Serialize)]
struct FieldPage {
    card: Card,
    navigation: Navigation,
    action: String,
    cancel_href: String,
    why: String,
    name: &'static str,
    label: String,
    hint: String,
    kind: &'static str,
    autocomplete: &'static str,
    value: String,
    submit: String,
    errors: BTreeMap<String, String>,
}

pub(super) fn field_page(visit: &Visit<impl Whose>, field: Field<'_>, errors: &FieldErrors) -> Response {
    let text = |part: &str| visit.text(&format!("account.{}.{part}", field.texts));
    let (kind, autocomplete) = field.kind;
    let context = FieldPage {
        card: visit.card(text("title")),
        navigation: visit.navigation(field.of),
        action: visit.href(field.path),
        cancel_href: visit.href(field.of),
        why: text("why"),
        name: field.name,
        label: text("label"),
        hint: if field.has_hint { text("hint") } else { String::new() },
        kind,
        autocomplete,
        value: field.value,
        submit: text("submit"),
        errors: field_messages(&visit.web, errors),
    };
    visit.form_page(errors, "card/account/field.html", &context)
}

/// A page with one button.
pub(super) struct Button<'a> {
    /// The account page that it belongs to, of the navigation: there it leads back.
    pub(super) of: &'a str,
    /// Where it is, under the account pages.
    pub(super) path: &'a str,
    pub(super) heading: String,
    pub(super) why: String,
    /// What the button says; there is none where nothing can be done.
    pub(super) submit: Option<String>,
    pub(super) danger: bool,
}

#[derive(Serialize)]
struct ConfirmPage {
    card: Card,
    navigation: Navigation,
    action: String,
    cancel_href: String,
    heading: String,
    why: String,
    submit: Option<String>,
    danger: bool,
}

pub(super) fn button_page(visit: &Visit<impl Whose>, button: Button<'_>) -> Response {
    let context = ConfirmPage {
        card: visit.card(button.heading.clone()),
        navigation: visit.navigation(button.of),
        action: visit.href(button.path),
        cancel_href: visit.href(button.of),
        heading: button.heading,
        why: button.why,
        submit: button.submit,
        danger: button.danger,
    };
    visit.page("card/account/confirm.html", &context)
}
