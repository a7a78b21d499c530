//! The database: two async verbs over closures that cannot await.
//!
//! Every connection belongs to a thread of its own that takes closures from a queue, so neither engine ever
//! runs on an async thread (but for [`Db::peek`] on SQLite, whose point reads cost less than the hand-over).
//!
//! On SQLite all writes go to one thread. It takes what is waiting, runs each closure in a savepoint, and
//! commits them together: one fsync for many acknowledgements. On PostgreSQL each write is a transaction on a
//! pooled connection, run again after a deadlock or a serialization failure.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{Arc, Mutex, TryLockError},
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use denizen_model::Timestamp;
use tokio::sync::oneshot;

use crate::{
    audit::AuditKey,
    conn::{
        Conn, Engine,
        postgres::{self, PgConn},
        sqlite,
    },
    epoch::{self, Epoch},
    error::{Error, Result},
    migrations,
    tx::{Audited, ReadTx, WriteTx},
};

/// How many closures may wait for a connection before new ones are refused.
const QUEUE: usize = 4096;
/// How long a closure may wait before it is refused.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many writes share a commit at the most, and for how long one batch collects them.
const BATCH: usize = 512;
const BATCH_TIME: Duration = Duration::from_millis(25);

/// Where the data is.
#[derive(Debug, Clone)]
pub enum Location {
    /// An embedded database in this file.
    Sqlite(PathBuf),
    /// A PostgreSQL server at this `postgres://…` address.
    Postgres(String),
}

/// The source of randomness that storage draws salts from.
pub type FillRandom = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// The database.
#[derive(Clone)]
pub struct Db {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    reads: Sender<Box<dyn Work>>,
    writes: Sender<Box<dyn Work>>,
    /// SQLite connections for point reads on the calling thread.
    inline: Vec<Mutex<Conn>>,
    shared: Arc<Shared>,
}

struct Shared {
    audit: AuditKey,
    random: FillRandom,
    epoch: Epoch,
}

impl AsRef<Epoch> for Shared {
    fn as_ref(&self) -> &Epoch {
        &self.epoch
    }
}

/// A closure in a queue.
trait Work: Send {
    /// Runs it; whether its changes are to be kept.
    fn run(&mut self, conn: &mut Conn, shared: &Shared) -> bool;
    /// Tells the one who waits, once it is known whether the changes are kept.
    fn finish(self: Box<Self>, commit: Result<()>);
    /// Whether nobody waits any longer, or has waited too long.
    fn is_stale(&self) -> bool;
}

impl Db {
    /// Opens the database, brings its schema up to date and starts its threads.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it cannot be reached, [`Error::NotWritable`] when it may not be written to.
    pub fn open(location: &Location, now: Timestamp, random: FillRandom) -> Result<Self> {
        let shared = Arc::new(Shared { audit: AuditKey::default(), random, epoch: Epoch::default() });
        let cores = thread::available_parallelism().map_or(2, usize::from);
        let (reads, read_queue) = bounded(QUEUE);
        let (writes, write_queue) = bounded(QUEUE);
        let mut inline = Vec::new();
        let engine = match location {
            Location::Sqlite(path) => {
                let mut writer = Conn::Sqlite(sqlite::open(path, true)?);
                migrations::run(&mut writer, now)?;
                let work = shared.clone();
                spawn("denizen-writer", move || sqlite_writer(writer, &write_queue, &work))?;
                for _ in 0..cores.clamp(2, 8) {
                    let conn = Conn::Sqlite(sqlite::open(path, false)?);
                    let (queue, work) = (read_queue.clone(), shared.clone());
                    spawn("denizen-reader", move || serve(conn, &queue, &work, run_plain))?;
                    inline.push(Mutex::new(Conn::Sqlite(sqlite::open(path, false)?)));
                }
                shared.epoch.set_heard(true);
                Engine::Sqlite
            }
            Location::Postgres(url) => {
                let config = postgres::parse(url)?;
                // The first connection is made here so that a wrong address is an error at start. Its thread
                // ends before this returns: a PostgreSQL client must not be dropped on an async thread.
                let first = config.clone();
                let migrated = thread::scope(|scope| {
                    let run = move || {
                        let mut conn = Conn::Postgres(Box::new(PgConn::new(first)));
                        migrations::run(&mut conn, now)
                    };
                    scope.spawn(run).join()
                });
                migrated.map_err(|_| Error::Internal("the migration thread panicked".to_owned()))??;
                let threads = (cores * 4).clamp(8, 32);
                for _ in 0..threads {
                    let (queue, work, config) = (read_queue.clone(), shared.clone(), config.clone());
                    let conn = move || Conn::Postgres(Box::new(PgConn::new(config)));
                    spawn("denizen-reader", move || serve(conn(), &queue, &work, run_plain))?;
                }
                for _ in 0..threads {
                    let (queue, work, config) = (write_queue.clone(), shared.clone(), config.clone());
                    let conn = move || Conn::Postgres(Box::new(PgConn::new(config)));
                    spawn("denizen-writer", move || serve(conn(), &queue, &work, run_postgres_write))?;
                }
                let (config, watched) = (config.clone(), Arc::downgrade(&shared));
                spawn("denizen-listener", move || epoch::listen(&config, &|| watched.upgrade()))?;
                Engine::Postgres
            }
        };
        Ok(Self { inner: Arc::new(Inner { engine, reads, writes, inline, shared }) })
    }

