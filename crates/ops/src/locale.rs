//! Texts of one language by stable ids, in a TOML file.
//!
//! A text is flat, with `{name}` placeholders, or has a form for each form that nouns take beside a number:
//!
//! ```toml
//! "register.submit" = "Continue"
//! "time.minutes_ago" = { one = "{count} minute ago", other = "{count} minutes ago" }
//! "password.hint" = { by = "length", one = "At least {length} character.", other = "At least {length} characters." }
//! ```
//!
//! Which form is taken, the number in the placeholder `by` decides (`count` where nothing else is said). Each language
//! has the forms that its grammar has ([`Plural`]), and decides for itself whether a text needs them.

use std::collections::{BTreeMap, BTreeSet};

use denizen_model::locales::{Direction, Language, Plural};
use serde::Deserialize;

/// The texts of one language.
#[derive(Debug, Clone)]
pub struct Locale {
    language: Language,
    texts: BTreeMap<String, Text>,
}

#[derive(Debug, Clone)]
enum Text {
    Flat(Pieces),
    Counted { by: String, other: Pieces, forms: Vec<(Plural, Pieces)> },
}

/// A text as its file has it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Flat(String),
    Counted(BTreeMap<String, String>),
}

#[derive(Debug, Clone)]
enum Piece {
    Words(String),
    Place(String),
}

/// A text, taken apart.
#[derive(Debug, Clone)]
struct Pieces(Vec<Piece>);

impl Pieces {
    fn parse(text: &str) -> Result<Self, String> {
        let (mut pieces, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once('{') {
            let (name, tail) = after.split_once('}').ok_or("an open brace")?;
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
                return Err(format!("a placeholder {{{name}}}"));
            }
            pieces.push(Piece::Words(before.to_owned()));
            pieces.push(Piece::Place(name.to_owned()));
            rest = tail;
        }
        pieces.push(Piece::Words(rest.to_owned()));
        Ok(Self(pieces))
    }

    fn places(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Place(name) => Some(name.as_str()),
            Piece::Words(_) => None,
        })
    }
}

impl Text {
    fn read(language: Language, written: Written) -> Result<Self, String> {
        let mut forms = match written {
            Written::Flat(text) => return Pieces::parse(&text).map(Self::Flat),
            Written::Counted(forms) => forms,
        };
        let by = forms.remove("by").unwrap_or_else(|| "count".to_owned());
        let mut found = Vec::new();
        let mut rest = None;
        for form in Plural::all_of(language) {
            let text = forms.remove(form.as_str()).ok_or_else(|| format!("no form for {form}"))?;
            let pieces = Pieces::parse(&text)?;
            if *form == Plural::Other { rest = Some(pieces) } else { found.push((*form, pieces)) }
        }
        match (rest, forms.keys().next()) {
            (Some(other), None) => Ok(Self::Counted { by, other, forms: found }),
            (_, Some(name)) => Err(format!("a form {name}, which the language does not have")),
            (None, None) => Err("no form for other".to_owned()),
        }
    }

    /// The placeholders. Forms of one number may leave out the number, so what counts is the form that takes all.
    fn places(&self) -> BTreeSet<&str> {
        match self {
            Self::Flat(pieces) | Self::Counted { other: pieces, .. } => pieces.places().collect(),
        }
    }
}

/// Around names and addresses inside of a text that is written from right to left, so that those from left to right do
/// not stir up what stands beside them (Unicode Bidirectional Algorithm, section 2.4).
const ISOLATED: (char, char) = ('\u{2068}', '\u{2069}');

impl Locale {
    /// Reads a file of texts.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn parse(language: Language, text: &str) -> Result<Self, String> {
        let written: BTreeMap<String, Written> = toml::from_str(text).map_err(|error| error.to_string())?;
        let read = |(id, written): (String, Written)| match Text::read(language, written) {
            Ok(text) => Ok((id, text)),
            Err(problem) => Err(format!("the text {id} has {problem}")),
        };
        Ok(Self { language, texts: written.into_iter().map(read).collect::<Result<_, _>>()? })
    }

    /// Which language it is.
    #[must_use]
    pub fn language(&self) -> Language {
        self.language
    }

    /// The ids there are.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.texts.keys().map(String::as_str)
    }

    /// The placeholders of a text; `None` when there is no such text.
    #[must_use]
    pub fn places(&self, id: &str) -> Option<BTreeSet<&str>> {
        self.texts.get(id).map(Text::places)
    }

    /// A text with its placeholders filled in by `value`.
    ///
    /// # Errors
    /// When there is no such text, or a placeholder has no value.
    pub fn text(&self, id: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, String> {
        let pieces = match self.texts.get(id).ok_or_else(|| format!("no text {id}"))? {
            Text::Flat(pieces) => pieces,
            Text::Counted { by, other, forms } => {
                let number = value(by).ok_or_else(|| format!("the text {id} needs {by}"))?;
                let form = number.parse().map_or(Plural::Other, |count| Plural::of(self.language, count));
                forms.iter().find(|(of, _)| *of == form).map_or(other, |(_, pieces)| pieces)
            }
        };
        let mut out = String::new();
        for piece in &pieces.0 {
            match piece {
                Piece::Words(words) => out.push_str(words),
                Piece::Place(name) => {
                    let value = value(name).ok_or_else(|| format!("the text {id} needs {name}"))?;
                    let plain = value.bytes().all(|byte| byte.is_ascii_digit());
                    if self.language.direction() == Direction::Ltr || plain {
                        out.push_str(&value);
                    } else {
                        out.push(ISOLATED.0);
                        out.push_str(&value);
                        out.push(ISOLATED.1);
                    }
                }
            }
        }
        Ok(out)
    }

    /// Sentences one after the other, as the language sets them apart.
    #[must_use]
    pub fn sentences(&self, all: &[String]) -> String {
        all.join(if self.language == Language::Japanese { "" } else { " " })
    }
}

