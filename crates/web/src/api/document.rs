//! The OpenAPI document: what the handlers say, completed by what holds for all of them.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::endpoints;
use crate::problem;

static TEXT: LazyLock<String> = LazyLock::new(|| format!("{:#}\n", *DOCUMENT));
static DOCUMENT: LazyLock<Value> = LazyLock::new(make);

/// The document as it is served.
pub(crate) fn text() -> &'static str {
    &TEXT
}

/// The document as a value.
pub(crate) fn document() -> &'static Value {
    &DOCUMENT
}

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Every operation with its method, its path, and whatever is described of it.
pub(crate) fn operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Map<String, Value>)> {
    let paths = document.get("paths").and_then(Value::as_object).into_iter().flatten();
    paths.flat_map(|(path, item)| {
        let methods = METHODS.into_iter();
        methods.filter_map(move |method| Some((method, path.as_str(), item.get(method)?.as_object()?)))
    })
}

fn make() -> Value {
    let mut described = endpoints().into_openapi();
    let components = described.components.get_or_insert_default();
    for (name, schema) in problem::schemas() {
        components.schemas.insert(name, schema);
    }
    let mut document = serde_json::to_value(&described).unwrap_or_default();
    let general = json!({
        "info": {
            "title": "Denizen admin API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Look after users, their credentials, sessions and roles, clients and the audit log. \
                Whatever the console does, this does, with the same permissions and the same events.",
            "license": {"name": "Apache-2.0 OR MIT", "identifier": "Apache-2.0 OR MIT"},
        },
        "servers": [{"url": "/api/v1"}],
        "security": [{"bearer": []}],
    });
    if let (Some(all), Value::Object(general)) = (document.as_object_mut(), general) {
        all.extend(general);
    }
    if let Some(components) = document.get_mut("components").and_then(Value::as_object_mut) {
        let text = "An API key (dzk_…), or an administrator's access token with the scope denizen.admin.";
        let bearer = json!({"type": "http", "scheme": "bearer", "description": text});
        components.insert("securitySchemes".to_owned(), json!({"bearer": bearer}));
    }
    if let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) {
        for (path, item) in paths {
            for method in METHODS {
                if let Some(operation) = item.get_mut(method).and_then(Value::as_object_mut) {
                    complete(method, path, operation);
                }
            }
        }
    }
    document
}

/// Adds the parameters of the path, the headers, and the failures that an operation of this shape can have.
fn complete(method: &str, path: &str, operation: &mut Map<String, Value>) {
    let conditional = match method {
        "patch" => true,
        "put" => path.ends_with("{language}"),
        "delete" => ["{id}", "{realm}", "{language}"].iter().any(|end| path.ends_with(end)),
        _ => false,
    };
    let body = operation.contains_key("requestBody");
    let parameters = operation.entry("parameters").or_insert_with(|| json!([]));
    let Some(parameters) = parameters.as_array_mut() else { return };
    let mut first = Vec::new();
    if path.contains("{realm}") {
        first.push(parameter("path", "realm", json!({"type": "string"}), "The realm's name in URLs."));
    }
    if path.contains("{id}") {
        first.push(parameter("path", "id", json!({"type": "string", "format": "uuid"}), "The record's id."));
    }
    if path.contains("{template}") {
        first.push(parameter("path", "template", json!({"$ref": "#/components/schemas/Template"}), "Which message."));
        let text = "The language, as a tag (BCP 47).";
        first.push(parameter("path", "language", json!({"$ref": "#/components/schemas/Language"}), text));
    }
    if conditional {
        let text = "The ETag of the version to change; with another one there now, nothing is changed.";
        first.push(parameter("header", "If-Match", json!({"type": "string"}), text));
    }
    let streamed = path.ends_with("/users/import");
    if method == "post" && !streamed {
        let text = "A name for this request. Repeated within a day under the same name, it is answered as the first time \
             and nothing is done again.";
        first.push(parameter("header", "Idempotency-Key", json!({"type": "string", "maxLength": 255}), text));
    }
    parameters.splice(0..0, first);
    let failures = [
        ("400", body, "The body cannot be read."),
        ("401", true, "Nobody is signed in, or the credentials are wrong."),
        ("403", operation.contains_key("x-permission"), "The permission is missing."),
        ("404", path.contains('{'), "There is no such record, or you may not know of it."),
        ("409", method != "get", "It cannot be done in the present state."),
        ("412", conditional, "The record is not in the version that If-Match names."),
        ("413", body && !streamed, "The body is larger than 1 MiB."),
        ("415", body && !streamed, "The body is not JSON."),
        ("422", true, "A field or parameter is wrong; `errors` names it."),
        ("503", true, "The database is not available at the moment."),
    ];
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
    for (status, _, description) in failures.into_iter().filter(|(_, possible, _)| *possible) {
        let content = json!({"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}});
        responses.insert(status.to_owned(), json!({"description": description, "content": content}));
    }
}

fn parameter(place: &str, name: &str, schema: Value, description: &str) -> Value {
    json!({"in": place, "name": name, "required": place == "path", "schema": schema, "description": description})
}
