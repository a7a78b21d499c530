//! Users: the list, creating them, the profile and everything an agent can do to one.

mod actions;
mod activity;
mod add_contact;
mod api_keys;
mod attributes;
mod authenticator;
mod authenticators;
mod bulk;
mod confirm;
mod contacts;
mod details;
mod diagnosis;
mod duplicates;
mod export;
mod groups;
mod import;
mod list;
mod new;
mod notifications;
mod organizations;
mod resets;
mod roles;
mod sessions;
mod show;

use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRequestParts, Path},
    routing::{get, post},
};
use denizen_model::UserId;
use denizen_ops::Error;
use http::request::Parts;

use super::PageError;
use crate::Web;

pub(super) use activity::event_sentence;
pub(super) use confirm::{Confirm, ShownSecret};
pub(super) use list::Pager;

/// The routes.
pub(super) fn router() -> Router<Web> {
    let user = |path: &str| format!("/admin/{{realm}}/users/{{user}}{path}");
    Router::new()
        .merge(list::router())
        .route("/admin/{realm}/users/bulk", get(bulk::ask).post(bulk::ask_posted))
        .route("/admin/{realm}/users/bulk/start", post(bulk::start))
        .route("/admin/{realm}/users/export", get(export::ask).post(export::send))
        .route("/admin/{realm}/users/new", get(new::human))
        .route("/admin/{realm}/users/import", get(import::show).post(import::upload).layer(DefaultBodyLimit::disable()))
        .route("/admin/{realm}/users/import/{upload}", get(import::columns).post(import::start))
        .route("/admin/{realm}/users/new-machine", get(new::machine))
        .route("/admin/{realm}/users/duplicates", get(duplicates::show).post(duplicates::dismiss))
        .route(&user(""), get(details::show).post(details::save))
        .route(&user("/authenticators"), get(authenticators::show))
        .route(&user("/authenticators/{authenticator}/lock"), post(authenticator::lock))
        .route(&user("/authenticators/{authenticator}/unlock"), post(authenticator::unlock_one))
        .route(&user("/authenticators/{authenticator}/reactivate"), post(authenticator::reactivate))
        .route(
            &user("/authenticators/{authenticator}/deactivate"),
            get(authenticator::confirm_deactivate).post(authenticator::deactivate),
        )
        .route(
            &user("/authenticators/{authenticator}/delete"),
            get(authenticator::confirm_delete).post(authenticator::delete),
        )
        .route(&user("/unlock"), post(authenticator::unlock))
        .route(&user("/recovery-codes"), get(authenticator::confirm_codes).post(authenticator::issue_codes))
        .route(&user("/send-reset"), get(resets::confirm).post(resets::send))
        .route(&user("/reset-requests/{request}/cancel"), post(resets::cancel))
        .route(&user("/add-email"), get(add_contact::show_email).post(add_contact::add_email))
        .route(&user("/add-phone"), get(add_contact::show_phone).post(add_contact::add_phone))
        .route(&user("/require-otp"), post(authenticator::require_otp))
        .route(&user("/require-passkey"), post(authenticator::require_passkey))
        .route(&user("/require-action"), post(authenticator::require_action))
        .route(&user("/cancel-action"), post(authenticator::cancel_action))
        .route(&user("/keys/new"), get(api_keys::new).post(api_keys::create))
        .route(&user("/keys/{key}/regenerate"), get(api_keys::confirm_regenerate).post(api_keys::regenerate))
        .route(&user("/keys/{key}/reveal"), get(api_keys::confirm_reveal).post(api_keys::reveal))
        .route(&user("/keys/{key}/delete"), get(api_keys::confirm_delete).post(api_keys::delete))
        .route(&user("/sessions"), get(sessions::show))
        .route(&user("/sessions/revoke-all"), get(sessions::confirm).post(sessions::revoke_all))
        .route(&user("/sessions/{session}/revoke"), post(sessions::revoke))
        .route(&user("/activity"), get(activity::show))
        .route(&user("/notifications"), get(notifications::show))
        .route(&user("/roles"), get(roles::show).post(roles::assign))
        .route(&user("/roles/{role}/remove"), post(roles::remove))
        .route(&user("/diagnosis"), get(diagnosis::show))
        .route(&user("/email/verify"), post(contacts::verify_email))
        .route(&user("/email/unverify"), post(contacts::unverify_email))
        .route(&user("/email/send-verification"), post(contacts::send_email))
        .route(&user("/phone/verify"), post(contacts::verify_phone))
        .route(&user("/phone/unverify"), post(contacts::unverify_phone))
        .route(&user("/administrator"), get(roles::confirm_grant).post(roles::grant))
        .route(&user("/groups"), get(groups::show).post(groups::add))
        .route(&user("/groups/{group}/remove"), post(groups::remove))
        .route(&user("/organizations"), get(organizations::show).post(organizations::add))
        .route(&user("/organizations/{organization}/remove"), post(organizations::remove))
        .route(&user("/administrator/revoke"), get(roles::confirm_revoke).post(roles::revoke))
        .route(&user("/disable"), get(actions::confirm_disable).post(actions::disable))
        .route(&user("/enable"), post(actions::enable))
        .route(&user("/delete"), get(actions::confirm_delete).post(actions::delete))
        .route(&user("/password"), get(actions::new_password).post(actions::set_password))
        .route(&user("/password/clear"), get(actions::confirm_clear).post(actions::clear_password))
        .route(&user("/temporary-password"), get(actions::confirm_temporary).post(actions::temporary_password))
        .route(&user("/require-password-reset"), post(actions::require_reset))
        .route(&user("/cancel-password-reset"), post(actions::cancel_reset))
}

/// The `{user}` of the path.
#[derive(Debug, Clone, Copy)]
struct Whose(UserId);

impl<S: Send + Sync> FromRequestParts<S> for Whose {
    type Rejection = PageError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, PageError> {
        Ok(Self(path_id(parts, state, "user").await?))
    }
}

/// An id in the path; what is not even an id does not exist.
pub(super) async fn path_id<S: Send + Sync, I: std::str::FromStr>(
    parts: &mut Parts,
    state: &S,
    name: &'static str,
) -> Result<I, PageError> {
    let path = Path::<std::collections::HashMap<String, String>>::from_request_parts(parts, state).await;
    let text = path.ok().and_then(|Path(mut names)| names.remove(name));
    text.and_then(|text| text.parse().ok()).ok_or_else(|| Error::not_found(name).into())
}
