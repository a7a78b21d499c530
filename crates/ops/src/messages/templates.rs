//! What messages say: templates and texts that are embedded in the binary, strict about what they are given.

use std::{collections::BTreeMap, sync::Arc};

use denizen_model::{
    locales::Language,
    messages::{Channel, Template, TemplateText, sms},
};
use minijinja::{AutoEscape, Environment, ErrorKind, TemplateSource, UndefinedBehavior, Value, value::Kwargs};
use rust_embed::RustEmbed;
use serde::{Deserialize, Serialize};

use super::own::Own;
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
    /// The subject; of a text message what kind it is.
    pub subject: String,
    /// The text part.
    pub text: String,
    /// The HTML part; a text message has none.
    pub html: String,
}

/// What a template is filled in with.
pub(crate) struct Values<'a> {
    /// The name of the realm.
    pub(crate) brand: &'a str,
    /// Where the button leads; blanked out in what is kept.
    pub(crate) link: &'a str,
    /// The rest, by name. A `code` is blanked out in what is kept.
    pub(crate) more: &'a [(&'a str, &'a str)],
}

/// What nobody but the reader may see.
pub(super) const SECRETS: [&str; 2] = ["link", "code"];

/// What a template is filled in with, by name.
pub(super) type Context = BTreeMap<String, Value>;

impl Values<'_> {
    /// With everything, or with secrets blanked out.
    fn context(&self, html: bool, blank: bool, subject: &str) -> Context {
        let link = if blank { BLANK } else { self.link };
        let link = if html { Value::from_safe_string(escape(link)) } else { Value::from(link) };
        let named = self.more.iter().map(|(name, value)| {
            let value = if blank && SECRETS.contains(name) { BLANK } else { value };
            ((*name).to_owned(), Value::from(value))
        });
        let own = [("brand", Value::from(self.brand)), ("link", link), ("subject", Value::from(subject))];
        own.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(named).collect()
    }
}

/// A message that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rendered {
    /// As it goes out.
    pub(crate) whole: Whole,
    /// Its subject, with secrets blanked out.
    pub(crate) subject: String,
    /// Its text, with secrets blanked out.
    pub(crate) content: String,
}

/// The three parts of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Subject,
    Text,
    Html,
}

impl Part {
    const fn file(self) -> &'static str {
        match self {
            Self::Subject => "subject.txt",
            Self::Text => "body.txt",
            Self::Html => "body.html",
        }
    }

    /// The field of a realm's own text.
    pub(super) const fn field(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Text => "text",
            Self::Html => "html",
        }
    }
}

/// Makes a message of what makes its parts.
pub(super) fn assemble<E>(
    template: Template,
    values: &Values<'_>,
    part: impl Fn(Part, Context) -> std::result::Result<String, E>,
) -> std::result::Result<Rendered, E> {
    let brand = values.brand.to_owned();
    match template.channel() {
        Channel::Email => {
            let subject_of = |blank| Ok(one_line(&part(Part::Subject, values.context(false, blank, ""))?));
            let (subject, blanked) = (subject_of(false)?, subject_of(true)?);
            let text = part(Part::Text, values.context(false, false, &subject))?;
            let html = part(Part::Html, values.context(true, false, &subject))?;
            let content = part(Part::Text, values.context(false, true, &blanked))?;
            Ok(Rendered { whole: Whole { brand, subject, text, html }, subject: blanked, content })
        }
        Channel::Sms => {
            let text = |blank| Ok(sms::fit(part(Part::Text, values.context(false, blank, ""))?.trim()));
            let subject = template.label().to_owned();
            let whole = Whole { brand, subject: subject.clone(), text: text(false)?, html: String::new() };
            Ok(Rendered { whole, subject, content: text(true)? })
        }
    }
}

/// Every message Denizen sends, in every language it has.
pub(crate) struct Templates {
    languages: Vec<(Language, Environment<'static>)>,
    own: Own,
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
        Ok(Self { languages: Language::ALL.iter().map(load).collect::<Result<_>>()?, own: Own::new() })
    }

    /// What realms word themselves.
    pub(super) fn own(&self) -> &Own {
        &self.own
    }

