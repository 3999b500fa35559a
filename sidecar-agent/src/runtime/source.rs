//! What a scrape of the agent reads: the observer's state, the sinks', and the runtime's own.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use super::{core::Core, fan_out::Line};
use crate::{
    handlers::Handlers,
    metrics::{RuntimeFigures, Snapshot, Source, Usage},
    profiler,
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
    pub(super) handlers: Arc<Handlers>,
    usage: Mutex<Usage>,
    core: OnceLock<Weak<Core>>,
}

impl NodeSource {
    pub(super) fn new(sinks: Vec<SinkHandle>, handlers: Arc<Handlers>) -> Self {
        Self { observer: OnceLock::new(), sinks, handlers, usage: Mutex::default(), core: OnceLock::new() }
    }

    /// From now on there is something to count.
    pub(super) fn observe(&self, observer: Arc<dyn Source>) {
        // The first one stays: an agent loads the kernel side once.
        let _ = self.observer.set(observer);
    }

    /// The agent that this is the source of.
    pub(super) fn belongs_to(&self, core: &Arc<Core>) {
        let _ = self.core.set(Arc::downgrade(core));
    }

    /// Other limits for the queues before the sinks.
    pub(super) fn set_sink_limits(&self, max_items: usize, max_bytes: u64, drop_oldest: bool) {
        let bytes = usize::try_from(max_bytes).unwrap_or(usize::MAX);
        self.sinks.iter().for_each(|sink| sink.queue.set_limits(max_items, bytes, drop_oldest));
    }

    /// The agent's own cost as measured last.
    pub(super) fn set_usage(&self, snapshot: &profiler::Snapshot) {
        let usage = Usage {
            cpu_percent: snapshot.cpu_percent,
            bpf_cpu_percent: snapshot.cpu.programs,
            memory_bytes: snapshot.memory_bytes,
            map_bytes: snapshot.memory.maps,
            threads: snapshot.thread_count,
        };
        *self.usage.lock().unwrap_or_else(PoisonError::into_inner) = usage;
    }
}

impl Source for NodeSource {
    fn snapshot(&self) -> Snapshot {
        let mut snapshot = self.observer.get().map(|observer| observer.snapshot()).unwrap_or_default();
        snapshot.sinks = self.sinks.iter().map(SinkHandle::stats).collect();
        if let Some(core) = self.core.get().and_then(Weak::upgrade) {
            let view = core.governor().view();
            let (reloads, refused, last_ok, loaded_ns) = {
                let in_force = core.in_force();
                let last_ok = in_force.last_refusal.is_none();
                (in_force.reloads, in_force.refused, last_ok, in_force.loaded_ns)
            };
            snapshot.runtime = Some(RuntimeFigures {
                usage: *self.usage.lock().unwrap_or_else(PoisonError::into_inner),
                governor: view,
                handlers: self.handlers.stats(),
                reloads,
                reloads_refused: refused,
                last_reload_succeeded: last_ok,
                last_reload_ns: loaded_ns,
                streams: core.hub.subscribers() as u64,
                stream_events: core.hub.stats(),
                enabled: core.is_enabled(),
                gate: core.first_events.figures(),
            });
        }
        snapshot
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sinks::JsonlSink;

    #[test]
    fn sinks_queues_get_the_limits_of_a_reload() {
        let queue = Arc::new(Queue::bounded(100, 1 << 20, Line::weight, true));
        let probe = JsonlSink::to("sink".to_owned(), Box::new(std::io::sink())).probe();
        let handle = SinkHandle::new(probe, Arc::clone(&queue));
        let source = NodeSource::new(vec![handle], Arc::new(Handlers::new()));
        source.set_sink_limits(2, 1 << 16, false);
        let line = || Line { text: bytes::Bytes::from_static(b"{}"), precious: false };
        queue.push_all(&mut vec![line(), line(), line()]);
        let found = &source.snapshot().sinks[0].queue;
        assert_eq!((found.capacity, found.max_bytes, found.len, found.dropped_newest), (2, 1 << 16, 2, 1));
    }
}
