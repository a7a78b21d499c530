//! Resets that an agent asks for: the dialog, the links that are shown once, and cancelling.

use axum::extract::FromRequestParts;
use denizen_model::{
    ResetRequestId, UserId,
    messages::MessageState,
    permissions::markers::CredentialsReset,
    reset_requests::{ResetKind, ResetRequest},
    users::User,
};
use denizen_ops::{
    authenticators::passkeys,
    reset_requests::{self, Delivery, Issued, NewResetRequests, no_mail_because},
    users,
};
use http::request::Parts;
use serde::Serialize;

use super::{
    Whose, path_id,
    show::{at, user_href},
};
use crate::{
    console::{
        Answer, PageError,
        back::Back,
        forms::{Asked, Errors, Fields, Posted, mendable_in},
        frame::ConsoleCx,
        words::Label,
    },
    render::TimeView,
};

#[derive(Serialize)]
struct ResetDialog {
    errors: Errors,
    name: String,
    action: String,
    cancel_href: String,
    kinds: Vec<KindChoice>,
    terminate: bool,
    /// Where mails go; absent where none can be sent.
    email: Option<String>,
    /// Why none can be sent.
    no_mail: Option<String>,
    /// No mail server is configured, so a mail waits.
    mail_waits: bool,
    deliver: &'static str,
}

#[derive(Serialize)]
struct KindChoice {
    value: &'static str,
    label: &'static str,
    help: &'static str,
    ticked: bool,
}

fn help(kind: ResetKind) -> &'static str {
    match kind {
        ResetKind::Password => "A new password is chosen; the present one stops working then.",
        ResetKind::Otp => "The authenticator app is set up again, with new recovery codes.",
        ResetKind::Passkey => "A new one is made. Those there are stay valid.",
    }
}

/// A passkey can be made only at an address with a host name.
pub(super) fn is_offered(page: &ConsoleCx, kind: ResetKind) -> bool {
    kind != ResetKind::Passkey || passkeys::are_available(page.app())
}

fn ask(page: &ConsoleCx, user: &User, back: &Back, typed: &Fields, errors: Errors) -> Answer {
    let chosen = typed.all("which");
    let offered = ResetKind::ALL.iter().filter(|kind| is_offered(page, **kind));
    let no_mail = no_mail_because(user);
    let href = user_href(page, user.id);
    let fine = errors.is_empty();
    let content = ResetDialog {
        name: user.display_name().to_owned(),
        action: back.carry(&format!("{href}/send-reset")),
        cancel_href: back.or(&format!("{href}/authenticators")),
        kinds: offered
            .map(|kind| KindChoice {
                value: kind.as_str(),
                label: kind.title(),
                help: help(*kind),
                ticked: chosen.contains(&kind.as_str()),
            })
            .collect(),
        terminate: !typed.has("asked") || typed.ticked("terminate_sessions"),
        email: user.email.clone().filter(|_| no_mail.is_none()),
        mail_waits: no_mail.is_none() && !page.app().sends_mail(),
        deliver: if no_mail.is_some() || typed.text("deliver") == "link" { "link" } else { "mail" },
        no_mail,
        errors,
    };
    let (template, place) = ("console/users/send_reset.html", at(page, user, Some("Send reset")));
    if fine { page.page(template, place, &content) } else { page.refused(template, place, &content) }
}

pub(super) async fn confirm(page: ConsoleCx, Whose(id): Whose, back: Back, Asked(asked): Asked) -> Answer {
    page.may::<CredentialsReset>()?;
    let user = users::get(page.app(), page.cx(), page.may()?, id).await?;
    ask(&page, &user, &back, &asked, Errors::new())
}

