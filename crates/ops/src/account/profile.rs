//! One's own record: names, language, zone, attributes, the number, the name to sign in with.

use std::sync::Arc;

use denizen_model::{
    attribute_definitions::AttributeAccess,
    events::EventType,
    users::{User, UserPatch, VerificationState, check_user},
    validation::FieldErrors,
};
use denizen_store::Events;
use serde_json::{Map, Value};

use super::{Fresh, event, own, present};
use crate::{
    App, Cx, Error, RealmState, Result,
    cx::Detail,
    sessions::SignedIn,
    users::{apply, differences, store_in},
};

/// What people change of their own record: `None` leaves a field, an empty text clears it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Own {
    /// Given name.
    pub given_name: Option<String>,
    /// Family name.
    pub family_name: Option<String>,
    /// Language.
    pub locale: Option<String>,
    /// Time zone.
    pub zoneinfo: Option<String>,
    /// Attributes to set; a JSON null removes the key.
    pub attributes: Map<String, Value>,
}

/// Changes the user's own record, if it still has this version.
///
/// # Errors
/// When a field is not acceptable, an attribute is not the user's to change, or the record was changed in the meantime.
pub async fn update(
    app: &App,
    cx: &Cx,
    realm: &Arc<RealmState>,
    signed_in: &SignedIn,
    wanted: Own,
    if_version: i64,
) -> Result<User> {
    let mut errors = FieldErrors::new();
    for key in wanted.attributes.keys() {
        let definition = realm.attributes.get(key);
        if definition.is_none_or(|definition| definition.spec.self_service != AttributeAccess::Edit) {
            errors.add(&format!("attributes.{key}"), "Only an administrator can change this.");
        }
    }
    errors.into_result()?;
    let patch = UserPatch {
        given_name: wanted.given_name.map(Some),
        family_name: wanted.family_name.map(Some),
        locale: wanted.locale.map(Some),
        zoneinfo: wanted.zoneinfo.map(Some),
        attributes: Some(wanted.attributes),
        ..UserPatch::default()
    };
    change(app, cx, realm, signed_in, patch, Some(if_version)).await
}

/// Replaces the user's own number, which nobody has confirmed then; an empty text removes it.
///
/// # Errors
/// When the text is no number.
pub async fn change_phone(app: &App, cx: &Cx, realm: &Arc<RealmState>, fresh: &Fresh, phone: String) -> Result<User> {
    let phone = phone.chars().filter(|c| !c.is_whitespace()).collect();
    change(app, cx, realm, &fresh.0, UserPatch { phone: Some(Some(phone)), ..UserPatch::default() }, None).await
}

/// Replaces the name that the user signs in with, where the realm lets people do so.
///
/// # Errors
/// When the realm does not, or the name is taken or not acceptable.
pub async fn change_username(
    app: &App,
    cx: &Cx,
    realm: &Arc<RealmState>,
    fresh: &Fresh,
    username: String,
) -> Result<User> {
    if !realm.realm.settings.username_changeable {
        return Err(Error::not_found("page"));
    }
    let patch = UserPatch { username: Some(username.trim().to_owned()), ..UserPatch::default() };
    change(app, cx, realm, &fresh.0, patch, None).await
}

async fn change(
    app: &App,
    cx: &Cx,
    realm: &Arc<RealmState>,
    signed_in: &SignedIn,
    patch: UserPatch,
    if_version: Option<i64>,
) -> Result<User> {
    let (app2, own, realm, signed_in) = (app.clone(), own(cx, &signed_in.user), realm.clone(), signed_in.clone());
    app.write(cx, move |mut tx| {
        let before = present(&mut tx, &own, &signed_in)?;
        if if_version.is_some_and(|version| version != before.version) {
            return Err(Error::changed());
        }
        let settings = &realm.realm.settings;
        let (mut user, mut errors) = (before.clone(), FieldErrors::new());
        apply(&mut user, patch.clone(), settings.username_changeable, &mut errors);
        let undeclared = settings.undeclared_attributes_allowed;
        realm.attributes.check(undeclared, Some(&before.attributes), &user.attributes, &mut errors);
        check_user(&user, &mut errors);
        errors.into_result()?;
        if user == before {
            return Ok(tx.unaudited("nothing was changed", user)?);
        }
        let changes = differences(&before, &user);
        let event = event(&app2, &own, EventType::UserUpdated, &user, &signed_in).detail("changes", changes);
        let user = store_in(&mut tx, &own, &before, user)?;
        Ok(tx.commit(Events::from(event), user)?)
    })
    .await
}

/// Whether the user's email waits to be confirmed, and so can be asked to be.
#[must_use]
pub fn email_is_unconfirmed(user: &User) -> bool {
    user.email.is_some() && user.email_state != VerificationState::Verified
}
