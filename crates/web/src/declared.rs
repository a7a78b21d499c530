//! Declared attributes as fields of a form, each by its type. A field that still holds what it was shown with
//! changes nothing, so that a value from before its definition stays until somebody changes it.

use denizen_model::attribute_definitions::{
    AttributeAccess, AttributeDefinition, AttributeDefinitions, AttributeSpec, AttributeType, is_day,
};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    console::{Errors, Fields},
    language, locale,
};

/// A field as the template shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Field {
    name: String,
    pub(crate) label: String,
    control: &'static str,
    /// What stands in it; of a tick box or a choice, what it says.
    pub(crate) text: String,
    checked: bool,
    options: Vec<Choice>,
    hint: String,
    optional: bool,
    editable: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Choice {
    value: String,
    label: String,
    on: bool,
}

/// Which attributes a form has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// That of a user: all that the console shows.
    Details,
    /// That of a new user: what is required.
    New,
    /// That of the user's own: all that they see of themselves.
    Own,
}

impl Field {
    /// Its name in the form, which is also the name of the wrong field when its value is wrong.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is more than looked at.
    pub(crate) fn is_editable(&self) -> bool {
        self.editable
    }
}

impl Form {
    /// How far whoever sees the form may go with an attribute.
    fn access(self, spec: &AttributeSpec) -> AttributeAccess {
        match self {
            Self::Details | Self::New => spec.console,
            Self::Own => spec.self_service,
        }
    }

    fn shows(self, spec: &AttributeSpec) -> bool {
        match self {
            Self::Details | Self::Own => self.access(spec) != AttributeAccess::Hidden,
            Self::New => self.access(spec) == AttributeAccess::Edit && spec.required,
        }
    }

    /// What the field starts with.
    fn start<'a>(self, definition: &'a AttributeDefinition, attributes: &'a Map<String, Value>) -> Option<&'a Value> {
        match self {
            Self::Details | Self::Own => attributes.get(&definition.key),
            Self::New => definition.spec.default.as_ref(),
        }
    }
}

/// The kinds of fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Control {
    Text,
    Area,
    Number,
    Date,
    Check,
    Select,
    /// Tick boxes, one for each choice.
    Ticks,
    /// A value that does not fit its type, as JSON.
    Raw,
}

impl Control {
    fn name(self) -> &'static str {
        match self {
            Self::Text | Self::Raw => "text",
            Self::Area => "area",
            Self::Number => "number",
            Self::Date => "date",
            Self::Check => "check",
            Self::Select => "select",
            Self::Ticks => "ticks",
        }
    }

    fn of(definition: &AttributeDefinition, value: Option<&Value>) -> Self {
        let spec = &definition.spec;
        if value.is_some_and(|value| !fits(spec, value)) {
            return Self::Raw;
        }
        match spec.kind {
            AttributeType::Choice if spec.list => Self::Ticks,
            AttributeType::Choice => Self::Select,
            _ if spec.list => Self::Area,
            AttributeType::String => {
                let long = spec.validation.max_length.is_some_and(|length| length > 200);
                let lines = value.and_then(Value::as_str).is_some_and(|text| text.contains('\n'));
                if long || lines { Self::Area } else { Self::Text }
            }
            AttributeType::Integer | AttributeType::Number => Self::Number,
            AttributeType::Boolean => Self::Check,
            AttributeType::Date => Self::Date,
        }
    }
}

