//! What is judged by a snapshot's figures, but for the handlers.

use std::time::Duration;

use sidecar_common::Counters;

use super::super::checks::REMEMBER;
use super::super::{HttpFigures, Level, kernel};
use super::Bench;

#[test]
fn losses_degrade_their_component_for_a_minute() {
    let lost = Counters { lost: 1, ..Counters::default() };
    Bench::expect_passing("ring", "lost lately", |s| s.probes[1].counters = lost);
    Bench::expect_passing("queue", "dropped", |s| s.queue.dropped_oldest = 1);
    Bench::expect_passing("queue", "dropped", |s| s.queue.dropped_memory = 1);
    Bench::expect_passing("attachments", "got no probe", |s| s.attach_refusals = vec![("full", 1)]);
    Bench::expect_passing("sinks", "could not be written", |s| s.sinks[0].write_failed = 1);
    Bench::expect_passing("handler_h", "for want of room", |s| {
        s.runtime.as_mut().unwrap().handlers[0].counts[crate::handlers::Reason::SpoolFull as usize] = 1;
    });
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
        bench.checks.update(&bench.health, &bench.snapshot, super::THRESHOLD, bench.now);
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
    assert_eq!(
        (level, message.as_str()),
        (Level::Degraded, "stdout: can't be written: No space left on device")
    );
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
#[test]
fn several_troubles_of_sinks_are_all_told() {
    let mut bench = Bench::new();
    let mut other = bench.snapshot.sinks[0].clone();
    other.name = "/a/file".into();
    (other.queue.dropped_oldest, other.write_failed) = (1, 1);
    bench.snapshot.sinks.push(other);
    bench.snapshot.sinks[0].queue.len = 90;
    let (level, message) = bench.level("sinks");
    assert_eq!(level, Level::Degraded);
    assert_eq!(
        message,
        "stdout: its queue is over 80 % full: 90 of 100; /a/file: some events could not be written lately; /a/file: its \
         queue dropped events lately: it is too slow"
    );
}

#[test]
fn a_server_with_all_its_connections_taken_is_degraded_for_a_minute() {
    let mut bench = Bench::new();
    let mut figures = HttpFigures { places: "here".to_owned(), open: 1, limit: 64, crowded: 0, ended: false };
    let level = |bench: &mut Bench, figures: &HttpFigures| {
        bench.checks.update_http(&bench.health, figures, bench.now);
        bench.health.report(bench.now).components["http"].status
    };
    assert_eq!(level(&mut bench, &figures), Level::Healthy);
    figures.crowded = 1;
    assert_eq!(level(&mut bench, &figures), Level::Degraded);
    bench.now += REMEMBER;
    assert_eq!(level(&mut bench, &figures), Level::Healthy);
    figures.ended = true;
    assert_eq!(level(&mut bench, &figures), Level::Unhealthy);
}

/// Those that are known without checks stay, so that nothing old is taken for the state of now.
#[test]
fn without_checks_nothing_old_is_told() {
    let mut bench = Bench::new();
    bench.snapshot.queue.dropped_oldest = 1;
    bench.health.set("kernel", kernel(None));
    bench.health.beat(bench.now);
    assert_eq!(bench.level("queue").0, Level::Degraded);
    bench.health.unchecked();
    let report = bench.health.report(bench.now);
    assert_eq!(report.components.keys().collect::<Vec<_>>(), ["data_path", "kernel"]);
    assert_eq!(report.status, Level::Healthy);
}
