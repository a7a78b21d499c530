//! Attribute definitions: list, order, define, change, delete.

use axum::{
    Router,
    extract::FromRequestParts,
    routing::{get, post},
};
use denizen_model::{
    AttributeDefinitionId,
    attribute_definitions::{AttributeAccess, AttributeDefinition, AttributeSpec, AttributeType, Choice, Validation},
    permissions::markers::SettingsWrite,
};
use denizen_ops::{Error, attribute_definitions};
use http::request::Parts;
use serde::Serialize;
use serde_json::Number;

use super::{
    Answer, PageError,
    forms::{Errors, Fields, Posted, mendable},
    frame::{At, ConsoleCx, Section},
    users::{Confirm, Pager, path_id},
    words::{Label, count},
};
use crate::{Web, declared::write};

pub(super) fn router() -> Router<Web> {
    Router::new()
        .route("/admin/{realm}/attributes", get(list).post(create))
        .route("/admin/{realm}/attributes/new", get(new))
        .route("/admin/{realm}/attributes/{attribute}", get(show).post(save))
        .route("/admin/{realm}/attributes/{attribute}/move", post(shift))
        .route("/admin/{realm}/attributes/{attribute}/delete", get(confirm_delete).post(delete))
}

/// The fields that the form has a place for a message at.
const SHOWN: [&str; 10] =
    ["key", "label", "default", "minimum", "maximum", "min_length", "max_length", "pattern", "choices", "claim"];

#[derive(Serialize)]
struct ListPage {
    definitions: Vec<Row>,
    page: Pager,
}

#[derive(Serialize)]
struct Row {
    href: String,
    label: String,
    key: String,
    kind: String,
    labels: Vec<Label>,
    claim: Option<String>,
    first: bool,
    last: bool,
}

#[derive(Serialize)]
struct FormPage {
    /// Of a definition that there is.
    definition: Option<Existing>,
    types: Vec<Named>,
    accesses: Vec<Named>,
    values: Values,
    errors: Errors,
}

#[derive(Serialize)]
struct Existing {
    href: String,
    version: String,
    label: String,
    key: String,
}

#[derive(Serialize)]
struct Named {
    value: &'static str,
    label: &'static str,
}

#[derive(Serialize)]
struct Values {
    key: String,
    label: String,
    #[serde(rename = "type")]
    kind: String,
    list: bool,
    required: bool,
    default: String,
    minimum: String,
    maximum: String,
    min_length: String,
    max_length: String,
    pattern: String,
    choices: String,
    console: String,
    self_service: String,
    searchable: bool,
    claim: String,
}

fn type_label(kind: AttributeType) -> &'static str {
    match kind {
        AttributeType::String => "Text",
        AttributeType::Integer => "Whole number",
        AttributeType::Number => "Number",
        AttributeType::Boolean => "Yes or no",
        AttributeType::Date => "Date",
        AttributeType::Choice => "Choice",
    }
}

fn access_label(access: AttributeAccess) -> &'static str {
    match access {
        AttributeAccess::Hidden => "Not shown",
        AttributeAccess::View => "Shown",
        AttributeAccess::Edit => "Shown and editable",
    }
}

