//! Looking a password up among breached ones: at a range source by HTTP, which learns five digits of its SHA-1 hash and
//! no more (k-anonymity), or in a downloaded file.
//!
//! Somebody waits for the answer, so it comes soon or not at all. A source that fails is left alone for a while, so that
//! an outage does not make everybody wait. Neither a password nor any part of its hash goes into the log.

use std::{
    collections::VecDeque,
    error::Error as _,
    fmt,
    fs::File,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use denizen_model::Timestamp;
use tokio::{sync::Semaphore, time::timeout};
use url::Url;

use super::{
    file,
    range::{Range, Sha1},
};

/// How long somebody waits for an answer at most.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a source that failed is left alone.
const PAUSE: Duration = Duration::from_secs(15);
/// How many look-ups go on at a time; further ones wait for their turn, within their patience.
const TOGETHER: usize = 16;
/// The most bytes of an answer. Have I Been Pwned's have some 80 KB with their padding.
const LONGEST: usize = 1024 * 1024;
/// How many answers are kept, some 40 KB each, and for how long: a form that comes back for another reason is not looked
/// up again.
const KEPT: usize = 32;
const KEPT_FOR: Duration = Duration::from_secs(300);

/// Where breached passwords are looked up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Source {
    /// Nowhere: the built-in common passwords are all there is.
    #[default]
    None,
    /// At an address that answers `<address>/5BAA6` in Have I Been Pwned's range format.
    Range(Url),
    /// In a file of `SHA-1:count` lines in the order of their hashes.
    File(PathBuf),
}

impl Source {
    /// Have I Been Pwned's own address.
    pub const HAVE_I_BEEN_PWNED: &str = "https://api.pwnedpasswords.com/range";

    /// Reads what an operator configures: an address, the path of a file, or `off`.
    ///
    /// # Errors
    /// A sentence that says what is wrong; it never repeats a password in the address.
    pub fn parse(text: &str) -> Result<Self, String> {
        const WRONG: &str = "the source of breached passwords must be an address such as \
             https://api.pwnedpasswords.com/range, the path of a file, or off";
        if text == "off" {
            return Ok(Self::None);
        }
        if text.trim().is_empty() {
            return Err(WRONG.to_owned());
        }
        let Some((scheme, _)) = text.split_once("://") else { return Ok(Self::File(PathBuf::from(text))) };
        let url = Url::parse(text).map_err(|_| WRONG.to_owned())?;
        match scheme.to_ascii_lowercase().as_str() {
            "file" => url.to_file_path().map(Self::File).map_err(|()| WRONG.to_owned()),
            "http" | "https" if url.query().is_none() && url.fragment().is_none() => Ok(Self::Range(url)),
            _ => Err(WRONG.to_owned()),
        }
    }

    /// The address of one range.
    fn range(address: &Url, prefix: &str) -> Option<Url> {
        let mut url = address.clone();
        url.path_segments_mut().ok()?.pop_if_empty().push(prefix);
        Some(url)
    }
}

impl fmt::Display for Source {
    /// Where it is, without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("off"),
            Self::File(path) => path.display().fmt(f),
            Self::Range(url) => {
                let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
                write!(f, "{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
            }
        }
    }
}

/// What came of a look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// It is known from a breach.
    Breached,
    /// It is not.
    Nowhere,
    /// The source did not answer.
    Unavailable,
    /// There is no source.
    NoSource,
}

/// The source, as it is asked.
pub(crate) struct Breaches {
    source: Source,
    /// Made when it is first needed: reading the system's certificate authorities takes a while, and may fail.
    client: OnceLock<Result<reqwest::Client, String>>,
    turns: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Until when the source is left alone.
    paused_until: Option<Timestamp>,
    /// The last answers, the newest last.
    kept: VecDeque<Kept>,
}

struct Kept {
    prefix: String,
    until: Timestamp,
    range: Arc<Range>,
}

impl Breaches {
    pub(crate) fn new(source: Source) -> Self {
        let turns = Arc::new(Semaphore::new(TOGETHER));
        Self { source, client: OnceLock::new(), turns, state: Mutex::default() }
    }

    pub(super) fn source(&self) -> &Source {
        &self.source
    }

