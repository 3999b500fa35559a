//! The registry: the whole from its components, silence on the path of events, readiness.

use std::time::{Duration, Instant};

use serde_json::json;

use super::super::registry::{Health, STALLED_DEGRADED, STALLED_UNHEALTHY};
use super::super::report::{Component, Level, Resources, Step};
use super::super::states::DATA_PATH;
use crate::sinks::QueueStats;

#[test]
fn the_whole_is_as_bad_as_its_worst_component() {
    let start = Instant::now();
    let health = Health::new(start, &[]);
    let status = || health.report(start).status;
    assert_eq!(status(), Level::Healthy);
    health.set("a", Component::made_up(Level::Healthy, "fine"));
    health.set("b", Component::made_up(Level::Degraded, "so so"));
    assert_eq!(status(), Level::Degraded);
    health.set("c", Component::made_up(Level::Unhealthy, "no"));
    assert_eq!(status(), Level::Unhealthy);
    health.set("c", Component::made_up(Level::Degraded, "better"));
    assert_eq!(status(), Level::Degraded);
    for name in ["b", "c"] {
        health.set(name, Component::made_up(Level::Healthy, "fine again"));
    }
    assert_eq!(status(), Level::Healthy);
}

#[test]
fn the_report_has_the_documented_shape() {
    let start = Instant::now();
    let health = Health::new(start, &[]);
    health.set(
        "ring",
        Component::made_up(Level::Healthy, "nothing lost").count("lost", 0).measure("share", 0.5),
    );
    let empty = serde_json::to_value(health.report(start)).unwrap();
    assert_eq!(
        empty,
        json!({"status": "healthy", "uptime_seconds": 0.0, "components": {
            "ring": {"status": "healthy", "message": "nothing lost", "lost": 0, "share": 0.5}}})
    );
    health.set_queue(QueueStats { capacity: 10, len: 2, ..QueueStats::default() });
    health.set_resources(Resources { cpu_seconds: 1.5, rss_bytes: 1024, ..Resources::default() });
    let full = serde_json::to_value(health.report(start + Duration::from_secs(3))).unwrap();
    assert_eq!(full["uptime_seconds"], json!(3.0));
    assert_eq!(full["resources"], json!({"cpu_seconds": 1.5, "rss_bytes": 1024}));
    assert_eq!((&full["queue"]["capacity"], &full["queue"]["len"]), (&json!(10), &json!(2)));
}

#[test]
fn a_path_of_events_that_falls_silent_is_seen() {
    let start = Instant::now();
    let health = Health::new(start, &[]);
    assert!(!health.report(start + STALLED_UNHEALTHY).components.contains_key(DATA_PATH));
    health.beat(start);
    let millisecond = Duration::from_millis(1);
    for (after, status) in [
        (STALLED_DEGRADED - millisecond, Level::Healthy),
        (STALLED_DEGRADED, Level::Degraded),
        (STALLED_UNHEALTHY - millisecond, Level::Degraded),
        (STALLED_UNHEALTHY, Level::Unhealthy),
    ] {
        assert_eq!(health.report(start + after).status, status, "{after:?}");
    }
    health.beat(start + STALLED_UNHEALTHY);
    assert_eq!(health.report(start + STALLED_UNHEALTHY).status, Level::Healthy);
}

#[test]
fn ready_means_that_every_step_is_complete_and_nobody_is_stopping() {
    let health = Health::new(Instant::now(), &["kernel", "attach"]);
    assert!(!health.readiness().ready);
    health.step_done("kernel", "no BPF: degraded");
    health.step_waits("attach", "reading 3 files");
    let seen = health.readiness();
    assert!(!seen.ready);
    assert_eq!(seen.steps[1], Step { name: "attach", done: false, note: "reading 3 files".to_owned() });
    health.step_done("attach", "nothing to attach to");
    assert!(health.readiness().ready);
    health.step_waits("reload", "an unannounced step");
    assert!(!health.readiness().ready);
    health.step_done("reload", "");
    assert!(health.readiness().ready);
    health.stopping();
    assert!(!health.readiness().ready);
}
