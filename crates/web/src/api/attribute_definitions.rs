//! Attribute definitions: list, create, read, change, order, delete.

use axum::{Json, http::StatusCode};
use denizen_model::{
    AttributeDefinitionId, Timestamp,
    attribute_definitions::{AttributeAccess, AttributeDefinition, AttributeSpec, AttributeType, Choice, Validation},
    permissions::markers::{SettingsRead, SettingsWrite},
};
use denizen_ops::attribute_definitions;
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    answer::{Answer, DONE, List, Record},
    ask::{Ask, Id},
    body::{Body, nullable, present},
};
use crate::Web;

pub(super) fn endpoints() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(read, change, delete)).routes(routes!(reorder))
}

/// What the realm says about one custom attribute.
#[derive(Serialize, ToSchema)]
#[schema(as = AttributeDefinition)]
struct DefinitionView {
    /// Stable id.
    id: AttributeDefinitionId,
    /// The attribute's key on users.
    key: String,
    #[serde(flatten)]
    spec: AttributeSpec,
    /// Its place among the others, from 0.
    position: i64,
    /// When it was made.
    created_at: Timestamp,
    /// When it was last changed.
    updated_at: Timestamp,
}

impl From<AttributeDefinition> for DefinitionView {
    fn from(definition: AttributeDefinition) -> Self {
        let AttributeDefinition { id, key, spec, position, created_at, updated_at, .. } = definition;
        Self { id, key, spec, position, created_at, updated_at }
    }
}

/// An attribute to be defined.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateAttributeDefinition {
    /// The attribute's key on users: letters, digits and `_ - . : /`. It cannot be changed later.
    key: String,
    /// What people call it.
    label: String,
    /// What its value is.
    #[serde(rename = "type")]
    kind: AttributeType,
    /// The value is a list of these.
    #[serde(default)]
    list: bool,
    /// New users need it, and it cannot be removed.
    #[serde(default)]
    required: bool,
    /// What new users have who were given nothing else.
    #[serde(default)]
    default: Option<Value>,
    /// What is demanded of the value.
    #[serde(default)]
    validation: Validation,
    /// How far administrators may go with it in the console; `edit` when absent.
    console: Option<AttributeAccess>,
    /// How far users may go with their own; `hidden` when absent.
    self_service: Option<AttributeAccess>,
    /// Search finds users by it, and lists can be filtered by it.
    #[serde(default)]
    searchable: bool,
    /// The claim it becomes in tokens. Those with a meaning of their own, such as `sub` or `roles`, are refused.
    #[serde(default)]
    claim: Option<String>,
}

impl From<CreateAttributeDefinition> for AttributeSpec {
    fn from(new: CreateAttributeDefinition) -> Self {
        let usual = Self::new(&new.label, new.kind);
        Self {
            list: new.list,
            required: new.required,
            default: new.default,
            validation: new.validation,
            console: new.console.unwrap_or(usual.console),
            self_service: new.self_service.unwrap_or(usual.self_service),
            searchable: new.searchable,
            claim: new.claim,
            ..usual
        }
    }
}

/// What to change about a definition: what is absent stays, `null` clears.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeAttributeDefinition {
    /// What people call it.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    label: Option<String>,
    /// What its value is. Values that users have stay as they are until they are changed.
    #[serde(default, rename = "type", deserialize_with = "present")]
    #[schema(nullable = false)]
    kind: Option<AttributeType>,
    /// The value is a list of these.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    list: Option<bool>,
    /// New users need it, and it cannot be removed.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    required: Option<bool>,
    /// What new users have who were given nothing else.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Value>)]
    default: Option<Option<Value>>,
    /// What is demanded of the value.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    validation: Option<ChangeValidation>,
    /// How far administrators may go with it in the console.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    console: Option<AttributeAccess>,
    /// How far users may go with their own.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    self_service: Option<AttributeAccess>,
    /// Search finds users by it, and lists can be filtered by it.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    searchable: Option<bool>,
    /// The claim it becomes in tokens.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    claim: Option<Option<String>>,
}

/// What to change about what is demanded of a value: what is absent stays, `null` clears.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChangeAttributeValidation)]
struct ChangeValidation {
    /// The smallest number.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<f64>)]
    minimum: Option<Option<Number>>,
    /// The largest number.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<f64>)]
    maximum: Option<Option<Number>>,
    /// The shortest text, in characters.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<u32>)]
    min_length: Option<Option<u32>>,
    /// The longest text, in characters.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<u32>)]
    max_length: Option<Option<u32>>,
    /// A regular expression (RE2 syntax) that the whole text must match.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    pattern: Option<Option<String>>,
    /// What there is to choose from.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    choices: Option<Vec<Choice>>,
}

/// Puts a value where one was given.
fn put<T>(place: &mut T, given: Option<T>) {
    if let Some(value) = given {
        *place = value;
    }
}

