//! Answers: records with their version, lists, and nothing.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use denizen_model::pages::{Page, Total};
use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::Problem;

/// What a handler answers.
pub(super) type Answer<T> = Result<T, Problem>;

/// A record with its version as `ETag`.
pub(super) struct Record<T> {
    version: i64,
    location: Option<String>,
    body: T,
}

impl<T> Record<T> {
    /// A record that was there.
    pub(super) fn new(version: i64, body: T) -> Self {
        Self { version, location: None, body }
    }

    /// A record that was made, and where it is.
    pub(super) fn created(version: i64, location: String, body: T) -> Self {
        Self { version, location: Some(location), body }
    }
}

impl<T: Serialize> IntoResponse for Record<T> {
    fn into_response(self) -> Response {
        let status = if self.location.is_some() { StatusCode::CREATED } else { StatusCode::OK };
        let mut response = (status, Json(self.body)).into_response();
        let headers = response.headers_mut();
        if let Ok(tag) = HeaderValue::try_from(format!("\"{}\"", self.version)) {
            headers.insert(header::ETAG, tag);
        }
        if let Some(location) = self.location.and_then(|location| HeaderValue::try_from(location).ok()) {
            headers.insert(header::LOCATION, location);
        }
        response
    }
}

/// One page of a list.
#[derive(Serialize, ToSchema)]
pub(super) struct List<T> {
    /// The items, in the order asked for.
    items: Vec<T>,
    /// Where the next page starts; `null` on the last.
    next_cursor: Option<String>,
    /// How many there are in all.
    total: Total,
}

impl<T> List<T> {
    /// A page of records, each as its view.
    pub(super) fn page<R>(page: Page<R>, view: impl FnMut(R) -> T) -> Json<Self> {
        let Page { items, next, total } = page.map(view);
        Json(Self { items, next_cursor: next.map(|cursor| cursor.encode()), total })
    }

    /// All there are.
    pub(super) fn all<R>(records: Vec<R>, view: impl FnMut(R) -> T) -> Json<Self> {
        let total = Total::exact(u64::try_from(records.len()).unwrap_or(u64::MAX));
        Json(Self { items: records.into_iter().map(view).collect(), next_cursor: None, total })
    }
}

/// It is done, and there is nothing more to say.
pub(super) const DONE: StatusCode = StatusCode::NO_CONTENT;
