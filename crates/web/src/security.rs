//! What every answer carries, and what protects cookies from pages of other sites.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{
    Web,
    cx::new_request_id,
    problem::{self, Problem},
};

/// Nothing inline, nothing from elsewhere. A page that must allow more sets its own.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);
// With `no-referrer` browsers would send `Origin: null` with a form, and the check below would refuse it.
const REFERRER: HeaderValue = HeaderValue::from_static("same-origin");
const PERMISSIONS: HeaderValue =
    HeaderValue::from_static("camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()");
const TRANSPORT: HeaderValue = HeaderValue::from_static("max-age=63072000");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The outermost layer: gives the request its id, writes problem documents, sets the security headers.
pub(crate) async fn envelope(State(web): State<Web>, mut request: Request, next: Next) -> Response {
    let id = new_request_id(&web.app);
    request.extensions_mut().insert(id);
    let mut response = next.run(request).await;
    problem::finish(&mut response, id);
    let response_status = response.status();
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::try_from(id.to_string()) {
        headers.insert(REQUEST_ID, id);
    }
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(POLICY);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::X_FRAME_OPTIONS).or_insert(HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, REFERRER);
    headers.insert(HeaderName::from_static("permissions-policy"), PERMISSIONS);
    if response_status == StatusCode::PAYLOAD_TOO_LARGE {
        // The rest of the body is not read, so the connection cannot carry another request.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if web.is_https() {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, TRANSPORT);
    }
    response
}

/// Refuses changes that a page of another site asks a browser for. Only for what cookies open: bearer tokens and
/// client credentials are not sent by browsers of their own accord.
pub(crate) async fn same_origin(State(web): State<Web>, request: Request, next: Next) -> Response {
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if safe || is_same_origin(request.headers(), web.app.public_url()) {
        next.run(request).await
    } else {
        Problem::cross_origin().into_response()
    }
}

/// Browsers say where a request comes from: by `Sec-Fetch-Site`, which pages cannot forge, or else by `Origin`. What
/// sends neither is no browser, and has no cookie that somebody else could make use of.
fn is_same_origin(headers: &HeaderMap, public_url: &str) -> bool {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    match (text(HeaderName::from_static("sec-fetch-site")), text(header::ORIGIN)) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, None) => true,
        (None, Some(origin)) => {
            let host = origin.split_once("://").map(|(_, host)| host);
            origin == origin_of(public_url) || (host.is_some() && host == text(header::HOST))
        }
    }
}

/// Scheme, host and port of an address.
fn origin_of(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url.get(start..).and_then(|rest| rest.find('/')).map_or(url.len(), |at| start + at);
    url.get(..end).unwrap_or(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &[(&'static str, &'static str)]) -> bool {
        let pairs = lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        is_same_origin(&pairs.collect(), "https://id.example.com/base")
    }

    #[test]
    fn changes_come_from_own_pages_only() {
        assert!(check(&[("sec-fetch-site", "same-origin"), ("origin", "null")]));
        assert!(check(&[("sec-fetch-site", "none")]));
        assert!(check(&[("origin", "https://id.example.com")]));
        assert!(check(&[("origin", "http://10.0.0.5:7000"), ("host", "10.0.0.5:7000")]));
        assert!(check(&[]));
        assert!(!check(&[("sec-fetch-site", "cross-site")]));
        assert!(!check(&[("sec-fetch-site", "same-site"), ("origin", "https://id.example.com")]));
        assert!(!check(&[("origin", "https://evil.example.com"), ("host", "id.example.com")]));
        assert!(!check(&[("origin", "null"), ("host", "id.example.com")]));
    }
}
