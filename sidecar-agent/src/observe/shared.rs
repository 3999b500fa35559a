//! What the threads share. The path of events takes none of these locks but for a spec that it sees for the
//! first time.

use std::{
    collections::HashMap,
    fs::File,
    io,
    os::fd::OwnedFd,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use sidecar_common::Counters;

use super::{ObserveError, attacher::KernelAttacher, retired::Retired, retired::add};
use crate::{
    attach::{Capacity, Manager, Outcome, ProbeInfo},
    bpf::{BpfError, Features, Kernel, LoadOptions, ProgramStats, RingReader, Scope, StatsWindow},
    config::{Config, threshold},
    elf::ImageId,
    mapping::{self, Mapping},
    sinks::QueueStats,
};

/// Markers and rates that are wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub(super) mappings: Vec<Mapping>,
    /// Name and threshold, by index.
    pub(super) signals: Vec<(String, u64)>,
}

impl Wanted {
    /// What a config wants. `rate` takes the place of every signal's rate.
    ///
    /// # Errors
    /// A mapping that contradicts itself, or a rate that is none.
    pub fn new(config: &Config, rate: Option<f64>) -> Result<Self, ObserveError> {
        let mappings =
            mapping::all(&config.probes).map_err(|error| ObserveError::Wanted(error.to_string()))?;
        let mut signals = Vec::new();
        for signal in config.signals() {
            let threshold = match rate {
                Some(rate) => threshold(rate)
                    .ok_or_else(|| ObserveError::Wanted(format!("the rate {rate} is not from 0 to 1")))?,
                None => signal.threshold,
            };
            signals.push((signal.name, threshold));
        }
        Ok(Self { mappings, signals })
    }
}

/// Counts of the agent itself. Monotonic.
#[derive(Debug, Default)]
pub(super) struct Tallies {
    pub(super) received: AtomicU64,
    pub(super) malformed: AtomicU64,
    pub(super) unknown_spec: AtomicU64,
    pub(super) wakeups: AtomicU64,
    pub(super) execs_missed: AtomicU64,
    pub(super) snapshots: AtomicU64,
}

impl Tallies {
    pub(super) fn read(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }
}

/// Totals of everything that was observed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    /// The kernel's counters over all probes.
    pub counters: Counters,
    /// The queue between the ring and the consumer.
    pub queue: QueueStats,
    /// Records of hits that were taken out of the ring.
    pub received: u64,
    /// Records that could not be decoded, or whose spec is not known.
    pub undecoded: u64,
    /// Images with probes on them, and sites.
    pub images: u64,
    /// Sites with probes on them.
    pub sites: u64,
    /// Wake-ups of the reader.
    pub wakeups: u64,
    /// What the kernel measured of its programs.
    pub programs: ProgramStats,
    /// Forks, execs and exits that the kernel programs had no room for.
    pub process_lost: u64,
}

