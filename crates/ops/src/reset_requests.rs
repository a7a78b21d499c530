//! Reset requests (PRODUCT §7): an agent asks a user to make a password, an authenticator app or a passkey anew; a
//! link leads there, by mail or handed over, and what is asked waits as a required action until it is done.

use std::time::Duration;

use denizen_model::{
    ResetRequestId, UserId,
    events::{EventType, NewEvent},
    messages::MessageState,
    permissions::markers::{CredentialsReset, UsersRead},
    realms::Realm,
    reset_requests::{ResetKind, ResetMail, ResetRequest},
    users::{User, UserKind, VerificationState},
};
use denizen_store::{self as store, Events, WriteTx};

use crate::{
    App, Cx, Error, May, Result, admins,
    authenticators::{passkeys, set_requires_reset},
    crypto::Secret,
    cx::Detail,
    flows::reset::{ResetLink, close_in, make_in},
    messages::{
        self,
        drafts::{self, Reader},
        link_to,
    },
    sessions,
    users::get_in,
};

/// How long a link works: an agent asks at any hour, and the user reads it when they come to it.
pub const VALID_FOR: Duration = Duration::from_secs(24 * 3600);

/// By what way a link reaches the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// A mail for each reset, to the user's verified email.
    Mail,
    /// The agent is shown it once and hands it over.
    Link,
}

