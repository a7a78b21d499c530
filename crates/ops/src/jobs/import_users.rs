//! Creating users from a file.

use denizen_model::jobs::{ImportUsers, Job};

use super::Run;
use crate::{Error, Result};

/// One step.
pub(super) async fn step(_run: &Run, _import: &ImportUsers) -> Result<Option<Job>> {
    Err(Error::internal("nothing makes such a job yet"))
}
