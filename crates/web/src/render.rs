//! Templates: embedded in the binary, read from disk in debug builds, strict about what they are given.

use std::{fmt, sync::Arc};

use denizen_model::Timestamp;
use denizen_ops::locale::Locale;
use minijinja::{AutoEscape, Environment, ErrorKind, TemplateSource, UndefinedBehavior, Value, value::Kwargs};
use rust_embed::RustEmbed;
use serde::Serialize;

use crate::{assets, locale};

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
    locale: Arc<Locale>,
}

impl Templates {
    /// Makes the environment all pages are rendered in.
    ///
    /// # Errors
    /// When the texts that are embedded in the binary cannot be read.
    pub fn load() -> Result<Self, RenderError> {
        let locale = Arc::new(locale::english().map_err(RenderError)?);
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
        let texts = Arc::clone(&locale);
        environment.add_function("t", move |id: &str, values: Kwargs| translate(&texts, id, &values));
        Ok(Self { environment: Arc::new(environment), locale })
    }

    /// Renders a template, named by its path under `templates/`.
    ///
    /// # Errors
    /// When there is no such template, or it asks for something the context does not have.
    pub fn render(&self, name: &str, context: &impl Serialize) -> Result<String, RenderError> {
        Ok(self.environment.get_template(name)?.render(minijinja::value::Serde(context))?)
    }

    /// A text without placeholders of the sign-in, set-up, account and error pages. An unknown id is shown as it
    /// is.
    #[must_use]
    pub fn text(&self, id: &str) -> String {
        self.locale.text(id, |_| None).unwrap_or_else(|_| id.to_owned())
    }

    /// A text with its placeholders filled in. An unknown id is shown as it is.
    #[must_use]
    pub fn text_with(&self, id: &str, values: &[(&str, &str)]) -> String {
        let value = |name: &str| values.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        self.locale.text(id, value).unwrap_or_else(|_| id.to_owned())
    }

    /// The text of this id; when there is none of it, the message is a text itself.
    #[must_use]
    pub fn text_or(&self, message: &str) -> String {
        self.text(message)
    }
}

impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Templates")
    }
}

fn translate(locale: &Locale, id: &str, values: &Kwargs) -> Result<String, minijinja::Error> {
    let value = |name: &str| values.get::<Value>(name).ok().map(|value| value.to_string());
    locale.text(id, value).map_err(|problem| minijinja::Error::new(ErrorKind::InvalidOperation, problem))
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
    /// The view of a time, seen from `now`.
    #[must_use]
    pub fn new(at: Timestamp, now: Timestamp) -> Self {
        let seconds = Timestamp::from_secs(at.as_secs());
        let exact = at.to_jiff().strftime("%b %-d, %Y, %H:%M:%S UTC").to_string();
        Self { iso: seconds.to_string(), relative: relative(at, now), exact }
    }

    /// The view of a time that may not have come.
    #[must_use]
    pub fn opt(at: Option<Timestamp>, now: Timestamp) -> Option<Self> {
        at.map(|at| Self::new(at, now))
    }
}

/// `3 minutes ago`, `yesterday`, `in 12 hours`.
fn relative(at: Timestamp, now: Timestamp) -> String {
    const UNITS: [(u64, &str, &str, &str); 6] = [
        (31_536_000, "year", "last year", "next year"),
        (2_592_000, "month", "last month", "next month"),
        (604_800, "week", "last week", "next week"),
        (86_400, "day", "yesterday", "tomorrow"),
        (3_600, "hour", "1 hour ago", "in 1 hour"),
        (60, "minute", "1 minute ago", "in 1 minute"),
    ];
    let past = at <= now;
    let seconds = if past { now.since(at) } else { at.since(now) }.as_secs();
    let Some((size, unit, before, after)) = UNITS.into_iter().find(|(size, ..)| seconds >= *size) else {
        return if past { "just now" } else { "in a moment" }.to_owned();
    };
    match (seconds / size, past) {
        (1, true) => before.to_owned(),
        (1, false) => after.to_owned(),
        (count, true) => format!("{count} {unit}s ago"),
        (count, false) => format!("in {count} {unit}s"),
    }
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
        let ago = |seconds| relative(now.minus(Duration::from_secs(seconds)), now);
        assert_eq!(ago(5), "just now");
        assert_eq!(ago(60), "1 minute ago");
        assert_eq!(ago(7_300), "2 hours ago");
        assert_eq!(ago(90_000), "yesterday");
        assert_eq!(ago(3 * 604_800), "3 weeks ago");
        assert_eq!(relative(now.plus(Duration::from_secs(43_200)), now), "in 12 hours");
        let view = TimeView::new(now, now);
        assert_eq!((view.iso.as_str(), view.exact.as_str()), ("2025-11-21T04:40:00Z", "Nov 21, 2025, 04:40:00 UTC"));
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
