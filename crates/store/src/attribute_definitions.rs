//! Attribute definitions: what custom attributes a realm knows (PRODUCT §3).

use denizen_model::{AttributeDefinitionId, RealmId, Timestamp, attribute_definitions::AttributeDefinition};

use crate::{
    error::Result,
    sql::statements,
    tx::{ReadTx, WriteTx},
    value::{Row, params, to_json},
};

macro_rules! columns {
    () => {
        "id, realm_id, attribute_key, definition, position, created_at, updated_at, version"
    };
}

statements! {
    INSERT = "INSERT INTO attribute_definitions (id, realm_id, attribute_key, definition, position, searchable, created_at, updated_at, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    UPDATE = "UPDATE attribute_definitions SET definition = ?4, position = ?5, searchable = ?6, updated_at = ?7, version = version + 1 WHERE realm_id = ?1 AND id = ?2 AND version = ?3";
    DELETE = "DELETE FROM attribute_definitions WHERE realm_id = ?1 AND id = ?2";
    FIND = concat!("SELECT ", columns!(), " FROM attribute_definitions WHERE realm_id = ?1 AND id = ?2");
    LIST = concat!("SELECT ", columns!(), " FROM attribute_definitions WHERE realm_id = ?1 ORDER BY position, id");
}

fn read_definition(row: &Row<'_>) -> Result<AttributeDefinition> {
    Ok(AttributeDefinition {
        id: row.parse("id")?,
        realm_id: row.parse("realm_id")?,
        key: row.text("attribute_key")?,
        spec: row.json("definition")?,
        position: row.i64("position")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        version: row.i64("version")?,
    })
}

/// Stores a new definition.
///
/// # Errors
/// Constraint `attribute_definitions_attribute_key` when the key is taken.
pub fn insert(tx: &mut WriteTx<'_>, definition: &AttributeDefinition) -> Result<()> {
    let spec = to_json(&definition.spec)?;
    tx.execute(
        &INSERT,
        params![
            definition.id,
            definition.realm_id,
            &definition.key,
            spec,
            definition.position,
            definition.spec.searchable,
            definition.created_at,
            definition.updated_at,
            definition.version
        ],
    )
    .map(drop)
}

/// Stores a changed definition, if nobody changed it since it was read. Answers whether it was stored.
///
/// # Errors
/// When the database fails.
pub fn update(tx: &mut WriteTx<'_>, definition: &AttributeDefinition, now: Timestamp) -> Result<bool> {
    let spec = to_json(&definition.spec)?;
    let changed = tx.execute(
        &UPDATE,
        params![
            definition.realm_id,
            definition.id,
            definition.version,
            spec,
            definition.position,
            definition.spec.searchable,
            now
        ],
    )?;
    Ok(changed == 1)
}

/// Removes a definition; values stay on users. Answers whether there was one.
///
/// # Errors
/// When the database fails.
pub fn delete(tx: &mut WriteTx<'_>, realm: RealmId, id: AttributeDefinitionId) -> Result<bool> {
    Ok(tx.execute(&DELETE, params![realm, id])? == 1)
}

/// The definition of this id in this realm.
///
/// # Errors
/// When the database fails.
pub fn find(tx: &mut ReadTx<'_>, realm: RealmId, id: AttributeDefinitionId) -> Result<Option<AttributeDefinition>> {
    tx.find(&FIND, params![realm, id], read_definition)
}

/// All definitions of a realm, by position.
///
/// # Errors
/// When the database fails.
pub fn list(tx: &mut ReadTx<'_>, realm: RealmId) -> Result<Vec<AttributeDefinition>> {
    tx.list(&LIST, params![realm], read_definition)
}
