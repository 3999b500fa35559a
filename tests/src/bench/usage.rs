//! What a process costs, as the kernel tells in /proc.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// Use of the machine by a process since its start.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Time on a processor, of all threads that live.
    pub cpu: Duration,
    /// Times that a living thread went to sleep of itself: it has to be woken each time.
    pub sleeps: u64,
    /// Resident memory in MB (10^6 bytes).
    pub rss_mb: f64,
    /// The most that was ever resident.
    pub peak_mb: f64,
}

/// The use by all threads of a process.
///
/// # Errors
/// When the process is gone.
pub fn of_process(pid: u32) -> Result<Usage> {
    of_threads(pid, |_| true)
}

/// The use by those threads of a process whose name is wanted.
///
/// # Errors
/// When the process is gone.
pub fn of_threads(pid: u32, wanted: impl Fn(&str) -> bool) -> Result<Usage> {
    let folder = format!("/proc/{pid}");
    let status = fs::read_to_string(format!("{folder}/status")).context("the process is gone")?;
    let mb = |key| Ok::<_, anyhow::Error>(number(&status, key)? as f64 * 1024.0 / 1e6);
    let mut usage = Usage { rss_mb: mb("VmRSS:")?, peak_mb: mb("VmHWM:")?, ..Usage::default() };
    for thread in fs::read_dir(format!("{folder}/task"))?.flatten() {
        let read = |name| fs::read_to_string(thread.path().join(name));
        // A thread may have ended meanwhile.
        let (Ok(comm), Ok(status), Ok(times)) = (read("comm"), read("status"), read("schedstat")) else {
            continue;
        };
        if wanted(comm.trim_end()) {
            usage.sleeps += number(&status, "voluntary_ctxt_switches:")?;
            let ns = times.split(' ').next().unwrap_or_default();
            usage.cpu += Duration::from_nanos(ns.parse().context("schedstat")?);
        }
    }
    Ok(usage)
}

/// Processes and threads that the machine has started since it was booted.
///
/// # Errors
/// When /proc can't be read.
pub fn forks() -> Result<u64> {
    number(&fs::read_to_string("/proc/stat")?, "processes ")
}

/// The number behind a key at the start of a line.
fn number(text: &str, key: &str) -> Result<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(key));
    let word = rest.and_then(|rest| rest.split_whitespace().next());
    word.and_then(|word| word.parse().ok()).with_context(|| format!("/proc has no {key}"))
}
