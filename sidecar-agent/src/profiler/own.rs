//! The process's own cost and its helpers'. /proc tells what it can; processor time comes from clocks, which have
//! nanoseconds and no file that could be hidden.

use std::{collections::HashMap, fs, path::PathBuf, time::Duration};

use nix::{
    sys::resource::{UsageWho, getrusage},
    sys::time::TimeValLike,
    time::{ClockId, clock_gettime},
    unistd::Pid,
};
use procfs::{WithCurrentSystemInfo as _, process::Process};
use serde::Serialize;

/// Where the agent's own processor time comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CpuSource {
    /// The process's own clock, in nanoseconds.
    Clock,
    /// `getrusage`, in microseconds.
    Rusage,
    /// Nothing told.
    Unknown,
}

/// Where the agent's resident memory comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MemorySource {
    /// /proc: what is resident now.
    Proc,
    /// `getrusage`: the most that ever was resident, because /proc can't be read.
    Peak,
    /// Nothing told.
    Unknown,
}

/// Where to read. Tests have a /proc of their own.
#[derive(Clone, Debug)]
pub(super) struct Own {
    pub(super) root: PathBuf,
}

impl Default for Own {
    fn default() -> Self {
        Self { root: PathBuf::from("/proc") }
    }
}

/// What was read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reading {
    pub(super) cpu_ns: Option<u64>,
    pub(super) cpu_source: CpuSource,
    pub(super) resident: Option<u64>,
    pub(super) memory_source: MemorySource,
    pub(super) threads: Option<u64>,
    pub(super) open_fds: Option<u64>,
}

fn clock(id: ClockId) -> Option<u64> {
    let time = Duration::from(clock_gettime(id).ok()?);
    u64::try_from(time.as_nanos()).ok()
}

fn rusage_ns() -> Option<u64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    let microseconds = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    u64::try_from(microseconds).ok().map(|microseconds| microseconds * 1000)
}

/// The most that ever was resident. Linux says kilobytes.
fn peak() -> Option<u64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    u64::try_from(usage.max_rss()).ok().filter(|kilobytes| *kilobytes > 0).map(|kilobytes| kilobytes * 1024)
}

impl Own {
    pub(super) fn process(&self) -> Result<Process, procfs::ProcError> {
        Process::new_with_root(self.root.join("self"))
    }

    /// Reads what can be read and says what can't.
    pub(super) fn read(&self, unmeasured: &mut Vec<String>) -> Reading {
        let (cpu_ns, cpu_source) = match clock(ClockId::CLOCK_PROCESS_CPUTIME_ID) {
            Some(ns) => (Some(ns), CpuSource::Clock),
            None => match rusage_ns() {
                Some(ns) => (Some(ns), CpuSource::Rusage),
                None => (None, CpuSource::Unknown),
            },
        };
        if cpu_ns.is_none() {
            unmeasured.push("own processor time: neither a clock nor getrusage tells".to_owned());
        }
        let mut reading = Reading {
            cpu_ns,
            cpu_source,
            resident: None,
            memory_source: MemorySource::Unknown,
            threads: None,
            open_fds: self.open_fds(),
        };
        match self.process().and_then(|process| process.stat()) {
            Ok(stat) => {
                reading.resident = Some(stat.rss_bytes().get());
                reading.memory_source = MemorySource::Proc;
                reading.threads = u64::try_from(stat.num_threads).ok();
            }
            Err(error) => {
                reading.resident = peak();
                if reading.resident.is_some() {
                    reading.memory_source = MemorySource::Peak;
                }
                unmeasured.push(format!("memory now (its peak stands in) and threads: {error}"));
            }
        }
        reading
    }

    /// Kernels from 6.2 on say the number as the directory's size; older ones have it counted.
    fn open_fds(&self) -> Option<u64> {
        let path = self.root.join("self/fd");
        match fs::metadata(&path).ok()?.len() {
            0 => fs::read_dir(&path).ok().map(|entries| entries.count() as u64),
            count => Some(count),
        }
    }

    /// Processor time by process id, and resident memory of all, of helper processes.
    pub(super) fn helpers(
        &self,
        pids: &[u32],
        unmeasured: &mut Vec<String>,
    ) -> (HashMap<u32, u64>, Option<u64>) {
        let mut times = HashMap::new();
        let mut memory = Some(0);
        for pid in pids {
            let id = i32::try_from(*pid).ok();
            let time = id.and_then(|id| clock(ClockId::pid_cpu_clock_id(Pid::from_raw(id)).ok()?));
            let resident = Process::new_with_root(self.root.join(pid.to_string()))
                .and_then(|process| process.stat())
                .map(|stat| stat.rss_bytes().get());
            match time {
                Some(ns) => _ = times.insert(*pid, ns),
                None => unmeasured.push(format!("processor time of the helper process {pid}")),
            }
            match resident {
                Ok(bytes) => memory = memory.map(|sum: u64| sum + bytes),
                Err(error) => {
                    memory = None;
                    unmeasured.push(format!("memory of the helper process {pid}: {error}"));
                }
            }
        }
        (times, memory)
    }
}
