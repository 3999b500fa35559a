//! What /proc tells of the processes of a run.

use std::fs;

use anyhow::{Context, Result};

use crate::exec::until;

/// The children of a process, of all its threads.
#[must_use]
pub fn children(pid: i32) -> Vec<i32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<i32>>())
        .collect()
}

/// A process's name.
#[must_use]
pub fn name(pid: i32) -> Option<String> {
    Some(fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim_end().to_owned())
}

/// The letter of a process's state: `T` is stopped, `Z` has ended.
#[must_use]
pub fn state(pid: i32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.get(stat.rfind(')')? + 2..)?.chars().next()
}

/// A figure of /proc/PID/status, such as `VmRSS` in KiB.
///
/// # Errors
/// When the process or the figure is not there.
pub fn figure(pid: i32, key: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    let number = line.and_then(|line| line.split_whitespace().next()).with_context(|| key.to_owned())?;
    Ok(number.parse()?)
}

/// The gate process of an agent, once it is there.
///
/// # Errors
/// When it does not come.
pub fn gate_of(agent: i32) -> Result<i32> {
    until("the gate process", || {
        Ok(children(agent).into_iter().find(|&child| name(child).as_deref() == Some("sidecar-gate")))
    })
}
