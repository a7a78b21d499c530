//! Whether Denizen lives, and whether it can work.

use axum::{Json, Router, extract::State, routing::get};
use serde_json::{Value, json};

use crate::{Web, problem::Problem};

/// `/health/live` says that the process answers; `/health/ready` that its database does.
pub(crate) fn router() -> Router<Web> {
    Router::new().route("/health/live", get(live)).route("/health/ready", get(ready))
}

async fn live() -> Json<Value> {
    Json(json!({"status": "live"}))
}

async fn ready(State(web): State<Web>) -> Result<Json<Value>, Problem> {
    web.app.ping().await?;
    Ok(Json(json!({"status": "ready"})))
}
