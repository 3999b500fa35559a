//! What the agent needs, a budget below it, and what an event weighs.

use serde_json::{Value, json};
use sidecar_common::Status;

use crate::{
    config::{Action, CommandAction, Config, HandlerConfig, HttpAction, Sink, When},
    event::Event,
    governor::{Budget, LEAST_QUEUE_BYTES, event_bytes, needs},
    mapping::EventKind,
};

fn budget(megabytes: u64) -> Budget {
    Budget { cpu_percent: 5.0, memory_bytes: megabytes * 1_000_000 }
}

#[test]
fn the_defaults_fit_into_the_default_budget() {
    let config = Config::default();
    let needs = needs(&config);
    let budget = Budget::of(&config.resources);
    assert_eq!(needs.check(&budget), Ok(()), "{needs}");
    let queues = needs.queues * needs.queue_bytes(&budget);
    assert!(needs.fixed() + queues <= budget.memory_bytes, "{needs:?} {queues}");
    assert!(needs.queue_bytes(&budget) > LEAST_QUEUE_BYTES);
}

#[test]
fn a_budget_below_the_needs_is_named_with_the_number() {
    let mut config = Config::default();
    config.discovery.ring_bytes = 64 << 20;
    let needs = needs(&config);
    let error = needs.check(&budget(20)).unwrap_err().to_string();
    let least = needs.least().div_ceil(1_000_000);
    assert!(error.contains("budget of 20 MB (resources.max_memory_mb)"), "{error}");
    assert!(error.contains(&format!("below the {least} MB")), "{error}");
    assert!(error.contains("68 MB for the ring"), "{error}");
    assert_eq!(needs.queue_bytes(&budget(20)), LEAST_QUEUE_BYTES);
    assert_eq!(needs.check(&budget(least)), Ok(()));
}

fn handler(action: Action) -> HandlerConfig {
    HandlerConfig {
        name: "h".to_owned(),
        events: Vec::new(),
        when: When::default(),
        queue_size: 10,
        queue_bytes: 1_000_000,
        drop_on_full: true,
        action,
    }
}

#[test]
fn what_waits_for_readers_and_handlers_counts() {
    let mut config = Config::default();
    let before = needs(&config);
    assert_eq!((before.streams, before.handlers), (4 << 20, 0));
    config.http.max_streams = 1000;
    config.handlers = vec![
        handler(Action::Http(HttpAction {
            url: String::new(),
            headers: Vec::new(),
            timeout_sec: 1.0,
            max_attempts: 1,
            spool_events: 10,
            spool_bytes: 9_000_000,
            rate_limit: 1.0,
        })),
        handler(Action::Command(CommandAction {
            command: Vec::new(),
            timeout_sec: 1.0,
            concurrency: 1,
            rate_limit: 1.0,
        })),
    ];
    let after = needs(&config);
    assert_eq!((after.streams, after.handlers), (1000 * (64 << 10), 9_000_000 + 2 * 1_000_000));
    assert_eq!(after.fixed() - before.fixed(), after.streams + after.handlers - before.streams);
}

#[test]
fn at_the_least_budget_each_queue_has_its_least_room() {
    let mut config = Config::default();
    for sinks in 0..5 {
        config.sinks = vec![Sink::Jsonl { path: "-".to_owned() }; sinks];
        let needs = needs(&config);
        let least = Budget { cpu_percent: 5.0, memory_bytes: needs.least() };
        assert_eq!(needs.check(&least), Ok(()));
        assert!(needs.fixed() + needs.queues * needs.queue_bytes(&least) <= needs.least());
        assert!(needs.queue_bytes(&least) < LEAST_QUEUE_BYTES * 11 / 10);
    }
}

fn event(data: Value) -> Event {
    Event {
        time_ns: 0,
        event_type: "event".into(),
        signal: "events".into(),
        provider: "sidecar".into(),
        marker: "event".into(),
        test_id: Some("test".to_owned()),
        run_id: None,
        suite: None,
        attempt: None,
        status: Some(Status::Passed),
        duration_ns: None,
        message: None,
        pid: 1,
        tid: 1,
        comm: "test".to_owned(),
        cgroup_id: 1,
        container_id: None,
        sample_rate: 1.0,
        data: serde_json::Map::from_iter([("data".to_owned(), data)]),
        key: None,
        precious: false,
        kind: EventKind::Generic,
    }
}

#[test]
fn an_event_weighs_more_the_more_it_holds_and_never_more_than_the_most() {
    let plain = event_bytes(&event(Value::Null));
    let text = event_bytes(&event(json!("x".repeat(1000))));
    assert!((plain + 1000..plain + 1100).contains(&text), "{plain} {text}");
    assert!(plain < 2000, "{plain}");
    // The worst that a kilobyte of JSON becomes, in every shape of nesting.
    let objects = format!("{}0{}", r#"{"":"#.repeat(60), "}".repeat(60));
    let deep = format!("[{objects},{objects},{objects}]");
    let worst = [
        format!("[{}0]", "0,".repeat(510)),
        format!("[{}0]", "[0],".repeat(255)),
        format!("[{}0]", r#"{"":0},"#.repeat(145)),
        format!("{}0{}", "[".repeat(120), "]".repeat(120)),
        deep,
    ];
    for text in worst {
        assert!(text.len() <= 1024, "{}", text.len());
        let data = serde_json::from_str(&text).unwrap();
        let bytes = event_bytes(&event(data));
        assert!(bytes > plain + 10 * text.len() as u64, "{bytes} for {text}");
    }
}
