//! Messages: what each of them says, in every language; wording, previewing, testing, back to the usual.

use axum::{
    Router,
    extract::FromRequestParts,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use denizen_model::{
    locales::Language,
    messages::{Channel, MAX_SUBJECT, Template, TemplateText, Variable},
    permissions::markers::SettingsWrite,
};
use denizen_ops::message_templates::{self, FILTERS, TemplateState, Whole};
use http::{HeaderValue, header, request::Parts};
use serde::Serialize;

use super::{
    Answer, PageError,
    forms::{Asked, Errors, Fields, Posted, mendable, mendable_in},
    frame::{At, ConsoleCx, Section},
    users::{Confirm, path_id},
    words::Label,
};
use crate::{Web, card::see_other, render::TimeView};

pub(super) fn router() -> Router<Web> {
    let one = |path: &str| format!("/admin/{{realm}}/messages/{{template}}/{{language}}{path}");
    Router::new()
        .route("/admin/{realm}/messages", get(list))
        .route("/admin/{realm}/messages/{template}", get(first))
        .route(&one(""), get(show).post(save))
        .route(&one("/preview"), get(preview).post(preview_typed))
        .route(&one("/test"), post(test))
        .route(&one("/revert"), get(confirm_revert).post(revert))
}

/// The template and the language in the path.
#[derive(Debug, Clone, Copy)]
struct Which(Template, Language);

impl<S: Send + Sync> FromRequestParts<S> for Which {
    type Rejection = PageError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, PageError> {
        let template = path_id(parts, state, "template").await?;
        let tag: String = path_id(parts, state, "language").await?;
        Ok(Self(template, message_templates::language(&tag)?))
    }
}

fn href(page: &ConsoleCx, Which(template, language): Which) -> String {
    page.href(&format!("messages/{template}/{language}"))
}

fn at(page: &ConsoleCx, template: Template) -> At {
    At::under(Section::Messages, &[("Messages", page.href("messages"))], template.label())
}

#[derive(Serialize)]
struct ListPage {
    channels: Vec<Group>,
    sms: bool,
}

#[derive(Serialize)]
struct Group {
    label: &'static str,
    icon: &'static str,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    href: String,
    label: &'static str,
    occasion: &'static str,
    /// The languages in which the realm has its own text.
    own: Vec<LanguageLink>,
    changed_at: Option<TimeView>,
}

#[derive(Serialize)]
struct LanguageLink {
    tag: &'static str,
    name: &'static str,
    href: String,
    current: bool,
    own: bool,
}

fn language(page: &ConsoleCx, state: &TemplateState, current: Option<Language>) -> LanguageLink {
    LanguageLink {
        tag: state.language.as_str(),
        name: state.language.own_name(),
        href: href(page, Which(state.template, state.language)),
        current: current == Some(state.language),
        own: state.is_overridden(),
    }
}

async fn list(page: ConsoleCx) -> Answer {
    let all = message_templates::list(page.app(), page.cx(), page.may()?).await?;
    let row = |template: Template| {
        let own: Vec<_> = all.iter().filter(|state| state.template == template && state.is_overridden()).collect();
        Row {
            href: page.href(&format!("messages/{template}")),
            label: template.label(),
            occasion: template.occasion(),
            changed_at: page.time_opt(own.iter().filter_map(|state| state.updated_at).max()),
            own: own.into_iter().map(|state| language(&page, state, None)).collect(),
        }
    };
    let group = |channel: Channel, label, icon| Group {
        label,
        icon,
        rows: Template::ALL.iter().filter(|template| template.channel() == channel).map(|one| row(*one)).collect(),
    };
    let channels = vec![group(Channel::Email, "Mails", "mail"), group(Channel::Sms, "Text messages", "phone")];
    let content = ListPage { channels, sms: page.app().sms_configured() };
    page.page("console/messages/list.html", At::top(Section::Messages, "Messages"), &content)
}

/// A template without a language leads to the realm's default one.
async fn first(page: ConsoleCx, parts: Parts) -> Answer {
    let mut parts = parts;
    let template: Template = path_id(&mut parts, &(), "template").await?;
    Ok(see_other(&href(&page, Which(template, page.realm().realm.settings.locale))))
}

#[derive(Serialize)]
struct FormPage {
    href: String,
    version: String,
    label: &'static str,
    occasion: &'static str,
    email: bool,
    state: Label,
    changed_at: Option<TimeView>,
    own: bool,
    language: &'static str,
    direction: &'static str,
    languages: Vec<LanguageLink>,
    variables: Vec<&'static Variable>,
    needs: Option<&'static str>,
    filters: String,
    max_subject: String,
    /// Where a test goes, if it can go anywhere.
    test_to: Option<String>,
    test_missing: &'static str,
    text: TemplateText,
    errors: Errors,
}

/// The page with a frame in it.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     font-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);
/// A message in the frame: its own styles, nothing that runs, nothing from elsewhere, and links lead nowhere.
const PREVIEW_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'; \
     frame-ancestors 'self'; sandbox",
);

