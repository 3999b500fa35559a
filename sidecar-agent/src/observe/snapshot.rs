//! The state as metrics and health read it.

use std::{collections::HashMap, sync::atomic::Ordering};

use sidecar_common::{Counters, Histogram};

use super::{retired::add, shared::Shared, tallies::Tallies};
use crate::{
    attach::ProbeKind,
    config::rate_of,
    event::Event,
    mapping::{EventKind, Mapping, Role},
    metrics::{FolderStats, ProbeStats, SignalBoost, Snapshot},
    sampling::in_force,
    sinks::Queue,
};

/// What a probe's figures are known by.
fn key(mapping: &Mapping) -> (String, String) {
    (mapping.provider.clone(), mapping.marker.clone())
}

/// The figures of a probe, before anything was counted.
fn stats(mapping: &Mapping, kind: ProbeKind) -> ProbeStats {
    let is_end = mapping.event == EventKind::TestEnd;
    let failure = || mapping.event_type_of(Some(sidecar_common::Status::Failed)).into_owned();
    ProbeStats {
        provider: mapping.provider.clone(),
        marker: mapping.marker.clone(),
        kind,
        signal: mapping.signal.clone(),
        sites: 0,
        event_type: mapping.event_type_of(None).into_owned(),
        failure_type: (is_end && mapping.event_type.is_none()).then(failure),
        is_start: mapping.event == EventKind::TestStart,
        has_status: mapping.position(Role::Status).is_some(),
        counters: Counters::default(),
        histogram: mapping.duration_arg().filter(|_| is_end).map(|_| Histogram::default()),
        slow_limit_ns: 0,
    }
}

impl Shared {
    /// Copies everything. Holds the kernel's lock for one system call a counter; the path of events waits for none
    /// of these locks, and this does not wait for a file that is being read or attached to.
    pub(super) fn snapshot(&self, queue: &Queue<Event>) -> Snapshot {
        let mut probes: HashMap<(String, String), ProbeStats> = HashMap::new();
        let mut histograms: HashMap<(String, String), u32> = HashMap::new();
        let mut specs = Vec::new();
        let retired = self.retired();
        for mapping in &self.mappings {
            probes.insert(key(mapping), stats(mapping, ProbeKind::Marker));
        }
        for entry in retired.entries() {
            let key = key(&entry.mapping);
            if let Some(histogram) = entry.histogram {
                histograms.insert(key.clone(), histogram);
            }
            let stats = probes.entry(key).or_insert_with(|| stats(&entry.mapping, entry.kind));
            add(&mut stats.counters, &entry.counters);
        }
        for probe in self.registry.probes() {
            let key = key(&probe.mapping);
            if let Some(histogram) = probe.histogram {
                histograms.insert(key.clone(), histogram);
            }
            let stats = probes.entry(key.clone()).or_insert_with(|| stats(&probe.mapping, probe.kind));
            if !self.is_off(&probe) {
                stats.sites += probe.sites as u64;
            }
            specs.push((key, probe.spec));
        }
        let figures = self.registry.figures();
        let signals = self.signals().clone();
        let kernel = self.kernel();
        let now = super::clock::monotonic_ns();
        let mut rates = Vec::with_capacity(signals.len());
        let mut boosts = Vec::with_capacity(signals.len());
        for (index, (name, state)) in (0..).zip(&signals) {
            let boost = kernel.boost_state(index).unwrap_or_default();
            rates.push((name.clone(), rate_of(in_force(state, boost.until_ns, now))));
            boosts.push(SignalBoost {
                signal: name.clone(),
                anomalies: boost.anomalies,
                boosts: boost.boosts,
                refused: boost.refused,
                boosted: now < boost.until_ns || now < state.forced_until_ns,
            });
        }
        for (key, spec) in specs {
            if let (Some(stats), Ok(counters)) = (probes.get_mut(&key), kernel.counters(spec)) {
                add(&mut stats.counters, &counters);
                // Those of one marker have one limit.
                stats.slow_limit_ns = stats.slow_limit_ns.max(kernel.slow_limit(spec));
            }
        }
        for (key, index) in histograms {
            if let (Some(stats), Ok(histogram)) = (probes.get_mut(&key), kernel.histogram(index)) {
                stats.histogram = Some(histogram);
            }
        }
        drop(retired);
        let tallies = &self.tallies;
        // In this order, so that nothing seems to be handed on too early.
        let handed_on = tallies.handed_on.load(Ordering::Acquire);
        let queue = queue.stats();
        Snapshot {
            probes: probes.into_values().collect(),
            attached_images: figures.images as u64,
            attached_sites: figures.sites as u64,
            attach_refusals: figures.refusals.iter().map(|(reason, count)| (reason.name(), *count)).collect(),
            folders: FolderStats {
                watched: Tallies::read(&tallies.folders),
                unwatched: Tallies::read(&tallies.unwatched),
                rescans: Tallies::read(&tallies.folder_overflows),
            },
            ring_bytes: self.ring_bytes,
            sampling_rates: rates,
            boosts,
            reader_wakeups: Tallies::read(&tallies.wakeups),
            records_received: Tallies::read(&tallies.received),
            decode_errors: vec![
                ("malformed", Tallies::read(&tallies.malformed)),
                ("unknown_spec", Tallies::read(&tallies.unknown_spec)),
            ],
            process_lost: kernel.process_lost().unwrap_or_default() + Tallies::read(&tallies.execs_missed),
            queue,
            in_flight: queue.processed.saturating_sub(handed_on),
            sinks: Vec::new(),
            runtime: None,
            errors: Vec::new(),
        }
    }
}
