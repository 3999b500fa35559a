//! docs/compatibility.md names what exists, leaves nothing out, and says what is in force.

use std::collections::BTreeSet;

use crate::config::{KEYS, Key};

const DOCUMENT: &str = include_str!("../../../docs/compatibility.md");

/// The keys of the other sidecar: its documents' and its shipped file's.
const THEIR_KEYS: [&str; 44] = [
    "enabled",
    "sampling.enabled",
    "sampling.events",
    "sampling.traces",
    "sampling.profiling",
    "sampling.test_events",
    "sampling.perf_metrics",
    "sampling.debug_logs",
    "sampling.adaptive",
    "sampling.adaptive.enabled",
    "sampling.adaptive.boost_factor",
    "sampling.adaptive.boost_duration",
    "resources.max_queue_size",
    "resources.max_cpu_percent",
    "resources.max_memory_mb",
    "resources.drop_on_full",
    "profiling.enabled",
    "profiling.sampling_interval",
    "profiling.deep_profiling",
    "profiling.deep_duration_sec",
    "health_checks.enabled",
    "health_checks.interval_sec",
    "health_checks.failure_threshold",
    "queue.max_size",
    "queue.drop_on_full",
    "sampling.rates.events",
    "sampling.rates.logs",
    "sampling.rates.profiling",
    "sampling.rates.metrics",
    "sampling.rates.traces",
    "sampling.signals.test_events",
    "sampling.signals.perf_metrics",
    "sampling.signals.debug_logs",
    "sampling.signals.flaky_signals",
    "sampling.signals.error_logs",
    "adaptive.boost_duration_seconds",
    "adaptive.anomaly_threshold",
    "resources.on_cpu_exceeded",
    "resources.on_memory_exceeded",
    "health.bind",
    "health.port",
    "metrics.labels.environment",
    "metrics.labels.version",
    "metrics.labels.product",
];

struct Row {
    there: String,
    here: String,
    verdict: String,
    state: String,
}

fn split(line: &str) -> Vec<&str> {
    line.strip_prefix('|')
        .and_then(|line| line.strip_suffix('|'))
        .unwrap()
        .split('|')
        .map(str::trim)
        .collect()
}

/// The rows of the table under a heading.
fn rows(heading: &str) -> Vec<Row> {
    let (_, rest) = DOCUMENT.split_once(&format!("## {heading}\n")).unwrap();
    let part = rest.split("\n## ").next().unwrap();
    let lines = part.lines().filter(|line| line.starts_with("| ")).skip(2);
    let cell = |text: &str| text.trim().trim_matches('`').to_owned();
    lines
        .map(|line| {
            let cells: Vec<&str> = split(line);
            assert_eq!(cells.len(), 5, "{line}");
            Row {
                there: cell(cells[0]),
                here: cell(cells[1]),
                verdict: cell(cells[2]),
                state: cell(cells[3]),
            }
        })
        .collect()
}

fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

#[test]
fn every_row_has_a_verdict_and_a_state() {
    for (i, line) in DOCUMENT.lines().enumerate().filter(|(_, line)| line.starts_with("| ")) {
        if line.starts_with("| there ") || line.starts_with("| --- ") {
            continue;
        }
        let cells: Vec<&str> = split(line);
        assert_eq!(cells.len(), 5, "line {}: {line}", i + 1);
        assert!(["same", "renamed", "better", "none"].contains(&cells[2]), "line {}", i + 1);
        assert!(["now", "later"].contains(&cells[3]), "line {}", i + 1);
        assert!(cells[2] != "none" || !cells[4].is_empty(), "line {} says why", i + 1);
    }
}

#[test]
fn every_key_there_has_a_row_and_every_key_here_exists() {
    let rows = rows("Configuration keys");
    let there: BTreeSet<_> = rows.iter().map(|row| row.there.as_str()).collect();
    let missing: Vec<_> = THEIR_KEYS.iter().filter(|key| !there.contains(**key)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    for row in rows.iter().filter(|row| row.here != "the same") {
        let key = find(&row.here);
        // Any name under `sampling` can be a signal.
        let signal = row.here.strip_prefix("sampling.").is_some_and(|name| !name.contains('.'));
        assert!(key.is_some() || signal, "{} is no key", row.here);
        if key.is_some() {
            assert_eq!(row.state, "now", "{}", row.there);
        }
        let same_name = row.there == row.here;
        assert!(!same_name || row.verdict != "renamed", "{}", row.there);
    }
}

/// A name that is not a key here is answered with what the table says.
#[test]
fn names_that_are_renamed_or_gone_are_refused_with_a_word() {
    for row in rows("Configuration keys") {
        if row.here == "the same" || find(&row.there).is_some() || row.there == "sampling.adaptive" {
            continue;
        }
        let names: Vec<&str> = row.there.split('.').collect();
        let text = names.iter().rev().fold("1".to_owned(), |inside, name| format!("{{{name}: {inside}}}"));
        let file = crate::config::FileText { name: "f".to_owned(), text: format!("sidecar: {text}") };
        let sources = crate::config::Sources { file: Some(&file), ..Default::default() };
        let error = crate::config::load(&sources).unwrap_err().to_string();
        let says = if row.verdict == "none" { "is no key here" } else { "renamed: " };
        assert!(error.contains(&row.there) && error.contains(says), "{error}");
        assert!(row.verdict == "none" || error.contains(&row.here), "{error}");
    }
}

#[test]
fn the_variables_are_those_that_are_read() {
    let rows = rows("Environment variables");
    let named: BTreeSet<&str> = rows.iter().map(|row| row.here.as_str()).collect();
    let read: BTreeSet<_> = KEYS.iter().filter_map(|key| key.env).collect();
    assert_eq!(named, read);
    for row in rows {
        let key = KEYS.iter().find(|key| key.env == Some(&row.here)).unwrap();
        assert_eq!(row.state, "now", "{} of {}", row.here, key.name);
    }
}

#[test]
fn metrics_that_are_there_now_are_described() {
    let described = include_str!("../../../docs/metrics.md");
    for row in rows("Metrics").iter().chain(&rows("Dashboard panels")) {
        let there = described.contains(&format!("`{}`", row.here));
        assert_eq!(there, row.state == "now", "{}", row.here);
    }
}
