//! One thing done to many users.
//!
//! First the users are found and written down, page by page; from then on the set is fixed. Then it is done to each,
//! by the same function as when it is done to one, so that the same rules hold; each has its own event and its own
//! outcome.

use std::collections::{BTreeMap, HashMap, HashSet};

use denizen_model::{
    GroupId, RealmId, Timestamp, UserId,
    events::NewEvent,
    jobs::{BulkAction, BulkUsers, ItemOutcome, Job, JobItem, JobPayload, UserSet},
    pages::{Cursor, Page, Total},
    permissions::markers::UsersRead,
    users::{User, UserQuery},
    validation::FieldErrors,
};
use denizen_store::{self as store, ReadTx, WriteTx, jobs::Counts};
use serde::{Deserialize, Serialize};

use super::{Run, create, progress_of, run::Advance};
use crate::{Actor, App, Cx, Error, ErrorKind, May, Result, authenticators, cx::Detail, groups, sessions, users};

/// How many users a step writes down.
const PAGE: u32 = 500;
/// How many users a step acts on.
const BATCH: u32 = 200;

/// How far it has come.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Progress {
    /// How many users were written down.
    found: i64,
    /// Where the list goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
    /// Whether all were written down.
    complete: bool,
    /// The last item that was acted on, counted from 1.
    acted: i64,
}

/// Starts a job that does one thing to many users. Permissions are those of doing it to one; for deletion a fresh
/// proof of who asks besides.
///
/// # Errors
/// When something of what is asked is not acceptable, or there is no such group.
pub async fn bulk(app: &App, cx: &Cx, may: May<UsersRead>, mut asked: BulkUsers) -> Result<Job> {
    let realm = may.realm();
    cx.check(realm, asked.action.permission())?;
    let mut errors = FieldErrors::new();
    asked.reason = asked.reason.take().map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty());
    asked.check(&mut errors);
    errors.into_result()?;
    if let UserSet::Ids(ids) = &mut asked.users {
        let mut seen = HashSet::new();
        ids.retain(|id| seen.insert(*id));
    }
    let (checked, now) = (asked.clone(), cx.now);
    let group = app
        .db()
        .read(move |tx| {
            if let UserSet::Filter { query, .. } = &checked.users {
                users::asked_in(tx, realm, query, now).map_err(in_filter)?;
            }
            checked.group_id.map(|id| groups::name_in(tx, realm, id)).transpose().map_err(|error| match *error.kind {
                ErrorKind::NotFound(_) => Error::field("group_id", "There is no such group."),
                _ => error,
            })
        })
        .await?;
    let described = asked.clone();
    let describe = move |event: NewEvent| {
        let mut event = event.detail("action", described.action.as_str());
        if let Some(group) = &group {
            event = event.detail("group", group.as_str());
        }
        if let Some(reason) = &described.reason {
            event = event.detail("reason", reason.as_str());
        }
        match &described.users {
            UserSet::Ids(ids) => event.detail("users", ids.len()),
            UserSet::Filter { query, expected_count } => {
                event.detail("filter", query.as_str()).detail("expected_count", *expected_count)
            }
        }
    };
    create(app, cx, realm, JobPayload::BulkUsers(asked), describe).await
}

/// A filter's errors, named by their place in what was asked.
fn in_filter(error: Error) -> Error {
    let ErrorKind::Invalid(errors) = &*error.kind else { return error };
    let mut named = FieldErrors::new();
    for (field, text) in errors.iter() {
        named.add(&format!("filter.{field}"), text);
    }
    Error::invalid(named)
}

