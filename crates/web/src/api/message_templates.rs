//! Message templates: list, read, replace, back to the usual, preview, test.

use std::str::FromStr;

use axum::{Json, extract::FromRequestParts, http::StatusCode, http::request::Parts};
use denizen_model::{
    Timestamp,
    locales::Language,
    messages::{Channel, Template, TemplateText, Variable},
    permissions::markers::{SettingsRead, SettingsWrite},
};
use denizen_ops::{
    Error,
    message_templates::{self, FILTERS, TemplateState, Whole},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    answer::{Answer, DONE, List, Record},
    ask::{Ask, parameter},
    body::{Body, MaybeBody, Nothing},
};
use crate::{Web, problem::Problem};

pub(super) fn endpoints() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(read, replace, revert))
        .routes(routes!(preview))
        .routes(routes!(test))
}

/// The template and the language in the path.
struct Which(Template, Language);

impl FromRequestParts<Web> for Which {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Problem> {
        let template = parameter(parts, web, "template").await?.and_then(|name| Template::from_str(&name).ok());
        let language = parameter(parts, web, "language").await?.unwrap_or_default();
        let template = template.ok_or_else(|| Error::not_found("message template"))?;
        Ok(Self(template, message_templates::language(&language)?))
    }
}

/// Whose words a message has.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum TemplateOrigin {
    /// Denizen's.
    Default,
    /// The realm's own.
    Overridden,
}

/// A message template in one language.
#[derive(Serialize, ToSchema)]
#[schema(as = MessageTemplate)]
struct TemplateView {
    /// Which message.
    template: Template,
    /// What people call it.
    label: &'static str,
    /// When it is sent.
    occasion: &'static str,
    /// By which way it goes.
    channel: Channel,
    /// The language, as a tag (BCP 47).
    language: Language,
    /// Whose words it has.
    state: TemplateOrigin,
    /// When the realm's own text was last changed.
    updated_at: Option<Timestamp>,
}

impl From<TemplateState> for TemplateView {
    fn from(state: TemplateState) -> Self {
        Self {
            template: state.template,
            label: state.template.label(),
            occasion: state.template.occasion(),
            channel: state.template.channel(),
            language: state.language,
            state: if state.is_overridden() { TemplateOrigin::Overridden } else { TemplateOrigin::Default },
            updated_at: state.updated_at,
        }
    }
}

/// A message template in one language, with what it says and what it can say.
#[derive(Serialize, ToSchema)]
#[schema(as = MessageTemplateInFull)]
struct FullView {
    #[serde(flatten)]
    template: TemplateView,
    #[serde(flatten)]
    text: TemplateText,
    /// What its texts can name.
    variables: &'static [Variable],
    /// The variable that its bodies must have.
    needs: Option<&'static str>,
    /// What can be done with a value, as in `{{ brand|upper }}`.
    filters: [&'static str; 6],
}

impl From<(TemplateState, TemplateText)> for FullView {
    fn from((state, text): (TemplateState, TemplateText)) -> Self {
        let template = state.template;
        Self {
            template: state.into(),
            text,
            variables: template.variables(),
            needs: template.needs(),
            filters: FILTERS,
        }
    }
}

/// A text to be tried out. Without any field, what is sent now.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PreviewMessageTemplate {
    /// The subject.
    subject: Option<String>,
    /// The text part.
    text: Option<String>,
    /// The HTML part.
    html: Option<String>,
}

impl PreviewMessageTemplate {
    fn text(self) -> Option<TemplateText> {
        let Self { subject, text, html } = self;
        let given = subject.is_some() || text.is_some() || html.is_some();
        given.then(|| TemplateText {
            subject: subject.unwrap_or_default(),
            text: text.unwrap_or_default(),
            html: html.unwrap_or_default(),
        })
    }
}

/// A message as its reader would see it.
#[derive(Serialize, ToSchema)]
struct MessagePreview {
    /// The subject; of a text message what kind it is.
    subject: String,
    /// The text part.
    text: String,
    /// The HTML part; a text message has none.
    html: Option<String>,
}

impl From<Whole> for MessagePreview {
    fn from(whole: Whole) -> Self {
        Self { subject: whole.subject, text: whole.text, html: Some(whole.html).filter(|html| !html.is_empty()) }
    }
}

