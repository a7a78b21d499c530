//! A mail server of another maker (npm's `smtp-server`) that asks for TLS and a login.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use super::{eventually, find_program, may_skip, npm_install};

/// Who may send by it, and with what.
pub(crate) const RELAY_USER: &str = "denizen@example.com";
pub(crate) const RELAY_PASSWORD: &str = "s3cret & sp%ced";

/// How its conversations are kept from others, in the words of `server.mjs`.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    /// TLS from the first byte.
    Tls,
    /// TLS after `STARTTLS`; no login before.
    StartTls,
    /// Neither TLS nor a login.
    Plain,
}

/// The mail server; dropping it ends it.
pub(crate) struct MailRelay {
    process: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl MailRelay {
    /// One that takes mails this way, and logins by this method (`PLAIN`, `LOGIN`); `None` when it may be skipped.
    pub(crate) async fn start(way: Way, method: &str) -> Option<Self> {
        let Some(openssl) = find_program("openssl").map(PathBuf::from) else {
            may_skip("openssl");
            return None;
        };
        let folder = npm_install("mail-server", &["server.mjs"])?;
        certify(&openssl, folder.path());
        let way = match way {
            Way::Tls => "tls",
            Way::StartTls => "starttls",
            Way::Plain => "none",
        };
        let log = |name| File::create(folder.path().join(name)).unwrap();
        let mut process = Command::new(find_program("node")?)
            .arg("server.mjs")
            .current_dir(folder.path())
            .envs([("WAY", way), ("METHOD", method), ("NAME", RELAY_USER), ("PASSWORD", RELAY_PASSWORD)])
            .stdin(Stdio::null())
            .stdout(log("said"))
            .stderr(log("errors"))
            .spawn()
            .unwrap();
        eventually("the mail server listens", || {
            assert!(process.try_wait().unwrap().is_none(), "the mail server ended: {}", read(folder.path(), "errors"));
            let listens = !lines(folder.path()).is_empty();
            async move { listens }
        })
        .await;
        let port = lines(folder.path())[0]["port"].as_u64().unwrap().try_into().unwrap();
        Some(Self { process, folder, port })
    }

    /// Its port on `localhost`, which is the name in its certificate.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The authority that vouches for it, in PEM.
    pub(crate) fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// What it took so far.
    pub(crate) fn taken(&self) -> Vec<Value> {
        lines(self.folder.path()).split_off(1)
    }
}

impl Drop for MailRelay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the mail server said:\n{}", read(self.folder.path(), "errors"));
        }
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap_or_default()
}

/// The lines it has written to their ends.
fn lines(folder: &Path) -> Vec<Value> {
    let said = read(folder, "said");
    let whole = said.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    whole.map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// An authority of this test alone, and a certificate by it for `localhost`.
fn certify(openssl: &Path, folder: &Path) {
    let key = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
    let run = |words: &[&str]| {
        let done = Command::new(openssl).args(key).args(words).current_dir(folder).output().unwrap();
        assert!(done.status.success(), "openssl: {}", String::from_utf8_lossy(&done.stderr));
    };
    run(&["-subj", "/CN=Test authority", "-keyout", "ca.key", "-out", "ca.pem"]);
    run(&[
        "-subj",
        "/CN=localhost",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-addext",
        "subjectAltName=DNS:localhost",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
        "-keyout",
        "server.key",
        "-out",
        "server.pem",
    ]);
}
