//! What the path of events counts, for whoever looks at it from another thread.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::{
    event::Event,
    sinks::{Queue, QueueStats},
};

/// Counts of the agent itself. Monotonic.
#[derive(Debug, Default)]
pub(super) struct Tallies {
    /// Records of hits that were taken out of the ring, those that can't be decoded included.
    pub(super) received: AtomicU64,
    pub(super) malformed: AtomicU64,
    pub(super) unknown_spec: AtomicU64,
    pub(super) wakeups: AtomicU64,
    pub(super) execs_missed: AtomicU64,
    /// Times that the ring was found empty.
    pub(super) emptied: AtomicU64,
    pub(super) snapshots: AtomicU64,
    /// Events out of the queue that the consumer has done with.
    pub(super) handed_on: AtomicU64,
}

impl Tallies {
    pub(super) fn read(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }

    /// Counters of the queue in which what the consumer has in hand still waits: what counts as processed has gone to
    /// everybody.
    pub(super) fn queue(&self, queue: &Queue<Event>) -> QueueStats {
        // In this order, so that nothing counts as processed too early.
        let handed_on = self.handed_on.load(Ordering::Acquire);
        let stats = queue.stats();
        let in_hand = stats.processed.saturating_sub(handed_on);
        QueueStats { len: stats.len + in_hand, processed: stats.processed - in_hand, ..stats }
    }
}
