//! The process's own metrics: what `prometheus::process_collector` offers (CPU, memory, descriptors, threads,
//! start time, read from four files in /proc at each scrape), with its CPU time, which it cuts to whole
//! seconds, replaced by the system's in microseconds.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use prometheus::core::{Collector, Desc};
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::MetricFamily;

const CPU: &str = "process_cpu_seconds_total";

pub(super) struct Process(ProcessCollector);

impl Process {
    pub(super) fn new() -> Self {
        Self(ProcessCollector::for_self())
    }
}

impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        self.0.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut families = self.0.collect();
        let cpu = families.iter_mut().find(|family| family.name() == CPU);
        if let (Some(family), Some(seconds)) = (cpu, cpu_seconds()) {
            for metric in family.mut_metric() {
                let mut counter = metric.get_counter().clone();
                counter.set_value(seconds);
                metric.set_counter(counter);
            }
        }
        families
    }
}

/// User and system time of all threads, living and ended.
fn cpu_seconds() -> Option<f64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    let microseconds = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Some(microseconds as f64 / 1e6)
}
