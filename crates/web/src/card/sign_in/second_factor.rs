//! The second factor.

use std::collections::BTreeMap;

use axum::{
    Form, Router,
    extract::{Path, Query, State},
    http::HeaderMap,
    response::Response,
    routing::get,
};
use denizen_model::{authenticators::AuthenticatorType, validation::FieldErrors};
use denizen_ops::{
    Error, RealmState,
    crypto::Secret,
    flows::sign_in::{Flow, Step, check_second_factor_step, look},
};
use serde::{Deserialize, Serialize};

use super::{codes, open_in_browser, passkey, proceed, status_of};
use crate::{
    Web,
    card::{Card, error_page, field_messages, page},
    cx::Anonymous,
};

pub(super) fn router() -> Router<Web> {
    Router::new().route("/realms/{realm}/sign-in/second-factor", get(choose).post(check))
}

#[derive(Serialize)]
struct SecondFactorPage {
    card: Card,
    action: String,
    flow: String,
    identifier: String,
    restart_href: String,
    method: &'static str,
    others: Vec<Other>,
    can_remember: bool,
    errors: BTreeMap<String, String>,
}

/// Another way to prove it.
#[derive(Serialize)]
pub(super) struct Other {
    href: String,
    label: String,
}

/// What there is a page for.
fn has_page(kind: AuthenticatorType) -> bool {
    !matches!(kind, AuthenticatorType::Password | AuthenticatorType::MagicLink)
}

/// The other ways to prove it than this one.
pub(super) fn others(
    web: &Web,
    realm: &RealmState,
    flow: &Flow,
    kinds: &[AuthenticatorType],
    kind: AuthenticatorType,
) -> Result<Vec<Other>, Error> {
    let sealed = flow.clone().without_questions().seal(&web.app, realm)?;
    let slug = &realm.realm.slug;
    let other = |kind: &AuthenticatorType| Other {
        href: format!("/realms/{slug}/sign-in/second-factor?method={kind}&flow={sealed}"),
        label: web.templates.text(&format!("sign_in.second_factor.{kind}.instead")),
    };
    Ok(kinds.iter().filter(|one| has_page(**one) && **one != kind).map(other).collect())
}

/// The page that asks for one of these, `chosen` if it is among them.
pub(super) fn page_of(
    web: &Web,
    realm: &RealmState,
    flow: &Flow,
    kinds: &[AuthenticatorType],
    chosen: Option<AuthenticatorType>,
    errors: &FieldErrors,
) -> Result<Response, Error> {
    let offered: Vec<AuthenticatorType> = kinds.iter().copied().filter(|kind| has_page(*kind)).collect();
    let first = offered.first().copied().ok_or_else(|| Error::internal("no second factor that has a page"))?;
    let kind = chosen.filter(|kind| offered.contains(kind)).unwrap_or(first);
    if kind == AuthenticatorType::Passkey {
        return passkey::second_page(web, realm, flow, &offered, errors);
    }
    if kind.comes_with_address() {
        return codes::send_page(web, realm, flow, (&offered, kind), errors);
    }
    let others = others(web, realm, flow, &offered, kind)?;
    let sealed = flow.clone().without_questions().seal(&web.app, realm)?;
    let slug = &realm.realm.slug;
    let context = SecondFactorPage {
        card: Card::new(web.templates.text(&format!("sign_in.second_factor.{kind}.title")), realm),
        action: format!("/realms/{slug}/sign-in/second-factor"),
        restart_href: format!("/realms/{slug}/sign-in?flow={sealed}"),
        identifier: flow.identifier.clone().unwrap_or_default(),
        method: kind.as_str(),
        others,
        can_remember: realm.realm.settings.remembered_device_seconds > 0,
        errors: field_messages(web, errors),
        flow: sealed,
    };
    Ok(page(web, status_of(errors), "card/sign_in/second_factor.html", &context))
}

#[derive(Deserialize)]
struct ChooseQuery {
    #[serde(default)]
    flow: String,
    #[serde(default)]
    method: String,
}

#[derive(Deserialize)]
struct CodeForm {
    flow: String,
    method: AuthenticatorType,
    #[serde(default)]
    code: Secret,
    #[serde(default)]
    remember: bool,
}

/// "Another way".
async fn choose(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Query(query): Query<ChooseQuery>,
) -> Response {
    let (realm, flow) = match open_in_browser(&web, &cx, &slug, &query.flow, &headers).await {
        Ok(opened) => opened,
        Err(page) => return page,
    };
    let chosen = AuthenticatorType::from_name(&query.method);
    let answer = match look(&web.app, &cx, &realm, flow).await {
        Ok(Some(Step::SecondFactor(flow, kinds))) => page_of(&web, &realm, &flow, &kinds, chosen, &FieldErrors::new()),
        // A link does nothing but show a page.
        Ok(_) => Err(Error::conflict("flow-expired", "This page is too old. Sign in again.")),
        Err(error) => Err(error),
    };
    answer.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
}

async fn check(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Form(form): Form<CodeForm>,
) -> Response {
    let (realm, flow) = match open_in_browser(&web, &cx, &slug, &form.flow, &headers).await {
        Ok(opened) => opened,
        Err(page) => return page,
    };
    let CodeForm { method, code, remember, .. } = form;
    let kinds = [AuthenticatorType::Totp, AuthenticatorType::RecoveryCodes];
    let again = |errors: &FieldErrors| page_of(&web, &realm, &flow, &kinds, Some(method), errors);
    let answer = if code.expose().trim().is_empty() || code.expose().len() > 100 {
        again(&FieldErrors::one("code", "sign_in.code.missing"))
    } else {
        match check_second_factor_step(&web.app, &cx, &realm, flow.clone(), method, code, remember).await {
            Ok(Step::Wrong(errors)) => again(&errors),
            Ok(step) => proceed(&web, &realm, step),
            Err(error) => Err(error),
        }
    };
    answer.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
}
