//! YAML text as a tree that knows its lines.
//!
//! serde_yaml tells where it is only in errors. So each scalar and each key leaves its visitor as an error
//! (with the value put aside in a slot), is caught one level up, and the place is read off the error. That
//! costs one pass over the text and needs no second parser.
//!
//! Aliases are expanded, but the number of values is capped, so a file of nested aliases is an error and not
//! a full memory. What lies outside the wanted section is skipped, its aliases unexpanded.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::scalar::Scalar;

/// Most values and keys of a section, aliases expanded.
const MOST_VALUES: u32 = 50_000;

/// Most brackets of lists and mappings in a file. The time that libyaml takes grows with the square of their
/// depth.
const MOST_BRACKETS: usize = 20_000;

/// What the errors say that are none.
const HERE: &str = "here";

/// What serde_yaml says, without a place, of a document whose aliases expand to far more than its text.
const REPETITION: &str = "repetition limit exceeded";

/// A line and a column, both from 1; 0 where they are not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) line: u32,
    pub(super) column: u32,
}

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) line: u32,
    pub(super) tree: Tree,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tree {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// Outside of what was asked for.
    Skipped,
}

/// A key with its value. Keys of one mapping may repeat: who reads them says where.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) line: u32,
    pub(super) node: Node,
}

/// Text that is not YAML, or more than is read.
#[derive(Debug)]
pub(super) struct NotYaml {
    pub(super) at: Mark,
    pub(super) what: String,
}

/// How much of a document is wanted.
#[derive(Clone, Copy)]
pub(super) enum Want<'a> {
    /// Everything.
    All,
    /// The keys of the top level, and of the mapping under this one of them.
    Outline(&'a str),
    /// What lies at this path; the rest is skipped.
    Path(&'a [&'a str]),
}

/// Parses the wanted part of `text`. An empty document is null.
pub(super) fn parse(text: &str, want: Want<'_>) -> Result<Node, NotYaml> {
    // libyaml takes a lone byte order mark for a document.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    refuse(text)?;
    let reader = Reader { slot: RefCell::new(None), left: Cell::new(MOST_VALUES) };
    let value = ValueSeed { reader: &reader, want };
    reader.value(value.deserialize(serde_yaml::Deserializer::from_str(text))).map_err(|error| {
        let at = error.location().map_or(Mark::default(), |location| Mark {
            line: u32::try_from(location.line()).unwrap_or(u32::MAX),
            column: u32::try_from(location.column()).unwrap_or(u32::MAX),
        });
        let what = if is_tab(text, at) {
            "a tab where only spaces may indent".to_owned()
        } else if error.to_string() == REPETITION {
            "its aliases stand for too many values".to_owned()
        } else {
            error.to_string()
        };
        NotYaml { at, what }
    })
}

/// What libyaml would take too long for, take for the end of the file (NUL), or refuse without its line.
fn refuse(text: &str) -> Result<(), NotYaml> {
    let mut brackets = text.bytes().enumerate().filter(|(_, byte)| matches!(byte, b'[' | b'{'));
    let bracket = brackets.nth(MOST_BRACKETS).map(|(at, _)| at);
    let control = text.find(|c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}'));
    let (at, what) = match (bracket, control) {
        (Some(at), _) => (at, format!("more than {MOST_BRACKETS} opening brackets in the file")),
        (None, Some(at)) => (at, "a control character".to_owned()),
        (None, None) => return Ok(()),
    };
    let line = text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
    Err(NotYaml { at: Mark { line: u32::try_from(line).unwrap_or(u32::MAX), column: 1 }, what })
}

fn is_tab(text: &str, at: Mark) -> bool {
    let place = |number: u32| (number as usize).checked_sub(1);
    let line = place(at.line).and_then(|line| text.lines().nth(line));
    line.zip(place(at.column)).is_some_and(|(line, column)| line.chars().nth(column) == Some('\t'))
}

struct Reader {
    slot: RefCell<Option<Scalar>>,
    left: Cell<u32>,
}

