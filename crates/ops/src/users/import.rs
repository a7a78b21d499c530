//! Imports (PRODUCT §5): a file is uploaded in pieces, its columns are given their meaning, and a job goes through it,
//! piece by piece.
//!
//! * this file: the upload, the look at its columns, the start;
//! * [`prepare`]: what can be told of a row without the database;
//! * [`apply`]: what becomes of the rows of a piece, in its transaction.
//!
//! Users are known by their username. So a file can be imported twice, and an import that broke off can be started
//! again: who is there already is left alone, or found to be as the file says.

pub(crate) mod apply;
pub(crate) mod prepare;

use denizen_model::{
    JobId, RealmId,
    events::EventType,
    imports::{
        Columns, ImportField, ImportFormat, ImportMode, InputFault, LastPieces, Mapping, Pieces, preview as look,
    },
    jobs::{ImportUsers, Job, JobPayload},
    permissions::{Permission, markers::UsersWrite},
    validation::FieldErrors,
};
use denizen_store::{self as store, Events, ReadTx};

use crate::{Actor, App, Cx, Error, May, Result, cx::Detail, jobs};

/// How many rows a preview shows.
const SHOWN: usize = 5;
/// The longest text that a preview shows of a value, in characters.
const SHOWN_CHARS: usize = 100;

/// A file that is being uploaded. What is given up is removed within a day, or at once by [`Upload::give_up`].
pub struct Upload {
    app: App,
    job: Job,
    import: ImportUsers,
    pieces: Pieces,
}

/// Begins the upload of a file.
///
/// # Errors
/// When the database fails.
pub async fn begin(app: &App, cx: &Cx, may: &May<UsersWrite>, format: ImportFormat) -> Result<Upload> {
    let import = ImportUsers {
        format,
        delimiter: ',',
        pieces: 0,
        columns: Columns::keys(Mapping::default()),
        mode: ImportMode::Create,
        dry_run: true,
        allowed: Vec::new(),
    };
    let job = jobs::prepare(app, cx, may.realm(), JobPayload::ImportUsers(import.clone()))?;
    let stored = job.clone();
    app.db()
        .write(move |mut tx| {
            store::jobs::insert(&mut tx, &stored, true)?;
            Ok::<_, Error>(tx.unaudited("the start of the import has its event", ())?)
        })
        .await?;
    Ok(Upload { app: app.clone(), job, import, pieces: Pieces::new(format) })
}

impl From<InputFault> for Error {
    fn from(fault: InputFault) -> Self {
        Self::field("file", fault.to_string())
    }
}

impl Upload {
    /// The job that will go through the file.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.job.id
    }

    /// Takes the next bytes of the file.
    ///
    /// # Errors
    /// When the file is not UTF-8, a row is too long, or the database fails.
    pub async fn push(&mut self, bytes: &[u8]) -> Result<()> {
        let pieces = self.pieces.push(bytes)?;
        self.store(pieces).await
    }

    async fn store(&mut self, pieces: Vec<String>) -> Result<()> {
        for piece in pieces {
            let (id, part) = (self.job.id, self.import.pieces);
            self.app
                .db()
                .write(move |mut tx| {
                    store::jobs::add_input(&mut tx, id, part, &piece)?;
                    Ok::<_, Error>(tx.unaudited("the start of the import has its event", ())?)
                })
                .await?;
            self.import.pieces += 1;
        }
        Ok(())
    }

    /// Ends the upload; the import can be [started](start) then.
    ///
    /// # Errors
    /// When there is nothing in the file, its end cannot be read, or the database fails.
    pub async fn finish(mut self) -> Result<JobId> {
        let pieces = std::mem::replace(&mut self.pieces, Pieces::new(self.import.format));
        let LastPieces { pieces, delimiter, rows } = pieces.finish()?;
        self.store(pieces).await?;
        let header = u64::from(self.import.format == ImportFormat::Csv);
        let Some(rows) = rows.checked_sub(header).filter(|_| rows > 0) else {
            return Err(Error::field("file", "The file is empty."));
        };
        self.import.delimiter = char::from(delimiter);
        let (id, payload) = (self.job.id, JobPayload::ImportUsers(self.import));
        self.app
            .db()
            .write(move |mut tx| {
                store::jobs::set_payload(&mut tx, id, &payload, Some(rows))?;
                Ok::<_, Error>(tx.unaudited("the start of the import has its event", ())?)
            })
            .await?;
        Ok(id)
    }

    /// Removes what was uploaded so far.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn give_up(app: &App, realm: RealmId, id: JobId) -> Result<()> {
        app.db()
            .write(move |mut tx| {
                store::jobs::discard(&mut tx, realm, id)?;
                Ok::<_, Error>(tx.unaudited("nothing was imported", ())?)
            })
            .await
    }
}

/// What a file looks like, before it is imported.
#[derive(Debug, Clone)]
pub struct Preview {
    /// How the file is written.
    pub format: ImportFormat,
    /// How many rows it has.
    pub rows: u64,
    /// What was chosen when it was tried out; else the defaults.
    pub mode: ImportMode,
    /// Its columns, each with what it was said or seems to mean.
    pub columns: Vec<(String, Option<ImportField>)>,
    /// The first rows.
    pub first: Vec<Vec<String>>,
}

