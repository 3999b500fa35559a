//! Tests of handlers that are functions of this program.

use std::sync::Mutex;
use std::sync::mpsc;

use super::*;

#[test]
fn several_closures_get_what_they_asked_for() {
    let handlers = Handlers::new();
    assert!(handlers.is_empty());
    let seen = Arc::new(Mutex::new(Vec::new()));
    for name in ["first", "second"] {
        let seen = Arc::clone(&seen);
        let note = move |event: &Event| seen.lock().unwrap().push((name, event.test_id.clone().unwrap()));
        handlers.on("test_failure", name, note).unwrap();
    }
    let never = |event: &Event| assert_ne!(&*event.event_type, "test_failure", "nobody asked for it");
    handlers.on("anomaly", "third", never).unwrap();
    handlers.dispatch(&message("a"));
    handlers.dispatch(&message("b"));
    let mut stats = block_on(handlers.finish(LONG));
    stats.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(stats.iter().map(|stats| stats.handled).collect::<Vec<_>>(), [2, 2, 0]);
    let mut seen = seen.lock().unwrap().clone();
    seen.sort();
    let seen: Vec<_> = seen.iter().map(|(name, id)| format!("{name} {id}")).collect();
    assert_eq!(seen, ["first a", "first b", "second a", "second b"]);
    assert!(handlers.is_empty());
}

#[test]
fn errors_and_panics_are_counted_and_the_next_event_is_handled() {
    struct Moody(u32);
    impl Handler for Moody {
        fn handle(&mut self, event: &Event) -> Result<(), HandlerError> {
            self.0 += 1;
            match self.0 {
                1 => panic!("oh\nno: {}", event.test_id.as_deref().unwrap_or_default()),
                2 => Err(HandlerError("later\u{1b}[2J".to_owned())),
                _ => Ok(()),
            }
        }
    }
    let handlers = Handlers::new();
    handlers.register("moody", Filter::all(), QueueOptions::default(), Moody(0)).unwrap();
    handlers.dispatch(&message("a"));
    eventually("the panic", || handlers.stats()[0].count(Reason::Panicked) == 1);
    let stats = handlers.stats().remove(0);
    assert_eq!(
        (error_text(&stats), stats.consecutive_failures, stats.running),
        ("it panicked: oh no: a", 1, true)
    );
    handlers.dispatch(&message("b"));
    eventually("the error", || handlers.stats()[0].count(Reason::FunctionFailed) == 1);
    let stats = handlers.stats().remove(0);
    assert_eq!((error_text(&stats), stats.consecutive_failures), ("later [2J", 2));
    handlers.dispatch(&message("c"));
    let stats = finish(&handlers, LONG);
    assert_counts(&stats, 1, &[(Reason::FunctionFailed, 1), (Reason::Panicked, 1)]);
    assert_eq!((stats.consecutive_failures, stats.running), (0, false));
    let json = serde_json::to_value(&stats).unwrap();
    assert_eq!(json["not_handled"], serde_json::json!({"function_failed": 1, "panicked": 1}));
    assert_eq!(
        (json["kind"].as_str(), json["last_error"]["reason"].as_str()),
        (Some("function"), Some("function_failed"))
    );
}

#[test]
fn a_closure_may_return_a_result() {
    let handlers = Handlers::new();
    let parse = |event: &Event| event.test_id.as_deref().unwrap_or_default().parse::<u32>().map(|_| ());
    handlers.on("test_failure", "parse", parse).unwrap();
    handlers.dispatch(&message("7"));
    handlers.dispatch(&message("seven"));
    assert_counts(&finish(&handlers, LONG), 1, &[(Reason::FunctionFailed, 1)]);
}

#[test]
fn a_stuck_function_holds_up_nobody_and_all_is_counted() {
    for drop_on_full in [true, false] {
        let handlers = Handlers::new();
        let (release, held) = mpsc::channel::<()>();
        let stuck = move |_: &Event| {
            let _ = held.recv();
        };
        handlers
            .register(
                "stuck",
                Filter::all(),
                QueueOptions { size: 3, drop_on_full, ..QueueOptions::default() },
                stuck,
            )
            .unwrap();
        handlers.dispatch(&message("first"));
        eventually("the call", || handlers.stats()[0].in_flight == 1);
        for i in 0..10 {
            handlers.dispatch(&message(&i.to_string()));
        }
        let stats = handlers.stats().remove(0);
        assert_balanced(&stats);
        let full = if drop_on_full { Reason::QueueFullOldest } else { Reason::QueueFullNewest };
        assert_counts(&stats, 0, &[(full, 7)]);
        assert_eq!((stats.waiting, stats.in_flight, stats.capacity), (3, 1, 3));
        let stats = finish(&handlers, Duration::from_millis(1));
        assert_counts(&stats, 0, &[(full, 7), (Reason::Shutdown, 4)]);
        drop(release);
    }
}

#[test]
fn few_large_events_fill_a_queue_as_many_small_ones_do() {
    for drop_on_full in [true, false] {
        let handlers = Handlers::new();
        let (release, held) = mpsc::channel::<()>();
        let stuck = move |_: &Event| {
            let _ = held.recv();
        };
        let options = QueueOptions { size: 1_000_000, bytes: 1 << 20, drop_on_full };
        handlers.register("stuck", Filter::all(), options, stuck).unwrap();
        handlers.dispatch(&message("first"));
        eventually("the call", || handlers.stats()[0].in_flight == 1);
        // Control characters: each byte is six in JSON.
        let name = "\u{1}".repeat(10_000);
        (0..100).for_each(|_| handlers.dispatch(&message(&name)));
        let stats = handlers.stats().remove(0);
        assert_balanced(&stats);
        assert!((900_000..=1 << 20).contains(&stats.waiting_bytes), "{stats:?}");
        let full = if drop_on_full { Reason::QueueFullOldest } else { Reason::QueueFullNewest };
        assert_counts(&stats, 0, &[(full, 86)]);
        let stats = finish(&handlers, Duration::from_millis(1));
        assert_counts(&stats, 0, &[(full, 86), (Reason::Shutdown, 15)]);
        drop(release);
    }
}
