//! Password hashing: argon2id (RFC 9106) on a bounded pool of its own threads.
//!
//! A hash takes some 15 ms of a core and 19 MiB. On the async threads it would stall everything else; unbounded, a burst
//! of sign-ins would take all memory. So there are as many threads as cores, each reusing its memory, a queue of fixed length,
//! and [`HashError::Busy`] beyond it. Who gives up waiting costs nothing: their job is skipped.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Block, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use crossbeam_channel::{Receiver, Sender, TrySendError};
use tokio::sync::oneshot;

use super::secret::{Rng, Secret, constant_time_eq};

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
    /// The stored hash isn't an argon2 PHC string with salt and hash.
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

/// The pool. Clones share it; its threads end when the last clone is gone.
#[derive(Clone)]
pub struct Hasher {
    jobs: Sender<Job>,
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
        let (jobs, receiver) = crossbeam_channel::bounded(config.queue);
        for number in 0..config.threads.max(1) {
            let receiver = receiver.clone();
            thread::Builder::new().name(format!("password-{number}")).spawn(move || work(&receiver))?;
        }
        // No password is known to have this hash, and checking one against it costs what any check costs.
        let dummy = phc(config.params, &rng.bytes::<SALT_BYTES>(), &rng.bytes::<HASH_BYTES>()).into();
        Ok(Self { jobs, rng, params: config.params, dummy })
    }

    /// The cost of new hashes.
    #[must_use]
    pub fn params(&self) -> Params {
        self.params
    }

    /// How many are waiting now.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.jobs.len()
    }

    /// Hashes a password with a new salt, to a PHC string: `$argon2id$v=19$m=…,t=…,p=…$salt$hash`.
    ///
    /// # Errors
    /// [`HashError::Busy`] and, never in practice, the others.
    pub async fn hash(&self, password: Secret, params: Params) -> Result<String, HashError> {
        let salt = self.rng.bytes();
        self.run(move |memory| hash(&password, params, &salt, memory)).await
    }

    /// Checks a password against a PHC string of argon2id, argon2i or argon2d.
    ///
    /// # Errors
    /// [`HashError::Busy`]; [`HashError::Malformed`] and [`HashError::Params`] for a hash that can't be checked.
    pub async fn verify(&self, password: Secret, phc: String) -> Result<Verdict, HashError> {
        let wanted = self.params;
        self.run(move |memory| verify(&password, &phc, wanted, memory)).await
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
        match self.jobs.try_send(job) {
            Ok(()) => wait.await.unwrap_or(Err(HashError::Failed)),
            Err(TrySendError::Full(_)) => Err(HashError::Busy),
            Err(TrySendError::Disconnected(_)) => Err(HashError::Failed),
        }
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

/// A thread's life: ends when every sender is gone and the queue is empty.
fn work(jobs: &Receiver<Job>) {
    // Not wiped between jobs: each overwrites what it uses, and wiping is one more pass over it.
    let mut memory = Vec::new();
    for Job(job) in jobs {
        job(&mut memory);
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

fn verify(password: &Secret, phc: &str, wanted: Params, memory: &mut Vec<Block>) -> Result<Verdict, HashError> {
    let parsed = PasswordHash::new(phc).map_err(|_| HashError::Malformed)?;
    let (Some(salt), Some(expected)) = (&parsed.salt, &parsed.hash) else {
        return Err(HashError::Malformed);
    };
    let algorithm = Algorithm::try_from(parsed.algorithm.as_str()).map_err(|_| HashError::Malformed)?;
    // Strings from before version 19 carry none (argon2's reference implementation, encoding.c).
    let version = Version::try_from(parsed.version.unwrap_or(0x10)).map_err(|_| HashError::Malformed)?;
    let raw = argon2::Params::try_from(&parsed).map_err(|_| HashError::Malformed)?;
    let params = Params::new(raw.m_cost(), raw.t_cost(), raw.p_cost())?;

    let needs_upgrade = algorithm != Algorithm::Argon2id
        || version != Version::V0x13
        || params.is_weaker_than(wanted)
        || salt.len() < SALT_BYTES
        || expected.len() < HASH_BYTES;

    let mut actual = vec![0; expected.len()];
    compute(&Argon2::new(algorithm, version, raw), password, salt, &mut actual, memory)?;
    Ok(Verdict { ok: constant_time_eq(&actual, expected.as_bytes()), needs_upgrade })
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
mod tests {
    use super::*;
    use std::future::Future as _;
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::task::{Context, Waker};
    use std::time::Duration;

    const CHEAP: Params = Params { memory_kib: 64, passes: 1, lanes: 1 };

    fn hasher(threads: usize, queue: usize, params: Params) -> Hasher {
        Hasher::start(&Config { threads, queue, params }, Rng::seeded(1)).unwrap()
    }

    /// Occupies one thread until the returned sender is dropped; has begun when this returns.
    fn occupy(hasher: &Hasher) -> mpsc::Sender<()> {
        let (release, wait) = mpsc::channel::<()>();
        let (begun, started) = mpsc::channel();
        hasher
            .jobs
            .send(Job(Box::new(move |_| {
                begun.send(()).unwrap();
                let _ = wait.recv();
            })))
            .unwrap();
        started.recv().unwrap();
        release
    }

    #[tokio::test]
    async fn a_password_verifies_and_another_does_not() {
        let hasher = hasher(1, 8, CHEAP);
        let phc = hasher.hash("correct horse".into(), CHEAP).await.unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{phc}");
        assert_eq!(
            hasher.verify("correct horse".into(), phc.clone()).await.unwrap(),
            Verdict { ok: true, needs_upgrade: false }
        );
        assert!(!hasher.verify("battery staple".into(), phc.clone()).await.unwrap().ok);
        assert_ne!(hasher.hash("correct horse".into(), CHEAP).await.unwrap(), phc, "each has its salt");
    }

    #[tokio::test]
    async fn default_costs_are_19_mib_twice() {
        let hasher = hasher(1, 8, Params::default());
        let phc = hasher.hash("x".into(), hasher.params()).await.unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
        assert!(hasher.verify("x".into(), phc).await.unwrap().ok);
    }

    #[tokio::test]
    async fn known_hashes_verify() {
        // From the reference implementation's src/test.c (phc-winner-argon2): "password", "somesalt".
        let hasher = hasher(1, 8, CHEAP);
        for phc in [
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
            "$argon2i$m=65536,t=2,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ",
            "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA",
        ] {
            assert!(hasher.verify("password".into(), phc.to_owned()).await.unwrap().ok, "{phc}");
            assert!(!hasher.verify("Password".into(), phc.to_owned()).await.unwrap().ok, "{phc}");
        }
    }

    #[tokio::test]
    async fn the_argon2_crate_agrees() {
        use argon2::PasswordVerifier as _;
        let hasher = hasher(1, 8, CHEAP);
        // Growing and shrinking in turn: reused memory must not leak into a hash.
        for params in [Params::new(512, 2, 1), Params::new(64, 3, 2), Params::new(1024, 1, 4), Params::new(64, 1, 1)] {
            let phc = hasher.hash("x".into(), params.unwrap()).await.unwrap();
            Argon2::default().verify_password(b"x", &PasswordHash::new(&phc).unwrap()).unwrap();
        }
    }

    #[tokio::test]
    async fn a_weaker_hash_asks_for_an_upgrade() {
        let strong = Params::new(128, 2, 1).unwrap();
        let hasher = hasher(1, 8, strong);
        let mut needs = Vec::new();
        for (memory, passes) in [(64, 2), (128, 1), (64, 8), (128, 2), (256, 1), (128, 3)] {
            let phc = hasher.hash("x".into(), Params::new(memory, passes, 1).unwrap()).await.unwrap();
            let verdict = hasher.verify("x".into(), phc).await.unwrap();
            assert!(verdict.ok);
            needs.push(verdict.needs_upgrade);
        }
        assert_eq!(needs, [true, true, true, false, false, false]);
        let argon2i = "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA";
        assert!(hasher.verify("password".into(), argon2i.to_owned()).await.unwrap().needs_upgrade);
    }

    #[tokio::test]
    async fn an_unusable_hash_is_an_error() {
        let hasher = hasher(1, 8, CHEAP);
        for (phc, error) in [
            ("", HashError::Malformed),
            ("x", HashError::Malformed),
            ("$2b$10$abcdefghijklmnopqrstuv", HashError::Malformed),
            ("$scrypt$ln=15,r=8,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", HashError::Malformed),
            ("$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ", HashError::Malformed),
            (
                "$argon2id$v=18$m=64,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
                HashError::Malformed,
            ),
            (
                "$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
                HashError::Params,
            ),
            (
                "$argon2id$v=19$m=64,t=4294967295,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
                HashError::Params,
            ),
        ] {
            assert_eq!(hasher.verify("x".into(), phc.to_owned()).await.unwrap_err(), error, "{phc}");
        }
        assert_eq!(Params::new(7, 1, 1).unwrap_err(), HashError::Params);
        assert_eq!(Params::new(64, 0, 1).unwrap_err(), HashError::Params);
        assert_eq!(Params::new(64, 1, 0).unwrap_err(), HashError::Params);
    }

    #[tokio::test]
    async fn a_dummy_never_verifies_but_hashes_with_the_pools_costs() {
        let hasher = hasher(1, 8, CHEAP);
        assert_eq!(hasher.verify_dummy("x".into()).await.unwrap(), Verdict { ok: false, needs_upgrade: false });
        assert!(hasher.dummy.starts_with("$argon2id$v=19$m=64,t=1,p=1$"));
        let real = hasher.hash("x".into(), CHEAP).await.unwrap();
        assert_eq!(hasher.dummy.len(), real.len());
    }

    #[tokio::test]
    async fn beyond_the_queue_it_is_busy() {
        let hasher = hasher(1, 2, CHEAP);
        let release = occupy(&hasher);
        let mut context = Context::from_waker(Waker::noop());
        let mut first = pin!(hasher.verify_dummy("x".into()));
        let mut second = pin!(hasher.verify_dummy("x".into()));
        assert!(first.as_mut().poll(&mut context).is_pending());
        assert!(second.as_mut().poll(&mut context).is_pending());
        assert_eq!(hasher.waiting(), 2);
        assert_eq!(hasher.verify_dummy("x".into()).await.unwrap_err(), HashError::Busy);
        assert_eq!(hasher.hash("x".into(), CHEAP).await.unwrap_err(), HashError::Busy);
        drop(release);
        assert!(first.await.is_ok() && second.await.is_ok());
        assert!(hasher.verify_dummy("x".into()).await.is_ok());
    }

    #[tokio::test]
    async fn who_gives_up_waiting_costs_no_hash() {
        let hasher = hasher(1, 8, CHEAP);
        let release = occupy(&hasher);
        let ran = Arc::new(AtomicUsize::new(0));
        let count = |ran: &Arc<AtomicUsize>| {
            let ran = Arc::clone(ran);
            hasher.run(move |_| {
                ran.fetch_add(1, Ordering::SeqCst);
                Ok(())
            })
        };
        {
            let mut given_up = pin!(count(&ran));
            assert!(given_up.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        drop(release);
        count(&ran).await.unwrap();
        assert_eq!(ran.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_panic_does_not_take_the_thread_down() {
        let hasher = hasher(1, 8, CHEAP);
        let failed: Result<(), _> = hasher.run(|_| panic!("on purpose")).await;
        assert_eq!(failed.unwrap_err(), HashError::Failed);
        assert!(hasher.verify_dummy("x".into()).await.is_ok());
    }

    #[tokio::test]
    async fn large_memory_is_given_back() {
        let hasher = hasher(1, 8, CHEAP);
        let large = Params::new(u32::try_from(KEPT_BLOCKS).unwrap() + 4, 1, 1).unwrap();
        hasher.hash("x".into(), large).await.unwrap();
        assert_eq!(hasher.run(|memory| Ok(memory.capacity())).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn the_threads_end_with_the_pool() {
        let hasher = hasher(2, 8, CHEAP);
        let (alive, ended) = mpsc::channel::<()>();
        // A value that lives in each thread until it ends.
        thread_local!(static HELD: std::cell::RefCell<Option<mpsc::Sender<()>>> = const { std::cell::RefCell::new(None) });
        let both = Arc::new(std::sync::Barrier::new(2));
        for _ in 0..2 {
            let (alive, both) = (alive.clone(), Arc::clone(&both));
            hasher
                .jobs
                .send(Job(Box::new(move |_| {
                    HELD.set(Some(alive));
                    both.wait();
                })))
                .unwrap();
        }
        drop(alive);
        let clone = hasher.clone();
        drop(hasher);
        assert!(clone.verify_dummy("x".into()).await.is_ok(), "a clone keeps the pool");
        drop(clone);
        assert_eq!(ended.recv_timeout(Duration::from_secs(10)).unwrap_err(), mpsc::RecvTimeoutError::Disconnected);
    }
}
