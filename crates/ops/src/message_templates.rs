//! Message templates: what a realm says in its own words; list, read, change, back to the usual, preview, test
//! (PRODUCT §12).

use std::sync::Arc;

use denizen_model::{
    RealmId, Timestamp, UserId,
    events::{EventType, SubjectKind, SubjectRef},
    locales::Language,
    messages::{Channel, MessageTemplate, Template, TemplateText},
    permissions::markers::{SettingsRead, SettingsWrite},
    realms::Realm,
};
use denizen_store::{self as store, Events, ReadTx};
use serde_json::json;

pub use crate::messages::Whole;
use crate::{App, Cx, Error, May, Result, cx::Detail, messages};

/// What can be done with a value in a text.
pub const FILTERS: [&str; 6] = messages::FILTERS;

/// A template in one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateState {
    /// The template.
    pub template: Template,
    /// The language.
    pub language: Language,
    /// When the realm's own text was last changed; `None` for the usual one.
    pub updated_at: Option<Timestamp>,
    /// Grows with each change of the realm's own text; 0 for the usual one.
    pub version: i64,
}

impl TemplateState {
    fn of(template: Template, language: Language, own: Option<&MessageTemplate>) -> Self {
        Self {
            template,
            language,
            updated_at: own.map(|own| own.updated_at),
            version: own.map_or(0, |own| own.version),
        }
    }

    /// Whether the realm has its own text.
    #[must_use]
    pub fn is_overridden(&self) -> bool {
        self.version > 0
    }
}

/// The language of this tag.
///
/// # Errors
/// When messages have no texts in it.
pub fn language(tag: &str) -> Result<Language> {
    Language::from_name(tag).ok_or_else(|| Error::not_found("language"))
}

fn subject(template: Template, language: Language) -> SubjectRef {
    SubjectRef {
        kind: SubjectKind::MessageTemplate,
        id: format!("{template}/{language}"),
        name: format!("{} ({language})", template.label()),
    }
}

fn find(
    tx: &mut ReadTx<'_>,
    realm: RealmId,
    template: Template,
    language: Language,
) -> Result<Option<MessageTemplate>> {
    Ok(store::message_templates::find(tx, realm, template, language)?)
}

/// Every template in every language.
///
/// # Errors
/// When the database fails.
pub async fn list(app: &App, _cx: &Cx, may: May<SettingsRead>) -> Result<Vec<TemplateState>> {
    let realm = may.realm();
    let own = app.db().read(move |tx| Ok::<_, Error>(store::message_templates::list(tx, realm)?)).await?;
    let state = |template: Template, language: Language| {
        let own = own.iter().find(|own| own.template == template && own.language == language);
        TemplateState::of(template, language, own)
    };
    Ok(Template::ALL
        .iter()
        .flat_map(|template| Language::ALL.iter().map(|language| state(*template, *language)))
        .collect())
}

/// A template in one language, with what it says now.
///
/// # Errors
/// When the database fails.
pub async fn get(
    app: &App,
    _cx: &Cx,
    may: May<SettingsRead>,
    template: Template,
    language: Language,
) -> Result<(TemplateState, TemplateText)> {
    let realm = may.realm();
    let own = app.db().peek(move |tx| find(tx, realm, template, language)).await?;
    let state = TemplateState::of(template, language, own.as_ref());
    let text = match own {
        Some(own) => own.text,
        None => messages::usual_text(app, template, language)?,
    };
    Ok((state, text))
}

fn check_version(own: Option<&MessageTemplate>, if_version: Option<i64>) -> Result<()> {
    let version = own.map_or(0, |own| own.version);
    if if_version.is_some_and(|wanted| wanted != version) { Err(Error::changed()) } else { Ok(()) }
}

/// Gives a template the realm's own text in one language.
///
/// # Errors
/// What is wrong with the text, field by field; or it was changed in the meantime.
pub async fn set(
    app: &App,
    cx: &Cx,
    may: May<SettingsWrite>,
    template: Template,
    language: Language,
    text: TemplateText,
    if_version: Option<i64>,
) -> Result<(TemplateState, TemplateText)> {
    let realm = crate::realms::get_in_scope(app, may.realm()).await?;
    // Browsers send forms with line breaks of two characters; mails and text messages get them as they need them.
    let text = TemplateText {
        subject: text.subject.trim().to_owned(),
        text: text.text.replace("\r\n", "\n"),
        html: text.html.replace("\r\n", "\n"),
    };
    messages::check_text(app, &realm, template, language, &text)?;
    let (app2, cx2, text) = (app.clone(), cx.clone(), Arc::new(text));
    let stored = text.clone();
    let state = app
        .write_config(cx, move |mut tx| {
            // Of two who give it its first text at once, one is told of the other.
            store::realms::lock(&mut tx, realm.id)?;
            let before = find(&mut tx, realm.id, template, language)?;
            check_version(before.as_ref(), if_version)?;
            let (now, text) = (cx2.now, stored.as_ref().clone());
            let own = match before {
                None => {
                    let own = MessageTemplate {
                        realm_id: realm.id,
                        template,
                        language,
                        text,
                        created_at: now,
                        updated_at: now,
                        version: 1,
                    };
                    store::message_templates::insert(&mut tx, &own)?;
                    own
                }
                Some(before) if before.text == text => {
                    let state = TemplateState::of(template, language, Some(&before));
                    return Ok(tx.unaudited("nothing was changed", state)?);
                }
                Some(before) => {
                    let own = MessageTemplate { text, updated_at: now, ..before };
                    if !store::message_templates::update(&mut tx, &own, now)? {
                        return Err(Error::changed());
                    }
                    MessageTemplate { version: own.version + 1, ..own }
                }
            };
            let event = cx2
                .event(&app2, realm.id, EventType::MessageTemplateUpdated, subject(template, language))
                .detail("text", json!(own.text));
            Ok(tx.commit(Events::from(event), TemplateState::of(template, language, Some(&own)))?)
        })
        .await?;
    Ok((state, text.as_ref().clone()))
}

