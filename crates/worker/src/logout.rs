//! Tells clients that a session has ended (OpenID Connect Back-Channel Logout 1.0, section 2.5): one call for each
//! client and session, many at a time, but few of one client, so that one that hangs does not keep others waiting.

use std::{collections::HashMap, error::Error as _, net::SocketAddr, sync::Arc, time::Duration};

use denizen_model::{
    ClientRowId,
    clients::{check_backchannel_uri, is_off_limits},
};
use denizen_ops::{
    App, Result,
    oauth::backchannel::{self, Delivery, PATIENCE},
};
use http::{HeaderValue, header};
use reqwest::{
    Client,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};
use tokio::task::{Id, JoinSet};

use crate::warn;

/// How many clients are told at the same time.
const AT_ONCE: usize = 32;
/// How many calls of one client go on before others come first.
const EACH: usize = 4;
/// How many notices are taken at a time.
const TOGETHER: u32 = 4;
/// How often the queue is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Resolves names, but to no address that Denizen does not call.
struct Guarded;

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|address| !is_off_limits(address.ip())).collect();
            if allowed.is_empty() {
                return Err("the name leads to no address that may be called".into());
            }
            let addresses: Addrs = Box::new(allowed.into_iter());
            Ok(addresses)
        })
    }
}

/// What calls clients: follows no redirects, keeps no cookies, and goes where the name leads, through no proxy, or the
/// check of the address would be the proxy's business.
fn caller() -> reqwest::Result<Client> {
    Client::builder()
        .user_agent(concat!("Denizen/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .no_proxy()
        .dns_resolver(Arc::new(Guarded))
        .connect_timeout(PATIENCE / 2)
        .timeout(PATIENCE)
        .build()
}

/// Tells clients until it is dropped.
pub(crate) async fn run(app: App) {
    let mut teller = match Teller::new(app) {
        Ok(teller) => teller,
        Err(error) => {
            tracing::error!(error = %error, "Clients cannot be told of the end of sessions: no connections can be made");
            return;
        }
    };
    loop {
        match teller.take().await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => warn("logout", &error),
        }
        teller.wait(LOOK_EVERY).await;
    }
}

/// The calls under way.
struct Teller {
    app: App,
    caller: Client,
    running: JoinSet<()>,
    clients: HashMap<Id, ClientRowId>,
}

impl Teller {
    fn new(app: App) -> reqwest::Result<Self> {
        Ok(Self { app, caller: caller()?, running: JoinSet::new(), clients: HashMap::new() })
    }

    /// Clients that enough calls go to.
    fn busy(&self) -> Vec<ClientRowId> {
        let mut calls: HashMap<ClientRowId, usize> = HashMap::new();
        for client in self.clients.values() {
            *calls.entry(*client).or_default() += 1;
        }
        calls.into_iter().filter(|(_, count)| *count >= EACH).map(|(client, _)| client).collect()
    }

    /// Begins calls, if some are due and there is room. Answers whether there may be more.
    async fn take(&mut self) -> Result<bool> {
        while let Some(done) = self.running.try_join_next_with_id() {
            self.note_end(done);
        }
        if self.running.len() + usize::try_from(TOGETHER).unwrap_or(AT_ONCE) > AT_ONCE {
            return Ok(false);
        }
        let taken = backchannel::take_due(&self.app, TOGETHER, &self.busy()).await?;
        let some = !taken.is_empty();
        for delivery in taken {
            let (app, caller, client) = (self.app.clone(), self.caller.clone(), delivery.client());
            let handle = self.running.spawn(async move { tell(&app, &caller, &delivery).await });
            self.clients.insert(handle.id(), client);
        }
        Ok(some)
    }

    /// Waits until a call has ended, or for this long.
    async fn wait(&mut self, time: Duration) {
        tokio::select! {
            Some(done) = self.running.join_next_with_id() => self.note_end(done),
            () = tokio::time::sleep(time) => {}
        }
    }

    fn note_end(&mut self, done: std::result::Result<(Id, ()), tokio::task::JoinError>) {
        let id = match done {
            Ok((id, ())) => id,
            Err(error) => {
                tracing::error!(error = %error, "The code that tells clients failed");
                error.id()
            }
        };
        self.clients.remove(&id);
    }
}

async fn tell(app: &App, caller: &Client, delivery: &Delivery) {
    let noted = match call(caller, delivery).await {
        Ok(()) => backchannel::note_delivered(app, delivery).await,
        Err(reason) => backchannel::note_failed(app, delivery, &reason).await,
    };
    if let Err(error) = noted {
        warn("logout", &error);
    }
}

/// Posts the logout token. Section 2.8: a client answers 200 when it is done, and 204 is to be taken as well.
async fn call(caller: &Client, delivery: &Delivery) -> std::result::Result<(), String> {
    // What was checked when the address was saved, once more: it may be older than the rule.
    check_backchannel_uri(&delivery.uri).map_err(|problem| format!("The address {problem}."))?;
    let mut body = String::from("logout_token=");
    body.push_str(delivery.token.expose());
    let answered = caller
        .post(&delivery.uri)
        .header(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))
        .header(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
        .body(body)
        .send()
        .await;
    match answered {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(format!("The client answered {}.", answer.status().as_u16())),
        Err(error) if error.is_timeout() => {
            Err(format!("The client did not answer within {} seconds.", PATIENCE.as_secs()))
        }
        Err(error) => Err(explain(error)),
    }
}

/// An error and its causes, without the address, which the client's record has.
fn explain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let more = inner.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests;
