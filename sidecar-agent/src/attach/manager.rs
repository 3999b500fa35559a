//! Reads an image, decides, attaches, remembers.

mod functions;
mod specs;

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    path::Path,
    sync::Arc,
};

use super::{
    Attacher, Capacity, ImageInfo, Outcome, ProbeInfo, Reason, Registry, Remark, RemarkKind, WantedFunctions,
    below::{self, Aliases},
    cache::Cache,
    image::{Reading, Symbols, Unread, print, read},
    slots::{Indices, Tables},
};
use crate::{
    bpf::Site,
    elf::{DebugFiles, ImageId, Limits, Note, OVERLAY, identify, inode},
    mapping::{EventKind, Mapping},
};

/// Times that a file is looked at which changes meanwhile.
const LOOKS: usize = 3;

struct Attached<L> {
    image: Arc<ImageInfo>,
    probes: Vec<Arc<ProbeInfo>>,
    inode: (u64, u64),
    /// See [`Reading::print`].
    print: u64,
    /// Dropping them detaches, in their order. None once everything was let go.
    links: Vec<L>,
}

/// Everything that is known of images.
pub struct Manager<A: Attacher> {
    attacher: A,
    mappings: HashMap<(String, String), Arc<Mapping>>,
    functions: WantedFunctions,
    remarks: Vec<Remark>,
    signals: HashMap<String, u8>,
    capacity: Capacity,
    limits: Limits,
    specs: Indices,
    generations: HashMap<u32, u32>,
    histograms: Indices,
    /// One a mapping, because that is what metrics show.
    histograms_of: HashMap<(String, String), u32>,
    tables: Tables,
    attached: HashMap<ImageId, Attached<A::Link>>,
    /// Attached images by device and inode. While its probes are on, the kernel keeps an inode from being used again.
    by_inode: HashMap<(u64, u64), ImageId>,
    /// Images that are attached as another one; see [`below`].
    aliases: Aliases,
    /// Probes of images whose file was found to be another; see [`Manager::take_superseded`].
    superseded: Vec<Arc<ProbeInfo>>,
    registry: Registry,
    without: Cache,
    /// Of those, the images in which functions were looked for.
    searched: Cache,
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
            functions: WantedFunctions::default(),
            remarks: Vec::new(),
            signals,
            capacity,
            limits: Limits::default(),
            specs: Indices::new(capacity.specs),
            generations: HashMap::new(),
            histograms: Indices::new(capacity.histograms),
            histograms_of: HashMap::new(),
            tables: Tables::default(),
            attached: HashMap::new(),
            by_inode: HashMap::new(),
            aliases: Aliases::default(),
            superseded: Vec::new(),
            registry: Registry::new(),
            without: Cache::new(capacity.remembered),
            searched: Cache::new(capacity.remembered),
        }
    }

    /// The same, wanting functions besides.
    #[must_use]
    pub fn with_functions(self, functions: WantedFunctions) -> Self {
        Self { functions, ..self }
    }

    /// Looks at an open file and attaches what is wanted of it. A known image costs one `fstat`. `path` is for people, and
    /// says whether functions are wanted of the file, `debug` where its debug file may be. Ask [`Manager::take_superseded`]
    /// and [`Manager::take_remarks`] afterwards.
    pub fn consider(&mut self, file: &File, path: &Path, debug: &DebugFiles) -> Outcome {
        // A linker sets the file's mode after it has closed it, which is a change too, and nobody tells of it.
        for _ in 1..LOOKS {
            match self.look_at(file, path, debug) {
                Outcome::Refused { reason: Reason::Changed, .. } => {}
                outcome => return outcome,
            }
        }
        let outcome = self.look_at(file, path, debug);
        if matches!(outcome, Outcome::Refused { reason: Reason::Changed, .. }) {
            self.registry.refused(Reason::Changed);
        }
        outcome
    }

    fn look_at(&mut self, file: &File, path: &Path, debug: &DebugFiles) -> Outcome {
        let (id, inode) = match identify(file).and_then(|id| Ok((id, inode(file)?))) {
            Ok(found) => found,
            Err(error) => return self.refuse(None, Reason::Unreadable, error.to_string()),
        };
        if self.attached.contains_key(&id) || self.aliases.contains(&id) {
            return Outcome::AlreadyAttached;
        }
        let functions = self.functions.of(file, path);
        if let Some(outcome) = self.without.get(&id)
            && (functions.is_empty() || self.searched.get(&id).is_some())
        {
            return outcome.clone();
        }
        let mut remarks = Vec::new();
        let is_wanted = |provider: &str, name: &str| self.is_wanted(provider, name);
        let reading = read(file, path, &self.limits, is_wanted, (&functions, debug), &mut remarks);
        self.remarks.append(&mut remarks);
        if !functions.is_empty() {
            self.searched.put(id, Outcome::NothingWanted);
        }
        if let Some(old) = self.by_inode.get(&inode).copied() {
            // The very file that has probes on it, but not as it was: renamed, linked, or written to. On an overlay any
            // of these may have made a copy, which is another file for the kernel.
            if id.dev != OVERLAY && reading.as_ref().is_ok_and(|reading| self.is_unchanged(&old, reading)) {
                self.rename(&old, id, path);
                return Outcome::AlreadyAttached;
            }
            let probes = self.forget(&old);
            self.superseded.extend(probes);
        }
        match reading {
            Ok(reading) => match self.seen_otherwise(&id, &reading) {
                Some(attached) => {
                    self.aliases.insert(id, attached);
                    Outcome::AlreadyAttached
                }
                None => self.attach(file, path, (id, inode), reading),
            },
            Err(Unread::Nothing) => {
                self.without.put(id, Outcome::NothingWanted);
                Outcome::NothingWanted
            }
            Err(Unread::Refused { reason, message, lasting }) => {
                self.refuse(lasting.then_some(id), reason, message)
            }
        }
    }

    fn is_unchanged(&self, id: &ImageId, reading: &Reading) -> bool {
        self.attached.get(id).is_some_and(|attached| attached.print == reading.print)
    }

    /// The attached image that is the same file for the kernel.
    fn seen_otherwise(&self, id: &ImageId, reading: &Reading) -> Option<ImageId> {
        let is_it = |known: &&ImageId| below::is_same(known, id) && self.is_unchanged(known, reading);
        self.attached.keys().find(is_it).copied()
    }

    /// An attached image is now known by another identity.
    fn rename(&mut self, old: &ImageId, id: ImageId, path: &Path) {
        let Some(mut attached) = self.attached.remove(old) else { return };
        attached.image =
            Arc::new(ImageInfo { id, path: path.to_owned(), ..ImageInfo::clone(&attached.image) });
        self.by_inode.insert(attached.inode, id);
        self.aliases.rename(old, id);
        self.attached.insert(id, attached);
    }

    fn is_wanted(&self, provider: &str, name: &str) -> bool {
        self.mappings.contains_key(&(provider.to_owned(), name.to_owned()))
    }

    fn attach(
        &mut self,
        file: &File,
        path: &Path,
        (id, inode): (ImageId, (u64, u64)),
        reading: Reading,
    ) -> Outcome {
        let notes = &reading.notes;
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
            // Looked at again when there is room: see `reclaim`.
            return self.refuse(Some(id), Reason::Full, message);
        }
        let wanted = notes.notes.len() + 2 * reading.functions.len();
        if let Err(message) = self.attacher.has_room(file, wanted) {
            return self.refuse(Some(id), Reason::Full, message);
        }
        let functions = self.fitting(&reading.functions, groups.len());
        let returns = functions.iter().filter(|found| found.returns).count();
        let image = Arc::new(ImageInfo {
            id,
            path: path.to_owned(),
            build_id: notes.build_id.clone(),
            sites: notes.notes.len() + functions.len() + returns,
        });
        let limits = self.limits;
        let symbols = Symbols::new(file, &limits);
        let is_start = |provider: &str, name: &str| {
            let mapping = self.mappings.get(&(provider.to_owned(), name.to_owned()));
            mapping.is_some_and(|mapping| mapping.event == EventKind::TestStart)
        };
        let (starts, mut groups): (Vec<_>, Vec<_>) =
            groups.into_iter().partition(|((provider, name, ..), _)| is_start(provider, name));
        // The kernel puts probes on one after the other: of no test may the start be seen and the end not.
        groups.extend(starts);
        let mut probes = Vec::with_capacity(groups.len());
        let mut sites = Vec::with_capacity(notes.notes.len());
        for ((provider, name, args, _), notes_of_spec) in groups {
            let Some(mapping) = self.mappings.get(&(provider.to_owned(), name.to_owned())).map(Arc::clone)
            else {
                continue;
            };
            match self.place(&symbols, notes.arch, &mapping, &image, args, &notes_of_spec) {
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
        let placed = match self.place_functions(&image, notes.arch, functions) {
            Ok(placed) => placed,
            Err((reason, message)) => {
                self.release(&probes);
                return self.refuse(Some(id), reason, message);
            }
        };
        probes.extend(placed.probes.iter().map(Arc::clone));
        // The kernel will put its probes by offset: the file must still be the one that was read.
        if identify(file).ok() != Some(id)
            || print(file, &notes.notes, &reading.functions) != Some(reading.print)
        {
            self.release(&probes);
            return self.refuse(None, Reason::Changed, "it changed while it was looked at".to_owned());
        }
        let mut links = Vec::new();
        if !sites.is_empty() {
            match self.attacher.attach(file, &sites) {
                Ok(link) => links.push(link),
                Err(error) => {
                    self.release(&probes);
                    return self.refuse(Some(id), Reason::Kernel, error.to_string());
                }
            }
        }
        match self.link_functions(file, &placed) {
            Ok(more) => links.splice(..0, more).for_each(drop),
            // Without them, what there is of markers is watched all the same.
            Err(error) if !sites.is_empty() => {
                self.release(&probes);
                self.remarks.push(Remark {
                    key: reading.functions.first().map(|found| found.key().to_owned()).unwrap_or_default(),
                    kind: RemarkKind::Kernel,
                    message: format!("no function is watched: {error}"),
                });
                let markers = Reading { functions: Vec::new(), ..reading };
                return self.attach(file, path, (id, inode), markers);
            }
            Err(error) => {
                self.release(&probes);
                return self.refuse(Some(id), Reason::Kernel, error.to_string());
            }
        }
        let outcome = Outcome::Attached { probes: probes.len(), sites: image.sites };
        self.registry.attached(image.sites);
        self.by_inode.insert(inode, id);
        self.attached.insert(id, Attached { image, probes, inode, print: reading.print, links });
        outcome
    }

    /// Gives back the specs of probes that were never attached, so that nothing was counted on them.
    fn release(&mut self, probes: &[Arc<ProbeInfo>]) {
        for probe in probes {
            self.registry.remove(probe.spec);
            self.specs.give_back(probe.spec);
        }
    }

    /// Counts a refusal, and remembers it for as long as the image stays as it is if `id` is given.
    fn refuse(&mut self, id: Option<ImageId>, reason: Reason, message: String) -> Outcome {
        if reason != Reason::Changed {
            // That one is counted when it is given up.
            self.registry.refused(reason);
        }
        if let Some(id) = id {
            self.without.put(id, Outcome::Refused { reason, message: message.clone(), again: true });
        }
        Outcome::Refused { reason, message, again: false }
    }

    /// Takes the probes off an image. Their specs stay taken until [`Manager::reclaim`]: first the caller lets the
    /// ring run dry and reads their counters.
    pub fn forget(&mut self, id: &ImageId) -> Vec<Arc<ProbeInfo>> {
        let Some(attached) = self.attached.remove(id) else { return Vec::new() };
        self.by_inode.remove(&attached.inode);
        self.aliases.forget(id);
        self.registry.detached(attached.image.sites);
        attached.probes
    }

    /// Probes that came off because their file was written to, so that they would have sat on wrong offsets. The
    /// caller does with them as with those of [`Manager::forget`].
    pub fn take_superseded(&mut self) -> Vec<Arc<ProbeInfo>> {
        std::mem::take(&mut self.superseded)
    }

    /// Takes the probes off all images, as [`Manager::forget`] does for one.
    pub fn forget_all(&mut self) -> Vec<Arc<ProbeInfo>> {
        let all: Vec<ImageId> = self.attached.keys().copied().collect();
        all.iter().flat_map(|id| self.forget(id)).collect()
    }

    /// Gives the links of all images, of each in the order in which they are to be dropped: then its probes are off.
    /// Everything stays known, for the last look at the counters.
    pub fn let_go(&mut self) -> Vec<Vec<A::Link>> {
        self.attached.values_mut().map(|attached| std::mem::take(&mut attached.links)).collect()
    }

    /// Takes back the specs of probes that [`Manager::forget`] gave. Images that were refused for want of room are
    /// looked at again.
    pub fn reclaim(&mut self, probes: &[Arc<ProbeInfo>]) {
        self.release(probes);
        self.without.retain(|outcome| !matches!(outcome, Outcome::Refused { reason: Reason::Full, .. }));
    }

    /// Forgets, for its memory, which images have nothing that is wanted: they are read anew when they are met.
    pub fn shed_cache(&mut self) {
        self.without.clear();
    }

    /// What other threads ask without waiting for this.
    #[must_use]
    pub fn registry(&self) -> Registry {
        self.registry.clone()
    }

    /// What is wanted.
    pub fn mappings(&self) -> impl Iterator<Item = &Arc<Mapping>> {
        self.mappings.values()
    }

    /// The images with probes on them.
    pub fn images(&self) -> impl Iterator<Item = &Arc<ImageInfo>> {
        self.attached.values().map(|attached| &attached.image)
    }
}
