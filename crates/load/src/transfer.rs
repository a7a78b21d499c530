//! Files of any size, to the server and from it.

use std::{
    fs::File,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    time::Duration,
};

use crate::failure::{Failure, Result};

const PATIENCE: Duration = Duration::from_secs(300);

/// Sends a file as the body of a `POST`; the body of the answer, which must be a good one.
pub(crate) fn upload(address: SocketAddr, path: &str, authorization: &str, file: &Path) -> Result<String> {
    let mut file = File::open(file)?;
    let mut stream = connect(address)?;
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: {authorization}\r\nconnection: close\r\n\
         content-type: application/jsonl\r\ncontent-length: {}\r\n\r\n",
        file.metadata()?.len()
    )?;
    let mut buffer = vec![0; 1 << 18];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        stream.write_all(buffer.get(..read).unwrap_or_default())?;
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| Failure::new("not an HTTP answer"))?;
    if !head.starts_with("HTTP/1.1 2") {
        return Err(Failure::new(format!("an upload was answered {answer}")));
    }
    Ok(body.to_owned())
}

/// What came down.
pub(crate) struct Download {
    pub(crate) bytes: u64,
    pub(crate) lines: u64,
}

/// Reads a file to its end and counts its lines. By HTTP/1.0, so that the body comes as it is.
pub(crate) fn download(address: SocketAddr, path: &str, authorization: &str) -> Result<Download> {
    let mut stream = connect(address)?;
    write!(stream, "GET {path} HTTP/1.0\r\nhost: localhost\r\nauthorization: {authorization}\r\n\r\n")?;
    let mut buffer = vec![0; 1 << 18];
    let mut head = Vec::new();
    let end = loop {
        let read = stream.read(&mut buffer)?;
        head.extend_from_slice(buffer.get(..read).unwrap_or_default());
        if let Some(at) = head.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if read == 0 {
            return Err(Failure::new("not an HTTP answer"));
        }
    };
    let (head, first) = head.split_at(end);
    if !head.get(..12).is_some_and(|line| line.ends_with(b" 200")) {
        return Err(Failure::new(format!("a download was answered {}", String::from_utf8_lossy(head))));
    }
    let mut came = Download { bytes: 0, lines: 0 };
    came.take(first);
    loop {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            return Ok(came);
        }
        came.take(buffer.get(..read).unwrap_or_default());
    }
}

impl Download {
    fn take(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.lines += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
    }
}

fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}
