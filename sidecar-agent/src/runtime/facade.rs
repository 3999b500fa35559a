//! The runtime as a Rust program uses it.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{Node, Origin, RuntimeError, Start, core::Core};
use crate::{
    check,
    config::Config,
    control::{Control as _, ReloadRefused, ReloadReport, Sampling, SignalState, Stats},
    event::Event,
    handlers::{HandlersError, Outcome},
    health::{Level, Report},
    observe::Totals,
    profiler::{OverBudget, Snapshot, Summary},
};

/// How long a start waits until what is there already was looked at.
const PATIENCE: Duration = Duration::from_secs(30);

/// One metric's value, summed over its labels.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricValue {
    /// `counter`, `gauge` or `histogram`.
    pub kind: String,
    /// The sum of all series; for a histogram the number of observations.
    pub value: f64,
    /// What it means.
    pub help: String,
}

/// An agent inside this process. It watches the node by eBPF, as `sidecar run` does, but serves no HTTP and writes no
/// sink unless asked. Stopped when dropped.
pub struct SidecarRuntime {
    config: Config,
    start: Start,
    node: Option<Node>,
    handlers: AtomicU64,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Default for SidecarRuntime {
    fn default() -> Self {
        Self::new(Config::default())
    }
}

impl SidecarRuntime {
    /// With this configuration; nothing runs yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { config, start: Start::default(), node: None, handlers: AtomicU64::new(0), runtime: None }
    }

    /// With the configuration of a file (and the environment), which [`SidecarRuntime::reload_config`] reads again and
    /// which is taken over when it changes.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_file(path: &Path) -> Result<Self, check::Unusable> {
        let config = check::usable(Some(path), &[])?;
        let origin = Origin { file: Some(path.to_owned()), listen: None };
        let mut runtime = Self::new(config);
        runtime.start.origin = Some(origin);
        Ok(runtime)
    }

    /// Also serves HTTP and the control socket, as configured.
    #[must_use]
    pub fn serving(mut self) -> Self {
        self.start.serve = true;
        self
    }

    /// Also writes the configured sinks.
    #[must_use]
    pub fn with_sinks(mut self) -> Self {
        self.start.sinks = true;
        self
    }

    /// Starts to watch. Without privilege or BPF it runs all the same, and [`SidecarRuntime::get_health`] says why
    /// nothing is watched.
    ///
    /// # Errors
    /// See [`RuntimeError`].
    pub fn start(&mut self) -> Result<(), RuntimeError> {
        if self.node.is_some() {
            return Err(RuntimeError::Running);
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(RuntimeError::System)?;
        let mut node = Node::open(&self.config, &self.start)?;
        node.observe(&self.config, &self.start)?;
        if let Some(looked) = node.take_looked() {
            // What is not looked at by then is looked at later.
            let _ = runtime.block_on(async { tokio::time::timeout(PATIENCE, looked).await });
            node.looked();
        }
        self.node = Some(node);
        self.runtime = Some(runtime);
        Ok(())
    }

    /// Ends it: what waits is handled within the grace. The totals, if anything was watched.
    pub fn stop(&mut self) -> Option<Totals> {
        let (node, runtime) = (self.node.take()?, self.runtime.take()?);
        runtime.block_on(node.stop())
    }

    fn core(&self) -> Option<&Arc<Core>> {
        self.node.as_ref().map(|node| &node.core)
    }

    /// Reports an event of this program, through the markers: the kernel counts it, and samples it as any other
    /// program's. True if it was handed to the kernel; false while nobody watches this program's markers.
    ///
    /// `data` is a JSON object. `test_start` takes `test_id`, `run_id`, `suite`, `attempt`; `test_end` takes `test_id`,
    /// `status`, `duration_ms`, `message`, `attempt`, `run_id`; every other type is a custom event with `test_id` and
    /// `run_id`, and its data whole.
    pub fn observe(&self, event_type: &str, data: &Value) -> bool {
        super::observing::fire(event_type, data)
    }

    /// Calls a function for each event of a type. The events are those that the kernel kept: set the signal's rate to 1
    /// to get all; failures always come.
    ///
    /// # Errors
    /// The system refuses a thread, or it does not run.
    pub fn register_handler<R: Outcome>(
        &self,
        event_type: &str,
        handler: impl FnMut(&Event) -> R + Send + 'static,
    ) -> Result<(), RuntimeError> {
        let number = self.handlers.fetch_add(1, Ordering::Relaxed) + 1;
        let name = format!("{event_type}-{number}");
        match self.core() {
            Some(core) => Ok(core.handlers.on(event_type, &name, handler)?),
            None => Err(RuntimeError::Handlers(HandlersError::System(std::io::Error::other(
                "the runtime does not run: start it first",
            )))),
        }
    }

    /// The state of every component. Stopped, it is unhealthy.
    #[must_use]
    pub fn get_health(&self) -> Report {
        match self.core() {
            Some(core) => {
                core.check_now();
                core.health.report(Instant::now())
            }
            None => Report::stopped(),
        }
    }

    /// Whether every component is as it should be.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.get_health().status == Level::Healthy
    }

    /// Whether something is missing or lost while the agent goes on.
    #[must_use]
    pub fn is_degraded(&self) -> bool {
        self.get_health().status == Level::Degraded
    }

    /// Every metric by name; none while it does not run.
    #[must_use]
    pub fn get_metrics(&self) -> BTreeMap<String, MetricValue> {
        let families = self.node.as_ref().map(|node| node.metrics.values()).unwrap_or_default();
        families
            .into_iter()
            .map(|(name, kind, value, help)| (name, MetricValue { kind, value, help }))
            .collect()
    }

    /// The metrics as Prometheus text; empty while it does not run.
    #[must_use]
    pub fn export_metrics(&self) -> String {
        self.node.as_ref().and_then(|node| node.metrics.encode().ok()).unwrap_or_default()
    }

    /// Reads the configuration's file again and applies it, whole or not at all.
    ///
    /// # Errors
    /// What is wrong with it; the old one stays in force.
    pub fn reload_config(&self) -> Result<ReloadReport, ReloadRefused> {
        match self.core() {
            Some(core) => core.reload(),
            None => {
                let reason = "the runtime does not run".to_owned();
                Err(ReloadRefused { reason, ..ReloadRefused::default() })
            }
        }
    }

    /// The configuration it was made with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Rates, boosts and anomalies; `None` while it does not run.
    #[must_use]
    pub fn sampler(&self) -> Option<Sampler> {
        self.core().map(|core| Sampler(Arc::clone(core)))
    }

    /// The agent's own cost; `None` while it does not run.
    #[must_use]
    pub fn profiler(&self) -> Option<Profiling> {
        self.core().map(|core| Profiling(Arc::clone(core)))
    }

    /// What was counted; `None` while it does not run.
    #[must_use]
    pub fn observer(&self) -> Option<Observing> {
        self.core().map(|core| Observing(Arc::clone(core)))
    }
}