impl ChangeAttributeDefinition {
    fn apply(self, spec: &mut AttributeSpec) {
        put(&mut spec.label, self.label);
        put(&mut spec.kind, self.kind);
        put(&mut spec.list, self.list);
        put(&mut spec.required, self.required);
        put(&mut spec.default, self.default);
        put(&mut spec.console, self.console);
        put(&mut spec.self_service, self.self_service);
        put(&mut spec.searchable, self.searchable);
        put(&mut spec.claim, self.claim);
        if let Some(rules) = self.validation {
            put(&mut spec.validation.minimum, rules.minimum);
            put(&mut spec.validation.maximum, rules.maximum);
            put(&mut spec.validation.min_length, rules.min_length);
            put(&mut spec.validation.max_length, rules.max_length);
            put(&mut spec.validation.pattern, rules.pattern);
            put(&mut spec.validation.choices, rules.choices);
        }
    }
}

/// An order of the attribute definitions.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Order {
    /// The ids of all definitions of the realm, the first first.
    ids: Vec<AttributeDefinitionId>,
}

/// List attribute definitions
///
/// All of them, in their order.
#[utoipa::path(get, path = "/realms/{realm}/attribute-definitions", operation_id = "list_attribute_definitions",
    tag = "Attribute definitions",
    responses((status = 200, description = "All definitions.", body = List<DefinitionView>)),
    extensions(("x-permission" = json!("settings:read"))))]
async fn list(ask: Ask<SettingsRead>) -> Answer<Json<List<DefinitionView>>> {
    let all = attribute_definitions::list(&ask.app, &ask.cx, ask.may).await?;
    Ok(List::all(all, DefinitionView::from))
}

/// Define an attribute
///
/// It comes last in the order. Users keep what they have under its key until it is changed.
#[utoipa::path(post, path = "/realms/{realm}/attribute-definitions", operation_id = "create_attribute_definition",
    tag = "Attribute definitions", request_body = CreateAttributeDefinition,
    responses((status = 201, description = "The definition.", body = DefinitionView)),
    extensions(("x-permission" = json!("settings:write"))))]
async fn create(ask: Ask<SettingsWrite>, Body(new): Body<CreateAttributeDefinition>) -> Answer<Record<DefinitionView>> {
    let key = new.key.clone();
    let definition = attribute_definitions::create(&ask.app, &ask.cx, ask.may, &key, new.into()).await?;
    let location = format!("/api/v1/realms/{}/attribute-definitions/{}", ask.realm.realm.slug, definition.id);
    Ok(Record::created(definition.version, location, definition.into()))
}

/// Read an attribute definition
#[utoipa::path(get, path = "/realms/{realm}/attribute-definitions/{id}", operation_id = "read_attribute_definition",
    tag = "Attribute definitions",
    responses((status = 200, description = "The definition.", body = DefinitionView)),
    extensions(("x-permission" = json!("settings:read"))))]
async fn read(ask: Ask<SettingsRead>, Id(id): Id<AttributeDefinitionId>) -> Answer<Record<DefinitionView>> {
    let definition = attribute_definitions::get(&ask.app, &ask.cx, ask.may, id).await?;
    Ok(Record::new(definition.version, definition.into()))
}

/// Change an attribute definition
///
/// A merge patch (RFC 7396): what is absent stays as it is, `null` clears. Values that users have stay as they are,
/// also where they no longer fit, until they are changed.
#[utoipa::path(patch, path = "/realms/{realm}/attribute-definitions/{id}",
    operation_id = "change_attribute_definition", tag = "Attribute definitions",
    request_body = ChangeAttributeDefinition,
    responses((status = 200, description = "The changed definition.", body = DefinitionView)),
    extensions(("x-permission" = json!("settings:write"))))]
async fn change(
    ask: Ask<SettingsWrite>,
    Id(id): Id<AttributeDefinitionId>,
    Body(patch): Body<ChangeAttributeDefinition>,
) -> Answer<Record<DefinitionView>> {
    let edit = move |spec: &mut AttributeSpec| patch.clone().apply(spec);
    let definition = attribute_definitions::update(&ask.app, &ask.cx, ask.may, id, ask.if_match, edit).await?;
    Ok(Record::new(definition.version, definition.into()))
}

/// Order the attribute definitions
///
/// In this order they are listed and shown on a user's page.
#[utoipa::path(put, path = "/realms/{realm}/attribute-definitions/order",
    operation_id = "order_attribute_definitions", tag = "Attribute definitions", request_body = Order,
    responses((status = 200, description = "All definitions, in the new order.", body = List<DefinitionView>)),
    extensions(("x-permission" = json!("settings:write"))))]
async fn reorder(ask: Ask<SettingsWrite>, Body(order): Body<Order>) -> Answer<Json<List<DefinitionView>>> {
    let all = attribute_definitions::reorder(&ask.app, &ask.cx, ask.may, order.ids).await?;
    Ok(List::all(all, DefinitionView::from))
}

/// Delete an attribute definition
///
/// The values stay on users, as attributes that nothing declares.
#[utoipa::path(delete, path = "/realms/{realm}/attribute-definitions/{id}",
    operation_id = "delete_attribute_definition", tag = "Attribute definitions",
    responses((status = 204, description = "It is gone.")),
    extensions(("x-permission" = json!("settings:write"))))]
async fn delete(ask: Ask<SettingsWrite>, Id(id): Id<AttributeDefinitionId>) -> Answer<StatusCode> {
    attribute_definitions::delete(&ask.app, &ask.cx, ask.may, id, ask.if_match).await?;
    Ok(DONE)
}
