//! What can be said about one attribute, and how a value is held against it.

use std::cmp::Ordering;

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};
use utoipa::ToSchema;

use super::claims::is_reserved_claim;
use crate::{text, users::text_enum, validation::FieldErrors};

/// The longest pattern, in characters.
const MAX_PATTERN: usize = 500;
/// The most that a compiled pattern may take, in bytes; a pattern that grows past it is refused.
const PATTERN_SIZE: usize = 1 << 20;
/// The most choices of one attribute.
const MAX_CHOICES: usize = 200;
/// The longest text that can be asked for, in characters: all attributes together have 64 KiB.
const MAX_TEXT: u32 = 10_000;

text_enum! {
    /// What an attribute's value is.
    AttributeType {
        /// A text.
        String = "string",
        /// A whole number.
        Integer = "integer",
        /// A number.
        Number = "number",
        /// True or false.
        Boolean = "boolean",
        /// A day, such as 2027-01-31.
        Date = "date",
        /// One of the choices.
        Choice = "choice",
    }
}

text_enum! {
    /// How far somebody may go with an attribute.
    AttributeAccess {
        /// They do not see it.
        Hidden = "hidden",
        /// They see it.
        View = "view",
        /// They see and change it.
        Edit = "edit",
    }
}

impl AttributeAccess {
    fn edit() -> Self {
        Self::Edit
    }

    fn hidden() -> Self {
        Self::Hidden
    }
}

/// One of the values that a choice has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AttributeChoice)]
pub struct Choice {
    /// What users have.
    pub value: String,
    /// What people read; the value itself when empty.
    #[serde(default)]
    pub label: String,
}

/// What is demanded of a value beside its type; of a list, of each of its entries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = AttributeValidation)]
pub struct Validation {
    /// The smallest number.
    #[schema(value_type = Option<f64>)]
    pub minimum: Option<Number>,
    /// The largest number.
    #[schema(value_type = Option<f64>)]
    pub maximum: Option<Number>,
    /// The shortest text, in characters.
    pub min_length: Option<u32>,
    /// The longest text, in characters.
    pub max_length: Option<u32>,
    /// A regular expression (RE2 syntax) that the whole text must match.
    pub pattern: Option<String>,
    /// What there is to choose from.
    pub choices: Vec<Choice>,
}

impl Validation {
    /// The pattern, compiled, for the whole of a text.
    pub(super) fn compiled(&self) -> Option<Result<Regex, &'static str>> {
        const WRONG: &str = "Must be a regular expression without look-around and back-references.";
        let pattern = self.pattern.as_deref()?;
        let build = |pattern: &str| RegexBuilder::new(pattern).size_limit(PATTERN_SIZE).build();
        let explain = |error| match error {
            regex::Error::CompiledTooBig(_) => "Is too complex; use smaller counts or simpler classes.",
            _ => WRONG,
        };
        // By itself first: `a)|(b` must not become one by what is put around it.
        Some(build(pattern).and_then(|_| build(&format!(r"\A(?:{pattern})\z"))).map_err(explain))
    }
}

/// What an administrator says about an attribute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AttributeSpec {
    /// What people call it.
    pub label: String,
    /// What its value is.
    #[serde(rename = "type")]
    pub kind: AttributeType,
    /// The value is a list of these.
    #[serde(default)]
    pub list: bool,
    /// New users need it, and it cannot be removed.
    #[serde(default)]
    pub required: bool,
    /// What new users have who were given nothing else.
    #[serde(default)]
    pub default: Option<Value>,
    /// What is demanded of the value.
    #[serde(default)]
    pub validation: Validation,
    /// How far administrators may go with it in the console.
    #[serde(default = "AttributeAccess::edit")]
    pub console: AttributeAccess,
    /// How far users may go with their own.
    #[serde(default = "AttributeAccess::hidden")]
    pub self_service: AttributeAccess,
    /// Search finds users by it, and lists can be filtered by it.
    #[serde(default)]
    pub searchable: bool,
    /// The claim it becomes in tokens.
    #[serde(default)]
    pub claim: Option<String>,
}

impl AttributeSpec {
    /// A definition that demands nothing but the type.
    #[must_use]
    pub fn new(label: &str, kind: AttributeType) -> Self {
        Self {
            label: label.to_owned(),
            kind,
            list: false,
            required: false,
            default: None,
            validation: Validation::default(),
            console: AttributeAccess::Edit,
            self_service: AttributeAccess::Hidden,
            searchable: false,
            claim: None,
        }
    }

