//! What mails say: templates and texts that are embedded in the binary, strict about what they are given.

use std::{collections::BTreeMap, sync::Arc};

use denizen_model::{locales::Language, messages::Template};
use minijinja::{AutoEscape, Environment, ErrorKind, TemplateSource, UndefinedBehavior, Value, value::Kwargs};
use rust_embed::RustEmbed;
use serde::{Deserialize, Serialize};

use crate::{Error, Result, locale::Locale};

#[derive(RustEmbed)]
#[folder = "templates/"]
struct Files;

#[derive(RustEmbed)]
#[folder = "locales/"]
#[include = "*.toml"]
struct Texts;

/// What stands where a link or a code was.
const BLANK: &str = "•••";

/// A whole message, as it goes out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whole {
    /// The name of the realm.
    pub brand: String,
    /// The subject.
    pub subject: String,
    /// The text part.
    pub text: String,
    /// The HTML part.
    pub html: String,
}

/// What a template is filled in with.
pub(crate) struct Values<'a> {
    /// The name of the realm.
    pub(crate) brand: &'a str,
    /// Where the button leads; blanked out in what is kept.
    pub(crate) link: &'a str,
    /// The rest, by name.
    pub(crate) more: &'a [(&'static str, &'a str)],
}

/// Every mail Denizen sends, in every language it has.
pub(crate) struct Templates {
    languages: Vec<(Language, Environment<'static>)>,
}

/// The texts of mails in a language.
fn texts(language: Language) -> Result<Locale> {
    let name = format!("{language}.toml");
    let file = Texts::get(&name).ok_or_else(|| Error::internal(format!("locales/{name} is missing")))?;
    let text = std::str::from_utf8(&file.data).map_err(|error| Error::internal(error.to_string()))?;
    Locale::parse(language, text).map_err(|error| Error::internal(format!("locales/{name}: {error}")))
}

impl Templates {
    /// Reads what is embedded in the binary.
    ///
    /// # Errors
    /// When it cannot be read: a defect.
    pub(crate) fn load() -> Result<Self> {
        let load = |language: &Language| Ok((*language, environment(texts(*language)?)));
        Ok(Self { languages: Language::ALL.iter().map(load).collect::<Result<_>>()? })
    }

    fn environment(&self, language: Language) -> Result<&Environment<'static>> {
        let found = self.languages.iter().find(|(of, _)| *of == language);
        found.map(|(_, environment)| environment).ok_or_else(|| Error::internal("there are no texts of mails"))
    }

    /// Makes a message, and its text with the link blanked out.
    ///
    /// # Errors
    /// When a template asks for something it is not given: a defect.
    pub(crate) fn render(
        &self,
        template: Template,
        language: Language,
        values: &Values<'_>,
    ) -> Result<(Whole, String)> {
        let environment = self.environment(language)?;
        let part = |file: &str, link: &str, subject: &str| {
            let escaped =
                if file.ends_with(".html") { Value::from_safe_string(escape(link)) } else { Value::from(link) };
            let mut context = BTreeMap::from([
                ("brand", Value::from(values.brand)),
                ("link", escaped),
                ("subject", Value::from(subject)),
            ]);
            context.extend(values.more.iter().map(|(name, value)| (*name, Value::from(*value))));
            let name = format!("mail/{template}/{file}");
            let made = environment.get_template(&name).and_then(|template| template.render(context));
            made.map_err(|error| Error::internal(format!("{error:#}")))
        };
        let subject = one_line(&part("subject.txt", values.link, "")?);
        let whole = Whole {
            brand: values.brand.to_owned(),
            text: part("body.txt", values.link, &subject)?,
            html: part("body.html", values.link, &subject)?,
            subject,
        };
        let blanked = part("body.txt", BLANK, &whole.subject)?;
        Ok((whole, blanked))
    }
}

/// A header is one line, whatever names went into it.
pub(crate) fn one_line(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// An address inside an attribute; the templates' own escaping would also spell out every slash, which some mail
/// programs do not read back.
fn escape(link: &str) -> String {
    link.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

fn environment(locale: Locale) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(
        |name| {
            if name.ends_with(".html") { AutoEscape::Html } else { AutoEscape::None }
        },
    );
    environment.set_loader(|name| {
        let Some(file) = Files::get(name) else { return Ok(None) };
        let text = String::from_utf8(file.data.into_owned())
            .map_err(|_| minijinja::Error::new(ErrorKind::InvalidOperation, "a template is not UTF-8"))?;
        Ok(Some(TemplateSource::new(text)))
    });
    let texts = Arc::new(locale);
    environment.add_function("t", move |id: &str, values: Kwargs| {
        let value = |name: &str| values.get::<Value>(name).ok().map(|value| value.to_string());
        texts.text(id, value).map_err(|problem| minijinja::Error::new(ErrorKind::InvalidOperation, problem))
    });
    environment
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(template: Template, language: Language, name: &str) -> (Whole, String) {
        let values = Values {
            brand: name,
            link: "https://id.example.com/realms/main/x?token=se-cret&a=b",
            more: &[("email", "ana@example.com"), ("inviter", name), ("expires", "noon")],
        };
        Templates::load().unwrap().render(template, language, &values).unwrap()
    }

    fn all() -> impl Iterator<Item = (Template, Language)> {
        let of = |template: &Template| Language::ALL.iter().map(|language| (*template, *language)).collect::<Vec<_>>();
        Template::ALL.iter().flat_map(of)
    }

    #[test]
    fn every_mail_can_be_made_in_every_language_and_keeps_its_link_to_itself() {
        for (template, language) in all() {
            let (whole, blanked) = render(template, language, "Acme");
            assert!(whole.subject.contains("Acme"), "{template}: {}", whole.subject);
            assert!(
                whole.text.contains("\nhttps://id.example.com/realms/main/x?token=se-cret&a=b\n"),
                "{}",
                whole.text
            );
            assert!(whole.html.contains("href=\"https://id.example.com/realms/main/x?token=se-cret&amp;a=b\""));
            assert!(!blanked.contains("se-cret") && blanked.contains("•••"), "{blanked}");
            // Some mail programs keep only what stands inside of the body, so the language is told there too.
            let told = format!("lang=\"{language}\" dir=\"{}\"", language.direction().as_str());
            assert_eq!(whole.html.matches(&told).count(), 2, "{template} {language}: {}", whole.html);
        }
    }

    #[test]
    fn names_can_neither_add_markup_nor_headers() {
        for (template, language) in all() {
            let (whole, _) = render(template, language, "<script>alert(1)</script>\r\nBcc: eve@example.com");
            assert!(!whole.html.contains("<script>"), "{}", whole.html);
            assert!(whole.html.contains("&lt;script&gt;"));
            assert!(!whole.subject.contains(['\r', '\n']), "{:?}", whole.subject);
        }
    }

    #[test]
    fn every_language_has_the_same_texts() {
        let all: Vec<Locale> = Language::ALL.iter().map(|language| texts(*language).unwrap()).collect();
        let differences = crate::locale::differences(&all);
        assert!(differences.is_empty(), "ops/locales/:\n{}", differences.join("\n"));
    }
}