    fn environment(&self, language: Language) -> Result<&Environment<'static>> {
        let found = self.languages.iter().find(|(of, _)| *of == language);
        found.map(|(_, environment)| environment).ok_or_else(|| Error::internal("there are no texts of messages"))
    }

    /// One part of a usual message in a language.
    /// A text without placeholders that stands in messages.
    pub(super) fn text(&self, language: Language, id: &str) -> Result<String> {
        let made = self.environment(language)?.render_str("{{ t(id) }}", BTreeMap::from([("id", id.to_owned())]));
        made.map_err(|error| Error::internal(format!("{error:#}")))
    }

    fn part(&self, language: Language, template: Template, part: Part, context: Context) -> Result<String> {
        let environment = self.environment(language)?;
        let name = match template.channel() {
            Channel::Email => format!("mail/{template}/{}", part.file()),
            Channel::Sms => format!("sms/{template}.txt"),
        };
        let made = environment.get_template(&name).and_then(|template| template.render(context));
        made.map_err(|error| Error::internal(format!("{error:#}")))
    }

    /// Makes a message as Denizen words it.
    ///
    /// # Errors
    /// When a template asks for something it is not given: a defect.
    pub(crate) fn render(&self, template: Template, language: Language, values: &Values<'_>) -> Result<Rendered> {
        assemble(template, values, |part, context| self.part(language, template, part, context))
    }

    /// What Denizen says, as a realm's own text that says the same: where an operator begins.
    ///
    /// # Errors
    /// When a template asks for something it is not given: a defect.
    pub(crate) fn usual(&self, template: Template, language: Language) -> Result<TemplateText> {
        let name_of = |name: &str| format!("{{{{ {name} }}}}");
        let optional = template.variables().iter().find(|variable| variable.optional).map(|variable| variable.name);
        let part = |part: Part, without: Option<&str>| {
            let named = template.variables().iter().filter(|variable| variable.name != "link");
            let more: Vec<(&str, String)> = named
                .map(|variable| {
                    let empty = without == Some(variable.name);
                    (variable.name, if empty { String::new() } else { name_of(variable.name) })
                })
                .collect();
            let more: Vec<(&str, &str)> = more.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let values = Values { brand: &name_of("brand"), link: &name_of("link"), more: &more };
            let context = values.context(part == Part::Html, false, &name_of("subject"));
            self.part(language, template, part, context)
        };
        let whole = |kind: Part| {
            let with = part(kind, None)?;
            Ok::<_, Error>(match optional {
                Some(name) => either(name, &with, &part(kind, Some(name))?),
                None => with,
            })
        };
        Ok(match template.channel() {
            Channel::Email => TemplateText {
                subject: one_line(&whole(Part::Subject)?),
                text: whole(Part::Text)?,
                html: whole(Part::Html)?,
            },
            Channel::Sms => TemplateText { text: whole(Part::Text)?, ..TemplateText::default() },
        })
    }
}

/// A text that is one of two, depending on whether there is something: what both share stands once.
fn either(name: &str, with: &str, without: &str) -> String {
    if with == without {
        return with.to_owned();
    }
    let (a, b): (Vec<&str>, Vec<&str>) =
        (with.split_inclusive('\n').collect(), without.split_inclusive('\n').collect());
    let same = |(a, b): &(&&str, &&str)| a == b;
    let first = a.iter().zip(&b).take_while(same).count();
    let shortest = a.len().min(b.len()) - first;
    let last = a.iter().rev().zip(b.iter().rev()).take_while(same).count().min(shortest);
    let middle = |lines: &[&str]| -> String {
        let middle = lines.iter().skip(first).take(lines.len() - first - last);
        middle.copied().collect()
    };
    let head: String = a.iter().take(first).copied().collect();
    let tail: String = a.iter().skip(a.len() - last).copied().collect();
    format!("{head}{{% if {name} %}}{}{{% else %}}{}{{% endif %}}{tail}", middle(&a), middle(&b))
}