impl Delivery {
    /// Its name in the API and in events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Link => "link",
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct NewResetRequests {
    /// What is to be made anew.
    pub kinds: Vec<ResetKind>,
    /// Whether all sessions of the user end now. Without, they go on, and the change is asked for at the next sign-in.
    pub terminate_sessions: bool,
    /// By what way the links go out.
    pub delivery: Delivery,
}

/// A request that was made.
#[derive(Debug)]
pub struct Issued {
    /// The request.
    pub request: ResetRequest,
    /// The link, where it is to be handed over: shown this once.
    pub link: Option<Secret>,
}

/// Why no mail with a link can go to a user; nothing where one can. A link goes only to an address that is known to be
/// theirs.
#[must_use]
pub fn no_mail_because(user: &User) -> Option<String> {
    match (&user.email, user.email_state) {
        (Some(_), VerificationState::Verified) => None,
        (Some(email), _) => Some(format!("Their email {email} is not verified.")),
        (None, _) if user.phone.is_some() => Some("They have a phone number but no email.".to_owned()),
        (None, _) => Some("They have no email.".to_owned()),
    }
}

/// The address that a mail with a link goes to.
fn mailed_to(user: &User) -> Result<&str> {
    if let Some(why) = no_mail_because(user) {
        return Err(Error::conflict("no-verified-email", format!("{why} Hand a link over instead.")));
    }
    user.email.as_deref().ok_or_else(|| Error::internal("a verified email that is not there"))
}

fn check_subject(user: &User) -> Result<()> {
    if user.kind == UserKind::Machine {
        return Err(Error::conflict("machine", "A machine does not sign in on pages."));
    }
    if !user.enabled {
        return Err(Error::conflict(
            "disabled",
            "This user is disabled: the link would lead nowhere. Enable them first.",
        ));
    }
    Ok(())
}

/// The kinds in their order, each once.
fn check_kinds(app: &App, asked: &[ResetKind]) -> Result<Vec<ResetKind>> {
    let kinds: Vec<ResetKind> = ResetKind::ALL.iter().copied().filter(|kind| asked.contains(kind)).collect();
    if kinds.is_empty() {
        return Err(Error::field("which", "Choose at least one."));
    }
    if kinds.contains(&ResetKind::Passkey) {
        passkeys::asker(app)?;
    }
    Ok(kinds)
}

/// Asks for resets. Each takes the place of one of its kind that waits: that one's link stops working.
///
/// # Errors
/// When nothing is chosen, or a passkey where none can be made; when the user is a machine, disabled, or somebody the actor has no power over; code
/// `no-verified-email` when mails cannot go out.
pub async fn create(
    app: &App,
    cx: &Cx,
    may: May<CredentialsReset>,
    user: UserId,
    new: NewResetRequests,
) -> Result<Vec<Issued>> {
    let kinds = check_kinds(app, &new.kinds)?;
    let realm = crate::realms::get_in_scope(app, may.realm()).await?;
    let (app2, cx2) = (app.clone(), cx.clone());
    app.write(cx, move |mut tx| {
        let user = get_in(&mut tx, realm.id, user)?;
        admins::check_power_over(&mut tx, &cx2, &user)?;
        check_subject(&user)?;
        let mut events = Vec::with_capacity(kinds.len() + 1);
        let ended = match new.terminate_sessions {
            true => sessions::revoke_all_in(&mut tx, &app2, &cx2, &user)?,
            false => None,
        };
        let sessions_ended = ended.as_ref().map_or(0, |(count, _)| *count);
        let mut issued = Vec::with_capacity(kinds.len());
        for kind in &kinds {
            let one = issue_in(&mut tx, (&app2, &cx2, &realm), &user, *kind, new.delivery)?;
            let event = cx2
                .user_event(&app2, requested_event(*kind), &user)
                .detail("type", kind.as_str())
                .detail("reset_request_id", one.request.id.to_string())
                .detail("deliver", new.delivery.as_str())
                .detail("expires_at", one.request.expires_at.to_string())
                .detail("sessions_ended", sessions_ended);
            events.push(event);
            issued.push(one);
        }
        events.extend(ended.map(|(_, event)| event));
        let first = events.remove(0);
        Ok(tx.commit(Events::new(first, events), issued)?)
    })
    .await
}

const fn requested_event(kind: ResetKind) -> EventType {
    match kind {
        ResetKind::Password => EventType::UserPasswordResetRequested,
        ResetKind::Otp | ResetKind::Passkey => EventType::UserAuthenticatorResetRequested,
    }
}

fn issue_in(
    tx: &mut WriteTx<'_>,
    (app, cx, realm): (&App, &Cx, &Realm),
    user: &User,
    kind: ResetKind,
    delivery: Delivery,
) -> Result<Issued> {
    let to = match delivery {
        Delivery::Mail => Some(mailed_to(user)?),
        Delivery::Link => None,
    };
    close_in(tx, user.id, kind)?;
    require_in(tx, cx, user, kind, true)?;
    let id = ResetRequestId::new(cx.now, app.id_bytes());
    let link = ResetLink { email: to.map(str::to_owned), reset_request: Some(id), ..ResetLink::default() };
    let made = make_in(tx, app, cx, user, kind, &link, VALID_FOR)?;
    let mail = to
        .map(|to| {
            let (place, reader) = ((app, cx, realm), Reader::of(user, to));
            match kind {
                ResetKind::Password => drafts::reset_password(place, reader, &made.path, made.expires_at),
                ResetKind::Otp => drafts::reset_otp(place, reader, &made.path, made.expires_at),
                ResetKind::Passkey => drafts::reset_passkey(place, reader, &made.path, made.expires_at),
            }
        })
        .transpose()?;
    if let Some(mail) = &mail {
        messages::enqueue(tx, app, mail)?;
    }
    let request = ResetRequest {
        id,
        user_id: user.id,
        kind,
        requested_by: cx.actor_ref().name,
        requested_at: cx.now,
        expires_at: made.expires_at,
        mail: mail.as_ref().map(|_| ResetMail { state: MessageState::Queued, last_error: None }),
        followed_at: None,
    };
    store::reset_requests::put(tx, realm.id, &request, mail.as_ref().map(messages::Prepared::id))?;
    let link = match delivery {
        Delivery::Mail => None,
        Delivery::Link => Some(Secret::new(link_to(app, realm, &made.path)?)),
    };
    Ok(Issued { request, link })
}

/// Makes what a reset asks for wait, or no longer.
fn require_in(tx: &mut WriteTx<'_>, cx: &Cx, user: &User, kind: ResetKind, required: bool) -> Result<()> {
    if kind == ResetKind::Password {
        return set_requires_reset(tx, cx, user, required);
    }
    let action = kind.action();
    if required {
        store::required_actions::add(tx, user.realm_id, user.id, action, cx.now)?;
    } else {
        store::required_actions::remove(tx, user.realm_id, user.id, action)?;
    }
    Ok(())
}

/// What waits for a user, the oldest first.
///
/// # Errors
/// When there is no such user.
pub async fn list(app: &App, _cx: &Cx, may: May<UsersRead>, user: UserId) -> Result<Vec<ResetRequest>> {
    let realm = may.realm();
    app.db()
        .read(move |tx| {
            get_in(tx, realm, user)?;
            Ok(store::reset_requests::list(tx, realm, user)?)
        })
        .await
}

/// Cancels a request: its link is dead, and what it asked for is asked for no longer.
///
/// # Errors
/// When none of this id waits for the user.
pub async fn cancel(app: &App, cx: &Cx, may: May<CredentialsReset>, user: UserId, id: ResetRequestId) -> Result<()> {
    let (app2, cx2, realm) = (app.clone(), cx.clone(), may.realm());
    app.write(cx, move |mut tx| {
        let user = get_in(&mut tx, realm, user)?;
        admins::check_power_over(&mut tx, &cx2, &user)?;
        let request = store::reset_requests::find(&mut tx, realm, user.id, id)?;
        let kind = request.ok_or_else(|| Error::not_found("reset request"))?.kind;
        if close_in(&mut tx, user.id, kind)? != Some(id) {
            // It was done, or asked for anew, at this moment.
            return Err(Error::not_found("reset request"));
        }
        require_in(&mut tx, &cx2, &user, kind, false)?;
        let event: NewEvent = cx2
            .user_event(&app2, cancelled_event(kind), &user)
            .detail("type", kind.as_str())
            .detail("reset_request_id", id.to_string());
        Ok(tx.commit(Events::from(event), ())?)
    })
    .await
}

const fn cancelled_event(kind: ResetKind) -> EventType {
    match kind {
        ResetKind::Password => EventType::UserPasswordResetCancelled,
        ResetKind::Otp | ResetKind::Passkey => EventType::UserAuthenticatorResetCancelled,
    }
}
