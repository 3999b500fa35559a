//! Totals of probes whose specs were taken back.

use std::{collections::HashMap, sync::Arc};

use sidecar_common::Counters;

use crate::{
    attach::{ProbeInfo, ProbeKind},
    mapping::Mapping,
};

/// Adds the counters of `from` to `to`.
pub(super) fn add(to: &mut Counters, from: &Counters) {
    let Counters {
        hits,
        kept,
        sampled_out,
        lost,
        disabled,
        out_of_scope,
        read_faults,
        truncated,
        bytes,
        statuses,
        recalled,
        recall_lost,
        held,
        unmatched,
        overwritten,
        evicted,
        aborted,
        abort_lost,
        gave_way,
    } = from;
    to.hits += hits;
    to.kept += kept;
    to.sampled_out += sampled_out;
    to.lost += lost;
    to.disabled += disabled;
    to.out_of_scope += out_of_scope;
    to.read_faults += read_faults;
    to.truncated += truncated;
    to.bytes += bytes;
    to.recalled += recalled;
    to.recall_lost += recall_lost;
    to.held += held;
    to.unmatched += unmatched;
    to.overwritten += overwritten;
    to.evicted += evicted;
    to.aborted += aborted;
    to.abort_lost += abort_lost;
    to.gave_way += gave_way;
    for (to, from) in to.statuses.iter_mut().zip(statuses) {
        *to += from;
    }
}

/// Names that have counters of their own at most: programs bring the names of functions.
const MOST_NAMES: usize = 10_000;
/// What stands for all others, in both places.
const OTHER: &str = "other";

/// What is known of probes of one name of which some are off.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The last one's mapping.
    pub(super) mapping: Arc<Mapping>,
    pub(super) kind: ProbeKind,
    pub(super) histogram: Option<u32>,
    pub(super) counters: Counters,
}

/// Counters by provider and marker, or file and function.
#[derive(Debug, Default)]
pub(super) struct Retired {
    entries: HashMap<(String, String), Entry>,
}

impl Retired {
    pub(super) fn fold(&mut self, probe: &ProbeInfo, counters: &Counters) {
        let mut key = (probe.mapping.provider.clone(), probe.mapping.marker.clone());
        let mut mapping = Arc::clone(&probe.mapping);
        if self.entries.len() >= MOST_NAMES && !self.entries.contains_key(&key) {
            let (provider, marker) = (OTHER.to_owned(), OTHER.to_owned());
            key = (provider.clone(), marker.clone());
            mapping = Arc::new(Mapping { provider, marker, ..Mapping::clone(&mapping) });
        }
        let entry = self.entries.entry(key).or_insert_with(|| Entry {
            mapping,
            kind: probe.kind,
            histogram: probe.histogram,
            counters: Counters::default(),
        });
        add(&mut entry.counters, counters);
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::intake::tests::known;

    #[test]
    fn folding_adds_every_counter() {
        let one = Counters {
            hits: 1,
            kept: 2,
            sampled_out: 3,
            lost: 4,
            disabled: 5,
            out_of_scope: 6,
            read_faults: 7,
            truncated: 8,
            bytes: 9,
            statuses: [1, 2, 3, 4, 5, 6, 7, 8, 9],
            recalled: 10,
            recall_lost: 11,
            held: 12,
            unmatched: 13,
            overwritten: 14,
            evicted: 15,
            aborted: 16,
            abort_lost: 17,
            gave_way: 18,
        };
        let mut retired = Retired::default();
        let probe = known();
        retired.fold(&probe, &one);
        retired.fold(&probe, &one);
        let total = retired.entries().next().unwrap().counters;
        assert_eq!((total.hits, total.bytes, total.statuses[8]), (2, 18, 18));
        assert_eq!((total.recalled, total.recall_lost, total.held), (20, 22, 24));
        assert_eq!((total.unmatched, total.overwritten, total.evicted), (26, 28, 30));
        assert_eq!((total.aborted, total.abort_lost, total.gave_way), (32, 34, 36));
        assert_eq!(retired.entries().count(), 1);
    }

    #[test]
    fn names_beyond_the_most_are_added_up() {
        let mut retired = Retired::default();
        let one = Counters { hits: 1, ..Counters::default() };
        for i in 0..MOST_NAMES + 5 {
            let mapping = Mapping { marker: format!("m{i}"), ..Mapping::clone(&known().mapping) };
            retired.fold(&ProbeInfo { mapping: Arc::new(mapping), ..ProbeInfo::clone(&known()) }, &one);
        }
        assert_eq!(retired.entries().count(), MOST_NAMES + 1);
        assert_eq!(retired.entries().map(|entry| entry.counters.hits).sum::<u64>(), MOST_NAMES as u64 + 5);
        let others: Vec<_> = retired.entries().filter(|entry| entry.mapping.marker == OTHER).collect();
        assert_eq!(others[0].counters.hits, 5);
    }
}