/// Removes the realm's own text: the usual one is used again.
///
/// # Errors
/// When there is none, or it was changed in the meantime.
pub async fn revert(
    app: &App,
    cx: &Cx,
    may: May<SettingsWrite>,
    template: Template,
    language: Language,
    if_version: Option<i64>,
) -> Result<()> {
    let (app2, cx2, realm) = (app.clone(), cx.clone(), may.realm());
    app.write_config(cx, move |mut tx| {
        let own = find(&mut tx, realm, template, language)?.ok_or_else(|| Error::not_found("text of its own"))?;
        check_version(Some(&own), if_version)?;
        if !store::message_templates::delete(&mut tx, &own)? {
            return Err(Error::changed());
        }
        let event = cx2
            .event(&app2, realm, EventType::MessageTemplateReverted, subject(template, language))
            .detail("text", json!(own.text));
        Ok(tx.commit(Events::from(event), ())?)
    })
    .await
}

/// A message as its reader would see it, of sample values: by `text` where one is given, else as it is now.
///
/// # Errors
/// What is wrong with the text, field by field.
pub async fn preview(
    app: &App,
    _cx: &Cx,
    may: May<SettingsRead>,
    template: Template,
    language: Language,
    text: Option<TemplateText>,
) -> Result<Whole> {
    let realm = may.realm();
    let (realm, own) = app
        .db()
        .peek(move |tx| {
            let found = store::realms::find(tx, realm)?.ok_or_else(|| Error::not_found("realm"))?;
            Ok::<_, Error>((found, find(tx, realm, template, language)?))
        })
        .await?;
    match text {
        Some(text) => messages::sample(app, &realm, template, language, Some(&text)),
        // One that can be used no longer is shown as it will be sent.
        None => {
            let own = own.and_then(|own| messages::sample(app, &realm, template, language, Some(&own.text)).ok());
            own.map_or_else(|| messages::sample(app, &realm, template, language, None), Ok)
        }
    }
}

/// Where a test goes: the administrator's own address, and whether they are a user of this realm.
async fn own_address(app: &App, cx: &Cx, realm: &Realm, channel: Channel) -> Result<(Option<UserId>, String)> {
    let admin = cx.administrator()?;
    let (home, id) = (admin.realm_id, admin.id);
    let user = app.db().peek(move |tx| Ok::<_, Error>(store::users::find(tx, home, id)?)).await?;
    let user = user.ok_or_else(Error::unauthenticated)?;
    let address = match channel {
        Channel::Email => user.email,
        Channel::Sms => user.phone,
    };
    let address = address.ok_or_else(|| {
        let what = if channel == Channel::Email { "email address" } else { "phone number" };
        Error::conflict("no-own-address", format!("A test goes to your own {what}, and you have none."))
    })?;
    Ok(((home == realm.id).then_some(id), address))
}

/// Sends a message of sample values to the administrator's own address. Answers where it goes.
///
/// # Errors
/// When they have no such address, or there is nothing to send it by.
pub async fn send_test(
    app: &App,
    cx: &Cx,
    may: May<SettingsWrite>,
    template: Template,
    language: Language,
) -> Result<String> {
    let realm = crate::realms::get_in_scope(app, may.realm()).await?;
    if template.channel() == Channel::Email && !app.sends_mail() {
        return Err(Error::conflict("no-mail-server", "This server sends no mail: no mail server is configured."));
    }
    let (user, address) = own_address(app, cx, &realm, template.channel()).await?;
    let prepared = messages::prepare_test(app, cx, &realm, template, language, user, &address)?;
    let (app2, cx2) = (app.clone(), cx.clone());
    app.write(cx, move |mut tx| {
        messages::enqueue(&mut tx, &app2, &prepared)?;
        let event = cx2
            .event(&app2, realm.id, EventType::MessageTemplateTested, subject(template, language))
            .detail("recipient", address.as_str());
        Ok(tx.commit(Events::from(event), address.clone())?)
    })
    .await
}
