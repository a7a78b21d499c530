//! Texts by stable ids: flat keys in `locales/<language>.toml`, with `{name}` placeholders.

use std::collections::BTreeMap;

use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "locales/"]
#[include = "*.toml"]
struct Files;

/// The texts of one language.
#[derive(Debug, Clone)]
pub(crate) struct Locale(BTreeMap<String, String>);

impl Locale {
    /// The English texts.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the file.
    pub(crate) fn english() -> Result<Self, String> {
        let file = Files::get("en.toml").ok_or("locales/en.toml is missing")?;
        let text = std::str::from_utf8(&file.data).map_err(|error| format!("locales/en.toml: {error}"))?;
        toml::from_str(text).map(Self).map_err(|error| format!("locales/en.toml: {error}"))
    }

    /// A text with its placeholders filled in by `value`.
    ///
    /// # Errors
    /// When there is no such text, or a placeholder has no value.
    pub(crate) fn text(&self, id: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, String> {
        let mut rest = self.0.get(id).ok_or_else(|| format!("no text {id}"))?.as_str();
        let mut out = String::with_capacity(rest.len());
        while let Some((before, after)) = rest.split_once('{') {
            let (name, tail) = after.split_once('}').ok_or_else(|| format!("an open brace in the text {id}"))?;
            out.push_str(before);
            out.push_str(&value(name).ok_or_else(|| format!("the text {id} needs {name}"))?);
            rest = tail;
        }
        out.push_str(rest);
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_once() {
        let locale = Locale(BTreeMap::from([("a".to_owned(), "to {client}, {n}".to_owned())]));
        let value = |name: &str| Some(if name == "n" { "3" } else { "{n}" }.to_owned());
        assert_eq!(locale.text("a", value), Ok("to {n}, 3".to_owned()));
        assert!(locale.text("a", |_| None).is_err());
        assert!(locale.text("b", |_| None).is_err());
    }

    #[test]
    fn every_english_text_can_be_read() {
        let locale = Locale::english().unwrap();
        for id in locale.0.keys() {
            locale.text(id, |_| Some("x".to_owned())).unwrap();
        }
    }
}
