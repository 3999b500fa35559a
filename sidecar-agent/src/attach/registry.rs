//! What other threads ask of the manager. They never wait for it while it reads a file or attaches.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{ProbeInfo, Reason};

/// Figures of the manager at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Images with probes on them.
    pub images: usize,
    /// Sites with a probe.
    pub sites: usize,
    /// How many images were refused, by reason.
    pub refusals: BTreeMap<Reason, u64>,
}

#[derive(Debug)]
struct Inner {
    probes: HashMap<u32, Arc<ProbeInfo>>,
    figures: Figures,
}

/// The probes that have a spec, and the manager's figures. Clones share it.
#[derive(Clone, Debug)]
pub struct Registry(Arc<Mutex<Inner>>);

impl Registry {
    pub(super) fn new() -> Self {
        let refusals = Reason::ALL.into_iter().map(|reason| (reason, 0)).collect();
        let figures = Figures { refusals, ..Figures::default() };
        Self(Arc::new(Mutex::new(Inner { probes: HashMap::new(), figures })))
    }

    /// The probe that a record's spec and generation stand for.
    #[must_use]
    pub fn probe(&self, spec: u32, generation: u32) -> Option<Arc<ProbeInfo>> {
        self.lock().probes.get(&spec).filter(|probe| probe.generation == generation).map(Arc::clone)
    }

    /// Every probe with a spec, those of forgotten images that were not reclaimed yet included.
    #[must_use]
    pub fn probes(&self) -> Vec<Arc<ProbeInfo>> {
        self.lock().probes.values().map(Arc::clone).collect()
    }

    /// The figures now.
    #[must_use]
    pub fn figures(&self) -> Figures {
        self.lock().figures.clone()
    }

    pub(super) fn insert(&self, probe: ProbeInfo) {
        self.lock().probes.insert(probe.spec, Arc::new(probe));
    }

    pub(super) fn remove(&self, spec: u32) {
        self.lock().probes.remove(&spec);
    }

    pub(super) fn refused(&self, reason: Reason) {
        *self.lock().figures.refusals.entry(reason).or_insert(0) += 1;
    }

    pub(super) fn attached(&self, sites: usize) {
        let mut inner = self.lock();
        inner.figures.images += 1;
        inner.figures.sites += sites;
    }

    pub(super) fn detached(&self, sites: usize) {
        let mut inner = self.lock();
        inner.figures.images = inner.figures.images.saturating_sub(1);
        inner.figures.sites = inner.figures.sites.saturating_sub(sites);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Each change is one assignment, so a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
