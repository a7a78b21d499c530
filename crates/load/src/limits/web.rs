//! Bare axum, in this process, driven by the same load generator as the product.

use std::{net::SocketAddr, sync::mpsc, thread};

use axum::{
    Router,
    body::Bytes,
    http::header,
    routing::{get, post},
    serve::ListenerExt as _,
};
use tokio::{net::TcpListener, sync::oneshot};

use crate::{
    failure::{Failure, Result},
    http::{self, Same, Script},
    report::{Figure, LIMITS, Report},
};

/// A POST as an OAuth client makes it, answered with a body as long as a token's.
pub(crate) const TOKEN: &str = "axum, token-shaped POST";
/// A GET answered with a word.
pub(crate) const HELLO: &str = "axum, hello";
/// The same on one connection: a round trip in milliseconds.
pub(crate) const HELLO_ONE: &str = "axum, hello round trip";

/// How many connections drive a server.
pub(crate) const CONNECTIONS: usize = 64;

pub(super) fn measure(report: &mut Report, seconds: u64) -> Result<()> {
    let server = Server::start()?;
    let form = [("grant_type", "client_credentials"), ("scope", "openid")];
    let basic = [
        ("authorization", "Basic bG9hZDpkemNfMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="),
        ("accept", "application/json"),
    ];
    let token = http::post_form("/token", &basic, &form);
    #[expect(clippy::cast_precision_loss, reason = "a number of seconds")]
    let seconds = seconds as f64;
    for (name, request) in [(TOKEN, token), (HELLO, http::get("/", &[]))] {
        let scripts = (0..CONNECTIONS).map(|_| Box::new(Same(request.clone())) as Box<dyn Script>).collect();
        report.add(Figure::rate(LIMITS, name, &http::drive(server.address, scripts, seconds, || (), || ())?));
    }
    let alone: Vec<Box<dyn Script>> = vec![Box::new(Same(http::get("/", &[])))];
    let outcome = http::drive(server.address, alone, seconds.min(1.0), || (), || ())?;
    report.add(Figure::new(LIMITS, HELLO_ONE, outcome.latency.quantile_ms(0.5), "ms").latencies(&outcome));
    Ok(())
}

/// A server that stops when dropped.
struct Server {
    address: SocketAddr,
    _stop: oneshot::Sender<()>,
}

impl Server {
    fn start() -> Result<Self> {
        let (started, wait) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        thread::spawn(move || {
            let Ok(runtime) = tokio::runtime::Builder::new_multi_thread().enable_all().build() else {
                return;
            };
            runtime.block_on(async move {
                let Ok(listener) = TcpListener::bind("127.0.0.1:0").await else { return };
                let _ = started.send(listener.local_addr());
                let listener = listener.tap_io(|stream| {
                    // Without it answers only take longer.
                    let _ = stream.set_nodelay(true);
                });
                tokio::select! {
                    _ = axum::serve(listener, router()) => {}
                    _ = stopped => {}
                }
            });
        });
        let address = wait.recv().map_err(|_| Failure::new("cannot listen on 127.0.0.1"))??;
        Ok(Self { address, _stop: stop })
    }
}

fn router() -> Router {
    let body = format!(
        r#"{{"access_token":"{}","token_type":"Bearer","expires_in":300,"scope":"openid"}}"#,
        "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFUzI1NiJ9".repeat(16)
    );
    let token = move |form: Bytes| {
        let body = if form.is_empty() { String::new() } else { body.clone() };
        async move { ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], body) }
    };
    Router::new().route("/token", post(token)).route("/", get(async || "Hello"))
}
