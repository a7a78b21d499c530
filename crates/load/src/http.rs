//! The load generator: many connections that each send a request, read the answer and send the next
//! (HTTP/1.1, keep-alive, no pipelining). It parses as little of an answer as it can, so that the machine's
//! time goes to the server.

use std::{
    net::{Ipv4Addr, SocketAddr},
    thread,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    task::LocalSet,
};

use crate::{
    failure::{Failure, Result},
    histogram::Histogram,
};

/// No answer in this time is a failure.
const PATIENCE: Duration = Duration::from_secs(30);
/// Nothing is counted before this much of the time has passed: caches fill, processors wake.
const WARM_UP: f64 = 0.2;

/// An answer.
pub(crate) struct Response<'b> {
    pub(crate) status: u16,
    pub(crate) head: &'b str,
    pub(crate) body: &'b [u8],
}

impl Response<'_> {
    /// The value of a header, whose name is given in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).next()
    }

    /// The values of a header that may come more than once.
    pub(crate) fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        self.head.split("\r\n").skip(1).filter_map(move |line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(self.body).unwrap_or("")
    }

    /// The body, which must be JSON of a good answer.
    pub(crate) fn json(&self) -> Result<serde_json::Value> {
        self.expect(200..300)?;
        Ok(serde_json::from_slice(self.body)?)
    }

    /// An error that shows the answer unless its status is one of these.
    pub(crate) fn expect(&self, statuses: std::ops::Range<u16>) -> Result<()> {
        if statuses.contains(&self.status) {
            return Ok(());
        }
        let shown: String = self.text().chars().take(300).collect();
        let to = self.header("location").unwrap_or("");
        Err(Failure::new(format!("answered {} {to} {shown}", self.status)))
    }
}

/// What comes after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// The operation goes on with another request.
    More,
    /// The operation is complete, and counted.
    Done,
}

/// What one connection does, over and over.
pub(crate) trait Script: Send {
    /// Writes the next request.
    fn request(&mut self, out: &mut Vec<u8>);
    /// Takes its answer. After an error the script begins its operation anew.
    fn response(&mut self, response: &Response<'_>) -> Result<Next>;
}

/// The same request again and again, which must be answered with 2xx.
pub(crate) struct Same(pub(crate) Vec<u8>);

impl Script for Same {
    fn request(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }

    fn response(&mut self, response: &Response<'_>) -> Result<Next> {
        response.expect(200..300).map(|()| Next::Done)
    }
}

/// What driving a server brought.
pub(crate) struct Outcome {
    pub(crate) done: u64,
    pub(crate) seconds: f64,
    pub(crate) latency: Histogram,
    pub(crate) failures: u64,
    pub(crate) first_failure: Option<String>,
}

impl Outcome {
    /// Operations a second.
    pub(crate) fn rate(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
        let done = self.done as f64;
        if self.seconds > 0.0 { done / self.seconds } else { 0.0 }
    }

