//! The stages put together: what `exec` and `run` share.
//!
//! Threads: `sidecar-data` reads the ring and fills the queue; `sidecar-events` empties it into whoever takes the
//! events; `sidecar-attach` looks at programs that were executed, `sidecar-folders` at files that appear. None of them ever holds up a test.

mod appeared;
mod attacher;
mod clock;
mod container;
mod containers;
mod cost;
mod drain;
mod folders;
mod globs;
mod holding;
mod intake;
mod letting_go;
mod look;
mod mapped;
mod pace;
mod priority;
mod process;
mod remote;
mod retired;
mod say;
mod scan;
mod schedule;
mod shared;
mod sleep;
mod snapshot;
mod steering;
mod tallies;
mod watch;

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

pub(crate) use clock::monotonic_ns;
pub use cost::{OwnCost, own_cost};
pub use drain::OnFull;
pub use holding::{GateHandle, Holding};
pub use shared::{Totals, Wanted};
pub use steering::Steering;

use crate::{
    attach::Outcome,
    bpf::{BpfError, Features, LoadOptions, Scope},
    config::Config,
    elf,
    event::{Event, event_bytes},
    metrics::{Snapshot, Source},
    sinks::{Queue, QueueStats},
};
use drain::DataPath;
use shared::Shared;
use watch::Watch;

/// Executed programs that may wait to be looked at.
const EXECS_WAITING: usize = 4096;
/// Events handed over in one go.
const BATCH: usize = 512;
/// Bytes of events that the queue holds at most, where no budget says otherwise.
pub const QUEUE_BYTES: u64 = 10 << 20;
/// How long the end waits for a consumer that takes nothing.
pub const PATIENCE: Duration = Duration::from_secs(3);
/// How often the end looks whether it has come.
const END_LOOK: Duration = Duration::from_millis(1);

/// Why nothing can be observed.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// The kernel side can't be had.
    #[error(transparent)]
    Bpf(#[from] BpfError),
    /// What is wanted can't be expressed.
    #[error("{0}")]
    Wanted(String),
    /// The system refuses a thread or a descriptor.
    #[error("starting a thread: {0}")]
    Thread(#[source] io::Error),
}

/// What to observe and how.
pub struct Options {
    /// Which processes.
    pub scope: Scope,
    /// An object in place of the built-in one.
    pub object: Option<PathBuf>,
    /// Leave this process's own program out: it has the markers too, and nothing to say by them.
    pub ignore_own: bool,
    /// One rate for all signals in place of the configured ones.
    pub rate: Option<f64>,
    /// What to do when events come faster than they are taken.
    pub on_full: OnFull,
    /// Bytes of events that wait at most, besides the config's number of them.
    pub queue_bytes: u64,
}

/// Takes events, one by one, in the order of the ring.
pub trait Consumer: Send + 'static {
    /// One event.
    fn take(&mut self, event: Event);
    /// The queue is empty for now.
    fn idle(&mut self);
}

/// Everything between the kernel and a [`Consumer`]. Dropping it detaches every probe.
pub struct Observer {
    shared: Arc<Shared>,
    queue: Arc<Queue<Event>>,
    data: DataPath,
    events: Option<JoinHandle<()>>,
    watch: Option<Watch>,
    looked: Option<oneshot::Receiver<()>>,
}

impl Observer {
    /// Loads the kernel side and starts the threads. No probe is attached yet.
    ///
    /// # Errors
    /// See [`ObserveError`].
    pub fn start(
        config: &Config,
        options: Options,
        mut consumer: impl Consumer,
    ) -> Result<Self, ObserveError> {
        let wanted = Wanted::new(config, options.rate)?;
        let max_specs = u32::try_from(config.discovery.max_specs).unwrap_or(4096);
        let returns = wanted.functions.has_returns();
        let load = LoadOptions {
            ring_bytes: u32::try_from(config.discovery.ring_bytes).unwrap_or(2 << 20),
            max_specs,
            max_histograms: if returns { max_specs } else { LoadOptions::default().max_histograms },
            max_frames: if returns { sidecar_common::MAX_FRAMES } else { 0 },
            scope: options.scope,
            exec_records: config.discovery.exec,
            follow_exits: true,
            object: options.object,
            ..LoadOptions::from_environment()
        };
        let (mut shared, reader) = Shared::load(wanted, config, &load)?;
        if options.ignore_own {
            shared.ignore_own();
        }
        let shared = Arc::new(shared);
        let capacity = usize::try_from(config.resources.max_queue_size).unwrap_or(10_000);
        let most_bytes = usize::try_from(options.queue_bytes).unwrap_or(usize::MAX);
        let queue = Queue::bounded(capacity, most_bytes, weigh, config.resources.drop_on_full)
            .preferring(|event| event.precious);
        let queue = Arc::new(queue);

        let source = Arc::clone(&queue);
        let tallies = Arc::clone(&shared.tallies);
        let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(ObserveError::Thread)?;
        let events = thread::Builder::new()
            .name("sidecar-events".to_owned())
            .spawn(move || {
                priority::raise();
                runtime.block_on(feed(&source, &mut consumer, &tallies.handed_on));
            })
            .map_err(ObserveError::Thread)?;
        let (executed, execs) = mpsc::sync_channel(EXECS_WAITING);
        let (tell, looked) = oneshot::channel();
        let watch = Watch::start(Arc::clone(&shared), (executed.clone(), execs), config, tell)
            .map_err(ObserveError::Thread)?;
        let data =
            DataPath::start(reader, Arc::clone(&shared), Arc::clone(&queue), options.on_full, executed)
                .map_err(ObserveError::Thread)?;
        Ok(Self { shared, queue, data, events: Some(events), watch: Some(watch), looked: Some(looked) })
    }

