//! Password hashing: argon2id (RFC 9106) on a bounded pool of its own threads; other systems' hashes ([`stored`]) are
//! checked there too, and made argon2id when their password is known.
//!
//! A hash takes some 15 ms of a core and 19 MiB. On the async threads it would stall everything else; unbounded, a burst
//! of sign-ins would take all memory. So there are as many threads as cores, each reusing its memory, a queue of fixed length
//! in which networks take turns ([`Turn`]), and [`HashError::Busy`] beyond it. Who gives up waiting costs nothing: their job
//! is skipped.
//!
//! A check against another system's hash is followed by one against the dummy, so that it never takes less than the
//! check for an unknown user does. It may take longer, by what the other system's hash costs, until the first
//! successful sign-in has replaced it: to hide that, everybody would have to wait for the dearest hash there is.

mod queue;
pub mod stored;

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use argon2::{Algorithm, Argon2, Block, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use tokio::sync::oneshot;

use super::secret::{Rng, Secret, constant_time_eq};
use queue::Queue;
pub use queue::Turn;
pub use stored::{HashFault, StoredHash};

/// Bytes of a new salt (RFC 9106, section 3.1).
const SALT_BYTES: usize = 16;
/// Bytes of a new hash.
const HASH_BYTES: usize = 32;
/// Memory that a thread keeps between jobs, in blocks of 1 KiB: a foreign hash with more is served, but its memory given back.
const KEPT_BLOCKS: usize = 64 * 1024;

/// The most memory that a hash may ask for, in KiB (1 GiB). An imported hash could otherwise ask for 4 TiB at each sign-in.
pub const MAX_MEMORY_KIB: u32 = 1024 * 1024;
/// The most passes over the memory that a hash may ask for.
pub const MAX_PASSES: u32 = 64;
/// The most lanes that a hash may ask for. They are computed one after the other.
pub const MAX_LANES: u32 = 64;

/// What a hash costs. The default is OWASP's recommendation of 19 MiB, 2 passes, 1 lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Default for Params {
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, passes: 2, lanes: 1 }
    }
}

impl Params {
    /// Memory in KiB (8 a lane to [`MAX_MEMORY_KIB`]), passes (1 to [`MAX_PASSES`]), lanes (1 to [`MAX_LANES`]).
    ///
    /// # Errors
    /// [`HashError::Params`] outside these bounds.
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, HashError> {
        let bounded = (1..=MAX_LANES).contains(&lanes)
            && (1..=MAX_PASSES).contains(&passes)
            && memory_kib <= MAX_MEMORY_KIB
            && memory_kib >= 8 * lanes;
        bounded.then_some(Self { memory_kib, passes, lanes }).ok_or(HashError::Params)
    }

    /// Memory in KiB.
    #[must_use]
    pub fn memory_kib(self) -> u32 {
        self.memory_kib
    }

    /// Passes over the memory.
    #[must_use]
    pub fn passes(self) -> u32 {
        self.passes
    }

    /// Lanes.
    #[must_use]
    pub fn lanes(self) -> u32 {
        self.lanes
    }

    /// Whether these cost an attacker less than `wanted`: less memory, or less memory times passes. Lanes don't count.
    fn is_weaker_than(self, wanted: Self) -> bool {
        let work = |params: Self| u64::from(params.memory_kib) * u64::from(params.passes);
        self.memory_kib < wanted.memory_kib || work(self) < work(wanted)
    }

    fn argon2(self) -> Result<argon2::Params, HashError> {
        argon2::Params::new(self.memory_kib, self.passes, self.lanes, Some(HASH_BYTES)).map_err(|_| HashError::Params)
    }
}

/// Why there is no answer. None of these says anything about the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// Too many are waiting: 503, try again.
    #[error("too many passwords are waiting to be hashed")]
    Busy,
    /// The stored hash is of no known form, or not whole.
    #[error("the stored password hash is malformed")]
    Malformed,
    /// The costs are out of bounds.
    #[error("the costs of the password hash are out of bounds")]
    Params,
    /// No memory for the hash.
    #[error("there is no memory for the password hash")]
    Memory,
    /// The hash failed in a way it never should; the thread lives on.
    #[error("the password hash failed")]
    Failed,
}

