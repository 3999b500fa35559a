//! The registry: components by name, and the steps of the start-up.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::report::{Component, Level, Report, Resources, Step};
use crate::sinks::QueueStats;

/// The path of events counts as stalled when it has not reported for so long; the agent is then degraded.
pub const STALLED_DEGRADED: Duration = Duration::from_secs(30);
/// As above; the agent is then unhealthy.
pub const STALLED_UNHEALTHY: Duration = Duration::from_secs(120);

/// The name of the component that says when the path of events last reported.
const DATA_PATH: &str = "data_path";

struct Inner {
    components: BTreeMap<String, Component>,
    queue: Option<QueueStats>,
    resources: Option<Resources>,
    beat: Option<Instant>,
    steps: Vec<Step>,
    stopping: bool,
}

/// The registry. Every method takes its lock for a copy and never while anything else is waited for.
pub struct Health {
    started: Instant,
    inner: Mutex<Inner>,
}

/// The answer of `/readyz`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// Every step is complete, and the agent is not stopping.
    pub ready: bool,
    /// The steps in the order of the start-up.
    pub steps: Vec<Step>,
}

impl Health {
    /// A registry of an agent that started at `started` and is ready when each of `steps` is complete.
    #[must_use]
    pub fn new(started: Instant, steps: &[&'static str]) -> Self {
        let waiting = |&name| Step { name, done: false, note: "not begun".to_owned() };
        let steps = steps.iter().map(waiting).collect();
        let inner = Inner {
            components: BTreeMap::new(),
            queue: None,
            resources: None,
            beat: None,
            steps,
            stopping: false,
        };
        Self { started, inner: Mutex::new(inner) }
    }

    /// Sets the state of a component.
    pub fn set(&self, name: &str, component: Component) {
        self.lock().components.insert(name.to_owned(), component);
    }

    /// Forgets a component.
    pub fn remove(&self, name: &str) {
        self.lock().components.remove(name);
    }

    /// Forgets the components whose names begin with `prefix`, but for these.
    pub fn keep_only(&self, prefix: &str, names: &[String]) {
        self.lock().components.retain(|name, _| !name.starts_with(prefix) || names.contains(name));
    }

    /// Sets the figures of the agent's queue.
    pub fn set_queue(&self, queue: QueueStats) {
        self.lock().queue = Some(queue);
    }

    /// Sets what the agent uses.
    pub fn set_resources(&self, resources: Resources) {
        self.lock().resources = Some(resources);
    }

    /// The path of events is alive at `now`. After the first call it has to be called again and again: see
    /// [`STALLED_DEGRADED`].
    pub fn beat(&self, now: Instant) {
        self.lock().beat = Some(now);
    }

    /// A step of the start-up is under way; `note` says what it waits for.
    pub fn step_waits(&self, name: &'static str, note: impl Into<String>) {
        self.step(name, false, note.into());
    }

    /// A step of the start-up is complete. One that ended without success is complete too: an agent without
    /// BPF is ready, and degraded.
    pub fn step_done(&self, name: &'static str, note: impl Into<String>) {
        self.step(name, true, note.into());
    }

    /// The agent is stopping, so it is not ready any more.
    pub fn stopping(&self) {
        self.lock().stopping = true;
    }

    /// The state at `now`.
    #[must_use]
    pub fn report(&self, now: Instant) -> Report {
        let inner = self.lock();
        let mut components = inner.components.clone();
        let (queue, resources, beat) = (inner.queue, inner.resources, inner.beat);
        drop(inner);
        if let Some(beat) = beat {
            components.insert(DATA_PATH.to_owned(), data_path(now.saturating_duration_since(beat)));
        }
        let status = components.values().map(|component| component.status).max().unwrap_or(Level::Healthy);
        let uptime_seconds = now.saturating_duration_since(self.started).as_secs_f64();
        Report { status, uptime_seconds, components, queue, resources }
    }

    /// Whether the start-up is complete, and its steps.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        let inner = self.lock();
        let mut steps = inner.steps.clone();
        if inner.stopping {
            steps.push(Step { name: "stopping", done: false, note: "the agent is stopping".to_owned() });
        }
        Readiness { ready: steps.iter().all(|step| step.done), steps }
    }

