//! Everything spoken over HTTP.

mod assets;
mod card;
mod console;
mod cx;
mod health;
mod locale;
mod oauth;
pub mod render;
mod security;

use axum::{Router, extract::DefaultBodyLimit, middleware::from_fn_with_state};
use denizen_ops::App;

/// How the server stands in the world.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Whether the client's address comes from the last entry of `X-Forwarded-For`.
    pub behind_proxy: bool,
    /// Set in demo mode.
    pub demo: Option<DemoBanner>,
}

/// What demo mode says on every page of the console.
#[derive(Debug, Clone)]
pub struct DemoBanner {
    /// The sentence.
    pub text: String,
}

/// The axum state.
#[derive(Clone)]
pub struct Web {
    pub(crate) app: App,
    pub(crate) templates: render::Templates,
    pub(crate) demo: Option<DemoBanner>,
    pub(crate) behind_proxy: bool,
}

impl Web {
    /// The state for an application.
    ///
    /// # Errors
    /// When a text embedded in the binary cannot be read.
    pub fn new(app: App, options: Options) -> Result<Self, render::RenderError> {
        Ok(Self { app, templates: render::Templates::load()?, demo: options.demo, behind_proxy: options.behind_proxy })
    }

    pub(crate) fn is_https(&self) -> bool {
        self.app.public_url().starts_with("https://")
    }
}

/// A name from a path as it may stand in another path.
pub(crate) fn path_segment(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect()
}

/// The largest body of a request, in bytes.
const MAX_BODY: usize = 1024 * 1024;

/// All routes. Pages take only what comes from Denizen's own pages; endpoints that clients call look at no
/// cookie, and may be called from anywhere.
pub fn router(web: Web) -> Router {
    let pages = Router::new()
        .merge(card::router())
        .merge(console::router(&web))
        .layer(from_fn_with_state(web.clone(), security::same_origin));
    Router::new()
        .merge(pages)
        .merge(card::sign_out::client_router())
        .merge(oauth::browser_router())
        .merge(oauth::client_router())
        .merge(assets::router())
        .merge(health::router())
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(web.clone(), security::headers))
        .with_state(web)
}
