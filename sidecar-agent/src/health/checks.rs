//! What the figures of a [`Snapshot`] say about the components.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::handlers::Handlers;
use super::parts::{HttpFigures, gate, governor, http};
use super::registry::Health;
use super::report::Component;
use super::states::{
    ATTACH_REFUSED, ATTACHED, QUEUE_DROPPED, QUEUE_FULL, QUEUE_WELL, RING_LOST, RING_WELL, SINK_DROPPED,
    SINK_ERROR, SINK_FAILED, SINK_FULL, SINKS_WELL, State,
};
use crate::metrics::Snapshot;
use crate::sinks::{QueueStats, SinkStats};

/// A loss keeps its component degraded for so long after it was last seen to grow.
pub(super) const REMEMBER: Duration = Duration::from_secs(60);

/// Reasons of refusals that hide a wanted marker. The others are those of files that can't be watched at all, of which
/// a node may have any number, and anybody may bring more.
const TROUBLES: [&str; 3] = ["changed", "full", "kernel"];

/// Share of a queue's capacity, in percent, above which it is degraded.
pub(super) const FULL_PERCENT: u64 = 80;

/// Compares each snapshot with the ones before it. Call [`Checks::update`] every few seconds.
#[derive(Debug, Default)]
pub struct Checks {
    losses: Losses,
    handlers: Handlers,
    /// Wake-ups of the ring's reader and records that it took, as last seen.
    pulse: (u64, u64),
}

/// Counters of something bad, and when each was last seen to grow.
#[derive(Debug, Default)]
pub(super) struct Losses(HashMap<String, Loss>);

#[derive(Debug, Default)]
struct Loss {
    total: u64,
    grew: Option<Instant>,
}

impl Losses {
    /// Whether the counter has grown within [`REMEMBER`]. What it had at first counts as growth from zero.
    pub(super) fn grew(&mut self, name: &str, total: u64, now: Instant) -> bool {
        let loss = self.0.entry(name.to_owned()).or_default();
        if total > loss.total {
            loss.grew = Some(now);
        }
        loss.total = total;
        loss.grew.is_some_and(|at| now.saturating_duration_since(at) < REMEMBER)
    }

    /// Forgets the counters but for these.
    pub(super) fn keep_only(&mut self, names: &[String]) {
        self.0.retain(|name, _| names.contains(name));
    }
}

impl Checks {
    /// Sets the components that a snapshot tells of, and the queue's figures. A handler that fails `threshold` times in
    /// a row is degraded. That the reader of the ring has woken up since the last time (it does twice a second at least)
    /// is the sign of life of the path of events ([`Health::beat`]).
    pub fn update(&mut self, health: &Health, snapshot: &Snapshot, threshold: u64, now: Instant) {
        let pulse = (snapshot.reader_wakeups, snapshot.records_received);
        if pulse != std::mem::replace(&mut self.pulse, pulse) {
            health.beat(now);
        }
        health.set_queue(snapshot.queue);
        health.set("attachments", self.attachments(snapshot, now));
        health.set("ring", self.ring(snapshot, now));
        health.set("queue", self.queue(&snapshot.queue, now));
        health.set("sinks", self.sinks(&snapshot.sinks, now));
        if let Some(runtime) = &snapshot.runtime {
            health.set("governor", governor(&runtime.governor));
            self.handlers.update(health, &runtime.handlers, threshold, now);
            if let Some(figures) = &runtime.gate {
                let missed = self.losses.grew("gate", figures.missed, now);
                health.set("gate", gate(figures, missed));
            }
        }
    }

    /// Sets the component of the HTTP server.
    pub fn update_http(&mut self, health: &Health, figures: &HttpFigures, now: Instant) {
        let crowded = self.losses.grew("http", figures.crowded, now);
        health.set("http", http(figures, crowded));
    }

    fn attachments(&mut self, snapshot: &Snapshot, now: Instant) -> Component {
        let count = |only: Option<&[&str]>| -> u64 {
            let counted = |reason: &&str| only.is_none_or(|only| only.contains(reason));
            snapshot
                .attach_refusals
                .iter()
                .filter(|(reason, _)| counted(reason))
                .map(|(_, count)| count)
                .sum()
        };
        let refusals = count(None);
        let (images, sites) = (snapshot.attached_images, snapshot.attached_sites);
        let component = if self.losses.grew("attachments", count(Some(&TROUBLES)), now) {
            Component::of(&ATTACH_REFUSED)
        } else {
            Component::with(&ATTACHED, format_args!("{sites} sites in {images} files"))
        };
        component.count("images", images).count("sites", sites).count("refusals", refusals)
    }

    fn ring(&mut self, snapshot: &Snapshot, now: Instant) -> Component {
        let lost = snapshot.probes.iter().map(|probe| probe.counters.lost).sum();
        let component = if self.losses.grew("ring", lost, now) {
            Component::of(&RING_LOST)
        } else {
            Component::of(&RING_WELL)
        };
        component.count("lost", lost).count("size_bytes", snapshot.ring_bytes)
    }

    fn queue(&mut self, queue: &QueueStats, now: Instant) -> Component {
        let component = if self.losses.grew("queue", queue.dropped(), now) {
            Component::of(&QUEUE_DROPPED)
        } else if let Some(details) = fullness(queue) {
            Component::with(&QUEUE_FULL, details)
        } else {
            Component::of(&QUEUE_WELL)
        };
        component.count("size", queue.len).count("capacity", queue.capacity).count("dropped", queue.dropped())
    }

    fn sinks(&mut self, sinks: &[SinkStats], now: Instant) -> Component {
        let mut troubles: Vec<(&State, String)> = Vec::new();
        for sink in sinks {
            let name = &sink.name;
            let mut add = |state: &'static State, details: &str| {
                let colon = if details.is_empty() { "" } else { ": " };
                troubles.push((state, format!("{name}: {}{colon}{details}", state.text)));
            };
            // Judged before the error, so that the counts are compared every time.
            let dropped = self.losses.grew(&format!("sink queue {name}"), sink.queue.dropped(), now);
            let failed = sink.write_failed + sink.serialize_failed;
            let failed = self.losses.grew(&format!("sink {name}"), failed, now);
            if let Some(error) = &sink.last_error {
                add(&SINK_ERROR, error);
            } else if failed {
                add(&SINK_FAILED, "");
            }
            if dropped {
                add(&SINK_DROPPED, "");
            } else if let Some(details) = fullness(&sink.queue) {
                add(&SINK_FULL, &details);
            }
        }
        let component = match troubles.iter().map(|(state, _)| state.level).max() {
            None => Component::of(&SINKS_WELL),
            Some(level) => {
                let said: Vec<String> = troubles.into_iter().map(|(_, said)| said).collect();
                Component::says(level, said.join("; "))
            }
        };
        let dropped = |sink: &SinkStats| sink.queue.dropped() + sink.write_failed + sink.serialize_failed;
        component
            .count("sinks", sinks.len() as u64)
            .count("written", sinks.iter().map(|sink| sink.written).sum())
            .count("dropped", sinks.iter().map(dropped).sum())
    }
}

/// How full a queue is that is over [`FULL_PERCENT`].
fn fullness(queue: &QueueStats) -> Option<String> {
    if queue.bytes * 100 > queue.max_bytes * FULL_PERCENT {
        Some(format!("{} of {} bytes", queue.bytes, queue.max_bytes))
    } else if queue.len * 100 > queue.capacity * FULL_PERCENT {
        Some(format!("{} of {}", queue.len, queue.capacity))
    } else {
        None
    }
}