    /// Checks what a person typed.
    pub(super) fn check(&self, errors: &mut FieldErrors) {
        errors.required_line("label", &self.label, 100);
        let pattern = self.check_validation(errors);
        if let Some(claim) = &self.claim {
            let visible = claim.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
            if claim.is_empty() || claim.len() > 200 || !visible {
                errors.add("claim", "Must have 1 to 200 visible ASCII characters without quotes and backslashes.");
            } else if is_reserved_claim(claim) {
                errors.add("claim", "This claim has a meaning of its own in tokens. Choose another name.");
            }
        }
        // Only rules that hold together can be held against a value.
        if let Some(default) = &self.default
            && errors.is_empty()
            && let Err(message) = self.check_value(default, pattern.as_ref())
        {
            errors.add("default", message);
        }
    }

    fn check_validation(&self, errors: &mut FieldErrors) -> Option<Regex> {
        let rules = &self.validation;
        let (numeric, textual) =
            (matches!(self.kind, AttributeType::Integer | AttributeType::Number), self.kind == AttributeType::String);
        let misplaced = [
            ("minimum", rules.minimum.is_some(), numeric, "Only numbers have this."),
            ("maximum", rules.maximum.is_some(), numeric, "Only numbers have this."),
            ("min_length", rules.min_length.is_some(), textual, "Only texts have this."),
            ("max_length", rules.max_length.is_some(), textual, "Only texts have this."),
            ("pattern", rules.pattern.is_some(), textual, "Only texts have this."),
            ("choices", !rules.choices.is_empty(), self.kind == AttributeType::Choice, "Only choices have this."),
        ];
        for (field, _, _, message) in misplaced.into_iter().filter(|(_, given, fits, _)| *given && !fits) {
            errors.add(&format!("validation.{field}"), message);
        }
        if let (Some(low), Some(high)) = (&rules.minimum, &rules.maximum)
            && compare(low, high) == Ordering::Greater
        {
            errors.add("validation.maximum", "Must not be smaller than the minimum.");
        }
        if let (Some(low), Some(high)) = (rules.min_length, rules.max_length)
            && low > high
        {
            errors.add("validation.max_length", "Must not be smaller than the shortest length.");
        }
        for (field, length) in [("min_length", rules.min_length), ("max_length", rules.max_length)] {
            if length.is_some_and(|length| length > MAX_TEXT) {
                errors.add(&format!("validation.{field}"), format!("Must be at most {MAX_TEXT}."));
            }
        }
        if rules.pattern.as_ref().is_some_and(|pattern| pattern.chars().count() > MAX_PATTERN) {
            errors.add("validation.pattern", format!("Must be at most {MAX_PATTERN} characters long."));
            return None;
        }
        self.check_choices(errors);
        match rules.compiled()? {
            Ok(pattern) => Some(pattern),
            Err(message) => {
                errors.add("validation.pattern", message);
                None
            }
        }
    }

    fn check_choices(&self, errors: &mut FieldErrors) {
        let choices = &self.validation.choices;
        if self.kind == AttributeType::Choice && choices.is_empty() {
            errors.add("validation.choices", "A choice needs at least one value.");
        }
        if choices.len() > MAX_CHOICES {
            errors.add("validation.choices", format!("Must be at most {MAX_CHOICES}."));
        }
        let mut seen = std::collections::HashSet::new();
        for choice in choices {
            let mut own = FieldErrors::new();
            own.required_line("value", &choice.value, 200);
            own.line("label", &choice.label, 200);
            if choice.value.trim() != choice.value {
                own.add("value", "Must not begin or end with a blank.");
            }
            if let Some((_, message)) = own.iter().next() {
                errors.add("validation.choices", format!("{}: {message}", choice.value));
            } else if !seen.insert(choice.value.as_str()) {
                errors.add("validation.choices", format!("{}: Stands twice.", choice.value));
            }
        }
    }

