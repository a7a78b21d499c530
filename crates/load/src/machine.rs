//! The machine, its clock and its processes, by `/proc`.

use std::{
    fs,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use denizen_model::Timestamp;
use serde::Serialize;

use crate::failure::{Failure, Result};

/// The time now.
#[expect(clippy::disallowed_methods, reason = "the tool's own clock: it has no request to take the time from")]
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(0))
}

/// What figures were measured on.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory_mib: u64,
    pub(crate) kernel: String,
}

impl Machine {
    pub(crate) fn describe() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let cpu = read("/proc/cpuinfo");
        let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown");
        let memory = read("/proc/meminfo");
        let memory = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")).unwrap_or("");
        Self {
            cpu: cpu.trim_start_matches([' ', '\t', ':']).to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_mib: kib(memory) / 1024,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        }
    }
}

fn kib(text: &str) -> u64 {
    text.trim().trim_end_matches("kB").trim().parse().unwrap_or(0)
}

/// The CPU time a process has used.
pub(crate) fn cpu_time(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, in parentheses, may hold blanks; fields are counted after it.
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let mut fields = rest.split_whitespace().skip(11).map_while(|field| field.parse::<u64>().ok());
    match (fields.next(), fields.next()) {
        // Linux reports hundredths of a second on every architecture.
        (Some(user), Some(system)) => Ok(Duration::from_millis((user + system) * 10)),
        _ => Err(Failure::new(format!("/proc/{pid}/stat has another form than expected"))),
    }
}

/// The memory a process has resident, in MiB.
pub(crate) fn resident_mib(pid: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("");
    #[expect(clippy::cast_precision_loss, reason = "memory in KiB is far below 2^53")]
    Ok(kib(line) as f64 / 1024.0)
}
