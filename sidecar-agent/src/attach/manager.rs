//! Reads an image, decides, attaches, remembers.

use std::{
    collections::{BTreeMap, HashMap, hash_map::DefaultHasher},
    fs::File,
    hash::Hasher as _,
    path::Path,
    sync::Arc,
};

use sidecar_common::{ArgSpec, LOC_UNREAD, Spec};

use super::{
    Attacher, Capacity, ImageInfo, Outcome, ProbeInfo, Reason,
    cache::Cache,
    slots::{Indices, Tables},
};
use crate::{
    bpf::Site,
    elf::{
        Arch, ElfError, ImageId, ImageNotes, Limits, Note, identify, read_notes_where, sample,
        symbol_addresses,
    },
    mapping::{EventKind, Mapping},
    spec::{self, Slots},
};

struct Attached<L> {
    image: Arc<ImageInfo>,
    probes: Vec<Arc<ProbeInfo>>,
    /// Dropping it detaches.
    _link: L,
}

/// Everything that is known of images.
pub struct Manager<A: Attacher> {
    attacher: A,
    mappings: HashMap<(String, String), Arc<Mapping>>,
    signals: HashMap<String, u8>,
    capacity: Capacity,
    limits: Limits,
    specs: Indices,
    generations: HashMap<u32, u32>,
    histograms: Indices,
    /// One a mapping, because that is what metrics show.
    histogram_of: HashMap<(String, String), u32>,
    tables: Tables,
    attached: HashMap<ImageId, Attached<A::Link>>,
    by_spec: HashMap<u32, Arc<ProbeInfo>>,
    without: Cache,
    refusals: BTreeMap<Reason, u64>,
}

impl<A: Attacher> Manager<A> {
    /// A manager that wants `mappings`. A later mapping of the same marker takes the place of an earlier one.
    /// `signals` gives each signal's index; a mapping whose signal is not in it takes index 0.
    #[must_use]
    pub fn new(
        attacher: A,
        mappings: Vec<Mapping>,
        signals: HashMap<String, u8>,
        capacity: Capacity,
    ) -> Self {
        let mappings = mappings
            .into_iter()
            .map(|mapping| ((mapping.provider.clone(), mapping.marker.clone()), Arc::new(mapping)))
            .collect();
        Self {
            attacher,
            mappings,
            signals,
            capacity,
            limits: Limits::default(),
            specs: Indices::new(capacity.specs),
            generations: HashMap::new(),
            histograms: Indices::new(capacity.histograms),
            histogram_of: HashMap::new(),
            tables: Tables::default(),
            attached: HashMap::new(),
            by_spec: HashMap::new(),
            without: Cache::new(capacity.remembered),
            refusals: Reason::ALL.into_iter().map(|reason| (reason, 0)).collect(),
        }
    }

    /// Looks at an open file and attaches what is wanted of it. A known image costs one `fstat`. `path` is only
    /// for people.
    pub fn consider(&mut self, file: &File, path: &Path) -> Outcome {
        let id = match identify(file) {
            Ok(id) => id,
            Err(error) => return self.refuse(None, Reason::Unreadable, error.to_string()),
        };
        if self.attached.contains_key(&id) {
            return Outcome::AlreadyAttached;
        }
        if let Some(outcome) = self.without.get(&id) {
            return outcome.clone();
        }
        let wanted = |provider: &str, name: &str| self.is_wanted(provider, name);
        let notes = match read_notes_where(file, &self.limits, wanted) {
            Ok(notes) => notes,
            // Scripts, data: nothing to attach, and nothing to tell.
            Err(ElfError::NotElf | ElfError::NotAFile | ElfError::Kind(_)) => return self.nothing(id),
            Err(error @ ElfError::Changed) => return self.refuse(None, Reason::Changed, error.to_string()),
            Err(error @ ElfError::Io { .. }) => {
                return self.refuse(None, Reason::Unreadable, error.to_string());
            }
            Err(error) => return self.refuse(Some(id), Reason::Unusable, error.to_string()),
        };
        for (what, why) in &notes.skipped {
            tracing::debug!("{}: {what}: {why}", path.display());
        }
        if notes.notes.is_empty() {
            return self.nothing(id);
        }
        if Some(notes.arch) != own_arch() {
            let message = "its markers are for another processor".to_owned();
            return self.refuse(Some(id), Reason::Foreign, message);
        }
        self.attach(file, path, id, &notes)
    }

    fn is_wanted(&self, provider: &str, name: &str) -> bool {
        self.mappings.contains_key(&(provider.to_owned(), name.to_owned()))
    }

