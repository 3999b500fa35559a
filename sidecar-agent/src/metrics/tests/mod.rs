//! The text of a scrape, read by a strict parser, against the snapshot that it was made from.

mod docs;
mod parser;

use std::sync::{Arc, Mutex};

use sidecar_common::{Counters, HISTOGRAM_BUCKETS, Histogram, Status, bucket_of};

use self::parser::{Page, parse};
use super::*;
use crate::attach::ProbeKind;
use crate::governor::{Budget, Governor};
use crate::handlers::{HandlerStats, Kind, Reason};
use crate::sinks::{QueueStats, SinkStats};

#[derive(Default)]
struct Fixed(Mutex<Snapshot>);

impl Source for Fixed {
    fn snapshot(&self) -> Snapshot {
        self.0.lock().unwrap().clone()
    }
}

fn metrics(snapshot: Snapshot) -> (Arc<Fixed>, Metrics) {
    let source = Arc::new(Fixed(Mutex::new(snapshot)));
    let build = BuildInfo { version: "1.2.3".into(), arch: "x86_64".into(), kernel_object: "abc".into() };
    (source.clone(), Metrics::new(source, build).unwrap())
}

fn page(metrics: &Metrics) -> Page {
    let text = metrics.encode().unwrap();
    parse(&text).unwrap_or_else(|error| panic!("{error}"))
}

fn counters(hits: u64) -> Counters {
    Counters {
        hits,
        kept: hits - 6,
        sampled_out: 3,
        lost: 2,
        disabled: 1,
        out_of_scope: 7,
        read_faults: 8,
        truncated: 9,
        recalled: 2,
        recall_lost: 1,
        aborted: 4,
        abort_lost: 3,
        gave_way: 6,
        ..Counters::default()
    }
}

fn test_end() -> ProbeStats {
    let mut counters = counters(20);
    counters.statuses[Status::Passed as usize] = 11;
    counters.statuses[Status::Failed as usize] = 5;
    counters.statuses[Status::Timeout as usize] = 2;
    counters.statuses[Status::Xfail as usize] = 1;
    let mut histogram = Histogram::default();
    for ns in [500, 1_000_000, 1_000_000_000, u64::MAX / 4] {
        histogram.buckets[bucket_of(ns)] += 1;
        histogram.sum_ns += ns;
    }
    ProbeStats {
        kind: ProbeKind::Marker,
        signal: "test_events".to_owned(),
        sites: 1,
        provider: "sidecar".into(),
        marker: "test_end".into(),
        event_type: "test_end".into(),
        failure_type: Some("test_failure".into()),
        is_start: false,
        has_status: true,
        counters,
        histogram: Some(histogram),
        slow_limit_ns: 0,
    }
}

fn generic(provider: &str, marker: &str, hits: u64) -> ProbeStats {
    ProbeStats {
        provider: provider.into(),
        marker: marker.into(),
        event_type: marker.replace('-', "_"),
        counters: counters(hits),
        ..ProbeStats::default()
    }
}

/// Where a function returns.
fn returns() -> ProbeStats {
    ProbeStats {
        kind: ProbeKind::Return,
        counters: Counters { unmatched: 2, ..counters(9) },
        histogram: test_end().histogram,
        ..generic("libdb.so", "query%return", 9)
    }
}

/// A snapshot in which everything there is has a value.
fn runtime() -> RuntimeFigures {
    let mut counts = [0; Reason::COUNT];
    counts[Reason::Timeout as usize] = 3;
    let handler = HandlerStats {
        name: "notify".into(),
        kind: Kind::Command,
        received: 10,
        handled: 5,
        counts,
        waiting: 1,
        in_flight: 1,
        waiting_bytes: 100,
        capacity: 1000,
        consecutive_failures: 2,
        running: true,
        last_error: None,
    };
    RuntimeFigures {
        usage: Usage {
            cpu_percent: Some(2.5),
            bpf_cpu_percent: Some(0.5),
            memory_bytes: Some(30_000_000),
            map_bytes: Some(5_000_000),
            threads: Some(9),
        },
        governor: Governor::new(Budget { cpu_percent: 5.0, memory_bytes: 100_000_000 }).view(),
        handlers: vec![handler],
        reloads: 4,
        reloads_refused: 1,
        last_reload_succeeded: false,
        last_reload_ns: 1_700_000_000_500_000_000,
        streams: 2,
        stream_events: StreamEvents { offered: 30, taken: 15, lost: 8, left: 4, waiting: 3 },
        enabled: true,
        gate: Some(GateFigures {
            state: GateState::Holding,
            outcomes: vec![("answered", 12), ("expired", 2)],
            waiting: 3,
            missed: 2,
            longest_ns: 51_000_000,
            filesystems: 4,
            left_out: 1,
        }),
    }
}