/// One choice a line, as `value = label`.
fn write_choices(choices: &[Choice]) -> String {
    let line = |choice: &Choice| match choice.label.as_str() {
        "" => choice.value.clone(),
        label => format!("{} = {label}", choice.value),
    };
    choices.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn read_choices(typed: &Fields, before: &[Choice]) -> Vec<Choice> {
    // A value that has an equals sign of its own survives as long as nobody touches the list.
    if typed.text("choices").replace("\r\n", "\n") == write_choices(before) {
        return before.to_vec();
    }
    let choice = |line: String| match line.split_once('=') {
        Some((value, label)) => Choice { value: value.trim().to_owned(), label: label.trim().to_owned() },
        None => Choice { value: line, label: String::new() },
    };
    typed.lines("choices").into_iter().map(choice).collect()
}

impl Values {
    fn of(key: &str, spec: &AttributeSpec) -> Self {
        let number = |number: &Option<Number>| number.as_ref().map(ToString::to_string).unwrap_or_default();
        let length = |length: Option<u32>| length.map(|length| length.to_string()).unwrap_or_default();
        let rules = &spec.validation;
        Self {
            key: key.to_owned(),
            label: spec.label.clone(),
            kind: spec.kind.to_string(),
            list: spec.list,
            required: spec.required,
            default: write(spec, spec.default.as_ref()),
            minimum: number(&rules.minimum),
            maximum: number(&rules.maximum),
            min_length: length(rules.min_length),
            max_length: length(rules.max_length),
            pattern: rules.pattern.clone().unwrap_or_default(),
            choices: write_choices(&rules.choices),
            console: spec.console.to_string(),
            self_service: spec.self_service.to_string(),
            searchable: spec.searchable,
            claim: spec.claim.clone().unwrap_or_default(),
        }
    }

    fn typed(typed: &Fields) -> Self {
        let text = |name| typed.text(name).to_owned();
        Self {
            key: text("key"),
            label: text("label"),
            kind: text("type"),
            list: typed.ticked("list"),
            required: typed.ticked("required"),
            default: text("default"),
            minimum: text("minimum"),
            maximum: text("maximum"),
            min_length: text("min_length"),
            max_length: text("max_length"),
            pattern: text("pattern"),
            choices: text("choices"),
            console: text("console"),
            self_service: text("self_service"),
            searchable: typed.ticked("searchable"),
            claim: text("claim"),
        }
    }
}

/// What was typed. The rules of other types than the chosen one are left out, wherever they come from.
fn read(typed: &Fields, before: &AttributeSpec) -> Result<AttributeSpec, Errors> {
    let mut errors = Errors::new();
    let kind = AttributeType::from_name(typed.text("type")).unwrap_or_else(|| {
        errors.insert("form".to_owned(), "Choose a type.".to_owned());
        before.kind
    });
    let number = |field: &str, errors: &mut Errors| {
        let text = typed.given(field)?;
        let read = serde_json::from_str::<Number>(&text);
        read.map_err(|_| errors.insert(field.to_owned(), "Must be a number.".to_owned())).ok()
    };
    let length = |field: &str, errors: &mut Errors| {
        let text = typed.given(field)?;
        let read = text.parse::<u32>();
        read.map_err(|_| errors.insert(field.to_owned(), "Must be a whole number.".to_owned())).ok()
    };
    let validation = match kind {
        AttributeType::Integer | AttributeType::Number => Validation {
            minimum: number("minimum", &mut errors),
            maximum: number("maximum", &mut errors),
            ..Validation::default()
        },
        AttributeType::String => Validation {
            min_length: length("min_length", &mut errors),
            max_length: length("max_length", &mut errors),
            pattern: Some(typed.text("pattern").to_owned()).filter(|pattern| !pattern.is_empty()),
            ..Validation::default()
        },
        AttributeType::Choice => {
            Validation { choices: read_choices(typed, &before.validation.choices), ..Validation::default() }
        }
        AttributeType::Boolean | AttributeType::Date => Validation::default(),
    };
    let access = |field: &str, usual| AttributeAccess::from_name(typed.text(field)).unwrap_or(usual);
    let mut spec = AttributeSpec {
        label: typed.text("label").trim().to_owned(),
        kind,
        list: typed.ticked("list"),
        required: typed.ticked("required"),
        default: None,
        validation,
        console: access("console", before.console),
        self_service: access("self_service", before.self_service),
        searchable: typed.ticked("searchable"),
        claim: typed.given("claim"),
    };
    let default = typed.text("default").replace("\r\n", "\n");
    let same = (spec.kind, spec.list) == (before.kind, before.list);
    if same && default == write(before, before.default.as_ref()) {
        spec.default = before.default.clone();
    } else {
        match spec.read(&default) {
            Ok(value) => spec.default = value,
            Err(message) => drop(errors.insert("default".to_owned(), message)),
        }
    }
    if errors.is_empty() { Ok(spec) } else { Err(errors) }
}

/// Messages of the definition's fields at those of the form.
fn at_fields(error: Error) -> Result<Errors, PageError> {
    let mut out = Errors::new();
    for (field, message) in mendable(error)? {
        let name = field.strip_prefix("validation.").unwrap_or(&field);
        if name == "form" || SHOWN.contains(&name) {
            out.insert(name.to_owned(), message);
        } else {
            out.entry("form".to_owned()).or_insert_with(|| format!("{field}: {message}"));
        }
    }
    Ok(out)
}

/// The `{attribute}` of the path.
struct Which(AttributeDefinitionId);

impl<S: Send + Sync> FromRequestParts<S> for Which {
    type Rejection = PageError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, PageError> {
        Ok(Self(path_id(parts, state, "attribute").await?))
    }
}

fn href(page: &ConsoleCx, id: AttributeDefinitionId) -> String {
    page.href(&format!("attributes/{id}"))
}

fn at(page: &ConsoleCx, title: &str) -> At {
    let above = [("Settings", page.href("settings")), ("Attributes", page.href("attributes"))];
    At::under(Section::Settings, &above, title)
}

async fn list(page: ConsoleCx) -> Answer {
    let all = attribute_definitions::list(page.app(), page.cx(), page.may()?).await?;
    let last = all.len().saturating_sub(1);
    let row = |(place, definition): (usize, &AttributeDefinition)| {
        let spec = &definition.spec;
        let labels = [
            (spec.required, Label::new("Required", "accent")),
            (spec.searchable, Label::new("Searchable", "info")),
            (spec.console == AttributeAccess::Hidden, Label::new("Not in the console", "neutral")),
            (spec.console == AttributeAccess::View, Label::new("Read-only in the console", "neutral")),
            (spec.self_service == AttributeAccess::View, Label::new("Users see it", "neutral")),
            (spec.self_service == AttributeAccess::Edit, Label::new("Users edit it", "neutral")),
        ];
        let kind = type_label(spec.kind);
        Row {
            href: href(&page, definition.id),
            label: spec.label.clone(),
            key: definition.key.clone(),
            kind: if spec.list { format!("{kind}, list") } else { kind.to_owned() },
            labels: labels.into_iter().filter(|(on, _)| *on).map(|(_, label)| label).collect(),
            claim: spec.claim.clone(),
            first: place == 0,
            last: place == last,
        }
    };
    let total = u64::try_from(all.len()).unwrap_or(u64::MAX);
    let content = ListPage {
        definitions: all.iter().enumerate().map(row).collect(),
        page: Pager { summary: count(total, "attribute", "attributes"), prev_href: None, next_href: None },
    };
    let at = At::under(Section::Settings, &[("Settings", page.href("settings"))], "Attributes");
    page.page("console/attributes/list.html", at, &content)
}

/// Moves one up or down by a place.
async fn shift(page: ConsoleCx, Which(id): Which, Posted(typed): Posted) -> Answer {
    let proof = page.may()?;
    let all = attribute_definitions::list(page.app(), page.cx(), page.may()?).await?;
    let mut ids: Vec<AttributeDefinitionId> = all.iter().map(|definition| definition.id).collect();
    let place = ids.iter().position(|other| *other == id).ok_or_else(|| Error::not_found("attribute definition"))?;
    let other = if typed.text("direction") == "up" { place.checked_sub(1) } else { Some(place + 1) };
    if let Some(other) = other.filter(|other| *other < ids.len()) {
        ids.swap(place, other);
    }
    let moved = attribute_definitions::reorder(page.app(), page.cx(), proof, ids).await;
    let label = all.get(place).map_or("", |definition| definition.spec.label.as_str());
    page.outcome(moved, &page.href("attributes"), format!("{label} is moved."))
}

fn usual() -> AttributeSpec {
    AttributeSpec::new("", AttributeType::String)
}

fn form(page: &ConsoleCx, definition: Option<(&AttributeDefinition, i64)>, values: Values, errors: Errors) -> Answer {
    let named = |value, label| Named { value, label };
    let title = definition.map_or("Define attribute", |(definition, _)| definition.spec.label.as_str());
    let content = FormPage {
        definition: definition.map(|(definition, version)| Existing {
            href: href(page, definition.id),
            version: version.to_string(),
            label: definition.spec.label.clone(),
            key: definition.key.clone(),
        }),
        types: AttributeType::ALL.iter().map(|kind| named(kind.as_str(), type_label(*kind))).collect(),
        accesses: AttributeAccess::ALL.iter().map(|access| named(access.as_str(), access_label(*access))).collect(),
        values,
        errors,
    };
    let (template, at) = ("console/attributes/form.html", at(page, title));
    if content.errors.is_empty() { page.page(template, at, &content) } else { page.refused(template, at, &content) }
}

async fn new(page: ConsoleCx) -> Answer {
    page.may::<SettingsWrite>()?;
    form(&page, None, Values::of("", &usual()), Errors::new())
}

async fn create(page: ConsoleCx, Posted(typed): Posted) -> Answer {
    let proof = page.may()?;
    let spec = match read(&typed, &usual()) {
        Ok(spec) => spec,
        Err(errors) => return form(&page, None, Values::typed(&typed), errors),
    };
    match attribute_definitions::create(page.app(), page.cx(), proof, typed.text("key").trim(), spec).await {
        Ok(made) => page.done(&page.href("attributes"), format!("The attribute {} is defined.", made.spec.label)),
        Err(error) => form(&page, None, Values::typed(&typed), at_fields(error)?),
    }
}

async fn show(page: ConsoleCx, Which(id): Which) -> Answer {
    let definition = attribute_definitions::get(page.app(), page.cx(), page.may()?, id).await?;
    let values = Values::of(&definition.key, &definition.spec);
    form(&page, Some((&definition, definition.version)), values, Errors::new())
}

async fn save(page: ConsoleCx, Which(id): Which, Posted(typed): Posted) -> Answer {
    let proof = page.may()?;
    let before = attribute_definitions::get(page.app(), page.cx(), page.may()?, id).await?;
    // The version typed over stays, or a conflict would go unnoticed at the next try.
    let version = typed.version().unwrap_or(before.version);
    let typed_values = || Values { key: before.key.clone(), ..Values::typed(&typed) };
    let spec = match read(&typed, &before.spec) {
        Ok(spec) => spec,
        Err(errors) => return form(&page, Some((&before, version)), typed_values(), errors),
    };
    let edit = move |place: &mut AttributeSpec| spec.clone_into(place);
    match attribute_definitions::update(page.app(), page.cx(), proof, id, typed.version(), edit).await {
        Ok(saved) => page.done(&page.href("attributes"), format!("The attribute {} is saved.", saved.spec.label)),
        Err(error) => form(&page, Some((&before, version)), typed_values(), at_fields(error)?),
    }
}

async fn confirm_delete(page: ConsoleCx, Which(id): Which) -> Answer {
    page.may::<SettingsWrite>()?;
    ask_delete(&page, id, Errors::new()).await
}

async fn ask_delete(page: &ConsoleCx, id: AttributeDefinitionId, errors: Errors) -> Answer {
    let definition = attribute_definitions::get(page.app(), page.cx(), page.may()?, id).await?;
    let mut facts = vec![format!("Values stay on users under the key {}.", definition.key)];
    if let Some(claim) = &definition.spec.claim {
        facts.push(format!("Tokens issued from now on lack the claim {claim}."));
    }
    if !page.settings().undeclared_attributes_allowed {
        facts.push("This realm allows no undeclared attributes, so nobody can be given it any more.".to_owned());
    }
    let confirm = Confirm {
        title: format!("Delete the attribute {}?", definition.spec.label),
        lead: "Only the definition goes: its field, its rules, its claim.".to_owned(),
        facts,
        action: format!("{}/delete", href(page, id)),
        submit: "Delete attribute",
        danger: true,
        cancel_href: href(page, id),
        fields: Vec::new(),
    };
    confirm.ask(page, at(page, "Delete"), errors)
}

async fn delete(page: ConsoleCx, Which(id): Which) -> Answer {
    match attribute_definitions::delete(page.app(), page.cx(), page.may()?, id, None).await {
        Ok(()) => page.done(&page.href("attributes"), "The definition is deleted. Values stay on users."),
        Err(error) => ask_delete(&page, id, mendable(error)?).await,
    }
}
