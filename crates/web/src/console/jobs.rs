//! Jobs: the list, and a job's progress and outcome.

use axum::{
    Json, Router,
    extract::FromRequestParts,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use denizen_model::{
    JobId,
    imports::{ImportMode, ImportOutcome},
    jobs::{BulkAction, ImportUsers, ItemOutcome, Job, JobItem, JobPayload, JobState, UserSet},
    pages::Cursor,
    permissions::markers::UsersRead,
};
use denizen_ops::jobs;
use http::request::Parts;
use serde::Serialize;

use super::{
    Answer, PageError,
    forms::Asked,
    frame::{At, ConsoleCx, Section},
    users::{Pager, path_id},
    words::{Label, count, number, query},
};
use crate::{Web, api::jobs::stream_report, render::TimeView};

pub(super) fn router() -> Router<Web> {
    Router::new()
        .route("/admin/{realm}/jobs", get(list))
        .route("/admin/{realm}/jobs/{job}", get(show))
        .route("/admin/{realm}/jobs/{job}/cancel", post(cancel))
        .route("/admin/{realm}/jobs/{job}/report", get(report))
}

const PAGE: u32 = 50;

#[derive(Serialize)]
struct ListPage {
    jobs: Vec<Row>,
    page: Pager,
}

#[derive(Serialize)]
struct Row {
    href: String,
    title: &'static str,
    by: String,
    state: Label,
    progress: String,
    created_at: TimeView,
}

#[derive(Serialize)]
struct ShowPage {
    job: JobView,
    outcomes: Vec<OutcomeChoice>,
    items: Vec<ItemView>,
    report_href: String,
    page: Pager,
}

#[derive(Serialize)]
struct JobView {
    title: &'static str,
    href: String,
    by: String,
    created_at: TimeView,
    finished_at: Option<TimeView>,
    state: Label,
    /// What it does to whom, fact by fact.
    facts: Vec<(&'static str, String)>,
    error: Option<String>,
    can_cancel: bool,
    cancel_requested: bool,
    progress: Progress,
    /// Where an import that was tried out can be started.
    import_href: Option<String>,
}

/// How far a job is; the page's script asks for it once a second.
#[derive(Serialize)]
struct Progress {
    over: bool,
    /// Parts of a thousand; absent while it is not known how much there is to do.
    permille: Option<u64>,
    text: String,
}

#[derive(Serialize)]
struct OutcomeChoice {
    label: String,
    href: String,
    current: bool,
}

#[derive(Serialize)]
struct ItemView {
    position: String,
    name: String,
    href: Option<String>,
    outcome: Label,
    message: String,
}

/// The `{job}` of the path.
struct Which(JobId);

impl<S: Send + Sync> FromRequestParts<S> for Which {
    type Rejection = PageError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, PageError> {
        Ok(Self(path_id(parts, state, "job").await?))
    }
}

/// The address of a job's page.
pub(super) fn job_href(page: &ConsoleCx, id: JobId) -> String {
    page.href(&format!("jobs/{id}"))
}

fn state_label(job: &Job) -> Label {
    match job.state {
        JobState::Queued => Label::new("Waiting", "neutral"),
        JobState::Running if job.cancel_requested => Label::new("Being cancelled", "warning"),
        JobState::Running => Label::new("Running", "info"),
        JobState::Done if job.failed > 0 => Label::new("Done in part", "warning"),
        JobState::Done => Label::new("Done", "success"),
        JobState::Failed => Label::new("Failed", "danger"),
        JobState::Cancelled => Label::new("Cancelled", "neutral"),
    }
}

fn progress_text(job: &Job) -> String {
    let handled = job.handled();
    let mut text = match job.total {
        None if job.state.is_final() => "It did not begin".to_owned(),
        None => "Finding out how much there is to do".to_owned(),
        Some(0) => "There was nothing to do".to_owned(),
        Some(total) => format!("{} of {}", number(handled), number(total)),
    };
    for (some, what) in [(job.skipped, "nothing to do"), (job.failed, "refused")] {
        if some > 0 {
            text.push_str(&format!(" · {} {what}", number(some)));
        }
    }
    text
}

fn progress(job: &Job) -> Progress {
    let permille = match job.total {
        Some(total) if total > 0 => Some(job.handled().saturating_mul(1000) / total),
        _ if job.state.is_final() => Some(1000),
        _ => None,
    };
    Progress { over: job.state.is_final(), permille, text: progress_text(job) }
}

fn at(page: &ConsoleCx, title: &str) -> At {
    At::under(Section::Users, &[("Users", page.href("users")), ("Jobs", page.href("jobs"))], title)
}

async fn list(page: ConsoleCx, Asked(asked): Asked) -> Answer {
    let after = Cursor::decode(asked.text("cursor")).ok();
    let found = jobs::list(page.app(), page.cx(), page.may()?, after, PAGE).await?;
    let row = |job: &Job| Row {
        href: job_href(&page, job.id),
        title: job.payload.title(),
        by: job.created_by_name.clone(),
        state: state_label(job),
        progress: progress_text(job),
        created_at: page.time(job.created_at),
    };
    let next = found.next.map(|cursor| format!("{}{}", page.href("jobs"), query(&[("cursor", &cursor.encode())])));
    let content = ListPage {
        jobs: found.items.iter().map(row).collect(),
        page: Pager { summary: count(found.total.count, "job", "jobs"), prev_href: None, next_href: next },
    };
    page.page("console/jobs/list.html", At::under(Section::Users, &[("Users", page.href("users"))], "Jobs"), &content)
}

fn facts(job: &Job) -> Vec<(&'static str, String)> {
    let bulk = match &job.payload {
        JobPayload::BulkUsers(bulk) => bulk,
        JobPayload::ImportUsers(import) => return import_facts(job, import),
        JobPayload::ReindexUsers => return Vec::new(),
    };
    let mut facts = Vec::new();
    match &bulk.users {
        UserSet::Ids(ids) => {
            facts.push(("Users", count(u64::try_from(ids.len()).unwrap_or(0), "user was named", "users were named")));
        }
        UserSet::Filter { query, expected_count } => {
            let filter = if query.is_empty() { "Everybody".to_owned() } else { readable(query) };
            facts.push(("Users", filter));
            facts.extend(expected_count.map(|count| ("Shown when confirmed", number(count))));
        }
    }
    facts.extend(bulk.reason.clone().map(|reason| ("Reason", reason)));
    facts
}

fn import_facts(job: &Job, import: &ImportUsers) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    facts.push((
        "Existing users",
        match import.mode {
            ImportMode::Create => "Left alone".to_owned(),
            ImportMode::Upsert => "Changed where the file says something else".to_owned(),
        },
    ));
    for (outcome, rows) in jobs::import_counts(job).unwrap_or_default() {
        let name = match outcome {
            ImportOutcome::Created if import.dry_run => "Would be created",
            ImportOutcome::Created => "Created",
            ImportOutcome::Updated if import.dry_run => "Would be changed",
            ImportOutcome::Updated => "Changed",
            ImportOutcome::Unchanged => "As the file says already",
            ImportOutcome::Exists => "There already",
            ImportOutcome::Rejected => "Rejected",
        };
        if rows > 0 || outcome == ImportOutcome::Created {
            facts.push((name, number(rows)));
        }
    }
    facts
}

/// A list's query string for people: `status: disabled, q: lima`.
pub(super) fn readable(query: &str) -> String {
    let pairs = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != "sort");
    let words: Vec<String> = pairs
        .map(|(name, value)| match &*name {
            "q" => format!("“{value}”"),
            name => format!("{}: {value}", name.replace('_', " ")),
        })
        .collect();
    if words.is_empty() { "Everybody".to_owned() } else { words.join(", ") }
}