#[test]
fn the_runtimes_figures_are_in_the_text_and_what_is_not_known_is_not() {
    let page = page(&metrics(full()).1);
    for (series, value) in [
        (r#"sidecar_anomalies_total{signal="events"}"#, 6.0),
        (r#"sidecar_boosts_total{signal="events"}"#, 2.0),
        (r#"sidecar_boosts_refused_total{signal="events"}"#, 1.0),
        (r#"sidecar_signal_boosted{signal="events"}"#, 1.0),
        ("sidecar_cpu_usage_ratio", 0.025),
        ("sidecar_cpu_budget_ratio", 0.05),
        ("sidecar_memory_usage_bytes", 30e6),
        ("sidecar_governor_step", 0.0),
        (r#"sidecar_handler_events_total{handler="notify",outcome="handled"}"#, 5.0),
        (r#"sidecar_handler_events_total{handler="notify",outcome="timeout"}"#, 3.0),
        (r#"sidecar_errors_total{component="handlers"}"#, 3.0),
        (r#"sidecar_config_reloads_total{outcome="refused"}"#, 1.0),
        ("sidecar_config_last_reload_successful", 0.0),
        ("sidecar_config_last_reload_timestamp_seconds", 1_700_000_000.5),
        (r#"sidecar_handler_events_received_total{handler="notify"}"#, 10.0),
        (r#"sidecar_handler_events_in_flight{handler="notify"}"#, 1.0),
        ("sidecar_stream_events_offered_total", 30.0),
        ("sidecar_stream_events_taken_total", 15.0),
        ("sidecar_stream_events_lost_total", 8.0),
        ("sidecar_stream_events_left_total", 4.0),
        ("sidecar_stream_events_waiting", 3.0),
        ("sidecar_enabled", 1.0),
        ("sidecar_gate_holding", 1.0),
        (r#"sidecar_gate_execs_total{outcome="answered"}"#, 12.0),
        (r#"sidecar_gate_execs_total{outcome="expired"}"#, 2.0),
        ("sidecar_gate_waiting", 3.0),
        ("sidecar_gate_longest_wait_seconds", 0.051),
    ] {
        assert_eq!(page.value(series), Some(value), "{series}");
    }
    let unknown = RuntimeFigures { usage: Usage::default(), ..runtime() };
    let page = self::page(&metrics(Snapshot { runtime: Some(unknown), ..Snapshot::default() }).1);
    assert_eq!(page.value("sidecar_cpu_usage_ratio"), None, "not known is not 0");
}

fn full() -> Snapshot {
    let queue = QueueStats {
        capacity: 10_000,
        len: 17,
        high_water: 300,
        received: 50,
        processed: 20,
        dropped_oldest: 4,
        dropped_newest: 5,
        dropped_shutdown: 6,
        dropped_memory: 7,
        max_bytes: 1 << 24,
        bytes: 20_000,
    };
    Snapshot {
        runtime: Some(runtime()),
        boosts: vec![SignalBoost {
            signal: "events".into(),
            anomalies: 6,
            boosts: 2,
            refused: 1,
            boosted: true,
        }],
        probes: vec![
            returns(),
            test_end(),
            ProbeStats { is_start: true, ..generic("nextest", "run-start", 30) },
        ],
        attached_images: 3,
        attached_sites: 12,
        attach_refusals: vec![("not_elf", 2)],
        folders: FolderStats { watched: 5, unwatched: 6, rescans: 7 },
        ring_bytes: 1 << 20,
        sampling_rates: vec![("events".into(), 0.1), ("mine".into(), 1.0)],
        reader_wakeups: 40,
        records_received: 41,
        decode_errors: vec![("truncated", 1), ("kind", 2)],
        process_lost: 13,
        queue,
        in_flight: 3,
        sinks: vec![SinkStats {
            name: "stdout".into(),
            written: 70,
            write_failed: 8,
            serialize_failed: 1,
            write_errors: 2,
            queue,
            ..SinkStats::default()
        }],
        errors: vec![("attach", 9)],
    }
}

#[test]
fn every_figure_of_the_snapshot_is_in_the_text() {
    let page = page(&metrics(full()).1);
    for (series, value) in [
        (r#"sidecar_events_total{event_type="test_end",status="passed"}"#, 11.0),
        (r#"sidecar_events_total{event_type="test_failure",status="failed"}"#, 5.0),
        (r#"sidecar_events_total{event_type="test_failure",status="timeout"}"#, 2.0),
        (r#"sidecar_events_total{event_type="test_failure",status="error"}"#, 0.0),
        (r#"sidecar_events_total{event_type="test_end",status="xfail"}"#, 1.0),
        (r#"sidecar_events_total{event_type="run_start",status=""}"#, 29.0),
        (r#"sidecar_hits_total{provider="nextest",marker="run-start"}"#, 30.0),
        (r#"sidecar_kept_total{provider="nextest",marker="run-start"}"#, 24.0),
        (r#"sidecar_sampled_out_total{provider="nextest",marker="run-start"}"#, 3.0),
        (r#"sidecar_lost_total{provider="nextest",marker="run-start"}"#, 2.0),
        (r#"sidecar_disabled_total{provider="nextest",marker="run-start"}"#, 1.0),
        (r#"sidecar_out_of_scope_total{provider="nextest",marker="run-start"}"#, 7.0),
        (r#"sidecar_read_faults_total{provider="nextest",marker="run-start"}"#, 8.0),
        (r#"sidecar_truncated_total{provider="nextest",marker="run-start"}"#, 9.0),
        (r#"sidecar_recalled_total{provider="nextest",marker="run-start"}"#, 2.0),
        (r#"sidecar_recall_lost_total{provider="nextest",marker="run-start"}"#, 1.0),
        (r#"sidecar_function_duration_seconds_count{provider="libdb.so",marker="query"}"#, 4.0),
        (
            r#"sidecar_function_calls_untimed_total{provider="libdb.so",marker="query",reason="unmatched"}"#,
            2.0,
        ),
        (r#"sidecar_aborted_total{provider="nextest",marker="run-start"}"#, 4.0),
        (r#"sidecar_abort_lost_total{provider="nextest",marker="run-start"}"#, 3.0),
        (r#"sidecar_held_gave_way_total{provider="nextest",marker="run-start"}"#, 6.0),
        (r#"sidecar_events_total{event_type="test_failure",status="aborted"}"#, 7.0),
        ("sidecar_attached_images", 3.0),
        ("sidecar_attached_sites", 12.0),
        (r#"sidecar_attach_refusals_total{reason="not_elf"}"#, 2.0),
        ("sidecar_watched_folders", 5.0),
        ("sidecar_unwatched_folders_total", 6.0),
        ("sidecar_folder_rescans_total", 7.0),
        (r#"sidecar_events_dropped_total{reason="queue_full_oldest"}"#, 8.0),
        (r#"sidecar_events_dropped_total{reason="queue_full_newest"}"#, 10.0),
        (r#"sidecar_events_dropped_total{reason="shutdown"}"#, 12.0),
        (r#"sidecar_events_dropped_total{reason="memory"}"#, 14.0),
        ("sidecar_queue_bytes", 20_000.0),
        ("sidecar_queue_max_bytes", 16_777_216.0),
        (r#"sidecar_events_dropped_total{reason="write_failed"}"#, 8.0),
        (r#"sidecar_events_dropped_total{reason="serialize_failed"}"#, 1.0),
        ("sidecar_records_processed_total", 20.0),
        ("sidecar_records_in_flight", 3.0),
        (r#"sidecar_records_dropped_total{reason="queue_full_oldest"}"#, 4.0),
        (r#"sidecar_records_dropped_total{reason="kind"}"#, 2.0),
        (r#"sidecar_sink_events_received_total{sink="stdout"}"#, 50.0),
        (r#"sidecar_sink_events_written_total{sink="stdout"}"#, 70.0),
        (r#"sidecar_sink_events_dropped_total{sink="stdout",reason="queue_full_oldest"}"#, 4.0),
        (r#"sidecar_sink_queue_size{sink="stdout"}"#, 17.0),
        (r#"sidecar_errors_total{component="sinks"}"#, 3.0),
        (r#"sidecar_errors_total{component="decode"}"#, 3.0),
        (r#"sidecar_errors_total{component="attach"}"#, 9.0),
        (r#"sidecar_decode_errors_total{reason="kind"}"#, 2.0),
        ("sidecar_queue_size", 17.0),
        ("sidecar_queue_capacity", 10_000.0),
        ("sidecar_queue_high_water", 300.0),
        (r#"sidecar_sampling_rate_ratio{signal="events"}"#, 0.1),
        ("sidecar_ring_size_bytes", 1_048_576.0),
        ("sidecar_reader_wakeups_total", 40.0),
        ("sidecar_records_received_total", 41.0),
        ("sidecar_process_events_lost_total", 13.0),
    ] {
        assert_eq!(page.value(series), Some(value), "{series}");
    }
    let abi = sidecar_common::ABI_VERSION;
    let build = format!(
        r#"sidecar_build_info{{version="1.2.3",arch="x86_64",kernel_abi="{abi}",kernel_object="abc"}}"#
    );
    assert_eq!(page.value(&build), Some(1.0));
}

#[test]
fn the_histogram_is_cumulative_in_seconds() {
    let page = page(&metrics(full()).1);
    let labels = r#"provider="sidecar",marker="test_end""#;
    let bucket =
        |le: &str| page.value(&format!("sidecar_test_duration_seconds_bucket{{{labels},le=\"{le}\"}}"));
    assert_eq!(bucket("0.000001024"), Some(1.0));
    assert_eq!(bucket("0.000524288"), Some(1.0));
    assert_eq!(bucket("0.001048576"), Some(2.0));
    assert_eq!(bucket("4398.046511104"), Some(3.0));
    assert_eq!(bucket("+Inf"), Some(4.0));
    assert_eq!(page.value(&format!("sidecar_test_duration_seconds_count{{{labels}}}")), Some(4.0));
    let sum = page.value(&format!("sidecar_test_duration_seconds_sum{{{labels}}}")).unwrap();
    assert!((sum - (u64::MAX / 4) as f64 / 1e9).abs() < 10.0, "{sum}");
    let buckets = page.names().filter(|name| *name == "sidecar_test_duration_seconds_bucket").count();
    assert_eq!(buckets, HISTOGRAM_BUCKETS);
}

#[test]
fn hostile_names_stay_inside_their_label() {
    let evil = "a\"} 1\nfake_metric{x=\"\\\r\u{0}é";
    let mut snapshot = full();
    snapshot.probes = vec![generic(evil, evil, 10)];
    snapshot.sampling_rates = vec![(evil.into(), 0.5)];
    snapshot.sinks[0].name = evil.into();
    let page = page(&metrics(snapshot).1);
    assert!(page.names().all(|name| name.starts_with("sidecar_") || name.starts_with("process_")));
    let seen = "a\\\"} 1\u{fffd}fake_metric{x=\\\"\\\\\u{fffd}\u{fffd}é";
    assert_eq!(
        page.value(&format!(r#"sidecar_hits_total{{provider="{seen}",marker="{seen}"}}"#)),
        Some(10.0)
    );
}

#[test]
fn probes_with_the_same_names_are_one_series() {
    let mut snapshot = full();
    snapshot.probes = vec![generic("p", "m", 10), generic("p", "m", 20), test_end(), test_end()];
    let page = page(&metrics(snapshot).1);
    assert_eq!(page.value(r#"sidecar_hits_total{provider="p",marker="m"}"#), Some(30.0));
    let count = r#"sidecar_test_duration_seconds_count{provider="sidecar",marker="test_end"}"#;
    assert_eq!(page.value(count), Some(8.0));
}

/// 10,000 markers with durations: the text is bounded, nothing is missing from the sums, and a series that
/// was there stays itself when the order changes.
#[test]
fn series_are_capped_and_the_rest_is_added_up_as_other() {
    let mut snapshot = full();
    snapshot.probes = (0..10_000)
        .map(|i| ProbeStats { histogram: Some(Histogram::default()), ..generic("p", &format!("m{i}"), 10) })
        .collect();
    let (source, metrics) = metrics(snapshot);
    let first = page(&metrics);
    // One series "other" for each family comes on top, and the runtime's own, which are few and fixed.
    let outside = first.len() - page(&self::metrics(Snapshot::default()).1).len();
    assert!((MAX_SERIES - 100..MAX_SERIES + 200).contains(&outside), "{outside}");
    let total: f64 = first.sum("sidecar_hits_total");
    assert_eq!(total, 100_000.0);
    assert_eq!(first.value(r#"sidecar_hits_total{provider="p",marker="m0"}"#), Some(10.0));
    assert!(first.value(r#"sidecar_hits_total{provider="other",marker="other"}"#).unwrap() > 90_000.0);

    source.0.lock().unwrap().probes.reverse();
    assert_eq!(page(&metrics), first);
}

#[test]
fn a_source_that_knows_nothing_yet_gives_a_text_that_parses() {
    let page = page(&metrics(Snapshot::default()).1);
    assert_eq!(page.value("sidecar_queue_size"), Some(0.0));
    assert_eq!(page.value(r#"sidecar_events_dropped_total{reason="write_failed"}"#), Some(0.0));
}

#[test]
fn the_process_has_its_own_metrics_and_its_cpu_time_has_fractions() {
    let (_, metrics) = metrics(Snapshot::default());
    let page = page(&metrics);
    let names: Vec<_> = page.names().filter(|name| name.starts_with("process_")).collect();
    assert_eq!(names.len(), 7, "{names:?}");
    let seconds = page.value("process_cpu_seconds_total").unwrap();
    assert!(seconds > 0.0 && page.value("process_resident_memory_bytes").unwrap() > 0.0);
    // Whole microseconds, which the crate's own figure (whole seconds) can't tell apart for so young a process.
    assert!((seconds * 1e6 - (seconds * 1e6).round()).abs() < 1e-3);
    assert!(page.value("process_start_time_seconds").unwrap() > 1.6e9);
}
