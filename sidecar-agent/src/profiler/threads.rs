//! Processor time of each of the agent's threads, by name.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::own::Own;

/// Threads that are looked at. The agent has about ten; a program that has it as a library may have more.
const MOST_THREADS: usize = 512;

/// Cost of the threads of one name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ThreadCost {
    /// The name.
    pub name: String,
    /// Percent of one core since the measurement before.
    pub cpu_percent: f64,
    /// How many have it.
    pub threads: usize,
}

/// Times as they were.
#[derive(Clone, Debug, Default)]
pub(super) struct Threads {
    now_ns: u64,
    times: HashMap<i32, u64>,
}

impl Threads {
    /// Reads all threads; those that are new since the measurement before count from their beginning.
    pub(super) fn read(&mut self, own: &Own, now_ns: u64, unmeasured: &mut Vec<String>) -> Vec<ThreadCost> {
        let tasks = match own.process().and_then(|process| process.tasks()) {
            Ok(tasks) => tasks,
            Err(error) => {
                unmeasured.push(format!("threads one by one: {error}"));
                return Vec::new();
            }
        };
        let span_ns = now_ns.saturating_sub(self.now_ns).max(1) as f64;
        let first = self.times.is_empty();
        let mut times = HashMap::new();
        let mut costs: BTreeMap<String, (u64, usize)> = BTreeMap::new();
        let mut seen = 0;
        for task in tasks {
            seen += 1;
            if seen > MOST_THREADS {
                unmeasured.push(format!("threads one by one: there are more than {MOST_THREADS}"));
                break;
            }
            // A thread may end while it is looked at.
            let Ok(task) = task else { continue };
            let (Ok(stat), Ok(schedule)) = (task.stat(), task.schedstat()) else { continue };
            let time = schedule.sum_exec_runtime;
            let since = self.times.get(&task.tid).copied().unwrap_or(0);
            let cost = costs.entry(stat.comm).or_default();
            cost.0 += time.saturating_sub(since);
            cost.1 += 1;
            times.insert(task.tid, time);
        }
        *self = Self { now_ns, times };
        if first {
            return Vec::new();
        }
        let cost = |(name, (ns, threads)): (String, (u64, usize))| ThreadCost {
            name,
            cpu_percent: ns as f64 / span_ns * 100.0,
            threads,
        };
        costs.into_iter().map(cost).collect()
    }
}