    fn step(&self, name: &'static str, done: bool, note: String) {
        let mut inner = self.lock();
        match inner.steps.iter_mut().find(|step| step.name == name) {
            Some(step) => (step.done, step.note) = (done, note),
            None => inner.steps.push(Step { name, done, note }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn data_path(silent: Duration) -> Component {
    let seconds = silent.as_secs();
    let component = if silent >= STALLED_UNHEALTHY {
        Component::unhealthy(format!("the path of events has not moved for {seconds} s; restart the agent"))
    } else if silent >= STALLED_DEGRADED {
        Component::degraded(format!("the path of events has not moved for {seconds} s"))
    } else {
        Component::healthy("moving")
    };
    component.measure("last_seen_seconds", silent.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_whole_is_as_bad_as_its_worst_component() {
        let start = Instant::now();
        let health = Health::new(start, &[]);
        let status = || health.report(start).status;
        assert_eq!(status(), Level::Healthy);
        health.set("a", Component::healthy("fine"));
        health.set("b", Component::degraded("so so"));
        assert_eq!(status(), Level::Degraded);
        health.set("c", Component::unhealthy("no"));
        assert_eq!(status(), Level::Unhealthy);
        health.remove("c");
        health.set("b", Component::healthy("fine again"));
        assert_eq!(status(), Level::Healthy);
    }

    #[test]
    fn the_report_has_the_documented_shape() {
        let start = Instant::now();
        let health = Health::new(start, &[]);
        health.set("ring", Component::healthy("nothing lost").count("lost", 0).measure("share", 0.5));
        let empty = serde_json::to_value(health.report(start)).unwrap();
        assert_eq!(
            empty,
            json!({"status": "healthy", "uptime_seconds": 0.0, "components": {
                "ring": {"status": "healthy", "message": "nothing lost", "lost": 0, "share": 0.5}}})
        );
        health.set_queue(QueueStats { capacity: 10, len: 2, ..QueueStats::default() });
        health.set_resources(Resources { cpu_seconds: 1.5, rss_bytes: 1024, ..Resources::default() });
        let full = serde_json::to_value(health.report(start + Duration::from_secs(3))).unwrap();
        assert_eq!(full["uptime_seconds"], json!(3.0));
        assert_eq!(full["resources"], json!({"cpu_seconds": 1.5, "rss_bytes": 1024}));
        assert_eq!((&full["queue"]["capacity"], &full["queue"]["len"]), (&json!(10), &json!(2)));
    }

    #[test]
    fn a_path_of_events_that_falls_silent_is_seen() {
        let start = Instant::now();
        let health = Health::new(start, &[]);
        assert!(!health.report(start + STALLED_UNHEALTHY).components.contains_key(DATA_PATH));
        health.beat(start);
        let millisecond = Duration::from_millis(1);
        for (after, status) in [
            (STALLED_DEGRADED - millisecond, Level::Healthy),
            (STALLED_DEGRADED, Level::Degraded),
            (STALLED_UNHEALTHY - millisecond, Level::Degraded),
            (STALLED_UNHEALTHY, Level::Unhealthy),
        ] {
            assert_eq!(health.report(start + after).status, status, "{after:?}");
        }
        health.beat(start + STALLED_UNHEALTHY);
        assert_eq!(health.report(start + STALLED_UNHEALTHY).status, Level::Healthy);
    }

    #[test]
    fn ready_means_that_every_step_is_complete_and_nobody_is_stopping() {
        let health = Health::new(Instant::now(), &["kernel", "attach"]);
        assert!(!health.readiness().ready);
        health.step_done("kernel", "no BPF: degraded");
        health.step_waits("attach", "reading 3 files");
        let seen = health.readiness();
        assert!(!seen.ready);
        assert_eq!(seen.steps[1], Step { name: "attach", done: false, note: "reading 3 files".to_owned() });
        health.step_done("attach", "nothing to attach to");
        assert!(health.readiness().ready);
        health.step_waits("reload", "an unannounced step");
        assert!(!health.readiness().ready);
        health.step_done("reload", "");
        assert!(health.readiness().ready);
        health.stopping();
        assert!(!health.readiness().ready);
    }
}
