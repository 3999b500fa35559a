//! Loading the object and speaking to it.

use std::{
    collections::HashMap,
    ffi::{CStr, CString},
    fs::File,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::PathBuf,
    sync::Arc,
};

use aya::{
    EbpfLoader,
    maps::{Array, Map, MapData, RingBuf},
};
use aya_obj::{Function, btf::BtfFeatures};
use sidecar_common::{Control, Counters, Histogram, SCOPE_NODE, SCOPE_TREE, SignalState, Spec, StatusTable};

use super::{
    AttachMethod, BpfError, Features, Link, Object, ProgramStats, RingReader, Site, Tree, btf, features, sys,
};

/// Which processes are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every process on the node.
    Node,
    /// This process and all that descend from it from now on.
    Tree,
}

/// How to load.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Size of the ring in bytes: a power of two, at least a page.
    pub ring_bytes: u32,
    /// Number of specs.
    pub max_specs: u32,
    /// Number of histograms.
    pub max_histograms: u32,
    /// Number of processes that a tree holds.
    pub max_processes: u32,
    /// Which processes are watched.
    pub scope: Scope,
    /// Write a record for each exec of a watched process.
    pub exec_records: bool,
    /// Write a record for each exit of a watched process.
    pub exit_records: bool,
    /// An object that takes the embedded one's place.
    pub object: Option<PathBuf>,
    /// Leave `uprobe_multi` unused, as on a kernel that lacks it.
    pub no_uprobe_multi: bool,
    /// Leave sleepable programs unused, as on a kernel that lacks them.
    pub no_sleepable: bool,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            ring_bytes: 2 << 20,
            max_specs: 4096,
            max_histograms: 256,
            max_processes: 65_536,
            scope: Scope::Node,
            exec_records: false,
            exit_records: false,
            object: None,
            no_uprobe_multi: false,
            no_sleepable: false,
        }
    }
}

/// The loaded programs and their maps. Dropping it unloads them.
pub struct Kernel {
    probe: ProbePoint,
    _tracepoints: Vec<OwnedFd>,
    specs: Array<MapData, Spec>,
    counters: Array<MapData, Counters>,
    histograms: Array<MapData, Histogram>,
    status_tables: Array<MapData, StatusTable>,
    signals: Array<MapData, SignalState>,
    control: Array<MapData, Control>,
    tree: Option<Tree>,
    reader: Option<RingReader>,
}

/// The loaded probe program. Clones share it.
#[derive(Clone, Debug)]
pub struct ProbePoint {
    program: Arc<OwnedFd>,
    features: Features,
}

impl ProbePoint {
    /// Attaches at all `sites` of an image, or at none. Their specs must be in place.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn attach(&self, file: &File, sites: &[Site]) -> Result<Link, BpfError> {
        Link::attach(self.program.as_fd(), self.features.attach, file, sites)
    }
}

/// The relocated programs by name.
struct Programs {
    functions: HashMap<String, Function>,
    license: CString,
    btf: OwnedFd,
}

impl Programs {
    /// Relocates the object's programs against maps that exist already. aya has no way to load them with another
    /// attach type than its own, so its object crate is used by itself.
    fn relocate(bytes: &[u8], maps: &HashMap<String, i32>) -> Result<Self, BpfError> {
        let failed = |error: String| BpfError::Object(error);
        let mut object = aya_obj::Object::parse(bytes).map_err(|e| failed(e.to_string()))?;
        let definitions = std::mem::take(&mut object.maps);
        let text = object.functions.keys().map(|(section, _)| *section).collect();
        let known = definitions.iter().filter_map(|(name, map)| Some((name.as_str(), *maps.get(name)?, map)));
        object.relocate_maps(known, &text).map_err(|e| failed(e.to_string()))?;
        object.relocate_calls(&text).map_err(|e| failed(e.to_string()))?;
        // Every kernel with bpf_loop (5.17) knows all of these.
        let all = BtfFeatures::new(true, true, true, true, true, true, true, true);
        let btf = object
            .fixup_and_sanitize_btf(&all)
            .map_err(|e| failed(e.to_string()))?
            .ok_or_else(|| failed("it has no type information".to_owned()))?
            .to_bytes();
        let btf = sys::load_btf(&btf).map_err(|source| BpfError::of("type information (BTF)", source))?;
        let license = object.license.clone();
        let functions = object
            .programs
            .iter()
            .filter_map(|(name, program)| {
                Some((name.clone(), object.functions.get(&program.function_key())?.clone()))
            })
            .collect();
        Ok(Self { functions, license, btf })
    }