pub(super) async fn send(page: ConsoleCx, Whose(id): Whose, back: Back, Posted(typed): Posted) -> Answer {
    let new = NewResetRequests {
        kinds: typed.all("which").into_iter().filter_map(ResetKind::from_name).collect(),
        terminate_sessions: typed.ticked("terminate_sessions"),
        delivery: if typed.text("deliver") == "link" { Delivery::Link } else { Delivery::Mail },
    };
    let by_mail = new.delivery == Delivery::Mail;
    match reset_requests::create(page.app(), page.cx(), page.may()?, id, new).await {
        Ok(issued) if by_mail => {
            let many = issued.len() > 1;
            let text = match (page.app().sends_mail(), many) {
                (true, false) => "The mail is on its way. Its link works once, for a day.",
                (true, true) => "The mails are on their way. Each link works once, for a day.",
                (false, _) => "The mail waits: no mail server is configured. Hand a link over instead.",
            };
            page.done(&back.or(&format!("{}/authenticators", user_href(&page, id))), text)
        }
        Ok(issued) => {
            let user = users::get(page.app(), page.cx(), page.may()?, id).await?;
            links_page(&page, &user, &issued)
        }
        Err(error) => {
            let errors = mendable_in(error, &["which"])?;
            let user = users::get(page.app(), page.cx(), page.may()?, id).await?;
            ask(&page, &user, &back, &typed, errors)
        }
    }
}

#[derive(Serialize)]
struct LinksPage {
    name: String,
    links: Vec<ShownLink>,
    done_href: String,
}

#[derive(Serialize)]
struct ShownLink {
    label: &'static str,
    link: String,
    expires_at: TimeView,
}

fn links_page(page: &ConsoleCx, user: &User, issued: &[Issued]) -> Answer {
    let shown = |one: &Issued| {
        let link = one.link.as_ref()?.expose().to_owned();
        Some(ShownLink { label: one.request.kind.title(), link, expires_at: page.time(one.request.expires_at) })
    };
    let content = LinksPage {
        name: user.display_name().to_owned(),
        links: issued.iter().filter_map(shown).collect(),
        done_href: format!("{}/authenticators", user_href(page, user.id)),
    };
    page.page("console/users/reset_links.html", at(page, user, Some("Reset links")), &content)
}

/// The `{request}` of the path.
pub(super) struct Which(ResetRequestId);

impl<S: Send + Sync> FromRequestParts<S> for Which {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, PageError> {
        path_id(parts, state, "request").await.map(Self)
    }
}

pub(super) async fn cancel(page: ConsoleCx, Whose(id): Whose, Which(which): Which) -> Answer {
    let result = reset_requests::cancel(page.app(), page.cx(), page.may()?, id, which).await;
    let done = "It is cancelled: its link no longer works, and nothing is asked for.";
    page.outcome(result, &format!("{}/authenticators", user_href(&page, id)), done)
}

/// How a request stands, beside what it asks for.
#[derive(Serialize)]
pub(super) struct RequestView {
    by: String,
    expires_at: TimeView,
    expired: bool,
    followed_at: Option<TimeView>,
    state: Label,
    /// Why the mail has not arrived.
    error: Option<String>,
    cancel_href: String,
}

impl RequestView {
    pub(super) fn new(page: &ConsoleCx, user: UserId, request: &ResetRequest) -> Self {
        let expired = request.expires_at <= page.now();
        let state = match (&request.mail, request.followed_at, expired) {
            (_, Some(_), _) => Label::new("Link followed", "info"),
            (_, None, true) => Label::new("Link expired", "warning"),
            (None, ..) => Label::new("Link handed over", "neutral"),
            (Some(mail), ..) => match mail.state {
                MessageState::Queued => Label::new("Mail waits", "warning"),
                MessageState::Sent => Label::new("Mail sent", "success"),
                MessageState::Failed => Label::new("Mail failed", "danger"),
            },
        };
        Self {
            by: request.requested_by.clone(),
            expires_at: page.time(request.expires_at),
            expired,
            followed_at: page.time_opt(request.followed_at),
            state,
            error: request.mail.as_ref().and_then(|mail| mail.last_error.clone()),
            cancel_href: format!("{}/reset-requests/{}/cancel", user_href(page, user), request.id),
        }
    }
}