/// A header is one line, whatever names went into it.
pub(crate) fn one_line(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// An address inside an attribute; the templates' own escaping would also spell out every slash, which some mail
/// programs do not read back.
pub(super) fn escape(link: &str) -> String {
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

    const LINK: &str = "https://id.example.com/realms/main/x?token=se-cret&a=b";

    fn render(template: Template, language: Language, name: &str) -> Rendered {
        let mut more: Vec<_> = template.variables().iter().map(|variable| (variable.name, variable.sample)).collect();
        more.retain(|(name, _)| !["brand", "link"].contains(name));
        for (variable, value) in &mut more {
            match *variable {
                "code" => *value = "se-cret",
                "inviter" | "device" | "notice" => *value = name,
                _ => {}
            }
        }
        let values = Values { brand: name, link: LINK, more: &more };
        Templates::load().unwrap().render(template, language, &values).unwrap()
    }

    fn all() -> impl Iterator<Item = (Template, Language)> {
        let of = |template: &Template| Language::ALL.iter().map(|language| (*template, *language)).collect::<Vec<_>>();
        Template::ALL.iter().flat_map(of)
    }

    #[test]
    fn every_message_can_be_made_in_every_language_and_keeps_its_secrets_to_itself() {
        for (template, language) in all() {
            let Rendered { whole, subject, content } = render(template, language, "Acme");
            assert!(!content.contains("se-cret") && !subject.contains("se-cret"), "{content}");
            let names: Vec<_> = template.variables().iter().map(|variable| variable.name).collect();
            if template.channel() == Channel::Email {
                assert!(whole.subject.contains("Acme"), "{template}: {}", whole.subject);
                // Some mail programs keep only what stands inside of the body, so the language is told there too.
                let told = format!("lang=\"{language}\" dir=\"{}\"", language.direction().as_str());
                assert_eq!(whole.html.matches(&told).count(), 2, "{template} {language}: {}", whole.html);
            }
            if names.contains(&"link") {
                assert!(whole.text.contains(&format!("\n{LINK}\n")), "{}", whole.text);
                assert!(whole.html.contains(&format!("href=\"{}\"", escape(LINK))));
                assert!(content.contains("•••"), "{content}");
            }
            if names.contains(&"code") {
                assert!(whole.text.contains("se-cret") && content.contains("•••"), "{content}");
                assert!(template.channel() == Channel::Sms || whole.html.contains("se-cret"));
            }
        }
    }

    #[test]
    fn names_can_neither_add_markup_nor_headers() {
        for (template, language) in all().filter(|(template, _)| template.channel() == Channel::Email) {
            let whole = render(template, language, "<script>alert(1)</script>\r\nBcc: eve@example.com").whole;
            assert!(!whole.html.contains("<script>"), "{}", whole.html);
            assert!(whole.html.contains("&lt;script&gt;"));
            assert!(!whole.subject.contains(['\r', '\n']), "{:?}", whole.subject);
        }
    }

    #[test]
    fn a_text_message_stays_within_its_bound() {
        let long = "日本".repeat(500);
        for (template, language) in all().filter(|(template, _)| template.channel() == Channel::Sms) {
            let made = render(template, language, &long);
            assert!(sms::segments(&made.whole.text) <= sms::MAX_SEGMENTS);
            assert!(made.whole.html.is_empty());
            let kept = template != Template::SmsCode || made.whole.text.contains("se-cret");
            assert!(kept, "a code is not what is cut, in {language}: {}", made.whole.text);
        }
    }

    /// What an operator begins with is the message itself.
    #[test]
    fn the_usual_text_as_a_text_of_ones_own_makes_the_same_message() {
        let templates = Templates::load().unwrap();
        for template in Template::ALL {
            for language in Language::ALL.iter().copied() {
                let usual = templates.usual(*template, language).unwrap();
                for empty in [false, true] {
                    let variables = template.variables().iter().filter(|variable| variable.name != "link");
                    let more: Vec<_> = variables
                        .map(|variable| (variable.name, if empty && variable.optional { "" } else { variable.sample }))
                        .collect();
                    let values = Values { brand: "Ac & <me>", link: LINK, more: &more };
                    let made = templates.own().render(*template, &usual, &values).unwrap();
                    let expected = templates.render(*template, language, &values).unwrap();
                    // In Arabic, what is set apart from the words around it is: in a text of ones own also a number.
                    let seen = |made: Rendered| {
                        let Whole { subject, text, html, .. } = made.whole;
                        [subject, text, html, made.subject, made.content]
                            .map(|part| part.replace(['\u{2068}', '\u{2069}'], ""))
                    };
                    assert_eq!(seen(made), seen(expected), "{template} in {language}");
                }
            }
        }
    }

    #[test]
    fn what_two_texts_share_stands_once() {
        assert_eq!(either("x", "a\nb\nc", "a\nd\nc"), "a\n{% if x %}b\n{% else %}d\n{% endif %}c");
        assert_eq!(either("x", "a", "b"), "{% if x %}a{% else %}b{% endif %}");
        assert_eq!(either("x", "a\na\n", "a\n"), "a\n{% if x %}a\n{% else %}{% endif %}");
        assert_eq!(either("x", "a", "a"), "a");
    }

    #[test]
    fn every_language_has_the_same_texts() {
        let all: Vec<Locale> = Language::ALL.iter().map(|language| texts(*language).unwrap()).collect();
        let differences = crate::locale::differences(&all);
        assert!(differences.is_empty(), "ops/locales/:\n{}", differences.join("\n"));
    }
}
