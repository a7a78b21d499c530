//! The admin API, as the command line uses it.

use std::{fmt, io, path::Path, pin::Pin, sync::Arc, task, time::Duration};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use reqwest::{
    Method, RequestBuilder, Response, Url,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
    redirect,
};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::failed::Failed;

/// How long an answer may take that is not streamed.
const PATIENCE: Duration = Duration::from_secs(60);
/// How much of a file is read at once.
const PIECE: usize = 64 * 1024;

/// Parameters of an address.
pub(crate) type Query = Vec<(String, String)>;

/// A connection to a Denizen with a key.
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    key: String,
}

/// Why the server did not do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No answer came.
    Unreachable(String),
    /// The answer is a problem document, or at least a status.
    Problem { status: u16, text: String },
}

impl Refusal {
    /// The HTTP status, when there was an answer.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Unreachable(_) => None,
            Self::Problem { status, .. } => Some(*status),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(text) | Self::Problem { text, .. } => f.write_str(text),
        }
    }
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self::Operation(refusal.to_string())
    }
}

/// A problem document (RFC 9457), as far as it is shown.
#[derive(Deserialize)]
struct Document {
    title: Option<String>,
    detail: Option<String>,
    #[serde(default)]
    errors: Vec<FieldError>,
    request_id: Option<String>,
}

#[derive(Deserialize)]
struct FieldError {
    field: String,
    message: String,
}

/// A problem document in lines for people: what is wrong, then field by field.
fn readable(status: u16, body: &str) -> String {
    let Ok(document) = serde_json::from_str::<Document>(body) else {
        return format!("the server answered with status {status} and no explanation");
    };
    let mut text = match (document.detail, document.title) {
        (Some(detail), _) if !detail.is_empty() => detail,
        (_, Some(title)) => title,
        _ => format!("the server answered with status {status}"),
    };
    for FieldError { field, message } in &document.errors {
        text.push_str(&format!("\n  {field}: {message}"));
    }
    if status >= 500
        && let Some(request) = document.request_id
    {
        text.push_str(&format!("\n  request {request}"));
    }
    text
}

/// What went wrong on the way, with its causes, without the address: it is in the first words already.
fn unreachable(base: &Url, error: reqwest::Error) -> Refusal {
    let error = error.without_url();
    let mut text = format!("cannot reach {base}: {error}");
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    Refusal::Unreachable(text)
}

/// Checks an address of a server.
///
/// # Errors
/// What is wrong with it, for a person.
pub(crate) fn parse_url(text: &str) -> Result<Url, String> {
    let wrong = || format!("{text} is no address of a server; it must be such as https://id.example.com");
    let url: Url = text.parse().map_err(|_| wrong())?;
    let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if matches!(url.scheme(), "http" | "https") && url.has_host() && plain && url.path() == "/" {
        Ok(url)
    } else {
        Err(wrong())
    }
}

