//! The real binary, started and stopped by a test.

use std::{
    fs::{File, OpenOptions},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::Arc,
    time::Duration,
};

use super::{Api, Database, eventually};

/// Who owns every server that is started here.
pub(crate) const OWNER_EMAIL: &str = "owner@example.com";
/// And their password.
pub(crate) const OWNER_PASSWORD: &str = "an owner's long password";

/// A port nobody listens on at this moment.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// A running `denizen serve`; dropping it ends it.
pub(crate) struct Server {
    child: Option<Child>,
    /// Ends after the process: declared later.
    pub(crate) database: Arc<Database>,
    data: PathBuf,
    own_folder: Option<tempfile::TempDir>,
    database_url: Option<String>,
    port: u16,
    public_url: String,
    key: Option<String>,
    master_key: Option<String>,
    smtp_url: Option<String>,
    authority: Option<PathBuf>,
    sms_url: Option<String>,
}

impl Server {
    /// A server that was not started yet.
    pub(crate) fn prepare(database: impl Into<Arc<Database>>) -> Self {
        let database = database.into();
        let port = free_port();
        Self {
            child: None,
            data: database.folder().to_owned(),
            database_url: database.url().map(str::to_owned),
            database,
            own_folder: None,
            port,
            public_url: format!("http://127.0.0.1:{port}"),
            key: None,
            master_key: None,
            smtp_url: None,
            authority: None,
            sms_url: None,
        }
    }

    /// A server on this database that answers.
    pub(crate) async fn start(database: impl Into<Arc<Database>>) -> Self {
        let mut server = Self::prepare(database);
        server.launch().await;
        server
    }

    /// Makes it say that it is reached at another address, such as a load balancer's.
    pub(crate) fn at_public_url(mut self, url: &str) -> Self {
        url.clone_into(&mut self.public_url);
        self
    }

    /// Makes it reach its database at another address, such as a wire that can be cut.
    pub(crate) fn at_database_url(mut self, url: &str) -> Self {
        self.database_url = Some(url.to_owned());
        self
    }

