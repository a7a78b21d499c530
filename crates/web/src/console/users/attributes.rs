//! Custom attributes as lines of text, `key = value`, that read back as what they were.

use std::collections::BTreeSet;

use denizen_model::users::detect_attribute;
use serde_json::{Map, Value};

/// The lines for a text area.
pub(super) fn write(attributes: &Map<String, Value>) -> String {
    let lines: Vec<String> =
        attributes.iter().map(|(key, value)| format!("{} = {}", write_key(key), write_value(value))).collect();
    lines.join("\n")
}

fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

fn write_key(key: &str) -> String {
    let plain = !key.is_empty() && !key.contains('=') && !key.starts_with('"') && key.trim() == key;
    if plain { key.to_owned() } else { quoted(key) }
}

fn write_value(value: &Value) -> String {
    match value {
        // A text that would read back as something else stands in quotes.
        Value::String(text) if is_plain(text) => text.clone(),
        other => other.to_string(),
    }
}

fn is_plain(text: &str) -> bool {
    text.trim() == text
        && !text.contains(char::is_control)
        && matches!(detect_attribute(text), Value::String(same) if same == text)
}

/// Reads the lines back.
///
/// # Errors
/// A sentence that says which line is wrong and how.
pub(super) fn read(text: &str) -> Result<Map<String, Value>, String> {
    let mut attributes = Map::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let (key, value) =
            read_line(line.trim()).ok_or_else(|| format!("Line {}: write it as key = value.", at + 1))?;
        if attributes.insert(key.clone(), detect_attribute(value)).is_some() {
            return Err(format!("Line {}: {key} stands twice. For several values write {key} = [1, 2].", at + 1));
        }
    }
    Ok(attributes)
}

fn read_line(line: &str) -> Option<(String, &str)> {
    let (key, value) = if line.starts_with('"') {
        let mut stream = serde_json::Deserializer::from_str(line).into_iter::<String>();
        let key = stream.next()?.ok()?;
        (key, line.get(stream.byte_offset()..)?.trim_start().strip_prefix('=')?)
    } else {
        let (key, value) = line.split_once('=')?;
        (key.trim().to_owned(), value)
    };
    (!key.is_empty()).then_some((key, value.trim()))
}

/// What to change so that `before` becomes `after`: keys that are gone are null (RFC 7396).
pub(super) fn patch(before: &Map<String, Value>, after: Map<String, Value>) -> Map<String, Value> {
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let changed = keys.into_iter().filter(|key| before.get(*key) != after.get(*key));
    changed.map(|key| (key.clone(), after.get(key).cloned().unwrap_or(Value::Null))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whatever_is_written_reads_back_as_it_was() {
        let value = json!({
            "plan": "enterprise", "seats": 12, "beta": true, "one": "1", "quote": "\"x\"", "lines": "a\nb", "empty": "",
            "blank": " x ", "a=b": "=", "\"k": 1.5, "list": ["a", 1, true], "truth": "true", "object": "{\"a\":1}", "nul": "null"
        });
        let map = value.as_object().unwrap();
        assert_eq!(read(&write(map)).as_ref(), Ok(map), "{}", write(map));
    }

    #[test]
    fn lines_that_are_not_attributes_are_named() {
        assert_eq!(read("a = 1\n\nb"), Err("Line 3: write it as key = value.".to_owned()));
        assert!(read("= 1").is_err());
        assert!(read("a = 1\na = 2").unwrap_err().starts_with("Line 2: a stands twice"));
    }

    #[test]
    fn a_key_that_is_gone_is_removed() {
        let before = json!({"a": 1, "b": 2}).as_object().unwrap().clone();
        let after = json!({"b": 2, "c": 3}).as_object().unwrap().clone();
        assert_eq!(Value::Object(patch(&before, after)), json!({"a": null, "c": 3}));
    }
}
