//! Loading the object and speaking to it.

use std::{
    collections::HashMap,
    fs::File,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    sync::Arc,
};

use aya::{
    EbpfLoader,
    maps::{Array, Map, MapData, RingBuf},
};
use sidecar_common::{Control, Counters, HELD_WAYS, Histogram, SCOPE_NODE, SCOPE_TREE, Spec, StatusTable};

use super::{
    AttachMethod, BpfError, Features, Footprint, Link, LoadOptions, Object, ProgramStats, RingReader, Scope,
    Site, Tree, btf,
    known::Known,
    link::Moment,
    programs::{Programs, load_probe},
    rewriting,
    sampling::Sampling,
    sys,
};

/// The loaded programs and their maps. Dropping it unloads them.
pub struct Kernel {
    probe: ProbePoint,
    _tracepoints: Vec<OwnedFd>,
    pub(super) specs: Array<MapData, Spec>,
    counters: Array<MapData, Counters>,
    histograms: Array<MapData, Histogram>,
    status_tables: Array<MapData, StatusTable>,
    pub(super) sampling: Sampling,
    pub(super) known: Known,
    control: Array<MapData, Control>,
    process_lost: Array<MapData, u64>,
    tree: Option<Tree>,
    reader: Option<RingReader>,
    footprint: Arc<Footprint>,
}

/// The loaded probe program. Clones share it.
#[derive(Clone, Debug)]
pub struct ProbePoint {
    program: Arc<OwnedFd>,
    features: Features,
}

impl ProbePoint {
    /// How it attaches.
    #[must_use]
    pub fn method(&self) -> AttachMethod {
        self.features.attach
    }

    /// Attaches at all `sites` of an image, or at none. Their specs must be in place.
    ///
    /// # Errors
    /// When the kernel refuses, or would rewrite a site to the harm of the program.
    pub fn attach(&self, file: &File, sites: &[Site]) -> Result<Link, BpfError> {
        rewriting::refuse(file, sites)?;
        Link::attach(self.program.as_fd(), self.features.attach, file, sites, Moment::Entry)
    }

    /// Attaches where the functions return that begin at `sites`, or at none. An exception that leaves such a function ends
    /// its program: the kernel puts its own address in the place of the one to return to, which no unwinder knows.
    ///
    /// # Errors
    /// As [`ProbePoint::attach`].
    pub fn attach_returns(&self, file: &File, sites: &[Site]) -> Result<Link, BpfError> {
        rewriting::refuse(file, sites)?;
        Link::attach(self.program.as_fd(), self.features.attach, file, sites, Moment::Return)
    }
}

/// A map of one of the kinds that the object holds.
fn map_data(map: &Map) -> Option<&MapData> {
    match map {
        Map::Array(data) | Map::HashMap(data) | Map::LruHashMap(data) | Map::RingBuf(data) => Some(data),
        _ => None,
    }
}

fn no_descriptor(source: std::io::Error) -> BpfError {
    BpfError::of("another descriptor", source)
}

pub(super) fn map_error(map: &'static str) -> impl Fn(aya::maps::MapError) -> BpfError {
    move |error| BpfError::Map { map, reason: error.to_string() }
}

/// The error of aya's loader, told apart by what the user can do about it.
fn load_error(error: &aya::EbpfError) -> BpfError {
    let mut source: Option<&dyn std::error::Error> = Some(error);
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            match io.raw_os_error() {
                Some(libc::EPERM | libc::EACCES) => return BpfError::Privilege,
                Some(libc::ENOSYS) => {
                    return BpfError::Unsupported {
                        what: "BPF (CONFIG_BPF_SYSCALL)".to_owned(),
                        source: std::io::Error::from_raw_os_error(libc::ENOSYS),
                    };
                }
                _ => {}
            }
        }
        source = inner.source();
    }
    BpfError::Load(error.to_string())
}

