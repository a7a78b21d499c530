//! Query parameters and bodies into types, with every wrong field named.

use denizen_model::{
    pages::{Cursor, DEFAULT_LIMIT, MAX_LIMIT},
    validation::FieldErrors,
};
use denizen_ops::members::NameQuery;
use serde::{Deserialize, Deserializer, de::DeserializeOwned, de::Error as _};
use utoipa::IntoParams;

use crate::problem::Problem;

/// No parameters at all.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// The parameters of every list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Paging {
    /// Where the page starts: `next_cursor` of the page before.
    #[serde(default, deserialize_with = "cursor")]
    #[param(value_type = Option<String>)]
    pub(super) cursor: Option<Cursor>,
    /// How many items a page has at the most; 50 when absent.
    #[serde(default = "default_limit", deserialize_with = "limit")]
    #[param(minimum = 1, maximum = 500, required = false)]
    pub(super) limit: u32,
}

/// The parameters of a list by name.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ByName {
    /// The beginning of the name, without regard to case and accents; up to 100 characters.
    q: Option<String>,
    /// Where the page starts: `next_cursor` of the page before.
    #[serde(default, deserialize_with = "cursor")]
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// How many items a page has at the most; 50 when absent.
    #[serde(default = "default_limit", deserialize_with = "limit")]
    #[param(minimum = 1, maximum = 500, required = false)]
    limit: u32,
}

impl From<ByName> for NameQuery {
    fn from(asked: ByName) -> Self {
        Self { q: asked.q, after: asked.cursor, limit: asked.limit }
    }
}

pub(super) fn default_limit() -> u32 {
    DEFAULT_LIMIT
}

/// Reads a cursor.
pub(super) fn cursor<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cursor>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Cursor::decode(&text)
        .map(Some)
        .map_err(|_| D::Error::custom("Must be the next_cursor of the page before, unchanged."))
}

/// Reads a page size.
pub(super) fn limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let text = String::deserialize(deserializer)?;
    let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
    limit.ok_or_else(|| D::Error::custom(format!("Must be a number from 1 to {MAX_LIMIT}.")))
}

/// Reads the parameters of a request.
pub(super) fn read<Q: DeserializeOwned>(query: &str) -> Result<Q, Problem> {
    let mut errors = FieldErrors::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        // The parser puts U+FFFD where the bytes are no UTF-8.
        if name.contains(['\u{fffd}', '\0']) || value.contains('\u{fffd}') {
            errors.add(&name, "Must be valid UTF-8.");
        }
        if value.contains('\0') {
            errors.add(&name, "Must not contain NUL.");
        }
    }
    if !errors.is_empty() {
        return Err(Problem::invalid(&errors));
    }
    let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
    serde_path_to_error::deserialize(pairs).map_err(|error| {
        let (field, message) = explain(&error.path().to_string(), &error.inner().to_string(), "parameter");
        Problem::field(&field, message)
    })
}

/// Turns serde's message into the field that is wrong and a sentence for people.
pub(super) fn explain(path: &str, message: &str, what: &str) -> (String, String) {
    let message = message.split(" at line ").next().unwrap_or(message);
    let path = if path == "." || path == "?" { "" } else { path };
    let inside = |field: &str| match path {
        "" => field.to_owned(),
        path if path == field || path.ends_with(&format!(".{field}")) => path.to_owned(),
        path => format!("{path}.{field}"),
    };
    let quoted = message.split('`').nth(1).unwrap_or("");
    if message.starts_with("unknown field") {
        return (inside(quoted), format!("There is no such {what}."));
    }
    if message.starts_with("missing field") {
        return (inside(quoted), "Is missing.".to_owned());
    }
    if message.starts_with("duplicate field") {
        return (inside(quoted), "Is given twice.".to_owned());
    }
    let field = if path.is_empty() { "body".to_owned() } else { path.to_owned() };
    let sentence = match message.split_once("expected ") {
        Some((_, "there are no fields")) => "Must be left out.".to_owned(),
        Some((_, wanted)) => format!("Must be {}.", wanted.strip_suffix('.').unwrap_or(wanted).replace('`', "")),
        None => format!("{}.", message.strip_suffix('.').unwrap_or(message)),
    };
    (field, sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serde_is_put_into_words() {
        let said = |path, message| explain(path, message, "field");
        let is = |field: &str, message: &str| (field.to_owned(), message.to_owned());
        assert_eq!(
            said(".", "unknown field `x`, expected `a` or `b` at line 1 column 4"),
            is("x", "There is no such field.")
        );
        assert_eq!(said("a.x", "unknown field `x`, expected `a`"), is("a.x", "There is no such field."));
        assert_eq!(said("a", "missing field `x`"), is("a.x", "Is missing."));
        assert_eq!(
            said("kind", "unknown variant `x`, expected `human` or `machine`"),
            is("kind", "Must be human or machine.")
        );
        assert_eq!(said("n", "invalid type: string \"x\", expected u32"), is("n", "Must be u32."));
    }
}