    fn load(
        &self,
        name: &str,
        kind: sys::ProgramType,
        attach_type: u32,
        flags: u32,
    ) -> Result<OwnedFd, BpfError> {
        let function =
            self.functions.get(name).ok_or_else(|| BpfError::Object(format!("it has no program {name}")))?;
        let program = sys::Program {
            name,
            kind,
            instructions: &function.instructions,
            license: &self.license,
            attach_type,
            flags,
            btf: Some(self.btf.as_fd()),
            functions: &function.func_info.func_info,
        };
        features::load_with_log(&program).map_err(|(source, log)| match source.raw_os_error() {
            Some(libc::EPERM) => BpfError::Privilege,
            _ => BpfError::Verifier { name: name.to_owned(), source, log },
        })
    }

    fn tracepoint(&self, name: &str, tracepoint: &CStr) -> Result<OwnedFd, BpfError> {
        let program = self.load(name, sys::ProgramType::RawTracepoint, 0, 0)?;
        sys::link_raw_tracepoint(program.as_fd(), tracepoint).map_err(|source| {
            BpfError::of(format!("the tracepoint {}", tracepoint.to_string_lossy()), source)
        })
    }
}

fn descriptor(map: &Map) -> i32 {
    match map {
        Map::Array(data) | Map::HashMap(data) | Map::RingBuf(data) => data.fd().as_fd().as_raw_fd(),
        // The object holds no other kinds; an unresolved map would be refused at relocation by its name.
        _ => -1,
    }
}

