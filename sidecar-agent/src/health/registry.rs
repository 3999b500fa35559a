//! The registry: components by name, and the steps of the start-up.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::report::{Component, Level, Report, Resources, Step};
use super::states::{DATA_MOVING, DATA_PATH, DATA_STALLED, DATA_STOPPED, HANDLER_PREFIX};
use crate::sinks::QueueStats;

/// The path of events counts as stalled when it has not reported for so long; the agent is then degraded.
pub const STALLED_DEGRADED: Duration = Duration::from_secs(30);
/// As above; the agent is then unhealthy.
pub const STALLED_UNHEALTHY: Duration = Duration::from_secs(120);

/// Components that are known without checks. That of the path of events is made when it is asked for.
pub(super) const UNCHECKED: [&str; 1] = ["kernel"];

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

    /// Forgets the handlers' components but for these.
    pub(super) fn keep_handlers(&self, names: &[String]) {
        let keep = |name: &String| !name.starts_with(HANDLER_PREFIX) || names.contains(name);
        self.lock().components.retain(|name, _| keep(name));
    }

    /// Forgets what only checks know, because nobody checks any more. What is set once, at the start, stays.
    pub fn unchecked(&self) {
        self.lock().components.retain(|name, _| UNCHECKED.contains(&name.as_str()));
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
    let details = format!("{} s", silent.as_secs());
    let component = if silent >= STALLED_UNHEALTHY {
        Component::with(&DATA_STOPPED, details)
    } else if silent >= STALLED_DEGRADED {
        Component::with(&DATA_STALLED, details)
    } else {
        Component::of(&DATA_MOVING)
    };
    component.measure("last_seen_seconds", silent.as_secs_f64())
}
