//! Templates: embedded in the binary, read from disk in debug builds, strict about what they are given.

use std::{fmt, sync::Arc};

use denizen_model::{
    Timestamp,
    locales::{Language, moment},
    validation::{Message, Part},
};
use minijinja::{AutoEscape, Environment, ErrorKind, TemplateSource, UndefinedBehavior, Value, value::Kwargs};
use rust_embed::RustEmbed;
use serde::Serialize;

use crate::{assets, language, locale};

#[derive(RustEmbed)]
#[folder = "templates/"]
#[include = "*.html"]
struct Files;

/// A page could not be made: a defect, never the reader's fault.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct RenderError(String);

impl From<minijinja::Error> for RenderError {
    fn from(error: minijinja::Error) -> Self {
        // The alternate form carries the template's name and line.
        Self(format!("{error:#}"))
    }
}

impl From<RenderError> for denizen_ops::Error {
    fn from(error: RenderError) -> Self {
        Self::internal(error.0)
    }
}

/// Every page Denizen shows. Cheap to clone.
#[derive(Clone)]
pub struct Templates {
    environment: Arc<Environment<'static>>,
}

impl Templates {
    /// Makes the environment all pages are rendered in.
    ///
    /// # Errors
    /// When the texts that are embedded in the binary cannot be read.
    pub fn load() -> Result<Self, RenderError> {
        locale::load().map_err(RenderError)?;
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.set_loader(|name| {
            let Some(file) = Files::get(name) else { return Ok(None) };
            let text = String::from_utf8(file.data.into_owned())
                .map_err(|_| minijinja::Error::new(ErrorKind::InvalidOperation, "a template is not UTF-8"))?;
            // In debug builds files come from disk and may have changed since they were compiled.
            Ok(Some(TemplateSource::new(text).with_uptodate_check(|| !cfg!(debug_assertions))))
        });
        environment.add_function("asset", |name: &str| {
            assets::href(name)
                .ok_or_else(|| minijinja::Error::new(ErrorKind::InvalidOperation, format!("no asset {name}")))
        });
        environment.add_function("t", |id: &str, values: Kwargs| translate(id, &values));
        Ok(Self { environment: Arc::new(environment) })
    }

    /// Renders a template, named by its path under `templates/`.
    ///
    /// # Errors
    /// When there is no such template, or it asks for something the context does not have.
    pub fn render(&self, name: &str, context: &impl Serialize) -> Result<String, RenderError> {
        let mut text = self.environment.get_template(name)?.render(minijinja::value::Serde(context))?;
        if cfg!(debug_assertions) && text.starts_with("<!doctype html>") {
            // The tests that look at every page go by it to tell which they have not seen.
            text.push_str(&format!("<!-- {name} -->"));
        }
        Ok(text)
    }

    /// A text without placeholders of the sign-in, set-up, account and error pages, in the reader's language. An
    /// unknown id is shown as it is.
    #[must_use]
    pub fn text(&self, id: &str) -> String {
        locale::text(language::current(), id, |_| None).unwrap_or_else(|_| id.to_owned())
    }

    /// A text with its placeholders filled in. An unknown id is shown as it is.
    #[must_use]
    pub fn text_with(&self, id: &str, values: &[(&str, &str)]) -> String {
        let value = |name: &str| values.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        locale::text(language::current(), id, value).unwrap_or_else(|_| id.to_owned())
    }

    /// What is wrong with a field, in the reader's language. A sentence without an id may be a text's id itself; what
    /// there is in English alone stays in English.
    #[must_use]
    pub fn message(&self, message: &Message) -> String {
        let language = language::current();
        let say = |part: &Part| {
            let value = |name: &str| part.values.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone());
            let found = match part.id {
                Some(id) => locale::text(language, &format!("field.{id}"), value),
                None => locale::text(language, &part.text, value),
            };
            found.unwrap_or_else(|_| part.text.clone().into_owned())
        };
        let said: Vec<String> = message.parts().iter().map(say).collect();
        locale::of(language).map_or_else(|_| said.join(" "), |locale| locale.sentences(&said))
    }
}

impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Templates")
    }
}

fn translate(id: &str, values: &Kwargs) -> Result<String, minijinja::Error> {
    let value = |name: &str| values.get::<Value>(name).ok().map(|value| value.to_string());
    locale::text(language::current(), id, value)
        .map_err(|problem| minijinja::Error::new(ErrorKind::InvalidOperation, problem))
}

/// A time as pages show it; the script in the page rewrites it in the reader's zone and language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TimeView {
    /// RFC 3339, for the machine.
    pub iso: String,
    /// How long ago or ahead, in words.
    pub relative: String,
    /// To the second, in UTC.
    pub exact: String,
}

