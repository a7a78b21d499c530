//! What a handler is asked: who asks, where, with which parameters, and the proof that they may.

use std::{str::FromStr, sync::Arc};

use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::{header, request::Parts},
};
use denizen_model::{permissions::PermissionMarker, validation::check_slug};
use denizen_ops::{App, Cx, Error, ErrorKind, May, RealmState};
use serde::de::DeserializeOwned;

use super::{gate::Api, query};
use crate::{Web, problem::Problem};

/// A request for something in the realm of the path, by somebody who may: with permission `P` and parameters `Q`.
pub(super) struct Ask<P, Q = query::Nothing> {
    pub(super) app: App,
    pub(super) cx: Cx,
    pub(super) may: May<P>,
    pub(super) realm: Arc<RealmState>,
    pub(super) query: Q,
    /// The version that `If-Match` asks for.
    pub(super) if_match: Option<i64>,
}

impl<P: PermissionMarker, Q: DeserializeOwned + Send> FromRequestParts<Web> for Ask<P, Q> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Problem> {
        let Asked { app, cx, query, if_match } = Asked::from_request_parts(parts, web).await?;
        let Slug(slug) = Slug::from_request_parts(parts, web).await?;
        let realm = app.realm(&slug).await?;
        let may = cx.may(realm.realm.id)?;
        Ok(Self { app, cx, may, realm, query: query?, if_match: if_match? })
    }
}

impl<P, Q> Ask<P, Q> {
    /// The proof of another permission in the same realm.
    pub(super) fn prove<R: PermissionMarker>(&self) -> Result<May<R>, Problem> {
        Ok(self.cx.may(self.realm.realm.id)?)
    }
}

/// A request about realms themselves: with permission `P` in the realm `main`.
pub(super) struct AskMain<P, Q = query::Nothing> {
    pub(super) app: App,
    pub(super) cx: Cx,
    pub(super) may: May<P>,
    pub(super) if_match: Option<i64>,
    /// Only that nothing else was asked.
    _query: Q,
}

impl<P: PermissionMarker, Q: DeserializeOwned + Send> FromRequestParts<Web> for AskMain<P, Q> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Problem> {
        let Asked { app, cx, query, if_match } = Asked::from_request_parts(parts, web).await?;
        let main = app.main_realm().await?.realm.id;
        let may = cx.may(main).map_err(|error| match *error.kind {
            // That there is a realm main is no secret.
            ErrorKind::NotFound(_) => Error::forbidden(P::PERMISSION),
            _ => error,
        })?;
        Ok(Self { app, cx, may, if_match: if_match?, _query: query? })
    }
}

/// A request by any administrator.
pub(super) struct AskAny {
    pub(super) app: App,
    pub(super) cx: Cx,
}

impl FromRequestParts<Web> for AskAny {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Problem> {
        let Asked { app, cx, query, .. } = Asked::<query::Nothing>::from_request_parts(parts, web).await?;
        query?;
        Ok(Self { app, cx })
    }
}

/// What can be told of a request before permissions are known; what is wrong with it is told only afterwards.
struct Asked<Q> {
    app: App,
    cx: Cx,
    query: Result<Q, Problem>,
    if_match: Result<Option<i64>, Problem>,
}

impl<Q: DeserializeOwned + Send> FromRequestParts<Web> for Asked<Q> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Problem> {
        let Api(cx) = parts.extensions.get::<Api>().cloned().ok_or_else(Error::unauthenticated)?;
        let query = query::read(parts.uri.query().unwrap_or(""));
        Ok(Self { app: web.app.clone(), cx, query, if_match: if_match(parts) })
    }
}

/// The version in `If-Match` (RFC 9110, section 13.1.1). A tag that Denizen never gives out matches nothing.
fn if_match(parts: &Parts) -> Result<Option<i64>, Problem> {
    let Some(value) = parts.headers.get(header::IF_MATCH) else { return Ok(None) };
    match value.to_str().unwrap_or("").trim() {
        "*" => Ok(None),
        tag => {
            let version = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).and_then(|tag| tag.parse().ok());
            version.map(Some).ok_or_else(Problem::precondition_failed)
        }
    }
}

/// The name of the realm in the path.
pub(super) struct Slug(pub(super) String);

impl FromRequestParts<Web> for Slug {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Problem> {
        let slug = parameter(parts, web, "realm").await?.filter(|slug| check_slug(slug).is_ok());
        Ok(Self(slug.ok_or_else(|| Error::not_found("realm"))?))
    }
}

/// The record in the path, `{id}`.
pub(super) struct Id<T>(pub(super) T);

impl<T: FromStr> FromRequestParts<Web> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Problem> {
        parsed(parts, web, "id").await.map(Self)
    }
}

/// What belongs to the record in the path, `{part}`.
pub(super) struct Part<T>(pub(super) T);

impl<T: FromStr> FromRequestParts<Web> for Part<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Problem> {
        parsed(parts, web, "part").await.map(Self)
    }
}

async fn parsed<T: FromStr>(parts: &mut Parts, web: &Web, name: &str) -> Result<T, Problem> {
    let text = parameter(parts, web, name).await?;
    let id = text.and_then(|text| text.parse().ok()).ok_or_else(|| Error::not_found("record"))?;
    Ok(id)
}

/// A part of the path by its name.
pub(super) async fn parameter(parts: &mut Parts, web: &Web, name: &str) -> Result<Option<String>, Problem> {
    let all = RawPathParams::from_request_parts(parts, web).await.map_err(|_| Problem::no_such_address())?;
    let found = all.iter().find(|(key, _)| *key == name);
    Ok(found.map(|(_, value)| value.to_owned()))
}
