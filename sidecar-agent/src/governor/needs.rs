//! What the agent needs to live under a config, and so what is left for what waits in queues. Every term is a cap
//! that other code keeps, so a budget that covers the sum can't be passed by any input.

use std::{fmt, mem::size_of};

use serde::Serialize;
use sidecar_common::{
    BoostState, Counters, HELD_WAYS, HeldSet, HeldStart, Histogram, MAX_HELD, MAX_SIGNALS, OPEN_BUCKETS,
    SignalState, Spec, StatusTable,
};

use super::{Budget, MOST_EVENT_BYTES};
use crate::{
    aggregate::{MOST_FAILED, MOST_OPEN},
    attach::Capacity,
    config::{Action, Config},
    sampling::BY_TYPE_BYTES,
};

/// The program, its threads, its runtimes and its allocator's slack; measured: 13 to 23 MB with nothing to do.
const PROGRAM: u64 = 24_000_000;
/// Longest path, plus what else is known of an image with probes on it.
const IMAGE: u64 = 4096 + 512;
/// What is known of an image without.
const REMEMBERED: u64 = 256;
/// What the agent knows of a spec: its arguments' text and its place in tables.
const SPEC: u64 = 1024;
/// A name in a summary.
const NAME: u64 = 1200;
/// What an element of a hash map takes in the kernel besides its key and value, with its bucket.
const MAP_ELEMENT: u64 = 64;
/// Buckets and one element of the map of watched processes.
const TREE_ENTRY: u64 = 16 + MAP_ELEMENT;
/// Processes of a tree (`LoadOptions::max_processes`).
const TREE: u64 = 65_536;
const STATUS_TABLES: u64 = 256;
/// The share of what is left that queues may fill: the rest is for the allocator and for what is in flight.
const QUEUE_SHARE: (u64, u64) = (3, 4);
/// Bytes of events that wait for all readers of the stream together, and the least for each.
const STREAMS: u64 = 4 << 20;
const STREAM: u64 = 64 << 10;
/// Least room that a queue is of use with: a few of the largest events.
pub const LEAST_QUEUE_BYTES: u64 = 4 * MOST_EVENT_BYTES;

/// Bytes that the agent needs, by what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Needs {
    /// The program itself.
    pub program: u64,
    /// The ring between kernel and agent.
    pub ring: u64,
    /// The kernel's other maps.
    pub maps: u64,
    /// What is known of images and specs.
    pub caches: u64,
    /// Names that a summary holds, and estimates by type.
    pub summary: u64,
    /// What waits for the readers of the stream of events.
    pub streams: u64,
    /// What waits for handlers, and in their spools.
    pub handlers: u64,
    /// Queues: the one before the consumer, and one a sink.
    pub queues: u64,
}

/// Bytes of events that wait for so many readers of the stream together.
#[must_use]
pub fn stream_bytes(readers: u64) -> u64 {
    readers.saturating_mul(STREAM).max(STREAMS)
}

/// What the agent needs under a config.
#[must_use]
pub fn needs(config: &Config) -> Needs {
    let capacity = Capacity::default();
    let specs = config.discovery.max_specs;
    let size = |bytes: usize| bytes as u64;
    let maps = specs * size(size_of::<Spec>() + size_of::<Counters>() + size_of::<u64>())
        + u64::from(MAX_HELD) * size(size_of::<HeldStart>() + size_of::<HeldSet>() / HELD_WAYS)
        + u64::from(capacity.histograms) * size(size_of::<Histogram>())
        + STATUS_TABLES * size(size_of::<StatusTable>())
        + size(MAX_SIGNALS * (size_of::<SignalState>() + size_of::<BoostState>()))
        + u64::from(OPEN_BUCKETS) * size(size_of::<u64>())
        + TREE * TREE_ENTRY;
    Needs {
        program: PROGRAM,
        ring: config.discovery.ring_bytes,
        maps,
        caches: size(capacity.images) * IMAGE + size(capacity.remembered) * REMEMBERED + specs * SPEC,
        summary: size(MOST_OPEN) * NAME + size(MOST_FAILED) * 64 + BY_TYPE_BYTES,
        streams: stream_bytes(config.http.max_streams),
        handlers: config.handlers.iter().map(|handler| handler.queue_bytes + spool(&handler.action)).sum(),
        queues: 1 + size(config.sinks.len()),
    }
}

/// Bytes that wait for a handler's server.
fn spool(action: &Action) -> u64 {
    match action {
        Action::Http(http) => http.spool_bytes,
        Action::Command(_) | Action::Jsonl(_) => 0,
    }
}

/// A budget that is below what the agent needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error(
    "the memory budget of {budget} (resources.max_memory_mb) is below the {least} that the agent needs: {needs}; \
     raise it, or lower discovery.ring_bytes or discovery.max_specs",
    budget = Megabytes(*.budget), least = Megabytes(.needs.least())
)]
pub struct TooSmall {
    /// The budget in bytes.
    pub budget: u64,
    /// What is needed.
    pub needs: Needs,
}

impl Needs {
    /// Everything but what waits in queues.
    #[must_use]
    pub const fn fixed(&self) -> u64 {
        self.program + self.ring + self.maps + self.caches + self.summary + self.streams + self.handlers
    }

    /// The least budget with which the agent works: bytes.
    #[must_use]
    pub const fn least(&self) -> u64 {
        self.fixed() + (self.queues * LEAST_QUEUE_BYTES).div_ceil(QUEUE_SHARE.0) * QUEUE_SHARE.1
    }

    /// The bytes that each queue may hold within a budget. With a budget that is too small each has
    /// [`LEAST_QUEUE_BYTES`]; say so by [`Needs::check`].
    #[must_use]
    pub fn queue_bytes(&self, budget: &Budget) -> u64 {
        let left = budget.memory_bytes.saturating_sub(self.fixed());
        (left / QUEUE_SHARE.1 * QUEUE_SHARE.0 / self.queues.max(1)).max(LEAST_QUEUE_BYTES)
    }

    /// Whether the agent can keep to a budget, to be said at start and at each reload.
    ///
    /// # Errors
    /// It can't; with the number.
    pub fn check(&self, budget: &Budget) -> Result<(), TooSmall> {
        if budget.memory_bytes >= self.least() {
            Ok(())
        } else {
            Err(TooSmall { budget: budget.memory_bytes, needs: *self })
        }
    }
}

/// Bytes in megabytes, rounded up.
struct Megabytes(u64);

impl fmt::Display for Megabytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} MB", self.0.div_ceil(1_000_000))
    }
}

impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            ("for itself", self.program),
            ("for the ring", self.ring),
            ("for maps", self.maps),
            ("for what is known of files", self.caches),
            ("for the summary", self.summary),
            ("for streams", self.streams),
            ("for handlers", self.handlers),
            ("for queues", self.least() - self.fixed()),
        ];
        for (i, (what, bytes)) in parts.into_iter().enumerate() {
            write!(f, "{}{} {what}", if i > 0 { ", " } else { "" }, Megabytes(bytes))?;
        }
        Ok(())
    }
}