impl Kernel {
    /// Loads the object, creates the maps and attaches the tracepoints. Probes come later, by [`Kernel::attach`].
    ///
    /// # Errors
    /// When there is no privilege, or this kernel lacks something that nothing else can stand in for.
    pub fn load(options: &LoadOptions) -> Result<Self, BpfError> {
        let object = Object::open(options.object.as_deref())?;
        let mut loaded = EbpfLoader::new()
            .map_max_entries("RECORDS", options.ring_bytes)
            .map_max_entries("SPECS", options.max_specs)
            .map_max_entries("COUNTERS", options.max_specs)
            .map_max_entries("HISTOGRAMS", options.max_histograms)
            .map_max_entries("SLOW_LIMITS", options.max_specs)
            .map_max_entries("HELD", options.held_sets() * HELD_WAYS as u32)
            .map_max_entries("HELD_SETS", options.held_sets())
            .map_max_entries("FRAMES", options.frame_sets().max(1))
            .map_max_entries("TREE", options.max_processes)
            .load(object.bytes())
            .map_err(|error| load_error(&error))?;
        let mut footprint = Footprint::default();
        let mut descriptors = HashMap::new();
        for (name, map) in loaded.maps() {
            // A map of another kind would be refused at relocation by its name.
            let Some(data) = map_data(map) else { continue };
            footprint.add_map(name, data.fd().as_fd()).map_err(no_descriptor)?;
            descriptors.insert(name.to_owned(), data.fd().as_fd().as_raw_fd());
        }
        let programs = Programs::relocate(object.bytes(), &descriptors)?;
        let (probe, mut features) = load_probe(&programs, options)?;
        footprint.add_program("probe_hit", probe.as_fd()).map_err(no_descriptor)?;

        let mut take = |name: &'static str| {
            loaded.take_map(name).ok_or_else(|| BpfError::Object(format!("it has no map {name}")))
        };
        let mut control: Array<_, Control> =
            Array::try_from(take("CONTROL")?).map_err(map_error("CONTROL"))?;
        let ring = RingBuf::try_from(take("RECORDS")?).map_err(map_error("RECORDS"))?;
        let state = Array::try_from(take("READER")?).map_err(map_error("READER"))?;
        let mut tree = Tree::new(take("TREE")?)?;

        let mut switches = Control {
            enabled: 1,
            scope: SCOPE_NODE,
            watermark: options.ring_bytes / 4,
            sampled_room: options.sampled_room(),
            held_sets: options.held_sets(),
            frame_sets: options.frame_sets(),
            exec_records: options.exec_records.into(),
            exit_records: options.exit_records.into(),
            ..Control::default()
        };
        let mut tracepoints = Vec::new();
        let tree = if options.scope == Scope::Tree {
            let identify = programs.load("identify", sys::ProgramType::RawTracepoint, 0, 0)?;
            let own = sys::test_run(identify.as_fd(), &[])
                .map_err(|source| BpfError::of("running a program once (BPF_PROG_TEST_RUN)", source))?;
            tree.insert(own)?;
            switches.scope = SCOPE_TREE;
            Some(tree)
        } else {
            None
        };
        let needed = tree.is_some() || options.exit_records;
        let wanted = needed || options.follow_exits || options.exec_records;
        let offsets = if wanted { Some(btf::offsets()) } else { None }.transpose();
        let images = offsets.as_ref().ok().and_then(|found| found.as_ref()?.images);
        let known = Known::new(images, &mut take)?;
        match offsets {
            Ok(Some(offsets)) => {
                switches.task_tgid = offsets.task_tgid;
                switches.task_signal = offsets.task_signal;
                switches.signal_live = offsets.signal_live;
                switches.task_exit_code = offsets.task_exit_code;
                switches.signal_oom_mm = offsets.signal_oom_mm;
                switches.follow_exits = options.follow_exits.into();
            }
            Err(error) if needed => return Err(error),
            Err(_) if !options.follow_exits => {}
            Err(error) => tracing::warn!("tests whose process dies will not be seen to end: {error}"),
            Ok(None) => {}
        }
        features.exits = switches.follow_exits != 0;
        control.set(0, switches, 0).map_err(map_error("CONTROL"))?;
        if tree.is_some() {
            tracepoints.push(programs.tracepoint("process_fork", c"sched_process_fork", &mut footprint)?);
        }
        if needed || features.exits {
            tracepoints.push(programs.tracepoint("process_exit", c"sched_process_exit", &mut footprint)?);
        }
        if options.exec_records {
            tracepoints.push(programs.tracepoint("process_exec", c"sched_process_exec", &mut footprint)?);
        }

