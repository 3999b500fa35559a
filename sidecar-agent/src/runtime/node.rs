//! The life of an agent: built from the outside in, so that health answers while the rest starts, and ended in the order
//! of the events' way.

use std::{
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{
    RuntimeError,
    core::Core,
    fan_out::{FanOut, Line},
    keeper::Keeper,
    reload::Origin,
    serving,
    source::{NodeSource, SinkHandle},
};
use crate::{
    bpf::Scope,
    config::{self, Config, FileState, Sink},
    governor::{Budget, needs},
    handlers::{HandlerStats, Handlers},
    health::kernel,
    http::{self, Handle, State},
    metrics::{BuildInfo, Metrics},
    observe::{Holding, ObserveError, Observer, OnFull, Options, Totals, Wanted},
    sinks::{JsonlSink, Queue, SinkThread, Target, start},
};

/// What an agent needs besides its configuration.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// Where the configuration came from, to read it again; `None`: it can't be read again.
    pub origin: Option<Origin>,
    /// A BPF object in place of the built-in one.
    pub object: Option<PathBuf>,
    /// Whether the HTTP server and the control socket are wanted, as configured.
    pub serve: bool,
    /// Whether the configured sinks are written.
    pub sinks: bool,
    /// Whether this process's own program is left out.
    pub ignore_own: bool,
    /// Whether this program is `sidecar`, which can start its gate process.
    pub is_sidecar: bool,
}

/// A running agent. Dropping it detaches every probe.
pub struct Node {
    pub(super) core: Arc<Core>,
    queues: Vec<Arc<Queue<Line>>>,
    sinks: Vec<SinkThread<Line>>,
    pub(super) metrics: Arc<Metrics>,
    http: Option<Handle>,
    watch: Option<config::Watch>,
    keeper: Option<Keeper>,
    observer: Option<Observer>,
    holding: Option<Holding>,
    grace: Duration,
}

impl Node {
    /// Takes the address, the socket and the sinks, starts the handlers, and serves health. Nothing is watched yet.
    ///
    /// # Errors
    /// See [`RuntimeError`].
    pub fn open(config: &Config, start: &Start) -> Result<Self, RuntimeError> {
        let told = |error: ObserveError| RuntimeError::Wanted(error.to_string());
        Wanted::new(config, None).map_err(told)?;
        // The address first: a second agent on the same node ends here, before it touches anything.
        let listeners = if start.serve { serving::listeners(config)? } else { None };
        let budget = Budget::of(&config.resources);
        let needed = needs(config);
        if let Err(error) = needed.check(&budget) {
            tracing::warn!("{error}");
        }
        let items = usize::try_from(config.resources.max_queue_size).unwrap_or(usize::MAX);
        let bytes = usize::try_from(needed.queue_bytes(&budget)).unwrap_or(usize::MAX);
        let (mut sinks, mut queues, mut handles) = (Vec::new(), Vec::new(), Vec::new());
        for sink in config.sinks.iter().filter(|_| start.sinks) {
            let Sink::Jsonl { path } = sink;
            let target = if path == "-" { Target::Stdout } else { Target::Append(PathBuf::from(path)) };
            let sink = JsonlSink::open(&target)?;
            tracing::info!("events go to {}", target.name());
            let queue = Queue::bounded(items, bytes, Line::weight, config.resources.drop_on_full);
            let queue = Arc::new(queue.preferring(|line| line.precious));
            handles.push(SinkHandle::new(sink.probe(), Arc::clone(&queue)));
            queues.push(Arc::clone(&queue));
            sinks.push(self::start(sink, queue, |sink, line: &Line| sink.write_line(&line.text))?);
        }
        let handlers = Arc::new(Handlers::new());
        handlers.replace_all(&config.handlers, config.shutdown.grace())?;
        let source = Arc::new(NodeSource::new(handles, handlers));
        let core =
            Arc::new(Core::new(config, start.origin.clone(), Arc::clone(&source), serving::hub(config)));
        source.belongs_to(&core);
        let build = BuildInfo {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
            kernel_object: crate::bpf::embedded_digest(),
        };
        let metrics = Arc::new(Metrics::new(source, build)?);
        let http = match listeners {
            Some(listeners) => {
                let places = serving::places(&listeners);
                let state = State::new(Arc::clone(&core.health), Arc::clone(&metrics), Arc::clone(&core.hub));
                state.set_control(Arc::<Core>::clone(&core));
                let handle = http::spawn(listeners, state, serving::limits(config))?;
                if let Some(address) = handle.address() {
                    tracing::info!("http://{address}/metrics, /health, /livez, /readyz");
                }
                tracing::info!("the API listens on {places}");
                core.serves(places, handle.load());
                Some(handle)
            }
            None => None,
        };
        let watch = watch(&core, config, start);
        let grace = config.shutdown.grace();
        Ok(Self {
            core,
            queues,
            sinks,
            metrics,
            http,
            watch,
            keeper: None,
            observer: None,
            holding: None,
            grace,
        })
    }