/// The answer to [`Hasher::verify`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Verdict {
    /// Whether it is the password.
    pub ok: bool,
    /// Whether the stored hash is weaker than the pool's parameters, or of another kind than argon2id version 19.
    /// Meaningful when `ok`: then is the moment to hash anew.
    pub needs_upgrade: bool,
}

/// How a [`Hasher`] is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Threads, each with its memory; at least one.
    pub threads: usize,
    /// How many may wait while all threads work.
    pub queue: usize,
    /// The cost of new hashes, which decides [`Verdict::needs_upgrade`] and the cost of [`Hasher::verify_dummy`].
    pub params: Params,
}

impl Default for Config {
    /// As many threads as the machine runs at once, 512 waiting, default costs.
    fn default() -> Self {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        Self { threads, queue: 512, params: Params::default() }
    }
}

/// The pool, as somebody uses it. Clones share it; its threads end when the last clone is gone.
#[derive(Clone)]
pub struct Hasher {
    jobs: Arc<Open>,
    turn: Turn,
    rng: Rng,
    params: Params,
    dummy: Arc<str>,
}

impl Hasher {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(config: &Config, rng: Rng) -> io::Result<Self> {
        let threads = config.threads.max(1);
        let jobs = Open(Arc::new(Queue::new(threads, config.queue)));
        for number in 0..threads {
            let queue = jobs.0.clone();
            thread::Builder::new().name(format!("password-{number}")).spawn(move || work(&queue))?;
        }
        // No password is known to have this hash, and checking one against it costs what any check costs.
        let dummy = phc(config.params, &rng.bytes::<SALT_BYTES>(), &rng.bytes::<HASH_BYTES>()).into();
        Ok(Self { jobs: Arc::new(jobs), turn: Turn::Own, rng, params: config.params, dummy })
    }

    /// The same pool for those of this turn.
    #[must_use]
    pub fn on_turn(&self, turn: Turn) -> Self {
        Self { turn, ..self.clone() }
    }

    /// The cost of new hashes.
    #[must_use]
    pub fn params(&self) -> Params {
        self.params
    }

    /// How many are waiting now.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.jobs.0.len()
    }

    /// Hashes a password with a new salt, to a PHC string: `$argon2id$v=19$m=…,t=…,p=…$salt$hash`.
    ///
    /// # Errors
    /// [`HashError::Busy`] and, never in practice, the others.
    pub async fn hash(&self, password: Secret, params: Params) -> Result<String, HashError> {
        let salt = self.rng.bytes();
        self.run(move |memory| hash(&password, params, &salt, memory)).await
    }

    /// Checks a password against a stored hash of any form that [`StoredHash`] knows.
    ///
    /// # Errors
    /// [`HashError::Busy`]; [`HashError::Malformed`] and [`HashError::Params`] for a hash that can't be checked.
    pub async fn verify(&self, password: Secret, stored: String) -> Result<Verdict, HashError> {
        let (wanted, dummy) = (self.params, self.dummy.clone());
        self.run(move |memory| verify(&password, &stored, wanted, &dummy, memory)).await
    }

    /// Costs what [`Hasher::verify`] costs with the current parameters and never succeeds: for an unknown user, so that
    /// the time of the answer doesn't tell who exists.
    ///
    /// # Errors
    /// [`HashError::Busy`], exactly when `verify` would be.
    pub async fn verify_dummy(&self, password: Secret) -> Result<Verdict, HashError> {
        self.verify(password, self.dummy.as_ref().to_owned()).await.map(|_| Verdict { ok: false, needs_upgrade: false })
    }

    async fn run<T, F>(&self, task: F) -> Result<T, HashError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Vec<Block>) -> Result<T, HashError> + Send + 'static,
    {
        let (answer, wait) = oneshot::channel();
        let job = Job(Box::new(move |memory| {
            // The caller is gone: a closed connection must not burn a core.
            if answer.is_closed() {
                return;
            }
            let result = catch_unwind(AssertUnwindSafe(|| task(memory)));
            // Nobody waiting any more is no error.
            let _ = answer.send(result.unwrap_or(Err(HashError::Failed)));
        }));
        if !self.jobs.0.push(self.turn, job) {
            return Err(HashError::Busy);
        }
        wait.await.unwrap_or(Err(HashError::Failed))
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher").field("params", &self.params).field("waiting", &self.waiting()).finish_non_exhaustive()
    }
}

