//! Figures beside their limits: printed as they come, written as JSON and Markdown in the end.

mod markdown;

use std::{collections::BTreeMap, fmt::Write as _, fs, path::PathBuf};

use clap::Args;
use serde::Serialize;

use crate::{
    failure::Result,
    http::Outcome,
    lists::Query,
    machine::{self, Machine},
};

/// The group of the limits.
pub(crate) const LIMITS: &str = "limits";

/// Where a report goes besides the terminal.
#[derive(Args, Default)]
pub(crate) struct Output {
    /// Write all figures as JSON to this file.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
    /// Write tables in Markdown to this file.
    #[arg(long)]
    pub(crate) markdown: Option<PathBuf>,
}

/// Something measured.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figure {
    /// What it belongs to: the limits, or a database.
    pub(crate) group: String,
    /// What was measured.
    pub(crate) name: String,
    /// How many users the realm had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) users: Option<u64>,
    /// How much.
    pub(crate) value: f64,
    /// Of what.
    pub(crate) unit: &'static str,
    /// The middle latency, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p50_ms: Option<f64>,
    /// The latency that one in a hundred exceeds, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p99_ms: Option<f64>,
    /// The CPU time that the server spent on one, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server_cpu_us: Option<f64>,
    /// The name of the limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limit: Option<&'static str>,
    /// The limit as measured in this run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limit_value: Option<f64>,
    /// The value as a share or a multiple of the limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ratio: Option<f64>,
    /// Of a list: what is like it, a line of the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) class: Option<&'static str>,
    /// The 99th percentile that is aimed for, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) goal_ms: Option<f64>,
    /// What else is worth knowing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
}

impl Figure {
    pub(crate) fn new(group: &str, name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self {
            group: group.to_owned(),
            name: name.into(),
            users: None,
            value,
            unit,
            p50_ms: None,
            p99_ms: None,
            server_cpu_us: None,
            limit: None,
            limit_value: None,
            ratio: None,
            class: None,
            goal_ms: None,
            note: None,
        }
    }

    /// A rate with its latencies.
    pub(crate) fn rate(group: &str, name: impl Into<String>, outcome: &Outcome) -> Self {
        let mut figure = Self::new(group, name, outcome.rate(), "/s").latencies(outcome);
        figure.note = outcome.trouble();
        figure
    }

    pub(crate) fn latencies(mut self, outcome: &Outcome) -> Self {
        self.p50_ms = Some(outcome.latency.quantile_ms(0.5));
        self.p99_ms = Some(outcome.latency.quantile_ms(0.99));
        self
    }

    /// Says that it is the 99th percentile of a list, of which this is the median.
    pub(crate) fn list(mut self, query: &Query, p50: f64) -> Self {
        (self.class, self.goal_ms) = (Some(query.class), Some(query.goal));
        (self.p50_ms, self.p99_ms) = (Some(p50), Some(self.value));
        self
    }

    pub(crate) fn users(mut self, users: u64) -> Self {
        self.users = Some(users);
        self
    }

    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    pub(crate) fn against(mut self, limit: &'static str, value: f64) -> Self {
        self.limit = Some(limit);
        self.limit_value = Some(value);
        self.ratio = (value > 0.0).then(|| self.value / value);
        self
    }
}

/// All that was measured in a run, and on what.
#[derive(Serialize)]
pub(crate) struct Report {
    /// When the run began.
    pub(crate) at: String,
    machine: Machine,
    /// What the figures were measured of: versions and settings.
    about: BTreeMap<&'static str, String>,
    figures: Vec<Figure>,
}

impl Report {
    pub(crate) fn begin() -> Result<Self> {
        let machine = Machine::describe();
        let at = machine::now().to_string();
        println!(
            "{at}: {}, {} cores, {} MiB, Linux {}",
            machine.cpu, machine.cores, machine.memory_mib, machine.kernel
        );
        Ok(Self { at, machine, about: BTreeMap::new(), figures: Vec::new() })
    }

    pub(crate) fn about(&mut self, what: &'static str, text: impl Into<String>) {
        self.about.insert(what, text.into());
    }

    /// Keeps a figure and prints it.
    pub(crate) fn add(&mut self, figure: Figure) {
        let name = match figure.users {
            Some(users) => format!("{} · {}", figure.name, thousands(users)),
            None => figure.name.clone(),
        };
        let mut line = format!("{:<11} {name:<50} {:>12} {:<10}", figure.group, number(figure.value), figure.unit);
        if let (Some(p50), Some(p99)) = (figure.p50_ms, figure.p99_ms) {
            let _ = write!(line, " p50 {p50:.2} p99 {p99:.2} ms");
        }
        if let Some(cpu) = figure.server_cpu_us {
            let _ = write!(line, "  {cpu:.0} µs CPU");
        }
        if let (Some(limit), Some(value), Some(ratio)) = (figure.limit, figure.limit_value, figure.ratio) {
            let _ = write!(line, "  = {} of {limit} ({})", share(ratio), number(value));
        }
        if let Some(note) = &figure.note {
            let _ = write!(line, "  {note}");
        }
        println!("{}", line.trim_end());
        self.figures.push(figure);
    }

    /// The value of a limit that was measured in this run.
    pub(crate) fn limit(&self, name: &str) -> f64 {
        let mut limits = self.figures.iter().filter(|figure| figure.group == LIMITS);
        limits.find(|figure| figure.name == name).map_or(0.0, |figure| figure.value)
    }

    /// Says what share one figure is of another, which was measured after it.
    pub(crate) fn compare(&mut self, group: &str, users: u64, name: &str, limit: &'static str) {
        let is =
            |figure: &Figure, name: &str| figure.group == group && figure.users == Some(users) && figure.name == name;
        let Some(value) = self.figures.iter().find(|figure| is(figure, limit)).map(|figure| figure.value) else {
            return;
        };
        if let Some(figure) = self.figures.iter_mut().find(|figure| is(figure, name)) {
            *figure = figure.clone().against(limit, value);
            if let Some(ratio) = figure.ratio {
                println!("{group:<11} {name}: {} of {limit}", share(ratio));
            }
        }
    }

    pub(crate) fn write(&self, output: &Output) -> Result<()> {
        if let Some(path) = &output.json {
            fs::write(path, serde_json::to_string_pretty(self)? + "\n")?;
        }
        if let Some(path) = &output.markdown {
            fs::write(path, markdown::tables(self))?;
        }
        Ok(())
    }
}

fn share(ratio: f64) -> String {
    if ratio < 1.0 { format!("{:.0} %", ratio * 100.0) } else { format!("{ratio:.2} ×") }
}

fn number(value: f64) -> String {
    if value >= 1000.0 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive figure, shown rounded")]
        thousands(value.round() as u64)
    } else if value >= 100.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}

fn thousands(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(thousands(12), "12");
        assert_eq!(number(0.456), "0.46");
        assert_eq!(share(0.512), "51 %");
        assert_eq!(share(1.1), "1.10 ×");
    }
}
