//! What an event is said to weigh is at least what the allocator gave out for it, for JSON made up to take much.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use sidecar_agent::{
    event::Event,
    governor::{MOST_EVENT_BYTES, event_bytes},
    mapping::EventKind,
};

/// Counts the bytes that this thread holds.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // A thread that ends has no counter any more, and none that counts.
    let _ = HELD.try_with(|held| held.set(held.get() + bytes));
}

// SAFETY: every call goes to the system's allocator unchanged; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as for the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as for the caller.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn event() -> Event {
    Event {
        time_ns: 0,
        event_type: "event".into(),
        signal: "events".into(),
        provider: "sidecar".into(),
        marker: "event".into(),
        test_id: None,
        run_id: None,
        suite: None,
        attempt: None,
        status: None,
        duration_ns: None,
        message: None,
        pid: 1,
        tid: 1,
        comm: String::new(),
        cgroup_id: 1,
        container_id: None,
        sample_rate: 1.0,
        data: serde_json::Map::new(),
        key: None,
        precious: false,
        kind: EventKind::Generic,
    }
}

/// A kilobyte of JSON each.
fn worst() -> Vec<String> {
    let nested =
        |open: &str, close: &str, depth: usize| format!("{}0{}", open.repeat(depth), close.repeat(depth));
    let many = |item: &str| format!("[{}0]", format!("{item},").repeat(1020 / (item.len() + 1)));
    let members: Vec<String> = (0..120).map(|i| format!(r#""{i}":""#) + r#"x""#).collect();
    let objects = nested(r#"{"":"#, "}", 60);
    vec![
        nested("[", "]", 120),
        nested(r#"{"":"#, "}", 120),
        nested(r#"[{"":"#, "}]", 60),
        many("0"),
        many("[]"),
        many("[0]"),
        many("[[0]]"),
        many("{}"),
        many(r#"{"":0}"#),
        many(r#"{"":[0]}"#),
        many(r#""x""#),
        many("1e9"),
        format!("{{{}}}", members.join(",")),
        format!("[{objects},{objects},{objects}]"),
        format!(r#""{}""#, "x".repeat(1000)),
    ]
}

#[test]
fn an_events_weight_covers_what_was_allocated_for_it() {
    for text in worst() {
        assert!(text.len() <= 1200, "{} bytes", text.len());
        let before = HELD.get();
        let mut event = event();
        let shared = HELD.get() - before;
        let data = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"));
        event.data.insert("data".to_owned(), data);
        event.test_id = Some("x".repeat(100));
        let held = HELD.get() - before - shared + size_of::<Event>() as isize;
        let weight = event_bytes(&event);
        assert!(weight as isize >= held, "{weight} < {held} for {text}");
        assert!(weight <= MOST_EVENT_BYTES, "{weight} for {text}");
        // Not so cautious that a queue would be of no use.
        assert!(weight as isize <= 3 * held + 2_000, "{weight} and {held} for {text}");
    }
}
