//! The accounts of an agent, from hit to event to whoever is handed it, as the API shows them.

use std::collections::BTreeMap;

use sidecar_common::Counters;

use super::core::Core;
use crate::{
    control::{Account, Balance, Drops, Stats},
    handlers::HandlerStats,
    metrics::{Snapshot, Source as _, StreamEvents},
    sinks::SinkStats,
};

impl Core {
    /// What was counted since the start.
    pub(super) fn accounts(&self) -> Stats {
        let snapshot = self.source.snapshot();
        let balance = balance(&snapshot);
        let handlers = self.handlers.stats();
        let errors = snapshot.decode_errors.iter().map(|(_, count)| count).sum::<u64>()
            + snapshot.sinks.iter().map(|sink| sink.write_failed + sink.serialize_failed).sum::<u64>()
            + handlers.iter().map(HandlerStats::failed).sum::<u64>();
        let of_handlers = handlers.iter().map(handler).collect();
        let last_error = snapshot
            .sinks
            .iter()
            .find_map(|sink| sink.last_error.clone())
            .or_else(|| handlers.into_iter().find_map(|stats| Some(stats.last_error?.text)));
        let queue = &snapshot.queue;
        Stats {
            events_received: balance.received,
            events_sampled_out: balance.sampled_out,
            events_dropped: balance.dropped.by_reason.values().sum(),
            events_processed: balance.processed,
            errors,
            last_error,
            queue_size: queue.len,
            queue_capacity: queue.capacity,
            queue_utilization_ratio: queue.len as f64 / queue.capacity.max(1) as f64,
            running: self.steering().is_some_and(|steering| !steering.is_suspended()),
            uptime_seconds: self.started.elapsed().as_secs_f64(),
            balance,
            streams: self.hub.subscribers() as u64,
            sinks: snapshot.sinks.iter().map(sink).collect(),
            handlers: of_handlers,
            stream_events: stream(&self.hub.stats()),
            event_types: self.seen().event_types(),
        }
    }
}

fn drops<'a>(reasons: impl IntoIterator<Item = (&'a str, u64)>) -> Drops {
    let mut by_reason = BTreeMap::new();
    for (reason, count) in reasons {
        *by_reason.entry(reason.to_owned()).or_insert(0) += count;
    }
    Drops { by_reason }
}

/// The accounting of a snapshot.
fn balance(snapshot: &Snapshot) -> Balance {
    let sum =
        |of: fn(&Counters) -> u64| -> u64 { snapshot.probes.iter().map(|probe| of(&probe.counters)).sum() };
    let (hits, kept) = (sum(|c| c.hits), sum(|c| c.kept));
    let (sampled_out, lost, disabled) = (sum(|c| c.sampled_out), sum(|c| c.lost), sum(|c| c.disabled));
    let (recalled, aborted) = (sum(|c| c.recalled), sum(|c| c.aborted));
    let (queue, received) = (&snapshot.queue, snapshot.records_received);
    let dropped = drops(snapshot.record_drops());
    let all_dropped: u64 = dropped.by_reason.values().sum();
    Balance {
        hits,
        kept,
        recalled,
        aborted,
        sampled_out,
        lost,
        disabled,
        received,
        not_yet_read: (kept + recalled + aborted).saturating_sub(received),
        processed: queue.processed,
        in_flight: snapshot.in_flight,
        queued: queue.len,
        dropped,
        balanced: hits == kept + sampled_out + lost + disabled
            && kept + recalled + aborted >= received
            && received == queue.processed + queue.len + all_dropped,
    }
}

fn sink(stats: &SinkStats) -> Account {
    let failed = [("write_failed", stats.write_failed), ("serialize_failed", stats.serialize_failed)];
    let settled = stats.written + stats.write_failed + stats.serialize_failed;
    Account {
        name: stats.name.clone(),
        received: stats.queue.received,
        done: stats.written,
        waiting: stats.queue.len,
        in_flight: stats.queue.processed.saturating_sub(settled),
        not_done: drops(stats.queue.drops().into_iter().chain(failed)),
    }
}

fn handler(stats: &HandlerStats) -> Account {
    Account {
        name: stats.name.clone(),
        received: stats.received,
        done: stats.handled,
        waiting: stats.waiting,
        in_flight: stats.in_flight,
        not_done: drops(stats.reasons().map(|(reason, count)| (reason.name(), count))),
    }
}

fn stream(stats: &StreamEvents) -> Account {
    Account {
        name: "stream".to_owned(),
        received: stats.offered,
        done: stats.taken,
        waiting: stats.waiting,
        in_flight: 0,
        not_done: drops([("lost", stats.lost), ("left", stats.left)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{metrics::ProbeStats, sinks::QueueStats};

    #[test]
    fn the_balance_has_every_reason_and_tells_when_something_is_missing() {
        let counters = Counters {
            hits: 100,
            kept: 60,
            sampled_out: 30,
            lost: 6,
            disabled: 4,
            recalled: 3,
            aborted: 2,
            ..Counters::default()
        };
        let queue = QueueStats {
            len: 3,
            received: 57,
            processed: 40,
            dropped_oldest: 2,
            dropped_newest: 3,
            dropped_shutdown: 4,
            dropped_memory: 5,
            ..QueueStats::default()
        };
        let good = Snapshot {
            probes: vec![ProbeStats { counters, ..ProbeStats::default() }],
            records_received: 64,
            decode_errors: vec![("malformed", 1), ("unknown_spec", 6)],
            queue,
            ..Snapshot::default()
        };
        let found = balance(&good);
        assert!(found.balanced, "{found:?}");
        assert_eq!((found.received, found.not_yet_read, found.processed, found.queued), (64, 1, 40, 3));
        let dropped: Vec<_> =
            found.dropped.by_reason.iter().map(|(reason, n)| (reason.as_str(), *n)).collect();
        assert_eq!(
            dropped,
            [
                ("malformed", 1),
                ("memory", 5),
                ("queue_full_newest", 3),
                ("queue_full_oldest", 2),
                ("shutdown", 4),
                ("unknown_spec", 6)
            ]
        );
        let of = |change: fn(&mut Snapshot)| {
            let mut snapshot = good.clone();
            change(&mut snapshot);
            balance(&snapshot).balanced
        };
        assert!(!of(|s| s.probes[0].counters.lost += 1) && !of(|s| s.probes[0].counters.hits += 1));
        assert!(!of(|s| s.records_received += 1) && !of(|s| s.queue.dropped_memory += 1));
        assert!(!of(|s| s.decode_errors[0].1 += 1) && !of(|s| s.queue.processed -= 1));
    }

    #[test]
    fn a_sinks_account_adds_up_with_what_it_is_at_work_on() {
        let queue =
            QueueStats { len: 2, received: 20, processed: 15, dropped_oldest: 3, ..QueueStats::default() };
        let stats =
            SinkStats { written: 9, write_failed: 2, serialize_failed: 1, queue, ..SinkStats::default() };
        let account = sink(&stats);
        assert_eq!((account.in_flight, account.not_done.by_reason["queue_full_oldest"]), (3, 3));
        let not_done: u64 = account.not_done.by_reason.values().sum();
        assert_eq!(account.received, account.done + account.waiting + account.in_flight + not_done);
    }
}
