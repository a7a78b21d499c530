//! Messages of made-up values: what an operator sees of a text before its readers do.

use std::time::Duration;

use denizen_model::{
    Timestamp, UserId,
    locales::{Language, told},
    messages::{Template, TemplateText, Variable},
    realms::Realm,
    validation::FieldErrors,
};

use super::{Draft, Prepared, Whole, prepare_in, templates::Values};
use crate::{App, Cx, Error, Result};

/// What Denizen says in a language, as a realm's own text that says the same.
pub(crate) fn usual_text(app: &App, template: Template, language: Language) -> Result<TemplateText> {
    app.mailer().templates.usual(template, language)
}

/// What stands for the values of a template in a preview.
struct Sample {
    /// Under the realm's own address.
    path: &'static str,
    more: Vec<(&'static str, String)>,
}

/// The moments that samples tell of, as [`Variable::sample`] has them in English.
const MOMENTS: [(&str, i64); 3] = [("time", BASE + 15 * 60), ("expires", BASE + 30 * 60), ("until", BASE + 45 * 60)];
const BASE: i64 = 1_795_255_200;

impl Sample {
    fn new(template: Template, language: Language) -> Self {
        let path =
            if template.needs() == Some("link") { "sample?token=0123456789abcdefghijklmnopqrstuv" } else { "account" };
        let value = |variable: &Variable| {
            let moment = MOMENTS.iter().find(|(name, _)| *name == variable.name);
            match moment {
                Some((_, seconds)) => told(Timestamp::from_secs(*seconds), None, language),
                None => variable.sample.to_owned(),
            }
        };
        let named = template.variables().iter().filter(|variable| !["brand", "link"].contains(&variable.name));
        Self { path, more: named.map(|variable| (variable.name, value(variable))).collect() }
    }

    fn link(&self, app: &App, realm: &Realm) -> String {
        format!("{}/realms/{}/{}", app.public_url(), realm.slug, self.path)
    }

    fn more(&self) -> Vec<(&'static str, &str)> {
        self.more.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }
}

/// Checks a realm's own text, also by making messages of it.
pub(crate) fn check_text(
    app: &App,
    realm: &Realm,
    template: Template,
    language: Language,
    text: &TemplateText,
) -> Result<()> {
    let sample = Sample::new(template, language);
    let (link, more) = (sample.link(app, realm), sample.more());
    let values = Values { brand: &realm.display_name, link: &link, more: &more };
    let mut errors = FieldErrors::new();
    app.mailer().templates.own().check(template, text, &values, &mut errors);
    Ok(errors.into_result()?)
}

/// A message as it would be, made of sample values: by this text, or as Denizen words it.
pub(crate) fn sample(
    app: &App,
    realm: &Realm,
    template: Template,
    language: Language,
    text: Option<&TemplateText>,
) -> Result<Whole> {
    let sample = Sample::new(template, language);
    let (link, more) = (sample.link(app, realm), sample.more());
    let values = Values { brand: &realm.display_name, link: &link, more: &more };
    let templates = &app.mailer().templates;
    match text {
        None => Ok(templates.render(template, language, &values)?.whole),
        Some(text) => {
            check_text(app, realm, template, language, text)?;
            let made = templates.own().render(template, text, &values);
            Ok(made.map_err(|flaw| Error::internal(flaw.to_string()))?.whole)
        }
    }
}

/// A test of a template: a message of sample values to whoever asks for it.
pub(crate) fn prepare_test(
    app: &App,
    cx: &Cx,
    realm: &Realm,
    template: Template,
    language: Language,
    user_id: Option<UserId>,
    to: &str,
) -> Result<Prepared> {
    let sample = Sample::new(template, language);
    let more: Vec<_> = sample.more().into_iter().filter(|(name, _)| !["email", "expires"].contains(name)).collect();
    let draft = Draft {
        user_id,
        invitation_id: None,
        to,
        locale: None,
        zone: None,
        template,
        path: sample.path,
        more: &more,
        // A day, so that one that cannot be sent does not wait for ever.
        expires_at: Some(cx.now.plus(Duration::from_secs(24 * 3600))),
    };
    prepare_in(app, cx, realm, language, &draft)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_in_a_preview_are_told_as_the_language_tells_them() {
        for template in Template::ALL {
            let english = Sample::new(*template, Language::English);
            for variable in template.variables() {
                let found = english.more.iter().find(|(name, _)| *name == variable.name);
                assert!(found.is_none_or(|(_, value)| value == variable.sample), "{template}: {found:?}");
            }
        }
        let german = Sample::new(Template::PasswordChanged, Language::German);
        assert!(german.more.contains(&("time", "21. November 2026, 10:15 (UTC)".to_owned())), "{:?}", german.more);
    }
}