impl Reader {
    /// A scalar came as an error: take it, with its line.
    fn value<E: fmt::Display>(&self, result: Result<Node, E>) -> Result<Node, E> {
        result.or_else(|error| match self.slot.take() {
            Some(scalar) => Ok(Node { line: line_of(&error), tree: Tree::Scalar(scalar) }),
            None => Err(error),
        })
    }

    fn put<T, E: Error>(&self, scalar: Scalar) -> Result<T, E> {
        self.slot.replace(Some(scalar));
        Err(E::custom(HERE))
    }

    fn count<E: Error>(&self) -> Result<(), E> {
        let left = self.left.get().checked_sub(1);
        self.left.set(left.ok_or_else(|| {
            E::custom(format_args!("more than {MOST_VALUES} keys and values, aliases expanded"))
        })?);
        Ok(())
    }
}

/// The line in `[PATH: ]here at line L column C`. Without "at" it is the first (serde_yaml leaves it out).
fn line_of(error: &impl fmt::Display) -> u32 {
    let text = error.to_string();
    let Some((_, place)) = text.rsplit_once(HERE) else { return 0 };
    let Some(place) = place.strip_prefix(" at line ") else { return 1 };
    place.split(' ').next().and_then(|line| line.parse().ok()).unwrap_or(0)
}

/// Reads a key: any scalar, as its text.
struct KeySeed<'a>(&'a Reader);

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = Node;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for KeySeed<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a plain key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Node, E> {
        self.0.put(Scalar::Text(key.to_owned()))
    }
}

/// Reads a value.
#[derive(Clone, Copy)]
struct ValueSeed<'a> {
    reader: &'a Reader,
    want: Want<'a>,
}

impl<'a> ValueSeed<'a> {
    /// What is wanted of the value under a key; `None` if nothing is.
    fn below(self, key: &str) -> Option<Self> {
        let want = match self.want {
            Want::All => Want::All,
            Want::Outline(parent) if parent == key => Want::Outline(""),
            Want::Path([first, rest @ ..]) if *first == key => match rest {
                [] => Want::All,
                rest => Want::Path(rest),
            },
            Want::Outline(_) | Want::Path(_) => return None,
        };
        Some(Self { reader: self.reader, want })
    }
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = Node;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        self.reader.count()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value without a YAML tag")
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        self.reader.put(Scalar::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Node, E> {
        self.reader.put(Scalar::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        self.reader.put(Scalar::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        self.reader.put(Scalar::Integer(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        self.reader.put(Scalar::Integer(value.into()))
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<Node, E> {
        self.reader.put(Scalar::Integer(value))
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<Node, E> {
        self.reader.put(Scalar::Integer(i128::try_from(value).unwrap_or(i128::MAX)))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        self.reader.put(Scalar::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        self.reader.put(Scalar::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        if !matches!(self.want, Want::All) {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Node { line: 0, tree: Tree::Skipped });
        }
        loop {
            let next = match items.next_element_seed(self) {
                Ok(None) => break,
                Ok(Some(node)) => Ok(node),
                Err(error) => Err(error),
            };
            list.push(self.reader.value(next)?);
        }
        Ok(Node { line: list.first().map_or(0, |node: &Node| node.line), tree: Tree::List(list) })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let key = match map.next_key_seed(KeySeed(self.reader)) {
                Ok(None) => break,
                Ok(Some(node)) => Ok(node),
                Err(error) => Err(error),
            };
            self.reader.count()?;
            let Node { line, tree: Tree::Scalar(Scalar::Text(key)) } = self.reader.value(key)? else {
                return Err(A::Error::custom("a key that is no text"));
            };
            let mut node = match self.below(&key) {
                Some(seed) => self.reader.value(map.next_value_seed(seed))?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                    Node { line, tree: Tree::Skipped }
                }
            };
            if node.line == 0 {
                node.line = line;
            }
            entries.push(Entry { key, line, node });
        }
        Ok(Node { line: entries.first().map_or(0, |entry| entry.line), tree: Tree::Map(entries) })
    }
}

#[cfg(test)]
#[path = "yaml_tests.rs"]
mod tests;
