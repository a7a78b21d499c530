//! What is measured of a running server with a population.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, atomic::AtomicU64},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    flows::{AppClient, Create, REDIRECT, Refresh, SignIn, Tokens},
    server::{Place, Server},
};
use crate::{
    failure::{Failure, Result},
    histogram::Histogram,
    http::{self, Connection, Next, Outcome, Same, Script},
    limits,
    lists::{self, Query},
    machine,
    population::{self, REALM},
    report::{Figure, Report},
};

/// How many connections drive what is quick.
const CONNECTIONS: usize = 64;
/// How many people sign in at once.
const PEOPLE: usize = 16;
pub(super) const PASSWORD: &str = "correct horse battery staple";
/// A list is not measured for longer than this.
const PATIENCE: Duration = Duration::from_secs(20);

/// The client and the administrator's key that measuring needs.
pub(crate) struct Bench {
    pub(crate) engine: &'static str,
    seconds: f64,
    pub(super) client: AppClient,
    pub(crate) authorization: String,
    created: Arc<AtomicU64>,
}

impl Bench {
    /// Makes the realm, the client and the people who sign in.
    pub(crate) fn prepare(server: &Server, place: &Place<'_>, engine: &'static str, seconds: u64) -> Result<Self> {
        let authorization = format!("Bearer {}", place.make_key()?);
        let headers = [("authorization", authorization.as_str())];
        let mut requests = vec![
            http::post_json("/api/v1/realms", &headers, &json!({"slug": REALM, "display_name": "Load"})),
            http::post_json(
                &format!("/api/v1/realms/{REALM}/clients"),
                &headers,
                &json!({
                    "name": "Load",
                    "client_id": "load",
                    "redirect_uris": [REDIRECT],
                    "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
                }),
            ),
        ];
        for number in 0..CONNECTIONS {
            let body =
                json!({"email": email(number), "given_name": "Ana", "family_name": "Lima", "password": PASSWORD});
            requests.push(http::post_json(&format!("/api/v1/realms/{REALM}/users"), &headers, &body));
        }
        requests.extend(population::preparations(&authorization));
        let answers = converse(server.address, &requests)?;
        let secret = answers.get(1).and_then(|client| client.get("client_secret")).and_then(Value::as_str);
        let secret = secret.ok_or_else(|| Failure::new("the new client has no secret"))?;
        let basic = format!("Basic {}", STANDARD.encode(format!("load:{secret}")));
        #[expect(clippy::cast_precision_loss, reason = "a number of seconds")]
        let seconds = seconds as f64;
        let client = AppClient { base: format!("/realms/{REALM}"), id: "load".to_owned(), basic };
        Ok(Self { engine, seconds, client, authorization, created: Arc::default() })
    }

    /// Measures everything once.
    pub(crate) fn measure(&mut self, report: &mut Report, server: &Server, users: u64) -> Result<()> {
        let durable = if self.engine == "SQLite" { limits::GROUPED } else { limits::PG_INSERT };

        let request = self.client.post("token", &[("grant_type", "client_credentials")]);
        let outcome = self.drive(server, same(&[request]))?;
        report.add(
            self.figure("client-credentials tokens", &outcome, users)
                .against(limits::TOKEN, report.limit(limits::TOKEN)),
        );

        let tokens = self.sign_everyone_in(server)?;
        let requests: Vec<_> =
            tokens.iter().map(|tokens| self.client.post("introspect", &[("token", &tokens.access)])).collect();
        let outcome = self.drive(server, same(&requests))?;
        report.add(self.figure("introspections", &outcome, users).against(limits::HELLO, report.limit(limits::HELLO)));

        let userinfo = format!("{}/userinfo", self.client.base);
        let bearer = |tokens: &Tokens| http::get(&userinfo, &[("authorization", &format!("Bearer {}", tokens.access))]);
        let requests: Vec<_> = tokens.iter().map(bearer).collect();
        let outcome = self.drive(server, same(&requests))?;
        report.add(self.figure("userinfo", &outcome, users).against(limits::HELLO, report.limit(limits::HELLO)));

        let scripts =
            tokens.iter().map(|tokens| Box::new(Refresh::new(&self.client, tokens)) as Box<dyn Script>).collect();
        let outcome = self.drive(server, scripts)?;
        report.add(self.figure("refreshes with rotation", &outcome, users).against(durable, report.limit(durable)));

        self.measure_sign_ins(report, server, users)?;

        let path = format!("/api/v1/realms/{REALM}/users");
        let create = |_| {
            let (path, authorization, next) = (path.clone(), self.authorization.clone(), self.created.clone());
            Box::new(Create { path, authorization, next }) as Box<dyn Script>
        };
        let outcome = self.drive(server, (0..CONNECTIONS).map(create).collect())?;
        report.add(self.figure("users created", &outcome, users).against(durable, report.limit(durable)));
        Ok(())
    }

    /// Whole sign-ins, and what the server spends on one beside what its hash costs.
    fn measure_sign_ins(&self, report: &mut Report, server: &Server, users: u64) -> Result<()> {
        let person = |number| Box::new(SignIn::new(&self.client, &email(number), PASSWORD)) as Box<dyn Script>;
        let before = limits::hashes_on_all_cores(2)?;
        let outcome = self.drive(server, (0..PEOPLE).map(person).collect())?;
        // Measured on both sides of the sign-ins, because a machine's speed drifts.
        let hashes = f64::midpoint(before, limits::hashes_on_all_cores(2)?);
        report.add(
            self.figure("password sign-ins, whole flow", &outcome, users)
                .against("argon2id on all cores, beside it", hashes),
        );
        let cpu_ms = outcome.cpu_us / 1000.0;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        #[expect(clippy::cast_precision_loss, reason = "a number of cores")]
        let hash_ms = 1000.0 * cores as f64 / hashes;
        let figure = Figure::new(self.engine, "server CPU of a password sign-in", cpu_ms, "ms").users(users);
        report.add(figure.against("argon2id, CPU ms of one", hash_ms));
        Ok(())
    }

