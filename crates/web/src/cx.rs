//! Request context.
use axum::extract::FromRequestParts;
use denizen_model::RequestId;
use denizen_ops::{Actor, Cx};
use http::request::Parts;

use crate::Web;

/// The context of a request of which nobody has said who asks.
pub(crate) struct Anonymous(pub(crate) Cx);

impl FromRequestParts<Web> for Anonymous {
    type Rejection = std::convert::Infallible;
    async fn from_request_parts(_: &mut Parts, web: &Web) -> Result<Self, Self::Rejection> {
        let now = web.app.now();
        Ok(Self(Cx { actor: Actor::Anonymous, now, request_id: RequestId::new(now, web.app.rng().bytes()), ip: None, user_agent: None, idempotency: None }))
    }
}
