//! What the figures of a [`Snapshot`] say about the components.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::registry::Health;
use super::report::Component;
use crate::metrics::Snapshot;
use crate::sinks::{QueueStats, SinkStats};

/// A loss keeps its component degraded for so long after it was last seen to grow.
const REMEMBER: Duration = Duration::from_secs(60);

/// Reasons of refusals that hide a wanted marker. The others are those of files that can't be watched at all, of which
/// a node may have any number, and anybody may bring more.
const TROUBLES: [&str; 3] = ["changed", "full", "kernel"];

/// Share of a queue's capacity, in percent, above which it is degraded.
const FULL_PERCENT: u64 = 80;

/// The component `kernel`: the reason why BPF is unavailable, or none.
#[must_use]
pub fn kernel(unavailable: Option<&str>) -> Component {
    match unavailable {
        None => Component::healthy("the kernel programs are loaded"),
        Some(reason) => Component::degraded(format!("nothing is observed: {reason}")),
    }
}

/// Compares each snapshot with the ones before it. Call [`Checks::update`] every few seconds.
#[derive(Debug, Default)]
pub struct Checks {
    losses: HashMap<String, Loss>,
    /// Wake-ups of the ring's reader and records that it took, as last seen.
    pulse: (u64, u64),
}

/// A counter of something bad, and when it was last seen to grow.
#[derive(Debug)]
struct Loss {
    total: u64,
    grew: Option<Instant>,
}

impl Checks {
    /// Sets the components `attachments`, `ring`, `queue` and `sinks`, and the queue's figures. That the reader of
    /// the ring has woken up since the last time (it does twice a second at least) is the sign of life of the path
    /// of events ([`Health::beat`]).
    pub fn update(&mut self, health: &Health, snapshot: &Snapshot, now: Instant) {
        let pulse = (snapshot.reader_wakeups, snapshot.records_received);
        if pulse != std::mem::replace(&mut self.pulse, pulse) {
            health.beat(now);
        }
        health.set_queue(snapshot.queue);
        health.set("attachments", self.attachments(snapshot, now));
        health.set("ring", self.ring(snapshot, now));
        health.set("queue", self.queue(&snapshot.queue, now));
        health.set("sinks", self.sinks(&snapshot.sinks, now));
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
        let component = if self.grew("attachments", count(Some(&TROUBLES)), now) {
            Component::degraded("programs with wanted markers got no probe lately; the log says why")
        } else {
            Component::healthy(format!("{sites} sites in {images} files"))
        };
        component.count("images", images).count("sites", sites).count("refusals", refusals)
    }

    fn ring(&mut self, snapshot: &Snapshot, now: Instant) -> Component {
        let lost = snapshot.probes.iter().map(|probe| probe.counters.lost).sum();
        let component = if self.grew("ring", lost, now) {
            Component::degraded(
                "records were lost lately, because the ring was full: lower the sampling rates",
            )
        } else {
            Component::healthy("no record was lost lately")
        };
        component.count("lost", lost).count("size_bytes", snapshot.ring_bytes)
    }

    fn queue(&mut self, queue: &QueueStats, now: Instant) -> Component {
        let component = match self.queue_trouble("queue", queue, now) {
            Some(trouble) => Component::degraded(trouble),
            None => Component::healthy("has room"),
        };
        component.count("size", queue.len).count("capacity", queue.capacity).count("dropped", queue.dropped())
    }

    fn sinks(&mut self, sinks: &[SinkStats], now: Instant) -> Component {
        let mut troubles = Vec::new();
        for sink in sinks {
            let name = &sink.name;
            // Judged before the error, so that the counts are compared every time.
            let queue = self.queue_trouble(&format!("sink queue {name}"), &sink.queue, now);
            let failed = self.grew(&format!("sink {name}"), sink.write_failed + sink.serialize_failed, now);
            if let Some(error) = &sink.last_error {
                troubles.push(format!("{name}: {error}"));
            } else if failed {
                troubles.push(format!("{name}: events could not be written lately"));
            }
            troubles.extend(queue.map(|trouble| format!("{name}: its queue {trouble}")));
        }
        let component = if troubles.is_empty() {
            Component::healthy(format!("{} working", sinks.len()))
        } else {
            Component::degraded(troubles.join("; "))
        };
        let dropped = |sink: &SinkStats| sink.queue.dropped() + sink.write_failed + sink.serialize_failed;
        component
            .count("written", sinks.iter().map(|sink| sink.written).sum())
            .count("dropped", sinks.iter().map(dropped).sum())
    }

    fn queue_trouble(&mut self, name: &str, queue: &QueueStats, now: Instant) -> Option<String> {
        if self.grew(name, queue.dropped(), now) {
            Some("dropped events lately: what follows it is too slow, or max_queue_size too small".to_owned())
        } else if queue.bytes * 100 > queue.max_bytes * FULL_PERCENT {
            Some(format!("is over {FULL_PERCENT} % full: {} of {} bytes", queue.bytes, queue.max_bytes))
        } else if queue.len * 100 > queue.capacity * FULL_PERCENT {
            Some(format!("is over {FULL_PERCENT} % full: {} of {}", queue.len, queue.capacity))
        } else {
            None
        }
    }

    /// Whether the counter has grown within [`REMEMBER`]. What it had at first counts as growth from zero.
    fn grew(&mut self, name: &str, total: u64, now: Instant) -> bool {
        let loss = self.losses.entry(name.to_owned()).or_insert(Loss { total: 0, grew: None });
        if total > loss.total {
            loss.grew = Some(now);
        }
        loss.total = total;
        loss.grew.is_some_and(|at| now.saturating_duration_since(at) < REMEMBER)
    }
}

