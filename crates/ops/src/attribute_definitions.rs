//! Attribute definitions: list, create, change, order, delete (PRODUCT §3).

use denizen_model::{
    AttributeDefinitionId, RealmId,
    attribute_definitions::{AttributeDefinition, AttributeSpec, MAX_DEFINITIONS},
    events::{EventType, NewEvent, SubjectKind, SubjectRef},
    jobs::JobPayload,
    permissions::markers::{SettingsRead, SettingsWrite},
    validation::FieldErrors,
};
use denizen_store::{self as store, Events, ReadTx, WriteTx};
use serde_json::json;

use crate::{App, Cx, Error, May, Result, cx::Detail, jobs};

fn subject(definition: &AttributeDefinition) -> SubjectRef {
    SubjectRef { kind: SubjectKind::AttributeDefinition, id: definition.id.to_string(), name: definition.key.clone() }
}

fn get_definition(tx: &mut ReadTx<'_>, realm: RealmId, id: AttributeDefinitionId) -> Result<AttributeDefinition> {
    store::attribute_definitions::find(tx, realm, id)?.ok_or_else(|| Error::not_found("attribute definition"))
}

/// What search goes by has changed for every user of the realm who has the attribute: their index must be made anew.
/// There may be a million of them, so a job does it, which begins once this transaction is committed.
fn reindex_users(tx: &mut WriteTx<'_>, app: &App, cx: &Cx, realm: RealmId) -> Result<NewEvent> {
    let job = jobs::prepare(app, cx, realm, JobPayload::ReindexUsers)?;
    jobs::insert(tx, app, cx, &job, false)
}

/// All definitions of the realm, in order of position.
///
/// # Errors
/// When the database fails.
pub async fn list(app: &App, _cx: &Cx, may: May<SettingsRead>) -> Result<Vec<AttributeDefinition>> {
    let realm = may.realm();
    app.db().read(move |tx| Ok(store::attribute_definitions::list(tx, realm)?)).await
}

/// One definition.
///
/// # Errors
/// When there is none of this id.
pub async fn get(
    app: &App,
    _cx: &Cx,
    may: May<SettingsRead>,
    id: AttributeDefinitionId,
) -> Result<AttributeDefinition> {
    let realm = may.realm();
    app.db().read(move |tx| get_definition(tx, realm, id)).await
}

/// Checks a definition by itself and beside the others: no two become the same claim.
fn check(definition: &AttributeDefinition, all: &[AttributeDefinition]) -> Result<()> {
    let mut errors = FieldErrors::new();
    definition.check(&mut errors);
    let others = all.iter().filter(|other| other.id != definition.id);
    for other in others {
        if other.key == definition.key {
            errors.add("key", "This key is taken already.");
        }
        if other.spec.claim.is_some() && other.spec.claim == definition.spec.claim {
            errors.add("claim", format!("The attribute {} becomes this claim already.", other.key));
        }
    }
    Ok(errors.into_result()?)
}

/// Defines an attribute; it comes last in the order.
///
/// # Errors
/// When a field is not acceptable, or the key or the claim taken.
pub async fn create(
    app: &App,
    cx: &Cx,
    may: May<SettingsWrite>,
    key: &str,
    spec: AttributeSpec,
) -> Result<AttributeDefinition> {
    let new = AttributeDefinition {
        id: AttributeDefinitionId::new(cx.now, app.id_bytes()),
        realm_id: may.realm(),
        key: key.to_owned(),
        spec,
        position: 0,
        created_at: cx.now,
        updated_at: cx.now,
        version: 1,
    };
    let (app2, cx2) = (app.clone(), cx.clone());
    app.write_config(cx, move |mut tx| {
        // Places and claims are told apart by looking at all of them, so one at a time.
        store::realms::lock(&mut tx, new.realm_id)?;
        let all = store::attribute_definitions::list(&mut tx, new.realm_id)?;
        check(&new, &all)?;
        if all.len() >= MAX_DEFINITIONS {
            let message = format!("A realm defines at most {MAX_DEFINITIONS} attributes.");
            return Err(Error::conflict("too-many-definitions", message));
        }
        let last = all.iter().map(|definition| definition.position).max();
        let definition = AttributeDefinition { position: last.map_or(0, |last| last + 1), ..new.clone() };
        store::attribute_definitions::insert(&mut tx, &definition)?;
        let mut more = Vec::new();
        if definition.spec.searchable {
            more.push(reindex_users(&mut tx, &app2, &cx2, definition.realm_id)?);
        }
        let event = cx2
            .event(&app2, definition.realm_id, EventType::AttributeDefinitionCreated, subject(&definition))
            .detail("definition", json!(definition.spec));
        Ok(tx.commit(Events::new(event, more), definition)?)
    })
    .await
}

