//! Bodies: JSON, checked, with the wrong field named.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
};
use denizen_model::validation::FieldErrors;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;

use super::query::explain;
use crate::{Web, problem::Problem};

/// A JSON body.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Web> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, web: &Web) -> Result<Self, Problem> {
        let json = is_json(request.headers());
        let bytes = bytes(request, web).await?;
        if !json {
            return Err(Problem::wrong_content_type());
        }
        read(&bytes).map(Self)
    }
}

/// A JSON body that may be left out.
pub(super) struct MaybeBody<T>(pub(super) T);

impl<T: DeserializeOwned + Default> FromRequest<Web> for MaybeBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, web: &Web) -> Result<Self, Problem> {
        let json = is_json(request.headers());
        let bytes = bytes(request, web).await?;
        match bytes.is_empty() {
            true => Ok(Self(T::default())),
            false if json => read(&bytes).map(Self),
            false => Err(Problem::wrong_content_type()),
        }
    }
}

/// The body of a request that says everything by its address.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

async fn bytes(request: Request, web: &Web) -> Result<Bytes, Problem> {
    Bytes::from_request(request, web).await.map_err(|rejection| match rejection.status().as_u16() {
        413 => Problem::too_large(),
        _ => Problem::malformed("The connection ended before the body did."),
    })
}

/// JSON, or one of its kin such as `application/merge-patch+json` (RFC 7396).
fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let kind = value.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

/// Reads a body that must be a JSON object of type `T`.
fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let text = std::str::from_utf8(bytes).map_err(|_| Problem::malformed("The body is not valid UTF-8."))?;
    // JSON strings hold no NUL but in this spelling; databases and logs can do without it.
    if text.contains("\\u0000") {
        let value: Value = serde_json::from_str(text).map_err(|error| Problem::malformed(sentence(&error)))?;
        let mut errors = FieldErrors::new();
        find_nul(&value, "", &mut errors);
        if !errors.is_empty() {
            return Err(Problem::invalid(&errors));
        }
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let read = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        if inner.is_data() { wrong(&path, &inner) } else { Problem::malformed(sentence(&inner)) }
    })?;
    json.end().map_err(|error| Problem::malformed(sentence(&error)))?;
    Ok(read)
}

/// Reads a value that was put together from a body.
pub(super) fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value).map_err(|error| wrong(&error.path().to_string(), error.inner()))
}

fn wrong(path: &str, error: &serde_json::Error) -> Problem {
    let (field, message) = explain(path, &error.to_string(), "field");
    Problem::field(&field, message)
}

fn sentence(error: &serde_json::Error) -> String {
    format!("The body is not valid JSON: {error}.")
}

fn find_nul(value: &Value, path: &str, errors: &mut FieldErrors) {
    const MESSAGE: &str = "Must not contain NUL.";
    match value {
        Value::String(text) if text.contains('\0') => errors.add(if path.is_empty() { "body" } else { path }, MESSAGE),
        Value::Array(items) => items.iter().for_each(|item| find_nul(item, path, errors)),
        Value::Object(fields) => {
            for (key, value) in fields {
                let inner = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                if key.contains('\0') {
                    errors.add(&inner.replace('\0', "\u{fffd}"), MESSAGE);
                }
                find_nul(value, &inner, errors);
            }
        }
        _ => {}
    }
}

/// For a field of a change that can be cleared: absent leaves it, `null` clears it (RFC 7396).
pub(super) fn nullable<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}

/// For a field of a change that cannot be cleared: absent leaves it, `null` is an error.
pub(super) fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}
