//! Bringing up to date what lists of users go by, for all users of a realm.

use denizen_model::{
    RealmId,
    jobs::{Job, JobPayload},
};
use denizen_store::{
    self as store,
    jobs::Counts,
    users::{IndexContext, Place},
};
use serde::{Deserialize, Serialize};

use super::{Run, create, run::Advance};
use crate::{App, Cx, Result};

/// How many users a step brings up to date.
const BATCH: u32 = 500;

/// How far it has come.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Progress {
    /// The place of the last user seen.
    after: Option<Place>,
}

/// Starts the job for a realm: after a change of what is searched, such as a definition of attributes.
///
/// # Errors
/// When the actor may not change settings, or the database fails.
pub async fn start_reindex(app: &App, cx: &Cx, realm: RealmId) -> Result<Job> {
    create(app, cx, realm, JobPayload::ReindexUsers, |event| event).await
}

/// One step.
pub(super) async fn step(run: &Run) -> Result<Option<Job>> {
    run.commit(|tx, _, job| {
        let mut progress: Progress = super::progress_of(job)?;
        let total = match job.total {
            Some(total) => total,
            None => store::users::count_all(tx, job.realm_id, None, None)?.count,
        };
        let users = store::users::list_places(tx, job.realm_id, progress.after, BATCH)?;
        let context = IndexContext::load(tx, job.realm_id)?;
        for (_, id) in &users {
            store::users::reindex_in(tx, &context, job.realm_id, *id)?;
        }
        progress.after = users.last().map(|(place, _)| *place).or(progress.after);
        let done = u32::try_from(users.len()).unwrap_or(BATCH);
        let counts = Counts { done, ..Counts::default() };
        Ok(Advance::to(&progress)?.total(total).counts(counts).finished(done < BATCH))
    })
    .await
}