    fn attach(&mut self, file: &File, path: &Path, id: ImageId, notes: &ImageNotes) -> Outcome {
        // Sites of one marker that read their arguments alike share a spec.
        // Arguments relative to the instruction differ from site to site although their text may not.
        let mut groups: BTreeMap<(&str, &str, &str, u64), Vec<&Note>> = BTreeMap::new();
        for note in &notes.notes {
            let address = if note.args.contains("%rip") { note.address } else { 0 };
            groups.entry((&note.provider, &note.name, &note.args, address)).or_default().push(note);
        }
        if self.attached.len() >= self.capacity.images || self.specs.left() < groups.len() {
            let message = format!(
                "it needs {} of the {} specs left; {} of {} images are attached (discovery.max_specs)",
                groups.len(),
                self.specs.left(),
                self.attached.len(),
                self.capacity.images
            );
            // Not remembered: there may be room later.
            return self.refuse(None, Reason::Full, message);
        }
        let before = site_bytes(file, &notes.notes);
        let image = Arc::new(ImageInfo {
            id,
            path: path.to_owned(),
            build_id: notes.build_id.clone(),
            sites: notes.notes.len(),
        });
        let mut probes = Vec::with_capacity(groups.len());
        let mut sites = Vec::with_capacity(notes.notes.len());
        for ((provider, name, args, _), notes_of_spec) in groups {
            let Some(mapping) = self.mappings.get(&(provider.to_owned(), name.to_owned())).map(Arc::clone)
            else {
                continue;
            };
            match self.place(file, notes.arch, &mapping, &image, args, &notes_of_spec) {
                Ok(probe) => {
                    sites.extend(notes_of_spec.iter().map(|note| Site {
                        offset: note.offset,
                        semaphore: note.semaphore.unwrap_or(0),
                        cookie: probe.spec.into(),
                    }));
                    probes.push(Arc::new(probe));
                }
                Err((reason, message)) => {
                    self.release(&probes);
                    return self.refuse(Some(id), reason, message);
                }
            }
        }
        // The kernel will put its probes by offset: the file must still be the one that was read.
        if identify(file).ok() != Some(id) || before.is_none() || site_bytes(file, &notes.notes) != before {
            self.release(&probes);
            return self.refuse(None, Reason::Changed, "it changed while it was looked at".to_owned());
        }
        match self.attacher.attach(file, &sites) {
            Ok(link) => {
                let outcome = Outcome::Attached { probes: probes.len(), sites: sites.len() };
                self.attached.insert(id, Attached { image, probes, _link: link });
                outcome
            }
            Err(error) => {
                self.release(&probes);
                self.refuse(Some(id), Reason::Kernel, error.to_string())
            }
        }
    }

    /// Takes a spec for sites that read their arguments alike, and puts it in place.
    fn place(
        &mut self,
        file: &File,
        arch: Arch,
        mapping: &Arc<Mapping>,
        image: &Arc<ImageInfo>,
        args: &str,
        notes: &[&Note],
    ) -> Result<ProbeInfo, (Reason, String)> {
        let full = |what: &str| (Reason::Full, format!("all {what} are used"));
        let (table, new) = self.tables.index(&mapping.status).ok_or_else(|| full("255 status tables"))?;
        if new {
            let rows = spec::status_table(&mapping.status).map_err(|e| (Reason::Unusable, e.to_string()))?;
            self.attacher.put_status_table(table, &rows).map_err(|e| (Reason::Kernel, e.to_string()))?;
        }
        let histogram = self.histogram(mapping);
        let spec = self.specs.take().ok_or_else(|| full("specs (discovery.max_specs)"))?;
        let generation = self.generations.entry(spec).or_insert(0);
        *generation = generation.wrapping_add(1);
        let slots = Slots {
            signal: self.signals.get(&mapping.signal).copied().unwrap_or(0),
            status_table: table,
            histogram: histogram.unwrap_or(sidecar_common::NO_HISTOGRAM),
            generation: *generation,
            max_string: self.capacity.max_string,
        };
        let resolve = |name: &str| -> Option<u64> {
            let names = [name.to_owned()];
            symbol_addresses(file, &self.limits, &names).ok()?.remove(name)
        };
        let site = notes.first().map_or(0, |note| note.address);
        let places = spec::parse_args(args, arch, site, Some(&resolve));
        let compiled = spec::compile(mapping, &places, &slots);
        let probe = ProbeInfo {
            spec,
            generation: *generation,
            mapping: Arc::clone(mapping),
            image: Arc::clone(image),
            args: args.to_owned(),
            sites: notes.len(),
            histogram,
            unreadable: unreadable(&compiled),
        };
        self.by_spec.insert(spec, Arc::new(probe.clone()));
        if let Err(error) = self.attacher.put_spec(spec, &compiled) {
            self.release(&[Arc::new(probe)]);
            return Err((Reason::Kernel, error.to_string()));
        }
        Ok(probe)
    }

