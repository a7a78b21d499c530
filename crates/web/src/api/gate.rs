//! What every request to the API passes: credentials, then `Idempotency-Key`.

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use denizen_ops::{
    Actor, Cx, Error, IdempotencyKey,
    crypto::hash_token,
    idempotency::{Replay, look_up, note_answer},
};
use serde::{Deserialize, Serialize};

use crate::{
    MAX_BODY, Web,
    cx::{anonymous, find_administrator},
    problem::Problem,
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The context of an administrator's request; in the request's extensions once the gate has let it in.
#[derive(Clone)]
pub(super) struct Api(pub(super) Cx);

/// Lets administrators in, and answers a repeated `POST` as the first time.
pub(super) async fn gate(State(web): State<Web>, request: Request, next: Next) -> Response {
    let conditional = request.headers().contains_key(header::IF_MATCH);
    let mut response = pass(&web, request, next).await.unwrap_or_else(IntoResponse::into_response);
    // With If-Match, "changed in the meantime" is a failed precondition (RFC 9110, section 13.1.1).
    if conditional && response.extensions().get::<Problem>().is_some_and(Problem::is_changed) {
        response = Problem::precondition_failed().into_response();
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn pass(web: &Web, mut request: Request, next: Next) -> Result<Response, Problem> {
    let cx = anonymous(web, request.headers(), request.extensions());
    let admin = find_administrator(&web.app, &cx, request.headers()).await?.ok_or_else(Error::unauthenticated)?;
    let id = admin.id.to_string();
    let mut cx = cx.acting_as(Actor::Administrator(Box::new(admin)));
    let Some(name) = idempotency_key(&request)? else {
        request.extensions_mut().insert(Api(cx));
        return Ok(next.run(request).await);
    };
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, MAX_BODY).await.map_err(|_| Problem::too_large())?;
    let asked = format!("{} {}\n{}", parts.method, parts.uri, String::from_utf8_lossy(&body));
    let key = IdempotencyKey { actor: id, key: name, request_hash: hash_token(&asked) };
    if let Replay::Answered(kept) = look_up(&web.app, &key).await? {
        return Ok(Kept::replay(&kept));
    }
    cx.idempotency = Some(key.clone());
    let mut request = Request::from_parts(parts, Body::from(body));
    request.extensions_mut().insert(Api(cx));
    keep(web, &key, next.run(request).await).await
}

/// The key of a `POST` request. An import's body is not held in memory to be compared; importing a file again is safe by
/// itself.
fn idempotency_key(request: &Request) -> Result<Option<String>, Problem> {
    if request.uri().path().ends_with("/users/import") {
        return Ok(None);
    }

    let Some(value) = request.headers().get(IDEMPOTENCY_KEY).filter(|_| request.method() == Method::POST) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or("").trim();
    if (1..=255).contains(&text.len()) {
        Ok(Some(text.to_owned()))
    } else {
        Err(Problem::field("Idempotency-Key", "Must have 1 to 255 visible ASCII characters."))
    }
}

/// Keeps the answer to a change that was made. A refused one left nothing behind, so it may be tried again.
async fn keep(web: &Web, key: &IdempotencyKey, response: Response) -> Result<Response, Problem> {
    if !response.status().is_success() {
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.map_err(|error| Error::internal(error.to_string()))?;
    let kept = Kept::of(parts.status, &parts.headers, &body);
    let text = serde_json::to_string(&kept).map_err(|error| Error::internal(error.to_string()))?;
    // The change is made: to fail now would say that it is not.
    if let Err(error) = note_answer(&web.app, key, &text).await {
        tracing::warn!(error = %error, error.context = error.context.as_deref(), "An answer could not be kept");
    }
    Ok(Response::from_parts(parts, Body::from(body)))
}

/// An answer as it is kept, sealed, for the day in which its request may be repeated.
#[derive(Serialize, Deserialize)]
struct Kept {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Kept {
    fn of(status: StatusCode, headers: &HeaderMap, body: &Bytes) -> Self {
        let text = |name: &HeaderName| Some((name.to_string(), headers.get(name)?.to_str().ok()?.to_owned()));
        let headers = [header::CONTENT_TYPE, header::ETAG, header::LOCATION].iter().filter_map(text).collect();
        Self { status: status.as_u16(), headers, body: String::from_utf8_lossy(body).into_owned() }
    }

    fn replay(text: &str) -> Response {
        let Ok(kept) = serde_json::from_str::<Self>(text) else {
            return Problem::from(Error::internal("a kept answer cannot be read")).into_response();
        };
        let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
        let mut response = (status, kept.body).into_response();
        let headers = response.headers_mut();
        headers.remove(header::CONTENT_TYPE);
        for (name, value) in kept.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                headers.insert(name, value);
            }
        }
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
        response
    }
}
