//! The demo's mailbox: mails and text messages that would have gone out, to be read and followed.

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use denizen_model::{
    MessageId,
    messages::{Channel, Message},
};
use denizen_ops::{Error, messages};
use serde::Serialize;

use super::{Card, error_page, page};
use crate::{Web, cx::Anonymous, render::TimeView};

pub(crate) fn router() -> Router<Web> {
    Router::new()
        .route("/demo/mailbox", get(list))
        .route("/demo/mailbox/{mail}", get(show))
        .route("/demo/mailbox/{mail}/html", get(html))
}

#[derive(Serialize)]
struct ListPage {
    card: Card,
    mails: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    href: String,
    sms: bool,
    subject: String,
    recipient: String,
    sent_at: TimeView,
}

#[derive(Serialize)]
struct MailPage {
    card: Card,
    subject: String,
    recipient: String,
    sent_at: TimeView,
    text: String,
    /// Of a mail; a text message is its text alone.
    html_href: Option<String>,
}

fn card(title: &str) -> Card {
    Card::of(title.to_owned(), "", "Denizen demo")
}

async fn list(State(web): State<Web>, Anonymous(cx): Anonymous) -> Response {
    match messages::mailbox(&web.app).await {
        Ok(mails) => {
            let row = |message: Message| Row {
                href: format!("/demo/mailbox/{}", message.id),
                sms: message.channel == Channel::Sms,
                subject: message.subject,
                recipient: message.recipient,
                sent_at: TimeView::new(message.sent_at.unwrap_or(message.created_at), cx.now),
            };
            let context = ListPage { card: card("Mailbox"), mails: mails.into_iter().map(row).collect() };
            page(&web, StatusCode::OK, "card/mailbox/list.html", &context)
        }
        Err(error) => error_page(&web, &error, cx.request_id, None),
    }
}

fn id(text: &str) -> Result<MessageId, Error> {
    text.parse().map_err(|_| Error::not_found("mail"))
}

async fn show(State(web): State<Web>, Anonymous(cx): Anonymous, Path(mail): Path<String>) -> Response {
    let found = match id(&mail) {
        Ok(id) => messages::mailbox_mail(&web.app, id).await,
        Err(error) => Err(error),
    };
    match found {
        Ok((message, whole)) => {
            let context = MailPage {
                card: card(&whole.subject),
                recipient: message.recipient,
                sent_at: TimeView::new(message.sent_at.unwrap_or(message.created_at), cx.now),
                text: whole.text,
                subject: whole.subject,
                html_href: (message.channel == Channel::Email).then(|| format!("/demo/mailbox/{}/html", message.id)),
            };
            let mut response = page(&web, StatusCode::OK, "card/mailbox/show.html", &context);
            response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(READER_POLICY));
            response
        }
        Err(error) => error_page(&web, &error, cx.request_id, None),
    }
}

/// The page around a mail: as every card page, and with the mail in a frame.
pub(crate) const READER_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// A mail: its own styles, nothing that runs, nothing from elsewhere; its links open outside of the frame.
pub(crate) const MAIL_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; \
     frame-ancestors 'self'; sandbox allow-top-navigation-by-user-activation";

async fn html(State(web): State<Web>, Anonymous(cx): Anonymous, Path(mail): Path<String>) -> Response {
    let found = match id(&mail) {
        Ok(id) => messages::mailbox_mail(&web.app, id).await,
        Err(error) => Err(error),
    };
    match found {
        Ok((_, whole)) => (
            [
                (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
                (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
                (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(MAIL_POLICY)),
                (header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN")),
            ],
            whole.html.replacen("<head>", "<head>\n<base target=\"_top\">", 1),
        )
            .into_response(),
        Err(error) => error_page(&web, &error, cx.request_id, None),
    }
}