    /// What went wrong, for the report.
    pub(crate) fn trouble(&self) -> Option<String> {
        let first = self.first_failure.as_deref()?;
        Some(format!("{} FAILED, the first: {first}", self.failures))
    }
}

/// Drives a server with one connection for each script for this many seconds; the first fifth is not counted.
/// `begin` is called when counting begins, `end` when it ends.
pub(crate) fn drive(
    address: SocketAddr,
    scripts: Vec<Box<dyn Script>>,
    seconds: f64,
    begin: impl FnOnce() + Send,
    end: impl FnOnce() + Send,
) -> Result<Outcome> {
    let threads = thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1));
    let mut shares: Vec<Vec<Box<dyn Script>>> = (0..threads).map(|_| Vec::new()).collect();
    for (at, script) in scripts.into_iter().enumerate() {
        if let Some(share) = shares.get_mut(at % threads) {
            share.push(script);
        }
    }
    let from = Instant::now() + Duration::from_secs_f64(seconds * WARM_UP);
    let until = Instant::now() + Duration::from_secs_f64(seconds);
    let mut total = Outcome {
        done: 0,
        seconds: (until - from).as_secs_f64(),
        latency: Histogram::new(),
        failures: 0,
        first_failure: None,
    };
    thread::scope(|scope| {
        let running: Vec<_> =
            shares.into_iter().map(|share| scope.spawn(move || drive_share(address, share, from, until))).collect();
        thread::sleep(from.saturating_duration_since(Instant::now()));
        begin();
        thread::sleep(until.saturating_duration_since(Instant::now()));
        end();
        for thread in running {
            let outcome = thread.join().map_err(|_| Failure::new("a thread of the load generator panicked"))??;
            total.done += outcome.done;
            total.failures += outcome.failures;
            total.latency.merge(&outcome.latency);
            total.first_failure = total.first_failure.take().or(outcome.first_failure);
        }
        Ok::<_, Failure>(())
    })?;
    if total.done == 0 {
        let why = total.first_failure.unwrap_or_else(|| "no answer in time".to_owned());
        return Err(Failure::new(format!("nothing succeeded: {why}")));
    }
    Ok(total)
}

fn drive_share(address: SocketAddr, scripts: Vec<Box<dyn Script>>, from: Instant, until: Instant) -> Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    local.block_on(&runtime, async {
        let tasks: Vec<_> = scripts
            .into_iter()
            .map(|script| tokio::task::spawn_local(drive_one(address, script, from, until)))
            .collect();
        let mut total = Outcome { done: 0, seconds: 0.0, latency: Histogram::new(), failures: 0, first_failure: None };
        for task in tasks {
            let outcome = task.await?;
            total.done += outcome.done;
            total.failures += outcome.failures;
            total.latency.merge(&outcome.latency);
            total.first_failure = total.first_failure.take().or(outcome.first_failure);
        }
        Ok(total)
    })
}

async fn drive_one(address: SocketAddr, mut script: Box<dyn Script>, from: Instant, until: Instant) -> Outcome {
    let mut outcome = Outcome { done: 0, seconds: 0.0, latency: Histogram::new(), failures: 0, first_failure: None };
    let mut connection: Option<Connection> = None;
    let mut started = Instant::now();
    while Instant::now() < until {
        let answered = step(address, &mut connection, script.as_mut()).await;
        let now = Instant::now();
        match answered {
            Ok(Next::More) => continue,
            Ok(Next::Done) => {
                // What ended within the time counts, whenever it began.
                if now >= from && now <= until {
                    outcome.latency.record(now - started);
                    outcome.done += 1;
                }
            }
            Err(failure) => {
                connection = None;
                outcome.failures += 1;
                outcome.first_failure.get_or_insert_with(|| failure.to_string());
                // A server that refuses at once must not be flooded.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        started = Instant::now();
    }
    outcome
}

async fn step(address: SocketAddr, connection: &mut Option<Connection>, script: &mut dyn Script) -> Result<Next> {
    let open = match connection {
        Some(open) => open,
        None => connection.insert(Connection::open(address).await?),
    };
    open.request.clear();
    script.request(&mut open.request);
    let exchanged = tokio::time::timeout(PATIENCE, open.exchange()).await;
    exchanged.map_err(|_| Failure::new("no answer in time"))??;
    script.response(&open.response()?)
}

/// One keep-alive connection with its buffers.
pub(crate) struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    answer: Vec<u8>,
    status: u16,
    head_end: usize,
    end: usize,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        Self::over(TcpStream::connect(address).await?)
    }

    /// From an address of this machine's own.
    pub(crate) async fn open_from(own: Ipv4Addr, address: SocketAddr) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((own, 0).into())?;
        Self::over(socket.connect(address).await?)
    }

    fn over(stream: TcpStream) -> Result<Self> {
        stream.set_nodelay(true)?;
        let (request, answer) = (Vec::with_capacity(2048), Vec::with_capacity(16 * 1024));
        Ok(Self { stream, request, answer, status: 0, head_end: 0, end: 0 })
    }

    /// Sends one request and reads its answer.
    pub(crate) async fn send(&mut self, request: &[u8]) -> Result<Response<'_>> {
        self.request.clear();
        self.request.extend_from_slice(request);
        tokio::time::timeout(PATIENCE, self.exchange()).await.map_err(|_| Failure::new("no answer in time"))??;
        self.response()
    }

    async fn exchange(&mut self) -> Result<()> {
        self.stream.write_all(&self.request).await?;
        self.answer.clear();
        self.head_end = 0;
        loop {
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                return Err(Failure::new("the server closed the connection"));
            }
            if self.head_end == 0 {
                let Some(at) = find(&self.answer, b"\r\n\r\n") else { continue };
                self.head_end = at;
                let head = self.answer.get(..at).unwrap_or_default();
                self.status = status(head)?;
                self.end = at + 4 + body_length(head, self.status)?;
            }
            if self.answer.len() >= self.end {
                return Ok(());
            }
        }
    }

    fn response(&self) -> Result<Response<'_>> {
        let head = std::str::from_utf8(self.answer.get(..self.head_end).unwrap_or_default())?;
        let body = self.answer.get(self.head_end + 4..self.end).unwrap_or_default();
        Ok(Response { status: self.status, head, body })
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

