//! The profile around every tab: the overview panel and the tabs with their counts.

use denizen_model::{
    Timestamp, UserId,
    authenticators::{ApiKey, Authenticator, AuthenticatorType, Lockout},
    groups::Group,
    organizations::Membership,
    roles::Role,
    sessions::Session,
    users::{User, UserKind, VerificationState},
};
use denizen_ops::{
    Error, api_keys, authenticators, groups, organizations,
    required_actions::{self, Waiting},
    roles, sessions, users,
};
use serde::Serialize;

use crate::{
    console::{
        frame::{At, ConsoleCx, Section},
        words::{Label, count, user_labels},
    },
    render::{TimeView, hue, initials},
};

/// A user with what the tabs count.
pub(super) struct Profile {
    pub(super) user: User,
    pub(super) authenticators: Vec<Authenticator>,
    /// Failures and locks.
    pub(super) lockouts: Vec<Lockout>,
    pub(super) recovery_codes_left: Option<usize>,
    pub(super) waiting: Vec<Waiting>,
    pub(super) keys: Vec<ApiKey>,
    pub(super) roles: Vec<Role>,
    pub(super) groups: Vec<Group>,
    pub(super) memberships: Vec<Membership>,
    pub(super) sessions: Vec<Session>,
}

/// The tabs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    Details,
    Authenticators,
    Roles,
    Groups,
    Organizations,
    Sessions,
    Activity,
    Notifications,
}

/// Serializes to what `console/users/show.html` needs; each tab adds its own.
#[derive(Serialize)]
pub(super) struct ProfilePage<T> {
    user: UserView,
    tabs: Vec<TabView>,
    #[serde(flatten)]
    tab: T,
}

#[derive(Serialize)]
struct UserView {
    id: String,
    href: String,
    name: String,
    kind: &'static str,
    initials: String,
    hue: u8,
    enabled: bool,
    labels: Vec<Label>,
    identifiers: Vec<Identifier>,
    facts: Vec<Fact>,
    actions: Actions,
}

#[derive(Serialize)]
struct Identifier {
    label: &'static str,
    value: String,
    state: Option<Label>,
}

#[derive(Serialize)]
struct Fact {
    label: &'static str,
    text: Option<String>,
    time: Option<TimeView>,
    copy: Option<String>,
}

#[derive(Serialize)]
struct Actions {
    send_reset: bool,
    set_password: bool,
    temporary_password: bool,
    revoke_sessions: bool,
    enable: bool,
    disable: bool,
    delete: bool,
    verify_email: bool,
}

#[derive(Serialize)]
struct TabView {
    id: &'static str,
    label: &'static str,
    count: Option<String>,
    href: String,
    current: bool,
}

/// `{base}/users/{id}`.
pub(super) fn user_href(page: &ConsoleCx, id: UserId) -> String {
    page.href(&format!("users/{id}"))
}

/// Where a page about one user is.
pub(super) fn at(page: &ConsoleCx, user: &User, title: Option<&str>) -> At {
    let users = ("Users", page.href("users"));
    match title {
        None => At::under(Section::Users, &[users], user.display_name()),
        Some(title) => At::under(Section::Users, &[users, (user.display_name(), user_href(page, user.id))], title),
    }
}

impl Profile {
    /// Reads everything the profile shows about a user.
    pub(super) async fn load(page: &ConsoleCx, id: UserId) -> Result<Self, Error> {
        let (app, cx) = (page.app(), page.cx());
        let user = users::get(app, cx, page.may()?, id).await?;
        let keys = match user.kind {
            UserKind::Machine => api_keys::list(app, cx, page.may()?, id).await?,
            UserKind::Human => Vec::new(),
        };
        let listed = authenticators::list(app, cx, page.may()?, id).await?;
        Ok(Self {
            authenticators: listed.authenticators,
            lockouts: listed.lockouts,
            recovery_codes_left: listed.recovery_codes_left,
            waiting: required_actions::list(app, cx, page.may()?, id).await?,
            roles: roles::list_of(app, cx, page.may()?, id).await?,
            groups: groups::list_of(app, cx, page.may()?, id).await?,
            memberships: organizations::list_of(app, cx, page.may()?, id).await?,
            sessions: sessions::list(app, cx, page.may()?, id).await?,
            keys,
            user,
        })
    }

    /// The password, where one is set.
    pub(super) fn password(&self) -> Option<&Authenticator> {
        self.authenticators.iter().find(|one| one.kind == AuthenticatorType::Password)
    }

    /// Until when a lockout rule holds passwords, or codes.
    pub(super) fn locked_until(&self, page: &ConsoleCx) -> Option<Timestamp> {
        self.lockouts.iter().filter_map(|lockout| lockout.locked_until(page.now())).max()
    }

    /// How many of the user's sessions are alive.
    pub(super) fn live_sessions(&self, page: &ConsoleCx) -> usize {
        self.sessions.iter().filter(|session| session.is_live(page.now())).count()
    }

    /// `{base}/users/{id}`.
    pub(super) fn href(&self, page: &ConsoleCx) -> String {
        user_href(page, self.user.id)
    }

    /// The page of one tab.
    pub(super) fn page<T: Serialize>(&self, page: &ConsoleCx, current: Tab, tab: T) -> ProfilePage<T> {
        ProfilePage { user: self.view(page), tabs: self.tabs(page, current), tab }
    }