/// Whether the field of its type can hold the value without loss.
fn fits(spec: &AttributeSpec, value: &Value) -> bool {
    let one = |value: &Value| match spec.kind {
        AttributeType::String | AttributeType::Choice => {
            // In a list each entry is a line.
            value
                .as_str()
                .is_some_and(|text| !spec.list || (text.trim() == text && !text.is_empty() && !text.contains('\n')))
        }
        AttributeType::Integer | AttributeType::Number => value.is_number(),
        AttributeType::Boolean => value.is_boolean(),
        AttributeType::Date => value.as_str().is_some_and(is_day),
    };
    if spec.list { value.as_array().is_some_and(|items| items.iter().all(one)) } else { one(value) }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A value as it stands in a field of its type: the entries of a list one a line.
pub(crate) fn write(spec: &AttributeSpec, value: Option<&Value>) -> String {
    match value {
        None => String::new(),
        Some(Value::Array(items)) if spec.list => items.iter().map(plain).collect::<Vec<_>>().join("\n"),
        Some(value) => plain(value),
    }
}

/// What stands in a field before anybody types.
fn shown(spec: &AttributeSpec, control: Control, value: Option<&Value>) -> String {
    match value {
        Some(value) if control == Control::Raw => value.to_string(),
        value => write(spec, value),
    }
}

/// What was typed; of tick boxes the ticked ones, one a line.
fn typed_text(control: Control, name: &str, typed: &Fields) -> String {
    match control {
        Control::Check => typed.ticked(name).to_string(),
        Control::Ticks => typed.all(name).join("\n"),
        _ => typed.text(name).replace("\r\n", "\n"),
    }
}

fn view(form: Form, definition: &AttributeDefinition, value: Option<&Value>, typed: Option<&Fields>) -> Field {
    let spec = &definition.spec;
    let control = Control::of(definition, value);
    let name = definition.field();
    let editable = form.access(spec) == AttributeAccess::Edit;
    let text = match typed.filter(|_| editable) {
        Some(typed) => typed_text(control, &name, typed),
        None => shown(spec, control, value),
    };
    let mut field = Field {
        checked: control == Control::Check && text == "true",
        options: Vec::new(),
        hint: hint(spec, control),
        optional: !spec.required,
        label: spec.label.clone(),
        control: control.name(),
        name,
        text,
        editable,
    };
    if matches!(control, Control::Select | Control::Ticks) {
        field.options = options(spec, control, &field.text);
        let on = field.options.iter().filter(|option| option.on && !option.value.is_empty());
        field.text = on.map(|option| option.label.as_str()).collect::<Vec<_>>().join("\n");
    } else if control == Control::Check {
        field.text = match field.text.as_str() {
            "true" => say("attribute.yes", &[]),
            "false" => say("attribute.no", &[]),
            _ => String::new(),
        };
    }
    field
}

fn options(spec: &AttributeSpec, control: Control, text: &str) -> Vec<Choice> {
    let on: Vec<&str> = text.lines().collect();
    let label = |choice: &denizen_model::attribute_definitions::Choice| {
        if choice.label.is_empty() { choice.value.clone() } else { choice.label.clone() }
    };
    let choices = &spec.validation.choices;
    let offered = choices.iter().map(|choice| Choice {
        value: choice.value.clone(),
        label: label(choice),
        on: on.contains(&choice.value.as_str()),
    });
    let known = |value: &str| choices.iter().any(|choice| choice.value == value);
    let former = on.iter().filter(|value| !value.is_empty() && !known(value));
    let former = former.map(|value| Choice {
        value: (*value).to_owned(),
        label: say("attribute.former", &[("value", value)]),
        on: true,
    });
    let none = (control == Control::Select && (!spec.required || on.is_empty())).then(|| Choice {
        value: String::new(),
        label: "–".to_owned(),
        on: on.is_empty(),
    });
    none.into_iter().chain(offered).chain(former).collect()
}

/// A text in the reader's language; in the console that is English.
fn say(id: &str, values: &[(&str, &dyn ToString)]) -> String {
    let value = |name: &str| values.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_string());
    locale::text(language::current(), id, value).unwrap_or_else(|_| id.to_owned())
}

