use super::*;
use argon2::password_hash::phc::PasswordHash;
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
    let job = Job(Box::new(move |_| {
        begun.send(()).unwrap();
        let _ = wait.recv();
    }));
    assert!(hasher.jobs.0.push(Turn::Own, job));
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
        ("$scrypt$ln=25,r=8,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", HashError::Params),
        ("$md5$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", HashError::Malformed),
        ("$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ", HashError::Malformed),
        ("$argon2id$v=18$m=64,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", HashError::Malformed),
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
        let job = Job(Box::new(move |_| {
            HELD.set(Some(alive));
            both.wait();
        }));
        assert!(hasher.jobs.0.push(Turn::Own, job));
    }
    drop(alive);
    let clone = hasher.clone();
    drop(hasher);
    assert!(clone.verify_dummy("x".into()).await.is_ok(), "a clone keeps the pool");
    drop(clone);
    assert_eq!(ended.recv_timeout(Duration::from_secs(10)).unwrap_err(), mpsc::RecvTimeoutError::Disconnected);
}
