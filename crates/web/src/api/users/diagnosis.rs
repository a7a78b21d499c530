//! Why a user cannot sign in.

use axum::Json;
use denizen_model::{Timestamp, UserId, permissions::markers::UsersRead};
use denizen_ops::diagnosis::{self, Diagnosis, Finding};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::{
    answer::Answer,
    ask::{Ask, Id},
};
use crate::Web;

pub(super) fn endpoints() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(read))
}

/// What keeps a user from signing in, or is asked of them first.
#[derive(Serialize, ToSchema)]
#[schema(as = Diagnosis)]
struct DiagnosisView {
    /// Whether a sign-in with the right credentials succeeds; of a machine, a call with its key.
    can_sign_in: bool,
    /// The answer in one sentence.
    summary: String,
    /// What was found, the heaviest first.
    findings: Vec<FindingView>,
}

/// What a check found.
#[derive(Serialize, ToSchema)]
#[schema(as = Finding)]
struct FindingView {
    /// Its stable name, such as `user-disabled`.
    #[schema(value_type = String)]
    code: &'static str,
    /// `blocking` keeps them out, `step` is asked of them first, `information` may explain what they tell.
    #[schema(value_type = String, pattern = "^(blocking|step|information)$")]
    severity: &'static str,
    /// What it is, in plain words.
    sentence: String,
    /// Since when, or when last.
    at: Option<Timestamp>,
    /// What mends it.
    fix: Option<FixView>,
}

/// What mends a finding.
#[derive(Serialize, ToSchema)]
#[schema(as = Fix)]
struct FixView {
    /// Its stable name, such as `enable_user`.
    #[schema(value_type = String)]
    action: &'static str,
    /// The permission it takes.
    #[schema(value_type = String)]
    permission: &'static str,
}

impl From<Finding> for FindingView {
    fn from(found: Finding) -> Self {
        let fix = found.fix.map(|fix| FixView { action: fix.as_str(), permission: fix.permission().as_str() });
        let (severity, Finding { code, sentence, at, .. }) = (found.severity.as_str(), found);
        Self { code, severity, sentence, at, fix }
    }
}

impl From<Diagnosis> for DiagnosisView {
    fn from(found: Diagnosis) -> Self {
        let Diagnosis { can_sign_in, summary, findings } = found;
        Self { can_sign_in, summary, findings: findings.into_iter().map(FindingView::from).collect() }
    }
}

/// Read why a user cannot sign in
///
/// Runs every check that a sign-in meets. Past attempts are looked at for those who hold `audit:read`.
#[utoipa::path(get, path = "/realms/{realm}/users/{id}/diagnosis", operation_id = "diagnose_user", tag = "Users",
    responses((status = 200, description = "What was found.", body = DiagnosisView)),
    extensions(("x-permission" = json!("users:read"))))]
async fn read(ask: Ask<UsersRead>, Id(id): Id<UserId>) -> Answer<Json<DiagnosisView>> {
    let log = ask.cx.may(ask.realm.realm.id).ok();
    Ok(Json(diagnosis::diagnose(&ask.app, &ask.cx, ask.may, log, id).await?.into()))
}
