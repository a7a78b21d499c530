//! Problem documents (RFC 9457): the one place where failures become answers of the API.

use std::{any::Any, borrow::Cow};

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use denizen_model::{
    RequestId,
    validation::{FieldErrors, Message},
};
use denizen_ops::{Error, ErrorKind};
use serde::Serialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

/// A failure as the API tells it.
///
/// As a [`Response`] it is a status and an extension; [`finish`] writes the document, since only the outermost layer
/// knows the request's id.
#[derive(Debug, Clone)]
pub(crate) struct Problem(Box<Document>);

/// A problem document (RFC 9457).
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Document {
    /// Which kind of problem it is: a stable reference such as `/problems/invalid-input`.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    kind: Cow<'static, str>,
    /// The kind in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What is wrong with this request.
    detail: String,
    /// What is wrong, field by field. A field inside another is named by its path, such as `attributes.color`; one that
    /// misses several rules is named once for each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<FieldError>,
    /// The request, for whoever looks into it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    request_id: Option<RequestId>,
    #[serde(skip)]
    context: Option<String>,
}

/// What is wrong with one field or parameter.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct FieldError {
    /// Its name.
    field: String,
    /// What is wrong, in words for people.
    message: String,
}

impl Problem {
    fn new(status: StatusCode, kind: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self(Box::new(Document {
            kind: Cow::Borrowed(kind),
            title,
            status: status.as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
            request_id: None,
            context: None,
        }))
    }

    /// Fields or parameters are wrong.
    pub(crate) fn invalid(errors: &FieldErrors) -> Self {
        Self::from(Error::invalid(errors.clone()))
    }

    /// One field or parameter is wrong.
    pub(crate) fn field(field: &str, message: impl Into<Message>) -> Self {
        Self::invalid(&FieldErrors::one(field, message))
    }

    /// A failure in which what is missing was named by a field of the body, not by the address.
    pub(crate) fn of_body(error: Error, what: &str, field: &str) -> Self {
        match *error.kind {
            ErrorKind::NotFound(missing) if missing == what => Self::field(field, error.message),
            _ => Self::from(error),
        }
    }

    /// The body cannot be read at all.
    pub(crate) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "/problems/malformed-body", "The body cannot be read", detail)
    }

    /// The body is of another type.
    pub(crate) fn wrong_content_type() -> Self {
        let detail = "Send JSON, with Content-Type: application/json.";
        let title = "The body is not JSON";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "/problems/wrong-content-type", title, detail)
    }

    /// The body is too large.
    pub(crate) fn too_large() -> Self {
        let detail = "A request's body can have 1 MiB at the most.";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "/problems/body-too-large", "The body is too large", detail)
    }

    /// There is nothing at this address.
    pub(crate) fn no_such_address() -> Self {
        let detail = "There is nothing at this address. /api/docs lists what there is.";
        Self::new(StatusCode::NOT_FOUND, "/problems/not-found", "Not found", detail)
    }

    /// The address does not know this method.
    pub(crate) fn wrong_method() -> Self {
        let detail = "This address does not know this method. The Allow header names those it does.";
        let title = "Method not allowed";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "/problems/method-not-allowed", title, detail)
    }

    /// The request did not come from one of Denizen's own pages.
    pub(crate) fn cross_origin() -> Self {
        let detail = "This request came from a page of another site, so nothing was done.";
        Self::new(StatusCode::FORBIDDEN, "/problems/cross-origin", "Refused", detail)
    }

    /// The record is not in the version that `If-Match` names.
    pub(crate) fn precondition_failed() -> Self {
        let detail = "The record is not in the version that If-Match names. Load it again and repeat your change.";
        let (kind, title) = ("/problems/precondition-failed", "Changed in the meantime");
        Self::new(StatusCode::PRECONDITION_FAILED, kind, title, detail)
    }

    /// Whether it says that somebody else changed the record.
    pub(crate) fn is_changed(&self) -> bool {
        self.0.kind == "/problems/changed"
    }

    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// The answer when a handler has panicked.
pub(crate) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    Problem::from(Error::internal(format!("a handler panicked: {text}"))).into_response()
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        use StatusCode as S;
        let detail = error.message;
        let mut problem = match *error.kind {
            ErrorKind::Invalid(errors) => {
                let mut problem =
                    Self::new(S::UNPROCESSABLE_ENTITY, "/problems/invalid-input", "Invalid input", detail);
                let list =
                    errors.iter().map(|(field, message)| FieldError { field: field.into(), message: message.into() });
                problem.0.errors = list.collect();
                problem
            }
            ErrorKind::Unauthenticated => {
                Self::new(S::UNAUTHORIZED, "/problems/unauthenticated", "Not authenticated", detail)
            }
            ErrorKind::Forbidden(_) => Self::new(S::FORBIDDEN, "/problems/forbidden", "Not allowed", detail),
            ErrorKind::ReauthenticationRequired => {
                let (kind, title) = ("/problems/reauthentication-required", "Fresh sign-in required");
                Self::new(S::FORBIDDEN, kind, title, detail)
            }
            ErrorKind::NotFound(_) => Self::new(S::NOT_FOUND, "/problems/not-found", "Not found", detail),
            ErrorKind::Conflict(code) => {
                let mut problem = Self::new(S::CONFLICT, "", "Not possible in the present state", detail);
                problem.0.kind = Cow::Owned(format!("/problems/{code}"));
                problem
            }
            ErrorKind::Changed => Self::new(S::CONFLICT, "/problems/changed", "Changed in the meantime", detail),
            ErrorKind::Unavailable => {
                Self::new(S::SERVICE_UNAVAILABLE, "/problems/unavailable", "Not available at the moment", detail)
            }
            ErrorKind::NotWritable => {
                Self::new(S::SERVICE_UNAVAILABLE, "/problems/not-writable", "Nothing can be written", detail)
            }
            ErrorKind::Internal => Self::new(S::INTERNAL_SERVER_ERROR, "/problems/internal", "Internal error", detail),
        };
        problem.0.context = error.context;
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes the document of a failed answer, and what the log should know of it.
pub(crate) fn finish(response: &mut Response, request: RequestId) {
    let Some(Problem(mut document)) = response.extensions_mut().remove::<Problem>() else { return };
    document.request_id = Some(request);
    if document.status >= 500 {
        let (kind, context) = (document.kind.as_ref(), document.context.as_deref());
        tracing::error!(request.id = %request, problem.type = kind, error.context = context, "A request failed");
    }
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.remove(header::CONTENT_LENGTH);
    match document.status {
        401 => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"denizen\""));
        }
        503 => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        }
        _ => {}
    }
    // A document of texts and numbers always has a JSON form.
    *response.body_mut() = Body::from(serde_json::to_vec(&document).unwrap_or_default());
}

/// The schemas of problem documents, for the API's description.
pub(crate) fn schemas() -> Vec<(String, RefOr<Schema>)> {
    let mut schemas = vec![(Document::name().into_owned(), Document::schema())];
    Document::schemas(&mut schemas);
    schemas
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_defect_tells_the_log_and_not_the_caller() {
        let mut response = panicked(Box::new("secret detail"));
        finish(&mut response, RequestId::from(uuid::Uuid::nil()));
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = axum::body::to_bytes(std::mem::take(response.body_mut()), 10_000).await.unwrap();
        let text = std::str::from_utf8(&body).unwrap();
        assert!(text.contains("/problems/internal") && text.contains("00000000-0000"), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
}
