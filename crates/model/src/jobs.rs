//! Jobs: long work that survives a restart, step by step (PRODUCT §4, §5).

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    GroupId, JobId, RealmId, Timestamp, UserId,
    imports::{Columns, ImportFormat, ImportMode},
    permissions::{Permission, PermissionSet},
    users::text_enum,
    validation::FieldErrors,
};

/// The most users that can be named one by one for one job.
pub const MAX_BULK_IDS: usize = 500;

text_enum! {
    /// What a job does.
    JobKind {
        /// Does one thing to many users.
        BulkUsers = "bulk_users",
        /// Creates users from a file.
        ImportUsers = "import_users",
        /// Brings up to date what lists of users go by.
        ReindexUsers = "reindex_users",
    }
}

text_enum! {
    /// How far a job is.
    JobState {
        /// Waiting for its turn.
        Queued = "queued",
        /// Being worked on.
        Running = "running",
        /// Done, though perhaps not for each of its items.
        Done = "done",
        /// Given up; the error says why. What was done until then stays done.
        Failed = "failed",
        /// Cancelled. What was done until then stays done.
        Cancelled = "cancelled",
    }
}

impl JobState {
    /// Whether it will not change any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

text_enum! {
    /// What became of one item of a job.
    ItemOutcome {
        /// Not reached yet.
        Pending = "pending",
        /// Done.
        Done = "done",
        /// There was nothing to do.
        Skipped = "skipped",
        /// Refused; the message says why.
        Failed = "failed",
    }
}

text_enum! {
    /// What is done to each user of a bulk action.
    BulkAction {
        /// Delete them for good.
        Delete = "delete",
        /// Enable them.
        Enable = "enable",
        /// Disable them.
        Disable = "disable",
        /// Add them to a group.
        AddToGroup = "add_to_group",
        /// Remove them from a group.
        RemoveFromGroup = "remove_from_group",
        /// Require a new password at their next sign-in.
        RequirePasswordReset = "require_password_reset",
        /// End their sessions.
        EndSessions = "end_sessions",
    }
}

impl BulkAction {
    /// What it takes to do it, to one user or to many.
    #[must_use]
    pub const fn permission(self) -> Permission {
        match self {
            Self::Delete => Permission::UsersDelete,
            Self::Enable | Self::Disable => Permission::UsersWrite,
            Self::AddToGroup | Self::RemoveFromGroup => Permission::GroupsWrite,
            Self::RequirePasswordReset => Permission::CredentialsReset,
            Self::EndSessions => Permission::SessionsRevoke,
        }
    }

    /// Whether it says which group.
    #[must_use]
    pub const fn names_group(self) -> bool {
        matches!(self, Self::AddToGroup | Self::RemoveFromGroup)
    }
}

/// Which users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserSet {
    /// These.
    Ids(Vec<UserId>),
    /// All that a list shows when the job starts.
    Filter {
        /// The list's query string, without its place and page size.
        query: String,
        /// How many they were when the actor confirmed.
        expected_count: Option<u64>,
    },
}

/// One thing done to many users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkUsers {
    /// What.
    pub action: BulkAction,
    /// To whom.
    pub users: UserSet,
    /// The group they are added to or removed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_id: Option<GroupId>,
    /// Why, where the action keeps a reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl BulkUsers {
    /// Checks what does not need the database.
    pub fn check(&self, errors: &mut FieldErrors) {
        match (self.action.names_group(), self.group_id) {
            (true, None) => errors.add("group_id", "Say which group."),
            (false, Some(_)) => errors.add("group_id", "Only adding to a group and removing from one take a group."),
            _ => {}
        }
        if let Some(reason) = &self.reason {
            if self.action == BulkAction::Disable {
                errors.line("reason", reason, 500);
            } else {
                errors.add("reason", "Only disabling keeps a reason.");
            }
        }
        if let UserSet::Ids(ids) = &self.users
            && !(1..=MAX_BULK_IDS).contains(&ids.len())
        {
            errors.add("ids", format!("Name 1 to {MAX_BULK_IDS} users, or say which by a filter."));
        }
    }
}

/// What a job is to do; its kind with all it needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum JobPayload {
    /// Does one thing to many users.
    BulkUsers(BulkUsers),
    /// Creates users from a file.
    ImportUsers(ImportUsers),
    /// Brings up to date what lists of users go by.
    ReindexUsers,
}

/// Users to be created from a file; the file's text is the job's input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportUsers {
    /// How the file is written.
    pub format: ImportFormat,
    /// What separates the columns of CSV.
    pub delimiter: char,
    /// In how many pieces the file is stored, once it is there.
    pub pieces: i64,
    /// What the columns mean.
    pub columns: Columns,
    /// What happens to users that exist already.
    pub mode: ImportMode,
    /// Whether nothing is kept but the report.
    pub dry_run: bool,
    /// What the one who started it may do besides, by the names of permissions: fields that need another one are
    /// refused.
    pub allowed: Vec<String>,
}

impl JobPayload {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> JobKind {
        match self {
            Self::BulkUsers(_) => JobKind::BulkUsers,
            Self::ImportUsers(_) => JobKind::ImportUsers,
            Self::ReindexUsers => JobKind::ReindexUsers,
        }
    }