/// Where a test goes, or what it lacks.
fn test_target(page: &ConsoleCx, channel: Channel) -> (Option<String>, &'static str) {
    let user = page.user();
    match channel {
        Channel::Email if !page.app().sends_mail() => {
            (None, "No mail server is configured, so there is nothing to test.")
        }
        Channel::Email => (user.email.clone(), "A test goes to your own address, and your account has none."),
        Channel::Sms if !page.app().sms_configured() => {
            (None, "No SMS gateway is configured, so there is nothing to test.")
        }
        Channel::Sms => (user.phone.clone(), "A test goes to your own phone, and your account has no number."),
    }
}

/// The form, with what was typed where that could not be saved.
async fn form(page: &ConsoleCx, which: Which, typed: Option<(TemplateText, i64)>, errors: Errors) -> Answer {
    let Which(template, shown) = which;
    let all = message_templates::list(page.app(), page.cx(), page.may()?).await?;
    let (state, saved) = message_templates::get(page.app(), page.cx(), page.may()?, template, shown).await?;
    let (text, version) = typed.unwrap_or((saved, state.version));
    let (test_to, test_missing) = test_target(page, template.channel());
    let own = state.is_overridden();
    let content = FormPage {
        href: href(page, which),
        version: version.to_string(),
        label: template.label(),
        occasion: template.occasion(),
        email: template.channel() == Channel::Email,
        state: if own { Label::new("Own text", "accent") } else { Label::new("Usual text", "neutral") },
        changed_at: page.time_opt(state.updated_at),
        own,
        language: shown.as_str(),
        direction: shown.direction().as_str(),
        languages: all
            .iter()
            .filter(|state| state.template == template)
            .map(|state| language(page, state, Some(shown)))
            .collect(),
        variables: template.variables().iter().collect(),
        needs: template.needs(),
        filters: FILTERS.join(", "),
        max_subject: MAX_SUBJECT.to_string(),
        test_to,
        test_missing,
        text,
        errors,
    };
    let at = at(page, template);
    let name = "console/messages/form.html";
    let answer =
        if content.errors.is_empty() { page.page(name, at, &content) } else { page.refused(name, at, &content) };
    let mut response = answer?;
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, PAGE_POLICY);
    Ok(response)
}

async fn show(page: ConsoleCx, which: Which) -> Answer {
    form(&page, which, None, Errors::new()).await
}

fn read(typed: &Fields) -> TemplateText {
    TemplateText {
        subject: typed.text("subject").to_owned(),
        text: typed.text("text").replace("\r\n", "\n"),
        html: typed.text("html").replace("\r\n", "\n"),
    }
}

