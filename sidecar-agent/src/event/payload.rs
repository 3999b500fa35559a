//! Parses JSON that a program passed, if its tree is small for its text. `{"":{"":...` takes a hundred times its text
//! once it is parsed, so a text is measured before: in one pass that allocates nothing.

use serde_json::Value as Json;

use super::weight::{ALLOCATION, list, most_tree, nodes};

/// Deepest nesting that is parsed.
pub(super) const MOST_DEPTH: usize = 16;

/// The value of a text; `None` if it is not JSON, nested deeper than [`MOST_DEPTH`], or large for its text.
pub(super) fn parse(text: &str) -> Option<Json> {
    if tree_bytes(text)? > most_tree(text.len()) {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// An array or an object within which the pass is.
#[derive(Clone, Copy, Default)]
struct Open {
    is_object: bool,
    commas: usize,
    filled: bool,
}

impl Open {
    fn bytes(self) -> usize {
        let items = if self.filled { self.commas + 1 } else { 0 };
        match (self.is_object, items) {
            (true, _) => nodes(items),
            (false, 0) => 0,
            // A list that grows item by item has a power of two of places.
            (false, _) => list(items.next_power_of_two().max(4)),
        }
    }
}

/// The bytes that the tree of a text takes, rounded up; of a text that is not JSON, those of the tree up to its first
/// fault. `None` if it is nested too deep, or closes what it did not open.
pub(super) fn tree_bytes(text: &str) -> Option<usize> {
    let mut open = [Open::default(); MOST_DEPTH];
    let (mut depth, mut bytes) = (0, 0);
    let mut rest = text.as_bytes().iter();
    while let Some(byte) = rest.next() {
        if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            continue;
        }
        let inner: Option<&mut Open> = open[..depth].last_mut();
        match byte {
            b'}' | b']' => {
                bytes += inner?.bytes();
                depth -= 1;
                continue;
            }
            b',' => {
                inner?.commas += 1;
                continue;
            }
            _ => {}
        }
        if let Some(inner) = inner {
            inner.filled = true;
        }
        match byte {
            b'{' | b'[' => {
                *open.get_mut(depth)? = Open { is_object: *byte == b'{', ..Open::default() };
                depth += 1;
            }
            b'"' => {
                // Escapes are longer than what they stand for.
                let len = string_len(&mut rest);
                bytes += if len == 0 { 0 } else { len + ALLOCATION };
            }
            _ => {}
        }
    }
    Some(bytes + open[..depth].iter().map(|open| open.bytes()).sum::<usize>())
}

/// Passes over a string behind its first quote; gives the bytes before its last.
fn string_len(rest: &mut std::slice::Iter<'_, u8>) -> usize {
    let mut len = 0;
    while let Some(byte) = rest.next() {
        match byte {
            b'"' => break,
            b'\\' => {
                rest.next();
                len += 2;
            }
            _ => len += 1,
        }
    }
    len
}
