//! What commands print: tables for people, JSON for programs.

use std::{
    io::{self, Write},
    path::Path,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use reqwest::Response;
use serde_json::Value;

use crate::{client::Client, failed::Failed};

/// A column of a table: its heading, and how it reads an item.
pub(crate) struct Column {
    heading: &'static str,
    field: &'static str,
    read: Read,
}

#[derive(Clone, Copy)]
enum Read {
    Text,
    Time,
    Flag(&'static str, &'static str),
}

impl Column {
    /// A field as it is.
    pub(crate) const fn text(heading: &'static str, field: &'static str) -> Self {
        Self { heading, field, read: Read::Text }
    }

    /// A time, to the second.
    pub(crate) const fn time(heading: &'static str, field: &'static str) -> Self {
        Self { heading, field, read: Read::Time }
    }

    /// One of two words.
    pub(crate) const fn flag(heading: &'static str, field: &'static str, yes: &'static str, no: &'static str) -> Self {
        Self { heading, field, read: Read::Flag(yes, no) }
    }

    fn cell(&self, item: &Value) -> String {
        let value = item.get(self.field).unwrap_or(&Value::Null);
        match self.read {
            Read::Text => text(value),
            Read::Time => time(value),
            Read::Flag(yes, no) => if value.as_bool() == Some(true) { yes } else { no }.to_owned(),
        }
    }
}

/// A text that a terminal shows and does not obey: what users typed may hold control characters.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A value in words.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => printable(text),
        other => printable(&other.to_string()),
    }
}

/// A time to the second, in UTC as the server says it.
pub(crate) fn time(value: &Value) -> String {
    match value.as_str() {
        Some(text) => match text.split_once('.') {
            Some((seconds, _)) => format!("{}Z", printable(seconds)),
            None => printable(text),
        },
        None => "–".to_owned(),
    }
}

/// Prints a line to standard output. A reader that has seen enough is no failure.
pub(crate) fn line(text: &str) -> Result<(), Failed> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failed::Operation(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Prints JSON.
pub(crate) fn json(value: &Value) -> Result<(), Failed> {
    line(&serde_json::to_string_pretty(value).unwrap_or_default())
}

/// Rows without lines between them.
pub(crate) fn rows(rows: impl IntoIterator<Item = Vec<String>>) -> Result<(), Failed> {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    for row in rows {
        table.add_row(row);
    }
    line(&table.lines().map(|row| row.trim_end().to_owned()).collect::<Vec<_>>().join("\n"))
}

/// A bar on standard error, where that is a terminal.
pub(crate) fn bar(length: Option<u64>, template: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr());
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Writes a download to a file, or to standard output, never holding it in memory. A file by the name that was asked
/// for is a whole one.
pub(crate) async fn save(client: &Client, answer: &mut Response, file: Option<&Path>) -> Result<(), Failed> {
    let failed = |error: io::Error| Failed::Operation(format!("cannot write: {error}"));
    let Some(path) = file else {
        while let Some(piece) = client.piece(answer).await? {
            match io::stdout().lock().write_all(&piece) {
                // Whoever reads has seen enough.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                other => other.map_err(failed)?,
            }
        }
        return io::stdout().lock().flush().map_err(failed);
    };
    let mut part = path.to_owned().into_os_string();
    part.push(".part");
    let mut out = io::BufWriter::new(std::fs::File::create(&part).map_err(failed)?);
    let bar = bar(None, "{spinner} {decimal_bytes} {decimal_bytes_per_sec}");
    let written: Result<(), Failed> = async {
        while let Some(piece) = client.piece(answer).await? {
            out.write_all(&piece).map_err(failed)?;
            bar.inc(u64::try_from(piece.len()).unwrap_or(0));
        }
        out.flush().and_then(|()| out.get_ref().sync_all()).map_err(failed)?;
        std::fs::rename(&part, path).map_err(failed)
    }
    .await;
    bar.finish_and_clear();
    if written.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    written
}

/// A page of a list: a table with what is left over, or the page as it came.
pub(crate) fn list(page: &Value, columns: &[Column], as_json: bool) -> Result<(), Failed> {
    if as_json {
        return json(page);
    }
    let items = page.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if items.is_empty() {
        eprintln!("None.");
        return Ok(());
    }
    let heading = columns.iter().map(|column| column.heading.to_owned()).collect();
    let body = items.iter().map(|item| columns.iter().map(|column| column.cell(item)).collect());
    rows(std::iter::once(heading).chain(body))?;
    if let Some(cursor) = page.get("next_cursor").and_then(Value::as_str) {
        let total = page.get("total");
        let count = total.and_then(|total| total.get("count")).and_then(Value::as_u64);
        let exact = total.and_then(|total| total.get("exact")).and_then(Value::as_bool).unwrap_or(true);
        match count {
            Some(count) => {
                eprintln!("{} of {}{count}. More: --cursor {cursor}", items.len(), if exact { "" } else { "about " });
            }
            None => eprintln!("There are more: --cursor {cursor}"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_terminal_does_not_obey_what_users_typed() {
        assert_eq!(text(&json!("Jane\u{1b}[31m Doe\n")), "Jane\u{fffd}[31m Doe\u{fffd}");
    }

    #[test]
    fn cells_read_their_fields() {
        let item = json!({"name": "Jane", "enabled": false, "at": "2026-11-21T07:00:00.123456Z", "none": null});
        assert_eq!(Column::text("NAME", "name").cell(&item), "Jane");
        assert_eq!(Column::flag("STATUS", "enabled", "active", "disabled").cell(&item), "disabled");
        assert_eq!(Column::time("AT", "at").cell(&item), "2026-11-21T07:00:00Z");
        assert_eq!(Column::text("NONE", "none").cell(&item), "–");
    }
}