#[cfg(test)]
mod tests {
    use sidecar_common::Counters;

    use super::super::report::Level;
    use super::*;
    use crate::metrics::ProbeStats;

    struct Bench {
        health: Health,
        checks: Checks,
        now: Instant,
        snapshot: Snapshot,
    }

    impl Bench {
        fn new() -> Self {
            let now = Instant::now();
            let queue = QueueStats { capacity: 100, ..QueueStats::default() };
            let sink = SinkStats { name: "stdout".into(), queue, ..SinkStats::default() };
            let probes = vec![ProbeStats::default(), ProbeStats::default()];
            let snapshot = Snapshot { queue, sinks: vec![sink], probes, ..Snapshot::default() };
            Self { health: Health::new(now, &[]), checks: Checks::default(), now, snapshot }
        }

        fn level(&mut self, component: &str) -> (Level, String) {
            self.checks.update(&self.health, &self.snapshot, self.now);
            let found = self.health.report(self.now).components.remove(component).unwrap();
            (found.status, found.message)
        }

        /// Applies the trouble, expects it in the component, and that it is gone a minute later.
        fn expect_passing(component: &str, says: &str, trouble: impl Fn(&mut Snapshot)) {
            let mut bench = Self::new();
            assert_eq!(bench.level(component).0, Level::Healthy);
            trouble(&mut bench.snapshot);
            let (level, message) = bench.level(component);
            assert!(level == Level::Degraded && message.contains(says), "{level:?} {message}");
            bench.now += REMEMBER - Duration::from_millis(1);
            assert_eq!(bench.level(component).0, Level::Degraded);
            bench.now += Duration::from_millis(1);
            assert_eq!(bench.level(component).0, Level::Healthy);
        }
    }

    #[test]
    fn losses_degrade_their_component_for_a_minute() {
        let lost = Counters { lost: 1, ..Counters::default() };
        Bench::expect_passing("ring", "lost lately", |s| s.probes[1].counters = lost);
        Bench::expect_passing("queue", "dropped", |s| s.queue.dropped_oldest = 1);
        Bench::expect_passing("queue", "dropped", |s| s.queue.dropped_memory = 1);
        Bench::expect_passing("attachments", "got no probe", |s| s.attach_refusals = vec![("full", 1)]);
        Bench::expect_passing("sinks", "could not be written", |s| s.sinks[0].write_failed = 1);
        Bench::expect_passing("sinks", "its queue dropped", |s| s.sinks[0].queue.dropped_newest = 1);
    }

    #[test]
    fn files_that_nobody_could_watch_are_counted_and_no_trouble() {
        let mut bench = Bench::new();
        bench.snapshot.attach_refusals = vec![("unusable", 7), ("foreign", 1)];
        assert_eq!(bench.level("attachments").0, Level::Healthy);
    }

    #[test]
    fn the_path_of_events_lives_while_the_reader_of_the_ring_does() {
        let mut bench = Bench::new();
        let alive = |bench: &mut Bench| {
            bench.checks.update(&bench.health, &bench.snapshot, bench.now);
            bench.health.report(bench.now).components.get("data_path").map(|found| found.status)
        };
        assert_eq!(alive(&mut bench), None, "nothing is read without BPF");
        bench.snapshot.reader_wakeups = 1;
        assert_eq!(alive(&mut bench), Some(Level::Healthy));
        bench.now += Duration::from_secs(60);
        assert_eq!(alive(&mut bench), Some(Level::Degraded), "it has not woken up for a minute");
        bench.snapshot.records_received = 1;
        assert_eq!(alive(&mut bench), Some(Level::Healthy));
    }

    #[test]
    fn a_loss_that_goes_on_keeps_the_component_degraded() {
        let mut bench = Bench::new();
        for lost in 1..10 {
            bench.snapshot.probes[0].counters.lost = lost;
            assert_eq!(bench.level("ring").0, Level::Degraded);
            bench.now += REMEMBER;
        }
        assert_eq!(bench.level("ring").0, Level::Healthy);
    }

    #[test]
    fn a_queue_over_eighty_percent_is_degraded() {
        let mut bench = Bench::new();
        bench.snapshot.queue.len = 80;
        assert_eq!(bench.level("queue").0, Level::Healthy);
        bench.snapshot.queue.len = 81;
        assert_eq!(bench.level("queue"), (Level::Degraded, "is over 80 % full: 81 of 100".to_owned()));
        let queue = &mut bench.snapshot.queue;
        (queue.len, queue.bytes, queue.max_bytes) = (1, 80, 100);
        assert_eq!(bench.level("queue").0, Level::Healthy);
        bench.snapshot.queue.bytes = 81;
        assert_eq!(bench.level("queue"), (Level::Degraded, "is over 80 % full: 81 of 100 bytes".to_owned()));
    }

    #[test]
    fn a_failing_sink_is_named_with_its_error_until_it_writes_again() {
        let mut bench = Bench::new();
        bench.snapshot.sinks[0].last_error = Some("No space left on device".to_owned());
        let (level, message) = bench.level("sinks");
        assert_eq!((level, message.as_str()), (Level::Degraded, "stdout: No space left on device"));
        bench.snapshot.sinks[0].last_error = None;
        assert_eq!(bench.level("sinks").0, Level::Healthy);
    }

    #[test]
    fn an_agent_without_bpf_is_degraded_with_the_reason() {
        assert_eq!(kernel(None).status, Level::Healthy);
        let component = kernel(Some("not permitted (run as root)"));
        assert_eq!(component.status, Level::Degraded);
        assert!(component.message.contains("run as root"));
    }
}