    /// Holds a value against the definition.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub(super) fn check_value(&self, value: &Value, pattern: Option<&Regex>) -> Result<(), String> {
        if !self.list {
            return self.check_one(value, pattern);
        }
        let items = value.as_array().ok_or_else(|| "Must be a list.".to_owned())?;
        if self.required && items.is_empty() {
            return Err("Must have at least one entry.".to_owned());
        }
        for (at, item) in items.iter().enumerate() {
            self.check_one(item, pattern).map_err(|message| format!("Entry {}: {message}", at + 1))?;
        }
        Ok(())
    }

    fn check_one(&self, value: &Value, pattern: Option<&Regex>) -> Result<(), String> {
        let said = |message: &str| Err(message.to_owned());
        match self.kind {
            AttributeType::String => match value.as_str() {
                Some(text) => self.check_text(text, pattern),
                None => said("Must be a text."),
            },
            AttributeType::Integer => match value {
                Value::Number(number) if number.is_i64() || number.is_u64() => self.check_bounds(number),
                _ => said("Must be a whole number."),
            },
            AttributeType::Number => match value {
                Value::Number(number) => self.check_bounds(number),
                _ => said("Must be a number."),
            },
            AttributeType::Boolean => match value {
                Value::Bool(_) => Ok(()),
                _ => said("Must be true or false."),
            },
            AttributeType::Date => match value.as_str() {
                Some(text) if is_day(text) => Ok(()),
                _ => said("Must be a day, such as 2027-01-31."),
            },
            AttributeType::Choice => {
                let choices = &self.validation.choices;
                match value.as_str() {
                    Some(text) if choices.iter().any(|choice| choice.value == text) => Ok(()),
                    _ if choices.len() <= 10 => {
                        let values: Vec<&str> = choices.iter().map(|choice| choice.value.as_str()).collect();
                        Err(format!("Must be one of {}.", values.join(", ")))
                    }
                    _ => said("Must be one of the choices."),
                }
            }
        }
    }

    fn check_text(&self, text: &str, pattern: Option<&Regex>) -> Result<(), String> {
        let rules = &self.validation;
        let length = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        if self.required && text.trim().is_empty() {
            return Err("Must not be empty.".to_owned());
        }
        if text::has_deceptive(text) {
            return Err("Must not contain invisible or direction-changing characters.".to_owned());
        }
        if rules.min_length.is_some_and(|least| length < least) {
            return Err(format!("Must be at least {} characters long.", rules.min_length.unwrap_or(0)));
        }
        if rules.max_length.is_some_and(|most| length > most) {
            return Err(format!("Must be at most {} characters long.", rules.max_length.unwrap_or(0)));
        }
        if let Some(pattern) = pattern
            && !pattern.is_match(text)
        {
            return Err(format!("Must match the pattern {}.", rules.pattern.as_deref().unwrap_or("")));
        }
        Ok(())
    }

    fn check_bounds(&self, number: &Number) -> Result<(), String> {
        let Validation { minimum, maximum, .. } = &self.validation;
        let below = minimum.as_ref().is_some_and(|low| compare(number, low) == Ordering::Less);
        let above = maximum.as_ref().is_some_and(|high| compare(number, high) == Ordering::Greater);
        match (minimum, maximum) {
            (Some(low), Some(high)) if below || above => Err(format!("Must be between {low} and {high}.")),
            (Some(low), _) if below => Err(format!("Must be at least {low}.")),
            (_, Some(high)) if above => Err(format!("Must be at most {high}.")),
            _ => Ok(()),
        }
    }

    /// A value as a person types it into a form or a spreadsheet, in this attribute's type; of a list one entry a
    /// line. It is not checked any further. Nothing but blanks is no value.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn read(&self, typed: &str) -> Result<Option<Value>, String> {
        if !self.list {
            let typed = typed.trim();
            return if typed.is_empty() { Ok(None) } else { self.read_one(typed).map(Some) };
        }
        let lines = typed.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate();
        let read = |(at, line)| self.read_one(line).map_err(|message| format!("Entry {}: {message}", at + 1));
        let items = lines.map(read).collect::<Result<Vec<Value>, String>>()?;
        Ok((!items.is_empty()).then_some(Value::Array(items)))
    }

    fn read_one(&self, typed: &str) -> Result<Value, String> {
        let number = || match serde_json::from_str::<Value>(typed) {
            Ok(number @ Value::Number(_)) => Some(number),
            _ => None,
        };
        match self.kind {
            AttributeType::String | AttributeType::Date | AttributeType::Choice => Ok(Value::String(typed.to_owned())),
            AttributeType::Integer => number().ok_or_else(|| "Must be a whole number.".to_owned()),
            AttributeType::Number => number().ok_or_else(|| "Must be a number.".to_owned()),
            AttributeType::Boolean => match typed {
                "true" => Ok(Value::Bool(true)),
                "false" => Ok(Value::Bool(false)),
                _ => Err("Must be true or false.".to_owned()),
            },
        }
    }
}

/// Whether a text is a day in the one form that sorts as it reads, such as 2027-01-31.
#[must_use]
pub fn is_day(text: &str) -> bool {
    text.parse::<jiff::civil::Date>().is_ok_and(|day| day.to_string() == text)
}

/// Compares numbers without loss where both are whole.
fn compare(left: &Number, right: &Number) -> Ordering {
    let whole = |number: &Number| number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    match (whole(left), whole(right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        _ => left.as_f64().partial_cmp(&right.as_f64()).unwrap_or(Ordering::Equal),
    }
}
