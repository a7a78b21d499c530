//! «Why can't they sign in?»: every check that a sign-in meets, answered in plain words with what mends it
//! (PRODUCT §6).
//!
//! A check looks at the [`Situation`] and answers at most one [`Finding`]. A further one is a function in
//! [`checks`] and a line in [`checks::ALL`].

mod checks;
mod means;

use std::net::IpAddr;

use denizen_model::{
    Timestamp, UserId,
    authenticators::{ApiKey, Authenticator, AuthenticatorType, Lockout},
    events::{Event, EventQuery, EventType, Outcome},
    permissions::{
        Permission,
        markers::{AuditRead, UsersRead},
    },
    realms::Realm,
    reset_requests::ResetRequest,
    sessions::Session,
    users::{User, UserKind},
};
use denizen_store::{self as store, ReadTx, diagnosis::LastMessage, lockouts::Subject};

use self::means::Means;
use crate::{
    App, Cx, May, Result,
    flows::{
        rules::Standing,
        sign_in::{advance::standing_in, codes},
    },
    users::get_in,
};

/// How many failed attempts are looked at.
const FAILURES: u32 = 10;
/// How many of the latest sessions are looked at.
const SESSIONS: u32 = 50;

/// What a check looks at.
pub(crate) struct Situation {
    now: Timestamp,
    realm: Realm,
    user: User,
    standing: Standing,
    lockouts: Vec<Lockout>,
    keys: Vec<ApiKey>,
    sessions: Vec<Session>,
    /// What the user may type at the sign-in page, and whether it leads to them.
    identifiers: Vec<(String, bool)>,
    last_message: Option<LastMessage>,
    resets: Vec<ResetRequest>,
    /// What this server can do.
    means: Means,
    /// The ways by which as much went to their address as goes there in an hour.
    sent_enough: Vec<AuthenticatorType>,
    /// From where, and when, an attempt of theirs was not looked at; and whether nothing from there is looked at still.
    held_back: Option<(IpAddr, Timestamp, bool)>,
    invited_at: Option<Timestamp>,
    /// What the audit log tells, when the asker may read it.
    log: Option<Log>,
}

/// What the audit log tells.
struct Log {
    /// How the user came to be disabled.
    disabled: Option<Event>,
    /// Attempts that failed since the last that succeeded, newest first; at most [`FAILURES`].
    failures: Vec<Event>,
    /// The last authenticator that could not be set up since.
    not_set_up: Option<Event>,
}

impl Situation {
    fn password(&self) -> Option<&Authenticator> {
        self.standing.authenticators.iter().find(|authenticator| authenticator.kind == AuthenticatorType::Password)
    }
}

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nobody gets in until it is mended.
    Blocking,
    /// They get in, but something is asked of them first.
    Step,
    /// It may explain what they tell.
    Information,
}

impl Severity {
    /// Its name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Blocking => "blocking",
            Self::Step => "step",
            Self::Information => "information",
        }
    }
}

/// What mends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fix {
    /// Enable the realm.
    EnableRealm,
    /// Enable the user.
    EnableUser,
    /// Set a password, or generate a temporary one.
    SetPassword,
    /// Generate a new temporary password.
    TemporaryPassword,
    /// Make an API key.
    CreateApiKey,
    /// Change the email.
    ChangeEmail,
    /// Mark the email as verified.
    VerifyEmail,
    /// Unlock the user.
    Unlock,
    /// Send a reset, or hand its link over.
    SendReset,
    /// Look at what waits for them.
    ReadRequiredActions,
    /// Look at how messages go out.
    ReadMessages,
    /// Unlock an authenticator, or switch it on.
    RestoreAuthenticator,
    /// Hand over recovery codes.
    IssueRecoveryCodes,
    /// Change which ways to sign in the realm allows.
    ChangeSettings,
    /// Look at the activity.
    ReadActivity,
}

impl Fix {
    /// Its name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EnableRealm => "enable_realm",
            Self::EnableUser => "enable_user",
            Self::SetPassword => "set_password",
            Self::TemporaryPassword => "temporary_password",
            Self::CreateApiKey => "create_api_key",
            Self::ChangeEmail => "change_email",
            Self::VerifyEmail => "verify_email",
            Self::Unlock => "unlock",
            Self::SendReset => "send_reset",
            Self::ReadRequiredActions => "read_required_actions",
            Self::ReadMessages => "read_messages",
            Self::RestoreAuthenticator => "restore_authenticator",
            Self::IssueRecoveryCodes => "issue_recovery_codes",
            Self::ChangeSettings => "change_settings",
            Self::ReadActivity => "read_activity",
        }
    }

    /// What it takes to do it; in the realm `main` for what is done to realms.
    #[must_use]
    pub const fn permission(self) -> Permission {
        match self {
            Self::EnableRealm => Permission::RealmsManage,
            Self::EnableUser | Self::ChangeEmail | Self::VerifyEmail => Permission::UsersWrite,
            Self::SetPassword | Self::TemporaryPassword | Self::CreateApiKey => Permission::CredentialsSet,
            Self::Unlock
            | Self::SendReset
            | Self::ReadRequiredActions
            | Self::RestoreAuthenticator
            | Self::IssueRecoveryCodes => Permission::CredentialsReset,
            Self::ReadMessages => Permission::SettingsRead,
            Self::ChangeSettings => Permission::SettingsWrite,
            Self::ReadActivity => Permission::AuditRead,
        }
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its stable name.
    pub code: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// What it is, in plain words.
    pub sentence: String,
    /// Since when, or when last.
    pub at: Option<Timestamp>,
    /// What mends it, if something does.
    pub fix: Option<Fix>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// Whether a sign-in with the right credentials succeeds; of a machine, a call with its key.
    pub can_sign_in: bool,
    /// The answer in one sentence.
    pub summary: String,
    /// What was found, the heaviest first.
    pub findings: Vec<Finding>,
}

