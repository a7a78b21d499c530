//! Whether the process lives and whether it can work.

use axum::{Router, extract::State, routing::get};
use http::StatusCode;

use crate::Web;

pub(crate) fn router() -> Router<Web> {
    Router::new().route("/health/live", get(|| async { "ok\n" })).route("/health/ready", get(ready))
}

async fn ready(State(web): State<Web>) -> (StatusCode, &'static str) {
    match web.app.ping().await {
        Ok(()) => (StatusCode::OK, "ok\n"),
        Err(error) => {
            tracing::warn!(error = %error, context = error.context.as_deref(), "Not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n")
        }
    }
}
