//! Steers a running observer from other threads: rates, boosts, slow limits, payloads, and whether anything is watched.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
};

use sidecar_common::{BoostState, SignalState};

use super::{
    shared::{Shared, Totals, holds_starts},
    tallies::Tallies,
};
use crate::{
    attach::ImageInfo,
    bpf::{BpfError, Footprint},
    event::Event,
    mapping::EventKind,
    sampling::SlowLimit,
    sinks::Queue,
};

/// A handle on a running observer. It does nothing any more once the observer has ended.
#[derive(Clone)]
pub struct Steering {
    pub(super) shared: Arc<Shared>,
    pub(super) queue: Arc<Queue<Event>>,
}

impl Steering {
    /// Sets how a signal is sampled; the next hit obeys it. A name that is not known yet takes the next index.
    ///
    /// # Errors
    /// When the kernel refuses, or all signals are used.
    pub fn set_signal(&self, name: &str, state: &SignalState) -> Result<(), BpfError> {
        let mut signals = self.shared.signals();
        let known = signals.iter().position(|(known, _)| known == name);
        let slot = u8::try_from(known.unwrap_or(signals.len())).unwrap_or(u8::MAX);
        let mut kernel = self.shared.kernel();
        kernel.set_signal(slot, state)?;
        match known {
            Some(index) => signals[index].1 = *state,
            None => {
                kernel.name_signal(name, slot)?;
                signals.push((name.to_owned(), *state));
            }
        }
        kernel.set_hold_starts(holds_starts(&signals))
    }

    /// What the kernel knows of a signal's anomalies.
    ///
    /// # Errors
    /// No such signal, or the kernel refuses.
    pub fn boost_state(&self, name: &str) -> Result<BoostState, BpfError> {
        let index = self.index(name)?;
        self.shared.kernel().boost_state(index)
    }

    /// Reports an anomaly of a signal. Whether it began a boost.
    ///
    /// # Errors
    /// No such signal, or the kernel refuses.
    pub fn report_anomaly(&self, name: &str) -> Result<bool, BpfError> {
        let index = self.index(name)?;
        self.shared.kernel().report_anomaly(index)
    }

    /// Ends a boost by anomalies and forgets what led to it.
    ///
    /// # Errors
    /// No such signal, or the kernel refuses.
    pub fn clear_anomalies(&self, name: &str) -> Result<(), BpfError> {
        let index = self.index(name)?;
        self.shared.kernel().clear_anomalies(index)
    }

    fn index(&self, name: &str) -> Result<u8, BpfError> {
        let index = self.shared.signals().iter().position(|(known, _)| known == name);
        index
            .and_then(|index| u8::try_from(index).ok())
            .ok_or_else(|| BpfError::Map { map: "SIGNALS", reason: format!("there is no signal {name}") })
    }

    /// Whether records go without their payloads.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn set_drop_payloads(&self, on: bool) -> Result<(), BpfError> {
        self.shared.kernel().set_drop_payloads(on)
    }

    /// Descriptors of the programs and maps, for the profiler.
    #[must_use]
    pub fn footprint(&self) -> Arc<Footprint> {
        self.shared.kernel().footprint()
    }

    /// Takes every probe off, and attaches none until [`Steering::resume`]. The counts are kept.
    pub fn suspend(&self) {
        if self.shared.suspended.swap(true, Ordering::AcqRel) {
            return;
        }
        // At once for hits, even where taking probes off takes long.
        if let Err(error) = self.shared.kernel().set_enabled(false) {
            tracing::error!("probes can't be switched off: {error}");
        }
        let probes = self.shared.manager().forget_all();
        if let Some(gate) = self.shared.gate.get() {
            gate.forget();
        }
        self.shared.retire(probes);
    }

    /// Watches again: looks at what is configured and what runs.
    pub fn resume(&self) {
        if !self.shared.suspended.swap(false, Ordering::AcqRel) {
            return;
        }
        let mut kernel = self.shared.kernel();
        let watched = kernel.watch_since(super::monotonic_ns()).and_then(|()| kernel.set_enabled(true));
        drop(kernel);
        if let Err(error) = watched {
            tracing::error!("probes can't be switched on: {error}");
        }
        self.shared.look_again();
    }

    /// Whether probes are off.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        self.shared.suspended.load(Ordering::Acquire)
    }

    /// Learns from the kernel's histograms from which duration on a test is slow, and tells the kernel.
    pub fn learn_slow_limits(&self, learnt: &mut HashMap<u32, SlowLimit>) {
        let mut probes = self.shared.registry.probes();
        // What is slow is known of tests.
        probes.retain(|probe| probe.mapping.event == EventKind::TestEnd);
        let mut kernel = self.shared.kernel();
        let mut limits: HashMap<u32, u64> = HashMap::new();
        for index in probes.iter().filter_map(|probe| probe.histogram) {
            limits.entry(index).or_insert_with(|| match kernel.histogram(index) {
                Ok(histogram) => learnt.entry(index).or_default().learn(&histogram).unwrap_or(0),
                Err(_) => 0,
            });
        }
        for probe in &probes {
            let limit = probe.histogram.and_then(|index| limits.get(&index)).copied().unwrap_or(0);
            if let Err(error) = kernel.set_slow_limit(probe.spec, limit) {
                tracing::debug!("a slow limit can't be set: {error}");
            }
        }
    }

    /// Images with probes on them.
    #[must_use]
    pub fn images(&self) -> Vec<Arc<ImageInfo>> {
        let mut images: HashMap<_, _> = HashMap::new();
        for probe in self.shared.registry.probes() {
            images.insert(probe.image.id, Arc::clone(&probe.image));
        }
        images.into_values().collect()
    }

    /// Totals of all probes.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.shared.totals(self.queue.stats())
    }

    /// Wake-ups of the reader and records that it took: what moves while the path of events is alive.
    #[must_use]
    pub fn pulse(&self) -> (u64, u64) {
        let tallies = &self.shared.tallies;
        (Tallies::read(&tallies.wakeups), Tallies::read(&tallies.received))
    }

    /// Other limits for the queue before the consumer.
    pub fn set_queue_limits(&self, max_items: usize, max_bytes: u64, drop_oldest: bool) {
        let bytes = usize::try_from(max_bytes).unwrap_or(usize::MAX);
        self.queue.set_limits(max_items, bytes, drop_oldest);
    }

    /// Gives up what is known of files without probes: they are read again when they are met.
    pub fn shed_caches(&self) {
        self.shared.manager().shed_cache();
    }

    /// Drops the older half of what waits, counted as dropped for memory.
    pub fn shed_queue(&self) {
        self.queue.shed_half();
    }
}
