//! Signing out: by a client's request, confirmed by the user where it proves nothing (OpenID Connect
//! RP-Initiated Logout 1.0).

use axum::{
    Form, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::Response,
    routing::{get, post},
};
use denizen_ops::{
    Cx, Error, RealmState,
    oauth::end_session::{Outcome, Parameters, end_session},
};
use serde::{Deserialize, Serialize};

use super::{Card, cookie, error_page, fault_page, page, see_other, signed_in, with_cookie};
use crate::{Web, cx::Anonymous};

pub(crate) fn router() -> Router<Web> {
    Router::new()
        .route("/realms/{realm}/end-session", get(by_link))
        .route("/realms/{realm}/sign-out", post(confirmed))
        .route("/realms/{realm}/signed-out", get(signed_out))
}

/// `POST` on the end-session endpoint; apart, because clients on other sites may send it.
pub(crate) fn client_router() -> Router<Web> {
    Router::new().route("/realms/{realm}/end-session", post(by_form))
}

#[derive(Serialize)]
struct ConfirmPage {
    card: Card,
    action: String,
    flow: String,
    identifier: String,
}

#[derive(Serialize)]
struct SignedOutPage {
    card: Card,
    return_href: Option<String>,
    return_name: Option<String>,
}

async fn by_link(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Query(parameters): Query<Parameters>,
) -> Response {
    run(&web, &cx, &slug, &headers, Parameters { confirmed: None, ..parameters }).await
}

async fn by_form(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Form(parameters): Form<Parameters>,
) -> Response {
    run(&web, &cx, &slug, &headers, Parameters { confirmed: None, ..parameters }).await
}

#[derive(Deserialize)]
struct Decision {
    flow: String,
    #[serde(default)]
    decision: String,
}

const PURPOSE: &str = "sign-out";

async fn confirmed(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Form(form): Form<Decision>,
) -> Response {
    if form.decision != "sign_out" {
        return see_other(&format!("/realms/{}/account", crate::path_segment(&slug)));
    }
    let opened = web.app.sealer().open(PURPOSE, &form.flow).ok();
    let parameters = opened.and_then(|plain| serde_json::from_slice::<Kept>(&plain).ok());
    let Some(kept) = parameters.filter(|kept| kept.realm == slug) else {
        return fault_page(&web, StatusCode::BAD_REQUEST, "expired", None);
    };
    let parameters = Parameters {
        client_id: kept.client_id,
        post_logout_redirect_uri: kept.post_logout_redirect_uri,
        state: kept.state,
        id_token_hint: None,
        confirmed: Some("yes".to_owned()),
    };
    run(&web, &cx, &slug, &headers, parameters).await
}

/// What of a logout request is kept while the user is asked.
#[derive(Serialize, Deserialize)]
struct Kept {
    realm: String,
    client_id: Option<String>,
    post_logout_redirect_uri: Option<String>,
    state: Option<String>,
}

async fn run(web: &Web, cx: &Cx, slug: &str, headers: &HeaderMap, parameters: Parameters) -> Response {
    let realm = match web.app.realm(slug).await {
        Ok(realm) => realm,
        Err(error) => return error_page(web, &error, cx.request_id, None),
    };
    answer(web, cx, &realm, headers, parameters)
        .await
        .unwrap_or_else(|error| error_page(web, &error, cx.request_id, Some(&realm)))
}

async fn answer(
    web: &Web,
    cx: &Cx,
    realm: &RealmState,
    headers: &HeaderMap,
    parameters: Parameters,
) -> Result<Response, Error> {
    let signed_in = signed_in(web, cx, realm, headers).await?;
    let name = signed_in.as_ref().map(|signed_in| signed_in.user.display_name().to_owned()).unwrap_or_default();
    match end_session(&web.app, cx, realm, &parameters, signed_in).await? {
        Outcome::Page(fault) => Ok(fault_page(web, StatusCode::BAD_REQUEST, fault, Some(realm))),
        Outcome::SignedOut(target) => {
            let target = target.unwrap_or_else(|| format!("/realms/{}/signed-out", realm.realm.slug));
            Ok(with_cookie(see_other(&target), cookie::clear(web, realm)))
        }
        Outcome::Confirm => {
            let kept = Kept {
                realm: realm.realm.slug.clone(),
                client_id: parameters.client_id,
                post_logout_redirect_uri: parameters.post_logout_redirect_uri,
                state: parameters.state,
            };
            let plain = serde_json::to_vec(&kept).map_err(|error| Error::internal(error.to_string()))?;
            let context = ConfirmPage {
                card: Card::new(web.templates.text("sign_out.title"), realm),
                action: format!("/realms/{}/sign-out", realm.realm.slug),
                flow: web.app.sealer().seal(PURPOSE, plain),
                identifier: name,
            };
            Ok(page(web, StatusCode::OK, "card/sign_in/sign_out.html", &context))
        }
    }
}

async fn signed_out(State(web): State<Web>, Anonymous(cx): Anonymous, Path(slug): Path<String>) -> Response {
    let realm = match web.app.realm(&slug).await {
        Ok(realm) => realm,
        Err(error) => return error_page(&web, &error, cx.request_id, None),
    };
    let context = SignedOutPage {
        card: Card::new(web.templates.text("signed_out.title"), &realm),
        return_href: None,
        return_name: None,
    };
    page(&web, StatusCode::OK, "card/sign_in/signed_out.html", &context)
}
