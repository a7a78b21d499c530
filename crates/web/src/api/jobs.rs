//! Jobs: list, read, cancel, and what became of each item.

use axum::{Json, response::Response};
use denizen_model::{
    GroupId, JobId, Timestamp, UserId,
    imports::{ImportFormat, ImportMode, ImportOutcome},
    jobs::{BulkAction, ItemOutcome, Job, JobItem, JobKind, JobPayload, JobState, UserSet},
    pages::{Cursor, MAX_LIMIT},
    permissions::markers::UsersRead,
};
use denizen_ops::{App, Cx, Error, May, jobs};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    answer::{Answer, List},
    ask::{Ask, Id},
    body::{MaybeBody, Nothing},
    query::{Paging, cursor, default_limit, limit},
};
use crate::{
    Web,
    download::{self, CSV, Lines, Pieces},
};

pub(super) fn endpoints() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(read))
        .routes(routes!(cancel))
        .routes(routes!(items))
        .routes(routes!(report))
}

/// A job: long work that goes on by itself.
#[derive(Serialize, ToSchema)]
#[schema(as = Job)]
pub(super) struct JobView {
    /// Stable id.
    id: JobId,
    /// What kind of work it is.
    kind: JobKind,
    /// What it does, in words for people.
    title: &'static str,
    /// How far it is.
    state: JobState,
    /// How many items it has; `null` until that is known.
    total: Option<u64>,
    /// Items that were done.
    done: u64,
    /// Items for which there was nothing to do.
    skipped: u64,
    /// Items that were refused.
    failed: u64,
    /// Why it was given up.
    error: Option<String>,
    /// Whether it is to end at its next step.
    cancel_requested: bool,
    /// What a bulk action does to whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    bulk: Option<BulkView>,
    /// What an import has come to so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    import: Option<ImportView>,
    /// Who started it; `null` for Denizen itself.
    created_by: Option<UserId>,
    /// Their name at that time.
    created_by_name: String,
    /// When it was made.
    created_at: Timestamp,
    /// When it was first worked on.
    started_at: Option<Timestamp>,
    /// When it ended.
    finished_at: Option<Timestamp>,
}

/// A bulk action.
#[derive(Serialize, ToSchema)]
#[schema(as = Bulk)]
struct BulkView {
    /// What is done to each user.
    action: BulkAction,
    /// The group.
    group_id: Option<GroupId>,
    /// Why.
    reason: Option<String>,
    /// The query string of the list whose users it takes; `null` when they were named one by one.
    filter: Option<String>,
    /// How many users the list showed when it was decided on.
    expected_count: Option<u64>,
}

/// An import: how it is done, and how many rows had which outcome so far.
#[derive(Serialize, ToSchema)]
#[schema(as = Import)]
struct ImportView {
    /// How the file is written.
    format: ImportFormat,
    /// What happens to users that exist already.
    mode: ImportMode,
    /// Whether nothing is kept but the report.
    dry_run: bool,
    /// Users that were created.
    created: u64,
    /// Users that were changed.
    updated: u64,
    /// Users that are as the file says already.
    unchanged: u64,
    /// Users that exist already and were left alone.
    exists: u64,
    /// Rows that were rejected.
    rejected: u64,
}

impl ImportView {
    fn of(job: &Job) -> Option<Self> {
        let JobPayload::ImportUsers(import) = &job.payload else { return None };
        let counts = jobs::import_counts(job).unwrap_or_default();
        let count = |outcome| counts.iter().find(|(of, _)| *of == outcome).map_or(0, |(_, count)| *count);
        Some(Self {
            format: import.format,
            mode: import.mode,
            dry_run: import.dry_run,
            created: count(ImportOutcome::Created),
            updated: count(ImportOutcome::Updated),
            unchanged: count(ImportOutcome::Unchanged),
            exists: count(ImportOutcome::Exists),
            rejected: count(ImportOutcome::Rejected),
        })
    }
}

impl From<Job> for JobView {
    fn from(job: Job) -> Self {
        let import = ImportView::of(&job);
        let (kind, title) = (job.payload.kind(), job.payload.title());
        let bulk = match job.payload {
            JobPayload::BulkUsers(bulk) => {
                let (filter, expected_count) = match bulk.users {
                    UserSet::Ids(_) => (None, None),
                    UserSet::Filter { query, expected_count } => (Some(query), expected_count),
                };
                let (action, group_id, reason) = (bulk.action, bulk.group_id, bulk.reason);
                Some(BulkView { action, group_id, reason, filter, expected_count })
            }
            JobPayload::ImportUsers(_) | JobPayload::ReindexUsers => None,
        };
        Self {
            id: job.id,
            kind,
            title,
            state: job.state,
            total: job.total,
            done: job.done,
            skipped: job.skipped,
            failed: job.failed,
            error: job.error,
            cancel_requested: job.cancel_requested,
            bulk,
            import,
            created_by: job.created_by,
            created_by_name: job.created_by_name,
            created_at: job.created_at,
            started_at: job.started_at,
            finished_at: job.finished_at,
        }
    }
}

/// What became of one item of a job.
#[derive(Serialize, ToSchema)]
#[schema(as = JobItem)]
struct ItemView {
    /// Its place in the job, from 1: the order in which users were found, or the line of a file.
    position: i64,
    /// What it is: the id of a user, where there is one.
    subject: String,
    /// What to call it: the username.
    name: String,
    /// What became of it.
    outcome: ItemOutcome,
    /// Why, where there is something to say.
    message: String,
}