/// Changes a definition. Values that users have stay as they are, also where they no longer fit, until they are
/// changed.
///
/// # Errors
/// When a field is not acceptable, the claim taken, or the definition was changed in the meantime.
pub async fn update<F>(
    app: &App,
    cx: &Cx,
    may: May<SettingsWrite>,
    id: AttributeDefinitionId,
    if_version: Option<i64>,
    edit: F,
) -> Result<AttributeDefinition>
where
    F: Fn(&mut AttributeSpec) + Send + 'static,
{
    let (app2, cx2, realm) = (app.clone(), cx.clone(), may.realm());
    app.write_config(cx, move |mut tx| {
        store::realms::lock(&mut tx, realm)?;
        let before = get_definition(&mut tx, realm, id)?;
        if if_version.is_some_and(|version| version != before.version) {
            return Err(Error::changed());
        }
        let mut definition = before.clone();
        edit(&mut definition.spec);
        check(&definition, &store::attribute_definitions::list(&mut tx, realm)?)?;
        if definition == before {
            return Ok(tx.unaudited("nothing was changed", definition)?);
        }
        if !store::attribute_definitions::update(&mut tx, &definition, cx2.now)? {
            return Err(Error::changed());
        }
        let mut more = Vec::new();
        if definition.spec.searchable != before.spec.searchable {
            more.push(reindex_users(&mut tx, &app2, &cx2, realm)?);
        }
        (definition.version, definition.updated_at) = (before.version + 1, cx2.now);
        let event = cx2
            .event(&app2, realm, EventType::AttributeDefinitionUpdated, subject(&definition))
            .detail("before", json!(before.spec))
            .detail("after", json!(definition.spec));
        Ok(tx.commit(Events::new(event, more), definition)?)
    })
    .await
}

/// Brings the definitions into the order of these ids, which must be all there are.
///
/// # Errors
/// When an id is missing, unknown or stands twice.
pub async fn reorder(
    app: &App,
    cx: &Cx,
    may: May<SettingsWrite>,
    ids: Vec<AttributeDefinitionId>,
) -> Result<Vec<AttributeDefinition>> {
    let (app2, cx2, realm) = (app.clone(), cx.clone(), may.realm());
    app.write_config(cx, move |mut tx| {
        store::realms::lock(&mut tx, realm)?;
        let mut all = store::attribute_definitions::list(&mut tx, realm)?;
        let place = |id| ids.iter().position(|wanted| *wanted == id).and_then(|at| i64::try_from(at).ok());
        if ids.len() != all.len() || all.iter().any(|definition| place(definition.id).is_none()) {
            return Err(Error::field("ids", "Must name every attribute definition of the realm once."));
        }
        let mut events = Vec::new();
        for definition in &mut all {
            let (before, after) = (definition.position, place(definition.id).unwrap_or(0));
            if before == after {
                continue;
            }
            definition.position = after;
            if !store::attribute_definitions::update(&mut tx, definition, cx2.now)? {
                return Err(Error::changed());
            }
            (definition.version, definition.updated_at) = (definition.version + 1, cx2.now);
            let event = cx2
                .event(&app2, realm, EventType::AttributeDefinitionUpdated, subject(definition))
                .detail("before", json!({"position": before}))
                .detail("after", json!({"position": after}));
            events.push(event);
        }
        all.sort_by_key(|definition| definition.position);
        let mut events = events.into_iter();
        match events.next() {
            Some(first) => Ok(tx.commit(Events::new(first, events), all)?),
            None => Ok(tx.unaudited("nothing was changed", all)?),
        }
    })
    .await
}

/// Deletes a definition. The values stay on users, as attributes that nothing declares.
///
/// # Errors
/// When there is none of this id, or it is not the version that was asked for.
pub async fn delete(
    app: &App,
    cx: &Cx,
    may: May<SettingsWrite>,
    id: AttributeDefinitionId,
    if_version: Option<i64>,
) -> Result<()> {
    let (app2, cx2, realm) = (app.clone(), cx.clone(), may.realm());
    app.write_config(cx, move |mut tx| {
        store::realms::lock(&mut tx, realm)?;
        let definition = get_definition(&mut tx, realm, id)?;
        if if_version.is_some_and(|version| version != definition.version) {
            return Err(Error::changed());
        }
        store::attribute_definitions::delete(&mut tx, realm, id)?;
        let mut more = Vec::new();
        if definition.spec.searchable {
            more.push(reindex_users(&mut tx, &app2, &cx2, realm)?);
        }
        let event = cx2
            .event(&app2, realm, EventType::AttributeDefinitionDeleted, subject(&definition))
            .detail("definition", json!(definition.spec));
        Ok(tx.commit(Events::new(event, more), ())?)
    })
    .await
}
