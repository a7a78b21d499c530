//! What a browser sends: form fields and query parameters, read leniently and checked by the operations.

use std::collections::BTreeMap;

use axum::{
    extract::{FromRequest, FromRequestParts, Multipart, Query, Request, rejection::FormRejection},
    response::{IntoResponse, Response},
};
use denizen_ops::{Error, ErrorKind};
use http::request::Parts;

use super::PageError;

/// Messages by field, one a line; `form` is for the form as a whole.
pub(crate) type Errors = BTreeMap<String, String>;

/// The fields of a form or the parameters of an address.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    fn checked(pairs: Vec<(String, String)>) -> Result<Self, PageError> {
        // No text in Denizen holds NUL, and PostgreSQL would refuse it.
        match pairs.iter().find(|(key, value)| key.contains('\0') || value.contains('\0')) {
            Some(_) => Err(Error::field("form", "Must not contain NUL.").into()),
            None => Ok(Self(pairs)),
        }
    }

    /// The fields of a query string.
    #[cfg(test)]
    pub(super) fn made(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// All fields, in order.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    #[cfg(test)]
    pub(crate) fn from_pairs(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    /// A field's text as it was typed; empty when it was not sent.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str())
    }

    /// Whether a field was sent at all.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// A field's text, if there is any.
    pub(crate) fn given(&self, name: &str) -> Option<String> {
        Some(self.text(name).trim()).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    /// Whether a box was ticked.
    pub(crate) fn ticked(&self, name: &str) -> bool {
        self.text(name) == "true"
    }

    /// All values of a field that may be sent several times.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The lines of a text area that hold something.
    pub(super) fn lines(&self, name: &str) -> Vec<String> {
        self.text(name).lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    /// The record's version that the form was made from.
    pub(crate) fn version(&self) -> Option<i64> {
        self.text("version").parse().ok()
    }

    /// A whole number.
    pub(super) fn number(&self, name: &str, errors: &mut Errors) -> u64 {
        let typed = self.text(name).trim();
        typed.parse().unwrap_or_else(|_| {
            errors.insert(name.to_owned(), "Must be a whole number.".to_owned());
            0
        })
    }
}

/// A posted form.
#[derive(Debug)]
pub(crate) struct Posted(pub(crate) Fields);

impl<S: Send + Sync> FromRequest<S> for Posted {
    type Rejection = Response;
    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let form = axum::Form::<Vec<(String, String)>>::from_request(request, state).await;
        let axum::Form(pairs) = form.map_err(FormRejection::into_response)?;
        Fields::checked(pairs).map(Self).map_err(IntoResponse::into_response)
    }
}

/// A posted form that may hold files; a file is the text of its field.
#[derive(Debug)]
pub(super) struct Uploaded(pub(super) Fields);

/// Spreadsheets also write Latin-1; what is not UTF-8 is read as that.
fn text_of(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| error.into_bytes().into_iter().map(char::from).collect())
}

impl<S: Send + Sync> FromRequest<S> for Uploaded {
    type Rejection = Response;
    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let form = Multipart::from_request(request, state).await;
        let mut form = form.map_err(IntoResponse::into_response)?;
        let mut pairs = Vec::new();
        while let Some(field) = form.next_field().await.map_err(IntoResponse::into_response)? {
            let name = field.name().unwrap_or("").to_owned();
            let bytes = field.bytes().await.map_err(IntoResponse::into_response)?;
            pairs.push((name, text_of(bytes.to_vec())));
        }
        Fields::checked(pairs).map(Self).map_err(IntoResponse::into_response)
    }
}

/// The parameters of the address.
#[derive(Debug)]
pub(super) struct Asked(pub(super) Fields);

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let query = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let Query(pairs) = query.map_err(IntoResponse::into_response)?;
        Fields::checked(pairs).map(Self).map_err(IntoResponse::into_response)
    }
}

/// A text area's text as one line: descriptions have no line breaks.
pub(super) fn one_line(typed: &str) -> String {
    typed.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The messages of a failure that the person at the form can mend; any other failure goes on.
pub(super) fn mendable(error: Error) -> Result<Errors, PageError> {
    match *error.kind {
        ErrorKind::Invalid(fields) => Ok(fields.lines(|message| message.text().to_owned())),
        ErrorKind::Conflict(_) | ErrorKind::Changed | ErrorKind::Forbidden(None) => {
            Ok(Errors::from([("form".to_owned(), error.message)]))
        }
        _ => Err(error.into()),
    }
}

/// As [`mendable`], for a form that shows only the named fields: what is wrong with any other stands above it.
pub(super) fn mendable_in(error: Error, shown: &[&str]) -> Result<Errors, PageError> {
    let mut errors = mendable(error)?;
    let hidden: Vec<String> =
        errors.keys().filter(|key| *key != "form" && !shown.contains(&key.as_str())).cloned().collect();
    for field in hidden {
        if let Some(message) = errors.remove(&field) {
            let message = if shown.is_empty() { message } else { format!("{field}: {message}") };
            errors.entry("form".to_owned()).or_insert(message);
        }
    }
    Ok(errors)
}
