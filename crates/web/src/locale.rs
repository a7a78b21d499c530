//! The texts of the sign-in, set-up, account and error pages, in `locales/<language>.toml`.

use std::sync::LazyLock;

use denizen_model::locales::Language;
use denizen_ops::locale::Locale;
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "locales/"]
#[include = "*.toml"]
struct Files;

/// Read once, when the first page is made ready.
static ALL: LazyLock<Result<Vec<Locale>, String>> =
    LazyLock::new(|| Language::ALL.iter().map(|language| read(*language)).collect());

fn read(language: Language) -> Result<Locale, String> {
    let name = format!("{language}.toml");
    let file = Files::get(&name).ok_or_else(|| format!("locales/{name} is missing"))?;
    let text = std::str::from_utf8(&file.data).map_err(|error| format!("locales/{name}: {error}"))?;
    Locale::parse(language, text).map_err(|error| format!("locales/{name}: {error}"))
}

/// Reads the texts of all languages.
///
/// # Errors
/// A sentence that says what is wrong with a file.
pub(crate) fn load() -> Result<(), String> {
    ALL.as_ref().map(|_| ()).map_err(Clone::clone)
}

/// The texts of a language.
///
/// # Errors
/// When they could not be read: a defect, of which [`load`] tells at the start.
pub(crate) fn of(language: Language) -> Result<&'static Locale, String> {
    let all = ALL.as_ref().map_err(Clone::clone)?;
    all.iter().find(|locale| locale.language() == language).ok_or_else(|| format!("there are no texts in {language}"))
}

/// A text in a language, with its placeholders filled in by `value`.
///
/// # Errors
/// When there is no such text, or a placeholder has no value.
pub(crate) fn text(language: Language, id: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    of(language)?.text(id, value)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use denizen_model::{locales::Plural, passwords, validation};

    use super::*;

    fn all() -> &'static [Locale] {
        ALL.as_ref().unwrap()
    }

    #[test]
    fn every_language_has_the_same_texts() {
        let differences = denizen_ops::locale::differences(all());
        assert!(differences.is_empty(), "web/locales/:\n{}", differences.join("\n"));
    }

    #[test]
    fn every_text_can_be_read_with_every_number() {
        for locale in all() {
            for id in locale.ids() {
                for count in [0, 1, 2, 5, 11, 100, 1_000_000] {
                    let text = locale.text(id, |_| Some(count.to_string())).unwrap();
                    assert!(!text.trim().is_empty(), "{} {id}", locale.language());
                }
            }
            assert!(!Plural::all_of(locale.language()).is_empty());
        }
    }

    #[test]
    fn what_the_model_finds_wrong_can_be_said_in_every_language() {
        let english = of(Language::English).unwrap();
        for sentence in validation::SENTENCES.iter().chain(passwords::SENTENCES) {
            let id = format!("field.{}", sentence.id);
            let Some(places) = english.places(&id) else { panic!("no text {id}") };
            for place in places {
                assert!(sentence.text.contains(&format!("{{{place}}}")), "{id} asks for {place}");
            }
        }
    }

    /// Every `t("id", name=…)` of a template, and every `.text("id")` of the pages' code: as what is asked, and the names
    /// that are given.
    fn asked(source: &str, opener: &str) -> Vec<(Vec<String>, Vec<String>)> {
        let mut out = Vec::new();
        for (at, _) in source.match_indices(opener) {
            let before = source[..at].chars().next_back();
            if opener.starts_with('t') && before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
                continue;
            }
            let (mut depth, mut quote, mut parts, mut part) = (1, None, Vec::new(), String::new());
            for c in source[at + opener.len()..].chars() {
                match (quote, c) {
                    (Some(open), c) if c == open => quote = None,
                    (None, '"' | '\'') => quote = Some(c),
                    (None, '(') => depth += 1,
                    (None, ')') => depth -= 1,
                    (None, ',') if depth == 1 => {
                        parts.push(std::mem::take(&mut part));
                        continue;
                    }
                    _ => {}
                }
                if depth == 0 {
                    break;
                }
                part.push(c);
            }
            parts.push(part);
            let first = parts.first().cloned().unwrap_or_default();
            let ids = first.split('"').skip(1).step_by(2).map(str::to_owned).collect();
            let names = parts.iter().skip(1).filter_map(|part| part.split_once('=').map(|(name, _)| name.trim()));
            out.push((ids, names.map(str::to_owned).collect()));
        }
        out
    }

    fn files(folder: &Path, out: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { files(&path, out) } else { out.push(path) }
        }
    }

    #[test]
    fn every_text_that_a_page_asks_for_is_there_and_gets_what_it_names() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let (english, mut wrong, mut found) = (of(Language::English).unwrap(), Vec::new(), 0);
        let mut sources = Vec::new();
        files(&root.join("templates"), &mut sources);
        files(&root.join("src/card"), &mut sources);
        for path in sources {
            let source = std::fs::read_to_string(&path).unwrap();
            let template = path.extension().is_some_and(|extension| extension == "html");
            let opener = if template { "t(" } else { ".text(" };
            for (ids, names) in asked(&source, opener) {
                for id in ids.iter().filter(|id| id.contains('.') && !id.contains('{') || *id == "lang") {
                    found += 1;
                    let place = path.strip_prefix(root).unwrap().display();
                    match english.places(id) {
                        None => wrong.push(format!("{place}: no text {id:?}")),
                        Some(places) => {
                            for missing in places.iter().filter(|name| !names.iter().any(|given| given == *name)) {
                                wrong.push(format!("{place}: {id:?} is not given {missing:?}"));
                            }
                        }
                    }
                }
            }
        }
        assert!(found > 60, "only {found} were found");
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
