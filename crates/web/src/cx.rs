//! The context of a request: who asks, from where, with what.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
};

use axum::extract::{ConnectInfo, FromRequestParts};
use denizen_model::RequestId;
use denizen_ops::{Actor, Cx};
use http::{HeaderMap, header, request::Parts};

use crate::Web;

/// The longest user agent that is kept, in bytes.
const MAX_USER_AGENT: usize = 500;

/// The context of a request of which nobody has said yet who asks.
pub(crate) struct Anonymous(pub(crate) Cx);

impl FromRequestParts<Web> for Anonymous {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Infallible> {
        Ok(Self(context(web, parts)))
    }
}

/// The context of a request with nobody in it.
pub(crate) fn context(web: &Web, parts: &Parts) -> Cx {
    let now = web.app.now();
    // The outermost layer names the request, so that its log line and its answer agree.
    let named = parts.extensions.get::<RequestId>().copied();
    Cx {
        actor: Actor::Anonymous,
        now,
        request_id: named.unwrap_or_else(|| RequestId::new(now, web.app.rng().bytes())),
        ip: client_ip(web, parts),
        user_agent: user_agent(&parts.headers),
        idempotency: None,
    }
}

/// The client's address: the connection's, or behind a proxy what the proxy put last. Entries before the last
/// were written by whoever called the proxy.
fn client_ip(web: &Web, parts: &Parts) -> Option<IpAddr> {
    if web.behind_proxy {
        let lines = parts.headers.get_all("x-forwarded-for");
        let last =
            lines.iter().next_back().and_then(|line| line.to_str().ok()).and_then(|line| line.rsplit(',').next());
        return last.and_then(|ip| ip.trim().parse().ok());
    }
    parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip().to_canonical())
}

fn user_agent(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::USER_AGENT)?.to_str().ok()?;
    Some(text.chars().take(MAX_USER_AGENT).collect())
}