    /// Looks a password up.
    pub(super) async fn find(&self, now: Timestamp, password: &str) -> Found {
        let hash = Sha1::of(password);
        let (prefix, rest) = hash.parts();
        if matches!(self.source, Source::None) {
            return Found::NoSource;
        }
        if let Some(range) = self.kept(now, prefix) {
            return if range.contains(rest) { Found::Breached } else { Found::Nowhere };
        }
        if self.is_paused(now) {
            return Found::Unavailable;
        }
        let asked = match &self.source {
            Source::Range(address) => self.ask(address, prefix).await.map(|range| {
                let found = range.contains(rest);
                self.keep(now, prefix, range);
                found
            }),
            Source::File(path) => {
                let (path, wanted) = (path.clone(), hash.clone());
                self.in_file(move || file::contains(&mut File::open(path)?, &wanted)).await
            }
            Source::None => return Found::NoSource,
        };
        match asked {
            Ok(true) => Found::Breached,
            Ok(false) => Found::Nowhere,
            Err(error) => {
                self.state().paused_until = Some(now.plus(PAUSE));
                tracing::warn!(source = %self.source, error, "Breached passwords cannot be looked up");
                Found::Unavailable
            }
        }
    }

    /// Whether the source answers; says where it is.
    pub(super) async fn check(&self) -> Result<String, String> {
        let answer = match &self.source {
            Source::None => return Ok("off: only the built-in common passwords are refused".to_owned()),
            Source::Range(address) => self.ask(address, "00000").await.map(drop),
            Source::File(path) => {
                let path = path.clone();
                self.in_file(move || file::check(&mut File::open(path)?)).await
            }
        };
        answer.map(|()| format!("{} answers", self.source)).map_err(|error| format!("{}: {error}", self.source))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_paused(&self, now: Timestamp) -> bool {
        self.state().paused_until.is_some_and(|until| now < until)
    }

    fn kept(&self, now: Timestamp, prefix: &str) -> Option<Arc<Range>> {
        let state = self.state();
        let kept = state.kept.iter().find(|kept| kept.prefix == prefix && now < kept.until);
        kept.map(|kept| kept.range.clone())
    }

    fn keep(&self, now: Timestamp, prefix: &str, range: Range) {
        let mut state = self.state();
        state.paused_until = None;
        state.kept.retain(|kept| kept.prefix != prefix && now < kept.until);
        if state.kept.len() >= KEPT {
            state.kept.pop_front();
        }
        state.kept.push_back(Kept { prefix: prefix.to_owned(), until: now.plus(KEPT_FOR), range: Arc::new(range) });
    }

    async fn ask(&self, address: &Url, prefix: &str) -> Result<Range, String> {
        let client = self.client.get_or_init(client).clone()?;
        let url = Source::range(address, prefix).ok_or("it is no address of a range source")?;
        let answer = async {
            let _turn = self.turns.acquire().await.map_err(|error| error.to_string())?;
            let mut response = client.get(url).header("Add-Padding", "true").send().await.map_err(told)?;
            if response.status() != reqwest::StatusCode::OK {
                return Err(format!("it answers with status {}", response.status().as_u16()));
            }
            let mut body = Vec::new();
            while let Some(piece) = response.chunk().await.map_err(told)? {
                if body.len() + piece.len() > LONGEST {
                    return Err("its answer is too long".to_owned());
                }
                body.extend_from_slice(&piece);
            }
            Range::parse(&body).ok_or_else(|| "its answer is not in the range format".to_owned())
        };
        timeout(PATIENCE, answer).await.unwrap_or_else(|_| Err(late()))
    }

    /// Runs a look into the file on a thread that may block. One that hangs, as files of another machine can, keeps its
    /// turn, so that they never take all threads.
    async fn in_file<T: Send + 'static>(
        &self,
        look: impl FnOnce() -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, String> {
        let answer = async {
            let turn = self.turns.clone().acquire_owned().await.map_err(|error| error.to_string())?;
            let looking = tokio::task::spawn_blocking(move || {
                let found = look();
                drop(turn);
                found
            });
            looking.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
        };
        timeout(PATIENCE, answer).await.unwrap_or_else(|_| Err(late()))
    }
}

impl fmt::Debug for Breaches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Breaches").field(&self.source.to_string()).finish()
    }
}

fn late() -> String {
    format!("it does not answer within {} seconds", PATIENCE.as_secs())
}

/// Follows no redirect: a range source has none, and a network's sign-in page is no source.
fn client() -> Result<reqwest::Client, String> {
    reqwest::Client::builder()
        .user_agent(concat!("Denizen/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(PATIENCE)
        .build()
        .map_err(told)
}

/// A failure in words. The address is left out: it ends with a part of a hash.
fn told(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