    /// Lists and searches, one request after the other on one connection.
    pub(crate) fn measure_lists(
        &self,
        report: &mut Report,
        server: &Server,
        users: u64,
        requests: u32,
        only: &str,
    ) -> Result<()> {
        // At the least: a round trip, and each row of a page read by its key.
        let read = if self.engine == "SQLite" { limits::POINT_READ } else { limits::PG_READ };
        let floor = report.limit(limits::HELLO_ONE) + 50.0 * 1000.0 / report.limit(read).max(1.0);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut connection = runtime.block_on(Connection::open(server.address))?;
        for query in lists::queries(&[], machine::now()).iter().filter(|query| query.name.contains(only)) {
            let Some((latency, total)) = runtime.block_on(self.ask(&mut connection, query, requests))? else {
                continue;
            };
            let (p50, p99) = (latency.quantile_ms(0.5), latency.quantile_ms(0.99));
            let figure = Figure::new(self.engine, query.name.clone(), p99, "ms").users(users).list(query, p50);
            report.add(figure.against("round trip and 50 point reads, ms", floor).note(total));
        }
        Ok(())
    }

    /// Asks for a list so many times; the latencies and the total it says. None when it has one page, which is
    /// measured as the first one.
    async fn ask(
        &self,
        connection: &mut Connection,
        query: &Query,
        requests: u32,
    ) -> Result<Option<(Histogram, String)>> {
        let address = |query: &Query, cursor: Option<&str>| {
            let path = format!("/api/v1/realms/{REALM}/users?{}", query.parameters(cursor));
            http::get(&path, &[("authorization", &self.authorization)])
        };
        let mut cursor = None;
        if query.place == lists::Place::Last {
            let first = connection.send(&address(&query.opposite(), None)).await?.json()?;
            match first.get("next_cursor").and_then(Value::as_str) {
                Some(place) => cursor = Some(place.to_owned()),
                None => return Ok(None),
            }
        }
        let request = address(query, cursor.as_deref());
        let page = connection.send(&request).await.and_then(|answer| answer.json());
        let page = page.map_err(|failure| Failure::new(format!("{}: {failure}", query.name)))?;
        let total = page.get("total").map(Value::to_string).unwrap_or_default();
        let mut latency = Histogram::new();
        let begun = Instant::now();
        for round in 0..requests + 5 {
            let started = Instant::now();
            connection.send(&request).await?.expect(200..201)?;
            // The first few prepare statements and fill caches.
            if round >= 5 {
                latency.record(started.elapsed());
            }
            if begun.elapsed() > PATIENCE {
                break;
            }
        }
        Ok(Some((latency, format!("total {total}"))))
    }

    fn figure(&self, name: &str, measured: &Measured, users: u64) -> Figure {
        let mut figure = Figure::rate(self.engine, name, &measured.outcome).users(users);
        figure.server_cpu_us = Some(measured.cpu_us);
        figure
    }

    /// Drives the server, and reads what CPU time it spends on an operation.
    fn drive(&self, server: &Server, scripts: Vec<Box<dyn Script>>) -> Result<Measured> {
        let readings = Mutex::new(Vec::new());
        let read = || {
            if let (Ok(cpu), Ok(mut readings)) = (machine::cpu_time(server.pid()), readings.lock()) {
                readings.push(cpu);
            }
        };
        let outcome = http::drive(server.address, scripts, self.seconds, read, read)?;
        let readings = readings.into_inner().unwrap_or_default();
        let used = match (readings.first(), readings.get(1)) {
            (Some(from), Some(to)) => to.saturating_sub(*from),
            _ => Duration::ZERO,
        };
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
        let cpu_us = used.as_secs_f64() * 1e6 / outcome.done.max(1) as f64;
        Ok(Measured { outcome, cpu_us })
    }

    /// Tokens of every prepared person.
    fn sign_everyone_in(&self, server: &Server) -> Result<Vec<Tokens>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut connection = Connection::open(server.address).await?;
            let mut all = Vec::new();
            for number in 0..CONNECTIONS {
                let mut person = SignIn::new(&self.client, &email(number), PASSWORD);
                loop {
                    let mut request = Vec::new();
                    person.request(&mut request);
                    if person.response(&connection.send(&request).await?)? == Next::Done {
                        break;
                    }
                }
                all.push(person.tokens);
            }
            Ok(all)
        })
    }
}

struct Measured {
    outcome: Outcome,
    cpu_us: f64,
}

pub(super) fn email(number: usize) -> String {
    format!("load-{}-{number}@example.com", ["ana", "ben"].get(number % 2).unwrap_or(&"ana"))
}

/// Connections that send the same requests, shared out among them.
fn same(requests: &[Vec<u8>]) -> Vec<Box<dyn Script>> {
    requests
        .iter()
        .cycle()
        .take(CONNECTIONS)
        .map(|request| Box::new(Same(request.clone())) as Box<dyn Script>)
        .collect()
}

/// Sends requests one after the other; each must be answered with JSON.
pub(crate) fn converse(address: SocketAddr, requests: &[Vec<u8>]) -> Result<Vec<Value>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut connection = Connection::open(address).await?;
        let mut answers = Vec::new();
        for request in requests {
            answers.push(connection.send(request).await?.json()?);
        }
        Ok(answers)
    })
}
