//! Attribute definitions: what custom attributes a realm knows (PRODUCT §3), and what they demand of a user.

mod claims;
mod spec;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use regex::Regex;
use serde_json::{Map, Value};

pub use claims::{RESERVED_CLAIMS, is_reserved_claim};
pub use spec::{AttributeAccess, AttributeSpec, AttributeType, Choice, Validation, is_day};

use crate::{AttributeDefinitionId, RealmId, Timestamp, validation::FieldErrors};

/// A realm defines at most this many attributes.
pub const MAX_DEFINITIONS: usize = 200;
/// The longest key of a defined attribute.
const MAX_KEY: usize = 100;

/// What a realm says about one custom attribute.
#[derive(Debug, Clone, PartialEq)]
pub struct AttributeDefinition {
    /// Stable id.
    pub id: AttributeDefinitionId,
    /// The realm it belongs to.
    pub realm_id: RealmId,
    /// The attribute's key on users; it stays as it was given.
    pub key: String,
    /// All that can be changed about it.
    pub spec: AttributeSpec,
    /// Its place among the others, from 0.
    pub position: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Grows with each change; the API's `ETag`.
    pub version: i64,
}

impl AttributeDefinition {
    /// Checks what a person typed.
    pub fn check(&self, errors: &mut FieldErrors) {
        let key_ok = |c: char| c.is_ascii_alphanumeric() || "_-.:/".contains(c);
        if self.key.is_empty() || self.key.len() > MAX_KEY || !self.key.chars().all(key_ok) {
            errors.add("key", format!("Must have 1 to {MAX_KEY} letters, digits and _ - . : / only."));
        }
        self.spec.check(errors);
    }

    /// The name of the field that is wrong when a user's value is.
    #[must_use]
    pub fn field(&self) -> String {
        format!("attributes.{}", self.key)
    }
}

/// All definitions of a realm, in order of position, ready to be held against users.
#[derive(Debug, Clone, Default)]
pub struct AttributeDefinitions {
    items: Vec<Ready>,
    by_key: HashMap<String, usize>,
}

#[derive(Debug, Clone)]
struct Ready {
    definition: AttributeDefinition,
    pattern: Option<Regex>,
}

impl AttributeDefinitions {
    /// Makes them ready: patterns are compiled once.
    #[must_use]
    pub fn new(mut definitions: Vec<AttributeDefinition>) -> Self {
        definitions.sort_by_key(|definition| (definition.position, definition.id));
        let by_key = definitions.iter().enumerate().map(|(at, definition)| (definition.key.clone(), at)).collect();
        let ready = |definition: AttributeDefinition| Ready {
            // A pattern was compiled before it was stored; one that no longer compiles demands nothing.
            pattern: definition.spec.validation.compiled().and_then(Result::ok),
            definition,
        };
        Self { items: definitions.into_iter().map(ready).collect(), by_key }
    }

    /// Each, in order of position.
    pub fn iter(&self) -> impl Iterator<Item = &AttributeDefinition> {
        self.items.iter().map(|ready| &ready.definition)
    }

    /// The definition of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&AttributeDefinition> {
        self.ready(key).map(|ready| &ready.definition)
    }

    fn ready(&self, key: &str) -> Option<&Ready> {
        self.items.get(*self.by_key.get(key)?)
    }

    /// What is wrong with a value under a key, if anything is. What is not declared takes any value.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn check_value(&self, key: &str, value: &Value) -> Result<(), String> {
        self.ready(key).map_or(Ok(()), |ready| ready.definition.spec.check_value(value, ready.pattern.as_ref()))
    }

    /// The attributes of a new record, with the defaults of those that were not given.
    #[must_use]
    pub fn with_defaults(&self, mut attributes: Map<String, Value>) -> Map<String, Value> {
        for definition in self.iter() {
            if let Some(default) = &definition.spec.default
                && !attributes.contains_key(&definition.key)
            {
                attributes.insert(definition.key.clone(), default.clone());
            }
        }
        attributes
    }

    /// Checks the attributes of a record against the definitions. `before` is what the record had, `None` for a new
    /// one: what has not changed is not asked about, so that a record from before a definition can still be saved.
    pub fn check(
        &self,
        undeclared_allowed: bool,
        before: Option<&Map<String, Value>>,
        attributes: &Map<String, Value>,
        errors: &mut FieldErrors,
    ) {
        for (key, value) in attributes {
            if before.is_some_and(|before| before.get(key) == Some(value)) {
                continue;
            }
            let field = format!("attributes.{key}");
            if let Err(message) = self.check_value(key, value) {
                errors.add(&field, message);
            } else if !undeclared_allowed && !self.by_key.contains_key(key) {
                errors.add(&field, "This realm defines no such attribute and allows no others.");
            }
        }
        for definition in self.iter().filter(|definition| definition.spec.required) {
            let had = before.is_none_or(|before| before.contains_key(&definition.key));
            if had && !attributes.contains_key(&definition.key) {
                errors.add(&definition.field(), "Is required.");
            }
        }
    }

    /// The attributes that become claims, by claim, in a user's tokens.
    #[must_use]
    pub fn claims(&self, attributes: &Map<String, Value>) -> Map<String, Value> {
        let claim = |definition: &AttributeDefinition| {
            Some((definition.spec.claim.clone()?, attributes.get(&definition.key)?.clone()))
        };
        // A name that was reserved after it was given must not stand in for what Denizen itself says.
        self.iter().filter_map(claim).filter(|(name, _)| !is_reserved_claim(name)).collect()
    }
}
