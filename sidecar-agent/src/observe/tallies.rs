//! What the path of events counts, for whoever looks at it from another thread.

use std::sync::atomic::{AtomicU64, Ordering};

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
    /// Folders that are watched for files that appear. Not monotonic.
    pub(super) folders: AtomicU64,
    /// Times that a folder could not be watched.
    pub(super) unwatched: AtomicU64,
    /// Times that more happened in watched folders than the kernel keeps.
    pub(super) folder_overflows: AtomicU64,
}

impl Tallies {
    pub(super) fn add(counter: &AtomicU64, more: u64) {
        counter.fetch_add(more, Ordering::Relaxed);
    }

    pub(super) fn read(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }
}
