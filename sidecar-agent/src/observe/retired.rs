//! Totals of probes whose specs were taken back.

use std::collections::HashMap;

use sidecar_common::Counters;

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
    for (to, from) in to.statuses.iter_mut().zip(statuses) {
        *to += from;
    }
}

/// Counters by provider and marker. There are as many as mappings.
#[derive(Debug, Default)]
pub(super) struct Retired {
    totals: HashMap<(String, String), Counters>,
}

impl Retired {
    pub(super) fn fold(&mut self, provider: &str, marker: &str, counters: &Counters) {
        add(self.totals.entry((provider.to_owned(), marker.to_owned())).or_default(), counters);
    }

    pub(super) fn get(&self, provider: &str, marker: &str) -> Counters {
        self.totals.get(&(provider.to_owned(), marker.to_owned())).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        };
        let mut retired = Retired::default();
        retired.fold("p", "m", &one);
        retired.fold("p", "m", &one);
        let total = retired.get("p", "m");
        assert_eq!((total.hits, total.bytes, total.statuses[8]), (2, 18, 18));
        assert_eq!((total.recalled, total.recall_lost, total.held), (20, 22, 24));
        assert_eq!((total.unmatched, total.overwritten, total.evicted), (26, 28, 30));
        assert_eq!(retired.get("p", "other"), Counters::default());
    }
}
