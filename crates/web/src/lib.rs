//! Everything spoken over HTTP.

pub mod assets;
pub(crate) mod card;
pub mod console;
pub(crate) mod cx;
mod locale;
pub(crate) mod oauth;
pub mod render;

use denizen_ops::App;

/// The axum state.
#[derive(Clone)]
pub struct Web {
    /// The application.
    pub app: App,
    /// Its pages.
    pub templates: render::Templates,
    /// Set in demo mode.
    pub demo: Option<DemoBanner>,
    /// Whether a proxy stands before it.
    pub behind_proxy: bool,
}

/// Demo mode.
#[derive(Debug, Clone)]
pub struct DemoBanner;

impl Web {
    pub(crate) fn is_https(&self) -> bool {
        self.app.public_url().starts_with("https://")
    }
}

pub(crate) fn path_segment(text: &str) -> String {
    text.to_owned()
}

/// All routes.
pub fn router(web: Web) -> axum::Router {
    axum::Router::new().merge(console::router(&web)).merge(assets::router()).with_state(web)
}