fn hint(spec: &AttributeSpec, control: Control) -> String {
    let rules = &spec.validation;
    let mut parts = Vec::new();
    if control == Control::Raw {
        parts.push(say("attribute.kept", &[]));
    }
    match (&rules.minimum, &rules.maximum) {
        (Some(low), Some(high)) => parts.push(say("attribute.from_to", &[("low", low), ("high", high)])),
        (Some(low), None) => parts.push(say("attribute.at_least", &[("low", low)])),
        (None, Some(high)) => parts.push(say("attribute.at_most", &[("high", high)])),
        (None, None) => {}
    }
    match (rules.min_length, rules.max_length) {
        (Some(low), Some(high)) => parts.push(say("attribute.length", &[("low", &low), ("high", &high)])),
        (Some(low), None) => parts.push(say("attribute.length_at_least", &[("low", &low)])),
        (None, Some(high)) => parts.push(say("attribute.length_at_most", &[("high", &high)])),
        (None, None) => {}
    }
    if let Some(pattern) = &rules.pattern {
        parts.push(say("attribute.pattern", &[("pattern", pattern)]));
    }
    if spec.list && spec.kind == AttributeType::Date {
        parts.push(say("attribute.days", &[]));
    }
    if control == Control::Area && spec.list {
        parts.push(say("attribute.lines", &[]));
    }
    parts.join(" ")
}

/// The fields of a form, in the order of the definitions; with `typed`, as they were sent.
pub(crate) fn fields(
    form: Form,
    definitions: &AttributeDefinitions,
    attributes: &Map<String, Value>,
    typed: Option<&Fields>,
) -> Vec<Field> {
    let shown = definitions.iter().filter(|definition| form.shows(&definition.spec));
    shown.map(|definition| view(form, definition, form.start(definition, attributes), typed)).collect()
}

/// What the fields change: values to set, null for those to remove. What may only be looked at is not read.
pub(crate) fn read(
    form: Form,
    definitions: &AttributeDefinitions,
    attributes: &Map<String, Value>,
    typed: &Fields,
    errors: &mut Errors,
) -> Map<String, Value> {
    let mut changed = Map::new();
    let editable = |definition: &&AttributeDefinition| {
        form.shows(&definition.spec) && form.access(&definition.spec) == AttributeAccess::Edit
    };
    for definition in definitions.iter().filter(editable) {
        let (spec, name) = (&definition.spec, definition.field());
        let before = form.start(definition, attributes);
        let control = Control::of(definition, before);
        let text = typed_text(control, &name, typed);
        if text == shown(spec, control, before) {
            continue;
        }
        // A box that nobody ticked says no only where an answer is required.
        if control == Control::Check && before.is_none() && text == "false" && !spec.required {
            continue;
        }
        match spec.read(&text) {
            Ok(value) => drop(changed.insert(definition.key.clone(), value.unwrap_or(Value::Null))),
            Err(message) => drop(errors.insert(name, message)),
        }
    }
    changed
}