    /// The histogram of a test's end with a duration; the mapping goes without if none is left.
    fn histogram(&mut self, mapping: &Arc<Mapping>) -> Option<u32> {
        if mapping.event != EventKind::TestEnd || mapping.duration_arg().is_none() {
            return None;
        }
        let key = (mapping.provider.clone(), mapping.marker.clone());
        if let Some(&index) = self.histogram_of.get(&key) {
            return Some(index);
        }
        let index = self.histograms.take()?;
        self.histogram_of.insert(key, index);
        Some(index)
    }

    /// Gives back the specs of probes that were never attached, so that nothing was counted on them.
    fn release(&mut self, probes: &[Arc<ProbeInfo>]) {
        for probe in probes {
            self.by_spec.remove(&probe.spec);
            self.specs.give_back(probe.spec);
        }
    }

    fn nothing(&mut self, id: ImageId) -> Outcome {
        self.without.put(id, Outcome::NothingWanted);
        Outcome::NothingWanted
    }

    /// Counts a refusal, and remembers it for as long as the image stays as it is if `id` is given.
    fn refuse(&mut self, id: Option<ImageId>, reason: Reason, message: String) -> Outcome {
        *self.refusals.entry(reason).or_insert(0) += 1;
        let outcome = Outcome::Refused { reason, message };
        if let Some(id) = id {
            self.without.put(id, outcome.clone());
        }
        outcome
    }

    /// Takes the probes off an image. Their specs stay taken until [`Manager::reclaim`]: first the caller reads
    /// their counters and lets the ring run dry.
    pub fn forget(&mut self, id: &ImageId) -> Vec<Arc<ProbeInfo>> {
        self.attached.remove(id).map(|attached| attached.probes).unwrap_or_default()
    }

    /// Takes back the specs of probes that [`Manager::forget`] gave. Images that were refused for want of room are
    /// looked at again.
    pub fn reclaim(&mut self, probes: &[Arc<ProbeInfo>]) {
        self.release(probes);
        self.without.retain(|outcome| !matches!(outcome, Outcome::Refused { reason: Reason::Full, .. }));
    }

    /// The probe that a record's spec and generation stand for.
    #[must_use]
    pub fn probe(&self, spec: u32, generation: u32) -> Option<Arc<ProbeInfo>> {
        self.by_spec.get(&spec).filter(|probe| probe.generation == generation).map(Arc::clone)
    }

    /// Every probe with a spec, those of forgotten images that were not reclaimed yet included.
    pub fn probes(&self) -> impl Iterator<Item = &Arc<ProbeInfo>> {
        self.by_spec.values()
    }

    /// What is wanted.
    pub fn mappings(&self) -> impl Iterator<Item = &Arc<Mapping>> {
        self.mappings.values()
    }

    /// The images with probes on them.
    pub fn images(&self) -> impl Iterator<Item = &Arc<ImageInfo>> {
        self.attached.values().map(|attached| &attached.image)
    }

    /// How many images were refused, by reason.
    #[must_use]
    pub fn refusals(&self) -> &BTreeMap<Reason, u64> {
        &self.refusals
    }
}

/// Which arguments of a spec stay unread.
fn unreadable(spec: &Spec) -> u16 {
    let unread = |bits, (i, arg): (usize, &ArgSpec)| bits | u16::from(arg.location == LOC_UNREAD) << i;
    spec.args.iter().take(spec.argc.into()).enumerate().fold(0, unread)
}

/// A hash of the instructions at the sites, or `None` if they can't be read.
fn site_bytes(file: &File, notes: &[Note]) -> Option<u64> {
    let mut offsets: Vec<u64> = notes.iter().map(|note| note.offset).collect();
    offsets.sort_unstable();
    let mut hasher = DefaultHasher::new();
    sample(file, &offsets, &mut hasher).ok()?;
    Some(hasher.finish())
}

/// The processor that this program runs on.
const fn own_arch() -> Option<Arch> {
    if cfg!(target_arch = "x86_64") {
        Some(Arch::X86_64)
    } else if cfg!(target_arch = "aarch64") {
        Some(Arch::Aarch64)
    } else {
        None
    }
}
