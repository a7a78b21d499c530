//! A message that waits for the next page, in a sealed cookie so that nobody else can put words in it.

use std::time::Duration;

use axum::response::Response;
use denizen_ops::App;
use http::HeaderMap;
use serde::{Deserialize, Serialize};

use super::cookies;
use crate::card::with_cookie;

const PURPOSE: &str = "console.flash";
const WAITS: Duration = Duration::from_secs(60);

/// What was done, or why it was not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Flash {
    kind: String,
    text: String,
}

impl Flash {
    pub(super) fn success(text: impl Into<String>) -> Self {
        Self { kind: "success".to_owned(), text: text.into() }
    }

    pub(super) fn danger(text: impl Into<String>) -> Self {
        Self { kind: "danger".to_owned(), text: text.into() }
    }
}

/// Leaves a message for the next page.
pub(super) fn leave(app: &App, mut response: Response, flash: &Flash) -> Response {
    if let Ok(plain) = serde_json::to_vec(flash) {
        response =
            with_cookie(response, cookies::set(app, cookies::FLASH, &app.sealer().seal(PURPOSE, plain), Some(WAITS)));
    }
    response
}

/// The message that waits.
pub(super) fn find(app: &App, headers: &HeaderMap) -> Option<Flash> {
    let sealed = cookies::find(app, headers, cookies::FLASH)?;
    serde_json::from_slice(&app.sealer().open(PURPOSE, sealed).ok()?).ok()
}