/// The attributes that nothing declares.
pub(crate) fn undeclared(definitions: &AttributeDefinitions, attributes: &Map<String, Value>) -> Map<String, Value> {
    let free = attributes.iter().filter(|(key, _)| definitions.get(key).is_none());
    free.map(|(key, value)| (key.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use denizen_model::{AttributeDefinitionId, RealmId, Timestamp};
    use serde_json::json;

    use super::*;

    fn definitions(specs: Value) -> AttributeDefinitions {
        let now = Timestamp::from_secs(1_800_000_000);
        let one = |(at, (key, spec)): (usize, (&String, &Value))| {
            let mut whole = json!({"label": key});
            whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
            AttributeDefinition {
                id: AttributeDefinitionId::new(now, [u8::try_from(at).unwrap(); 10]),
                realm_id: RealmId::new(now, [0; 10]),
                key: key.clone(),
                spec: serde_json::from_value(whole).unwrap(),
                position: i64::try_from(at).unwrap(),
                created_at: now,
                updated_at: now,
                version: 1,
            }
        };
        AttributeDefinitions::new(specs.as_object().unwrap().iter().enumerate().map(one).collect())
    }

    fn all() -> AttributeDefinitions {
        let colours = json!([{"value": "red"}, {"value": "blue", "label": "Blue"}]);
        definitions(json!({
            "beta": {"type": "boolean"},
            "born": {"type": "date"},
            "colour": {"type": "choice", "validation": {"choices": colours.clone()}},
            "colours": {"type": "choice", "list": true, "validation": {"choices": colours}},
            "look": {"type": "string", "console": "view"},
            "names": {"type": "string", "list": true},
            "plan": {"type": "string"},
            "seats": {"type": "integer", "validation": {"minimum": 1, "maximum": 9}},
            "secret": {"type": "string", "console": "hidden"},
        }))
    }

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    /// What a browser sends that was shown these attributes.
    fn sent(attributes: &Map<String, Value>) -> Fields {
        let mut pairs = Vec::new();
        for field in fields(Form::Details, &all(), attributes, None).into_iter().filter(|field| field.editable) {
            match field.control {
                "check" if field.checked => pairs.push((field.name, "true".to_owned())),
                "check" => {}
                "select" | "ticks" => {
                    let on = field.options.into_iter().filter(|option| option.on);
                    pairs.extend(on.map(|option| (field.name.clone(), option.value)));
                }
                _ => pairs.push((field.name, field.text.replace('\n', "\r\n"))),
            }
        }
        Fields::from_pairs(pairs)
    }

    #[test]
    fn a_form_that_was_not_touched_changes_nothing() {
        for attributes in [
            json!({}),
            json!({"beta": false, "born": "2001-02-03", "colour": "blue", "colours": ["red", "blue"], "names": ["a", "b"], "plan": "x", "seats": 3}),
            json!({"beta": true, "plan": " two\nlines ", "seats": 99, "colours": []}),
            // From before the definitions.
            json!({"beta": "yes", "born": "soon", "colour": "green", "colours": ["green"], "names": "a", "plan": 5, "seats": "many"}),
            json!({"names": ["a\nb", ""], "colour": 7, "colours": "red", "born": 5, "plan": ""}),
            json!({"secret": "s", "look": "l", "other": 1}),
        ] {
            let before = map(attributes);
            let mut errors = Errors::new();
            let changed = read(Form::Details, &all(), &before, &sent(&before), &mut errors);
            assert!(changed.is_empty() && errors.is_empty(), "{before:?} became {changed:?} {errors:?}");
        }
    }

    #[test]
    fn what_is_typed_is_read_by_type_and_what_is_emptied_goes() {
        let before = map(json!({"beta": true, "plan": "x", "seats": "many", "secret": "s", "look": "l"}));
        let typed = [
            ("attributes.born", "2001-02-03"),
            ("attributes.colour", "red"),
            ("attributes.colours", "red"),
            ("attributes.colours", "blue"),
            ("attributes.names", "a\r\nb"),
            ("attributes.plan", ""),
            ("attributes.seats", "4"),
            ("attributes.secret", "stolen"),
            ("attributes.look", "changed"),
        ];
        let typed = Fields::from_pairs(typed.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec());
        let mut errors = Errors::new();
        let changed = read(Form::Details, &all(), &before, &typed, &mut errors);
        let expected = json!({"beta": false, "born": "2001-02-03", "colour": "red", "colours": ["red", "blue"], "names": ["a", "b"], "plan": null, "seats": 4});
        assert_eq!((Value::Object(changed), errors), (expected, Errors::new()));
    }

    #[test]
    fn what_cannot_be_read_is_named_at_its_field() {
        let typed = Fields::from_pairs(vec![("attributes.seats".to_owned(), "abc".to_owned())]);
        let mut errors = Errors::new();
        read(Form::Details, &all(), &Map::new(), &typed, &mut errors);
        assert_eq!(errors, Errors::from([("attributes.seats".to_owned(), "Must be a whole number.".to_owned())]));
    }

    #[test]
    fn fields_come_by_type_and_hidden_ones_do_not_come() {
        let shown = fields(Form::Details, &all(), &map(json!({"colour": "green", "seats": "many"})), None);
        let controls: Vec<(&str, &str)> = shown.iter().map(|field| (field.label.as_str(), field.control)).collect();
        let expected = [
            ("beta", "check"),
            ("born", "date"),
            ("colour", "select"),
            ("colours", "ticks"),
            ("look", "text"),
            ("names", "area"),
            ("plan", "text"),
            ("seats", "text"),
        ];
        assert_eq!(controls, expected);
        assert_eq!(shown[2].text, "green (no longer offered)");
        assert!(!shown[4].editable);
        assert!(fields(Form::New, &all(), &Map::new(), None).is_empty());
    }
}