/// Runs every check on a user. What the audit log tells is looked at by those who may read it.
///
/// # Errors
/// When there is no such user.
pub async fn diagnose(
    app: &App,
    cx: &Cx,
    may: May<UsersRead>,
    log: Option<May<AuditRead>>,
    id: UserId,
) -> Result<Diagnosis> {
    let (realm, now, with_log) = (may.realm(), cx.now, log.is_some());
    let means = Means { mail: app.sends_mail(), sms: app.sms_configured(), passkeys: app.passkeys().is_some() };
    let held = app.limits().held_back(id, now);
    let held_back = held.map(|(ip, at)| (ip, at, app.limits().holds(Some(ip), now)));
    let situation = app.db().read(move |tx| situation(tx, realm, now, (with_log, means), id)).await?;
    Ok(judge(&Situation { held_back, ..situation }))
}

fn situation(
    tx: &mut ReadTx<'_>,
    realm: denizen_model::RealmId,
    now: Timestamp,
    (with_log, means): (bool, Means),
    id: UserId,
) -> Result<Situation> {
    let user = get_in(tx, realm, id)?;
    let mut typed: Vec<String> = vec![user.username.clone()];
    typed.extend(user.email.clone().filter(|email| !email.eq_ignore_ascii_case(&user.username)));
    let mut identifiers = Vec::with_capacity(typed.len());
    for identifier in typed {
        let found = store::users::find_by_identifier(tx, realm, &identifier)?;
        identifiers.push((identifier, found.is_some_and(|found| found.id == id)));
    }
    let invited_at = match &user.email {
        Some(email) => store::diagnosis::find_invitation(tx, realm, email, now)?,
        None => None,
    };
    let realm = store::realms::get(tx, realm)?;
    let settings = realm.settings.clone();
    Ok(Situation {
        now,
        standing: standing_in(tx, &settings, user.clone())?,
        lockouts: store::lockouts::list(tx, realm.id, &Subject::User(id))?,
        keys: store::api_keys::list(tx, realm.id, id)?,
        sessions: store::sessions::list(tx, realm.id, id, SESSIONS)?,
        identifiers,
        last_message: store::diagnosis::find_last_message(tx, id)?,
        resets: store::reset_requests::list(tx, realm.id, id)?,
        means,
        sent_enough: sent_enough(tx, &user, now)?,
        held_back: None,
        invited_at,
        log: if with_log { Some(read_log(tx, &user)?) } else { None },
        realm,
        user,
    })
}

fn sent_enough(tx: &mut ReadTx<'_>, user: &User, now: Timestamp) -> Result<Vec<AuthenticatorType>> {
    let mut found = Vec::new();
    for kind in AuthenticatorType::ALL.iter().copied().filter(|kind| kind.comes_with_address()) {
        let Some(address) = codes::address(user, kind) else { continue };
        let since = now.minus(codes::HOUR);
        if store::messages::count_to(tx, user.realm_id, address, codes::template(kind), since)? >= codes::AT_MOST {
            found.push(kind);
        }
    }
    Ok(found)
}

fn read_log(tx: &mut ReadTx<'_>, user: &User) -> Result<Log> {
    let about = |kind, limit| EventQuery {
        subject: Some(user.id.to_string()),
        kind: Some(kind),
        limit,
        ..EventQuery::default()
    };
    let disabled = if user.enabled {
        None
    } else {
        store::events::list(tx, user.realm_id, &about(EventType::UserDeactivated, 1))?.pop()
    };
    let failed = EventQuery { from: user.last_sign_in_at, ..about(EventType::UserSignInFailed, FAILURES) };
    let not_set_up = EventQuery {
        from: user.last_sign_in_at,
        outcome: Some(Outcome::Failure),
        ..about(EventType::UserAuthenticatorRegistered, 1)
    };
    let not_set_up = store::events::list(tx, user.realm_id, &not_set_up)?.pop();
    Ok(Log { disabled, failures: store::events::list(tx, user.realm_id, &failed)?, not_set_up })
}

fn judge(situation: &Situation) -> Diagnosis {
    let mut findings: Vec<Finding> = checks::ALL.iter().filter_map(|check| check(situation)).collect();
    findings.sort_by_key(|finding| finding.severity);
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let (blocking, steps) = (count(Severity::Blocking), count(Severity::Step));
    let machine = situation.user.kind == UserKind::Machine;
    let summary = match (blocking, steps) {
        (0, _) if machine => "Nothing stands in the way of its API keys.".to_owned(),
        (1, _) if machine => "Its API keys do not work; one thing stands in the way.".to_owned(),
        (blocking, _) if machine => format!("Its API keys do not work; {blocking} things stand in the way."),
        (0, 0) => "Nothing stands in the way of a sign-in.".to_owned(),
        (0, 1) => "They can sign in; one thing is asked of them first.".to_owned(),
        (0, steps) => format!("They can sign in; {steps} things are asked of them first."),
        (1, _) => "They cannot sign in; one thing stands in the way.".to_owned(),
        (blocking, _) => format!("They cannot sign in; {blocking} things stand in the way."),
    };
    Diagnosis { can_sign_in: blocking == 0, summary, findings }
}