/// Whom a set holds at this moment, for whoever is about to confirm: the first few, and how many.
///
/// # Errors
/// When the filter is not acceptable.
pub async fn preview(app: &App, cx: &Cx, may: May<UsersRead>, set: UserSet) -> Result<Page<User>> {
    const SHOWN: u32 = 5;
    let (realm, now) = (may.realm(), cx.now);
    app.db()
        .read(move |tx| match &set {
            UserSet::Ids(ids) => {
                let mut found = store::members::list_users(tx, realm, ids)?;
                let total = Total::exact(u64::try_from(found.len()).unwrap_or(0));
                found.sort_by_key(|user| ids.iter().position(|id| *id == user.id));
                found.truncate(usize::try_from(SHOWN).unwrap_or(0));
                Ok(Page { items: found, next: None, total })
            }
            UserSet::Filter { query, .. } => {
                let asked = UserQuery { limit: SHOWN, ..users::asked_in(tx, realm, query, now)? };
                Ok(store::users::list(tx, realm, &asked)?)
            }
        })
        .await
}

/// A page of the users that a filter finds, in the order in which they are written down.
fn find_page(
    tx: &mut ReadTx<'_>,
    realm: RealmId,
    query: &str,
    now: Timestamp,
    after: Option<Cursor>,
) -> Result<Page<User>> {
    let standard = UserQuery::default();
    let asked = UserQuery {
        sort: standard.sort,
        direction: standard.direction,
        after,
        limit: PAGE,
        ..users::asked_in(tx, realm, query, now)?
    };
    Ok(store::users::list(tx, realm, &asked)?)
}

/// One step.
pub(super) async fn step(run: &Run, bulk: &BulkUsers) -> Result<Option<Job>> {
    let progress: Progress = progress_of(run.job())?;
    if progress.complete {
        return act(run, bulk).await;
    }
    match &bulk.users {
        UserSet::Ids(ids) => note_named(run, ids).await,
        UserSet::Filter { query, .. } => note_found(run, query, progress).await,
    }
}

/// Writes down the users that were named one by one.
async fn note_named(run: &Run, ids: &[UserId]) -> Result<Option<Job>> {
    let ids = ids.to_vec();
    run.commit(move |tx, _, job| {
        let found = store::members::list_users(tx, job.realm_id, &ids)?;
        let names: HashMap<UserId, &str> = found.iter().map(|user| (user.id, user.username.as_str())).collect();
        let texts: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let items = ids.iter().zip(&texts).map(|(id, text)| match names.get(id) {
            Some(name) => (text.as_str(), *name, ItemOutcome::Pending, ""),
            None => (text.as_str(), "", ItemOutcome::Failed, NO_SUCH_USER),
        });
        let items: Vec<_> = items.collect();
        store::jobs::add_items(tx, job.id, 1, &items)?;
        let (total, missing) = (items.len(), items.len() - names.len());
        let progress = Progress { found: number(total), cursor: None, complete: true, acted: 0 };
        let counts = Counts { failed: u32::try_from(missing).unwrap_or(0), ..Counts::default() };
        Ok(Advance::to(&progress)?.total(u64::try_from(total).unwrap_or(0)).counts(counts))
    })
    .await
}

const NO_SUCH_USER: &str = "There is no such user.";

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Writes down a page of the users that a filter finds.
async fn note_found(run: &Run, query: &str, progress: Progress) -> Result<Option<Job>> {
    let (realm, query, at) = (run.job().realm_id, query.to_owned(), run.job().created_at);
    let after = match &progress.cursor {
        Some(text) => Some(Cursor::decode(text).map_err(|error| Error::internal(error.to_string()))?),
        None => None,
    };
    // Read before the step's transaction: on SQLite that would keep others from writing.
    let page = run.app().db().read(move |tx| find_page(tx, realm, &query, at, after.clone())).await?;
    run.commit(move |tx, _, job| {
        let texts: Vec<String> = page.items.iter().map(|user| user.id.to_string()).collect();
        let items = page.items.iter().zip(&texts);
        let items: Vec<_> =
            items.map(|(user, id)| (id.as_str(), user.username.as_str(), ItemOutcome::Pending, "")).collect();
        store::jobs::add_items(tx, job.id, progress.found + 1, &items)?;
        let found = progress.found + number(items.len());
        let complete = page.next.is_none();
        let cursor = page.next.as_ref().map(Cursor::encode);
        let advance = Advance::to(&Progress { found, cursor, complete, acted: 0 })?.finished(complete && found == 0);
        Ok(if complete { advance.total(found.unsigned_abs()) } else { advance })
    })
    .await
}