fn status(head: &[u8]) -> Result<u16> {
    let digits = head.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok());
    digits.and_then(|digits| digits.parse().ok()).ok_or_else(|| Failure::new("not an HTTP answer"))
}

fn body_length(head: &[u8], status: u16) -> Result<usize> {
    if status == 204 || status == 304 {
        return Ok(0);
    }
    for line in head.split(|byte| *byte == b'\n') {
        const NAME: &[u8] = b"content-length:";
        if let Some(name) = line.get(..NAME.len())
            && name.eq_ignore_ascii_case(NAME)
        {
            let value = line.get(NAME.len()..).and_then(|value| std::str::from_utf8(value).ok()).unwrap_or("");
            return Ok(value.trim().parse()?);
        }
    }
    Err(Failure::new("an answer without content-length, which this client does not read"))
}

/// A `GET`.
pub(crate) fn get(path: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    request("GET", path, headers, None)
}

/// A `POST` of a form.
pub(crate) fn post_form(path: &str, headers: &[(&str, &str)], fields: &[(&str, &str)]) -> Vec<u8> {
    let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
    request("POST", path, headers, Some(("application/x-www-form-urlencoded", &pairs.join("&"))))
}

/// A `POST` of JSON.
pub(crate) fn post_json(path: &str, headers: &[(&str, &str)], body: &serde_json::Value) -> Vec<u8> {
    request("POST", path, headers, Some(("application/json", &body.to_string())))
}

fn request(method: &str, path: &str, headers: &[(&str, &str)], body: Option<(&str, &str)>) -> Vec<u8> {
    let mut out = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n");
    for (name, value) in headers {
        out.push_str(&format!("{name}: {value}\r\n"));
    }
    match body {
        Some((kind, body)) => {
            out.push_str(&format!("content-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}", body.len()));
        }
        None => out.push_str("\r\n"),
    }
    out.into_bytes()
}

/// Percent-encodes all but unreserved characters (RFC 3986, section 2.3).
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_measured_by_its_content_length() {
        let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n";
        assert_eq!(status(head).unwrap(), 200);
        assert_eq!(body_length(head, 200).unwrap(), 12);
        assert_eq!(body_length(b"HTTP/1.1 204 No Content", 204).unwrap(), 0);
        assert!(body_length(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked", 200).is_err());
    }

    #[test]
    fn forms_are_escaped() {
        let text = String::from_utf8(post_form("/x", &[], &[("a b", "ü&=")])).unwrap();
        assert!(text.ends_with("\r\n\r\na%20b=%C3%BC%26%3D"), "{text}");
        assert!(text.contains("content-length: 18\r\n"), "{text}");
    }
}