impl Client {
    /// A client of the server at `url`.
    ///
    /// # Errors
    /// When the address is none, or TLS cannot be set up on this machine.
    pub(crate) fn new(url: &str, key: &str) -> Result<Self, Failed> {
        let base = parse_url(url).map_err(Failed::Usage)?;
        let http = reqwest::Client::builder()
            .user_agent(concat!("denizen/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            // A key is sent to the server that was named and to no other.
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|error| Failed::Operation(format!("cannot set up TLS: {error}")))?;
        Ok(Self { http, base, key: key.to_owned() })
    }

    fn request(&self, method: Method, path: &[&str], query: &[(String, String)]) -> RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().extend(["api", "v1"]).extend(path);
        }
        let request = self.http.request(method, url).bearer_auth(&self.key);
        if query.is_empty() { request } else { request.query(query) }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Refusal> {
        let answer = request.send().await.map_err(|error| unreachable(&self.base, error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let text = match answer.headers().get("location").and_then(|to| to.to_str().ok()) {
            Some(to) if status.is_redirection() => {
                format!("the server is at another address ({to}); name that one with --url")
            }
            _ => readable(status.as_u16(), &answer.text().await.unwrap_or_default()),
        };
        Err(Refusal::Problem { status: status.as_u16(), text })
    }

    async fn json(&self, request: RequestBuilder) -> Result<Value, Refusal> {
        let answer = self.send(request).await?;
        let body = answer.text().await.map_err(|error| unreachable(&self.base, error))?;
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&body)
            .map_err(|_| Refusal::Unreachable(format!("{} answers, but not as Denizen's API does", self.base)))
    }

    /// Reads.
    ///
    /// # Errors
    /// The server's refusal, or that it cannot be reached; so of every call here.
    pub(crate) async fn get(&self, path: &[&str], query: &[(String, String)]) -> Result<Value, Refusal> {
        self.json(self.request(Method::GET, path, query).timeout(PATIENCE)).await
    }

    /// Creates or does something.
    pub(crate) async fn post(&self, path: &[&str], body: Option<&Value>) -> Result<Value, Refusal> {
        let request = self.request(Method::POST, path, &[]).timeout(PATIENCE);
        self.json(if let Some(body) = body { request.json(body) } else { request }).await
    }

    /// Deletes.
    pub(crate) async fn delete(&self, path: &[&str]) -> Result<Value, Refusal> {
        self.json(self.request(Method::DELETE, path, &[]).timeout(PATIENCE)).await
    }

    /// All items of a list up to `most`, page after page, with the last page's cursor and the total as the server
    /// told them.
    pub(crate) async fn list(
        &self,
        path: &[&str],
        query: &[(String, String)],
        most: Option<usize>,
    ) -> Result<Value, Refusal> {
        let mut items: Vec<Value> = Vec::new();
        let mut cursor: Option<String> = None;
        let mut total: Option<Value> = None;
        loop {
            let left = most.map_or(500, |most| most.saturating_sub(items.len()).clamp(1, 500));
            let mut asked = query.to_vec();
            asked.push(("limit".to_owned(), left.to_string()));
            if let Some(cursor) = &cursor {
                asked.retain(|(key, _)| key != "cursor");
                asked.push(("cursor".to_owned(), cursor.clone()));
            }
            let mut page = self.get(path, &asked).await?;
            if let Some(more) = page.get_mut("items").and_then(Value::as_array_mut) {
                items.append(more);
            }
            total = total.or_else(|| page.get("total").cloned());
            cursor = page.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() || most.is_some_and(|most| items.len() >= most) {
                return Ok(serde_json::json!({ "items": items, "next_cursor": cursor, "total": total }));
            }
        }
    }

    /// Begins to read an answer of any length; its pieces come with [`Client::piece`].
    pub(crate) async fn download(&self, path: &[&str], query: &[(String, String)]) -> Result<Response, Refusal> {
        self.send(self.request(Method::GET, path, query)).await
    }

    /// The next piece of a download, none at its end.
    pub(crate) async fn piece(&self, answer: &mut Response) -> Result<Option<Bytes>, Refusal> {
        answer.chunk().await.map_err(|error| unreachable(&self.base, error))
    }

    /// Sends a file of any length, or standard input for `-`, never holding it in memory. `sent` is told how many
    /// bytes have gone out.
    ///
    /// # Errors
    /// When the file cannot be read, beside the usual.
    pub(crate) async fn upload(
        &self,
        path: &[&str],
        query: &[(String, String)],
        content_type: &str,
        file: &Path,
        sent: Arc<dyn Fn(u64) + Send + Sync>,
    ) -> Result<Value, Failed> {
        let (upload, trouble) = Upload::open(file, sent)?;
        let mut request = self.request(Method::POST, path, query).header(CONTENT_TYPE, content_type);
        if let Some(length) = upload.length {
            request = request.header(CONTENT_LENGTH, length);
        }
        let answer = self.json(request.body(reqwest::Body::wrap(upload))).await;
        // A file that could not be read to its end breaks the connection; the cause is the file.
        match trouble.try_lock().ok().and_then(|mut trouble| trouble.take()) {
            Some(error) => Err(Failed::Operation(format!("cannot read {}: {error}", file.display()))),
            None => Ok(answer?),
        }
    }
}

/// Where a reading thread leaves what went wrong.
type Trouble = Arc<std::sync::Mutex<Option<String>>>;

/// A request body that is read from a file by a thread of its own.
struct Upload {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    length: Option<u64>,
    sent: Arc<dyn Fn(u64) + Send + Sync>,
    total: u64,
}

impl Upload {
    fn open(file: &Path, sent: Arc<dyn Fn(u64) + Send + Sync>) -> Result<(Self, Trouble), Failed> {
        let failed = |error: io::Error| Failed::Operation(format!("cannot read {}: {error}", file.display()));
        let (reader, length): (Box<dyn io::Read + Send>, Option<u64>) = if file == Path::new("-") {
            (Box::new(io::stdin()), None)
        } else {
            let opened = std::fs::File::open(file).map_err(failed)?;
            let about = opened.metadata().map_err(failed)?;
            if about.is_dir() {
                return Err(Failed::Operation(format!("{} is a folder", file.display())));
            }
            (Box::new(opened), about.is_file().then_some(about.len()))
        };
        let (give, pieces) = mpsc::channel(4);
        let trouble = Trouble::default();
        let told = Arc::clone(&trouble);
        tokio::task::spawn_blocking(move || read_pieces(reader, &give, &told));
        Ok((Self { pieces, length, sent, total: 0 }, trouble))
    }
}

/// Reads to the end, or until nobody wants more.
fn read_pieces(mut reader: Box<dyn io::Read + Send>, give: &mpsc::Sender<io::Result<Bytes>>, trouble: &Trouble) {
    let mut buffer = vec![0; PIECE];
    loop {
        let piece = match reader.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => Ok(Bytes::copy_from_slice(buffer.get(..count).unwrap_or_default())),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                if let Ok(mut trouble) = trouble.lock() {
                    *trouble = Some(error.to_string());
                }
                Err(error)
            }
        };
        let last = piece.is_err();
        if give.blocking_send(piece).is_err() || last {
            return;
        }
    }
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
    ) -> task::Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let next = task::ready!(self.pieces.poll_recv(cx));
        if let Some(Ok(piece)) = &next {
            self.total += u64::try_from(piece.len()).unwrap_or(0);
            (self.sent)(self.total);
        }
        task::Poll::Ready(next.map(|piece| piece.map(Frame::data)))
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::new, |length| SizeHint::with_exact(length.saturating_sub(self.total)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_field_by_field() {
        let body = r#"{"type":"/problems/invalid-input","title":"Invalid input","status":422,
            "detail":"Some fields are wrong.","errors":[{"field":"email","message":"Must be an address."}],"request_id":"r1"}"#;
        assert_eq!(readable(422, body), "Some fields are wrong.\n  email: Must be an address.");
        assert_eq!(readable(502, "<html>"), "the server answered with status 502 and no explanation");
        let body = r#"{"title":"Internal error","detail":"Something failed.","request_id":"r1"}"#;
        assert_eq!(readable(500, body), "Something failed.\n  request r1");
    }

    #[test]
    fn addresses_are_scheme_and_host() {
        assert_eq!(parse_url("https://id.example.com").unwrap().as_str(), "https://id.example.com/");
        for bad in ["id.example.com", "ftp://x", "https://a/b", "https://u@h", "https://a/?q", ""] {
            assert!(parse_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn parts_of_a_path_cannot_leave_it() {
        let client = Client::new("http://127.0.0.1:1", "dzk_x").unwrap();
        let request = client.request(Method::GET, &["realms", "main", "users", "../x?y/z"], &[]).build().unwrap();
        assert_eq!(request.url().path(), "/api/v1/realms/main/users/..%2Fx%3Fy%2Fz");
    }
}