impl TimeView {
    /// The view of a time, seen from `now`, in the reader's language.
    #[must_use]
    pub fn new(at: Timestamp, now: Timestamp) -> Self {
        let (seconds, language) = (Timestamp::from_secs(at.as_secs()), language::current());
        Self { iso: seconds.to_string(), relative: relative(at, now, language), exact: moment(at, language) }
    }

    /// The view of a time that may not have come.
    #[must_use]
    pub fn opt(at: Option<Timestamp>, now: Timestamp) -> Option<Self> {
        at.map(|at| Self::new(at, now))
    }
}

/// `3 minutes ago`, `yesterday`, `in 12 hours`.
fn relative(at: Timestamp, now: Timestamp, language: Language) -> String {
    const UNITS: [(u64, &str, &str); 6] = [
        (31_536_000, "time.years_ago", "time.in_years"),
        (2_592_000, "time.months_ago", "time.in_months"),
        (604_800, "time.weeks_ago", "time.in_weeks"),
        (86_400, "time.days_ago", "time.in_days"),
        (3_600, "time.hours_ago", "time.in_hours"),
        (60, "time.minutes_ago", "time.in_minutes"),
    ];
    let past = at <= now;
    let seconds = if past { now.since(at) } else { at.since(now) }.as_secs();
    let (id, count) = match UNITS.into_iter().find(|(size, ..)| seconds >= *size) {
        Some((size, before, after)) => (if past { before } else { after }, seconds / size),
        None => (if past { "time.now" } else { "time.soon" }, 0),
    };
    locale::text(language, id, |_| Some(count.to_string())).unwrap_or_else(|_| moment(at, language))
}

/// Up to two letters that stand for a name.
pub(crate) fn initials(name: &str) -> String {
    let letter = |word: &str| word.chars().find(|c| c.is_alphanumeric());
    let mut letters = name.split_whitespace().filter_map(letter);
    let (first, last) = (letters.next(), letters.next_back());
    [first, last].into_iter().flatten().flat_map(char::to_uppercase).collect()
}

/// The color of an avatar, 0 to 7, from the id it stands for; it stays the same.
pub(crate) fn hue(id: &str) -> u8 {
    id.bytes().next_back().map_or(0, |byte| byte % 8)
}

/// Denizen's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_are_told_in_words() {
        let now = Timestamp::from_secs(1_763_700_000);
        let ago = |seconds| relative(now.minus(Duration::from_secs(seconds)), now, Language::English);
        assert_eq!(ago(5), "just now");
        assert_eq!(ago(60), "1 minute ago");
        assert_eq!(ago(7_300), "2 hours ago");
        assert_eq!(ago(90_000), "yesterday");
        assert_eq!(ago(3 * 604_800), "3 weeks ago");
        assert_eq!(relative(now.plus(Duration::from_secs(43_200)), now, Language::English), "in 12 hours");
        let view = TimeView::new(now, now);
        assert_eq!((view.iso.as_str(), view.exact.as_str()), ("2025-11-21T04:40:00Z", "Nov 21, 2025, 04:40:00 UTC"));
    }

    #[test]
    fn times_take_the_forms_of_each_language() {
        let now = Timestamp::from_secs(1_763_700_000);
        let of = |language, seconds| relative(now.minus(Duration::from_secs(seconds)), now, language);
        for (language, ago) in [
            (Language::English, ["1 minute ago", "2 minutes ago", "3 hours ago", "11 hours ago", "yesterday"]),
            (Language::German, ["vor 1 Minute", "vor 2 Minuten", "vor 3 Stunden", "vor 11 Stunden", "gestern"]),
            (Language::Spanish, ["hace 1 minuto", "hace 2 minutos", "hace 3 horas", "hace 11 horas", "ayer"]),
            (Language::French, ["il y a 1 minute", "il y a 2 minutes", "il y a 3 heures", "il y a 11 heures", "hier"]),
            (Language::Japanese, ["1分前", "2分前", "3時間前", "11時間前", "1日前"]),
            (Language::Arabic, ["قبل دقيقة", "قبل دقيقتين", "قبل 3 ساعات", "قبل 11 ساعة", "أمس"]),
        ] {
            let told = [60, 120, 3 * 3600, 11 * 3600, 86_400].map(|seconds| of(language, seconds));
            assert_eq!(told, ago, "{language}");
        }
    }

    #[test]
    fn every_template_compiles() {
        let templates = Templates::load().unwrap();
        for name in Files::iter() {
            templates.environment.get_template(&name).unwrap_or_else(|error| panic!("{name}: {error:#}"));
        }
    }

    #[test]
    fn names_have_initials_in_any_script() {
        assert_eq!(initials("Amara Okafor"), "AO");
        assert_eq!(initials("José Álvarez Núñez"), "JN");
        assert_eq!(initials("李小龍"), "李");
        assert_eq!(initials("(-)"), "");
    }
}