    /// Which engine this is.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.inner.engine
    }

    /// Gives the key under which events are chained; needed before the first event.
    pub fn set_audit_key(&self, key: &[u8; 32]) {
        self.inner.shared.audit.set(key);
    }

    /// A number that grows whenever configuration changes on any node; what was read before it grew may be
    /// stale. `None` while this node cannot hear of changes: then nothing may be served from a cache.
    #[must_use]
    pub fn config_epoch(&self) -> Option<u64> {
        self.inner.shared.epoch.get()
    }

    /// Tells this node that configuration has changed; others hear of it by [`WriteTx::announce`].
    pub fn config_changed(&self) {
        self.inner.shared.epoch.advance();
    }

    /// The key under which events are chained.
    pub(crate) fn audit_key(&self) -> &AuditKey {
        &self.inner.shared.audit
    }

    /// Reads on a pooled connection.
    ///
    /// # Errors
    /// What the closure answers, or [`Error::Unavailable`] when the database is gone or overloaded.
    pub async fn read<T, E, F>(&self, f: F) -> std::result::Result<T, E>
    where
        F: FnMut(&mut ReadTx<'_>) -> std::result::Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let mut f = f;
        let call = move |conn: &mut Conn, _: &Shared| f(&mut ReadTx::new(conn));
        submit(&self.inner.reads, call).await
    }

    /// Reads a row or two by their keys. On SQLite this runs on the calling thread, where it costs a few
    /// microseconds; a closure that scans does not belong here.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn peek<T, E, F>(&self, mut f: F) -> std::result::Result<T, E>
    where
        F: FnMut(&mut ReadTx<'_>) -> std::result::Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        for slot in &self.inner.inline {
            let mut conn = match slot.try_lock() {
                Ok(conn) => conn,
                // A closure that panicked here read only; the connection is as good as before.
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => continue,
            };
            return f(&mut ReadTx::new(&mut conn));
        }
        self.read(f).await
    }

    /// Writes in one transaction, whose changes are durable when this answers `Ok`. The closure may run more
    /// than once: on PostgreSQL after a deadlock.
    ///
    /// # Errors
    /// What the closure answers; [`Error::Unavailable`] or [`Error::NotWritable`] when nothing was stored.
    pub async fn write<T, E, F>(&self, f: F) -> std::result::Result<T, E>
    where
        F: FnMut(WriteTx<'_>) -> std::result::Result<Audited<T>, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let mut f = f;
        let call = move |conn: &mut Conn, shared: &Shared| {
            f(WriteTx::new(conn, &shared.audit, shared.random.as_ref())).map(Audited::into_inner)
        };
        submit(&self.inner.writes, call).await
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<()> {
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(body);
    spawned.map(drop).map_err(|error| Error::Unavailable(format!("cannot start a thread: {error}")))
}

struct Call<F, T, E> {
    f: F,
    outcome: Option<std::result::Result<T, E>>,
    reply: oneshot::Sender<std::result::Result<T, E>>,
    since: Instant,
}

impl<F, T, E> Work for Call<F, T, E>
where
    F: FnMut(&mut Conn, &Shared) -> std::result::Result<T, E> + Send,
    T: Send,
    E: From<Error> + Send,
{
    fn run(&mut self, conn: &mut Conn, shared: &Shared) -> bool {
        let outcome = catch_unwind(AssertUnwindSafe(|| (self.f)(conn, shared)));
        let outcome = outcome.unwrap_or_else(|_| Err(Error::Internal("a storage closure panicked".to_owned()).into()));
        let keep = outcome.is_ok();
        self.outcome = Some(outcome);
        keep
    }

    fn finish(self: Box<Self>, commit: Result<()>) {
        let answer = match (commit, self.outcome) {
            (_, Some(Err(own))) => Err(own),
            (Ok(()), Some(value)) => value,
            (Err(error), _) => Err(error.into()),
            (Ok(()), None) => Err(Error::Internal("a storage closure was not run".to_owned()).into()),
        };
        // Nobody waits when the request was dropped; what was committed stays so.
        let _ = self.reply.send(answer);
    }

    fn is_stale(&self) -> bool {
        self.reply.is_closed() || self.since.elapsed() > PATIENCE
    }
}

async fn submit<T, E, F>(queue: &Sender<Box<dyn Work>>, f: F) -> std::result::Result<T, E>
where
    F: FnMut(&mut Conn, &Shared) -> std::result::Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    let call = Box::new(Call { f, outcome: None, reply, since: Instant::now() });
    match queue.try_send(call) {
        Ok(()) => {}
        Err(TrySendError::Full(_)) => return Err(Error::Unavailable("too many requests are waiting".to_owned()).into()),
        Err(TrySendError::Disconnected(_)) => return Err(Error::Unavailable("shutting down".to_owned()).into()),
    }
    answer.await.unwrap_or_else(|_| Err(Error::Unavailable("the database thread ended".to_owned()).into()))
}

