//! `sidecar run`: the agent for a node, from its start to its orderly end.
//!
//! Three parts run side by side: the data path ([`crate::observe`]), HTTP on a runtime of its own, and this, which
//! waits for signals and looks after health.

mod fan_out;
mod source;

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::signal::unix::{SignalKind, signal};

use crate::{
    bpf::Scope,
    cli::RunArgs,
    config::{self, Config, ConfigError, Override, Sink, Sources},
    health::{Checks, Component, Health, Resources, kernel},
    http::{self, Handle, HttpError, State},
    metrics::{BuildInfo, Metrics, MetricsError, Source},
    observe::{ObserveError, Observer, OnFull, Options, own_cost},
    sinks::{JsonlSink, Queue, SinkError, SinkThread, Target, start},
};
use fan_out::{FanOut, Line};
use source::{NodeSource, SinkHandle};

/// How often health is looked at.
const CHECK: Duration = Duration::from_secs(5);
/// How long sinks may take to write what waits when the agent ends.
const GRACE: Duration = Duration::from_secs(5);

/// Why the agent could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A sink can't be written.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The address can't be listened on.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The metrics can't be registered.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// What is wanted contradicts itself.
    #[error("{0}")]
    Wanted(String),
    /// A runtime, a thread or a signal handler can't be had.
    #[error("starting: {0}")]
    System(#[source] io::Error),
}

/// Runs the agent until SIGTERM or SIGINT.
///
/// # Errors
/// Only what can't be told by health: see [`RunError`]. A kernel that can't be watched is health's to tell.
pub fn run(args: &RunArgs, object: Option<PathBuf>) -> Result<(), RunError> {
    let config = configuration(args)?;
    for key in config.not_yet_in_force() {
        tracing::warn!("{key} is set but has no effect in this version");
    }
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(RunError::System)?;
    // Signal handlers are made inside the runtime that serves them.
    runtime.block_on(async { Agent::start(&config, object)?.serve().await })
}

fn configuration(args: &RunArgs) -> Result<Config, ConfigError> {
    let file = args.config.as_deref().map(config::read_file).transpose()?;
    let env: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let listen = args.listen.map(|address| address.to_string());
    let flags: Vec<Override> = listen
        .iter()
        .map(|value| Override { flag: "--listen", key: "http.listen", value: value.clone() })
        .collect();
    config::load(&Sources { file: file.as_ref(), env, flags: &flags })
}

/// Everything that runs.
struct Agent {
    observer: Option<Observer>,
    sinks: Vec<SinkThread<Line>>,
    health: Arc<Health>,
    source: Arc<NodeSource>,
    http: Option<Handle>,
    signals: [tokio::signal::unix::Signal; 2],
}

impl Agent {
    fn start(config: &Config, object: Option<PathBuf>) -> Result<Self, RunError> {
        let health = Arc::new(Health::new(Instant::now(), &["kernel", "attach"]));
        // The address first: a second agent on the same node ends here, before it touches anything.
        let listener = if config.http.enabled { Some(http::bind(config.http.listen)?) } else { None };
        let mut sinks = Vec::new();
        let mut queues = Vec::new();
        for sink in &config.sinks {
            let Sink::Jsonl { path } = sink;
            let target = if path == "-" { Target::Stdout } else { Target::Append(PathBuf::from(path)) };
            let sink = JsonlSink::open(&target)?;
            let capacity = usize::try_from(config.resources.max_queue_size).unwrap_or(usize::MAX);
            let queue = Arc::new(Queue::new(capacity, config.resources.drop_on_full));
            queues.push(Arc::clone(&queue));
            let handle = SinkHandle::new(sink.probe(), Arc::clone(&queue));
            sinks.push((start(sink, queue, |sink, line: &Line| sink.write_line(&line.0))?, handle));
        }
        let (sinks, handles) = sinks.into_iter().unzip();

        let options = Options { scope: Scope::Node, object, rate: None, on_full: OnFull::Drop };
        let observer = match Observer::start(config, options, FanOut::new(queues)) {
            Ok(observer) => {
                health.set("kernel", kernel(None));
                health.step_done("kernel", format!("attached by {}", observer.features().attach.name()));
                health.step_done("attach", "configured files were looked at");
                tracing::info!(
                    "watching this node: probes by {}, cold strings {}",
                    observer.features().attach.name(),
                    if observer.features().sleepable { "are faulted in" } else { "stay unread" }
                );
                Some(observer)
            }
            Err(ObserveError::Wanted(reason)) => return Err(RunError::Wanted(reason)),
            Err(error @ (ObserveError::Bpf(_) | ObserveError::Thread(_))) => {
                let reason = error.to_string();
                tracing::error!("not watching: {reason}");
                health.set("kernel", kernel(Some(&reason)));
                health.step_done("kernel", "not available; see /health");
                health.step_done("attach", "nothing to attach with");
                None
            }
        };
        if !config.enabled {
            health.set("kernel", Component::degraded("switched off by `enabled: false`"));
        }
        let source = Arc::new(NodeSource::new(observer.as_ref().map(Observer::source), handles));
        let http = match listener {
            Some(listener) => {
                let build = BuildInfo {
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    arch: std::env::consts::ARCH.to_owned(),
                    kernel_object: crate::bpf::embedded_digest(),
                };
                let metrics = Metrics::new(Arc::<NodeSource>::clone(&source), build)?;
                let handle = http::spawn(listener, State::new(Arc::clone(&health), metrics))?;
                health.set("http", Component::healthy(format!("listening on {}", handle.address())));
                tracing::info!("http://{}/metrics, /health, /livez, /readyz", handle.address());
                Some(handle)
            }
            None => None,
        };
        let signals = [SignalKind::terminate(), SignalKind::interrupt()];
        let [terminate, interrupt] = signals.map(|kind| signal(kind).map_err(RunError::System));
        Ok(Self { observer, sinks, health, source, http, signals: [terminate?, interrupt?] })
    }

    async fn serve(mut self) -> Result<(), RunError> {
        let mut checks = Checks::default();
        let mut ticker = tokio::time::interval(CHECK);
        loop {
            let [terminate, interrupt] = &mut self.signals;
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = ticker.tick() => {
                    let cost = own_cost();
                    self.health.set_resources(Resources {
                        cpu_seconds: cost.cpu_seconds,
                        rss_bytes: cost.rss_bytes,
                    });
                    checks.update(&self.health, &self.source.snapshot(), Instant::now());
                }
            }
        }
        self.stop().await;
        Ok(())
    }

    /// Detaches, writes what waits, and says what was left.
    async fn stop(mut self) {
        tracing::info!("stopping");
        self.health.stopping();
        let totals = self.observer.as_mut().map(Observer::finish);
        for sink in self.sinks {
            let (stats, stuck) = sink.finish(GRACE).await;
            let missing = stats.write_failed + stats.serialize_failed + stats.queue.dropped() + stuck;
            if missing > 0 {
                tracing::warn!("{missing} events were not written to {}", stats.name);
            }
        }
        if let Some(totals) = totals {
            let counters = totals.counters;
            tracing::info!(
                "{} hits: {} kept, {} sampled out, {} lost, {} disabled; {} events dropped",
                counters.hits,
                counters.kept,
                counters.sampled_out,
                counters.lost,
                counters.disabled,
                totals.queue.dropped()
            );
        }
        drop(self.observer);
        if let Some(http) = self.http
            && let Err(error) = http.join()
        {
            tracing::warn!("{error}");
        }
    }
}
