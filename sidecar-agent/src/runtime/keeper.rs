//! The thread that looks after a running agent: measures its cost, keeps the budget, learns slow limits, checks health,
//! and takes a changed configuration over.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, atomic::Ordering},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{checks::due, core::Core, heap, reload::utc_ns};
use crate::{
    governor::{Decision, Sample},
    observe::monotonic_ns,
    sampling::SlowLimit,
};

/// How often slow limits are learnt anew.
const LEARN: Duration = Duration::from_secs(5);
/// How often memory that was freed is given back: attaching and bursts of events need much for a short time.
const TRIM: Duration = Duration::from_secs(60);
/// Longest sleep.
const PATIENCE: Duration = Duration::from_secs(1);

/// The running thread.
pub(super) struct Keeper {
    core: Arc<Core>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    pub(super) fn start(core: Arc<Core>) -> io::Result<Self> {
        let body = {
            let core = Arc::clone(&core);
            move || keep(&core)
        };
        let thread = thread::Builder::new().name("sidecar-keeper".to_owned()).spawn(body)?;
        core.set_keeper(thread.thread().clone());
        Ok(Self { core, thread: Some(thread) })
    }

    /// Ends the thread.
    pub(super) fn finish(&mut self) {
        self.core.stopping.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("the thread that looks after the agent panicked");
            }
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.finish();
    }
}

fn keep(core: &Core) {
    let mut learnt: HashMap<u32, SlowLimit> = HashMap::new();
    let (mut checked, mut learned): (Option<Instant>, Option<Instant>) = (None, None);
    let mut trimmed = Instant::now();
    let mut pulse = None;
    while !core.stopping.load(Ordering::Acquire) {
        if core.file_changed.swap(false, Ordering::AcqRel) {
            // The outcome is in the log, in health and in metrics.
            let _ = core.reload_from_origin();
            core.check_now();
        }
        let now = Instant::now();
        let (profiling, interval, checking) = {
            let in_force = core.in_force();
            let health = &in_force.config.health_checks;
            let interval = Duration::from_secs(health.interval_sec);
            (in_force.config.profiling.enabled, interval, health.enabled)
        };
        let next = if profiling { measure(core) } else { None };
        if let Some(steering) = core.steering() {
            let found = steering.pulse();
            if pulse.replace(found) != Some(found) {
                core.health.beat(now);
            }
            if learned.is_none_or(|at| now.duration_since(at) >= LEARN) {
                learned = Some(now);
                steering.learn_slow_limits(&mut learnt);
            }
        }
        if checking && due(checked, interval, now) {
            checked = Some(now);
            core.check_now();
        }
        if now.duration_since(trimmed) >= TRIM {
            trimmed = now;
            heap::trim();
        }
        let until = next.map_or(PATIENCE, |next| Duration::from_nanos(next.saturating_sub(monotonic_ns())));
        thread::park_timeout(until.min(PATIENCE));
    }
}

/// Measures what is due, and lets the governor decide. When to measure next, in nanoseconds of CLOCK_MONOTONIC.
fn measure(core: &Core) -> Option<u64> {
    let hits = core.steering().map(|steering| {
        let counters = steering.totals().counters;
        counters.hits + counters.out_of_scope
    });
    let tick = core.profiler().tick(monotonic_ns(), utc_ns(), hits);
    if let Some(snapshot) = tick.snapshot {
        let attached = core.steering().is_some_and(|steering| !steering.is_suspended());
        let sample = Sample {
            now_ns: snapshot.now_ns,
            cpu_percent: snapshot.cpu_percent,
            memory_bytes: snapshot.memory_bytes,
            hits_per_second: snapshot.hits_per_second.filter(|_| attached),
        };
        let decision: Decision = core.governor().observe(&sample);
        if decision.changed {
            let last = core.governor().view().transitions.last().map(ToString::to_string);
            tracing::warn!("governor: {}", last.unwrap_or_default());
        }
        core.obey(&decision);
        if decision.changed {
            core.check_now();
        }
        core.source.set_usage(&snapshot);
        if decision.changed {
            // What a hit costs now is measured at once.
            return Some(0);
        }
    }
    Some(tick.next_ns)
}
