//! An SMS gateway for tests: takes text messages as JSON over HTTP and keeps them. Whatever else is asked is answered
//! too, so that it can stand in for an application's page.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::eventually;

/// The gateway; dropping it ends it.
pub(crate) struct Gateway {
    port: u16,
    taken: Arc<Mutex<Vec<Value>>>,
    running: JoinHandle<()>,
}

impl Gateway {
    /// One at any port.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let taken = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&taken);
        let running = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let kept = Arc::clone(&kept);
                // Somebody who goes away in the middle has sent nothing.
                tokio::spawn(async move { drop(answer(stream, &kept).await) });
            }
        });
        Self { port, taken, running }
    }

    /// An address at it.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Waits for the texts to a number to be so many; answers the last.
    pub(crate) async fn wait_for(&self, number: &str, count: usize) -> String {
        let to = || -> Vec<String> {
            let taken = self.taken.lock().unwrap();
            let theirs = taken.iter().filter(|message| message["to"] == number);
            theirs.map(|message| message["text"].as_str().unwrap().to_owned()).collect()
        };
        eventually(&format!("{count} texts to {number}"), || async { to().len() >= count }).await;
        let found = to();
        assert_eq!(found.len(), count);
        found.last().unwrap().clone()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.running.abort();
    }
}

async fn answer(mut stream: TcpStream, taken: &Mutex<Vec<Value>>) -> std::io::Result<()> {
    let (read, mut write) = stream.split();
    let mut read = BufReader::new(read);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if read.read_line(&mut line).await? == 0 || line == "\r\n" {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    read.read_exact(&mut body).await?;
    if let Ok(message) = serde_json::from_slice(&body) {
        taken.lock().unwrap().push(message);
    }
    let page = "<!doctype html><title>Application</title><p>You are there";
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        page.len()
    );
    write.write_all(format!("{head}{page}").as_bytes()).await
}