impl From<JobItem> for ItemView {
    fn from(item: JobItem) -> Self {
        let JobItem { position, subject, name, outcome, message } = item;
        Self { position, subject, name, outcome, message }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListItems {
    /// Only items with this outcome.
    #[param(inline)]
    outcome: Option<ItemOutcome>,
    /// Where the page starts: `next_cursor` of the page before.
    #[serde(default, deserialize_with = "cursor")]
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// How many items a page has at the most; 50 when absent.
    #[serde(default = "default_limit", deserialize_with = "limit")]
    #[param(minimum = 1, maximum = 500, required = false)]
    limit: u32,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Report {
    /// Only items with this outcome.
    #[param(inline)]
    outcome: Option<ItemOutcome>,
}

/// List jobs
///
/// Newest first. A job is kept for 30 days after its end.
#[utoipa::path(get, path = "/realms/{realm}/jobs", operation_id = "list_jobs", tag = "Jobs", params(Paging),
    responses((status = 200, description = "One page of jobs.", body = List<JobView>)),
    extensions(("x-permission" = json!("users:read"))))]
async fn list(ask: Ask<UsersRead, Paging>) -> Answer<Json<List<JobView>>> {
    let page = jobs::list(&ask.app, &ask.cx, ask.may, ask.query.cursor, ask.query.limit).await?;
    Ok(List::page(page, JobView::from))
}

/// Read a job
#[utoipa::path(get, path = "/realms/{realm}/jobs/{id}", operation_id = "read_job", tag = "Jobs",
    responses((status = 200, description = "The job.", body = JobView)),
    extensions(("x-permission" = json!("users:read"))))]
async fn read(ask: Ask<UsersRead>, Id(id): Id<JobId>) -> Answer<Json<JobView>> {
    Ok(Json(jobs::get(&ask.app, &ask.cx, ask.may, id).await?.into()))
}

/// Cancel a job
///
/// It ends at its next step; what it has done until then stays done. Besides `users:read` it takes the permission that starting
/// it took.
#[utoipa::path(post, path = "/realms/{realm}/jobs/{id}/cancel", operation_id = "cancel_job", tag = "Jobs",
    responses((status = 200, description = "The job.", body = JobView)),
    extensions(("x-permission" = json!("users:read"))))]
async fn cancel(
    ask: Ask<UsersRead>,
    Id(id): Id<JobId>,
    MaybeBody(Nothing {}): MaybeBody<Nothing>,
) -> Answer<Json<JobView>> {
    Ok(Json(jobs::cancel(&ask.app, &ask.cx, ask.may, id).await?.into()))
}

/// List what became of a job's items
///
/// A bulk action has an item for each user, an import one for each line that it rejects.
#[utoipa::path(get, path = "/realms/{realm}/jobs/{id}/items", operation_id = "list_job_items", tag = "Jobs", params(ListItems),
    responses((status = 200, description = "One page of items.", body = List<ItemView>)),
    extensions(("x-permission" = json!("users:read"))))]
async fn items(ask: Ask<UsersRead, ListItems>, Id(id): Id<JobId>) -> Answer<Json<List<ItemView>>> {
    let ListItems { outcome, cursor, limit } = ask.query;
    let page = jobs::list_items(&ask.app, &ask.cx, &ask.may, id, outcome, cursor, limit).await?;
    Ok(List::page(page, ItemView::from))
}

/// Download what became of a job's items
///
/// As CSV, streamed. A cell that a spreadsheet would take for a formula begins with `'`.
#[utoipa::path(get, path = "/realms/{realm}/jobs/{id}/report", operation_id = "download_job_report", tag = "Jobs", params(Report),
    responses((status = 200, description = "The file.", content_type = "text/csv", body = String)),
    extensions(("x-permission" = json!("users:read"))))]
async fn report(ask: Ask<UsersRead, Report>, Id(id): Id<JobId>) -> Answer<Response> {
    Ok(stream_report(&ask.app, &ask.cx, ask.may, id, ask.query.outcome).await?)
}

/// A job's items as a CSV file that is made while it is sent.
pub(crate) async fn stream_report(
    app: &App,
    cx: &Cx,
    may: May<UsersRead>,
    id: JobId,
    outcome: Option<ItemOutcome>,
) -> Result<Response, Error> {
    let first = jobs::list_items(app, cx, &may, id, outcome, None, MAX_LIMIT).await?;
    let (app, cx) = (app.clone(), cx.clone());
    Ok(download::file(&format!("job-{id}.csv"), CSV, move |pieces| async move {
        let mut page = first;
        let mut begun = false;
        loop {
            let next = page.next.clone();
            if !send_items(&pieces, page.items, !begun).await {
                return;
            }
            begun = true;
            if next.is_none() {
                return;
            }
            page = match jobs::list_items(&app, &cx, &may, id, outcome, next, MAX_LIMIT).await {
                Ok(page) => page,
                Err(error) => {
                    tracing::error!(error = %error, context = error.context.as_deref(), "A report failed");
                    return pieces.fail().await;
                }
            };
        }
    }))
}

async fn send_items(pieces: &Pieces, items: Vec<JobItem>, first: bool) -> bool {
    let mut lines = Lines::new();
    let mut write = |cells: [&str; 5]| cells.iter().try_for_each(|cell| lines.cell(cell)).and_then(|()| lines.end());
    let header = if first { write(["position", "subject", "name", "outcome", "message"]) } else { Ok(()) };
    let written = header.and_then(|()| {
        items.iter().try_for_each(|item| {
            let position = item.position.to_string();
            write([&position, &item.subject, &item.name, item.outcome.as_str(), &item.message])
        })
    });
    match written {
        Ok(()) => pieces.send(lines.into_bytes()).await,
        Err(error) => {
            tracing::error!(error = %error, "A report failed");
            pieces.fail().await;
            false
        }
    }
}
