//! The readable documentation of the API, made from its OpenAPI document.

use axum::{
    extract::State,
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    Web,
    api::document::{document, operations},
};

#[derive(Serialize)]
struct Page {
    version: &'static str,
    openapi_href: &'static str,
    groups: Vec<Group>,
    types: Vec<Type>,
}

/// A named schema.
#[derive(Serialize)]
struct Type {
    name: String,
    description: Option<String>,
    /// What it can be, where it is one of a few texts.
    values: Option<String>,
    fields: Vec<Field>,
}

#[derive(Serialize)]
struct Field {
    name: String,
    required: bool,
    #[serde(rename = "type")]
    kind: String,
    description: Option<String>,
}

#[derive(Serialize)]
struct Group {
    tag: String,
    operations: Vec<Operation>,
}

#[derive(Serialize)]
struct Operation {
    id: String,
    method: String,
    path: String,
    summary: String,
    description: Option<String>,
    permission: Option<String>,
    params: Vec<Parameter>,
    body: Option<String>,
    responses: Vec<Answer>,
}

#[derive(Serialize)]
struct Parameter {
    name: String,
    #[serde(rename = "in")]
    place: String,
    required: bool,
    #[serde(rename = "type")]
    kind: String,
    description: Option<String>,
}

#[derive(Serialize)]
struct Answer {
    status: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    description: String,
}

/// `/api/docs`
pub(crate) async fn page(State(web): State<Web>) -> Response {
    match web.templates.render("docs/api.html", &context(document())) {
        Ok(html) => Html(html).into_response(),
        Err(error) => {
            tracing::error!(error = %error, "The API's documentation could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn context(document: &Value) -> Page {
    let mut groups: Vec<Group> = Vec::new();
    for (method, path, described) in operations(document) {
        let tag = described.get("tags").and_then(|tags| tags.get(0)).and_then(Value::as_str).unwrap_or("Other");
        let operation = operation(method, path, described);
        match groups.iter_mut().find(|group| group.tag == tag) {
            Some(group) => group.operations.push(operation),
            None => groups.push(Group { tag: tag.to_owned(), operations: vec![operation] }),
        }
    }
    let schemas = document.pointer("/components/schemas").and_then(Value::as_object).into_iter().flatten();
    // Lists are all alike and stand in the introduction; ids and times are told where they are used.
    let named = schemas.filter(|(name, schema)| !name.contains('_') && fields_or_values(schema));
    let types = named.map(|(name, schema)| described_type(document, name, schema)).collect();
    Page { version: env!("CARGO_PKG_VERSION"), openapi_href: "/api/v1/openapi.json", groups, types }
}

fn fields_or_values(schema: &Value) -> bool {
    ["properties", "allOf", "enum"].iter().any(|key| schema.get(*key).is_some())
}

fn described_type(document: &Value, name: &str, schema: &Value) -> Type {
    let mut fields = Vec::new();
    collect_fields(document, schema, &mut fields);
    Type {
        name: name.to_owned(),
        description: string(schema, "description"),
        values: schema.get("enum").map(|_| type_name(schema)),
        fields,
    }
}

/// The fields of a schema, with those of the schemas it is put together from.
fn collect_fields(document: &Value, schema: &Value, fields: &mut Vec<Field>) {
    for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        let target =
            part.get("$ref").and_then(Value::as_str).and_then(|path| document.pointer(path.trim_start_matches('#')));
        collect_fields(document, target.unwrap_or(part), fields);
    }
    let required = schema.get("required").and_then(Value::as_array);
    for (name, field) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        // What stands beside a reference or inside a choice with null is about the field as well.
        let described = string(field, "description").or_else(|| {
            let choices = field.get("oneOf").and_then(Value::as_array)?;
            choices.iter().find_map(|choice| string(choice, "description"))
        });
        fields.push(Field {
            name: name.clone(),
            required: required.is_some_and(|names| names.iter().any(|required| required == name)),
            kind: type_name(field),
            description: described,
        });
    }
}

fn operation(method: &str, path: &str, described: &Map<String, Value>) -> Operation {
    let text = |key: &str| described.get(key).and_then(Value::as_str).map(str::to_owned);
    let params = described.get("parameters").and_then(Value::as_array).into_iter().flatten();
    let responses = described.get("responses").and_then(Value::as_object).into_iter().flatten();
    Operation {
        id: text("operationId").unwrap_or_default(),
        method: method.to_uppercase(),
        path: format!("/api/v1{path}"),
        summary: text("summary").unwrap_or_default(),
        description: text("description"),
        permission: text("x-permission"),
        params: params.map(parameter).collect(),
        body: described.get("requestBody").and_then(content),
        responses: responses
            .map(|(status, answer)| Answer {
                status: status.clone(),
                kind: content(answer),
                description: string(answer, "description").unwrap_or_default(),
            })
            .collect(),
    }
}

fn parameter(described: &Value) -> Parameter {
    Parameter {
        name: string(described, "name").unwrap_or_default(),
        place: string(described, "in").unwrap_or_default(),
        required: described.get("required").and_then(Value::as_bool).unwrap_or(false),
        kind: described.get("schema").map(type_name).unwrap_or_default(),
        description: string(described, "description"),
    }
}

fn string(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}

/// The type of a body, whatever its media type.
fn content(described: &Value) -> Option<String> {
    described.get("content")?.as_object()?.values().next()?.get("schema").map(type_name)
}

/// A schema in few words.
fn type_name(schema: &Value) -> String {
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        let name = target.rsplit('/').next().unwrap_or(target);
        // A generic type: `List_User` is a list of users.
        return match name.split_once('_') {
            Some((outer, inner)) => format!("{outer}<{inner}>"),
            None => name.to_owned(),
        };
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" | ");
    }
    let choices = ["oneOf", "anyOf", "allOf"].iter().find_map(|key| schema.get(*key)).and_then(Value::as_array);
    if let Some(choices) = choices {
        let names = choices.iter().filter(|choice| choice.get("type") != Some(&Value::from("null"))).map(type_name);
        return names.collect::<Vec<_>>().join(" | ");
    }
    let kind = match schema.get("type") {
        Some(Value::Array(kinds)) => {
            kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("any")
        }
        Some(Value::String(kind)) => kind,
        _ => "any",
    };
    match (kind, schema.get("items"), schema.get("format").and_then(Value::as_str)) {
        ("array", Some(items), _) => format!("{}[]", type_name(items)),
        ("string", _, Some(format)) => format.to_owned(),
        _ => kind.to_owned(),
    }
}