fn map_error(map: &'static str) -> impl Fn(aya::maps::MapError) -> BpfError {
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
            .map_max_entries("TREE", options.max_processes)
            .load(object.bytes())
            .map_err(|error| load_error(&error))?;
        let descriptors = loaded.maps().map(|(name, map)| (name.to_owned(), descriptor(map))).collect();
        let programs = Programs::relocate(object.bytes(), &descriptors)?;
        let (probe, features) = load_probe(&programs, options)?;

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
            exec_records: options.exec_records.into(),
            exit_records: options.exit_records.into(),
            ..Control::default()
        };
        let mut tracepoints = Vec::new();
        let tree = if options.scope == Scope::Tree {
            let identify = programs.load("identify", sys::ProgramType::RawTracepoint, 0, 0)?;
            let own = sys::test_run(identify.as_fd())
                .map_err(|source| BpfError::of("running a program once (BPF_PROG_TEST_RUN)", source))?;
            tree.insert(own)?;
            switches.scope = SCOPE_TREE;
            Some(tree)
        } else {
            None
        };
        if tree.is_some() || options.exit_records {
            let offsets = btf::offsets()?;
            switches.task_tgid = offsets.task_tgid;
            switches.task_signal = offsets.task_signal;
            switches.signal_live = offsets.signal_live;
        }
        control.set(0, switches, 0).map_err(map_error("CONTROL"))?;
        if tree.is_some() {
            tracepoints.push(programs.tracepoint("process_fork", c"sched_process_fork")?);
        }
        if tree.is_some() || options.exit_records {
            tracepoints.push(programs.tracepoint("process_exit", c"sched_process_exit")?);
        }
        if options.exec_records {
            tracepoints.push(programs.tracepoint("process_exec", c"sched_process_exec")?);
        }

        Ok(Self {
            probe: ProbePoint { program: Arc::new(probe), features },
            _tracepoints: tracepoints,
            specs: Array::try_from(take("SPECS")?).map_err(map_error("SPECS"))?,
            counters: Array::try_from(take("COUNTERS")?).map_err(map_error("COUNTERS"))?,
            histograms: Array::try_from(take("HISTOGRAMS")?).map_err(map_error("HISTOGRAMS"))?,
            status_tables: Array::try_from(take("STATUS_TABLES")?).map_err(map_error("STATUS_TABLES"))?,
            signals: Array::try_from(take("SIGNALS")?).map_err(map_error("SIGNALS"))?,
            control,
            tree,
            reader: Some(RingReader::new(ring, state)),
        })
    }

    /// What this kernel can do.
    #[must_use]
    pub fn features(&self) -> Features {
        self.probe.features
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
    /// When the kernel refuses.
    pub fn attach(&self, file: &File, sites: &[Site]) -> Result<Link, BpfError> {
        self.probe.attach(file, sites)
    }

    /// Sets a spec.
    ///
    /// # Errors
    /// When the index is out of range.
    pub fn set_spec(&mut self, index: u32, spec: &Spec) -> Result<(), BpfError> {
        self.specs.set(index, spec, 0).map_err(map_error("SPECS"))
    }

    /// Sets which status values mean which status.
    ///
    /// # Errors
    /// When the index is out of range.
    pub fn set_status_table(&mut self, index: u8, table: &StatusTable) -> Result<(), BpfError> {
        self.status_tables.set(index.into(), table, 0).map_err(map_error("STATUS_TABLES"))
    }

    /// Sets a signal's sampling threshold (see [`sidecar_common::RATE_ONE`]). The next hit obeys it.
    ///
    /// # Errors
    /// When the index is out of range.
    pub fn set_threshold(&mut self, signal: u8, threshold: u64) -> Result<(), BpfError> {
        let state = SignalState { threshold, ..SignalState::default() };
        self.signals.set(signal.into(), state, 0).map_err(map_error("SIGNALS"))
    }

    /// Turns all probes on or off; off, hits count as disabled.
    ///
    /// # Errors
    /// When the map can't be written.
    pub fn set_enabled(&mut self, enabled: bool) -> Result<(), BpfError> {
        let mut control = self.control()?;
        control.enabled = enabled.into();
        self.control.set(0, control, 0).map_err(map_error("CONTROL"))
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

/// Loads the best variant of the probe program that this kernel takes.
fn load_probe(programs: &Programs, options: &LoadOptions) -> Result<(OwnedFd, Features), BpfError> {
    let mut failure = None;
    for multi in [true, false] {
        if multi && options.no_uprobe_multi {
            continue;
        }
        for sleepable in [true, false] {
            if sleepable && options.no_sleepable {
                continue;
            }
            let name = if sleepable { "probe_hit_sleepable" } else { "probe_hit" };
            let attach_type = if multi { sys::UPROBE_MULTI } else { 0 };
            let flags = if sleepable { sys::SLEEPABLE } else { 0 };
            let program = match programs.load(name, sys::ProgramType::Probe, attach_type, flags) {
                Ok(program) => program,
                Err(BpfError::Privilege) => return Err(BpfError::Privilege),
                Err(error) => {
                    failure = Some(error);
                    continue;
                }
            };
            if multi && !features::has_uprobe_multi(program.as_fd()) {
                continue;
            }
            let attach = if multi {
                AttachMethod::UprobeMulti
            } else {
                let pmu = features::uprobe_pmu().map_err(|source| BpfError::Unsupported {
                    what: "uprobes (CONFIG_UPROBE_EVENTS)".to_owned(),
                    source,
                })?;
                AttachMethod::PerfEvent { pmu }
            };
            return Ok((program, Features { attach, sleepable }));
        }
    }
    Err(failure.unwrap_or_else(|| BpfError::Load("no variant of the probe program can be loaded".to_owned())))
}
