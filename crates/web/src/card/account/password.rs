//! The user's own password.

use axum::{
    Form, Router,
    extract::{Path, Query, State},
    http::HeaderMap,
    response::Response,
    routing::get,
};
use denizen_model::validation::FieldErrors;
use denizen_ops::{
    Cx, Error, ErrorKind, RealmState,
    account::{
        Fresh,
        password::{self, Typed},
    },
    crypto::Secret,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::{Navigation, enter_fresh, enter_fresh_form, href, mendable, status_of};
use crate::{
    Web,
    card::{Card, error_page, field_messages, page, password_needs, see_other},
    cx::Anonymous,
    render::TimeView,
};

pub(super) const PATH: &str = "/password";

pub(super) fn router() -> Router<Web> {
    Router::new().route("/realms/{realm}/account/password", get(show).post(change))
}

#[derive(Serialize)]
struct PasswordPage {
    card: Card,
    navigation: Navigation,
    action: String,
    /// For password managers.
    identifier: String,
    /// When the present one was set; `None` where there is none.
    set_at: Option<TimeView>,
    /// An administrator has locked or switched it off.
    held: bool,
    min_length: String,
    password_needs: String,
    end_others: bool,
    done: Option<String>,
    errors: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Asked {
    done: Option<String>,
}

#[derive(Deserialize)]
struct PasswordForm {
    #[serde(default)]
    current_password: Secret,
    #[serde(default)]
    password: Secret,
    #[serde(default)]
    password_again: Secret,
    #[serde(default)]
    end_others: Option<String>,
}

async fn password_page(
    web: &Web,
    cx: &Cx,
    realm: &RealmState,
    fresh: &Fresh,
    errors: &FieldErrors,
    (end_others, done): (bool, Option<&str>),
) -> Result<Response, Error> {
    let signed_in = fresh.signed_in();
    let present = password::find(&web.app, signed_in).await?;
    let done = match done {
        Some("changed") => Some("account.password.done"),
        Some("ended") => Some("account.password.done_ended"),
        _ => None,
    };
    let context = PasswordPage {
        card: Card::new(web.templates.text("account.password.title"), realm),
        navigation: Navigation::new(web, realm, signed_in, PATH),
        action: href(realm, PATH),
        identifier: signed_in.user.username.clone(),
        held: present.as_ref().is_some_and(|present| !present.is_usable(cx.now)),
        set_at: TimeView::opt(present.map(|present| present.registered_at), cx.now),
        min_length: realm.realm.settings.password_min_length.to_string(),
        password_needs: password_needs(web, realm),
        end_others,
        done: done.map(|id| web.templates.text(id)),
        errors: field_messages(web, errors),
    };
    Ok(page(web, status_of(errors), "card/account/password.html", &context))
}

async fn show(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let (realm, fresh) = match enter_fresh(&web, &cx, &slug, &headers, PATH).await {
        Ok(entered) => entered,
        Err(answer) => return answer,
    };
    let shown = match password::check_allowed(&realm) {
        Ok(()) => {
            let done = (true, asked.done.as_deref());
            password_page(&web, &cx, &realm, &fresh, &FieldErrors::new(), done).await
        }
        Err(error) => Err(error),
    };
    shown.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
}

async fn change(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Form(form): Form<PasswordForm>,
) -> Response {
    let (realm, fresh) = match enter_fresh_form(&web, &cx, &slug, &headers, PATH).await {
        Ok(entered) => entered,
        Err(answer) => return answer,
    };
    let end_others = form.end_others.as_deref() == Some("true");
    let typed = Typed { current: form.current_password, new: form.password, again: form.password_again, end_others };
    let answer = match password::change(&web.app, &cx, &realm, &fresh, typed).await {
        Ok(0) => Ok(see_other(&href(&realm, "/password?done=changed"))),
        Ok(_) => Ok(see_other(&href(&realm, "/password?done=ended"))),
        Err(error) if matches!(*error.kind, ErrorKind::Unavailable) && error.context.is_none() => {
            let busy = FieldErrors::one("form", "account.password.busy");
            password_page(&web, &cx, &realm, &fresh, &busy, (end_others, None)).await
        }
        Err(error) => match mendable(error) {
            Ok(errors) => password_page(&web, &cx, &realm, &fresh, &errors, (end_others, None)).await,
            Err(error) => Err(error),
        },
    };
    answer.unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm)))
}