    /// Makes it keep its files in a folder of its own, with the master key of `other`: a node on another machine.
    pub(crate) fn beside(mut self, other: &Server) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(&other.data).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "key") {
                std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
            }
        }
        folder.path().clone_into(&mut self.data);
        self.own_folder = Some(folder);
        self
    }

    /// Gives it a master key, as for nodes that start at the same moment; and a folder that is not shared.
    pub(crate) fn with_master_key(mut self, key: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        folder.path().clone_into(&mut self.data);
        self.own_folder = Some(folder);
        self.master_key = Some(key.to_owned());
        self
    }

    /// Gives it a mail server.
    pub(crate) fn sending_by(mut self, url: &str) -> Self {
        self.smtp_url = Some(url.to_owned());
        self
    }

    /// Makes it trust the certificates of an authority, as an operator does whose company has one.
    pub(crate) fn trusting(mut self, authority: &Path) -> Self {
        self.authority = Some(authority.to_owned());
        self
    }

    /// Gives it an SMS gateway.
    pub(crate) fn texting_by(mut self, url: &str) -> Self {
        self.sms_url = Some(url.to_owned());
        self
    }

    fn log_path(&self) -> PathBuf {
        self.database.folder().join(format!("server-{}.log", self.port))
    }

    fn log_file(&self) -> File {
        OpenOptions::new().create(true).append(true).open(self.log_path()).unwrap()
    }

    /// What it said so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// `denizen` with this server's data.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = denizen(words);
        command.arg("--data").arg(&self.data);
        if let Some(url) = &self.database_url {
            command.args(["--database", url]);
        }
        if let Some(key) = &self.master_key {
            command.env("DENIZEN_MASTER_KEY", key);
        }
        command
    }

    /// Runs `denizen …` with this server's data to its end.
    pub(crate) fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// Starts the process, without waiting for it.
    pub(crate) fn spawn(&mut self) {
        let mut command = self.command(&["serve"]);
        command
            .args(["--listen", &format!("127.0.0.1:{}", self.port), "--public-url", &self.public_url])
            .env("DENIZEN_OWNER_EMAIL", OWNER_EMAIL)
            .env("DENIZEN_OWNER_PASSWORD", OWNER_PASSWORD)
            .envs(self.smtp_url.iter().map(|url| ("DENIZEN_SMTP_URL", url)))
            .envs(self.authority.iter().map(|file| ("SSL_CERT_FILE", file)))
            .envs(self.sms_url.iter().map(|url| ("DENIZEN_SMS_URL", url)))
            .env("DENIZEN_MAIL_FROM", "Denizen <no-reply@example.com>")
            .stdout(self.log_file())
            .stderr(self.log_file());
        self.child = Some(command.spawn().unwrap());
    }

    /// Starts the process and waits until it answers.
    pub(crate) async fn launch(&mut self) {
        self.spawn();
        for _ in 0..2400 {
            if let Some(status) = self.exited() {
                panic!("denizen ended with {status}:\n{}", self.log());
            }
            if self.is_ready().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("denizen does not answer:\n{}", self.log());
    }

    /// Whether `/health/ready` says so.
    pub(crate) async fn is_ready(&self) -> bool {
        matches!(reqwest::get(self.own("/health/ready")).await, Ok(answer) if answer.status() == 200)
    }

    /// How it ended, if it did.
    pub(crate) fn exited(&mut self) -> Option<ExitStatus> {
        self.child.as_mut().and_then(|child| child.try_wait().unwrap())
    }

    /// Waits for the end.
    pub(crate) async fn wait_for_exit(&mut self) -> ExitStatus {
        for _ in 0..1200 {
            if let Some(status) = self.exited() {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("denizen does not end:\n{}", self.log());
    }

    /// `kill -9`: nothing gets a chance to tidy up.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }

    /// Asks it to stop and waits.
    pub(crate) async fn stop(&mut self) -> ExitStatus {
        let id = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let status = self.wait_for_exit().await;
        self.child = None;
        status
    }

    /// An address of this very node.
    pub(crate) fn own(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// An address as people and applications see it.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.public_url)
    }

    /// A realm's issuer.
    pub(crate) fn issuer(&self, realm: &str) -> String {
        self.url(&format!("/realms/{realm}"))
    }

    /// The admin API with an owner's key, which is made by the command line while the server runs.
    pub(crate) fn api(&mut self) -> Api {
        if self.key.is_none() {
            let made = self.run(&["key", "create", "--realm", "main", "--name", "tests", "--role", "owner"]);
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
            let key = String::from_utf8(made.stdout).unwrap().trim().to_owned();
            assert!(key.starts_with("dzk_"), "the key alone is printed on stdout, not {key:?}");
            self.key = Some(key);
        }
        Api::new(self.own(""), self.key.clone())
    }

    /// Asserts that the audit chains hold.
    pub(crate) fn verify_audit(&self) {
        let verified = self.run(&["audit", "verify"]);
        let said =
            format!("{}{}", String::from_utf8_lossy(&verified.stdout), String::from_utf8_lossy(&verified.stderr));
        assert_eq!(verified.status.code(), Some(0), "{said}");
    }

    /// Waits until it is ready again.
    pub(crate) async fn recovers(&self) {
        eventually("the server is ready", || self.is_ready()).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!(
                "--- the last lines of denizen on port {}:\n{}",
                self.port,
                lines[lines.len().saturating_sub(60)..].join("\n")
            );
        }
    }
}

/// The binary, with nothing of this machine's settings.
pub(crate) fn denizen(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_denizen"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("DENIZEN_") {
            command.env_remove(name);
        }
    }
    // Tests ask nobody on the internet.
    command.args(words).stdin(Stdio::null()).env("DENIZEN_BREACHED_PASSWORDS", "off");
    command
}