    /// What the one who starts or cancels it must hold, and hold still while it runs.
    #[must_use]
    pub const fn permission(&self) -> Permission {
        match self {
            Self::BulkUsers(bulk) => bulk.action.permission(),
            Self::ImportUsers(_) => Permission::UsersWrite,
            Self::ReindexUsers => Permission::SettingsWrite,
        }
    }

    /// What it does, for people.
    #[must_use]
    pub const fn title(&self) -> &'static str {
        match self {
            Self::BulkUsers(bulk) => match bulk.action {
                BulkAction::Delete => "Delete users",
                BulkAction::Enable => "Enable users",
                BulkAction::Disable => "Disable users",
                BulkAction::AddToGroup => "Add users to a group",
                BulkAction::RemoveFromGroup => "Remove users from a group",
                BulkAction::RequirePasswordReset => "Require password resets",
                BulkAction::EndSessions => "End sessions of users",
            },
            Self::ImportUsers(import) if import.dry_run => "Try out an import of users",
            Self::ImportUsers(_) => "Import users",
            Self::ReindexUsers => "Bring the list of users up to date",
        }
    }
}

/// A job.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Stable id.
    pub id: JobId,
    /// The realm it works in.
    pub realm_id: RealmId,
    /// What it is to do.
    pub payload: JobPayload,
    /// How far it is.
    pub state: JobState,
    /// How far it has come, in the words of its kind; `null` at first.
    pub progress: Value,
    /// How many steps of it are committed.
    pub step: i64,
    /// How many items it has, once that is known.
    pub total: Option<u64>,
    /// Items that were done.
    pub done: u64,
    /// Items for which there was nothing to do.
    pub skipped: u64,
    /// Items that were refused.
    pub failed: u64,
    /// Why it was given up, for people.
    pub error: Option<String>,
    /// Who started it; nobody for Denizen itself.
    pub created_by: Option<UserId>,
    /// Their name at that time.
    pub created_by_name: String,
    /// Whether it is to end at its next step.
    pub cancel_requested: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was first worked on.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

impl Job {
    /// How far it has come, as its kind wrote it; the default before its first step.
    ///
    /// # Errors
    /// When another kind wrote it.
    pub fn progress<T: DeserializeOwned + Default>(&self) -> Result<T, serde_json::Error> {
        if self.progress.is_null() { Ok(T::default()) } else { T::deserialize(&self.progress) }
    }

    /// How many of its items have an outcome.
    #[must_use]
    pub fn handled(&self) -> u64 {
        self.done + self.skipped + self.failed
    }

    /// What the one who cancels it must hold.
    #[must_use]
    pub fn permissions(&self) -> PermissionSet {
        PermissionSet::of(&[self.payload.permission()])
    }
}

/// What became of one item of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobItem {
    /// Its place in the job: the line of a file, or the order in which users were found.
    pub position: i64,
    /// What it is: the id of a user, where there is one.
    pub subject: String,
    /// What to call it.
    pub name: String,
    /// What became of it.
    pub outcome: ItemOutcome,
    /// Why, where there is something to say.
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imports::Mapping;

    #[test]
    fn a_payload_names_its_kind_and_survives_storage() {
        let payload = JobPayload::BulkUsers(BulkUsers {
            action: BulkAction::Disable,
            users: UserSet::Filter { query: "status=active".into(), expected_count: Some(3) },
            group_id: None,
            reason: Some("left".into()),
        });
        let text = serde_json::to_string(&payload).unwrap();
        assert!(text.starts_with(r#"{"kind":"bulk_users","action":"disable""#), "{text}");
        assert_eq!(serde_json::from_str::<JobPayload>(&text).unwrap(), payload);
        let import = ImportUsers {
            format: ImportFormat::Csv,
            delimiter: ';',
            pieces: 2,
            columns: Columns::resolve(vec!["email".into(), "attributes.x".into()], Mapping::default()).unwrap(),
            mode: ImportMode::Upsert,
            dry_run: true,
            allowed: vec!["roles:assign".into()],
        };
        for payload in [payload, JobPayload::ImportUsers(import), JobPayload::ReindexUsers] {
            let text = serde_json::to_value(&payload).unwrap();
            assert_eq!(text["kind"], payload.kind().as_str());
            assert_eq!(serde_json::from_value::<JobPayload>(text).unwrap(), payload);
        }
    }

    #[test]
    fn a_bulk_action_is_checked_field_by_field() {
        let check = |action, group_id, reason: Option<&str>, count: usize| {
            let id = UserId::new(Timestamp::from_secs(1), [0; 10]);
            let users = UserSet::Ids(vec![id; count]);
            let mut errors = FieldErrors::new();
            BulkUsers { action, users, group_id, reason: reason.map(str::to_owned) }.check(&mut errors);
            errors.iter().map(|(field, _)| field.to_owned()).collect::<Vec<_>>()
        };
        let group = Some(GroupId::new(Timestamp::from_secs(1), [0; 10]));
        assert!(check(BulkAction::Disable, None, Some("left"), 1).is_empty());
        assert_eq!(check(BulkAction::AddToGroup, None, None, 1), ["group_id"]);
        assert!(check(BulkAction::AddToGroup, group, None, 500).is_empty());
        assert_eq!(check(BulkAction::Enable, group, Some("x"), 0), ["group_id", "ids", "reason"]);
        assert_eq!(check(BulkAction::Enable, None, None, 501), ["ids"]);
    }
}