/// Given the thread's memory. Never unwinds: what may panic in it is caught within.
type Task = dyn FnOnce(&mut Vec<Block>) + Send;

struct Job(Box<Task>);

/// The queue, while anybody may still add to it.
struct Open(Arc<Queue<Job>>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// A thread's life: ends when the queue is closed and empty.
fn work(jobs: &Queue<Job>) {
    // Not wiped between jobs: each overwrites what it uses, and wiping is one more pass over it.
    let mut memory = Vec::new();
    while let Some((turn, Job(job))) = jobs.pop() {
        job(&mut memory);
        jobs.done(turn);
        if memory.len() > KEPT_BLOCKS {
            memory = Vec::new();
        }
    }
}

fn hash(
    password: &Secret,
    params: Params,
    salt: &[u8; SALT_BYTES],
    memory: &mut Vec<Block>,
) -> Result<String, HashError> {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.argon2()?);
    let mut out = [0; HASH_BYTES];
    compute(&argon2, password, salt, &mut out, memory)?;
    Ok(phc(params, salt, &out))
}

fn verify(
    password: &Secret,
    stored: &str,
    wanted: Params,
    dummy: &str,
    memory: &mut Vec<Block>,
) -> Result<Verdict, HashError> {
    let stored = StoredHash::parse(stored)?;
    let needs_upgrade = stored.needs_upgrade(wanted);
    if !stored.is_legacy() {
        return Ok(Verdict { ok: verify_argon2(password, &stored, memory)?, needs_upgrade });
    }
    let fits = password.expose().len() <= stored::MAX_LEGACY_PASSWORD;
    let ok = fits && stored.verify_legacy(password)?;
    verify_argon2(password, &StoredHash::parse(dummy)?, memory)?;
    Ok(Verdict { ok, needs_upgrade })
}

fn verify_argon2(password: &Secret, stored: &StoredHash, memory: &mut Vec<Block>) -> Result<bool, HashError> {
    let StoredHash::Argon2 { algorithm, version, params, salt, hash } = stored else { return Err(HashError::Failed) };
    let mut actual = vec![0; hash.len()];
    let params = argon2::Params::new(params.memory_kib, params.passes, params.lanes, Some(hash.len()))
        .map_err(|_| HashError::Params)?;
    compute(&Argon2::new(*algorithm, *version, params), password, salt, &mut actual, memory)?;
    Ok(constant_time_eq(&actual, hash))
}

fn compute(
    argon2: &Argon2<'_>,
    password: &Secret,
    salt: &[u8],
    out: &mut [u8],
    memory: &mut Vec<Block>,
) -> Result<(), HashError> {
    let blocks = argon2.params().block_count();
    if let Some(missing) = blocks.checked_sub(memory.len()) {
        memory.try_reserve_exact(missing).map_err(|_| HashError::Memory)?;
        memory.resize(blocks, Block::new());
    }
    let memory = memory.get_mut(..blocks).ok_or(HashError::Memory)?;
    argon2
        .hash_password_into_with_memory(password.expose().as_bytes(), salt, out, memory)
        .map_err(|_| HashError::Failed)
}

/// The PHC string: <https://github.com/P-H-C/phc-string-format>.
fn phc(params: Params, salt: &[u8], hash: &[u8]) -> String {
    let Params { memory_kib, passes, lanes } = params;
    let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
    format!("$argon2id$v=19$m={memory_kib},t={passes},p={lanes}${salt}${hash}")
}

#[cfg(test)]
mod tests;
