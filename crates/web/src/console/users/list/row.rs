//! A row of the list.

use denizen_model::users::{User, UserColumn, UserKind, VerificationState};
use serde::Serialize;

use super::attempts;
use crate::{
    console::{
        frame::ConsoleCx,
        users::show::{failed_attempts, user_href},
        words::{Label, query, role_label, user_labels},
    },
    render::{TimeView, hue, initials},
};

#[derive(Serialize)]
pub(super) struct Row {
    id: String,
    href: String,
    name: String,
    /// What stands under the name.
    identifier: String,
    initials: String,
    hue: u8,
    kind: &'static str,
    email: Option<String>,
    phone: Option<String>,
    username: String,
    reference: Option<String>,
    labels: Vec<Label>,
    admin_role: Option<&'static str>,
    last_sign_in_at: Option<TimeView>,
    created_at: TimeView,
    failed_attempts: Option<Failed>,
    enabled: bool,
    is_admin: bool,
    /// What leads back here, to be put behind an address.
    back: String,
    actions: RowActions,
}

#[derive(Serialize)]
struct Failed {
    number: u32,
    text: String,
    title: String,
}

#[derive(Serialize)]
struct RowActions {
    verify_email: bool,
    require_reset: bool,
    temporary_password: bool,
    administrator: bool,
    disable: bool,
    enable: bool,
    delete: bool,
}

pub(super) fn row(page: &ConsoleCx, user: &User, columns: &[UserColumn], back: &str) -> Row {
    let (can, human) = (page.can(), user.kind == UserKind::Human);
    let number = user.failed_password_attempts.saturating_add(user.failed_otp_attempts);
    let failed = failed_attempts(user).map(|parts| Failed {
        number,
        text: attempts(number),
        title: format!("Wrong since the last success: {parts}"),
    });
    let email = user.email.clone();
    // What a column of its own shows is not said twice.
    let identifier = match &email {
        Some(email) if !columns.contains(&UserColumn::Email) => email.clone(),
        Some(email) if *email == user.username => String::new(),
        _ if columns.contains(&UserColumn::Username) => String::new(),
        _ => user.username.clone(),
    };
    Row {
        id: user.id.to_string(),
        href: user_href(page, user.id),
        name: user.display_name().to_owned(),
        identifier,
        initials: initials(user.display_name()),
        hue: hue(&user.id.to_string()),
        kind: user.kind.as_str(),
        phone: user.phone.clone(),
        username: user.username.clone(),
        reference: user.reference.clone(),
        labels: user_labels(user, false),
        admin_role: user.admin_role.map(role_label),
        last_sign_in_at: page.time_opt(user.last_sign_in_at),
        created_at: page.time(user.created_at),
        failed_attempts: failed,
        enabled: user.enabled,
        is_admin: user.admin_role.is_some(),
        back: query(&[("return", back)]),
        actions: RowActions {
            verify_email: can.users_write && email.is_some() && user.email_state != VerificationState::Verified,
            require_reset: human && can.credentials_reset && !user.requires_password_reset,
            temporary_password: human && can.credentials_set,
            administrator: can.admins_manage,
            disable: can.users_write && user.enabled,
            enable: can.users_write && !user.enabled,
            delete: can.users_delete,
        },
        email,
    }
}

/// What an export has of what these columns show.
pub(super) fn exported(columns: &[UserColumn]) -> String {
    let mut names = vec!["id", "name", "email"];
    for column in columns {
        names.extend_from_slice(match column {
            UserColumn::Email => &[],
            UserColumn::Phone => &["phone"],
            UserColumn::Username => &["username"],
            UserColumn::Reference => &["reference"],
            UserColumn::Kind => &["kind"],
            UserColumn::Labels => &["enabled", "email_state", "phone_state"],
            UserColumn::AdminRole => &["admin_role"],
            UserColumn::LastSignInAt => &["last_sign_in_at"],
            UserColumn::CreatedAt => &["created_at"],
            UserColumn::FailedAttempts => &["failed_password_attempts", "failed_otp_attempts"],
        });
    }
    names.join(",")
}