fn outcome_label(outcome: ItemOutcome) -> Label {
    match outcome {
        ItemOutcome::Pending => Label::new("Not reached", "neutral"),
        ItemOutcome::Done => Label::new("Done", "success"),
        ItemOutcome::Skipped => Label::new("Nothing to do", "neutral"),
        ItemOutcome::Failed => Label::new("Refused", "danger"),
    }
}

async fn show(page: ConsoleCx, Which(id): Which, Asked(asked): Asked, headers: http::HeaderMap) -> Answer {
    let may = page.may::<UsersRead>()?;
    let job = jobs::get(page.app(), page.cx(), page.may()?, id).await?;
    if headers.get("x-partial").is_some_and(|part| part == "progress") {
        return Ok(Json(progress(&job)).into_response());
    }
    let chosen = match asked.text("outcome") {
        "" if job.failed > 0 => Some(ItemOutcome::Failed),
        other => ItemOutcome::from_name(other),
    };
    let cursor = Cursor::decode(asked.text("cursor")).ok();
    let items = jobs::list_items(page.app(), page.cx(), &may, id, chosen, cursor, PAGE).await?;
    let href = job_href(&page, id);
    let gone = matches!(&job.payload, JobPayload::BulkUsers(bulk) if bulk.action == BulkAction::Delete);
    let item = |item: &JobItem| ItemView {
        position: number(item.position.unsigned_abs()),
        name: if item.name.is_empty() { item.subject.clone() } else { item.name.clone() },
        href: (!(item.name.is_empty() || item.subject.is_empty() || gone && item.outcome == ItemOutcome::Done))
            .then(|| page.href(&format!("users/{}", item.subject))),
        outcome: outcome_label(item.outcome),
        message: item.message.clone(),
    };
    let word = chosen.map_or("all", ItemOutcome::as_str);
    let next = items
        .next
        .as_ref()
        .map(|cursor| format!("{href}{}", query(&[("outcome", word), ("cursor", &cursor.encode())])));
    let content = ShowPage {
        outcomes: outcomes(&job, chosen, &href),
        items: items.items.iter().map(item).collect(),
        report_href: format!("{href}/report{}", query(&[("outcome", chosen.map_or("", ItemOutcome::as_str))])),
        page: Pager { summary: String::new(), prev_href: None, next_href: next },
        job: JobView {
            title: job.payload.title(),
            by: if job.created_by_name.is_empty() { "Denizen".to_owned() } else { job.created_by_name.clone() },
            created_at: page.time(job.created_at),
            finished_at: page.time_opt(job.finished_at),
            state: state_label(&job),
            facts: facts(&job),
            error: job.error.clone(),
            can_cancel: !job.state.is_final() && !job.cancel_requested && page.holds().covers(job.permissions()),
            cancel_requested: job.cancel_requested && !job.state.is_final(),
            progress: progress(&job),
            import_href: jobs::kept_upload(&job)
                .ok()
                .flatten()
                .filter(|_| job.created_by == Some(page.user().id) && matches!(job.payload, JobPayload::ImportUsers(_)))
                .map(|id| page.href(&format!("users/import/{id}"))),
            href,
        },
    };
    page.page("console/jobs/show.html", at(&page, job.payload.title()), &content)
}

