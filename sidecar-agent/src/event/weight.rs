//! How many bytes an event takes while it waits. A queue that is bounded by events alone is not bounded in memory.

use std::mem::size_of;

use serde_json::{Map, Value};
use sidecar_common::{MAX_ARGS, MAX_STRING};

use super::Event;

/// What an allocator adds to an allocation, at most: its header, and rounding.
pub(super) const ALLOCATION: usize = 32;
/// Entries of a B-tree's node, and the fewest that a node other than the root holds.
const NODE_ENTRIES: usize = 11;
const NODE_LEAST: usize = 5;
/// A node without edges: the whole tree of a small map.
const LEAF: usize = NODE_ENTRIES * (size_of::<String>() + size_of::<Value>()) + 16 + ALLOCATION;
/// A node with its edges.
const NODE: usize = LEAF + (NODE_ENTRIES + 1) * 8;

/// JSON is parsed if its tree takes at most so many bytes a byte of text,
const TREE_A_BYTE: usize = 16;
/// and so many besides, so that a short text may have some objects.
const TREE_BESIDES: usize = 4 * 1024;

/// Longest name of an argument: 128 characters.
const NAME: usize = 128 * 4 + ALLOCATION;
/// A text in which each byte was none of UTF-8's and became a replacement character of three.
const TEXT: usize = 3 * MAX_STRING as usize + ALLOCATION;
/// The most of a text: its tree, or twice itself, as of an attempt id that is taken apart.
const VALUE: usize =
    if most_tree(MAX_STRING as usize) > 2 * TEXT { most_tree(MAX_STRING as usize) } else { 2 * TEXT };
/// An argument's value, its name with it, its name and the reason among the missing, and its name among the truncated.
const ARG: usize = VALUE + 3 * (NAME + 2 * size_of::<Value>()) + 2 * ALLOCATION;
/// Nodes for the arguments' own entries and for the missing ones', beyond what trees have already.
const NODES: usize = 2 * (MAX_ARGS / NODE_LEAST + 2);

/// Most bytes that any event takes, whatever a program passes: some 270 KB. A record has 13 KB at most.
pub const MOST_EVENT_BYTES: u64 = (size_of::<Event>() + TEXT + MAX_ARGS * ARG + NODES * NODE) as u64;

/// Most bytes that the parsed tree of a text of this length may take.
pub(super) const fn most_tree(text_len: usize) -> usize {
    let counted = if text_len < MAX_STRING as usize { text_len } else { MAX_STRING as usize };
    TREE_A_BYTE * counted + TREE_BESIDES
}

/// The bytes that an event takes, rounded up. What all events of a site share is not counted.
#[must_use]
pub fn event_bytes(event: &Event) -> u64 {
    let texts = [&event.test_id, &event.run_id, &event.suite, &event.message];
    let texts: usize = texts.into_iter().flatten().map(text).sum();
    // An event's own type, where a program named one.
    let event_type = event.event_type.len() + ALLOCATION;
    (size_of::<Event>() + texts + event_type + text(&event.comm) + map(&event.data)) as u64
}

/// The nodes of a map.
pub(super) const fn nodes(len: usize) -> usize {
    if len == 0 {
        0
    } else if len <= 2 * NODE_LEAST {
        // A root above two others has an entry itself.
        LEAF
    } else {
        (len / NODE_LEAST + 1) * NODE
    }
}

/// The buffer of a list.
pub(super) const fn list(capacity: usize) -> usize {
    if capacity == 0 { 0 } else { capacity * size_of::<Value>() + ALLOCATION }
}

fn text(text: &String) -> usize {
    if text.capacity() == 0 { 0 } else { text.capacity() + ALLOCATION }
}

fn map(map: &Map<String, Value>) -> usize {
    nodes(map.len()) + map.iter().map(|(key, member)| text(key) + value(member)).sum::<usize>()
}

/// What a value holds besides itself. Its depth is bounded by [`super::payload`].
pub(super) fn value(json: &Value) -> usize {
    match json {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(string) => text(string),
        Value::Array(items) => list(items.capacity()) + items.iter().map(value).sum::<usize>(),
        Value::Object(members) => map(members),
    }
}

#[cfg(test)]
#[path = "weight_tests.rs"]
mod tests;
