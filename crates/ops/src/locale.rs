//! Texts of one language by stable ids: flat keys in a TOML file, with `{name}` placeholders.

use std::collections::BTreeMap;

/// The texts of one language.
#[derive(Debug, Clone)]
pub struct Locale(BTreeMap<String, String>);

impl Locale {
    /// Reads a file of texts.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map(Self).map_err(|error| error.to_string())
    }

    /// The ids there are.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// A text with its placeholders filled in by `value`.
    ///
    /// # Errors
    /// When there is no such text, or a placeholder has no value.
    pub fn text(&self, id: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, String> {
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
        let locale = Locale::parse("a = \"to {client}, {n}\"").unwrap();
        let value = |name: &str| Some(if name == "n" { "3" } else { "{n}" }.to_owned());
        assert_eq!(locale.text("a", value), Ok("to {n}, 3".to_owned()));
        assert!(locale.text("a", |_| None).is_err());
        assert!(locale.text("b", |_| None).is_err());
    }
}
