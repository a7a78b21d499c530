//! The server under test: started, asked for a key, stopped.

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::failure::{Failure, Result};

/// Where a server's program and data are.
pub(crate) struct Place<'a> {
    pub(crate) denizen: &'a Path,
    pub(crate) data: &'a Path,
    pub(crate) url: Option<&'a str>,
}

impl Place<'_> {
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(self.denizen);
        command.args(words).arg("--data").arg(self.data);
        if let Some(url) = self.url {
            command.arg("--database").arg(url);
        }
        command.stdin(Stdio::null());
        command
    }

    /// An API key with every permission in every realm.
    pub(crate) fn make_key(&self) -> Result<String> {
        let output =
            self.command(&["key", "create", "--realm", "main", "--name", "load", "--role", "owner"]).output()?;
        if !output.status.success() {
            return Err(Failure::new(format!("no key: {}", String::from_utf8_lossy(&output.stderr))));
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }
}

/// What the binary says it is.
pub(crate) fn version(denizen: &Path) -> Result<String> {
    let output = Command::new(denizen).arg("--version").output();
    let output = output.map_err(|error| Failure::new(format!("cannot run {}: {error}", denizen.display())))?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// A running server, which ends when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// From the start of the process to its first good answer.
    pub(crate) took: Duration,
}

impl Server {
    pub(crate) fn start(place: &Place<'_>) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let log = place.data.join("server.log");
        let mut command = place.command(&["serve"]);
        command.args(["--listen", &address.to_string()]);
        command
            .env("DENIZEN_OWNER_EMAIL", "owner@example.com")
            .env("DENIZEN_OWNER_PASSWORD", "correct horse battery staple")
            .env("DENIZEN_BREACHED_PASSWORDS", "off");
        command.stdout(Stdio::null()).stderr(File::create(&log)?);
        let started = Instant::now();
        let child = command.spawn()?;
        let mut server = Self { child, address, took: Duration::ZERO };
        while !is_live(address) {
            let gone = server.child.try_wait()?.is_some();
            if gone || started.elapsed() > Duration::from_secs(60) {
                let said = fs::read_to_string(&log).unwrap_or_default();
                return Err(Failure::new(format!("the server did not start: {said}")));
            }
            thread::sleep(Duration::from_millis(1));
        }
        server.took = started.elapsed();
        Ok(server)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Asked to end, as a service manager asks; without an answer it is killed.
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        for _ in 0..100 {
            if let Ok(Some(_)) = self.child.try_wait() {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_live(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET /health/live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer)?;
        Ok(answer == *b"HTTP/1.1 200")
    };
    ask().unwrap_or(false)
}
