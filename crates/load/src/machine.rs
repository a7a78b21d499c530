//! The machine, its clock and its processes, by `/proc`.

use std::{
    fs,
    sync::atomic::{AtomicBool, Ordering},
    thread,
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

/// The memory of a process, in MiB.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memory {
    /// All that is resident, with what is mapped of files, such as those of an embedded database.
    pub(crate) resident: f64,
    /// What the process has allocated itself.
    pub(crate) own: f64,
}

/// The memory a process has at this moment.
pub(crate) fn memory(pid: u32) -> Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let read = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("");
        #[expect(clippy::cast_precision_loss, reason = "memory in KiB is far below 2^53")]
        let kib = kib(line) as f64;
        kib / 1024.0
    };
    Ok(Memory { resident: read("VmRSS:"), own: read("RssAnon:") })
}

/// Does something, and answers the most memory that the process had in the meantime.
pub(crate) fn peak_memory<T>(pid: u32, work: impl FnOnce() -> T) -> (T, Memory) {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut peak = Memory::default();
            while !done.load(Ordering::Relaxed) {
                // A process that is gone has no memory.
                let now = memory(pid).unwrap_or_default();
                peak = Memory { resident: peak.resident.max(now.resident), own: peak.own.max(now.own) };
                thread::sleep(Duration::from_millis(20));
            }
            peak
        });
        let value = work();
        done.store(true, Ordering::Relaxed);
        (value, watching.join().unwrap_or_default())
    })
}
