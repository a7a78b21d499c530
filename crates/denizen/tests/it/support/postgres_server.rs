//! A PostgreSQL server of a test's own, which may be crashed.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use super::{free_port, may_skip};

/// A running server; dropping it ends it.
pub(crate) struct PostgresServer {
    bin: PathBuf,
    folder: tempfile::TempDir,
    port: u16,
}

impl PostgresServer {
    /// Makes a cluster and starts it.
    pub(crate) fn start() -> Option<Self> {
        let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let Some(bin) = versions.map(|entry| entry.path().join("bin")).filter(|bin| bin.join("initdb").is_file()).max()
        else {
            may_skip("PostgreSQL (initdb)");
            return None;
        };
        let server = Self { bin, folder: tempfile::tempdir().unwrap(), port: free_port() };
        if is_root() {
            // PostgreSQL refuses to run as root.
            assert!(Command::new("chown").arg("postgres").arg(server.folder.path()).status().unwrap().success());
        }
        server.run("initdb", &["-U", "denizen", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8"]);
        server.launch();
        Some(server)
    }

    fn run(&self, program: &str, words: &[&str]) {
        let program = self.bin.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.arg("-D").arg(self.folder.path().join("data")).args(words).current_dir("/");
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert!(status.success(), "{command:?}: {status}");
    }

    /// Starts it, again.
    pub(crate) fn launch(&self) {
        let options = format!("-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories=", self.port);
        let log = self.folder.path().join("data/log");
        self.run("pg_ctl", &["-w", "-l", &log.to_string_lossy(), "-o", &options, "start"]);
    }

    /// Ends it without a checkpoint, as a crash does: the next start recovers from its log.
    pub(crate) fn crash(&self) {
        self.run("pg_ctl", &["-m", "immediate", "stop"]);
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://denizen@127.0.0.1:{}/postgres", self.port)
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        if self.folder.path().join("data/postmaster.pid").exists() {
            self.crash();
        }
    }
}

/// Whether this process may do anything.
pub(crate) fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|said| said.stdout.trim_ascii() == b"0")
}
