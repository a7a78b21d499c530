//! Messages of made-up values: what an operator sees of a text before its readers do.

use std::time::Duration;

use denizen_model::{
    UserId,
    locales::Language,
    messages::{Template, TemplateText},
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
fn values_of(app: &App, realm: &Realm, template: Template) -> (String, Vec<(&'static str, &'static str)>) {
    let path =
        if template.needs() == Some("link") { "sample?token=0123456789abcdefghijklmnopqrstuv" } else { "account" };
    let link = format!("{}/realms/{}/{path}", app.public_url(), realm.slug);
    let named = template.variables().iter().filter(|variable| !["brand", "link"].contains(&variable.name));
    (link, named.map(|variable| (variable.name, variable.sample)).collect())
}

/// Checks a realm's own text, also by making messages of it.
pub(crate) fn check_text(app: &App, realm: &Realm, template: Template, text: &TemplateText) -> Result<()> {
    let (link, more) = values_of(app, realm, template);
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
    let (link, more) = values_of(app, realm, template);
    let values = Values { brand: &realm.display_name, link: &link, more: &more };
    let templates = &app.mailer().templates;
    match text {
        None => Ok(templates.render(template, language, &values)?.whole),
        Some(text) => {
            check_text(app, realm, template, text)?;
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
    let path =
        if template.needs() == Some("link") { "sample?token=0123456789abcdefghijklmnopqrstuv" } else { "account" };
    let (_, more) = values_of(app, realm, template);
    let more: Vec<_> = more.into_iter().filter(|(name, _)| !["email", "expires"].contains(name)).collect();
    let draft = Draft {
        user_id,
        invitation_id: None,
        to,
        locale: None,
        zone: None,
        template,
        path,
        more: &more,
        // A day, so that one that cannot be sent does not wait for ever.
        expires_at: Some(cx.now.plus(Duration::from_secs(24 * 3600))),
    };
    prepare_in(app, cx, realm, language, &draft)
}