/// An upload that was not started yet, in a transaction: the job and the first piece.
fn uploaded(tx: &mut ReadTx<'_>, cx: &Cx, realm: RealmId, id: JobId) -> Result<(Job, ImportUsers, String)> {
    let gone = || Error::not_found("upload");
    let job = store::jobs::find(tx, realm, id)?.ok_or_else(gone)?;
    let JobPayload::ImportUsers(import) = job.payload.clone() else { return Err(gone()) };
    // What the import may do is what its uploader may.
    let own = match &cx.actor {
        Actor::Administrator(admin) => job.created_by == Some(admin.id),
        Actor::System(_) => job.created_by.is_none(),
        _ => false,
    };
    if !own || import.pieces == 0 {
        return Err(gone());
    }
    if !store::jobs::is_waiting(tx, realm, id)? {
        return Err(Error::conflict("import-started", "This import was started already."));
    }
    let first = store::jobs::find_input(tx, id, 0)?.ok_or_else(gone)?;
    Ok((job, import, first))
}

fn delimiter(import: &ImportUsers) -> u8 {
    u8::try_from(import.delimiter).unwrap_or(b',')
}

/// The columns of an uploaded file and its first rows.
///
/// # Errors
/// When there is no such upload, or its beginning cannot be read.
pub async fn preview(app: &App, cx: &Cx, may: &May<UsersWrite>, id: JobId) -> Result<Preview> {
    let (cx2, realm) = (cx.clone(), may.realm());
    let (job, import, first) = app.db().read(move |tx| uploaded(tx, &cx2, realm, id)).await?;
    let (names, mut first) =
        look(import.format, &first, delimiter(&import), SHOWN).map_err(|message| Error::field("file", message))?;
    for value in first.iter_mut().flatten() {
        if value.chars().count() > SHOWN_CHARS {
            *value = value.chars().take(SHOWN_CHARS).chain(['…']).collect();
        }
    }
    let meaning = |name: &str| match import.columns.mapping.0.get(name) {
        Some(field) => field.clone(),
        None => ImportField::guess(name),
    };
    let columns = names.iter().map(|name| (name.trim().to_owned(), meaning(name.trim()))).collect();
    Ok(Preview { format: import.format, rows: job.total.unwrap_or(0), mode: import.mode, columns, first })
}

/// How an uploaded file is to be imported.
#[derive(Debug, Clone)]
pub struct Options {
    /// What the columns mean, where their names do not say so.
    pub mapping: Mapping,
    /// What happens to users that exist already.
    pub mode: ImportMode,
    /// Whether nothing is kept but the report.
    pub dry_run: bool,
}

/// What a field takes besides `users:write`.
pub(crate) fn needed(field: &ImportField) -> Option<Permission> {
    match field {
        ImportField::PasswordHash => Some(Permission::CredentialsSet),
        ImportField::Roles => Some(Permission::RolesAssign),
        ImportField::Groups => Some(Permission::GroupsWrite),
        ImportField::Organizations => Some(Permission::OrganizationsWrite),
        _ => None,
    }
}

/// What fields may take.
pub(crate) const NEEDED: [Permission; 4] =
    [Permission::CredentialsSet, Permission::RolesAssign, Permission::GroupsWrite, Permission::OrganizationsWrite];

/// Starts an import whose file was uploaded.
///
/// # Errors
/// When a column is unknown, or holds what the actor may not set.
pub async fn start(app: &App, cx: &Cx, may: &May<UsersWrite>, id: JobId, options: Options) -> Result<Job> {
    let (cx2, realm) = (cx.clone(), may.realm());
    let (_, mut import, first) = app.db().read(move |tx| uploaded(tx, &cx2, realm, id)).await?;
    let (names, _) =
        look(import.format, &first, delimiter(&import), 0).map_err(|message| Error::field("file", message))?;
    let columns = match import.format {
        ImportFormat::Csv => Columns::resolve(names, options.mapping)?,
        ImportFormat::Jsonl => {
            let mut errors = FieldErrors::new();
            let mut columns = Columns::keys(options.mapping);
            for name in &names {
                match columns.of_key(name) {
                    Ok(field) => columns.fields.push(field),
                    Err(message) => errors.add("columns", format!("{name:?}: {message}")),
                }
            }
            errors.into_result()?;
            columns
        }
    };
    for permission in columns.fields.iter().flatten().filter_map(needed) {
        cx.check(realm, permission)?;
    }
    if import.format == ImportFormat::Jsonl {
        columns_are_keys(&mut import, columns);
    } else {
        import.columns = columns;
    }
    let allowed = NEEDED.iter().filter(|permission| cx.check(realm, **permission).is_ok());
    import.allowed = allowed.map(|permission| permission.as_str().to_owned()).collect();
    (import.mode, import.dry_run) = (options.mode, options.dry_run);
    let (app2, cx2) = (app.clone(), cx.clone());
    let job = app
        .write(cx, move |mut tx| {
            let (mut job, _, _) = uploaded(&mut tx, &cx2, realm, id)?;
            job.payload = JobPayload::ImportUsers(import.clone());
            store::jobs::set_payload(&mut tx, id, &job.payload, job.total)?;
            if !store::jobs::start(&mut tx, id)? {
                return Err(Error::conflict("import-started", "This import was started already."));
            }
            let event = cx2
                .event(&app2, realm, EventType::JobCreated, jobs::subject(&job))
                .detail("kind", job.payload.kind().as_str())
                .detail("title", job.payload.title())
                .detail("format", import.format.as_str())
                .detail("mode", import.mode.as_str())
                .detail("dry_run", import.dry_run)
                .detail("rows", job.total);
            Ok(tx.commit(Events::from(event), job)?)
        })
        .await?;
    app.job_bell().notify_one();
    Ok(job)
}

/// Of JSON Lines later lines may have other keys, so only what was said about them is kept.
fn columns_are_keys(import: &mut ImportUsers, columns: Columns) {
    import.columns = Columns::keys(columns.mapping);
}
