//! The agent's life: built from the outside in, so that health answers and signals are heard while the rest starts.

use std::{
    io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};

use super::{
    RunError,
    fan_out::{FanOut, Line},
    source::{NodeSource, SinkHandle},
};
use crate::{
    bpf::Scope,
    config::{Config, Sink},
    health::{Checks, Component, Health, Resources, kernel},
    http::{self, Handle, State},
    metrics::{BuildInfo, Metrics, Source},
    observe::{ObserveError, Observer, OnFull, Options, QUEUE_BYTES, Wanted, own_cost},
    sinks::{JsonlSink, Queue, SinkThread, Target, start},
};

/// How often health is looked at.
const CHECK: Duration = Duration::from_secs(5);
/// How long sinks may take, all together, to write what waits when the agent ends.
const GRACE: Duration = Duration::from_secs(5);

/// Runs the agent until it is told to end.
pub(super) async fn live(config: &Config, object: Option<PathBuf>) -> Result<(), RunError> {
    // Heard from now on: whatever is going on, they end the agent in good order.
    let mut end = End::new().map_err(RunError::System)?;
    let told = |error: ObserveError| RunError::Wanted(error.to_string());
    Wanted::new(config, None).map_err(told)?;
    let mut agent = Agent::open(config)?;
    agent.observe(config, object)?;
    agent.serve(&mut end).await;
    agent.stop().await;
    Ok(())
}

/// The signals that end the agent.
struct End {
    terminate: Signal,
    interrupt: Signal,
}

impl End {
    fn new() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// The name of the signal that came.
    async fn told(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Everything that runs.
struct Agent {
    health: Arc<Health>,
    queues: Vec<Arc<Queue<Line>>>,
    sinks: Vec<SinkThread<Line>>,
    source: Arc<NodeSource>,
    http: Option<Handle>,
    observer: Option<Observer>,
}

impl Agent {
    /// Takes the address and the sinks, and serves health. Nothing is watched yet.
    fn open(config: &Config) -> Result<Self, RunError> {
        let health = Arc::new(Health::new(Instant::now(), &["kernel", "attach"]));
        // The address first: a second agent on the same node ends here, before it touches anything.
        let listener = if config.http.enabled { Some(http::bind(config.http.listen)?) } else { None };
        let capacity = usize::try_from(config.resources.max_queue_size).unwrap_or(usize::MAX);
        let (mut sinks, mut queues, mut handles) = (Vec::new(), Vec::new(), Vec::new());
        for sink in &config.sinks {
            let Sink::Jsonl { path } = sink;
            let target = if path == "-" { Target::Stdout } else { Target::Append(PathBuf::from(path)) };
            let sink = JsonlSink::open(&target)?;
            tracing::info!("events go to {}", target.name());
            let queue = Arc::new(Queue::bounded(
                capacity,
                QUEUE_BYTES as usize,
                Line::weight,
                config.resources.drop_on_full,
            ));
            handles.push(SinkHandle::new(sink.probe(), Arc::clone(&queue)));
            queues.push(Arc::clone(&queue));
            sinks.push(start(sink, queue, |sink, line: &Line| sink.write_line(&line.0))?);
        }
        let source = Arc::new(NodeSource::new(handles));
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
        Ok(Self { health, queues, sinks, source, http, observer: None })
    }

    /// Loads the kernel side and starts to watch. Where that can't be, health tells why.
    fn observe(&mut self, config: &Config, object: Option<PathBuf>) -> Result<(), RunError> {
        self.health.step_waits("kernel", "loading the kernel programs");
        let options = Options {
            scope: Scope::Node,
            object,
            rate: None,
            on_full: OnFull::Drop,
            queue_bytes: QUEUE_BYTES,
        };
        match Observer::start(config, options, FanOut::new(self.queues.clone())) {
            Ok(observer) => {
                let features = observer.features();
                self.health.set("kernel", kernel(None));
                self.health.step_done("kernel", format!("probes by {}", features.attach.name()));
                self.health.step_waits("attach", "looking at configured files and running programs");
                tracing::info!(
                    "watching this node: probes by {}, cold strings {}",
                    features.attach.name(),
                    if features.sleepable { "are faulted in" } else { "stay unread" }
                );
                self.source.observe(observer.source());
                self.observer = Some(observer);
            }
            Err(ObserveError::Wanted(reason)) => return Err(RunError::Wanted(reason)),
            Err(error @ (ObserveError::Bpf(_) | ObserveError::Thread(_))) => {
                let reason = error.to_string();
                tracing::error!("nothing is watched: {reason}");
                self.health.set("kernel", kernel(Some(&reason)));
                self.health.step_done("kernel", "not available; see /health");
                self.health.step_done("attach", "nothing to attach with");
            }
        }
        if !config.enabled {
            self.health.set("kernel", Component::degraded("switched off by `enabled: false`"));
        }
        Ok(())
    }

    /// Looks after health until a signal comes.
    async fn serve(&mut self, end: &mut End) {
        let mut checks = Checks::default();
        let mut ticker = tokio::time::interval(CHECK);
        let mut looked = self.observer.as_mut().and_then(Observer::take_looked);
        loop {
            tokio::select! {
                name = end.told() => {
                    tracing::info!("{name}: stopping");
                    return;
                }
                () = looks(&mut looked) => {
                    let figures = self.source.snapshot();
                    checks.update(&self.health, &figures, Instant::now());
                    let note = format!("{} sites in {} files", figures.attached_sites, figures.attached_images);
                    tracing::info!("looked at what is there already: {note}; ready");
                    self.health.step_done("attach", note);
                }
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
    }

    /// Detaches, writes what waits, and says what was left.
    async fn stop(mut self) {
        self.health.stopping();
        let totals = self.observer.as_mut().map(Observer::finish);
        let deadline = Instant::now() + GRACE;
        for sink in self.sinks {
            let (stats, stuck) = sink.finish(deadline.saturating_duration_since(Instant::now())).await;
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

/// Waits until what is there was looked at; once.
async fn looks(looked: &mut Option<oneshot::Receiver<()>>) {
    match looked {
        // An error means that the thread has ended; then there is nothing more to wait for.
        Some(receiver) => {
            let _ = receiver.await;
            *looked = None;
        }
        None => std::future::pending().await,
    }
}
