//! How many bytes an event takes while it waits. A queue that is bounded by events alone is not bounded in memory:
//! a kilobyte of JSON that a program made up for the purpose takes a hundred kilobytes once it is parsed.

use std::mem::size_of;

use serde_json::{Map, Value};
use sidecar_common::{MAX_ARGS, MAX_STRING};

use crate::event::Event;

/// What an allocator adds to an allocation, at most: its header, and rounding.
const ALLOCATION: usize = 32;
/// Entries of a B-tree's node, and the fewest that a node other than the root holds.
const NODE_ENTRIES: usize = 11;
const NODE_LEAST: usize = 5;
/// A node with its edges.
const NODE: usize =
    NODE_ENTRIES * (size_of::<String>() + size_of::<Value>()) + (NODE_ENTRIES + 3) * 8 + ALLOCATION;

/// Most bytes of memory that a byte of JSON text becomes: `{"":{"":...}}` takes a node for five bytes of text.
const MOST_A_JSON_BYTE: usize = NODE / 5 + 1;

/// Most bytes that any event takes: every argument a string of the greatest length, and every one JSON at its worst.
pub const MOST_EVENT_BYTES: u64 =
    (size_of::<Event>() + MAX_ARGS * (MAX_STRING as usize * MOST_A_JSON_BYTE + 4 * NODE)) as u64;

/// The bytes that an event takes, rounded up. What all events of a site share is not counted.
#[must_use]
pub fn event_bytes(event: &Event) -> u64 {
    let texts = [&event.test_id, &event.run_id, &event.suite, &event.message];
    let texts: usize = texts.into_iter().flatten().map(text).sum();
    // An event's own type, where a program named one.
    let event_type = event.event_type.len() + ALLOCATION;
    (size_of::<Event>() + texts + event_type + text(&event.comm) + map(&event.data)) as u64
}

fn text(text: &String) -> usize {
    if text.capacity() == 0 { 0 } else { text.capacity() + ALLOCATION }
}

fn map(map: &Map<String, Value>) -> usize {
    let nodes = if map.is_empty() { 0 } else { map.len() / NODE_LEAST + 1 };
    nodes * NODE + map.iter().map(|(key, member)| text(key) + value(member)).sum::<usize>()
}

/// What a value holds besides itself. Its depth is bounded, because serde_json refuses more than 128 levels.
fn value(json: &Value) -> usize {
    match json {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(string) => text(string),
        Value::Array(items) if items.capacity() == 0 => 0,
        Value::Array(items) => {
            items.capacity() * size_of::<Value>() + ALLOCATION + items.iter().map(value).sum::<usize>()
        }
        Value::Object(members) => map(members),
    }
}