fn too_late() -> Result<()> {
    Err(Error::Unavailable("waited too long for a connection".to_owned()))
}

/// A thread with one connection that runs one closure after the other.
fn serve(
    mut conn: Conn,
    queue: &Receiver<Box<dyn Work>>,
    shared: &Shared,
    run: fn(&mut Conn, &mut dyn Work, &Shared) -> Result<()>,
) {
    while let Ok(mut work) = queue.recv() {
        let done = if work.is_stale() { too_late() } else { run(&mut conn, work.as_mut(), shared) };
        work.finish(done);
    }
}

fn run_plain(conn: &mut Conn, work: &mut dyn Work, shared: &Shared) -> Result<()> {
    begin_attempt(conn);
    if !work.run(conn, shared) && may_try_again(conn) {
        // A connection that was idle may have been lost unnoticed, with the server that held it.
        begin_attempt(conn);
        work.run(conn, shared);
    }
    Ok(())
}

fn begin_attempt(conn: &mut Conn) {
    if let Conn::Postgres(pg) = conn {
        pg.saw_transient = false;
    }
}

fn may_try_again(conn: &Conn) -> bool {
    matches!(conn, Conn::Postgres(pg) if pg.saw_transient)
}

/// One transaction on PostgreSQL, up to five times. Once `COMMIT` was sent there is no second attempt: it may
/// have been carried out although its answer was lost.
fn run_postgres_write(conn: &mut Conn, work: &mut dyn Work, shared: &Shared) -> Result<()> {
    let mut outcome = Ok(());
    for attempt in 1..=5 {
        begin_attempt(conn);
        outcome = conn.script("BEGIN");
        if outcome.is_ok() {
            if work.run(conn, shared) {
                return conn.script("COMMIT");
            }
            if !may_try_again(conn) {
                return conn.script("ROLLBACK");
            }
            let _ = conn.script("ROLLBACK");
        } else if !may_try_again(conn) {
            return outcome;
        }
        thread::sleep(Duration::from_millis(5 * attempt));
    }
    outcome
}

/// The one thread that writes to SQLite.
fn sqlite_writer(mut conn: Conn, queue: &Receiver<Box<dyn Work>>, shared: &Shared) {
    while let Ok(first) = queue.recv() {
        let mut kept = Vec::new();
        let outcome = sqlite_batch(&mut conn, first, queue, shared, &mut kept);
        if outcome.is_err() {
            let _ = conn.script("ROLLBACK");
        }
        for work in kept {
            work.finish(outcome.clone());
        }
    }
}

/// Runs what is waiting, each in a savepoint, and commits it together. Works that are to be kept are left in
/// `kept`, so that they are told the outcome of the commit; the others are told at once.
///
/// While nothing is kept the transaction itself serves as the savepoint: SQLite would keep a copy of every page that
/// was changed since one, which costs an import half its time.
fn sqlite_batch(
    conn: &mut Conn,
    first: Box<dyn Work>,
    queue: &Receiver<Box<dyn Work>>,
    shared: &Shared,
    kept: &mut Vec<Box<dyn Work>>,
) -> Result<()> {
    let started = Instant::now();
    if let Err(error) = conn.script("BEGIN IMMEDIATE") {
        first.finish(Err(error.clone()));
        return Err(error);
    }
    let mut next = Some(first);
    while let Some(mut work) = next.take() {
        if work.is_stale() {
            work.finish(too_late());
        } else {
            let alone = kept.is_empty();
            if !alone {
                conn.script("SAVEPOINT work")?;
            }
            let keep = work.run(conn, shared);
            // A full disk makes SQLite give up the whole transaction, not the savepoint alone.
            if matches!(conn, Conn::Sqlite(sqlite) if sqlite.is_autocommit()) {
                kept.push(work);
                return Err(Error::NotWritable("the disk is full or failing".to_owned()));
            }
            let ended = match (keep, alone) {
                (true, true) => Ok(()),
                (true, false) => conn.script("RELEASE work"),
                (false, true) => conn.script("ROLLBACK; BEGIN IMMEDIATE"),
                (false, false) => conn.script("ROLLBACK TO work; RELEASE work"),
            };
            if keep {
                kept.push(work);
            } else {
                work.finish(Ok(()));
            }
            ended?;
        }
        if kept.len() < BATCH && started.elapsed() < BATCH_TIME {
            next = queue.try_recv().ok();
        }
    }
    conn.script("COMMIT")
}
