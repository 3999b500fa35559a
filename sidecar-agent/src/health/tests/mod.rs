//! Every state of every component: what leads to it, what leads out of it, and what docs/health.md says of it.

mod checks;
mod document;
mod handlers;
mod reached;
mod registry;

use std::time::{Duration, Instant};

use super::checks::REMEMBER;
use super::{Checks, Component, Health, Level};
use crate::governor::{Budget, Governor};
use crate::handlers::{HandlerStats, Kind, LastError, Reason};
use crate::metrics::{ProbeStats, RuntimeFigures, Snapshot, StreamEvents, Usage};
use crate::sinks::{QueueStats, SinkStats};

/// `health_checks.failure_threshold` of these tests.
const THRESHOLD: u64 = 3;

/// A handler that has done nothing yet.
fn handler(name: &str) -> HandlerStats {
    HandlerStats {
        name: name.to_owned(),
        kind: Kind::Command,
        received: 0,
        handled: 0,
        counts: [0; Reason::COUNT],
        waiting: 0,
        in_flight: 0,
        waiting_bytes: 0,
        capacity: 100,
        consecutive_failures: 0,
        running: true,
        last_error: None,
    }
}

/// It fails so often, and has the error of it.
fn fail(stats: &mut HandlerStats, times: u64) {
    stats.counts[Reason::ExitStatus as usize] += times;
    stats.last_error =
        Some(LastError { at_ns: 0, reason: Reason::ExitStatus, text: "exit status 1".to_owned() });
}

/// The figures of a runtime with one handler, `h`.
fn runtime() -> RuntimeFigures {
    RuntimeFigures {
        usage: Usage::default(),
        governor: Governor::new(Budget { cpu_percent: 5.0, memory_bytes: 100_000_000 }).view(),
        handlers: vec![handler("h")],
        reloads: 0,
        reloads_refused: 0,
        last_reload_succeeded: true,
        last_reload_ns: 0,
        streams: 0,
        stream_events: StreamEvents::default(),
        enabled: true,
        gate: None,
    }
}

/// Figures of an agent that works, to be changed, and the checks that look at them.
struct Bench {
    health: Health,
    checks: Checks,
    now: Instant,
    snapshot: Snapshot,
}

impl Bench {
    fn new() -> Self {
        let now = Instant::now();
        let queue = QueueStats { capacity: 100, ..QueueStats::default() };
        let sink = SinkStats { name: "stdout".into(), queue, ..SinkStats::default() };
        let probes = vec![ProbeStats::default(), ProbeStats::default()];
        let snapshot =
            Snapshot { queue, sinks: vec![sink], probes, runtime: Some(runtime()), ..Snapshot::default() };
        Self { health: Health::new(now, &[]), checks: Checks::default(), now, snapshot }
    }

    /// What a check says of a component now.
    fn component(&mut self, name: &str) -> Component {
        self.checks.update(&self.health, &self.snapshot, THRESHOLD, self.now);
        self.health.report(self.now).components.remove(name).unwrap()
    }

    fn level(&mut self, name: &str) -> (Level, String) {
        let found = self.component(name);
        (found.status, found.message)
    }

    fn handler(&mut self) -> &mut HandlerStats {
        &mut self.snapshot.runtime.as_mut().unwrap().handlers[0]
    }

    /// Applies the trouble, expects it in the component, and that it is gone a minute later.
    fn expect_passing(name: &str, says: &str, trouble: impl Fn(&mut Snapshot)) {
        let mut bench = Self::new();
        assert_eq!(bench.level(name).0, Level::Healthy);
        trouble(&mut bench.snapshot);
        let (level, message) = bench.level(name);
        assert!(level == Level::Degraded && message.contains(says), "{level:?} {message}");
        bench.now += REMEMBER - Duration::from_millis(1);
        assert_eq!(bench.level(name).0, Level::Degraded);
        bench.now += Duration::from_millis(1);
        assert_eq!(bench.level(name).0, Level::Healthy);
    }
}
