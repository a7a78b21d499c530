//! A realm's settings: read, change.

use denizen_model::{
    permissions::markers::{SettingsRead, SettingsWrite},
    realms::RealmSettings,
};
use denizen_ops::realms;
use serde_json::{Map, Value};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    answer::{Answer, Record},
    ask::Ask,
    body::{Body, from_value},
};
use crate::{Web, problem::Problem};

pub(super) fn endpoints() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(read, change))
}

/// Read the settings
#[utoipa::path(get, path = "/realms/{realm}/settings", operation_id = "read_settings", tag = "Settings",
    responses((status = 200, description = "The settings.", body = RealmSettings)),
    extensions(("x-permission" = json!("settings:read"))))]
async fn read(ask: Ask<SettingsRead>) -> Answer<Record<RealmSettings>> {
    let realm = realms::get(&ask.app, &ask.cx, ask.may).await?;
    Ok(Record::new(realm.version, realm.settings))
}

/// Change the settings
///
/// A merge patch: what is absent stays as it is.
#[utoipa::path(patch, path = "/realms/{realm}/settings", operation_id = "change_settings", tag = "Settings",
    request_body = RealmSettings,
    responses((status = 200, description = "The changed settings.", body = RealmSettings)),
    extensions(("x-permission" = json!("settings:write"))))]
async fn change(ask: Ask<SettingsWrite>, Body(patch): Body<Map<String, Value>>) -> Answer<Record<RealmSettings>> {
    let now = realms::get(&ask.app, &ask.cx, ask.prove()?).await?;
    let settings = merged(&now.settings, patch)?;
    // The patch was merged into this version, so it must not land on a later one.
    let version = Some(ask.if_match.unwrap_or(now.version));
    let realm = realms::update_settings(&ask.app, &ask.cx, ask.may, None, settings, version).await?;
    Ok(Record::new(realm.version, realm.settings))
}

fn merged(settings: &RealmSettings, patch: Map<String, Value>) -> Result<RealmSettings, Problem> {
    let mut value = serde_json::to_value(settings).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        fields.extend(patch);
    }
    from_value(value)
}
