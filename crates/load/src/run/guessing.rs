//! Whoever guesses passwords is held, and the others go on signing in.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use super::{
    flows::{AppClient, Form, SignIn},
    measure::{Bench, PASSWORD, email},
    server::Server,
};
use crate::{
    failure::{Failure, Result},
    histogram::Histogram,
    http::{Connection, Next, Script as _},
    report::{Figure, Report},
};

/// How many connections guess from each address.
const GUESSERS: usize = 4;
/// How many people sign in meanwhile, each one time after the other.
const PEOPLE: usize = 2;
/// How long they sign in before, at the least.
const ALONE: Duration = Duration::from_secs(5);
/// How many guesses may be looked at: the failures that are borne from an address, those under way when it is held, and
/// one more every two seconds.
const BORNE: usize = 200;

/// Where guesses come from, and at whom.
#[derive(Clone, Copy)]
enum Guesser {
    /// One account, from an address.
    OneAccount,
    /// An account each, from another.
    Accounts,
}

impl Guesser {
    fn address(self) -> Ipv4Addr {
        match self {
            Self::OneAccount => Ipv4Addr::new(127, 0, 0, 2),
            Self::Accounts => Ipv4Addr::new(127, 0, 0, 3),
        }
    }

    fn identifier(self, number: usize) -> String {
        match self {
            Self::OneAccount => email(PEOPLE),
            Self::Accounts => format!("nobody-{number}@example.com"),
        }
    }
}

/// Has so many passwords guessed at one account and as many at as many accounts, while others sign in.
pub(super) fn measure(report: &mut Report, bench: &Bench, server: &Server, users: u64, guesses: usize) -> Result<()> {
    let (address, client) = (server.address, &bench.client);
    let begun = Instant::now();
    let alone = sign_ins(address, client, &|| begun.elapsed() < ALONE)?;
    let begun = Instant::now();
    let under_way = AtomicUsize::new(2 * GUESSERS);
    let (meanwhile, held) = thread::scope(|scope| -> Result<_> {
        let guess = |guesser, first| {
            let under_way = &under_way;
            scope.spawn(move || {
                let held = guess(address, client, guesser, (first..guesses).step_by(GUESSERS));
                under_way.fetch_sub(1, Ordering::SeqCst);
                held
            })
        };
        let both = [Guesser::OneAccount, Guesser::Accounts];
        let running = both.map(|guesser| (0..GUESSERS).map(|first| guess(guesser, first)).collect::<Vec<_>>());
        let meanwhile = sign_ins(address, client, &|| under_way.load(Ordering::SeqCst) > 0)?;
        let mut held = Vec::new();
        for guessers in running {
            let mut sum = 0;
            for one in guessers {
                sum += one.join().map_err(|_| Failure::new("a guesser panicked"))??;
            }
            held.push(sum);
        }
        Ok((meanwhile, held))
    })?;
    if held.iter().any(|held| held + BORNE < guesses) {
        return Err(Failure::new(format!("of {guesses} guesses each only {held:?} were held")));
    }
    let name = format!("p99 of a sign-in while {guesses} passwords are guessed at one account and {guesses} at others");
    let figure = Figure::new(bench.engine, name, meanwhile.quantile_ms(0.99), "ms").users(users);
    report.add(figure.against("p99 of a sign-in alone, ms", alone.quantile_ms(0.99)).note(format!(
        "held {held:?}; the guesses took {:.1} s; {} sign-ins alone, p50 {:.1} ms; {} meanwhile, p50 {:.1} ms",
        begun.elapsed().as_secs_f64(),
        alone.count(),
        alone.quantile_ms(0.5),
        meanwhile.count(),
        meanwhile.quantile_ms(0.5),
    )));
    Ok(())
}

/// People who sign in while this holds; how long each sign-in takes.
fn sign_ins(address: SocketAddr, client: &AppClient, go_on: &(dyn Fn() -> bool + Sync)) -> Result<Histogram> {
    thread::scope(|scope| {
        let people: Vec<_> = (0..PEOPLE)
            .map(|number| {
                scope.spawn(move || -> Result<Histogram> {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                    runtime.block_on(async {
                        let mut connection = Connection::open(address).await?;
                        let mut person = SignIn::new(client, &email(number), PASSWORD);
                        let mut latency = Histogram::new();
                        while go_on() {
                            let started = Instant::now();
                            loop {
                                let mut request = Vec::new();
                                person.request(&mut request);
                                if person.response(&connection.send(&request).await?)? == Next::Done {
                                    break;
                                }
                            }
                            latency.record(started.elapsed());
                        }
                        Ok(latency)
                    })
                })
            })
            .collect();
        let mut all = Histogram::new();
        for person in people {
            all.merge(&person.join().map_err(|_| Failure::new("somebody who signs in panicked"))??);
        }
        Ok(all)
    })
}

/// Guesses one after the other; answers how many were held.
fn guess(
    address: SocketAddr,
    client: &AppClient,
    guesser: Guesser,
    numbers: impl Iterator<Item = usize>,
) -> Result<usize> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut connection = Connection::open_from(guesser.address(), address).await?;
        let start = Form::read(&connection.send(&client.authorize()).await?)?;
        let mut held = 0;
        for number in numbers {
            let request = start.post("identifier", &guesser.identifier(number));
            let page = Form::read(&connection.send(&request).await?)?;
            let answer = connection.send(&page.post("password", &format!("guess number {number}"))).await?;
            match answer.status {
                422 => {}
                429 => held += 1,
                _ => answer.expect(422..423)?,
            }
        }
        Ok(held)
    })
}