/// Where a test goes.
#[derive(Serialize, ToSchema)]
struct MessageTest {
    /// The address or number.
    recipient: String,
}

/// List message templates
///
/// Every message in every language, with whose words it has.
#[utoipa::path(get, path = "/realms/{realm}/message-templates", operation_id = "list_message_templates",
    tag = "Message templates",
    responses((status = 200, description = "All templates.", body = List<TemplateView>)),
    extensions(("x-permission" = json!("settings:read"))))]
async fn list(ask: Ask<SettingsRead>) -> Answer<Json<List<TemplateView>>> {
    let all = message_templates::list(&ask.app, &ask.cx, ask.may).await?;
    Ok(List::all(all, TemplateView::from))
}

/// Read a message template
///
/// The usual text is answered as a text of the realm's own that says the same.
#[utoipa::path(get, path = "/realms/{realm}/message-templates/{template}/{language}",
    operation_id = "read_message_template", tag = "Message templates",
    responses((status = 200, description = "The template.", body = FullView)),
    extensions(("x-permission" = json!("settings:read"))))]
async fn read(ask: Ask<SettingsRead>, Which(template, language): Which) -> Answer<Record<FullView>> {
    let found = message_templates::get(&ask.app, &ask.cx, ask.may, template, language).await?;
    Ok(Record::new(found.0.version, found.into()))
}

/// Word a message
///
/// From then on the message has the realm's own text in this language. It can name the template's variables and ask with
/// `if` for those that are optional; anything else is refused, with the line.
#[utoipa::path(put, path = "/realms/{realm}/message-templates/{template}/{language}",
    operation_id = "replace_message_template", tag = "Message templates", request_body = TemplateText,
    responses((status = 200, description = "The template.", body = FullView)),
    extensions(("x-permission" = json!("settings:write"))))]
async fn replace(
    ask: Ask<SettingsWrite>,
    Which(template, language): Which,
    Body(text): Body<TemplateText>,
) -> Answer<Record<FullView>> {
    let set = message_templates::set(&ask.app, &ask.cx, ask.may, template, language, text, ask.if_match).await?;
    Ok(Record::new(set.0.version, set.into()))
}

/// Give a message its usual text again
#[utoipa::path(delete, path = "/realms/{realm}/message-templates/{template}/{language}",
    operation_id = "revert_message_template", tag = "Message templates",
    responses((status = 204, description = "The realm's own text is gone.")),
    extensions(("x-permission" = json!("settings:write"))))]
async fn revert(ask: Ask<SettingsWrite>, Which(template, language): Which) -> Answer<StatusCode> {
    message_templates::revert(&ask.app, &ask.cx, ask.may, template, language, ask.if_match).await?;
    Ok(DONE)
}

/// Preview a message
///
/// Made of sample values, by the text in the body or, without one, by what is sent now. Nothing is kept.
#[utoipa::path(post, path = "/realms/{realm}/message-templates/{template}/{language}/preview",
    operation_id = "preview_message_template", tag = "Message templates", request_body = Option<PreviewMessageTemplate>,
    responses((status = 200, description = "The message.", body = MessagePreview)),
    extensions(("x-permission" = json!("settings:read"))))]
async fn preview(
    ask: Ask<SettingsRead>,
    Which(template, language): Which,
    MaybeBody(typed): MaybeBody<PreviewMessageTemplate>,
) -> Answer<Json<MessagePreview>> {
    let made = message_templates::preview(&ask.app, &ask.cx, ask.may, template, language, typed.text()).await?;
    Ok(Json(made.into()))
}

/// Send a test of a message
///
/// Made of sample values, to the address, or the phone, of whoever asks.
#[utoipa::path(post, path = "/realms/{realm}/message-templates/{template}/{language}/test",
    operation_id = "test_message_template", tag = "Message templates",
    responses((status = 200, description = "Where it goes.", body = MessageTest)),
    extensions(("x-permission" = json!("settings:write"))))]
async fn test(
    ask: Ask<SettingsWrite>,
    Which(template, language): Which,
    MaybeBody(Nothing {}): MaybeBody<Nothing>,
) -> Answer<Json<MessageTest>> {
    let recipient = message_templates::send_test(&ask.app, &ask.cx, ask.may, template, language).await?;
    Ok(Json(MessageTest { recipient }))
}
