//! Counts what becomes of a handler's events. Each event that leaves the queue is settled here exactly once.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::inlet::{Held, Intake};
use super::reason::Reason;
use super::stats::{HandlerStats, Kind, LastError};
use crate::sinks::Queue;

/// A failure that goes on is said again after this time.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// A handler's counters.
pub(super) struct Tally {
    name: String,
    kind: Kind,
    workers: AtomicUsize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    handled: u64,
    counts: [u64; Reason::COUNT],
    /// Offered, and refused before the queue.
    refused: u64,
    /// Taken from the queue, and waiting again.
    spooled: u64,
    spooled_bytes: u64,
    consecutive_failures: u64,
    last_error: Option<LastError>,
    said_at: Option<Instant>,
    /// The handler has ended; whatever still comes was counted as dropped by then.
    sealed: bool,
}

impl Inner {
    fn settled(&self) -> u64 {
        self.handled + self.counts.iter().sum::<u64>()
    }
}

impl Tally {
    pub(super) fn new(name: &str, kind: Kind) -> Self {
        Self { name: name.to_owned(), kind, workers: AtomicUsize::new(0), inner: Mutex::default() }
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// One event was handled.
    pub(super) fn handled(&self) {
        self.handled_many(1);
    }

    /// So many were.
    pub(super) fn handled_many(&self, count: u64) {
        let mut inner = self.lock();
        if !inner.sealed && count > 0 {
            inner.handled += count;
            inner.consecutive_failures = 0;
        }
    }

    /// One event was tried in vain. Said in the log, but not each time.
    pub(super) fn failed(&self, reason: Reason, text: &str) {
        self.failed_quietly(reason, 1, text);
        let now = Instant::now();
        let mut inner = self.lock();
        if inner.said_at.is_some_and(|at| now.duration_since(at) < SAY_AGAIN) {
            return;
        }
        inner.said_at = Some(now);
        drop(inner);
        tracing::warn!(handler = self.name, reason = reason.name(), "a handler failed: {text}");
    }

    /// Events that were tried in vain, which somebody else says in the log.
    pub(super) fn failed_quietly(&self, reason: Reason, count: u64, text: &str) {
        let mut inner = self.lock();
        if !inner.sealed && count > 0 {
            inner.counts[reason as usize] += count;
            inner.consecutive_failures += count;
        }
        inner.last_error = Some(LastError { at_ns: now_ns(), reason, text: text.to_owned() });
    }

    /// An attempt went wrong; the event is not lost yet.
    pub(super) fn attempt_failed(&self, reason: Reason, text: &str) {
        let mut inner = self.lock();
        inner.consecutive_failures += 1;
        inner.last_error = Some(LastError { at_ns: now_ns(), reason, text: text.to_owned() });
    }

    /// Events that were not tried.
    pub(super) fn dropped(&self, reason: Reason, count: u64) {
        let mut inner = self.lock();
        if !inner.sealed {
            inner.counts[reason as usize] += count;
        }
    }

    /// One event was refused, because those that wait take too many bytes.
    pub(super) fn refused(&self) {
        self.lock().refused += 1;
    }

    /// So many events wait outside of the queue.
    pub(super) fn set_spooled(&self, count: usize, bytes: usize) {
        let mut inner = self.lock();
        (inner.spooled, inner.spooled_bytes) = (count as u64, bytes as u64);
    }

    /// The end: what is neither settled nor in the queue is dropped by shutdown, and nothing is counted any more.
    pub(super) fn seal(&self, queue: &Queue<Held>) {
        let mut inner = self.lock();
        if !inner.sealed {
            let rest = queue.stats().processed.saturating_sub(inner.settled());
            inner.counts[Reason::Shutdown as usize] += rest;
            (inner.spooled, inner.spooled_bytes) = (0, 0);
            inner.sealed = true;
        }
    }

    /// The counters now.
    pub(super) fn stats(&self, intake: &Intake) -> HandlerStats {
        let inner = self.lock();
        // What is taken from the queue from here on is in flight, so the sum is right at any time.
        let queued = intake.queue.stats();
        let mut counts = inner.counts;
        counts[Reason::QueueFullOldest as usize] += queued.dropped_oldest + queued.dropped_memory;
        counts[Reason::QueueFullNewest as usize] += queued.dropped_newest + inner.refused;
        counts[Reason::Shutdown as usize] += queued.dropped_shutdown;
        HandlerStats {
            name: self.name.clone(),
            kind: self.kind,
            received: queued.received + inner.refused,
            handled: inner.handled,
            counts,
            waiting: queued.len + inner.spooled,
            in_flight: queued.processed.saturating_sub(inner.settled() + inner.spooled),
            waiting_bytes: intake.bytes() as u64 + inner.spooled_bytes,
            capacity: queued.capacity,
            consecutive_failures: inner.consecutive_failures,
            running: self.workers.load(Relaxed) > 0,
            last_error: inner.last_error.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A worker of a handler, for as long as this lives.
pub(super) struct Worker(Arc<Tally>);

impl Worker {
    pub(super) fn new(tally: &Arc<Tally>) -> Self {
        tally.workers.fetch_add(1, Relaxed);
        Self(Arc::clone(tally))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.0.workers.fetch_sub(1, Relaxed);
    }
}

fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
