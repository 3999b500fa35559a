//! Tests of handlers with real processes, a real server and real files. What waits, polls with a deadline.

mod child;
mod command;
mod filter;
mod function;
mod http;
mod http_server;
mod jsonl;
mod set;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::config::{Action, HandlerConfig, When};
use crate::event::Event;
use crate::mapping::EventKind;

/// A time that is never reached unless something hangs.
const LONG: Duration = Duration::from_secs(60);

/// A `test_failure`.
fn event(test_id: &str) -> Event {
    Event {
        time_ns: 1_795_493_153_346_000_007,
        event_type: Arc::from("test_failure"),
        signal: Arc::from("test_events"),
        provider: Arc::from("nextest"),
        marker: Arc::from("test-attempt-done"),
        test_id: Some(test_id.to_owned()),
        run_id: None,
        suite: Some("web::api".to_owned()),
        attempt: None,
        status: Some(sidecar_common::Status::Failed),
        duration_ns: Some(100_000_000),
        message: None,
        pid: 1,
        tid: 1,
        comm: "runner".to_owned(),
        cgroup_id: 1,
        container_id: None,
        sample_rate: 1.0,
        data: serde_json::Map::new(),
        key: None,
        precious: false,
        kind: EventKind::TestEnd,
    }
}

fn message(test_id: &str) -> Message {
    Message::new(event(test_id))
}

/// A handler for every event.
fn config(name: &str, action: Action) -> HandlerConfig {
    HandlerConfig {
        name: name.to_owned(),
        events: Vec::new(),
        when: When::default(),
        queue_size: 1000,
        queue_bytes: 1 << 30,
        drop_on_full: true,
        action,
    }
}

/// Handlers with one of these.
fn handlers(config: HandlerConfig) -> Handlers {
    let handlers = Handlers::new();
    handlers.replace_all(&[config], LONG).unwrap();
    handlers
}

/// Waits for something that has to come.
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain for: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// The final counters of the only handler.
fn finish(handlers: &Handlers, grace: Duration) -> HandlerStats {
    let [stats] = <[_; 1]>::try_from(block_on(handlers.finish(grace))).unwrap();
    assert_balanced(&stats);
    assert_eq!((stats.waiting, stats.in_flight), (0, 0), "{stats:?}");
    stats
}

fn assert_balanced(stats: &HandlerStats) {
    let settled = stats.handled + stats.failed() + stats.dropped();
    assert_eq!(stats.received, settled + stats.waiting + stats.in_flight, "{stats:?}");
}

/// Asserts what became of the events: handled, and the reasons that are not 0.
fn assert_counts(stats: &HandlerStats, handled: u64, reasons: &[(Reason, u64)]) {
    let counted: Vec<_> = stats.reasons().filter(|(_, count)| *count > 0).collect();
    assert_eq!((stats.handled, counted.as_slice()), (handled, reasons), "{stats:?}");
}

fn error_text(stats: &HandlerStats) -> &str {
    &stats.last_error.as_ref().expect("a last error").text
}