/// The state of an observer.
pub(super) struct Shared {
    pub(super) features: Features,
    pub(super) kernel: Arc<Mutex<Kernel>>,
    pub(super) manager: Mutex<Manager<KernelAttacher>>,
    pub(super) retired: Mutex<Retired>,
    pub(super) tallies: Tallies,
    pub(super) signals: Vec<(String, u64)>,
    pub(super) ring_bytes: u64,
    /// Names of libraries that the config wants.
    pub(super) libraries: Mutex<Vec<String>>,
    scope: Scope,
    window: Mutex<Option<StatsWindow>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panicking thread left is still counters and tables whose parts don't depend on each other.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn load(
        wanted: Wanted,
        config: &Config,
        options: &LoadOptions,
    ) -> Result<(Self, RingReader), ObserveError> {
        let mut kernel = Kernel::load(options)?;
        for (index, (_, threshold)) in wanted.signals.iter().enumerate() {
            kernel.set_threshold(u8::try_from(index).unwrap_or(u8::MAX), *threshold)?;
        }
        kernel.set_enabled(config.enabled)?;
        let reader = kernel
            .take_reader()
            .ok_or_else(|| BpfError::Load("the ring's reader is taken already".to_owned()))?;
        let features = kernel.features();
        let probe = kernel.probe_point();
        let kernel = Arc::new(Mutex::new(kernel));
        let attacher = KernelAttacher { kernel: Arc::clone(&kernel), probe };
        let indices: HashMap<String, u8> = wanted
            .signals
            .iter()
            .enumerate()
            .filter_map(|(index, (name, _))| Some((name.clone(), u8::try_from(index).ok()?)))
            .collect();
        let capacity = Capacity {
            specs: options.max_specs,
            histograms: options.max_histograms,
            max_string: u32::try_from(config.discovery.max_string_bytes).unwrap_or(1024),
            ..Capacity::default()
        };
        let shared = Self {
            features,
            kernel,
            manager: Mutex::new(Manager::new(attacher, wanted.mappings, indices, capacity)),
            retired: Mutex::default(),
            tallies: Tallies::default(),
            signals: wanted.signals,
            ring_bytes: options.ring_bytes.into(),
            libraries: Mutex::default(),
            scope: options.scope,
            window: Mutex::new(None),
        };
        Ok((shared, reader))
    }

    /// Whether every process is watched.
    pub(super) fn is_node(&self) -> bool {
        self.scope == Scope::Node
    }

    pub(super) fn kernel(&self) -> MutexGuard<'_, Kernel> {
        lock(&self.kernel)
    }

    pub(super) fn manager(&self) -> MutexGuard<'_, Manager<KernelAttacher>> {
        lock(&self.manager)
    }

    pub(super) fn retired(&self) -> MutexGuard<'_, Retired> {
        lock(&self.retired)
    }

    pub(super) fn tree(&self) -> io::Result<OwnedFd> {
        let kernel = self.kernel();
        let tree = kernel.tree().ok_or_else(|| io::Error::other("the scope is not a tree"))?;
        tree.descriptor().try_clone_to_owned()
    }

    pub(super) fn consider(&self, file: &File, path: &Path) -> Outcome {
        let outcome = self.manager().consider(file, path);
        match &outcome {
            Outcome::Attached { probes, sites } => {
                tracing::info!("attached to {}: {probes} probes, {sites} sites", path.display());
            }
            Outcome::Refused { reason, message } => {
                tracing::warn!("not attached to {} ({}): {message}", path.display(), reason.name());
            }
            Outcome::AlreadyAttached | Outcome::NothingWanted => {}
        }
        outcome
    }

    pub(super) fn probe(&self, spec: u32, generation: u32) -> Option<Arc<ProbeInfo>> {
        self.manager().probe(spec, generation)
    }

    /// Takes the probes off an image and keeps their counts.
    pub(super) fn forget(&self, id: &ImageId) {
        let probes = self.manager().forget(id);
        for probe in &probes {
            let mut kernel = self.kernel();
            match kernel.counters(probe.spec) {
                Ok(counters) => {
                    self.retired().fold(&probe.mapping.provider, &probe.mapping.marker, &counters);
                    if let Err(error) = kernel.clear_counters(probe.spec) {
                        tracing::error!("counters can't be cleared: {error}");
                    }
                }
                Err(error) => tracing::error!("counters can't be read: {error}"),
            }
        }
        self.manager().reclaim(&probes);
    }

    pub(super) fn measure_programs(&self, on: bool) {
        let mut window = lock(&self.window);
        *window = if on { StatsWindow::open().ok() } else { None };
    }

    pub(super) fn totals(&self, queue: QueueStats) -> Totals {
        let mut counters = Counters::default();
        let (specs, images, sites) = {
            let manager = self.manager();
            for mapping in manager.mappings() {
                add(&mut counters, &self.retired().get(&mapping.provider, &mapping.marker));
            }
            let specs: Vec<u32> = manager.probes().map(|probe| probe.spec).collect();
            (specs, manager.images().count() as u64, manager.images().map(|image| image.sites as u64).sum())
        };
        let kernel = self.kernel();
        for spec in specs {
            match kernel.counters(spec) {
                Ok(found) => add(&mut counters, &found),
                Err(error) => tracing::error!("counters can't be read: {error}"),
            }
        }
        Totals {
            counters,
            queue,
            received: Tallies::read(&self.tallies.received),
            undecoded: Tallies::read(&self.tallies.malformed) + Tallies::read(&self.tallies.unknown_spec),
            images,
            sites,
            wakeups: Tallies::read(&self.tallies.wakeups),
            programs: kernel.probe_stats().unwrap_or_default(),
            process_lost: kernel.process_lost().unwrap_or_default(),
        }
    }
}
