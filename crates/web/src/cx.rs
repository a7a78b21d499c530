//! The context of a request: who asks, when, from where.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{Extensions, HeaderMap, header, request::Parts},
};
use denizen_model::RequestId;
use denizen_ops::{Actor, Administrator, App, Cx, Result, api_keys, crypto::Prefix, oauth::access_tokens};

use crate::{Web, language, oauth::token::bearer};

/// The longest user agent that is kept, in characters.
const MAX_USER_AGENT: usize = 500;

/// A request of somebody who has not said who they are, or whose page finds that out by itself.
pub(crate) struct Anonymous(pub(crate) Cx);

impl FromRequestParts<Web> for Anonymous {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> std::result::Result<Self, Infallible> {
        Ok(Self(anonymous(web, &parts.headers, &parts.extensions)))
    }
}

/// The context of a request before anybody has looked at its credentials.
pub(crate) fn anonymous(web: &Web, headers: &HeaderMap, extensions: &Extensions) -> Cx {
    let now = web.app.now();
    Cx {
        actor: Actor::Anonymous,
        now,
        request_id: extensions.get::<RequestId>().copied().unwrap_or_else(|| new_request_id(&web.app)),
        ip: client_ip(headers, extensions, web.behind_proxy),
        user_agent: user_agent(headers),
        idempotency: None,
        language: language::reader(),
    }
}

/// A fresh id for a request.
pub(crate) fn new_request_id(app: &App) -> RequestId {
    RequestId::new(app.now(), app.rng().bytes())
}

/// The address a request comes from. Behind a proxy that is the last entry of `X-Forwarded-For`: the one the proxy
/// itself has added; those before it are whatever the client claims.
fn client_ip(headers: &HeaderMap, extensions: &Extensions, behind_proxy: bool) -> Option<IpAddr> {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    let forwarded = || {
        let line = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
        let last = line.rsplit(',').next()?.trim();
        last.parse::<IpAddr>().ok().or_else(|| last.parse::<SocketAddr>().ok().map(|address| address.ip()))
    };
    let found = if behind_proxy { forwarded().or(peer) } else { peer };
    found.map(|ip| ip.to_canonical())
}

/// The user agent, cut; none when it is not text.
fn user_agent(headers: &HeaderMap) -> Option<String> {
    let text = std::str::from_utf8(headers.get(header::USER_AGENT)?.as_bytes()).ok()?;
    Some(text.chars().filter(|c| !c.is_control()).take(MAX_USER_AGENT).collect())
}

/// The administrator behind a bearer token: an API key, or an access token issued for administration.
///
/// # Errors
/// When the database fails.
pub(crate) async fn find_administrator(app: &App, cx: &Cx, headers: &HeaderMap) -> Result<Option<Administrator>> {
    let Some(token) = bearer(headers) else { return Ok(None) };
    if token.starts_with(Prefix::ApiKey.as_str()) {
        return api_keys::find_administrator(app, token, cx.now).await;
    }
    let Some(slug) = access_tokens::unverified_realm(app, token) else { return Ok(None) };
    match app.realm(&slug).await {
        Ok(realm) => access_tokens::find_administrator(app, &realm, token, cx.now).await,
        Err(error) if matches!(*error.kind, denizen_ops::ErrorKind::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(lines: &[(&'static str, &'static [u8])]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static [u8])| {
            (header::HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap())
        };
        let mut out = HeaderMap::new();
        for (name, value) in lines.iter().map(pair) {
            out.append(name, value);
        }
        out
    }

    #[test]
    fn only_a_trusted_proxy_says_where_a_request_comes_from() {
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(SocketAddr::from(([192, 0, 2, 9], 443))));
        let forged = headers(&[("x-forwarded-for", b"10.0.0.1"), ("x-forwarded-for", b"10.0.0.2, 198.51.100.7")]);
        let of = |behind_proxy| client_ip(&forged, &extensions, behind_proxy).map(|ip| ip.to_string());
        assert_eq!(of(true).as_deref(), Some("198.51.100.7"));
        assert_eq!(of(false).as_deref(), Some("192.0.2.9"));
        let with_port = headers(&[("x-forwarded-for", b"[2001:db8::1]:9000")]);
        assert_eq!(client_ip(&with_port, &extensions, true).map(|ip| ip.to_string()).as_deref(), Some("2001:db8::1"));
        let nonsense = headers(&[("x-forwarded-for", b"unknown")]);
        assert_eq!(client_ip(&nonsense, &extensions, true).map(|ip| ip.to_string()).as_deref(), Some("192.0.2.9"));
    }

    #[test]
    fn user_agents_are_cut_and_must_be_text() {
        assert_eq!(user_agent(&headers(&[("user-agent", b"curl/8")])).as_deref(), Some("curl/8"));
        assert_eq!(user_agent(&headers(&[("user-agent", b"\xff\xfe")])), None);
        let mut long = HeaderMap::new();
        long.insert(header::USER_AGENT, HeaderValue::try_from("x".repeat(2000)).unwrap());
        assert_eq!(user_agent(&long).unwrap().len(), MAX_USER_AGENT);
    }
}