        let sampling = Sampling::new(&programs, &mut take)?;
        footprint.set_idle(sampling.report_anomaly.as_fd()).map_err(no_descriptor)?;
        Ok(Self {
            probe: ProbePoint { program: Arc::new(probe), features },
            _tracepoints: tracepoints,
            specs: Array::try_from(take("SPECS")?).map_err(map_error("SPECS"))?,
            counters: Array::try_from(take("COUNTERS")?).map_err(map_error("COUNTERS"))?,
            histograms: Array::try_from(take("HISTOGRAMS")?).map_err(map_error("HISTOGRAMS"))?,
            status_tables: Array::try_from(take("STATUS_TABLES")?).map_err(map_error("STATUS_TABLES"))?,
            sampling,
            known,
            process_lost: Array::try_from(take("PROCESS_LOST")?).map_err(map_error("PROCESS_LOST"))?,
            control,
            tree,
            reader: Some(RingReader::new(ring, state)),
            footprint: Arc::new(footprint),
        })
    }

    /// What this kernel can do.
    #[must_use]
    pub fn features(&self) -> Features {
        self.probe.features
    }

    /// What programs and maps cost, for use apart from the maps.
    #[must_use]
    pub fn footprint(&self) -> Arc<Footprint> {
        Arc::clone(&self.footprint)
    }

    /// What attaches, for use apart from the maps.
    #[must_use]
    pub fn probe_point(&self) -> ProbePoint {
        self.probe.clone()
    }

    /// Takes the reader's end of the ring; there is one.
    pub fn take_reader(&mut self) -> Option<RingReader> {
        self.reader.take()
    }

    /// The watched tree, if the scope is one.
    #[must_use]
    pub fn tree(&self) -> Option<&Tree> {
        self.tree.as_ref()
    }

    /// Attaches at all `sites` of an image, or at none. Their specs must be in place.
    ///
    /// # Errors
    /// When the kernel refuses, or would rewrite a site to the harm of the program.
    pub fn attach(&self, file: &File, sites: &[Site]) -> Result<Link, BpfError> {
        self.probe.attach(file, sites)
    }

    /// Sets a spec. What was learnt of the one that had its index before does not hold for it.
    ///
    /// # Errors
    /// When the index is out of range.
    pub fn set_spec(&mut self, index: u32, spec: &Spec) -> Result<(), BpfError> {
        self.set_slow_limit(index, 0)?;
        self.specs.set(index, spec, 0).map_err(map_error("SPECS"))
    }

    /// Sets which status values mean which status.
    ///
    /// # Errors
    /// When the index is out of range.
    pub fn set_status_table(&mut self, index: u8, table: &StatusTable) -> Result<(), BpfError> {
        self.status_tables.set(index.into(), table, 0).map_err(map_error("STATUS_TABLES"))
    }

    /// Turns all probes on or off; off, hits count as disabled.
    ///
    /// # Errors
    /// When the map can't be written.
    pub fn set_enabled(&mut self, enabled: bool) -> Result<(), BpfError> {
        self.switch(|control| control.enabled = enabled.into())
    }

    /// Changes the switches. The programs only read them, so nothing is overwritten that they count.
    pub(super) fn switch(&mut self, change: impl FnOnce(&mut Control)) -> Result<(), BpfError> {
        let mut control = self.control()?;
        change(&mut control);
        self.control.set(0, control, 0).map_err(map_error("CONTROL"))
    }

    /// Execs, exits and forks that found no room.
    ///
    /// # Errors
    /// When the map can't be read.
    pub fn process_lost(&self) -> Result<u64, BpfError> {
        self.process_lost.get(&0, 0).map_err(map_error("PROCESS_LOST"))
    }

    /// The switches as they are.
    ///
    /// # Errors
    /// When the map can't be read.
    pub fn control(&self) -> Result<Control, BpfError> {
        self.control.get(&0, 0).map_err(map_error("CONTROL"))
    }

    /// A spec's counters.
    ///
    /// # Errors
    /// When the index is out of range.
    pub fn counters(&self, spec: u32) -> Result<Counters, BpfError> {
        self.counters.get(&spec, 0).map_err(map_error("COUNTERS"))
    }

    /// Sets a spec's counters to zero, before its index is used again.
    ///
    /// # Errors
    /// When the index is out of range.
    pub fn clear_counters(&mut self, spec: u32) -> Result<(), BpfError> {
        self.counters.set(spec, Counters::default(), 0).map_err(map_error("COUNTERS"))
    }

    /// A histogram.
    ///
    /// # Errors
    /// When the index is out of range.
    pub fn histogram(&self, index: u32) -> Result<Histogram, BpfError> {
        self.histograms.get(&index, 0).map_err(map_error("HISTOGRAMS"))
    }

    /// Run time of the probe program, as measured while a [`super::StatsWindow`] was open.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn probe_stats(&self) -> std::io::Result<ProgramStats> {
        let (run_time_ns, runs) = sys::run_stats(self.probe.program.as_fd())?;
        Ok(ProgramStats { run_time_ns, runs })
    }
}
