//! «Why can't they sign in?»: what was found, with what mends it beside each.

use denizen_model::users::User;
use denizen_ops::{
    diagnosis::{self, Finding, Fix, Severity},
    users,
};
use serde::Serialize;

use super::{
    Whose,
    show::{at, user_href},
};
use crate::{
    console::{Answer, frame::ConsoleCx},
    render::TimeView,
};

#[derive(Serialize)]
struct DiagnosisPage {
    title: String,
    summary: String,
    kind: &'static str,
    icon: &'static str,
    findings: Vec<FindingView>,
    user_href: String,
}

#[derive(Serialize)]
struct FindingView {
    sentence: String,
    at: Option<TimeView>,
    label: &'static str,
    kind: &'static str,
    icon: &'static str,
    fix: Option<FixView>,
}

#[derive(Serialize)]
struct FixView {
    label: &'static str,
    href: String,
    /// Done at once by a button; else a page or a dialog.
    post: bool,
    dialog: bool,
}

/// What mends it, for those who may.
fn fix(page: &ConsoleCx, user: &User, fix: Fix) -> Option<FixView> {
    let may = match fix {
        // What is done to realms takes a permission of the realm main.
        Fix::EnableRealm => page.can().realms_manage,
        other => page.holds().contains(other.permission()),
    };
    if !may {
        return None;
    }
    let own = |path: &str| format!("{}{path}", user_href(page, user.id));
    let (label, href, post, dialog) = match fix {
        Fix::EnableRealm => ("Open the realm", page.href(&format!("realms/{}", page.realm().realm.slug)), false, false),
        Fix::EnableUser => ("Enable", own("/enable"), true, false),
        Fix::SetPassword => ("Set password…", own("/password"), false, true),
        Fix::TemporaryPassword => ("Temporary password…", own("/temporary-password"), false, true),
        Fix::CreateApiKey => ("Create key…", own("/keys/new"), false, true),
        Fix::ChangeEmail => ("Open the details", own(""), false, false),
        Fix::VerifyEmail => ("Mark as verified", own("/email/verify"), true, false),
        Fix::Unlock => ("Unlock", own("/unlock"), true, false),
        Fix::SendReset => ("Send reset…", own("/send-reset"), false, true),
        Fix::ReadRequiredActions => ("Open the authenticators", own("/authenticators"), false, false),
        Fix::ReadMessages => ("Open the messages", page.href("messages"), false, false),
        Fix::RestoreAuthenticator => ("Open the authenticators", own("/authenticators"), false, false),
        Fix::IssueRecoveryCodes => ("Issue recovery codes…", own("/recovery-codes"), false, true),
        Fix::ChangeSettings => ("Open the settings", page.href("settings"), false, false),
        Fix::ReadActivity => ("Open the activity", own("/activity?type=failures"), false, false),
    };
    Some(FixView { label, href, post, dialog })
}

fn view(page: &ConsoleCx, user: &User, found: Finding) -> FindingView {
    let (label, kind, icon) = match found.severity {
        Severity::Blocking => ("Keeps them out", "danger", "ban"),
        Severity::Step => ("Asked first", "warning", "clock"),
        Severity::Information => ("Good to know", "neutral", "info"),
    };
    FindingView {
        sentence: found.sentence,
        at: page.time_opt(found.at),
        label,
        kind,
        icon,
        fix: found.fix.and_then(|wanted| fix(page, user, wanted)),
    }
}

pub(super) async fn show(page: ConsoleCx, Whose(id): Whose) -> Answer {
    let user = users::get(page.app(), page.cx(), page.may()?, id).await?;
    let found = diagnosis::diagnose(page.app(), page.cx(), page.may()?, page.may().ok(), id).await?;
    let steps = found.findings.iter().any(|finding| finding.severity == Severity::Step);
    let (kind, icon) = match (found.can_sign_in, steps) {
        (false, _) => ("danger", "ban"),
        (true, true) => ("warning", "clock"),
        (true, false) => ("success", "check"),
    };
    let content = DiagnosisPage {
        title: format!("Can {} sign in?", user.display_name()),
        summary: found.summary,
        kind,
        icon,
        findings: found.findings.into_iter().map(|finding| view(&page, &user, finding)).collect(),
        user_href: user_href(&page, id),
    };
    page.page("console/users/diagnosis.html", at(&page, &user, Some("Sign-in")), &content)
}