    fn view(&self, page: &ConsoleCx) -> UserView {
        let (user, can) = (&self.user, page.can());
        let human = user.kind == UserKind::Human;
        let email = user.email.iter().map(|email| Identifier {
            label: "Email",
            value: email.clone(),
            state: Some(contact_label(user.email_state)),
        });
        let same = user.email.as_deref().is_some_and(|email| email.eq_ignore_ascii_case(&user.username));
        let username = (!same).then(|| Identifier { label: "Username", value: user.username.clone(), state: None });
        let phone = user.phone.iter().map(|phone| Identifier {
            label: "Phone",
            value: phone.clone(),
            state: Some(contact_label(user.phone_state)),
        });
        UserView {
            id: user.id.to_string(),
            href: self.href(page),
            name: user.display_name().to_owned(),
            kind: user.kind.as_str(),
            initials: initials(user.display_name()),
            hue: hue(&user.id.to_string()),
            enabled: user.enabled,
            labels: user_labels(user, true),
            identifiers: email.chain(username).chain(phone).collect(),
            facts: self.facts(page),
            actions: Actions {
                send_reset: human && user.enabled && can.credentials_reset,
                set_password: human && can.credentials_set,
                temporary_password: human && can.credentials_set,
                revoke_sessions: can.sessions_revoke && self.live_sessions(page) > 0,
                enable: can.users_write && !user.enabled,
                disable: can.users_write && user.enabled,
                delete: can.users_delete,
                verify_email: can.users_write
                    && user.email.is_some()
                    && user.email_state != VerificationState::Verified,
            },
        }
    }

    fn facts(&self, page: &ConsoleCx) -> Vec<Fact> {
        let user = &self.user;
        let text = |label, text: String| Fact { label, text: Some(text), time: None, copy: None };
        let time = |label, at| Fact { label, text: None, time: Some(page.time(at)), copy: None };
        let copied = |label, text: String, copy: String| Fact { label, text: Some(text), time: None, copy: Some(copy) };
        let mut facts = Vec::new();
        if let Some(names) = self.organization_names() {
            facts.push(text(if self.memberships.len() == 1 { "Organization" } else { "Organizations" }, names));
        }
        facts.push(match user.last_sign_in_at {
            Some(at) => time("Last sign-in", at),
            None => text("Last sign-in", "Never".to_owned()),
        });
        let failed = [("Failed passwords", user.failed_password_attempts), ("Failed codes", user.failed_otp_attempts)];
        facts.extend(failed.into_iter().filter(|(_, n)| *n > 0).map(|(label, n)| text(label, n.to_string())));
        if let Some(at) = user.disabled_at {
            facts.push(time("Disabled", at));
        }
        if let Some(reason) = &user.disabled_reason {
            facts.push(text("Reason", reason.clone()));
        }
        facts.push(time("Updated", user.updated_at));
        facts.push(time("Created", user.created_at));
        if let Some(reference) = &user.reference {
            facts.push(copied("Reference", reference.clone(), reference.clone()));
        }
        let id = user.id.to_string();
        let short = format!("{}…{}", id.get(..8).unwrap_or(""), id.get(id.len().saturating_sub(5)..).unwrap_or(""));
        facts.push(copied("Id", short, id));
        facts
    }

    /// `Acme, Contoso and 3 more`.
    fn organization_names(&self) -> Option<String> {
        const NAMED: usize = 3;
        let names: Vec<&str> =
            self.memberships.iter().take(NAMED).map(|held| held.organization.name.as_str()).collect();
        let more = self.memberships.len().saturating_sub(NAMED);
        let names = names.join(", ");
        (!names.is_empty()).then(|| if more > 0 { format!("{names} and {more} more") } else { names })
    }

    fn tabs(&self, page: &ConsoleCx, current: Tab) -> Vec<TabView> {
        let href = self.href(page);
        let tab = |which, id, label, path: &str, count: Option<usize>| TabView {
            id,
            label,
            count: count.map(|count| count.to_string()),
            href: format!("{href}{path}"),
            current: which == current,
        };
        let authenticators = self.authenticators.len() + self.keys.len();
        vec![
            tab(Tab::Details, "details", "Details", "", None),
            tab(Tab::Authenticators, "authenticators", "Authenticators", "/authenticators", Some(authenticators)),
            tab(Tab::Roles, "roles", "Roles", "/roles", Some(self.roles.len())),
            tab(Tab::Groups, "groups", "Groups", "/groups", Some(self.groups.len())),
            tab(Tab::Organizations, "organizations", "Organizations", "/organizations", Some(self.memberships.len())),
            tab(Tab::Sessions, "sessions", "Sessions", "/sessions", Some(self.live_sessions(page))),
            tab(Tab::Activity, "activity", "Activity", "/activity", None),
            tab(Tab::Notifications, "notifications", "Notifications", "/notifications", None),
        ]
    }
}

/// Whether an address or a number is verified, as it stands beside it.
pub(super) fn contact_label(state: VerificationState) -> Label {
    match state {
        VerificationState::Verified => Label::new("Verified", "success"),
        VerificationState::VerificationRequested => Label::new("Verification requested", "info"),
        VerificationState::Unverified => Label::new("Not verified", "neutral"),
    }
}

/// `4 passwords, 2 codes`; nothing when there are none.
pub(super) fn failed_attempts(user: &User) -> Option<String> {
    let (passwords, codes) = (user.failed_password_attempts, user.failed_otp_attempts);
    let passwords = (passwords > 0).then(|| count(u64::from(passwords), "password", "passwords"));
    let codes = (codes > 0).then(|| count(u64::from(codes), "code", "codes"));
    let parts: Vec<String> = [passwords, codes].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}