    /// Becomes ready when what is there already was looked at: configured files and libraries, and running
    /// programs. There is one.
    pub fn take_looked(&mut self) -> Option<oneshot::Receiver<()>> {
        self.looked.take()
    }

    /// What this kernel can do.
    #[must_use]
    pub fn features(&self) -> Features {
        self.shared.features
    }

    /// A second handle of the map of watched processes, to hand to another process.
    ///
    /// # Errors
    /// When no descriptor is free, or the scope is the node.
    pub fn tree(&self) -> io::Result<std::os::fd::OwnedFd> {
        self.shared.tree()
    }

    /// What looks at images and attaches, for other threads.
    #[must_use]
    pub fn images(&self) -> Images {
        Images { shared: Arc::clone(&self.shared) }
    }

    /// Totals of all probes.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.shared.totals(self.queue.stats())
    }

    /// What a scrape reads, for other threads.
    #[must_use]
    pub fn source(&self) -> Arc<dyn Source> {
        Arc::new(Snapshots { shared: Arc::clone(&self.shared), queue: Arc::clone(&self.queue) })
    }

    /// What steers it from other threads.
    #[must_use]
    pub fn steering(&self) -> Steering {
        Steering { shared: Arc::clone(&self.shared), queue: Arc::clone(&self.queue) }
    }

    /// Opens or closes a window in which the kernel measures its programs.
    pub fn measure_programs(&self, on: bool) {
        self.shared.measure_programs(on);
    }

    /// Takes the probes off, takes what is still in the ring and hands it to the consumer. A consumer that takes nothing
    /// for [`PATIENCE`] is left alone with the event that it has, and the others are dropped. Gives the totals.
    pub fn finish(&mut self) -> Totals {
        self.watch = None;
        self.shared.let_go();
        self.data.stop();
        if !self.comes_to_an_end(|observer| observer.data.has_ended()) {
            // The ring's reader waits for room in the queue: now there is some.
            self.queue.discard();
        }
        self.data.finish();
        self.queue.close();
        let ended =
            self.comes_to_an_end(|observer| observer.events.as_ref().is_none_or(JoinHandle::is_finished));
        let events = self.events.take();
        if !ended {
            self.queue.discard();
        } else if events.is_some_and(|events| events.join().is_err()) {
            tracing::error!("the thread that takes the events panicked");
        }
        self.totals()
    }

    /// Waits for an end as long as the consumer takes events.
    fn comes_to_an_end(&self, has_ended: impl Fn(&Self) -> bool) -> bool {
        let (mut taken, mut since) = (self.queue.stats().processed, Instant::now());
        while !has_ended(self) {
            let now = self.queue.stats().processed;
            if now != taken {
                (taken, since) = (now, Instant::now());
            } else if since.elapsed() >= PATIENCE {
                return false;
            }
            thread::sleep(END_LOOK);
        }
        true
    }

    /// Counters of the queue between the ring and the consumer.
    #[must_use]
    pub fn queue(&self) -> QueueStats {
        self.queue.stats()
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        if self.events.is_some() {
            self.finish();
        }
    }
}

fn weigh(event: &Event) -> usize {
    event_bytes(event) as usize
}

/// Empties the queue into the consumer until it is closed. `handed_on` is how many events the consumer has done with.
async fn feed(queue: &Queue<Event>, consumer: &mut impl Consumer, handed_on: &AtomicU64) {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        let taken = batch.len() as u64;
        for event in batch.drain(..) {
            consumer.take(event);
        }
        if queue.try_pop_many(&mut batch, BATCH) > 0 {
            handed_on.fetch_add(taken, Ordering::Release);
            continue;
        }
        consumer.idle();
        handed_on.fetch_add(taken, Ordering::Release);
        if queue.pop_many(&mut batch, BATCH).await == 0 {
            return;
        }
    }
}

/// Looks at images and attaches what is wanted of them.
#[derive(Clone)]
pub struct Images {
    shared: Arc<Shared>,
}

impl Images {
    /// Looks at an open file, unless it is known already. `path` is only for people.
    #[must_use]
    pub fn consider(&self, file: &File, path: &Path) -> Outcome {
        self.shared.consider(file, path)
    }

    /// Whether every probe is off, so that what is looked at now is not known later.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        self.shared.suspended.load(Ordering::Acquire)
    }

    /// Looks at an open file, and at the wanted libraries that it needs.
    #[must_use]
    pub fn consider_with_libraries(&self, file: &File, path: &Path) -> Outcome {
        let outcome = self.consider(file, path);
        look::consider_libraries(&self.shared, file, path);
        outcome
    }

    /// The same of a file that this process executes: what belongs to it is looked for as the process sees it.
    #[must_use]
    pub fn consider_of_process(&self, file: &File, path: &Path, pid: u32) -> Outcome {
        let Ok(process) = process::Process::open(pid) else {
            return self.consider_with_libraries(file, path);
        };
        let outcome = self.shared.consider_with(file, path, &process.debug_files(path));
        look::consider_libraries(&self.shared, file, path);
        outcome
    }

    /// Looks at a file by its path, and at the wanted libraries that it needs.
    ///
    /// # Errors
    /// When it can't be opened.
    pub fn consider_path(&self, path: &Path) -> io::Result<Outcome> {
        Ok(self.consider_with_libraries(&elf::open(path)?, path))
    }
}

struct Snapshots {
    shared: Arc<Shared>,
    queue: Arc<Queue<Event>>,
}

impl Source for Snapshots {
    fn snapshot(&self) -> Snapshot {
        let snapshot = self.shared.snapshot(&self.queue);
        self.shared.tallies.snapshots.fetch_add(1, Ordering::Relaxed);
        snapshot
    }
}