    /// Loads the kernel side and starts to watch. Where that can't be, health tells why.
    ///
    /// # Errors
    /// What is wanted contradicts itself, or the system refuses a thread.
    pub fn observe(&mut self, config: &Config, start: &Start) -> Result<(), RuntimeError> {
        let health = &self.core.health;
        health.step_waits("kernel", "loading the kernel programs");
        let budget = Budget::of(&config.resources);
        let options = Options {
            scope: Scope::Node,
            object: start.object.clone(),
            ignore_own: start.ignore_own,
            rate: None,
            on_full: OnFull::Drop,
            queue_bytes: needs(config).queue_bytes(&budget),
        };
        let consumer = FanOut::new(
            self.queues.clone(),
            Arc::clone(&self.core.handlers),
            Arc::clone(&self.core.hub),
            Arc::clone(&self.core.seen),
        );
        match Observer::start(config, options, consumer) {
            Ok(observer) => {
                let features = observer.features();
                health.set("kernel", kernel(None));
                health.step_done("kernel", format!("probes by {}", features.attach.name()));
                health.step_waits("attach", "looking at configured files and running programs");
                tracing::info!(
                    "watching this node: probes by {}, cold strings {}",
                    features.attach.name(),
                    if features.sleepable { "are faulted in" } else { "stay unread" }
                );
                self.core.source.observe(observer.source());
                self.core.observes(observer.steering());
                self.observer = Some(observer);
            }
            Err(ObserveError::Wanted(reason)) => return Err(RuntimeError::Wanted(reason)),
            Err(error @ (ObserveError::Bpf(_) | ObserveError::Thread(_))) => {
                let reason = error.to_string();
                tracing::error!("nothing is watched: {reason}");
                health.set("kernel", kernel(Some(&reason)));
                health.step_done("kernel", "not available; see /health");
                health.step_done("attach", "nothing to attach with");
            }
        }
        let images = self.observer.as_ref().map(Observer::images);
        self.holding = self.core.first_events.hold(config, start.is_sidecar, images);
        self.keeper = Some(Keeper::start(Arc::clone(&self.core)).map_err(RuntimeError::System)?);
        Ok(())
    }

    /// Becomes ready when what is there already was looked at. There is one.
    pub fn take_looked(&mut self) -> Option<oneshot::Receiver<()>> {
        self.observer.as_mut().and_then(Observer::take_looked)
    }

    /// What is there already was looked at.
    pub fn looked(&self) {
        use crate::metrics::Source as _;
        let figures = self.core.source.snapshot();
        let note = format!("{} sites in {} files", figures.attached_sites, figures.attached_images);
        tracing::info!("looked at what is there already: {note}; ready");
        self.core.check_now();
        self.core.health.step_done("attach", note);
        super::heap::trim();
    }

    /// Reads the configuration again; the outcome is in the log, in health and in metrics.
    pub fn reload(&self) {
        self.core.file_changed.store(true, Ordering::Release);
        self.core.wake();
    }

    /// Detaches, lets what waits be written and handled within the grace, and says what was left.
    pub async fn stop(mut self) -> Option<Totals> {
        self.core.health.stopping();
        self.watch = None;
        self.keeper = None;
        if let Some(holding) = self.holding.take() {
            tracing::debug!("the gate: {:?}", holding.finish());
        }
        let totals = self.observer.as_mut().map(Observer::finish);
        let deadline = Instant::now() + self.grace;
        let left = || deadline.saturating_duration_since(Instant::now());
        for sink in std::mem::take(&mut self.sinks) {
            let (stats, stuck) = sink.finish(left()).await;
            let missing = stats.write_failed + stats.serialize_failed + stats.queue.dropped() + stuck;
            if missing > 0 {
                tracing::warn!("{missing} events were not written to {}", stats.name);
            }
        }
        for stats in self.core.handlers.finish(left()).await {
            let missing = HandlerStats::failed(&stats) + stats.dropped();
            if missing > 0 {
                tracing::warn!("{missing} events were not handled by {}", stats.name);
            }
        }
        if let Some(totals) = &totals {
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
        self.observer = None;
        if let Some(http) = self.http.take()
            && let Err(error) = http.join()
        {
            tracing::warn!("{error}");
        }
        totals
    }
}

/// Watches the configuration's file, where there is one.
fn watch(core: &Arc<Core>, config: &Config, start: &Start) -> Option<config::Watch> {
    let file = start.origin.as_ref().and_then(|origin| origin.file.as_ref())?;
    if !config.reload.watch {
        return None;
    }
    let told = Arc::downgrade(core);
    let tell = move |state| {
        let Some(core) = told.upgrade() else { return };
        match state {
            FileState::Changed => {
                let watches = core.in_force().config.reload.watch;
                if watches {
                    core.file_changed.store(true, Ordering::Release);
                    core.wake();
                }
            }
            FileState::Gone => tracing::warn!("the configuration's file is gone; what is in force stays"),
            FileState::Unseen(why) => {
                tracing::warn!("changes of the configuration's file go unseen: {why}; SIGHUP still works");
            }
        }
    };
    config::Watch::start(file, tell).inspect_err(|error| tracing::warn!("{error}; SIGHUP still works")).ok()
}