async fn save(page: ConsoleCx, which: Which, Posted(typed): Posted) -> Answer {
    let Which(template, language) = which;
    let (text, version) = (read(&typed), typed.version());
    let proof = page.may()?;
    let set = message_templates::set(page.app(), page.cx(), proof, template, language, text.clone(), version).await;
    match set {
        Ok(_) => page.done(&href(&page, which), format!("{} is saved.", template.label())),
        Err(error) => {
            let errors = mendable_in(error, &["subject", "text", "html"])?;
            form(&page, which, Some((text, version.unwrap_or(0))), errors).await
        }
    }
}

#[derive(Serialize)]
struct TextPreview {
    subject: Option<String>,
    text: Option<String>,
    errors: Vec<String>,
    direction: &'static str,
}

/// A document for the frame.
fn framed(html: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, PREVIEW_POLICY),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN")),
    ];
    (headers, html).into_response()
}

fn preview_page(page: &ConsoleCx, which: Which, made: Result<Whole, Errors>, asked: &Fields) -> Answer {
    let Which(template, language) = which;
    let direction = language.direction().as_str();
    let content = match made {
        Ok(whole) if template.channel() == Channel::Email && asked.text("part") != "text" => {
            return Ok(framed(whole.html));
        }
        Ok(whole) => TextPreview {
            subject: Some(whole.subject).filter(|_| template.channel() == Channel::Email),
            text: Some(whole.text),
            errors: Vec::new(),
            direction,
        },
        Err(errors) => {
            let said = |(field, message): (String, String)| match field.as_str() {
                "form" => message,
                "html" => format!("HTML: {message}"),
                field => format!("{}: {message}", if field == "subject" { "Subject" } else { "Text" }),
            };
            let errors = errors.into_iter().map(said).collect();
            TextPreview { subject: None, text: None, errors, direction: "ltr" }
        }
    };
    Ok(framed(page.web().templates.render("console/messages/preview.html", &content)?))
}

/// What is sent now.
async fn preview(page: ConsoleCx, which: Which, Asked(asked): Asked) -> Answer {
    let Which(template, language) = which;
    let made = message_templates::preview(page.app(), page.cx(), page.may()?, template, language, None).await?;
    preview_page(&page, which, Ok(made), &asked)
}

/// What is typed and not saved.
async fn preview_typed(page: ConsoleCx, which: Which, Posted(typed): Posted) -> Answer {
    let Which(template, language) = which;
    let text = Some(read(&typed));
    let made = message_templates::preview(page.app(), page.cx(), page.may()?, template, language, text).await;
    let made = match made {
        Ok(made) => Ok(made),
        Err(error) => Err(mendable(error)?),
    };
    preview_page(&page, which, made, &typed)
}

async fn test(page: ConsoleCx, which: Which) -> Answer {
    let Which(template, language) = which;
    let sent = message_templates::send_test(page.app(), page.cx(), page.may()?, template, language).await;
    let to = sent.as_ref().map_or_else(|_| String::new(), String::clone);
    page.outcome(sent, &href(&page, which), format!("A test is on its way to {to}."))
}

async fn confirm_revert(page: ConsoleCx, which: Which) -> Answer {
    page.may::<SettingsWrite>()?;
    ask_revert(&page, which, Errors::new()).await
}

async fn ask_revert(page: &ConsoleCx, which: Which, errors: Errors) -> Answer {
    let Which(template, language) = which;
    let confirm = Confirm {
        title: format!("Use the usual text of {}?", template.label()),
        lead: format!("Your own text in {} goes, and Denizen's takes its place.", language.english_name()),
        facts: vec!["The audit log keeps what it said.".to_owned()],
        action: format!("{}/revert", href(page, which)),
        submit: "Use the usual text",
        danger: true,
        cancel_href: href(page, which),
        fields: Vec::new(),
    };
    confirm.ask(page, at(page, template), errors)
}

async fn revert(page: ConsoleCx, which: Which) -> Answer {
    let Which(template, language) = which;
    match message_templates::revert(page.app(), page.cx(), page.may()?, template, language, None).await {
        Ok(()) => page.done(&href(&page, which), format!("{} has its usual text again.", template.label())),
        Err(error) => ask_revert(&page, which, mendable(error)?).await,
    }
}
