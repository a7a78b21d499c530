//! Styles, scripts and icons at `/assets/…`, embedded in the binary (read from disk in debug builds).
//!
//! Pages name each file with the beginning of its hash, `/assets/app.css?v=0123456789abcdef`; under that address
//! a browser may keep it for good.

use axum::{
    Router,
    extract::{Path, RawQuery},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH},
};
use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "assets/"]
#[include = "*.css"]
#[include = "*.js"]
#[include = "*.svg"]
struct Files;

/// The routes.
pub(crate) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/assets/{*path}", get(serve))
}

fn version(file: &EmbeddedFile) -> String {
    use std::fmt::Write as _;
    let hash = file.metadata.sha256_hash();
    hash.iter().take(8).fold(String::with_capacity(16), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// The address of an asset, with its version.
pub(crate) fn href(name: &str) -> Option<String> {
    Files::get(name).map(|file| format!("/assets/{name}?v={}", version(&file)))
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, end)| end) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

async fn serve(Path(path): Path<String>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let Some(file) = Files::get(&path) else { return StatusCode::NOT_FOUND.into_response() };
    let version = version(&file);
    // Weak, since the same file goes out compressed and not.
    let tag = format!("W/\"{version}\"");
    let named = query.as_deref().and_then(|query| query.strip_prefix("v=")) == Some(version.as_str());
    let caching = if named { "public, max-age=31536000, immutable" } else { "no-cache" };
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let unchanged = known.flat_map(|value| value.split(',')).any(|value| value.trim() == tag || value.trim() == "*");
    let etag = HeaderValue::try_from(tag).unwrap_or_else(|_| HeaderValue::from_static("W/\"\""));
    let mut response =
        if unchanged { StatusCode::NOT_MODIFIED.into_response() } else { file.data.into_owned().into_response() };
    let out = response.headers_mut();
    out.insert(ETAG, etag);
    out.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    out.insert(CONTENT_TYPE, HeaderValue::from_static(content_type(&path)));
    response
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::Request;
    use tower::ServiceExt;

    use super::*;

    async fn get_with(path: &str, tag: Option<&str>) -> Response {
        let mut request = Request::get(path);
        if let Some(tag) = tag {
            request = request.header(IF_NONE_MATCH, tag);
        }
        router::<()>().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn a_versioned_asset_is_kept_for_good_and_known_ones_are_not_sent_again() {
        let address = href("app.css").unwrap();
        let first = get_with(&address, None).await;
        assert_eq!(first.status(), StatusCode::OK);
        assert_eq!(first.headers()[CONTENT_TYPE], "text/css; charset=utf-8");
        assert!(first.headers()[CACHE_CONTROL].to_str().unwrap().contains("immutable"));
        let tag = first.headers()[ETAG].to_str().unwrap().to_owned();
        assert_eq!(get_with(&address, Some(&tag)).await.status(), StatusCode::NOT_MODIFIED);
        let other = get_with("/assets/app.css?v=old", None).await;
        assert_eq!(other.headers()[CACHE_CONTROL], "no-cache");
    }

    #[tokio::test]
    async fn nothing_outside_the_folder_is_served() {
        for path in
            ["/assets/../Cargo.toml", "/assets/%2e%2e/Cargo.toml", "/assets/nothing.css", "/assets/..%2fsrc%2flib.rs"]
        {
            assert_eq!(get_with(path, None).await.status(), StatusCode::NOT_FOUND, "{path}");
        }
    }
}
