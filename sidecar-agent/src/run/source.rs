//! What a scrape of the node's agent reads: the observer's state, and the sinks'.

use std::sync::{Arc, OnceLock};

use super::fan_out::Line;
use crate::{
    metrics::{Snapshot, Source},
    sinks::{Queue, SinkProbe, SinkStats},
};

/// A sink's counters.
pub(super) struct SinkHandle {
    probe: SinkProbe,
    queue: Arc<Queue<Line>>,
}

impl SinkHandle {
    pub(super) fn new(probe: SinkProbe, queue: Arc<Queue<Line>>) -> Self {
        Self { probe, queue }
    }

    fn stats(&self) -> SinkStats {
        self.probe.stats(self.queue.stats())
    }
}

/// The state of the whole agent. Until there is an observer everything that it would count is zero.
pub(super) struct NodeSource {
    observer: OnceLock<Arc<dyn Source>>,
    sinks: Vec<SinkHandle>,
}

impl NodeSource {
    pub(super) fn new(sinks: Vec<SinkHandle>) -> Self {
        Self { observer: OnceLock::new(), sinks }
    }

    /// Counts come from this observer from now on. There is one in an agent's life.
    pub(super) fn observe(&self, observer: Arc<dyn Source>) {
        self.observer.get_or_init(|| observer);
    }
}

impl Source for NodeSource {
    fn snapshot(&self) -> Snapshot {
        let mut snapshot = self.observer.get().map(|observer| observer.snapshot()).unwrap_or_default();
        snapshot.sinks = self.sinks.iter().map(SinkHandle::stats).collect();
        snapshot
    }
}
