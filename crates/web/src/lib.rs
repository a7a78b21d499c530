//! Everything spoken over HTTP: the admin API, the OpenID provider, the sign-in pages, the console.
//!
//! A handler extracts, calls one operation and shapes the answer. A rule that lives here is in the wrong room.

mod api;
mod assets;
mod card;
mod console;
mod cx;
mod declared;
mod docs;
mod download;
mod health;
mod language;
mod locale;
mod oauth;
mod problem;
pub mod render;
mod security;
mod upload;

use axum::{
    Router, extract::DefaultBodyLimit, handler::Handler as _, http::StatusCode, middleware, response::Response,
    routing::get,
};
use denizen_ops::App;
use tower_http::{CompressionLevel, catch_panic::CatchPanicLayer, compression::CompressionLayer};

/// What every handler works with.
#[derive(Clone)]
pub struct Web {
    /// The application.
    pub app: App,
    /// The pages.
    pub templates: render::Templates,
    /// Set in a demo, whose pages say so.
    pub demo: Option<DemoBanner>,
    /// Whether a proxy stands in front, so that the last `X-Forwarded-For` address is the client's.
    pub behind_proxy: bool,
}

/// What an operator decides about the web.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Whether a proxy stands in front.
    pub behind_proxy: bool,
    /// Set in a demo.
    pub demo: Option<DemoBanner>,
}

/// What the pages of a demo say.
#[derive(Debug, Clone)]
pub struct DemoBanner {
    /// The sentence.
    pub text: String,
}

impl Web {
    /// The web of an application.
    ///
    /// # Errors
    /// When a text embedded in the binary cannot be read.
    pub fn new(app: App, options: Options) -> Result<Self, render::RenderError> {
        Ok(Self { app, templates: render::Templates::load()?, demo: options.demo, behind_proxy: options.behind_proxy })
    }

    /// Whether people reach Denizen over TLS.
    pub(crate) fn is_https(&self) -> bool {
        self.app.public_url().starts_with("https://")
    }
}

/// The largest body of a request, in bytes.
const MAX_BODY: usize = 1024 * 1024;

/// Everything Denizen answers to.
pub fn router(web: Web) -> Router {
    let localized =
        |routes: Router<Web>| routes.route_layer(middleware::from_fn_with_state(web.clone(), language::layer));
    // What a browser's cookie opens takes changes from Denizen's own pages only.
    let pages = Router::new()
        .merge(localized(card::router()))
        .merge(card::mailbox::router())
        .merge(console::router(&web))
        .route_layer(middleware::from_fn_with_state(web.clone(), security::same_origin));
    // Smaller on the way; tokens and other answers of few bytes gain nothing from it.
    let large = Router::new().merge(pages).merge(assets::router()).route("/api/docs", get(docs::page));
    Router::new()
        .merge(large.layer(CompressionLayer::new().quality(CompressionLevel::Fastest)))
        .merge(localized(card::sign_out::client_router().merge(oauth::browser_router())))
        .merge(oauth::client_router())
        .merge(health::router())
        .nest("/api", api::router(&web))
        .fallback(not_found.layer(middleware::from_fn_with_state(web.clone(), language::layer)))
        .layer(CatchPanicLayer::custom(problem::panicked))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(web.clone(), security::envelope))
        .with_state(web)
}

async fn not_found(axum::extract::State(web): axum::extract::State<Web>) -> Response {
    card::fault_page(&web, StatusCode::NOT_FOUND, "not_found", None)
}

/// A text as one segment of a path (RFC 3986, section 3.3).
pub(crate) fn path_segment(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            other => {
                // Writing to a string cannot fail.
                let _ = write!(out, "%{other:02X}");
            }
        }
    }
    out
}