fn outcomes(job: &Job, chosen: Option<ItemOutcome>, href: &str) -> Vec<OutcomeChoice> {
    let pending = job.total.map_or(0, |total| total.saturating_sub(job.handled()));
    let choices = [
        (None, "All", job.total.unwrap_or(0)),
        (Some(ItemOutcome::Failed), "Refused", job.failed),
        (Some(ItemOutcome::Skipped), "Nothing to do", job.skipped),
        (Some(ItemOutcome::Done), "Done", job.done),
        (Some(ItemOutcome::Pending), "Not reached", pending),
    ];
    let choice = |(outcome, label, count): (Option<ItemOutcome>, &str, u64)| OutcomeChoice {
        label: format!("{label} {}", number(count)),
        href: format!("{href}{}", query(&[("outcome", outcome.map_or("all", ItemOutcome::as_str))])),
        current: outcome == chosen,
    };
    // An import has an item only for each row that was not taken.
    let import = matches!(job.payload, JobPayload::ImportUsers(_));
    let told =
        |outcome: Option<ItemOutcome>| !import || matches!(outcome, Some(ItemOutcome::Failed | ItemOutcome::Skipped));
    let worth = choices.into_iter().filter(|(outcome, _, count)| told(*outcome) && (*count > 0 || *outcome == chosen));
    worth.map(choice).collect()
}

async fn cancel(page: ConsoleCx, Which(id): Which) -> Answer {
    let result = jobs::cancel(page.app(), page.cx(), page.may()?, id).await;
    page.outcome(result, &job_href(&page, id), "The job ends at its next step. What was done stays done.")
}

async fn report(page: ConsoleCx, Which(id): Which, Asked(asked): Asked) -> Result<Response, PageError> {
    let outcome = ItemOutcome::from_name(asked.text("outcome"));
    Ok(stream_report(page.app(), page.cx(), page.may()?, id, outcome).await?)
}