/// Acts on the next users.
async fn act(run: &Run, bulk: &BulkUsers) -> Result<Option<Job>> {
    let (app, bulk) = (run.app().clone(), bulk.clone());
    run.commit(move |tx, cx, job| {
        let progress: Progress = progress_of(job)?;
        let items = store::jobs::list_items(tx, job.id, None, progress.acted, BATCH)?;
        let acted = items.last().map_or(progress.found, |item| item.position);
        let mut batch = Batch { app: &app, cx, job, settled: BTreeMap::new(), events: Vec::new() };
        batch.run(tx, &bulk, &items)?;
        let counts = batch.settle(tx)?;
        let finished = acted >= progress.found;
        let events = batch.events;
        Ok(Advance::to(&Progress { acted, ..progress })?.counts(counts).events(events).finished(finished))
    })
    .await
}

/// The users of a step, inside its transaction.
struct Batch<'b> {
    app: &'b App,
    cx: &'b Cx,
    job: &'b Job,
    /// Positions by what became of them and why.
    settled: BTreeMap<(&'static str, String), Vec<i64>>,
    events: Vec<NewEvent>,
}

impl Batch<'_> {
    fn run(&mut self, tx: &mut WriteTx<'_>, bulk: &BulkUsers, items: &[JobItem]) -> Result<()> {
        let pending = items.iter().filter(|item| item.outcome == ItemOutcome::Pending);
        let wanted: Vec<(i64, Option<UserId>)> =
            pending.map(|item| (item.position, item.subject.parse().ok())).collect();
        if matches!(bulk.action, BulkAction::Disable | BulkAction::Delete) {
            store::realms::lock(tx, self.job.realm_id)?;
        }
        let ids: Vec<UserId> = wanted.iter().filter_map(|(_, id)| *id).collect();
        let users = store::members::list_users(tx, self.job.realm_id, &ids)?;
        let mut users: HashMap<UserId, User> = users.into_iter().map(|user| (user.id, user)).collect();
        let mut found = Vec::with_capacity(wanted.len());
        for (position, id) in wanted {
            match id.and_then(|id| users.remove(&id)) {
                Some(user) => found.push((position, user)),
                None => self.note(position, ItemOutcome::Failed, NO_SUCH_USER),
            }
        }
        match bulk.group_id {
            Some(group) => self.change_group(tx, group, bulk.action == BulkAction::AddToGroup, found),
            None => found.into_iter().try_for_each(|(position, user)| self.act_on(tx, bulk, position, user)),
        }
    }

    /// All at once: the database does it in a statement or two.
    fn change_group(
        &mut self,
        tx: &mut WriteTx<'_>,
        group: GroupId,
        join: bool,
        found: Vec<(i64, User)>,
    ) -> Result<()> {
        let (positions, users): (Vec<i64>, Vec<User>) = found.into_iter().unzip();
        let events =
            groups::change_in(tx, self.app, self.cx, group, &users, join, self.job.realm_id).map_err(passing)?;
        let changed: HashSet<&str> = events.iter().map(|event| event.subject.id.as_str()).collect();
        let unchanged = if join { "They are in the group already." } else { "They are not in the group." };
        for (position, user) in positions.into_iter().zip(&users) {
            match changed.contains(user.id.to_string().as_str()) {
                true => self.note(position, ItemOutcome::Done, ""),
                false => self.note(position, ItemOutcome::Skipped, unchanged),
            }
        }
        self.events.extend(events.into_iter().map(|event| event.detail("job_id", self.job.id.to_string())));
        Ok(())
    }

    fn act_on(&mut self, tx: &mut WriteTx<'_>, bulk: &BulkUsers, position: i64, user: User) -> Result<()> {
        match self.change(tx, bulk, user) {
            Ok(Some(event)) => {
                self.events.push(event.detail("job_id", self.job.id.to_string()));
                self.note(position, ItemOutcome::Done, "");
            }
            Ok(None) => self.note(position, ItemOutcome::Skipped, "No session was open."),
            Err(error) => {
                let (outcome, message) = refusal(error)?;
                self.note(position, outcome, &message);
            }
        }
        Ok(())
    }

    fn change(&self, tx: &mut WriteTx<'_>, bulk: &BulkUsers, user: User) -> Result<Option<NewEvent>> {
        let (app, cx) = (self.app, self.cx);
        if matches!(bulk.action, BulkAction::Disable | BulkAction::Delete) {
            check_not_yourself(cx, &user)?;
        }
        match bulk.action {
            BulkAction::Delete => users::delete_in(tx, app, cx, &user).map(Some),
            BulkAction::Enable => users::enable_in(tx, app, cx, user).map(|(_, event)| Some(event)),
            BulkAction::Disable => {
                users::disable_in(tx, app, cx, user, bulk.reason.clone()).map(|(_, event)| Some(event))
            }
            BulkAction::RequirePasswordReset => authenticators::require_reset_in(tx, app, cx, &user, true).map(Some),
            BulkAction::EndSessions => Ok(sessions::revoke_all_in(tx, app, cx, &user)?.map(|(_, event)| event)),
            BulkAction::AddToGroup | BulkAction::RemoveFromGroup => Err(Error::internal("no group was named")),
        }
    }

    fn note(&mut self, position: i64, outcome: ItemOutcome, message: &str) {
        self.settled.entry((outcome.as_str(), message.to_owned())).or_default().push(position);
    }

    /// Writes the outcomes down.
    fn settle(&mut self, tx: &mut WriteTx<'_>) -> Result<Counts> {
        let mut counts = Counts::default();
        for ((outcome, message), positions) in std::mem::take(&mut self.settled) {
            let outcome = ItemOutcome::from_name(outcome).unwrap_or(ItemOutcome::Failed);
            let number = u32::try_from(positions.len()).unwrap_or(u32::MAX);
            match outcome {
                ItemOutcome::Done => counts.done += number,
                ItemOutcome::Skipped => counts.skipped += number,
                ItemOutcome::Failed | ItemOutcome::Pending => counts.failed += number,
            }
            store::jobs::settle(tx, self.job.id, &positions, outcome, &message)?;
        }
        Ok(counts)
    }
}

/// A bulk action must not lock out whoever started it.
fn check_not_yourself(cx: &Cx, user: &User) -> Result<()> {
    match &cx.actor {
        Actor::Administrator(admin) if admin.id == user.id => Err(Error::refused("This is you.")),
        _ => Ok(()),
    }
}

/// What a refusal makes of an item; a failure that is no refusal goes on.
fn refusal(error: Error) -> Result<(ItemOutcome, String)> {
    let error = passing(error);
    let outcome = match &*error.kind {
        ErrorKind::Conflict("already-disabled" | "already-enabled" | "unchanged") => ItemOutcome::Skipped,
        ErrorKind::Conflict(_) | ErrorKind::Forbidden(_) | ErrorKind::NotFound(_) => ItemOutcome::Failed,
        ErrorKind::Invalid(errors) => {
            let texts: Vec<&str> = errors.iter().map(|(_, text)| text).collect();
            return Ok((ItemOutcome::Failed, texts.join(" ")));
        }
        _ => return Err(error),
    };
    Ok((outcome, error.message))
}

/// A reference that broke while the step ran has broken its transaction: the step is to be made again.
fn passing(error: Error) -> Error {
    if matches!(*error.kind, ErrorKind::Conflict("gone")) { Error::changed() } else { error }
}
