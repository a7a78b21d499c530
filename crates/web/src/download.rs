//! Answers that are made while they are sent, in constant memory: exports and reports.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, header},
    response::Response,
};
use futures_core::Stream;
use tokio::sync::mpsc;

/// How many pieces may wait for a slow reader.
const WAITING: usize = 2;

/// Where the pieces go.
pub(crate) struct Pieces(mpsc::Sender<io::Result<Bytes>>);

impl Pieces {
    /// Sends a piece. Answers whether somebody still reads.
    pub(crate) async fn send(&self, piece: Vec<u8>) -> bool {
        piece.is_empty() || self.0.send(Ok(piece.into())).await.is_ok()
    }

    /// Breaks the connection, so that what was sent does not pass for the whole.
    pub(crate) async fn fail(&self) {
        let _ = self.0.send(Err(io::Error::other("the rest could not be read"))).await;
    }
}

struct Sent(mpsc::Receiver<io::Result<Bytes>>);

impl Stream for Sent {
    type Item = io::Result<Bytes>;
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx)
    }
}

/// A file to be saved, whose pieces `make` sends.
pub(crate) fn file<F, R>(name: &str, content_type: &'static str, make: F) -> Response
where
    F: FnOnce(Pieces) -> R,
    R: Future<Output = ()> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(WAITING);
    tokio::spawn(make(Pieces(sender)));
    let mut response = Response::new(Body::from_stream(Sent(receiver)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(disposition) = HeaderValue::try_from(format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    response
}

/// The content type of CSV files.
pub(crate) const CSV: &str = "text/csv; charset=utf-8; header=present";
/// The content type of JSON Lines files.
pub(crate) const JSONL: &str = "application/jsonl; charset=utf-8";

/// Lines of a CSV file (RFC 4180), none of whose cells a spreadsheet takes for a formula.
pub(crate) struct Lines {
    writer: csv::Writer<Vec<u8>>,
    cell: String,
}

impl Lines {
    /// An empty piece.
    pub(crate) fn new() -> Self {
        Self { writer: csv::Writer::from_writer(Vec::with_capacity(64 * 1024)), cell: String::new() }
    }

    /// Adds a cell to the line.
    pub(crate) fn cell(&mut self, text: &str) -> csv::Result<()> {
        if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
            self.cell.clear();
            self.cell.push('\'');
            self.cell.push_str(text);
            return self.writer.write_field(&self.cell);
        }
        self.writer.write_field(text)
    }

    /// Ends the line.
    pub(crate) fn end(&mut self) -> csv::Result<()> {
        self.writer.write_record(None::<&[u8]>)
    }

    /// What was written.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        // A list of bytes takes everything.
        self.writer.into_inner().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_every_cell_survives() {
        let mut lines = Lines::new();
        let cells =
            ["=1+1", "+49 30", "-1", "@SUM(A1)", "\tx", "\r=1", "a,b", "say \"hi\"", "two\nlines", "José", "", "a=b"];
        for cell in cells {
            lines.cell(cell).unwrap();
        }
        lines.end().unwrap();
        let bytes = lines.into_bytes();
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes.as_slice());
        let record = reader.records().next().unwrap().unwrap();
        let read: Vec<&str> = record.iter().collect();
        assert_eq!(
            read,
            [
                "'=1+1",
                "'+49 30",
                "'-1",
                "'@SUM(A1)",
                "'\tx",
                "'\r=1",
                "a,b",
                "say \"hi\"",
                "two\nlines",
                "José",
                "",
                "a=b"
            ]
        );
    }
}