/// What keeps languages from having the same texts as English: ids that are missing or too many, other placeholders,
/// a tag or a direction that is not the language's. A line each; empty when all is well.
#[must_use]
pub fn differences(all: &[Locale]) -> Vec<String> {
    let mut out = Vec::new();
    let Some(english) = all.iter().find(|locale| locale.language == Language::English) else {
        return vec!["English is missing".to_owned()];
    };
    for locale in all {
        let language = locale.language;
        let file = format!("{language}.toml");
        for (id, expected) in [("lang", language.as_str()), ("dir", language.direction().as_str())] {
            if locale.text(id, |_| None).as_deref() != Ok(expected) {
                out.push(format!("{file}: \"{id}\" must be {expected:?}"));
            }
        }
        out.extend(english.ids().filter(|id| !locale.texts.contains_key(*id)).map(|id| format!("{file}: no {id:?}")));
        for id in locale.ids() {
            match (english.places(id), locale.places(id)) {
                (Some(there), Some(here)) if there != here => {
                    out.push(format!("{file}: {id:?} has the placeholders {here:?}, in English {there:?}"));
                }
                (None, _) => out.push(format!("{file}: {id:?} is not in English")),
                _ => {}
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn english(text: &str) -> Locale {
        Locale::parse(Language::English, text).unwrap()
    }

    #[test]
    fn placeholders_are_filled_once() {
        let locale = english("a = \"to {client}, {n}\"");
        let value = |name: &str| Some(if name == "n" { "3" } else { "{n}" }.to_owned());
        assert_eq!(locale.text("a", value), Ok("to {n}, 3".to_owned()));
        assert!(locale.text("a", |_| None).is_err());
        assert!(locale.text("b", |_| None).is_err());
    }

    #[test]
    fn the_number_decides_the_form() {
        let text =
            "a = { one = \"a day\", other = \"{count} days\" }\nb = { by = \"n\", one = \"1\", other = \"{n}\" }";
        let locale = english(text);
        let with = |id, number: &str| locale.text(id, |_| Some(number.to_owned())).unwrap();
        assert_eq!((with("a", "1"), with("a", "2"), with("b", "7")), ("a day".into(), "2 days".into(), "7".into()));
        for (language, wrong) in [
            (Language::English, "a = { other = \"x\" }"),
            (Language::English, "a = { one = \"x\" }"),
            (Language::Japanese, "a = { one = \"x\", other = \"y\" }"),
            (Language::English, "a = { one = \"x\", other = \"y\", many = \"z\" }"),
            (Language::English, "a = \"{open\""),
            (Language::English, "a = \"{Not one}\""),
        ] {
            assert!(Locale::parse(language, wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_do_not_stir_up_a_text_from_right_to_left() {
        let locale = Locale::parse(Language::Arabic, "a = \"{n} {name}\"").unwrap();
        let value = |name: &str| Some(if name == "n" { "3" } else { "Acme (1)" }.to_owned());
        assert_eq!(locale.text("a", value), Ok("3 \u{2068}Acme (1)\u{2069}".to_owned()));
    }

    #[test]
    fn what_a_language_lacks_is_named() {
        let of = |language, text: &str| Locale::parse(language, text).unwrap();
        let all = [
            of(Language::English, "lang = \"en\"\ndir = \"ltr\"\na = \"{n}\"\nb = \"\"\nc = \"\""),
            of(Language::Arabic, "lang = \"ar\"\ndir = \"ltr\"\na = \"\"\nb = \"\"\nd = \"\""),
        ];
        assert_eq!(
            differences(&all),
            [
                "ar.toml: \"dir\" must be \"rtl\"",
                "ar.toml: no \"c\"",
                "ar.toml: \"a\" has the placeholders {}, in English {\"n\"}",
                "ar.toml: \"d\" is not in English",
            ]
        );
    }
}
