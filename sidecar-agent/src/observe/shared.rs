//! What the threads share. The path of events takes none of these locks but for a spec that it sees for the
//! first time.

use std::{
    collections::HashMap,
    fs::File,
    io,
    os::fd::OwnedFd,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::SyncSender,
    },
};

use sidecar_common::{Counters, RATE_ONE, SignalState, Status};

use super::{
    ObserveError,
    attacher::KernelAttacher,
    letting_go,
    retired::{Retired, add},
    say::{Speaker, shown},
    tallies::Tallies,
};
use crate::{
    attach::{Capacity, Manager, Outcome, ProbeInfo, Registry, WantedFunctions},
    bpf::{
        AttachMethod, BpfError, Features, Kernel, LoadOptions, ProgramStats, RingReader, Scope, StatsWindow,
    },
    config::{Config, threshold},
    elf::{DebugFiles, ImageId, inode},
    mapping::{self, Mapping},
    sampling::{Rate, signal_state},
    sinks::QueueStats,
};

/// Markers, functions and rates that are wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub(super) mappings: Vec<Mapping>,
    pub(super) functions: WantedFunctions,
    /// Name and how it is sampled, by index.
    pub(super) signals: Vec<(String, SignalState)>,
}

impl Wanted {
    /// What a config wants. `rate` takes the place of every signal's rate.
    ///
    /// # Errors
    /// A mapping that contradicts itself, or a rate that is none.
    pub fn new(config: &Config, rate: Option<f64>) -> Result<Self, ObserveError> {
        let mappings = mapping::all(&config.probes, &config.presets)
            .map_err(|error| ObserveError::Wanted(error.to_string()))?;
        let mut signals = Vec::new();
        let mut adaptive = config.sampling.adaptive.clone();
        // A rate that was asked for is meant as it is.
        adaptive.enabled &= rate.is_none();
        for signal in config.signals() {
            let threshold = match rate {
                Some(rate) => threshold(rate)
                    .ok_or_else(|| ObserveError::Wanted(format!("the rate {rate} is not from 0 to 1")))?,
                None => signal.threshold,
            };
            let rate = Rate { threshold, manual: None };
            signals.push((signal.name, signal_state(&adaptive, &rate, 1.0)));
        }
        let functions =
            WantedFunctions::new(config).map_err(|error| ObserveError::Wanted(error.to_string()))?;
        Ok(Self { mappings, functions, signals })
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
    /// Probes and their counters, for whoever must not wait for the manager.
    pub(super) registry: Registry,
    pub(super) mappings: Vec<Arc<Mapping>>,
    /// Held while counters move from the kernel into it, so that they are never seen in neither or in both.
    pub(super) retired: Mutex<Retired>,
    /// Probes that are off, each with the count of [`Tallies::emptied`] at which no record of theirs is left.
    retiring: Mutex<Vec<(u64, Vec<Arc<ProbeInfo>>)>>,
    speaker: Speaker,
    pub(super) tallies: Arc<Tallies>,
    signals: Mutex<Vec<(String, SignalState)>>,
    /// The program that is left out, by device and inode.
    ignored: Option<(u64, u64)>,
    /// Probes are off, and none is attached.
    pub(super) suspended: AtomicBool,
    /// What is there is to be looked at again.
    pub(super) look_again: AtomicBool,
    /// Wakes the thread that looks at programs.
    pub(super) waker: OnceLock<SyncSender<super::watch::Word>>,
    /// Holds programs until they were looked at.
    pub(super) gate: OnceLock<super::GateHandle>,
    pub(super) ring_bytes: u64,
    /// Names of libraries that are wanted.
    pub(super) libraries: Mutex<Vec<String>>,
    pub(super) scope: Scope,
    window: Mutex<Option<StatsWindow>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panicking thread left is still counters and tables whose parts don't depend on each other.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether starts have to be held: some test may be sampled out.
pub(super) fn holds_starts(signals: &[(String, SignalState)]) -> bool {
    signals.iter().any(|(_, state)| state.threshold < RATE_ONE)
}

impl Shared {
    pub(super) fn load(
        wanted: Wanted,
        config: &Config,
        options: &LoadOptions,
    ) -> Result<(Self, RingReader), ObserveError> {
        let mut kernel = Kernel::load(options)?;
        for (index, (name, state)) in wanted.signals.iter().enumerate() {
            let index = u8::try_from(index).unwrap_or(u8::MAX);
            kernel.set_signal(index, state)?;
            kernel.name_signal(name, index)?;
        }
        kernel.set_hold_starts(holds_starts(&wanted.signals))?;
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
        let manager =
            Manager::new(attacher, wanted.mappings, indices, capacity).with_functions(wanted.functions);
        let shared = Self {
            features,
            kernel,
            registry: manager.registry(),
            mappings: manager.mappings().map(Arc::clone).collect(),
            manager: Mutex::new(manager),
            retired: Mutex::default(),
            retiring: Mutex::default(),
            speaker: Speaker::default(),
            tallies: Arc::default(),
            signals: Mutex::new(wanted.signals),
            ignored: None,
            suspended: AtomicBool::new(!config.enabled),
            look_again: AtomicBool::new(false),
            waker: OnceLock::new(),
            gate: OnceLock::new(),
            ring_bytes: options.ring_bytes.into(),
            libraries: Mutex::default(),
            scope: options.scope,
            window: Mutex::new(None),
        };
        Ok((shared, reader))
    }

    /// Leaves this process's own program out.
    pub(super) fn ignore_own(&mut self) {
        self.ignored = File::open("/proc/self/exe").and_then(|file| inode(&file)).ok();
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

    pub(super) fn signals(&self) -> MutexGuard<'_, Vec<(String, SignalState)>> {
        lock(&self.signals)
    }

    /// Has the thread that looks at programs look at everything again.
    pub(super) fn look_again(&self) {
        self.look_again.store(true, Ordering::Release);
        if let Some(waker) = self.waker.get() {
            // If there is no room, the thread is awake.
            let _ = waker.try_send(super::watch::Word::Wake);
        }
    }

    /// Whether a probe is off, and its specs only wait until no record of theirs is left.
    pub(super) fn is_off(&self, probe: &ProbeInfo) -> bool {
        lock(&self.retiring).iter().any(|(_, probes)| probes.iter().any(|off| off.spec == probe.spec))
    }

    /// A program was looked at, and there is nothing more to see in it as it is.
    pub(super) fn know(&self, id: &ImageId) {
        // What was found while probes are off says nothing.
        if self.suspended.load(Ordering::Acquire) {
            return;
        }
        if let Err(error) = self.kernel().know_image(id) {
            tracing::debug!("an image can't be remembered by the kernel programs: {error}");
        }
    }

    /// Every program is looked at when it is executed the next time.
    pub(super) fn forget_known(&self) {
        if let Err(error) = self.kernel().forget_images() {
            tracing::error!("known images can't be forgotten: {error}");
        }
    }

    pub(super) fn tree(&self) -> io::Result<OwnedFd> {
        let kernel = self.kernel();
        let tree = kernel.tree().ok_or_else(|| io::Error::other("the scope is not a tree"))?;
        tree.descriptor().try_clone_to_owned()
    }

    pub(super) fn consider(&self, file: &File, path: &Path) -> Outcome {
        self.consider_with(file, path, &DebugFiles::system(path))
    }

    /// The same of a file whose separate debug file is looked for there.
    pub(super) fn consider_with(&self, file: &File, path: &Path, debug: &DebugFiles) -> Outcome {
        if self.ignored.is_some() && inode(file).ok() == self.ignored {
            return Outcome::NothingWanted;
        }
        let (outcome, superseded, remarks) = {
            let mut manager = self.manager();
            if self.suspended.load(Ordering::Acquire) {
                return Outcome::NothingWanted;
            }
            (manager.consider(file, path, debug), manager.take_superseded(), manager.take_remarks())
        };
        if !superseded.is_empty() {
            tracing::info!("{} was written to; its former probes are off", shown(path));
            self.retire(superseded);
        }
        self.speaker.say(&outcome, path);
        self.speaker.remark(&remarks, path);
        outcome
    }

    pub(super) fn probe(&self, spec: u32, generation: u32) -> Option<Arc<ProbeInfo>> {
        self.registry.probe(spec, generation)
    }

    /// Takes the probes off an image. Their counts are kept.
    pub(super) fn forget(&self, id: &ImageId) {
        let probes = self.manager().forget(id);
        self.retire(probes);
    }

    /// Takes the probes off every image, or where that takes long, has the kernel pass over their hits. What the
    /// ring holds is then all that will come.
    pub(super) fn let_go(&self) {
        if let Err(error) = self.kernel().ignore_exits() {
            tracing::error!("exits are still followed: {error}");
        }
        match self.features.attach {
            AttachMethod::UprobeMulti => {
                let links = self.manager().let_go();
                letting_go::drop_all(links);
            }
            AttachMethod::PerfEvent { .. } => {
                if let Err(error) = self.kernel().set_enabled(false) {
                    tracing::error!("probes can't be switched off: {error}");
                }
            }
        }
    }

    pub(super) fn retire(&self, probes: Vec<Arc<ProbeInfo>>) {
        for probe in &probes {
            if let Err(error) = self.kernel().retire_spec(probe.spec) {
                tracing::error!("a probe's spec can't be retired: {error}");
            }
        }
        // The round that the reader is in now may have begun before the probes came off.
        let due = Tallies::read(&self.tallies.emptied) + 2;
        lock(&self.retiring).push((due, probes));
    }

    /// Keeps the counts of probes that are off and of which no record is left, and takes back their specs.
    pub(super) fn reclaim(&self) {
        let emptied = Tallies::read(&self.tallies.emptied);
        let (due, rest) =
            std::mem::take(&mut *lock(&self.retiring)).into_iter().partition(|(at, _)| *at <= emptied);
        lock(&self.retiring).extend::<Vec<_>>(rest);
        let due: Vec<(u64, Vec<Arc<ProbeInfo>>)> = due;
        for (_, probes) in due {
            for probe in &probes {
                let mut retired = self.retired();
                let mut kernel = self.kernel();
                match kernel.counters(probe.spec) {
                    Ok(counters) => {
                        retired.fold(probe, &counters);
                        if let Err(error) = kernel.clear_counters(probe.spec) {
                            tracing::error!("counters can't be cleared: {error}");
                        }
                    }
                    Err(error) => tracing::error!("counters can't be read: {error}"),
                }
            }
            self.manager().reclaim(&probes);
        }
    }

    pub(super) fn measure_programs(&self, on: bool) {
        let mut window = lock(&self.window);
        *window = if on { StatsWindow::open().ok() } else { None };
    }

    pub(super) fn totals(&self, queue: QueueStats) -> Totals {
        let mut counters = Counters::default();
        let retired = self.retired();
        for entry in retired.entries() {
            add(&mut counters, &entry.counters);
        }
        let figures = self.registry.figures();
        let kernel = self.kernel();
        for probe in self.registry.probes() {
            match kernel.counters(probe.spec) {
                Ok(found) => add(&mut counters, &found),
                Err(error) => tracing::error!("counters can't be read: {error}"),
            }
        }
        // These have no end of their own that was counted.
        counters.statuses[Status::Aborted as usize] += counters.aborted + counters.abort_lost;
        Totals {
            counters,
            queue,
            received: Tallies::read(&self.tallies.received),
            undecoded: Tallies::read(&self.tallies.malformed) + Tallies::read(&self.tallies.unknown_spec),
            images: figures.images as u64,
            sites: figures.sites as u64,
            wakeups: Tallies::read(&self.tallies.wakeups),
            programs: kernel.probe_stats().unwrap_or_default(),
            process_lost: kernel.process_lost().unwrap_or_default(),
        }
    }
}
