//! The pages behind the links of resets. Opening one changes nothing, for programs that look for bad links open them
//! too; a button does, once.

use axum::{
    Form, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::Response,
    routing::get,
};
use denizen_model::reset_requests::ResetKind;
use denizen_ops::{Cx, Error, RealmState, flows::reset};
use serde::Serialize;

use super::{
    Card, cookie, error_page,
    links::{LinkQuery, open},
    page,
    sign_in::{BROWSER, page_of},
};
use crate::{Web, cx::Anonymous, language::prefer};

pub(crate) fn router() -> Router<Web> {
    ResetKind::ALL.iter().fold(Router::new(), |router, kind| {
        let kind = *kind;
        let show = move |web: State<Web>, cx: Anonymous, slug: Path<String>, query: Query<LinkQuery>| async move {
            show(web, cx, slug, query, kind).await
        };
        let follow = move |web: State<Web>,
                           cx: Anonymous,
                           slug: Path<String>,
                           headers: HeaderMap,
                           form: Form<LinkQuery>| async move {
            follow(web, cx, slug, headers, form, kind).await
        };
        router.route(&format!("/realms/{{realm}}/{}", reset::page_of(kind)), get(show).post(follow))
    })
}

#[derive(Serialize)]
pub(super) struct ResetPage {
    pub(super) card: Card,
    pub(super) why: String,
    pub(super) submit: String,
    pub(super) action: String,
    pub(super) token: String,
    pub(super) identifier: String,
}

async fn show(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    Query(LinkQuery { token }): Query<LinkQuery>,
    kind: ResetKind,
) -> Response {
    let realm = match open(&web, &cx, &slug).await {
        Ok(realm) => realm,
        Err(page) => return page,
    };
    match reset::look(&web.app, &cx, &realm, kind, &token).await {
        Ok((identifier, locale)) => {
            prefer(locale.as_deref());
            let text = |part: &str| web.templates.text(&format!("reset.{kind}.{part}"));
            let context = ResetPage {
                card: Card::new(text("title"), &realm),
                why: text("why"),
                submit: text("submit"),
                action: format!("/realms/{slug}/{}", reset::page_of(kind)),
                token,
                identifier,
            };
            page(&web, StatusCode::OK, "card/links/reset.html", &context)
        }
        Err(error) => error_page(&web, &error, cx.request_id, Some(&realm)),
    }
}

async fn follow(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Form(LinkQuery { token }): Form<LinkQuery>,
    kind: ResetKind,
) -> Response {
    let realm = match open(&web, &cx, &slug).await {
        Ok(realm) => realm,
        Err(page) => return page,
    };
    let next = next_page(&web, &cx, &realm, (kind, &token), &headers).await;
    next.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
}

async fn next_page(
    web: &Web,
    cx: &Cx,
    realm: &RealmState,
    (kind, token): (ResetKind, &str),
    headers: &HeaderMap,
) -> Result<Response, Error> {
    let browser = cookie::find(headers, BROWSER);
    let flow = reset::follow(&web.app, cx, realm, kind, token, browser.as_deref()).await?;
    let (session, device) = (cookie::read(web, headers), cookie::read_device(web, headers));
    page_of(web, cx, realm, &flow.in_browser_with(session.as_deref(), device.as_deref())).await
}