impl Drop for SidecarRuntime {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Rates, boosts and anomalies.
#[derive(Clone)]
pub struct Sampler(Arc<Core>);

impl Sampler {
    /// Sets a signal's rate, 0 to 1, until the next reload.
    ///
    /// # Errors
    /// See [`crate::control::Refused`].
    pub fn set_rate(&self, signal: &str, rate: f64) -> Result<SignalState, crate::control::Refused> {
        self.0.set_rate(signal, rate)
    }

    /// Multiplies a signal's rate for a time.
    ///
    /// # Errors
    /// See [`crate::control::Refused`].
    pub fn boost(
        &self,
        signal: &str,
        factor: f64,
        duration: Duration,
    ) -> Result<SignalState, crate::control::Refused> {
        self.0.boost(signal, factor, duration)
    }

    /// Counts an anomaly of a signal. True if the signal is boosted now.
    ///
    /// # Errors
    /// See [`crate::control::Refused`].
    pub fn report_anomaly(&self, signal: &str, kind: &str) -> Result<bool, crate::control::Refused> {
        Ok(self.0.report_anomaly(signal, kind)?.has_boost)
    }

    /// Ends a signal's boosts and forgets its anomalies.
    ///
    /// # Errors
    /// See [`crate::control::Refused`].
    pub fn clear_anomalies(&self, signal: &str) -> Result<SignalState, crate::control::Refused> {
        self.0.clear_boost(signal)
    }

    /// Every signal.
    #[must_use]
    pub fn get_stats(&self) -> Sampling {
        self.0.sampling()
    }
}

/// The agent's own cost.
#[derive(Clone)]
pub struct Profiling(Arc<Core>);

impl Profiling {
    /// The last measurement; `None` before the first, which takes one interval.
    #[must_use]
    pub fn get_current(&self) -> Option<Snapshot> {
        self.0.profiler().get_current().cloned()
    }

    /// The last seconds put together.
    #[must_use]
    pub fn get_summary(&self, window_seconds: f64) -> Summary {
        self.0.profiler().get_summary(window_seconds)
    }

    /// Whether the last measurement is over the configured budget.
    #[must_use]
    pub fn is_over_budget(&self) -> OverBudget {
        let budget = self.0.governor().view().budget;
        self.0.profiler().is_over_budget(budget.cpu_percent, budget.memory_bytes as f64 / 1e6)
    }
}

/// What was counted.
#[derive(Clone)]
pub struct Observing(Arc<Core>);

impl Observing {
    /// The counts and their balance.
    #[must_use]
    pub fn get_stats(&self) -> Stats {
        self.0.stats()
    }
}
