//! A mail server for tests: takes mails over plain SMTP (RFC 5321) and keeps them.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::eventually;

/// A mail that was taken.
#[derive(Debug, Clone)]
pub(crate) struct Mail {
    pub(crate) to: Vec<String>,
    pub(crate) raw: String,
}

impl Mail {
    /// The headers.
    pub(crate) fn head(&self) -> &str {
        self.raw.split_once("\r\n\r\n").map_or(self.raw.as_str(), |(head, _)| head)
    }

    /// A part of the mail, read back from quoted-printable or base64.
    fn part(&self, kind: &str) -> String {
        let (before, part) =
            self.raw.split_once(&format!("Content-Type: {kind}")).unwrap_or_else(|| panic!("no {kind}: {}", self.raw));
        let (head, body) = part.split_once("\r\n\r\n").unwrap();
        if before.rsplit("\r\n--").next().into_iter().chain([head]).any(|head| head.contains("base64")) {
            use base64::{Engine as _, engine::general_purpose::STANDARD};
            let body = body.split("\r\n--").next().unwrap().replace("\r\n", "");
            return String::from_utf8(STANDARD.decode(body.trim()).unwrap()).unwrap();
        }
        let body = body.replace("=\r\n", "");
        let body = body.split("\r\n--").next().unwrap();
        let mut out = Vec::new();
        let mut bytes = body.bytes();
        while let Some(byte) = bytes.next() {
            if byte == b'=' {
                let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                out.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
            } else {
                out.push(byte);
            }
        }
        String::from_utf8(out).unwrap()
    }

    pub(crate) fn html(&self) -> String {
        self.part("text/html")
    }

    pub(crate) fn text(&self) -> String {
        self.part("text/plain")
    }

    /// Where the text part leads.
    pub(crate) fn link(&self) -> String {
        let text = self.text();
        let line = text.lines().find(|line| line.starts_with("http")).unwrap_or_else(|| panic!("no link: {text}"));
        line.trim().to_owned()
    }
}

/// The mail server; dropping it ends it.
pub(crate) struct MailServer {
    pub(crate) port: u16,
    taken: Arc<Mutex<Vec<Mail>>>,
    running: JoinHandle<()>,
}

impl MailServer {
    /// One at any port.
    pub(crate) async fn start() -> Self {
        Self::start_at(0).await
    }

    /// One at this port. It refuses recipients whose address begins with `refused`.
    pub(crate) async fn start_at(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let taken = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&taken);
        let running = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let kept = Arc::clone(&kept);
                // A client that goes away in the middle has sent nothing.
                tokio::spawn(async move { drop(converse(stream, &kept).await) });
            }
        });
        Self { port, taken, running }
    }

    /// Its address as Denizen is told it.
    pub(crate) fn url(&self) -> String {
        smtp_url(self.port)
    }

    /// The mails to an address, in the order they came.
    pub(crate) fn to(&self, address: &str) -> Vec<Mail> {
        let taken = self.taken.lock().unwrap();
        taken.iter().filter(|mail| mail.to.iter().any(|to| to == address)).cloned().collect()
    }

    /// Waits for the mails to an address to be so many; answers the last.
    pub(crate) async fn wait_for(&self, address: &str, count: usize) -> Mail {
        eventually(&format!("{count} mails to {address}"), || async { self.to(address).len() >= count }).await;
        let found = self.to(address);
        assert_eq!(found.len(), count);
        found.last().unwrap().clone()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// How Denizen is told of a mail server on this machine.
pub(crate) fn smtp_url(port: u16) -> String {
    format!("smtp://127.0.0.1:{port}?tls=none")
}

async fn converse(stream: TcpStream, taken: &Mutex<Vec<Mail>>) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(b"220 test ESMTP\r\n").await?;
    let mut to = Vec::new();
    while let Some(line) = lines.next_line().await? {
        let upper = line.to_ascii_uppercase();
        let address = || line.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or("", |(inner, _)| inner);
        let answer: &str = match upper.split([' ', ':']).next().unwrap_or("") {
            "EHLO" => "250-test\r\n250-8BITMIME\r\n250 SMTPUTF8",
            "HELO" | "MAIL" | "RSET" | "NOOP" => {
                to.clear();
                "250 ok"
            }
            "RCPT" if address().starts_with("refused") => "550 5.1.1 no such mailbox",
            "RCPT" => {
                to.push(address().to_owned());
                "250 ok"
            }
            "DATA" => {
                write.write_all(b"354 go on\r\n").await?;
                let mut raw = String::new();
                loop {
                    let Some(line) = lines.next_line().await? else { return Ok(()) };
                    if line == "." {
                        break;
                    }
                    raw.push_str(line.strip_prefix('.').unwrap_or(&line));
                    raw.push_str("\r\n");
                }
                taken.lock().unwrap().push(Mail { to: std::mem::take(&mut to), raw });
                "250 taken"
            }
            "QUIT" => {
                write.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => "502 what",
        };
        write.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(())
}
